///usr/bin/env jbang "$0" "$@" ; exit $?
//DESCRIPTION Stops, starts and watches TheHive on every node of its cluster
//JAVA 17+
// Of the classes below the marker, written by ./jbang lib/embed.java:
//DEPS com.fasterxml.jackson.core:jackson-databind:2.23.0
//DEPS info.picocli:picocli:4.7.7
//COMPILE_OPTIONS -encoding UTF-8
//JAVA_OPTIONS -Xmx64m -XX:+UseSerialGC -XX:TieredStopAtLevel=1
//JAVA_OPTIONS -Dfile.encoding=UTF-8 -Dstdout.encoding=UTF-8 -Dstderr.encoding=UTF-8 -Djdk.console=java.base

import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.SerializationFeature;
import com.fasterxml.jackson.databind.cfg.EnumFeature;
import com.fasterxml.jackson.databind.json.JsonMapper;
import java.io.File;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse;
import java.nio.charset.StandardCharsets;
import java.nio.file.FileSystemException;
import java.nio.file.Files;
import java.nio.file.InvalidPathException;
import java.nio.file.Path;
import java.security.GeneralSecurityException;
import java.security.KeyStore;
import java.security.cert.CertificateException;
import java.security.cert.CertificateFactory;
import java.time.Duration;
import java.time.Instant;
import java.time.temporal.ChronoUnit;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Objects;
import java.util.Optional;
import java.util.Set;
import java.util.TreeMap;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionException;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.Executors;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.TimeoutException;
import java.util.function.Function;
import java.util.regex.Pattern;
import java.util.stream.Collectors;
import java.util.stream.Stream;
import javax.net.ssl.KeyManager;
import javax.net.ssl.SSLContext;
import javax.net.ssl.SSLException;
import javax.net.ssl.TrustManager;
import javax.net.ssl.TrustManagerFactory;
import javax.net.ssl.X509TrustManager;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.Parameters;
import picocli.CommandLine.ScopeType;
import picocli.CommandLine.Spec;
import picocli.CommandLine;

/**
 * Steps 1 and 4 of "Restore a hot backup on a cluster": stops TheHive on every node before a restore, and starts it
 * after. THEHIVE_NODES names the nodes; this host is asked directly, the others through ssh with the administrator's
 * own configuration and keys.
 *
 * <pre>THEHIVE_NODES="node1 admin@node2:2222 localhost" ./jbang service-control.java stop</pre>
 */
@Command(
    name = "service-control.java",
    description = "Stops, starts and watches TheHive on every node of its cluster.",
    version = "1.0.0",
    mixinStandardHelpOptions = true,
    sortOptions = false,
    usageHelpAutoWidth = true,
    synopsisSubcommandLabel = "COMMAND",
    footer = {
      "Variables: THEHIVE_NODES, such as \"node1 admin@node2:2222 localhost\" (this host),"
          + " THEHIVE_SERVICE (thehive), THEHIVE_URL (http://<node>:9000),"
          + " THEHIVE_CA (the JDK's).",
      "Exit codes: 0 done, 1 unexpected error, 2 wrong usage or settings, 11 unreachable, 12 log-in or sudo refused, 13 a"
          + " node not in the wanted state or a restore unfinished, 130 interrupted."
    })
class ServiceControl implements Runnable {
  /** Whatever starts a service behind an administrator's back does it within seconds. */
  static final Duration SETTLE = Duration.ofSeconds(5);
  /** So often a unit may be started again by systemd before it counts as failed. */
  static final int RESTARTS = 2;
  static final String LAST_LINES = "its last log lines are above, or in " + Application.LOG + " there";

  @Option(names = "--verbose", scope = ScopeType.INHERIT, description = "show traces")
  boolean verbose;

  @Spec CommandSpec command;

  private volatile boolean interrupted;

  /** What every command may be told. */
  static final class Nodes {
    @Parameters(paramLabel = "NODE", arity = "0..*", description = "only these, instead of all of THEHIVE_NODES")
    List<String> names = List.of();

    /** A node of THEHIVE_NODES goes by its name alone, and keeps its user and port. */
    List<Host> hosts() {
      var all = TheHiveSettings.of(Settings.fromEnvironment()).hosts();
      return names.isEmpty() ? all : names.stream().flatMap(name -> {
        var known = all.stream().filter(host -> host.name().equals(name)).toList();
        return (known.isEmpty() ? Host.named(name) : known).stream();
      }).distinct().toList();
    }
  }

  /** What every command that changes something may be told. */
  static final class Change {
    @Option(names = "--timeout", paramLabel = "SECONDS", defaultValue = "300", description = "for each node (${DEFAULT-VALUE})")
    int seconds;

    @Option(names = "--dry-run", description = "ask the nodes, print the commands, change nothing")
    boolean dryRun;

    Duration limit() {
      if (seconds < 1) {
        throw new Failure(Exit.USAGE, "--timeout %d is no time".formatted(seconds), "name seconds, such as 300");
      }
      return Duration.ofSeconds(seconds);
    }
  }

  /** How a start may be done. */
  static final class Start {
    @Option(names = "--rolling", description = "start node by node, each when the one before answers")
    boolean rolling;

    @Option(names = "--active-only", description = "do not wait for the application's answer, where its port cannot be reached from here")
    boolean activeOnly;

    @Option(names = "--archives", paramLabel = "DIR,...", hideParamSyntax = true, split = ",",
        description = "where restores were told to look for backups: unfinished ones are seen there, too")
    List<Path> archives = List.of();

    @Option(names = "--force", description = "start although a restore is unfinished")
    boolean force;
  }

  /** How one node ended: its unit, where it could be asked, and why it is not as wanted. */
  record Outcome(Host host, Optional<Host.Unit> unit, String application, Optional<Failure> failure) {}

