import com.github.dockerjava.api.DockerClient;
import com.github.dockerjava.api.command.CreateContainerCmd;
import com.github.dockerjava.api.command.PullImageResultCallback;
import com.github.dockerjava.api.exception.ConflictException;
import com.github.dockerjava.api.exception.DockerClientException;
import com.github.dockerjava.api.exception.DockerException;
import com.github.dockerjava.api.exception.NotFoundException;
import com.github.dockerjava.api.model.Bind;
import com.github.dockerjava.api.model.HostConfig;
import com.github.dockerjava.api.model.PortBinding;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.PosixFilePermissions;
import java.security.GeneralSecurityException;
import java.time.Duration;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.concurrent.Callable;
import java.util.function.Function;
import java.util.regex.Pattern;
import java.util.stream.Collectors;
import java.util.stream.Stream;
import org.awaitility.Awaitility;
import org.awaitility.core.ConditionTimeoutException;
import org.testcontainers.DockerClientFactory;
import org.testcontainers.containers.Container;
import org.testcontainers.containers.GenericContainer;
import org.testcontainers.containers.Network;
import org.testcontainers.containers.wait.strategy.AbstractWaitStrategy;
import org.testcontainers.utility.DockerImageName;
import org.yaml.snakeyaml.DumperOptions;
import org.yaml.snakeyaml.Yaml;

/**
 * Each server a container of its official image, or of one with the same name that {@code tests/images/build} has made;
 * versions other than the usual ones are processes.
 * Clients reach it at its loopback address, whose ports are published; among each other the servers have addresses of a
 * network of their own, as in production behind a load balancer.
 */
final class Containers implements Servers {
  private static final String CASSANDRA = image("CASSANDRA_IMAGE", "cassandra:4.1");
  private static final String ELASTICSEARCH_7 =
      image("ELASTICSEARCH_7_IMAGE", "docker.elastic.co/elasticsearch/elasticsearch:7.10.2");
  private static final String ELASTICSEARCH_8 =
      image("ELASTICSEARCH_8_IMAGE", "docker.elastic.co/elasticsearch/elasticsearch:8.19.20");
  private static final String MINIO = image("MINIO_IMAGE", "minio/minio:latest");

  private static final String OWNER = "thehive-restore.tests-of";
  private static final Duration START_LIMIT = Duration.ofMinutes(5);
  private static final Map<String, String> CASSANDRA_YAML = new HashMap<>();

  private final Servers processes = new Processes(true);
  private final boolean hasMinio = has(MINIO);
  private final String prefix = "10." + (214 + ProcessHandle.current().pid() % 20);
  private Network network;

  Containers() {
    removeLeftovers();
  }

  private synchronized Network network() {
    if (network == null) {
      network = Network.builder()
          .createNetworkCmdModifier(command -> command.withLabels(owner())
              .withIpam(new com.github.dockerjava.api.model.Network.Ipam()
                  .withConfig(
                      new com.github.dockerjava.api.model.Network.Ipam.Config().withSubnet(prefix + ".0.0/16"))))
          .build();
    }
    return network;
  }

  @Override
  public synchronized void close() {
    if (network != null) {
      network.close();
      network = null;
    }
  }

  /** Whether an engine answers, and has the databases' images or can pull them; otherwise says what is missing. */
  static boolean available() {
    try {
      return DockerClientFactory.instance().isDockerAvailable()
          && Stream.of(CASSANDRA, ELASTICSEARCH_7, ELASTICSEARCH_8).allMatch(Containers::has);
    } catch (DockerException e) {
      System.out.println("Docker answers, but cannot be used: " + e.getMessage().strip());
      return false;
    }
  }

  private static boolean has(String image) {
    if (!docker().listImagesCmd().withImageNameFilter(image).exec().isEmpty()) {
      return true;
    }
    System.out.println("Pulling " + image);
    try {
      docker().pullImageCmd(image).exec(new PullImageResultCallback()).awaitCompletion();
      return true;
    } catch (DockerException | DockerClientException e) {
      System.out.println("It cannot be pulled: " + e.getMessage().strip() + "; tests/images/build makes the images");
      return false;
    } catch (InterruptedException e) {
      throw new IllegalStateException(e);
    }
  }

