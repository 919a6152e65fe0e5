import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.LinkOption;
import java.nio.file.Path;
import java.nio.file.attribute.BasicFileAttributes;
import java.time.Instant;
import java.time.LocalDateTime;
import java.util.Set;

/**
 * A file with a backup's name, as a listing of its folder shows it.
 *
 * @param problem why it cannot be used, null if it can
 * @param bytes its size; 0 where there is no file
 * @param changed when it was written last
 */
record BackupFile(Path file, BackupName name, String problem, long bytes, Instant changed) {
  /** @param types the types that are read, such as {@code tar} */
  static BackupFile of(Path file, BackupName name, Set<String> types) {
    try {
      var attributes = Files.readAttributes(file, BasicFileAttributes.class);
      var problem = !attributes.isRegularFile() ? notAFile(file, name)
          : types.contains(name.type()) ? null : name.isUnfinished() ? "it is unfinished, by its name"
          : "it is of a type that cannot be read";
      return new BackupFile(file, name, problem, attributes.isRegularFile() ? attributes.size() : 0,
          attributes.lastModifiedTime().toInstant());
    } catch (IOException e) {
      return new BackupFile(file, name, notAFile(file, name), 0, Instant.EPOCH);
    }
  }

  private static String notAFile(Path file, BackupName name) {
    return Files.isSymbolicLink(file) ? "it is a link to %s, which does not exist".formatted(target(file))
        : Files.isDirectory(file, LinkOption.NOFOLLOW_LINKS) && name.type().isEmpty()
            ? "it is a folder, of a backup that runs or was not packed"
        : "it is not a file";
  }

  /** The path that a link names; the link itself if it cannot be read. */
  static Path target(Path link) {
    try {
      return Files.readSymbolicLink(link);
    } catch (IOException e) {
      return link;
    }
  }

  LocalDateTime taken() {
    return name.taken().orElseThrow();
  }

  /** The same, of a component whose backups have no more than a timestamp in their names. */
  BackupFile withOddName() {
    return problem != null ? this : new BackupFile(file, name,
        "its name has '%s' beside the timestamp; --backup %s takes it".formatted(name.node(), file), bytes, changed);
  }

  /** The backup: its name is that of the file without the type. */
  Backup backup() {
    var fileName = file.getFileName().toString();
    return new Backup(file,
        fileName.substring(0, fileName.length() - (name.type().isEmpty() ? 0 : name.type().length() + 1)), taken());
  }

  /** Archives of one source are runs of one node: the node of the name, or of a folder without names of nodes. */
  String source() {
    return name.node().isEmpty() ? "folder " + file.getParent() : "node " + name.node();
  }

  /**
   * True if it may be passed over with a warning: everything else that is newer and cannot be read is the backup that
   * is meant.
   */
  boolean isUnfinished() {
    return problem != null && (name.isUnfinished() || name.type().isEmpty() && problem.startsWith("it is a folder"));
  }
}
