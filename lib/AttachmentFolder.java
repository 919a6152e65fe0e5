import java.io.IOException;
import java.nio.file.AccessDeniedException;
import java.nio.file.AccessMode;
import java.nio.file.FileSystemException;
import java.nio.file.Files;
import java.nio.file.LinkOption;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.nio.file.attribute.BasicFileAttributes;
import java.util.ArrayList;
import java.util.List;

/**
 * The folder to be restored, with symbolic links followed.
 *
 * @param isStagedInside true if a second tree is staged inside it, not beside, and its entries are swapped: the folder
 *     itself must stay
 * @param work where a second tree is staged, on the same file system
 * @param device the file system's number
 */
record AttachmentFolder(Path folder, boolean isStagedInside, Path work, boolean isMissing, Object device,
    Mounts mounts) {
  private static final int MOST_LOOKED_AT = 100;

  /** Requires that Java can write the backup's names in this locale. */
  static void requireNames(AttachmentArchive backup) {
    var encoding = System.getProperty("sun.jnu.encoding");
    if (encoding.equals("UTF-8")) {
      return;
    }
    backup.all.stream().map(ArchiveEntry::name).filter(name -> !name.chars().allMatch(letter -> letter < 128))
        .findFirst().ifPresent(name -> {
          throw new Failure(Exit.USAGE, "the backup holds names such as '%s', and this locale's file names are %s"
              .formatted(EntryName.shown(name), encoding), "export LC_ALL=C.UTF-8, or another locale of UTF-8");
        });
  }

  /** Makes every check that can be made without the backup; changes nothing. */
  static AttachmentFolder check(Path named, Path backup, FolderAnswers answers, Console console) throws IOException {
    var absolute = named.toAbsolutePath().normalize();
    var missing = !Files.exists(absolute); // also mounts what is mounted on access
    var given = missing ? followed(absolute) : absolute;
    if (given.getParent() == null) {
      throw new Failure(Exit.USAGE, "ATTACHMENT_FOLDER is /", "name TheHive's storage.localfs.location");
    }
    var mounts = Mounts.read();
    requireMounted(mounts, given, answers, console);
    if (!Files.isDirectory(given.getParent())) {
      throw new Failure(Exit.UNSAFE, "there is no folder " + given,
          "check ATTACHMENT_FOLDER; is its file system mounted?");
    }
    var folder = missing ? given.getParent().toRealPath().resolve(given.getFileName()) : given.toRealPath();
    requireMounted(mounts, folder, answers, console);
    if (!missing && !Files.isDirectory(folder)) {
      throw new Failure(Exit.UNSAFE, given + " is not a folder", "check ATTACHMENT_FOLDER");
    }
    if (folder.getParent() == null || backup.toRealPath().startsWith(folder)) {
      throw new Failure(Exit.USAGE, "the backups are in the folder that is to be restored, " + folder,
          "check ATTACHMENT_FOLDER and GENERAL_ARCHIVE_PATH");
    }
    return check(folder, missing, mounts, answers);
  }

  private static AttachmentFolder check(Path folder, boolean missing, Mounts mounts, FolderAnswers answers)
      throws IOException {
    var beside = folder.resolveSibling("." + folder.getFileName() + FolderContents.OF_RESTORE);
    if (missing && !exists(beside) && !answers.createFolder) {
      throw new Failure(Exit.UNSAFE, "there is no folder " + folder, "create or mount it; --create-folder creates it");
    }
    requireWritable(missing ? folder.getParent() : folder);
    var device = device(missing ? folder.getParent() : folder);
    var inside = !missing && mustStay(folder, device, mounts);
    var target = new AttachmentFolder(folder, inside, inside ? folder.resolve(FolderContents.OF_RESTORE) : beside,
        missing, device, mounts);
    for (var point : mounts.below(folder)) {
      if (FolderContents.isContent(folder.relativize(point))) {
        throw otherFileSystem(point);
      }
    }
    var other = inside ? beside : folder.resolve(FolderContents.OF_RESTORE);
    if (exists(other)) {
      throw new Failure(Exit.UNSAFE,
          "%s holds trees of a restore of another kind, from another host or as another user".formatted(other),
          "run it there again if it is unfinished; move or remove trees that were kept");
    }
    return target;
  }

  /** True if the folder cannot be replaced by another one of its name, or would lose something of its own with it. */
  private static boolean mustStay(Path folder, Object device, Mounts mounts) throws IOException {
    return mounts.isMountPoint(folder) || !Files.isWritable(folder.getParent())
        || !device.equals(device(folder.getParent()))
        || mounts.isShared(folder) || holdsOtherThanContent(folder) || hasAccessList(folder);
  }

  private static boolean holdsOtherThanContent(Path folder) throws IOException {
    try (var children = Files.list(folder)) {
      return children.anyMatch(child -> FolderContents.isOfStorage(child.getFileName().toString()));
    }
  }

  /** True if the folder has an ACL, which new files in it inherit; ls shows it behind the mode. */
  private static boolean hasAccessList(Path folder) throws IOException {
    return SystemCommand.output("ls", "-ld", folder.toString()).split(" ")[0].endsWith("+");
  }

  /** Folders in it with an ACL that restored files do not inherit: they are written elsewhere and moved there. */
  List<Path> withLostAccessLists(AttachmentArchive backup) throws IOException {
    var lost = new ArrayList<Path>();
    if (!exists(folder) || hasAccessList(folder)) {
      return lost; // what is written below the folder inherits its own
    }
    var names = backup.all.stream().filter(ArchiveEntry::folder).map(ArchiveEntry::name)
        .filter(name -> !name.isEmpty() && name.indexOf('/') < 0).limit(MOST_LOOKED_AT).toList();
    for (var name : names) {
      var path = folder.resolve(name);
      if (Files.isDirectory(path, LinkOption.NOFOLLOW_LINKS) && hasAccessList(path)) {
        lost.add(path);
      }
    }
    return lost;
  }

  private static void requireMounted(Mounts mounts, Path folder, FolderAnswers answers, Console console)
      throws IOException {
    var missing = mounts.missing(folder);
    if (missing.isEmpty()) {
      return;
    }
    var message =
        "nothing is mounted at %s, where /etc/fstab wants %s".formatted(missing.get().point(), missing.get().source());
    if (!answers.allowUnmounted) {
      throw new Failure(Exit.UNSAFE, message,
          "mount %s; --allow-unmounted restores to the disk below it".formatted(missing.get().point()));
    }
    console.warn("%s", message);
  }

  /** Follows links although what they lead to is missing: a swap may have been killed between its two renames. */
  private static Path followed(Path path) throws IOException {
    for (int links = 0; links < 40 && Files.isSymbolicLink(path); links++) {
      path = path.getParent().toRealPath().resolve(Files.readSymbolicLink(path)).normalize();
    }
    return path;
  }

  /** A folder of our own without write permission will be made writable. */
  private static void requireWritable(Path folder) throws IOException {
    try {
      folder.getFileSystem().provider().checkAccess(folder, AccessMode.WRITE);
    } catch (AccessDeniedException e) {
      if (!Files.getAttribute(folder, "unix:uid").equals(Files.getAttribute(Path.of("/proc/self"), "unix:uid"))) {
        throw notWritable(folder, e);
      }
    } catch (FileSystemException e) {
      ImmutableFiles.requireItself(folder);
      throw new Failure(Exit.UNSAFE, "cannot write to %s: %s".formatted(folder, e.getReason()),
          "is it mounted read-write?", e);
    }
  }

  static Failure notWritable(Path folder, AccessDeniedException cause) {
    return new Failure(Exit.UNSAFE, "cannot write to " + folder,
        "run as root, or where root is squashed as the folder's owner", cause);
  }

  /** Differs from Files.exists, which takes a file system that does not answer for a file that is not there. */
  static boolean exists(Path path) throws IOException {
    try {
      Files.readAttributes(path, BasicFileAttributes.class, LinkOption.NOFOLLOW_LINKS);
      return true;
    } catch (NoSuchFileException e) {
      return false;
    }
  }

  private static Object device(Path path) throws IOException {
    return Files.getAttribute(path, "unix:dev", LinkOption.NOFOLLOW_LINKS);
  }

  /** The mount that the folder is on. */
  Mounts.Mount mount() {
    return mounts.of(isMissing ? folder.getParent() : folder);
  }

  /** The folder, or the one above it as long as it is missing. */
  Path existing() throws IOException {
    return exists(folder) ? folder : folder.getParent();
  }

  /** True if a network mount broke and is gone altogether, so that the empty mount point is seen in its place. */
  boolean isGone() {
    try {
      return !device.equals(Files.getAttribute(isStagedInside ? folder : folder.getParent(), "unix:dev"));
    } catch (IOException e) {
      return true;
    }
  }

  void requireMounted(int code) {
    if (isGone()) {
      throw gone(code);
    }
  }

  Failure gone(int code) {
    var first = code == Exit.PARTIAL ? "keep TheHive stopped, remove what was written below the mount point, " : "";
    return new Failure(code, folder + " is no longer mounted or does not answer",
        first + "mount it again and run the same command again");
  }

  /** Refuses another file system inside the folder, which would be emptied along with it. */
  void requireSameFileSystem(Path path) throws IOException {
    if (!device.equals(device(path))) {
      throw otherFileSystem(path);
    }
  }

  private static Failure otherFileSystem(Path path) {
    return new Failure(Exit.UNSAFE, "something else is mounted inside the folder, at " + path, "unmount it");
  }

  /** A swap gives the folders in it new inodes, which a mount or an export of one of them does not follow. */
  void requireSwappable() {
    mounts.sharedBelow(folder).ifPresent(shared -> {
      throw new Failure(Exit.UNSAFE, shared + ": it would go on showing the old files",
          "restore with --in-place, or unmount or unexport it");
    });
  }

  void requireRoom(AttachmentArchive backup) throws IOException {
    var place = existing();
    var room = Files.getFileStore(place).getUsableSpace();
    var needed = backup.all.stream().mapToLong(entry -> (entry.stored() + 4095) / 4096 * 4096 + 256).sum();
    if (room < needed) {
      throw new Failure(Exit.UNSAFE,
          "%s has room for %s, a second tree needs %s".formatted(place, Console.size(room), Console.size(needed)),
          "free some, or restore with --in-place");
    }
    var inodes = SystemCommand.output("stat", "-f", "-c", "%d %c", place.toString()).split(" ");
    if (!inodes[1].equals("0") && Long.parseLong(inodes[0]) < backup.all.size() + 16L) {
      throw new Failure(Exit.UNSAFE,
          "%s has %s inodes left, a second tree needs %d".formatted(place, inodes[0], backup.all.size()),
          "free some, or restore with --in-place");
    }
  }
}
