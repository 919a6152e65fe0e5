import java.io.IOException;
import java.nio.file.AccessDeniedException;
import java.nio.file.Files;
import java.nio.file.LinkOption;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.function.Predicate;
import java.util.regex.Pattern;
import java.util.stream.Stream;

/**
 * Tells if a folder holds TheHive's attachments, {@code <folder>/attachment/<SHA-256>}, as the backup does: a typo in
 * its name must not cost another folder.
 *
 * @param hashFolders the folders of the backup that hold files named by hashes; the empty name is the backup's own
 * @param isFile true for the name of a file of the backup
 * @param isFolder true for the name of a folder of the backup
 */
record AttachmentLayout(Set<String> hashFolders, Predicate<String> isFile, Predicate<String> isFolder) {
  private static final Pattern HASH_NAME = Pattern.compile("(?i)[0-9a-f]{32,}([._-].*)?|[0-9a-f]{8}-[0-9a-f-]{27}.*");
  private static final int SAMPLE = 1000;
  private static final int FOLDERS = 20;

  /**
   * Some of what is in a live folder.
   *
   * @param files names of files in it and in the folders in it
   * @param folders names of the folders in it
   */
  record Sample(List<String> files, List<String> folders) {
    /** Looks into the expected folders first: where a folder holds very much, a sample of it may pass over them. */
    static Sample of(Path folder, Set<String> expected) throws IOException {
      var sample = new Sample(new ArrayList<>(), new ArrayList<>());
      sample.add(folder, "");
      var present = expected.stream()
          .filter(name -> !name.isEmpty() && Files.isDirectory(folder.resolve(name), LinkOption.NOFOLLOW_LINKS));
      for (var name : Stream.concat(present, sample.folders.stream()).distinct().limit(FOLDERS).toList()) {
        sample.add(folder.resolve(name), name + "/");
      }
      return sample;
    }

    private void add(Path folder, String prefix) throws IOException {
      try (var children = Files.list(folder)) {
        children.filter(child -> FolderContents.isContent(prefix + child.getFileName())).limit(SAMPLE)
            .forEach(child -> {
          if (!Files.isDirectory(child, LinkOption.NOFOLLOW_LINKS)) {
            files.add(prefix + child.getFileName());
          } else if (prefix.isEmpty()) {
            folders.add("" + child.getFileName());
          }
        });
      } catch (AccessDeniedException e) {
        if (prefix.isEmpty()) {
          throw e;
        } // a folder that may not be read says nothing about the others
      }
    }
  }

  static AttachmentLayout of(AttachmentArchive backup) {
    var folders = new HashSet<String>();
    backup.all.stream().filter(entry -> !entry.folder()).map(ArchiveEntry::name).filter(AttachmentLayout::isHash)
        .forEach(name -> folders.add(parent(name)));
    return new AttachmentLayout(folders, name -> backup.find(name) >= 0 && !backup.all.get(backup.find(name)).folder(),
        name -> backup.find(name) >= 0 && backup.all.get(backup.find(name)).folder());
  }

  static void require(Path folder, AttachmentArchive backup) throws IOException {
    var layout = of(backup);
    var sample = Sample.of(folder, layout.hashFolders);
    if (layout.isAlike(sample)) {
      return;
    }
    var tooDeep = layout.hashFolders.contains("attachment") && folder.endsWith("attachment")
        && sample.files.stream().anyMatch(name -> parent(name).isEmpty() && isHash(name));
    throw new Failure(Exit.UNSAFE, folder + " does not look like TheHive's attachments",
        (tooDeep
            ? "the backup has them in attachment/: is ATTACHMENT_FOLDER the folder above, %s? "
                .formatted(folder.getParent())
            : "check ATTACHMENT_FOLDER against storage.localfs.location; ")
            + "--allow-other-content goes on, and removes what is there");
  }

  /**
   * True if in one of its folders, or in all, a tenth of the files could be those of the backup; an empty folder may be
   * any.
   */
  boolean isAlike(Sample live) {
    if (live.files.isEmpty()) {
      return live.folders.stream().allMatch(isFolder);
    }
    var byFolder = new HashMap<String, List<String>>();
    live.files.forEach(name -> byFolder.computeIfAbsent(parent(name), any -> new ArrayList<>()).add(name));
    return isMostlyAlike(live.files)
        || byFolder.entrySet().stream().filter(folder -> hashFolders.contains(folder.getKey()))
        .map(Map.Entry::getValue).anyMatch(this::isMostlyAlike);
  }

  private boolean isMostlyAlike(List<String> names) {
    return names.stream().filter(name -> isFile.test(name) || hashFolders.contains(parent(name)) && isHash(name))
        .count() * 10 >= names.size();
  }

  private static boolean isHash(String name) {
    return HASH_NAME.matcher(name.substring(name.lastIndexOf('/') + 1)).matches();
  }

  private static String parent(String name) {
    return name.substring(0, Math.max(0, name.lastIndexOf('/')));
  }
}
