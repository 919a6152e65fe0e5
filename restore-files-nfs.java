///usr/bin/env jbang "$0" "$@" ; exit $?
//DESCRIPTION Restores TheHive's attachments on NFS or a local folder from a hot backup
//JAVA 17+
//DEPS com.fasterxml.jackson.core:jackson-databind:2.23.0
//DEPS com.github.luben:zstd-jni:1.5.7-28 // for .tar.zst, and for SSTables compressed with Zstd
//DEPS commons-io:commons-io:2.22.0
//DEPS info.picocli:picocli:4.7.7
//DEPS me.tongfei:progressbar:0.10.2
//DEPS net.lingala.zip4j:zip4j:2.11.6
//DEPS org.apache.commons:commons-compress:1.28.0
// Of the classes below the marker, written by ./jbang lib/embed.java:
//COMPILE_OPTIONS -encoding UTF-8
//JAVA_OPTIONS -Xmx256m -XX:+UseSerialGC -XX:TieredStopAtLevel=1
//JAVA_OPTIONS -XX:+IgnoreUnrecognizedVMOptions --enable-native-access=ALL-UNNAMED --sun-misc-unsafe-memory-access=allow
//JAVA_OPTIONS -Dfile.encoding=UTF-8 -Dstdout.encoding=UTF-8 -Dstderr.encoding=UTF-8 -Djdk.console=java.base

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.SerializationFeature;
import com.fasterxml.jackson.databind.cfg.EnumFeature;
import com.fasterxml.jackson.databind.json.JsonMapper;
import com.fasterxml.jackson.databind.node.ObjectNode;
import java.io.BufferedInputStream;
import java.io.Closeable;
import java.io.EOFException;
import java.io.File;
import java.io.IOException;
import java.io.InputStream;
import java.io.UncheckedIOException;
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse;
import java.nio.ByteBuffer;
import java.nio.channels.Channels;
import java.nio.channels.FileChannel;
import java.nio.charset.CharacterCodingException;
import java.nio.charset.StandardCharsets;
import java.nio.file.AccessDeniedException;
import java.nio.file.AccessMode;
import java.nio.file.DirectoryNotEmptyException;
import java.nio.file.FileSystemException;
import java.nio.file.FileSystems;
import java.nio.file.FileVisitResult;
import java.nio.file.Files;
import java.nio.file.InvalidPathException;
import java.nio.file.LinkOption;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.nio.file.SimpleFileVisitor;
import java.nio.file.StandardCopyOption;
import java.nio.file.StandardOpenOption;
import java.nio.file.attribute.BasicFileAttributes;
import java.nio.file.attribute.FileTime;
import java.nio.file.attribute.GroupPrincipal;
import java.nio.file.attribute.PosixFileAttributeView;
import java.nio.file.attribute.PosixFileAttributes;
import java.nio.file.attribute.PosixFilePermissions;
import java.nio.file.attribute.UserPrincipal;
import java.nio.file.attribute.UserPrincipalLookupService;
import java.security.GeneralSecurityException;
import java.security.KeyStore;
import java.security.cert.CertificateException;
import java.security.cert.CertificateFactory;
import java.text.DecimalFormat;
import java.time.Duration;
import java.time.Instant;
import java.time.LocalDateTime;
import java.time.format.DateTimeFormatter;
import java.time.format.DateTimeParseException;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.BitSet;
import java.util.Collections;
import java.util.Comparator;
import java.util.HashMap;
import java.util.HashSet;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Objects;
import java.util.Optional;
import java.util.Set;
import java.util.TreeSet;
import java.util.concurrent.Callable;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionException;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.ConcurrentSkipListMap;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.TimeoutException;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.concurrent.atomic.AtomicLong;
import java.util.concurrent.atomic.AtomicReference;
import java.util.function.Consumer;
import java.util.function.Function;
import java.util.function.IntPredicate;
import java.util.function.LongSupplier;
import java.util.function.Supplier;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import java.util.stream.Collectors;
import java.util.stream.IntStream;
import java.util.stream.Stream;
import javax.net.ssl.KeyManager;
import javax.net.ssl.SSLContext;
import javax.net.ssl.SSLException;
import javax.net.ssl.TrustManager;
import javax.net.ssl.TrustManagerFactory;
import javax.net.ssl.X509TrustManager;
import me.tongfei.progressbar.DelegatingProgressBarConsumer;
import me.tongfei.progressbar.ProgressBar;
import me.tongfei.progressbar.ProgressBarBuilder;
import me.tongfei.progressbar.ProgressBarStyle;
import net.lingala.zip4j.ZipFile;
import net.lingala.zip4j.exception.ZipException;
import net.lingala.zip4j.model.FileHeader;
import org.apache.commons.compress.archivers.tar.TarArchiveEntry;
import org.apache.commons.compress.archivers.tar.TarArchiveInputStream;
import org.apache.commons.compress.archivers.tar.TarConstants;
import org.apache.commons.compress.compressors.gzip.GzipCompressorInputStream;
import org.apache.commons.compress.compressors.zstandard.ZstdCompressorInputStream;
import org.apache.commons.io.IOUtils;
import org.apache.commons.io.input.BoundedInputStream;
import org.apache.commons.io.input.CloseShieldInputStream;
import picocli.CommandLine.ArgGroup;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.ScopeType;
import picocli.CommandLine.Spec;
import picocli.CommandLine;

/**
 * Step 3 of "Restore a hot backup on a cluster" where attachments are files: brings back ATTACHMENT_FOLDER exactly as
 * it was, straight from the archive. Everything else in that folder goes. TheHive must be stopped on every node.
 *
 * <pre>ATTACHMENT_FOLDER=/opt/thp/thehive/files ./restore-files-nfs.java --dry-run</pre>
 */
@Command(
    name = "restore-files-nfs.java",
    description = "Restores TheHive's attachments on NFS or a local folder from a hot backup.",
    version = "1.0.0",
    mixinStandardHelpOptions = true,
    sortOptions = false,
    abbreviateSynopsis = true,
    usageHelpAutoWidth = true)
class RestoreFilesNfs implements Callable<Integer> {
  static final String SCRIPT = "restore-files-nfs";
  static final Set<String> TYPES = new TreeSet<>(Set.of("tar", "zip", "tar.gz", "tar.zst"));

  @Option(names = "--backup", paramLabel = "POINT",
      description = "timestamp, backup's name or path (the newest)")
  String wanted;

  @Option(names = "--max-gap", paramLabel = "DURATION", defaultValue = "PT15M",
      description = "longest time between the backups (${DEFAULT-VALUE})")
  Duration maxGap;

