import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.Map;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/**
 * TheHive in a container. The docker here is a FAKE: a shell script that keeps one container's state in a file, and
 * answers as docker 28 does.
 */
class TheHiveContainerTest {
  @TempDir private Path folder;

  @BeforeEach
  void fakeDocker() throws IOException {
    Files.writeString(folder.resolve("state"), "status=running\nexit=0\n");
    var docker = Files.writeString(folder.resolve("docker"), """
        #!/bin/sh
        # A FAKE of docker: one container, c0ffee, of the compose service "hive", named "thehive".
        . %1$s/state
        case "$1 $6 $4" in
          "inspect thehive "*|"inspect c0ffee "*)
            echo "$5" | sed "s/{{.Id}}/c0ffee/; s/{{.State.Status}}/$status/; s/{{.State.ExitCode}}/$exit/; s/{{.RestartCount}}/2/; s/{{.State.StartedAt}}/2026-11-26T09:00:00.123456789Z/" ;;
          inspect*) echo; echo "Error response from daemon: No such container: $6" >&2; exit 1 ;;
          "ps  label=com.docker.compose.service=hive") echo c0ffee ;;
          "ps "*) ;;
          stop*) [ "$4" = c0ffee ] && printf 'status=exited\\nexit=143\\n' > %1$s/state ;;
          start*) [ "$2" = c0ffee ] && printf 'status=running\\nexit=0\\n' > %1$s/state ;;
        esac
        """.formatted(folder));
    assertThat(docker.toFile().setExecutable(true)).isTrue();
  }

  /** On this host, with the fake found first. */
  private TheHiveNode node(String name) {
    var host = new Host("docker:" + name, null, null, new TheHiveContainer(folder + "/docker", name));
    return new TheHiveNode(host,
        TheHiveSettings.of(new Settings(Map.of("THEHIVE_NODES", "docker:" + name, "THEHIVE_URL", "http://<node>:1"))));
  }

  @ParameterizedTest
  @CsvSource({"thehive", "hive"})
  void isStoppedAndStartedByItsNameOrItsComposeService(String name) {
    var node = node(name);
    assertThat(node.requireInstalled())
        .isEqualTo(new Host.Unit("loaded", "active", "running", 2, "2026-11-26T09:00:00.123456789Z", "c0ffee", true));
    assertThat(node.reasonNotToRestore()).isPresent().get().asString()
        .contains("TheHive is still running on docker:%s: container %s is active (running)".formatted(name, name));

    node.systemctl(node.unit(), "stop", Duration.ofSeconds(20));
    assertThat(node.unit().isStopped()).isTrue();
    assertThat(node.unit().active()).as("ended on SIGTERM").isEqualTo("inactive");
    assertThat(node.reasonNotToRestore()).isEmpty();

    node.systemctl(node.unit(), "start", Duration.ofSeconds(20));
    assertThat(node.unit().active()).isEqualTo("active");
  }

  @Test
  void aContainerThatIsNotThereDoesNotCountAsStopped() {
    assertThat(node("other").unit().load()).isEqualTo("not-found");
    assertThatThrownBy(() -> node("other").requireInstalled()).hasMessageContaining("the container other is not-found");
    assertThat(node("other").reasonNotToRestore()).isPresent();
  }

  @Test
  void anEngineThatIsNotThereDoesNotCountAsStopped() throws IOException {
    Files.delete(folder.resolve("docker"));
    assertThatThrownBy(() -> node("thehive").unit())
        .isInstanceOfSatisfying(Failure.class, failure -> assertThat(failure.code).isEqualTo(13))
        .hasMessageContaining("does not tell of the container thehive");
    assertThat(node("thehive").reasonNotToRestore()).isPresent();
  }

  @ParameterizedTest
  @CsvSource({"running, 0, active", "paused, 0, active", "created, 0, inactive", "exited, 0, inactive",
      "exited, 143, inactive", "exited, 1, failed",
      "restarting, 1, activating", "removing, 0, deactivating", "stopping, 0, deactivating", "new-word, 0, new-word"})
  void theEnginesWordsAreThoseOfSystemd(String status, String exit, String active) {
    assertThat(TheHiveContainer.active(status, exit)).isEqualTo(active);
    assertThat(new Host.Unit("loaded", active, status, 0, "", "", true).isStopped())
        .isEqualTo(active.equals("inactive") || active.equals("failed"));
  }

  @Test
  void itsLogIsAskedForAsTheJournalIs() {
    var container = new TheHiveContainer("podman", "thehive");
    var unit = new Host.Unit("loaded", "active", "running", 0, "", "c0ffee", false);
    assertThat(container.logs(unit, " --lines=20 --follow"))
        .isEqualTo("sudo -n podman logs --tail=20 --follow c0ffee 2>&1");
    assertThat(container.logs(unit, " --since=\"10 min ago\""))
        .isEqualTo("sudo -n podman logs --since=10m c0ffee 2>&1");
    assertThat(container.command(unit, "stop")).isEqualTo("sudo -n podman stop -t 90 c0ffee");
  }

  /** The last two are how docker and podman say since when a container runs. */
  @ParameterizedTest
  @CsvSource({"2 hours ago, 2h", "30s ago, 30s", "2026-11-22, 2026-11-22", "2026-11-22 18:00, 2026-11-22T18:00:00",
      "2026-11-26T09:00:00.123456789Z, 2026-11-26T09:00:00.123456789Z",
      "2026-11-26 10:00:00.12 +0100 CET, 2026-11-26T10:00:00.12+01:00"})
  void timesAreWrittenAsTheEnginesReadThem(String text, String time) {
    assertThat(TheHiveContainer.since(text)).isEqualTo(time);
  }

  @Test
  void aTimeThatOnlyJournalctlKnowsIsRefused() {
    assertThatThrownBy(() -> TheHiveContainer.since("yesterday")).isInstanceOf(Failure.class)
        .hasMessageContaining("'yesterday'");
  }
}
