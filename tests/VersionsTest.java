import static org.assertj.core.api.Assertions.assertThat;

import java.net.URI;
import java.util.List;
import java.util.Optional;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** Versions beside those that the other tests use. */
@Tag("matrix")
class VersionsTest {
  /** Twice: into its own tables, and with another definition in place, so that the keyspace is made anew. */
  @ParameterizedTest
  @ValueSource(strings = {"5.0.9"})
  void restoresItsOwnBackupOnCassandra(String version) {
    var archives = Original.temporaryFolder();
    var cassandra = Stack.cassandra(Stack.CassandraOptions.on("127.0.5.2").ofVersion(version)).get(0);
    var elasticsearch = Stack.elasticsearch("7.10.2", List.of("127.0.5.2"), 9200, archives).get(0);
    try (cassandra; elasticsearch) {
      assertThat(cassandra.tool("version")).contains(version);
      var data = new GraphData(List.of(cassandra), List.of(elasticsearch));
      data.create(50);
      data.change();
      var answer = data.ask();
      var backup = HotBackup.take(cassandra, GraphData.KEYSPACE, URI.create(data.url()), archives);
      data.damage();
      assertRestores(cassandra, data, backup, "Will truncate");
      assertThat(data.ask()).isEqualTo(answer);
      try (var session = Contents.session(cassandra, Optional.empty())) {
        session.execute("ALTER TABLE thehive.txlog WITH comment = 'other'");
      }
      data.damage();
      assertRestores(cassandra, data, backup, "Will drop");
      assertThat(data.ask()).isEqualTo(answer);
    }
  }

  private static void assertRestores(Server cassandra, GraphData data, HotBackup.Set backup, String way) {
    data.flush();
    var result = Script.of("restore-cassandra-es.java").args("--yes").env("CASSANDRA_CONNECTION", cassandra.host())
        .env("CASSANDRA_GENERAL_ARCHIVE_PATH", backup.archives().resolve("cassandra").toString())
        .env("ELASTICSEARCH_API_URL", data.url())
        .env("ELASTICSEARCH_GENERAL_ARCHIVE_PATH", backup.archives().resolve("elasticsearch").toString()).run();
    assertThat(result.code()).as(result.err()).isZero();
    assertThat(result.err()).contains(way);
  }
}
