import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.nio.file.Path;
import java.util.HashMap;
import java.util.Map;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** Where Cassandra is, who logs in and which TLS files count. */
class CassandraSettingsTest {
  private static CassandraSettings of(Map<String, String> variables) {
    return CassandraSettings.of(new Settings(variables));
  }

  @Test
  void theDefaultsAreTheDocumentedOnes() {
    var settings = of(Map.of("CASSANDRA_CONNECTION", "10.0.0.5"));
    assertThat(settings.keyspace()).isEqualTo("thehive");
    assertThat(settings.role()).isEqualTo("thehive");
    assertThat(settings.archives()).containsExactly(Path.of("/mnt/backup/cassandra"));
    assertThat(settings.workFolder()).isEqualTo(Path.of("/mnt/backup/cassandra"));
    assertThat(settings.connection().user()).isEmpty();
    assertThat(settings.client()).isEmpty();
    assertThat(settings.internode()).isEmpty();
  }

  @ParameterizedTest
  @CsvSource({
    "10.0.0.5 admin -p one,   ,      ,      admin, one",
    "10.0.0.5 -u admin,       ,      two,   admin, two",
    "10.0.0.5,                other, two,   other, two",
    "10.0.0.5 admin -p one,   other, two,   admin, one",
  })
  void whoLogsInComesFromTheConnectionThenFromTheVariables(String connection, String user, String password,
      String isUser, String isPassword) {
    var variables = new HashMap<>(Map.of("CASSANDRA_CONNECTION", connection));
    if (user != null) {
      variables.put("CASSANDRA_USER", user);
    }
    if (password != null) {
      variables.put("CASSANDRA_PASSWORD", password);
    }
    assertThat(of(variables).connection().user()).contains(isUser);
    assertThat(of(variables).connection().password()).contains(isPassword);
  }

  @ParameterizedTest
  @CsvSource({"CASSANDRA_USER, admin, no password for Cassandra's user admin",
      "CASSANDRA_PASSWORD, t0psecret, CASSANDRA_USER is not",
      "CASSANDRA_KEYSPACE, ' ', CASSANDRA_KEYSPACE is set but blank"})
  void refusesHalfALoginAndBlankNames(String name, String value, String message) {
    assertThatThrownBy(() -> of(Map.of("CASSANDRA_CONNECTION", "10.0.0.5", name, value)))
        .isInstanceOfSatisfying(Failure.class, failure -> assertThat(failure.code).isEqualTo(2))
        .hasMessageContaining(message).hasMessageNotContaining("t0psecret");
    assertThatThrownBy(() -> of(Map.of())).hasMessageContaining("CASSANDRA_CONNECTION is not set");
  }

  @Test
  void theNodesOwnPortTakesTheClientsFilesUnlessItHasOthers() {
    var client = Map.of("CASSANDRA_CONNECTION", "10.0.0.5", "CASSANDRA_SSL_CA", "/ca", "CASSANDRA_SSL_CERT", "/cert",
        "CASSANDRA_SSL_KEY", "/key");
    assertThat(of(client).internode()).contains(new Pem(Path.of("/ca"), Path.of("/cert"), Path.of("/key")));
    var other = new HashMap<>(client);
    other.put("CASSANDRA_INTERNODE_CA", "/other");
    assertThat(of(other).client()).contains(new Pem(Path.of("/ca"), Path.of("/cert"), Path.of("/key")));
    assertThat(of(other).internode()).contains(new Pem(Path.of("/other"), Path.of("/cert"), Path.of("/key")));
  }
}
