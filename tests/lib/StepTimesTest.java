import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.io.IOException;
import java.time.Instant;
import java.util.List;
import org.junit.jupiter.api.Test;

/** The times of a run's steps. */
class StepTimesTest {
  @Test
  void aStepThatFailsHasItsTimeToo() {
    var times = new StepTimes(Instant.now().minusSeconds(100));
    assertThatThrownBy(() -> times.time("files", "stage", 7, () -> {
      throw new IOException("full");
    })).hasMessage("full");
    assertThat(times.<Integer, RuntimeException>value("files", "count", 0, () -> 5)).isEqualTo(5);
    assertThat(times.list()).extracting(StepTimes.Step::step).containsExactly("stage", "count");
    assertThat(times.list().get(0).startMillis()).isBetween(100_000L, 110_000L);
    assertThat(times.list().get(0).bytes()).isEqualTo(7);
  }

  @Test
  void aPartIsRestoredFromTheAnswerOn() {
    var steps = List.of(new StepTimes.Step("cassandra", "check", 0, 5000, 0),
        new StepTimes.Step("", StepTimes.QUESTION, 5000, 60_000, 0),
        new StepTimes.Step("cassandra", "truncate", 65_000, 1000, 0),
        new StepTimes.Step("cassandra", "stream", 67_000, 3000, 9),
        new StepTimes.Step("elasticsearch", "replace", 65_000, 20_000, 0));
    assertThat(StepTimes.seconds(steps, "cassandra")).isEqualTo(5);
    assertThat(StepTimes.seconds(steps, "elasticsearch")).isEqualTo(20);
    assertThat(StepTimes.seconds(steps, "s3")).isZero();
  }

  @Test
  void theTimeOfAQuestionIsNotTheRestores() {
    var times = new StepTimes(Instant.now().minusSeconds(100));
    assertThat(times.sinceAnswer()).isBetween(100.0, 110.0);
    times.time("", StepTimes.QUESTION, () -> {});
    assertThat(times.sinceAnswer()).isLessThan(10);
    assertThat(times.waited()).isLessThan(10);
  }
}