  @Option(names = "--in-place", description = "write only what differs, into the live folder: needs no room for a second tree")
  boolean inPlace;

  @Option(names = "--keep-previous", description = "leave the old tree beside the restored one")
  boolean keepPrevious;

  @Option(names = "--max-delete", paramLabel = "PERCENT", defaultValue = "50",
      description = "ask again before removing more than this part of what is there (${DEFAULT-VALUE})")
  int maxDelete;

  @Option(names = "--any-folder", description = "go on although the folder is missing, not mounted or unlike attachments, or the backup empty")
  boolean anyFolder;

  @Option(names = "--workers", paramLabel = "N", defaultValue = "8", description = "files side by side (${DEFAULT-VALUE})")
  int workers;

  @Option(names = "--json", description = "print the result as JSON")
  boolean json;

  @Mixin RestoreConsole console = new RestoreConsole();

  @ArgGroup(validate = false, heading = "Attachments in a folder:%n")
  FolderOptions options = new FolderOptions();

  @Spec CommandSpec command;

  public static void main(String[] args) {
    System.exit(commandLine(new RestoreFilesNfs()).execute(args));
  }

  static CommandLine commandLine(RestoreFilesNfs script) {
    return new CommandLine(script).setUsageHelpLongOptionsMaxWidth(24)
        .setExecutionExceptionHandler((thrown, line, parsed) -> script.failed(Failure.of(thrown)));
  }

  @Override
  public Integer call() throws IOException {
    checkOptions();
    var attributes = new Attributes(Principals.parse(Optional.ofNullable(options.owner)));
    console.requireTheHiveStopped(TheHiveSettings.of(Settings.fromEnvironment()));
    var backup = BackupSet.choose(Path.of(options.archives), Set.of("files"), TYPES, wanted, maxGap);
    console.step("Restoring attachments from %s, taken %s", backup.file(), backup.age());
    try (var report = new RestoreRun(CommonSettings.of(Settings.fromEnvironment()).stateFolder(Path.of(options.archives)), SCRIPT, console.dryRun);
        var lanes = new Workers(workers);
        var members = new Members(backup.file(), OldSettings.secret("BACKUP_PASSWORD"))) {
      var target = Target.check(options.folder, backup.file(), anyFolder, console);
      var tree = new Tree(members, target, attributes, lanes, console);
      var swap = Swap.of(tree, keepPrevious);
      swap.recover();
      if (!anyFolder) {
        target.requireAttachments(members);
      }
      var plan = plan(tree);
      console.confirm(plan.lines(console.dryRun ? "Would" : "Will"), target.folder().toString());
      if (console.dryRun) {
        console.step("Dry run: every check passed, nothing was changed.");
        return finish(Json.MAPPER.valueToTree(plan.summary()), "Would restore " + plan.counted());
      }
      confirmRemoval(plan.differences);
      target.requireMounted(Exit.UNSAFE); // the answer may have come late
      return finish(carryOut(plan, swap, report), "Restored " + plan.counted());
    }
  }

  private void checkOptions() {
    OldSettings.refuseBlank(command);
    if (inPlace && keepPrevious) {
      throw new Failure(Exit.USAGE, "--in-place keeps no previous tree", "leave out --keep-previous");
    }
    if (workers < 1 || workers > 256) {
      throw new Failure(Exit.USAGE, "--workers %d is not between 1 and 256".formatted(workers), null);
    }
    if (maxDelete < 0 || maxDelete > 100) {
      throw new Failure(Exit.USAGE, "--max-delete " + maxDelete + " is not within 0 to 100", null);
    }
  }

  private Plan plan(Tree tree) throws IOException {
    if (tree.members.leftover) {
      console.warn("the backup holds what an interrupted restore had left (%s...): passed over", Members.LEFTOVER);
    }
    tree.attributes.readLive(tree.folder());
    tree.attributes.warnOfOtherOwner(tree.members, console);
    if (!inPlace) {
      tree.target.requireRoom(tree.members);
    }
    return new Plan(tree, inPlace, keepPrevious, inPlace || console.dryRun ? tree.compare() : tree.compareNames());
  }

  /** The classic way to lose a folder is to name the wrong one. */
  private void confirmRemoval(Differences differences) {
    var all = differences.there + differences.extra;
    if (keepPrevious || differences.extra * 100L <= (long) maxDelete * all) {
      return;
    }
    var what = "%d of the folder's %d files are not in the backup and would be removed".formatted(differences.extra, all);
    var hint = "is it the right folder and backup? %s--max-delete 100 removes them".formatted(inPlace ? "" : "--keep-previous keeps them, ");
    if (!console.terminal) {
      throw new Failure(Exit.DECLINED, what + ", nothing was changed", hint);
    }
    if (!("" + differences.extra).equals(System.console().readLine("%n%s.%nType their number to remove them: ", what))) {
      throw new Failure(Exit.DECLINED, "not confirmed, nothing was changed", hint);
    }
  }

  private JsonNode carryOut(Plan plan, Swap swap, RestoreRun report) throws IOException {
    plan.tree.tellOldErrors();
    var before = report.unfinished().has("unfinished");
    try {
      if (inPlace) {
        report.begin(Set.of("files"));
        new InPlace(plan.tree, plan.differences).restore();
      } else {
        swap.stage();
        report.begin(Set.of("files"));
        swap.exchange();
        swap.finish();
      }
    } catch (IOException | RuntimeException e) {
      var failure = explained(e, plan.tree.target);
      var untouched = failure.code != Exit.PARTIAL && !before;
      report.end(failure.code, untouched ? Set.of("files") : Set.of(), Map.of("error", failure.getMessage()));
      throw failure;
    }
    plan.tree.attributes.warnOfUnset(console);
    var file = report.end(Exit.DONE, Set.of("files"), plan.summary());
    console.step("Report: %s", file);
    console.step("Next: when Cassandra and Elasticsearch are restored too: ./jbang verify.java --exact --skip services,logs, then ./jbang service-control.java start");
    return Json.MAPPER.readTree(file.toFile());
  }

  /** What the file system said, with the file's name, and in which state that leaves the folder. */
  private Failure explained(Exception thrown, Target target) {
    var failure = Failure.of(thrown);
    if (failure.code == Exit.PARTIAL) {
      return failure;
    }
    if (inPlace && target.isGone()) {
      return target.gone(Exit.PARTIAL);
    }
    var known = failure.code != Exit.UNEXPECTED;
    var message = (known || failure.getCause() instanceof FileSystemException ? "" : target.folder() + ": ") + failure.getMessage()
        + (!known && target.isGone() ? " (its file system is no longer mounted or does not answer)" : "");
    if (inPlace) {
      var hint = target.folder() + " is mixed now: keep TheHive stopped, and run the same command again when the cause is gone";
      return new Failure(Exit.PARTIAL, message, hint, thrown);
    }
    var hint = target.folder() + " is as it was before" + (known && failure.hint != null ? "; " + failure.hint : "");
    return new Failure(known ? failure.code : Exit.UNSAFE, message, hint, thrown);
  }

