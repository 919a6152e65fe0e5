//DEPS commons-io:commons-io:2.22.0

import java.io.IOException;
import java.nio.file.AccessDeniedException;
import java.nio.file.Files;
import java.nio.file.LinkOption;
import java.nio.file.Path;
import java.time.Instant;
import java.util.BitSet;
import java.util.HashSet;
import java.util.Optional;
import java.util.Set;
import java.util.stream.IntStream;
import org.apache.commons.io.IOUtils;

/** Compares the backup with the live folder. */
record FolderComparison(RestoreJob job, LiveTree tree) {
  static FolderComparison of(RestoreJob job) {
    return new FolderComparison(job, new LiveTree(job.target(), job.workers()));
  }

  /** The number of the backup's entry for a path in the folder, or -1. */
  int find(Path path) {
    return job.backup().find(job.folder().relativize(path).toString());
  }

  /** Compares names only. */
  FolderDifferences names() throws IOException {
    return names(new BitSet());
  }

  /** @param present gets the numbers of the backup's files whose names are in the folder */
  private FolderDifferences names(BitSet present) throws IOException {
    var extra = new int[1];
    var newest = new Instant[1];
    tree.walk((path, isFolder) -> {
      var i = find(path);
      if (i < 0 && !isFolder) {
        extra[0]++;
        var changed = Instant.ofEpochMilli(path.toFile().lastModified());
        newest[0] = newest[0] == null || newest[0].isBefore(changed) ? changed : newest[0];
      } else if (i >= 0 && !job.entry(i).folder()) {
        present.set(i);
      }
    });
    return new FolderDifferences(job.backup().files - present.cardinality(), present.cardinality(), extra[0],
        newest[0], Optional.empty(), null, null);
  }

  /** Compares byte for byte, and owner, mode and time. */
  FolderDifferences contents() throws IOException {
    var present = new BitSet();
    var names = names(present);
    var write = new BitSet();
    IntStream.range(0, job.backup().all.size()).filter(i -> !job.entry(i).folder()).forEach(write::set);
    var touch = new BitSet();
    var missing = missingFolders();
    job.each("Comparing", present::get, (worker, i, content) -> {
      var live = live(i, missing);
      if (live.isPresent() && hasContent(content, live.get(), job.entry(i))) {
        var agrees = job.ownership().agrees(live.get(), job.entry(i));
        synchronized (write) {
          write.clear(i);
          touch.set(i, !agrees);
        }
      }
    });
    for (var i : job.links()) {
      var live = live(i, missing);
      write.set(i, live.isEmpty() || !isLink(live.get(), job.entry(i)));
    }
    var unchanged = job.backup().files - write.cardinality() - touch.cardinality();
    return new FolderDifferences(names.added(), names.present(), names.extra(), names.newest(),
        Optional.of(unchanged), write, touch);
  }

  private boolean isLink(Path live, ArchiveEntry entry) throws IOException {
    return Files.isSymbolicLink(live) && Files.readSymbolicLink(live).toString().equals(entry.link())
        && job.ownership().agrees(live, entry);
  }

  /**
   * Folders of the backup that are not folders here, such as a link to elsewhere: nothing is to be looked for through
   * them.
   */
  private Set<Path> missingFolders() {
    var missing = new HashSet<Path>();
    for (var entry : job.folders()) {
      var path = job.folder().resolve(entry.name());
      if (missing.contains(path.getParent()) || !Files.isDirectory(path, LinkOption.NOFOLLOW_LINKS)) {
        missing.add(path);
      }
    }
    return missing;
  }

  private Optional<Path> live(int i, Set<Path> missing) throws IOException {
    var path = job.path(i);
    try {
      return missing.contains(path.getParent()) || !AttachmentFolder.exists(path) ? Optional.empty()
          : Optional.of(path);
    } catch (AccessDeniedException e) {
      return Optional.empty(); // in a folder that may not be read: it is written anew
    }
  }

  private static boolean hasContent(Archive.Content content, Path live, ArchiveEntry entry) throws IOException {
    if (!Files.isRegularFile(live, LinkOption.NOFOLLOW_LINKS) || Files.size(live) != entry.size()) {
      return false;
    }
    try (var backup = content.open(); var file = Files.newInputStream(live)) {
      return IOUtils.contentEquals(backup, file);
    } catch (AccessDeniedException e) {
      return false; // it may not be read: it is written anew
    }
  }
}
