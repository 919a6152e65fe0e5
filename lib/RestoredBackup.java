//DEPS com.fasterxml.jackson.core:jackson-databind:2.23.0

import com.fasterxml.jackson.databind.JsonNode;
import java.io.IOException;
import java.nio.file.Path;
import java.time.Instant;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.function.Predicate;

/**
 * The backup that the newest successful restore of a part took.
 *
 * @param backup its name or its path
 * @param report the file that says so
 * @param end when the restore ended
 * @param details what the report says of the part
 */
record RestoredBackup(String backup, Path report, Instant end, JsonNode details) {
  /**
   * Looks for the report.
   *
   * @param folder of the reports
   * @param script that restores the part
   * @param section of the report that is about the part; empty for the whole report
   * @param fits true for a report about the target of this run
   */
  static Optional<RestoredBackup> newest(Path folder, String script, String section, Predicate<JsonNode> fits)
      throws IOException {
    var report = RunReports.newest(folder, script,
        one -> one.path("exit").asInt(-1) == Exit.DONE && !backup(one.at(section)).isEmpty()
        && fits.test(one.at(section)));
    return report.map(one -> new RestoredBackup(backup(one.content().at(section)), one.file(), end(one.content()),
        one.content().at(section)));
  }

  /** The archives, more than one where each node has its own. */
  List<String> archives() {
    var archives = new ArrayList<String>();
    details.path("archives").forEach(archive -> archives.add(archive.asText()));
    return archives.isEmpty() ? List.of(backup) : archives;
  }

  boolean isOf(Backup other) {
    var name = backup.replaceFirst(".*/", "");
    return name.equals(other.name()) || name.startsWith(other.name() + ".");
  }

  private static String backup(JsonNode details) {
    return details.path("archives").path(0).asText(details.path("archive").asText(details.path("backup").asText()));
  }

  private static Instant end(JsonNode report) {
    return Instant.parse(report.path("started").asText()).plusMillis((long) (report.path("seconds").asDouble() * 1000));
  }
}
