//SOURCES ../Script.java

import java.io.BufferedReader;
import java.io.IOException;
import java.io.PrintStream;
import java.nio.channels.FileChannel;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.concurrent.Callable;
import java.util.concurrent.Executors;
import java.util.concurrent.TimeUnit;
import java.util.stream.Collectors;
import java.util.stream.IntStream;
import java.util.stream.Stream;

/**
 * The steps of a sandbox: each is named when it begins, shows a sign of life every few seconds, and tells its time at
 * its end. The runbook's commands run as an administrator runs them, without anything of this host's own settings.
 */
final class Steps {
  /** What was set for a real cluster must not reach it from here. */
  static final String SETTINGS =
      "(CASSANDRA|ELASTICSEARCH|MINIO|MC|THEHIVE|ATTACHMENT|RESTORE|BACKUP|GENERAL)_[A-Za-z0-9_]*|ASSUME_YES";
  private static final Duration SILENCE = Duration.ofSeconds(5);

  /** A command of the runbook, and how long it took. */
  record Played(String line, double seconds) {}

  /** A command that did not end with 0. */
  static final class Failed extends Exception {
    final int code;

    Failed(String line, int code, List<String> said) {
      super("%s ended with exit %d%s".formatted(line, code, reason(said)));
      this.code = code;
    }

    /** The last error that it told, else the first that it found, with the first name below it. */
    private static String reason(List<String> said) {
      var errors = said.stream().filter(text -> text.startsWith("error: ")).toList();
      if (!errors.isEmpty()) {
        return ": " + errors.get(errors.size() - 1).substring("error: ".length());
      }
      var found = said.stream().dropWhile(text -> !text.startsWith("✗ ")).limit(2).toList();
      return found.isEmpty() ? "" : ": " + found.get(0).substring(2).replaceAll(" +", " ")
          + found.stream().skip(1).filter(text -> text.startsWith("      ")).map(text -> ": " + text.strip())
          .collect(Collectors.joining());
    }
  }

  interface Action {
    void run() throws Exception;
  }

  private final List<Played> played = new ArrayList<>();
  private final long begun = System.nanoTime();
  private volatile Process running;
  private long lastLine = System.nanoTime();
  private long stepBegun;
  private String state;

  Steps() {
    var clock = Executors.newSingleThreadScheduledExecutor(work -> {
      var thread = new Thread(work, "signs of life");
      thread.setDaemon(true);
      return thread;
    });
    clock.scheduleAtFixedRate(this::giveSign, 1, 1, TimeUnit.SECONDS);
  }

  List<Played> played() {
    return List.copyOf(played);
  }

  double seconds() {
    return (System.nanoTime() - begun) / 1e9;
  }

  void run(String title, Action action) throws Exception {
    ask(title, () -> {
      action.run();
      return null;
    });
  }

  <T> T ask(String title, Callable<T> action) throws Exception {
    var start = System.nanoTime();
    say(title);
    begin(start, "");
    try {
      return action.call();
    } finally {
      begin(0, "");
      say("  %.1f s".formatted((System.nanoTime() - start) / 1e9));
    }
  }

  private synchronized void begin(long at, String what) {
    stepBegun = at;
    state = what;
  }

  /** Sets what the next sign of life says of the step. */
  synchronized void at(String what) {
    state = what;
  }

  synchronized void say(String line) {
    print(System.err, line);
  }

  private synchronized void print(PrintStream stream, String line) {
    lastLine = System.nanoTime();
    stream.println(line);
  }

  private synchronized void giveSign() {
    var now = System.nanoTime();
    if (stepBegun != 0 && now - lastLine >= SILENCE.toNanos()) {
      say("  … %d s%s".formatted((now - stepBegun) / 1_000_000_000L, state.isEmpty() ? "" : ", " + state));
    }
  }

