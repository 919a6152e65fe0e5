import java.time.Duration;
import java.util.Set;
import java.util.regex.Pattern;
import java.util.stream.Collectors;

/**
 * A container of TheHive, asked and told through the engine's own command, docker or podman. It is stopped, started and
 * shown like a systemd unit.
 *
 * @param name of the container, or of the service in its compose file
 */
record TheHiveContainer(String engine, String name) {
  private static final Pattern ANSWER = Pattern.compile(
      "thehive-container\\|(?<how>[^|]*)\\|(?<id>[^|]*)\\|(?<status>[^|]*)\\|(?<exit>-?\\d+)"
          + "\\|(?<restarts>\\d+)\\|(?<since>[^|]*)");
  /** A JVM that ends on SIGTERM, or that the engine had to kill, did not fail. */
  private static final Set<String> STOPPED = Set.of("0", "130", "137", "143");
  private static final String NO_CONTAINER = "(?is).*(no such (object|container)|no container with name).*";

  @Override
  public String toString() {
    return engine + ":" + name;
  }

  /**
   * Asks as this user and, where that does not find it, with sudo: by the container's name, else by its compose
   * service.
   */
  String inspect() {
    var inspect = "LC_ALL=C $d inspect --type container -f "
        + "\"thehive-container|$d|{{.Id}}|{{.State.Status}}|{{.State.ExitCode}}|{{.RestartCount}}"
            + "|{{.State.StartedAt}}\"";
    return ("for d in \"%1$s\" \"sudo -n %1$s\"; do %2$s %3$s && exit; for c in $($d ps -aq --filter"
        + " label=com.docker.compose.service=%3$s 2>/dev/null); do %2$s $c; done; done")
        .formatted(engine, inspect, name);
  }

  /** The container as a unit; one that is not there is not found. */
  Host.Unit unit(Host host) {
    var output = host.run(inspect(), Duration.ofSeconds(30));
    var found = output.out().lines().map(ANSWER::matcher).filter(match -> match.matches())
        .collect(Collectors.toMap(match -> match.group("id"), match -> match,
        (one, other) -> one)).values();
    if (found.size() > 1) {
      throw new Failure(Exit.USAGE,
          "%s: %d containers have the compose service %s".formatted(host.name(), found.size(), name),
          "name each in THEHIVE_NODES as '%s ps' does".formatted(engine));
    }
    if (!found.isEmpty()) {
      var match = found.iterator().next();
      return new Host.Unit("loaded", active(match.group("status"), match.group("exit")), match.group("status"),
          Integer.parseInt(match.group("restarts")), match.group("since"), match.group("id"),
          !match.group("how").startsWith("sudo"));
    }
    if (output.err().matches(NO_CONTAINER)) {
      return new Host.Unit("not-found", "inactive", "", 0, "", "", true);
    }
    throw new Failure(Exit.UNSAFE,
        "%s: %s does not tell of the container %s: %s".formatted(host.name(), engine, name, Host.last(output.err())),
        "is %1$s installed there, and may this user ask it, or with sudo? NOPASSWD: /usr/bin/%1$s *".formatted(engine));
  }

  /** The engine's words for a state in those of systemd; one that nobody knows does not count as stopped. */
  static String active(String status, String exit) {
    return switch (status) {
      case "running", "paused" -> "active"; // a paused one goes on when it is continued
      case "created", "initialized", "configured" -> "inactive";
      case "exited", "stopped", "dead" -> STOPPED.contains(exit) ? "inactive" : "failed";
      case "restarting" -> "activating";
      case "removing", "stopping" -> "deactivating";
      default -> status;
    };
  }

  /** @param verb stop or start */
  String command(Host.Unit unit, String verb) {
    return sudo(unit) + engine + " " + verb + (verb.equals("stop") ? " -t 90 " : " ") + unit.invocation();
  }

  /** @param range options of journalctl: {@code --lines=20}, {@code --since="10 min ago"}, {@code --follow} */
  String logs(Host.Unit unit, String range) {
    var since = Pattern.compile("--since=\"([^\"]*)\"").matcher(range);
    var options = since.find() ? since.replaceFirst("--since=" + since(since.group(1))) : range;
    return sudo(unit) + engine + " logs" + options.replaceAll("--lines=(\\d+)", "--tail=$1") + " " + unit.invocation()
        + " 2>&1";
  }

  /** A time of journalctl as the engines know it. */
  static String since(String text) {
    var ago = Pattern.compile("(\\d+) ?(s|m|h)[a-z]* ago").matcher(text);
    if (ago.matches()) {
      return ago.group(1) + ago.group(2);
    }
    var time = Pattern
        .compile("(\\d{4}-\\d\\d-\\d\\d)[ T](\\d\\d:\\d\\d(?::\\d\\d(?:\\.\\d+)?)?)(?: ?(Z|[+-]\\d\\d):?(\\d\\d)?.*)?")
        .matcher(text);
    if (time.matches()) {
      var clock = time.group(2).length() == 5 ? time.group(2) + ":00" : time.group(2);
      var zone = time.group(3) == null ? "" : time.group(3).equals("Z") ? "Z" : time.group(3) + ":" + time.group(4);
      return time.group(1) + "T" + clock + zone;
    }
    if (text.matches("\\d{4}-\\d\\d-\\d\\d")) {
      return text;
    }
    throw new Failure(Exit.USAGE, "--since '%s' is not a time that docker or podman knows".formatted(text),
        "write it as '10 min ago' or '2026-11-22 18:00'");
  }

  private static String sudo(Host.Unit unit) {
    return unit.root() ? "" : "sudo -n ";
  }
}
