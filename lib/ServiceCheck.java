import java.time.Duration;
import java.util.List;
import java.util.regex.Pattern;
import java.util.stream.Collectors;
import java.util.stream.Stream;

/**
 * Checks TheHive's service and its log on each node.
 *
 * @param ignored lines of the log that are harmless
 */
record ServiceCheck(TheHiveSettings settings, List<Pattern> ignored) {
  private static final int LINES = 200_000;
  private static final Pattern LEVEL = Pattern.compile("(?i)\\[(debug|info|warn|error) *]");

  /** The unit is active, and TheHive answers. */
  void services(Findings all) {
    each(all, (host, unit, findings) -> {
      var since = unit.since().isEmpty() ? "never" : unit.since();
      findings.require(unit.active().equals("active"), "unit", List.of(), "%s: %s %s, since %s, %s",
          host.name(), node(host).service(), unit, since, Count.of(unit.restarts(), "restart"));
      var application = Application.on(host, settings);
      var problem = application.problem();
      findings.require(problem.isEmpty(), "application", List.of(), "%s",
          problem.orElse(application.uri() + " answers"));
    });
  }

  /** The log has no errors since the service started. */
  void logs(Findings all) {
    each(all, (host, unit, findings) -> {
      if (!unit.active().equals("active") || unit.invocation().isEmpty()) {
        findings.skipped("errors", "%s: %s is not active", host.name(), node(host).service());
        return;
      }
      var journal = host.run(host.container() != null
          ? node(host).journal(unit, " --lines=%d --since=\"%s\"".formatted(LINES, unit.since()))
          : "%sjournalctl _SYSTEMD_INVOCATION_ID=%s -o cat --no-pager -n %d".formatted(unit.root() ? "" : "sudo -n ",
              unit.invocation(), LINES),
          Duration.ofMinutes(2));
      if (journal.code() != 0) {
        findings.bad("errors", List.of(), "%s: cannot read the journal: %s", host.name(), Host.last(journal.err()));
        return;
      }
      var lines = plain(journal).filter(line -> !line.startsWith("-- ")).collect(Collectors.toList());
      if (host.container() == null && lines.stream().noneMatch(LEVEL.asPredicate())) {
        lines.addAll(ownLog(host, unit)); // some packages' units drop its output: the journal has at most the JVM's own
      }
      readErrors(host, lines, findings);
    });
  }

  private void readErrors(Host host, List<String> lines, Findings findings) {
    if (lines.isEmpty()) {
      findings.skipped("errors", "%s: neither the journal nor %s has a line of %s since its start that can be read",
          host.name(), Application.LOG, node(host).service());
      return;
    }
    var errors = new Tally();
    lines.stream().filter(Application.ERROR.asPredicate()).filter(this::isHarmful)
        .forEach(line -> errors.add("error", line));
    var read = "in %s since the start".formatted(Count.of(lines.size(), "line"));
    findings.requireNone("errors", errors, "error", host.name() + ": none " + read, "on " + host.name() + " " + read);
  }

  private static Stream<String> plain(Host.Output output) {
    return output.out().lines().map(Application::plain);
  }

  /** Lines since the start: they begin with the time, as the unit's start does behind the day of the week. */
  private static List<String> ownLog(Host host, Host.Unit unit) {
    var start = unit.since().replaceFirst("^\\w+ ", "");
    return plain(host.run("tail -n %d %s".formatted(LINES, Application.LOG), Duration.ofMinutes(2)))
        .dropWhile(line -> !line.startsWith("20") || line.compareTo(start) < 0).toList();
  }

  private boolean isHarmful(String line) {
    return ignored.stream().noneMatch(pattern -> pattern.matcher(line).find());
  }

  private TheHiveNode node(Host host) {
    return new TheHiveNode(host, settings);
  }

  private interface Look {
    void at(Host host, Host.Unit unit, Findings findings);
  }

  private void each(Findings all, Look look) {
    all.ofEach(settings.hosts(), (host, findings) -> {
      try {
        var unit = node(host).unit();
        if (!settings.named() && unit.load().equals("not-found")) {
          throw new Failure(Exit.UNSAFE, "this host has no unit " + settings.service(), null);
        }
        look.at(host, unit, findings);
      } catch (Failure e) {
        if (settings.named() || e.code == Exit.USAGE) {
          findings.failed("unit", e);
        } else {
          findings.skipped("unit", "THEHIVE_NODES is not set, and %s", e.getMessage());
        }
      }
    });
  }
}
