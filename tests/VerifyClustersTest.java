import static org.assertj.core.api.Assertions.assertThat;

import com.datastax.oss.driver.api.core.ConsistencyLevel;
import com.datastax.oss.driver.api.core.cql.SimpleStatement;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;

/** What verify.java says of a cluster with TLS, and with fewer copies than nodes. */
@Tag("servers")
class VerifyClustersTest {
  private static Original original;
  private static List<Server> nodes;

  @BeforeAll
  static void restore() {
    original = Original.get();
    nodes = Stack.cassandra(Stack.CassandraOptions.on("127.0.0.31", "127.0.0.32", "127.0.0.33").withTlsClientAuth());
    var restored = on("restore-cassandra-es.java", "--yes", "--only", "cassandra", "--replication",
        "{'class': 'SimpleStrategy', 'replication_factor': 2}").run();
    assertThat(restored.code()).as(restored.err()).isZero();
  }

  @AfterAll
  static void stop() {
    nodes.forEach(Server::close);
  }

  private static Script on(String script, String... arguments) {
    var certificates = Stack.certificates();
    return Script.of(script).env(original.settings()).env("CASSANDRA_CONNECTION", nodes.get(0).host()).env(Map.of(
        "CASSANDRA_SSL_CA", certificates.resolve("ca.pem").toString(), "CASSANDRA_SSL_CERT",
        certificates.resolve("client.pem").toString(),
        "CASSANDRA_SSL_KEY", certificates.resolve("client.key").toString())).args(arguments);
  }

  @Test
  void asksEachNodeForItsPartAndNamesTheTwoThatLackARow() throws Exception {
    var verify = on("verify.java", "--only", "cassandra");
    var same = verify.run();
    assertThat(same.code()).as(same.out() + same.err()).isZero();
    assertThat(same.out()).contains("3 up and normal", "'replication_factor': '2'} on nodes {datacenter1=3}")
        .containsPattern("edgestore .* asked of 3 nodes").doesNotContain("✗");

    try (var session =
        Contents.session(nodes.get(0), Optional.of(RestoreCassandraEsClustersTest.tls(Stack.certificates())))) {
      var row = session.execute("SELECT key, column1 FROM thehive.edgestore LIMIT 1").one();
      session.execute(SimpleStatement.newInstance("DELETE FROM thehive.edgestore WHERE key = ? AND column1 = ?",
          row.getByteBuffer("key"), row.getByteBuffer("column1")).setConsistencyLevel(ConsistencyLevel.ALL));
      var result = verify.run();
      assertThat(result.code()).as(result.out() + result.err()).isEqualTo(15);
      assertThat(result.out()).containsPattern("(?m)^      missing: key 0x\\S+, column1 0x\\S+ on [0-9.]+, [0-9.]+$")
          .containsOnlyOnce("missing: ");
    }
  }

  @Test
  void saysThatTheNodesWantTls() {
    var result = on("verify.java", "--only", "cassandra").env("CASSANDRA_SSL_CA", null).run();
    assertThat(result.code()).as(result.out() + result.err()).isEqualTo(11);
    assertThat(result.out()).contains("cannot reach Cassandra at 127.0.0.31:9042",
        "does it want TLS (CASSANDRA_SSL_CA)?");
  }
}
