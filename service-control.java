///usr/bin/env jbang "$0" "$@" ; exit $?
//DESCRIPTION Stops, starts and watches TheHive on every node of its cluster
//JAVA 17+
// Of the classes below the marker, written by ./jbang lib/embed.java:
//DEPS com.fasterxml.jackson.core:jackson-databind:2.23.0
//DEPS com.typesafe:config:1.4.3 // HOCON with includes and substitutions, as TheHive itself reads it
//DEPS info.picocli:picocli:4.7.7
//COMPILE_OPTIONS -encoding UTF-8
//JAVA_OPTIONS -Xmx64m -XX:+UseSerialGC -XX:TieredStopAtLevel=1
//JAVA_OPTIONS -Dfile.encoding=UTF-8 -Dstdout.encoding=UTF-8 -Dstderr.encoding=UTF-8 -Djdk.console=java.base

import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.SerializationFeature;
import com.fasterxml.jackson.databind.cfg.EnumFeature;
import com.fasterxml.jackson.databind.json.JsonMapper;
import com.typesafe.config.ConfigException;
import com.typesafe.config.ConfigFactory;
import com.typesafe.config.ConfigResolveOptions;
import com.typesafe.config.ConfigValueType;
import java.io.Closeable;
import java.io.EOFException;
import java.io.File;
import java.io.IOException;
import java.io.InputStream;
import java.io.UncheckedIOException;
import java.net.ConnectException;
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpConnectTimeoutException;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse;
import java.nio.charset.StandardCharsets;
import java.nio.file.FileSystemException;
import java.nio.file.Files;
import java.nio.file.InvalidPathException;
import java.nio.file.Path;
import java.security.GeneralSecurityException;
import java.security.KeyStore;
import java.security.KeyStoreException;
import java.security.cert.Certificate;
import java.security.cert.CertificateException;
import java.security.cert.CertificateFactory;
import java.time.Duration;
import java.time.Instant;
import java.time.temporal.ChronoUnit;
import java.util.ArrayList;
import java.util.Collection;
import java.util.Collections;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Objects;
import java.util.Optional;
import java.util.Set;
import java.util.SortedMap;
import java.util.TreeMap;
import java.util.TreeSet;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionException;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.Executors;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.TimeoutException;
import java.util.function.Function;
import java.util.function.LongSupplier;
import java.util.function.Supplier;
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
import picocli.CommandLine.IVersionProvider;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.ParameterException;
import picocli.CommandLine.Parameters;
import picocli.CommandLine.ScopeType;
import picocli.CommandLine.Spec;
import picocli.CommandLine.UnmatchedArgumentException;
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
    versionProvider = Release.class,
    mixinStandardHelpOptions = true,
    sortOptions = false,
    synopsisHeading = "Usage: ./jbang ",
    synopsisSubcommandLabel = "COMMAND",
    footer = {
      "%nExample: ./jbang service-control.java stop",
        "Exit codes: 0 done, 1 unexpected error, 2 wrong usage or settings, 11 unreachable, 12 log-in or sudo"
            + " refused, 13 a"
          + " node is not as wanted, or a restore is unfinished, 130 interrupted."
    })
class ServiceControl implements Runnable {
  static final String SCRIPT = "service-control";
  /** A program that starts services behind an administrator's back does so within seconds. */
  static final Duration SETTLE = Duration.ofSeconds(5);
  /** The most times that systemd may start a unit again before it counts as failed. */
  static final int RESTARTS = 2;
  static final String LAST_LINES = "its last log lines are above, or in " + Application.LOG + " there";

  private static final String GOES_ON =
      "Some nodes were told already, and go on by themselves: ./jbang service-control.java status shows each.";

  @Mixin Console console = new Console();

  @Spec CommandSpec command;

  private volatile boolean interrupted;

  /** The nodes that a command is for. */
  static final class Nodes {
    @Parameters(paramLabel = "NODE", arity = "0..*", description = "only these, instead of all of THEHIVE_NODES")
    List<String> names = List.of();

    /** A node of THEHIVE_NODES goes by its name alone, and keeps its user and port. */
    List<TheHiveNode> all() {
      var settings = TheHiveSettings.of(Settings.fromEnvironment());
      var hosts = names.isEmpty() ? settings.hosts() : names.stream().flatMap(name -> {
        var known = settings.hosts().stream().filter(host -> host.name().equals(name)).toList();
        return (known.isEmpty() ? Host.named(name) : known).stream();
      }).distinct().toList();
      return hosts.stream().map(host -> new TheHiveNode(host, settings)).toList();
    }
  }

  /** Options of the commands that change something. */
  static final class Change {
    @Option(names = "--timeout", paramLabel = "SECONDS", defaultValue = "300",
        description = "for each node (${DEFAULT-VALUE})")
    int seconds;

    @Option(names = "--dry-run", description = "ask the nodes, print the commands, change nothing")
    boolean dryRun;

    Duration limit() {
      if (seconds < 1) {
        throw new Failure(Exit.USAGE, "--timeout %d is not a number of seconds".formatted(seconds),
            "name seconds, such as 300");
      }
      return Duration.ofSeconds(seconds);
    }
  }

  /** Options of a start. */
  static final class Start {
    @Option(names = "--rolling", description = "start node by node, each when the one before answers")
    boolean rolling;

    @Option(names = "--active-only",
        description = "do not wait for TheHive's answer, where its port cannot be reached from here")
    boolean activeOnly;

    @Option(names = "--archives", paramLabel = "DIR,...", hideParamSyntax = true, split = ",",
        description = "more folders in which a restore may have left its marker")
    List<Path> archives = List.of();

    @Option(names = "--force", description = "start although a restore is unfinished")
    boolean force;
  }

  /** How one node ended: its unit, where it could be asked, and why it is not as wanted. */
  record Outcome(TheHiveNode node, Optional<Host.Unit> unit, String application, Optional<Failure> failure) {
    static Outcome of(TheHiveNode node, Host.Unit unit, String application) {
      return new Outcome(node, Optional.of(unit), application, Optional.empty());
    }

    /** The columns of the table, and their names in JSON. */
    Map<String, String> summary() {
      var wrong = failure.map(why -> "✗ " + why.getMessage().replaceFirst("^\\Q" + node.name() + "\\E: ", ""));
      var columns = new LinkedHashMap<String, String>();
      columns.put("node", node.name());
      columns.put("unit", unit.map(Object::toString).orElse("unknown"));
      columns.put("since", unit.map(Host.Unit::since).orElse(""));
      columns.put("restarts", unit.map(one -> "" + one.restarts()).orElse(""));
      columns.put("application", wrong.orElse(application));
      return columns;
    }
  }

  public static void main(String[] args) {
    var script = new ServiceControl();
    script.console.json = List.of(args).contains("--json");
    System.exit(Commands.run(script, TheHiveSettings.VARIABLES, script::failed, args));
  }

  private int failed(Failure failure) {
    if (console.json) {
      System.out.println(Json.failure(SCRIPT, failure));
    }
    return console.error("", failure);
  }

  @Override
  public void run() {
    throw new ParameterException(command.commandLine(), "Say what to do: status, stop, start, restart or logs");
  }

  @Command(description = "Shows the state of TheHive on every node.", mixinStandardHelpOptions = true)
  int status(@Mixin Nodes nodes) {
    return end(each(nodes.all(),
        node -> Outcome.of(node, node.requireInstalled(), node.application().problem().orElse("answers"))));
  }

  @Command(description = "Stops TheHive on every node, and returns when it stays stopped.",
      mixinStandardHelpOptions = true)
  int stop(@Mixin Nodes nodes, @Mixin Change change) {
    return change.dryRun ? dryRun(nodes.all(), "stop") : end(stopAll(nodes.all(), change.limit()));
  }

  @Command(description = "Starts TheHive on every node, and returns when it answers.", mixinStandardHelpOptions = true,
      sortOptions = false)
  int start(@Mixin Nodes nodes, @Mixin Start how, @Mixin Change change) {
    requireNothingUnfinished(how);
    return change.dryRun ? dryRun(nodes.all(), "start") : end(startAll(nodes.all(), how, change.limit()));
  }

  @Command(description = "Stops TheHive on all nodes together, then starts it.", mixinStandardHelpOptions = true,
      sortOptions = false)
  int restart(@Mixin Nodes nodes, @Mixin Start how, @Mixin Change change) {
    requireNothingUnfinished(how);
    var all = nodes.all();
    if (change.dryRun) {
      return Math.max(dryRun(all, "stop"), dryRun(all, "start"));
    }
    var outcomes = each(all, node -> Outcome.of(node, node.requireInstalled(), ""));
    if (anyFailed(outcomes)) {
      console.step("Nothing was stopped.");
      return end(outcomes);
    }
    outcomes = stopAll(all, change.limit());
    if (anyFailed(outcomes)) {
      console.step("Nothing was started; when the cause is gone: ./jbang service-control.java start");
      return end(outcomes);
    }
    return end(startAll(all, how, change.limit()));
  }

  @Command(
      description = {"Follows the journal of TheHive on all nodes together, until Ctrl-C.",
          "Where the unit drops its output, see on each node", Application.LOG},
      mixinStandardHelpOptions = true, sortOptions = false)
  int logs(
      @Mixin Nodes nodes,
      @Option(names = "--since", paramLabel = "TIME",
          description = "from then on: '10 min ago', '2026-11-22 18:00'") String since,
      @Option(names = "--errors", description = "only lines that tell of an error") boolean errors,
      @Option(names = "--no-follow", description = "end with the last line that is there") boolean noFollow) {
    if (console.json) {
      throw new Failure(Exit.USAGE, "logs has no result as JSON", "leave out --json");
    }
    if (since != null && !since.matches("[\\w :.+-]+")) {
      throw new Failure(Exit.USAGE, "--since '%s' is not a time".formatted(since),
          "write it as for journalctl: '10 min ago', '2026-11-22 18:00', today");
    }
    var range = (since == null ? " --lines=20" : " --since=\"" + since + "\"") + (noFollow ? "" : " --follow");
    var all = nodes.all();
    var width = all.stream().mapToInt(node -> node.host().name().length()).max().orElse(0);
    return end(failed(each(all, node -> follow(node, range, errors, width))));
  }

  private List<Outcome> stopAll(List<TheHiveNode> nodes, Duration limit) {
    console.step("Stopping %s on %s", service(nodes), names(nodes));
    console.onInterrupt(GOES_ON);
    return each(nodes, node -> stop(node, limit));
  }

