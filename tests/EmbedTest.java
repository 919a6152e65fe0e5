import static java.nio.charset.StandardCharsets.UTF_8;
import static org.assertj.core.api.Assertions.assertThat;

import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.PrintStream;
import java.io.StringWriter;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Collection;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.TreeMap;
import java.util.TreeSet;
import java.util.stream.Collectors;
import java.util.stream.Stream;
import javax.tools.ToolProvider;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

/** lib/embed.java on a small project, and what it has written into the scripts of this one. */
class EmbedTest {
  private static final Map<String, String> CLASSPATHS = new HashMap<>();
  @TempDir private Path project;
  private String out;
  private String err;

  /** A script that uses Reader, which uses Failing; nothing uses Unused. */
  @BeforeEach
  void writeProject() throws IOException {
    Files.createDirectory(project.resolve("lib"));
    write("lib/Failing.java", """
        import java.io.IOException;

        /** Fails. */
        final class Failing extends IOException {}
        """);
    write("lib/Reader.java", """
        //DEPS org.example:reading:1.0 // reads

        import java.nio.file.Path;

        /** Reads. */
        record Reader(Path file) {
          Failing failing() {
            return new Failing();
          }
        }
        """);
    write("lib/Unused.java", """
        //DEPS org.example:unused:1.0
        //DEPS org.example:own:2.0

        /** Nobody uses {@link Reader} here. */
        enum Unused {}
        """);
    write("lib/embed.java", "class Embed {}\n");
    write("copy.java", """
        ///usr/bin/env jbang "$0" "$@" ; exit $?
        //JAVA 17+
        //DEPS org.example:own:2.0
        //COMPILE_OPTIONS -encoding UTF-8

        import java.util.List;
        import java.util.Map;

        /** Copies, as {@link Unused} does not. */
        class Copy {
          // Unused
          List<Reader> readers = List.of("Unused");
        }
        """);
    assertThat(embed()).as(err).isZero();
  }

  private void write(String file, String text) throws IOException {
    Files.writeString(project.resolve(file), text);
  }

  private String read(String file) throws IOException {
    return Files.readString(project.resolve(file));
  }

  private void change(String file, String before, String after) throws IOException {
    assertThat(read(file)).contains(before);
    write(file, read(file).replace(before, after));
  }

  private int embed(String... args) throws IOException {
    var stdout = new ByteArrayOutputStream();
    var stderr = new ByteArrayOutputStream();
    var code = Embed.run(project, List.of(args), new PrintStream(stdout, true, UTF_8),
        new PrintStream(stderr, true, UTF_8));
    out = stdout.toString(UTF_8);
    err = stderr.toString(UTF_8);
    return code;
  }

  @Test
  void writesTheClassesThatAreUsedWithTheirImportsAndLibrariesAndNoOthers() throws IOException {
    assertThat(read("copy.java")).isEqualTo("""
        ///usr/bin/env jbang "$0" "$@" ; exit $?
        //JAVA 17+
        //DEPS org.example:own:2.0
        %s
        //DEPS org.example:reading:1.0 // reads
        //COMPILE_OPTIONS -encoding UTF-8

        import java.io.IOException;
        import java.nio.file.Path;
        import java.util.List;

        /** Copies, as {@link Unused} does not. */
        class Copy {
          // Unused
          List<Reader> readers = List.of("Unused");
        }

        %s

        /** Fails. */
        final class Failing extends IOException {}

        /** Reads. */
        record Reader(Path file) {
          Failing failing() {
            return new Failing();
          }
        }
        """.formatted(Embed.LIBRARIES, Embed.MARKER));
  }

  @Test
  void changesNothingWhenItRunsAgain() throws IOException {
    var before = read("copy.java");
    assertThat(embed()).isZero();
    assertThat(out).isEmpty();
    assertThat(embed("--check")).isZero();
    assertThat(read("copy.java")).isEqualTo(before);
  }

  @Test
  void checkNamesScriptAndClassOfAChangeAndChangesNothing() throws IOException {
    change("lib/Failing.java", "Fails.", "Fails again.");
    var before = read("copy.java");
    assertThat(embed("--check")).isEqualTo(1);
    assertThat(err).startsWith("error: copy.java is not up to date: Failing\nhint: ");
    assertThat(read("copy.java")).isEqualTo(before);
    assertThat(embed()).isZero();
    assertThat(out).isEqualTo("Wrote copy.java\n");
    assertThat(read("copy.java")).contains("Fails again.").doesNotContain("Fails.");
  }

