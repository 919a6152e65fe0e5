//DEPS info.picocli:picocli:4.7.7

import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Objects;
import picocli.CommandLine.Option;

/** The console of a restore: asks before anything is overwritten, and refuses what only --force goes on with. */
final class RestoreConsole extends Console {
  @Option(names = "--dry-run", description = "do every check, print the plan, change nothing")
  boolean dryRun;

  @Option(names = "--yes", description = "do not ask before overwriting (ASSUME_YES)")
  boolean yes;

  @Option(names = "--force", description = "go on although TheHive runs or another client is connected")
  boolean force;

  private final List<Failure> reasons = new ArrayList<>();

  /** Throws the reason; with --force it is a warning, and a dry run goes on and tells it again at its end. */
  synchronized void refuseUnlessForced(Failure reason) {
    if (!force && !dryRun) {
      throw reason;
    }
    warn("%s", reason.getMessage());
    if (!force) {
      reasons.add(reason);
    }
  }

  /** Says which backup of the attachments was chosen, and what was passed over. */
  BackupSet.Chosen announce(BackupSet.Chosen chosen) {
    chosen.warnings().forEach(warning -> warn("%s", warning));
    step("Restoring attachments from %s, taken %s", chosen.backup().file(), chosen.backup().age());
    return chosen;
  }

  /** The folder of lock, marker and reports; says so where no other script would look for them. */
  Path stateFolder(CommonSettings common, Path archives, String backup) {
    var folder = common.stateFolder(archives, backup);
    if (common.statePath().isEmpty() && !folder.equals(archives)) {
      warn("lock, marker and report are kept in %s, as there is no folder %s: set RESTORE_STATE_PATH to it for all"
          + " scripts",
          folder, archives);
    }
    return folder;
  }

  /** Requires that TheHive runs on none of its nodes, as far as they can be asked. */
  void requireTheHiveStopped(TheHiveSettings settings) {
    Host.each(settings.hosts(), host -> new TheHiveNode(host, settings).reasonNotToRestore().orElse(null)).stream()
        .filter(Objects::nonNull).forEach(this::refuseUnlessForced);
  }

  /** Shows the plan; then the name of what will be overwritten is to be typed, unless --yes answered already. */
  void confirm(List<String> plan, String name, Settings settings) {
    plan.forEach(line -> step("%s", line));
    if (!settings.isSet(TheHiveSettings.NODES)) {
      step("  whether TheHive is stopped was asked of this host only: THEHIVE_NODES names no other");
    }
    step("");
    if (dryRun || yes || settings.flag(CommonSettings.ASSUME_YES)) {
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

  /** Says at the end of a dry run what a real run would do; returns the exit code that it would begin with. */
  int endDryRun() {
    if (reasons.isEmpty()) {
      step("Dry run: every check passed, nothing was changed.");
      return Exit.DONE;
    }
    var first = reasons.get(0);
    step("Dry run: a real run would refuse now, exit %d: %s", first.code, first.getMessage());
    if (first.hint != null) {
      step("hint: %s", first.hint);
    }
    return first.code;
  }
}
