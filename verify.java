///usr/bin/env jbang "$0" "$@" ; exit $?
//DESCRIPTION Tells whether everything is back after a restore of TheHive, on every node
//JAVA 17+
//DEPS info.picocli:picocli:4.7.7
//DEPS com.fasterxml.jackson.core:jackson-databind:2.22.4
//DEPS org.apache.commons:commons-compress:1.28.0
// For .tar.zst, and for SSTables compressed so.
//DEPS com.github.luben:zstd-jni:1.5.7-2
//DEPS net.lingala.zip4j:zip4j:2.11.6
//DEPS me.tongfei:progressbar:0.10.2
//DEPS io.minio:minio:9.0.4
// The SDK names okhttp, which is empty for Maven: its classes are in this one.
//DEPS com.squareup.okhttp3:okhttp-jvm:5.5.1
//DEPS org.elasticsearch.client:elasticsearch-rest-client:9.5.6
//DEPS org.apache.cassandra:java-driver-core:4.19.3
// cassandra-all reads the SSTables; it would bring older releases of the ones after it.
//DEPS org.apache.cassandra:cassandra-all:4.1.10
//DEPS com.google.guava:guava:33.8.0-jre
//DEPS io.netty:netty-all:4.1.137.Final
//DEPS io.netty:netty-handler:4.1.137.Final
//DEPS io.netty:netty-tcnative-boringssl-static:2.0.81.Final
//DEPS commons-io:commons-io:2.22.0
//DEPS commons-codec:commons-codec:1.23.0
//DEPS org.xerial.snappy:snappy-java:1.1.10.12
//DEPS org.yaml:snakeyaml:2.7
//DEPS ch.qos.logback:logback-core:1.2.13
//COMPILE_OPTIONS -encoding UTF-8
//JAVA_OPTIONS -Xmx768m -XX:+UseSerialGC -XX:TieredStopAtLevel=1
// Cassandra's classes and netty reach into the JDK; without the last three a newer JDK warns about it.
//JAVA_OPTIONS --add-opens=java.base/java.io=ALL-UNNAMED --add-opens=java.base/java.nio=ALL-UNNAMED
//JAVA_OPTIONS --add-opens=java.base/java.util=ALL-UNNAMED --add-opens=java.base/java.util.concurrent=ALL-UNNAMED
//JAVA_OPTIONS --add-opens=java.base/sun.nio.ch=ALL-UNNAMED --add-exports=java.base/jdk.internal.ref=ALL-UNNAMED
//JAVA_OPTIONS -XX:+IgnoreUnrecognizedVMOptions --enable-native-access=ALL-UNNAMED --sun-misc-unsafe-memory-access=allow
//JAVA_OPTIONS -Dfile.encoding=UTF-8 -Dstdout.encoding=UTF-8 -Dstderr.encoding=UTF-8 -Djdk.console=java.base

import ch.qos.logback.classic.Level;
import ch.qos.logback.classic.Logger;
import ch.qos.logback.core.ConsoleAppender;
import com.datastax.oss.driver.api.core.AllNodesFailedException;
import com.datastax.oss.driver.api.core.ConsistencyLevel;
import com.datastax.oss.driver.api.core.CqlIdentifier;
import com.datastax.oss.driver.api.core.CqlSession;
import com.datastax.oss.driver.api.core.CqlSessionBuilder;
import com.datastax.oss.driver.api.core.DriverException;
import com.datastax.oss.driver.api.core.auth.AuthenticationException;
import com.datastax.oss.driver.api.core.config.DefaultDriverOption;
import com.datastax.oss.driver.api.core.config.DriverConfigLoader;
import com.datastax.oss.driver.api.core.context.DriverContext;
import com.datastax.oss.driver.api.core.cql.ResultSet;
import com.datastax.oss.driver.api.core.cql.SimpleStatement;
import com.datastax.oss.driver.api.core.metadata.Node;
import com.datastax.oss.driver.api.core.metadata.TokenMap;
import com.datastax.oss.driver.api.core.metadata.schema.KeyspaceMetadata;
import com.datastax.oss.driver.api.core.metadata.token.TokenRange;
import com.datastax.oss.driver.api.core.servererrors.InvalidQueryException;
import com.datastax.oss.driver.api.core.servererrors.UnauthorizedException;
import com.datastax.oss.driver.api.core.session.ProgrammaticArguments;
import com.datastax.oss.driver.internal.core.context.DefaultDriverContext;
import com.datastax.oss.driver.internal.core.context.StartupOptionsBuilder;
import com.datastax.oss.driver.internal.core.loadbalancing.BasicLoadBalancingPolicy;
import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.core.json.JsonReadFeature;
import com.fasterxml.jackson.core.type.TypeReference;
import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.SerializationFeature;
import com.fasterxml.jackson.databind.json.JsonMapper;
import com.fasterxml.jackson.databind.node.MissingNode;
import io.minio.GetObjectArgs;
import io.minio.ListObjectsArgs;
import io.minio.MinioClient;
import io.minio.credentials.StaticProvider;
import io.minio.errors.ErrorResponseException;
import io.minio.messages.Part;
import java.io.BufferedInputStream;
import java.io.Closeable;
import java.io.DataInputStream;
import java.io.EOFException;
import java.io.File;
import java.io.FileNotFoundException;
import java.io.IOException;
import java.io.InputStream;
import java.io.PushbackInputStream;
import java.io.UncheckedIOException;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse;
import java.nio.ByteBuffer;
import java.nio.channels.Channels;
import java.nio.channels.FileChannel;
import java.nio.charset.CharacterCodingException;
import java.nio.charset.StandardCharsets;
import java.nio.file.FileSystemException;
import java.nio.file.FileSystems;
import java.nio.file.FileVisitResult;
import java.nio.file.Files;
import java.nio.file.InvalidPathException;
import java.nio.file.LinkOption;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.nio.file.SimpleFileVisitor;
import java.nio.file.StandardOpenOption;
import java.nio.file.attribute.BasicFileAttributes;
import java.nio.file.attribute.PosixFileAttributes;
import java.nio.file.attribute.PosixFilePermissions;
import java.nio.file.attribute.UserPrincipal;
import java.security.GeneralSecurityException;
import java.security.KeyStore;
import java.security.cert.Certificate;
import java.security.cert.CertificateException;
import java.security.cert.CertificateFactory;
import java.text.DecimalFormat;
import java.time.Duration;
import java.time.Instant;
import java.time.LocalDateTime;
import java.time.ZoneId;
import java.time.format.DateTimeFormatter;
import java.time.format.DateTimeParseException;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Base64;
import java.util.Collection;
import java.util.Collections;
import java.util.Comparator;
import java.util.EnumMap;
import java.util.EnumSet;
import java.util.HashMap;
import java.util.HashSet;
import java.util.IdentityHashMap;
import java.util.Iterator;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Objects;
import java.util.Optional;
import java.util.Set;
import java.util.SortedMap;
import java.util.TreeMap;
import java.util.TreeSet;
import java.util.UUID;
import java.util.concurrent.Callable;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionException;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.ConcurrentSkipListSet;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.concurrent.atomic.AtomicLong;
import java.util.concurrent.atomic.AtomicReference;
import java.util.concurrent.locks.LockSupport;
import java.util.function.BiConsumer;
import java.util.function.Consumer;
import java.util.function.Function;
import java.util.function.IntPredicate;
import java.util.function.LongSupplier;
import java.util.function.Predicate;
import java.util.function.Supplier;
import java.util.regex.MatchResult;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import java.util.stream.Collectors;
import java.util.stream.IntStream;
import java.util.stream.Stream;
import java.util.stream.StreamSupport;
import java.util.zip.CRC32;
import java.util.zip.CheckedInputStream;
import java.util.zip.Checksum;
import javax.net.ssl.KeyManager;
import javax.net.ssl.KeyManagerFactory;
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
import okhttp3.OkHttpClient;
import org.apache.cassandra.config.DatabaseDescriptor;
import org.apache.cassandra.config.DurationSpec;
import org.apache.cassandra.cql3.statements.schema.CreateTableStatement;
import org.apache.cassandra.cql3.statements.schema.TableAttributes;
import org.apache.cassandra.db.Clustering;
import org.apache.cassandra.db.DecoratedKey;
import org.apache.cassandra.db.EmptyIterators;
import org.apache.cassandra.db.RowIndexEntry;
import org.apache.cassandra.db.marshal.ByteBufferAccessor;
import org.apache.cassandra.db.marshal.BytesType;
import org.apache.cassandra.db.marshal.CompositeType;
import org.apache.cassandra.db.partitions.PartitionIterator;
import org.apache.cassandra.db.partitions.UnfilteredPartitionIterators;
import org.apache.cassandra.db.rows.Row;
import org.apache.cassandra.db.rows.RowIterator;
import org.apache.cassandra.dht.Murmur3Partitioner;
import org.apache.cassandra.dht.Range;
import org.apache.cassandra.dht.Token;
import org.apache.cassandra.io.sstable.Descriptor;
import org.apache.cassandra.io.sstable.format.SSTableFormat;
import org.apache.cassandra.io.sstable.format.SSTableReader;
import org.apache.cassandra.io.sstable.format.Version;
import org.apache.cassandra.io.sstable.metadata.MetadataSerializer;
import org.apache.cassandra.io.sstable.metadata.MetadataType;
import org.apache.cassandra.io.util.DataInputPlus;
import org.apache.cassandra.io.util.FileSegmentInputStream;
import org.apache.cassandra.schema.ColumnMetadata;
import org.apache.cassandra.schema.TableId;
import org.apache.cassandra.schema.TableMetadata;
import org.apache.cassandra.schema.TableMetadataRef;
import org.apache.cassandra.security.PEMReader;
import org.apache.cassandra.utils.BloomFilterSerializer;
import org.apache.cassandra.utils.ByteBufferUtil;
import org.apache.cassandra.utils.FilterFactory;
import org.apache.commons.codec.digest.DigestUtils;
import org.apache.commons.compress.archivers.tar.TarArchiveEntry;
import org.apache.commons.compress.archivers.tar.TarArchiveInputStream;
import org.apache.commons.compress.archivers.tar.TarConstants;
import org.apache.commons.compress.compressors.gzip.GzipCompressorInputStream;
import org.apache.commons.compress.compressors.zstandard.ZstdCompressorInputStream;
import org.apache.commons.io.IOUtils;
import org.apache.commons.io.input.BoundedInputStream;
import org.apache.commons.io.input.CloseShieldInputStream;
import org.apache.http.Header;
import org.apache.http.HttpHost;
import org.apache.http.message.BasicHeader;
import org.apache.http.util.EntityUtils;
import org.elasticsearch.client.Request;
import org.elasticsearch.client.ResponseException;
import org.elasticsearch.client.RestClient;
import org.slf4j.LoggerFactory;
import picocli.CommandLine.ArgGroup;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.Parameters;
import picocli.CommandLine.Spec;
import picocli.CommandLine;

/**
 * Answers "is everything back, on every node?" after a restore: services and logs, every row, every attachment, and
 * whether the parts belong together. Only reads. With {@code archives} it proves the backups alone, before a restore.
 *
 * <pre>CASSANDRA_CONNECTION=10.0.0.5 ./verify.java --skip s3</pre>
 */
@Command(
    name = "verify.java",
    description = "Tells whether everything is back after a restore, on every node. Only reads.",
    version = "1.0.0",
    mixinStandardHelpOptions = true,
    sortOptions = false,
    abbreviateSynopsis = true,
    usageHelpAutoWidth = true)
class Verify implements Callable<Integer> {
  static final String SCRIPT = "verify";
  static final String INDEX = "thehive_global";
  static final Set<String> ATTACHMENT_TYPES = new TreeSet<>(Set.of("tar", "zip", "tar.gz", "tar.zst"));
  /** How many names a table shows, and how many are kept for --json. */
  static final int NAMED = 20;
  static final int KEPT = 10_000;

  enum What {
    ARCHIVES
  }

  @Parameters(arity = "0..1", paramLabel = "archives", description = "only prove that the backups are complete")
  What what;

  @Option(names = "--backup", paramLabel = "POINT",
      description = "timestamp or backup's name (the newest)")
  String wanted;

  @Option(names = "--max-gap", paramLabel = "DURATION", defaultValue = "PT15M",
      description = "longest time between the backups (${DEFAULT-VALUE})")
  Duration maxGap;

  @Option(names = "--only", paramLabel = "CHECK,...", hideParamSyntax = true, split = ",",
      description = "only these: ${COMPLETION-CANDIDATES}")
  Set<Part> only = EnumSet.allOf(Part.class);

  @Option(names = "--skip", paramLabel = "CHECK,...", hideParamSyntax = true, split = ",",
      description = "all but these")
  Set<Part> skip = EnumSet.noneOf(Part.class);

  @Option(names = "--exact", description = "later writes are errors, too")
  boolean exact;

  @Option(names = "--quick", description = "only count the tables' rows")
  boolean quick;

  @Option(names = "--sample", paramLabel = "N", description = "compare N attachments, and the sizes of all")
  Integer sample;

  @Option(names = "--json", description = "print the result as JSON")
  boolean json;

  @Mixin Console console = new Console();

  @ArgGroup(validate = false, heading = "TheHive (THEHIVE_NODES, THEHIVE_SERVICE, THEHIVE_URL, THEHIVE_CA):%n")
  ServiceOptions service = new ServiceOptions();

  @ArgGroup(validate = false, heading = "Cassandra (CASSANDRA_CONNECTION; CASSANDRA_USER, CASSANDRA_PASSWORD):%n")
  CassandraOptions cassandra = new CassandraOptions();

  @ArgGroup(validate = false, heading = "Elasticsearch (ELASTICSEARCH_USER, _PASSWORD, or ELASTICSEARCH_API_KEY):%n")
  ElasticsearchOptions elasticsearch = new ElasticsearchOptions();

  @ArgGroup(validate = false, heading = "Attachments in a folder:%n")
  FileOptions files = new FileOptions();

  @ArgGroup(validate = false, heading = "Attachments in an S3 bucket (MINIO_ACCESS_KEY, MINIO_SECRET_KEY):%n")
  S3Options s3 = new S3Options();

  @Spec CommandSpec command;

  private final Findings findings = new Findings();
  private final Sampler sampler = new Sampler();
  private final AtomicLong done = new AtomicLong();
  private final Map<Part, Attachments> attachments = new ConcurrentHashMap<>();
  private Optional<String> password;

  public static void main(String[] args) {
    System.exit(commandLine(new Verify()).execute(args));
  }

  static CommandLine commandLine(Verify script) {
    return new CommandLine(script).setUsageHelpLongOptionsMaxWidth(24)
        .setCaseInsensitiveEnumValuesAllowed(true)
        .setExecutionExceptionHandler((thrown, line, parsed) -> script.console.error("", Failure.of(thrown)));
  }

  @Override
  public Integer call() throws IOException {
    Settings.refuseBlank(command);
    quietLibraries();
    password = Settings.secret("BACKUP_PASSWORD");
    var backups = chooseBackups();
    var checks = what == null ? checks(backups) : proofs(backups);
    run(checks, backups);
    if (chosen(Part.TOGETHER)) {
      var sampled = what == null && backups.containsKey(Part.CASSANDRA);
      new Together(maxGap, sampler).run(backups, attachments, findings, sampled);
    }
    System.out.print(json ? findings.json() : findings.table());
    if (findings.none()) {
      throw new Failure(USAGE, "nothing was checked", "the table says what is missing for each check");
    }
    return findings.bad() ? VERIFICATION : DONE;
  }

  private boolean chosen(Part part) {
    return only.contains(part) && !skip.contains(part);
  }

  /** The backups there are, of the same restore point as a restore would take. */
  private Map<Part, Backup> chooseBackups() {
    var all = new EnumMap<Part, Backup>(Part.class);
    choose(all, Part.CASSANDRA, cassandra.archives, Set.of("cassandra"), Set.of("tar", "zip"));
    choose(all, Part.ELASTICSEARCH, elasticsearch.archives, Set.of("elasticsearch"), Set.of("info"));
    choose(all, Part.FILES, files.archives, Set.of("files"), ATTACHMENT_TYPES);
    if (what == null && !s3.named()) {
      findings.missing(Part.S3, "MINIO_ENDPOINT is not set, and there is no alias " + s3.alias);
      return all;
    }
    choose(all, Part.S3, s3.archives, new TreeSet<>(Set.of("minio", "seaweedfs")), ATTACHMENT_TYPES);
    return all;
  }