  private int finish(JsonNode report, String line) throws IOException {
    System.out.println(json ? Json.MAPPER.writeValueAsString(report) : line);
    return Exit.DONE;
  }

  private int failed(Failure thrown) {
    // A handle that is stale, a server that does not answer a soft mount.
    var failure = thrown.code == Exit.UNEXPECTED && thrown.getCause() instanceof FileSystemException
        ? new Failure(Exit.UNSAFE, thrown.getMessage(), "is its file system mounted, and does it answer? unmount it and mount it again", thrown) : thrown;
    if (json) {
      System.out.println(Json.MAPPER.createObjectNode().put("script", SCRIPT).put("exit", failure.code)
          .put("error", failure.getMessage()).put("hint", failure.hint).toPrettyString());
    }
    return console.error("", failure);
  }

  /** What will be done; the dry run shows the very one that a real run carries out. */
  record Plan(Tree tree, boolean inPlace, boolean keepPrevious, Differences differences) {
    List<String> lines(String verb) {
      var lines = new ArrayList<>(List.of("", tree.folder() + ":", "  " + verb + " restore " + counted()));
      if (inPlace) {
        lines.add("  " + verb + " write into the live folder, which is mixed until the end");
      } else {
        lines.add("  %s stage all of it in %s, then swap%s".formatted(verb, tree.target.work(),
            tree.target.inside() ? ", entry by entry, because the folder itself stays" : ""));
        lines.add("  " + verb + (keepPrevious ? " keep the old tree" : " remove the old tree"));
      }
      lines.add("  " + verb + " " + tree.attributes.owners(tree.members));
      if (OldSettings.variable("THEHIVE_NODES").isEmpty()) {
        lines.add("  whether TheHive is stopped was asked of this host only: THEHIVE_NODES names no other");
      }
      lines.add("");
      return lines;
    }

    String counted() {
      return "%d files, %s: %s".formatted(tree.members.files, Console.size(tree.members.bytes),
          inPlace ? differences.written() : differences.replaced());
    }

    Map<String, Object> summary() {
      var all = new LinkedHashMap<String, Object>();
      all.put("backup", tree.members.archive.path.toString());
      all.put("folder", tree.folder().toString());
      all.put("mode", inPlace ? "in-place" : "staged");
      all.put("files", tree.members.files);
      all.put("bytes", tree.members.bytes);
      all.put("new", differences.fresh);
      all.put("there", differences.there);
      differences.same.ifPresent(same -> {
        all.put("changed", differences.there - same);
        all.put("unchanged", same);
      });
      all.put("removed", differences.extra);
      all.put("notSet", tree.attributes.unset);
      return all;
    }
  }

  /**
   * What differs between the backup and the live folder: files that are not there, are there, are too many.
   *
   * @param same how many of those there are the same, where that was looked at
   * @param write members whose content is to be written
   * @param touch those of which only owner, mode or time differ
   */
  record Differences(int fresh, int there, int extra, Optional<Integer> same, BitSet write, BitSet touch) {
    String written() {
      return "%d new, %d changed, %d unchanged, %d removed".formatted(fresh, there - same.get(), same.get(), extra);
    }

    /** Of a staged restore, which replaces what is the same, too; only a dry run takes the time to look. */
    String replaced() {
      return "%d new, %d replaced%s, %d removed".formatted(fresh, there,
          same.map(same -> " (%d changed, %d unchanged)".formatted(there - same, same)).orElse(""), extra);
    }
  }

  // ------------------------------------------------------------------------------------------------------------ folder

  static final class FolderOptions {
    @Option(names = "--folder", paramLabel = "DIR", defaultValue = "${env:ATTACHMENT_FOLDER:-/opt/thp/thehive/files}",
        description = "(ATTACHMENT_FOLDER, ${DEFAULT-VALUE})")
    String folder;

    @Option(names = "--archives", paramLabel = "DIR", defaultValue = "${env:GENERAL_ARCHIVE_PATH:-/mnt/backup/storage}",
        description = "(GENERAL_ARCHIVE_PATH, ${DEFAULT-VALUE})")
    String archives;

    @Option(names = "--owner", paramLabel = "USER[:GROUP]", defaultValue = "${env:ATTACHMENT_OWNER}",
        description = "instead of the backup's (ATTACHMENT_OWNER)")
    String owner;
  }

  /**
   * The folder to be restored.
   *
   * @param inside whether a second tree is staged inside it, not beside, and what is in it swapped: it is a mount point,
   *     its parent is not writable, or other hosts know it by more than its name
   * @param work where a second tree is staged, on the same file system
   * @param device the file system's number
   */
  record Target(Path folder, boolean inside, Path work, boolean missing, Object device) {
    private static final String OWN = Members.LEFTOVER;
    /** What the file system or the storage keeps at the top of an export or mount, and lets nobody rename or remove. */
    static final Set<String> OF_STORAGE = Set.of("lost+found", ".snapshot", ".snapshots", ".zfs", "#snapshot", "#recycle", "@eaDir");
    private static final Pattern HASH_NAME = Pattern.compile("(?i)[0-9a-f]{32,}([._-].*)?|[0-9a-f]{8}-[0-9a-f-]{27}.*");

