import static java.nio.charset.StandardCharsets.US_ASCII;
import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.TreeMap;
import java.util.regex.MatchResult;
import java.util.regex.Pattern;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** What holds for every script of the project. */
class ProjectTest {
  private static final String FIRST_LINE = "///usr/bin/env jbang \"$0\" \"$@\" ; exit $?";

  @Test
  void everyScriptRunsByItself() throws IOException {
    for (var script : runnable()) {
      assertThat(Files.readAllLines(script)).as("%s", script).first().isEqualTo(FIRST_LINE);
      assertThat(script).isExecutable();
    }
  }

  @Test
  void everyScriptSaysWhatItIsAndWhichJavaItNeeds() throws IOException {
    for (var script : runnable()) {
      var lines = Files.readAllLines(script);
      assertThat(lines).as("%s", script).anyMatch(line -> line.matches("//DESCRIPTION \\S.*"));
      assertThat(lines).as("%s", script).contains("//JAVA 17+");
    }
  }

  @Test
  void everyDependencyIsOneLineWithAnExactVersion() throws IOException {
    var library = "[\\w.-]+:[\\w.-]+:";
    var version = "\\d[\\w.-]*";
    // Or a property with such a default: other versions of a server are tried by it.
    var exact = Pattern.compile(
        "//DEPS (%1$s(%2$s|[$][{]\\w+:%2$s[}])(:[\\w.-]+)?(@pom)?|[$][{]\\w+:%1$s%2$s[}])( // .+)?".formatted(library,
            version));
    for (var script : allSources()) {
      assertThat(Files.readAllLines(script).stream().filter(line -> line.startsWith("//DEPS")).toList())
          .as("%s", script).allSatisfy(line -> assertThat(line.strip()).matches(exact));
    }
  }

  @Test
  void everyScriptWithMoreThanAsciiNamesItsEncoding() throws IOException {
    for (var script : runnable()) {
      var text = Files.readString(script);
      if (!US_ASCII.newEncoder().canEncode(text)) {
        assertThat(text.lines().filter(line -> line.startsWith("//")))
            .as("%s, which javac 17 refuses without a locale", script)
            .contains("//COMPILE_OPTIONS -encoding UTF-8");
      }
    }
  }

  @Test
  void everyScriptHasAnAliasAndEveryAliasAScript() throws IOException {
    var catalog = Files.readString(Script.ROOT.resolve("jbang-catalog.json"));
    var aliases = Pattern.compile("\"script-ref\"\\s*:\\s*\"([^\"]+)\"").matcher(catalog).results()
        .map((MatchResult match) -> Script.ROOT.resolve(match.group(1))).toList();

    assertThat(aliases).containsExactlyInAnyOrderElementsOf(scripts());
  }

  /** As a download of a commit from a Git server does. */
  @Test
  void anArchiveMadeByGitTellsItsCommit(@TempDir Path temp) throws IOException {
    var sources = Files.createDirectories(temp.resolve("sources/lib"));
    for (var name : List.of(".gitattributes", "verify.java", "lib/Release.java")) {
      Files.copy(Script.ROOT.resolve(name), sources.resolveSibling(name));
    }
    var made = Script.command("/bin/sh", "-c", """
        cd sources && git init -q && git add -A && git -c user.name=a -c user.email=a@b commit -qm a &&
        git rev-parse --short HEAD && git archive HEAD verify.java | tar xf - -C ..
        """).in(temp).env("HOME", temp.toString()).run();

    assertThat(made.code()).as(made.err()).isZero();
    assertThat(Files.readString(temp.resolve("verify.java")))
        .containsPattern("COMMIT = \"%s of \\d{4}-\\d\\d-\\d\\d\"".formatted(made.out().strip()));
    assertThat(Release.text("verify.java", made.out().strip() + " of 2026-11-22"))
        .isEqualTo("verify.java %s (commit %s of 2026-11-22)", Release.VERSION, made.out().strip());
  }