  public static void main(String[] args) {
    var script = new ServiceControl();
    System.exit(new CommandLine(script).setExecutionExceptionHandler((thrown, line, parsed) -> script.failed(Failure.of(thrown))).execute(args));
  }

  @Override
  public void run() {
    throw new CommandLine.ParameterException(command.commandLine(), "Say what to do: status, stop, start, restart or logs");
  }

  // --------------------------------------------------------------------------------------------------------- commands

  @Command(description = "Shows the state of TheHive on every node.", mixinStandardHelpOptions = true)
  int status(@Mixin Nodes nodes) {
    return end(Host.each(nodes.hosts(), attempt(host -> outcome(host, loaded(host), Application.on(host, TheHiveSettings.of(Settings.fromEnvironment())).problem().orElse("answers")))));
  }

  @Command(description = "Stops TheHive on every node, and returns when it stays stopped.", mixinStandardHelpOptions = true)
  int stop(@Mixin Nodes nodes, @Mixin Change change) {
    return change.dryRun ? dryRun(nodes.hosts(), "stop") : end(stopAll(nodes.hosts(), change.limit()));
  }

  @Command(description = "Starts TheHive on every node, and returns when it answers.", mixinStandardHelpOptions = true, sortOptions = false)
  int start(@Mixin Nodes nodes, @Mixin Start how, @Mixin Change change) {
    refuseUnfinished(how);
    return change.dryRun ? dryRun(nodes.hosts(), "start") : end(startAll(nodes.hosts(), how, change.limit()));
  }

  @Command(description = "Stops TheHive on all nodes together, then starts it.", mixinStandardHelpOptions = true, sortOptions = false)
  int restart(@Mixin Nodes nodes, @Mixin Start how, @Mixin Change change) {
    refuseUnfinished(how);
    if (change.dryRun) {
      return Math.max(dryRun(nodes.hosts(), "stop"), dryRun(nodes.hosts(), "start"));
    }
    var outcomes = Host.each(nodes.hosts(), attempt(host -> outcome(host, loaded(host), "")));
    if (anyFailed(outcomes)) {
      step("Nothing was stopped.");
      return end(outcomes);
    }
    outcomes = stopAll(nodes.hosts(), change.limit());
    if (anyFailed(outcomes)) {
      step("Nothing was started; when the cause is gone: ./jbang service-control.java start");
      return end(outcomes);
    }
    return end(startAll(nodes.hosts(), how, change.limit()));
  }

  @Command(description = "Follows the journal of TheHive on all nodes together, until Ctrl-C. Some units drop its output: then see "
      + Application.LOG + " there.", mixinStandardHelpOptions = true, sortOptions = false)
  int logs(
      @Mixin Nodes nodes,
      @Option(names = "--since", paramLabel = "TIME", description = "from then on: '10 min ago', '2026-11-22 18:00'") String since,
      @Option(names = "--errors", description = "only lines that tell of an error") boolean errors,
      @Option(names = "--no-follow", description = "end with the last line that is there") boolean noFollow) {
    if (since != null && !since.matches("[\\w :.+-]+")) {
      throw new Failure(Exit.USAGE, "--since '%s' is no time".formatted(since), "as journalctl has it: '10 min ago', '2026-11-22 18:00', today");
    }
    var journal = "journalctl --unit=%s --output=short-iso --no-hostname --no-pager%s%s".formatted(TheHiveSettings.of(Settings.fromEnvironment()).service(),
        since == null ? " --lines=20" : " --since=\"" + since + "\"", noFollow ? "" : " --follow");
    var hosts = nodes.hosts();
    var width = hosts.stream().mapToInt(host -> host.name().length()).max().orElse(0);
    return end(Host.each(hosts, attempt(host -> follow(host, journal, errors, width))).stream()
        .filter(outcome -> outcome.failure().isPresent()).toList());
  }

  // ------------------------------------------------------------------------------------------------------------ steps

  private List<Outcome> stopAll(List<Host> hosts, Duration limit) {
    step("Stopping %s on %s", TheHiveSettings.of(Settings.fromEnvironment()).service(), names(hosts));
    return Host.each(hosts, attempt(host -> stop(host, limit)));
  }

  private Outcome stop(Host host, Duration limit) {
    var begun = Instant.now();
    var unit = loaded(host);
    if (!unit.isStopped()) {
      systemctl(host, unit, "stop", limit);
      unit = host.unit(TheHiveSettings.of(Settings.fromEnvironment()).service());
    }
    if (!unit.isStopped()) {
      throw new Failure(Exit.UNSAFE, "%s: %s is still %s after %d s".formatted(host.name(), TheHiveSettings.of(Settings.fromEnvironment()).service(), unit, seconds(begun)),
          "see its log: ./jbang service-control.java logs " + host.name());
    }
    step("%s: %s after %d s, watching for %d s that it stays so", host.name(), unit, seconds(begun), SETTLE.toSeconds());
    for (var until = Instant.now().plus(SETTLE); Instant.now().isBefore(until); ) {
      pause();
      unit = host.unit(TheHiveSettings.of(Settings.fromEnvironment()).service());
      if (!unit.isStopped()) {
        throw new Failure(Exit.UNSAFE, "%s: something started %s again: it is %s".formatted(host.name(), TheHiveSettings.of(Settings.fromEnvironment()).service(), unit),
            "find what does it (monitoring, cron, configuration management) and switch that off until the restore is done");
      }
    }
    return outcome(host, unit, "");
  }

