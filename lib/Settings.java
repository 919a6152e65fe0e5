import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.InvalidPathException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.TreeSet;
import java.util.stream.Stream;

/**
 * The settings of one run. A variable wins over TheHive's own configuration file, which wins over the default of the
 * documented procedure.
 */
final class Settings {
  static final Variable CONFIG = Variable.optional("THEHIVE_CONFIG");
  private static final int COLUMNS = 79;
  private static final String BYTE_ORDER_MARK = "\uFEFF";
  private final Map<String, String> environment;
  private final Map<String, String> configured;
  private final String configFile;

  Settings(Map<String, String> environment) {
    this(environment, Map.of(), "");
  }

  /** @param configured what TheHive's configuration file says, by the names of the variables */
  Settings(Map<String, String> environment, Map<String, String> configured, String configFile) {
    this.environment = environment;
    this.configured = configured;
    this.configFile = configFile;
  }

  static Settings fromEnvironment() {
    var named = new Settings(System.getenv()).optionalPath(CONFIG);
    var file = named.orElse(TheHiveConfig.USUAL);
    if (named.isEmpty() && !Files.isReadable(file)) {
      return new Settings(System.getenv());
    }
    if (!Files.isReadable(file)) {
      throw new Failure(Exit.USAGE,
          "cannot read TheHive's configuration %s, which THEHIVE_CONFIG names".formatted(file),
          "check its path, owner and mode");
    }
    return new Settings(System.getenv(), TheHiveConfig.read(file), file.toString());
  }

  /** True if a variable or TheHive's configuration names it: only a default is not. */
  boolean isSet(Variable variable) {
    return isVariable(variable) || configured.containsKey(variable.name());
  }

  private boolean isVariable(Variable variable) {
    return environment.containsKey(variable.name())
        || variable.secret() && environment.containsKey(variable.name() + "_FILE");
  }

  /** The variable's value, or its default; empty where there is neither. */
  Optional<String> optional(Variable variable) {
    var value = environment.get(variable.name());
    if (value == null && configured.containsKey(variable.name())) {
      return Optional.of(configured.get(variable.name()));
    }
    if (value == null) {
      return Optional.of(variable.fallback()).filter(fallback -> !fallback.isEmpty());
    }
    requireClean(variable.name(), value);
    return Optional.of(value);
  }

  /** The value of a variable that has a default. */
  String text(Variable variable) {
    return optional(variable)
        .orElseThrow(() -> new Failure(Exit.USAGE, variable.name() + " is not set", "give it a value"));
  }

  Optional<Path> optionalPath(Variable variable) {
    return optional(variable).map(value -> path(variable, value));
  }

  Path path(Variable variable) {
    return path(variable, text(variable));
  }

  private static Path path(Variable variable, String value) {
    try {
      return Path.of(value);
    } catch (InvalidPathException e) {
      throw new Failure(Exit.USAGE, "%s '%s' is not a path: %s".formatted(variable.name(), value, e.getReason()),
          "give it a path");
    }
  }

  boolean flag(Variable variable) {
    var value = optional(variable).orElse("false");
    if (!value.matches("(?i)true|false")) {
      throw new Failure(Exit.USAGE, "%s is '%s'".formatted(variable.name(), value), "set it to true or false");
    }
    return Boolean.parseBoolean(value);
  }

  /**
   * A secret from its variable, or from the file that the variable with {@code _FILE} names, without its last line
   * break.
   */
  Optional<String> secret(Variable variable) {
    var value = Optional.ofNullable(environment.get(variable.name()));
    var file = optional(Variable.optional(variable.name() + "_FILE"));
    if (value.isPresent() && file.isPresent()) {
      throw new Failure(Exit.USAGE, "%s and %s_FILE are both set".formatted(variable.name(), variable.name()),
          "unset one of them");
    }
    value.ifPresent(secret -> requireNotBlank(variable.name(), secret));
    return file.isPresent() ? Optional.of(read(variable.name() + "_FILE", file.get()))
        : value.or(() -> Optional.ofNullable(configured.get(variable.name())));
  }

  private static String read(String name, String file) {
    try {
      var secret = Files.readString(Path.of(file)).replaceFirst("\\R\\z", "");
      if (secret.isBlank()) {
        throw new Failure(Exit.USAGE, "%s names %s, which is empty".formatted(name, file), "write the secret into it");
      }
      return secret;
    } catch (IOException | InvalidPathException e) {
      throw new Failure(Exit.USAGE,
          "cannot read %s, which %s names: %s".formatted(file, name, Failure.of(e).getMessage()),
          "check its path, owner and mode");
    }
  }

