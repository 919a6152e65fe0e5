//SOURCES SearchServer.java
//SOURCES ../../lib/ArchiveFolders.java
//SOURCES ../../lib/Backup.java
//SOURCES ../../lib/BackupFile.java
//SOURCES ../../lib/BackupName.java
//SOURCES ../../lib/BackupSet.java
//SOURCES ../../lib/Count.java
//SOURCES ../../lib/EntryName.java
//SOURCES ../../lib/Exit.java
//SOURCES ../../lib/Failure.java
//SOURCES ../../lib/Json.java
//SOURCES ../../lib/RestorePoint.java
//SOURCES ../../lib/RestorePointSearch.java
//SOURCES ../../lib/RestorePoints.java
//SOURCES ../../lib/Settings.java
//SOURCES ../../lib/SnapshotFile.java
//SOURCES ../../lib/SnapshotRepository.java
//SOURCES ../../lib/SnapshotState.java
//SOURCES ../../lib/Snapshots.java
//SOURCES ../../lib/TheHiveConfig.java
//SOURCES ../../lib/Variable.java

import java.io.IOException;
import java.nio.file.FileVisitResult;
import java.nio.file.FileVisitOption;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.SimpleFileVisitor;
import java.nio.file.attribute.BasicFileAttributes;
import java.time.Duration;
import java.util.ArrayList;
import java.util.EnumSet;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.SortedSet;
import java.util.TreeMap;
import java.util.TreeSet;
import java.util.stream.Collectors;
import java.util.stream.Stream;

/**
 * The folders of a site's backups. They are only read.
 *
 * @param cassandra one, or one for each node
 * @param markers of the markers {@code elasticsearch_<timestamp>.info}
 * @param repository of the snapshots
 * @param files of the attachments' archives, where they are kept in a folder
 * @param objects of the attachments' archives, where they are kept in a bucket
 */
record SiteBackup(List<Path> cassandra, Path markers, Path repository, Optional<Path> files, Optional<Path> objects) {
  static final Variable KEYSPACE = Variable.withDefault("CASSANDRA_KEYSPACE", "thehive");
  private static final int DEPTH = 4;
  private static final Duration GAP = Duration.ofMinutes(15);
  private static final String REPOSITORY = "repository";
  /** A repository's folder of data: large, and without backups. */
  private static final String INDICES = "indices";

  /** A restore point with all that a rehearsal has to know of it. */
  record Point(RestorePoint point, SearchServer search, List<String> indices) {
    long bytes(String part) {
      return point.parts().stream().filter(one -> one.part().equals(part))
          .mapToLong(one -> one.bytes() == null ? 0 : one.bytes()).sum();
    }

    boolean has(String part) {
      return point.parts().stream().anyMatch(one -> one.part().equals(part));
    }
  }

  /** Those that the variables name, which the restores read. */
  static SiteBackup of(Settings settings, Optional<Path> repository) {
    var markers = settings.path(ArchiveFolders.MARKERS).toAbsolutePath();
    return new SiteBackup(
        ArchiveFolders.cassandra(settings).stream().map(Path::toAbsolutePath).toList(),
        markers, repository.orElse(markers), folder(settings, ArchiveFolders.FILES),
        folder(settings, ArchiveFolders.S3));
  }

  /** A folder by its default name counts only where there is one. */
  private static Optional<Path> folder(Settings settings, Variable variable) {
    var path = settings.path(variable).toAbsolutePath();
    return Optional.of(path).filter(folder -> settings.isSet(variable) || Files.isDirectory(folder));
  }

