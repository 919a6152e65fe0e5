//DEPS commons-io:commons-io:2.22.0

import java.io.EOFException;
import java.io.IOException;
import java.io.InputStream;
import java.nio.ByteBuffer;
import java.nio.channels.Channels;
import java.nio.channels.FileChannel;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.nio.file.StandardOpenOption;
import java.util.Arrays;
import java.util.Optional;
import java.util.function.Consumer;
import org.apache.commons.io.input.BoundedInputStream;
import org.apache.commons.io.input.BufferedFileChannelInputStream;

/** A .tar, plain or compressed. */
final class TarArchive extends Archive {
  /** Headers stand close together where files are small, and far apart where they are large: a page or two a read. */
  private static final int BUFFER = 8 << 10;
  private final Path file;
  private final Compression compression;
  private final FileChannel channel;
  private long zerosAtTheEnd;

  /** @param file where the bytes are: the archive itself, or what was unpacked from it and is removed with this */
  TarArchive(Path path, Path file, Compression compression) throws IOException {
    super(path);
    this.file = file;
    this.compression = compression;
    this.channel = FileChannel.open(file);
  }

  private TarReader reader() throws IOException {
    return new TarReader(compression == Compression.NONE
        ? BufferedFileChannelInputStream.builder().setPath(file).setBufferSize(BUFFER).get() : compression.open(file));
  }

  @Override
  void index(Consumer<ArchiveEntry> visitor) {
    try (var reader = reader()) {
      var last = (ArchiveEntry) null;
      for (var entry = reader.next(); entry != null; entry = reader.next()) {
        visitor.accept(entry);
        last = entry;
      }
      requireEnd(reader, last);
    } catch (IOException e) {
      throw broken(Failure.of(e).getMessage(), e);
    }
  }

  private void requireEnd(TarReader reader, ArchiveEntry last) throws IOException {
    if (last == null) {
      throw broken("it holds nothing", null);
    }
    if (compression != Compression.NONE) {
      reader.requireZeros();
      return;
    }
    if (channel.size() - reader.end() > TarReader.MOST_ZEROS) {
      throw TarReader.unfinished(reader.end(), channel.size());
    }
    if (!isPadding(reader.end(), reader.requireZeros(), turnsToZeros(last))) {
      throw TarReader.unfinished(reader.end(), channel.size());
    }
    zerosAtTheEnd = channel.size() - reader.end();
  }

  /**
   * True if zeros behind the last entry are the rest of a record, not what was left unwritten of a file of the full
   * size. Records are 10 KiB, or what the option -b says, mostly a power of two; the archive is a whole number of them.
   *
   * @param turnsToZeros the last file's bytes end in zeros, too: a sign that they were not written, either
   */
  static boolean isPadding(long end, long total, boolean turnsToZeros) {
    var rest = total - end;
    if (rest <= TarReader.USUAL_ZEROS) {
      return true;
    }
    for (long record = TarHeader.BLOCK; record < TarReader.MOST_ZEROS; record += TarHeader.BLOCK) {
      if (total % record == 0 && rest <= record + TarHeader.BLOCK && (!turnsToZeros || Long.bitCount(record) == 1)) {
        return true;
      }
    }
    return false;
  }

  private boolean turnsToZeros(ArchiveEntry last) throws IOException {
    return last.file() && last.stored() > TarHeader.BLOCK && !isZero(last.offset())
        && isZero(last.offset() + last.stored() - TarHeader.BLOCK);
  }

  private boolean isZero(long block) throws IOException {
    var bytes = ByteBuffer.allocate(TarHeader.BLOCK);
    channel.read(bytes, block);
    return Arrays.equals(bytes.array(), new byte[TarHeader.BLOCK]);
  }

  @Override
  Optional<String> doubt() {
    return zerosAtTheEnd <= TarReader.USUAL_ZEROS ? Optional.empty() : Optional.of(
        ("%s ends in %,d bytes of zeros: tar writes that many with its option -b, but a disk that lost the end"
            + " does, too."
            + " Does the number of files agree with what was backed up?").formatted(path, zerosAtTheEnd));
  }

