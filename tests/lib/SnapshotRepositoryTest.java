import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.dataformat.smile.databind.SmileMapper;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.HexFormat;
import java.util.Map;
import java.util.Optional;
import java.util.TreeMap;
import java.util.zip.CRC32;
import java.util.zip.Deflater;
import java.util.zip.DeflaterOutputStream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** What the files of a snapshot repository tell. */
class SnapshotRepositoryTest {
  /** {@code snap-FL7sUvFvRuSWR5xChRsh0g.dat}, as Elasticsearch 7.10.2 wrote it. */
  private static final byte[] REAL = HexFormat.of().parseHex("""
      3fd76c1708736e617073686f74000000013a290a05fa87736e617073686f74fa836e616d655f656c61737469637365617263
      685f32303236313132325f31326830306d353673837575696455464c37735576467652755357523578436852736830678976
      657273696f6e5f6964240d453c9686696e6469636573f84d746865686976655f676c6f62616cf98b646174615f7374726561
      6d73f8f9847374617465465355434345535393696e636c7564655f676c6f62616c5f737461746522876d6574616461746121
      8973746172745f74696d652501510064177e9687656e645f74696d6525015100641804a88b746f74616c5f736861726473c2
      907375636365737366756c5f736861726473c2876661696c75726573f8f9fbfbc02893e800000000000000009f21c6a4
      """.replaceAll("\\s", ""));
  private static final String NAME = "elasticsearch_20261122_12h00m56s";
  @TempDir Path folder;

  /** The form of Elasticsearch's file around its content. */
  private static byte[] file(byte[] content) {
    var bytes = ByteBuffer.allocate(17 + content.length + 16).putInt(0x3fd76c17).put((byte) 8)
        .put("snapshot".getBytes(StandardCharsets.US_ASCII))
        .putInt(1).put(content).putInt(~0x3fd76c17).putInt(0);
    var sum = new CRC32();
    sum.update(bytes.array(), 0, bytes.position());
    return bytes.putLong(sum.getValue()).array();
  }

  private static byte[] deflated(byte[] content) throws IOException {
    var out = new ByteArrayOutputStream();
    out.writeBytes(new byte[] {'D', 'F', 'L', 0});
    try (var deflate = new DeflaterOutputStream(out, new Deflater(3, true))) {
      deflate.write(content);
    }
    return out.toByteArray();
  }

  private static JsonNode json(String text) {
    try {
      return Json.MAPPER.readTree(text.replace('\'', '"'));
    } catch (IOException e) {
      throw new IllegalStateException(e);
    }
  }

  private static byte[] smile(String text) throws IOException {
    return new SmileMapper().writeValueAsBytes(json(text));
  }

  /** A repository of one snapshot with one shard. */
  private void repository(String state, byte[] snapshot, byte[] shard) throws IOException {
    Files.writeString(folder.resolve("index-9"), "{}");
    Files.writeString(folder.resolve("index-10"), ("{'snapshots': [{'name': '" + NAME + "', 'uuid': 'U'" + state
        + "}], 'indices': {'thehive_global': {'id': 'I', 'snapshots': ['U']}}}").replace('\'', '"'));
    Files.write(folder.resolve("snap-U.dat"), snapshot);
    Files.write(folder.resolve("meta-U.dat"), new byte[1]);
    Files.createDirectories(folder.resolve("indices/I/0"));
    Files.write(folder.resolve("indices/I/0/snap-U.dat"), shard);
  }

  private SnapshotState read() {
    return SnapshotRepository.ofFolder(folder).orElseThrow().get(NAME);
  }

  private static final String SHARD = "{'name': 'x', 'files': [{'length': 5}, {'length': 6}]}";

  @Test
  void readsTheFileOfARealSnapshot() throws IOException {
    assertThat(SnapshotFile.read(REAL).path("snapshot").path("state").asText()).isEqualTo("SUCCESS");
    assertThat(SnapshotFile.read(REAL).path("snapshot").path("name").asText()).isEqualTo(NAME);
  }

