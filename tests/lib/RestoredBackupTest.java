import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Instant;
import java.time.LocalDateTime;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** Which backup the newest restore took. */
class RestoredBackupTest {
  private static final String SCRIPT = "restore-cassandra-es";
  @TempDir Path folder;

  private void report(String stamp, String content) throws IOException {
    Files.writeString(folder.resolve(SCRIPT + "_" + stamp + ".json"), content.replace('\'', '"'));
  }

  @Test
  void takesTheNewestSuccessfulReportThatIsAboutThePart() throws IOException {
    report("20260101_00h00m00s",
        "{'exit': 0, 'started': '2026-01-01T00:00:00Z', 'seconds': 90.5, 'cassandra': {'archive':"
            + " '/b/cassandra_20251201_00h00m00s.tar', 'keyspace': 'thehive'}}");
    report("20260102_00h00m00s",
        "{'exit': 0, 'started': '2026-01-02T00:00:00Z', 'seconds': 1, 'cassandra': {'archive':"
            + " '/b/cassandra_20251202_00h00m00s.tar', 'keyspace': 'other'}}");
    report("20260103_00h00m00s",
        "{'exit': 1, 'started': '2026-01-03T00:00:00Z', 'seconds': 1, 'cassandra': {'archive':"
            + " '/b/cassandra_20251203_00h00m00s.tar', 'keyspace': 'thehive'}}");
    report("20260104_00h00m00s",
        "{'exit': 0, 'started': '2026-01-04T00:00:00Z', 'seconds': 1, 'elasticsearch': {'backup':"
            + " 'elasticsearch_20251204_00h00m00s'}}");
    report("20260105_00h00m00s", "");
    report("20260106_00h00m00s", "{'exit': 0, 'cass");
    var cassandra = RestoredBackup
        .newest(folder, SCRIPT, "/cassandra", report -> report.path("keyspace").asText().equals("thehive"))
        .orElseThrow();
    assertThat(cassandra.backup()).isEqualTo("/b/cassandra_20251201_00h00m00s.tar");
    assertThat(cassandra.end()).isEqualTo(Instant.parse("2026-01-01T00:01:30.500Z"));
    assertThat(cassandra.report()).hasFileName(SCRIPT + "_20260101_00h00m00s.json");
    assertThat(RestoredBackup.newest(folder, SCRIPT, "/elasticsearch", report -> true).orElseThrow().backup())
        .isEqualTo("elasticsearch_20251204_00h00m00s");
    assertThat(RestoredBackup.newest(folder, "restore-files-nfs", "", report -> true)).isEmpty();
    assertThat(RestoredBackup.newest(folder.resolve("none"), SCRIPT, "", report -> true)).isEmpty();
  }

  @Test
  void knowsItsBackupByNameAndByPath() throws IOException {
    report("20260101_00h00m00s",
        "{'exit': 0, 'started': '2026-01-01T00:00:00Z', 'seconds': 1, 'backup': '/b/files_20251201_00h00m00s.tar.gz'}");
    var restored = RestoredBackup.newest(folder, SCRIPT, "", report -> true).orElseThrow();
    var taken = LocalDateTime.of(2025, 12, 1, 0, 0);
    assertThat(
        restored.isOf(new Backup(Path.of("/b/files_20251201_00h00m00s.tar.gz"), "files_20251201_00h00m00s", taken)))
        .isTrue();
    assertThat(
        restored.isOf(new Backup(Path.of("/b/files_20251201_00h00m01s.tar.gz"), "files_20251201_00h00m01s", taken)))
        .isFalse();
  }
}
