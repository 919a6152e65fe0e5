import static org.assertj.core.api.Assertions.assertThat;
import static org.awaitility.Awaitility.await;

import com.datastax.oss.driver.api.core.CqlSession;
import com.datastax.oss.driver.api.core.cql.SimpleStatement;
import com.datastax.oss.driver.api.core.metadata.Node;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.time.LocalDateTime;
import java.util.Comparator;
import java.util.List;
import java.util.Optional;
import java.util.regex.MatchResult;
import java.util.regex.Pattern;
import java.util.stream.Collectors;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** The cluster is what its nodes say: where clients see another one, nothing is touched. */
@Tag("servers")
class RestoreCassandraEsNodesTest {
  private static final String KEYSPACE = "thehive";
  private static List<Server> nodes;
  private static Path archives;
  private static String backup;
  private static Object rows;

  @BeforeAll
  static void fillAndBackUp() {
    nodes = Stack.cassandra(
        Stack.CassandraOptions.on("127.0.0.41", "127.0.0.42", "127.0.0.43").withYaml("dynamic_snitch", "false"));
    try (var session = session()) {
      session
          .execute("CREATE KEYSPACE thehive WITH replication = {'class': 'NetworkTopologyStrategy', 'datacenter1': 3}");
      session
          .execute("CREATE TABLE thehive.edgestore (key blob, column1 blob, value blob, PRIMARY KEY (key, column1))");
      for (var i = 0; i < 300; i++) {
        session.execute("INSERT INTO thehive.edgestore (key, column1, value) VALUES (?, 0x01, 0x02)",
            ByteBuffer.allocate(8).putLong(0, i));
      }
      rows = Contents.ofCassandra(session, KEYSPACE, false);
    }
    archives = Original.temporaryFolder();
    backup = HotBackup.timestamp(LocalDateTime.now());
    HotBackup.cassandra(nodes.get(0), KEYSPACE, archives, backup);
  }

  @AfterAll
  static void stop() {
    nodes.forEach(Server::close);
  }

  private static CqlSession session() {
    return Contents.session(nodes.get(0), Optional.empty());
  }

  private static List<String> addresses() {
    return nodes.stream().map(Server::clusterAddress).toList();
  }

  private static Script restore(String... arguments) {
    return Script.of("restore-cassandra-es.java").env("CASSANDRA_CONNECTION", nodes.get(0).host())
        .env("CASSANDRA_GENERAL_ARCHIVE_PATH", archives.resolve("cassandra").toString()).args("--only", "cassandra")
        .args(arguments);
  }

  /** Runs statements on one node only: its system tables are its own. */
  private static void on(Server server, String... statements) {
    try (var session = session()) {
      for (var statement : statements) {
        session.execute(SimpleStatement.newInstance(statement).setNode(node(session, server)));
      }
    }
  }

  private static Node node(CqlSession session, Server server) {
    return session.getMetadata().getNodes().values().stream()
        .filter(node -> node.getBroadcastAddress().orElseThrow().getAddress().getHostAddress()
            .equals(server.clusterAddress()))
        .findFirst().orElseThrow();
  }

  private static Script.Result refused(Script script) {
    var result = script.run();
    assertThat(result.code()).as(result.err()).isEqualTo(13);
    assertThat(result.out()).isEqualTo("=== ✗ ERROR - ES: not part of this run, Cassandra: exit 13 ===\n");
    assertThat(result.err()).contains("Nothing was changed.").doesNotContain("--replication").doesNotContain("\tat ");
    assertThat(archives.resolve("cassandra")).isDirectoryNotContaining("glob:**.unfinished");
    return result;
  }

  private static void assertRestores() {
    var result = restore("--yes").run();
    assertThat(result.code()).as(result.err()).isZero();
    assertThat(result.err()).contains("verify.java --exact --backup " + backup);
    try (var session = session()) {
      assertThat((Object) Contents.ofCassandra(session, KEYSPACE, false)).isEqualTo(rows);
    }
  }

