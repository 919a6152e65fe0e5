//DEPS org.apache.cassandra:cassandra-all:4.1.10
//DEPS commons-io:commons-io:2.22.0

import java.io.ByteArrayInputStream;
import java.io.DataInputStream;
import java.io.IOError;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.util.Set;
import org.apache.cassandra.db.ClusteringPrefix;
import org.apache.cassandra.db.DecoratedKey;
import org.apache.cassandra.db.DeletionTime;
import org.apache.cassandra.db.SerializationHeader;
import org.apache.cassandra.db.rows.DeserializationHelper;
import org.apache.cassandra.db.rows.RangeTombstoneMarker;
import org.apache.cassandra.db.rows.Unfiltered;
import org.apache.cassandra.exceptions.UnknownColumnException;
import org.apache.cassandra.io.sstable.IndexInfo;
import org.apache.cassandra.io.sstable.SSTableSimpleIterator;
import org.apache.cassandra.utils.BloomFilterSerializer;
import org.apache.cassandra.utils.ByteBufferUtil;
import org.apache.cassandra.utils.FilterFactory;
import org.apache.cassandra.utils.IFilter;
import org.apache.commons.io.IOUtils;

/**
 * Reads one SSTable in an archive from end to end and proves that its components are whole and agree: the index names
 * each partition of the data, and no other, where it is; the filter has each; each row can be read through the
 * definition.
 */
final class SSTableProof {
  private static final Set<String> READ_WITH_DATA = Set.of(SSTableFiles.DATA, SSTableFiles.INDEX, SSTableFiles.FILTER,
      SSTableFiles.STATISTICS, SSTableFiles.COMPRESSION, SSTableFiles.CHECKSUMS, SSTableFiles.DIGEST,
      SSTableFiles.CONTENTS);
  private final SSTableFiles files;
  private final SSTableStatistics statistics;
  private final org.apache.cassandra.schema.TableMetadata table;
  private final SerializationHeader header;
  private final DeserializationHelper helper;
  private final NumberSample tokens;

  private SSTableProof(SSTableStatistics statistics, org.apache.cassandra.schema.TableMetadata table,
      NumberSample tokens) {
    this.files = statistics.files();
    this.statistics = statistics;
    this.table = statistics.readable(table);
    try {
      this.header = statistics.header().toHeader(this.table);
    } catch (UnknownColumnException e) {
      throw files.refused(SSTableFiles.STATISTICS, "does not fit the table's definition: " + e.getMessage(), e);
    }
    this.helper = new DeserializationHelper(
        this.table, files.version().correspondingMessagingVersion(), DeserializationHelper.Flag.LOCAL);
    this.tokens = tokens;
  }

  /** @param tokens gets those of the SSTable's partitions */
  static void prove(SSTableStatistics statistics, org.apache.cassandra.schema.TableMetadata table,
      NumberSample tokens) {
    try {
      new SSTableProof(statistics, table, tokens).prove();
    } catch (Failure e) {
      throw e;
    } catch (RuntimeException | IOError e) {
      throw statistics.files().refused(SSTableFiles.DATA, "cannot be read: " + e, e);
    }
  }

  private void prove() {
    requireComponents();
    for (var component : files.components().keySet()) {
      if (!READ_WITH_DATA.contains(component)) {
        requireReadable(component);
      }
    }
    try (var filter = filter()) {
      read(filter);
    } catch (IOException e) {
      throw files.damaged(SSTableFiles.DATA, e);
    }
  }

  /**
   * Cassandra writes no table of contents for SSTables that came as whole files: then it is the set that it always
   * writes.
   */
  private void requireComponents() {
    if (files.has(SSTableFiles.CONTENTS)) {
      files.text(SSTableFiles.CONTENTS).lines().map(String::strip).filter(name -> !name.isEmpty())
          .forEach(files::require);
    }
    files.require(SSTableFiles.DATA);
    files.require(SSTableFiles.INDEX);
    if (statistics.hasFilter() && table.params.bloomFilterFpChance < 1) {
      files.require(SSTableFiles.FILTER);
    }
    if (!files.has(SSTableFiles.COMPRESSION)) {
      files.require(SSTableFiles.CHECKSUMS);
    }
  }

  private void requireReadable(String component) {
    try (var in = files.open(component)) {
      if (IOUtils.consume(in) != files.require(component).size()) {
        throw new IOException("it is cut short");
      }
    } catch (IOException e) {
      throw files.damaged(component, e);
    }
  }

  /** A partition that is not in the filter would be invisible. */
  private IFilter filter() {
    if (!files.has(SSTableFiles.FILTER)) {
      return FilterFactory.AlwaysPresent;
    }
    try (var in = files.open(SSTableFiles.FILTER)) {
      var bytes = in.readAllBytes();
      var hashes = bytes.length < 8 ? 0 : ByteBuffer.wrap(bytes).getInt();
      if (hashes < 1 || hashes > 64 || bytes.length != 8 + 8L * ByteBuffer.wrap(bytes).getInt(4)) {
        throw new IOException("its length is wrong");
      }
      return BloomFilterSerializer.deserialize(new DataInputStream(new ByteArrayInputStream(bytes)),
          files.version().hasOldBfFormat());
    } catch (IOException e) {
      throw files.damaged(SSTableFiles.FILTER, e);
    }
  }

