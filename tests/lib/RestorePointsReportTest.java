import static org.assertj.core.api.Assertions.assertThat;

import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.stream.Stream;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

class RestorePointsReportTest {
  /** @param states of the points, the newest first; with a + while it is still being taken */
  private static RestorePointsReport report(String states) {
    var points = new ArrayList<RestorePoint>();
    for (var state : Stream.of(states.split(" ")).filter(text -> !text.isEmpty()).toList()) {
      var verdict = RestorePoint.State.valueOf(state.replace("+", ""));
      points.add(new RestorePoint("2026112%d_12h00m00s".formatted(9 - points.size()), points.size() + " days ago", verdict,
          state.endsWith("+"), verdict == RestorePoint.State.COMPLETE ? List.of() : List.of("a reason"), List.of(),
          List.of()));
    }
    return RestorePointsReport.of("verify", new RestorePoints.All(points, Map.of()), List.of());
  }

  @ParameterizedTest(name = "{0}: {1}, {2}")
  @CsvSource(delimiter = '|', value = {
      "'' | 10 | === ✗ No restore point ===",
      "COMPLETE | 0 | === ✓ 1 restore point; the newest, 20261129_12h00m00s, is complete ===",
      "UNKNOWN COMPLETE | 11 | === ✗ 2 restore points; the newest, 20261129_12h00m00s, is not known: a reason."
          + " The newest that is complete: 20261128_12h00m00s, 1 days ago ===",
      "INCOMPLETE COMPLETE | 10 | === ✗ 2 restore points; the newest, 20261129_12h00m00s, is incomplete: a reason."
          + " The newest that is complete: 20261128_12h00m00s, 1 days ago ===",
      "INCOMPLETE+ COMPLETE | 0 | === ✓ 2 restore points; the newest, 20261128_12h00m00s, is complete ===",
      "INCOMPLETE+ | 10 | === ✗ 1 restore point; none is at its end ===",
      "UNREADABLE | 10 | === ✗ 1 restore point; the newest, 20261129_12h00m00s, is unreadable: a reason ===",
  })
  void theNewestPointCountsButForOneThatIsBeingTaken(String states, int exit, String summary) {
    var report = report(states);
    assertThat(report.exit()).isEqualTo(exit);
    assertThat(report.summary()).isEqualTo(summary);
    assertThat(report.table()).endsWith(summary + "\n");
  }
}
