import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.time.Duration;
import java.time.LocalDateTime;
import java.time.format.DateTimeFormatter;
import java.time.format.DateTimeParseException;
import java.util.Comparator;
import java.util.List;
import java.util.Optional;
import java.util.Set;
import java.util.regex.Pattern;
import java.util.stream.Collectors;

/** Chooses backups by the names that the documented backup scripts give them. */
final class BackupSet {
  static final DateTimeFormatter STAMP = DateTimeFormatter.ofPattern("uuuuMMdd_HH'h'mm'm'ss's'");
  private static final Pattern NAME =
      Pattern.compile("(?<component>[a-z]+)_(?<stamp>\\d{8}_\\d\\dh\\d\\dm\\d\\ds)(\\.(?<type>[a-z.]+))?");

  private BackupSet() {}

  /**
   * The newest backup in a folder, or the newest at or before the wanted restore point.
   *
   * @param components the accepted first parts of a name, such as {@code cassandra}
   * @param types the accepted extensions, such as {@code tar}
   * @param wanted a timestamp, a name or a path; null for the newest
   * @param gap parts of one backup run are at most this far apart
   */
  static Backup choose(Path folder, Set<String> components, Set<String> types, String wanted, Duration gap) {
    var what = components.iterator().next() + "_<timestamp>." + types.stream().sorted().collect(Collectors.joining("|"));
    var all = list(folder, what).stream()
        .flatMap(file -> backup(file, components, types).stream())
        .sorted(Comparator.comparing(Backup::taken).thenComparing(b -> b.file().toString()))
        .toList();
    if (wanted != null && wanted.contains("/") && backup(Path.of(wanted), components, types).isPresent()) {
      return existing(backup(Path.of(wanted), components, types).get());
    }
    var until = wanted == null ? LocalDateTime.MAX : time(wanted);
    var chosen = all.stream().filter(b -> !b.taken().isAfter(until)).reduce((first, last) -> last);
    var next = all.stream().filter(b -> b.taken().isAfter(until)).findFirst();
    // Parts of one run differ by seconds: a point named after its first part must not silently select yesterday's rest.
    if (next.isPresent() && Duration.between(until, next.get().taken()).compareTo(gap) <= 0
        && chosen.map(b -> Duration.between(b.taken(), until).compareTo(gap) > 0).orElse(true)) {
      throw new Failure(Exit.BAD_BACKUP,
          "%s was taken shortly after the restore point %s, and nothing shortly before it".formatted(next.get().name(), wanted),
          "for that one: --backup " + STAMP.format(next.get().taken()));
    }
    return chosen.orElseThrow(() -> new Failure(Exit.BAD_BACKUP,
        "no backup %s in %s%s".formatted(what, folder, wanted == null ? "" : " at or before " + wanted),
        "is the backup folder mounted, and is its variable right?"));
  }

  private static List<Path> list(Path folder, String what) {
    try (var files = Files.list(folder)) {
      return files.toList();
    } catch (NoSuchFileException e) {
      throw new Failure(Exit.BAD_BACKUP, "no backup %s: there is no folder %s".formatted(what, folder),
          "is the backup folder mounted, and is its variable right?");
    } catch (IOException e) {
      throw new Failure(Exit.BAD_BACKUP, "cannot list %s: %s".formatted(folder, e.getMessage()), "check its mode and owner");
    }
  }

  private static Optional<Backup> backup(Path file, Set<String> components, Set<String> types) {
    var match = NAME.matcher(file.getFileName().toString());
    if (!match.matches() || match.group("type") == null
        || !components.contains(match.group("component")) || !types.contains(match.group("type"))) {
      return Optional.empty();
    }
    try {
      var taken = LocalDateTime.parse(match.group("stamp"), STAMP);
      return Optional.of(new Backup(file, match.group("component") + "_" + match.group("stamp"), taken));
    } catch (DateTimeParseException e) {
      return Optional.empty(); // no date: not a backup's name
    }
  }

  private static Backup existing(Backup backup) {
    if (!Files.isRegularFile(backup.file())) {
      throw new Failure(Exit.BAD_BACKUP, "there is no file " + backup.file(), "check the path given with --backup");
    }
    return backup;
  }

  private static LocalDateTime time(String wanted) {
    var stamp = Pattern.compile("\\d{8}_\\d\\dh\\d\\dm\\d\\ds").matcher(wanted);
    try {
      return LocalDateTime.parse(stamp.find() ? stamp.group() : wanted, STAMP);
    } catch (DateTimeParseException e) {
      throw new Failure(Exit.USAGE, "'%s' is not a restore point".formatted(wanted),
          "name one like 20261122_12h00m56s, cassandra_20261122_12h00m56s or the path of an archive");
    }
  }
}
