///usr/bin/env jbang "$0" "$@" ; exit $?
//DESCRIPTION Starts real Cassandra nodes, 4.0 to 5.0, on loopback addresses
//JAVA 17+
//DEPS org.apache.cassandra:cassandra-all:${cassandra:4.1.10}
//DEPS info.picocli:picocli:4.7.7
//JAVA_OPTIONS -Xmx64m -XX:+UseSerialGC -XX:TieredStopAtLevel=1 -XX:-UsePerfData
//JAVA_OPTIONS -Dsun.rmi.transport.tcp.responseTimeout=10000
//SOURCES CassandraYaml.java
//SOURCES Certificates.java
//SOURCES Nodes.java
//FILES jvm17-server.options
//MAIN Cassandra

import java.io.IOException;
import java.lang.management.ManagementFactory;
import java.lang.management.RuntimeMXBean;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.PosixFilePermissions;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Collection;
import java.util.HashSet;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.concurrent.Callable;
import java.util.concurrent.TimeUnit;
import java.util.stream.Stream;
import javax.management.ObjectName;
import javax.management.remote.JMXConnectorFactory;
import javax.management.remote.JMXServiceURL;
import org.apache.cassandra.config.DatabaseDescriptor;
import org.apache.cassandra.cql3.QueryProcessor;
import org.apache.cassandra.db.ConsistencyLevel;
import org.apache.cassandra.exceptions.RequestExecutionException;
import org.apache.cassandra.service.CassandraDaemon;
import org.yaml.snakeyaml.Yaml;
import picocli.CommandLine;
import picocli.CommandLine.Command;
import picocli.CommandLine.Option;

/**
 * Starts one or several Cassandra nodes, each a process of its own, and keeps them until SIGTERM, Ctrl-C or their end.
 * Prints {@code ready HOST:9042} for each node and then {@code ready}. Everything is below the folder, per address:
 * {@code HOST/data}, {@code HOST/logs/system.log}, {@code HOST/nodetool} (a shell script). JMX is at {@code HOST:7199}.
 *
 * <p>Example: {@code ./jbang tests/servers/cassandra.java --listen 127.0.0.2,127.0.0.3,127.0.0.4}, and with {@code
 * JBANG_JAVA_OPTIONS=-Dcassandra=5.0.9} another version.
 */
@Command(name = "cassandra", mixinStandardHelpOptions = true, sortOptions = false)
class Cassandra implements Callable<Integer> {
  private static final int CQL = 9042;
  private static final int NODES = 7000;
  private static final int JMX = 7199;
  private static final Duration START_LIMIT = Duration.ofMinutes(5);
  private static final String READY = "cassandra.ready";

  @Option(names = "--listen", split = ",", required = true, paramLabel = "HOST", description = "nodes to start")
  private List<String> listen;

  @Option(
      names = "--cluster",
      split = ",",
      paramLabel = "HOST",
      description = "all nodes of the cluster, where others of it are started elsewhere (default: --listen)")
  private List<String> cluster;

  @Option(names = "--seeds", split = ",", paramLabel = "HOST", description = "default: --cluster")
  private List<String> seeds;

  @Option(names = "--dir", paramLabel = "DIR", description = "kept at the end (default: a temporary folder)")
  private Path dir;

  @Option(names = "--auth", description = "log-in and authorisation; the first role is cassandra, password cassandra")
  private boolean auth;

  @Option(
      names = "--tls",
      paramLabel = "DIR",
      arity = "0..1",
      fallbackValue = "",
      description = "TLS for clients and between nodes; makes ca.pem, client.pem, client.key, client.p12 and"
          + " truststore.p12 (password: cassandra) in the folder unless they are there (default: tls below --dir)")
  private Path tls;

  @Option(names = "--tls-client-auth", description = "clients and other nodes need a certificate")
  private boolean tlsClientAuth;

  @Option(names = "--dc", defaultValue = "datacenter1", description = "default: ${DEFAULT-VALUE}")
  private String dc;

  @Option(names = "--rack", defaultValue = "rack1", description = "default: ${DEFAULT-VALUE}")
  private String rack;

  @Option(names = "--bootstrap", description = "join a running cluster and take over a part of its data")
  private boolean bootstrap;

