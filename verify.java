///usr/bin/env jbang "$0" "$@" ; exit $?
//DESCRIPTION Tells whether everything is back after a restore of TheHive, on every node
//JAVA 17+
//DEPS ch.qos.logback:logback-core:1.2.13
//DEPS com.fasterxml.jackson.core:jackson-databind:2.23.0
//DEPS com.fasterxml.jackson.dataformat:jackson-dataformat-smile:2.23.0 // in which Elasticsearch writes a snapshot's files
//DEPS com.github.luben:zstd-jni:1.5.7-28 // for .tar.zst, and for SSTables compressed with Zstd
//DEPS com.google.guava:guava:33.8.0-jre
//DEPS com.j2html:j2html:1.6.0 // writes HTML and escapes what stands in it
//DEPS com.squareup.okhttp3:okhttp-jvm:5.5.1 // the SDK names okhttp, whose classes are in this one
//DEPS com.typesafe:config:1.4.3 // HOCON with includes and substitutions, as TheHive itself reads it
//DEPS commons-codec:commons-codec:1.23.0
//DEPS commons-io:commons-io:2.22.0
//DEPS dev.failsafe:failsafe:3.3.2
//DEPS info.picocli:picocli:4.7.7
//DEPS io.minio:minio:9.0.4
//DEPS io.netty:netty-all:4.1.137.Final
//DEPS io.netty:netty-handler:4.1.137.Final
//DEPS io.netty:netty-tcnative-boringssl-static:2.0.81.Final
//DEPS io.prometheus:prometheus-metrics-exposition-textformats:1.8.0 // names, HELP, TYPE and escaping of a .prom file
//DEPS io.prometheus:prometheus-metrics-model:1.8.0
//DEPS net.lingala.zip4j:zip4j:2.11.6
//DEPS org.apache.cassandra:cassandra-all:4.1.10
//DEPS org.apache.cassandra:java-driver-core:4.19.4
//DEPS org.apache.commons:commons-compress:1.28.0
//DEPS org.elasticsearch.client:elasticsearch-rest-client:9.5.6
//DEPS org.tukaani:xz:1.12 // for .tar.xz
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
import com.datastax.oss.driver.api.core.DriverTimeoutException;
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
import com.fasterxml.jackson.databind.cfg.JsonNodeFeature;
import com.fasterxml.jackson.databind.json.JsonMapper;
import com.fasterxml.jackson.databind.module.SimpleModule;
import com.fasterxml.jackson.databind.node.IntNode;
import com.fasterxml.jackson.databind.node.MissingNode;
import com.fasterxml.jackson.databind.ser.std.ToStringSerializer;
import com.fasterxml.jackson.dataformat.smile.databind.SmileMapper;
import com.google.common.collect.HashMultimap;
import com.google.common.collect.Iterators;
import com.google.common.collect.Lists;
import com.google.common.collect.PeekingIterator;
import com.google.common.collect.SetMultimap;
import com.typesafe.config.ConfigException;
import com.typesafe.config.ConfigFactory;
import com.typesafe.config.ConfigResolveOptions;
import com.typesafe.config.ConfigValueType;
import dev.failsafe.Failsafe;
import dev.failsafe.RetryPolicy;
import dev.failsafe.function.CheckedPredicate;
import io.minio.BucketExistsArgs;
import io.minio.GetBucketVersioningArgs;
import io.minio.GetObjectArgs;
import io.minio.GetObjectLockConfigurationArgs;
import io.minio.ListObjectsV2Args;
import io.minio.MakeBucketArgs;
import io.minio.MinioAsyncClient;
import io.minio.credentials.StaticProvider;
import io.minio.errors.ErrorResponseException;
import io.minio.errors.InvalidResponseException;
import io.minio.errors.ServerException;
import io.minio.errors.XmlParserException;
import io.minio.messages.ErrorResponse;
import io.minio.messages.VersioningConfiguration;
import io.prometheus.metrics.expositionformats.PrometheusTextFormatWriter;
import io.prometheus.metrics.model.snapshots.GaugeSnapshot;
import io.prometheus.metrics.model.snapshots.Labels;
import io.prometheus.metrics.model.snapshots.MetricSnapshot;
import io.prometheus.metrics.model.snapshots.MetricSnapshots;
import j2html.tags.DomContent;
import j2html.tags.specialized.SectionTag;
import j2html.tags.specialized.UlTag;
import java.io.BufferedInputStream;
import java.io.ByteArrayInputStream;
import java.io.ByteArrayOutputStream;
import java.io.Closeable;
import java.io.DataInputStream;
import java.io.EOFException;
import java.io.File;
import java.io.FileNotFoundException;
import java.io.IOError;
import java.io.IOException;
import java.io.InputStream;
import java.io.UncheckedIOException;
import java.math.BigDecimal;
import java.math.RoundingMode;
import java.net.ConnectException;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.net.NoRouteToHostException;
import java.net.Socket;
import java.net.SocketTimeoutException;
import java.net.URI;
import java.net.URLEncoder;
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
import java.nio.file.attribute.PosixFileAttributes;
import java.nio.file.attribute.PosixFilePermissions;
import java.nio.file.attribute.UserPrincipal;
import java.nio.file.attribute.UserPrincipalLookupService;
import java.security.GeneralSecurityException;
import java.security.Key;
import java.security.KeyStore;
import java.security.KeyStoreException;
import java.security.PrivateKey;
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
import java.util.EnumMap;
import java.util.EnumSet;
import java.util.HashMap;
import java.util.HashSet;
import java.util.HexFormat;
import java.util.Iterator;
import java.util.LinkedHashMap;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.NavigableMap;
import java.util.Objects;
import java.util.Optional;
import java.util.OptionalDouble;
import java.util.Set;
import java.util.SortedMap;
import java.util.SortedSet;
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
import java.util.function.DoubleConsumer;
import java.util.function.Function;
import java.util.function.IntPredicate;
import java.util.function.LongConsumer;
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
import java.util.zip.Inflater;
import java.util.zip.InflaterInputStream;
import javax.net.ssl.KeyManager;
import javax.net.ssl.KeyManagerFactory;
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
import org.apache.cassandra.config.Config;
import org.apache.cassandra.config.DatabaseDescriptor;
import org.apache.cassandra.config.DurationSpec;
import org.apache.cassandra.cql3.CQLFragmentParser;
import org.apache.cassandra.cql3.ColumnIdentifier;
import org.apache.cassandra.cql3.CqlParser;
import org.apache.cassandra.cql3.statements.schema.TableAttributes;
import org.apache.cassandra.db.Clustering;
import org.apache.cassandra.db.ClusteringPrefix;
import org.apache.cassandra.db.DecoratedKey;
import org.apache.cassandra.db.DeletionTime;
import org.apache.cassandra.db.EmptyIterators;
import org.apache.cassandra.db.SerializationHeader;
import org.apache.cassandra.db.context.CounterContext;
import org.apache.cassandra.db.lifecycle.LifecycleTransaction;
import org.apache.cassandra.db.marshal.AbstractType;
import org.apache.cassandra.db.marshal.ByteBufferAccessor;
import org.apache.cassandra.db.marshal.BytesType;
import org.apache.cassandra.db.marshal.CollectionType;
import org.apache.cassandra.db.marshal.CompositeType;
import org.apache.cassandra.db.marshal.UserType;
import org.apache.cassandra.db.partitions.PartitionIterator;
import org.apache.cassandra.db.partitions.UnfilteredPartitionIterators;
import org.apache.cassandra.db.rows.Cell;
import org.apache.cassandra.db.rows.ComplexColumnData;
import org.apache.cassandra.db.rows.DeserializationHelper;
import org.apache.cassandra.db.rows.RangeTombstoneMarker;
import org.apache.cassandra.db.rows.Row;
import org.apache.cassandra.db.rows.Unfiltered;
import org.apache.cassandra.dht.Murmur3Partitioner;
import org.apache.cassandra.dht.Range;
import org.apache.cassandra.dht.Token;
import org.apache.cassandra.exceptions.ConfigurationException;
import org.apache.cassandra.exceptions.UnknownColumnException;
import org.apache.cassandra.io.compress.ICompressor;
import org.apache.cassandra.io.sstable.Descriptor;
import org.apache.cassandra.io.sstable.IndexInfo;
import org.apache.cassandra.io.sstable.SSTableSimpleIterator;
import org.apache.cassandra.io.sstable.format.SSTableFormat;
import org.apache.cassandra.io.sstable.format.SSTableReader;
import org.apache.cassandra.io.sstable.format.Version;
import org.apache.cassandra.io.sstable.metadata.MetadataSerializer;
import org.apache.cassandra.io.sstable.metadata.MetadataType;
import org.apache.cassandra.io.sstable.metadata.StatsMetadata;
import org.apache.cassandra.io.sstable.metadata.ValidationMetadata;
import org.apache.cassandra.io.util.FileSegmentInputStream;
import org.apache.cassandra.io.util.RebufferingInputStream;
import org.apache.cassandra.schema.ColumnMetadata;
import org.apache.cassandra.schema.CompressionParams;
import org.apache.cassandra.schema.DroppedColumn;
import org.apache.cassandra.schema.TableId;
import org.apache.cassandra.schema.TableMetadata;
import org.apache.cassandra.schema.TableMetadataRef;
import org.apache.cassandra.schema.Types;
import org.apache.cassandra.security.PEMReader;
import org.apache.cassandra.transport.ProtocolVersion;
import org.apache.cassandra.utils.BloomFilterSerializer;
import org.apache.cassandra.utils.ByteBufferUtil;
import org.apache.cassandra.utils.FilterFactory;
import org.apache.cassandra.utils.IFilter;
import org.apache.commons.codec.digest.DigestUtils;
import org.apache.commons.compress.compressors.bzip2.BZip2CompressorInputStream;
import org.apache.commons.compress.compressors.gzip.GzipCompressorInputStream;
import org.apache.commons.compress.compressors.xz.XZCompressorInputStream;
import org.apache.commons.compress.compressors.zstandard.ZstdCompressorInputStream;
import org.apache.commons.io.IOUtils;
import org.apache.commons.io.TaggedIOException;
import org.apache.commons.io.function.IOSupplier;
import org.apache.commons.io.input.BoundedInputStream;
import org.apache.commons.io.input.BufferedFileChannelInputStream;
import org.apache.commons.io.input.TaggedInputStream;
import org.apache.http.ConnectionClosedException;
import org.apache.http.Header;
import org.apache.http.HttpException;
import org.apache.http.HttpHost;
import org.apache.http.message.BasicHeader;
import org.apache.http.util.EntityUtils;
import org.elasticsearch.client.Request;
import org.elasticsearch.client.ResponseException;
import org.elasticsearch.client.RestClient;
import org.slf4j.LoggerFactory;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Option;
import picocli.CommandLine.ParameterException;
import picocli.CommandLine.Parameters;
import picocli.CommandLine.ScopeType;
import picocli.CommandLine.UnmatchedArgumentException;
import picocli.CommandLine;
import static j2html.TagCreator.body;
import static j2html.TagCreator.div;
import static j2html.TagCreator.document;
import static j2html.TagCreator.each;
import static j2html.TagCreator.footer;
import static j2html.TagCreator.h1;
import static j2html.TagCreator.h2;
import static j2html.TagCreator.head;
import static j2html.TagCreator.html;
import static j2html.TagCreator.iff;
import static j2html.TagCreator.li;
import static j2html.TagCreator.meta;
import static j2html.TagCreator.p;
import static j2html.TagCreator.rawHtml;
import static j2html.TagCreator.section;
import static j2html.TagCreator.span;
import static j2html.TagCreator.style;
import static j2html.TagCreator.table;
import static j2html.TagCreator.tbody;
import static j2html.TagCreator.td;
import static j2html.TagCreator.th;
import static j2html.TagCreator.thead;
import static j2html.TagCreator.title;
import static j2html.TagCreator.tr;
import static j2html.TagCreator.ul;

