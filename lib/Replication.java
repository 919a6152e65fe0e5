import java.util.List;
import java.util.Map;
import java.util.SortedMap;
import java.util.TreeMap;
import java.util.stream.Collectors;

/** Tells if a replication can be had from the nodes there are. */
final class Replication {
  private Replication() {}

  /** @param nodes how many nodes each data centre has now */
  static void require(Map<String, String> replication, SortedMap<String, Long> nodes) {
    var simple = replication.get("class").equals("SimpleStrategy");
    var wanted = new TreeMap<>(replication);
    wanted.remove("class");
    var available = simple ? Map.of("replication_factor", nodes.values().stream().mapToLong(n -> n).sum()) : nodes;
    var most = 1L;
    var fits = !wanted.isEmpty();
    for (var entry : wanted.entrySet()) {
      var factor = factor(entry.getValue());
      most = Math.max(most, factor);
      fits &= factor >= 1 && factor <= available.getOrDefault(entry.getKey(), 0L);
    }
    if (!fits) {
      var fitting = new TreeMap<>(Map.of("class", replication.get("class")));
      for (var entry : available.entrySet()) {
        fitting.put(entry.getKey(), Long.toString(Math.min(most, entry.getValue())));
      }
      throw new Failure(Exit.UNSAFE,
          "the backup's replication %s does not fit the nodes there are: %s".formatted(text(replication), nodes),
          "to restore with what fits: --replication \"%s\"".formatted(text(fitting)));
    }
  }

  /** How many copies of each row there are in these data centres together. */
  static int copies(Map<String, String> replication, List<String> dataCentres) {
    return replication.entrySet().stream()
        .filter(e -> e.getKey().equals("replication_factor") || dataCentres.contains(e.getKey()))
        .mapToInt(e -> (int) factor(e.getValue())).sum();
  }

  static long factor(String text) {
    try {
      return Long.parseLong(text);
    } catch (NumberFormatException e) {
      throw new Failure(Exit.USAGE, "replication factor '%s' is not supported".formatted(text),
          "name a plain one with --replication");
    }
  }

  static String text(Map<String, String> replication) {
    return replication.entrySet().stream().map(e -> "'%s': '%s'".formatted(e.getKey(), e.getValue()))
        .collect(Collectors.joining(", ", "{", "}"));
  }
}
