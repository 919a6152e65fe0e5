///usr/bin/env jbang "$0" "$@" ; exit $?
//DESCRIPTION Restores TheHive's attachments on NFS or a local folder from a hot backup
//JAVA 17+
//DEPS com.fasterxml.jackson.core:jackson-databind:2.23.0
//DEPS com.fasterxml.jackson.dataformat:jackson-dataformat-smile:2.23.0 // in which Elasticsearch writes a snapshot's files
//DEPS com.github.luben:zstd-jni:1.5.7-28 // for .tar.zst, and for SSTables compressed with Zstd
//DEPS com.typesafe:config:1.4.3 // HOCON with includes and substitutions, as TheHive itself reads it
//DEPS commons-codec:commons-codec:1.23.0
//DEPS commons-io:commons-io:2.22.0
//DEPS info.picocli:picocli:4.7.7
//DEPS net.lingala.zip4j:zip4j:2.11.6
//DEPS org.apache.commons:commons-compress:1.28.0
//DEPS org.tukaani:xz:1.12 // for .tar.xz
// Of the classes below the marker, written by ./jbang lib/embed.java:
//COMPILE_OPTIONS -encoding UTF-8
//JAVA_OPTIONS -Xmx256m -XX:+UseSerialGC -XX:TieredStopAtLevel=1
//JAVA_OPTIONS -XX:+IgnoreUnrecognizedVMOptions --enable-native-access=ALL-UNNAMED --sun-misc-unsafe-memory-access=allow
//JAVA_OPTIONS -Dfile.encoding=UTF-8 -Dstdout.encoding=UTF-8 -Dstderr.encoding=UTF-8 -Djdk.console=java.base

import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.SerializationFeature;
import com.fasterxml.jackson.databind.cfg.EnumFeature;
import com.fasterxml.jackson.databind.json.JsonMapper;
import com.fasterxml.jackson.databind.node.MissingNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import com.fasterxml.jackson.dataformat.smile.databind.SmileMapper;
import com.typesafe.config.ConfigException;
import com.typesafe.config.ConfigFactory;
import com.typesafe.config.ConfigResolveOptions;
import com.typesafe.config.ConfigValueType;
import java.io.BufferedInputStream;
import java.io.ByteArrayInputStream;
import java.io.Closeable;
import java.io.EOFException;
import java.io.File;
import java.io.FileNotFoundException;
import java.io.IOException;
import java.io.InputStream;
import java.io.UncheckedIOException;
import java.math.BigDecimal;
import java.math.RoundingMode;
import java.net.ConnectException;
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpConnectTimeoutException;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse;
import java.nio.BufferUnderflowException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.channels.Channels;
import java.nio.channels.FileChannel;
import java.nio.charset.CharacterCodingException;
import java.nio.charset.Charset;
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
import java.nio.file.attribute.BasicFileAttributeView;
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
import java.security.KeyStoreException;
import java.security.cert.Certificate;
import java.security.cert.CertificateException;
import java.security.cert.CertificateFactory;
import java.time.Duration;
import java.time.Instant;
import java.time.LocalDateTime;
import java.time.ZoneId;
import java.time.format.DateTimeFormatter;
import java.time.format.DateTimeParseException;
import java.time.format.ResolverStyle;
import java.time.temporal.ChronoUnit;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Base64;
import java.util.BitSet;
import java.util.Collection;
import java.util.Collections;
import java.util.Comparator;
import java.util.HashMap;
import java.util.HashSet;
import java.util.LinkedHashMap;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.NavigableMap;
import java.util.Objects;
import java.util.Optional;
import java.util.Set;
import java.util.SortedMap;
import java.util.SortedSet;
import java.util.TreeMap;
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
import java.util.function.Predicate;
import java.util.function.Supplier;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import java.util.stream.Collectors;
import java.util.stream.IntStream;
import java.util.stream.Stream;
import java.util.zip.CRC32;
import java.util.zip.Inflater;
import java.util.zip.InflaterInputStream;
import javax.net.ssl.KeyManager;
import javax.net.ssl.SSLContext;
import javax.net.ssl.SSLException;
import javax.net.ssl.TrustManager;
import javax.net.ssl.TrustManagerFactory;
import javax.net.ssl.X509TrustManager;
import net.lingala.zip4j.exception.ZipException;
import net.lingala.zip4j.io.inputstream.ZipInputStream;
import net.lingala.zip4j.model.ExtraDataRecord;
import net.lingala.zip4j.model.FileHeader;
import net.lingala.zip4j.model.Zip4jConfig;
import org.apache.commons.codec.digest.DigestUtils;
import org.apache.commons.compress.compressors.bzip2.BZip2CompressorInputStream;
import org.apache.commons.compress.compressors.gzip.GzipCompressorInputStream;
import org.apache.commons.compress.compressors.xz.XZCompressorInputStream;
import org.apache.commons.compress.compressors.zstandard.ZstdCompressorInputStream;
import org.apache.commons.io.IOUtils;
import org.apache.commons.io.input.BoundedInputStream;
import org.apache.commons.io.input.BufferedFileChannelInputStream;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Option;
import picocli.CommandLine.ParameterException;
import picocli.CommandLine.ScopeType;
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
    version = Release.VERSION,
    mixinStandardHelpOptions = true,
    sortOptions = false,
    abbreviateSynopsis = true,
    synopsisHeading = "Usage: ./jbang ",
    footer = {"%nExample: ./jbang restore-files-nfs.java --dry-run", Exit.OF_RESTORES})
