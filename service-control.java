///usr/bin/env jbang "$0" "$@" ; exit $?
//DESCRIPTION Stops, starts and watches TheHive on every node of its cluster
//JAVA 17+
//DEPS com.fasterxml.jackson.core:jackson-databind:2.23.0
//DEPS com.github.luben:zstd-jni:1.5.7-28 // for .tar.zst, and for SSTables compressed with Zstd
//DEPS com.typesafe:config:1.4.3 // HOCON with includes and substitutions, as TheHive itself reads it
//DEPS commons-io:commons-io:2.22.0
//DEPS info.picocli:picocli:4.7.7
//DEPS org.apache.cassandra:cassandra-all:4.1.10
//DEPS org.apache.cassandra:java-driver-core:4.19.4
// Of the classes below the marker, written by ./jbang lib/embed.java:
//COMPILE_OPTIONS -encoding UTF-8
//JAVA_OPTIONS -Xmx64m -XX:+UseSerialGC -XX:TieredStopAtLevel=1
//JAVA_OPTIONS -Dfile.encoding=UTF-8 -Dstdout.encoding=UTF-8 -Dstderr.encoding=UTF-8 -Djdk.console=java.base

import com.datastax.oss.driver.api.core.AllNodesFailedException;
import com.datastax.oss.driver.api.core.CqlSession;
import com.datastax.oss.driver.api.core.CqlSessionBuilder;
import com.datastax.oss.driver.api.core.auth.AuthenticationException;
import com.datastax.oss.driver.api.core.config.DefaultDriverOption;
import com.datastax.oss.driver.api.core.config.DriverConfigLoader;
import com.datastax.oss.driver.api.core.context.DriverContext;
import com.datastax.oss.driver.api.core.session.ProgrammaticArguments;
import com.datastax.oss.driver.internal.core.context.DefaultDriverContext;
import com.datastax.oss.driver.internal.core.context.StartupOptionsBuilder;
import com.datastax.oss.driver.internal.core.loadbalancing.BasicLoadBalancingPolicy;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.SerializationFeature;
import com.fasterxml.jackson.databind.cfg.EnumFeature;
import com.fasterxml.jackson.databind.json.JsonMapper;
import com.typesafe.config.ConfigException;
import com.typesafe.config.ConfigFactory;
import com.typesafe.config.ConfigResolveOptions;
import com.typesafe.config.ConfigValueType;
import java.io.Closeable;
import java.io.File;
import java.io.FileNotFoundException;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.net.InetSocketAddress;
import java.net.Socket;
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
import java.security.cert.Certificate;
import java.security.cert.CertificateException;
import java.security.cert.CertificateFactory;
import java.time.Duration;
import java.time.Instant;
import java.time.temporal.ChronoUnit;
import java.util.ArrayList;
import java.util.Collection;
import java.util.HashMap;
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
import javax.net.ssl.KeyManagerFactory;
import javax.net.ssl.SSLContext;
import javax.net.ssl.SSLException;
import javax.net.ssl.TrustManager;
import javax.net.ssl.TrustManagerFactory;
import javax.net.ssl.X509TrustManager;
import org.apache.cassandra.security.PEMReader;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.ParameterException;
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
    version = "1.1.0",
    mixinStandardHelpOptions = true,
    sortOptions = false,
    synopsisSubcommandLabel = "COMMAND",
    footer = {
      "%nExample: ./jbang service-control.java stop",
      "Exit codes: 0 done, 1 unexpected error, 2 wrong usage or settings, 11 unreachable, 12 log-in or sudo refused, 13 a"
          + " node is not as wanted, or a restore is unfinished, 130 interrupted."
    })
class ServiceControl implements Runnable {
  /** A program that starts services behind an administrator's back does so within seconds. */
  static final Duration SETTLE = Duration.ofSeconds(5);
  /** The most times that systemd may start a unit again before it counts as failed. */
  static final int RESTARTS = 2;
  static final String LAST_LINES = "its last log lines are above, or in " + Application.LOG + " there";

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
    @Option(names = "--timeout", paramLabel = "SECONDS", defaultValue = "300", description = "for each node (${DEFAULT-VALUE})")
    int seconds;

    @Option(names = "--dry-run", description = "ask the nodes, print the commands, change nothing")
    boolean dryRun;

