///usr/bin/env jbang "$0" "$@" ; exit $?
//DESCRIPTION Restores TheHive's attachments into an S3 bucket from a hot backup
//JAVA 17+
//DEPS com.fasterxml.jackson.core:jackson-databind:2.23.0
//DEPS com.github.luben:zstd-jni:1.5.7-28 // for .tar.zst, and for SSTables compressed with Zstd
//DEPS com.squareup.okhttp3:okhttp-jvm:5.5.1 // the SDK names okhttp, whose classes are in this one
//DEPS commons-codec:commons-codec:1.23.0
//DEPS commons-io:commons-io:2.22.0
//DEPS dev.failsafe:failsafe:3.3.2
//DEPS info.picocli:picocli:4.7.7
//DEPS io.minio:minio:9.0.4
//DEPS me.tongfei:progressbar:0.10.2
//DEPS net.lingala.zip4j:zip4j:2.11.6
//DEPS org.apache.commons:commons-compress:1.28.0
// Of the classes below the marker, written by ./jbang lib/embed.java:
//COMPILE_OPTIONS -encoding UTF-8
//JAVA_OPTIONS -Xmx352m -XX:+UseSerialGC -Xmn48m
//JAVA_OPTIONS -Dfile.encoding=UTF-8 -Dstdout.encoding=UTF-8 -Dstderr.encoding=UTF-8 -Djdk.console=java.base

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.SerializationFeature;
import com.fasterxml.jackson.databind.cfg.EnumFeature;
import com.fasterxml.jackson.databind.json.JsonMapper;
import com.fasterxml.jackson.databind.node.ObjectNode;
import dev.failsafe.Failsafe;
import dev.failsafe.RetryPolicy;
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
import java.io.ByteArrayOutputStream;
import java.io.Closeable;
import java.io.EOFException;
import java.io.File;
import java.io.FileNotFoundException;
import java.io.IOException;
import java.io.InputStream;
import java.io.UncheckedIOException;
import java.net.ConnectException;
import java.net.NoRouteToHostException;
import java.net.SocketTimeoutException;
import java.net.URI;
import java.net.URLConnection;
import java.net.UnknownHostException;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse;
import java.nio.ByteBuffer;
import java.nio.channels.Channels;
import java.nio.channels.FileChannel;
import java.nio.charset.CharacterCodingException;
import java.nio.charset.StandardCharsets;
import java.nio.file.FileSystemException;
import java.nio.file.Files;
import java.nio.file.InvalidPathException;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.nio.file.StandardOpenOption;
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
import java.util.Base64;
import java.util.Collections;
import java.util.Comparator;
import java.util.HashMap;
import java.util.HexFormat;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Objects;
import java.util.Optional;
import java.util.Set;
import java.util.TreeMap;
import java.util.TreeSet;
import java.util.UUID;
import java.util.concurrent.BlockingQueue;
import java.util.concurrent.Callable;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionException;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.LinkedBlockingQueue;
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
import java.util.regex.Pattern;
import java.util.stream.Collectors;
import java.util.stream.IntStream;
import java.util.stream.Stream;
import java.util.zip.CRC32C;
import javax.net.ssl.KeyManager;
import javax.net.ssl.SSLContext;
import javax.net.ssl.SSLException;
import javax.net.ssl.SSLHandshakeException;
import javax.net.ssl.SSLPeerUnverifiedException;
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
import okhttp3.Dispatcher;
import okhttp3.OkHttpClient;
import okhttp3.Protocol;
import org.apache.commons.codec.digest.DigestUtils;
import org.apache.commons.compress.archivers.tar.TarArchiveEntry;
import org.apache.commons.compress.archivers.tar.TarArchiveInputStream;
import org.apache.commons.compress.archivers.tar.TarArchiveOutputStream;
import org.apache.commons.compress.archivers.tar.TarConstants;
import org.apache.commons.compress.compressors.gzip.GzipCompressorInputStream;
import org.apache.commons.compress.compressors.zstandard.ZstdCompressorInputStream;
import org.apache.commons.io.IOUtils;
import org.apache.commons.io.function.IOSupplier;
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
 * Step 3 of "Restore a hot backup on a cluster", for attachments in an S3 bucket (MinIO, SeaweedFS, Ceph RGW, AWS): the
 * bucket ends up exactly as in the backup. Objects that the backup does not hold are removed. TheHive must be stopped.
 *
 * <pre>MINIO_ENDPOINT=http://10.0.0.5:9000 MINIO_ACCESS_KEY=thehive ./restore-files-minio.java --dry-run</pre>
 */
@Command(
    name = "restore-files-minio.java",
    description = "Restores TheHive's attachments into an S3 bucket from a hot backup.",
    version = "1.0.0",
    mixinStandardHelpOptions = true,
    sortOptions = false,
    abbreviateSynopsis = true,
    usageHelpAutoWidth = true)
class RestoreFilesMinio implements Callable<Integer> {
  static final String SCRIPT = "restore-files-minio";
  static final Set<String> TYPES = new TreeSet<>(Set.of("tar", "zip", "tar.gz", "tar.zst"));
  static final String PROBE = ".thehive-restore-probe-";
  /** Of a request's body: a part of a large object, or a tar of small ones. AWS's own tools cut parts alike. */
  static final int BODY = 8 << 20;
  static final long LARGEST = 10_000L * BODY;
  static final int SMALL = 1 << 20;
  static final int NAMED = 20;

  @Option(names = "--backup", paramLabel = "POINT",
      description = "timestamp, backup's name or path (the newest)")
  String wanted;

  @Option(names = "--max-gap", paramLabel = "DURATION", defaultValue = "PT15M",
      description = "longest time between the backups (${DEFAULT-VALUE})")
  Duration maxGap;

  @Option(names = "--keep-extra", description = "leave objects that are not in the backup")
  boolean keepExtra;

