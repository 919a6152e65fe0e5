import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.List;
import org.awaitility.Awaitility;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** service-control.java on three hosts with systemd, through real ssh and sudo. */
@Tag("hosts")
class ServiceControlHostsTest {
  private static final String NODES = "node1 admin@node2 node3";

  @TempDir Path archives;
  private Hosts hosts;

  @BeforeEach
  void start() {
    hosts = HostsTest.startOrSkip();
  }

  @Test
  void stopsAndStartsEveryNode() {
    var before = control("status").run();
    assertThat(before.code()).as(before.err()).isZero();
    assertThat(before.out().lines().filter(line -> line.matches("node\\d  active \\(running\\) .* answers")).count())
        .as(before.out()).isEqualTo(3);

    var dry = control("stop", "--dry-run").run();
    assertThat(dry.code()).as(dry.err()).isZero();
    assertThat(dry.err()).contains("node2 is active (running); would run: ssh -T -o BatchMode=yes")
        .contains("-- admin@node2 sh -c 'sudo -n systemctl stop thehive'");
    assertThat(states()).isEqualTo(List.of("active", "active", "active"));

    var stopped = control("stop").run();
    assertThat(stopped.code()).as(stopped.err()).isZero();
    assertThat(stopped.err()).contains("node1: inactive after ", "node2: inactive after ", "node3: inactive after ");
    assertThat(states()).isEqualTo(List.of("inactive", "inactive", "inactive"));
    assertThat(control("stop").run().code()).as("stopped already").isZero();

    var started = control("start").run();
    assertThat(started.code()).as(started.err()).isZero();
    assertThat(started.err()).contains("node3: active (running), answers after ");
    assertThat(states()).isEqualTo(List.of("active", "active", "active"));
  }

  @Test
  void startsNodeByNodeAndEndsAtTheFirstThatFails() {
    hosts.host("node1").thehive("slow-start");
    hosts.host("node2").thehive("fails", "later");
    var result = control("restart", "--rolling").run();

    assertThat(result.code()).as(result.err()).isEqualTo(13);
    assertThat(result.err()).containsPattern("node1: active \\(running\\), answers after \\d+ s")
        .containsPattern("node2 \\| .*\\[error\\] .* Unable to connect to the database")
        .contains("error: node2: thehive does not stay up: it is failed",
            "error: node3: not started, because node2 failed");
    assertThat(states()).isEqualTo(List.of("active", "failed", "inactive"));
  }

  @Test
  void namesTheNodeThatWillNotStayStopped() {
    hosts.host("node2").thehive("returns");
    var result = control("stop").run();

    assertThat(result.code()).as(result.err()).isEqualTo(13);
    assertThat(result.err()).contains("error: node2: something started thehive again: it is active");
    assertThat(hosts.host("node1").state() + hosts.host("node3").state()).as("the others stay stopped")
        .isEqualTo("inactiveinactive");
  }

  @Test
  void namesEveryNodeThatCannotBeAskedAndStopsTheOthers() {
    hosts.host("node2").down();
    hosts.host("node3").thehive("missing");
    var result = control("stop").run();

    assertThat(result.code()).as(result.err()).isEqualTo(11);
    assertThat(result.err())
        .containsPattern("error: node2: ssh: connect to host .*: (No route to host|Connection timed out)")
        .contains("error: node3: the unit thehive is not-found", "node1: inactive after ");
    assertThat(result.out()).containsPattern("node1  inactive").containsPattern("node2  unknown")
        .containsPattern("node3  inactive.*✗ the unit");
    assertThat(hosts.host("node1").state()).isEqualTo("inactive");
  }

