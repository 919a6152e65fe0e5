import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.time.Instant;
import java.time.LocalDateTime;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.concurrent.Callable;

/**
 * Lists the folders of the backups and asks for the snapshots: names, sizes and the repository's index, nothing else.
 */
final class RestorePointSearch {
  private static final Duration YOUNG = Duration.ofMinutes(1);
  private static final Duration BETWEEN_LOOKS = Duration.ofMillis(300);
  private final Instant started = Instant.now();
  private final List<RestorePoints.Source> sources = new ArrayList<>();
  private final List<String> missing = new ArrayList<>();

  /** Folders where nothing was found, and servers that could not be asked. */
  final List<String> notes = new ArrayList<>();

  /** Adds a part's backups; a folder that is not there is a note, where no other one has the attachments. */
  void add(String part, BackupSet backups) {
    var ofNodes = backups.isOfNodes();
    try {
      sources.add(new RestorePoints.Source(part, backups, ofNodes, backups.list(ofNodes, notes)));
    } catch (Failure e) {
      missing.add("%s: %s".formatted(backups.variable().name(), e.getMessage().replaceFirst("^no backup \\S+: ", "")));
      sources.add(new RestorePoints.Source(part, backups, ofNodes, List.of()));
    }
  }

  /**
   * Finds the points.
   *
   * @param markers folder of the markers, where the repository is, too
   * @param cluster asks Elasticsearch; null where it is not to be asked
   */
  RestorePoints.All find(Path markers, Callable<? extends Map<String, SnapshotState>> cluster, Duration gap) {
    var files = new ArrayList<BackupFile>();
    sources.stream().filter(source -> !source.name().equals("elasticsearch"))
        .forEach(source -> files.addAll(source.files()));
    var hasAttachments =
        sources.stream().anyMatch(source -> Set.of("files", "s3").contains(source.name()) && !source.files().isEmpty());
    missing.stream()
        .filter(note -> !hasAttachments
            || !note.startsWith(ArchiveFolders.FILES.name() + ":") && !note.startsWith(ArchiveFolders.S3.name() + ":"))
        .forEach(notes::add);
    var looked = new RestorePoints.Looked(snapshots(markers, cluster), growing(files), unreadable(files));
    return RestorePoints.of(sources, looked, gap, LocalDateTime.now());
  }

  private Snapshots snapshots(Path markers, Callable<? extends Map<String, SnapshotState>> cluster) {
    if (sources.stream().noneMatch(source -> source.name().equals("elasticsearch"))) {
      return Snapshots.NONE;
    }
    var why = new ArrayList<String>();
    var files = Optional.<Map<String, SnapshotState>>empty();
    try {
      files =
          Optional.ofNullable(Files.isDirectory(markers) ? SnapshotRepository.ofFolder(markers).orElse(null) : null);
      files.ifPresentOrElse(all -> {
      }, () -> why.add("%s holds no repository (no file index-<number>)".formatted(markers)));
    } catch (Failure e) {
      why.add(e.getMessage());
      notes.add(e.getMessage());
    }
    return new Snapshots(ask(cluster, why), files, String.join(", and ", why));
  }

  private Optional<? extends Map<String, SnapshotState>> ask(Callable<? extends Map<String, SnapshotState>> cluster,
      List<String> why) {
    try {
      return cluster == null ? Optional.empty() : Optional.of(cluster.call());
    } catch (Exception e) {
      why.add("Elasticsearch could not be asked: " + Failure.of(e).getMessage());
      notes.add("Elasticsearch could not be asked: " + Failure.of(e).getMessage());
      return Optional.empty();
    }
  }

  /** Files that grow, or that were written since this run began; only young ones are looked at twice. */
  private Set<Path> growing(List<BackupFile> files) {
    var young = new HashMap<Path, Long>();
    files.stream().filter(file -> file.changed().isAfter(started.minus(YOUNG)))
        .forEach(file -> young.put(file.file(), file.bytes()));
    var growing = new HashSet<Path>();
    if (young.isEmpty()) {
      return growing;
    }
    try {
      Thread.sleep(BETWEEN_LOOKS.toMillis());
      for (var file : young.keySet()) {
        if (Files.size(file) != young.get(file) || Files.getLastModifiedTime(file).toInstant().isAfter(started)) {
          growing.add(file);
        }
      }
    } catch (IOException | InterruptedException e) {
      notes.add("cannot look a second time at the youngest files: " + Failure.of(e).getMessage());
    }
    return growing;
  }

  private static Set<Path> unreadable(List<BackupFile> files) {
    var unreadable = new HashSet<Path>();
    files.stream().filter(file -> file.problem() == null && !Files.isReadable(file.file()))
        .forEach(file -> unreadable.add(file.file()));
    return unreadable;
  }
}