  @Test
  void jbangReadsTheCatalog() throws IOException {
    var listed = Script.command(Script.ROOT.resolve("jbang").toString(), "alias", "list", "-f",
        Script.ROOT.resolve("jbang-catalog.json").toString()).run();

    assertThat(listed.code()).as(listed.err()).isZero();
    assertThat(listed.out()).contains(scripts().stream()
        .map(script -> script.getFileName().toString().replace(".java", "")).toList());
  }

  @Test
  void everyClassWhoseMinutesAreNamedIsThere() throws IOException {
    assertThat(Files.readAllLines(Script.ROOT.resolve("tests/minutes")).stream()
        .filter(line -> !line.startsWith("#"))).isNotEmpty().allSatisfy(line -> {
          assertThat(line).matches("\\w+Test \\d+");
          assertThat(Script.ROOT.resolve("tests").resolve(line.replaceFirst(" .*", ".java"))).exists();
        });
  }

  @Test
  void everyScriptAnswersAsJsonWhereTheUsageIsWrongToo() throws IOException {
    for (var script : scripts()) {
      var result = Script.of(script.getFileName().toString()).args("--json", "--nosuch").run();
      var json = Json.MAPPER.readTree(result.out());
      assertThat(result.code()).as("%s: %s", script, result.err()).isEqualTo(2);
      assertThat(json.path("script").asText() + ".java").isEqualTo(script.getFileName().toString());
      assertThat(json.path("exit").asInt()).isEqualTo(2);
      assertThat(json.path("error").asText()).contains("--nosuch");
    }
  }

  @Test
  void everyHelpFitsOneScreen() throws IOException {
    var everything = new TreeMap<String, String>();
    Pattern.compile("(?m)^#?([A-Z_]+)=").matcher(Files.readString(Script.ROOT.resolve("restore.env.example"))).results()
        .forEach(variable -> everything.put(variable.group(1), "/a/value/of/thirty/characters"));
    everything.remove("THEHIVE_CONFIG");
    assertThat(everything).hasSizeGreaterThan(20);
    var half = new TreeMap<>(everything);
    half.keySet().removeIf(name -> name.hashCode() % 2 == 0);
    for (var settings : List.of(Map.<String, String>of(), half, everything)) {
      assertThat(helps(settings).values()).allSatisfy(help -> assertThat(help.lines()).hasSizeLessThanOrEqualTo(40)
          .allSatisfy(line -> assertThat(line).hasSizeLessThanOrEqualTo(80)));
    }
    for (var help : helps(Map.of()).values()) {
      assertThat(help).contains("--verbose", "--help", "--version", "Exit codes: 0 ", "Usage: ./jbang ",
          "Example: ./jbang ");
    }
  }

  /** Of what is written by hand: imports and what embed.java writes do not count. */
  @Test
  void scriptsAndClassesStaySmall() throws IOException {
    for (var script : scripts()) {
      assertThat(byHand(script)).as("%s", script).hasSizeLessThanOrEqualTo(600);
    }
    try (var classes = Files.list(Script.ROOT.resolve("lib"))) {
      for (var file : classes.filter(path -> path.toString().endsWith(".java")).toList()) {
        assertThat(Files.readAllLines(file)).as("%s", file).hasSizeLessThanOrEqualTo(360);
      }
    }
  }

  @Test
  void noLineOfAScriptOrAClassIsLongerThan120Characters() throws IOException {
    for (var file : librariesAndScripts()) {
      assertThat(byHand(file)).allSatisfy(line -> assertThat(line).as("%s", file).hasSizeLessThanOrEqualTo(120));
    }
  }

  @Test
  void aDocCommentBeginsWithAVerbOrANoun() throws IOException {
    var question = Pattern.compile("/\\*\\*\\s+(\\* )?(What|Where|Whether|Of|As)\\b.*");
    for (var file : librariesAndScripts()) {
      assertThat(question.matcher(String.join("\n", byHand(file))).results().map(MatchResult::group))
          .as("%s", file).isEmpty();
    }
  }

