import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;
import java.util.HexFormat;
import java.util.Random;

/**
 * Attachments made from a number: the same number gives the same bytes anywhere, so that the graph can name files that
 * another process writes. Sizes are log-normal, median 15 KB, mean about 37 KB.
 */
class Attachments {
  /** TheHive keeps them in a folder of this name, in the folder or bucket that is configured. */
  static final String FOLDER = "attachment";
  private static final int MEDIAN = 15_000;
  private static final double SIGMA = 1.35;
  private static final int LARGEST = 20_000_000;

  private Attachments() {}

  static byte[] content(int i) {
    // java.util.Random and StrictMath give the same numbers on every Java
    var random = new Random(i * 2_654_435_761L);
    var size = (int) Math.min(LARGEST, Math.max(1, MEDIAN * StrictMath.exp(SIGMA * random.nextGaussian())));
    var content = new byte[size];
    random.nextBytes(content);
    return content;
  }

  /** The file name of attachment i: the SHA-256 of its content in hexadecimal digits. */
  static String id(int i) {
    return id(content(i));
  }

  /** The name of attachment i in TheHive's folder or bucket. */
  static String name(int i) {
    return FOLDER + "/" + id(i);
  }

  static String id(byte[] content) {
    try {
      return HexFormat.of().formatHex(MessageDigest.getInstance("SHA-256").digest(content));
    } catch (NoSuchAlgorithmException e) {
      throw new IllegalStateException(e);
    }
  }

  /** Writes attachments 0 to n-1 as TheHive keeps them: as {@code <folder>/attachment/<SHA-256>}. */
  static void writeAll(Path folder, int n) throws IOException {
    writeAll(folder, n, null);
  }

  /** The same, all of one size. */
  static void writeAll(Path folder, int n, Integer size) throws IOException {
    var attachment = Files.createDirectories(folder.resolve(FOLDER));
    for (int i = 0; i < n; i++) {
      var content = size == null ? content(i) : new byte[size];
      if (size != null) {
        new Random(i).nextBytes(content);
      }
      Files.write(attachment.resolve(size == null ? id(content) : "%064x".formatted(i)), content);
    }
  }
}