  @Override
  public String name() {
    var version = docker().versionCmd().exec();
    return "containers of Docker %s: %s".formatted(
        version.getVersion(),
        String.join(", ", CASSANDRA, ELASTICSEARCH_7, ELASTICSEARCH_8, hasMinio ? MINIO : "S3 as a process"));
  }

  @Override
  public List<Server> cassandra(Stack.CassandraOptions options) {
    if (!options.version().startsWith("4.1.")) {
      return processes.cassandra(options);
    }
    var addresses = options.addresses();
    var servers = addresses.stream().map(address -> cassandra(options, addresses, address, addresses)).toList();
    var started = startAll(servers);
    if (options.auth()) {
      // One of the nodes makes the first role.
      await(servers.get(0).name() + " has a role",
          () -> servers.stream().anyMatch(server -> server.log().contains("Created default superuser role")));
    }
    return started;
  }

  @Override
  public Server addCassandra(Stack.CassandraOptions options, String address) {
    var cluster = Stream.concat(options.addresses().stream(), Stream.of(address)).toList();
    var server = cassandra(options.withYaml("auto_bootstrap", "true"), cluster, address, options.addresses());
    return startAll(List.of(server)).get(0);
  }

  private Contained cassandra(
      Stack.CassandraOptions options, List<String> cluster, String address, List<String> seeds) {
    var login = Optional.of(new Server.Login("cassandra", "cassandra")).filter(any -> options.auth());
    var server = new Contained("cassandra", CASSANDRA, address, 9042, inside(0, address), login);
    server.mount(server.home, "/var/lib/cassandra");
    // Asked for its clients, a node looks up their names; there is no DNS to wait for.
    server.extraHosts.put("clients", prefix + ".0.1");
    server.variables.put("CASSANDRA_CLUSTER_NAME", "thp");
    server.variables.put("CASSANDRA_NUM_TOKENS", "4");
    server.variables.put("CASSANDRA_SEEDS",
        seeds.stream().map(seed -> inside(0, seed)).collect(Collectors.joining(",")));
    server.variables.put("CASSANDRA_BROADCAST_RPC_ADDRESS", address);
    Optional.ofNullable(options.yaml().get("broadcast_address")).ifPresent(other -> {
      server.variables.put("CASSANDRA_BROADCAST_ADDRESS", other);
      server.variables.put("CASSANDRA_SEEDS", other); // itself
    });
    server.variables.put("CASSANDRA_ENDPOINT_SNITCH", "GossipingPropertyFileSnitch");
    server.variables.put("CASSANDRA_DC", options.dataCentre(address));
    server.variables.put("CASSANDRA_RACK", "rack1");
    server.variables.put("MAX_HEAP_SIZE", "512m");
    server.variables.put("HEAP_NEWSIZE", "128m");
    server.variables.put("JVM_EXTRA_OPTS",
        "-XX:TieredStopAtLevel=1 -Dcassandra.ring_delay_ms=5000 -Dcassandra.skip_wait_for_gossip_to_settle=0"
        + " -Dcassandra.superuser_setup_delay_ms=100 -Dcassandra.system_auth.default_rf=" + cluster.size());
    server.mount(configure(CASSANDRA, options, Stack.home("conf-of-" + address), address), "/conf");
    server.command = new String[] {"sh", "-c",
        "cat /conf/cassandra.yaml >/etc/cassandra/cassandra.yaml; exec docker-entrypoint.sh cassandra -f"};
    server.tool = words -> server.run(Stream.concat(Stream.of("nodetool"), Stream.of(words)).toArray(String[]::new));
    server.serves = newcomer -> {
      var asked = exec(server.container, "sh", "-c",
          "nodetool statusbinary | grep -x running && nodetool status && nodetool describecluster");
      var said = asked.getExitCode() == 0 ? asked.getStdout() : "";
      var up = Pattern.compile("^UN ", Pattern.MULTILINE).matcher(said).results().count();
      var changing = Pattern.compile("^U[JLM] ", Pattern.MULTILINE).matcher(said).find();
      var schemas = Pattern.compile("[0-9a-f-]{36}: \\[").matcher(said).results().count();
      return up >= (newcomer ? cluster.size() : server.peersRunning()) && !changing && schemas == 1;
    };
    return server;
  }

