import static org.assertj.core.api.Assertions.assertThat;

import com.sun.net.httpserver.HttpServer;
import java.io.IOException;
import java.net.InetSocketAddress;
import java.nio.file.Files;
import java.nio.file.Path;
import java.security.GeneralSecurityException;
import java.time.Duration;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** What service-control.java does without real hosts. */
class ServiceControlTest {
  @TempDir Path home;

  @Test
  void saysWhatItCanDo() {
    var nothing = control().run();
    var help = control("--help").run();

    assertThat(nothing.code()).isEqualTo(2);
    assertThat(nothing.err()).containsIgnoringCase("say what to do: status, stop, start, restart or logs");
    assertThat(help.code()).isZero();
    assertThat(help.out()).contains("THEHIVE_NODES", "status", "restart", "Exit codes:");
    assertThat(control("logs", "--help").run().out()).startsWith("Usage: ./jbang service-control.java logs ");
  }

  @Test
  void aResultThatCannotBeWrittenIsAnError() {
    var result =
        Script.command("sh", "-c", "exec ./jbang service-control.java --help > /dev/full").in(Script.ROOT).run();

    assertThat(result.code()).as(result.err()).isEqualTo(1);
    assertThat(result.err()).contains("error: the result could not be written to standard output");
  }

  @Test
  void refusesWrongNames() {
    assertRefused(control("stop").env("THEHIVE_NODES", "node1 -oProxyCommand=evil"), 2,
        "'-oProxyCommand=evil' is not a host name");
    assertRefused(control("stop", "--timeout", "0"), 2, "--timeout 0 is not a number of seconds");
    assertRefused(control("logs", "--since", "today' ; reboot"), 2, "is not a time");
    assertThat(control("logs", "--json").run().out()).contains("\"exit\" : 2", "logs has no result as JSON");
  }

  @Test
  void startRefusesWhileARestoreIsUnfinished() throws IOException {
    var marker = home.resolve("restore-cassandra-es.unfinished");
    Files.writeString(marker, "{\"unfinished\": [\"Cassandra\"]}");
    for (var verb : new String[] {"start", "restart"}) {
      var refused = control(verb).run();
      assertThat(refused.code()).as(refused.err()).isEqualTo(13);
      assertThat(refused.err()).contains(
          "error: a restore is unfinished: restore-cassandra-es.java (Cassandra since 20",
          "hint: run ./jbang restore-cassandra-es.java again");
    }
    // No unit of that name: without THEHIVE_NODES it is this host's that it would start.
    var forced = control("start", "--force").env("THEHIVE_SERVICE", "no-such-unit").run();
    assertThat(forced.err()).contains("warning: a restore is unfinished: restore-cassandra-es.java (Cassandra since");
    var state = Files.createDirectory(home.resolve("state"));
    Files.move(marker, state.resolve(marker.getFileName()));
    assertRefused(control("start").env("RESTORE_STATE_PATH", state.toString()), 13,
        "a restore is unfinished: restore-cassandra-es.java");
    assertRefused(control("start", "--archives", home + "/none," + state), 13,
        "a restore is unfinished: restore-cassandra-es.java");
    Files.writeString(marker, "no JSON");
    assertRefused(control("start"), 13, "cannot read the markers in " + home);
  }

  @Test
  void namesEveryNodeThatCannotBeReached() {
    var result = control("stop").env("THEHIVE_NODES", "nosuch.invalid root@127.0.0.1:1").run();

    assertThat(result.code()).as(result.err()).isEqualTo(11);
    assertThat(result.err()).contains("error: nosuch.invalid: ssh: Could not resolve",
        "error: 127.0.0.1: ssh: connect to host 127.0.0.1 port 1: Connection refused",
        "hint: try it by hand: ssh -p 1 root@127.0.0.1");
    assertThat(result.out()).contains("nosuch.invalid  unknown", "127.0.0.1       unknown");
  }

