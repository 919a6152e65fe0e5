///usr/bin/env jbang "$0" "$@" ; exit $?
//DESCRIPTION Tells whether everything is back after a restore of TheHive, on every node
//JAVA 17+
//DEPS com.google.guava:guava:33.8.0-jre
//DEPS me.tongfei:progressbar:0.10.2
// Of the classes below the marker, written by ./jbang lib/embed.java:
//DEPS ch.qos.logback:logback-core:1.2.13
//DEPS com.fasterxml.jackson.core:jackson-databind:2.23.0
//DEPS com.github.luben:zstd-jni:1.5.7-28 // for .tar.zst, and for SSTables compressed with Zstd
//DEPS com.squareup.okhttp3:okhttp-jvm:5.5.1 // the SDK names okhttp, whose classes are in this one
//DEPS commons-codec:commons-codec:1.23.0
//DEPS commons-io:commons-io:2.22.0
//DEPS dev.failsafe:failsafe:3.3.2
//DEPS info.picocli:picocli:4.7.7
//DEPS io.minio:minio:9.0.4
//DEPS io.netty:netty-all:4.1.137.Final
//DEPS io.netty:netty-handler:4.1.137.Final
//DEPS io.netty:netty-tcnative-boringssl-static:2.0.81.Final
//DEPS net.lingala.zip4j:zip4j:2.11.6
//DEPS org.apache.cassandra:cassandra-all:4.1.10
//DEPS org.apache.cassandra:java-driver-core:4.19.4
//DEPS org.apache.commons:commons-compress:1.28.0
//DEPS org.elasticsearch.client:elasticsearch-rest-client:9.5.6
//DEPS org.xerial.snappy:snappy-java:1.1.10.12
//DEPS org.yaml:snakeyaml:2.7
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
    var age = Duration.between(taken, LocalDateTime.now());
    return age.toDays() > 1 ? age.toDays() + " days ago"
        : age.toHours() > 1 ? age.toHours() + " hours ago" : Math.max(0, age.toMinutes()) + " minutes ago";
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
    var name = match.group("component") + "_" + match.group("stamp");
    return Optional.of(new Backup(file, name, time(match.group("stamp"))));
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
      throw new Failure(Exit.USAGE, "'%s' is no restore point".formatted(wanted),
          "name one like 20261122_12h00m56s, cassandra_20261122_12h00m56s or the path of an archive");
    }
  }
}

/** A keyspace as an archive holds it: its definition and its tables' SSTables, every byte of them read and proven. */
record CassandraBackup(KeyspaceDefinition definition, List<Table> tables, long bytes) {
  private static final Pattern TABLE_FILE =
      Pattern.compile("[^/]+/(?<keyspace>\\w+)/(?<table>\\w+)-[0-9a-f]{32}/(?<file>[^/]+)");
  private static final Pattern CQL = Pattern.compile("[^/]+/create_keyspace_(?<keyspace>\\w+)\\.cql");

  /** A table of the backup and its SSTables. */
  record Table(String name, List<SSTableFiles> sstables, long bytes) {}

  long sstables() {
    return tables.stream().mapToLong(table -> table.sstables().size()).sum();
  }

  static CassandraBackup prove(Archive archive, String keyspace) {
    var all = new LinkedHashMap<String, ArchiveEntry>();
    archive.index(entry -> {
      if (!entry.folder() && all.put(entry.name(), entry) != null) {
        throw archive.broken("it holds '%s' twice".formatted(entry.name()), null);
      }
    });
    var definition = definition(archive, all.values(), keyspace);
    var folders = folders(archive, all.values(), keyspace);
    requireTables(archive, definition, folders);
    var tables = folders.values().stream().map(folder -> new Table(folder.table(), folder.sstables(), folder.bytes())).toList();
    folders.values().forEach(TableFolder::requireManifest);
    prove(tables);
    return new CassandraBackup(definition, tables, tables.stream().mapToLong(Table::bytes).sum());
  }

  private static KeyspaceDefinition definition(Archive archive, Collection<ArchiveEntry> entries, String keyspace) {
    for (var entry : entries) {
      var match = CQL.matcher(entry.name());
      if (match.matches() && match.group("keyspace").equals(keyspace)) {
        return KeyspaceDefinition.parse(TableFolder.text(archive, entry), keyspace);
      }
    }
    var others = entries.stream().map(entry -> CQL.matcher(entry.name())).filter(Matcher::matches)
        .map(match -> match.group("keyspace")).collect(Collectors.joining(", "));
    throw archive.broken("create_keyspace_%s.cql is missing%s".formatted(
        keyspace, others.isEmpty() ? "" : " (it is a backup of keyspace %s: set CASSANDRA_KEYSPACE)".formatted(others)), null);
  }

