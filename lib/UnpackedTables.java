import java.io.Closeable;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.nio.file.attribute.PosixFilePermissions;
import java.util.Comparator;
import java.util.concurrent.locks.LockSupport;

/** Unpacks tables of a backup below a folder of its own, which is removed by {@code close()} and after Ctrl-C. */
final class UnpackedTables implements Closeable {
  private final Path root;
  private final String keyspace;
  private final Thread onExit = new Thread(this::remove);
  private volatile boolean closed;

  UnpackedTables(Path root, String keyspace) throws IOException {
    this.root = root;
    this.keyspace = keyspace;
    delete(root);
    Runtime.getRuntime().addShutdownHook(onExit);
    Files.createDirectories(root, PosixFilePermissions.asFileAttribute(PosixFilePermissions.fromString("rwx------")));
  }

  /**
   * Writes a table's SSTables into a folder of its own; SSTables are numbered anew, so those of several nodes do not
   * collide. The loader takes keyspace and table from the names of the last two folders.
   */
  Path unpack(CassandraBackup.Table table) throws IOException {
    var folder = Files.createDirectories(root.resolve(keyspace).resolve(table.name()));
    var number = 0;
    for (var sstable : table.sstables()) {
      var prefix = "%s-%d-big-".formatted(sstable.name().substring(0, 2), ++number);
      for (var component : sstable.components().entrySet()) {
        if (closed) {
          throw new IOException("interrupted");
        }
        // A summary has no digest. Cassandra makes it again from the index, which is proven.
        if (!component.getKey().equals(SSTableFiles.SUMMARY)) {
          sstable.archive().copy(component.getValue(), folder.resolve(prefix + component.getKey()));
        }
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

  /** Removes the folder. A running unpack stops after its current file. */
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
