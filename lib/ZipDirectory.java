//DEPS net.lingala.zip4j:zip4j:2.11.6

import java.io.Closeable;
import java.io.EOFException;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.channels.FileChannel;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.ArrayList;
import net.lingala.zip4j.model.ExtraDataRecord;
import net.lingala.zip4j.model.FileHeader;

/**
 * The central directory of a zip, read one header at a time: Zip4j by itself keeps all of them, and a million need more
 * than a gigabyte of memory.
 */
final class ZipDirectory implements Closeable {
  private static final int HEADER = 0x02014b50;
  private static final int HEADER_LENGTH = 46;
  private static final int END = 0x06054b50;
  private static final int END_LENGTH = 22;
  private static final int END_64 = 0x06064b50;
  private static final int END_64_LENGTH = 56;
  private static final int LOCATOR_64 = 0x07064b50;
  private static final int LOCATOR_64_LENGTH = 20;
  private static final int SIZES_64 = 1;
  private static final int LONGEST_COMMENT = 0xffff;
  private static final long IN_EXTRA_FIELD = 0xffffffffL;
  /** Most headers fit into one read with all that belongs to them. */
  private static final int USUAL_LENGTH = 512;
  private final FileChannel channel;
  private final long start;
  private final long end;
  private final long count;

  interface Visitor {
    /** @param position where the header is: {@link #header} reads it there again */
    void accept(FileHeader header, long position) throws IOException;
  }

  ZipDirectory(Path zip) throws IOException {
    channel = FileChannel.open(zip);
    var last = endRecord();
    var record = read(last, END_LENGTH);
    var locator = last < LOCATOR_64_LENGTH ? null : read(last - LOCATOR_64_LENGTH, LOCATOR_64_LENGTH);
    if (locator != null && locator.getInt(0) == LOCATOR_64) {
      var record64 = read(locator.getLong(8), END_64_LENGTH);
      require(record64.getInt(0) == END_64 && record64.getInt(16) == 0);
      count = record64.getLong(32);
      start = record64.getLong(48);
      end = start + record64.getLong(40);
    } else {
      require(record.getShort(4) == 0);
      count = unsigned(record.getShort(10));
      start = unsigned(record.getInt(16));
      end = start + unsigned(record.getInt(12));
    }
    require(start >= 0 && end >= start && end <= last);
  }

  /** The place of the record that ends a zip; only a comment comes after it. */
  private long endRecord() throws IOException {
    var length = (int) Math.min(channel.size(), END_LENGTH + LONGEST_COMMENT);
    var tail = read(channel.size() - length, length);
    for (int at = length - END_LENGTH; at >= 0; at--) {
      if (tail.getInt(at) == END) {
        return channel.size() - length + at;
      }
    }
    throw new EOFException("it has no list of its files: it is cut short");
  }

  private ByteBuffer read(long position, int length) throws IOException {
    require(position >= 0);
    var bytes = readSome(position, length);
    require(bytes.limit() == length);
    return bytes;
  }

  /** Reads so many bytes, or those until the file's end. */
  private ByteBuffer readSome(long position, int length) throws IOException {
    var bytes = ByteBuffer.allocate(length).order(ByteOrder.LITTLE_ENDIAN);
    while (bytes.hasRemaining() && channel.read(bytes, position + bytes.position()) > 0) {
      // until it is full
    }
    return bytes.flip();
  }

  private static void require(boolean good) throws IOException {
    if (!good) {
      throw new IOException("the list of its files is damaged");
    }
  }

  private static long unsigned(int number) {
    return number & 0xffffffffL;
  }

  private static int unsigned(short number) {
    return number & 0xffff;
  }

  /** Gives all headers in their order; proves that there are as many as the zip says. */
  void each(Visitor visitor) throws IOException {
    var found = 0L;
    for (var position = start; position < end; found++) {
      var header = header(position);
      visitor.accept(header, position);
      position += length(header);
    }
    require(found == count);
  }

