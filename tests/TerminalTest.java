import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/**
 * What the scripts draw on a terminal, and what they leave there: shown on a restore of attachments, the code is
 * shared.
 */
class TerminalTest {
  private static final String BAR = "elapsed 0:";

  @TempDir static Path home;

  @TempDir Path temp;

  @BeforeAll
  static void backUp() throws IOException {
    var live = home.resolve("files");
    Attachments.writeAll(live, 4000);
    HotBackup.files(live, home, "20261122_12h00m56s");
  }

  private Script restore() throws IOException {
    return Agreement.held(Script.of("restore-files-nfs.java").args("--yes", "--workers", "1")
        .env("ATTACHMENT_FOLDER", Files.createDirectories(temp.resolve("live")).toString())
        .env("GENERAL_ARCHIVE_PATH", home.resolve("storage").toString()), "files");
  }

  @Test
  void progressStaysOnOneLineAndLeavesNothingBehind() throws IOException {
    for (var columns : List.of(80, 200)) {
      var result = restore().onTerminal(columns).run();

      assertThat(result.code()).as(result.out()).isZero();
      assertThat(result.out()).as("a bar of %d columns", columns).contains("\r\033[?7lStaging [", "\r\033[KStaging [");
      for (var shown : List.of(columns, columns - 20)) { // as told, and made narrower since
        var screen = screen(result.out(), shown);
        assertThat(screen).filteredOn(line -> line.startsWith("Staging [")).as("one line is left at the end")
            .hasSize(1);
        assertThat(String.join("", screen)).as("it may go on in the next line").containsOnlyOnce("elapsed")
            .containsPattern("Restored 4,000 files, [^/]*$");
        assertThat(screen).containsOnlyOnce("  Will remove the old tree");
      }
    }
  }

  /** The hooks that clean up after Ctrl-C run, too: this line is one of theirs. */
  @Test
  void ctrlCEndsTheLineAndSaysWhatToDo() throws IOException {
    for (var columns : List.of(80, 200)) {
      var running = restore().onTerminal(columns).start().awaitErr("Staging");

      var result = running.interrupt().await();

      assertThat(result.code()).isEqualTo(130);
      var screen = screen(result.out(), columns);
      assertThat(screen).filteredOn(line -> line.startsWith("Interrupted. ")).as("%s", screen).hasSize(1);
      assertThat(String.join("", screen).replace(" ", "")).as("it may go on in the next line")
          .endsWith("Interrupted. %s is as it was before. Run the same command again.".formatted(temp.resolve("live"))
              .replace(" ", ""));
    }
  }

  @Test
  void nothingIsDrawnWhereItCannotBe() throws IOException {
    for (var script : List.of(restore(), restore().onTerminal().env("TERM", "dumb"),
        restore().onTerminal().env("NO_COLOR", "1"))) {
      var result = script.run();

      assertThat(result.code()).as(result.err()).isZero();
      assertThat(result.out().replace("\r\n", "\n") + result.err()).contains(BAR)
          .doesNotContainPattern("[\\x00-\\x09\\x0b-\\x1f]");
    }
  }

  @Test
  void nothingIsDrawnIntoALogFile() throws IOException {
    var log = temp.resolve("restore.log");
    restore().run(); // builds it
    var line = "ATTACHMENT_FOLDER=%s GENERAL_ARCHIVE_PATH=%s %s %s --yes 2> %s".formatted(temp.resolve("live"),
        home.resolve("storage"),
        Script.ROOT.resolve("jbang"), Script.ROOT.resolve("restore-files-nfs.java"), log);

    var result = Script.command("sh", "-c", line).onTerminal().run();

    assertThat(result.code()).as(result.out()).isZero();
    assertThat(log).content().containsPattern("Staging \\[=+\\] .* 4000 of 4000 files").contains(BAR)
        .doesNotContainPattern("[\\x00-\\x09\\x0b-\\x1f]").doesNotContain("\n\n\n");
    assertThat(Files.readAllLines(log).stream().filter(said -> said.contains(BAR))).doesNotHaveDuplicates();
  }

  /** What a terminal shows in the end of what it was sent. */
  private static List<String> screen(String sent, int columns) {
    var lines = new ArrayList<>(List.of(new StringBuilder()));
    var column = 0;
    var wraps = true;
    for (var i = 0; i < sent.length(); i++) {
      var line = lines.get(lines.size() - 1);
      var rest = sent.substring(i, Math.min(sent.length(), i + 5));
      if (rest.startsWith("\033[K")) {
        line.setLength(Math.min(column, line.length()));
        i += 2;
      } else if (rest.startsWith("\033[?7")) {
        wraps = rest.endsWith("h");
        i += 4;
      } else if (sent.charAt(i) == '\r') {
        column = 0;
      } else if (sent.charAt(i) == '\n') {
        lines.add(new StringBuilder());
      } else {
        if (column == columns) {
          column = wraps ? 0 : columns - 1;
          if (wraps) {
            lines.add(new StringBuilder());
            line = lines.get(lines.size() - 1);
          }
        }
        line.replace(Math.min(column, line.length()), Math.min(column + 1, line.length()), sent.substring(i, i + 1));
        column++;
      }
    }
    return lines.stream().map(line -> line.toString().stripTrailing()).filter(line -> !line.isEmpty()).toList();
  }
}
