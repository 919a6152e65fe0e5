import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.InvalidPathException;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.time.Duration;
import java.time.LocalDateTime;
import java.time.format.DateTimeFormatter;
import java.util.ArrayList;
import java.util.Collection;
import java.util.Comparator;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Optional;
import java.util.Set;
import java.util.stream.Collectors;

/**
 * The backups of one component, chosen by the names that the documented backup scripts give them.
 *
 * @param components the first parts of a name, such as {@code cassandra}
 * @param types the types that are read, such as {@code tar}
 */
record BackupSet(List<Path> folders, Set<String> components, Set<String> types) {
  static final DateTimeFormatter STAMP = BackupName.STAMP;
  /** Backups of one run start on all nodes within this time; what is further apart in one folder is another run. */
  private static final Duration ONE_RUN = Duration.ofMinutes(1);
  private static final Duration CLOCKS_DIFFER = Duration.ofMinutes(5);
  private static final int LISTED = 10;
  private static final String MOUNTED = "is the backup folder mounted, and are the settings loaded (restore.env)?";

  /** @param backups the one that gives the restore point first */
  record Chosen(List<Backup> backups, List<String> warnings) {
    Backup backup() {
      return backups.get(0);
    }
  }

  static BackupSet archives(Path folder, String... components) {
    return new BackupSet(List.of(folder), Set.of(components), BackupName.ARCHIVES);
  }

  /** The archives of attachments in a folder. */
  static BackupSet files(Path folder) {
    return archives(folder, "files");
  }

  /** The archives of attachments in a bucket. */
  static BackupSet objects(Path folder) {
    return archives(folder, "minio", "seaweedfs");
  }

  /** The archives of Cassandra, of one or several nodes. */
  static BackupSet ofNodes(List<Path> folders) {
    return new BackupSet(folders, Set.of("cassandra"), BackupName.ARCHIVES);
  }

  static BackupSet markers(Path folder) {
    return new BackupSet(List.of(folder), Set.of("elasticsearch"), BackupName.MARKERS);
  }

  /** True if several nodes may each have an archive of one restore point. */
  boolean isOfNodes() {
    return components.contains("cassandra");
  }

  /**
   * The newest backup, or the newest at or before the wanted restore point. A path, or a name with a type, is that
   * file.
   *
   * @param wanted null for the newest
   * @param gap backups of one restore point are at most this far apart
   */
  Chosen choose(String wanted, Duration gap) {
    return choose(wanted, gap, LocalDateTime.now());
  }

  Chosen choose(String wanted, Duration gap, LocalDateTime now) {
    return choose(wanted, gap, now, false);
  }

  /**
   * The newest archive with those of the other nodes of the same restore point: within the gap, and in other folders,
   * with other nodes in their names, or, where neither tells, in the same folder within a minute. Others within the gap
   * are other runs of the same node and passed over with a warning.
   */
  Chosen chooseAll(String wanted, Duration gap) {
    return chooseAll(wanted, gap, LocalDateTime.now());
  }

  Chosen chooseAll(String wanted, Duration gap, LocalDateTime now) {
    return choose(wanted, gap, now, true);
  }

  /** Requires a value of {@code --max-gap} that is not below zero. */
  static void requireGap(Duration gap) {
    if (gap.isNegative()) {
      throw new Failure(Exit.USAGE, "--max-gap %s is less than 0".formatted(gap), "give it a duration such as PT15M");
    }
  }

  private Chosen choose(String wanted, Duration gap, LocalDateTime now, boolean all) {
    requireGap(gap);
    var warnings = new ArrayList<String>();
    if (wanted != null && BackupName.isFile(wanted) && !isOfOtherComponent(wanted)) {
      var named = named(wanted);
      warnOfFuture(named, now, warnings);
      return new Chosen(List.of(named.backup()), warnings);
    }
    var until = wanted == null ? LocalDateTime.MAX : point(wanted);
    var files = list(all, warnings);
    folders.stream().filter(folder -> folders.size() > 1)
        .filter(folder -> files.stream().noneMatch(one -> folder.equals(one.file().getParent())))
        .forEach(folder -> warnings.add("%s, which %s names, holds no backup".formatted(folder, variable().name())));
    return choose(files, wanted, until, gap, now, all, warnings);
  }

