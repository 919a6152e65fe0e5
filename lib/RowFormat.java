//DEPS org.apache.cassandra:cassandra-all:4.1.10
//DEPS org.apache.cassandra:java-driver-core:4.19.4

import java.nio.ByteBuffer;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Objects;
import java.util.stream.Collectors;
import java.util.stream.IntStream;
import java.util.stream.Stream;
import org.apache.cassandra.db.Clustering;
import org.apache.cassandra.db.DecoratedKey;
import org.apache.cassandra.db.context.CounterContext;
import org.apache.cassandra.db.marshal.AbstractType;
import org.apache.cassandra.db.marshal.ByteBufferAccessor;
import org.apache.cassandra.db.marshal.BytesType;
import org.apache.cassandra.db.marshal.CollectionType;
import org.apache.cassandra.db.marshal.CompositeType;
import org.apache.cassandra.db.marshal.UserType;
import org.apache.cassandra.db.rows.Cell;
import org.apache.cassandra.db.rows.ComplexColumnData;
import org.apache.cassandra.db.rows.Row;
import org.apache.cassandra.dht.Murmur3Partitioner;
import org.apache.cassandra.dht.Range;
import org.apache.cassandra.dht.Token;
import org.apache.cassandra.schema.ColumnMetadata;
import org.apache.cassandra.schema.TableMetadata;
import org.apache.cassandra.transport.ProtocolVersion;
import org.apache.cassandra.utils.ByteBufferUtil;

/**
 * Reads rows of one table alike from the backup's SSTables and from a node's answers.
 *
 * @param columns the columns whose values are compared, static ones first
 */
record RowFormat(TableMetadata table, List<ColumnMetadata> columns) {
  RowFormat(TableMetadata table) {
    this(table, Stream.of(table.staticColumns(), table.regularColumns())
        .flatMap(part -> IntStream.range(0, part.size()).boxed().map(new ArrayList<>(part)::get)).toList());
  }

  /** Collections and types with cells of their own, and counters, have no write time that CQL can tell. */
  private boolean hasTime(ColumnMetadata column) {
    return column.isSimple() && !table.isCounter();
  }

  /** Selects the keys, and of each column the value, write time and time to live where it has them. */
  String query(Range<Token> range) {
    var values = columns.stream().map(
        column -> (hasTime(column) ? "%1$s, writetime(%1$s), ttl(%1$s)" : "%s").formatted(column.name.toCQLString()));
    var keys = Stream.concat(table.partitionKeyColumns().stream(), table.clusteringColumns().stream())
        .map(column -> column.name.toCQLString());
    return "SELECT " + Stream.concat(keys, values).collect(Collectors.joining(", ")) + from(range);
  }

  String countQuery(Range<Token> range) {
    return "SELECT count(*)" + from(range);
  }

  private String from(Range<Token> range) {
    var keys =
        table.partitionKeyColumns().stream().map(column -> column.name.toCQLString()).collect(Collectors.joining(", "));
    return " FROM %1$s WHERE token(%2$s) > %3$s AND token(%2$s) <= %4$s".formatted(table, keys,
        range.left, range.right.isMinimum() ? Long.MAX_VALUE : range.right);
  }

  /** @param row null for a partition that has only static values */
  TableRow ofBackup(DecoratedKey key, Row statics, Row row) {
    var values = new ArrayList<TableRow.Value>();
    var end = Long.MAX_VALUE;
    for (var column : columns) {
      var of = column.isStatic() ? statics : row;
      if (of == null) {
        values.add(null);
      } else if (column.isComplex()) {
        var cells = of.getComplexColumnData(column);
        values.add(cells == null ? null : new TableRow.Value(bytes(column, cells), TableRow.NO_TIME, false));
        for (var cell : cells == null ? List.<Cell<?>>of() : cells) {
          end = Math.min(end, cell.localDeletionTime());
        }
      } else {
        var cell = of.getCell(column);
        values.add(cell == null ? null : value(cell));
        end = cell == null ? end : Math.min(end, cell.localDeletionTime());
      }
    }
    return new TableRow(false, key, row == null ? Clustering.STATIC_CLUSTERING : row.clustering(), values, end);
  }

  private TableRow.Value value(Cell<?> cell) {
    return table.isCounter()
        ? new TableRow.Value(ByteBufferUtil.bytes(CounterContext.instance().total(cell)), TableRow.NO_TIME, false)
        : new TableRow.Value(cell.buffer(), cell.timestamp(), cell.isExpiring());
  }

  private static ByteBuffer bytes(ColumnMetadata column, ComplexColumnData cells) {
    return column.type instanceof CollectionType<?> collection
        ? collection.serializeForNativeProtocol(cells.iterator(), ProtocolVersion.V4)
        : ((UserType) column.type).serializeForNativeProtocol(cells.iterator(), ProtocolVersion.V4);
  }

  /** Reads a row that a node answered to {@link #query}. */
  TableRow ofNode(com.datastax.oss.driver.api.core.cql.Row row) {
    var parts = table.partitionKeyColumns().size();
    var next = parts + table.clusteringColumns().size();
    var key = parts == 1 ? row.getBytesUnsafe(0) : CompositeType.build(ByteBufferAccessor.instance,
        IntStream.range(0, parts).mapToObj(row::getBytesUnsafe).toArray(ByteBuffer[]::new));
    var clustering = IntStream.range(parts, next).mapToObj(row::getBytesUnsafe).toArray(ByteBuffer[]::new);
    var values = new ArrayList<TableRow.Value>();
    for (var column : columns) {
      var timed = hasTime(column);
      values.add(row.isNull(next) ? null : new TableRow.Value(row.getBytesUnsafe(next),
          timed ? row.getLong(next + 1) : TableRow.NO_TIME, timed && !row.isNull(next + 2)));
      next += timed ? 3 : 1;
    }
    var only = clustering.length > 0 && Arrays.stream(clustering).allMatch(Objects::isNull);
    return new TableRow(true, Murmur3Partitioner.instance.decorateKey(key),
        only ? Clustering.STATIC_CLUSTERING : Clustering.make(clustering), values, Long.MAX_VALUE);
  }

  /** The primary key of a row, as an administrator would look for it. */
  String name(TableRow row) {
    var text = new StringBuilder("key " + shown(BytesType.instance, row.key().getKey()));
    for (var column : row.isStatic() ? List.<ColumnMetadata>of() : table.clusteringColumns()) {
      var value = shown(column.type, row.clustering().bufferAt(column.position()));
      text.append(", ").append(column.name).append(' ').append(value);
    }
    return text.toString();
  }

  private static String shown(AbstractType<?> type, ByteBuffer value) {
    var text = type == BytesType.instance ? "0x" + ByteBufferUtil.bytesToHex(value) : type.getString(value);
    return text.length() > 100 ? text.substring(0, 100) + "…" : text;
  }
}
