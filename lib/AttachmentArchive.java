import java.io.ByteArrayInputStream;
import java.io.Closeable;
import java.io.EOFException;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.BitSet;
import java.util.Collections;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.TreeSet;
import java.util.function.IntPredicate;
import java.util.regex.Pattern;
import java.util.stream.IntStream;
import java.util.stream.Stream;

/**
 * A backup of attachments: its files, folders and symbolic links by number, in the archive's order, and by name below
 * the backup's own folder, which has the empty name. Hard links are files of their own here. Making it reads the whole
 * archive and proves it complete.
 */
final class AttachmentArchive implements Closeable {
  private static final Pattern ROOT = Pattern.compile("(files|minio|seaweedfs)_\\d{8}_\\d\\dh\\d\\dm\\d\\ds");
  /** The longest file that is held in memory where several names of a compressed archive have its bytes. */
  private static final long LONGEST_HELD = 8 << 20;
  final Archive archive;
  final List<ArchiveEntry> all = new ArrayList<>();
  int files;
  long bytes;
  /** Names at the top of a folder's backup that are not content: passed over. */
  final Set<String> passedOver = new TreeSet<>();
  /** The files of it, by name: a hard link in the content may lead to one. */
  private final Map<String, ArchiveEntry> passedOverFiles = new HashMap<>();
  /** The numbers of the hard links by the place of their bytes, in a compressed archive. */
  private final Map<Long, List<Integer>> shared = new HashMap<>();
  private int[] slots = new int[1 << 12];
  private byte[] root;

  interface Reader {
    void read(int worker, int i, Archive.Content content) throws Exception;
  }

  AttachmentArchive(Path file, Optional<String> password) {
    archive = Archive.open(file, password);
    archive.index(this::add);
    addFolders();
    if (files == 0) {
      throw archive.broken("the backup holds no file at all", null);
    }
    if (archive instanceof ZipArchive) {
      proveContents();
    }
  }

  private void add(ArchiveEntry entry) {
    var path = relative(entry.path());
    if (path == null) {
      return;
    }
    var name = new String(path, StandardCharsets.UTF_8);
    if (startsWith(root, "files") && !FolderContents.isContent(name)) {
      var top = name.split("/", 2)[0];
      passedOver.add(FolderContents.isContent(top) ? name : top);
      if (entry.file()) {
        passedOverFiles.put(name, entry);
      }
      return;
    }
    switch (entry.kind()) {
      case FOLDER, FILE -> put(entry.named(path));
      case LINK -> {
        requireInside(entry.named(path));
        put(entry.named(path));
      }
      case HARD_LINK -> put(linked(entry.named(path)));
      default -> throw refused(entry.named(path).name(),
          "is a device or something else that is neither file, folder nor link");
    }
  }

  /** The name below the backup's own folder; null for what lies above it. */
  private byte[] relative(byte[] path) {
    if (path.length == 0) {
      return null;
    }
    if (root == null) {
      var top = new String(path, StandardCharsets.UTF_8).split("/", 2)[0];
      root = ROOT.matcher(top).matches() ? top.getBytes(StandardCharsets.UTF_8) : new byte[0];
    }
    var below = path.length > root.length;
    if (root.length == 0 || path.length < root.length || below && path[root.length] != '/'
        || !Arrays.equals(path, 0, root.length, root, 0, root.length)) {
      throw broken(new String(path, StandardCharsets.UTF_8), "is not in a folder <component>_<timestamp>");
    }
    return below ? Arrays.copyOfRange(path, root.length + 1, path.length) : new byte[0];
  }

  private static boolean startsWith(byte[] path, String text) {
    return path.length >= text.length()
        && Arrays.equals(path, 0, text.length(), text.getBytes(StandardCharsets.UTF_8), 0, text.length());
  }

  /** The file or symbolic link that a hard link leads to, under the link's own name. */
  private ArchiveEntry linked(ArchiveEntry entry) {
    var first = target(entry.link()).filter(target -> !target.folder()).orElseThrow(() -> refused(entry.name(),
        "is a hard link to '%s', which is not an earlier file of it".formatted(EntryName.shown(entry.link()))));
    if (first.file() && !archive.isSeekable()) {
      var known = find(entry.path());
      shared.computeIfAbsent(first.offset(), offset -> new ArrayList<>()).add(known < 0 ? all.size() : known);
    }
    return first.named(entry.path());
  }

  /** The entry that a hard link leads to; empty where it is not in the backup's folder. */
  private Optional<ArchiveEntry> target(String link) {
    try {
      var path = EntryName.normal(link.getBytes(StandardCharsets.UTF_8));
      if (path.length <= root.length || !startsWith(path, new String(root, StandardCharsets.UTF_8) + "/")) {
        return Optional.empty();
      }
      var name = relative(path);
      var number = find(name);
      return number >= 0 ? Optional.of(all.get(number))
          : Optional.ofNullable(passedOverFiles.get(new String(name, StandardCharsets.UTF_8)));
    } catch (IOException e) {
      return Optional.empty(); // a name that leads out of the folder is that of no file in it
    }
  }

  private void put(ArchiveEntry entry) {
    var path = entry.path();
    if (path.length == 0 && !entry.folder()) {
      throw refused("", "is not a folder");
    }
    var slot = slot(path);
    if (slots[slot] != 0) {
      replace(slots[slot] - 1, entry);
      return;
    }
    all.add(entry);
    files += entry.folder() ? 0 : 1;
    bytes += entry.size();
    slots[slot] = all.size();
    if (all.size() * 2 > slots.length) {
      slots = new int[slots.length * 2];
      for (int i = 0; i < all.size(); i++) {
        slots[slot(all.get(i).path())] = i + 1;
      }
    }
  }

