///usr/bin/env jbang "$0" "$@" ; exit $?
//DESCRIPTION Restores TheHive's attachments into an S3 bucket from a hot backup
//JAVA 17+
//DEPS me.tongfei:progressbar:0.10.2
// Of the classes below the marker, written by ./jbang lib/embed.java:
//DEPS com.fasterxml.jackson.core:jackson-databind:2.23.0
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
//COMPILE_OPTIONS -encoding UTF-8
//JAVA_OPTIONS -Xmx352m -XX:+UseSerialGC -Xmn48m
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

/**
 * An object's ETag: the MD5 of its content, or of its parts' MD5s where it was sent in parts. In numbers, not as text:
 * there may be a million.
 *
 * @param parts 0 where the object was sent as a whole, {@link #OPAQUE} where the ETag says nothing about the content
 */
record ETag(long high, long low, int parts) {
  static final int OPAQUE = -1;
  /** The size of the parts that the restore sends, and AWS's own tools. */
  static final int PART = 8 << 20;
  private static final Pattern MD5 = Pattern.compile("\"?([0-9a-f]{32})(?:-(\\d{1,5}))?\"?");

  /** The ETag in an answer of the server, with or without quotes. */
  static ETag of(String text) {
    var match = MD5.matcher(text == null ? "" : text);
    if (!match.matches()) {
      return of(DigestUtils.md5(text == null ? "" : text.replace("\"", "")), OPAQUE);
    }
    return of(HexFormat.of().parseHex(match.group(1)), match.group(2) == null ? 0 : Integer.parseInt(match.group(2)));
  }

  static ETag of(byte[] md5, int parts) {
    var buffer = ByteBuffer.wrap(md5);
    return new ETag(buffer.getLong(), buffer.getLong(), parts);
  }

  /** True if content of this size can be held against it without asking the server for the object. */
  boolean canTell(long size) {
    return parts == 0 || parts == partsOf(size);
  }

  /** True if the object was made of exactly these bytes, as far as the ETag tells. */
  boolean isOf(InputStream content, long size) throws IOException {
    if (parts == 0) {
      return equals(of(DigestUtils.md5(content), 0));
    }
    var md5s = new ByteArrayOutputStream();
    for (var left = size; left > 0; left -= PART) {
      md5s.write(DigestUtils.md5(BoundedInputStream.builder().setInputStream(content).setMaxCount(PART).get()));
    }
    return equals(of(DigestUtils.md5(md5s.toByteArray()), partsOf(size)));
  }

