import static org.assertj.core.api.Assertions.assertThat;

import java.nio.file.Path;
import java.time.Duration;
import java.time.LocalDateTime;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.Test;

/** Whether backups are of one moment. */
class TogetherCheckTest {
  private static Backup backup(String name, int minute) {
    return new Backup(Path.of(name + ".tar"), name, LocalDateTime.of(2026, 1, 1, 0, minute));
  }

  private static Finding compare(Backup... backups) {
    var findings = new Findings("together");
    new TogetherCheck(Duration.ofMinutes(15)).compareTimes(List.of(backups), findings);
    assertThat(findings.list()).hasSize(1);
    return findings.list().get(0);
  }

  @Test
  void backupsOfOneRunBelongTogether() {
    assertThat(compare(backup("files", 15), backup("cassandra", 0)).result()).isEqualTo(Mark.OK);
    assertThat(compare(backup("files", 15), backup("cassandra", 0)).text())
        .isEqualTo("cassandra to files: 900 s apart");
    var apart = compare(backup("files", 16), backup("cassandra", 0), backup("minio", 1));
    assertThat(apart.result()).isEqualTo(Mark.BAD);
    assertThat(apart.details()).containsExactly("cassandra", "minio", "files");
    assertThat(compare(backup("files", 15)).result()).isEqualTo(Mark.SKIPPED);
  }

  @Test
  void attachmentsAreNotComparedWithoutRows() {
    var findings = new Findings("together");
    new TogetherCheck(Duration.ofMinutes(15)).compareAttachments(new AttachmentNames(), Map.of("files", List.of("a")),
        findings);
    assertThat(findings.list()).singleElement().extracting(Finding::result).isEqualTo(Mark.SKIPPED);
  }
}