  private static void restart(Server server) {
    server.stop();
    server.start();
    await().atMost(Duration.ofMinutes(1)).until(() -> {
      try (var session = session()) {
        return session.getMetadata().getNodes().size() == 3;
      }
    });
  }

  @Test
  void namesTheClusterItsNodesAndWhatGoes() {
    var result = restore("--dry-run").run();
    assertThat(result.code()).as(result.err()).isZero();
    assertThat(result.err()).contains("keyspace thehive of cluster thp",
        "data centre datacenter1, 3 nodes: " + String.join(", ", addresses()),
        "truncate 1 table with 300 rows now", "each node needs about");
  }

  @ParameterizedTest
  @ValueSource(strings = {"DELETE", "DELETE host_id"})
  void refusesWhereClientsDoNotSeeANode(String delete) {
    var unseen = nodes.get(2).clusterAddress();
    on(nodes.get(0), "%s FROM system.peers_v2 WHERE peer = '%s' AND peer_port = 7000".formatted(delete, unseen));
    try {
      var result = refused(restore("--yes"));
      assertThat(result.err()).contains("error: Cassandra: clients do not see Cassandra node %s: ".formatted(unseen),
          "system.peers_v2 of " + nodes.get(0).clusterAddress(),
          "hint: restart Cassandra on " + nodes.get(0).clusterAddress());
      assertThat(refused(restore("--yes").env("CASSANDRA_CONNECTION", nodes.get(1).host())).err())
          .as("asked through a node that knows all")
          .contains("clients do not see Cassandra node %s: ".formatted(unseen));
    } finally {
      restart(nodes.get(0));
    }
    assertRestores();
  }

  @ParameterizedTest
  @ValueSource(ints = {0, 1})
  void namesALeftoverRowOfANodeThatIsGone(int lister) {
    on(nodes.get(lister), """
        INSERT INTO system.peers_v2 (peer, peer_port, data_center, rack, host_id, native_address, native_port, release_version, schema_version, tokens)
        VALUES ('127.0.0.49', 7000, 'datacenter1', 'rack1', uuid(), '127.0.0.49', 9042, '4.1.10', uuid(), {'17'})""");
    var result = refused(restore("--yes"));
    assertThat(result.err()).contains("Cassandra node 127.0.0.49 is not in the cluster, only in system.peers_v2 of "
        + nodes.get(lister).clusterAddress());
    var removal = Pattern.compile("DELETE FROM [^;]+").matcher(result.err()).results().map(MatchResult::group)
        .toArray(String[]::new);
    assertThat(removal).hasSize(2);
    on(nodes.get(lister), removal);
    assertRestores();
  }

  /** With the commands of docs/safety.md: the automatic snapshot has what the restore removed. */
  @Test
  void whatARestoreRemovedCanBeBroughtBack() throws IOException {
    on(nodes.get(0), "INSERT INTO thehive.edgestore (key, column1, value) VALUES (0xff, 0x01, 0x03)");
    Object before;
    try (var session = session()) {
      before = Contents.ofCassandra(session, KEYSPACE, true);
    }
    assertRestores();
    on(nodes.get(0), "TRUNCATE thehive.edgestore");
    for (var node : nodes) {
      node.tool("import", KEYSPACE, "edgestore", snapshot(node).toString());
    }
    try (var session = session()) {
      assertThat((Object) Contents.ofCassandra(session, KEYSPACE, true)).isEqualTo(before);
    }
    assertRestores();
  }

  /** The newest that is not that of the last TRUNCATE. */
  private static Path snapshot(Server node) throws IOException {
    try (var folders = Files.walk(node.data().resolve("data/thehive"), 3)) {
      return folders.filter(folder -> folder.toString().matches(".*/edgestore-\\w+/snapshots/truncated-\\d+-edgestore"))
          .sorted(Comparator.reverseOrder()).skip(1).findFirst().orElseThrow();
    }
  }

