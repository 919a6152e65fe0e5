import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.InvalidPathException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.stream.Collectors;

/** The settings of one run: the environment variables of the documented procedure, and their defaults. */
final class Settings {
  private static final String BYTE_ORDER_MARK = "\uFEFF";
  private final Map<String, String> environment;

  Settings(Map<String, String> environment) {
    this.environment = environment;
  }

  static Settings fromEnvironment() {
    return new Settings(System.getenv());
  }

  boolean isSet(Variable variable) {
    return environment.containsKey(variable.name()) || variable.secret() && environment.containsKey(variable.name() + "_FILE");
  }

  /** The variable's value, or its default; empty where there is neither. */
  Optional<String> optional(Variable variable) {
    var value = environment.get(variable.name());
    if (value == null) {
      return Optional.of(variable.fallback()).filter(fallback -> !fallback.isEmpty());
    }
    requireClean(variable.name(), value);
    return Optional.of(value);
  }

  /** The value of a variable that has a default. */
  String text(Variable variable) {
    return optional(variable).orElseThrow(() -> new Failure(Exit.USAGE, variable.name() + " is not set", "give it a value"));
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
      throw new Failure(Exit.USAGE, "%s '%s' is not a path: %s".formatted(variable.name(), value, e.getReason()), "give it a path");
    }
  }

  boolean flag(Variable variable) {
    var value = optional(variable).orElse("false");
    if (!value.matches("(?i)true|false")) {
      throw new Failure(Exit.USAGE, "%s is '%s'".formatted(variable.name(), value), "set it to true or false");
    }
    return Boolean.parseBoolean(value);
  }

  /** A secret from its variable, or from the file that the variable with {@code _FILE} names, without its last line break. */
  Optional<String> secret(Variable variable) {
    var value = Optional.ofNullable(environment.get(variable.name()));
    var file = optional(Variable.optional(variable.name() + "_FILE"));
    if (value.isPresent() && file.isPresent()) {
      throw new Failure(Exit.USAGE, "%s and %s_FILE are both set".formatted(variable.name(), variable.name()), "unset one of them");
    }
    value.ifPresent(secret -> requireNotBlank(variable.name(), secret));
    return file.isEmpty() ? value : Optional.of(read(variable.name() + "_FILE", file.get()));
  }

  private static String read(String name, String file) {
    try {
      var secret = Files.readString(Path.of(file)).replaceFirst("\\R\\z", "");
      if (secret.isBlank()) {
        throw new Failure(Exit.USAGE, "%s names %s, which is empty".formatted(name, file), "write the secret into it");
      }
      return secret;
    } catch (IOException | InvalidPathException e) {
      throw new Failure(Exit.USAGE, "cannot read %s, which %s names: %s".formatted(file, name, Failure.of(e).getMessage()),
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

  /** What an editor on Windows, or a shell that keeps quotes, leaves in a value is not meant. */
  private static void requireClean(String name, String value) {
    requireNotBlank(name, value);
    if (value.startsWith(BYTE_ORDER_MARK)) {
      throw new Failure(Exit.USAGE, name + " begins with a byte order mark", "save the file it comes from as UTF-8 without a byte order mark");
    }
    if (value.endsWith("\r")) {
      throw new Failure(Exit.USAGE, name + " ends with a carriage return", "the file it comes from was edited on Windows: dos2unix mends it");
    }
    if (value.length() > 1 && value.matches("(?s)([\"']).*\\1")) {
      throw new Failure(Exit.USAGE, "%s has quotes around its value: %s".formatted(name, value), "leave out the quotes");
    }
  }

  /** The documentation shows a password in CASSANDRA_CONNECTION; URLs may hold one, too. */
  private static String withoutSecrets(String value) {
    return value.replaceAll("(\\s|^)(-p|--password)(\\s*=?\\s*).+", "$1$2 (not shown)").replaceAll("(://)[^/]*@", "$1(not shown)@");
  }

  /** Lines for the help: each variable that has a value, with the value and where it comes from, then the others. */
  List<String> describe(List<Variable> variables) {
    var lines = new ArrayList<String>();
    for (var variable : variables) {
      if (isSet(variable)) {
        lines.add("  %-36s %s".formatted(variable.name(), variable.secret() ? "set (not shown)" : withoutSecrets(environment.get(variable.name())) + " (set)"));
      } else if (!variable.fallback().isEmpty()) {
        lines.add("  %-36s %s (default)".formatted(variable.name(), variable.fallback()));
      }
    }
    var unset = variables.stream().filter(variable -> !isSet(variable) && variable.fallback().isEmpty()).toList();
    if (!unset.isEmpty()) {
      lines.add("  Not set: " + unset.stream().map(variable -> variable.name() + (variable.secret() ? "[_FILE]" : ""))
          .collect(Collectors.joining(", ")));
    }
    return lines;
  }
}