class RestoreFilesNfs implements Callable<Integer> {
  static final String SCRIPT = "restore-files-nfs";
  static final List<Variable> VARIABLES =
      Stream.of(FolderSettings.VARIABLES, CommonSettings.VARIABLES, TheHiveSettings.VARIABLES)
      .flatMap(List::stream).toList();

  @Option(names = "--backup", paramLabel = "POINT", description = "timestamp, name or path of the backup (the newest)")
  String wanted;

  @Option(names = "--max-gap", paramLabel = "DURATION", defaultValue = "PT15M",
      description = "longest time between the backups (${DEFAULT-VALUE})")
  Duration maxGap;

  @Option(names = "--in-place",
      description = "write only what differs, into the live folder: needs no room for a second tree")
  boolean inPlace;

  @Option(names = "--keep-previous", description = "leave the old tree beside the restored one")
  boolean keepPrevious;

  @Option(names = "--max-delete", paramLabel = "PERCENT", defaultValue = "50",
      description = "ask again before removing more than this part (${DEFAULT-VALUE})")
  int maxDelete;

  @Mixin FolderAnswers answers = new FolderAnswers();

  @Option(names = "--workers", paramLabel = "N", defaultValue = "8",
      description = "files side by side (${DEFAULT-VALUE})")
  int workerCount;

  @Mixin RestoreConsole console = new RestoreConsole();

  /** The live folder is being changed. */
  private boolean changing;

  public static void main(String[] args) {
    var script = new RestoreFilesNfs();
    System.exit(Commands.run(script, script.console, VARIABLES, script::failed, args));
  }

  @Override
  public Integer call() throws IOException {
    requireOptions();
    var settings = Settings.fromEnvironment();
    var files = FolderSettings.of(settings);
    var common = CommonSettings.of(settings);
    var theHive = TheHiveSettings.of(settings);
    console.requireTheHiveStopped(theHive);
    var chosen = BackupSet.files(files.archives()).choose(wanted, maxGap);
    chosen.warnings().forEach(warning -> console.warn("%s", warning));
    var backup = chosen.backup();
    console.step("Restoring attachments from %s, taken %s", backup.file(), backup.age());
    try (var run = new RestoreRun(console.stateFolder(common, files.archives(), wanted), SCRIPT, console.dryRun);
        var workers = new Workers(workerCount);
        var archive = new AttachmentArchive(backup.file(), common.archivePassword())) {
      run.problem().ifPresent(console::refuseUnlessForced);
      var target = AttachmentFolder.check(files.folder(), backup.file(), answers, console);
      var plan = plan(job(files, target, archive, workers));
      var outlook = RestoreOutlook.of(run, PlannedPoint.line(settings, chosen.backups(), maxGap, Optional.empty()),
          Map.of("files", archive.bytes), report -> report.path("mode").asText().equals(plan.mode()));
      run.steps.time("", StepTimes.QUESTION, () ->
          console.confirm(plan.lines(console.dryRun ? "Would" : "Will", settings, theHive, outlook),
          target.folder().toString()));
      return console.dryRun ? endDryRun(plan) : restore(recovered(plan, files), run, outlook);
    }
  }

