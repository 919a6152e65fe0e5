import static org.assertj.core.api.Assertions.assertThat;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** ssh hands a command to the user's login shell on the other host, which may be any: each passes it on as it is. */
class LoginShellsTest {
  private static final Host NODE = new Host("node1", "node1", null);
  @TempDir private Path bin;

  /** What ssh would give to the login shell of the other host. */
  private static String remote(String command) {
    var words = NODE.command(command);
    return words.get(words.size() - 1);
  }

  private void program(String name, String text) throws IOException {
    var file = Files.writeString(bin.resolve(name), "#!/bin/sh\n" + text);
    assertThat(file.toFile().setExecutable(true)).isTrue();
  }

  private Script.Result run(String shell, String command) {
    return Script.command(shell, "-c", remote(command)).env("PATH", bin + ":" + System.getenv("PATH")).run();
  }

  @ParameterizedTest
  @ValueSource(strings = {"sh", "bash", "fish", "tcsh"})
  void asksForAContainer(String shell) throws IOException {
    assumeTrue(Hosts.onPath(shell), shell + " is not installed");
    program("docker", "for word; do printf '<%s>' \"$word\"; done; echo\n");
    assertThat(run(shell, new TheHiveContainer("docker", "thehive").inspect()).out()).isEqualTo(
        "<inspect><--type><container><-f><thehive-container|docker|{{.Id}}|{{.State.Status}}|{{.State.ExitCode}}"
            + "|{{.RestartCount}}|{{.State.StartedAt}}><thehive>\n");
  }

  @ParameterizedTest
  @ValueSource(strings = {"fish", "tcsh"})
  void asksForAUnit(String shell) throws IOException {
    assumeTrue(Hosts.onPath(shell), shell + " is not installed");
    program("ssh", "while [ \"$1\" != -- ]; do shift; done; exec %s -c \"$3\"\n".formatted(shell));
    program("systemctl", "echo ActiveState=active; echo LoadState=loaded; echo \"SubState=$4\"\n");
    var asked = Script.of("service-control.java").args("status").env("PATH", bin + ":" + System.getenv("PATH"))
        .env("THEHIVE_NODES", "node1").run();
    assertThat(asked.out()).as(asked.err()).contains("node1", "active (thehive");
  }
}