    /** Every check that can be made without the backup; nothing is changed by it. */
    static Target check(String name, Path backup, boolean any, RestoreConsole console) throws IOException {
      var named = Path.of(name).toAbsolutePath().normalize();
      var missing = !Files.exists(named); // also mounts what is mounted on access
      var given = missing ? followed(named) : named;
      if (given.getParent() == null) {
        throw new Failure(Exit.USAGE, "ATTACHMENT_FOLDER is /", "name TheHive's storage.localfs.location");
      }
      Mounts.requireMounted(given, any, console);
      if (!Files.isDirectory(given.getParent())) {
        throw new Failure(Exit.UNSAFE, "there is no folder " + given, "check ATTACHMENT_FOLDER; is its file system mounted?");
      }
      var folder = missing ? given.getParent().toRealPath().resolve(given.getFileName()) : given.toRealPath();
      Mounts.requireMounted(folder, any, console);
      if (!missing && !Files.isDirectory(folder)) {
        throw new Failure(Exit.UNSAFE, given + " is no folder", "check ATTACHMENT_FOLDER");
      }
      var parent = folder.getParent();
      if (parent == null || backup.toRealPath().startsWith(folder)) {
        throw new Failure(Exit.USAGE, "the backups lie in the folder that is to be restored, " + folder, "check ATTACHMENT_FOLDER and GENERAL_ARCHIVE_PATH");
      }
      var beside = parent.resolve("." + folder.getFileName() + OWN);
      if (missing && !there(beside) && !any) {
        throw new Failure(Exit.UNSAFE, "there is no folder " + folder, "create or mount it; --any-folder creates it");
      }
      requireWritable(missing ? parent : folder);
      var device = Files.getAttribute(missing ? parent : folder, "unix:dev");
      var inside = !missing && (Mounts.points().contains(folder) || !Files.isWritable(parent)
          || !device.equals(Files.getAttribute(parent, "unix:dev")) || Mounts.isShared(folder));
      var target = new Target(folder, inside, inside ? folder.resolve(OWN) : beside, missing, device);
      for (var point : Mounts.points()) {
        if (point.startsWith(folder) && !point.equals(folder) && target.isContent(folder.resolve(folder.relativize(point).getName(0)))) {
          throw otherFileSystem(point);
        }
      }
      var other = inside ? beside : folder.resolve(OWN);
      if (there(other)) {
        throw new Failure(Exit.UNSAFE, "%s holds trees of a restore of another kind, from another host or as another user".formatted(other),
            "run it there again if it is unfinished; trees that were kept move or remove");
      }
      return target;
    }

    /** Where links lead, though what they lead to is missing: a swap may have been killed between its two renames. */
    private static Path followed(Path path) throws IOException {
      for (int links = 0; links < 40 && Files.isSymbolicLink(path); links++) {
        path = path.getParent().toRealPath().resolve(Files.readSymbolicLink(path)).normalize();
      }
      return path;
    }

    private static void requireWritable(Path folder) throws IOException {
      try {
        folder.getFileSystem().provider().checkAccess(folder, AccessMode.WRITE);
      } catch (AccessDeniedException e) {
        throw notWritable(folder, e);
      } catch (FileSystemException e) {
        throw new Failure(Exit.UNSAFE, "cannot write to %s: %s".formatted(folder, e.getReason()), "is it mounted read-write?", e);
      }
    }

    static Failure notWritable(Path folder, AccessDeniedException cause) {
      return new Failure(Exit.UNSAFE, "cannot write to " + folder, "run as root, or where root is squashed as the folder's owner", cause);
    }

    /** A network mount that broke may be gone altogether, and the empty mount point be what is seen in its place. */
    boolean isGone() {
      try {
        return !device.equals(Files.getAttribute(inside ? folder : folder.getParent(), "unix:dev"));
      } catch (IOException e) {
        return true;
      }
    }

    /** What is mounted inside is not to be emptied along with the folder. */
    void requireSameFileSystem(Path path) throws IOException {
      if (!device.equals(Files.getAttribute(path, "unix:dev", LinkOption.NOFOLLOW_LINKS))) {
        throw otherFileSystem(path);
      }
    }

    private static Failure otherFileSystem(Path path) {
      return new Failure(Exit.UNSAFE, "something else is mounted inside the folder, at " + path, "unmount it");
    }

    void requireMounted(int code) {
      if (isGone()) {
        throw gone(code);
      }
    }

    Failure gone(int code) {
      var first = code == Exit.PARTIAL ? "keep TheHive stopped, remove what was written below the mount point, " : "";
      return new Failure(code, folder + " is no longer mounted or does not answer", first + "mount it again and run the same command again");
    }

    /** A typo in the folder's name must not cost another folder: something in it has to look like attachments. */
    void requireAttachments(Members members) throws IOException {
      if (!there(folder)) {
        return;
      }
      try (var children = Files.list(folder)) {
        var names = children.filter(this::isContent).limit(1000).map(child -> child.getFileName().toString()).toList();
        var alike = names.stream().filter(name -> HASH_NAME.matcher(name).matches()
            || members.find(name) >= 0 && members.all.get(members.find(name)).kind() == Kind.FILE).count();
        if (alike * 10 < names.size()) {
          throw new Failure(Exit.UNSAFE, folder + " does not look like TheHive's attachments",
              "check ATTACHMENT_FOLDER against storage.localfs.location; --any-folder goes on, and removes what is there");
        }
      }
      if (members.files == 0) {
        throw new Failure(Exit.BAD_BACKUP, "the backup holds no file at all", "choose another with --backup; --any-folder empties " + folder);
      }
    }

    /** Not what this script keeps there itself, nor what belongs to the storage. */
    boolean isContent(Path child) {
      var name = child.getFileName().toString();
      return !name.equals(OWN) && !(inside && OF_STORAGE.contains(name));
    }

    void requireRoom(Members members) throws IOException {
      var place = there(folder) ? folder : folder.getParent();
      var room = Files.getFileStore(place).getUsableSpace();
      var needed = members.all.stream().mapToLong(member -> (member.size() + 4095) / 4096 * 4096 + 256).sum();
      if (room < needed) {
        throw new Failure(Exit.UNSAFE, "%s has room for %s, a second tree needs %s".formatted(place, Console.size(room), Console.size(needed)),
            "free some, or restore with --in-place");
      }
      var inodes = Tool.output("stat", "-f", "-c", "%d %c", place.toString()).split(" ");
      if (!inodes[1].equals("0") && Long.parseLong(inodes[0]) < members.all.size() + 16L) {
        throw new Failure(Exit.UNSAFE, "%s has %s inodes left, a second tree needs %d".formatted(place, inodes[0], members.all.size()),
            "free some, or restore with --in-place");
      }
    }
  }

  /** Not Files.exists, which takes a file system that does not answer for a file that is not there. */
  static boolean there(Path path) throws IOException {
    try {
      Files.readAttributes(path, BasicFileAttributes.class, LinkOption.NOFOLLOW_LINKS);
      return true;
    } catch (NoSuchFileException e) {
      return false;
    }
  }

  /** What is mounted, and what should be. */
  static final class Mounts {
    private Mounts() {}

    static Set<Path> points() throws IOException {
      return lines("/proc/self/mountinfo").filter(line -> !line.contains(" - autofs "))
          .map(line -> path(line.split(" ")[4])).collect(Collectors.toSet());
    }