  /** Those that are found in or below a folder, by the names that the documented backup gives its files. */
  static SiteBackup in(Path set, Optional<Path> repository) throws IOException {
    if (!Files.isDirectory(set)) {
      throw new Failure(Exit.USAGE, "there is no folder " + set, "--backup-set names the folder of the backups");
    }
    var folders = folders(set);
    var markers = only(folders, "elasticsearch", set, "elasticsearch_<timestamp>.info", ArchiveFolders.MARKERS);
    var cassandra = folders.getOrDefault("cassandra", new TreeSet<>());
    if (cassandra.isEmpty() || markers.isEmpty()) {
      throw new Failure(Exit.BAD_BACKUP, "%s holds no backup %s".formatted(set,
          cassandra.isEmpty() ? "cassandra_<timestamp>.tar" : "elasticsearch_<timestamp>.info"),
          "name the folder that holds the backups of both databases and of the attachments");
    }
    return new SiteBackup(List.copyOf(cassandra), markers.get(),
        repository.orElseGet(() -> repository(folders, markers.get(), set)),
        only(folders, "files", set, "files_<timestamp>.tar", ArchiveFolders.FILES),
        only(folders, "objects", set, "minio_<timestamp>.tar", ArchiveFolders.S3));
  }

  private static Optional<Path> only(Map<String, SortedSet<Path>> folders, String part, Path set, String name,
      Variable variable) {
    var found = folders.getOrDefault(part, new TreeSet<>());
    if (found.size() > 1) {
      throw new Failure(Exit.USAGE, "%s has %d folders with backups %s: %s".formatted(set, found.size(), name,
          found.stream().map(Path::toString).collect(Collectors.joining(", "))),
          "set %s and the others like it, and use --rehearse".formatted(variable.name()));
    }
    return found.stream().findFirst();
  }

  /** That of the markers, as documented; else the only one there is. */
  private static Path repository(Map<String, SortedSet<Path>> folders, Path markers, Path set) {
    var found = folders.getOrDefault(REPOSITORY, new TreeSet<>());
    if (found.contains(markers)) {
      return markers;
    }
    if (found.size() != 1) {
      throw new Failure(Exit.BAD_BACKUP, "%s holds %s of Elasticsearch's snapshots".formatted(set,
          found.isEmpty() ? "no repository" : found.size() + " repositories"),
          "--repository names the folder that holds its files index-<number> and indices");
    }
    return found.first();
  }

  /** The folders by what they hold; what this user may not read is passed over. */
  private static Map<String, SortedSet<Path>> folders(Path set) throws IOException {
    var folders = new TreeMap<String, SortedSet<Path>>();
    Files.walkFileTree(set.toAbsolutePath().normalize(), EnumSet.of(FileVisitOption.FOLLOW_LINKS), DEPTH,
        new SimpleFileVisitor<>() {
          @Override
          public FileVisitResult preVisitDirectory(Path folder, BasicFileAttributes attributes) {
            return folder.endsWith(INDICES) ? FileVisitResult.SKIP_SUBTREE : FileVisitResult.CONTINUE;
          }

          @Override
          public FileVisitResult visitFile(Path file, BasicFileAttributes attributes) {
            part(file.getFileName().toString())
                .ifPresent(part -> folders.computeIfAbsent(part, any -> new TreeSet<>()).add(file.getParent()));
            return FileVisitResult.CONTINUE;
          }

          @Override
          public FileVisitResult visitFileFailed(Path file, IOException e) {
            return FileVisitResult.CONTINUE;
          }
        });
    return folders;
  }

  /** The part that a file belongs to by its name. */
  static Optional<String> part(String fileName) {
    if (fileName.matches("index-\\d+")) {
      return Optional.of(REPOSITORY);
    }
    return BackupName.of(fileName).filter(name -> name.component().equals("elasticsearch")
        ? BackupName.MARKERS.contains(name.type()) : BackupName.ARCHIVES.contains(name.type()))
        .map(name -> Set.of("minio", "seaweedfs").contains(name.component()) ? "objects" : name.component())
        .filter(Set.of("cassandra", "elasticsearch", "files", "objects")::contains);
  }

