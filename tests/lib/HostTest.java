import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

/** The nodes of THEHIVE_NODES, and what is run on them. */
class HostTest {
  @TempDir private Path folder;

  @ParameterizedTest
  @CsvSource({
    "node1,                 node1,         node1,         ",
    "node1.example.org,     node1.example.org, node1.example.org, ",
    "admin@node2:2222,      node2,         admin@node2,   2222",
    "localhost,             localhost,     ,              ",
    "127.0.0.1,             127.0.0.1,     ,              ",
    "[::1],                 [::1],         ,              ",
    "localhost:2222,        localhost,     localhost,     2222",
    "me@localhost,          localhost,     me@localhost,  ",
    "10.0.0.5,              10.0.0.5,      10.0.0.5,      ",
    "[2001:db8::5]:22,      [2001:db8::5], 2001:db8::5,   22",
    "root@[2001:db8::5],    [2001:db8::5], root@2001:db8::5, ",
  })
  void understandsEveryFormOfAHost(String text, String name, String destination, String port) {
    assertThat(Host.named(text)).containsExactly(new Host(name, destination, port));
    assertThat(Host.named(text).get(0).isLocal()).isEqualTo(destination == null);
  }

  @ParameterizedTest
  @CsvSource({
    "docker:thehive,                  docker:thehive,       ,            ,     docker, thehive",
    "localhost/podman:thehive,        localhost/podman:thehive, ,        ,     podman, thehive",
    "node2/docker:thehive,            node2/docker:thehive, node2,       ,     docker, thehive",
    "admin@node2:2222/docker:thp-thehive-1, node2/docker:thp-thehive-1, admin@node2, 2222, docker, thp-thehive-1",
  })
  void understandsAContainerHereOrOnAnotherHost(String text, String name, String destination, String port,
      String engine, String container) {
    assertThat(Host.named(text))
        .containsExactly(new Host(name, destination, port, new TheHiveContainer(engine, container)));
  }

  @Test
  void refusesAPortThatNoHostHas() {
    assertThatThrownBy(() -> Host.named("node1:99999")).hasMessage("'node1:99999' names port 99999, which no host has");
    assertThatThrownBy(() -> Host.named("node1:0")).hasMessageContaining("port 0");
    assertThatThrownBy(() -> Application.on(Host.named("localhost").get(0),
        TheHiveSettings.of(new Settings(Map.of("THEHIVE_URL", "http://<node>:99999")))))
        .hasMessageContaining("THEHIVE_URL 'http://localhost:99999' is not an address: ports are numbers");
    assertThatThrownBy(() -> S3Settings.of(
        new Settings(
            Map.of("MINIO_ENDPOINT", "http://10.0.0.8:99999", "MINIO_ACCESS_KEY", "a", "MINIO_SECRET_KEY", "b")),
        Map.of()))
        .hasMessageContaining("MINIO_ENDPOINT 'http://10.0.0.8:99999' has port 99999");
  }

  @Test
  void aHostMayBeCalledLikeAnEngine() {
    assertThat(Host.named("docker:2222")).containsExactly(new Host("docker", "docker", "2222"));
  }

  /**
   * An ssh that is a FAKE: it prints what a login shell may, then runs the command, as sshd does with the user's shell.
   */
  @ParameterizedTest
  @ValueSource(strings = {"", "echo 0; echo ActiveState=inactive; echo LoadState=loaded; ", "printf Welcome; "})
  void whatALoginShellPrintsIsNotTakenForAnAnswer(String greeting) throws IOException {
    var ssh = Files.writeString(folder.resolve("ssh"),
        "#!/bin/sh\nfor last; do :; done\n" + greeting + "exec sh -c \"$last\"\n");
    assertThat(ssh.toFile().setExecutable(true)).isTrue();
    assertThat(Host.withoutGreeting(new Host("node1", "node1", null),
        new Host.Output(0, said(ssh, "sh -c 'echo thehive-answer-begins; echo answer'"), "")))
        .isEqualTo(new Host.Output(0, "answer\n", ""));
  }

  private static String said(Path program, String argument) throws IOException {
    return new String(new ProcessBuilder(program.toString(), argument).start().getInputStream().readAllBytes());
  }

  @Test
  void aShellThatRunsNoCommandIsNoAnswer() {
    assertThatThrownBy(() -> Host.withoutGreeting(new Host("node1", "node1", null),
        new Host.Output(0, "This account is not available.\n", "")))
        .isInstanceOfSatisfying(Failure.class, failure -> assertThat(failure.code).isEqualTo(11))
        .hasMessageContaining("the login shell there did not run the command: This account is not available.");
  }

