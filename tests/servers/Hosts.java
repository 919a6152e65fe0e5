//SOURCES ../Script.java
//SOURCES OwnFolder.java

import java.io.File;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.function.Predicate;
import java.util.stream.Stream;

/**
 * Hosts with systemd, sshd and a stand-in for TheHive, started by {@code systemd-hosts.java}; see there what is on
 * them. What a test forgets to close is closed when this JVM ends; the hosts end with it even when it is killed.
 *
 * <pre>{@code
 * var hosts = Hosts.start(3);
 * hosts.host("node2").thehive("fails", "later");
 * Script.of("service-control.java").env("PATH", hosts.path()).args("restart").run();
 * }</pre>
 */
final class Hosts implements AutoCloseable {
  private static final String FOLDER = "hosts-of-";
  private static Hosts shared;

  /** They were told to start and ended instead. */
  static final class NotStarted extends IllegalStateException {
    NotStarted(String message) {
      super(message);
    }
  }

  private final Path home;
  private final Process process;
  private final List<Host> hosts = new ArrayList<>();

  private Hosts(int count) {
    home = OwnFolder.create(FOLDER);
    var jbang = Script.ROOT.resolve("jbang").toString();
    checked(Script.command(jbang, "build", Script.ROOT.resolve("tests/servers/systemd-hosts.java").toString()));
    var command = List.of(jbang, "tests/servers/systemd-hosts.java", "--count", "" + count, "--dir", home.toString(),
        "--stop-with", "" + ProcessHandle.current().pid());
    try {
      process = new ProcessBuilder(command).directory(Script.ROOT.toFile()).redirectErrorStream(true).start();
      Runtime.getRuntime().addShutdownHook(new Thread(this::close));
      awaitReady();
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }

  /** The same hosts for all tests, as they are after their start, whatever the test before has done to them. */
  static synchronized Hosts start(int count) {
    if (shared == null || !shared.process.isAlive() || shared.hosts.size() != count) {
      closeAll();
      shared = new Hosts(count);
    } else {
      shared.hosts.forEach(Host::reset);
    }
    return shared;
  }

  static synchronized void closeAll() {
    if (shared != null) {
      shared.close();
      shared = null;
    }
  }

  /** Why such hosts cannot be on this machine; empty where they can. */
  static Optional<String> reasonUnavailable() {
    if (!System.getProperty("os.name").equals("Linux")) {
      return Optional.of("hosts with systemd need Linux");
    }
    var missing = Stream.of("docker", "mmdebstrap", "ssh", "ssh-keygen").filter(Predicate.not(Hosts::onPath)).toList();
    if (!missing.isEmpty()) {
      return Optional.of("there is no " + String.join(", no ", missing));
    }
    if (engineAnswers()) {
      return Optional.empty();
    }
    if (!onPath("dockerd")) {
      return Optional.of("no Docker engine answers, and there is no dockerd to start one");
    }
    return Optional.of("no Docker engine answers, and only root can start one").filter(reason -> !isRoot());
  }

  List<Host> hosts() {
    return List.copyOf(hosts);
  }

  /** By its name, {@code node1} for example. */
  Host host(String name) {
    return hosts.stream().filter(host -> host.name.equals(name)).findFirst().orElseThrow();
  }

  /** Of {@code .ssh/config}, {@code id_ed25519} and {@code known_hosts}. */
  Path home() {
    return home;
  }

  /**
   * A folder for the front of PATH: the real ssh, that reads the settings here. OpenSSH looks for its own in the
   * account's home, wherever HOME is.
   */
  Path sshWrapperFolder() {
    return home.resolve("bin");
  }

  /** This process's PATH behind {@link #sshWrapperFolder}. */
  String path() {
    return sshWrapperFolder() + File.pathSeparator + System.getenv("PATH");
  }

  /** The host becomes a stranger to ssh. */
  void forgetHostKey(String name) {
    var address = host(name).address();
    knownHosts(knownHosts().filter(line -> !line.startsWith(address + " ")).toList());
  }

  /** The key that the host has now, read without ssh. */
  void rememberHostKey(String name) {
    forgetHostKey(name);
    var known = host(name).address() + " " + host(name).exec("cat /etc/ssh/ssh_host_ed25519_key.pub").strip();
    knownHosts(Stream.concat(knownHosts(), Stream.of(known)).toList());
  }

  /** A key that is not the host's: to ssh it looks like an impostor. */
  void rememberWrongHostKey(String name) {
    forgetHostKey(name);
    var stranger =
        checked(Script.command("ssh-keygen", "-y", "-f", home.resolve(".ssh/id_ed25519").toString())).strip();
    knownHosts(Stream.concat(knownHosts(), Stream.of(host(name).address() + " " + stranger)).toList());
  }

  @Override
  public synchronized void close() {
    // not Process.destroy: it closes the standard input
    process.toHandle().destroy();
    try {
      process.waitFor();
    } catch (InterruptedException e) {
      process.destroyForcibly();
    }
    OwnFolder.delete(home);
  }

  private Stream<String> knownHosts() {
    try {
      return Files.readAllLines(home.resolve(".ssh/known_hosts")).stream();
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }

  private void knownHosts(List<String> lines) {
    try {
      Files.write(home.resolve(".ssh/known_hosts"), lines);
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }

  private void awaitReady() throws IOException {
    var output = process.inputReader();
    var said = new StringBuilder();
    for (var line = output.readLine(); !"ready".equals(line); line = output.readLine()) {
      if (line == null) {
        close();
        throw new NotStarted("the hosts did not start:\n" + said);
      }
      if (line.startsWith("ready ")) {
        var words = line.split(" ");
        hosts.add(new Host(words[1], words[2], words[3]));
      }
      said.append(line).append('\n');
    }
  }

  private String engine(Duration limit, String... arguments) {
    return checked(Script.command(home.resolve("bin/engine").toString()).args(arguments).timeout(limit));
  }

  private static String checked(Script command) {
    var result = command.run();
    if (result.code() != 0) {
      throw new IllegalStateException("exit " + result.code() + "\n" + result.out() + result.err());
    }
    return result.out();
  }

  private static boolean engineAnswers() {
    var engine = System.getenv("DOCKER_HOST");
    return Script.command("timeout", "10", "docker", "version").env("DOCKER_HOST", engine).run().code() == 0;
  }

  private static boolean isRoot() {
    return Script.command("id", "-u").run().out().strip().equals("0");
  }

  static boolean onPath(String program) {
    return Stream.of(System.getenv("PATH").split(File.pathSeparator))
        .anyMatch(folder -> Files.isExecutable(Path.of(folder, program)));
  }

  /** One of them. */
  final class Host {
    private final String name;
    private final String address;
    private final String container;

    private Host(String name, String address, String container) {
      this.name = name;
      this.address = address;
      this.container = container;
    }

    String name() {
      return name;
    }

    String address() {
      return address;
    }

    int sshPort() {
      return 22;
    }

    /** Where {@code /api/v1/status/public} is. */
    String url() {
      return "http://" + address + ":9000";
    }

    /** Runs it as root, without ssh; throws where it does not exit with 0. */
    String exec(String shell) {
      return engine(Duration.ofMinutes(2), "exec", container, "sh", "-c", shell);
    }

    /** Copies a file, or what is in a folder, into a folder there. */
    void copy(Path from, String folder) {
      exec("mkdir -p " + folder);
      engine(Duration.ofMinutes(2), "cp", from + (Files.isDirectory(from) ? "/." : ""), container + ":" + folder);
    }

    /**
     * How TheHive's stand-in behaves from now on, or with {@code later} from its next start on.
     *
     * @param mode and options of {@code thehive-mode}, such as {@code "fails"} or {@code "slow-stop"}
     */
    void thehive(String... mode) {
      exec("thehive-mode " + String.join(" ", mode));
    }

    /** {@code active}, {@code inactive}, {@code failed} … */
    String state() {
      return exec("systemctl is-active thehive || true").strip();
    }

    /** Powers it off without a warning. What connects finds no route to it after some seconds. */
    void down() {
      engine(Duration.ofMinutes(1), "kill", container);
    }

    /** It still takes connections and says nothing more. */
    void freeze() {
      engine(Duration.ofMinutes(1), "pause", container);
    }

    /** Back from {@link #down} or {@link #freeze}; returns when it has booted. */
    void up() {
      var status = engine(Duration.ofMinutes(1), "inspect", "--format", "{{.State.Status}}", container).strip();
      switch (status) {
        case "paused" -> engine(Duration.ofMinutes(1), "unpause", container);
        case "running" -> {}
        default -> engine(Duration.ofMinutes(1), "start", container);
      }
      exec("""
          for try in $(seq 600); do
            systemctl is-system-running --wait 2>/dev/null | grep -qE 'running|degraded' && exit 0
            sleep 0.1
          done
          systemctl is-system-running; exit 1""");
    }

    /** As after the first start: up, its service active and answering, its key known. */
    void reset() {
      up();
      thehive("normal");
      rememberHostKey(name);
      exec("systemctl --quiet is-active ssh || systemctl start ssh");
    }
  }
}
