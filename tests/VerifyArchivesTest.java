import static org.assertj.core.api.Assertions.assertThat;

import com.fasterxml.jackson.databind.ObjectMapper;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import org.apache.commons.codec.digest.DigestUtils;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** What verify.java says of backups of attachments, without any server. */
class VerifyArchivesTest {
  private static final String POINT = "20260101_00h00m00s";
  @TempDir Path temp;
  private Path folder;

  @BeforeEach
  void backUp() throws IOException {
    folder = temp.resolve("files");
    Attachments.writeAll(folder, 5);
    HotBackup.files(folder, temp, POINT);
  }

  private Script verify(String... arguments) {
    return Script.of("verify.java").args(arguments).env("ATTACHMENT_FOLDER", folder.toString())
        .env("CASSANDRA_GENERAL_ARCHIVE_PATH", temp.resolve("none").toString())
        .env("ELASTICSEARCH_GENERAL_ARCHIVE_PATH", temp.resolve("none").toString())
        .env("GENERAL_ARCHIVE_PATH", temp.resolve("storage").toString())
        .env("MINIO_ARCHIVE_PATH", temp.resolve("none").toString());
  }

  private static String lastLine(Script.Result result) {
    return result.out().lines().reduce((first, last) -> last).orElse("");
  }

  @Test
  void endsInOneLineThatSaysWhatIsAsInTheBackupAndWhatIsNotChecked() {
    var result = verify().run();
    assertThat(result.code()).as(result.out() + result.err()).isZero();
    assertThat(lastLine(result)).startsWith("=== ✓ As in the backup: files. NOT checked: ")
        .contains("cassandra (CASSANDRA_CONNECTION is not set)", "elasticsearch (no backup ",
            temp.resolve("none") + " (ELASTICSEARCH_GENERAL_ARCHIVE_PATH))", "s3 (MINIO_ENDPOINT is not set")
        .endsWith(" ===");
    assertThat(result.err()).contains("the newest: no report of its restore");
  }

  @Test
  void aMissingBackupOfANamedServerIsAnErrorOfItsOwnCode() {
    var result = verify("--skip", "services,logs,together").env("ELASTICSEARCH_API_URL", "http://127.0.0.1:1").run();
    assertThat(result.code()).as(result.out() + result.err()).isEqualTo(10);
    assertThat(result.out()).containsPattern("(?m)^✗ elasticsearch +backup +no backup ");
    assertThat(lastLine(result))
        .startsWith("=== ✗ FAILED: elasticsearch (backup). As in the backup: files. NOT checked: cassandra (");
  }

  @Test
  void saysWhereItLookedWhenNothingIsSet() {
    var none = temp.resolve("none").toString();
    var result =
        verify("--skip", "services,logs").env("ATTACHMENT_FOLDER", null).env("GENERAL_ARCHIVE_PATH", none).run();
    assertThat(result.code()).as(result.out() + result.err()).isEqualTo(2);
    assertThat(lastLine(result)).startsWith("=== ✗ Nothing was checked. NOT checked: cassandra (");
    assertThat(result.err()).contains(
        "error: nothing was checked; looked for backups in " + none + " (CASSANDRA_GENERAL_ARCHIVE_PATH), ",
        none + " (GENERAL_ARCHIVE_PATH)", "hint: is restore.env loaded?");
  }

  @Test
  void refusesWhatTheRestoreRefuses() throws IOException {
    assertRefused(2, verify("archives", "--only", "files").env("ATTACHMENT_OWNER", "nobody-known"),
        "ATTACHMENT_OWNER nobody-known: not known on this host");
    assertRefused(2, verify("archives", "--only", "files", "--sample", "-1"), "--sample -1 is less than 0");
    var empty = Files.createDirectories(temp.resolve("empty/storage"));
    HotBackup.files(Files.createDirectories(temp.resolve("nothing")), temp.resolve("empty"), POINT);
    assertRefused(10, verify("archives", "--only", "files").env("GENERAL_ARCHIVE_PATH", empty.toString()),
        "the backup holds no file at all");
    assertRefused(10, verify("--only", "files").env("GENERAL_ARCHIVE_PATH", empty.toString()),
        "the backup holds no file at all");
    Files.createFile(temp.resolve("storage/files_20260102_00h00m00s.zip"));
    assertRefused(10, verify("archives", "--only", "files"), "files_20260102_00h00m00s.zip");
    var restore = Script.of("restore-files-nfs.java").args("--yes").env("ATTACHMENT_FOLDER", folder.toString())
        .env("GENERAL_ARCHIVE_PATH", temp.resolve("storage").toString());
    assertRefused(10, restore, "files_20260102_00h00m00s.zip");
  }