  @Option(names = "--max-delete", paramLabel = "PERCENT", defaultValue = "50",
      description = "ask again before removing more than this part of what is there (${DEFAULT-VALUE})")
  int maxDelete;

  @Option(names = "--transfers", paramLabel = "N", description = "requests side by side, 1 to 12 (by the cores: ${DEFAULT-VALUE})")
  int transfers = Math.max(4, Math.min(8, 2 * Runtime.getRuntime().availableProcessors()));

  @Option(names = "--one-by-one", description = "send every object by itself, also to a server that unpacks tars")
  boolean oneByOne;

  @Option(names = "--json", description = "print the result as JSON")
  boolean json;

  @Mixin RestoreConsole console = new RestoreConsole();

  @ArgGroup(validate = false, heading = "Attachments in an S3 bucket (MINIO_ACCESS_KEY, MINIO_SECRET_KEY):%n")
  BucketOptions options = new BucketOptions();

  @Spec CommandSpec command;

  public static void main(String[] args) {
    System.exit(commandLine(new RestoreFilesMinio()).execute(args));
  }

  static CommandLine commandLine(RestoreFilesMinio script) {
    return new CommandLine(script).setUsageHelpLongOptionsMaxWidth(24)
        .setExecutionExceptionHandler((thrown, line, parsed) -> script.failed(Failure.of(thrown)));
  }

  @Override
  public Integer call() throws Exception {
    refuseUsage();
    var login = OldLogin.of(options.endpoint, options.alias);
    console.requireTheHiveStopped(TheHiveSettings.of(Settings.fromEnvironment()));
    var backup = BackupSet.choose(options.archives, new TreeSet<>(Set.of("minio", "seaweedfs")), TYPES, wanted, maxGap);
    console.step("Restoring attachments from %s, taken %s", backup.file(), backup.age());
    try (var report = new RestoreRun(CommonSettings.of(Settings.fromEnvironment()).stateFolder(options.archives), SCRIPT, console.dryRun);
        var members = new Members(backup.file(), OldSettings.secret("BACKUP_PASSWORD"));
        var bucket = new Bucket(options, login, transfers)) {
      var contents = new Contents(members);
      bucket.check();
      var plan = compare(contents, bucket);
      console.confirm(planLines(plan, bucket, report), bucket.name);
      if (console.dryRun) {
        console.step("Dry run: nothing was changed; whether this key may put and delete is tried before the first change.");
        return print(Json.MAPPER.writeValueAsString(plan.summary(bucket)), summaryLine(plan, "Would restore"));
      }
      confirmRemoval(plan);
      if (!bucket.exists) {
        bucket.create();
      }
      var fast = bucket.probe(!oneByOne, console);
      report.begin(Set.of("files"));
      // Of large objects that an earlier run did not complete: their parts are in no listing, and take room.
      report.unfinished().path("uploads").properties().forEach(open -> bucket.abort(open.getValue().asText(), open.getKey()));
      try {
        upload(contents, bucket, fast, plan, report);
        removeExtras(contents, bucket, plan);
      } catch (Exception e) {
        return failed(report, plan, bucket, Failure.of(e));
      }
      var file = report.end(Exit.DONE, Set.of("files"), plan.summary(bucket));
      console.step("Report: %s", file);
      console.step("Next: when Cassandra and Elasticsearch are restored too: ./jbang verify.java --exact --skip services,logs, then ./jbang service-control.java start");
      return print(Files.readString(file), summaryLine(plan, "Restored"));
    }
  }

  private void refuseUsage() {
    OldSettings.refuseBlank(command);
    if (transfers < 1 || transfers > 12) {
      throw new Failure(Exit.USAGE, "--transfers " + transfers + " is not within 1 to 12", "each one needs 8 MB of memory");
    }
    if (maxDelete < 0 || maxDelete > 100) {
      throw new Failure(Exit.USAGE, "--max-delete " + maxDelete + " is not within 0 to 100", null);
    }
  }

  /** What the bucket holds beside what the backup holds; content is read only where size and name are the same. */
  private Plan compare(Contents contents, Bucket bucket) throws IOException {
    var listed = new AtomicLong();
    var extra = new AtomicLong();
    var probes = new AtomicLong();
    bucket.list(page -> page.forEach(object -> {
      if (object.key.startsWith(PROBE)) {
        probes.incrementAndGet(); // of a killed run
      } else {
        listed.incrementAndGet();
        extra.addAndGet(contents.found(object) ? 0 : 1);
      }
    }));
    var unsure = contents.sum(State.UNSURE);
    if (unsure.count > 0) {
      console.step("Comparing %d objects of the same name and size (%s)", unsure.count, Console.size(unsure.bytes));
    }
    var done = new AtomicLong();
    try (var progress = console.progress("Comparing", unsure.bytes, done::get, () -> ""); var workers = new Workers(transfers)) {
      contents.members.read(workers, i -> contents.states[i] == State.UNSURE, (lane, i, bytes) -> {
        var member = contents.members.all.get(i);
        contents.states[i] = bucket.same(member, contents.etag(i), bytes) ? State.PROVEN : State.DIFFERENT;
        done.addAndGet(member.size());
      });
    }
    return new Plan(contents.sum(State.MISSING), contents.sum(State.DIFFERENT), contents.sum(State.PROVEN), extra.get(),
        listed.get(), probes.get(), new TreeMap<>(), new AtomicLong());
  }

