//SOURCES ../../lib/SnapshotVersion.java

import java.util.List;
import java.util.Optional;
import java.util.regex.Pattern;

/**
 * An Elasticsearch or OpenSearch that can be started here.
 *
 * @param version as {@link Stack#elasticsearch} names it
 * @param java the JDK that it needs at least
 * @param hasPainless true if it has the scripts of JanusGraph, which asks the graph through it
 */
record SearchServer(String version, int java, boolean hasPainless) {
  /** The first that can read a snapshot is taken. */
  private static final List<SearchServer> ELASTICSEARCH =
      List.of(new SearchServer("7.10.2", 17, true), new SearchServer("7.17.29", 17, false),
          new SearchServer("8.19", 17, false), new SearchServer("9.5.3", 21, false));
  private static final List<SearchServer> OPENSEARCH =
      List.of(new SearchServer("opensearch-2.19.1", 17, true), new SearchServer("opensearch-3.8.0", 21, true));
  /** OpenSearch's versions as numbers have this bit set, so that none is one of Elasticsearch's. */
  private static final int OPENSEARCH_BIT = 0x08000000;
  private static final Pattern NUMBER = Pattern.compile("\\d{7,9}");

  /**
   * The one that restores snapshots of a version.
   *
   * @param version as the repository names it: {@code 7.10.2}, or the number by which later ones call it
   */
  static Optional<SearchServer> of(String version) {
    var plain = NUMBER.matcher(version).matches() ? ofNumber(Integer.parseInt(version)) : version;
    if (!plain.matches("\\d+\\.\\d+.*")) {
      return Optional.empty();
    }
    var isOpenSearch = Integer.parseInt(plain.replaceFirst("\\..*", "")) < 5;
    return (isOpenSearch ? OPENSEARCH : ELASTICSEARCH).stream()
        .filter(server -> SnapshotVersion.isRestorable(plain, server.version.replaceFirst("^\\D+", ""), false))
        .findFirst();
  }

  /** 7100299 is 7.10.2. From 8500000 on they tell no minor version: the last of the major one reads them all. */
  private static String ofNumber(int number) {
    var id = number & ~OPENSEARCH_BIT;
    var major = id / 1_000_000;
    return id >= 8_500_000 ? major + ".0" : "%d.%d.%d".formatted(major, id / 10_000 % 100, id / 100 % 100);
  }
}