  @Option(names = "--yaml", paramLabel = "KEY=VALUE", description = "cassandra.yaml setting; a.b=c for a nested one")
  private Map<String, String> yaml = Map.of();

  @Option(names = "--heap", defaultValue = "512m", description = "of each node (default: ${DEFAULT-VALUE})")
  private String heap;

  @Option(names = "--quick-start", description = "compile only simply: ready sooner, slower under load")
  private boolean quickStart;

  @Option(names = "--port-offset", defaultValue = "0", paramLabel = "N",
      description = "added to the ports of clients, nodes and JMX, for a host where these are in use")
  private int portOffset;

  @Option(names = "--stop-with", paramLabel = "PID", description = "stop when this process ends")
  private Long stopWith;

  public static void main(String[] args) {
    System.exit(new CommandLine(new Cassandra()).setExecutionExceptionHandler(Nodes::explain).execute(args));
  }

  @Override
  public Integer call() throws Exception {
    cluster = cluster == null ? listen : cluster;
    seeds = seeds == null ? cluster : seeds;
    try (var nodes = new Nodes(dir, "cassandra-", stopWith)) {
      dir = nodes.home();
      if (tls != null) {
        tls = tls.toString().isEmpty() ? dir.resolve("tls") : tls.toAbsolutePath();
        Certificates.makeAuthority(tls);
      }
      var newcomers = listen.stream().filter(host -> Files.notExists(dir.resolve(host).resolve("data"))).toList();
      for (var host : listen) {
        configure(host);
        nodes.start(host, command(host), log(host));
      }
      for (var host : listen) {
        nodes.await(host, START_LIMIT, () -> serves(host, newcomers.contains(host)));
        System.out.println("ready " + host + ":" + (CQL + portOffset));
      }
      System.out.println("ready");
      return nodes.join();
    }
  }

  private Path log(String host) {
    return dir.resolve(host).resolve("logs/system.log");
  }

  private void configure(String host) throws Exception {
    var home = dir.resolve(host);
    var conf = Files.createDirectories(home.resolve("conf"));
    Files.createDirectories(home.resolve("tmp"));
    Files.createDirectories(log(host).getParent());
    if (tls != null && Files.notExists(conf.resolve("node.p12"))) {
      Certificates.make(tls, conf, "node", "CN=" + host, "san=ip:" + host);
    }
    Files.writeString(conf.resolve("cassandra-rackdc.properties"), "dc=%s%nrack=%s%n".formatted(dc, rack));
    Files.writeString(conf.resolve("cassandra.yaml"), new Yaml().dump(settings(host, home)));
    try (var flags = Cassandra.class.getResourceAsStream("/jvm17-server.options")) {
      Files.write(jdkFlags(home), flags.readAllBytes());
    }
    Files.writeString(conf.resolve("logback.xml"), logback("INFO", "System.out"));
    Files.writeString(conf.resolve("logback-tools.xml"), logback("WARN", "System.err"));
    var nodetool = home.resolve("nodetool");
    Files.writeString(nodetool, "#!/bin/sh\nexec " + String.join(" ", nodetool(host)) + " \"$@\"\n");
    Files.setPosixFilePermissions(nodetool, PosixFilePermissions.fromString("rwxr-xr-x"));
  }

  private Map<String, Object> settings(String host, Path home) {
    var settings = new LinkedHashMap<String, Object>();
    settings.put("cluster_name", "thp");
    settings.put("num_tokens", 4);
    settings.put("partitioner", "org.apache.cassandra.dht.Murmur3Partitioner");
    settings.put("commitlog_sync", "periodic");
    // As 4.0 knows it; later ones still do.
    settings.put("commitlog_sync_period_in_ms", 10_000);
    settings.put("data_file_directories", List.of(home.resolve("data").toString()));
    settings.put("commitlog_directory", home.resolve("commitlog").toString());
    settings.put("hints_directory", home.resolve("hints").toString());
    settings.put("saved_caches_directory", home.resolve("saved_caches").toString());
    settings.put("cdc_raw_directory", home.resolve("cdc_raw").toString());
    settings.put(
        "seed_provider",
        List.of(
            Map.of(
                "class_name",
                "org.apache.cassandra.locator.SimpleSeedProvider",
                "parameters",
                List.of(Map.of("seeds", String.join(",", seeds))))));
    settings.put("listen_address", host);
    settings.put("rpc_address", host);
    settings.put("native_transport_port", CQL + portOffset);
    settings.put("storage_port", NODES + portOffset);
    settings.put("endpoint_snitch", "GossipingPropertyFileSnitch");
    settings.put("auto_bootstrap", bootstrap);
    settings.put("auto_snapshot", true);
    if (auth) {
      settings.put("authenticator", "PasswordAuthenticator");
      settings.put("authorizer", "CassandraAuthorizer");
    }
    if (tls != null) {
      settings.put("client_encryption_options", encryption(home, "enabled", true));
      settings.put("server_encryption_options", encryption(home, "internode_encryption", "all"));
    }
    CassandraYaml.put(settings, yaml);
    return settings;
  }

