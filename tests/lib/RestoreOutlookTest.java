import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.FileTime;
import java.time.Duration;
import java.time.LocalDateTime;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** What a plan says of the restore point and of the time that the restore will take. */
class RestoreOutlookTest {
  @TempDir Path folder;

  @Test
  void takesAsLongAsTheEarlierOneByTheBytesOfThePartThatTakesLongest() {
    var earlier = SampleEvidence.report(SampleEvidence.DATABASES); // 82 s for 800 MB, 188 s for 400 MB
    assertThat(RestoreOutlook.seconds(earlier, Map.of("elasticsearch", 800_000_000L))).contains(376.0);
    assertThat(RestoreOutlook.seconds(earlier, Map.of("cassandra", 8_000_010_000L, "elasticsearch", 400_000_000L)))
        .hasValueSatisfying(seconds -> assertThat(seconds).isCloseTo(820.1, within(0.5)));
  }

  @Test
  void saysNothingWhereNoEarlierRestoreTells() {
    var earlier = SampleEvidence.report(SampleEvidence.DATABASES);
    assertThat(RestoreOutlook.seconds(earlier, Map.of("files", 1L))).as("another part").isEmpty();
    assertThat(RestoreOutlook.seconds(earlier, Map.of("elasticsearch", 8_000_000_001L))).as("far more").isEmpty();
    assertThat(RestoreOutlook.seconds(earlier, Map.of("elasticsearch", 0L))).as("nothing").isEmpty();
    assertThat(new RestoreOutlook("point", Optional.empty(), Optional.empty()).lines()).containsExactly("point");
  }

  @Test
  void asksTheReportsOfTheSameScriptAndTellsTheRealTimeBesideTheExpectedOne() throws IOException {
    Files.writeString(folder.resolve("restore-files-nfs_20261122_14h00m00s.json"),
        SampleEvidence.FILES.replace('\'', '"'));
    try (var run = new RestoreRun(folder, "restore-files-nfs", false)) {
      var outlook = RestoreOutlook.of(run, "point", Map.of("files", 1_480_000_000L), report -> true);
      assertThat(outlook.lines()).first().isEqualTo("point");
      assertThat(outlook.lines().get(1)).startsWith("it will take about 1 min 28 s, as the restore of 22 Nov 2026 ");
      assertThat(outlook.end(run.steps)).matches("The restore took 0\\.\\d s, about 1 min 28 s were expected");
      assertThat(RestoreOutlook.of(run, "point", Map.of("files", 1L), report -> false).lines()).hasSize(1);
    }
  }

  @Test
  void namesTheOldestPointThatHoldsTheBackups() {
    var newer = point("20261123_12h00m00s", "/b/files_1.tar", "elasticsearch_1");
    var older = point("20261122_12h00m00s", "/b/files_1.tar", "elasticsearch_1");
    var all = new RestorePoints.All(List.of(newer, older), Map.of());
    assertThat(PlannedPoint.of(all, List.of(backup("/b/../b/files_1.tar"), backup("/m/elasticsearch_1.info"))))
        .isEqualTo("restore point 20261122_12h00m00s, 4 days ago: ✗ incomplete: no backup of cassandra");
    assertThat(PlannedPoint.of(all, List.of(backup("/b/files_2.tar"))))
        .isEqualTo("restore point: none of those that ./jbang verify.java points lists");
  }

  @Test
  void looksOnlyAtNamesAndSizesAndTakesAProvenSnapshotAsItIs() throws IOException {
    var stamp = "20261122_12h00m00s";
    var cassandra = Files.createDirectories(folder.resolve("c")).resolve("cassandra_" + stamp + ".tar");
    var marker = Files.createDirectories(folder.resolve("e")).resolve("elasticsearch_" + stamp + ".info");
    var files = Files.createDirectories(folder.resolve("f")).resolve("files_" + stamp + ".tar");
    for (var file : List.of(cassandra, marker, files)) {
      Files.writeString(file, "not an archive");
      Files.setLastModifiedTime(file, FileTime.from(SampleEvidence.START));
    }
    var settings = new Settings(Map.of("CASSANDRA_GENERAL_ARCHIVE_PATH", folder.resolve("c").toString(),
        "ELASTICSEARCH_GENERAL_ARCHIVE_PATH", folder.resolve("e").toString(), "GENERAL_ARCHIVE_PATH",
        folder.resolve("f").toString(), "MINIO_ARCHIVE_PATH", folder.resolve("s").toString()));
    var chosen = List.of(backup(cassandra.toString()), backup(marker.toString()));
    var gap = Duration.ofMinutes(15);
    assertThat(PlannedPoint.line(settings, chosen, gap, Optional.of("elasticsearch_" + stamp)))
        .startsWith("restore point " + stamp + ", ").endsWith(": ✓ complete");
    assertThat(PlannedPoint.line(settings, chosen, gap, Optional.empty()))
        .contains(": - not known: the state of snapshot elasticsearch_" + stamp + " is not known");
    Files.delete(files);
    assertThat(PlannedPoint.line(settings, chosen, gap, Optional.of("elasticsearch_" + stamp)))
        .contains(": ✗ incomplete: no backup of the attachments");
  }

  private static Backup backup(String file) {
    var path = Path.of(file);
    return new Backup(path, path.getFileName().toString().replaceFirst("[.]\\w+$", ""), LocalDateTime.MIN);
  }

  private static RestorePoint point(String time, String file, String snapshot) {
    return new RestorePoint(time, "4 days ago", RestorePoint.State.INCOMPLETE, false, List.of("no backup of cassandra"),
        List.of(new RestorePoint.Part("files", file, 1L, 0, null, Map.of()),
            new RestorePoint.Part("elasticsearch", snapshot, 1L, 0, SnapshotState.SUCCESS, Map.of())), List.of());
  }
}
