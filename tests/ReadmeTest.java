import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.TreeMap;
import java.util.regex.Pattern;
import java.util.stream.Collectors;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;

/** README and docs/ say what the scripts do. */
class ReadmeTest {
  private static final Path README = Script.ROOT.resolve("README.md");
  private static final Path SETTINGS = Script.ROOT.resolve("docs/settings.md");
  private static final Path MESSAGES = Script.ROOT.resolve("docs/messages.md");

  /** Every variable that a record of lib/ declares. */
  private static List<Variable> variables() {
    return Stream.of(CommonSettings.VARIABLES, CassandraSettings.VARIABLES, ElasticsearchSettings.VARIABLES,
        FolderSettings.VARIABLES,
        S3Settings.VARIABLES, TheHiveSettings.VARIABLES, List.of(Settings.CONFIG)).flatMap(List::stream).toList();
  }

  @Test
  void everyVariableOfTheScriptsIsDeclaredInARecord() throws IOException {
    var declared = variables().stream().map(Variable::name).toList();
    try (var files = Files.list(Script.ROOT.resolve("lib"))) {
      for (var file : files.toList()) {
        assertThat(Pattern.compile("Variable\\.\\w+\\(\"([A-Z_]+)\"").matcher(Files.readString(file)).results()
            .map(match -> match.group(1)))
            .as("%s", file).isSubsetOf(declared);
      }
    }
  }

  @Test
  void everySettingIsInTheTableWithItsDefaultAndInTheExample() throws IOException {
    var rows = Pattern.compile("(?m)^\\| (`[A-Z][^|]*) \\| ([^|]*) \\|").matcher(Files.readString(SETTINGS)).results()
        .toList();
    var documented = new TreeMap<String, String>();
    rows.forEach(row -> Pattern.compile("`([A-Z][A-Z_]+)`").matcher(row.group(1)).results()
        .forEach(name -> documented.put(name.group(1), row.group(2).strip())));
    var example = Files.readAllLines(Script.ROOT.resolve("restore.env.example")).stream()
        .filter(line -> line.matches("#?[A-Z_]+=.*"))
        .map(line -> line.replaceAll("#|=.*", "")).toList();

    assertThat(documented.keySet()).as("variables in docs/settings.md").containsExactlyInAnyOrderElementsOf(
        variables().stream().map(Variable::name).toList());
    assertThat(example).as("variables in restore.env.example")
        .allSatisfy(name -> assertThat(documented).containsKey(name.replaceFirst("_FILE$", "")));
    for (var variable : variables()) {
      assertThat(example).as("restore.env.example").containsAnyOf(variable.name(), variable.name() + "_FILE");
      if (!variable.fallback().isEmpty()) {
        assertThat(documented.get(variable.name())).as("default of %s", variable.name())
            .isEqualTo("`" + variable.fallback() + "`");
      }
    }
  }

  @Test
  void everyExitCodeIsInTheTable() throws IOException {
    var codes = Pattern.compile("static final int [A-Z_]+ = (\\d+);")
        .matcher(Files.readString(Script.ROOT.resolve("lib/Exit.java")))
        .results().map(match -> match.group(1)).toList();
    var table = Pattern.compile("(?m)^\\| (\\d+) \\|").matcher(section(MESSAGES, "## Exit codes", "## When it says"))
        .results().map(match -> match.group(1)).toList();

    assertThat(codes).hasSizeGreaterThan(8);
    assertThat(table).containsExactlyInAnyOrderElementsOf(Stream.concat(codes.stream(), Stream.of("130")).toList());
  }

  /** Each message by its parts that do not change. */
  @Test
  void everyMessageThatIsExplainedIsOneOfTheScripts() throws IOException {
    var scripts = source();
    var messages = Pattern.compile("(?m)^- `([^`]+)`").matcher(section(MESSAGES, "## When it says", null)).results()
        .map(match -> match.group(1)).toList();
    assertThat(messages).hasSizeGreaterThan(8);
    for (var message : messages) {
      var parts = parts(message);
      assertThat(parts).as("what tells %s from others", message).isNotEmpty();
      if (!message.endsWith("sudo: a password is required")) { // sudo's own
        assertThat(parts.stream().filter(part -> !scripts.contains(part)))
            .as("parts of %s that no script says", message).isEmpty();
      }
    }
  }

  /** The text of all scripts, with texts that are put together from several lines as one. */
  private static String source() throws IOException {
    var scripts = new StringBuilder();
    for (var script : ProjectTest.scripts()) {
      scripts.append(Files.readString(script).replaceAll("\"\\s*\\+\\s*\"", ""));
    }
    return scripts.toString();
  }

