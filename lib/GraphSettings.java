//DEPS org.apache.cassandra:java-driver-core:4.19.4

import com.datastax.oss.driver.api.core.CqlSession;
import com.datastax.oss.driver.api.core.servererrors.InvalidQueryException;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.time.Instant;
import java.time.temporal.ChronoUnit;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.TreeMap;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/**
 * JanusGraph's settings of the graph, which it keeps in its table {@code system_properties} and a backup brings along.
 *
 * @param indexName of Elasticsearch's indices the first part of the name, such as {@code thehive}
 * @param partitions into which the vertices are divided, a power of two
 * @param openInstances the programs that had the graph open when the backup was taken
 */
record GraphSettings(String indexName, int partitions, List<String> openInstances) {
  private static final Pattern REGISTRATION = Pattern.compile("system-registration\\.(.+)\\.startup-time");
  private static final String USUAL_NAME = "janusgraph";
  private static final int USUAL_PARTITIONS = 32;
  /** How a number and a text begin: the kind, and of a text that it is ASCII. */
  private static final byte[] NUMBER = {(byte) (0x80 | 12)};
  private static final byte[] TEXT = {(byte) (0x80 | 18), (byte) (0x80 | 32)};

  /** A value as JanusGraph stores it, and when it was written. */
  record Value(ByteBuffer bytes, Instant written) {}

  /**
   * Reads them from the keyspace; empty where it holds no graph.
   *
   * @param before programs that registered later are not told
   */
  static Optional<GraphSettings> read(CqlSession session, String keyspace, Instant before) {
    var values = new TreeMap<String, Value>();
    try {
      session.execute("SELECT column1, value, writetime(value) FROM %s.system_properties"
          .formatted(CassandraCluster.quoted(keyspace)))
          .forEach(row -> values.put(StandardCharsets.UTF_8.decode(row.getByteBuffer(0)).toString(),
              new Value(row.getByteBuffer(1), Instant.EPOCH.plus(row.getLong(2), ChronoUnit.MICROS))));
    } catch (InvalidQueryException e) {
      return Optional.empty(); // there is no such table
    }
    return values.isEmpty() ? Optional.empty() : Optional.of(of(values, before));
  }

  static GraphSettings of(Map<String, Value> values, Instant before) {
    var instances = values.entrySet().stream().filter(value -> value.getValue().written().isBefore(before))
        .map(value -> REGISTRATION.matcher(value.getKey())).filter(Matcher::matches).map(name -> name.group(1))
        .sorted().toList();
    return new GraphSettings(value(values, "index.search.index-name").flatMap(GraphSettings::text).orElse(USUAL_NAME),
        value(values, "cluster.max-partitions").flatMap(GraphSettings::number)
            .filter(number -> Integer.bitCount(number) == 1)
            .orElse(USUAL_PARTITIONS), instances);
  }

  private static Optional<ByteBuffer> value(Map<String, Value> values, String name) {
    return Optional.ofNullable(values.get(name)).map(Value::bytes);
  }

  /** Seven bits in each byte, the last of which has its first bit set; the last bit of all is the sign. */
  private static Optional<Integer> number(ByteBuffer value) {
    if (!begins(value, NUMBER)) {
      return Optional.empty();
    }
    var number = 0;
    for (int i = value.position() + NUMBER.length; i < value.limit(); i++) {
      number = number << 7 | value.get(i) & 0x7f;
    }
    return Optional.of(number >> 1);
  }

  /** The last letter of a text has its first bit set. */
  private static Optional<String> text(ByteBuffer value) {
    if (!begins(value, TEXT)) {
      return Optional.empty();
    }
    var text = new StringBuilder();
    for (int i = value.position() + TEXT.length; i < value.limit(); i++) {
      text.append((char) (value.get(i) & 0x7f));
    }
    return Optional.of(text.toString());
  }

  private static boolean begins(ByteBuffer value, byte[] with) {
    return value.remaining() > with.length && value.slice().limit(with.length).equals(ByteBuffer.wrap(with));
  }

  /** The index that holds the documents of the vertices. */
  String index() {
    return indexName + "_global";
  }

  /** Facts that somebody who starts TheHive on the restored graph must know; empty if there are none. */
  Optional<String> advice() {
    return openInstances.isEmpty() ? Optional.empty() : Optional.of(
        "of when the backup was taken the graph still names programs that have it open (%s): start one node of TheHive"
            .formatted(String.join(", ", openInstances)) + " first, which removes them");
  }
}
