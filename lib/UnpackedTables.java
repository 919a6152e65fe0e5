import java.io.Closeable;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.nio.file.attribute.PosixFilePermissions;
import java.util.Comparator;
import java.util.concurrent.locks.LockSupport;

/** The unpacked tables, below a folder of ours that is gone when closed, also after Ctrl-C. */
final class UnpackedTables implements Closeable {
  private final Path root;
  private final String keyspace;
  private final Archive archive;
  private final Thread onExit = new Thread(this::remove);
  private volatile boolean closed;

  UnpackedTables(Path root, String keyspace, Archive archive) throws IOException {
    this.root = root;
    this.keyspace = keyspace;
    this.archive = archive;
    delete(root);
    Runtime.getRuntime().addShutdownHook(onExit);
    Files.createDirectories(root, PosixFilePermissions.asFileAttribute(PosixFilePermissions.fromString("rwx------")));
  }

  /** The loader takes keyspace and table from the last two folder names. */
  Path unpack(CassandraBackup.Table table) throws IOException {
    var folder = Files.createDirectories(root.resolve(keyspace).resolve(table.name()));
    for (var file : table.files().entrySet()) {
      // A summary has no digest, either: Cassandra makes it again from the index, which is proven.
      if (closed) {
        throw new IOException("interrupted");
      }
      if (!file.getKey().endsWith("-Summary.db")) {
        archive.copy(file.getValue(), folder.resolve(file.getKey()));
      }
    }
    return folder;
  }

  static Path delete(Path folder) {
    try (var files = Files.walk(folder)) {
      files.sorted(Comparator.reverseOrder()).forEach(file -> file.toFile().delete());
    } catch (NoSuchFileException e) {
      return folder;
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
    return folder;
  }

  /** Whoever still unpacks ends with the file at hand. */
  private void remove() {
    closed = true;
    for (var attempt = 0; attempt < 50 && Files.exists(root); attempt++) {
      delete(root);
      LockSupport.parkNanos(20_000_000);
    }
  }

  @Override
  public void close() {
    remove();
    Runtime.getRuntime().removeShutdownHook(onExit);
  }
}