  /**
   * The newest restore point, or the newest at or before the wanted one. Nothing is read but names, sizes and the
   * repository's index.
   */
  Point choose(String wanted) throws IOException {
    var search = new RestorePointSearch();
    search.add("cassandra", BackupSet.ofNodes(cassandra));
    search.add("elasticsearch", BackupSet.markers(markers));
    files.ifPresent(folder -> search.add("files", BackupSet.files(folder)));
    objects.ifPresent(folder -> search.add("s3", BackupSet.objects(folder)));
    var points = search.find(repository, null, GAP).points();
    var point = choose(points, wanted).orElseThrow(() -> new Failure(Exit.BAD_BACKUP,
        points.isEmpty() ? "there is no restore point: " + String.join("; ", search.notes)
            : "there is no restore point at or before %s".formatted(wanted),
        points.isEmpty() ? "--backup-set names the folder of the backups"
            : "there are: " + points.stream().map(RestorePoint::point).limit(10).collect(Collectors.joining(", "))));
    if (point.verdict() != RestorePoint.State.COMPLETE) {
      throw new Failure(Exit.BAD_BACKUP,
          "the restore point %s is %s".formatted(point.point(), point.verdictLine().substring(2)),
          "./jbang verify.java points lists them all; --backup names another one");
    }
    var snapshot = point.parts().stream().filter(part -> part.part().equals("elasticsearch")).findFirst().orElseThrow();
    return new Point(point, searchServer(snapshot.file()), List.copyOf(snapshot.indices().keySet()));
  }

  /**
   * The newest whose backup is not still being taken, or the newest at or before the wanted one.
   *
   * @param points the newest first
   */
  static Optional<RestorePoint> choose(List<RestorePoint> points, String wanted) {
    if (wanted == null) {
      return points.stream().filter(point -> !point.running()).findFirst();
    }
    var time = BackupName.point(wanted).map(BackupSet.STAMP::format).orElseThrow(() -> new Failure(Exit.USAGE,
        "'%s' is not a restore point".formatted(EntryName.shown(wanted)), "name one like 20261122_12h00m56s"));
    return points.stream().filter(point -> point.point().compareTo(time) <= 0).findFirst();
  }

  private SearchServer searchServer(String snapshot) throws IOException {
    var version = version(repository, snapshot);
    return SearchServer.of(version).orElseThrow(() -> new Failure(Exit.UNSAFE,
        "snapshot %s was taken by version %s, and nothing that reads it can be started here".formatted(snapshot,
            version.isEmpty() ? "unknown" : version),
        "rehearse it on servers of your own: see the runbook in README.md"));
  }

  /** The version that took a snapshot, as the repository's index tells; else as the snapshot's own file does. */
  static String version(Path repository, String snapshot) throws IOException {
    var index = SnapshotRepository.index(repository, SnapshotRepository.names(repository));
    if (index.isEmpty()) {
      return "";
    }
    for (var one : Json.MAPPER.readTree(index.get().toFile()).path("snapshots")) {
      if (one.path("name").asText().equals(snapshot)) {
        var file = repository.resolve("snap-%s.dat".formatted(one.path("uuid").asText()));
        // from 8.11 on the version is 8.11.0 for ever, and a number beside it goes on
        return one.has("index_version") ? one.path("index_version").asText()
            : one.has("version") ? one.path("version").asText() : SnapshotFile.read(Files.readAllBytes(file)).path("snapshot").path("version_id").asText();
      }
    }
    return "";
  }

  /** The variables by which the scripts find the archives. */
  Map<String, String> settings() {
    var settings = new TreeMap<String, String>();
    settings.put(ArchiveFolders.CASSANDRA.name(),
        cassandra.stream().map(Path::toString).collect(Collectors.joining(",")));
    settings.put(ArchiveFolders.MARKERS.name(), markers.toString());
    files.ifPresent(folder -> settings.put(ArchiveFolders.FILES.name(), folder.toString()));
    objects.ifPresent(folder -> settings.put(ArchiveFolders.S3.name(), folder.toString()));
    return settings;
  }

  /** All folders, to be named. */
  List<Path> all() {
    var all = new ArrayList<>(cassandra);
    all.addAll(List.of(markers, repository));
    Stream.of(files, objects).flatMap(Optional::stream).forEach(all::add);
    return all.stream().distinct().toList();
  }
}
