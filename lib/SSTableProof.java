//DEPS org.apache.cassandra:cassandra-all:4.1.10
//DEPS commons-io:commons-io:2.22.0

import java.io.BufferedInputStream;
import java.io.DataInputStream;
import java.io.EOFException;
import java.io.IOException;
import java.io.PushbackInputStream;
import java.nio.ByteBuffer;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.EnumSet;
import java.util.List;
import java.util.concurrent.Callable;
import java.util.zip.CRC32;
import java.util.zip.CheckedInputStream;
import java.util.zip.Checksum;
import org.apache.cassandra.db.DecoratedKey;
import org.apache.cassandra.db.RowIndexEntry;
import org.apache.cassandra.dht.Murmur3Partitioner;
import org.apache.cassandra.io.sstable.Descriptor;
import org.apache.cassandra.io.sstable.format.Version;
import org.apache.cassandra.io.sstable.metadata.MetadataSerializer;
import org.apache.cassandra.io.sstable.metadata.MetadataType;
import org.apache.cassandra.io.util.DataInputPlus;
import org.apache.cassandra.io.util.FileSegmentInputStream;
import org.apache.cassandra.utils.BloomFilterSerializer;
import org.apache.cassandra.utils.ByteBufferUtil;
import org.apache.cassandra.utils.FilterFactory;
import org.apache.commons.io.IOUtils;

/** Reads every byte of one SSTable in an archive and proves that its components are whole and agree. */
record SSTableProof(SSTableFiles files, Version version) {
  /** The proofs, which may run side by side. */
  static List<Callable<Void>> of(SSTableFiles files) {
    var proof = new SSTableProof(files, files.version());
    files.text(SSTableFiles.CONTENTS).lines().filter(line -> !line.isBlank()).forEach(name -> files.require(name.strip()));
    var proofs = new ArrayList<>(List.<Callable<Void>>of(proof::proveIndex, proof::proveStatistics));
    if (files.has(SSTableFiles.COMPRESSION)) {
      proofs.add(proof::proveChunks);
    }
    files.components().keySet().stream()
        .filter(component -> !component.equals(SSTableFiles.DATA) || !files.has(SSTableFiles.COMPRESSION))
        .forEach(component -> proofs.add(() -> proof.proveBytes(component)));
    return proofs;
  }

  /**
   * Only the data have a digest. The index is proven by what it must agree with: every key is in the filter (one that is
   * not would be invisible), keys come in the order of their tokens, positions rise.
   */
  private Void proveIndex() {
    try (var index = new PushbackInputStream(new BufferedInputStream(files.open(SSTableFiles.INDEX), 1 << 16));
        var filter = !files.has(SSTableFiles.FILTER) ? FilterFactory.AlwaysPresent : BloomFilterSerializer.deserialize(
            new DataInputStream(new BufferedInputStream(files.open(SSTableFiles.FILTER))), version.hasOldBfFormat())) {
      var in = new DataInputPlus.DataInputStreamPlus(index);
      var end = -1L;
      DecoratedKey before = null;
      for (var next = index.read(); next >= 0; next = index.read()) {
        index.unread(next);
        var key = Murmur3Partitioner.instance.decorateKey(ByteBufferUtil.readWithShortLength(in));
        var position = RowIndexEntry.Serializer.readPosition(in);
        in.skipBytesFully((int) in.readUnsignedVInt());
        if (!filter.isPresent(key) || position <= end || before != null && before.compareTo(key) >= 0) {
          throw new IOException("it does not agree with its filter and order");
        }
        before = key;
        end = position;
      }
      return null;
    } catch (IOException | IllegalArgumentException e) {
      throw files.damaged(SSTableFiles.INDEX, e);
    }
  }

  /** Statistics carry checksums of their own, which Cassandra's own reader compares. */
  private Void proveStatistics() {
    var name = files.name() + "-" + SSTableFiles.STATISTICS;
    try (var in = files.open(SSTableFiles.STATISTICS)) {
      var descriptor = Descriptor.fromFilename(new org.apache.cassandra.io.util.File(Path.of("/", "keyspace", files.table(), name)));
      new MetadataSerializer().deserialize(descriptor, new FileSegmentInputStream(ByteBuffer.wrap(in.readAllBytes()), name, 0),
          EnumSet.allOf(MetadataType.class));
      return null;
    } catch (IOException | RuntimeException e) {
      throw files.damaged(SSTableFiles.STATISTICS, e);
    }
  }

  /** Compressed data carry a checksum behind each chunk: it proves every offset that says where one begins. */
  private Void proveChunks() {
    var entry = files.require(SSTableFiles.DATA);
    try (var info = new DataInputStream(new BufferedInputStream(files.open(SSTableFiles.COMPRESSION)));
        var all = new CheckedInputStream(new BufferedInputStream(files.open(SSTableFiles.DATA), 1 << 18), new CRC32())) {
      var data = new DataInputStream(all);
      info.readUTF();
      for (var words = 2 * info.readInt(); words > 0; words--) {
        info.readUTF();
      }
      var longest = 2L * info.readInt() + 1024;
      info.skipNBytes(version.hasMaxCompressedLength() ? 12 : 8);
      var chunks = info.readInt();
      var start = info.readLong();
      for (var chunk = 1; chunk <= chunks; chunk++) {
        var end = chunk < chunks ? info.readLong() : entry.size();
        if (end - start <= 4 || end - start > longest || start == 0 != (chunk == 1)) {
          throw new IOException("chunk %d is not where CompressionInfo.db says".formatted(chunk));
        }
        var crc = new CRC32();
        crc.update(data.readNBytes((int) (end - start - 4)));
        if ((int) crc.getValue() != data.readInt()) {
          throw new IOException("chunk " + chunk);
        }
        start = end;
      }
      requireDigest(all.getChecksum());
      return null;
    } catch (IOException e) {
      throw files.refused(SSTableFiles.DATA, "does not match its digest: " + e.getMessage(), e);
    }
  }

  private Void proveBytes(String component) {
    var entry = files.require(component);
    try (var in = new CheckedInputStream(files.archive().open(entry), new CRC32())) {
      if (IOUtils.consume(in) != entry.size()) {
        throw new EOFException("it is cut short");
      }
      if (component.equals(SSTableFiles.DATA)) {
        requireDigest(in.getChecksum());
      }
      return null;
    } catch (IOException e) {
      throw files.damaged(component, e);
    }
  }

  private void requireDigest(Checksum crc) {
    if (files.has(SSTableFiles.DIGEST) && !files.text(SSTableFiles.DIGEST).strip().equals(Long.toString(crc.getValue()))) {
      throw files.refused(SSTableFiles.DATA, "does not match its digest", null);
    }
  }
}