/**
 * Answers "is everything back, on every node?" after a restore: services and logs, every row, every attachment, and
 * whether the parts belong together. Changes nothing of TheHive's: to compare documents it restores the snapshot's
 * indices under other names for that time. With {@code archives} it proves the backups alone, before a restore.
 *
 * <pre>CASSANDRA_CONNECTION=10.0.0.5 ./jbang verify.java --skip s3</pre>
 */
@Command(
    name = "verify.java",
    description = "Tells whether everything is back after a restore. Changes nothing live.",
    version = Release.VERSION,
    mixinStandardHelpOptions = true,
    sortOptions = false,
    abbreviateSynopsis = true,
    synopsisHeading = "Usage: ./jbang ",
    footer = {"Example: ./jbang verify.java archives",
        "Exit codes: 0 as in the backup, 1 unexpected, 2 usage, 10 backup,%n11 unreachable, 12 rights, 13 not safe, 15 differs, 130 interrupted"})
class Verify implements Callable<Integer> {
  private static final String SCRIPT = "verify";
  private static final int READS_AT_ONCE = 8;
  /** What is looked at instead of the live system. */
  enum Mode {
    POINTS, ARCHIVES, SETTINGS;

    @Override
    public String toString() {
      return name().toLowerCase(Locale.ROOT);
    }
  }