  private void choose(Map<Part, Backup> all, Part part, Path folder, Set<String> components, Set<String> types) {
    if (!chosen(part) && !chosen(Part.TOGETHER)) {
      return;
    }
    try {
      var backup = BackupSet.choose(folder, components, types, wanted, maxGap);
      all.put(part, backup);
      console.step("Backup of %s: %s, taken %s", part, backup.file(), backup.age());
    } catch (Failure e) {
      if (e.code == USAGE) {
        throw e;
      }
      findings.missing(part, e.getMessage());
    }
  }

  /** What is to be checked, in the table's order; settings and passwords are read here, before anything begins. */
  private Map<Part, Check> checks(Map<Part, Backup> backups) {
    var checks = new EnumMap<Part, Check>(Part.class);
    if (chosen(Part.SERVICES) || chosen(Part.LOGS)) {
      var services = new Services(Host.all(), Host.service(), service.harmless());
      checks.put(Part.SERVICES, services::services);
      checks.put(Part.LOGS, services::logs);
    }
    if (System.getenv("CASSANDRA_CONNECTION") == null) {
      findings.missing(Part.CASSANDRA, "CASSANDRA_CONNECTION is not set");
    } else if (chosen(Part.CASSANDRA) && backups.containsKey(Part.CASSANDRA)) {
      checks.put(Part.CASSANDRA, new Cassandra(this, Connection.fromEnvironment(), backups.get(Part.CASSANDRA))::run);
    }
    var elasticsearchNamed = backups.containsKey(Part.ELASTICSEARCH) || System.getenv("ELASTICSEARCH_API_URL") != null;
    if (chosen(Part.ELASTICSEARCH) && elasticsearchNamed) {
      var backup = Optional.ofNullable(backups.get(Part.ELASTICSEARCH));
      checks.put(Part.ELASTICSEARCH, new Elasticsearch(this, Credentials.fromEnvironment(), backup)::run);
    }
    if (chosen(Part.FILES) && backups.containsKey(Part.FILES)) {
      checks.put(Part.FILES, found -> new FileStore(this, attachments(Part.FILES, backups)).run(found));
    }
    if (chosen(Part.S3) && backups.containsKey(Part.S3)) {
      var login = Login.of(s3.endpoint, s3.alias);
      checks.put(Part.S3, found -> new S3Store(this, login, attachments(Part.S3, backups)).run(found));
    }
    return checks;
  }

  /** The same for the archives alone: no server is asked. */
  private Map<Part, Check> proofs(Map<Part, Backup> backups) {
    var proofs = new EnumMap<Part, Check>(Part.class);
    backups.forEach((part, backup) -> proofs.put(part, switch (part) {
      case CASSANDRA -> found -> Cassandra.prove(cassandra, backup, password, found, done);
      case ELASTICSEARCH -> found -> found.ok("marker",
          "%s, taken %s; its snapshot is proven by Elasticsearch, when restored", backup.file(), backup.age());
      default -> found -> attachments(part, backups).prove(found, done);
    }));
    return proofs;
  }

  private Attachments attachments(Part part, Map<Part, Backup> backups) {
    var read = new Attachments(backups.get(part), new Members(backups.get(part).file(), password));
    attachments.put(part, read);
    return read;
  }

  /** Every check to its end, side by side: what one finds, or that it fails, hides nothing of another. */
  private void run(Map<Part, Check> checks, Map<Part, Backup> backups) throws IOException {
    checks.keySet().removeIf(part -> !chosen(part));
    var total = 0L;
    for (var part : checks.keySet()) {
      total += backups.containsKey(part) ? Files.size(backups.get(part).file()) : 0;
    }
    var parts = List.copyOf(checks.keySet());
    var open = new ConcurrentSkipListSet<>(parts);
    console.step("%s %s", what == null ? "Checking" : "Proving the backups of", join(open));
    try (var workers = new Workers(Part.values().length);
        Closeable bar = total == 0 ? () -> {} : console.progress("Checking", total, done::get, () -> join(open))) {
      workers.run(parts.size(), (lane, i) -> {
        run(checks.get(parts.get(i)), findings.of(parts.get(i)));
        open.remove(parts.get(i));
      });
    }
    for (var part : Part.values()) {
      if (part != Part.TOGETHER && chosen(part) && (what == null || part.backedUp())) {
        findings.fillIn(part, required(part));
      }
    }
  }

  private void run(Check check, Found found) {
    try {
      check.run(found);
    } catch (Throwable thrown) {
      var failure = Failure.of(thrown);
      var hint = failure.hint == null ? "" : " (" + failure.hint + ")";
      found.bad(failure.code == BAD_BACKUP ? "backup" : "reach", List.of(), "%s%s", failure.getMessage(), hint);
      if (console.verbose) {
        thrown.printStackTrace();
      }
    }
  }

  /** Whether it is an error that a part has no backup, not only a reason to leave it out. */
  private boolean required(Part part) {
    return only.size() < Part.values().length && part.backedUp()
        || part == Part.CASSANDRA && (what != null || System.getenv("CASSANDRA_CONNECTION") != null)
        || part == Part.ELASTICSEARCH && what != null;
  }

  private static String join(Collection<Part> parts) {
    return parts.stream().map(Part::toString).collect(Collectors.joining(", "));
  }

  /** Cassandra's classes log through logback, which without a configuration prints everything to stdout. */
  private void quietLibraries() {
    var root = (Logger) LoggerFactory.getLogger(org.slf4j.Logger.ROOT_LOGGER_NAME);
    root.setLevel(console.verbose ? Level.WARN : Level.OFF);
    root.iteratorForAppenders().forEachRemaining(appender -> {
      appender.stop();
      ((ConsoleAppender<?>) appender).setTarget("System.err");
      appender.start();
    });
  }

  // ------------------------------------------------------------------------------------------------------ the findings

  enum Part {
    SERVICES, LOGS, CASSANDRA, ELASTICSEARCH, FILES, S3, TOGETHER;

    boolean backedUp() {
      return this != SERVICES && this != LOGS;
    }

    @Override
    public String toString() {
      return name().toLowerCase(Locale.ROOT);
    }
  }

  interface Check {
    void run(Found found) throws Exception;
  }

  enum Mark {
    OK("✓"), BAD("✗"), SKIPPED("-");

    final String sign;

    Mark(String sign) {
      this.sign = sign;
    }
  }

  /** A line of the table. */
  record Finding(Part part, Mark mark, String check, String text, List<String> details) {}

  /** Where one part puts what it finds. */
  record Found(Part part, List<Finding> list) {
    void ok(String check, String text, Object... values) {
      list.add(new Finding(part, Mark.OK, check, text.formatted(values), List.of()));
    }

    void skipped(String check, String text, Object... values) {
      list.add(new Finding(part, Mark.SKIPPED, check, text.formatted(values), List.of()));
    }

    void bad(String check, Collection<String> details, String text, Object... values) {
      list.add(new Finding(part, Mark.BAD, check, text.formatted(values), details.stream().limit(KEPT).toList()));
    }

    /** The same text with a ✓, or with a ✗ and the details under it. */
    void is(boolean good, String check, Collection<String> details, String text, Object... values) {
      if (good) {
        ok(check, text, values);
      } else {
        bad(check, details, text, values);
      }
    }

    /** A ✗ with the names, or a ✓ when there are none. */
    void none(String check, Names names, String good, String bad) {
      var text = names.count() == 0 ? good : "%,d %s".formatted(names.count(), bad);
      is(names.count() == 0, check, names.list(), "%s", text);
    }

    void none(String check, Collection<String> names, String good, String bad) {
      var counted = new Names();
      names.forEach(counted::add);
      none(check, counted, good, bad);
    }
  }

  static final class Findings {
    private final Map<Part, Found> byPart = new EnumMap<>(Part.class);
    private final Map<Part, String> missing = new EnumMap<>(Part.class);

    Findings() {
      for (var part : Part.values()) {
        byPart.put(part, new Found(part, Collections.synchronizedList(new ArrayList<>())));
      }
    }

    Found of(Part part) {
      return byPart.get(part);
    }

    void missing(Part part, String why) {
      missing.putIfAbsent(part, why);
    }

    /** The reason why nothing was found of a part. */
    void fillIn(Part part, boolean required) {
      var why = missing.getOrDefault(part, "nothing to check");
      if (of(part).list().isEmpty() && required) {
        of(part).bad("backup", List.of(), "%s", why);
      } else if (of(part).list().isEmpty()) {
        of(part).skipped("backup", "%s", why);
      }
    }

    private Stream<Finding> all() {
      return byPart.values().stream().flatMap(found -> found.list().stream());
    }

    boolean none() {
      return all().allMatch(finding -> finding.mark() == Mark.SKIPPED);
    }

    boolean bad() {
      return all().anyMatch(finding -> finding.mark() == Mark.BAD);
    }

    String json() throws IOException {
      var checks = all().map(finding -> Map.of("part", finding.part().toString(), "check", finding.check(),
          "result", finding.mark().name().toLowerCase(Locale.ROOT), "text", finding.text(),
          "details", finding.details())).toList();
      var exit = bad() ? VERIFICATION : DONE;
      return Report.JSON.writeValueAsString(Map.of("script", SCRIPT, "exit", exit, "checks", checks)) + "\n";
    }

    String table() {
      var width = all().mapToInt(finding -> finding.check().length()).max().orElse(1);
      var lines = new StringBuilder();
      all().forEach(finding -> {
        lines.append("%s %-13s %-{}s  %s%n".replace("{}", "" + width)
            .formatted(finding.mark().sign, finding.part(), finding.check(), finding.text()));
        finding.details().stream().limit(NAMED).forEach(detail -> lines.append("      ").append(detail).append('\n'));
        if (finding.details().size() > NAMED) {
          lines.append("      and %d more: --json shows them%n".formatted(finding.details().size() - NAMED));
        }
      });
      return lines.toString();
    }
  }

  /** Names of what differs, the first of them; all are counted. */
  static final class Names {
    private final Set<String> names = new TreeSet<>();
    private long count;

    synchronized void add(String name) {
      count++;
      if (names.size() < KEPT) {
        names.add(name);
      }
    }

    /** Some more, whose names are not known. */
    synchronized void add(long unnamed) {
      count += unnamed;
    }

    void add(Names others) {
      others.list().forEach(this::add);
      add(others.count() - others.list().size());
    }

    synchronized long count() {
      return count;
    }

    synchronized List<String> list() {
      return List.copyOf(names);
    }
  }

  /** What the restore scripts left beside the archives. */
  static final class Report {
    static final ObjectMapper JSON = new ObjectMapper().enable(SerializationFeature.INDENT_OUTPUT);

    private Report() {}

    /** The newest report of a script that succeeded and fits. */
    static Optional<JsonNode> newest(Path folder, String script, Predicate<JsonNode> fits) {
      try (var list = Files.list(folder)) {
        var name = script + "_\\d{8}_\\d\\dh\\d\\dm\\d\\ds\\.json";
        return list.filter(file -> file.getFileName().toString().matches(name))
            .sorted(Comparator.reverseOrder()).map(Report::read).filter(fits).findFirst();
      } catch (IOException e) {
        return Optional.empty();
      }
    }

    private static JsonNode read(Path file) {
      try {
        return JSON.readTree(file.toFile());
      } catch (IOException e) {
        return MissingNode.getInstance();
      }
    }
  }

  // ---------------------------------------------------------------------------------------------------- services, logs

  static final class ServiceOptions {
    @Option(names = "--ignore-log", paramLabel = "REGEX", description = "harmless lines of its log; may be repeated")
    List<Pattern> ignored = List.of();

    Predicate<String> harmless() {
      return line -> ignored.stream().anyMatch(pattern -> pattern.matcher(line).find());
    }
  }

  record Services(List<Host> hosts, String service, Predicate<String> harmless) {
    private static final int LINES = 200_000;

    void services(Found found) {
      each(found, (host, unit) -> {
        var since = unit.since().isEmpty() ? "never" : unit.since();
        found.is(unit.active().equals("active"), "unit", List.of(), "%s: %s %s, since %s, %d restarts",
            host.name(), service, unit, since, unit.restarts());
        var application = Application.on(host);
        application.problem().ifPresentOrElse(
            problem -> found.bad("application", List.of(), "%s", problem),
            () -> found.ok("application", "%s answers", application.status().uri()));
      });
    }

    void logs(Found found) {
      each(found, (host, unit) -> {
        if (!unit.active().equals("active") || unit.invocation().isEmpty()) {
          found.skipped("errors", "%s: %s is not active", host.name(), service);
          return;
        }
        var journal = host.run("%sjournalctl _SYSTEMD_INVOCATION_ID=%s -o cat --no-pager -n %d".formatted(
            unit.root() ? "" : "sudo -n ", unit.invocation(), LINES), Duration.ofMinutes(2));
        if (journal.code() != 0) {
          found.bad("errors", List.of(), "%s: cannot read the journal: %s", host.name(), Host.last(journal.err()));
          return;
        }
        var lines = journal.out().lines().filter(line -> !line.startsWith("-- ")).toList();
        var errors = lines.stream().filter(Application.ERROR.asPredicate()).filter(harmless.negate()).toList();
        if (lines.isEmpty()) {
          found.skipped("errors", "%s: the journal has no line of %s since its start", host.name(), service);
        } else {
          found.none("errors", errors, "%s: none in %d lines since the start".formatted(host.name(), lines.size()),
              "on %s in %d lines since the start".formatted(host.name(), lines.size()));
        }
      });
    }

    private void each(Found found, BiConsumer<Host, Host.Unit> work) {
      var named = Settings.variable("THEHIVE_NODES").isPresent();
      Host.each(hosts, host -> {
        try {
          var unit = host.unit(service);
          if (!named && unit.load().equals("not-found")) {
            found.skipped("unit", "THEHIVE_NODES is not set, and this host has no unit %s", service);
          } else {
            work.accept(host, unit);
          }
        } catch (Failure e) {
          if (named || e.code == USAGE) {
            found.bad("unit", e.hint == null ? List.of() : List.of(e.hint), "%s", e.getMessage());
          } else {
            found.skipped("unit", "THEHIVE_NODES is not set, and this host has no systemd");
          }
        }
        return null;
      });
    }
  }

  // --------------------------------------------------------------------------------------------------------- Cassandra

  static final class CassandraOptions {
    @Option(names = "--keyspace", paramLabel = "NAME", defaultValue = "${env:CASSANDRA_KEYSPACE:-thehive}",
        description = "keyspace (CASSANDRA_KEYSPACE, ${DEFAULT-VALUE})")
    String keyspace;

    @Option(names = "--cassandra-archives", paramLabel = "DIR",
        defaultValue = "${env:CASSANDRA_GENERAL_ARCHIVE_PATH:-/mnt/backup/cassandra}",
        description = "archives (CASSANDRA_GENERAL_ARCHIVE_PATH, ${DEFAULT-VALUE})")
    Path archives;

    @Option(names = "--work-path", paramLabel = "DIR", defaultValue = "${env:RESTORE_WORK_PATH}",
        description = "to unpack in (RESTORE_WORK_PATH, the archives')")
    Path work;

    @Option(names = "--cassandra-ca", paramLabel = "PEM", defaultValue = "${env:CASSANDRA_SSL_CA}",
        description = "TLS, trusting this CA (CASSANDRA_SSL_CA)")
    Path ca;

    @Option(names = "--cassandra-cert", paramLabel = "PEM", defaultValue = "${env:CASSANDRA_SSL_CERT}",
        description = "client certificate (CASSANDRA_SSL_CERT)")
    Path certificate;

    @Option(names = "--cassandra-key", paramLabel = "PEM", defaultValue = "${env:CASSANDRA_SSL_KEY}",
        description = "its private key (CASSANDRA_SSL_KEY)")
    Path key;

    Optional<SSLContext> tls() {
      return Optional.ofNullable(ca).map(trusted -> Connection.tls(trusted, certificate, key));
    }

    /** One of this process's own, so that two may verify at once. */
    Path work() {
      return (work == null ? archives : work).resolve("." + SCRIPT + "." + ProcessHandle.current().pid() + ".unpacked");
    }

    /** What a killed process left, after a day: nothing tells whether it was one of another host, still at work. */
    void removeLeftovers() throws IOException {
      try (var folders = Files.newDirectoryStream(work().getParent(), "." + SCRIPT + ".*.unpacked")) {
        for (var folder : folders) {
          if (Files.getLastModifiedTime(folder).toInstant().isBefore(Instant.now().minus(Duration.ofDays(1)))) {
            Unpacked.delete(folder);
          }
        }
      }
    }
  }