  private Outcome stop(TheHiveNode node, Duration limit) {
    var begun = Instant.now();
    var unit = node.requireInstalled();
    if (!unit.isStopped()) {
      node.systemctl(unit, "stop", limit);
      unit = node.unit();
    }
    if (!unit.isStopped()) {
      throw new Failure(Exit.UNSAFE,
          "%s: %s is still %s after %d s".formatted(node.name(), node.service(), unit, seconds(begun)),
          "see its log: ./jbang service-control.java logs " + node.name());
    }
    console.step("%s: %s after %d s, watching for %d s that it stays so", node.name(), unit, seconds(begun),
        SETTLE.toSeconds());
    for (var until = Instant.now().plus(SETTLE); Instant.now().isBefore(until); ) {
      pause();
      unit = node.unit();
      if (!unit.isStopped()) {
        throw new Failure(Exit.UNSAFE,
            "%s: something started %s again: it is %s".formatted(node.name(), node.service(), unit),
            "find what does it (monitoring, cron, configuration management) and switch that off until the restore"
                + " is done");
      }
    }
    node.aliveWithoutUnit().ifPresent(alive -> {
      throw alive;
    });
    return Outcome.of(node, unit, "");
  }

  private List<Outcome> startAll(List<TheHiveNode> nodes, Start how, Duration limit) {
    console.step("Starting %s on %s%s", service(nodes), names(nodes), how.rolling ? ", one after the other" : "");
    console.onInterrupt(GOES_ON);
    if (!how.rolling) {
      return each(nodes, node -> start(node, !how.activeOnly, limit));
    }
    var outcomes = new ArrayList<Outcome>();
    for (var node : nodes) {
      var before = failed(outcomes).stream().findFirst();
      outcomes.addAll(each(List.of(node), before.isEmpty() ? one -> start(one, !how.activeOnly, limit) : one -> {
        throw new Failure(Exit.UNSAFE,
            "%s: not started, because %s failed".formatted(one.name(), before.get().node().name()), null);
      }));
    }
    return outcomes;
  }

  private Outcome start(TheHiveNode node, boolean answer, Duration limit) {
    var begun = Instant.now();
    var before = node.requireInstalled();
    var application = answer ? Optional.of(node.application()) : Optional.<Application>empty();
    try {
      if (!before.active().equals("active")) {
        node.systemctl(before, "start", limit);
      }
      var unit = awaitAnswer(node, application, begun, limit);
      console.step("%s: %s%s after %d s", node.name(), unit, answer ? ", answers" : "", seconds(begun));
      return Outcome.of(node, unit, answer ? "answers" : "");
    } catch (Failure e) {
      showLog(node, before);
      throw e;
    }
  }

  private Host.Unit awaitAnswer(TheHiveNode node, Optional<Application> application, Instant begun, Duration limit) {
    var unit = node.unit();
    var restarts = unit.restarts();
    var problem = application.flatMap(Application::problem);
    var settled = application.isPresent() ? 0 : Math.min(SETTLE.toSeconds(), limit.toSeconds());
    while (!unit.active().equals("active") || problem.isPresent() || seconds(begun) < settled) {
      if (unit.active().equals("failed") || unit.restarts() > restarts + RESTARTS) {
        throw new Failure(Exit.UNSAFE, "%s: %s does not stay up: it is %s, started %d times by systemd".formatted(
            node.name(), node.service(), unit, unit.restarts()), LAST_LINES);
      }
      if (seconds(begun) >= limit.toSeconds()) {
        throw new Failure(Exit.UNSAFE,
            "%s: %s is %s, but after %d s: %s".formatted(node.name(), node.service(), unit, limit.toSeconds(),
            problem.orElse("not active")), LAST_LINES + "; THEHIVE_URL says where it is asked, --timeout how long");
      }
      pause();
      unit = node.unit();
      problem = application.flatMap(Application::problem);
    }
    return unit;
  }

  private void showLog(TheHiveNode node, Host.Unit unit) {
    try {
      var journal = node.host().run(node.journal(unit, " --lines=20"), Duration.ofSeconds(30));
      journal.out().lines().forEach(line -> console.step("%s | %s", node.name(), Application.plain(line)));
    } catch (Failure e) {
      console.step("%s: no log: %s", node.name(), e.getMessage());
    }
  }

  /** Prints every line as it comes, after its node's name. */
  private Outcome follow(TheHiveNode node, String range, boolean errors, int width) {
    var unit = node.requireInstalled();
    var colour = console.terminal && System.getenv("NO_COLOR") == null && !"dumb".equals(System.getenv("TERM"));
    try {
      var process =
          new ProcessBuilder(node.host().command(node.journal(unit, range))).redirectInput(new File("/dev/null"))
          .redirectErrorStream(true).start();
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
            System.out.println(("%-" + width + "s | %s").formatted(node.name(),
                colour && error ? "\033[31m" + last + "\033[0m" : last));
          }
        }
      }
      if (process.waitFor() != 0 && !interrupted && !last.startsWith("Killed by signal")) {
        throw new Failure(Exit.UNREACHABLE, "%s: its journal ended: %s".formatted(node.name(), last), null);
      }
      return Outcome.of(node, unit, "");
    } catch (IOException | InterruptedException e) {
      throw new Failure(Exit.UNREACHABLE, "%s: %s".formatted(node.name(), e.getMessage()), null, e);
    }
  }

  /** TheHive would start on half a restore, and write into it. */
  private void requireNothingUnfinished(Start how) {
    var folders = UnfinishedRestores.folders(Settings.fromEnvironment(), how.archives);
    var noneHere = folders.keySet().stream().noneMatch(Files::isDirectory);
    var unfinished = new TreeMap<String, String>();
    folders.forEach((folder, named) -> {
      if (Files.isDirectory(folder)) {
        unfinished.putAll(UnfinishedRestores.in(folder));
      } else if (noneHere || named) {
        console.warn("%s is not here: whether a restore from it is unfinished cannot be seen", folder);
      }
    });
    if (unfinished.isEmpty()) {
      return;
    }
    var all = unfinished.entrySet().stream().map(each -> each.getKey() + ".java (" + each.getValue() + ")")
        .collect(Collectors.joining(", "));
    if (!how.force) {
      throw new Failure(Exit.UNSAFE, "a restore is unfinished: " + all,
          "run ./jbang %s.java again until it succeeds; --force starts TheHive on what is there now"
              .formatted(unfinished.firstKey()));
    }
    console.warn("a restore is unfinished: %s", all);
  }

  private int dryRun(List<TheHiveNode> nodes, String verb) {
    return end(failed(each(nodes, node -> {
      var unit = node.requireInstalled();
      console.step("%s is %s; would run: %s", node.name(), unit,
          String.join(" ", node.host().command(node.systemctl(unit, verb))));
      return Outcome.of(node, unit, "");
    })));
  }

  /** Does the work for all nodes side by side; a failure is shown at once and hides nothing of another node. */
  private List<Outcome> each(List<TheHiveNode> nodes, Function<TheHiveNode, Outcome> work) {
    var byHost = nodes.stream().collect(Collectors.toMap(TheHiveNode::host, node -> node));
    return Host.each(nodes.stream().map(TheHiveNode::host).toList(), host -> {
      var node = byHost.get(host);
      try {
        return work.apply(node);
      } catch (RuntimeException e) {
        var failure = Failure.of(e);
        console.error("", failure);
        return new Outcome(node, unitIfReached(node, failure), "", Optional.of(failure));
      }
    });
  }

  private static Optional<Host.Unit> unitIfReached(TheHiveNode node, Failure failure) {
    try {
      return failure.code == Exit.UNREACHABLE ? Optional.empty() : Optional.of(node.unit());
    } catch (Failure e) {
      return Optional.empty();
    }
  }

  /** Prints the nodes. The exit code is the lowest of all: unreachable before refused before unsafe. */
  private int end(List<Outcome> outcomes) {
    console.onInterrupt(null);
    var code = outcomes.stream().flatMap(outcome -> outcome.failure().stream()).mapToInt(failure -> failure.code).min()
        .orElse(Exit.DONE);
    if (console.json) {
      System.out.println(Json.MAPPER.createObjectNode().put("script", SCRIPT).put("exit", code)
          .set("nodes", Json.MAPPER.valueToTree(outcomes.stream().map(Outcome::summary).toList())).toPrettyString());
    } else if (!outcomes.isEmpty()) {
      printTable(outcomes);
    }
    return code;
  }

  private static void printTable(List<Outcome> outcomes) {
    var width = Math.max(4, outcomes.stream().mapToInt(outcome -> outcome.node().name().length()).max().orElse(0));
    var row = "%-" + width + "s  %-22s %-30s %8s  %s%n";
    System.out.printf(row, "node", "unit", "since", "restarts", "application");
    for (var outcome : outcomes) {
      System.out.printf(row, outcome.summary().values().toArray());
    }
  }

  private static List<Outcome> failed(List<Outcome> outcomes) {
    return outcomes.stream().filter(outcome -> outcome.failure().isPresent()).toList();
  }

  private static boolean anyFailed(List<Outcome> outcomes) {
    return !failed(outcomes).isEmpty();
  }

  private static String service(List<TheHiveNode> nodes) {
    return nodes.get(0).service();
  }

  private static String names(List<TheHiveNode> nodes) {
    return nodes.stream().map(TheHiveNode::name).collect(Collectors.joining(", "));
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
}

// ---- Below: copies of lib/*.java, written by ./jbang lib/embed.java. Change those files, not these lines. ----

/** TheHive's own answer on a node. */
final class Application {
  /** Its log file, whatever its unit does with its output. */
  static final String LOG = "/var/log/thehive/application.log";
  /** How its log tells of an error: by the level, or where the JVM itself says so. */
  static final Pattern ERROR =
      Pattern.compile("\\[error]|\\bERROR\\b|\\bFATAL\\b|Exception in thread|OutOfMemoryError");
  private static final Duration LIMIT = Duration.ofSeconds(10);
  private final HttpRequest status;
  private final Optional<SSLContext> trusted;
  private HttpClient client;

  /** Who answers at TheHive's address. */
  enum Answer {
    THEHIVE, SOMETHING_ELSE, NO_ANSWER, NOBODY
  }

  private Application(HttpRequest status, Optional<SSLContext> trusted) {
    this.status = status;
    this.trusted = trusted;
  }

  static Application on(Host host, TheHiveSettings settings) {
    var address = host.address().replaceFirst("^(.*:.*)$", "[$1]");
    var url = settings.url().replace("<node>", address).replaceFirst("/+$", "");
    try {
      if (URI.create(url).getPort() > 65_535) {
        throw new IllegalArgumentException("ports are numbers from 1 to 65535");
      }
      return new Application(HttpRequest.newBuilder(URI.create(url + "/api/v1/status/public")).build(),
          settings.ca().map(ca -> Tls.context(Tls.trust(ca))));
    } catch (IllegalArgumentException e) {
      throw new Failure(Exit.USAGE, "THEHIVE_URL '%s' is not an address: %s".formatted(url, e.getMessage()),
          "such as http://<node>:9000, <node> as it stands");
    }
  }

  /** A line of its log without the colours that it gives its levels. */
  static String plain(String line) {
    return line.replaceAll("\\e\\[[\\d;]*m", "");
  }

  /** The address that is asked. */
  URI uri() {
    return status.uri();
  }

  int port() {
    var uri = status.uri();
    return uri.getPort() > 0 ? uri.getPort() : uri.getScheme().equals("https") ? 443 : 80;
  }