  private List<String> planLines(Plan plan, Bucket bucket, RestoreRun report) {
    var verb = console.dryRun ? "Would" : "Will";
    var lines = new ArrayList<>(List.of("", "Bucket %s at %s".formatted(bucket.name, bucket.endpoint)));
    if (report.unfinished().has("unfinished")) {
      lines.add("  an earlier restore did not come to its end: this one goes on from there");
    }
    if (!bucket.exists) {
      lines.add("  " + verb + " create it");
    }
    lines.add("  %s send %d new objects and %d changed ones (%s)".formatted(verb, plan.created.count, plan.changed.count,
        Console.size(plan.bytes())));
    lines.add("  %s leave %d unchanged objects".formatted(verb, plan.same.count));
    lines.add("  %s %s %d objects that are not in the backup".formatted(verb, keepExtra ? "leave" : "remove", plan.extra));
    if (bucket.versioned) {
      lines.add("  it is versioned%s: what is changed or removed stays in it as older versions"
          .formatted(bucket.locked ? " and object-locked" : ""));
    }
    if (OldSettings.variable("THEHIVE_NODES").isEmpty()) {
      lines.add("  whether TheHive is stopped was asked of this host only: THEHIVE_NODES names no other");
    }
    lines.add("");
    return lines;
  }

  /** The classic way to lose a bucket is to name the wrong one. */
  private void confirmRemoval(Plan plan) {
    if (keepExtra || plan.extra * 100 <= maxDelete * plan.listed) {
      return;
    }
    var what = "%d of the bucket's %d objects are not in the backup and would be removed".formatted(plan.extra, plan.listed);
    var hint = "is it the right bucket and backup? --keep-extra leaves them, --max-delete 100 removes them";
    if (!console.terminal) {
      throw new Failure(Exit.DECLINED, what + ", nothing was changed", hint);
    }
    if (!("" + plan.extra).equals(System.console().readLine("%n%s.%nType their number to remove them: ", what))) {
      throw new Failure(Exit.DECLINED, "not confirmed, nothing was changed", hint);
    }
  }

  private void upload(Contents contents, Bucket bucket, boolean fast, Plan plan, RestoreRun report) throws Exception {
    console.step("Sending %d objects, %d requests side by side%s", plan.created.count + plan.changed.count, transfers,
        fast ? ", small objects as tars" : "");
    send(contents, bucket, fast, plan, report);
    var left = prove(contents, bucket);
    if (left > 0) {
      console.step("Sending %d objects again, one by one", left);
      send(contents, bucket, false, plan, report);
      left = prove(contents, bucket);
    }
    // One may be there although its answer was lost.
    plan.failed.keySet().removeIf(key -> contents.states[contents.find(key)] == State.PROVEN);
    if (left > 0) {
      throw new Failure(Exit.PARTIAL, "%d objects are not in the bucket as they are in the backup:%s".formatted(left, contents.unproven(plan.failed)),
          "nothing was removed; run again: only these are sent");
    }
  }

  private void send(Contents contents, Bucket bucket, boolean fast, Plan plan, RestoreRun report) throws Exception {
    plan.failed.clear();
    var sender = new Sender(contents, bucket, report, transfers, fast);
    var total = contents.sum(State.MISSING).bytes + contents.sum(State.DIFFERENT).bytes;
    try (var progress = console.progress("Sending", total, sender.sent::get, () -> ""); var reader = new Workers(1)) {
      contents.members.read(reader, i -> contents.states[i] != State.PROVEN && sender.goesOn(), sender::send);
    } finally {
      sender.finish();
      plan.failed.putAll(sender.failures);
      plan.sent.addAndGet(sender.sent.get());
    }
    if (sender.gone != null) {
      throw new Failure(sender.gone.code, sender.gone.getMessage() + "; what was sent until then stays",
          "nothing was removed; run again: only what is missing is sent", sender.gone);
    }
  }

  /** Holds the bucket's listing against what was sent: only what is listed with its size and ETag counts. How many are not. */
  private long prove(Contents contents, Bucket bucket) {
    Arrays.fill(contents.states, State.MISSING);
    bucket.list(page -> page.forEach(contents::prove));
    return contents.sum(State.MISSING).count + contents.sum(State.DIFFERENT).count;
  }

  private void removeExtras(Contents contents, Bucket bucket, Plan plan) {
    if (plan.extra == 0 && plan.probes == 0) {
      return;
    }
    console.step("%s %d objects that are not in the backup", keepExtra ? "Leaving" : "Removing", plan.extra);
    var refused = new ArrayList<String>();
    bucket.list(page -> refused.addAll(bucket.remove(page.stream().map(Listed::key)
        .filter(key -> key.startsWith(PROBE) || !keepExtra && contents.find(key) < 0).toList())));
    if (!refused.isEmpty()) {
      throw new Failure(Exit.PARTIAL, "%d objects that are not in the backup could not be removed:%s".formatted(refused.size(),
          refused.stream().limit(NAMED).map("\n  "::concat).collect(Collectors.joining())),
          "everything in the backup is in the bucket; --keep-extra leaves the others");
    }
  }

  private int failed(RestoreRun report, Plan plan, Bucket bucket, Failure failure) throws IOException {
    var file = report.end(failure.code, Set.of(), plan.summary(bucket));
    var code = console.error("", failure);
    console.step("Leave TheHive stopped. Report: %s", file);
    print(Files.readString(file), "=== ✗ ERROR - attachments: exit %d ===".formatted(code));
    return code;
  }

  /** Before the first change. */
  private int failed(Failure failure) {
    if (json) {
      System.out.println(Json.MAPPER.createObjectNode().put("script", SCRIPT).put("exit", failure.code)
          .put("error", failure.getMessage()).put("hint", failure.hint).toPrettyString());
    }
    return console.error("", failure);
  }

  private int print(String report, String line) {
    System.out.println(json ? report : line);
    return Exit.DONE;
  }

  private String summaryLine(Plan plan, String verb) {
    return "=== ✓ %s %d objects: %d new, %d changed, %d unchanged, %d %s, %s sent ===".formatted(verb, plan.objects(),
        plan.created.count, plan.changed.count, plan.same.count, plan.extra, keepExtra ? "extra left" : "removed",
        Console.size(console.dryRun ? plan.bytes() : plan.sent.get()));
  }

