import java.io.IOException;
import java.io.InputStream;
import java.io.InputStreamReader;
import java.io.UncheckedIOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.time.Instant;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.TreeMap;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.locks.LockSupport;
import java.util.function.Consumer;
import java.util.function.Supplier;
import java.util.regex.Pattern;
import java.util.stream.Collectors;
import java.util.stream.Stream;

/**
 * Runs a script of this checkout as a user does: {@code ./jbang <script> <args>} in a process and an environment of its
 * own.
 *
 * <pre>{@code
 * var result = Script.of("verify.java").env("CASSANDRA_CONNECTION", "127.0.0.2").args("--json").run();
 * }</pre>
 */
final class Script {
  static final Path ROOT = findRoot();
  /** How often the tests that do so kill a restore of attachments, at random moments. */
  static final int KILLS = Integer.parseInt(System.getenv().getOrDefault("KILLS", "8"));

  /** What may reach the process from here: enough to find Java, JBang, their caches and the way out, no settings. */
  private static final Set<String> KEPT = Set.of("PATH", "HOME", "JAVA_HOME", "JDK_FOLDER", "XDG_CACHE_HOME", "TMPDIR",
      "MAVEN_OPTS", "MAVEN_MIRROR_URL", "http_proxy", "https_proxy", "HTTPS_PROXY", "no_proxy", "NO_PROXY");

  private static final Pattern OF_JBANG = Pattern.compile("JAVA_HOME|JDK_FOLDER|JBANG_.*|MAVEN_OPTS|MAVEN_MIRROR_URL");
  private static final Map<String, Optional<String>> BUILT = new ConcurrentHashMap<>();
  private static final Set<Process> ALIVE = ConcurrentHashMap.newKeySet();
  /**
   * The classes that a script's whole run loads, archived by Java (class data sharing): most of a start's time is
   * theirs.
   */
  private static final Map<String, Path> CLASSES = new ConcurrentHashMap<>();
  private static boolean jbangAskedOnce;

  static {
    Runtime.getRuntime().addShutdownHook(new Thread(() -> ALIVE.forEach(Script::killTree)));
  }

  private final String script;
  private final List<String> command = new ArrayList<>();
  private final Map<String, String> environment = new LinkedHashMap<>();
  private Path folder = ROOT;
  private String stdin = "";
  private Duration timeout = Duration.ofMinutes(5);
  private boolean terminal;
  private int columns;
  private List<String> around = List.of();
  private Consumer<Result> whenEnded = result -> {};

  /** What a process left; {@code code} is 128 + signal after a signal. On a terminal all output is in {@code out}. */
  record Result(int code, String out, String err, Duration took) {}

  private Script(String script, List<String> command) {
    this.script = script;
    this.command.addAll(command);
    System.getenv().forEach((name, value) -> {
      if (KEPT.contains(name) || name.startsWith("JBANG_")) {
        environment.put(name, value);
      }
    });
    environment.put("LC_ALL", "C.UTF-8");
    environment.put("THEHIVE_CONFIG", "/dev/null"); // of a TheHive that may run on this host
  }

  /** A script by its path inside the checkout. */
  static Script of(String script) {
    return new Script(script, List.of(ROOT.resolve("jbang").toString(), ROOT.resolve(script).toString()));
  }

  /**
   * From now on JBang, which takes longer than most refusals, is asked once for a script's java command, and then that
   * is run, with its classes archived: it is what {@code ./jbang} ends in. JBangTest and others that run {@code
   * ./jbang} by name still go the whole way.
   */
  static void askJBangOnce() {
    jbangAskedOnce = true;
  }

  /** Any other command in the same clean environment. */
  static Script command(String... command) {
    return new Script(null, List.of(command));
  }

  /** Another script in the same environment, without arguments. */
  Script other(String script) {
    var other = Script.of(script).env(environment);
    other.environment.keySet().retainAll(environment.keySet());
    return other;
  }

  boolean hasArgument(String argument) {
    return command.contains(argument);
  }

  /** The argument with the one that follows it, such as an option with its value; none where it is not there. */
  String[] argumentWithValue(String argument) {
    var at = command.indexOf(argument);
    return at < 0 ? new String[0] : new String[] {argument, command.get(at + 1)};
  }