  private List<Outcome> startAll(List<Host> hosts, Start how, Duration limit) {
    step("Starting %s on %s%s", TheHiveSettings.of(Settings.fromEnvironment()).service(), names(hosts), how.rolling ? ", one after the other" : "");
    var start = attempt(host -> start(host, !how.activeOnly, limit));
    if (!how.rolling) {
      return Host.each(hosts, start);
    }
    var outcomes = new ArrayList<Outcome>();
    for (var host : hosts) {
      var before = outcomes.stream().filter(outcome -> outcome.failure().isPresent()).findFirst();
      outcomes.add(before.isEmpty() ? start.apply(host) : attempt(any -> {
        throw new Failure(Exit.UNSAFE, "%s: not started, because %s failed".formatted(host.name(), before.get().host().name()), null);
      }).apply(host));
    }
    return outcomes;
  }

  private Outcome start(Host host, boolean answer, Duration limit) {
    var begun = Instant.now();
    var before = loaded(host);
    var application = answer ? Optional.of(Application.on(host, TheHiveSettings.of(Settings.fromEnvironment()))) : Optional.<Application>empty();
    try {
      if (!before.active().equals("active")) {
        systemctl(host, before, "start", limit);
      }
      var unit = host.unit(TheHiveSettings.of(Settings.fromEnvironment()).service());
      var restarts = unit.restarts();
      var problem = application.flatMap(Application::problem);
      var settled = answer ? 0 : Math.min(SETTLE.toSeconds(), limit.toSeconds());
      while (!unit.active().equals("active") || problem.isPresent() || seconds(begun) < settled) {
        if (unit.active().equals("failed") || unit.restarts() > restarts + RESTARTS) {
          throw new Failure(Exit.UNSAFE, "%s: %s does not stay up: it is %s, started %d times by systemd".formatted(
              host.name(), TheHiveSettings.of(Settings.fromEnvironment()).service(), unit, unit.restarts()), LAST_LINES);
        }
        if (seconds(begun) >= limit.toSeconds()) {
          throw new Failure(Exit.UNSAFE, "%s: %s is %s, but after %d s: %s".formatted(host.name(), TheHiveSettings.of(Settings.fromEnvironment()).service(), unit, limit.toSeconds(),
              problem.orElse("not active")), LAST_LINES + "; THEHIVE_URL says where it is asked, --timeout how long");
        }
        pause();
        unit = host.unit(TheHiveSettings.of(Settings.fromEnvironment()).service());
        problem = application.flatMap(Application::problem);
      }
      step("%s: %s%s after %d s", host.name(), unit, answer ? ", answers" : "", seconds(begun));
      return outcome(host, unit, answer ? "answers" : "");
    } catch (Failure e) {
      showLog(host, before.root());
      throw e;
    }
  }

  private void systemctl(Host host, Host.Unit unit, String verb, Duration limit) {
    Host.Output output;
    try {
      output = host.run(sudo(unit.root(), "systemctl %s %s".formatted(verb, TheHiveSettings.of(Settings.fromEnvironment()).service())), limit);
    } catch (Failure e) {
      if (e.code == Exit.UNREACHABLE) {
        return; // systemd may still be at it: the unit is asked next, and that tells whether the node is gone
      }
      throw e;
    }
    if (output.code() == 0) {
      return; // whatever sudo may warn of
    }
    var said = Host.last(output.err());
    if (said.startsWith("sudo:")) {
      throw new Failure(Exit.AUTHENTICATION, "%s: %s".formatted(host.name(), said),
          "allow it without a password there: NOPASSWD: /usr/bin/systemctl * %s, /usr/bin/journalctl *".formatted(TheHiveSettings.of(Settings.fromEnvironment()).service()));
    }
    throw new Failure(Exit.UNSAFE, "%s: systemctl %s: %s".formatted(host.name(), verb, said), null);
  }

  /** The unit as it is, masked or not; an unknown one is no stopped one. */
  private static Host.Unit loaded(Host host) {
    var unit = host.unit(TheHiveSettings.of(Settings.fromEnvironment()).service());
    if (!unit.isInstalled()) {
      throw new Failure(Exit.UNSAFE, "%s: the unit %s is %s".formatted(host.name(), TheHiveSettings.of(Settings.fromEnvironment()).service(), unit.load().isEmpty() ? "unknown" : unit.load()),
          "THEHIVE_SERVICE names TheHive's unit; is TheHive installed there?");
    }
    return unit;
  }

  private void showLog(Host host, boolean root) {
    try {
      var journal = host.run(sudo(root, "journalctl --unit=%s --lines=20 --output=short-iso --no-hostname --no-pager".formatted(TheHiveSettings.of(Settings.fromEnvironment()).service())),
          Duration.ofSeconds(30));
      journal.out().lines().forEach(line -> step("%s | %s", host.name(), Application.plain(line)));
    } catch (Failure e) {
      step("%s: no log: %s", host.name(), e.getMessage());
    }
  }

  /** Every line as it comes, after its node's name. */
  private Outcome follow(Host host, String journal, boolean errors, int width) {
    var unit = loaded(host);
    var colour = System.console() != null && System.getenv("NO_COLOR") == null && !"dumb".equals(System.getenv("TERM"));
    try {
      var process = new ProcessBuilder(host.command(sudo(unit.root(), journal))).redirectInput(new File("/dev/null")).redirectErrorStream(true).start();
      Runtime.getRuntime().addShutdownHook(new Thread(() -> {
        interrupted = true;
        process.destroy();
      }));
      var last = "";
      try (var lines = process.inputReader(StandardCharsets.UTF_8)) {
        for (var line = lines.readLine(); line != null; line = lines.readLine()) {
          last = Application.plain(line);
          var error = Application.ERROR.matcher(last).find();
          if (error || !errors) {
            System.out.println(("%-" + width + "s | %s").formatted(host.name(), colour && error ? "\033[31m" + last + "\033[0m" : last));
          }
        }
      }
      if (process.waitFor() != 0 && !interrupted && !last.startsWith("Killed by signal")) {
        throw new Failure(Exit.UNREACHABLE, "%s: its journal ended: %s".formatted(host.name(), last), null);
      }
      return outcome(host, unit, "");
    } catch (IOException | InterruptedException e) {
      throw new Failure(Exit.UNREACHABLE, "%s: %s".formatted(host.name(), e.getMessage()), null, e);
    }
  }