  private void requireOptions() {
    if (inPlace && keepPrevious) {
      throw new Failure(Exit.USAGE, "--in-place keeps no previous tree", "leave out --keep-previous");
    }
    if (workerCount < 1 || workerCount > 256) {
      throw new Failure(Exit.USAGE, "--workers %d is not between 1 and 256".formatted(workerCount), null);
    }
    if (maxDelete < 0 || maxDelete > 100) {
      throw new Failure(Exit.USAGE, "--max-delete %d is not between 0 and 100".formatted(maxDelete), null);
    }
  }

  private RestoreJob job(FolderSettings files, AttachmentFolder target, AttachmentArchive archive, Workers workers)
      throws IOException {
    if (!archive.passedOver.isEmpty()) {
      console.warn(
          "the backup holds what belongs to the storage or to an interrupted restore, not to TheHive; passed over: %s",
          EntryName.shown(String.join(", ", archive.passedOver)));
    }
    var live = AttachmentFolder.exists(target.folder()) ? target.folder() : StagedSwap.previous(target);
    var job = new RestoreJob(archive, target, Ownership.of(files.owner(), live, archive), workers, console);
    warnOfOtherOwner(job);
    return job;
  }

  private void warnOfOtherOwner(RestoreJob job) throws IOException {
    var owner = job.ownership().folderOwner();
    if (AttachmentFolder.exists(job.folder()) && !owner.agreeWith(Principals.of(job.folder()))) {
      console.warn("the folder belongs to %1$s and will belong to %2$s: ATTACHMENT_OWNER=%1$s keeps it",
          Principals.of(job.folder()), owner);
    }
  }

  /** Makes the checks that need the backup and the folder as it is now, and counts what differs. */
  private Plan plan(RestoreJob job) throws IOException {
    var writer = new AttachmentWriter(job);
    var swap = new StagedSwap(job, writer, keepPrevious);
    if (!answers.allowOtherContent && !swap.isInterrupted() && AttachmentFolder.exists(job.folder())) {
      AttachmentLayout.require(job.folder(), job.backup());
    }
    if (AttachmentFolder.exists(job.folder())) {
      ImmutableFiles.require(job.target());
    }
    if (!inPlace) {
      job.target().requireSwappable();
    }
    if (!inPlace && !swap.isInterrupted()) {
      job.target().requireRoom(job.backup());
    }
    var comparison = FolderComparison.of(job);
    return new Plan(job, writer, swap, inPlace, keepPrevious,
        inPlace || console.dryRun ? comparison.contents() : comparison.names());
  }

  private int endDryRun(Plan plan) throws IOException {
    if (!keepPrevious && plan.differences.removesMoreThan(maxDelete)) {
      console.refuseUnlessForced(tooMuchToRemove(plan.differences));
    }
    var code = console.endDryRun();
    print(Json.MAPPER.valueToTree(plan.summary()), "Would restore " + plan.counted());
    return code;
  }

  /** The plan for the folder as it is when an interrupted restore was put right. */
  private Plan recovered(Plan plan, FolderSettings files) throws IOException {
    if (!plan.swap.isInterrupted()) {
      return plan;
    }
    plan.job.target().requireMounted(Exit.UNSAFE); // the answer may have come late
    plan.swap.recover();
    console.onInterrupt("%s is as it was before. Run the same command again.".formatted(plan.job.folder()));
    var target = AttachmentFolder.check(files.folder(), plan.job.backup().archive.path, answers, console);
    return plan(job(files, target, plan.job.backup(), plan.job.workers()));
  }

  private int restore(Plan plan, RestoreRun run, RestoreOutlook outlook) throws IOException {
    run.steps.time("", StepTimes.QUESTION, () -> confirmRemoval(plan.differences));
    plan.job.target().requireMounted(Exit.UNSAFE); // the answer may have come late
    print(carryOut(plan, run, outlook), "Restored " + plan.counted());
    return Exit.DONE;
  }

  /** Asks before much is removed: the classic way to lose a folder is to name the wrong one. */
  private void confirmRemoval(FolderDifferences differences) {
    if (keepPrevious || !differences.removesMoreThan(maxDelete)) {
      return;
    }
    var failure = tooMuchToRemove(differences);
    if (!console.terminal) {
      throw failure;
    }
    var answer = System.console().readLine(
        "%n%d files are not in the backup and will be removed.%nType their number to remove them: ",
        differences.extra());
    if (!("" + differences.extra()).equals(answer)) {
      throw new Failure(Exit.DECLINED, "not confirmed, nothing was changed", failure.hint);
    }
  }

