import java.io.Closeable;
import java.io.EOFException;
import java.io.IOException;
import java.io.InputStream;
import java.math.BigDecimal;
import java.math.RoundingMode;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.HashMap;
import java.util.List;
import java.util.Map;

/**
 * Reads the entries of a tar in order, in every format that GNU tar, bsdtar and Python write. It counts what it takes
 * from the stream by itself: where an entry's bytes begin is the same for a file that can be read at any place and for
 * one that is unpacked on the way.
 */
final class TarReader implements Closeable {
  /**
   * A tar ends with zeros up to a whole record, which has at most 1 MiB; the first block of them may need a record
   * more.
   */
  static final int MOST_ZEROS = (1 << 20) + TarHeader.BLOCK;
  /** The longest padding of a tar made without the option -b. */
  static final int USUAL_ZEROS = 20 * TarHeader.BLOCK + TarHeader.BLOCK;
  private static final int LONGEST_EXTENSION = 16 << 20;

  /** The extensions that stand before a header: pax records, and the long names of GNU's format. */
  private record Extensions(PaxRecords pax, byte[] name, byte[] link) {}

  private final InputStream in;
  private final Map<Owner, Owner> owners = new HashMap<>();
  /** Most entries have the owner of the one before. */
  private byte[] ownersBlock = new byte[TarHeader.BLOCK];
  private Owner lastOwner = Owner.UNKNOWN;
  private final byte[] headerBlock = new byte[TarHeader.BLOCK];
  private PaxRecords global = new PaxRecords();
  private ArchiveEntry current;
  private long position;
  private long left;
  private long padding;
  private long end;

  /** @param in skips without reading where the file allows it */
  TarReader(InputStream in) {
    this.in = in;
  }

  /** The next entry, null behind the last. What was not read of the one before is skipped. */
  ArchiveEntry next() throws IOException {
    var extensions = new Extensions(global, null, null);
    while (true) {
      skip(left + padding);
      left = 0;
      padding = 0;
      end = position;
      read(headerBlock);
      var header = new TarHeader(headerBlock);
      if (header.isZero()) {
        return null;
      }
      if (!header.isIntact() || header.size() < 0) {
        throw new IOException(
            "the header of its entry '%s' is damaged".formatted(EntryName.shown(new String(header.name(), "UTF-8"))));
      }
      switch (header.type()) {
      case 'x', 'X' ->
          extensions = new Extensions(extensions.pax.with(extension(header)), extensions.name, extensions.link);
        case 'g' -> {
          global = global.with(extension(header));
          extensions = new Extensions(global, extensions.name, extensions.link);
        }
        case 'L' -> extensions = new Extensions(extensions.pax, text(extension(header)), extensions.link);
        case 'K' -> extensions = new Extensions(extensions.pax, extensions.name, text(extension(header)));
        case 'V' -> data(header.size()); // the label of the whole
        case 'M' -> throw new IOException("it is not the first volume of several");
        default -> {
          current = entry(header, extensions);
          return current;
        }
      }
    }
  }

  private ArchiveEntry entry(TarHeader header, Extensions extensions) throws IOException {
    var pax = extensions.pax;
    var rawName =
        pax.bytes("GNU.sparse.name", pax.bytes("path", extensions.name != null ? extensions.name : header.name()));
    var rawLink = pax.bytes("linkpath", extensions.link != null ? extensions.link : header.link());
    var kind = kind(header.type(), rawName);
    data("123456".indexOf(header.type()) >= 0 ? 0 : pax.number("size", header.size()));
    requireFull(rawName, pax.bytes("GNU.dumpdir", header.type() == 'D' ? folderList() : new byte[0]));
    var size = kind == Kind.FILE ? left : 0;
    SparseMap holes = null;
    if (kind == Kind.FILE && (header.type() == 'S' || pax.has("GNU.sparse.size") || pax.has("GNU.sparse.realsize"))) {
      size = header.type() == 'S' ? header.number(483, 12)
          : pax.number("GNU.sparse.realsize", pax.number("GNU.sparse.size", 0));
      holes = new SparseMap(pieces(header, pax), size);
      if (holes.stored() != left) {
        throw new IOException(
            "the map of its sparse file '%s' is damaged".formatted(EntryName.shown(new String(rawName, "UTF-8"))));
      }
    }
    var path = EntryName.normal(rawName);
    if (path.length == 0 && kind != Kind.FOLDER) {
      throw new IOException("the name of one of its entries is damaged");
    }
    var link = kind == Kind.LINK || kind == Kind.HARD_LINK ? EntryName.link(rawLink, rawName) : null;
    var time = pax.time("mtime");
    var seconds = time == null ? header.seconds() : time.setScale(0, RoundingMode.FLOOR).longValue();
    var nanos = time == null ? 0 : time.subtract(BigDecimal.valueOf(seconds)).movePointRight(9).intValue();
    return new ArchiveEntry(kind, path, size, position, holes, link, header.mode(), seconds, nanos, owner(header, pax));
  }

  /** The list of a folder's files, as tar -g writes it. */
  private byte[] folderList() throws IOException {
    var list = new byte[(int) Math.min(left, LONGEST_EXTENSION)];
    read(list);
    left -= list.length;
    return list;
  }

  /** An N stands before a file that only an earlier archive holds. */
  private static void requireFull(byte[] folder, byte[] list) throws IOException {
    for (var name : new String(list, StandardCharsets.UTF_8).split("\0")) {
      if (name.startsWith("N")) {
        throw new IOException("it is an incremental archive (tar -g): '%s' of %s is only in an earlier one".formatted(
            EntryName.shown(name.substring(1)), EntryName.shown(new String(folder, StandardCharsets.UTF_8))));
      }
    }
  }