  private static SortedMap<String, TableFolder> folders(Archive archive, Collection<ArchiveEntry> entries, String keyspace) {
    var folders = new TreeMap<String, TableFolder>();
    for (var entry : entries) {
      var name = TABLE_FILE.matcher(entry.name());
      if (!name.matches() || !name.group("keyspace").equals(keyspace)) {
        continue;
      }
      if (!entry.file()) {
        throw archive.broken("its entry '%s' is not a plain file".formatted(entry.name()), null);
      }
      var folder = folders.computeIfAbsent(name.group("table"), table -> new TableFolder(archive, table, new TreeMap<>()));
      if (folder.files().put(name.group("file"), entry) != null) {
        throw archive.broken("it holds table %s twice".formatted(folder.table()), null);
      }
    }
    return folders;
  }

  private static void requireTables(Archive archive, KeyspaceDefinition definition, SortedMap<String, TableFolder> folders) {
    if (definition.tables().isEmpty()) {
      throw archive.broken("its definition of keyspace %s has no CREATE TABLE".formatted(definition.keyspace()), null);
    }
    for (var table : folders.keySet()) {
      if (!definition.tables().containsKey(table)) {
        throw archive.broken("it has files of table %s, which its definition lacks".formatted(table), null);
      }
    }
    for (var table : definition.tables().keySet()) {
      if (!folders.containsKey(table)) {
        throw archive.broken("the folder of table %s is missing".formatted(table), null);
      }
    }
  }

  private static void prove(List<Table> tables) {
    var workers = Executors.newFixedThreadPool(Runtime.getRuntime().availableProcessors(), Console::daemon);
    try {
      var proofs = new ArrayList<Callable<Void>>();
      tables.forEach(table -> table.sstables().forEach(sstable -> proofs.addAll(SSTableProof.of(sstable))));
      for (Future<Void> proof : proofs.stream().map(workers::submit).toList()) {
        proof.get();
      }
    } catch (InterruptedException | ExecutionException e) {
      throw Failure.of(e);
    } finally {
      workers.shutdownNow();
    }
  }
}

/** The addresses in CASSANDRA_CONNECTION, in any form that cqlsh or the documentation knows, and who logs in. */
record CassandraConnection(List<InetSocketAddress> contactPoints, Optional<String> user, Optional<String> password) {
  private static final String FORMS = "set it to a node's address, such as 10.0.0.5, \"10.0.0.5 9042\" or \"10.0.0.5 -u admin\"";

  static final class Arguments {
    @Parameters(index = "0") String hosts;
    @Parameters(index = "1", arity = "0..1") String portOrUser;
    @Option(names = {"-u", "--username"}) String user;
    @Option(names = {"-p", "--password"}) String password;
  }

  static CassandraConnection of(Settings settings) {
    var connection = parse(settings.optional(CassandraSettings.CONNECTION).orElse(null));
    var user = connection.user().or(() -> settings.optional(CassandraSettings.USER));
    var password = connection.password().or(() -> user.isEmpty() ? settings.secret(CassandraSettings.PASSWORD)
        : settings.secretOrPrompt(CassandraSettings.PASSWORD, "Password of Cassandra's user " + user.get()));
    if (user.isPresent() != password.isPresent()) {
      throw new Failure(Exit.USAGE, user.isPresent() ? "no password for Cassandra's user " + user.get()
          : "CASSANDRA_PASSWORD is set, but CASSANDRA_USER is not", "set CASSANDRA_USER and CASSANDRA_PASSWORD or CASSANDRA_PASSWORD_FILE");
    }
    return new CassandraConnection(connection.contactPoints(), user, password);
  }

