import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;

/** A temporary folder of this JVM, by its process id: the next one deletes what a killed one left. */
final class OwnFolder {
  private OwnFolder() {}

  static Path create(String prefix) {
    var temporary = Path.of(System.getProperty("java.io.tmpdir"));
    try (var folders = Files.newDirectoryStream(temporary, prefix + "*")) {
      for (var folder : folders) {
        var pid = Long.parseLong(folder.getFileName().toString().substring(prefix.length()));
        var isLeft = ProcessHandle.of(pid).isEmpty() || pid == ProcessHandle.current().pid();
        if (isLeft && Files.isWritable(folder)) {
          delete(folder);
        }
      }
      return Files.createDirectory(temporary.resolve(prefix + ProcessHandle.current().pid()));
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }

  /**
   * Not file by file from here: what was started by a killed JVM may be deleting its own at this moment. Not by Script,
   * whose own hook ends whatever it started.
   */
  static void delete(Path folder) {
    try {
      new ProcessBuilder("rm", "-rf", folder.toString()).start().waitFor();
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    } catch (InterruptedException e) {
      throw new IllegalStateException(e);
    }
  }
}
