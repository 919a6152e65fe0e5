import java.time.Duration;
import java.util.Locale;
import java.util.Optional;
import java.util.regex.Pattern;

/** TheHive on one of its nodes: its systemd unit or its container, and who listens on its port. */
record TheHiveNode(Host host, TheHiveSettings settings) {
  private static final Pattern PROCESS = Pattern.compile("users:\\(\\(\"(?<name>[^\"]+)\"");

  /**
   * Who listens on TheHive's port.
   *
   * @param process name of the process; empty where this user may not see it
   */
  record Listener(int port, Optional<String> process) {
    /** True for a JVM, in which TheHive runs. */
    boolean isJava() {
      return process.filter(name -> name.equals("java")).isPresent();
    }
  }

  String name() {
    return host.name();
  }

  /** The unit or the container, by its name. */
  String service() {
    return host.container() == null ? settings.service() : "container " + host.container().name();
  }

  Host.Unit unit() {
    return host.container() == null ? host.unit(settings.service()) : host.container().unit(host);
  }

  /** The unit, masked or not; an unknown unit does not count as stopped. */
  Host.Unit requireInstalled() {
    var unit = unit();
    if (!unit.isInstalled()) {
      throw new Failure(Exit.UNSAFE,
          "%s: the %s is %s".formatted(host.name(), kind(), unit.load().isEmpty() ? "unknown" : unit.load()),
          host.container() == null ? "THEHIVE_SERVICE names TheHive's unit; is TheHive installed there?"
              : "THEHIVE_NODES names the container as '%s ps -a' does".formatted(host.container().engine()));
    }
    return unit;
  }

  private String kind() {
    return host.container() == null ? "unit " + settings.service() : service();
  }

  String systemctl(Host.Unit unit, String verb) {
    return host.container() != null ? host.container().command(unit, verb)
        : asRoot(unit, "systemctl %s %s".formatted(verb, settings.service()));
  }

  /** Runs systemctl. What sudo warns of counts only where the command fails. */
  void systemctl(Host.Unit unit, String verb, Duration limit) {
    Host.Output output;
    try {
      output = host.run(systemctl(unit, verb), limit);
    } catch (Failure e) {
      if (e.code == Exit.UNREACHABLE) {
        return; // systemd may still be at it: the unit is asked next, and that tells whether the node is gone
      }
      throw e;
    }
    if (output.code() == 0) {
      return;
    }
    throw refused(verb, Host.last(output.err()));
  }

  Failure refused(String verb, String said) {
    var program = host.container() == null ? "systemctl" : host.container().engine();
    if (!said.startsWith("sudo:")) {
      return new Failure(Exit.UNSAFE, "%s: %s %s: %s".formatted(name(), program, verb, said), null);
    }
    return new Failure(Exit.AUTHENTICATION, "%s: %s".formatted(name(), said),
        said.contains("tty") || said.contains("terminal is required")
        ? "sudo wants a terminal there: \"Defaults !requiretty\" for this user, or name the node as root@" + name()
        : "allow it without a password there: NOPASSWD: " + (host.container() == null
                ? "/usr/bin/systemctl * %s, /usr/bin/journalctl *".formatted(settings.service())
                : "/usr/bin/%s *".formatted(program)));
  }

  /** @param range options of journalctl, such as {@code  --lines=20} */
  String journal(Host.Unit unit, String range) {
    return host.container() != null ? host.container().logs(unit, range) : asRoot(unit,
        "journalctl --unit=%s --output=short-iso --no-hostname --no-pager%s".formatted(settings.service(), range));
  }

  private static String asRoot(Host.Unit unit, String shell) {
    return (unit.root() ? "" : "sudo -n ") + shell;
  }

  Application application() {
    return Application.on(host, settings);
  }

  /** Why nothing may be restored now: TheHive runs on this node, or it was named and does not tell. */
  Optional<Failure> reasonNotToRestore() {
    try {
      var unit = unit();
      if (settings.named() && !unit.isInstalled()) {
        return Optional.of(new Failure(Exit.UNSAFE,
            "%s has no %s: whether TheHive runs there is not known".formatted(host.name(), kind()),
            "check THEHIVE_NODES and THEHIVE_SERVICE; --force goes on all the same"));
      }
      if (!unit.isStopped()) {
        return Optional.of(
            new Failure(Exit.UNSAFE, "TheHive is still running on %s: %s is %s".formatted(host.name(), service(), unit),
            "stop it on every node: ./jbang service-control.java stop; --force goes on all the same"));
      }
    } catch (Failure e) {
      if (settings.named()) {
        return Optional.of(e);
      }
      // This host may well have no TheHive, and no systemd: its port is asked all the same.
    }
    return aliveWithoutUnit();
  }

  /** TheHive that runs although its unit does not: started by hand, left by KillMode=process, in a container. */
  Optional<Failure> aliveWithoutUnit() {
    var listener = listener();
    if (listener.isEmpty()) {
      return Optional.empty();
    }
    var port = listener.get().port();
    var application = application();
    return switch (application.answer()) {
    case THEHIVE -> Optional.of(new Failure(Exit.UNSAFE,
        "TheHive answers on %s, port %d, although its %s does not run".formatted(host.name(), port, kind()),
        "it was started by hand or runs in a container: stop it there (ss -ltnp shows the process); --force goes"
            + " on all the same"));
      case SOMETHING_ELSE, NOBODY -> Optional.empty();
      case NO_ANSWER -> !listener.get().isJava() ? Optional.empty() : Optional.of(new Failure(Exit.UNSAFE,
          "a Java process listens on TheHive's port %d of %s and does not answer".formatted(port, host.name()),
        "it may be TheHive on its way up or down: see ss -ltnp there; THEHIVE_URL names another port; --force"
            + " goes on all the same"));
    };
  }

  /** Who listens on the port of THEHIVE_URL on that node; empty where nobody does, or where the node does not tell. */
  Optional<Listener> listener() {
    var port = application().port();
    try {
      var hex = "%04X".formatted(port);
      var answer = host.run(
          ("grep -ci \"^ *[0-9]*: [0-9A-F]*:%s [0-9A-F]*:0000 0A\" /proc/net/tcp /proc/net/tcp6; (sudo -n ss -Hltnp"
              + " || ss -Hltnp) 2>/dev/null | grep \":%d \"").formatted(hex, port), Duration.ofSeconds(30)).out();
      return parse(port, answer);
    } catch (Failure e) {
      return Optional.empty();
    }
  }

  /** Reads the counts of listening sockets in /proc/net/tcp and tcp6, then lines of {@code ss -ltnp}. */
  static Optional<Listener> parse(int port, String answer) {
    var listens = answer.lines().anyMatch(line -> line.toLowerCase(Locale.ROOT).matches("/proc/net/tcp6?:[1-9]\\d*"));
    if (!listens) {
      return Optional.empty();
    }
    return Optional.of(new Listener(port, answer.lines().filter(line -> line.startsWith("LISTEN")).map(PROCESS::matcher)
        .filter(found -> found.find()).map(found -> found.group("name")).findFirst()));
  }
}