  /** The words between the …; a few letters, or a colon, would be found in any script. */
  private static List<String> parts(String text) {
    return Stream.of(text.split("exit …|exit <n>|…|<n>")).map(String::strip).filter(part -> part.length() >= 4)
        .toList();
  }

  @Test
  void everyLastLineInTheReadmeIsOneOfTheScripts() throws IOException {
    var scripts = source().replace("%d", "<n>").replace("%s", "<n>");
    var lines = Pattern.compile("`(=== [^`]+ ===)`").matcher(Files.readString(README)).results()
        .map(match -> match.group(1)).toList();

    assertThat(lines).hasSizeGreaterThan(1);
    assertThat(lines.stream().flatMap(line -> parts(line).stream()).filter(part -> !scripts.contains(part)))
        .as("parts that no script says").isEmpty();
  }

  /** Each line by its parts that do not change: between values, numbers with what they count, and names in a list. */
  @Test
  void everyOutputInTheRunbookIsOneOfTheScripts() throws IOException {
    var scripts = source();
    var values = "(about |after )?\\S*[\\d/…]\\S*( [a-zA-Z]+)?|(thehive|thp)(_global)?|\\[[= ]+]|[:,;.] |  +|[()]|==="
        + "|[✓✗-] |(Will|Would|elasticsearch) ";
    var outputs = Pattern.compile("(?s)```text\\n(.*?)```").matcher(section(README, "## The runbook", "## What it needs"))
        .results().flatMap(match -> match.group(1).lines()).filter(line -> !line.isBlank() && !line.strip().equals("…"))
        .toList();
    assertThat(outputs).hasSizeGreaterThan(20);
    for (var line : outputs) {
      var parts = Stream.of(line.split(values)).map(String::strip).filter(part -> part.length() >= 4).toList();
      assertThat(parts).as("what tells '%s' from others", line).anyMatch(part -> part.length() >= 6);
      assertThat(parts.stream().filter(part -> !scripts.contains(part)))
          .as("parts of '%s' that no script says", line).isEmpty();
    }
  }

  /** With --help behind it, a command line is read to its end, and a wrong option is an error. */
  @Test
  void everyCommandOfTheRunbookIsUnderstood() throws IOException {
    var commands = Pattern.compile("(?m)^\\./jbang (\\S+\\.java[^#\\n]*)")
        .matcher(section(README, "## The runbook", "## What it needs")).results()
        .map(match -> match.group(1).strip().split(" +")).toList();
    assertThat(commands).hasSizeGreaterThan(8);
    for (var command : commands) {
      var words = new ArrayList<>(List.of(command));
      var script = words.remove(0);
      words.add("--help");
      var result = Script.of(script).args(words.toArray(String[]::new)).run();
      assertThat(result.code()).as("%s %s: %s", script, words, result.err()).isZero();
      assertThat(result.out()).startsWith("Usage: ");
    }
  }

  /** Pasted as a whole, a block of two commands loses the second to a question of the first. */
  @Test
  void everyBlockOfTheRunbookIsOneCommand() throws IOException {
    var blocks = Pattern.compile("(?s)```bash\\n(.*?)```")
        .matcher(section(README, "## The runbook", "## What it needs")).results()
        .map(match -> match.group(1).strip()).toList();
    assertThat(blocks).hasSizeGreaterThan(8).allSatisfy(block -> assertThat(block.lines()).hasSize(1));
  }

  @Test
  void everyPageFitsAScreen() throws IOException {
    for (var page : pages()) {
      assertThat(Files.readAllLines(page)).as("%s", page).allSatisfy(line ->
          assertThat(line).hasSizeLessThanOrEqualTo(line.startsWith("|") ? 100 : 120));
    }
  }

  @Test
  void everyLinkLeadsToAFile() throws IOException {
    for (var page : pages()) {
      var links = Pattern.compile("\\]\\(([^):#]+)(#[^)]*)?\\)").matcher(Files.readString(page)).results()
          .map(match -> match.group(1)).toList();
      assertThat(links).as("%s", page).allSatisfy(link -> assertThat(page.resolveSibling(link)).exists());
    }
  }

  private static List<Path> pages() throws IOException {
    try (var docs = Files.list(Script.ROOT.resolve("docs"))) {
      return Stream.concat(Stream.of(README), docs.filter(file -> file.toString().endsWith(".md")))
          .collect(Collectors.toList());
    }
  }

  /** The text between two headings; to the end of the page where the second is null. */
  private static String section(Path page, String from, String to) throws IOException {
    var text = Files.readString(page);
    assertThat(text).contains(from);
    var rest = text.substring(text.indexOf(from));
    if (to == null) {
      return rest;
    }
    assertThat(rest).contains(to);
    return rest.substring(0, rest.indexOf(to));
  }
}
