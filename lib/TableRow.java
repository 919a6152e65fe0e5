//DEPS org.apache.cassandra:cassandra-all:4.1.10

import java.nio.ByteBuffer;
import java.util.Comparator;
import java.util.List;
import java.util.Objects;
import org.apache.cassandra.db.Clustering;
import org.apache.cassandra.db.DecoratedKey;
import org.apache.cassandra.schema.TableMetadata;

/**
 * A row of the backup, or of a node.
 *
 * @param live true if a node holds it, false if the backup does
 * @param values those of {@link RowFormat#columns}; null where there is none
 * @param end when the first value reaches its time to live, in seconds; only known of the backup's rows
 */
record TableRow(boolean live, DecoratedKey key, Clustering<?> clustering, List<Value> values, long end) {
  static final long NO_TIME = Long.MIN_VALUE;

  /** A value as CQL returns it; {@code written} is NO_TIME where a column has no write time of its own. */
  record Value(ByteBuffer bytes, long written, boolean expires) {}

  /** The order in which nodes and SSTables have the rows. */
  static Comparator<TableRow> order(TableMetadata table) {
    return Comparator.comparing(TableRow::key).thenComparing(row -> !row.isStatic())
        .thenComparing((one, other) -> one.isStatic() ? 0 : table.comparator.compare(one.clustering, other.clustering));
  }

  /** True if it stands for a partition that has static values and no rows. */
  boolean isStatic() {
    return clustering == Clustering.STATIC_CLUSTERING;
  }

  /** The newest write time of a value. */
  long written() {
    return values.stream().filter(Objects::nonNull).mapToLong(Value::written).max().orElse(NO_TIME);
  }

  /** True if it differs from another one of the same key in values that have no write time, and in no others. */
  boolean differsWithoutTime(TableRow other) {
    for (var i = 0; i < values.size(); i++) {
      var known = values.get(i) != null ? values.get(i) : other.values.get(i);
      if (!Objects.equals(values.get(i), other.values.get(i)) && known.written() != NO_TIME) {
        return false;
      }
    }
    return true;
  }

  /** True if it may be past its time to live, or may have been when the node was asked for it. */
  boolean expires() {
    return end <= System.currentTimeMillis() / 1000 + 60;
  }
}