  /** Adds arguments. */
  Script args(String... args) {
    command.addAll(List.of(args));
    return this;
  }

  /** Sets a variable, or with null takes it away. */
  Script env(String name, String value) {
    if (value == null) {
      environment.remove(name);
    } else {
      environment.put(name, value);
    }
    return this;
  }

  Script env(Map<String, String> variables) {
    variables.forEach(this::env);
    return this;
  }

  Script in(Path folder) {
    this.folder = folder;
    return this;
  }

  /** All that it can read; nothing by default. Not for {@link #start}, see {@link Running#type}. */
  Script stdin(String text) {
    stdin = text;
    return this;
  }

  /** After this long it is killed and the test fails; 5 minutes by default. */
  Script timeout(Duration timeout) {
    this.timeout = timeout;
    return this;
  }

  /** Runs it by another command, which takes it as its arguments, such as {@code unshare -m}. */
  Script around(String... command) {
    around = List.of(command);
    return this;
  }

  /** Does something with the result of every run, also of one that was killed, before the test gets it. */
  Script whenEnded(Consumer<Result> then) {
    whenEnded = then;
    return this;
  }

  /** Gives it a terminal of 120 columns for stdin, stdout and stderr. */
  Script onTerminal() {
    return onTerminal(120);
  }

  Script onTerminal(int columns) {
    terminal = true;
    this.columns = columns;
    return this;
  }

  Result run() {
    var archive = worthArchiving() ? Optional.of(newArchive()) : Optional.<Path>empty();
    var running = start(archive.map(file -> "-XX:ArchiveClassesAtExit=" + file).orElse(null));
    running.type(stdin);
    var result = running.await();
    archive.filter(file -> result.code() == 0 && Files.exists(file))
        .ifPresent(file -> CLASSES.putIfAbsent(script, file));
    return result;
  }

  Running start() {
    return start(null);
  }

  /** A run that goes through most of the script. */
  private boolean worthArchiving() {
    return jbangAskedOnce && script != null && !terminal && !CLASSES.containsKey(script)
        && (hasArgument("--yes")
            || script.equals("verify.java") && command.stream().noneMatch(List.of("--help", "--version")::contains));
  }

