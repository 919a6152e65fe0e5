import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.nio.file.Files;
import java.time.Duration;
import java.util.regex.Pattern;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;

/** The README's first command: the whole runbook as an administrator plays it, on servers and hosts of its own. */
@Tag("servers")
@Tag("hosts")
class SandboxTest {
  @Test
  void theWholeRunbookBringsEverythingBack() throws IOException {
    var result = Script.of("tests/sandbox.java").args("--listen", "127.0.0.52,127.0.0.53,127.0.0.54")
        .timeout(Duration.ofMinutes(15)).run();

    assertThat(result.code()).as(result.out() + result.err()).isZero();
    assertThat(result.out())
        .contains("=== ✓ Successful full restore ===", "✓ The restored system answers as before the disaster")
        .containsPattern("graph and index agree +yes +no index +yes")
        .doesNotContain("✗");
    assertThat(result.err()).contains("Touches nothing of yours", "127.0.0.52, 127.0.0.53, 127.0.0.54, ports 9042, ",
        "Runbook: ./jbang verify.java archives", "Runbook: ./jbang restore-files-minio.java --yes")
        .doesNotContain("[jbang]", "Note: ");
    var without = Pattern.compile("No hosts here, so TheHive is neither stopped nor started: (.*)")
        .matcher(result.err());
    if (without.find()) {
      assertThat(result.out()).contains("not played: service-control.java stop");
      HostsTest
          .skip("all was well but for TheHive's stop and start, for which there are no hosts: " + without.group(1));
    }
    assertThat(result.err()).contains("Runbook: ./jbang service-control.java stop",
        "Runbook: ./jbang service-control.java start",
        "Runbook: ./jbang verify.java --only services,logs", "thehive-sandbox")
        .doesNotContain("  none: ");
    assertThat(result.out()).doesNotContain("not played");
    var picture = Files.readString(Script.ROOT.resolve("docs/run.ansi"));
    assertThat(words(result.out())).as("the README's picture shows the same").contains(
        words(picture.substring(picture.indexOf("…\n") + 2)));
  }

  /** Without what differs from run to run: numbers, hashes, and the blanks before them. */
  private static String words(String screen) {
    return TerminalPicture.plain(screen).replaceAll("[0-9a-f]{12}…", "#").replaceAll("\\d+", "#")
        .replaceAll("\\s+", " ");
  }
}