  private Map<String, Object> encryption(Path home, String switchedBy, Object value) {
    var options = new LinkedHashMap<String, Object>();
    options.put(switchedBy, value);
    options.put("optional", false);
    options.put("keystore", home.resolve("conf/node.p12").toString());
    options.put("keystore_password", Certificates.PASSWORD);
    options.put("truststore", tls.resolve("truststore.p12").toString());
    options.put("truststore_password", Certificates.PASSWORD);
    options.put("require_client_auth", tlsClientAuth);
    return options;
  }

  private static String logback(String level, String target) {
    return """
        <configuration>
          <appender name="OUT" class="ch.qos.logback.core.ConsoleAppender">
            <target>%s</target>
            <encoder><pattern>%%-5level [%%thread] %%date{ISO8601} %%F:%%L - %%msg%%n</pattern></encoder>
          </appender>
          <root level="%s"><appender-ref ref="OUT"/></root>
        </configuration>
        """
        .formatted(target, level);
  }

  private List<String> command(String host) throws IOException {
    var home = dir.resolve(host);
    var classPath = System.getProperty("java.class.path");
    var jamm =
        Stream.of(classPath.split(":")).filter(jar -> jar.matches(".*/jamm-[^/]*\\.jar")).findFirst().orElseThrow();
    var command = new ArrayList<String>();
    // As root, Cassandra would lock all of its memory: twice as much of it, for no use in a test.
    if (System.getProperty("user.name").equals("root") && Files.isExecutable(Path.of("/usr/bin/setpriv"))) {
      command.addAll(List.of("/usr/bin/setpriv", "--bounding-set", "-ipc_lock", "--inh-caps", "-ipc_lock"));
    }
    command.addAll(List.of(java(), "-Xmx" + heap, "-XX:+UseSerialGC", "-XX:-UsePerfData", "-javaagent:" + jamm));
    if (quickStart) {
      command.add("-XX:TieredStopAtLevel=1");
    }
    command.add("@" + jdkFlags(home));
    var properties = new LinkedHashMap<String, String>();
    properties.put("java.io.tmpdir", home.resolve("tmp").toString());
    properties.put("jna.tmpdir", home.resolve("tmp").toString());
    properties.put("jdk.attach.allowAttachSelf", "true");
    properties.put("java.security.manager", "allow");
    properties.put("com.sun.management.jmxremote.host", host);
    properties.put("com.sun.management.jmxremote.port", "" + jmx());
    properties.put("com.sun.management.jmxremote.rmi.port", "" + jmx());
    properties.put("com.sun.management.jmxremote.authenticate", "false");
    properties.put("com.sun.management.jmxremote.ssl", "false");
    properties.put("java.rmi.server.hostname", host);
    properties.put("cassandra-foreground", "yes");
    properties.put("cassandra.storagedir", home.toString());
    properties.put("cassandra.config", home.resolve("conf/cassandra.yaml").toUri().toString());
    properties.put("cassandra.ring_delay_ms", "5000");
    properties.put("cassandra.skip_wait_for_gossip_to_settle", "0");
    properties.put("cassandra.shutdown_announce_in_ms", "500");
    properties.put("cassandra.superuser_setup_delay_ms", "100");
    properties.put("cassandra.system_auth.default_rf", "" + cluster.size());
    properties.forEach((key, value) -> command.add("-D" + key + "=" + value));
    command.addAll(List.of("-cp", home.resolve("conf") + ":" + classPath, Node.class.getName()));
    return command;
  }