    /** Writing under a mount point on which nothing is mounted is lost from sight when it is mounted again. */
    static void requireMounted(Path folder, boolean any, Console console) throws IOException {
      var mounted = points();
      for (var line : lines("/etc/fstab").map(String::strip).filter(line -> !line.startsWith("#")).toList()) {
        var fields = line.split("\\s+");
        if (fields.length < 3 || !fields[1].startsWith("/")) {
          continue;
        }
        var point = path(fields[1]).normalize();
        if (folder.startsWith(point) && point.getParent() != null && !mounted.contains(Files.exists(point) ? point.toRealPath() : point)) {
          if (!any) {
            throw new Failure(Exit.UNSAFE, "nothing is mounted at %s, where /etc/fstab wants %s".formatted(point, fields[0]),
                "mount %s; --any-folder restores to what is below it".formatted(point));
          }
          console.warn("nothing is mounted at %s, where /etc/fstab wants %s", point, fields[0]);
        }
      }
    }

    /** Another folder renamed to its place would not be seen where this one is mounted or exported: hosts know it by its inode. */
    static boolean isShared(Path folder) throws IOException {
      return Files.getFileStore(folder).type().matches("(nfs|fuse|smb|gfs).*|afs|ceph|cifs|lustre|ocfs2|9p|virtiofs")
          || Stream.concat(lines("/etc/exports"), lines("/var/lib/nfs/etab"))
              .map(line -> line.strip().replaceFirst("^\"([^\"]*)\".*|\\s.*", "$1"))
              .anyMatch(export -> export.startsWith("/") && folder.startsWith(path(export)));
    }

    private static Stream<String> lines(String file) throws IOException {
      return Files.exists(Path.of(file)) ? Files.readAllLines(Path.of(file)).stream() : Stream.of();
    }

    private static Path path(String escaped) {
      return Path.of(Pattern.compile("\\\\([0-7]{3})").matcher(escaped)
          .replaceAll(m -> Matcher.quoteReplacement("" + (char) Integer.parseInt(m.group(1), 8))));
    }
  }

  /** Owner, group, mode and times; counts what this user may not set. */
  static final class Attributes {
    /** Of a server that squashes root, a file system without owners, a container where the number does not exist. */
    private static final Set<String> NOT_ALLOWED = Set.of("Operation not permitted", "Operation not supported", "Function not implemented", "Invalid argument");
    final Map<String, Integer> unset = new ConcurrentSkipListMap<>();
    private final Principals always;
    private final Map<Owner, Principals> known = new ConcurrentHashMap<>();
    private Principals live = new Principals(null, null);
    private int liveUid;
    private int liveMode = 0750;

    Attributes(Principals always) {
      this.always = always;
    }

    /** What the live folder has stands in for what the backup does not say. */
    void readLive(Path folder) throws IOException {
      if (there(folder)) {
        live = Principals.of(folder);
        liveUid = (int) Files.getAttribute(folder, "unix:uid");
        liveMode = modeOf(folder);
      }
    }

    private static int modeOf(Path path) throws IOException {
      return (int) Files.getAttribute(path, "unix:mode") & 07777;
    }

    /** The documented backup copies as root and without owners: root in it tells nothing where the folder is another's. */
    private boolean isUntold(Member member) {
      return member.owner().uid() == 0 && liveUid != 0;
    }

    private Principals owner(Member member) {
      return known.computeIfAbsent(member.owner(), owner -> always.or(isUntold(member) ? live : Principals.of(owner)).or(live));
    }

    /** Set-user-ID and set-group-ID on a file would hand rights out of an archive: they are dropped. */
    private int mode(Member member) {
      var folder = member.kind() == Kind.FOLDER;
      var told = member.mode() >= 0 && !(member.path().length == 0 && isUntold(member)); // of the folder itself: the backup's umask
      var mode = told ? member.mode() : folder ? liveMode : liveMode & 0666;
      return mode & (folder ? 07777 : 0777);
    }

    void set(Path path, Member member) throws IOException {
      var view = Files.getFileAttributeView(path, PosixFileAttributeView.class, LinkOption.NOFOLLOW_LINKS);
      var has = Principals.of(path);
      var owner = owner(member);
      if (owner.user() != null && !owner.user().equals(has.user())) {
        attempt("owner", () -> view.setOwner(owner.user()));
      }
      if (owner.group() != null && !owner.group().equals(has.group())) {
        attempt("group", () -> view.setGroup(owner.group()));
      }
      if (member.kind() == Kind.LINK) {
        return;
      }
      if (member.time() != Member.NO_TIME) {
        var time = FileTime.from(member.time(), TimeUnit.NANOSECONDS);
        attempt("time", () -> view.setTimes(time, time, null));
      }
      attempt("mode", () -> Files.setAttribute(path, "unix:mode", mode(member)));
    }

    private interface Setting {
      void apply() throws IOException;
    }

    private void attempt(String what, Setting setting) throws IOException {
      try {
        setting.apply();
      } catch (FileSystemException e) {
        if (!(e instanceof AccessDeniedException) && !NOT_ALLOWED.contains(Objects.toString(e.getReason()))) {
          throw e;
        }
        unset.merge(what, 1, Integer::sum);
      }
    }

    boolean same(Path path, PosixFileAttributes live, Member member) throws IOException {
      var owner = owner(member);
      return (owner.user() == null || owner.user().equals(live.owner())) && (owner.group() == null || owner.group().equals(live.group()))
          && modeOf(path) == mode(member) && sameTime(member.time(), live.lastModifiedTime().to(TimeUnit.NANOSECONDS));
    }

    /** To the second where the archive knows no more, otherwise to the microsecond, which every JDK can set. */
    private static boolean sameTime(long backup, long live) {
      var grain = backup % 1_000_000_000 == 0 ? 1_000_000_000 : 1000;
      return backup == Member.NO_TIME || Math.floorDiv(backup, grain) == Math.floorDiv(live, grain);
    }

    void warnOfUnset(RestoreConsole console) {
      unset.forEach((what, times) -> console.warn("the %s of %d files and folders could not be set: %s", what, times,
          what.equals("owner") || what.equals("group") ? "run as root (on NFS: without root squash), or change it on the server" : "not supported there"));
    }

    /** Who will own what, for the plan. */
    String owners(Members members) {
      if (always.user() != null || always.group() != null) {
        return "give all of it to " + always;
      }
      if (members.all.stream().anyMatch(this::isUntold)) {
        return "set owners as in the backup, but those of the folder, %s, where it says root (--owner root:root sets root)".formatted(live);
      }
      var root = members.all.get(members.find("")).owner().uid() == 0;
      return "set owners as in the backup" + (root ? ", the folder's is root there: --owner thehive:thehive if TheHive runs as thehive" : "");
    }

