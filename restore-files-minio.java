///usr/bin/env jbang "$0" "$@" ; exit $?
//DESCRIPTION Restores TheHive's attachments into an S3 bucket from a hot backup
//JAVA 17+
//DEPS com.fasterxml.jackson.core:jackson-databind:2.23.0
//DEPS com.fasterxml.jackson.dataformat:jackson-dataformat-smile:2.23.0 // in which Elasticsearch writes a snapshot's files
//DEPS com.github.luben:zstd-jni:1.5.7-28 // for .tar.zst, and for SSTables compressed with Zstd
//DEPS com.squareup.okhttp3:okhttp-jvm:5.5.1 // the SDK names okhttp, whose classes are in this one
//DEPS com.typesafe:config:1.4.3 // HOCON with includes and substitutions, as TheHive itself reads it
//DEPS commons-codec:commons-codec:1.23.0
//DEPS commons-io:commons-io:2.22.0
//DEPS dev.failsafe:failsafe:3.3.2
//DEPS info.picocli:picocli:4.7.7
//DEPS io.minio:minio:9.0.4
//DEPS net.lingala.zip4j:zip4j:2.11.6
//DEPS org.apache.commons:commons-compress:1.28.0
//DEPS org.tukaani:xz:1.12 // for .tar.xz
// Of the classes below the marker, written by ./jbang lib/embed.java:
//COMPILE_OPTIONS -encoding UTF-8
//JAVA_OPTIONS -Xmx352m -XX:+UseSerialGC -Xmn48m
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
import dev.failsafe.Failsafe;
import dev.failsafe.RetryPolicy;
import dev.failsafe.function.CheckedPredicate;
import io.minio.AbortMultipartUploadArgs;
import io.minio.BucketExistsArgs;
import io.minio.Checksum;
import io.minio.CompleteMultipartUploadArgs;
import io.minio.CreateMultipartUploadArgs;
import io.minio.DeleteObjectsArgs;
import io.minio.GetBucketVersioningArgs;
import io.minio.GetObjectArgs;
import io.minio.GetObjectLockConfigurationArgs;
import io.minio.Http;
import io.minio.ListObjectsV2Args;
import io.minio.MakeBucketArgs;
import io.minio.MinioAsyncClient;
import io.minio.PutObjectAPIArgs;
import io.minio.RemoveObjectArgs;
import io.minio.StatObjectArgs;
import io.minio.StatObjectResponse;
import io.minio.UploadPartArgs;
import io.minio.credentials.StaticProvider;
import io.minio.errors.ErrorResponseException;
import io.minio.errors.InvalidResponseException;
import io.minio.errors.ServerException;
import io.minio.errors.XmlParserException;
import io.minio.messages.DeleteRequest;
import io.minio.messages.ErrorResponse;
import io.minio.messages.Part;
import io.minio.messages.VersioningConfiguration;
import java.io.BufferedInputStream;
import java.io.ByteArrayInputStream;
import java.io.ByteArrayOutputStream;
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
import java.net.NoRouteToHostException;
import java.net.SocketTimeoutException;
import java.net.URI;
import java.net.URLConnection;
import java.net.UnknownHostException;
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
import java.nio.file.FileSystemException;
import java.nio.file.Files;
import java.nio.file.InvalidPathException;
import java.nio.file.LinkOption;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.nio.file.StandardOpenOption;
import java.nio.file.attribute.BasicFileAttributes;
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
import java.util.HexFormat;
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
import java.util.concurrent.BlockingQueue;
import java.util.concurrent.Callable;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionException;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.ConcurrentSkipListMap;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.LinkedBlockingQueue;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.TimeoutException;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.concurrent.atomic.AtomicLong;
import java.util.concurrent.atomic.AtomicReference;
import java.util.function.BiConsumer;
import java.util.function.Consumer;
import java.util.function.Function;
import java.util.function.IntPredicate;
import java.util.function.LongConsumer;
import java.util.function.LongSupplier;
import java.util.function.Predicate;
import java.util.function.Supplier;
import java.util.regex.Pattern;
import java.util.stream.Collectors;
import java.util.stream.IntStream;
import java.util.stream.Stream;
import java.util.zip.CRC32;
import java.util.zip.CRC32C;
import java.util.zip.Inflater;
import java.util.zip.InflaterInputStream;
import javax.net.ssl.KeyManager;
import javax.net.ssl.SSLContext;
import javax.net.ssl.SSLException;
import javax.net.ssl.SSLHandshakeException;
import javax.net.ssl.SSLPeerUnverifiedException;
import javax.net.ssl.TrustManager;
import javax.net.ssl.TrustManagerFactory;
import javax.net.ssl.X509TrustManager;
import net.lingala.zip4j.exception.ZipException;
import net.lingala.zip4j.io.inputstream.ZipInputStream;
import net.lingala.zip4j.model.ExtraDataRecord;
import net.lingala.zip4j.model.FileHeader;
import net.lingala.zip4j.model.Zip4jConfig;
import okhttp3.Dispatcher;
import okhttp3.OkHttpClient;
import okhttp3.Protocol;
import org.apache.commons.codec.digest.DigestUtils;
import org.apache.commons.compress.archivers.tar.TarArchiveEntry;
import org.apache.commons.compress.archivers.tar.TarArchiveOutputStream;
import org.apache.commons.compress.compressors.bzip2.BZip2CompressorInputStream;
import org.apache.commons.compress.compressors.gzip.GzipCompressorInputStream;
import org.apache.commons.compress.compressors.xz.XZCompressorInputStream;
import org.apache.commons.compress.compressors.zstandard.ZstdCompressorInputStream;
import org.apache.commons.io.function.IOSupplier;
import org.apache.commons.io.input.BoundedInputStream;
import org.apache.commons.io.input.BufferedFileChannelInputStream;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Option;
import picocli.CommandLine.ParameterException;
import picocli.CommandLine.ScopeType;
import picocli.CommandLine;