  @Test
  void stopsAndStartsTheNodesOfAFakeSsh() throws IOException {
    fakeSsh();
    var stopped = onFake("stop").run();
    assertThat(stopped.code()).as(stopped.err()).isZero();
    assertThat(stopped.out()).contains("node1  inactive", "node2  inactive");
    var started = onFake("start", "--active-only", "--rolling").run();
    assertThat(started.code()).as(started.err()).isZero();
    assertThat(started.out()).contains("node1  active (running)", "node2  active (running)");
    var logs = onFake("logs", "--errors", "--no-follow").env("LC_ALL", "de_DE").run();
    assertThat(logs.out().lines()).as("an error whose level has a colour").containsExactlyInAnyOrder(
        "node1 | 2026-11-22T18:00:00+0000 thehive[1]: [error] vu à node1",
        "node2 | 2026-11-22T18:00:00+0000 thehive[1]: [error] vu à node2");

    var json = Json.MAPPER.readTree(onFake("status", "--json").run().out());
    assertThat(json.path("nodes")).extracting(node -> node.path("node").asText()).containsExactly("node1", "node2");
    assertThat(json.at("/nodes/0/unit").asText()).isEqualTo("active (running)");

    Files.writeString(home.resolve("node2"), "LoadState=not-found\nActiveState=inactive\n");
    var missing = onFake("stop").run();
    assertThat(missing.code()).as(missing.err()).isEqualTo(13);
    assertThat(missing.err()).contains("error: node2: the unit thehive is not-found");
    assertThat(missing.out()).contains("node1  inactive");
    Files.writeString(home.resolve("node2"), "LoadState=masked\nActiveState=inactive\n");
    assertThat(onFake("stop").run().code()).as("masked is as stopped as can be").isZero();
  }

  /** The docker on the other side of the fake ssh is a FAKE, too. */
  @Test
  void stopsAndStartsTheContainersOfAFakeDocker() throws IOException {
    fakeSsh();
    var ssh = home.resolve("bin/ssh");
    Files.writeString(ssh, "#!/bin/sh\nfor last; do :; done\ncase $last in sh*) exec sh -c \"$last\" ;; esac\n");
    var docker = home.resolve("bin/docker");
    Files.writeString(docker, """
        #!/bin/sh
        # A FAKE of docker with one container, thehive.
        state=$(cat %1$s/container)
        case "$1" in
          inspect) echo "$5" | sed "s/{{.Id}}/c0ffee/; s/{{.State.Status}}/$state/; s/{{.State.ExitCode}}/0/; s/{{.RestartCount}}/0/; s/{{.State.StartedAt}}/2026-11-26T09:00:00Z/" ;;
          stop) echo exited > %1$s/container ;;
          start) echo running > %1$s/container ;;
          logs) echo "[error] in a container" >&2 ;;
        esac
        """.formatted(home));
    assertThat(docker.toFile().setExecutable(true)).isTrue();
    Files.writeString(home.resolve("container"), "running");

    var stopped =
        onFake("stop").env("THEHIVE_NODES", "node2/docker:thehive").env("THEHIVE_URL", "http://127.0.0.1:1").run();
    assertThat(stopped.code()).as(stopped.err()).isZero();
    assertThat(stopped.err()).contains("Stopping container thehive on node2/docker:thehive");
    assertThat(stopped.out()).contains("node2/docker:thehive  inactive (exited)");
    assertThat(home.resolve("container")).hasContent("exited");
    var started = onFake("start", "--active-only").env("THEHIVE_NODES", "docker:thehive").run();
    assertThat(started.code()).as(started.err()).isZero();
    assertThat(started.out()).contains("docker:thehive  active (running)");
    assertThat(onFake("logs", "--no-follow").env("THEHIVE_NODES", "docker:thehive").run().out())
        .contains("docker:thehive | [error] in a container");
  }

  @Test
  void knowsTheUserAndPortOfANodeByItsNameAlone() throws IOException {
    fakeSsh();
    var dry = onFake("stop", "--dry-run", "node2").env("THEHIVE_NODES", "node1 admin@node2:2222").run();
    assertThat(dry.code()).as(dry.err()).isZero();
    assertThat(dry.err()).contains("-p 2222 -- admin@node2 sh -c 'sudo -n systemctl stop thehive'")
        .doesNotContain("node1");
  }

