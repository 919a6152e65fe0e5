import static org.assertj.core.api.Assertions.assertThat;
import static org.awaitility.Awaitility.await;

import java.io.IOException;
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse;
import java.time.Duration;
import org.junit.jupiter.api.Assumptions;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;

/**
 * The hosts that the tests of services stand on: the real ssh to a real sshd, systemd and sudo. Where there can be
 * none, these tests are skipped; with {@code HOSTS_REQUIRED=true}, as in {@code .ci/run}, which installs all they need,
 * that is a failure.
 */
@Tag("hosts")
class HostsTest {
  private static boolean started;
  private static final HttpClient HTTP = HttpClient.newHttpClient();

  private static Hosts hosts;

  /** A kernel or a sandbox that lets no engine start is no fault of what is tested: the summary tells the reason. */
  static synchronized Hosts startOrSkip() {
    if (started) {
      return Hosts.start(3); // what fails now is no matter of the machine
    }
    Hosts.reasonUnavailable().ifPresent(HostsTest::skip);
    try {
      var hosts = Hosts.start(3);
      started = true;
      return hosts;
    } catch (Hosts.NotStarted e) {
      return skip("hosts with systemd cannot be started here: " + e.getMessage());
    }
  }

  /** Ends a test, or a class, for which there are no hosts. */
  static <T> T skip(String reason) {
    if ("true".equals(System.getenv("HOSTS_REQUIRED"))) {
      throw new AssertionError("HOSTS_REQUIRED=true, but " + reason);
    }
    return Assumptions.abort(reason);
  }

  @BeforeAll
  static void start() {
    hosts = startOrSkip();
  }

  @Test
  void everyHostAnswersSshAndHttp() throws Exception {
    assertThat(hosts.hosts()).hasSize(3);
    for (var host : hosts.hosts()) {
      var said =
          ssh(host.name(), "hostname; sudo -n id -un; systemctl is-active thehive; systemctl is-enabled thehive");
      assertThat(said.out()).as(said.err()).isEqualTo(host.name() + "\nroot\nactive\nenabled\n");
      assertThat(status(host)).isEqualTo("{\"status\":\"Ok\"}");
    }
  }

  @Test
  void aHostCanBeOffFrozenOrAStranger() throws Exception {
    var host = hosts.host("node3");
    host.down();
    assertThat(ssh("node3", "true").err()).as("off").containsAnyOf("No route to host", "Connection timed out");
    host.up();
    host.freeze();
    assertThat(ssh("node3", "true").err()).as("frozen").contains("timed out during banner exchange");
    host.up();
    hosts.forgetHostKey("node3");
    assertThat(ssh("node3", "true").err()).as("stranger").contains("Host key verification failed");
    hosts.rememberWrongHostKey("node3");
    assertThat(ssh("node3", "true").err()).as("impostor").contains("REMOTE HOST IDENTIFICATION HAS CHANGED");

    host.reset();
    assertThat(ssh("node3", "systemctl is-active thehive").out()).isEqualTo("active\n");
  }

  @Test
  void theStandInMisbehavesAsItIsTold() throws Exception {
    var host = hosts.host("node2");
    host.thehive("fails", "later");
    assertThat(status(host)).as("before its next start").contains("Ok");
    host.exec("systemctl restart thehive");
    await().atMost(Duration.ofSeconds(10)).until(() -> host.state().equals("failed"));
    assertThat(host.exec("journalctl --unit thehive --output cat")).contains("Unable to connect to the database");

    host.thehive("returns");
    host.exec("systemctl stop thehive");
    assertThat(host.state()).isEqualTo("inactive");
    await().atMost(Duration.ofSeconds(10)).until(() -> host.state().equals("active"));

    host.thehive("missing");
    assertThat(host.exec("systemctl show --property LoadState thehive")).contains("not-found");

    host.reset();
    assertThat(status(host)).contains("Ok");
  }

  private static Script.Result ssh(String host, String command) {
    return Script.command("ssh", "-o", "BatchMode=yes", "-o", "ConnectTimeout=5", host, command)
        .env("PATH", hosts.path()).run();
  }

  private static String status(Hosts.Host host) throws IOException, InterruptedException {
    var request =
        HttpRequest.newBuilder(URI.create(host.url() + "/api/v1/status/public")).timeout(Duration.ofSeconds(5));
    return HTTP.send(request.build(), HttpResponse.BodyHandlers.ofString()).body();
  }
}