/**
 * Step 3 of "Restore a hot backup on a cluster", for attachments in an S3 bucket (MinIO, SeaweedFS, Ceph RGW, AWS): the
 * bucket ends up exactly as in the backup. Objects that the backup does not hold are removed. TheHive must be stopped.
 *
 * <pre>MINIO_ENDPOINT=http://10.0.0.5:9000 MINIO_ACCESS_KEY=thehive ./restore-files-minio.java --dry-run</pre>
 */
@Command(
    name = "restore-files-minio.java",
    description = "Restores TheHive's attachments into an S3 bucket from a hot backup.",
    version = Release.VERSION,
    mixinStandardHelpOptions = true,
    sortOptions = false,
    abbreviateSynopsis = true,
    synopsisHeading = "Usage: ./jbang ",
    footer = {"%nExample: ./jbang restore-files-minio.java --dry-run", Exit.OF_RESTORES})
class RestoreFilesMinio implements Callable<Integer> {
  static final String SCRIPT = "restore-files-minio";
  static final List<Variable> VARIABLES =
      Stream.of(S3Settings.VARIABLES, TheHiveSettings.VARIABLES, CommonSettings.VARIABLES)
      .flatMap(List::stream).toList();

  @Option(names = "--backup", paramLabel = "POINT",
      description = "timestamp, name or path of the backup (the newest)")
  String wanted;

  @Option(names = "--max-gap", paramLabel = "DURATION", defaultValue = "PT15M",
      description = "longest time between the backups (${DEFAULT-VALUE})")
  Duration maxGap;

  @Option(names = "--keep-extra", description = "leave objects that are not in the backup")
  boolean keepExtra;

  @Option(names = "--max-delete", paramLabel = "PERCENT", defaultValue = "50",
      description = "ask again before removing more than this part (${DEFAULT-VALUE})")
  int maxDelete;

  @Option(names = "--create-bucket", description = "create the bucket if it is not there")
  boolean createBucket;

  @Option(names = "--transfers", paramLabel = "N",
      description = "requests side by side, 1 to 12 (by the cores: ${DEFAULT-VALUE})")
  int transfers = Math.max(4, Math.min(8, 2 * Runtime.getRuntime().availableProcessors()));

  @Option(names = "--one-by-one", description = "send every object by itself, also to a server that unpacks tars")
  boolean oneByOne;

  @Mixin RestoreConsole console = new RestoreConsole();

  public static void main(String[] args) {
    var script = new RestoreFilesMinio();
    System.exit(Commands.run(script, script.console, VARIABLES, script::refused, args));
  }

