import java.io.IOException;
import java.nio.file.AccessDeniedException;
import java.nio.file.DirectoryNotEmptyException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.PosixFilePermissions;
import java.time.LocalDateTime;

/**
 * Stages a second tree on the folder's own file system, then swaps. The names in the work folder say how far a run
 * came: {@code staging} is incomplete; {@code new} is complete and safe on disk; {@code old} receives the entries of a
 * folder that must stay; {@code previous} is the whole old tree.
 */
final class StagedSwap {
  private final RestoreJob job;
  private final AttachmentWriter writer;
  private final LiveTree tree;
  private final boolean keepPrevious;
  private final Path folder;
  private final Path work;
  private final Path staging;
  private final Path fresh;
  private final Path old;
  private final Path previous;
  /** The folder's mode where it had to be made writable, else -1. */
  private int closedMode = -1;

  StagedSwap(RestoreJob job, AttachmentWriter writer, boolean keepPrevious) {
    this.job = job;
    this.writer = writer;
    this.tree = new LiveTree(job.target(), job.workers());
    this.keepPrevious = keepPrevious;
    this.folder = job.folder();
    this.work = job.target().work();
    this.staging = work.resolve("staging");
    this.fresh = work.resolve("new");
    this.old = work.resolve("old");
    this.previous = previous(job.target());
  }

  /** The place of the old tree between two renames: there is no live folder then. */
  static Path previous(AttachmentFolder target) {
    return target.work().resolve("previous");
  }

  /** True if a restore before this one was interrupted. */
  boolean isInterrupted() throws IOException {
    return exists(staging) || exists(fresh) || exists(old) || exists(previous);
  }

  private static boolean exists(Path path) throws IOException {
    return AttachmentFolder.exists(path);
  }

  /** Undoes a swap that was interrupted, or finishes one whose new tree is in place. */
  void recover() throws IOException {
    job.console().step("Putting right what an interrupted restore left in %s", work);
    job.console().onInterrupt(
        "Nothing is lost, the trees are in %s. Keep TheHive stopped and run the same command again.".formatted(work));
    LiveTree.makeWritable(folder);
    undo();
    dropPrevious();
    if (exists(previous)) {
      throw new Failure(Exit.UNSAFE, previous + " is in the way",
          "it is an old tree, the restored one is in place: end what has files of it open, or move it away");
    }
  }

  private void undo() throws IOException {
    if (exists(fresh) && exists(previous)) {
      if (job.target().isStagedInside()) {
        tree.drain(folder, fresh);
        LiveTree.rename(previous, old);
      } else {
        LiveTree.rename(previous, folder);
      }
    }
    if (exists(old)) {
      tree.drain(old, folder);
      Files.delete(old);
    }
    tree.delete(staging);
    tree.delete(fresh);
  }

  /** Writes into a few folders side by side and renames into place: one folder for all is slower by far. */
  void stage() throws IOException {
    job.console().onInterrupt(folder + " is as it was before. Run the same command again.");
    var whole = staging.resolve("tree");
    try {
      makeStaging(whole);
      job.each("Staging", i -> true, (worker, i, content) -> {
        var temporary = staging.resolve("worker" + worker).resolve("" + i);
        writer.write(i, content, temporary);
        LiveTree.rename(temporary, whole.resolve(job.entry(i).name()));
      });
      for (var i : job.links()) {
        writer.writeLink(i, staging.resolve("link"));
        LiveTree.rename(staging.resolve("link"), whole.resolve(job.entry(i).name()));
      }
      writer.setStagedFolders(whole);
      job.flush(staging);
      LiveTree.rename(whole, fresh);
      tree.delete(staging);
      job.target().requireMounted(Exit.UNSAFE);
    } catch (IOException | RuntimeException e) {
      abandon();
      throw e;
    }
  }

  private void makeStaging(Path whole) throws IOException {
    var secret = PosixFilePermissions.asFileAttribute(PosixFilePermissions.fromString("rwx------"));
    Files.createDirectories(folder);
    var mode = Ownership.modeOf(folder);
    closedMode = LiveTree.makeWritable(folder) ? mode : -1;
    try {
      Files.createDirectories(work, secret);
      Files.createDirectory(staging, secret);
    } catch (AccessDeniedException e) {
      throw AttachmentFolder.notWritable(work.getParent(), e);
    }
    for (int worker = 0; worker < job.workers().count; worker++) {
      Files.createDirectory(staging.resolve("worker" + worker), secret);
    }
    for (var entry : job.folders()) {
      Files.createDirectory(whole.resolve(entry.name()), secret);
    }
  }

