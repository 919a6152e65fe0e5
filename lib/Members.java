//DEPS org.apache.commons:commons-compress:1.28.0
//DEPS com.github.luben:zstd-jni:1.5.7-28 // for .tar.zst, and for SSTables compressed with Zstd
//DEPS net.lingala.zip4j:zip4j:2.11.6
//DEPS commons-io:commons-io:2.22.0

import java.io.BufferedInputStream;
import java.io.Closeable;
import java.io.EOFException;
import java.io.IOException;
import java.io.InputStream;
import java.nio.ByteBuffer;
import java.nio.charset.CharacterCodingException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collections;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.concurrent.TimeUnit;
import java.util.function.IntPredicate;
import java.util.regex.Pattern;
import java.util.stream.IntStream;
import net.lingala.zip4j.model.FileHeader;
import org.apache.commons.compress.archivers.tar.TarArchiveEntry;
import org.apache.commons.compress.archivers.tar.TarArchiveInputStream;
import org.apache.commons.compress.archivers.tar.TarConstants;
import org.apache.commons.compress.compressors.gzip.GzipCompressorInputStream;
import org.apache.commons.compress.compressors.zstandard.ZstdCompressorInputStream;
import org.apache.commons.io.IOUtils;
import org.apache.commons.io.input.BoundedInputStream;
import org.apache.commons.io.input.CloseShieldInputStream;

/** The members of a backup of attachments by number, in the archive's order, and by name. Reading them proves it complete. */
final class Members implements Closeable {
  /** With this begins what restore-files-nfs.java makes in the folder: a backup may have caught it. */
  static final String LEFTOVER = ".restore-files-nfs";
  private static final Pattern ROOT = Pattern.compile("(files|minio|seaweedfs)_\\d{8}_\\d\\dh\\d\\dm\\d\\ds");
  final Archive archive;
  final List<Member> all = new ArrayList<>();
  int files;
  long bytes;
  boolean leftover;
  private final boolean compressed;
  private final Map<Owner, Owner> owners = new HashMap<>();
  private int[] slots = new int[1 << 12];
  private boolean questionable;
  private String root;

  interface Bytes {
    InputStream open() throws IOException;
  }

  interface Reader {
    void read(int lane, int i, Bytes bytes) throws Exception;
  }

  Members(Path file, Optional<String> password) {
    archive = new Archive(file, password);
    compressed = file.toString().matches(".*\\.(gz|zst)");
    try {
      if (compressed) {
        indexCompressed();
      } else {
        archive.index(this::add);
      }
      addFolders();
      requireUtf8();
      proveZip();
    } catch (IOException e) {
      throw archive.broken(e.getMessage(), e);
    }
  }

  private void indexCompressed() throws IOException {
    try (var stream = BoundedInputStream.builder().setInputStream(stream()).get(); var tar = new TarArchiveInputStream(stream, "UTF-8")) {
      var end = 0L;
      for (var header = tar.getNextEntry(); header != null; header = tar.getNextEntry()) {
        if (!header.isCheckSumOK()) {
          throw broken(header.getName(), "has a damaged header");
        }
        add(new ArchiveEntry(archive.safe(header.getName()), header.isDirectory(), header.isFile(), header.getSize(), -1, header));
        end = stream.getCount() + (header.isSparse() ? 0 : (header.getSize() + 511) / 512 * 512);
      }
      IOUtils.consume(stream);
      if (end == 0 || stream.getCount() < end + 512) {
        throw archive.broken("it is cut short", null);
      }
      if (stream.getCount() > end + Archive.LONGEST_END) {
        throw archive.broken("its members end after %d of %d bytes: the rest was never written".formatted(end, stream.getCount()), null);
      }
    }
  }

  private InputStream stream() throws IOException {
    var in = new BufferedInputStream(Files.newInputStream(archive.path), 1 << 16);
    return !compressed ? in : archive.path.toString().endsWith(".gz")
        ? GzipCompressorInputStream.builder().setInputStream(in).setDecompressConcatenated(true).get() : new ZstdCompressorInputStream(in);
  }

  private void add(ArchiveEntry entry) {
    var name = relative(entry.name());
    if (name.startsWith(LEFTOVER)) {
      leftover = true;
      return;
    }
    add(entry.header() instanceof TarArchiveEntry header ? member(name, header, entry.offset()) : member(name, entry, (FileHeader) entry.header()));
  }

