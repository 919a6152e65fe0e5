import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatCode;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Optional;
import org.apache.commons.compress.archivers.tar.TarArchiveEntry;
import org.apache.commons.compress.archivers.tar.TarArchiveOutputStream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class BucketLimitsTest {
  private static final String ROOT = "minio_20261122_12h00m56s/";
  @TempDir private Path folder;

  private AttachmentArchive backup(String... names) throws IOException {
    var file = folder.resolve("minio_20261122_12h00m56s.tar");
    try (var tar = new TarArchiveOutputStream(Files.newOutputStream(file))) {
      tar.setLongFileMode(TarArchiveOutputStream.LONGFILE_POSIX);
      for (var name : names) {
        var entry = name.startsWith("->") ? new TarArchiveEntry(ROOT + "link", TarArchiveEntry.LF_SYMLINK)
            : new TarArchiveEntry(ROOT + name);
        if (name.startsWith("->")) {
          entry.setLinkName(name.substring(2));
        }
        tar.putArchiveEntry(entry);
        tar.closeArchiveEntry();
      }
    }
    return new AttachmentArchive(file, Optional.empty());
  }

  @Test
  void takesTheLongestNameThatAnObjectCanHave() throws IOException {
    try (var backup = backup("k".repeat(1024))) {
      assertThatCode(() -> BucketLimits.require(backup)).doesNotThrowAnyException();
    }
  }

  @Test
  void refusesALongerName() throws IOException {
    try (var backup = backup("k".repeat(1025))) {
      assertThatThrownBy(() -> BucketLimits.require(backup)).isInstanceOfSatisfying(Failure.class, failure -> {
        assertThat(failure.code).isEqualTo(10);
        assertThat(failure).hasMessageContaining("has a name of more than 1024 bytes, which no object can have");
      });
    }
  }

  @Test
  void refusesALink() throws IOException {
    try (var backup = backup("file", "->file")) {
      assertThatThrownBy(() -> BucketLimits.require(backup))
          .hasMessageContaining("is a symbolic link, which a bucket cannot hold");
    }
  }
}
