import static org.assertj.core.api.Assertions.assertThat;

import java.time.Instant;
import java.util.Optional;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

class FolderDifferencesTest {
  @ParameterizedTest(name = "{0} present and {1} extra, at most {2} %: {3}")
  @CsvSource({"6,7,50,true", "6,6,50,false", "0,1,99,true", "0,1,100,false", "0,0,0,false", "5,1,0,true",
      "5000000,5000000,50,false"})
  void tellsWhetherMuchWouldBeRemoved(int present, int extra, int percent, boolean much) {
    assertThat(new FolderDifferences(0, present, extra, null, Optional.empty(), null, null).removesMoreThan(percent))
        .isEqualTo(much);
  }

  @Test
  void countsInWords() {
    var compared = new FolderDifferences(2, 21, 3, null, Optional.of(17), null, null);

    assertThat(compared.written()).isEqualTo("2 new, 4 changed, 17 unchanged, 3 removed");
    assertThat(compared.replaced()).isEqualTo("2 new, 21 replaced (4 changed, 17 unchanged), 3 removed");
    assertThat(new FolderDifferences(2, 21, 3, null, Optional.empty(), null, null).replaced())
        .isEqualTo("2 new, 21 replaced, 3 removed");
  }

  @Test
  void saysHowNewTheFilesAreThatTheBackupLacks() {
    var time = Instant.parse("2026-11-22T12:01:03.5Z");
    assertThat(new FolderDifferences(0, 5, 2, time, Optional.empty(), null, null).newestExtra())
        .contains("the newest of 2 files that are not in the backup: changed 2026-11-22T12:01:03Z");
    assertThat(new FolderDifferences(0, 5, 0, null, Optional.empty(), null, null).newestExtra()).isEmpty();
  }
}
