///usr/bin/env jbang "$0" "$@" ; exit $?
//DESCRIPTION Restores TheHive's attachments on NFS or a local folder from a hot backup
//JAVA 17+
//DEPS me.tongfei:progressbar:0.10.2
// Of the classes below the marker, written by ./jbang lib/embed.java:
//DEPS com.fasterxml.jackson.core:jackson-databind:2.23.0
//DEPS com.github.luben:zstd-jni:1.5.7-28 // for .tar.zst, and for SSTables compressed with Zstd
//DEPS com.typesafe:config:1.4.3 // HOCON with includes and substitutions, as TheHive itself reads it
//DEPS commons-io:commons-io:2.22.0
//DEPS info.picocli:picocli:4.7.7
//DEPS net.lingala.zip4j:zip4j:2.11.6
//DEPS org.apache.commons:commons-compress:1.28.0
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
import com.typesafe.config.ConfigException;
import com.typesafe.config.ConfigFactory;
import com.typesafe.config.ConfigResolveOptions;
import com.typesafe.config.ConfigValueType;
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

/** TheHive's own answer on a node. */
record Application(HttpRequest status, HttpClient client) {
  /** Where it logs to, whatever its unit does with its output. */
  static final String LOG = "/var/log/thehive/application.log";
  /** How its log tells of an error: by the level, or where the JVM itself says so. */
  static final Pattern ERROR = Pattern.compile("\\[error]|\\bERROR\\b|\\bFATAL\\b|Exception in thread|OutOfMemoryError");
  private static final Duration LIMIT = Duration.ofSeconds(10);

  /** Who answers at TheHive's address. */
  enum Answer {
    THEHIVE, SOMETHING_ELSE, NOTHING
  }

  static Application on(Host host, TheHiveSettings settings) {
    var address = host.address().replaceFirst("^(.*:.*)$", "[$1]");
    var url = settings.url().replace("<node>", address).replaceFirst("/+$", "");
    var client = HttpClient.newBuilder().connectTimeout(LIMIT).followRedirects(HttpClient.Redirect.NORMAL);
    settings.ca().ifPresent(ca -> client.sslContext(Tls.context(Tls.trust(ca))));
    try {
      return new Application(HttpRequest.newBuilder(URI.create(url + "/api/v1/status/public")).build(), client.build());
    } catch (IllegalArgumentException e) {
      throw new Failure(Exit.USAGE, "THEHIVE_URL '%s' is no address: %s".formatted(url, e.getMessage()), "such as http://<node>:9000, <node> as it stands");
    }
  }

  /** A line of its log without the colours that it gives its levels. */
  static String plain(String line) {
    return line.replaceAll("\\e\\[[\\d;]*m", "");
  }

  int port() {
    var uri = status.uri();
    return uri.getPort() > 0 ? uri.getPort() : uri.getScheme().equals("https") ? 443 : 80;
  }

  /** TheHive's status page is JSON that names versions or configuration; MinIO, whose port is the same, says something else. */
  Answer answer() {
    try {
      var answer = client.sendAsync(status, HttpResponse.BodyHandlers.ofString()).orTimeout(LIMIT.toSeconds(), TimeUnit.SECONDS).join();
      var json = answer.body().strip().startsWith("{");
      return answer.statusCode() == 200 && json ? Answer.THEHIVE : Answer.SOMETHING_ELSE;
    } catch (CompletionException e) {
      return Answer.NOTHING;
    }
  }

  /** What came instead of its answer; nothing when it answers. */
  Optional<String> problem() {
    try {
      // The request's own limit would end with the head of the answer.
      var answer = client.sendAsync(status, HttpResponse.BodyHandlers.discarding()).orTimeout(LIMIT.toSeconds(), TimeUnit.SECONDS).join();
      return answer.statusCode() == 200 ? Optional.empty() : Optional.of("%s answers HTTP %d".formatted(status.uri(), answer.statusCode()));
    } catch (CompletionException e) {
      var why = e.getCause() instanceof TimeoutException ? "not within %d s".formatted(LIMIT.toSeconds())
          : Objects.requireNonNullElse(e.getCause().getMessage(), "connection refused");
      return Optional.of("%s does not answer: %s%s".formatted(status.uri(), why, e.getCause() instanceof SSLException ? " (THEHIVE_CA names its CA)" : ""));
    }
  }
}

/** Reads .tar and .zip (also AES-encrypted) alike, without unpacking them to disk. */
final class Archive implements Closeable {
  static final int LONGEST_END = 20 << 10;
  final Path path;
  private final FileChannel channel;
  final ZipFile zip;

  Archive(Path path, Optional<String> password) {
    this.path = path;
    try {
      this.channel = FileChannel.open(path);
      this.zip = path.toString().endsWith(".zip")
          ? new ZipFile(path.toFile(), password.map(String::toCharArray).orElse(null)) : null;
      if (zip != null && zip.isEncrypted() && password.isEmpty()) {
        throw new Failure(Exit.AUTHENTICATION, path + " is encrypted", "set BACKUP_PASSWORD or BACKUP_PASSWORD_FILE");
      }
    } catch (IOException e) {
      throw broken(e.getMessage(), e);
    }
  }

  /** All members in file order; proves that the archive is complete and that no name leads out of its folder. */
  void index(Consumer<ArchiveEntry> visitor) {
    try {
      if (zip != null) {
        indexZip(visitor);
      } else {
        indexTar(visitor);
      }
    } catch (IOException e) {
      throw broken(e.getMessage(), e);
    }
  }

  private void indexTar(Consumer<ArchiveEntry> visitor) throws IOException {
    var end = 0L;
    for (var header = header(end); header != null; header = header(end)) {
      if (!header.isCheckSumOK()) {
        throw broken("the header of its entry '%s' is damaged".formatted(header.getName()), null);
      }
      var plain = header.isFile() && !header.isSparse();
      var offset = channel.position();
      visitor.accept(new ArchiveEntry(safe(header.getName()), header.isDirectory(), plain, header.getSize(), offset, header));
      end = offset + (header.isFile() ? (header.getSize() + 511) / 512 * 512 : 0);
    }
    requireEnd(end);
  }

  /**
   * A tar cut between two members still lists without an error: only the closing zeros prove its end. They fill the last
   * record, of 10 KiB mostly; more of them, or anything else among them, is what became of members.
   */
  private void requireEnd(long end) throws IOException {
    var rest = channel.size() - end;
    if (end == 0 || rest < 512) {
      throw broken("it is cut short", null);
    }
    var zeros = ByteBuffer.allocate((int) Math.min(rest, LONGEST_END));
    IOUtils.read(channel.position(end), zeros);
    if (rest > LONGEST_END || IntStream.range(0, zeros.position()).anyMatch(i -> zeros.get(i) != 0)) {
      throw broken("its members end after %d of %d bytes: the rest is damaged or was never written".formatted(end, channel.size()), null);
    }
  }

  /** The member's header, with the channel behind it: read on, the stream would read all that it skips, holes too. */
  private TarArchiveEntry header(long offset) throws IOException {
    channel.position(offset);
    return new TarArchiveInputStream(Channels.newInputStream(channel), "UTF-8").getNextEntry();
  }

  private void indexZip(Consumer<ArchiveEntry> visitor) throws IOException {
    for (var header : zip.getFileHeaders()) {
      visitor.accept(new ArchiveEntry(safe(header.getFileName()), header.isDirectory(), !header.isDirectory(),
          header.getUncompressedSize(), -1, header));
    }
  }

  /** The bytes of one member; several may be read side by side, each by one thread. */
  InputStream open(ArchiveEntry entry) throws IOException {
    if (zip == null) {
      var member = Channels.newInputStream(FileChannel.open(path).position(entry.offset()));
      return BoundedInputStream.builder().setInputStream(member).setMaxCount(entry.size()).get();
    }
    synchronized (zip) {
      try {
        return zip.getInputStream((FileHeader) entry.header());
      } catch (ZipException e) {
        if (e.getType() == ZipException.Type.WRONG_PASSWORD) {
          throw new Failure(Exit.AUTHENTICATION, "wrong password for " + path, "check BACKUP_PASSWORD or BACKUP_PASSWORD_FILE");
        }
        throw e;
      }
    }
  }

  /** Writes one member to a file; in a plain tar the kernel copies. */
  void copy(ArchiveEntry entry, Path target) throws IOException {
    if (zip != null) {
      try (var in = open(entry)) {
        Files.copy(in, target);
      }
      return;
    }
    try (var out = FileChannel.open(target, StandardOpenOption.CREATE_NEW, StandardOpenOption.WRITE)) {
      for (var done = 0L; done < entry.size(); ) {
        var copied = channel.transferTo(entry.offset() + done, entry.size() - done, out);
        if (copied <= 0) {
          throw new EOFException(path + " ended inside " + entry.name());
        }
        done += copied;
      }
    }
  }

  String safe(String name) {
    var path = name.endsWith("/") ? name.substring(0, name.length() - 1) : name;
    var parts = List.of(path.replaceFirst("^\\./", "").split("/", -1));
    if (name.startsWith("/") || name.indexOf('\0') >= 0 || parts.contains("..") || parts.contains("") && parts.size() > 1) {
      throw broken("its entry '%s' leads out of the backup's folder".formatted(name), null);
    }
    return path.replaceFirst("^\\./", "");
  }

  Failure broken(String why, Throwable cause) {
    return new Failure(Exit.BAD_BACKUP, "%s is no usable backup: %s".formatted(path, why), "nothing was changed; choose another with --backup", cause);
  }

  @Override
  public void close() throws IOException {
    channel.close();
    if (zip != null) {
      zip.close();
    }
  }
}

/** One member of an archive; {@code offset} is that of its bytes in a plain tar, -1 where they are not in one piece. */
record ArchiveEntry(String name, boolean folder, boolean file, long size, long offset, Object header) {}

