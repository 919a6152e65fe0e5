import static org.assertj.core.api.Assertions.assertThat;

import com.sun.net.httpserver.HttpServer;
import java.io.IOException;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.net.ServerSocket;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;

/**
 * The table of settings, and who answers. What plays Cassandra and the REST APIs here are fakes: a socket and a small
 * HTTP server.
 */
class SettingsReportTest {
  private HttpServer http;
  private ServerSocket fakeCassandra;
  private byte[] answer = {(byte) 0x84, 0, 0, 0, 6, 0, 0, 0, 0};
  private volatile String authorization;

  @BeforeEach
  void start() throws IOException {
    http = HttpServer.create(new InetSocketAddress("127.0.0.1", 0), 0);
    http.createContext("/", exchange -> {
      authorization = exchange.getRequestHeaders().getFirst("Authorization");
      exchange.sendResponseHeaders("Basic dTp3cm9uZw==".equals(authorization) || authorization == null ? 401 : 200, -1);
      exchange.close();
    });
    http.start();
    fakeCassandra = new ServerSocket(0, 5, InetAddress.getByName("127.0.0.1"));
    Console.daemon(() -> {
      while (!fakeCassandra.isClosed()) {
        try (var client = fakeCassandra.accept()) {
          client.getInputStream().readNBytes(9);
          client.getOutputStream().write(answer);
        } catch (IOException e) {
          return;
        }
      }
    }).start();
  }

  @AfterEach
  void stop() throws IOException {
    http.stop(0);
    fakeCassandra.close();
  }

  private String url() {
    return "http://127.0.0.1:" + http.getAddress().getPort();
  }

  private Map<String, String> variables() {
    return new HashMap<>(
        Map.of("CASSANDRA_CONNECTION", "127.0.0.1 %d -u admin -p t0psecret".formatted(fakeCassandra.getLocalPort()),
            "ELASTICSEARCH_API_URL", url(), "ELASTICSEARCH_USER", "u", "ELASTICSEARCH_PASSWORD", "t0psecret",
            "MINIO_ENDPOINT", url(),
        "THEHIVE_SERVICE", "no-such-unit"));
  }

  private static SettingsReport report(Map<String, String> variables) {
    var settings =
        new Settings(variables, Map.of("CASSANDRA_KEYSPACE", "hive", "CASSANDRA_THEHIVE_USER", "thp"), "/etc/a.conf");
    return SettingsReport.of("verify", settings, new AddressCheck(settings, Map.of("HOME", "/nowhere")).ask());
  }

  @Test
  void saysOfEachSettingWhereItComesFromAndShowsNoSecret() throws IOException {
    var variables = variables();
    variables.put("CASSANDRA_KEYSPACE", "thehive");
    variables.put("CASANDRA_USER", "x");
    var report = report(variables);
    var rows = report.settings();

    assertThat(rows).filteredOn(row -> row.name().equals("CASSANDRA_KEYSPACE"))
        .containsExactly(new SettingsReport.Row("CASSANDRA_KEYSPACE", "thehive", "variable", ""));
    assertThat(rows).filteredOn(row -> row.name().equals("CASSANDRA_THEHIVE_USER"))
        .extracting(SettingsReport.Row::source).containsExactly("/etc/a.conf");
    assertThat(rows).filteredOn(row -> row.name().equals("MINIO_BUCKET")).extracting(SettingsReport.Row::source)
        .containsExactly("default");
    assertThat(report.warnings()).containsExactly("CASSANDRA_KEYSPACE is thehive, but /etc/a.conf says hive",
        "CASANDRA_USER is set, but nothing reads it: is CASSANDRA_USER meant?");
    assertThat(report.table() + Json.MAPPER.writeValueAsString(report)).contains("ELASTICSEARCH_PASSWORD")
        .doesNotContain("t0psecret");
  }

  @Test
  void endsWithZeroWhereEveryAddressAnswers() {
    var report = report(variables());

    assertThat(report.table()).contains(
        "✓ cassandra     127.0.0.1:%d  answers\n".formatted(fakeCassandra.getLocalPort()),
        "✓ elasticsearch %s  answers\n".formatted(url()),
        "✓ s3            %s  answers, and wants a log-in\n".formatted(url()));
    assertThat(report.exit()).as(report.summary()).isZero();
    assertThat(report.summary()).startsWith("=== ✓ Answers: cassandra, elasticsearch, s3. Not asked: thehive");
  }

  @Test
  void keysInAnEndpointAreRefusedAndNotShown() throws IOException {
    for (var endpoint : List.of("http://key:t0psecret@127.0.0.1:9000", "key:t0psecret@127.0.0.1:9000")) {
      var variables = variables();
      variables.put("MINIO_ENDPOINT", endpoint);
      var report = report(variables);
      assertThat(report.table() + Json.MAPPER.writeValueAsString(report)).contains("MINIO_ENDPOINT holds keys")
          .doesNotContain("t0psecret");
    }
  }

  @Test
  void namesTheAddressesThatDoNotAnswer() throws IOException {
    var variables = variables();
    fakeCassandra.close();
    http.stop(0);
    variables.put("CASSANDRA_CONNECTION", "127.0.0.1 %d,no-such-host.invalid".formatted(fakeCassandra.getLocalPort())
        .replaceFirst("(\\S+) (\\d+),(\\S+)", "$1,$3 $2"));
    var report = report(variables);

    assertThat(report.exit()).isEqualTo(11);
    assertThat(report.table()).contains("127.0.0.1:%d  connection refused".formatted(fakeCassandra.getLocalPort()),
        "no-such-host.invalid:%d  unknown host".formatted(fakeCassandra.getLocalPort()),
        "✗ elasticsearch %s  connection refused".formatted(url()),
        "✗ s3            %s  connection refused".formatted(url()));
    assertThat(report.summary()).startsWith("=== ✗ NO answer: cassandra (127.0.0.1:");
  }

  @Test
  void somethingElseOnThePortIsNotTakenForAnAnswer() {
    answer = "SSH-2.0-OpenSSH_9\r\n".getBytes();
    var variables = variables();
    variables.put("ELASTICSEARCH_PASSWORD", "wrong");
    var report = report(variables);

    assertThat(report.exit()).isEqualTo(11);
    assertThat(report.table()).contains("it answers, but not as Cassandra's CQL port does",
        "answers, but refuses the log-in: HTTP 401");
  }

  @Test
  void aSettingThatCannotBeUsedIsWrongUsage() {
    var variables = variables();
    variables.put("MINIO_BUCKET", "hive\r");
    variables.put("MINIO_SECRET_KEY_FILE", "/no/such/file");
    var report = report(variables);

    assertThat(report.exit()).isEqualTo(2);
    assertThat(report.table()).contains("✗ MINIO_BUCKET", "MINIO_BUCKET ends with a carriage return",
        "cannot read /no/such/file, which MINIO_SECRET_KEY_FILE names");
    assertThat(report.summary()).startsWith("=== ✗ CANNOT be used: MINIO_SECRET_KEY, MINIO_BUCKET.");
  }

  @Test
  void nothingIsNamed() {
    var report = report(Map.of("ELASTICSEARCH_API_URL", url(), "THEHIVE_SERVICE", "no-such-unit"));
    assertThat(report.addresses()).filteredOn(finding -> finding.result() == Mark.SKIPPED).extracting(Finding::part)
        .isEqualTo(List.of("cassandra", "s3", "thehive"));
    assertThat(authorization).isNull();
  }
}