  /** The image's own cassandra.yaml with what the options ask for; beside it the node's certificate. */
  private static Path configure(String image, Stack.CassandraOptions options, Path folder, String address) {
    try {
      Files.createDirectories(folder);
      Map<String, Object> settings = new Yaml().load(cassandraYaml(image));
      settings.put("auto_bootstrap", false);
      if (options.auth()) {
        settings.put("authenticator", "PasswordAuthenticator");
        settings.put("authorizer", "CassandraAuthorizer");
      }
      if (options.tls()) {
        Certificates.makeAuthority(Stack.certificates());
        if (Files.notExists(folder.resolve("node.p12"))) {
          Certificates.make(Stack.certificates(), folder, "node", "CN=" + address, "san=ip:" + address);
          Files.copy(Stack.certificates().resolve("truststore.p12"), folder.resolve("truststore.p12"));
        }
        var stores = Map.<String, Object>of("keystore", "/conf/node.p12", "keystore_password", Certificates.PASSWORD,
            "truststore", "/conf/truststore.p12", "truststore_password", Certificates.PASSWORD,
            "require_client_auth", options.tlsClientAuth(), "optional", false);
        settings.put("client_encryption_options", with(stores, "enabled", true));
        settings.put("server_encryption_options", with(stores, "internode_encryption", "all"));
      }
      CassandraYaml.put(settings, options.yaml());
      var block = new DumperOptions();
      // The image's entry point looks for the seeds in a line of their own.
      block.setDefaultFlowStyle(DumperOptions.FlowStyle.BLOCK);
      Files.writeString(folder.resolve("cassandra.yaml"), new Yaml(block).dump(settings));
      return folder;
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    } catch (GeneralSecurityException e) {
      throw new IllegalStateException(e);
    }
  }

  /** Of the image itself; read once, for it takes a container. */
  private static synchronized String cassandraYaml(String image) {
    return CASSANDRA_YAML.computeIfAbsent(image, any -> {
      try (var container = new GenericContainer<>(DockerImageName.parse(image))) {
        container.withCreateContainerCmdModifier(
            command -> command.withEntrypoint("sleep").withCmd("60").withLabels(owner()));
        container.setWaitStrategy(new NoWait());
        container.start();
        return exec(container, "cat", "/etc/cassandra/cassandra.yaml").getStdout();
      }
    });
  }

  private static Container.ExecResult exec(Container<?> container, String... words) {
    try {
      return container.execInContainer(words);
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    } catch (InterruptedException e) {
      throw new IllegalStateException(e);
    }
  }

  private static Map<String, Object> with(Map<String, Object> settings, String key, Object value) {
    var more = new LinkedHashMap<>(settings);
    more.put(key, value);
    return more;
  }

  @Override
  public List<Server> elasticsearch(String version, List<String> addresses, int httpPort, Path repositories) {
    if (!Set.of("7.10.2", "8.19").contains(version)) {
      return processes.elasticsearch(version, addresses, httpPort, repositories);
    }
    var image = version.startsWith("7") ? ELASTICSEARCH_7 : ELASTICSEARCH_8;
    var servers = new ArrayList<Contained>();
    for (var address : addresses) {
      var server = new Contained("elasticsearch", image, address, httpPort, inside(100, address), Optional.empty());
      server.mount(server.home, "/usr/share/elasticsearch/data");
      server.mount(repositories, repositories.toString());
      server.variables.put("cluster.name", "thp");
      server.variables.put("node.name", address);
      server.variables.put("network.host", "0.0.0.0");
      server.variables.put("network.publish_host", inside(100, address));
      server.variables.put("http.port", "" + httpPort);
      server.variables.put("discovery.seed_hosts",
          addresses.stream().map(each -> inside(100, each)).collect(Collectors.joining(",")));
      server.variables.put("cluster.initial_master_nodes", String.join(",", addresses));
      server.variables.put("cluster.routing.allocation.disk.threshold_enabled", "false");
      server.variables.put("node.store.allow_mmap", "false");
      server.variables.put("path.repo", repositories.toString());
      server.variables.put("xpack.security.enabled", "false");
      server.variables.put("ES_JAVA_OPTS", "-Xms512m -Xmx512m -XX:TieredStopAtLevel=1");
      // The images refuse to run as root, and their own user is a stranger here.
      open(server.home);
      open(repositories);
      server.tool = words -> Processes.request(address, httpPort, words);
      server.serves = newcomer -> Health.isSettled(address, httpPort, newcomer ? addresses.size() : 1);
      servers.add(server);
    }
    return startAll(servers);
  }

