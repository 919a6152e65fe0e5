///usr/bin/env jbang "$0" "$@" ; exit $?
//DESCRIPTION Starts real Elasticsearch nodes, 7.17 to 9 (core and HTTP, no Painless), on loopback addresses
//JAVA 17+
//DEPS org.elasticsearch:elasticsearch:${elasticsearch:8.19.20}
//DEPS ${transport:org.elasticsearch.plugin:transport-netty4:8.19.20}
//DEPS info.picocli:picocli:4.7.7
//JAVA_OPTIONS -Xmx64m -XX:+UseSerialGC -XX:TieredStopAtLevel=1 -XX:-UsePerfData
//SOURCES Health.java
//MAIN Elasticsearch8

import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.concurrent.Callable;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;
import java.util.stream.Collectors;
import java.util.stream.Stream;
import org.elasticsearch.Version;
import org.elasticsearch.common.logging.LogConfigurator;
import org.elasticsearch.common.settings.Settings;
import org.elasticsearch.env.Environment;
import org.elasticsearch.node.InternalSettingsPreparer;
import picocli.CommandLine;
import picocli.CommandLine.Command;
import picocli.CommandLine.Option;

/**
 * Starts one cluster of one or several Elasticsearch nodes, each a process of its own, and keeps them until SIGTERM,
 * Ctrl-C or their end. Prints {@code ready HOST:9200} for each node and then {@code ready}. Everything is below the
 * folder, per address: {@code HOST/data}, {@code HOST/logs/system.log}.
 *
 * <p>Example: {@code ./jbang tests/servers/elasticsearch8.java --listen 127.0.0.2 --repo /mnt/backup/elasticsearch}.
 * Other versions are had by {@code JBANG_JAVA_OPTIONS}: {@code -Delasticsearch=9.5.3
 * -Dtransport=org.elasticsearch.plugin:transport-netty4:9.5.3} (on JDK 21 or later), or {@code -Delasticsearch=7.17.29
 * -Dtransport=org.elasticsearch.plugin:transport-netty4-client:7.17.29}.
 */
@Command(name = "elasticsearch8", mixinStandardHelpOptions = true, sortOptions = false)
class Elasticsearch8 implements Callable<Integer> {
  private static final Duration START_LIMIT = Duration.ofMinutes(5);
  private static final String LOG =
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

  public static void main(String[] args) {
    System.exit(new CommandLine(new Elasticsearch8()).setExecutionExceptionHandler(Nodes::explain).execute(args));
  }

