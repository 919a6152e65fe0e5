///usr/bin/env jbang "$0" "$@" ; exit $?
//DESCRIPTION Draws the README's picture of a run of the sandbox, from a recorded terminal
//JAVA 17+
//DEPS info.picocli:picocli:4.7.7
//COMPILE_OPTIONS -encoding UTF-8
//JAVA_OPTIONS -Dfile.encoding=UTF-8 -Dstdout.encoding=UTF-8 -Dstderr.encoding=UTF-8
//SOURCES Script.java
//SOURCES sandbox/TerminalPicture.java

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.concurrent.Callable;
import picocli.CommandLine;
import picocli.CommandLine.Command;
import picocli.CommandLine.Option;

/**
 * Writes docs/run.svg from docs/run.ansi, the last screen of a real run. Records that run anew with {@code --record}.
 *
 * <p>Example: {@code ./jbang tests/picture.java}
 */
@Command(name = "picture.java", mixinStandardHelpOptions = true, synopsisHeading = "Usage: ./jbang tests/",
    description = "Draws docs/run.svg, the README's picture, from docs/run.ansi.",
    exitCodeListHeading = "Exit codes:%n", exitCodeList = {"0:drawn", "1:the run failed", "2:usage"})
class Picture implements Callable<Integer> {
  private static final Path RECORDED = Script.ROOT.resolve("docs/run.ansi");
  private static final Path DRAWN = Script.ROOT.resolve("docs/run.svg");

  @Option(names = "--record", description = "run the sandbox on a terminal first, and keep its last screen")
  private boolean record;

  public static void main(String... args) {
    System.exit(new CommandLine(new Picture()).execute(args));
  }

  @Override
  public Integer call() throws IOException {
    if (record) {
      System.err.println("Running ./jbang tests/sandbox.java: 3 to 5 minutes");
      var run = Script.command(Script.ROOT.resolve("jbang").toString(), "tests/sandbox.java")
          .onTerminal(100).stdin("\n").timeout(Duration.ofMinutes(20)).run();
      System.err.print(run.out());
      if (run.code() != 0) {
        System.err.println("error: the sandbox ended with exit " + run.code());
        return 1;
      }
      Files.writeString(RECORDED, lastScreen(run.out().replace("\r", "")));
    }
    Files.writeString(DRAWN, TerminalPicture.svg(Files.readString(RECORDED)));
    System.out.println("Drawn: " + DRAWN);
    return 0;
  }

  /** The command, and what came after the blank line before the table; what to try next is no result. */
  private static String lastScreen(String shown) {
    var table = shown.lastIndexOf("\n\n", shown.indexOf("disaster     restored"));
    return "\033[1m$ ./jbang tests/sandbox.java\033[0m\n…\n"
        + shown.substring(table + 2, shown.indexOf("\nTry next", table));
  }
}
