import static org.assertj.core.api.Assertions.assertThat;
import static org.awaitility.Awaitility.await;

import java.io.IOException;
import java.nio.file.Files;
import java.util.Map;
import java.util.TreeMap;
import java.util.regex.Pattern;
import java.util.stream.Collectors;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;

/** The units of docs/rehearse.md, as they stand there, on a host with systemd. */
@Tag("hosts")
class RehearsalHostsTest {
  private static final String NAME = "thehive-rehearsal";
  private Hosts.Host host;

  @BeforeEach
  void writeUnits() throws IOException {
    host = HostsTest.startOrSkip().host("node1");
    units().forEach(this::write);
  }

  @AfterEach
  void removeUnits() {
    host.exec("""
        systemctl stop 'thehive-rehearsal*'
        rm -rf /etc/systemd/system/thehive-rehearsal* /opt/thehive-restore /usr/local/bin/mail /root/mailed
        systemctl daemon-reload
        systemctl reset-failed""");
  }

  /** By their paths. */
  private static Map<String, String> units() throws IOException {
    var page = Files.readString(Script.ROOT.resolve("docs/rehearse.md"));
    return Pattern.compile("`(/etc/systemd/system/[^`]+)`[^`]*```ini\\n(.*?)```", Pattern.DOTALL).matcher(page)
        .results().collect(Collectors.toMap(match -> match.group(1), match -> match.group(2), (a, b) -> a, TreeMap::new));
  }

  private void write(String path, String text) {
    host.exec("mkdir -p \"$(dirname %1$s)\" && cat > %1$s <<'END'\n%2$sEND".formatted(path, text));
  }

  private void program(String path, String text) {
    write(path, text);
    host.exec("chmod +x " + path);
  }

  @Test
  void theNightlyRehearsalBeginsAtItsTimeAndTellsWhenItFails() throws IOException {
    assertThat(units().keySet()).extracting(path -> path.replaceFirst(".*/", ""))
        .containsExactlyInAnyOrder(NAME + ".service", NAME + ".timer", NAME + "-failed.service");
    program("/opt/thehive-restore/jbang", "#!/bin/sh\necho \"error: no restore point; asked for $*\"; exit 10\n");
    program("/usr/local/bin/mail", "#!/bin/sh\n(echo \"$@\"; cat) > /root/mailed.new; mv /root/mailed.new"
        + " /root/mailed\n");

    assertThat(host.exec("systemd-analyze verify --man=no %s 2>&1 | grep thehive-rehearsal || true"
        .formatted(String.join(" ", units().keySet())))).isEmpty();
    host.exec("systemctl daemon-reload && systemctl enable --now %s.timer 2>&1".formatted(NAME));
    assertThat(host.exec("systemctl show -p NextElapseUSecRealtime %s.timer".formatted(NAME))).contains(" 03:30:00 ");
    assertThat(host.exec("systemctl is-active %s.service || true".formatted(NAME))).isEqualTo("inactive\n");

    assertThat(host.exec("systemctl start %s.service || echo failed".formatted(NAME))).contains("failed");
    await().untilAsserted(() -> assertThat(host.exec("cat /root/mailed 2>&1 || true"))
        .startsWith("-s TheHive: rehearsal failed root\n")
        .contains("error: no restore point; asked for tests/sandbox.java --backup-set /mnt/backup --work /var/tmp"));
  }
}
