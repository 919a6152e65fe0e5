//DEPS commons-io:commons-io:2.22.0

import java.io.IOException;
import java.nio.file.FileSystemException;
import java.nio.file.FileVisitResult;
import java.nio.file.Files;
import java.nio.file.LinkOption;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.nio.file.SimpleFileVisitor;
import java.nio.file.attribute.BasicFileAttributes;
import java.nio.file.attribute.PosixFileAttributes;
import java.time.Instant;
import java.util.function.BiConsumer;
import org.apache.commons.io.IOUtils;
import org.apache.commons.io.TaggedIOException;
import org.apache.commons.io.input.TaggedInputStream;

/** Attachments in a folder, with owner and mode. */
record FolderCheck(Path folder, Ownership ownership) implements AttachmentStore {
  /** With links followed, as the restore's report names the folder. */
  static FolderCheck of(FolderSettings settings, AttachmentArchive backup) throws IOException {
    if (!Files.isDirectory(settings.folder())) {
      throw new Failure(Exit.VERIFICATION, "there is no folder " + settings.folder(), null);
    }
    AttachmentFolder.requireNames(backup);
    var folder = settings.folder().toRealPath();
    return new FolderCheck(folder, Ownership.of(settings.owner(), folder, backup));
  }

  @Override
  public boolean hasFolders() {
    return true;
  }

  @Override
  public void list(AttachmentArchive backup, BiConsumer<String, Instant> extra, Tally tally) throws IOException {
    Files.walkFileTree(folder, new SimpleFileVisitor<>() {
      @Override
      public FileVisitResult preVisitDirectory(Path path, BasicFileAttributes is) {
        return FolderContents.isContent(folder.relativize(path)) ? FileVisitResult.CONTINUE
            : FileVisitResult.SKIP_SUBTREE;
      }

      @Override
      public FileVisitResult visitFile(Path path, BasicFileAttributes is) {
        var name = folder.relativize(path).toString();
        var i = backup.find(name);
        if (FolderContents.isContent(name) && (i < 0 || backup.all.get(i).kind() == Kind.FOLDER)) {
          extra.accept(name, is.lastModifiedTime().toInstant());
        }
        return FileVisitResult.CONTINUE;
      }

      @Override
      public FileVisitResult visitFileFailed(Path path, IOException e) {
        if (!(e instanceof NoSuchFileException)) { // removed meanwhile
          tally.add("changed", unreadable("" + path, e));
        }
        return FileVisitResult.CONTINUE;
      }
    });
  }

  private static String unreadable(String name, IOException e) {
    return "%s: cannot be read: %s".formatted(EntryName.shown(name), Failure.of(e).getMessage());
  }

  /** Takes an error of the folder for one finding among others; an error of the archive ends it all. */
  @Override
  public void compare(int i, ArchiveEntry member, Archive.Content content, Tally tally) throws IOException {
    var live = folder.resolve(member.name());
    var name = member.path().length == 0 ? "" + folder : EntryName.shown(member.name());
    try {
      compare(member, live, name, content, tally);
    } catch (NoSuchFileException e) {
      tally.add("missing", name);
    } catch (TaggedIOException | FileSystemException e) {
      tally.add("changed", unreadable(name, e));
    }
  }

  private void compare(ArchiveEntry member, Path live, String name, Archive.Content content, Tally tally)
      throws IOException {
    var is = Files.readAttributes(live, PosixFileAttributes.class, LinkOption.NOFOLLOW_LINKS);
    if (member.kind() == Kind.LINK) {
      if (!is.isSymbolicLink() || !Files.readSymbolicLink(live).toString().equals(member.link())) {
        tally.add("changed", name + ": is not a link to " + EntryName.shown(member.link()));
      }
    } else if (member.kind() == Kind.FOLDER && !is.isDirectory()) {
      tally.add("changed", name + ": is not a folder");
    } else if (member.kind() != Kind.FOLDER && !is.isRegularFile()) {
      tally.add("changed", name + ": is not a file");
    } else if (is.isRegularFile() && is.size() != member.size()) {
      tally.add("changed", "%s: %d bytes instead of %d".formatted(name, is.size(), member.size()));
    } else if (content != null) {
      try (var in = new TaggedInputStream(Files.newInputStream(live)); var stored = content.open()) {
        if (!IOUtils.contentEquals(stored, in)) {
          tally.add("changed", name + ": another content");
        }
      }
    }
    ownership.difference(live, member).ifPresent(difference -> tally.add("attributes", name + ": " + difference));
  }
}
