//DEPS commons-codec:commons-codec:1.23.0
//DEPS commons-io:commons-io:2.22.0

import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.InputStream;
import java.nio.ByteBuffer;
import java.util.HexFormat;
import java.util.regex.Pattern;
import org.apache.commons.codec.digest.DigestUtils;
import org.apache.commons.io.input.BoundedInputStream;

/**
 * An object's ETag: the MD5 of its content, or of its parts' MD5s where it was sent in parts. In numbers, not as text:
 * there may be a million.
 *
 * @param parts 0 where the object was sent as a whole, {@link #OPAQUE} where the ETag says nothing about the content
 */
record ETag(long high, long low, int parts) {
  static final int OPAQUE = -1;
  /** The size of the parts that the restore sends, and AWS's own tools. */
  static final int PART = 8 << 20;
  private static final Pattern MD5 = Pattern.compile("\"?([0-9a-f]{32})(?:-(\\d{1,5}))?\"?");

  /** The ETag in an answer of the server, with or without quotes. */
  static ETag of(String text) {
    var match = MD5.matcher(text == null ? "" : text);
    if (!match.matches()) {
      return of(DigestUtils.md5(text == null ? "" : text.replace("\"", "")), OPAQUE);
    }
    return of(HexFormat.of().parseHex(match.group(1)), match.group(2) == null ? 0 : Integer.parseInt(match.group(2)));
  }

  static ETag of(byte[] md5, int parts) {
    var buffer = ByteBuffer.wrap(md5);
    return new ETag(buffer.getLong(), buffer.getLong(), parts);
  }

  /** True if the object was sent in the parts that {@link #PART} makes of this size. */
  boolean isInParts(long size) {
    return parts > 0 && parts == partsOf(size);
  }

  /** The ETag of content that is sent in parts, or as a whole. */
  static ETag of(InputStream content, long size, boolean inParts) throws IOException {
    if (!inParts) {
      return of(DigestUtils.md5(content), 0);
    }
    var md5s = new ByteArrayOutputStream();
    for (var left = size; left > 0; left -= PART) {
      md5s.write(DigestUtils.md5(BoundedInputStream.builder().setInputStream(content).setMaxCount(PART).get()));
    }
    return of(DigestUtils.md5(md5s.toByteArray()), partsOf(size));
  }

  static int partsOf(long size) {
    return (int) ((size + PART - 1) / PART);
  }
}
