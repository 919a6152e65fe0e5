import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.time.LocalDateTime;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

/** Choosing backups by their names. */
class BackupSetTest {
  private static final Duration GAP = Duration.ofMinutes(15);
  private static final LocalDateTime NOW = LocalDateTime.of(2026, 6, 1, 12, 0);

  @TempDir Path folder;

  private Path choose(String wanted) {
    return chosen(wanted).backup().file();
  }

  private BackupSet.Chosen chosen(String wanted) {
    return BackupSet.archives(folder, "cassandra").choose(wanted, GAP, NOW);
  }

  private List<String> ofNodes(String wanted, Path... folders) {
    return BackupSet.ofNodes(folders.length == 0 ? List.of(folder) : List.of(folders)).chooseAll(wanted, GAP, NOW)
        .backups().stream()
        .map(backup -> folder.relativize(backup.file()).toString()).toList();
  }

  private void archives(String... names) throws IOException {
    for (var name : names) {
      Files.createDirectories(folder.resolve(name).getParent());
      Files.createFile(folder.resolve(name));
    }
  }

  @Test
  void choosesTheNewestByNameAndNothingElse() throws IOException {
    archives("cassandra_20260101_10h00m00s.tar", "cassandra_20260102_09h00m00s.zip", "files_20260104_09h00m00s.tar",
        "cassandra_latest.tar", "elasticsearch_20260105_09h00m00s.info", "cassandra_20260103_09h00m00s.tar.sha256",
        "Cassandra_20260109_10h00m00s.tar",
        "old_cassandra_20260109_10h00m00s.tar");
    assertThat(choose(null)).hasFileName("cassandra_20260102_09h00m00s.zip");
    assertThat(chosen(null).warnings()).isEmpty();
  }

  @ParameterizedTest
  @ValueSource(
      strings = {"tar", "tar.gz", "tgz", "tar.bz2", "tbz", "tbz2", "tar.xz", "txz", "tar.zst", "zip", "TAR", "ZIP"})
  void everyTypeIsTakenForEveryPart(String type) throws IOException {
    archives("cassandra_20260101_10h00m00s.tar", "cassandra_20260102_10h00m00s." + type);
    assertThat(choose(null)).hasFileName("cassandra_20260102_10h00m00s." + type);
    assertThat(choose("20260102_10h00m00s")).hasFileName("cassandra_20260102_10h00m00s." + type);
    assertThat(choose("cassandra_20260102_10h00m00s." + type)).hasFileName("cassandra_20260102_10h00m00s." + type);
    assertThat(choose(null).getFileName().toString()).startsWith(chosen(null).backup().name() + ".");
  }

  @ParameterizedTest
  @ValueSource(strings = {"20260101_10h00m00s", "20260101_20h00m00s", "cassandra_20260101_10h00m00s",
      "elasticsearch_20260101_10h00m05s.info",
      "/mnt/elsewhere/elasticsearch_20260101_10h00m05s.info", "files_20260101_10h00m05s"})
  void choosesTheNewestAtOrBeforeTheRestorePoint(String wanted) throws IOException {
    archives("cassandra_20251231_10h00m00s.tar", "cassandra_20260101_10h00m00s.tar",
        "cassandra_20260102_10h00m00s.tar");
    assertThat(choose(wanted)).hasFileName("cassandra_20260101_10h00m00s.tar");
  }

  @Test
  void choosesAPathWhereverItIs() throws IOException {
    archives("cassandra_20260101_10h00m00s.tar", "old/cassandra_20200101_10h00m00s.tar",
        "old/cassandra_20200102_10h00m00s.TAR");
    for (var name : List.of("cassandra_20200101_10h00m00s.tar", "cassandra_20200102_10h00m00s.TAR")) {
      var elsewhere = folder.resolve("old").resolve(name);
      assertThat(choose(elsewhere.toString())).isEqualTo(elsewhere);
      assertThat(BackupSet.archives(folder.resolve("none"), "cassandra").choose(elsewhere.toString(), GAP, NOW).backup()
          .file())
          .as("the default folder need not exist").isEqualTo(elsewhere);
    }
  }

