import static org.assertj.core.api.Assertions.assertThat;

import com.fasterxml.jackson.databind.ObjectMapper;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import org.apache.commons.compress.archivers.tar.TarArchiveEntry;
import org.apache.commons.compress.archivers.tar.TarArchiveOutputStream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.EnumSource;

/**
 * What restore-files-minio.java does when the server does not say the truth, or refuses: against a fake, which is one.
 */
class RestoreFilesMinioFaultsTest {
  private static final String NAME = "minio_20261122_12h00m56s";
  private static final String HOST = "127.0.4.15";
  private static final byte[] CONTENT = {1, 2, 3, 4, 5};
  private static final byte[] OTHER = {6, 7, 8};

  @TempDir Path archives;

  /** Takes a backup of objects of the same content. */
  private void backup(String... keys) throws IOException {
    try (var tar = new TarArchiveOutputStream(Files.newOutputStream(archives.resolve(NAME + ".tar")))) {
      for (var key : keys) {
        var entry = new TarArchiveEntry(NAME + "/" + key);
        entry.setSize(CONTENT.length);
        tar.putArchiveEntry(entry);
        tar.write(CONTENT);
        tar.closeArchiveEntry();
      }
    }
  }

  private static LyingS3 server(LyingS3.Lie lie, Map<String, byte[]> objects) throws IOException {
    var server = new LyingS3(HOST, lie);
    server.objects.putAll(objects);
    return server;
  }

  private Map<String, String> settings() {
    return Map.of("MINIO_ENDPOINT", "http://" + HOST + ":9000", "MINIO_REGION", "us-east-1", "MINIO_ACCESS_KEY",
        "thehive",
        "MINIO_SECRET_KEY", "thehive-secret", "MINIO_ARCHIVE_PATH", archives.toString(),
        "THEHIVE_URL", "http://<node>:9999"); // a Java process on port 9000 of this host counts as TheHive
  }

  private Script restore(String... arguments) {
    return Agreement.held(Script.of("restore-files-minio.java").env(settings()).args("--yes").args(arguments), "s3");
  }

  /**
   * A list that is taken for complete and is not would make what it leaves out missing; so would one that never ends.
   */
  @ParameterizedTest
  @EnumSource(names = {"CUT_LIST", "ENDLESS_LIST"})
  void aListThatIsCutIsAnErrorAndNotTheEndOfTheBucket(LyingS3.Lie lie) throws Exception {
    backup("one");
    try (var server = server(lie, Map.of("one", CONTENT, "extra", OTHER))) {
      var result = restore().run();

      assertThat(result.code()).as(result.err()).isEqualTo(11);
      assertThat(result.err()).contains("error: http://" + HOST + ":9000 cuts its list of bucket thehive");
      assertThat(result.out()).isEqualTo("=== ✗ ERROR - attachments: exit 11 ===\n");
      assertThat(server.changes).isEmpty();
      var verified = restore().other("verify.java").args("--only", "s3").run();
      assertThat(verified.code()).as(verified.out()).isNotZero();
      assertThat(verified.out()).contains("cuts its list of bucket");
    }
  }

  /** From the first request on: 503 is the answer of a server that is there. */
  @Test
  void aServerThatIsBusyForAMomentIsWaitedFor() throws Exception {
    backup("one");
    try (var server = server(LyingS3.Lie.NONE, Map.of())) {
      server.busyFor.set(2);
      var result = restore().run();
      server.busyFor.set(2);
      var verified = restore().other("verify.java").args("--only", "s3", "--exact").run();

      assertThat(result.code()).as(result.err()).isZero();
      assertThat(verified.code()).as(verified.out()).isZero();
    }
  }

  @ParameterizedTest
  @CsvSource({"EMPTY_DELETE, 11, does not answer as an S3 server does",
      "FALSE_DELETE, 14, extra: the server does not say why it is still listed"})
  void onlyWhatTheListShowsCountsAsRemoved(LyingS3.Lie lie, int code, String message) throws Exception {
    backup("one");
    try (var server = server(lie, Map.of("one", CONTENT, "extra", OTHER))) {
      var result = restore().run();

      assertThat(result.code()).as(result.err()).isEqualTo(code);
      assertThat(result.err()).contains(message, "Leave TheHive stopped.");
      assertThat(server.changes).anyMatch(change -> change.startsWith("POST delete"));
    }
  }

  /** Its size and its ETag are those that were listed before: that is no sign that it was sent. */
  @Test
  void anObjectOfTheSameSizeThatCannotBeReplacedIsNotRestored() throws Exception {
    backup("one", "two");
    try (var server = server(LyingS3.Lie.NO_PUT_OF_ONE, Map.of("one", new byte[CONTENT.length], "two", CONTENT))) {
      var result = restore().run();

      assertThat(result.code()).as(result.err()).isEqualTo(14);
      assertThat(result.err()).contains("1 object is not in the bucket as in the backup:\n  one: ", "may not put");
    }
  }