  // --------------------------------------------------------------------------------------------------- before a start

  /** TheHive would start on half a restore, and write into it. */
  private void refuseUnfinished(Start how) {
    var folders = markerFolders(how.archives);
    var noneHere = folders.keySet().stream().noneMatch(Files::isDirectory);
    var unfinished = new TreeMap<String, String>();
    folders.forEach((folder, named) -> {
      if (Files.isDirectory(folder)) {
        unfinished.putAll(unfinished(folder));
      } else if (noneHere || named) {
        warn("%s is not here: whether a restore from it is unfinished cannot be seen", folder);
      }
    });
    if (unfinished.isEmpty()) {
      return;
    }
    var what = unfinished.entrySet().stream().map(each -> each.getKey() + ".java (" + each.getValue() + ")").collect(Collectors.joining(", "));
    if (!how.force) {
      throw new Failure(Exit.UNSAFE, "a restore is unfinished: " + what,
          "run ./jbang %s.java again until it succeeds; --force starts TheHive on what is there now".formatted(unfinished.firstKey()));
    }
    warn("a restore is unfinished: %s", what);
  }

  /** The archives' folders, and whether each was named or is only the default. */
  private static Map<Path, Boolean> markerFolders(List<Path> more) {
    var folders = new TreeMap<Path, Boolean>();
    Map.of("CASSANDRA_GENERAL_ARCHIVE_PATH", "/mnt/backup/cassandra", "GENERAL_ARCHIVE_PATH", "/mnt/backup/storage",
        "MINIO_ARCHIVE_PATH", "/mnt/backup/minio").forEach((variable, usual) -> {
          var named = OldSettings.variable(variable);
          folders.merge(Path.of(named.orElse(usual)), named.isPresent(), Boolean::logicalOr);
        });
    OldSettings.variable("RESTORE_STATE_PATH").ifPresent(path -> folders.put(Path.of(path), true));
    more.forEach(path -> folders.put(path, true));
    return folders;
  }

  /** The markers that restore scripts leave beside the archives from their first change to their success. */
  private static Map<String, String> unfinished(Path folder) {
    var found = new LinkedHashMap<String, String>();
    try (var markers = Files.newDirectoryStream(folder, "*.unfinished")) {
      for (var marker : markers) {
        var parts = new ArrayList<String>();
        Json.MAPPER.readTree(marker.toFile()).path("unfinished").forEach(part -> parts.add(part.asText()));
        var since = Files.getLastModifiedTime(marker).toInstant().truncatedTo(ChronoUnit.SECONDS);
        found.put(marker.getFileName().toString().replace(".unfinished", ""), String.join(" and ", parts) + " since " + since);
      }
      return found;
    } catch (IOException e) {
      throw new Failure(Exit.UNSAFE, "cannot read the markers in %s: %s".formatted(folder, e.getMessage()), "run as a user who may; --force is not asked for this");
    }
  }

  // ---------------------------------------------------------------------------------------------------------- helpers

  private static String sudo(boolean root, String shell) {
    return (root ? "" : "sudo -n ") + shell;
  }

  private int dryRun(List<Host> hosts, String verb) {
    var outcomes = Host.each(hosts, attempt(host -> {
      var unit = loaded(host);
      step("%s is %s; would run: %s", host.name(), unit,
          String.join(" ", host.command(sudo(unit.root(), "systemctl %s %s".formatted(verb, TheHiveSettings.of(Settings.fromEnvironment()).service())))));
      return outcome(host, unit, "");
    }));
    return end(outcomes.stream().filter(outcome -> outcome.failure().isPresent()).toList());
  }

  private static Outcome outcome(Host host, Host.Unit unit, String application) {
    return new Outcome(host, Optional.of(unit), application, Optional.empty());
  }

  private Function<Host, Outcome> attempt(Function<Host, Outcome> step) {
    return host -> {
      try {
        return step.apply(host);
      } catch (RuntimeException e) {
        var failure = Failure.of(e);
        failed(failure);
        return new Outcome(host, unitIfReached(host, failure), "", Optional.of(failure));
      }
    };
  }

  private static Optional<Host.Unit> unitIfReached(Host host, Failure failure) {
    try {
      return failure.code == Exit.UNREACHABLE ? Optional.empty() : Optional.of(host.unit(TheHiveSettings.of(Settings.fromEnvironment()).service()));
    } catch (Failure e) {
      return Optional.empty();
    }
  }

  /** The table of all nodes on stdout; the exit code is that of the least known state: unreachable before refused before unsafe. */
  private static int end(List<Outcome> outcomes) {
    var width = Math.max(4, outcomes.stream().mapToInt(outcome -> outcome.host().name().length()).max().orElse(0));
    var row = "%-" + width + "s  %-22s %-30s %8s  %s%n";
    if (!outcomes.isEmpty()) {
      System.out.printf(row, "node", "unit", "since", "restarts", "application");
    }
    for (var outcome : outcomes) {
      var unit = outcome.unit();
      var wrong = outcome.failure().map(failure -> "✗ " + failure.getMessage().replaceFirst("^\\Q" + outcome.host().name() + "\\E: ", ""));
      System.out.printf(row, outcome.host().name(), unit.map(Object::toString).orElse("unknown"), unit.map(Host.Unit::since).orElse(""),
          unit.map(u -> "" + u.restarts()).orElse(""), wrong.orElse(outcome.application()));
    }
    return outcomes.stream().flatMap(outcome -> outcome.failure().stream()).mapToInt(failure -> failure.code).min().orElse(Exit.DONE);
  }