/** One backup of one component: its archive or marker, and the time that its name gives. */
record Backup(Path file, String name, LocalDateTime taken) {
  String age() {
    return age(LocalDateTime.now());
  }

  String age(LocalDateTime now) {
    var age = Duration.between(taken, now);
    return age.toDays() > 1 ? age.toDays() + " days ago" : age.toHours() > 1 ? age.toHours() + " hours ago"
        : age.toMinutes() == 1 ? "1 minute ago" : Math.max(0, age.toMinutes()) + " minutes ago";
  }
}

/** Chooses backups by the names that the documented backup scripts give them. */
final class BackupSet {
  static final DateTimeFormatter STAMP = DateTimeFormatter.ofPattern("uuuuMMdd_HH'h'mm'm'ss's'");
  private static final Pattern NAME =
      Pattern.compile("(?<component>[a-z]+)_(?<stamp>\\d{8}_\\d\\dh\\d\\dm\\d\\ds)(\\.(?<type>[a-z.]+))?");

  private BackupSet() {}

  /**
   * The newest backup in a folder, or the newest at or before the wanted restore point.
   *
   * @param components the accepted first parts of a name, such as {@code cassandra}
   * @param types the accepted extensions, such as {@code tar}
   * @param wanted a timestamp, a name or a path; null for the newest
   * @param gap parts of one backup run are at most this far apart
   */
  static Backup choose(Path folder, Set<String> components, Set<String> types, String wanted, Duration gap) {
    var what = components.iterator().next() + "_<timestamp>." + types.stream().sorted().collect(Collectors.joining("|"));
    var all = list(folder, what).stream()
        .flatMap(file -> backup(file, components, types).stream())
        .sorted(Comparator.comparing(Backup::taken).thenComparing(b -> b.file().toString()))
        .toList();
    if (wanted != null && wanted.contains("/") && backup(Path.of(wanted), components, types).isPresent()) {
      return existing(backup(Path.of(wanted), components, types).get());
    }
    var until = wanted == null ? LocalDateTime.MAX : time(wanted);
    var chosen = all.stream().filter(b -> !b.taken().isAfter(until)).reduce((first, last) -> last);
    var next = all.stream().filter(b -> b.taken().isAfter(until)).findFirst();
    // Parts of one run differ by seconds: a point named after its first part must not silently select yesterday's rest.
    if (next.isPresent() && Duration.between(until, next.get().taken()).compareTo(gap) <= 0
        && chosen.map(b -> Duration.between(b.taken(), until).compareTo(gap) > 0).orElse(true)) {
      throw new Failure(Exit.BAD_BACKUP,
          "%s was taken shortly after the restore point %s, and nothing shortly before it".formatted(next.get().name(), wanted),
          "for that one: --backup " + STAMP.format(next.get().taken()));
    }
    return chosen.orElseThrow(() -> new Failure(Exit.BAD_BACKUP,
        "no backup %s in %s%s".formatted(what, folder, wanted == null ? "" : " at or before " + wanted),
        "is the backup folder mounted, and is its variable right?"));
  }

  private static List<Path> list(Path folder, String what) {
    try (var files = Files.list(folder)) {
      return files.toList();
    } catch (NoSuchFileException e) {
      throw new Failure(Exit.BAD_BACKUP, "no backup %s: there is no folder %s".formatted(what, folder),
          "is the backup folder mounted, and is its variable right?");
    } catch (IOException e) {
      throw new Failure(Exit.BAD_BACKUP, "cannot list %s: %s".formatted(folder, e.getMessage()), "check its mode and owner");
    }
  }

  private static Optional<Backup> backup(Path file, Set<String> components, Set<String> types) {
    var match = NAME.matcher(file.getFileName().toString());
    if (!match.matches() || match.group("type") == null
        || !components.contains(match.group("component")) || !types.contains(match.group("type"))) {
      return Optional.empty();
    }
    try {
      var taken = LocalDateTime.parse(match.group("stamp"), STAMP);
      return Optional.of(new Backup(file, match.group("component") + "_" + match.group("stamp"), taken));
    } catch (DateTimeParseException e) {
      return Optional.empty(); // no date: not a backup's name
    }
  }

  private static Backup existing(Backup backup) {
    if (!Files.isRegularFile(backup.file())) {
      throw new Failure(Exit.BAD_BACKUP, "there is no file " + backup.file(), "check the path given with --backup");
    }
    return backup;
  }

  private static LocalDateTime time(String wanted) {
    var stamp = Pattern.compile("\\d{8}_\\d\\dh\\d\\dm\\d\\ds").matcher(wanted);
    try {
      return LocalDateTime.parse(stamp.find() ? stamp.group() : wanted, STAMP);
    } catch (DateTimeParseException e) {
      throw new Failure(Exit.USAGE, "'%s' is not a restore point".formatted(wanted),
          "name one like 20261122_12h00m56s, cassandra_20261122_12h00m56s or the path of an archive");
    }
  }
}

/**
 * Settings of every restore.
 *
 * @param archivePassword of AES-encrypted .zip archives
 * @param statePath folder of lock, marker and reports, where it is not that of the archives
 */
record CommonSettings(Optional<String> archivePassword, Optional<Path> statePath) {
  static final Variable ARCHIVE_PASSWORD = Variable.secret("BACKUP_PASSWORD");
  static final Variable STATE_PATH = Variable.optional("RESTORE_STATE_PATH");
  static final Variable ASSUME_YES = Variable.withDefault("ASSUME_YES", "false");
  static final List<Variable> VARIABLES = List.of(ARCHIVE_PASSWORD, STATE_PATH, ASSUME_YES);

  static CommonSettings of(Settings settings) {
    return new CommonSettings(settings.secret(ARCHIVE_PASSWORD), settings.optionalPath(STATE_PATH));
  }

  /** The folder of lock, marker and reports. */
  Path stateFolder(Path archives) {
    return statePath.orElse(archives);
  }
}

/** What the administrator sees: steps and progress on stderr. Results go to stdout, which is not this class's. */
class Console {
  private static final int WIDTH_OF_LOGS = 100;
  private static final Duration BETWEEN_LINES = Duration.ofSeconds(5);

  @Option(names = "--verbose", scope = ScopeType.INHERIT, description = "show traces and the libraries' warnings")
  boolean verbose;

  final boolean terminal = System.console() != null;
  private String onInterrupt;
  private String drawn = "";

  Console() {
    Runtime.getRuntime().addShutdownHook(new Thread(this::interrupted));
  }

  synchronized void step(String text, Object... values) {
    erase();
    System.err.println(text.formatted(values));
  }

  void warn(String text, Object... values) {
    step("warning: " + text, values);
  }

  /** Shows what went wrong and what to do about it; returns the exit code. */
  synchronized int error(String about, Failure failure) {
    step("%s", "error: " + (about.isEmpty() ? "" : about + ": ") + failure.getMessage()
        + (failure.hint == null ? "" : "\nhint: " + failure.hint)); // in one: others may fail at the same time
    if (verbose) {
      failure.printStackTrace();
    }
    return failure.code;
  }

  /** Sets what Ctrl-C says from now on: whether something was changed, and what to do. Null: nothing. */
  synchronized void onInterrupt(String text) {
    onInterrupt = text;
  }

  private synchronized void interrupted() {
    if (onInterrupt != null) {
      step("%s", "\nInterrupted. " + onInterrupt);
    }
  }

  /** Shows a line that moves on a terminal, a line every five seconds elsewhere, until closed; nothing where there are no bytes. */
  Closeable progress(String task, long total, LongSupplier done, Supplier<String> state) {
    if (total <= 0) {
      return () -> {};
    }
    var moves = canDraw();
    var width = moves ? columns() - 3 : WIDTH_OF_LOGS; // room for ^C
    var begun = Instant.now();
    Supplier<String> line = () -> ProgressLine.of(task, Math.min(done.getAsLong(), total), total, Duration.between(begun, Instant.now()),
        state.get(), width);
    var clock = Executors.newSingleThreadScheduledExecutor(Console::daemon);
    var pause = moves ? 200 : BETWEEN_LINES.toMillis();
    clock.scheduleAtFixedRate(() -> show(line.get(), moves), moves ? 0 : pause, pause, TimeUnit.MILLISECONDS);
    return () -> {
      clock.shutdownNow();
      step("%s", line.get());
    };
  }

  private synchronized void show(String line, boolean moves) {
    if (moves) {
      drawn = line;
      System.err.print("\r\033[?7l" + line + "\033[K\033[?7h"); // never onto a second line, should the terminal have become narrower
    } else {
      step("%s", line);
    }
  }

  private synchronized void erase() {
    if (!drawn.isEmpty()) {
      drawn = "";
      System.err.print("\r\033[K");
    }
  }

  /** True if stderr is the terminal, not a file, and a terminal that can move its cursor. */
  private boolean canDraw() {
    try {
      return terminal && Files.isSameFile(Path.of("/dev/stdin"), Path.of("/dev/stderr"))
          && System.getenv("NO_COLOR") == null && !"dumb".equals(System.getenv("TERM"));
    } catch (IOException e) {
      return false;
    }
  }

  /** The width of the terminal. A terminal library would take Ctrl-C from the shutdown hooks. */
  private static int columns() {
    try {
      var stty = new ProcessBuilder("stty", "size").redirectInput(ProcessBuilder.Redirect.INHERIT)
          .redirectError(ProcessBuilder.Redirect.DISCARD).start();
      var columns = Integer.parseInt(new String(stty.getInputStream().readAllBytes()).strip().replaceFirst(".* ", ""));
      return columns < 40 ? 80 : columns;
    } catch (IOException | NumberFormatException e) {
      return 80;
    }
  }

  static Thread daemon(Runnable work) {
    var thread = new Thread(work);
    thread.setDaemon(true);
    return thread;
  }

