import java.nio.file.Path;
import java.time.Duration;
import java.time.LocalDateTime;
import java.util.ArrayList;
import java.util.Collection;
import java.util.Comparator;
import java.util.HashMap;
import java.util.HashSet;
import java.util.LinkedHashMap;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Map;
import java.util.NavigableMap;
import java.util.Optional;
import java.util.Set;
import java.util.TreeMap;
import java.util.TreeSet;
import java.util.stream.Collectors;
import java.util.stream.Stream;

/**
 * The restore points that a listing of the backups holds. A point is a time: its archives are those that the restores
 * themselves choose for {@code --backup} with that time, so the two cannot differ.
 */
final class RestorePoints {
  /** How long an archive of a node is missed when it no longer comes. */
  private static final Duration MISSED = Duration.ofDays(7);
  private static final Set<String> ATTACHMENTS = Set.of("files", "s3");

  /**
   * The backups of a part of TheHive.
   *
   * @param name cassandra, elasticsearch, files or s3
   * @param ofNodes true if several nodes may each have an archive
   * @param files the oldest first
   */
  record Source(String name, BackupSet backups, boolean ofNodes, List<BackupFile> files) {}

  /**
   * Facts about the backups beside names and sizes.
   *
   * @param growing files that are being written
   * @param unreadable files that this user may not read
   */
  record Looked(Snapshots snapshots, Set<Path> growing, Set<Path> unreadable) {}

  /** The choice of a part: files, or one that stands in their way, or why there is none. */
  private record Choice(Source source, List<BackupFile> files, Optional<BackupFile> inTheWay, String none,
      List<String> warnings) {
    Stream<BackupFile> all() {
      return Stream.concat(files.stream(), inTheWay.stream());
    }
  }

  /** The archives that the restores choose for a time. */
  private record Selection(LocalDateTime time, List<Choice> choices) {
    Set<BackupFile> files() {
      return choices.stream().flatMap(Choice::all).collect(Collectors.toCollection(LinkedHashSet::new));
    }

    long parts() {
      return choices.stream().filter(choice -> choice.all().findAny().isPresent()).count();
    }

    Duration spread() {
      return spread(files());
    }

    static Duration spread(Collection<BackupFile> files) {
      var times = files.stream().map(BackupFile::taken).sorted().toList();
      return times.isEmpty() ? Duration.ZERO : Duration.between(times.get(0), times.get(times.size() - 1));
    }
  }

  private final List<Source> sources;
  private final Looked looked;
  private final Duration gap;
  private final LocalDateTime now;
  private final Map<LocalDateTime, Selection> selections = new HashMap<>();
  /** The selection that each file fits best into. */
  private final Map<BackupFile, Selection> homes = new LinkedHashMap<>();

  private RestorePoints(List<Source> sources, Looked looked, Duration gap, LocalDateTime now) {
    this.sources = sources;
    this.looked = looked;
    this.gap = gap;
    this.now = now;
    var times = sources.stream().flatMap(source -> source.files().stream()).filter(file -> !file.isUnfinished())
        .map(BackupFile::taken)
        .collect(Collectors.toCollection(TreeSet::new));
    sources.forEach(source -> source.files()
        .forEach(file -> times.subSet(file.taken(), true, file.taken().plus(gap), true).stream()
        .map(this::select).filter(selection -> selection.files().contains(file))
            .max(Comparator.comparing(Selection::parts).thenComparing(Selection::spread, Comparator.reverseOrder())
                .thenComparing(Selection::time))
        .ifPresent(best -> homes.put(file, best))));
  }

  /** All points, the newest first, and below them what belongs to none. */
  record All(List<RestorePoint> points, Map<String, String> others) {}

  static All of(List<Source> sources, Looked looked, Duration gap, LocalDateTime now) {
    var points = new RestorePoints(sources, looked, gap, now);
    var byTime = new TreeMap<LocalDateTime, Selection>();
    points.homes.values().forEach(selection -> byTime.put(selection.time(), selection));
    byTime.values().removeIf(selection -> points.isOfAnother(selection,
        List.copyOf(byTime.subMap(selection.time().minus(gap), selection.time().plus(gap)).values())));
    return new All(byTime.descendingMap().values().stream().map(selection -> points.point(selection, byTime)).toList(),
        points.others(byTime.values()));
  }

