import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

class RemovalLimitTest {
  private static RemovalLimit limit(int percent) {
    var limit = new RemovalLimit();
    limit.percent = percent;
    return limit;
  }

  @ParameterizedTest(name = "{1} of {2} with {0} %: {3}")
  @CsvSource({"50, 5, 10, false", "50, 6, 10, true", "100, 10, 10, false", "0, 1, 10, true", "0, 0, 0, false",
      "50, 0, 0, false", "54, 7, 13, false", "53, 7, 13, true", "50, 3000000000, 4000000000, true"})
  void onlyMoreThanThePartIsTooMuch(int percent, long extra, long present, boolean tooMuch) {
    assertThat(limit(percent).isExceeded(extra, present)).isEqualTo(tooMuch);
  }

  @ParameterizedTest
  @ValueSource(ints = {-1, 101})
  void aPercentageIsBetween0And100(int percent) {
    assertThatThrownBy(() -> limit(percent).requireValid()).isInstanceOf(Failure.class)
        .hasMessage("--max-delete %d is not between 0 and 100", percent);
  }
}
