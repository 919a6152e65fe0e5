import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.nio.file.Files;
import java.util.ArrayList;
import java.util.List;
import java.util.Set;
import java.util.TreeMap;
import java.util.TreeSet;
import java.util.regex.Pattern;
import java.util.stream.Collectors;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;

/** What the README says is what the scripts do. */
class ReadmeTest {
  /** Variables of others, read where they are, and what is written where a name stands for many. */
  private static final Set<String> OTHERS = Set.of("NO_COLOR", "TERM", "HOME", "MC_CONFIG_DIR", "MC_HOST_");

  @Test
  void everySettingIsInTheReadmeAndInTheExample() throws IOException {
    var settings = settings();
    var table = section("## Settings", "A variable that is set but blank");
    var example = Files.readString(Script.ROOT.resolve("restore.env.example"));

    var inTable = words(table.replaceAll("or `…_KEY_FILE`", "or `MINIO_SECRET_KEY_FILE`"));
    assertThat(inTable).as("settings in the README").containsAll(settings);
    assertThat(words(example)).as("settings in restore.env.example").containsAll(settings.stream().filter(name -> !isSecret(name)).toList());
    assertThat(Stream.of(example.split("\n")).filter(line -> line.matches("#?[A-Z_]+=.*")).map(line -> line.replaceAll("#|=.*", "")))
        .as("settings that a script reads").allSatisfy(name -> assertThat(name.endsWith("_FILE") ? name.replace("_FILE", "") : name).isIn(settings));
  }

  /** A secret belongs in a file: the example shows only that. */
  private static boolean isSecret(String name) {
    return name.matches(".*(PASSWORD|API_KEY|SECRET_KEY)");
  }

  @Test
  void everyDefaultIsTheOneOfTheScripts() throws IOException {
    var defaults = new TreeMap<String, String>();
    for (var script : ProjectTest.scripts()) {
      Pattern.compile("\\$\\{env:([A-Z_]+):-([^}]*)}").matcher(Files.readString(script)).results().forEach(match -> {
        var other = defaults.put(match.group(1), match.group(2));
        assertThat(other).as("default of %s in another script", match.group(1)).isIn(null, match.group(2));
      });
    }
    var rows = Pattern.compile("(?m)^\\| `([A-Z_]+)` \\| `([^`]+)` \\|").matcher(section("## Settings", "A variable that is set but blank"));
    var documented = rows.results().collect(Collectors.toMap(row -> row.group(1), row -> row.group(2)));

    assertThat(defaults).hasSizeGreaterThan(8);
    assertThat(documented).containsAllEntriesOf(defaults);
  }

  @Test
  void everyExitCodeOfTheScriptsIsInTheTable() throws IOException {
    var failure = Files.readString(Script.ROOT.resolve("verify.java")).split("// --- (end )?shared: Failure")[1];
    var codes = Pattern.compile("static final int [A-Z_]+ = (\\d+);").matcher(failure)
        .results().map(match -> match.group(1)).toList();
    var table = Pattern.compile("(?m)^\\| (\\d+) \\|").matcher(section("## Exit codes", "## How it was tested"))
        .results().map(match -> match.group(1)).toList();

    assertThat(codes).hasSizeGreaterThan(8);
    assertThat(table).containsExactlyInAnyOrderElementsOf(Stream.concat(codes.stream(), Stream.of("130")).toList());
  }

  /** Each of them by its parts that do not change. */
  @Test
  void everyMessageItExplainsIsOneOfTheScripts() throws IOException {
    var scripts = new StringBuilder();
    for (var script : ProjectTest.scripts()) {
      scripts.append(Files.readString(script).replaceAll("\"\\s*\\+\\s*\"", ""));
    }
    var messages = Pattern.compile("(?m)^\\| `([^`]+)`").matcher(section("## When it says", "**No network on the host**")).results()
        .map(match -> match.group(1)).toList();
    assertThat(messages).hasSizeGreaterThan(8);
    for (var message : messages) {
      var parts = parts(message);
      assertThat(parts).as("what tells %s from others", message).isNotEmpty();
      if (!message.endsWith("sudo: a password is required")) { // sudo's own
        assertThat(parts).as(message).allSatisfy(part -> assertThat(scripts).contains(part));
      }
    }
  }

  /** What is written between the …; a few letters, or a colon, would be found in any script. */
  private static List<String> parts(String text) {
    return Stream.of(text.split("…")).map(String::strip).filter(part -> part.length() >= 4).toList();
  }

  @Test
  void everyLineThatAStepEndsWithIsOneOfTheScripts() throws IOException {
    var rows = section("| stage of the documentation |", "Whatever goes wrong").split("\n");
    var found = 0;
    for (var row : rows) {
      var cells = row.split("\\|");
      var script = Pattern.compile("`([a-z-]+\\.java)").matcher(row).results().map(match -> match.group(1)).findFirst();
      if (script.isPresent()) {
        var text = Files.readString(Script.ROOT.resolve(script.get()));
        var lines = Pattern.compile("`([^`]+)`").matcher(cells[5]).results().map(match -> match.group(1).replace("=== ✓ Restored", "=== ✓")).toList();
        var parts = lines.stream().flatMap(line -> parts(line).stream()).toList();
        // Where there is nothing but a ✓ or a ✗, it is a text of its own.
        var held = parts.isEmpty() ? lines.stream().map(sign -> '"' + sign + '"').toList() : parts;
        assertThat(held).as(row).isNotEmpty().allSatisfy(part -> assertThat(text.replaceFirst("(?s)^.*?\nclass ", "")).contains(part));
        found++;
      }
    }
    assertThat(found).as("scripts with such a line").isGreaterThan(6);
  }

  /** With --help behind it, a command line is read to its end, and a wrong option is an error. */
  @Test
  void everyCommandOfTheRunbookIsUnderstood() throws IOException {
    var commands = Pattern.compile("(?m)^\\./jbang (\\S+\\.java[^#\\n]*)").matcher(section("## The runbook", "## Settings")).results()
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

  /** The names in the scripts' own text: what is asked of the environment, and where options take their defaults. */
  private static Set<String> settings() throws IOException {
    var asked = Pattern.compile("\\$\\{env:([A-Z_]+)|(?:variable|secret|secretOrPrompt|getenv)\\(\"([A-Z_]+)\"");
    var settings = new TreeSet<String>();
    for (var script : ProjectTest.scripts()) {
      asked.matcher(Files.readString(script)).results().map(match -> match.group(1) != null ? match.group(1) : match.group(2)).forEach(settings::add);
    }
    settings.removeAll(OTHERS);
    assertThat(settings).contains("CASSANDRA_CONNECTION", "MINIO_SECRET_KEY", "THEHIVE_NODES");
    return settings;
  }

  private static Set<String> words(String text) {
    return Pattern.compile("[A-Z][A-Z_]{4,}").matcher(text).results().map(match -> match.group()).collect(Collectors.toSet());
  }

  private static String section(String from, String to) throws IOException {
    var readme = Files.readString(Script.ROOT.resolve("README.md"));
    assertThat(readme).contains(from, to);
    return readme.substring(readme.indexOf(from), readme.indexOf(to));
  }
}
