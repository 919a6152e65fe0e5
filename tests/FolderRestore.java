import static java.nio.charset.StandardCharsets.UTF_8;
import static org.assertj.core.api.Assertions.assertThat;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import java.io.IOException;
import java.io.RandomAccessFile;
import java.nio.file.FileVisitResult;
import java.nio.file.Files;
import java.nio.file.LinkOption;
import java.nio.file.Path;
import java.nio.file.SimpleFileVisitor;
import java.nio.file.attribute.BasicFileAttributes;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.HexFormat;
import java.util.List;
import java.util.Map;
import java.util.SortedMap;
import java.util.TreeMap;
import java.util.stream.Stream;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.io.TempDir;

/**
 * What tests of restores into a folder share: a folder, its backups, damage, mounts, and what must be true afterwards.
 */
abstract class FolderRestore {
  static final String SCRIPT = "restore-files-nfs.java";
  static final String STAMP = "20260131_23h05m09s";
  static final String ROOT = "files_" + STAMP;

  /** Beside the attachment folder, so that a test sees whatever is left there. */
  @TempDir Path home;
  Path live;
  Path archives;
  final List<Path> mounts = new ArrayList<>();

  @BeforeAll
  static void build() {
    assertThat(Script.of(SCRIPT).args("--version").run().code()).isZero();
  }

  @BeforeEach
  void makeFolders() throws IOException {
    live = home.resolve("files");
    archives = Files.createDirectory(home.resolve("storage"));
  }

  @AfterEach
  void unmount() {
    mounts.forEach(mount -> sh("umount -l '%s' || true".formatted(mount))); // where a test has not done so
  }

  /**
   * n attachments named by their hash, a dot file, a folder with a file and a link, modes, owners and times of their
   * own.
   */
  static void attachments(Path folder, int n) throws IOException {
    Attachments.writeAll(folder, n);
    sh("""
        cd %s; echo hidden > .dot; mkdir -p folder/empty; echo deep > folder/file; ln -s ../.dot folder/link
        chown 1234:4321 .dot 2>/dev/null; chmod 640 .dot; chmod 2750 folder; touch -d '2020-02-03 04:05:06' .dot folder
        """.formatted(folder));
  }

  /** What an archive has to put right: 2 files are missing, 4 are different, 3 are too many. */
  void damage() throws IOException {
    sh("""
        cd %s; set -- attachment/*; rm $1 $2; printf x >> $3; [ -f .dot ] || exit 0
        chmod 600 .dot; rm folder/link; ln -s /etc folder/link; touch extra .hidden-extra; mkdir -p deep/er; touch deep/er/x
        chmod 700 folder; dd if=/dev/zero of=folder/file bs=1 count=5 conv=notrunc 2>/dev/null
        """.formatted(live));
  }

  Path backUp(String type) throws IOException {
    var made = HotBackup.files(live, home, STAMP);
    if (type.equals("tar")) {
      return made;
    }
    sh((type.equals("tar.gz") ? "gzip " : "zstd -q --rm ") + made);
    return made.resolveSibling(ROOT + "." + type);
  }

  /** Those arguments that are not blank. */
  Restore restore(String... args) {
    return new Restore(args);
  }

  /** A restore, which is held against verify.java however it is started: see {@link Agreement}. */
  final class Restore {
    private final List<String> args;
    private final Map<String, String> environment = new TreeMap<>(settings());
    private List<String> around = List.of();
    private boolean terminal;

    Restore(String... args) {
      this.args = Stream.of(args).filter(arg -> arg != null && !arg.isEmpty()).toList();
    }

    Restore env(String name, String value) {
      environment.put(name, value);
      return this;
    }

    Restore onTerminal() {
      terminal = true;
      return this;
    }

    /** On a host whose mounts a line of shell changes; verify.java is run on this one. */
    Restore inOwnMounts(String mounts) {
      assumeTrue(sh("unshare -m true 2>&1 || echo no").isEmpty(), "mounts of one's own need root and CAP_SYS_ADMIN");
      around = List.of("unshare", "-m", "sh", "-ec", mounts + "; exec \"$@\"", "sh");
      return this;
    }

    /** As root without a right that root has; verify.java is run with all. */
    Restore withoutRights(String right) {
      assumeTrue(sh("id -u").equals("0"), "only root has rights to lose");
      around = List.of("setpriv", "--bounding-set", "-" + right, "--inh-caps", "-" + right);
      return this;
    }

    Script.Running start() {
      return script().start();
    }

    Script.Result run() {
      return script().run();
    }

