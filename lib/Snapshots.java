import java.util.Map;
import java.util.Optional;
import java.util.SortedSet;
import java.util.TreeMap;
import java.util.TreeSet;

/**
 * The snapshots that the markers name: as Elasticsearch tells, and as the repository's files tell.
 *
 * @param cluster by name; empty where Elasticsearch could not be asked
 * @param files by name; empty where the folder of the markers holds no repository that can be read
 * @param why none of the two tells, or one of them does not; empty if both do
 */
record Snapshots(Optional<? extends Map<String, SnapshotState>> cluster,
    Optional<? extends Map<String, SnapshotState>> files, String why) {
  static final Snapshots NONE = new Snapshots(Optional.empty(), Optional.empty(), "nobody was asked");

  /** Elasticsearch knows which of them there are and run; the files know sizes, and which of them is missing. */
  SnapshotState of(String name) {
    var file = files.map(all -> all.get(name));
    var state = cluster.map(all -> all.get(name));
    if (state.isPresent()) {
      return file.isEmpty() ? state.get()
          : new SnapshotState(name, file.get().uuid(), state.get().state(), file.get().why(), file.get().damaged(),
          file.get().indices());
    }
    if (cluster.isPresent()) {
      return none(name, SnapshotState.MISSING, file.isEmpty() ? ""
          : "its files are beside the marker, but Elasticsearch does not have it: is the repository registered at"
              + " that folder?");
    }
    return file.orElseGet(() -> files.isPresent()
        ? none(name, SnapshotState.MISSING, "or it is still being taken: only Elasticsearch can tell")
        : none(name, SnapshotState.UNKNOWN, why));
  }

  private static SnapshotState none(String name, String state, String why) {
    return new SnapshotState(name, "", state, why, false, new TreeMap<>());
  }

  SortedSet<String> names() {
    var names = new TreeSet<String>();
    cluster.ifPresent(all -> names.addAll(all.keySet()));
    files.ifPresent(all -> names.addAll(all.keySet()));
    return names;
  }
}