    Duration limit() {
      if (seconds < 1) {
        throw new Failure(Exit.USAGE, "--timeout %d is not a number of seconds".formatted(seconds), "name seconds, such as 300");
      }
      return Duration.ofSeconds(seconds);
    }
  }

  /** Options of a start. */
  static final class Start {
    @Option(names = "--rolling", description = "start node by node, each when the one before answers")
    boolean rolling;

    @Option(names = "--active-only", description = "do not wait for TheHive's answer, where its port cannot be reached from here")
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
  }

  public static void main(String[] args) {
    var script = new ServiceControl();
    System.exit(Commands.run(script, TheHiveSettings.VARIABLES, failure -> script.console.error("", failure), args));
  }

  @Override
  public void run() {
    throw new ParameterException(command.commandLine(), "Say what to do: status, stop, start, restart or logs");
  }

  @Command(description = "Shows the state of TheHive on every node.", mixinStandardHelpOptions = true)
  int status(@Mixin Nodes nodes) {
    return end(each(nodes.all(), node -> Outcome.of(node, node.requireInstalled(), node.application().problem().orElse("answers"))));
  }

  @Command(description = "Stops TheHive on every node, and returns when it stays stopped.", mixinStandardHelpOptions = true)
  int stop(@Mixin Nodes nodes, @Mixin Change change) {
    return change.dryRun ? dryRun(nodes.all(), "stop") : end(stopAll(nodes.all(), change.limit()));
  }

  @Command(description = "Starts TheHive on every node, and returns when it answers.", mixinStandardHelpOptions = true, sortOptions = false)
  int start(@Mixin Nodes nodes, @Mixin Start how, @Mixin Change change) {
    requireNothingUnfinished(how);
    return change.dryRun ? dryRun(nodes.all(), "start") : end(startAll(nodes.all(), how, change.limit()));
  }

  @Command(description = "Stops TheHive on all nodes together, then starts it.", mixinStandardHelpOptions = true, sortOptions = false)
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

  @Command(description = "Follows the journal of TheHive on all nodes together, until Ctrl-C. Some units drop its output: then see "
      + Application.LOG + " there.", mixinStandardHelpOptions = true, sortOptions = false)
  int logs(
      @Mixin Nodes nodes,
      @Option(names = "--since", paramLabel = "TIME", description = "from then on: '10 min ago', '2026-11-22 18:00'") String since,
      @Option(names = "--errors", description = "only lines that tell of an error") boolean errors,
      @Option(names = "--no-follow", description = "end with the last line that is there") boolean noFollow) {
    if (since != null && !since.matches("[\\w :.+-]+")) {
      throw new Failure(Exit.USAGE, "--since '%s' is not a time".formatted(since), "write it as for journalctl: '10 min ago', '2026-11-22 18:00', today");
    }
    var range = (since == null ? " --lines=20" : " --since=\"" + since + "\"") + (noFollow ? "" : " --follow");
    var all = nodes.all();
    var width = all.stream().mapToInt(node -> node.host().name().length()).max().orElse(0);
    return end(failed(each(all, node -> follow(node, range, errors, width))));
  }

  private List<Outcome> stopAll(List<TheHiveNode> nodes, Duration limit) {
    console.step("Stopping %s on %s", service(nodes), names(nodes));
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
      throw new Failure(Exit.UNSAFE, "%s: %s is still %s after %d s".formatted(node.name(), node.service(), unit, seconds(begun)),
          "see its log: ./jbang service-control.java logs " + node.name());
    }
    console.step("%s: %s after %d s, watching for %d s that it stays so", node.name(), unit, seconds(begun), SETTLE.toSeconds());
    for (var until = Instant.now().plus(SETTLE); Instant.now().isBefore(until); ) {
      pause();
      unit = node.unit();
      if (!unit.isStopped()) {
        throw new Failure(Exit.UNSAFE, "%s: something started %s again: it is %s".formatted(node.name(), node.service(), unit),
            "find what does it (monitoring, cron, configuration management) and switch that off until the restore is done");
      }
    }
    node.aliveWithoutUnit().ifPresent(alive -> {
      throw alive;
    });
    return Outcome.of(node, unit, "");
  }

  private List<Outcome> startAll(List<TheHiveNode> nodes, Start how, Duration limit) {
    console.step("Starting %s on %s%s", service(nodes), names(nodes), how.rolling ? ", one after the other" : "");
    if (!how.rolling) {
      return each(nodes, node -> start(node, !how.activeOnly, limit));
    }
    var outcomes = new ArrayList<Outcome>();
    for (var node : nodes) {
      var before = failed(outcomes).stream().findFirst();
      outcomes.addAll(each(List.of(node), before.isEmpty() ? one -> start(one, !how.activeOnly, limit) : one -> {
        throw new Failure(Exit.UNSAFE, "%s: not started, because %s failed".formatted(one.name(), before.get().node().name()), null);
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
        throw new Failure(Exit.UNSAFE, "%s: %s is %s, but after %d s: %s".formatted(node.name(), node.service(), unit, limit.toSeconds(),
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
      var process = new ProcessBuilder(node.host().command(node.journal(unit, range))).redirectInput(new File("/dev/null"))
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
            System.out.println(("%-" + width + "s | %s").formatted(node.name(), colour && error ? "\033[31m" + last + "\033[0m" : last));
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
    var all = unfinished.entrySet().stream().map(each -> each.getKey() + ".java (" + each.getValue() + ")").collect(Collectors.joining(", "));
    if (!how.force) {
      throw new Failure(Exit.UNSAFE, "a restore is unfinished: " + all,
          "run ./jbang %s.java again until it succeeds; --force starts TheHive on what is there now".formatted(unfinished.firstKey()));
    }
    console.warn("a restore is unfinished: %s", all);
  }

  private int dryRun(List<TheHiveNode> nodes, String verb) {
    return end(failed(each(nodes, node -> {
      var unit = node.requireInstalled();
      console.step("%s is %s; would run: %s", node.name(), unit, String.join(" ", node.host().command(node.systemctl(unit, verb))));
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

  /** Prints the table of the nodes. The exit code is the lowest of all: unreachable before refused before unsafe. */
  private static int end(List<Outcome> outcomes) {
    var width = Math.max(4, outcomes.stream().mapToInt(outcome -> outcome.node().name().length()).max().orElse(0));
    var row = "%-" + width + "s  %-22s %-30s %8s  %s%n";
    if (!outcomes.isEmpty()) {
      System.out.printf(row, "node", "unit", "since", "restarts", "application");
    }
    for (var outcome : outcomes) {
      var unit = outcome.unit();
      var wrong = outcome.failure().map(failure -> "✗ " + failure.getMessage().replaceFirst("^\\Q" + outcome.node().name() + "\\E: ", ""));
      System.out.printf(row, outcome.node().name(), unit.map(Object::toString).orElse("unknown"), unit.map(Host.Unit::since).orElse(""),
          unit.map(u -> "" + u.restarts()).orElse(""), wrong.orElse(outcome.application()));
    }
    return outcomes.stream().flatMap(outcome -> outcome.failure().stream()).mapToInt(failure -> failure.code).min().orElse(Exit.DONE);
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
