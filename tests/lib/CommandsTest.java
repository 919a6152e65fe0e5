import static org.assertj.core.api.Assertions.assertThat;

import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.Callable;
import java.util.regex.Pattern;
import org.junit.jupiter.api.Test;
import picocli.CommandLine.Command;
import picocli.CommandLine.Option;

/** How each script's command is run: what it returns, throws, or was given wrongly. */
class CommandsTest {
  private final List<Failure> failures = new ArrayList<>();

  @Command(name = "restore.java")
  private static final class Example implements Callable<Integer> {
    @Option(names = "--fail") private boolean fail;
    @Option(names = "--count") private int count;
    @Option(names = "--gap") private Duration gap;
    @Option(names = "--line") private Pattern line;
    @Option(names = "--kind") private Kind kind;

    @Override
    public Integer call() {
      if (fail) {
        throw new IllegalStateException("no room");
      }
      return count;
    }
  }

  private int run(String... args) {
    return Commands.run(new Example(), List.of(), failure -> {
      failures.add(failure);
      return failure.code;
    }, args);
  }

  @Test
  void theCommandsOwnCodeIsTheExitCode() {
    assertThat(run("--count", "14")).isEqualTo(14);
    assertThat(failures).isEmpty();
  }

  @Test
  void whatIsThrownIsAFailure() {
    assertThat(run("--fail")).isEqualTo(1);
    assertThat(failures).singleElement().satisfies(failure -> assertThat(failure).hasMessage("no room"));
  }

  @Test
  void aValueOfAnotherTypeIsToldWithoutClassesOfJava() {
    run("--count", "one");
    run("--gap", "soon");
    run("--line", "(");
    run("--kind", "barrel");
    assertThat(failures).extracting(Throwable::getMessage).containsExactly(
        "invalid value for option '--count': 'one' is not a whole number",
        "invalid value for option '--gap': 'soon' is not a duration such as PT15M",
        "invalid value for option '--line': '(' is not a regular expression",
        "invalid value for option '--kind': 'barrel' is not one of folder, file, link, hard_link, other");
  }

  @Test
  void wrongUsageIsAFailureThatNamesTheHelp() {
    assertThat(run("--counts")).isEqualTo(2);
    assertThat(run("--count", "one")).isEqualTo(2);
    assertThat(failures).extracting(Throwable::getMessage).map(message -> message.substring(0, 15))
        .containsExactly("unknown option:", "invalid value f");
    assertThat(failures).extracting(failure -> failure.hint).containsExactly(
        "did you mean --count? see ./jbang restore.java --help", "see ./jbang restore.java --help");
  }
}
