import java.nio.ByteBuffer;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.concurrent.ConcurrentHashMap;

/**
 * The vertices that the graph's rows name and those that the documents of its index name. JanusGraph stores a vertex
 * under a key of 8 bytes, its partition first, and a document of it under its number in base 36. Of many vertices a
 * sample is compared, the same one on both sides.
 */
final class GraphVertices {
  /** The last three bits of a vertex tell its kind: none of them is set of one that the application made. */
  private static final int KIND_BITS = 3;
  private static final int KIND = (1 << KIND_BITS) - 1;
  private final NumberSample rows = new NumberSample();
  private final Map<String, NumberSample> documents = new ConcurrentHashMap<>();
  private volatile Optional<GraphSettings> settings = Optional.empty();
  private volatile boolean hasOtherNames;

  /** Gives what the graph says of itself, before any key is taken. */
  void take(GraphSettings settings) {
    this.settings = Optional.of(settings);
  }

  /** Takes the key of a row of the graph's table of vertices. */
  void takeKey(String table, ByteBuffer key) {
    if (table.equals("edgestore") && settings.isPresent() && key.remaining() == Long.BYTES) {
      var number = key.getLong(key.position());
      if ((number & KIND) == 0) {
        rows.add(vertex(number, settings.get().partitions()));
      }
    }
  }

  /** Says that the documents of an index will be given. */
  void takeIndex(String index) {
    documents.put(index, new NumberSample());
  }

  /** Takes a document's {@code _id}: a vertex, or, with hyphens, an edge or a property. */
  void takeDocument(String index, String id) {
    if (id.indexOf('-') < 0) {
      try {
        var vertex = Long.parseLong(id, Character.MAX_RADIX);
        if ((vertex & KIND) == 0) {
          documents.get(index).add(vertex);
        }
      } catch (NumberFormatException e) {
        hasOtherNames = true; // an application may give its vertices names of its own
      }
    }
  }

  /** The vertex that is stored under a key: its partition moves from the first bits to those before the kind. */
  static long vertex(long key, int partitions) {
    var bits = Integer.numberOfTrailingZeros(partitions);
    var partition = bits == 0 ? 0 : key >>> Long.SIZE - bits;
    var number = key << bits >>> bits + KIND_BITS;
    return (number << bits | partition) << KIND_BITS | key & KIND;
  }

  /**
   * Says which vertices have no document, and which documents no vertex. A few are usual, because the index is backed
   * up after the rows; where more than half of either are alone, index and graph do not belong together.
   */
  void compare(Findings findings) {
    if (settings.isEmpty() || documents.isEmpty()) {
      findings.skipped("index", "needs the rows of the graph and the documents of its index, read in the same run");
    } else if (hasOtherNames) {
      findings.skipped("index", "the index names vertices otherwise than by their numbers");
    } else if (!documents.containsKey(settings.get().index())) {
      findings.warning("index", List.of(), "the graph's index is %s, the snapshot holds %s: TheHive builds it anew",
          settings.get().index(), String.join(", ", documents.keySet()));
    } else {
      compare(documents.get(settings.get().index()), findings);
    }
  }

  private void compare(NumberSample indexed, Findings findings) {
    var vertices = rows.comparableWith(indexed).sorted();
    var named = indexed.comparableWith(rows).sorted();
    var withoutDocument = without(vertices, named);
    var withoutVertex = without(named, vertices);
    var details = new ArrayList<String>();
    withoutDocument.forEach(vertex -> details.add("without a document: vertex " + vertex));
    withoutVertex.forEach(vertex -> details.add("without a vertex: document " + Long.toString(vertex, 36)));
    var compared = rows.distinct() == vertices.length ? Count.of(vertices.length, "vertex", "vertices")
        : "a sample of %,d of about %,d vertices".formatted(vertices.length, rows.distinct());
    var alone = "%s of the graph and %s: %,d without a document there, %s without a vertex".formatted(
        compared, settings.get().index(), withoutDocument.size(), Count.of(withoutVertex.size(), "document"));
    if (details.isEmpty()) {
      findings.ok("index", "%s of the graph, each with its document in %s, and no other document", compared,
          settings.get().index());
    } else if (withoutDocument.size() * 2 > vertices.length || withoutVertex.size() * 2 > named.length) {
      findings.bad("index", details, "%s", alone);
    } else {
      findings.warning("index", details,
          "%s; they were so in the backup, and are not found by a search before TheHive's index is rebuilt", alone);
    }
  }

  private static List<Long> without(long[] some, long[] others) {
    return Arrays.stream(some).filter(number -> Arrays.binarySearch(others, number) < 0).boxed().toList();
  }
}
