import java.util.ArrayList;
import java.util.Arrays;
import java.util.Comparator;
import java.util.HashSet;
import java.util.List;

/**
 * The parts of the ring that a single node does not have: they are missing where only that node's backup is restored.
 */
final class RingHoles {
  private record Owned(long token, int node) {}

  private RingHoles() {}

  /**
   * Returns for each node the lengths of what it lacks, of 1; parts that touch are one.
   *
   * @param tokens of each node of one data centre
   * @param factor copies of each row there
   */
  static List<double[]> of(List<long[]> tokens, int factor) {
    var ring = new ArrayList<Owned>();
    for (var node = 0; node < tokens.size(); node++) {
      for (var token : tokens.get(node)) {
        ring.add(new Owned(token, node));
      }
    }
    ring.sort(Comparator.comparingLong(Owned::token));
    var holes = new ArrayList<double[]>();
    for (var node = 0; node < tokens.size(); node++) {
      holes.add(holes(ring, node, factor));
    }
    return holes;
  }

  /** Goes once round the ring, from behind a range that the node has, so that no hole is cut in two. */
  private static double[] holes(List<Owned> ring, int node, int factor) {
    var size = ring.size();
    var first = 0;
    while (first < size && !isReplica(ring, first, node, factor)) {
      first++;
    }
    var holes = new ArrayList<Double>();
    var hole = 0.0;
    for (var step = 1; step <= size; step++) {
      var at = (first + step) % size;
      if (!isReplica(ring, at, node, factor)) {
        hole += length(ring, at);
      } else if (hole > 0) {
        holes.add(hole);
        hole = 0;
      }
    }
    return holes.stream().mapToDouble(length -> length).toArray();
  }

  /** The range that ends at a token is on the nodes of that token and of the next ones, each node counted once. */
  private static boolean isReplica(List<Owned> ring, int at, int node, int factor) {
    var replicas = new HashSet<Integer>();
    for (var i = 0; i < ring.size() && replicas.size() < factor; i++) {
      replicas.add(ring.get((at + i) % ring.size()).node());
    }
    return replicas.contains(node);
  }

  private static double length(List<Owned> ring, int at) {
    var before = ring.get((at + ring.size() - 1) % ring.size()).token();
    var length = (ring.get(at).token() - before) / 0x1p64;
    return length <= 0 ? length + 1 : length;
  }

  /** The sum of a node's holes, of 1. */
  static double sum(double[] holes) {
    return Arrays.stream(holes).sum();
  }
}