  @Override
  public Integer call() throws Exception {
    cluster = cluster == null ? listen : cluster;
    try (var nodes = new Nodes(dir, "elasticsearch8-", stopWith)) {
      dir = nodes.home();
      var newcomers = listen.stream().filter(host -> Files.notExists(dir.resolve(host).resolve("data"))).toList();
      for (var host : listen) {
        configure(dir.resolve(host));
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

  private void configure(Path home) throws IOException {
    Files.createDirectories(home.resolve("tmp"));
    Files.createDirectories(home.resolve("logs"));
    Files.createDirectories(home.resolve("plugins"));
    Files.writeString(Files.createDirectories(home.resolve("config")).resolve("log4j2.properties"), LOG);
    var module = Files.createDirectories(home.resolve("modules/transport-netty4"));
    for (var jar : classPath().filter(Elasticsearch8::isModule).map(Path::of).toList()) {
      Files.copy(jar, module.resolve(jar.getFileName()), StandardCopyOption.REPLACE_EXISTING);
    }
    Files.writeString(
        module.resolve("plugin-descriptor.properties"),
        """
        name=transport-netty4
        description=Netty 4 based transport
        version=%1$s
        elasticsearch.version=%1$s
        java.version=17
        classname=org.elasticsearch.transport.%2$sNetty4Plugin
        """
            .formatted(Version.CURRENT, Version.CURRENT.major < 8 ? "" : "netty4."));
  }

  private static Stream<String> classPath() {
    return Stream.of(System.getProperty("java.class.path").split(":"));
  }

  private static boolean isModule(String jar) {
    return jar.matches(".*/(netty-|transport-netty4-|elasticsearch-ssl-config-)[^/]*");
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
    var jars = classPath().filter(jar -> !isModule(jar)).collect(Collectors.joining(":"));
    command.addAll(List.of("-cp", jars, Node.class.getName()));
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
    all.putAll(settings);
    all.forEach((key, value) -> command.add(key + "=" + value));
    return command;
  }

  private static String joined(Stream<String> parts) {
    return parts.collect(Collectors.joining(","));
  }

  private static Map<String, String> parse(String[] settings) {
    var parsed = new LinkedHashMap<String, String>();
    for (var setting : settings) {
      var equals = setting.indexOf('=');
      parsed.put(setting.substring(0, equals), setting.substring(equals + 1));
    }
    return parsed;
  }

  /** The node's own process. */
  static final class Node {
    public static void main(String[] args) throws Exception {
      Nodes.endWithParent();
      var settings = Settings.builder();
      parse(args).forEach(settings::put);
      var env = InternalSettingsPreparer.prepareEnvironment(settings.build(), Map.of(), null, () -> "node");
      var node = node(env).start();
      Runtime.getRuntime().addShutdownHook(new Thread(() -> close(node)));
      // the node's own threads are daemons
      new CountDownLatch(1).await();
    }

    /** Each major version makes it in another way. */
    private static org.elasticsearch.node.Node node(Environment env) throws ReflectiveOperationException {
      var type = org.elasticsearch.node.Node.class;
      var logging = LogConfigurator.class;
      if (Version.CURRENT.major < 8) {
        logging.getMethod("configure", Environment.class).invoke(null, env);
        return type.getConstructor(Environment.class).newInstance(env);
      }
      logging.getMethod("configure", Environment.class, boolean.class).invoke(null, env, true);
      var loader = Class.forName("org.elasticsearch.plugins.PluginsLoader");
      var modulesDir = env.getClass().getMethod("modulesDir").invoke(env);
      var modules =
          Version.CURRENT.major < 9
              ? loader.getMethod("loadModulesBundles", Path.class).invoke(null, modulesDir)
              : loader.getMethod("loadModulesBundles", Path.class, boolean.class).invoke(null, modulesDir, false);
      var plugins =
          loader
              .getMethod("createPluginsLoader", Set.class, Set.class, Map.class, boolean.class)
              .invoke(null, modules, Set.of(), Map.of(), false);
      return type.getConstructor(Environment.class, loader).newInstance(env, plugins);
    }

    private static void close(org.elasticsearch.node.Node node) {
      try {
        node.close();
      } catch (IOException e) {
        throw new UncheckedIOException(e);
      }
    }
  }

  // --- shared: Nodes (identical in every script that has it; a test holds them equal) ---
  /** Server processes that end with this one, whatever ends it; their folder goes too when it is a temporary one. */
  static final class Nodes implements AutoCloseable {
    private final boolean temporary;
    private final Path home;
    private final Map<String, Process> processes = new LinkedHashMap<>();
    private final Map<String, Path> logs = new LinkedHashMap<>();
    private boolean closed;

    Nodes(Path dir, String prefix, Long stopWith) throws IOException {
      temporary = dir == null;
      home = temporary ? Files.createTempDirectory(prefix) : Files.createDirectories(dir.toAbsolutePath());
      Runtime.getRuntime().addShutdownHook(new Thread(this::close));
      if (stopWith != null) {
        ProcessHandle.of(stopWith)
            .<CompletableFuture<?>>map(ProcessHandle::onExit)
            .orElse(CompletableFuture.completedFuture(null))
            .thenRunAsync(() -> System.exit(0));
      }
    }

    Path home() {
      return home;
    }

    synchronized void start(String name, List<String> command, Path log) throws IOException {
      if (closed) {
        throw new IllegalStateException("stopped");
      }
      var builder = new ProcessBuilder(command).directory(home.toFile()).redirectErrorStream(true);
      processes.put(name, builder.redirectOutput(ProcessBuilder.Redirect.appendTo(log.toFile())).start());
      logs.put(name, log);
    }

    void await(String name, Duration limit, Callable<Boolean> ready) throws Exception {
      var end = System.nanoTime() + limit.toNanos();
      while (!ready.call()) {
        if (processes.get(name).waitFor(200, TimeUnit.MILLISECONDS)) {
          throw new IllegalStateException(name + " ended while starting:\n" + logEnd(name));
        }
        if (System.nanoTime() > end) {
          throw new IllegalStateException(name + " is not ready after " + limit + ":\n" + logEnd(name));
        }
      }
    }

    private String logEnd(String name) throws IOException {
      try (var lines = Files.lines(logs.get(name))) {
        var all = lines.toList();
        return String.join("\n", all.subList(Math.max(0, all.size() - 40), all.size()));
      }
    }

    /** Waits for the end of all; 1 since nobody asked for it. */
    int join() throws InterruptedException {
      for (var process : processes.values()) {
        process.waitFor();
      }
      return 1;
    }

    @Override
    public synchronized void close() {
      if (closed) {
        return;
      }
      closed = true;
      // not Process.destroy: it closes the standard input, and that is the end at once
      processes.values().forEach(process -> process.toHandle().destroy());
      for (var process : processes.values()) {
        try {
          if (!process.waitFor(60, TimeUnit.SECONDS)) {
            process.destroyForcibly().waitFor();
          }
        } catch (InterruptedException e) {
          process.destroyForcibly();
        }
      }
      if (temporary) {
        delete(home);
      }
    }

    static int explain(Exception e, CommandLine commandLine, CommandLine.ParseResult arguments) {
      System.err.println("error: " + (e instanceof IllegalStateException ? e.getMessage() : e));
      return 1;
    }

    static void delete(Path folder) {
      try (var paths = Files.walk(folder)) {
        for (var path : paths.sorted(Comparator.reverseOrder()).toList()) {
          Files.deleteIfExists(path);
        }
      } catch (IOException e) {
        System.err.println("cannot delete " + folder + ": " + e.getMessage());
      }
    }

    /** Called by the server process: its standard input closes when the process that started it is gone. */
    static void endWithParent() {
      var watch =
          new Thread(
              () -> {
                try {
                  while (System.in.read() >= 0) {}
                } catch (IOException e) {
                  // gone as well
                }
                Runtime.getRuntime().halt(1);
              });
      watch.setDaemon(true);
      watch.start();
    }
  }
  // --- end shared: Nodes ---
}
