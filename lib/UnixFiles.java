import java.io.IOException;
import java.math.BigDecimal;
import java.nio.charset.StandardCharsets;
import java.nio.file.FileSystemException;
import java.nio.file.Files;
import java.nio.file.LinkOption;
import java.nio.file.Path;
import java.nio.file.attribute.BasicFileAttributeView;
import java.nio.file.attribute.FileTime;
import java.time.Instant;
import java.util.List;

/**
 * Sets what Java cannot set of files: texts of symbolic links that are not paths in their shortest form, times far
 * away.
 */
final class UnixFiles {
  /** The last second whose nanoseconds Java can count. */
  private static final long LAST = Long.MAX_VALUE / 1_000_000_000 - 1;

  private UnixFiles() {}

  /** Makes a symbolic link with exactly this text: Java would write {@code dir} for {@code dir/}. */
  static void createLink(Path link, String text) throws IOException {
    if (Path.of(text).toString().equals(text)) {
      Files.createSymbolicLink(link, Path.of(text));
    } else {
      run(link, List.of("ln", "-s", "-T", "--", text, link.toString()));
    }
  }

  /** Sets the times of the last change and access; not of symbolic links. */
  static void setTime(Path path, Instant time) throws IOException {
    if (time.getEpochSecond() >= 0 && time.getEpochSecond() < LAST) {
      var both = FileTime.from(time);
      Files.getFileAttributeView(path, BasicFileAttributeView.class, LinkOption.NOFOLLOW_LINKS).setTimes(both, both,
          null);
    } else {
      // Java loses fractions of seconds before 1970, and takes what is after 2262 for the year 2262.
      var seconds = BigDecimal.valueOf(time.getEpochSecond()).add(BigDecimal.valueOf(time.getNano(), 9));
      run(path, List.of("touch", "-h", "-c", "-d", "@" + seconds.toPlainString(), "--", path.toString()));
    }
  }

  private static void run(Path path, List<String> command) throws IOException {
    try {
      var process = new ProcessBuilder(command).redirectErrorStream(true).start();
      process.getOutputStream().close();
      var said = new String(process.getInputStream().readAllBytes(), StandardCharsets.UTF_8).strip();
      if (process.waitFor() != 0) {
        throw new FileSystemException(path.toString(), null, said.replaceFirst(".*: ", ""));
      }
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
      throw new FileSystemException(path.toString(), null, "interrupted");
    }
  }
}