  @Test
  void leavesAPageAndMetricsOfARestoreAndItsCheck() throws IOException {
    var restored = Script.of("restore-files-nfs.java").args("--yes", "--max-delete", "100")
        .env("ATTACHMENT_FOLDER", folder.toString()).env("GENERAL_ARCHIVE_PATH", temp.resolve("storage").toString())
        .run();
    assertThat(restored.code()).as(restored.err()).isZero();
    assertThat(restored.err()).containsPattern("  restore point " + POINT + ", \\d+ days ago: ✗ incomplete: no backup")
        .containsPattern("(?m)^The restore took \\d+\\.\\d s$").doesNotContain("it will take about");
    var page = temp.resolve("page.html");
    var metrics = temp.resolve("thehive.prom");
    var data = temp.resolve("data.json");
    var result = verify("--only", "files", "--evidence", page.toString(), "--metrics", metrics.toString(), "--evidence",
        data.toString()).run();
    assertThat(result.code()).as(result.out() + result.err()).isZero();
    assertThat(page).content().contains(new ObjectMapper().readTree(data.toFile()).path("sentence").asText());
    var archive = temp.resolve("storage/files_" + POINT + ".tar");
    assertThat(page).content().contains("The backup of 1 Jan 2026 00:00 was restored in ",
        "as far as it was checked. Not checked: cassandra, elasticsearch.", "not checked: cassandra: not part of"
            + " this run",
        archive.toString(), DigestUtils.sha256Hex(Files.readAllBytes(archive)), "files stage", "restore-files-nfs.java");
    assertThat(metrics).content().contains("thehive_verify_success 1.0\n", "thehive_verify_complete 0.0\n",
        "thehive_verify_compared{part=\"files\",unit=\"files\"} 5.0\n");
    assertThat(Script.of("restore-files-nfs.java").args("--dry-run").env("ATTACHMENT_FOLDER", folder.toString())
        .env("GENERAL_ARCHIVE_PATH", temp.resolve("storage").toString()).run().err()).as("an earlier report tells")
        .containsPattern("  it will take about \\d+\\.\\d s, as the restore of ");
  }

  @Test
  void refusesAPageThatCannotBeWrittenBeforeItChecks() throws IOException {
    var none = temp.resolve("none/page.html").toString();
    assertRefused(2, verify("archives", "--only", "files", "--evidence", none), "there is no folder");
    assertRefused(2, verify("points", "--evidence", temp.resolve("page.html").toString()), "tell of checks");
    var metrics = temp.resolve("thehive.prom");
    assertRefused(2, verify("--only", "files", "--sample", "-1", "--metrics", metrics.toString()), "--sample -1");
    assertThat(metrics).content().as("a run that failed early alarms, too").contains("thehive_verify_success 0.0\n",
        "thehive_verify_exit_code 2.0\n");
  }

  @Test
  void printsJsonAtEveryExit() throws IOException {
    var wrong = verify("--json", "--sample", "-1").run();
    assertThat(wrong.code()).isEqualTo(2);
    var read = new ObjectMapper().readTree(wrong.out());
    assertThat(read.path("exit").asInt()).isEqualTo(2);
    assertThat(read.path("error").asText()).isEqualTo("--sample -1 is less than 0");
    var unknown = verify("--json", "--nonsense").run();
    assertThat(new ObjectMapper().readTree(unknown.out()).path("error").asText()).contains("--nonsense");
    var whole = verify("archives", "--json", "--only", "files").run();
    assertThat(whole.code()).as(whole.err()).isZero();
    assertThat(new ObjectMapper().readTree(whole.out()).path("summary").asText())
        .isEqualTo("=== ✓ Complete: files. ===");
    var full = Script
        .command("sh", "-c",
            Script.ROOT.resolve("jbang") + " " + Script.ROOT.resolve("verify.java")
                + " archives --only files > /dev/full")
        .env("GENERAL_ARCHIVE_PATH", temp.resolve("storage").toString()).run();
    assertThat(full.code()).as(full.err()).isEqualTo(1);
    assertThat(full.err()).contains("error: the result could not be written",
        "hint: it was: === ✓ Complete: files. ===");
  }