  static CassandraConnection parse(String text) {
    if (text == null || text.isBlank()) {
      throw new Failure(Exit.USAGE, "CASSANDRA_CONNECTION is " + (text == null ? "not set" : "blank"), FORMS);
    }
    var arguments = new Arguments();
    try {
      var tokens = Pattern.compile("'([^']*)'|\"([^\"]*)\"|(\\S+)").matcher(text.strip().replaceAll("\\G([^\\s,]+)\\s*,\\s*", "$1,")).results()
          .map(m -> m.group(1) != null ? m.group(1) : m.group(2) != null ? m.group(2) : m.group(3));
      // A password may begin with @, which picocli would take for a file of arguments.
      new CommandLine(arguments).setExpandAtFiles(false).parseArgs(tokens.toArray(String[]::new));
    } catch (CommandLine.ParameterException e) {
      // Not its own message, which would repeat a password.
      throw new Failure(Exit.USAGE, "CASSANDRA_CONNECTION is not understood", FORMS);
    }
    var second = Optional.ofNullable(arguments.portOrUser);
    var port = second.filter(word -> word.matches("\\d{1,5}")).map(Integer::valueOf).orElse(9042);
    var user = second.filter(word -> !word.matches("\\d+")).or(() -> Optional.ofNullable(arguments.user));
    var hosts = Stream.of(arguments.hosts.split(",")).filter(host -> !host.isBlank()).map(host -> address(host, port)).toList();
    return new CassandraConnection(hosts, user, Optional.ofNullable(arguments.password));
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

  /** Opens a session whose nodes can be asked one by one; the client's name is what system_views.clients shows. */
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
      throw new Failure(Exit.UNREACHABLE, "cannot reach Cassandra at %s: %s".formatted(named(), e.getMessage()),
          "check CASSANDRA_CONNECTION");
    }
  }

  private Failure cannotConnect(AllNodesFailedException failed) {
    var errors = failed.getAllErrors().values().stream().flatMap(List::stream).toList();
    if (errors.stream().anyMatch(AuthenticationException.class::isInstance)) {
      return new Failure(Exit.AUTHENTICATION, "Cassandra at %s refuses %s".formatted(named(),
          user.map(name -> "the log-in of " + name).orElse("a connection without log-in")),
          "check CASSANDRA_USER and CASSANDRA_PASSWORD or CASSANDRA_PASSWORD_FILE", failed);
    }
    var reason = Stream.iterate(errors.isEmpty() ? failed : errors.get(0), Objects::nonNull, Throwable::getCause)
        .map(Throwable::getMessage).filter(Objects::nonNull).reduce((outer, inner) -> inner).orElse("no answer");
    return new Failure(Exit.UNREACHABLE, "cannot reach Cassandra at %s: %s".formatted(named(), reason),
        "is it started, is its address right, does it want TLS (CASSANDRA_SSL_CA)?", failed);
  }
}

/**
 * Where Cassandra is, who logs in, and where its backups are.
 *
 * @param role gets the grants on the keyspace
 * @param workFolder where SSTables are unpacked
 * @param client TLS of the client port; empty where it has none
 * @param internode TLS of the port on which nodes talk to each other; empty where no files are named
 */
record CassandraSettings(CassandraConnection connection, String keyspace, List<Path> archives, String role, Path workFolder,
    Optional<Pem> client, Optional<Pem> internode) {
  static final Variable CONNECTION = Variable.optional("CASSANDRA_CONNECTION");
  static final Variable USER = Variable.optional("CASSANDRA_USER");
  static final Variable PASSWORD = Variable.secret("CASSANDRA_PASSWORD");
  static final Variable KEYSPACE = Variable.withDefault("CASSANDRA_KEYSPACE", "thehive");
  static final Variable ARCHIVES = Variable.withDefault("CASSANDRA_GENERAL_ARCHIVE_PATH", "/mnt/backup/cassandra");
  static final Variable ROLE = Variable.withDefault("CASSANDRA_THEHIVE_USER", "thehive");
  static final Variable WORK = Variable.optional("RESTORE_WORK_PATH");
  static final Variable CA = Variable.optional("CASSANDRA_SSL_CA");
  static final Variable CERTIFICATE = Variable.optional("CASSANDRA_SSL_CERT");
  static final Variable KEY = Variable.optional("CASSANDRA_SSL_KEY");
  static final Variable INTERNODE_CA = Variable.optional("CASSANDRA_INTERNODE_CA");
  static final Variable INTERNODE_CERTIFICATE = Variable.optional("CASSANDRA_INTERNODE_CERT");
  static final Variable INTERNODE_KEY = Variable.optional("CASSANDRA_INTERNODE_KEY");
  static final List<Variable> VARIABLES = List.of(CONNECTION, USER, PASSWORD, KEYSPACE, ARCHIVES, ROLE, WORK, CA, CERTIFICATE, KEY,
      INTERNODE_CA, INTERNODE_CERTIFICATE, INTERNODE_KEY);

  /** Reads all of it, also log-in and addresses: for what talks to the cluster. */
  static CassandraSettings of(Settings settings) {
    return read(settings, CassandraConnection.of(settings));
  }

  /** Without log-in and addresses: for what reads the archives alone. */
  static CassandraSettings ofArchives(Settings settings) {
    return read(settings, null);
  }

  private static CassandraSettings read(Settings settings, CassandraConnection connection) {
    var archives = List.of(settings.text(ARCHIVES).split(",")).stream().map(String::strip).map(Path::of).toList();
    var client = new Pem(settings.optionalPath(CA).orElse(null), settings.optionalPath(CERTIFICATE).orElse(null),
        settings.optionalPath(KEY).orElse(null));
    var internode = new Pem(settings.optionalPath(INTERNODE_CA).orElse(client.ca()),
        settings.optionalPath(INTERNODE_CERTIFICATE).orElse(client.certificate()), settings.optionalPath(INTERNODE_KEY).orElse(client.key()));
    return new CassandraSettings(connection, settings.text(KEYSPACE), archives, settings.text(ROLE),
        settings.optionalPath(WORK).orElse(archives.get(0)), Optional.of(client).filter(pem -> pem.ca() != null),
        Optional.of(internode).filter(pem -> pem.ca() != null && pem.certificate() != null && pem.key() != null));
  }
}