    void warnOfOtherOwner(Members members, RestoreConsole console) {
      var user = owner(members.all.get(members.find(""))).user();
      if (live.user() != null && user != null && !user.equals(live.user())) {
        console.warn("the folder belongs to %s, in the backup to %s: --owner %s keeps it", live.user(), user, live.user());
      }
    }
  }

  /** The live folder beside the backup's members. */
  record Tree(Members members, Target target, Attributes attributes, Workers workers, RestoreConsole console) {
    Path folder() {
      return target.folder();
    }

    /** Folders, the attachment folder first, each before what is in it. */
    List<Member> folders() {
      return members.all.stream().filter(member -> member.kind() == Kind.FOLDER).sorted(Comparator.comparing(Member::name)).toList();
    }

    /** Numbers of the symbolic links. */
    List<Integer> links() {
      return IntStream.range(0, members.all.size()).filter(i -> members.all.get(i).kind() == Kind.LINK).boxed().toList();
    }

    /** Gives every wanted file to the reader, and shows how far it is. */
    void each(String task, IntPredicate wanted, Members.Reader reader) throws IOException {
      var sizes = IntStream.range(0, members.all.size()).filter(i -> members.all.get(i).kind() != Kind.FOLDER && wanted.test(i))
          .mapToLong(i -> members.all.get(i).size()).summaryStatistics();
      var bytesDone = new AtomicLong();
      var filesDone = new AtomicInteger();
      try (var progress = console.progress(task, sizes.getSum(), bytesDone::get, () -> filesDone.get() + " of " + sizes.getCount() + " files")) {
        members.read(workers, wanted, (lane, i, bytes) -> {
          reader.read(lane, i, bytes);
          bytesDone.addAndGet(members.all.get(i).size());
          filesDone.incrementAndGet();
        });
      }
    }

    /** Which names are there, which are not, which are too many. */
    Differences compareNames() throws IOException {
      var there = new BitSet();
      var extra = new int[1];
      walk((path, isFolder, i) -> {
        if (i < 0 && !isFolder) {
          extra[0]++;
        } else if (i >= 0 && members.all.get(i).kind() != Kind.FOLDER) {
          there.set(i);
        }
      });
      return new Differences(members.files - there.cardinality(), there.cardinality(), extra[0], Optional.empty(), null, null);
    }

    /** Byte for byte, owner, mode and time too. */
    Differences compare() throws IOException {
      var names = compareNames();
      var write = new BitSet();
      IntStream.range(0, members.all.size()).filter(i -> members.all.get(i).kind() != Kind.FOLDER).forEach(write::set);
      var touch = new BitSet();
      var unreal = unrealFolders();
      each("Comparing", i -> true, (lane, i, bytes) -> {
        var live = live(i, unreal);
        if (live.isPresent() && sameContent(bytes, live.get(), members.all.get(i))) {
          var same = attributes.same(live.get(), Files.readAttributes(live.get(), PosixFileAttributes.class), members.all.get(i));
          synchronized (write) {
            write.clear(i);
            touch.set(i, !same);
          }
        }
      });
      for (var i : links()) {
        var live = live(i, unreal);
        write.set(i, live.isEmpty() || !Files.isSymbolicLink(live.get())
            || !Files.readSymbolicLink(live.get()).toString().equals(members.all.get(i).more()));
      }
      var same = members.files - write.cardinality() - touch.cardinality();
      return new Differences(names.fresh, names.there, names.extra, Optional.of(same), write, touch);
    }

    /** Folders of the backup that are none here, such as a link to elsewhere: nothing is to be looked for through them. */
    private Set<Path> unrealFolders() {
      var unreal = new HashSet<Path>();
      for (var member : folders()) {
        var path = folder().resolve(member.name());
        if (unreal.contains(path.getParent()) || !Files.isDirectory(path, LinkOption.NOFOLLOW_LINKS)) {
          unreal.add(path);
        }
      }
      return unreal;
    }

    private Optional<Path> live(int i, Set<Path> unreal) throws IOException {
      var path = folder().resolve(members.all.get(i).name());
      return unreal.contains(path.getParent()) || !there(path) ? Optional.empty() : Optional.of(path);
    }

    private static boolean sameContent(Members.Bytes bytes, Path live, Member member) throws IOException {
      if (!Files.isRegularFile(live, LinkOption.NOFOLLOW_LINKS) || Files.size(live) != member.size()) {
        return false;
      }
      try (var backup = bytes.open(); var file = Files.newInputStream(live)) {
        return IOUtils.contentEquals(backup, file);
      }
    }

    interface Visit {
      void accept(Path path, boolean isFolder, int i) throws IOException;
    }

    /** All that is in the folder, folders after what they hold; the number is -1 for what the backup does not have. */
    void walk(Visit visit) throws IOException {
      if (!there(folder())) {
        return;
      }
      Files.walkFileTree(folder(), new SimpleFileVisitor<>() {
        @Override
        public FileVisitResult preVisitDirectory(Path path, BasicFileAttributes is) throws IOException {
          if (path.getParent().equals(folder()) && !target.isContent(path)) {
            return FileVisitResult.SKIP_SUBTREE;
          }
          target.requireSameFileSystem(path);
          return FileVisitResult.CONTINUE;
        }

        @Override
        public FileVisitResult visitFile(Path path, BasicFileAttributes is) throws IOException {
          visit.accept(path, false, members.find(folder().relativize(path).toString()));
          return FileVisitResult.CONTINUE;
        }

        @Override
        public FileVisitResult postVisitDirectory(Path path, IOException failed) throws IOException {
          if (failed != null) {
            throw failed;
          }
          if (!path.equals(folder())) {
            visit.accept(path, true, members.find(folder().relativize(path).toString()));
          }
          return FileVisitResult.CONTINUE;
        }
      });
    }

    /** Everything in it and itself; links are not followed. */
    void delete(Path tree) throws IOException {
      if (!there(tree)) {
        return;
      }
      var batch = new ArrayList<Path>();
      Files.walkFileTree(tree, new SimpleFileVisitor<>() {
        @Override
        public FileVisitResult preVisitDirectory(Path path, BasicFileAttributes is) throws IOException {
          target.requireSameFileSystem(path);
          return FileVisitResult.CONTINUE;
        }

        @Override
        public FileVisitResult visitFile(Path path, BasicFileAttributes is) throws IOException {
          batch.add(path);
          return batch.size() < 10_000 ? FileVisitResult.CONTINUE : deleteBatch();
        }

        @Override
        public FileVisitResult postVisitDirectory(Path path, IOException failed) throws IOException {
          deleteBatch();
          Files.delete(path);
          return FileVisitResult.CONTINUE;
        }

        private FileVisitResult deleteBatch() throws IOException {
          workers.run(batch.size(), (lane, i) -> Files.deleteIfExists(batch.get(i)));
          batch.clear();
          return FileVisitResult.CONTINUE;
        }
      });
    }