  private Selection select(LocalDateTime time) {
    return selections.computeIfAbsent(time,
        key -> new Selection(time, sources.stream().map(source -> choose(source, time)).toList()));
  }

  private Choice choose(Source source, LocalDateTime time) {
    var near = between(source.files(), time.minus(gap).minus(gap), time.plus(gap));
    var inTheWay = BackupSet.unusable(near, time).filter(file -> isNear(file, time));
    if (inTheWay.isPresent()) {
      return new Choice(source, List.of(), inTheWay, "", List.of());
    }
    try {
      var chosen = source.backups().choose(near, time, gap, now, source.ofNodes());
      var files = chosen.backups().stream()
          .map(backup -> near.stream().filter(file -> file.file().equals(backup.file())).findFirst().orElseThrow())
          .toList();
      return isNear(files.get(0), time) ? new Choice(source, files, Optional.empty(), "", chosen.warnings())
          : none(source, time);
    } catch (Failure e) {
      return none(source, time);
    }
  }

  private boolean isNear(BackupFile file, LocalDateTime time) {
    return !file.taken().isBefore(time.minus(gap));
  }

  /** A restore of that part alone would take an older one: it is named. */
  private static Choice none(Source source, LocalDateTime time) {
    var older = between(source.files(), LocalDateTime.MIN, time);
    return new Choice(source, List.of(), Optional.empty(), older.isEmpty() ? ""
        : " (the one before it: %s)".formatted(older.get(older.size() - 1).backup().name()), List.of());
  }

  /** The files of a time, both ends included; by halving, as there may be thousands. */
  private static List<BackupFile> between(List<BackupFile> files, LocalDateTime first, LocalDateTime last) {
    return files.subList(firstAfter(files, first, true), firstAfter(files, last, false));
  }

  private static int firstAfter(List<BackupFile> files, LocalDateTime time, boolean orAt) {
    var low = 0;
    var high = files.size();
    while (low < high) {
      var middle = (low + high) >>> 1;
      var order = files.get(middle).taken().compareTo(time);
      if (order > 0 || orAt && order == 0) {
        high = middle;
      } else {
        low = middle + 1;
      }
    }
    return low;
  }

  /**
   * True if all that is its own is an unusable archive of one node, next to usable ones of other nodes: it is named
   * there.
   */
  private boolean isOfAnother(Selection selection, List<Selection> near) {
    var own = selection.files().stream().filter(file -> homes.get(file) == selection).toList();
    return own.stream().allMatch(file -> file.problem() != null
        && near.stream().anyMatch(other -> other != selection && unusable(other).contains(file)));
  }

  /** Archives of nodes that have no other one in the selection, and cannot be used. */
  private List<BackupFile> unusable(Selection selection) {
    var unusable = new ArrayList<BackupFile>();
    var nodes = sourcesOf(selection);
    for (var choice : selection.choices()) {
      if (choice.source().ofNodes() && !choice.files().isEmpty()) {
        between(choice.source().files(), selection.time().minus(gap), selection.time()).stream()
            .filter(file -> file.problem() != null && !file.isUnfinished() && !nodes.contains(file.source()))
            .forEach(unusable::add);
      }
    }
    return unusable;
  }

  private RestorePoint point(Selection selection, NavigableMap<LocalDateTime, Selection> all) {
    var judgement = new Judgement();
    var parts = new ArrayList<RestorePoint.Part>();
    for (var choice : selection.choices()) {
      choice.inTheWay().ifPresent(file -> judgement.addUnreadable(file, file.problem()));
      choice.files().forEach(file -> parts.add(part(choice, file, selection, judgement)));
      choice.warnings().forEach(judgement.notes::add);
    }
    unusable(selection).forEach(file -> judgement.addUnreadable(file, file.problem()));
    requireParts(selection, judgement);
    requireNodes(selection, all, judgement);
    requireOneRun(selection, judgement);
    var backup = new Backup(Path.of(""), "", selection.time());
    return new RestorePoint(BackupSet.STAMP.format(selection.time()),
        selection.time().isAfter(now) ? "in the future" : backup.age(now),
        judgement.state, judgement.running, List.copyOf(judgement.reasons), List.copyOf(parts),
        List.copyOf(judgement.notes));
  }