  /** Another kind than MinIO has no image of its own: it is a process here, too, as MinIO is without its image. */
  @Override
  public Server s3(String address, String... options) {
    if (!hasMinio
        || Stream.of(options).anyMatch(option -> option.startsWith("--kind=") && !option.equals("--kind=minio"))) {
      return processes.s3(address, options);
    }
    var login = new Server.Login("thehive", "thehive-secret");
    var server = new Contained("s3", MINIO, address, 9000, inside(200, address), Optional.of(login));
    server.mount(server.home, "/data");
    server.variables.put("MINIO_ROOT_USER", login.user());
    server.variables.put("MINIO_ROOT_PASSWORD", login.password());
    var command = new ArrayList<>(List.of("server", "/data"));
    for (var option : options) {
      if (option.startsWith("--certificates=")) {
        server.mount(Path.of(option.replace("--certificates=", "")), "/certs");
        command.addAll(List.of("--certs-dir", "/certs"));
      }
    }
    server.command = command.toArray(String[]::new);
    server.tool = words -> "minio";
    // Whoever publishes the port takes connections before the server does.
    server.serves = newcomer -> server.logSinceStart().contains("API: http");
    return startAll(List.of(server)).get(0);
  }

  private static List<Server> startAll(List<Contained> servers) {
    try {
      servers.forEach(server -> server.peers = servers);
      servers.forEach(Contained::launch);
      servers.forEach(Contained::awaitReady);
      return List.copyOf(servers);
    } catch (RuntimeException e) {
      servers.forEach(Server::close);
      throw e;
    }
  }

  /** 127.0.a.b is 10.x.(first + a).b in the servers' network: different servers may share a loopback address. */
  private String inside(int first, String address) {
    var numbers = address.split("[.]");
    return prefix + "." + (first + Integer.parseInt(numbers[2])) + "." + numbers[3];
  }