    /** Writes a new file, with all that it has, beside its place: to be renamed there. */
    void write(int i, Members.Bytes bytes, Path temporary) throws IOException {
      var member = members.all.get(i);
      try {
        if (members.isDirect(i)) {
          members.archive.copy(members.entry(i), temporary);
        } else {
          Files.copy(bytes.open(), temporary);
        }
      } catch (FileSystemException | Failure e) {
        throw e;
      } catch (IOException e) {
        throw new FileSystemException(folder().resolve(member.name()).toString(), null, e.getMessage()); // the kernel's word on a copy has no name
      }
      if (Files.size(temporary) != member.size()) {
        throw members.archive.broken("its entry '%s' has not the size it names".formatted(Members.shown(member.name())), null);
      }
      attributes.set(temporary, member);
    }

    void writeLink(int i, Path temporary) throws IOException {
      Files.deleteIfExists(temporary);
      Files.createSymbolicLink(temporary, Path.of((String) members.all.get(i).more()));
      attributes.set(temporary, members.all.get(i));
    }

    static void rename(Path from, Path to) throws IOException {
      Files.move(from, to, StandardCopyOption.ATOMIC_MOVE);
    }

    /** Of all folders below, the last first: what is written into a folder changes its time. */
    void setFolders(Path below) throws IOException {
      var folders = folders();
      for (int i = folders.size() - 1; i >= 0; i--) {
        attributes.set(below.resolve(folders.get(i).name()), folders.get(i));
      }
    }

    /** What a file system could not write earlier it tells at the next flush: which must not be ours. */
    void tellOldErrors() {
      try {
        Tool.output("sync", "-f", target.inside() ? folder().toString() : folder().getParent().toString());
      } catch (IOException e) {
        console.warn("something that was written before was lost: %s", e.getMessage());
      }
    }

    /** Of everything written so far: one call for a whole file system, where fsync of each file would take hours. */
    void flush(Path folder) throws IOException {
      console.step("Flushing to disk");
      Tool.output("sync", "-f", folder.toString());
    }
  }

  // ------------------------------------------------------------------------------------------------------------- ways

  /**
   * Stages a second tree on the folder's own file system, then swaps. The names in the work folder say how far a run
   * came: {@code staging} is incomplete; {@code new} is complete and safe on disk; {@code old} gets what is moved out
   * of a folder that cannot be renamed; {@code previous} is the whole old tree.
   */
  record Swap(Tree tree, boolean keepPrevious, Path folder, Path work, Path staging, Path fresh, Path old, Path previous) {
    static Swap of(Tree tree, boolean keepPrevious) {
      var work = tree.target.work();
      return new Swap(tree, keepPrevious, tree.folder(), work, work.resolve("staging"), work.resolve("new"), work.resolve("old"),
          work.resolve("previous"));
    }

    /** Undoes a swap that was interrupted, or finishes one whose new tree is in place; says so in a dry run. */
    void recover() throws IOException {
      if (!there(staging) && !there(fresh) && !there(old) && !there(previous)) {
        return;
      }
      if (tree.console.dryRun) {
        tree.console.warn("an interrupted restore left %s: a real run puts that right first", work);
        return;
      }
      tree.console.step("Putting right what an interrupted restore left in %s", work);
      undo();
      dropPrevious();
      if (there(previous)) {
        throw new Failure(Exit.UNSAFE, previous + " is in the way",
            "it is an old tree, the restored one is in place: end what has files of it open, or move it away");
      }
    }

    private void undo() throws IOException {
      if (there(fresh) && there(previous)) {
        if (tree.target.inside()) {
          drain(folder, fresh);
          Tree.rename(previous, old);
        } else {
          Tree.rename(previous, folder);
        }
      }
      if (there(old)) {
        drain(old, folder);
        Files.delete(old);
      }
      tree.delete(staging);
      tree.delete(fresh);
    }

    /** Writes into a few folders side by side and renames into place: one folder for all is slower by far. */
    void stage() throws IOException {
      var whole = staging.resolve("tree");
      try {
        makeStaging(whole);
        tree.each("Staging", i -> true, (lane, i, bytes) -> {
          var temporary = staging.resolve("lane" + lane).resolve("" + i);
          tree.write(i, bytes, temporary);
          Tree.rename(temporary, whole.resolve(tree.members.all.get(i).name()));
        });
        for (var i : tree.links()) {
          tree.writeLink(i, staging.resolve("link"));
          Tree.rename(staging.resolve("link"), whole.resolve(tree.members.all.get(i).name()));
        }
        tree.setFolders(whole);
        tree.flush(staging);
        Tree.rename(whole, fresh);
        tree.delete(staging);
        tree.target.requireMounted(Exit.UNSAFE);
      } catch (IOException | RuntimeException e) {
        try {
          tree.delete(staging);
          tree.delete(fresh);
          removeWork();
        } catch (IOException | RuntimeException left) {
          tree.console.warn("%s could not be removed, the next run will: %s", work, Failure.of(left).getMessage());
        }
        throw e;
      }
    }

    private void makeStaging(Path whole) throws IOException {
      var secret = PosixFilePermissions.asFileAttribute(PosixFilePermissions.fromString("rwx------"));
      Files.createDirectories(folder);
      try {
        Files.createDirectories(work, secret);
        Files.createDirectory(staging, secret);
      } catch (AccessDeniedException e) {
        throw Target.notWritable(work.getParent(), e);
      }
      for (int lane = 0; lane < tree.workers.count; lane++) {
        Files.createDirectory(staging.resolve("lane" + lane), secret);
      }
      for (var member : tree.folders()) {
        Files.createDirectory(whole.resolve(member.name()), secret);
      }
    }

    /** The live tree is the old one before, the new one after; a failure in between is taken back. */
    void exchange() throws IOException {
      tree.console.step("Swapping");
      try {
        if (tree.target.inside()) {
          for (var name : Target.OF_STORAGE) { // stays as it is, whatever the backup caught of it
            if (there(folder.resolve(name))) {
              tree.delete(fresh.resolve(name));
            }
          }
          Files.createDirectory(old);
          drain(folder, old);
          Tree.rename(old, previous);
          drain(fresh, folder);
          Files.delete(fresh);
        } else {
          Tree.rename(folder, previous);
          Tree.rename(fresh, folder);
        }
      } catch (IOException | RuntimeException e) {
        takeBack(e);
        throw e;
      }
    }

