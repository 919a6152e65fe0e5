import java.util.regex.Pattern;

/** Which versions of Elasticsearch and OpenSearch restore which snapshots. */
final class SnapshotVersion {
  private SnapshotVersion() {}

  /**
   * A snapshot can go to the same or a later version, of this or the next major; OpenSearch 1 and 2 count as
   * Elasticsearch 7.10.
   */
  static boolean isRestorable(String snapshot, String cluster, boolean openSearch) {
    var from = majorMinor(snapshot);
    var to = majorMinor(cluster);
    if (openSearch && from[0] >= 6) {
      return to[0] <= 2 && (from[0] == 6 || from[0] == 7 && from[1] <= 10);
    }
    return (from[0] < to[0] || from[0] == to[0] && from[1] <= to[1]) && from[0] >= to[0] - 1;
  }

  private static int[] majorMinor(String version) {
    return Pattern.compile("\\d+").matcher(version).results().limit(2).mapToInt(m -> Integer.parseInt(m.group()))
        .toArray();
  }
}
