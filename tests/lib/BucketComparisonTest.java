import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Optional;
import org.apache.commons.compress.archivers.tar.TarArchiveEntry;
import org.apache.commons.compress.archivers.tar.TarArchiveOutputStream;
import org.apache.commons.compress.archivers.tar.TarConstants;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** What of a bucket is in the way of a backup, and which backups a bucket cannot hold. */
class BucketComparisonTest {
  private static final String NAME = "minio_20261122_12h00m56s";

  @TempDir Path folder;

  private BucketComparison comparison(TarArchiveEntry... entries) throws IOException {
    var file = folder.resolve(NAME + ".tar");
    try (var tar = new TarArchiveOutputStream(Files.newOutputStream(file))) {
      tar.setLongFileMode(TarArchiveOutputStream.LONGFILE_POSIX);
      for (var entry : entries) {
        tar.putArchiveEntry(entry);
        tar.closeArchiveEntry();
      }
    }
    try (var archive = new AttachmentArchive(file, Optional.empty())) {
      return new BucketComparison(archive);
    }
  }

  private static TarArchiveEntry file(String key) {
    return new TarArchiveEntry(NAME + "/" + key);
  }

  @ParameterizedTest
  @ValueSource(strings = {"attachment", "a", "a/b", "plain/x", "plain/x/y", "plain/", "attachment/0123/part.1"})
  void anObjectAboveOrBelowOneOfTheBackupIsInTheWay(String key) throws IOException {
    assertThat(comparison(file("attachment/0123"), file("a/b/c"), file("plain")).isInTheWay(key)).isTrue();
  }

  @ParameterizedTest
  @ValueSource(strings = {"other", "attachment/4567", "a/b/d", "plain.txt", "attachment/", "ab/c"})
  void anObjectBesideThoseOfTheBackupIsNot(String key) throws IOException {
    assertThat(comparison(file("attachment/0123"), file("a/b/c"), file("plain")).isInTheWay(key)).isFalse();
  }

  @Test
  void aBackupThatNoBucketCanHoldIsRefusedByTheNameOfItsEntry() throws IOException {
    var link = new TarArchiveEntry(NAME + "/link", TarConstants.LF_SYMLINK);
    link.setLinkName("good");
    assertThatThrownBy(() -> comparison(file("good"), link))
        .hasMessageContaining(NAME + "/link' is a symbolic link, which a bucket cannot hold");
    var longest = "d".repeat(200) + "/" + "e".repeat(823);
    assertThat(comparison(file(longest)).unproven().count()).isOne();
    assertThatThrownBy(() -> comparison(file(longest + "e"))).hasMessageContaining("name of more than 1024 bytes");
  }

  @Test
  void nothingIsProvenBeforeTheBucketIsListed() throws IOException {
    var comparison = comparison(file("a"), file("b"));

    assertThat(comparison.unproven().count()).isEqualTo(2);
    assertThat(comparison.sum(BucketComparison.State.MISSING).count()).isEqualTo(2);
    assertThat(comparison.unproven(1, java.util.Map.of())).isEqualTo("\n  a: the bucket does not list it");
    assertThat(comparison.isProven("a")).isFalse();
    assertThat(comparison.isProven("other")).isFalse();
  }
}
