//DEPS commons-codec:commons-codec:1.23.0

import java.io.ByteArrayOutputStream;
import java.io.EOFException;
import java.io.IOException;
import java.io.InputStream;
import java.nio.ByteBuffer;
import java.util.Base64;
import java.util.zip.CRC32C;
import org.apache.commons.codec.digest.DigestUtils;

/** The bytes of one request, in memory, so that it can be sent again: at most {@link ETag#PART} of them. */
final class RequestBody extends ByteArrayOutputStream {
  RequestBody() {
    super(ETag.PART);
  }

  byte[] bytes() {
    return buf;
  }

  /** Reads the next part of an object of which so many bytes are left. */
  void read(InputStream in, long left) throws IOException {
    var wanted = (int) Math.min(left, ETag.PART);
    count = in.readNBytes(buf, 0, wanted);
    if (count < wanted) {
      throw new EOFException("the archive ended inside an entry");
    }
  }

  /** The checksum as the header {@code x-amz-checksum-crc32c} has it. */
  String crc32c() {
    var crc = new CRC32C();
    crc.update(buf, 0, count);
    return Base64.getEncoder().encodeToString(ByteBuffer.allocate(4).putInt((int) crc.getValue()).array());
  }

  byte[] md5() {
    return md5(0, count);
  }

  byte[] md5(int from, long length) {
    var digest = DigestUtils.getMd5Digest();
    digest.update(buf, from, (int) length);
    return digest.digest();
  }
}
