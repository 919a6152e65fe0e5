import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.TreeMap;

/** Decides what a backup with few partitions leaves open: whether it is the whole ring. */
final class RingDoubt {
  private RingDoubt() {}

  /**
   * Returns what cannot be told; empty where every node has every row, the archives are of enough nodes, or a hole of
   * the size that missing nodes leave would have been found.
   *
   * @param tokens of each node now, by data centre
   * @param replication of the backup
   * @param archives the number of nodes whose archives there are
   */
  static Optional<String> of(RingCoverage coverage, Map<String, List<long[]>> tokens, Map<String, String> replication,
      int archives) {
    var simple = replication.get("class").equals("SimpleStrategy");
    var rings = simple ? Map.of("replication_factor", tokens.values().stream().flatMap(List::stream).toList())
        : new TreeMap<>(tokens);
    if (!simple && rings.keySet().stream().noneMatch(replication::containsKey)) {
      return ofOtherNames(coverage, tokens, replication, archives);
    }
    for (var ring : rings.entrySet()) {
      var nodes = ring.getValue().size();
      var factor = (int) Replication.factor(replication.getOrDefault(ring.getKey(), "0"));
      if (factor == 0 || archives > nodes - factor) { // of each row at least one copy is in the archives
        continue;
      }
      if (archives > 1 || !RingHoles.of(ring.getValue(), factor).stream().allMatch(coverage::wouldShow)) {
        return Optional.of(
            ("whether the backup is the whole cannot be told: %,d partitions are too few. With %d nodes%s and %d"
                + " cop%s of each row"
                + " one node's backup is only a part").formatted(coverage.partitions(), nodes,
                    simple ? "" : " in " + ring.getKey(), factor,
            factor == 1 ? "y" : "ies"));
      }
    }
    return Optional.empty();
  }

  /** The data centres have other names than the backup's: the most copies that it has anywhere are taken for theirs. */
  private static Optional<String> ofOtherNames(RingCoverage coverage, Map<String, List<long[]>> tokens,
      Map<String, String> replication, int archives) {
    var copies = replication.entrySet().stream().filter(entry -> !entry.getKey().equals("class"))
        .mapToLong(entry -> Replication.factor(entry.getValue())).max().orElse(1);
    return of(coverage, tokens, Map.of("class", "SimpleStrategy", "replication_factor", "" + copies), archives);
  }
}