  /** Counts the last entry of a name: it was appended later, and tar takes it, too. */
  private void replace(int i, ArchiveEntry entry) {
    var before = all.get(i);
    if (before.folder() != entry.folder() || archive instanceof ZipArchive) {
      throw refused(entry.name(), "is there twice");
    }
    all.set(i, entry);
    bytes += entry.size() - before.size();
  }

  /** A link is followed from the folder it lies in, which is a real one: so only leading ".." can be counted. */
  private void requireInside(ArchiveEntry entry) {
    var name = entry.name();
    var link = entry.link();
    var parts = List.of(link.split("/"));
    var ups = Collections.frequency(parts, "..");
    if (link.isEmpty() || link.startsWith("/") || link.indexOf('\0') >= 0 || parts.lastIndexOf("..") != ups - 1
        || ups > name.split("/").length - 1) {
      throw refused(name, "is a link that leaves the folder, to '%s'".formatted(EntryName.shown(link)));
    }
  }

  /** Adds folders that no entry names; refuses what would have to lie in something that is not a folder. */
  private void addFolders() {
    var known = new byte[0];
    for (int i = 0; i < all.size(); i++) {
      var path = all.get(i).path();
      var length = path.length;
      do {
        length--;
      } while (length > 0 && path[length] != '/');
      if (i > 0 && Math.max(0, length) == known.length
          && Arrays.equals(path, 0, known.length, known, 0, known.length)) {
        continue; // the same folder as that of the entry before
      }
      var parent = Arrays.copyOf(path, Math.max(0, length));
      known = parent;
      var at = find(parent);
      if (at < 0) {
        put(new ArchiveEntry(Kind.FOLDER, parent, 0, -1, null, null, -1, ArchiveEntry.NO_TIME, 0, Owner.UNKNOWN));
      } else if (!all.get(at).folder()) {
        throw refused(all.get(i).name(), "lies in something that is not a folder");
      }
    }
  }

  /** A zip has checksums: a damaged entry, or another password, is known before the first change. */
  private void proveContents() {
    IntStream.range(0, all.size()).parallel().filter(i -> all.get(i).file()).forEach(i -> {
      try (var in = archive.open(all.get(i))) {
        in.skipNBytes(all.get(i).size());
        if (in.read(new byte[1]) >= 0) { // only who reads to the end gets the checksum compared
          throw new EOFException("it does not have the size that it names");
        }
      } catch (IOException e) {
        throw refused(all.get(i).name(), "is damaged: " + Failure.of(e).getMessage());
      }
    });
  }

  Failure refused(String name, String why) {
    return broken(new String(root, StandardCharsets.UTF_8) + "/" + name, why);
  }

  private Failure broken(String entry, String why) {
    return archive.broken("its entry '%s' %s".formatted(EntryName.shown(entry), why), null);
  }

  /** The entry's number, or -1. */
  int find(String name) {
    return find(name.getBytes(StandardCharsets.UTF_8));
  }

  private int find(byte[] path) {
    return slots[slot(path)] - 1;
  }

  private int slot(byte[] path) {
    var hash = Arrays.hashCode(path) * 0x9E3779B9;
    for (var slot = (hash ^ hash >>> 15) & slots.length - 1; ; slot = slot + 1 & slots.length - 1) {
      if (slots[slot] == 0 || Arrays.equals(all.get(slots[slot] - 1).path(), path)) {
        return slot;
      }
    }
  }

  /**
   * Gives every wanted file to the reader: by all workers where the archive allows it, otherwise in one pass by one.
   */
  void read(Workers workers, IntPredicate wanted, Reader reader) throws IOException {
    IntPredicate read = i -> all.get(i).file() && wanted.test(i);
    if (archive.isSeekable()) {
      workers.run(all.size(), (worker, i) -> {
        if (read.test(i)) {
          reader.read(worker, i, archive.content(all.get(i)));
        }
      });
      return;
    }
    var left = IntStream.range(0, all.size()).filter(read).collect(BitSet::new, BitSet::set, BitSet::or);
    workers.run(1, (worker, once) -> {
      while (!left.isEmpty()) {
        var before = left.cardinality();
        archive.each((entry, content) -> readShared(entry, content, left, worker, reader));
        if (left.cardinality() == before) {
          throw archive.broken("it has changed since it was first read", null);
        }
      }
    });
  }

  /** Reads an entry for each of its names; where they are several and it is long, for one of them in this pass. */
  private void readShared(ArchiveEntry entry, Archive.Content content, BitSet left, int worker, Reader reader)
      throws Exception {
    if (!entry.file()) {
      return;
    }
    var names = numbers(entry).stream().filter(left::get).toList();
    if (names.size() > 1 && entry.size() <= LONGEST_HELD) {
      byte[] held;
      try (var in = content.open()) {
        held = in.readAllBytes();
      }
      content = () -> new ByteArrayInputStream(held);
    } else {
      names = names.subList(0, Math.min(1, names.size()));
    }
    for (var i : names) {
      reader.read(worker, i, content);
      left.clear(i);
    }
  }

  /** The numbers of an entry of the archive: its own and those of its hard links. */
  private List<Integer> numbers(ArchiveEntry entry) {
    var path = relative(entry.path());
    var i = path == null ? -1 : find(path);
    var own = i >= 0 ? Stream.of(i) : Stream.<Integer>of();
    return Stream.concat(own, shared.getOrDefault(entry.offset(), List.of()).stream()).distinct()
        .filter(number -> all.get(number).offset() == entry.offset()).toList();
  }

  @Override
  public void close() throws IOException {
    archive.close();
  }
}