  @ParameterizedTest
  @CsvSource(delimiter = '|',
      value = {"sudo: sorry, you must have a tty to run sudo|sudo wants a terminal there: \"Defaults !requiretty\"",
      "sudo: a password is required|allow it without a password there: NOPASSWD: /usr/bin/systemctl * thehive"})
  void sudoThatRefusesHasItsHint(String said, String hint) {
    var failure = new TheHiveNode(new Host("node1", "node1", null), TheHiveSettings.of(new Settings(Map.of())))
        .refused("stop", said);
    assertThat(failure.code).isEqualTo(12);
    assertThat(failure.hint).startsWith(hint);
  }

  @ParameterizedTest
  @ValueSource(
      strings = {"node1 admin@node2", "node1,admin@node2", " node1 , admin@node2 node1\n", "node1\tadmin@node2"})
  void readsAListWithBlanksOrCommasEachHostOnce(String text) {
    assertThat(Host.named(text)).extracting(Host::destination).containsExactly("node1", "admin@node2");
  }

  /** What would be an option of ssh, or more than a word to the shell, is among them. */
  @ParameterizedTest
  @ValueSource(strings = {"-oProxyCommand=reboot", "no;host", "$(id)", "node1:", "node1:ssh", "a@b@c", "@node1",
      "ssh://node1", "node_1!", "'node1'"})
  void refusesWhatIsNotAHost(String text) {
    assertThatThrownBy(() -> Host.named(text)).isInstanceOfSatisfying(Failure.class, failure -> {
      assertThat(failure.code).isEqualTo(2);
      assertThat(failure).hasMessageContaining("'" + text + "'");
      assertThat(failure.hint).contains("admin@node2:2222");
    });
  }

  @Test
  void sshNeverAsksAndAcceptsNoUnknownKey() {
    var command = Host.named("admin@node2:2222").get(0).command("id -u");
    assertThat(command).startsWith("ssh").contains("BatchMode=yes", "StrictHostKeyChecking=yes")
        .endsWith("-p", "2222", "--", "admin@node2", "sh -c 'id -u'");
    assertThat(Host.named("localhost").get(0).command("id -u")).containsExactly("sh", "-c", "id -u");
  }

  @Test
  void aCommandThatDoesNotEndIsAFailure() {
    var here = Host.named("localhost").get(0);
    assertThat(here.run("echo out; echo err >&2; exit 3", Duration.ofSeconds(10)))
        .isEqualTo(new Host.Output(3, "out\n", "err"));
    assertThatThrownBy(() -> here.run("exec sleep 20", Duration.ofMillis(100)))
        .isInstanceOfSatisfying(Failure.class, failure -> assertThat(failure.code).isEqualTo(11))
        .hasMessageContaining("no answer");
  }

  @Test
  void answersComeInTheOrderOfTheHosts() {
    assertThat(Host.each(Host.named("c a b"), Host::name)).containsExactly("c", "a", "b");
  }

  @ParameterizedTest
  @CsvSource({"active, false", "inactive, true", "failed, true", "activating, false", "deactivating, false",
      "reloading, false", "'', false"})
  void onlyAUnitThatIsKnownToBeDownIsStopped(String active, boolean stopped) {
    assertThat(new Host.Unit("loaded", active, "", 0, "", "", true).isStopped()).isEqualTo(stopped);
  }

  @ParameterizedTest
  @CsvSource({"loaded, true", "masked, true", "not-found, false", "'', false"})
  void aMaskedUnitIsInstalledToo(String load, boolean installed) {
    assertThat(new Host.Unit(load, "inactive", "dead", 0, "", "", true).isInstalled()).isEqualTo(installed);
  }

  @Test
  void theNodesAreThisHostWhereNoneAreNamed() {
    assertThat(TheHiveSettings.of(new Settings(Map.of())).hosts()).extracting(Host::isLocal).isEqualTo(List.of(true));
    assertThat(TheHiveSettings.of(new Settings(Map.of())).named()).isFalse();
    assertThat(TheHiveSettings.of(new Settings(Map.of("THEHIVE_NODES", "node1 node2"))).named()).isTrue();
    assertThatThrownBy(() -> TheHiveSettings.of(new Settings(Map.of("THEHIVE_SERVICE", "the hive; reboot"))))
        .hasMessageContaining("THEHIVE_SERVICE");
  }
}
