import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.io.UncheckedIOException;
import java.net.URI;
import java.nio.file.Path;
import java.time.LocalDateTime;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.stream.Collectors;
import java.util.stream.IntStream;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/**
 * Other versions of the servers than the other tests have: what the README says of them has been seen here. Where a
 * backup of one version goes to another, its repository and its archives are carried over, as with a new cluster.
 */
@Tag("servers")
@Tag("matrix")
class RestoreCassandraEsVersionsTest {
  private static final String INDEX = "thehive_global";
  private static final String TWICE = "{'class': 'SimpleStrategy', 'replication_factor': '2'}";
  private static final Map<String, Backup> BACKUPS = new HashMap<>();
  private static final Map<String, Snapshot> SNAPSHOTS = new HashMap<>();

  /** One version's snapshot of an index, and what was in it. */
  private record Snapshot(Path archives, String documents) {}

  @ParameterizedTest
  @CsvSource({
      "7.17.29, 7.17.29", "8.19, 8.19", "9.5.3, 9.5.3", "opensearch-2.19.1, opensearch-2.19.1",
      "opensearch-3.8.0, opensearch-3.8.0",
      "7.10.2, 7.17.29", "7.17.29, 8.19", "8.19, 9.5.3", "7.10.2, opensearch-2.19.1",
      "opensearch-2.19.1, opensearch-3.8.0"
  })
  void restoresASnapshotOn(String from, String to) {
    var snapshot = SNAPSHOTS.computeIfAbsent(from, RestoreCassandraEsVersionsTest::take);
    try (var target = target(to, snapshot)) {
      for (var option : List.of("--max-gap=PT15M", "--in-place", "--recovery-rate=200mb")) {
        target.tool("PUT", "/" + INDEX + "/_doc/newer", "{}");
        var result = restore(target, snapshot, option).run();
        assertThat(result.code()).as(result.err()).isZero();
        assertThat(result.out()).contains("=== ✓ Successful restore of elasticsearch ===");
        assertThat(Contents.ofElasticsearch(target, INDEX)).as(option).isEqualTo(snapshot.documents());
      }
      assertThat(
          target.tool("GET", "/_cat/indices?h=index").lines().map(String::strip).filter(name -> !name.startsWith(".")))
          .as("nothing is left beside it").containsExactly(INDEX);
      var verified = script("verify.java", target, snapshot, "--only", "elasticsearch").run();
      assertThat(verified.code()).as(verified.out() + verified.err()).isZero();
      target.tool("PUT", "/" + INDEX + "/_doc/after", "{}");
    }
  }

  @ParameterizedTest
  @CsvSource({
    "7.10.2, 9.5.3, 10, 'was taken by version 7.10.2, which version 9.5.3 cannot restore'",
    "7.17.29, 9.5.3, 10, 'which version 9.5.3 cannot restore'",
    "8.19, 7.17.29, 10, 'which version 7.17.29 cannot restore'",
    "9.5.3, 8.19, 10, 'is higher than the version of this node'",
    "7.10.2, opensearch-3.8.0, 10, 'Unsupported version [ES 7.10.2]'",
    "7.17.29, opensearch-2.19.1, 13, 'version 2.19.1 cannot read this repository'",
  })
  void refusesASnapshotThatTheVersionCannotRestore(String from, String to, int code, String because) {
    assertRefused(SNAPSHOTS.computeIfAbsent(from, RestoreCassandraEsVersionsTest::take), to, code, because);
  }

  /** The snapshot is of the version before, but the index in it was made by the one before that. */
  @ParameterizedTest
  @CsvSource({"7.17.29, 8.19, 9.5.3", "7.10.2, opensearch-2.19.1, opensearch-3.8.0"})
  void refusesASnapshotOfAnIndexThatIsOlder(String made, String taken, String to) {
    var snapshot = take(made);
    try (var between = target(taken, snapshot)) {
      assertThat(restore(between, snapshot, "--in-place").run().code()).isZero();
      HotBackup.elasticsearch(url(between), INDEX, snapshot.archives(), HotBackup.timestamp(LocalDateTime.now()));
    }
    assertRefused(snapshot, to, 10, "cannot restore ");
  }

