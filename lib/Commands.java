//DEPS info.picocli:picocli:4.7.7

import java.util.List;
import java.util.Locale;
import java.util.function.Function;
import java.util.regex.Pattern;
import java.util.stream.Stream;
import picocli.CommandLine;
import picocli.CommandLine.ParameterException;
import picocli.CommandLine.UnmatchedArgumentException;

/**
 * Runs a script's command the same way in all scripts: errors as {@code error:} and {@code hint:}, and the exit code.
 */
final class Commands {
  /** How picocli tells of a value that is not of the option's type. */
  private static final Pattern ONE_OF =
      Pattern.compile("expected one of \\[(.*)] \\(case-(?:in)?sensitive\\) but was ('.*')");
  private static final Pattern CANNOT_CONVERT =
      Pattern.compile("cannot convert '(.*?)' to (?:\\S+ )?(?:\\w+[.$])*(\\w+) \\(.*");

  private Commands() {}

  /**
   * Parses the arguments and calls the command; when it has ended, Ctrl-C says nothing more.
   *
   * @param variables what the help lists below the options, with the present values
   * @param failed shows a failure and returns the exit code
   */
  static int run(Object command, Console console, List<Variable> variables, Function<Failure, Integer> failed,
      String... args) {
    console.json = List.of(args).contains("--json");
    console.onInterrupt("Nothing was changed.");
    try {
      return run(command, variables, failed, args);
    } finally {
      console.onInterrupt(null);
    }
  }

  static int run(Object command, List<Variable> variables, Function<Failure, Integer> failed, String... args) {
    var line = new CommandLine(command).setCaseInsensitiveEnumValuesAllowed(true).setUsageHelpLongOptionsMaxWidth(24)
        .setUsageHelpAutoWidth(true)
        .setParameterExceptionHandler((thrown, given) -> failed.apply(wrongUsage(thrown)))
        .setExecutionStrategy(parsed -> {
          if (parsed.isUsageHelpRequested()) {
            // reads TheHive's configuration: not at every start
            addFooter(parsed.commandSpec().commandLine(), variables);
          }
          if (CommandLine.executeHelpRequest(parsed) != null) {
            return Exit.DONE;
          }
          try {
            Settings.fromEnvironment().warnings(variables)
                .forEach(warning -> System.err.println("warning: " + warning));
          } catch (Failure e) {
            return failed.apply(e);
          }
          return new CommandLine.RunLast().execute(parsed);
        })
        .setExecutionExceptionHandler((thrown, given, parsed) -> failed.apply(Failure.of(thrown)));
    var heading = line.getCommandSpec().usageMessage().synopsisHeading();
    line.getSubcommands().values().forEach(sub -> sub.getCommandSpec().usageMessage().synopsisHeading(heading));
    try {
      var code = line.execute(args);
      return code == Exit.DONE && System.out.checkError() ? failed.apply(new Failure(Exit.UNEXPECTED,
          "the result could not be written to standard output", "everything else is done; is its file system full?"))
          : code;
    } catch (Error e) { // picocli hands on exceptions only
      return failed.apply(Failure.of(e));
    }
  }

  private static Failure wrongUsage(ParameterException thrown) {
    var message = thrown.getMessage().lines().findFirst().orElse("wrong usage");
    var text = withoutJavaTypes(
        message.isEmpty() ? message : message.substring(0, 1).toLowerCase(Locale.ROOT) + message.substring(1));
    var similar = thrown instanceof UnmatchedArgumentException unmatched ? unmatched.getSuggestions()
        : List.<String>of();
    var script = thrown.getCommandLine().getCommandSpec().root().name();
    return new Failure(Exit.USAGE, text, (similar.isEmpty() ? "" : "did you mean %s? ".formatted(
        String.join(" or ", similar))) + "see ./jbang %s --help".formatted(script), thrown);
  }

  private static String withoutJavaTypes(String message) {
    var oneOf = ONE_OF.matcher(message);
    if (oneOf.find()) {
      return message.substring(0, oneOf.start()) + "%s is not one of %s".formatted(oneOf.group(2),
          oneOf.group(1).toLowerCase(Locale.ROOT));
    }
    var type = CANNOT_CONVERT.matcher(message);
    return type.find()
        ? message.substring(0, type.start()) + "'" + type.group(1) + "' is not " + switch (type.group(2)) {
      case "Duration" -> "a duration such as PT15M";
      case "Pattern" -> "a regular expression";
      default -> "allowed";
    } : message.replaceFirst("is not an? (int|long)$", "is not a whole number");
  }

  private static void addFooter(CommandLine line, List<Variable> variables) {
    var own = line.getCommandSpec().usageMessage().footer();
    var lines = values(variables).stream().map(text -> text.replace("%", "%%").replace("@|", "@ |"));
    line.getCommandSpec().usageMessage()
        .footer(Stream.of(Stream.of("Variables, with their values now:"), lines, Stream.of(own))
        .flatMap(text -> text).toArray(String[]::new));
  }

  private static List<String> values(List<Variable> variables) {
    try {
      return Settings.fromEnvironment().describe(variables);
    } catch (Failure e) {
      return List.of("  " + e.getMessage());
    }
  }
}
