import java.nio.charset.StandardCharsets;
import java.time.Instant;

/**
 * A file, folder or link of an archive. A backup may have a million: no more here than is needed.
 *
 * @param path the name as UTF-8, without {@code ./} before and {@code /} behind it
 * @param size the bytes of a file, holes included; 0 for others
 * @param offset where the bytes begin in the tar; in a zip where the entry's header is in the directory
 * @param holes where a sparse file has its bytes, null for others
 * @param link the text of a symbolic link, the name that a hard link leads to, null for others
 * @param mode the last twelve bits, -1 where the archive does not tell
 * @param seconds the time of the last change since 1970, NO_TIME where the archive does not tell
 */
record ArchiveEntry(Kind kind, byte[] path, long size, long offset, SparseMap holes, String link, int mode,
    long seconds, int nanos,
    Owner owner) {
  static final long NO_TIME = Long.MIN_VALUE;

  String name() {
    return new String(path, StandardCharsets.UTF_8);
  }

  boolean folder() {
    return kind == Kind.FOLDER;
  }

  boolean file() {
    return kind == Kind.FILE;
  }

  boolean hasTime() {
    return seconds != NO_TIME;
  }

  Instant time() {
    return Instant.ofEpochSecond(seconds, nanos);
  }

  ArchiveEntry named(byte[] other) {
    return new ArchiveEntry(kind, other, size, offset, holes, link, mode, seconds, nanos, owner);
  }

  /** The bytes that the archive holds: without the holes. */
  long stored() {
    return holes == null ? size : holes.stored();
  }
}