  private static boolean anyFailed(List<Outcome> outcomes) {
    return outcomes.stream().anyMatch(outcome -> outcome.failure().isPresent());
  }

  private static String names(List<Host> hosts) {
    return hosts.stream().map(Host::name).collect(Collectors.joining(", "));
  }

  private static long seconds(Instant since) {
    return Duration.between(since, Instant.now()).toSeconds();
  }

  private static void pause() {
    try {
      TimeUnit.SECONDS.sleep(1);
    } catch (InterruptedException e) {
      throw new Failure(Exit.UNEXPECTED, "interrupted", null, e);
    }
  }

  private static synchronized void step(String text, Object... values) {
    System.err.println(text.formatted(values));
  }

  private static void warn(String text, Object... values) {
    step("warning: " + text, values);
  }

  private int failed(Failure failure) {
    step("%s", "error: " + failure.getMessage() + (failure.hint == null ? "" : "\nhint: " + failure.hint)); // in one: other nodes fail beside it
    if (verbose) {
      failure.printStackTrace();
    }
    return failure.code;
  }
}

// ---- Below: copies of lib/*.java, written by ./jbang lib/embed.java. Change those files, not these lines. ----

/** TheHive itself on a node, behind its unit. */
record Application(HttpRequest status, HttpClient client) {
  /** Where it logs to, whatever its unit does with its output. */
  static final String LOG = "/var/log/thehive/application.log";
  /** How its log tells of an error: by the level, or where the JVM itself says so. */
  static final Pattern ERROR = Pattern.compile("\\[error]|\\bERROR\\b|\\bFATAL\\b|Exception in thread|OutOfMemoryError");
  private static final Duration LIMIT = Duration.ofSeconds(10);

  static Application on(Host host, TheHiveSettings settings) {
    var address = host.address().replaceFirst("^(.*:.*)$", "[$1]");
    var url = settings.url().replace("<node>", address).replaceFirst("/+$", "");
    var client = HttpClient.newBuilder().connectTimeout(LIMIT).followRedirects(HttpClient.Redirect.NORMAL);
    settings.ca().ifPresent(ca -> client.sslContext(Tls.context(Tls.trust(ca))));
    try {
      return new Application(HttpRequest.newBuilder(URI.create(url + "/api/v1/status/public")).build(), client.build());
    } catch (IllegalArgumentException e) {
      throw new Failure(Exit.USAGE, "THEHIVE_URL '%s' is no address: %s".formatted(url, e.getMessage()), "such as http://<node>:9000, <node> as it stands");
    }
  }

  /** A line of its log without the colours that it gives its levels. */
  static String plain(String line) {
    return line.replaceAll("\\e\\[[\\d;]*m", "");
  }

  /** What came instead of its answer; nothing when it answers. */
  Optional<String> problem() {
    try {
      // The request's own limit would end with the head of the answer.
      var answer = client.sendAsync(status, HttpResponse.BodyHandlers.discarding()).orTimeout(LIMIT.toSeconds(), TimeUnit.SECONDS).join();
      return answer.statusCode() == 200 ? Optional.empty() : Optional.of("%s answers HTTP %d".formatted(status.uri(), answer.statusCode()));
    } catch (CompletionException e) {
      var why = e.getCause() instanceof TimeoutException ? "not within %d s".formatted(LIMIT.toSeconds())
          : Objects.requireNonNullElse(e.getCause().getMessage(), "connection refused");
      return Optional.of("%s does not answer: %s%s".formatted(status.uri(), why, e.getCause() instanceof SSLException ? " (THEHIVE_CA names its CA)" : ""));
    }
  }
}

/** The exit codes, the same in all scripts. 130, interrupted, is the shell's own. */
final class Exit {
  static final int DONE = 0;
  static final int UNEXPECTED = 1;
  static final int USAGE = 2;
  static final int BAD_BACKUP = 10;
  static final int UNREACHABLE = 11;
  static final int AUTHENTICATION = 12;
  static final int UNSAFE = 13;
  static final int PARTIAL = 14;
  static final int VERIFICATION = 15;
  static final int DECLINED = 16;

  private Exit() {}
}

/** What went wrong, what to do about it, and the exit code: shown as two lines, without a trace. */
final class Failure extends RuntimeException {
  final int code;
  final String hint;

  Failure(int code, String message, String hint) {
    this(code, message, hint, null);
  }

  Failure(int code, String message, String hint, Throwable cause) {
    super(message, cause);
    this.code = code;
    this.hint = hint;
  }

  /** Any exception as a Failure: what is not one already is unexpected. */
  static Failure of(Throwable thrown) {
    var cause = thrown;
    while (cause.getCause() != null
        && (cause instanceof CompletionException || cause instanceof ExecutionException
            || cause instanceof UncheckedIOException)) {
      cause = cause.getCause();
    }
    if (cause instanceof Failure failure) {
      return failure;
    }
    var message = cause.getMessage() == null ? cause.toString() : cause.getMessage();
    if (cause instanceof FileSystemException file) {
      var words = cause.getClass().getSimpleName().replace("Exception", "").replaceAll("(?<=[a-z])(?=[A-Z])", " ").toLowerCase(Locale.ROOT);
      message = file.getFile() + ": " + (file.getReason() != null ? file.getReason() : words);
    }
    return new Failure(Exit.UNEXPECTED, message, "run again with --verbose for the trace", cause);
  }
}

