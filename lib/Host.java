import java.io.File;
import java.io.IOException;
import java.nio.file.Files;
import java.time.Duration;
import java.util.List;
import java.util.Set;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.Executors;
import java.util.concurrent.TimeUnit;
import java.util.function.Function;
import java.util.regex.Pattern;
import java.util.stream.Collectors;
import java.util.stream.Stream;

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