  private Failure tooMuchToRemove(FolderDifferences differences) {
    return new Failure(Exit.DECLINED,
        "%d of the folder's %d files are not in the backup and would be removed, nothing was changed"
        .formatted(differences.extra(), differences.present() + differences.extra()),
        "is it the right folder and backup? %s--max-delete 100 removes them"
            .formatted(inPlace ? "" : "--keep-previous keeps them, "));
  }

  private JsonNode carryOut(Plan plan, RestoreRun run, RestoreOutlook outlook) throws IOException {
    plan.job.tellOldErrors();
    var wasUnfinished = run.unfinished().has("unfinished");
    try {
      if (!inPlace) {
        run.steps.time("files", "stage", plan.job.backup().bytes, plan.swap::stage);
      }
      begin(plan, run);
      if (inPlace) {
        run.steps.time("files", "write in place",
            new InPlaceRestore(plan.job, plan.writer, plan.differences)::restore);
      } else {
        run.steps.time("files", "swap", plan.swap::exchange);
        run.steps.time("files", keepPrevious ? "keep the old tree" : "remove the old tree", plan.swap::finish);
      }
    } catch (IOException | RuntimeException e) {
      var failure = explained(e, plan.job.target());
      writeReport(run, failure, failure.code != Exit.PARTIAL && !wasUnfinished);
      throw failure;
    }
    requireAllSet(plan, run);
    console.step("%s", outlook.end(run.steps));
    var file = run.end(Exit.DONE, Set.of("files"), plan.summary());
    console.step("Report: %s", file);
    console.step(
        "Next: when Cassandra and Elasticsearch are restored too: ./jbang verify.java --exact --skip services,logs, "
        + "then ./jbang service-control.java start");
    return Json.MAPPER.readTree(file.toFile());
  }

  /** Writes the marker; where that fails nothing live was changed, and what was staged is removed. */
  private void begin(Plan plan, RestoreRun run) throws IOException {
    try {
      run.begin(Set.of("files"));
    } catch (IOException | RuntimeException e) {
      plan.swap.abandon();
      throw e;
    }
    changing = true;
  }

  /** Writes the report of a failure; if that fails, too, the first failure is the one to tell. */
  private void writeReport(RestoreRun run, Failure failure, boolean untouched) {
    try {
      run.end(failure.code, untouched ? Set.of("files") : Set.of(), Map.of("error", failure.getMessage()));
    } catch (IOException | RuntimeException e) {
      console.warn("the report could not be written: %s", Failure.of(e).getMessage());
    }
  }

  /** All files are in place, but TheHive may be unable to read them. */
  private void requireAllSet(Plan plan, RestoreRun run) throws IOException {
    plan.writer.unset
        .forEach((what, times) -> console.warn("the %s of %d files and folders could not be set: %s", what, times,
            what.equals("owner") || what.equals("group")
                ? "run as root (on NFS: without root squash), or change it on the server" : "not supported there"));
    if (!plan.writer.unset.isEmpty()) {
      var what = String.join(", ", plan.writer.unset.keySet());
      var summary = new LinkedHashMap<>(plan.summary());
      summary.put("error", "all files are restored, but not all have their " + what);
      run.end(Exit.PARTIAL, Set.of("files"), summary);
      throw new Failure(Exit.PARTIAL, "" + summary.get("error"),
          "if they shall belong to the user who restores them, set ATTACHMENT_OWNER to it");
    }
  }

  /** The error of the file system, with the file's name, and in which state that leaves the folder. */
  private Failure explained(Exception thrown, AttachmentFolder target) {
    var failure = Failure.of(thrown);
    if (failure.code == Exit.PARTIAL) {
      return failure;
    }
    var mixed = inPlace && changing;
    if (mixed && target.isGone()) {
      return target.gone(Exit.PARTIAL);
    }
    var known = failure.code != Exit.UNEXPECTED;
    var message = (known || failure.getCause() instanceof FileSystemException ? "" : target.folder() + ": ")
        + failure.getMessage()
        + (!known && target.isGone() ? " (its file system is no longer mounted or does not answer)" : "");
    if (mixed) {
      var hint = target.folder()
          + " is mixed now: keep TheHive stopped, and run the same command again when the cause is gone";
      return new Failure(Exit.PARTIAL, message, hint, thrown);
    }
    var hint = target.folder() + " is as it was before" + (known && failure.hint != null ? "; " + failure.hint : "");
    return new Failure(known ? failure.code : Exit.UNSAFE, message, hint, thrown);
  }