  private static void assertRefused(int code, Script script, String why) {
    var result = script.run();
    assertThat(result.code()).as(result.out() + result.err()).isEqualTo(code);
    assertThat(result.out() + result.err()).contains(why).doesNotContain("✓").doesNotContain("\tat ");
  }

  /** After a restore of an older backup a newer one is no measure. */
  @Test
  void comparesWithTheBackupThatWasRestoredLast() throws IOException {
    var restored = Script.of("restore-files-nfs.java").args("--yes").env("ATTACHMENT_FOLDER", folder.toString())
        .env("GENERAL_ARCHIVE_PATH", temp.resolve("storage").toString()).run();
    assertThat(restored.code()).as(restored.err()).isZero();
    var more = temp.resolve("more");
    Attachments.writeAll(more, 9);
    HotBackup.files(more, temp, "20260202_00h00m00s");
    var result = verify("--only", "files", "--exact").run();
    assertThat(result.code()).as(result.out() + result.err()).isZero();
    assertThat(result.err()).contains("files_" + POINT + ".tar, taken ",
        ", the last one restored (" + temp.resolve("storage/restore-files-nfs_"),
        "there is a newer backup, files_20260202_00h00m00s");
    var newest = verify("--only", "files", "--exact", "--backup", "20260202_00h00m00s").run();
    assertThat(newest.code()).as(newest.out() + newest.err()).isEqualTo(15);
    Files.delete(temp.resolve("storage/files_" + POINT + ".tar"));
    var gone = verify("--only", "files").run();
    assertThat(gone.code()).as(gone.out() + gone.err()).isEqualTo(10);
    assertThat(gone.out()).contains("✗ files ").contains("files_" + POINT + ".tar");
  }

  // ---------------------------------------------------------------------------------------------------- restore points

  private Script points(String... arguments) {
    return verify("points").args(arguments).env("CASSANDRA_GENERAL_ARCHIVE_PATH", temp.resolve("cassandra").toString())
        .env("ELASTICSEARCH_GENERAL_ARCHIVE_PATH", temp.resolve("elasticsearch").toString())
        .env("ELASTICSEARCH_API_URL", "http://127.0.0.1:1");
  }

  /** A run of the documented scripts, by its names: the restore points are made of nothing else. */
  private void run(String stamp) throws IOException {
    Files.writeString(Files.createDirectories(temp.resolve("cassandra")).resolve("cassandra_" + stamp + "00s.tar"),
        "x");
    HotBackup.marker(temp, stamp + "02s");
    Files.copy(temp.resolve("storage/files_" + POINT + ".tar"), temp.resolve("storage/files_" + stamp + "09s.tar"));
  }

  /** What Elasticsearch leaves of two snapshots: one that came to its end, one of which a shard failed. */
  private void repository(String whole, String partial) throws IOException {
    var index = new ObjectMapper().createObjectNode();
    index.putArray("snapshots").addObject().put("name", "elasticsearch_" + whole).put("uuid", "a").put("state", 1);
    index.withArray("snapshots").addObject().put("name", "elasticsearch_" + partial).put("uuid", "b").put("state", 3);
    index.putObject("indices").putObject("thehive_global").put("id", "i").putArray("snapshots").add("a").add("b");
    Files.writeString(temp.resolve("elasticsearch/index-7"), index.toString());
    for (var file : java.util.List.of("snap-a.dat", "meta-a.dat", "snap-b.dat", "meta-b.dat")) {
      Files.createFile(temp.resolve("elasticsearch").resolve(file));
    }
  }