  static String size(long bytes) {
    return ProgressLine.size(bytes);
  }
}

/** The exit codes, the same in all scripts. 130, interrupted, is the shell's own. */
final class Exit {
  static final int DONE = 0;
  static final int UNEXPECTED = 1;
  static final int USAGE = 2;
  static final int BAD_BACKUP = 10;
  static final int UNREACHABLE = 11;
  static final int AUTHENTICATION = 12;
  static final int UNSAFE = 13;
  static final int PARTIAL = 14;
  static final int VERIFICATION = 15;
  static final int DECLINED = 16;

  private Exit() {}
}

/** What went wrong, what to do about it, and the exit code: shown as two lines, without a trace. */
final class Failure extends RuntimeException {
  final int code;
  final String hint;

  Failure(int code, String message, String hint) {
    this(code, message, hint, null);
  }

  Failure(int code, String message, String hint, Throwable cause) {
    super(message, cause);
    this.code = code;
    this.hint = hint;
  }

  /** Any exception as a Failure: what is not one already is unexpected. */
  static Failure of(Throwable thrown) {
    var cause = thrown;
    while (cause.getCause() != null
        && (cause instanceof CompletionException || cause instanceof ExecutionException
            || cause instanceof UncheckedIOException)) {
      cause = cause.getCause();
    }
    if (cause instanceof Failure failure) {
      return failure;
    }
    var message = cause.getMessage() == null ? cause.toString() : cause.getMessage();
    if (cause instanceof FileSystemException file) {
      var words = cause.getClass().getSimpleName().replace("Exception", "").replaceAll("(?<=[a-z])(?=[A-Z])", " ").toLowerCase(Locale.ROOT);
      message = file.getFile() + ": " + (file.getReason() != null ? file.getReason() : words);
    }
    return new Failure(Exit.UNEXPECTED, message, "run again with --verbose for the trace", cause);
  }
}

/** A node of TheHive: this host, or another one through the system's OpenSSH client and its configuration. */
record Host(String name, String destination, String port) {
  private static final Pattern NAMED = Pattern.compile("(?<to>([\\w.-]+@)?(?<host>\\w[\\w.-]*|\\[[0-9a-fA-F:]+]))(:(?<port>\\d+))?");
  private static final String PROPERTIES = "LoadState,ActiveState,SubState,NRestarts,StateChangeTimestamp,InvocationID";

  /** What a command left there; 255 is ssh's own code. */
  record Output(int code, String out, String err) {}

  /** A unit as systemctl(1) describes it: {@code active} is active, inactive, failed, activating or deactivating. */
  record Unit(String load, String active, String sub, int restarts, String since, String invocation, boolean root) {
    /** A masked unit is there, too: it only cannot be started. */
    boolean isInstalled() {
      return load.equals("loaded") || load.equals("masked");
    }

    boolean isStopped() {
      return active.equals("inactive") || active.equals("failed");
    }

    @Override
    public String toString() {
      return active + (sub.isEmpty() || sub.equals("dead") ? "" : " (" + sub + ")");
    }
  }

  /** The hosts of a list such as {@code node1 admin@node2:2222 localhost}, each once. */
  static List<Host> named(String names) {
    return Stream.of(names.strip().split("[\\s,]+")).distinct().map(Host::parse).toList();
  }

  private static Host parse(String name) {
    var match = NAMED.matcher(name);
    if (!match.matches()) {
      throw new Failure(Exit.USAGE, "'%s' is not a host name".formatted(name), "name hosts like node1, admin@node2:2222 or localhost");
    }
    var local = Set.of("localhost", "127.0.0.1", "[::1]").contains(match.group("to")) && match.group("port") == null;
    return new Host(match.group("host"), local ? null : match.group("to").replaceAll("[\\[\\]]", ""), match.group("port"));
  }

  /** Does the same for all side by side; the answers in their order. */
  static <T> List<T> each(List<Host> hosts, Function<Host, T> work) {
    var threads = Executors.newFixedThreadPool(hosts.size());
    try {
      var answers = hosts.stream().map(host -> CompletableFuture.supplyAsync(() -> work.apply(host), threads)).toList();
      return answers.stream().map(CompletableFuture::join).toList();
    } finally {
      threads.shutdown();
    }
  }

  boolean isLocal() {
    return destination == null;
  }

  /** The name or address that ssh connects to: the node's name may be one of its configuration only. */
  String address() {
    if (isLocal()) {
      return "localhost";
    }
    var known = new Host("localhost", null, null).run("ssh -G -- " + destination, Duration.ofSeconds(10)).out();
    return known.lines().filter(line -> line.startsWith("hostname ")).map(line -> line.substring(9)).findFirst().orElse(name);
  }

  /** Never asks and never accepts an unknown host key: a runbook must not hang, and a key is the administrator's to trust. */
  List<String> command(String shell) {
    if (isLocal()) {
      return List.of("sh", "-c", shell);
    }
    var ssh = Stream.of("ssh", "-T", "-o", "BatchMode=yes", "-o", "StrictHostKeyChecking=yes", "-o", "ConnectTimeout=10",
        "-o", "ServerAliveInterval=5", "-o", "ServerAliveCountMax=3");
    var to = port == null ? Stream.of("--", destination) : Stream.of("-p", port, "--", destination);
    return Stream.of(ssh, to, Stream.of("sh -c '" + shell + "'")).flatMap(part -> part).toList();
  }

  /** Runs a shell command there, one without single quotes. Files take its output: a shared ssh connection keeps pipes open. */
  Output run(String shell, Duration limit) {
    try {
      var out = Files.createTempFile("thehive-host", ".out");
      var err = Files.createTempFile("thehive-host", ".err");
      try {
        var process = new ProcessBuilder(command(shell)).redirectInput(new File("/dev/null"))
            .redirectOutput(out.toFile()).redirectError(err.toFile()).start();
        if (!process.waitFor(limit.toMillis(), TimeUnit.MILLISECONDS)) {
          process.destroyForcibly();
          throw new Failure(Exit.UNREACHABLE, "%s: no answer within %d s to: %s".formatted(name, limit.toSeconds(), shell), null);
        }
        var output = new Output(process.exitValue(), Files.readString(out), Files.readString(err).strip());
        return isLocal() || output.code() != 255 ? output : unreachable(output.err());
      } finally {
        Files.delete(out);
        Files.delete(err);
      }
    } catch (IOException e) {
      throw new Failure(Exit.UNREACHABLE, "%s: %s".formatted(name, e.getMessage()), "the OpenSSH client is needed for other hosts", e);
    } catch (InterruptedException e) {
      throw new Failure(Exit.UNREACHABLE, name + ": interrupted", null, e);
    }
  }

  private Output unreachable(String said) {
    var reason = last(said).replaceFirst("^ssh: ", "");
    var by = "ssh " + (port == null ? "" : "-p " + port + " ") + destination;
    if (said.contains("Permission denied")) {
      throw new Failure(Exit.AUTHENTICATION, "%s: ssh: %s".formatted(name, reason), "log in with a key, without a password: " + by);
    }
    throw new Failure(Exit.UNREACHABLE, "%s: ssh: %s".formatted(name, reason), said.contains("Host key verification failed")
        ? "compare its host key and accept it by hand: " + by : "try it by hand: " + by);
  }

  static String last(String lines) {
    return lines.strip().replaceFirst("(?s).*\\R", "").strip();
  }

  Unit unit(String service) {
    var output = run("id -u; LC_ALL=C systemctl show --property=%s -- %s".formatted(PROPERTIES, service), Duration.ofSeconds(30));
    if (output.code() != 0) {
      throw new Failure(Exit.UNSAFE, "%s has no systemd that answers: %s".formatted(name, last(output.err())),
          "look after TheHive there by hand: in its container, or with its own start script");
    }
    var lines = output.out().lines().toList();
    var is = lines.stream().filter(line -> line.contains("=")).map(line -> line.split("=", 2))
        .collect(Collectors.toMap(pair -> pair[0], pair -> pair[1], (one, other) -> one));
    return new Unit(is.getOrDefault("LoadState", ""), is.getOrDefault("ActiveState", ""), is.getOrDefault("SubState", ""),
        Integer.parseInt(is.getOrDefault("NRestarts", "0")), is.getOrDefault("StateChangeTimestamp", ""),
        is.getOrDefault("InvocationID", ""), lines.get(0).equals("0"));
  }
}

/** JSON, as reports, markers, results and the Elasticsearch API use it. */
final class Json {
  static final ObjectMapper MAPPER = JsonMapper.builder().enable(SerializationFeature.INDENT_OUTPUT)
      .enable(EnumFeature.WRITE_ENUMS_TO_LOWERCASE).build();

  private Json() {}

  /** What {@code --json} prints where a script ends with a failure. */
  static String failure(String script, Failure failure) {
    return MAPPER.createObjectNode().put("script", script).put("exit", failure.code)
        .put("error", failure.getMessage()).put("hint", failure.hint).toPrettyString();
  }
}

enum Kind {
  FOLDER, FILE, SPARSE, LINK
}

/**
 * A file, folder or symbolic link of a backup of attachments. There may be a million: no more here than is needed.
 *
 * @param path the name below the backup's own folder, which has the empty name, as UTF-8
 * @param offset where the bytes begin in a plain tar
 * @param mode -1 where the archive does not tell
 * @param time of the last change in nanoseconds, NO_TIME where the archive does not tell
 * @param more the header in a zip, where a symbolic link leads, else null
 */
record Member(Kind kind, byte[] path, long size, long offset, int mode, long time, Owner owner, Object more) {
  static final long NO_TIME = Long.MIN_VALUE;

  String name() {
    return new String(path, StandardCharsets.UTF_8);
  }
}

