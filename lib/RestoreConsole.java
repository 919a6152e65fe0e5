//DEPS info.picocli:picocli:4.7.7

import java.util.List;
import java.util.Objects;
import picocli.CommandLine.Option;

/** Asks before anything is overwritten, and refuses what only --force goes on with. */
final class RestoreConsole extends Console {
  @Option(names = "--dry-run", description = "do every check, print the plan, change nothing")
  boolean dryRun;

  @Option(names = "--yes", defaultValue = "${env:ASSUME_YES:-false}", fallbackValue = "true",
      description = "do not ask before overwriting (ASSUME_YES)")
  boolean yes;

  @Option(names = "--force", description = "go on although TheHive runs on THEHIVE_NODES or another client is connected")
  boolean force;

  /** A reason not to begin; a warning only with --force, or where nothing will be changed. */
  void refuse(Failure reason) {
    if (!force && !dryRun) {
      throw reason;
    }
    warn("%s", reason.getMessage());
  }

  /** TheHive must be stopped: a node where it runs, or that was named and cannot be asked, is a reason not to begin. */
  void requireTheHiveStopped(TheHiveSettings settings) {
    var service = settings.service();
    var named = settings.named();
    Host.each(settings.hosts(), host -> {
      try {
        var unit = host.unit(service);
        if (named && !unit.isInstalled()) {
          return new Failure(Exit.UNSAFE, "%s has no unit %s: whether TheHive runs there is not known".formatted(host.name(), service),
              "check THEHIVE_NODES and THEHIVE_SERVICE; --force goes on all the same");
        }
        return unit.isStopped() ? null : new Failure(Exit.UNSAFE, "TheHive is still running on %s: %s is %s".formatted(host.name(), service, unit),
            "stop it on every node: ./jbang service-control.java stop; --force goes on all the same");
      } catch (Failure e) {
        return named ? e : null; // this host may well have no TheHive, and no systemd
      }
    }).stream().filter(Objects::nonNull).findFirst().ifPresent(this::refuse);
  }

  /** Shows the plan; then the name of what will be overwritten is to be typed, unless --yes answered already. */
  void confirm(List<String> plan, String name) {
    plan.forEach(line -> step("%s", line));
    if (dryRun || yes) {
      return;
    }
    if (!terminal) {
      throw new Failure(Exit.DECLINED, "not confirmed: there is no terminal to ask on, nothing was changed",
          "add --yes or set ASSUME_YES=true");
    }
    if (!name.equals(System.console().readLine("%nType %s to overwrite it: ", name))) {
      throw new Failure(Exit.DECLINED, "not confirmed, nothing was changed", null);
    }
  }
}
