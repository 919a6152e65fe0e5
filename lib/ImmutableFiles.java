import java.io.IOException;
import java.nio.file.Path;
import java.util.List;
import java.util.regex.Pattern;

/**
 * Finds what nobody can change or remove, root neither: files with the attributes "immutable" or "append only" of
 * chattr.
 */
final class ImmutableFiles {
  private static final Pattern LINE = Pattern.compile("([-A-Za-z]*[ia][-A-Za-z]*)\\s+(/.*)");
  private static final int NAMED = 5;

  private ImmutableFiles() {}

  /** Refuses a folder that holds such content, or that is such a folder itself. */
  static void require(AttachmentFolder target) throws IOException {
    if (!target.isStagedInside()) {
      requireItself(target.folder().getParent());
    }
    requireItself(target.folder());
    if (hasAttributes(target.folder())) {
      refuse(find(List.of("lsattr", "-Ra", target.folder().toString()), target.folder()), target.folder());
    }
  }

  /** False where the file system knows no attributes: on NFS lsattr would open each file in vain. */
  private static boolean hasAttributes(Path folder) {
    try {
      return SystemCommand.lines(lines -> lines.findAny().isPresent(), "lsattr", "-d", folder.toString());
    } catch (IOException e) {
      return false; // this host has no lsattr
    }
  }

  /** Refuses a folder that is protected, whatever is in it. */
  static void requireItself(Path folder) throws IOException {
    refuse(find(List.of("lsattr", "-d", folder.toString()), folder), folder);
  }

  private static void refuse(List<Path> found, Path folder) {
    if (!found.isEmpty()) {
      throw new Failure(Exit.UNSAFE,
          "cannot be changed or removed, because chattr protects it (+i or +a): " + found.get(0)
              + (found.size() > 1 ? " and others" : ""),
          "chattr -R -i -a %s".formatted(found.size() > 1 ? folder : found.get(0)));
    }
  }

  /** Nothing where the host has no lsattr. */
  private static List<Path> find(List<String> command, Path folder) {
    try {
      return SystemCommand.lines(
          lines -> lines.map(LINE::matcher).filter(line -> line.matches())
              .map(line -> Path.of(line.group(2)).normalize())
              .filter(path -> !path.startsWith(folder) || FolderContents.isContent(folder.relativize(path))).distinct()
              .limit(NAMED).toList(),
          command.toArray(String[]::new));
    } catch (IOException e) {
      return List.of();
    }
  }
}
