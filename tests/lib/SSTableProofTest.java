import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.io.IOException;
import java.io.RandomAccessFile;
import java.nio.ByteBuffer;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Random;
import java.util.TreeMap;
import java.util.UUID;
import java.util.function.UnaryOperator;
import java.util.stream.IntStream;
import java.util.zip.CRC32;
import org.apache.cassandra.db.Clustering;
import org.apache.cassandra.db.Slice;
import org.apache.cassandra.db.Slices;
import org.apache.cassandra.db.filter.ColumnFilter;
import org.apache.cassandra.db.rows.Row;
import org.apache.cassandra.db.rows.UnfilteredRowIterator;
import org.apache.cassandra.io.sstable.Descriptor;
import org.apache.cassandra.io.sstable.format.SSTableReader;
import org.apache.cassandra.io.sstable.format.SSTableReadsListener;
import org.apache.cassandra.schema.TableMetadataRef;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** Real SSTables, and damage done to them: each is found before the first change, or does no harm. */
class SSTableProofTest {
  private static final int FLIPS = 2_000;

  @TempDir static Path original;
  private static Path archive;
  @TempDir Path folder;

  @BeforeAll
  static void writeSSTables() {
    CassandraTools.initialise(original, config -> {});
    archive = SSTables.archive(original, "small");
  }

  private static CassandraBackup prove(Path... archives) throws IOException {
    var open = new ArrayList<Archive>();
    try {
      for (var path : archives) {
        open.add(Archive.open(path, Optional.empty()));
      }
      return CassandraBackup.prove(open, "ks");
    } finally {
      for (var one : open) {
        one.close();
      }
    }
  }

  private Path changed(String name, UnaryOperator<byte[]> change) throws IOException {
    return changed(Map.of(name, change));
  }

  /** A copy of the archive in which files of such names are changed; one that becomes null is left out. */
  private Path changed(Map<String, UnaryOperator<byte[]>> changes) throws IOException {
    var copy = Files.createDirectories(folder.resolve(UUID.randomUUID().toString()));
    try (var files = Files.walk(original.resolve(SSTables.NAME))) {
      for (var file : files.filter(Files::isRegularFile).toList()) {
        var bytes = Files.readAllBytes(file);
        for (var change : changes.entrySet()) {
          bytes = file.toString().matches(".*" + change.getKey()) ? change.getValue().apply(bytes) : bytes;
        }
        if (bytes != null) {
          var target = copy.resolve(original.relativize(file));
          Files.createDirectories(target.getParent());
          Files.write(target, bytes);
        }
      }
    }
    return SSTables.tar(copy);
  }

  private static void assertRefused(Path archive, String message) {
    assertThatThrownBy(() -> prove(archive)).hasMessageContaining(message)
        .isInstanceOfSatisfying(Failure.class, failure -> assertThat(failure.code).isEqualTo(Exit.BAD_BACKUP));
  }

  @Test
  void aWholeSSTableIsProven() throws IOException {
    var backup = prove(archive);
    assertThat(backup.sstables()).isEqualTo(1);
    assertThat(backup.coverage().partitions()).isEqualTo(20);
    assertThat(backup.missingParts()).isEmpty();
  }

  @Test
  void partitionsOfManyRowsAreProvenWhereverTheirLastBlockEnds() throws IOException {
    assertThat(prove(SSTables.archive(folder, "wide")).coverage().partitions()).isEqualTo(200);
  }

  // ------------------------------------------------------------------------------------------------------------ damage

  /** Every component, every kind of bit, seeded: found, or the rows read are the same. */
  @Test
  void everyFlippedBitIsFoundOrHarmless() throws IOException {
    var entries = new LinkedHashMap<String, ArchiveEntry>();
    try (var open = Archive.open(archive, Optional.empty())) {
      open.index(entry -> {
        if (entry.name().contains("nb-") && entry.file()) {
          entries.put(entry.name().replaceFirst(".*-", ""), entry);
        }
      });
    }
    assertThat(entries.keySet()).contains("Data.db", "Index.db", "Filter.db", "Statistics.db", "CompressionInfo.db",
        "Digest.crc32", "TOC.txt");
    var copy = Files.copy(archive, folder.resolve("cassandra_20260101_00h00m01s.tar"));
    var rows = rows(copy);
    var random = new Random(20261126);
    var harmless = new TreeMap<String, Integer>();
    for (var component : entries.keySet()) {
      for (int i = 0; i < FLIPS / entries.size(); i++) {
        var position = entries.get(component).offset() + random.nextLong(entries.get(component).size());
        var bit = 1 << random.nextInt(8);
        flip(copy, position, bit);
        if (!isFound(copy)) {
          harmless.merge(component, 1, Integer::sum);
          assertThat(rows(copy)).as("%s, byte %d, bit %d", component, position - entries.get(component).offset(), bit)
              .isEqualTo(rows);
        }
        flip(copy, position, bit);
      }
    }
    // A bit more in a filter makes it less sharp; a summary is made again; few bits elsewhere mean nothing to
    // Cassandra.
    assertThat(harmless).as("harmless flips").doesNotContainKeys("Data.db", "Statistics.db");
    assertThat(harmless.getOrDefault("Index.db", 0)).as("harmless flips in the index").isLessThan(10);
    assertThat(rows(copy)).isEqualTo(rows);
  }

