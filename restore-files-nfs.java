///usr/bin/env jbang "$0" "$@" ; exit $?
//DESCRIPTION Restores TheHive's attachments on NFS or a local folder from a hot backup
//JAVA 17+
//DEPS info.picocli:picocli:4.7.7
//DEPS com.fasterxml.jackson.core:jackson-databind:2.22.4
//DEPS org.apache.commons:commons-compress:1.28.0
// For .tar.zst.
//DEPS com.github.luben:zstd-jni:1.5.7-2
//DEPS net.lingala.zip4j:zip4j:2.11.6
//DEPS me.tongfei:progressbar:0.10.2
//DEPS commons-io:commons-io:2.22.0
//COMPILE_OPTIONS -encoding UTF-8
//JAVA_OPTIONS -Xmx256m -XX:+UseSerialGC -XX:TieredStopAtLevel=1
//JAVA_OPTIONS -XX:+IgnoreUnrecognizedVMOptions --enable-native-access=ALL-UNNAMED --sun-misc-unsafe-memory-access=allow
//JAVA_OPTIONS -Dfile.encoding=UTF-8 -Dstdout.encoding=UTF-8 -Dstderr.encoding=UTF-8 -Djdk.console=java.base

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.SerializationFeature;
import com.fasterxml.jackson.databind.node.ObjectNode;
import java.io.BufferedInputStream;
import java.io.Closeable;
import java.io.EOFException;
import java.io.File;
import java.io.IOException;
import java.io.InputStream;
import java.io.UncheckedIOException;
import java.nio.ByteBuffer;
import java.nio.channels.Channels;
import java.nio.channels.FileChannel;
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
import java.text.DecimalFormat;
import java.time.Duration;
import java.time.Instant;
import java.time.LocalDateTime;
import java.time.format.DateTimeFormatter;
import java.time.format.DateTimeParseException;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.BitSet;
import java.util.Comparator;
import java.util.HashMap;
import java.util.HashSet;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.Optional;
import java.util.Set;
import java.util.TreeSet;
import java.util.concurrent.Callable;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionException;
import java.util.concurrent.ConcurrentSkipListMap;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.TimeUnit;
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
import me.tongfei.progressbar.ConsoleProgressBarConsumer;
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
import picocli.CommandLine;
import picocli.CommandLine.ArgGroup;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.Spec;

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
  /** All that the script ever makes in or beside the folder begins with this. */
  static final String OWN = "." + SCRIPT;
  static final Set<String> TYPES = new TreeSet<>(Set.of("tar", "zip", "tar.gz", "tar.zst"));

  @Option(names = "--backup", paramLabel = "POINT",
      description = "timestamp, backup's name or path (the newest)")
  String wanted;

  @Option(names = "--in-place", description = "write only what differs, into the live folder: needs no room for a second tree")
  boolean inPlace;

  @Option(names = "--keep-previous", description = "leave the old tree beside the restored one")
  boolean keepPrevious;

  @Option(names = "--workers", paramLabel = "N", defaultValue = "8", description = "files side by side (${DEFAULT-VALUE})")
  int workers;

  @Option(names = "--json", description = "print the result as JSON")
  boolean json;

  @Mixin Consent console = new Consent();

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
    Host.whereTheHiveRuns().ifPresent(console::refuse);
    var backup = BackupSet.choose(Path.of(options.archives), Set.of("files"), TYPES, wanted, Duration.ZERO);
    console.step("Restoring attachments from %s, taken %s", backup.file(), backup.age());
    try (var report = new Report(Path.of(options.archives), SCRIPT, console.dryRun);
        var pool = new Workers(workers);
        var source = new Source(backup.file(), Settings.secret("BACKUP_PASSWORD"), pool)) {
      var contents = source.index(Owners.parse(options.owner), console);
      var target = Target.check(options.folder, backup.file(), console);
      var tree = new Tree(source, contents, target, pool, console);
      new Swap(tree, keepPrevious).recover();
      target.requireAttachments(contents, console);
      var plan = plan(tree);
      console.confirm(plan.lines(console.dryRun ? "Would" : "Will"), target.folder().toString());
      if (console.dryRun) {
        console.step("Dry run: every check passed, nothing was changed.");
        return finish(plan, Report.JSON.valueToTree(plan.summary(tree)), "Would restore");
      }
      return finish(plan, carryOut(plan, tree, report), "Restored");
    }
  }

  private void checkOptions() {
    Settings.refuseBlank(command);
    if (inPlace && keepPrevious) {
      throw new Failure(USAGE, "--in-place keeps no previous tree", "leave out --keep-previous");
    }
    if (workers < 1 || workers > 256) {
      throw new Failure(USAGE, "--workers %d is not between 1 and 256".formatted(workers), null);
    }
  }

  private Plan plan(Tree tree) throws IOException {
    var target = tree.target;
    tree.attributes.readLive(tree.folder);
    if (!inPlace) {
      target.requireRoom(tree.contents);
    }
    tree.attributes.warnOfOtherOwner(tree.contents, console);
    var differences = inPlace || console.dryRun ? tree.compare() : tree.compareNames();
    return new Plan(tree.contents, target, inPlace, keepPrevious, differences);
  }

  private JsonNode carryOut(Plan plan, Tree tree, Report report) throws IOException {
    var before = !report.unfinished().path("unfinished").isEmpty();
    var swap = new Swap(tree, keepPrevious);
    try {
      if (plan.inPlace()) {
        report.begin(Set.of("files"));
        new InPlace(tree, plan.differences()).restore();
      } else {
        swap.stage();
        report.begin(Set.of("files"));
        swap.exchange();
        swap.dropPrevious();
        swap.finishFolder();
      }
    } catch (IOException | RuntimeException e) {
      var failure = explained(e, plan.inPlace(), tree.target);
      var kept = failure.code != PARTIAL && !before;
      report.end(failure.code, kept ? Set.of("files") : Set.of(), Map.of("error", failure.getMessage()));
      throw failure;
    }
    tree.attributes.warnOfUnset(console);
    var file = report.end(DONE, Set.of("files"), plan.summary(tree));
    console.step("Report: %s", file);
    console.step("Next: when Cassandra and Elasticsearch are restored too: ./verify.java --skip services,logs, then ./service-control.java start");
    return Report.JSON.readTree(file.toFile());
  }

  /** What the file system said, with the file's name, and in which state that leaves the folder. */
  private static Failure explained(Exception e, boolean inPlace, Target target) {
    var failure = Failure.of(e);
    if (failure.code == PARTIAL) {
      return failure;
    }
    var hint = inPlace ? target.folder() + " is mixed now: keep TheHive stopped, and run the same command again when the cause is gone"
        : target.folder() + " is as it was before" + (failure.code == UNEXPECTED || failure.hint == null ? "" : "; " + failure.hint);
    var unnamed = failure.code == UNEXPECTED && !(failure.getCause() instanceof FileSystemException);
    var message = (unnamed ? target.folder() + ": " : "") + failure.getMessage();
    return new Failure(inPlace ? PARTIAL : failure.code == UNEXPECTED ? UNSAFE : failure.code,
        target.isGone() ? message + " (its file system is no longer mounted or does not answer)" : message, hint, e);
  }

  private int finish(Plan plan, JsonNode report, String did) throws IOException {
    System.out.println(json ? Report.JSON.writeValueAsString(report) : did + " " + plan.counted());
    return DONE;
  }

  private int failed(Failure failure) {
    if (json) {
      System.out.println(Report.JSON.createObjectNode().put("script", SCRIPT).put("exit", failure.code)
          .put("error", failure.getMessage()).put("hint", failure.hint).toPrettyString());
    }
    return console.error("", failure);
  }

  /** What will be done; the dry run shows the very one that a real run carries out. */
  record Plan(Contents contents, Target target, boolean inPlace, boolean keepPrevious, Differences differences) {
    List<String> lines(String verb) {
      var lines = new ArrayList<String>();
      lines.add("");
      lines.add("%s: %s in %d files".formatted(target.folder(), Console.size(contents.bytes), contents.files));
      lines.add("  " + verb + " restore " + counted());
      if (inPlace) {
        lines.add("  " + verb + " write into the live folder, which is mixed until the end");
      } else {
        lines.add("  %s stage all of it in %s, then swap%s".formatted(verb, target.work(),
            target.inside() ? ", entry by entry, because the folder cannot be renamed" : ""));
        lines.add("  " + verb + (keepPrevious ? " keep the old tree" : " remove the old tree"));
      }
      lines.add("");
      return lines;
    }

    String counted() {
      return "%d files, %s: ".formatted(contents.files, Console.size(contents.bytes)) + differences;
    }

    Map<String, Object> summary(Tree tree) {
      var all = new LinkedHashMap<String, Object>();
      all.put("backup", tree.source.archive.path.toString());
      all.put("folder", target.folder().toString());
      all.put("mode", inPlace ? "in-place" : "staged");
      all.put("files", contents.files);
      all.put("bytes", contents.bytes);
      all.put("new", differences.fresh());
      if (differences.deep()) {
        all.put("changed", differences.changed());
        all.put("unchanged", differences.unchanged());
      }
      all.put("removed", differences.extra());
      all.put("notSet", tree.attributes.unset);
      return all;
    }
  }

  /**
   * What differs between the backup and the live folder.
   *
   * @param deep whether contents were compared, not only names
   * @param write entries whose content is to be written
   * @param touch those of which only owner, mode or time differ
   */
  record Differences(boolean deep, int fresh, int changed, int unchanged, int extra, BitSet write, BitSet touch) {
    @Override
    public String toString() {
      return deep ? "%d new, %d changed, %d unchanged, %d removed".formatted(fresh, changed, unchanged, extra)
          : "%d new, %d replaced, %d removed".formatted(fresh, changed, extra);
    }
  }

  // ------------------------------------------------------------------------------------------------------------ backup

  /**
   * The backup's table of contents. A million entries take about 130 MB, so they are columns, not objects. Names are
   * relative to the attachment folder, whose own entry has the empty name.
   */
  static final class Contents {
    static final byte FOLDER = 0, FILE = 1, SPARSE = 2, SYMLINK = 3;
    static final int PAGE = 1 << 20;
    static final long NO_TIME = Long.MIN_VALUE;
    private final List<byte[]> pages = new ArrayList<>();
    private int used = PAGE;
    private int[] slots = new int[1 << 12];
    private int[] names = new int[1 << 10];
    private byte[] kinds = new byte[1 << 10];
    private long[] sizes = new long[1 << 10];
    private long[] offsets = new long[1 << 10];
    private long[] times = new long[1 << 10];
    private int[] modes = new int[1 << 10];
    private int[] owners = new int[1 << 10];
    final Map<Integer, String> symlinks = new HashMap<>();
    final List<Owner> ownerList = new ArrayList<>();
    private final Map<Owner, Integer> ownerIndex = new HashMap<>();
    int count;
    int files;
    long bytes;

    /** The entry's number, or -1 where the name is there already. */
    int add(String text, byte kind, long size, long offset, int mode, long time, Owner owner) {
      var name = text.getBytes(StandardCharsets.UTF_8);
      if (find(name) >= 0) {
        return -1;
      }
      if (count == names.length) {
        grow();
      }
      names[count] = store(name);
      kinds[count] = kind;
      sizes[count] = size;
      offsets[count] = offset;
      modes[count] = mode;
      times[count] = time;
      owners[count] = ownerIndex.computeIfAbsent(owner, o -> {
        ownerList.add(o);
        return ownerList.size() - 1;
      });
      files += kind == FOLDER ? 0 : 1;
      bytes += kind == FOLDER ? 0 : size;
      if (count * 2 >= slots.length) {
        slots = new int[slots.length * 2];
        for (int i = 0; i < count; i++) {
          slots[slot(nameBytes(i))] = i + 1;
        }
      }
      slots[slot(name)] = count + 1;
      return count++;
    }

    private void grow() {
      var more = count + count / 2;
      names = Arrays.copyOf(names, more);
      kinds = Arrays.copyOf(kinds, more);
      sizes = Arrays.copyOf(sizes, more);
      offsets = Arrays.copyOf(offsets, more);
      times = Arrays.copyOf(times, more);
      modes = Arrays.copyOf(modes, more);
      owners = Arrays.copyOf(owners, more);
    }

    /** Where a name lies, its length before it: page and place in one number. */
    private int store(byte[] name) {
      if (used + name.length + 2 > PAGE) {
        pages.add(new byte[PAGE]);
        used = 0;
      }
      var page = pages.get(pages.size() - 1);
      var place = (pages.size() - 1) * PAGE + used;
      page[used++] = (byte) (name.length >> 8);
      page[used++] = (byte) name.length;
      System.arraycopy(name, 0, page, used, name.length);
      used += name.length;
      return place;
    }

    private byte[] nameBytes(int i) {
      var page = pages.get(names[i] / PAGE);
      var at = names[i] % PAGE;
      return Arrays.copyOfRange(page, at + 2, at + 2 + length(page, at));
    }

    private static int length(byte[] page, int at) {
      return (page[at] & 0xff) << 8 | page[at + 1] & 0xff;
    }

    int find(String name) {
      return find(name.getBytes(StandardCharsets.UTF_8));
    }

    private int find(byte[] name) {
      return slots[slot(name)] - 1;
    }

    private int slot(byte[] name) {
      var hash = Arrays.hashCode(name) * 0x9E3779B9;
      for (var slot = (hash ^ hash >>> 15) & slots.length - 1; ; slot = slot + 1 & slots.length - 1) {
        if (slots[slot] == 0 || isName(slots[slot] - 1, name)) {
          return slot;
        }
      }
    }

    private boolean isName(int i, byte[] name) {
      var page = pages.get(names[i] / PAGE);
      var at = names[i] % PAGE;
      return Arrays.equals(page, at + 2, at + 2 + length(page, at), name, 0, name.length);
    }

    String name(int i) {
      return new String(nameBytes(i), StandardCharsets.UTF_8);
    }

    byte kind(int i) {
      return kinds[i];
    }

    static String parent(String name) {
      return name.substring(0, Math.max(0, name.lastIndexOf('/')));
    }

    /** Folders, the attachment folder first, each before what is in it. */
    List<String> folders() {
      return IntStream.range(0, count).filter(i -> kinds[i] == FOLDER).mapToObj(this::name).sorted().toList();
    }

    /** What staging takes on a file system with blocks of 4 KiB. */
    long room() {
      return IntStream.range(0, count).mapToLong(i -> (sizes[i] + 4095) / 4096 * 4096 + 256).sum();
    }

    /** Adds folders that no entry names; refuses what would have to lie in something that is no folder. */
    void complete(Archive archive) {
      if (find("") < 0) {
        add("", FOLDER, 0, -1, -1, NO_TIME, Owner.UNKNOWN);
      }
      for (int i = 0; i < count; i++) {
        var name = name(i);
        if (name.isEmpty()) {
          continue;
        }
        var parent = parent(name);
        var at = find(parent);
        if (at < 0) {
          add(parent, FOLDER, 0, -1, -1, NO_TIME, Owner.UNKNOWN);
        } else if (kinds[at] != FOLDER) {
          throw archive.broken("its entry '%s' lies in something that is no folder".formatted(Source.shown(name)), null);
        }
      }
    }
  }

  /** Who owns an entry; null where that is not known. */
  record Owner(UserPrincipal user, GroupPrincipal group) {
    static final Owner UNKNOWN = new Owner(null, null);
  }

  /** Finds owners on this host by name, then by number. */
  static final class Owners {
    private static final UserPrincipalLookupService LOOKUP = FileSystems.getDefault().getUserPrincipalLookupService();
    private final Map<String, Owner> known = new HashMap<>();
    private final Optional<Owner> always;

    Owners(Optional<Owner> always) {
      this.always = always;
    }

    /** For {@code user}, {@code user:group} or {@code :group}. */
    static Owners parse(String text) {
      if (text == null) {
        return new Owners(Optional.empty());
      }
      var parts = text.split(":", 2);
      var user = parts[0].isEmpty() ? null : user(parts[0], -1);
      var group = parts.length < 2 || parts[1].isEmpty() ? null : group(parts[1], -1);
      if (user == null && !parts[0].isEmpty() || group == null && parts.length == 2 && !parts[1].isEmpty()) {
        throw new Failure(USAGE, "--owner %s: not known on this host".formatted(text), "name a user and a group, such as thehive:thehive");
      }
      return new Owners(Optional.of(new Owner(user, group)));
    }

    Owner find(String user, long uid, String group, long gid) {
      var found = known.computeIfAbsent(user + ":" + uid + ":" + group + ":" + gid, k -> new Owner(user(user, uid), group(group, gid)));
      return always.map(owner -> new Owner(owner.user() != null ? owner.user() : found.user(),
          owner.group() != null ? owner.group() : found.group())).orElse(found);
    }

    Owner unknown() {
      return always.orElse(Owner.UNKNOWN);
    }

    private static UserPrincipal user(String name, long number) {
      return lookUp(name, number, LOOKUP::lookupPrincipalByName);
    }

    private static GroupPrincipal group(String name, long number) {
      return lookUp(name, number, LOOKUP::lookupPrincipalByGroupName);
    }

    private interface LookUp<T> {
      T by(String name) throws IOException;
    }

    private static <T> T lookUp(String name, long number, LookUp<T> service) {
      for (var text : Stream.of(name, number < 0 ? "" : "" + number).filter(text -> text != null && !text.isEmpty()).toList()) {
        try {
          return service.by(text);
        } catch (IOException e) {
          // not here by this name: the number is next
        }
      }
      return null;
    }
  }

  /** The archive: its entries, and every file's bytes, side by side where the archive allows it. */
  static final class Source implements Closeable {
    private static final Pattern ROOT = Pattern.compile("files_\\d{8}_\\d\\dh\\d\\dm\\d\\ds");
    final Archive archive;
    private final boolean compressed;
    private final Workers workers;
    private Contents contents;
    private String root;

    /** One file's bytes; {@code copy} makes a new file of them. */
    interface Bytes {
      InputStream open() throws IOException;

      void copy(Path target) throws IOException;
    }

    interface FileAction {
      void accept(int lane, int entry, Bytes bytes) throws IOException;
    }

    Source(Path file, Optional<String> password, Workers workers) {
      this.archive = new Archive(file, password);
      this.compressed = file.toString().matches(".*\\.(gz|zst)");
      this.workers = workers;
    }

    /** Reads all names, which proves the archive complete; refuses what no attachment folder holds. */
    Contents index(Owners owners, Consent console) {
      contents = new Contents();
      var zipped = new int[1];
      Consumer<Entry> visitor = entry -> {
        var name = relative(entry.name());
        if (name.equals(OWN) || name.startsWith(OWN + "/")) {
          if (name.equals(OWN)) {
            console.warn("the backup holds what an interrupted restore had left (%s): passed over", name);
          }
        } else if (entry.header() instanceof TarArchiveEntry header) {
          add(name, header, entry, owners);
        } else {
          add(name, (FileHeader) entry.header(), entry, zipped[0], owners);
        }
        zipped[0]++;
      };
      if (compressed) {
        indexCompressed(visitor);
      } else {
        archive.index(visitor);
      }
      contents.complete(archive);
      return contents;
    }

    private void indexCompressed(Consumer<Entry> visitor) {
      try (var stream = stream(); var bytes = BoundedInputStream.builder().setInputStream(stream).get();
          var tar = new TarArchiveInputStream(bytes, "UTF-8")) {
        var end = 0L;
        for (var header = tar.getNextEntry(); header != null; header = tar.getNextEntry()) {
          if (!header.isCheckSumOK()) {
            throw archive.broken("the header of its entry '%s' is damaged".formatted(shown(header.getName())), null);
          }
          visitor.accept(new Entry(archive.safe(header.getName()), header.isDirectory(), header.isFile(), header.getSize(), -1, header));
          end = bytes.getCount() + (header.isSparse() ? 0 : (header.getSize() + 511) / 512 * 512);
        }
        IOUtils.consume(bytes);
        if (end == 0 || bytes.getCount() < end + 512) {
          throw archive.broken("it is cut short", null);
        }
      } catch (IOException e) {
        throw archive.broken(e.getMessage(), e);
      }
    }

    private InputStream stream() throws IOException {
      var in = new BufferedInputStream(Files.newInputStream(archive.path), 1 << 16);
      return !compressed ? in : archive.path.toString().endsWith(".gz")
          ? GzipCompressorInputStream.builder().setInputStream(in).setDecompressConcatenated(true).get() : new ZstdCompressorInputStream(in);
    }

    private String relative(String name) {
      var clean = name.contains("/.") ? Stream.of(name.split("/")).filter(part -> !part.equals(".")).collect(Collectors.joining("/")) : name;
      var top = clean.split("/", 2)[0];
      if (root == null && ROOT.matcher(top).matches()) {
        root = top;
      }
      if (!top.equals(root)) {
        throw archive.broken("its entry '%s' is not in a folder files_<timestamp>".formatted(shown(name)), null);
      }
      return clean.length() == top.length() ? "" : clean.substring(top.length() + 1);
    }

    private void add(String name, TarArchiveEntry header, Entry entry, Owners owners) {
      if (name.indexOf('?') >= 0 && !isWritten(name.substring(name.lastIndexOf('/') + 1), entry.offset())) {
        throw refused(name, "has a name that is not UTF-8");
      }
      var flag = header.getLinkFlag();
      var time = header.getLastModifiedTime().to(TimeUnit.NANOSECONDS);
      var owner = owners.find(header.getUserName(), header.getLongUserId(), header.getGroupName(), header.getLongGroupId());
      if (header.isDirectory()) {
        add(name, Contents.FOLDER, 0, -1, header.getMode(), time, owner);
      } else if (header.isSparse()) {
        add(name, Contents.SPARSE, header.getRealSize(), -1, header.getMode(), time, owner);
      } else if (flag == TarConstants.LF_NORMAL || flag == TarConstants.LF_OLDNORM || flag == TarConstants.LF_CONTIG) {
        add(name, Contents.FILE, header.getSize(), entry.offset(), header.getMode(), time, owner);
      } else if (flag == TarConstants.LF_LINK) {
        var first = contents.find(relative(archive.safe(header.getLinkName())));
        if (first < 0 || compressed || contents.kind(first) != Contents.FILE) {
          throw refused(name, "is a hard link to '%s', which %s".formatted(shown(header.getLinkName()),
              first < 0 ? "is no file before it" : "cannot be read again"));
        }
        add(name, Contents.FILE, contents.sizes[first], contents.offsets[first], header.getMode(), time, owner);
      } else if (flag == TarConstants.LF_SYMLINK) {
        requireInside(name, header.getLinkName());
        contents.symlinks.put(add(name, Contents.SYMLINK, 0, -1, -1, Contents.NO_TIME, owner), header.getLinkName());
      } else {
        throw refused(name, "is a device or something else that is neither file, folder nor link");
      }
    }

    private void add(String name, FileHeader header, Entry entry, int number, Owners owners) {
      var outside = header.getExternalFileAttributes();
      var mode = (outside[3] & 0xff) << 8 | outside[2] & 0xff;
      var type = mode & 0170000;
      if (type != 0 && type != (entry.folder() ? 0040000 : 0100000)) {
        throw refused(name, "is a link or a device, which a zip should not hold");
      }
      var time = TimeUnit.MILLISECONDS.toNanos(header.getLastModifiedTimeEpoch());
      add(name, entry.folder() ? Contents.FOLDER : Contents.FILE, entry.size(), number, type == 0 ? -1 : mode & 07777, time,
          owners.unknown());
    }

    private int add(String name, byte kind, long size, long offset, int mode, long time, Owner owner) {
      if (name.isEmpty() && kind != Contents.FOLDER) {
        throw refused(root, "is no folder");
      }
      if (name.getBytes(StandardCharsets.UTF_8).length > 0xffff) {
        throw refused(name.substring(0, 100) + "...", "has a name of more than 65535 bytes");
      }
      var added = contents.add(name, kind, size, offset, mode, time, owner);
      if (added < 0) {
        throw refused(name, "is there twice");
      }
      return added;
    }

    /** A question mark stands for what cannot be decoded, unless the header before the member's bytes has one too. */
    private boolean isWritten(String name, long offset) {
      var headers = ByteBuffer.allocate((int) Math.max(0, Math.min(offset, 1 << 13)));
      try {
        archive.channel.read(headers, offset - headers.capacity());
      } catch (IOException e) {
        throw archive.broken(e.getMessage(), e);
      }
      return new String(headers.array(), StandardCharsets.ISO_8859_1)
          .contains(new String(name.getBytes(StandardCharsets.UTF_8), StandardCharsets.ISO_8859_1));
    }

    /** A link is followed from the folder it lies in, which is a real one: so only leading ".." can be counted. */
    private void requireInside(String name, String link) {
      var up = Pattern.compile("(\\.\\./|\\./|\\.\\.$)*").matcher(link);
      var ups = up.lookingAt() ? (int) Pattern.compile("\\.\\.").matcher(up.group()).results().count() : 0;
      var rest = link.substring(up.end());
      var depth = (int) name.chars().filter(c -> c == '/').count();
      if (link.isEmpty() || link.startsWith("/") || ups > depth || List.of(rest.split("/")).contains("..") || link.indexOf('\0') >= 0) {
        throw refused(name, "is a link that leaves the folder, to '%s'".formatted(shown(link)));
      }
    }

    private Failure refused(String name, String why) {
      return archive.broken("its entry '%s' %s".formatted(shown(name), why), null);
    }

    static String shown(String name) {
      return name.replaceAll("\\p{Cntrl}", "?");
    }

    /** Gives every wanted file to the action: members of a plain tar or a zip side by side, others in one pass. */
    void forEach(IntPredicate wanted, FileAction action) throws IOException {
      if (!compressed) {
        workers.run(contents.count, (lane, i) -> {
          if (contents.kind(i) == Contents.FILE && wanted.test(i)) {
            action.accept(lane, i, member(i));
          }
        });
      }
      var streamed = IntStream.range(0, contents.count).anyMatch(i -> isStreamed(i) && wanted.test(i));
      if (streamed) {
        onePass(i -> isStreamed(i) && wanted.test(i), action);
      }
    }

    private boolean isStreamed(int i) {
      return contents.kind(i) == Contents.SPARSE || compressed && contents.kind(i) == Contents.FILE;
    }

    private Bytes member(int i) {
      var header = archive.zip == null ? null : headers().get((int) contents.offsets[i]);
      var entry = new Entry(contents.name(i), false, true, contents.sizes[i], contents.offsets[i], header);
      return new Bytes() {
        @Override
        public InputStream open() throws IOException {
          return archive.open(entry);
        }

        @Override
        public void copy(Path target) throws IOException {
          archive.copy(entry, target);
        }
      };
    }

    private List<FileHeader> headers() {
      try {
        return archive.zip.getFileHeaders();
      } catch (ZipException e) {
        throw archive.broken(e.getMessage(), e);
      }
    }

    private void onePass(IntPredicate wanted, FileAction action) throws IOException {
      try (var tar = new TarArchiveInputStream(stream(), "UTF-8")) {
        for (var header = tar.getNextEntry(); header != null; header = tar.getNextEntry()) {
          var i = contents.find(relative(archive.safe(header.getName())));
          if (i >= 0 && wanted.test(i)) {
            action.accept(0, i, new Bytes() {
              @Override
              public InputStream open() {
                return CloseShieldInputStream.wrap(tar);
              }

              @Override
              public void copy(Path target) throws IOException {
                Files.copy(tar, target);
              }
            });
          }
        }
      }
    }

    @Override
    public void close() throws IOException {
      archive.close();
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
   * @param inside whether a second tree can only be staged inside it, not beside: it is a mount point, or its parent is
   *     not writable
   * @param work where a second tree is staged, on the same file system
   * @param device the file system's number, null where the folder is missing
   */
  record Target(Path folder, boolean inside, Path work, boolean missing, Object device) {
    private static final Pattern HASH_NAME = Pattern.compile("(?i)[0-9a-f]{32,}([._-].*)?|[0-9a-f]{8}-[0-9a-f-]{27}.*");

    /** Every check that can be made without the backup; nothing is changed by it. */
    static Target check(String name, Path backup, Consent console) throws IOException {
      var given = Path.of(name).toAbsolutePath().normalize();
      var missing = !Files.exists(given); // also mounts what is mounted on access
      if (given.getParent() == null) {
        throw new Failure(USAGE, "ATTACHMENT_FOLDER is /", "name TheHive's storage.localfs.location");
      }
      Mounts.requireMounted(given, console);
      if (!missing) {
        Mounts.requireMounted(given.toRealPath(), console);
      }
      if (!missing && !Files.isDirectory(given)) {
        throw new Failure(UNSAFE, given + " is no folder", "check ATTACHMENT_FOLDER");
      }
      if (!Files.isDirectory(given.getParent())) {
        throw new Failure(UNSAFE, "there is no folder " + given, "check ATTACHMENT_FOLDER; is its file system mounted?");
      }
      var folder = missing ? given.getParent().toRealPath().resolve(given.getFileName()) : given.toRealPath();
      if (folder.getParent() == null || backup.toRealPath().startsWith(folder)) {
        throw new Failure(USAGE, "the backups lie in the folder that is to be restored, " + folder, "check ATTACHMENT_FOLDER and GENERAL_ARCHIVE_PATH");
      }
      var parent = folder.getParent();
      var beside = parent.resolve("." + folder.getFileName() + OWN);
      var device = missing ? null : Files.getAttribute(folder, "unix:dev");
      var inside = !missing && (Mounts.points().contains(folder) || !Files.isWritable(parent)
          || !device.equals(Files.getAttribute(parent, "unix:dev")));
      if (missing && !Files.exists(beside) && !console.force) {
        throw new Failure(UNSAFE, "there is no folder " + folder, "create or mount it; --force creates it");
      }
      requireWritable(missing ? parent : folder);
      return new Target(folder, inside, inside ? folder.resolve(OWN) : beside, missing, device);
    }

    /** A network mount that broke may be gone altogether, and the empty mount point be what is seen in its place. */
    boolean isGone() {
      try {
        return !missing && !device.equals(Files.getAttribute(folder, "unix:dev"));
      } catch (IOException e) {
        return true;
      }
    }

    private static void requireWritable(Path folder) throws IOException {
      try {
        folder.getFileSystem().provider().checkAccess(folder, AccessMode.WRITE);
      } catch (AccessDeniedException e) {
        throw new Failure(UNSAFE, "cannot write to " + folder, "run as root, or where root is squashed as the folder's owner", e);
      } catch (FileSystemException e) {
        throw new Failure(UNSAFE, "cannot write to %s: %s".formatted(folder, e.getReason()), "is it mounted read-write?", e);
      }
    }

    /** A typo in the folder's name must not cost another folder: something in it has to look like attachments. */
    void requireAttachments(Contents contents, Consent console) throws IOException {
      if (!Files.exists(folder)) {
        return;
      }
      var alike = 0;
      var all = 0;
      try (var children = Files.newDirectoryStream(folder, this::isContent)) {
        for (var child : children) {
          var name = child.getFileName().toString();
          var at = contents.find(name);
          alike += at >= 0 && contents.kind(at) == Contents.FILE || HASH_NAME.matcher(name).matches() ? 1 : 0;
          if (++all == 1000) {
            break;
          }
        }
      }
      if (alike * 10 < all && !console.force) {
        throw new Failure(UNSAFE, folder + " does not look like TheHive's attachments",
            "check ATTACHMENT_FOLDER against storage.localfs.location; --force goes on, and removes what is there");
      }
      if (contents.files == 0 && !console.force) {
        throw new Failure(BAD_BACKUP, "the backup holds no file at all", "choose another with --backup; --force empties " + folder);
      }
    }

    /** Not what this script keeps there itself, nor what belongs to the file system. */
    boolean isContent(Path child) {
      var name = child.getFileName().toString();
      return !name.equals(OWN) && !(inside && Set.of("lost+found", ".snapshot").contains(name));
    }

    void requireRoom(Contents contents) throws IOException {
      var below = Mounts.points().stream().filter(point -> point.startsWith(folder) && !point.equals(folder)).findFirst();
      if (below.isPresent()) {
        throw new Failure(UNSAFE, "something else is mounted inside the folder, at " + below.get(), "unmount it, or restore with --in-place");
      }
      var place = Files.exists(folder) ? folder : folder.getParent();
      var room = Files.getFileStore(place).getUsableSpace();
      if (room < contents.room()) {
        throw new Failure(UNSAFE, "%s has room for %s, a second tree needs %s".formatted(place, Console.size(room), Console.size(contents.room())),
            "free some, or restore with --in-place");
      }
      var inodes = Tool.output("stat", "-f", "-c", "%d %c", place.toString()).strip().split(" ");
      if (inodes.length == 2 && !inodes[1].equals("0") && Long.parseLong(inodes[0]) < contents.count + 16L) {
        throw new Failure(UNSAFE, "%s has %s inodes left, a second tree needs %d".formatted(place, inodes[0], contents.count),
            "free some, or restore with --in-place");
      }
    }
  }

  /** What is mounted, and what should be. */
  static final class Mounts {
    private Mounts() {}

    static Set<Path> points() throws IOException {
      return lines("/proc/self/mountinfo").map(line -> path(line.split(" ")[4])).collect(Collectors.toSet());
    }

    /** Writing under a mount point on which nothing is mounted is lost from sight when it is mounted again. */
    static void requireMounted(Path folder, Consent console) throws IOException {
      var mounted = lines("/proc/self/mountinfo").filter(line -> !line.contains(" - autofs "))
          .map(line -> path(line.split(" ")[4])).collect(Collectors.toSet());
      for (var line : lines("/etc/fstab").map(String::strip).filter(line -> !line.startsWith("#")).toList()) {
        var fields = line.split("\\s+");
        if (fields.length < 3 || !fields[1].startsWith("/")) {
          continue;
        }
        var point = path(fields[1]).normalize();
        if (folder.startsWith(point) && point.getParent() != null && !mounted.contains(Files.exists(point) ? point.toRealPath() : point)) {
          if (!console.force) {
            throw new Failure(UNSAFE, "nothing is mounted at %s, where /etc/fstab wants %s".formatted(point, fields[0]), "mount " + point);
          }
          console.warn("nothing is mounted at %s, where /etc/fstab wants %s", point, fields[0]);
        }
      }
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
    private static final Set<String> NOT_ALLOWED = Set.of("Operation not permitted", "Operation not supported", "Function not implemented");
    final Map<String, Integer> unset = new ConcurrentSkipListMap<>();
    private final Contents contents;
    private Owner liveOwner = Owner.UNKNOWN;
    private int liveMode = 0750;
    /** What a new file has without our doing, so that nothing is set to what it is. */
    private volatile Owner created = Owner.UNKNOWN;

    Attributes(Contents contents) {
      this.contents = contents;
    }

    /** What the live folder has stands in for what the backup does not say. */
    void readLive(Path folder) throws IOException {
      if (Files.exists(folder)) {
        liveOwner = ownerOf(folder);
        liveMode = modeOf(folder);
      }
    }

    static int modeOf(Path path) throws IOException {
      return (int) Files.getAttribute(path, "unix:mode") & 07777;
    }

    static Owner ownerOf(Path path) throws IOException {
      var attributes = Files.readAttributes(path, PosixFileAttributes.class, LinkOption.NOFOLLOW_LINKS);
      return new Owner(attributes.owner(), attributes.group());
    }

    void learn(Path folder) throws IOException {
      var probe = Files.createFile(folder.resolve(OWN + ".probe"));
      created = ownerOf(probe);
      Files.delete(probe);
    }

    Owner owner(int i) {
      var owner = contents.ownerList.get(contents.owners[i]);
      return new Owner(owner.user() != null ? owner.user() : liveOwner.user(), owner.group() != null ? owner.group() : liveOwner.group());
    }

    /** Set-user-ID and set-group-ID on a file would hand rights out of an archive: they are dropped. */
    int mode(int i) {
      var folder = contents.kind(i) == Contents.FOLDER;
      var mode = contents.modes[i] >= 0 ? contents.modes[i] : folder ? liveMode : liveMode & 0666;
      return mode & (folder ? 07777 : 0777);
    }

    /** For a new file, which has the owner that all new files have. */
    void setOnNew(Path file, int i) throws IOException {
      set(file, i, created);
    }

    void set(Path path, int i) throws IOException {
      set(path, i, ownerOf(path));
    }

    private void set(Path path, int i, Owner has) throws IOException {
      var view = Files.getFileAttributeView(path, PosixFileAttributeView.class, LinkOption.NOFOLLOW_LINKS);
      var owner = owner(i);
      if (owner.user() != null && !owner.user().equals(has.user())) {
        attempt("owner", () -> view.setOwner(owner.user()));
      }
      if (owner.group() != null && !owner.group().equals(has.group())) {
        attempt("group", () -> view.setGroup(owner.group()));
      }
      if (contents.kind(i) == Contents.SYMLINK) {
        return;
      }
      if (contents.times[i] != Contents.NO_TIME) {
        var time = FileTime.from(contents.times[i], TimeUnit.NANOSECONDS);
        attempt("time", () -> view.setTimes(time, time, null));
      }
      attempt("mode", () -> Files.setAttribute(path, "unix:mode", mode(i)));
    }

    boolean same(PosixFileAttributes live, int mode, int i) {
      var owner = owner(i);
      return (owner.user() == null || owner.user().equals(live.owner())) && (owner.group() == null || owner.group().equals(live.group()))
          && mode == mode(i) && sameTime(contents.times[i], live.lastModifiedTime().to(TimeUnit.NANOSECONDS));
    }

    /** To the second where the archive knows no more, otherwise to the microsecond, which every JDK can set. */
    private static boolean sameTime(long backup, long live) {
      var grain = backup % 1_000_000_000 == 0 ? 1_000_000_000 : 1000;
      return backup == Contents.NO_TIME || Math.floorDiv(backup, grain) == Math.floorDiv(live, grain);
    }

    private interface Setting {
      void apply() throws IOException;
    }

    private void attempt(String what, Setting setting) throws IOException {
      try {
        setting.apply();
      } catch (FileSystemException e) {
        if (!NOT_ALLOWED.contains(e.getReason())) {
          throw e;
        }
        unset.merge(what, 1, Integer::sum);
      }
    }

    void warnOfUnset(Consent console) {
      unset.forEach((what, times) -> console.warn("the %s of %d files and folders could not be set: %s", what, times,
          what.equals("owner") || what.equals("group") ? "run as root (on NFS: without root squash), or change it on the server" : "not supported there"));
    }

    void warnOfOtherOwner(Contents contents, Consent console) {
      var user = owner(contents.find("")).user();
      if (liveOwner.user() != null && user != null && !user.equals(liveOwner.user())) {
        console.warn("the folder belongs to %s, in the backup to %s: --owner %s keeps it", liveOwner.user(), user, liveOwner.user());
      }
    }
  }

  /** The live folder beside the backup's contents. */
  static final class Tree {
    final Source source;
    final Contents contents;
    final Target target;
    final Path folder;
    final Workers workers;
    final Consent console;
    final Attributes attributes;
    final AtomicLong bytesDone = new AtomicLong();
    final AtomicInteger filesDone = new AtomicInteger();

    Tree(Source source, Contents contents, Target target, Workers workers, Consent console) {
      this.source = source;
      this.contents = contents;
      this.target = target;
      this.folder = target.folder();
      this.workers = workers;
      this.console = console;
      this.attributes = new Attributes(contents);
    }

    /** Which names are there, which are not, which are too many. */
    Differences compareNames() throws IOException {
      var there = new BitSet();
      var extra = new int[1];
      walk((path, attributes, at) -> {
        if (at < 0 && !attributes.isDirectory()) {
          extra[0]++;
        } else if (at >= 0 && contents.kind(at) != Contents.FOLDER) {
          there.set(at);
        }
      });
      return new Differences(false, contents.files - there.cardinality(), there.cardinality(), 0, extra[0], null, null);
    }

    /** Byte for byte, owner, mode and time too. */
    Differences compare() throws IOException {
      var names = compareNames();
      var write = new BitSet(contents.count);
      IntStream.range(0, contents.count).filter(i -> contents.kind(i) != Contents.FOLDER).forEach(write::set);
      var touch = new BitSet();
      var unchanged = new AtomicInteger();
      var unreal = unrealFolders();
      try (var progress = progress("Comparing", contents.bytes, contents.files)) {
        source.forEach(i -> true, (lane, i, bytes) -> {
          var name = contents.name(i);
          var live = folder.resolve(name);
          var attributes = unreal.contains(Contents.parent(name)) ? null : live(live);
          if (attributes != null && attributes.isRegularFile() && attributes.size() == contents.sizes[i] && sameBytes(bytes, live)) {
            var same = this.attributes.same(attributes, Attributes.modeOf(live), i);
            unchanged.addAndGet(same ? 1 : 0);
            synchronized (write) {
              write.clear(i);
              touch.set(i, !same);
            }
          }
          count(i);
        });
      }
      for (var link : contents.symlinks.entrySet()) {
        var live = folder.resolve(contents.name(link.getKey()));
        if (!unreal.contains(Contents.parent(contents.name(link.getKey()))) && Files.isSymbolicLink(live) && Files.readSymbolicLink(live).toString().equals(link.getValue())) {
          write.clear(link.getKey());
          unchanged.incrementAndGet();
        }
      }
      return new Differences(true, names.fresh(), contents.files - names.fresh() - unchanged.get(), unchanged.get(), names.extra(), write, touch);
    }

    /** Folders of the backup that are none here, such as a link to elsewhere: nothing is to be looked for through them. */
    private Set<String> unrealFolders() {
      var unreal = new HashSet<String>();
      for (var name : contents.folders()) {
        if (!name.isEmpty() && unreal.contains(Contents.parent(name)) || !Files.isDirectory(folder.resolve(name), LinkOption.NOFOLLOW_LINKS)) {
          unreal.add(name);
        }
      }
      return unreal;
    }

    private static boolean sameBytes(Source.Bytes bytes, Path live) throws IOException {
      try (var backup = bytes.open(); var file = Files.newInputStream(live)) {
        return IOUtils.contentEquals(backup, file);
      }
    }

    static PosixFileAttributes live(Path path) throws IOException {
      try {
        return Files.readAttributes(path, PosixFileAttributes.class, LinkOption.NOFOLLOW_LINKS);
      } catch (NoSuchFileException e) {
        return null;
      } catch (FileSystemException e) {
        if ("Not a directory".equals(e.getReason())) {
          return null;
        }
        throw e;
      }
    }

    interface Visit {
      void accept(Path path, BasicFileAttributes attributes, int entry) throws IOException;
    }

    /** All that is in the folder, folders after what they hold; the entry is -1 for what the backup does not have. */
    void walk(Visit visit) throws IOException {
      if (!Files.exists(folder)) {
        return;
      }
      Files.walkFileTree(folder, new SimpleFileVisitor<>() {
        @Override
        public FileVisitResult preVisitDirectory(Path path, BasicFileAttributes attributes) {
          return path.equals(folder) || !path.getParent().equals(folder) || target.isContent(path)
              ? FileVisitResult.CONTINUE : FileVisitResult.SKIP_SUBTREE;
        }

        @Override
        public FileVisitResult visitFile(Path path, BasicFileAttributes attributes) throws IOException {
          visit.accept(path, attributes, contents.find(folder.relativize(path).toString()));
          return FileVisitResult.CONTINUE;
        }

        @Override
        public FileVisitResult postVisitDirectory(Path path, IOException failed) throws IOException {
          if (failed != null) {
            throw failed;
          }
          if (!path.equals(folder)) {
            visit.accept(path, Files.readAttributes(path, BasicFileAttributes.class, LinkOption.NOFOLLOW_LINKS),
                contents.find(folder.relativize(path).toString()));
          }
          return FileVisitResult.CONTINUE;
        }
      });
    }

    /** Everything in it and itself; links are not followed. */
    void delete(Path tree) throws IOException {
      if (!Files.exists(tree, LinkOption.NOFOLLOW_LINKS)) {
        return;
      }
      var batch = new ArrayList<Path>();
      Files.walkFileTree(tree, new SimpleFileVisitor<>() {
        @Override
        public FileVisitResult visitFile(Path path, BasicFileAttributes attributes) throws IOException {
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

    Closeable progress(String task, long total, int files) {
      bytesDone.set(0);
      filesDone.set(0);
      return console.progress(task, total, bytesDone::get, () -> filesDone.get() + " of " + files + " files");
    }

    void count(int i) {
      bytesDone.addAndGet(contents.sizes[i]);
      filesDone.incrementAndGet();
    }

    /** Names the file, which the kernel's word on a copy does not. */
    void copy(Source.Bytes bytes, int i, Path temporary) throws IOException {
      try {
        bytes.copy(temporary);
      } catch (FileSystemException | Failure e) {
        throw e;
      } catch (IOException e) {
        throw new FileSystemException(folder.resolve(contents.name(i)).toString(), null, e.getMessage());
      }
      if (!(source.archive.zip == null && contents.kind(i) == Contents.FILE) && Files.size(temporary) != contents.sizes[i]) {
        throw source.archive.broken("its entry '%s' has not the size it names".formatted(Source.shown(contents.name(i))), null);
      }
    }

    /** Of everything written so far: one call for a whole file system, where fsync of each file would take hours. */
    static void flush(Path folder) throws IOException {
      Tool.output("sync", "-f", folder.toString());
    }
  }

  // ------------------------------------------------------------------------------------------------------------- ways

  /**
   * Stages a second tree on the folder's own file system, then swaps. The names in the work folder say how far a run
   * came: {@code staging} is incomplete; {@code new} is complete and safe on disk; {@code old} gets what is moved out
   * of a folder that cannot be renamed; {@code previous} is the whole old tree.
   */
  static final class Swap {
    private final Tree tree;
    private final boolean keepPrevious;
    private final Path folder;
    private final Path work;
    private final Path staging;
    private final Path fresh;
    private final Path old;
    private final Path previous;

    Swap(Tree tree, boolean keepPrevious) {
      this.tree = tree;
      this.keepPrevious = keepPrevious;
      this.folder = tree.folder;
      this.work = tree.target.work();
      this.staging = work.resolve("staging");
      this.fresh = work.resolve("new");
      this.old = work.resolve("old");
      this.previous = work.resolve("previous");
    }

    /** Undoes a swap that was interrupted, or finishes one whose new tree is in place; says so in a dry run. */
    void recover() throws IOException {
      if (!Files.isDirectory(work) || Stream.of(staging, fresh, old, previous).noneMatch(path -> Files.exists(path))) {
        return;
      }
      if (tree.console.dryRun) {
        tree.console.warn("an interrupted restore left %s: a real run puts that right first", work);
        return;
      }
      tree.console.step("Putting right what an interrupted restore left in %s", work);
      undo();
      dropPrevious();
    }

    private void undo() throws IOException {
      if (Files.exists(fresh) && Files.exists(previous)) {
        if (tree.target.inside()) {
          drain(folder, fresh);
          rename(previous, old);
        } else {
          rename(previous, folder);
        }
      }
      if (Files.exists(old)) {
        drain(old, folder);
        Files.delete(old);
      }
      tree.delete(staging);
      tree.delete(fresh);
    }

    /** Writes into a few folders side by side and renames into place: one folder for all is slower by far. */
    void stage() throws IOException {
      var contents = tree.contents;
      var attributes = tree.attributes;
      try {
        if (tree.target.missing()) {
          Files.createDirectories(folder);
        }
        makeStaging();
        try (var progress = tree.progress("Staging", contents.bytes, contents.files)) {
          tree.source.forEach(i -> true, (lane, i, bytes) -> {
            var temporary = staging.resolve("lane" + lane).resolve("" + i);
            tree.copy(bytes, i, temporary);
            attributes.setOnNew(temporary, i);
            rename(temporary, staged(contents.name(i)));
            tree.count(i);
          });
        }
        finishStaging();
      } catch (IOException | RuntimeException e) {
        try {
          tree.delete(staging);
          tree.delete(fresh);
          removeWork();
        } catch (IOException left) {
          tree.console.warn("%s could not be removed, the next run will: %s", work, Failure.of(left).getMessage());
        }
        throw e;
      }
    }

    private Path staged(String name) {
      return name.isEmpty() ? staging.resolve("tree") : staging.resolve("tree").resolve(name);
    }

    private void makeStaging() throws IOException {
      var secret = PosixFilePermissions.asFileAttribute(PosixFilePermissions.fromString("rwx------"));
      try {
        Files.createDirectories(work, secret);
        Files.createDirectory(staging, secret);
      } catch (AccessDeniedException e) {
        throw new Failure(UNSAFE, "cannot write to " + work.getParent(), "run as root, or where root is squashed as the folder's owner", e);
      }
      tree.attributes.learn(staging);
      for (int lane = 0; lane < tree.workers.count; lane++) {
        Files.createDirectory(staging.resolve("lane" + lane), secret);
      }
      for (var name : tree.contents.folders()) {
        Files.createDirectory(staged(name), secret);
      }
    }

    private void finishStaging() throws IOException {
      for (var link : tree.contents.symlinks.entrySet()) {
        var path = Files.createSymbolicLink(staged(tree.contents.name(link.getKey())), Path.of(link.getValue()));
        tree.attributes.setOnNew(path, link.getKey());
      }
      var folders = tree.contents.folders();
      for (int i = folders.size() - 1; i >= 0; i--) {
        tree.attributes.set(staged(folders.get(i)), tree.contents.find(folders.get(i)));
      }
      tree.console.step("Flushing to disk");
      Tree.flush(staging);
      rename(staging.resolve("tree"), fresh);
      tree.delete(staging);
    }

    /** The live tree is the old one before, the new one after; a failure in between is undone. */
    void exchange() throws IOException {
      tree.console.step("Swapping");
      try {
        if (tree.target.inside()) {
          Files.createDirectory(old);
          drain(folder, old);
          rename(old, previous);
          drain(fresh, folder);
          Files.delete(fresh);
        } else {
          rename(folder, previous);
          rename(fresh, folder);
        }
        Tree.flush(folder);
      } catch (IOException | RuntimeException e) {
        takeBack(e);
        throw e;
      }
    }

    private void takeBack(Exception cause) throws IOException {
      try {
        undo();
        removeWork();
      } catch (IOException e) {
        throw new Failure(PARTIAL, "%s, and the swap could not be taken back: %s".formatted(Failure.of(cause).getMessage(), Failure.of(e).getMessage()),
            "keep TheHive stopped; nothing is lost, the trees are in %s: run the same command again when the cause is gone".formatted(work), e);
      }
    }

    /** Removes or keeps the old tree; by now the new one is live, so failing here is no failed restore. */
    void dropPrevious() throws IOException {
      try {
        if (keepPrevious && Files.exists(previous)) {
          var stamp = BackupSet.STAMP.format(LocalDateTime.now());
          var kept = tree.target.inside() ? work.resolve("previous_" + stamp) : folder.resolveSibling(folder.getFileName() + ".previous_" + stamp);
          rename(previous, kept);
          tree.console.step("The old tree is kept in %s", kept);
        }
        tree.delete(previous);
        removeWork();
      } catch (IOException e) {
        tree.console.warn("the old tree in %s could not be removed, the next run will: %s", work, Failure.of(e).getMessage());
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
    void finishFolder() throws IOException {
      if (tree.target.inside()) {
        tree.attributes.set(folder, tree.contents.find(""));
      }
    }

    private void drain(Path from, Path to) throws IOException {
      for (var batch = batch(from); !batch.isEmpty(); batch = batch(from)) {
        var some = batch;
        tree.workers.run(some.size(), (lane, i) -> rename(some.get(i), to.resolve(some.get(i).getFileName())));
      }
    }

    private List<Path> batch(Path from) throws IOException {
      try (var children = Files.list(from)) {
        return children.filter(child -> !from.equals(folder) || tree.target.isContent(child)).limit(10_000).toList();
      }
    }

    static void rename(Path from, Path to) throws IOException {
      Files.move(from, to, StandardCopyOption.ATOMIC_MOVE);
    }
  }

  /** Writes what differs into the live folder, each file beside its place and then over it; removes the rest last. */
  static final class InPlace {
    private final Tree tree;
    private final Contents contents;
    private final Path folder;
    private final BitSet write;
    private final BitSet touch;

    InPlace(Tree tree, Differences differences) {
      this.tree = tree;
      this.contents = tree.contents;
      this.folder = tree.folder;
      this.write = differences.write();
      this.touch = differences.touch();
    }

    void restore() throws IOException {
      if (tree.target.missing()) {
        Files.createDirectories(folder);
      }
      tree.attributes.learn(folder);
      makeFolders();
      try (var progress = tree.progress("Writing", write.stream().mapToLong(i -> contents.sizes[i]).sum(), write.cardinality())) {
        tree.source.forEach(write::get, (lane, i, bytes) -> {
          var place = folder.resolve(contents.name(i));
          var temporary = place.resolveSibling(OWN + "." + i);
          Files.deleteIfExists(temporary);
          tree.copy(bytes, i, temporary);
          tree.attributes.setOnNew(temporary, i);
          Swap.rename(temporary, place);
          tree.count(i);
        });
      }
      makeLinks();
      tree.console.step("Removing what is not in the backup");
      tree.walk((path, attributes, at) -> {
        if (at < 0) {
          Files.delete(path);
        }
      });
      setAttributes();
      tree.console.step("Flushing to disk");
      Tree.flush(folder);
    }

    private void makeFolders() throws IOException {
      for (var name : contents.folders()) {
        var path = folder.resolve(name);
        if (!name.isEmpty() && !Files.isDirectory(path, LinkOption.NOFOLLOW_LINKS)) {
          Files.deleteIfExists(path);
          Files.createDirectory(path);
        }
      }
      for (int i = write.nextSetBit(0); i >= 0; i = write.nextSetBit(i + 1)) {
        var path = folder.resolve(contents.name(i));
        if (Files.isDirectory(path, LinkOption.NOFOLLOW_LINKS)) {
          tree.delete(path);
        }
      }
    }

    private void makeLinks() throws IOException {
      for (var link : contents.symlinks.entrySet()) {
        if (write.get(link.getKey())) {
          var place = folder.resolve(contents.name(link.getKey()));
          var temporary = place.resolveSibling(OWN + ".link");
          Files.deleteIfExists(temporary);
          Swap.rename(Files.createSymbolicLink(temporary, Path.of(link.getValue())), place);
        }
        tree.attributes.set(folder.resolve(contents.name(link.getKey())), link.getKey());
      }
    }

    /** Of files that were not written, then of folders: what is written into a folder changes its time. */
    private void setAttributes() throws IOException {
      for (int i = touch.nextSetBit(0); i >= 0; i = touch.nextSetBit(i + 1)) {
        tree.attributes.set(folder.resolve(contents.name(i)), i);
      }
      var folders = contents.folders();
      for (int i = folders.size() - 1; i >= 0; i--) {
        tree.attributes.set(folder.resolve(folders.get(i)), contents.find(folders.get(i)));
      }
    }
  }

  /** Does many things side by side; the first failure stops the rest and is thrown. */
  static final class Workers implements Closeable {
    final int count;
    private final ExecutorService pool;

    interface Work {
      void accept(int lane, int i) throws IOException;
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

  // --- shared: Host (identical in every script that has it; a test holds them equal) ---
  /** A node of TheHive: this host, or another one through the system's OpenSSH client and its configuration. */
  record Host(String name, String destination, String port) {
    private static final Pattern NAMED = Pattern.compile("(?<to>([\\w.-]+@)?(?<host>\\w[\\w.-]*|\\[[\\h:]+]))(:(?<port>\\d+))?");
    private static final String PROPERTIES = "LoadState,ActiveState,SubState,NRestarts,StateChangeTimestamp,InvocationID";

    /** What a command left there; 255 is ssh's own code. */
    record Output(int code, String out, String err) {}

    /** A unit as systemctl(1) describes it: {@code active} is active, inactive, failed, activating or deactivating. */
    record Unit(String load, String active, String sub, int restarts, String since, String invocation, boolean root) {
      boolean isStopped() {
        return active.equals("inactive") || active.equals("failed");
      }

      @Override
      public String toString() {
        return active + (sub.isEmpty() || sub.equals("dead") ? "" : " (" + sub + ")");
      }
    }

    /** The nodes of THEHIVE_NODES, such as {@code node1 admin@node2:2222 localhost}; this host where it is not set. */
    static List<Host> all() {
      return named(Settings.variable("THEHIVE_NODES").orElse("localhost"));
    }

    static List<Host> named(String names) {
      return Stream.of(names.strip().split("[\\s,]+")).distinct().map(Host::parse).toList();
    }

    private static Host parse(String name) {
      var match = NAMED.matcher(name);
      if (!match.matches()) {
        throw new Failure(USAGE, "'%s' is no host".formatted(name), "name hosts like node1, admin@node2:2222 or localhost");
      }
      var local = Set.of("localhost", "127.0.0.1", "[::1]").contains(match.group("to")) && match.group("port") == null;
      return new Host(match.group("host"), local ? null : match.group("to").replaceAll("[\\[\\]]", ""), match.group("port"));
    }

    static String service() {
      var service = Settings.variable("THEHIVE_SERVICE").orElse("thehive");
      if (!service.matches("[A-Za-z0-9:_.@-]+")) {
        throw new Failure(USAGE, "THEHIVE_SERVICE '%s' is no unit's name".formatted(service), "name it as systemctl does, such as thehive");
      }
      return service;
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
            throw new Failure(UNREACHABLE, "%s: no answer within %d s to: %s".formatted(name, limit.toSeconds(), shell), null);
          }
          var output = new Output(process.exitValue(), Files.readString(out), Files.readString(err).strip());
          return isLocal() || output.code() != 255 ? output : unreachable(output.err());
        } finally {
          Files.delete(out);
          Files.delete(err);
        }
      } catch (IOException e) {
        throw new Failure(UNREACHABLE, "%s: %s".formatted(name, e.getMessage()), "the OpenSSH client is needed for other hosts", e);
      } catch (InterruptedException e) {
        throw new Failure(UNREACHABLE, name + ": interrupted", null, e);
      }
    }

    private Output unreachable(String said) {
      var reason = last(said).replaceFirst("^ssh: ", "");
      var by = "ssh " + (port == null ? "" : "-p " + port + " ") + destination;
      if (said.contains("Permission denied")) {
        throw new Failure(AUTHENTICATION, "%s: ssh: %s".formatted(name, reason), "log in with a key, without a password: " + by);
      }
      throw new Failure(UNREACHABLE, "%s: ssh: %s".formatted(name, reason), said.contains("Host key verification failed")
          ? "compare its host key and accept it by hand: " + by : "try it by hand: " + by);
    }

    static String last(String lines) {
      return lines.strip().replaceFirst("(?s).*\\R", "").strip();
    }

    Unit unit(String service) {
      var output = run("id -u; LC_ALL=C systemctl show --property=%s -- %s".formatted(PROPERTIES, service), Duration.ofSeconds(30));
      if (output.code() != 0) {
        throw new Failure(UNSAFE, "%s has no systemd that answers: %s".formatted(name, last(output.err())),
            "look after TheHive there by hand: in its container, or with its own start script");
      }
      var lines = output.out().lines().toList();
      var is = lines.stream().filter(line -> line.contains("=")).map(line -> line.split("=", 2))
          .collect(Collectors.toMap(pair -> pair[0], pair -> pair[1], (one, other) -> one));
      return new Unit(is.getOrDefault("LoadState", ""), is.getOrDefault("ActiveState", ""), is.getOrDefault("SubState", ""),
          Integer.parseInt(is.getOrDefault("NRestarts", "0")), is.getOrDefault("StateChangeTimestamp", ""),
          is.getOrDefault("InvocationID", ""), lines.get(0).equals("0"));
    }

    /** Why a restore must not begin: TheHive still runs on a node, or a node that was named cannot be asked. */
    static Optional<Failure> whereTheHiveRuns() {
      var service = service();
      var named = Settings.variable("THEHIVE_NODES").isPresent();
      return each(all(), host -> {
        try {
          var unit = host.unit(service);
          return unit.isStopped() ? null : new Failure(UNSAFE, "TheHive is still running on %s: %s is %s".formatted(host.name, service, unit),
              "stop it on every node: ./service-control.java stop; --force goes on all the same");
        } catch (Failure e) {
          return named ? e : null; // this host may well have no TheHive, and no systemd
        }
      }).stream().filter(Objects::nonNull).findFirst();
    }
  }

  // --- end shared: Host ---

  // --- shared: Failure (identical in every script that has it; a test holds them equal) ---
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

  /** What went wrong, what to do about it, and the exit code: shown as two lines, without a trace. */
  static final class Failure extends RuntimeException {
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
        message = file.getFile() + ": " + (file.getReason() != null ? file.getReason() : cause.getClass().getSimpleName());
      }
      return new Failure(UNEXPECTED, message, "run again with --verbose for the trace", cause);
    }
  }

  // --- end shared: Failure ---

  // --- shared: Settings (identical in every script that has it; a test holds them equal) ---
  /** Settings are the environment variables of the documented procedure; an option overrides its variable. */
  static final class Settings {
    private Settings() {}

    /** A variable that is set but blank is a mistake, never a value; each option's description names its variable. */
    static void refuseBlank(CommandSpec command) {
      for (var option : command.options()) {
        Pattern.compile("\\(([A-Z_]{4,})").matcher(String.join(" ", option.description())).results()
            .forEach(name -> variable(name.group(1)));
        if (String.valueOf((Object) option.getValue()).isBlank()) {
          throw new Failure(USAGE, option.longestName() + " is blank", "give it a value, or leave it out");
        }
      }
    }

    static Optional<String> variable(String name) {
      var value = Optional.ofNullable(System.getenv(name));
      if (value.filter(String::isBlank).isPresent()) {
        throw new Failure(USAGE, name + " is set but blank", "give it a value, or unset it");
      }
      return value;
    }

    /** A secret from the variable NAME, or from the file that NAME_FILE names (its last line break is not part of it). */
    static Optional<String> secret(String name) {
      var value = variable(name);
      var file = variable(name + "_FILE");
      if (value.isPresent() && file.isPresent()) {
        throw new Failure(USAGE, name + " and " + name + "_FILE are both set", "unset one of them");
      }
      if (file.isEmpty()) {
        return value;
      }
      try {
        return Optional.of(Files.readString(Path.of(file.get())).replaceFirst("\\R\\z", ""));
      } catch (IOException | InvalidPathException e) {
        throw new Failure(USAGE, "cannot read " + name + "_FILE " + file.get() + ": " + e.getMessage(), "check path and mode");
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

  // --- end shared: Settings ---

  // --- shared: BackupSet (identical in every script that has it; a test holds them equal) ---
  /** One backup of one component: its archive or marker, and the time that its name gives. */
  record Backup(Path file, String name, LocalDateTime taken) {
    String age() {
      var age = Duration.between(taken, LocalDateTime.now());
      return age.toDays() > 1 ? age.toDays() + " days ago"
          : age.toHours() > 1 ? age.toHours() + " hours ago" : Math.max(0, age.toMinutes()) + " minutes ago";
    }
  }

  /** Chooses backups by the names that the documented backup scripts give them. */
  static final class BackupSet {
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
      var what = components.iterator().next() + "_<timestamp>." + String.join("|", types);
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
        throw new Failure(BAD_BACKUP,
            "%s was taken shortly after the restore point %s, and nothing shortly before it".formatted(next.get().name(), wanted),
            "for that one: --backup " + STAMP.format(next.get().taken()));
      }
      return chosen.orElseThrow(() -> new Failure(BAD_BACKUP,
          "no backup %s in %s%s".formatted(what, folder, wanted == null ? "" : " at or before " + wanted),
          "is the backup folder mounted, and is its variable right?"));
    }

    private static List<Path> list(Path folder, String what) {
      try (var files = Files.list(folder)) {
        return files.toList();
      } catch (NoSuchFileException e) {
        throw new Failure(BAD_BACKUP, "no backup %s: there is no folder %s".formatted(what, folder),
            "is the backup folder mounted, and is its variable right?");
      } catch (IOException e) {
        throw new Failure(BAD_BACKUP, "cannot list %s: %s".formatted(folder, e.getMessage()), "check its mode and owner");
      }
    }

    private static Optional<Backup> backup(Path file, Set<String> components, Set<String> types) {
      var match = NAME.matcher(file.getFileName().toString());
      if (!match.matches() || !components.contains(match.group("component")) || !types.contains(match.group("type"))) {
        return Optional.empty();
      }
      var name = match.group("component") + "_" + match.group("stamp");
      return Optional.of(new Backup(file, name, time(match.group("stamp"))));
    }

    private static Backup existing(Backup backup) {
      if (!Files.isRegularFile(backup.file())) {
        throw new Failure(BAD_BACKUP, "there is no file " + backup.file(), "check the path given with --backup");
      }
      return backup;
    }

    private static LocalDateTime time(String wanted) {
      var stamp = Pattern.compile("\\d{8}_\\d\\dh\\d\\dm\\d\\ds").matcher(wanted);
      try {
        return LocalDateTime.parse(stamp.find() ? stamp.group() : wanted, STAMP);
      } catch (DateTimeParseException e) {
        throw new Failure(USAGE, "'%s' is no restore point".formatted(wanted),
            "name one like 20261122_12h00m56s, cassandra_20261122_12h00m56s or the path of an archive");
      }
    }
  }

  // --- end shared: BackupSet ---

  // --- shared: Archive (identical in every script that has it; a test holds them equal) ---
  /** One member of an archive; {@code offset} is that of its bytes in a plain tar, -1 where they are not in one piece. */
  record Entry(String name, boolean folder, boolean file, long size, long offset, Object header) {}

  /** Reads .tar and .zip (also AES-encrypted) alike, without unpacking them to disk. */
  static final class Archive implements Closeable {
    final Path path;
    private final FileChannel channel;
    private final ZipFile zip;

    Archive(Path path, Optional<String> password) {
      this.path = path;
      try {
        this.channel = FileChannel.open(path);
        this.zip = path.toString().endsWith(".zip")
            ? new ZipFile(path.toFile(), password.map(String::toCharArray).orElse(null)) : null;
        if (zip != null && zip.isEncrypted() && password.isEmpty()) {
          throw new Failure(AUTHENTICATION, path + " is encrypted", "set BACKUP_PASSWORD or BACKUP_PASSWORD_FILE");
        }
      } catch (IOException e) {
        throw broken(e.getMessage(), e);
      }
    }

    /** All members in file order; proves that the archive is complete and that no name leads out of its folder. */
    void index(Consumer<Entry> visitor) {
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

    private void indexTar(Consumer<Entry> visitor) throws IOException {
      var end = 0L;
      for (var header = header(end); header != null; header = header(end)) {
        if (!header.isCheckSumOK()) {
          throw broken("the header of its entry '%s' is damaged".formatted(header.getName()), null);
        }
        var plain = header.isFile() && !header.isSparse();
        var offset = channel.position();
        visitor.accept(new Entry(safe(header.getName()), header.isDirectory(), plain, header.getSize(), offset, header));
        end = offset + (header.isFile() ? (header.getSize() + 511) / 512 * 512 : 0);
      }
      // A tar cut between two members still lists without an error; only the closing block of zeros proves its end.
      if (end == 0 || channel.size() < end + 512) {
        throw broken("it is cut short", null);
      }
    }

    /** The member's header, with the channel behind it: read on, the stream would read all that it skips, holes too. */
    private TarArchiveEntry header(long offset) throws IOException {
      channel.position(offset);
      return new TarArchiveInputStream(Channels.newInputStream(channel), "UTF-8").getNextEntry();
    }

    private void indexZip(Consumer<Entry> visitor) throws IOException {
      for (var header : zip.getFileHeaders()) {
        visitor.accept(new Entry(safe(header.getFileName()), header.isDirectory(), !header.isDirectory(),
            header.getUncompressedSize(), -1, header));
      }
    }

    /** The bytes of one member; several may be read side by side, each by one thread. */
    InputStream open(Entry entry) throws IOException {
      if (zip == null) {
        var member = Channels.newInputStream(FileChannel.open(path).position(entry.offset()));
        return BoundedInputStream.builder().setInputStream(member).setMaxCount(entry.size()).get();
      }
      synchronized (zip) {
        try {
          return zip.getInputStream((FileHeader) entry.header());
        } catch (ZipException e) {
          if (e.getType() == ZipException.Type.WRONG_PASSWORD) {
            throw new Failure(AUTHENTICATION, "wrong password for " + path, "check BACKUP_PASSWORD or BACKUP_PASSWORD_FILE");
          }
          throw e;
        }
      }
    }

    /** Writes one member to a file; in a plain tar the kernel copies. */
    void copy(Entry entry, Path target) throws IOException {
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

    private String safe(String name) {
      var path = name.endsWith("/") ? name.substring(0, name.length() - 1) : name;
      var parts = List.of(path.replaceFirst("^\\./", "").split("/", -1));
      if (name.startsWith("/") || name.indexOf('\0') >= 0 || parts.contains("..") || parts.contains("") && parts.size() > 1) {
        throw broken("its entry '%s' leads out of the backup's folder".formatted(name), null);
      }
      return path.replaceFirst("^\\./", "");
    }

    Failure broken(String why, Throwable cause) {
      return new Failure(BAD_BACKUP, "%s is no usable backup: %s".formatted(path, why), "nothing was changed; choose another with --backup", cause);
    }

    @Override
    public void close() throws IOException {
      channel.close();
      if (zip != null) {
        zip.close();
      }
    }
  }

  // --- end shared: Archive ---

  // --- shared: Console (identical in every script that has it; a test holds them equal) ---
  /** What the administrator sees: steps and progress on stderr, the result on stdout. */
  @Command(footer = {
    "In brackets: the variable, which an option overrides, and the value without both. A secret may be in a file that its"
        + " variable with _FILE names; BACKUP_PASSWORD is that of encrypted archives.",
    "Exit codes: 0 done, 1 unexpected error, 2 wrong usage or settings, 10 backup missing or invalid, 11 unreachable,"
        + " 12 authentication, 13 target not in a safe state, 14 partial, 15 verification failed, 16 declined, 130 interrupted."
  })
  static class Console {
    @Option(names = "--verbose", description = "show traces and the libraries' warnings")
    boolean verbose;

    final boolean terminal = System.console() != null;
    private ProgressBar bar;

    synchronized void step(String text, Object... values) {
      System.err.println((bar != null && terminal ? "\r\033[K" : "") + text.formatted(values));
    }

    void warn(String text, Object... values) {
      step("warning: " + text, values);
    }

    /** Shows what went wrong and what to do about it; the exit code for it. */
    synchronized int error(String about, Failure failure) {
      step("%s", "error: " + (about.isEmpty() ? "" : about + ": ") + failure.getMessage());
      if (failure.hint != null) {
        step("%s", "hint: " + failure.hint);
      }
      if (verbose) {
        failure.printStackTrace();
      }
      return failure.code;
    }

    /** A bar on a terminal, a line every five seconds elsewhere, until closed; bytes as counted by the work itself. */
    Closeable progress(String task, long total, LongSupplier done, Supplier<String> state) {
      var builder = new ProgressBarBuilder().setTaskName(task).setInitialMax(total)
          .setUnit(total < 10_000_000 ? " kB" : " MB", total < 10_000_000 ? 1_000 : 1_000_000).showSpeed(new DecimalFormat("0.0"))
          .setStyle(ProgressBarStyle.ASCII).setUpdateIntervalMillis(terminal ? 200 : 5_000).clearDisplayOnFinish();
      builder.setConsumer(terminal
          ? new ConsoleProgressBarConsumer(System.err)
          : new DelegatingProgressBarConsumer(line -> step("%s", line.strip()), 160));
      bar = builder.build();
      var clock = Executors.newSingleThreadScheduledExecutor(Console::daemon);
      clock.scheduleAtFixedRate(() -> bar.stepTo(done.getAsLong()).setExtraMessage("  " + state.get()), 0, 200, TimeUnit.MILLISECONDS);
      return () -> {
        clock.shutdownNow();
        bar.close();
        bar = null;
      };
    }

    static Thread daemon(Runnable work) {
      var thread = new Thread(work);
      thread.setDaemon(true);
      return thread;
    }

    static String size(long bytes) {
      return bytes < 1_000_000 ? (bytes + 999) / 1000 + " kB"
          : bytes < 10_000_000_000L ? (bytes + 500_000) / 1_000_000 + " MB" : (bytes + 500_000_000L) / 1_000_000_000L + " GB";
    }
  }

  // --- end shared: Console ---

  // --- shared: Consent (identical in every script that has it; a test holds them equal) ---
  /** Asks before anything is overwritten, and refuses what only --force goes on with. */
  static final class Consent extends Console {
    @Option(names = "--dry-run", description = "do every check, print the plan, change nothing")
    boolean dryRun;

    @Option(names = "--yes", defaultValue = "${env:ASSUME_YES:-false}", fallbackValue = "true",
        description = "do not ask before overwriting (ASSUME_YES)")
    boolean yes;

    @Option(names = "--force", description = "go on although TheHive runs on THEHIVE_NODES or another client is connected")
    boolean force;

    /** A reason not to begin; a warning only with --force, or where nothing will be changed. */
    void refuse(Failure reason) {
      if (!force && !dryRun) {
        throw reason;
      }
      warn("%s", reason.getMessage());
    }

    /** Shows the plan; then the name of what will be overwritten is to be typed, unless --yes answered already. */
    void confirm(List<String> plan, String name) {
      plan.forEach(line -> step("%s", line));
      if (dryRun || yes) {
        return;
      }
      if (!terminal) {
        throw new Failure(DECLINED, "not confirmed: there is no terminal to ask on, nothing was changed",
            "add --yes or set ASSUME_YES=true");
      }
      if (!name.equals(System.console().readLine("%nType %s to overwrite it: ", name))) {
        throw new Failure(DECLINED, "not confirmed, nothing was changed", null);
      }
    }
  }

  // --- end shared: Consent ---

  // --- shared: Report (identical in every script that has it; a test holds them equal) ---
  /**
   * The lock, the marker of an unfinished restore and the report, all beside the archives. The marker stands from the
   * first change to the success; while it stands, TheHive must not be started.
   */
  static final class Report implements Closeable {
    static final ObjectMapper JSON = new ObjectMapper().enable(SerializationFeature.INDENT_OUTPUT);
    private final Path folder;
    private final String script;
    private final Path marker;
    private final FileChannel lock;
    private final Instant started = Instant.now();

    Report(Path folder, String script, boolean dryRun) {
      this.folder = folder;
      this.script = script;
      this.marker = folder.resolve(script + ".unfinished");
      this.lock = dryRun && !Files.isWritable(folder) ? null : lock(folder.resolve("." + script + ".lock"));
    }

    private static FileChannel lock(Path file) {
      try {
        var lock = FileChannel.open(file, StandardOpenOption.CREATE, StandardOpenOption.WRITE);
        if (lock.tryLock() == null) {
          throw new Failure(UNSAFE, "another restore is running: %s is locked".formatted(file), "wait for its end");
        }
        return lock;
      } catch (IOException e) {
        throw new Failure(UNSAFE, "cannot write to %s: %s".formatted(file.getParent(), Failure.of(e).getMessage()),
            "lock, marker and report are kept beside the archives: is the folder there and writable?");
      }
    }

    /** What an interrupted run left for this one; empty when there was none. */
    JsonNode unfinished() {
      try {
        return Files.exists(marker) ? JSON.readTree(marker.toFile()) : JSON.createObjectNode();
      } catch (IOException e) {
        throw new Failure(UNSAFE, "cannot read %s: %s".formatted(marker, e.getMessage()), "remove it if no restore is unfinished");
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
      write(marker, ((ObjectNode) unfinished()).set(name, JSON.valueToTree(value)));
    }

    /** Writes the report, and takes finished parts from the marker; the marker goes with the last. */
    synchronized Path end(int code, Set<String> finished, Map<String, ?> what) throws IOException {
      var report = JSON.createObjectNode().put("script", script).put("started", started.toString())
          .put("seconds", Duration.between(started, Instant.now()).toMillis() / 1000.0).put("exit", code);
      what.forEach((name, value) -> report.set(name, JSON.valueToTree(value)));
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
        out.write(ByteBuffer.wrap(JSON.writeValueAsBytes(what)));
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

  // --- end shared: Report ---
}