  /** Whether every row of the backup, and no other, is on each node. */
  static final class Cassandra {
    private static final int BATCH = 8;
    private static final int ATTEMPTS = 3;
    private static final String ANOTHER = "name another folder with --work-path";
    private final CassandraOptions options;
    private final Verify script;
    private final Connection connection;
    private final Backup backup;
    private CqlSession session;

    Cassandra(Verify script, Connection connection, Backup backup) {
      this.script = script;
      this.options = script.cassandra;
      this.connection = connection;
      this.backup = backup;
    }

    /** The archive alone: every byte of it is read. */
    static void prove(CassandraOptions options, Backup backup, Optional<String> password, Found found, AtomicLong done)
        throws IOException {
      CassandraBackup.initialise(options.work(), config -> {});
      try (var archive = new Archive(backup.file(), password)) {
        var contents = CassandraBackup.prove(archive, options.keyspace);
        found.ok("archive", "%s, taken %s: %d tables, %s in %d SSTables, complete and matching their digests",
            backup.file(), backup.age(), contents.tables().size(), Console.size(contents.bytes()), contents.sstables());
        done.addAndGet(Files.size(backup.file()));
      }
    }

    void run(Found found) throws Exception {
      CassandraBackup.initialise(options.work(), config -> {});
      try (var archive = new Archive(backup.file(), script.password)) {
        var proof = CompletableFuture.supplyAsync(() -> CassandraBackup.prove(archive, options.keyspace));
        session = connection.open(SCRIPT + " " + UUID.randomUUID(), options.keyspace, options.tls());
        var nodes = checkNodes(found);
        var contents = proof.join();
        var keyspace = session.getMetadata().getKeyspace(CqlIdentifier.fromInternal(options.keyspace));
        if (keyspace.isEmpty()) {
          found.bad("keyspace", List.of(), "there is no keyspace %s", options.keyspace);
          return;
        }
        checkReplication(keyspace.get(), found);
        var tables = checkTables(contents, keyspace.get(), found);
        requireSpace(contents.bytes());
        compareRows(tables, nodes, archive, found);
      } finally {
        if (session != null) {
          session.close();
        }
      }
    }

    /** All must answer, agree on one schema and be neither joining nor leaving; those that answer are returned. */
    private List<Node> checkNodes(Found found) {
      var all = new ArrayList<>(session.getMetadata().getNodes().values());
      all.sort(Comparator.comparing(Cassandra::host));
      var up = new ArrayList<Node>();
      var versions = new TreeMap<UUID, List<String>>();
      var problems = new TreeMap<String, String>();
      for (var node : all) {
        try {
          var version = on(node, "SELECT schema_version FROM system.local").one().getUuid("schema_version");
          versions.computeIfAbsent(version, key -> new ArrayList<>()).add(host(node));
          up.add(node);
        } catch (DriverException e) {
          problems.put(host(node), "is down, or not reachable from here");
        }
      }
      if (up.isEmpty()) {
        throw new Failure(UNREACHABLE, "no Cassandra node answers", "nodetool status");
      }
      addMoving(up.get(0), problems, found);
      found.none("nodes", problems.entrySet().stream().map(e -> e.getKey() + " " + e.getValue()).toList(),
          all.size() + " up and normal", "of %d not up and normal".formatted(all.size()));
      var one = versions.size() == 1;
      found.is(one, "schema", versions.values().stream().map(Object::toString).toList(),
          one ? "one version on %2$d nodes" : "%d versions", versions.size(), up.size());
      return up;
    }

    private void addMoving(Node asked, Map<String, String> problems, Found found) {
      try {
        for (var row : on(asked, "SELECT address, status_with_port FROM system_views.gossip_info")) {
          var status = String.valueOf(row.getString("status_with_port")).split(",")[0];
          if (!Set.of("NORMAL", "LEFT", "removed", "null").contains(status)) {
            problems.putIfAbsent(row.getInetAddress("address").getHostAddress(), "is " + status);
          }
        }
      } catch (InvalidQueryException | UnauthorizedException e) {
        found.skipped("gossip", "this Cassandra does not tell which nodes join or leave: look at nodetool status");
      }
    }

    private ResultSet on(Node node, String query, Object... values) {
      return session.execute(SimpleStatement.newInstance(query, values).setNode(node));
    }

    private void checkReplication(KeyspaceMetadata keyspace, Found found) {
      var replication = new TreeMap<>(keyspace.getReplication());
      replication.computeIfPresent("class", (key, name) -> name.substring(name.lastIndexOf('.') + 1));
      var nodes = session.getMetadata().getNodes().values().stream().collect(
          Collectors.groupingBy(Node::getDatacenter, TreeMap::new, Collectors.counting()));
      var fits = true;
      try {
        Replication.require(replication, nodes);
      } catch (Failure e) {
        fits = false;
      }
      found.is(fits, "replication", List.of(), fits ? "%s on nodes %s" : "%s does not fit the nodes %s",
          Replication.text(replication), nodes);
    }

    /** The backup's tables that are there. */
    private List<Table> checkTables(CassandraBackup contents, KeyspaceMetadata keyspace, Found found) {
      var live = new TreeSet<String>();
      keyspace.getTables().keySet().forEach(name -> live.add(name.asInternal()));
      var missing = new ArrayList<String>();
      var tables = new ArrayList<Table>();
      for (var table : contents.tables()) {
        if (live.remove(table.name())) {
          var id = new UUID(0, table.name().hashCode());
          var definition = contents.definition().tables().get(table.name());
          tables.add(new Table(table, Definition.table(definition, options.keyspace, id), script.quick));
        } else {
          missing.add(table.name());
        }
      }
      var later = live.isEmpty() ? "" : "; not in the backup: " + String.join(", ", live);
      if (script.exact && !live.isEmpty()) {
        found.bad("tables", live, "%d are not in the backup", live.size());
      }
      var there = "%d of the backup are there%s".formatted(tables.size(), later);
      found.none("tables", missing, there, "of the backup are missing");
      return tables;
    }

    private static String host(Node node) {
      return node.getBroadcastAddress().map(InetSocketAddress::getAddress).map(InetAddress::getHostAddress)
          .orElse(node.getEndPoint().toString());
    }

    private void compareRows(List<Table> tables, List<Node> nodes, Archive archive, Found found) throws Exception {
      options.removeLeftovers();
      try (var unpacked = new Unpacked(options.work(), options.keyspace, archive)) {
        for (var table : tables) {
          table.open(unpacked.unpack(table.files));
        }
        var newest = tables.stream().flatMap(table -> table.sstables.stream()).mapToLong(SSTableReader::getMaxTimestamp)
            .max().orElse(backup.taken().atZone(ZoneId.systemDefault()).toEpochSecond() * 1_000_000);
        for (var node : nodes) {
          compareNode(node, tables, newest, nodes.size());
        }
        tables.forEach(table -> report(table, nodes, found));
      } finally {
        tables.forEach(Table::close);
      }
    }

    private void requireSpace(long bytes) throws IOException {
      var folder = options.work().getParent();
      var free = Files.getFileStore(folder).getUsableSpace();
      if (free < bytes + bytes / 10) {
        var needed = "unpacking needs " + Console.size(bytes);
        throw new Failure(UNSAFE, "%s has %s free, %s".formatted(folder, Console.size(free), needed), ANOTHER);
      }
      if (!Files.isWritable(folder)) {
        throw new Failure(UNSAFE, "cannot write to " + folder, ANOTHER);
      }
    }

    private record Job(Table table, Range<Token> range, long bytes) {}

    /**
     * A node asked for one copy may fetch another node's: Cassandra prefers its own, but not while it measures others
     * as faster, and with SimpleSnitch not at all. Its count of reads from its own copy tells; so the nodes are read
     * one after another, some pieces at a time, and pieces that were answered from elsewhere are read again.
     */
    private void compareNode(Node node, List<Table> tables, long newest, int nodes) throws Exception {
      var jobs = new ArrayList<Job>();
      for (var table : tables) {
        table.results.put(node, new Result());
        var ranges = ranges(node, Math.max(1, table.rows() / 20_000));
        ranges.forEach(range -> jobs.add(new Job(table, range, table.files.bytes() / ranges.size() / nodes)));
      }
      var attempts = ATTEMPTS;
      for (var from = 0; from < jobs.size(); from += BATCH) {
        var batch = jobs.subList(from, Math.min(jobs.size(), from + BATCH));
        var results = compare(node, batch, newest);
        for (var attempt = 1; attempt < attempts && !own(results); attempt++) {
          favourOwnCopy(node, tables, nodes);
          results = compare(node, batch, newest);
        }
        attempts = own(results) ? ATTEMPTS : 1;
        results.forEach((table, result) -> table.results.get(node).add(result));
        batch.forEach(job -> script.done.addAndGet(job.bytes));
      }
    }

    private Map<Table, Result> compare(Node node, List<Job> batch, long newest) throws Exception {
      var results = new HashMap<Table, Result>();
      var before = new HashMap<Table, Long>();
      for (var job : batch) {
        results.computeIfAbsent(job.table, table -> new Result());
        before.computeIfAbsent(job.table, table -> scans(node, table));
      }
      try (var workers = new Workers(BATCH)) {
        workers.run(batch.size(), (lane, i) ->
            new Comparison(batch.get(i), node, results.get(batch.get(i).table), newest).run());
      }
      results.forEach((table, result) ->
          result.own = before.get(table) >= 0 && scans(node, table) - before.get(table) >= result.pages.get());
      return results;
    }

    private static boolean own(Map<Table, Result> results) {
      return results.values().stream().allMatch(result -> result.own);
    }

    /**
     * Lets a node measure all copies as equally fast: it then prefers its own. It reads from all what is nowhere, so
     * there is nothing that could be repaired.
     */
    private void favourOwnCopy(Node node, List<Table> tables, int nodes) throws InterruptedException {
      var simple = tables.stream().map(table -> table.metadata).filter(table -> table.partitionKeyColumns().size() == 1
          && table.partitionKeyColumns().get(0).type == BytesType.instance).findFirst();
      if (simple.isEmpty()) {
        return;
      }
      var key = simple.get().partitionKeyColumns().get(0).name.toCQLString();
      var copies = nodes < session.getMetadata().getNodes().size() ? ConsistencyLevel.QUORUM : ConsistencyLevel.ALL;
      var query = "SELECT * FROM %s WHERE %s = 0x".formatted(simple.get(), key);
      var reads = Stream.generate(() -> SimpleStatement.newInstance(query + random() + random()))
          .map(read -> session.executeAsync(read.setNode(node).setConsistencyLevel(copies)).toCompletableFuture())
          .map(read -> read.exceptionally(thrown -> null)).limit(300).toList();
      reads.forEach(CompletableFuture::join);
      Thread.sleep(250); // it looks at its measurements ten times a second
    }

    private static String random() {
      return UUID.randomUUID().toString().replace("-", "");
    }

    /** How often a node has read ranges of its own copy of a table; -1 where it does not tell. */
    private long scans(Node node, Table table) {
      try {
        var row = on(node, "SELECT count FROM system_views.local_scan_latency"
            + " WHERE keyspace_name = ? AND table_name = ?", options.keyspace, table.name).one();
        return row == null ? 0 : row.getLong("count");
      } catch (DriverException e) {
        return -1;
      }
    }

    /** What a node has of the ring, joined where it touches, and cut into pieces to be read side by side. */
    private List<Range<Token>> ranges(Node node, long pieces) {
      var map = session.getMetadata().getTokenMap().orElseThrow();
      var owned = map.getTokenRanges(CqlIdentifier.fromInternal(options.keyspace), node);
      var joined = Range.normalize(owned.stream().map(range -> range(map, range)).toList());
      var share = (int) Math.max(1, pieces / Math.max(1, joined.size()));
      return joined.stream()
          .map(range -> map.newTokenRange(map.parse(range.left.toString()), map.parse(range.right.toString())))
          .flatMap(range -> range.splitEvenly(share).stream()).map(range -> range(map, range)).toList();
    }

    private static Range<Token> range(TokenMap map, TokenRange range) {
      var tokens = Murmur3Partitioner.instance.getTokenFactory();
      var start = tokens.fromString(map.format(range.getStart()));
      return new Range<>(start, tokens.fromString(map.format(range.getEnd())));
    }

    /** A table of the backup, opened where it was unpacked. */
    private static final class Table {
      final CassandraBackup.Table files;
      final String name;
      final TableMetadata metadata;
      final List<ColumnMetadata> columns;
      /** Not compared value by value: so asked for, or not all values have a write time, as TheHive's have. */
      final boolean counted;
      final List<SSTableReader> sstables = new ArrayList<>();
      final Map<Node, Result> results = new ConcurrentHashMap<>();

      Table(CassandraBackup.Table files, TableMetadata metadata, boolean quick) {
        this.files = files;
        this.name = files.name();
        this.metadata = metadata;
        this.columns = StreamSupport.stream(metadata.regularColumns().spliterator(), false).toList();
        this.counted = quick || columns.isEmpty() || metadata.isCounter() || !metadata.staticColumns().isEmpty()
            || metadata.regularColumns().hasComplex();
      }

      void open(Path folder) {
        for (var sstable : files.sstables()) {
          var data = new org.apache.cassandra.io.util.File(folder.resolve(sstable + "-Data.db"));
          var reference = TableMetadataRef.forOfflineTools(metadata);
          sstables.add(SSTableReader.openNoValidation(Descriptor.fromFilename(data), reference));
        }
      }

      long rows() {
        return sstables.stream().mapToLong(SSTableReader::getTotalRows).sum();
      }

      /** A page of about a megabyte. */
      int page() {
        var size = sstables.stream().mapToLong(SSTableReader::uncompressedLength).sum() / Math.max(1, rows());
        return (int) Math.max(50, Math.min(2000, (1 << 20) / Math.max(1, size)));
      }

      void close() {
        sstables.forEach(sstable -> sstable.selfRef().close());
      }

      String query(Range<Token> range) {
        var keys = String.join(", ", names(metadata.partitionKeyColumns(), "%s"));
        var times = String.join(", ", names(columns, "writetime(%1$s), ttl(%1$s)"));
        var values = Stream.of(List.of(keys), names(metadata.clusteringColumns(), "%s"), names(columns, "%s"));
        var all = values.flatMap(List::stream).collect(Collectors.joining(", ")) + ", " + times;
        var bounds = new ArrayList<String>();
        if (!range.left.isMinimum()) {
          bounds.add("token(%s) > %s".formatted(keys, range.left));
        }
        if (!range.right.isMinimum()) {
          bounds.add("token(%s) <= %s".formatted(keys, range.right));
        }
        return "SELECT %s FROM %s%s".formatted(counted ? "count(*)" : all, metadata,
            bounds.isEmpty() ? "" : " WHERE " + String.join(" AND ", bounds));
      }

      private static List<String> names(Collection<ColumnMetadata> columns, String form) {
        return columns.stream().map(column -> form.formatted(column.name.toCQLString())).toList();
      }

      String named(DecoratedKey key, Clustering<?> clustering) {
        var parts = metadata.partitionKeyColumns();
        var bytes = key.getKey();
        var text = new StringBuilder(parts.size() == 1 ? value(parts.get(0), bytes) : "key " + hex(bytes));
        for (var i = 0; i < clustering.size(); i++) {
          text.append(", ").append(value(metadata.clusteringColumns().get(i), clustering.bufferAt(i)));
        }
        return text.toString();
      }

      private static String value(ColumnMetadata column, ByteBuffer value) {
        var text = column.type == BytesType.instance ? hex(value) : column.type.getString(value);
        return column.name + " " + (text.length() > 100 ? text.substring(0, 100) + "…" : text);
      }

      private static String hex(ByteBuffer value) {
        return "0x" + ByteBufferUtil.bytesToHex(value);
      }
    }

    /** What came of one table on one node. */
    private static final class Result {
      final AtomicLong rows = new AtomicLong();
      final AtomicLong newer = new AtomicLong();
      final AtomicLong pages = new AtomicLong();
      final Names missing = new Names();
      final Names extra = new Names();
      final Names changed = new Names();
      final Map<String, Names> differences = new LinkedHashMap<>();
      boolean own = true;

      Result() {
        differences.put("missing", missing);
        differences.put("extra", extra);
        differences.put("changed", changed);
      }

