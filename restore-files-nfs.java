///usr/bin/env jbang "$0" "$@" ; exit $?
//DESCRIPTION Restores TheHive's attachments on NFS or a local folder from a hot backup
//JAVA 17+
//DEPS commons-codec:commons-codec:1.23.0
// Of the classes below the marker, written by ./jbang lib/embed.java:
//DEPS com.fasterxml.jackson.core:jackson-databind:2.23.0
//DEPS com.fasterxml.jackson.dataformat:jackson-dataformat-smile:2.23.0 // in which Elasticsearch writes a snapshot's files
//DEPS com.github.luben:zstd-jni:1.5.7-28 // for .tar.zst, and for SSTables compressed with Zstd
//DEPS com.typesafe:config:1.4.3 // HOCON with includes and substitutions, as TheHive itself reads it
//DEPS commons-io:commons-io:2.22.0
//DEPS info.picocli:picocli:4.7.7
//DEPS net.lingala.zip4j:zip4j:2.11.6
//DEPS org.apache.commons:commons-compress:1.28.0
//DEPS org.tukaani:xz:1.12 // for .tar.xz
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
import org.apache.commons.compress.compressors.bzip2.BZip2CompressorInputStream;
import org.apache.commons.compress.compressors.gzip.GzipCompressorInputStream;
import org.apache.commons.compress.compressors.xz.XZCompressorInputStream;
import org.apache.commons.compress.compressors.zstandard.ZstdCompressorInputStream;
import org.apache.commons.io.IOUtils;
import org.apache.commons.io.input.BoundedInputStream;
import org.apache.commons.io.input.BufferedFileChannelInputStream;
import picocli.CommandLine.Command;
import picocli.CommandLine.IVersionProvider;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.ParameterException;
import picocli.CommandLine.ScopeType;
import picocli.CommandLine.Spec;
import picocli.CommandLine.UnmatchedArgumentException;
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
    versionProvider = Release.class,
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

  @Mixin RemovalLimit limit = new RemovalLimit();

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
    console.requireTheHiveStopped(TheHiveSettings.of(settings));
    var chosen = console.announce(BackupSet.files(files.archives()).choose(wanted, maxGap));
    var backup = chosen.backup().file();
    try (var run = new RestoreRun(console.stateFolder(common, files.archives(), wanted), SCRIPT, console.dryRun);
        var workers = new Workers(workerCount);
        var archive = new AttachmentArchive(backup, common.archivePassword())) {
      run.problem().ifPresent(console::refuseUnlessForced);
      archive.archive.doubt().ifPresent(text -> console.warn("%s", text));
      var target = AttachmentFolder.check(files.folder(), backup, answers, console);
      var plan = plan(job(files, target, archive, workers));
      var outlook = RestoreOutlook.of(run, PlannedPoint.line(settings, chosen.backups(), maxGap, Optional.empty()),
          Map.of("files", archive.bytes), report -> report.path("mode").asText().equals(plan.mode()));
      run.steps.time("", StepTimes.QUESTION, () -> confirm(plan, settings, outlook));
      return console.dryRun ? endDryRun(plan) : restore(recovered(plan, files), run, outlook);
    }
  }

  private void confirm(Plan plan, Settings settings, RestoreOutlook outlook) throws IOException {
    var lines = plan.lines(console.dryRun ? "Would" : "Will", settings, outlook);
    console.confirm(lines, plan.job.folder().toString(), settings);
  }

  private void requireOptions() {
    if (inPlace && keepPrevious) {
      throw new Failure(Exit.USAGE, "--in-place keeps no previous tree", "leave out --keep-previous");
    }
    if (workerCount < 1 || workerCount > 256) {
      throw new Failure(Exit.USAGE, "--workers %d is not between 1 and 256".formatted(workerCount), null);
    }
    limit.requireValid();
  }

  private RestoreJob job(FolderSettings files, AttachmentFolder target, AttachmentArchive archive, Workers workers)
      throws IOException {
    if (!archive.passedOver.isEmpty()) {
      console.warn(
          "skipped, because it is the storage's or an interrupted restore's, not TheHive's: %s",
          EntryName.shown(String.join(", ", archive.passedOver)));
    }
    AttachmentFolder.requireNames(archive);
    var live = AttachmentFolder.exists(target.folder()) ? target.folder() : StagedSwap.previous(target);
    var job = new RestoreJob(archive, target, Ownership.of(files.owner(), live, archive), workers, console);
    warnOfOtherOwner(job);
    for (var path : target.withLostAccessLists(archive)) {
      console.warn("%s has an ACL, which restored files will not have: save it (getfacl), and set it again afterwards",
          path);
    }
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
    confirmRemoval(plan.differences);
    var code = console.endDryRun();
    return console.print(Json.MAPPER.writeValueAsString(plan.summary()), "Would restore " + plan.counted(), code);
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
    var report = carryOut(plan, run, outlook);
    return console.print(Json.MAPPER.writeValueAsString(report), "Restored " + plan.counted(), Exit.DONE);
  }

  private void confirmRemoval(FolderDifferences differences) {
    if (!keepPrevious) {
      limit.confirm(differences.extra(), differences.present() + differences.extra(), "the folder's %d files",
          inPlace ? "" : "--keep-previous keeps them, ", console);
    }
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
        .forEach((what, times) -> console.warn("the %s of %s could not be set: %s", what,
            Count.of(times, "file or folder", "files and folders"),
            what.equals("owner") || what.equals("group")
                ? "run as root (on NFS: without root squash), or change it on the server" : "not supported there"));
    if (!plan.writer.unset.isEmpty()) {
      var what = String.join(", ", plan.writer.unset.keySet());
      var summary = new LinkedHashMap<>(plan.summary());
      summary.put("error", "all files are restored, but not all have their " + what);
      run.end(Exit.PARTIAL, Set.of("files"), summary);
      throw new Failure(Exit.PARTIAL, "" + summary.get("error"),
          plan.writer.unset.keySet().stream().anyMatch(Set.of("owner", "group")::contains)
              ? "to keep them owned by the user who restores them, set ATTACHMENT_OWNER to it"
              : "restore as root, or set it on the storage");
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
          + " holds old and new files now: keep TheHive stopped, and run the same command again when the cause is gone";
      return new Failure(Exit.PARTIAL, message, hint, thrown);
    }
    var hint = target.folder() + " is as it was before" + (known && failure.hint != null ? "; " + failure.hint : "");
    return new Failure(known ? failure.code : Exit.UNSAFE, message, hint, thrown);
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

  /** The plan: a dry run shows the very one that a real run carries out. */
  record Plan(RestoreJob job, AttachmentWriter writer, StagedSwap swap, boolean inPlace, boolean keepPrevious,
      FolderDifferences differences) {
    List<String> lines(String verb, Settings settings, RestoreOutlook outlook)
        throws IOException {
      var target = job.target();
      var origin = settings.origin(FolderSettings.FOLDER);
      var lines = new ArrayList<>(List.of("", "%s on host %s (%s):".formatted(target.folder(), Console.hostName(),
          origin.equals("set") ? FolderSettings.FOLDER.name() : origin), "  file system: " + target.mount()));
      outlook.lines().forEach(line -> lines.add("  " + line));
      if (swap.isInterrupted()) {
        lines.add("  %s first put right what an interrupted restore left in %s".formatted(verb, target.work()));
      }
      lines.add("  " + verb + " restore " + counted());
      differences.newestExtra().ifPresent(newest -> lines.add("  " + newest));
      if (inPlace) {
        lines.add("  " + verb + " write into the live folder, which is mixed until the end");
      } else {
        lines.add("  %s stage all of it in %s, then swap%s".formatted(verb, target.work(),
            target.isStagedInside() ? ", entry by entry, because the folder itself stays" : ""));
        lines.add("  " + verb + (keepPrevious ? " keep the old tree" : " remove the old tree"));
      }
      lines.add("  " + verb + " " + owners());
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
      return "%s, %s: %s".formatted(Count.of(job.backup().files, "file"), Console.size(job.backup().bytes),
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

/** TheHive's own answer on a node. */
final class Application {
  /** Its log file, whatever its unit does with its output. */
  static final String LOG = "/var/log/thehive/application.log";
  /** How its log tells of an error: by the level, or where the JVM itself says so. */
  static final Pattern ERROR =
      Pattern.compile("\\[error]|\\bERROR\\b|\\bFATAL\\b|Exception in thread|OutOfMemoryError");
  private static final Duration LIMIT = Duration.ofSeconds(10);
  private final HttpRequest status;
  private final Optional<SSLContext> trusted;
  private HttpClient client;

  /** Who answers at TheHive's address. */
  enum Answer {
    THEHIVE, SOMETHING_ELSE, NO_ANSWER, NOBODY
  }

  private Application(HttpRequest status, Optional<SSLContext> trusted) {
    this.status = status;
    this.trusted = trusted;
  }

  static Application on(Host host, TheHiveSettings settings) {
    var address = host.address().replaceFirst("^(.*:.*)$", "[$1]");
    var url = settings.url().replace("<node>", address).replaceFirst("/+$", "");
    try {
      if (URI.create(url).getPort() > 65_535) {
        throw new IllegalArgumentException("ports are numbers from 1 to 65535");
      }
      return new Application(HttpRequest.newBuilder(URI.create(url + "/api/v1/status/public")).build(),
          settings.ca().map(ca -> Tls.context(Tls.trust(ca))));
    } catch (IllegalArgumentException e) {
      throw new Failure(Exit.USAGE, "THEHIVE_URL '%s' is not an address: %s".formatted(url, e.getMessage()),
          "such as http://<node>:9000, <node> as it stands");
    }
  }

  /** A line of its log without the colours that it gives its levels. */
  static String plain(String line) {
    return line.replaceAll("\\e\\[[\\d;]*m", "");
  }

  /** The address that is asked. */
  URI uri() {
    return status.uri();
  }

  int port() {
    var uri = status.uri();
    return uri.getPort() > 0 ? uri.getPort() : uri.getScheme().equals("https") ? 443 : 80;
  }

  /**
   * TheHive's status page is JSON that names versions or configuration; MinIO, whose port is the same, says something
   * else.
   */
  Answer answer() {
    try {
      var answer = client().sendAsync(status, HttpResponse.BodyHandlers.ofString())
          .orTimeout(LIMIT.toSeconds(), TimeUnit.SECONDS).join();
      var json = answer.body().strip().startsWith("{");
      return answer.statusCode() == 200 && json ? Answer.THEHIVE : Answer.SOMETHING_ELSE;
    } catch (CompletionException e) {
      // Refused: the port is open on another address only, which is not where TheHive is asked.
      return e.getCause() instanceof ConnectException && !(e.getCause() instanceof HttpConnectTimeoutException)
          ? Answer.NOBODY : Answer.NO_ANSWER;
    }
  }

  /** Made when it is first asked: the certificates that Java knows take a quarter of a second to read. */
  private HttpClient client() {
    if (client == null) {
      var builder = HttpClient.newBuilder().connectTimeout(LIMIT).followRedirects(HttpClient.Redirect.NORMAL);
      trusted.ifPresent(builder::sslContext);
      client = builder.build();
    }
    return client;
  }

  /** The error that came instead of its answer; empty when it answers. */
  Optional<String> problem() {
    try {
      // The request's own limit would end with the head of the answer.
      var answer = client().sendAsync(status, HttpResponse.BodyHandlers.discarding())
          .orTimeout(LIMIT.toSeconds(), TimeUnit.SECONDS).join();
      return answer.statusCode() == 200 ? Optional.empty()
          : Optional.of("%s answers HTTP %d".formatted(status.uri(), answer.statusCode()));
    } catch (CompletionException e) {
      var why = e.getCause() instanceof TimeoutException ? "not within %d s".formatted(LIMIT.toSeconds())
          : ConnectionError.words(e.getCause());
      return Optional.of("%s does not answer: %s%s".formatted(status.uri(), why,
          e.getCause() instanceof SSLException ? " (THEHIVE_CA names its CA)" : ""));
    }
  }
}

/**
 * A backup's archive: .tar, plain or compressed with gzip, bzip2, xz or zstd, and .zip, also AES-encrypted. Its content
 * tells which it is. In a plain tar and in a zip every entry can be read at any time; a compressed tar is read in one
 * pass ({@link #each}), or unpacked to a plain one first ({@link #seekable}).
 */
abstract class Archive implements Closeable {
  /** The file as it was named. */
  final Path path;

  Archive(Path path) {
    this.path = path;
  }

  static Archive open(Path path, Optional<String> password) {
    try {
      var head = Compression.head(path);
      if (Files.size(path) == 0) {
        throw broken(path, "it is empty", null);
      }
      return Compression.starts(head, 'P', 'K', 3, 4) || Compression.starts(head, 'P', 'K', 5, 6)
          || Compression.starts(head, 'P', 'K', 7, 8)
          ? new ZipArchive(path, password) : new TarArchive(path, path, Compression.of(head));
    } catch (IOException e) {
      throw broken(path, Failure.of(e).getMessage(), e);
    }
  }

  /**
   * Opens an archive whose files can be read in any order: a compressed one is unpacked to a plain tar in the folder
   * first.
   */
  static Archive openSeekable(Path path, Optional<String> password, Path folder) {
    try {
      return open(path, password).seekable(folder);
    } catch (IOException e) {
      var noRoom = e instanceof FileSystemException || String.valueOf(e.getMessage()).contains("No space left");
      throw !noRoom ? broken(path, Failure.of(e).getMessage(), e)
          : new Failure(Exit.UNSAFE, "cannot unpack %s in %s: %s".formatted(path, folder, Failure.of(e).getMessage()),
          "name another folder by RESTORE_WORK_PATH", e);
    }
  }

  /** The reason to doubt that an archive is whole, although it can be read; empty where there is none. */
  Optional<String> doubt() {
    return Optional.empty();
  }

  interface Visitor {
    void accept(ArchiveEntry entry, Content content) throws Exception;
  }

  /** The bytes of one file. */
  interface Content {
    InputStream open() throws IOException;

    /** Writes them to a new file, with the holes that the archive tells of. */
    default void copyTo(Path target) throws IOException {
      try (var in = open()) {
        Files.copy(in, target);
      }
    }
  }

  /**
   * Gives all entries in the archive's order; proves that the archive is complete and that no name leads out of its
   * folder.
   */
  abstract void index(Consumer<ArchiveEntry> visitor);

  /** Gives all entries with their bytes in one pass; a content is to be read before the visitor returns, and once. */
  abstract void each(Visitor visitor) throws Exception;

  /** True if {@link #content}, {@link #open} and {@link #copy} can be used, in any order and by several threads. */
  abstract boolean isSeekable();

  /** The bytes of one file of a seekable archive. */
  abstract Content content(ArchiveEntry entry);

  InputStream open(ArchiveEntry entry) throws IOException {
    return content(entry).open();
  }

  void copy(ArchiveEntry entry, Path target) throws IOException {
    content(entry).copyTo(target);
  }

  /**
   * This archive if it is seekable; otherwise the same, unpacked to a plain tar in the folder. That file is removed
   * when the archive is closed; this one is closed at once. Messages name the file of the backup.
   */
  Archive seekable(Path folder) throws IOException {
    return this;
  }

  Failure broken(String why, Throwable cause) {
    return broken(path, why, cause);
  }

  private static Failure broken(Path path, String why, Throwable cause) {
    return new Failure(Exit.BAD_BACKUP, "%s cannot be used as a backup: %s".formatted(path, why),
        "nothing was changed; choose another with --backup", cause);
  }

  @Override
  public abstract void close() throws IOException;
}

/**
 * A file, folder or link of an archive. A backup may have a million: no more here than is needed.
 *
 * @param path the name as UTF-8, without {@code ./} before and {@code /} behind it
 * @param size the bytes of a file, holes included; 0 for others
 * @param offset where the bytes begin in the tar; in a zip where the entry's header is in the directory
 * @param holes where a sparse file has its bytes, null for others
 * @param link the text of a symbolic link, the name that a hard link leads to, null for others
 * @param mode the last twelve bits, -1 where the archive does not tell
 * @param seconds the time of the last change since 1970, NO_TIME where the archive does not tell
 */
record ArchiveEntry(Kind kind, byte[] path, long size, long offset, SparseMap holes, String link, int mode,
    long seconds, int nanos,
    Owner owner) {
  static final long NO_TIME = Long.MIN_VALUE;

  String name() {
    return new String(path, StandardCharsets.UTF_8);
  }

  boolean folder() {
    return kind == Kind.FOLDER;
  }

  boolean file() {
    return kind == Kind.FILE;
  }

  boolean hasTime() {
    return seconds != NO_TIME;
  }

  Instant time() {
    return Instant.ofEpochSecond(seconds, nanos);
  }

  ArchiveEntry named(byte[] other) {
    return new ArchiveEntry(kind, other, size, offset, holes, link, mode, seconds, nanos, owner);
  }

  /** The bytes that the archive holds: without the holes. */
  long stored() {
    return holes == null ? size : holes.stored();
  }
}

/** The variables that name the folders of the backups: of archives, and of the markers of snapshots. */
final class ArchiveFolders {
  static final Variable CASSANDRA = Variable.withDefault("CASSANDRA_GENERAL_ARCHIVE_PATH", "/mnt/backup/cassandra");
  static final Variable FILES = Variable.withDefault("GENERAL_ARCHIVE_PATH", "/mnt/backup/storage");
  static final Variable S3 = Variable.withDefault("MINIO_ARCHIVE_PATH", "/mnt/backup/minio/");
  static final Variable MARKERS =
      Variable.withDefault("ELASTICSEARCH_GENERAL_ARCHIVE_PATH", "/mnt/backup/elasticsearch");
  /** Those of archives. */
  static final List<Variable> ALL = List.of(CASSANDRA, FILES, S3);

  private ArchiveFolders() {}

  /** The folders of Cassandra's archives: one, or one for each node. */
  static List<Path> cassandra(Settings settings) {
    return Stream.of(settings.text(CASSANDRA).split(",")).map(String::strip).map(Path::of).toList();
  }
}

/** A stream that is read in arrays; a single byte is an array of one. */
abstract class ArrayInput extends InputStream {
  @Override
  public final int read() throws IOException {
    var one = new byte[1];
    return read(one, 0, 1) < 0 ? -1 : one[0] & 0xff;
  }

  @Override
  public abstract int read(byte[] buffer, int from, int length) throws IOException;
}

/**
 * A backup of attachments: its files, folders and symbolic links by number, in the archive's order, and by name below
 * the backup's own folder, which has the empty name. Hard links are files of their own here. Making it reads the whole
 * archive and proves it complete.
 */
final class AttachmentArchive implements Closeable {
  private static final Pattern ROOT = Pattern.compile("(files|minio|seaweedfs)_\\d{8}_\\d\\dh\\d\\dm\\d\\ds");
  /** The longest file that is held in memory where several names of a compressed archive have its bytes. */
  private static final long LONGEST_HELD = 8 << 20;
  final Archive archive;
  final List<ArchiveEntry> all = new ArrayList<>();
  int files;
  long bytes;
  /** Names at the top of a folder's backup that are not content: passed over. */
  final Set<String> passedOver = new TreeSet<>();
  /** The files of it, by name: a hard link in the content may lead to one. */
  private final Map<String, ArchiveEntry> passedOverFiles = new HashMap<>();
  /** The numbers of the hard links by the place of their bytes, in a compressed archive. */
  private final Map<Long, List<Integer>> shared = new HashMap<>();
  private int[] slots = new int[1 << 12];
  private byte[] root;

  interface Reader {
    void read(int worker, int i, Archive.Content content) throws Exception;
  }

  AttachmentArchive(Path file, Optional<String> password) {
    archive = Archive.open(file, password);
    archive.index(this::add);
    addFolders();
    if (files == 0) {
      throw archive.broken("the backup holds no file at all", null);
    }
    if (archive instanceof ZipArchive) {
      proveContents();
    }
  }

  private void add(ArchiveEntry entry) {
    var path = relative(entry.path());
    if (path == null) {
      return;
    }
    var name = new String(path, StandardCharsets.UTF_8);
    if (startsWith(root, "files") && !FolderContents.isContent(name)) {
      var top = name.split("/", 2)[0];
      passedOver.add(FolderContents.isContent(top) ? name : top);
      if (entry.file()) {
        passedOverFiles.put(name, entry);
      }
      return;
    }
    switch (entry.kind()) {
      case FOLDER, FILE -> put(entry.named(path));
      case LINK -> {
        requireInside(entry.named(path));
        put(entry.named(path));
      }
      case HARD_LINK -> put(linked(entry.named(path)));
      default -> throw refused(entry.named(path).name(),
          "is a device or something else that is neither file, folder nor link");
    }
  }

  /** The name below the backup's own folder; null for what lies above it. */
  private byte[] relative(byte[] path) {
    if (path.length == 0) {
      return null;
    }
    if (root == null) {
      var top = new String(path, StandardCharsets.UTF_8).split("/", 2)[0];
      root = ROOT.matcher(top).matches() ? top.getBytes(StandardCharsets.UTF_8) : new byte[0];
    }
    var below = path.length > root.length;
    if (root.length == 0 || path.length < root.length || below && path[root.length] != '/'
        || !Arrays.equals(path, 0, root.length, root, 0, root.length)) {
      throw broken(new String(path, StandardCharsets.UTF_8), "is not in a folder <component>_<timestamp>");
    }
    return below ? Arrays.copyOfRange(path, root.length + 1, path.length) : new byte[0];
  }

  private static boolean startsWith(byte[] path, String text) {
    return path.length >= text.length()
        && Arrays.equals(path, 0, text.length(), text.getBytes(StandardCharsets.UTF_8), 0, text.length());
  }

  /** The file or symbolic link that a hard link leads to, under the link's own name. */
  private ArchiveEntry linked(ArchiveEntry entry) {
    var first = target(entry.link()).filter(target -> !target.folder()).orElseThrow(() -> refused(entry.name(),
        "is a hard link to '%s', which is not an earlier file of it".formatted(EntryName.shown(entry.link()))));
    if (first.file() && !archive.isSeekable()) {
      var known = find(entry.path());
      shared.computeIfAbsent(first.offset(), offset -> new ArrayList<>()).add(known < 0 ? all.size() : known);
    }
    return first.named(entry.path());
  }

  /** The entry that a hard link leads to; empty where it is not in the backup's folder. */
  private Optional<ArchiveEntry> target(String link) {
    try {
      var path = EntryName.normal(link.getBytes(StandardCharsets.UTF_8));
      if (path.length <= root.length || !startsWith(path, new String(root, StandardCharsets.UTF_8) + "/")) {
        return Optional.empty();
      }
      var name = relative(path);
      var number = find(name);
      return number >= 0 ? Optional.of(all.get(number))
          : Optional.ofNullable(passedOverFiles.get(new String(name, StandardCharsets.UTF_8)));
    } catch (IOException e) {
      return Optional.empty(); // a name that leads out of the folder is that of no file in it
    }
  }

  private void put(ArchiveEntry entry) {
    var path = entry.path();
    if (path.length == 0 && !entry.folder()) {
      throw refused("", "is not a folder");
    }
    var slot = slot(path);
    if (slots[slot] != 0) {
      replace(slots[slot] - 1, entry);
      return;
    }
    all.add(entry);
    files += entry.folder() ? 0 : 1;
    bytes += entry.size();
    slots[slot] = all.size();
    if (all.size() * 2 > slots.length) {
      slots = new int[slots.length * 2];
      for (int i = 0; i < all.size(); i++) {
        slots[slot(all.get(i).path())] = i + 1;
      }
    }
  }

  /** Counts the last entry of a name: it was appended later, and tar takes it, too. */
  private void replace(int i, ArchiveEntry entry) {
    var before = all.get(i);
    if (before.folder() != entry.folder() || archive instanceof ZipArchive) {
      throw refused(entry.name(), "is there twice");
    }
    all.set(i, entry);
    bytes += entry.size() - before.size();
  }

  /** A link is followed from the folder it lies in, which is a real one: so only leading ".." can be counted. */
  private void requireInside(ArchiveEntry entry) {
    var name = entry.name();
    var link = entry.link();
    var parts = List.of(link.split("/"));
    var ups = Collections.frequency(parts, "..");
    if (link.isEmpty() || link.startsWith("/") || link.indexOf('\0') >= 0 || parts.lastIndexOf("..") != ups - 1
        || ups > name.split("/").length - 1) {
      throw refused(name, "is a link that leaves the folder, to '%s'".formatted(EntryName.shown(link)));
    }
  }

  /** Adds folders that no entry names; refuses what would have to lie in something that is not a folder. */
  private void addFolders() {
    var known = new byte[0];
    for (int i = 0; i < all.size(); i++) {
      var path = all.get(i).path();
      var length = path.length;
      do {
        length--;
      } while (length > 0 && path[length] != '/');
      if (i > 0 && Math.max(0, length) == known.length
          && Arrays.equals(path, 0, known.length, known, 0, known.length)) {
        continue; // the same folder as that of the entry before
      }
      var parent = Arrays.copyOf(path, Math.max(0, length));
      known = parent;
      var at = find(parent);
      if (at < 0) {
        put(new ArchiveEntry(Kind.FOLDER, parent, 0, -1, null, null, -1, ArchiveEntry.NO_TIME, 0, Owner.UNKNOWN));
      } else if (!all.get(at).folder()) {
        throw refused(all.get(i).name(), "lies in something that is not a folder");
      }
    }
  }

  /** A zip has checksums: a damaged entry, or another password, is known before the first change. */
  private void proveContents() {
    IntStream.range(0, all.size()).parallel().filter(i -> all.get(i).file()).forEach(i -> {
      try (var in = archive.open(all.get(i))) {
        in.skipNBytes(all.get(i).size());
        if (in.read(new byte[1]) >= 0) { // only who reads to the end gets the checksum compared
          throw new EOFException("it does not have the size that it names");
        }
      } catch (IOException e) {
        throw refused(all.get(i).name(), "is damaged: " + Failure.of(e).getMessage());
      }
    });
  }

  Failure refused(String name, String why) {
    return broken(new String(root, StandardCharsets.UTF_8) + "/" + name, why);
  }

  private Failure broken(String entry, String why) {
    return archive.broken("its entry '%s' %s".formatted(EntryName.shown(entry), why), null);
  }

  /** The entry's number, or -1. */
  int find(String name) {
    return find(name.getBytes(StandardCharsets.UTF_8));
  }

  private int find(byte[] path) {
    return slots[slot(path)] - 1;
  }

  private int slot(byte[] path) {
    var hash = Arrays.hashCode(path) * 0x9E3779B9;
    for (var slot = (hash ^ hash >>> 15) & slots.length - 1; ; slot = slot + 1 & slots.length - 1) {
      if (slots[slot] == 0 || Arrays.equals(all.get(slots[slot] - 1).path(), path)) {
        return slot;
      }
    }
  }

  /**
   * Gives every wanted file to the reader: by all workers where the archive allows it, otherwise in one pass by one.
   */
  void read(Workers workers, IntPredicate wanted, Reader reader) throws IOException {
    IntPredicate read = i -> all.get(i).file() && wanted.test(i);
    if (archive.isSeekable()) {
      workers.run(all.size(), (worker, i) -> {
        if (read.test(i)) {
          reader.read(worker, i, archive.content(all.get(i)));
        }
      });
      return;
    }
    var left = IntStream.range(0, all.size()).filter(read).collect(BitSet::new, BitSet::set, BitSet::or);
    workers.run(1, (worker, once) -> {
      while (!left.isEmpty()) {
        var before = left.cardinality();
        archive.each((entry, content) -> readShared(entry, content, left, worker, reader));
        if (left.cardinality() == before) {
          throw archive.broken("it has changed since it was first read", null);
        }
      }
    });
  }

  /** Reads an entry for each of its names; where they are several and it is long, for one of them in this pass. */
  private void readShared(ArchiveEntry entry, Archive.Content content, BitSet left, int worker, Reader reader)
      throws Exception {
    if (!entry.file()) {
      return;
    }
    var names = numbers(entry).stream().filter(left::get).toList();
    if (names.size() > 1 && entry.size() <= LONGEST_HELD) {
      byte[] held;
      try (var in = content.open()) {
        held = in.readAllBytes();
      }
      content = () -> new ByteArrayInputStream(held);
    } else {
      names = names.subList(0, Math.min(1, names.size()));
    }
    for (var i : names) {
      reader.read(worker, i, content);
      left.clear(i);
    }
  }

  /** The numbers of an entry of the archive: its own and those of its hard links. */
  private List<Integer> numbers(ArchiveEntry entry) {
    var path = relative(entry.path());
    var i = path == null ? -1 : find(path);
    var own = i >= 0 ? Stream.of(i) : Stream.<Integer>of();
    return Stream.concat(own, shared.getOrDefault(entry.offset(), List.of()).stream()).distinct()
        .filter(number -> all.get(number).offset() == entry.offset()).toList();
  }

  @Override
  public void close() throws IOException {
    archive.close();
  }
}

/**
 * The folder to be restored, with symbolic links followed.
 *
 * @param isStagedInside true if a second tree is staged inside it, not beside, and its entries are swapped: the folder
 *     itself must stay
 * @param work where a second tree is staged, on the same file system
 * @param device the file system's number
 */
record AttachmentFolder(Path folder, boolean isStagedInside, Path work, boolean isMissing, Object device,
    Mounts mounts) {
  private static final int MOST_LOOKED_AT = 100;

  /** Requires that Java can write the backup's names in this locale. */
  static void requireNames(AttachmentArchive backup) {
    var encoding = System.getProperty("sun.jnu.encoding");
    if (encoding.equals("UTF-8")) {
      return;
    }
    backup.all.stream().map(ArchiveEntry::name).filter(name -> !name.chars().allMatch(letter -> letter < 128))
        .findFirst().ifPresent(name -> {
          throw new Failure(Exit.USAGE, "the backup holds names such as '%s', and this locale's file names are %s"
              .formatted(EntryName.shown(name), encoding), "export LC_ALL=C.UTF-8, or another locale of UTF-8");
        });
  }

  /** Makes every check that can be made without the backup; changes nothing. */
  static AttachmentFolder check(Path named, Path backup, FolderAnswers answers, Console console) throws IOException {
    var absolute = named.toAbsolutePath().normalize();
    var missing = !Files.exists(absolute); // also mounts what is mounted on access
    var given = missing ? followed(absolute) : absolute;
    if (given.getParent() == null) {
      throw new Failure(Exit.USAGE, "ATTACHMENT_FOLDER is /", "name TheHive's storage.localfs.location");
    }
    var mounts = Mounts.read();
    requireMounted(mounts, given, answers, console);
    if (!Files.isDirectory(given.getParent())) {
      throw new Failure(Exit.UNSAFE, "there is no folder " + given,
          "check ATTACHMENT_FOLDER; is its file system mounted?");
    }
    var folder = missing ? given.getParent().toRealPath().resolve(given.getFileName()) : given.toRealPath();
    requireMounted(mounts, folder, answers, console);
    if (!missing && !Files.isDirectory(folder)) {
      throw new Failure(Exit.UNSAFE, given + " is not a folder", "check ATTACHMENT_FOLDER");
    }
    if (folder.getParent() == null || backup.toRealPath().startsWith(folder)) {
      throw new Failure(Exit.USAGE, "the backups are in the folder that is to be restored, " + folder,
          "check ATTACHMENT_FOLDER and GENERAL_ARCHIVE_PATH");
    }
    return check(folder, missing, mounts, answers);
  }

  private static AttachmentFolder check(Path folder, boolean missing, Mounts mounts, FolderAnswers answers)
      throws IOException {
    var beside = folder.resolveSibling("." + folder.getFileName() + FolderContents.OF_RESTORE);
    if (missing && !exists(beside) && !answers.createFolder) {
      throw new Failure(Exit.UNSAFE, "there is no folder " + folder, "create or mount it; --create-folder creates it");
    }
    requireWritable(missing ? folder.getParent() : folder);
    var device = device(missing ? folder.getParent() : folder);
    var inside = !missing && mustStay(folder, device, mounts);
    var target = new AttachmentFolder(folder, inside, inside ? folder.resolve(FolderContents.OF_RESTORE) : beside,
        missing, device, mounts);
    for (var point : mounts.below(folder)) {
      if (FolderContents.isContent(folder.relativize(point))) {
        throw otherFileSystem(point);
      }
    }
    var other = inside ? beside : folder.resolve(FolderContents.OF_RESTORE);
    if (exists(other)) {
      throw new Failure(Exit.UNSAFE,
          "%s holds trees of a restore of another kind, from another host or as another user".formatted(other),
          "run it there again if it is unfinished; move or remove trees that were kept");
    }
    return target;
  }

  /** True if the folder cannot be replaced by another one of its name, or would lose something of its own with it. */
  private static boolean mustStay(Path folder, Object device, Mounts mounts) throws IOException {
    return mounts.isMountPoint(folder) || !Files.isWritable(folder.getParent())
        || !device.equals(device(folder.getParent()))
        || mounts.isShared(folder) || holdsOtherThanContent(folder) || hasAccessList(folder);
  }

  private static boolean holdsOtherThanContent(Path folder) throws IOException {
    try (var children = Files.list(folder)) {
      return children.anyMatch(child -> FolderContents.isOfStorage(child.getFileName().toString()));
    }
  }

  /** True if the folder has an ACL, which new files in it inherit; ls shows it behind the mode. */
  private static boolean hasAccessList(Path folder) throws IOException {
    return SystemCommand.output("ls", "-ld", folder.toString()).split(" ")[0].endsWith("+");
  }

  /** Folders in it with an ACL that restored files do not inherit: they are written elsewhere and moved there. */
  List<Path> withLostAccessLists(AttachmentArchive backup) throws IOException {
    var lost = new ArrayList<Path>();
    if (!exists(folder) || hasAccessList(folder)) {
      return lost; // what is written below the folder inherits its own
    }
    var names = backup.all.stream().filter(ArchiveEntry::folder).map(ArchiveEntry::name)
        .filter(name -> !name.isEmpty() && name.indexOf('/') < 0).limit(MOST_LOOKED_AT).toList();
    for (var name : names) {
      var path = folder.resolve(name);
      if (Files.isDirectory(path, LinkOption.NOFOLLOW_LINKS) && hasAccessList(path)) {
        lost.add(path);
      }
    }
    return lost;
  }

  private static void requireMounted(Mounts mounts, Path folder, FolderAnswers answers, Console console)
      throws IOException {
    var missing = mounts.missing(folder);
    if (missing.isEmpty()) {
      return;
    }
    var message =
        "nothing is mounted at %s, where /etc/fstab wants %s".formatted(missing.get().point(), missing.get().source());
    if (!answers.allowUnmounted) {
      throw new Failure(Exit.UNSAFE, message,
          "mount %s; --allow-unmounted restores to the disk below it".formatted(missing.get().point()));
    }
    console.warn("%s", message);
  }

  /** Follows links although what they lead to is missing: a swap may have been killed between its two renames. */
  private static Path followed(Path path) throws IOException {
    for (int links = 0; links < 40 && Files.isSymbolicLink(path); links++) {
      path = path.getParent().toRealPath().resolve(Files.readSymbolicLink(path)).normalize();
    }
    return path;
  }

  /** A folder of our own without write permission will be made writable. */
  private static void requireWritable(Path folder) throws IOException {
    try {
      folder.getFileSystem().provider().checkAccess(folder, AccessMode.WRITE);
    } catch (AccessDeniedException e) {
      if (!Files.getAttribute(folder, "unix:uid").equals(Files.getAttribute(Path.of("/proc/self"), "unix:uid"))) {
        throw notWritable(folder, e);
      }
    } catch (FileSystemException e) {
      ImmutableFiles.requireItself(folder);
      throw new Failure(Exit.UNSAFE, "cannot write to %s: %s".formatted(folder, e.getReason()),
          "is it mounted read-write?", e);
    }
  }

  static Failure notWritable(Path folder, AccessDeniedException cause) {
    return new Failure(Exit.UNSAFE, "cannot write to " + folder,
        "run as root, or where root is squashed as the folder's owner", cause);
  }

  /** Differs from Files.exists, which takes a file system that does not answer for a file that is not there. */
  static boolean exists(Path path) throws IOException {
    try {
      Files.readAttributes(path, BasicFileAttributes.class, LinkOption.NOFOLLOW_LINKS);
      return true;
    } catch (NoSuchFileException e) {
      return false;
    }
  }

  private static Object device(Path path) throws IOException {
    return Files.getAttribute(path, "unix:dev", LinkOption.NOFOLLOW_LINKS);
  }

  /** The mount that the folder is on. */
  Mounts.Mount mount() {
    return mounts.of(isMissing ? folder.getParent() : folder);
  }

  /** The folder, or the one above it as long as it is missing. */
  Path existing() throws IOException {
    return exists(folder) ? folder : folder.getParent();
  }

  /** True if a network mount broke and is gone altogether, so that the empty mount point is seen in its place. */
  boolean isGone() {
    try {
      return !device.equals(Files.getAttribute(isStagedInside ? folder : folder.getParent(), "unix:dev"));
    } catch (IOException e) {
      return true;
    }
  }

  void requireMounted(int code) {
    if (isGone()) {
      throw gone(code);
    }
  }

  Failure gone(int code) {
    var first = code == Exit.PARTIAL ? "keep TheHive stopped, remove what was written below the mount point, " : "";
    return new Failure(code, folder + " is no longer mounted or does not answer",
        first + "mount it again and run the same command again");
  }

  /** Refuses another file system inside the folder, which would be emptied along with it. */
  void requireSameFileSystem(Path path) throws IOException {
    if (!device.equals(device(path))) {
      throw otherFileSystem(path);
    }
  }

  private static Failure otherFileSystem(Path path) {
    return new Failure(Exit.UNSAFE, "something else is mounted inside the folder, at " + path, "unmount it");
  }

  /** A swap gives the folders in it new inodes, which a mount or an export of one of them does not follow. */
  void requireSwappable() {
    mounts.sharedBelow(folder).ifPresent(shared -> {
      throw new Failure(Exit.UNSAFE, shared + ": it would go on showing the old files",
          "restore with --in-place, or unmount or unexport it");
    });
  }

  void requireRoom(AttachmentArchive backup) throws IOException {
    var place = existing();
    var room = Files.getFileStore(place).getUsableSpace();
    var needed = backup.all.stream().mapToLong(entry -> (entry.stored() + 4095) / 4096 * 4096 + 256).sum();
    if (room < needed) {
      throw new Failure(Exit.UNSAFE,
          "%s has room for %s, a second tree needs %s".formatted(place, Console.size(room), Console.size(needed)),
          "free some, or restore with --in-place");
    }
    var inodes = SystemCommand.output("stat", "-f", "-c", "%d %c", place.toString()).split(" ");
    if (!inodes[1].equals("0") && Long.parseLong(inodes[0]) < backup.all.size() + 16L) {
      throw new Failure(Exit.UNSAFE,
          "%s has %s inodes left, a second tree needs %d".formatted(place, inodes[0], backup.all.size()),
          "free some, or restore with --in-place");
    }
  }
}

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

/** Writes files, links and folders of a backup with owner, mode and time; counts what this user may not set. */
final class AttachmentWriter {
  /**
   * Reasons of a server that squashes root, of a file system without owners, of a container where the number does not
   * exist.
   */
  private static final Set<String> NOT_ALLOWED =
      Set.of("Operation not permitted", "Operation not supported", "Function not implemented", "Invalid argument");
  private static final int OWNER_ALL = 0700;
  private final RestoreJob job;
  /** How many files and folders have not the owner, group, mode or time that they should have. */
  final Map<String, Integer> unset = new ConcurrentSkipListMap<>();

  private interface Setting {
    void apply() throws IOException;
  }

  private interface Check {
    boolean holds() throws IOException;
  }

  AttachmentWriter(RestoreJob job) {
    this.job = job;
  }

  /** Writes a new file beside its place: to be renamed there. */
  void write(int i, Archive.Content content, Path temporary) throws IOException {
    var entry = job.entry(i);
    try {
      content.copyTo(temporary);
    } catch (FileSystemException | Failure e) {
      throw e;
    } catch (IOException e) {
      // the kernel's error of a copy has no name
      throw new FileSystemException(job.path(i).toString(), null, e.getMessage());
    }
    if (Files.size(temporary) != entry.size()) {
      throw job.backup().refused(entry.name(), "does not have the size that it names");
    }
    set(temporary, entry);
  }

  void writeLink(int i, Path temporary) throws IOException {
    Files.deleteIfExists(temporary);
    UnixFiles.createLink(temporary, job.entry(i).link());
    set(temporary, job.entry(i));
  }

  void set(Path path, ArchiveEntry entry) throws IOException {
    setOwner(path, entry);
    if (entry.kind() == Kind.LINK) {
      return;
    }
    if (entry.hasTime()) {
      attempt("time", () -> UnixFiles.setTime(path, entry.time()), () -> true); // verify.java does not look at it
    }
    var mode = job.ownership().mode(entry);
    attempt("mode", () -> Files.setAttribute(path, "unix:mode", mode), () -> Ownership.modeOf(path) == mode);
  }

  private void setOwner(Path path, ArchiveEntry entry) throws IOException {
    var view = Files.getFileAttributeView(path, PosixFileAttributeView.class, LinkOption.NOFOLLOW_LINKS);
    var has = Principals.of(path);
    var owner = job.ownership().owner(entry);
    if (owner.user() != null && !owner.user().equals(has.user())) {
      attempt("owner", () -> view.setOwner(owner.user()), () -> owner.user().equals(Principals.of(path).user()));
    }
    if (owner.group() != null && !owner.group().equals(has.group())) {
      attempt("group", () -> view.setGroup(owner.group()), () -> owner.group().equals(Principals.of(path).group()));
    }
  }

  /** @param isSet looks whether it took effect: some file systems say yes to everything */
  private void attempt(String what, Setting setting, Check isSet) throws IOException {
    try {
      setting.apply();
      if (!isSet.holds()) {
        unset.merge(what, 1, Integer::sum);
      }
    } catch (FileSystemException e) {
      if (!(e instanceof AccessDeniedException) && !NOT_ALLOWED.contains(Objects.toString(e.getReason()))) {
        throw e;
      }
      unset.merge(what, 1, Integer::sum);
    }
  }

  /** Sets all folders, the last first: what is written into a folder changes its time. */
  void setFolders() throws IOException {
    var folders = job.folders();
    for (int i = folders.size() - 1; i >= 0; i--) {
      set(job.folder().resolve(folders.get(i).name()), folders.get(i));
    }
  }

  /** Sets the folders of a second tree as they will be, except that they can still be moved. */
  void setStagedFolders(Path staged) throws IOException {
    var counted = Map.copyOf(unset);
    var folders = job.folders();
    for (int i = folders.size() - 1; i >= 0; i--) {
      var folder = staged.resolve(folders.get(i).name());
      set(folder, folders.get(i));
      var mode = Ownership.modeOf(folder);
      if ((mode & OWNER_ALL) != OWNER_ALL) {
        Files.setAttribute(folder, "unix:mode", mode | OWNER_ALL);
      }
    }
    unset.clear();
    unset.putAll(counted); // they are set, and counted, again at their place
  }
}

/** One backup of one component: its archive or marker, and the time that its name gives. */
record Backup(Path file, String name, LocalDateTime taken) {
  private static final int MINUTES_CLOCKS_DIFFER = 5;

  String age() {
    return age(LocalDateTime.now());
  }

  String age(LocalDateTime now) {
    var age = Duration.between(taken, now);
    return age.toMinutes() < -MINUTES_CLOCKS_DIFFER ? "in the future"
        : age.toDays() > 1 ? age.toDays() + " days ago"
        : age.toHours() > 1 ? age.toHours() + " hours ago"
        : age.toMinutes() == 1 ? "1 minute ago"
        : Math.max(0, age.toMinutes()) + " minutes ago";
  }
}

/**
 * A file with a backup's name, as a listing of its folder shows it.
 *
 * @param problem why it cannot be used, null if it can
 * @param bytes its size; 0 where there is no file
 * @param changed when it was written last
 */
record BackupFile(Path file, BackupName name, String problem, long bytes, Instant changed) {
  /** @param types the types that are read, such as {@code tar} */
  static BackupFile of(Path file, BackupName name, Set<String> types) {
    try {
      var attributes = Files.readAttributes(file, BasicFileAttributes.class);
      var problem = !attributes.isRegularFile() ? notAFile(file, name)
          : types.contains(name.type()) ? null : name.isUnfinished() ? "it is unfinished, by its name"
          : "it is of a type that cannot be read";
      return new BackupFile(file, name, problem, attributes.isRegularFile() ? attributes.size() : 0,
          attributes.lastModifiedTime().toInstant());
    } catch (IOException e) {
      return new BackupFile(file, name, notAFile(file, name), 0, Instant.EPOCH);
    }
  }

  private static String notAFile(Path file, BackupName name) {
    return Files.isSymbolicLink(file) ? "it is a link to %s, which does not exist".formatted(target(file))
        : Files.isDirectory(file, LinkOption.NOFOLLOW_LINKS) && name.type().isEmpty()
            ? "it is a folder, of a backup that runs or was not packed"
        : "it is not a file";
  }

  /** The path that a link names; the link itself if it cannot be read. */
  static Path target(Path link) {
    try {
      return Files.readSymbolicLink(link);
    } catch (IOException e) {
      return link;
    }
  }

  LocalDateTime taken() {
    return name.taken().orElseThrow();
  }

  /** The same, of a component whose backups have no more than a timestamp in their names. */
  BackupFile withOddName() {
    return problem != null ? this : new BackupFile(file, name,
        "its name has '%s' beside the timestamp; --backup %s takes it".formatted(name.node(), file), bytes, changed);
  }

  /** The backup: its name is that of the file without the type. */
  Backup backup() {
    var fileName = file.getFileName().toString();
    return new Backup(file,
        fileName.substring(0, fileName.length() - (name.type().isEmpty() ? 0 : name.type().length() + 1)), taken());
  }

  /** Archives of one source are runs of one node: the node of the name, or of a folder without names of nodes. */
  String source() {
    return name.node().isEmpty() ? "folder " + file.getParent() : "node " + name.node();
  }

  /**
   * True if it may be passed over with a warning: everything else that is newer and cannot be read is the backup that
   * is meant.
   */
  boolean isUnfinished() {
    return problem != null && (name.isUnfinished() || name.type().isEmpty() && problem.startsWith("it is a folder"));
  }
}

/**
 * The name of a backup's file: component, timestamp and type, such as {@code files_20261122_12h00m56s.tar}. Where
 * several nodes keep their archives in one folder, the node stands before or behind the timestamp: {@code
 * cassandra_node1_20261122_12h00m56s.tar}.
 *
 * @param node empty where the name has none
 * @param taken empty where the timestamp is not a date
 * @param type in small letters, empty where the name has none
 */
record BackupName(String component, String node, String stamp, Optional<LocalDateTime> taken, String type) {

  static final DateTimeFormatter STAMP =
      DateTimeFormatter.ofPattern("uuuuMMdd_HH'h'mm'm'ss's'").withResolverStyle(ResolverStyle.STRICT);
  /** The types that {@link Archive} reads. */
  static final Set<String> ARCHIVES =
      Set.of("tar", "tar.gz", "tgz", "tar.bz2", "tbz", "tbz2", "tar.xz", "txz", "tar.zst", "zip");
  static final Set<String> MARKERS = Set.of("info");
  static final Set<String> ATTACHMENTS = Set.of("files", "minio", "seaweedfs");
  static final Set<String> COMPONENTS = Set.of("cassandra", "elasticsearch", "files", "minio", "seaweedfs");
  private static final String DIGITS = "\\d{8}_\\d\\dh\\d\\dm\\d\\ds";
  private static final String START =
      "(?<component>[A-Za-z]+)(?:[_-](?<before>.+?))?_(?<stamp>" + DIGITS + ")(?:[_-](?<behind>.+?))?";
  private static final Pattern NAME =
      Pattern.compile(START + "\\.(?<type>(?i:tar|tar\\.gz|tar\\.bz2|tar\\.xz|tar\\.zst|tgz|tbz2?|txz|zip|info))");
  private static final Pattern OTHER_NAME =
      Pattern.compile(START + "(?:\\.(?<type>\\w*[A-Za-z]\\w*(?:\\.\\w+)*))?");
  private static final Pattern POINT =
      Pattern.compile("(?:[A-Za-z]+(?:[_-].+)?_)?(?<stamp>" + DIGITS + ")(?:[_-][^./]+)?");
  /** Files that stand beside a backup and hold none. */
  private static final Pattern BESIDE = Pattern
      .compile("(.*\\.)?(md5|sha1|sha256|sha512|md5sum|sha256sum|sha1sum|sig|asc|log|txt|json|csv|list|idx|err|out)");
  private static final Pattern UNFINISHED =
      Pattern.compile("(.*\\.)?(part|partial|tmp|temp|filepart|crdownload|swp|inprogress|incomplete)");

  static Optional<BackupName> of(String fileName) {
    var match = NAME.matcher(fileName);
    if (!match.matches() && !match.usePattern(OTHER_NAME).matches()) {
      return Optional.empty();
    }
    var node =
        Optional.ofNullable(match.group("before")).or(() -> Optional.ofNullable(match.group("behind"))).orElse("");
    var type = match.group("type") == null ? "" : match.group("type").toLowerCase(Locale.ROOT);
    return Optional
        .of(new BackupName(match.group("component"), node, match.group("stamp"), time(match.group("stamp")), type));
  }

  /** The time of a restore point: a timestamp, or a backup's name without a type. */
  static Optional<LocalDateTime> point(String text) {
    var match = POINT.matcher(text);
    return match.matches() ? time(match.group("stamp")) : Optional.empty();
  }

  private static Optional<LocalDateTime> time(String stamp) {
    try {
      return Optional.of(LocalDateTime.parse(stamp, STAMP));
    } catch (DateTimeParseException e) {
      return Optional.empty();
    }
  }

  /** True if the text names a file, not a point in time: it has a slash, or ends in a type of a backup. */
  static boolean isFile(String text) {
    var small = text.toLowerCase(Locale.ROOT);
    return text.contains("/")
        || List.of(ARCHIVES, MARKERS).stream().flatMap(Set::stream).anyMatch(type -> small.endsWith("." + type))
        || of(text).filter(name -> !name.type().isEmpty()).isPresent();
  }

  boolean isBeside() {
    return BESIDE.matcher(type).matches();
  }

  boolean isUnfinished() {
    return UNFINISHED.matcher(type).matches();
  }
}

/**
 * The backups of one component, chosen by the names that the documented backup scripts give them.
 *
 * @param components the first parts of a name, such as {@code cassandra}
 * @param types the types that are read, such as {@code tar}
 */
record BackupSet(List<Path> folders, Set<String> components, Set<String> types) {
  static final DateTimeFormatter STAMP = BackupName.STAMP;
  /** Backups of one run start on all nodes within this time; what is further apart in one folder is another run. */
  private static final Duration ONE_RUN = Duration.ofMinutes(1);
  private static final Duration CLOCKS_DIFFER = Duration.ofMinutes(5);
  private static final int LISTED = 10;
  private static final String MOUNTED = "is the backup folder mounted, and are the settings loaded (restore.env)?";

  /** @param backups the one that gives the restore point first */
  record Chosen(List<Backup> backups, List<String> warnings) {
    Backup backup() {
      return backups.get(0);
    }
  }

  static BackupSet archives(Path folder, String... components) {
    return new BackupSet(List.of(folder), Set.of(components), BackupName.ARCHIVES);
  }

  /** The archives of attachments in a folder. */
  static BackupSet files(Path folder) {
    return archives(folder, "files");
  }

  /** The archives of attachments in a bucket. */
  static BackupSet objects(Path folder) {
    return archives(folder, "minio", "seaweedfs");
  }

  /** The archives of Cassandra, of one or several nodes. */
  static BackupSet ofNodes(List<Path> folders) {
    return new BackupSet(folders, Set.of("cassandra"), BackupName.ARCHIVES);
  }

  static BackupSet markers(Path folder) {
    return new BackupSet(List.of(folder), Set.of("elasticsearch"), BackupName.MARKERS);
  }

  /** True if several nodes may each have an archive of one restore point. */
  boolean isOfNodes() {
    return components.contains("cassandra");
  }

  /**
   * The newest backup, or the newest at or before the wanted restore point. A path, or a name with a type, is that
   * file.
   *
   * @param wanted null for the newest
   * @param gap backups of one restore point are at most this far apart
   */
  Chosen choose(String wanted, Duration gap) {
    return choose(wanted, gap, LocalDateTime.now());
  }

  Chosen choose(String wanted, Duration gap, LocalDateTime now) {
    return choose(wanted, gap, now, false);
  }

  /**
   * The newest archive with those of the other nodes of the same restore point: within the gap, and in other folders,
   * with other nodes in their names, or, where neither tells, in the same folder within a minute. Others within the gap
   * are other runs of the same node and passed over with a warning.
   */
  Chosen chooseAll(String wanted, Duration gap) {
    return chooseAll(wanted, gap, LocalDateTime.now());
  }

  Chosen chooseAll(String wanted, Duration gap, LocalDateTime now) {
    return choose(wanted, gap, now, true);
  }

  /** Requires a value of {@code --max-gap} that is not below zero. */
  static void requireGap(Duration gap) {
    if (gap.isNegative()) {
      throw new Failure(Exit.USAGE, "--max-gap %s is less than 0".formatted(gap), "give it a duration such as PT15M");
    }
  }

  private Chosen choose(String wanted, Duration gap, LocalDateTime now, boolean all) {
    requireGap(gap);
    var warnings = new ArrayList<String>();
    if (wanted != null && BackupName.isFile(wanted) && !isOfOtherComponent(wanted)) {
      var named = named(wanted);
      warnOfFuture(named, now, warnings);
      return new Chosen(List.of(named.backup()), warnings);
    }
    var until = wanted == null ? LocalDateTime.MAX : point(wanted);
    var files = list(all, warnings);
    folders.stream().filter(folder -> folders.size() > 1)
        .filter(folder -> files.stream().noneMatch(one -> folder.equals(one.file().getParent())))
        .forEach(folder -> warnings.add("%s, which %s names, holds no backup".formatted(folder, variable().name())));
    return choose(files, wanted, until, gap, now, all, warnings);
  }

  /**
   * The same among files that were listed already: nothing is read.
   *
   * @param files all with a backup's name and date, the oldest first
   * @param all true for those of all nodes
   */
  Chosen choose(List<BackupFile> files, LocalDateTime point, Duration gap, LocalDateTime now, boolean all) {
    return choose(files, STAMP.format(point), point, gap, now, all, new ArrayList<>());
  }

  private Chosen choose(List<BackupFile> files, String wanted, LocalDateTime until, Duration gap, LocalDateTime now,
      boolean all,
      List<String> warnings) {
    var chosen = newest(files, wanted, until, gap);
    files.stream()
        .filter(one -> one.problem() != null && one.taken().isAfter(chosen.taken()) && !one.taken().isAfter(until))
        .forEach(one -> warnings.add("%s is passed over: %s".formatted(one.file(), one.problem())));
    warnOfFuture(chosen, now, warnings);
    var others = all ? ofOtherNodes(chosen, files, gap, warnings) : List.<BackupFile>of();
    var backups = new ArrayList<>(List.of(chosen.backup()));
    others.forEach(other -> backups.add(other.backup()));
    return new Chosen(List.copyOf(backups), List.copyOf(warnings));
  }

  private static void warnOfFuture(BackupFile chosen, LocalDateTime now, List<String> warnings) {
    if (chosen.taken().isAfter(now.plus(CLOCKS_DIFFER))) {
      warnings.add(
          "the name of %s is of the future: check this host's clock and the backup host's".formatted(chosen.file()));
    }
  }

  /**
   * A file of another component names only its time here, such as an archive of Cassandra for Elasticsearch's marker.
   * Attachments are one component, in a folder or a bucket: such a file is meant.
   */
  private boolean isOfOtherComponent(String wanted) {
    return BackupName.of(wanted.substring(wanted.lastIndexOf('/') + 1)).map(BackupName::component)
        .filter(name -> !components.contains(name) && BackupName.COMPONENTS.contains(name))
        .filter(name -> !BackupName.ATTACHMENTS.contains(name) || !BackupName.ATTACHMENTS.containsAll(components))
        .isPresent();
  }

  private BackupFile named(String wanted) {
    var file = wanted.contains("/") ? path(wanted)
        : folders.stream().map(folder -> folder.resolve(wanted)).filter(Files::exists).findFirst()
            .orElse(folders.get(0).resolve(wanted));
    var name = BackupName.of(file.getFileName().toString());
    if (Files.isSymbolicLink(file) && !Files.exists(file)) {
      throw new Failure(Exit.BAD_BACKUP,
          "%s is a link to %s, which does not exist".formatted(file, BackupFile.target(file)),
          "check the path given with --backup");
    }
    if (!Files.isRegularFile(file)) {
      throw new Failure(Exit.BAD_BACKUP, (Files.exists(file) ? "not a file: " : "there is no file ") + file,
          alike(file));
    }
    if (name.isEmpty() || name.get().taken().isEmpty()
        || components.stream().noneMatch(name.get().component()::equalsIgnoreCase)) {
      throw new Failure(Exit.BAD_BACKUP, "%s does not have a backup's name: %s".formatted(file, pattern()),
          "rename it, or choose another with --backup");
    }
    if (!types.contains(name.get().type())) {
      throw new Failure(Exit.BAD_BACKUP, "%s is of a type that cannot be read".formatted(file), readable());
    }
    return BackupFile.of(file, name.get(), types);
  }

  private static Path path(String wanted) {
    try {
      return Path.of(wanted).getFileName() == null ? Path.of(wanted).resolve(".") : Path.of(wanted);
    } catch (InvalidPathException e) {
      throw new Failure(Exit.USAGE, "'%s' is not a path".formatted(EntryName.shown(wanted)),
          "check the path given with --backup");
    }
  }

  private static String alike(Path file) {
    var parent = file.toAbsolutePath().getParent();
    var name = file.getFileName().toString().split("\\.", 2)[0];
    try (var files = Files.list(parent)) {
      var alike = files.map(other -> other.getFileName().toString()).filter(other -> other.startsWith(name)).sorted()
          .limit(LISTED).toList();
      return alike.isEmpty() ? "check the path given with --backup"
          : "there is %s in %s".formatted(String.join(", ", alike), parent);
    } catch (IOException e) {
      return "check the path given with --backup";
    }
  }

  private static LocalDateTime point(String wanted) {
    var fileName = wanted.substring(wanted.lastIndexOf('/') + 1);
    return BackupName.point(wanted)
        .or(() -> BackupName.of(fileName).filter(name -> BackupName.isFile(wanted)).flatMap(BackupName::taken))
        .orElseThrow(() -> new Failure(Exit.USAGE, "'%s' is not a restore point".formatted(EntryName.shown(wanted)),
            "name one like 20261122_12h00m56s, cassandra_20261122_12h00m56s or the path of an archive"));
  }

  /**
   * All files with a backup's name and date, the oldest first.
   *
   * @param ofNodes true if a node in a name is as it should be
   */
  List<BackupFile> list(boolean ofNodes, List<String> warnings) {
    var all = new ArrayList<BackupFile>();
    for (var folder : folders) {
      for (var file : list(folder)) {
        var name = BackupName.of(file.getFileName().toString())
            .filter(of -> components.contains(of.component()) && !of.isBeside());
        if (name.isPresent() && name.get().taken().isEmpty()) {
          warnings.add("%s is passed over: its name has a date that does not exist".formatted(file));
        } else {
          name.map(of -> BackupFile.of(file, of, types))
              .ifPresent(one -> all.add(ofNodes || one.name().node().isEmpty() ? one : one.withOddName()));
        }
      }
    }
    all.sort(Comparator.comparing(BackupFile::taken).thenComparing(one -> one.file().toString()));
    return all;
  }

  private List<Path> list(Path folder) {
    try (var files = Files.list(folder)) {
      return files.toList();
    } catch (NoSuchFileException e) {
      throw new Failure(Exit.BAD_BACKUP, "no backup %s: there is no folder %s (%s)".formatted(pattern(), folder,
          variable().name()), MOUNTED);
    } catch (IOException e) {
      throw new Failure(Exit.BAD_BACKUP, "cannot list %s: %s".formatted(folder, Failure.of(e).getMessage()),
          "check its mode and owner");
    }
  }

  private BackupFile newest(List<BackupFile> candidates, String wanted, LocalDateTime until, Duration gap) {
    var usable = candidates.stream().filter(one -> one.problem() == null).toList();
    var chosen = usable.stream().filter(one -> !one.taken().isAfter(until)).reduce((first, last) -> last);
    var newer = unusable(candidates, until);
    if (newer.isPresent()) {
      throw new Failure(Exit.BAD_BACKUP, "%s is the newest backup%s, and cannot be used: %s".formatted(
          newer.get().file(), wanted == null ? "" : " at or before " + wanted, newer.get().problem()),
          readable() + chosen.map(older -> "; for the one before it: --backup " + older.name().stamp()).orElse(""));
    }
    requireNoneShortlyAfter(chosen, usable, wanted, until, gap);
    return chosen.orElseThrow(() -> new Failure(Exit.BAD_BACKUP, "no backup %s in %s%s".formatted(pattern(),
        shownFolders(),
        wanted == null ? "" : " at or before " + wanted), usable.isEmpty() ? MOUNTED : "there are: " + listed(usable)));
  }

  /** The newest backup at or before a time, if it cannot be used: it stands in the way of older ones. */
  static Optional<BackupFile> unusable(List<BackupFile> files, LocalDateTime until) {
    return files.stream().filter(one -> !one.taken().isAfter(until) && !one.isUnfinished())
        .reduce((first, last) -> first.taken().equals(last.taken()) && first.problem() == null ? first : last)
        .filter(one -> one.problem() != null);
  }

  /**
   * Parts of one run differ by seconds: a point named after its first part must not silently select yesterday's rest.
   */
  private static void requireNoneShortlyAfter(Optional<BackupFile> chosen, List<BackupFile> usable, String wanted,
      LocalDateTime until, Duration gap) {
    var next = usable.stream().filter(one -> one.taken().isAfter(until)).findFirst();
    if (next.isPresent() && Duration.between(until, next.get().taken()).compareTo(gap) <= 0
        && chosen.map(one -> Duration.between(one.taken(), until).compareTo(gap) > 0).orElse(true)) {
      throw new Failure(Exit.BAD_BACKUP,
          "%s was taken shortly after the restore point %s, and nothing shortly before it".formatted(
          next.get().backup().name(), wanted), "for that one: --backup " + next.get().name().stamp());
    }
  }

  private static String listed(List<BackupFile> usable) {
    var stamps = usable.stream().map(one -> one.name().stamp()).distinct().toList();
    return String.join(", ", stamps.subList(0, Math.min(LISTED, stamps.size())))
        + (stamps.size() > LISTED ? " and %d more".formatted(stamps.size() - LISTED) : "");
  }

  private List<BackupFile> ofOtherNodes(BackupFile chosen, List<BackupFile> candidates, Duration gap,
      List<String> warnings) {
    var sources = candidates.stream().filter(one -> one.problem() == null)
        .collect(Collectors.groupingBy(BackupFile::source, LinkedHashMap::new, Collectors.toList()));
    var others = new ArrayList<BackupFile>();
    for (var ofSource : sources.values()) {
      var near = ofSource.stream().filter(one -> apart(one, chosen).compareTo(gap) <= 0).toList();
      var nearest = ofSource.contains(chosen) ? Optional.of(chosen)
          : near.stream().min(Comparator.comparing(one -> apart(one, chosen)));
      if (nearest.isEmpty()) {
        warnings.add("%s has no backup within --max-gap of %s; its newest is %s".formatted(
            ofSource.get(0).source(), chosen.backup().name(), ofSource.get(ofSource.size() - 1).backup().name()));
        continue;
      }
      var run = run(nearest.get(), near);
      run.stream().filter(one -> one != chosen).forEach(others::add);
      near.stream().filter(one -> run.stream().noneMatch(taken -> taken.taken().equals(one.taken()))).forEach(one ->
      warnings.add("%s is passed over: by its name it is another run of the node of %s".formatted(one.file(),
          nearest.get().file().getFileName())
          + (one.name().node().isEmpty()
              ? "; archives of several nodes need cassandra_<node>_<timestamp>.tar or a folder each" : "")));
    }
    return others;
  }

  /** The archives of one run; where no name tells of a node, those within a minute are of several nodes. */
  private static List<BackupFile> run(BackupFile nearest, List<BackupFile> near) {
    if (!nearest.name().node().isEmpty()) {
      return List.of(nearest);
    }
    var byTime = new LinkedHashMap<LocalDateTime, BackupFile>();
    near.stream().filter(one -> apart(one, nearest).compareTo(ONE_RUN) <= 0)
        .forEach(one -> byTime.put(one.taken(), one));
    byTime.put(nearest.taken(), nearest); // the same one in two types is one
    return List.copyOf(byTime.values());
  }

  private static Duration apart(BackupFile one, BackupFile other) {
    return Duration.between(one.taken(), other.taken()).abs();
  }

  private String pattern() {
    return sorted(components).get(0) + "_<timestamp>." + String.join("|", sorted(types));
  }

  /** The variable that names the folder. */
  Variable variable() {
    return switch (sorted(components).get(0)) {
      case "cassandra" -> ArchiveFolders.CASSANDRA;
      case "elasticsearch" -> ArchiveFolders.MARKERS;
      case "files" -> ArchiveFolders.FILES;
      default -> ArchiveFolders.S3;
    };
  }

  private String readable() {
    return "types that can be read: " + String.join(", ", sorted(types));
  }

  private static List<String> sorted(Collection<String> texts) {
    return texts.stream().sorted().toList();
  }

  private String shownFolders() {
    return folders.stream().map(Path::toString).collect(Collectors.joining(", ", "", " (" + variable().name() + ")"));
  }
}

/**
 * Runs a script's command the same way in all scripts: errors as {@code error:} and {@code hint:}, and the exit code.
 */
final class Commands {
  /** How picocli tells of a value that is not of the option's type. */
  private static final Pattern ONE_OF =
      Pattern.compile("expected one of \\[(.*)] \\(case-(?:in)?sensitive\\) but was ('.*')");
  private static final Pattern CANNOT_CONVERT =
      Pattern.compile("cannot convert '(.*?)' to (?:\\S+ )?(?:\\w+[.$])*(\\w+) \\(.*");

  private Commands() {}

  /**
   * Parses the arguments and calls the command; when it has ended, Ctrl-C says nothing more.
   *
   * @param variables what the help lists below the options, with the present values
   * @param failed shows a failure and returns the exit code
   */
  static int run(Object command, Console console, List<Variable> variables, Function<Failure, Integer> failed,
      String... args) {
    console.json = List.of(args).contains("--json");
    console.onInterrupt("Nothing was changed.");
    try {
      return run(command, variables, failed, args);
    } finally {
      console.onInterrupt(null);
    }
  }

  static int run(Object command, List<Variable> variables, Function<Failure, Integer> failed, String... args) {
    var line = new CommandLine(command).setCaseInsensitiveEnumValuesAllowed(true).setUsageHelpLongOptionsMaxWidth(24)
        .setUsageHelpAutoWidth(true)
        .setParameterExceptionHandler((thrown, given) -> failed.apply(wrongUsage(thrown)))
        .setExecutionStrategy(parsed -> {
          if (parsed.isUsageHelpRequested()) {
            // reads TheHive's configuration: not at every start
            addFooter(parsed.commandSpec().commandLine(), variables);
          }
          if (CommandLine.executeHelpRequest(parsed) != null) {
            return Exit.DONE;
          }
          try {
            Settings.fromEnvironment().warnings(variables)
                .forEach(warning -> System.err.println("warning: " + warning));
          } catch (Failure e) {
            return failed.apply(e);
          }
          return new CommandLine.RunLast().execute(parsed);
        })
        .setExecutionExceptionHandler((thrown, given, parsed) -> failed.apply(Failure.of(thrown)));
    var heading = line.getCommandSpec().usageMessage().synopsisHeading();
    line.getSubcommands().values().forEach(sub -> sub.getCommandSpec().usageMessage().synopsisHeading(heading));
    try {
      var code = line.execute(args);
      return code == Exit.DONE && System.out.checkError() ? failed.apply(new Failure(Exit.UNEXPECTED,
          "the result could not be written to standard output", "everything else is done; is its file system full?"))
          : code;
    } catch (Error e) { // picocli hands on exceptions only
      return failed.apply(Failure.of(e));
    }
  }

  private static Failure wrongUsage(ParameterException thrown) {
    var message = thrown.getMessage().lines().findFirst().orElse("wrong usage");
    var text = withoutJavaTypes(
        message.isEmpty() ? message : message.substring(0, 1).toLowerCase(Locale.ROOT) + message.substring(1));
    var similar = thrown instanceof UnmatchedArgumentException unmatched ? unmatched.getSuggestions()
        : List.<String>of();
    var script = thrown.getCommandLine().getCommandSpec().root().name();
    return new Failure(Exit.USAGE, text, (similar.isEmpty() ? "" : "did you mean %s? ".formatted(
        String.join(" or ", similar))) + "see ./jbang %s --help".formatted(script), thrown);
  }

  private static String withoutJavaTypes(String message) {
    var oneOf = ONE_OF.matcher(message);
    if (oneOf.find()) {
      return message.substring(0, oneOf.start()) + "%s is not one of %s".formatted(oneOf.group(2),
          oneOf.group(1).toLowerCase(Locale.ROOT));
    }
    var type = CANNOT_CONVERT.matcher(message);
    return type.find()
        ? message.substring(0, type.start()) + "'" + type.group(1) + "' is not " + switch (type.group(2)) {
      case "Duration" -> "a duration such as PT15M";
      case "Pattern" -> "a regular expression";
      default -> "allowed";
    } : message.replaceFirst("is not an? (int|long)$", "is not a whole number");
  }

  private static void addFooter(CommandLine line, List<Variable> variables) {
    var own = line.getCommandSpec().usageMessage().footer();
    var lines = values(variables).stream().map(text -> text.replace("%", "%%").replace("@|", "@ |"));
    line.getCommandSpec().usageMessage()
        .footer(Stream.of(Stream.of("Variables, with their values now:"), lines, Stream.of(own))
        .flatMap(text -> text).toArray(String[]::new));
  }

  private static List<String> values(List<Variable> variables) {
    try {
      return Settings.fromEnvironment().describe(variables);
    } catch (Failure e) {
      return List.of("  " + e.getMessage());
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

  /**
   * The folder of lock, marker and reports: on a new host, which has no folder of archives, that of the backup.
   *
   * @param backup as {@code --backup} names it; null for the newest
   */
  Path stateFolder(Path archives, String backup) {
    if (statePath.isPresent() || backup == null || !backup.contains("/") || Files.isDirectory(archives)) {
      return statePath.orElse(archives);
    }
    return Path.of(backup).toAbsolutePath().getParent();
  }
}

/** The ways in which a tar may be compressed. The first bytes tell, as they do to tar; not the name. */
enum Compression {
  NONE, GZIP, BZIP2, XZ, ZSTD;

  static final int HEAD = 6;

  static Compression of(byte[] head) {
    return starts(head, 0x1f, 0x8b) ? GZIP
        : starts(head, 'B', 'Z', 'h') ? BZIP2
        : starts(head, 0xfd, '7', 'z', 'X', 'Z', 0) ? XZ
        : starts(head, 0x28, 0xb5, 0x2f, 0xfd) || isSkippedByZstd(head) ? ZSTD : NONE;
  }

  /** The first bytes of a file of pzstd: a frame that other programs pass over. */
  private static boolean isSkippedByZstd(byte[] head) {
    return head.length > 3 && (head[0] & 0xf0) == 0x50 && head[1] == 0x2a && head[2] == 0x4d && head[3] == 0x18;
  }

  static boolean starts(byte[] head, int... bytes) {
    for (int i = 0; i < bytes.length; i++) {
      if (i >= head.length || head[i] != (byte) bytes[i]) {
        return false;
      }
    }
    return true;
  }

  static byte[] head(Path file) throws IOException {
    try (var in = Files.newInputStream(file)) {
      return Arrays.copyOf(in.readNBytes(HEAD), HEAD);
    }
  }

  /** The tar in the file. Several streams in a row are one, as parallel programs such as pigz and pbzip2 write them. */
  InputStream open(Path file) throws IOException {
    var in = new BufferedInputStream(Files.newInputStream(file), 1 << 16);
    try {
      return switch (this) {
        case NONE -> in;
      case GZIP ->
          buffered(GzipCompressorInputStream.builder().setInputStream(in).setDecompressConcatenated(true).get());
        case BZIP2 -> buffered(new BZip2CompressorInputStream(in, true));
        case XZ -> buffered(XZCompressorInputStream.builder().setInputStream(in).setDecompressConcatenated(true).get());
        case ZSTD -> buffered(new ZstdCompressorInputStream(in));
      };
    } catch (IOException | RuntimeException e) {
      in.close();
      throw e;
    }
  }

  private static InputStream buffered(InputStream in) {
    return new BufferedInputStream(in, 1 << 16);
  }
}

/** Puts Java's words about a connection that failed into an administrator's. */
final class ConnectionError {
  private static final List<Map.Entry<String, String>> WORDS = List.of(
      Map.entry("connection refused", "connection refused: nothing listens on that port"),
      Map.entry("UnknownHost|UnresolvedAddress|not known", "unknown host"),
      // java.net.http says no more
      Map.entry("ConnectException(\\n|$)", "connection refused: nothing listens on that port"),
      Map.entry("NotSslRecord|not an SSL/TLS record|Unsupported or unrecognized SSL", "it speaks http, not https"),
      Map.entry("PKIX|unable to find valid certification path",
          "its certificate is not signed by a CA that is trusted here"),
      Map.entry("No name matching|No subject alternative|not verified|doesn't match",
          "its certificate is for another name"),
      Map.entry("certificate_expired|CertificateExpired", "its certificate has expired"),
      Map.entry("certificate_required|bad_certificate", "it wants a certificate of the client"),
      Map.entry("handshake_failure|protocol_version", "it and this host have no TLS version in common"),
      Map.entry("No route to host|Network is unreachable|Host is unreachable", "no route to that host"),
      Map.entry("timed out|Timeout", "no answer in time"),
      Map.entry("Invalid status line|unsupported (HTTP )?version|not a valid HTTP", "it is not an HTTP port"),
      Map.entry(
          "Connection reset|ClosedChannel|ConnectionClosed|connection (was )?closed|EOF|no bytes|Broken pipe|Remote"
              + " host terminated",
          "it closed the connection: perhaps it speaks https, or this is not its port"));

  private ConnectionError() {}

  static String words(Throwable thrown) {
    var all = Stream.iterate(thrown, Objects::nonNull, Throwable::getCause).map(Throwable::toString)
        .collect(Collectors.joining("\n"));
    return find(WORDS, all).orElseGet(() -> Failure.of(thrown).getMessage());
  }

  /** The words of the first pattern that is found in the text. */
  static Optional<String> find(List<Map.Entry<String, String>> words, String text) {
    return words.stream()
        .filter(entry -> Pattern.compile(entry.getKey(), Pattern.CASE_INSENSITIVE).matcher(text).find())
        .map(Map.Entry::getValue).findFirst();
  }
}

/** Shows steps and progress on stderr. Results go to stdout, which is not this class's. */
class Console {
  private static final int WIDTH_OF_LOGS = 100;
  private static final Duration BETWEEN_LINES = Duration.ofSeconds(5);

  /** True where the arguments ask for JSON, also where others of them are wrong. */
  boolean json;

  @Option(names = "--verbose", scope = ScopeType.INHERIT, description = "show traces and the libraries' warnings")
  boolean verbose;

  final boolean terminal = System.console() != null;
  private String onInterrupt;
  private String drawn = "";

  /** The parser calls it with false, too, where the option is not there or the arguments are wrong. */
  @Option(names = "--json", scope = ScopeType.INHERIT, description = "print the result as JSON")
  void askForJson(boolean asked) {
    json |= asked;
  }

  Console() {
    Runtime.getRuntime().addShutdownHook(new Thread(this::interrupted));
  }

  synchronized void step(String text, Object... values) {
    erase();
    System.err.println(text.formatted(values));
  }

  /** Prints the result, as JSON or in words, and returns the code; a success that nobody can read is an error. */
  int print(String asJson, String inWords, int code) {
    System.out.println(json ? asJson : inWords);
    if (System.out.checkError() && code == Exit.DONE) {
      throw new Failure(Exit.UNEXPECTED, "the result could not be written to standard output",
          "it was: " + inWords.strip().replaceFirst("(?s).*\n", ""));
    }
    return code;
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

  /**
   * Shows a line that moves on a terminal, a line every five seconds elsewhere, until closed; nothing where there are
   * no bytes.
   */
  Closeable progress(String task, long total, LongSupplier done, Supplier<String> state) {
    if (total <= 0) {
      return () -> {};
    }
    var moves = canDraw();
    var width = moves ? columns() - 3 : WIDTH_OF_LOGS; // room for ^C
    var begun = Instant.now();
    Supplier<String> line =
        () -> ProgressLine.of(task, Math.min(done.getAsLong(), total), total, Duration.between(begun, Instant.now()),
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
      // never onto a second line, should the terminal have become narrower
      System.err.print("\r\033[?7l" + line + "\033[K\033[?7h");
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

  /** The name of this host. */
  static String hostName() throws IOException {
    return Files.readString(Path.of("/proc/sys/kernel/hostname")).strip();
  }

  static String size(long bytes) {
    return ProgressLine.size(bytes);
  }

  static String time(Instant time) {
    return time.truncatedTo(ChronoUnit.SECONDS).toString();
  }
}

/** A number with what it counts: 1 file, 2 files, 20,000 files. */
final class Count {
  private Count() {}

  static String of(long number, String one) {
    return of(number, one, one + "s");
  }

  static String of(long number, String one, String several) {
    return String.format(Locale.ROOT, "%,d %s", number, number == 1 ? one : several);
  }
}

/** Names of entries as an archive has them, and as they can be used: UTF-8, and never out of the folder. */
final class EntryName {
  private EntryName() {}

  /** The name without {@code ./}, doubled and closing slashes; the same array where it has none. */
  static byte[] normal(byte[] raw) throws IOException {
    requireUtf8(raw, raw);
    if (isNormal(raw)) {
      return raw;
    }
    var normal = new byte[raw.length];
    var length = 0;
    for (int from = 0, to; from <= raw.length; from = to + 1) {
      to = from;
      while (to < raw.length && raw[to] != '/') {
        if (raw[to++] == 0) {
          throw unsafe(raw);
        }
      }
      var dots = to - from <= 2 && isDots(raw, from, to);
      if (dots && to - from == 2 || to == 0 && raw.length > 0) {
        throw unsafe(raw);
      }
      if (dots || from == to) {
        continue;
      }
      if (length > 0) {
        normal[length++] = '/';
      }
      System.arraycopy(raw, from, normal, length, to - from);
      length += to - from;
    }
    return Arrays.copyOf(normal, length);
  }

  /** True if nothing is to be done: no part of the name is empty or begins with a dot. */
  private static boolean isNormal(byte[] raw) {
    var before = (byte) '/';
    for (var b : raw) {
      if (b == 0 || before == '/' && (b == '/' || b == '.')) {
        return false;
      }
      before = b;
    }
    return before != '/';
  }

  private static boolean isDots(byte[] name, int from, int to) {
    for (int i = from; i < to; i++) {
      if (name[i] != '.') {
        return false;
      }
    }
    return from < to;
  }

  private static IOException unsafe(byte[] raw) {
    return new IOException(
        "its entry '%s' leads out of the backup's folder".formatted(shown(new String(raw, StandardCharsets.UTF_8))));
  }

  /** The text of a link; it belongs to the entry of the given name. */
  static String link(byte[] raw, byte[] name) throws IOException {
    requireUtf8(raw, name);
    return new String(raw, StandardCharsets.UTF_8);
  }

  private static void requireUtf8(byte[] raw, byte[] name) throws IOException {
    for (var b : raw) {
      if (b < 0) {
        try {
          StandardCharsets.UTF_8.newDecoder().decode(ByteBuffer.wrap(raw));
          return;
        } catch (CharacterCodingException e) {
          throw new IOException(
              "its entry '%s' has a %s that is not UTF-8".formatted(shown(new String(name, StandardCharsets.UTF_8)),
              raw == name ? "name" : "link"), e);
        }
      }
    }
  }

  /** The name for a message: a control character in it must not reach the terminal. */
  static String shown(String name) {
    return name.codePoints().map(c -> Character.isISOControl(c) ? '?' : c)
        .collect(StringBuilder::new, StringBuilder::appendCodePoint, StringBuilder::append).toString();
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

  /** For the help of the restores; ASCII, and in lines that a terminal of 80 columns shows whole. */
  static final String OF_RESTORES = "Exit codes: 0 done, 1 unexpected, 2 usage, 10 backup, 11 unreachable,%n"
      + "12 rights, 13 target not safe, 14 partial, 16 declined, 130 interrupted";

  private Exit() {}
}

/** An error with its hint and the exit code: shown as two lines, without a trace. */
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
    var message = cause.getMessage() != null ? cause.getMessage() : cause instanceof EOFException ? "it ends too early"
        : cause.toString();
    if (cause instanceof FileSystemException file) {
      var words = cause.getClass().getSimpleName().replace("Exception", "").replaceAll("(?<=[a-z])(?=[A-Z])", " ")
          .toLowerCase(Locale.ROOT);
      message = file.getFile() + ": " + (file.getReason() != null ? file.getReason() : words);
    }
    return cause instanceof Error error ? of(error, message.lines().findFirst().orElse(message))
        : new Failure(Exit.UNEXPECTED, message, "run again with --verbose for the trace", cause);
  }

  /**
   * Errors of the virtual machine, with what helps: libraries that are not Java are unpacked where it may be forbidden
   * to run them.
   */
  private static Failure of(Error error, String message) {
    if (error instanceof LinkageError) {
      return new Failure(Exit.UNEXPECTED, "a library could not be loaded: " + message,
          "is %s on a file system that is mounted noexec? _JAVA_OPTIONS=-Djava.io.tmpdir=<another folder> names another"
              .formatted(System.getProperty("java.io.tmpdir")), error);
    }
    var hint = error instanceof OutOfMemoryError ? "_JAVA_OPTIONS=-Xmx3g gives it more"
        : "run again with --verbose for the trace";
    return new Failure(Exit.UNEXPECTED, error instanceof OutOfMemoryError ? "out of memory: " + message : message, hint,
        error);
  }
}

/** The administrator's answers to the reasons not to restore into a folder: one for each reason. */
final class FolderAnswers {
  @Option(names = "--allow-unmounted",
      description = "restore although the file system that /etc/fstab wants there is not mounted")
  boolean allowUnmounted;

  @Option(names = "--create-folder", description = "create the folder if it is missing")
  boolean createFolder;

  @Option(names = "--allow-other-content", description = "overwrite what does not look like TheHive's attachments")
  boolean allowOtherContent;
}

/** Compares the backup with the live folder. */
record FolderComparison(RestoreJob job, LiveTree tree) {
  static FolderComparison of(RestoreJob job) {
    return new FolderComparison(job, new LiveTree(job.target(), job.workers()));
  }

  /** The number of the backup's entry for a path in the folder, or -1. */
  int find(Path path) {
    return job.backup().find(job.folder().relativize(path).toString());
  }

  /** Compares names only. */
  FolderDifferences names() throws IOException {
    return names(new BitSet());
  }

  /** @param present gets the numbers of the backup's files whose names are in the folder */
  private FolderDifferences names(BitSet present) throws IOException {
    var extra = new int[1];
    var newest = new Instant[1];
    tree.walk((path, isFolder) -> {
      var i = find(path);
      if (i < 0 && !isFolder) {
        extra[0]++;
        var changed = Instant.ofEpochMilli(path.toFile().lastModified());
        newest[0] = newest[0] == null || newest[0].isBefore(changed) ? changed : newest[0];
      } else if (i >= 0 && !job.entry(i).folder()) {
        present.set(i);
      }
    });
    return new FolderDifferences(job.backup().files - present.cardinality(), present.cardinality(), extra[0],
        newest[0], Optional.empty(), null, null);
  }

  /** Compares byte for byte, and owner, mode and time. */
  FolderDifferences contents() throws IOException {
    var present = new BitSet();
    var names = names(present);
    var write = new BitSet();
    IntStream.range(0, job.backup().all.size()).filter(i -> !job.entry(i).folder()).forEach(write::set);
    var touch = new BitSet();
    var missing = missingFolders();
    job.each("Comparing", present::get, (worker, i, content) -> {
      var live = live(i, missing);
      if (live.isPresent() && hasContent(content, live.get(), job.entry(i))) {
        var agrees = job.ownership().agrees(live.get(), job.entry(i));
        synchronized (write) {
          write.clear(i);
          touch.set(i, !agrees);
        }
      }
    });
    for (var i : job.links()) {
      var live = live(i, missing);
      write.set(i, live.isEmpty() || !isLink(live.get(), job.entry(i)));
    }
    var unchanged = job.backup().files - write.cardinality() - touch.cardinality();
    return new FolderDifferences(names.added(), names.present(), names.extra(), names.newest(),
        Optional.of(unchanged), write, touch);
  }

  private boolean isLink(Path live, ArchiveEntry entry) throws IOException {
    return Files.isSymbolicLink(live) && Files.readSymbolicLink(live).toString().equals(entry.link())
        && job.ownership().agrees(live, entry);
  }

  /**
   * Folders of the backup that are not folders here, such as a link to elsewhere: nothing is to be looked for through
   * them.
   */
  private Set<Path> missingFolders() {
    var missing = new HashSet<Path>();
    for (var entry : job.folders()) {
      var path = job.folder().resolve(entry.name());
      if (missing.contains(path.getParent()) || !Files.isDirectory(path, LinkOption.NOFOLLOW_LINKS)) {
        missing.add(path);
      }
    }
    return missing;
  }

  private Optional<Path> live(int i, Set<Path> missing) throws IOException {
    var path = job.path(i);
    try {
      return missing.contains(path.getParent()) || !AttachmentFolder.exists(path) ? Optional.empty()
          : Optional.of(path);
    } catch (AccessDeniedException e) {
      return Optional.empty(); // in a folder that may not be read: it is written anew
    }
  }

  private static boolean hasContent(Archive.Content content, Path live, ArchiveEntry entry) throws IOException {
    if (!Files.isRegularFile(live, LinkOption.NOFOLLOW_LINKS) || Files.size(live) != entry.size()) {
      return false;
    }
    try (var backup = content.open(); var file = Files.newInputStream(live)) {
      return IOUtils.contentEquals(backup, file);
    } catch (AccessDeniedException e) {
      return false; // it may not be read: it is written anew
    }
  }
}

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

/**
 * The differences between a backup and the live folder.
 *
 * @param added files of the backup that the folder does not have
 * @param present files of the backup that it has
 * @param extra its files that the backup does not have
 * @param newest the last change of those; null where there are none
 * @param unchanged how many of those present are equal, where that was compared
 * @param write numbers of the files whose content is to be written
 * @param touch numbers of those of which only owner, mode or time differ
 */
record FolderDifferences(int added, int present, int extra, Instant newest, Optional<Integer> unchanged, BitSet write,
    BitSet touch) {
  /** In words, for a restore that writes only what differs. */
  String written() {
    return "%d new, %d changed, %d unchanged, %d removed".formatted(added, present - unchanged.orElse(0),
        unchanged.orElse(0), extra);
  }

  /** In words, for a staged restore, which replaces what is equal, too: only a dry run takes the time to compare. */
  String replaced() {
    return "%d new, %d replaced%s, %d removed".formatted(added, present,
        unchanged.map(equal -> " (%d changed, %d unchanged)".formatted(present - equal, equal)).orElse(""), extra);
  }

  /** Says how much newer than the backup the folder is; nothing where the backup has all its files. */
  Optional<String> newestExtra() {
    return Optional.ofNullable(newest)
        .map(time -> "the newest of %s not in the backup: changed %s".formatted(
            Count.of(extra, "file that is", "files that are"), Console.time(time)));
  }
}

/**
 * The folder of the attachments, and where its backups are.
 *
 * @param owner {@code user}, {@code user:group} or {@code :group} to give all files to; empty for those of the backup
 */
record FolderSettings(Path folder, Path archives, Optional<String> owner) {
  static final Variable FOLDER = Variable.withDefault("ATTACHMENT_FOLDER", "/opt/thp/thehive/files");
  static final Variable ARCHIVES = ArchiveFolders.FILES;
  static final Variable OWNER = Variable.optional("ATTACHMENT_OWNER");
  static final List<Variable> VARIABLES = List.of(FOLDER, ARCHIVES, OWNER);

  static FolderSettings of(Settings settings) {
    return new FolderSettings(settings.path(FOLDER), settings.path(ARCHIVES), settings.optional(OWNER));
  }
}

/**
 * A node of TheHive: this host, or another one through the system's OpenSSH client and its configuration.
 *
 * @param destination where ssh goes to; null for this host
 * @param container in which TheHive runs there; null where it is a systemd unit
 */
record Host(String name, String destination, String port, TheHiveContainer container) {

  private static final Pattern IN_CONTAINER =
      Pattern.compile("((?<host>.+)/)?(?<engine>docker|podman):(?<name>(?!\\d+$)[A-Za-z0-9][\\w.-]*)");
  /** Stands between what the login shell prints by itself and the answer. */
  private static final String BEGIN = "thehive-answer-begins";
  private static final Pattern NAMED =
      Pattern.compile("(?<to>([\\w.-]+@)?(?<host>\\w[\\w.-]*|\\[[0-9a-fA-F:]+]))(:(?<port>\\d+))?");
  private static final String PROPERTIES = "LoadState,ActiveState,SubState,NRestarts,StateChangeTimestamp,InvocationID";

  Host(String name, String destination, String port) {
    this(name, destination, port, null);
  }

  /** The result of a command there; 255 is ssh's own code. */
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
    var inContainer = IN_CONTAINER.matcher(name);
    if (inContainer.matches()) {
      var host = parse(inContainer.group("host") == null ? "localhost" : inContainer.group("host"));
      var container = new TheHiveContainer(inContainer.group("engine"), inContainer.group("name"));
      return new Host(inContainer.group("host") == null ? container.toString() : host.name + "/" + container,
          host.destination, host.port, container);
    }
    var match = NAMED.matcher(name);
    if (!match.matches()) {
      throw new Failure(Exit.USAGE, "'%s' is not a host name".formatted(name),
          "name hosts like node1, admin@node2:2222 or localhost, containers like docker:thehive or"
              + " node2/docker:thehive");
    }
    if (match.group("port") != null && !isPort(match.group("port"))) {
      throw new Failure(Exit.USAGE, "'%s' names port %s, which no host has".formatted(name, match.group("port")),
          "ports are numbers from 1 to 65535, ssh's is mostly 22");
    }
    var local = Set.of("localhost", "127.0.0.1", "[::1]").contains(match.group("to")) && match.group("port") == null;
    return new Host(match.group("host"), local ? null : match.group("to").replaceAll("[\\[\\]]", ""),
        match.group("port"));
  }

  private static boolean isPort(String digits) {
    return digits.length() < 6 && Integer.parseInt(digits) > 0 && Integer.parseInt(digits) < 65_536;
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
    return known.lines().filter(line -> line.startsWith("hostname ")).map(line -> line.substring(9)).findFirst()
        .orElse(destination);
  }

  /**
   * Never asks and never accepts an unknown host key: a runbook must not hang, and a key is the administrator's to
   * trust.
   */
  List<String> command(String shell) {
    if (isLocal()) {
      return List.of("sh", "-c", shell);
    }
    var ssh =
        Stream.of("ssh", "-T", "-o", "BatchMode=yes", "-o", "StrictHostKeyChecking=yes", "-o", "ConnectTimeout=10",
        "-o", "ServerAliveInterval=5", "-o", "ServerAliveCountMax=3");
    var to = port == null ? Stream.of("--", destination) : Stream.of("-p", port, "--", destination);
    return Stream.of(ssh, to, Stream.of("sh -c '" + shell + "'")).flatMap(part -> part).toList();
  }

  /**
   * Runs a shell command there, one without single quotes. Files take its output: a shared ssh connection keeps pipes
   * open.
   */
  Output run(String shell, Duration limit) {
    try {
      var out = Files.createTempFile("thehive-host", ".out");
      var err = Files.createTempFile("thehive-host", ".err");
      try {
        var process = new ProcessBuilder(command(isLocal() ? shell : "echo " + BEGIN + "; " + shell))
            .redirectInput(new File("/dev/null"))
            .redirectOutput(out.toFile()).redirectError(err.toFile()).start();
        if (!process.waitFor(limit.toMillis(), TimeUnit.MILLISECONDS)) {
          process.destroyForcibly();
          throw new Failure(Exit.UNREACHABLE,
              "%s: no answer within %d s to: %s".formatted(name, limit.toSeconds(), shell), null);
        }
        var output = new Output(process.exitValue(), Files.readString(out), Files.readString(err).strip());
        return isLocal() ? output : output.code() == 255 ? unreachable(output.err()) : withoutGreeting(this, output);
      } finally {
        Files.delete(out);
        Files.delete(err);
      }
    } catch (IOException e) {
      throw new Failure(Exit.UNREACHABLE, "%s: %s".formatted(name, e.getMessage()),
          "the OpenSSH client is needed for other hosts", e);
    } catch (InterruptedException e) {
      throw new Failure(Exit.UNREACHABLE, name + ": interrupted", null, e);
    }
  }

  /** A login shell may print text of its own, a banner or what .bashrc says: it is never taken for an answer. */
  static Output withoutGreeting(Host host, Output output) {
    var begins = output.out().indexOf(BEGIN + "\n");
    if (begins < 0) {
      throw new Failure(Exit.UNREACHABLE,
          "%s: the login shell there did not run the command: %s".formatted(host.name,
              last(output.err().isEmpty() ? output.out() : output.err())),
          "try it by hand: ssh %s echo works".formatted(host.destination));
    }
    return new Output(output.code(), output.out().substring(begins + BEGIN.length() + 1), output.err());
  }

  private Output unreachable(String said) {
    var reason = last(said).replaceFirst("^ssh: ", "");
    var by = "ssh " + (port == null ? "" : "-p " + port + " ") + destination;
    if (said.contains("Permission denied")) {
      throw new Failure(Exit.AUTHENTICATION, "%s: ssh: %s".formatted(name, reason),
          "log in with a key, without a password: " + by);
    }
    throw new Failure(Exit.UNREACHABLE, "%s: ssh: %s".formatted(name, reason),
        said.contains("Host key verification failed")
        ? "compare its host key and accept it by hand: " + by : "try it by hand: " + by);
  }

  static String last(String lines) {
    return lines.strip().replaceFirst("(?s).*\\R", "").strip();
  }

  Unit unit(String service) {
    var output = run("id -u; LC_ALL=C systemctl show --property=%s -- %s".formatted(PROPERTIES, service),
        Duration.ofSeconds(30));
    if (output.code() != 0) {
      throw new Failure(Exit.UNSAFE, "%s has no systemd that answers: %s".formatted(name, last(output.err())),
          "look after TheHive there by hand: in its container, or with its own start script");
    }
    var lines = output.out().lines().toList();
    if (lines.isEmpty()) {
      throw new Failure(Exit.UNREACHABLE, name + ": no answer", null);
    }
    var is = lines.stream().filter(line -> line.contains("=")).map(line -> line.split("=", 2))
        .collect(Collectors.toMap(pair -> pair[0], pair -> pair[1], (one, other) -> one));
    return new Unit(is.getOrDefault("LoadState", ""), is.getOrDefault("ActiveState", ""),
        is.getOrDefault("SubState", ""),
        Integer.parseInt(is.getOrDefault("NRestarts", "0")), is.getOrDefault("StateChangeTimestamp", ""),
        is.getOrDefault("InvocationID", ""), lines.get(0).equals("0"));
  }
}

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

/**
 * Writes what differs into the live folder, each file in the work folder and then over its place; removes the rest
 * last.
 */
final class InPlaceRestore {
  private static final int BATCH = 10_000;
  private static final int MOST_ROUNDS = 100;
  private final RestoreJob job;
  private final AttachmentWriter writer;
  private final FolderDifferences differences;
  private final FolderComparison comparison;
  private final LiveTree tree;
  private final Path staging;

  InPlaceRestore(RestoreJob job, AttachmentWriter writer, FolderDifferences differences) {
    this.job = job;
    this.writer = writer;
    this.differences = differences;
    this.comparison = FolderComparison.of(job);
    this.tree = new LiveTree(job.target(), job.workers());
    this.staging = job.target().work().resolve("staging");
  }

  void restore() throws IOException {
    job.console().onInterrupt(job.folder()
        + " holds old and new files now. Keep TheHive stopped and run the same command again.");
    makeFolders();
    job.each("Writing", differences.write()::get, (worker, i, content) -> {
      var temporary = staging.resolve("" + i);
      Files.deleteIfExists(temporary);
      writer.write(i, content, temporary);
      put(temporary, job.path(i));
    });
    for (var i : job.links()) {
      if (differences.write().get(i)) {
        writer.writeLink(i, staging.resolve("link"));
        put(staging.resolve("link"), job.path(i));
      }
    }
    removeExtras();
    for (var i : differences.touch().stream().toArray()) {
      writer.set(job.path(i), job.entry(i));
    }
    removeWork();
    job.target().requireMounted(Exit.PARTIAL);
    writer.setFolders();
    job.flush(job.folder());
    job.target().requireMounted(Exit.PARTIAL);
  }

  /** Makes room for folders where something else is, and for files where folders are. */
  private void makeFolders() throws IOException {
    var secret = PosixFilePermissions.asFileAttribute(PosixFilePermissions.fromString("rwx------"));
    for (var entry : job.folders()) {
      job.target().requireMounted(Exit.PARTIAL);
      var path = job.folder().resolve(entry.name());
      if (!entry.name().isEmpty() && !Files.isDirectory(path, LinkOption.NOFOLLOW_LINKS)) {
        Files.deleteIfExists(path);
      }
      Files.createDirectories(path);
      job.target().requireSameFileSystem(path);
      LiveTree.makeWritable(path);
    }
    try {
      Files.createDirectories(job.target().work(), secret);
      Files.createDirectory(staging, secret);
    } catch (AccessDeniedException e) {
      throw AttachmentFolder.notWritable(job.target().work().getParent(), e);
    }
    for (var i : differences.write().stream().toArray()) {
      if (Files.isDirectory(job.path(i), LinkOption.NOFOLLOW_LINKS)) {
        tree.delete(job.path(i));
      }
    }
  }

  private void removeExtras() throws IOException {
    job.console().step("Removing what is not in the backup");
    job.console()
        .onInterrupt("All of the backup is in %s, and some more. Keep TheHive stopped and run the same command again."
            .formatted(job.folder()));
    // again: an NFS client may pass over some of a folder that is changed while it is read
    for (var round = 0; removeExtrasOnce() > 0; round++) {
      if (round == MOST_ROUNDS) {
        throw new Failure(Exit.PARTIAL, "something writes to %s while what is not in the backup is removed".formatted(
            job.folder()), "find it (lsof, fuser), stop it, and run the same command again");
      }
    }
  }

  /** Removes folders after what they hold; returns how many files and folders there were. */
  private int removeExtrasOnce() throws IOException {
    var count = new int[1];
    var batch = new ArrayList<Path>();
    tree.walkToRemove((path, isFolder) -> {
      if (comparison.find(path) < 0) {
        if (isFolder || batch.size() == BATCH) {
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
    job.workers().run(batch.size(), (worker, i) -> {
      job.target().requireMounted(Exit.PARTIAL);
      try {
        Files.deleteIfExists(batch.get(i));
      } catch (AccessDeniedException e) {
        LiveTree.makeWritable(batch.get(i).getParent());
        Files.deleteIfExists(batch.get(i));
      }
    });
    batch.clear();
  }

  /** Renames after a look that finds the folder mounted: so the file was not written below the mount point. */
  private void put(Path temporary, Path place) throws IOException {
    job.target().requireMounted(Exit.PARTIAL);
    LiveTree.rename(temporary, place);
  }

  private void removeWork() throws IOException {
    tree.delete(staging);
    try {
      Files.deleteIfExists(job.target().work());
    } catch (DirectoryNotEmptyException e) {
      // an old tree was kept in it
    }
  }
}

/** JSON, as reports, markers, results and the Elasticsearch API use it. */
final class Json {
  static final ObjectMapper MAPPER = JsonMapper.builder().enable(SerializationFeature.INDENT_OUTPUT)
      .enable(EnumFeature.WRITE_ENUMS_TO_LOWERCASE).build();

  private Json() {}

  /** The output of {@code --json} where a script ends with a failure. */
  static String failure(String script, Failure failure) {
    return MAPPER.createObjectNode().put("script", script).put("exit", failure.code)
        .put("error", failure.getMessage()).put("hint", failure.hint).toPrettyString();
  }
}

/** The kinds of entries of an archive. */
enum Kind {
  FOLDER, FILE,
  /** A symbolic link. */
  LINK,
  /** Another name for a file or a symbolic link that stands before it in the archive. */
  HARD_LINK,
  /** A device, a named pipe, or something that only one program knows. */
  OTHER
}

/** The files below the attachment folder and beside it; links are not followed, and no other file system is entered. */
record LiveTree(AttachmentFolder target, Workers workers) {
  private static final int BATCH = 10_000;
  private static final int OWNER_ALL = 0700;

  interface Visitor {
    void accept(Path path, boolean isFolder) throws IOException;
  }

  /**
   * Gives the content of the folder, folders after what they hold. Changes nothing: of a folder that may not be read,
   * only itself is given.
   */
  void walk(Visitor visitor) throws IOException {
    walk(visitor, false);
  }

  /** The same for what will be removed: a folder that may not be read is made readable first. */
  void walkToRemove(Visitor visitor) throws IOException {
    walk(visitor, true);
  }

  private void walk(Visitor visitor, boolean open) throws IOException {
    if (AttachmentFolder.exists(target.folder())) {
      Files.walkFileTree(target.folder(), new ContentVisitor(visitor, open));
    }
  }

  private final class ContentVisitor extends SimpleFileVisitor<Path> {
    private final Path folder = target.folder();
    private final Visitor visitor;
    private final boolean open;

    ContentVisitor(Visitor visitor, boolean open) {
      this.visitor = visitor;
      this.open = open;
    }

    @Override
    public FileVisitResult preVisitDirectory(Path path, BasicFileAttributes is) throws IOException {
      if (!FolderContents.isContent(folder.relativize(path))) {
        return FileVisitResult.SKIP_SUBTREE;
      }
      target.requireSameFileSystem(path);
      return FileVisitResult.CONTINUE;
    }

    @Override
    public FileVisitResult visitFile(Path path, BasicFileAttributes is) throws IOException {
      if (FolderContents.isContent(folder.relativize(path))) {
        visitor.accept(path, false);
      }
      return FileVisitResult.CONTINUE;
    }

    @Override
    public FileVisitResult visitFileFailed(Path path, IOException failed) throws IOException {
      if (!(failed instanceof AccessDeniedException) || path.equals(folder)) {
        throw failed;
      }
      if (open && makeWritable(path)) {
        Files.walkFileTree(path, this);
      } else if (FolderContents.isContent(folder.relativize(path))) {
        visitor.accept(path, true);
      }
      return FileVisitResult.CONTINUE;
    }

    @Override
    public FileVisitResult postVisitDirectory(Path path, IOException failed) throws IOException {
      if (failed != null) {
        throw failed;
      }
      if (!path.equals(folder)) {
        visitor.accept(path, true);
      }
      return FileVisitResult.CONTINUE;
    }
  }

  /** Removes a tree, also one whose folders their owner may not write to. */
  void delete(Path tree) throws IOException {
    if (!AttachmentFolder.exists(tree)) {
      return;
    }
    Files.walkFileTree(tree, new DeletingVisitor());
  }

  /** Removes files several at a time, and each folder after what it held. */
  private final class DeletingVisitor extends SimpleFileVisitor<Path> {
    private final List<Path> batch = new ArrayList<>();

    @Override
    public FileVisitResult preVisitDirectory(Path path, BasicFileAttributes is) throws IOException {
      target.requireSameFileSystem(path);
      makeWritable(path);
      return FileVisitResult.CONTINUE;
    }

    @Override
    public FileVisitResult visitFile(Path path, BasicFileAttributes is) throws IOException {
      batch.add(path);
      return batch.size() < BATCH ? FileVisitResult.CONTINUE : deleteBatch();
    }

    @Override
    public FileVisitResult visitFileFailed(Path path, IOException failed) throws IOException {
      if (!(failed instanceof AccessDeniedException) || !makeWritable(path)) {
        throw failed;
      }
      delete(path);
      return FileVisitResult.CONTINUE;
    }

    @Override
    public FileVisitResult postVisitDirectory(Path path, IOException failed) throws IOException {
      deleteBatch();
      Files.delete(path);
      return FileVisitResult.CONTINUE;
    }

    private FileVisitResult deleteBatch() throws IOException {
      workers.run(batch.size(), (worker, i) -> Files.deleteIfExists(batch.get(i)));
      batch.clear();
      return FileVisitResult.CONTINUE;
    }
  }

  /**
   * Gives the owner all rights to a folder; true if that changed something. Where it is not ours, the next step fails.
   */
  static boolean makeWritable(Path folder) throws IOException {
    if (Files.isWritable(folder) && Files.isExecutable(folder) && Files.isReadable(folder)) {
      return false;
    }
    if (!Files.isDirectory(folder, LinkOption.NOFOLLOW_LINKS)) {
      return false;
    }
    try {
      // Without NOFOLLOW_LINKS: with it, the JDK opens the folder first, which needs the right to read it.
      Files.setAttribute(folder, "unix:mode", Ownership.modeOf(folder) | OWNER_ALL);
      return true;
    } catch (IOException e) {
      return false;
    }
  }

  static void rename(Path from, Path to) throws IOException {
    Files.move(from, to, StandardCopyOption.ATOMIC_MOVE);
  }

  /** Moves everything in a folder into another one; what is not content stays in the attachment folder. */
  void drain(Path from, Path to) throws IOException {
    for (var batch = batch(from); !batch.isEmpty(); batch = batch(from)) {
      var some = batch;
      workers.run(some.size(), (worker, i) -> move(some.get(i), to.resolve(some.get(i).getFileName())));
    }
  }

  private List<Path> batch(Path from) throws IOException {
    try (var children = Files.list(from)) {
      return children.filter(child -> !from.equals(target.folder()) || FolderContents.isContent(child.getFileName()))
          .limit(BATCH).toList();
    }
  }

  /** Moves a file or a folder; moving a folder needs the right to write to it, which it has only while it is moved. */
  private static void move(Path from, Path to) throws IOException {
    try {
      rename(from, to);
    } catch (AccessDeniedException e) {
      var mode = Files.isDirectory(from, LinkOption.NOFOLLOW_LINKS) ? Ownership.modeOf(from) : -1;
      if (mode < 0 || !makeWritable(from)) {
        throw e;
      }
      rename(from, to);
      Files.setAttribute(to, "unix:mode", mode);
    }
  }
}

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

/** The owner of an entry; empty and -1 where the archive does not tell. */
record Owner(String user, long uid, String group, long gid) {
  static final Owner UNKNOWN = new Owner("", -1, "", -1);
}

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

/** The records {@code length key=value} that a pax header adds to the header behind it. */
final class PaxRecords {
  private static final Pattern TIME = Pattern.compile("-?\\d{1,16}(\\.\\d{0,99})?");
  private final Map<String, byte[]> values;
  /** Offsets and lengths in the order of the records: sparse files of version 0.0 have them as repeated records. */
  private final List<Long> pieces = new ArrayList<>();

  PaxRecords() {
    this(Map.of());
  }

  private PaxRecords(Map<String, byte[]> values) {
    this.values = new HashMap<>(values);
  }

  /** These records with those of a header over them; an empty value takes one away. */
  PaxRecords with(byte[] header) throws IOException {
    var all = new PaxRecords(values);
    for (int from = 0, end; from < header.length && header[from] != 0; from = end) {
      var space = index(header, ' ', from);
      var equals = index(header, '=', space);
      var length = number(Arrays.copyOfRange(header, from, space));
      if (length <= equals - from || length > header.length - from || header[from + (int) length - 1] != '\n') {
        throw damaged();
      }
      end = from + (int) length;
      all.put(new String(header, space + 1, equals - space - 1, StandardCharsets.UTF_8),
          Arrays.copyOfRange(header, equals + 1, end - 1));
    }
    return all;
  }

  private void put(String key, byte[] value) throws IOException {
    if (key.equals("GNU.sparse.offset") || key.equals("GNU.sparse.numbytes")) {
      pieces.add(number(value));
    } else if (value.length == 0) {
      values.remove(key);
    } else {
      values.put(key, value);
    }
  }

  private static int index(byte[] bytes, char wanted, int from) throws IOException {
    for (int i = from; i < bytes.length; i++) {
      if (bytes[i] == wanted) {
        return i;
      }
    }
    throw damaged();
  }

  private static IOException damaged() {
    return new IOException("one of its extended headers is damaged");
  }

  boolean isEmpty() {
    return values.isEmpty();
  }

  boolean has(String key) {
    return values.containsKey(key);
  }

  byte[] bytes(String key, byte[] fallback) {
    return values.getOrDefault(key, fallback);
  }

  String text(String key, String fallback) {
    return has(key) ? new String(values.get(key), StandardCharsets.UTF_8) : fallback;
  }

  long number(String key, long fallback) throws IOException {
    return has(key) ? number(values.get(key)) : fallback;
  }

  private static long number(byte[] digits) throws IOException {
    try {
      return Long.parseLong(new String(digits, StandardCharsets.ISO_8859_1).strip());
    } catch (NumberFormatException e) {
      throw damaged();
    }
  }

  /** A time in seconds with any number of decimals; null where there is none. */
  BigDecimal time(String key) throws IOException {
    if (!has(key)) {
      return null;
    }
    var text = text(key, "");
    if (!TIME.matcher(text).matches()) {
      throw damaged();
    }
    return new BigDecimal(text).setScale(9, RoundingMode.FLOOR);
  }

  /** The map of a sparse file of version 0.0 or 0.1; empty where this is none. */
  List<Long> sparse() throws IOException {
    if (!has("GNU.sparse.map")) {
      return pieces;
    }
    var numbers = new ArrayList<Long>();
    for (var number : text("GNU.sparse.map", "").split(",")) {
      numbers.add(number(number.getBytes(StandardCharsets.ISO_8859_1)));
    }
    return numbers;
  }
}

/** The restore point of which a restore takes its backups, for the plan. Only names and sizes are read for it. */
final class PlannedPoint {
  private PlannedPoint() {}

  /**
   * Returns the point and its verdict in one line. It is only told: a point that cannot be looked up stops no restore.
   *
   * @param chosen the backups that are restored
   * @param proven name of a snapshot that Elasticsearch was asked for and that is whole
   */
  static String line(Settings settings, Collection<Backup> chosen, Duration gap, Optional<String> proven) {
    try {
      var search = new RestorePointSearch();
      var markers = settings.path(ArchiveFolders.MARKERS);
      search.add("cassandra", BackupSet.ofNodes(ArchiveFolders.cassandra(settings)));
      search.add("elasticsearch", BackupSet.markers(markers));
      search.add("files", BackupSet.files(settings.path(ArchiveFolders.FILES)));
      search.add("s3", BackupSet.objects(settings.path(ArchiveFolders.S3)));
      Callable<Map<String, SnapshotState>> known = proven.isEmpty() ? null : () -> whole(proven.get());
      return of(search.find(markers, known, gap), chosen);
    } catch (RuntimeException e) {
      return "restore point: not known: " + Failure.of(e).getMessage();
    }
  }

  private static Map<String, SnapshotState> whole(String name) {
    var indices = new TreeMap<>(Map.of("of the plan", -1L));
    return Map.of(name, new SnapshotState(name, "", SnapshotState.SUCCESS, "", false, indices));
  }

  /** Describes the point of the backups; of several that share them, the one whose own they are: the oldest. */
  static String of(RestorePoints.All all, Collection<Backup> chosen) {
    return all.points().stream().filter(point -> chosen.stream().allMatch(backup -> holds(point, backup)))
        .reduce((newer, older) -> older)
        .map(point -> "restore point %s, %s: %s".formatted(point.point(), point.age(), point.verdictLine()))
        .orElse("restore point: none of those that ./jbang verify.java points lists");
  }

  private static boolean holds(RestorePoint point, Backup backup) {
    var path = backup.file().toAbsolutePath().normalize();
    return point.parts().stream().anyMatch(part -> part.snapshot() != null ? part.file().equals(backup.name())
        : Path.of(part.file()).toAbsolutePath().normalize().equals(path));
  }
}

/** A user and a group of this host; null where there is none. */
record Principals(UserPrincipal user, GroupPrincipal group) {
  static final Principals NONE = new Principals(null, null);
  private static final UserPrincipalLookupService LOOKUP = FileSystems.getDefault().getUserPrincipalLookupService();
  /** By their numbers. Names are asked for once, not for each of a million files: a directory server may answer. */
  private static final Map<Map<String, Object>, Principals> LIVE = new ConcurrentHashMap<>();

  private interface Lookup<T> {
    T by(String name) throws IOException;
  }

  /** Reads {@code user}, {@code user:group} or {@code :group}, names or numbers, as ATTACHMENT_OWNER has it. */
  static Principals parse(Optional<String> text) {
    var parts = text.orElse("").split(":", 2);
    var user = parts[0];
    var group = parts.length < 2 ? "" : parts[1];
    var known = of(new Owner(user, number(user), group, number(group)));
    if (known.user == null && !user.isEmpty() || known.group == null && !group.isEmpty()) {
      throw new Failure(Exit.USAGE, "ATTACHMENT_OWNER %s: not known on this host".formatted(text.get()),
          "name a user and a group, such as thehive:thehive");
    }
    return known;
  }

  /** The number that a text is; -1 if it is a name. */
  private static long number(String text) {
    return text.matches("\\d{1,10}") ? Long.parseLong(text) : -1;
  }

  /** Looks an owner up by name, then by number. */
  static Principals of(Owner owner) {
    return new Principals(find(LOOKUP::lookupPrincipalByName, owner.user(), owner.uid()),
        find(LOOKUP::lookupPrincipalByGroupName, owner.group(), owner.gid()));
  }

  /** The owner and the group of a file, or of the link itself. */
  static Principals of(Path path) throws IOException {
    var known = LIVE.get(Files.readAttributes(path, "unix:uid,gid", LinkOption.NOFOLLOW_LINKS));
    if (known != null) {
      return known;
    }
    var all = Files.readAttributes(path, "unix:uid,gid,owner,group", LinkOption.NOFOLLOW_LINKS);
    var principals = new Principals((UserPrincipal) all.get("owner"), (GroupPrincipal) all.get("group"));
    LIVE.put(Map.of("uid", all.get("uid"), "gid", all.get("gid")), principals);
    return principals;
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
   * Returns one line of at most {@code width} characters: task, bar, bytes, rate, elapsed and left time, state. What
   * does not fit is left out from the end, never cut within a word; a narrow line has no bar.
   *
   * @param done bytes of {@code total} that are done
   * @param state a few words, such as {@code 3 of 9 tables}; may be empty
   */
  static String of(String task, long done, long total, Duration elapsed, String state, int width) {
    var millis = Math.max(1, elapsed.toMillis());
    var rate = done * 1000 / millis;
    var text = " %s of %s".formatted(size(done), size(total));
    var more = new StringBuilder(rate > 0 ? ", %s/s".formatted(size(rate)) : "").append(", elapsed ")
        .append(clock(elapsed.toSeconds()));
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

  /** A time as it is said, such as {@code 4 min 10 s}. */
  static String time(double seconds) {
    var whole = Math.round(seconds);
    return seconds < 9.95 ? String.format(Locale.ROOT, "%.1f s", seconds)
        : whole < 60 ? whole + " s"
        : whole < 3600 ? "%d min %d s".formatted(whole / 60, whole % 60)
        : "%d h %d min".formatted(whole / 3600, whole / 60 % 60);
  }

  /** A number of bytes as an administrator reads it, such as {@code 12 MB}. */
  static String size(long bytes) {
    return bytes < 1_000_000 ? (bytes + 999) / 1000 + " kB"
        : bytes < 10_000_000_000L ? (bytes + 500_000) / 1_000_000 + " MB"
        : (bytes + 500_000_000L) / 1_000_000_000L + " GB";
  }
}

/** The release that all scripts belong to; what {@code --version} prints. */
final class Release implements IVersionProvider {
  static final String VERSION = "1.1.0";
  /** Filled in by git where the files come from its archive of a commit, such as a download: see .gitattributes. */
  private static final String COMMIT = "$Format:%h of %cs$";
  @Spec
  private CommandSpec command;

  @Override
  public String[] getVersion() {
    return new String[] {text(command.root().name(), COMMIT)};
  }

  /** Such as {@code verify.java 1.1.0 (commit 1c74053 of 2026-11-27)}; without the commit where it is not known. */
  static String text(String script, String commit) {
    return script + " " + VERSION + (commit.startsWith("$") ? "" : " (commit " + commit + ")");
  }
}

/** Asks before much is removed: the classic way to lose a folder or a bucket is to name the wrong one. */
final class RemovalLimit {
  @Option(names = "--max-delete", paramLabel = "PERCENT", defaultValue = "50",
      description = "ask again before removing more than this part (${DEFAULT-VALUE})")
  int percent;

  void requireValid() {
    if (percent < 0 || percent > 100) {
      throw new Failure(Exit.USAGE, "--max-delete %d is not between 0 and 100".formatted(percent),
          "it is a percentage of what is there now");
    }
  }

  boolean isExceeded(long extra, long present) {
    return extra * 100 > percent * present;
  }

  /**
   * Goes on only if the number was typed; a dry run goes on, and tells the reason at its end.
   *
   * @param extra how many are not in the backup
   * @param present how many there are
   * @param of where they are, such as {@code the folder's %d files}
   * @param otherWays what does not remove them, such as {@code --keep-extra leaves them}
   */
  void confirm(long extra, long present, String of, String otherWays, RestoreConsole console) {
    if (!isExceeded(extra, present)) {
      return;
    }
    var question = "%d of %s are not in the backup and would be removed".formatted(extra, of.formatted(present));
    var refusal = new Failure(Exit.DECLINED, question + ", nothing was changed",
        "are target and backup the right ones? %s--max-delete 100 removes them".formatted(otherWays));
    if (console.dryRun) {
      console.refuseUnlessForced(refusal);
    } else if (!console.terminal || !("" + extra).equals(
        System.console().readLine("%n%s.%nType their number to remove them: ", question))) {
      throw refusal;
    }
  }
}

/** The console of a restore: asks before anything is overwritten, and refuses what only --force goes on with. */
final class RestoreConsole extends Console {
  @Option(names = "--dry-run", description = "do every check, print the plan, change nothing")
  boolean dryRun;

  @Option(names = "--yes", description = "do not ask before overwriting (ASSUME_YES)")
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

  /** Says which backup of the attachments was chosen, and what was passed over. */
  BackupSet.Chosen announce(BackupSet.Chosen chosen) {
    chosen.warnings().forEach(warning -> warn("%s", warning));
    step("Restoring attachments from %s, taken %s", chosen.backup().file(), chosen.backup().age());
    return chosen;
  }

  /** The folder of lock, marker and reports; says so where no other script would look for them. */
  Path stateFolder(CommonSettings common, Path archives, String backup) {
    var folder = common.stateFolder(archives, backup);
    if (common.statePath().isEmpty() && !folder.equals(archives)) {
      warn("lock, marker and report are kept in %s, as there is no folder %s: set RESTORE_STATE_PATH to it for all"
          + " scripts",
          folder, archives);
    }
    return folder;
  }

  /** Requires that TheHive runs on none of its nodes, as far as they can be asked. */
  void requireTheHiveStopped(TheHiveSettings settings) {
    Host.each(settings.hosts(), host -> new TheHiveNode(host, settings).reasonNotToRestore().orElse(null)).stream()
        .filter(Objects::nonNull).forEach(this::refuseUnlessForced);
  }

  /** Shows the plan; then the name of what will be overwritten is to be typed, unless --yes answered already. */
  void confirm(List<String> plan, String name, Settings settings) {
    plan.forEach(line -> step("%s", line));
    if (!settings.isSet(TheHiveSettings.NODES)) {
      step("  whether TheHive is stopped was asked of this host only: THEHIVE_NODES names no other");
    }
    step("");
    if (dryRun || yes || settings.flag(CommonSettings.ASSUME_YES)) {
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

/** One restore of attachments into a folder: the backup, the folder, and who works on it. */
record RestoreJob(AttachmentArchive backup, AttachmentFolder target, Ownership ownership, Workers workers,
    Console console) {
  Path folder() {
    return target.folder();
  }

  ArchiveEntry entry(int i) {
    return backup.all.get(i);
  }

  /** The place of an entry in the live folder. */
  Path path(int i) {
    return folder().resolve(entry(i).name());
  }

  /** The backup's folders, each before what is in it: first the one that becomes the attachment folder. */
  List<ArchiveEntry> folders() {
    return backup.all.stream().filter(ArchiveEntry::folder).sorted(Comparator.comparing(ArchiveEntry::name)).toList();
  }

  /** The numbers of the symbolic links. */
  List<Integer> links() {
    return IntStream.range(0, backup.all.size()).filter(i -> entry(i).kind() == Kind.LINK).boxed().toList();
  }

  /** Gives every wanted file to the reader, and shows how far it is. */
  void each(String task, IntPredicate wanted, AttachmentArchive.Reader reader) throws IOException {
    var sizes = IntStream.range(0, backup.all.size()).filter(i -> !entry(i).folder() && wanted.test(i))
        .mapToLong(i -> entry(i).size()).summaryStatistics();
    if (sizes.getCount() == 0) {
      return;
    }
    var bytesDone = new AtomicLong();
    var filesDone = new AtomicInteger();
    try (var progress = console.progress(task, sizes.getSum(), bytesDone::get,
        () -> filesDone.get() + " of " + sizes.getCount() + " files")) {
      backup.read(workers, wanted, (worker, i, content) -> {
        reader.read(worker, i, content);
        bytesDone.addAndGet(entry(i).size());
        filesDone.incrementAndGet();
      });
    }
  }

  /**
   * Asks for errors that a file system could not tell before: it tells them at the next flush, which must not be ours.
   */
  void tellOldErrors() {
    try {
      SystemCommand.output("sync", "-f", (target.isStagedInside() ? folder() : folder().getParent()).toString());
    } catch (IOException e) {
      console.warn("something that was written before was lost: %s", e.getMessage());
    }
  }

  /** Flushes everything written so far: one call for a whole file system, where fsync of each file would take hours. */
  void flush(Path folder) throws IOException {
    console.step("Flushing to disk");
    SystemCommand.output("sync", "-f", folder.toString());
  }
}

/**
 * The lines of a plan about the restore as a whole.
 *
 * @param point the line that names the restore point
 * @param seconds how long the restore will probably take; empty where no earlier one tells
 * @param earlier the restore that tells it
 */
record RestoreOutlook(String point, Optional<Double> seconds, Optional<RestoreReport> earlier) {
  /** A restore of more than so many times the bytes is another matter. */
  private static final int MOST_TIMES = 20;

  /**
   * Looks for the newest successful restore of the same script.
   *
   * @param bytes to restore, by part
   * @param alike true for the report of a restore that was made in the same way
   */
  static RestoreOutlook of(RestoreRun run, String point, Map<String, Long> bytes, Predicate<JsonNode> alike) {
    try {
      var earlier = RunReports.newest(run.folder(), run.script(), json -> json.path("exit").asInt(-1) == Exit.DONE
          && json.has("started") && json.has("steps") && alike.test(json)).map(RestoreReport::of);
      return new RestoreOutlook(point, earlier.flatMap(report -> seconds(report, bytes)), earlier);
    } catch (IOException | RuntimeException e) {
      return new RestoreOutlook(point, Optional.empty(), Optional.empty()); // it only tells
    }
  }

  /** Scales an earlier time by the bytes of then and now; the longest part counts: they run side by side. */
  static Optional<Double> seconds(RestoreReport earlier, Map<String, Long> bytes) {
    var longest = 0.0;
    for (var part : bytes.entrySet()) {
      var before = earlier.part(part.getKey()).map(RestoreReport.Part::bytes).orElse(0L);
      var took = earlier.seconds(part.getKey());
      if (before <= 0 || took <= 0 || part.getValue() > MOST_TIMES * before) {
        return Optional.empty();
      }
      longest = Math.max(longest, took * part.getValue() / before);
    }
    return Optional.of(longest).filter(time -> time > 0);
  }

  List<String> lines() {
    var lines = new ArrayList<>(List.of(point));
    seconds.ifPresent(time -> lines.add("it will take about %s, as the restore of %s".formatted(
        ProgressLine.time(time),
        RestoreReport.TIME.format(earlier.orElseThrow().started().atZone(ZoneId.systemDefault())))));
    return lines;
  }

  /** The real time, and beside it what was expected. */
  String end(StepTimes times) {
    return "The restore took %s%s".formatted(ProgressLine.time(times.sinceAnswer()),
        seconds.map(time -> ", about %s were expected".formatted(ProgressLine.time(time))).orElse(""));
  }
}

/**
 * A restore point: what {@code --backup} takes where it names this time.
 *
 * @param point what {@code --backup} takes
 * @param age in words
 * @param verdict whether a restore of it can go through, as far as names, sizes and the repository's index tell
 * @param running true if its backup is still being taken
 * @param reasons why it is not complete
 * @param notes what else is to be known
 */
record RestorePoint(String point, String age, State verdict, boolean running, List<String> reasons, List<Part> parts,
    List<String> notes) {
  /** The worst last. */
  enum State {
    COMPLETE("✓ complete"), UNKNOWN("- not known"), INCOMPLETE("✗ incomplete"), UNREADABLE("✗ unreadable");

    final String shown;

    State(String shown) {
      this.shown = shown;
    }
  }

  /**
   * One archive or snapshot of it.
   *
   * @param file path of an archive, name of a snapshot
   * @param bytes null where the size is not known
   * @param secondsBefore how much earlier than the point it was taken; less than 0 if later
   * @param snapshot the snapshot's state; null for an archive
   * @param indices bytes by name, null where they are not known; empty for an archive
   */
  record Part(String part, String file, Long bytes, long secondsBefore, String snapshot, Map<String, Long> indices) {}

  /** The verdict with its reasons, in one line. */
  String verdictLine() {
    return verdict.shown + (reasons.isEmpty() ? "" : ": " + String.join("; ", reasons));
  }
}

/**
 * Lists the folders of the backups and asks for the snapshots: names, sizes and the repository's index, nothing else.
 */
final class RestorePointSearch {
  private static final Duration YOUNG = Duration.ofMinutes(1);
  private static final Duration BETWEEN_LOOKS = Duration.ofMillis(300);
  private final Instant started = Instant.now();
  private final List<RestorePoints.Source> sources = new ArrayList<>();
  private final List<String> missing = new ArrayList<>();

  /** Folders where nothing was found, and servers that could not be asked. */
  final List<String> notes = new ArrayList<>();

  /** Adds a part's backups; a folder that is not there is a note, where no other one has the attachments. */
  void add(String part, BackupSet backups) {
    var ofNodes = backups.isOfNodes();
    try {
      sources.add(new RestorePoints.Source(part, backups, ofNodes, backups.list(ofNodes, notes)));
    } catch (Failure e) {
      missing.add("%s: %s".formatted(backups.variable().name(), e.getMessage().replaceFirst("^no backup \\S+: ", "")));
      sources.add(new RestorePoints.Source(part, backups, ofNodes, List.of()));
    }
  }

  /**
   * Finds the points.
   *
   * @param markers folder of the markers, where the repository is, too
   * @param cluster asks Elasticsearch; null where it is not to be asked
   */
  RestorePoints.All find(Path markers, Callable<? extends Map<String, SnapshotState>> cluster, Duration gap) {
    var files = new ArrayList<BackupFile>();
    sources.stream().filter(source -> !source.name().equals("elasticsearch"))
        .forEach(source -> files.addAll(source.files()));
    var hasAttachments =
        sources.stream().anyMatch(source -> Set.of("files", "s3").contains(source.name()) && !source.files().isEmpty());
    missing.stream()
        .filter(note -> !hasAttachments
            || !note.startsWith(ArchiveFolders.FILES.name() + ":") && !note.startsWith(ArchiveFolders.S3.name() + ":"))
        .forEach(notes::add);
    var looked = new RestorePoints.Looked(snapshots(markers, cluster), growing(files), unreadable(files));
    return RestorePoints.of(sources, looked, gap, LocalDateTime.now());
  }

  private Snapshots snapshots(Path markers, Callable<? extends Map<String, SnapshotState>> cluster) {
    if (sources.stream().noneMatch(source -> source.name().equals("elasticsearch"))) {
      return Snapshots.NONE;
    }
    var why = new ArrayList<String>();
    var files = Optional.<Map<String, SnapshotState>>empty();
    try {
      files =
          Optional.ofNullable(Files.isDirectory(markers) ? SnapshotRepository.ofFolder(markers).orElse(null) : null);
      files.ifPresentOrElse(all -> {
      }, () -> why.add("%s holds no repository (no file index-<number>)".formatted(markers)));
    } catch (Failure e) {
      why.add(e.getMessage());
      notes.add(e.getMessage());
    }
    return new Snapshots(ask(cluster, why), files, String.join(", and ", why));
  }

  private Optional<? extends Map<String, SnapshotState>> ask(Callable<? extends Map<String, SnapshotState>> cluster,
      List<String> why) {
    try {
      return cluster == null ? Optional.empty() : Optional.of(cluster.call());
    } catch (Exception e) {
      why.add("Elasticsearch could not be asked: " + Failure.of(e).getMessage());
      notes.add("Elasticsearch could not be asked: " + Failure.of(e).getMessage());
      return Optional.empty();
    }
  }

  /** Files that grow, or that were written since this run began; only young ones are looked at twice. */
  private Set<Path> growing(List<BackupFile> files) {
    var young = new HashMap<Path, Long>();
    files.stream().filter(file -> file.changed().isAfter(started.minus(YOUNG)))
        .forEach(file -> young.put(file.file(), file.bytes()));
    var growing = new HashSet<Path>();
    if (young.isEmpty()) {
      return growing;
    }
    try {
      Thread.sleep(BETWEEN_LOOKS.toMillis());
      for (var file : young.keySet()) {
        if (Files.size(file) != young.get(file) || Files.getLastModifiedTime(file).toInstant().isAfter(started)) {
          growing.add(file);
        }
      }
    } catch (IOException | InterruptedException e) {
      notes.add("cannot look a second time at the youngest files: " + Failure.of(e).getMessage());
    }
    return growing;
  }

  private static Set<Path> unreadable(List<BackupFile> files) {
    var unreadable = new HashSet<Path>();
    files.stream().filter(file -> file.problem() == null && !Files.isReadable(file.file()))
        .forEach(file -> unreadable.add(file.file()));
    return unreadable;
  }
}

/**
 * The restore points that a listing of the backups holds. A point is a time: its archives are those that the restores
 * themselves choose for {@code --backup} with that time, so the two cannot differ.
 */
final class RestorePoints {
  /** How long an archive of a node is missed when it no longer comes. */
  private static final Duration MISSED = Duration.ofDays(7);
  private static final Set<String> ATTACHMENTS = Set.of("files", "s3");

  /**
   * The backups of a part of TheHive.
   *
   * @param name cassandra, elasticsearch, files or s3
   * @param ofNodes true if several nodes may each have an archive
   * @param files the oldest first
   */
  record Source(String name, BackupSet backups, boolean ofNodes, List<BackupFile> files) {}

  /**
   * Facts about the backups beside names and sizes.
   *
   * @param growing files that are being written
   * @param unreadable files that this user may not read
   */
  record Looked(Snapshots snapshots, Set<Path> growing, Set<Path> unreadable) {}

  /** The choice of a part: files, or one that stands in their way, or why there is none. */
  private record Choice(Source source, List<BackupFile> files, Optional<BackupFile> inTheWay, String none,
      List<String> warnings) {
    Stream<BackupFile> all() {
      return Stream.concat(files.stream(), inTheWay.stream());
    }
  }

  /** The archives that the restores choose for a time. */
  private record Selection(LocalDateTime time, List<Choice> choices) {
    Set<BackupFile> files() {
      return choices.stream().flatMap(Choice::all).collect(Collectors.toCollection(LinkedHashSet::new));
    }

    long parts() {
      return choices.stream().filter(choice -> choice.all().findAny().isPresent()).count();
    }

    Duration spread() {
      return spread(files());
    }

    static Duration spread(Collection<BackupFile> files) {
      var times = files.stream().map(BackupFile::taken).sorted().toList();
      return times.isEmpty() ? Duration.ZERO : Duration.between(times.get(0), times.get(times.size() - 1));
    }
  }

  private final List<Source> sources;
  private final Looked looked;
  private final Duration gap;
  private final LocalDateTime now;
  private final Map<LocalDateTime, Selection> selections = new HashMap<>();
  /** The selection that each file fits best into. */
  private final Map<BackupFile, Selection> homes = new LinkedHashMap<>();

  private RestorePoints(List<Source> sources, Looked looked, Duration gap, LocalDateTime now) {
    this.sources = sources;
    this.looked = looked;
    this.gap = gap;
    this.now = now;
    var times = sources.stream().flatMap(source -> source.files().stream()).filter(file -> !file.isUnfinished())
        .map(BackupFile::taken)
        .collect(Collectors.toCollection(TreeSet::new));
    sources.forEach(source -> source.files()
        .forEach(file -> times.subSet(file.taken(), true, file.taken().plus(gap), true).stream()
        .map(this::select).filter(selection -> selection.files().contains(file))
            .max(Comparator.comparing(Selection::parts).thenComparing(Selection::spread, Comparator.reverseOrder())
                .thenComparing(Selection::time))
        .ifPresent(best -> homes.put(file, best))));
  }

  /** All points, the newest first, and below them what belongs to none. */
  record All(List<RestorePoint> points, Map<String, String> others) {}

  static All of(List<Source> sources, Looked looked, Duration gap, LocalDateTime now) {
    var points = new RestorePoints(sources, looked, gap, now);
    var byTime = new TreeMap<LocalDateTime, Selection>();
    points.homes.values().forEach(selection -> byTime.put(selection.time(), selection));
    byTime.values().removeIf(selection -> points.isOfAnother(selection,
        List.copyOf(byTime.subMap(selection.time().minus(gap), selection.time().plus(gap)).values())));
    return new All(byTime.descendingMap().values().stream().map(selection -> points.point(selection, byTime)).toList(),
        points.others(byTime.values()));
  }

  private Selection select(LocalDateTime time) {
    return selections.computeIfAbsent(time,
        key -> new Selection(time, sources.stream().map(source -> choose(source, time)).toList()));
  }

  private Choice choose(Source source, LocalDateTime time) {
    var near = between(source.files(), time.minus(gap).minus(gap), time.plus(gap));
    var inTheWay = BackupSet.unusable(near, time).filter(file -> isNear(file, time));
    if (inTheWay.isPresent()) {
      return new Choice(source, List.of(), inTheWay, "", List.of());
    }
    try {
      var chosen = source.backups().choose(near, time, gap, now, source.ofNodes());
      var files = chosen.backups().stream()
          .map(backup -> near.stream().filter(file -> file.file().equals(backup.file())).findFirst().orElseThrow())
          .toList();
      return isNear(files.get(0), time) ? new Choice(source, files, Optional.empty(), "", chosen.warnings())
          : none(source, time);
    } catch (Failure e) {
      return none(source, time);
    }
  }

  private boolean isNear(BackupFile file, LocalDateTime time) {
    return !file.taken().isBefore(time.minus(gap));
  }

  /** A restore of that part alone would take an older one: it is named. */
  private static Choice none(Source source, LocalDateTime time) {
    var older = between(source.files(), LocalDateTime.MIN, time);
    return new Choice(source, List.of(), Optional.empty(), older.isEmpty() ? ""
        : " (the one before it: %s)".formatted(older.get(older.size() - 1).backup().name()), List.of());
  }

  /** The files of a time, both ends included; by halving, as there may be thousands. */
  private static List<BackupFile> between(List<BackupFile> files, LocalDateTime first, LocalDateTime last) {
    return files.subList(firstAfter(files, first, true), firstAfter(files, last, false));
  }

  private static int firstAfter(List<BackupFile> files, LocalDateTime time, boolean orAt) {
    var low = 0;
    var high = files.size();
    while (low < high) {
      var middle = (low + high) >>> 1;
      var order = files.get(middle).taken().compareTo(time);
      if (order > 0 || orAt && order == 0) {
        high = middle;
      } else {
        low = middle + 1;
      }
    }
    return low;
  }

  /**
   * True if all that is its own is an unusable archive of one node, next to usable ones of other nodes: it is named
   * there.
   */
  private boolean isOfAnother(Selection selection, List<Selection> near) {
    var own = selection.files().stream().filter(file -> homes.get(file) == selection).toList();
    return own.stream().allMatch(file -> file.problem() != null
        && near.stream().anyMatch(other -> other != selection && unusable(other).contains(file)));
  }

  /** Archives of nodes that have no other one in the selection, and cannot be used. */
  private List<BackupFile> unusable(Selection selection) {
    var unusable = new ArrayList<BackupFile>();
    var nodes = sourcesOf(selection);
    for (var choice : selection.choices()) {
      if (choice.source().ofNodes() && !choice.files().isEmpty()) {
        between(choice.source().files(), selection.time().minus(gap), selection.time()).stream()
            .filter(file -> file.problem() != null && !file.isUnfinished() && !nodes.contains(file.source()))
            .forEach(unusable::add);
      }
    }
    return unusable;
  }

  private RestorePoint point(Selection selection, NavigableMap<LocalDateTime, Selection> all) {
    var judgement = new Judgement();
    var parts = new ArrayList<RestorePoint.Part>();
    for (var choice : selection.choices()) {
      choice.inTheWay().ifPresent(file -> judgement.addUnreadable(file, file.problem()));
      choice.files().forEach(file -> parts.add(part(choice, file, selection, judgement)));
      choice.warnings().forEach(judgement.notes::add);
    }
    unusable(selection).forEach(file -> judgement.addUnreadable(file, file.problem()));
    requireParts(selection, judgement);
    requireNodes(selection, all, judgement);
    requireOneRun(selection, judgement);
    var backup = new Backup(Path.of(""), "", selection.time());
    return new RestorePoint(BackupSet.STAMP.format(selection.time()),
        selection.time().isAfter(now) ? "in the future" : backup.age(now),
        judgement.state, judgement.running, List.copyOf(judgement.reasons), List.copyOf(parts),
        List.copyOf(judgement.notes));
  }

  /** The verdict of a point while it is made: the worst reason counts. */
  private static final class Judgement {
    RestorePoint.State state = RestorePoint.State.COMPLETE;
    boolean running;
    final List<String> reasons = new ArrayList<>();
    final Set<String> notes = new LinkedHashSet<>();

    void addUnreadable(BackupFile file, String reason) {
      add(RestorePoint.State.UNREADABLE, "%s: %s".formatted(file.file(), reason));
    }

    void add(RestorePoint.State worse, String reason) {
      state = worse.compareTo(state) > 0 ? worse : state;
      reasons.add(reason);
    }
  }

  private RestorePoint.Part part(Choice choice, BackupFile file, Selection selection, Judgement judgement) {
    var before = Duration.between(file.taken(), selection.time()).toSeconds();
    if (choice.source().name().equals("elasticsearch")) {
      return snapshot(file, before, judgement);
    }
    if (looked.growing().contains(file.file())) {
      judgement.running = true;
      judgement.add(RestorePoint.State.INCOMPLETE, file.file() + " is still being written");
    } else if (looked.unreadable().contains(file.file())) {
      judgement.addUnreadable(file, "this user may not read it");
    } else if (file.bytes() == 0) {
      judgement.addUnreadable(file, "it is empty");
    }
    return new RestorePoint.Part(choice.source().name(), file.file().toString(), file.bytes(), before, null, Map.of());
  }

  private RestorePoint.Part snapshot(BackupFile marker, long before, Judgement judgement) {
    var name = marker.backup().name();
    var snapshot = looked.snapshots().of(name);
    var why = snapshot.why().isEmpty() ? "" : " (" + snapshot.why() + ")";
    if (snapshot.damaged()) {
      judgement.add(RestorePoint.State.UNREADABLE, "snapshot %s: %s".formatted(name, snapshot.why()));
    } else if (snapshot.state().equals(SnapshotState.UNKNOWN)) {
      judgement.add(RestorePoint.State.UNKNOWN,
          "the state of snapshot %s is not known: %s".formatted(name, snapshot.why()));
    } else if (snapshot.state().equals(SnapshotState.MISSING)) {
      judgement.add(RestorePoint.State.INCOMPLETE,
          "there is no snapshot %s, though its marker exists%s".formatted(name, why));
    } else if (!snapshot.state().equals(SnapshotState.SUCCESS)) {
      judgement.running |= snapshot.state().equals(SnapshotState.IN_PROGRESS);
      judgement.add(RestorePoint.State.INCOMPLETE, "snapshot %s is %s%s".formatted(name, snapshot.state(), why));
    } else if (snapshot.indices().isEmpty()) {
      judgement.add(RestorePoint.State.INCOMPLETE, "snapshot %s holds no index".formatted(name));
    }
    var indices = new TreeMap<String, Long>();
    snapshot.indices().forEach((index, bytes) -> indices.put(index, bytes < 0 ? null : bytes));
    return new RestorePoint.Part("elasticsearch", name, snapshot.bytes() < 0 ? null : snapshot.bytes(), before,
        snapshot.state(), indices);
  }

  /** Both databases, and the attachments in one of their two stores. */
  private void requireParts(Selection selection, Judgement judgement) {
    var hasAttachments = selection.choices().stream()
        .anyMatch(choice -> ATTACHMENTS.contains(choice.source().name()) && choice.all().findAny().isPresent());
    var noAttachments =
        selection.choices().stream().filter(choice -> ATTACHMENTS.contains(choice.source().name())).toList();
    selection.choices().stream()
        .filter(choice -> !ATTACHMENTS.contains(choice.source().name()) && choice.all().findAny().isEmpty())
        .forEach(choice -> judgement.add(RestorePoint.State.INCOMPLETE,
            "no backup of %s%s".formatted(choice.source().name(), choice.none())));
    if (!hasAttachments && !noAttachments.isEmpty()) {
      judgement.add(RestorePoint.State.INCOMPLETE,
          "no backup of the attachments" + noAttachments.stream().map(Choice::none).collect(Collectors.joining()));
    }
    for (var source : sources) {
      between(source.files(), selection.time().minus(gap), selection.time().plus(gap)).stream()
          .filter(BackupFile::isUnfinished).forEach(file -> {
        judgement.running = true;
        judgement.notes.add("%s is passed over: %s".formatted(file.file(), file.problem()));
      });
    }
  }

  /** A node that had an archive in the days before and has none now is missed. */
  private void requireNodes(Selection selection, NavigableMap<LocalDateTime, Selection> all, Judgement judgement) {
    var nodes = sourcesOf(selection);
    if (nodes.isEmpty()) {
      return;
    }
    var before = all.subMap(selection.time().minus(MISSED), selection.time()).values().stream()
        .map(RestorePoints::sourcesOf).toList();
    var unusable = unusable(selection).stream().map(BackupFile::source).collect(Collectors.toSet());
    var missed = before.stream().flatMap(List::stream).distinct()
        .filter(node -> !nodes.contains(node) && !unusable.contains(node)).sorted().toList();
    var most = before.stream().mapToInt(List::size).max().orElse(0);
    if (!missed.isEmpty()) {
      judgement.add(RestorePoint.State.INCOMPLETE,
          "no archive of Cassandra from %s".formatted(String.join(", ", missed)));
    } else if (nodes.size() + unusable.size() < most) {
      judgement.add(RestorePoint.State.INCOMPLETE, "%s of Cassandra, %d before".formatted(
          Count.of(nodes.size(), "archive"), most));
    }
  }

  private static List<String> sourcesOf(Selection selection) {
    return selection.choices().stream().filter(choice -> choice.source().ofNodes())
        .flatMap(choice -> choice.files().stream())
        .map(BackupFile::source).toList();
  }

  /** The restore refuses databases that were taken too far apart; one that is another run's is not this one's. */
  private void requireOneRun(Selection selection, Judgement judgement) {
    var databases = selection.choices().stream().filter(choice -> !ATTACHMENTS.contains(choice.source().name()))
        .flatMap(choice -> choice.files().stream()).toList();
    var apart = Selection.spread(databases);
    if (apart.compareTo(gap) > 0) {
      judgement.add(RestorePoint.State.INCOMPLETE,
          "the backups of the databases were taken %s apart".formatted(shown(apart.toSeconds())));
    }
    for (var choice : selection.choices()) {
      choice.files().stream().filter(file -> homes.get(file) != selection).findFirst()
          .ifPresent(file -> judgement.add(RestorePoint.State.INCOMPLETE,
              "no backup of %s of its own: %s is of %s".formatted(choice.source().name(), file.backup().name(),
                  BackupSet.STAMP.format(homes.get(file).time()))));
    }
  }

  private Map<String, String> others(Collection<Selection> selections) {
    var taken = selections.stream()
        .flatMap(selection -> Stream.concat(selection.files().stream(), unusable(selection).stream()))
        .collect(Collectors.toCollection(HashSet::new));
    var others = new TreeMap<String, String>();
    for (var source : sources) {
      source.files().stream().filter(file -> !taken.contains(file)).forEach(file -> others.put(file.file().toString(),
          file.problem() != null ? file.problem() : "another one of the same time or node is taken"));
    }
    var markers = sources.stream().filter(source -> source.name().equals("elasticsearch"))
        .flatMap(source -> source.files().stream())
        .map(file -> file.backup().name()).collect(Collectors.toSet());
    if (sources.stream().anyMatch(source -> source.name().equals("elasticsearch"))) {
      looked.snapshots().names().stream().filter(name -> !markers.contains(name))
          .forEach(name -> others.put("snapshot " + name,
              "it is %s and has no marker %s.info: no restore finds it".formatted(looked.snapshots().of(name).state(),
                  name)));
    }
    return others;
  }

  /** A time in words. */
  static String shown(long seconds) {
    return seconds < 120 ? seconds + " s" : seconds < 7200 ? seconds / 60 + " min"
        : seconds < 172_800 ? seconds / 3600 + " h" : seconds / 86_400 + " days";
  }
}

/**
 * The report of a restore, as {@link RestoreRun} wrote it.
 *
 * @param release of the script; empty in reports of earlier releases
 * @param waited seconds in which the administrator was asked
 * @param steps empty in reports of earlier releases
 */
record RestoreReport(Path file, String script, String release, Instant started, double seconds, double waited, int exit,
    List<Part> parts, List<StepTimes.Step> steps) {
  /** How a day and a time are shown to a person. */
  static final DateTimeFormatter TIME = DateTimeFormatter.ofPattern("d MMM yyyy HH:mm", Locale.ENGLISH);

  /**
   * A part that was restored.
   *
   * @param name cassandra, elasticsearch, files or s3
   * @param target what was overwritten
   * @param version of the server; empty where it is not known
   * @param archives paths, or the name of a snapshot
   * @param bytes that were restored; 0 where they are not known
   * @param items its tables or indices, or one for all files
   * @param leftOut what was left out or could not be done
   * @param error why it failed; empty where it did not
   */
  record Part(String name, String target, String version, List<String> archives, long bytes, List<Item> items,
      List<String> leftOut, String error) {}

  /**
   * A table, an index, or the files of a store.
   *
   * @param bytes 0 where they are not known
   * @param count how many it holds, in words; empty where that is not known
   */
  record Item(String name, long bytes, String count) {}

  static RestoreReport of(RunReports.Report report) {
    var json = report.content();
    var script = json.path("script").asText();
    var parts = switch (script) {
      case "restore-cassandra-es" -> Stream.of("cassandra", "elasticsearch").filter(json::has)
          .map(name -> name.equals("cassandra") ? cassandra(json) : elasticsearch(json)).toList();
      case "restore-files-nfs" -> List.of(files(json));
      default -> List.of(s3(json));
    };
    return new RestoreReport(report.file(), script, json.path("release").asText(),
        Instant.parse(json.path("started").asText()), json.path("seconds").asDouble(), json.path("waited").asDouble(),
        json.path("exit").asInt(), parts, steps(json));
  }

  Optional<Part> part(String name) {
    return parts.stream().filter(part -> part.name().equals(name)).findFirst();
  }

  /** How long a part was restored; of a report without steps, the whole run. */
  double seconds(String part) {
    return steps.isEmpty() ? seconds : StepTimes.seconds(steps, part);
  }

  /** How long an item took; 0 where that is not known. */
  double seconds(String part, Item item) {
    return steps.stream()
        .filter(step -> step.bytes() > 0 && step.part().equals(part) && step.step().endsWith(" " + item.name()))
        .mapToLong(StepTimes.Step::millis).sum() / 1000.0;
  }

  private static Part cassandra(JsonNode report) {
    var json = report.path("cassandra");
    var tables = json.path("tables").valueStream().map(table -> new Item(table.path("name").asText(),
        table.path("bytes").asLong(), "SSTables: " + table.path("sstables").asInt())).toList();
    var archives = texts(json.path("archives"));
    return new Part("cassandra", "keyspace %s of cluster %s".formatted(json.path("keyspace").asText(),
        json.path("cluster").asText()), version("Cassandra", json.path("version").asText()),
        archives.isEmpty() ? List.of(json.path("archive").asText()) : archives,
        tables.stream().mapToLong(Item::bytes).sum(), tables, List.of(), error(report, "cassandra"));
  }

  private static Part elasticsearch(JsonNode report) {
    var json = report.path("elasticsearch");
    var indices = json.path("indices").valueStream().map(JsonNode::asText)
        .map(name -> new Item(name, json.path("bytesOf").path(name).asLong(),
        json.path("documentsOf").has(name) ? Count.of(json.path("documentsOf").path(name).asLong(), "document")
            : "")).toList();
    var leftOut = new ArrayList<String>();
    texts(json.path("leftOut")).forEach(name -> leftOut.add("index %s: --index does not name it".formatted(name)));
    texts(json.path("system")).forEach(name -> leftOut.add("index %s: it is Elasticsearch's own".formatted(name)));
    texts(json.path("stays")).forEach(name -> leftOut.add("live index %s stays: the snapshot does not have it"
        .formatted(name)));
    leftOut.addAll(texts(json.path("notAsInTheSnapshot")));
    return new Part("elasticsearch", "cluster %s at %s".formatted(json.path("cluster").asText(),
        json.path("url").asText()), version(json.path("distribution").asText("Elasticsearch"),
            String.join(" and ", texts(json.path("versions")))),
        List.of(json.path("backup").asText()), json.path("bytes").asLong(), indices, leftOut,
        error(report, "elasticsearch"));
  }

  private static Part files(JsonNode json) {
    var notSet = json.path("notSet").properties().stream().map(what -> "the %s of %s could not be set"
        .formatted(what.getKey(), Count.of(what.getValue().asInt(), "file or folder", "files and folders"))).toList();
    return new Part("files", json.path("folder").asText(), json.path("fileSystem").asText(),
        Stream.of(json.path("backup").asText()).filter(text -> !text.isEmpty()).toList(), json.path("bytes").asLong(),
        json.has("files") ? List.of(new Item("all files", json.path("bytes").asLong(),
            Count.of(json.path("files").asLong(), "file"))) : List.of(),
        notSet, error(json, "files"));
  }

  private static Part s3(JsonNode json) {
    var leftOut = new ArrayList<String>();
    if (json.path("keptExtra").asBoolean()) {
      leftOut.add("%s in the bucket, but not in the backup: --keep-extra"
          .formatted(Count.of(json.path("extra").asInt(), "object")));
    }
    json.path("failed").forEachEntry((key, reason) -> leftOut.add("object %s: %s".formatted(key, reason.asText())));
    return new Part("s3", "bucket %s at %s".formatted(json.path("bucket").asText(), json.path("endpoint").asText()), "",
        Stream.of(json.path("backup").asText()).filter(text -> !text.isEmpty()).toList(),
        json.path("bytesSent").asLong(),
        List.of(new Item("objects that were sent", json.path("bytesSent").asLong(),
            "%,d new, %,d changed; %,d were unchanged".formatted(json.path("new").asLong(),
                json.path("changed").asLong(), json.path("unchanged").asLong()))),
        leftOut, error(json, "s3"));
  }

  private static String version(String product, String version) {
    return version.isEmpty() ? "" : product + " " + version;
  }

  /** The error of a part; where the report does not tell which part failed, it is each one's. */
  private static String error(JsonNode report, String part) {
    if (report.path("exit").asInt() == Exit.DONE) {
      return "";
    }
    var failures = report.path("failures");
    return failures.isObject() ? failures.path(part).asText()
        : report.path("error").asText(texts(report.path("errors")).stream()
            .collect(Collectors.collectingAndThen(Collectors.joining("; "), all -> all.isEmpty()
            ? "exit " + report.path("exit").asInt() : all)));
  }

  private static List<StepTimes.Step> steps(JsonNode report) {
    return report.path("steps").valueStream().map(step -> new StepTimes.Step(step.path("part").asText(),
        step.path("step").asText(), step.path("startMillis").asLong(), step.path("millis").asLong(),
        step.path("bytes").asLong())).toList();
  }

  private static List<String> texts(JsonNode list) {
    return list.valueStream().map(JsonNode::asText).toList();
  }
}

/**
 * The lock, the marker of an unfinished restore and the report, beside the archives or in RESTORE_STATE_PATH. The
 * marker stands from the first change to the success; while it stands, TheHive must not be started.
 */
final class RestoreRun implements Closeable {
  private final Path folder;
  private final String script;
  private final Path marker;
  private final FileChannel lock;
  private final Instant started = Instant.now();

  /** The times of the run's steps: they go into the report. */
  final StepTimes steps = new StepTimes(started);

  RestoreRun(Path folder, String script, boolean dryRun) {
    this.folder = folder;
    this.script = script;
    this.marker = folder.resolve(script + ".unfinished");
    this.lock = dryRun && !Files.isWritable(folder) ? null : lock(folder.resolve("." + script + ".lock"));
  }

  Path folder() {
    return folder;
  }

  String script() {
    return script;
  }

  private static FileChannel lock(Path file) {
    try {
      var lock = FileChannel.open(file, StandardOpenOption.CREATE, StandardOpenOption.WRITE);
      if (lock.tryLock() == null) {
        throw new Failure(Exit.UNSAFE, "another restore is running: %s is locked".formatted(file), "wait for its end");
      }
      return lock;
    } catch (IOException e) {
      throw notWritable(file.getParent(), Failure.of(e).getMessage(), e);
    }
  }

  private static Failure notWritable(Path folder, String reason, Throwable cause) {
    return new Failure(Exit.UNSAFE, "cannot write to %s: %s".formatted(folder, reason),
        "lock, marker and report are kept there: make it writable, make room, or name another folder with"
            + " RESTORE_STATE_PATH",
        cause);
  }

  /** Tells in a dry run, which writes nothing there, why a real run could not begin. */
  Optional<Failure> problem() {
    return lock != null ? Optional.empty()
        : Optional.of(notWritable(folder, Files.isDirectory(folder) ? "access denied" : "no such folder", null));
  }

  /** The notes that an interrupted run left for this one; empty when there was none. */
  JsonNode unfinished() {
    try {
      if (!Files.exists(marker)) {
        return Json.MAPPER.createObjectNode();
      }
      var left = Json.MAPPER.readTree(marker.toFile());
      if (!left.isObject()) {
        throw unreadable(
            Files.size(marker) == 0 ? "it is empty, as a full disk leaves it" : "it is not a marker of these scripts",
            null);
      }
      return left;
    } catch (JsonProcessingException e) {
      throw unreadable("it is not whole", e);
    } catch (IOException e) {
      throw unreadable(Failure.of(e).getMessage(), e);
    }
  }

  private Failure unreadable(String reason, Throwable cause) {
    return new Failure(Exit.UNSAFE,
        "cannot read %s: %s. A restore was begun and may be unfinished".formatted(marker, reason),
        "keep TheHive stopped, remove that file, and run the same restore again to its end", cause);
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
    var report = Json.MAPPER.createObjectNode().put("script", script).put("release", Release.VERSION)
        .put("started", started.toString()).put("seconds", Duration.between(started, Instant.now()).toMillis() / 1000.0)
        .put("waited", steps.waited()).put("exit", code);
    what.forEach((name, value) -> report.set(name, Json.MAPPER.valueToTree(value)));
    report.set("steps", Json.MAPPER.valueToTree(steps.list()));
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
    try {
      write(file, temporary, what);
    } catch (FileSystemException e) {
      throw notWritable(file.getParent(), Failure.of(e).getMessage(), e);
    } catch (IOException e) {
      throw notWritable(file.getParent(), e.getMessage(), e); // the kernel's error of a write has no name
    } finally {
      Files.deleteIfExists(temporary);
    }
  }

  private static void write(Path file, Path temporary, Object what) throws IOException {
    try (var out = FileChannel.open(temporary, StandardOpenOption.CREATE, StandardOpenOption.WRITE,
        StandardOpenOption.TRUNCATE_EXISTING)) {
      // a disk that becomes full takes a part first: the channel itself would leave it at that
      Channels.newOutputStream(out).write(Json.MAPPER.writeValueAsBytes(what));
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

/** The reports that the restore scripts left beside the archives, or in RESTORE_STATE_PATH. */
final class RunReports {
  private RunReports() {}

  /** A report and its file. */
  record Report(Path file, JsonNode content) {}

  /** The newest report of a script that fits. */
  static Optional<Report> newest(Path folder, String script, Predicate<JsonNode> fits) throws IOException {
    var byName = new TreeMap<String, Report>();
    try (var files = Files.newDirectoryStream(folder, script + "_*.json")) {
      for (var file : files) {
        read(file).ifPresent(report -> byName.put(file.toString(), report));
      }
    } catch (NoSuchFileException e) {
      return Optional.empty();
    }
    return byName.descendingMap().values().stream().filter(report -> fits.test(report.content())).findFirst();
  }

  /** A full disk leaves reports that are not whole: they say nothing. */
  private static Optional<Report> read(Path file) throws IOException {
    try {
      return Optional.of(new Report(file, Json.MAPPER.readTree(file.toFile())));
    } catch (JsonProcessingException e) {
      return Optional.empty();
    }
  }
}

/**
 * The settings of one run. A variable wins over TheHive's own configuration file, which wins over the default of the
 * documented procedure.
 */
final class Settings {
  static final Variable CONFIG = Variable.optional("THEHIVE_CONFIG");
  private static final int COLUMNS = 79;
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
      throw new Failure(Exit.USAGE,
          "cannot read TheHive's configuration %s, which THEHIVE_CONFIG names".formatted(file),
          "check its path, owner and mode");
    }
    return new Settings(System.getenv(), TheHiveConfig.read(file), file.toString());
  }

  /** True if a variable or TheHive's configuration names it: only a default is not. */
  boolean isSet(Variable variable) {
    return isVariable(variable) || configured.containsKey(variable.name());
  }

  private boolean isVariable(Variable variable) {
    return environment.containsKey(variable.name())
        || variable.secret() && environment.containsKey(variable.name() + "_FILE");
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
    return optional(variable)
        .orElseThrow(() -> new Failure(Exit.USAGE, variable.name() + " is not set", "give it a value"));
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
      throw new Failure(Exit.USAGE, "%s '%s' is not a path: %s".formatted(variable.name(), value, e.getReason()),
          "give it a path");
    }
  }

  boolean flag(Variable variable) {
    var value = optional(variable).orElse("false");
    if (!value.matches("(?i)true|false")) {
      throw new Failure(Exit.USAGE, "%s is '%s'".formatted(variable.name(), value), "set it to true or false");
    }
    return Boolean.parseBoolean(value);
  }

  /**
   * A secret from its variable, or from the file that the variable with {@code _FILE} names, without its last line
   * break.
   */
  Optional<String> secret(Variable variable) {
    var value = Optional.ofNullable(environment.get(variable.name()));
    var file = optional(Variable.optional(variable.name() + "_FILE"));
    if (value.isPresent() && file.isPresent()) {
      throw new Failure(Exit.USAGE, "%s and %s_FILE are both set".formatted(variable.name(), variable.name()),
          "unset one of them");
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
      throw new Failure(Exit.USAGE,
          "cannot read %s, which %s names: %s".formatted(file, name, Failure.of(e).getMessage()),
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

  /** Refuses what an editor on Windows, or a shell that keeps quotes, leaves in a value. */
  private static void requireClean(String name, String value) {
    requireNotBlank(name, value);
    if (value.startsWith(BYTE_ORDER_MARK)) {
      throw new Failure(Exit.USAGE, name + " begins with a byte order mark",
          "save the file it comes from as UTF-8 without a byte order mark");
    }
    if (value.endsWith("\r")) {
      throw new Failure(Exit.USAGE, name + " ends with a carriage return",
          "the file it comes from was edited on Windows: dos2unix mends it");
    }
    if (value.length() > 1 && value.matches("(?s)([\"']).*\\1")) {
      throw new Failure(Exit.USAGE, "%s has quotes around its value: %s".formatted(name, value),
          "leave out the quotes");
    }
  }

  /**
   * The documentation shows a password in CASSANDRA_CONNECTION; URLs may hold one, too, with any character in it, and
   * in front of a host without a scheme.
   */
  static String withoutSecrets(String value) {
    return value.replaceAll("(\\s|^)(-p|--password)(\\s*=?\\s*).+", "$1$2 (not shown)")
        .replaceAll("://.*@", "://(not shown)@").replaceFirst("^[^\\s/@]+:\\S*@", "(not shown)@");
  }

  /**
   * Lines for the help: the variables that have a value, by where it comes from, then the others. Where the values
   * would make it longer than one screen, only names.
   */
  List<String> describe(List<Variable> variables) {
    var lines = describe(variables, true);
    var longest = new Settings(Map.of()).describe(variables, true).size();
    return lines.size() <= longest + 1 && lines.stream().allMatch(line -> line.length() <= COLUMNS) ? lines
        : describe(variables, false);
  }

  private List<String> describe(List<Variable> variables, boolean values) {
    var lines = new ArrayList<String>();
    for (var origin : variables.stream().filter(this::isSet).map(this::origin).distinct().toList()) {
      var ofIt = variables.stream().filter(this::isSet).filter(one -> origin(one).equals(origin)).toList();
      var first = (origin.equals("set") ? "Set" : "From " + origin)
          + (values ? ":" : " (verify.java settings shows it):");
      lines.addAll(wrapped(first, values ? ofIt.stream().map(one -> one.name() + "=" + shown(one)).toList()
          : shortened(ofIt.stream().map(Variable::name).toList())));
    }
    var defaults = variables.stream().filter(variable -> !isSet(variable) && !variable.fallback().isEmpty())
        .map(variable -> variable.name() + "=" + variable.fallback()).toList();
    if (!defaults.isEmpty()) {
      lines.addAll(wrapped("Defaults:", defaults));
    }
    var unset = variables.stream().filter(variable -> !isSet(variable) && variable.fallback().isEmpty()).toList();
    if (!unset.isEmpty()) {
      lines.addAll(wrapped("Not set:", shortened(unset.stream().map(Variable::name).toList())));
    }
    return lines;
  }

  /** CASSANDRA_USER CASSANDRA_PASSWORD is CASSANDRA_USER _PASSWORD: a help has 40 lines. */
  private static List<String> shortened(List<String> names) {
    var lines = new ArrayList<String>();
    var before = "";
    for (var name : names) {
      var family = name.replaceFirst("_.*", "_");
      lines.add(family.equals(before) ? name.substring(family.length() - 1) : name);
      before = family;
    }
    return lines;
  }

  /** The words in lines that a terminal of 80 columns shows whole. */
  private static List<String> wrapped(String first, List<String> words) {
    var lines = new ArrayList<String>();
    var line = new StringBuilder("  ").append(first);
    for (var word : words) {
      if (line.length() + word.length() + 1 > COLUMNS) {
        lines.add(line.toString());
        line = new StringBuilder("   ");
      }
      line.append(' ').append(word);
    }
    lines.add(line.toString());
    return lines;
  }

  /** Its value without secrets; empty where it has none. */
  String shown(Variable variable) {
    return isSet(variable) && variable.secret() ? "(not shown)"
        : withoutSecrets(
            environment.getOrDefault(variable.name(), configured.getOrDefault(variable.name(), variable.fallback())));
  }

  String origin(Variable variable) {
    return isVariable(variable) ? "set" : configured.containsKey(variable.name()) ? configFile : "default";
  }

  /** A line for each that has a value: for the plan, where a variable of another site must show. */
  List<String> sources(List<Variable> variables) {
    return variables.stream().filter(variable -> !shown(variable).isEmpty())
        .map(variable -> "%s %s (%s)".formatted(variable.name(), shown(variable), source(variable))).toList();
  }

  /** The source of the value: the variable, a file, the default, or nowhere. */
  String source(Variable variable) {
    if (environment.containsKey(variable.name())) {
      return "variable";
    }
    var file = variable.secret() ? environment.get(variable.name() + "_FILE") : null;
    return file != null ? "%s, named by %s_FILE".formatted(file, variable.name())
        : configured.containsKey(variable.name()) ? configFile : variable.fallback().isEmpty() ? "not set" : "default";
  }

  /** Warnings: a variable that contradicts TheHive's configuration, and one whose name is almost that of a setting. */
  List<String> warnings(List<Variable> variables) {
    var warnings = new ArrayList<String>();
    for (var variable : variables) {
      var configuredValue = configured.get(variable.name());
      var value = environment.get(variable.name());
      if (configuredValue != null && value != null && !value.equals(configuredValue)) {
        warnings.add(variable.secret() ? "%s is not what %s says".formatted(variable.name(), configFile)
            : "%s is %s, but %s says %s".formatted(variable.name(), withoutSecrets(value), configFile,
                withoutSecrets(configuredValue)));
      }
    }
    var names =
        variables.stream().flatMap(variable -> variable.secret() ? Stream.of(variable.name(), variable.name() + "_FILE")
        : Stream.of(variable.name())).toList();
    variables.stream().filter(Variable::secret)
        .forEach(variable -> leftovers(variable.name()).ifPresent(warnings::add));
    for (var name : new TreeSet<>(environment.keySet())) {
      if (name.startsWith(BYTE_ORDER_MARK)) {
        warnings.add(
            ("the name %s begins with a byte order mark, so nothing reads it: save the file it comes from as UTF-8"
                + " without one").formatted(name.substring(1)));
        continue;
      }
      names.stream().filter(known -> !names.contains(name) && isAlmost(name, known)).findFirst()
          .ifPresent(known -> warnings.add("%s is set, but nothing reads it: is %s meant?".formatted(name, known)));
    }
    return warnings;
  }

  /** Tells what an editor or a shell may have left in a secret: it is taken as it stands, for it may be meant. */
  private Optional<String> leftovers(String name) {
    var value = environment.getOrDefault(name, "");
    var found = value.startsWith(BYTE_ORDER_MARK) ? "begins with a byte order mark"
        : value.endsWith("\r") ? "ends with a carriage return"
        : value.length() > 1 && value.matches("(?s)([\"']).*\\1") ? "has quotes around its value" : "";
    return found.isEmpty() ? Optional.empty() : Optional.of("%s %s, which counts as part of it".formatted(name, found));
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
          || one.length() > 1 && one.charAt(0) == other.charAt(1) && one.charAt(1) == other.charAt(0)
              && one.substring(2).equals(other.substring(2));
    }
    return one.length() > other.length() ? one.substring(1).equals(other) : other.substring(1).equals(one);
  }
}

/**
 * A {@code snap-<uuid>.dat} of a snapshot repository: Lucene's header (magic, name, version), SMILE or JSON, perhaps
 * deflated behind {@code DFL\0}, and Lucene's footer (magic, algorithm, CRC32 of all before it).
 */
final class SnapshotFile {
  private static final int HEADER = 0x3fd76c17;
  private static final int FOOTER = ~HEADER;
  private static final int FOOTER_BYTES = 16;
  private static final byte[] DEFLATED = {'D', 'F', 'L', 0};
  private static final SmileMapper SMILE = new SmileMapper();

  private SnapshotFile() {}

  /**
   * Returns what the file says; nothing ({@link JsonNode#isMissingNode}) where its form is not known.
   *
   * @throws IOException with the reason in a few words if it is damaged
   */
  static JsonNode read(byte[] file) throws IOException {
    try {
      return content(ByteBuffer.wrap(file));
    } catch (BufferUnderflowException | IllegalArgumentException e) {
      throw new IOException("it is cut short");
    }
  }

  private static JsonNode content(ByteBuffer file) throws IOException {
    if (file.remaining() < FOOTER_BYTES) {
      throw new IOException(file.hasRemaining() ? "it is cut short" : "it is empty");
    }
    if (file.getInt() != HEADER) {
      return MissingNode.getInstance();
    }
    file.position(file.position() + 1 + file.get(file.position()) + Integer.BYTES); // name with its length, and version
    requireFooter(file);
    var content = new byte[file.limit() - FOOTER_BYTES - file.position()];
    file.get(content);
    return parse(content);
  }

  private static void requireFooter(ByteBuffer file) throws IOException {
    var end = file.limit() - FOOTER_BYTES;
    if (end < file.position() || file.getInt(end) != FOOTER) {
      throw new IOException("it is cut short");
    }
    var sum = new CRC32();
    sum.update(file.array(), 0, file.limit() - Long.BYTES);
    if (file.getLong(file.limit() - Long.BYTES) != sum.getValue()) {
      throw new IOException("its checksum does not fit");
    }
  }

  private static JsonNode parse(byte[] content) throws IOException {
    var starts = new String(content, 0, Math.min(DEFLATED.length, content.length), StandardCharsets.ISO_8859_1);
    if (starts.equals(new String(DEFLATED, StandardCharsets.ISO_8859_1))) {
      try (var inflated = inflated(content)) {
        return parse(inflated.readAllBytes());
      }
    }
    if (starts.startsWith(":)\n")) {
      return SMILE.readTree(content);
    }
    if (starts.startsWith("{")) {
      return Json.MAPPER.readTree(content);
    }
    return MissingNode.getInstance();
  }

  private static InputStream inflated(byte[] content) {
    return new InflaterInputStream(new ByteArrayInputStream(content, DEFLATED.length, content.length - DEFLATED.length),
        new Inflater(true));
  }
}

/**
 * The snapshots of a repository of type {@code fs}, read from its files: {@code index-<N>} names all snapshots that
 * came to their end, {@code snap-<uuid>.dat} tells more of one. Nothing of the data is read.
 */
final class SnapshotRepository {
  private static final Pattern INDEX = Pattern.compile("index-(\\d{1,18})");
  /** The states in the order of their numbers in the repository's index. */
  private static final List<String> STATES =
      List.of(SnapshotState.IN_PROGRESS, SnapshotState.SUCCESS, "FAILED", "PARTIAL", "INCOMPATIBLE");
  /** So many of the newest snapshots are asked for their sizes: each is a file or more. */
  private static final int SIZED = 50;

  private SnapshotRepository() {}

  /**
   * All snapshots by name, from the files in the folder; empty if the folder holds no repository.
   *
   * @throws Failure if the repository's index cannot be read
   */
  static Optional<SortedMap<String, SnapshotState>> ofFolder(Path folder) {
    try {
      var names = names(folder);
      return index(folder, names).map(index -> ofIndex(folder, index, names));
    } catch (IOException e) {
      throw new Failure(Exit.BAD_BACKUP, "cannot list %s: %s".formatted(folder, Failure.of(e).getMessage()),
          "check its mode and owner", e);
    }
  }

  /** The file that names all snapshots: the one with the highest number; empty if there is none. */
  static Optional<Path> index(Path folder, Set<String> names) {
    return names.stream().map(INDEX::matcher).filter(match -> match.matches())
        .map(match -> Long.parseLong(match.group(1))).max(Long::compare)
        .map(number -> folder.resolve("index-" + number));
  }

  static Set<String> names(Path folder) throws IOException {
    try (var files = Files.list(folder)) {
      return files.map(file -> file.getFileName().toString()).collect(Collectors.toSet());
    }
  }

  private static SortedMap<String, SnapshotState> ofIndex(Path folder, Path index, Set<String> names) {
    try {
      var content = Json.MAPPER.readTree(index.toFile());
      if (!content.path("snapshots").isArray()) {
        throw new IOException("it has no list of snapshots");
      }
      var states = ofIndex(content, names);
      states.values().stream().sorted((one, other) -> other.name().compareTo(one.name())).limit(SIZED).toList()
          .forEach(state -> states.put(state.name(), sized(state, folder, content)));
      return states;
    } catch (IOException e) {
      throw new Failure(Exit.BAD_BACKUP,
          "cannot read %s, the repository's index: %s".formatted(index, Failure.of(e).getMessage()),
          "the snapshots in it cannot be restored: is another copy of the repository there?", e);
    }
  }

  /**
   * All snapshots by name, as the repository's index and the names of its files tell.
   *
   * @param names the files in the repository's folder
   */
  static SortedMap<String, SnapshotState> ofIndex(JsonNode index, Set<String> names) {
    var indices = new HashMap<String, SortedMap<String, Long>>();
    index.path("indices").propertyStream().forEach(one -> one.getValue().path("snapshots").forEach(uuid ->
        indices.computeIfAbsent(uuid.asText(), key -> new TreeMap<>()).put(one.getKey(), -1L)));
    var states = new TreeMap<String, SnapshotState>();
    for (var snapshot : index.path("snapshots")) {
      var uuid = snapshot.path("uuid").asText();
      var lost = List.of("snap-" + uuid + ".dat", "meta-" + uuid + ".dat").stream()
          .filter(file -> !names.contains(file)).toList();
      var number = snapshot.path("state").asInt(-1);
      var state = number >= 0 && number < STATES.size() ? STATES.get(number) : SnapshotState.UNKNOWN;
      states.put(snapshot.path("name").asText(), new SnapshotState(snapshot.path("name").asText(), uuid, state,
          lost.isEmpty() ? state.equals(SnapshotState.UNKNOWN) ? "the repository's index does not tell" : ""
              : "its file %s is missing".formatted(lost.get(0)),
          !lost.isEmpty(), indices.getOrDefault(uuid, new TreeMap<>())));
    }
    return states;
  }

  /** The snapshot with the sizes of its indices, and with its state where the repository's index has none. */
  private static SnapshotState sized(SnapshotState snapshot, Path folder, JsonNode index) {
    var file = "snap-" + snapshot.uuid() + ".dat";
    if (snapshot.damaged()) {
      return snapshot;
    }
    try {
      var content = read(folder.resolve(file)).path("snapshot");
      var sizes = new TreeMap<>(snapshot.indices());
      for (var name : snapshot.indices().keySet()) {
        var details = content.path("index_details").path(name);
        sizes.put(name, details.path("shard_count").asInt() > 0 ? details.path("size_in_bytes").asLong(-1)
            : bytes(folder.resolve("indices").resolve(index.path("indices").path(name).path("id").asText()), file));
      }
      var state = snapshot.state().equals(SnapshotState.UNKNOWN) ? content.path("state").asText(SnapshotState.UNKNOWN)
          : snapshot.state();
      return new SnapshotState(snapshot.name(), snapshot.uuid(), state, !state.equals(SnapshotState.UNKNOWN) ? ""
          : "the repository's index does not tell, and the form of %s is not known".formatted(file), false, sizes);
    } catch (IOException e) {
      var damaged = snapshot.state().equals(SnapshotState.SUCCESS); // a failed shard has no file
      return new SnapshotState(snapshot.name(), snapshot.uuid(), snapshot.state(),
          "cannot read " + Failure.of(e).getMessage(), damaged, snapshot.indices());
    }
  }

  /** Bytes of an index's shards, -1 where a shard's file does not tell. */
  private static long bytes(Path index, String file) throws IOException {
    try (var shards = Files.newDirectoryStream(index, "[0-9]*")) {
      var bytes = 0L;
      for (var shard : shards) {
        var files = read(shard.resolve(file)).path("files");
        bytes += files.isArray() ? files.valueStream().mapToLong(one -> one.path("length").asLong()).sum()
            : Long.MIN_VALUE / 1024;
      }
      return bytes < 0 ? -1 : bytes;
    }
  }

  private static JsonNode read(Path file) throws IOException {
    var bytes = Files.readAllBytes(file);
    try {
      return SnapshotFile.read(bytes);
    } catch (IOException e) {
      throw new IOException(file + ": " + Failure.of(e).getMessage(), e);
    }
  }
}

/**
 * A snapshot, as its repository tells of it.
 *
 * @param uuid part of the names of its files; empty where it has none
 * @param state SUCCESS, PARTIAL, FAILED, IN_PROGRESS, MISSING or UNKNOWN
 * @param why what else is to be said: why the state is not known, or which file is damaged; empty mostly
 * @param damaged true if a file of the snapshot is missing or cannot be read
 * @param indices the snapshot's indices with their bytes, -1 where these are not known
 */
record SnapshotState(String name, String uuid, String state, String why, boolean damaged,
    SortedMap<String, Long> indices) {
  static final String SUCCESS = "SUCCESS";
  static final String IN_PROGRESS = "IN_PROGRESS";
  static final String MISSING = "MISSING";
  static final String UNKNOWN = "UNKNOWN";

  /** Its bytes, -1 where those of an index are not known. */
  long bytes() {
    return indices.isEmpty() || indices.containsValue(-1L) ? -1
        : indices.values().stream().mapToLong(Long::longValue).sum();
  }
}

/**
 * The snapshots that the markers name: as Elasticsearch tells, and as the repository's files tell.
 *
 * @param cluster by name; empty where Elasticsearch could not be asked
 * @param files by name; empty where the folder of the markers holds no repository that can be read
 * @param why none of the two tells, or one of them does not; empty if both do
 */
record Snapshots(Optional<? extends Map<String, SnapshotState>> cluster,
    Optional<? extends Map<String, SnapshotState>> files, String why) {
  static final Snapshots NONE = new Snapshots(Optional.empty(), Optional.empty(), "nobody was asked");

  /** Elasticsearch knows which of them there are and run; the files know sizes, and which of them is missing. */
  SnapshotState of(String name) {
    var file = files.map(all -> all.get(name));
    var state = cluster.map(all -> all.get(name));
    if (state.isPresent()) {
      return file.isEmpty() ? state.get()
          : new SnapshotState(name, file.get().uuid(), state.get().state(), file.get().why(), file.get().damaged(),
          file.get().indices());
    }
    if (cluster.isPresent()) {
      return none(name, SnapshotState.MISSING, file.isEmpty() ? ""
          : "its files are beside the marker, but Elasticsearch does not have it: is the repository registered at"
              + " that folder?");
    }
    return file.orElseGet(() -> files.isPresent()
        ? none(name, SnapshotState.MISSING, "or it is still being taken: only Elasticsearch can tell")
        : none(name, SnapshotState.UNKNOWN, why));
  }

  private static SnapshotState none(String name, String state, String why) {
    return new SnapshotState(name, "", state, why, false, new TreeMap<>());
  }

  SortedSet<String> names() {
    var names = new TreeSet<String>();
    cluster.ifPresent(all -> names.addAll(all.keySet()));
    files.ifPresent(all -> names.addAll(all.keySet()));
    return names;
  }
}

/** The pieces of a sparse file that are not holes: where each lies in the file, and how long it is. */
final class SparseMap {
  private final long[] offsets;
  private final long[] lengths;
  private final long stored;

  /** @param numbers offset and length of each piece in turn, as every form of sparse tar has them */
  SparseMap(List<Long> numbers, long size) throws IOException {
    if (numbers.size() % 2 != 0) {
      throw new IOException("the map of a sparse file is damaged");
    }
    offsets = new long[numbers.size() / 2];
    lengths = new long[offsets.length];
    var end = 0L;
    var all = 0L;
    for (int i = 0; i < offsets.length; i++) {
      offsets[i] = numbers.get(2 * i);
      lengths[i] = numbers.get(2 * i + 1);
      if (offsets[i] < end || lengths[i] < 0 || lengths[i] > size - offsets[i]) {
        throw new IOException("the map of a sparse file is damaged");
      }
      end = offsets[i] + lengths[i];
      all += lengths[i];
    }
    stored = all;
  }

  /** The bytes in the archive. */
  long stored() {
    return stored;
  }

  int pieces() {
    return offsets.length;
  }

  long offset(int piece) {
    return offsets[piece];
  }

  long length(int piece) {
    return lengths[piece];
  }

  /** The whole file with zeros for its holes, from its stored bytes. */
  InputStream expand(InputStream bytes, long size) {
    return new ArrayInput() {
      private long position;
      private int piece;

      @Override
      public int read(byte[] buffer, int from, int length) throws IOException {
        if (length == 0) {
          return 0;
        }
        while (piece < offsets.length && position >= offsets[piece] + lengths[piece]) {
          piece++;
        }
        var inPiece = piece < offsets.length && position >= offsets[piece];
        var end = inPiece ? offsets[piece] + lengths[piece] : piece < offsets.length ? offsets[piece] : size;
        var count = (int) Math.min(length, end - position);
        if (count == 0) {
          return -1;
        }
        if (inPiece) {
          count = bytes.read(buffer, from, count);
          if (count < 0) {
            throw new EOFException("a sparse file is cut short");
          }
        } else {
          Arrays.fill(buffer, from, from + count, (byte) 0);
        }
        position += count;
        return count;
      }

      @Override
      public void close() throws IOException {
        bytes.close();
      }
    };
  }
}

/**
 * Stages a second tree on the folder's own file system, then swaps. The names in the work folder say how far a run
 * came: {@code staging} is incomplete; {@code new} is complete and safe on disk; {@code old} receives the entries of a
 * folder that must stay; {@code previous} is the whole old tree.
 */
final class StagedSwap {
  private final RestoreJob job;
  private final AttachmentWriter writer;
  private final LiveTree tree;
  private final boolean keepPrevious;
  private final Path folder;
  private final Path work;
  private final Path staging;
  private final Path fresh;
  private final Path old;
  private final Path previous;
  /** The folder's mode where it had to be made writable, else -1. */
  private int closedMode = -1;

  StagedSwap(RestoreJob job, AttachmentWriter writer, boolean keepPrevious) {
    this.job = job;
    this.writer = writer;
    this.tree = new LiveTree(job.target(), job.workers());
    this.keepPrevious = keepPrevious;
    this.folder = job.folder();
    this.work = job.target().work();
    this.staging = work.resolve("staging");
    this.fresh = work.resolve("new");
    this.old = work.resolve("old");
    this.previous = previous(job.target());
  }

  /** The place of the old tree between two renames: there is no live folder then. */
  static Path previous(AttachmentFolder target) {
    return target.work().resolve("previous");
  }

  /** True if a restore before this one was interrupted. */
  boolean isInterrupted() throws IOException {
    return exists(staging) || exists(fresh) || exists(old) || exists(previous);
  }

  private static boolean exists(Path path) throws IOException {
    return AttachmentFolder.exists(path);
  }

  /** Undoes a swap that was interrupted, or finishes one whose new tree is in place. */
  void recover() throws IOException {
    job.console().step("Putting right what an interrupted restore left in %s", work);
    job.console().onInterrupt(
        "Nothing is lost, the trees are in %s. Keep TheHive stopped and run the same command again.".formatted(work));
    LiveTree.makeWritable(folder);
    undo();
    dropPrevious();
    if (exists(previous)) {
      throw new Failure(Exit.UNSAFE, previous + " is in the way",
          "it is an old tree, the restored one is in place: end what has files of it open, or move it away");
    }
  }

  private void undo() throws IOException {
    if (exists(fresh) && exists(previous)) {
      if (job.target().isStagedInside()) {
        tree.drain(folder, fresh);
        LiveTree.rename(previous, old);
      } else {
        LiveTree.rename(previous, folder);
      }
    }
    if (exists(old)) {
      tree.drain(old, folder);
      Files.delete(old);
    }
    tree.delete(staging);
    tree.delete(fresh);
  }

  /** Writes into a few folders side by side and renames into place: one folder for all is slower by far. */
  void stage() throws IOException {
    job.console().onInterrupt(folder + " is as it was before. Run the same command again.");
    var whole = staging.resolve("tree");
    try {
      makeStaging(whole);
      job.each("Staging", i -> true, (worker, i, content) -> {
        var temporary = staging.resolve("worker" + worker).resolve("" + i);
        writer.write(i, content, temporary);
        LiveTree.rename(temporary, whole.resolve(job.entry(i).name()));
      });
      for (var i : job.links()) {
        writer.writeLink(i, staging.resolve("link"));
        LiveTree.rename(staging.resolve("link"), whole.resolve(job.entry(i).name()));
      }
      writer.setStagedFolders(whole);
      job.flush(staging);
      LiveTree.rename(whole, fresh);
      tree.delete(staging);
      job.target().requireMounted(Exit.UNSAFE);
    } catch (IOException | RuntimeException e) {
      abandon();
      throw e;
    }
  }

  private void makeStaging(Path whole) throws IOException {
    var secret = PosixFilePermissions.asFileAttribute(PosixFilePermissions.fromString("rwx------"));
    Files.createDirectories(folder);
    var mode = Ownership.modeOf(folder);
    closedMode = LiveTree.makeWritable(folder) ? mode : -1;
    try {
      Files.createDirectories(work, secret);
      Files.createDirectory(staging, secret);
    } catch (AccessDeniedException e) {
      throw AttachmentFolder.notWritable(work.getParent(), e);
    }
    for (int worker = 0; worker < job.workers().count; worker++) {
      Files.createDirectory(staging.resolve("worker" + worker), secret);
    }
    for (var entry : job.folders()) {
      Files.createDirectory(whole.resolve(entry.name()), secret);
    }
  }

  /** Removes what was staged before anything live was changed. */
  void abandon() {
    try {
      tree.delete(staging);
      tree.delete(fresh);
      removeWork();
      closeFolder();
    } catch (IOException | RuntimeException e) {
      job.console().warn("%s could not be removed, the next run will: %s", work, Failure.of(e).getMessage());
    }
  }

  /** Puts the new tree in place of the old one; a failure in between is taken back. */
  void exchange() throws IOException {
    job.console().step("Swapping");
    job.console().onInterrupt(
        "The swap has begun; nothing is lost, the trees are in %s. Keep TheHive stopped and run the same command again."
        .formatted(work));
    try {
      if (job.target().isStagedInside()) {
        Files.createDirectory(old);
        tree.drain(folder, old);
        LiveTree.rename(old, previous);
        tree.drain(fresh, folder);
        Files.delete(fresh);
      } else {
        LiveTree.rename(folder, previous);
        LiveTree.rename(fresh, folder);
      }
    } catch (IOException | RuntimeException e) {
      takeBack(e);
      throw e;
    }
  }

  /** Takes the swap back, or says that it could not, so that nobody starts TheHive on half a tree. */
  private void takeBack(Exception cause) {
    try {
      job.target().requireMounted(Exit.PARTIAL);
      undo();
      if (exists(old) || exists(previous)) {
        throw new IOException("the old tree is still in " + work);
      }
      removeWork();
      closeFolder();
      job.target().requireMounted(Exit.PARTIAL);
    } catch (IOException | RuntimeException e) {
      throw new Failure(Exit.PARTIAL,
          "%s, and the swap could not be taken back: %s".formatted(Failure.of(cause).getMessage(),
              Failure.of(e).getMessage()),
          ("keep TheHive stopped; nothing is lost, the trees are in %s: run the same command again when the cause is"
              + " gone").formatted(work),
          e);
    }
  }

  /** Finishes when the new tree is live: a failure now is to be done again, not to be taken back. */
  void finish() {
    job.console().onInterrupt(
        "The restored tree is in place, the old one not yet removed. Keep TheHive stopped and run the same command"
            + " again.");
    try {
      writer.setFolders();
      job.flush(folder);
      job.target().requireMounted(Exit.PARTIAL);
      dropPrevious();
      if (job.target().isStagedInside()) {
        writer.set(folder, job.folders().get(0)); // the work folder was removed from it
      }
      job.target().requireMounted(Exit.PARTIAL);
    } catch (IOException | RuntimeException e) {
      throw new Failure(Exit.PARTIAL, "the restored tree is in place, but " + Failure.of(e).getMessage(),
          "keep TheHive stopped, and run the same command again when the cause is gone", e);
    }
  }

  /** Removes or keeps the old tree: a failure here does not fail the restore. */
  private void dropPrevious() throws IOException {
    try {
      if (keepPrevious && exists(previous)) {
        var stamp = BackupSet.STAMP.format(LocalDateTime.now());
        var kept = job.target().isStagedInside() ? work.resolve("previous_" + stamp)
            : folder.resolveSibling(folder.getFileName() + ".previous_" + stamp);
        LiveTree.rename(previous, kept);
        job.console().step("The old tree is kept in %s", kept);
      }
      if (exists(previous)) {
        job.console().step("Removing the old tree");
      }
      tree.delete(previous);
      removeWork();
    } catch (IOException e) {
      // On NFS a file that is removed while a program has it open stays, under another name.
      job.console().warn("the old tree in %s could not be removed, the next run will: %s", work,
          e instanceof DirectoryNotEmptyException ? "a program has a file of it open" : Failure.of(e).getMessage());
    }
  }

  private void closeFolder() throws IOException {
    if (closedMode >= 0) {
      Files.setAttribute(folder, "unix:mode", closedMode);
    }
  }

  private void removeWork() throws IOException {
    try {
      Files.deleteIfExists(work);
    } catch (DirectoryNotEmptyException e) {
      // an old tree was kept in it
    }
  }
}

/** The steps of a run with their times, for its report. Several threads may add to it. */
final class StepTimes {
  /** The step in which the administrator is asked: its time is not the restore's. */
  static final String QUESTION = "question";
  private final Instant started;
  private final List<Step> steps = new ArrayList<>();

  /**
   * A step.
   *
   * @param part cassandra, elasticsearch, files or s3; empty for a step of the whole run
   * @param startMillis from the start of the run
   * @param bytes that it moves; 0 where it moves none
   */
  record Step(String part, String step, long startMillis, long millis, long bytes) {
    long endMillis() {
      return startMillis + millis;
    }
  }

  /** The work of a step. */
  interface Action<E extends Exception> {
    void run() throws E;
  }

  /** The work of a step that finds something. */
  interface Source<T, E extends Exception> {
    T get() throws E;
  }

  StepTimes(Instant started) {
    this.started = started;
  }

  <E extends Exception> void time(Object part, String step, Action<E> action) throws E {
    time(part, step, 0, action);
  }

  /** Runs a step and adds its time, also where it fails. */
  <E extends Exception> void time(Object part, String step, long bytes, Action<E> action) throws E {
    value(part, step, bytes, () -> {
      action.run();
      return null;
    });
  }

  /** The same for a step that finds something. */
  <T, E extends Exception> T value(Object part, String step, long bytes, Source<T, E> source) throws E {
    var begun = Duration.between(started, Instant.now()).toMillis();
    try {
      return source.get();
    } finally {
      var end = Duration.between(started, Instant.now()).toMillis();
      synchronized (this) {
        steps.add(new Step("" + part, step, begun, end - begun, bytes));
      }
    }
  }

  /** All until now, in the order in which they began. */
  synchronized List<Step> list() {
    return steps.stream().sorted(Comparator.comparingLong(Step::startMillis)).toList();
  }

  /** Seconds in which the administrator was asked. */
  double waited() {
    return list().stream().filter(step -> step.step().equals(QUESTION)).mapToLong(Step::millis).sum() / 1000.0;
  }

  /** Seconds since the last answer of the administrator, or since the beginning. */
  double sinceAnswer() {
    return (Duration.between(started, Instant.now()).toMillis() - answered(list())) / 1000.0;
  }

  private static long answered(List<Step> steps) {
    return steps.stream().filter(step -> step.step().equals(QUESTION)).mapToLong(Step::endMillis).max().orElse(0);
  }

  /** How long a part was restored: from the answer, or from the beginning, to its last step; 0 where none is known. */
  static double seconds(List<Step> steps, String part) {
    var answer = answered(steps);
    var own = steps.stream().filter(step -> step.part().equals(part) && step.startMillis() >= answer).toList();
    return own.isEmpty() ? 0 : (own.stream().mapToLong(Step::endMillis).max().orElseThrow()
        - own.stream().mapToLong(Step::startMillis).min().orElseThrow()) / 1000.0;
  }
}

/** Runs the system's own commands, for what Java cannot do. */
final class SystemCommand {
  private SystemCommand() {}

  /** Returns what the command wrote; one that fails, or that this host does not have, is an error. */
  static String output(String... command) throws IOException {
    var process = start(command).redirectErrorStream(true).start();
    process.getOutputStream().close();
    var output = new String(process.getInputStream().readAllBytes(), StandardCharsets.UTF_8).strip();
    if (end(process) != 0) {
      throw new IOException("%s failed: %s".formatted(String.join(" ", command), output));
    }
    return output;
  }

  interface Lines<T> {
    T from(Stream<String> lines);
  }

  /** Hands the lines of the output on as they come; errors of the command are passed over. */
  static <T> T lines(Lines<T> reader, String... command) throws IOException {
    var process = start(command).redirectError(ProcessBuilder.Redirect.DISCARD).start();
    process.getOutputStream().close();
    try (var lines = process.inputReader(StandardCharsets.UTF_8)) {
      return reader.from(lines.lines());
    } finally {
      process.destroy();
      end(process);
    }
  }

  private static ProcessBuilder start(String... command) {
    var builder = new ProcessBuilder(List.of(command));
    builder.environment().put("LC_ALL", "C");
    return builder;
  }

  private static int end(Process process) throws IOException {
    try {
      return process.waitFor();
    } catch (InterruptedException e) {
      process.destroy();
      Thread.currentThread().interrupt();
      throw new IOException("interrupted", e);
    }
  }
}

/** A .tar, plain or compressed. */
final class TarArchive extends Archive {
  /** Headers stand close together where files are small, and far apart where they are large: a page or two a read. */
  private static final int BUFFER = 8 << 10;
  private final Path file;
  private final Compression compression;
  private final FileChannel channel;
  private long zerosAtTheEnd;

  /** @param file where the bytes are: the archive itself, or what was unpacked from it and is removed with this */
  TarArchive(Path path, Path file, Compression compression) throws IOException {
    super(path);
    this.file = file;
    this.compression = compression;
    this.channel = FileChannel.open(file);
  }

  private TarReader reader() throws IOException {
    return new TarReader(compression == Compression.NONE
        ? BufferedFileChannelInputStream.builder().setPath(file).setBufferSize(BUFFER).get() : compression.open(file));
  }

  @Override
  void index(Consumer<ArchiveEntry> visitor) {
    try (var reader = reader()) {
      var last = (ArchiveEntry) null;
      for (var entry = reader.next(); entry != null; entry = reader.next()) {
        visitor.accept(entry);
        last = entry;
      }
      requireEnd(reader, last);
    } catch (IOException e) {
      throw broken(Failure.of(e).getMessage(), e);
    }
  }

  private void requireEnd(TarReader reader, ArchiveEntry last) throws IOException {
    if (last == null) {
      throw broken("it holds nothing", null);
    }
    if (compression != Compression.NONE) {
      reader.requireZeros();
      return;
    }
    if (channel.size() - reader.end() > TarReader.MOST_ZEROS) {
      throw TarReader.unfinished(reader.end(), channel.size());
    }
    if (!isPadding(reader.end(), reader.requireZeros(), turnsToZeros(last))) {
      throw TarReader.unfinished(reader.end(), channel.size());
    }
    zerosAtTheEnd = channel.size() - reader.end();
  }

  /**
   * True if zeros behind the last entry are the rest of a record, not what was left unwritten of a file of the full
   * size. Records are 10 KiB, or what the option -b says, mostly a power of two; the archive is a whole number of them.
   *
   * @param turnsToZeros the last file's bytes end in zeros, too: a sign that they were not written, either
   */
  static boolean isPadding(long end, long total, boolean turnsToZeros) {
    var rest = total - end;
    if (rest <= TarReader.USUAL_ZEROS) {
      return true;
    }
    for (long record = TarHeader.BLOCK; record < TarReader.MOST_ZEROS; record += TarHeader.BLOCK) {
      if (total % record == 0 && rest <= record + TarHeader.BLOCK && (!turnsToZeros || Long.bitCount(record) == 1)) {
        return true;
      }
    }
    return false;
  }

  private boolean turnsToZeros(ArchiveEntry last) throws IOException {
    return last.file() && last.stored() > TarHeader.BLOCK && !isZero(last.offset())
        && isZero(last.offset() + last.stored() - TarHeader.BLOCK);
  }

  private boolean isZero(long block) throws IOException {
    var bytes = ByteBuffer.allocate(TarHeader.BLOCK);
    channel.read(bytes, block);
    return Arrays.equals(bytes.array(), new byte[TarHeader.BLOCK]);
  }

  @Override
  Optional<String> doubt() {
    return zerosAtTheEnd <= TarReader.USUAL_ZEROS ? Optional.empty() : Optional.of(
        ("%s ends in %,d bytes of zeros: tar writes that many with its option -b, but a disk that lost the end"
            + " does, too."
            + " Does the number of files agree with what was backed up?").formatted(path, zerosAtTheEnd));
  }

  @Override
  void each(Visitor visitor) throws Exception {
    try (var reader = reader()) {
      for (var entry = reader.next(); entry != null; entry = reader.next()) {
        visitor.accept(entry, new OnePass(entry, reader));
      }
    }
  }

  @Override
  boolean isSeekable() {
    return compression == Compression.NONE;
  }

  @Override
  Content content(ArchiveEntry entry) {
    if (!isSeekable()) {
      throw new IllegalStateException(path + " can be read in one pass only");
    }
    return new Range(entry);
  }

  @Override
  Archive seekable(Path folder) throws IOException {
    if (isSeekable()) {
      return this;
    }
    var plain = Files.createTempFile(folder, "unpacked-", ".tar");
    try (var in = compression.open(file)) {
      Files.copy(in, plain, StandardCopyOption.REPLACE_EXISTING);
      close();
      return new TarArchive(path, plain, Compression.NONE);
    } catch (IOException | RuntimeException e) {
      Files.deleteIfExists(plain);
      throw e;
    }
  }

  @Override
  public void close() throws IOException {
    channel.close();
    if (!file.equals(path)) {
      Files.deleteIfExists(file);
    }
  }

  private interface Copy {
    void accept(long length, FileChannel out) throws IOException;
  }

  /** Writes the pieces of a file, one after another, each at its place. */
  private static void write(ArchiveEntry entry, Path target, Copy copy) throws IOException {
    try (var out = FileChannel.open(target, StandardOpenOption.CREATE_NEW, StandardOpenOption.WRITE)) {
      if (entry.holes() == null) {
        copy.accept(entry.size(), out);
        return;
      }
      for (int i = 0; i < entry.holes().pieces(); i++) {
        out.position(entry.holes().offset(i));
        copy.accept(entry.holes().length(i), out);
      }
      if (out.size() < entry.size()) {
        out.write(ByteBuffer.allocate(1), entry.size() - 1);
      }
    }
  }

  private EOFException ended(ArchiveEntry entry) {
    return new EOFException("%s ended inside '%s'".formatted(path, EntryName.shown(entry.name())));
  }

  /** The bytes of an entry in a plain tar; the kernel copies them. */
  private final class Range implements Content {
    private final ArchiveEntry entry;

    Range(ArchiveEntry entry) {
      this.entry = entry;
    }

    @Override
    public InputStream open() throws IOException {
      var in = Channels.newInputStream(FileChannel.open(file).position(entry.offset()));
      var stored = BoundedInputStream.builder().setInputStream(in).setMaxCount(entry.stored()).get();
      return entry.holes() == null ? stored : entry.holes().expand(stored, entry.size());
    }

    @Override
    public void copyTo(Path target) throws IOException {
      var from = new long[] {entry.offset()};
      write(entry, target, (length, out) -> {
        for (var end = from[0] + length; from[0] < end; ) {
          var copied = channel.transferTo(from[0], end - from[0], out);
          if (copied <= 0) {
            throw ended(entry);
          }
          from[0] += copied;
        }
      });
    }
  }

  /** The bytes of the entry at which a reader stands. */
  private final class OnePass implements Content {
    private final ArchiveEntry entry;
    private final TarReader reader;

    OnePass(ArchiveEntry entry, TarReader reader) {
      this.entry = entry;
      this.reader = reader;
    }

    @Override
    public InputStream open() {
      return reader.content();
    }

    @Override
    public void copyTo(Path target) throws IOException {
      var in = reader.stored();
      var buffer = new byte[(int) Math.min(1 << 16, Math.max(1, entry.stored()))];
      write(entry, target, (length, out) -> {
        var stream = Channels.newOutputStream(out); // writes all, where the channel itself may write a part
        for (var left = length; left > 0; ) {
          var count = in.read(buffer, 0, (int) Math.min(buffer.length, left));
          if (count <= 0) {
            throw ended(entry);
          }
          stream.write(buffer, 0, count);
          left -= count;
        }
      });
    }
  }
}

/**
 * A header of a tar: a block of 512 bytes with fields at fixed places, in each of the formats v7, ustar, pax, oldgnu
 * and gnu.
 */
final class TarHeader {
  static final int BLOCK = 512;
  private final byte[] block;

  TarHeader(byte[] block) {
    this.block = block;
  }

  boolean isZero() {
    for (var b : block) {
      if (b != 0) {
        return false;
      }
    }
    return true;
  }

  /** True if the header matches its checksum; some programs of old took bytes for signed numbers. */
  boolean isIntact() {
    var unsigned = 8 * ' ';
    var negative = 0;
    for (int i = 0; i < BLOCK; i++) {
      unsigned += block[i] & 0xff;
      negative += block[i] >>> 31;
    }
    for (int i = 148; i < 156; i++) { // the checksum itself counts as spaces
      unsigned -= block[i] & 0xff;
      negative -= block[i] >>> 31;
    }
    var sum = number(148, 8);
    return sum == unsigned || sum == unsigned - 256L * negative;
  }

  /** True if the other header has the same owner. */
  boolean hasOwnerOf(byte[] other) {
    return Arrays.equals(block, 108, 124, other, 108, 124) && Arrays.equals(block, 257, 329, other, 257, 329);
  }

  byte[] copy() {
    return block.clone();
  }

  char type() {
    return (char) (block[156] & 0xff);
  }

  /** The name, with its first part where the format keeps one apart. */
  byte[] name() {
    var name = bytes(0, 100);
    if (!hasPrefix() || block[345] == 0) {
      return name;
    }
    var prefix = bytes(345, 155);
    var all = Arrays.copyOf(prefix, prefix.length + 1 + name.length);
    all[prefix.length] = '/';
    System.arraycopy(name, 0, all, prefix.length + 1, name.length);
    return all;
  }

  /** GNU's own formats, "ustar" and two spaces, have times and the map of a sparse file where ustar has the prefix. */
  private boolean hasPrefix() {
    return isUstar() && block[262] == 0;
  }

  private boolean isUstar() {
    return Arrays.equals(block, 257, 262, new byte[] {'u', 's', 't', 'a', 'r'}, 0, 5);
  }

  byte[] link() {
    return bytes(157, 100);
  }

  int mode() {
    return (int) number(100, 8) & 07777;
  }

  long size() {
    return number(124, 12);
  }

  long seconds() {
    return number(136, 12);
  }

  Owner owner() {
    return new Owner(text(265, 32), number(108, 8), text(297, 32), number(116, 8));
  }

  private String text(int from, int length) {
    return isUstar() ? new String(bytes(from, length), StandardCharsets.UTF_8) : "";
  }

  /** A field up to its first zero. */
  private byte[] bytes(int from, int length) {
    var end = from;
    while (end < from + length && block[end] != 0) {
      end++;
    }
    return Arrays.copyOfRange(block, from, end);
  }

  /** Octal digits, or where those do not suffice the number itself, marked by the first bit. -1 where it is neither. */
  long number(int from, int length) {
    var number = 0L;
    if (block[from] < 0) {
      number = (block[from] & 0x40) != 0 ? -1 : 0; // the sign
      number = number << 6 | block[from] & 0x3f;
      for (int i = from + 1; i < from + length; i++) {
        number = number << 8 | block[i] & 0xff;
      }
      return number;
    }
    var at = from;
    while (at < from + length && block[at] == ' ') {
      at++;
    }
    for (; at < from + length && block[at] != 0 && block[at] != ' '; at++) {
      if (block[at] < '0' || block[at] > '7') {
        return -1;
      }
      number = number << 3 | block[at] - '0';
    }
    return number;
  }

  byte at(int index) {
    return block[index];
  }
}

/**
 * Reads the entries of a tar in order, in every format that GNU tar, bsdtar and Python write. It counts what it takes
 * from the stream by itself: where an entry's bytes begin is the same for a file that can be read at any place and for
 * one that is unpacked on the way.
 */
final class TarReader implements Closeable {
  /**
   * A tar ends with zeros up to a whole record, which has at most 1 MiB; the first block of them may need a record
   * more.
   */
  static final int MOST_ZEROS = (1 << 20) + TarHeader.BLOCK;
  /** The longest padding of a tar made without the option -b. */
  static final int USUAL_ZEROS = 20 * TarHeader.BLOCK + TarHeader.BLOCK;
  private static final int LONGEST_EXTENSION = 16 << 20;

  /** The extensions that stand before a header: pax records, and the long names of GNU's format. */
  private record Extensions(PaxRecords pax, byte[] name, byte[] link) {}

  private final InputStream in;
  private final Map<Owner, Owner> owners = new HashMap<>();
  /** Most entries have the owner of the one before. */
  private byte[] ownersBlock = new byte[TarHeader.BLOCK];
  private Owner lastOwner = Owner.UNKNOWN;
  private final byte[] headerBlock = new byte[TarHeader.BLOCK];
  private PaxRecords global = new PaxRecords();
  private ArchiveEntry current;
  private long position;
  private long left;
  private long padding;
  private long end;

  /** @param in skips without reading where the file allows it */
  TarReader(InputStream in) {
    this.in = in;
  }

  /** The next entry, null behind the last. What was not read of the one before is skipped. */
  ArchiveEntry next() throws IOException {
    var extensions = new Extensions(global, null, null);
    while (true) {
      skip(left + padding);
      left = 0;
      padding = 0;
      end = position;
      read(headerBlock);
      var header = new TarHeader(headerBlock);
      if (header.isZero()) {
        return null;
      }
      if (!header.isIntact() || header.size() < 0) {
        throw new IOException(
            "the header of its entry '%s' is damaged".formatted(EntryName.shown(new String(header.name(), "UTF-8"))));
      }
      switch (header.type()) {
      case 'x', 'X' ->
          extensions = new Extensions(extensions.pax.with(extension(header)), extensions.name, extensions.link);
        case 'g' -> {
          global = global.with(extension(header));
          extensions = new Extensions(global, extensions.name, extensions.link);
        }
        case 'L' -> extensions = new Extensions(extensions.pax, text(extension(header)), extensions.link);
        case 'K' -> extensions = new Extensions(extensions.pax, extensions.name, text(extension(header)));
        case 'V' -> data(header.size()); // the label of the whole
        case 'M' -> throw new IOException("it is not the first volume of several");
        default -> {
          current = entry(header, extensions);
          return current;
        }
      }
    }
  }

  private ArchiveEntry entry(TarHeader header, Extensions extensions) throws IOException {
    var pax = extensions.pax;
    var rawName =
        pax.bytes("GNU.sparse.name", pax.bytes("path", extensions.name != null ? extensions.name : header.name()));
    var rawLink = pax.bytes("linkpath", extensions.link != null ? extensions.link : header.link());
    var kind = kind(header.type(), rawName);
    data("123456".indexOf(header.type()) >= 0 ? 0 : pax.number("size", header.size()));
    requireFull(rawName, pax.bytes("GNU.dumpdir", header.type() == 'D' ? folderList() : new byte[0]));
    var size = kind == Kind.FILE ? left : 0;
    SparseMap holes = null;
    if (kind == Kind.FILE && (header.type() == 'S' || pax.has("GNU.sparse.size") || pax.has("GNU.sparse.realsize"))) {
      size = header.type() == 'S' ? header.number(483, 12)
          : pax.number("GNU.sparse.realsize", pax.number("GNU.sparse.size", 0));
      holes = new SparseMap(pieces(header, pax), size);
      if (holes.stored() != left) {
        throw new IOException(
            "the map of its sparse file '%s' is damaged".formatted(EntryName.shown(new String(rawName, "UTF-8"))));
      }
    }
    var path = EntryName.normal(rawName);
    if (path.length == 0 && kind != Kind.FOLDER) {
      throw new IOException("the name of one of its entries is damaged");
    }
    var link = kind == Kind.LINK || kind == Kind.HARD_LINK ? EntryName.link(rawLink, rawName) : null;
    var time = pax.time("mtime");
    var seconds = time == null ? header.seconds() : time.setScale(0, RoundingMode.FLOOR).longValue();
    var nanos = time == null ? 0 : time.subtract(BigDecimal.valueOf(seconds)).movePointRight(9).intValue();
    return new ArchiveEntry(kind, path, size, position, holes, link, header.mode(), seconds, nanos, owner(header, pax));
  }

  /** The list of a folder's files, as tar -g writes it. */
  private byte[] folderList() throws IOException {
    var list = new byte[(int) Math.min(left, LONGEST_EXTENSION)];
    read(list);
    left -= list.length;
    return list;
  }

  /** An N stands before a file that only an earlier archive holds. */
  private static void requireFull(byte[] folder, byte[] list) throws IOException {
    for (var name : new String(list, StandardCharsets.UTF_8).split("\0")) {
      if (name.startsWith("N")) {
        throw new IOException("it is an incremental archive (tar -g): '%s' of %s is only in an earlier one".formatted(
            EntryName.shown(name.substring(1)), EntryName.shown(new String(folder, StandardCharsets.UTF_8))));
      }
    }
  }

  private static Kind kind(char type, byte[] name) {
    return switch (type) {
      case '0', '\0', '7', 'S' -> name.length > 0 && name[name.length - 1] == '/' ? Kind.FOLDER : Kind.FILE;
      case '5', 'D' -> Kind.FOLDER;
      case '1' -> Kind.HARD_LINK;
      case '2' -> Kind.LINK;
      default -> Kind.OTHER;
    };
  }

  private Owner owner(TarHeader header, PaxRecords pax) throws IOException {
    if (!header.hasOwnerOf(ownersBlock)) {
      ownersBlock = header.copy();
      lastOwner = owners.computeIfAbsent(header.owner(), known -> known);
    }
    var plain = lastOwner;
    if (pax.isEmpty()) {
      return plain;
    }
    var owner =
        new Owner(pax.text("uname", plain.user()), pax.number("uid", plain.uid()), pax.text("gname", plain.group()),
        pax.number("gid", plain.gid()));
    return owners.computeIfAbsent(owner, known -> known);
  }

  /** Offsets and lengths in turn; where they stand before the file's own bytes they are read here. */
  private List<Long> pieces(TarHeader header, PaxRecords pax) throws IOException {
    if (header.type() == 'S') {
      return oldGnuPieces(header);
    }
    return pax.number("GNU.sparse.major", 0) == 0 ? pax.sparse() : piecesBeforeData();
  }

  private List<Long> oldGnuPieces(TarHeader header) throws IOException {
    var pieces = new ArrayList<Long>();
    addPieces(header, 386, 4, pieces);
    for (var more = header.at(482) != 0; more; ) {
      var extension = new TarHeader(block());
      addPieces(extension, 0, 21, pieces);
      more = extension.at(504) != 0;
    }
    return pieces;
  }

  private static void addPieces(TarHeader header, int from, int most, List<Long> pieces) {
    for (int at = from; at < from + most * 24 && header.at(at + 12) != 0; at += 24) {
      pieces.add(header.number(at, 12));
      pieces.add(header.number(at + 12, 12));
    }
  }

  /** Version 1.0: decimal numbers, one a line, first how many pieces there are, in whole blocks before the bytes. */
  private List<Long> piecesBeforeData() throws IOException {
    var pieces = new ArrayList<Long>();
    var wanted = -1L;
    var number = 0L;
    while (true) {
      if (left < TarHeader.BLOCK) {
        throw new IOException("the map of a sparse file is damaged");
      }
      left -= TarHeader.BLOCK;
      for (var b : block()) {
        if (b == '\n') {
          if (wanted >= 0) {
            pieces.add(number);
          } else {
            wanted = 2 * number;
          }
          number = 0;
          if (pieces.size() == wanted) {
            return pieces;
          }
        } else if (b >= '0' && b <= '9') {
          number = number * 10 + b - '0';
        } else {
          throw new IOException("the map of a sparse file is damaged");
        }
      }
    }
  }

  /** The bytes of the current entry, holes as zeros; to be read before the next entry is asked for. */
  InputStream content() {
    return current.holes() == null ? stored() : current.holes().expand(stored(), current.size());
  }

  /** The bytes of the current entry as they are in the archive: without the holes. */
  InputStream stored() {
    return new ArrayInput() {
      @Override
      public int read(byte[] buffer, int from, int length) throws IOException {
        if (left == 0) {
          return length == 0 ? 0 : -1;
        }
        var count = in.read(buffer, from, (int) Math.min(length, left));
        if (count < 0) {
          throw new EOFException("it is cut short");
        }
        left -= count;
        position += count;
        return count;
      }
    };
  }

  private void data(long size) throws IOException {
    if (size < 0) {
      throw new IOException("the header of one of its entries is damaged");
    }
    left = size;
    padding = -size & TarHeader.BLOCK - 1;
  }

  private byte[] extension(TarHeader header) throws IOException {
    if (header.size() > LONGEST_EXTENSION) {
      throw new IOException("one of its extended headers is damaged");
    }
    data(header.size());
    var bytes = new byte[(int) left];
    read(bytes);
    left = 0;
    return bytes;
  }

  private static byte[] text(byte[] bytes) {
    var length = 0;
    while (length < bytes.length && bytes[length] != 0) {
      length++;
    }
    return Arrays.copyOf(bytes, length);
  }

  private byte[] block() throws IOException {
    var block = new byte[TarHeader.BLOCK];
    read(block);
    return block;
  }

  private void read(byte[] bytes) throws IOException {
    if (in.readNBytes(bytes, 0, bytes.length) < bytes.length) {
      throw new EOFException("it is cut short");
    }
    position += bytes.length;
  }

  private void skip(long bytes) throws IOException {
    try {
      in.skipNBytes(bytes);
    } catch (EOFException e) {
      throw new EOFException("it is cut short");
    }
    position += bytes;
  }

  /** The place behind the last entry and its padding, once there is no next. */
  long end() {
    return end;
  }

  /**
   * Reads what is behind the last entry and returns where the archive ends. A tar that is cut between two entries lists
   * without an error: only the zeros prove its end. More of them than fill a record are what became of entries.
   */
  long requireZeros() throws IOException {
    var buffer = new byte[1 << 16];
    var zeros = true;
    for (int count = in.read(buffer); count >= 0; count = in.read(buffer)) {
      zeros &= Arrays.equals(buffer, 0, count, new byte[count], 0, count);
      position += count;
    }
    if (!zeros || position - end > MOST_ZEROS) {
      throw unfinished(end, position);
    }
    return position;
  }

  static IOException unfinished(long end, long total) {
    return new IOException(
        "its entries end after %d of %d bytes: the rest is damaged or was never written".formatted(end, total));
  }

  @Override
  public void close() throws IOException {
    in.close();
  }
}

/**
 * TheHive's own configuration file as a source of settings: what it says of database, index and attachments, by the
 * names of the variables. Keys of TheHive 5.0 and 4 are read, too, where they differ.
 */
final class TheHiveConfig {
  static final Path USUAL = Path.of("/etc/thehive/application.conf");

  private TheHiveConfig() {}

  static Map<String, String> read(Path file) {
    try {
      // Secrets often come from variables of TheHive's own service, which are not set here.
      return settings(
          ConfigFactory.parseFile(file.toFile()).resolve(ConfigResolveOptions.defaults().setAllowUnresolved(true)));
    } catch (ConfigException e) {
      throw new Failure(Exit.USAGE, "cannot read TheHive's configuration %s: %s".formatted(file, e.getMessage()),
          "THEHIVE_CONFIG names it; set THEHIVE_CONFIG=/dev/null to go on without it");
    }
  }

  /** The settings that the configuration gives, each by the name of its variable. */
  static Map<String, String> settings(com.typesafe.config.Config config) {
    var settings = new LinkedHashMap<String, String>();
    if (isOneOf(config, "db.janusgraph.storage.backend", "cql", "cassandra", "cassandrathrift")) {
      addCassandra(settings, config);
    }
    if (isOneOf(config, "db.janusgraph.index.search.backend", "elasticsearch")) {
      addElasticsearch(settings, config);
    }
    if (isOneOf(config, "storage.provider", "localfs")) {
      put(settings, "ATTACHMENT_FOLDER", first(config, "storage.localfs.location", "storage.localfs.directory"));
    }
    if (isOneOf(config, "storage.provider", "s3")) {
      addBucket(settings, config);
    }
    addAddress(settings, config);
    return settings;
  }

  /**
   * True if the key has one of these values, or is not there: TheHive 4 may have the database in a local folder, say.
   */
  private static boolean isOneOf(com.typesafe.config.Config config, String path, String... values) {
    return first(config, path).map(value -> List.of(values).contains(value)).orElse(true);
  }

  private static void addCassandra(Map<String, String> settings, com.typesafe.config.Config config) {
    put(settings, "CASSANDRA_KEYSPACE",
        first(config, "db.janusgraph.storage.cql.keyspace", "db.janusgraph.storage.cassandra.keyspace"));
    put(settings, "CASSANDRA_CONNECTION",
        list(config, "db.janusgraph.storage.hostname").map(hosts -> String.join(",", hosts)
        + first(config, "db.janusgraph.storage.port").map(" "::concat).orElse("")));
    put(settings, "CASSANDRA_THEHIVE_USER",
        first(config, "db.janusgraph.storage.username", "db.janusgraph.storage.cql.username"));
    var ssl = "db.janusgraph.storage.cql.ssl.";
    if (isTrue(config, ssl + "enabled")) {
      put(settings, "CASSANDRA_SSL_CA", first(config, ssl + "truststore.location"));
      put(settings, "CASSANDRA_SSL_CA_PASSWORD", first(config, ssl + "truststore.password", ssl + "password"));
      if (isTrue(config, ssl + "client-authentication-enabled")) {
        put(settings, "CASSANDRA_SSL_CERT", first(config, ssl + "keystore.location"));
        put(settings, "CASSANDRA_SSL_KEY_PASSWORD",
            first(config, ssl + "keystore.storepassword", ssl + "truststore.storepassword",
            ssl + "keystore.keypassword"));
      }
    }
  }

  private static void addElasticsearch(Map<String, String> settings, com.typesafe.config.Config config) {
    var search = "db.janusgraph.index.search.";
    put(settings, "ELASTICSEARCH_API_URL", list(config, search + "hostname").map(hosts -> urls(config, hosts)));
    put(settings, "ELASTICSEARCH_USER", first(config, search + "elasticsearch.http.auth.basic.username"));
    put(settings, "ELASTICSEARCH_PASSWORD", first(config, search + "elasticsearch.http.auth.basic.password"));
    if (isTrue(config, search + "elasticsearch.ssl.enabled")) {
      put(settings, "ELASTICSEARCH_CA", first(config, search + "elasticsearch.ssl.truststore.location"));
      put(settings, "ELASTICSEARCH_CA_PASSWORD", first(config, search + "elasticsearch.ssl.truststore.password"));
    }
    var name = first(config, search + "index-name");
    put(settings, "ELASTICSEARCH_INDEX", name.map(prefix -> prefix + "_global"));
    if (first(config, "audit.storage").filter("elasticsearch"::equals).isPresent()) { // since TheHive 5.5
      put(settings, "ELASTICSEARCH_AUDIT_INDEX", first(config, "audit.elasticsearch.index-name")
          .or(() -> Optional.of(name.orElse("thehive") + "-audits")));
    }
  }

  /** TheHive's own keys, and those of the library that it uses: alpakka, since TheHive 5.4 pekko. */
  private static void addBucket(Map<String, String> settings, com.typesafe.config.Config config) {
    put(settings, "MINIO_ENDPOINT", ofStore(config, "endpoint", "endpoint-url"));
    put(settings, "MINIO_BUCKET", first(config, "storage.s3.bucket"));
    put(settings, "MINIO_ACCESS_KEY", ofStore(config, "accessKey", "aws.credentials.access-key-id"));
    put(settings, "MINIO_SECRET_KEY", ofStore(config, "aws.credentials.secret-access-key", "secretKey"));
    put(settings, "MINIO_REGION", ofStore(config, "aws.region.default-region", "region"));
    put(settings, "MINIO_VIRTUAL_HOST",
        ofStore(config, "access-style").filter(style -> style.equals("virtual")).map(style -> "true"));
  }

  private static Optional<String> ofStore(com.typesafe.config.Config config, String... names) {
    return first(config, Stream.of("storage.s3.", "pekko.connectors.s3.", "alpakka.s3.")
        .flatMap(prefix -> Stream.of(names).map(name -> prefix + name)).toArray(String[]::new));
  }

  /** TheHive's port, and the path in front of its own where it has one. */
  private static void addAddress(Map<String, String> settings, com.typesafe.config.Config config) {
    var path = first(config, "play.http.context", "application.context").map(context -> context.replaceFirst("/+$", ""))
        .orElse("");
    var https = first(config, "https.port", "play.server.https.port");
    var http = first(config, "http.port", "play.server.http.port").filter(port -> !port.equals("disabled"));
    var address = http.map("http://<node>:"::concat).or(() -> https.map("https://<node>:"::concat))
        .or(() -> path.isEmpty() ? Optional.empty() : Optional.of("http://<node>:9000"));
    put(settings, "THEHIVE_URL", address.map(text -> text + path));
  }

  private static boolean isTrue(com.typesafe.config.Config config, String path) {
    return first(config, path).filter("true"::equals).isPresent();
  }

  private static String urls(com.typesafe.config.Config config, List<String> hosts) {
    var scheme = isTrue(config, "db.janusgraph.index.search.elasticsearch.ssl.enabled") ? "https" : "http";
    var port = first(config, "db.janusgraph.index.search.port").orElse("9200");
    return hosts.stream()
        .map(host -> host.matches("https?://.*") ? host
            : scheme + "://" + host + (host.matches(".*:\\d+") ? "" : ":" + port))
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

/**
 * A container of TheHive, asked and told through the engine's own command, docker or podman. It is stopped, started and
 * shown like a systemd unit.
 *
 * @param name of the container, or of the service in its compose file
 */
record TheHiveContainer(String engine, String name) {
  private static final Pattern ANSWER = Pattern.compile(
      "thehive-container\\|(?<how>[^|]*)\\|(?<id>[^|]*)\\|(?<status>[^|]*)\\|(?<exit>-?\\d+)"
          + "\\|(?<restarts>\\d+)\\|(?<since>[^|]*)");
  /** A JVM that ends on SIGTERM, or that the engine had to kill, did not fail. */
  private static final Set<String> STOPPED = Set.of("0", "130", "137", "143");
  private static final String NO_CONTAINER = "(?is).*(no such (object|container)|no container with name).*";

  @Override
  public String toString() {
    return engine + ":" + name;
  }

  /**
   * Asks as this user and, where that does not find it, with sudo: by the container's name, else by its compose
   * service.
   */
  String inspect() {
    var inspect = "LC_ALL=C $d inspect --type container -f "
        + "\"thehive-container|$d|{{.Id}}|{{.State.Status}}|{{.State.ExitCode}}|{{.RestartCount}}"
            + "|{{.State.StartedAt}}\"";
    return ("for d in \"%1$s\" \"sudo -n %1$s\"; do %2$s %3$s && exit; for c in $($d ps -aq --filter"
        + " label=com.docker.compose.service=%3$s 2>/dev/null); do %2$s $c; done; done")
        .formatted(engine, inspect, name);
  }

  /** The container as a unit; one that is not there is not found. */
  Host.Unit unit(Host host) {
    var output = host.run(inspect(), Duration.ofSeconds(30));
    var found = output.out().lines().map(ANSWER::matcher).filter(match -> match.matches())
        .collect(Collectors.toMap(match -> match.group("id"), match -> match,
        (one, other) -> one)).values();
    if (found.size() > 1) {
      throw new Failure(Exit.USAGE,
          "%s: %d containers have the compose service %s".formatted(host.name(), found.size(), name),
          "name each in THEHIVE_NODES as '%s ps' does".formatted(engine));
    }
    if (!found.isEmpty()) {
      var match = found.iterator().next();
      return new Host.Unit("loaded", active(match.group("status"), match.group("exit")), match.group("status"),
          Integer.parseInt(match.group("restarts")), match.group("since"), match.group("id"),
          !match.group("how").startsWith("sudo"));
    }
    if (output.err().matches(NO_CONTAINER)) {
      return new Host.Unit("not-found", "inactive", "", 0, "", "", true);
    }
    throw new Failure(Exit.UNSAFE,
        "%s: %s does not tell of the container %s: %s".formatted(host.name(), engine, name, Host.last(output.err())),
        "is %1$s installed there, and may this user ask it, or with sudo? NOPASSWD: /usr/bin/%1$s *".formatted(engine));
  }

  /** The engine's words for a state in those of systemd; one that nobody knows does not count as stopped. */
  static String active(String status, String exit) {
    return switch (status) {
      case "running", "paused" -> "active"; // a paused one goes on when it is continued
      case "created", "initialized", "configured" -> "inactive";
      case "exited", "stopped", "dead" -> STOPPED.contains(exit) ? "inactive" : "failed";
      case "restarting" -> "activating";
      case "removing", "stopping" -> "deactivating";
      default -> status;
    };
  }

  /** @param verb stop or start */
  String command(Host.Unit unit, String verb) {
    return sudo(unit) + engine + " " + verb + (verb.equals("stop") ? " -t 90 " : " ") + unit.invocation();
  }

  /** @param range options of journalctl: {@code --lines=20}, {@code --since="10 min ago"}, {@code --follow} */
  String logs(Host.Unit unit, String range) {
    var since = Pattern.compile("--since=\"([^\"]*)\"").matcher(range);
    var options = since.find() ? since.replaceFirst("--since=" + since(since.group(1))) : range;
    return sudo(unit) + engine + " logs" + options.replaceAll("--lines=(\\d+)", "--tail=$1") + " " + unit.invocation()
        + " 2>&1";
  }

  /** A time of journalctl as the engines know it. */
  static String since(String text) {
    var ago = Pattern.compile("(\\d+) ?(s|m|h)[a-z]* ago").matcher(text);
    if (ago.matches()) {
      return ago.group(1) + ago.group(2);
    }
    var time = Pattern
        .compile("(\\d{4}-\\d\\d-\\d\\d)[ T](\\d\\d:\\d\\d(?::\\d\\d(?:\\.\\d+)?)?)(?: ?(Z|[+-]\\d\\d):?(\\d\\d)?.*)?")
        .matcher(text);
    if (time.matches()) {
      var clock = time.group(2).length() == 5 ? time.group(2) + ":00" : time.group(2);
      var zone = time.group(3) == null ? "" : time.group(3).equals("Z") ? "Z" : time.group(3) + ":" + time.group(4);
      return time.group(1) + "T" + clock + zone;
    }
    if (text.matches("\\d{4}-\\d\\d-\\d\\d")) {
      return text;
    }
    throw new Failure(Exit.USAGE, "--since '%s' is not a time that docker or podman knows".formatted(text),
        "write it as '10 min ago' or '2026-11-22 18:00'");
  }

  private static String sudo(Host.Unit unit) {
    return unit.root() ? "" : "sudo -n ";
  }
}

/** TheHive on one of its nodes: its systemd unit or its container, and who listens on its port. */
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

  /** The unit or the container, by its name. */
  String service() {
    return host.container() == null ? settings.service() : "container " + host.container().name();
  }

  Host.Unit unit() {
    return host.container() == null ? host.unit(settings.service()) : host.container().unit(host);
  }

  /** The unit, masked or not; an unknown unit does not count as stopped. */
  Host.Unit requireInstalled() {
    var unit = unit();
    if (!unit.isInstalled()) {
      throw new Failure(Exit.UNSAFE,
          "%s: the %s is %s".formatted(host.name(), kind(), unit.load().isEmpty() ? "unknown" : unit.load()),
          host.container() == null ? "THEHIVE_SERVICE names TheHive's unit; is TheHive installed there?"
              : "THEHIVE_NODES names the container as '%s ps -a' does".formatted(host.container().engine()));
    }
    return unit;
  }

  private String kind() {
    return host.container() == null ? "unit " + settings.service() : service();
  }

  String systemctl(Host.Unit unit, String verb) {
    return host.container() != null ? host.container().command(unit, verb)
        : asRoot(unit, "systemctl %s %s".formatted(verb, settings.service()));
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
    throw refused(verb, Host.last(output.err()));
  }

  Failure refused(String verb, String said) {
    var program = host.container() == null ? "systemctl" : host.container().engine();
    if (!said.startsWith("sudo:")) {
      return new Failure(Exit.UNSAFE, "%s: %s %s: %s".formatted(name(), program, verb, said), null);
    }
    return new Failure(Exit.AUTHENTICATION, "%s: %s".formatted(name(), said),
        said.contains("tty") || said.contains("terminal is required")
        ? "sudo wants a terminal there: \"Defaults !requiretty\" for this user, or name the node as root@" + name()
        : "allow it without a password there: NOPASSWD: " + (host.container() == null
                ? "/usr/bin/systemctl * %s, /usr/bin/journalctl *".formatted(settings.service())
                : "/usr/bin/%s *".formatted(program)));
  }

  /** @param range options of journalctl, such as {@code  --lines=20} */
  String journal(Host.Unit unit, String range) {
    return host.container() != null ? host.container().logs(unit, range) : asRoot(unit,
        "journalctl --unit=%s --output=short-iso --no-hostname --no-pager%s".formatted(settings.service(), range));
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
        return Optional.of(new Failure(Exit.UNSAFE,
            "%s has no %s: whether TheHive runs there is not known".formatted(host.name(), kind()),
            "check THEHIVE_NODES and THEHIVE_SERVICE; --force goes on all the same"));
      }
      if (!unit.isStopped()) {
        return Optional.of(
            new Failure(Exit.UNSAFE, "TheHive is still running on %s: %s is %s".formatted(host.name(), service(), unit),
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
    case THEHIVE -> Optional.of(new Failure(Exit.UNSAFE,
        "TheHive answers on %s, port %d, although its %s does not run".formatted(host.name(), port, kind()),
        "it was started by hand or runs in a container: stop it there (ss -ltnp shows the process); --force goes"
            + " on all the same"));
      case SOMETHING_ELSE, NOBODY -> Optional.empty();
      case NO_ANSWER -> !listener.get().isJava() ? Optional.empty() : Optional.of(new Failure(Exit.UNSAFE,
          "a Java process listens on TheHive's port %d of %s and does not answer".formatted(port, host.name()),
        "it may be TheHive on its way up or down: see ss -ltnp there; THEHIVE_URL names another port; --force"
            + " goes on all the same"));
    };
  }

  /** Who listens on the port of THEHIVE_URL on that node; empty where nobody does, or where the node does not tell. */
  Optional<Listener> listener() {
    var port = application().port();
    try {
      var hex = "%04X".formatted(port);
      var answer = host.run(
          ("grep -ci \"^ *[0-9]*: [0-9A-F]*:%s [0-9A-F]*:0000 0A\" /proc/net/tcp /proc/net/tcp6; (sudo -n ss -Hltnp"
              + " || ss -Hltnp) 2>/dev/null | grep \":%d \"").formatted(hex, port), Duration.ofSeconds(30)).out();
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
 * The hosts of TheHive and how they are asked.
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
      throw new Failure(Exit.USAGE, "THEHIVE_SERVICE '%s' is not the name of a unit".formatted(service),
          "name it as systemctl does, such as thehive");
    }
    return new TheHiveSettings(Host.named(settings.text(NODES)), settings.isSet(NODES), service, settings.text(URL),
        settings.optionalPath(CA));
  }
}

/** TLS from PEM files, or from the stores (JKS, PKCS12) that TheHive's own configuration names. */
final class Tls {
  private static final int JKS = 0xFE;
  private static final int DER = 0x30;

  private Tls() {}

  static X509TrustManager trust(Path ca) {
    return trust(ca, null);
  }

  /**
   * Trusts the CA certificates of a file, and no others.
   *
   * @param password of a store; null where there is none
   */
  static X509TrustManager trust(Path ca, String password) {
    try {
      var trusted = KeyStore.getInstance("PKCS12");
      trusted.load(null, null);
      for (var certificate : certificates(ca, password)) {
        trusted.setCertificateEntry("ca" + trusted.size(), certificate);
      }
      if (trusted.size() == 0) {
        throw new CertificateException(password == null && store(ca, null).isPresent()
            ? "it shows no certificate without its password" : "it holds no certificate");
      }
      var managers = TrustManagerFactory.getInstance(TrustManagerFactory.getDefaultAlgorithm());
      managers.init(trusted);
      return (X509TrustManager) managers.getTrustManagers()[0];
    } catch (GeneralSecurityException | IOException e) {
      throw new Failure(Exit.USAGE, "cannot use the CA certificate %s: %s".formatted(ca, e.getMessage()),
          "it must be a PEM file, or a JKS or PKCS12 store with its password");
    }
  }

  private static Collection<? extends Certificate> certificates(Path file, String password)
      throws GeneralSecurityException, IOException {
    var store = store(file, password);
    if (store.isEmpty()) {
      try (var in = Files.newInputStream(file)) {
        return CertificateFactory.getInstance("X.509").generateCertificates(in);
      }
    }
    var certificates = new ArrayList<Certificate>();
    for (var alias : Collections.list(store.get().aliases())) {
      if (store.get().isCertificateEntry(alias)) {
        certificates.add(store.get().getCertificate(alias));
      }
    }
    return certificates;
  }

  /** The file as a JKS or PKCS12 store; empty where it is not one. */
  static Optional<KeyStore> store(Path file, String password) throws GeneralSecurityException, IOException {
    var first = -1;
    try (InputStream in = Files.newInputStream(file)) {
      first = in.read();
    }
    if (first != JKS && first != DER) {
      return Optional.empty();
    }
    try {
      return Optional.of(KeyStore.getInstance(file.toFile(), password == null ? null : password.toCharArray()));
    } catch (KeyStoreException e) {
      return Optional.empty(); // a single certificate in DER begins like a store
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
 * Sets what Java cannot set of files: texts of symbolic links that are not paths in their shortest form, times far
 * away.
 */
final class UnixFiles {
  /** The last second whose nanoseconds Java can count. */
  private static final long LAST = Long.MAX_VALUE / 1_000_000_000 - 1;

  private UnixFiles() {}

  /** Makes a symbolic link with exactly this text: Java would write {@code dir} for {@code dir/}. */
  static void createLink(Path link, String text) throws IOException {
    if (Path.of(text).toString().equals(text)) {
      Files.createSymbolicLink(link, Path.of(text));
    } else {
      run(link, List.of("ln", "-s", "-T", "--", text, link.toString()));
    }
  }

  /** Sets the times of the last change and access; not of symbolic links. */
  static void setTime(Path path, Instant time) throws IOException {
    if (time.getEpochSecond() >= 0 && time.getEpochSecond() < LAST) {
      var both = FileTime.from(time);
      Files.getFileAttributeView(path, BasicFileAttributeView.class, LinkOption.NOFOLLOW_LINKS).setTimes(both, both,
          null);
    } else {
      // Java loses fractions of seconds before 1970, and takes what is after 2262 for the year 2262.
      var seconds = BigDecimal.valueOf(time.getEpochSecond()).add(BigDecimal.valueOf(time.getNano(), 9));
      run(path, List.of("touch", "-h", "-c", "-d", "@" + seconds.toPlainString(), "--", path.toString()));
    }
  }

  private static void run(Path path, List<String> command) throws IOException {
    try {
      var process = new ProcessBuilder(command).redirectErrorStream(true).start();
      process.getOutputStream().close();
      var said = new String(process.getInputStream().readAllBytes(), StandardCharsets.UTF_8).strip();
      if (process.waitFor() != 0) {
        throw new FileSystemException(path.toString(), null, said.replaceFirst(".*: ", ""));
      }
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
      throw new FileSystemException(path.toString(), null, "interrupted");
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
    void accept(int worker, int i) throws Exception;
  }

  Workers(int count) {
    this.count = count;
    this.pool = Executors.newFixedThreadPool(count, Console::daemon);
  }

  /** Numbers are handed out in order; a worker has one at a time. */
  void run(int total, Work work) throws IOException {
    var next = new AtomicInteger();
    var failed = new AtomicReference<Throwable>();
    var all = IntStream.range(0, Math.min(count, total)).mapToObj(worker -> CompletableFuture.runAsync(() -> {
      try {
        for (int i = next.getAndIncrement(); i < total && failed.get() == null; i = next.getAndIncrement()) {
          work.accept(worker, i);
        }
      } catch (Throwable thrown) {
        failed.compareAndSet(null, thrown);
      }
    }, pool)).toArray(CompletableFuture[]::new);
    CompletableFuture.allOf(all).join();
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

/** A .zip, also one that is encrypted. Names, times and links are what unzip makes of them. */
final class ZipArchive extends Archive {
  private static final int DOS = 0;
  private static final int UNIX = 3;
  private static final int EXTENDED_TIME = 0x5455;
  private static final int WINDOWS_TIME = 0x000a;
  private static final int UNICODE_NAME = 0x7075;
  private static final long SECONDS_FROM_1601 = 11_644_473_600L;
  private static final int LONGEST_LINK = 4096;
  private static final int LARGEST_BUFFER = 8 << 10;
  private static final int SMALLEST_BUFFER = 512;
  private final ZipDirectory directory;
  private final char[] password;

  ZipArchive(Path path, Optional<String> password) throws IOException {
    super(path);
    this.directory = new ZipDirectory(path);
    this.password = password.map(String::toCharArray).orElse(null);
  }

  @Override
  void index(Consumer<ArchiveEntry> visitor) {
    var holdsNothing = new boolean[] {true};
    try {
      directory.each((header, position) -> {
        holdsNothing[0] = false;
        visitor.accept(entry(header, position));
      });
    } catch (IOException e) {
      throw broken(Failure.of(e).getMessage(), e);
    }
    if (holdsNothing[0]) {
      throw broken("it holds nothing", null);
    }
  }

  private ArchiveEntry entry(FileHeader header, long position) throws IOException {
    if (header.isEncrypted() && password == null) {
      throw new Failure(Exit.AUTHENTICATION, path + " is encrypted", "set BACKUP_PASSWORD or BACKUP_PASSWORD_FILE");
    }
    var name = name(header);
    var isFolder = name.length > 0 && name[name.length - 1] == '/';
    var path = EntryName.normal(name);
    var attributes = header.getExternalFileAttributes();
    var mode = (attributes[3] & 0xff) << 8 | attributes[2] & 0xff;
    var kind = switch (mode & 0170000) {
      case 0, 0100000 -> isFolder ? Kind.FOLDER : Kind.FILE;
      case 0040000 -> Kind.FOLDER;
      case 0120000 -> Kind.LINK;
      default -> Kind.OTHER;
    };
    var link = kind == Kind.LINK ? EntryName.link(link(header), path) : null;
    var size = kind == Kind.FILE ? header.getUncompressedSize() : 0;
    var time = time(header);
    return new ArchiveEntry(kind, path, size, position, null, link, mode == 0 ? -1 : mode & 07777,
        Math.floorDiv(time, 1_000_000_000L),
        (int) Math.floorMod(time, 1_000_000_000L), Owner.UNKNOWN);
  }

  private byte[] link(FileHeader header) throws IOException {
    try (var in = stream(header)) {
      return in.readNBytes(LONGEST_LINK);
    }
  }

  /** The name as UTF-8; from DOS and Windows, where a program wrote backslashes instead of slashes, with slashes. */
  private static byte[] name(FileHeader header) {
    var name = utf8Name(header);
    if (host(header) == DOS && indexOf(name, '/') < 0) {
      for (int at = indexOf(name, '\\'); at >= 0; at = indexOf(name, '\\')) {
        name[at] = '/';
      }
    }
    return name;
  }

  private static int indexOf(byte[] name, char wanted) {
    var at = name.length - 1;
    while (at >= 0 && name[at] != wanted) {
      at--;
    }
    return at;
  }

  private static int host(FileHeader header) {
    return header.getVersionMadeBy() >> 8;
  }

  /**
   * Takes a name as it is where the entry says that it is UTF-8, and on Unix; others are in the old code page of DOS.
   */
  private static byte[] utf8Name(FileHeader header) {
    var raw = header.getFileName().getBytes(StandardCharsets.ISO_8859_1);
    if (header.isFileNameUTF8Encoded()) {
      return raw;
    }
    var unicode = extra(header, UNICODE_NAME);
    if (unicode != null && unicode.remaining() > 5) {
      var crc = new CRC32();
      crc.update(raw);
      if (unicode.getInt(1) == (int) crc.getValue()) {
        return Arrays.copyOfRange(unicode.array(), 5, unicode.capacity());
      }
    }
    return host(header) == UNIX || !Charset.isSupported("IBM437") ? raw
        : new String(raw, Charset.forName("IBM437")).getBytes(StandardCharsets.UTF_8);
  }

  /** In nanoseconds since 1970: exact where an extension has it; DOS knows even seconds of an unknown time zone. */
  private static long time(FileHeader header) {
    var unix = extra(header, EXTENDED_TIME);
    if (unix != null && unix.remaining() >= 5 && (unix.get(0) & 1) != 0) {
      return unix.getInt(1) * 1_000_000_000L;
    }
    var windows = extra(header, WINDOWS_TIME);
    if (windows != null && windows.remaining() >= 16 && windows.getShort(4) == 1) {
      var ticks = windows.getLong(8); // of 100 nanoseconds
      return (ticks / 10_000_000 - SECONDS_FROM_1601) * 1_000_000_000L + ticks % 10_000_000 * 100;
    }
    return header.getLastModifiedTimeEpoch() * 1_000_000L;
  }

  private static ByteBuffer extra(FileHeader header, int id) {
    var records = header.getExtraDataRecords();
    return records == null ? null
        : records.stream().filter(record -> record.getHeader() == id && record.getData() != null)
            .map(ExtraDataRecord::getData).map(data -> ByteBuffer.wrap(data).order(ByteOrder.LITTLE_ENDIAN)).findFirst()
            .orElse(null);
  }

  @Override
  void each(Visitor visitor) throws Exception {
    var entries = new ArrayList<ArchiveEntry>();
    index(entries::add);
    for (var entry : entries) {
      visitor.accept(entry, content(entry));
    }
  }

  @Override
  boolean isSeekable() {
    return true;
  }

  @Override
  Content content(ArchiveEntry entry) {
    return () -> stream(directory.header(entry.offset()));
  }

  private InputStream stream(FileHeader header) throws IOException {
    var file = FileChannel.open(path);
    try {
      // Most files of a backup with very many are small.
      var buffer = (int) Math.max(SMALLEST_BUFFER, Math.min(LARGEST_BUFFER, header.getCompressedSize()));
      var in = new ZipInputStream(
          new BufferedInputStream(Channels.newInputStream(file.position(header.getOffsetLocalHeader())), buffer),
          password, new Zip4jConfig(StandardCharsets.ISO_8859_1, buffer, true));
      if (in.getNextEntry(header, false) == null) {
        throw new IOException("the list of its files is damaged");
      }
      return in;
    } catch (IOException | RuntimeException e) {
      file.close();
      if (e instanceof ZipException zip && zip.getType() == ZipException.Type.WRONG_PASSWORD) {
        throw new Failure(Exit.AUTHENTICATION, "wrong password for " + path,
            "check BACKUP_PASSWORD or BACKUP_PASSWORD_FILE");
      }
      throw e;
    }
  }

  @Override
  public void close() throws IOException {
    directory.close();
  }
}

/**
 * The central directory of a zip, read one header at a time: Zip4j by itself keeps all of them, and a million need more
 * than a gigabyte of memory.
 */
final class ZipDirectory implements Closeable {
  private static final int HEADER = 0x02014b50;
  private static final int HEADER_LENGTH = 46;
  private static final int END = 0x06054b50;
  private static final int END_LENGTH = 22;
  private static final int END_64 = 0x06064b50;
  private static final int END_64_LENGTH = 56;
  private static final int LOCATOR_64 = 0x07064b50;
  private static final int LOCATOR_64_LENGTH = 20;
  private static final int SIZES_64 = 1;
  private static final int LONGEST_COMMENT = 0xffff;
  private static final long IN_EXTRA_FIELD = 0xffffffffL;
  /** Most headers fit into one read with all that belongs to them. */
  private static final int USUAL_LENGTH = 512;
  private final FileChannel channel;
  private final long start;
  private final long end;
  private final long count;

  interface Visitor {
    /** @param position where the header is: {@link #header} reads it there again */
    void accept(FileHeader header, long position) throws IOException;
  }

  ZipDirectory(Path zip) throws IOException {
    channel = FileChannel.open(zip);
    var last = endRecord();
    var record = read(last, END_LENGTH);
    var locator = last < LOCATOR_64_LENGTH ? null : read(last - LOCATOR_64_LENGTH, LOCATOR_64_LENGTH);
    if (locator != null && locator.getInt(0) == LOCATOR_64) {
      var record64 = read(locator.getLong(8), END_64_LENGTH);
      require(record64.getInt(0) == END_64 && record64.getInt(16) == 0);
      count = record64.getLong(32);
      start = record64.getLong(48);
      end = start + record64.getLong(40);
    } else {
      require(record.getShort(4) == 0);
      count = unsigned(record.getShort(10));
      start = unsigned(record.getInt(16));
      end = start + unsigned(record.getInt(12));
    }
    require(start >= 0 && end >= start && end <= last);
  }

  /** The place of the record that ends a zip; only a comment comes after it. */
  private long endRecord() throws IOException {
    var length = (int) Math.min(channel.size(), END_LENGTH + LONGEST_COMMENT);
    var tail = read(channel.size() - length, length);
    for (int at = length - END_LENGTH; at >= 0; at--) {
      if (tail.getInt(at) == END) {
        return channel.size() - length + at;
      }
    }
    throw new EOFException("it has no list of its files: it is cut short");
  }

  private ByteBuffer read(long position, int length) throws IOException {
    require(position >= 0);
    var bytes = readSome(position, length);
    require(bytes.limit() == length);
    return bytes;
  }

  /** Reads so many bytes, or those until the file's end. */
  private ByteBuffer readSome(long position, int length) throws IOException {
    var bytes = ByteBuffer.allocate(length).order(ByteOrder.LITTLE_ENDIAN);
    while (bytes.hasRemaining() && channel.read(bytes, position + bytes.position()) > 0) {
      // until it is full
    }
    return bytes.flip();
  }

  private static void require(boolean good) throws IOException {
    if (!good) {
      throw new IOException("the list of its files is damaged");
    }
  }

  private static long unsigned(int number) {
    return number & 0xffffffffL;
  }

  private static int unsigned(short number) {
    return number & 0xffff;
  }

  /** Gives all headers in their order; proves that there are as many as the zip says. */
  void each(Visitor visitor) throws IOException {
    var found = 0L;
    for (var position = start; position < end; found++) {
      var header = header(position);
      visitor.accept(header, position);
      position += length(header);
    }
    require(found == count);
  }

  private static int length(FileHeader header) {
    return HEADER_LENGTH + header.getFileNameLength() + header.getExtraFieldLength() + header.getFileCommentLength();
  }

  /** The header at a place: what is needed to read the file, its name as ISO 8859-1, and its attributes. */
  FileHeader header(long position) throws IOException {
    var bytes = readSome(position, USUAL_LENGTH);
    require(bytes.limit() >= HEADER_LENGTH && bytes.getInt(0) == HEADER);
    var header = new FileHeader();
    header.setFileNameLength(unsigned(bytes.getShort(28)));
    header.setExtraFieldLength(unsigned(bytes.getShort(30)));
    header.setFileCommentLength(unsigned(bytes.getShort(32)));
    require(position + length(header) <= end);
    if (length(header) > bytes.limit()) {
      bytes = read(position, length(header));
    }
    var flags = unsigned(bytes.getShort(8));
    header.setEncrypted((flags & 1) != 0);
    header.setFileNameUTF8Encoded((flags & 0x800) != 0);
    header.setVersionMadeBy(unsigned(bytes.getShort(4)));
    header.setLastModifiedTime(unsigned(bytes.getInt(12)));
    header.setCrc(unsigned(bytes.getInt(16)));
    header.setCompressedSize(unsigned(bytes.getInt(20)));
    header.setUncompressedSize(unsigned(bytes.getInt(24)));
    header.setExternalFileAttributes(new byte[] {bytes.get(38), bytes.get(39), bytes.get(40), bytes.get(41)});
    header.setOffsetLocalHeader(unsigned(bytes.getInt(42)));
    var name = new String(bytes.array(), HEADER_LENGTH, header.getFileNameLength(), StandardCharsets.ISO_8859_1);
    header.setFileName(name);
    header.setDirectory(name.endsWith("/"));
    requireReadable(name, unsigned(bytes.getShort(10)));
    addExtraFields(header, bytes.position(HEADER_LENGTH + header.getFileNameLength()));
    return header;
  }

  /** Stored, deflated, or encrypted: then its own method is elsewhere. */
  private static void requireReadable(String name, int method) throws IOException {
    if (method != 0 && method != 8 && method != 99) {
      throw new IOException("its entry '%s' is compressed by method %d, which is not read: pack it with deflate"
          .formatted(EntryName.shown(name), method));
    }
  }

  private static void addExtraFields(FileHeader header, ByteBuffer bytes) throws IOException {
    var fields = new ArrayList<ExtraDataRecord>();
    var fieldsEnd = bytes.position() + header.getExtraFieldLength();
    while (fieldsEnd - bytes.position() >= 4) {
      var field = new ExtraDataRecord();
      field.setHeader(unsigned(bytes.getShort()));
      field.setSizeOfData(unsigned(bytes.getShort()));
      if (field.getSizeOfData() > fieldsEnd - bytes.position()) {
        break; // some programs fill it up
      }
      var data = new byte[field.getSizeOfData()];
      bytes.get(data);
      field.setData(data);
      fields.add(field);
      if (field.getHeader() == SIZES_64) {
        setLongNumbers(header, ByteBuffer.wrap(data).order(ByteOrder.LITTLE_ENDIAN));
      }
    }
    header.setExtraDataRecords(fields);
  }

  /** Sets the numbers for which the header has no room; only those are in the field. */
  private static void setLongNumbers(FileHeader header, ByteBuffer numbers) throws IOException {
    header.setUncompressedSize(longNumber(header.getUncompressedSize(), numbers));
    header.setCompressedSize(longNumber(header.getCompressedSize(), numbers));
    header.setOffsetLocalHeader(longNumber(header.getOffsetLocalHeader(), numbers));
  }

  private static long longNumber(long number, ByteBuffer numbers) throws IOException {
    if (number != IN_EXTRA_FIELD) {
      return number;
    }
    require(numbers.remaining() >= 8);
    var whole = numbers.getLong();
    require(whole >= 0);
    return whole;
  }

  @Override
  public void close() throws IOException {
    channel.close();
  }
}
