import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.time.Duration;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

/** The nodes of THEHIVE_NODES, and what is run on them. */
class HostTest {
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
  @ValueSource(strings = {"node1 admin@node2", "node1,admin@node2", " node1 , admin@node2 node1\n", "node1\tadmin@node2"})
  void readsAListWithBlanksOrCommasEachHostOnce(String text) {
    assertThat(Host.named(text)).extracting(Host::destination).containsExactly("node1", "admin@node2");
  }

  /** What would be an option of ssh, or more than a word to the shell, is among them. */
  @ParameterizedTest
  @ValueSource(strings = {"-oProxyCommand=reboot", "no;host", "$(id)", "node1:", "node1:ssh", "a@b@c", "@node1", "ssh://node1", "node_1!", "'node1'"})
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
    assertThat(here.run("echo out; echo err >&2; exit 3", Duration.ofSeconds(10))).isEqualTo(new Host.Output(3, "out\n", "err"));
    assertThatThrownBy(() -> here.run("exec sleep 20", Duration.ofMillis(100)))
        .isInstanceOfSatisfying(Failure.class, failure -> assertThat(failure.code).isEqualTo(11)).hasMessageContaining("no answer");
  }

  @Test
  void answersComeInTheOrderOfTheHosts() {
    assertThat(Host.each(Host.named("c a b"), Host::name)).containsExactly("c", "a", "b");
  }

  @ParameterizedTest
  @CsvSource({"active, false", "inactive, true", "failed, true", "activating, false", "deactivating, false", "reloading, false", "'', false"})
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
    assertThatThrownBy(() -> TheHiveSettings.of(new Settings(Map.of("THEHIVE_SERVICE", "the hive; reboot")))).hasMessageContaining("THEHIVE_SERVICE");
  }
}
