///usr/bin/env jbang "$0" "$@" ; exit $?
//DESCRIPTION Tells whether everything is back after a restore of TheHive, on every node
//JAVA 17+
//DEPS ch.qos.logback:logback-core:1.2.13
//DEPS com.fasterxml.jackson.core:jackson-databind:2.23.0
//DEPS com.github.luben:zstd-jni:1.5.7-28 // for .tar.zst, and for SSTables compressed with Zstd
//DEPS com.google.guava:guava:33.8.0-jre
//DEPS com.squareup.okhttp3:okhttp-jvm:5.5.1 // the SDK names okhttp, whose classes are in this one
//DEPS commons-codec:commons-codec:1.23.0
//DEPS commons-io:commons-io:2.22.0
//DEPS dev.failsafe:failsafe:3.3.2
//DEPS info.picocli:picocli:4.7.7
//DEPS io.minio:minio:9.0.4
//DEPS io.netty:netty-all:4.1.137.Final
//DEPS io.netty:netty-handler:4.1.137.Final
//DEPS io.netty:netty-tcnative-boringssl-static:2.0.81.Final
//DEPS me.tongfei:progressbar:0.10.2
//DEPS net.lingala.zip4j:zip4j:2.11.6
//DEPS org.apache.cassandra:cassandra-all:4.1.10
//DEPS org.apache.cassandra:java-driver-core:4.19.4
//DEPS org.apache.commons:commons-compress:1.28.0
//DEPS org.elasticsearch.client:elasticsearch-rest-client:9.5.6
//DEPS org.xerial.snappy:snappy-java:1.1.10.12
//DEPS org.yaml:snakeyaml:2.7
// Of the classes below the marker, written by ./jbang lib/embed.java:
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
import com.fasterxml.jackson.databind.cfg.EnumFeature;
import com.fasterxml.jackson.databind.json.JsonMapper;
import com.google.common.base.Throwables;
import com.google.common.collect.HashMultimap;
import com.google.common.collect.Iterators;
import com.google.common.collect.Lists;
import com.google.common.collect.PeekingIterator;
import com.google.common.collect.SetMultimap;
import dev.failsafe.Failsafe;
import dev.failsafe.RetryPolicy;
import io.minio.BucketExistsArgs;
import io.minio.GetBucketVersioningArgs;
import io.minio.GetObjectArgs;
import io.minio.GetObjectLockConfigurationArgs;
import io.minio.ListObjectsArgs;
import io.minio.ListObjectsV2Args;
import io.minio.MakeBucketArgs;
import io.minio.MinioAsyncClient;
import io.minio.MinioClient;
import io.minio.credentials.StaticProvider;
import io.minio.errors.ErrorResponseException;
import io.minio.errors.InvalidResponseException;
import io.minio.errors.MinioException;
import io.minio.errors.ServerException;
import io.minio.errors.XmlParserException;
import io.minio.messages.ErrorResponse;
import io.minio.messages.VersioningConfiguration;
import java.io.BufferedInputStream;
import java.io.ByteArrayOutputStream;
import java.io.Closeable;
import java.io.DataInputStream;
import java.io.EOFException;
import java.io.File;
import java.io.FileNotFoundException;
import java.io.IOException;
import java.io.InputStream;
import java.io.PushbackInputStream;
import java.io.UncheckedIOException;
import java.net.ConnectException;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.net.NoRouteToHostException;
import java.net.SocketTimeoutException;
import java.net.URI;
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
import java.util.BitSet;
import java.util.Collection;
import java.util.Collections;
import java.util.Comparator;
import java.util.EnumMap;
import java.util.EnumSet;
import java.util.HashMap;
import java.util.HashSet;
import java.util.HexFormat;
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
import java.util.concurrent.ConcurrentSkipListMap;
import java.util.concurrent.ConcurrentSkipListSet;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.TimeoutException;
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
import java.util.zip.CRC32;
import java.util.zip.CheckedInputStream;
import java.util.zip.Checksum;
import javax.net.ssl.KeyManager;
import javax.net.ssl.KeyManagerFactory;
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
import org.apache.cassandra.config.Config;
import org.apache.cassandra.config.DatabaseDescriptor;
import org.apache.cassandra.config.DurationSpec;
import org.apache.cassandra.cql3.statements.schema.CreateTableStatement;
import org.apache.cassandra.cql3.statements.schema.TableAttributes;
import org.apache.cassandra.db.Clustering;
import org.apache.cassandra.db.DecoratedKey;
import org.apache.cassandra.db.EmptyIterators;
import org.apache.cassandra.db.RowIndexEntry;
import org.apache.cassandra.db.lifecycle.LifecycleTransaction;
import org.apache.cassandra.db.marshal.AbstractType;
import org.apache.cassandra.db.marshal.ByteBufferAccessor;
import org.apache.cassandra.db.marshal.BytesType;
import org.apache.cassandra.db.marshal.CompositeType;
import org.apache.cassandra.db.partitions.PartitionIterator;
import org.apache.cassandra.db.partitions.UnfilteredPartitionIterators;
import org.apache.cassandra.db.rows.Row;
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
import org.apache.commons.io.TaggedIOException;
import org.apache.commons.io.function.IOSupplier;
import org.apache.commons.io.input.BoundedInputStream;
import org.apache.commons.io.input.CloseShieldInputStream;
import org.apache.commons.io.input.TaggedInputStream;
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
import picocli.CommandLine.ScopeType;
import picocli.CommandLine.Spec;
import picocli.CommandLine;

