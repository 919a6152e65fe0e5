import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.Set;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** Choosing backups by their names. */
class BackupSetTest {
  private static final Duration GAP = Duration.ofMinutes(15);

  @TempDir Path folder;

  private Backup choose(String wanted) {
    return BackupSet.choose(folder, Set.of("cassandra"), Set.of("tar", "zip"), wanted, GAP);
  }

  private void archives(String... names) throws IOException {
    for (var name : names) {
      Files.createFile(folder.resolve(name));
    }
  }

  @Test
  void choosesTheNewestByNameAndNothingElse() throws IOException {
    archives("cassandra_20260101_10h00m00s.tar", "cassandra_20260102_09h00m00s.zip", "cassandra_20260103_09h00m00s.tar.part",
        "files_20260104_09h00m00s.tar", "cassandra_latest.tar", "elasticsearch_20260105_09h00m00s.info");
    assertThat(choose(null).file()).hasFileName("cassandra_20260102_09h00m00s.zip");
  }

  @ParameterizedTest
  @ValueSource(strings = {"20260101_10h00m00s", "20260101_20h00m00s", "cassandra_20260101_10h00m00s", "elasticsearch_20260101_10h00m05s.info"})
  void choosesTheNewestAtOrBeforeTheRestorePoint(String wanted) throws IOException {
    archives("cassandra_20251231_10h00m00s.tar", "cassandra_20260101_10h00m00s.tar", "cassandra_20260102_10h00m00s.tar");
    assertThat(choose(wanted).name()).isEqualTo("cassandra_20260101_10h00m00s");
  }

  @Test
  void choosesAPathWhereverItIs() throws IOException {
    archives("cassandra_20260101_10h00m00s.tar");
    var elsewhere = Files.createFile(Files.createDirectory(folder.resolve("old")).resolve("cassandra_20200101_10h00m00s.tar"));
    assertThat(choose(elsewhere.toString()).file()).isEqualTo(elsewhere);
  }

  @Test
  void doesNotTakeYesterdaysWhenTheWantedRunsArchiveIsSecondsLater() throws IOException {
    archives("cassandra_20260101_10h00m00s.tar", "cassandra_20260102_10h00m07s.tar");
    assertThatThrownBy(() -> choose("20260102_10h00m00s")).hasMessageContaining("cassandra_20260102_10h00m07s was taken shortly after");
  }

  @Test
  void theNewestOfSeveralNamesOfOneComponentWins() throws IOException {
    archives("minio_20260102_10h00m00s.tar", "seaweedfs_20260103_10h00m00s.tar.gz", "minio_20260103_09h59m59s.zip");
    assertThat(BackupSet.choose(folder, Set.of("minio", "seaweedfs"), Set.of("tar", "tar.gz", "zip"), null, GAP).name())
        .isEqualTo("seaweedfs_20260103_10h00m00s");
  }

  @ParameterizedTest
  @ValueSource(strings = {"cassandra_20269901_10h00m00s.tar", "cassandra_20260101_25h00m00s.tar", "cassandra_20260101_100000.tar",
      "Cassandra_20260101_10h00m00s.tar", "cassandra_20260101_10h00m00s", "old_cassandra_20260101_10h00m00s.tar"})
  void aFileOfAnotherNameIsNotABackup(String name) throws IOException {
    archives(name);
    refuses(10, null, "no backup cassandra_<timestamp>.tar|zip in " + folder);
  }

  @ParameterizedTest
  @ValueSource(strings = {"yesterday", "20260101", "2026-01-01", "20269901_10h00m00s", "/mnt/backup/old.tar", ""})
  void anythingElseIsNotARestorePoint(String wanted) {
    refuses(2, wanted, "'" + wanted + "' is not a restore point");
  }

  @Test
  void nothingFoundSaysWhereItLooked() throws IOException {
    archives("cassandra_20260102_10h00m00s.tar");
    refuses(10, "20260101_10h00m00s", "no backup cassandra_<timestamp>.tar|zip in " + folder + " at or before 20260101_10h00m00s");
    refuses(10, folder + "/cassandra_20260101_10h00m00s.tar", "there is no file " + folder + "/cassandra_20260101_10h00m00s.tar");
    folder = folder.resolve("none");
    refuses(10, null, "there is no folder " + folder);
  }

  private void refuses(int code, String wanted, String message) {
    assertThatThrownBy(() -> choose(wanted)).isInstanceOfSatisfying(Failure.class, failure -> {
      assertThat(failure.code).isEqualTo(code);
      assertThat(failure.hint).isNotBlank();
    }).hasMessageContaining(message);
  }
}
