///usr/bin/env jbang "$0" "$@" ; exit $?
//DESCRIPTION Writes into each script the classes of lib/ that it uses
//JAVA 17+
//COMPILE_OPTIONS -encoding UTF-8

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.TreeMap;
import java.util.TreeSet;
import java.util.function.Predicate;
import java.util.regex.Pattern;
import java.util.stream.Collectors;
import java.util.stream.Stream;

/**
 * Writes below the marker of each script the classes of {@code lib/} that it uses, and theirs. Keeps the script's imports
 * and {@code //DEPS} to what script and classes use. With {@code --check} it changes nothing and exits with 1 if a script
 * is not up to date.
 *
 * <pre>./jbang lib/embed.java</pre>
 */
class Embed {
  static final String MARKER =
      "// ---- Below: copies of lib/*.java, written by ./jbang lib/embed.java. Change those files, not these lines. ----";
  private static final Pattern NOT_CODE = Pattern.compile(
      "(?s)\"\"\".*?\"\"\"|\"(?:[^\"\\\\\n]|\\\\.)*\"|'(?:[^'\\\\\n]|\\\\.)*'|//[^\n]*|/\\*.*?\\*/");
  private static final Pattern WORD = Pattern.compile("(?<![\\w.])[A-Za-z_]\\w*|(?<=\\.\\.\\.)[A-Za-z_]\\w*");
  private static final Pattern TYPE = Pattern.compile("\\b(?:class|record|interface|enum)\\s+(\\w+)");

  /** A Java file in three pieces: directives and comments, imports, and everything from the first other line on. */
  record Source(String name, List<String> head, Set<String> imports, String body) {
    static Source parse(String name, String text) {
      var head = new ArrayList<String>();
      var imports = new TreeSet<String>();
      var lines = text.lines().toList();
      var at = 0;
      for (; at < lines.size() && (lines.get(at).isBlank() || lines.get(at).matches("(//|import ).*")); at++) {
        if (lines.get(at).startsWith("import ")) {
          imports.add(lines.get(at));
        } else {
          head.add(lines.get(at));
        }
      }
      return new Source(name, head, imports, String.join("\n", lines.subList(at, lines.size())).strip() + "\n");
    }

    /** The libraries by group and artifact, each with its whole line. */
    Map<String, String> libraries() {
      var libraries = new TreeMap<String, String>();
      head.stream().filter(line -> line.startsWith("//DEPS ")).forEach(line -> libraries.put(library(line), line));
      return libraries;
    }

    /** The words of the code, without those in comments and texts; of {@code a.b.C} only {@code a}. */
    Set<String> words() {
      return WORD.matcher(NOT_CODE.matcher(body).replaceAll(" ")).results().map(word -> word.group())
          .collect(Collectors.toCollection(TreeSet::new));
    }
  }

  private static String library(String line) {
    return line.replaceFirst("//DEPS ([^:]+:[^:]+):.*", "$1");
  }

  public static void main(String... args) throws IOException {
    var check = List.of(args).equals(List.of("--check"));
    if (args.length > 0 && !check) {
      System.err.println("error: unknown argument " + String.join(" ", args));
      System.err.println("hint: ./jbang lib/embed.java [--check]");
      System.exit(2);
    }
    var root = Path.of("").toAbsolutePath();
    var classes = classes(root.resolve("lib"));
    var stale = new ArrayList<Path>();
    for (var script : files(root, file -> !file.equals("Embed.java"))) {
      var text = Files.readString(script);
      var wanted = embedded(script.getFileName().toString(), text, classes);
      if (text.equals(wanted)) {
        continue;
      }
      stale.add(script);
      if (check) {
        differences(script, text, wanted).forEach(System.err::println);
      } else {
        Files.writeString(script, wanted);
        System.out.println("Wrote " + script.getFileName());
      }
    }
    if (check && !stale.isEmpty()) {
      System.err.println("hint: change the classes in lib/, then run ./jbang lib/embed.java");
      System.exit(1);
    }
  }

  /** Every class of the folder by its name, which is that of its file. */
  static Map<String, Source> classes(Path folder) throws IOException {
    var classes = new TreeMap<String, Source>();
    for (var file : files(folder, name -> !name.equals("embed.java"))) {
      var name = file.getFileName().toString().replace(".java", "");
      classes.put(name, Source.parse(name, Files.readString(file)));
    }
    return classes;
  }

  private static List<Path> files(Path folder, Predicate<String> wanted) throws IOException {
    try (var files = Files.list(folder)) {
      return files.filter(file -> file.toString().endsWith(".java") && wanted.test(file.getFileName().toString())).sorted().toList();
    }
  }

