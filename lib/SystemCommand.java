import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.util.List;
import java.util.stream.Stream;

/** Runs the system's own commands, for what Java cannot do. */
final class SystemCommand {
  private SystemCommand() {}

  /** Returns what the command wrote; one that fails, or that this host does not have, is an error. */
  static String output(String... command) throws IOException {
    var process = start(command).redirectErrorStream(true).start();
    process.getOutputStream().close();
    var output = new String(process.getInputStream().readAllBytes(), StandardCharsets.UTF_8).strip();
    if (end(process) != 0) {
      throw new IOException("%s failed: %s".formatted(String.join(" ", command), output));
    }
    return output;
  }

  interface Lines<T> {
    T from(Stream<String> lines);
  }

  /** Hands the lines of the output on as they come; errors of the command are passed over. */
  static <T> T lines(Lines<T> reader, String... command) throws IOException {
    var process = start(command).redirectError(ProcessBuilder.Redirect.DISCARD).start();
    process.getOutputStream().close();
    try (var lines = process.inputReader(StandardCharsets.UTF_8)) {
      return reader.from(lines.lines());
    } finally {
      process.destroy();
      end(process);
    }
  }

  private static ProcessBuilder start(String... command) {
    var builder = new ProcessBuilder(List.of(command));
    builder.environment().put("LC_ALL", "C");
    return builder;
  }

  private static int end(Process process) throws IOException {
    try {
      return process.waitFor();
    } catch (InterruptedException e) {
      process.destroy();
      Thread.currentThread().interrupt();
      throw new IOException("interrupted", e);
    }
  }
}
