//DEPS org.apache.cassandra:cassandra-all:4.1.10

import java.io.IOException;
import java.nio.ByteBuffer;
import org.apache.cassandra.io.util.RebufferingInputStream;

/** Data that come piece by piece, for Cassandra's readers; knows the position in all of them. */
abstract class PositionedInput extends RebufferingInputStream {
  private static final ByteBuffer NOTHING = ByteBuffer.allocate(0);
  private long before;

  PositionedInput() {
    super(NOTHING);
  }

  /** The next piece, which may be the same buffer again; null at the end. */
  abstract ByteBuffer next() throws IOException;

  @Override
  protected void reBuffer() throws IOException {
    before += buffer.limit();
    var piece = next();
    buffer = piece == null ? NOTHING : piece;
  }

  long position() {
    return before + buffer.position();
  }

  boolean isAtEnd() throws IOException {
    if (!buffer.hasRemaining()) {
      reBuffer();
    }
    return !buffer.hasRemaining();
  }
}
