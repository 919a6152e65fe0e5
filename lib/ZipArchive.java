//DEPS net.lingala.zip4j:zip4j:2.11.6

import java.io.BufferedInputStream;
import java.io.IOException;
import java.io.InputStream;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.channels.Channels;
import java.nio.channels.FileChannel;
import java.nio.charset.Charset;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Optional;
import java.util.function.Consumer;
import java.util.zip.CRC32;
import net.lingala.zip4j.exception.ZipException;
import net.lingala.zip4j.io.inputstream.ZipInputStream;
import net.lingala.zip4j.model.ExtraDataRecord;
import net.lingala.zip4j.model.FileHeader;
import net.lingala.zip4j.model.Zip4jConfig;

/** A .zip, also one that is encrypted. Names, times and links are what unzip makes of them. */
final class ZipArchive extends Archive {
  private static final int DOS = 0;
  private static final int UNIX = 3;
  private static final int EXTENDED_TIME = 0x5455;
  private static final int WINDOWS_TIME = 0x000a;
  private static final int UNICODE_NAME = 0x7075;
  private static final long SECONDS_FROM_1601 = 11_644_473_600L;
  private static final int LONGEST_LINK = 4096;
  private static final int LARGEST_BUFFER = 8 << 10;
  private static final int SMALLEST_BUFFER = 512;
  private final ZipDirectory directory;
  private final char[] password;

  ZipArchive(Path path, Optional<String> password) throws IOException {
    super(path);
    this.directory = new ZipDirectory(path);
    this.password = password.map(String::toCharArray).orElse(null);
  }

  @Override
  void index(Consumer<ArchiveEntry> visitor) {
    var holdsNothing = new boolean[] {true};
    try {
      directory.each((header, position) -> {
        holdsNothing[0] = false;
        visitor.accept(entry(header, position));
      });
    } catch (IOException e) {
      throw broken(Failure.of(e).getMessage(), e);
    }
    if (holdsNothing[0]) {
      throw broken("it holds nothing", null);
    }
  }

  private ArchiveEntry entry(FileHeader header, long position) throws IOException {
    if (header.isEncrypted() && password == null) {
      throw new Failure(Exit.AUTHENTICATION, path + " is encrypted", "set BACKUP_PASSWORD or BACKUP_PASSWORD_FILE");
    }
    var name = name(header);
    var isFolder = name.length > 0 && name[name.length - 1] == '/';
    var path = EntryName.normal(name);
    var attributes = header.getExternalFileAttributes();
    var mode = (attributes[3] & 0xff) << 8 | attributes[2] & 0xff;
    var kind = switch (mode & 0170000) {
      case 0, 0100000 -> isFolder ? Kind.FOLDER : Kind.FILE;
      case 0040000 -> Kind.FOLDER;
      case 0120000 -> Kind.LINK;
      default -> Kind.OTHER;
    };
    var link = kind == Kind.LINK ? EntryName.link(link(header), path) : null;
    var size = kind == Kind.FILE ? header.getUncompressedSize() : 0;
    var time = time(header);
    return new ArchiveEntry(kind, path, size, position, null, link, mode == 0 ? -1 : mode & 07777,
        Math.floorDiv(time, 1_000_000_000L),
        (int) Math.floorMod(time, 1_000_000_000L), Owner.UNKNOWN);
  }

  private byte[] link(FileHeader header) throws IOException {
    try (var in = stream(header)) {
      return in.readNBytes(LONGEST_LINK);
    }
  }

  /** The name as UTF-8; from DOS and Windows, where a program wrote backslashes instead of slashes, with slashes. */
  private static byte[] name(FileHeader header) {
    var name = utf8Name(header);
    if (host(header) == DOS && indexOf(name, '/') < 0) {
      for (int at = indexOf(name, '\\'); at >= 0; at = indexOf(name, '\\')) {
        name[at] = '/';
      }
    }
    return name;
  }

  private static int indexOf(byte[] name, char wanted) {
    var at = name.length - 1;
    while (at >= 0 && name[at] != wanted) {
      at--;
    }
    return at;
  }

  private static int host(FileHeader header) {
    return header.getVersionMadeBy() >> 8;
  }

  /**
   * Takes a name as it is where the entry says that it is UTF-8, and on Unix; others are in the old code page of DOS.
   */
  private static byte[] utf8Name(FileHeader header) {
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
    return host(header) == UNIX || !Charset.isSupported("IBM437") ? raw
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
    var entries = new ArrayList<ArchiveEntry>();
    index(entries::add);
    for (var entry : entries) {
      visitor.accept(entry, content(entry));
    }
  }

  @Override
  boolean isSeekable() {
    return true;
  }

  @Override
  Content content(ArchiveEntry entry) {
    return () -> stream(directory.header(entry.offset()));
  }

  private InputStream stream(FileHeader header) throws IOException {
    var file = FileChannel.open(path);
    try {
      // Most files of a backup with very many are small.
      var buffer = (int) Math.max(SMALLEST_BUFFER, Math.min(LARGEST_BUFFER, header.getCompressedSize()));
      var in = new ZipInputStream(
          new BufferedInputStream(Channels.newInputStream(file.position(header.getOffsetLocalHeader())), buffer),
          password, new Zip4jConfig(StandardCharsets.ISO_8859_1, buffer, true));
      if (in.getNextEntry(header, false) == null) {
        throw new IOException("the list of its files is damaged");
      }
      return in;
    } catch (IOException | RuntimeException e) {
      file.close();
      if (e instanceof ZipException zip && zip.getType() == ZipException.Type.WRONG_PASSWORD) {
        throw new Failure(Exit.AUTHENTICATION, "wrong password for " + path,
            "check BACKUP_PASSWORD or BACKUP_PASSWORD_FILE");
      }
      throw e;
    }
  }

  @Override
  public void close() throws IOException {
    directory.close();
  }
}