/** A node of TheHive: this host, or another one through the system's OpenSSH client and its configuration. */
record Host(String name, String destination, String port) {
  private static final Pattern NAMED = Pattern.compile("(?<to>([\\w.-]+@)?(?<host>\\w[\\w.-]*|\\[[\\h:]+]))(:(?<port>\\d+))?");
  private static final String PROPERTIES = "LoadState,ActiveState,SubState,NRestarts,StateChangeTimestamp,InvocationID";

  /** What a command left there; 255 is ssh's own code. */
  record Output(int code, String out, String err) {}

  /** A unit as systemctl(1) describes it: {@code active} is active, inactive, failed, activating or deactivating. */
  record Unit(String load, String active, String sub, int restarts, String since, String invocation, boolean root) {
    /** A masked unit is there, too: it only cannot be started. */
    boolean isInstalled() {
      return load.equals("loaded") || load.equals("masked");
    }

    boolean isStopped() {
      return active.equals("inactive") || active.equals("failed");
    }

    @Override
    public String toString() {
      return active + (sub.isEmpty() || sub.equals("dead") ? "" : " (" + sub + ")");
    }
  }

  /** The hosts of a list such as {@code node1 admin@node2:2222 localhost}, each once. */
  static List<Host> named(String names) {
    return Stream.of(names.strip().split("[\\s,]+")).distinct().map(Host::parse).toList();
  }

  private static Host parse(String name) {
    var match = NAMED.matcher(name);
    if (!match.matches()) {
      throw new Failure(Exit.USAGE, "'%s' is not a host name".formatted(name), "name hosts like node1, admin@node2:2222 or localhost");
    }
    var local = Set.of("localhost", "127.0.0.1", "[::1]").contains(match.group("to")) && match.group("port") == null;
    return new Host(match.group("host"), local ? null : match.group("to").replaceAll("[\\[\\]]", ""), match.group("port"));
  }

  /** Does the same for all side by side; the answers in their order. */
  static <T> List<T> each(List<Host> hosts, Function<Host, T> work) {
    var threads = Executors.newFixedThreadPool(hosts.size());
    try {
      var answers = hosts.stream().map(host -> CompletableFuture.supplyAsync(() -> work.apply(host), threads)).toList();
      return answers.stream().map(CompletableFuture::join).toList();
    } finally {
      threads.shutdown();
    }
  }

  boolean isLocal() {
    return destination == null;
  }

  /** The name or address that ssh connects to: the node's name may be one of its configuration only. */
  String address() {
    if (isLocal()) {
      return "localhost";
    }
    var known = new Host("localhost", null, null).run("ssh -G -- " + destination, Duration.ofSeconds(10)).out();
    return known.lines().filter(line -> line.startsWith("hostname ")).map(line -> line.substring(9)).findFirst().orElse(name);
  }

  /** Never asks and never accepts an unknown host key: a runbook must not hang, and a key is the administrator's to trust. */
  List<String> command(String shell) {
    if (isLocal()) {
      return List.of("sh", "-c", shell);
    }
    var ssh = Stream.of("ssh", "-T", "-o", "BatchMode=yes", "-o", "StrictHostKeyChecking=yes", "-o", "ConnectTimeout=10",
        "-o", "ServerAliveInterval=5", "-o", "ServerAliveCountMax=3");
    var to = port == null ? Stream.of("--", destination) : Stream.of("-p", port, "--", destination);
    return Stream.of(ssh, to, Stream.of("sh -c '" + shell + "'")).flatMap(part -> part).toList();
  }

  /** Runs a shell command there, one without single quotes. Files take its output: a shared ssh connection keeps pipes open. */
  Output run(String shell, Duration limit) {
    try {
      var out = Files.createTempFile("thehive-host", ".out");
      var err = Files.createTempFile("thehive-host", ".err");
      try {
        var process = new ProcessBuilder(command(shell)).redirectInput(new File("/dev/null"))
            .redirectOutput(out.toFile()).redirectError(err.toFile()).start();
        if (!process.waitFor(limit.toMillis(), TimeUnit.MILLISECONDS)) {
          process.destroyForcibly();
          throw new Failure(Exit.UNREACHABLE, "%s: no answer within %d s to: %s".formatted(name, limit.toSeconds(), shell), null);
        }
        var output = new Output(process.exitValue(), Files.readString(out), Files.readString(err).strip());
        return isLocal() || output.code() != 255 ? output : unreachable(output.err());
      } finally {
        Files.delete(out);
        Files.delete(err);
      }
    } catch (IOException e) {
      throw new Failure(Exit.UNREACHABLE, "%s: %s".formatted(name, e.getMessage()), "the OpenSSH client is needed for other hosts", e);
    } catch (InterruptedException e) {
      throw new Failure(Exit.UNREACHABLE, name + ": interrupted", null, e);
    }
  }

  private Output unreachable(String said) {
    var reason = last(said).replaceFirst("^ssh: ", "");
    var by = "ssh " + (port == null ? "" : "-p " + port + " ") + destination;
    if (said.contains("Permission denied")) {
      throw new Failure(Exit.AUTHENTICATION, "%s: ssh: %s".formatted(name, reason), "log in with a key, without a password: " + by);
    }
    throw new Failure(Exit.UNREACHABLE, "%s: ssh: %s".formatted(name, reason), said.contains("Host key verification failed")
        ? "compare its host key and accept it by hand: " + by : "try it by hand: " + by);
  }

  static String last(String lines) {
    return lines.strip().replaceFirst("(?s).*\\R", "").strip();
  }

