import java.io.IOException;
import java.nio.file.AccessDeniedException;
import java.nio.file.FileSystemException;
import java.nio.file.Files;
import java.nio.file.LinkOption;
import java.nio.file.Path;
import java.nio.file.attribute.PosixFileAttributeView;
import java.util.Map;
import java.util.Objects;
import java.util.Set;
import java.util.concurrent.ConcurrentSkipListMap;

/** Writes files, links and folders of a backup with owner, mode and time; counts what this user may not set. */
final class AttachmentWriter {
  /**
   * Reasons of a server that squashes root, of a file system without owners, of a container where the number does not
   * exist.
   */
  private static final Set<String> NOT_ALLOWED =
      Set.of("Operation not permitted", "Operation not supported", "Function not implemented", "Invalid argument");
  private static final int OWNER_ALL = 0700;
  private final RestoreJob job;
  /** How many files and folders have not the owner, group, mode or time that they should have. */
  final Map<String, Integer> unset = new ConcurrentSkipListMap<>();

  private interface Setting {
    void apply() throws IOException;
  }

  private interface Check {
    boolean holds() throws IOException;
  }

  AttachmentWriter(RestoreJob job) {
    this.job = job;
  }

  /** Writes a new file beside its place: to be renamed there. */
  void write(int i, Archive.Content content, Path temporary) throws IOException {
    var entry = job.entry(i);
    try {
      content.copyTo(temporary);
    } catch (FileSystemException | Failure e) {
      throw e;
    } catch (IOException e) {
      // the kernel's error of a copy has no name
      throw new FileSystemException(job.path(i).toString(), null, e.getMessage());
    }
    if (Files.size(temporary) != entry.size()) {
      throw job.backup().refused(entry.name(), "does not have the size that it names");
    }
    set(temporary, entry);
  }

  void writeLink(int i, Path temporary) throws IOException {
    Files.deleteIfExists(temporary);
    UnixFiles.createLink(temporary, job.entry(i).link());
    set(temporary, job.entry(i));
  }

  void set(Path path, ArchiveEntry entry) throws IOException {
    setOwner(path, entry);
    if (entry.kind() == Kind.LINK) {
      return;
    }
    if (entry.hasTime()) {
      attempt("time", () -> UnixFiles.setTime(path, entry.time()), () -> true); // verify.java does not look at it
    }
    var mode = job.ownership().mode(entry);
    attempt("mode", () -> Files.setAttribute(path, "unix:mode", mode), () -> Ownership.modeOf(path) == mode);
  }

  private void setOwner(Path path, ArchiveEntry entry) throws IOException {
    var view = Files.getFileAttributeView(path, PosixFileAttributeView.class, LinkOption.NOFOLLOW_LINKS);
    var has = Principals.of(path);
    var owner = job.ownership().owner(entry);
    if (owner.user() != null && !owner.user().equals(has.user())) {
      attempt("owner", () -> view.setOwner(owner.user()), () -> owner.user().equals(Principals.of(path).user()));
    }
    if (owner.group() != null && !owner.group().equals(has.group())) {
      attempt("group", () -> view.setGroup(owner.group()), () -> owner.group().equals(Principals.of(path).group()));
    }
  }

  /** @param isSet looks whether it took effect: some file systems say yes to everything */
  private void attempt(String what, Setting setting, Check isSet) throws IOException {
    try {
      setting.apply();
      if (!isSet.holds()) {
        unset.merge(what, 1, Integer::sum);
      }
    } catch (FileSystemException e) {
      if (!(e instanceof AccessDeniedException) && !NOT_ALLOWED.contains(Objects.toString(e.getReason()))) {
        throw e;
      }
      unset.merge(what, 1, Integer::sum);
    }
  }

  /** Sets all folders, the last first: what is written into a folder changes its time. */
  void setFolders() throws IOException {
    var folders = job.folders();
    for (int i = folders.size() - 1; i >= 0; i--) {
      set(job.folder().resolve(folders.get(i).name()), folders.get(i));
    }
  }

  /** Sets the folders of a second tree as they will be, except that they can still be moved. */
  void setStagedFolders(Path staged) throws IOException {
    var counted = Map.copyOf(unset);
    var folders = job.folders();
    for (int i = folders.size() - 1; i >= 0; i--) {
      var folder = staged.resolve(folders.get(i).name());
      set(folder, folders.get(i));
      var mode = Ownership.modeOf(folder);
      if ((mode & OWNER_ALL) != OWNER_ALL) {
        Files.setAttribute(folder, "unix:mode", mode | OWNER_ALL);
      }
    }
    unset.clear();
    unset.putAll(counted); // they are set, and counted, again at their place
  }
}
