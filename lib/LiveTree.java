import java.io.IOException;
import java.nio.file.AccessDeniedException;
import java.nio.file.FileVisitResult;
import java.nio.file.Files;
import java.nio.file.LinkOption;
import java.nio.file.Path;
import java.nio.file.SimpleFileVisitor;
import java.nio.file.StandardCopyOption;
import java.nio.file.attribute.BasicFileAttributes;
import java.util.ArrayList;
import java.util.List;

/** The files below the attachment folder and beside it; links are not followed, and no other file system is entered. */
record LiveTree(AttachmentFolder target, Workers workers) {
  private static final int BATCH = 10_000;
  private static final int OWNER_ALL = 0700;

  interface Visitor {
    void accept(Path path, boolean isFolder) throws IOException;
  }

  /**
   * Gives the content of the folder, folders after what they hold. Changes nothing: of a folder that may not be read,
   * only itself is given.
   */
  void walk(Visitor visitor) throws IOException {
    walk(visitor, false);
  }

  /** The same for what will be removed: a folder that may not be read is made readable first. */
  void walkToRemove(Visitor visitor) throws IOException {
    walk(visitor, true);
  }

  private void walk(Visitor visitor, boolean open) throws IOException {
    if (AttachmentFolder.exists(target.folder())) {
      Files.walkFileTree(target.folder(), new ContentVisitor(visitor, open));
    }
  }

  private final class ContentVisitor extends SimpleFileVisitor<Path> {
    private final Path folder = target.folder();
    private final Visitor visitor;
    private final boolean open;

    ContentVisitor(Visitor visitor, boolean open) {
      this.visitor = visitor;
      this.open = open;
    }

    @Override
    public FileVisitResult preVisitDirectory(Path path, BasicFileAttributes is) throws IOException {
      if (!FolderContents.isContent(folder.relativize(path))) {
        return FileVisitResult.SKIP_SUBTREE;
      }
      target.requireSameFileSystem(path);
      return FileVisitResult.CONTINUE;
    }

    @Override
    public FileVisitResult visitFile(Path path, BasicFileAttributes is) throws IOException {
      if (FolderContents.isContent(folder.relativize(path))) {
        visitor.accept(path, false);
      }
      return FileVisitResult.CONTINUE;
    }

    @Override
    public FileVisitResult visitFileFailed(Path path, IOException failed) throws IOException {
      if (!(failed instanceof AccessDeniedException) || path.equals(folder)) {
        throw failed;
      }
      if (open && makeWritable(path)) {
        Files.walkFileTree(path, this);
      } else if (FolderContents.isContent(folder.relativize(path))) {
        visitor.accept(path, true);
      }
      return FileVisitResult.CONTINUE;
    }

    @Override
    public FileVisitResult postVisitDirectory(Path path, IOException failed) throws IOException {
      if (failed != null) {
        throw failed;
      }
      if (!path.equals(folder)) {
        visitor.accept(path, true);
      }
      return FileVisitResult.CONTINUE;
    }
  }

  /** Removes a tree, also one whose folders their owner may not write to. */
  void delete(Path tree) throws IOException {
    if (!AttachmentFolder.exists(tree)) {
      return;
    }
    Files.walkFileTree(tree, new DeletingVisitor());
  }

  /** Removes files several at a time, and each folder after what it held. */
  private final class DeletingVisitor extends SimpleFileVisitor<Path> {
    private final List<Path> batch = new ArrayList<>();

    @Override
    public FileVisitResult preVisitDirectory(Path path, BasicFileAttributes is) throws IOException {
      target.requireSameFileSystem(path);
      makeWritable(path);
      return FileVisitResult.CONTINUE;
    }

    @Override
    public FileVisitResult visitFile(Path path, BasicFileAttributes is) throws IOException {
      batch.add(path);
      return batch.size() < BATCH ? FileVisitResult.CONTINUE : deleteBatch();
    }

    @Override
    public FileVisitResult visitFileFailed(Path path, IOException failed) throws IOException {
      if (!(failed instanceof AccessDeniedException) || !makeWritable(path)) {
        throw failed;
      }
      delete(path);
      return FileVisitResult.CONTINUE;
    }

    @Override
    public FileVisitResult postVisitDirectory(Path path, IOException failed) throws IOException {
      deleteBatch();
      Files.delete(path);
      return FileVisitResult.CONTINUE;
    }

    private FileVisitResult deleteBatch() throws IOException {
      workers.run(batch.size(), (worker, i) -> Files.deleteIfExists(batch.get(i)));
      batch.clear();
      return FileVisitResult.CONTINUE;
    }
  }

  /**
   * Gives the owner all rights to a folder; true if that changed something. Where it is not ours, the next step fails.
   */
  static boolean makeWritable(Path folder) throws IOException {
    if (Files.isWritable(folder) && Files.isExecutable(folder) && Files.isReadable(folder)) {
      return false;
    }
    if (!Files.isDirectory(folder, LinkOption.NOFOLLOW_LINKS)) {
      return false;
    }
    try {
      // Without NOFOLLOW_LINKS: with it, the JDK opens the folder first, which needs the right to read it.
      Files.setAttribute(folder, "unix:mode", Ownership.modeOf(folder) | OWNER_ALL);
      return true;
    } catch (IOException e) {
      return false;
    }
  }

  static void rename(Path from, Path to) throws IOException {
    Files.move(from, to, StandardCopyOption.ATOMIC_MOVE);
  }

  /** Moves everything in a folder into another one; what is not content stays in the attachment folder. */
  void drain(Path from, Path to) throws IOException {
    for (var batch = batch(from); !batch.isEmpty(); batch = batch(from)) {
      var some = batch;
      workers.run(some.size(), (worker, i) -> move(some.get(i), to.resolve(some.get(i).getFileName())));
    }
  }

  private List<Path> batch(Path from) throws IOException {
    try (var children = Files.list(from)) {
      return children.filter(child -> !from.equals(target.folder()) || FolderContents.isContent(child.getFileName()))
          .limit(BATCH).toList();
    }
  }

  /** Moves a file or a folder; moving a folder needs the right to write to it, which it has only while it is moved. */
  private static void move(Path from, Path to) throws IOException {
    try {
      rename(from, to);
    } catch (AccessDeniedException e) {
      var mode = Files.isDirectory(from, LinkOption.NOFOLLOW_LINKS) ? Ownership.modeOf(from) : -1;
      if (mode < 0 || !makeWritable(from)) {
        throw e;
      }
      rename(from, to);
      Files.setAttribute(to, "unix:mode", mode);
    }
  }
}
