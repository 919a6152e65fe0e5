import java.io.IOException;
import java.nio.file.AccessDeniedException;
import java.nio.file.DirectoryNotEmptyException;
import java.nio.file.Files;
import java.nio.file.LinkOption;
import java.nio.file.Path;
import java.nio.file.attribute.PosixFilePermissions;
import java.util.ArrayList;
import java.util.List;

/**
 * Writes what differs into the live folder, each file in the work folder and then over its place; removes the rest
 * last.
 */
final class InPlaceRestore {
  private static final int BATCH = 10_000;
  private static final int MOST_ROUNDS = 100;
  private final RestoreJob job;
  private final AttachmentWriter writer;
  private final FolderDifferences differences;
  private final FolderComparison comparison;
  private final LiveTree tree;
  private final Path staging;

  InPlaceRestore(RestoreJob job, AttachmentWriter writer, FolderDifferences differences) {
    this.job = job;
    this.writer = writer;
    this.differences = differences;
    this.comparison = FolderComparison.of(job);
    this.tree = new LiveTree(job.target(), job.workers());
    this.staging = job.target().work().resolve("staging");
  }

  void restore() throws IOException {
    job.console().onInterrupt(job.folder()
        + " holds old and new files now. Keep TheHive stopped and run the same command again.");
    makeFolders();
    job.each("Writing", differences.write()::get, (worker, i, content) -> {
      var temporary = staging.resolve("" + i);
      Files.deleteIfExists(temporary);
      writer.write(i, content, temporary);
      put(temporary, job.path(i));
    });
    for (var i : job.links()) {
      if (differences.write().get(i)) {
        writer.writeLink(i, staging.resolve("link"));
        put(staging.resolve("link"), job.path(i));
      }
    }
    removeExtras();
    for (var i : differences.touch().stream().toArray()) {
      writer.set(job.path(i), job.entry(i));
    }
    removeWork();
    job.target().requireMounted(Exit.PARTIAL);
    writer.setFolders();
    job.flush(job.folder());
    job.target().requireMounted(Exit.PARTIAL);
  }

  /** Makes room for folders where something else is, and for files where folders are. */
  private void makeFolders() throws IOException {
    var secret = PosixFilePermissions.asFileAttribute(PosixFilePermissions.fromString("rwx------"));
    for (var entry : job.folders()) {
      job.target().requireMounted(Exit.PARTIAL);
      var path = job.folder().resolve(entry.name());
      if (!entry.name().isEmpty() && !Files.isDirectory(path, LinkOption.NOFOLLOW_LINKS)) {
        Files.deleteIfExists(path);
      }
      Files.createDirectories(path);
      job.target().requireSameFileSystem(path);
      LiveTree.makeWritable(path);
    }
    try {
      Files.createDirectories(job.target().work(), secret);
      Files.createDirectory(staging, secret);
    } catch (AccessDeniedException e) {
      throw AttachmentFolder.notWritable(job.target().work().getParent(), e);
    }
    for (var i : differences.write().stream().toArray()) {
      if (Files.isDirectory(job.path(i), LinkOption.NOFOLLOW_LINKS)) {
        tree.delete(job.path(i));
      }
    }
  }

  private void removeExtras() throws IOException {
    job.console().step("Removing what is not in the backup");
    job.console()
        .onInterrupt("All of the backup is in %s, and some more. Keep TheHive stopped and run the same command again."
            .formatted(job.folder()));
    // again: an NFS client may pass over some of a folder that is changed while it is read
    for (var round = 0; removeExtrasOnce() > 0; round++) {
      if (round == MOST_ROUNDS) {
        throw new Failure(Exit.PARTIAL, "something writes to %s while what is not in the backup is removed".formatted(
            job.folder()), "find it (lsof, fuser), stop it, and run the same command again");
      }
    }
  }

  /** Removes folders after what they hold; returns how many files and folders there were. */
  private int removeExtrasOnce() throws IOException {
    var count = new int[1];
    var batch = new ArrayList<Path>();
    tree.walkToRemove((path, isFolder) -> {
      if (comparison.find(path) < 0) {
        if (isFolder || batch.size() == BATCH) {
          remove(batch);
        }
        batch.add(path);
        count[0]++;
      }
    });
    remove(batch);
    return count[0];
  }

  private void remove(List<Path> batch) throws IOException {
    job.workers().run(batch.size(), (worker, i) -> {
      job.target().requireMounted(Exit.PARTIAL);
      try {
        Files.deleteIfExists(batch.get(i));
      } catch (AccessDeniedException e) {
        LiveTree.makeWritable(batch.get(i).getParent());
        Files.deleteIfExists(batch.get(i));
      }
    });
    batch.clear();
  }

  /** Renames after a look that finds the folder mounted: so the file was not written below the mount point. */
  private void put(Path temporary, Path place) throws IOException {
    job.target().requireMounted(Exit.PARTIAL);
    LiveTree.rename(temporary, place);
  }

  private void removeWork() throws IOException {
    tree.delete(staging);
    try {
      Files.deleteIfExists(job.target().work());
    } catch (DirectoryNotEmptyException e) {
      // an old tree was kept in it
    }
  }
}
