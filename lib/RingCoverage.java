import java.util.Arrays;

/**
 * The part of the ring that the partitions of a backup cover. Cassandra's partitioner hashes keys, so the partitions of
 * a whole keyspace lie evenly by chance: gaps between them are as long as chance makes them. A node that the backup
 * lacks leaves gaps where its ranges were; they are longer than chance allows if there are enough partitions.
 *
 * @param partitions the number of different partitions that were looked at
 * @param largestGap the largest part of the ring without a partition, of 1
 * @param missing how much of the ring seems to be missing, of 1: an estimate, 0 if nothing does
 * @param chance an upper bound of the probability that a whole backup has gaps as long as these
 */
record RingCoverage(int partitions, double largestGap, double missing, double chance) {
  /** Below this chance a backup is taken for a part of the ring: a whole one would be so in one of a million cases. */
  static final double CERTAIN = 1e-6;

  static RingCoverage of(NumberSample sample) {
    return of(sample.sorted());
  }

  /** @param tokens in their order, each once */
  static RingCoverage of(long[] tokens) {
    var n = tokens.length;
    if (n < 2) {
      return new RingCoverage(n, 1, 0, 1);
    }
    var gaps = new double[n];
    for (int i = 0; i < n; i++) {
      gaps[i] = unsigned(tokens[(i + 1) % n] - tokens[i]) / 0x1p64;
    }
    Arrays.sort(gaps);
    var chance = chance(gaps);
    return new RingCoverage(n, gaps[n - 1], chance < CERTAIN ? missing(gaps) : 0, chance);
  }

  /** The findings in words, for plans and messages. */
  String text() {
    return isPart()
        ? ("about %.0f %% of the ring is missing, the largest gap is %.2g %% (%,d partitions; a whole backup looks"
            + " so in one of 10^%.0f cases)")
                .formatted(100 * missing, 100 * largestGap, partitions, -Math.log10(Math.max(chance, 1e-300)))
        : "%,d partitions, largest gap %.2g %% of the ring; a single hole of %.2g %% would have been found".formatted(
            partitions, 100 * largestGap, 100 * smallestHole(partitions));
  }

  boolean isPart() {
    return chance < CERTAIN;
  }

  /**
   * True if a backup with as many partitions would surely be known to be a part of the ring, were it one.
   *
   * @param holes the lengths of the parts of the ring that it would lack, of 1, touching ones joined
   */
  boolean wouldShow(double... holes) {
    var longest = holes.clone();
    Arrays.sort(longest);
    for (var i = 1; i <= Math.min(partitions / 2, holes.length); i = next(i)) {
      if (tests(partitions) * bound(partitions, i, longest[holes.length - i]) < CERTAIN) {
        return true;
      }
    }
    return false;
  }

  /** The smallest single hole in the ring that this many partitions show, of 1. */
  static double smallestHole(int partitions) {
    for (var size = 1e-6; size < 1; size *= 1.01) {
      if (partitions > 1 && tests(partitions) * bound(partitions, 1, size) < CERTAIN) {
        return size;
      }
    }
    return 1;
  }

  /**
   * The lengths of the longest gap, the second, third, fourth, sixth, … are each compared with chance, so that one
   * large hole is found and many medium ones are. The sum of the single chances bounds that of any of them.
   */
  private static double chance(double[] gaps) {
    var n = gaps.length;
    var smallest = 1.0;
    for (var i = 1; i <= n / 2; i = next(i)) {
      smallest = Math.min(smallest, bound(n, i, gaps[n - i]));
    }
    return Math.min(1, tests(n) * smallest);
  }

  private static int next(int i) {
    return Math.max(i + 1, i * 3 / 2);
  }

  private static int tests(int n) {
    var tests = 0;
    for (var i = 1; i <= n / 2; i = next(i)) {
      tests++;
    }
    return tests;
  }

  /**
   * Chernoff's bound for i or more of n random gaps being this long or longer; it holds because random gaps of one ring
   * are negatively associated: where one is longer, others are shorter.
   */
  private static double bound(int n, int i, double length) {
    var one = (n - 1) * Math.log1p(-length); // the logarithm of one gap's chance
    var share = i / (double) n;
    if (Math.log(share) <= one) {
      return 1;
    }
    if (length >= 1) {
      return 0;
    }
    var rest = share < 1 ? (1 - share) * (Math.log1p(-share) - Math.log1p(-Math.exp(one))) : 0;
    return Math.exp(-n * (share * (Math.log(share) - one) + rest));
  }

  /**
   * Half of the gaps tell how dense partitions are where they are, and so how much of the ring so many of them fill.
   */
  private static double missing(double[] gaps) {
    var n = gaps.length;
    var mean = gaps[n / 2] / Math.log(2);
    var holes = 0.0;
    for (var i = n - 1; i >= 0 && gaps[i] > mean * Math.log(100.0 * n); i--) {
      holes += gaps[i] - mean;
    }
    return Math.min(1, Math.max(holes, 1 - n * mean));
  }

  private static double unsigned(long value) {
    return value >= 0 ? value : value + 0x1p64;
  }
}
