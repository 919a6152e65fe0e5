//DEPS com.fasterxml.jackson.core:jackson-databind:2.23.0

import com.fasterxml.jackson.core.JsonProcessingException;
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

  /** A report and its file. */
  record Report(Path file, JsonNode content) {}

  /** The newest report of a script that fits. */
  static Optional<Report> newest(Path folder, String script, Predicate<JsonNode> fits) throws IOException {
    var byName = new TreeMap<String, Report>();
    try (var files = Files.newDirectoryStream(folder, script + "_*.json")) {
      for (var file : files) {
        read(file).ifPresent(report -> byName.put(file.toString(), report));
      }
    } catch (NoSuchFileException e) {
      return Optional.empty();
    }
    return byName.descendingMap().values().stream().filter(report -> fits.test(report.content())).findFirst();
  }

  /** A full disk leaves reports that are not whole: they say nothing. */
  private static Optional<Report> read(Path file) throws IOException {
    try {
      return Optional.of(new Report(file, Json.MAPPER.readTree(file.toFile())));
    } catch (JsonProcessingException e) {
      return Optional.empty();
    }
  }
}