  private static Kind kind(char type, byte[] name) {
    return switch (type) {
      case '0', '\0', '7', 'S' -> name.length > 0 && name[name.length - 1] == '/' ? Kind.FOLDER : Kind.FILE;
      case '5', 'D' -> Kind.FOLDER;
      case '1' -> Kind.HARD_LINK;
      case '2' -> Kind.LINK;
      default -> Kind.OTHER;
    };
  }

  private Owner owner(TarHeader header, PaxRecords pax) throws IOException {
    if (!header.hasOwnerOf(ownersBlock)) {
      ownersBlock = header.copy();
      lastOwner = owners.computeIfAbsent(header.owner(), known -> known);
    }
    var plain = lastOwner;
    if (pax.isEmpty()) {
      return plain;
    }
    var owner =
        new Owner(pax.text("uname", plain.user()), pax.number("uid", plain.uid()), pax.text("gname", plain.group()),
        pax.number("gid", plain.gid()));
    return owners.computeIfAbsent(owner, known -> known);
  }

  /** Offsets and lengths in turn; where they stand before the file's own bytes they are read here. */
  private List<Long> pieces(TarHeader header, PaxRecords pax) throws IOException {
    if (header.type() == 'S') {
      return oldGnuPieces(header);
    }
    return pax.number("GNU.sparse.major", 0) == 0 ? pax.sparse() : piecesBeforeData();
  }

  private List<Long> oldGnuPieces(TarHeader header) throws IOException {
    var pieces = new ArrayList<Long>();
    addPieces(header, 386, 4, pieces);
    for (var more = header.at(482) != 0; more; ) {
      var extension = new TarHeader(block());
      addPieces(extension, 0, 21, pieces);
      more = extension.at(504) != 0;
    }
    return pieces;
  }

  private static void addPieces(TarHeader header, int from, int most, List<Long> pieces) {
    for (int at = from; at < from + most * 24 && header.at(at + 12) != 0; at += 24) {
      pieces.add(header.number(at, 12));
      pieces.add(header.number(at + 12, 12));
    }
  }

  /** Version 1.0: decimal numbers, one a line, first how many pieces there are, in whole blocks before the bytes. */
  private List<Long> piecesBeforeData() throws IOException {
    var pieces = new ArrayList<Long>();
    var wanted = -1L;
    var number = 0L;
    while (true) {
      if (left < TarHeader.BLOCK) {
        throw new IOException("the map of a sparse file is damaged");
      }
      left -= TarHeader.BLOCK;
      for (var b : block()) {
        if (b == '\n') {
          if (wanted >= 0) {
            pieces.add(number);
          } else {
            wanted = 2 * number;
          }
          number = 0;
          if (pieces.size() == wanted) {
            return pieces;
          }
        } else if (b >= '0' && b <= '9') {
          number = number * 10 + b - '0';
        } else {
          throw new IOException("the map of a sparse file is damaged");
        }
      }
    }
  }

  /** The bytes of the current entry, holes as zeros; to be read before the next entry is asked for. */
  InputStream content() {
    return current.holes() == null ? stored() : current.holes().expand(stored(), current.size());
  }

  /** The bytes of the current entry as they are in the archive: without the holes. */
  InputStream stored() {
    return new ArrayInput() {
      @Override
      public int read(byte[] buffer, int from, int length) throws IOException {
        if (left == 0) {
          return length == 0 ? 0 : -1;
        }
        var count = in.read(buffer, from, (int) Math.min(length, left));
        if (count < 0) {
          throw new EOFException("it is cut short");
        }
        left -= count;
        position += count;
        return count;
      }
    };
  }

  private void data(long size) throws IOException {
    if (size < 0) {
      throw new IOException("the header of one of its entries is damaged");
    }
    left = size;
    padding = -size & TarHeader.BLOCK - 1;
  }

  private byte[] extension(TarHeader header) throws IOException {
    if (header.size() > LONGEST_EXTENSION) {
      throw new IOException("one of its extended headers is damaged");
    }
    data(header.size());
    var bytes = new byte[(int) left];
    read(bytes);
    left = 0;
    return bytes;
  }

  private static byte[] text(byte[] bytes) {
    var length = 0;
    while (length < bytes.length && bytes[length] != 0) {
      length++;
    }
    return Arrays.copyOf(bytes, length);
  }

  private byte[] block() throws IOException {
    var block = new byte[TarHeader.BLOCK];
    read(block);
    return block;
  }

  private void read(byte[] bytes) throws IOException {
    if (in.readNBytes(bytes, 0, bytes.length) < bytes.length) {
      throw new EOFException("it is cut short");
    }
    position += bytes.length;
  }

  private void skip(long bytes) throws IOException {
    try {
      in.skipNBytes(bytes);
    } catch (EOFException e) {
      throw new EOFException("it is cut short");
    }
    position += bytes;
  }

  /** The place behind the last entry and its padding, once there is no next. */
  long end() {
    return end;
  }

  /**
   * Reads what is behind the last entry and returns where the archive ends. A tar that is cut between two entries lists
   * without an error: only the zeros prove its end. More of them than fill a record are what became of entries.
   */
  long requireZeros() throws IOException {
    var buffer = new byte[1 << 16];
    var zeros = true;
    for (int count = in.read(buffer); count >= 0; count = in.read(buffer)) {
      zeros &= Arrays.equals(buffer, 0, count, new byte[count], 0, count);
      position += count;
    }
    if (!zeros || position - end > MOST_ZEROS) {
      throw unfinished(end, position);
    }
    return position;
  }

  static IOException unfinished(long end, long total) {
    return new IOException(
        "its entries end after %d of %d bytes: the rest is damaged or was never written".formatted(end, total));
  }

  @Override
  public void close() throws IOException {
    in.close();
  }
}
