import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionException;
import java.util.regex.Pattern;

/**
 * An archive as it is when it is checked.
 *
 * @param bytes its size; -1 where it cannot be read
 * @param sha256 of the whole file; the reason where it cannot be read
 */
record ArchiveSum(String part, Path file, long bytes, String sha256) {
  /** Before a name that holds a backslash or a new line the command writes a backslash. */
  private static final Pattern SUM = Pattern.compile("(?s)^\\\\?(\\p{XDigit}{64}) .*");

  /** Begins to read every archive to its end, beside whatever else runs. */
  static CompletableFuture<List<ArchiveSum>> begin(Map<String, List<Path>> archives) {
    return CompletableFuture.supplyAsync(() -> {
      var sums = new ArrayList<ArchiveSum>();
      archives.forEach((part, files) -> files.forEach(file -> sums.add(of(part, file))));
      return List.copyOf(sums);
    }, work -> Console.daemon(work).start());
  }

  private static ArchiveSum of(String part, Path file) {
    try {
      // Several times as fast as Java's own, whose best compiler the scripts leave off to start sooner.
      var output = SystemCommand.output("sha256sum", "--", file.toString());
      return new ArchiveSum(part, file, Files.size(file), SUM.matcher(output).replaceFirst("$1"));
    } catch (IOException e) {
      return new ArchiveSum(part, file, -1, "cannot be read: " + Failure.of(e).getMessage());
    }
  }

  /** Waits for the end. */
  static List<ArchiveSum> await(CompletableFuture<List<ArchiveSum>> sums) {
    try {
      return sums.join();
    } catch (CompletionException e) {
      throw Failure.of(e.getCause());
    }
  }
}
