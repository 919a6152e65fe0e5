import static org.assertj.core.api.Assertions.assertThat;

import java.util.List;
import java.util.Map;
import java.util.Random;
import java.util.stream.IntStream;
import org.junit.jupiter.api.Test;

/** When a backup with few partitions may be a part of the ring, unseen. */
class RingDoubtTest {
  private static final Random RANDOM = new Random(1);

  private static List<long[]> nodes(int count) {
    return IntStream.range(0, count).mapToObj(node -> RANDOM.longs(4).toArray()).toList();
  }

  private static RingCoverage of(int partitions) {
    return RingCoverage.of(RANDOM.longs(partitions).sorted().toArray());
  }

  private static Map<String, String> simple(int factor) {
    return Map.of("class", "SimpleStrategy", "replication_factor", "" + factor);
  }

  @Test
  void hasNoneWhereEveryNodeHasEveryRow() {
    assertThat(RingDoubt.of(of(3), Map.of("dc1", nodes(3)), simple(3), 1)).isEmpty();
    assertThat(RingDoubt.of(of(3), Map.of("dc1", nodes(1), "dc2", nodes(4)),
        Map.of("class", "NetworkTopologyStrategy", "dc1", "1"), 1))
        .as("no copies in the other data centre").isEmpty();
  }

  @Test
  void hasNoneWhereEnoughNodesWereBackedUp() {
    assertThat(RingDoubt.of(of(3), Map.of("dc1", nodes(4)), simple(3), 2)).isEmpty();
    assertThat(RingDoubt.of(of(3), Map.of("dc1", nodes(3)), simple(1), 3)).isEmpty();
  }

  @Test
  void hasNoneWhereAHoleWouldHaveBeenFound() {
    assertThat(RingDoubt.of(of(100_000), Map.of("dc1", nodes(3)), simple(1), 1)).isEmpty();
  }

  @Test
  void dataCentresOfOtherNamesLeaveTheSameDoubt() {
    var replication = Map.of("class", "NetworkTopologyStrategy", "dc1", "2");
    assertThat(RingDoubt.of(of(3), Map.of("datacenter1", nodes(3)), replication, 1)).isPresent();
    assertThat(RingDoubt.of(of(3), Map.of("datacenter1", nodes(2)), replication, 1)).isEmpty();
  }

  @Test
  void saysWhatCannotBeTold() {
    assertThat(RingDoubt.of(of(3), Map.of("dc1", nodes(3)), simple(1), 1)).hasValueSatisfying(text ->
    assertThat(text)
        .contains("3 partitions are too few. With 3 nodes and 1 copy of each row one node's backup is only a part"));
    assertThat(RingDoubt.of(of(3), Map.of("dc1", nodes(4)), Map.of("class", "NetworkTopologyStrategy", "dc1", "3"), 1))
        .hasValueSatisfying(text ->
        assertThat(text).contains("With 4 nodes in dc1 and 3 copies"));
  }
}