  /** A number of objects and their bytes. */
  record Sum(long count, long bytes) {}

  /** What differs between backup and bucket; {@code failed} and {@code sent} are what came of it. */
  record Plan(Sum created, Sum changed, Sum same, long extra, long listed, long probes, Map<String, Failure> failed, AtomicLong sent) {
    long objects() {
      return created.count + changed.count + same.count;
    }

    long bytes() {
      return created.bytes + changed.bytes;
    }

    Map<String, Object> summary(Bucket bucket) {
      var summary = new LinkedHashMap<String, Object>();
      summary.put("endpoint", bucket.endpoint);
      summary.put("bucket", bucket.name);
      summary.put("objects", objects());
      summary.put("new", created.count);
      summary.put("changed", changed.count);
      summary.put("unchanged", same.count);
      summary.put("extra", extra);
      summary.put("bytesSent", sent.get());
      var failures = new TreeMap<String, String>();
      failed.forEach((key, failure) -> failures.put(key, failure.getMessage()));
      summary.put("failed", failures);
      return summary;
    }
  }

  // -------------------------------------------------------------------------------------------------------- the backup

  enum State {
    MISSING, UNSURE, DIFFERENT, PROVEN
  }

  /** The objects that the backup holds, by their members' numbers, and how each stands in the bucket. */
  static final class Contents {
    final Members members;
    final State[] states;
    // An ETag, found or expected, in three numbers: objects would take twice the memory.
    private final long[] high;
    private final long[] low;
    private final int[] parts;

    Contents(Members members) {
      this.members = members;
      var count = members.all.size();
      states = new State[count];
      Arrays.fill(states, State.MISSING);
      high = new long[count];
      low = new long[count];
      parts = new int[count];
      for (var member : members.all) {
        if (member.kind() == Kind.LINK || member.kind() == Kind.SPARSE) {
          throw members.refused(member.name(), "is a link, a device or a sparse file");
        }
        if (member.path().length > 1024) {
          throw members.refused(member.name(), "has a name that no object can have");
        }
        if (member.size() > LARGEST) {
          throw members.refused(member.name(), "is larger than can be sent (%s)".formatted(Console.size(LARGEST)));
        }
      }
    }

    /** The number of the member that is this object, or -1. */
    int find(String key) {
      var i = members.find(key);
      return i >= 0 && isObject(i) ? i : -1;
    }

    private boolean isObject(int i) {
      return members.all.get(i).kind() == Kind.FILE;
    }

    /** Whether it is one of these. */
    boolean found(Listed object) {
      var i = find(object.key);
      if (i >= 0) {
        states[i] = object.size == members.all.get(i).size() ? State.UNSURE : State.DIFFERENT;
        expect(i, object.etag);
      }
      return i >= 0;
    }

    void prove(Listed object) {
      var i = find(object.key);
      if (i >= 0) {
        states[i] = object.size == members.all.get(i).size() && object.etag.equals(etag(i)) ? State.PROVEN : State.DIFFERENT;
      }
    }

    void expect(int i, ETag etag) {
      high[i] = etag.high();
      low[i] = etag.low();
      parts[i] = etag.parts();
    }

    ETag etag(int i) {
      return new ETag(high[i], low[i], parts[i]);
    }

    Sum sum(State state) {
      var sizes = numbers().filter(i -> states[i] == state).mapToLong(i -> members.all.get(i).size()).summaryStatistics();
      return new Sum(sizes.getCount(), sizes.getSum());
    }

    /** The first objects that are not as in the backup, each on a line, with the reason where there is one. */
    String unproven(Map<String, Failure> reasons) {
      return numbers().filter(i -> states[i] != State.PROVEN).limit(NAMED).mapToObj(i -> members.all.get(i).name())
          .map(key -> "\n  " + key + (reasons.containsKey(key) ? ": " + reasons.get(key).getMessage() : "")).collect(Collectors.joining());
    }

    private IntStream numbers() {
      return IntStream.range(0, states.length).filter(this::isObject);
    }
  }

  // -------------------------------------------------------------------------------------------------------- the sender

  /** Bytes of one request, sent again from here when need be. */
  static final class Body extends ByteArrayOutputStream {
    /** The objects in a tar, and where each begins. */
    final Map<Integer, Integer> packed = new LinkedHashMap<>();

    Body() {
      super(BODY);
    }

    byte[] bytes() {
      return buf;
    }

    void read(InputStream in, long length) throws IOException {
      var wanted = (int) Math.min(length, BODY);
      count = in.readNBytes(buf, 0, wanted);
      if (count < wanted) {
        throw new EOFException("the archive ended inside an entry");
      }
    }

    boolean hasRoom(Member member) {
      return packed.size() < 1000 && count + member.size() + 4L * member.path().length + 8192 < BODY;
    }

    /** As the header x-amz-checksum-crc32c has it. */
    String crc32c(int length) {
      var crc = new CRC32C();
      crc.update(buf, 0, length);
      return Base64.getEncoder().encodeToString(ByteBuffer.allocate(4).putInt((int) crc.getValue()).array());
    }

    byte[] md5(int from, long length) {
      var digest = DigestUtils.getMd5Digest();
      digest.update(buf, from, (int) length);
      return digest.digest();
    }
  }

  /** Reads in one thread and sends in many: memory is that of the bodies, whatever the archive. */
  static final class Sender {
    final Map<String, Failure> failures = new ConcurrentHashMap<>();
    final AtomicLong sent = new AtomicLong();
    volatile Failure gone;
    private final Contents contents;
    private final Bucket bucket;
    private final RestoreRun report;
    private final Map<String, String> uploads = new TreeMap<>();
    private final ExecutorService workers;
    private final BlockingQueue<Body> free = new LinkedBlockingQueue<>();
    private volatile boolean fast;
    private Body batch;
    private TarArchiveOutputStream tar;