  private static List<Path> librariesAndScripts() throws IOException {
    try (var classes = Files.list(Script.ROOT.resolve("lib"))) {
      return Stream.concat(classes.filter(path -> path.toString().endsWith(".java")), scripts().stream()).toList();
    }
  }

  private static List<String> byHand(Path file) throws IOException {
    return Files.readAllLines(file).stream().takeWhile(line -> !line.startsWith("// ---- Below: copies of lib"))
        .filter(line -> !line.startsWith("import ") && !line.startsWith("//DEPS")).toList();
  }

  /** Whoever knows one script finds his way in the next. */
  @Test
  void optionsOfSeveralScriptsHaveTheSameWordsInTheSameOrder() throws IOException {
    var ofTheirOwn = Set.of("--archives", "--backup", "--in-place", "--only"); // in each script of something else
    var helps = helps(Map.of());
    helps.remove("service-control.java");
    for (var one : helps.entrySet()) {
      for (var other : helps.entrySet()) {
        var options = options(one.getValue());
        var others = options(other.getValue());
        options.keySet().removeAll(ofTheirOwn);
        options.keySet().retainAll(others.keySet());
        others.keySet().retainAll(options.keySet());
        assertThat(List.copyOf(options.keySet())).as("order in %s and %s", one.getKey(), other.getKey())
            .isEqualTo(List.copyOf(others.keySet()));
        assertThat(options).as("words in %s and %s", one.getKey(), other.getKey()).hasSizeGreaterThan(3)
            .allSatisfy((name, words) ->
            assertThat(words).as(name).isEqualTo(others.get(name)));
      }
    }
  }

  private static Map<String, String> helps(Map<String, String> settings) throws IOException {
    var helps = new TreeMap<String, String>();
    for (var script : scripts()) {
      var help = Script.of(script.getFileName().toString()).args("--help").env(settings).run();
      assertThat(help.code()).as(help.err()).isZero();
      helps.put(script.getFileName().toString(), help.out());
    }
    return helps;
  }

  /** Each option's words in the order of the help. */
  private static Map<String, String> options(String help) {
    var options = new LinkedHashMap<String, String>();
    Pattern.compile("(?m)^  (?:-\\w,|   ) (--[\\w-]+)\\S*\\s+(.*(?:\\n {20,}.*)*)").matcher(help).results()
        .forEach(option -> options.put(option.group(1), option.group(2).replaceAll("\\s+", " ")));
    return options;
  }

  /** The product: the scripts at the top. */
  static List<Path> scripts() throws IOException {
    var scripts = javaFiles(Script.ROOT).toList();
    assertThat(scripts).as("scripts in %s", Script.ROOT).isNotEmpty();
    return scripts;
  }

  /** What is in the parentheses of a pattern, where a file has it first. */
  static String found(String pattern, Path file) {
    try {
      return Pattern.compile(pattern).matcher(Files.readString(file)).results().findFirst().orElseThrow().group(1);
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }

  /** The product and the scripts of the tests; by its name in lower case a file is known to be one. */
  static List<Path> runnable() throws IOException {
    return allSources().stream().filter(file -> file.getFileName().toString().matches("[a-z][\\w-]*[.]java")).toList();
  }

  private static List<Path> allSources() throws IOException {
    var sources = new ArrayList<>(scripts());
    for (var folder : List.of("lib", "tests")) {
      try (var files = Files.walk(Script.ROOT.resolve(folder))) {
        files.filter(file -> file.toString().endsWith(".java")).sorted().forEach(sources::add);
      }
    }
    return sources;
  }

  private static Stream<Path> javaFiles(Path folder) throws IOException {
    try (var files = Files.list(folder)) {
      return files.filter(file -> file.toString().endsWith(".java")).sorted().toList().stream();
    }
  }
}