  /** A secret as above; where there is none, it is asked for on a terminal. */
  Optional<String> secretOrPrompt(Variable variable, String question) {
    var secret = secret(variable);
    var terminal = System.console();
    return secret.isPresent() || terminal == null ? secret
        : Optional.ofNullable(terminal.readPassword("%s: ", question)).map(String::new);
  }

  private static void requireNotBlank(String name, String value) {
    if (value.isBlank()) {
      throw new Failure(Exit.USAGE, name + " is set but blank", "give it a value, or unset it");
    }
  }

  /** Refuses what an editor on Windows, or a shell that keeps quotes, leaves in a value. */
  private static void requireClean(String name, String value) {
    requireNotBlank(name, value);
    if (value.startsWith(BYTE_ORDER_MARK)) {
      throw new Failure(Exit.USAGE, name + " begins with a byte order mark",
          "save the file it comes from as UTF-8 without a byte order mark");
    }
    if (value.endsWith("\r")) {
      throw new Failure(Exit.USAGE, name + " ends with a carriage return",
          "the file it comes from was edited on Windows: dos2unix mends it");
    }
    if (value.length() > 1 && value.matches("(?s)([\"']).*\\1")) {
      throw new Failure(Exit.USAGE, "%s has quotes around its value: %s".formatted(name, value),
          "leave out the quotes");
    }
  }

  /**
   * The documentation shows a password in CASSANDRA_CONNECTION; URLs may hold one, too, with any character in it, and
   * in front of a host without a scheme.
   */
  static String withoutSecrets(String value) {
    return value.replaceAll("(\\s|^)(-p|--password)(\\s*=?\\s*).+", "$1$2 (not shown)")
        .replaceAll("://.*@", "://(not shown)@").replaceFirst("^[^\\s/@]+:\\S*@", "(not shown)@");
  }

  /**
   * Lines for the help: the variables that have a value, by where it comes from, then the others. Where the values
   * would make it longer than one screen, only names.
   */
  List<String> describe(List<Variable> variables) {
    var lines = describe(variables, true);
    var longest = new Settings(Map.of()).describe(variables, true).size();
    return lines.size() <= longest + 1 && lines.stream().allMatch(line -> line.length() <= COLUMNS) ? lines
        : describe(variables, false);
  }

  private List<String> describe(List<Variable> variables, boolean values) {
    var lines = new ArrayList<String>();
    for (var origin : variables.stream().filter(this::isSet).map(this::origin).distinct().toList()) {
      var ofIt = variables.stream().filter(this::isSet).filter(one -> origin(one).equals(origin)).toList();
      var first = (origin.equals("set") ? "Set" : "From " + origin)
          + (values ? ":" : " (verify.java settings shows it):");
      lines.addAll(wrapped(first, values ? ofIt.stream().map(one -> one.name() + "=" + shown(one)).toList()
          : shortened(ofIt.stream().map(Variable::name).toList())));
    }
    var defaults = variables.stream().filter(variable -> !isSet(variable) && !variable.fallback().isEmpty())
        .map(variable -> variable.name() + "=" + variable.fallback()).toList();
    if (!defaults.isEmpty()) {
      lines.addAll(wrapped("Defaults:", defaults));
    }
    var unset = variables.stream().filter(variable -> !isSet(variable) && variable.fallback().isEmpty()).toList();
    if (!unset.isEmpty()) {
      lines.addAll(wrapped("Not set:", shortened(unset.stream().map(Variable::name).toList())));
    }
    return lines;
  }

  /** CASSANDRA_USER CASSANDRA_PASSWORD is CASSANDRA_USER _PASSWORD: a help has 40 lines. */
  private static List<String> shortened(List<String> names) {
    var lines = new ArrayList<String>();
    var before = "";
    for (var name : names) {
      var family = name.replaceFirst("_.*", "_");
      lines.add(family.equals(before) ? name.substring(family.length() - 1) : name);
      before = family;
    }
    return lines;
  }