  /** The file that is named, or none: never an older one. */
  @ParameterizedTest
  @CsvSource(delimiter = '|', value = {
      "F/cassandra_20260101_10h00m00s | there is no file F/cassandra_20260101_10h00m00s",
      "F/cassandra_20260102_10h00m00s.tgz | there is no file F/cassandra_20260102_10h00m00s.tgz",
      "F/CASSANDRA_20260101_10H00M00S.TAR | there is no file F/CASSANDRA_20260101_10H00M00S.TAR",
      "F/cassandra_20260101_10h00m00s.Tar | there is no file F/cassandra_20260101_10h00m00s.Tar",
      "cassandra_20260101_10h00m00s.tar.gz | there is no file F/cassandra_20260101_10h00m00s.tar.gz",
      "cassandra_20260101_10h00m00s.lz4 | there is no file F/cassandra_20260101_10h00m00s.lz4",
      "backup.tar | there is no file F/backup.tar",
      "F/other.tar | F/other.tar does not have a backup's name: cassandra_<timestamp>.",
      "F/cassandra_20260102_10h00m00s.7z | F/cassandra_20260102_10h00m00s.7z is of a type that cannot be read",
      "F/cassandra_20269901_10h00m00s.tar | F/cassandra_20269901_10h00m00s.tar does not have a backup's name",
      "F/cassandra_20260103_10h00m00s.tar | F/cassandra_20260103_10h00m00s.tar is a link to gone.tar, which does"
          + " not exist",
      "F/cassandra_20260104_10h00m00s.tar | not a file: F/cassandra_20260104_10h00m00s.tar",
      "F | not a file: F",
  })
  void whatIsNamedIsWhatIsTaken(String wanted, String message) throws IOException {
    archives("cassandra_20260101_10h00m00s.tar", "other.tar", "cassandra_20260102_10h00m00s.7z",
        "cassandra_20269901_10h00m00s.tar");
    Files.createSymbolicLink(folder.resolve("cassandra_20260103_10h00m00s.tar"), Path.of("gone.tar"));
    Files.createDirectory(folder.resolve("cassandra_20260104_10h00m00s.tar"));
    refuses(10, wanted.replaceFirst("^F\\b", folder.toString()), message.replaceAll("\\bF(?=/|$)", folder.toString()));
  }

  @Test
  void aMissingFileHasAHintThatNamesWhatIsThere() throws IOException {
    archives("cassandra_20260101_10h00m00s.tar");
    assertThatThrownBy(() -> choose(folder + "/cassandra_20260101_10h00m00s")).isInstanceOfSatisfying(Failure.class,
        failure ->
        assertThat(failure.hint).isEqualTo("there is cassandra_20260101_10h00m00s.tar in " + folder));
  }

  @Test
  void doesNotTakeYesterdaysWhenTheWantedRunsArchiveIsSecondsLater() throws IOException {
    archives("cassandra_20260101_10h00m00s.tar", "cassandra_20260102_10h00m07s.tar");
    assertThatThrownBy(() -> choose("20260102_10h00m00s"))
        .hasMessageContaining("cassandra_20260102_10h00m07s was taken shortly after");
  }

  @Test
  void theNewestOfSeveralNamesOfOneComponentWins() throws IOException {
    archives("minio_20260102_10h00m00s.tar", "seaweedfs_20260103_10h00m00s.tar.gz", "minio_20260103_09h59m59s.zip");
    assertThat(BackupSet.archives(folder, "minio", "seaweedfs").choose(null, GAP, NOW).backup().name())
        .isEqualTo("seaweedfs_20260103_10h00m00s");
  }

  @ParameterizedTest
  @ValueSource(strings = {"cassandra_20269901_10h00m00s.tar", "cassandra_20260101_25h00m00s.tar",
      "cassandra_20260101_100000.tar",
      "Cassandra_20260101_10h00m00s.tar", "old_cassandra_20260101_10h00m00s.tar", "cassandra_20260101_10h00m00s.log"})
  void aFileOfAnotherNameIsNotABackup(String name) throws IOException {
    archives(name);
    refuses(10, null, "no backup cassandra_<timestamp>.tar|tar.bz2");
  }

  @Test
  void anImpossibleDateIsPassedOverWithAWarning() throws IOException {
    archives("cassandra_20260101_10h00m00s.tar", "cassandra_20261301_10h00m00s.tar", "files_20261301_10h00m00s.tar");
    assertThat(choose(null)).hasFileName("cassandra_20260101_10h00m00s.tar");
    assertThat(chosen(null).warnings()).containsExactly(
        folder + "/cassandra_20261301_10h00m00s.tar is passed over: its name has a date that does not exist");
  }