  private void read(IFilter filter) throws IOException {
    try (var index = new SSTableIndex(files, header); var data = SSTableData.open(files)) {
      var partitions = 0L;
      DecoratedKey before = null;
      for (; !data.isAtEnd(); partitions++) {
        var start = data.position();
        var entry = next(index);
        if (entry == null) {
          throw files.damaged(SSTableFiles.INDEX, "it ends after %d partitions, the data go on".formatted(partitions),
              null);
        }
        var key = key(data);
        if (entry.position() != start || !entry.key().getKey().equals(key)) {
          throw files.damaged(SSTableFiles.INDEX,
              "entry %d is not that of the data at %d".formatted(partitions + 1, start), null);
        }
        if (before != null && before.compareTo(entry.key()) >= 0 || !filter.isPresent(entry.key())) {
          throw files.damaged(SSTableFiles.INDEX, "it does not agree with its filter and order", null);
        }
        before = entry.key();
        tokens.add((Long) before.getToken().getTokenValue());
        readPartition(data, entry, start);
      }
      requireEnd(index, data, partitions);
    }
  }

  private SSTableIndex.Entry next(SSTableIndex index) {
    try {
      return index.readEntry();
    } catch (IOException | RuntimeException | OutOfMemoryError e) {
      throw e instanceof Failure failure ? failure : files.damaged(SSTableFiles.INDEX, e);
    }
  }

  private ByteBuffer key(SSTableData data) {
    try {
      return ByteBufferUtil.readWithShortLength(data);
    } catch (IOException e) {
      throw files.damaged(SSTableFiles.DATA, e);
    }
  }

  private void requireEnd(SSTableIndex index, SSTableData data, long partitions) throws IOException {
    if (next(index) != null) {
      throw files.damaged(SSTableFiles.INDEX, "it has more partitions than the data: %d".formatted(partitions), null);
    }
    data.requireEnd();
    var written = statistics.stats().estimatedPartitionSize;
    if (partitions == 0 || !written.isOverflowed() && written.count() != partitions) {
      throw files.damaged(SSTableFiles.DATA,
          "it has %d partitions, %d were written".formatted(partitions, written.count()), null);
    }
  }

  private void readPartition(SSTableData data, SSTableIndex.Entry entry, long start) {
    try {
      var deletion = DeletionTime.serializer.deserialize(data);
      if (!entry.blocks().isEmpty() && !deletion.equals(entry.deletion())) {
        throw files.damaged(SSTableFiles.INDEX, "an entry does not agree with the data at %d".formatted(start), null);
      }
      var rows = SSTableSimpleIterator.create(table, data, header, helper, deletion);
      rows.readStaticRow().validateData(table);
      var blocks = new Blocks(entry, data.position() - start);
      while (true) {
        var position = data.position() - start;
        if (!rows.hasNext()) {
          blocks.end(data.position() - start);
          return;
        }
        var next = rows.next();
        next.validateData(table);
        blocks.add(next, position);
      }
    } catch (Failure e) {
      throw e;
    } catch (IOException | RuntimeException | IOError | OutOfMemoryError e) {
      throw files.refused(SSTableFiles.DATA,
          "cannot be read through the table's definition: partition at %d: %s".formatted(
          start, e.getMessage()), e);
    }
  }

  /** Compares the index's blocks of a large partition with its rows. */
  private final class Blocks {
    private static final int END_MARK = 1;
    private final SSTableIndex.Entry entry;
    private int next;
    private IndexInfo block;
    private ClusteringPrefix<?> last;
    private DeletionTime open;

    Blocks(SSTableIndex.Entry entry, long header) {
      this.entry = entry;
      if (!entry.blocks().isEmpty() && (entry.header() != header || entry.blocks().get(0).offset != header)) {
        throw wrong();
      }
    }

    void add(Unfiltered row, long position) {
      if (block != null && position >= block.offset + block.width) {
        finish(position);
      }
      if (block == null && next < entry.blocks().size()) {
        block = entry.blocks().get(next++);
        if (block.offset != position || !isSame(block.firstName, row.clustering())) {
          throw wrong();
        }
      }
      last = row.clustering();
      if (row instanceof RangeTombstoneMarker marker) {
        open = marker.isOpen(false) ? marker.openDeletionTime(false) : null;
      }
    }

    /** The mark at a partition's end is in the last block, but not where the last row was long enough to end it. */
    void end(long position) {
      if (block != null) {
        finish(position - block.offset - block.width == END_MARK ? position - END_MARK : position);
      }
      if (next != entry.blocks().size()) {
        throw wrong();
      }
    }

    private void finish(long position) {
      if (position != block.offset + block.width || !isSame(block.lastName, last)
          || !(open == null ? block.endOpenMarker == null : open.equals(block.endOpenMarker))) {
        throw wrong();
      }
      block = null;
    }

    private boolean isSame(ClusteringPrefix<?> one, ClusteringPrefix<?> other) {
      return one.kind() == other.kind() && table.comparator.compare(one, other) == 0;
    }

    private Failure wrong() {
      return files.damaged(SSTableFiles.INDEX, "its blocks of the partition at %d are not those of the data".formatted(
          entry.position()), null);
    }
  }
}