  /** The words in lines that a terminal of 80 columns shows whole. */
  private static List<String> wrapped(String first, List<String> words) {
    var lines = new ArrayList<String>();
    var line = new StringBuilder("  ").append(first);
    for (var word : words) {
      if (line.length() + word.length() + 1 > COLUMNS) {
        lines.add(line.toString());
        line = new StringBuilder("   ");
      }
      line.append(' ').append(word);
    }
    lines.add(line.toString());
    return lines;
  }

  /** Its value without secrets; empty where it has none. */
  String shown(Variable variable) {
    return isSet(variable) && variable.secret() ? "(not shown)"
        : withoutSecrets(
            environment.getOrDefault(variable.name(), configured.getOrDefault(variable.name(), variable.fallback())));
  }

  String origin(Variable variable) {
    return isVariable(variable) ? "set" : configured.containsKey(variable.name()) ? configFile : "default";
  }

  /** A line for each that has a value: for the plan, where a variable of another site must show. */
  List<String> sources(List<Variable> variables) {
    return variables.stream().filter(variable -> !shown(variable).isEmpty())
        .map(variable -> "%s %s (%s)".formatted(variable.name(), shown(variable), source(variable))).toList();
  }

  /** The source of the value: the variable, a file, the default, or nowhere. */
  String source(Variable variable) {
    if (environment.containsKey(variable.name())) {
      return "variable";
    }
    var file = variable.secret() ? environment.get(variable.name() + "_FILE") : null;
    return file != null ? "%s, named by %s_FILE".formatted(file, variable.name())
        : configured.containsKey(variable.name()) ? configFile : variable.fallback().isEmpty() ? "not set" : "default";
  }

  /** Warnings: a variable that contradicts TheHive's configuration, and one whose name is almost that of a setting. */
  List<String> warnings(List<Variable> variables) {
    var warnings = new ArrayList<String>();
    for (var variable : variables) {
      var configuredValue = configured.get(variable.name());
      var value = environment.get(variable.name());
      if (configuredValue != null && value != null && !value.equals(configuredValue)) {
        warnings.add(variable.secret() ? "%s is not what %s says".formatted(variable.name(), configFile)
            : "%s is %s, but %s says %s".formatted(variable.name(), withoutSecrets(value), configFile,
                withoutSecrets(configuredValue)));
      }
    }
    var names =
        variables.stream().flatMap(variable -> variable.secret() ? Stream.of(variable.name(), variable.name() + "_FILE")
        : Stream.of(variable.name())).toList();
    variables.stream().filter(Variable::secret)
        .forEach(variable -> leftovers(variable.name()).ifPresent(warnings::add));
    for (var name : new TreeSet<>(environment.keySet())) {
      if (name.startsWith(BYTE_ORDER_MARK)) {
        warnings.add(
            ("the name %s begins with a byte order mark, so nothing reads it: save the file it comes from as UTF-8"
                + " without one").formatted(name.substring(1)));
        continue;
      }
      names.stream().filter(known -> !names.contains(name) && isAlmost(name, known)).findFirst()
          .ifPresent(known -> warnings.add("%s is set, but nothing reads it: is %s meant?".formatted(name, known)));
    }
    return warnings;
  }

  /** Tells what an editor or a shell may have left in a secret: it is taken as it stands, for it may be meant. */
  private Optional<String> leftovers(String name) {
    var value = environment.getOrDefault(name, "");
    var found = value.startsWith(BYTE_ORDER_MARK) ? "begins with a byte order mark"
        : value.endsWith("\r") ? "ends with a carriage return"
        : value.length() > 1 && value.matches("(?s)([\"']).*\\1") ? "has quotes around its value" : "";
    return found.isEmpty() ? Optional.empty() : Optional.of("%s %s, which counts as part of it".formatted(name, found));
  }

  /** True if one letter is missing, added or another one, or two neighbours have changed places. */
  static boolean isAlmost(String name, String known) {
    if (name.length() < 8 || Math.abs(name.length() - known.length()) > 1) {
      return false;
    }
    var at = 0;
    while (at < Math.min(name.length(), known.length()) && name.charAt(at) == known.charAt(at)) {
      at++;
    }
    var one = name.substring(at);
    var other = known.substring(at);
    if (one.length() == other.length()) {
      return one.length() > 0 && one.substring(1).equals(other.substring(1))
          || one.length() > 1 && one.charAt(0) == other.charAt(1) && one.charAt(1) == other.charAt(0)
              && one.substring(2).equals(other.substring(2));
    }
    return one.length() > other.length() ? one.substring(1).equals(other) : other.substring(1).equals(one);
  }
}