  @Test
  void aDryRunEndsWithTheCodeOfWhatARealRunWouldRefuse() {
    try (var other = session()) {
      var result = restore("--dry-run").run();
      assertThat(result.code()).as(result.err()).isEqualTo(13);
      assertThat(result.err())
          .contains("a real run would refuse now, exit 13: other clients are connected to Cassandra");
      assertThat(other.execute("SELECT * FROM thehive.edgestore LIMIT 1").one()).isNotNull();
    }
  }

  /** A keyspace of which each node has a third, and each node's backup in a folder of its own. */
  private static List<Path> oneCopyOfEachRow(String keyspace, int rows) {
    try (var session = session()) {
      session.execute("CREATE KEYSPACE %s WITH replication = {'class': 'SimpleStrategy', 'replication_factor': 1}"
          .formatted(keyspace));
      session.execute("CREATE TABLE %s.edgestore (key blob, column1 blob, value blob, PRIMARY KEY (key, column1))"
          .formatted(keyspace));
      var insert =
          session.prepare("INSERT INTO %s.edgestore (key, column1, value) VALUES (?, 0x01, 0x02)".formatted(keyspace));
      for (var i = 0; i < rows; i++) {
        session.execute(insert.bind(ByteBuffer.allocate(8).putLong(0, i)));
      }
    }
    var stamp = HotBackup.timestamp(LocalDateTime.now());
    return nodes.stream()
        .map(node -> HotBackup.cassandra(node, keyspace, Original.temporaryFolder(), stamp).getParent()).toList();
  }

  private static Script restore(String keyspace, List<Path> folders, String... arguments) {
    return restore("--yes").args(arguments).env("CASSANDRA_KEYSPACE", keyspace)
        .env("CASSANDRA_GENERAL_ARCHIVE_PATH", folders.stream().map(Path::toString).collect(Collectors.joining(",")));
  }

  private static Object contents(String keyspace) {
    try (var session = session()) {
      return Contents.ofCassandra(session, keyspace, true);
    }
  }

  @Test
  void refusesAPartOfTheRingAndRestoresAllPartsTogether() {
    var folders = oneCopyOfEachRow("ring", 1_500);
    var before = contents("ring");
    var part = restore("ring", folders.subList(0, 1)).run();
    assertThat(part.code()).as(part.err()).isEqualTo(10);
    assertThat(part.err()).contains("the backup holds only a part of the ring", "of the ring is missing",
        "CASSANDRA_GENERAL_ARCHIVE_PATH", "--partial-ring");
    assertThat(contents("ring")).as("after the refusal").isEqualTo(before);

    try (var session = session()) {
      session.execute("TRUNCATE ring.edgestore");
    }
    var whole = restore("ring", folders).run();
    assertThat(whole.code()).as(whole.err()).isZero();
    assertThat(whole.err()).contains("the whole ring: 1,500 partitions");
    assertThat(contents("ring")).isEqualTo(before);

    var allowed = restore("ring", folders.subList(0, 1), "--partial-ring").run();
    assertThat(allowed.code()).as(allowed.err()).isZero();
    assertThat(allowed.err()).contains("warning: the backup holds only a part of the ring");
    assertThat(contents("ring")).isNotEqualTo(before);
    assertThat(restore("ring", folders).run().code()).isZero();
    assertThat(contents("ring")).isEqualTo(before);
  }

  @Test
  void saysWhenTooFewPartitionsLeaveItOpen() {
    var folders = oneCopyOfEachRow("few", 5);
    assertThat(restore("few", folders.subList(0, 1), "--dry-run").run().err())
        .contains("warning: whether the backup is the whole cannot be told: ");
    assertThat(restore("few", folders, "--dry-run").run().err()).contains("the whole ring: 5 partitions")
        .doesNotContain("cannot be told");
  }
}
