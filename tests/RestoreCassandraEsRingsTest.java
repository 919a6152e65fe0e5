import static org.assertj.core.api.Assertions.assertThat;

import com.datastax.oss.driver.api.core.CqlSession;
import java.nio.ByteBuffer;
import java.nio.file.Path;
import java.time.LocalDateTime;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.stream.Collectors;
import java.util.stream.IntStream;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;

/** Backups of every node of one ring, restored onto rings of another size; and the backups of what was restored. */
@Tag("servers")
@Tag("matrix")
class RestoreCassandraEsRingsTest {
  private static final String ONE_COPY = "{'class': 'NetworkTopologyStrategy', 'datacenter1': 1}";

  /** A backup: the folders of its nodes, and what the keyspace held. */
  private record Backup(String keyspace, List<Path> folders, Map<String, String> contents) {}

  private List<Server> running = List.of();

  /** A ring in place of the one before. */
  private List<Server> ring(int nodes) {
    stop();
    running = Stack.cassandra(Stack.CassandraOptions.on(
        IntStream.rangeClosed(1, nodes).mapToObj(i -> "127.0.62." + (nodes * 10 + i)).toArray(String[]::new))
        .withYaml("dynamic_snitch", "false")); // so that each node answers of its own copy
    return running;
  }

  @AfterEach
  void stop() {
    running.forEach(Server::close);
    running = List.of();
  }

  private static CqlSession session(List<Server> nodes) {
    return Contents.session(nodes.get(0), Optional.empty());
  }

  private static void create(List<Server> nodes, String keyspace, int factor) {
    try (var session = session(nodes)) {
      session.execute("CREATE KEYSPACE %s WITH replication = {'class': 'NetworkTopologyStrategy', 'datacenter1': %d}"
          .formatted(keyspace, factor));
      for (var table : List.of("edgestore", "graphindex")) {
        session.execute("CREATE TABLE %s.%s (key blob, column1 blob, value blob, PRIMARY KEY (key, column1))"
            .formatted(keyspace, table));
      }
    }
    write(nodes, keyspace, 0, 2_500);
  }

  private static void write(List<Server> nodes, String keyspace, int from, int to) {
    try (var session = session(nodes)) {
      for (var table : List.of("edgestore", "graphindex")) {
        var insert = session.prepare(
            "INSERT INTO %s.%s (key, column1, value) VALUES (?, 0x01, 0x02)".formatted(keyspace, table));
        for (var i = from; i < to; i++) {
          session.execute(insert.bind(ByteBuffer.allocate(8).putLong(0, i)));
        }
      }
    }
  }

  private static Backup backUp(List<Server> nodes, String keyspace) {
    var stamp = HotBackup.timestamp(LocalDateTime.now());
    var folders = nodes.stream()
        .map(node -> HotBackup.cassandra(node, keyspace, Original.temporaryFolder(), stamp).getParent()).toList();
    return new Backup(keyspace, folders, contents(nodes, keyspace));
  }

  private static Map<String, String> contents(List<Server> nodes, String keyspace) {
    try (var session = session(nodes)) {
      return Contents.ofCassandra(session, keyspace, true);
    }
  }

  private static Script script(String name, List<Server> nodes, Backup backup, List<Path> folders) {
    return Script.of(name).env("CASSANDRA_CONNECTION", nodes.get(0).host()).env("CASSANDRA_KEYSPACE", backup.keyspace())
        .env("CASSANDRA_GENERAL_ARCHIVE_PATH", folders.stream().map(Path::toString).collect(Collectors.joining(",")))
        .args("--only", "cassandra");
  }

  private static void assertRestores(Backup backup, List<Server> nodes) {
    assertRestores(backup, nodes, "the whole ring: ");
  }

  /** @param coverage what the plan says of the ring */
  private static void assertRestores(Backup backup, List<Server> nodes, String coverage, String... options) {
    var result = script("restore-cassandra-es.java", nodes, backup, backup.folders()).args("--yes").args(options).run();
    assertThat(result.code()).as(result.err()).isZero();
    assertThat(result.err()).contains(coverage);
    assertThat(contents(nodes, backup.keyspace())).isEqualTo(backup.contents());
  }

  private static void assertVerifies(Backup backup, List<Server> nodes, String rows) {
    var result = script("verify.java", nodes, backup, backup.folders()).args("--exact").run();
    assertThat(result.code()).as(result.out() + result.err()).isZero();
    assertThat(result.out()).contains("✓ As in the backup: cassandra").containsPattern(
        "✓ cassandra +edgestore +%s, asked of %s, each for its own copy".formatted(rows, Count.of(nodes.size(), "node")));
  }

  @Test
  void restoresEveryNodesBackupOntoSmallerAndLargerRingsThroughThreeGenerations() {
    var four = ring(4);
    create(four, "thrice", 3);
    var first = backUp(four, "thrice");

    var three = ring(3);
    create(three, "twice", 2);
    var other = backUp(three, "twice");
    var part = script("restore-cassandra-es.java", three, first, first.folders().subList(0, 1)).args("--yes").run();
    assertThat(part.code()).as(part.err()).isEqualTo(10);
    assertThat(part.err()).contains("the backup holds only a part of the ring", "Nothing was changed.");
    assertRestores(first, three);
    assertVerifies(first, three, "2,500 rows");
    write(three, "thrice", 2_400, 2_700);
    var second = backUp(three, "thrice");
    assertThat(second.contents()).isNotEqualTo(first.contents());

    var five = ring(5);
    assertRestores(other, five, "whether the backup is the whole cannot be told: 2,500 partitions are too few");
    assertVerifies(other, five, "2,500 rows");
    assertRestores(first, five);
    assertRestores(second, five);
    assertVerifies(second, five, "2,700 rows");
    write(five, "thrice", 2_600, 2_900);
    var third = backUp(five, "thrice");
    assertThat(third.contents()).isNotEqualTo(second.contents());

    var one = ring(1);
    assertRestores(third, one, "the whole ring: ", "--replication", ONE_COPY);
    assertRestores(third, one, "the whole ring: ", "--replication", ONE_COPY);
  }
}