      void add(Result other) {
        rows.addAndGet(other.rows.get());
        newer.addAndGet(other.newer.get());
        differences.forEach((what, names) -> names.add(other.differences.get(what)));
        own &= other.own;
      }

      boolean same() {
        return differences.values().stream().allMatch(names -> names.count() == 0);
      }

      @Override
      public String toString() {
        return differences.entrySet().stream().filter(e -> e.getValue().count() > 0)
            .map(e -> e.getValue().count() + " " + e.getKey()).collect(Collectors.joining(", "));
      }
    }

    /** The backup's rows and one node's beside each other, both in the order of their tokens. */
    private final class Comparison {
      private final Table table;
      private final Result result;
      private final Range<Token> range;
      private final SimpleStatement query;
      private final long newest;
      private final int keys;
      private final int now = (int) (System.currentTimeMillis() / 1000);
      private DecoratedKey partition;
      private Names missing = new Names();
      private boolean writtenSince;

      /** @param newest the backup's newest write, in microseconds: what was written later was written since */
      Comparison(Job job, Node node, Result result, long newest) {
        this.table = job.table;
        this.range = job.range;
        this.result = result;
        this.newest = newest;
        this.keys = table.metadata.partitionKeyColumns().size() + table.metadata.clusteringColumns().size();
        // ALL would make Cassandra repair what it finds to differ; nothing is to be written.
        this.query = SimpleStatement.newInstance(table.query(range)).setNode(node).setPageSize(table.page())
            .setConsistencyLevel(ConsistencyLevel.LOCAL_ONE);
      }

      void run() {
        if (table.counted) {
          count();
          return;
        }
        try (var stored = new Stored(table, range, now)) {
          var answer = session.execute(query);
          var rows = answer.iterator();
          var live = next(rows, null);
          var hasStored = stored.next();
          while (hasStored || live != null) {
            var order = live == null ? -1 : !hasStored ? 1 : compare(stored, live);
            var key = order <= 0 ? stored.key : live.key;
            if (!key.equals(partition)) {
              endPartition();
              partition = key;
            }
            if (order < 0) {
              missing(stored);
            } else if (order > 0) {
              extra(live);
            } else {
              compareCells(stored, live);
            }
            if (order <= 0) {
              result.rows.incrementAndGet();
              script.sampler.take(table.name, stored.row);
              hasStored = stored.next();
            }
            live = order >= 0 ? next(rows, live) : live;
          }
          endPartition();
          result.pages.addAndGet(answer.getExecutionInfos().size());
        }
      }

      /** Only numbers; one row lost and another one new look alike to it. */
      private void count() {
        try (var stored = new Stored(table, range, now)) {
          var wanted = 0L;
          while (stored.next()) {
            wanted++;
            script.sampler.take(table.name, stored.row);
          }
          var live = session.execute(query).one().getLong(0);
          result.rows.addAndGet(wanted);
          result.missing.add(Math.max(0, wanted - live));
          (script.exact ? result.extra : new Names()).add(Math.max(0, live - wanted));
          result.newer.addAndGet(script.exact ? 0 : Math.max(0, live - wanted));
          result.pages.addAndGet(Math.max(1, live / table.page()));
        }
      }

      private Live next(Iterator<com.datastax.oss.driver.api.core.cql.Row> rows, Live before) {
        if (!rows.hasNext()) {
          return null;
        }
        var row = rows.next();
        var parts = table.metadata.partitionKeyColumns().size();
        var first = row.getBytesUnsafe(0);
        var key = parts == 1 ? first : CompositeType.build(ByteBufferAccessor.instance,
            IntStream.range(0, parts).mapToObj(row::getBytesUnsafe).toArray(ByteBuffer[]::new));
        var values = IntStream.range(parts, keys).mapToObj(row::getBytesUnsafe).toArray(ByteBuffer[]::new);
        var same = before != null && before.key.getKey().equals(key);
        return new Live(same ? before.key : Murmur3Partitioner.instance.decorateKey(key), Clustering.make(values), row);
      }

      private int compare(Stored stored, Live live) {
        var byKey = stored.key.compareTo(live.key);
        return byKey != 0 ? byKey : table.metadata.comparator.compare(stored.row.clustering(), live.clustering);
      }

      private void missing(Stored stored) {
        if (!expires(stored)) {
          missing.add(table.named(stored.key, stored.row.clustering()));
        }
      }

      /** Rows that are gone from a partition that was written to since the backup, may have been deleted since. */
      private void endPartition() {
        if (writtenSince && !script.exact) {
          result.newer.addAndGet(missing.count());
        } else {
          result.missing.add(missing);
        }
        missing = missing.count() == 0 ? missing : new Names();
        writtenSince = false;
      }

      private void extra(Live live) {
        if (!isNewer(live)) {
          result.extra.add(table.named(live.key, live.clustering));
        }
      }

      private boolean isNewer(Live live) {
        var last = IntStream.range(0, table.columns.size()).map(this::time)
            .filter(i -> !live.row.isNull(i)).mapToLong(live.row::getLong).max().orElse(Long.MIN_VALUE);
        if (last <= newest) {
          return false;
        }
        writtenSince = true;
        result.newer.addAndGet(script.exact ? 0 : 1);
        return !script.exact;
      }

      /** Where in a row a column's write time is; its time to live is behind it. */
      private int time(int column) {
        return keys + table.columns.size() + 2 * column;
      }

      private void compareCells(Stored stored, Live live) {
        for (var i = 0; i < table.columns.size(); i++) {
          var cell = stored.row.getCell(table.columns.get(i));
          var value = live.row.getBytesUnsafe(keys + i);
          var time = time(i);
          var same = cell == null ? value == null : cell.buffer().equals(value)
              && cell.timestamp() == (live.row.isNull(time) ? 0 : live.row.getLong(time))
              && cell.isExpiring() == !live.row.isNull(time + 1);
          if (!same) {
            if (!isNewer(live) && !expires(stored)) {
              result.changed.add(table.named(live.key, live.clustering));
            }
            return;
          }
        }
      }

      /** Whether a row is, or may be by the time it was asked for, past its time to live. */
      private boolean expires(Stored stored) {
        return StreamSupport.stream(stored.row.cells().spliterator(), false)
            .anyMatch(cell -> cell.isExpiring() && cell.localDeletionTime() <= System.currentTimeMillis() / 1000 + 60);
      }
    }

    private record Live(DecoratedKey key, Clustering<?> clustering, com.datastax.oss.driver.api.core.cql.Row row) {}

    /** The backup's rows of a range: its SSTables merged, what is deleted in them left out. */
    private static final class Stored implements Closeable {
      private final PartitionIterator partitions;
      private RowIterator rows;
      DecoratedKey key;
      Row row;

      Stored(Table table, Range<Token> range, int now) {
        var scanners = table.sstables.stream().map(sstable -> sstable.getScanner(List.of(range))).toList();
        partitions = scanners.isEmpty() ? EmptyIterators.partition() : UnfilteredPartitionIterators.filter(
            UnfilteredPartitionIterators.merge(scanners, UnfilteredPartitionIterators.MergeListener.NOOP), now);
      }

      boolean next() {
        while (rows == null || !rows.hasNext()) {
          endPartition();
          if (!partitions.hasNext()) {
            return false;
          }
          rows = partitions.next();
          key = rows.partitionKey();
          if (!rows.hasNext() && !rows.staticRow().isEmpty()) {
            row = rows.staticRow(); // a row to CQL, too
            return true;
          }
        }
        row = rows.next();
        return true;
      }

      private void endPartition() {
        if (rows != null) {
          rows.close();
          rows = null;
        }
      }

      @Override
      public void close() {
        endPartition();
        partitions.close();
      }
    }

    private void report(Table table, List<Node> nodes, Found found) {
      var all = nodes.stream().map(table.results::get).toList();
      var rows = all.stream().mapToLong(result -> result.rows.get()).max().orElse(0);
      var newer = all.stream().mapToLong(result -> result.newer.get()).max().orElse(0);
      var elsewhere = nodes.stream().filter(node -> !table.results.get(node).own).map(Cassandra::host).toList();
      var differing = nodes.stream().filter(node -> !table.results.get(node).same())
          .map(node -> host(node) + ": " + table.results.get(node)).collect(Collectors.joining("; "));
      var details = new TreeMap<String, List<String>>();
      for (var node : nodes) {
        table.results.get(node).differences.forEach((what, names) -> names.list().forEach(name ->
            details.computeIfAbsent(what + ": " + name, key -> new ArrayList<>()).add(host(node))));
      }
      var lines = details.entrySet().stream().map(entry -> entry.getKey()
          + (entry.getValue().size() == nodes.size() ? "" : " on " + String.join(", ", entry.getValue()))).toList();
      var own = elsewhere.isEmpty() ? ", each for its own copy"
          : ", but %s answered from another's copy (nodetool repair --validate %s compares them)"
              .formatted(String.join(" and ", elsewhere), options.keyspace);
      found.is(differing.isEmpty(), table.name, lines, "%,d rows%s, asked of %d nodes%s%s%s", rows,
          table.counted ? ", only counted" : "", nodes.size(), own,
          newer == 0 ? "" : "; %,d newer writes".formatted(newer), differing.isEmpty() ? "" : ": " + differing);
    }
  }

  // ----------------------------------------------------------------------------------------------------- Elasticsearch

  static final class ElasticsearchOptions {
    @Option(names = "--elasticsearch", paramLabel = "URL,...", hideParamSyntax = true, split = ",",
        defaultValue = "${env:ELASTICSEARCH_API_URL:-http://127.0.0.1:9200}",
        description = "(ELASTICSEARCH_API_URL, ${DEFAULT-VALUE})")
    List<String> urls;

    @Option(names = "--elasticsearch-archives", paramLabel = "DIR",
        defaultValue = "${env:ELASTICSEARCH_GENERAL_ARCHIVE_PATH:-/mnt/backup/elasticsearch}",
        description = "markers (ELASTICSEARCH_GENERAL_ARCHIVE_PATH, ${DEFAULT-VALUE})")
    Path archives;

    @Option(names = "--elasticsearch-ca", paramLabel = "PEM", defaultValue = "${env:ELASTICSEARCH_CA}",
        description = "trust this CA for https (ELASTICSEARCH_CA)")
    Path ca;
  }

  /** Whether the index is whole and has as many documents as the snapshot had. */
  record Elasticsearch(Verify script, Credentials credentials, Optional<Backup> backup) {
    void run(Found found) throws IOException {
      var options = script.elasticsearch;
      var silent = new ArrayList<String>();
      for (var url : options.urls) {
        try (var api = new ElasticsearchApi(List.of(url), options.ca, credentials)) {
          api.get("/");
        } catch (Failure e) {
          if (e.code != UNREACHABLE || options.urls.size() == 1) {
            throw e;
          }
          silent.add(e.getMessage());
        }
      }
      var named = options.urls.size();
      found.none("nodes", silent, "%d named, all answer".formatted(named), "of %d do not answer".formatted(named));
      try (var api = new ElasticsearchApi(options.urls, options.ca, credentials)) {
        var index = api.tryGet("/" + INDEX);
        if (index.isEmpty() || !index.get().has(INDEX)) {
          found.bad("index", List.of(), index.isEmpty() ? "there is no %s" : "%s is an alias, not an index", INDEX);
        } else if (checkHealth(api, index.get().at("/" + INDEX + "/settings/index"), found)) {
          checkDocuments(api.get("/%s/_count".formatted(INDEX)).path("count").asLong(), found);
        } else {
          found.skipped("documents", "not counted: not all primary shards are there");
        }
      }
    }

    /** Whether every primary shard is there. */
    private boolean checkHealth(ElasticsearchApi api, JsonNode settings, Found found) throws IOException {
      var replicas = settings.path("number_of_replicas").asInt();
      var health = api.get("/_cluster/health/" + INDEX);
      var status = health.path("status").asText();
      var dataNodes = health.path("number_of_data_nodes").asInt();
      var enough = status.equals("green") || status.equals("yellow") && replicas >= dataNodes;
      var unassigned = new ArrayList<String>();
      var shards = 0;
      for (var shard : api.get("/_cat/shards/%s?format=json&h=shard,prirep,state,unassigned.reason".formatted(INDEX))) {
        shards++;
        var optional = enough && shard.path("prirep").asText().equals("r");
        if (!optional && !shard.path("state").asText().matches("STARTED|RELOCATING")) {
          var kind = shard.path("prirep").asText().equals("p") ? "primary" : "replica";
          unassigned.add("shard %s (%s) is %s: %s".formatted(shard.path("shard").asText(), kind,
              shard.path("state").asText(), shard.path("unassigned.reason").asText("-")));
        }
      }
      var few = status.equals("yellow") && enough ? ", too few for %d replicas".formatted(replicas) : "";
      found.is(enough && unassigned.isEmpty(), "health", unassigned,
          "%s is %s, %d data nodes%s, %d of %d shards started", INDEX, status, dataNodes, few,
          health.path("active_shards").asInt(), shards);
      return !status.equals("red");
    }

    private void checkDocuments(long count, Found found) {
      var reports = script.cassandra.archives;
      var report = backup.flatMap(from -> Report.newest(reports, "restore-cassandra-es",
          one -> one.at("/elasticsearch/backup").asText().equals(from.name())
              && one.at("/elasticsearch/documents").asLong(-1) >= 0));
      if (report.isEmpty()) {
        found.skipped("documents", "%,d; no report of a restore of this backup in %s to compare with", count, reports);
        return;
      }
      var restored = report.get().at("/elasticsearch/documents").asLong();
      if (count == restored || count > restored && !script.exact) {
        var newer = count == restored ? "" : "; %,d newer".formatted(count - restored);
        found.ok("documents", "%,d, as restored from the snapshot%s", restored, newer);
      } else {
        found.bad("documents", List.of(), "%,d, but %,d were restored from the snapshot", count, restored);
      }
    }
  }

  // ------------------------------------------------------------------------------------------------------- attachments

  /** A backup of attachments, whose files are compared or proven. */
  record Attachments(Backup backup, Members members) {
    private static final Pattern HASH = Pattern.compile("(.*/)?[0-9a-f]{64}");

    List<Member> files() {
      return members.all.stream().filter(member -> member.kind() != Kind.FOLDER).toList();
    }

    /** Whether a file of this name is in the backup. */
    boolean holds(String name) {
      var i = members.find(name);
      return i >= 0 && members.all.get(i).kind() != Kind.FOLDER;
    }

    /** Gives every file to the reader, links too, side by side where the archive allows it. */
    void each(AtomicLong done, Reader reader) throws IOException {
      try (var workers = new Workers(Math.max(4, Math.min(16, 2 * Runtime.getRuntime().availableProcessors())))) {
        members.read(workers, i -> true, (lane, i, bytes) -> {
          reader.read(members.all.get(i), bytes);
          done.addAndGet(members.all.get(i).size());
        });
        workers.run(members.all.size(), (lane, i) -> {
          if (members.all.get(i).kind() == Kind.LINK) {
            reader.read(members.all.get(i), InputStream::nullInputStream);
          }
        });
      }
    }

    interface Reader {
      void read(Member member, Members.Bytes bytes) throws Exception;
    }

    /** Those whose content is to be compared: all, or some by chance. */
    Predicate<Member> sample(Integer size) {
      if (size == null || size >= members.files) {
        return member -> true;
      }
      var all = new ArrayList<>(files());
      Collections.shuffle(all);
      var chosen = Collections.<Member>newSetFromMap(new IdentityHashMap<>());
      chosen.addAll(all.subList(0, Math.max(0, size)));
      return chosen::contains;
    }

    String counted(Integer sample, String what) {
      return "%,d %s, %s%s".formatted(members.files, what, Console.size(members.bytes),
          sample == null ? "" : ", content of %,d compared".formatted(Math.min(sample, members.files)));
    }

    /** Every byte is read; where names are SHA-256 sums, as TheHive's are, contents must match them. */
    void prove(Found found, AtomicLong done) throws IOException {
      var matching = new AtomicLong();
      var different = new Names();
      each(done, (member, bytes) -> {
        var name = member.name();
        var sum = member.kind() == Kind.LINK ? "" : sha256(member, bytes);
        if (member.kind() != Kind.LINK && HASH.matcher(name).matches()) {
          if (name.endsWith(sum)) {
            matching.incrementAndGet();
          } else {
            different.add(Members.shown(name));
          }
        }
      });
      var good = matching.get() == 0 || different.count() == 0;
      var match = matching.get() == 0 ? "" : ", %,d match the SHA-256 in their names".formatted(matching.get());
      found.is(good, "archive", different.list(), "%s, taken %s: %s, %s", backup.file(), backup.age(),
          counted(null, "files"), good ? "all read" + match
              : "%,d with a content that is not what their names say".formatted(different.count()));
    }