  Unit unit(String service) {
    var output = run("id -u; LC_ALL=C systemctl show --property=%s -- %s".formatted(PROPERTIES, service), Duration.ofSeconds(30));
    if (output.code() != 0) {
      throw new Failure(Exit.UNSAFE, "%s has no systemd that answers: %s".formatted(name, last(output.err())),
          "look after TheHive there by hand: in its container, or with its own start script");
    }
    var lines = output.out().lines().toList();
    var is = lines.stream().filter(line -> line.contains("=")).map(line -> line.split("=", 2))
        .collect(Collectors.toMap(pair -> pair[0], pair -> pair[1], (one, other) -> one));
    return new Unit(is.getOrDefault("LoadState", ""), is.getOrDefault("ActiveState", ""), is.getOrDefault("SubState", ""),
        Integer.parseInt(is.getOrDefault("NRestarts", "0")), is.getOrDefault("StateChangeTimestamp", ""),
        is.getOrDefault("InvocationID", ""), lines.get(0).equals("0"));
  }
}

/** JSON, as reports, markers, results and the Elasticsearch API use it. */
final class Json {
  static final ObjectMapper MAPPER = JsonMapper.builder().enable(SerializationFeature.INDENT_OUTPUT)
      .enable(EnumFeature.WRITE_ENUMS_TO_LOWERCASE).build();

  private Json() {}
}

/** Settings are the environment variables of the documented procedure; an option overrides its variable. */
final class OldSettings {
  private OldSettings() {}

  /** A variable that is set but blank is a mistake, never a value; each option's description names its variable. */
  static void refuseBlank(CommandSpec command) {
    for (var option : command.options()) {
      Pattern.compile("\\(([A-Z_]{4,})").matcher(String.join(" ", option.description())).results()
          .forEach(name -> variable(name.group(1)));
      if (String.valueOf((Object) option.getValue()).isBlank()) {
        throw new Failure(Exit.USAGE, option.longestName() + " is blank", "give it a value, or leave it out");
      }
    }
  }

  static Optional<String> variable(String name) {
    var value = Optional.ofNullable(System.getenv(name));
    if (value.filter(String::isBlank).isPresent()) {
      throw new Failure(Exit.USAGE, name + " is set but blank", "give it a value, or unset it");
    }
    return value;
  }

  /** A secret from the variable NAME, or from the file that NAME_FILE names (its last line break is not part of it). */
  static Optional<String> secret(String name) {
    var value = variable(name);
    var file = variable(name + "_FILE");
    if (value.isPresent() && file.isPresent()) {
      throw new Failure(Exit.USAGE, name + " and " + name + "_FILE are both set", "unset one of them");
    }
    if (file.isEmpty()) {
      return value;
    }
    try {
      return Optional.of(Files.readString(Path.of(file.get())).replaceFirst("\\R\\z", ""));
    } catch (IOException | InvalidPathException e) {
      throw new Failure(Exit.USAGE, "cannot read " + name + "_FILE " + file.get() + ": " + e.getMessage(), "check path and mode");
    }
  }

  /** A secret as above, else asked for on a terminal, else none. */
  static Optional<String> secretOrPrompt(String name, String question) {
    var secret = secret(name);
    if (secret.isPresent() || System.console() == null) {
      return secret;
    }
    return Optional.ofNullable(System.console().readPassword("%s: ", question)).map(String::new);
  }
}

/** The settings of one run: the environment variables of the documented procedure, and their defaults. */
final class Settings {
  private static final String BYTE_ORDER_MARK = "\uFEFF";
  private final Map<String, String> environment;

  Settings(Map<String, String> environment) {
    this.environment = environment;
  }

  static Settings fromEnvironment() {
    return new Settings(System.getenv());
  }

  boolean isSet(Variable variable) {
    return environment.containsKey(variable.name()) || variable.secret() && environment.containsKey(variable.name() + "_FILE");
  }

  /** The variable's value, or its default; empty where there is neither. */
  Optional<String> optional(Variable variable) {
    var value = environment.get(variable.name());
    if (value == null) {
      return Optional.of(variable.fallback()).filter(fallback -> !fallback.isEmpty());
    }
    requireClean(variable.name(), value);
    return Optional.of(value);
  }

  /** The value of a variable that has a default. */
  String text(Variable variable) {
    return optional(variable).orElseThrow(() -> new Failure(Exit.USAGE, variable.name() + " is not set", "give it a value"));
  }

  Optional<Path> optionalPath(Variable variable) {
    return optional(variable).map(value -> path(variable, value));
  }

  Path path(Variable variable) {
    return path(variable, text(variable));
  }

  private static Path path(Variable variable, String value) {
    try {
      return Path.of(value);
    } catch (InvalidPathException e) {
      throw new Failure(Exit.USAGE, "%s '%s' is not a path: %s".formatted(variable.name(), value, e.getReason()), "give it a path");
    }
  }

  boolean flag(Variable variable) {
    var value = optional(variable).orElse("false");
    if (!value.matches("(?i)true|false")) {
      throw new Failure(Exit.USAGE, "%s is '%s'".formatted(variable.name(), value), "set it to true or false");
    }
    return Boolean.parseBoolean(value);
  }

  /** A secret from its variable, or from the file that the variable with {@code _FILE} names, without its last line break. */
  Optional<String> secret(Variable variable) {
    var value = Optional.ofNullable(environment.get(variable.name()));
    var file = optional(Variable.optional(variable.name() + "_FILE"));
    if (value.isPresent() && file.isPresent()) {
      throw new Failure(Exit.USAGE, "%s and %s_FILE are both set".formatted(variable.name(), variable.name()), "unset one of them");
    }
    value.ifPresent(secret -> requireNotBlank(variable.name(), secret));
    return file.isEmpty() ? value : Optional.of(read(variable.name() + "_FILE", file.get()));
  }

  private static String read(String name, String file) {
    try {
      var secret = Files.readString(Path.of(file)).replaceFirst("\\R\\z", "");
      if (secret.isBlank()) {
        throw new Failure(Exit.USAGE, "%s names %s, which is empty".formatted(name, file), "write the secret into it");
      }
      return secret;
    } catch (IOException | InvalidPathException e) {
      throw new Failure(Exit.USAGE, "cannot read %s, which %s names: %s".formatted(file, name, Failure.of(e).getMessage()),
          "check its path, owner and mode");
    }
  }

