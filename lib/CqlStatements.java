import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.Set;
import java.util.regex.MatchResult;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import java.util.stream.Collectors;

/** Takes CQL text apart without understanding more of it than quotes, comments, statements and options of tables. */
final class CqlStatements {
  private static final Pattern TOKEN =
      Pattern.compile("(?s)'(?:[^']|'')*'|\"(?:[^\"]|\"\")*\"|\\$\\$.*?\\$\\$|--[^\n]*|//[^\n]*|/\\*.*?\\*/|;|.");
  private static final Pattern QUOTED = Pattern.compile("(?s)'(?:[^']|'')*'|\"(?:[^\"]|\"\")*\"|\\$\\$.*?\\$\\$");
  private static final Pattern OPTIONS = Pattern.compile("(?i) WITH ");
  private static final Pattern OPTION = Pattern.compile(
      "(?is)(WITH|AND) ((?<name>\\w+) ?= ?('[^']*'|\\{[^}]*}|[\\w.+-]+)|CLUSTERING ORDER BY \\([^)]*\\)|COMPACT"
          + " STORAGE)");

  private CqlStatements() {}

  /** Statements with single spaces, without comments and without the warnings that cqlsh prints among them. */
  static List<String> split(String cql) {
    var statements = new ArrayList<String>();
    var current = new StringBuilder();
    var text =
        cql.lines().filter(line -> !line.regionMatches(true, 0, "warning", 0, 7)).collect(Collectors.joining("\n"));
    for (var token : (Iterable<String>) TOKEN.matcher(text).results().map(MatchResult::group)::iterator) {
      if (token.equals(";")) {
        statements.add(current.toString().strip());
        current.setLength(0);
      } else if (token.startsWith("--") || token.startsWith("//") || token.startsWith("/*") || token.isBlank()) {
        current.append(current.isEmpty() || current.charAt(current.length() - 1) == ' ' ? "" : " ");
      } else {
        current.append(token);
      }
    }
    statements.add(current.toString().strip());
    return statements.stream().filter(statement -> !statement.isEmpty()).toList();
  }

  /** A CREATE TABLE with only these options (a newer server writes more of them than an older one accepts). */
  static String withOptions(String table, Set<String> options) {
    var masked = masked(table);
    var first = OPTIONS.matcher(masked);
    if (!first.find()) {
      return table;
    }
    var from = first.start() + 1;
    var all = OPTION.matcher(masked.substring(from)).results().toList();
    var kept = all.stream()
        .filter(option -> option.group(3) == null || options.contains(option.group(3).toLowerCase(Locale.ROOT)))
        .map(option -> table.substring(from + option.start(2), from + option.end(2))).toList();
    if (kept.size() == all.size()) {
      return table;
    }
    return table.substring(0, first.start()) + (kept.isEmpty() ? "" : " WITH " + String.join(" AND ", kept));
  }

  /** The options that a CREATE TABLE names. */
  static Set<String> options(String table) {
    var masked = masked(table);
    var first = OPTIONS.matcher(masked);
    return !first.find() ? Set.of() : OPTION.matcher(masked.substring(first.start() + 1)).results()
        .filter(option -> option.group(3) != null).map(option -> option.group(3).toLowerCase(Locale.ROOT))
        .collect(Collectors.toSet());
  }

  /** The text with every quoted character replaced, so that patterns do not match inside quotes; of the same length. */
  private static String masked(String text) {
    return QUOTED.matcher(text).replaceAll(match -> {
      var quoted = match.group();
      return Matcher
          .quoteReplacement(quoted.charAt(0) + "_".repeat(quoted.length() - 2) + quoted.charAt(quoted.length() - 1));
    });
  }
}
