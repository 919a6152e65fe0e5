//DEPS com.fasterxml.jackson.core:jackson-databind:2.23.0
//DEPS com.fasterxml.jackson.dataformat:jackson-dataformat-smile:2.23.0 // in which Elasticsearch writes a snapshot's files

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.MissingNode;
import com.fasterxml.jackson.dataformat.smile.databind.SmileMapper;
import java.io.ByteArrayInputStream;
import java.io.IOException;
import java.io.InputStream;
import java.nio.BufferUnderflowException;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.util.zip.CRC32;
import java.util.zip.Inflater;
import java.util.zip.InflaterInputStream;

/**
 * A {@code snap-<uuid>.dat} of a snapshot repository: Lucene's header (magic, name, version), SMILE or JSON, perhaps
 * deflated behind {@code DFL\0}, and Lucene's footer (magic, algorithm, CRC32 of all before it).
 */
final class SnapshotFile {
  private static final int HEADER = 0x3fd76c17;
  private static final int FOOTER = ~HEADER;
  private static final int FOOTER_BYTES = 16;
  private static final byte[] DEFLATED = {'D', 'F', 'L', 0};
  private static final SmileMapper SMILE = new SmileMapper();

  private SnapshotFile() {}

  /**
   * Returns what the file says; nothing ({@link JsonNode#isMissingNode}) where its form is not known.
   *
   * @throws IOException with the reason in a few words if it is damaged
   */
  static JsonNode read(byte[] file) throws IOException {
    try {
      return content(ByteBuffer.wrap(file));
    } catch (BufferUnderflowException | IllegalArgumentException e) {
      throw new IOException("it is cut short");
    }
  }

  private static JsonNode content(ByteBuffer file) throws IOException {
    if (file.remaining() < FOOTER_BYTES) {
      throw new IOException(file.hasRemaining() ? "it is cut short" : "it is empty");
    }
    if (file.getInt() != HEADER) {
      return MissingNode.getInstance();
    }
    file.position(file.position() + 1 + file.get(file.position()) + Integer.BYTES); // name with its length, and version
    requireFooter(file);
    var content = new byte[file.limit() - FOOTER_BYTES - file.position()];
    file.get(content);
    return parse(content);
  }

  private static void requireFooter(ByteBuffer file) throws IOException {
    var end = file.limit() - FOOTER_BYTES;
    if (end < file.position() || file.getInt(end) != FOOTER) {
      throw new IOException("it is cut short");
    }
    var sum = new CRC32();
    sum.update(file.array(), 0, file.limit() - Long.BYTES);
    if (file.getLong(file.limit() - Long.BYTES) != sum.getValue()) {
      throw new IOException("its checksum does not fit");
    }
  }

  private static JsonNode parse(byte[] content) throws IOException {
    var starts = new String(content, 0, Math.min(DEFLATED.length, content.length), StandardCharsets.ISO_8859_1);
    if (starts.equals(new String(DEFLATED, StandardCharsets.ISO_8859_1))) {
      try (var inflated = inflated(content)) {
        return parse(inflated.readAllBytes());
      }
    }
    if (starts.startsWith(":)\n")) {
      return SMILE.readTree(content);
    }
    if (starts.startsWith("{")) {
      return Json.MAPPER.readTree(content);
    }
    return MissingNode.getInstance();
  }

  private static InputStream inflated(byte[] content) {
    return new InflaterInputStream(new ByteArrayInputStream(content, DEFLATED.length, content.length - DEFLATED.length),
        new Inflater(true));
  }
}