  private static void assertRefused(Snapshot snapshot, String version, int code, String because) {
    try (var target = target(version, snapshot)) {
      target.tool("PUT", "/" + INDEX + "/_doc/live", "{}");
      var before = Contents.ofElasticsearch(target, INDEX);
      for (var option : List.of("--max-gap=PT15M", "--in-place", "--dry-run")) {
        var result = restore(target, snapshot, option).run();
        assertThat(result.code()).as(result.err()).isEqualTo(code);
        assertThat(result.err()).contains(because, "hint: ", "Nothing was changed.").doesNotContain("\tat ");
        assertThat(Contents.ofElasticsearch(target, INDEX)).isEqualTo(before);
      }
    }
  }

  /** What a Cassandra of one version held, and its hot backup. */
  private record Backup(HotBackup.Set set, Map<String, String> tables, String answer) {}

  @ParameterizedTest
  @CsvSource({"4.0.19, 4.0.19", "4.0.19, 4.1.10", "4.0.19, 5.0.9", "4.1.10, 5.0.9", "5.0.9, 5.0.9"})
  void restoresABackupOnTheSameAndOnALaterCassandra(String from, String to) {
    assertRestoresOnCassandra(from, to);
  }

  /** Which has no word for some options of the backup's tables. */
  @ParameterizedTest
  @CsvSource({"4.1.10, 4.0.19", "5.0.9, 4.1.10"})
  void restoresABackupOnAnEarlierCassandra(String from, String to) {
    assertRestoresOnCassandra(from, to);
  }

  /**
   * Three times: with a replica on one of two nodes (parts of SSTables are sent) into no keyspace and into the restored
   * one, and with one on each (whole SSTables are sent) into a keyspace that is made anew.
   */
  private static void assertRestoresOnCassandra(String from, String to) {
    var backup = BACKUPS.computeIfAbsent(from, RestoreCassandraEsVersionsTest::backUp);
    var nodes = Stack.cassandra(Stack.CassandraOptions.on("127.0.5.4", "127.0.5.5").ofVersion(to));
    var elasticsearch = target("7.10.2", new Snapshot(backup.set().archives(), ""));
    var data = new GraphData(nodes, List.of(elasticsearch));
    try {
      assertThat(nodes.get(0).tool("version")).contains(to);
      assertRestores(backup, data, "Will create keyspace thehive");
      data.damage();
      assertRestores(backup, data, "Will truncate 9 tables");
      data.damage();
      assertRestores(backup, data, "Will drop and create keyspace thehive", "--replication", TWICE);
      var verified = both("verify.java", backup, data, "--only", "cassandra,elasticsearch,together").run();
      assertThat(verified.code()).as(verified.out() + verified.err()).isZero();
    } finally {
      nodes.forEach(Server::close);
      elasticsearch.close();
    }
  }

  private static void assertRestores(Backup backup, GraphData data, String way, String... options) {
    var result = both("restore-cassandra-es.java", backup, data, "--yes").args(options).run();
    assertThat(result.code()).as(result.err()).isZero();
    assertThat(result.out()).contains("=== ✓ Successful full restore ===");
    assertThat(result.err()).contains(way);
    try (var session = Contents.session(data.cassandra().get(0), Optional.empty())) {
      assertThat(Contents.ofCassandra(session, GraphData.KEYSPACE, true)).as(way).isEqualTo(backup.tables());
    }
    assertThat(data.ask()).as(way).isEqualTo(backup.answer());
    data.flush();
  }

  /** The loader is that of Cassandra 4.1, which has none of the formats that 5.0 writes when it is told to. */
  @ParameterizedTest
  @CsvSource({"big", "bti"})
  void refusesSSTablesOfAFormatThatOnlyCassandra5Reads(String format) {
    var archives = Original.temporaryFolder();
    var options =
        Stack.CassandraOptions.on("127.0.5.6").ofVersion("5.0.9").withYaml("storage_compatibility_mode", "NONE")
        .withYaml("sstable.selected_format", format);
    try (var cassandra = Stack.cassandra(options).get(0)) {
      try (var session = Contents.session(cassandra, Optional.empty())) {
        session
            .execute("CREATE KEYSPACE thehive WITH replication = {'class': 'SimpleStrategy', 'replication_factor': 1}");
        session
            .execute("CREATE TABLE thehive.edgestore (key blob, column1 blob, value blob, PRIMARY KEY (key, column1))");
        session.execute("INSERT INTO thehive.edgestore (key, column1, value) VALUES (0x01, 0x01, 0x01)");
      }
      HotBackup.cassandra(cassandra, GraphData.KEYSPACE, archives, HotBackup.timestamp(LocalDateTime.now()));
      var result = Script.of("restore-cassandra-es.java").args("--yes", "--only", "cassandra")
          .env("CASSANDRA_CONNECTION", cassandra.host())
          .env("CASSANDRA_GENERAL_ARCHIVE_PATH", archives.resolve("cassandra").toString()).run();
      assertThat(result.code()).as(result.err()).isEqualTo(10);
      assertThat(result.err()).contains("of table edgestore has a format that only a newer Cassandra reads", "hint: ",
          "Nothing was changed.").doesNotContain("\tat ");
      try (var session = Contents.session(cassandra, Optional.empty())) {
        assertThat(session.execute("SELECT * FROM thehive.edgestore").all()).hasSize(1);
      }
    }
  }

