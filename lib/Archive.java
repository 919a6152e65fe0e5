import java.io.Closeable;
import java.io.IOException;
import java.io.InputStream;
import java.nio.file.FileSystemException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Optional;
import java.util.function.Consumer;

/**
 * A backup's archive: .tar, plain or compressed with gzip, bzip2, xz or zstd, and .zip, also AES-encrypted. Its content
 * tells which it is. In a plain tar and in a zip every entry can be read at any time; a compressed tar is read in one
 * pass ({@link #each}), or unpacked to a plain one first ({@link #seekable}).
 */
abstract class Archive implements Closeable {
  /** The file as it was named. */
  final Path path;

  Archive(Path path) {
    this.path = path;
  }

  static Archive open(Path path, Optional<String> password) {
    try {
      var head = Compression.head(path);
      if (Files.size(path) == 0) {
        throw broken(path, "it is empty", null);
      }
      return Compression.starts(head, 'P', 'K', 3, 4) || Compression.starts(head, 'P', 'K', 5, 6)
          || Compression.starts(head, 'P', 'K', 7, 8)
          ? new ZipArchive(path, password) : new TarArchive(path, path, Compression.of(head));
    } catch (IOException e) {
      throw broken(path, Failure.of(e).getMessage(), e);
    }
  }

  /**
   * Opens an archive whose files can be read in any order: a compressed one is unpacked to a plain tar in the folder
   * first.
   */
  static Archive openSeekable(Path path, Optional<String> password, Path folder) {
    try {
      return open(path, password).seekable(folder);
    } catch (IOException e) {
      var noRoom = e instanceof FileSystemException || String.valueOf(e.getMessage()).contains("No space left");
      throw !noRoom ? broken(path, Failure.of(e).getMessage(), e)
          : new Failure(Exit.UNSAFE, "cannot unpack %s in %s: %s".formatted(path, folder, Failure.of(e).getMessage()),
          "name another folder by RESTORE_WORK_PATH", e);
    }
  }

  /** The reason to doubt that an archive is whole, although it can be read; empty where there is none. */
  Optional<String> doubt() {
    return Optional.empty();
  }

  interface Visitor {
    void accept(ArchiveEntry entry, Content content) throws Exception;
  }

  /** The bytes of one file. */
  interface Content {
    InputStream open() throws IOException;

    /** Writes them to a new file, with the holes that the archive tells of. */
    default void copyTo(Path target) throws IOException {
      try (var in = open()) {
        Files.copy(in, target);
      }
    }
  }

  /**
   * Gives all entries in the archive's order; proves that the archive is complete and that no name leads out of its
   * folder.
   */
  abstract void index(Consumer<ArchiveEntry> visitor);

  /** Gives all entries with their bytes in one pass; a content is to be read before the visitor returns, and once. */
  abstract void each(Visitor visitor) throws Exception;

  /** True if {@link #content}, {@link #open} and {@link #copy} can be used, in any order and by several threads. */
  abstract boolean isSeekable();

  /** The bytes of one file of a seekable archive. */
  abstract Content content(ArchiveEntry entry);

  InputStream open(ArchiveEntry entry) throws IOException {
    return content(entry).open();
  }

  void copy(ArchiveEntry entry, Path target) throws IOException {
    content(entry).copyTo(target);
  }

  /**
   * This archive if it is seekable; otherwise the same, unpacked to a plain tar in the folder. That file is removed
   * when the archive is closed; this one is closed at once. Messages name the file of the backup.
   */
  Archive seekable(Path folder) throws IOException {
    return this;
  }

  Failure broken(String why, Throwable cause) {
    return broken(path, why, cause);
  }

  private static Failure broken(Path path, String why, Throwable cause) {
    return new Failure(Exit.BAD_BACKUP, "%s cannot be used as a backup: %s".formatted(path, why),
        "nothing was changed; choose another with --backup", cause);
  }

  @Override
  public abstract void close() throws IOException;
}
