import java.nio.file.Path;
import java.util.Locale;
import java.util.Set;
import java.util.regex.Pattern;

/**
 * Tells the content of an attachment folder from what else is kept in it: by the storage at the top of a mount or an
 * export, and by an unfinished restore. Neither is restored, removed or compared, in the folder or in a backup.
 */
final class FolderContents {
  /** Everything that restore-files-nfs.java makes in or beside the folder has a name that begins so. */
  static final String OF_RESTORE = ".restore-files-nfs";

  /**
   * Names in lower case: file systems, NetApp, ZFS, Ceph, Synology, Samba, QNAP, quotas, Windows, macOS, GlusterFS,
   * JuiceFS.
   */
  private static final Set<String> OF_STORAGE =
      Set.of("lost+found", ".snapshot", "~snapshot", ".snapshots", ".zfs", ".snap", "#snapshot", "#recycle",
          ".recycle", "@eadir", "@tmp", "@recycle", "@recently-snapshot", ".@__thumb", "aquota.user", "aquota.group",
          "quota.user", "quota.group", "system volume information", "$recycle.bin", "recycler", ".trash", ".trashes",
          ".spotlight-v100", ".fseventsd", ".temporaryitems", ".documentrevisions-v100", ".trashcan", ".glusterfs");
  private static final Pattern TRASH_OF_USER = Pattern.compile("\\.trash-\\d+");
  /** An NFS client keeps a removed file under such a name, in its folder, while a program has it open. */
  private static final Pattern REMOVED_BUT_OPEN = Pattern.compile("\\.nfs[0-9a-f]{16,}");

  private FolderContents() {}

  /** True if a path below the folder is content: to be restored, removed and compared. */
  static boolean isContent(Path below) {
    return isContent(below.toString());
  }

  /** The same for a path with slashes; the folder itself, which has the empty name, is content. */
  static boolean isContent(String below) {
    var slash = below.indexOf('/');
    var top = slash < 0 ? below : below.substring(0, slash);
    return !isOfRestore(top) && !isOfStorage(top) && !isRemoved(below.substring(below.lastIndexOf('/') + 1));
  }

  private static boolean isRemoved(String name) {
    return name.startsWith(".nfs") && REMOVED_BUT_OPEN.matcher(name).matches();
  }

  static boolean isOfRestore(String top) {
    return top.startsWith(OF_RESTORE);
  }

  static boolean isOfStorage(String top) {
    var name = top.toLowerCase(Locale.ROOT);
    return OF_STORAGE.contains(name) || name.startsWith(".trash-") && TRASH_OF_USER.matcher(name).matches();
  }
}