  /**
   * TheHive's status page is JSON that names versions or configuration; MinIO, whose port is the same, says something
   * else.
   */
  Answer answer() {
    try {
      var answer = client().sendAsync(status, HttpResponse.BodyHandlers.ofString())
          .orTimeout(LIMIT.toSeconds(), TimeUnit.SECONDS).join();
      var json = answer.body().strip().startsWith("{");
      return answer.statusCode() == 200 && json ? Answer.THEHIVE : Answer.SOMETHING_ELSE;
    } catch (CompletionException e) {
      // Refused: the port is open on another address only, which is not where TheHive is asked.
      return e.getCause() instanceof ConnectException && !(e.getCause() instanceof HttpConnectTimeoutException)
          ? Answer.NOBODY : Answer.NO_ANSWER;
    }
  }

  /** Made when it is first asked: the certificates that Java knows take a quarter of a second to read. */
  private HttpClient client() {
    if (client == null) {
      var builder = HttpClient.newBuilder().connectTimeout(LIMIT).followRedirects(HttpClient.Redirect.NORMAL);
      trusted.ifPresent(builder::sslContext);
      client = builder.build();
    }
    return client;
  }

  /** The error that came instead of its answer; empty when it answers. */
  Optional<String> problem() {
    try {
      // The request's own limit would end with the head of the answer.
      var answer = client().sendAsync(status, HttpResponse.BodyHandlers.discarding())
          .orTimeout(LIMIT.toSeconds(), TimeUnit.SECONDS).join();
      return answer.statusCode() == 200 ? Optional.empty()
          : Optional.of("%s answers HTTP %d".formatted(status.uri(), answer.statusCode()));
    } catch (CompletionException e) {
      var why = e.getCause() instanceof TimeoutException ? "not within %d s".formatted(LIMIT.toSeconds())
          : ConnectionError.words(e.getCause());
      return Optional.of("%s does not answer: %s%s".formatted(status.uri(), why,
          e.getCause() instanceof SSLException ? " (THEHIVE_CA names its CA)" : ""));
    }
  }
}

/** The variables that name the folders of the backups: of archives, and of the markers of snapshots. */
final class ArchiveFolders {
  static final Variable CASSANDRA = Variable.withDefault("CASSANDRA_GENERAL_ARCHIVE_PATH", "/mnt/backup/cassandra");
  static final Variable FILES = Variable.withDefault("GENERAL_ARCHIVE_PATH", "/mnt/backup/storage");
  static final Variable S3 = Variable.withDefault("MINIO_ARCHIVE_PATH", "/mnt/backup/minio/");
  static final Variable MARKERS =
      Variable.withDefault("ELASTICSEARCH_GENERAL_ARCHIVE_PATH", "/mnt/backup/elasticsearch");
  /** Those of archives. */
  static final List<Variable> ALL = List.of(CASSANDRA, FILES, S3);

  private ArchiveFolders() {}

  /** The folders of Cassandra's archives: one, or one for each node. */
  static List<Path> cassandra(Settings settings) {
    return Stream.of(settings.text(CASSANDRA).split(",")).map(String::strip).map(Path::of).toList();
  }
}

/**
 * Runs a script's command the same way in all scripts: errors as {@code error:} and {@code hint:}, and the exit code.
 */
final class Commands {
  /** How picocli tells of a value that is not of the option's type. */
  private static final Pattern ONE_OF =
      Pattern.compile("expected one of \\[(.*)] \\(case-(?:in)?sensitive\\) but was ('.*')");
  private static final Pattern CANNOT_CONVERT =
      Pattern.compile("cannot convert '(.*?)' to (?:\\S+ )?(?:\\w+[.$])*(\\w+) \\(.*");

  private Commands() {}

  /**
   * Parses the arguments and calls the command; when it has ended, Ctrl-C says nothing more.
   *
   * @param variables what the help lists below the options, with the present values
   * @param failed shows a failure and returns the exit code
   */
  static int run(Object command, Console console, List<Variable> variables, Function<Failure, Integer> failed,
      String... args) {
    console.json = List.of(args).contains("--json");
    console.onInterrupt("Nothing was changed.");
    try {
      return run(command, variables, failed, args);
    } finally {
      console.onInterrupt(null);
    }
  }

  static int run(Object command, List<Variable> variables, Function<Failure, Integer> failed, String... args) {
    var line = new CommandLine(command).setCaseInsensitiveEnumValuesAllowed(true).setUsageHelpLongOptionsMaxWidth(24)
        .setUsageHelpAutoWidth(true)
        .setParameterExceptionHandler((thrown, given) -> failed.apply(wrongUsage(thrown)))
        .setExecutionStrategy(parsed -> {
          if (parsed.isUsageHelpRequested()) {
            // reads TheHive's configuration: not at every start
            addFooter(parsed.commandSpec().commandLine(), variables);
          }
          if (CommandLine.executeHelpRequest(parsed) != null) {
            return Exit.DONE;
          }
          try {
            Settings.fromEnvironment().warnings(variables)
                .forEach(warning -> System.err.println("warning: " + warning));
          } catch (Failure e) {
            return failed.apply(e);
          }
          return new CommandLine.RunLast().execute(parsed);
        })
        .setExecutionExceptionHandler((thrown, given, parsed) -> failed.apply(Failure.of(thrown)));
    var heading = line.getCommandSpec().usageMessage().synopsisHeading();
    line.getSubcommands().values().forEach(sub -> sub.getCommandSpec().usageMessage().synopsisHeading(heading));
    try {
      var code = line.execute(args);
      return code == Exit.DONE && System.out.checkError() ? failed.apply(new Failure(Exit.UNEXPECTED,
          "the result could not be written to standard output", "everything else is done; is its file system full?"))
          : code;
    } catch (Error e) { // picocli hands on exceptions only
      return failed.apply(Failure.of(e));
    }
  }

  private static Failure wrongUsage(ParameterException thrown) {
    var message = thrown.getMessage().lines().findFirst().orElse("wrong usage");
    var text = withoutJavaTypes(
        message.isEmpty() ? message : message.substring(0, 1).toLowerCase(Locale.ROOT) + message.substring(1));
    var similar = thrown instanceof UnmatchedArgumentException unmatched ? unmatched.getSuggestions()
        : List.<String>of();
    var script = thrown.getCommandLine().getCommandSpec().root().name();
    return new Failure(Exit.USAGE, text, (similar.isEmpty() ? "" : "did you mean %s? ".formatted(
        String.join(" or ", similar))) + "see ./jbang %s --help".formatted(script), thrown);
  }

  private static String withoutJavaTypes(String message) {
    var oneOf = ONE_OF.matcher(message);
    if (oneOf.find()) {
      return message.substring(0, oneOf.start()) + "%s is not one of %s".formatted(oneOf.group(2),
          oneOf.group(1).toLowerCase(Locale.ROOT));
    }
    var type = CANNOT_CONVERT.matcher(message);
    return type.find()
        ? message.substring(0, type.start()) + "'" + type.group(1) + "' is not " + switch (type.group(2)) {
      case "Duration" -> "a duration such as PT15M";
      case "Pattern" -> "a regular expression";
      default -> "allowed";
    } : message.replaceFirst("is not an? (int|long)$", "is not a whole number");
  }

  private static void addFooter(CommandLine line, List<Variable> variables) {
    var own = line.getCommandSpec().usageMessage().footer();
    var lines = values(variables).stream().map(text -> text.replace("%", "%%").replace("@|", "@ |"));
    line.getCommandSpec().usageMessage()
        .footer(Stream.of(Stream.of("Variables, with their values now:"), lines, Stream.of(own))
        .flatMap(text -> text).toArray(String[]::new));
  }

  private static List<String> values(List<Variable> variables) {
    try {
      return Settings.fromEnvironment().describe(variables);
    } catch (Failure e) {
      return List.of("  " + e.getMessage());
    }
  }
}

/**
 * Settings of every restore.
 *
 * @param archivePassword of AES-encrypted .zip archives
 * @param statePath folder of lock, marker and reports, where it is not that of the archives
 */
record CommonSettings(Optional<String> archivePassword, Optional<Path> statePath) {
  static final Variable ARCHIVE_PASSWORD = Variable.secret("BACKUP_PASSWORD");
  static final Variable STATE_PATH = Variable.optional("RESTORE_STATE_PATH");
  static final Variable ASSUME_YES = Variable.withDefault("ASSUME_YES", "false");
  static final List<Variable> VARIABLES = List.of(ARCHIVE_PASSWORD, STATE_PATH, ASSUME_YES);

  static CommonSettings of(Settings settings) {
    return new CommonSettings(settings.secret(ARCHIVE_PASSWORD), settings.optionalPath(STATE_PATH));
  }

  /**
   * The folder of lock, marker and reports: on a new host, which has no folder of archives, that of the backup.
   *
   * @param backup as {@code --backup} names it; null for the newest
   */
  Path stateFolder(Path archives, String backup) {
    if (statePath.isPresent() || backup == null || !backup.contains("/") || Files.isDirectory(archives)) {
      return statePath.orElse(archives);
    }
    return Path.of(backup).toAbsolutePath().getParent();
  }
}

/** Puts Java's words about a connection that failed into an administrator's. */
final class ConnectionError {
  private static final List<Map.Entry<String, String>> WORDS = List.of(
      Map.entry("connection refused", "connection refused: nothing listens on that port"),
      Map.entry("UnknownHost|UnresolvedAddress|not known", "unknown host"),
      // java.net.http says no more
      Map.entry("ConnectException(\\n|$)", "connection refused: nothing listens on that port"),
      Map.entry("NotSslRecord|not an SSL/TLS record|Unsupported or unrecognized SSL", "it speaks http, not https"),
      Map.entry("PKIX|unable to find valid certification path",
          "its certificate is not signed by a CA that is trusted here"),
      Map.entry("No name matching|No subject alternative|not verified|doesn't match",
          "its certificate is for another name"),
      Map.entry("certificate_expired|CertificateExpired", "its certificate has expired"),
      Map.entry("certificate_required|bad_certificate", "it wants a certificate of the client"),
      Map.entry("handshake_failure|protocol_version", "it and this host have no TLS version in common"),
      Map.entry("No route to host|Network is unreachable|Host is unreachable", "no route to that host"),
      Map.entry("timed out|Timeout", "no answer in time"),
      Map.entry("Invalid status line|unsupported (HTTP )?version|not a valid HTTP", "it is not an HTTP port"),
      Map.entry(
          "Connection reset|ClosedChannel|ConnectionClosed|connection (was )?closed|EOF|no bytes|Broken pipe|Remote"
              + " host terminated",
          "it closed the connection: perhaps it speaks https, or this is not its port"));

  private ConnectionError() {}

  static String words(Throwable thrown) {
    var all = Stream.iterate(thrown, Objects::nonNull, Throwable::getCause).map(Throwable::toString)
        .collect(Collectors.joining("\n"));
    return find(WORDS, all).orElseGet(() -> Failure.of(thrown).getMessage());
  }

  /** The words of the first pattern that is found in the text. */
  static Optional<String> find(List<Map.Entry<String, String>> words, String text) {
    return words.stream()
        .filter(entry -> Pattern.compile(entry.getKey(), Pattern.CASE_INSENSITIVE).matcher(text).find())
        .map(Map.Entry::getValue).findFirst();
  }
}