  /** What Cassandra 4.1 needs of a JDK newer than 11; its tools need it too. */
  private static Path jdkFlags(Path home) {
    return home.resolve("conf/jvm17-server.options");
  }

  private List<String> nodetool(String host) {
    var home = dir.resolve(host);
    var command = new ArrayList<>(List.of(java(), "-Xmx128m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1"));
    command.add("@" + jdkFlags(home));
    // nodetool writes its history into the home folder
    command.add("-Duser.home=" + home.resolve("tmp"));
    command.add("-Djava.io.tmpdir=" + home.resolve("tmp"));
    command.add("-Dlogback.configurationFile=" + home.resolve("conf/logback-tools.xml"));
    command.addAll(List.of("-cp", System.getProperty("java.class.path"), "org.apache.cassandra.tools.NodeTool"));
    command.addAll(List.of("-h", host, "-p", "" + jmx()));
    return command.stream().map(word -> "'" + word + "'").toList();
  }

  private static String java() {
    return Path.of(System.getProperty("java.home"), "bin/java").toString();
  }

  private int jmx() {
    return JMX + portOffset;
  }

  /** A newcomer serves when every node of the cluster is up with it, a returning one when those that run are. */
  private boolean serves(String host, boolean newcomer) {
    var mine = View.of(host, jmx());
    if (mine.isEmpty() || !mine.get().serving()) {
      return false;
    }
    for (var peer : cluster) {
      var theirs = View.of(peer, jmx());
      if (theirs.isEmpty() ? newcomer : !theirs.get().knows(named(host)) || !mine.get().knows(named(peer))) {
        return false;
      }
    }
    return true;
  }

  /** As nodes name each other; a single node may name itself otherwise. */
  private String named(String host) {
    return yaml.getOrDefault("broadcast_address", host);
  }

  /** What a node knows, asked over JMX. */
  record View(boolean serving, Set<String> up, Set<String> changing, int schemas) {
    boolean knows(String host) {
      return up.contains(host) && !changing.contains(host) && schemas == 1;
    }

    static Optional<View> of(String host, int jmx) {
      var url = "service:jmx:rmi:///jndi/rmi://%s:%d/jmxrmi".formatted(host, jmx);
      try (var connector = JMXConnectorFactory.connect(new JMXServiceURL(url))) {
        var connection = connector.getMBeanServerConnection();
        var runtime =
            ManagementFactory.newPlatformMXBeanProxy(
                connection, ManagementFactory.RUNTIME_MXBEAN_NAME, RuntimeMXBean.class);
        if (!runtime.getSystemProperties().containsKey(READY)) {
          return Optional.of(new View(false, Set.of(), Set.of(), 0));
        }
        var storage = new ObjectName("org.apache.cassandra.db:type=StorageService");
        var proxy = new ObjectName("org.apache.cassandra.db:type=StorageProxy");
        var changing = new HashSet<String>();
        for (var state : List.of("JoiningNodes", "LeavingNodes", "MovingNodes")) {
          changing.addAll(strings(connection.getAttribute(storage, state)));
        }
        var versions = strings(((Map<?, ?>) connection.getAttribute(proxy, "SchemaVersions")).keySet());
        versions.remove("UNREACHABLE");
        var up = strings(connection.getAttribute(storage, "LiveNodes"));
        return Optional.of(new View(true, up, changing, versions.size()));
      } catch (Exception e) {
        return Optional.empty();
      }
    }

    private static Set<String> strings(Object collection) {
      var strings = new HashSet<String>();
      ((Collection<?>) collection).forEach(each -> strings.add(each.toString()));
      return strings;
    }
  }

  /** The node's own process. */
  static final class Node {
    public static void main(String[] args) throws InterruptedException {
      Nodes.endWithParent();
      CassandraDaemon.main(args);
      while (DatabaseDescriptor.getAuthenticator().requireAuthentication() && !hasFirstRole()) {
        TimeUnit.MILLISECONDS.sleep(100);
      }
      System.setProperty(READY, "true");
    }

    private static boolean hasFirstRole() {
      try {
        var select = "SELECT role FROM system_auth.roles WHERE role = 'cassandra'";
        return !QueryProcessor.process(select, ConsistencyLevel.LOCAL_ONE).isEmpty();
      } catch (RequestExecutionException e) {
        return false;
      }
    }
  }
}