  /** A secret as above; where there is none, it is asked for on a terminal. */
  Optional<String> secretOrPrompt(Variable variable, String question) {
    var secret = secret(variable);
    var terminal = System.console();
    return secret.isPresent() || terminal == null ? secret
        : Optional.ofNullable(terminal.readPassword("%s: ", question)).map(String::new);
  }

  private static void requireNotBlank(String name, String value) {
    if (value.isBlank()) {
      throw new Failure(Exit.USAGE, name + " is set but blank", "give it a value, or unset it");
    }
  }

  /** What an editor on Windows, or a shell that keeps quotes, leaves in a value is not meant. */
  private static void requireClean(String name, String value) {
    requireNotBlank(name, value);
    if (value.startsWith(BYTE_ORDER_MARK)) {
      throw new Failure(Exit.USAGE, name + " begins with a byte order mark", "save the file it comes from as UTF-8 without a byte order mark");
    }
    if (value.endsWith("\r")) {
      throw new Failure(Exit.USAGE, name + " ends with a carriage return", "the file it comes from was edited on Windows: dos2unix mends it");
    }
    if (value.length() > 1 && value.matches("(?s)([\"']).*\\1")) {
      throw new Failure(Exit.USAGE, "%s has quotes around its value: %s".formatted(name, value), "leave out the quotes");
    }
  }

  /** Lines for the help: each variable that has a value, with the value and where it comes from, then the others. */
  List<String> describe(List<Variable> variables) {
    var lines = new ArrayList<String>();
    for (var variable : variables) {
      if (isSet(variable)) {
        lines.add("  %-36s %s".formatted(variable.name(), variable.secret() ? "set (not shown)" : environment.get(variable.name()) + " (set)"));
      } else if (!variable.fallback().isEmpty()) {
        lines.add("  %-36s %s (default)".formatted(variable.name(), variable.fallback()));
      }
    }
    var unset = variables.stream().filter(variable -> !isSet(variable) && variable.fallback().isEmpty()).toList();
    if (!unset.isEmpty()) {
      lines.add("  Not set: " + unset.stream().map(variable -> variable.name() + (variable.secret() ? "[_FILE]" : ""))
          .collect(Collectors.joining(", ")));
    }
    return lines;
  }
}

/**
 * Where TheHive runs.
 *
 * @param hosts its nodes; this host where none are named
 * @param named true if THEHIVE_NODES is set: only then is a node that cannot be asked an error
 * @param service its systemd unit on them
 * @param url where TheHive answers; {@code <node>} in it stands for the node's address
 * @param ca PEM file of the CA to trust for https; empty for the JDK's
 */
record TheHiveSettings(List<Host> hosts, boolean named, String service, String url, Optional<Path> ca) {
  static final Variable NODES = Variable.withDefault("THEHIVE_NODES", "localhost");
  static final Variable SERVICE = Variable.withDefault("THEHIVE_SERVICE", "thehive");
  static final Variable URL = Variable.withDefault("THEHIVE_URL", "http://<node>:9000");
  static final Variable CA = Variable.optional("THEHIVE_CA");
  static final List<Variable> VARIABLES = List.of(NODES, SERVICE, URL, CA);

  static TheHiveSettings of(Settings settings) {
    var service = settings.text(SERVICE);
    if (!service.matches("[A-Za-z0-9:_.@-]+")) {
      throw new Failure(Exit.USAGE, "THEHIVE_SERVICE '%s' is not the name of a unit".formatted(service), "name it as systemctl does, such as thehive");
    }
    return new TheHiveSettings(Host.named(settings.text(NODES)), settings.isSet(NODES), service, settings.text(URL), settings.optionalPath(CA));
  }
}

/** TLS from PEM files. */
final class Tls {
  private Tls() {}

  /** Trusts the CA certificates of a file, and no others. */
  static X509TrustManager trust(Path ca) {
    try (var in = Files.newInputStream(ca)) {
      var trusted = KeyStore.getInstance("PKCS12");
      trusted.load(null, null);
      for (var certificate : CertificateFactory.getInstance("X.509").generateCertificates(in)) {
        trusted.setCertificateEntry("ca" + trusted.size(), certificate);
      }
      if (trusted.size() == 0) {
        throw new CertificateException("it holds no certificate");
      }
      var managers = TrustManagerFactory.getInstance(TrustManagerFactory.getDefaultAlgorithm());
      managers.init(trusted);
      return (X509TrustManager) managers.getTrustManagers()[0];
    } catch (GeneralSecurityException | IOException e) {
      throw new Failure(Exit.USAGE, "cannot use the CA certificate %s: %s".formatted(ca, e.getMessage()), "it must be a PEM file");
    }
  }

  static SSLContext context(X509TrustManager trust, KeyManager... keys) {
    try {
      var context = SSLContext.getInstance("TLS");
      context.init(keys, new TrustManager[] {trust}, null);
      return context;
    } catch (GeneralSecurityException e) {
      throw new IllegalStateException(e);
    }
  }
}

/**
 * An environment variable that the scripts read.
 *
 * @param fallback its value where it is not set; empty where there is none
 * @param secret true if its value is never shown; it may then also stand in the file that {@code NAME_FILE} names
 */
record Variable(String name, String fallback, boolean secret) {
  static Variable optional(String name) {
    return new Variable(name, "", false);
  }

  static Variable withDefault(String name, String fallback) {
    return new Variable(name, fallback, false);
  }

  static Variable secret(String name) {
    return new Variable(name, "", true);
  }
}