  private static void flip(Path file, long position, int bit) throws IOException {
    try (var open = new RandomAccessFile(file.toFile(), "rw")) {
      open.seek(position);
      var value = open.read();
      open.seek(position);
      open.write(value ^ bit);
    }
  }

  private static boolean isFound(Path archive) throws IOException {
    try {
      prove(archive);
      return false;
    } catch (Failure e) {
      assertThat(e.code).as(e.getMessage()).isEqualTo(Exit.BAD_BACKUP);
      return true;
    }
  }

  /** All rows as a scan reads them, then as a node finds them: by partition, and in the large one by row. */
  private List<String> rows(Path archive) throws IOException {
    var lines = new ArrayList<String>();
    try (var open = Archive.open(archive, Optional.empty());
        var unpacked = new UnpackedTables(folder.resolve("unpacked"), "ks")) {
      var backup = CassandraBackup.prove(open, "ks");
      for (var table : backup.tables()) {
        var metadata = backup.definition().table(table.name(), new UUID(0, 1));
        var data = unpacked.unpack(table).resolve("nb-1-big-Data.db");
        var sstable =
            SSTableReader.openNoValidation(Descriptor.fromFilename(new org.apache.cassandra.io.util.File(data)),
            TableMetadataRef.forOfflineTools(metadata));
        try (var scanner = sstable.getScanner()) {
          while (scanner.hasNext()) {
            try (var partition = scanner.next()) {
              lines(partition, lines);
              read(sstable, partition.partitionKey(), metadata, lines);
            }
          }
        } finally {
          sstable.selfRef().close();
        }
      }
    }
    return lines;
  }

  private static void read(SSTableReader sstable, org.apache.cassandra.db.DecoratedKey key,
      org.apache.cassandra.schema.TableMetadata table, List<String> lines) {
    var all = new ArrayList<Clustering<?>>();
    try (var partition =
        sstable.rowIterator(key, Slices.ALL, ColumnFilter.all(table), false, SSTableReadsListener.NOOP_LISTENER)) {
      while (partition.hasNext()) {
        if (partition.next() instanceof Row row) {
          all.add(row.clustering());
        }
      }
    }
    for (var clustering : all) {
      var slice = Slices.with(table.comparator, Slice.make(clustering));
      for (var reversed : List.of(false, true)) {
        try (var row =
            sstable.rowIterator(key, slice, ColumnFilter.all(table), reversed, SSTableReadsListener.NOOP_LISTENER)) {
          lines(row, lines);
        }
      }
    }
  }

  private static void lines(UnfilteredRowIterator partition, List<String> lines) {
    lines.add(partition.partitionKey() + " " + partition.partitionLevelDeletion() + " "
        + partition.staticRow().toString(partition.metadata(), true));
    while (partition.hasNext()) {
      lines.add(partition.next().toString(partition.metadata(), true));
    }
  }

  @Test
  void anIndexCutBetweenTwoEntriesIsFound() throws IOException {
    // Each entry of a partition of two rows: key length 2, key 5 or 6, position 2, no blocks 1.
    for (var length : List.of(0, 10, 11, 20)) {
      assertRefused(changed("-Index.db", bytes -> Arrays.copyOf(bytes, length)), "-Index.db of table small is damaged");
    }
    assertRefused(changed("-Index.db", bytes -> new byte[0]),
        "-Index.db of table small is damaged: it ends after 0 partitions, the data go on");
  }

  /** A compaction that opens what it wrote before it ends leaves one; Cassandra reads no further than the data. */
  @Test
  void anEmptyChunkBehindTheLastOneIsNoDamage() throws IOException {
    var info = Files.readAllBytes(component("CompressionInfo.db"));
    var data = Files.readAllBytes(component("Data.db"));
    // The number of offsets, which stand at the end.
    var count = IntStream.range(0, info.length - 4).filter(i -> ByteBuffer.wrap(info, i, 4).getInt()
        == (info.length - i - 4) / 8 && (info.length - i - 4) % 8 == 0).findFirst().orElseThrow();
    var longer = ByteBuffer.allocate(info.length + 8).put(info).putLong(data.length);
    longer.putInt(count, ByteBuffer.wrap(info, count, 4).getInt() + 1);
    var empty = new byte[5]; // as LZ4Compressor compresses nothing: its length, and a token
    var more = ByteBuffer.allocate(data.length + 9).put(data).put(empty).putInt((int) crc(empty));
    var whole = Map.<String, UnaryOperator<byte[]>>of("-CompressionInfo.db", bytes -> longer.array(),
        "-Data.db", bytes -> more.array(), "-Digest.crc32", bytes -> ("" + crc(more.array())).getBytes());
    assertThat(prove(changed(whole)).coverage().partitions()).isEqualTo(20);
    var filled = new HashMap<>(whole);
    var twice = ByteBuffer.allocate(2 * data.length).put(data).put(data).array();
    filled.put("-Data.db", bytes -> twice);
    filled.put("-Digest.crc32", bytes -> ("" + crc(twice)).getBytes());
    assertRefused(changed(filled), "-Data.db of table small");
  }

