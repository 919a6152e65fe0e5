import java.nio.file.Path;
import java.time.Duration;
import java.util.Collection;
import java.util.Map;
import java.util.Optional;
import java.util.TreeMap;
import java.util.concurrent.Callable;

/** The restore point of which a restore takes its backups, for the plan. Only names and sizes are read for it. */
final class PlannedPoint {
  private PlannedPoint() {}

  /**
   * Returns the point and its verdict in one line. It is only told: a point that cannot be looked up stops no restore.
   *
   * @param chosen the backups that are restored
   * @param proven name of a snapshot that Elasticsearch was asked for and that is whole
   */
  static String line(Settings settings, Collection<Backup> chosen, Duration gap, Optional<String> proven) {
    try {
      var search = new RestorePointSearch();
      var markers = settings.path(ArchiveFolders.MARKERS);
      search.add("cassandra", BackupSet.ofNodes(ArchiveFolders.cassandra(settings)));
      search.add("elasticsearch", BackupSet.markers(markers));
      search.add("files", BackupSet.files(settings.path(ArchiveFolders.FILES)));
      search.add("s3", BackupSet.objects(settings.path(ArchiveFolders.S3)));
      Callable<Map<String, SnapshotState>> known = proven.isEmpty() ? null : () -> whole(proven.get());
      return of(search.find(markers, known, gap), chosen);
    } catch (RuntimeException e) {
      return "restore point: not known: " + Failure.of(e).getMessage();
    }
  }

  private static Map<String, SnapshotState> whole(String name) {
    var indices = new TreeMap<>(Map.of("of the plan", -1L));
    return Map.of(name, new SnapshotState(name, "", SnapshotState.SUCCESS, "", false, indices));
  }

  /** Describes the point of the backups; of several that share them, the one whose own they are: the oldest. */
  static String of(RestorePoints.All all, Collection<Backup> chosen) {
    return all.points().stream().filter(point -> chosen.stream().allMatch(backup -> holds(point, backup)))
        .reduce((newer, older) -> older)
        .map(point -> "restore point %s, %s: %s".formatted(point.point(), point.age(), point.verdictLine()))
        .orElse("restore point: none of those that ./jbang verify.java points lists");
  }

  private static boolean holds(RestorePoint point, Backup backup) {
    var path = backup.file().toAbsolutePath().normalize();
    return point.parts().stream().anyMatch(part -> part.snapshot() != null ? part.file().equals(backup.name())
        : Path.of(part.file()).toAbsolutePath().normalize().equals(path));
  }
}
