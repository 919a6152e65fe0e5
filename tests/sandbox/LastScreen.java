import com.fasterxml.jackson.databind.JsonNode;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.stream.Stream;
import java.util.stream.StreamSupport;

/**
 * The last screen of a sandbox: the system before, in the disaster and restored, side by side, and the runbook with its
 * times. On a terminal what differs from before is red, and what is as before again is green.
 */
final class LastScreen {
  private static final String BOLD = "1";
  private static final String RED = "31";
  private static final String GREEN = "32";

  private final boolean colours;

  LastScreen(boolean colours) {
    this.colours = colours;
  }

  static boolean terminalShowsColours() {
    return System.console() != null && System.getenv("NO_COLOR") == null && !"dumb".equals(System.getenv("TERM"));
  }

  /**
   * Returns all of it.
   *
   * @param answers of the graph: before, in the disaster, restored
   * @param same whether it answers as before
   * @param runbook a line for each step that was played
   */
  String text(List<JsonNode> answers, boolean same, String runbook, String time) {
    var before = answers.get(0);
    var restored = answers.get(answers.size() - 1);
    return table(answers)
        + "\nFrom an alert to its attachment, before and restored\n"
        + "  " + path(before) + "\n"
        + "  " + paint(path(before).equals(path(restored)) ? GREEN : RED, path(restored)) + "\n"
        + "\nThe runbook as it was played\n" + runbook
        + (same ? paint(GREEN, "✓ The restored system answers as before the disaster")
            : paint(RED, "✗ The restored system answers differently"))
        + "\nTook " + time + "\n";
  }

  private String table(List<JsonNode> answers) {
    var rows = new LinkedHashMap<String, String[]>();
    for (var i = 0; i < answers.size(); i++) {
      for (var row : rows(answers.get(i)).entrySet()) {
        rows.computeIfAbsent(row.getKey(), any -> new String[] {"0", "0", "0"})[i] = row.getValue();
      }
    }
    rows.values().removeIf(values -> Stream.of(values).allMatch("0"::equals));
    var table = new StringBuilder(paint(BOLD, "%-28s %12s %12s %12s".formatted("", "before", "disaster", "restored")))
        .append('\n');
    rows.forEach((name, values) -> {
      table.append("%-28s %12s".formatted(name, values[0]));
      table.append(cell(values[1], values[1].equals(values[0]) ? "" : RED));
      table.append(cell(values[2], values[2].equals(values[0]) ? GREEN : RED)).append('\n');
    });
    return table.toString();
  }

  private String cell(String value, String colour) {
    return " ".repeat(Math.max(1, 13 - value.length())) + paint(colour, value);
  }

  private String paint(String colour, String text) {
    return colours && !colour.isEmpty() ? "\033[" + colour + "m" + text + "\033[0m" : text;
  }

  private static Map<String, String> rows(JsonNode answer) {
    var rows = new LinkedHashMap<String, String>();
    var isIndexGone = answer.has("index");
    answer.get("vertices").properties().forEach(v -> rows.put(v.getKey(), v.getValue().asText()));
    for (var state : List.of("created", "changed", "added", "damaged", "extra", "spoiled")) {
      rows.put("  cases " + state, answer.get("cases").path(state).asText("0"));
    }
    rows.put("full text \"phishing\"", isIndexGone ? "no index" : answer.get("phishing").asText());
    rows.put("observables of case 7", "" + answer.path("observablesOfCase7").size());
    answer.get("attachments here").properties().forEach(a -> rows.put(a.getKey(), a.getValue().asText()));
    rows.put("graph and index agree", isIndexGone ? "no index" : answer.get("agree").asBoolean() ? "yes" : "no");
    return rows;
  }

  /** The alert of case 7, its case, that case's observables and their attachment: one traversal over all tables. */
  private static String path(JsonNode answer) {
    var observables = texts(answer.get("observablesOfCase7"));
    var attachments = texts(answer.get("attachmentsOfAlert7")).stream().map(id -> id.substring(0, 12) + "…").toList();
    return "alert siem-7 > case 7 > " + String.join(", ", observables) + " > " + String.join(", ", attachments);
  }

  private static List<String> texts(JsonNode array) {
    return StreamSupport.stream(array.spliterator(), false).map(JsonNode::asText).toList();
  }
}
