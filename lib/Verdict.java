import java.util.List;
import java.util.Set;
import java.util.TreeSet;
import java.util.function.Predicate;
import java.util.stream.Collectors;
import java.util.stream.Stream;

/**
 * The result of a run, as {@code --json} prints it.
 *
 * @param exit the exit code
 * @param summary the last line
 * @param checks all findings, in the order of the parts
 */
record Verdict(String script, int exit, String summary, List<Finding> checks) {
  private static final int SHOWN = 20;
  private static final Set<String> RESTORED = Set.of("cassandra", "elasticsearch", "files", "s3");

  /** @param good what is said of parts that are restored, such as {@code As in the backup} */
  static Verdict of(String script, String good, List<Finding> checks) {
    var exit = exit(checks);
    return new Verdict(script, exit, summary(exit, good, checks), checks);
  }

  /** The code of what went wrong where it is one, else that of a difference; wrong usage if nothing was checked. */
  private static int exit(List<Finding> checks) {
    var codes = checks.stream().filter(finding -> finding.result() == Mark.BAD).map(Finding::code).collect(Collectors.toCollection(TreeSet::new));
    if (codes.isEmpty()) {
      return checks.stream().anyMatch(finding -> finding.result() == Mark.OK) ? Exit.DONE : Exit.USAGE;
    }
    return codes.size() == 1 ? codes.first() : Exit.VERIFICATION;
  }

  private static String summary(int exit, String good, List<Finding> checks) {
    var parts = checks.stream().map(Finding::part).distinct().toList();
    var failed = parts.stream().filter(part -> has(checks, part, Mark.BAD)).map(part -> part + " (" + checks.stream()
        .filter(finding -> finding.part().equals(part) && finding.result() == Mark.BAD).map(Finding::check).distinct()
        .collect(Collectors.joining(", ")) + ")").toList();
    Predicate<String> fine = part -> has(checks, part, Mark.OK) && !has(checks, part, Mark.BAD);
    var restored = parts.stream().filter(fine).filter(RESTORED::contains).toList();
    var others = parts.stream().filter(fine).filter(part -> !RESTORED.contains(part)).toList();
    var open = checks.stream().filter(finding -> finding.result() == Mark.SKIPPED).map(finding -> "%s (%s)".formatted(
        parts.contains(finding.part()) && (has(checks, finding.part(), Mark.OK) || has(checks, finding.part(), Mark.BAD))
            ? finding.part() + " " + finding.check() : finding.part(), finding.text())).distinct().toList();
    return Stream.of(exit == Exit.USAGE && failed.isEmpty() ? "Nothing was checked." : "", named("FAILED", failed),
        named(good, restored), named("In order", others), named("NOT checked", open)).filter(text -> !text.isEmpty())
        .collect(Collectors.joining(" ", exit == Exit.DONE ? "=== ✓ " : "=== ✗ ", " ==="));
  }

  private static boolean has(List<Finding> checks, String part, Mark mark) {
    return checks.stream().anyMatch(finding -> finding.part().equals(part) && finding.result() == mark);
  }

  private static String named(String what, List<String> names) {
    return names.isEmpty() ? "" : what + ": " + String.join(", ", names) + ".";
  }

  /** A line for each finding, with the first details of a ✗ below it, and the summary. */
  String table() {
    var width = checks.stream().mapToInt(finding -> finding.check().length()).max().orElse(1);
    var form = "%s %-13s %-" + width + "s  %s%n";
    var lines = new StringBuilder();
    for (var finding : checks) {
      lines.append(form.formatted(finding.result().sign, finding.part(), finding.check(), finding.text()));
      finding.details().stream().limit(SHOWN).forEach(detail -> lines.append("      ").append(detail).append('\n'));
      if (finding.details().size() > SHOWN) {
        lines.append("      and %d more: --json shows them%n".formatted(finding.details().size() - SHOWN));
      }
    }
    return lines.append(summary).append('\n').toString();
  }
}
