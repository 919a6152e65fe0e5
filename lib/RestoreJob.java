import java.io.IOException;
import java.nio.file.Path;
import java.util.Comparator;
import java.util.List;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.concurrent.atomic.AtomicLong;
import java.util.function.IntPredicate;
import java.util.stream.IntStream;

/** One restore of attachments into a folder: the backup, the folder, and who works on it. */
record RestoreJob(AttachmentArchive backup, AttachmentFolder target, Ownership ownership, Workers workers,
    Console console) {
  Path folder() {
    return target.folder();
  }

  ArchiveEntry entry(int i) {
    return backup.all.get(i);
  }

  /** The place of an entry in the live folder. */
  Path path(int i) {
    return folder().resolve(entry(i).name());
  }

  /** The backup's folders, each before what is in it: first the one that becomes the attachment folder. */
  List<ArchiveEntry> folders() {
    return backup.all.stream().filter(ArchiveEntry::folder).sorted(Comparator.comparing(ArchiveEntry::name)).toList();
  }

  /** The numbers of the symbolic links. */
  List<Integer> links() {
    return IntStream.range(0, backup.all.size()).filter(i -> entry(i).kind() == Kind.LINK).boxed().toList();
  }

  /** Gives every wanted file to the reader, and shows how far it is. */
  void each(String task, IntPredicate wanted, AttachmentArchive.Reader reader) throws IOException {
    var sizes = IntStream.range(0, backup.all.size()).filter(i -> !entry(i).folder() && wanted.test(i))
        .mapToLong(i -> entry(i).size()).summaryStatistics();
    if (sizes.getCount() == 0) {
      return;
    }
    var bytesDone = new AtomicLong();
    var filesDone = new AtomicInteger();
    try (var progress = console.progress(task, sizes.getSum(), bytesDone::get,
        () -> filesDone.get() + " of " + sizes.getCount() + " files")) {
      backup.read(workers, wanted, (worker, i, content) -> {
        reader.read(worker, i, content);
        bytesDone.addAndGet(entry(i).size());
        filesDone.incrementAndGet();
      });
    }
  }

  /**
   * Asks for errors that a file system could not tell before: it tells them at the next flush, which must not be ours.
   */
  void tellOldErrors() {
    try {
      SystemCommand.output("sync", "-f", (target.isStagedInside() ? folder() : folder().getParent()).toString());
    } catch (IOException e) {
      console.warn("something that was written before was lost: %s", e.getMessage());
    }
  }

  /** Flushes everything written so far: one call for a whole file system, where fsync of each file would take hours. */
  void flush(Path folder) throws IOException {
    console.step("Flushing to disk");
    SystemCommand.output("sync", "-f", folder.toString());
  }
}
