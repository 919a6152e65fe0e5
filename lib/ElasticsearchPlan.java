import java.time.Instant;
import java.util.ArrayList;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.SortedSet;
import java.util.stream.Collectors;

/**
 * The plan of a restore of Elasticsearch, as its checks found it.
 *
 * @param indices of the snapshot, to be restored
 * @param leftOut indices of the snapshot that {@code --index} does not name
 * @param system the snapshot's indices that are Elasticsearch's own
 * @param complete those whose copy an interrupted run restored completely
 * @param leftovers copies of interrupted runs
 * @param changed when the live indices were last changed, where that is known
 * @param rate the recovery limit now
 * @param wantedRate the limit for the time of the restore; empty where it stays
 */
record ElasticsearchPlan(String address, ElasticsearchCluster cluster, String snapshot, String stamp,
    List<SnapshotIndex> indices,
    List<String> leftOut, List<String> system, LiveIndices live, Set<String> complete, SortedSet<String> leftovers,
    Map<String, Instant> changed, String rate, Optional<String> wantedRate) {
  Set<String> names() {
    return indices.stream().map(SnapshotIndex::name).collect(Collectors.toCollection(LinkedHashSet::new));
  }

  /** The copies that are restored, complete ones too. */
  List<String> copies() {
    return indices.stream().map(index -> index.copy(stamp)).toList();
  }

  long bytes() {
    return indices.stream().mapToLong(SnapshotIndex::bytes).sum();
  }

  boolean isLive(SnapshotIndex index) {
    return live.get(index.name()).isPresent();
  }

  /** Leftovers that this run has no use for. */
  List<String> useless() {
    return leftovers.stream().filter(index -> !complete.contains(index)).toList();
  }

  /**
   * Indices that TheHive uses and the snapshot does not have; its names may go on with a number ({@code
   * thehive-audits-000001}).
   */
  static List<String> missing(List<String> used, Set<String> names) {
    return used.stream()
        .filter(name -> names.stream().noneMatch(index -> index.startsWith(name) || index.startsWith(".ds-" + name)))
        .toList();
  }

  List<String> lines(boolean inPlace) {
    var lines = new ArrayList<String>();
    lines.add("cluster %s at %s, version %s, %s".formatted(cluster.name(), address,
        String.join(" and ", cluster.versions()), Count.of(cluster.dataNodes(), "data node")));
    lines.add("snapshot proven: %s, %s, %s, %s".formatted(snapshot, Count.of(indices.size(), "index", "indices"),
        Count.of(indices.stream().mapToInt(SnapshotIndex::shards).sum(), "shard"), Console.size(bytes())));
    for (var index : indices) {
      lines.add("index %s: %s now%s; %s, %s in the snapshot".formatted(index.name(), now(index),
          changed.containsKey(index.name()) ? ", last changed " + Console.time(changed.get(index.name())) : "",
          Count.of(index.shards(), "shard"), Console.size(index.bytes())));
      if (inPlace) {
        lines.add(
            "→ delete %s, then restore it in its place: until that is done there is no index".formatted(index.name()));
      } else {
        lines.add((complete.contains(index.copy(stamp)) ? "→ use %s, which an interrupted run restored completely"
            : "→ restore as %s, beside the live index")
            .formatted(index.copy(stamp)));
        lines.add("→ replace %s by it when %s complete".formatted(index.name(),
            indices.size() == 1 ? "it is" : "all copies are"));
      }
    }
    addNotRestored(lines);
    if (!useless().isEmpty()) {
      lines.add("→ remove what an interrupted run left: " + String.join(", ", useless()));
    }
    lines.add(wantedRate.map(wanted ->
        "→ raise the recovery limit from %s to %s a second and node, until the end".formatted(rate, wanted))
        .orElse("recovery is limited to %s a second and node (raise it with --recovery-rate)".formatted(rate)));
    return lines;
  }

  private String now(SnapshotIndex index) {
    return live.get(index.name()).map(now -> !now.open() ? "closed (it will be open)"
        : now.documents() < 0 ? "an unknown number of documents (it is red)"
        : Count.of(now.documents(), "document")).orElse("does not exist");
  }

  private void addNotRestored(List<String> lines) {
    if (!leftOut.isEmpty()) {
      lines.add("NOT restored, because --index does not name them: " + String.join(", ", leftOut));
    }
    if (!system.isEmpty()) {
      lines.add("not restored, because they are Elasticsearch's own: " + String.join(", ", system));
    }
    for (var index : stays()) {
      lines.add("index %s stays as it is: the snapshot does not have it (%s)".formatted(index.name(),
          index.documents() < 0 ? "documents not known" : Count.of(index.documents(), "document")));
    }
  }

  /** TheHive's live indices that the snapshot does not have. */
  List<LiveIndices.Index> stays() {
    var inSnapshot = new LinkedHashSet<>(names());
    inSnapshot.addAll(leftOut);
    return live.others(inSnapshot);
  }
}