    private String sha256(Member member, Members.Bytes bytes) {
      try (var in = BoundedInputStream.builder().setInputStream(bytes.open()).get()) {
        var sum = DigestUtils.sha256Hex(in);
        if (in.getCount() != member.size()) {
          throw members.archive.broken("'%s' is cut short".formatted(Members.shown(member.name())), null);
        }
        return sum;
      } catch (IOException e) {
        var name = Members.shown(member.name());
        throw members.archive.broken("'%s' cannot be read: %s".formatted(name, e.getMessage()), e);
      }
    }
  }

  /** What is other than in the backup; what was written since is only counted, unless exactly the backup is wanted. */
  record Differences(boolean exact, Names missing, Names changed, Names extra, AtomicLong newer) {
    Differences(boolean exact) {
      this(exact, new Names(), new Names(), new Names(), new AtomicLong());
    }

    void extra(String name, Instant written, Instant backup) {
      if (written.isAfter(backup) && !exact) {
        newer.incrementAndGet();
      } else {
        extra.add(Members.shown(name));
      }
    }

    void report(String all, Integer sample, Found found) {
      found.none("missing", missing, all + ": none", "of " + all);
      found.none("content", changed, "same sizes, same contents" + (sample == null ? "" : " in the sample"), "differ");
      var since = newer.get() == 0 ? "" : "; %,d newer".formatted(newer.get());
      found.none("extra", extra, "none" + since, "are not in the backup");
    }
  }

  static final class FileOptions {
    @Option(names = "--folder", paramLabel = "DIR", defaultValue = "${env:ATTACHMENT_FOLDER:-/opt/thp/thehive/files}",
        description = "(ATTACHMENT_FOLDER, ${DEFAULT-VALUE})")
    Path folder;

    @Option(names = "--file-archives", paramLabel = "DIR",
        defaultValue = "${env:GENERAL_ARCHIVE_PATH:-/mnt/backup/storage}",
        description = "(GENERAL_ARCHIVE_PATH, ${DEFAULT-VALUE})")
    Path archives;

    @Option(names = "--owner", paramLabel = "USER[:GROUP]", defaultValue = "${env:ATTACHMENT_OWNER}",
        description = "instead of the backup's (ATTACHMENT_OWNER)")
    String owner;
  }

  /** Whether the folder holds every file of the backup, and no other. */
  static final class FileStore {
    private final Verify script;
    private final Path folder;
    private final Attachments attachments;
    private final Differences differences;
    private final Names attributes = new Names();
    private final Map<String, Optional<? extends UserPrincipal>> principals = new ConcurrentHashMap<>();

    FileStore(Verify script, Attachments attachments) {
      this.script = script;
      this.folder = script.files.folder;
      this.differences = new Differences(script.exact);
      this.attachments = attachments;
    }

    void run(Found found) throws Exception {
      if (!Files.isDirectory(folder)) {
        found.bad("folder", List.of(), "there is no folder %s", folder);
        return;
      }
      var read = attachments.sample(script.sample);
      attachments.each(script.done, (member, bytes) -> compare(member, bytes, read.test(member)));
      findExtras();
      differences.report(attachments.counted(script.sample, "files"), script.sample, found);
      found.none("owner, mode", attributes, "as in the backup", "differ");
    }

    private void compare(Member member, Members.Bytes bytes, boolean read) throws IOException {
      var live = folder.resolve(member.name());
      var name = Members.shown(member.name());
      PosixFileAttributes is;
      try {
        is = Files.readAttributes(live, PosixFileAttributes.class, LinkOption.NOFOLLOW_LINKS);
      } catch (FileSystemException e) {
        differences.missing.add(name + (e instanceof NoSuchFileException ? "" : ": " + e.getReason()));
        return;
      }
      if (member.kind() == Kind.LINK) {
        if (!is.isSymbolicLink() || !Files.readSymbolicLink(live).toString().equals(member.more())) {
          differences.changed.add(name + ": is no link to " + Members.shown((String) member.more()));
        }
        return;
      }
      if (!is.isRegularFile()) {
        differences.changed.add(name + ": is no file");
      } else if (is.size() != member.size()) {
        differences.changed.add("%s: %d bytes instead of %d".formatted(name, is.size(), member.size()));
      } else if (read) {
        try (var stored = bytes.open(); var in = Files.newInputStream(live)) {
          if (!IOUtils.contentEquals(stored, in)) {
            differences.changed.add(name + ": another content");
          }
        }
      }
      compareAttributes(member, live, is, name);
    }

    /** As the restore sets them: owners by name, then by number, no set-user-ID; not what the backup does not tell. */
    private void compareAttributes(Member member, Path live, PosixFileAttributes is, String name) throws IOException {
      var wanted = script.files.owner == null ? new String[0] : script.files.owner.split(":", 2);
      var user = wanted.length > 0 && !wanted[0].isEmpty() ? principal(wanted[0], -1, false)
          : principal(member.owner().user(), member.owner().uid(), false);
      var group = wanted.length > 1 && !wanted[1].isEmpty() ? principal(wanted[1], -1, true)
          : principal(member.owner().group(), member.owner().gid(), true);
      var mode = (int) Files.getAttribute(live, "unix:mode", LinkOption.NOFOLLOW_LINKS) & 07777;
      if (user.isPresent() && !user.get().equals(is.owner()) || group.isPresent() && !group.get().equals(is.group())) {
        attributes.add("%s: %s:%s instead of %s:%s".formatted(name, is.owner(), is.group(),
            user.map(Object::toString).orElse(""), group.map(Object::toString).orElse("")));
      } else if (member.mode() >= 0 && mode != (member.mode() & 0777)) {
        attributes.add("%s: mode %o instead of %o".formatted(name, mode, member.mode() & 0777));
      }
    }

    private Optional<? extends UserPrincipal> principal(String name, long number, boolean group) {
      return principals.computeIfAbsent(name + ":" + number + ":" + group, key -> {
        var service = FileSystems.getDefault().getUserPrincipalLookupService();
        for (var text : Stream.of(name, number < 0 ? "" : "" + number).filter(text -> !text.isEmpty()).toList()) {
          try {
            return Optional.of(group ? service.lookupPrincipalByGroupName(text) : service.lookupPrincipalByName(text));
          } catch (IOException e) {
            // not here by this name: the number is next
          }
        }
        return Optional.empty();
      });
    }

    private void findExtras() throws IOException {
      var taken = attachments.backup.taken().atZone(ZoneId.systemDefault()).toInstant();
      Files.walkFileTree(folder, new SimpleFileVisitor<>() {
        @Override
        public FileVisitResult preVisitDirectory(Path path, BasicFileAttributes is) {
          var own = path.getFileName().toString().matches("\\.restore-files-nfs.*|lost\\+found|\\.snapshot");
          return own && path.getParent().equals(folder) ? FileVisitResult.SKIP_SUBTREE : FileVisitResult.CONTINUE;
        }

        @Override
        public FileVisitResult visitFile(Path path, BasicFileAttributes is) {
          var name = folder.relativize(path).toString();
          if (!attachments.holds(name)) {
            differences.extra(name, is.lastModifiedTime().toInstant(), taken);
          }
          return FileVisitResult.CONTINUE;
        }
      });
    }
  }

  static final class S3Options {
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

    @Option(names = "--s3-ca", paramLabel = "PEM", defaultValue = "${env:MINIO_CA}",
        description = "trust this CA for https (MINIO_CA)")
    Path ca;

    @Option(names = "--s3-archives", paramLabel = "DIR", defaultValue = "${env:MINIO_ARCHIVE_PATH:-/mnt/backup/minio/}",
        description = "(MINIO_ARCHIVE_PATH, ${DEFAULT-VALUE})")
    Path archives;

    boolean named() {
      try {
        return endpoint != null || Login.of(null, alias) != null;
      } catch (Failure e) {
        return false;
      }
    }
  }

  /** Whether the bucket holds every object of the backup, and no other. */
  static final class S3Store {
    private final Verify script;
    private final S3Options options;
    private final Attachments attachments;
    private final MinioClient client;

    S3Store(Verify script, Login login, Attachments attachments) {
      this.script = script;
      this.options = script.s3;
      this.attachments = attachments;
      var http = new OkHttpClient.Builder().connectTimeout(Duration.ofSeconds(10)).readTimeout(Duration.ofMinutes(2));
      if (options.ca != null) {
        var trust = Tls.trust(options.ca);
        http.sslSocketFactory(Tls.context(trust).getSocketFactory(), trust);
      }
      this.client = MinioClient.builder().endpoint(login.endpoint()).region(options.region).httpClient(http.build())
          .credentialsProvider(new StaticProvider(login.access(), login.secret(), login.token())).build();
      if (options.virtualHost) {
        client.enableVirtualStyleEndpoint();
      }
    }

    void run(Found found) throws Exception {
      try {
        compare(found);
      } catch (Exception e) {
        throw explained(e);
      }
    }

    private void compare(Found found) throws Exception {
      var differences = new Differences(script.exact);
      var etags = list(differences);
      var read = attachments.sample(script.sample);
      attachments.each(script.done, (member, bytes) -> {
        var etag = etags.get(member.name());
        if (etag == null) {
          differences.missing.add(Members.shown(member.name()));
        } else if (!etag.isEmpty() && read.test(member) && !same(member, etag, bytes)) {
          differences.changed.add(Members.shown(member.name()) + ": another content");
        }
      });
      differences.report(attachments.counted(script.sample, "objects"), script.sample, found);
    }

    /** ETags of the backup's objects that are there, empty where the size is another already. */
    private Map<String, String> list(Differences differences) throws Exception {
      var etags = new HashMap<String, String>();
      var restored = restored();
      for (var result : client.listObjects(ListObjectsArgs.builder().bucket(options.bucket).recursive(true).build())) {
        var object = result.get();
        var name = object.objectName();
        if (attachments.holds(name)) {
          var size = attachments.members.all.get(attachments.members.find(name)).size();
          etags.put(name, object.size() == size ? object.etag().replace("\"", "") : "");
          if (object.size() != size) {
            var shown = Members.shown(name);
            differences.changed.add("%s: %d bytes instead of %d".formatted(shown, object.size(), size));
          }
        } else {
          differences.extra(name, object.lastModified().toInstant(), restored);
        }
      }
      return etags;
    }

    /** What is later than the restore's end was written since; without a report, what is later than the backup. */
    private Instant restored() {
      return Report.newest(options.archives, "restore-files-minio",
              report -> report.path("exit").asInt(-1) == DONE && report.path("bucket").asText().equals(options.bucket))
          .map(report -> Instant.parse(report.path("started").asText())
              .plusMillis((long) (report.path("seconds").asDouble() * 1000)))
          .orElseGet(() -> attachments.backup.taken().atZone(ZoneId.systemDefault()).toInstant());
    }

    /** Mostly an ETag is the content's MD5; of what was sent in parts or is encrypted there it is not: that is read. */
    private boolean same(Member member, String etag, Members.Bytes bytes) throws Exception {
      try (var in = bytes.open()) {
        var sum = DigestUtils.md5Hex(in);
        if (sum.equals(etag)) {
          return true;
        }
        var name = GetObjectArgs.builder().bucket(options.bucket).object(member.name()).build();
        try (var object = client.getObject(name)) {
          return DigestUtils.md5Hex(object).equals(sum);
        }
      }
    }

    private Failure explained(Exception thrown) {
      var causes = Stream.<Throwable>iterate(thrown, Objects::nonNull, Throwable::getCause).toList();
      if (causes.stream().anyMatch(Failure.class::isInstance)) {
        return Failure.of(thrown);
      }
      for (var cause : causes) {
        if (cause instanceof ErrorResponseException refused) {
          var code = refused.errorResponse().code();
          return refused.response().code() == 403
              ? new Failure(AUTHENTICATION, "%s refuses the keys for bucket %s: %s".formatted(
                  endpoint(), options.bucket, code), "check MINIO_ACCESS_KEY and MINIO_SECRET_KEY", thrown)
              : new Failure(UNREACHABLE, "cannot read bucket %s at %s: %s".formatted(
                  options.bucket, endpoint(), code), "check MINIO_BUCKET", thrown);
        }
        if (cause instanceof IOException) {
          return new Failure(UNREACHABLE, "cannot reach %s: %s".formatted(endpoint(), cause.getMessage()),
              "check MINIO_ENDPOINT", thrown);
        }
      }
      return Failure.of(thrown);
    }

    private String endpoint() {
      return options.endpoint == null ? "the server of alias " + options.alias : options.endpoint;
    }
  }

  // ---------------------------------------------------------------------------------------------------------- together

  /**
   * Names of attachments in the graph. JanusGraph stores a text as its ASCII bytes with the last one marked; what lies
   * under one column is one property. So a text of 64 hexadecimal digits may name an attachment, or be a hash that
   * someone observed: the property tells, as nearly all values of one name files and hardly any of the other do.
   */
  static final class Sampler {
    private static final int PROPERTIES = 200;
    private static final int VALUES = 2_000;
    private final Map<ByteBuffer, Set<String>> byProperty = new HashMap<>();

    void take(String table, Row row) {
      if (!table.equals("edgestore") || row.clustering().size() != 1) {
        return;
      }
      for (var cell : row.cells()) {
        if (cell.valueSize() >= 64 && cell.valueSize() <= 160) {
          hash(cell.buffer()).ifPresent(hash -> add(row.clustering().bufferAt(0), hash));
        }
      }
    }

    private synchronized void add(ByteBuffer property, String hash) {
      if (byProperty.containsKey(property) || byProperty.size() < PROPERTIES) {
        var values = byProperty.computeIfAbsent(ByteBufferUtil.clone(property), key -> new HashSet<>());
        if (values.size() < VALUES) {
          values.add(hash);
        }
      }
    }

    private static Optional<String> hash(ByteBuffer value) {
      var digits = 0;
      for (var i = value.position(); i < value.limit(); i++) {
        var one = value.get(i);
        if (digits >= 63 && isDigit(one & 0x7f) && one < 0) {
          var text = new byte[64];
          value.duplicate().position(i - 63).get(text);
          text[63] &= 0x7f;
          return Optional.of(new String(text, StandardCharsets.US_ASCII));
        }
        digits = isDigit(one) ? digits + 1 : 0;
      }
      return Optional.empty();
    }

    private static boolean isDigit(int c) {
      return c >= '0' && c <= '9' || c >= 'a' && c <= 'f';
    }

    List<Set<String>> properties() {
      return List.copyOf(byProperty.values());
    }
  }

  /** Whether the backups are of one moment, and the attachments that the graph names are in theirs. */
  record Together(Duration maxGap, Sampler sampler) {
    void run(Map<Part, Backup> backups, Map<Part, Attachments> attachments, Findings findings, boolean sampled) {
      var found = findings.of(Part.TOGETHER);
      var byTime = backups.values().stream().sorted(Comparator.comparing(Backup::taken)).toList();
      if (byTime.size() < 2) {
        found.skipped("times", "there are no two backups to compare");
      } else {
        var gap = Duration.between(byTime.get(0).taken(), byTime.get(byTime.size() - 1).taken());
        var near = gap.compareTo(maxGap) <= 0;
        var names = byTime.stream().map(Backup::name).toList();
        found.is(near, "times", names, "%s to %s: %d s apart%s", names.get(0), names.get(names.size() - 1),
            gap.toSeconds(), near ? "" : ", more than %d minutes".formatted(maxGap.toMinutes()));
      }
      if (sampled) {
        attachments.forEach((part, read) -> compareNames(part, read, found));
      }
    }

