//DEPS org.apache.cassandra:cassandra-all:4.1.10

import java.io.IOException;
import java.io.InputStream;
import java.nio.ByteBuffer;
import java.util.ArrayList;
import java.util.List;
import org.apache.cassandra.db.DecoratedKey;
import org.apache.cassandra.db.DeletionTime;
import org.apache.cassandra.db.SerializationHeader;
import org.apache.cassandra.dht.Murmur3Partitioner;
import org.apache.cassandra.io.sstable.IndexInfo;
import org.apache.cassandra.utils.ByteBufferUtil;

/** The entries of an SSTable's index, read out of the archive one after the other. */
final class SSTableIndex extends PositionedInput {
  private final SSTableFiles files;
  private final InputStream in;
  private final IndexInfo.Serializer blocks;
  private final byte[] piece = new byte[1 << 16];

  /**
   * A partition's place in the data.
   *
   * @param header the length of what stands before its first row; 0 if there are no blocks
   * @param blocks the parts of a large partition, by their first and last rows; none of a small one
   */
  record Entry(DecoratedKey key, long position, long header, DeletionTime deletion, List<IndexInfo> blocks) {}

  SSTableIndex(SSTableFiles files, SerializationHeader header) throws IOException {
    this.files = files;
    this.in = files.open(SSTableFiles.INDEX);
    this.blocks = IndexInfo.serializer(files.version(), header);
  }

  @Override
  ByteBuffer next() throws IOException {
    var length = in.readNBytes(piece, 0, piece.length);
    return length == 0 ? null : ByteBuffer.wrap(piece, 0, length);
  }

  /** The next entry; null at the end. */
  Entry readEntry() throws IOException {
    if (isAtEnd()) {
      return null;
    }
    var key = Murmur3Partitioner.instance.decorateKey(ByteBufferUtil.readWithShortLength(this));
    var position = readUnsignedVInt();
    var size = readUnsignedVInt();
    var end = position() + size;
    if (size < 0 || end > files.require(SSTableFiles.INDEX).size()) {
      throw new IOException("an entry leads beyond its end");
    }
    if (size == 0) {
      return new Entry(key, position, 0, null, List.of());
    }
    var header = readUnsignedVInt();
    var deletion = DeletionTime.serializer.deserialize(this);
    var infos = readBlocks(readUnsignedVInt(), end);
    if (position() != end) {
      throw new IOException("an entry is not as long as it says");
    }
    return new Entry(key, position, header, deletion, infos);
  }

  /** The blocks, and where each of them stands in the index. */
  private List<IndexInfo> readBlocks(long count, long end) throws IOException {
    if (count < 0 || count > end - position()) {
      throw new IOException("an entry has %d blocks".formatted(count));
    }
    var first = position();
    var infos = new ArrayList<IndexInfo>();
    var offsets = new ArrayList<Long>();
    for (var i = 0; i < count; i++) {
      offsets.add(position() - first);
      infos.add(blocks.deserialize(this));
    }
    for (var offset : offsets) {
      if (readInt() != offset) {
        throw new IOException("a block of an entry is not where it says");
      }
    }
    return infos;
  }

  @Override
  public void close() throws IOException {
    in.close();
  }
}