/** The members of a backup of attachments by number, in the archive's order, and by name. Reading them proves it complete. */
final class Members implements Closeable {
  /** With this begins what restore-files-nfs.java makes in the folder: a backup may have caught it. */
  static final String LEFTOVER = ".restore-files-nfs";
  private static final Pattern ROOT = Pattern.compile("(files|minio|seaweedfs)_\\d{8}_\\d\\dh\\d\\dm\\d\\ds");
  final Archive archive;
  final List<Member> all = new ArrayList<>();
  int files;
  long bytes;
  boolean leftover;
  private final boolean compressed;
  private final Map<Owner, Owner> owners = new HashMap<>();
  private int[] slots = new int[1 << 12];
  private boolean questionable;
  private String root;

  interface Bytes {
    InputStream open() throws IOException;
  }

  interface Reader {
    void read(int lane, int i, Bytes bytes) throws Exception;
  }

  Members(Path file, Optional<String> password) {
    archive = new Archive(file, password);
    compressed = file.toString().matches(".*\\.(gz|zst)");
    try {
      if (compressed) {
        indexCompressed();
      } else {
        archive.index(this::add);
      }
      addFolders();
      requireUtf8();
      proveZip();
    } catch (IOException e) {
      throw archive.broken(e.getMessage(), e);
    }
  }

  private void indexCompressed() throws IOException {
    try (var stream = BoundedInputStream.builder().setInputStream(stream()).get(); var tar = new TarArchiveInputStream(stream, "UTF-8")) {
      var end = 0L;
      for (var header = tar.getNextEntry(); header != null; header = tar.getNextEntry()) {
        if (!header.isCheckSumOK()) {
          throw broken(header.getName(), "has a damaged header");
        }
        add(new ArchiveEntry(archive.safe(header.getName()), header.isDirectory(), header.isFile(), header.getSize(), -1, header));
        end = stream.getCount() + (header.isSparse() ? 0 : (header.getSize() + 511) / 512 * 512);
      }
      IOUtils.consume(stream);
      if (end == 0 || stream.getCount() < end + 512) {
        throw archive.broken("it is cut short", null);
      }
      if (stream.getCount() > end + Archive.LONGEST_END) {
        throw archive.broken("its members end after %d of %d bytes: the rest was never written".formatted(end, stream.getCount()), null);
      }
    }
  }

  private InputStream stream() throws IOException {
    var in = new BufferedInputStream(Files.newInputStream(archive.path), 1 << 16);
    return !compressed ? in : archive.path.toString().endsWith(".gz")
        ? GzipCompressorInputStream.builder().setInputStream(in).setDecompressConcatenated(true).get() : new ZstdCompressorInputStream(in);
  }

  private void add(ArchiveEntry entry) {
    var name = relative(entry.name());
    if (name.startsWith(LEFTOVER)) {
      leftover = true;
      return;
    }
    add(entry.header() instanceof TarArchiveEntry header ? member(name, header, entry.offset()) : member(name, entry, (FileHeader) entry.header()));
  }

  private String relative(String entry) {
    var name = entry.replaceFirst("^([^/]+)/\\.(?=/|$)", "$1");
    var top = name.split("/", 2)[0];
    if (root == null && ROOT.matcher(top).matches()) {
      root = top;
    }
    if (!top.equals(root)) {
      throw broken(entry, "is not in a folder <component>_<timestamp>");
    }
    if (List.of(name.split("/")).contains(".")) {
      throw broken(entry, "has a name that no file can have");
    }
    return name.length() == top.length() ? "" : name.substring(top.length() + 1);
  }

  private Member member(String name, TarArchiveEntry header, long offset) {
    var kind = header.isDirectory() ? Kind.FOLDER : header.isSparse() ? Kind.SPARSE : switch (header.getLinkFlag()) {
      case TarConstants.LF_NORMAL, TarConstants.LF_OLDNORM, TarConstants.LF_CONTIG, TarConstants.LF_LINK -> Kind.FILE;
      case TarConstants.LF_SYMLINK -> Kind.LINK;
      default -> throw refused(name, "is a device or something else that is neither file, folder nor link");
    };
    var link = header.getLinkName();
    if (kind == Kind.LINK) {
      requireInside(name, link);
    }
    var size = header.isSparse() ? header.getRealSize() : header.isFile() ? header.getSize() : 0;
    if (header.isLink()) {
      var first = find(link.replaceFirst("^(\\./)?" + root + "/(\\./)?", ""));
      if (first < 0 || !isDirect(first)) {
        throw refused(name, "is a hard link to '%s', which %s".formatted(shown(link), first < 0 ? "is no file before it" : "cannot be read again"));
      }
      size = all.get(first).size();
      offset = all.get(first).offset();
    }
    var owner = new Owner(header.getUserName(), header.getLongUserId(), header.getGroupName(), header.getLongGroupId());
    return new Member(kind, name.getBytes(StandardCharsets.UTF_8), size, offset, header.getMode(),
        header.getLastModifiedTime().to(TimeUnit.NANOSECONDS), owners.computeIfAbsent(owner, same -> same), kind == Kind.LINK ? link : null);
  }

  private Member member(String name, ArchiveEntry entry, FileHeader header) {
    var mode = (header.getExternalFileAttributes()[3] & 0xff) << 8 | header.getExternalFileAttributes()[2] & 0xff;
    var type = mode & 0170000;
    if (type != 0 && type != (entry.folder() ? 0040000 : 0100000)) {
      throw refused(name, "is a link or a device, which a zip should not hold");
    }
    return new Member(entry.folder() ? Kind.FOLDER : Kind.FILE, name.getBytes(StandardCharsets.UTF_8), entry.folder() ? 0 : entry.size(), -1,
        type == 0 ? -1 : mode & 07777, TimeUnit.MILLISECONDS.toNanos(header.getLastModifiedTimeEpoch()), Owner.UNKNOWN, header);
  }

  private void add(Member member) {
    var name = member.name();
    if (name.isEmpty() && member.kind() != Kind.FOLDER) {
      throw refused(name, "is no folder");
    }
    if (slots[slot(member.path())] != 0) {
      throw refused(name, "is there twice");
    }
    all.add(member);
    files += member.kind() == Kind.FOLDER ? 0 : 1;
    bytes += member.size();
    questionable |= name.indexOf('?') >= 0;
    if (all.size() * 2 > slots.length) {
      slots = new int[slots.length * 2];
      for (int i = 0; i < all.size() - 1; i++) {
        slots[slot(all.get(i).path())] = i + 1;
      }
    }
    slots[slot(member.path())] = all.size();
  }

  /** A link is followed from the folder it lies in, which is a real one: so only leading ".." can be counted. */
  private void requireInside(String name, String link) {
    var parts = List.of(link.split("/"));
    var ups = Collections.frequency(parts, "..");
    if (link.isEmpty() || link.startsWith("/") || link.indexOf('\0') >= 0 || parts.lastIndexOf("..") != ups - 1 || ups > name.split("/").length - 1) {
      throw refused(name, "is a link that leaves the folder, to '%s'".formatted(shown(link)));
    }
  }

  /** Adds folders that no entry names; refuses what would have to lie in something that is no folder. */
  private void addFolders() {
    for (int i = 0; i < all.size(); i++) {
      var name = all.get(i).name();
      var parent = name.substring(0, Math.max(0, name.lastIndexOf('/')));
      var at = find(parent);
      if (at < 0) {
        add(new Member(Kind.FOLDER, parent.getBytes(StandardCharsets.UTF_8), 0, -1, -1, Member.NO_TIME, Owner.UNKNOWN, null));
      } else if (all.get(at).kind() != Kind.FOLDER) {
        throw refused(name, "lies in something that is no folder");
      }
    }
  }

  /** A byte that is not UTF-8 was read as a question mark: where there is one, the bytes themselves are looked at. */
  private void requireUtf8() throws IOException {
    if (!questionable || archive.zip != null) {
      return;
    }
    try (var tar = new TarArchiveInputStream(stream(), "ISO-8859-1")) {
      for (var header = tar.getNextEntry(); header != null; header = tar.getNextEntry()) {
        try {
          StandardCharsets.UTF_8.newDecoder().decode(ByteBuffer.wrap(header.getName().getBytes(StandardCharsets.ISO_8859_1)));
        } catch (CharacterCodingException e) {
          // Names in PAX headers are UTF-8 whatever the encoding: those were found right the first time.
          if (find(relative(archive.safe(header.getName()))) < 0) {
            throw broken(header.getName(), "has a name that is not UTF-8");
          }
        }
      }
    }
  }

  /** A zip has checksums: a damaged entry, or another password, is known before the first change. */
  private void proveZip() {
    if (archive.zip == null) {
      return;
    }
    IntStream.range(0, all.size()).parallel().filter(i -> all.get(i).kind() == Kind.FILE).forEach(i -> {
      try (var in = archive.open(entry(i))) {
        if (IOUtils.consume(in) != all.get(i).size()) {
          throw new EOFException("it has not the size that it names");
        }
      } catch (IOException e) {
        throw refused(all.get(i).name(), "is damaged: " + e.getMessage());
      }
    });
  }

  Failure refused(String name, String why) {
    return broken(root + "/" + name, why);
  }

  private Failure broken(String entry, String why) {
    return archive.broken("its entry '%s' %s".formatted(shown(entry), why), null);
  }

  static String shown(String name) {
    return name.replaceAll("\\p{Cntrl}", "?");
  }

  /** The member's number, or -1. */
  int find(String name) {
    return slots[slot(name.getBytes(StandardCharsets.UTF_8))] - 1;
  }

  private int slot(byte[] path) {
    var hash = Arrays.hashCode(path) * 0x9E3779B9;
    for (var slot = (hash ^ hash >>> 15) & slots.length - 1; ; slot = slot + 1 & slots.length - 1) {
      if (slots[slot] == 0 || Arrays.equals(all.get(slots[slot] - 1).path(), path)) {
        return slot;
      }
    }
  }