    private void compareNames(Part part, Attachments attachments, Found found) {
      var wanted = sampler.properties().stream().flatMap(Set::stream).collect(Collectors.toSet());
      var stored = new HashSet<String>();
      var named = 0;
      for (var member : attachments.files()) {
        var last = member.name().substring(member.name().lastIndexOf('/') + 1);
        named += Attachments.HASH.matcher(last).matches() ? 1 : 0;
        if (wanted.contains(last)) {
          stored.add(last);
        }
      }
      var properties = sampler.properties().stream()
          .filter(values -> values.stream().filter(stored::contains).count() * 2 >= values.size()).toList();
      var names = properties.stream().flatMap(Set::stream).collect(Collectors.toCollection(TreeSet::new));
      if (properties.isEmpty() && (wanted.isEmpty() || named == 0)) {
        found.skipped("attachments", "no names of attachments were recognised in the graph's rows");
      } else if (properties.isEmpty()) {
        found.bad("attachments", List.of(), "only %,d of %,d names that the graph's rows hold are in the backup of %s",
            stored.size(), wanted.size(), part);
      } else {
        found.none("attachments", names.stream().filter(name -> !stored.contains(name)).toList(),
            "all of %,d names sampled from the graph's rows are in the backup of %s".formatted(names.size(), part),
            "of %,d names sampled from the graph's rows are not in the backup of %s".formatted(names.size(), part));
      }
    }
  }

  // --- shared: Connection (identical in every script that has it; a test holds them equal) ---
  /** What CASSANDRA_CONNECTION says, in any form that cqlsh or the documentation knows, and who logs in. */
  record Connection(List<InetSocketAddress> contactPoints, Optional<String> user, Optional<String> password) {
    private static final String FORMS = "set it to a node's address, such as 10.0.0.5, \"10.0.0.5 9042\" or \"10.0.0.5 -u admin\"";

    static final class Words {
      @Parameters(index = "0") String hosts;
      @Parameters(index = "1", arity = "0..1") String portOrUser;
      @Option(names = {"-u", "--username"}) String user;
      @Option(names = {"-p", "--password"}) String password;
    }

    static Connection fromEnvironment() {
      var connection = parse(System.getenv("CASSANDRA_CONNECTION"));
      var user = connection.user().or(() -> Settings.variable("CASSANDRA_USER"));
      var password = connection.password().or(() -> user.isEmpty() ? Settings.secret("CASSANDRA_PASSWORD")
          : Settings.secretOrPrompt("CASSANDRA_PASSWORD", "Password of Cassandra's user " + user.get()));
      if (user.isPresent() != password.isPresent()) {
        throw new Failure(USAGE, user.isPresent() ? "no password for Cassandra's user " + user.get()
            : "CASSANDRA_PASSWORD is set, but no user", "set CASSANDRA_USER and CASSANDRA_PASSWORD or CASSANDRA_PASSWORD_FILE");
      }
      return new Connection(connection.contactPoints(), user, password);
    }

    static Connection parse(String text) {
      if (text == null || text.isBlank()) {
        throw new Failure(USAGE, "CASSANDRA_CONNECTION is " + (text == null ? "not set" : "blank"), FORMS);
      }
      var words = new Words();
      try {
        var tokens = Pattern.compile("'([^']*)'|\"([^\"]*)\"|(\\S+)").matcher(text.strip().replaceAll("\\G([^\\s,]+)\\s*,\\s*", "$1,")).results()
            .map(m -> m.group(1) != null ? m.group(1) : m.group(2) != null ? m.group(2) : m.group(3));
        // A password may begin with @, which picocli would take for a file of arguments.
        new CommandLine(words).setExpandAtFiles(false).parseArgs(tokens.toArray(String[]::new));
      } catch (CommandLine.ParameterException e) {
        // Not its own message, which would repeat a password.
        throw new Failure(USAGE, "CASSANDRA_CONNECTION is not understood", FORMS);
      }
      var second = Optional.ofNullable(words.portOrUser);
      var port = second.filter(word -> word.matches("\\d{1,5}")).map(Integer::valueOf).orElse(9042);
      var user = second.filter(word -> !word.matches("\\d+")).or(() -> Optional.ofNullable(words.user));
      var hosts = Stream.of(words.hosts.split(",")).filter(host -> !host.isBlank()).map(host -> address(host, port)).toList();
      return new Connection(hosts, user, Optional.ofNullable(words.password));
    }

    private static InetSocketAddress address(String host, int port) {
      var parts = Pattern.compile("\\[(?<v6>[^]]+)](:(?<port6>\\d+))?|(?<v4>[^:]+):(?<port4>\\d+)").matcher(host);
      if (!parts.matches()) {
        return new InetSocketAddress(host, port);
      }
      var own = parts.group("v6") != null ? parts.group("port6") : parts.group("port4");
      return new InetSocketAddress(parts.group("v6") != null ? parts.group("v6") : parts.group("v4"),
          own == null ? port : Integer.parseInt(own));
    }

    String named() {
      return contactPoints.stream().map(p -> p.getHostString() + ":" + p.getPort()).collect(Collectors.joining(", "));
    }

    /** A session whose nodes can be asked one by one; the client's name is what system_views.clients shows. */
    CqlSession open(String client, String keyspace, Optional<SSLContext> tls) {
      // No debouncing, no agreement wait after each statement, no quiet period at the end: each would cost seconds.
      var config = DriverConfigLoader.programmaticBuilder()
          .withDuration(DefaultDriverOption.REQUEST_TIMEOUT, Duration.ofMinutes(2))
          .withDuration(DefaultDriverOption.CONNECTION_INIT_QUERY_TIMEOUT, Duration.ofSeconds(10))
          .withDuration(DefaultDriverOption.CONTROL_CONNECTION_TIMEOUT, Duration.ofSeconds(20))
          .withDuration(DefaultDriverOption.CONTROL_CONNECTION_AGREEMENT_TIMEOUT, Duration.ZERO)
          .withDuration(DefaultDriverOption.METADATA_SCHEMA_WINDOW, Duration.ZERO)
          .withStringList(DefaultDriverOption.METADATA_SCHEMA_REFRESHED_KEYSPACES, List.of(keyspace))
          .withClass(DefaultDriverOption.LOAD_BALANCING_POLICY_CLASS, BasicLoadBalancingPolicy.class)
          .withInt(DefaultDriverOption.NETTY_IO_SHUTDOWN_QUIET_PERIOD, 0)
          .withInt(DefaultDriverOption.NETTY_ADMIN_SHUTDOWN_QUIET_PERIOD, 0)
          .build();
      var builder = new NamedSessionBuilder(client).withConfigLoader(config);
      contactPoints.forEach(builder::addContactPoint);
      user.ifPresent(name -> builder.withAuthCredentials(name, password.get()));
      tls.ifPresent(builder::withSslContext);
      try {
        return builder.build();
      } catch (AllNodesFailedException e) {
        throw cannotConnect(e);
      } catch (IllegalArgumentException e) {
        throw new Failure(UNREACHABLE, "cannot reach Cassandra at %s: %s".formatted(named(), e.getMessage()),
            "check CASSANDRA_CONNECTION");
      }
    }

    /** Trusts that CA only; shows a certificate where one is given. */
    static SSLContext tls(Path ca, Path certificate, Path key) {
      var trust = Tls.trust(ca);
      if (certificate == null || key == null) {
        return Tls.context(trust);
      }
      try (var in = Files.newInputStream(certificate)) {
        var own = KeyStore.getInstance("PKCS12");
        own.load(null, null);
        var chain = CertificateFactory.getInstance("X.509").generateCertificates(in).toArray(Certificate[]::new);
        own.setKeyEntry("own", PEMReader.extractPrivateKey(Files.readString(key)), new char[0], chain);
        var keys = KeyManagerFactory.getInstance(KeyManagerFactory.getDefaultAlgorithm());
        keys.init(own, new char[0]);
        return Tls.context(trust, keys.getKeyManagers());
      } catch (GeneralSecurityException | IOException e) {
        throw new Failure(USAGE, "cannot use the client certificate %s and its key %s: %s".formatted(certificate, key, e.getMessage()),
            "they must be PEM files");
      }
    }

    private Failure cannotConnect(AllNodesFailedException failed) {
      var errors = failed.getAllErrors().values().stream().flatMap(List::stream).toList();
      if (errors.stream().anyMatch(AuthenticationException.class::isInstance)) {
        return new Failure(AUTHENTICATION, "Cassandra at %s refuses %s".formatted(named(),
            user.map(name -> "the log-in of " + name).orElse("a connection without log-in")),
            "check CASSANDRA_USER and CASSANDRA_PASSWORD or CASSANDRA_PASSWORD_FILE", failed);
      }
      var reason = Stream.iterate(errors.isEmpty() ? failed : errors.get(0), Objects::nonNull, Throwable::getCause)
          .map(Throwable::getMessage).filter(Objects::nonNull).reduce((outer, inner) -> inner).orElse("no answer");
      return new Failure(UNREACHABLE, "cannot reach Cassandra at %s: %s".formatted(named(), reason),
          "is it started, is its address right, does it want TLS (CASSANDRA_SSL_CA)?", failed);
    }
  }

  /** Tells the server who we are, so that system_views.clients shows a restore as one; the driver has no option for it. */
  static final class NamedSessionBuilder extends CqlSessionBuilder {
    private final String name;

    NamedSessionBuilder(String name) {
      this.name = name;
    }

    @Override
    protected DriverContext buildContext(DriverConfigLoader loader, ProgrammaticArguments arguments) {
      return new DefaultDriverContext(loader, arguments) {
        @Override
        public Map<String, String> getStartupOptions() {
          var options = new HashMap<>(super.getStartupOptions());
          options.put(StartupOptionsBuilder.DRIVER_NAME_KEY, name);
          return options;
        }
      };
    }
  }

  // --- end shared: Connection ---

  // --- shared: CassandraBackup (identical in every script that has it; a test holds them equal) ---
  /** What the archive holds, all of it read and proven: nothing here is a promise of a file name. */
  record CassandraBackup(Definition definition, List<Table> tables, long bytes) {
    private static final Pattern MEMBER = Pattern.compile("[^/]+/(?<keyspace>\\w+)/(?<table>\\w+)-[0-9a-f]{32}/(?<file>[^/]+)");
    private static final Pattern CQL = Pattern.compile("[^/]+/create_keyspace_(?<keyspace>\\w+)\\.cql");
    private static final Pattern COMPONENT = Pattern.compile("(?<sstable>[a-z]{2}-[^-]+-[a-z]+)-(?<component>[A-Za-z_0-9+]+\\.\\w+)");

    /** A table of the backup, its files by name, its SSTables by the common part of their components' names. */
    record Table(String name, Map<String, Entry> files, Set<String> sstables) {
      long bytes() {
        return files.values().stream().mapToLong(Entry::size).sum();
      }
    }

    long sstables() {
      return tables.stream().mapToLong(table -> table.sstables().size()).sum();
    }

    /** Loads just as much of Cassandra as SSTables need; must come before any other use of its classes. */
    static synchronized void initialise(Path work, Consumer<org.apache.cassandra.config.Config> more) {
      if (DatabaseDescriptor.isToolInitialized()) {
        return;
      }
      var config = new org.apache.cassandra.config.Config();
      // Only names: a tool neither makes nor reads these folders.
      System.setProperty("cassandra.storagedir", work.toString());
      config.partitioner = Murmur3Partitioner.class.getName();
      config.endpoint_snitch = "SimpleSnitch";
      config.commitlog_sync = org.apache.cassandra.config.Config.CommitLogSync.periodic;
      config.commitlog_sync_period = new DurationSpec.IntMillisecondsBound("10s");
      more.accept(config);
      org.apache.cassandra.config.Config.setOverrideLoadConfig(() -> config);
      DatabaseDescriptor.toolInitialization();
    }

    static CassandraBackup prove(Archive archive, String keyspace) {
      var all = new LinkedHashMap<String, Entry>();
      archive.index(entry -> {
        if (!entry.folder() && all.put(entry.name(), entry) != null) {
          throw archive.broken("it holds '%s' twice".formatted(entry.name()), null);
        }
      });
      var definition = definition(archive, all.values(), keyspace);
      var tables = tables(archive, all.values(), keyspace);
      if (definition.tables().isEmpty()) {
        throw archive.broken("its definition of keyspace %s has no CREATE TABLE".formatted(keyspace), null);
      }
      for (var table : tables.keySet()) {
        if (!definition.tables().containsKey(table)) {
          throw archive.broken("it has files of table %s, which its definition lacks".formatted(table), null);
        }
      }
      for (var table : definition.tables().keySet()) {
        if (!tables.containsKey(table)) {
          throw archive.broken("the folder of table %s is missing".formatted(table), null);
        }
      }
      proveFiles(archive, tables.values());
      return new CassandraBackup(definition, List.copyOf(tables.values()), tables.values().stream().mapToLong(Table::bytes).sum());
    }

    private static Definition definition(Archive archive, Collection<Entry> entries, String keyspace) {
      for (var entry : entries) {
        var match = CQL.matcher(entry.name());
        if (match.matches() && match.group("keyspace").equals(keyspace)) {
          return Definition.parse(text(archive, entry), keyspace);
        }
      }
      var others = entries.stream().map(entry -> CQL.matcher(entry.name())).filter(Matcher::matches)
          .map(match -> match.group("keyspace")).collect(Collectors.joining(", "));
      throw archive.broken("create_keyspace_%s.cql is missing%s".formatted(
          keyspace, others.isEmpty() ? "" : " (it is a backup of keyspace %s: set CASSANDRA_KEYSPACE)".formatted(others)), null);
    }

    private static SortedMap<String, Table> tables(Archive archive, Collection<Entry> entries, String keyspace) {
      var tables = new TreeMap<String, Table>();
      for (var entry : entries) {
        var member = MEMBER.matcher(entry.name());
        if (!member.matches() || !member.group("keyspace").equals(keyspace)) {
          continue;
        }
        if (!entry.file()) {
          throw archive.broken("its entry '%s' is not a plain file".formatted(entry.name()), null);
        }
        var table = tables.computeIfAbsent(member.group("table"), name -> new Table(name, new TreeMap<>(), new TreeSet<>()));
        if (table.files().put(member.group("file"), entry) != null) {
          throw archive.broken("it holds table %s twice".formatted(table.name()), null);
        }
        var component = COMPONENT.matcher(member.group("file"));
        if (component.matches()) {
          table.sstables().add(component.group("sstable"));
        }
      }
      return tables;
    }

    /** Reads every byte: each SSTable has what its TOC lists, each component is whole, none of the manifest's is missing. */
    private static void proveFiles(Archive archive, Collection<Table> tables) {
      var workers = Executors.newFixedThreadPool(Runtime.getRuntime().availableProcessors(), Console::daemon);
      try {
        var proofs = new ArrayList<Future<?>>();
        for (var table : tables) {
          proveManifest(archive, table);
          for (var sstable : table.sstables()) {
            proveComponents(archive, table, sstable);
            var version = version(archive, table, sstable);
            proofs.add(workers.submit(() -> proveIndex(archive, table, sstable, version)));
            proofs.add(workers.submit(() -> proveStatistics(archive, table, sstable)));
            if (table.files().containsKey(sstable + "-CompressionInfo.db")) {
              proofs.add(workers.submit(() -> proveChunks(archive, table, sstable, version)));
            }
          }
          table.files().forEach((name, entry) -> {
            if (!table.files().containsKey(name.replace("-Data.db", "-CompressionInfo.db"))) {
              proofs.add(workers.submit(() -> proveBytes(archive, table, name, entry)));
            }
          });
        }
        for (var proof : proofs) {
          proof.get();
        }
      } catch (InterruptedException | ExecutionException e) {
        throw Failure.of(e);
      } finally {
        workers.shutdownNow();
      }
    }

    private static void proveManifest(Archive archive, Table table) {
      var manifest = component(archive, table, "manifest.json");
      try {
        for (var file : Report.JSON.readTree(text(archive, manifest)).path("files")) {
          if (!file.asText().contains("/") && !table.files().containsKey(file.asText())) {
            throw archive.broken("%s of table %s is missing".formatted(file.asText(), table.name()), null);
          }
        }
      } catch (IOException e) {
        throw archive.broken("manifest.json of table %s is not readable".formatted(table.name()), e);
      }
    }

    private static void proveComponents(Archive archive, Table table, String sstable) {
      var toc = component(archive, table, sstable + "-TOC.txt");
      text(archive, toc).lines().filter(line -> !line.isBlank()).forEach(name -> component(archive, table, sstable + "-" + name.strip()));
    }

    private static Version version(Archive archive, Table table, String sstable) {
      var version = SSTableFormat.Type.BIG.info.getVersion(sstable.substring(0, 2));
      if (!sstable.endsWith("-big") || !version.isCompatible()) {
        throw archive.broken("SSTable %s of table %s is of a format that only a newer Cassandra reads".formatted(sstable, table.name()), null);
      }
      return version;
    }

