import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.lang.management.ManagementFactory;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.FileTime;
import java.time.Duration;
import java.time.Instant;
import java.time.LocalDateTime;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.TreeMap;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** Which restore points the names of backups make, and which of them are complete. */
class RestorePointsTest {
  private static final Duration GAP = Duration.ofMinutes(15);
  private static final LocalDateTime NOW = LocalDateTime.of(2026, 6, 1, 12, 0);
  private static final Path C = Path.of("/b/c");
  private static final Path E = Path.of("/b/e");
  private static final Path S = Path.of("/b/s");
  private static final String A = "20260601_01h00m";
  private static final List<String> NIGHT =
      List.of("c/cassandra_" + A + "00s.tar", "e/elasticsearch_" + A + "02s.info", "s/files_" + A + "09s.tar");

  @TempDir Path temp;
  private long bytes = 10;
  private Map<String, SnapshotState> snapshots =
      Map.of("elasticsearch_" + A + "02s", snapshot("elasticsearch_" + A + "02s", "SUCCESS"));
  private Set<Path> growing = Set.of();
  private Set<Path> unreadable = Set.of();

  private static SnapshotState snapshot(String name, String state) {
    return new SnapshotState(name, "u", state, "", false, new TreeMap<>(Map.of("thehive_global", 7L)));
  }

  private RestorePoints.All find(Stream<String> names) {
    return find(names, List.of(C));
  }

  private RestorePoints.All find(Stream<String> names, List<Path> nodes) {
    var files = names.map(name -> file(Path.of("/b").resolve(name)))
        .sorted(Comparator.comparing(BackupFile::taken).thenComparing(file -> "" + file.file())).toList();
    var sources = new ArrayList<RestorePoints.Source>();
    sources.add(new RestorePoints.Source("cassandra", BackupSet.ofNodes(nodes), true, only(files, "cassandra")));
    sources.add(new RestorePoints.Source("elasticsearch", BackupSet.markers(E), false, only(files, "elasticsearch")));
    sources.add(new RestorePoints.Source("files", BackupSet.files(S), false, only(files, "files")));
    sources.add(new RestorePoints.Source("s3", BackupSet.objects(Path.of("/b/m")), false, only(files, "minio")));
    return RestorePoints.of(sources,
        new RestorePoints.Looked(new Snapshots(Optional.of(snapshots), Optional.empty(), ""), growing, unreadable), GAP,
        NOW);
  }

  private BackupFile file(Path path) {
    var name = BackupName.of(path.getFileName().toString()).orElseThrow();
    var problem = name.isUnfinished() ? "it is unfinished, by its name"
        : BackupName.ARCHIVES.contains(name.type()) || BackupName.MARKERS.contains(name.type()) ? null
        : "it is of a type that cannot be read";
    return new BackupFile(path, name, problem, bytes, Instant.EPOCH);
  }

  private static List<BackupFile> only(List<BackupFile> files, String component) {
    return files.stream().filter(file -> file.name().component().equals(component)).toList();
  }

  private static Stream<String> names(RestorePoint point) {
    return point.parts().stream().map(part -> part.file().replaceFirst("^/b/", ""));
  }

  private RestorePoint only(Stream<String> names) {
    var all = find(names);
    assertThat(all.points()).hasSize(1);
    return all.points().get(0);
  }

  @Test
  void aRunIsOnePointNamedAfterItsNewestPart() {
    var point = only(NIGHT.stream());
    assertThat(point.point()).isEqualTo(A + "09s");
    assertThat(point.age()).isEqualTo("10 hours ago");
    assertThat(point.verdictLine()).isEqualTo("✓ complete");
    assertThat(point.parts()).containsExactly(
        new RestorePoint.Part("cassandra", "/b/c/cassandra_" + A + "00s.tar", 10L, 9, null, Map.of()),
        new RestorePoint.Part("elasticsearch", "elasticsearch_" + A + "02s", 7L, 7, "SUCCESS",
            Map.of("thehive_global", 7L)),
        new RestorePoint.Part("files", "/b/s/files_" + A + "09s.tar", 10L, 0, null, Map.of()));
  }

