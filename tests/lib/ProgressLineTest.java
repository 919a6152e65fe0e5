import static org.assertj.core.api.Assertions.assertThat;

import java.time.Duration;
import org.junit.jupiter.api.Test;

/** The line that shows how far a step is. */
class ProgressLineTest {
  @Test
  void namesEveryFigure() {
    assertThat(ProgressLine.of("Streaming", 50_000_000, 100_000_000, Duration.ofSeconds(10), "3 of 9 tables", 120))
        .isEqualTo("Streaming [==========          ] 50 MB of 100 MB, 5 MB/s, elapsed 0:10, left 0:10, 3 of 9 tables");
  }

  @Test
  void leavesOutWholeWordsWhereThereIsNoRoom() {
    for (var width = 20; width <= 200; width++) {
      var line = ProgressLine.of("Streaming", 50_000_000, 100_000_000, Duration.ofSeconds(10), "3 of 9 tables", width);
      assertThat(line.length()).as("%d: %s", width, line)
          .isLessThanOrEqualTo(Math.max(width, "Streaming 50 MB of 100 MB".length()));
      assertThat(line).matches((width < 60 ? "Streaming" : "Streaming \\[=+ +\\]")
          + " 50 MB of 100 MB(, 5 MB/s(, elapsed 0:10(, left 0:10(, 3 of 9 tables)?)?)?)?");
    }
  }

  @Test
  void showsNoRateAndNoTimeLeftWhereThereIsNone() {
    assertThat(ProgressLine.of("Staging", 0, 1000, Duration.ZERO, "", 80))
        .isEqualTo("Staging [                    ] 0 kB of 1 kB, elapsed 0:00");
    assertThat(ProgressLine.of("Staging", 1000, 1000, Duration.ofHours(2), "", 80)).endsWith("elapsed 2:00:00")
        .doesNotContain("left");
  }
}
