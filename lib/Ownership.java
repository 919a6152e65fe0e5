import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.LinkOption;
import java.nio.file.Path;
import java.nio.file.attribute.FileTime;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;

/**
 * Says whose a restored file or folder is, and which mode and time it has. Before and after a restore the answers are
 * the same: what the backup does not record comes from the attachment folder as the restore leaves it.
 */
final class Ownership {
  /** Nobody, the user of a server that squashes users: a backup made through it records no owners. */
  private static final Set<Long> NOBODY = Set.of(65534L, 0xfffffffeL);
  /** Nobody's names: on Red Hat before 8 the number is another one. */
  private static final Set<String> NOBODYS_NAMES = Set.of("nobody", "nfsnobody", "nogroup");
  /** Seconds at which file systems end: of 32 bits, ext4 and XFS. A time beyond is set to the end. */
  private static final Set<Long> LAST_TIMES = Set.of(0x7fffffffL, 0xffffffffL, 0x37fffffffL, 16_299_260_424L);
  private static final Set<Long> FIRST_TIMES = Set.of(0L, -0x80000000L);
  private final Principals given;
  private final Principals folder;
  /** Asked once: a lookup may go to a directory server. */
  private final boolean rootsFolder;
  private final int folderMode;
  private final Map<Owner, Principals> known = new ConcurrentHashMap<>();

  /**
   * The folder as it is now.
   *
   * @param owner none where the folder is missing
   * @param mode the permission bits
   */
  record Live(Principals owner, int mode) {
    private static final int DEFAULT_MODE = 0750;

    static Live of(Path folder) throws IOException {
      if (!Files.exists(folder, LinkOption.NOFOLLOW_LINKS)) {
        return new Live(Principals.of(Path.of("/proc/self")), DEFAULT_MODE);
      }
      return new Live(Principals.of(folder), modeOf(folder));
    }
  }

  /**
   * @param given gets all files, where it is set
   * @param top the backup's own folder, which becomes the attachment folder
   */
  Ownership(Principals given, Live live, ArchiveEntry top) {
    this.given = given;
    // A backup made as root and without owners, as documented, says nothing where the folder is somebody else's.
    var silent = isNobody(top.owner()) || top.owner().uid() == 0 && !given.or(live.owner()).isRoot();
    this.folder = given.or(silent ? Principals.NONE : recorded(top.owner())).or(live.owner());
    this.rootsFolder = folder.isRoot();
    this.folderMode = silent || top.mode() < 0 ? live.mode() : top.mode() & 07777;
  }

  static Ownership of(Optional<String> given, Path folder, AttachmentArchive members) throws IOException {
    return new Ownership(Principals.parse(given), Live.of(folder), members.all.get(members.find("")));
  }

  private static boolean isNobody(Owner owner) {
    return isNobody(owner.user(), owner.uid());
  }

  private static boolean isNobody(String name, long id) {
    return NOBODY.contains(id) || NOBODYS_NAMES.contains(name);
  }

  private static Principals recorded(Owner owner) {
    return Principals.of(isNobody(owner.group(), owner.gid()) ? new Owner(owner.user(), owner.uid(), "", -1) : owner);
  }

  /**
   * True if the owner that the backup records tells nothing: root or nobody, where the folder belongs to another user.
   */
  boolean isNotRecorded(ArchiveEntry member) {
    return isNobody(member.owner()) || member.owner().uid() == 0 && !rootsFolder;
  }

  Principals owner(ArchiveEntry member) {
    return known.computeIfAbsent(member.owner(),
        owner -> given.or(isNotRecorded(member) ? folder : recorded(owner)).or(folder));
  }

  /** The owner that ATTACHMENT_OWNER sets. */
  Principals given() {
    return given;
  }

  /** The owner of the attachment folder itself. */
  Principals folderOwner() {
    return folder;
  }

  /** Set-user-ID and set-group-ID on a file would hand out rights from an archive: they are dropped. */
  int mode(ArchiveEntry member) {
    if (member.path().length == 0) {
      return folderMode;
    }
    var isFolder = member.kind() == Kind.FOLDER;
    var mode = member.mode() >= 0 ? member.mode() : isFolder ? folderMode : folderMode & 0666;
    return mode & (isFolder ? 07777 : 0777);
  }

  /** True if owner, mode and time are those that a restore sets. */
  boolean agrees(Path path, ArchiveEntry member) throws IOException {
    return difference(path, member).isEmpty()
        && timeAgrees(member, Files.getLastModifiedTime(path, LinkOption.NOFOLLOW_LINKS));
  }

  /** Tells which of owner and mode is not what a restore sets; a link has no mode of its own. */
  Optional<String> difference(Path path, ArchiveEntry member) throws IOException {
    var owner = owner(member);
    var has = Principals.of(path);
    if (!owner.agreeWith(has)) {
      return Optional.of("%s instead of %s".formatted(has, owner));
    }
    return member.kind() == Kind.LINK || modeOf(path) == mode(member) ? Optional.empty()
        : Optional.of("mode %o instead of %o".formatted(modeOf(path), mode(member)));
  }

  /**
   * True if a file has the time of its last change that a restore sets: to the second where the archive knows no more,
   * otherwise to the microsecond, which every JDK can set. A restore does not set the time of a link.
   */
  static boolean timeAgrees(ArchiveEntry member, FileTime live) {
    if (!member.hasTime() || member.kind() == Kind.LINK) {
      return true;
    }
    var has = live.toInstant();
    if (has.getEpochSecond() == member.seconds()) {
      return member.nanos() == 0 || has.getNano() / 1000 == member.nanos() / 1000;
    }
    return LAST_TIMES.contains(has.getEpochSecond()) && member.seconds() > has.getEpochSecond()
        || FIRST_TIMES.contains(has.getEpochSecond()) && member.seconds() < has.getEpochSecond();
  }

  static int modeOf(Path path) throws IOException {
    return (int) Files.getAttribute(path, "unix:mode", LinkOption.NOFOLLOW_LINKS) & 07777;
  }
}