  @Test
  void attachmentsMayBeInABucketInstead() {
    assertThat(only(Stream.concat(NIGHT.stream().limit(2), Stream.of("m/minio_" + A + "09s.tar"))).verdict())
        .isEqualTo(RestorePoint.State.COMPLETE);
  }

  @ParameterizedTest
  @CsvSource(delimiter = '|', value = {
      "0 | no backup of cassandra", "1 | no backup of elasticsearch", "2 | no backup of the attachments"})
  void whatARunLacksIsNamed(int left, String reason) {
    var point = find(NIGHT.stream().filter(name -> !name.equals(NIGHT.get(left)))).points().get(0);
    assertThat(point.verdict()).isEqualTo(RestorePoint.State.INCOMPLETE);
    assertThat(point.reasons()).containsExactly(reason);
  }

  /** The restore of a single part would take an older one without a word. */
  @Test
  void theOlderOneThatARestoreWouldTakeInsteadIsNamed() {
    var point =
        find(Stream.concat(NIGHT.stream().limit(2), Stream.of("s/files_20260531_01h00m09s.tar"))).points().get(0);
    assertThat(point.reasons())
        .containsExactly("no backup of the attachments (the one before it: files_20260531_01h00m09s)");
  }

  @ParameterizedTest
  @CsvSource(delimiter = '|',
      value = {"PARTIAL | INCOMPLETE | snapshot X is PARTIAL", "FAILED | INCOMPLETE | snapshot X is FAILED",
          "IN_PROGRESS | INCOMPLETE | snapshot X is IN_PROGRESS",
          "UNKNOWN | UNKNOWN | the state of snapshot X is not known:"})
  void theSnapshotsStateDecides(String state, RestorePoint.State verdict, String reason) {
    var name = "elasticsearch_" + A + "02s";
    snapshots = Map.of(name, snapshot(name, state));
    var point = only(NIGHT.stream());
    assertThat(point.verdict()).isEqualTo(verdict);
    assertThat(point.reasons()).singleElement().asString().startsWith(reason.replace("X", name));
    assertThat(point.running()).isEqualTo(state.equals("IN_PROGRESS"));
  }

  @Test
  void aMarkerWithoutASnapshotAndASnapshotWithoutAMarkerAreNamed() {
    snapshots = Map.of("by_hand", snapshot("by_hand", "SUCCESS"));
    var all = find(NIGHT.stream());
    assertThat(all.points().get(0).reasons())
        .containsExactly("there is no snapshot elasticsearch_" + A + "02s, though its marker exists");
    assertThat(all.others()).containsOnlyKeys("snapshot by_hand");
  }

  @Test
  void aDamagedSnapshotIsUnreadableWithItsFile() {
    var name = "elasticsearch_" + A + "02s";
    snapshots =
        Map.of(name, new SnapshotState(name, "u", "SUCCESS", "its file snap-u.dat is missing", true, new TreeMap<>()));
    assertThat(only(NIGHT.stream()).verdictLine())
        .isEqualTo("✗ unreadable: snapshot " + name + ": its file snap-u.dat is missing");
  }

  @Test
  void archivesThatAreEmptyGrowOrMayNotBeReadAreNamed() {
    growing = Set.of(C.resolve("cassandra_" + A + "00s.tar"));
    var point = only(NIGHT.stream());
    assertThat(point.verdictLine()).isEqualTo("✗ incomplete: /b/c/cassandra_" + A + "00s.tar is still being written");
    assertThat(point.running()).isTrue();
    growing = Set.of();
    unreadable = Set.of(S.resolve("files_" + A + "09s.tar"));
    assertThat(only(NIGHT.stream()).verdictLine())
        .isEqualTo("✗ unreadable: /b/s/files_" + A + "09s.tar: this user may not read it");
    unreadable = Set.of();
    bytes = 0;
    assertThat(only(NIGHT.stream()).verdictLine())
        .startsWith("✗ unreadable: /b/c/cassandra_" + A + "00s.tar: it is empty; ");
  }