  /**
   * The same among files that were listed already: nothing is read.
   *
   * @param files all with a backup's name and date, the oldest first
   * @param all true for those of all nodes
   */
  Chosen choose(List<BackupFile> files, LocalDateTime point, Duration gap, LocalDateTime now, boolean all) {
    return choose(files, STAMP.format(point), point, gap, now, all, new ArrayList<>());
  }

  private Chosen choose(List<BackupFile> files, String wanted, LocalDateTime until, Duration gap, LocalDateTime now,
      boolean all,
      List<String> warnings) {
    var chosen = newest(files, wanted, until, gap);
    files.stream()
        .filter(one -> one.problem() != null && one.taken().isAfter(chosen.taken()) && !one.taken().isAfter(until))
        .forEach(one -> warnings.add("%s is passed over: %s".formatted(one.file(), one.problem())));
    warnOfFuture(chosen, now, warnings);
    var others = all ? ofOtherNodes(chosen, files, gap, warnings) : List.<BackupFile>of();
    var backups = new ArrayList<>(List.of(chosen.backup()));
    others.forEach(other -> backups.add(other.backup()));
    return new Chosen(List.copyOf(backups), List.copyOf(warnings));
  }

  private static void warnOfFuture(BackupFile chosen, LocalDateTime now, List<String> warnings) {
    if (chosen.taken().isAfter(now.plus(CLOCKS_DIFFER))) {
      warnings.add(
          "the name of %s is of the future: check this host's clock and the backup host's".formatted(chosen.file()));
    }
  }

  /**
   * A file of another component names only its time here, such as an archive of Cassandra for Elasticsearch's marker.
   * Attachments are one component, in a folder or a bucket: such a file is meant.
   */
  private boolean isOfOtherComponent(String wanted) {
    return BackupName.of(wanted.substring(wanted.lastIndexOf('/') + 1)).map(BackupName::component)
        .filter(name -> !components.contains(name) && BackupName.COMPONENTS.contains(name))
        .filter(name -> !BackupName.ATTACHMENTS.contains(name) || !BackupName.ATTACHMENTS.containsAll(components))
        .isPresent();
  }

  private BackupFile named(String wanted) {
    var file = wanted.contains("/") ? path(wanted)
        : folders.stream().map(folder -> folder.resolve(wanted)).filter(Files::exists).findFirst()
            .orElse(folders.get(0).resolve(wanted));
    var name = BackupName.of(file.getFileName().toString());
    if (Files.isSymbolicLink(file) && !Files.exists(file)) {
      throw new Failure(Exit.BAD_BACKUP,
          "%s is a link to %s, which does not exist".formatted(file, BackupFile.target(file)),
          "check the path given with --backup");
    }
    if (!Files.isRegularFile(file)) {
      throw new Failure(Exit.BAD_BACKUP, (Files.exists(file) ? "not a file: " : "there is no file ") + file,
          alike(file));
    }
    if (name.isEmpty() || name.get().taken().isEmpty()
        || components.stream().noneMatch(name.get().component()::equalsIgnoreCase)) {
      throw new Failure(Exit.BAD_BACKUP, "%s does not have a backup's name: %s".formatted(file, pattern()),
          "rename it, or choose another with --backup");
    }
    if (!types.contains(name.get().type())) {
      throw new Failure(Exit.BAD_BACKUP, "%s is of a type that cannot be read".formatted(file), readable());
    }
    return BackupFile.of(file, name.get(), types);
  }

  private static Path path(String wanted) {
    try {
      return Path.of(wanted).getFileName() == null ? Path.of(wanted).resolve(".") : Path.of(wanted);
    } catch (InvalidPathException e) {
      throw new Failure(Exit.USAGE, "'%s' is not a path".formatted(EntryName.shown(wanted)),
          "check the path given with --backup");
    }
  }

