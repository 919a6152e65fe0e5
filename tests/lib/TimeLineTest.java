import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;

import java.time.Instant;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.Test;

/** Where the steps of several runs are on one line. */
class TimeLineTest {
  private static final Instant START = Instant.parse("2026-01-01T00:00:00Z");

  private static StepTimes.Step step(String name, long startMillis, long millis) {
    return new StepTimes.Step("files", name, startMillis, millis, 0);
  }

  private static TimeLine.Bar bar(TimeLine line, String step) {
    return line.bars().stream().filter(bar -> bar.span().step().equals(step)).findFirst().orElseThrow();
  }

  private static void assertAt(TimeLine.Bar bar, double left, double width) {
    assertThat(bar.left()).as("%s", bar).isCloseTo(left, within(0.001));
    assertThat(bar.width()).as("%s", bar).isCloseTo(width, within(0.001));
  }

  @Test
  void leavesOutQuestionsAndTimesInWhichNothingRan() {
    var spans =
        new ArrayList<>(TimeLine.spans("second", START.plusSeconds(1000), 20, List.of(step("b", 5000, 10_000))));
    spans.addAll(TimeLine.spans("first", START, 100, List.of(step("check", 0, 10_000),
        step(StepTimes.QUESTION, 10_000, 70_000), step("a", 80_000, 20_000))));
    var line = TimeLine.of(spans);
    assertThat(line.seconds()).isEqualTo(50);
    assertThat(line.idle()).isEqualTo(970);
    assertThat(line.bars()).extracting(bar -> bar.span().run() + " " + bar.span().step())
        .containsExactly("first ", "first check", "first a", "second ", "second b");
    assertAt(line.bars().get(0), 0, 60);
    assertThat(line.bars().get(0).seconds()).as("without the question").isEqualTo(30);
    assertAt(bar(line, "check"), 0, 20);
    assertAt(bar(line, "a"), 20, 40);
    assertAt(line.bars().get(3), 60, 40);
    assertAt(bar(line, "b"), 70, 20);
  }

  @Test
  void runsSideBySideShareTheirTime() {
    var spans = new ArrayList<>(TimeLine.spans("one", START, 100, List.of()));
    spans.addAll(TimeLine.spans("other", START.plusSeconds(50), 150, List.of()));
    var line = TimeLine.of(spans);
    assertThat(line.seconds()).isEqualTo(200);
    assertAt(line.bars().get(0), 0, 50);
    assertAt(line.bars().get(1), 25, 75);
  }

  @Test
  void nothingHasNoLine() {
    assertThat(TimeLine.of(List.of()).bars()).isEmpty();
    assertAt(TimeLine.of(TimeLine.spans("none", START, 0, List.of())).bars().get(0), 0, 0);
  }
}