  @Test
  void anUnknownTypeIsUnreadableAndAnUnfinishedOneIsNamed() {
    var lz4 = Stream.concat(NIGHT.stream().skip(1),
        Stream.of("c/cassandra_" + A + "00s.tar.lz4", "s/files_20260531_01h00m00s.tar.part"));
    var all = find(lz4);
    assertThat(all.points()).hasSize(1);
    assertThat(all.points().get(0).verdictLine())
        .isEqualTo("✗ unreadable: /b/c/cassandra_" + A + "00s.tar.lz4: it is of a type that cannot be read");
    assertThat(all.others())
        .containsExactlyEntriesOf(Map.of("/b/s/files_20260531_01h00m00s.tar.part", "it is unfinished, by its name"));
  }

  @Test
  void theFutureIsNamed() {
    var point = find(Stream.of("c/cassandra_20270101_00h00m00s.tar")).points().get(0);
    assertThat(point.age()).isEqualTo("in the future");
    assertThat(point.notes()).singleElement().asString().contains("is of the future");
  }

  @Test
  void aNodeThatHadAnArchiveTheDayBeforeIsMissed() {
    var nodes = List.of(Path.of("/b/n1"), Path.of("/b/n2"));
    var night = Stream.of("n1/cassandra_20260530_01h00m00s.tar", "n2/cassandra_20260530_01h00m03s.tar",
        "n1/cassandra_" + A + "00s.tar", NIGHT.get(1), NIGHT.get(2));
    var point = find(night, nodes).points().get(0);
    assertThat(point.verdictLine()).isEqualTo("✗ incomplete: no archive of Cassandra from folder /b/n2");
    var unknown =
        Stream.of("n1/cassandra_" + A + "00s.tar.lz4", "n2/cassandra_" + A + "03s.tar", NIGHT.get(1), NIGHT.get(2));
    var all = find(unknown, nodes);
    assertThat(all.points()).hasSize(1);
    assertThat(all.points().get(0).verdictLine())
        .isEqualTo("✗ unreadable: /b/n1/cassandra_" + A + "00s.tar.lz4: it is of a type that cannot be read");
    var unnamed = Stream.of("c/cassandra_20260530_01h00m00s.tar", "c/cassandra_20260530_01h00m03s.tar", NIGHT.get(0),
        NIGHT.get(1), NIGHT.get(2));
    assertThat(find(unnamed).points().get(0).verdictLine())
        .isEqualTo("✗ incomplete: 1 archive of Cassandra, 2 before");
  }

  /** Backups every ten minutes: the newest has only begun. */
  @Test
  void aPartOfAnotherRunDoesNotMakeAPointComplete() {
    var all = find(Stream.concat(NIGHT.stream(), Stream.of("c/cassandra_20260601_01h10m00s.tar")));
    assertThat(all.points()).extracting(RestorePoint::point).containsExactly("20260601_01h10m00s", A + "09s");
    assertThat(all.points().get(0).reasons()).containsExactly(
        "no backup of elasticsearch of its own: elasticsearch_" + A + "02s is of " + A + "09s",
        "no backup of files of its own: files_" + A + "09s is of " + A + "09s");
    assertThat(all.points().get(1).verdict()).isEqualTo(RestorePoint.State.COMPLETE);
  }

  @Test
  void databasesThatTheRestoreFindsTooFarApartAreNotComplete() {
    var nodes = List.of(Path.of("/b/n1"), Path.of("/b/n2"));
    var all = find(Stream.of("n1/cassandra_20260601_01h10m00s.tar", "n2/cassandra_20260601_01h18m00s.tar", NIGHT.get(1),
        "s/files_20260601_01h11m00s.tar"), nodes);
    assertThat(all.points()).anySatisfy(
        point -> assertThat(point.reasons()).contains("the backups of the databases were taken 17 min apart"));
  }

