import java.io.EOFException;
import java.io.IOException;
import java.io.InputStream;
import java.util.Arrays;
import java.util.List;

/** The pieces of a sparse file that are not holes: where each lies in the file, and how long it is. */
final class SparseMap {
  private final long[] offsets;
  private final long[] lengths;
  private final long stored;

  /** @param numbers offset and length of each piece in turn, as every form of sparse tar has them */
  SparseMap(List<Long> numbers, long size) throws IOException {
    if (numbers.size() % 2 != 0) {
      throw new IOException("the map of a sparse file is damaged");
    }
    offsets = new long[numbers.size() / 2];
    lengths = new long[offsets.length];
    var end = 0L;
    var all = 0L;
    for (int i = 0; i < offsets.length; i++) {
      offsets[i] = numbers.get(2 * i);
      lengths[i] = numbers.get(2 * i + 1);
      if (offsets[i] < end || lengths[i] < 0 || lengths[i] > size - offsets[i]) {
        throw new IOException("the map of a sparse file is damaged");
      }
      end = offsets[i] + lengths[i];
      all += lengths[i];
    }
    stored = all;
  }

  /** The bytes in the archive. */
  long stored() {
    return stored;
  }

  int pieces() {
    return offsets.length;
  }

  long offset(int piece) {
    return offsets[piece];
  }

  long length(int piece) {
    return lengths[piece];
  }

  /** The whole file with zeros for its holes, from its stored bytes. */
  InputStream expand(InputStream bytes, long size) {
    return new ArrayInput() {
      private long position;
      private int piece;

      @Override
      public int read(byte[] buffer, int from, int length) throws IOException {
        if (length == 0) {
          return 0;
        }
        while (piece < offsets.length && position >= offsets[piece] + lengths[piece]) {
          piece++;
        }
        var inPiece = piece < offsets.length && position >= offsets[piece];
        var end = inPiece ? offsets[piece] + lengths[piece] : piece < offsets.length ? offsets[piece] : size;
        var count = (int) Math.min(length, end - position);
        if (count == 0) {
          return -1;
        }
        if (inPiece) {
          count = bytes.read(buffer, from, count);
          if (count < 0) {
            throw new EOFException("a sparse file is cut short");
          }
        } else {
          Arrays.fill(buffer, from, from + count, (byte) 0);
        }
        position += count;
        return count;
      }

      @Override
      public void close() throws IOException {
        bytes.close();
      }
    };
  }
}
