import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.net.InetSocketAddress;
import java.util.Optional;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

/** CASSANDRA_CONNECTION in every form that people write. */
class CassandraConnectionTest {
  @ParameterizedTest
  @CsvSource(delimiter = '|', value = {
    "10.0.0.5                          | 10.0.0.5:9042               |       |",
    "10.0.0.5 9142                     | 10.0.0.5:9142               |       |",
    "10.0.0.5 admin -p s3cret          | 10.0.0.5:9042               | admin | s3cret",
    "10.0.0.5 -u admin -p s3cret       | 10.0.0.5:9042               | admin | s3cret",
    "10.0.0.5 9142 -u admin -p \"a b\" | 10.0.0.5:9142               | admin | a b",
    "-u admin -p s3cret 10.0.0.5       | 10.0.0.5:9042               | admin | s3cret",
    "10.0.0.5,10.0.0.6:9999            | 10.0.0.5:9042,10.0.0.6:9999 |       |",
    "[2001:db8::5]:9142                | 2001:db8:0:0:0:0:0:5:9142   |       |",
    "2001:db8::5                       | 2001:db8:0:0:0:0:0:5:9042   |       |",
    "db1.example.org -u admin          | db1.example.org:9042        | admin |",
  })
  void understandsEveryFormOfTheConnection(String text, String points, String user, String password) {
    var connection = CassandraConnection.parse(text);
    assertThat(connection.contactPoints().stream().map(CassandraConnectionTest::named))
        .containsExactly(points.split(","));
    assertThat(connection.user()).isEqualTo(Optional.ofNullable(user));
    assertThat(connection.password()).isEqualTo(Optional.ofNullable(password));
  }

  private static String named(InetSocketAddress point) {
    return point.getHostString() + ":" + point.getPort();
  }

  @ParameterizedTest
  @ValueSource(strings = {"", "  ", "10.0.0.5 admin -x s3cret", "10.0.0.5 9042 admin s3cret"})
  void refusesAConnectionWithoutRepeatingWhatMayBeAPassword(String text) {
    assertThatThrownBy(() -> CassandraConnection.parse(text))
        .isInstanceOfSatisfying(Failure.class, failure -> assertThat(failure.code).isEqualTo(2))
        .hasMessageContaining("CASSANDRA_CONNECTION").hasMessageNotContaining("s3cret");
  }

  @ParameterizedTest
  @ValueSource(strings = {"10.0.0.5 99999", "10.0.0.5 0", "10.0.0.5 123456", "10.0.0.5:99999", "[::1]:70000",
      "10.0.0.5:99999999999"})
  void refusesAPortThatNoHostHas(String text) {
    assertThatThrownBy(() -> CassandraConnection.parse(text))
        .isInstanceOfSatisfying(Failure.class, failure -> assertThat(failure.code).isEqualTo(2))
        .hasMessageContaining("CASSANDRA_CONNECTION names port");
  }
}