    Sender(Contents contents, Bucket bucket, RestoreRun report, int transfers, boolean fast) {
      this.contents = contents;
      this.bucket = bucket;
      this.report = report;
      this.fast = fast;
      this.workers = Executors.newFixedThreadPool(transfers, Console::daemon);
      Stream.generate(Body::new).limit(transfers + 1).forEach(free::add);
    }

    boolean goesOn() {
      return gone == null && failures.size() < NAMED;
    }

    void send(int lane, int i, Members.Bytes bytes) throws Exception {
      var member = contents.members.all.get(i);
      try (var in = bytes.open()) {
        if (fast && member.size() <= SMALL && Bucket.contentType(member.name()).equals(Bucket.BINARY)) {
          pack(i, member, in);
        } else if (member.size() <= BODY) {
          sendWhole(i, member, in);
        } else {
          sendParts(i, member, in);
        }
      }
    }

    private void pack(int i, Member member, InputStream in) throws Exception {
      if (batch != null && !batch.hasRoom(member)) {
        sendBatch();
      }
      if (batch == null) {
        batch = free.take();
        tar = new TarArchiveOutputStream(batch, "UTF-8");
        tar.setLongFileMode(TarArchiveOutputStream.LONGFILE_POSIX);
        tar.setAddPaxHeadersForNonAsciiNames(true);
      }
      var content = in.readNBytes((int) member.size());
      var header = new TarArchiveEntry(member.name());
      header.setSize(member.size());
      // The server takes this for the time of the version: an older one would not become the current version.
      header.setModTime(0);
      tar.putArchiveEntry(header);
      batch.packed.put(i, batch.size());
      tar.write(content);
      tar.closeArchiveEntry();
    }

    private void sendBatch() throws IOException {
      tar.finish();
      var body = batch;
      batch = null;
      work(body, () -> {
        body.packed.forEach((i, start) -> contents.expect(i, ETag.of(body.md5(start, contents.members.all.get(i).size()), 0)));
        bucket.putTar(body);
        return sent.addAndGet(body.packed.keySet().stream().mapToLong(i -> contents.members.all.get(i).size()).sum());
      }).exceptionally(thrown -> {
        // What of it arrived shows in the listing; the rest goes by itself.
        fast = false;
        notice(Failure.of(thrown));
        return null;
      });
    }

    private void sendWhole(int i, Member member, InputStream in) throws Exception {
      var body = free.take();
      body.read(in, member.size());
      work(body, () -> {
        contents.expect(i, bucket.put(member.name(), body));
        return sent.addAndGet(member.size());
      }).exceptionally(thrown -> fail(member, thrown));
    }

    /** A large object goes in parts; the last of them to arrive completes it. */
    private void sendParts(int i, Member member, InputStream in) throws Exception {
      var begun = tryToBegin(member);
      if (begun.isEmpty()) {
        return;
      }
      var upload = begun.get();
      var md5s = new byte[16 * (int) ((member.size() + BODY - 1) / BODY)];
      var parts = new ArrayList<CompletableFuture<Part>>();
      for (var left = member.size(); left > 0 && parts.stream().noneMatch(CompletableFuture::isCompletedExceptionally); left -= BODY) {
        var body = free.take();
        body.read(in, left);
        var number = parts.size() + 1;
        parts.add(work(body, () -> {
          var md5 = body.md5(0, body.size());
          System.arraycopy(md5, 0, md5s, 16 * (number - 1), 16);
          var part = bucket.putPart(member.name(), upload, number, body, md5);
          sent.addAndGet(body.size());
          return part;
        }));
      }
      CompletableFuture.allOf(parts.toArray(CompletableFuture[]::new)).thenRun(() -> {
        contents.expect(i, ETag.of(DigestUtils.md5(md5s), parts.size()));
        bucket.complete(member.name(), upload, parts.stream().map(CompletableFuture::join).toArray(Part[]::new))
            .ifPresent(etag -> contents.expect(i, etag));
        remember(upload, null);
      }).exceptionally(thrown -> {
        fail(member, thrown);
        if (gone == null) {
          bucket.abort(member.name(), upload);
          remember(upload, null);
        }
        return null;
      });
    }

    private Optional<String> tryToBegin(Member member) {
      try {
        var upload = bucket.begin(member.name());
        remember(upload, member.name());
        return Optional.of(upload);
      } catch (Failure e) {
        fail(member, e);
        return Optional.empty();
      }
    }

    /** Keeps the uploads that are open in the marker: a run after this one would not find them otherwise. */
    private synchronized void remember(String upload, String key) {
      try {
        uploads.put(upload, key);
        uploads.values().removeIf(Objects::isNull);
        report.remember("uploads", uploads);
      } catch (IOException e) {
        throw new UncheckedIOException(e);
      }
    }

    /** Sends one request's body, which is free for the next one afterwards. */
    private <T> CompletableFuture<T> work(Body body, Supplier<T> request) {
      return CompletableFuture.supplyAsync(() -> {
        if (gone != null) {
          throw gone;
        }
        return request.get();
      }, workers).whenComplete((done, thrown) -> {
        body.packed.clear();
        body.reset();
        free.add(body);
      });
    }

    private <T> T fail(Member member, Throwable thrown) {
      var failure = Failure.of(thrown);
      failures.put(member.name(), failure);
      notice(failure);
      return null;
    }

    private void notice(Failure failure) {
      if (failure.code == Exit.UNREACHABLE) {
        gone = failure;
      }
    }

    /** Sends what is still packed, and waits for all. */
    void finish() throws Exception {
      try {
        if (batch != null) {
          sendBatch();
        }
      } finally {
        workers.shutdown();
        workers.awaitTermination(1, TimeUnit.DAYS);
      }
    }
  }