  private String relative(String entry) {
    var name = entry.replaceFirst("^([^/]+)/\\.(?=/|$)", "$1");
    var top = name.split("/", 2)[0];
    if (root == null && ROOT.matcher(top).matches()) {
      root = top;
    }
    if (!top.equals(root)) {
      throw broken(entry, "is not in a folder <component>_<timestamp>");
    }
    if (List.of(name.split("/")).contains(".")) {
      throw broken(entry, "has a name that no file can have");
    }
    return name.length() == top.length() ? "" : name.substring(top.length() + 1);
  }

  private Member member(String name, TarArchiveEntry header, long offset) {
    var kind = header.isDirectory() ? Kind.FOLDER : header.isSparse() ? Kind.SPARSE : switch (header.getLinkFlag()) {
      case TarConstants.LF_NORMAL, TarConstants.LF_OLDNORM, TarConstants.LF_CONTIG, TarConstants.LF_LINK -> Kind.FILE;
      case TarConstants.LF_SYMLINK -> Kind.LINK;
      default -> throw refused(name, "is a device or something else that is neither file, folder nor link");
    };
    var link = header.getLinkName();
    if (kind == Kind.LINK) {
      requireInside(name, link);
    }
    var size = header.isSparse() ? header.getRealSize() : header.isFile() ? header.getSize() : 0;
    if (header.isLink()) {
      var first = find(link.replaceFirst("^(\\./)?" + root + "/(\\./)?", ""));
      if (first < 0 || !isDirect(first)) {
        throw refused(name, "is a hard link to '%s', which %s".formatted(shown(link), first < 0 ? "is no file before it" : "cannot be read again"));
      }
      size = all.get(first).size();
      offset = all.get(first).offset();
    }
    var owner = new Owner(header.getUserName(), header.getLongUserId(), header.getGroupName(), header.getLongGroupId());
    return new Member(kind, name.getBytes(StandardCharsets.UTF_8), size, offset, header.getMode(),
        header.getLastModifiedTime().to(TimeUnit.NANOSECONDS), owners.computeIfAbsent(owner, same -> same), kind == Kind.LINK ? link : null);
  }

  private Member member(String name, ArchiveEntry entry, FileHeader header) {
    var mode = (header.getExternalFileAttributes()[3] & 0xff) << 8 | header.getExternalFileAttributes()[2] & 0xff;
    var type = mode & 0170000;
    if (type != 0 && type != (entry.folder() ? 0040000 : 0100000)) {
      throw refused(name, "is a link or a device, which a zip should not hold");
    }
    return new Member(entry.folder() ? Kind.FOLDER : Kind.FILE, name.getBytes(StandardCharsets.UTF_8), entry.folder() ? 0 : entry.size(), -1,
        type == 0 ? -1 : mode & 07777, TimeUnit.MILLISECONDS.toNanos(header.getLastModifiedTimeEpoch()), Owner.UNKNOWN, header);
  }

  private void add(Member member) {
    var name = member.name();
    if (name.isEmpty() && member.kind() != Kind.FOLDER) {
      throw refused(name, "is no folder");
    }
    if (slots[slot(member.path())] != 0) {
      throw refused(name, "is there twice");
    }
    all.add(member);
    files += member.kind() == Kind.FOLDER ? 0 : 1;
    bytes += member.size();
    questionable |= name.indexOf('?') >= 0;
    if (all.size() * 2 > slots.length) {
      slots = new int[slots.length * 2];
      for (int i = 0; i < all.size() - 1; i++) {
        slots[slot(all.get(i).path())] = i + 1;
      }
    }
    slots[slot(member.path())] = all.size();
  }

  /** A link is followed from the folder it lies in, which is a real one: so only leading ".." can be counted. */
  private void requireInside(String name, String link) {
    var parts = List.of(link.split("/"));
    var ups = Collections.frequency(parts, "..");
    if (link.isEmpty() || link.startsWith("/") || link.indexOf('\0') >= 0 || parts.lastIndexOf("..") != ups - 1 || ups > name.split("/").length - 1) {
      throw refused(name, "is a link that leaves the folder, to '%s'".formatted(shown(link)));
    }
  }

