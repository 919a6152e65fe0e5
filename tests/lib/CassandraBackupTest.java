import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Optional;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** Archives of many kinds of tables, each written by Cassandra's own writer. */
class CassandraBackupTest {
  @TempDir static Path folder;
  private static Path archive;

  @BeforeAll
  static void writeSSTables() throws IOException {
    CassandraTools.initialise(folder, config -> {});
    archive = SSTables.archive(Files.createDirectory(folder.resolve("all")), "all");
  }

  private static CassandraBackup prove(Path archive) throws IOException {
    try (var open = Archive.open(archive, Optional.empty())) {
      return CassandraBackup.prove(open, "ks");
    }
  }

  /**
   * Every compression and none, a name with capitals, collections, tuples and types of the user, a filter that is off.
   */
  @Test
  void provesTablesOfEveryKind() throws IOException {
    var backup = prove(archive);
    assertThat(backup.tables()).extracting(CassandraBackup.Table::name).containsExactlyInAnyOrder("Quoted_7", "plain",
        "t_deflatecompressor", "t_lz4compressor", "t_noopcompressor", "t_snappycompressor", "t_zstdcompressor", "zoo");
    assertThat(backup.tables()).allSatisfy(table -> assertThat(table.coverage().partitions()).isPositive());
    assertThat(backup.coverage().partitions()).as("the same keys in several tables count once").isEqualTo(22);
    var plain = backup.tables().stream().filter(table -> table.name().equals("plain")).findFirst().orElseThrow();
    assertThat(plain.sstables().get(0).components()).containsKey("CRC.db").doesNotContainKeys("Filter.db",
        "CompressionInfo.db");
  }

  @Test
  void leavesOutTheFilesOfMaterializedViews() throws IOException {
    var cql = folder.resolve("all").resolve(SSTables.NAME).resolve("create_keyspace_ks.cql");
    var original = Files.readString(cql);
    // Its files look like a table's; Cassandra makes its rows from those of the table.
    Files.writeString(cql, original.replaceFirst("(?s)CREATE TABLE ks.t_noopcompressor .*?;\n", "")
        + "CREATE MATERIALIZED VIEW ks.t_noopcompressor AS SELECT * FROM ks.plain WHERE k IS NOT NULL PRIMARY KEY"
        + " (k);\n");
    try {
      assertThat(prove(SSTables.tar(folder.resolve("all"))).tables()).hasSize(7)
          .noneSatisfy(table -> assertThat(table.name()).isEqualTo("t_noopcompressor"));
    } finally {
      Files.writeString(cql, original);
      SSTables.tar(folder.resolve("all"));
    }
  }

  /** A snapshot is made of hard links: a tar that has a file under two names holds its bytes once. */
  @Test
  void hardLinksAreTheFilesThatTheyLeadTo() throws IOException {
    var root = folder.resolve("all");
    var hard = Files.createDirectory(root.resolve("hard"));
    try (var tar = new ProcessBuilder("sh", "-ec", """
        cp -r "../$1" . && cp -rl "$1" live && mv live "$1/live" # the files of the keyspace are then links to these
        tar --sort=name -cf "$1.tar" "$1/create_keyspace_ks.cql" "$1/live" "$1/ks"; tar -tvf "$1.tar" | grep -c ' link to '
        tar -cf broken.tar "$1/create_keyspace_ks.cql" "$1/live" "$1/ks"; tar --delete -f broken.tar "$1/live"
        """, "sh", SSTables.NAME).directory(hard.toFile()).redirectErrorStream(true).start().getInputStream()) {
      assertThat(Integer.parseInt(new String(tar.readAllBytes()).strip())).as("hard links").isGreaterThan(20);
    }
    var whole = prove(archive);
    var backup = prove(hard.resolve(SSTables.NAME + ".tar"));
    assertThat(backup.tables()).extracting(CassandraBackup.Table::name)
        .containsExactlyElementsOf(whole.tables().stream().map(CassandraBackup.Table::name).toList());
    assertThat(backup.bytes()).isEqualTo(whole.bytes());
    assertThatThrownBy(() -> prove(hard.resolve("broken.tar"))).hasMessageContaining("is a hard link to",
        "which is not an earlier file of it");
  }

  /** A third of 3,000 partitions, as the node of three with factor 1 has them. */
  @Test
  void tellsAPartOfTheRing() throws IOException {
    var whole = prove(SSTables.archive(Files.createDirectory(folder.resolve("whole")), "even:3000:1"));
    assertThat(whole.missingParts()).isEmpty();
    assertThat(whole.coverage().partitions()).isEqualTo(3_000);
    var part = prove(SSTables.archive(Files.createDirectory(folder.resolve("part")), "even:3000:3"));
    assertThat(part.coverage().partitions()).isBetween(900, 1_100);
    assertThat(part.missingParts()).first().asString().contains("% of the ring is missing");
    assertThat(part.coverage().missing()).isBetween(0.55, 0.78);
  }

  @Test
  void aLibraryThatCannotBeLoadedIsToldWithTheRemedy() {
    var failure =
        Compressors.missingLibrary(new RuntimeException(new UnsatisfiedLinkError("libzstd.so: failed to map segment")));
    assertThat(failure).get().isInstanceOfSatisfying(Failure.class, told -> {
      assertThat(told.code).isEqualTo(Exit.UNSAFE);
      assertThat(told).hasMessageContaining("libzstd.so");
      assertThat(told.hint).contains("java.io.tmpdir", "noexec");
    });
    assertThat(Compressors.missingLibrary(new IOException("anything else"))).isEmpty();
    assertThatThrownBy(() -> Compressors.make("NoSuchCompressor", java.util.Map.of(), 4096, Integer.MAX_VALUE))
        .hasMessageContaining("NoSuchCompressor");
  }

  @Test
  void aFileThatTheManifestNamesMustBeThere() throws IOException {
    var files = new ArrayList<Path>();
    try (var all = Files.walk(folder.resolve("all").resolve(SSTables.NAME).resolve("ks"))) {
      all.filter(file -> file.toString().contains("zoo") && file.getFileName().toString().startsWith("nb-"))
          .forEach(files::add);
    }
    var aside = Files.createDirectories(folder.resolve("aside"));
    for (var file : files) {
      Files.move(file, aside.resolve(file.getFileName()));
    }
    try {
      assertThatThrownBy(() -> prove(SSTables.tar(folder.resolve("all"))))
          .hasMessageContaining("-Data.db of table zoo is missing");
    } finally {
      for (var file : files) {
        Files.move(aside.resolve(file.getFileName()), file);
      }
      SSTables.tar(folder.resolve("all"));
    }
  }
}