  @Override
  void each(Visitor visitor) throws Exception {
    try (var reader = reader()) {
      for (var entry = reader.next(); entry != null; entry = reader.next()) {
        visitor.accept(entry, new OnePass(entry, reader));
      }
    }
  }

  @Override
  boolean isSeekable() {
    return compression == Compression.NONE;
  }

  @Override
  Content content(ArchiveEntry entry) {
    if (!isSeekable()) {
      throw new IllegalStateException(path + " can be read in one pass only");
    }
    return new Range(entry);
  }

  @Override
  Archive seekable(Path folder) throws IOException {
    if (isSeekable()) {
      return this;
    }
    var plain = Files.createTempFile(folder, "unpacked-", ".tar");
    try (var in = compression.open(file)) {
      Files.copy(in, plain, StandardCopyOption.REPLACE_EXISTING);
      close();
      return new TarArchive(path, plain, Compression.NONE);
    } catch (IOException | RuntimeException e) {
      Files.deleteIfExists(plain);
      throw e;
    }
  }

  @Override
  public void close() throws IOException {
    channel.close();
    if (!file.equals(path)) {
      Files.deleteIfExists(file);
    }
  }

  private interface Copy {
    void accept(long length, FileChannel out) throws IOException;
  }

  /** Writes the pieces of a file, one after another, each at its place. */
  private static void write(ArchiveEntry entry, Path target, Copy copy) throws IOException {
    try (var out = FileChannel.open(target, StandardOpenOption.CREATE_NEW, StandardOpenOption.WRITE)) {
      if (entry.holes() == null) {
        copy.accept(entry.size(), out);
        return;
      }
      for (int i = 0; i < entry.holes().pieces(); i++) {
        out.position(entry.holes().offset(i));
        copy.accept(entry.holes().length(i), out);
      }
      if (out.size() < entry.size()) {
        out.write(ByteBuffer.allocate(1), entry.size() - 1);
      }
    }
  }

  private EOFException ended(ArchiveEntry entry) {
    return new EOFException("%s ended inside '%s'".formatted(path, EntryName.shown(entry.name())));
  }

  /** The bytes of an entry in a plain tar; the kernel copies them. */
  private final class Range implements Content {
    private final ArchiveEntry entry;

    Range(ArchiveEntry entry) {
      this.entry = entry;
    }

    @Override
    public InputStream open() throws IOException {
      var in = Channels.newInputStream(FileChannel.open(file).position(entry.offset()));
      var stored = BoundedInputStream.builder().setInputStream(in).setMaxCount(entry.stored()).get();
      return entry.holes() == null ? stored : entry.holes().expand(stored, entry.size());
    }

    @Override
    public void copyTo(Path target) throws IOException {
      var from = new long[] {entry.offset()};
      write(entry, target, (length, out) -> {
        for (var end = from[0] + length; from[0] < end; ) {
          var copied = channel.transferTo(from[0], end - from[0], out);
          if (copied <= 0) {
            throw ended(entry);
          }
          from[0] += copied;
        }
      });
    }
  }

  /** The bytes of the entry at which a reader stands. */
  private final class OnePass implements Content {
    private final ArchiveEntry entry;
    private final TarReader reader;

    OnePass(ArchiveEntry entry, TarReader reader) {
      this.entry = entry;
      this.reader = reader;
    }

    @Override
    public InputStream open() {
      return reader.content();
    }

    @Override
    public void copyTo(Path target) throws IOException {
      var in = reader.stored();
      var buffer = new byte[(int) Math.min(1 << 16, Math.max(1, entry.stored()))];
      write(entry, target, (length, out) -> {
        var stream = Channels.newOutputStream(out); // writes all, where the channel itself may write a part
        for (var left = length; left > 0; ) {
          var count = in.read(buffer, 0, (int) Math.min(buffer.length, left));
          if (count <= 0) {
            throw ended(entry);
          }
          stream.write(buffer, 0, count);
          left -= count;
        }
      });
    }
  }
}
