///usr/bin/env jbang "$0" "$@" ; exit $?
//DESCRIPTION Writes into each script the classes of lib/ that it uses
//JAVA 17+
//COMPILE_OPTIONS -encoding UTF-8
//SOURCES Exit.java
//SOURCES Failure.java

import java.io.IOException;
import java.io.PrintStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayDeque;
import java.util.Collection;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.TreeMap;
import java.util.TreeSet;
import java.util.regex.Pattern;
import java.util.stream.Collectors;
import java.util.stream.Stream;

/**
 * Writes below the marker of each script the classes of {@code lib/} that it uses, and theirs, and above it the imports
 * and {@code //DEPS} that they need. With {@code --check} it changes nothing and exits with 1 if a script is not up to
 * date.
 *
 * <pre>./jbang lib/embed.java</pre>
 */
class Embed {
  static final String MARKER =
      "// ---- Below: copies of lib/*.java, written by ./jbang lib/embed.java. Change those files, not these lines."
          + " ----";
  static final String LIBRARIES = "// Of the classes below the marker, written by ./jbang lib/embed.java:";
  private static final Pattern NOT_CODE = Pattern.compile(
      "(?s)\"\"\".*?\"\"\"|\"(?:[^\"\\\\\n]|\\\\.)*\"|'(?:[^'\\\\\n]|\\\\.)*'|//[^\n]*|/\\*.*?\\*/");
  private static final Pattern WORD = Pattern.compile("(?<![\\w.])[A-Za-z_]\\w*|(?<=\\.\\.\\.)[A-Za-z_]\\w*");
  private static final Pattern TYPE = Pattern.compile("\\b(?:class|record|interface|enum)\\s+(\\w+)");

  /** A Java file in three pieces: directives and comments, imports, and everything from the first other line on. */
  record Source(String name, List<String> head, List<String> imports, String body) {
    /** Without what an earlier run wrote. */
    static Source parse(String name, String text) {
      var own = text.replaceFirst("(?ms)^\\Q" + MARKER + "\\E$.*", "")
          .replaceFirst("(?m)^\\Q" + LIBRARIES + "\\E\n(//DEPS .*\n)*", "");
      var first = own.lines().takeWhile(line -> line.isBlank() || line.matches("(//|import ).*")).toList();
      return new Source(name, first.stream().filter(line -> !line.startsWith("import ")).toList(),
          first.stream().filter(line -> line.startsWith("import ")).toList(),
          own.lines().skip(first.size()).collect(Collectors.joining("\n")).strip() + "\n");
    }

    /** The words of the code, without those in comments and texts; of {@code a.b.C} only {@code a}. */
    Set<String> words() {
      return WORD.matcher(NOT_CODE.matcher(body).replaceAll(" ")).results().map(word -> word.group())
          .collect(Collectors.toSet());
    }

    List<String> types() {
      return TYPE.matcher(NOT_CODE.matcher(body).replaceAll(" ")).results().map(type -> type.group(1)).toList();
    }
  }

  public static void main(String... args) throws IOException {
    System.exit(run(Path.of("").toAbsolutePath(), List.of(args), System.out, System.err));
  }

  static int run(Path root, List<String> args, PrintStream out, PrintStream err) throws IOException {
    try {
      var check = args.equals(List.of("--check"));
      if (!args.isEmpty() && !check) {
        throw new Failure(Exit.USAGE, "unknown argument " + String.join(" ", args), "./jbang lib/embed.java [--check]");
      }
      var stale = false;
      var classes = sources(root.resolve("lib"), "[A-Z].*");
      for (var script : sources(root, ".*").values()) {
        var file = root.resolve(script.name() + ".java");
        var used = used(script, classes);
        var before = Files.readString(file);
        var after = embedded(script, used);
        if (!before.equals(after) && check) {
          var changed =
              used.stream().filter(source -> !before.contains("\n" + source.body())).map(Source::name).toList();
          err.printf("error: %s.java is not up to date: %s%n", script.name(),
              changed.isEmpty() ? "its imports, //DEPS, or what is below its marker" : String.join(", ", changed));
        } else if (!before.equals(after)) {
          Files.writeString(file, after);
          out.printf("Wrote %s.java%n", script.name());
        }
        stale |= !before.equals(after);
      }
      if (stale && check) {
        err.println("hint: change the classes in lib/, not their copies, then run ./jbang lib/embed.java");
      }
      return stale && check ? 1 : 0;
    } catch (Failure e) {
      err.printf("error: %s%nhint: %s%n", e.getMessage(), e.hint);
      return e.code;
    }
  }