  /** Whether its bytes can be read at any time, in any order. */
  boolean isDirect(int i) {
    return !compressed && all.get(i).kind() == Kind.FILE;
  }

  ArchiveEntry entry(int i) {
    var member = all.get(i);
    return new ArchiveEntry(member.name(), false, true, member.size(), member.offset(), member.more());
  }

  /** Gives every wanted file to the reader: in the archive's order by all workers, where that cannot be in one pass by one. */
  void read(Workers workers, IntPredicate wanted, Reader reader) throws IOException {
    workers.run(all.size(), (lane, i) -> {
      if (isDirect(i) && wanted.test(i)) {
        reader.read(lane, i, () -> archive.open(entry(i)));
      }
    });
    IntPredicate streamed = i -> all.get(i).kind() == Kind.SPARSE || compressed && all.get(i).kind() == Kind.FILE;
    if (IntStream.range(0, all.size()).anyMatch(i -> streamed.test(i) && wanted.test(i))) {
      workers.run(1, (lane, once) -> {
        try (var tar = new TarArchiveInputStream(stream(), "UTF-8")) {
          for (var header = tar.getNextEntry(); header != null; header = tar.getNextEntry()) {
            var i = find(relative(archive.safe(header.getName())));
            if (i >= 0 && streamed.test(i) && wanted.test(i)) {
              reader.read(lane, i, () -> CloseShieldInputStream.wrap(tar));
            }
          }
        }
      });
    }
  }

  @Override
  public void close() throws IOException {
    archive.close();
  }
}

/** Settings are the environment variables of the documented procedure; an option overrides its variable. */
final class OldSettings {
  private OldSettings() {}

  /** A variable that is set but blank is a mistake, never a value; each option's description names its variable. */
  static void refuseBlank(CommandSpec command) {
    for (var option : command.options()) {
      Pattern.compile("\\(([A-Z_]{4,})").matcher(String.join(" ", option.description())).results()
          .forEach(name -> variable(name.group(1)));
      if (String.valueOf((Object) option.getValue()).isBlank()) {
        throw new Failure(Exit.USAGE, option.longestName() + " is blank", "give it a value, or leave it out");
      }
    }
  }

  static Optional<String> variable(String name) {
    var value = Optional.ofNullable(System.getenv(name));
    if (value.filter(String::isBlank).isPresent()) {
      throw new Failure(Exit.USAGE, name + " is set but blank", "give it a value, or unset it");
    }
    return value;
  }

  /** A secret from the variable NAME, or from the file that NAME_FILE names (its last line break is not part of it). */
  static Optional<String> secret(String name) {
    var value = variable(name);
    var file = variable(name + "_FILE");
    if (value.isPresent() && file.isPresent()) {
      throw new Failure(Exit.USAGE, name + " and " + name + "_FILE are both set", "unset one of them");
    }
    if (file.isEmpty()) {
      return value;
    }
    try {
      return Optional.of(Files.readString(Path.of(file.get())).replaceFirst("\\R\\z", ""));
    } catch (IOException | InvalidPathException e) {
      throw new Failure(Exit.USAGE, "cannot read " + name + "_FILE " + file.get() + ": " + e.getMessage(), "check path and mode");
    }
  }

  /** A secret as above, else asked for on a terminal, else none. */
  static Optional<String> secretOrPrompt(String name, String question) {
    var secret = secret(name);
    if (secret.isPresent() || System.console() == null) {
      return secret;
    }
    return Optional.ofNullable(System.console().readPassword("%s: ", question)).map(String::new);
  }
}

/** Who owns a member; empty and -1 where the archive does not tell. */
record Owner(String user, long uid, String group, long gid) {
  static final Owner UNKNOWN = new Owner("", -1, "", -1);
}

/** A user and a group of this host; null where there is none. */
record Principals(UserPrincipal user, GroupPrincipal group) {
  static final Principals NONE = new Principals(null, null);
  private static final UserPrincipalLookupService LOOKUP = FileSystems.getDefault().getUserPrincipalLookupService();

  private interface Lookup<T> {
    T by(String name) throws IOException;
  }

  /** Reads {@code user}, {@code user:group} or {@code :group}, as ATTACHMENT_OWNER has it. */
  static Principals parse(Optional<String> text) {
    var parts = text.orElse("").split(":", 2);
    var user = parts[0];
    var group = parts.length < 2 ? "" : parts[1];
    var known = of(new Owner(user, -1, group, -1));
    if (known.user == null && !user.isEmpty() || known.group == null && !group.isEmpty()) {
      throw new Failure(Exit.USAGE, "ATTACHMENT_OWNER %s: not known on this host".formatted(text.get()),
          "name a user and a group, such as thehive:thehive");
    }
    return known;
  }

  /** Looks an owner up by name, then by number. */
  static Principals of(Owner owner) {
    return new Principals(find(LOOKUP::lookupPrincipalByName, owner.user(), owner.uid()),
        find(LOOKUP::lookupPrincipalByGroupName, owner.group(), owner.gid()));
  }

  static Principals of(Path path) throws IOException {
    return of(Files.readAttributes(path, PosixFileAttributes.class, LinkOption.NOFOLLOW_LINKS));
  }

  static Principals of(PosixFileAttributes attributes) {
    return new Principals(attributes.owner(), attributes.group());
  }

  /** Java takes a number above 2^31 as the negative number of the same bits; 2^32-1 means "leave as it is" to chown. */
  private static <T> T find(Lookup<T> lookup, String name, long number) {
    var hasNumber = number >= 0 && number < 0xffffffffL;
    for (var text : Stream.of(name, hasNumber ? "" + (int) number : "").filter(text -> !text.isEmpty()).toList()) {
      try {
        return lookup.by(text);
      } catch (IOException e) {
        // not known by this name: the number is next
      }
    }
    return null;
  }

  Principals or(Principals others) {
    return new Principals(user != null ? user : others.user, group != null ? group : others.group);
  }

  /** True if both are those of the other, or not set here. */
  boolean agreeWith(Principals others) {
    return (user == null || user.equals(others.user)) && (group == null || group.equals(others.group));
  }

  boolean isRoot() {
    return user != null && user.equals(find(LOOKUP::lookupPrincipalByName, "", 0));
  }

  @Override
  public String toString() {
    return shown(user) + (group == null ? "" : ":" + shown(group));
  }

  private static String shown(UserPrincipal principal) {
    var name = principal == null ? "" : principal.getName();
    return name.matches("-\\d+") ? Integer.toUnsignedString(Integer.parseInt(name)) : name;
  }
}

/** The line that shows how far a step is. */
final class ProgressLine {
  private static final int BAR = 20;
  private static final int NARROW = 60;

  private ProgressLine() {}

  /**
   * Returns one line of at most {@code width} characters: task, bar, bytes, rate, elapsed and left time, state. What does
   * not fit is left out from the end, never cut within a word; a narrow line has no bar.
   *
   * @param done bytes of {@code total} that are done
   * @param state a few words, such as {@code 3 of 9 tables}; may be empty
   */
  static String of(String task, long done, long total, Duration elapsed, String state, int width) {
    var millis = Math.max(1, elapsed.toMillis());
    var rate = done * 1000 / millis;
    var text = " %s of %s".formatted(size(done), size(total));
    var more = new StringBuilder(rate > 0 ? ", %s/s".formatted(size(rate)) : "").append(", elapsed ").append(clock(elapsed.toSeconds()));
    if (rate > 0 && done < total) {
      more.append(", left ").append(clock((total - done + rate - 1) / rate));
    }
    if (!state.isEmpty()) {
      more.append(", ").append(state);
    }
    var bar = width < NARROW ? "" : " [" + bar(done, total) + "]";
    var words = more.toString();
    while (!words.isEmpty() && task.length() + bar.length() + text.length() + words.length() > width) {
      words = words.substring(0, Math.max(0, words.lastIndexOf(", ")));
    }
    return task + bar + text + words;
  }

  private static String bar(long done, long total) {
    var full = total <= 0 ? BAR : (int) Math.min(BAR, done * BAR / total);
    return "=".repeat(full) + " ".repeat(BAR - full);
  }

  private static String clock(long seconds) {
    return seconds < 3600 ? "%d:%02d".formatted(seconds / 60, seconds % 60)
        : "%d:%02d:%02d".formatted(seconds / 3600, seconds / 60 % 60, seconds % 60);
  }

  /** A number of bytes as an administrator reads it, such as {@code 12 MB}. */
  static String size(long bytes) {
    return bytes < 1_000_000 ? (bytes + 999) / 1000 + " kB"
        : bytes < 10_000_000_000L ? (bytes + 500_000) / 1_000_000 + " MB" : (bytes + 500_000_000L) / 1_000_000_000L + " GB";
  }
}

/** The console of a restore: asks before anything is overwritten, and refuses what only --force goes on with. */
final class RestoreConsole extends Console {
  @Option(names = "--dry-run", description = "do every check, print the plan, change nothing")
  boolean dryRun;

  @Option(names = "--yes", defaultValue = "${env:ASSUME_YES:-false}", fallbackValue = "true",
      description = "do not ask before overwriting (ASSUME_YES)")
  boolean yes;

  @Option(names = "--force", description = "go on although TheHive runs or another client is connected")
  boolean force;

  private final List<Failure> reasons = new ArrayList<>();

  /** Throws the reason; with --force it is a warning, and a dry run goes on and tells it again at its end. */
  synchronized void refuseUnlessForced(Failure reason) {
    if (!force && !dryRun) {
      throw reason;
    }
    warn("%s", reason.getMessage());
    if (!force) {
      reasons.add(reason);
    }
  }