  // -------------------------------------------------------------------------------------------------------- the bucket

  static final class BucketOptions {
    @Option(names = "--endpoint", paramLabel = "URL", defaultValue = "${env:MINIO_ENDPOINT}",
        description = "of the S3 server (MINIO_ENDPOINT)")
    String endpoint;

    @Option(names = "--alias", paramLabel = "NAME", defaultValue = "${env:MINIO_ALIAS:-th_minio}",
        description = "of mc, without endpoint (MINIO_ALIAS, ${DEFAULT-VALUE})")
    String alias;

    @Option(names = "--bucket", paramLabel = "NAME", defaultValue = "${env:MINIO_BUCKET:-thehive}",
        description = "bucket (MINIO_BUCKET, ${DEFAULT-VALUE})")
    String bucket;

    @Option(names = "--region", paramLabel = "NAME", defaultValue = "${env:MINIO_REGION}",
        description = "its region (MINIO_REGION, asked of the server)")
    String region;

    @Option(names = "--virtual-host", defaultValue = "${env:MINIO_VIRTUAL_HOST:-false}", fallbackValue = "true",
        description = "bucket in the host's name (MINIO_VIRTUAL_HOST)")
    boolean virtualHost;

    @Option(names = "--ca", paramLabel = "PEM", defaultValue = "${env:MINIO_CA}",
        description = "trust this CA for https (MINIO_CA)")
    Path ca;

    @Option(names = "--archives", paramLabel = "DIR", defaultValue = "${env:MINIO_ARCHIVE_PATH:-/mnt/backup/minio/}",
        description = "(MINIO_ARCHIVE_PATH, ${DEFAULT-VALUE})")
    Path archives;

    @Option(names = "--no-create", description = "refuse when there is no such bucket")
    boolean noCreate;
  }

  record Listed(String key, long size, ETag etag) {}

  interface Request<T> {
    CompletableFuture<T> send() throws Exception;
  }

  /** One bucket on one server; every request is tried again when server or network fail. */
  static final class Bucket implements Closeable {
    static final String BINARY = "application/octet-stream";
    private static final String UNSIGNED = "UNSIGNED-PAYLOAD";
    final String endpoint;
    final String name;
    boolean exists = true;
    boolean versioned;
    boolean locked;
    private final MinioAsyncClient client;
    private final boolean mayCreate;
    // Before the first change an answer is wanted now; later an outage of some seconds is sat out.
    private int attempts = 2;

    Bucket(BucketOptions options, OldLogin login, int transfers) {
      endpoint = login.endpoint();
      name = options.bucket;
      mayCreate = !options.noCreate;
      S3Bucket.requireEndpoint(endpoint);
      var dispatcher = new Dispatcher(Executors.newCachedThreadPool(Console::daemon));
      dispatcher.setMaxRequestsPerHost(transfers + 2);
      var http = new OkHttpClient.Builder().dispatcher(dispatcher).connectTimeout(Duration.ofSeconds(10))
          .readTimeout(Duration.ofMinutes(2)).writeTimeout(Duration.ofMinutes(2)).protocols(List.of(Protocol.HTTP_1_1))
          .addNetworkInterceptor(chain -> {
            // A small object's last packet would otherwise wait some 40 ms for the one before it.
            chain.connection().socket().setTcpNoDelay(true);
            return chain.proceed(chain.request());
          });
      try {
        if (options.ca != null) {
          var trust = Tls.trust(options.ca);
          http.sslSocketFactory(Tls.context(trust).getSocketFactory(), trust);
        }
        client = MinioAsyncClient.builder().endpoint(endpoint).region(options.region).httpClient(http.build())
            .credentialsProvider(new StaticProvider(login.access(), login.secret(), login.token())).build();
        if (options.virtualHost) {
          client.enableVirtualStyleEndpoint();
        }
        BucketExistsArgs.builder().bucket(name).build();
      } catch (IllegalArgumentException e) {
        throw new Failure(Exit.USAGE, e.getMessage(), "check MINIO_ENDPOINT, MINIO_BUCKET and MINIO_REGION");
      }
    }

    /** Reachable, keys accepted, bucket there and listed; what is not is a failure here, before any change. */
    void check() {
      try {
        ask("list", () -> client.listObjectsV2(ListObjectsV2Args.builder().bucket(name).maxKeys(1).build()));
      } catch (Failure failure) {
        if (!"NoSuchBucket".equals(codeOf(failure))) {
          throw failure;
        }
        if (!mayCreate) {
          throw new Failure(Exit.UNREACHABLE, "there is no bucket %s at %s".formatted(name, endpoint), "check MINIO_BUCKET, or leave out --no-create");
        }
        exists = false;
        return;
      }
      // Not every server knows versions and locks.
      versioned = tryTo(() -> client.getBucketVersioning(GetBucketVersioningArgs.builder().bucket(name).build()))
          .map(found -> found.status() == VersioningConfiguration.Status.ENABLED
              || found.status() == VersioningConfiguration.Status.SUSPENDED).orElse(false);
      locked = tryTo(() -> client.getObjectLockConfiguration(GetObjectLockConfigurationArgs.builder().bucket(name).build()))
          .isPresent();
    }

    void create() {
      try {
        ask("create", () -> client.makeBucket(MakeBucketArgs.builder().bucket(name).build()));
      } catch (Failure failure) {
        // The SDK always names a region, which AWS wants left out where it is us-east-1, and others everywhere.
        throw failure.code != Exit.UNEXPECTED ? failure
            : new Failure(Exit.UNSAFE, failure.getMessage(), "nothing was changed; create the bucket with the server's own tools, and run again", failure);
      }
    }

