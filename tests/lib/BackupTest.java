import static org.assertj.core.api.Assertions.assertThat;

import java.nio.file.Path;
import java.time.Duration;
import java.time.LocalDateTime;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** How old a backup is, in words. */
class BackupTest {
  @ParameterizedTest
  @CsvSource({"PT0S, 0 minutes ago", "-PT5M, 0 minutes ago", "-PT6M, in the future", "PT1M, 1 minute ago", "PT119M, 119 minutes ago",
      "PT2H, 2 hours ago",
      "PT47H, 47 hours ago", "P2D, 2 days ago", "P400D, 400 days ago"})
  void saysHowLongAgoItWasTaken(Duration age, String words) {
    var taken = LocalDateTime.of(2026, 1, 1, 10, 0);
    assertThat(new Backup(Path.of("x"), "x", taken).age(taken.plus(age))).isEqualTo(words);
  }
}