  enum Part {
    SERVICES, LOGS, CASSANDRA, ELASTICSEARCH, FILES, S3, TOGETHER;

    @Override
    public String toString() {
      return name().toLowerCase(Locale.ROOT);
    }
  }

  @Parameters(arity = "0..1", paramLabel = "COMMAND",
      description = "points: list; archives: prove; settings: what counts")
  Mode mode;

  @Option(names = "--backup", paramLabel = "POINT",
      description = "timestamp, name, path (the last restored, or newest)")
  String wanted;

  @Option(names = "--max-gap", paramLabel = "DURATION", defaultValue = "PT15M",
      description = "longest time between the backups (${DEFAULT-VALUE})")
  Duration maxGap;

  @Option(names = "--only", paramLabel = "PART,...", hideParamSyntax = true, split = ",",
      description = "only these: ${COMPLETION-CANDIDATES}")
  Set<Part> only = EnumSet.allOf(Part.class);

  @Option(names = "--skip", paramLabel = "PART,...", hideParamSyntax = true, split = ",", description = "all but these")
  Set<Part> skip = EnumSet.noneOf(Part.class);

  @Option(names = "--exact", description = "later writes are errors, too")
  boolean exact;

  @Option(names = "--quick", description = "only count rows and documents")
  boolean quick;