  @Test
  void neverTrustsAnUnknownHostAndNeverAsksForAPassword() {
    hosts.forgetHostKey("node1");
    hosts.rememberWrongHostKey("node2");
    var strangers = control("stop").env("THEHIVE_NODES", "node1 node2").run();
    assertThat(strangers.code()).as(strangers.err()).isEqualTo(11);
    assertThat(strangers.err()).contains("error: node1: ssh: Host key verification failed.",
        "error: node2: ssh: Host key verification failed.",
        "hint: compare its host key and accept it by hand: ssh node1");

    var refused = control("stop").env("THEHIVE_NODES", "stranger@node3").run();
    assertThat(refused.code()).as(refused.err()).isEqualTo(12);
    assertThat(refused.err()).contains("error: node3: ssh: stranger@").contains("Permission denied");

    var sudo = control("stop").env("THEHIVE_NODES", "plain@node3").run();
    assertThat(sudo.code()).as(sudo.err()).isEqualTo(12);
    assertThat(sudo.err()).contains("error: node3: sudo: a password is required",
        "hint: allow it without a password there: NOPASSWD:");
    assertThat(states()).isEqualTo(List.of("active", "active", "active"));
  }

  @Test
  void namesTheNodeWhoseSshIsGone() {
    hosts.host("node3").exec("systemctl stop ssh");
    var result = control("status").run();
    assertThat(result.code()).as(result.err()).isEqualTo(11);
    assertThat(result.err()).containsPattern("error: node3: ssh: connect to host .* port 22: Connection refused");
    assertThat(result.out()).containsPattern("node1  active \\(running\\) .* answers");
  }

  @Test
  void doesNotWaitForeverForTheApplication() {
    hosts.host("node1").thehive("silent");
    hosts.host("node2").thehive("mute");
    var result = control("start", "--timeout", "12").run();

    assertThat(result.code()).as(result.err()).isEqualTo(13);
    assertThat(result.err()).containsPattern(
        "error: node1: thehive is active \\(running\\), but after 12 s: http://.*:9000/api/v1/status/public does"
            + " not answer: ")
        .containsPattern(
            "error: node2: thehive is active \\(running\\), but after 12 s: http://.*:9000/.* does not answer: not"
                + " within 10 s")
        .contains("node1 | ");
    assertThat(control("start", "--active-only").run().code()).isZero();
  }

  @Test
  void startsNothingOnHalfARestore() throws IOException {
    control("stop").run();
    Files.writeString(archives.resolve("restore-files-nfs.unfinished"), "{\"unfinished\": [\"files\"]}");
    var refused = control("start").run();
    assertThat(refused.code()).as(refused.err()).isEqualTo(13);
    assertThat(refused.err()).contains("error: a restore is unfinished: restore-files-nfs.java (files since");
    assertThat(states()).isEqualTo(List.of("inactive", "inactive", "inactive"));

    assertThat(control("start", "--force").run().code()).isZero();
    assertThat(states()).isEqualTo(List.of("active", "active", "active"));
  }

  @Test
  void aRestoreRefusesWhileTheHiveRunsOnAnyNamedNode() {
    for (var script : List.of("restore-files-nfs.java", "restore-files-minio.java", "restore-cassandra-es.java")) {
      control("stop", "node1", "node3").run();
      var result = on(Script.of(script).args("--yes")).env("CASSANDRA_CONNECTION", "127.0.0.1")
          .env("MINIO_ENDPOINT", "http://127.0.0.1:9").env("MINIO_ACCESS_KEY", "thehive")
          .env("MINIO_SECRET_KEY", "secret").run();
      assertThat(result.code()).as(result.err()).isEqualTo(13);
      assertThat(result.err()).contains("error: TheHive is still running on node2: thehive is active (running)",
          "hint: stop it on every node: ./jbang service-control.java stop");
    }
    hosts.host("node2").down();
    var result = on(Script.of("restore-files-nfs.java").args("--yes")).run();
    assertThat(result.code()).as(result.err()).isEqualTo(11);
    assertThat(result.err()).contains("error: node2: ssh: ");
  }

