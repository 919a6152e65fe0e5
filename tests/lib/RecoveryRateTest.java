import static org.assertj.core.api.Assertions.assertThatCode;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** Which rates Elasticsearch takes. */
class RecoveryRateTest {
  @ParameterizedTest
  @ValueSource(strings = {"200mb", "1.5gb", "100KB", "-1", "0", "10b", "5m"})
  void takesASize(String rate) {
    assertThatCode(() -> RecoveryRate.requireValid(rate)).doesNotThrowAnyException();
  }

  @ParameterizedTest
  @ValueSource(strings = {"fast", "200", "200 mb", "mb", "-2mb", "200mb/s", ""})
  void refusesAnythingElse(String rate) {
    assertThatThrownBy(() -> RecoveryRate.requireValid(rate)).isInstanceOf(Failure.class)
        .hasMessageContaining("is not a size");
  }
}
