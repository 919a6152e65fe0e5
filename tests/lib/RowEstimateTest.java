import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;

import java.util.Random;
import java.util.stream.LongStream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** How many rows there are, told from a few of them. */
class RowEstimateTest {
  private static final long QUARTER = 1L << 62;

  @Test
  void countsFewRows() {
    assertThat(RowEstimate.of(Long.MIN_VALUE, new long[] {1, 2, 3}))
        .isEqualTo(new RowEstimate(3, RowEstimate.Certainty.EXACT)).hasToString("3 rows");
    assertThat(RowEstimate.of(Long.MIN_VALUE, new long[0])).hasToString("0 rows");
    assertThat(new RowEstimate(1, RowEstimate.Certainty.EXACT)).hasToString("1 row");
  }

  @ParameterizedTest
  @ValueSource(longs = {2_000, 50_000, 400_000})
  void estimatesManyRowsFromTheirTokens(long rows) {
    var random = new Random(rows);
    var from = -QUARTER;
    var tokens =
        LongStream.generate(() -> from + (random.nextLong() >>> 2)).limit(rows).sorted().limit(1_000).toArray();
    var estimate = RowEstimate.of(from, tokens);
    assertThat(estimate.rows()).isCloseTo(rows, within(rows / 5));
    assertThat(estimate).asString().startsWith("about ");
  }

  @Test
  void doesNotGuessWherePartitionsAreHuge() {
    assertThat(RowEstimate.of(0, LongStream.generate(() -> 5).limit(1_000).toArray()))
        .hasToString("more than 1,000 rows");
  }

  @Test
  void theLeastKnownDecidesForTheSum() {
    var sum = new RowEstimate(5, RowEstimate.Certainty.EXACT).plus(new RowEstimate(7_000, RowEstimate.Certainty.ABOUT));
    assertThat(sum).hasToString("about 7,005 rows");
    assertThat(sum.plus(new RowEstimate(1_000, RowEstimate.Certainty.AT_LEAST))).hasToString("more than 8,005 rows");
  }
}