  @Option(names = "--sample", paramLabel = "N", description = "compare N attachments, and the sizes of all")
  Optional<Integer> sample = Optional.empty();

  @Option(names = "--ignore-log", paramLabel = "REGEX",
      description = "harmless lines of TheHive's log; may be repeated")
  List<Pattern> ignored = List.of();

  @Mixin EvidenceFiles files = new EvidenceFiles();

  @Mixin Console console = new Console();

  private final Instant started = Instant.now();
  private final Set<String> warned = new HashSet<>();
  private boolean printed;

  private interface Check {
    void run(Findings findings) throws Exception;
  }

  /**
   * The settings of each part, read once; those of a server only where it is asked. {@code unnamed} says why one is
   * not.
   */
  private record PartSettings(CommonSettings common, TheHiveSettings theHive, CassandraSettings cassandra,
      ElasticsearchSettings elasticsearch, FolderSettings folder, S3Settings s3, Map<Part, String> unnamed,
      Set<Part> named) {
  }

  /**
   * The backups that are compared, why a part has none, and what the newest restore of a part took.
   *
   * @param ofNodes Cassandra's, one or more: archives of several nodes are compared together
   */
  private record Backups(Map<Part, Backup> chosen, List<Backup> ofNodes, Map<Part, Failure> missing,
      Map<Part, RestoredBackup> restored) {
    /** The files to read, by part; a marker of Elasticsearch holds nothing. */
    Map<String, List<Path>> archives() {
      var archives = new TreeMap<String, List<Path>>();
      chosen.keySet().stream().filter(part -> part != Part.ELASTICSEARCH).forEach(part -> archives.put("" + part,
          part == Part.CASSANDRA ? ofNodes.stream().map(Backup::file).toList() : List.of(chosen.get(part).file())));
      return archives;
    }

    /** The restore of the backup that is compared. */
    Optional<RestoredBackup> restore(Part part) {
      return Optional.ofNullable(restored.get(part)).filter(one -> one.isOf(chosen.get(part)));
    }
  }

  /** Where the backups of a part are. */
  private record Source(BackupSet backups, Variable variable) {}

  /** What the checks of a run share. */
  private record Run(PartSettings settings, Backups backups, AttachmentNames names, GraphVertices vertices,
      Map<Part, AttachmentArchive> attachments, AtomicLong done, StepTimes steps) {
  }

  public static void main(String[] args) {
    var script = new Verify();
    System.exit(Commands.run(script, script.console, SettingsReport.VARIABLES, script::failed, args));
  }

  @Override
  public Integer call() throws IOException {
    CassandraTools.quietLibraries(console.verbose);
    requireOptions();
    if (mode == Mode.SETTINGS) {
      return showSettings(Settings.fromEnvironment());
    }
    var settings = readSettings(Settings.fromEnvironment());
    if (mode == Mode.POINTS) {
      return listPoints(settings);
    }
    var run = new Run(settings, chooseBackups(settings), new AttachmentNames(), new GraphVertices(),
        new ConcurrentSkipListMap<>(), new AtomicLong(), new StepTimes(started));
    var findings = new EnumMap<Part, Findings>(Part.class);
    Stream.of(Part.values()).filter(this::isChosen).forEach(part -> findings.put(part, new Findings("" + part)));
    var checks = chooseChecks(run, findings);
    var sums = ArchiveSum.begin(files.hasEvidence() ? run.backups().archives() : Map.of());
    runAll(checks, run, findings);
    if (isChosen(Part.TOGETHER)) {
      checkTogether(run, findings.get(Part.TOGETHER));
    }
    return report(findings, run, sums);
  }

