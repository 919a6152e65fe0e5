import java.util.SortedMap;

/**
 * A snapshot, as its repository tells of it.
 *
 * @param uuid part of the names of its files; empty where it has none
 * @param state SUCCESS, PARTIAL, FAILED, IN_PROGRESS, MISSING or UNKNOWN
 * @param why what else is to be said: why the state is not known, or which file is damaged; empty mostly
 * @param damaged true if a file of the snapshot is missing or cannot be read
 * @param indices the snapshot's indices with their bytes, -1 where these are not known
 */
record SnapshotState(String name, String uuid, String state, String why, boolean damaged,
    SortedMap<String, Long> indices) {
  static final String SUCCESS = "SUCCESS";
  static final String IN_PROGRESS = "IN_PROGRESS";
  static final String MISSING = "MISSING";
  static final String UNKNOWN = "UNKNOWN";

  /** Its bytes, -1 where those of an index are not known. */
  long bytes() {
    return indices.isEmpty() || indices.containsValue(-1L) ? -1
        : indices.values().stream().mapToLong(Long::longValue).sum();
  }
}
