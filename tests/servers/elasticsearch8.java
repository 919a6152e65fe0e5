///usr/bin/env jbang "$0" "$@" ; exit $?
//DESCRIPTION Starts real Elasticsearch nodes, 7.17 to 9 (core and HTTP, no Painless), on loopback addresses
//JAVA 17+
//DEPS org.elasticsearch:elasticsearch:${elasticsearch:8.19.20}
//DEPS ${transport:org.elasticsearch.plugin:transport-netty4:8.19.20}
//DEPS info.picocli:picocli:4.7.7
//JAVA_OPTIONS -Xmx64m -XX:+UseSerialGC -XX:TieredStopAtLevel=1 -XX:-UsePerfData
//SOURCES ElasticsearchNodes.java
//SOURCES Health.java
//SOURCES Nodes.java
//MAIN Elasticsearch8

import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.util.Map;
import java.util.Set;
import java.util.concurrent.CountDownLatch;
import java.util.stream.Collectors;
import java.util.stream.Stream;
import org.elasticsearch.Version;
import org.elasticsearch.common.logging.LogConfigurator;
import org.elasticsearch.common.settings.Settings;
import org.elasticsearch.env.Environment;
import org.elasticsearch.node.InternalSettingsPreparer;
import picocli.CommandLine;
import picocli.CommandLine.Command;

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
class Elasticsearch8 extends ElasticsearchNodes {
  public static void main(String[] args) {
    System.exit(new CommandLine(new Elasticsearch8()).setExecutionExceptionHandler(Nodes::explain).execute(args));
  }

  @Override
  void configure(Path home) throws IOException {
    Files.createDirectories(home.resolve("plugins"));
    Files.writeString(Files.createDirectories(home.resolve("config")).resolve("log4j2.properties"), LOG);
    var module = Files.createDirectories(home.resolve("modules/transport-netty4"));
    for (var jar : jars().filter(Elasticsearch8::isModule).map(Path::of).toList()) {
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

  private static Stream<String> jars() {
    return Stream.of(System.getProperty("java.class.path").split(":"));
  }

  private static boolean isModule(String jar) {
    return jar.matches(".*/(netty-|transport-netty4-|elasticsearch-ssl-config-)[^/]*");
  }

  @Override
  Class<?> node() {
    return Node.class;
  }

  @Override
  String classPath() {
    return jars().filter(jar -> !isModule(jar)).collect(Collectors.joining(":"));
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
}