  @Test
  void checkSeesChangesByHandBelowTheMarkerAndInDirectives() throws IOException {
    var good = read("copy.java");
    for (var change : List.of(List.of("return new Failing();", "return null;", "Reader"),
        List.of(Embed.MARKER, Embed.MARKER + "\n// more", "below its marker"),
        List.of("import java.util.List;", "import java.util.List;\nimport java.util.Set;", "imports"),
        List.of(" // reads", "", "//DEPS"))) {
      write("copy.java", good);
      change("copy.java", change.get(0), change.get(1));
      assertThat(embed("--check")).as("%s", change).isEqualTo(1);
      assertThat(err).contains("copy.java", change.get(2));
      assertThat(embed()).isZero();
      assertThat(read("copy.java")).isEqualTo(good);
    }
  }

  @Test
  void whatIsNoLongerUsedGoes() throws IOException {
    change("copy.java", "List<Reader> readers", "List<String> texts");
    assertThat(embed()).isZero();
    assertThat(read("copy.java")).contains("//DEPS org.example:own:2.0\n//COMPILE", "import java.util.List;")
        .doesNotContain("reading", "Failing", "Path", Embed.MARKER, Embed.LIBRARIES);
  }

  @Test
  void aScriptsOwnLibraryStaysWhereAClassThatItDoesNotUseNamesIt() throws IOException {
    assertThat(read("lib/Unused.java")).contains("//DEPS org.example:own:2.0");
    assertThat(read("copy.java")).contains("//DEPS org.example:own:2.0");
  }

  @Test
  void aLibraryOfScriptAndClassIsNamedOnce() throws IOException {
    var own = "//DEPS org.example:own:2.0\n";
    change("copy.java", own, own + "//DEPS org.example:reading:1.0 // reads\n");
    assertThat(embed()).isZero();
    assertThat(read("copy.java")).containsOnlyOnce("org.example:reading");
  }

  @Test
  void twoVersionsOfALibraryAreAnError() throws IOException {
    change("lib/Failing.java", "import java.io", "//DEPS org.example:reading:1.1\n\nimport java.io");
    refuses("Reader has \"//DEPS org.example:reading:1.0 // reads\"", "\"//DEPS org.example:reading:1.1\"");
    change("lib/Failing.java", "//DEPS org.example:reading:1.1\n", "");
    change("copy.java", "//DEPS org.example:own:2.0", "//DEPS org.example:own:2.0\n//DEPS org.example:reading:1.1");
    refuses("copy has \"//DEPS org.example:reading:1.1\"", "1.0");
  }

  @Test
  void twoImportsOfOneSimpleNameAreAnError() throws IOException {
    change("lib/Failing.java", "import java.io.IOException;", "import java.io.IOException;\nimport java.awt.List;");
    change("lib/Failing.java", "{}", "{ List list; }");
    refuses("import java.util.List;", "import java.awt.List;");
  }

  @Test
  void twoTypesOfOneNameAreAnError() throws IOException {
    change("copy.java", "  // Unused", "  record Failing() {}");
    refuses("copy declares a type Failing of its own");
    change("copy.java", "  record Failing() {}", "  // Unused");
    change("lib/Failing.java", "{}", "{ enum Unused {} }");
    refuses("Failing declares a type Unused of its own");
  }

  private void refuses(String... words) throws IOException {
    var before = read("copy.java");
    assertThat(embed()).isEqualTo(1);
    assertThat(err).startsWith("error: ").contains(words).contains("\nhint: ");
    assertThat(read("copy.java")).isEqualTo(before);
  }

  @Test
  void anotherArgumentIsWrongUsage() throws IOException {
    assertThat(embed("--chek")).isEqualTo(2);
    assertThat(err).isEqualTo("error: unknown argument --chek\nhint: ./jbang lib/embed.java [--check]\n");
  }

  @Test
  void theScriptsOfThisProjectAreUpToDate() {
    var checked = Script.of("lib/embed.java").args("--check").in(Script.ROOT).run();
    assertThat(checked.code()).as(checked.err()).isZero();
  }

  static Stream<String> scripts() throws IOException {
    return ProjectTest.scripts().stream().map(script -> script.getFileName().toString());
  }

  @ParameterizedTest
  @MethodSource("scripts")
  void aScriptThatIsCopiedAloneRuns(String name) throws IOException {
    var alone = Files.createDirectory(project.resolve("alone"));
    var script = Files.copy(Script.ROOT.resolve(name), alone.resolve(name)).toString();
    var archives = Files.createDirectory(project.resolve("archives")).toString();

    var help = copied(script, archives).args("--help").run();
    assertThat(help.code()).as(help.err()).isZero();
    assertThat(help.out()).contains("Usage: ");

    var control = name.startsWith("service");
    var command = control ? "stop" : name.startsWith("verify") ? "archives" : "--yes";
    var refused = copied(script, archives).args(command).run();
    assertThat(refused.code()).as(refused.err()).isEqualTo(control ? 2 : 10);
    assertThat(refused.out() + refused.err()).contains(control ? "no;host" : archives).doesNotContain("Exception");
    assertThat(alone).isDirectoryContaining("glob:**/" + name).as("nothing written beside it");
  }

