//DEPS org.apache.cassandra:cassandra-all:4.1.10

import java.io.BufferedInputStream;
import java.io.DataInputStream;
import java.io.EOFException;
import java.io.IOException;
import java.io.InputStream;
import java.nio.ByteBuffer;
import java.util.Arrays;
import java.util.HashMap;
import java.util.zip.CRC32;
import java.util.zip.CheckedInputStream;
import org.apache.cassandra.exceptions.ConfigurationException;
import org.apache.cassandra.io.compress.ICompressor;

/**
 * The uncompressed data of an SSTable, read out of the archive. No byte is handed on before it was compared with the
 * checksum of its chunk.
 */
abstract class SSTableData extends PositionedInput {
  private static final int CHECKSUM = 4;
  final SSTableFiles files;
  final DataInputStream file;
  /** The sum of all data; null where each chunk has a checksum. */
  private final CRC32 digest;

  private SSTableData(SSTableFiles files) throws IOException {
    this.files = files;
    this.digest = files.has(SSTableFiles.COMPRESSION) || files.has(SSTableFiles.CHECKSUMS) ? null : new CRC32();
    var data = new BufferedInputStream(files.open(SSTableFiles.DATA), 1 << 18);
    this.file = new DataInputStream(digest == null ? data : new CheckedInputStream(data, digest));
  }

  static SSTableData open(SSTableFiles files) throws IOException {
    return files.has(SSTableFiles.COMPRESSION) ? new Compressed(files) : new Plain(files);
  }

  /**
   * Must be called at the end: throws if these were not all data, or not those of the digest. The digest counts only
   * where chunks have no checksums: scrub of Cassandra 5.0.9 writes good data with a wrong digest, which nothing but
   * {@code nodetool verify} reads.
   */
  void requireEnd() throws IOException {
    if (file.read() >= 0) {
      throw files.refused(SSTableFiles.DATA, "is damaged: it is longer than its SSTable", null);
    }
    if (files.has(SSTableFiles.DIGEST)) {
      var recorded = files.text(SSTableFiles.DIGEST).strip();
      if (digest == null ? !recorded.matches("\\d+") : !recorded.equals(Long.toString(digest.getValue()))) {
        throw files.refused(SSTableFiles.DATA, "does not match its digest", null);
      }
    }
  }

  Failure wrongChunk(long chunk, String why, Throwable cause) {
    return files.refused(SSTableFiles.DATA, "does not match its digest: chunk %d%s".formatted(chunk, why), cause);
  }

  @Override
  public void close() throws IOException {
    file.close();
  }

  /**
   * Chunks of one length, each compressed by itself, with a checksum behind it; CompressionInfo.db says where they are.
   * A compaction that opens what it wrote before it ends leaves one more, which is empty.
   */
  private static final class Compressed extends SSTableData {
    private final DataInputStream info;
    private final ICompressor compressor;
    private final int chunkLength;
    private final int maxCompressedLength;
    private final long dataLength;
    private final int chunks;
    private final byte[] plain;
    private byte[] packed = new byte[0];
    private long start;
    private int chunk;

    Compressed(SSTableFiles files) throws IOException {
      super(files);
      info = new DataInputStream(new BufferedInputStream(files.open(SSTableFiles.COMPRESSION)));
      try {
        var name = info.readUTF();
        var options = new HashMap<String, String>();
        for (var count = info.readInt(); count > 0; count--) {
          options.put(info.readUTF(), info.readUTF());
        }
        chunkLength = info.readInt();
        maxCompressedLength = files.version().hasMaxCompressedLength() ? info.readInt() : Integer.MAX_VALUE;
        dataLength = info.readLong();
        chunks = info.readInt();
        start = info.readLong();
        if (chunkLength <= 0 || start != 0 || dataLength <= 0 || (dataLength - 1) / chunkLength >= chunks) {
          throw new IOException("%d chunks of %d bytes are not %d bytes".formatted(chunks, chunkLength, dataLength));
        }
        compressor = Compressors.make(name, options, chunkLength, maxCompressedLength);
      } catch (IOException | ConfigurationException | IllegalArgumentException e) {
        throw files.damaged(SSTableFiles.COMPRESSION, e);
      }
      plain = new byte[(int) Math.min(chunkLength, dataLength)];
    }