    /**
     * Only the data have a digest. The index is proven by what it must agree with: every key is in the filter (one that is
     * not would be invisible), keys come in the order of their tokens, positions rise.
     */
    private static Void proveIndex(Archive archive, Table table, String sstable, Version version) {
      var filterFile = table.files().get(sstable + "-Filter.db");
      try (var index = new PushbackInputStream(new BufferedInputStream(archive.open(component(archive, table, sstable + "-Index.db")), 1 << 16));
          var filter = filterFile == null ? FilterFactory.AlwaysPresent
              : BloomFilterSerializer.deserialize(new DataInputStream(new BufferedInputStream(archive.open(filterFile))), version.hasOldBfFormat())) {
        var in = new DataInputPlus.DataInputStreamPlus(index);
        var end = -1L;
        DecoratedKey before = null;
        for (var next = index.read(); next >= 0; next = index.read()) {
          index.unread(next);
          var key = Murmur3Partitioner.instance.decorateKey(ByteBufferUtil.readWithShortLength(in));
          var position = RowIndexEntry.Serializer.readPosition(in);
          in.skipBytesFully((int) in.readUnsignedVInt());
          if (!filter.isPresent(key) || position <= end || before != null && before.compareTo(key) >= 0) {
            throw new IOException("it does not agree with its filter and order");
          }
          before = key;
          end = position;
        }
        return null;
      } catch (IOException | IllegalArgumentException e) {
        throw archive.broken("%s-Index.db of table %s is damaged: %s".formatted(sstable, table.name(), e.getMessage()), e);
      }
    }

    /** Statistics carry checksums of their own, which Cassandra's own reader looks at. */
    private static Void proveStatistics(Archive archive, Table table, String sstable) {
      var name = sstable + "-Statistics.db";
      try (var in = archive.open(component(archive, table, name))) {
        var descriptor = Descriptor.fromFilename(new org.apache.cassandra.io.util.File(Path.of("/", "keyspace", table.name(), name)));
        new MetadataSerializer().deserialize(descriptor, new FileSegmentInputStream(ByteBuffer.wrap(in.readAllBytes()), name, 0),
            EnumSet.allOf(MetadataType.class));
        return null;
      } catch (IOException | RuntimeException e) {
        throw archive.broken("%s of table %s is damaged: %s".formatted(name, table.name(), e.getMessage()), e);
      }
    }

    /** Compressed data carry a checksum behind each chunk: every offset that says where one begins is proven by it. */
    private static Void proveChunks(Archive archive, Table table, String sstable, Version version) {
      var name = sstable + "-Data.db";
      var entry = component(archive, table, name);
      try (var info = new DataInputStream(new BufferedInputStream(archive.open(table.files().get(sstable + "-CompressionInfo.db"))));
          var all = new CheckedInputStream(new BufferedInputStream(archive.open(entry), 1 << 18), new CRC32())) {
        var data = new DataInputStream(all);
        info.readUTF();
        for (var words = 2 * info.readInt(); words > 0; words--) {
          info.readUTF();
        }
        var longest = 2L * info.readInt() + 1024;
        info.skipNBytes(version.hasMaxCompressedLength() ? 12 : 8);
        var chunks = info.readInt();
        var start = info.readLong();
        for (var chunk = 1; chunk <= chunks; chunk++) {
          var end = chunk < chunks ? info.readLong() : entry.size();
          if (end - start <= 4 || end - start > longest || start == 0 != (chunk == 1)) {
            throw new IOException("chunk %d is not where CompressionInfo.db says".formatted(chunk));
          }
          var crc = new CRC32();
          crc.update(data.readNBytes((int) (end - start - 4)));
          if ((int) crc.getValue() != data.readInt()) {
            throw new IOException("chunk " + chunk);
          }
          start = end;
        }
        requireDigest(archive, table, name, all.getChecksum());
        return null;
      } catch (IOException e) {
        throw archive.broken("%s of table %s does not match its digest: %s".formatted(name, table.name(), e.getMessage()), e);
      }
    }

    private static Void proveBytes(Archive archive, Table table, String name, Entry entry) {
      try (var in = new CheckedInputStream(archive.open(entry), new CRC32())) {
        if (IOUtils.consume(in) != entry.size()) {
          throw new EOFException("it is cut short");
        }
        if (name.endsWith("-Data.db")) {
          requireDigest(archive, table, name, in.getChecksum());
        }
        return null;
      } catch (IOException e) {
        throw archive.broken("%s cannot be read: %s".formatted(entry.name(), e.getMessage()), e);
      }
    }

    private static void requireDigest(Archive archive, Table table, String name, Checksum crc) {
      var digest = table.files().get(name.replace("-Data.db", "-Digest.crc32"));
      if (digest != null && !text(archive, digest).strip().equals(Long.toString(crc.getValue()))) {
        throw archive.broken("%s of table %s does not match its digest".formatted(name, table.name()), null);
      }
    }

    private static Entry component(Archive archive, Table table, String name) {
      if (!table.files().containsKey(name)) {
        throw archive.broken("%s of table %s is missing".formatted(name, table.name()), null);
      }
      return table.files().get(name);
    }

    private static String text(Archive archive, Entry entry) {
      try (var in = archive.open(entry)) {
        return new String(in.readAllBytes(), StandardCharsets.UTF_8);
      } catch (IOException e) {
        throw archive.broken("%s cannot be read: %s".formatted(entry.name(), e.getMessage()), e);
      }
    }
  }

  /** A keyspace's definition, as DESCRIBE KEYSPACE writes it. */
  record Definition(
      String keyspace, Map<String, String> replication, boolean durable, SortedMap<String, String> tables, List<String> others) {
    private static final Pattern TOKEN =
        Pattern.compile("(?s)'(?:[^']|'')*'|\"(?:[^\"]|\"\")*\"|\\$\\$.*?\\$\\$|--[^\n]*|//[^\n]*|/\\*.*?\\*/|;|.");
    private static final Pattern KEYSPACE = Pattern.compile(
        "(?is)CREATE KEYSPACE (IF NOT EXISTS )?\"?(?<name>\\w+)\"? WITH replication = (?<map>\\{[^}]*})(?<rest>.*)");
    private static final Pattern TABLE = Pattern.compile("(?is)CREATE TABLE (IF NOT EXISTS )?(\"?(?<keyspace>\\w+)\"?\\.)\"?(?<name>\\w+)\"? .*");
    private static final Pattern OPTION = Pattern.compile(
        "(?is)(WITH|AND) ((?<name>\\w+) = ('(?:[^']|'')*'|\\{[^}]*}|[\\w.+-]+)|CLUSTERING ORDER BY \\([^)]*\\)|COMPACT STORAGE)");
    private static final ObjectMapper MAP = JsonMapper.builder().enable(JsonReadFeature.ALLOW_SINGLE_QUOTES).build();

    static Definition parse(String cql, String keyspace) {
      Map<String, String> replication = null;
      var durable = true;
      var tables = new TreeMap<String, String>();
      var others = new ArrayList<String>();
      for (var statement : split(cql)) {
        var create = KEYSPACE.matcher(statement);
        var table = TABLE.matcher(statement);
        if (create.matches() && create.group("name").equals(keyspace)) {
          replication = replication(create.group("map"));
          durable = !create.group("rest").replace(" ", "").toLowerCase(Locale.ROOT).contains("durable_writes=false");
        } else if (table.matches() && table.group("keyspace").equals(keyspace)) {
          tables.put(table.group("name"), statement);
        } else if (statement.matches("(?is)CREATE (TYPE|(CUSTOM )?INDEX|MATERIALIZED VIEW|(OR REPLACE )?(FUNCTION|AGGREGATE)) .*")) {
          others.add(statement);
        } else {
          // A definition creates; anything else in it is a mistake or an attack.
          throw new Failure(BAD_BACKUP, "the definition of keyspace %s has a statement that does not belong there: %s".formatted(
              keyspace, statement.substring(0, Math.min(80, statement.length()))), "look at its create_keyspace_%s.cql".formatted(keyspace));
        }
      }
      if (replication == null) {
        throw new Failure(BAD_BACKUP, "the definition of keyspace %s has no CREATE KEYSPACE".formatted(keyspace),
            "look at its create_keyspace_%s.cql".formatted(keyspace));
      }
      return new Definition(keyspace, replication, durable, tables, others);
    }

    /** Statements with single spaces, without comments and without the warnings that cqlsh prints among them. */
    static List<String> split(String cql) {
      var statements = new ArrayList<String>();
      var current = new StringBuilder();
      var text = cql.lines().filter(line -> !line.regionMatches(true, 0, "warning", 0, 7)).collect(Collectors.joining("\n"));
      for (var token : (Iterable<String>) TOKEN.matcher(text).results().map(MatchResult::group)::iterator) {
        if (token.equals(";")) {
          statements.add(current.toString().strip());
          current.setLength(0);
        } else if (token.startsWith("--") || token.startsWith("//") || token.startsWith("/*") || token.isBlank()) {
          current.append(current.isEmpty() || current.charAt(current.length() - 1) == ' ' ? "" : " ");
        } else {
          current.append(token);
        }
      }
      statements.add(current.toString().strip());
      return statements.stream().filter(statement -> !statement.isEmpty()).toList();
    }

    /** A CQL map of text, which is JSON but for its quotes; the strategy's class by its short name. */
    static Map<String, String> replication(String map) {
      try {
        var replication = MAP.readValue(map, new TypeReference<TreeMap<String, String>>() {});
        replication.computeIfPresent("class", (key, name) -> name.substring(name.lastIndexOf('.') + 1));
        if (replication.containsKey("class")) {
          return replication;
        }
      } catch (JsonProcessingException e) {
        // falls through to the message, which names what was given
      }
      throw new Failure(USAGE, "%s is no replication".formatted(map), "such as \"{'class': 'NetworkTopologyStrategy', 'datacenter1': 3}\"");
    }

    Definition withReplication(String map) {
      return map == null ? this : new Definition(keyspace, replication(map), durable, tables, others);
    }

    List<String> statements() {
      var all = new ArrayList<String>();
      all.add("CREATE KEYSPACE \"%s\" WITH replication = %s AND durable_writes = %s".formatted(
          keyspace, Replication.text(replication), durable));
      others.stream().filter(other -> other.matches("(?is)CREATE TYPE .*")).forEach(all::add);
      all.addAll(tables.values());
      others.stream().filter(other -> !other.matches("(?is)CREATE TYPE .*")).forEach(all::add);
      return all;
    }

    /** The same to Cassandra: tables are compared as its own parser reads them, so order and written-out defaults are no matter. */
    boolean sameAs(Definition other) {
      var id = new UUID(0, 0);
      return replication.equals(other.replication) && durable == other.durable && tables.keySet().equals(other.tables.keySet())
          && new HashSet<>(others).equals(new HashSet<>(other.others))
          && tables.keySet().stream().allMatch(name -> Definition.table(tables.get(name), keyspace, id)
              .equals(Definition.table(other.tables.get(name), keyspace, id)));
    }

    /** A table as Cassandra's own parser reads it. */
    static org.apache.cassandra.schema.TableMetadata table(String statement, String keyspace, UUID id) {
      return CreateTableStatement.parse(known(statement, TableAttributes.allKeywords()), keyspace)
          .id(TableId.fromUUID(id)).build();
    }

    /** Without the options that the parser at hand does not know (a newer server writes more of them). */
    static String known(String table, Set<String> options) {
      var first = Pattern.compile("(?i) WITH ").matcher(table);
      if (!first.find()) {
        return table;
      }
      var kept = OPTION.matcher(table.substring(first.start() + 1)).results()
          .filter(option -> option.group(3) == null || options.contains(option.group(3).toLowerCase(Locale.ROOT)))
          .map(option -> option.group(2)).toList();
      return table.substring(0, first.start()) + (kept.isEmpty() ? "" : " WITH " + String.join(" AND ", kept));
    }
  }

  /** Whether a replication can be had from the nodes there are. */
  static final class Replication {
    private Replication() {}

    /** @param nodes how many nodes each data centre has now */
    static void require(Map<String, String> replication, SortedMap<String, Long> nodes) {
      var simple = replication.get("class").equals("SimpleStrategy");
      var wanted = new TreeMap<>(replication);
      wanted.remove("class");
      var available = simple ? Map.of("replication_factor", nodes.values().stream().mapToLong(n -> n).sum()) : nodes;
      var most = 1L;
      var fits = !wanted.isEmpty();
      for (var entry : wanted.entrySet()) {
        var factor = factor(entry.getValue());
        most = Math.max(most, factor);
        fits &= factor >= 1 && factor <= available.getOrDefault(entry.getKey(), 0L);
      }
      if (!fits) {
        var fitting = new TreeMap<>(Map.of("class", replication.get("class")));
        for (var entry : available.entrySet()) {
          fitting.put(entry.getKey(), Long.toString(Math.min(most, entry.getValue())));
        }
        throw new Failure(UNSAFE, "the backup's replication %s does not fit the nodes there are: %s".formatted(text(replication), nodes),
            "to restore with what fits: --replication \"%s\"".formatted(text(fitting)));
      }
    }

    static int copies(Map<String, String> replication, List<String> dataCentres) {
      return replication.entrySet().stream().filter(e -> e.getKey().equals("replication_factor") || dataCentres.contains(e.getKey()))
          .mapToInt(e -> (int) factor(e.getValue())).sum();
    }

    private static long factor(String text) {
      try {
        return Long.parseLong(text);
      } catch (NumberFormatException e) {
        throw new Failure(USAGE, "replication factor '%s' is not supported".formatted(text), "name a plain one with --replication");
      }
    }

    static String text(Map<String, String> replication) {
      return replication.entrySet().stream().map(e -> "'%s': '%s'".formatted(e.getKey(), e.getValue())).collect(Collectors.joining(", ", "{", "}"));
    }
  }

  /** The unpacked tables, below a folder of ours that is gone when closed, also after Ctrl-C. */
  static final class Unpacked implements Closeable {
    private final Path root;
    private final String keyspace;
    private final Archive archive;
    private final Thread onExit = new Thread(this::remove);
    private volatile boolean closed;

    Unpacked(Path root, String keyspace, Archive archive) throws IOException {
      this.root = root;
      this.keyspace = keyspace;
      this.archive = archive;
      delete(root);
      Runtime.getRuntime().addShutdownHook(onExit);
      Files.createDirectories(root, PosixFilePermissions.asFileAttribute(PosixFilePermissions.fromString("rwx------")));
    }

    /** The loader takes keyspace and table from the last two folder names. */
    Path unpack(CassandraBackup.Table table) throws IOException {
      var folder = Files.createDirectories(root.resolve(keyspace).resolve(table.name()));
      for (var file : table.files().entrySet()) {
        // A summary has no digest, either: Cassandra makes it again from the index, which is proven.
        if (closed) {
          throw new IOException("interrupted");
        }
        if (!file.getKey().endsWith("-Summary.db")) {
          archive.copy(file.getValue(), folder.resolve(file.getKey()));
        }
      }
      return folder;
    }

    static Path delete(Path folder) {
      try (var files = Files.walk(folder)) {
        files.sorted(Comparator.reverseOrder()).forEach(file -> file.toFile().delete());
      } catch (NoSuchFileException e) {
        return folder;
      } catch (IOException e) {
        throw new UncheckedIOException(e);
      }
      return folder;
    }

    /** Whoever still unpacks ends with the file at hand. */
    private void remove() {
      closed = true;
      for (var attempt = 0; attempt < 50 && Files.exists(root); attempt++) {
        delete(root);
        LockSupport.parkNanos(20_000_000);
      }
    }

    @Override
    public void close() {
      remove();
      Runtime.getRuntime().removeShutdownHook(onExit);
    }
  }

  // --- end shared: CassandraBackup ---

  // --- shared: ElasticsearchApi (identical in every script that has it; a test holds them equal) ---
  /** Who logs in to Elasticsearch, as a value of the header Authorization. */
  record Credentials(Optional<String> header) {
    static Credentials fromEnvironment() {
      var user = Settings.variable("ELASTICSEARCH_USER");
      var key = Settings.secret("ELASTICSEARCH_API_KEY");
      if (user.isEmpty() || key.isPresent()) {
        return new Credentials(key.map(value -> "ApiKey " + value));
      }
      var password = Settings.secretOrPrompt("ELASTICSEARCH_PASSWORD", "Password of Elasticsearch's user " + user.get())
          .orElseThrow(() -> new Failure(USAGE, "no password for Elasticsearch's user " + user.get(),
              "set ELASTICSEARCH_PASSWORD or ELASTICSEARCH_PASSWORD_FILE"));
      var pair = (user.get() + ":" + password).getBytes(StandardCharsets.UTF_8);
      return new Credentials(Optional.of("Basic " + Base64.getEncoder().encodeToString(pair)));
    }