  static int partsOf(long size) {
    return (int) ((size + PART - 1) / PART);
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

/** Where and as whom: from the variables, else from the alias as mc keeps it. */
record OldLogin(String endpoint, String access, String secret, String token) {
  // As mc reads it: the keys stand in it as they are, without an encoding.
  private static final Pattern WITH_TOKEN = Pattern.compile("(https?://)([^@]*?):([^@]*?):([^@]*)@([^@]*)");
  private static final Pattern WITH_KEYS = Pattern.compile("(https?://)(.*?):(.*)@([^@]*)");

  static OldLogin of(String endpoint, String alias) {
    if (endpoint == null) {
      return ofAlias(alias);
    }
    var access = OldSettings.secretOrPrompt("MINIO_ACCESS_KEY", "Access key of " + endpoint);
    var secret = OldSettings.secretOrPrompt("MINIO_SECRET_KEY", "Secret key of " + endpoint);
    if (access.isEmpty() || secret.isEmpty()) {
      throw new Failure(Exit.USAGE, "no keys for " + endpoint,
          "set MINIO_ACCESS_KEY and MINIO_SECRET_KEY, or MINIO_ACCESS_KEY_FILE and MINIO_SECRET_KEY_FILE");
    }
    return new OldLogin(endpoint, access.get(), secret.get(), null);
  }

  private static OldLogin ofAlias(String alias) {
    var variable = System.getenv("MC_HOST_" + alias);
    var found = variable != null ? ofVariable(alias, variable) : configFiles().flatMap(file -> ofFile(file, alias).stream()).findFirst();
    return found.orElseThrow(() -> new Failure(Exit.USAGE, "no S3 server is named, and there is no alias %s".formatted(alias),
        "set MINIO_ENDPOINT, MINIO_ACCESS_KEY and MINIO_SECRET_KEY, or name an alias of mc with MINIO_ALIAS; looked in MC_HOST_%s, %s"
            .formatted(alias, configFiles().map(Path::toString).collect(Collectors.joining(", ")))));
  }

  private static Optional<OldLogin> ofVariable(String alias, String value) {
    var token = WITH_TOKEN.matcher(value);
    if (token.matches()) {
      return Optional.of(new OldLogin(token.group(1) + token.group(5), token.group(2), token.group(3), token.group(4)));
    }
    var keys = WITH_KEYS.matcher(value);
    if (keys.matches()) {
      return Optional.of(new OldLogin(keys.group(1) + keys.group(4), keys.group(2), keys.group(3), null));
    }
    throw new Failure(Exit.USAGE, "MC_HOST_%s is not of the form https://ACCESS:SECRET@HOST:PORT".formatted(alias), null);
  }

  private static Stream<Path> configFiles() {
    var folder = System.getenv("MC_CONFIG_DIR");
    var home = Path.of(Optional.ofNullable(System.getenv("HOME")).orElse(System.getProperty("user.home")));
    return Stream.concat(Stream.ofNullable(folder).map(Path::of), Stream.of(home.resolve(".mc"), home.resolve(".mcli")))
        .map(path -> path.resolve("config.json"));
  }

  private static Optional<OldLogin> ofFile(Path file, String alias) {
    try {
      var entry = Json.MAPPER.readTree(file.toFile()).path("aliases").path(alias);
      return entry.isMissingNode() ? Optional.empty() : Optional.of(new OldLogin(entry.path("url").asText(),
          entry.path("accessKey").asText(), entry.path("secretKey").asText(), entry.path("sessionToken").asText(null)));
    } catch (FileNotFoundException e) {
      return Optional.empty();
    } catch (IOException e) {
      // Jackson's message would show the line, and with it a key.
      throw new Failure(Exit.USAGE, "cannot read mc's " + file, "is it readable, and JSON? or set MINIO_ENDPOINT and the keys");
    }
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
 * One bucket on one S3 server: what it holds, and every request to it. A request is tried again when network or server
 * fail; a failure says what was asked of which bucket, and what to check.
 */
final class S3Bucket implements Closeable {
  private static final int BUFFER = 1 << 16;
  final String endpoint;
  final String name;
  private final S3Failures failures;
  private final MinioAsyncClient client;
  // Until it has answered once an answer is wanted now; later an outage of some seconds is sat out.
  private volatile int attempts = 2;

  /** A request to the server. */
  interface Request<T> {
    CompletableFuture<T> send(MinioAsyncClient client) throws Exception;
  }

  /** Checks the settings, and asks the server nothing yet. */
  S3Bucket(S3Settings settings, int connections) {
    endpoint = settings.login().endpoint();
    name = settings.bucket();
    requireEndpoint(endpoint);
    failures = new S3Failures(endpoint, name, settings.ca());
    try {
      client = MinioAsyncClient.builder().endpoint(endpoint).region(settings.region().orElse(null)).httpClient(http(settings, connections))
          .credentialsProvider(new StaticProvider(settings.login().access(), settings.login().secret(), settings.login().token())).build();
      if (settings.virtualHost()) {
        client.enableVirtualStyleEndpoint();
      }
      BucketExistsArgs.builder().bucket(name).build();
    } catch (IllegalArgumentException e) {
      throw new Failure(Exit.USAGE, "cannot use bucket '%s' at '%s': %s".formatted(name, endpoint, e.getMessage()),
          "check MINIO_ENDPOINT, MINIO_BUCKET and MINIO_REGION");
    }
  }

  /** An endpoint names scheme, host and port, and never the keys: it is shown. */
  static void requireEndpoint(String endpoint) {
    if (endpoint.contains("@")) {
      throw new Failure(Exit.USAGE, "the endpoint holds keys", "set MINIO_ACCESS_KEY and MINIO_SECRET_KEY or MINIO_SECRET_KEY_FILE instead");
    }
    if (!endpoint.matches("https?://[^/?#\\s]+/?")) {
      throw new Failure(Exit.USAGE, "the endpoint '%s' is not of the form https://HOST:PORT".formatted(endpoint), "check MINIO_ENDPOINT");
    }
  }

  private static OkHttpClient http(S3Settings settings, int connections) {
    var dispatcher = new Dispatcher(Executors.newCachedThreadPool(Console::daemon));
    dispatcher.setMaxRequestsPerHost(connections);
    var http = new OkHttpClient.Builder().dispatcher(dispatcher).connectTimeout(Duration.ofSeconds(10))
        .readTimeout(Duration.ofMinutes(2)).writeTimeout(Duration.ofMinutes(2)).protocols(List.of(Protocol.HTTP_1_1))
        .addNetworkInterceptor(chain -> {
          // A small object's last packet would otherwise wait some 40 ms for the one before it.
          chain.connection().socket().setTcpNoDelay(true);
          return chain.proceed(chain.request());
        });
    settings.ca().ifPresent(ca -> {
      var trust = Tls.trust(ca);
      http.sslSocketFactory(Tls.context(trust).getSocketFactory(), trust);
    });
    return http.build();
  }

  /** The server and the bucket without the scheme: differs from site to site, so it is what is typed to confirm. */
  String address() {
    return endpoint.replaceFirst("https?://", "").replaceFirst("/$", "") + "/" + name;
  }

  /** True if the bucket is there; fails if the server cannot be reached, or does not let these keys list it. */
  boolean exists() {
    try {
      page(null, 1);
      return true;
    } catch (Failure failure) {
      if (S3Failures.code(failure).equals("NoSuchBucket")) {
        return false;
      }
      throw failure;
    }
  }

  void create() {
    try {
      ask("create", client -> client.makeBucket(MakeBucketArgs.builder().bucket(name).build()));
    } catch (Failure failure) {
      // The SDK always names a region, which AWS wants left out where it is us-east-1, and others everywhere.
      throw failure.code != Exit.UNEXPECTED ? failure
          : new Failure(Exit.UNSAFE, failure.getMessage(), "nothing was changed; create the bucket with the server's own tools, and run again", failure);
    }
  }

  /** True if the bucket keeps older versions of what is changed or removed. Servers that know no versions keep none. */
  boolean isVersioned() {
    return tryTo(client -> client.getBucketVersioning(GetBucketVersioningArgs.builder().bucket(name).build()))
        .filter(versioning -> versioning.status() == VersioningConfiguration.Status.ENABLED
            || versioning.status() == VersioningConfiguration.Status.SUSPENDED).isPresent();
  }

  boolean isLocked() {
    return tryTo(client -> client.getObjectLockConfiguration(GetObjectLockConfigurationArgs.builder().bucket(name).build())).isPresent();
  }

  /** Gives every object to the visitor, a page after the other; fails rather than end before the bucket does. */
  void list(Consumer<List<StoredObject>> visitor) {
    String token = null;
    do {
      var result = page(token, null);
      visitor.accept(result.contents().stream().map(object -> {
        object.setEncodingType(result.encodingType());
        return new StoredObject(object.objectName(), object.size(), ETag.of(object.etag()),
            object.lastModified() == null ? null : object.lastModified().toInstant());
      }).toList());
      var next = result.nextContinuationToken();
      if (result.isTruncated() && (next == null || next.isEmpty() || next.equals(token))) {
        throw new Failure(Exit.UNREACHABLE, "%s cuts its list of bucket %s and does not say how it goes on".formatted(endpoint, name),
            "what the bucket holds is not known without the rest; see the server's log, and what stands between it and this host");
      }
      token = result.isTruncated() ? next : null;
    } while (token != null);
  }

  /** Names that XML cannot hold, such as those with control characters, only come through encoded. */
  private io.minio.messages.ListBucketResultV2 page(String token, Integer most) {
    var request = ListObjectsV2Args.builder().bucket(name).encodingType("url").continuationToken(token);
    return ask("list", client -> client.listObjectsV2((most == null ? request : request.maxKeys(most)).build())).result();
  }

  /**
   * True if an object has this content. The server is asked for the object only where its ETag does not tell: it has
   * another content, or was sent in parts of other sizes, or is encrypted.
   *
   * @param etag the object's, as listed
   * @param size of both
   */
  boolean holds(String key, ETag etag, long size, IOSupplier<InputStream> content) throws IOException {
    if (etag.canTell(size)) {
      try (var in = content.get()) {
        if (etag.isOf(in, size)) {
          return true;
        }
      }
    }
    try (var in = content.get();
        var object = ask("read from", client -> client.getObject(GetObjectArgs.builder().bucket(name).object(key).build()))) {
      return IOUtils.contentEquals(new BufferedInputStream(object, BUFFER), new BufferedInputStream(in, BUFFER));
    }
  }

  /** The answer; empty where the server refuses, or does not know what is asked. */
  <T> Optional<T> tryTo(Request<T> request) {
    try {
      return Optional.ofNullable(ask("ask", request));
    } catch (Failure failure) {
      if (failure.code == Exit.UNREACHABLE) {
        throw failure;
      }
      return Optional.empty();
    }
  }

  /**
   * The answer to a request.
   *
   * @param verb says in a failure what was tried with the bucket, such as {@code list}
   */
  <T> T ask(String verb, Request<T> request) {
    var tries = RetryPolicy.builder().handleIf(S3Failures::isPassing).withMaxAttempts(attempts)
        .withBackoff(Duration.ofMillis(500), Duration.ofSeconds(8)).withJitter(0.5).build();
    try {
      var answer = Failsafe.with(tries).get(() -> request.send(client).join());
      attempts = 6;
      return answer;
    } catch (Exception thrown) {
      throw failures.explain(verb, thrown);
    }
  }

  @Override
  public void close() {
    client.close();
  }
}

/**
 * Tells in an administrator's words why an S3 server did not do what it was asked.
 *
 * @param ca what MINIO_CA names
 */
record S3Failures(String endpoint, String bucket, Optional<Path> ca) {
  private static final Pattern STATUS = Pattern.compile("Response code: (\\d+)");
  /** Answers of Go's and nginx's servers, and a TLS record where a status line was expected. */
  private static final Pattern WANTS_HTTPS =
      Pattern.compile("(?s).*(HTTP request to an HTTPS server|plain HTTP request was sent to HTTPS port|Unexpected status line: \\x15).*");

  /** True if it is worth another try: the network, a server that is busy or starting, an answer that was cut. */
  static boolean isPassing(Throwable thrown) {
    if (find(thrown, SSLHandshakeException.class).isPresent() || find(thrown, SSLPeerUnverifiedException.class).isPresent()
        || isPlainAnswer(thrown) || find(thrown, UnknownHostException.class).isPresent()) {
      return false;
    }
    var status = status(thrown);
    return status >= 500 && status != 501 && status != 507 || status == 429 || status == 408
        || status == 0 && (find(thrown, IOException.class).isPresent() || find(thrown, XmlParserException.class).isPresent());
  }

  /** The server's own name of what went wrong, such as {@code NoSuchBucket}; empty where it gave none. */
  static String code(Throwable thrown) {
    return Optional.ofNullable(error(thrown)).map(ErrorResponse::code).orElse("");
  }

  /** @param verb what was tried with the bucket, such as {@code list} */
  Failure explain(String verb, Throwable thrown) {
    var status = status(thrown);
    var code = code(thrown);
    if (code.equals("NoSuchBucket")) {
      return missing(thrown);
    }
    if (code.equals("AccessDenied") || code.equals("AllAccessDisabled")) {
      return new Failure(Exit.AUTHENTICATION, "the access key may not %s bucket %s at %s".formatted(verb, bucket, endpoint),
          "its policy needs s3:GetBucketLocation (or set MINIO_REGION), s3:ListBucket, s3:GetObject, s3:PutObject, s3:DeleteObject", thrown);
    }
    if (status == 507 || code.contains("Quota") || code.equals("XMinioStorageFull")) {
      return new Failure(Exit.UNSAFE, "no room left in bucket %s at %s: %s".formatted(bucket, endpoint, reason(thrown)),
          "free some room, or raise the bucket's quota; then run again", thrown);
    }
    if (status == 403 || status == 401) {
      return new Failure(Exit.AUTHENTICATION, "%s refuses the keys: %s".formatted(endpoint, reason(thrown)),
          "check MINIO_ACCESS_KEY and MINIO_SECRET_KEY (or the alias), and this host's clock", thrown);
    }
    if (find(thrown, Exception.class, WANTS_HTTPS).isPresent()) {
      return new Failure(Exit.UNREACHABLE, endpoint + " speaks https, not http", "check MINIO_ENDPOINT: https://" + host(), thrown);
    }
    if (status == 0 && find(thrown, IOException.class).isPresent()) {
      return unreachable(find(thrown, IOException.class).get(), thrown);
    }
    if (find(thrown, InvalidResponseException.class).isPresent() || find(thrown, XmlParserException.class).isPresent()) {
      return new Failure(Exit.UNREACHABLE, "%s does not answer as an S3 server does%s".formatted(endpoint, status > 0 ? " (status " + status + ")" : ""),
          "is it the port of the S3 API? check MINIO_ENDPOINT", thrown);
    }
    return new Failure(status >= 500 && status != 501 ? Exit.UNREACHABLE : Exit.UNEXPECTED,
        "cannot %s bucket %s at %s: %s".formatted(verb, bucket, endpoint, reason(thrown)), "see the server's log", thrown);
  }

  /** There is no such bucket: a wrong name is more likely than a bucket that is to be made. */
  Failure missing(Throwable thrown) {
    return new Failure(Exit.UNSAFE, "there is no bucket %s at %s".formatted(bucket, endpoint),
        "check MINIO_BUCKET and MINIO_ENDPOINT; restore-files-minio.java --create-bucket creates it", thrown);
  }

  private Failure unreachable(IOException cause, Throwable thrown) {
    if (isPlainAnswer(cause)) {
      return new Failure(Exit.UNREACHABLE, endpoint + " speaks http, not https", "check MINIO_ENDPOINT: http://" + host(), thrown);
    }
    if (cause instanceof SSLPeerUnverifiedException) {
      return new Failure(Exit.UNREACHABLE, "the certificate of %s is for another name".formatted(endpoint),
          "check MINIO_ENDPOINT: use a name that stands in the certificate", thrown);
    }
    if (cause instanceof SSLException) {
      return new Failure(Exit.UNREACHABLE, "cannot trust the certificate of %s: %s".formatted(endpoint, cause.getMessage()),
          ca.map(file -> "is %s, which MINIO_CA names, the CA that signed it?".formatted(file))
              .orElse("name the CA that signed it with MINIO_CA"), thrown);
    }
    return new Failure(Exit.UNREACHABLE, "cannot reach %s: %s".formatted(endpoint, words(cause)), "is it started? check MINIO_ENDPOINT", thrown);
  }

  private static String words(IOException cause) {
    if (cause instanceof UnknownHostException) {
      return "unknown host";
    }
    if (cause instanceof NoRouteToHostException) {
      return "no route to this host";
    }
    if (cause instanceof SocketTimeoutException) {
      return "no answer in time";
    }
    return cause instanceof ConnectException ? "connection refused" : String.valueOf(cause.getMessage());
  }

  private static boolean isPlainAnswer(Throwable thrown) {
    return find(thrown, SSLException.class).filter(e -> ("" + e.getMessage()).contains("Unsupported or unrecognized SSL message")).isPresent();
  }

  private String host() {
    return endpoint.replaceFirst("https?://", "");
  }

  private static int status(Throwable thrown) {
    return find(thrown, ErrorResponseException.class).map(e -> e.response().code())
        .or(() -> find(thrown, ServerException.class).map(ServerException::statusCode))
        .or(() -> find(thrown, InvalidResponseException.class).map(Throwable::getMessage).map(STATUS::matcher)
            .filter(match -> match.find()).map(match -> Integer.valueOf(match.group(1)))).orElse(0);
  }

  private static ErrorResponse error(Throwable thrown) {
    return find(thrown, ErrorResponseException.class).map(ErrorResponseException::errorResponse).orElse(null);
  }

  /** The server's own words, which begin with its name of the error. */
  private static String reason(Throwable thrown) {
    var error = error(thrown);
    return error == null ? Failure.of(thrown).getMessage() : error.code() + ": " + error.message();
  }

  private static <T extends Throwable> Optional<T> find(Throwable thrown, Class<T> type) {
    return Stream.iterate(thrown, Objects::nonNull, Throwable::getCause).filter(type::isInstance).map(type::cast).findFirst();
  }

  private static <T extends Throwable> Optional<T> find(Throwable thrown, Class<T> type, Pattern message) {
    return Stream.iterate(thrown, Objects::nonNull, Throwable::getCause).filter(type::isInstance).map(type::cast)
        .filter(e -> e.getMessage() != null && message.matcher(e.getMessage()).matches()).findFirst();
  }
}

/**
 * The bucket of the attachments, who may write to it, and where its backups are. Endpoint and keys come from the
 * variables, else from an alias as the {@code mc} client keeps it.
 *
 * @param login endpoint and keys; null where only the archives are read
 * @param region empty: the server is asked
 * @param virtualHost true if the bucket is part of the host's name, not of the path
 * @param ca PEM file of the CA to trust for https; empty for the JDK's
 */
record S3Settings(Account login, String bucket, Optional<String> region, boolean virtualHost, Optional<Path> ca, Path archives) {
  static final Variable ENDPOINT = Variable.optional("MINIO_ENDPOINT");
  static final Variable ACCESS_KEY = Variable.secret("MINIO_ACCESS_KEY");
  static final Variable SECRET_KEY = Variable.secret("MINIO_SECRET_KEY");
  static final Variable ALIAS = Variable.withDefault("MINIO_ALIAS", "th_minio");
  static final Variable BUCKET = Variable.withDefault("MINIO_BUCKET", "thehive");
  static final Variable REGION = Variable.optional("MINIO_REGION");
  static final Variable VIRTUAL_HOST = Variable.withDefault("MINIO_VIRTUAL_HOST", "false");
  static final Variable CA = Variable.optional("MINIO_CA");
  static final Variable ARCHIVES = Variable.withDefault("MINIO_ARCHIVE_PATH", "/mnt/backup/minio/");
  static final List<Variable> VARIABLES =
      List.of(ENDPOINT, ACCESS_KEY, SECRET_KEY, ALIAS, BUCKET, REGION, VIRTUAL_HOST, CA, ARCHIVES);

  // As mc reads it: the keys stand in it as they are, without an encoding.
  private static final Pattern WITH_TOKEN = Pattern.compile("(https?://)([^@]*?):([^@]*?):([^@]*)@([^@]*)");
  private static final Pattern WITH_KEYS = Pattern.compile("(https?://)(.*?):(.*)@([^@]*)");

  /** An endpoint with its keys; {@code token} of temporary keys, else null. */
  record Account(String endpoint, String access, String secret, String token) {
    /** Without the secrets. */
    @Override
    public String toString() {
      return endpoint;
    }
  }

  /** @param environment where the variable {@code MC_HOST_<alias>}, MC_CONFIG_DIR and HOME are looked up */
  static S3Settings of(Settings settings, Map<String, String> environment) {
    return read(settings, login(settings, environment));
  }

  static S3Settings ofArchives(Settings settings) {
    return read(settings, null);
  }

  private static S3Settings read(Settings settings, Account login) {
    return new S3Settings(login, settings.text(BUCKET), settings.optional(REGION), settings.flag(VIRTUAL_HOST),
        settings.optionalPath(CA), settings.path(ARCHIVES));
  }

  private static Account login(Settings settings, Map<String, String> environment) {
    var endpoint = settings.optional(ENDPOINT);
    if (endpoint.isEmpty()) {
      return ofAlias(settings.text(ALIAS), environment);
    }
    if (endpoint.get().contains("@")) {
      throw new Failure(Exit.USAGE, "MINIO_ENDPOINT holds keys", "set MINIO_ACCESS_KEY and MINIO_SECRET_KEY instead");
    }
    var access = settings.secretOrPrompt(ACCESS_KEY, "Access key of " + endpoint.get());
    var secret = settings.secretOrPrompt(SECRET_KEY, "Secret key of " + endpoint.get());
    if (access.isEmpty() || secret.isEmpty()) {
      throw new Failure(Exit.USAGE, "no keys for " + endpoint.get(),
          "set MINIO_ACCESS_KEY and MINIO_SECRET_KEY, or MINIO_ACCESS_KEY_FILE and MINIO_SECRET_KEY_FILE");
    }
    return new Account(endpoint.get(), access.get(), secret.get(), null);
  }

  private static Account ofAlias(String alias, Map<String, String> environment) {
    var variable = environment.get("MC_HOST_" + alias);
    var files = configFiles(environment);
    var login = variable != null ? ofVariable(alias, variable) : files.stream().flatMap(file -> ofFile(file, alias).stream()).findFirst();
    return login.orElseThrow(() -> new Failure(Exit.USAGE, "MINIO_ENDPOINT is not set, and mc has no alias " + alias,
        "set MINIO_ENDPOINT, MINIO_ACCESS_KEY and MINIO_SECRET_KEY, or name an alias of mc with MINIO_ALIAS; looked in MC_HOST_%s, %s"
            .formatted(alias, files.stream().map(Path::toString).collect(Collectors.joining(", ")))));
  }

  private static Optional<Account> ofVariable(String alias, String value) {
    var token = WITH_TOKEN.matcher(value);
    if (token.matches()) {
      return Optional.of(new Account(token.group(1) + token.group(5), token.group(2), token.group(3), token.group(4)));
    }
    var keys = WITH_KEYS.matcher(value);
    if (keys.matches()) {
      return Optional.of(new Account(keys.group(1) + keys.group(4), keys.group(2), keys.group(3), null));
    }
    throw new Failure(Exit.USAGE, "MC_HOST_%s is not of the form https://ACCESS:SECRET@HOST:PORT".formatted(alias), null);
  }

  private static List<Path> configFiles(Map<String, String> environment) {
    var home = Path.of(environment.getOrDefault("HOME", System.getProperty("user.home")));
    return Stream.concat(Stream.ofNullable(environment.get("MC_CONFIG_DIR")).map(Path::of), Stream.of(home.resolve(".mc"), home.resolve(".mcli")))
        .map(path -> path.resolve("config.json")).toList();
  }

  private static Optional<Account> ofFile(Path file, String alias) {
    try {
      var entry = Json.MAPPER.readTree(file.toFile()).path("aliases").path(alias);
      return entry.isMissingNode() ? Optional.empty() : Optional.of(new Account(entry.path("url").asText(),
          entry.path("accessKey").asText(), entry.path("secretKey").asText(), entry.path("sessionToken").asText(null)));
    } catch (FileNotFoundException e) {
      return Optional.empty();
    } catch (IOException e) {
      // Jackson's message would show the line, and with it a key.
      throw new Failure(Exit.USAGE, "cannot read mc's " + file, "is it readable, and JSON? or set MINIO_ENDPOINT and the keys");
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
 * An object as the bucket's listing shows it.
 *
 * @param modified null where the server does not tell
 */
record StoredObject(String key, long size, ETag etag, Instant modified) {}

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
