import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;

import java.util.ArrayList;
import java.util.BitSet;
import java.util.List;
import java.util.Random;
import java.util.TreeMap;
import java.util.stream.LongStream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** Simulated rings, whole ones and parts of them. */
class RingCoverageTest {
  /** Nodes' tokens by chance, and which nodes have copies of each range, as SimpleStrategy spreads them. */
  static final class Ring {
    private final TreeMap<Long, BitSet> copies = new TreeMap<>();

    Ring(int nodes, int vnodes, int factor, Random random) {
      var owners = new TreeMap<Long, Integer>();
      for (int i = 0; i < nodes * vnodes; i++) {
        owners.put(random.nextLong(), i % nodes);
      }
      for (var token : owners.keySet()) {
        var found = new BitSet();
        for (var at = owners.ceilingEntry(token); found.cardinality() < Math.min(factor, nodes); ) {
          found.set(at.getValue());
          at = owners.higherEntry(at.getKey());
          at = at == null ? owners.firstEntry() : at;
        }
        copies.put(token, found);
      }
    }

    /** The lengths of the parts of the ring of which a node has no copy. */
    double[] holes(int node) {
      var holes = new ArrayList<Double>();
      var before = (double) copies.lastKey() - 0x1p64;
      var length = 0.0;
      for (var range : copies.entrySet()) {
        if (!range.getValue().get(node)) {
          length += range.getKey() - before;
        } else if (length > 0) {
          holes.add(length / 0x1p64);
          length = 0;
        }
        before = range.getKey();
      }
      holes.add(length / 0x1p64);
      return holes.stream().mapToDouble(hole -> hole).toArray();
    }

    boolean hasCopy(int node, long token) {
      var range = copies.ceilingEntry(token);
      return (range == null ? copies.firstEntry() : range).getValue().get(node);
    }
  }

  private static RingCoverage coverage(LongStream tokens) {
    var sample = new NumberSample();
    tokens.forEach(sample::add);
    return RingCoverage.of(sample);
  }

  @Test
  void neverTakesAWholeBackupForAPart() {
    var random = new Random(20261126);
    var smallest = 1.0;
    for (int i = 0; i < 200; i++) {
      var partitions = (int) Math.pow(10, 2 + 3 * random.nextDouble());
      var sample = new NumberSample();
      // Tables of very different sizes, which share keys.
      var keys = random.longs(partitions).toArray();
      for (var share = 1.0; share > 0.001; share *= random.nextDouble()) {
        for (int k = 0; k < keys.length * share; k++) {
          sample.add(keys[k]);
        }
      }
      smallest = Math.min(smallest, RingCoverage.of(sample).chance());
    }
    assertThat(smallest).as("the smallest chance of 200 whole backups").isGreaterThan(1e-4);
  }

  @Test
  void neverTakesAFewPartitionsForAPart() {
    var random = new Random(1);
    for (int i = 0; i < 20_000; i++) {
      assertThat(coverage(random.longs(i % 50)).isPart()).isFalse();
    }
  }

  /** Each is the backup of one node of the ring. */
  @ParameterizedTest
  @CsvSource({
      "3, 1, 1, 300", "3, 1, 2, 1000", "3, 4, 1, 400", "3, 4, 2, 3000", "3, 16, 1, 1000", "3, 16, 2, 2000",
      "4, 16, 3, 5000",
      "3, 256, 2, 20000", "4, 256, 3, 50000", "12, 16, 5, 5000", "12, 256, 5, 100000", "12, 256, 11, 300000",
      "2, 256, 1, 50000",
  })
  void findsThatANodeIsMissing(int nodes, int vnodes, int factor, int partitions) {
    var rings = partitions > 50_000 ? 1 : 20;
    var found = 0;
    for (int i = 0; i < rings; i++) {
      var random = new Random(1_000 + i);
      var ring = new Ring(nodes, vnodes, factor, random);
      var mine = random.longs(partitions).filter(token -> ring.hasCopy(0, token)).toArray();
      var coverage = coverage(LongStream.of(mine));
      if (coverage.isPart()) {
        found++;
        // Some random rings have a node with nearly all ranges: a small part is missing, and may be too small to be
        // seen.
        if (mine.length > 400) {
          assertThat(coverage.missing()).as("%s", coverage).isCloseTo(1 - mine.length / (double) partitions,
              within(0.12));
        }
      }
    }
    assertThat(found).isGreaterThanOrEqualTo((int) (rings * 0.85));
  }

  /**
   * Three archives of four nodes with factor 2 are not the whole where the fourth node and one of its neighbours had
   * the copies.
   */
  @Test
  void severalNodesTogetherAreTheWholeOnlyIfEveryRangeIsThere() {
    var random = new Random(3);
    var ring = new Ring(4, 16, 1, random);
    var all = random.longs(20_000).toArray();
    assertThat(coverage(
        LongStream.of(all).filter(token -> ring.hasCopy(0, token) || ring.hasCopy(1, token) || ring.hasCopy(2, token)))
        .isPart()).isTrue();
    assertThat(coverage(
        LongStream.of(all).filter(token -> List.of(0, 1, 2, 3).stream().anyMatch(node -> ring.hasCopy(node, token))))
        .isPart()).isFalse();
  }

  /** What it says it would see, it sees; so what it says it cannot see is worth a warning and no more. */
  @Test
  void saysWhatItWouldSee() {
    var random = new Random(5);
    var said = 0;
    for (int i = 0; i < 300; i++) {
      var nodes = 2 + random.nextInt(11);
      var vnodes = 1 << random.nextInt(9);
      var factor = 1 + random.nextInt(Math.min(5, nodes - 1));
      var ring = new Ring(nodes, vnodes, factor, random);
      var partitions = (int) Math.pow(10, 2 + 2 * random.nextDouble());
      var mine = coverage(random.longs(partitions).filter(token -> ring.hasCopy(0, token)));
      if (mine.wouldShow(ring.holes(0))) {
        said++;
        assertThat(mine.isPart()).as("%d nodes, %d vnodes, factor %d, %s", nodes, vnodes, factor, mine).isTrue();
      }
    }
    assertThat(said).isGreaterThan(100);
  }

  @Test
  void aSampleHasEveryTokenOnceAndTellsHowManyThereWere() {
    var random = new Random(7);
    var tokens = random.longs(1_000).toArray();
    var sample = new NumberSample();
    for (int i = 0; i < 5; i++) {
      LongStream.of(tokens).forEach(sample::add);
    }
    assertThat(sample.distinct()).isEqualTo(1_000);
    assertThat(sample.sorted()).containsExactly(LongStream.of(tokens).sorted().toArray());
    var other = new NumberSample();
    random.longs(1_000_000).forEach(other::add);
    sample.addAll(other);
    assertThat(sample.distinct()).isBetween(980_000L, 1_020_000L);
    assertThat(sample.sorted()).hasSize(NumberSample.SIZE);
  }
}