  /** The verdict of a point while it is made: the worst reason counts. */
  private static final class Judgement {
    RestorePoint.State state = RestorePoint.State.COMPLETE;
    boolean running;
    final List<String> reasons = new ArrayList<>();
    final Set<String> notes = new LinkedHashSet<>();

    void addUnreadable(BackupFile file, String reason) {
      add(RestorePoint.State.UNREADABLE, "%s: %s".formatted(file.file(), reason));
    }

    void add(RestorePoint.State worse, String reason) {
      state = worse.compareTo(state) > 0 ? worse : state;
      reasons.add(reason);
    }
  }

  private RestorePoint.Part part(Choice choice, BackupFile file, Selection selection, Judgement judgement) {
    var before = Duration.between(file.taken(), selection.time()).toSeconds();
    if (choice.source().name().equals("elasticsearch")) {
      return snapshot(file, before, judgement);
    }
    if (looked.growing().contains(file.file())) {
      judgement.running = true;
      judgement.add(RestorePoint.State.INCOMPLETE, file.file() + " is still being written");
    } else if (looked.unreadable().contains(file.file())) {
      judgement.addUnreadable(file, "this user may not read it");
    } else if (file.bytes() == 0) {
      judgement.addUnreadable(file, "it is empty");
    }
    return new RestorePoint.Part(choice.source().name(), file.file().toString(), file.bytes(), before, null, Map.of());
  }

  private RestorePoint.Part snapshot(BackupFile marker, long before, Judgement judgement) {
    var name = marker.backup().name();
    var snapshot = looked.snapshots().of(name);
    var why = snapshot.why().isEmpty() ? "" : " (" + snapshot.why() + ")";
    if (snapshot.damaged()) {
      judgement.add(RestorePoint.State.UNREADABLE, "snapshot %s: %s".formatted(name, snapshot.why()));
    } else if (snapshot.state().equals(SnapshotState.UNKNOWN)) {
      judgement.add(RestorePoint.State.UNKNOWN,
          "the state of snapshot %s is not known: %s".formatted(name, snapshot.why()));
    } else if (snapshot.state().equals(SnapshotState.MISSING)) {
      judgement.add(RestorePoint.State.INCOMPLETE,
          "there is no snapshot %s, though its marker exists%s".formatted(name, why));
    } else if (!snapshot.state().equals(SnapshotState.SUCCESS)) {
      judgement.running |= snapshot.state().equals(SnapshotState.IN_PROGRESS);
      judgement.add(RestorePoint.State.INCOMPLETE, "snapshot %s is %s%s".formatted(name, snapshot.state(), why));
    } else if (snapshot.indices().isEmpty()) {
      judgement.add(RestorePoint.State.INCOMPLETE, "snapshot %s holds no index".formatted(name));
    }
    var indices = new TreeMap<String, Long>();
    snapshot.indices().forEach((index, bytes) -> indices.put(index, bytes < 0 ? null : bytes));
    return new RestorePoint.Part("elasticsearch", name, snapshot.bytes() < 0 ? null : snapshot.bytes(), before,
        snapshot.state(), indices);
  }

  /** Both databases, and the attachments in one of their two stores. */
  private void requireParts(Selection selection, Judgement judgement) {
    var hasAttachments = selection.choices().stream()
        .anyMatch(choice -> ATTACHMENTS.contains(choice.source().name()) && choice.all().findAny().isPresent());
    var noAttachments =
        selection.choices().stream().filter(choice -> ATTACHMENTS.contains(choice.source().name())).toList();
    selection.choices().stream()
        .filter(choice -> !ATTACHMENTS.contains(choice.source().name()) && choice.all().findAny().isEmpty())
        .forEach(choice -> judgement.add(RestorePoint.State.INCOMPLETE,
            "no backup of %s%s".formatted(choice.source().name(), choice.none())));
    if (!hasAttachments && !noAttachments.isEmpty()) {
      judgement.add(RestorePoint.State.INCOMPLETE,
          "no backup of the attachments" + noAttachments.stream().map(Choice::none).collect(Collectors.joining()));
    }
    for (var source : sources) {
      between(source.files(), selection.time().minus(gap), selection.time().plus(gap)).stream()
          .filter(BackupFile::isUnfinished).forEach(file -> {
        judgement.running = true;
        judgement.notes.add("%s is passed over: %s".formatted(file.file(), file.problem()));
      });
    }
  }