  @Override
  public Integer call() throws Exception {
    requireOptions();
    var settings = Settings.fromEnvironment();
    var s3 = S3Settings.of(settings, System.getenv());
    var common = CommonSettings.of(settings);
    console.requireTheHiveStopped(TheHiveSettings.of(settings));
    var chosen = BackupSet.objects(s3.archives()).choose(wanted, maxGap);
    chosen.warnings().forEach(warning -> console.warn("%s", warning));
    var backup = chosen.backup();
    console.step("Restoring attachments from %s, taken %s", backup.file(), backup.age());
    try (var run = new RestoreRun(console.stateFolder(common, s3.archives(), wanted), SCRIPT, console.dryRun);
        var archive = new AttachmentArchive(backup.file(), common.archivePassword());
        var bucket = new S3Bucket(s3, transfers + 2)) {
      run.problem().ifPresent(console::refuseUnlessForced);
      var comparison = new BucketComparison(archive);
      var plan = compare(comparison, bucket, run, settings);
      var outlook = RestoreOutlook.of(run, PlannedPoint.line(settings, chosen.backups(), maxGap, Optional.empty()),
          Map.of("s3", plan.bytes()), report -> true);
      run.steps.time("", StepTimes.QUESTION, () -> confirm(plan, bucket, settings, outlook));
      return console.dryRun ? endDryRun(plan) : restore(plan, comparison, bucket, run, outlook);
    }
  }

  private void requireOptions() {
    if (transfers < 1 || transfers > 12) {
      throw new Failure(Exit.USAGE, "--transfers " + transfers + " is not within 1 to 12",
          "each one needs 8 MB of memory");
    }
    if (maxDelete < 0 || maxDelete > 100) {
      throw new Failure(Exit.USAGE, "--max-delete " + maxDelete + " is not within 0 to 100",
          "it is a percentage of the bucket's objects");
    }
  }

  /** Compares the bucket with the backup; content is read only where size and name are the same. */
  private BucketPlan compare(BucketComparison comparison, S3Bucket bucket, RestoreRun run, Settings settings)
      throws IOException {
    var exists = bucket.exists();
    if (!exists && !createBucket) {
      throw bucket.missing();
    }
    var extras = exists ? comparison.list(bucket) : BucketComparison.Extras.NONE;
    var unsure = comparison.sum(BucketComparison.State.SAME_SIZE);
    if (unsure.count() > 0) {
      console.step("Comparing %d objects of the same name and size (%s)", unsure.count(), Console.size(unsure.bytes()));
    }
    var done = new AtomicLong();
    try (var progress = console.progress("Comparing", unsure.bytes(), done::get, () -> "");
        var workers = new Workers(transfers)) {
      run.steps.time("s3", "compare", unsure.bytes(),
          () -> comparison.compareContents(bucket, workers, done::addAndGet));
    }
    return new BucketPlan(new BucketPlan.Setting(bucket.endpoint,
        settings.isSet(S3Settings.ENDPOINT) ? origin(settings, S3Settings.ENDPOINT)
            : "mc's alias " + settings.text(S3Settings.ALIAS)),
        new BucketPlan.Setting(bucket.name, origin(settings, S3Settings.BUCKET)),
        new BucketPlan.State(exists, exists && bucket.isVersioned(), exists && bucket.isLocked(),
            run.unfinished().has("unfinished")),
        comparison.sum(BucketComparison.State.MISSING), comparison.sum(BucketComparison.State.DIFFERENT),
        comparison.sum(BucketComparison.State.PROVEN), extras, keepExtra);
  }

  private static String origin(Settings settings, Variable variable) {
    var origin = settings.origin(variable);
    return origin.equals("set") ? variable.name() : origin;
  }

  private void confirm(BucketPlan plan, S3Bucket bucket, Settings settings, RestoreOutlook outlook) {
    var lines = new ArrayList<>(plan.lines(console.dryRun ? "Would" : "Will"));
    outlook.lines().forEach(line -> lines.add("  " + line));
    if (!settings.isSet(TheHiveSettings.NODES)) {
      lines.add("  whether TheHive is stopped was asked of this host only: THEHIVE_NODES names no other");
    }
    lines.add("");
    console.confirm(lines, bucket.address());
    plan.cannotKeep().ifPresent(this::refuse);
    if (plan.removesMoreThan(maxDelete)) {
      confirmRemoval(plan);
    }
  }

  /** A dry run goes on, and tells the reason again at its end. */
  private void refuse(Failure reason) {
    if (!console.dryRun) {
      throw reason;
    }
    console.refuseUnlessForced(reason);
  }

  /** The classic way to lose a bucket is to name the wrong one. */
  private void confirmRemoval(BucketPlan plan) {
    var question = "%d of the bucket's %d objects are not in the backup and would be removed"
        .formatted(plan.extras().count(), plan.extras().listed());
    var refusal = new Failure(Exit.DECLINED, question + ", nothing was changed",
        "is it the right bucket and backup? --keep-extra leaves them, --max-delete 100 removes them");
    if (console.dryRun) {
      console.refuseUnlessForced(refusal);
    } else if (!console.terminal
        || !("" + plan.extras().count())
            .equals(System.console().readLine("%n%s.%nType their number to remove them: ", question))) {
      throw refusal;
    }
  }