  /** Requires that TheHive runs on none of its nodes, as far as they can be asked. */
  void requireTheHiveStopped(TheHiveSettings settings) {
    Host.each(settings.hosts(), host -> new TheHiveNode(host, settings).reasonNotToRestore().orElse(null)).stream()
        .filter(Objects::nonNull).forEach(this::refuseUnlessForced);
  }

  /** Shows the plan; then the name of what will be overwritten is to be typed, unless --yes answered already. */
  void confirm(List<String> plan, String name) {
    plan.forEach(line -> step("%s", line));
    if (dryRun || yes) {
      return;
    }
    if (!terminal) {
      throw new Failure(Exit.DECLINED, "not confirmed: there is no terminal to ask on, nothing was changed",
          "add --yes or set ASSUME_YES=true");
    }
    if (!name.equals(System.console().readLine("%nType %s to overwrite it: ", name))) {
      throw new Failure(Exit.DECLINED, "not confirmed, nothing was changed", null);
    }
  }

  /** Says at the end of a dry run what a real run would do; returns the exit code that it would begin with. */
  int endDryRun() {
    if (reasons.isEmpty()) {
      step("Dry run: every check passed, nothing was changed.");
      return Exit.DONE;
    }
    var first = reasons.get(0);
    step("Dry run: a real run would refuse now, exit %d: %s", first.code, first.getMessage());
    if (first.hint != null) {
      step("hint: %s", first.hint);
    }
    return first.code;
  }
}

/**
 * The lock, the marker of an unfinished restore and the report, beside the archives or in RESTORE_STATE_PATH. The marker
 * stands from the first change to the success; while it stands, TheHive must not be started.
 */
final class RestoreRun implements Closeable {
  private final Path folder;
  private final String script;
  private final Path marker;
  private final FileChannel lock;
  private final Instant started = Instant.now();

  RestoreRun(Path folder, String script, boolean dryRun) {
    this.folder = folder;
    this.script = script;
    this.marker = folder.resolve(script + ".unfinished");
    this.lock = dryRun && !Files.isWritable(folder) ? null : lock(folder.resolve("." + script + ".lock"));
  }

  private static FileChannel lock(Path file) {
    try {
      var lock = FileChannel.open(file, StandardOpenOption.CREATE, StandardOpenOption.WRITE);
      if (lock.tryLock() == null) {
        throw new Failure(Exit.UNSAFE, "another restore is running: %s is locked".formatted(file), "wait for its end");
      }
      return lock;
    } catch (IOException e) {
      throw new Failure(Exit.UNSAFE, "cannot write to %s: %s".formatted(file.getParent(), Failure.of(e).getMessage()),
          "lock, marker and report are kept there: make it writable, or name another folder with RESTORE_STATE_PATH");
    }
  }

  /** What an interrupted run left for this one; empty when there was none. */
  JsonNode unfinished() {
    try {
      return Files.exists(marker) ? Json.MAPPER.readTree(marker.toFile()) : Json.MAPPER.createObjectNode();
    } catch (IOException e) {
      throw new Failure(Exit.UNSAFE, "cannot read %s: %s".formatted(marker, e.getMessage()), "remove it if no restore is unfinished");
    }
  }

  /** Marks parts as unfinished: to be called before the first change. Safe on disk when it returns. */
  synchronized void begin(Set<String> parts) throws IOException {
    var open = new TreeSet<>(parts);
    unfinished().path("unfinished").forEach(part -> open.add(part.asText()));
    remember("unfinished", open);
  }

  /** Adds to the marker what a run after this one would need to know. */
  synchronized void remember(String name, Object value) throws IOException {
    write(marker, ((ObjectNode) unfinished()).set(name, Json.MAPPER.valueToTree(value)));
  }

  /** Writes the report, and takes finished parts from the marker; the marker goes with the last. */
  synchronized Path end(int code, Set<String> finished, Map<String, ?> what) throws IOException {
    var report = Json.MAPPER.createObjectNode().put("script", script).put("started", started.toString())
        .put("seconds", Duration.between(started, Instant.now()).toMillis() / 1000.0).put("exit", code);
    what.forEach((name, value) -> report.set(name, Json.MAPPER.valueToTree(value)));
    var file = folder.resolve(script + "_" + BackupSet.STAMP.format(LocalDateTime.now()) + ".json");
    write(file, report);
    var open = new TreeSet<String>();
    unfinished().path("unfinished").forEach(part -> open.add(part.asText()));
    open.removeAll(finished);
    if (open.isEmpty()) {
      Files.deleteIfExists(marker);
    } else {
      remember("unfinished", open);
    }
    return file;
  }

  private static void write(Path file, Object what) throws IOException {
    var temporary = file.resolveSibling(file.getFileName() + ".tmp");
    try (var out = FileChannel.open(temporary, StandardOpenOption.CREATE, StandardOpenOption.WRITE,
        StandardOpenOption.TRUNCATE_EXISTING)) {
      out.write(ByteBuffer.wrap(Json.MAPPER.writeValueAsBytes(what)));
      out.force(true);
    }
    Files.move(temporary, file, StandardCopyOption.ATOMIC_MOVE);
  }

  @Override
  public void close() throws IOException {
    if (lock != null) {
      lock.close();
    }
  }
}

/**
 * The settings of one run. A variable wins over TheHive's own configuration file, which wins over the default of the
 * documented procedure.
 */
final class Settings {
  static final Variable CONFIG = Variable.optional("THEHIVE_CONFIG");
  private static final String BYTE_ORDER_MARK = "\uFEFF";
  private final Map<String, String> environment;
  private final Map<String, String> configured;
  private final String configFile;

  Settings(Map<String, String> environment) {
    this(environment, Map.of(), "");
  }

  /** @param configured what TheHive's configuration file says, by the names of the variables */
  Settings(Map<String, String> environment, Map<String, String> configured, String configFile) {
    this.environment = environment;
    this.configured = configured;
    this.configFile = configFile;
  }

  static Settings fromEnvironment() {
    var named = new Settings(System.getenv()).optionalPath(CONFIG);
    var file = named.orElse(TheHiveConfig.USUAL);
    if (named.isEmpty() && !Files.isReadable(file)) {
      return new Settings(System.getenv());
    }
    if (!Files.isReadable(file)) {
      throw new Failure(Exit.USAGE, "cannot read TheHive's configuration %s, which THEHIVE_CONFIG names".formatted(file), "check its path, owner and mode");
    }
    return new Settings(System.getenv(), TheHiveConfig.read(file), file.toString());
  }

  /** True if a variable or TheHive's configuration names it: only a default is not. */
  boolean isSet(Variable variable) {
    return isVariable(variable) || configured.containsKey(variable.name());
  }

  private boolean isVariable(Variable variable) {
    return environment.containsKey(variable.name()) || variable.secret() && environment.containsKey(variable.name() + "_FILE");
  }

  /** The variable's value, or its default; empty where there is neither. */
  Optional<String> optional(Variable variable) {
    var value = environment.get(variable.name());
    if (value == null && configured.containsKey(variable.name())) {
      return Optional.of(configured.get(variable.name()));
    }
    if (value == null) {
      return Optional.of(variable.fallback()).filter(fallback -> !fallback.isEmpty());
    }
    requireClean(variable.name(), value);
    return Optional.of(value);
  }

  /** The value of a variable that has a default. */
  String text(Variable variable) {
    return optional(variable).orElseThrow(() -> new Failure(Exit.USAGE, variable.name() + " is not set", "give it a value"));
  }

  Optional<Path> optionalPath(Variable variable) {
    return optional(variable).map(value -> path(variable, value));
  }

  Path path(Variable variable) {
    return path(variable, text(variable));
  }

  private static Path path(Variable variable, String value) {
    try {
      return Path.of(value);
    } catch (InvalidPathException e) {
      throw new Failure(Exit.USAGE, "%s '%s' is not a path: %s".formatted(variable.name(), value, e.getReason()), "give it a path");
    }
  }

  boolean flag(Variable variable) {
    var value = optional(variable).orElse("false");
    if (!value.matches("(?i)true|false")) {
      throw new Failure(Exit.USAGE, "%s is '%s'".formatted(variable.name(), value), "set it to true or false");
    }
    return Boolean.parseBoolean(value);
  }

  /** A secret from its variable, or from the file that the variable with {@code _FILE} names, without its last line break. */
  Optional<String> secret(Variable variable) {
    var value = Optional.ofNullable(environment.get(variable.name()));
    var file = optional(Variable.optional(variable.name() + "_FILE"));
    if (value.isPresent() && file.isPresent()) {
      throw new Failure(Exit.USAGE, "%s and %s_FILE are both set".formatted(variable.name(), variable.name()), "unset one of them");
    }
    value.ifPresent(secret -> requireNotBlank(variable.name(), secret));
    return file.isPresent() ? Optional.of(read(variable.name() + "_FILE", file.get()))
        : value.or(() -> Optional.ofNullable(configured.get(variable.name())));
  }

  private static String read(String name, String file) {
    try {
      var secret = Files.readString(Path.of(file)).replaceFirst("\\R\\z", "");
      if (secret.isBlank()) {
        throw new Failure(Exit.USAGE, "%s names %s, which is empty".formatted(name, file), "write the secret into it");
      }
      return secret;
    } catch (IOException | InvalidPathException e) {
      throw new Failure(Exit.USAGE, "cannot read %s, which %s names: %s".formatted(file, name, Failure.of(e).getMessage()),
          "check its path, owner and mode");
    }
  }

  /** A secret as above; where there is none, it is asked for on a terminal. */
  Optional<String> secretOrPrompt(Variable variable, String question) {
    var secret = secret(variable);
    var terminal = System.console();
    return secret.isPresent() || terminal == null ? secret
        : Optional.ofNullable(terminal.readPassword("%s: ", question)).map(String::new);
  }