  @ParameterizedTest
  @ValueSource(strings = {"tar.lz4", "7z", "tar.gz.gpg", "rar", ""})
  void aNewerBackupThatCannotBeReadIsNeverPassedOver(String type) throws IOException {
    var name = "cassandra_20260102_10h00m00s" + (type.isEmpty() ? "" : "." + type);
    archives("cassandra_20260101_10h00m00s.tar", name);
    refuses(10, null,
        folder + "/" + name + " is the newest backup, and cannot be used: it is of a type that cannot be read");
    refuses(10, "20260103_10h00m00s",
        name + " is the newest backup at or before 20260103_10h00m00s, and cannot be used");
    assertThat(choose("20260101_10h00m00s")).as("the hint's way out").hasFileName("cassandra_20260101_10h00m00s.tar");
    archives("cassandra_20260102_10h00m00s.tar.gz");
    assertThat(choose(null)).as("the same backup in another type").hasFileName("cassandra_20260102_10h00m00s.tar.gz");
  }

  @ParameterizedTest
  @ValueSource(strings = {"files_20260102_10h00m00s_before-upgrade.tar", "files_node1_20260102_10h00m00s.tar"})
  void aNewerBackupWithMoreInItsNameIsNeverPassedOver(String name) throws IOException {
    archives("files_20260101_10h00m00s.tar", name);
    var newer = folder.resolve(name);
    assertThatThrownBy(() -> BackupSet.files(folder).choose(null, GAP, NOW)).isInstanceOfSatisfying(Failure.class,
        failure -> assertThat(failure.getMessage()).startsWith(newer + " is the newest backup, and cannot be used: ")
            .endsWith(" beside the timestamp; --backup " + newer + " takes it"));
    assertThat(BackupSet.files(folder).choose("" + newer, GAP, NOW).backup().file()).isEqualTo(newer);
  }

  @Test
  void aPartOfASplitArchiveIsNeverPassedOver() throws IOException {
    archives("cassandra_20260101_10h00m00s.tar", "cassandra_20260102_10h00m00s.tar.001");
    refuses(10, null, "cassandra_20260102_10h00m00s.tar.001 is the newest backup, and cannot be used: it is of a type");
  }

  /** Both are attachments: another archive of the same time would be a surprise. */
  @Test
  void anArchiveOfTheOtherStoreIsNotTakenForATime() throws IOException {
    archives("files_20260101_10h00m00s.tar", "old/minio_20260101_10h00m00s.tar");
    var named = folder.resolve("old/minio_20260101_10h00m00s.tar");
    assertThatThrownBy(() -> BackupSet.files(folder).choose("" + named, GAP, NOW)).isInstanceOf(Failure.class)
        .hasMessageStartingWith(named + " does not have a backup's name: files_<timestamp>.");
  }

  @Test
  void aLinkThatLeadsNowhereIsNamed() throws IOException {
    archives("cassandra_20260101_10h00m00s.tar");
    Files.createSymbolicLink(folder.resolve("cassandra_20260102_10h00m00s.tar"), Path.of("/mnt/gone.tar"));
    refuses(10, null,
        "cassandra_20260102_10h00m00s.tar is the newest backup, and cannot be used: it is a link to /mnt/gone.tar,"
            + " which does not exist");
  }

  @Test
  void anUnfinishedOneIsPassedOverWithAWarning() throws IOException {
    archives("cassandra_20260101_10h00m00s.tar", "cassandra_20260102_10h00m00s.tar.part");
    Files.createDirectory(folder.resolve("cassandra_20260103_10h00m00s"));
    assertThat(choose(null)).hasFileName("cassandra_20260101_10h00m00s.tar");
    assertThat(chosen(null).warnings()).containsExactly(
        folder + "/cassandra_20260102_10h00m00s.tar.part is passed over: it is unfinished, by its name",
        folder
            + "/cassandra_20260103_10h00m00s is passed over: it is a folder, of a backup that runs or was not packed");
  }

  @Test
  void aBackupOfTheFutureIsAWarning() throws IOException {
    archives("cassandra_20260601_12h10m00s.tar");
    assertThat(chosen(null).warnings()).containsExactly(
        ("the name of %s/cassandra_20260601_12h10m00s.tar is of the future: check this host's clock and the backup"
            + " host's").formatted(folder));
    assertThat(BackupSet.archives(folder, "cassandra").choose(null, GAP, NOW.plusMinutes(6)).warnings()).isEmpty();
  }

  @ParameterizedTest
  @ValueSource(strings = {"yesterday", "20260101", "2026-01-01", "20269901_10h00m00s", "xx20260101_10h00m00syy", ""})
  void anythingElseIsNotARestorePoint(String wanted) {
    refuses(2, wanted, "'" + wanted + "' is not a restore point");
  }

