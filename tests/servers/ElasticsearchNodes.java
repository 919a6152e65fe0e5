//DEPS info.picocli:picocli:4.7.7

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.concurrent.Callable;
import java.util.stream.Collectors;
import java.util.stream.Stream;
import picocli.CommandLine.Option;

/** Starts one or several Elasticsearch nodes, each a process of its own; which Elasticsearch, a subclass says. */
abstract class ElasticsearchNodes implements Callable<Integer> {
  private static final Duration START_LIMIT = Duration.ofMinutes(5);
  static final String LOG =
      """
      status = error
      appender.console.type = Console
      appender.console.name = console
      appender.console.layout.type = PatternLayout
      appender.console.layout.pattern = [%d{ISO8601}][%-5p][%c{1.}] %m%n
      rootLogger.level = info
      rootLogger.appenderRef.console.ref = console
      """;

  @Option(names = "--listen", split = ",", required = true, paramLabel = "HOST", description = "nodes to start")
  private List<String> listen;

  @Option(
      names = "--cluster",
      split = ",",
      paramLabel = "HOST",
      description = "all nodes of the cluster, where others of it are started elsewhere (default: --listen)")
  private List<String> cluster;

  @Option(names = "--http-port", defaultValue = "9200", description = "default: ${DEFAULT-VALUE}")
  private int httpPort;

  @Option(names = "--transport-port", defaultValue = "9300", description = "default: ${DEFAULT-VALUE}")
  private int transportPort;

  @Option(names = "--repo", split = ",", paramLabel = "DIR", description = "folders for repositories of type fs")
  private List<Path> repositories = List.of();

  @Option(names = "--dir", paramLabel = "DIR", description = "kept at the end (default: a temporary folder)")
  private Path dir;

  @Option(names = "--settings", paramLabel = "KEY=VALUE", description = "setting of every node")
  private Map<String, String> settings = Map.of();

  @Option(names = "--heap", defaultValue = "512m", description = "of each node (default: ${DEFAULT-VALUE})")
  private String heap;

  @Option(names = "--quick-start", description = "compile only simply: ready sooner, slower under load")
  private boolean quickStart;

  @Option(names = "--stop-with", paramLabel = "PID", description = "stop when this process ends")
  private Long stopWith;

  /** Writes below a node's home what it reads when it starts. */
  abstract void configure(Path home) throws IOException;

  /** The class of a node's process; it is given settings as {@code name=value}. */
  abstract Class<?> node();

  String classPath() {
    return System.getProperty("java.class.path");
  }

  /** Settings that this Elasticsearch needs. */
  Map<String, String> ownSettings() {
    return Map.of();
  }

  @Override
  public Integer call() throws Exception {
    cluster = cluster == null ? listen : cluster;
    try (var nodes = new Nodes(dir, "elasticsearch-", stopWith)) {
      dir = nodes.home();
      var newcomers = listen.stream().filter(host -> Files.notExists(dir.resolve(host).resolve("data"))).toList();
      for (var host : listen) {
        prepare(dir.resolve(host));
        nodes.start(host, command(host), dir.resolve(host).resolve("logs/system.log"));
      }
      for (var host : listen) {
        nodes.await(host, START_LIMIT,
            () -> Health.isSettled(host, httpPort, newcomers.contains(host) ? cluster.size() : 1));
        System.out.println("ready " + host + ":" + httpPort);
      }
      System.out.println("ready");
      return nodes.join();
    }
  }

  private void prepare(Path home) throws IOException {
    Files.createDirectories(home.resolve("tmp"));
    Files.createDirectories(home.resolve("logs"));
    configure(home);
  }

  private List<String> command(String host) {
    var home = dir.resolve(host);
    var command = new ArrayList<String>();
    command.add(Path.of(System.getProperty("java.home"), "bin/java").toString());
    command.addAll(List.of("-Xmx" + heap, "-XX:+UseSerialGC", "-XX:-UsePerfData"));
    if (quickStart) {
      command.add("-XX:TieredStopAtLevel=1");
    }
    command.addAll(List.of("-Djava.io.tmpdir=" + home.resolve("tmp"), "-Djna.tmpdir=" + home.resolve("tmp")));
    // else the log ends before the node does
    command.add("-Dlog4j.shutdownHookEnabled=false");
    command.addAll(List.of("-cp", classPath(), node().getName()));
    var all = new LinkedHashMap<String, String>();
    all.put("cluster.name", "thp");
    all.put("node.name", host);
    all.put("network.host", host);
    all.put("http.port", "" + httpPort);
    all.put("transport.port", "" + transportPort);
    all.put("discovery.seed_hosts", joined(cluster.stream().map(each -> each + ":" + transportPort)));
    all.put("cluster.initial_master_nodes", String.join(",", cluster));
    all.put("cluster.routing.allocation.disk.threshold_enabled", "false");
    all.put("path.home", home.toString());
    all.put("path.data", home.resolve("data").toString());
    all.put("path.logs", home.resolve("logs").toString());
    if (!repositories.isEmpty()) {
      all.put("path.repo", joined(repositories.stream().map(each -> each.toAbsolutePath().toString())));
    }
    all.putAll(ownSettings());
    all.putAll(settings);
    all.forEach((key, value) -> command.add(key + "=" + value));
    return command;
  }

  private static String joined(Stream<String> parts) {
    return parts.collect(Collectors.joining(","));
  }

  static Map<String, String> parse(String[] settings) {
    var parsed = new LinkedHashMap<String, String>();
    for (var setting : settings) {
      var equals = setting.indexOf('=');
      parsed.put(setting.substring(0, equals), setting.substring(equals + 1));
    }
    return parsed;
  }
}