    /** Or says that it could not, so that nobody starts TheHive on half a tree. */
    private void takeBack(Exception cause) {
      try {
        tree.target.requireMounted(Exit.PARTIAL);
        undo();
        if (there(old) || there(previous)) {
          throw new IOException("the old tree is still in " + work);
        }
        removeWork();
        tree.target.requireMounted(Exit.PARTIAL);
      } catch (IOException | RuntimeException e) {
        throw new Failure(Exit.PARTIAL, "%s, and the swap could not be taken back: %s".formatted(Failure.of(cause).getMessage(), Failure.of(e).getMessage()),
            "keep TheHive stopped; nothing is lost, the trees are in %s: run the same command again when the cause is gone".formatted(work), e);
      }
    }

    private void drain(Path from, Path to) throws IOException {
      for (var batch = batch(from); !batch.isEmpty(); batch = batch(from)) {
        var some = batch;
        tree.workers.run(some.size(), (lane, i) -> Tree.rename(some.get(i), to.resolve(some.get(i).getFileName())));
      }
    }

    private List<Path> batch(Path from) throws IOException {
      try (var children = Files.list(from)) {
        return children.filter(child -> !from.equals(folder) || tree.target.isContent(child)).limit(10_000).toList();
      }
    }

    /** The new tree is live by now: what fails here is to be done again, not to be taken back. */
    void finish() {
      try {
        tree.flush(folder);
        tree.target.requireMounted(Exit.PARTIAL);
        dropPrevious();
        finishFolder();
        tree.target.requireMounted(Exit.PARTIAL);
      } catch (IOException | RuntimeException e) {
        throw new Failure(Exit.PARTIAL, "the restored tree is in place, but " + Failure.of(e).getMessage(),
            "keep TheHive stopped, and run the same command again when the cause is gone", e);
      }
    }

    /** Removes or keeps the old tree: failing here is no failed restore. */
    private void dropPrevious() throws IOException {
      try {
        if (keepPrevious && there(previous)) {
          var stamp = BackupSet.STAMP.format(LocalDateTime.now());
          var kept = tree.target.inside() ? work.resolve("previous_" + stamp) : folder.resolveSibling(folder.getFileName() + ".previous_" + stamp);
          Tree.rename(previous, kept);
          tree.console.step("The old tree is kept in %s", kept);
        }
        tree.delete(previous);
        removeWork();
      } catch (IOException e) {
        // On NFS a file that is removed while a program has it open stays, under another name.
        tree.console.warn("the old tree in %s could not be removed, the next run will: %s", work,
            e instanceof DirectoryNotEmptyException ? "a program has a file of it open" : Failure.of(e).getMessage());
      }
    }

    private void removeWork() throws IOException {
      try {
        Files.deleteIfExists(work);
      } catch (DirectoryNotEmptyException e) {
        // an old tree was kept in it
      }
    }

    /** A folder that could not be renamed got what is in it, not yet its own owner, mode and time. */
    private void finishFolder() throws IOException {
      if (tree.target.inside()) {
        tree.attributes.set(folder, tree.folders().get(0));
      }
    }
  }

  /** Writes what differs into the live folder, each file beside its place and then over it; removes the rest last. */
  record InPlace(Tree tree, Differences differences) {
    void restore() throws IOException {
      makeFolders();
      tree.each("Writing", differences.write::get, (lane, i, bytes) -> {
        var temporary = path(i).resolveSibling(Target.OWN + "." + i);
        Files.deleteIfExists(temporary);
        tree.write(i, bytes, temporary);
        put(temporary, path(i));
      });
      for (var i : tree.links()) {
        var temporary = path(i).resolveSibling(Target.OWN + ".link");
        tree.writeLink(i, temporary);
        put(temporary, path(i));
      }
      tree.console.step("Removing what is not in the backup");
      while (removeExtra() > 0) {
        // again: an NFS client may pass over some of a folder that is changed while it is read
      }
      for (var i : differences.touch.stream().toArray()) {
        tree.attributes.set(path(i), tree.members.all.get(i));
      }
      tree.target.requireMounted(Exit.PARTIAL);
      tree.setFolders(tree.folder());
      tree.flush(tree.folder());
      tree.target.requireMounted(Exit.PARTIAL);
    }

    /** Folders after what they hold; how many there were. */
    private int removeExtra() throws IOException {
      var count = new int[1];
      var batch = new ArrayList<Path>();
      tree.walk((path, isFolder, i) -> {
        if (i < 0) {
          if (isFolder || batch.size() == 10_000) {
            remove(batch);
          }
          batch.add(path);
          count[0]++;
        }
      });
      remove(batch);
      return count[0];
    }

    private void remove(List<Path> batch) throws IOException {
      tree.workers.run(batch.size(), (lane, i) -> {
        tree.target.requireMounted(Exit.PARTIAL);
        Files.deleteIfExists(batch.get(i));
      });
      batch.clear();
    }

    /** What was written before a look that finds the folder mounted was written there, and not below the mount point. */
    private void put(Path temporary, Path place) throws IOException {
      tree.target.requireMounted(Exit.PARTIAL);
      Tree.rename(temporary, place);
    }

    private Path path(int i) {
      return tree.folder().resolve(tree.members.all.get(i).name());
    }

    /** Makes room for folders where something else is, and for files where folders are. */
    private void makeFolders() throws IOException {
      for (var member : tree.folders()) {
        tree.target.requireMounted(Exit.PARTIAL);
        var path = tree.folder().resolve(member.name());
        if (!member.name().isEmpty() && !Files.isDirectory(path, LinkOption.NOFOLLOW_LINKS)) {
          Files.deleteIfExists(path);
        }
        Files.createDirectories(path);
      }
      for (var i : differences.write.stream().toArray()) {
        if (Files.isDirectory(path(i), LinkOption.NOFOLLOW_LINKS)) {
          tree.delete(path(i));
        }
      }
    }
  }

  /** The system's own tools, for what Java cannot do. */
  static final class Tool {
    private Tool() {}

    static String output(String... command) throws IOException {
      var process = new ProcessBuilder(command).redirectErrorStream(true).start();
      var output = new String(process.getInputStream().readAllBytes(), StandardCharsets.UTF_8).strip();
      try {
        if (process.waitFor() != 0) {
          throw new IOException("%s failed: %s".formatted(String.join(" ", command), output));
        }
        return output;
      } catch (InterruptedException e) {
        process.destroy();
        throw new IOException("interrupted", e);
      }
    }
  }
}

// ---- Below: copies of lib/*.java, written by ./jbang lib/embed.java. Change those files, not these lines. ----
