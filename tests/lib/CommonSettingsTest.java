import static org.assertj.core.api.Assertions.assertThat;

import java.nio.file.Path;
import java.util.Map;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** Where lock, marker and reports are kept. */
class CommonSettingsTest {
  private static final Path NOWHERE = Path.of("/nowhere");
  @TempDir private Path folder;

  private Path stateFolder(Path archives, String backup, String... setting) {
    return CommonSettings.of(new Settings(setting.length == 0 ? Map.of() : Map.of(setting[0], setting[1])))
        .stateFolder(archives, backup);
  }

  @Test
  void theyLieBesideTheArchives() {
    assertThat(stateFolder(folder, null)).isEqualTo(folder);
    assertThat(stateFolder(folder, "/old/files_20261122_12h00m56s.tar")).isEqualTo(folder);
    assertThat(stateFolder(NOWHERE, null)).isEqualTo(NOWHERE);
    assertThat(stateFolder(NOWHERE, "20261122_12h00m56s")).isEqualTo(NOWHERE);
  }

  @Test
  void onANewHostTheyLieBesideTheBackupThatIsNamed() {
    assertThat(stateFolder(NOWHERE, "/old/files_20261122_12h00m56s.tar")).isEqualTo(Path.of("/old"));
    assertThat(stateFolder(NOWHERE, "./files_20261122_12h00m56s.tar")).isEqualTo(Path.of("").toAbsolutePath().resolve("."));
  }

  @Test
  void theSettingWins() {
    assertThat(stateFolder(NOWHERE, "/old/files.tar", "RESTORE_STATE_PATH", "/state")).isEqualTo(Path.of("/state"));
  }
}