    private Script script() {
      var script = Script.of(SCRIPT).args(args.toArray(String[]::new)).env(environment).timeout(Duration.ofMinutes(8))
          .around(around.toArray(String[]::new));
      return Agreement.held(terminal ? script.onTerminal() : script, "files");
    }
  }

  Map<String, String> settings() {
    return Map.of("ATTACHMENT_FOLDER", live.toString(), "GENERAL_ARCHIVE_PATH", archives.toString());
  }

  Script.Result verifyFiles() {
    return Script.of("verify.java").args("--only", "files").env(settings()).env("CASSANDRA_CONNECTION", "127.0.0.1")
        .run();
  }

  /** An /etc/exports of its own, over the host's /etc. */
  String exporting(String line) throws IOException {
    Files.writeString(home.resolve("exports"), line + "\n");
    var over = Files.createDirectory(home.resolve("etc"));
    return ("mount -t tmpfs none %1$s; mkdir %1$s/up %1$s/work; mount -t overlay none -o"
        + " lowerdir=/etc,upperdir=%1$s/up,workdir=%1$s/work /etc; cp %2$s/exports /etc").formatted(over, home);
  }

  /**
   * A PATH on which sync does something else at its nth call after the one before the first write: the moment between
   * two steps.
   */
  String atFlush(int nth, String what) throws IOException {
    var bin = Files.createDirectories(home.resolve("bin"));
    Files.writeString(bin.resolve("sync"), "#!/bin/sh\necho >> %s/flushes\n[ $(wc -l < %s/flushes) != %d ] || { %s\n}\n"
        .formatted(bin, bin, nth + 1, what));
    sh("chmod +x %s/sync".formatted(bin));
    return bin + ":" + System.getenv("PATH");
  }

  /** A file system of its own that is mounted at the attachment folder, and still there when that mount is gone. */
  Path mountServer() throws IOException {
    var server = Files.createDirectory(home.resolve("server"));
    Files.createDirectories(live);
    assumeTrue(sh("mount -t tmpfs none %s 2>&1 || echo no".formatted(server)).isEmpty(),
        "mounting needs root and CAP_SYS_ADMIN");
    mounts.add(server);
    bind(server);
    return server;
  }

  void bind(Path server) {
    assertThat(sh("mount --bind %s %s".formatted(server, live))).isEmpty();
    mounts.add(live);
  }

  void assertEndsExactly(Map<String, String> original) throws IOException {
    var again = restore("--yes").run();
    assertThat(again.code()).as(again.err()).isZero();
    var restored = tree(live, false);
    restored.keySet().removeIf(name -> name.startsWith(".restore-files-nfs"));
    assertThat(restored).isEqualTo(original);
    assertNothingLeft();
    assertThat(archives.resolve("restore-files-nfs.unfinished")).doesNotExist();
  }

  void mountTmpfs(String size) throws IOException {
    Files.createDirectories(live);
    assumeTrue(sh("mount -t tmpfs -o size=%s none %s 2>&1 || echo no".formatted(size, live)).isEmpty(),
        "mounting needs root and CAP_SYS_ADMIN");
    mounts.add(live);
  }

  static void assumeSshfs() {
    assumeTrue(sh("command -v sshfs || true").length() > 0 && Files.exists(Path.of("/usr/lib/openssh/sftp-server")),
        "no sshfs: apt-get install sshfs openssh-sftp-server");
    assumeTrue(Files.exists(Path.of("/dev/fuse")), "no /dev/fuse");
  }

  void mountSshfs(Path server) throws IOException {
    mountSshfs(server, "");
  }

  void mountSshfs(Path server, String as) throws IOException {
    Files.createDirectories(live);
    var ssh = home.resolve("ssh");
    Files.writeString(ssh,
        "#!/bin/sh\necho $$ > %s/sftp.pid\nexec %s/usr/lib/openssh/sftp-server\n".formatted(home, as));
    sh("chmod +x %s".formatted(ssh));
    var mounted = sh("sshfs -o ssh_command=%s nas:%s %s 2>&1 || echo no".formatted(ssh, server, live));
    assumeTrue(mounted.isEmpty(), "sshfs cannot mount here: " + mounted);
    mounts.add(live);
  }

  void assertRefused(Script.Result result, int code, String why) {
    assertThat(result.code()).as(result.err()).isEqualTo(code);
    assertThat(result.out()).isEqualTo("=== ✗ ERROR - attachments: exit %d ===\n".formatted(code));
    assertThat(result.err()).contains("error: ").contains(why).doesNotContain("Exception");
  }

