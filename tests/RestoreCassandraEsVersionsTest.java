import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.io.UncheckedIOException;
import java.net.URI;
import java.nio.file.Path;
import java.time.LocalDateTime;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
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
  private static final Map<String, Snapshot> SNAPSHOTS = new HashMap<>();

  /** One version's snapshot of an index, and what was in it. */
  private record Snapshot(Path archives, String documents) {}

  @ParameterizedTest
  @CsvSource({
    "7.17.29, 7.17.29", "8.19, 8.19", "9.5.3, 9.5.3", "opensearch-2.19.1, opensearch-2.19.1", "opensearch-3.8.0, opensearch-3.8.0",
    "7.10.2, 7.17.29", "7.17.29, 8.19", "8.19, 9.5.3", "7.10.2, opensearch-2.19.1", "opensearch-2.19.1, opensearch-3.8.0"
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
      assertThat(target.tool("GET", "/_cat/indices?h=index").lines().map(String::strip).filter(name -> !name.startsWith(".")))
          .as("nothing is left beside it").containsExactly(INDEX);
      target.tool("PUT", "/" + INDEX + "/_doc/after", "{}");
    }
  }

  @ParameterizedTest
  @CsvSource({
    "7.10.2, 9.5.3", "7.17.29, 9.5.3", "8.19, 7.17.29", "9.5.3, 8.19", "7.17.29, opensearch-2.19.1", "7.10.2, opensearch-3.8.0"
  })
  void refusesASnapshotThatTheVersionCannotRestore(String from, String to) {
    var snapshot = SNAPSHOTS.computeIfAbsent(from, RestoreCassandraEsVersionsTest::take);
    try (var target = target(to, snapshot)) {
      target.tool("PUT", "/" + INDEX + "/_doc/live", "{}");
      var before = Contents.ofElasticsearch(target, INDEX);
      for (var option : List.of("--max-gap=PT15M", "--in-place")) {
        var result = restore(target, snapshot, option).run();
        assertThat(result.code()).as(result.err()).isEqualTo(10);
        assertThat(result.err()).contains("was taken by version", "cannot restore", "hint: ", "Nothing was changed.");
        assertThat(Contents.ofElasticsearch(target, INDEX)).isEqualTo(before);
      }
    }
  }

  private static Script restore(Server elasticsearch, Snapshot snapshot, String option) {
    return Script.of("restore-cassandra-es.java").args("--yes", "--only", "elasticsearch", option)
        .env("CASSANDRA_GENERAL_ARCHIVE_PATH", snapshot.archives().toString())
        .env("ELASTICSEARCH_API_URL", url(elasticsearch).toString())
        .env("ELASTICSEARCH_GENERAL_ARCHIVE_PATH", snapshot.archives().resolve("elasticsearch").toString());
  }

  private static Snapshot take(String version) {
    var archives = Original.temporaryFolder();
    try (var source = Stack.elasticsearch(version, List.of("127.0.5.2"), 9200, archives).get(0)) {
      source.tool("PUT", "/" + INDEX, "{\"settings\":{\"number_of_shards\":3},\"aliases\":{\"thehive\":{}}}");
      source.tool("POST", "/" + INDEX + "/_bulk?refresh=true", IntStream.range(0, 5_000).mapToObj(number ->
          "{\"index\":{\"_id\":\"%1$d\"}}%n{\"number\":%1$d,\"title\":\"Case #%1$d\",\"state\":\"open\"}%n".formatted(number)).collect(Collectors.joining()));
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