  @Test
  void restartStopsNothingWhileANodeCannotBeAsked() throws IOException {
    fakeSsh();
    Files.createFile(home.resolve("node2.dead"));
    var refused = onFake("restart").run();
    assertThat(refused.code()).as(refused.err()).isEqualTo(11);
    assertThat(refused.err()).contains("error: node2: ssh: connect to host node2 port 22: No route to host",
        "Nothing was stopped.");
    assertThat(home.resolve("node1")).content().contains("ActiveState=active");
  }

  @Test
  void namesTheNodeThatIsStillStopping() throws IOException {
    fakeSsh();
    Files.createFile(home.resolve("node1.slow"));
    var result = onFake("restart", "--timeout", "2").run();
    assertThat(result.code()).as(result.err()).isEqualTo(13);
    assertThat(result.err()).containsPattern(
        "error: node1: thehive is still deactivating \\(stop-sigterm\\) after [23] s\nhint: see its log: ./jbang"
            + " service-control.java logs node1\n")
        .contains("Nothing was started; when the cause is gone: ./jbang service-control.java start");
    assertThat(result.out()).contains("node1  deactivating (stop-sigterm)", "node2  inactive");
  }

  @Test
  void startSeesTheHiveDieAlsoWhereItIsNotAsked() throws IOException {
    fakeSsh();
    onFake("stop").run();
    Files.createFile(home.resolve("node2.dies"));
    var result = onFake("start", "--active-only").run();
    assertThat(result.code()).as(result.err()).isEqualTo(13);
    assertThat(result.err()).containsPattern("node1: active \\(running\\) after [5-9] s").contains(
        "error: node2: thehive does not stay up: it is failed",
        "hint: its last log lines are above, or in /var/log/thehive/application.log there");
  }

  @Test
  void doesNotWaitForTheEndOfAnAnswerThatHasNone() throws IOException {
    fakeSsh();
    var application = HttpServer.create(new InetSocketAddress("127.0.0.1", 0), 0);
    application.createContext("/", exchange -> exchange.sendResponseHeaders(200, 100));
    application.start();
    try {
      var url = "http://127.0.0.1:" + application.getAddress().getPort();
      var result = onFake("start", "--timeout", "3").env("THEHIVE_URL", url).timeout(Duration.ofMinutes(1)).run();
      assertThat(result.code()).as(result.err()).isEqualTo(13);
      assertThat(result.err()).contains("error: node2: thehive is active (running), but after 3 s: " + url
          + "/api/v1/status/public does not answer: not within 10 s");
    } finally {
      application.stop(0);
    }
  }

  @Test
  void asksAnApplicationThatHasACertificateOfAPrivateCa() throws IOException, GeneralSecurityException {
    fakeSsh();
    try (var application = new Https("127.0.0.1", 0, home, exchange -> {
      exchange.sendResponseHeaders(exchange.getRequestURI().getPath().equals("/api/v1/status/public") ? 200 : 404, -1);
      exchange.close();
    })) {
      var untrusted = onFake("start", "--timeout", "3").env("THEHIVE_URL", application.url()).run();
      assertThat(untrusted.code()).as(untrusted.err()).isEqualTo(13);
      assertThat(untrusted.err())
          .containsPattern("error: node1: .*/api/v1/status/public does not answer: .*certificat.*THEHIVE_CA");
      assertThat(Files.readAllLines(home.resolve("asked")).stream().filter(line -> line.startsWith("-G")))
          .as("ssh is asked once per node")
          .containsExactlyInAnyOrder("-G -- node1", "-G -- node2");
      var checked = verify().env("THEHIVE_URL", application.url()).run();
      assertThat(checked.code()).as(checked.out() + checked.err()).isEqualTo(15);
      assertThat(checked.out())
          .containsPattern("✗ services +application +https://127.0.0.1:\\d+/api/v1/status/public does not answer");

      var trusted = Map.of("THEHIVE_URL", application.url(), "THEHIVE_CA", application.certificate().toString());
      var started = onFake("start").env(trusted).run();
      assertThat(started.code()).as(started.err()).isZero();
      assertThat(started.err()).containsPattern("node1: active \\(running\\), answers after \\d+ s");
      var verified = verify().env(trusted).run();
      assertThat(verified.code()).as(verified.out() + verified.err()).isZero();
      assertThat(verified.out())
          .containsPattern("✓ services +application +https://127.0.0.1:\\d+/api/v1/status/public answers");

      var empty = Files.createFile(home.resolve("empty.pem")).toString();
      var unusable = onFake("start").env(trusted).env("THEHIVE_CA", empty).run();
      assertThat(unusable.code()).as(unusable.err()).isEqualTo(2);
      assertThat(unusable.err())
          .contains("error: cannot use the CA certificate " + empty + ": it holds no certificate");
    }
  }