  private static String alike(Path file) {
    var parent = file.toAbsolutePath().getParent();
    var name = file.getFileName().toString().split("\\.", 2)[0];
    try (var files = Files.list(parent)) {
      var alike = files.map(other -> other.getFileName().toString()).filter(other -> other.startsWith(name)).sorted()
          .limit(LISTED).toList();
      return alike.isEmpty() ? "check the path given with --backup"
          : "there is %s in %s".formatted(String.join(", ", alike), parent);
    } catch (IOException e) {
      return "check the path given with --backup";
    }
  }

  private static LocalDateTime point(String wanted) {
    var fileName = wanted.substring(wanted.lastIndexOf('/') + 1);
    return BackupName.point(wanted)
        .or(() -> BackupName.of(fileName).filter(name -> BackupName.isFile(wanted)).flatMap(BackupName::taken))
        .orElseThrow(() -> new Failure(Exit.USAGE, "'%s' is not a restore point".formatted(EntryName.shown(wanted)),
            "name one like 20261122_12h00m56s, cassandra_20261122_12h00m56s or the path of an archive"));
  }

  /**
   * All files with a backup's name and date, the oldest first.
   *
   * @param ofNodes true if a node in a name is as it should be
   */
  List<BackupFile> list(boolean ofNodes, List<String> warnings) {
    var all = new ArrayList<BackupFile>();
    for (var folder : folders) {
      for (var file : list(folder)) {
        var name = BackupName.of(file.getFileName().toString())
            .filter(of -> components.contains(of.component()) && !of.isBeside());
        if (name.isPresent() && name.get().taken().isEmpty()) {
          warnings.add("%s is passed over: its name has a date that does not exist".formatted(file));
        } else {
          name.map(of -> BackupFile.of(file, of, types))
              .ifPresent(one -> all.add(ofNodes || one.name().node().isEmpty() ? one : one.withOddName()));
        }
      }
    }
    all.sort(Comparator.comparing(BackupFile::taken).thenComparing(one -> one.file().toString()));
    return all;
  }

  private List<Path> list(Path folder) {
    try (var files = Files.list(folder)) {
      return files.toList();
    } catch (NoSuchFileException e) {
      throw new Failure(Exit.BAD_BACKUP, "no backup %s: there is no folder %s (%s)".formatted(pattern(), folder,
          variable().name()), MOUNTED);
    } catch (IOException e) {
      throw new Failure(Exit.BAD_BACKUP, "cannot list %s: %s".formatted(folder, Failure.of(e).getMessage()),
          "check its mode and owner");
    }
  }

  private BackupFile newest(List<BackupFile> candidates, String wanted, LocalDateTime until, Duration gap) {
    var usable = candidates.stream().filter(one -> one.problem() == null).toList();
    var chosen = usable.stream().filter(one -> !one.taken().isAfter(until)).reduce((first, last) -> last);
    var newer = unusable(candidates, until);
    if (newer.isPresent()) {
      throw new Failure(Exit.BAD_BACKUP, "%s is the newest backup%s, and cannot be used: %s".formatted(
          newer.get().file(), wanted == null ? "" : " at or before " + wanted, newer.get().problem()),
          readable() + chosen.map(older -> "; for the one before it: --backup " + older.name().stamp()).orElse(""));
    }
    requireNoneShortlyAfter(chosen, usable, wanted, until, gap);
    return chosen.orElseThrow(() -> new Failure(Exit.BAD_BACKUP, "no backup %s in %s%s".formatted(pattern(),
        shownFolders(),
        wanted == null ? "" : " at or before " + wanted), usable.isEmpty() ? MOUNTED : "there are: " + listed(usable)));
  }

  /** The newest backup at or before a time, if it cannot be used: it stands in the way of older ones. */
  static Optional<BackupFile> unusable(List<BackupFile> files, LocalDateTime until) {
    return files.stream().filter(one -> !one.taken().isAfter(until) && !one.isUnfinished())
        .reduce((first, last) -> first.taken().equals(last.taken()) && first.problem() == null ? first : last)
        .filter(one -> one.problem() != null);
  }