  private int endDryRun(BucketPlan plan) {
    console.step(
        "A dry run does not try whether these keys may put and delete: a real run does, before the first change.");
    var code = console.endDryRun();
    var report = Json.MAPPER.createObjectNode().put("script", SCRIPT).put("exit", code);
    plan.summary(0, Map.of()).forEach((name, value) -> report.set(name, Json.MAPPER.valueToTree(value)));
    return print(report.toPrettyString(),
        code == Exit.DONE ? plan.success("Would restore", plan.bytes()) : lastLine(code), code);
  }

  private int restore(BucketPlan plan, BucketComparison comparison, S3Bucket bucket, RestoreRun run,
      RestoreOutlook outlook) throws Exception {
    var restore = new BucketRestore(comparison, bucket, run, console, transfers);
    var batches = prepare(plan, bucket);
    run.begin(Set.of("files"));
    console.onInterrupt("The bucket is changed in part. Leave TheHive stopped, and run the same command again.");
    try {
      restore.abortOpenUploads();
      restore.clearTheWay(keepExtra ? List.of() : plan.extras().inTheWay());
      var extras = run.steps.value("s3", "send", plan.bytes(), () -> restore.send(batches));
      console.onInterrupt(
          "All of the backup is in the bucket, and perhaps more. Leave TheHive stopped, and run the same command"
              + " again.");
      run.steps.time("s3", "remove what is not in the backup", () -> restore.removeExtras(extras, keepExtra));
    } catch (Exception e) {
      return failed(run, plan, restore, Failure.of(e));
    }
    console.step("%s", outlook.end(run.steps));
    return finished(run, plan, restore);
  }

  /** Makes the bucket if need be, and tries out what these keys may do; true if the server unpacks tars. */
  private boolean prepare(BucketPlan plan, S3Bucket bucket) throws IOException {
    if (!plan.state().exists()) {
      bucket.create();
    }
    console.onInterrupt(
        (plan.state().exists() ? "No object of the bucket was changed" : "The bucket was created and is empty")
        + "; an object with which the rights were tried may be left. Run the same command again.");
    return new BucketProbe(bucket, plan.state().versioned()).run() && !oneByOne;
  }

  private int finished(RestoreRun run, BucketPlan plan, BucketRestore restore) throws IOException {
    var file = run.end(Exit.DONE, Set.of("files"), summary(plan, restore));
    console.onInterrupt(null);
    console.step("Report: %s", file);
    console.step(
        "Next: when Cassandra and Elasticsearch are restored too: ./jbang verify.java --exact --skip"
            + " services,logs, then ./jbang service-control.java start");
    return print(Files.readString(file), plan.success("Restored", restore.sent()), Exit.DONE);
  }

  private static Map<String, Object> summary(BucketPlan plan, BucketRestore restore) {
    var summary = plan.summary(restore.sent(), restore.failures());
    summary.put("backup", restore.backup().toString());
    summary.put("keptExtra", plan.keepExtra());
    return summary;
  }

  /** After the first change: the marker stays until a restore comes to its end. */
  private int failed(RestoreRun run, BucketPlan plan, BucketRestore restore, Failure failure) {
    console.error("", failure);
    var report = Json.failure(SCRIPT, failure);
    try {
      var summary = summary(plan, restore);
      summary.put("error", failure.getMessage());
      var file = run.end(failure.code, Set.of(), summary);
      console.step("Leave TheHive stopped. Report: %s", file);
      report = Files.readString(file);
    } catch (IOException e) {
      console.step("Leave TheHive stopped.");
      console.warn("cannot write the report: %s", Failure.of(e).getMessage());
    }
    return print(report, lastLine(failure.code), failure.code);
  }

  /** Before the first change. */
  private int refused(Failure failure) {
    console.error("", failure);
    return print(Json.failure(SCRIPT, failure), lastLine(failure.code), failure.code);
  }

  private static String lastLine(int code) {
    return "=== ✗ ERROR - attachments: exit %d ===".formatted(code);
  }

  private int print(String report, String line, int code) {
    System.out.println(console.json ? report : line);
    if (System.out.checkError() && code == Exit.DONE) {
      return console.error("",
          new Failure(Exit.UNEXPECTED, "the result could not be written to standard output", "it was: " + line));
    }
    return code;
  }
}

// ---- Below: copies of lib/*.java, written by ./jbang lib/embed.java. Change those files, not these lines. ----
