//DEPS com.fasterxml.jackson.core:jackson-databind:2.23.0

import com.fasterxml.jackson.databind.JsonNode;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.function.Predicate;
import java.util.stream.Stream;

/**
 * The targets of the checks, and the folders of the reports of their restores.
 *
 * @param databases folder of the reports of restore-cassandra-es
 * @param files folder of those of restore-files-nfs
 * @param s3 folder of those of restore-files-minio
 */
record RestoreTargets(Path databases, String keyspace, Path files, String folder, Path s3, String bucket) {
  /** The parts in the order in which they are restored. */
  static final List<String> PARTS = List.of("cassandra", "elasticsearch", "files", "s3");

  /** @param backup as {@code --backup} names it; null for the newest */
  static RestoreTargets of(CommonSettings common, Path cassandra, String keyspace, FolderSettings files, S3Settings s3,
      String backup) throws IOException {
    var folder = files.folder();
    return new RestoreTargets(common.stateFolder(cassandra, backup), keyspace,
        common.stateFolder(files.archives(), backup), "" + (Files.exists(folder) ? folder.toRealPath() : folder),
        common.stateFolder(s3.archives(), backup), s3.bucket());
  }

  /** By part, the backup that its newest successful restore took. */
  Map<String, RestoredBackup> restored() throws IOException {
    var restored = new LinkedHashMap<String, RestoredBackup>();
    for (var part : PARTS) {
      RestoredBackup.newest(state(part), script(part), section(part), json -> names(part, json, false))
          .ifPresent(one -> restored.put(part, one));
    }
    return restored;
  }

  /**
   * By part, the report of its newest restore, if that took the backup or failed.
   *
   * @param backups the names of the backups, by part
   */
  Map<String, RestoreReport> reports(Map<String, String> backups) throws IOException {
    var reports = new LinkedHashMap<String, RestoreReport>();
    for (var part : PARTS) {
      newest(part).map(RestoreReport::of).filter(report -> report.part(part).isPresent()
          && (!report.part(part).get().error().isEmpty() || isOf(report.part(part).get(), backups.get(part))))
          .ifPresent(report -> reports.put(part, report));
    }
    return reports;
  }

  /** Restores that were begun and did not come to their end. */
  List<String> unfinished() {
    var unfinished = new ArrayList<String>();
    Stream.of(databases, files, s3).distinct().filter(Files::isDirectory).forEach(folder ->
        UnfinishedRestores.in(folder).forEach((script, parts) -> unfinished.add(script + ": " + parts)));
    return unfinished;
  }

  private Optional<RunReports.Report> newest(String part) throws IOException {
    Predicate<JsonNode> fits = json -> json.hasNonNull("started") && (section(part).isEmpty() || json.has(part))
        && names(part, json.at(section(part)), true);
    return RunReports.newest(state(part), script(part), fits);
  }

  private static boolean isOf(RestoreReport.Part part, String backup) {
    return backup != null && part.archives().stream().map(archive -> archive.replaceFirst(".*/", ""))
        .anyMatch(name -> name.equals(backup) || name.startsWith(backup + "."));
  }

  /** True if a report names the target, or if it failed before it could. */
  private boolean names(String part, JsonNode json, boolean orFailed) {
    return switch (part) {
      case "cassandra" -> json.path("keyspace").asText().equals(keyspace);
      case "elasticsearch" -> true;
      case "files" -> json.path("folder").asText().equals(folder) || orFailed && !json.has("folder");
      default -> json.path("bucket").asText().equals(bucket) || orFailed && !json.has("bucket");
    };
  }

  private Path state(String part) {
    return switch (part) {
      case "files" -> files;
      case "s3" -> s3;
      default -> databases;
    };
  }

  private static String script(String part) {
    return switch (part) {
      case "files" -> "restore-files-nfs";
      case "s3" -> "restore-files-minio";
      default -> "restore-cassandra-es";
    };
  }

  private static String section(String part) {
    return part.equals("files") || part.equals("s3") ? "" : "/" + part;
  }
}
