///usr/bin/env jbang "$0" "$@" ; exit $?
//DESCRIPTION Measures which part of the ring a backup may lack without being found out
//JAVA 17+
//SOURCES ../../lib/RingCoverage.java
//SOURCES ../../lib/NumberSample.java
//COMPILE_OPTIONS -encoding UTF-8

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.Locale;
import java.util.Random;
import java.util.stream.DoubleStream;
import java.util.stream.IntStream;

/**
 * Simulates rings: 1,000 whole backups, of which none may be taken for a part; and backups that lack some of the ring's
 * ranges, to find the smallest part that is found in 49 of 50 cases. Writes docs/ring-coverage.md.
 *
 * <pre>./jbang tests/bench/ring-coverage.java</pre>
 */
class RingCoverageBench {
  private static final int WHOLE = 1_000;
  private static final int CASES = 50;
  private static final int[] PARTITIONS = {100, 1_000, 10_000, 100_000};
  private static final int[] RANGES = {1, 4, 16, 64, 256, 1_024};

  public static void main(String... args) throws IOException {
    var text = new StringBuilder("""
        # Which missing part of the ring is found

        A backup of one Cassandra node is the whole keyspace only if that node has a copy of every row. The archive itself
        tells: its partitions lie evenly on the ring by chance, and what a missing node had leaves gaps that are longer than
        chance allows. Before anything is changed, `restore-cassandra-es.java` and `verify.java` look at the tokens of all
        partitions of all tables (above %,d a random sample of them) and refuse a backup whose gaps a whole one would have
        in less than one of %,d cases.

        This page is written by `./jbang tests/bench/ring-coverage.java`.

        ## False alarms

        """.formatted(NumberSample.SIZE, Math.round(1 / RingCoverage.CERTAIN)));
    text.append(whole()).append("""

        ## The smallest missing part that is found

        The smallest part of the ring, in percent, that a backup lacked and that was found in 49 of %d cases. The
        missing part consists of random ranges: one where a single range is missing, many where nodes have many vnodes (a
        ring of 3 nodes with 16 vnodes has 48 ranges, one of 4 nodes with 256 has 1,024). `-`: no part of this kind is
        found for certain; with so few partitions the number of nodes and the replication factor must tell.

        """.formatted(CASES));
    table(text);
    text.append("""

        With more partitions it is as in the last row: a sample of %,d is looked at.

        A backup of one node of N with replication factor F lacks about 1 - F/N of the ring: 67 %% with 3 nodes and factor 1,
        33 %% with factor 2, 25 %% with 4 nodes and factor 3.
        """.formatted(NumberSample.SIZE));
    Files.writeString(Files.createDirectories(Path.of("docs")).resolve("ring-coverage.md"), text);
    System.out.println("Wrote docs/ring-coverage.md");
  }

  /** Distinct tokens of a whole backup are the same whatever nodes, vnodes and factor are; tables share keys. */
  private static String whole() {
    var alarms = 0;
    var smallest = 1.0;
    var random = new Random(1);
    for (int i = 0; i < WHOLE; i++) {
      var keys = random.longs((int) Math.pow(10, 2 + 4 * random.nextDouble())).toArray();
      var sample = new NumberSample();
      var nodes = 1 + random.nextInt(12);
      var vnodes = 1 + random.nextInt(256);
      var factor = 1 + random.nextInt(Math.min(5, nodes));
      var ring = random.longs((long) nodes * vnodes).sorted().toArray();
      // Each node's archive holds its copies of each table: together all of them, some many times.
      for (var share = 1.0; share > 0.001; share *= random.nextDouble()) {
        for (int k = 0; k < keys.length * share; k++) {
          var range = Arrays.binarySearch(ring, keys[k]);
          for (int copy = 0; copy < factor && range != Integer.MIN_VALUE; copy++) {
            sample.add(keys[k]);
          }
        }
      }
      var coverage = RingCoverage.of(sample);
      alarms += coverage.isPart() ? 1 : 0;
      smallest = Math.min(smallest, coverage.chance());
    }
    return String.format(Locale.ROOT, """
        %,d simulated whole backups (1 to 12 nodes, 1 to 256 vnodes, factors 1 to 5, 100 to 1,000,000 partitions, tables of
        very different sizes that share keys): %d taken for a part. The smallest chance of any of them was %.4f; below
        %s a backup is refused.
        """, WHOLE, alarms, smallest, "0.000001");
  }

  private static void table(StringBuilder text) {
    text.append("| partitions |");
    Arrays.stream(RANGES)
        .forEach(ranges -> text.append(" %,d %s |".formatted(ranges, ranges == 1 ? "range" : "ranges")));
    text.append("\n|---|").append("---|".repeat(RANGES.length)).append('\n');
    for (var partitions : PARTITIONS) {
      text.append("| %,d |".formatted(partitions));
      for (var ranges : RANGES) {
        text.append(" %s |".formatted(smallest(partitions, ranges)));
      }
      text.append('\n');
    }
  }

  /** Halves the interval between what is found and what is not. */
  private static String smallest(int partitions, int ranges) {
    var low = 0.0;
    // Where too much is missing so few partitions are left that they tell nothing, either.
    var found = DoubleStream.of(0.1, 0.3, 0.5, 0.7, 0.9)
        .filter(missing -> found(partitions, ranges, missing) >= CASES * 49 / 50).findFirst();
    if (found.isEmpty()) {
      return "-";
    }
    var high = found.getAsDouble();
    while (high - low > high / 20) {
      var middle = (low + high) / 2;
      if (found(partitions, ranges, middle) >= CASES * 49 / 50) {
        high = middle;
      } else {
        low = middle;
      }
    }
    return String.format(Locale.ROOT, high < 0.01 ? "%.2f" : high < 0.1 ? "%.1f" : "%.0f", high * 100);
  }

  private static int found(int partitions, int ranges, double missing) {
    return (int) IntStream.range(0, CASES).parallel()
        .filter(seed -> coverage(Math.min(partitions, NumberSample.SIZE), ranges, missing, new Random(seed)).isPart())
        .count();
  }

  /** Missing ranges with lengths as random tokens make them, between ranges that are there. */
  private static RingCoverage coverage(int partitions, int ranges, double missing, Random random) {
    var holes = lengths(ranges, missing, random);
    var covered = lengths(ranges, 1 - missing, random);
    var at = random.doubles((int) Math.round(partitions * (1 - missing)), 0, 1 - missing).sorted().toArray();
    var tokens = new long[at.length];
    var range = 0;
    var shift = 0.0;
    var end = covered[0];
    for (int i = 0; i < at.length; i++) {
      while (at[i] > end && range < ranges - 1) {
        shift += holes[range];
        range++;
        end += covered[range];
      }
      tokens[i] = (long) ((at[i] + shift - 0.5) * 0x1p63 * 2);
    }
    return RingCoverage.of(Arrays.stream(tokens).distinct().toArray());
  }

  private static double[] lengths(int ranges, double together, Random random) {
    var lengths = IntStream.range(0, ranges).mapToDouble(i -> -Math.log(1 - random.nextDouble())).toArray();
    var sum = Arrays.stream(lengths).sum();
    return Arrays.stream(lengths).map(length -> length / sum * together).toArray();
  }
}