/** Shows steps and progress on stderr. Results go to stdout, which is not this class's. */
class Console {
  private static final int WIDTH_OF_LOGS = 100;
  private static final Duration BETWEEN_LINES = Duration.ofSeconds(5);

  /** True where the arguments ask for JSON, also where others of them are wrong. */
  boolean json;

  @Option(names = "--verbose", scope = ScopeType.INHERIT, description = "show traces and the libraries' warnings")
  boolean verbose;

  final boolean terminal = System.console() != null;
  private String onInterrupt;
  private String drawn = "";

  /** The parser calls it with false, too, where the option is not there or the arguments are wrong. */
  @Option(names = "--json", scope = ScopeType.INHERIT, description = "print the result as JSON")
  void askForJson(boolean asked) {
    json |= asked;
  }

  Console() {
    Runtime.getRuntime().addShutdownHook(new Thread(this::interrupted));
  }

  synchronized void step(String text, Object... values) {
    erase();
    System.err.println(text.formatted(values));
  }

  /** Prints the result, as JSON or in words, and returns the code; a success that nobody can read is an error. */
  int print(String asJson, String inWords, int code) {
    System.out.println(json ? asJson : inWords);
    if (System.out.checkError() && code == Exit.DONE) {
      throw new Failure(Exit.UNEXPECTED, "the result could not be written to standard output",
          "it was: " + inWords.strip().replaceFirst("(?s).*\n", ""));
    }
    return code;
  }

  void warn(String text, Object... values) {
    step("warning: " + text, values);
  }

  /** Shows what went wrong and what to do about it; returns the exit code. */
  synchronized int error(String about, Failure failure) {
    step("%s", "error: " + (about.isEmpty() ? "" : about + ": ") + failure.getMessage()
        + (failure.hint == null ? "" : "\nhint: " + failure.hint)); // in one: others may fail at the same time
    if (verbose) {
      failure.printStackTrace();
    }
    return failure.code;
  }

  /** Sets what Ctrl-C says from now on: whether something was changed, and what to do. Null: nothing. */
  synchronized void onInterrupt(String text) {
    onInterrupt = text;
  }

  private synchronized void interrupted() {
    if (onInterrupt != null) {
      step("%s", "\nInterrupted. " + onInterrupt);
    }
  }

  /**
   * Shows a line that moves on a terminal, a line every five seconds elsewhere, until closed; nothing where there are
   * no bytes.
   */
  Closeable progress(String task, long total, LongSupplier done, Supplier<String> state) {
    if (total <= 0) {
      return () -> {};
    }
    var moves = canDraw();
    var width = moves ? columns() - 3 : WIDTH_OF_LOGS; // room for ^C
    var begun = Instant.now();
    Supplier<String> line =
        () -> ProgressLine.of(task, Math.min(done.getAsLong(), total), total, Duration.between(begun, Instant.now()),
        state.get(), width);
    var clock = Executors.newSingleThreadScheduledExecutor(Console::daemon);
    var pause = moves ? 200 : BETWEEN_LINES.toMillis();
    clock.scheduleAtFixedRate(() -> show(line.get(), moves), moves ? 0 : pause, pause, TimeUnit.MILLISECONDS);
    return () -> {
      clock.shutdownNow();
      step("%s", line.get());
    };
  }

  private synchronized void show(String line, boolean moves) {
    if (moves) {
      drawn = line;
      // never onto a second line, should the terminal have become narrower
      System.err.print("\r\033[?7l" + line + "\033[K\033[?7h");
    } else {
      step("%s", line);
    }
  }

  private synchronized void erase() {
    if (!drawn.isEmpty()) {
      drawn = "";
      System.err.print("\r\033[K");
    }
  }

  /** True if stderr is the terminal, not a file, and a terminal that can move its cursor. */
  private boolean canDraw() {
    try {
      return terminal && Files.isSameFile(Path.of("/dev/stdin"), Path.of("/dev/stderr"))
          && System.getenv("NO_COLOR") == null && !"dumb".equals(System.getenv("TERM"));
    } catch (IOException e) {
      return false;
    }
  }

  /** The width of the terminal. A terminal library would take Ctrl-C from the shutdown hooks. */
  private static int columns() {
    try {
      var stty = new ProcessBuilder("stty", "size").redirectInput(ProcessBuilder.Redirect.INHERIT)
          .redirectError(ProcessBuilder.Redirect.DISCARD).start();
      var columns = Integer.parseInt(new String(stty.getInputStream().readAllBytes()).strip().replaceFirst(".* ", ""));
      return columns < 40 ? 80 : columns;
    } catch (IOException | NumberFormatException e) {
      return 80;
    }
  }

  static Thread daemon(Runnable work) {
    var thread = new Thread(work);
    thread.setDaemon(true);
    return thread;
  }

  /** The name of this host. */
  static String hostName() throws IOException {
    return Files.readString(Path.of("/proc/sys/kernel/hostname")).strip();
  }

  static String size(long bytes) {
    return ProgressLine.size(bytes);
  }

  static String time(Instant time) {
    return time.truncatedTo(ChronoUnit.SECONDS).toString();
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

  /** For the help of the restores; ASCII, and in lines that a terminal of 80 columns shows whole. */
  static final String OF_RESTORES = "Exit codes: 0 done, 1 unexpected, 2 usage, 10 backup, 11 unreachable,%n"
      + "12 rights, 13 target not safe, 14 partial, 16 declined, 130 interrupted";

  private Exit() {}
}

/** An error with its hint and the exit code: shown as two lines, without a trace. */
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
    var message = cause.getMessage() != null ? cause.getMessage() : cause instanceof EOFException ? "it ends too early"
        : cause.toString();
    if (cause instanceof FileSystemException file) {
      var words = cause.getClass().getSimpleName().replace("Exception", "").replaceAll("(?<=[a-z])(?=[A-Z])", " ")
          .toLowerCase(Locale.ROOT);
      message = file.getFile() + ": " + (file.getReason() != null ? file.getReason() : words);
    }
    return cause instanceof Error error ? of(error, message.lines().findFirst().orElse(message))
        : new Failure(Exit.UNEXPECTED, message, "run again with --verbose for the trace", cause);
  }

  /**
   * Errors of the virtual machine, with what helps: libraries that are not Java are unpacked where it may be forbidden
   * to run them.
   */
  private static Failure of(Error error, String message) {
    if (error instanceof LinkageError) {
      return new Failure(Exit.UNEXPECTED, "a library could not be loaded: " + message,
          "is %s on a file system that is mounted noexec? _JAVA_OPTIONS=-Djava.io.tmpdir=<another folder> names another"
              .formatted(System.getProperty("java.io.tmpdir")), error);
    }
    var hint = error instanceof OutOfMemoryError ? "_JAVA_OPTIONS=-Xmx3g gives it more"
        : "run again with --verbose for the trace";
    return new Failure(Exit.UNEXPECTED, error instanceof OutOfMemoryError ? "out of memory: " + message : message, hint,
        error);
  }
}

/**
 * A node of TheHive: this host, or another one through the system's OpenSSH client and its configuration.
 *
 * @param destination where ssh goes to; null for this host
 * @param container in which TheHive runs there; null where it is a systemd unit
 */
record Host(String name, String destination, String port, TheHiveContainer container) {

  private static final Pattern IN_CONTAINER =
      Pattern.compile("((?<host>.+)/)?(?<engine>docker|podman):(?<name>(?!\\d+$)[A-Za-z0-9][\\w.-]*)");
  /** Stands between what the login shell prints by itself and the answer. */
  private static final String BEGIN = "thehive-answer-begins";
  private static final Pattern NAMED =
      Pattern.compile("(?<to>([\\w.-]+@)?(?<host>\\w[\\w.-]*|\\[[0-9a-fA-F:]+]))(:(?<port>\\d+))?");
  private static final String PROPERTIES = "LoadState,ActiveState,SubState,NRestarts,StateChangeTimestamp,InvocationID";

  Host(String name, String destination, String port) {
    this(name, destination, port, null);
  }

