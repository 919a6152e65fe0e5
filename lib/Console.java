//DEPS info.picocli:picocli:4.7.7
//DEPS me.tongfei:progressbar:0.10.2

import java.io.Closeable;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.text.DecimalFormat;
import java.util.concurrent.Executors;
import java.util.concurrent.TimeUnit;
import java.util.function.LongSupplier;
import java.util.function.Supplier;
import me.tongfei.progressbar.DelegatingProgressBarConsumer;
import me.tongfei.progressbar.ProgressBar;
import me.tongfei.progressbar.ProgressBarBuilder;
import me.tongfei.progressbar.ProgressBarStyle;
import picocli.CommandLine.Command;
import picocli.CommandLine.Option;

/** What the administrator sees: steps and progress on stderr, the result on stdout. */
@Command(footer = {
  "In brackets: the variable, which an option overrides, and the value without both. A secret may be in a file that its"
      + " variable with _FILE names; BACKUP_PASSWORD is that of encrypted archives.",
  "Exit codes: 0 done, 1 unexpected error, 2 wrong usage or settings, 10 backup missing or invalid, 11 unreachable,"
      + " 12 authentication, 13 target not in a safe state, 14 partial, 15 verification failed, 16 declined, 130 interrupted."
})
class Console {
  @Option(names = "--verbose", description = "show traces and the libraries' warnings")
  boolean verbose;

  final boolean terminal = System.console() != null;
  private ProgressBar bar;
  private boolean drawn;
  private String logged = "";

  Console() {
    Runtime.getRuntime().addShutdownHook(new Thread(this::interrupted));
  }

  synchronized void step(String text, Object... values) {
    erase();
    System.err.println(text.formatted(values));
  }

  void warn(String text, Object... values) {
    step("warning: " + text, values);
  }

  /** Shows what went wrong and what to do about it; the exit code for it. */
  synchronized int error(String about, Failure failure) {
    step("%s", "error: " + (about.isEmpty() ? "" : about + ": ") + failure.getMessage());
    if (failure.hint != null) {
      step("%s", "hint: " + failure.hint);
    }
    if (verbose) {
      failure.printStackTrace();
    }
    return failure.code;
  }

  /** A bar on a terminal, a line every five seconds elsewhere, until closed; bytes as counted by the work itself. */
  Closeable progress(String task, long total, LongSupplier done, Supplier<String> state) {
    var draws = canDraw();
    var builder = new ProgressBarBuilder().setTaskName(task).setInitialMax(total)
        .setUnit(total < 10_000_000 ? " kB" : " MB", total < 10_000_000 ? 1_000 : 1_000_000).showSpeed(new DecimalFormat("0.0"))
        .setStyle(ProgressBarStyle.ASCII).setUpdateIntervalMillis(draws ? 200 : 5_000);
    builder.setConsumer(draws
        ? new DelegatingProgressBarConsumer(this::draw, columns() - 3) // room for ^C
        : new DelegatingProgressBarConsumer(this::log, 79));
    bar = builder.build();
    var clock = Executors.newSingleThreadScheduledExecutor(Console::daemon);
    Runnable update = () -> bar.stepTo(done.getAsLong()).setExtraMessage("  " + state.get());
    clock.scheduleAtFixedRate(update, 0, 200, TimeUnit.MILLISECONDS);
    return () -> {
      clock.shutdownNow();
      update.run();
      bar.close();
      erase();
      bar = null;
    };
  }

  /** Whether stderr is the terminal, no file, and one that is to move its cursor. */
  private boolean canDraw() {
    try {
      return terminal && Files.isSameFile(Path.of("/dev/stdin"), Path.of("/dev/stderr"))
          && System.getenv("NO_COLOR") == null && !"dumb".equals(System.getenv("TERM"));
    } catch (IOException e) {
      return false;
    }
  }

  /** The width of the terminal. Not from the library, whose terminal would take Ctrl-C from the shutdown hooks. */
  private static int columns() {
    try {
      var stty = new ProcessBuilder("stty", "size").redirectInput(ProcessBuilder.Redirect.INHERIT).start();
      var columns = Integer.parseInt(new String(stty.getInputStream().readAllBytes()).strip().replaceFirst(".* ", ""));
      return columns < 40 ? 80 : columns;
    } catch (IOException | NumberFormatException e) {
      return 80;
    }
  }

  /** Over the line before, and never onto a second line, should the terminal have become narrower. */
  private synchronized void draw(String line) {
    if (bar != null) {
      drawn = true;
      System.err.print("\r\033[?7l" + line + "\033[K\033[?7h");
    }
  }

  /** At its end the bar says everything twice. */
  private synchronized void log(String line) {
    if (!line.equals(logged)) {
      logged = line;
      step("%s", line.strip());
    }
  }

  private synchronized void erase() {
    if (drawn) {
      drawn = false;
      System.err.print("\r\033[K");
    }
  }

  private synchronized void interrupted() {
    if (bar != null) {
      step("Interrupted: run the same command again.");
      bar = null;
    }
  }

  static Thread daemon(Runnable work) {
    var thread = new Thread(work);
    thread.setDaemon(true);
    return thread;
  }

  static String size(long bytes) {
    return bytes < 1_000_000 ? (bytes + 999) / 1000 + " kB"
        : bytes < 10_000_000_000L ? (bytes + 500_000) / 1_000_000 + " MB" : (bytes + 500_000_000L) / 1_000_000_000L + " GB";
  }
}