/**
 * Answers "is everything back, on every node?" after a restore: services and logs, every row, every attachment, and
 * whether the parts belong together. Only reads. With {@code archives} it proves the backups alone, before a restore.
 *
 * <pre>CASSANDRA_CONNECTION=10.0.0.5 ./jbang verify.java --skip s3</pre>
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
  /** How much of one part is compared at once. */
  static final int LANES = 8;

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

  private final Map<Part, Found> findings = new ConcurrentSkipListMap<>();
  private final Map<Part, String> missing = new EnumMap<>(Part.class);
  private final Map<Part, Attachments> attachments = new ConcurrentSkipListMap<>();
  private final Sampler sampler = new Sampler();
  private final AtomicLong done = new AtomicLong();
  private Optional<String> password;

  public static void main(String[] args) {
    var script = new Verify();
    System.exit(new CommandLine(script).setUsageHelpLongOptionsMaxWidth(24).setCaseInsensitiveEnumValuesAllowed(true)
        .setExecutionExceptionHandler((thrown, line, parsed) -> script.console.error("", Failure.of(thrown)))
        .execute(args));
  }

  @Override
  public Integer call() throws IOException {
    OldSettings.refuseBlank(command);
    CassandraTools.quietLibraries(console.verbose);
    password = OldSettings.secret("BACKUP_PASSWORD");
    var backups = chooseBackups();
    run(chooseChecks(backups), backups);
    if (chosen(Part.TOGETHER)) {
      checkTogether(backups.values(), found(Part.TOGETHER));
    }
    var all = findings.values().stream().flatMap(found -> found.list().stream()).toList();
    var results = all.stream().map(Finding::result).collect(Collectors.toSet());
    var code = results.contains(Mark.BAD) ? Exit.VERIFICATION : results.contains(Mark.OK) ? Exit.DONE : Exit.USAGE;
    System.out.print(json ? Json.MAPPER.writeValueAsString(new Result(SCRIPT, code, all)) + "\n" : table(all));
    if (code == Exit.USAGE) {
      throw new Failure(Exit.USAGE, "nothing was checked", "the table says what is missing for each check");
    }
    return code;
  }

  /** The backups there are, of the same restore point as a restore would take, and why others are left out. */
  private Map<Part, Backup> chooseBackups() {
    var all = new EnumMap<Part, Backup>(Part.class);
    choose(all, Part.CASSANDRA, cassandra.archives, Set.of("cassandra"), Set.of("tar", "zip"));
    choose(all, Part.ELASTICSEARCH, elasticsearch.archives, Set.of("elasticsearch"), Set.of("info"));
    choose(all, Part.FILES, files.archives, Set.of("files"), ATTACHMENT_TYPES);
    var unnamed = s3.unnamed();
    if (what != null || unnamed.isEmpty()) {
      choose(all, Part.S3, s3.archives, new TreeSet<>(Set.of("minio", "seaweedfs")), ATTACHMENT_TYPES);
    } else {
      missing.put(Part.S3, unnamed.get());
    }
    if (what == null && System.getenv("CASSANDRA_CONNECTION") == null) {
      missing.putIfAbsent(Part.CASSANDRA, "CASSANDRA_CONNECTION is not set");
    }
    var named = command.commandLine().getParseResult().hasMatchedOption("--elasticsearch") || System.getenv("ELASTICSEARCH_API_URL") != null;
    if (what == null && named) {
      missing.remove(Part.ELASTICSEARCH); // without a backup there is still an index to look at
    }
    return all;
  }

  private void choose(Map<Part, Backup> all, Part part, Path folder, Set<String> components, Set<String> types) {
    if (skip.contains(part) || !chosen(part) && !chosen(Part.TOGETHER)) {
      return;
    }
    try {
      var backup = BackupSet.choose(folder, components, types, wanted, maxGap);
      all.put(part, backup);
      console.step("Backup of %s: %s, taken %s", part, backup.file(), backup.age());
    } catch (Failure e) {
      if (e.code == Exit.USAGE) {
        throw e;
      }
      missing.put(part, e.getMessage());
    }
  }

  private Map<Part, Check> chooseChecks(Map<Part, Backup> backups) {
    var checks = new EnumMap<Part, Check>(Part.class);
    for (var part : EnumSet.range(what == null ? Part.SERVICES : Part.CASSANDRA, Part.S3)) {
      if (chosen(part) && missing.containsKey(part)) {
        found(part).add(required(part) ? Mark.BAD : Mark.SKIPPED, "backup", List.of(), missing.get(part));
      } else if (chosen(part)) {
        checks.put(part, what == null ? check(part, backups.get(part)) : proof(part, backups.get(part)));
      }
    }
    return checks;
  }

  private boolean chosen(Part part) {
    return only.contains(part) && !skip.contains(part);
  }

  /** Whether it is an error that a part has no backup, not only a reason to leave it out. */
  private boolean required(Part part) {
    return only.size() < Part.values().length || part == Part.ELASTICSEARCH && what != null
        || part == Part.CASSANDRA && (what != null || System.getenv("CASSANDRA_CONNECTION") != null)
        || part == Part.FILES && what != null && missing.containsKey(Part.S3) // one of the two there must be
        || part == Part.S3 && s3.unnamed().isEmpty();
  }

  /** Settings and passwords are read here, before anything begins. */
  private Check check(Part part, Backup backup) {
    return switch (part) {
      case SERVICES -> new Services(TheHiveSettings.of(Settings.fromEnvironment()).hosts(), TheHiveSettings.of(Settings.fromEnvironment()).service(), service.ignored)::services;
      case LOGS -> new Services(TheHiveSettings.of(Settings.fromEnvironment()).hosts(), TheHiveSettings.of(Settings.fromEnvironment()).service(), service.ignored)::logs;
      case CASSANDRA -> {
        var connection = CassandraConnection.of(Settings.fromEnvironment());
        yield found -> Cassandra.check(this, connection, backup, found);
      }
      case ELASTICSEARCH -> new Elasticsearch(this, Credentials.fromEnvironment(), backup)::run;
      case FILES -> found -> {
        var store = new FileStore(files);
        var since = since(backup, files.archives, "restore-files-nfs", "folder", "" + store.folder());
        attachments(part, backup).compare(this, store, since, found);
      };
      default -> {
        var store = new S3Store(s3, OldLogin.of(s3.endpoint, s3.alias));
        yield found -> attachments(part, backup).compare(
            this, store, since(backup, s3.archives, "restore-files-minio", "bucket", s3.bucket), found);
      }
    };
  }

  /** What is later than the backup, and than the end of a restore to there, was written since. */
  private Instant since(Backup backup, Path archives, String script, String field, String target) throws IOException {
    var taken = backup.taken().atZone(ZoneId.systemDefault()).toInstant();
    var report = RunReports.newest(CommonSettings.of(Settings.fromEnvironment()).stateFolder(archives), script, one -> one.path("exit").asInt(-1) == Exit.DONE && one.path(field).asText().equals(target));
    var end = report.map(restore -> Instant.parse(restore.path("started").asText()).plusMillis((long) (restore.path("seconds").asDouble() * 1000)));
    return exact ? Instant.MAX : end.filter(restored -> restored.isAfter(taken)).orElse(taken);
  }

  /** The same for the archives alone: no server is asked. */
  private Check proof(Part part, Backup backup) {
    return switch (part) {
      case CASSANDRA -> found -> Cassandra.prove(this, backup, found);
      case ELASTICSEARCH -> found -> found.skipped("marker",
          "%s, taken %s; its snapshot is proven by Elasticsearch, when restored", backup.file(), backup.age());
      default -> found -> attachments(part, backup).prove(done, found);
    };
  }

  private Attachments attachments(Part part, Backup backup) {
    var read = new Attachments(part, backup, new Members(backup.file(), password));
    attachments.put(part, read);
    return read;
  }

  /** Every check to its end, side by side: what one finds, or that it fails, hides nothing of another. */
  private void run(Map<Part, Check> checks, Map<Part, Backup> backups) throws IOException {
    var total = checks.keySet().stream().map(backups::get).filter(Objects::nonNull)
        .mapToLong(backup -> backup.file().toFile().length()).sum();
    var parts = List.copyOf(checks.keySet());
    var open = new ConcurrentSkipListSet<>(parts);
    Supplier<String> named = () -> open.stream().map(Part::toString).collect(Collectors.joining(", "));
    console.step("%s %s", what == null ? "Checking" : "Proving the backups of", named.get());
    try (var workers = new Workers(Part.values().length);
        Closeable bar = total == 0 ? () -> {} : console.progress("Checking", total, done::get, named)) {
      workers.run(parts.size(), (lane, i) -> {
        run(checks.get(parts.get(i)), found(parts.get(i)));
        open.remove(parts.get(i));
      });
    }
  }

  private void run(Check check, Found found) {
    try {
      check.run(found);
    } catch (Throwable thrown) {
      var failure = Failure.of(thrown);
      var hint = failure.hint == null ? "" : " (" + failure.hint + ")";
      found.bad(failure.code == Exit.BAD_BACKUP ? "backup" : "reach", "%s%s", failure.getMessage(), hint);
      if (console.verbose) {
        thrown.printStackTrace();
      }
    }
  }

  /** Whether the backups are of one moment, and the attachments that the graph names are in theirs. */
  private void checkTogether(Collection<Backup> backups, Found found) {
    var byTime = backups.stream().sorted(Comparator.comparing(Backup::taken)).toList();
    if (byTime.size() < 2) {
      found.skipped("times", "there are no two backups to compare");
    } else {
      var names = byTime.stream().map(Backup::name).toList();
      var gap = Duration.between(byTime.get(0).taken(), byTime.get(byTime.size() - 1).taken());
      var near = gap.compareTo(maxGap) <= 0;
      found.is(near, "times", names, "%s to %s: %d s apart%s", names.get(0), names.get(names.size() - 1),
          gap.toSeconds(), near ? "" : ", more than %d minutes".formatted(maxGap.toMinutes()));
    }
    if (what == null && (attachments.isEmpty() || !sampler.hasRead)) {
      found.skipped("attachments", "needs the rows of cassandra, and files or s3, read in the same run");
    } else if (what == null) {
      attachments.values().forEach(read -> sampler.compare(read, found));
    }
  }

  private static String table(List<Finding> all) {
    var width = all.stream().mapToInt(finding -> finding.check().length()).max().orElse(1);
    var form = "%s %-13s %-" + width + "s  %s%n";
    var lines = new StringBuilder();
    for (var finding : all) {
      lines.append(form.formatted(finding.result().sign, finding.part(), finding.check(), finding.text()));
      finding.details().stream().limit(NAMED).forEach(detail -> lines.append("      " + detail + "\n"));
      if (finding.details().size() > NAMED) {
        lines.append("      and %d more: --json shows them%n".formatted(finding.details().size() - NAMED));
      }
    }
    return lines.toString();
  }

  private Found found(Part part) {
    return findings.computeIfAbsent(part, Found::new);
  }

  // ------------------------------------------------------------------------------------------------------ the findings

  enum Part {
    SERVICES, LOGS, CASSANDRA, ELASTICSEARCH, FILES, S3, TOGETHER;

    @Override
    public String toString() {
      return name().toLowerCase(Locale.ROOT);
    }
  }

  enum Mark {
    OK("✓"), BAD("✗"), SKIPPED("-");

    final String sign;

    Mark(String sign) {
      this.sign = sign;
    }
  }

  interface Check {
    void run(Found found) throws Exception;
  }

  /** A line of the table. */
  record Finding(Part part, String check, Mark result, String text, List<String> details) {}

  /** What --json prints. */
  record Result(String script, int exit, List<Finding> checks) {}

  /** Where one part puts what it finds. */
  record Found(Part part, List<Finding> list) {
    Found(Part part) {
      this(part, Collections.synchronizedList(new ArrayList<>()));
    }

    void add(Mark mark, String check, List<String> details, String text) {
      list.add(new Finding(part, check, mark, text, details));
    }

    void ok(String check, String text, Object... values) {
      add(Mark.OK, check, List.of(), text.formatted(values));
    }

    void skipped(String check, String text, Object... values) {
      add(Mark.SKIPPED, check, List.of(), text.formatted(values));
    }

    void bad(String check, String text, Object... values) {
      add(Mark.BAD, check, List.of(), text.formatted(values));
    }

    /** The same text with a ✓, or with a ✗ and the details under it. */
    void is(boolean good, String check, List<String> details, String text, Object... values) {
      add(good ? Mark.OK : Mark.BAD, check, good ? List.of() : details, text.formatted(values));
    }

    /** A ✓ when there are none of a kind, or a ✗ with how many and which. */
    void none(String check, Tally tally, String kind, String good, String bad) {
      var count = tally.count(kind);
      is(count == 0, check, tally.names(kind), "%s", count == 0 ? good : "%,d %s".formatted(count, bad));
    }
  }

  /** How many there are of each kind, and the first names of them. */
  static final class Tally {
    private final Map<String, Long> counts = new HashMap<>();
    private final Map<String, Set<String>> names = new HashMap<>();

    synchronized void add(String kind, long count) {
      counts.merge(kind, count, Long::sum);
    }

    synchronized void add(String kind, String name) {
      add(kind, 1);
      keep(kind, Set.of(name));
    }

    synchronized void add(Tally other) {
      other.counts.forEach(this::add);
      other.names.forEach(this::keep);
    }

    private void keep(String kind, Set<String> more) {
      var kept = names.computeIfAbsent(kind, key -> new TreeSet<>());
      more.stream().limit(KEPT - kept.size()).forEach(kept::add);
    }

    synchronized long count(String kind) {
      return counts.getOrDefault(kind, 0L);
    }

    synchronized List<String> names(String kind) {
      return List.copyOf(names.getOrDefault(kind, Set.of()));
    }
  }

  // ---------------------------------------------------------------------------------------------------- services, logs

  static final class ServiceOptions {
    @Option(names = "--ignore-log", paramLabel = "REGEX", description = "harmless lines of its log; may be repeated")
    List<Pattern> ignored = List.of();
  }

  record Services(List<Host> hosts, String service, List<Pattern> ignored) {
    private static final int LINES = 200_000;
    private static final Pattern LEVEL = Pattern.compile("(?i)\\[(debug|info|warn|error) *]");

    void services(Found found) {
      each(found, (host, unit) -> {
        var since = unit.since().isEmpty() ? "never" : unit.since();
        found.is(unit.active().equals("active"), "unit", List.of(), "%s: %s %s, since %s, %d restarts",
            host.name(), service, unit, since, unit.restarts());
        var application = Application.on(host, TheHiveSettings.of(Settings.fromEnvironment()));
        var problem = application.problem();
        found.is(problem.isEmpty(), "application", List.of(), "%s",
            problem.orElse(application.status().uri() + " answers"));
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
          found.bad("errors", "%s: cannot read the journal: %s", host.name(), Host.last(journal.err()));
          return;
        }
        var lines = plain(journal).filter(line -> !line.startsWith("-- ")).collect(Collectors.toList());
        if (lines.stream().noneMatch(LEVEL.asPredicate())) {
          lines.addAll(ownLog(host, unit)); // some packages' units drop its output: the journal has at most the JVM's own
        }
        if (lines.isEmpty()) {
          found.skipped("errors", "%s: neither the journal nor %s has a line of %s since its start that can be read", host.name(),
              Application.LOG, service);
        } else {
          var all = new Tally();
          lines.stream().filter(Application.ERROR.asPredicate()).filter(this::isHarmful)
              .forEach(line -> all.add("error", line));
          var read = "in %d lines since the start".formatted(lines.size());
          found.none("errors", all, "error", host.name() + ": none " + read, "on " + host.name() + " " + read);
        }
      });
    }

    private static Stream<String> plain(Host.Output output) {
      return output.out().lines().map(Application::plain);
    }

    /** From its start on: its lines begin with the time, as the unit's does behind the day of the week. */
    private static List<String> ownLog(Host host, Host.Unit unit) {
      var start = unit.since().replaceFirst("^\\w+ ", "");
      return plain(host.run("tail -n %d %s".formatted(LINES, Application.LOG), Duration.ofMinutes(2)))
          .dropWhile(line -> !line.startsWith("20") || line.compareTo(start) < 0).toList();
    }

    private boolean isHarmful(String line) {
      return ignored.stream().noneMatch(pattern -> pattern.matcher(line).find());
    }

    private void each(Found found, BiConsumer<Host, Host.Unit> work) {
      var named = OldSettings.variable("THEHIVE_NODES").isPresent();
      Host.each(hosts, host -> {
        try {
          var unit = host.unit(service);
          if (!named && unit.load().equals("not-found")) {
            throw new Failure(Exit.UNSAFE, "this host has no unit " + service, null);
          }
          work.accept(host, unit);
        } catch (Failure e) {
          if (named || e.code == Exit.USAGE) {
            found.is(false, "unit", Stream.ofNullable(e.hint).toList(), "%s", e.getMessage());
          } else {
            found.skipped("unit", "THEHIVE_NODES is not set, and %s", e.getMessage());
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

    Path work() {
      return work == null ? archives : work;
    }
  }

  /** Whether every row of the backup, and no other, is on each node. */
  record Cassandra(Verify script, String keyspace, CqlSession session) {
    private static final int ATTEMPTS = 3;

    /** The archive alone: every byte of it is read. */
    static void prove(Verify script, Backup backup, Found found) throws IOException {
      CassandraTools.initialise(script.cassandra.work(), config -> {});
      try (var archive = new Archive(backup.file(), script.password)) {
        var contents = CassandraBackup.prove(archive, script.cassandra.keyspace);
        found.ok("archive", "%s, taken %s: %d tables, %s in %d SSTables, complete and matching their digests",
            backup.file(), backup.age(), contents.tables().size(), Console.size(contents.bytes()), contents.sstables());
        script.done.addAndGet(Files.size(backup.file()));
      }
    }

    static void check(Verify script, CassandraConnection connection, Backup backup, Found found) throws Exception {
      var options = script.cassandra;
      CassandraTools.initialise(options.work(), config -> {});
      var tls = Optional.ofNullable(options.ca).map(ca -> new Pem(ca, options.certificate, options.key).tls());
      try (var session = connection.open(SCRIPT + " " + UUID.randomUUID(), options.keyspace, tls);
          var archive = new Archive(backup.file(), script.password)) {
        new Cassandra(script, options.keyspace, session).run(archive, found);
      }
    }

    private void run(Archive archive, Found found) throws Exception {
      var nodes = checkNodes(found);
      var live = session.getMetadata().getKeyspace(CqlIdentifier.fromInternal(keyspace))
          .orElseThrow(() -> new Failure(Exit.VERIFICATION, "there is no keyspace " + keyspace, null));
      checkReplication(live, found);
      var tables = checkTables(CassandraBackup.prove(archive, keyspace), live, found);
      requireSpace(script.cassandra.work(), tables);
      // A folder of this process's own, so that two may verify at once.
      var folder = script.cassandra.work().resolve(".%s.%d.unpacked".formatted(SCRIPT, ProcessHandle.current().pid()));
      try (var unpacked = new UnpackedTables(folder, keyspace); Closeable readers = () -> Table.close(tables)) {
        for (var table : tables) {
          table.open(unpacked.unpack(table.files));
        }
        compareRows(tables, nodes, found);
      }
    }

    /** All must answer, agree on one schema and be neither joining nor leaving; those that answer are returned. */
    private List<Node> checkNodes(Found found) {
      var nodes = session.getMetadata().getNodes().values();
      var up = new ArrayList<Node>();
      var versions = new TreeMap<UUID, List<String>>();
      var problems = moving(found);
      for (var node : nodes.stream().sorted(Comparator.comparing(Cassandra::host)).toList()) {
        try {
          var version = on(node, "SELECT schema_version FROM system.local").one().getUuid("schema_version");
          versions.computeIfAbsent(version, key -> new ArrayList<>()).add(host(node));
          up.add(node);
        } catch (DriverException e) {
          problems.put(host(node), host(node) + " is down, or not reachable from here");
        }
      }
      found.is(problems.isEmpty(), "nodes", List.copyOf(problems.values()),
          problems.isEmpty() ? "%d up and normal" : "%2$d of %1$d not up and normal", nodes.size(), problems.size());
      found.is(versions.size() == 1, "schema", versions.values().stream().map(Object::toString).toList(),
          versions.size() == 1 ? "one version on %2$d nodes" : "%d versions on %d nodes", versions.size(), up.size());
      return up;
    }

    /** By address, which nodes are joining, leaving or on their way to another place in the ring. */
    private Map<String, String> moving(Found found) {
      var moving = new TreeMap<String, String>();
      try {
        for (var row : session.execute("SELECT address, status_with_port FROM system_views.gossip_info")) {
          var status = String.valueOf(row.getString("status_with_port")).split(",")[0];
          if (!Set.of("NORMAL", "LEFT", "removed", "null").contains(status)) {
            var host = row.getInetAddress("address").getHostAddress();
            moving.put(host, host + " is " + status);
          }
        }
      } catch (InvalidQueryException | UnauthorizedException e) {
        found.skipped("gossip", "this Cassandra does not tell which nodes join or leave: look at nodetool status");
      }
      return moving;
    }

    private ResultSet on(Node node, String query, Object... values) {
      return session.execute(SimpleStatement.newInstance(query, values).setNode(node));
    }

    private static String host(Node node) {
      return node.getBroadcastAddress().map(InetSocketAddress::getAddress).map(InetAddress::getHostAddress)
          .orElse(node.getEndPoint().toString());
    }

    private void checkReplication(KeyspaceMetadata live, Found found) {
      var replication = new TreeMap<>(live.getReplication());
      replication.computeIfPresent("class", (key, name) -> name.substring(name.lastIndexOf('.') + 1));
      var nodes = session.getMetadata().getNodes().values().stream().collect(
          Collectors.groupingBy(Node::getDatacenter, TreeMap::new, Collectors.counting()));
      try {
        Replication.require(replication, nodes);
        found.ok("replication", "%s on nodes %s", Replication.text(replication), nodes);
      } catch (Failure e) {
        found.bad("replication", "%s does not fit the nodes %s", Replication.text(replication), nodes);
      }
    }

    /** The backup's tables that are there. */
    private List<Table> checkTables(CassandraBackup contents, KeyspaceMetadata keyspace, Found found) {
      var live = new TreeSet<String>();
      keyspace.getTables().keySet().forEach(name -> live.add(name.asInternal()));
      var wrong = new ArrayList<String>();
      var tables = new ArrayList<Table>();
      for (var table : contents.tables()) {
        if (live.remove(table.name())) {
          var definition = contents.definition().tables().get(table.name());
          var metadata = KeyspaceDefinition.table(definition, this.keyspace, UUID.randomUUID());
          tables.add(new Table(table, metadata, script.quick));
        } else {
          wrong.add(table.name() + " is missing");
        }
      }
      if (script.exact) {
        live.forEach(name -> wrong.add(name + " is not in the backup"));
      }
      found.is(wrong.isEmpty(), "tables", wrong, "%d of the backup are there%s", tables.size(),
          live.isEmpty() ? "" : "; not in the backup: " + String.join(", ", live));
      return tables;
    }

    private static void requireSpace(Path folder, List<Table> tables) throws IOException {
      if (!Files.isDirectory(folder)) {
        throw new Failure(Exit.USAGE, "there is no folder %s to unpack in".formatted(folder), "make it, or name another with --work-path");
      }
      try (var leftovers = Files.newDirectoryStream(folder, "." + SCRIPT + ".*.unpacked")) {
        for (var leftover : leftovers) {
          // Of a killed process. Nothing tells whether a younger one is that of another host, still at work.
          if (Files.getLastModifiedTime(leftover).toInstant().isBefore(Instant.now().minus(Duration.ofDays(1)))) {
            UnpackedTables.delete(leftover);
          }
        }
      }
      var needed = tables.stream().mapToLong(table -> table.files.bytes()).sum() * 11 / 10;
      var free = Files.isWritable(folder) ? Files.getFileStore(folder).getUsableSpace() : 0;
      if (free < needed) {
        throw new Failure(Exit.UNSAFE, "unpacking needs %s in %s, where %s can be written".formatted(
            Console.size(needed), folder, Console.size(free)), "name another folder with --work-path");
      }
    }

    private void compareRows(List<Table> tables, List<Node> nodes, Found found) throws Exception {
      var newest = script.exact ? Long.MAX_VALUE : tables.stream().flatMap(table -> table.sstables.stream())
          .mapToLong(SSTableReader::getMaxTimestamp).max().orElse(Long.MAX_VALUE);
      for (var table : tables) {
        var results = new LinkedHashMap<Node, Tally>();
        for (var node : nodes) {
          results.put(node, compare(table, node, newest, nodes.size()));
        }
        report(table, results, found);
      }
    }

    /**
     * A node asked for one copy may fetch another node's: Cassandra prefers its own, but not while it measures others
     * as faster, and with SimpleSnitch not at all. Its count of reads from its own copy tells; so the nodes are read
     * one after another, some pieces at a time, and pieces that were answered from elsewhere are read again.
     */
    private Tally compare(Table table, Node node, long newest, int nodes) throws Exception {
      var total = new Tally();
      var batches = Lists.partition(pieces(node, table.rows() / 20_000), LANES);
      for (var batch : batches) {
        var result = compare(table, node, batch, newest);
        for (var attempt = 1; attempt < ATTEMPTS && isOwn(total) && !isOwn(result); attempt++) {
          favourOwnCopy(table, node, nodes);
          result = compare(table, node, batch, newest);
        }
        total.add(result);
        script.done.addAndGet(table.files.bytes() / batches.size() / nodes);
      }
      return total;
    }

    private Tally compare(Table table, Node node, List<Range<Token>> pieces, long newest) throws IOException {
      var result = new Tally();
      var before = ownReads(table, node);
      try (var workers = new Workers(LANES)) {
        workers.run(pieces.size(), (lane, i) -> compare(table, node, pieces.get(i), newest, result));
      }
      var own = before < 0 ? 0 : ownReads(table, node) - before;
      result.add("elsewhere", Math.max(0, result.count("page") - own));
      return result;
    }

    private static boolean isOwn(Tally result) {
      return result.count("elsewhere") == 0;
    }

    /** How often a node has read ranges of its own copy of a table; -1 where it does not tell. */
    private long ownReads(Table table, Node node) {
      try {
        var row = on(node, "SELECT count FROM system_views.local_scan_latency"
            + " WHERE keyspace_name = ? AND table_name = ?", keyspace, table.files.name()).one();
        return row == null ? 0 : row.getLong("count");
      } catch (DriverException e) {
        return -1;
      }
    }

    /** Lets a node measure all copies as equally fast: it then prefers its own. It reads from all what is nowhere. */
    private void favourOwnCopy(Table table, Node node, int nodes) throws InterruptedException {
      var keys = table.metadata.partitionKeyColumns();
      if (keys.size() > 1 || keys.get(0).type != BytesType.instance) {
        return;
      }
      var copies = nodes < session.getMetadata().getNodes().size() ? ConsistencyLevel.QUORUM : ConsistencyLevel.ALL;
      var query = "SELECT * FROM %s WHERE %s = 0x".formatted(table.metadata, table.keys());
      var reads = Stream.generate(() -> query + UUID.randomUUID().toString().replace("-", "")).limit(300)
          .map(read -> SimpleStatement.newInstance(read).setNode(node).setConsistencyLevel(copies))
          .map(read -> session.executeAsync(read).toCompletableFuture().exceptionally(thrown -> null)).toList();
      reads.forEach(CompletableFuture::join);
      Thread.sleep(250); // it looks at its measurements ten times a second
    }

    /** What a node has of the ring, joined where it touches, and cut into pieces to be read side by side. */
    private List<Range<Token>> pieces(Node node, long count) {
      var map = session.getMetadata().getTokenMap().orElseThrow();
      var owned = map.getTokenRanges(CqlIdentifier.fromInternal(keyspace), node);
      var joined = Range.normalize(owned.stream().map(range -> range(map, range)).toList());
      var share = (int) Math.max(1, count / Math.max(1, joined.size()));
      return joined.stream()
          .map(range -> map.newTokenRange(map.parse(range.left.toString()), map.parse(range.right.toString())))
          .flatMap(range -> range.splitEvenly(share).stream()).map(range -> range(map, range)).toList();
    }

    private static Range<Token> range(TokenMap map, TokenRange range) {
      var tokens = Murmur3Partitioner.instance.getTokenFactory();
      var start = tokens.fromString(map.format(range.getStart()));
      return new Range<>(start, tokens.fromString(map.format(range.getEnd())));
    }

    /** The backup's rows and one node's beside each other, both in the order of their tokens. */
    private void compare(Table table, Node node, Range<Token> range, long newest, Tally result) {
      // ALL would make Cassandra repair what it finds to differ; nothing is to be written.
      var answer = session.execute(SimpleStatement.newInstance(table.query(range)).setNode(node)
          .setPageSize(table.page()).setConsistencyLevel(ConsistencyLevel.LOCAL_ONE));
      try (var partitions = table.partitions(range)) {
        var stored = table.lines(partitions, script.sampler);
        if (table.counted) {
          count(table, Iterators.size(stored), answer.one().getLong(0), result);
          return;
        }
        var live = Iterators.transform(answer.iterator(), table::line);
        var lines = Iterators.peekingIterator(Iterators.mergeSorted(List.of(stored, live), table.order));
        while (lines.hasNext()) {
          comparePartition(table, lines, newest, result);
        }
        result.add("page", answer.getExecutionInfos().size());
      }
    }

    /** Only numbers; one row lost and another one new look alike to it. */
    private void count(Table table, long stored, long live, Tally result) {
      result.add("page", Math.max(1, live / table.page()));
      result.add("row", stored);
      result.add("missing", Math.max(0, stored - live));
      result.add(script.exact ? "extra" : "newer", Math.max(0, live - stored));
    }

    /** Rows that are gone from a partition that was written to since the backup, may have been deleted since. */
    private static void comparePartition(Table table, PeekingIterator<Line> lines, long newest, Tally result) {
      var partition = lines.peek().key;
      var missing = new Tally();
      var rows = 0;
      var newer = 0;
      while (lines.hasNext() && lines.peek().key.equals(partition)) {
        var one = lines.next();
        var other = lines.hasNext() && table.order.compare(one, lines.peek()) == 0 ? lines.next() : null;
        var stored = one.live ? other : one;
        var live = one.live ? one : other;
        rows += stored == null ? 0 : 1;
        if (other != null && one.values.equals(other.values)) {
          continue;
        }
        if (live != null && live.written() > newest) {
          newer++;
        } else if (stored == null) {
          result.add("extra", table.named(live));
        } else if (!stored.expires()) {
          (live == null ? missing : result).add(live == null ? "missing" : "changed", table.named(stored));
        }
      }
      result.add("row", rows);
      if (newer > 0) {
        result.add("newer", newer + missing.count("missing"));
      } else {
        result.add(missing);
      }
    }

    private void report(Table table, Map<Node, Tally> results, Found found) {
      var elsewhere = new ArrayList<String>();
      var differing = new ArrayList<String>();
      var details = new TreeMap<String, List<String>>();
      results.forEach((node, result) -> {
        if (!isOwn(result)) {
          elsewhere.add(host(node));
        }
        var kinds = Stream.of("missing", "extra", "changed").filter(kind -> result.count(kind) > 0).toList();
        if (!kinds.isEmpty()) {
          differing.add(host(node) + ": " + kinds.stream().map(kind -> result.count(kind) + " " + kind)
              .collect(Collectors.joining(", ")));
        }
        kinds.forEach(kind -> result.names(kind).forEach(name ->
            details.computeIfAbsent(kind + ": " + name, key -> new ArrayList<>()).add(host(node))));
      });
      var lines = details.entrySet().stream().limit(KEPT).map(line -> line.getKey()
          + (line.getValue().size() == results.size() ? "" : " on " + String.join(", ", line.getValue()))).toList();
      var rows = results.values().stream().mapToLong(result -> result.count("row")).max().orElse(0);
      var newer = results.values().stream().mapToLong(result -> result.count("newer")).max().orElse(0);
      found.is(differing.isEmpty(), table.files.name(), lines, "%,d rows%s, asked of %d nodes%s%s%s", rows,
          table.counted ? ", only counted" : "", results.size(), elsewhere.isEmpty() ? ", each for its own copy"
              : ", but %s answered from another's copy (nodetool repair --validate %s compares them)".formatted(
                  String.join(" and ", elsewhere), keyspace),
          newer == 0 ? "" : "; %,d newer writes".formatted(newer),
          differing.isEmpty() ? "" : ": " + String.join("; ", differing));
    }

    /** A row of the backup, or the live one of a node; values are null where there is none. */
    private record Line(boolean live, DecoratedKey key, Clustering<?> clustering, List<Value> values, long end) {
      long written() {
        return values.stream().filter(Objects::nonNull).mapToLong(Value::written).max().orElse(Long.MIN_VALUE);
      }

      /** Whether it may be past its time to live, or may have been when the node was asked for it. */
      boolean expires() {
        return end <= System.currentTimeMillis() / 1000 + 60;
      }
    }

    private record Value(ByteBuffer bytes, long written, boolean expires) {}

    /** A table of the backup, opened where it was unpacked. */
    private static final class Table {
      final CassandraBackup.Table files;
      final TableMetadata metadata;
      /** Not compared value by value: so asked for, or not all values have a write time, as TheHive's have. */
      final boolean counted;
      final List<ColumnMetadata> columns;
      final Comparator<Line> order;
      final List<SSTableReader> sstables = new ArrayList<>();

      Table(CassandraBackup.Table files, TableMetadata metadata, boolean quick) {
        this.files = files;
        this.metadata = metadata;
        this.counted = quick || metadata.regularColumns().isEmpty() || metadata.isCounter()
            || !metadata.staticColumns().isEmpty() || metadata.regularColumns().hasComplex();
        this.columns = counted ? List.of() : Lists.newArrayList(metadata.regularColumns());
        this.order = Comparator.comparing(Line::key).thenComparing(Line::clustering, metadata.comparator);
      }

      void open(Path folder) {
        for (var sstable : files.sstables()) {
          var data = new org.apache.cassandra.io.util.File(folder.resolve(sstable + "-Data.db"));
          var reference = TableMetadataRef.forOfflineTools(metadata);
          sstables.add(SSTableReader.openNoValidation(Descriptor.fromFilename(data), reference));
        }
      }

      /** Files are closed when it returns: what is deleted while it is open stays on NFS under another name. */
      static void close(List<Table> tables) {
        tables.forEach(table -> table.sstables.forEach(sstable -> sstable.selfRef().close()));
        LifecycleTransaction.waitForDeletions(); // a thread of Cassandra's closes and deletes, in this order
      }

      long rows() {
        return sstables.stream().mapToLong(SSTableReader::getTotalRows).sum();
      }

      /** A page of about a megabyte. */
      int page() {
        var size = sstables.stream().mapToLong(SSTableReader::uncompressedLength).sum() / Math.max(1, rows());
        return (int) Math.max(50, Math.min(2000, (1 << 20) / Math.max(1, size)));
      }

      /** The keys, and of each column value, write time and time to live; or how many rows there are. */
      String query(Range<Token> range) {
        var selected = Stream.of(keys(), names(metadata.clusteringColumns(), "%s"),
            names(columns, "%1$s, writetime(%1$s), ttl(%1$s)")).filter(names -> !names.isEmpty());
        return "SELECT %1$s FROM %2$s WHERE token(%3$s) > %4$s AND token(%3$s) <= %5$s".formatted(
            counted ? "count(*)" : selected.collect(Collectors.joining(", ")), metadata, keys(),
            range.left, range.right.isMinimum() ? Long.MAX_VALUE : range.right);
      }

      String keys() {
        return names(metadata.partitionKeyColumns(), "%s");
      }

      private static String names(List<ColumnMetadata> columns, String form) {
        return columns.stream().map(column -> form.formatted(column.name.toCQLString()))
            .collect(Collectors.joining(", "));
      }

      /** The backup's partitions of a range: its SSTables merged, what is deleted in them left out. */
      PartitionIterator partitions(Range<Token> range) {
        var scanners = sstables.stream().map(sstable -> sstable.getScanner(List.of(range))).toList();
        return scanners.isEmpty() ? EmptyIterators.partition() : UnfilteredPartitionIterators.filter(
            UnfilteredPartitionIterators.merge(scanners, UnfilteredPartitionIterators.MergeListener.NOOP),
            (int) (System.currentTimeMillis() / 1000));
      }

      Iterator<Line> lines(PartitionIterator partitions, Sampler sampler) {
        return Iterators.concat(Iterators.transform(partitions, partition -> {
          // Static values without a row are a row to CQL, too.
          Iterator<Row> rows = partition.hasNext() || partition.staticRow().isEmpty() ? partition
              : Iterators.singletonIterator(partition.staticRow());
          return Iterators.transform(rows, row -> {
            sampler.take(files.name(), row);
            return line(partition.partitionKey(), row);
          });
        }));
      }

      private Line line(DecoratedKey key, Row row) {
        var values = new ArrayList<Value>();
        var end = Long.MAX_VALUE;
        for (var column : columns) {
          var cell = row.getCell(column);
          values.add(cell == null ? null : new Value(cell.buffer(), cell.timestamp(), cell.isExpiring()));
          end = cell == null ? end : Math.min(end, cell.localDeletionTime());
        }
        return new Line(false, key, row.clustering(), values, end);
      }

      private Line line(com.datastax.oss.driver.api.core.cql.Row row) {
        var parts = metadata.partitionKeyColumns().size();
        var first = parts + metadata.clusteringColumns().size();
        var key = parts == 1 ? row.getBytesUnsafe(0) : CompositeType.build(ByteBufferAccessor.instance,
            IntStream.range(0, parts).mapToObj(row::getBytesUnsafe).toArray(ByteBuffer[]::new));
        var clustering = IntStream.range(parts, first).mapToObj(row::getBytesUnsafe).toArray(ByteBuffer[]::new);
        var values = new ArrayList<Value>();
        for (var i = first; i < first + 3 * columns.size(); i += 3) {
          values.add(row.isNull(i) ? null : new Value(row.getBytesUnsafe(i), row.getLong(i + 1), !row.isNull(i + 2)));
        }
        return new Line(true, Murmur3Partitioner.instance.decorateKey(key), Clustering.make(clustering), values,
            Long.MAX_VALUE);
      }

      String named(Line line) {
        var text = new StringBuilder("key " + shown(BytesType.instance, line.key.getKey()));
        for (var column : metadata.clusteringColumns()) {
          var value = shown(column.type, line.clustering.bufferAt(column.position()));
          text.append(", ").append(column.name).append(' ').append(value);
        }
        return text.toString();
      }

      private static String shown(AbstractType<?> type, ByteBuffer value) {
        var text = type == BytesType.instance ? "0x" + ByteBufferUtil.bytesToHex(value) : type.getString(value);
        return text.length() > 100 ? text.substring(0, 100) + "…" : text;
      }
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

  /** Whether the index is whole and has as many documents as the snapshot had; the backup may be null. */
  record Elasticsearch(Verify script, Credentials credentials, Backup backup) {
    void run(Found found) throws IOException {
      try (var api = new ElasticsearchApi(script.elasticsearch.urls, script.elasticsearch.ca, credentials)) {
        var index = api.tryGet("/" + INDEX);
        if (index.isEmpty() || !index.get().has(INDEX)) {
          found.bad("index", index.isEmpty() ? "there is no %s" : "%s is an alias, not an index", INDEX);
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
      var nodes = health.path("number_of_data_nodes").asInt();
      var shards = api.get("/_cat/shards/%s?format=json&h=shard,prirep,state,unassigned.reason".formatted(INDEX));
      var open = new ArrayList<String>();
      for (var shard : shards) {
        if (!shard.path("state").asText().matches("STARTED|RELOCATING")) {
          open.add("shard %s (%s) is %s: %s".formatted(shard.path("shard").asText(),
              shard.path("prirep").asText().equals("p") ? "primary" : "replica",
              shard.path("state").asText(), shard.path("unassigned.reason").asText("-")));
        }
      }
      // More copies are wanted than there are nodes: none of these lacks its own, and none has left.
      var few = status.equals("yellow") && replicas >= nodes && open.stream().noneMatch(shard -> shard.endsWith(" NODE_LEFT"))
          && health.path("active_shards").asInt() == health.path("active_primary_shards").asInt() * nodes;
      found.is(status.equals("green") || few, "health", open, "%s is %s, %d data nodes%s, %d of %d shards started",
          INDEX, status, nodes, few ? ", too few for %d replicas".formatted(replicas) : "",
          health.path("active_shards").asInt(), shards.size());
      return !status.equals("red");
    }

    private void checkDocuments(long count, Found found) throws IOException {
      var reports = script.cassandra.archives;
      var report = RunReports.newest(CommonSettings.of(Settings.fromEnvironment()).stateFolder(reports), "restore-cassandra-es", one -> backup != null
          && one.at("/elasticsearch/backup").asText().equals(backup.name())
          && one.at("/elasticsearch/documents").asLong(-1) >= 0);
      if (report.isEmpty()) {
        found.skipped("documents", "%,d; no report of a restore of this backup in %s to compare with", count, reports);
        return;
      }
      var restored = report.get().at("/elasticsearch/documents").asLong();
      var good = count == restored || count > restored && !script.exact;
      found.is(good, "documents", List.of(), "%,d now, %,d as restored from the snapshot%s", count, restored,
          count > restored ? "; %,d newer".formatted(count - restored) : "");
    }
  }

  // ------------------------------------------------------------------------------------------------------- attachments

  /** Where attachments are. */
  interface Store {
    /** Looks at all that is there; what is not in the backup is an extra, with the time of its last change. */
    void list(Attachments backup, BiConsumer<String, Instant> extra, Tally tally) throws Exception;

    /** Adds how a member of the backup is other there; the content is compared where there are bytes. */
    void compare(int i, Member member, Members.Bytes bytes, Tally tally) throws Exception;
  }

  /** A backup of attachments, whose files are compared or proven. */
  record Attachments(Part part, Backup backup, Members members) {
    private static final Pattern HASH = Pattern.compile("(.*/)?[0-9a-f]{64}");

    /** The number of the file of this name, -1 where there is none. */
    int find(String name) {
      var i = members.find(name);
      return i >= 0 && members.all.get(i).kind() != Kind.FOLDER ? i : -1;
    }

    /** @param since what was written later is only counted */
    void compare(Verify script, Store store, Instant since, Found found) throws Exception {
      var tally = new Tally();
      store.list(this, (name, written) ->
          tally.add(written.isAfter(since) ? "newer" : "extra", Members.shown(name)), tally);
      var sample = script.sample;
      var read = sampled(sample);
      each(script.done, (lane, i, bytes) ->
          store.compare(i, members.all.get(i), read.test(i) ? bytes : null, tally));
      if (part == Part.FILES) {
        for (var folder : members.all.stream().filter(member -> member.kind() == Kind.FOLDER).toList()) {
          store.compare(members.find(folder.name()), folder, null, tally);
        }
      }
      var all = "%,d %s, %s%s".formatted(members.files, part == Part.S3 ? "objects" : "files",
          Console.size(members.bytes),
          sample == null ? "" : ", content of %,d compared".formatted(Math.min(sample, members.files)));
      var newer = tally.count("newer") == 0 ? "" : "; %,d newer".formatted(tally.count("newer"));
      found.none("missing", tally, "missing", all + ": none", "of " + all);
      found.none("content", tally, "changed",
          "same sizes, same contents" + (sample == null ? "" : " in the sample"), "differ");
      found.none("extra", tally, "extra", "none" + newer, "are not in the backup");
      if (part == Part.FILES) {
        found.none("owner, mode", tally, "attributes", "as in the backup", "differ");
      }
    }

    /** Those whose content is compared: all, or some by chance. */
    private IntPredicate sampled(Integer size) {
      if (size == null) {
        return i -> true;
      }
      var files = IntStream.range(0, members.all.size()).filter(i -> members.all.get(i).kind() != Kind.FOLDER).boxed()
          .collect(Collectors.toList());
      Collections.shuffle(files);
      return files.stream().limit(size).collect(BitSet::new, BitSet::set, BitSet::or)::get;
    }

    /** Gives every file to the reader, links too, side by side where the archive allows it. */
    private void each(AtomicLong done, Members.Reader reader) throws IOException {
      try (var workers = new Workers(LANES)) {
        members.read(workers, i -> true, (lane, i, bytes) -> {
          reader.read(lane, i, bytes);
          done.addAndGet(members.all.get(i).size());
        });
        workers.run(members.all.size(), (lane, i) -> {
          if (members.all.get(i).kind() == Kind.LINK) {
            reader.read(lane, i, InputStream::nullInputStream);
          }
        });
      }
    }

    /** Every byte is read; where names are SHA-256 sums, as TheHive's are, contents must match them. */
    void prove(AtomicLong done, Found found) throws IOException {
      var tally = new Tally();
      each(done, (lane, i, bytes) -> {
        var name = members.all.get(i).name();
        try (var in = bytes.open()) {
          if (name.endsWith(DigestUtils.sha256Hex(in))) {
            tally.add("matching", 1);
          } else if (HASH.matcher(name).matches() && members.all.get(i).kind() != Kind.LINK) {
            tally.add("different", Members.shown(name));
          }
        } catch (IOException e) {
          throw members.archive.broken("'%s' cannot be read: %s".formatted(Members.shown(name), e.getMessage()), e);
        }
      });
      var matching = tally.count("matching");
      var good = matching == 0 || tally.count("different") == 0; // names that match nowhere are no sums
      found.is(good, "archive", tally.names("different"), "%s, taken %s: %,d files, %s, %s", backup.file(),
          backup.age(), members.files, Console.size(members.bytes),
          !good ? "%,d with a content that is not what their names say".formatted(tally.count("different"))
              : matching == 0 ? "all read" : "all read, %,d match the SHA-256 in their names".formatted(matching));
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

    /** With links followed, as the restore's report has it. */
    Path folder() throws IOException {
      if (!Files.isDirectory(folder)) {
        throw new Failure(Exit.VERIFICATION, "there is no folder " + folder, null);
      }
      return folder.toRealPath();
    }
  }

  /** Attachments in a folder, with owner and mode. */
  record FileStore(Path folder, String given, Map<String, Optional<UserPrincipal>> principals) implements Store {
    FileStore(FileOptions options) throws IOException {
      this(options.folder(), options.owner == null ? "" : options.owner, new ConcurrentHashMap<>());
    }

    @Override
    public void list(Attachments backup, BiConsumer<String, Instant> extra, Tally tally) throws IOException {
      Files.walkFileTree(folder, new SimpleFileVisitor<>() {
        @Override
        public FileVisitResult preVisitDirectory(Path path, BasicFileAttributes is) {
          var own = path.getFileName().toString().matches("\\.restore-files-nfs.*|lost\\+found|[.#]snapshot|\\.snapshots|\\.zfs|#recycle|@eaDir");
          return own && path.getParent().equals(folder) ? FileVisitResult.SKIP_SUBTREE : FileVisitResult.CONTINUE;
        }

        @Override
        public FileVisitResult visitFile(Path path, BasicFileAttributes is) {
          var name = folder.relativize(path).toString();
          if (backup.find(name) < 0) {
            extra.accept(name, is.lastModifiedTime().toInstant());
          }
          return FileVisitResult.CONTINUE;
        }

        @Override
        public FileVisitResult visitFileFailed(Path path, IOException e) {
          if (!(e instanceof NoSuchFileException)) { // removed meanwhile
            tally.add("changed", unreadable("" + path, e));
          }
          return FileVisitResult.CONTINUE;
        }
      });
    }

    private static String unreadable(String name, IOException e) {
      return "%s: cannot be read: %s".formatted(Members.shown(name), Failure.of(e).getMessage());
    }

    /** What cannot be read there is one finding among others; what cannot be read in the archive ends it all. */
    @Override
    public void compare(int i, Member member, Members.Bytes bytes, Tally tally) throws IOException {
      var live = folder.resolve(member.name());
      var name = member.path().length == 0 ? "" + folder : Members.shown(member.name());
      try {
        compare(member, live, name, bytes, tally);
      } catch (NoSuchFileException e) {
        tally.add("missing", name);
      } catch (TaggedIOException | FileSystemException e) {
        tally.add("changed", unreadable(name, e));
      }
    }

    private void compare(Member member, Path live, String name, Members.Bytes bytes, Tally tally) throws IOException {
      var is = Files.readAttributes(live, PosixFileAttributes.class, LinkOption.NOFOLLOW_LINKS);
      if (member.kind() == Kind.LINK) {
        if (!is.isSymbolicLink() || !Files.readSymbolicLink(live).toString().equals(member.more())) {
          tally.add("changed", name + ": is no link to " + Members.shown((String) member.more()));
        }
        return;
      }
      if (member.kind() == Kind.FOLDER && !is.isDirectory()) {
        tally.add("changed", name + ": is no folder");
      } else if (member.kind() != Kind.FOLDER && !is.isRegularFile()) {
        tally.add("changed", name + ": is no file");
      } else if (is.isRegularFile() && is.size() != member.size()) {
        tally.add("changed", "%s: %d bytes instead of %d".formatted(name, is.size(), member.size()));
      } else if (bytes != null) {
        try (var in = new TaggedInputStream(Files.newInputStream(live)); var stored = bytes.open()) {
          if (!IOUtils.contentEquals(stored, in)) {
            tally.add("changed", name + ": another content");
          }
        }
      }
      compareAttributes(member, live, name, is, tally);
    }

    /** As to the restore: root in the backup of a folder that is another's tells nothing. */
    private Owner owner(Member member) throws IOException {
      if (member.owner().uid() != 0 || (int) Files.getAttribute(folder, "unix:uid") == 0) {
        return member.owner();
      }
      var is = Files.readAttributes(folder, PosixFileAttributes.class);
      return new Owner(is.owner().getName(), -1, is.group().getName(), -1);
    }

    /** As the restore sets them: no set-user-ID on files, owners by name, then by number; not what the backup does not tell. */
    private void compareAttributes(Member member, Path live, String name, PosixFileAttributes is, Tally tally) throws IOException {
      var wanted = (given + ":").split(":", -1);
      var owner = owner(member);
      var user = principal(false, wanted[0], owner.user(), owner.uid());
      var group = principal(true, wanted[1], owner.group(), owner.gid());
      var mode = member.mode() & (member.kind() == Kind.FOLDER ? 07777 : 0777);
      // Of the folder itself a backup made as root has its own umask; a restore keeps the mode that the folder had.
      var told = member.mode() >= 0 && !(member.path().length == 0 && member.owner().uid() == 0);
      var has = (int) Files.getAttribute(live, "unix:mode", LinkOption.NOFOLLOW_LINKS) & 07777;
      if (!user.orElse(is.owner()).equals(is.owner()) || !group.orElse(is.group()).equals(is.group())) {
        tally.add("attributes", "%s: %s:%s instead of %s:%s".formatted(name, is.owner(), is.group(),
            user.map(Object::toString).orElse(""), group.map(Object::toString).orElse("")));
      } else if (told && has != mode) {
        tally.add("attributes", "%s: mode %o instead of %o".formatted(name, has, mode));
      }
    }

    private Optional<UserPrincipal> principal(boolean group, String option, String name, long number) {
      return principals.computeIfAbsent(group + name + number, key -> {
        var users = FileSystems.getDefault().getUserPrincipalLookupService();
        for (var known : List.of(option, name, number < 0 ? "" : "" + number)) {
          try {
            return Optional.of(group ? users.lookupPrincipalByGroupName(known) : users.lookupPrincipalByName(known));
          } catch (IOException e) {
            // not known here: the next
          }
        }
        return Optional.empty();
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

    /** Why no server is known; empty where one is. */
    Optional<String> unnamed() {
      try {
        if (endpoint == null) {
          OldLogin.of(null, alias);
        }
        return Optional.empty();
      } catch (Failure e) {
        return Optional.of(e.getMessage());
      }
    }
  }

  /** Attachments in a bucket. */
  static final class S3Store implements Store {
    private final String bucket;
    private final String endpoint;
    private final MinioClient client;
    /** By the numbers of the files in the backup: there may be a million. */
    private String[] etags;
    private long[] sizes;

    S3Store(S3Options options, OldLogin login) {
      var http = new OkHttpClient.Builder().connectTimeout(Duration.ofSeconds(10)).readTimeout(Duration.ofMinutes(2));
      if (options.ca != null) {
        var trust = Tls.trust(options.ca);
        http.sslSocketFactory(Tls.context(trust).getSocketFactory(), trust);
      }
      bucket = options.bucket;
      endpoint = login.endpoint();
      S3Bucket.requireEndpoint(endpoint);
      try {
        client = MinioClient.builder().endpoint(endpoint).region(options.region).httpClient(http.build())
            .credentialsProvider(new StaticProvider(login.access(), login.secret(), login.token())).build();
      } catch (IllegalArgumentException e) {
        throw new Failure(Exit.USAGE, e.getMessage(), "check MINIO_ENDPOINT and MINIO_REGION");
      }
      if (options.virtualHost) {
        client.enableVirtualStyleEndpoint();
      }
    }

    @Override
    public void list(Attachments backup, BiConsumer<String, Instant> extra, Tally tally) {
      etags = new String[backup.members().all.size()];
      sizes = new long[etags.length];
      try {
        for (var result : client.listObjects(ListObjectsArgs.builder().bucket(bucket).recursive(true).build())) {
          var item = result.get();
          var i = backup.find(item.objectName());
          if (i < 0) {
            extra.accept(item.objectName(), item.lastModified().toInstant());
          } else {
            etags[i] = item.etag().replace("\"", "");
            sizes[i] = item.size();
          }
        }
      } catch (MinioException e) {
        throw unreadable(e);
      }
    }

    @Override
    public void compare(int i, Member member, Members.Bytes bytes, Tally tally) throws IOException {
      var name = Members.shown(member.name());
      if (etags[i] == null) {
        tally.add("missing", name);
      } else if (sizes[i] != member.size()) {
        tally.add("changed", "%s: %d bytes instead of %d".formatted(name, sizes[i], member.size()));
      } else if (bytes != null) {
        try {
          if (!same(member.name(), etags[i], bytes)) {
            tally.add("changed", name + ": another content");
          }
        } catch (MinioException e) {
          if (!(Throwables.getRootCause(e) instanceof ErrorResponseException refused) || refused.response().code() == 403) {
            throw unreadable(e);
          }
          tally.add("changed", "%s: cannot be read: %s".formatted(name, refused.getMessage()));
        }
      }
    }

    /** Mostly an ETag is the content's MD5; of what was sent in parts or is encrypted there it is not: that is read. */
    private boolean same(String name, String etag, Members.Bytes bytes) throws IOException, MinioException {
      try (var in = bytes.open()) {
        var sum = DigestUtils.md5Hex(in);
        if (sum.equals(etag)) {
          return true;
        }
        try (var object = client.getObject(GetObjectArgs.builder().bucket(bucket).object(name).build())) {
          return DigestUtils.md5Hex(object).equals(sum);
        }
      }
    }

    private Failure unreadable(MinioException thrown) {
      var cause = Throwables.getRootCause(thrown);
      if (cause instanceof ErrorResponseException refused && refused.response().code() == 403) {
        return new Failure(Exit.AUTHENTICATION, "%s refuses the keys for bucket %s: %s".formatted(
            endpoint, bucket, cause.getMessage()), "check MINIO_ACCESS_KEY and MINIO_SECRET_KEY", thrown);
      }
      return new Failure(Exit.UNREACHABLE, "cannot read bucket %s at %s: %s".formatted(bucket, endpoint, cause.getMessage()),
          "check MINIO_ENDPOINT and MINIO_BUCKET", thrown);
    }
  }

  /**
   * Names of attachments in the graph. JanusGraph stores a text as its ASCII bytes with the last one marked; what lies
   * under one column is one property. So a text of 64 hexadecimal digits may name an attachment, or be a hash that
   * someone observed: the property tells, as nearly all values of one name files and hardly any of the other do.
   */
  static final class Sampler {
    private static final Pattern HASH = Pattern.compile("[0-9a-f]{63}[\u00b0-\u00b9\u00e1-\u00e6]");
    private static final int PROPERTIES = 200;
    private static final int VALUES = 2_000;
    private final SetMultimap<ByteBuffer, String> byProperty = HashMultimap.create();
    boolean hasRead;

    void take(String table, Row row) {
      if (!table.equals("edgestore") || row.clustering().size() != 1) {
        return;
      }
      hasRead = true;
      for (var cell : row.cells()) {
        if (cell.valueSize() >= 64 && cell.valueSize() <= 160) {
          HASH.matcher(StandardCharsets.ISO_8859_1.decode(cell.buffer().duplicate())).results().findFirst()
              .ifPresent(hash -> add(row.clustering().bufferAt(0), hash.group()));
        }
      }
    }

    private synchronized void add(ByteBuffer property, String hash) {
      var room = byProperty.containsKey(property) || byProperty.keySet().size() < PROPERTIES;
      if (room && byProperty.get(property).size() < VALUES) {
        byProperty.put(ByteBufferUtil.clone(property), hash.substring(0, 63) + (char) (hash.charAt(63) & 0x7f));
      }
    }

    void compare(Attachments attachments, Found found) {
      var wanted = Set.copyOf(byProperty.values());
      var stored = new HashSet<String>();
      var hashes = false;
      for (var member : attachments.members().all) {
        var name = member.name().substring(member.name().lastIndexOf('/') + 1);
        hashes |= Attachments.HASH.matcher(name).matches();
        if (wanted.contains(name)) {
          stored.add(name);
        }
      }
      var names = byProperty.asMap().values().stream().filter(values ->
          values.stream().filter(stored::contains).count() * 2 >= values.size()).flatMap(Collection::stream)
          .collect(Collectors.toSet());
      if (!names.isEmpty()) {
        var tally = new Tally();
        names.stream().filter(name -> !stored.contains(name)).forEach(name -> tally.add("missing", name));
        var sampled = "of %,d names sampled from the graph's rows are".formatted(names.size());
        found.none("attachments", tally, "missing", "all %s in the backup of %s".formatted(sampled, attachments.part()),
            "%s not in the backup of %s".formatted(sampled, attachments.part()));
      } else if (wanted.isEmpty() || !hashes) {
        found.skipped("attachments", "no names of attachments were recognised in the graph's rows");
      } else {
        found.bad("attachments", "only %,d of %,d names that the graph's rows hold are in the backup of %s",
            stored.size(), wanted.size(), attachments.part());
      }
    }
  }
}

// ---- Below: copies of lib/*.java, written by ./jbang lib/embed.java. Change those files, not these lines. ----