  /** Without a result there is JSON, too, where it was asked for. */
  private int failed(Failure failure) {
    if (console.json && !printed) {
      System.out.println(Json.failure(SCRIPT, failure));
    }
    try {
      files.writeFailure(SCRIPT, started, failure);
    } catch (IOException | RuntimeException e) {
      console.warn("%s", Failure.of(e).getMessage());
    }
    return console.error("", failure);
  }

  private int showSettings(Settings settings) throws IOException {
    var report = SettingsReport.of(SCRIPT, settings, new AddressCheck(settings, System.getenv()).ask());
    System.out.print(console.json ? Json.MAPPER.writeValueAsString(report) + "\n" : report.table());
    printed = true;
    return report.exit();
  }

  private void requireOptions() {
    if (sample.orElse(0) < 0) {
      throw new Failure(Exit.USAGE, "--sample %d is less than 0".formatted(sample.get()),
          "give it a number of attachments");
    }
    if (maxGap.isNegative()) {
      throw new Failure(Exit.USAGE, "--max-gap %s is less than 0".formatted(maxGap),
          "give it a duration such as PT15M");
    }
    if (files.areWanted() && (mode == Mode.POINTS || mode == Mode.SETTINGS)) {
      throw new Failure(Exit.USAGE, "--evidence and --metrics tell of checks, and this command makes none",
          "they go with ./jbang verify.java and ./jbang verify.java archives");
    }
    files.requireWritable();
  }

  private boolean isChosen(Part part) {
    return only.contains(part) && !skip.contains(part) && (mode == null || part.compareTo(Part.LOGS) > 0);
  }

  /** Log-ins are read, and passwords asked for, only of servers that are asked. */
  private PartSettings readSettings(Settings settings) {
    var unnamed = new EnumMap<Part, String>(Part.class);
    var named = EnumSet.noneOf(Part.class);
    if (settings.isSet(ElasticsearchSettings.URL)) {
      named.add(Part.ELASTICSEARCH);
    }
    if (settings.isSet(FolderSettings.FOLDER)) {
      named.add(Part.FILES);
    }
    var cassandra = CassandraSettings.ofArchives(settings);
    if (!settings.isSet(CassandraSettings.CONNECTION)) {
      unnamed.put(Part.CASSANDRA, "CASSANDRA_CONNECTION is not set");
    } else {
      named.add(Part.CASSANDRA);
      cassandra = mode == null && isChosen(Part.CASSANDRA) ? CassandraSettings.of(settings) : cassandra;
    }
    var s3 = S3Settings.ofArchives(settings);
    try {
      s3 = S3Settings.of(settings, System.getenv());
      named.add(Part.S3);
    } catch (Failure e) {
      if (settings.isSet(S3Settings.ENDPOINT) && mode == null && isChosen(Part.S3)) {
        throw e;
      }
      unnamed.put(Part.S3, e.getMessage());
    }
    var folder = FolderSettings.of(settings);
    if (isChosen(Part.FILES)) {
      Principals.parse(folder.owner()); // as the restore: an owner that this host does not know is a mistake
    }
    return new PartSettings(CommonSettings.of(settings), TheHiveSettings.of(settings), cassandra,
        ElasticsearchSettings.of(settings),
        folder, s3, unnamed, named);
  }

  /** Lists which restore points there are; nothing of the archives is read but names and sizes. */
  private int listPoints(PartSettings settings) throws IOException {
    var search = new RestorePointSearch();
    sources(settings).forEach((part, source) -> {
      if (isChosen(part)) {
        search.add("" + part, source.backups(), source.variable());
      }
    });
    var elasticsearch = settings.elasticsearch();
    var report = RestorePointsReport.of(SCRIPT, search.find(elasticsearch.archives(), () -> {
      try (var api = new ElasticsearchApi(elasticsearch)) {
        return ClusterSnapshots.read(api, elasticsearch.repository());
      }
    }, maxGap), search.notes);
    print(report, report.table(), report.summary());
    return report.exit();
  }

