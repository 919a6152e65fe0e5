import static org.assertj.core.api.Assertions.assertThat;

import java.time.Instant;
import java.util.Optional;
import org.junit.jupiter.api.Test;

class FolderDifferencesTest {
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
