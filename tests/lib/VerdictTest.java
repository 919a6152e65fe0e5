import static org.assertj.core.api.Assertions.assertThat;

import java.util.List;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;

/** The last line and the exit code of verify.java. */
class VerdictTest {
  private static Findings part(String name) {
    return new Findings(name);
  }

  private static Verdict of(Findings... parts) {
    return Verdict.of("verify", "As in the backup", Stream.of(parts).flatMap(part -> part.list().stream()).toList());
  }

  @Test
  void namesWhatIsAsInTheBackupAndWhatIsNotChecked() {
    var cassandra = part("cassandra");
    cassandra.ok("nodes", "3 up");
    var elasticsearch = part("elasticsearch");
    elasticsearch.skipped("backup", "no backup in /mnt/backup/elasticsearch: ELASTICSEARCH_GENERAL_ARCHIVE_PATH");
    var files = part("files");
    files.ok("content", "the same");
    var verdict = of(part("services"), cassandra, elasticsearch, files);
    assertThat(verdict.exit()).isZero();
    assertThat(verdict.table()).endsWith("\n" + verdict.summary() + "\n");
    assertThat(verdict.summary()).isEqualTo("=== ✓ As in the backup: cassandra, files."
        + " NOT checked: elasticsearch (no backup in /mnt/backup/elasticsearch:"
        + " ELASTICSEARCH_GENERAL_ARCHIVE_PATH). ===");
  }

  @Test
  void doesNotCallAPartWholeOfWhichSomethingWasNotCompared() {
    var cassandra = part("cassandra");
    cassandra.ok("nodes", "3 up");
    cassandra.skipped("edgestore", "5 rows, only counted");
    cassandra.skipped("txlog", "0 rows, only counted");
    var services = part("services");
    services.ok("unit", "active");
    services.skipped("application", "no answer");
    assertThat(of(services, cassandra).summary()).isEqualTo("=== ✓ As in the backup as far as compared: cassandra."
        + " In order: services. NOT checked: services application (no answer), cassandra (edgestore, txlog). ===");
  }

  @Test
  void failsWithTheCodeOfWhatWentWrongOrOfADifference() {
    var missing = part("s3");
    missing.failed("backup", new Failure(Exit.BAD_BACKUP, "no backup", "look"));
    assertThat(of(missing).exit()).isEqualTo(Exit.BAD_BACKUP);
    assertThat(of(missing).summary()).isEqualTo("=== ✗ FAILED: s3 (backup). ===");
    var different = part("files");
    different.bad("content", List.of("a"), "1 differ");
    different.ok("extra", "none");
    assertThat(of(different).exit()).isEqualTo(Exit.VERIFICATION);
    assertThat(of(missing, different).exit()).isEqualTo(Exit.VERIFICATION);
    assertThat(of(missing, different).summary()).doesNotContain("As in the backup");
  }

  @Test
  void saysThatNothingWasChecked() {
    var cassandra = part("cassandra");
    cassandra.skipped("backup", "CASSANDRA_CONNECTION is not set");
    assertThat(of(cassandra).exit()).isEqualTo(Exit.USAGE);
    assertThat(of(cassandra).summary())
        .isEqualTo("=== ✗ Nothing was checked. NOT checked: cassandra (CASSANDRA_CONNECTION is not set). ===");
  }

  @Test
  void showsTheFirstDetails() {
    var files = part("files");
    files.bad("missing", Stream.iterate(1, i -> i + 1).limit(25).map(i -> "name " + i).toList(), "25 of 60");
    assertThat(of(files).table()).startsWith("✗ files         missing  25 of 60\n      name 1\n")
        .contains("      and 5 more: --json shows them\n")
        .doesNotContain("name 21");
  }
}