  /**
   * Chooses those of the wanted restore point. If none is wanted, after a restore: those that it took, and of parts
   * that it did not restore those of the same time; else the newest, as a restore would.
   */
  private Backups chooseBackups(PartSettings settings) throws IOException {
    var backups = new Backups(new EnumMap<>(Part.class), new ArrayList<>(), new EnumMap<>(Part.class),
        mode == null && wanted == null ? restored(settings) : Map.of());
    var sources = sources(settings);
    sources.keySet().removeIf(part -> skip.contains(part) || !isChosen(part) && !isChosen(Part.TOGETHER));
    sources.keySet().removeIf(part -> mode == null && settings.unnamed().containsKey(part));
    settings.unnamed().entrySet().stream().filter(unnamed -> mode == null)
        .forEach(unnamed -> backups.missing().put(unnamed.getKey(), new Failure(Exit.USAGE, unnamed.getValue(), null)));
    sources.keySet().stream().filter(backups.restored()::containsKey)
        .forEach(part -> choose(backups, part, sources.get(part)));
    sources.keySet().stream().filter(part -> !backups.restored().containsKey(part))
        .forEach(part -> choose(backups, part, sources.get(part)));
    return backups;
  }

  private static Map<Part, Source> sources(PartSettings settings) {
    var sources = new EnumMap<Part, Source>(Part.class);
    sources.put(Part.CASSANDRA,
        new Source(BackupSet.ofNodes(settings.cassandra().archives()), CassandraSettings.ARCHIVES));
    sources.put(Part.ELASTICSEARCH,
        new Source(BackupSet.markers(settings.elasticsearch().archives()), ElasticsearchSettings.ARCHIVES));
    sources.put(Part.FILES, new Source(BackupSet.files(settings.folder().archives()), FolderSettings.ARCHIVES));
    sources.put(Part.S3, new Source(BackupSet.objects(settings.s3().archives()), S3Settings.ARCHIVES));
    return sources;
  }

  /** The newest restores to the targets that are checked. */
  private Map<Part, RestoredBackup> restored(PartSettings settings) throws IOException {
    var restored = new EnumMap<Part, RestoredBackup>(Part.class);
    targets(settings).restored().forEach((part, one) -> restored.put(Part.valueOf(part.toUpperCase(Locale.ROOT)), one));
    return restored;
  }

  private RestoreTargets targets(PartSettings settings) throws IOException {
    return RestoreTargets.of(settings.common(), settings.cassandra().archives().get(0), settings.cassandra().keyspace(),
        settings.folder(), settings.s3(), wanted);
  }

  private void choose(Backups backups, Part part, Source source) {
    try {
      var restored = Optional.ofNullable(backups.restored().get(part));
      var all = restored.isPresent() ? restored(restored.get(), source)
          : ofSameTime(backups, source).orElseGet(() -> choose(source, wanted));
      backups.chosen().put(part, all.get(0));
      all.stream().filter(backup -> part == Part.CASSANDRA).forEach(backups.ofNodes()::add);
      all.forEach(
          backup -> console.step("Backup of %s: %s, taken %s%s", part, backup.file(), backup.age(), restored.map(one ->
          ", the last one restored (" + one.report() + ")")
              .orElse(wanted != null || mode != null ? "" : ", the newest: no report of its restore")));
      if (restored.isPresent() && !choose(source, null).get(0).name().equals(all.get(0).name())) {
        console.step("  a newer backup is there, %s: --backup compares with another one",
            choose(source, null).get(0).name());
      }
    } catch (Failure e) {
      if (e.code == Exit.USAGE) {
        throw e;
      }
      backups.missing().put(part, e);
    }
  }

  private List<Backup> choose(Source source, String point) {
    var chosen = source.backups().isOfNodes() ? source.backups().chooseAll(point, maxGap)
        : source.backups().choose(point, maxGap);
    chosen.warnings().stream().filter(warned::add).forEach(warning -> console.warn("%s", warning));
    return chosen.backups();
  }

  private List<Backup> restored(RestoredBackup restored, Source source) {
    var backups = restored.archives().stream().map(archive -> choose(source, archive).get(0)).toList();
    if (!restored.isOf(backups.get(0))) {
      throw new Failure(Exit.BAD_BACKUP,
          "the backup that was restored last, %s (%s), is not in %s".formatted(restored.backup(), restored.report(),
              source.backups().folders().stream().map(Path::toString).collect(Collectors.joining(", "))),
          "--backup compares with another one");
    }
    return backups;
  }