  /**
   * A fake of ssh, for machines on which no hosts with systemd can be made ({@link ServiceControlHostsTest} has the
   * real one): it keeps each node's state in a file and answers as OpenSSH 9.2 and systemd 252 were seen to. A file
   * {@code node1.dead}, {@code .slow} or {@code .dies} makes that node unreachable, slow to stop, or die after its
   * start.
   */
  private void fakeSsh() throws IOException {
    var ssh = home.resolve("bin/ssh");
    Files.createDirectories(ssh.getParent());
    Files.writeString(ssh, """
        #!/bin/sh
        for word; do node=$last; last=$word; done
        state=%1$s/${node#*@}
        echo "$*" >> %1$s/asked
        case $last in *thehive-answer-begins*) printf 'Welcome to %%s: 0 days without an incident\nthehive-answer-begins\n' $node ;; esac
        case $last in
          node*) exit ;;
          *sudo*) echo "sudo: unable to resolve host $node: Name or service not known" >&2 ;;
        esac
        [ ! -e $state.dead ] || { echo "ssh: connect to host $node port 22: No route to host" >&2; exit 255; }
        become() { sed -i "s/ActiveState=.*/ActiveState=$1/; s/SubState=.*/SubState=$2/" "$state"; }
        case $last in
          *"systemctl show"*) echo 1000; cat "$state" ;;
          *"sudo -n systemctl stop"*) [ ! -e $state.slow ] || { become deactivating stop-sigterm; exec sleep 9; }; become inactive dead ;;
          *"sudo -n systemctl start"*) become active running; [ ! -e $state.dies ] || { sleep 2; become failed failed; } & ;;
          *"sudo -n journalctl"*) printf '2026-11-22T18:00:00+0000 thehive[1]: [\\033[31merror\\033[0m] vu à %%s\\n' $node ;;
          *"/proc/net/tcp"*) [ ! -e $state.listens ] || cat $state.listens ;;
          *) echo "admin@$node: Permission denied (publickey)." >&2; exit 255 ;;
        esac
        """.formatted(home));
    assertThat(ssh.toFile().setExecutable(true)).isTrue();
    for (var node : List.of("node1", "node2")) {
      Files.writeString(home.resolve(node), "NRestarts=0\nLoadState=loaded\nActiveState=active\nSubState=running\n");
    }
  }

  private Script onFake(String... args) {
    return faked(control(args));
  }

  private Script verify() {
    var script = Script.of("verify.java").args("--only", "services");
    return faked(script.env("CASSANDRA_GENERAL_ARCHIVE_PATH", home.toString()).env("ELASTICSEARCH_GENERAL_ARCHIVE_PATH",
        home.toString()));
  }

  private Script faked(Script script) {
    return script.env("THEHIVE_NODES", "node1,node2").env("PATH", home.resolve("bin") + ":" + System.getenv("PATH"));
  }

  private Script control(String... args) {
    return Script.of("service-control.java").args(args).env("CASSANDRA_GENERAL_ARCHIVE_PATH", home.toString())
        .env("GENERAL_ARCHIVE_PATH", home.toString()).env("MINIO_ARCHIVE_PATH", home.toString());
  }

  private static void assertRefused(Script script, int code, String why) {
    var result = script.run();
    assertThat(result.code()).as(result.err()).isEqualTo(code);
    assertThat(result.out()).isEmpty();
    assertThat(result.err()).contains("error: ").contains(why).doesNotContain("Exception");
  }
}
