//DEPS commons-codec:commons-codec:1.23.0

import java.io.BufferedInputStream;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionException;
import org.apache.commons.codec.digest.DigestUtils;

/**
 * An archive as it is when it is checked.
 *
 * @param bytes its size; -1 where it cannot be read
 * @param sha256 of the whole file; the reason where it cannot be read
 */
record ArchiveSum(String part, Path file, long bytes, String sha256) {
  /** Begins to read every archive to its end, beside whatever else runs. */
  static CompletableFuture<List<ArchiveSum>> begin(Map<String, List<Path>> archives) {
    return CompletableFuture.supplyAsync(() -> {
      var sums = new ArrayList<ArchiveSum>();
      archives.forEach((part, files) -> files.forEach(file -> sums.add(of(part, file))));
      return List.copyOf(sums);
    }, work -> Console.daemon(work).start());
  }

  private static ArchiveSum of(String part, Path file) {
    try (var in = new BufferedInputStream(Files.newInputStream(file), 1 << 20)) {
      return new ArchiveSum(part, file, Files.size(file), DigestUtils.sha256Hex(in));
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