  @Test
  void nothingFoundSaysWhereItLookedAndWhatThereIs() throws IOException {
    archives("cassandra_20260102_10h00m00s.tar", "cassandra_20260103_10h00m00s.tar");
    assertThatThrownBy(() -> choose("20260101_10h00m00s")).isInstanceOfSatisfying(Failure.class, failure -> {
      assertThat(failure.getMessage())
          .matches("no backup cassandra_<timestamp>\\.\\S+ in " + folder
              + " \\(CASSANDRA_GENERAL_ARCHIVE_PATH\\) at or before 20260101_10h00m00s");
      assertThat(failure.hint).isEqualTo("there are: 20260102_10h00m00s, 20260103_10h00m00s");
    });
    folder = folder.resolve("none");
    refuses(10, null, "there is no folder " + folder + " (CASSANDRA_GENERAL_ARCHIVE_PATH)");
  }

  // ----------------------------------------------------------------------------------------------------- several nodes

  @Test
  void archivesOfSeveralFoldersWithinTheGapAreOneRestorePoint() throws IOException {
    archives("a/cassandra_20260101_10h00m00s.tar", "b/cassandra_20260101_10h00m00s.tar.gz",
        "c/cassandra_20260101_10h14m00s.tar",
        "a/cassandra_20260101_10h03m00s.tar", "b/cassandra_20251231_10h00m00s.tar");
    var folders = new Path[] {folder.resolve("a"), folder.resolve("b"), folder.resolve("c")};
    assertThat(ofNodes(null, folders)).containsExactly("c/cassandra_20260101_10h14m00s.tar",
        "b/cassandra_20260101_10h00m00s.tar.gz",
        "a/cassandra_20260101_10h03m00s.tar");
    assertThat(BackupSet.ofNodes(List.of(folders)).chooseAll(null, GAP, NOW).warnings()).singleElement().asString()
        .contains("a/cassandra_20260101_10h00m00s.tar is passed over: by its name it is another run of the node");
  }

  @Test
  void archivesOfOneFolderAreOfSeveralNodesByTheirNames() throws IOException {
    archives("cassandra_n1_20260101_10h00m00s.tar", "cassandra_n2_20260101_10h05m00s.tar",
        "cassandra_20260101_10h07m00s_n3.tar.zst",
        "cassandra_n1_20260101_10h06m00s.tar", "cassandra_n4_20251231_10h00m00s.tar");
    assertThat(ofNodes(null)).containsExactlyInAnyOrder("cassandra_20260101_10h07m00s_n3.tar.zst",
        "cassandra_n1_20260101_10h06m00s.tar",
        "cassandra_n2_20260101_10h05m00s.tar");
    assertThat(BackupSet.ofNodes(List.of(folder)).chooseAll(null, GAP, NOW).warnings())
        .anySatisfy(warning -> assertThat(warning)
        .contains("node n4 has no backup within --max-gap"));
  }

  @Test
  void withoutNodesInNamesArchivesOfOneFolderAreOfSeveralNodesWithinAMinuteOnly() throws IOException {
    archives("cassandra_20260101_10h00m00s.tar", "cassandra_20260101_10h00m40s.tar", "cassandra_20260101_10h01m05s.tar",
        "cassandra_20260101_10h01m05s.zip");
    assertThat(ofNodes(null)).containsExactlyInAnyOrder("cassandra_20260101_10h01m05s.zip",
        "cassandra_20260101_10h00m40s.tar");
    assertThat(BackupSet.ofNodes(List.of(folder)).chooseAll(null, GAP, NOW).warnings()).singleElement().asString()
        .contains("cassandra_20260101_10h00m00s.tar is passed over",
            "cassandra_<node>_<timestamp>.tar or a folder each");
  }

  @Test
  void aRestorePointNamedAfterItsFirstArchiveHasTheOthersToo() throws IOException {
    archives("a/cassandra_20260101_10h00m00s.tar", "b/cassandra_20260101_10h00m09s.tar",
        "b/cassandra_20260101_20h00m00s.tar");
    assertThat(ofNodes("20260101_10h00m00s", folder.resolve("a"), folder.resolve("b")))
        .containsExactly("a/cassandra_20260101_10h00m00s.tar", "b/cassandra_20260101_10h00m09s.tar");
  }

  private void refuses(int code, String wanted, String message) {
    assertThatThrownBy(() -> choose(wanted)).isInstanceOfSatisfying(Failure.class, failure -> {
      assertThat(failure.code).isEqualTo(code);
      assertThat(failure.hint).isNotBlank();
    }).hasMessageContaining(message);
  }
}