  /** Removes what was staged before anything live was changed. */
  void abandon() {
    try {
      tree.delete(staging);
      tree.delete(fresh);
      removeWork();
      closeFolder();
    } catch (IOException | RuntimeException e) {
      job.console().warn("%s could not be removed, the next run will: %s", work, Failure.of(e).getMessage());
    }
  }

  /** Puts the new tree in place of the old one; a failure in between is taken back. */
  void exchange() throws IOException {
    job.console().step("Swapping");
    job.console().onInterrupt(
        "The swap has begun; nothing is lost, the trees are in %s. Keep TheHive stopped and run the same command again."
        .formatted(work));
    try {
      if (job.target().isStagedInside()) {
        Files.createDirectory(old);
        tree.drain(folder, old);
        LiveTree.rename(old, previous);
        tree.drain(fresh, folder);
        Files.delete(fresh);
      } else {
        LiveTree.rename(folder, previous);
        LiveTree.rename(fresh, folder);
      }
    } catch (IOException | RuntimeException e) {
      takeBack(e);
      throw e;
    }
  }

  /** Takes the swap back, or says that it could not, so that nobody starts TheHive on half a tree. */
  private void takeBack(Exception cause) {
    try {
      job.target().requireMounted(Exit.PARTIAL);
      undo();
      if (exists(old) || exists(previous)) {
        throw new IOException("the old tree is still in " + work);
      }
      removeWork();
      closeFolder();
      job.target().requireMounted(Exit.PARTIAL);
    } catch (IOException | RuntimeException e) {
      throw new Failure(Exit.PARTIAL,
          "%s, and the swap could not be taken back: %s".formatted(Failure.of(cause).getMessage(),
              Failure.of(e).getMessage()),
          ("keep TheHive stopped; nothing is lost, the trees are in %s: run the same command again when the cause is"
              + " gone").formatted(work),
          e);
    }
  }

  /** Finishes when the new tree is live: a failure now is to be done again, not to be taken back. */
  void finish() {
    job.console().onInterrupt(
        "The restored tree is in place, the old one not yet removed. Keep TheHive stopped and run the same command"
            + " again.");
    try {
      writer.setFolders();
      job.flush(folder);
      job.target().requireMounted(Exit.PARTIAL);
      dropPrevious();
      if (job.target().isStagedInside()) {
        writer.set(folder, job.folders().get(0)); // the work folder was removed from it
      }
      job.target().requireMounted(Exit.PARTIAL);
    } catch (IOException | RuntimeException e) {
      throw new Failure(Exit.PARTIAL, "the restored tree is in place, but " + Failure.of(e).getMessage(),
          "keep TheHive stopped, and run the same command again when the cause is gone", e);
    }
  }

  /** Removes or keeps the old tree: a failure here does not fail the restore. */
  private void dropPrevious() throws IOException {
    try {
      if (keepPrevious && exists(previous)) {
        var stamp = BackupSet.STAMP.format(LocalDateTime.now());
        var kept = job.target().isStagedInside() ? work.resolve("previous_" + stamp)
            : folder.resolveSibling(folder.getFileName() + ".previous_" + stamp);
        LiveTree.rename(previous, kept);
        job.console().step("The old tree is kept in %s", kept);
      }
      if (exists(previous)) {
        job.console().step("Removing the old tree");
      }
      tree.delete(previous);
      removeWork();
    } catch (IOException e) {
      // On NFS a file that is removed while a program has it open stays, under another name.
      job.console().warn("the old tree in %s could not be removed, the next run will: %s", work,
          e instanceof DirectoryNotEmptyException ? "a program has a file of it open" : Failure.of(e).getMessage());
    }
  }

  private void closeFolder() throws IOException {
    if (closedMode >= 0) {
      Files.setAttribute(folder, "unix:mode", closedMode);
    }
  }

  private void removeWork() throws IOException {
    try {
      Files.deleteIfExists(work);
    } catch (DirectoryNotEmptyException e) {
      // an old tree was kept in it
    }
  }
}