  /** Compiles scripts and gets what they need; what JBang and the compiler say is shown only where that fails. */
  void build(List<String> scripts) throws Exception {
    var cache = Files.createDirectories(Path.of(System.getProperty("user.home"), ".cache", "thehive-restore"));
    try (var channel = FileChannel.open(cache.resolve("build.lock"), StandardOpenOption.CREATE,
        StandardOpenOption.WRITE)) {
      at("another sandbox builds");
      channel.lock(); // JBang does not expect two of itself to build one script at once
      buildAll(scripts);
    }
  }

  private void buildAll(List<String> scripts) throws Exception {
    for (var script : scripts) {
      at("%s, %d of %d".formatted(script, scripts.indexOf(script) + 1, scripts.size()));
      var said = new ArrayList<String>();
      var code = process(Map.of(), said, false, "build", script);
      if (code != 0) {
        said.forEach(this::say);
        throw new IOException("%s could not be built".formatted(script));
      }
    }
  }

  /** Plays a command of the runbook: its output is shown as it comes. */
  void play(Map<String, String> settings, String script, String... arguments) throws Exception {
    var line = ("./jbang " + script + " " + String.join(" ", shown(arguments))).strip();
    var start = System.nanoTime();
    run("Runbook: " + line, () -> {
      var said = new ArrayList<String>();
      var code = process(settings, said, true, Stream.concat(Stream.of(script), Stream.of(arguments))
          .toArray(String[]::new));
      if (code != 0) {
        throw new Failed(line, code, said);
      }
    });
    played.add(new Played(line, (System.nanoTime() - start) / 1e9));
  }

  /** Without notes for the evidence, which are as long as what they tell. */
  private static List<String> shown(String... arguments) {
    return IntStream.range(0, arguments.length)
        .filter(i -> !arguments[i].equals("--note") && (i == 0 || !arguments[i - 1].equals("--note")))
        .mapToObj(i -> arguments[i].contains(" ") ? '"' + arguments[i] + '"' : arguments[i]).toList();
  }

  private int process(Map<String, String> settings, List<String> said, boolean show, String... arguments)
      throws IOException, InterruptedException {
    var builder = new ProcessBuilder(Script.ROOT.resolve("jbang").toString()).directory(Script.ROOT.toFile());
    builder.command().addAll(List.of(arguments));
    clean(builder.environment());
    builder.environment().putAll(settings);
    var process = builder.start();
    running = process;
    process.getOutputStream().close();
    var out = forward(process.inputReader(StandardCharsets.UTF_8), said, show ? System.out : null);
    var err = forward(process.errorReader(StandardCharsets.UTF_8), said, show ? System.err : null);
    var code = process.waitFor();
    out.join();
    err.join();
    return code;
  }

  static void clean(Map<String, String> environment) {
    environment.keySet().removeIf(name -> name.matches(SETTINGS));
    environment.put("THEHIVE_CONFIG", "/dev/null"); // of a TheHive that may run on this host
  }

  private Thread forward(BufferedReader from, List<String> said, PrintStream to) {
    var thread = new Thread(() -> {
      try (from) {
        for (var line = from.readLine(); line != null; line = from.readLine()) {
          forward(line, said, to);
        }
      } catch (IOException e) {
        // it was ended by Ctrl-C, and its output with it
      }
    });
    thread.setDaemon(true);
    thread.start();
    return thread;
  }

  private synchronized void forward(String line, List<String> said, PrintStream to) {
    said.add(line);
    if (to != null) {
      print(to, line);
    }
  }

  /** The runbook as it was played, for the last screen. */
  String table() {
    var width = played.stream().mapToInt(one -> one.line().length()).max().orElse(0);
    var lines = new StringBuilder();
    played.forEach(one -> lines.append(
        String.format(Locale.ROOT, "  %-" + Math.min(80, width) + "s  %6.1f s%n", one.line(), one.seconds())));
    return lines.toString();
  }

  /** Ends what runs; for Ctrl-C. */
  void stop() {
    var process = running;
    if (process != null && process.isAlive()) {
      var all = Stream.concat(process.descendants(), Stream.of(process.toHandle())).toList();
      all.forEach(ProcessHandle::destroy);
      all.forEach(one -> one.onExit().join());
    }
  }
}