  /** Adds folders that no entry names; refuses what would have to lie in something that is no folder. */
  private void addFolders() {
    for (int i = 0; i < all.size(); i++) {
      var name = all.get(i).name();
      var parent = name.substring(0, Math.max(0, name.lastIndexOf('/')));
      var at = find(parent);
      if (at < 0) {
        add(new Member(Kind.FOLDER, parent.getBytes(StandardCharsets.UTF_8), 0, -1, -1, Member.NO_TIME, Owner.UNKNOWN, null));
      } else if (all.get(at).kind() != Kind.FOLDER) {
        throw refused(name, "lies in something that is no folder");
      }
    }
  }

  /** A byte that is not UTF-8 was read as a question mark: where there is one, the bytes themselves are looked at. */
  private void requireUtf8() throws IOException {
    if (!questionable || archive.zip != null) {
      return;
    }
    try (var tar = new TarArchiveInputStream(stream(), "ISO-8859-1")) {
      for (var header = tar.getNextEntry(); header != null; header = tar.getNextEntry()) {
        try {
          StandardCharsets.UTF_8.newDecoder().decode(ByteBuffer.wrap(header.getName().getBytes(StandardCharsets.ISO_8859_1)));
        } catch (CharacterCodingException e) {
          // Names in PAX headers are UTF-8 whatever the encoding: those were found right the first time.
          if (find(relative(archive.safe(header.getName()))) < 0) {
            throw broken(header.getName(), "has a name that is not UTF-8");
          }
        }
      }
    }
  }

  /** A zip has checksums: a damaged entry, or another password, is known before the first change. */
  private void proveZip() {
    if (archive.zip == null) {
      return;
    }
    IntStream.range(0, all.size()).parallel().filter(i -> all.get(i).kind() == Kind.FILE).forEach(i -> {
      try (var in = archive.open(entry(i))) {
        if (IOUtils.consume(in) != all.get(i).size()) {
          throw new EOFException("it has not the size that it names");
        }
      } catch (IOException e) {
        throw refused(all.get(i).name(), "is damaged: " + e.getMessage());
      }
    });
  }

  Failure refused(String name, String why) {
    return broken(root + "/" + name, why);
  }

  private Failure broken(String entry, String why) {
    return archive.broken("its entry '%s' %s".formatted(shown(entry), why), null);
  }

  static String shown(String name) {
    return name.replaceAll("\\p{Cntrl}", "?");
  }

  /** The member's number, or -1. */
  int find(String name) {
    return slots[slot(name.getBytes(StandardCharsets.UTF_8))] - 1;
  }

  private int slot(byte[] path) {
    var hash = Arrays.hashCode(path) * 0x9E3779B9;
    for (var slot = (hash ^ hash >>> 15) & slots.length - 1; ; slot = slot + 1 & slots.length - 1) {
      if (slots[slot] == 0 || Arrays.equals(all.get(slots[slot] - 1).path(), path)) {
        return slot;
      }
    }
  }

  /** Whether its bytes can be read at any time, in any order. */
  boolean isDirect(int i) {
    return !compressed && all.get(i).kind() == Kind.FILE;
  }

  ArchiveEntry entry(int i) {
    var member = all.get(i);
    return new ArchiveEntry(member.name(), false, true, member.size(), member.offset(), member.more());
  }

  /** Gives every wanted file to the reader: in the archive's order by all workers, where that cannot be in one pass by one. */
  void read(Workers workers, IntPredicate wanted, Reader reader) throws IOException {
    workers.run(all.size(), (lane, i) -> {
      if (isDirect(i) && wanted.test(i)) {
        reader.read(lane, i, () -> archive.open(entry(i)));
      }
    });
    IntPredicate streamed = i -> all.get(i).kind() == Kind.SPARSE || compressed && all.get(i).kind() == Kind.FILE;
    if (IntStream.range(0, all.size()).anyMatch(i -> streamed.test(i) && wanted.test(i))) {
      workers.run(1, (lane, once) -> {
        try (var tar = new TarArchiveInputStream(stream(), "UTF-8")) {
          for (var header = tar.getNextEntry(); header != null; header = tar.getNextEntry()) {
            var i = find(relative(archive.safe(header.getName())));
            if (i >= 0 && streamed.test(i) && wanted.test(i)) {
              reader.read(lane, i, () -> CloseShieldInputStream.wrap(tar));
            }
          }
        }
      });
    }
  }

  @Override
  public void close() throws IOException {
    archive.close();
  }
}