    /** All objects, a page after the other; a bucket that is not there yet has none. */
    void list(Consumer<List<Listed>> visitor) {
      for (String token = null; exists || token != null; ) {
        var next = token;
        var result = ask("list", () -> client.listObjectsV2(
            ListObjectsV2Args.builder().bucket(name).encodingType("url").continuationToken(next).build())).result();
        visitor.accept(result.contents().stream().map(object -> {
          object.setEncodingType(result.encodingType());
          return new Listed(object.objectName(), object.size(), ETag.of(object.etag()));
        }).toList());
        token = result.nextContinuationToken();
        if (!result.isTruncated() || token == null) {
          return;
        }
      }
    }

    /** Whether an object of this member's name and size has this content. */
    boolean same(Member member, ETag etag, Members.Bytes bytes) throws IOException {
      if (etag.parts() == 0 || etag.parts() == (member.size() + BODY - 1) / BODY) {
        try (var in = bytes.open()) {
          if (etagOf(member, etag.parts(), in).equals(etag)) {
            return true;
          }
        }
      }
      // Another content, or sent in parts of other sizes, or encrypted: only the bytes themselves tell.
      try (var in = bytes.open();
          var stored = ask("get", () -> client.getObject(GetObjectArgs.builder().bucket(name).object(member.name()).build()))) {
        return IOUtils.contentEquals(new BufferedInputStream(stored, 1 << 16), new BufferedInputStream(in, 1 << 16));
      }
    }

    private static ETag etagOf(Member member, int parts, InputStream in) throws IOException {
      if (parts == 0) {
        return ETag.of(DigestUtils.md5(in), 0);
      }
      var md5s = new ByteArrayOutputStream();
      for (var left = member.size(); left > 0; left -= BODY) {
        md5s.write(DigestUtils.md5(BoundedInputStream.builder().setInputStream(in).setMaxCount(BODY).get()));
      }
      return ETag.of(DigestUtils.md5(md5s.toByteArray()), parts);
    }

    /** Puts and deletes one object of a name of its own; finds out whether the server unpacks tars. */
    boolean probe(boolean tar, RestoreConsole console) throws IOException {
      exists = true;
      var outer = PROBE + UUID.randomUUID();
      var inner = outer + ".unpacked";
      try {
        var body = new Body();
        try (var out = new TarArchiveOutputStream(body)) {
          var header = new TarArchiveEntry(inner);
          header.setSize(1);
          out.putArchiveEntry(header);
          out.write(1);
          out.closeArchiveEntry();
        }
        put(outer, body, body.size(), tar);
        // Where the server encrypts, an ETag is no MD5, and what was unpacked could not be proven.
        return tar && tryTo(() -> client.statObject(StatObjectArgs.builder().bucket(name).object(inner).build()))
            .filter(stat -> ETag.of(stat.etag()).equals(ETag.of(DigestUtils.md5(new byte[] {1}), 0))).isPresent();
      } finally {
        vanish(outer, console);
        vanish(inner, console);
        attempts = 6;
      }
    }

    /** In a versioned bucket every version of it; also where the keys may not look at it. */
    private void vanish(String key, RestoreConsole console) {
      try {
        var stat = ask("read", () -> client.statObject(StatObjectArgs.builder().bucket(name).object(key).build()));
        if (versioned && stat.versionId() != null) {
          if (tryTo(() -> client.removeObject(RemoveObjectArgs.builder().bucket(name).object(key)
              .versionId(stat.versionId()).build()).thenApply(nothing -> key)).isPresent()) {
            return;
          }
          console.warn("the bucket does not let go of versions: %s (%d bytes) stays as a removed object's version", key, stat.size());
        }
      } catch (Failure failure) {
        if (failure.code == Exit.UNREACHABLE) {
          throw failure;
        }
        if (failure.code != Exit.AUTHENTICATION) {
          return; // there is none, and deleting it would leave a delete marker
        }
      }
      ask("delete from", () -> client.removeObject(RemoveObjectArgs.builder().bucket(name).object(key).build()));
    }

    static String contentType(String key) {
      var guessed = URLConnection.guessContentTypeFromName(key.substring(key.lastIndexOf('/') + 1));
      return guessed == null ? BINARY : guessed;
    }

    ETag put(String key, Body body) {
      return ETag.of(put(key, body, body.size(), false));
    }

    /** A tar that the server unpacks; its own name is never stored. */
    void putTar(Body body) {
      put(PROBE + "tar", body, body.size(), true);
    }

    private String put(String key, Body body, long size, boolean tar) {
      var headers = new Http.Headers();
      if (tar) {
        headers.put("X-Amz-Meta-Snowball-Auto-Extract", "true");
        headers.put(Http.Headers.X_AMZ_CONTENT_SHA256, UNSIGNED);
        // Each object out of it is proven by its own MD5 in the listing. Without one of ours the SDK makes this checksum, slowly.
        headers.put(Checksum.Algorithm.CRC32C.header(), body.crc32c((int) size));
      } else {
        sign(headers, body.md5(0, size));
      }
      return ask("put into", () -> client.putObject(PutObjectAPIArgs.builder().bucket(name).object(key)
          .data(body.bytes(), (int) size).headers(headers).contentType(contentType(key)).build())).etag();
    }

    /** The body's MD5 is among the signed headers: hashing the body once more would only cost time. */
    private static void sign(Http.Headers headers, byte[] md5) {
      headers.put(Http.Headers.CONTENT_MD5, Base64.getEncoder().encodeToString(md5));
      headers.put(Http.Headers.X_AMZ_CONTENT_SHA256, UNSIGNED);
    }

    String begin(String key) {
      var headers = new Http.Headers(Http.Headers.CONTENT_TYPE, contentType(key));
      return ask("put into", () -> client.createMultipartUpload(
          CreateMultipartUploadArgs.builder().bucket(name).object(key).headers(headers).build())).result().uploadId();
    }