  /** The first column is what --backup takes: the restores choose just what the point shows. */
  @Test
  void theRestoresTakeWhatThePointShows() throws IOException {
    var n1 = temp.resolve("n1");
    var n2 = temp.resolve("n2");
    var sets = Map.of("cassandra", BackupSet.ofNodes(List.of(n1, n2)), "elasticsearch",
        BackupSet.markers(temp.resolve("e")), "files", BackupSet.files(temp.resolve("s")));
    for (var name : List.of("n1/cassandra_20260530_01h00m00s.tar", "n2/cassandra_20260530_01h00m03s.tar.gz",
        "e/elasticsearch_20260530_01h00m01s.info",
        "s/files_20260530_01h00m40s.tar", "n1/cassandra_20260531_01h00m00s.zip", "n2/cassandra_20260531_01h04m00s.tar",
        "e/elasticsearch_20260531_01h00m01s.info",
        "s/files_20260531_01h02m00s.tar", "n1/cassandra_20260531_01h10m00s.zip", "n2/cassandra_20260531_01h14m00s.tar",
        "e/elasticsearch_20260531_01h10m01s.info",
        "s/files_20260531_01h12m00s.tar", "s/files_20260529_01h12m00s.tar")) {
      Files.createDirectories(temp.resolve(name).getParent());
      Files.writeString(temp.resolve(name), "x");
    }
    var sources = new ArrayList<RestorePoints.Source>();
    sets.forEach((part, set) -> sources
        .add(new RestorePoints.Source(part, set, set.isOfNodes(), set.list(set.isOfNodes(), new ArrayList<>()))));
    var points =
        RestorePoints.of(sources, new RestorePoints.Looked(Snapshots.NONE, Set.of(), Set.of()), GAP, NOW).points();
    assertThat(points).extracting(RestorePoint::point).containsExactly("20260531_01h14m00s", "20260531_01h04m00s",
        "20260530_01h00m40s", "20260529_01h12m00s");
    for (var point : points) {
      sets.forEach((part, set) -> {
        var shown = point.parts().stream().filter(of -> of.part().equals(part))
            .map(of -> of.file().replaceFirst(".*/", "").replaceFirst("\\..*", "")).toList();
        if (!shown.isEmpty()) {
          var chosen = set.isOfNodes() ? set.chooseAll(point.point(), GAP, NOW) : set.choose(point.point(), GAP, NOW);
          assertThat(chosen.backups()).as(point.point() + " " + part).extracting(Backup::name)
              .containsExactlyElementsOf(shown);
        }
      });
    }
    assertThat(points.subList(0, 3)).allSatisfy(point -> assertThat(point.parts()).hasSize(4));
  }

  /** All of it: listing the folders, reading the repository's index, and what the names make. */
  @Test
  void aThousandRunsTakeNoTime() throws IOException {
    for (var part : List.of("c", "e", "s")) {
      Files.createDirectories(temp.resolve(part));
    }
    var index = Json.MAPPER.createObjectNode();
    for (int i = 0; i < 1000; i++) {
      var stamp = BackupSet.STAMP.format(NOW.minusHours(6L * (i + 1)));
      for (var name : List.of("c/cassandra_" + stamp + ".tar", "e/elasticsearch_" + stamp + ".info",
          "s/files_" + stamp + ".tar", "e/snap-u" + i + ".dat", "e/meta-u" + i + ".dat")) {
        Files.writeString(temp.resolve(name), "x");
        Files.setLastModifiedTime(temp.resolve(name), FileTime.from(Instant.EPOCH));
      }
      index.withArray("snapshots").addObject().put("name", "elasticsearch_" + stamp).put("uuid", "u" + i).put("state",
          1);
      index.withObject("indices").withObject("thehive_global").put("id", "i").withArray("snapshots").add("u" + i);
    }
    Files.writeString(temp.resolve("e/index-1000"), index.toString());
    var thread = ManagementFactory.getThreadMXBean();
    var begun = thread.getCurrentThreadCpuTime(); // other tests may have the processors
    var search = new RestorePointSearch();
    search.add("cassandra", BackupSet.ofNodes(List.of(temp.resolve("c"))));
    search.add("elasticsearch", BackupSet.markers(temp.resolve("e")));
    search.add("files", BackupSet.files(temp.resolve("s")));
    var points = search.find(temp.resolve("e"), null, GAP).points();
    assertThat(Duration.ofNanos(thread.getCurrentThreadCpuTime() - begun)).isLessThan(Duration.ofSeconds(2));
    assertThat(points).hasSize(1000);
    assertThat(points.get(999).verdict()).as("only the newest snapshots' own files are read")
        .isEqualTo(RestorePoint.State.COMPLETE);
    assertThat(points.get(0).verdict()).isEqualTo(RestorePoint.State.UNREADABLE);
  }
}