    @Override
    public String toString() {
      return "Credentials";
    }
  }

  /** Elasticsearch's REST API (OpenSearch's too), answers as JSON, errors as failures. */
  static final class ElasticsearchApi implements Closeable {
    private final RestClient client;
    private final String named;

    ElasticsearchApi(List<String> urls, Path ca, Credentials credentials) {
      var hosts = urls.stream().map(ElasticsearchApi::host).toArray(HttpHost[]::new);
      named = String.join(", ", Stream.of(hosts).map(HttpHost::toURI).toList());
      var builder = RestClient.builder(hosts);
      credentials.header().ifPresent(value -> builder.setDefaultHeaders(new Header[] {new BasicHeader("Authorization", value)}));
      if (ca != null) {
        builder.setHttpClientConfigCallback(http -> http.setSSLContext(Tls.context(Tls.trust(ca))));
      }
      builder.setRequestConfigCallback(config -> config.setConnectTimeout(5_000).setSocketTimeout(60_000));
      client = builder.build();
    }

    private static HttpHost host(String url) {
      try {
        if (url.contains("@")) {
          throw new Failure(USAGE, "ELASTICSEARCH_API_URL holds a log-in", "set ELASTICSEARCH_USER and ELASTICSEARCH_PASSWORD instead");
        }
        return HttpHost.create(url.strip().replaceFirst("/+$", ""));
      } catch (IllegalArgumentException e) {
        throw new Failure(USAGE, "ELASTICSEARCH_API_URL '%s' is no URL".formatted(url), "such as http://127.0.0.1:9200");
      }
    }

    boolean openSearch() throws IOException {
      return tryGet("/").map(answer -> answer.path("version").path("distribution").asText().equals("opensearch")).orElse(false);
    }

    JsonNode get(String path) throws IOException {
      return call("GET", path, null);
    }

    /** Empty where there is no such thing, or a distribution without that part of the API (400, 405). */
    Optional<JsonNode> tryGet(String path) throws IOException {
      return unless(Set.of(400, 404, 405), "GET", path, null);
    }

    Optional<JsonNode> tryPost(String path, Object body) throws IOException {
      return unless(Set.of(400, 404, 405), "POST", path, body);
    }

    /** An index that is not there is deleted already; any other answer, as while a snapshot of it is being taken, is a failure. */
    void tryDelete(String path) throws IOException {
      unless(Set.of(404), "DELETE", path, null);
    }

    private Optional<JsonNode> unless(Set<Integer> missing, String method, String path, Object body) throws IOException {
      try {
        return Optional.of(request(method, path, body));
      } catch (ResponseException e) {
        if (missing.contains(e.getResponse().getStatusLine().getStatusCode())) {
          return Optional.empty();
        }
        throw failure(method, path, e);
      }
    }

    JsonNode post(String path, Object body, String failed, String hint) throws IOException {
      try {
        return request("POST", path, body);
      } catch (ResponseException e) {
        var failure = failure("POST", path, e);
        throw new Failure(failure.code, failed + ": " + failure.getMessage(), hint, e);
      }
    }

    JsonNode call(String method, String path, Object body) throws IOException {
      try {
        return request(method, path, body);
      } catch (ResponseException e) {
        throw failure(method, path, e);
      }
    }

    private JsonNode request(String method, String path, Object body) throws IOException {
      var request = new Request(method, path);
      if (body != null) {
        request.setJsonEntity(Report.JSON.writeValueAsString(body));
      }
      try {
        return Report.JSON.readTree(client.performRequest(request).getEntity().getContent());
      } catch (ResponseException e) {
        throw e;
      } catch (IOException e) {
        throw new Failure(UNREACHABLE, "cannot reach Elasticsearch at %s: %s".formatted(named, e.getMessage()),
            "is it started, is ELASTICSEARCH_API_URL right?", e);
      }
    }

    private Failure failure(String method, String path, ResponseException thrown) throws IOException {
      var status = thrown.getResponse().getStatusLine().getStatusCode();
      var body = thrown.getResponse().getEntity() == null ? "" : EntityUtils.toString(thrown.getResponse().getEntity());
      var reason = body;
      try {
        reason = Report.JSON.readTree(body).path("error").path("reason").asText(body);
      } catch (JsonProcessingException e) {
        // a proxy's answer: shown as it is
      }
      if (status == 401 || status == 403) {
        return new Failure(AUTHENTICATION, "Elasticsearch at %s refuses %s %s: HTTP %d %s".formatted(named, method, path, status, reason),
            "check ELASTICSEARCH_USER and ELASTICSEARCH_PASSWORD, or ELASTICSEARCH_API_KEY, and what it may do", thrown);
      }
      // Busy, starting or electing a master: as good as not reached.
      var code = Set.of(429, 502, 503, 504).contains(status) ? UNREACHABLE : status >= 500 ? UNSAFE : UNEXPECTED;
      return new Failure(code, "Elasticsearch answers %s %s with HTTP %d: %s".formatted(method, path, status, reason), null, thrown);
    }

    @Override
    public void close() throws IOException {
      client.close();
    }
  }

  // --- end shared: ElasticsearchApi ---

  // --- shared: Tls (identical in every script that has it; a test holds them equal) ---
  /** TLS from PEM files. */
  static final class Tls {
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
        throw new Failure(USAGE, "cannot use the CA certificate %s: %s".formatted(ca, e.getMessage()), "it must be a PEM file");
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

  // --- end shared: Tls ---

  // --- shared: Login (identical in every script that has it; a test holds them equal) ---
  /** Where and as whom: from the variables, else from the alias as mc keeps it. */
  record Login(String endpoint, String access, String secret, String token) {
    // As mc reads it: the keys stand in it as they are, without an encoding.
    private static final Pattern WITH_TOKEN = Pattern.compile("(https?://)([^@]*?):([^@]*?):([^@]*)@([^@]*)");
    private static final Pattern WITH_KEYS = Pattern.compile("(https?://)(.*?):(.*)@([^@]*)");

    static Login of(String endpoint, String alias) {
      if (endpoint == null) {
        return ofAlias(alias);
      }
      var access = Settings.secretOrPrompt("MINIO_ACCESS_KEY", "Access key of " + endpoint);
      var secret = Settings.secretOrPrompt("MINIO_SECRET_KEY", "Secret key of " + endpoint);
      if (access.isEmpty() || secret.isEmpty()) {
        throw new Failure(USAGE, "no keys for " + endpoint,
            "set MINIO_ACCESS_KEY and MINIO_SECRET_KEY, or MINIO_ACCESS_KEY_FILE and MINIO_SECRET_KEY_FILE");
      }
      return new Login(endpoint, access.get(), secret.get(), null);
    }

    private static Login ofAlias(String alias) {
      var variable = System.getenv("MC_HOST_" + alias);
      var found = variable != null ? ofVariable(alias, variable) : configFiles().flatMap(file -> ofFile(file, alias).stream()).findFirst();
      return found.orElseThrow(() -> new Failure(USAGE, "no S3 server is named, and there is no alias %s".formatted(alias),
          "set MINIO_ENDPOINT, MINIO_ACCESS_KEY and MINIO_SECRET_KEY, or name an alias of mc with MINIO_ALIAS; looked in MC_HOST_%s, %s"
              .formatted(alias, configFiles().map(Path::toString).collect(Collectors.joining(", ")))));
    }

    private static Optional<Login> ofVariable(String alias, String value) {
      var token = WITH_TOKEN.matcher(value);
      if (token.matches()) {
        return Optional.of(new Login(token.group(1) + token.group(5), token.group(2), token.group(3), token.group(4)));
      }
      var keys = WITH_KEYS.matcher(value);
      if (keys.matches()) {
        return Optional.of(new Login(keys.group(1) + keys.group(4), keys.group(2), keys.group(3), null));
      }
      throw new Failure(USAGE, "MC_HOST_%s is not of the form https://ACCESS:SECRET@HOST:PORT".formatted(alias), null);
    }

    private static Stream<Path> configFiles() {
      var folder = System.getenv("MC_CONFIG_DIR");
      var home = Path.of(Optional.ofNullable(System.getenv("HOME")).orElse(System.getProperty("user.home")));
      return Stream.concat(Stream.ofNullable(folder).map(Path::of), Stream.of(home.resolve(".mc"), home.resolve(".mcli")))
          .map(path -> path.resolve("config.json"));
    }

    private static Optional<Login> ofFile(Path file, String alias) {
      try {
        var entry = Report.JSON.readTree(file.toFile()).path("aliases").path(alias);
        return entry.isMissingNode() ? Optional.empty() : Optional.of(new Login(entry.path("url").asText(),
            entry.path("accessKey").asText(), entry.path("secretKey").asText(), entry.path("sessionToken").asText(null)));
      } catch (FileNotFoundException e) {
        return Optional.empty();
      } catch (IOException e) {
        // Jackson's message would show the line, and with it a key.
        throw new Failure(USAGE, "cannot read mc's " + file, "is it readable, and JSON? or set MINIO_ENDPOINT and the keys");
      }
    }
  }

  // --- end shared: Login ---

  // --- shared: Application (identical in every script that has it; a test holds them equal) ---
  /** TheHive itself on a node, behind its unit. */
  record Application(HttpRequest status, HttpClient client) {
    /** How its log tells of an error: by the level, or where the JVM itself says so. */
    static final Pattern ERROR = Pattern.compile("\\[error]|\\bERROR\\b|\\bFATAL\\b|Exception in thread|OutOfMemoryError");
    private static final Duration LIMIT = Duration.ofSeconds(10);

    static Application on(Host host) {
      var address = host.address().replaceFirst("^(.*:.*)$", "[$1]");
      var url = Settings.variable("THEHIVE_URL").orElse("http://<node>:9000").replace("<node>", address).replaceFirst("/+$", "");
      var client = HttpClient.newBuilder().connectTimeout(LIMIT).followRedirects(HttpClient.Redirect.NORMAL);
      Settings.variable("THEHIVE_CA").ifPresent(ca -> client.sslContext(Tls.context(Tls.trust(Path.of(ca)))));
      try {
        var status = HttpRequest.newBuilder(URI.create(url + "/api/v1/status/public")).timeout(LIMIT);
        return new Application(status.build(), client.build());
      } catch (IllegalArgumentException e) {
        throw new Failure(USAGE, "THEHIVE_URL '%s' is no address: %s".formatted(url, e.getMessage()), "such as http://<node>:9000, <node> as it stands");
      }
    }

    /** What came instead of its answer; nothing when it answers. */
    Optional<String> problem() {
      try {
        var code = client.send(status, HttpResponse.BodyHandlers.discarding()).statusCode();
        return code == 200 ? Optional.empty() : Optional.of("%s answers HTTP %d".formatted(status.uri(), code));
      } catch (IOException e) {
        return Optional.of("%s does not answer: %s%s".formatted(status.uri(), Objects.requireNonNullElse(e.getMessage(), "connection refused"),
            e instanceof SSLException ? " (THEHIVE_CA names its CA)" : ""));
      } catch (InterruptedException e) {
        throw new Failure(UNEXPECTED, "interrupted", null, e);
      }
    }
  }

  // --- end shared: Application ---

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
          if (named && !unit.load().equals("loaded")) {
            return new Failure(UNSAFE, "%s has no unit %s: whether TheHive runs there is not known".formatted(host.name, service),
                "check THEHIVE_NODES and THEHIVE_SERVICE; --force goes on all the same");
          }
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
      if (!match.matches() || match.group("type") == null
          || !components.contains(match.group("component")) || !types.contains(match.group("type"))) {
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
    static final int LONGEST_END = 20 << 10;
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
      while (zeros.hasRemaining() && channel.read(zeros, end + zeros.position()) > 0) {
        // reads on
      }
      if (rest > LONGEST_END || IntStream.range(0, zeros.position()).anyMatch(i -> zeros.get(i) != 0)) {
        throw broken("its members end after %d of %d bytes: the rest is damaged or was never written".formatted(end, channel.size()), null);
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

  // --- shared: Members (identical in every script that has it; a test holds them equal) ---
  enum Kind {
    FOLDER, FILE, SPARSE, LINK
  }

  /** Who owns a member; empty and -1 where the archive does not tell. */
  record Owner(String user, long uid, String group, long gid) {
    static final Owner UNKNOWN = new Owner("", -1, "", -1);
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
  static final class Members implements Closeable {
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
          add(new Entry(archive.safe(header.getName()), header.isDirectory(), header.isFile(), header.getSize(), -1, header));
          end = stream.getCount() + (header.isSparse() ? 0 : (header.getSize() + 511) / 512 * 512);
        }
        IOUtils.consume(stream);
        if (end == 0 || stream.getCount() < end + 512 || stream.getCount() > end + Archive.LONGEST_END) {
          throw archive.broken("its members end after %d of %d bytes".formatted(end, stream.getCount()), null);
        }
      }
    }

    private InputStream stream() throws IOException {
      var in = new BufferedInputStream(Files.newInputStream(archive.path), 1 << 16);
      return !compressed ? in : archive.path.toString().endsWith(".gz")
          ? GzipCompressorInputStream.builder().setInputStream(in).setDecompressConcatenated(true).get() : new ZstdCompressorInputStream(in);
    }

    private void add(Entry entry) {
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

    private Member member(String name, Entry entry, FileHeader header) {
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

    Entry entry(int i) {
      var member = all.get(i);
      return new Entry(member.name(), false, true, member.size(), member.offset(), member.more());
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

  /** Does many things side by side; the first failure stops the rest and is thrown. */
  static final class Workers implements Closeable {
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

  // --- end shared: Members ---

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
    private boolean drawn;
    private String logged = "";

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
      var draws = canDraw();
      var builder = new ProgressBarBuilder().setTaskName(task).setInitialMax(total)
          .setUnit(total < 10_000_000 ? " kB" : " MB", total < 10_000_000 ? 1_000 : 1_000_000).showSpeed(new DecimalFormat("0.0"))
          .setStyle(ProgressBarStyle.ASCII).setUpdateIntervalMillis(draws ? 200 : 5_000);
      builder.setConsumer(draws
          ? new DelegatingProgressBarConsumer(this::draw, columns() - 3) // room for ^C
          : new DelegatingProgressBarConsumer(this::log, 79));
      bar = builder.build();
      var clock = Executors.newSingleThreadScheduledExecutor(Console::daemon);
      Runnable update = () -> bar.stepTo(done.getAsLong()).setExtraMessage("  " + state.get());
      clock.scheduleAtFixedRate(update, 0, 200, TimeUnit.MILLISECONDS);
      return () -> {
        clock.shutdownNow();
        update.run();
        bar.close();
        erase();
        bar = null;
      };
    }

    /** Whether stderr is the terminal, no file, and one that is to move its cursor. */
    private boolean canDraw() {
      try {
        return terminal && Files.isSameFile(Path.of("/dev/stdin"), Path.of("/dev/stderr"))
            && System.getenv("NO_COLOR") == null && !"dumb".equals(System.getenv("TERM"));
      } catch (IOException e) {
        return false;
      }
    }

    /** The width of the terminal. Not from the library, whose terminal would take Ctrl-C from the shutdown hooks. */
    private static int columns() {
      try {
        var stty = new ProcessBuilder("stty", "size").redirectInput(ProcessBuilder.Redirect.INHERIT).start();
        var columns = Integer.parseInt(new String(stty.getInputStream().readAllBytes()).strip().replaceFirst(".* ", ""));
        return columns < 40 ? 80 : columns;
      } catch (IOException | NumberFormatException e) {
        return 80;
      }
    }

    /** Over the line before, and never onto a second line, should the terminal have become narrower. */
    private synchronized void draw(String line) {
      if (bar != null) {
        drawn = true;
        System.err.print("\r\033[?7l" + line + "\033[K\033[?7h");
      }
    }

    /** At its end the bar says everything twice. */
    private synchronized void log(String line) {
      if (!line.equals(logged)) {
        logged = line;
        step("%s", line.strip());
      }
    }

    private synchronized void erase() {
      if (drawn) {
        drawn = false;
        System.err.print("\r\033[K");
      }
    }

    private synchronized void interrupted() {
      if (bar != null) {
        step("Interrupted: run the same command again.");
        bar = null;
      }
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
}