  @Test
  void readsStateAndSizesWhateverTheForm() throws IOException {
    repository(", 'state': 1", REAL, file(smile(SHARD)));
    assertThat(read())
        .isEqualTo(new SnapshotState(NAME, "U", "SUCCESS", "", false, new TreeMap<>(Map.of("thehive_global", 11L))));
    repository(", 'state': 3",
        file(deflated(
            smile("{'snapshot': {'index_details': {'thehive_global': {'shard_count': 1, 'size_in_bytes': 42}}}}"))),
        new byte[0]);
    assertThat(read())
        .isEqualTo(new SnapshotState(NAME, "U", "PARTIAL", "", false, new TreeMap<>(Map.of("thehive_global", 42L))));
    repository("", file(deflated(smile("{'snapshot': {'state': 'FAILED'}}"))), file(deflated(smile(SHARD))));
    assertThat(read().state()).as("the index has none").isEqualTo("FAILED");
    repository("", file("{\"snapshot\": {\"state\": \"SUCCESS\"}}".getBytes(StandardCharsets.UTF_8)),
        file(smile(SHARD)));
    assertThat(read().state()).isEqualTo("SUCCESS");
  }

  @Test
  void anUnknownFormIsNotKnownAndSaysWhy() throws IOException {
    repository("", file("ZSTD\0...".getBytes(StandardCharsets.US_ASCII)), file(smile(SHARD)));
    assertThat(read().state()).isEqualTo("UNKNOWN");
    assertThat(read().why()).isEqualTo("the repository's index does not tell, and the form of snap-U.dat is not known");
    assertThat(read().damaged()).isFalse();
  }

  @Test
  void damageIsNamedWithItsFile() throws IOException {
    var flipped = REAL.clone();
    flipped[60] ^= 1;
    repository(", 'state': 1", flipped, file(smile(SHARD)));
    assertThat(read().why()).isEqualTo("cannot read " + folder.resolve("snap-U.dat") + ": its checksum does not fit");
    assertThat(read().damaged()).isTrue();
    for (int length = 0; length < REAL.length; length++) {
      var cut = java.util.Arrays.copyOf(REAL, length);
      assertThatThrownBy(() -> SnapshotFile.read(cut)).as("%d bytes", length).isInstanceOf(IOException.class);
    }
    repository(", 'state': 1", REAL, file(smile(SHARD)));
    Files.delete(folder.resolve("indices/I/0/snap-U.dat"));
    assertThat(read().why()).isEqualTo("cannot read " + folder.resolve("indices/I/0/snap-U.dat") + ": no such file");
    Files.delete(folder.resolve("meta-U.dat"));
    assertThat(read().why()).isEqualTo("its file meta-U.dat is missing");
    Files.writeString(folder.resolve("index-10"), "{\"snapsh");
    assertThatThrownBy(this::read).isInstanceOf(Failure.class)
        .hasMessageContaining("cannot read " + folder.resolve("index-10"));
  }

  @Test
  void aFolderWithoutARepositoryHasNone() {
    assertThat(SnapshotRepository.ofFolder(folder)).isEmpty();
  }

  @Test
  void elasticsearchsAnswerGoesBeforeTheFiles() {
    var cluster = ClusterSnapshots
        .states(json("{'snapshots': [{'snapshot': 'a', 'uuid': 'U', 'indices': ['i'], 'state': 'IN_PROGRESS'},"
        + " {'snapshot': 'b', 'state': 'SUCCESS'}]}"));
    var files = Map.of("b", new SnapshotState("b", "U", "SUCCESS", "its file is missing", true, new TreeMap<>()), "c",
        new SnapshotState("c", "U", "SUCCESS", "", false, new TreeMap<>()));
    var both = new Snapshots(Optional.of(cluster), Optional.of(files), "");
    assertThat(both.of("a").state()).isEqualTo("IN_PROGRESS");
    assertThat(both.of("b").damaged()).isTrue();
    assertThat(both.of("c").state()).isEqualTo("MISSING");
    assertThat(both.of("c").why()).contains("is the repository registered at that folder?");
    assertThat(both.of("d").why()).isEmpty();
    assertThat(new Snapshots(Optional.empty(), Optional.of(files), "x").of("d").why())
        .contains("only Elasticsearch can tell");
    assertThat(new Snapshots(Optional.empty(), Optional.empty(), "x").of("d"))
        .isEqualTo(new SnapshotState("d", "", "UNKNOWN", "x", false, new TreeMap<>()));
  }
}