  private static Script copied(String script, String archives) {
    return Script.command(Script.ROOT.resolve("jbang").toString(), script).in(Path.of(script).getParent())
        .env("THEHIVE_NODES", script.endsWith("service-control.java") ? "no;host" : null)
        .env("CASSANDRA_CONNECTION", "127.0.0.1:1").env("CASSANDRA_GENERAL_ARCHIVE_PATH", archives)
        .env("ELASTICSEARCH_GENERAL_ARCHIVE_PATH", archives)
        .env("ATTACHMENT_FOLDER", archives).env("GENERAL_ARCHIVE_PATH", archives)
        .env("MINIO_ENDPOINT", "http://127.0.0.1:1").env("MINIO_ARCHIVE_PATH", archives)
        .env("MINIO_ACCESS_KEY", "a").env("MINIO_SECRET_KEY", "secret");
  }

  /** JBang compiles what //SOURCES name, and nothing else of lib/. */
  @Test
  void theSandboxNamesEveryClassThatItsSourcesUse() throws IOException {
    var sources = new TreeMap<Path, Embed.Source>();
    addSources(Script.ROOT.resolve("tests/sandbox.java"), sources);
    var classes = Embed.sources(Script.ROOT.resolve("lib"), "[A-Z].*").keySet();
    var named = sources.values().stream().map(Embed.Source::name).collect(Collectors.toSet());
    assertThat(named).contains("sandbox", "SiteBackup", "RestorePoints");
    sources.forEach((file, source) -> assertThat(source.words().stream().filter(classes::contains)
        .filter(word -> !named.contains(word) && !source.types().contains(word))).as("%s", file).isEmpty());
  }

  private static void addSources(Path file, Map<Path, Embed.Source> sources) throws IOException {
    var text = Files.readString(file);
    var source = Embed.Source.parse(file.getFileName().toString().replace(".java", ""), text);
    if (sources.put(file, source) == null) {
      for (var line : text.lines().filter(line -> line.startsWith("//SOURCES ")).toList()) {
        addSources(file.resolveSibling(line.substring("//SOURCES ".length())).normalize(), sources);
      }
    }
  }

  /** Classes that together need the same libraries. */
  static Collection<List<String>> classes() throws IOException {
    var all = Embed.sources(Script.ROOT.resolve("lib"), "[A-Z].*");
    return all.keySet().stream().collect(Collectors.groupingBy(name -> libraries(name, all))).values();
  }

  /** Those that a class names and those of the classes that it uses. */
  private static Set<String> libraries(String name, Map<String, Embed.Source> all) {
    return Stream.concat(Stream.of(all.get(name)), Embed.used(all.get(name), all).stream())
        .flatMap(source -> source.head().stream()).filter(line -> line.startsWith("//DEPS "))
        .collect(Collectors.toCollection(TreeSet::new));
  }

  /** As an editor would compile it: with these libraries and no others. */
  @ParameterizedTest
  @MethodSource("classes")
  void aClassCompilesByItself(List<String> names) throws IOException {
    var libraries = libraries(names.get(0), Embed.sources(Script.ROOT.resolve("lib"), "[A-Z].*"));
    var compiler = ToolProvider.getSystemJavaCompiler();
    var messages = new StringWriter();
    try (var files = compiler.getStandardFileManager(null, null, null)) {
      var options = List.of("-proc:none", "-implicit:none", "-encoding", "UTF-8", "-classpath", classpath(libraries),
          "-sourcepath", Script.ROOT.resolve("lib").toString(), "-d", project.toString());
      var sources = names.stream().map(name -> Script.ROOT.resolve("lib/" + name + ".java")).toList();
      var task = compiler.getTask(messages, files, null, options, null, files.getJavaFileObjectsFromPaths(sources));
      assertThat(task.call()).as("%s", messages).isTrue();
    }
  }

  /** JBang is asked once for each library with what it needs: asking takes longer than compiling. */
  private String classpath(Set<String> libraries) {
    return libraries.stream().map(library -> CLASSPATHS.computeIfAbsent(library, this::resolve))
        .collect(Collectors.joining(":"));
  }

  private String resolve(String library) {
    try {
      write("libraries.java", library + "\nclass libraries {}\n");
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
    var jbang = Script.ROOT.resolve("jbang").toString();
    var info = Script.command(jbang, "info", "classpath", project.resolve("libraries.java").toString()).run();
    assertThat(info.code()).as(info.err()).isZero();
    return info.out().strip();
  }
}
