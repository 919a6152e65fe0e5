import java.nio.charset.StandardCharsets;

/**
 * A file, folder or symbolic link of a backup of attachments. There may be a million: no more here than is needed.
 *
 * @param path the name below the backup's own folder, which has the empty name, as UTF-8
 * @param offset where the bytes begin in a plain tar
 * @param mode -1 where the archive does not tell
 * @param time of the last change in nanoseconds, NO_TIME where the archive does not tell
 * @param more the header in a zip, where a symbolic link leads, else null
 */
record Member(Kind kind, byte[] path, long size, long offset, int mode, long time, Owner owner, Object more) {
  static final long NO_TIME = Long.MIN_VALUE;

  String name() {
    return new String(path, StandardCharsets.UTF_8);
  }
}
