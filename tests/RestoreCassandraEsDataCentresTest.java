import static org.assertj.core.api.Assertions.assertThat;

import com.datastax.oss.driver.api.core.CqlSession;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.LocalDateTime;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** A cluster of two data centres, and backups of clusters that had others. */
@Tag("servers")
class RestoreCassandraEsDataCentresTest {
  private static final String BOTH = "{'class': 'NetworkTopologyStrategy', 'east': '1', 'west': '1'}";
  private static List<Server> nodes;
  private static Path archive;
  private static Map<String, String> rows;

  @TempDir Path folder;

  @BeforeAll
  static void fillAndBackUp() {
    nodes = Stack.cassandra(Stack.CassandraOptions.on("127.0.0.44", "127.0.0.45").withYaml("dynamic_snitch", "false")
        .withDataCentre("127.0.0.44", "east").withDataCentre("127.0.0.45", "west"));
    try (var session = session()) {
      session.execute("CREATE KEYSPACE thehive WITH replication = " + BOTH);
      session
          .execute("CREATE TABLE thehive.edgestore (key blob, column1 blob, value blob, PRIMARY KEY (key, column1))");
      for (var i = 0; i < 200; i++) {
        session.execute("INSERT INTO thehive.edgestore (key, column1, value) VALUES (?, 0x01, 0x02)",
            ByteBuffer.allocate(8).putLong(0, i));
      }
      rows = Contents.ofCassandra(session, "thehive", false);
    }
    archive = HotBackup.cassandra(nodes.get(0), "thehive", Original.temporaryFolder(),
        HotBackup.timestamp(LocalDateTime.now()));
  }

  @AfterAll
  static void stop() {
    nodes.forEach(Server::close);
  }

  private static CqlSession session() {
    return Contents.session(nodes.get(0), Optional.empty());
  }

  private static Script restore(Path archives, String... arguments) {
    return Script.of("restore-cassandra-es.java").env("CASSANDRA_CONNECTION", nodes.get(1).host())
        .env("CASSANDRA_GENERAL_ARCHIVE_PATH", archives.toString()).args("--yes", "--only", "cassandra")
        .args(arguments);
  }

  /** The backup as of a cluster with another replication. */
  private Path withReplication(String replication) throws IOException {
    var archives = Files.createDirectory(folder.resolve("archives"));
    var script =
        ("set -e; tar xf %s; sed -i \"s/replication = {[^}]*}/replication = %s/\" cassandra_*/*.cql; tar cf"
            + " archives/%s cassandra_*").formatted(archive, replication, archive.getFileName());
    var result = Script.command("/bin/sh", "-c", script).in(folder).run();
    assertThat(result.code()).as(result.err()).isZero();
    return archives;
  }

  @Test
  void restoresBothDataCentresThroughANodeOfTheSecond() {
    try (var session = session()) {
      session.execute("TRUNCATE thehive.edgestore");
    }
    var result = restore(archive.getParent()).run();
    assertThat(result.code()).as(result.err()).isZero();
    assertThat(result.err()).contains("data centre east, 1 node: " + nodes.get(0).clusterAddress(),
        "data centre west, 1 node: " + nodes.get(1).clusterAddress());
    try (var session = session()) {
      assertThat(Contents.ofCassandra(session, "thehive", false)).as("on each node").isEqualTo(rows);
    }
  }

  @Test
  void saysWhichDataCentreWouldGetNothing() throws IOException {
    var result = restore(withReplication("{'class': 'NetworkTopologyStrategy', 'east': '1'}"), "--dry-run").run();
    assertThat(result.code()).as(result.err()).isZero();
    assertThat(result.err()).contains("no copies in data centre west: the replication does not name it",
        "Would drop and create keyspace thehive");
  }

  @Test
  void refusesABackupOfADataCentreThatIsGone() throws IOException {
    var result = restore(withReplication("{'class': 'NetworkTopologyStrategy', 'east': '1', 'north': '1'}")).run();
    assertThat(result.code()).as(result.err()).isEqualTo(13);
    assertThat(result.err()).contains("error: Cassandra: ", "'north'", "hint: ", "Nothing was changed.");
    try (var session = session()) {
      assertThat(session.getMetadata().getKeyspace("thehive")).as("untouched").isPresent();
    }
  }
}