  /** XML, in which many are named at once, turns a carriage return into a line feed, which is another key. */
  @ParameterizedTest
  @EnumSource(names = {"NONE", "ONE_BY_ONE"})
  void extraKeysWithControlCharactersGoAndTheirNeighboursStay(LyingS3.Lie lie) throws Exception {
    backup("attachment/a\nb");
    try (var server = server(lie,
        Map.of("\u0001first", OTHER, "attachment/a\nb", CONTENT, "attachment/a\rb", OTHER, "a\tb", OTHER, "plain",
            OTHER,
        "end ", OTHER, "attachment/", new byte[0]))) {
      var result = restore("--max-delete", "100").run();

      assertThat(result.code()).as(result.err()).isZero();
      assertThat(result.out()).contains("0 new, 0 changed, 1 unchanged, 6 removed");
      assertThat(server.objects).containsOnlyKeys("attachment/a\nb");
    }
  }

  @Test
  void whatIsInTheWayGoesBeforeAnythingIsSent() throws Exception {
    backup("x/y", "plain");
    try (var server = server(LyingS3.Lie.NONE, Map.of("x", OTHER, "plain", CONTENT, "other", OTHER))) {
      var result = restore("--max-delete", "100").run();

      assertThat(result.code()).as(result.err()).isZero();
      assertThat(result.err())
          .contains("Will remove 1 of them first: they are in the way of objects of the backup, such as x");
      assertThat(server.objects).containsOnlyKeys("x/y", "plain");
      var changes = server.changes.stream().filter(change -> !change.contains("probe")).toList();
      assertThat(changes).as("removed, sent, removed").containsExactly("POST delete=", "PUT x/y", "POST delete=");
    }
  }

  @Test
  void aKeyThatMayNotDeleteIsRefusedBeforeAnythingIsPut() throws Exception {
    backup("one");
    try (var server = server(LyingS3.Lie.NO_DELETE, Map.of())) {
      var result = restore().run();

      assertThat(result.code()).as(result.err()).isEqualTo(12);
      assertThat(result.err()).contains("error: the access key may not delete from bucket thehive");
      assertThat(server.changes).noneMatch(change -> change.startsWith("PUT"));
      assertThat(server.objects).isEmpty();
    }
  }

  @Test
  void aQuotaIsTold() throws Exception {
    backup("one");
    try (var server = server(LyingS3.Lie.QUOTA, Map.of("extra", OTHER))) {
      var result = restore("--max-delete", "100").run();

      assertThat(result.code()).as(result.err()).isEqualTo(13);
      assertThat(result.err()).contains("error: no room left in bucket thehive",
          "XMinioAdminBucketQuotaExceeded: words of the fake",
          "hint: free some room, or raise the bucket's quota");
      assertThat(server.objects).containsOnlyKeys("extra");
    }
  }

  /** The very object that is broken is what a restore is wanted for. */
  @Test
  void anObjectThatCannotBeReadIsSentAgain() throws Exception {
    backup("one");
    try (var server = server(LyingS3.Lie.BROKEN_OBJECT, Map.of("one", CONTENT))) {
      var result = restore("--dry-run").run();

      assertThat(result.code()).as(result.err()).isZero();
      assertThat(result.out()).contains("0 new, 1 changed, 0 unchanged");
    }
  }

  @Test
  void everyExitIsJsonWhenAskedForAndADryRunEndsAsTheRealRunWould() throws Exception {
    backup("one");
    try (var server = server(LyingS3.Lie.NONE, Map.of("other", OTHER))) {
      for (var arguments : List.of("--wrong", "--transfers=many", "--transfers=99", "--backup=nonsense", "--dry-run",
          "--max-gap=PT1M",
          "--dry-run --max-delete=100", "--max-delete=100")) {
        var result = restore("--json").args(arguments.split(" ")).run();

        var exit = new ObjectMapper().readTree(result.out()).path("exit").asInt(-1);
        assertThat(exit).as("%s: %s%s", arguments, result.out(), result.err()).isEqualTo(result.code());
        assertThat(exit)
            .isEqualTo(arguments.contains("=100") ? 0 : arguments.matches("--dry-run|--max-gap.*") ? 16 : 2);
      }
    }
  }

  @Test
  void aResultThatCannotBeWrittenIsAnError() throws Exception {
    backup("one");
    try (var server = server(LyingS3.Lie.NONE, Map.of())) {
      var result = Script.command("sh", "-c", "exec ./jbang restore-files-minio.java --dry-run > /dev/full")
          .in(Script.ROOT).env(settings()).run();

      assertThat(result.code()).as(result.err()).isEqualTo(1);
      assertThat(result.err()).contains("error: the result could not be written to standard output",
          "hint: it was: === ✓ Would restore 1 objects");
    }
  }

  @Test
  void aBackupWithoutAnyFileIsRefusedAlways() throws Exception {
    try (var tar = new TarArchiveOutputStream(Files.newOutputStream(archives.resolve(NAME + ".tar")))) {
      tar.putArchiveEntry(new TarArchiveEntry(NAME + "/attachment/"));
      tar.closeArchiveEntry();
    }
    try (var server = server(LyingS3.Lie.NONE, Map.of("extra", OTHER))) {
      var result = restore("--max-delete", "100").run();

      assertThat(result.code()).as(result.err()).isEqualTo(10);
      assertThat(result.out()).isEqualTo("=== ✗ ERROR - attachments: exit 10 ===\n");
      assertThat(server.objects).containsOnlyKeys("extra");
    }
  }
}
