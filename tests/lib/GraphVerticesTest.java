import static org.assertj.core.api.Assertions.assertThat;

import java.nio.ByteBuffer;
import java.util.List;
import java.util.stream.LongStream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** Vertices of the graph beside the documents of its index. */
class GraphVerticesTest {
  private static final String INDEX = "thehive_global";
  private final GraphVertices vertices = new GraphVertices();

  private void rows(LongStream numbers) {
    vertices.take(new GraphSettings("thehive", 32, List.of()));
    numbers.forEach(number -> vertices.takeKey("edgestore", key(number, 5)));
  }

  private void documents(LongStream numbers) {
    vertices.takeIndex(INDEX);
    numbers.forEach(number -> vertices.takeDocument(INDEX, Long.toString(number, 36)));
  }

  /** As JanusGraph makes a key of a vertex: its partition, the number, three bits of the kind. */
  private static ByteBuffer key(long vertex, int bits) {
    var number = vertex >>> 3;
    return ByteBuffer.allocate(8).putLong(0, (bits == 0 ? 0 : number << Long.SIZE - bits) | number >>> bits << 3);
  }

  private static LongStream numbers(int from, int to) {
    return LongStream.range(from, to).map(number -> number * 8 + 4096);
  }

  private Finding finding() {
    var findings = new Findings("together");
    vertices.compare(findings);
    return findings.list().get(0);
  }

  /** The keys and vertices are those of JanusGraph's own IDManager. */
  @ParameterizedTest
  @CsvSource({"1, 8, 8", "1, 987654312, 3ade68a8", "8, 80, 4000000000000008", "8, 32888, e000000000001008", "32, 256, 8",
      "32, 504, f800000000000008", "32, 131408, 5000000000001008", "32, 31604938232, f80000003ade68a8"})
  void readsAKeyAsJanusGraphDoes(int partitions, long vertex, String key) {
    assertThat(GraphVertices.vertex(Long.parseUnsignedLong(key, 16), partitions)).isEqualTo(vertex);
  }

  @Test
  void saysThatEachHasADocument() {
    rows(numbers(0, 1000));
    documents(numbers(0, 1000));
    vertices.takeDocument(INDEX, "1l4-6kw-2dx-9s"); // an edge
    vertices.takeKey("edgestore", ByteBuffer.allocate(8).putLong(0, 0x205)); // a schema vertex
    vertices.takeKey("graphindex", ByteBuffer.allocate(8).putLong(0, 8));
    assertThat(finding().result()).isEqualTo(Mark.OK);
    assertThat(finding().text())
        .isEqualTo("1,000 vertices of the graph, each with its document in thehive_global, and no other document");
  }

  @Test
  void warnsOfAFewThatAreAlone() {
    rows(numbers(0, 100));
    documents(numbers(3, 101));
    assertThat(finding().result()).isEqualTo(Mark.WARNING);
    assertThat(finding().text()).startsWith("100 vertices of the graph and thehive_global: 3 without a document"
        + " there, 1 document without a vertex");
    assertThat(finding().details()).containsExactly("without a document: vertex 4096",
        "without a document: vertex 4104", "without a document: vertex 4112", "without a vertex: document 3s0");
  }

  @Test
  void anIndexOfAnotherGraphIsAnError() {
    rows(numbers(0, 100));
    documents(numbers(60, 160));
    assertThat(finding().result()).isEqualTo(Mark.BAD);
  }

  @Test
  void anEmptyIndexIsAnError() {
    rows(numbers(0, 100));
    documents(LongStream.empty());
    assertThat(finding().result()).isEqualTo(Mark.BAD);
  }

  @Test
  void comparesASampleOfManyTheSameOnBothSides() {
    rows(numbers(0, 1_000_000));
    documents(numbers(0, 1_000_000).filter(number -> number % 800 != 0));
    assertThat(finding().result()).isEqualTo(Mark.WARNING);
    assertThat(finding().text()).startsWith("a sample of 13").contains(" of about ");
    assertThat(finding().details()).allMatch(line -> line.startsWith("without a document: vertex "))
        .hasSizeBetween(1000, 1700);
  }

  @Test
  void saysWhatWasNotRead() {
    documents(numbers(0, 1));
    assertThat(finding().result()).isEqualTo(Mark.SKIPPED);
    rows(numbers(0, 1));
    assertThat(finding().result()).isEqualTo(Mark.OK);
    vertices.takeDocument(INDEX, "a vertex of its own name");
    assertThat(finding().result()).isEqualTo(Mark.SKIPPED);
  }

  @Test
  void warnsOfAnIndexThatTheSnapshotLacks() {
    rows(numbers(0, 10));
    vertices.takeIndex("other_global");
    assertThat(finding().result()).isEqualTo(Mark.WARNING);
    assertThat(finding().text()).contains("the graph's index is thehive_global, the snapshot holds other_global");
  }
}
