//DEPS com.fasterxml.jackson.core:jackson-databind:2.23.0

import com.fasterxml.jackson.databind.JsonNode;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.util.Optional;
import java.util.TreeMap;
import java.util.function.Predicate;

/** The reports that the restore scripts left beside the archives, or in RESTORE_STATE_PATH. */
final class RunReports {
  private RunReports() {}

  /** The newest report of a script that fits. */
  static Optional<JsonNode> newest(Path folder, String script, Predicate<JsonNode> fits) throws IOException {
    var byName = new TreeMap<String, JsonNode>();
    try (var files = Files.newDirectoryStream(folder, script + "_*.json")) {
      for (var file : files) {
        byName.put(file.toString(), Json.MAPPER.readTree(file.toFile()));
      }
    } catch (NoSuchFileException e) {
      return Optional.empty();
    }
    return byName.descendingMap().values().stream().filter(fits).findFirst();
  }
}