/** Cassandra's own classes, as a tool uses them: without a node, and quietly. */
final class CassandraTools {
  private CassandraTools() {}

  /** Cassandra's classes log through logback, which without a configuration prints everything to stdout. */
  static void quietLibraries(boolean verbose) {
    var root = (Logger) LoggerFactory.getLogger(org.slf4j.Logger.ROOT_LOGGER_NAME);
    root.setLevel(verbose ? Level.WARN : Level.OFF);
    root.iteratorForAppenders().forEachRemaining(appender -> {
      appender.stop();
      ((ConsoleAppender<?>) appender).setTarget("System.err");
      appender.start();
    });
  }

  /** Loads just as much of Cassandra as SSTables need; must come before any other use of its classes. */
  static synchronized void initialise(Path work, Consumer<Config> more) {
    if (DatabaseDescriptor.isToolInitialized()) {
      return;
    }
    var config = new Config();
    // Only names: a tool neither makes nor reads these folders.
    System.setProperty("cassandra.storagedir", work.toString());
    config.partitioner = Murmur3Partitioner.class.getName();
    config.endpoint_snitch = "SimpleSnitch";
    config.commitlog_sync = Config.CommitLogSync.periodic;
    config.commitlog_sync_period = new DurationSpec.IntMillisecondsBound("10s");
    more.accept(config);
    Config.setOverrideLoadConfig(() -> config);
    DatabaseDescriptor.toolInitialization();
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

/** Who logs in to Elasticsearch, as a value of the header Authorization. */
record Credentials(Optional<String> header) {
  static Credentials fromEnvironment() {
    var user = OldSettings.variable("ELASTICSEARCH_USER");
    var key = OldSettings.secret("ELASTICSEARCH_API_KEY");
    if (user.isEmpty() || key.isPresent()) {
      return new Credentials(key.map(value -> "ApiKey " + value));
    }
    var password = OldSettings.secretOrPrompt("ELASTICSEARCH_PASSWORD", "Password of Elasticsearch's user " + user.get())
        .orElseThrow(() -> new Failure(Exit.USAGE, "no password for Elasticsearch's user " + user.get(),
            "set ELASTICSEARCH_PASSWORD or ELASTICSEARCH_PASSWORD_FILE"));
    var pair = (user.get() + ":" + password).getBytes(StandardCharsets.UTF_8);
    return new Credentials(Optional.of("Basic " + Base64.getEncoder().encodeToString(pair)));
  }

  @Override
  public String toString() {
    return "Credentials";
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

/** Elasticsearch's REST API (OpenSearch's too), answers as JSON, errors as failures. */
final class ElasticsearchApi implements Closeable {
  /** There is no such thing, or the distribution lacks that part of the API. */
  static final Set<Integer> ABSENT = Set.of(400, 404, 405);
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
        throw new Failure(Exit.USAGE, "ELASTICSEARCH_API_URL holds a log-in", "set ELASTICSEARCH_USER and ELASTICSEARCH_PASSWORD instead");
      }
      return HttpHost.create(url.strip().replaceFirst("/+$", ""));
    } catch (IllegalArgumentException e) {
      throw new Failure(Exit.USAGE, "ELASTICSEARCH_API_URL '%s' is no URL".formatted(url), "such as http://127.0.0.1:9200");
    }
  }

  JsonNode get(String path) throws IOException {
    return call("GET", path, null);
  }

  Optional<JsonNode> tryGet(String path) throws IOException {
    return tryTo("GET", path, null, ABSENT);
  }

  /** Empty where the answer is one of these statuses. */
  Optional<JsonNode> tryTo(String method, String path, Object body, Set<Integer> missing) throws IOException {
    try {
      return Optional.of(request(method, path, body));
    } catch (ResponseException e) {
      if (missing.contains(e.getResponse().getStatusLine().getStatusCode())) {
        return Optional.empty();
      }
      throw failure(method, path, e);
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
      request.setJsonEntity(Json.MAPPER.writeValueAsString(body));
    }
    try {
      return Json.MAPPER.readTree(client.performRequest(request).getEntity().getContent());
    } catch (ResponseException e) {
      throw e;
    } catch (IOException e) {
      throw new Failure(Exit.UNREACHABLE, "cannot reach Elasticsearch at %s: %s".formatted(named, e.getMessage()),
          "is it started, is ELASTICSEARCH_API_URL right?", e);
    }
  }

  private Failure failure(String method, String path, ResponseException thrown) throws IOException {
    var status = thrown.getResponse().getStatusLine().getStatusCode();
    var body = thrown.getResponse().getEntity() == null ? "" : EntityUtils.toString(thrown.getResponse().getEntity());
    var reason = body;
    try {
      reason = Json.MAPPER.readTree(body).path("error").path("reason").asText(body);
    } catch (JsonProcessingException e) {
      // a proxy's answer: shown as it is
    }
    if (status == 401 || status == 403) {
      return new Failure(Exit.AUTHENTICATION, "Elasticsearch at %s refuses %s %s: HTTP %d %s".formatted(named, method, path, status, reason),
          "check ELASTICSEARCH_USER and ELASTICSEARCH_PASSWORD, or ELASTICSEARCH_API_KEY, and what it may do", thrown);
    }
    // Busy, starting or electing a master: as good as not reached.
    var code = Set.of(429, 502, 503, 504).contains(status) ? Exit.UNREACHABLE : status >= 500 ? Exit.UNSAFE : Exit.UNEXPECTED;
    return new Failure(code, "Elasticsearch answers %s %s with HTTP %d: %s".formatted(method, path, status, reason), null, thrown);
  }

  @Override
  public void close() throws IOException {
    client.close();
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
  private static final Pattern NAMED = Pattern.compile("(?<to>([\\w.-]+@)?(?<host>\\w[\\w.-]*|\\[[\\h:]+]))(:(?<port>\\d+))?");
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

/** A keyspace's definition, as DESCRIBE KEYSPACE writes it. */
record KeyspaceDefinition(
    String keyspace, Map<String, String> replication, boolean durable, SortedMap<String, String> tables, List<String> others) {
  private static final Pattern TOKEN =
      Pattern.compile("(?s)'(?:[^']|'')*'|\"(?:[^\"]|\"\")*\"|\\$\\$.*?\\$\\$|--[^\n]*|//[^\n]*|/\\*.*?\\*/|;|.");
  private static final Pattern KEYSPACE = Pattern.compile(
      "(?is)CREATE KEYSPACE (IF NOT EXISTS )?\"?(?<name>\\w+)\"? WITH replication = (?<map>\\{[^}]*})(?<rest>.*)");
  private static final Pattern TABLE = Pattern.compile("(?is)CREATE TABLE (IF NOT EXISTS )?(\"?(?<keyspace>\\w+)\"?\\.)\"?(?<name>\\w+)\"? .*");
  private static final Pattern OPTION = Pattern.compile(
      "(?is)(WITH|AND) ((?<name>\\w+) = ('(?:[^']|'')*'|\\{[^}]*}|[\\w.+-]+)|CLUSTERING ORDER BY \\([^)]*\\)|COMPACT STORAGE)");
  private static final ObjectMapper MAP = JsonMapper.builder().enable(JsonReadFeature.ALLOW_SINGLE_QUOTES).build();

  static KeyspaceDefinition parse(String cql, String keyspace) {
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
        throw new Failure(Exit.BAD_BACKUP, "the definition of keyspace %s has a statement that does not belong there: %s".formatted(
            keyspace, statement.substring(0, Math.min(80, statement.length()))), "look at its create_keyspace_%s.cql".formatted(keyspace));
      }
    }
    if (replication == null) {
      throw new Failure(Exit.BAD_BACKUP, "the definition of keyspace %s has no CREATE KEYSPACE".formatted(keyspace),
          "look at its create_keyspace_%s.cql".formatted(keyspace));
    }
    return new KeyspaceDefinition(keyspace, replication, durable, tables, others);
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
    throw new Failure(Exit.USAGE, "%s is no replication".formatted(map), "such as \"{'class': 'NetworkTopologyStrategy', 'datacenter1': 3}\"");
  }

  /** A table as Cassandra's own parser reads it. */
  static org.apache.cassandra.schema.TableMetadata table(String statement, String keyspace, UUID id) {
    return CreateTableStatement.parse(known(statement, TableAttributes.allKeywords()), keyspace)
        .id(TableId.fromUUID(id)).build();
  }

  /** Without the options that the parser or server at hand does not know (a newer server writes more of them). */
  static String known(String table, Set<String> options) {
    var first = Pattern.compile("(?i) WITH ").matcher(table);
    if (!first.find()) {
      return table;
    }
    var all = OPTION.matcher(table.substring(first.start() + 1)).results().toList();
    var kept = all.stream().filter(option -> option.group(3) == null || options.contains(option.group(3).toLowerCase(Locale.ROOT)))
        .map(option -> option.group(2)).toList();
    if (kept.size() == all.size()) {
      return table;
    }
    return table.substring(0, first.start()) + (kept.isEmpty() ? "" : " WITH " + String.join(" AND ", kept));
  }

  /** True if Cassandra's own parser reads both alike: the order of options and written-out defaults do not count. */
  boolean isEquivalentTo(KeyspaceDefinition other) {
    var id = new UUID(0, 0);
    return replication.equals(other.replication) && durable == other.durable
        && tables.keySet().equals(other.tables.keySet()) && Set.copyOf(others).equals(Set.copyOf(other.others))
        && tables.keySet().stream().allMatch(name -> table(tables.get(name), keyspace, id)
            .equals(table(other.tables.get(name), other.keyspace, id)));
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

/**
 * Builds sessions that tell the server the name of their client, which {@code system_views.clients} shows: so a restore
 * sees another one. The driver has no option for it.
 */
final class NamedSessionBuilder extends CqlSessionBuilder {
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

/**
 * PEM files for TLS.
 *
 * @param ca whom to trust, and nobody else
 * @param certificate shown to the other side; null where there is none
 * @param key of that certificate
 */
record Pem(Path ca, Path certificate, Path key) {
  SSLContext tls() {
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
      throw new Failure(Exit.USAGE, "cannot use the client certificate %s and its key %s: %s".formatted(certificate, key,
          Failure.of(e).getMessage()), "they must be PEM files");
    }
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

/** Whether a replication can be had from the nodes there are. */
final class Replication {
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
      throw new Failure(Exit.UNSAFE, "the backup's replication %s does not fit the nodes there are: %s".formatted(text(replication), nodes),
          "to restore with what fits: --replication \"%s\"".formatted(text(fitting)));
    }
  }

  /** How many copies of each row there are in these data centres together. */
  static int copies(Map<String, String> replication, List<String> dataCentres) {
    return replication.entrySet().stream().filter(e -> e.getKey().equals("replication_factor") || dataCentres.contains(e.getKey()))
        .mapToInt(e -> (int) factor(e.getValue())).sum();
  }

  static long factor(String text) {
    try {
      return Long.parseLong(text);
    } catch (NumberFormatException e) {
      throw new Failure(Exit.USAGE, "replication factor '%s' is not supported".formatted(text), "name a plain one with --replication");
    }
  }

  static String text(Map<String, String> replication) {
    return replication.entrySet().stream().map(e -> "'%s': '%s'".formatted(e.getKey(), e.getValue())).collect(Collectors.joining(", ", "{", "}"));
  }
}

/** The reports that the restore scripts left beside the archives, or in RESTORE_STATE_PATH. */
final class RunReports {
  private RunReports() {}

  /** The newest report of a script that fits. */
  static Optional<JsonNode> newest(Path folder, String script, Predicate<JsonNode> fits) throws IOException {
    var byName = new TreeMap<String, JsonNode>();
    try (var files = Files.newDirectoryStream(folder, script + "_*.json")) {
      for (var file : files) {
        byName.put(file.toString(), Json.MAPPER.readTree(file.toFile()));
      }
    } catch (NoSuchFileException e) {
      return Optional.empty();
    }
    return byName.descendingMap().values().stream().filter(fits).findFirst();
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
 * The files of one SSTable in an archive.
 *
 * @param name the common beginning of their names, such as {@code nb-12-big}
 * @param components the files by the rest of their names, such as {@code Data.db}
 */
record SSTableFiles(Archive archive, String table, String name, SortedMap<String, ArchiveEntry> components) {
  static final String DATA = "Data.db";
  static final String INDEX = "Index.db";
  static final String FILTER = "Filter.db";
  static final String STATISTICS = "Statistics.db";
  static final String COMPRESSION = "CompressionInfo.db";
  static final String CHECKSUMS = "CRC.db";
  static final String DIGEST = "Digest.crc32";
  static final String SUMMARY = "Summary.db";
  static final String CONTENTS = "TOC.txt";

  boolean has(String component) {
    return components.containsKey(component);
  }

  /** The format in which it is written; refused if only a newer Cassandra reads it. */
  Version version() {
    var version = SSTableFormat.Type.BIG.info.getVersion(name.substring(0, 2));
    if (!name.endsWith("-big") || !version.isCompatible()) {
      throw archive.broken("SSTable %s of table %s has a format that this Cassandra release cannot read".formatted(name, table), null);
    }
    return version;
  }

  ArchiveEntry require(String component) {
    if (!has(component)) {
      throw archive.broken("%s-%s of table %s is missing".formatted(name, component, table), null);
    }
    return components.get(component);
  }

  InputStream open(String component) throws IOException {
    return archive.open(require(component));
  }

  String text(String component) {
    try (var in = open(component)) {
      return new String(in.readAllBytes(), StandardCharsets.UTF_8);
    } catch (IOException e) {
      throw damaged(component, e);
    }
  }

  Failure damaged(String component, Throwable cause) {
    return refused(component, "is damaged: " + cause.getMessage(), cause);
  }

  /** @param why completes a sentence that begins with the component's name */
  Failure refused(String component, String why, Throwable cause) {
    return archive.broken("%s-%s of table %s %s".formatted(name, component, table, why), cause);
  }
}

/** Reads every byte of one SSTable in an archive and proves that its components are whole and agree. */
record SSTableProof(SSTableFiles files, Version version) {
  /** The proofs, which may run side by side. */
  static List<Callable<Void>> of(SSTableFiles files) {
    var proof = new SSTableProof(files, files.version());
    files.text(SSTableFiles.CONTENTS).lines().filter(line -> !line.isBlank()).forEach(name -> files.require(name.strip()));
    var proofs = new ArrayList<>(List.<Callable<Void>>of(proof::proveIndex, proof::proveStatistics));
    if (files.has(SSTableFiles.COMPRESSION)) {
      proofs.add(proof::proveChunks);
    }
    files.components().keySet().stream()
        .filter(component -> !component.equals(SSTableFiles.DATA) || !files.has(SSTableFiles.COMPRESSION))
        .forEach(component -> proofs.add(() -> proof.proveBytes(component)));
    return proofs;
  }

  /**
   * Only the data have a digest. The index is proven by what it must agree with: every key is in the filter (one that is
   * not would be invisible), keys come in the order of their tokens, positions rise.
   */
  private Void proveIndex() {
    try (var index = new PushbackInputStream(new BufferedInputStream(files.open(SSTableFiles.INDEX), 1 << 16));
        var filter = !files.has(SSTableFiles.FILTER) ? FilterFactory.AlwaysPresent : BloomFilterSerializer.deserialize(
            new DataInputStream(new BufferedInputStream(files.open(SSTableFiles.FILTER))), version.hasOldBfFormat())) {
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
      throw files.damaged(SSTableFiles.INDEX, e);
    }
  }

  /** Statistics carry checksums of their own, which Cassandra's own reader compares. */
  private Void proveStatistics() {
    var name = files.name() + "-" + SSTableFiles.STATISTICS;
    try (var in = files.open(SSTableFiles.STATISTICS)) {
      var descriptor = Descriptor.fromFilename(new org.apache.cassandra.io.util.File(Path.of("/", "keyspace", files.table(), name)));
      new MetadataSerializer().deserialize(descriptor, new FileSegmentInputStream(ByteBuffer.wrap(in.readAllBytes()), name, 0),
          EnumSet.allOf(MetadataType.class));
      return null;
    } catch (IOException | RuntimeException e) {
      throw files.damaged(SSTableFiles.STATISTICS, e);
    }
  }

  /** Compressed data carry a checksum behind each chunk: it proves every offset that says where one begins. */
  private Void proveChunks() {
    var entry = files.require(SSTableFiles.DATA);
    try (var info = new DataInputStream(new BufferedInputStream(files.open(SSTableFiles.COMPRESSION)));
        var all = new CheckedInputStream(new BufferedInputStream(files.open(SSTableFiles.DATA), 1 << 18), new CRC32())) {
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
      requireDigest(all.getChecksum());
      return null;
    } catch (IOException e) {
      throw files.refused(SSTableFiles.DATA, "does not match its digest: " + e.getMessage(), e);
    }
  }

  private Void proveBytes(String component) {
    var entry = files.require(component);
    try (var in = new CheckedInputStream(files.archive().open(entry), new CRC32())) {
      if (IOUtils.consume(in) != entry.size()) {
        throw new EOFException("it is cut short");
      }
      if (component.equals(SSTableFiles.DATA)) {
        requireDigest(in.getChecksum());
      }
      return null;
    } catch (IOException e) {
      throw files.damaged(component, e);
    }
  }

  private void requireDigest(Checksum crc) {
    if (files.has(SSTableFiles.DIGEST) && !files.text(SSTableFiles.DIGEST).strip().equals(Long.toString(crc.getValue()))) {
      throw files.refused(SSTableFiles.DATA, "does not match its digest", null);
    }
  }
}

/** The settings of one run: the environment variables of the documented procedure, and their defaults. */
final class Settings {
  private static final String BYTE_ORDER_MARK = "\uFEFF";
  private final Map<String, String> environment;

  Settings(Map<String, String> environment) {
    this.environment = environment;
  }

  static Settings fromEnvironment() {
    return new Settings(System.getenv());
  }

  boolean isSet(Variable variable) {
    return environment.containsKey(variable.name()) || variable.secret() && environment.containsKey(variable.name() + "_FILE");
  }

  /** The variable's value, or its default; empty where there is neither. */
  Optional<String> optional(Variable variable) {
    var value = environment.get(variable.name());
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
    return file.isEmpty() ? value : Optional.of(read(variable.name() + "_FILE", file.get()));
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

  /** Lines for the help: each variable that has a value, with the value and where it comes from, then the others. */
  List<String> describe(List<Variable> variables) {
    var lines = new ArrayList<String>();
    for (var variable : variables) {
      if (isSet(variable)) {
        lines.add("  %-36s %s".formatted(variable.name(), variable.secret() ? "set (not shown)" : environment.get(variable.name()) + " (set)"));
      } else if (!variable.fallback().isEmpty()) {
        lines.add("  %-36s %s (default)".formatted(variable.name(), variable.fallback()));
      }
    }
    var unset = variables.stream().filter(variable -> !isSet(variable) && variable.fallback().isEmpty()).toList();
    if (!unset.isEmpty()) {
      lines.add("  Not set: " + unset.stream().map(variable -> variable.name() + (variable.secret() ? "[_FILE]" : ""))
          .collect(Collectors.joining(", ")));
    }
    return lines;
  }
}

/**
 * An object as the bucket's listing shows it.
 *
 * @param modified null where the server does not tell
 */
record StoredObject(String key, long size, ETag etag, Instant modified) {}

/** One table's folder in an archive: the files of a node's snapshot by name. */
record TableFolder(Archive archive, String table, SortedMap<String, ArchiveEntry> files) {
  private static final Pattern COMPONENT =
      Pattern.compile("(?<sstable>[a-z]{2}-[^-]+-[a-z]+)-(?<component>[A-Za-z_0-9+]+\\.\\w+)");

  long bytes() {
    return files.values().stream().mapToLong(ArchiveEntry::size).sum();
  }

  /** The SSTables whose components are here. */
  List<SSTableFiles> sstables() {
    var sstables = new TreeMap<String, SSTableFiles>();
    files.forEach((name, entry) -> {
      var component = COMPONENT.matcher(name);
      if (component.matches()) {
        sstables.computeIfAbsent(component.group("sstable"), sstable -> new SSTableFiles(archive, table, sstable, new TreeMap<>()))
            .components().put(component.group("component"), entry);
      }
    });
    return List.copyOf(sstables.values());
  }

  /** Throws if a file that the snapshot's manifest names is missing. */
  void requireManifest() {
    var manifest = text("manifest.json")
        .orElseThrow(() -> archive.broken("manifest.json of table %s is missing".formatted(table), null));
    try {
      for (var file : Json.MAPPER.readTree(manifest).path("files")) {
        if (!file.asText().contains("/") && !files.containsKey(file.asText())) {
          throw archive.broken("%s of table %s is missing".formatted(file.asText(), table), null);
        }
      }
    } catch (IOException e) {
      throw archive.broken("manifest.json of table %s is not readable".formatted(table), e);
    }
  }

  /** The whole text of a file, if there is one of that name. */
  Optional<String> text(String name) {
    return Optional.ofNullable(files.get(name)).map(entry -> text(archive, entry));
  }

  static String text(Archive archive, ArchiveEntry entry) {
    try (var in = archive.open(entry)) {
      return new String(in.readAllBytes(), StandardCharsets.UTF_8);
    } catch (IOException e) {
      throw archive.broken("%s cannot be read: %s".formatted(entry.name(), e.getMessage()), e);
    }
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

/** Unpacks tables of a backup below a folder of its own, which is removed by {@code close()} and after Ctrl-C. */
final class UnpackedTables implements Closeable {
  private final Path root;
  private final String keyspace;
  private final Thread onExit = new Thread(this::remove);
  private volatile boolean closed;

  UnpackedTables(Path root, String keyspace) throws IOException {
    this.root = root;
    this.keyspace = keyspace;
    delete(root);
    Runtime.getRuntime().addShutdownHook(onExit);
    Files.createDirectories(root, PosixFilePermissions.asFileAttribute(PosixFilePermissions.fromString("rwx------")));
  }

  /**
   * Writes a table's SSTables into a folder of its own; SSTables are numbered anew, so those of several nodes do not
   * collide. The loader takes keyspace and table from the names of the last two folders.
   */
  Path unpack(CassandraBackup.Table table) throws IOException {
    var folder = Files.createDirectories(root.resolve(keyspace).resolve(table.name()));
    var number = 0;
    for (var sstable : table.sstables()) {
      var prefix = "%s-%d-big-".formatted(sstable.name().substring(0, 2), ++number);
      for (var component : sstable.components().entrySet()) {
        if (closed) {
          throw new IOException("interrupted");
        }
        // A summary has no digest. Cassandra makes it again from the index, which is proven.
        if (!component.getKey().equals(SSTableFiles.SUMMARY)) {
          sstable.archive().copy(component.getValue(), folder.resolve(prefix + component.getKey()));
        }
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

  /** Removes the folder. A running unpack stops after its current file. */
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