  private static long crc(byte[] bytes) {
    var crc = new CRC32();
    crc.update(bytes);
    return crc.getValue();
  }

  private static Path component(String name) throws IOException {
    try (var files = Files.walk(original)) {
      return files.filter(file -> file.toString().endsWith("-" + name)).findFirst().orElseThrow();
    }
  }

  @ParameterizedTest
  @CsvSource({"Index.db", "Data.db", "Statistics.db", "CompressionInfo.db", "Filter.db", "TOC.txt", "Digest.crc32"})
  void anEmptyComponentIsFound(String component) throws IOException {
    var empty = changed("-" + component, bytes -> new byte[0]);
    if (component.equals("TOC.txt")) {
      prove(empty); // says no more than that there is none
    } else {
      assertRefused(empty, "-" + (component.equals("Digest.crc32") ? "Data.db" : component) + " of table small");
    }
  }

  /** As scrub of Cassandra 5.0.9 leaves it: each chunk has a checksum of its own. */
  @Test
  void anotherDigestIsNoDamageWhereEachChunkHasAChecksum() throws IOException {
    assertThat(prove(changed("-Digest.crc32", bytes -> "4711".getBytes())).coverage().partitions()).isEqualTo(20);
  }

  // --------------------------------------------------------------------------------------------- which files there are

  /** Cassandra writes neither for SSTables that arrive as whole files. */
  @Test
  void anSSTableWithoutContentsAndSummaryIsProven() throws IOException {
    assertThat(prove(changed("-TOC.txt", bytes -> null)).sstables()).isEqualTo(1);
    assertThat(prove(changed("-(TOC.txt|Summary.db)", bytes -> null)).sstables()).isEqualTo(1);
  }

  @ParameterizedTest
  @CsvSource({"Index.db, Index.db", "Statistics.db, Statistics.db", "CompressionInfo.db, CRC.db",
      "Filter.db, Filter.db"})
  void withoutContentsTheOthersAreRequired(String component, String missing) throws IOException {
    assertRefused(changed("-(TOC.txt|%s)".formatted(component), bytes -> null),
        "-%s of table small is missing".formatted(missing));
    assertRefused(changed("-" + component, bytes -> null), "-%s of table small is missing".formatted(component));
  }

  // ----------------------------------------------------------------------------------------------- definition and rows

  @Test
  void aColumnThatTheDefinitionLacksIsTakenForDropped() throws IOException {
    var backup = prove(changed(".cql", bytes -> new String(bytes).replace("v text, ", "").getBytes()));
    assertThat(backup.definition().statements(java.util.Set.of())).anySatisfy(
        statement -> assertThat(statement).contains("ALTER TABLE \"ks\".\"small\" DROP \"v\" USING TIMESTAMP"));
  }

  @ParameterizedTest
  @CsvSource(delimiter = '|', value = {
    "v text  | v int      | column v as text, the definition has int",
    "c int   | c text     | clustering column 1 as int, the definition has text",
    "k blob  | k int      | the partition key as blob, the definition has int",
    "(k, c)) | (k, c)) WITH CLUSTERING ORDER BY (c DESC) AND | clustering column 1 as int",
  })
  void aDefinitionThatCannotReadTheRowsIsRefused(String before, String after, String message) throws IOException {
    assertRefused(
        changed(".cql", bytes -> new String(bytes).replace(before, after).replace("AND WITH", "AND").getBytes()),
        message);
  }

  @Test
  void archivesOfSeveralNodesAreReadTogetherIfTheirDefinitionsAreTheSame() throws IOException {
    var other = changed(".none", bytes -> bytes);
    var backup = prove(archive, other);
    assertThat(backup.sstables()).isEqualTo(2);
    assertThat(backup.coverage().partitions()).isEqualTo(20);
    var different = changed(".cql",
        bytes -> new String(bytes).replace("'chunk_length_in_kb': '4'", "'chunk_length_in_kb': '8'").getBytes());
    assertThatThrownBy(() -> prove(archive, different)).hasMessageContaining("its definition is not that of")
        .hasMessageContaining("compression");
  }
}
