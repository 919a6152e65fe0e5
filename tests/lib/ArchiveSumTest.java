import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** The checksums of archives. */
class ArchiveSumTest {
  @TempDir Path folder;

  @Test
  void sumsFilesOfAnyNameAndTellsWhichCannotBeRead() throws IOException {
    var plain = Files.writeString(folder.resolve("cassandra_1.tar"), "abc");
    var odd = Files.writeString(folder.resolve("-a\\b\nc"), "abc");
    var none = folder.resolve("none");
    var sums = ArchiveSum.await(ArchiveSum.begin(Map.of("cassandra", List.of(plain, odd, none))));
    assertThat(sums).extracting(ArchiveSum::file).containsExactly(plain, odd, none);
    assertThat(sums.subList(0, 2)).allSatisfy(sum -> {
      assertThat(sum.bytes()).isEqualTo(3);
      assertThat(sum.sha256()).isEqualTo("ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
    });
    assertThat(sums.get(2).bytes()).isEqualTo(-1);
    assertThat(sums.get(2).sha256()).startsWith("cannot be read: ").contains("No such file or directory");
    assertThat(ArchiveSum.await(ArchiveSum.begin(Map.of()))).isEmpty();
  }
}
