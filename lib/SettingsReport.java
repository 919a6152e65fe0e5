import java.util.ArrayList;
import java.util.List;
import java.util.stream.Collectors;
import java.util.stream.Stream;

/**
 * Every setting with its value and where that comes from, and whether the addresses answer; as {@code --json} prints
 * it.
 *
 * @param exit 0 if all addresses answer, 2 for a setting that cannot be used, else 11
 */
record SettingsReport(String script, int exit, String summary, List<Row> settings, List<String> warnings,
    List<Finding> addresses) {
  /**
   * A setting.
   *
   * @param value never a secret
   * @param source the variable, a file, or the default
   * @param problem why its value cannot be used; empty for none
   */
  record Row(String name, String value, String source, String problem) {}

  /** Every variable that the scripts read. */
  static final List<Variable> VARIABLES = Stream
      .of(List.of(Settings.CONFIG), CassandraSettings.VARIABLES, ElasticsearchSettings.VARIABLES,
          FolderSettings.VARIABLES, S3Settings.VARIABLES, TheHiveSettings.VARIABLES, CommonSettings.VARIABLES)
      .flatMap(List::stream).toList();

  static SettingsReport of(String script, Settings settings, List<Finding> addresses) {
    var rows = VARIABLES.stream().map(variable -> row(settings, variable)).toList();
    var wrong = rows.stream().filter(row -> !row.problem().isEmpty()).map(Row::name).toList();
    var silent = addresses.stream().filter(finding -> finding.result() == Mark.BAD).toList();
    var misused = !wrong.isEmpty() || silent.stream().anyMatch(finding -> finding.code() == Exit.USAGE);
    var exit = misused ? Exit.USAGE : silent.isEmpty() ? Exit.DONE : Exit.UNREACHABLE;
    return new SettingsReport(script, exit, summary(exit, wrong, addresses), rows, settings.warnings(VARIABLES),
        addresses);
  }

  private static Row row(Settings settings, Variable variable) {
    var problem = "";
    try {
      if (variable.secret()) {
        settings.secret(variable);
      } else {
        settings.optional(variable);
      }
    } catch (Failure e) {
      problem = e.getMessage();
    }
    return new Row(variable.name(), settings.shown(variable).replaceAll("\\p{Cntrl}", "?"), settings.source(variable),
        problem);
  }

  private static String summary(int exit, List<String> wrong, List<Finding> addresses) {
    var answering = addresses.stream().filter(finding -> finding.result() == Mark.OK).map(Finding::part).distinct();
    var parts = Stream.of(
        named("CANNOT be used", wrong.stream()),
        named("NO answer", addresses.stream().filter(finding -> finding.result() == Mark.BAD)
            .map(finding -> "%s (%s)".formatted(finding.part(), finding.check())).distinct()),
        named("Answers", answering),
        named("Not asked",
            addresses.stream().filter(finding -> finding.result() == Mark.SKIPPED).map(Finding::part).distinct()));
    return parts.filter(text -> !text.isEmpty())
        .collect(Collectors.joining(" ", exit == Exit.DONE ? "=== ✓ " : "=== ✗ ", " ==="));
  }

  private static String named(String what, Stream<String> names) {
    var all = names.collect(Collectors.joining(", "));
    return all.isEmpty() ? "" : what + ": " + all + ".";
  }

  /** Variables with a value, those without, the addresses, and the summary; the warnings were told before. */
  String table() {
    var lines = new ArrayList<String>();
    var width =
        settings.stream().filter(row -> !row.value().isEmpty()).mapToInt(row -> row.name().length()).max().orElse(1);
    var form = "%s %-" + width + "s  %s  (%s)";
    for (var row : settings) {
      if (!row.value().isEmpty() || !row.problem().isEmpty()) {
        lines.add(form.formatted(row.problem().isEmpty() ? " " : Mark.BAD.sign, row.name(), row.value(), row.source()));
      }
      if (!row.problem().isEmpty()) {
        lines.add("    " + row.problem());
      }
    }
    lines.add("  Not set: " + settings.stream().filter(row -> row.source().equals("not set")).map(Row::name)
        .collect(Collectors.joining(", ")));
    addresses.forEach(finding -> lines
        .add("%s %-13s %s  %s".formatted(finding.result().sign, finding.part(), finding.check(), finding.text())));
    lines.add(summary);
    return String.join("\n", lines) + "\n";
  }
}