  private static void requireNotBlank(String name, String value) {
    if (value.isBlank()) {
      throw new Failure(Exit.USAGE, name + " is set but blank", "give it a value, or unset it");
    }
  }

  /** What an editor on Windows, or a shell that keeps quotes, leaves in a value is not meant. */
  private static void requireClean(String name, String value) {
    requireNotBlank(name, value);
    if (value.startsWith(BYTE_ORDER_MARK)) {
      throw new Failure(Exit.USAGE, name + " begins with a byte order mark", "save the file it comes from as UTF-8 without a byte order mark");
    }
    if (value.endsWith("\r")) {
      throw new Failure(Exit.USAGE, name + " ends with a carriage return", "the file it comes from was edited on Windows: dos2unix mends it");
    }
    if (value.length() > 1 && value.matches("(?s)([\"']).*\\1")) {
      throw new Failure(Exit.USAGE, "%s has quotes around its value: %s".formatted(name, value), "leave out the quotes");
    }
  }

  /** The documentation shows a password in CASSANDRA_CONNECTION; URLs may hold one, too. */
  private static String withoutSecrets(String value) {
    return value.replaceAll("(\\s|^)(-p|--password)(\\s*=?\\s*).+", "$1$2 (not shown)").replaceAll("(://)[^,]*@", "$1(not shown)@");
  }

  /** Lines for the help: each variable that has a value, with the value and where it comes from, then the others. */
  List<String> describe(List<Variable> variables) {
    var lines = new ArrayList<String>();
    for (var variable : variables) {
      if (isSet(variable) || !variable.fallback().isEmpty()) {
        lines.add("  %-34s %s (%s)".formatted(variable.name(), shown(variable), origin(variable)));
      }
    }
    var unset = variables.stream().filter(variable -> !isSet(variable) && variable.fallback().isEmpty()).toList();
    if (!unset.isEmpty()) {
      lines.add("  Not set: " + unset.stream().map(variable -> variable.name() + (variable.secret() ? "[_FILE]" : ""))
          .collect(Collectors.joining(", ")));
    }
    return lines;
  }

  private String shown(Variable variable) {
    return isSet(variable) && variable.secret() ? "not shown"
        : withoutSecrets(environment.getOrDefault(variable.name(), configured.getOrDefault(variable.name(), variable.fallback())));
  }

  private String origin(Variable variable) {
    return isVariable(variable) ? "set" : configured.containsKey(variable.name()) ? configFile : "default";
  }

  /** Warnings: a variable that contradicts TheHive's configuration, and one whose name is almost that of a setting. */
  List<String> warnings(List<Variable> variables) {
    var warnings = new ArrayList<String>();
    for (var variable : variables) {
      var configuredValue = configured.get(variable.name());
      var value = environment.get(variable.name());
      if (configuredValue != null && value != null && !value.equals(configuredValue)) {
        warnings.add(variable.secret() ? "%s is not what %s says".formatted(variable.name(), configFile)
            : "%s is %s, but %s says %s".formatted(variable.name(), withoutSecrets(value), configFile, withoutSecrets(configuredValue)));
      }
    }
    var names = variables.stream().flatMap(variable -> variable.secret() ? Stream.of(variable.name(), variable.name() + "_FILE")
        : Stream.of(variable.name())).toList();
    for (var name : new TreeSet<>(environment.keySet())) {
      names.stream().filter(known -> !names.contains(name) && isAlmost(name, known)).findFirst()
          .ifPresent(known -> warnings.add("%s is set, but nothing reads it: is %s meant?".formatted(name, known)));
    }
    return warnings;
  }

  /** True if one letter is missing, added or another one, or two neighbours have changed places. */
  static boolean isAlmost(String name, String known) {
    if (name.length() < 8 || Math.abs(name.length() - known.length()) > 1) {
      return false;
    }
    var at = 0;
    while (at < Math.min(name.length(), known.length()) && name.charAt(at) == known.charAt(at)) {
      at++;
    }
    var one = name.substring(at);
    var other = known.substring(at);
    if (one.length() == other.length()) {
      return one.length() > 0 && one.substring(1).equals(other.substring(1))
          || one.length() > 1 && one.charAt(0) == other.charAt(1) && one.charAt(1) == other.charAt(0) && one.substring(2).equals(other.substring(2));
    }
    return one.length() > other.length() ? one.substring(1).equals(other) : other.substring(1).equals(one);
  }
}

/**
 * TheHive's own configuration file as a source of settings: what it says of database, index and attachments, by the names
 * of the variables. Keys of TheHive 5.0 and 4 are read, too, where they differ.
 */
final class TheHiveConfig {
  static final Path USUAL = Path.of("/etc/thehive/application.conf");

  private TheHiveConfig() {}

  static Map<String, String> read(Path file) {
    try {
      // Secrets often come from variables of TheHive's own service, which are not set here.
      return settings(ConfigFactory.parseFile(file.toFile()).resolve(ConfigResolveOptions.defaults().setAllowUnresolved(true)));
    } catch (ConfigException e) {
      throw new Failure(Exit.USAGE, "cannot read TheHive's configuration %s: %s".formatted(file, e.getMessage()),
          "THEHIVE_CONFIG names it; set THEHIVE_CONFIG=/dev/null to go on without it");
    }
  }

  /** The settings that the configuration gives, each by the name of its variable. */
  static Map<String, String> settings(com.typesafe.config.Config config) {
    var settings = new LinkedHashMap<String, String>();
    put(settings, "CASSANDRA_KEYSPACE", first(config, "db.janusgraph.storage.cql.keyspace"));
    put(settings, "CASSANDRA_CONNECTION", list(config, "db.janusgraph.storage.hostname").map(hosts -> String.join(",", hosts)
        + first(config, "db.janusgraph.storage.port").map(" "::concat).orElse("")));
    put(settings, "CASSANDRA_THEHIVE_USER", first(config, "db.janusgraph.storage.username", "db.janusgraph.storage.cql.username"));
    put(settings, "ELASTICSEARCH_API_URL", list(config, "db.janusgraph.index.search.hostname").map(hosts -> urls(config, hosts)));
    put(settings, "ELASTICSEARCH_USER", first(config, "db.janusgraph.index.search.elasticsearch.http.auth.basic.username"));
    put(settings, "ELASTICSEARCH_PASSWORD", first(config, "db.janusgraph.index.search.elasticsearch.http.auth.basic.password"));
    put(settings, "ATTACHMENT_FOLDER", first(config, "storage.localfs.location", "storage.localfs.directory"));
    put(settings, "MINIO_ENDPOINT", first(config, "storage.s3.endpoint"));
    put(settings, "MINIO_BUCKET", first(config, "storage.s3.bucket"));
    put(settings, "MINIO_ACCESS_KEY", first(config, "storage.s3.accessKey", "storage.s3.aws.credentials.access-key-id"));
    put(settings, "MINIO_SECRET_KEY", first(config, "storage.s3.aws.credentials.secret-access-key", "storage.s3.secretKey"));
    put(settings, "MINIO_REGION", first(config, "storage.s3.aws.region.default-region", "storage.s3.region"));
    put(settings, "MINIO_VIRTUAL_HOST", first(config, "storage.s3.access-style", "alpakka.s3.access-style")
        .filter(style -> style.equals("virtual")).map(style -> "true"));
    put(settings, "THEHIVE_URL", first(config, "http.port", "play.server.http.port").map("http://<node>:"::concat));
    return settings;
  }

  private static String urls(com.typesafe.config.Config config, List<String> hosts) {
    var scheme = first(config, "db.janusgraph.index.search.elasticsearch.ssl.enabled").filter("true"::equals).isPresent() ? "https" : "http";
    var port = first(config, "db.janusgraph.index.search.port").orElse("9200");
    return hosts.stream().map(host -> host.matches("https?://.*") ? host : scheme + "://" + host + (host.matches(".*:\\d+") ? "" : ":" + port))
        .collect(Collectors.joining(","));
  }

  private static void put(Map<String, String> settings, String name, Optional<String> value) {
    value.filter(text -> !text.isBlank()).ifPresent(text -> settings.put(name, text));
  }

  /** The value of the first of these paths that is there and resolved. */
  private static Optional<String> first(com.typesafe.config.Config config, String... paths) {
    for (var path : paths) {
      try {
        if (config.hasPath(path)) {
          return Optional.of(config.getString(path));
        }
      } catch (ConfigException.NotResolved e) {
        // its value comes from a variable that is not set here: as good as not there
      }
    }
    return Optional.empty();
  }

  /** A list, or a text with commas, as JanusGraph takes both. */
  private static Optional<List<String>> list(com.typesafe.config.Config config, String path) {
    try {
      if (!config.hasPath(path)) {
        return Optional.empty();
      }
      return Optional.of(config.getValue(path).valueType() == ConfigValueType.LIST ? config.getStringList(path)
          : List.of(config.getString(path).split("\\s*,\\s*")));
    } catch (ConfigException.NotResolved e) {
      return Optional.empty();
    }
  }
}

/** TheHive on one of its nodes: its systemd unit, and who listens on its port. */
record TheHiveNode(Host host, TheHiveSettings settings) {
  private static final Pattern PROCESS = Pattern.compile("users:\\(\\(\"(?<name>[^\"]+)\"");

  /**
   * Who listens on TheHive's port.
   *
   * @param process name of the process; empty where this user may not see it
   */
  record Listener(int port, Optional<String> process) {
    /** True for a JVM, in which TheHive runs. */
    boolean isJava() {
      return process.filter(name -> name.equals("java")).isPresent();
    }
  }

  String name() {
    return host.name();
  }

  String service() {
    return settings.service();
  }

  Host.Unit unit() {
    return host.unit(settings.service());
  }

