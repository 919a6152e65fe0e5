//DEPS net.lingala.zip4j:zip4j:2.11.6

import java.io.IOException;
import java.io.InputStream;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.Charset;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.List;
import java.util.Optional;
import java.util.function.Consumer;
import java.util.zip.CRC32;
import net.lingala.zip4j.ZipFile;
import net.lingala.zip4j.exception.ZipException;
import net.lingala.zip4j.model.ExtraDataRecord;
import net.lingala.zip4j.model.FileHeader;

/** A .zip, also one that is encrypted. Names, times and links are what unzip makes of them. */
final class ZipArchive extends Archive {
  private static final int UNIX = 3;
  private static final int EXTENDED_TIME = 0x5455;
  private static final int WINDOWS_TIME = 0x000a;
  private static final int UNICODE_NAME = 0x7075;
  private static final long SECONDS_FROM_1601 = 11_644_473_600L;
  private static final int LONGEST_LINK = 4096;
  private final ZipFile zip;
  private final List<FileHeader> headers;

  ZipArchive(Path path, Optional<String> password) throws IOException {
    super(path);
    zip = new ZipFile(path.toFile(), password.map(String::toCharArray).orElse(null));
    zip.setCharset(StandardCharsets.ISO_8859_1); // the bytes themselves: what they mean is not the same for each entry
    headers = zip.getFileHeaders();
    if (zip.isEncrypted() && password.isEmpty()) {
      throw new Failure(Exit.AUTHENTICATION, path + " is encrypted", "set BACKUP_PASSWORD or BACKUP_PASSWORD_FILE");
    }
  }

  @Override
  void index(Consumer<ArchiveEntry> visitor) {
    try {
      if (headers.isEmpty()) {
        throw broken("it holds nothing", null);
      }
      for (int i = 0; i < headers.size(); i++) {
        visitor.accept(entry(i));
      }
    } catch (IOException e) {
      throw broken(Failure.of(e).getMessage(), e);
    }
  }

  private ArchiveEntry entry(int i) throws IOException {
    var header = headers.get(i);
    var path = EntryName.normal(name(header));
    var attributes = header.getExternalFileAttributes();
    var mode = (attributes[3] & 0xff) << 8 | attributes[2] & 0xff;
    var kind = switch (mode & 0170000) {
      case 0 -> header.isDirectory() ? Kind.FOLDER : Kind.FILE;
      case 0040000 -> Kind.FOLDER;
      case 0100000 -> header.isDirectory() ? Kind.FOLDER : Kind.FILE;
      case 0120000 -> Kind.LINK;
      default -> Kind.OTHER;
    };
    var link = kind == Kind.LINK ? EntryName.link(link(header), path) : null;
    var size = kind == Kind.FILE ? header.getUncompressedSize() : 0;
    var time = time(header);
    return new ArchiveEntry(kind, path, size, i, null, link, mode == 0 ? -1 : mode & 07777,
        Math.floorDiv(time, 1_000_000_000L),
        (int) Math.floorMod(time, 1_000_000_000L), Owner.UNKNOWN);
  }

  private byte[] link(FileHeader header) throws IOException {
    try (var in = stream(header)) {
      return in.readNBytes(LONGEST_LINK);
    }
  }

  /**
   * UTF-8 where the entry says so; otherwise the bytes as they are on Unix, and of the old code page of DOS from
   * elsewhere.
   */
  private static byte[] name(FileHeader header) {
    var raw = header.getFileName().getBytes(StandardCharsets.ISO_8859_1);
    if (header.isFileNameUTF8Encoded()) {
      return raw;
    }
    var unicode = extra(header, UNICODE_NAME);
    if (unicode != null && unicode.remaining() > 5) {
      var crc = new CRC32();
      crc.update(raw);
      if (unicode.getInt(1) == (int) crc.getValue()) {
        return Arrays.copyOfRange(unicode.array(), 5, unicode.capacity());
      }
    }
    var host = header.getVersionMadeBy() >> 8;
    return host == UNIX || !Charset.isSupported("IBM437") ? raw
        : new String(raw, Charset.forName("IBM437")).getBytes(StandardCharsets.UTF_8);
  }

  /** In nanoseconds since 1970: exact where an extension has it; DOS knows even seconds of an unknown time zone. */
  private static long time(FileHeader header) {
    var unix = extra(header, EXTENDED_TIME);
    if (unix != null && unix.remaining() >= 5 && (unix.get(0) & 1) != 0) {
      return unix.getInt(1) * 1_000_000_000L;
    }
    var windows = extra(header, WINDOWS_TIME);
    if (windows != null && windows.remaining() >= 16 && windows.getShort(4) == 1) {
      var ticks = windows.getLong(8); // of 100 nanoseconds
      return (ticks / 10_000_000 - SECONDS_FROM_1601) * 1_000_000_000L + ticks % 10_000_000 * 100;
    }
    return header.getLastModifiedTimeEpoch() * 1_000_000L;
  }

  private static ByteBuffer extra(FileHeader header, int id) {
    var records = header.getExtraDataRecords();
    return records == null ? null
        : records.stream().filter(record -> record.getHeader() == id && record.getData() != null)
            .map(ExtraDataRecord::getData).map(data -> ByteBuffer.wrap(data).order(ByteOrder.LITTLE_ENDIAN)).findFirst()
            .orElse(null);
  }

  @Override
  void each(Visitor visitor) throws Exception {
    for (int i = 0; i < headers.size(); i++) {
      var entry = entry(i);
      visitor.accept(entry, content(entry));
    }
  }

  @Override
  boolean isSeekable() {
    return true;
  }

  @Override
  Content content(ArchiveEntry entry) {
    return () -> stream(headers.get((int) entry.offset()));
  }

  private InputStream stream(FileHeader header) throws IOException {
    synchronized (zip) {
      try {
        return zip.getInputStream(header);
      } catch (ZipException e) {
        if (e.getType() == ZipException.Type.WRONG_PASSWORD) {
          throw new Failure(Exit.AUTHENTICATION, "wrong password for " + path,
              "check BACKUP_PASSWORD or BACKUP_PASSWORD_FILE");
        }
        throw e;
      }
    }
  }

  @Override
  public void close() throws IOException {
    zip.close();
  }
}