  /** The result of a command there; 255 is ssh's own code. */
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
    var inContainer = IN_CONTAINER.matcher(name);
    if (inContainer.matches()) {
      var host = parse(inContainer.group("host") == null ? "localhost" : inContainer.group("host"));
      var container = new TheHiveContainer(inContainer.group("engine"), inContainer.group("name"));
      return new Host(inContainer.group("host") == null ? container.toString() : host.name + "/" + container,
          host.destination, host.port, container);
    }
    var match = NAMED.matcher(name);
    if (!match.matches()) {
      throw new Failure(Exit.USAGE, "'%s' is not a host name".formatted(name),
          "name hosts like node1, admin@node2:2222 or localhost, containers like docker:thehive or"
              + " node2/docker:thehive");
    }
    if (match.group("port") != null && !isPort(match.group("port"))) {
      throw new Failure(Exit.USAGE, "'%s' names port %s, which no host has".formatted(name, match.group("port")),
          "ports are numbers from 1 to 65535, ssh's is mostly 22");
    }
    var local = Set.of("localhost", "127.0.0.1", "[::1]").contains(match.group("to")) && match.group("port") == null;
    return new Host(match.group("host"), local ? null : match.group("to").replaceAll("[\\[\\]]", ""),
        match.group("port"));
  }

  private static boolean isPort(String digits) {
    return digits.length() < 6 && Integer.parseInt(digits) > 0 && Integer.parseInt(digits) < 65_536;
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
    return known.lines().filter(line -> line.startsWith("hostname ")).map(line -> line.substring(9)).findFirst()
        .orElse(destination);
  }

  /**
   * Never asks and never accepts an unknown host key: a runbook must not hang, and a key is the administrator's to
   * trust.
   */
  List<String> command(String shell) {
    if (isLocal()) {
      return List.of("sh", "-c", shell);
    }
    var ssh =
        Stream.of("ssh", "-T", "-o", "BatchMode=yes", "-o", "StrictHostKeyChecking=yes", "-o", "ConnectTimeout=10",
        "-o", "ServerAliveInterval=5", "-o", "ServerAliveCountMax=3");
    var to = port == null ? Stream.of("--", destination) : Stream.of("-p", port, "--", destination);
    return Stream.of(ssh, to, Stream.of("sh -c '" + shell + "'")).flatMap(part -> part).toList();
  }

  /**
   * Runs a shell command there, one without single quotes. Files take its output: a shared ssh connection keeps pipes
   * open.
   */
  Output run(String shell, Duration limit) {
    try {
      var out = Files.createTempFile("thehive-host", ".out");
      var err = Files.createTempFile("thehive-host", ".err");
      try {
        var process = new ProcessBuilder(command(isLocal() ? shell : "echo " + BEGIN + "; " + shell))
            .redirectInput(new File("/dev/null"))
            .redirectOutput(out.toFile()).redirectError(err.toFile()).start();
        if (!process.waitFor(limit.toMillis(), TimeUnit.MILLISECONDS)) {
          process.destroyForcibly();
          throw new Failure(Exit.UNREACHABLE,
              "%s: no answer within %d s to: %s".formatted(name, limit.toSeconds(), shell), null);
        }
        var output = new Output(process.exitValue(), Files.readString(out), Files.readString(err).strip());
        return isLocal() ? output : output.code() == 255 ? unreachable(output.err()) : withoutGreeting(this, output);
      } finally {
        Files.delete(out);
        Files.delete(err);
      }
    } catch (IOException e) {
      throw new Failure(Exit.UNREACHABLE, "%s: %s".formatted(name, e.getMessage()),
          "the OpenSSH client is needed for other hosts", e);
    } catch (InterruptedException e) {
      throw new Failure(Exit.UNREACHABLE, name + ": interrupted", null, e);
    }
  }

  /** A login shell may print text of its own, a banner or what .bashrc says: it is never taken for an answer. */
  static Output withoutGreeting(Host host, Output output) {
    var begins = output.out().indexOf(BEGIN + "\n");
    if (begins < 0) {
      throw new Failure(Exit.UNREACHABLE,
          "%s: the login shell there did not run the command: %s".formatted(host.name,
              last(output.err().isEmpty() ? output.out() : output.err())),
          "try it by hand: ssh %s echo works".formatted(host.destination));
    }
    return new Output(output.code(), output.out().substring(begins + BEGIN.length() + 1), output.err());
  }

  private Output unreachable(String said) {
    var reason = last(said).replaceFirst("^ssh: ", "");
    var by = "ssh " + (port == null ? "" : "-p " + port + " ") + destination;
    if (said.contains("Permission denied")) {
      throw new Failure(Exit.AUTHENTICATION, "%s: ssh: %s".formatted(name, reason),
          "log in with a key, without a password: " + by);
    }
    throw new Failure(Exit.UNREACHABLE, "%s: ssh: %s".formatted(name, reason),
        said.contains("Host key verification failed")
        ? "compare its host key and accept it by hand: " + by : "try it by hand: " + by);
  }

  static String last(String lines) {
    return lines.strip().replaceFirst("(?s).*\\R", "").strip();
  }

  Unit unit(String service) {
    var output = run("id -u; LC_ALL=C systemctl show --property=%s -- %s".formatted(PROPERTIES, service),
        Duration.ofSeconds(30));
    if (output.code() != 0) {
      throw new Failure(Exit.UNSAFE, "%s has no systemd that answers: %s".formatted(name, last(output.err())),
          "look after TheHive there by hand: in its container, or with its own start script");
    }
    var lines = output.out().lines().toList();
    if (lines.isEmpty()) {
      throw new Failure(Exit.UNREACHABLE, name + ": no answer", null);
    }
    var is = lines.stream().filter(line -> line.contains("=")).map(line -> line.split("=", 2))
        .collect(Collectors.toMap(pair -> pair[0], pair -> pair[1], (one, other) -> one));
    return new Unit(is.getOrDefault("LoadState", ""), is.getOrDefault("ActiveState", ""),
        is.getOrDefault("SubState", ""),
        Integer.parseInt(is.getOrDefault("NRestarts", "0")), is.getOrDefault("StateChangeTimestamp", ""),
        is.getOrDefault("InvocationID", ""), lines.get(0).equals("0"));
  }
}

/** JSON, as reports, markers, results and the Elasticsearch API use it. */
final class Json {
  static final ObjectMapper MAPPER = JsonMapper.builder().enable(SerializationFeature.INDENT_OUTPUT)
      .enable(EnumFeature.WRITE_ENUMS_TO_LOWERCASE).build();

  private Json() {}

  /** The output of {@code --json} where a script ends with a failure. */
  static String failure(String script, Failure failure) {
    return MAPPER.createObjectNode().put("script", script).put("exit", failure.code)
        .put("error", failure.getMessage()).put("hint", failure.hint).toPrettyString();
  }
}

/** The line that shows how far a step is. */
final class ProgressLine {
  private static final int BAR = 20;
  private static final int NARROW = 60;

  private ProgressLine() {}

  /**
   * Returns one line of at most {@code width} characters: task, bar, bytes, rate, elapsed and left time, state. What
   * does not fit is left out from the end, never cut within a word; a narrow line has no bar.
   *
   * @param done bytes of {@code total} that are done
   * @param state a few words, such as {@code 3 of 9 tables}; may be empty
   */
  static String of(String task, long done, long total, Duration elapsed, String state, int width) {
    var millis = Math.max(1, elapsed.toMillis());
    var rate = done * 1000 / millis;
    var text = " %s of %s".formatted(size(done), size(total));
    var more = new StringBuilder(rate > 0 ? ", %s/s".formatted(size(rate)) : "").append(", elapsed ")
        .append(clock(elapsed.toSeconds()));
    if (rate > 0 && done < total) {
      more.append(", left ").append(clock((total - done + rate - 1) / rate));
    }
    if (!state.isEmpty()) {
      more.append(", ").append(state);
    }
    var bar = width < NARROW ? "" : " [" + bar(done, total) + "]";
    var words = more.toString();
    while (!words.isEmpty() && task.length() + bar.length() + text.length() + words.length() > width) {
      words = words.substring(0, Math.max(0, words.lastIndexOf(", ")));
    }
    return task + bar + text + words;
  }

  private static String bar(long done, long total) {
    var full = total <= 0 ? BAR : (int) Math.min(BAR, done * BAR / total);
    return "=".repeat(full) + " ".repeat(BAR - full);
  }

  private static String clock(long seconds) {
    return seconds < 3600 ? "%d:%02d".formatted(seconds / 60, seconds % 60)
        : "%d:%02d:%02d".formatted(seconds / 3600, seconds / 60 % 60, seconds % 60);
  }

  /** A time as it is said, such as {@code 4 min 10 s}. */
  static String time(double seconds) {
    var whole = Math.round(seconds);
    return seconds < 9.95 ? String.format(Locale.ROOT, "%.1f s", seconds)
        : whole < 60 ? whole + " s"
        : whole < 3600 ? "%d min %d s".formatted(whole / 60, whole % 60)
        : "%d h %d min".formatted(whole / 3600, whole / 60 % 60);
  }

  /** A number of bytes as an administrator reads it, such as {@code 12 MB}. */
  static String size(long bytes) {
    return bytes < 1_000_000 ? (bytes + 999) / 1000 + " kB"
        : bytes < 10_000_000_000L ? (bytes + 500_000) / 1_000_000 + " MB"
        : (bytes + 500_000_000L) / 1_000_000_000L + " GB";
  }
}

/** The release that all scripts belong to; what {@code --version} prints. */
final class Release implements IVersionProvider {
  static final String VERSION = "1.1.0";
  /** Filled in by git where the files come from its archive of a commit, such as a download: see .gitattributes. */
  private static final String COMMIT = "$Format:%h of %cs$";
  @Spec
  private CommandSpec command;

  @Override
  public String[] getVersion() {
    return new String[] {text(command.root().name(), COMMIT)};
  }

  /** Such as {@code verify.java 1.1.0 (commit 1c74053 of 2026-11-27)}; without the commit where it is not known. */
  static String text(String script, String commit) {
    return script + " " + VERSION + (commit.startsWith("$") ? "" : " (commit " + commit + ")");
  }
}

/**
 * The settings of one run. A variable wins over TheHive's own configuration file, which wins over the default of the
 * documented procedure.
 */
final class Settings {
  static final Variable CONFIG = Variable.optional("THEHIVE_CONFIG");
  private static final int COLUMNS = 79;
  private static final String BYTE_ORDER_MARK = "\uFEFF";
  private final Map<String, String> environment;
  private final Map<String, String> configured;
  private final String configFile;

  Settings(Map<String, String> environment) {
    this(environment, Map.of(), "");
  }

  /** @param configured what TheHive's configuration file says, by the names of the variables */
  Settings(Map<String, String> environment, Map<String, String> configured, String configFile) {
    this.environment = environment;
    this.configured = configured;
    this.configFile = configFile;
  }

  static Settings fromEnvironment() {
    var named = new Settings(System.getenv()).optionalPath(CONFIG);
    var file = named.orElse(TheHiveConfig.USUAL);
    if (named.isEmpty() && !Files.isReadable(file)) {
      return new Settings(System.getenv());
    }
    if (!Files.isReadable(file)) {
      throw new Failure(Exit.USAGE,
          "cannot read TheHive's configuration %s, which THEHIVE_CONFIG names".formatted(file),
          "check its path, owner and mode");
    }
    return new Settings(System.getenv(), TheHiveConfig.read(file), file.toString());
  }

  /** True if a variable or TheHive's configuration names it: only a default is not. */
  boolean isSet(Variable variable) {
    return isVariable(variable) || configured.containsKey(variable.name());
  }

  private boolean isVariable(Variable variable) {
    return environment.containsKey(variable.name())
        || variable.secret() && environment.containsKey(variable.name() + "_FILE");
  }

  /** The variable's value, or its default; empty where there is neither. */
  Optional<String> optional(Variable variable) {
    var value = environment.get(variable.name());
    if (value == null && configured.containsKey(variable.name())) {
      return Optional.of(configured.get(variable.name()));
    }
    if (value == null) {
      return Optional.of(variable.fallback()).filter(fallback -> !fallback.isEmpty());
    }
    requireClean(variable.name(), value);
    return Optional.of(value);
  }