  private void print(JsonNode report, String line) throws IOException {
    System.out.println(console.json ? Json.MAPPER.writeValueAsString(report) : line);
    if (System.out.checkError()) {
      throw new Failure(Exit.UNEXPECTED, "the result could not be written to standard output", "it was: " + line);
    }
  }

  private int failed(Failure thrown) {
    // A handle that is stale, a server that does not answer a soft mount.
    var failure = thrown.code == Exit.UNEXPECTED && thrown.getCause() instanceof FileSystemException
        && !(thrown.getCause() instanceof AccessDeniedException)
            ? new Failure(Exit.UNSAFE, thrown.getMessage(),
                "is its file system mounted, and does it answer? unmount it and mount it again", thrown)
            : thrown;
    var code = console.error("", failure);
    System.out.println(console.json ? Json.failure(SCRIPT, failure)
        : "=== ✗ ERROR - attachments: exit %d ===".formatted(code));
    return code;
  }

  /** What will be done; the dry run shows the very one that a real run carries out. */
  record Plan(RestoreJob job, AttachmentWriter writer, StagedSwap swap, boolean inPlace, boolean keepPrevious,
      FolderDifferences differences) {
    List<String> lines(String verb, Settings settings, TheHiveSettings theHive, RestoreOutlook outlook)
        throws IOException {
      var target = job.target();
      var host = Files.readString(Path.of("/proc/sys/kernel/hostname")).strip();
      var origin = settings.origin(FolderSettings.FOLDER);
      var lines = new ArrayList<>(List.of("", "%s on host %s (%s):".formatted(target.folder(), host,
          origin.equals("set") ? FolderSettings.FOLDER.name() : origin), "  file system: " + target.mount()));
      outlook.lines().forEach(line -> lines.add("  " + line));
      if (swap.isInterrupted()) {
        lines.add("  %s first put right what an interrupted restore left in %s".formatted(verb, target.work()));
      }
      lines.add("  " + verb + " restore " + counted());
      if (inPlace) {
        lines.add("  " + verb + " write into the live folder, which is mixed until the end");
      } else {
        lines.add("  %s stage all of it in %s, then swap%s".formatted(verb, target.work(),
            target.isStagedInside() ? ", entry by entry, because the folder itself stays" : ""));
        lines.add("  " + verb + (keepPrevious ? " keep the old tree" : " remove the old tree"));
      }
      lines.add("  " + verb + " " + owners());
      if (!theHive.named()) {
        lines.add("  whether TheHive is stopped was asked of this host only: THEHIVE_NODES names no other");
      }
      lines.add("");
      return lines;
    }

    String mode() {
      return inPlace ? "in-place" : "staged";
    }

    /** Whose the files will be. */
    private String owners() {
      var ownership = job.ownership();
      if (!ownership.given().equals(Principals.NONE)) {
        return "give all of it to " + ownership.given() + " (ATTACHMENT_OWNER)";
      }
      var top = job.folders().get(0);
      if (job.backup().all.stream().anyMatch(ownership::isNotRecorded)) {
        return "set owners as in the backup, but %s where it says root or nobody (ATTACHMENT_OWNER=root:root sets root)"
            .formatted(ownership.folderOwner());
      }
      return "set owners as in the backup" + (top.owner().uid() != 0 ? ""
          : "; the folder belongs to root there: ATTACHMENT_OWNER=thehive:thehive if TheHive runs as thehive");
    }

    String counted() {
      return "%d files, %s: %s".formatted(job.backup().files, Console.size(job.backup().bytes),
          inPlace ? differences.written() : differences.replaced());
    }

    Map<String, Object> summary() {
      var all = new LinkedHashMap<String, Object>();
      all.put("backup", job.backup().archive.path.toString());
      all.put("folder", job.folder().toString());
      all.put("fileSystem", "" + job.target().mount());
      all.put("mode", mode());
      all.put("files", job.backup().files);
      all.put("bytes", job.backup().bytes);
      all.put("new", differences.added());
      all.put("there", differences.present());
      differences.unchanged().ifPresent(unchanged -> {
        all.put("changed", differences.present() - unchanged);
        all.put("unchanged", unchanged);
      });
      all.put("removed", differences.extra());
      all.put("notSet", writer.unset);
      return all;
    }
  }
}

// ---- Below: copies of lib/*.java, written by ./jbang lib/embed.java. Change those files, not these lines. ----