  @Test
  void followsTheJournalOfAllNodesUntilCtrlC() throws IOException, InterruptedException {
    var running = control("logs", "--since", "now").start();
    Awaitility.await().pollInterval(Duration.ofSeconds(1)).atMost(Duration.ofMinutes(1)).until(() -> {
      hosts.hosts().forEach(host -> host.exec("systemctl restart thehive"));
      return hosts.hosts().stream()
          .allMatch(host -> running.out().matches("(?s).*" + host.name() + " \\| [^\n]*Stopp.*"));
    });
    var result = running.interrupt().await();
    assertThat(result.code()).as(result.err()).isEqualTo(130);
    assertThat(result.err()).doesNotContain("error:");
    Awaitility.await().untilAsserted(
        () -> assertThat(hosts.host("node2").exec("pgrep -c journalctl || true").strip()).isEqualTo("0"));

    hosts.host("node3").thehive("noisy");
    var errors = control("logs", "--errors", "--no-follow", "--since", "1 min ago").run();
    assertThat(errors.code()).as(errors.err()).isZero();
    assertThat(errors.out().lines()).isNotEmpty().allMatch(line -> line.startsWith("node") && line.contains("[error]"));
    assertThat(errors.out()).contains("node3 | ").contains("Index query failed");
  }

  /** On a node itself, where no ssh is between. */
  @ParameterizedTest
  @ValueSource(strings = {"root", "admin"})
  void stopsAndStartsTheNodeThatItRunsOn(String user) {
    var node = hosts.host("node2");
    node.copy(exported("service-control.java", archives.resolve("exported")), "/opt/exported");
    for (var named : List.of("", "THEHIVE_NODES=localhost")) {
      assertThat(local(node, user, named, "status")).contains("localhost  active (running) ", "answers")
          .endsWith("exit 0\n");
      assertThat(local(node, user, named, "stop")).contains("localhost: inactive after ").endsWith("exit 0\n");
      assertThat(states()).isEqualTo(List.of("active", "inactive", "active"));
      assertThat(local(node, user, named, "start")).contains("localhost: active (running), answers after ")
          .endsWith("exit 0\n");
      assertThat(local(node, user, named, "logs --no-follow")).contains("localhost | ", "Listening for HTTP")
          .endsWith("exit 0\n");
    }
    node.thehive("fails", "later");
    assertThat(local(node, user, "", "restart"))
        .contains("localhost | ", "[error]", "error: localhost: thehive does not stay up: it is failed")
        .endsWith("exit 13\n");
    assertThat(local(node, "plain", "", "start")).contains("error: localhost: sudo: a password is required")
        .endsWith("exit 12\n");
  }

  private static String local(Hosts.Host node, String user, String variable, String arguments) {
    return node
        .exec("env %s runuser -u %s -- /opt/java/bin/java -jar /opt/exported/service-control.jar %s 2>&1; echo exit $?"
        .formatted(variable, user, arguments));
  }

  /** A script with all it needs, for a host without JBang. */
  static Path exported(String script, Path folder) {
    var name = Path.of(script).getFileName().toString().replace(".java", ".jar");
    var result = Script
        .command(Script.ROOT.resolve("jbang").toString(), "export", "portable", "-O", folder.resolve(name).toString(),
        Script.ROOT.resolve(script).toString()).run();
    assertThat(result.code()).as(result.err()).isZero();
    return folder;
  }

  private List<String> states() {
    return hosts.hosts().stream().map(Hosts.Host::state).toList();
  }

  private Script control(String... args) {
    return on(Script.of("service-control.java").args(args));
  }

  private Script on(Script script) {
    for (var folder : List.of("CASSANDRA_GENERAL_ARCHIVE_PATH", "ELASTICSEARCH_GENERAL_ARCHIVE_PATH",
        "GENERAL_ARCHIVE_PATH", "MINIO_ARCHIVE_PATH")) {
      script.env(folder, archives.toString());
    }
    return script.env("THEHIVE_NODES", NODES).env("PATH", hosts.path());
  }
}
