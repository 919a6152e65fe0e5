//DEPS org.apache.commons:commons-compress:1.28.0
//DEPS net.lingala.zip4j:zip4j:2.11.6
//DEPS commons-io:commons-io:2.22.0

import java.io.Closeable;
import java.io.EOFException;
import java.io.IOException;
import java.io.InputStream;
import java.nio.ByteBuffer;
import java.nio.channels.Channels;
import java.nio.channels.FileChannel;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.List;
import java.util.Optional;
import java.util.function.Consumer;
import java.util.stream.IntStream;
import net.lingala.zip4j.ZipFile;
import net.lingala.zip4j.exception.ZipException;
import net.lingala.zip4j.model.FileHeader;
import org.apache.commons.compress.archivers.tar.TarArchiveEntry;
import org.apache.commons.compress.archivers.tar.TarArchiveInputStream;
import org.apache.commons.io.IOUtils;
import org.apache.commons.io.input.BoundedInputStream;

/** Reads .tar and .zip (also AES-encrypted) alike, without unpacking them to disk. */
final class Archive implements Closeable {
  static final int LONGEST_END = 20 << 10;
  final Path path;
  private final FileChannel channel;
  final ZipFile zip;

  Archive(Path path, Optional<String> password) {
    this.path = path;
    try {
      this.channel = FileChannel.open(path);
      this.zip = path.toString().endsWith(".zip")
          ? new ZipFile(path.toFile(), password.map(String::toCharArray).orElse(null)) : null;
      if (zip != null && zip.isEncrypted() && password.isEmpty()) {
        throw new Failure(Exit.AUTHENTICATION, path + " is encrypted", "set BACKUP_PASSWORD or BACKUP_PASSWORD_FILE");
      }
    } catch (IOException e) {
      throw broken(e.getMessage(), e);
    }
  }

  /** All members in file order; proves that the archive is complete and that no name leads out of its folder. */
  void index(Consumer<ArchiveEntry> visitor) {
    try {
      if (zip != null) {
        indexZip(visitor);
      } else {
        indexTar(visitor);
      }
    } catch (IOException e) {
      throw broken(e.getMessage(), e);
    }
  }

  private void indexTar(Consumer<ArchiveEntry> visitor) throws IOException {
    var end = 0L;
    for (var header = header(end); header != null; header = header(end)) {
      if (!header.isCheckSumOK()) {
        throw broken("the header of its entry '%s' is damaged".formatted(header.getName()), null);
      }
      var plain = header.isFile() && !header.isSparse();
      var offset = channel.position();
      visitor.accept(new ArchiveEntry(safe(header.getName()), header.isDirectory(), plain, header.getSize(), offset, header));
      end = offset + (header.isFile() ? (header.getSize() + 511) / 512 * 512 : 0);
    }
    requireEnd(end);
  }

  /**
   * A tar cut between two members still lists without an error: only the closing zeros prove its end. They fill the last
   * record, of 10 KiB mostly; more of them, or anything else among them, is what became of members.
   */
  private void requireEnd(long end) throws IOException {
    var rest = channel.size() - end;
    if (end == 0 || rest < 512) {
      throw broken("it is cut short", null);
    }
    var zeros = ByteBuffer.allocate((int) Math.min(rest, LONGEST_END));
    IOUtils.read(channel.position(end), zeros);
    if (rest > LONGEST_END || IntStream.range(0, zeros.position()).anyMatch(i -> zeros.get(i) != 0)) {
      throw broken("its members end after %d of %d bytes: the rest is damaged or was never written".formatted(end, channel.size()), null);
    }
  }

  /** The member's header, with the channel behind it: read on, the stream would read all that it skips, holes too. */
  private TarArchiveEntry header(long offset) throws IOException {
    channel.position(offset);
    return new TarArchiveInputStream(Channels.newInputStream(channel), "UTF-8").getNextEntry();
  }

  private void indexZip(Consumer<ArchiveEntry> visitor) throws IOException {
    for (var header : zip.getFileHeaders()) {
      visitor.accept(new ArchiveEntry(safe(header.getFileName()), header.isDirectory(), !header.isDirectory(),
          header.getUncompressedSize(), -1, header));
    }
  }

  /** The bytes of one member; several may be read side by side, each by one thread. */
  InputStream open(ArchiveEntry entry) throws IOException {
    if (zip == null) {
      var member = Channels.newInputStream(FileChannel.open(path).position(entry.offset()));
      return BoundedInputStream.builder().setInputStream(member).setMaxCount(entry.size()).get();
    }
    synchronized (zip) {
      try {
        return zip.getInputStream((FileHeader) entry.header());
      } catch (ZipException e) {
        if (e.getType() == ZipException.Type.WRONG_PASSWORD) {
          throw new Failure(Exit.AUTHENTICATION, "wrong password for " + path, "check BACKUP_PASSWORD or BACKUP_PASSWORD_FILE");
        }
        throw e;
      }
    }
  }

  /** Writes one member to a file; in a plain tar the kernel copies. */
  void copy(ArchiveEntry entry, Path target) throws IOException {
    if (zip != null) {
      try (var in = open(entry)) {
        Files.copy(in, target);
      }
      return;
    }
    try (var out = FileChannel.open(target, StandardOpenOption.CREATE_NEW, StandardOpenOption.WRITE)) {
      for (var done = 0L; done < entry.size(); ) {
        var copied = channel.transferTo(entry.offset() + done, entry.size() - done, out);
        if (copied <= 0) {
          throw new EOFException(path + " ended inside " + entry.name());
        }
        done += copied;
      }
    }
  }

  String safe(String name) {
    var path = name.endsWith("/") ? name.substring(0, name.length() - 1) : name;
    var parts = List.of(path.replaceFirst("^\\./", "").split("/", -1));
    if (name.startsWith("/") || name.indexOf('\0') >= 0 || parts.contains("..") || parts.contains("") && parts.size() > 1) {
      throw broken("its entry '%s' leads out of the backup's folder".formatted(name), null);
    }
    return path.replaceFirst("^\\./", "");
  }

  Failure broken(String why, Throwable cause) {
    return new Failure(Exit.BAD_BACKUP, "%s is no usable backup: %s".formatted(path, why), "nothing was changed; choose another with --backup", cause);
  }

  @Override
  public void close() throws IOException {
    channel.close();
    if (zip != null) {
      zip.close();
    }
  }
}