  /**
   * Parts of one run differ by seconds: a point named after its first part must not silently select yesterday's rest.
   */
  private static void requireNoneShortlyAfter(Optional<BackupFile> chosen, List<BackupFile> usable, String wanted,
      LocalDateTime until, Duration gap) {
    var next = usable.stream().filter(one -> one.taken().isAfter(until)).findFirst();
    if (next.isPresent() && Duration.between(until, next.get().taken()).compareTo(gap) <= 0
        && chosen.map(one -> Duration.between(one.taken(), until).compareTo(gap) > 0).orElse(true)) {
      throw new Failure(Exit.BAD_BACKUP,
          "%s was taken shortly after the restore point %s, and nothing shortly before it".formatted(
          next.get().backup().name(), wanted), "for that one: --backup " + next.get().name().stamp());
    }
  }

  private static String listed(List<BackupFile> usable) {
    var stamps = usable.stream().map(one -> one.name().stamp()).distinct().toList();
    return String.join(", ", stamps.subList(0, Math.min(LISTED, stamps.size())))
        + (stamps.size() > LISTED ? " and %d more".formatted(stamps.size() - LISTED) : "");
  }

  private List<BackupFile> ofOtherNodes(BackupFile chosen, List<BackupFile> candidates, Duration gap,
      List<String> warnings) {
    var sources = candidates.stream().filter(one -> one.problem() == null)
        .collect(Collectors.groupingBy(BackupFile::source, LinkedHashMap::new, Collectors.toList()));
    var others = new ArrayList<BackupFile>();
    for (var ofSource : sources.values()) {
      var near = ofSource.stream().filter(one -> apart(one, chosen).compareTo(gap) <= 0).toList();
      var nearest = ofSource.contains(chosen) ? Optional.of(chosen)
          : near.stream().min(Comparator.comparing(one -> apart(one, chosen)));
      if (nearest.isEmpty()) {
        warnings.add("%s has no backup within --max-gap of %s; its newest is %s".formatted(
            ofSource.get(0).source(), chosen.backup().name(), ofSource.get(ofSource.size() - 1).backup().name()));
        continue;
      }
      var run = run(nearest.get(), near);
      run.stream().filter(one -> one != chosen).forEach(others::add);
      near.stream().filter(one -> run.stream().noneMatch(taken -> taken.taken().equals(one.taken()))).forEach(one ->
      warnings.add("%s is passed over: by its name it is another run of the node of %s".formatted(one.file(),
          nearest.get().file().getFileName())
          + (one.name().node().isEmpty()
              ? "; archives of several nodes need cassandra_<node>_<timestamp>.tar or a folder each" : "")));
    }
    return others;
  }

  /** The archives of one run; where no name tells of a node, those within a minute are of several nodes. */
  private static List<BackupFile> run(BackupFile nearest, List<BackupFile> near) {
    if (!nearest.name().node().isEmpty()) {
      return List.of(nearest);
    }
    var byTime = new LinkedHashMap<LocalDateTime, BackupFile>();
    near.stream().filter(one -> apart(one, nearest).compareTo(ONE_RUN) <= 0)
        .forEach(one -> byTime.put(one.taken(), one));
    byTime.put(nearest.taken(), nearest); // the same one in two types is one
    return List.copyOf(byTime.values());
  }

  private static Duration apart(BackupFile one, BackupFile other) {
    return Duration.between(one.taken(), other.taken()).abs();
  }

  private String pattern() {
    return sorted(components).get(0) + "_<timestamp>." + String.join("|", sorted(types));
  }

  /** The variable that names the folder. */
  Variable variable() {
    return switch (sorted(components).get(0)) {
      case "cassandra" -> ArchiveFolders.CASSANDRA;
      case "elasticsearch" -> ArchiveFolders.MARKERS;
      case "files" -> ArchiveFolders.FILES;
      default -> ArchiveFolders.S3;
    };
  }

  private String readable() {
    return "types that can be read: " + String.join(", ", sorted(types));
  }

  private static List<String> sorted(Collection<String> texts) {
    return texts.stream().sorted().toList();
  }

  private String shownFolders() {
    return folders.stream().map(Path::toString).collect(Collectors.joining(", ", "", " (" + variable().name() + ")"));
  }
}
