//DEPS org.apache.cassandra:java-driver-core:4.19.4

import com.datastax.oss.driver.api.core.CqlIdentifier;
import com.datastax.oss.driver.api.core.CqlSession;
import com.datastax.oss.driver.api.core.DriverException;
import com.datastax.oss.driver.api.core.cql.SimpleStatement;
import com.datastax.oss.driver.api.core.metadata.schema.TableMetadata;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.TreeMap;
import java.util.stream.Collectors;

/**
 * About how many rows a table holds: counted where they are few, else estimated from how close together the tokens of
 * some are.
 *
 * @param rows the number
 * @param certainty how well it is known
 */
record RowEstimate(long rows, Certainty certainty) {
  /** How well a number is known; the worst of two decides for their sum. */
  enum Certainty { EXACT, ABOUT, AT_LEAST }

  private static final int PIECES = 4;
  private static final int SAMPLE = 1_000;
  private static final int FEWEST_PARTITIONS = 30;

  RowEstimate plus(RowEstimate other) {
    return new RowEstimate(rows + other.rows, certainty.compareTo(other.certainty) > 0 ? certainty : other.certainty);
  }

  /** In words, such as {@code about 1,200,000 rows}. */
  @Override
  public String toString() {
    var prefix = switch (certainty) {
      case EXACT -> "";
      case ABOUT -> "about ";
      case AT_LEAST -> "more than ";
    };
    return prefix + Count.of(rows, "row");
  }

  /** The live tables of a keyspace that can be asked. */
  static Map<String, RowEstimate> of(CqlSession session, String keyspace) {
    var estimates = new TreeMap<String, RowEstimate>();
    session.getMetadata().getKeyspace(CqlIdentifier.fromInternal(keyspace)).ifPresent(live -> live.getTables().values()
        .forEach(
            table -> of(session, table).ifPresent(estimate -> estimates.put(table.getName().asInternal(), estimate))));
    return estimates;
  }

  private static Optional<RowEstimate> of(CqlSession session, TableMetadata table) {
    var key =
        table.getPartitionKey().stream().map(column -> column.getName().asCql(true)).collect(Collectors.joining(", "));
    var query = "SELECT token(%s) AS t FROM %s.%s WHERE token(%s) >= ? AND token(%s) < ? LIMIT %d".formatted(
        key, table.getKeyspace().asCql(true), table.getName().asCql(true), key, key, SAMPLE);
    var sum = new RowEstimate(0, Certainty.EXACT);
    try {
      for (var from : starts()) {
        var to = from + size() - 1; // the last token of all, which no partition has, is left out for a plain query
        var rows =
            session.execute(SimpleStatement.newInstance(query, from, to).setTimeout(Duration.ofSeconds(20))).all();
        sum = sum.plus(of(from, rows.stream().mapToLong(row -> row.getLong("t")).toArray()));
      }
      return Optional.of(sum);
    } catch (DriverException e) {
      return Optional.empty(); // it only informs
    }
  }

  private static List<Long> starts() {
    var starts = new ArrayList<Long>();
    for (var piece = 0; piece < PIECES; piece++) {
      starts.add(Long.MIN_VALUE + piece * size());
    }
    return starts;
  }

  private static long size() {
    return Long.MIN_VALUE / PIECES * -2;
  }

  /** @param tokens of the first rows from there on, at most as many as a sample has */
  static RowEstimate of(long from, long[] tokens) {
    if (tokens.length < SAMPLE) {
      return new RowEstimate(tokens.length, Certainty.EXACT);
    }
    if (Arrays.stream(tokens).distinct().count() < FEWEST_PARTITIONS) {
      return new RowEstimate(tokens.length, Certainty.AT_LEAST);
    }
    var share = (tokens[tokens.length - 1] - from) / (double) size();
    return new RowEstimate(round(tokens.length / share), Certainty.ABOUT);
  }

  /** To two digits: more would promise too much. */
  private static long round(double rows) {
    var unit = Math.pow(10, Math.max(0, Math.floor(Math.log10(rows)) - 1));
    return (long) (Math.round(rows / unit) * unit);
  }
}
