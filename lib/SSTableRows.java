//DEPS org.apache.cassandra:cassandra-all:4.1.10
//DEPS com.google.guava:guava:33.8.0-jre

import com.google.common.collect.Iterators;
import java.io.Closeable;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Iterator;
import java.util.List;
import java.util.function.BiConsumer;
import org.apache.cassandra.db.DecoratedKey;
import org.apache.cassandra.db.EmptyIterators;
import org.apache.cassandra.db.lifecycle.LifecycleTransaction;
import org.apache.cassandra.db.partitions.PartitionIterator;
import org.apache.cassandra.db.partitions.UnfilteredPartitionIterators;
import org.apache.cassandra.db.rows.Row;
import org.apache.cassandra.dht.Range;
import org.apache.cassandra.dht.Token;
import org.apache.cassandra.io.sstable.Descriptor;
import org.apache.cassandra.io.sstable.format.SSTableReader;
import org.apache.cassandra.schema.TableMetadata;
import org.apache.cassandra.schema.TableMetadataRef;

/** The rows of a table of the backup: its SSTables merged, what is deleted in them left out. */
final class SSTableRows implements Closeable {
  final TableMetadata table;
  final RowFormat format;
  private final List<SSTableReader> sstables = new ArrayList<>();

  /** Opens the SSTables of a folder. */
  SSTableRows(TableMetadata table, Path folder) throws IOException {
    this.table = table;
    this.format = new RowFormat(table);
    try (var files = Files.newDirectoryStream(folder, "*-Data.db")) {
      for (var file : files) {
        var data = new org.apache.cassandra.io.util.File(file);
        sstables.add(
            SSTableReader.openNoValidation(Descriptor.fromFilename(data), TableMetadataRef.forOfflineTools(table)));
      }
    }
  }

  /** An upper bound of the number of rows. */
  long rows() {
    return sstables.stream().mapToLong(SSTableReader::getTotalRows).sum();
  }

  /** The newest write time in any SSTable. */
  long newest() {
    return sstables.stream().mapToLong(SSTableReader::getMaxTimestamp).max().orElse(Long.MIN_VALUE);
  }

  /** How many rows are a page of about a megabyte. */
  int page() {
    var size = sstables.stream().mapToLong(SSTableReader::uncompressedLength).sum() / Math.max(1, rows());
    return (int) Math.max(50, Math.min(2000, (1 << 20) / Math.max(1, size)));
  }

  PartitionIterator partitions(Range<Token> range) {
    var scanners = sstables.stream().map(sstable -> sstable.getScanner(List.of(range))).toList();
    return scanners.isEmpty() ? EmptyIterators.partition() : UnfilteredPartitionIterators.filter(
        UnfilteredPartitionIterators.merge(scanners, UnfilteredPartitionIterators.MergeListener.NOOP),
        (int) (System.currentTimeMillis() / 1000));
  }

  /** The rows of partitions in their order; static values without a row are a row to CQL, too. */
  Iterator<TableRow> rows(PartitionIterator partitions, BiConsumer<DecoratedKey, Row> visitor) {
    return Iterators.concat(Iterators.transform(partitions, partition -> {
      var key = partition.partitionKey();
      var statics = partition.staticRow();
      if (!partition.hasNext() && !statics.isEmpty()) {
        return Iterators.singletonIterator(format.ofBackup(key, statics, null));
      }
      return Iterators.transform(partition, row -> {
        visitor.accept(key, row);
        return format.ofBackup(key, statics, row);
      });
    }));
  }

  /** Files are closed when it returns: what is deleted while it is open stays on NFS under another name. */
  @Override
  public void close() {
    sstables.forEach(sstable -> sstable.selfRef().close());
    LifecycleTransaction.waitForDeletions(); // a thread of Cassandra's closes and deletes, in this order
  }
}