  private static Backup backUp(String version) {
    var archives = Original.temporaryFolder();
    var elasticsearch = Stack.elasticsearch("7.10.2", List.of("127.0.5.2"), 9200, archives).get(0);
    var cassandra = Stack.cassandra(Stack.CassandraOptions.on("127.0.5.2").ofVersion(version)).get(0);
    try (cassandra; elasticsearch; var session = Contents.session(cassandra, Optional.empty())) {
      var data = new GraphData(List.of(cassandra), List.of(elasticsearch));
      data.create(50);
      data.change();
      var set = HotBackup.take(cassandra, GraphData.KEYSPACE, url(elasticsearch), archives);
      return new Backup(set, Contents.ofCassandra(session, GraphData.KEYSPACE, true), data.ask());
    }
  }

  private static Script both(String name, Backup backup, GraphData data, String... arguments) {
    return Script.of(name).args(arguments).env("CASSANDRA_CONNECTION", data.cassandra().get(0).host())
        .env("CASSANDRA_GENERAL_ARCHIVE_PATH", backup.set().archives().resolve("cassandra").toString())
        .env("ELASTICSEARCH_API_URL", data.url())
        .env("ELASTICSEARCH_GENERAL_ARCHIVE_PATH", backup.set().archives().resolve("elasticsearch").toString());
  }

  private static Script restore(Server elasticsearch, Snapshot snapshot, String option) {
    return script("restore-cassandra-es.java", elasticsearch, snapshot, "--yes", "--only", "elasticsearch", option);
  }

  private static Script script(String name, Server elasticsearch, Snapshot snapshot, String... arguments) {
    return Script.of(name).args(arguments)
        .env("CASSANDRA_GENERAL_ARCHIVE_PATH", snapshot.archives().toString())
        .env("ELASTICSEARCH_API_URL", url(elasticsearch).toString())
        .env("ELASTICSEARCH_GENERAL_ARCHIVE_PATH", snapshot.archives().resolve("elasticsearch").toString());
  }

  private static Snapshot take(String version) {
    var archives = Original.temporaryFolder();
    try (var source = Stack.elasticsearch(version, List.of("127.0.5.2"), 9200, archives).get(0)) {
      source.tool("PUT", "/" + INDEX, "{\"settings\":{\"number_of_shards\":3},\"aliases\":{\"thehive\":{}}}");
      source.tool("POST", "/" + INDEX + "/_bulk?refresh=true", IntStream.range(0, 5_000).mapToObj(number ->
      "{\"index\":{\"_id\":\"%1$d\"}}%n{\"number\":%1$d,\"title\":\"Case #%1$d\",\"state\":\"open\"}%n"
          .formatted(number)).collect(Collectors.joining()));
      source.tool("POST", "/" + INDEX + "/_bulk?refresh=true", IntStream.range(0, 1_000).mapToObj(number ->
          "{\"delete\":{\"_id\":\"%d\"}}%n".formatted(number * 3)).collect(Collectors.joining()));
      var documents = Contents.ofElasticsearch(source, INDEX);
      assertThat(documents).contains("4000");
      HotBackup.elasticsearch(url(source), INDEX, archives, HotBackup.timestamp(LocalDateTime.now()));
      return new Snapshot(archives, documents);
    }
  }

  private static Server target(String version, Snapshot snapshot) {
    var target = Stack.elasticsearch(version, List.of("127.0.5.3"), 9200, snapshot.archives()).get(0);
    try {
      HotBackup.register(url(target), snapshot.archives());
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
    return target;
  }

  private static URI url(Server elasticsearch) {
    return URI.create("http://" + elasticsearch.host() + ":" + elasticsearch.port());
  }
}
