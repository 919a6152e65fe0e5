import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.List;
import java.util.Optional;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import java.util.stream.Stream;

/**
 * The mounts of this host, those that should be, and its exports.
 *
 * @param here the mounts that this process sees
 * @param elsewhere those of processes with mounts of their own, such as containers
 * @param wanted what /etc/fstab wants mounted
 * @param exports folders that this host exports over NFS
 */
record Mounts(List<Mount> here, List<Mount> elsewhere, List<Wanted> wanted, List<Path> exports) {
  private static final Pattern NETWORK = Pattern.compile("(nfs|fuse|smb|gfs).*|afs|ceph|cifs|lustre|ocfs2|9p|virtiofs");
  private static final String AUTOFS = "autofs";

  /**
   * A mount as {@code /proc/self/mountinfo} tells it.
   *
   * @param device the file system's number
   * @param root the folder of the file system that is mounted
   * @param point where it is mounted
   */
  record Mount(String device, Path root, Path point, String type, String source) {
    @Override
    public String toString() {
      return "%s at %s (%s)".formatted(source, point, type);
    }

    /** True if other hosts may know what is in it, by more than its name. */
    boolean isNetwork() {
      return NETWORK.matcher(type).matches();
    }
  }

  /** A line of /etc/fstab. */
  record Wanted(Path point, String source) {}

  static Mounts read() throws IOException {
    return new Mounts(parse(lines(Path.of("/proc/self/mountinfo"))), ofOtherProcesses(),
        parseFstab(lines(Path.of("/etc/fstab"))),
        Stream.of("/etc/exports", "/var/lib/nfs/etab").flatMap(file -> parseExports(lines(Path.of(file))).stream())
            .toList());
  }

  /** Only root can read those of all processes; the others are passed over. */
  private static List<Mount> ofOtherProcesses() throws IOException {
    var seen = new HashSet<String>();
    var all = new ArrayList<Mount>();
    seen.add(Files.readSymbolicLink(Path.of("/proc/self/ns/mnt")).toString());
    try (var processes = Files.newDirectoryStream(Path.of("/proc"), "[0-9]*")) {
      for (var process : processes) {
        try {
          if (seen.add(Files.readSymbolicLink(process.resolve("ns/mnt")).toString())) {
            all.addAll(parse(Files.readAllLines(process.resolve("mountinfo"))));
          }
        } catch (IOException e) {
          // another user's, or it has ended
        }
      }
    }
    return all;
  }

  static List<Mount> parse(List<String> mountinfo) {
    var mounts = new ArrayList<Mount>();
    for (var line : mountinfo) {
      var halves = line.split(" - ", 2);
      var fields = halves[0].split(" ");
      var source = halves[1].split(" ");
      mounts.add(new Mount(fields[2], path(fields[3]), path(fields[4]), source[0], unescaped(source[1])));
    }
    return mounts;
  }

  static List<Wanted> parseFstab(List<String> fstab) {
    return fstab.stream().map(String::strip).filter(line -> !line.startsWith("#")).map(line -> line.split("\\s+"))
        .filter(fields -> fields.length >= 3 && fields[1].startsWith("/"))
        .map(fields -> new Wanted(path(fields[1]).normalize(), unescaped(fields[0]))).toList();
  }

  static List<Path> parseExports(List<String> exports) {
    return exports.stream().map(line -> line.strip().replaceFirst("^\"([^\"]*)\".*|\\s.*", "$1"))
        .filter(export -> export.startsWith("/")).map(Mounts::path).toList();
  }

  private static List<String> lines(Path file) {
    try {
      return Files.exists(file) ? Files.readAllLines(file) : List.of();
    } catch (IOException e) {
      throw new Failure(Exit.UNSAFE, "cannot read %s: %s".formatted(file, Failure.of(e).getMessage()), "run as root",
          e);
    }
  }

  private static Path path(String escaped) {
    return Path.of(unescaped(escaped));
  }

  private static String unescaped(String text) {
    return Pattern.compile("\\\\([0-7]{3})").matcher(text)
        .replaceAll(m -> Matcher.quoteReplacement("" + (char) Integer.parseInt(m.group(1), 8)));
  }

  boolean isMountPoint(Path folder) {
    return here.stream().anyMatch(mount -> mount.point.equals(folder) && !mount.type.equals(AUTOFS));
  }

  /** The mount that shows the folder: of those at the longest path, the last, which hides the others. */
  Mount of(Path folder) {
    return here.stream().filter(mount -> folder.startsWith(mount.point))
        .reduce((one, other) -> other.point.getNameCount() >= one.point.getNameCount() ? other : one).orElseThrow();
  }

  /** The mount points below the folder. */
  List<Path> below(Path folder) {
    return here.stream()
        .filter(mount -> mount.point.startsWith(folder) && !mount.point.equals(folder) && !mount.type.equals(AUTOFS))
        .map(Mount::point).toList();
  }

  /** The line of /etc/fstab that wants a file system mounted where the folder is, and it is not. */
  Optional<Wanted> missing(Path folder) throws IOException {
    for (var line : wanted) {
      var point = Files.exists(line.point) ? line.point.toRealPath() : line.point;
      if (folder.startsWith(line.point) && line.point.getParent() != null && !isMountPoint(point)) {
        return Optional.of(line);
      }
    }
    return Optional.empty();
  }

  /**
   * True if the folder is known by its inode, so it must stay: on a network mount, exported, or shown at another place,
   * too.
   */
  boolean isShared(Path folder) {
    return of(folder).isNetwork() || exports.stream().anyMatch(folder::startsWith)
        || shown(folder).anyMatch(mount -> mount.root.equals(inFileSystem(folder)));
  }

  /**
   * Names a folder below that is exported or shown elsewhere: there, another folder under its name would not be seen.
   */
  Optional<String> sharedBelow(Path folder) {
    return Stream.concat(
        exports.stream().filter(export -> export.startsWith(folder) && !export.equals(folder))
            .map(export -> export + " is exported"),
        shown(folder).filter(mount -> !mount.root.equals(inFileSystem(folder)))
            .map(mount -> "%s is mounted at %s, too"
                .formatted(folder.resolve(inFileSystem(folder).relativize(mount.root)), mount.point)))
        .findFirst();
  }

  /** Other mounts of the folder, or of a folder in it. */
  private Stream<Mount> shown(Path folder) {
    var own = of(folder);
    var inside = inFileSystem(folder);
    return Stream.concat(here.stream(), elsewhere.stream())
        .filter(mount -> mount.device.equals(own.device) && mount.root.startsWith(inside)
        && !mount.point.startsWith(folder) && !(mount.root.equals(own.root) && mount.point.equals(own.point)));
  }

  private Path inFileSystem(Path folder) {
    var mount = of(folder);
    return mount.root.resolve(mount.point.relativize(folder).toString()).normalize();
  }
}