  /** The Java files of a folder by their names. */
  static Map<String, Source> sources(Path folder, String names) throws IOException {
    var sources = new TreeMap<String, Source>();
    try (var files = Files.newDirectoryStream(folder, "*.java")) {
      for (var file : files) {
        var name = file.getFileName().toString().replace(".java", "");
        if (name.matches(names)) {
          sources.put(name, Source.parse(name, Files.readString(file)));
        }
      }
    }
    return sources;
  }

  /** The classes that a source uses, and those that they use, in the order of their names. */
  static Collection<Source> used(Source source, Map<String, Source> classes) {
    var used = new TreeMap<String, Source>();
    var open = new ArrayDeque<>(List.of(source));
    while (!open.isEmpty()) {
      var next = open.pop();
      next.types().stream().filter(type -> classes.containsKey(type) && classes.get(type) != next).findFirst()
          .ifPresent(type -> {
            throw new Failure(1,
                "%s declares a type %s of its own, which is also a class of lib/".formatted(next.name(), type),
            "give it another name: they stand in one file");
      });
      next.words().stream().filter(classes::containsKey)
          .filter(word -> used.putIfAbsent(word, classes.get(word)) == null)
          .forEach(word -> open.push(classes.get(word)));
    }
    used.values().remove(source);
    return used.values();
  }

  /** The script's text as it should be. */
  static String embedded(Source script, Collection<Source> used) {
    var sources = Stream.concat(Stream.of(script), used.stream()).toList();
    var text = String.join("\n", head(script, used)).strip() + "\n\n" + String.join("\n", imports(sources)) + "\n\n"
        + script.body();
    return used.isEmpty() ? text
        : text + "\n" + MARKER + "\n\n" + used.stream().map(Source::body).collect(Collectors.joining("\n"));
  }

  /**
   * The script's directives. Of its {@code //DEPS} come first those that no class names, below a comment those of the
   * classes.
   */
  private static List<String> head(Source script, Collection<Source> used) {
    var libraries = new TreeMap<String, String>();
    used.forEach(source -> libraries(source).forEach(line -> put(libraries, library(line), line, source)));
    var ofClasses = Set.copyOf(libraries.values());
    libraries(script).forEach(line -> put(libraries, library(line), line, script));
    var head = script.head().stream().filter(line -> !ofClasses.contains(line)).collect(Collectors.toList());
    if (!ofClasses.isEmpty()) {
      var options = (int) head.stream().takeWhile(line -> !line.matches("//\\w+_OPTIONS .*")).count();
      head.add(options, LIBRARIES);
      head.addAll(options + 1, libraries.values().stream().filter(ofClasses::contains).toList());
    }
    return head;
  }

  private static List<String> libraries(Source source) {
    return source.head().stream().filter(line -> line.startsWith("//DEPS ")).toList();
  }

  private static String library(String line) {
    return line.replaceFirst("(//DEPS [^:]+:[^:]+):.*", "$1");
  }

  /** Each import of which the simple name is used. */
  private static Set<String> imports(List<Source> sources) {
    var words = sources.stream().flatMap(source -> source.words().stream()).collect(Collectors.toSet());
    var imports = new TreeMap<String, String>();
    for (var source : sources) {
      for (var line : source.imports()) {
        var name = line.replaceFirst(".*\\.(\\w+);", "$1");
        if (words.contains(name)) {
          put(imports, name, line, source);
        }
      }
    }
    return new TreeSet<>(imports.values());
  }

  private static void put(Map<String, String> lines, String key, String line, Source source) {
    var other = lines.putIfAbsent(key, line);
    if (other != null && !other.equals(line)) {
      throw new Failure(1,
          "%s has \"%s\", another class of the same script \"%s\"".formatted(source.name(), line, other),
          line.startsWith("import") ? "write one of the names in full where it is used"
              : "write the same version and reason in both");
    }
  }
}