  /** The value of a variable that has a default. */
  String text(Variable variable) {
    return optional(variable)
        .orElseThrow(() -> new Failure(Exit.USAGE, variable.name() + " is not set", "give it a value"));
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
      throw new Failure(Exit.USAGE, "%s '%s' is not a path: %s".formatted(variable.name(), value, e.getReason()),
          "give it a path");
    }
  }

  boolean flag(Variable variable) {
    var value = optional(variable).orElse("false");
    if (!value.matches("(?i)true|false")) {
      throw new Failure(Exit.USAGE, "%s is '%s'".formatted(variable.name(), value), "set it to true or false");
    }
    return Boolean.parseBoolean(value);
  }

  /**
   * A secret from its variable, or from the file that the variable with {@code _FILE} names, without its last line
   * break.
   */
  Optional<String> secret(Variable variable) {
    var value = Optional.ofNullable(environment.get(variable.name()));
    var file = optional(Variable.optional(variable.name() + "_FILE"));
    if (value.isPresent() && file.isPresent()) {
      throw new Failure(Exit.USAGE, "%s and %s_FILE are both set".formatted(variable.name(), variable.name()),
          "unset one of them");
    }
    value.ifPresent(secret -> requireNotBlank(variable.name(), secret));
    return file.isPresent() ? Optional.of(read(variable.name() + "_FILE", file.get()))
        : value.or(() -> Optional.ofNullable(configured.get(variable.name())));
  }

  private static String read(String name, String file) {
    try {
      var secret = Files.readString(Path.of(file)).replaceFirst("\\R\\z", "");
      if (secret.isBlank()) {
        throw new Failure(Exit.USAGE, "%s names %s, which is empty".formatted(name, file), "write the secret into it");
      }
      return secret;
    } catch (IOException | InvalidPathException e) {
      throw new Failure(Exit.USAGE,
          "cannot read %s, which %s names: %s".formatted(file, name, Failure.of(e).getMessage()),
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

  /** Refuses what an editor on Windows, or a shell that keeps quotes, leaves in a value. */
  private static void requireClean(String name, String value) {
    requireNotBlank(name, value);
    if (value.startsWith(BYTE_ORDER_MARK)) {
      throw new Failure(Exit.USAGE, name + " begins with a byte order mark",
          "save the file it comes from as UTF-8 without a byte order mark");
    }
    if (value.endsWith("\r")) {
      throw new Failure(Exit.USAGE, name + " ends with a carriage return",
          "the file it comes from was edited on Windows: dos2unix mends it");
    }
    if (value.length() > 1 && value.matches("(?s)([\"']).*\\1")) {
      throw new Failure(Exit.USAGE, "%s has quotes around its value: %s".formatted(name, value),
          "leave out the quotes");
    }
  }

  /**
   * The documentation shows a password in CASSANDRA_CONNECTION; URLs may hold one, too, with any character in it, and
   * in front of a host without a scheme.
   */
  static String withoutSecrets(String value) {
    return value.replaceAll("(\\s|^)(-p|--password)(\\s*=?\\s*).+", "$1$2 (not shown)")
        .replaceAll("://.*@", "://(not shown)@").replaceFirst("^[^\\s/@]+:\\S*@", "(not shown)@");
  }

  /**
   * Lines for the help: the variables that have a value, by where it comes from, then the others. Where the values
   * would make it longer than one screen, only names.
   */
  List<String> describe(List<Variable> variables) {
    var lines = describe(variables, true);
    var longest = new Settings(Map.of()).describe(variables, true).size();
    return lines.size() <= longest + 1 && lines.stream().allMatch(line -> line.length() <= COLUMNS) ? lines
        : describe(variables, false);
  }

  private List<String> describe(List<Variable> variables, boolean values) {
    var lines = new ArrayList<String>();
    for (var origin : variables.stream().filter(this::isSet).map(this::origin).distinct().toList()) {
      var ofIt = variables.stream().filter(this::isSet).filter(one -> origin(one).equals(origin)).toList();
      var first = (origin.equals("set") ? "Set" : "From " + origin)
          + (values ? ":" : " (verify.java settings shows it):");
      lines.addAll(wrapped(first, values ? ofIt.stream().map(one -> one.name() + "=" + shown(one)).toList()
          : shortened(ofIt.stream().map(Variable::name).toList())));
    }
    var defaults = variables.stream().filter(variable -> !isSet(variable) && !variable.fallback().isEmpty())
        .map(variable -> variable.name() + "=" + variable.fallback()).toList();
    if (!defaults.isEmpty()) {
      lines.addAll(wrapped("Defaults:", defaults));
    }
    var unset = variables.stream().filter(variable -> !isSet(variable) && variable.fallback().isEmpty()).toList();
    if (!unset.isEmpty()) {
      lines.addAll(wrapped("Not set:", shortened(unset.stream().map(Variable::name).toList())));
    }
    return lines;
  }

  /** CASSANDRA_USER CASSANDRA_PASSWORD is CASSANDRA_USER _PASSWORD: a help has 40 lines. */
  private static List<String> shortened(List<String> names) {
    var lines = new ArrayList<String>();
    var before = "";
    for (var name : names) {
      var family = name.replaceFirst("_.*", "_");
      lines.add(family.equals(before) ? name.substring(family.length() - 1) : name);
      before = family;
    }
    return lines;
  }

  /** The words in lines that a terminal of 80 columns shows whole. */
  private static List<String> wrapped(String first, List<String> words) {
    var lines = new ArrayList<String>();
    var line = new StringBuilder("  ").append(first);
    for (var word : words) {
      if (line.length() + word.length() + 1 > COLUMNS) {
        lines.add(line.toString());
        line = new StringBuilder("   ");
      }
      line.append(' ').append(word);
    }
    lines.add(line.toString());
    return lines;
  }

  /** Its value without secrets; empty where it has none. */
  String shown(Variable variable) {
    return isSet(variable) && variable.secret() ? "(not shown)"
        : withoutSecrets(
            environment.getOrDefault(variable.name(), configured.getOrDefault(variable.name(), variable.fallback())));
  }

  String origin(Variable variable) {
    return isVariable(variable) ? "set" : configured.containsKey(variable.name()) ? configFile : "default";
  }

  /** A line for each that has a value: for the plan, where a variable of another site must show. */
  List<String> sources(List<Variable> variables) {
    return variables.stream().filter(variable -> !shown(variable).isEmpty())
        .map(variable -> "%s %s (%s)".formatted(variable.name(), shown(variable), source(variable))).toList();
  }

  /** The source of the value: the variable, a file, the default, or nowhere. */
  String source(Variable variable) {
    if (environment.containsKey(variable.name())) {
      return "variable";
    }
    var file = variable.secret() ? environment.get(variable.name() + "_FILE") : null;
    return file != null ? "%s, named by %s_FILE".formatted(file, variable.name())
        : configured.containsKey(variable.name()) ? configFile : variable.fallback().isEmpty() ? "not set" : "default";
  }

  /** Warnings: a variable that contradicts TheHive's configuration, and one whose name is almost that of a setting. */
  List<String> warnings(List<Variable> variables) {
    var warnings = new ArrayList<String>();
    for (var variable : variables) {
      var configuredValue = configured.get(variable.name());
      var value = environment.get(variable.name());
      if (configuredValue != null && value != null && !value.equals(configuredValue)) {
        warnings.add(variable.secret() ? "%s is not what %s says".formatted(variable.name(), configFile)
            : "%s is %s, but %s says %s".formatted(variable.name(), withoutSecrets(value), configFile,
                withoutSecrets(configuredValue)));
      }
    }
    var names =
        variables.stream().flatMap(variable -> variable.secret() ? Stream.of(variable.name(), variable.name() + "_FILE")
        : Stream.of(variable.name())).toList();
    variables.stream().filter(Variable::secret)
        .forEach(variable -> leftovers(variable.name()).ifPresent(warnings::add));
    for (var name : new TreeSet<>(environment.keySet())) {
      if (name.startsWith(BYTE_ORDER_MARK)) {
        warnings.add(
            ("the name %s begins with a byte order mark, so nothing reads it: save the file it comes from as UTF-8"
                + " without one").formatted(name.substring(1)));
        continue;
      }
      names.stream().filter(known -> !names.contains(name) && isAlmost(name, known)).findFirst()
          .ifPresent(known -> warnings.add("%s is set, but nothing reads it: is %s meant?".formatted(name, known)));
    }
    return warnings;
  }

  /** Tells what an editor or a shell may have left in a secret: it is taken as it stands, for it may be meant. */
  private Optional<String> leftovers(String name) {
    var value = environment.getOrDefault(name, "");
    var found = value.startsWith(BYTE_ORDER_MARK) ? "begins with a byte order mark"
        : value.endsWith("\r") ? "ends with a carriage return"
        : value.length() > 1 && value.matches("(?s)([\"']).*\\1") ? "has quotes around its value" : "";
    return found.isEmpty() ? Optional.empty() : Optional.of("%s %s, which counts as part of it".formatted(name, found));
  }

  /** True if one letter is missing, added or another one, or two neighbours have changed places. */
  static boolean isAlmost(String name, String known) {
    if (name.length() < 8 || Math.abs(name.length() - known.length()) > 1) {
      return false;
    }
    var at = 0;
    while (at < Math.min(name.length(), known.length()) && name.charAt(at) == known.charAt(at)) {
      at++;
    }
    var one = name.substring(at);
    var other = known.substring(at);
    if (one.length() == other.length()) {
      return one.length() > 0 && one.substring(1).equals(other.substring(1))
          || one.length() > 1 && one.charAt(0) == other.charAt(1) && one.charAt(1) == other.charAt(0)
              && one.substring(2).equals(other.substring(2));
    }
    return one.length() > other.length() ? one.substring(1).equals(other) : other.substring(1).equals(one);
  }
}

/**
 * TheHive's own configuration file as a source of settings: what it says of database, index and attachments, by the
 * names of the variables. Keys of TheHive 5.0 and 4 are read, too, where they differ.
 */
final class TheHiveConfig {
  static final Path USUAL = Path.of("/etc/thehive/application.conf");

  private TheHiveConfig() {}

  static Map<String, String> read(Path file) {
    try {
      // Secrets often come from variables of TheHive's own service, which are not set here.
      return settings(
          ConfigFactory.parseFile(file.toFile()).resolve(ConfigResolveOptions.defaults().setAllowUnresolved(true)));
    } catch (ConfigException e) {
      throw new Failure(Exit.USAGE, "cannot read TheHive's configuration %s: %s".formatted(file, e.getMessage()),
          "THEHIVE_CONFIG names it; set THEHIVE_CONFIG=/dev/null to go on without it");
    }
  }

  /** The settings that the configuration gives, each by the name of its variable. */
  static Map<String, String> settings(com.typesafe.config.Config config) {
    var settings = new LinkedHashMap<String, String>();
    if (isOneOf(config, "db.janusgraph.storage.backend", "cql", "cassandra", "cassandrathrift")) {
      addCassandra(settings, config);
    }
    if (isOneOf(config, "db.janusgraph.index.search.backend", "elasticsearch")) {
      addElasticsearch(settings, config);
    }
    if (isOneOf(config, "storage.provider", "localfs")) {
      put(settings, "ATTACHMENT_FOLDER", first(config, "storage.localfs.location", "storage.localfs.directory"));
    }
    if (isOneOf(config, "storage.provider", "s3")) {
      addBucket(settings, config);
    }
    addAddress(settings, config);
    return settings;
  }

  /**
   * True if the key has one of these values, or is not there: TheHive 4 may have the database in a local folder, say.
   */
  private static boolean isOneOf(com.typesafe.config.Config config, String path, String... values) {
    return first(config, path).map(value -> List.of(values).contains(value)).orElse(true);
  }

  private static void addCassandra(Map<String, String> settings, com.typesafe.config.Config config) {
    put(settings, "CASSANDRA_KEYSPACE",
        first(config, "db.janusgraph.storage.cql.keyspace", "db.janusgraph.storage.cassandra.keyspace"));
    put(settings, "CASSANDRA_CONNECTION",
        list(config, "db.janusgraph.storage.hostname").map(hosts -> String.join(",", hosts)
        + first(config, "db.janusgraph.storage.port").map(" "::concat).orElse("")));
    put(settings, "CASSANDRA_THEHIVE_USER",
        first(config, "db.janusgraph.storage.username", "db.janusgraph.storage.cql.username"));
    var ssl = "db.janusgraph.storage.cql.ssl.";
    if (isTrue(config, ssl + "enabled")) {
      put(settings, "CASSANDRA_SSL_CA", first(config, ssl + "truststore.location"));
      put(settings, "CASSANDRA_SSL_CA_PASSWORD", first(config, ssl + "truststore.password", ssl + "password"));
      if (isTrue(config, ssl + "client-authentication-enabled")) {
        put(settings, "CASSANDRA_SSL_CERT", first(config, ssl + "keystore.location"));
        put(settings, "CASSANDRA_SSL_KEY_PASSWORD",
            first(config, ssl + "keystore.storepassword", ssl + "truststore.storepassword",
            ssl + "keystore.keypassword"));
      }
    }
  }

  private static void addElasticsearch(Map<String, String> settings, com.typesafe.config.Config config) {
    var search = "db.janusgraph.index.search.";
    put(settings, "ELASTICSEARCH_API_URL", list(config, search + "hostname").map(hosts -> urls(config, hosts)));
    put(settings, "ELASTICSEARCH_USER", first(config, search + "elasticsearch.http.auth.basic.username"));
    put(settings, "ELASTICSEARCH_PASSWORD", first(config, search + "elasticsearch.http.auth.basic.password"));
    if (isTrue(config, search + "elasticsearch.ssl.enabled")) {
      put(settings, "ELASTICSEARCH_CA", first(config, search + "elasticsearch.ssl.truststore.location"));
      put(settings, "ELASTICSEARCH_CA_PASSWORD", first(config, search + "elasticsearch.ssl.truststore.password"));
    }
    var name = first(config, search + "index-name");
    put(settings, "ELASTICSEARCH_INDEX", name.map(prefix -> prefix + "_global"));
    if (first(config, "audit.storage").filter("elasticsearch"::equals).isPresent()) { // since TheHive 5.5
      put(settings, "ELASTICSEARCH_AUDIT_INDEX", first(config, "audit.elasticsearch.index-name")
          .or(() -> Optional.of(name.orElse("thehive") + "-audits")));
    }
  }

  /** TheHive's own keys, and those of the library that it uses: alpakka, since TheHive 5.4 pekko. */
  private static void addBucket(Map<String, String> settings, com.typesafe.config.Config config) {
    put(settings, "MINIO_ENDPOINT", ofStore(config, "endpoint", "endpoint-url"));
    put(settings, "MINIO_BUCKET", first(config, "storage.s3.bucket"));
    put(settings, "MINIO_ACCESS_KEY", ofStore(config, "accessKey", "aws.credentials.access-key-id"));
    put(settings, "MINIO_SECRET_KEY", ofStore(config, "aws.credentials.secret-access-key", "secretKey"));
    put(settings, "MINIO_REGION", ofStore(config, "aws.region.default-region", "region"));
    put(settings, "MINIO_VIRTUAL_HOST",
        ofStore(config, "access-style").filter(style -> style.equals("virtual")).map(style -> "true"));
  }

  private static Optional<String> ofStore(com.typesafe.config.Config config, String... names) {
    return first(config, Stream.of("storage.s3.", "pekko.connectors.s3.", "alpakka.s3.")
        .flatMap(prefix -> Stream.of(names).map(name -> prefix + name)).toArray(String[]::new));
  }

  /** TheHive's port, and the path in front of its own where it has one. */
  private static void addAddress(Map<String, String> settings, com.typesafe.config.Config config) {
    var path = first(config, "play.http.context", "application.context").map(context -> context.replaceFirst("/+$", ""))
        .orElse("");
    var https = first(config, "https.port", "play.server.https.port");
    var http = first(config, "http.port", "play.server.http.port").filter(port -> !port.equals("disabled"));
    var address = http.map("http://<node>:"::concat).or(() -> https.map("https://<node>:"::concat))
        .or(() -> path.isEmpty() ? Optional.empty() : Optional.of("http://<node>:9000"));
    put(settings, "THEHIVE_URL", address.map(text -> text + path));
  }

  private static boolean isTrue(com.typesafe.config.Config config, String path) {
    return first(config, path).filter("true"::equals).isPresent();
  }

  private static String urls(com.typesafe.config.Config config, List<String> hosts) {
    var scheme = isTrue(config, "db.janusgraph.index.search.elasticsearch.ssl.enabled") ? "https" : "http";
    var port = first(config, "db.janusgraph.index.search.port").orElse("9200");
    return hosts.stream()
        .map(host -> host.matches("https?://.*") ? host
            : scheme + "://" + host + (host.matches(".*:\\d+") ? "" : ":" + port))
        .collect(Collectors.joining(","));
  }

  private static void put(Map<String, String> settings, String name, Optional<String> value) {
    value.filter(text -> !text.isBlank()).ifPresent(text -> settings.put(name, text));
  }

  /** The value of the first of these paths that is there and resolved. */
  private static Optional<String> first(com.typesafe.config.Config config, String... paths) {
    for (var path : paths) {
      try {
        if (config.hasPath(path)) {
          return Optional.of(config.getString(path));
        }
      } catch (ConfigException.NotResolved e) {
        // its value comes from a variable that is not set here: as good as not there
      }
    }
    return Optional.empty();
  }

  /** A list, or a text with commas, as JanusGraph takes both. */
  private static Optional<List<String>> list(com.typesafe.config.Config config, String path) {
    try {
      if (!config.hasPath(path)) {
        return Optional.empty();
      }
      return Optional.of(config.getValue(path).valueType() == ConfigValueType.LIST ? config.getStringList(path)
          : List.of(config.getString(path).split("\\s*,\\s*")));
    } catch (ConfigException.NotResolved e) {
      return Optional.empty();
    }
  }
}

/**
 * A container of TheHive, asked and told through the engine's own command, docker or podman. It is stopped, started and
 * shown like a systemd unit.
 *
 * @param name of the container, or of the service in its compose file
 */
record TheHiveContainer(String engine, String name) {
  private static final Pattern ANSWER = Pattern.compile(
      "thehive-container\\|(?<how>[^|]*)\\|(?<id>[^|]*)\\|(?<status>[^|]*)\\|(?<exit>-?\\d+)"
          + "\\|(?<restarts>\\d+)\\|(?<since>[^|]*)");
  /** A JVM that ends on SIGTERM, or that the engine had to kill, did not fail. */
  private static final Set<String> STOPPED = Set.of("0", "130", "137", "143");
  private static final String NO_CONTAINER = "(?is).*(no such (object|container)|no container with name).*";

  @Override
  public String toString() {
    return engine + ":" + name;
  }

  /**
   * Asks as this user and, where that does not find it, with sudo: by the container's name, else by its compose
   * service.
   */
  String inspect() {
    var inspect = "LC_ALL=C $d inspect --type container -f "
        + "\"thehive-container|$d|{{.Id}}|{{.State.Status}}|{{.State.ExitCode}}|{{.RestartCount}}"
            + "|{{.State.StartedAt}}\"";
    return ("for d in \"%1$s\" \"sudo -n %1$s\"; do %2$s %3$s && exit; for c in $($d ps -aq --filter"
        + " label=com.docker.compose.service=%3$s 2>/dev/null); do %2$s $c; done; done")
        .formatted(engine, inspect, name);
  }

  /** The container as a unit; one that is not there is not found. */
  Host.Unit unit(Host host) {
    var output = host.run(inspect(), Duration.ofSeconds(30));
    var found = output.out().lines().map(ANSWER::matcher).filter(match -> match.matches())
        .collect(Collectors.toMap(match -> match.group("id"), match -> match,
        (one, other) -> one)).values();
    if (found.size() > 1) {
      throw new Failure(Exit.USAGE,
          "%s: %d containers have the compose service %s".formatted(host.name(), found.size(), name),
          "name each in THEHIVE_NODES as '%s ps' does".formatted(engine));
    }
    if (!found.isEmpty()) {
      var match = found.iterator().next();
      return new Host.Unit("loaded", active(match.group("status"), match.group("exit")), match.group("status"),
          Integer.parseInt(match.group("restarts")), match.group("since"), match.group("id"),
          !match.group("how").startsWith("sudo"));
    }
    if (output.err().matches(NO_CONTAINER)) {
      return new Host.Unit("not-found", "inactive", "", 0, "", "", true);
    }
    throw new Failure(Exit.UNSAFE,
        "%s: %s does not tell of the container %s: %s".formatted(host.name(), engine, name, Host.last(output.err())),
        "is %1$s installed there, and may this user ask it, or with sudo? NOPASSWD: /usr/bin/%1$s *".formatted(engine));
  }

  /** The engine's words for a state in those of systemd; one that nobody knows does not count as stopped. */
  static String active(String status, String exit) {
    return switch (status) {
      case "running", "paused" -> "active"; // a paused one goes on when it is continued
      case "created", "initialized", "configured" -> "inactive";
      case "exited", "stopped", "dead" -> STOPPED.contains(exit) ? "inactive" : "failed";
      case "restarting" -> "activating";
      case "removing", "stopping" -> "deactivating";
      default -> status;
    };
  }

  /** @param verb stop or start */
  String command(Host.Unit unit, String verb) {
    return sudo(unit) + engine + " " + verb + (verb.equals("stop") ? " -t 90 " : " ") + unit.invocation();
  }

  /** @param range options of journalctl: {@code --lines=20}, {@code --since="10 min ago"}, {@code --follow} */
  String logs(Host.Unit unit, String range) {
    var since = Pattern.compile("--since=\"([^\"]*)\"").matcher(range);
    var options = since.find() ? since.replaceFirst("--since=" + since(since.group(1))) : range;
    return sudo(unit) + engine + " logs" + options.replaceAll("--lines=(\\d+)", "--tail=$1") + " " + unit.invocation()
        + " 2>&1";
  }

  /** A time of journalctl as the engines know it. */
  static String since(String text) {
    var ago = Pattern.compile("(\\d+) ?(s|m|h)[a-z]* ago").matcher(text);
    if (ago.matches()) {
      return ago.group(1) + ago.group(2);
    }
    var time = Pattern
        .compile("(\\d{4}-\\d\\d-\\d\\d)[ T](\\d\\d:\\d\\d(?::\\d\\d(?:\\.\\d+)?)?)(?: ?(Z|[+-]\\d\\d):?(\\d\\d)?.*)?")
        .matcher(text);
    if (time.matches()) {
      var clock = time.group(2).length() == 5 ? time.group(2) + ":00" : time.group(2);
      var zone = time.group(3) == null ? "" : time.group(3).equals("Z") ? "Z" : time.group(3) + ":" + time.group(4);
      return time.group(1) + "T" + clock + zone;
    }
    if (text.matches("\\d{4}-\\d\\d-\\d\\d")) {
      return text;
    }
    throw new Failure(Exit.USAGE, "--since '%s' is not a time that docker or podman knows".formatted(text),
        "write it as '10 min ago' or '2026-11-22 18:00'");
  }

  private static String sudo(Host.Unit unit) {
    return unit.root() ? "" : "sudo -n ";
  }
}

/** TheHive on one of its nodes: its systemd unit or its container, and who listens on its port. */
record TheHiveNode(Host host, TheHiveSettings settings) {
  private static final Pattern PROCESS = Pattern.compile("users:\\(\\(\"(?<name>[^\"]+)\"");

  /**
   * Who listens on TheHive's port.
   *
   * @param process name of the process; empty where this user may not see it
   */
  record Listener(int port, Optional<String> process) {
    /** True for a JVM, in which TheHive runs. */
    boolean isJava() {
      return process.filter(name -> name.equals("java")).isPresent();
    }
  }

  String name() {
    return host.name();
  }

  /** The unit or the container, by its name. */
  String service() {
    return host.container() == null ? settings.service() : "container " + host.container().name();
  }

  Host.Unit unit() {
    return host.container() == null ? host.unit(settings.service()) : host.container().unit(host);
  }

  /** The unit, masked or not; an unknown unit does not count as stopped. */
  Host.Unit requireInstalled() {
    var unit = unit();
    if (!unit.isInstalled()) {
      throw new Failure(Exit.UNSAFE,
          "%s: the %s is %s".formatted(host.name(), kind(), unit.load().isEmpty() ? "unknown" : unit.load()),
          host.container() == null ? "THEHIVE_SERVICE names TheHive's unit; is TheHive installed there?"
              : "THEHIVE_NODES names the container as '%s ps -a' does".formatted(host.container().engine()));
    }
    return unit;
  }

  private String kind() {
    return host.container() == null ? "unit " + settings.service() : service();
  }

  String systemctl(Host.Unit unit, String verb) {
    return host.container() != null ? host.container().command(unit, verb)
        : asRoot(unit, "systemctl %s %s".formatted(verb, settings.service()));
  }

  /** Runs systemctl. What sudo warns of counts only where the command fails. */
  void systemctl(Host.Unit unit, String verb, Duration limit) {
    Host.Output output;
    try {
      output = host.run(systemctl(unit, verb), limit);
    } catch (Failure e) {
      if (e.code == Exit.UNREACHABLE) {
        return; // systemd may still be at it: the unit is asked next, and that tells whether the node is gone
      }
      throw e;
    }
    if (output.code() == 0) {
      return;
    }
    throw refused(verb, Host.last(output.err()));
  }

  Failure refused(String verb, String said) {
    var program = host.container() == null ? "systemctl" : host.container().engine();
    if (!said.startsWith("sudo:")) {
      return new Failure(Exit.UNSAFE, "%s: %s %s: %s".formatted(name(), program, verb, said), null);
    }
    return new Failure(Exit.AUTHENTICATION, "%s: %s".formatted(name(), said),
        said.contains("tty") || said.contains("terminal is required")
        ? "sudo wants a terminal there: \"Defaults !requiretty\" for this user, or name the node as root@" + name()
        : "allow it without a password there: NOPASSWD: " + (host.container() == null
                ? "/usr/bin/systemctl * %s, /usr/bin/journalctl *".formatted(settings.service())
                : "/usr/bin/%s *".formatted(program)));
  }

  /** @param range options of journalctl, such as {@code  --lines=20} */
  String journal(Host.Unit unit, String range) {
    return host.container() != null ? host.container().logs(unit, range) : asRoot(unit,
        "journalctl --unit=%s --output=short-iso --no-hostname --no-pager%s".formatted(settings.service(), range));
  }

  private static String asRoot(Host.Unit unit, String shell) {
    return (unit.root() ? "" : "sudo -n ") + shell;
  }

  Application application() {
    return Application.on(host, settings);
  }

  /** Why nothing may be restored now: TheHive runs on this node, or it was named and does not tell. */
  Optional<Failure> reasonNotToRestore() {
    try {
      var unit = unit();
      if (settings.named() && !unit.isInstalled()) {
        return Optional.of(new Failure(Exit.UNSAFE,
            "%s has no %s: whether TheHive runs there is not known".formatted(host.name(), kind()),
            "check THEHIVE_NODES and THEHIVE_SERVICE; --force goes on all the same"));
      }
      if (!unit.isStopped()) {
        return Optional.of(
            new Failure(Exit.UNSAFE, "TheHive is still running on %s: %s is %s".formatted(host.name(), service(), unit),
            "stop it on every node: ./jbang service-control.java stop; --force goes on all the same"));
      }
    } catch (Failure e) {
      if (settings.named()) {
        return Optional.of(e);
      }
      // This host may well have no TheHive, and no systemd: its port is asked all the same.
    }
    return aliveWithoutUnit();
  }

  /** TheHive that runs although its unit does not: started by hand, left by KillMode=process, in a container. */
  Optional<Failure> aliveWithoutUnit() {
    var listener = listener();
    if (listener.isEmpty()) {
      return Optional.empty();
    }
    var port = listener.get().port();
    var application = application();
    return switch (application.answer()) {
    case THEHIVE -> Optional.of(new Failure(Exit.UNSAFE,
        "TheHive answers on %s, port %d, although its %s does not run".formatted(host.name(), port, kind()),
        "it was started by hand or runs in a container: stop it there (ss -ltnp shows the process); --force goes"
            + " on all the same"));
      case SOMETHING_ELSE, NOBODY -> Optional.empty();
      case NO_ANSWER -> !listener.get().isJava() ? Optional.empty() : Optional.of(new Failure(Exit.UNSAFE,
          "a Java process listens on TheHive's port %d of %s and does not answer".formatted(port, host.name()),
        "it may be TheHive on its way up or down: see ss -ltnp there; THEHIVE_URL names another port; --force"
            + " goes on all the same"));
    };
  }

  /** Who listens on the port of THEHIVE_URL on that node; empty where nobody does, or where the node does not tell. */
  Optional<Listener> listener() {
    var port = application().port();
    try {
      var hex = "%04X".formatted(port);
      var answer = host.run(
          ("grep -ci \"^ *[0-9]*: [0-9A-F]*:%s [0-9A-F]*:0000 0A\" /proc/net/tcp /proc/net/tcp6; (sudo -n ss -Hltnp"
              + " || ss -Hltnp) 2>/dev/null | grep \":%d \"").formatted(hex, port), Duration.ofSeconds(30)).out();
      return parse(port, answer);
    } catch (Failure e) {
      return Optional.empty();
    }
  }

  /** Reads the counts of listening sockets in /proc/net/tcp and tcp6, then lines of {@code ss -ltnp}. */
  static Optional<Listener> parse(int port, String answer) {
    var listens = answer.lines().anyMatch(line -> line.toLowerCase(Locale.ROOT).matches("/proc/net/tcp6?:[1-9]\\d*"));
    if (!listens) {
      return Optional.empty();
    }
    return Optional.of(new Listener(port, answer.lines().filter(line -> line.startsWith("LISTEN")).map(PROCESS::matcher)
        .filter(found -> found.find()).map(found -> found.group("name")).findFirst()));
  }
}

/**
 * The hosts of TheHive and how they are asked.
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
      throw new Failure(Exit.USAGE, "THEHIVE_SERVICE '%s' is not the name of a unit".formatted(service),
          "name it as systemctl does, such as thehive");
    }
    return new TheHiveSettings(Host.named(settings.text(NODES)), settings.isSet(NODES), service, settings.text(URL),
        settings.optionalPath(CA));
  }
}

/** TLS from PEM files, or from the stores (JKS, PKCS12) that TheHive's own configuration names. */
final class Tls {
  private static final int JKS = 0xFE;
  private static final int DER = 0x30;

  private Tls() {}

  static X509TrustManager trust(Path ca) {
    return trust(ca, null);
  }

  /**
   * Trusts the CA certificates of a file, and no others.
   *
   * @param password of a store; null where there is none
   */
  static X509TrustManager trust(Path ca, String password) {
    try {
      var trusted = KeyStore.getInstance("PKCS12");
      trusted.load(null, null);
      for (var certificate : certificates(ca, password)) {
        trusted.setCertificateEntry("ca" + trusted.size(), certificate);
      }
      if (trusted.size() == 0) {
        throw new CertificateException(password == null && store(ca, null).isPresent()
            ? "it shows no certificate without its password" : "it holds no certificate");
      }
      var managers = TrustManagerFactory.getInstance(TrustManagerFactory.getDefaultAlgorithm());
      managers.init(trusted);
      return (X509TrustManager) managers.getTrustManagers()[0];
    } catch (GeneralSecurityException | IOException e) {
      throw new Failure(Exit.USAGE, "cannot use the CA certificate %s: %s".formatted(ca, e.getMessage()),
          "it must be a PEM file, or a JKS or PKCS12 store with its password");
    }
  }

  private static Collection<? extends Certificate> certificates(Path file, String password)
      throws GeneralSecurityException, IOException {
    var store = store(file, password);
    if (store.isEmpty()) {
      try (var in = Files.newInputStream(file)) {
        return CertificateFactory.getInstance("X.509").generateCertificates(in);
      }
    }
    var certificates = new ArrayList<Certificate>();
    for (var alias : Collections.list(store.get().aliases())) {
      if (store.get().isCertificateEntry(alias)) {
        certificates.add(store.get().getCertificate(alias));
      }
    }
    return certificates;
  }

  /** The file as a JKS or PKCS12 store; empty where it is not one. */
  static Optional<KeyStore> store(Path file, String password) throws GeneralSecurityException, IOException {
    var first = -1;
    try (InputStream in = Files.newInputStream(file)) {
      first = in.read();
    }
    if (first != JKS && first != DER) {
      return Optional.empty();
    }
    try {
      return Optional.of(KeyStore.getInstance(file.toFile(), password == null ? null : password.toCharArray()));
    } catch (KeyStoreException e) {
      return Optional.empty(); // a single certificate in DER begins like a store
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

/** The markers that the restore scripts leave from their first change to their success. */
final class UnfinishedRestores {
  private UnfinishedRestores() {}

  /** The folders in which a marker may be; true for those that a setting names, false for defaults. */
  static Map<Path, Boolean> folders(Settings settings, Collection<Path> more) {
    var folders = new TreeMap<Path, Boolean>();
    for (var variable : ArchiveFolders.ALL) {
      for (var folder : settings.text(variable).split(",")) {
        folders.merge(Path.of(folder.strip()), settings.isSet(variable), Boolean::logicalOr);
      }
    }
    settings.optionalPath(CommonSettings.STATE_PATH).ifPresent(path -> folders.put(path, true));
    more.forEach(path -> folders.put(path, true));
    return folders;
  }

  /** By script, what is unfinished since when. */
  static SortedMap<String, String> in(Path folder) {
    var unfinished = new TreeMap<String, String>();
    try (var markers = Files.newDirectoryStream(folder, "*.unfinished")) {
      for (var marker : markers) {
        var parts = new ArrayList<String>();
        Json.MAPPER.readTree(marker.toFile()).path("unfinished").forEach(part -> parts.add(part.asText()));
        var since = Files.getLastModifiedTime(marker).toInstant().truncatedTo(ChronoUnit.SECONDS);
        unfinished.put(marker.getFileName().toString().replace(".unfinished", ""),
            (parts.isEmpty() ? "not known what," : String.join(" and ", parts)) + " since " + since);
      }
      return unfinished;
    } catch (IOException e) {
      throw new Failure(Exit.UNSAFE, "cannot read the markers in %s: %s".formatted(folder, Failure.of(e).getMessage()),
          "run as a user who may read them; a restore may be unfinished");
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
