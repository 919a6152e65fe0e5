import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;

import java.util.List;
import java.util.Random;
import java.util.stream.IntStream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** What a single node lacks of the ring. */
class RingHolesTest {
  private static final long QUARTER = 1L << 62;

  @Test
  void aNodeLacksNothingWhereEachHasEveryRow() {
    assertThat(RingHoles.of(List.of(new long[] {1, 5}, new long[] {-9, 7}, new long[] {3}), 3))
        .allSatisfy(holes -> assertThat(holes).isEmpty());
  }

  @Test
  void fourNodesWithFourEqualRanges() {
    var tokens = List.of(new long[] {Long.MIN_VALUE}, new long[] {-QUARTER}, new long[] {0}, new long[] {QUARTER});
    assertThat(RingHoles.of(tokens, 1))
        .allSatisfy(holes -> assertThat(holes).as("three ranges that touch").containsExactly(0.75));
    assertThat(RingHoles.of(tokens, 3)).allSatisfy(holes -> assertThat(holes).containsExactly(0.25));
    assertThat(RingHoles.of(tokens, 4)).allSatisfy(holes -> assertThat(holes).isEmpty());
  }

  @Test
  void holesThatDoNotTouchAreTwo() {
    var tokens = List.of(new long[] {Long.MIN_VALUE, 0}, new long[] {-QUARTER, QUARTER});
    assertThat(RingHoles.of(tokens, 1)).allSatisfy(holes -> assertThat(holes).containsExactly(0.25, 0.25));
  }

  @ParameterizedTest
  @CsvSource({"3, 4, 1", "3, 16, 2", "4, 16, 3", "5, 256, 3"})
  void nodesTogetherLackWhatTheFactorDoesNotGiveThem(int nodes, int vnodes, int factor) {
    var random = new Random(nodes * 1_000L + vnodes);
    var tokens = IntStream.range(0, nodes).mapToObj(node -> random.longs(vnodes).toArray()).toList();
    var holes = RingHoles.of(tokens, factor);
    assertThat(holes.stream().mapToDouble(RingHoles::sum).sum()).isCloseTo(nodes - factor, within(1e-6));
  }
}