  /** The backup of the same restore point as those that were restored. */
  private Optional<List<Backup>> ofSameTime(Backups backups, Source source) {
    return backups.restored().keySet().stream().map(backups.chosen()::get).filter(Objects::nonNull).map(Backup::taken)
        .max(Comparator.naturalOrder())
        .flatMap(taken -> {
          try {
            return Optional.of(choose(source, BackupSet.STAMP.format(taken.plus(maxGap))))
                .filter(all -> !all.get(0).taken().isBefore(taken.minus(maxGap)));
          } catch (Failure e) {
            return Optional.empty();
          }
        });
  }

  private Map<Part, Check> chooseChecks(Run run, Map<Part, Findings> findings) {
    var checks = new EnumMap<Part, Check>(Part.class);
    findings.forEach((part, list) -> {
      var missing = run.backups().missing().get(part);
      if (missing != null && isRequired(part, run)) {
        list.failed("backup", missing);
      } else if (missing != null) {
        list.skipped("backup", "%s", missing.getMessage());
      }
      if (part != Part.TOGETHER && missing == null) {
        checks.put(part, mode == null ? check(part, run) : proof(part, run));
      }
    });
    return checks;
  }

  /** True if it is an error that a part has no backup, not only a reason to leave it out. */
  private boolean isRequired(Part part, Run run) {
    return only.size() < Part.values().length || run.settings().named().contains(part)
        || mode != null && (part == Part.CASSANDRA || part == Part.ELASTICSEARCH
            || part == Part.FILES && run.backups().missing().containsKey(Part.S3)); // one of the two there must be
  }

  private Check check(Part part, Run run) {
    var settings = run.settings();
    var backup = run.backups().chosen().get(part);
    return switch (part) {
      case SERVICES -> new ServiceCheck(settings.theHive(), ignored)::services;
      case LOGS -> new ServiceCheck(settings.theHive(), ignored)::logs;
      case CASSANDRA -> findings -> cassandra(run).compare(run.backups().ofNodes(), findings);
      case ELASTICSEARCH -> findings -> compareIndex(run, findings);
      case FILES -> findings -> {
        var comparison = attachments(part, run);
        var store = FolderCheck.of(settings.folder(), comparison.members());
        comparison.compare(store, since(run, part), sample, findings);
      };
      default -> findings -> {
        try (var bucket = new S3Bucket(settings.s3(), READS_AT_ONCE)) {
          attachments(part, run).compare(new BucketCheck(bucket), since(run, part), sample, findings);
        }
      };
    };
  }

  /** The same for the archives alone: no server is asked. */
  private Check proof(Part part, Run run) {
    var backup = run.backups().chosen().get(part);
    return switch (part) {
      case CASSANDRA -> findings -> cassandra(run).prove(run.backups().ofNodes(), findings);
      case ELASTICSEARCH -> findings -> findings.skipped("marker",
          "%s, taken %s; its snapshot is proven by Elasticsearch, when restored", backup.file(), backup.age());
      default -> findings -> attachments(part, run).prove(findings);
    };
  }

  private CassandraCheck cassandra(Run run) {
    return new CassandraCheck(SCRIPT, run.settings().cassandra(), run.settings().common().archivePassword(), exact,
        quick,
        run.backups().restore(Part.CASSANDRA), run.names(), run.vertices(), run.done()::addAndGet);
  }

  private void compareIndex(Run run, Findings findings) throws Exception {
    var settings = run.settings().elasticsearch();
    var backup = run.backups().chosen().get(Part.ELASTICSEARCH);
    try (var api = new ElasticsearchApi(settings)) {
      new IndexCheck(api, settings.repository(), backup, run.backups().restore(Part.ELASTICSEARCH), exact, quick,
          run.vertices())
          .compare(findings);
    }
  }

  private AttachmentComparison attachments(Part part, Run run) {
    var backup = run.backups().chosen().get(part);
    var members = new AttachmentArchive(backup.file(), run.settings().common().archivePassword());
    run.attachments().put(part, members);
    if (part == Part.S3) {
      BucketLimits.require(members);
    }
    return new AttachmentComparison(backup, members, run.done()::addAndGet);
  }

  /** What is later than the backup, and than the end of its restore, was written since. */
  private Instant since(Run run, Part part) {
    var taken = run.backups().chosen().get(part).taken().atZone(ZoneId.systemDefault()).toInstant();
    return exact ? Instant.MAX : run.backups().restore(part).map(RestoredBackup::end)
        .filter(restored -> restored.isAfter(taken)).orElse(taken);
  }