  /** The script's text as it should be. */
  static String embedded(String name, String text, Map<String, Source> classes) {
    var script = Source.parse(name, text.split("(?m)^" + Pattern.quote(MARKER) + "$", 2)[0]);
    TYPE.matcher(NOT_CODE.matcher(script.body()).replaceAll(" ")).results().map(type -> type.group(1)).filter(classes::containsKey)
        .findFirst().ifPresent(type -> {
          throw new IllegalStateException("%s declares a type %s of its own, which is also lib/%s.java".formatted(name, type, type));
        });
    var used = used(script, classes);
    var sources = Stream.concat(Stream.of(script), used.values().stream()).toList();
    var result = new StringBuilder(String.join("\n", head(script, used, classes)).strip()).append("\n\n");
    imports(name, sources).forEach(line -> result.append(line).append('\n'));
    result.append('\n').append(script.body());
    if (!used.isEmpty()) {
      result.append('\n').append(MARKER).append('\n');
    }
    used.values().forEach(source -> result.append('\n').append(source.body()));
    return result.toString();
  }

  /** The classes that a script uses, and those that they use. */
  private static Map<String, Source> used(Source script, Map<String, Source> classes) {
    var used = new TreeMap<String, Source>();
    var open = new ArrayDeque<>(List.of(script));
    while (!open.isEmpty()) {
      for (var word : open.pop().words()) {
        var source = classes.get(word);
        if (source != null && used.putIfAbsent(word, source) == null) {
          open.push(source);
        }
      }
    }
    return used;
  }

  /** The script's directives; its {@code //DEPS} are its own and those of the classes, each library once. */
  private static List<String> head(Source script, Map<String, Source> used, Map<String, Source> classes) {
    var wanted = new TreeMap<String, String>();
    var ofClasses = new TreeSet<String>();
    classes.values().forEach(source -> ofClasses.addAll(source.libraries().keySet()));
    Stream.concat(Stream.of(script), used.values().stream()).forEach(source -> source.libraries().forEach((library, line) -> {
      var mine = source == script && ofClasses.contains(library); // from an earlier run: the classes say what is needed now
      var other = mine ? line : wanted.putIfAbsent(library, line);
      if (other != null && !other.equals(line)) {
        throw new IllegalStateException("lib/%s.java wants %s, another class %s".formatted(source.name(), line, other));
      }
    }));
    var head = new ArrayList<>(script.head());
    var at = (int) head.stream().takeWhile(line -> !line.startsWith("//DEPS ")).count();
    head.removeIf(line -> line.startsWith("//DEPS "));
    var java = (int) head.stream().takeWhile(line -> !line.startsWith("//JAVA ")).count() + 1;
    head.addAll(Math.min(Math.min(at, java), head.size()), wanted.values());
    return head;
  }

  private static Set<String> imports(String script, List<Source> sources) {
    var words = sources.stream().flatMap(source -> source.words().stream()).collect(Collectors.toSet());
    var byName = new TreeMap<String, String>();
    for (var source : sources) {
      for (var line : source.imports()) {
        var simple = line.replaceFirst(".*\\.(\\w+);", "$1");
        var other = words.contains(simple) ? byName.putIfAbsent(simple, line) : line;
        if (!line.equals(other) && other != null) {
          throw new IllegalStateException("%s: %s and %s (%s) cannot stand in one file: write one of the names in full".formatted(
              script, other, line, source.name()));
        }
      }
    }
    return new TreeSet<>(byName.values());
  }

  /** What is not up to date, in a line for each class, or for the part above the marker. */
  private static List<String> differences(Path script, String text, String wanted) {
    var now = sections(text);
    var then = sections(wanted);
    return Stream.concat(now.keySet().stream(), then.keySet().stream()).distinct().sorted()
        .filter(name -> !now.getOrDefault(name, "").equals(then.getOrDefault(name, "")))
        .map(name -> "%s: %s is not up to date".formatted(script.getFileName(), name)).toList();
  }

  private static Map<String, String> sections(String text) {
    var sections = new TreeMap<String, String>();
    var halves = text.split("(?m)^" + Pattern.quote(MARKER) + "$", 2);
    sections.put("its imports and //DEPS", halves[0]);
    if (halves.length == 2) {
      var name = "the text below the marker";
      for (var line : halves[1].lines().toList()) {
        var type = Pattern.compile("(?:final |abstract |sealed )*(?:class|record|interface|enum) (\\w+).*").matcher(line);
        name = type.matches() ? type.group(1) : name;
        sections.merge(name, line, (before, more) -> before + "\n" + more);
      }
    }
    return sections;
  }
}