  /** A node that had an archive in the days before and has none now is missed. */
  private void requireNodes(Selection selection, NavigableMap<LocalDateTime, Selection> all, Judgement judgement) {
    var nodes = sourcesOf(selection);
    if (nodes.isEmpty()) {
      return;
    }
    var before = all.subMap(selection.time().minus(MISSED), selection.time()).values().stream()
        .map(RestorePoints::sourcesOf).toList();
    var unusable = unusable(selection).stream().map(BackupFile::source).collect(Collectors.toSet());
    var missed = before.stream().flatMap(List::stream).distinct()
        .filter(node -> !nodes.contains(node) && !unusable.contains(node)).sorted().toList();
    var most = before.stream().mapToInt(List::size).max().orElse(0);
    if (!missed.isEmpty()) {
      judgement.add(RestorePoint.State.INCOMPLETE,
          "no archive of Cassandra from %s".formatted(String.join(", ", missed)));
    } else if (nodes.size() + unusable.size() < most) {
      judgement.add(RestorePoint.State.INCOMPLETE, "%s of Cassandra, %d before".formatted(
          Count.of(nodes.size(), "archive"), most));
    }
  }

  private static List<String> sourcesOf(Selection selection) {
    return selection.choices().stream().filter(choice -> choice.source().ofNodes())
        .flatMap(choice -> choice.files().stream())
        .map(BackupFile::source).toList();
  }

  /** The restore refuses databases that were taken too far apart; one that is another run's is not this one's. */
  private void requireOneRun(Selection selection, Judgement judgement) {
    var databases = selection.choices().stream().filter(choice -> !ATTACHMENTS.contains(choice.source().name()))
        .flatMap(choice -> choice.files().stream()).toList();
    var apart = Selection.spread(databases);
    if (apart.compareTo(gap) > 0) {
      judgement.add(RestorePoint.State.INCOMPLETE,
          "the backups of the databases were taken %s apart".formatted(shown(apart.toSeconds())));
    }
    for (var choice : selection.choices()) {
      choice.files().stream().filter(file -> homes.get(file) != selection).findFirst()
          .ifPresent(file -> judgement.add(RestorePoint.State.INCOMPLETE,
              "no backup of %s of its own: %s is of %s".formatted(choice.source().name(), file.backup().name(),
                  BackupSet.STAMP.format(homes.get(file).time()))));
    }
  }

  private Map<String, String> others(Collection<Selection> selections) {
    var taken = selections.stream()
        .flatMap(selection -> Stream.concat(selection.files().stream(), unusable(selection).stream()))
        .collect(Collectors.toCollection(HashSet::new));
    var others = new TreeMap<String, String>();
    for (var source : sources) {
      source.files().stream().filter(file -> !taken.contains(file)).forEach(file -> others.put(file.file().toString(),
          file.problem() != null ? file.problem() : "another one of the same time or node is taken"));
    }
    var markers = sources.stream().filter(source -> source.name().equals("elasticsearch"))
        .flatMap(source -> source.files().stream())
        .map(file -> file.backup().name()).collect(Collectors.toSet());
    if (sources.stream().anyMatch(source -> source.name().equals("elasticsearch"))) {
      looked.snapshots().names().stream().filter(name -> !markers.contains(name))
          .forEach(name -> others.put("snapshot " + name,
              "it is %s and has no marker %s.info: no restore finds it".formatted(looked.snapshots().of(name).state(),
                  name)));
    }
    return others;
  }

  /** A time in words. */
  static String shown(long seconds) {
    return seconds < 120 ? seconds + " s" : seconds < 7200 ? seconds / 60 + " min"
        : seconds < 172_800 ? seconds / 3600 + " h" : seconds / 86_400 + " days";
  }
}