  /** Runs every check to its end, side by side: what one finds, or that it fails, hides nothing of another. */
  private void runAll(Map<Part, Check> checks, Run run, Map<Part, Findings> findings) throws IOException {
    var total = checks.keySet().stream().map(run.backups().chosen()::get).filter(Objects::nonNull)
        .mapToLong(backup -> backup.file().toFile().length()).sum();
    var parts = List.copyOf(checks.keySet());
    var open = new ConcurrentSkipListSet<>(parts);
    Supplier<String> named = () -> open.stream().map(Part::toString).collect(Collectors.joining(", "));
    if (!parts.isEmpty()) {
      console.step("%s %s", mode == null ? "Checking" : "Proving the backups of", named.get());
    }
    try (var workers = new Workers(Part.values().length);
        Closeable bar = total == 0 ? () -> {} : console.progress("Checking", total, run.done()::get, named)) {
      workers.run(parts.size(), (worker, i) -> {
        run.steps().time(parts.get(i), "check", () -> runOne(checks.get(parts.get(i)), findings.get(parts.get(i))));
        open.remove(parts.get(i));
      });
    }
  }

  private void runOne(Check check, Findings findings) {
    try {
      check.run(findings);
    } catch (Throwable thrown) {
      var failure = Failure.of(thrown);
      findings.failed(mode != null || failure.code == Exit.BAD_BACKUP ? "backup" : "reach", failure);
      if (console.verbose) {
        thrown.printStackTrace();
      }
    }
  }

  private void checkTogether(Run run, Findings findings) {
    var check = new TogetherCheck(maxGap);
    check.compareTimes(run.backups().chosen().values(), findings);
    if (mode == null) {
      var files = new TreeMap<String, Iterable<String>>();
      run.attachments().forEach(
          (part, members) -> files.put("" + part, () -> members.all.stream().map(ArchiveEntry::name).iterator()));
      check.compareAttachments(run.names(), files, findings);
      run.vertices().compare(findings);
    }
  }

  private int report(Map<Part, Findings> findings, Run run, CompletableFuture<List<ArchiveSum>> sums)
      throws IOException {
    var all = findings.values().stream().flatMap(list -> list.list().stream()).toList();
    var verdict = Verdict.of(SCRIPT, mode == null ? "As in the backup" : "Complete", all);
    print(verdict, verdict.table(), verdict.summary());
    if (files.areWanted()) {
      files.write(evidence(verdict, run, findings, ArchiveSum.await(sums)));
    }
    if (verdict.exit() == Exit.USAGE && all.stream().noneMatch(finding -> finding.result() == Mark.BAD)) {
      throw new Failure(Exit.USAGE, "nothing was checked; looked for backups in " + looked(run.settings()),
          "is restore.env loaded? set -a; . ./restore.env; set +a");
    }
    return verdict.exit();
  }

  private Evidence evidence(Verdict verdict, Run run, Map<Part, Findings> findings, List<ArchiveSum> sums)
      throws IOException {
    var counts = new TreeMap<String, Map<String, Long>>();
    findings.forEach((part, list) -> counts.put("" + part, list.counts()));
    var names = new TreeMap<String, String>();
    run.backups().chosen().forEach((part, backup) -> names.put("" + part, backup.name()));
    var targets = targets(run.settings());
    return new Evidence(new Evidence.Check(Console.hostName(), started, Instant.now(), mode != null,
        run.steps().list()), verdict,
        run.backups().chosen().values().stream().map(Backup::taken).max(Comparator.naturalOrder()),
        mode == null ? targets.reports(names) : Map.of(), mode == null ? targets.unfinished() : List.of(), sums,
        counts);
  }

  private void print(Object result, String table, String summary) throws IOException {
    System.out.print(console.json ? Json.MAPPER.writeValueAsString(result) + "\n" : table);
    printed = true;
    if (System.out.checkError()) {
      throw new Failure(Exit.UNEXPECTED, "the result could not be written to standard output", "it was: " + summary);
    }
  }

  private static String looked(PartSettings settings) {
    return Stream.of("%s (%s)".formatted(settings.cassandra().archives().get(0), CassandraSettings.ARCHIVES.name()),
        "%s (%s)".formatted(settings.elasticsearch().archives(), ElasticsearchSettings.ARCHIVES.name()),
        "%s (%s)".formatted(settings.folder().archives(), FolderSettings.ARCHIVES.name()),
        "%s (%s)".formatted(settings.s3().archives(), S3Settings.ARCHIVES.name())).collect(Collectors.joining(", "));
  }
}

// ---- Below: copies of lib/*.java, written by ./jbang lib/embed.java. Change those files, not these lines. ----
