import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.TreeSet;

/** Counts of several kinds, each with the first names; several threads may add to it. */
final class Tally {
  /** The most names kept of a kind. */
  static final int MOST_NAMES = 10_000;
  private final Map<String, Long> counts = new HashMap<>();
  private final Map<String, Set<String>> names = new HashMap<>();

  synchronized void add(String kind, long count) {
    counts.merge(kind, count, Long::sum);
  }

  synchronized void add(String kind, String name) {
    add(kind, 1);
    keep(kind, Set.of(name));
  }

  synchronized void add(Tally other) {
    other.counts.forEach(this::add);
    other.names.forEach(this::keep);
  }

  private void keep(String kind, Set<String> more) {
    var kept = names.computeIfAbsent(kind, key -> new TreeSet<>());
    more.stream().limit(MOST_NAMES - kept.size()).forEach(kept::add);
  }

  synchronized long count(String kind) {
    return counts.getOrDefault(kind, 0L);
  }

  synchronized List<String> names(String kind) {
    return List.copyOf(names.getOrDefault(kind, Set.of()));
  }
}