  @Test
  void namesTheRestorePointsAndWhatEachLacks() throws IOException {
    run("20260110_01h00m");
    run("20260111_01h00m");
    run("20260112_01h00m");
    repository("20260110_01h00m02s", "20260111_01h00m02s");
    Files.createFile(temp.resolve("cassandra/cassandra_20260113_01h00m00s.tar.part"));
    var result = points().run();
    assertThat(result.code()).as(result.out() + result.err()).isEqualTo(10);
    assertThat(result.out().lines().filter(line -> line.startsWith("2026"))).satisfiesExactly(
        newest -> assertThat(newest).startsWith("20260112_01h00m09s  ")
            .contains("✗ incomplete: there is no snapshot elasticsearch_20260112_01h00m02s, though its marker exists"),
        middle -> assertThat(middle).startsWith("20260111_01h00m09s  ")
            .contains("✗ incomplete: snapshot elasticsearch_20260111_01h00m02s is PARTIAL"),
        oldest -> assertThat(oldest).startsWith("20260110_01h00m09s  ")
            .contains("✗ unreadable: snapshot elasticsearch_20260110_01h00m02s: cannot read "
            + temp.resolve("elasticsearch/snap-a.dat") + ": it is empty"),
        onlyFiles -> assertThat(onlyFiles).startsWith(POINT + "  ")
            .contains("✗ incomplete: no backup of cassandra; no backup of elasticsearch"));
    assertThat(result.out()).containsPattern("    cassandra +cassandra/cassandra_20260112_01h00m00s.tar .* 9 s before")
        .contains("Of no restore point:", "cassandra_20260113_01h00m00s.tar.part: it is unfinished, by its name",
            "note: Elasticsearch could not be asked: cannot reach Elasticsearch at http://127.0.0.1:1: ");
    assertThat(lastLine(result)).isEqualTo(
        "=== ✗ 4 restore points; the newest, 20260112_01h00m09s, is incomplete: there is no snapshot"
            + " elasticsearch_20260112_01h00m02s, "
            + "though its marker exists (or it is still being taken: only Elasticsearch can tell) ===");
  }

  @Test
  void printsTheRestorePointsAsJson() throws IOException {
    var nothing = points("--json").env("GENERAL_ARCHIVE_PATH", temp.resolve("none").toString()).run();
    assertThat(nothing.code()).as(nothing.err()).isEqualTo(10);
    assertThat(new ObjectMapper().readTree(nothing.out()).path("summary").asText())
        .isEqualTo("=== ✗ No restore point ===");
    run("20260110_01h00m");
    var result = points("--json", "--skip", "elasticsearch").run();
    assertThat(result.code()).as(result.out() + result.err()).isZero();
    var point = new ObjectMapper().readTree(result.out()).path("points").path(0);
    assertThat(point.path("verdict").asText()).isEqualTo("complete");
    assertThat(point.path("parts").path(0).path("file").asText())
        .isEqualTo(temp.resolve("cassandra/cassandra_20260110_01h00m00s.tar").toString());
    assertThat(point.path("parts").path(1).path("bytes").asLong())
        .isEqualTo(Files.size(temp.resolve("storage/files_20260110_01h00m09s.tar")));
    var restored = Script.of("restore-files-nfs.java").args("--yes", "--backup", point.path("point").asText())
        .env("ATTACHMENT_FOLDER", folder.toString())
        .env("GENERAL_ARCHIVE_PATH", temp.resolve("storage").toString()).run();
    assertThat(restored.code()).as("what the first column says is what --backup takes: %s", restored.err()).isZero();
    assertThat(restored.err())
        .contains("Restoring attachments from " + point.path("parts").path(1).path("file").asText());
  }

  @Test
  void anArchiveThatGrowsIsStillBeingWritten() throws Exception {
    run("20260110_01h00m");
    var archive = temp.resolve("cassandra/cassandra_20260110_01h00m00s.tar");
    var writer = new Thread(() -> {
      try {
        while (!Thread.interrupted()) {
          Files.writeString(archive, "x", java.nio.file.StandardOpenOption.APPEND);
          Thread.sleep(50);
        }
      } catch (IOException | InterruptedException e) {
        // ended below
      }
    });
    writer.start();
    try {
      assertThat(points("--skip", "elasticsearch").run().out())
          .contains("✗ incomplete: " + archive + " is still being written");
    } finally {
      writer.interrupt();
      writer.join();
    }
  }
}