  private static Path newArchive() {
    try {
      var folder = Files.createTempDirectory("classes");
      folder.toFile().deleteOnExit();
      var file = folder.resolve("classes.jsa");
      file.toFile().deleteOnExit();
      return file;
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }

  private Running start(String archiving) {
    // A suite started in the background of a shell ignores Ctrl-C, and so would its children: undo that for them.
    var line = Stream.of(List.of("/usr/bin/env", "--default-signal=INT"), around, builtCommand(archiving))
        .flatMap(List::stream).toList();
    if (terminal) {
      environment.putIfAbsent("TERM", "xterm");
      environment.put("SHELL", "/bin/sh");
      line =
          List.of("script", "-qec", "command -p stty cols " + columns + " rows 40; exec " + quoted(line), "/dev/null");
    }
    var builder = new ProcessBuilder(line).directory(folder.toFile());
    builder.environment().clear();
    builder.environment().putAll(environment);
    try {
      return new Running(builder.start(), timeout, terminal, whenEnded);
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }

  private List<String> builtCommand(String archiving) {
    if (script == null) {
      return command;
    }
    var java = BUILT.computeIfAbsent(script, Script::build);
    if (java.isEmpty() || !ofJBang(environment).equals(ofJBang(System.getenv()))) {
      return command;
    }
    var classes =
        archiving == null && CLASSES.containsKey(script) ? "-XX:SharedArchiveFile=" + CLASSES.get(script) : archiving;
    var program = classes == null ? java.get() : java.get().replaceFirst(" ", " " + classes + " -Xlog:disable ");
    return Stream.concat(Stream.of("sh", "-c", "exec " + program + " \"$@\"", "sh"), command.stream().skip(2)).toList();
  }

  /** What changes the java command of a script. */
  private static Map<String, String> ofJBang(Map<String, String> environment) {
    return environment.entrySet().stream().filter(variable -> OF_JBANG.matcher(variable.getKey()).matches())
        .collect(Collectors.toMap(Map.Entry::getKey, Map.Entry::getValue));
  }

  /**
   * Compiles and downloads beforehand: neither belongs to the time limit or the output of a test, and JBang does not
   * expect two of itself to build the same script at once.
   *
   * @return the java command, where the suite asks for it and JBang is the wrapper's
   */
  private static Optional<String> build(String script) {
    var path = ROOT.resolve(script).toString();
    var result = command(ROOT.resolve("jbang").toString(), "build", path).timeout(Duration.ofMinutes(20)).run();
    if (result.code() != 0) {
      throw new AssertionError("cannot build " + script + "\n" + result.err());
    }
    if (!jbangAskedOnce) {
      return Optional.empty();
    }
    try (var jars = Files.newDirectoryStream(jbangJars(), "jbang-cli-*-all.jar")) {
      for (var jar : jars) {
        var java = Path.of(System.getProperty("java.home"), "bin/java").toString();
        var printed = command(java, "-jar", jar.toString(), "run", path).run();
        return Optional.of(printed.out().strip()).filter(any -> printed.code() == 255);
      }
    } catch (IOException e) {
      // JBang is installed: it runs the command itself
    }
    return Optional.empty();
  }

  /** Where {@code ./jbang} keeps JBang itself. */
  static Path jbangJars() {
    return Path.of(Optional.ofNullable(System.getenv("JBANG_DIR")).orElse(System.getProperty("user.home") + "/.jbang"))
        .resolve("cli");
  }

  private static String quoted(List<String> command) {
    return command.stream().map(word -> "'" + word.replace("'", "'\\''") + "'").collect(Collectors.joining(" "));
  }

  private static Path findRoot() {
    for (var folder = Path.of("").toAbsolutePath(); folder != null; folder = folder.getParent()) {
      if (Files.exists(folder.resolve("tests/suite.java")) && Files.exists(folder.resolve("jbang"))) {
        return folder;
      }
    }
    throw new IllegalStateException("start the tests inside the checkout: ./jbang tests/suite.java");
  }

  /** The latest JDK beside the one that the tests run on. */
  static Optional<Path> laterJdk() throws IOException {
    var version = Pattern.compile("JAVA_VERSION=\"(\\d+)");
    var versions = new TreeMap<Integer, Path>();
    // where Debian and Red Hat have them
    try (var releases = Files.newDirectoryStream(Path.of("/usr/lib/jvm"), Files::isDirectory)) {
      for (var jdk : releases) {
        if (Files.exists(jdk.resolve("release")) && Files.exists(jdk.resolve("bin/javac"))) {
          var match = version.matcher(Files.readString(jdk.resolve("release")));
          versions.put(match.find() ? Integer.parseInt(match.group(1)) : 0, jdk);
        }
      }
    }
    return Optional.ofNullable(versions.tailMap(Runtime.version().feature(), false).lastEntry())
        .map(Map.Entry::getValue);
  }

  private static void killTree(Process process) {
    var descendants = process.descendants().toList();
    process.destroyForcibly();
    descendants.forEach(ProcessHandle::destroyForcibly);
  }

  /** A script at work. */
  static final class Running {
    private final Process process;
    private final Instant started = Instant.now();
    private final Duration timeout;
    private final boolean terminal;
    private final Consumer<Result> whenEnded;
    private final StringBuffer out = new StringBuffer();
    private final StringBuffer err = new StringBuffer();
    private final List<Thread> readers;

    private Running(Process process, Duration timeout, boolean terminal, Consumer<Result> whenEnded) {
      this.process = process;
      this.timeout = timeout;
      this.terminal = terminal;
      this.whenEnded = whenEnded;
      ALIVE.add(process);
      readers = List.of(read(process.getInputStream(), out), read(process.getErrorStream(), err));
    }

    long pid() {
      return process.pid();
    }

    /** What it wrote to stdout (on a terminal: everything) until now. */
    String out() {
      return out.toString();
    }

    /** What it wrote to stderr until now. */
    String err() {
      return err.toString();
    }

    /** Types on its terminal, or writes to its standard input, which stays open until {@link #await}. */
    Running type(String text) {
      try {
        process.getOutputStream().write(text.getBytes(StandardCharsets.UTF_8));
        process.getOutputStream().flush();
      } catch (IOException e) {
        // It ended, or reads nothing: what it answered instead is for the test to see.
      }
      return this;
    }

    /** Waits until stderr (on a terminal: the screen) shows the text; fails when it ends without. */
    Running awaitErr(String text) {
      return awaitText(terminal ? this::out : this::err, text);
    }

    /** Waits until stdout shows the text; fails when it ends without. */
    Running awaitOut(String text) {
      return awaitText(this::out, text);
    }

    /** Ctrl-C. */
    Running interrupt() {
      return terminal ? type("\u0003") : signal("INT");
    }

    Running signal(String name) {
      var sent = command("/bin/sh", "-c", "kill -" + name + " " + process.pid()).run();
      if (sent.code() != 0) {
        throw new AssertionError("cannot send SIG" + name + ": " + sent.err());
      }
      return this;
    }

    /** Waits for its end; the most memory that one of its processes ever held, in bytes: VmHWM of Linux. */
    long peakUntilEnd() {
      var peak = 0L;
      while (process.isAlive()) {
        var all = Stream.concat(Stream.of(process.toHandle()), process.descendants());
        peak = Math.max(peak, all.mapToLong(Running::peak).max().orElse(0));
        LockSupport.parkNanos(200_000_000);
      }
      return peak;
    }

    private static long peak(ProcessHandle process) {
      try (var lines = Files.lines(Path.of("/proc", "" + process.pid(), "status"))) {
        return lines.filter(line -> line.startsWith("VmHWM:")).map(line -> line.replaceAll("\\D", ""))
            .mapToLong(Long::parseLong).findFirst().orElse(0) * 1024;
      } catch (IOException e) {
        return 0; // it has ended
      }
    }

    /** SIGKILL to it and everything it started. */
    Result kill() {
      killTree(process);
      return await();
    }

    /** Closes its standard input and waits for its end. */
    Result await() {
      var result = end();
      whenEnded.accept(result);
      return result;
    }

    private Result end() {
      try {
        if (!terminal) { // on a terminal the end of input would be typed as Ctrl-D
          closeStdin();
        }
        var left = timeout.minus(Duration.between(started, Instant.now()));
        if (!process.waitFor(left.toMillis(), TimeUnit.MILLISECONDS)) {
          killTree(process);
          throw failure("not done after " + timeout.toSeconds() + " s");
        }
        var took = Duration.between(started, Instant.now());
        closeStdin();
        for (var reader : readers) {
          // What it left behind in the background may hold its output open.
          reader.join(5_000);
        }
        return new Result(process.exitValue(), out(), err(), took);
      } catch (InterruptedException e) {
        killTree(process);
        throw new AssertionError("interrupted", e);
      } finally {
        ALIVE.remove(process);
      }
    }

    private void closeStdin() {
      try {
        process.getOutputStream().close();
      } catch (IOException e) {
        // It had ended without reading everything.
      }
    }

    private Running awaitText(Supplier<String> source, String text) {
      while (!source.get().contains(text)) {
        if (Duration.between(started, Instant.now()).compareTo(timeout) > 0) {
          killTree(process);
          throw failure("no \"" + text + "\" after " + timeout.toSeconds() + " s");
        }
        var ended = readers.stream().noneMatch(Thread::isAlive);
        if (ended && !source.get().contains(text)) {
          throw failure("ended without \"" + text + "\"");
        }
        try {
          Thread.sleep(20);
        } catch (InterruptedException e) {
          killTree(process);
          throw new AssertionError("interrupted", e);
        }
      }
      return this;
    }

    private AssertionError failure(String what) {
      return new AssertionError(what + "\n--- stdout\n" + out + "\n--- stderr\n" + err);
    }

    private static Thread read(InputStream stream, StringBuffer into) {
      var thread = new Thread(() -> {
        try (var reader = new InputStreamReader(stream, StandardCharsets.UTF_8)) {
          var buffer = new char[8192];
          for (int n = reader.read(buffer); n >= 0; n = reader.read(buffer)) {
            into.append(buffer, 0, n);
          }
        } catch (IOException e) {
          // The stream is closed under the reader when the process is killed.
        }
      });
      thread.setDaemon(true);
      thread.start();
      return thread;
    }
  }
}
