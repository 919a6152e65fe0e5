//DEPS info.picocli:picocli:4.7.7

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.InvalidPathException;
import java.nio.file.Path;
import java.util.Optional;
import java.util.regex.Pattern;
import picocli.CommandLine.Model.CommandSpec;

/** Settings are the environment variables of the documented procedure; an option overrides its variable. */
final class OldSettings {
  private OldSettings() {}

  /** A variable that is set but blank is a mistake, never a value; each option's description names its variable. */
  static void refuseBlank(CommandSpec command) {
    for (var option : command.options()) {
      Pattern.compile("\\(([A-Z_]{4,})").matcher(String.join(" ", option.description())).results()
          .forEach(name -> variable(name.group(1)));
      if (String.valueOf((Object) option.getValue()).isBlank()) {
        throw new Failure(Exit.USAGE, option.longestName() + " is blank", "give it a value, or leave it out");
      }
    }
  }

  static Optional<String> variable(String name) {
    var value = Optional.ofNullable(System.getenv(name));
    if (value.filter(String::isBlank).isPresent()) {
      throw new Failure(Exit.USAGE, name + " is set but blank", "give it a value, or unset it");
    }
    return value;
  }

  /** A secret from the variable NAME, or from the file that NAME_FILE names (its last line break is not part of it). */
  static Optional<String> secret(String name) {
    var value = variable(name);
    var file = variable(name + "_FILE");
    if (value.isPresent() && file.isPresent()) {
      throw new Failure(Exit.USAGE, name + " and " + name + "_FILE are both set", "unset one of them");
    }
    if (file.isEmpty()) {
      return value;
    }
    try {
      return Optional.of(Files.readString(Path.of(file.get())).replaceFirst("\\R\\z", ""));
    } catch (IOException | InvalidPathException e) {
      throw new Failure(Exit.USAGE, "cannot read " + name + "_FILE " + file.get() + ": " + e.getMessage(), "check path and mode");
    }
  }

  /** A secret as above, else asked for on a terminal, else none. */
  static Optional<String> secretOrPrompt(String name, String question) {
    var secret = secret(name);
    if (secret.isPresent() || System.console() == null) {
      return secret;
    }
    return Optional.ofNullable(System.console().readPassword("%s: ", question)).map(String::new);
  }
}