  /** The unit, masked or not; an unknown unit does not count as stopped. */
  Host.Unit requireInstalled() {
    var unit = unit();
    if (!unit.isInstalled()) {
      throw new Failure(Exit.UNSAFE, "%s: the unit %s is %s".formatted(host.name(), settings.service(), unit.load().isEmpty() ? "unknown" : unit.load()),
          "THEHIVE_SERVICE names TheHive's unit; is TheHive installed there?");
    }
    return unit;
  }

  String systemctl(Host.Unit unit, String verb) {
    return asRoot(unit, "systemctl %s %s".formatted(verb, service()));
  }

  /** Runs systemctl. What sudo warns of counts only where the command fails. */
  void systemctl(Host.Unit unit, String verb, Duration limit) {
    Host.Output output;
    try {
      output = host.run(systemctl(unit, verb), limit);
    } catch (Failure e) {
      if (e.code == Exit.UNREACHABLE) {
        return; // systemd may still be at it: the unit is asked next, and that tells whether the node is gone
      }
      throw e;
    }
    if (output.code() == 0) {
      return;
    }
    var said = Host.last(output.err());
    if (!said.startsWith("sudo:")) {
      throw new Failure(Exit.UNSAFE, "%s: systemctl %s: %s".formatted(name(), verb, said), null);
    }
    throw new Failure(Exit.AUTHENTICATION, "%s: %s".formatted(name(), said), said.contains("tty") || said.contains("terminal is required")
        ? "sudo wants a terminal there: \"Defaults !requiretty\" for this user, or name the node as root@" + name()
        : "allow it without a password there: NOPASSWD: /usr/bin/systemctl * %s, /usr/bin/journalctl *".formatted(service()));
  }

  /** @param range options of journalctl, such as {@code  --lines=20} */
  String journal(Host.Unit unit, String range) {
    return asRoot(unit, "journalctl --unit=%s --output=short-iso --no-hostname --no-pager%s".formatted(service(), range));
  }

  private static String asRoot(Host.Unit unit, String shell) {
    return (unit.root() ? "" : "sudo -n ") + shell;
  }

  Application application() {
    return Application.on(host, settings);
  }

  /** Why nothing may be restored now: TheHive runs on this node, or it was named and does not tell. */
  Optional<Failure> reasonNotToRestore() {
    try {
      var unit = unit();
      if (settings.named() && !unit.isInstalled()) {
        return Optional.of(new Failure(Exit.UNSAFE, "%s has no unit %s: whether TheHive runs there is not known".formatted(host.name(), settings.service()),
            "check THEHIVE_NODES and THEHIVE_SERVICE; --force goes on all the same"));
      }
      if (!unit.isStopped()) {
        return Optional.of(new Failure(Exit.UNSAFE, "TheHive is still running on %s: %s is %s".formatted(host.name(), settings.service(), unit),
            "stop it on every node: ./jbang service-control.java stop; --force goes on all the same"));
      }
    } catch (Failure e) {
      if (settings.named()) {
        return Optional.of(e);
      }
      // This host may well have no TheHive, and no systemd: its port is asked all the same.
    }
    return aliveWithoutUnit();
  }

  /** TheHive that runs although its unit does not: started by hand, left by KillMode=process, in a container. */
  Optional<Failure> aliveWithoutUnit() {
    var listener = listener();
    if (listener.isEmpty()) {
      return Optional.empty();
    }
    var port = listener.get().port();
    var application = application();
    return switch (application.answer()) {
      case THEHIVE -> Optional.of(new Failure(Exit.UNSAFE, "TheHive answers on %s, port %d, although its unit %s does not run".formatted(host.name(), port, settings.service()),
          "it was started by hand or runs in a container: stop it there (ss -ltnp shows the process); --force goes on all the same"));
      case SOMETHING_ELSE -> Optional.empty();
      case NOTHING -> !listener.get().isJava() ? Optional.empty() : Optional.of(new Failure(Exit.UNSAFE,
          "a Java process listens on TheHive's port %d of %s and does not answer".formatted(port, host.name()),
          "it may be TheHive on its way up or down: see ss -ltnp there; THEHIVE_URL names another port; --force goes on all the same"));
    };
  }

  /** Who listens on the port of THEHIVE_URL on that node; empty where nobody does, or where the node does not tell. */
  Optional<Listener> listener() {
    var port = application().port();
    try {
      var hex = "%04X".formatted(port);
      var answer = host.run("grep -ci \"^ *[0-9]*: [0-9A-F]*:%s [0-9A-F]*:0000 0A\" /proc/net/tcp /proc/net/tcp6; (sudo -n ss -Hltnp || ss -Hltnp) 2>/dev/null | grep \":%d \""
          .formatted(hex, port), Duration.ofSeconds(30)).out();
      return parse(port, answer);
    } catch (Failure e) {
      return Optional.empty();
    }
  }

  /** Reads the counts of listening sockets in /proc/net/tcp and tcp6, then lines of {@code ss -ltnp}. */
  static Optional<Listener> parse(int port, String answer) {
    var listens = answer.lines().anyMatch(line -> line.toLowerCase(Locale.ROOT).matches("/proc/net/tcp6?:[1-9]\\d*"));
    if (!listens) {
      return Optional.empty();
    }
    return Optional.of(new Listener(port, answer.lines().filter(line -> line.startsWith("LISTEN")).map(PROCESS::matcher)
        .filter(found -> found.find()).map(found -> found.group("name")).findFirst()));
  }
}

/**
 * Where TheHive runs.
 *
 * @param hosts its nodes; this host where none are named
 * @param named true if THEHIVE_NODES is set: only then is a node that cannot be asked an error
 * @param service its systemd unit on them
 * @param url where TheHive answers; {@code <node>} in it stands for the node's address
 * @param ca PEM file of the CA to trust for https; empty for the JDK's
 */
record TheHiveSettings(List<Host> hosts, boolean named, String service, String url, Optional<Path> ca) {
  static final Variable NODES = Variable.withDefault("THEHIVE_NODES", "localhost");
  static final Variable SERVICE = Variable.withDefault("THEHIVE_SERVICE", "thehive");
  static final Variable URL = Variable.withDefault("THEHIVE_URL", "http://<node>:9000");
  static final Variable CA = Variable.optional("THEHIVE_CA");
  static final List<Variable> VARIABLES = List.of(NODES, SERVICE, URL, CA);

  static TheHiveSettings of(Settings settings) {
    var service = settings.text(SERVICE);
    if (!service.matches("[A-Za-z0-9:_.@-]+")) {
      throw new Failure(Exit.USAGE, "THEHIVE_SERVICE '%s' is not the name of a unit".formatted(service), "name it as systemctl does, such as thehive");
    }
    return new TheHiveSettings(Host.named(settings.text(NODES)), settings.isSet(NODES), service, settings.text(URL), settings.optionalPath(CA));
  }
}

/** TLS from PEM files. */
final class Tls {
  private Tls() {}

  /** Trusts the CA certificates of a file, and no others. */
  static X509TrustManager trust(Path ca) {
    try (var in = Files.newInputStream(ca)) {
      var trusted = KeyStore.getInstance("PKCS12");
      trusted.load(null, null);
      for (var certificate : CertificateFactory.getInstance("X.509").generateCertificates(in)) {
        trusted.setCertificateEntry("ca" + trusted.size(), certificate);
      }
      if (trusted.size() == 0) {
        throw new CertificateException("it holds no certificate");
      }
      var managers = TrustManagerFactory.getInstance(TrustManagerFactory.getDefaultAlgorithm());
      managers.init(trusted);
      return (X509TrustManager) managers.getTrustManagers()[0];
    } catch (GeneralSecurityException | IOException e) {
      throw new Failure(Exit.USAGE, "cannot use the CA certificate %s: %s".formatted(ca, e.getMessage()), "it must be a PEM file");
    }
  }

  static SSLContext context(X509TrustManager trust, KeyManager... keys) {
    try {
      var context = SSLContext.getInstance("TLS");
      context.init(keys, new TrustManager[] {trust}, null);
      return context;
    } catch (GeneralSecurityException e) {
      throw new IllegalStateException(e);
    }
  }
}

/**
 * An environment variable that the scripts read.
 *
 * @param fallback its value where it is not set; empty where there is none
 * @param secret true if its value is never shown; it may then also stand in the file that {@code NAME_FILE} names
 */
record Variable(String name, String fallback, boolean secret) {
  static Variable optional(String name) {
    return new Variable(name, "", false);
  }

  static Variable withDefault(String name, String fallback) {
    return new Variable(name, fallback, false);
  }

  static Variable secret(String name) {
    return new Variable(name, "", true);
  }
}

/** Does many things side by side; the first failure stops the rest and is thrown. */
final class Workers implements Closeable {
  final int count;
  private final ExecutorService pool;

  interface Work {
    void accept(int lane, int i) throws Exception;
  }

  Workers(int count) {
    this.count = count;
    this.pool = Executors.newFixedThreadPool(count, Console::daemon);
  }

  /** Numbers are handed out in order; a lane is never at work twice at once. */
  void run(int total, Work work) throws IOException {
    var next = new AtomicInteger();
    var failed = new AtomicReference<Throwable>();
    var lanes = IntStream.range(0, Math.min(count, total)).mapToObj(lane -> CompletableFuture.runAsync(() -> {
      try {
        for (int i = next.getAndIncrement(); i < total && failed.get() == null; i = next.getAndIncrement()) {
          work.accept(lane, i);
        }
      } catch (Throwable thrown) {
        failed.compareAndSet(null, thrown);
      }
    }, pool)).toArray(CompletableFuture[]::new);
    CompletableFuture.allOf(lanes).join();
    if (failed.get() instanceof IOException e) {
      throw e;
    }
    if (failed.get() != null) {
      throw new CompletionException(failed.get());
    }
  }

  @Override
  public void close() {
    pool.shutdownNow();
  }
}