  void assertNothingLeft() throws IOException {
    assertThat(list(home)).noneMatch(path -> path.getFileName().toString().contains(".restore-files-nfs"));
    try (var all = Files.walk(live)) {
      assertThat(all.filter(path -> path.getFileName().toString().startsWith(".restore-files-nfs"))
          .filter(path -> !Files.isDirectory(path))).isEmpty();
    }
  }

  /**
   * Every old file is in the folder or where the old tree waits, or every new one in the folder or where the new waits.
   */
  void assertOldOrNew(String when, SortedMap<String, String> old, SortedMap<String, String> fresh) throws IOException {
    var inside = live.resolve(".restore-files-nfs");
    var work = mounts.isEmpty() ? home.resolve(".files.restore-files-nfs") : inside;
    var folder = Files.exists(live) ? names(tree(live, false)) : new TreeMap<String, String>();
    folder.keySet().removeIf(name -> name.startsWith(".restore-files-nfs"));
    var haveOld = new TreeMap<>(folder);
    for (var name : List.of("old", "previous")) {
      haveOld.putAll(names(tree(work.resolve(name), false)));
    }
    var haveNew = new TreeMap<>(folder);
    haveNew.putAll(names(tree(work.resolve("new"), false)));
    assertThat(haveOld.entrySet().containsAll(names(old).entrySet())
        || haveNew.entrySet().containsAll(names(fresh).entrySet()))
        .as("neither the old nor the new tree is complete after %s", when).isTrue();
    if (mounts.isEmpty() && Files.exists(live)) {
      assertThat(folder).as("a folder that is renamed is one of the two, after %s", when).isIn(names(old),
          names(fresh));
    }
  }

  /** Names and contents of files only. */
  static SortedMap<String, String> names(Map<String, String> tree) {
    var files = new TreeMap<>(tree);
    files.values().removeIf(entry -> !entry.startsWith("-"));
    files.replaceAll((name, entry) -> entry.replaceFirst("^(- \\d+ \\w+).*", "$1"));
    return files;
  }

  /**
   * Everything below a folder by its name: type, mode and content, and when asked for owner and time (to the second).
   */
  static SortedMap<String, String> tree(Path folder, boolean attributes) throws IOException {
    var tree = new TreeMap<String, String>();
    if (!Files.exists(folder)) {
      return tree;
    }
    Files.walkFileTree(folder, new SimpleFileVisitor<>() {
      @Override
      public FileVisitResult preVisitDirectory(Path path, BasicFileAttributes is) throws IOException {
        return visitFile(path, is);
      }

      @Override
      public FileVisitResult visitFile(Path path, BasicFileAttributes is) throws IOException {
        var text =
            is.isDirectory() ? "d" : is.isSymbolicLink() ? "l " + Files.readSymbolicLink(path) : "- " + hash(path);
        var unix = Files.readAttributes(path, "unix:mode,uid,gid,lastModifiedTime", LinkOption.NOFOLLOW_LINKS);
        if (attributes) {
          text += " %o %s:%s".formatted((int) unix.get("mode"), unix.get("uid"), unix.get("gid"));
          text += is.isSymbolicLink() ? "" : " " + is.lastModifiedTime().toMillis() / 1000;
        }
        tree.put(folder.relativize(path).toString(), text);
        return FileVisitResult.CONTINUE;
      }
    });
    return tree;
  }

  static String hash(Path file) throws IOException {
    return Files.size(file) + " " + Attachments.id(Files.readAllBytes(file)).substring(0, 16);
  }

  /** Where the last member of a tar ends and only the closing zeros are left. */
  static long membersEnd(Path tar) throws IOException {
    try (var file = new RandomAccessFile(tar.toFile(), "r")) {
      var block = new byte[512];
      var end = file.length();
      for (var zeros = HexFormat.of().parseHex("00".repeat(512)); end > 0; end -= 512) {
        file.seek(end - 512);
        file.readFully(block);
        if (!Arrays.equals(block, zeros)) {
          return end;
        }
      }
      return end;
    }
  }

  static List<Path> list(Path folder) throws IOException {
    try (var files = Files.list(folder)) {
      return files.sorted().toList();
    }
  }

  /**
   * A line of shell; its output without the last line break. One that fails fails the test: what may fail ends in ||
   * true or || echo no.
   */
  static String sh(String script) {
    try {
      var process = new ProcessBuilder("bash", "-c", script).redirectErrorStream(true).start();
      var output = new String(process.getInputStream().readAllBytes(), UTF_8).strip();
      if (process.waitFor() != 0) {
        throw new IllegalStateException("exit %d of %s%n%s".formatted(process.exitValue(), script, output));
      }
      return output;
    } catch (IOException | InterruptedException e) {
      throw new IllegalStateException(script, e);
    }
  }
}
