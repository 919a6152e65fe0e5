//DEPS org.apache.cassandra:cassandra-all:4.1.10

import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.file.Path;
import java.util.EnumSet;
import java.util.HashMap;
import java.util.Map;
import java.util.function.BiConsumer;
import org.apache.cassandra.db.SerializationHeader;
import org.apache.cassandra.db.marshal.AbstractType;
import org.apache.cassandra.dht.Murmur3Partitioner;
import org.apache.cassandra.io.sstable.Descriptor;
import org.apache.cassandra.io.sstable.metadata.MetadataSerializer;
import org.apache.cassandra.io.sstable.metadata.MetadataType;
import org.apache.cassandra.io.sstable.metadata.StatsMetadata;
import org.apache.cassandra.io.sstable.metadata.ValidationMetadata;
import org.apache.cassandra.io.util.FileSegmentInputStream;
import org.apache.cassandra.schema.DroppedColumn;
import org.apache.cassandra.utils.ByteBufferUtil;

/**
 * An SSTable's Statistics.db: how it was written, and with which columns. Since Cassandra 4.0 it has checksums of its
 * own.
 */
record SSTableStatistics(
    SSTableFiles files, StatsMetadata stats, ValidationMetadata validation, SerializationHeader.Component header) {
  static SSTableStatistics read(SSTableFiles files) {
    var name = files.name() + "-" + SSTableFiles.STATISTICS;
    try (var in = files.open(SSTableFiles.STATISTICS)) {
      var path = Path.of("/", "keyspace", files.table(), name);
      var all = new MetadataSerializer().deserialize(
          Descriptor.fromFilename(new org.apache.cassandra.io.util.File(path)),
          new FileSegmentInputStream(ByteBuffer.wrap(in.readAllBytes()), name, 0), EnumSet.allOf(MetadataType.class));
      var stats = (StatsMetadata) all.get(MetadataType.STATS);
      var validation = (ValidationMetadata) all.get(MetadataType.VALIDATION);
      var header = (SerializationHeader.Component) all.get(MetadataType.HEADER);
      if (stats == null || validation == null || header == null) {
        throw new IOException("it is not complete");
      }
      return new SSTableStatistics(files, stats, validation, header).requirePartitioner();
    } catch (IOException | RuntimeException | OutOfMemoryError e) {
      throw e instanceof Failure failure ? failure : files.damaged(SSTableFiles.STATISTICS, e);
    }
  }

  private SSTableStatistics requirePartitioner() {
    if (!validation.partitioner.equals(Murmur3Partitioner.class.getCanonicalName())) {
      throw files.refused(SSTableFiles.STATISTICS,
          "names partitioner %s: only Murmur3Partitioner is supported".formatted(
          validation.partitioner), null);
    }
    return this;
  }

  boolean hasFilter() {
    return validation.bloomFilterFPChance < 1;
  }

  /** Gives the columns that the table neither has nor had: their names and types. */
  void unknownColumns(org.apache.cassandra.schema.TableMetadata table, boolean statics,
      BiConsumer<String, String> column) {
    (statics ? header.getStaticColumns() : header.getRegularColumns()).forEach((name, type) -> {
      var known = table.getColumn(name);
      if ((known == null || known.isStatic() != statics) && table.getDroppedColumn(name, statics) == null) {
        column.accept(quoted(name), type.expandUserTypes().asCQL3Type().toString());
      }
    });
  }

  private static String quoted(ByteBuffer name) {
    return "\"" + string(name).replace("\"", "\"\"") + "\"";
  }

  private static String string(ByteBuffer name) {
    try {
      return ByteBufferUtil.string(name);
    } catch (java.nio.charset.CharacterCodingException e) {
      return ByteBufferUtil.bytesToHex(name);
    }
  }

  /**
   * The table as this SSTable is read with: no value of a dropped column is left out.
   *
   * @throws Failure if the SSTable has a key or a column of a type that the table's definition cannot read
   */
  org.apache.cassandra.schema.TableMetadata readable(org.apache.cassandra.schema.TableMetadata table) {
    requireType("the partition key", table.partitionKeyType, header.getKeyType());
    var clustering = table.comparator.subtypes();
    var stored = header.getClusteringTypes();
    if (clustering.size() != stored.size()) {
      throw unreadable("%d clustering columns".formatted(stored.size()), "%d".formatted(clustering.size()));
    }
    for (var i = 0; i < stored.size(); i++) {
      requireType("clustering column " + (i + 1), clustering.get(i), stored.get(i));
    }
    requireTypes(table, header.getStaticColumns(), true);
    requireTypes(table, header.getRegularColumns(), false);
    var kept = new HashMap<ByteBuffer, DroppedColumn>();
    table.droppedColumns.forEach((name, dropped) -> kept.put(name, new DroppedColumn(dropped.column, Long.MIN_VALUE)));
    return table.unbuild().droppedColumns(kept).build();
  }

  private void requireTypes(
      org.apache.cassandra.schema.TableMetadata table, Map<ByteBuffer, AbstractType<?>> columns, boolean statics) {
    columns.forEach((name, type) -> {
      var column = table.getColumn(name);
      if (column != null && column.isStatic() == statics) {
        requireType("column " + string(name), column.type, type);
      }
    });
  }

  private void requireType(String what, AbstractType<?> wanted, AbstractType<?> stored) {
    var alike = wanted.isValueCompatibleWith(stored) || unfrozen(wanted).equals(unfrozen(stored));
    if (wanted.isReversed() != stored.isReversed()
        || !wanted.isCompatibleWith(stored) && !(wanted.isMultiCell() == stored.isMultiCell() && alike)) {
      throw unreadable("%s as %s".formatted(what, stored.asCQL3Type()), wanted.asCQL3Type().toString());
    }
  }

  /** Within a frozen type SSTables do not say that what it consists of is frozen, too. */
  private static String unfrozen(AbstractType<?> type) {
    return type.asCQL3Type().toString().replace("frozen", "").replaceAll("[<>]", "");
  }

  private Failure unreadable(String stored, String wanted) {
    return files.refused(SSTableFiles.STATISTICS,
        "does not fit the table's definition: it has %s, the definition has %s".formatted(
        stored, wanted), null);
  }
}