  private static void open(Path folder) {
    try {
      Files.setPosixFilePermissions(folder, PosixFilePermissions.fromString("rwxrwxrwx"));
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }

  private static String image(String variable, String official) {
    return Optional.ofNullable(System.getenv(variable)).orElse(official);
  }

  private static DockerClient docker() {
    return DockerClientFactory.instance().client();
  }

  private static Map<String, String> owner() {
    // Not Map.of: Testcontainers adds its own.
    return new HashMap<>(Map.of(OWNER, "" + ProcessHandle.current().pid()));
  }

  /** What JVMs left that were killed. */
  private static void removeLeftovers() {
    for (var container : docker().listContainersCmd().withShowAll(true).withLabelFilter(List.of(OWNER)).exec()) {
      if (isLeft(container.getLabels())) {
        docker().removeContainerCmd(container.getId()).withForce(true).withRemoveVolumes(true).exec();
      }
    }
    for (var left : docker().listNetworksCmd().exec()) {
      if (left.getLabels() != null && left.getLabels().containsKey(OWNER) && isLeft(left.getLabels())) {
        docker().removeNetworkCmd(left.getId()).exec();
      }
    }
  }

  private static boolean isLeft(Map<String, String> labels) {
    return ProcessHandle.of(Long.parseLong(labels.get(OWNER))).isEmpty();
  }

  private static void await(String what, Callable<Boolean> condition) {
    Awaitility.await(what).atMost(START_LIMIT).pollInterval(Duration.ofMillis(300)).until(condition);
  }

  private interface Serves {
    /** Whether it serves, and as a newcomer all others are there with it. */
    boolean asNewcomer(boolean newcomer) throws InterruptedException;
  }

  /** One of them. */
  private final class Contained implements Server {
    private final String kind;
    private final String image;
    private final String host;
    private final int port;
    private final String inside;
    private final Optional<Login> login;
    private final Path home;
    private final Map<String, String> variables = new LinkedHashMap<>();
    private final Map<String, String> extraHosts = new LinkedHashMap<>();
    private final List<Bind> binds = new ArrayList<>();
    private String[] command;
    private Function<String[], String> tool;
    private Serves serves;
    private List<Contained> peers;
    private GenericContainer<?> container;
    private boolean newcomer;
    private int logLength;

    Contained(String kind, String image, String host, int port, String inside, Optional<Login> login) {
      this.kind = kind;
      this.image = image;
      this.host = host;
      this.port = port;
      this.inside = inside;
      this.login = login;
      this.home = Stack.home(kind + "-" + host + "-" + port);
      try {
        Files.createDirectories(home);
      } catch (IOException e) {
        throw new UncheckedIOException(e);
      }
    }

    long peersRunning() {
      return peers.stream().filter(Contained::running).count();
    }

    void mount(Path folder, String inContainer) {
      binds.add(Bind.parse(folder + ":" + inContainer));
    }

    void launch() {
      newcomer = container == null;
      if (!newcomer) {
        logLength = log().length();
        docker().startContainerCmd(container.getContainerId()).exec();
        return;
      }
      container = new GenericContainer<>(DockerImageName.parse(image)).withEnv(variables).withExposedPorts(port)
          .withNetwork(network()).withCreateContainerCmdModifier(this::place);
      extraHosts.forEach(container::withExtraHost);
      if (command != null) {
        container.withCommand(command);
      }
      container.setWaitStrategy(new NoWait());
      Stack.opened(this);
      container.start();
    }

    private void place(CreateContainerCmd create) {
      var config = Optional.ofNullable(create.getHostConfig()).orElseGet(HostConfig::new);
      config.withPortBindings(PortBinding.parse(host + ":" + port + ":" + port)).withBinds(binds);
      create.withHostConfig(config).withIpv4Address(inside).withLabels(owner());
    }

    void awaitReady() {
      try {
        await(name() + " serves", () -> {
          if (!running()) {
            throw new IllegalStateException(name() + " ended while starting:\n" + logEnd());
          }
          return serves.asNewcomer(newcomer);
        });
      } catch (ConditionTimeoutException e) {
        throw new IllegalStateException(name() + " is not ready after " + START_LIMIT + ":\n" + logEnd());
      }
    }

    private String logEnd() {
      var lines = log().lines().toList();
      return String.join("\n", lines.subList(Math.max(0, lines.size() - 40), lines.size()));
    }

    String logSinceStart() {
      return log().substring(logLength);
    }

    String run(String... words) {
      var result = exec(container, words);
      if (result.getExitCode() != 0) {
        throw new IllegalStateException("%s: exit %d%n%s%s".formatted(
            String.join(" ", words), result.getExitCode(), result.getStdout(), result.getStderr()));
      }
      return result.getStdout();
    }

    @Override
    public String name() {
      return kind + " " + host;
    }

    @Override
    public String host() {
      return host;
    }

    @Override
    public String clusterAddress() {
      return inside;
    }

    @Override
    public int port() {
      return port;
    }

    @Override
    public Optional<Login> login() {
      return login;
    }

    @Override
    public Path data() {
      return home;
    }

    @Override
    public String log() {
      return container.getLogs();
    }

    @Override
    public void start() {
      if (running()) {
        throw new IllegalStateException(name() + " is running");
      }
      launch();
      awaitReady();
    }

    @Override
    public void stop() {
      if (running()) {
        docker().stopContainerCmd(container.getContainerId()).withTimeout(60).exec();
      }
    }

    @Override
    public void kill() {
      if (running()) {
        signal("KILL");
        Awaitility.await(name() + " ends").until(() -> !running());
      }
    }

    @Override
    public void freeze() {
      signal("STOP");
    }

    @Override
    public void thaw() {
      signal("CONT");
    }

    private void signal(String name) {
      docker().killContainerCmd(container.getContainerId()).withSignal(name).exec();
    }

    @Override
    public boolean running() {
      return container != null && container.isRunning();
    }

    @Override
    public String tool(String... arguments) {
      return tool.apply(arguments);
    }

    @Override
    public void close() {
      // Without an id it never started, and is gone.
      if (container != null && container.getContainerId() != null) {
        try {
          docker().removeContainerCmd(container.getContainerId()).withForce(true).withRemoveVolumes(true).exec();
        } catch (NotFoundException | ConflictException e) {
          // Testcontainers removes what it started when the JVM ends, too, and was quicker.
        }
        container = null;
      }
      OwnFolder.delete(home);
      Stack.closed(this);
    }

    @Override
    public String toString() {
      return name();
    }
  }

  /** Each server is awaited by what only it can tell. */
  private static final class NoWait extends AbstractWaitStrategy {
    @Override
    protected void waitUntilReady() {}
  }
}