    Part putPart(String key, String upload, int number, Body body, byte[] md5) {
      var headers = new Http.Headers();
      sign(headers, md5);
      return ask("put into", () -> client.uploadPart(UploadPartArgs.builder().bucket(name).object(key).uploadId(upload)
          .partNumber(number).data(body.bytes(), body.size()).headers(headers).build())).part();
    }

    Optional<ETag> complete(String key, String upload, Part[] parts) {
      return Optional.ofNullable(ask("put into", () -> client.completeMultipartUpload(CompleteMultipartUploadArgs.builder()
          .bucket(name).object(key).uploadId(upload).parts(parts).build())).etag()).map(ETag::of);
    }

    void abort(String key, String upload) {
      tryTo(() -> client.abortMultipartUpload(
          AbortMultipartUploadArgs.builder().bucket(name).object(key).uploadId(upload).build()));
    }

    /** Removes a page of objects; those that stay, with the reasons. */
    List<String> remove(List<String> keys) {
      if (keys.isEmpty()) {
        return List.of();
      }
      var objects = keys.stream().map(DeleteRequest.Object::new).toList();
      return ask("delete from", () -> client.deleteObjects(DeleteObjectsArgs.builder().bucket(name).objects(objects).quiet(true).build()))
          .result().errors().stream().map(error -> error.objectName() + ": " + error.message()).toList();
    }

    private <T> Optional<T> tryTo(Request<T> request) {
      try {
        return Optional.of(ask("ask", request));
      } catch (Failure failure) {
        if (failure.code == Exit.UNREACHABLE) {
          throw failure;
        }
        return Optional.empty();
      }
    }

    private <T> T ask(String what, Request<T> request) {
      var tries = RetryPolicy.builder().handleIf(Bucket::isPassing).withMaxAttempts(attempts)
          .withBackoff(Duration.ofMillis(500), Duration.ofSeconds(8)).withJitter(0.5).build();
      try {
        return Failsafe.with(tries).get(() -> request.send().join());
      } catch (Exception thrown) {
        throw explain(what, thrown);
      }
    }

    /** Worth another try: the network, a server that is busy or starting, an answer that was cut. */
    private static boolean isPassing(Throwable thrown) {
      if (find(thrown, SSLException.class).filter(e -> e instanceof SSLHandshakeException || e instanceof SSLPeerUnverifiedException).isPresent()) {
        return false;
      }
      var status = status(thrown);
      return status >= 500 && status != 501 && status != 507 || status == 429 || status == 408
          || status == 0 && (find(thrown, IOException.class).isPresent() || find(thrown, XmlParserException.class).isPresent());
    }

    private static int status(Throwable thrown) {
      var other = find(thrown, InvalidResponseException.class).map(e -> e.getMessage().replaceFirst("(?s).*Response code: (\\d+).*", "$1"));
      return find(thrown, ErrorResponseException.class).map(e -> e.response().code())
          .or(() -> find(thrown, ServerException.class).map(ServerException::statusCode))
          .or(() -> other.map(Integer::valueOf)).orElse(0);
    }

    private Failure explain(String what, Throwable thrown) {
      var error = find(thrown, ErrorResponseException.class).map(ErrorResponseException::errorResponse);
      var code = error.map(ErrorResponse::code).orElse("");
      var status = status(thrown);
      if (code.equals("AccessDenied") || code.equals("AllAccessDisabled")) {
        return new Failure(Exit.AUTHENTICATION, "the access key may not %s bucket %s at %s".formatted(what, name, endpoint),
            "its policy needs s3:GetBucketLocation (or give --region), s3:ListBucket, s3:GetObject, s3:PutObject, s3:DeleteObject", thrown);
      }
      if (status == 507 || code.startsWith("Quota") || code.equals("XMinioStorageFull")) {
        return new Failure(Exit.UNSAFE, "%s has no room left: %s".formatted(endpoint, error.map(ErrorResponse::message).orElse(code)),
            "free some room, or raise the bucket's quota; then run again", thrown);
      }
      if (status == 403 || status == 401) {
        return new Failure(Exit.AUTHENTICATION, "%s refuses the keys: %s".formatted(endpoint, error.map(ErrorResponse::message).orElse(code)),
            "check MINIO_ACCESS_KEY and MINIO_SECRET_KEY (or the alias), and this host's clock", thrown);
      }
      if (status == 0 && find(thrown, IOException.class).isPresent()) {
        return new Failure(Exit.UNREACHABLE, "cannot reach %s: %s".formatted(endpoint, find(thrown, IOException.class).get().getMessage()),
            find(thrown, SSLException.class).isPresent() ? "name the CA that signed its certificate with --ca or MINIO_CA" : "is it started? check MINIO_ENDPOINT", thrown);
      }
      if (find(thrown, InvalidResponseException.class).isPresent() || find(thrown, XmlParserException.class).isPresent()) {
        return new Failure(Exit.UNREACHABLE, "%s does not answer as an S3 server does%s".formatted(endpoint, status > 0 ? " (status " + status + ")" : ""),
            "is it the port of the S3 API?", thrown);
      }
      var message = error.map(e -> e.code() + ": " + e.message()).orElse(Failure.of(thrown).getMessage());
      return new Failure(status >= 500 && status != 501 ? Exit.UNREACHABLE : Exit.UNEXPECTED, "cannot %s bucket %s at %s: %s".formatted(what, name, endpoint, message), "see the server's log", thrown);
    }

    private static String codeOf(Failure failure) {
      return find(failure, ErrorResponseException.class).map(e -> e.errorResponse().code()).orElse("");
    }

    private static <T> Optional<T> find(Throwable thrown, Class<T> type) {
      return Stream.iterate(thrown, Objects::nonNull, Throwable::getCause).filter(type::isInstance).map(type::cast).findFirst();
    }

    @Override
    public void close() {
      client.close();
    }
  }
}

// ---- Below: copies of lib/*.java, written by ./jbang lib/embed.java. Change those files, not these lines. ----