  private static int length(FileHeader header) {
    return HEADER_LENGTH + header.getFileNameLength() + header.getExtraFieldLength() + header.getFileCommentLength();
  }

  /** The header at a place: what is needed to read the file, its name as ISO 8859-1, and its attributes. */
  FileHeader header(long position) throws IOException {
    var bytes = readSome(position, USUAL_LENGTH);
    require(bytes.limit() >= HEADER_LENGTH && bytes.getInt(0) == HEADER);
    var header = new FileHeader();
    header.setFileNameLength(unsigned(bytes.getShort(28)));
    header.setExtraFieldLength(unsigned(bytes.getShort(30)));
    header.setFileCommentLength(unsigned(bytes.getShort(32)));
    require(position + length(header) <= end);
    if (length(header) > bytes.limit()) {
      bytes = read(position, length(header));
    }
    var flags = unsigned(bytes.getShort(8));
    header.setEncrypted((flags & 1) != 0);
    header.setFileNameUTF8Encoded((flags & 0x800) != 0);
    header.setVersionMadeBy(unsigned(bytes.getShort(4)));
    header.setLastModifiedTime(unsigned(bytes.getInt(12)));
    header.setCrc(unsigned(bytes.getInt(16)));
    header.setCompressedSize(unsigned(bytes.getInt(20)));
    header.setUncompressedSize(unsigned(bytes.getInt(24)));
    header.setExternalFileAttributes(new byte[] {bytes.get(38), bytes.get(39), bytes.get(40), bytes.get(41)});
    header.setOffsetLocalHeader(unsigned(bytes.getInt(42)));
    var name = new String(bytes.array(), HEADER_LENGTH, header.getFileNameLength(), StandardCharsets.ISO_8859_1);
    header.setFileName(name);
    header.setDirectory(name.endsWith("/"));
    requireReadable(name, unsigned(bytes.getShort(10)));
    addExtraFields(header, bytes.position(HEADER_LENGTH + header.getFileNameLength()));
    return header;
  }

  /** Stored, deflated, or encrypted: then its own method is elsewhere. */
  private static void requireReadable(String name, int method) throws IOException {
    if (method != 0 && method != 8 && method != 99) {
      throw new IOException("its entry '%s' is compressed by method %d, which is not read: pack it with deflate"
          .formatted(EntryName.shown(name), method));
    }
  }

  private static void addExtraFields(FileHeader header, ByteBuffer bytes) throws IOException {
    var fields = new ArrayList<ExtraDataRecord>();
    var fieldsEnd = bytes.position() + header.getExtraFieldLength();
    while (fieldsEnd - bytes.position() >= 4) {
      var field = new ExtraDataRecord();
      field.setHeader(unsigned(bytes.getShort()));
      field.setSizeOfData(unsigned(bytes.getShort()));
      if (field.getSizeOfData() > fieldsEnd - bytes.position()) {
        break; // some programs fill it up
      }
      var data = new byte[field.getSizeOfData()];
      bytes.get(data);
      field.setData(data);
      fields.add(field);
      if (field.getHeader() == SIZES_64) {
        setLongNumbers(header, ByteBuffer.wrap(data).order(ByteOrder.LITTLE_ENDIAN));
      }
    }
    header.setExtraDataRecords(fields);
  }

  /** Sets the numbers for which the header has no room; only those are in the field. */
  private static void setLongNumbers(FileHeader header, ByteBuffer numbers) throws IOException {
    header.setUncompressedSize(longNumber(header.getUncompressedSize(), numbers));
    header.setCompressedSize(longNumber(header.getCompressedSize(), numbers));
    header.setOffsetLocalHeader(longNumber(header.getOffsetLocalHeader(), numbers));
  }

  private static long longNumber(long number, ByteBuffer numbers) throws IOException {
    if (number != IN_EXTRA_FIELD) {
      return number;
    }
    require(numbers.remaining() >= 8);
    var whole = numbers.getLong();
    require(whole >= 0);
    return whole;
  }

  @Override
  public void close() throws IOException {
    channel.close();
  }
}
