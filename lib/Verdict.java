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
    var codes = checks.stream().filter(finding -> finding.result() == Mark.BAD).map(Finding::code)
        .collect(Collectors.toCollection(TreeSet::new));
    if (codes.isEmpty()) {
      return checks.stream().anyMatch(finding -> finding.result() == Mark.OK) ? Exit.DONE : Exit.USAGE;
    }
    return codes.size() == 1 ? codes.first() : Exit.VERIFICATION;
  }

  private static String summary(int exit, String good, List<Finding> checks) {
    var parts = checks.stream().map(Finding::part).distinct().toList();
    Predicate<String> failed = part -> has(checks, part, Mark.BAD);
    Predicate<String> fine = part -> has(checks, part, Mark.OK) && !failed.test(part);
    Predicate<String> whole = part -> !has(checks, part, Mark.SKIPPED);
    var restored = parts.stream().filter(fine).filter(RESTORED::contains).toList();
    return Stream.of(
        exit == Exit.USAGE && parts.stream().noneMatch(failed) ? "Nothing was checked." : "",
        named("FAILED",
            parts.stream().filter(failed).map(part -> "%s (%s)".formatted(part, names(checks, part, Mark.BAD)))),
        named(good, restored.stream().filter(whole)),
        named(good + " as far as compared", restored.stream().filter(whole.negate())),
        named("In order", parts.stream().filter(fine).filter(part -> !RESTORED.contains(part))),
        named("To look at", parts.stream().filter(part -> has(checks, part, Mark.WARNING))
            .map(part -> "%s (%s)".formatted(part, names(checks, part, Mark.WARNING)))),
        named("NOT checked", parts.stream().filter(whole.negate()).map(part -> unchecked(checks, part))))
        .filter(text -> !text.isEmpty())
        .collect(Collectors.joining(" ", exit == Exit.DONE ? "=== ✓ " : "=== ✗ ", " ==="));
  }

  /** A part that was left out with the reason; of another part what was left out, and the reason if it is one thing. */
  private static String unchecked(List<Finding> checks, String part) {
    var skipped =
        checks.stream().filter(finding -> finding.part().equals(part) && finding.result() == Mark.SKIPPED).toList();
    var text = skipped.get(0).text();
    if (!has(checks, part, Mark.OK) && !has(checks, part, Mark.BAD)) {
      return "%s (%s)".formatted(part, text);
    }
    return skipped.size() == 1 ? "%s %s (%s)".formatted(part, skipped.get(0).check(), text)
        : "%s (%s)".formatted(part, names(checks, part, Mark.SKIPPED));
  }

  private static String names(List<Finding> checks, String part, Mark mark) {
    return checks.stream().filter(finding -> finding.part().equals(part) && finding.result() == mark)
        .map(Finding::check).distinct()
        .collect(Collectors.joining(", "));
  }

  private static boolean has(List<Finding> checks, String part, Mark mark) {
    return checks.stream().anyMatch(finding -> finding.part().equals(part) && finding.result() == mark);
  }

  private static String named(String what, Stream<String> names) {
    var all = names.collect(Collectors.joining(", "));
    return all.isEmpty() ? "" : what + ": " + all + ".";
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
