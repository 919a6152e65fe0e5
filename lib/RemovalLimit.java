//DEPS info.picocli:picocli:4.7.7

import picocli.CommandLine.Option;

/** Asks before much is removed: the classic way to lose a folder or a bucket is to name the wrong one. */
final class RemovalLimit {
  @Option(names = "--max-delete", paramLabel = "PERCENT", defaultValue = "50",
      description = "ask again before removing more than this part (${DEFAULT-VALUE})")
  int percent;

  void requireValid() {
    if (percent < 0 || percent > 100) {
      throw new Failure(Exit.USAGE, "--max-delete %d is not between 0 and 100".formatted(percent),
          "it is a percentage of what is there now");
    }
  }

  boolean isExceeded(long extra, long present) {
    return extra * 100 > percent * present;
  }

  /**
   * Goes on only if the number was typed; a dry run goes on, and tells the reason at its end.
   *
   * @param extra how many are not in the backup
   * @param present how many there are
   * @param of where they are, such as {@code the folder's %d files}
   * @param otherWays what does not remove them, such as {@code --keep-extra leaves them}
   */
  void confirm(long extra, long present, String of, String otherWays, RestoreConsole console) {
    if (!isExceeded(extra, present)) {
      return;
    }
    var question = "%d of %s are not in the backup and would be removed".formatted(extra, of.formatted(present));
    var refusal = new Failure(Exit.DECLINED, question + ", nothing was changed",
        "are target and backup the right ones? %s--max-delete 100 removes them".formatted(otherWays));
    if (console.dryRun) {
      console.refuseUnlessForced(refusal);
    } else if (!console.terminal || !("" + extra).equals(
        System.console().readLine("%n%s.%nType their number to remove them: ", question))) {
      throw refusal;
    }
  }
}