    @Override
    ByteBuffer next() throws IOException {
      while (chunk < chunks) {
        var piece = nextChunk();
        if (piece.hasRemaining()) {
          return piece;
        }
      }
      return null;
    }

    private ByteBuffer nextChunk() throws IOException {
      chunk++;
      var size = files.require(SSTableFiles.DATA).size();
      var end = chunk < chunks ? nextOffset() : size;
      if (end - start < CHECKSUM || end > size || end - start > 2L * chunkLength + 1024) {
        throw wrongChunk(chunk, " is not where CompressionInfo.db says", null);
      }
      var length = (int) (end - start) - CHECKSUM;
      start = end;
      packed = packed.length < length ? new byte[length] : packed;
      file.readFully(packed, 0, length);
      var crc = new CRC32();
      crc.update(packed, 0, length);
      if ((int) crc.getValue() != file.readInt()) {
        throw wrongChunk(chunk, "", null);
      }
      return unpacked(length);
    }

    private long nextOffset() {
      try {
        return info.readLong();
      } catch (IOException e) {
        throw files.damaged(SSTableFiles.COMPRESSION, "it is cut short", e);
      }
    }

    /** Takes a chunk as it is where compression did not make it smaller; the last one ends in zeros up to the limit. */
    private ByteBuffer unpacked(int length) {
      var wanted = (int) Math.max(0, Math.min(chunkLength, dataLength - (chunk - 1L) * chunkLength));
      try {
        var got = length;
        if (length < maxCompressedLength) {
          got = length == 0 ? 0 : compressor.uncompress(packed, 0, length, plain, 0);
        } else {
          got = length == maxCompressedLength ? Math.min(wanted, length) : length;
          System.arraycopy(packed, 0, plain, 0, Math.min(got, plain.length));
        }
        if (got != wanted) {
          throw new IOException("%d bytes in place of %d".formatted(got, wanted));
        }
        return ByteBuffer.wrap(plain, 0, got);
      } catch (LinkageError e) {
        throw Compressors.missingLibrary(e).orElseThrow();
      } catch (IOException | RuntimeException e) {
        throw wrongChunk(chunk, " cannot be decompressed: " + e.getMessage(), e);
      }
    }

    @Override
    void requireEnd() throws IOException {
      super.requireEnd();
      if (info.read() >= 0) {
        throw files.damaged(SSTableFiles.COMPRESSION, "it is longer than its SSTable", null);
      }
    }

    @Override
    public void close() throws IOException {
      super.close();
      info.close();
    }
  }

  /** Data as they are; CRC.db has the checksums of chunks. */
  private static final class Plain extends SSTableData {
    private final DataInputStream checksums;
    private final byte[] piece;
    private long chunk;

    Plain(SSTableFiles files) throws IOException {
      super(files);
      checksums = new DataInputStream(new BufferedInputStream(files.has(SSTableFiles.CHECKSUMS)
          ? files.open(SSTableFiles.CHECKSUMS) : InputStream.nullInputStream()));
      try {
        var length = files.has(SSTableFiles.CHECKSUMS) ? checksums.readInt() : 1 << 16;
        if (length <= 0 || length > 1 << 26) {
          throw new IOException("chunks of %d bytes".formatted(length));
        }
        piece = new byte[length];
      } catch (IOException e) {
        throw files.damaged(SSTableFiles.CHECKSUMS, e);
      }
    }

    @Override
    ByteBuffer next() throws IOException {
      var length = file.readNBytes(piece, 0, piece.length);
      if (length == 0) {
        return null;
      }
      chunk++;
      if (files.has(SSTableFiles.CHECKSUMS)) {
        var crc = new CRC32();
        crc.update(piece, 0, length);
        try {
          if ((int) crc.getValue() != checksums.readInt()) {
            throw wrongChunk(chunk, "", null);
          }
        } catch (EOFException e) {
          throw files.damaged(SSTableFiles.CHECKSUMS, "it is cut short", e);
        }
      }
      return ByteBuffer.wrap(piece, 0, length);
    }

    @Override
    void requireEnd() throws IOException {
      super.requireEnd();
      var more = checksums.readAllBytes();
      if (!Arrays.equals(more, new byte[more.length])) { // those of empty chunks, which a compaction leaves, are 0
        throw files.damaged(SSTableFiles.CHECKSUMS, "it is longer than its SSTable", null);
      }
    }

    @Override
    public void close() throws IOException {
      super.close();
      checksums.close();
    }
  }
}
