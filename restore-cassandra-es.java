///usr/bin/env jbang "$0" "$@" ; exit $?
//DESCRIPTION Restores TheHive's Cassandra keyspace and Elasticsearch index from a hot backup
//JAVA 17+
// Of the classes below the marker, written by ./jbang lib/embed.java:
//DEPS ch.qos.logback:logback-core:1.2.13
//DEPS com.fasterxml.jackson.core:jackson-databind:2.23.0
//DEPS com.fasterxml.jackson.dataformat:jackson-dataformat-smile:2.23.0 // in which Elasticsearch writes a snapshot's files
//DEPS com.github.luben:zstd-jni:1.5.7-28 // for .tar.zst, and for SSTables compressed with Zstd
//DEPS com.typesafe:config:1.4.3 // HOCON with includes and substitutions, as TheHive itself reads it
//DEPS commons-codec:commons-codec:1.23.0
//DEPS commons-io:commons-io:2.22.0
//DEPS info.picocli:picocli:4.7.7
//DEPS io.netty:netty-all:4.1.137.Final
//DEPS io.netty:netty-handler:4.1.137.Final
//DEPS io.netty:netty-tcnative-boringssl-static:2.0.81.Final
//DEPS net.lingala.zip4j:zip4j:2.11.6
//DEPS org.apache.cassandra:cassandra-all:4.1.10
//DEPS org.apache.cassandra:java-driver-core:4.19.4
//DEPS org.apache.commons:commons-compress:1.28.0
//DEPS org.elasticsearch.client:elasticsearch-rest-client:9.5.6
//DEPS org.tukaani:xz:1.12 // for .tar.xz
//DEPS org.xerial.snappy:snappy-java:1.1.10.12
//DEPS org.yaml:snakeyaml:2.7
//COMPILE_OPTIONS -encoding UTF-8
//JAVA_OPTIONS -Xmx512m -XX:+UseSerialGC -XX:TieredStopAtLevel=1
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
import com.datastax.oss.driver.api.core.metadata.NodeState;
import com.datastax.oss.driver.api.core.metadata.TokenMap;
import com.datastax.oss.driver.api.core.metadata.schema.TableMetadata;
import com.datastax.oss.driver.api.core.servererrors.InvalidQueryException;
import com.datastax.oss.driver.api.core.servererrors.UnauthorizedException;
import com.datastax.oss.driver.api.core.session.ProgrammaticArguments;
import com.datastax.oss.driver.internal.core.context.DefaultDriverContext;
import com.datastax.oss.driver.internal.core.context.StartupOptionsBuilder;
import com.datastax.oss.driver.internal.core.loadbalancing.BasicLoadBalancingPolicy;
import com.datastax.oss.driver.internal.core.util.concurrent.CompletableFutures;
import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.core.json.JsonReadFeature;
import com.fasterxml.jackson.core.type.TypeReference;
import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.SerializationFeature;
import com.fasterxml.jackson.databind.cfg.EnumFeature;
import com.fasterxml.jackson.databind.json.JsonMapper;
import com.fasterxml.jackson.databind.node.BooleanNode;
import com.fasterxml.jackson.databind.node.IntNode;
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
import java.io.DataInputStream;
import java.io.EOFException;
import java.io.File;
import java.io.IOError;
import java.io.IOException;
import java.io.InputStream;
import java.io.UncheckedIOException;
import java.math.BigDecimal;
import java.math.RoundingMode;
import java.net.ConnectException;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.net.NetworkInterface;
import java.net.Socket;
import java.net.SocketException;
import java.net.URI;
import java.net.URLEncoder;
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
import java.nio.file.attribute.PosixFilePermissions;
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
import java.util.Collection;
import java.util.Collections;
import java.util.Comparator;
import java.util.EnumMap;
import java.util.EnumSet;
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
import java.util.UUID;
import java.util.concurrent.Callable;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionException;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.TimeoutException;
import java.util.concurrent.atomic.AtomicLong;
import java.util.concurrent.locks.LockSupport;
import java.util.function.BiConsumer;
import java.util.function.Consumer;
import java.util.function.Function;
import java.util.function.LongSupplier;
import java.util.function.Predicate;
import java.util.function.Supplier;
import java.util.function.ToIntFunction;
import java.util.regex.MatchResult;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import java.util.stream.Collectors;
import java.util.stream.Stream;
import java.util.zip.CRC32;
import java.util.zip.CheckedInputStream;
import java.util.zip.Inflater;
import java.util.zip.InflaterInputStream;
import javax.net.ssl.KeyManager;
import javax.net.ssl.KeyManagerFactory;
import javax.net.ssl.SSLContext;
import javax.net.ssl.SSLException;
import javax.net.ssl.SSLSocket;
import javax.net.ssl.TrustManager;
import javax.net.ssl.TrustManagerFactory;
import javax.net.ssl.X509TrustManager;
import net.lingala.zip4j.exception.ZipException;
import net.lingala.zip4j.io.inputstream.ZipInputStream;
import net.lingala.zip4j.model.ExtraDataRecord;
import net.lingala.zip4j.model.FileHeader;
import net.lingala.zip4j.model.Zip4jConfig;
import org.apache.cassandra.config.Config;
import org.apache.cassandra.config.DataRateSpec;
import org.apache.cassandra.config.DatabaseDescriptor;
import org.apache.cassandra.config.DurationSpec;
import org.apache.cassandra.config.EncryptionOptions.ServerEncryptionOptions;
import org.apache.cassandra.config.ParameterizedClass;
import org.apache.cassandra.cql3.CQLFragmentParser;
import org.apache.cassandra.cql3.ColumnIdentifier;
import org.apache.cassandra.cql3.CqlParser;
import org.apache.cassandra.cql3.statements.schema.TableAttributes;
import org.apache.cassandra.db.ClusteringPrefix;
import org.apache.cassandra.db.DecoratedKey;
import org.apache.cassandra.db.DeletionTime;
import org.apache.cassandra.db.SerializationHeader;
import org.apache.cassandra.db.marshal.AbstractType;
import org.apache.cassandra.db.rows.DeserializationHelper;
import org.apache.cassandra.db.rows.RangeTombstoneMarker;
import org.apache.cassandra.db.rows.Unfiltered;
import org.apache.cassandra.dht.Murmur3Partitioner;
import org.apache.cassandra.dht.Range;
import org.apache.cassandra.dht.Token;
import org.apache.cassandra.exceptions.ConfigurationException;
import org.apache.cassandra.exceptions.UnknownColumnException;
import org.apache.cassandra.io.compress.ICompressor;
import org.apache.cassandra.io.sstable.Descriptor;
import org.apache.cassandra.io.sstable.IndexInfo;
import org.apache.cassandra.io.sstable.SSTableLoader;
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
import org.apache.cassandra.locator.InetAddressAndPort;
import org.apache.cassandra.schema.ColumnMetadata;
import org.apache.cassandra.schema.CompressionParams;
import org.apache.cassandra.schema.DroppedColumn;
import org.apache.cassandra.schema.TableId;
import org.apache.cassandra.schema.TableMetadataRef;
import org.apache.cassandra.schema.Types;
import org.apache.cassandra.security.PEMBasedSslContextFactory;
import org.apache.cassandra.security.PEMReader;
import org.apache.cassandra.streaming.StreamEvent;
import org.apache.cassandra.streaming.StreamEventHandler;
import org.apache.cassandra.streaming.StreamState;
import org.apache.cassandra.streaming.StreamingChannel;
import org.apache.cassandra.tools.BulkLoadConnectionFactory;
import org.apache.cassandra.utils.BloomFilterSerializer;
import org.apache.cassandra.utils.ByteBufferUtil;
import org.apache.cassandra.utils.FilterFactory;
import org.apache.cassandra.utils.IFilter;
import org.apache.cassandra.utils.OutputHandler;
import org.apache.commons.compress.compressors.bzip2.BZip2CompressorInputStream;
import org.apache.commons.compress.compressors.gzip.GzipCompressorInputStream;
import org.apache.commons.compress.compressors.xz.XZCompressorInputStream;
import org.apache.commons.compress.compressors.zstandard.ZstdCompressorInputStream;
import org.apache.commons.io.FileUtils;
import org.apache.commons.io.IOUtils;
import org.apache.commons.io.input.BoundedInputStream;
import org.apache.commons.io.input.BufferedFileChannelInputStream;
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
import picocli.CommandLine.IVersionProvider;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.ParameterException;
import picocli.CommandLine.Parameters;
import picocli.CommandLine.ScopeType;
import picocli.CommandLine.Spec;
import picocli.CommandLine.UnmatchedArgumentException;
import picocli.CommandLine;

/**
 * Step 2 of "Restore a hot backup on a cluster": brings back the Cassandra keyspace and the Elasticsearch indices, side
 * by side. Overwrites the keyspace (thehive) and every index of the snapshot. TheHive must be stopped on every node.
 *
 * <pre>CASSANDRA_CONNECTION=10.0.0.5 ./restore-cassandra-es.java --dry-run</pre>
 */
@Command(
    name = "restore-cassandra-es.java",
    description = "Restores TheHive's Cassandra keyspace and Elasticsearch index from a hot backup.",
    versionProvider = Release.class,
    mixinStandardHelpOptions = true,
    sortOptions = false,
    abbreviateSynopsis = true,
    synopsisHeading = "Usage: ./jbang ",
    footer = {"%nExample: ./jbang restore-cassandra-es.java --dry-run", Exit.OF_RESTORES})
class RestoreCassandraEs implements Callable<Integer> {
  static final String SCRIPT = "restore-cassandra-es";
  static final List<Variable> VARIABLES =
      Stream.of(CassandraSettings.VARIABLES, ElasticsearchSettings.VARIABLES, TheHiveSettings.VARIABLES,
      CommonSettings.VARIABLES).flatMap(List::stream).toList();

  @Option(names = "--backup", paramLabel = "POINT",
      description = "timestamp, name or path of the backup (the newest)")
  String point;

  @Option(names = "--max-gap", paramLabel = "DURATION", defaultValue = "PT15M",
      description = "longest time between the backups (${DEFAULT-VALUE})")
  Duration maxGap;

  @Option(names = "--only", paramLabel = "DATABASE", description = "only this one: ${COMPLETION-CANDIDATES}")
  Database.Name only;

  private final List<Backup> chosen = new ArrayList<>();
  private LocalDateTime restored;

  @Mixin RestoreConsole console = new RestoreConsole();

  @Option(names = "--replication", paramLabel = "MAP",
      description = "as in CQL, in place of the backup's")
  String replication;

  @Option(names = "--partial-ring", description = "accept a part of the ring, and lose rows")
  boolean partialRing;

  @Option(names = "--throttle", paramLabel = "MB/s", defaultValue = "0",
      description = "limit for streaming to Cassandra (0, none)")
  int throttle;

  @Option(names = "--connections-per-host", paramLabel = "N", defaultValue = "1",
      description = "streams for each table and Cassandra node (${DEFAULT-VALUE})")
  int connections;

  @Option(names = "--index", paramLabel = "NAME,...", hideParamSyntax = true, split = ",",
      description = "only these indices of the snapshot (all)")
  List<String> indices = List.of();

  @Option(names = "--recovery-rate", paramLabel = "RATE",
      description = "limit for the indices, meanwhile: 200mb, or unchanged")
  String recoveryRate;

  @Option(names = "--in-place", description = "delete live indices first, without copies")
  boolean inPlace;

  public static void main(String[] args) {
    var script = new RestoreCassandraEs();
    System.exit(Commands.run(script, script.console, VARIABLES, script::failed, args));
  }

  @Override
  public Integer call() throws IOException {
    CassandraTools.quietLibraries(console.verbose);
    var settings = Settings.fromEnvironment();
    console.requireTheHiveStopped(TheHiveSettings.of(settings));
    try (var databases = databases(settings); var run = new RestoreRun(stateFolder(settings), SCRIPT, console.dryRun)) {
      run.problem().ifPresent(console::refuseUnlessForced);
      chooseBackups(databases);
      var refused = databases.sideBySide(run.steps, "check", database -> database.check(run.unfinished()));
      if (!refused.isEmpty()) {
        return endRefused(refused, "Nothing was changed.");
      }
      var outlook = confirm(databases, settings, run);
      return console.dryRun ? endDryRun(databases) : prepareAndRestore(databases, run, outlook);
    }
  }

  private int prepareAndRestore(Databases databases, RestoreRun run, RestoreOutlook outlook) throws IOException {
    var unprepared = databases.sideBySide(run.steps, "prepare", Database::prepare);
    if (!unprepared.isEmpty()) {
      return endRefused(unprepared, withdraw(databases) ? "Nothing was changed." : "Nothing live was changed.");
    }
    var failed = restore(databases, run);
    return end(databases, run, failed, outlook.end(run.steps));
  }

  /** The databases to restore, in the order of the documented procedure. */
  private Databases databases(Settings settings) {
    var password = CommonSettings.of(settings).archivePassword();
    var list = new ArrayList<Database>();
    if (only != Database.Name.ELASTICSEARCH) {
      list.add(new CassandraRestore(SCRIPT, CassandraSettings.of(settings),
          new CassandraRestore.Options(replication, partialRing, throttle, connections),
          password, console));
    }
    if (only != Database.Name.CASSANDRA) {
      list.add(new ElasticsearchRestore(ElasticsearchSettings.of(settings),
          new ElasticsearchRestore.Options(indices, recoveryRate, inPlace),
          console));
    }
    return new Databases(list);
  }

  private Path stateFolder(Settings settings) {
    var archives = CassandraSettings.ofArchives(settings).archives().get(0);
    return console.stateFolder(CommonSettings.of(settings), archives, point);
  }

  private void chooseBackups(Databases databases) {
    for (var database : databases.list()) {
      for (var backup : database.choose(point, maxGap)) {
        console.step("Restoring %s from %s, taken %s", database.name().title, database.source(backup), backup.age());
        chosen.add(backup);
      }
    }
    Databases.requireOneRun(chosen, maxGap);
    restored = chosen.stream().map(Backup::taken).max(Comparator.naturalOrder()).orElseThrow();
  }

  /** Shows the plan and asks; the check has found the snapshot whole. */
  private RestoreOutlook confirm(Databases databases, Settings settings, RestoreRun run) {
    var snapshot = chosen.stream().map(Backup::name).filter(name -> name.startsWith("elasticsearch_")).findFirst();
    var outlook = RestoreOutlook.of(run, PlannedPoint.line(settings, chosen, maxGap, snapshot), databases.sizes(),
        report -> true);
    run.steps.time("", StepTimes.QUESTION, () ->
        console.confirm(planLines(databases, settings, outlook), databases.list().get(0).cluster(), settings));
    return outlook;
  }

  private List<String> planLines(Databases databases, Settings settings, RestoreOutlook outlook) {
    var lines = new ArrayList<String>(List.of("", "Settings that count, and where they come from"));
    settings.sources(counting()).forEach(line -> lines.add("  " + line));
    var verb = console.dryRun ? "Would" : "Will";
    outlook.lines().forEach(line -> lines.add("  " + line));
    lines.add("  everything written after %s is lost; when that was last is not known here"
        .formatted(BackupSet.STAMP.format(restored)));
    for (var database : databases.list()) {
      lines.add("");
      lines.add(database.name().title);
      database.plan().forEach(line -> lines.add("  " + line.replaceFirst("^→", verb)));
    }
    return lines;
  }

  /** The settings that say what is overwritten, and with what. */
  private List<Variable> counting() {
    var cassandra = only == Database.Name.ELASTICSEARCH ? List.<Variable>of()
        : List.of(CassandraSettings.CONNECTION, CassandraSettings.USER,
        CassandraSettings.KEYSPACE, CassandraSettings.ARCHIVES, CassandraSettings.ROLE);
    var elasticsearch = only == Database.Name.CASSANDRA ? List.<Variable>of()
        : List.of(ElasticsearchSettings.URL, ElasticsearchSettings.USER,
        ElasticsearchSettings.REPOSITORY, ElasticsearchSettings.ARCHIVES);
    return Stream.of(cassandra, elasticsearch, List.of(TheHiveSettings.NODES)).flatMap(List::stream).toList();
  }

  private int endDryRun(Databases databases) {
    var code = console.endDryRun();
    printJson(Json.MAPPER.createObjectNode().put("script", SCRIPT).put("exit", code)
        .set("plan", Json.MAPPER.valueToTree(databases.plans())).toPrettyString());
    return code;
  }

  private Map<Database.Name, Failure> restore(Databases databases, RestoreRun run) throws IOException {
    run.begin(databases.names());
    console.onInterrupt("The restore is not complete: leave TheHive stopped and run the same command again.");
    try (var progress = console.progress("Restoring", databases.total(), databases::done, databases::state)) {
      return databases.sideBySide(database -> database.restore(run));
    }
  }

  /** False if something stays that was begun beside the live data. */
  private boolean withdraw(Databases databases) {
    var failed = databases.sideBySide(Database::withdraw);
    failed.forEach((name, failure) -> console.warn(
        "%s: the copies that were begun could not be removed: %s; the next run removes them",
        name.title, failure.getMessage()));
    return failed.isEmpty();
  }

  /** Refused before either database was changed. */
  private int endRefused(Map<Database.Name, Failure> failed, String left) {
    failed.forEach((name, failure) -> console.error(name.title, failure));
    console.step("%s", left);
    printError(name -> failed.containsKey(name) ? failed.get(name).code : Exit.DECLINED);
    var first = failed.values().iterator().next();
    printJson(Json.failure(SCRIPT, first));
    return first.code;
  }

  /** Writes the report before it tells the result: it is no success while the marker stays. */
  private int end(Databases databases, RestoreRun run, Map<Database.Name, Failure> failed, String took)
      throws IOException {
    failed.forEach((name, failure) -> console.error(name.title, failure));
    console.step("%s", failed.isEmpty() ? took
        : "Leave TheHive stopped; run the same command again when the cause is gone.");
    var code = failed.isEmpty() ? Exit.DONE
        : failed.size() < databases.list().size() ? Exit.PARTIAL : failed.values().iterator().next().code;
    var report = writeReport(databases, run, failed, code);
    if (failed.isEmpty()) {
      console.step(
          "Next: restore the attachments (restore-files-nfs.java or restore-files-minio.java), then ./jbang"
              + " verify.java --exact --backup %s --skip services,logs",
          point != null && point.contains("/") ? point : BackupSet.STAMP.format(restored));
      printLastLine(
          only == null ? "=== ✓ Successful full restore ===" : "=== ✓ Successful restore of " + only + " ===");
    } else {
      printError(name -> failed.containsKey(name) ? failed.get(name).code : Exit.DONE);
    }
    printJson(report);
    return code;
  }

  /** Returns the report. If that of a failure cannot be written, the failure is what is told. */
  private String writeReport(Databases databases, RestoreRun run, Map<Database.Name, Failure> failed, int code)
      throws IOException {
    try {
      var report = run.end(code, databases.finished(failed), databases.summary(failed));
      console.step("Report: %s", report);
      return Files.readString(report);
    } catch (Failure e) {
      if (failed.isEmpty()) {
        throw new Failure(e.code, "everything is restored, but the end could not be noted: " + e.getMessage(), e.hint,
            e);
      }
      console.warn("the report could not be written: %s", e.getMessage());
      return Json.failure(SCRIPT, failed.values().iterator().next());
    }
  }

  /** Refused before either database was looked at: the last line is the documented one here, too. */
  private int failed(Failure failure) {
    var code = console.error("", failure);
    printError(name -> failure.code);
    printJson(Json.failure(SCRIPT, failure));
    return code;
  }

  private void printError(ToIntFunction<Database.Name> code) {
    Function<Database.Name, String> words =
        name -> only == null || only == name ? "exit " + code.applyAsInt(name) : "not part of this run";
    printLastLine("=== ✗ ERROR - ES: %s, Cassandra: %s ===".formatted(
        words.apply(Database.Name.ELASTICSEARCH), words.apply(Database.Name.CASSANDRA)));
  }

  private void printLastLine(String line) {
    if (!console.json) {
      System.out.println(line);
    }
  }

  /** The result in place of the last line, where --json asks for it. */
  private void printJson(String result) {
    if (console.json) {
      System.out.println(result);
    }
  }
}

// ---- Below: copies of lib/*.java, written by ./jbang lib/embed.java. Change those files, not these lines. ----

/** The answer of {@code _cluster/allocation/explain}: whether a shard gets a node, and if not, why not. */
record AllocationExplanation(JsonNode answer) {
  /** Deciders that only repeat that another one refused. */
  private static final Set<String> ECHOES = Set.of("restore_in_progress", "max_retry");

  boolean isRefused() {
    return answer.path("can_allocate").asText().matches("no|no_valid_shard_copy");
  }

  /** True if free disk space is the only reason. */
  boolean isOnlyDisk() {
    return isRefused() && refusals().findAny().isPresent()
        && refusals().allMatch(decider -> decider.path("decider").asText().equals("disk_threshold"));
  }

  boolean mustLeaveItsNode() {
    return answer.path("can_remain_on_current_node").asText().equals("no")
        && !answer.path("can_move_to_other_node").asText().equals("yes");
  }

  /** The deciders' own sentences. */
  String reason() {
    var sentences =
        refusals().map(decider -> decider.path("explanation").asText()).filter(text -> !text.isEmpty()).distinct()
        .collect(Collectors.joining("; "));
    var details = withoutTrace(answer.path("unassigned_info").path("details").asText());
    return !sentences.isEmpty() ? sentences : !details.isEmpty() ? details
        : Stream.of("allocate_explanation", "explanation").map(name -> answer.path(name).asText())
            .filter(text -> !text.isEmpty())
            .findFirst().orElse("Elasticsearch gives no reason");
  }

  /** The messages of an exception whose trace Elasticsearch tells, too, since version 8. */
  static String withoutTrace(String details) {
    return details.lines().map(String::strip)
        .filter(line -> !line.isEmpty() && !line.matches("at .+\\(.*\\).*|\\.\\.\\. \\d+ more"))
        .collect(Collectors.joining("; "));
  }

  private Stream<JsonNode> refusals() {
    var nodes =
        answer.path("node_allocation_decisions").valueStream().flatMap(node -> node.path("deciders").valueStream());
    return Stream.concat(nodes, answer.path("can_remain_decisions").valueStream())
        .filter(decider -> decider.path("decision").asText().equals("NO")
            && !ECHOES.contains(decider.path("decider").asText()));
  }
}

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

/** Proves the SSTables of a keyspace's tables, several at a time, each through its table's definition. */
record BackupProof(KeyspaceDefinition definition, List<TableFolder> folders) {
  CassandraBackup prove() {
    var statistics = new TreeMap<String, List<SSTableStatistics>>();
    for (var folder : folders) {
      var all = statistics.computeIfAbsent(folder.table(), table -> new ArrayList<>());
      folder.sstables().forEach(files -> {
        files.version();
        all.add(SSTableStatistics.read(files));
      });
    }
    var complete = withDroppedColumns(statistics);
    var samples = read(complete, statistics);
    var together = new NumberSample();
    var tables = new ArrayList<CassandraBackup.Table>();
    statistics.forEach((table, sstables) -> {
      together.addAll(samples.get(table));
      tables.add(new CassandraBackup.Table(table, sstables.stream().map(SSTableStatistics::files).toList(),
          folders.stream().filter(folder -> folder.table().equals(table)).mapToLong(TableFolder::bytes).sum(),
          RingCoverage.of(samples.get(table))));
    });
    return new CassandraBackup(complete, List.copyOf(tables), RingCoverage.of(together));
  }

  /** A column that SSTables have and the definition does not was dropped; if no schema.cql says when, then now. */
  private KeyspaceDefinition withDroppedColumns(SortedMap<String, List<SSTableStatistics>> statistics) {
    var complete = definition;
    var now = System.currentTimeMillis() * 1000;
    for (var table : statistics.keySet()) {
      for (var sstable : statistics.get(table)) {
        for (var statics : List.of(true, false)) {
          var columns = new LinkedHashMap<String, String>();
          sstable.unknownColumns(complete.table(table, new UUID(0, 0)), statics, columns::put);
          for (var column : columns.entrySet()) {
            complete = complete.withDroppedColumn(table, column.getKey(), column.getValue(), statics, now);
          }
        }
      }
    }
    return complete;
  }

  /** Reads all SSTables, the largest first; returns the tokens of each table's partitions. */
  private static Map<String, NumberSample> read(KeyspaceDefinition definition,
      SortedMap<String, List<SSTableStatistics>> all) {
    var workers = Executors.newFixedThreadPool(Runtime.getRuntime().availableProcessors(), Console::daemon);
    try {
      var samples = new TreeMap<String, NumberSample>();
      var reads = new ArrayList<Runnable>();
      var sizes = new LinkedHashMap<Runnable, Long>();
      all.forEach((name, sstables) -> {
        var table = definition.table(name, new UUID(0, 0));
        var sample = samples.computeIfAbsent(name, key -> new NumberSample());
        for (var sstable : sstables) {
          Runnable read = () -> SSTableProof.prove(sstable, table, sample);
          reads.add(read);
          sizes.put(read, sstable.files().require(SSTableFiles.DATA).size());
        }
      });
      reads.sort(Comparator.comparing(sizes::get, Comparator.reverseOrder()));
      for (Future<?> read : reads.stream().map(workers::submit).toList()) {
        read.get();
      }
      return samples;
    } catch (InterruptedException | ExecutionException e) {
      throw Failure.of(e);
    } finally {
      workers.shutdownNow();
    }
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
 * A keyspace as an archive holds it, or as the archives of several nodes hold it together: its definition and its
 * tables' SSTables, every byte of them read and proven.
 *
 * @param coverage the part of the ring that the partitions of all tables cover
 */
record CassandraBackup(KeyspaceDefinition definition, List<Table> tables, RingCoverage coverage) {
  private static final Pattern TABLE_FILE =
      Pattern.compile("[^/]+/(?<keyspace>\\w+)/(?<table>\\w+)-[0-9a-f]{32}/(?<file>[^/]+)");
  private static final Pattern CQL = Pattern.compile("[^/]+/create_keyspace_(?<keyspace>\\w+)\\.cql");
  /** With fewer partitions a table by itself tells nothing. */
  private static final int MANY = 1_000;

  /** A table of the backup and its SSTables. */
  record Table(String name, List<SSTableFiles> sstables, long bytes, RingCoverage coverage) {}

  /** The content of one archive: the definition and the tables' folders by name. */
  private record Contents(Archive archive, KeyspaceDefinition definition, SortedMap<String, TableFolder> folders) {}

  long bytes() {
    return tables.stream().mapToLong(Table::bytes).sum();
  }

  long sstables() {
    return tables.stream().mapToLong(table -> table.sstables().size()).sum();
  }

  /** The reasons to take the backup for a part of the ring only, one line each; empty if there are none. */
  List<String> missingParts() {
    var lines = new ArrayList<String>();
    if (coverage.isPart()) {
      lines.add("its partitions leave gaps: " + coverage.text());
    }
    for (var table : tables) {
      if (table.coverage().partitions() >= MANY && table.coverage().chance() * tables.size() < RingCoverage.CERTAIN) {
        lines.add("the partitions of table %s leave gaps: %s".formatted(table.name(), table.coverage().text()));
      }
    }
    return lines;
  }

  static CassandraBackup prove(Archive archive, String keyspace) {
    return prove(List.of(archive), keyspace);
  }

  /** @param archives of one restore point, one of each node; their definitions must be the same */
  static CassandraBackup prove(List<Archive> archives, String keyspace) {
    var all = archives.stream().map(archive -> contents(archive, keyspace)).toList();
    var definition = all.get(0).definition();
    for (var other : all) {
      var differences = new DefinitionComparison(definition, other.definition());
      if (!differences.isSame()) {
        throw other.archive().broken("its definition is not that of %s: %s".formatted(
            archives.get(0).path, String.join("; ", differences.lines())), null);
      }
    }
    return new BackupProof(definition, all.stream().flatMap(one -> one.folders().values().stream()).toList()).prove();
  }

  private static Contents contents(Archive archive, String keyspace) {
    var all = new LinkedHashMap<String, ArchiveEntry>();
    archive.index(entry -> {
      if (!entry.folder()
          && all.put(entry.name(), entry.kind() == Kind.HARD_LINK ? linked(archive, entry, all) : entry) != null) {
        throw archive.broken("it holds '%s' twice".formatted(EntryName.shown(entry.name())), null);
      }
    });
    var definition = definition(archive, all.values(), keyspace);
    var folders = folders(archive, all.values(), keyspace);
    requireTables(archive, definition, folders);
    for (var folder : folders.values()) {
      folder.requireManifest();
      var schema = folder.text("schema.cql");
      if (schema.isPresent()) {
        definition = definition.withDroppedColumns(folder.table(), schema.get());
      }
    }
    return new Contents(archive, definition, folders);
  }

  /** The file that a hard link leads to, under the link's own name. */
  private static ArchiveEntry linked(Archive archive, ArchiveEntry entry, Map<String, ArchiveEntry> before) {
    try {
      var first = before
          .get(new String(EntryName.normal(entry.link().getBytes(StandardCharsets.UTF_8)), StandardCharsets.UTF_8));
      if (first != null) {
        return first.named(entry.path());
      }
    } catch (IOException e) {
      // a name that leads out of the archive is that of no file in it
    }
    throw archive.broken(
        "its entry '%s' is a hard link to '%s', which is not an earlier file of it".formatted(
            EntryName.shown(entry.name()), EntryName.shown(entry.link())), null);
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
        keyspace, others.isEmpty() ? "" : " (it is a backup of keyspace %s: set CASSANDRA_KEYSPACE)".formatted(others)),
        null);
  }

  private static SortedMap<String, TableFolder> folders(Archive archive, Collection<ArchiveEntry> entries,
      String keyspace) {
    var folders = new TreeMap<String, TableFolder>();
    for (var entry : entries) {
      var name = TABLE_FILE.matcher(entry.name());
      if (!name.matches() || !name.group("keyspace").equals(keyspace)) {
        continue;
      }
      if (!entry.file()) {
        throw archive.broken("its entry '%s' is not a plain file".formatted(entry.name()), null);
      }
      var folder =
          folders.computeIfAbsent(name.group("table"), table -> new TableFolder(archive, table, new TreeMap<>()));
      if (folder.files().put(name.group("file"), entry) != null) {
        throw archive.broken("it holds table %s twice".formatted(folder.table()), null);
      }
    }
    return folders;
  }

  private static void requireTables(Archive archive, KeyspaceDefinition definition,
      SortedMap<String, TableFolder> folders) {
    if (definition.tables().isEmpty()) {
      throw archive.broken("its definition of keyspace %s has no CREATE TABLE".formatted(definition.keyspace()), null);
    }
    folders.keySet().removeAll(definition.views()); // Cassandra makes a view's rows from those of its table
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
}

/** A Cassandra cluster as its nodes tell it, each of them asked itself. */
final class CassandraCluster implements Closeable {
  static final String WORKING = "every node must be up and normal: nodetool status";
  private final CqlSession session;
  private final String client;
  private final String keyspace;

  private CassandraCluster(CqlSession session, String client, String keyspace) {
    this.session = session;
    this.client = client;
    this.keyspace = keyspace;
  }

  /** @param script the name under which other runs see this one */
  static CassandraCluster open(CassandraSettings settings, String script) {
    var client = script + " " + UUID.randomUUID();
    return new CassandraCluster(
        settings.connection().open(client, settings.keyspace(), settings.client().map(Pem::tls)), client,
        settings.keyspace());
  }

  CqlSession session() {
    return session;
  }

  String name() {
    return session.execute("SELECT cluster_name FROM system.local").one().getString("cluster_name");
  }

  /** The nodes that the client sees, by address. {@link #health} tells whether these are all. */
  List<Node> nodes() {
    return session.getMetadata().getNodes().values().stream().sorted(Comparator.comparing(CassandraCluster::host))
        .toList();
  }

  /** How many nodes each data centre has. */
  SortedMap<String, Long> dataCentres() {
    return nodes().stream().collect(
        Collectors.groupingBy(node -> String.valueOf(node.getDatacenter()), TreeMap::new, Collectors.counting()));
  }

  /** The tokens of each node, by data centre. */
  Map<String, List<long[]>> tokens() {
    var map = session.getMetadata().getTokenMap().orElseThrow();
    return nodes().stream()
        .collect(Collectors.groupingBy(node -> String.valueOf(node.getDatacenter()), TreeMap::new, Collectors.mapping(
            node -> map.getTokens(node).stream().mapToLong(token -> Long.parseLong(map.format(token))).toArray(),
            Collectors.toList())));
  }

  String version() {
    return nodes().stream().map(node -> String.valueOf(node.getCassandraVersion())).distinct().sorted()
        .collect(Collectors.joining(" and "));
  }

  String partitioner() {
    return session.execute("SELECT partitioner FROM system.local").one().getString("partitioner");
  }

  ResultSet on(Node node, String query, Object... values) {
    return session.execute(SimpleStatement.newInstance(query, values).setNode(node));
  }

  /** The address by which its cluster knows it, and nodetool shows it. */
  static String host(Node node) {
    return node.getBroadcastAddress().map(InetSocketAddress::getAddress).map(InetAddress::getHostAddress)
        .orElseGet(() -> node.getEndPoint().toString());
  }

  /**
   * The state of all nodes.
   *
   * @param up the nodes that answer
   * @param schemas which of them have which version of the schema
   * @param gossip false where the nodes do not tell who joins or leaves
   */
  record Health(List<Node> up, List<ClusterView.Problem> problems, Map<UUID, List<String>> schemas, boolean gossip) {
    void requireNoProblem() {
      if (!problems.isEmpty()) {
        throw new Failure(Exit.UNSAFE,
            problems.stream().map(ClusterView.Problem::text).collect(Collectors.joining("; ")),
            problems.stream().map(ClusterView.Problem::mend).distinct().collect(Collectors.joining("; ")));
      }
    }
  }

  /** Asks every node itself, so that none is taken for up that is not, and none is passed over that is there. */
  Health health() {
    var up = new ArrayList<Node>();
    var schemas = new TreeMap<UUID, List<String>>();
    var gossip = new TreeMap<String, ClusterView.Gossip>();
    var listed = new ArrayList<ClusterView.Listed>();
    var down = new ArrayList<ClusterView.Problem>();
    for (var node : nodes()) {
      try {
        var version = on(node, "SELECT schema_version FROM system.local").one().getUuid("schema_version");
        schemas.computeIfAbsent(version, any -> new ArrayList<>()).add(host(node));
        listed.addAll(listed(node));
        gossip(node).forEach(state -> gossip.merge(state.node(), state, (one, other) -> one.isMember() ? one : other));
        up.add(node);
      } catch (DriverException e) {
        down.add(new ClusterView.Problem(host(node),
            "Cassandra node %s is down or not reachable from here".formatted(host(node)), WORKING));
      }
    }
    var view = new ClusterView(List.copyOf(gossip.values()),
        up.stream().map(CassandraCluster::host).collect(Collectors.toSet()), listed);
    var problems = new ArrayList<>(view.problems());
    var named = problems.stream().map(ClusterView.Problem::node).collect(Collectors.toSet());
    down.stream().filter(problem -> !named.contains(problem.node())).forEach(problems::add);
    return new Health(up, problems, schemas, !gossip.isEmpty());
  }

  private List<ClusterView.Listed> listed(Node node) {
    return on(node, "SELECT peer, peer_port, host_id, data_center, rack, tokens FROM system.peers_v2").all().stream()
        .map(row -> new ClusterView.Listed(host(node), row.getInetAddress("peer").getHostAddress(),
            row.getInt("peer_port"),
            List.of("host_id", "data_center", "rack", "tokens").stream().noneMatch(row::isNull))).toList();
  }

  /** Nothing before Cassandra 4.1, and nothing for who may not read it. */
  private List<ClusterView.Gossip> gossip(Node node) {
    try {
      return on(node, "SELECT address, port, status, status_with_port FROM system_views.gossip_info").all().stream()
          .map(row -> new ClusterView.Gossip(row.getInetAddress("address").getHostAddress(), row.getInt("port"),
              status(row)))
          .toList();
    } catch (InvalidQueryException | UnauthorizedException e) {
      return List.of();
    }
  }

  private static String status(com.datastax.oss.driver.api.core.cql.Row row) {
    var status = Optional.ofNullable(row.getString("status_with_port")).orElse(row.getString("status"));
    return status == null ? "" : status.split(",")[0];
  }

  void awaitSchemaAgreement() throws InterruptedException {
    var deadline = Instant.now().plusSeconds(60);
    while (schemaVersions().size() > 1) {
      if (Instant.now().isAfter(deadline)) {
        throw new Failure(Exit.UNSAFE, "Cassandra's nodes do not agree on the schema",
            "wait until nodetool describecluster shows one version");
      }
      Thread.sleep(50);
    }
  }

  private Set<UUID> schemaVersions() {
    var versions = new TreeSet<UUID>();
    for (var node : nodes()) {
      try {
        versions.add(on(node, "SELECT schema_version FROM system.local").one().getUuid("schema_version"));
      } catch (DriverException e) {
        throw new Failure(Exit.UNSAFE, "Cassandra node %s is down or not reachable from here".formatted(host(node)),
            WORKING, e);
      }
    }
    return versions;
  }

  /**
   * The clients that may write: all but this one and those that only read.
   *
   * @param writer the name of the scripts of which only one may run
   * @param reader the name of the scripts that only read
   */
  Set<String> otherClients(String writer, String reader) {
    var others = new TreeSet<String>();
    var query = SimpleStatement.newInstance("SELECT address, driver_name, username FROM system_views.clients");
    // All nodes at once: each looks up its clients' names, which takes long where the DNS does not answer.
    var clients =
        nodes().parallelStream().flatMap(node -> session.execute(query.setNode(node)).all().stream()).toList();
    for (var other : clients) {
      var driver = String.valueOf(other.getString("driver_name"));
      var address = other.getInetAddress("address").getHostAddress();
      if (driver.startsWith(writer + " ") && !driver.equals(client)) {
        throw new Failure(Exit.UNSAFE, "another restore is running, connected from " + address, "wait for its end");
      }
      if (!driver.equals(client) && !driver.startsWith(reader + " ")) {
        others.add("%s (%s, user %s)".formatted(address, driver, other.getString("username")));
      }
    }
    return others;
  }

  /** A setting of a node: since Cassandra 4.1 with dots between the parts of its name, before with underscores. */
  String setting(Node node, String name) {
    for (var spelling : List.of(name, name.replaceFirst("(?<=_options)\\.", "_"))) {
      var row = on(node, "SELECT value FROM system_views.settings WHERE name = ?", spelling).one();
      if (row != null) {
        return String.valueOf(row.getString("value"));
      }
    }
    return "";
  }

  /** Bytes of the keyspace on the node that has most of it; 0 where no node tells. */
  long usage() {
    try {
      return nodes().stream()
          .mapToLong(node -> on(node, "SELECT keyspace_name, mebibytes FROM system_views.disk_usage").all().stream()
              .filter(row -> row.getString("keyspace_name").equals(keyspace))
              .mapToLong(row -> row.getLong("mebibytes") << 20).sum())
          .max().orElse(0);
    } catch (InvalidQueryException | UnauthorizedException e) {
      return 0;
    }
  }

  /** The keyspace's definition, where there is such a keyspace. */
  Optional<KeyspaceDefinition> describe() {
    if (session.getMetadata().getKeyspace(CqlIdentifier.fromInternal(keyspace)).isEmpty()) {
      return Optional.empty();
    }
    var text = new StringBuilder();
    session.execute("DESCRIBE KEYSPACE " + quoted(keyspace) + " WITH INTERNALS")
        .forEach(row -> text.append(row.getString("create_statement")).append('\n'));
    return Optional.of(KeyspaceDefinition.parse(text.toString(), keyspace));
  }

  static String quoted(String name) {
    return CqlIdentifier.fromInternal(name).asCql(false);
  }

  /** The driver's exception in the words of an administrator. */
  static Failure failure(DriverException thrown) {
    if (thrown instanceof UnauthorizedException) {
      return new Failure(Exit.AUTHENTICATION, thrown.getMessage(), "log in as a superuser", thrown);
    }
    var code = thrown instanceof AllNodesFailedException || thrown instanceof DriverTimeoutException ? Exit.UNREACHABLE
        : Exit.UNSAFE;
    return new Failure(code, thrown.getMessage(), WORKING, thrown);
  }

  @Override
  public void close() {
    session.close();
  }
}

/** The addresses in CASSANDRA_CONNECTION, in any form that cqlsh or the documentation knows, and who logs in. */
record CassandraConnection(List<InetSocketAddress> contactPoints, Optional<String> user, Optional<String> password) {

  private static final String FORMS =
      "set it to a node's address, such as 10.0.0.5, \"10.0.0.5 9042\" or \"10.0.0.5 -u admin\"";

  /** Puts the words of the driver and the JVM into an administrator's. */
  private static final List<Map.Entry<String, String>> WORDS = List.of(
      Map.entry("connection refused", "connection refused: nothing listens on that port"),
      Map.entry("UnknownHost|UnresolvedAddress|not known", "unknown host"),
      Map.entry("NotSslRecord|not an SSL/TLS record|Unsupported or unrecognized SSL",
          "it speaks without TLS, and CASSANDRA_SSL_CA is set"),
      Map.entry("unable to find valid certification path|PKIX",
          "its certificate is not signed by the CA of CASSANDRA_SSL_CA"),
      Map.entry("certificate_required|bad_certificate",
          "it wants a certificate: CASSANDRA_SSL_CERT and CASSANDRA_SSL_KEY"),
      Map.entry("timed out|Timeout", "no answer in time: perhaps this is not its CQL port"),
      Map.entry("Connection reset|ClosedChannel|Lost connection|connection was closed",
          "the connection was closed: perhaps it wants TLS, or this is not its CQL port"));

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
          : "CASSANDRA_PASSWORD is set, but CASSANDRA_USER is not",
          "set CASSANDRA_USER and CASSANDRA_PASSWORD or CASSANDRA_PASSWORD_FILE");
    }
    return new CassandraConnection(connection.contactPoints(), user, password);
  }

  static CassandraConnection parse(String text) {
    if (text == null || text.isBlank()) {
      throw new Failure(Exit.USAGE, "CASSANDRA_CONNECTION is " + (text == null ? "not set" : "blank"),
          FORMS + "; are the settings loaded (restore.env)?");
    }
    var arguments = new Arguments();
    try {
      var tokens = Pattern.compile("'([^']*)'|\"([^\"]*)\"|(\\S+)")
          .matcher(text.strip().replaceAll("\\G([^\\s,]+)\\s*,\\s*", "$1,")).results()
          .map(m -> m.group(1) != null ? m.group(1) : m.group(2) != null ? m.group(2) : m.group(3));
      // A password may begin with @, which picocli would take for a file of arguments.
      new CommandLine(arguments).setExpandAtFiles(false).parseArgs(tokens.toArray(String[]::new));
    } catch (CommandLine.ParameterException e) {
      // Not its own message, which would repeat a password.
      throw new Failure(Exit.USAGE, "CASSANDRA_CONNECTION is not understood", FORMS);
    }
    var second = Optional.ofNullable(arguments.portOrUser);
    var port = second.filter(word -> word.matches("\\d+")).map(CassandraConnection::port).orElse(9042);
    var user = second.filter(word -> !word.matches("\\d+")).or(() -> Optional.ofNullable(arguments.user));
    var hosts =
        Stream.of(arguments.hosts.split(",")).filter(host -> !host.isBlank()).map(host -> address(host, port)).toList();
    return new CassandraConnection(hosts, user, Optional.ofNullable(arguments.password));
  }

  private static InetSocketAddress address(String host, int port) {
    var parts = Pattern.compile("\\[(?<v6>[^]]+)](:(?<port6>\\d+))?|(?<v4>[^:]+):(?<port4>\\d+)").matcher(host);
    if (!parts.matches()) {
      return new InetSocketAddress(host, port);
    }
    var own = parts.group("v6") != null ? parts.group("port6") : parts.group("port4");
    return new InetSocketAddress(parts.group("v6") != null ? parts.group("v6") : parts.group("v4"),
        own == null ? port : port(own));
  }

  private static int port(String text) {
    var port = text.length() > 5 ? 0 : Integer.parseInt(text);
    if (port < 1 || port > 65_535) {
      throw new Failure(Exit.USAGE, "CASSANDRA_CONNECTION names port %s, which no host has".formatted(text),
          "ports are numbers from 1 to 65535, Cassandra's is mostly 9042");
    }
    return port;
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
          "check CASSANDRA_USER and CASSANDRA_PASSWORD or CASSANDRA_PASSWORD_FILE: a superuser's; TheHive's own"
              + " role does not suffice",
          failed);
    }
    var causes = errors.stream().flatMap(error -> Stream.iterate(error, Objects::nonNull, Throwable::getCause))
        .map(Throwable::toString)
        .collect(Collectors.joining("\n"));
    var text = contactPoints.stream().map(CassandraConnection::refusal).flatMap(Optional::stream).findFirst().orElse("")
        + "\n" + causes;
    var words = ConnectionError.find(WORDS, text).orElseGet(failed::getMessage);
    return new Failure(Exit.UNREACHABLE, "cannot reach Cassandra at %s: %s".formatted(named(), words),
        "is it started, is CASSANDRA_CONNECTION right, does it want TLS (CASSANDRA_SSL_CA)?", failed);
  }

  /** The error of a plain connection: the driver calls every failure to connect a closed channel. */
  private static Optional<String> refusal(InetSocketAddress point) {
    try (var socket = new Socket()) {
      socket.connect(new InetSocketAddress(point.getHostString(), point.getPort()), 3_000);
      return Optional.empty();
    } catch (IOException e) {
      return Optional.of(e.toString());
    }
  }
}

/** Rights on a keyspace, which go with it when it is dropped. */
record CassandraGrants(CqlSession session, String keyspace) {
  /**
   * True if authorisation is on. Throws if the user is not a superuser then: only one may do, and see, all of a
   * restore.
   */
  boolean requireSuperuser(String user) {
    try {
      session.execute("LIST ALL PERMISSIONS OF " + CassandraCluster.quoted(user));
    } catch (InvalidQueryException | UnauthorizedException e) {
      return false; // there is no authorisation, or nobody has to log in
    }
    for (var role : session.execute("LIST ROLES OF " + CassandraCluster.quoted(user))) {
      if (role.getBoolean("super")) {
        return true;
      }
    }
    throw new Failure(Exit.AUTHENTICATION, "Cassandra's role %s is not a superuser".formatted(user),
        "log in as a superuser: the restore empties or drops, creates and grants");
  }

  boolean hasRole(String role) {
    for (var row : session.execute("LIST ROLES")) {
      if (row.getString("role").equals(role)) {
        return true;
      }
    }
    return false;
  }

  /** The statement that gives a role all rights on the keyspace. */
  String all(String role) {
    return "GRANT ALL PERMISSIONS ON KEYSPACE %s TO %s".formatted(CassandraCluster.quoted(keyspace),
        CassandraCluster.quoted(role));
  }

  /** The statements that grant again what is granted now on the keyspace and on these tables of it. */
  Set<String> present(Collection<String> tables) {
    var grants = new TreeSet<String>();
    var resources =
        Pattern.compile("<(keyspace|all tables in|table) %s(?:\\.(\\w+))?>".formatted(Pattern.quote(keyspace)));
    for (var row : session.execute("LIST ALL PERMISSIONS")) {
      var resource = resources.matcher(row.getString("resource"));
      if (resource.matches() && (resource.group(2) == null || tables.contains(resource.group(2)))) {
        grants.add("GRANT %s ON %s TO %s".formatted(row.getString("permission"),
            resource(resource.group(1), resource.group(2)),
            CassandraCluster.quoted(row.getString("role"))));
      }
    }
    return grants;
  }

  private String resource(String kind, String table) {
    return switch (kind) {
      case "keyspace" -> "KEYSPACE " + CassandraCluster.quoted(keyspace);
      case "table" -> "TABLE %s.%s".formatted(CassandraCluster.quoted(keyspace), CassandraCluster.quoted(table));
      default -> "ALL TABLES IN KEYSPACE " + CassandraCluster.quoted(keyspace);
    };
  }
}

/**
 * All that the plan says and the restore needs to know; made by the checks, before the first change.
 *
 * @param doubt what says that the backup is a part of the ring, or that this cannot be told; empty for the whole
 * @param target the keyspace as it will be
 * @param live the keyspace as it is; empty where there is none
 * @param rows about how many rows each live table holds, where that is known
 * @param cluster the cluster's name
 * @param usage bytes of the live keyspace on the node that has most of it; 0 where that is not known
 * @param rooms the nodes on this host
 * @param grants statements to run when the keyspace is there
 * @param withoutSnapshot nodes that do not keep what is removed
 */
record CassandraPlan(CassandraBackup contents, Optional<String> doubt, KeyspaceDefinition target,
    Optional<KeyspaceDefinition> live, Map<String, RowEstimate> rows,
    String cluster, List<Node> nodes, String version, long usage, List<NodeRoom> rooms, List<String> grants,
    Optional<ServerEncryptionOptions> encryption, List<String> withoutSnapshot, Path work) {
  /** True if the tables only need to be emptied. */
  boolean keepsDefinition() {
    return live.filter(target::isEquivalentTo).isPresent();
  }

  /** The addresses of the nodes by their data centre. */
  SortedMap<String, List<String>> dataCentres() {
    return nodes.stream().collect(Collectors.groupingBy(node -> String.valueOf(node.getDatacenter()), TreeMap::new,
        Collectors.mapping(CassandraCluster::host, Collectors.toList())));
  }

  int copies() {
    return Replication.copies(target.replication(), List.copyOf(dataCentres().keySet()));
  }

  /** Bytes to stream, to all nodes together. */
  long bytes() {
    return contents.bytes() * copies();
  }

  /** Bytes that arrive at a node, about; where data centres differ, in the one whose nodes get most. */
  long bytesForEachNode() {
    if (target.replication().get("class").equals("SimpleStrategy")) {
      return Math.min(contents.bytes(), bytes() / nodes.size());
    }
    return dataCentres().entrySet().stream().mapToLong(centre -> {
      var copies = Replication.copies(target.replication(), List.of(centre.getKey()));
      return Math.min(contents.bytes(), contents.bytes() * copies / centre.getValue().size());
    }).max().orElseThrow();
  }

  List<String> tables() {
    return contents.tables().stream().map(CassandraBackup.Table::name).toList();
  }

  List<String> lines() {
    var lines = new ArrayList<String>();
    lines.add("backup proven: %s, %s in %s".formatted(Count.of(contents.tables().size(), "table"),
        Console.size(contents.bytes()), Count.of(contents.sstables(), "SSTable")));
    lines.add(doubt.map(text -> "warning: " + text).orElse("the whole ring: " + contents.coverage().text()));
    lines.add("target: keyspace %s of cluster %s, Cassandra %s".formatted(target.keyspace(), cluster, version));
    dataCentres().forEach((name, hosts) -> lines.add("  data centre %s, %s: %s".formatted(
        name, Count.of(hosts.size(), "node"), String.join(", ", hosts))));
    lines.add("replication: " + Replication.text(target.replication()));
    withoutCopies()
        .forEach(name -> lines.add("  no copies in data centre %s: the replication does not name it".formatted(name)));
    lines.addAll(changes());
    lines.addAll(room());
    lines.add("→ unpack to %s and stream %d × %s%s".formatted(work, copies(), Console.size(contents.bytes()),
        encryption.map(any -> ", encrypted").orElse("")));
    grants.forEach(grant -> lines.add("→ " + grant));
    return lines;
  }

  /** Data centres of the cluster that would get nothing. */
  private List<String> withoutCopies() {
    return target.replication().get("class").equals("NetworkTopologyStrategy")
        ? dataCentres().keySet().stream().filter(name -> Replication.copies(target.replication(), List.of(name)) == 0)
            .toList()
        : List.of();
  }

  private List<String> changes() {
    var lines = new ArrayList<String>();
    if (live.isEmpty()) {
      lines.add("→ create keyspace %s: it does not exist".formatted(target.keyspace()));
    } else if (keepsDefinition()) {
      lines.add("→ truncate %s%s: same definition as in the backup, grants stay"
          .formatted(Count.of(contents.tables().size(), "table"), now()));
    } else {
      lines.add("→ drop and create keyspace %s%s: its definition differs from the backup's".formatted(target.keyspace(),
          now()));
      lines.addAll(differences());
    }
    return lines;
  }

  private String now() {
    return rows.values().stream().reduce(RowEstimate::plus).map(sum -> " with %s now".formatted(sum)).orElse("");
  }

  private List<String> differences() {
    var lines = new ArrayList<String>();
    new DefinitionComparison(target, live.orElseThrow()).lines().forEach(line -> lines.add("  " + line));
    rows.forEach((table, estimate) -> {
      if (!target.tables().containsKey(table)) {
        lines.add("  table %s, which goes, has %s now".formatted(table, estimate));
      }
    });
    return lines;
  }

  private List<String> room() {
    var lines = new ArrayList<String>();
    if (live.isPresent()) {
      lines.add(withoutSnapshot.isEmpty()
          ? "each node keeps what is removed as a snapshot (auto_snapshot)%s: nodetool clearsnapshot frees it later"
              .formatted(usage == 0 ? "" : ", at most " + Console.size(usage))
          : "what is removed is gone for good on %s: auto_snapshot is off"
              .formatted(String.join(", ", withoutSnapshot)));
    }
    var free = rooms.stream().map(room -> "%s has %s".formatted(room.node(), Console.size(room.free())))
        .collect(Collectors.joining(", "));
    lines.add("each node needs about %s free on its disk: %s".formatted(Console.size(bytesForEachNode()),
        rooms.size() == nodes.size() ? free
        : free.isEmpty() ? "not known here, see df there" : free + "; of the others not known here, see df there"));
    rooms.stream().filter(room -> room.held() > 0)
        .forEach(room -> lines.add("snapshots of what earlier restores removed hold %s on %s: %s".formatted(
        Console.size(room.held()), room.node(), NodeRoom.removal(target.keyspace()))));
    return lines;
  }
}

/** Restores the keyspace from the backup of Cassandra. */
final class CassandraRestore implements Database {
  private static final String READER = "verify";

  /**
   * The options of one run.
   *
   * @param replication in place of the backup's; null for the backup's
   * @param throttle limit for streaming in MB a second; 0 for none
   * @param connections streams for each table and node
   * @param partialRing true to restore a backup that holds only a part of the ring
   */
  record Options(String replication, boolean partialRing, int throttle, int connections) {
    Options {
      if (throttle < 0 || connections < 1) {
        throw new Failure(Exit.USAGE,
            throttle < 0 ? "--throttle %d is not a rate".formatted(throttle)
                : "--connections-per-host %d is too few".formatted(connections),
            throttle < 0 ? "MB a second, or 0 for no limit" : "1 or more");
      }
    }
  }

  private final String script;
  private final CassandraSettings settings;
  private final Options options;
  private final Optional<String> archivePassword;
  private final RestoreConsole console;
  private final List<Archive> archives = new ArrayList<>();
  private List<Backup> backups;
  private CassandraCluster cluster;
  private CassandraPlan plan;
  private KeyspaceStreaming streaming;

  CassandraRestore(String script, CassandraSettings settings, Options options, Optional<String> archivePassword,
      RestoreConsole console) {
    this.script = script;
    this.settings = settings;
    this.options = options;
    this.archivePassword = archivePassword;
    this.console = console;
  }

  @Override
  public Name name() {
    return Name.CASSANDRA;
  }

  @Override
  public List<Backup> choose(String point, Duration gap) {
    var chosen = BackupSet.ofNodes(settings.archives()).chooseAll(point, gap);
    chosen.warnings().forEach(warning -> console.warn("%s", warning));
    backups = chosen.backups();
    return backups;
  }

  @Override
  public void check(JsonNode unfinished) {
    try {
      plan = makePlan(unfinished);
    } catch (DriverException e) {
      throw CassandraCluster.failure(e);
    } catch (InterruptedException e) {
      throw new IllegalStateException(e);
    }
  }

  private CassandraPlan makePlan(JsonNode unfinished) throws InterruptedException {
    var opened = CompletableFuture.supplyAsync(() -> CassandraCluster.open(settings, script));
    TableStreaming.initialise(options.throttle(), work());
    backups
        .forEach(backup -> archives.add(Archive.openSeekable(backup.file(), archivePassword, settings.workFolder())));
    var proof = CompletableFuture.supplyAsync(() -> CassandraBackup.prove(archives, settings.keyspace()));
    cluster = opened.join();
    requireNodes();
    requireNoOtherClients();
    var ports = new StoragePorts(cluster, settings.internode());
    var encryption = ports.encryption();
    ports.requireReachable(cluster.nodes(), encryption.isPresent());
    var rows = CompletableFuture.supplyAsync(() -> RowEstimate.of(cluster.session(), settings.keyspace()));
    var contents = proof.join();
    var doubt = doubt(contents);
    var target = target(contents.definition());
    Replication.require(target.replication(), cluster.dataCentres());
    var grants = grants(unfinished, target);
    requireRoom(contents.bytes());
    var nodes = cluster.nodes();
    var rooms = nodes.stream().flatMap(node -> NodeRoom.of(cluster, node, settings.keyspace()).stream()).toList();
    var withoutSnapshot = nodes.stream().filter(node -> cluster.setting(node, "auto_snapshot").equals("false"))
        .map(CassandraCluster::host).toList();
    var made = new CassandraPlan(contents, doubt, target, cluster.describe(), rows.join(), cluster.name(), nodes,
        cluster.version(), cluster.usage(), rooms,
        grants, encryption, withoutSnapshot, work());
    rooms.forEach(room -> room.require(
        made.bytesForEachNode() - (withoutSnapshot.contains(room.node()) ? made.usage() : 0), settings.keyspace()));
    return made;
  }

  /** All must answer, agree on one schema and be neither joining nor leaving; and clients must see all of them. */
  private void requireNodes() throws InterruptedException {
    var health = cluster.health();
    health.requireNoProblem();
    if (!health.gossip()) {
      console.warn("this Cassandra does not tell whether nodes are joining or leaving: look at nodetool status");
    }
    cluster.awaitSchemaAgreement();
    if (!cluster.partitioner().equals(Murmur3Partitioner.class.getName())) {
      throw new Failure(Exit.UNSAFE, "Cassandra's partitioner %s is not supported".formatted(cluster.partitioner()),
          "only Murmur3Partitioner, the default, is");
    }
  }

  /** TheHive or anything else that still writes would mix its rows into the restored ones. */
  private void requireNoOtherClients() {
    var others = cluster.otherClients(script, READER);
    if (!others.isEmpty()) {
      console.refuseUnlessForced(
          new Failure(Exit.UNSAFE, "other clients are connected to Cassandra: " + String.join(", ", others),
          "stop TheHive on every node: ./jbang service-control.java stop; --force if they do not write"));
    }
  }

  /** Throws if the backup is a part of the ring; returns what its few partitions leave open. */
  private Optional<String> doubt(CassandraBackup contents) {
    var missing = contents.missingParts();
    if (!missing.isEmpty()) {
      var text = "the backup holds only a part of the ring: " + String.join("; ", missing);
      if (!options.partialRing()) {
        throw new Failure(Exit.BAD_BACKUP, text,
            "restore the archives of all nodes together: name their folders in CASSANDRA_GENERAL_ARCHIVE_PATH,"
            + " with commas; --partial-ring restores this part alone, and what it lacks is lost");
      }
      return Optional.of(text);
    }
    return RingDoubt.of(contents.coverage(), cluster.tokens(), contents.definition().replication(), archives.size());
  }

  private KeyspaceDefinition target(KeyspaceDefinition backup) {
    return options.replication() == null ? backup
        : backup.withReplication(KeyspaceDefinition.replication(options.replication()));
  }

  /** Dropping a keyspace drops the grants on it: those there are now, those an interrupted run noted, and TheHive's. */
  private List<String> grants(JsonNode unfinished, KeyspaceDefinition target) {
    var present = new CassandraGrants(cluster.session(), settings.keyspace());
    var user = settings.connection().user();
    if (user.isEmpty() || !present.requireSuperuser(user.get())) {
      return List.of();
    }
    var grants = new TreeSet<>(present.present(target.tables().keySet()));
    unfinished.path("grants").forEach(grant -> grants.add(grant.asText()));
    if (present.hasRole(settings.role())) {
      grants.add(present.all(settings.role()));
    } else {
      console.warn("there is no role %s to grant keyspace %s to: create it, or set CASSANDRA_THEHIVE_USER",
          settings.role(), settings.keyspace());
    }
    return List.copyOf(grants);
  }

  private Path work() {
    return settings.workFolder().resolve("." + script + ".unpacked");
  }

  private void requireRoom(long bytes) {
    var folder = settings.workFolder();
    var hint = "name another folder with RESTORE_WORK_PATH";
    try {
      // What a killed run left unpacked is removed before anything is unpacked again.
      var free = Files.getFileStore(folder).getUsableSpace()
          + (Files.exists(work()) ? FileUtils.sizeOfDirectory(work().toFile()) : 0);
      if (free < bytes + bytes / 10) {
        throw new Failure(Exit.UNSAFE,
            "%s has %s free, unpacking needs %s".formatted(folder, Console.size(free), Console.size(bytes)), hint);
      }
      if (!Files.isWritable(folder)) {
        throw new Failure(Exit.UNSAFE, "cannot write to " + folder, hint);
      }
    } catch (IOException e) {
      throw new Failure(Exit.UNSAFE, "cannot use %s to unpack: %s".formatted(folder, Failure.of(e).getMessage()), hint);
    }
  }

  @Override
  public String cluster() {
    return plan.cluster();
  }

  @Override
  public List<String> plan() {
    return plan.lines();
  }

  @Override
  public void prepare() throws InterruptedException {
    requireStillSafe();
  }

  /**
   * Proof, question and the other database may have taken long: what was true of nodes and clients then must be true
   * now.
   */
  private void requireStillSafe() throws InterruptedException {
    try {
      requireNodes();
      requireNoOtherClients();
      var planned = plan.nodes().stream().map(CassandraCluster::host).sorted().toList();
      var present = cluster.nodes().stream().map(CassandraCluster::host).sorted().toList();
      if (!planned.equals(present)) {
        throw new Failure(Exit.UNSAFE, "the cluster's nodes are others than in the plan: %s instead of %s".formatted(
            String.join(", ", present), String.join(", ", planned)), "run the same command again");
      }
    } catch (DriverException e) {
      throw CassandraCluster.failure(e);
    }
  }

  @Override
  public void restore(RestoreRun run) throws Exception {
    requireStillSafe();
    run.remember("grants", plan.grants());
    streaming =
        new KeyspaceStreaming(cluster, plan.target(), plan.encryption(), options.connections(), run.steps, console);
    var workers = Executors.newFixedThreadPool(plan.contents().tables().size() + 1, Console::daemon);
    try (var unpacked = new UnpackedTables(plan.work(), settings.keyspace())) {
      var folders = plan.contents().tables().stream()
          .collect(Collectors.toMap(table -> table, table -> workers.submit(() -> unpacked.unpack(table))));
      run.steps.time(name(), plan.keepsDefinition() ? "truncate" : "create the keyspace", this::emptyKeyspace);
      streaming.stream(plan.nodes(), folders, workers);
      requireNoLateClients();
      run.steps.time(name(), "grant", () -> plan.grants().forEach(cluster.session()::execute));
      GraphSettings.read(cluster.session(), settings.keyspace(), Instant.MAX).flatMap(GraphSettings::advice)
          .ifPresent(text -> console.warn("%s", text));
    } catch (DriverException e) {
      throw CassandraCluster.failure(e);
    } finally {
      workers.shutdownNow();
    }
  }

  private void emptyKeyspace() throws InterruptedException {
    var reset = new KeyspaceReset(cluster, plan.target(), plan.nodes());
    if (plan.keepsDefinition()) {
      console.step("Truncating %s of %s", Count.of(plan.tables().size(), "table"), settings.keyspace());
      reset.truncate(plan.tables());
      return;
    }
    if (plan.live().isPresent()) {
      console.step("Dropping keyspace %s", settings.keyspace());
      reset.drop();
    }
    console.step("Creating keyspace %s as in the backup", settings.keyspace());
    reset.create();
  }

  private void requireNoLateClients() {
    var others = cluster.otherClients(script, READER);
    if (!others.isEmpty() && !console.force) {
      throw new Failure(Exit.PARTIAL,
          "other clients came while Cassandra was restored and may have written to it: " + String.join(", ", others),
          "stop TheHive on every node, ./jbang service-control.java stop, and run the same command again");
    }
  }

  @Override
  public String state() {
    return plan == null ? "" : "Cassandra %d of %d tables".formatted(streaming == null ? 0 : streaming.tablesDone(),
        plan.contents().tables().stream().filter(table -> !table.sstables().isEmpty()).count());
  }

  @Override
  public long done() {
    return streaming == null ? 0 : Math.min(streaming.streamed(), total());
  }

  @Override
  public long total() {
    return plan.bytes();
  }

  @Override
  public long size() {
    return plan.contents().bytes();
  }

  @Override
  public Map<String, Object> summary() {
    var tables = plan.contents().tables().stream().map(table -> Map.of("name", table.name(), "sstables",
        table.sstables().size(), "bytes", table.bytes())).toList();
    var files = backups.stream().map(backup -> backup.file().toString()).toList();
    return Map.of("backup", backups.get(0).name(), "archive", files.get(0), "archives", files, "keyspace",
        settings.keyspace(), "sameDefinition", plan.keepsDefinition(), "replication", plan.target().replication(),
        "cluster", plan.cluster(), "version", plan.version(), "tables", tables, "grants", plan.grants());
  }

  @Override
  public void close() throws IOException {
    if (cluster != null) {
      cluster.close();
    }
    for (var archive : archives) {
      archive.close();
    }
  }
}

/**
 * The addresses of Cassandra, the log-in, and the folders of its backups.
 *
 * @param role gets the grants on the keyspace
 * @param workFolder where SSTables are unpacked
 * @param client TLS of the client port; empty where it has none
 * @param internode TLS of the port on which nodes talk to each other; empty where no files are named
 */
record CassandraSettings(CassandraConnection connection, String keyspace, List<Path> archives, String role,
    Path workFolder,
    Optional<Pem> client, Optional<Pem> internode) {
  static final Variable CONNECTION = Variable.optional("CASSANDRA_CONNECTION");
  static final Variable USER = Variable.optional("CASSANDRA_USER");
  static final Variable PASSWORD = Variable.secret("CASSANDRA_PASSWORD");
  static final Variable KEYSPACE = Variable.withDefault("CASSANDRA_KEYSPACE", "thehive");
  static final Variable ARCHIVES = ArchiveFolders.CASSANDRA;
  static final Variable ROLE = Variable.withDefault("CASSANDRA_THEHIVE_USER", "thehive");
  static final Variable WORK = Variable.optional("RESTORE_WORK_PATH");
  static final Variable CA = Variable.optional("CASSANDRA_SSL_CA");
  static final Variable CERTIFICATE = Variable.optional("CASSANDRA_SSL_CERT");
  static final Variable KEY = Variable.optional("CASSANDRA_SSL_KEY");
  static final Variable CA_PASSWORD = Variable.secret("CASSANDRA_SSL_CA_PASSWORD");
  static final Variable KEY_PASSWORD = Variable.secret("CASSANDRA_SSL_KEY_PASSWORD");
  static final Variable INTERNODE_CA = Variable.optional("CASSANDRA_INTERNODE_CA");
  static final Variable INTERNODE_CERTIFICATE = Variable.optional("CASSANDRA_INTERNODE_CERT");
  static final Variable INTERNODE_KEY = Variable.optional("CASSANDRA_INTERNODE_KEY");
  static final List<Variable> VARIABLES =
      List.of(CONNECTION, USER, PASSWORD, KEYSPACE, ARCHIVES, ROLE, WORK, CA, CERTIFICATE, KEY,
      CA_PASSWORD, KEY_PASSWORD, INTERNODE_CA, INTERNODE_CERTIFICATE, INTERNODE_KEY);

  /** Reads all of it, also log-in and addresses: for what talks to the cluster. */
  static CassandraSettings of(Settings settings) {
    return read(settings, CassandraConnection.of(settings));
  }

  /** Without log-in and addresses: for what reads the archives alone. */
  static CassandraSettings ofArchives(Settings settings) {
    return read(settings, null);
  }

  private static CassandraSettings read(Settings settings, CassandraConnection connection) {
    var archives = ArchiveFolders.cassandra(settings);
    var client = new Pem(settings.optionalPath(CA).orElse(null), settings.optionalPath(CERTIFICATE).orElse(null),
        settings.optionalPath(KEY).orElse(null), settings.secret(CA_PASSWORD).orElse(null),
        settings.secret(KEY_PASSWORD).orElse(null));
    return new CassandraSettings(connection, settings.text(KEYSPACE), archives, settings.text(ROLE),
        settings.optionalPath(WORK).orElse(archives.get(0)), Optional.of(client).filter(pem -> pem.ca() != null),
        Optional.of(internode(settings, client)).filter(pem -> pem.ca() != null && pem.certificate() != null
            && (pem.key() != null || pem.keyPassword() != null)));
  }

  /** Files of its own for the nodes' port, each where it is named; they are PEM files. */
  private static Pem internode(Settings settings, Pem client) {
    var ca = settings.optionalPath(INTERNODE_CA);
    var certificate = settings.optionalPath(INTERNODE_CERTIFICATE);
    return new Pem(ca.orElse(client.ca()), certificate.orElse(client.certificate()),
        settings.optionalPath(INTERNODE_KEY).orElse(client.key()),
        ca.isPresent() ? null : client.caPassword(), certificate.isPresent() ? null : client.keyPassword());
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
 * Compares what the nodes of a Cassandra cluster say of each other: gossip, which knows who is in the cluster, and each
 * node's own table system.peers_v2, from which clients learn of the others. A node that clients do not see gets no
 * rows.
 *
 * @param gossip empty where the nodes do not tell it (before Cassandra 4.1)
 * @param answered the nodes that were asked and answered
 * @param listed the rows of their tables
 */
record ClusterView(List<Gossip> gossip, Set<String> answered, List<Listed> listed) {
  private static final String WORKING = "every node must be up and normal: nodetool status";

  /** A node's state as gossip tells it, such as NORMAL, LEAVING, shutdown or LEFT. */
  record Gossip(String node, int port, String status) {
    boolean hasLeft() {
      return Set.of("LEFT", "removed").contains(status);
    }

    /** Without a status it is known by name only, such as after a restart of all others. */
    boolean isMember() {
      return !hasLeft() && !status.isEmpty();
    }
  }

  /**
   * A row of system.peers_v2.
   *
   * @param by the node in whose table it is
   * @param complete false where clients pass it over: without host_id, data centre, rack or tokens
   */
  record Listed(String by, String node, int port, boolean complete) {}

  /** A problem of a node, and what mends it. */
  record Problem(String node, String text, String mend) {
    @Override
    public String toString() {
      return text;
    }
  }

  /** Everything that makes the clients' picture of the cluster differ from the cluster, and nodes on the move. */
  List<Problem> problems() {
    var problems = new ArrayList<Problem>();
    gossip.stream().filter(state -> state.isMember() && !state.status().equals("NORMAL")).forEach(state ->
        problems.add(new Problem(state.node(), "Cassandra node %s is %s".formatted(state.node(),
            state.status().equals("shutdown") ? "down: it was stopped" : state.status()), WORKING)));
    problems.addAll(incomplete());
    problems.addAll(missing());
    problems.addAll(leftovers());
    return problems;
  }

  private Set<String> members() {
    return gossip.stream().filter(Gossip::isMember).map(Gossip::node).collect(Collectors.toCollection(TreeSet::new));
  }

  private Map<String, Set<String>> listers(boolean complete) {
    var listers = new TreeMap<String, Set<String>>();
    listed.stream().filter(row -> row.complete() == complete)
        .forEach(row -> listers.computeIfAbsent(row.node(), node -> new TreeSet<>()).add(row.by()));
    return listers;
  }

  private List<Problem> incomplete() {
    var problems = new ArrayList<Problem>();
    listers(false).forEach((node, by) -> {
      if (gossip.isEmpty() || members().contains(node)) {
        problems.add(new Problem(node,
            "clients do not see Cassandra node %s: its row in system.peers_v2 of %s is not complete (no host_id, say)"
            .formatted(node, names(by)), restart(by)));
      }
    });
    return problems;
  }

  /**
   * Nodes of the cluster that an answering node does not list. Without gossip, those that answer or that another lists.
   */
  private List<Problem> missing() {
    var all = new TreeSet<>(members());
    if (gossip.isEmpty()) {
      all.addAll(answered);
      listed.stream().filter(Listed::complete).map(Listed::node).forEach(all::add);
    }
    var rows = listed.stream()
        .collect(Collectors.groupingBy(Listed::node, Collectors.mapping(Listed::by, Collectors.toSet())));
    var problems = new ArrayList<Problem>();
    for (var node : all) {
      var without = new TreeSet<>(answered);
      without.remove(node);
      without.removeAll(rows.getOrDefault(node, Set.of()));
      if (without.isEmpty()) {
        continue;
      }
      var text =
          "clients do not see Cassandra node %s: it is not in system.peers_v2 of %s".formatted(node, names(without));
      var certain = !gossip.isEmpty() || answered.contains(node);
      problems.add(new Problem(node, text, certain ? restart(without)
          : "if nodetool status shows it, %s; if not, on %s: %s".formatted(restart(without), names(rows.get(node)),
              removal(node))));
    }
    return problems;
  }

  /** Rows of nodes that gossip does not know, or knows to have left. */
  private List<Problem> leftovers() {
    if (gossip.isEmpty()) {
      return List.of();
    }
    var known = gossip.stream().filter(state -> !state.hasLeft()).map(Gossip::node).collect(Collectors.toSet());
    var rows = new TreeMap<String, Set<String>>();
    listed.stream().filter(row -> !known.contains(row.node()))
        .forEach(row -> rows.computeIfAbsent(row.node(), node -> new TreeSet<>()).add(row.by()));
    var problems = new ArrayList<Problem>();
    rows.forEach((node, by) -> problems.add(new Problem(node,
        "Cassandra node %s is not in the cluster, only in system.peers_v2 of %s: a leftover row".formatted(node,
            names(by)),
        "remove it in cqlsh on %s: %s".formatted(names(by), removal(node)))));
    return problems;
  }

  private String removal(String node) {
    var ports = new LinkedHashSet<Integer>();
    listed.stream().filter(row -> row.node().equals(node)).forEach(row -> ports.add(row.port()));
    return ports.stream()
        .map(port -> "DELETE FROM system.peers_v2 WHERE peer = '%s' AND peer_port = %d;".formatted(node, port))
        .collect(Collectors.joining(" ")) + " DELETE FROM system.peers WHERE peer = '%s';".formatted(node);
  }

  private static String restart(Set<String> nodes) {
    return "restart Cassandra on %s, which writes the row again".formatted(names(nodes));
  }

  private static String names(Set<String> nodes) {
    return String.join(" and ", nodes);
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

/** Makes Cassandra's compressors, some of which need a native library that is unpacked into Java's temporary folder. */
final class Compressors {
  private Compressors() {}

  /** @throws ConfigurationException if there is no such compressor or it does not take these options */
  static ICompressor make(String name, Map<String, String> options, int chunkLength, int maxCompressedLength) {
    try {
      return new CompressionParams(name, chunkLength, maxCompressedLength, options).getSstableCompressor();
    } catch (ConfigurationException e) {
      throw missingLibrary(e).orElse(e);
    } catch (LinkageError e) {
      throw missingLibrary(e).orElseThrow();
    }
  }

  /** A failure that names the remedy, if what was thrown is for want of a native library. */
  static Optional<RuntimeException> missingLibrary(Throwable thrown) {
    for (var cause = thrown; cause != null; cause = cause.getCause()) {
      if (cause instanceof LinkageError || cause.getClass().getName().contains("SnappyError")) {
        return Optional.of(new Failure(Exit.UNSAFE,
            "a library that compressed tables need cannot be loaded: " + cause.getMessage(),
            "is %s mounted noexec? Name another folder: export JAVA_TOOL_OPTIONS=-Djava.io.tmpdir=<folder>".formatted(
                System.getProperty("java.io.tmpdir")), thrown));
      }
    }
    return Optional.empty();
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

/** Takes CQL text apart without understanding more of it than quotes, comments, statements and options of tables. */
final class CqlStatements {
  private static final Pattern TOKEN =
      Pattern.compile("(?s)'(?:[^']|'')*'|\"(?:[^\"]|\"\")*\"|\\$\\$.*?\\$\\$|--[^\n]*|//[^\n]*|/\\*.*?\\*/|;|.");
  private static final Pattern QUOTED = Pattern.compile("(?s)'(?:[^']|'')*'|\"(?:[^\"]|\"\")*\"|\\$\\$.*?\\$\\$");
  private static final Pattern OPTIONS = Pattern.compile("(?i) WITH ");
  private static final Pattern OPTION = Pattern.compile(
      "(?is)(WITH|AND) ((?<name>\\w+) ?= ?('[^']*'|\\{[^}]*}|[\\w.+-]+)|CLUSTERING ORDER BY \\([^)]*\\)|COMPACT"
          + " STORAGE)");

  private CqlStatements() {}

  /** Statements with single spaces, without comments and without the warnings that cqlsh prints among them. */
  static List<String> split(String cql) {
    var statements = new ArrayList<String>();
    var current = new StringBuilder();
    var text =
        cql.lines().filter(line -> !line.regionMatches(true, 0, "warning", 0, 7)).collect(Collectors.joining("\n"));
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

  /** A CREATE TABLE with only these options (a newer server writes more of them than an older one accepts). */
  static String withOptions(String table, Set<String> options) {
    var masked = masked(table);
    var first = OPTIONS.matcher(masked);
    if (!first.find()) {
      return table;
    }
    var from = first.start() + 1;
    var all = OPTION.matcher(masked.substring(from)).results().toList();
    var kept = all.stream()
        .filter(option -> option.group(3) == null || options.contains(option.group(3).toLowerCase(Locale.ROOT)))
        .map(option -> table.substring(from + option.start(2), from + option.end(2))).toList();
    if (kept.size() == all.size()) {
      return table;
    }
    return table.substring(0, first.start()) + (kept.isEmpty() ? "" : " WITH " + String.join(" AND ", kept));
  }

  /** The options that a CREATE TABLE names. */
  static Set<String> options(String table) {
    var masked = masked(table);
    var first = OPTIONS.matcher(masked);
    return !first.find() ? Set.of() : OPTION.matcher(masked.substring(first.start() + 1)).results()
        .filter(option -> option.group(3) != null).map(option -> option.group(3).toLowerCase(Locale.ROOT))
        .collect(Collectors.toSet());
  }

  /** The text with every quoted character replaced, so that patterns do not match inside quotes; of the same length. */
  private static String masked(String text) {
    return QUOTED.matcher(text).replaceAll(match -> {
      var quoted = match.group();
      return Matcher
          .quoteReplacement(quoted.charAt(0) + "_".repeat(quoted.length() - 2) + quoted.charAt(quoted.length() - 1));
    });
  }
}

/** One of TheHive's two databases: checked, planned and restored without knowing of the other. */
interface Database extends Closeable {
  /** The two of them, as {@code --only}, reports and markers name them. */
  enum Name {
    CASSANDRA("Cassandra"), ELASTICSEARCH("Elasticsearch");

    final String title;

    Name(String title) {
      this.title = title;
    }

    @Override
    public String toString() {
      return name().toLowerCase(Locale.ROOT);
    }
  }

  Name name();

  /**
   * Chooses the backups to restore; several where each node has its own.
   *
   * @param point the restore point that {@code --backup} names; null for the newest
   * @param gap backups of one restore point are at most this far apart
   */
  List<Backup> choose(String point, Duration gap);

  /** The source of a backup's data: its archive, or the snapshot that its marker stands for. */
  default String source(Backup backup) {
    return backup.file().toString();
  }

  /** Makes every check that can be made before the first change, and the plan. */
  void check(JsonNode unfinished) throws Exception;

  /** The name of the cluster, which is to be typed before it is overwritten; known after the check. */
  String cluster();

  /** The lines of the plan; those that begin with → are changes. */
  List<String> plan();

  /**
   * Begins what changes nothing live, such as copies beside the live data, and returns when it has shown that the
   * restore can go through. Nothing live is changed before all databases have returned.
   */
  default void prepare() throws Exception {}

  /** Takes back what {@link #prepare} began: the run ends without a change. */
  default void withdraw() throws Exception {}

  /** Carries the plan out; the run's marker remembers what a run after a killed one needs to know. */
  void restore(RestoreRun run) throws Exception;

  /** How far the restore is, in a few words. */
  String state();

  /** Bytes that are restored by now. */
  long done();

  /** Bytes to restore. */
  long total();

  /** Bytes of the backup, those that are restored several times once. */
  default long size() {
    return total();
  }

  /** The report's section about it. */
  Map<String, Object> summary();
}

/** The databases of one run, which do each step side by side. */
record Databases(List<Database> list) implements Closeable {
  /** A step of the restore. */
  interface Step {
    void run(Database database) throws Exception;
  }

  /** Runs a step of all databases at once and waits for all: a failure of one neither stops nor hides the other. */
  Map<Database.Name, Failure> sideBySide(Step step) {
    var failures = new ConcurrentHashMap<Database.Name, Failure>();
    var threads = list.stream().map(database -> new Thread(() -> {
      try {
        step.run(database);
      } catch (Throwable thrown) {
        failures.put(database.name(), Failure.of(thrown));
      }
    }, database.name().title)).toList();
    threads.forEach(Thread::start);
    threads.forEach(thread -> {
      try {
        thread.join();
      } catch (InterruptedException e) {
        throw new IllegalStateException(e);
      }
    });
    return failures.isEmpty() ? Map.of() : new EnumMap<>(failures);
  }

  /** The same, with the time that each takes for it. */
  Map<Database.Name, Failure> sideBySide(StepTimes times, String name, Step step) {
    return sideBySide(database -> times.time(database.name(), name, () -> step.run(database)));
  }

  /** Throws if the chosen backups are further apart than those of one run are. */
  static void requireOneRun(List<Backup> chosen, Duration gap) {
    var first = chosen.stream().min(Comparator.comparing(Backup::taken)).orElseThrow();
    var last = chosen.stream().max(Comparator.comparing(Backup::taken)).orElseThrow();
    var apart = Duration.between(first.taken(), last.taken());
    if (apart.compareTo(gap) > 0) {
      throw new Failure(Exit.BAD_BACKUP,
          "%s and %s were taken %s apart: database and index may not belong together".formatted(
              first.name(), last.name(), text(apart)),
          "choose a restore point that both have with --backup; to restore these all the same: --max-gap PT%dM"
          .formatted(apart.toMinutes() + 1));
    }
  }

  private static String text(Duration time) {
    return time.toDays() > 1 ? time.toDays() + " days" : time.toHours() > 1 ? time.toHours() + " hours"
        : time.toMinutes() + " minutes";
  }

  Set<String> names() {
    return list.stream().map(database -> database.name().toString()).collect(Collectors.toSet());
  }

  /** The names of those that did not fail. */
  Set<String> finished(Map<Database.Name, Failure> failed) {
    return list.stream().map(Database::name).filter(name -> !failed.containsKey(name)).map(Database.Name::toString)
        .collect(Collectors.toSet());
  }

  long done() {
    return list.stream().mapToLong(Database::done).sum();
  }

  long total() {
    return list.stream().mapToLong(Database::total).sum();
  }

  /** Bytes of the backups, by database. */
  Map<String, Long> sizes() {
    return list.stream().collect(Collectors.toMap(database -> database.name().toString(), Database::size));
  }

  String state() {
    return list.stream().map(Database::state).collect(Collectors.joining(", "));
  }

  /** The lines of each plan. */
  Map<String, List<String>> plans() {
    var all = new LinkedHashMap<String, List<String>>();
    list.forEach(database -> all.put(database.name().toString(), database.plan()));
    return all;
  }

  /** The report's section about each, with the reason where one failed. */
  Map<String, Object> summary(Map<Database.Name, Failure> failed) {
    var all = new LinkedHashMap<String, Object>();
    list.forEach(database -> all.put(database.name().toString(), database.summary()));
    if (!failed.isEmpty()) {
      all.put("errors", failed.values().stream().map(Failure::getMessage).toList());
      var failures = new LinkedHashMap<String, String>();
      failed.forEach((name, failure) -> failures.put(name.toString(), failure.getMessage()));
      all.put("failures", failures);
    }
    return all;
  }

  @Override
  public void close() throws IOException {
    for (var database : list) {
      database.close();
    }
  }
}

/** Compares the definition that a backup has of a keyspace with that of the live one. */
record DefinitionComparison(KeyspaceDefinition backup, KeyspaceDefinition live) {
  private static final UUID ID = new UUID(0, 0);
  private static final Pattern OPTION =
      Pattern.compile("(?m)^(?:\\) WITH|    AND) (?:(\\w+) = (.*?)|CLUSTERING ORDER BY .*?);?$");

  /**
   * The order of options, written-out defaults and columns that only the live keyspace had for a while do not count.
   */
  boolean isSame() {
    return backup.replication().equals(live.replication()) && backup.durable() == live.durable()
        && backup.tables().keySet().equals(live.tables().keySet())
        && new TreeSet<>(backup.others()).equals(new TreeSet<>(live.others()))
        && backup.tables().keySet().stream().allMatch(this::isSame);
  }

  private boolean isSame(String table) {
    var wanted = backup.table(table, ID);
    var present = live.table(table, ID);
    present = present.unbuild().droppedColumns(relevant(present, wanted)).build();
    // Some compressors are not equal to themselves; as text they are.
    return wanted.equals(present)
        || wanted.toCqlString(true, true, false).equals(present.toCqlString(true, true, false));
  }

  /** A dropped column hides only cells of its name that are older than the drop. */
  private static Map<ByteBuffer, DroppedColumn> relevant(
      org.apache.cassandra.schema.TableMetadata live, org.apache.cassandra.schema.TableMetadata backup) {
    var dropped = new HashMap<>(live.droppedColumns);
    dropped.keySet().removeIf(name -> backup.getColumn(name) == null && !backup.droppedColumns.containsKey(name));
    return dropped;
  }

  /** The changes that a restore makes to the live definition, one line each; empty if both are the same. */
  List<String> lines() {
    var lines = new ArrayList<String>();
    if (!backup.replication().equals(live.replication())) {
      lines.add("replication: now %s, then %s".formatted(
          Replication.text(live.replication()), Replication.text(backup.replication())));
    }
    if (backup.durable() != live.durable()) {
      lines.add("durable_writes: now %s, then %s".formatted(live.durable(), backup.durable()));
    }
    missing(live.tables().keySet(), backup.tables().keySet())
        .forEach(table -> lines.add("table %s is not in the backup: it goes, with all its rows".formatted(table)));
    missing(backup.tables().keySet(), live.tables().keySet())
        .forEach(table -> lines.add("table %s is only in the backup".formatted(table)));
    backup.tables().keySet().stream().filter(live.tables()::containsKey).filter(table -> !isSame(table))
        .forEach(table -> describe(table, lines));
    missing(live.others(), backup.others()).forEach(other -> lines.add("not in the backup, goes: " + beginning(other)));
    missing(backup.others(), live.others()).forEach(other -> lines.add("only in the backup: " + beginning(other)));
    return lines;
  }

  private static <T> List<T> missing(Iterable<T> all, Collection<T> present) {
    var missing = new ArrayList<T>();
    all.forEach(one -> {
      if (!present.contains(one)) {
        missing.add(one);
      }
    });
    return missing;
  }

  private static String beginning(String statement) {
    return statement.length() <= 100 ? statement : statement.substring(0, 100) + "…";
  }

  private void describe(String table, List<String> lines) {
    var now = live.table(table, ID);
    var then = backup.table(table, ID);
    var before = lines.size();
    differences("column", columns(now), columns(then), table, lines);
    differences("option", options(now), options(then), table, lines);
    if (!now.primaryKeyColumns().toString().equals(then.primaryKeyColumns().toString())) {
      lines.add("table %s: another primary key".formatted(table));
    }
    if (lines.size() == before) {
      lines.add("table %s: columns that were dropped, or when, differ".formatted(table));
    }
  }


  private static void differences(
      String kind, Map<String, String> now, Map<String, String> then, String table, List<String> lines) {
    var names = new TreeSet<>(now.keySet());
    names.addAll(then.keySet());
    for (var name : names) {
      var live = now.get(name);
      var backup = then.get(name);
      if (live == null || backup == null) {
        lines.add("table %s: %s %s is %s".formatted(
            table, kind, name, live == null ? "only in the backup" : "not in the backup"));
      } else if (!live.equals(backup)) {
        lines.add("table %s: %s %s: now %s, then %s".formatted(table, kind, name, live, backup));
      }
    }
  }

  private static Map<String, String> columns(org.apache.cassandra.schema.TableMetadata table) {
    var columns = new TreeMap<String, String>();
    for (var column : table.columns()) {
      columns.put(column.name.toCQLString(),
          column.type.asCQL3Type() + (column.isStatic() ? " static" : "") + place(column));
    }
    return columns;
  }

  private static String place(ColumnMetadata column) {
    return column.isPrimaryKeyColumn() ? " (key)" : "";
  }

  /** The options in Cassandra's own words, with all defaults. */
  private static Map<String, String> options(org.apache.cassandra.schema.TableMetadata table) {
    var options = new TreeMap<String, String>();
    OPTION.matcher(table.toCqlString(false, false, false)).results().filter(option -> option.group(1) != null)
        .forEach(option -> options.put(option.group(1), option.group(2)));
    return options;
  }
}

/** Tells if the nodes' disks have room for more shards, each whole on one node. */
record DiskRoom(List<Node> nodes) {
  /**
   * A data node.
   *
   * @param room bytes that may be filled until Elasticsearch gives it no more shards
   */
  record Node(String name, long room) {}

  /** From the answer of {@code _cat/allocation?bytes=b} and the low watermark: 85%, 0.85 or the bytes to keep free. */
  static DiskRoom of(JsonNode allocation, String watermark, Optional<String> headroom) {
    var nodes = new ArrayList<Node>();
    for (var node : allocation) {
      if (!node.path("node").asText().equals("UNASSIGNED")) {
        var reserve = reserve(node.path("disk.total").asLong(), watermark, headroom);
        nodes.add(new Node(node.path("node").asText(), Math.max(0, node.path("disk.avail").asLong() - reserve)));
      }
    }
    return new DiskRoom(nodes);
  }

  private static long reserve(long total, String watermark, Optional<String> headroom) {
    if (watermark.endsWith("b")) {
      return bytes(watermark);
    }
    var used =
        watermark.endsWith("%") ? Double.parseDouble(watermark.replace("%", "")) / 100 : Double.parseDouble(watermark);
    var share = Math.round(total * (1 - used));
    return headroom.filter(text -> text.endsWith("b")).map(text -> Math.min(share, bytes(text))).orElse(share);
  }

  private static long bytes(String text) {
    var unit = "b kb mb gb tb pb".indexOf(text.replaceFirst("^[\\d.]+", ""));
    return Math
        .round(Double.parseDouble(text.replaceFirst("[a-z]+$", "")) * Math.pow(1024, unit <= 0 ? 0 : (unit + 1) / 3));
  }

  long total() {
    return nodes.stream().mapToLong(Node::room).sum();
  }

  /** The size of a shard that no node has room for; empty where each of them finds a node. */
  Optional<Long> withoutRoom(Collection<Long> shards) {
    var most = nodes.stream().mapToLong(Node::room).max().orElse(0);
    return shards.stream().max(Comparator.naturalOrder()).filter(largest -> largest > most);
  }
}

/**
 * The addresses of ELASTICSEARCH_API_URL.
 *
 * @param path what stands before the API's own paths, such as {@code /es} behind a proxy; empty where there is nothing
 */
record ElasticsearchAddress(List<HttpHost> hosts, String path) {
  private static final Pattern URL =
      Pattern.compile(
          "(?:(?<scheme>https?)://)?(?<host>\\[[0-9A-Fa-f:.%]+]|[^/:@?#\\s\\[\\]]+)(?::(?<port>\\d+))?"
          + "(?<path>/[^?#\\s]*)?");

  static ElasticsearchAddress of(List<String> urls) {
    var all = urls.stream().map(ElasticsearchAddress::one).toList();
    if (all.stream().map(ElasticsearchAddress::path).distinct().count() > 1) {
      throw new Failure(Exit.USAGE,
          "the addresses in ELASTICSEARCH_API_URL have different paths: " + String.join(", ", urls),
          "give all of them the same path");
    }
    return new ElasticsearchAddress(all.stream().flatMap(address -> address.hosts.stream()).toList(), all.get(0).path);
  }

  private static ElasticsearchAddress one(String url) {
    if (url.contains("@")) {
      throw new Failure(Exit.USAGE, "ELASTICSEARCH_API_URL contains a user name",
          "set ELASTICSEARCH_USER and ELASTICSEARCH_PASSWORD instead");
    }
    var match = URL.matcher(url.strip());
    if (!match.matches()) {
      throw wrong("'%s' is not a URL".formatted(url));
    }
    var digits = match.group("port");
    var port = digits == null ? -1 : digits.length() > 5 ? Integer.MAX_VALUE : Integer.parseInt(digits);
    if (port == 0 || port > 65_535) {
      throw wrong("'%s' has port %s; ports are from 1 to 65535".formatted(url, digits));
    }
    var scheme = match.group("scheme") == null ? "http" : match.group("scheme");
    var path = match.group("path") == null ? "" : match.group("path").replaceFirst("/+$", "");
    return new ElasticsearchAddress(List.of(new HttpHost(match.group("host"), port, scheme)), path);
  }

  private static Failure wrong(String message) {
    return new Failure(Exit.USAGE, "ELASTICSEARCH_API_URL " + message, "such as http://127.0.0.1:9200");
  }

  @Override
  public String toString() {
    return hosts.stream().map(host -> host.toURI() + path).collect(Collectors.joining(", "));
  }
}

/** Elasticsearch's REST API (OpenSearch's too), answers as JSON, errors as failures. */
final class ElasticsearchApi implements Closeable {
  /** The answer where a thing does not exist, or where the distribution lacks that part of the API. */
  static final Set<Integer> ABSENT = Set.of(400, 404, 405);
  private final RestClient client;
  private final ElasticsearchAddress address;
  private volatile boolean answered;

  ElasticsearchApi(ElasticsearchSettings settings) {
    address = ElasticsearchAddress.of(settings.urls());
    var builder = RestClient.builder(address.hosts().toArray(HttpHost[]::new));
    if (!address.path().isEmpty()) {
      builder.setPathPrefix(address.path());
    }
    settings.authorization()
        .ifPresent(value -> builder.setDefaultHeaders(new Header[] {new BasicHeader("Authorization", value)}));
    settings.ca().ifPresent(ca -> builder.setHttpClientConfigCallback(http -> http.setSSLContext(
        Tls.context(Tls.trust(ca, settings.caPassword().orElse(null))))));
    builder.setRequestConfigCallback(config -> config.setConnectTimeout(5_000).setSocketTimeout(60_000));
    client = builder.build();
  }

  /** A path of these names, each encoded. */
  static String path(String... names) {
    return Stream.of(names)
        .map(name -> URLEncoder.encode(name, StandardCharsets.UTF_8).replace("+", "%20").replace("%2C", ","))
        .collect(Collectors.joining("/", "/", ""));
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

  /** An index that does not exist counts as deleted; any other answer is a failure. */
  void delete(String index) throws IOException {
    tryTo("DELETE", path(index), null, Set.of(404));
  }

  private JsonNode request(String method, String path, Object body) throws IOException {
    var request = new Request(method, path);
    if (body != null) {
      request.setJsonEntity(Json.MAPPER.writeValueAsString(body));
    }
    try {
      var response = client.performRequest(request);
      answered = true;
      return Json.MAPPER.readTree(response.getEntity().getContent());
    } catch (ResponseException e) {
      answered = true;
      throw e;
    } catch (JsonProcessingException e) {
      throw new Failure(Exit.USAGE, "%s does not answer as Elasticsearch does".formatted(address),
          "is ELASTICSEARCH_API_URL right?", e);
    } catch (IOException | RuntimeException e) {
      // A server that is stopped closes its connections, too.
      if (!answered && Stream.<Throwable>iterate(e, Objects::nonNull, Throwable::getCause)
          .anyMatch(ElasticsearchApi::isNotHttp)) {
        throw notHttp(e);
      }
      if (e instanceof RuntimeException unexpected) {
        throw unexpected;
      }
      throw new Failure(Exit.UNREACHABLE,
          "cannot reach Elasticsearch at %s: %s".formatted(address, ConnectionError.words(e)),
          "is it started, is ELASTICSEARCH_API_URL right? For https: ELASTICSEARCH_CA names its CA", e);
    }
  }

  private static boolean isNotHttp(Throwable cause) {
    return cause instanceof HttpException || cause instanceof ConnectionClosedException;
  }

  private Failure notHttp(Exception cause) {
    return new Failure(Exit.USAGE, "%s is not a port for HTTP".formatted(address),
        "ELASTICSEARCH_API_URL is the address of the REST API, by default port 9200; 9300 is the nodes' own", cause);
  }

  private Failure failure(String method, String path, ResponseException thrown) throws IOException {
    var entity = thrown.getResponse().getEntity();
    return new ElasticsearchError(address.toString(), method + " " + path,
        thrown.getResponse().getStatusLine().getStatusCode(),
        entity == null ? "" : EntityUtils.toString(entity)).failure(thrown);
  }

  @Override
  public String toString() {
    return address.toString();
  }

  @Override
  public void close() throws IOException {
    client.close();
  }
}

/** Asks all that must be known before a restore of Elasticsearch, and makes the plan; changes nothing. */
final class ElasticsearchChecks {
  private static final String DISK = "cluster.routing.allocation.disk.";
  private final ElasticsearchApi api;
  private final SnapshotSource source;
  private final ElasticsearchRestore.Options options;

  ElasticsearchChecks(ElasticsearchApi api, SnapshotSource source, ElasticsearchRestore.Options options) {
    this.api = api;
    this.source = source;
    this.options = options;
  }

  ElasticsearchPlan plan(String stamp, IndexReplacement replacement) throws IOException {
    var cluster = ElasticsearchCluster.ask(api);
    requireNothingUnderWay();
    source.requireRepository(cluster);
    var all = source.requireWhole(cluster);
    var wanted = requireWanted(all, options.indices());
    var names = wanted.stream().map(SnapshotIndex::name).collect(Collectors.toCollection(LinkedHashSet::new));
    source.requireNoneRunning(names::contains);
    cluster.requireChangeable(); // before the question for rights, which such a block refuses, too
    var rate = wantedRate(cluster);
    ElasticsearchRights.requireToRestore(api, names, rate.isPresent());
    source.requireRestorable(wanted, cluster);
    var live = LiveIndices.ask(api, names);
    live.requireReplaceable(api, names);
    cluster.requireDeletable(names);
    requireNoOtherRestore(
        names.stream().filter(name -> live.get(name).filter(LiveIndices.Index::open).isPresent()).toList());
    var leftovers = live.leftovers(names);
    var complete = new HashSet<String>();
    for (var index : wanted) {
      if (!options.inPlace() && leftovers.contains(index.copy(stamp)) && replacement.isComplete(index)) {
        complete.add(index.copy(stamp));
      }
    }
    var plan = new ElasticsearchPlan(api.toString(), cluster, source.name(), stamp, wanted,
        all.stream().map(SnapshotIndex::name).filter(name -> !name.startsWith(".") && !names.contains(name)).toList(),
        all.stream().map(SnapshotIndex::name).filter(name -> name.startsWith(".")).toList(),
        live, complete, leftovers, changed(live, names), RecoveryRate.now(cluster), rate);
    requireShardsAllowed(plan);
    requireRoom(plan);
    return plan;
  }

  /** A limit that the command line does not ask for is set only where the user may set it. */
  private Optional<String> wantedRate(ElasticsearchCluster cluster) throws IOException {
    var rate = RecoveryRate.wanted(options.recoveryRate(), cluster);
    var mayBe = options.recoveryRate() != null || rate.isEmpty() || ElasticsearchRights.mayChangeSettings(api);
    return mayBe ? rate : Optional.empty();
  }

  private Map<String, Instant> changed(LiveIndices live, Set<String> names) throws IOException {
    var changed = new HashMap<String, Instant>();
    for (var name : names) {
      if (live.get(name).filter(index -> index.documents() > 0).isPresent()) {
        NewestChange.of(api, name).ifPresent(time -> changed.put(name, time));
      }
    }
    return changed;
  }

  /** The snapshot's indices, or those of them that are named. */
  static List<SnapshotIndex> requireWanted(List<SnapshotIndex> all, List<String> named) {
    var own = all.stream().filter(index -> !index.name().startsWith(".")).toList();
    var names = own.stream().map(SnapshotIndex::name).toList();
    var unknown = named.stream().filter(name -> !names.contains(name)).toList();
    if (!unknown.isEmpty()) {
      throw new Failure(Exit.USAGE,
          "the snapshot does not contain %s but %s".formatted(String.join(", ", unknown), String.join(", ", names)),
          "check --index");
    }
    if (own.isEmpty()) {
      throw new Failure(Exit.BAD_BACKUP, all.isEmpty() ? "the snapshot contains no index"
          : "the snapshot contains no index of TheHive, only "
              + all.stream().map(SnapshotIndex::name).collect(Collectors.joining(", ")),
          "choose another with --backup");
    }
    if (named.isEmpty() && names.stream().noneMatch(LiveIndices::isMain)) {
      throw new Failure(Exit.BAD_BACKUP,
          "the snapshot does not contain TheHive's main index, such as thehive_global, but %s"
              .formatted(String.join(", ", names)),
          "choose another with --backup; if that index has another name, give all names with --index");
    }
    return named.isEmpty() ? own : own.stream().filter(index -> named.contains(index.name())).toList();
  }

  /**
   * First of all: a node with few cores answers what is asked of snapshots only when a restore or a snapshot that is
   * under way has ended.
   */
  private void requireNothingUnderWay() throws IOException {
    var named = options.indices();
    requireNoOtherRestore(named.isEmpty() ? List.of("*_global*") : named);
    source.requireNoneRunning(named.isEmpty() ? LiveIndices::isMain : named::contains);
  }

  /**
   * Another tool's restore, such as the documented script's, that is still at work on the same indices.
   *
   * @param names may contain wildcards
   */
  private void requireNoOtherRestore(List<String> names) throws IOException {
    for (var group : names.isEmpty() ? List.<String>of() : ShardWatch.groups(names)) {
      for (var index : api.get(ElasticsearchApi.path(group, "_recovery") + "?active_only=true&ignore_unavailable=true")
          .properties()) {
        if (!LiveIndices.isCopy(index.getKey()) && index.getValue().path("shards").valueStream()
            .anyMatch(shard -> shard.path("type").asText().equals("SNAPSHOT"))) {
          throw new Failure(Exit.UNSAFE, "%s is being restored from a snapshot right now".formatted(index.getKey()),
              "wait for the end of that restore");
        }
      }
    }
  }

  /**
   * The live indices, their copies, and an index with its clone that shows whether cloning works are open at the same
   * time.
   */
  private void requireShardsAllowed(ElasticsearchPlan plan) throws IOException {
    var open = 0;
    for (var index : api
        .tryTo("GET", "/_cat/indices?format=json&h=status,pri,rep&expand_wildcards=all", null, Set.of(403))
        .orElse(MissingNode.getInstance())) {
      open += index.path("status").asText().equals("open") ? index.path("pri").asInt() * (1 + index.path("rep").asInt())
          : 0;
    }
    var more = 2 + plan.indices().stream().filter(index -> !plan.complete().contains(index.copy(plan.stamp())))
        .mapToInt(SnapshotIndex::shards).sum();
    var allowed = plan.cluster().dataNodes()
        * plan.cluster().setting("cluster.max_shards_per_node").map(Integer::parseInt).orElse(Integer.MAX_VALUE / 1000);
    if (open - leftShards(plan) + more > allowed) {
      throw new Failure(Exit.UNSAFE,
          "the restore needs %d more shards, but %d are open and the cluster allows %d".formatted(more, open, allowed),
          "raise cluster.max_shards_per_node, or delete indices that nobody needs");
    }
  }

  /** At least so many shards does the removal of leftovers close. */
  private static int leftShards(ElasticsearchPlan plan) {
    return plan.indices().stream().allMatch(plan::isLive) ? plan.useless().size() : 0;
  }

  /** Leaves every node the part of its disk without which Elasticsearch gives it no more shards. */
  private void requireRoom(ElasticsearchPlan plan) throws IOException {
    var cluster = plan.cluster();
    var watched = cluster.setting(DISK + "threshold_enabled").map(Boolean::parseBoolean).orElse(true);
    var disks = DiskRoom.of(api.get("/_cat/allocation?format=json&bytes=b"),
        watched ? cluster.setting(DISK + "watermark.low").orElse("85%") : "100%",
        cluster.setting(DISK + "watermark.low.max_headroom"));
    var missing = plan.indices().stream().filter(index -> !plan.complete().contains(index.copy(plan.stamp()))).toList();
    var bytes = missing.stream().mapToLong(SnapshotIndex::bytes).sum();
    var freed = freed(plan);
    if (disks.total() + freed < bytes) {
      throw new Failure(Exit.UNSAFE, "Elasticsearch has room for %s, a second copy of %s needs %s".formatted(
          Console.size(disks.total() + freed), String.join(", ", plan.names()), Console.size(bytes)),
          "free some%s"
              .formatted(options.inPlace() ? "" : ", or restore with --in-place (deletes the live indices first)"));
    }
    var homeless = freed > 0 ? disks.withoutRoom(List.of())
        : disks.withoutRoom(missing.stream().map(SnapshotIndex::largestShard).toList());
    if (homeless.isPresent()) {
      throw new Failure(Exit.UNSAFE,
          "no Elasticsearch node has room for a shard of %s below its disk watermark"
              .formatted(Console.size(homeless.get())),
          "free some on one node, or restore with --in-place (deletes the live indices first)");
    }
  }

  /**
   * Bytes of what is removed first: an interrupted run's copies, where they cannot be the only ones, and with
   * --in-place the live indices.
   */
  private long freed(ElasticsearchPlan plan) {
    var live = plan.indices().stream().allMatch(plan::isLive);
    var first = new ArrayList<String>(live ? plan.useless() : List.of());
    if (options.inPlace()) {
      first.addAll(plan.names());
    }
    return first.stream().flatMap(name -> plan.live().get(name).stream()).mapToLong(LiveIndices.Index::bytes).sum();
  }
}

/**
 * The answers of an Elasticsearch cluster about itself before a restore.
 *
 * @param repositoryNodes nodes that must have the repository mounted
 * @param settings the cluster's, defaults included, as {@code scope: {name: value}}
 * @param nodeSettings names of those that stand in a node's own file
 * @param blocks what refuses changes, of the cluster ({@code global}) and of its indices ({@code indices})
 */
record ElasticsearchCluster(String name, SortedSet<String> versions, boolean openSearch, int dataNodes,
    int repositoryNodes,
    JsonNode settings, Set<String> nodeSettings, JsonNode blocks) {
  private static final String ENABLE = "cluster.routing.allocation.enable";
  private static final String READ_ONLY_ALLOW_DELETE = "12";

  static ElasticsearchCluster ask(ElasticsearchApi api) throws IOException {
    var nodes = api.get("/_nodes/_all/settings?flat_settings=true");
    var versions = new TreeSet<String>();
    var nodeSettings = new TreeSet<String>();
    var dataNodes = 0;
    var repositoryNodes = 0;
    for (var node : nodes.path("nodes")) {
      var roles = node.path("roles").valueStream().map(JsonNode::asText).collect(Collectors.toSet());
      var data = roles.stream().anyMatch(role -> role.startsWith("data"));
      versions.add(node.path("version").asText());
      node.path("settings").fieldNames().forEachRemaining(nodeSettings::add);
      dataNodes += data ? 1 : 0;
      repositoryNodes += data || roles.contains("master") || roles.contains("cluster_manager") ? 1 : 0;
    }
    var openSearch = api.tryGet("/")
        .map(root -> root.path("version").path("distribution").asText().equals("opensearch")).orElse(false);
    return new ElasticsearchCluster(nodes.path("cluster_name").asText(), versions, openSearch, dataNodes,
        repositoryNodes,
        api.get("/_cluster/settings?include_defaults=true&flat_settings=true"), nodeSettings,
        api.get("/_cluster/state/blocks").path("blocks"));
  }

  /** The oldest of its nodes' versions. */
  String version() {
    return versions.first();
  }

  Optional<String> setting(String name) {
    return Stream.of("transient", "persistent", "defaults").map(scope -> settings.path(scope).path(name).asText(""))
        .filter(value -> !value.isEmpty()).findFirst();
  }

  /** True if somebody has set it, for the cluster or in the file of a node. */
  boolean isSet(String name) {
    return nodeSettings.contains(name)
        || Stream.of("transient", "persistent").anyMatch(scope -> settings.path(scope).has(name));
  }

  /** Refuses a cluster that takes no new index. */
  void requireChangeable() {
    for (var block : blocks.path("global").properties()) {
      if (levels(block.getValue()).contains("metadata_write")) {
        throw blocked("the cluster refuses every change", block);
      }
    }
    if (setting(ENABLE).filter("none"::equals).isPresent()) {
      throw new Failure(Exit.UNSAFE, "the cluster gives no shard a node: %s is none".formatted(ENABLE),
          "allow it: PUT /_cluster/settings {\"persistent\": {\"%1$s\": null}, \"transient\": {\"%1$s\": null}}"
              .formatted(ENABLE));
    }
  }

  /** Refuses live indices that could not be deleted. */
  void requireDeletable(Collection<String> indices) {
    for (var index : indices) {
      for (var block : blocks.path("indices").path(index).properties()) {
        if (levels(block.getValue()).contains("metadata_write") && !block.getKey().equals(READ_ONLY_ALLOW_DELETE)) {
          throw blocked("the live index %s can neither be changed nor replaced".formatted(index), block);
        }
      }
    }
  }

  private static Failure blocked(String what, Map.Entry<String, JsonNode> block) {
    var setting = ElasticsearchError.blockSetting(block.getKey());
    return new Failure(Exit.UNSAFE,
        "%s: %s".formatted(what,
            setting.map(name -> name + " is set").orElse(block.getValue().path("description").asText())),
        setting.map(ElasticsearchError::removeBlock).orElse("wait until Elasticsearch has removed this block"));
  }

  private static Set<String> levels(JsonNode block) {
    return block.path("levels").valueStream().map(JsonNode::asText).collect(Collectors.toSet());
  }
}

/**
 * An error that Elasticsearch answered, as a failure that says its reason and which setting is the cause.
 *
 * @param request the method and path that it answers
 * @param body JSON, or a proxy's own words
 */
record ElasticsearchError(String address, String request, int status, String body) {
  private static final Pattern BLOCK = Pattern.compile("\\[[A-Z_]+/(\\d+)/");
  private static final Map<String, String> BLOCKS =
      Map.of("5", "index.blocks.read_only", "6", "cluster.blocks.read_only",
          "7", "index.blocks.read", "8", "index.blocks.write", "9", "index.blocks.metadata", "12",
          "index.blocks.read_only_allow_delete",
      "13", "cluster.blocks.read_only_allow_delete");

  /** The setting behind a block, by the number that Elasticsearch gives it. */
  static Optional<String> blockSetting(String number) {
    return Optional.ofNullable(BLOCKS.get(number));
  }

  /** True if an index has this block, and therefore refused a request. */
  static boolean isBlock(Failure failure, String setting) {
    return failure.code == Exit.UNSAFE && BLOCK.matcher(failure.getMessage()).results()
        .anyMatch(block -> setting.equals(BLOCKS.get(block.group(1))));
  }

  Failure failure(Throwable cause) {
    var error = error();
    var type = error.path("type").asText();
    var reason = reason(error);
    if (type.equals("cluster_block_exception") && status != 503) {
      return new Failure(Exit.UNSAFE, "Elasticsearch at %s refuses %s: %s".formatted(address, request, reason),
          blockHint(reason), cause);
    }
    if (status == 401 || status == 403) {
      return new Failure(Exit.AUTHENTICATION,
          "Elasticsearch at %s refuses %s: HTTP %d %s".formatted(address, request, status, reason),
          type.equals("security_exception") && status == 403 ? "the log-in is right, but may not do this: README.md has"
              + " the role that a restore needs"
              : "check ELASTICSEARCH_USER and ELASTICSEARCH_PASSWORD, or ELASTICSEARCH_API_KEY, and what it may do",
          cause);
    }
    // A server that is busy, starting or electing a master counts as not reached.
    var busy = Set.of(429, 502, 503, 504).contains(status) && !type.equals("concurrent_snapshot_execution_exception");
    return new Failure(busy ? Exit.UNREACHABLE : Exit.UNSAFE,
        "Elasticsearch answers %s with HTTP %d: %s".formatted(request, status, reason), hint(reason), cause);
  }

  private JsonNode error() {
    try {
      return Json.MAPPER.readTree(body).path("error");
    } catch (JsonProcessingException e) {
      return MissingNode.getInstance(); // a proxy's answer
    }
  }

  /** Its reason, and below it the one that caused it. */
  private String reason(JsonNode error) {
    var reason = error.path("reason").asText(error.isTextual() ? error.asText() : body);
    var cause = error.path("caused_by");
    while (cause.path("caused_by").has("reason")) {
      cause = cause.path("caused_by");
    }
    var deepest = cause.path("reason").asText();
    return deepest.isEmpty() || reason.contains(deepest) ? reason : reason + ": " + deepest;
  }

  private static String blockHint(String reason) {
    var number = BLOCK.matcher(reason);
    return number.find() ? blockSetting(number.group(1)).map(ElasticsearchError::removeBlock).orElse(null) : null;
  }

  /** How an administrator takes a block away. */
  static String removeBlock(String setting) {
    // A cluster that is blocked takes one setting at a time, and only this one.
    return setting.startsWith("cluster.")
        ? ("remove it: PUT /_cluster/settings {\"persistent\": {\"%s\": null}}, and the same with \"transient\" in a"
            + " second request").formatted(setting)
        : "remove it: PUT /<index>/_settings {\"%s\": null}".formatted(setting);
  }

  private static String hint(String reason) {
    if (reason.matches("(?s).*maximum( normal| frozen)? shards open.*")) {
      return "raise cluster.max_shards_per_node, or delete indices that nobody needs";
    }
    return reason.contains("more than one write index") ? "set is_write_index to false on one of the two" : null;
  }
}

/**
 * The plan of a restore of Elasticsearch, as its checks found it.
 *
 * @param indices of the snapshot, to be restored
 * @param leftOut indices of the snapshot that {@code --index} does not name
 * @param system the snapshot's indices that are Elasticsearch's own
 * @param complete those whose copy an interrupted run restored completely
 * @param leftovers copies of interrupted runs
 * @param changed when the live indices were last changed, where that is known
 * @param rate the recovery limit now
 * @param wantedRate the limit for the time of the restore; empty where it stays
 */
record ElasticsearchPlan(String address, ElasticsearchCluster cluster, String snapshot, String stamp,
    List<SnapshotIndex> indices,
    List<String> leftOut, List<String> system, LiveIndices live, Set<String> complete, SortedSet<String> leftovers,
    Map<String, Instant> changed, String rate, Optional<String> wantedRate) {
  Set<String> names() {
    return indices.stream().map(SnapshotIndex::name).collect(Collectors.toCollection(LinkedHashSet::new));
  }

  /** The copies that are restored, complete ones too. */
  List<String> copies() {
    return indices.stream().map(index -> index.copy(stamp)).toList();
  }

  long bytes() {
    return indices.stream().mapToLong(SnapshotIndex::bytes).sum();
  }

  boolean isLive(SnapshotIndex index) {
    return live.get(index.name()).isPresent();
  }

  /** Leftovers that this run has no use for. */
  List<String> useless() {
    return leftovers.stream().filter(index -> !complete.contains(index)).toList();
  }

  /**
   * Indices that TheHive uses and the snapshot does not have; its names may go on with a number ({@code
   * thehive-audits-000001}).
   */
  static List<String> missing(List<String> used, Set<String> names) {
    return used.stream()
        .filter(name -> names.stream().noneMatch(index -> index.startsWith(name) || index.startsWith(".ds-" + name)))
        .toList();
  }

  List<String> lines(boolean inPlace) {
    var lines = new ArrayList<String>();
    lines.add("cluster %s at %s, version %s, %s".formatted(cluster.name(), address,
        String.join(" and ", cluster.versions()), Count.of(cluster.dataNodes(), "data node")));
    lines.add("snapshot proven: %s, %s, %s, %s".formatted(snapshot, Count.of(indices.size(), "index", "indices"),
        Count.of(indices.stream().mapToInt(SnapshotIndex::shards).sum(), "shard"), Console.size(bytes())));
    for (var index : indices) {
      lines.add("index %s: %s now%s; %s, %s in the snapshot".formatted(index.name(), now(index),
          changed.containsKey(index.name()) ? ", last changed " + Console.time(changed.get(index.name())) : "",
          Count.of(index.shards(), "shard"), Console.size(index.bytes())));
      if (inPlace) {
        lines.add(
            "→ delete %s, then restore it in its place: until that is done there is no index".formatted(index.name()));
      } else {
        lines.add((complete.contains(index.copy(stamp)) ? "→ use %s, which an interrupted run restored completely"
            : "→ restore as %s, beside the live index")
            .formatted(index.copy(stamp)));
        lines.add("→ replace %s by it when %s complete".formatted(index.name(),
            indices.size() == 1 ? "it is" : "all copies are"));
      }
    }
    addNotRestored(lines);
    if (!useless().isEmpty()) {
      lines.add("→ remove what an interrupted run left: " + String.join(", ", useless()));
    }
    lines.add(wantedRate.map(wanted ->
        "→ raise the recovery limit from %s to %s a second and node, until the end".formatted(rate, wanted))
        .orElse("recovery is limited to %s a second and node (raise it with --recovery-rate)".formatted(rate)));
    return lines;
  }

  private String now(SnapshotIndex index) {
    return live.get(index.name()).map(now -> !now.open() ? "closed (it will be open)"
        : now.documents() < 0 ? "an unknown number of documents (it is red)"
        : Count.of(now.documents(), "document")).orElse("does not exist");
  }

  private void addNotRestored(List<String> lines) {
    if (!leftOut.isEmpty()) {
      lines.add("NOT restored, because --index does not name them: " + String.join(", ", leftOut));
    }
    if (!system.isEmpty()) {
      lines.add("not restored, because they are Elasticsearch's own: " + String.join(", ", system));
    }
    for (var index : stays()) {
      lines.add("index %s stays as it is: the snapshot does not have it (%s)".formatted(index.name(),
          index.documents() < 0 ? "documents not known" : Count.of(index.documents(), "document")));
    }
  }

  /** TheHive's live indices that the snapshot does not have. */
  List<LiveIndices.Index> stays() {
    var inSnapshot = new LinkedHashSet<>(names());
    inSnapshot.addAll(leftOut);
    return live.others(inSnapshot);
  }
}

/**
 * TheHive's indices, restored from a snapshot: each beside the live one under a temporary name; they replace the live
 * indices when all of them are complete. With {@code --in-place} each live index is deleted first.
 */
final class ElasticsearchRestore implements Database {
  /**
   * The options of one run.
   *
   * @param indices the only ones to restore; empty for all
   * @param recoveryRate limit of each node's recovery for the time of the restore; null for the cluster's
   * @param inPlace true if the live indices are deleted first
   */
  record Options(List<String> indices, String recoveryRate, boolean inPlace) {}

  /** Until the snapshot's data are all there. */
  private static final Set<String> COPYING = Set.of("waiting", "preparing", "restoring");
  private static final long DAY = Duration.ofDays(1).toMillis();
  private final ElasticsearchSettings settings;
  private final Options options;
  private final RestoreConsole console;
  private final List<String> notAsInTheSnapshot = new ArrayList<>();
  private final Map<String, IndexDefinition> definitions = new HashMap<>();
  private final Map<String, Long> documents = new LinkedHashMap<>();
  private final Map<String, JsonNode> aliases = new LinkedHashMap<>();
  private final Map<String, IndexState> states = new LinkedHashMap<>();
  private Backup backup;
  private ElasticsearchApi api;
  private ShardWatch watch;
  private IndexReplacement replacement;
  private RecoveryRate rate;
  private ElasticsearchPlan plan;
  private volatile String stage = "waiting";
  private final Thread interrupted = new Thread(this::withdrawQuietly);

  ElasticsearchRestore(ElasticsearchSettings settings, Options options, RestoreConsole console) {
    this.settings = settings;
    this.options = options;
    this.console = console;
  }

  @Override
  public Name name() {
    return Name.ELASTICSEARCH;
  }

  @Override
  public String cluster() {
    return plan.cluster().name();
  }

  @Override
  public List<Backup> choose(String point, Duration gap) {
    var chosen = BackupSet.markers(settings.archives()).choose(point, gap);
    chosen.warnings().forEach(warning -> console.warn("%s", warning));
    backup = chosen.backup();
    return List.of(backup);
  }

  @Override
  public String source(Backup backup) {
    return "snapshot %s in repository %s".formatted(backup.name(), settings.repository());
  }

  @Override
  public void check(JsonNode unfinished) throws IOException {
    if (options.recoveryRate() != null) {
      RecoveryRate.requireValid(options.recoveryRate());
    }
    api = new ElasticsearchApi(settings);
    watch = new ShardWatch(api);
    var source = new SnapshotSource(api, settings.repository(), backup);
    var stamp = backup.name().replaceFirst("^[a-z]+_", "");
    replacement = new IndexReplacement(api, source, watch, console, stamp);
    plan = new ElasticsearchChecks(api, source, options).plan(stamp, replacement);
    rate = new RecoveryRate(api, plan.wantedRate());
    ElasticsearchPlan.missing(settings.usedIndices(), plan.names()).forEach(name -> console.warn(
        "TheHive's configuration names the index %s, and the snapshot %s does not have it: it is not restored", name,
        plan.snapshot()));
  }

  @Override
  public List<String> plan() {
    return plan.lines(options.inPlace());
  }

  @Override
  public void prepare() throws Exception {
    Runtime.getRuntime().addShutdownHook(interrupted);
    stage = "preparing";
    raiseRate();
    if (plan.indices().stream().allMatch(plan::isLive)) {
      replacement.remove(plan.useless());
    }
    var begun = new ArrayList<String>();
    for (var index : plan.indices()) {
      definitions.put(index.name(), replacement.definition(index));
      if (!plan.complete().contains(index.copy(plan.stamp()))) {
        replacement.remove(List.of(index.copy(plan.stamp())));
        console.step("Restoring snapshot %s: %s as %s", plan.snapshot(), index.name(), index.copy(plan.stamp()));
        replacement.beginCopy(index);
        begun.add(index.copy(plan.stamp()));
      }
    }
    requireAliases();
    replacement.requireReceiving(begun, options.inPlace());
    for (var index : plan.indices()) {
      notAsInTheSnapshot(index,
          replacement.probe(index, definitions.get(index.name()), LiveIndices.prefix(index.name())));
      warnOfPolicy(index, definitions.get(index.name()));
    }
    ElasticsearchRights.requireToDelete(api,
        plan.indices().stream().filter(plan::isLive).map(SnapshotIndex::name).toList());
    if (options.inPlace()) {
      replacement.remove(begun); // they have shown that they can be restored; there may be no room for both
    }
  }

  /** Those that the live indices have count, too: some of the snapshot's can be read only when these are gone. */
  private void requireAliases() throws IOException {
    var aliases = new TreeSet<String>();
    for (var index : plan.names()) {
      definitions.get(index).aliases().ifPresent(all -> all.fieldNames().forEachRemaining(aliases::add));
      Optional.ofNullable(plan.live().aliases().get(index))
          .ifPresent(all -> all.fieldNames().forEachRemaining(aliases::add));
    }
    ElasticsearchRights.requireToAlias(api, aliases);
  }

  private void withdrawQuietly() {
    try {
      withdraw();
    } catch (IOException | RuntimeException e) {
      console.warn("could not remove the copies that were begun: %s; the next run does", e.getMessage());
    }
  }

  @Override
  public void withdraw() throws IOException {
    if (plan == null) {
      return;
    }
    try {
      putBackRate();
      replacement.withdraw();
    } finally {
      forgetInterruption();
    }
  }

  /** From now on an interruption takes nothing back. */
  private void forgetInterruption() {
    try {
      Runtime.getRuntime().removeShutdownHook(interrupted);
    } catch (IllegalStateException e) {
      // it is at work
    }
  }

  private void notAsInTheSnapshot(SnapshotIndex index, List<String> refused) {
    for (var reason : refused) {
      var text = "%s does not get the snapshot's setting %s".formatted(index.name(), reason);
      if (!notAsInTheSnapshot.contains(text)) {
        notAsInTheSnapshot.add(text);
        console.warn("%s", text);
      }
    }
  }

  /** A policy begins to act again when its index is restored. */
  private void warnOfPolicy(SnapshotIndex index, IndexDefinition definition) throws IOException {
    if (definition.policy().isEmpty()) {
      return;
    }
    var name = definition.policy().get();
    var policy = api.tryTo("GET", ElasticsearchApi.path("_ilm", "policy", name), null, Set.of(400, 403, 404, 405));
    if (policy.isEmpty()) {
      console.warn(
          "%s has lifecycle policy %s, which this cluster does not have or this user may not read: whether it"
              + " deletes the index is not known",
          index.name(), name);
      return;
    }
    var now = System.currentTimeMillis();
    var created = options.inPlace() ? definition.settings().get("index.creation_date").asLong(now) : now;
    var age = now - definition.ageFrom(created);
    IndexDefinition.deletesAt(policy.get().path(name)).filter(at -> at.toMillis() - age <= DAY).ifPresent(at ->
    console.warn(
        "lifecycle policy %s deletes %s within a day of the restore: its delete phase begins at an age of %s,"
            + " the index is %s old",
            name, index.name(), Count.of(at.toHours(), "hour"), Count.of(Duration.ofMillis(age).toHours(), "hour")));
  }

  @Override
  public void restore(RestoreRun run) throws Exception {
    forgetInterruption();
    var putBack = new Thread(this::putBackRate);
    Runtime.getRuntime().addShutdownHook(putBack);
    try {
      if (options.inPlace()) {
        run.steps.time(name(), "restore in place", plan.bytes(), this::restoreInPlace);
      } else {
        restoreBeside(run.steps);
      }
      for (var index : plan.indices()) {
        var definition = definitions.get(index.name());
        aliases.put(index.name(), replacement.aliases(index, definition, plan.live(), plan.names()));
        notAsInTheSnapshot(index, replacement.complete(
            index, definition, aliases.get(index.name()), plan.live(), plan.names()));
      }
      stage = "waiting for replicas";
      run.steps.time(name(), "wait for replicas", this::awaitHealth);
    } finally {
      putBackRate();
      Runtime.getRuntime().removeShutdownHook(putBack);
    }
    replacement.remove(plan.leftovers());
    replacement.remove(plan.copies());
    noteStates();
    stage = "done";
    if (!plan.leftOut().isEmpty()) {
      console.warn("NOT restored, because --index does not name them: %s", String.join(", ", plan.leftOut()));
    }
  }

  /** For verify.java, which sees by them that nobody wrote since. A user who may not ask restores without. */
  private void noteStates() throws IOException {
    try {
      for (var index : plan.indices()) {
        states.put(index.name(), IndexState.ask(api, index.name()));
      }
    } catch (Failure e) {
      if (e.code != Exit.AUTHENTICATION) {
        throw e;
      }
    }
  }

  private void awaitHealth() throws Exception {
    for (var index : plan.indices()) {
      replacement.awaitHealth(index.name(), plan.cluster().dataNodes());
    }
  }

  private void restoreBeside(StepTimes times) throws Exception {
    stage = "restoring";
    times.time(name(), "restore the copies", plan.bytes(), () -> replacement.awaitCopies(plan.copies()));
    stage = "trying to clone";
    for (var index : plan.indices()) {
      replacement.tryCloning(index);
    }
    stage = "replacing";
    for (var index : plan.indices()) {
      times.time(name(), "replace " + index.name(), () ->
          documents.put(index.name(), replacement.replaceLive(index)));
    }
    replacement.remove(plan.copies()); // they count as shards of the cluster: replicas may need that room
  }

  private void restoreInPlace() throws Exception {
    stage = "restoring";
    for (var index : plan.indices()) {
      documents.put(index.name(), replacement.restoreInPlace(index));
    }
  }

  /** A rate that cannot be raised only makes the restore slower. */
  private void raiseRate() throws IOException {
    try {
      rate.raise();
    } catch (Failure e) {
      console.warn("could not raise %s: %s", RecoveryRate.SETTING, e.getMessage());
    }
  }

  private void putBackRate() {
    try {
      rate.putBack();
    } catch (IOException | RuntimeException e) {
      console.warn("could not put back %s: %s", RecoveryRate.SETTING, e.getMessage());
    }
  }

  @Override
  public String state() {
    return "Elasticsearch " + stage;
  }

  @Override
  public long done() {
    return COPYING.contains(stage) ? Math.min(watch.recovered(), total()) : total();
  }

  @Override
  public long total() {
    return plan.bytes();
  }

  @Override
  public Map<String, Object> summary() {
    var summary = new LinkedHashMap<String, Object>();
    summary.put("backup", backup.name());
    summary.put("repository", settings.repository());
    summary.put("cluster", plan.cluster().name());
    summary.put("url", plan.address());
    summary.put("index", LiveIndices.main(List.copyOf(plan.names())));
    summary.put("indices", List.copyOf(plan.names()));
    summary.put("leftOut", plan.leftOut());
    summary.put("system", plan.system());
    summary.put("stays", plan.stays().stream().map(LiveIndices.Index::name).toList());
    summary.put("notAsInTheSnapshot", notAsInTheSnapshot);
    summary.put("versions", plan.cluster().versions());
    summary.put("distribution", plan.cluster().openSearch() ? "OpenSearch" : "Elasticsearch");
    summary.put("bytes", plan.bytes());
    var bytesOf = new LinkedHashMap<String, Long>();
    plan.indices().forEach(index -> bytesOf.put(index.name(), index.bytes()));
    summary.put("bytesOf", bytesOf);
    if (stage.equals("done")) { // verify.java takes these for what the live indices began with
      summary.put("aliasesOf", aliases);
      summary.put("stateOf", states);
      summary.put("documents", documents.get(LiveIndices.main(List.copyOf(plan.names()))));
      summary.put("documentsOf", documents);
    }
    return summary;
  }

  @Override
  public void close() throws IOException {
    if (api != null) {
      api.close();
    }
  }
}

/**
 * The user's rights, as Elasticsearch's security tells them; OpenSearch, and a cluster without security, tell none.
 */
final class ElasticsearchRights {
  private static final List<String> CLUSTER =
      List.of("monitor", "cluster:admin/snapshot/get", "cluster:admin/snapshot/status",
      "cluster:admin/snapshot/restore", "cluster:admin/repository/get", "cluster:admin/repository/verify");

  private static final String SETTINGS = "cluster:admin/settings/update";

  private ElasticsearchRights() {}

  /** A name that no index can have, for its capitals; a role that names the index by its beginning has rights to it. */
  static String impossible(String index) {
    return index + "_RESTORING";
  }

  /** True if the user may change the cluster's settings, or if Elasticsearch does not tell. */
  static boolean mayChangeSettings(ElasticsearchApi api) throws IOException {
    return ask(api, List.of(SETTINGS), List.of("thehive"), List.of("read")).path("cluster").path(SETTINGS)
        .asBoolean(true);
  }

  /** Refuses a user who may not restore these indices beside the live ones. */
  static void requireToRestore(ElasticsearchApi api, Set<String> indices, boolean changesSettings) throws IOException {
    var cluster = new ArrayList<>(CLUSTER);
    if (changesSettings) {
      cluster.add(SETTINGS);
    }
    var patterns = indices.stream()
        .flatMap(name -> Stream.of(name, name + "_restoring_*", LiveIndices.prefix(name) + "_restoring_*")).distinct()
        .toList();
    require(ask(api, cluster, patterns, List.of("manage", "read")), "indices " + String.join(", ", indices));
  }

  /** Refuses a user who may not give an index these aliases. */
  static void requireToAlias(ElasticsearchApi api, Collection<String> aliases) throws IOException {
    if (!aliases.isEmpty()) {
      require(ask(api, List.of(), List.copyOf(aliases), List.of("manage")), "aliases " + String.join(", ", aliases));
    }
  }

  /**
   * Refuses a user who may not delete these live indices, where the server does not tell what a user may do. It looks
   * at the rights to all names of a request first, then whether there are such indices: as one cannot be, it deletes
   * none.
   */
  static void requireToDelete(ElasticsearchApi api, Collection<String> live) throws IOException {
    if (!ask(api, List.of("monitor"), live, List.of("manage")).isMissingNode()) {
      return;
    }
    for (var index : live) {
      api.tryTo("DELETE", ElasticsearchApi.path(index + "," + impossible(index)), null, ElasticsearchApi.ABSENT);
    }
  }

  private static JsonNode ask(ElasticsearchApi api, List<String> cluster, Collection<String> names,
      List<String> privileges)
      throws IOException {
    var wanted = Map.of("cluster", cluster, "index", List.of(Map.of("names", names, "privileges", privileges)));
    return api.tryTo("POST", "/_security/user/_has_privileges", wanted, ElasticsearchApi.ABSENT)
        .orElse(MissingNode.getInstance());
  }

  /** Reads the answer. */
  static void require(JsonNode answer, String what) {
    if (!answer.path("has_all_requested").asBoolean(true)) {
      var lacking = Stream.concat(Stream.of(answer.path("cluster")), answer.path("index").valueStream())
          .flatMap(JsonNode::propertyStream)
          .filter(right -> !right.getValue().asBoolean()).map(Map.Entry::getKey).distinct()
          .collect(Collectors.joining(", "));
      throw new Failure(Exit.AUTHENTICATION,
          "Elasticsearch's user %s lacks these rights for cluster and %s: %s".formatted(
          answer.path("username").asText(), what, lacking), "log in as one that has them");
    }
  }
}

/**
 * The address of Elasticsearch, the log-in, and the folder of its backups.
 *
 * @param authorization value of the header Authorization, a secret
 * @param ca PEM file of the CA to trust for https; empty for the JDK's
 * @param caPassword of a JKS or PKCS12 store in place of that file
 * @param archives folder of the markers {@code elasticsearch_<time>.info}
 * @param usedIndices names of the indices that TheHive uses by its own configuration; empty where that is not known
 */
record ElasticsearchSettings(List<String> urls, Optional<String> authorization, Optional<Path> ca,
    Optional<String> caPassword,
    String repository, Path archives, List<String> usedIndices) {
  static final Variable URL = Variable.withDefault("ELASTICSEARCH_API_URL", "http://127.0.0.1:9200");
  static final Variable USER = Variable.optional("ELASTICSEARCH_USER");
  static final Variable PASSWORD = Variable.secret("ELASTICSEARCH_PASSWORD");
  static final Variable API_KEY = Variable.secret("ELASTICSEARCH_API_KEY");
  static final Variable CA = Variable.optional("ELASTICSEARCH_CA");
  static final Variable CA_PASSWORD = Variable.secret("ELASTICSEARCH_CA_PASSWORD");
  static final Variable INDEX = Variable.optional("ELASTICSEARCH_INDEX");
  static final Variable AUDIT_INDEX = Variable.optional("ELASTICSEARCH_AUDIT_INDEX");
  static final Variable REPOSITORY = Variable.withDefault("ELASTICSEARCH_SNAPSHOT_REPOSITORY", "thehive_repository");
  static final Variable ARCHIVES = ArchiveFolders.MARKERS;
  static final List<Variable> VARIABLES =
      List.of(URL, USER, PASSWORD, API_KEY, CA, CA_PASSWORD, INDEX, AUDIT_INDEX, REPOSITORY, ARCHIVES);

  static ElasticsearchSettings of(Settings settings) {
    return new ElasticsearchSettings(Stream.of(settings.text(URL).split(",")).map(String::strip).toList(),
        authorization(settings),
        settings.optionalPath(CA), settings.secret(CA_PASSWORD), settings.text(REPOSITORY), settings.path(ARCHIVES),
        Stream.of(INDEX, AUDIT_INDEX).flatMap(variable -> settings.optional(variable).stream()).toList());
  }

  private static Optional<String> authorization(Settings settings) {
    var user = settings.optional(USER);
    var key = settings.secret(API_KEY);
    if (key.isPresent()) {
      return key.map(value -> "ApiKey " + value);
    }
    if (user.isEmpty()) {
      if (settings.isSet(PASSWORD)) {
        throw new Failure(Exit.USAGE, "ELASTICSEARCH_PASSWORD is set, but ELASTICSEARCH_USER is not",
            "set ELASTICSEARCH_USER, or unset the password");
      }
      return Optional.empty();
    }
    var password = settings.secretOrPrompt(PASSWORD, "Password of Elasticsearch's user " + user.get())
        .orElseThrow(() -> new Failure(Exit.USAGE, "no password for Elasticsearch's user " + user.get(),
            "set ELASTICSEARCH_PASSWORD or ELASTICSEARCH_PASSWORD_FILE"));
    var pair = (user.get() + ":" + password).getBytes(StandardCharsets.UTF_8);
    return Optional.of("Basic " + Base64.getEncoder().encodeToString(pair));
  }

  /** Without the secret. */
  @Override
  public String toString() {
    return "Elasticsearch at " + String.join(", ", urls);
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

/**
 * JanusGraph's settings of the graph, which it keeps in its table {@code system_properties} and a backup brings along.
 *
 * @param indexName of Elasticsearch's indices the first part of the name, such as {@code thehive}
 * @param partitions into which the vertices are divided, a power of two
 * @param openInstances the programs that had the graph open when the backup was taken
 */
record GraphSettings(String indexName, int partitions, List<String> openInstances) {
  private static final Pattern REGISTRATION = Pattern.compile("system-registration\\.(.+)\\.startup-time");
  private static final String USUAL_NAME = "janusgraph";
  private static final int USUAL_PARTITIONS = 32;
  /** How a number and a text begin: the kind, and of a text that it is ASCII. */
  private static final byte[] NUMBER = {(byte) (0x80 | 12)};
  private static final byte[] TEXT = {(byte) (0x80 | 18), (byte) (0x80 | 32)};

  /** A value as JanusGraph stores it, and when it was written. */
  record Value(ByteBuffer bytes, Instant written) {}

  /**
   * Reads them from the keyspace; empty where it holds no graph.
   *
   * @param before programs that registered later are not told
   */
  static Optional<GraphSettings> read(CqlSession session, String keyspace, Instant before) {
    var values = new TreeMap<String, Value>();
    try {
      session.execute("SELECT column1, value, writetime(value) FROM %s.system_properties"
          .formatted(CassandraCluster.quoted(keyspace)))
          .forEach(row -> values.put(StandardCharsets.UTF_8.decode(row.getByteBuffer(0)).toString(),
              new Value(row.getByteBuffer(1), Instant.EPOCH.plus(row.getLong(2), ChronoUnit.MICROS))));
    } catch (InvalidQueryException e) {
      return Optional.empty(); // there is no such table
    }
    return values.isEmpty() ? Optional.empty() : Optional.of(of(values, before));
  }

  static GraphSettings of(Map<String, Value> values, Instant before) {
    var instances = values.entrySet().stream().filter(value -> value.getValue().written().isBefore(before))
        .map(value -> REGISTRATION.matcher(value.getKey())).filter(Matcher::matches).map(name -> name.group(1))
        .sorted().toList();
    return new GraphSettings(value(values, "index.search.index-name").flatMap(GraphSettings::text).orElse(USUAL_NAME),
        value(values, "cluster.max-partitions").flatMap(GraphSettings::number)
            .filter(number -> Integer.bitCount(number) == 1)
            .orElse(USUAL_PARTITIONS), instances);
  }

  private static Optional<ByteBuffer> value(Map<String, Value> values, String name) {
    return Optional.ofNullable(values.get(name)).map(Value::bytes);
  }

  /** Seven bits in each byte, the last of which has its first bit set; the last bit of all is the sign. */
  private static Optional<Integer> number(ByteBuffer value) {
    if (!begins(value, NUMBER)) {
      return Optional.empty();
    }
    var number = 0;
    for (int i = value.position() + NUMBER.length; i < value.limit(); i++) {
      number = number << 7 | value.get(i) & 0x7f;
    }
    return Optional.of(number >> 1);
  }

  /** The last letter of a text has its first bit set. */
  private static Optional<String> text(ByteBuffer value) {
    if (!begins(value, TEXT)) {
      return Optional.empty();
    }
    var text = new StringBuilder();
    for (int i = value.position() + TEXT.length; i < value.limit(); i++) {
      text.append((char) (value.get(i) & 0x7f));
    }
    return Optional.of(text.toString());
  }

  private static boolean begins(ByteBuffer value, byte[] with) {
    return value.remaining() > with.length && value.slice().limit(with.length).equals(ByteBuffer.wrap(with));
  }

  /** The index that holds the documents of the vertices. */
  String index() {
    return indexName + "_global";
  }

  /** Facts that somebody who starts TheHive on the restored graph must know; empty if there are none. */
  Optional<String> advice() {
    return openInstances.isEmpty() ? Optional.empty() : Optional.of(
        "of when the backup was taken the graph still names programs that have it open (%s): start one node of TheHive"
            .formatted(String.join(", ", openInstances)) + " first, which removes them");
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
 * Settings and aliases of an index as the snapshot has them.
 *
 * @param aliases by name; empty where they cannot be read before the live index is gone
 */
record IndexDefinition(SortedMap<String, JsonNode> settings, Optional<JsonNode> aliases) {
  static final String REPLICAS = "index.number_of_replicas";
  static final String EXPAND = "index.auto_expand_replicas";
  static final String POLICY = "index.lifecycle.name";
  private static final String WRITE = "index.blocks.write";
  /**
   * Settings of the old cluster, or that would act on a copy: a copy has none of them, the index gets them at the end.
   */
  static final List<String> NOT_ON_A_COPY = List.of("index.blocks.*", "index.routing.allocation.*", "index.lifecycle.*",
      "index.plugins.index_state_management.*", "index.opendistro.index_state_management.*");
  /** Settings that Elasticsearch itself gives an index, or that need its mapping or its shards. */
  private static final Pattern NOT_AT_CREATION =
      Pattern.compile("index\\.(uuid|creation_date.*|provided_name|version\\..*|history\\..*|resize\\..*"
          + "|number_of_.*|routing_partition_size|sort\\..*|soft_deletes\\..*|verified_before_close|frozen"
          + "|search\\.throttled|store\\.snapshot\\..*)");
  private static final Pattern AGE = Pattern.compile("(\\d+)(d|h|m|s|ms|micros|nanos)?");

  /**
   * A copy is blocked for writing from its first moment: nothing but the snapshot is in it, and cloning asks for it.
   */
  static Map<String, Object> ofCopy() {
    return Map.of(REPLICAS, 0, EXPAND, "false", WRITE, true);
  }

  /** The index that replaces the live one, until all its shards are started. */
  static Map<String, Object> ofClone() {
    return Map.of(REPLICAS, 0, EXPAND, "false", WRITE, false);
  }

  /** Takes away what a copy alone has. */
  static Map<String, Object> withoutCopys() {
    var settings = new HashMap<String, Object>();
    settings.put(EXPAND, null);
    settings.put(WRITE, null);
    return settings;
  }

  /** A small empty index that shows whether such an index can be made. */
  Map<String, Object> ofProbe() {
    var probe =
        new HashMap<String, Object>(withPrefix(name -> !NOT_AT_CREATION.matcher(name).matches() && !isLeftOut(name)));
    probe.putAll(ofCopy());
    probe.put("index.number_of_shards", 1);
    return probe;
  }

  private static boolean isLeftOut(String name) {
    return NOT_ON_A_COPY.stream().anyMatch(pattern -> name.startsWith(pattern.replace("*", "")));
  }

  /** Settings of the snapshot that begin with this. */
  Map<String, JsonNode> with(String prefix) {
    return withPrefix(name -> name.startsWith(prefix));
  }

  /** On which nodes the shards may be; what a clone alone has, Elasticsearch sets and no one else. */
  Map<String, JsonNode> allocation() {
    return withPrefix(name -> name.startsWith("index.routing.allocation.")
        && !name.startsWith("index.routing.allocation.initial_recovery."));
  }

  /** The lifecycle policy's settings. */
  Map<String, JsonNode> lifecycle() {
    return withPrefix(
        name -> isLeftOut(name) && !name.startsWith("index.blocks.") && !name.startsWith("index.routing."));
  }

  private Map<String, JsonNode> withPrefix(Predicate<String> wanted) {
    var chosen = new LinkedHashMap<String, JsonNode>();
    settings.forEach((name, value) -> {
      if (wanted.test(name) && name.startsWith("index.")) {
        chosen.put(name, value);
      }
    });
    return chosen;
  }

  int replicas() {
    return settings.containsKey(REPLICAS) ? settings.get(REPLICAS).asInt() : 1;
  }

  /** The range of replicas that follows the number of nodes, such as 0-1. */
  Optional<JsonNode> expand() {
    return Optional.ofNullable(settings.get(EXPAND)).filter(value -> !value.asText().equals("false"));
  }

  Optional<String> policy() {
    return Optional.ofNullable(settings.get(POLICY)).map(JsonNode::asText).filter(name -> !name.isEmpty());
  }

  /** The moment from which the policy counts the index's age. */
  long ageFrom(long otherwise) {
    return settings.containsKey("index.lifecycle.origination_date")
        ? settings.get("index.lifecycle.origination_date").asLong() : otherwise;
  }

  /** With a number of replicas that was learned in another way. */
  IndexDefinition withReplicas(JsonNode replicas) {
    var changed = new TreeMap<>(settings);
    changed.put(REPLICAS, replicas);
    return new IndexDefinition(changed, aliases);
  }

  /** The age at which a lifecycle policy ({@code GET _ilm/policy}) deletes an index; empty where it never does. */
  static Optional<Duration> deletesAt(JsonNode policy) {
    var delete = policy.path("policy").path("phases").path("delete");
    return delete.isMissingNode() ? Optional.empty() : Optional.of(age(delete.path("min_age").asText("0")));
  }

  private static Duration age(String text) {
    var match = AGE.matcher(text);
    if (!match.matches()) {
      return Duration.ZERO;
    }
    var number = Long.parseLong(match.group(1));
    return switch (match.group(2) == null ? "ms" : match.group(2)) {
      case "d" -> Duration.ofDays(number);
      case "h" -> Duration.ofHours(number);
      case "m" -> Duration.ofMinutes(number);
      case "s" -> Duration.ofSeconds(number);
      case "ms" -> Duration.ofMillis(number);
      default -> Duration.ZERO;
    };
  }
}

/**
 * Reads what settings and aliases an index of the snapshot has, and gives them to the restored index. Elasticsearch
 * tells them only of an index that exists: it is restored for a moment under a temporary name, on a node that does not
 * exist.
 */
final class IndexDefinitions {
  /** An index that has it tells nothing of itself. */
  private static final String BLOCK_METADATA = "index.blocks.metadata";
  private static final String NOWHERE = "index.routing.allocation.include._id";
  private static final Pattern SHARDS_TO_ADD = Pattern.compile("would add \\[(\\d+)] (?:total )?shards");
  private static final Pattern WRITE_CONFLICT = Pattern.compile("alias \\[([^]]*)] has more than one write index");
  private final ElasticsearchApi api;
  private final SnapshotSource source;
  private final ShardWatch watch;

  IndexDefinitions(ElasticsearchApi api, SnapshotSource source, ShardWatch watch) {
    this.api = api;
    this.source = source;
    this.watch = watch;
  }

  IndexDefinition read(SnapshotIndex index, String temporary) throws IOException {
    try {
      return new IndexDefinition(settings(index, temporary, Map.of()), aliases(index, temporary));
    } catch (Failure e) {
      // With its replicas there are more shards than the cluster allows: their number is in the refusal.
      var shards = SHARDS_TO_ADD.matcher(e.getMessage());
      if (!shards.find()) {
        throw e;
      }
      var replicas = Math.max(0, Integer.parseInt(shards.group(1)) / Math.max(1, index.shards()) - 1);
      return new IndexDefinition(settings(index, temporary, Map.of(IndexDefinition.REPLICAS, 0)),
          aliases(index, temporary))
          .withReplicas(IntNode.valueOf(replicas));
    }
  }

  private TreeMap<String, JsonNode> settings(SnapshotIndex index, String temporary, Map<String, Object> changes)
      throws IOException {
    var settings = new HashMap<>(changes);
    settings.put(NOWHERE, "none");
    try {
      source.restore(index.name(), temporary, false, settings, List.of());
      var all = readSettings(temporary);
      all.remove(NOWHERE);
      return all;
    } finally {
      remove(temporary);
    }
  }

  private TreeMap<String, JsonNode> readSettings(String index) throws IOException {
    var all = new TreeMap<String, JsonNode>();
    try {
      api.get(ElasticsearchApi.path(index, "_settings") + "?flat_settings=true").path(index).path("settings")
          .forEachEntry(all::put);
      return all;
    } catch (Failure e) {
      if (!ElasticsearchError.isBlock(e, BLOCK_METADATA)) {
        throw e;
      }
      put(index, Collections.singletonMap(BLOCK_METADATA, null));
      all = readSettings(index);
      all.put(BLOCK_METADATA, BooleanNode.TRUE);
      return all;
    }
  }

  /** Empty while a live index takes what is written through one of these aliases: there cannot be two. */
  Optional<JsonNode> aliases(SnapshotIndex index, String temporary) throws IOException {
    try {
      return Optional.of(readAliases(index, temporary));
    } catch (Failure e) {
      if (WRITE_CONFLICT.matcher(e.getMessage()).find()) {
        return Optional.empty();
      }
      throw e;
    }
  }

  /** The aliases, once the live index is gone; an index that stays gives up to be written through one of them. */
  JsonNode aliasesOfWriteIndex(SnapshotIndex index, String temporary, LiveIndices live, Set<String> replaced)
      throws IOException {
    var given = new HashSet<String>();
    while (true) {
      try {
        return readAliases(index, temporary);
      } catch (Failure e) {
        var conflict = WRITE_CONFLICT.matcher(e.getMessage());
        if (!conflict.find() || !given.add(conflict.group(1))) {
          throw e;
        }
        act(giveUpWriting(conflict.group(1), live, replaced));
      }
    }
  }

  private JsonNode readAliases(SnapshotIndex index, String temporary) throws IOException {
    var settings = new HashMap<String, Object>(IndexDefinition.ofCopy());
    settings.put(NOWHERE, "none");
    try {
      source.restore(index.name(), temporary, true, settings, IndexDefinition.NOT_ON_A_COPY);
      return api.get(ElasticsearchApi.path(temporary, "_alias")).path(temporary).path("aliases");
    } finally {
      remove(temporary);
    }
  }

  /** Deletes a temporary index, whatever block is on it. */
  void remove(String index) throws IOException {
    try {
      api.delete(index);
    } catch (Failure e) {
      if (e.code != Exit.UNSAFE) {
        throw e;
      }
      var blocks = new HashMap<String, Object>();
      List.of("read_only", "read_only_allow_delete", "metadata")
          .forEach(block -> blocks.put("index.blocks." + block, null));
      put(index, blocks);
      api.delete(index);
    }
  }

  private void put(String index, Map<String, ?> settings) throws IOException {
    api.call("PUT", ElasticsearchApi.path(index, "_settings"), settings);
  }

  /** Gives an index its replicas; says why it has fewer here. */
  List<String> applyReplicas(String index, IndexDefinition definition) throws IOException {
    var refused = new ArrayList<String>();
    put(index, IndexDefinition.withoutCopys());
    if (definition.expand().isPresent()) {
      apply(index, Map.of(IndexDefinition.EXPAND, definition.expand().get()), refused);
    } else {
      applyReplicas(index, definition.replicas(), refused);
    }
    return refused;
  }

  /** Gives an index its allocation filters; says which this cluster cannot have, and why. */
  List<String> applyAllocation(String index, int shards, IndexDefinition definition) throws IOException {
    var refused = new ArrayList<String>();
    var filters = definition.allocation();
    if (!filters.isEmpty() && apply(index, filters, refused)) {
      requirePlace(index, shards, filters, refused);
    }
    return refused;
  }

  /** The policy and the blocks, after which nothing about the index can be changed. */
  List<String> applyPolicyAndBlocks(String index, IndexDefinition definition) throws IOException {
    var refused = new ArrayList<String>();
    apply(index, definition.lifecycle(), refused);
    var blocks = new TreeMap<>(definition.with("index.blocks."));
    for (var block : List.of(BLOCK_METADATA, "index.blocks.read")) {
      if (blocks.containsKey(block) && blocks.remove(block).asBoolean()) {
        refused.add(block + ": neither TheHive nor verify.java could read the index");
      }
    }
    apply(index, blocks, refused);
    return refused;
  }

  private boolean apply(String index, Map<String, ?> settings, List<String> refused) throws IOException {
    var before = refused.size();
    if (settings.isEmpty()) {
      return true;
    }
    try {
      put(index, settings);
    } catch (Failure all) {
      requireRefusal(all);
      for (var setting : settings.entrySet()) {
        try {
          put(index, Map.of(setting.getKey(), setting.getValue()));
        } catch (Failure e) {
          requireRefusal(e);
          refused.add("%s (%s): %s".formatted(setting.getKey(), setting.getValue(), e.getMessage()));
        }
      }
    }
    return refused.size() == before;
  }

  private static void requireRefusal(Failure failure) {
    if (failure.code != Exit.UNSAFE) {
      throw failure;
    }
  }

  /** Gives an index as many replicas as the cluster takes. */
  private void applyReplicas(String index, int wanted, List<String> refused) throws IOException {
    Failure reason = null;
    for (var replicas = wanted; replicas >= 0; replicas--) {
      try {
        put(index, Map.of(IndexDefinition.REPLICAS, replicas));
        if (reason != null) {
          refused.add(
              "%s is %d instead of %d: %s".formatted(IndexDefinition.REPLICAS, replicas, wanted, reason.getMessage()));
        }
        return;
      } catch (Failure e) {
        requireRefusal(e);
        reason = reason == null ? e : reason;
      }
    }
    refused.add("%s (%d): %s".formatted(IndexDefinition.REPLICAS, wanted, reason == null ? "" : reason.getMessage()));
  }

  /**
   * Takes filters back that no node here satisfies: after its next start the cluster would not find a place for the
   * shards.
   */
  private void requirePlace(String index, int shards, Map<String, JsonNode> routing, List<String> refused)
      throws IOException {
    for (var shard = 0; shard < shards; shard++) {
      var explanation = watch.explain(index, shard);
      if (explanation.mustLeaveItsNode()) {
        var none = new HashMap<String, Object>();
        routing.keySet().forEach(name -> none.put(name, null));
        put(index, none);
        refused.add("%s: %s".formatted(routing, explanation.reason()));
        return;
      }
    }
  }

  /** Adds the aliases; an index that stays no longer takes what is written through one of them, where this one does. */
  void applyAliases(String index, JsonNode aliases, LiveIndices live, Set<String> replaced) throws IOException {
    var actions = new ArrayList<Map<String, Object>>();
    for (var alias : aliases.properties()) {
      if (alias.getValue().path("is_write_index").asBoolean()) {
        actions.addAll(giveUpWriting(alias.getKey(), live, replaced));
      }
      actions.add(add(index, alias.getKey(), alias.getValue(), Map.of()));
    }
    act(actions);
  }

  private static List<Map<String, Object>> giveUpWriting(String alias, LiveIndices live, Set<String> replaced) {
    return live.writeIndices(alias, replaced).stream()
        .map(other -> add(other, alias, live.aliases().get(other).path(alias), Map.of("is_write_index", false)))
        .toList();
  }

  private void act(List<Map<String, Object>> actions) throws IOException {
    if (!actions.isEmpty()) {
      api.call("POST", "/_aliases", Map.of("actions", actions));
    }
  }

  private static Map<String, Object> add(String index, String alias, JsonNode definition, Map<String, Object> changes) {
    var body = new HashMap<String, Object>();
    definition.forEachEntry(body::put);
    body.putAll(changes);
    body.put("index", index);
    body.put("alias", alias);
    return Map.of("add", body);
  }
}

/** Restores indices of a snapshot under temporary names, and puts each in the place of the live one. */
final class IndexReplacement {
  private static final String UNTOUCHED = "the live indices were not touched: run the same command again";
  private final ElasticsearchApi api;
  private final SnapshotSource source;
  private final ShardWatch watch;
  private final IndexDefinitions definitions;
  private final Console console;
  private final String stamp;
  private final Set<String> begun = new HashSet<>();
  private boolean withdrawn;

  /** A request that makes an index. */
  private interface Creation {
    void run() throws IOException;
  }

  /** @param stamp the backup's time, which the temporary names end in */
  IndexReplacement(ElasticsearchApi api, SnapshotSource source, ShardWatch watch, Console console, String stamp) {
    this.api = api;
    this.source = source;
    this.watch = watch;
    this.definitions = new IndexDefinitions(api, source, watch);
    this.console = console;
    this.stamp = stamp;
  }

  synchronized IndexDefinition definition(SnapshotIndex index) throws IOException {
    requireNotWithdrawn();
    var temporary = index.copy(stamp) + "_settings";
    begun.add(temporary);
    return definitions.read(index, temporary);
  }

  /** True if an earlier run restored the copy completely. */
  boolean isComplete(SnapshotIndex index) throws IOException {
    return "true".equals(setting(index.copy(stamp), "index.blocks.write"))
        && watch.isRestoredFrom(index.copy(stamp), source.repository(), source.name());
  }

  synchronized void beginCopy(SnapshotIndex index) throws IOException {
    requireNotWithdrawn();
    var copy = index.copy(stamp);
    begun.add(copy);
    create(copy,
        () -> source.restore(index.name(), copy, false, IndexDefinition.ofCopy(), IndexDefinition.NOT_ON_A_COPY));
  }

  /**
   * Waits until every shard of every copy has a node and receives its data.
   *
   * @param inPlace the live indices go first: free disk space is then no reason to refuse
   */
  void requireReceiving(Collection<String> copies, boolean inPlace) throws Exception {
    var refusal = copies.isEmpty() ? null : watch.awaitReceiving(copies);
    if (refusal != null && !(inPlace && refusal.explanation().isOnlyDisk())) {
      throw new Failure(Exit.UNSAFE,
          "no node takes shard %d of %s: %s".formatted(refusal.shard(), refusal.index(),
              refusal.explanation().reason()),
          "the live indices were not touched; see GET /_cluster/allocation/explain");
    }
  }

  /**
   * Makes a small index of the same settings, clones it, gives the clone settings and aliases, and deletes both. Its
   * name does not begin with the index's: a template for such indices could give it a policy, or an alias to write
   * through.
   */
  synchronized List<String> probe(SnapshotIndex index, IndexDefinition definition, String prefix) throws Exception {
    requireNotWithdrawn();
    var probe = prefix + "_restoring_" + stamp + "_probe";
    var clone = probe + "_twin";
    begun.addAll(List.of(probe, clone));
    try {
      createProbe(probe, definition);
      requireStarted(probe, index);
      cloneIndex(probe, clone);
      requireStarted(clone, index);
      count(clone); // a right of its own
      var refused = definitions.applyAllocation(clone, 1, definition);
      if (definition.aliases().isPresent()) {
        definitions.applyAliases(clone, renamed(definition.aliases().get(), clone),
            new LiveIndices(new TreeMap<>(), Map.of()), Set.of());
      }
      return refused;
    } finally {
      definitions.remove(clone);
      definitions.remove(probe);
    }
  }

  private static JsonNode renamed(JsonNode aliases, String clone) {
    var renamed = Json.MAPPER.createObjectNode();
    aliases.forEachEntry((name, alias) -> renamed.set(clone + "_" + renamed.size(), alias));
    return renamed;
  }

  private void createProbe(String probe, IndexDefinition definition) throws IOException {
    definitions.remove(probe);
    try {
      create(probe, () -> put(probe, definition.ofProbe()));
    } catch (Failure e) {
      if (e.code != Exit.UNSAFE) {
        throw e;
      }
      // A setting that an old index may keep, but no new one may have.
      var plain = new HashMap<String, Object>(IndexDefinition.ofCopy());
      plain.put("index.number_of_shards", 1);
      create(probe, () -> put(probe, plain));
    }
  }

  private void put(String index, Map<String, Object> settings) throws IOException {
    api.call("PUT", ElasticsearchApi.path(index) + "?wait_for_active_shards=0", Map.of("settings", settings));
  }

  private void requireStarted(String probe, SnapshotIndex index) throws Exception {
    if (!watch.await(() -> watch.isStarted(Set.of(probe)), () -> watch.recoveredBytes(Set.of(probe)),
        Duration.ofSeconds(30))) {
      throw new Failure(Exit.UNSAFE,
          "no node takes a copy of %s: %s".formatted(index.name(), watch.explain(probe, 0).reason()),
          "the live indices were not touched; free some room, or restore with --in-place");
    }
  }

  private void cloneIndex(String from, String to) throws IOException {
    create(to, () -> api.call("PUT", ElasticsearchApi.path(from, "_clone", to) + "?wait_for_active_shards=0",
        Map.of("settings", IndexDefinition.ofClone())));
  }

  void awaitCopies(Collection<String> copies) throws Exception {
    watch.awaitStarted(copies, UNTOUCHED);
  }

  /** Elasticsearch may refuse to clone, for want of disk say: found out while the live index is still there. */
  void tryCloning(SnapshotIndex index) throws Exception {
    var probe = index.copy(stamp) + "_probe";
    try {
      definitions.remove(probe);
      cloneIndex(index.copy(stamp), probe);
      requireStarted(probe, index);
    } finally {
      definitions.remove(probe);
    }
  }

  /** Only now is the live index removed: a complete copy is in the cluster, and cloning it links its files. */
  long replaceLive(SnapshotIndex index) throws Exception {
    var documents = count(index.copy(stamp));
    console.step("Replacing %s by the restored index (%s)", index.name(), Count.of(documents, "document"));
    api.delete(index.name());
    cloneIndex(index.copy(stamp), index.name());
    watch.awaitStarted(Set.of(index.name()), "the restored copy is complete: run the same command again");
    var cloned = watch.recoveries(Set.of(index.name())).stream().filter(shard -> shard.path("primary").asBoolean())
        .allMatch(shard -> shard.path("type").asText().equals("LOCAL_SHARDS"));
    // a shard that has moved to another node since tells no more where it came from
    if (!cloned && !setting(index.name(), "index.resize.source.name").equals(index.copy(stamp))
        || count(index.name()) != documents) {
      throw madeMeanwhile("%s is not a copy of the restored index", index.name());
    }
    return documents;
  }

  long restoreInPlace(SnapshotIndex index) throws Exception {
    console.step("Deleting %s and restoring it from snapshot %s", index.name(), source.name());
    api.delete(index.name());
    create(index.name(), () -> source.restore(index.name(), index.name(), false, IndexDefinition.ofCopy(),
        IndexDefinition.NOT_ON_A_COPY));
    watch.awaitStarted(Set.of(index.name()), "run the same command again");
    // where a node has restarted since, the index's age tells
    if (!watch.isRestoredFrom(index.name(), source.repository(), source.name())
        && !source.isOlder(Long.parseLong(setting(index.name(), "index.creation_date")))) {
      throw madeMeanwhile("%s did not come from the snapshot", index.name());
    }
    return count(index.name());
  }

  private static Failure madeMeanwhile(String what, String index) {
    return new Failure(Exit.PARTIAL, what.formatted(index) + ": something else made it meanwhile",
        "is TheHive stopped? Then run the same command again");
  }

  /** The aliases that the snapshot's index has; all can be read now that the live index is replaced. */
  JsonNode aliases(SnapshotIndex index, IndexDefinition definition, LiveIndices live, Set<String> replaced)
      throws IOException {
    return definition.aliases().isPresent() ? definition.aliases().get()
        : definitions.aliasesOfWriteIndex(index, index.copy(stamp) + "_settings", live, replaced);
  }

  /** Gives the index that is now live what the snapshot's has; says what it cannot have in this cluster. */
  List<String> complete(SnapshotIndex index, IndexDefinition definition, JsonNode aliases, LiveIndices live,
      Set<String> replaced) throws IOException {
    var refused = new ArrayList<>(definitions.applyReplicas(index.name(), definition));
    refused.addAll(definitions.applyAllocation(index.name(), index.shards(), definition));
    definitions.applyAliases(index.name(), aliases, live, replaced);
    refused.addAll(definitions.applyPolicyAndBlocks(index.name(), definition));
    return refused;
  }

  /** Removes what this run began, and lets it begin nothing more. */
  synchronized void withdraw() throws IOException {
    withdrawn = true;
    remove(Set.copyOf(begun));
  }

  private void requireNotWithdrawn() {
    if (withdrawn) {
      throw new Failure(Exit.DECLINED, "interrupted, nothing was changed", null);
    }
  }

  synchronized void remove(Collection<String> indices) throws IOException {
    for (var index : indices) {
      definitions.remove(index);
      begun.remove(index);
    }
  }

  private String setting(String index, String name) throws IOException {
    return api.tryGet(ElasticsearchApi.path(index, "_settings") + "?flat_settings=true")
        .map(answer -> answer.path(index).path("settings").path(name).asText()).orElse("");
  }

  /**
   * A time-out of ours is not the end of it: the server goes on, and the index, which was not there before, tells. With
   * several hosts the client asks the next one, which answers that the index exists.
   */
  private void create(String index, Creation creation) throws IOException {
    try {
      creation.run();
    } catch (Failure e) {
      if (api.tryGet(ElasticsearchApi.path(index, "_alias")).isEmpty()) {
        throw e;
      }
      console.warn("%s; but %s is there: following it", e.getMessage(), index);
    }
  }

  private long count(String index) throws IOException {
    api.call("POST", ElasticsearchApi.path(index, "_refresh"), null);
    return api.get(ElasticsearchApi.path(index, "_count")).path("count").asLong(-1);
  }

  /** Green where there are nodes enough for all replicas, yellow otherwise; a warning where that takes long. */
  void awaitHealth(String index, int dataNodes) throws Exception {
    var replicas = setting(index, IndexDefinition.REPLICAS);
    var wanted = replicas.isEmpty() || Integer.parseInt(replicas) < dataNodes ? "green" : "yellow";
    var healthy = watch.await(() -> List.of("green", wanted).contains(status(index)),
        () -> watch.recoveredBytes(Set.of(index)) + health(index).path("active_shards").asInt(), Duration.ofMinutes(1));
    if (!healthy && status(index).equals("red")) {
      throw new Failure(Exit.PARTIAL, "%s is red: %s".formatted(index, watch.explain(index, 0).reason()),
          "see GET /_cluster/allocation/explain");
    }
    if (!healthy) {
      console.warn("%s is complete but stays %s: not all replicas are allocated", index, status(index));
    }
  }

  private JsonNode health(String index) throws IOException {
    return api.get("/_cluster/health" + ElasticsearchApi.path(index));
  }

  private String status(String index) throws IOException {
    return health(index).path("status").asText();
  }
}

/**
 * The state of an index that every write changes. It is the same for as long as nobody writes to the index or deletes
 * from it, and no other index takes its place.
 *
 * @param uuid is given to an index when it is made
 * @param lastWrites the sequence number of the last write, by the number of the shard
 */
record IndexState(String uuid, SortedMap<Integer, Long> lastWrites) {
  static IndexState ask(ElasticsearchApi api, String index) throws IOException {
    var uuid = api.get(ElasticsearchApi.path(index, "_settings", "index.uuid") + "?flat_settings=true").path(index)
        .path("settings").path("index.uuid").asText();
    return new IndexState(uuid, lastWrites(api, index));
  }

  static SortedMap<Integer, Long> lastWrites(ElasticsearchApi api, String index) throws IOException {
    return lastWrites(api.get(ElasticsearchApi.path(index, "_stats") + "?level=shards").path("indices").path(index)
        .path("shards"));
  }

  /** @param shards as {@code _stats} tells them: each with all its copies */
  static SortedMap<Integer, Long> lastWrites(JsonNode shards) {
    var last = new TreeMap<Integer, Long>();
    for (var shard : shards.properties()) {
      for (var copy : shard.getValue()) {
        last.merge(Integer.valueOf(shard.getKey()), copy.path("seq_no").path("max_seq_no").asLong(-1), Math::max);
      }
    }
    return last;
  }

  /** True if a report of a restore says the same. */
  boolean isThatOf(JsonNode report) {
    return !uuid.isEmpty() && !lastWrites.isEmpty()
        && Json.MAPPER.valueToTree(this).toString().equals(report.toString());
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

/**
 * A keyspace's definition, as DESCRIBE KEYSPACE writes it.
 *
 * @param tables the CREATE TABLE of each table
 * @param alterations of tables some of whose columns were dropped: ALTER TABLE … DROP and ADD, as DESCRIBE … WITH
 *     INTERNALS and the {@code schema.cql} of a snapshot write them; the CREATE TABLE then has the dropped columns, too
 * @param others statements that create types, indexes, views, functions and aggregates
 */
record KeyspaceDefinition(String keyspace, Map<String, String> replication, boolean durable,
    SortedMap<String, String> tables, SortedMap<String, List<String>> alterations, List<String> others) {
  private static final Pattern KEYSPACE = Pattern.compile(
      "(?is)CREATE KEYSPACE (IF NOT EXISTS )?\"?(?<name>\\w+)\"? WITH replication = (?<map>\\{[^}]*})(?<rest>.*)");
  private static final Pattern TABLE = Pattern.compile("(?is)(?<verb>CREATE|ALTER) TABLE (IF NOT EXISTS )?"
      + "(\"?(?<keyspace>\\w+)\"?\\.)\"?(?<name>\\w+)\"? (?<rest>.*)");
  private static final Pattern OTHER = Pattern.compile(
      "(?is)CREATE (TYPE|(CUSTOM )?INDEX|MATERIALIZED VIEW|(OR REPLACE )?(FUNCTION|AGGREGATE)) .*");
  private static final Pattern TYPE = Pattern.compile("(?is)CREATE TYPE .*");
  private static final Pattern VIEW =
      Pattern.compile("(?is)CREATE MATERIALIZED VIEW (IF NOT EXISTS )?(\"?\\w+\"?\\.)?\"?(?<name>\\w+)\"? AS .*");
  private static final Pattern DROP =
      Pattern.compile("(?is)DROP (?<column>\\w+|\"(?:[^\"]|\"\")*\") USING TIMESTAMP (?<micros>-?\\d+)");
  private static final Pattern ADD = Pattern.compile("(?is)ADD (?<column>\\w+|\"(?:[^\"]|\"\")*\") .*");
  private static final ObjectMapper MAP = JsonMapper.builder().enable(JsonReadFeature.ALLOW_SINGLE_QUOTES).build();

  static KeyspaceDefinition parse(String cql, String keyspace) {
    Map<String, String> replication = null;
    var durable = true;
    var definition =
        new KeyspaceDefinition(keyspace, Map.of(), true, new TreeMap<>(), new TreeMap<>(), new ArrayList<>());
    for (var statement : CqlStatements.split(cql)) {
      var create = KEYSPACE.matcher(statement);
      if (create.matches() && create.group("name").equals(keyspace)) {
        replication = replication(create.group("map"));
        durable = !create.group("rest").replace(" ", "").toLowerCase(Locale.ROOT).contains("durable_writes=false");
      } else if (OTHER.matcher(statement).matches()) {
        definition.others.add(statement);
      } else if (!definition.add(statement)) {
        // A definition creates; anything else in it is a mistake or an attack.
        throw new Failure(Exit.BAD_BACKUP,
            "the definition of keyspace %s has a statement that does not belong there: %s"
            .formatted(keyspace, statement.substring(0, Math.min(80, statement.length()))), lookAt(keyspace));
      }
    }
    if (replication == null) {
      throw new Failure(Exit.BAD_BACKUP, "the definition of keyspace %s has no CREATE KEYSPACE".formatted(keyspace),
          lookAt(keyspace));
    }
    return new KeyspaceDefinition(
        keyspace, replication, durable, definition.tables, definition.alterations, definition.others);
  }

  private static String lookAt(String keyspace) {
    return "look at its create_keyspace_%s.cql".formatted(keyspace);
  }

  /** Takes the statement if it creates a table of this keyspace, or drops or adds a column of one. */
  private boolean add(String statement) {
    var table = TABLE.matcher(statement);
    if (!table.matches() || !table.group("keyspace").equals(keyspace)) {
      return false;
    }
    var rest = table.group("rest");
    if (table.group("verb").equalsIgnoreCase("CREATE")) {
      var name = table.group("name");
      tables.put(name, withoutId("CREATE TABLE \"%s\".\"%s\" %s".formatted(keyspace, name, rest)));
      return true;
    }
    alterations.computeIfAbsent(table.group("name"), key -> new ArrayList<>()).add(statement);
    return DROP.matcher(rest).matches() || ADD.matcher(rest).matches();
  }

  /** Two tables cannot have one ID; the server gives a new one. */
  private static String withoutId(String table) {
    var options = new HashSet<>(CqlStatements.options(table));
    return options.remove("id") ? CqlStatements.withOptions(table, options) : table;
  }

  /** The same with the columns that the table's schema.cql, as a snapshot has it, says were dropped. */
  KeyspaceDefinition withDroppedColumns(String table, String schema) {
    var other = new KeyspaceDefinition(keyspace, Map.of(), true, new TreeMap<>(), new TreeMap<>(), others);
    CqlStatements.split(schema).forEach(other::add);
    if (other.tables.containsKey(table) && tables.containsKey(table)) {
      requireColumns(table, other);
    }
    return !other.alterations.containsKey(table) || !other.tables.containsKey(table) ? this
        : with(table, other.tables.get(table), other.alterations.get(table));
  }

  /** A column that this definition lacks would be taken as dropped, and its values would go. */
  private void requireColumns(String table, KeyspaceDefinition schema) {
    var known = table(table, new UUID(0, 0));
    var lacking = schema.table(table, new UUID(0, 0)).columns().stream().map(column -> column.name)
        .filter(name -> known.getColumn(name) == null).map(name -> name.toCQLString()).sorted().toList();
    if (!lacking.isEmpty()) {
      throw new Failure(Exit.BAD_BACKUP,
          "the definition of table %s.%s lacks the column %s, which the table had when its snapshot was taken"
              .formatted(keyspace, table, String.join(", ", lacking)),
          "create_keyspace_%s.cql is older than the data: put the one of the same day there".formatted(keyspace));
    }
  }

  /** The same with a column that is taken as dropped now, because SSTables have it and the definition does not. */
  KeyspaceDefinition withDroppedColumn(String table, String column, String type, boolean isStatic, long micros) {
    var alter = "ALTER TABLE \"%s\".\"%s\" ".formatted(keyspace, table);
    var statements = new ArrayList<>(alterations.getOrDefault(table, List.of()));
    statements.add("%sADD %s %s%s".formatted(alter, column, type, isStatic ? " static" : ""));
    statements.add("%sDROP %s USING TIMESTAMP %d".formatted(alter, column, micros));
    return with(table, tables.get(table), statements);
  }

  private KeyspaceDefinition with(String table, String create, List<String> statements) {
    var created = new TreeMap<>(tables);
    var altered = new TreeMap<>(alterations);
    created.put(table, create);
    altered.put(table, statements);
    return new KeyspaceDefinition(keyspace, replication, durable, created, altered, others);
  }

  KeyspaceDefinition withReplication(Map<String, String> other) {
    return new KeyspaceDefinition(keyspace, other, durable, tables, alterations, others);
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
    throw new Failure(Exit.USAGE, "%s is not a replication".formatted(map),
        "such as \"{'class': 'NetworkTopologyStrategy', 'datacenter1': 3}\"");
  }

  /** The names of materialized views, whose rows Cassandra makes from those of their tables. */
  SortedSet<String> views() {
    var views = new TreeSet<String>();
    others.stream().map(VIEW::matcher).filter(view -> view.matches()).forEach(view -> views.add(view.group("name")));
    return views;
  }

  /**
   * Statements that create the keyspace, in an order in which each finds what it needs.
   *
   * @param options the options of tables that the server has: an older one would refuse a newer one's
   */
  List<String> statements(Set<String> options) {
    var all = new ArrayList<String>();
    all.add("CREATE KEYSPACE \"%s\" WITH replication = %s AND durable_writes = %s".formatted(
        keyspace, Replication.text(replication), durable));
    others.stream().filter(other -> TYPE.matcher(other).matches()).forEach(all::add);
    tables.forEach((name, table) -> {
      all.add(CqlStatements.withOptions(table, options));
      all.addAll(alterations.getOrDefault(name, List.of()));
    });
    others.stream().filter(other -> !TYPE.matcher(other).matches()).forEach(all::add);
    return all;
  }

  /** A table as Cassandra's own parser reads it, with the keyspace's types and the columns that were dropped. */
  org.apache.cassandra.schema.TableMetadata table(String name, UUID id) {
    try {
      var created = CQLFragmentParser.parseAny(CqlParser::createTableStatement,
          CqlStatements.withOptions(tables.get(name), TableAttributes.allKeywords()), "CREATE TABLE")
          .keyspace(keyspace).prepare(null).builder(types()).id(TableId.fromUUID(id)).build();
      return alterations.containsKey(name) ? altered(created, alterations.get(name)) : created;
    } catch (RuntimeException | LinkageError e) {
      throw Compressors.missingLibrary(e).orElseGet(() -> new Failure(Exit.BAD_BACKUP,
          "the definition of table %s.%s cannot be used: %s".formatted(keyspace, name, e.getMessage()),
          lookAt(keyspace), e));
    }
  }

  private Types types() {
    var types = Types.rawBuilder(keyspace);
    others.stream().filter(other -> TYPE.matcher(other).matches()).forEach(type ->
        CQLFragmentParser.parseAny(CqlParser::createTypeStatement, type, "CREATE TYPE").addToRawBuilder(types));
    return types.build();
  }

  private static org.apache.cassandra.schema.TableMetadata altered(
      org.apache.cassandra.schema.TableMetadata created, List<String> statements) {
    var table = created;
    for (var statement : statements) {
      var words = TABLE.matcher(statement);
      var drop = DROP.matcher(words.matches() ? words.group("rest") : "");
      if (drop.matches()) {
        var column = table.getColumn(identifier(drop.group("column")));
        table = table.unbuild().removeRegularOrStaticColumn(column.name)
            .recordColumnDrop(column, Long.parseLong(drop.group("micros"))).build();
      } else {
        table = added(table, created, statement);
      }
    }
    return table;
  }

  /** The column is one that the table had when it was created, or is parsed in a table that is made for it. */
  private static org.apache.cassandra.schema.TableMetadata added(org.apache.cassandra.schema.TableMetadata table,
      org.apache.cassandra.schema.TableMetadata created, String statement) {
    var words = TABLE.matcher(statement);
    var add = ADD.matcher(words.matches() ? words.group("rest") : "");
    if (!add.matches()) {
      throw new IllegalArgumentException(statement);
    }
    var name = identifier(add.group("column"));
    var column = created.getColumn(name);
    if (column == null) {
      var text =
          "CREATE TABLE t (k int, c int, %s, PRIMARY KEY (k, c))".formatted(add.group().substring("ADD ".length()));
      var parsed = CQLFragmentParser.parseAny(CqlParser::createTableStatement, text, "CREATE TABLE")
          .keyspace(table.keyspace).prepare(null).builder(Types.none()).id(table.id).build().getColumn(name);
      column = new ColumnMetadata(table.keyspace, table.name, name, parsed.type, parsed.position(), parsed.kind);
    }
    return table.unbuild().addColumn(column).build();
  }

  private static ColumnIdentifier identifier(String column) {
    return !column.startsWith("\"") ? ColumnIdentifier.getInterned(column, false)
        : ColumnIdentifier.getInterned(column.substring(1, column.length() - 1).replace("\"\"", "\""), true);
  }

  /** True if a restore can keep the other's tables: Cassandra's own parser reads both alike. */
  boolean isEquivalentTo(KeyspaceDefinition other) {
    return new DefinitionComparison(this, other).isSame();
  }
}

/** Makes a keyspace empty: by truncating its tables, or by dropping and creating it. */
record KeyspaceReset(CassandraCluster cluster, KeyspaceDefinition definition, List<Node> nodes) {
  void truncate(Collection<String> tables) {
    tables.stream().map(table -> cluster.session().executeAsync("TRUNCATE %s.%s".formatted(
        CassandraCluster.quoted(definition.keyspace()), CassandraCluster.quoted(table))))
        .toList().forEach(CompletableFutures::getUninterruptibly);
  }

  void drop() throws InterruptedException {
    cluster.session().execute("DROP KEYSPACE IF EXISTS " + CassandraCluster.quoted(definition.keyspace()));
    cluster.awaitSchemaAgreement();
  }

  /** Runs the definition's statements one after the other through one node, which so knows each before the next. */
  void create() throws InterruptedException {
    var known = new HashSet<String>();
    cluster.session().execute(
        "SELECT column_name FROM system_schema.columns WHERE keyspace_name = 'system_schema' AND table_name = 'tables'")
        .forEach(row -> known.add(row.getString("column_name")));
    for (var statement : definition.statements(known)) {
      cluster.session().execute(SimpleStatement.newInstance(statement).setNode(nodes.get(0)));
    }
    cluster.awaitSchemaAgreement();
  }
}

/** Streams all tables of a keyspace side by side, each as soon as it is unpacked, and watches the nodes meanwhile. */
final class KeyspaceStreaming {
  private static final Duration SILENT = Duration.ofMinutes(1);
  private final CassandraCluster cluster;
  private final KeyspaceDefinition definition;
  private final Optional<ServerEncryptionOptions> encryption;
  private final int connections;
  private final StepTimes times;
  private final RestoreConsole console;
  private final AtomicLong streamed = new AtomicLong();
  private final Set<String> done = ConcurrentHashMap.newKeySet();
  private final Map<Node, Instant> silentSince = new HashMap<>();

  KeyspaceStreaming(CassandraCluster cluster, KeyspaceDefinition definition,
      Optional<ServerEncryptionOptions> encryption, int connections, StepTimes times,
      RestoreConsole console) {
    this.cluster = cluster;
    this.definition = definition;
    this.encryption = encryption;
    this.connections = connections;
    this.times = times;
    this.console = console;
  }

  /** Bytes that went to the nodes. */
  long streamed() {
    return streamed.get();
  }

  int tablesDone() {
    return done.size();
  }

  /** @param folders where each table is being unpacked */
  void stream(List<Node> nodes, Map<CassandraBackup.Table, Future<Path>> folders, ExecutorService workers)
      throws InterruptedException {
    var tables = folders.keySet().stream().filter(table -> !table.sstables().isEmpty()).toList();
    var name = CqlIdentifier.fromInternal(definition.keyspace());
    var keyspace = cluster.session().refreshSchema().getKeyspace(name).orElseThrow();
    var ring = TableStreaming.ring(cluster.session().getMetadata().getTokenMap().orElseThrow(), name, nodes);
    console.step("Streaming %s to %s", Count.of(tables.size(), "table"), Count.of(ring.size(), "node"));
    var streams = new LinkedHashMap<String, Future<?>>();
    for (var table : tables) {
      var id = keyspace.getTable(CqlIdentifier.fromInternal(table.name())).flatMap(live -> live.getId()).orElseThrow();
      var metadata = definition.table(table.name(), id);
      streams.put(table.name(), workers.submit(() -> {
        var folder = folders.get(table).get();
        times.time(Database.Name.CASSANDRA, "stream " + table.name(), table.bytes(),
            () -> TableStreaming.stream(folder, metadata, table.sstables().size(), ring, encryption, connections,
            streamed, console));
        done.add(table.name());
        return UnpackedTables.delete(folder);
      }));
    }
    for (var stream : streams.values()) {
      while (!hasEnded(stream)) {
        requireNoSilentNode(nodes);
      }
    }
    requireAllStreamed(streams);
  }

  private static void requireAllStreamed(Map<String, Future<?>> streams) {
    var failures = new TreeMap<String, Failure>();
    streams.forEach((table, stream) -> {
      try {
        stream.get();
      } catch (InterruptedException | ExecutionException e) {
        failures.put(table, Failure.of(e));
      }
    });
    if (!failures.isEmpty()) {
      var first = failures.firstEntry();
      throw new Failure(first.getValue().code, "not all tables were streamed: " + failures.entrySet().stream()
          .map(entry -> entry.getKey() + ": " + entry.getValue().getMessage()).collect(Collectors.joining("; ")),
          first.getValue().hint, first.getValue());
    }
  }

  private static boolean hasEnded(Future<?> stream) throws InterruptedException {
    try {
      stream.get(1, TimeUnit.SECONDS);
    } catch (ExecutionException e) {
      return true; // told when all have ended
    } catch (TimeoutException e) {
      return false;
    }
    return true;
  }

  /** A stream takes a node behind a cut network for lost after ten minutes; the driver's heartbeat sees it sooner. */
  private void requireNoSilentNode(List<Node> nodes) {
    for (var node : nodes) {
      if (node.getState() != NodeState.DOWN) {
        silentSince.remove(node);
      } else if (silentSince.computeIfAbsent(node, any -> Instant.now()).isBefore(Instant.now().minus(SILENT))) {
        throw new Failure(Exit.PARTIAL,
            "Cassandra node %s does not answer any more".formatted(CassandraCluster.host(node)),
            CassandraCluster.WORKING);
      }
    }
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

/**
 * TheHive's indices that are there now.
 *
 * @param indices by name; copies of an interrupted restore are among them
 * @param aliases of each index: name and definition
 */
record LiveIndices(SortedMap<String, Index> indices, Map<String, JsonNode> aliases) {
  private static final Pattern MAIN = Pattern.compile("(.+)_global(_\\d+)?");
  private static final Pattern COPY = Pattern.compile("(?<index>.+)_restoring_\\d{8}_\\d\\dh\\d\\dm\\d\\ds(_\\w+)?");

  /**
   * A live index.
   *
   * @param documents -1 where it is not known: the index is closed or red
   */
  record Index(String name, boolean open, long documents, long bytes) {}

  /** Asks for the indices of these names and all others of TheHive. */
  static LiveIndices ask(ElasticsearchApi api, Collection<String> names) throws IOException {
    var patterns = patterns(names);
    var indices = new TreeMap<String, Index>();
    for (var pattern : patterns) {
      for (var index : api.get("/_cat/indices" + ElasticsearchApi.path(pattern)
          + "?format=json&bytes=b&h=index,status,docs.count,store.size&expand_wildcards=all")) {
        var name = index.path("index").asText();
        indices.put(name,
            new Index(name, index.path("status").asText().equals("open"), index.path("docs.count").asLong(-1),
            index.path("store.size").asLong()));
      }
    }
    var aliases = new HashMap<String, JsonNode>();
    for (var pattern : patterns) {
      api.get(ElasticsearchApi.path(pattern, "_alias") + "?expand_wildcards=all")
          .forEachEntry((index, node) -> aliases.put(index, node.path("aliases")));
    }
    return new LiveIndices(indices, aliases);
  }

  /** The names of TheHive's indices: {@code thehive_global} makes {@code thehive_*} and {@code thehive-*}. */
  static SortedSet<String> patterns(Collection<String> names) {
    var patterns = new TreeSet<String>();
    for (var name : names) {
      var prefix = prefix(name);
      patterns.add(prefix + "_*");
      patterns.add(prefix + "-*");
      if (!name.matches(Pattern.quote(prefix) + "[_-].*")) {
        patterns.add(name + "*");
      }
    }
    return patterns;
  }

  /** {@code thehive} of {@code thehive_global} and {@code thehive-audits-000001}. */
  static String prefix(String name) {
    var main = MAIN.matcher(name);
    return main.matches() ? main.group(1) : name.replaceFirst("(?<=[^_-])[_-].*$", "");
  }

  static boolean isMain(String name) {
    return MAIN.matcher(name).matches();
  }

  /** The name of TheHive's main index among these; the first where none is called so. */
  static String main(List<String> names) {
    return names.stream().filter(LiveIndices::isMain).findFirst().orElse(names.get(0));
  }

  Optional<Index> get(String name) {
    return Optional.ofNullable(indices.get(name));
  }

  /** Indices that interrupted restores left. */
  SortedSet<String> leftovers(Set<String> names) {
    return indices.keySet().stream().filter(name -> isCopy(name, names)).collect(Collectors.toCollection(TreeSet::new));
  }

  /** True if the name is one that a restore gives to a copy. */
  static boolean isCopy(String name) {
    return COPY.matcher(name).matches();
  }

  private static boolean isCopy(String name, Set<String> names) {
    var copy = COPY.matcher(name);
    return copy.matches() && (names.contains(copy.group("index"))
        || names.stream().map(LiveIndices::prefix).anyMatch(copy.group("index")::equals));
  }

  /** TheHive's indices that a restore of these leaves as they are. */
  List<Index> others(Set<String> names) {
    return indices.values().stream().filter(index -> !names.contains(index.name()) && !isCopy(index.name())).toList();
  }

  /** The indices that stay and take what is written through an alias. */
  SortedSet<String> writeIndices(String alias, Set<String> replaced) {
    return aliases.entrySet().stream()
        .filter(index -> !replaced.contains(index.getKey())
            && index.getValue().path(alias).path("is_write_index").asBoolean())
        .map(Map.Entry::getKey).collect(Collectors.toCollection(TreeSet::new));
  }

  /** Refuses names that cannot be replaced by an index: an alias, or part of a data stream. */
  void requireReplaceable(ElasticsearchApi api, Collection<String> names) throws IOException {
    for (var name : names) {
      var live = api.tryGet(ElasticsearchApi.path(name, "_alias"));
      if (live.isPresent() && !live.get().isEmpty() && !live.get().has(name)) {
        throw new Failure(Exit.UNSAFE,
            "%s is an alias of %s, not an index".formatted(name, live.get().fieldNames().next()),
            "TheHive's hot backup names an index: remove the alias first");
      }
    }
    for (var pattern : patterns(names)) {
      var streams = api.tryGet("/_data_stream" + ElasticsearchApi.path(pattern) + "?expand_wildcards=all")
          .orElse(MissingNode.getInstance());
      for (var stream : streams.path("data_streams")) {
        requireNotIn(stream, names);
      }
    }
  }

  private static void requireNotIn(JsonNode stream, Collection<String> names) {
    var name = stream.path("name").asText();
    var backing = stream.path("indices").valueStream().map(index -> index.path("index_name").asText())
        .filter(names::contains).findFirst();
    if (names.contains(name) || backing.isPresent()) {
      throw new Failure(Exit.UNSAFE, names.contains(name) ? "%s is a data stream, not an index".formatted(name)
          : "%s belongs to data stream %s".formatted(backing.get(), name),
          "an index of the snapshot cannot take its place: restore without it (--index), or delete the data stream"
              + " first");
    }
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

/** When an index was last changed, by the times that TheHive writes into its documents. */
final class NewestChange {
  private static final List<String> TIMES = List.of("_createdAt", "_updatedAt");

  private NewestChange() {}

  /** Empty where the index does not have these fields, or cannot be searched. */
  static Optional<Instant> of(ElasticsearchApi api, String index) throws IOException {
    var newest = new LinkedHashMap<String, Object>();
    TIMES.forEach(field -> newest.put(field, Map.of("max", Map.of("field", field))));
    return api.tryTo("POST", ElasticsearchApi.path(index, "_search") + "?size=0", Map.of("aggs", newest),
        Set.of(400, 403, 404, 503)).flatMap(NewestChange::of);
  }

  /** Reads the answer; a field that no document has is null in it. */
  static Optional<Instant> of(JsonNode answer) {
    var times = answer.path("aggregations").valueStream().map(field -> field.path("value"))
        .filter(JsonNode::isNumber).mapToDouble(JsonNode::asDouble);
    return times.boxed().max(Double::compare).map(millis -> Instant.ofEpochMilli(millis.longValue()));
  }
}

/**
 * Room on the disks of a Cassandra node that runs on this host; CQL does not tell it of others.
 *
 * @param folders where it keeps its data
 * @param free bytes that can be written there
 * @param held bytes that only automatic snapshots hold: of tables that earlier restores truncated or dropped
 */
record NodeRoom(String node, List<Path> folders, long free, long held) {
  /** Names the snapshots that Cassandra made of what was truncated or dropped, and how they are removed. */
  static String removal(String keyspace) {
    return "nodetool listsnapshots names those of earlier restores, truncated-… and dropped-…;"
        + " nodetool clearsnapshot -t <name> -- %s removes one, on each node".formatted(keyspace);
  }

  /** Throws if what the restore brings would not fit. */
  void require(long bytes, String keyspace) {
    if (free < bytes + bytes / 10) {
      throw new Failure(Exit.UNSAFE,
          "Cassandra node %s has %s free in %s, the restore brings %s%s".formatted(node, Console.size(free),
              folders.get(0),
              Console.size(bytes),
              held == 0 ? "" : "; snapshots of what earlier restores removed hold " + Console.size(held)),
          "free some room there: " + removal(keyspace));
    }
  }

  /** Empty where the node runs elsewhere, or its folders cannot be recognised here (in a container, say). */
  static Optional<NodeRoom> of(CassandraCluster cluster, Node node, String keyspace) {
    if (!runsHere(node)) {
      return Optional.empty();
    }
    var setting = cluster.setting(node, "data_file_directories").replaceFirst("^\\[(.*)]$", "$1");
    var folders = Stream.of(setting.split(",")).map(String::strip).filter(folder -> folder.startsWith("/"))
        .map(Path::of).toList();
    try {
      if (folders.isEmpty() || !isOf(cluster, keyspace, folders)) {
        return Optional.empty();
      }
      var free = new HashMap<Object, Long>();
      for (var folder : folders) {
        free.put(Files.getFileStore(folder), Files.getFileStore(folder).getUsableSpace());
      }
      return Optional
          .of(new NodeRoom(CassandraCluster.host(node), folders, free.values().stream().mapToLong(bytes -> bytes).sum(),
          held(folders, keyspace)));
    } catch (IOException | UncheckedIOException e) {
      return Optional.empty();
    }
  }

  private static boolean runsHere(Node node) {
    var address = node.getBroadcastAddress().map(InetSocketAddress::getAddress);
    try {
      return address.filter(InetAddress::isLoopbackAddress).isPresent()
          || address.isPresent() && NetworkInterface.getByInetAddress(address.get()) != null;
    } catch (SocketException e) {
      return false;
    }
  }

  /**
   * The folder of a table has its id in its name, so that folders of another Cassandra are not taken for this one's.
   */
  private static boolean isOf(CassandraCluster cluster, String keyspace, List<Path> folders) {
    return cluster.session().getMetadata().getKeyspace(CqlIdentifier.fromInternal(keyspace)).stream()
        .flatMap(live -> live.getTables().values().stream())
        .flatMap(table -> table.getId().stream()
            .map(id -> table.getName().asInternal() + "-" + id.toString().replace("-", "")))
        .anyMatch(
            name -> folders.stream().anyMatch(folder -> Files.isDirectory(folder.resolve(keyspace).resolve(name))));
  }

  /** Files of automatic snapshots that no live table has any more: hard links keep the others at no cost. */
  private static long held(List<Path> folders, String keyspace) throws IOException {
    var bytes = 0L;
    for (var folder : folders) {
      if (!Files.isDirectory(folder.resolve(keyspace))) {
        continue;
      }
      try (var files = Files.walk(folder.resolve(keyspace), 4)) {
        for (var file : files.filter(file -> file.toString().matches(".*/snapshots/(truncated|dropped)-[^/]+/[^/]+"))
            .toList()) {
          var attributes = Files.readAttributes(file, "unix:nlink,size,isRegularFile");
          bytes +=
              Boolean.TRUE.equals(attributes.get("isRegularFile")) && ((Number) attributes.get("nlink")).intValue() == 1
              ? ((Number) attributes.get("size")).longValue() : 0;
        }
      }
    }
    return bytes;
  }
}

/**
 * Numbers such as tokens of partitions, each once however often it was seen. Of more than {@value #SIZE} a random
 * sample is kept: the numbers with the smallest hashes, which are the same ones wherever they are seen.
 */
final class NumberSample {
  static final int SIZE = 1 << 17;
  private static final long FACTOR_1 = 0xbf58476d1ce4e5b9L;
  private static final long FACTOR_2 = 0x94d049bb133111ebL;
  private static final long INVERSE_1 = inverse(FACTOR_1);
  private static final long INVERSE_2 = inverse(FACTOR_2);

  /** Hashes, which can be turned back into numbers; smaller ones in the order of signed numbers. */
  private long[] hashes = new long[64];
  private int count;
  private long largest = Long.MAX_VALUE;

  void add(long number) {
    addHash(hash(number));
  }

  void addAll(NumberSample other) {
    synchronized (other) {
      for (int i = 0; i < other.count; i++) {
        addHash(other.hashes[i]);
      }
    }
  }

  private synchronized void addHash(long hash) {
    if (hash > largest) {
      return;
    }
    if (count == 2 * SIZE) {
      compact();
    } else if (count == hashes.length) {
      hashes = Arrays.copyOf(hashes, Math.min(2 * count, 2 * SIZE));
    }
    hashes[count++] = hash;
  }

  /** Sorts, removes duplicates, and keeps the smallest. */
  private void compact() {
    Arrays.sort(hashes, 0, count);
    var kept = 0;
    for (int i = 0; i < count && kept < SIZE; i++) {
      if (kept == 0 || hashes[i] != hashes[kept - 1]) {
        hashes[kept++] = hashes[i];
      }
    }
    count = kept;
    largest = kept == SIZE ? hashes[kept - 1] : Long.MAX_VALUE;
  }

  /** The numbers in their order, each once. */
  synchronized long[] sorted() {
    compact();
    return Arrays.stream(hashes, 0, count).map(NumberSample::number).sorted().toArray();
  }

  /** The numbers of which another sample would tell if it had them: all, where neither left any out. */
  synchronized NumberSample comparableWith(NumberSample other) {
    var limit = other.limit();
    compact();
    var comparable = new NumberSample();
    Arrays.stream(hashes, 0, count).filter(hash -> hash <= limit).forEach(comparable::addHash);
    return comparable;
  }

  private synchronized long limit() {
    compact();
    return largest;
  }

  /** The number of different numbers that were added: exact up to {@value #SIZE}, estimated above. */
  synchronized long distinct() {
    compact();
    return count < SIZE ? count : Math.round((SIZE - 1) / (((double) largest - Long.MIN_VALUE) / 0x1p64));
  }

  /** SplitMix64's last step: different numbers have different hashes. */
  private static long hash(long number) {
    var z = (number ^ number >>> 30) * FACTOR_1;
    z = (z ^ z >>> 27) * FACTOR_2;
    return z ^ z >>> 31;
  }

  private static long number(long hash) {
    var z = (hash ^ hash >>> 31 ^ hash >>> 62) * INVERSE_2;
    z = (z ^ z >>> 27 ^ z >>> 54) * INVERSE_1;
    return z ^ z >>> 30 ^ z >>> 60;
  }

  /** The number that multiplied by this odd one gives 1, found by Newton's method. */
  private static long inverse(long odd) {
    var inverse = odd;
    for (int i = 0; i < 6; i++) {
      inverse *= 2 - odd * inverse;
    }
    return inverse;
  }
}

/** The owner of an entry; empty and -1 where the archive does not tell. */
record Owner(String user, long uid, String group, long gid) {
  static final Owner UNKNOWN = new Owner("", -1, "", -1);
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

/**
 * Files for TLS: PEM, or the JKS and PKCS12 stores that TheHive's own configuration names.
 *
 * @param ca whom to trust, and nobody else
 * @param certificate shown to the other side; null where there is none. A store holds its key, too
 * @param key of that certificate; null where a store has it
 * @param caPassword of a store, else null
 * @param keyPassword of a store and the key in it, else null
 */
record Pem(Path ca, Path certificate, Path key, String caPassword, String keyPassword) {
  /** A private key and the certificates that go with it. */
  private record Own(PrivateKey key, Certificate[] chain) {}

  Pem(Path ca, Path certificate, Path key) {
    this(ca, certificate, key, null, null);
  }

  SSLContext tls() {
    var trust = Tls.trust(ca, caPassword);
    if (certificate == null) {
      return Tls.context(trust);
    }
    try {
      var own = own();
      var store = KeyStore.getInstance("PKCS12");
      store.load(null, null);
      store.setKeyEntry("own", own.key(), new char[0], own.chain());
      var keys = KeyManagerFactory.getInstance(KeyManagerFactory.getDefaultAlgorithm());
      keys.init(store, new char[0]);
      return Tls.context(trust, keys.getKeyManagers());
    } catch (GeneralSecurityException | IOException e) {
      throw unusable(e);
    }
  }

  private Failure unusable(Exception e) {
    return new Failure(Exit.USAGE,
        "cannot use the client certificate %s%s: %s".formatted(certificate, key == null ? "" : " and its key " + key,
            Failure.of(e).getMessage()),
        "they must be PEM files, or one JKS or PKCS12 store with its password (CASSANDRA_SSL_KEY_PASSWORD)");
  }

  private Own own() throws GeneralSecurityException, IOException {
    var store = Tls.store(certificate, keyPassword);
    if (store.isEmpty()) {
      if (key == null) {
        throw new IOException("it has no key: CASSANDRA_SSL_KEY is not set");
      }
      try (var in = Files.newInputStream(certificate)) {
        return new Own(PEMReader.extractPrivateKey(Files.readString(key)),
            CertificateFactory.getInstance("X.509").generateCertificates(in).toArray(Certificate[]::new));
      }
    }
    for (var alias : Collections.list(store.get().aliases())) {
      Key found = store.get().isKeyEntry(alias)
          ? store.get().getKey(alias, keyPassword == null ? new char[0] : keyPassword.toCharArray()) : null;
      if (found instanceof PrivateKey own) {
        return new Own(own, store.get().getCertificateChain(alias));
      }
    }
    throw new KeyStoreException("it holds no private key");
  }

  /** The private key and its certificates as text, whatever kind of file has them. */
  String ownText() {
    try {
      var own = own();
      var text = new StringBuilder(text("PRIVATE KEY", own.key().getEncoded()));
      for (var one : own.chain()) {
        text.append(text("CERTIFICATE", one.getEncoded()));
      }
      return text.toString();
    } catch (GeneralSecurityException | IOException e) {
      throw unusable(e);
    }
  }

  /** The certificates that are trusted, as text. */
  String trustedText() {
    try {
      var text = new StringBuilder();
      for (var issuer : Tls.trust(ca, caPassword).getAcceptedIssuers()) {
        text.append(text("CERTIFICATE", issuer.getEncoded()));
      }
      return text.toString();
    } catch (GeneralSecurityException e) {
      throw new Failure(Exit.USAGE, "cannot use the CA certificate %s: %s".formatted(ca, e.getMessage()), null, e);
    }
  }

  private static String text(String type, byte[] content) {
    var lines = Base64.getMimeEncoder(64, "\n".getBytes(StandardCharsets.US_ASCII)).encodeToString(content);
    return "-----BEGIN %1$s-----\n%2$s\n-----END %1$s-----\n".formatted(type, lines);
  }

  /** Without the passwords. */
  @Override
  public String toString() {
    return "TLS with %s%s".formatted(ca, certificate == null ? "" : " and " + certificate);
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

/** Data that come piece by piece, for Cassandra's readers; knows the position in all of them. */
abstract class PositionedInput extends RebufferingInputStream {
  private static final ByteBuffer NOTHING = ByteBuffer.allocate(0);
  private long before;

  PositionedInput() {
    super(NOTHING);
  }

  /** The next piece, which may be the same buffer again; null at the end. */
  abstract ByteBuffer next() throws IOException;

  @Override
  protected void reBuffer() throws IOException {
    before += buffer.limit();
    var piece = next();
    buffer = piece == null ? NOTHING : piece;
  }

  long position() {
    return before + buffer.position();
  }

  boolean isAtEnd() throws IOException {
    if (!buffer.hasRemaining()) {
      reBuffer();
    }
    return !buffer.hasRemaining();
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

/**
 * The limit of each node's recovery, raised for the time of a restore. What it was before is kept in the cluster
 * itself, in a setting that Elasticsearch leaves to its users: a run after a killed one puts it back.
 */
final class RecoveryRate {
  static final String SETTING = "indices.recovery.max_bytes_per_sec";
  private static final String BEFORE = "cluster.metadata.thehive_restore_recovery_rate_before";
  private static final String NONE = "none";
  private static final String UNCHANGED = "unchanged";
  private static final String RAISED = "500mb";
  private final ElasticsearchApi api;
  private final Optional<String> wanted;

  /** @param wanted empty where the cluster's limit is left as it is */
  RecoveryRate(ElasticsearchApi api, Optional<String> wanted) {
    this.api = api;
    this.wanted = wanted;
  }

  /**
   * The limit for the time of a restore; empty where it stays. What an administrator has set stays; Elasticsearch's own
   * default is for a cluster that serves users meanwhile.
   *
   * @param option what the command line says, or null
   */
  static Optional<String> wanted(String option, ElasticsearchCluster cluster) {
    if (option != null) {
      return Optional.of(option).filter(rate -> !rate.equals(UNCHANGED));
    }
    var untouched = cluster.setting(BEFORE).map(NONE::equals).orElseGet(() -> !cluster.isSet(SETTING));
    return untouched ? Optional.of(RAISED) : Optional.empty();
  }

  /** The limit that counts when no restore raises it. */
  static String now(ElasticsearchCluster cluster) {
    return cluster.setting(BEFORE).or(() -> cluster.setting(SETTING)).filter(rate -> !rate.equals(NONE)).orElse("40mb");
  }

  /** Elasticsearch's own form of a size: 200mb, or -1 for no limit. */
  static void requireValid(String rate) {
    if (!rate.equals(UNCHANGED) && !rate.matches("(?i)-1|0|\\d+(\\.\\d+)?([kmgtp]?b|[kmgtp])")) {
      throw new Failure(Exit.USAGE, "--recovery-rate '%s' is not a size".formatted(rate),
          "such as 200mb; -1 is no limit, unchanged leaves the cluster's own");
    }
  }

  synchronized void raise() throws IOException {
    if (wanted.isPresent()) {
      var now = api.get("/_cluster/settings?flat_settings=true").path("transient");
      set(wanted.get(), now.path(BEFORE).asText(now.path(SETTING).asText(NONE)));
    }
  }

  /** Puts it back where this or an interrupted run raised it. */
  synchronized void putBack() throws IOException {
    var before = api.get("/_cluster/settings?flat_settings=true").path("transient").path(BEFORE);
    if (!before.isMissingNode()) {
      set(before.asText().equals(NONE) ? null : before.asText(), null);
    }
  }

  private void set(String rate, String before) throws IOException {
    var settings = new HashMap<String, Object>();
    settings.put(SETTING, rate);
    settings.put(BEFORE, before);
    api.call("PUT", "/_cluster/settings", Map.of("transient", settings));
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

/** Tells if a replication can be had from the nodes there are. */
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
      throw new Failure(Exit.UNSAFE,
          "the backup's replication %s does not fit the nodes there are: %s".formatted(text(replication), nodes),
          "to restore with what fits: --replication \"%s\"".formatted(text(fitting)));
    }
  }

  /** How many copies of each row there are in these data centres together. */
  static int copies(Map<String, String> replication, List<String> dataCentres) {
    return replication.entrySet().stream()
        .filter(e -> e.getKey().equals("replication_factor") || dataCentres.contains(e.getKey()))
        .mapToInt(e -> (int) factor(e.getValue())).sum();
  }

  static long factor(String text) {
    try {
      return Long.parseLong(text);
    } catch (NumberFormatException e) {
      throw new Failure(Exit.USAGE, "replication factor '%s' is not supported".formatted(text),
          "name a plain one with --replication");
    }
  }

  static String text(Map<String, String> replication) {
    return replication.entrySet().stream().map(e -> "'%s': '%s'".formatted(e.getKey(), e.getValue()))
        .collect(Collectors.joining(", ", "{", "}"));
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

/**
 * The part of the ring that the partitions of a backup cover. Cassandra's partitioner hashes keys, so the partitions of
 * a whole keyspace lie evenly by chance: gaps between them are as long as chance makes them. A node that the backup
 * lacks leaves gaps where its ranges were; they are longer than chance allows if there are enough partitions.
 *
 * @param partitions the number of different partitions that were looked at
 * @param largestGap the largest part of the ring without a partition, of 1
 * @param missing how much of the ring seems to be missing, of 1: an estimate, 0 if nothing does
 * @param chance an upper bound of the probability that a whole backup has gaps as long as these
 */
record RingCoverage(int partitions, double largestGap, double missing, double chance) {
  /** Below this chance a backup is taken for a part of the ring: a whole one would be so in one of a million cases. */
  static final double CERTAIN = 1e-6;

  static RingCoverage of(NumberSample sample) {
    return of(sample.sorted());
  }

  /** @param tokens in their order, each once */
  static RingCoverage of(long[] tokens) {
    var n = tokens.length;
    if (n < 2) {
      return new RingCoverage(n, 1, 0, 1);
    }
    var gaps = new double[n];
    for (int i = 0; i < n; i++) {
      gaps[i] = unsigned(tokens[(i + 1) % n] - tokens[i]) / 0x1p64;
    }
    Arrays.sort(gaps);
    var chance = chance(gaps);
    return new RingCoverage(n, gaps[n - 1], chance < CERTAIN ? missing(gaps) : 0, chance);
  }

  /** The findings in words, for plans and messages. */
  String text() {
    return isPart()
        ? ("about %.0f %% of the ring is missing, the largest gap is %.2g %% (%,d partitions; a whole backup looks"
            + " so in one of 10^%.0f cases)")
                .formatted(100 * missing, 100 * largestGap, partitions, -Math.log10(Math.max(chance, 1e-300)))
        : "%,d partitions, largest gap %.2g %% of the ring; a single hole of %.2g %% would have been found".formatted(
            partitions, 100 * largestGap, 100 * smallestHole(partitions));
  }

  boolean isPart() {
    return chance < CERTAIN;
  }

  /**
   * True if a backup with as many partitions would surely be known to be a part of the ring, were it one.
   *
   * @param holes the lengths of the parts of the ring that it would lack, of 1, touching ones joined
   */
  boolean wouldShow(double... holes) {
    var longest = holes.clone();
    Arrays.sort(longest);
    for (var i = 1; i <= Math.min(partitions / 2, holes.length); i = next(i)) {
      if (tests(partitions) * bound(partitions, i, longest[holes.length - i]) < CERTAIN) {
        return true;
      }
    }
    return false;
  }

  /** The smallest single hole in the ring that this many partitions show, of 1. */
  static double smallestHole(int partitions) {
    for (var size = 1e-6; size < 1; size *= 1.01) {
      if (partitions > 1 && tests(partitions) * bound(partitions, 1, size) < CERTAIN) {
        return size;
      }
    }
    return 1;
  }

  /**
   * The lengths of the longest gap, the second, third, fourth, sixth, … are each compared with chance, so that one
   * large hole is found and many medium ones are. The sum of the single chances bounds that of any of them.
   */
  private static double chance(double[] gaps) {
    var n = gaps.length;
    var smallest = 1.0;
    for (var i = 1; i <= n / 2; i = next(i)) {
      smallest = Math.min(smallest, bound(n, i, gaps[n - i]));
    }
    return Math.min(1, tests(n) * smallest);
  }

  private static int next(int i) {
    return Math.max(i + 1, i * 3 / 2);
  }

  private static int tests(int n) {
    var tests = 0;
    for (var i = 1; i <= n / 2; i = next(i)) {
      tests++;
    }
    return tests;
  }

  /**
   * Chernoff's bound for i or more of n random gaps being this long or longer; it holds because random gaps of one ring
   * are negatively associated: where one is longer, others are shorter.
   */
  private static double bound(int n, int i, double length) {
    var one = (n - 1) * Math.log1p(-length); // the logarithm of one gap's chance
    var share = i / (double) n;
    if (Math.log(share) <= one) {
      return 1;
    }
    if (length >= 1) {
      return 0;
    }
    var rest = share < 1 ? (1 - share) * (Math.log1p(-share) - Math.log1p(-Math.exp(one))) : 0;
    return Math.exp(-n * (share * (Math.log(share) - one) + rest));
  }

  /**
   * Half of the gaps tell how dense partitions are where they are, and so how much of the ring so many of them fill.
   */
  private static double missing(double[] gaps) {
    var n = gaps.length;
    var mean = gaps[n / 2] / Math.log(2);
    var holes = 0.0;
    for (var i = n - 1; i >= 0 && gaps[i] > mean * Math.log(100.0 * n); i--) {
      holes += gaps[i] - mean;
    }
    return Math.min(1, Math.max(holes, 1 - n * mean));
  }

  private static double unsigned(long value) {
    return value >= 0 ? value : value + 0x1p64;
  }
}

/** Decides what a backup with few partitions leaves open: whether it is the whole ring. */
final class RingDoubt {
  private RingDoubt() {}

  /**
   * Returns what cannot be told; empty where every node has every row, the archives are of enough nodes, or a hole of
   * the size that missing nodes leave would have been found.
   *
   * @param tokens of each node now, by data centre
   * @param replication of the backup
   * @param archives the number of nodes whose archives there are
   */
  static Optional<String> of(RingCoverage coverage, Map<String, List<long[]>> tokens, Map<String, String> replication,
      int archives) {
    var simple = replication.get("class").equals("SimpleStrategy");
    var rings = simple ? Map.of("replication_factor", tokens.values().stream().flatMap(List::stream).toList())
        : new TreeMap<>(tokens);
    if (!simple && rings.keySet().stream().noneMatch(replication::containsKey)) {
      return ofOtherNames(coverage, tokens, replication, archives);
    }
    for (var ring : rings.entrySet()) {
      var nodes = ring.getValue().size();
      var factor = (int) Replication.factor(replication.getOrDefault(ring.getKey(), "0"));
      if (factor == 0 || archives > nodes - factor) { // of each row at least one copy is in the archives
        continue;
      }
      if (archives > 1 || !RingHoles.of(ring.getValue(), factor).stream().allMatch(coverage::wouldShow)) {
        return Optional.of(
            ("whether the backup is the whole cannot be told: %,d partitions are too few. With %d nodes%s and %d"
                + " cop%s of each row"
                + " one node's backup is only a part").formatted(coverage.partitions(), nodes,
                    simple ? "" : " in " + ring.getKey(), factor,
            factor == 1 ? "y" : "ies"));
      }
    }
    return Optional.empty();
  }

  /** The data centres have other names than the backup's: the most copies that it has anywhere are taken for theirs. */
  private static Optional<String> ofOtherNames(RingCoverage coverage, Map<String, List<long[]>> tokens,
      Map<String, String> replication, int archives) {
    var copies = replication.entrySet().stream().filter(entry -> !entry.getKey().equals("class"))
        .mapToLong(entry -> Replication.factor(entry.getValue())).max().orElse(1);
    return of(coverage, tokens, Map.of("class", "SimpleStrategy", "replication_factor", "" + copies), archives);
  }
}

/**
 * The parts of the ring that a single node does not have: they are missing where only that node's backup is restored.
 */
final class RingHoles {
  private record Owned(long token, int node) {}

  private RingHoles() {}

  /**
   * Returns for each node the lengths of what it lacks, of 1; parts that touch are one.
   *
   * @param tokens of each node of one data centre
   * @param factor copies of each row there
   */
  static List<double[]> of(List<long[]> tokens, int factor) {
    var ring = new ArrayList<Owned>();
    for (var node = 0; node < tokens.size(); node++) {
      for (var token : tokens.get(node)) {
        ring.add(new Owned(token, node));
      }
    }
    ring.sort(Comparator.comparingLong(Owned::token));
    var holes = new ArrayList<double[]>();
    for (var node = 0; node < tokens.size(); node++) {
      holes.add(holes(ring, node, factor));
    }
    return holes;
  }

  /** Goes once round the ring, from behind a range that the node has, so that no hole is cut in two. */
  private static double[] holes(List<Owned> ring, int node, int factor) {
    var size = ring.size();
    var first = 0;
    while (first < size && !isReplica(ring, first, node, factor)) {
      first++;
    }
    var holes = new ArrayList<Double>();
    var hole = 0.0;
    for (var step = 1; step <= size; step++) {
      var at = (first + step) % size;
      if (!isReplica(ring, at, node, factor)) {
        hole += length(ring, at);
      } else if (hole > 0) {
        holes.add(hole);
        hole = 0;
      }
    }
    return holes.stream().mapToDouble(length -> length).toArray();
  }

  /** The range that ends at a token is on the nodes of that token and of the next ones, each node counted once. */
  private static boolean isReplica(List<Owned> ring, int at, int node, int factor) {
    var replicas = new HashSet<Integer>();
    for (var i = 0; i < ring.size() && replicas.size() < factor; i++) {
      replicas.add(ring.get((at + i) % ring.size()).node());
    }
    return replicas.contains(node);
  }

  private static double length(List<Owned> ring, int at) {
    var before = ring.get((at + ring.size() - 1) % ring.size()).token();
    var length = (ring.get(at).token() - before) / 0x1p64;
    return length <= 0 ? length + 1 : length;
  }

  /** The sum of a node's holes, of 1. */
  static double sum(double[] holes) {
    return Arrays.stream(holes).sum();
  }
}

/**
 * About how many rows a table holds: counted where they are few, else estimated from how close together the tokens of
 * some are.
 *
 * @param rows the number
 * @param certainty how well it is known
 */
record RowEstimate(long rows, Certainty certainty) {
  /** How well a number is known; the worst of two decides for their sum. */
  enum Certainty { EXACT, ABOUT, AT_LEAST }

  private static final int PIECES = 4;
  private static final int SAMPLE = 1_000;
  private static final int FEWEST_PARTITIONS = 30;

  RowEstimate plus(RowEstimate other) {
    return new RowEstimate(rows + other.rows, certainty.compareTo(other.certainty) > 0 ? certainty : other.certainty);
  }

  /** In words, such as {@code about 1,200,000 rows}. */
  @Override
  public String toString() {
    var prefix = switch (certainty) {
      case EXACT -> "";
      case ABOUT -> "about ";
      case AT_LEAST -> "more than ";
    };
    return prefix + Count.of(rows, "row");
  }

  /** The live tables of a keyspace that can be asked. */
  static Map<String, RowEstimate> of(CqlSession session, String keyspace) {
    var estimates = new TreeMap<String, RowEstimate>();
    session.getMetadata().getKeyspace(CqlIdentifier.fromInternal(keyspace)).ifPresent(live -> live.getTables().values()
        .forEach(
            table -> of(session, table).ifPresent(estimate -> estimates.put(table.getName().asInternal(), estimate))));
    return estimates;
  }

  private static Optional<RowEstimate> of(CqlSession session, TableMetadata table) {
    var key =
        table.getPartitionKey().stream().map(column -> column.getName().asCql(true)).collect(Collectors.joining(", "));
    var query = "SELECT token(%s) AS t FROM %s.%s WHERE token(%s) >= ? AND token(%s) < ? LIMIT %d".formatted(
        key, table.getKeyspace().asCql(true), table.getName().asCql(true), key, key, SAMPLE);
    var sum = new RowEstimate(0, Certainty.EXACT);
    try {
      for (var from : starts()) {
        var to = from + size() - 1; // the last token of all, which no partition has, is left out for a plain query
        var rows =
            session.execute(SimpleStatement.newInstance(query, from, to).setTimeout(Duration.ofSeconds(20))).all();
        sum = sum.plus(of(from, rows.stream().mapToLong(row -> row.getLong("t")).toArray()));
      }
      return Optional.of(sum);
    } catch (DriverException e) {
      return Optional.empty(); // it only informs
    }
  }

  private static List<Long> starts() {
    var starts = new ArrayList<Long>();
    for (var piece = 0; piece < PIECES; piece++) {
      starts.add(Long.MIN_VALUE + piece * size());
    }
    return starts;
  }

  private static long size() {
    return Long.MIN_VALUE / PIECES * -2;
  }

  /** @param tokens of the first rows from there on, at most as many as a sample has */
  static RowEstimate of(long from, long[] tokens) {
    if (tokens.length < SAMPLE) {
      return new RowEstimate(tokens.length, Certainty.EXACT);
    }
    if (Arrays.stream(tokens).distinct().count() < FEWEST_PARTITIONS) {
      return new RowEstimate(tokens.length, Certainty.AT_LEAST);
    }
    var share = (tokens[tokens.length - 1] - from) / (double) size();
    return new RowEstimate(round(tokens.length / share), Certainty.ABOUT);
  }

  /** To two digits: more would promise too much. */
  private static long round(double rows) {
    var unit = Math.pow(10, Math.max(0, Math.floor(Math.log10(rows)) - 1));
    return (long) (Math.round(rows / unit) * unit);
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
 * The uncompressed data of an SSTable, read out of the archive. No byte is handed on before it was compared with the
 * checksum of its chunk.
 */
abstract class SSTableData extends PositionedInput {
  private static final int CHECKSUM = 4;
  final SSTableFiles files;
  final DataInputStream file;
  /** The sum of all data; null where each chunk has a checksum. */
  private final CRC32 digest;

  private SSTableData(SSTableFiles files) throws IOException {
    this.files = files;
    this.digest = files.has(SSTableFiles.COMPRESSION) || files.has(SSTableFiles.CHECKSUMS) ? null : new CRC32();
    var data = new BufferedInputStream(files.open(SSTableFiles.DATA), 1 << 18);
    this.file = new DataInputStream(digest == null ? data : new CheckedInputStream(data, digest));
  }

  static SSTableData open(SSTableFiles files) throws IOException {
    return files.has(SSTableFiles.COMPRESSION) ? new Compressed(files) : new Plain(files);
  }

  /**
   * Must be called at the end: throws if these were not all data, or not those of the digest. The digest counts only
   * where chunks have no checksums: scrub of Cassandra 5.0.9 writes good data with a wrong digest, which nothing but
   * {@code nodetool verify} reads.
   */
  void requireEnd() throws IOException {
    if (file.read() >= 0) {
      throw files.refused(SSTableFiles.DATA, "is damaged: it is longer than its SSTable", null);
    }
    if (files.has(SSTableFiles.DIGEST)) {
      var recorded = files.text(SSTableFiles.DIGEST).strip();
      if (digest == null ? !recorded.matches("\\d+") : !recorded.equals(Long.toString(digest.getValue()))) {
        throw files.refused(SSTableFiles.DATA, "does not match its digest", null);
      }
    }
  }

  Failure wrongChunk(long chunk, String why, Throwable cause) {
    return files.refused(SSTableFiles.DATA, "does not match its digest: chunk %d%s".formatted(chunk, why), cause);
  }

  @Override
  public void close() throws IOException {
    file.close();
  }

  /**
   * Chunks of one length, each compressed by itself, with a checksum behind it; CompressionInfo.db says where they are.
   * A compaction that opens what it wrote before it ends leaves one more, which is empty.
   */
  private static final class Compressed extends SSTableData {
    private final DataInputStream info;
    private final ICompressor compressor;
    private final int chunkLength;
    private final int maxCompressedLength;
    private final long dataLength;
    private final int chunks;
    private final byte[] plain;
    private byte[] packed = new byte[0];
    private long start;
    private int chunk;

    Compressed(SSTableFiles files) throws IOException {
      super(files);
      info = new DataInputStream(new BufferedInputStream(files.open(SSTableFiles.COMPRESSION)));
      try {
        var name = info.readUTF();
        var options = new HashMap<String, String>();
        for (var count = info.readInt(); count > 0; count--) {
          options.put(info.readUTF(), info.readUTF());
        }
        chunkLength = info.readInt();
        maxCompressedLength = files.version().hasMaxCompressedLength() ? info.readInt() : Integer.MAX_VALUE;
        dataLength = info.readLong();
        chunks = info.readInt();
        start = info.readLong();
        if (chunkLength <= 0 || start != 0 || dataLength <= 0 || (dataLength - 1) / chunkLength >= chunks) {
          throw new IOException("%d chunks of %d bytes are not %d bytes".formatted(chunks, chunkLength, dataLength));
        }
        compressor = Compressors.make(name, options, chunkLength, maxCompressedLength);
      } catch (IOException | ConfigurationException | IllegalArgumentException e) {
        throw files.damaged(SSTableFiles.COMPRESSION, e);
      }
      plain = new byte[(int) Math.min(chunkLength, dataLength)];
    }

    @Override
    ByteBuffer next() throws IOException {
      while (chunk < chunks) {
        var piece = nextChunk();
        if (piece.hasRemaining()) {
          return piece;
        }
      }
      return null;
    }

    private ByteBuffer nextChunk() throws IOException {
      chunk++;
      var size = files.require(SSTableFiles.DATA).size();
      var end = chunk < chunks ? nextOffset() : size;
      if (end - start < CHECKSUM || end > size || end - start > 2L * chunkLength + 1024) {
        throw wrongChunk(chunk, " is not where CompressionInfo.db says", null);
      }
      var length = (int) (end - start) - CHECKSUM;
      start = end;
      packed = packed.length < length ? new byte[length] : packed;
      file.readFully(packed, 0, length);
      var crc = new CRC32();
      crc.update(packed, 0, length);
      if ((int) crc.getValue() != file.readInt()) {
        throw wrongChunk(chunk, "", null);
      }
      return unpacked(length);
    }

    private long nextOffset() {
      try {
        return info.readLong();
      } catch (IOException e) {
        throw files.damaged(SSTableFiles.COMPRESSION, "it is cut short", e);
      }
    }

    /** Takes a chunk as it is where compression did not make it smaller; the last one ends in zeros up to the limit. */
    private ByteBuffer unpacked(int length) {
      var wanted = (int) Math.max(0, Math.min(chunkLength, dataLength - (chunk - 1L) * chunkLength));
      try {
        var got = length;
        if (length < maxCompressedLength) {
          got = length == 0 ? 0 : compressor.uncompress(packed, 0, length, plain, 0);
        } else {
          got = length == maxCompressedLength ? Math.min(wanted, length) : length;
          System.arraycopy(packed, 0, plain, 0, Math.min(got, plain.length));
        }
        if (got != wanted) {
          throw new IOException("%d bytes in place of %d".formatted(got, wanted));
        }
        return ByteBuffer.wrap(plain, 0, got);
      } catch (LinkageError e) {
        throw Compressors.missingLibrary(e).orElseThrow();
      } catch (IOException | RuntimeException e) {
        throw wrongChunk(chunk, " cannot be decompressed: " + e.getMessage(), e);
      }
    }

    @Override
    void requireEnd() throws IOException {
      super.requireEnd();
      if (info.read() >= 0) {
        throw files.damaged(SSTableFiles.COMPRESSION, "it is longer than its SSTable", null);
      }
    }

    @Override
    public void close() throws IOException {
      super.close();
      info.close();
    }
  }

  /** Data as they are; CRC.db has the checksums of chunks. */
  private static final class Plain extends SSTableData {
    private final DataInputStream checksums;
    private final byte[] piece;
    private long chunk;

    Plain(SSTableFiles files) throws IOException {
      super(files);
      checksums = new DataInputStream(new BufferedInputStream(files.has(SSTableFiles.CHECKSUMS)
          ? files.open(SSTableFiles.CHECKSUMS) : InputStream.nullInputStream()));
      try {
        var length = files.has(SSTableFiles.CHECKSUMS) ? checksums.readInt() : 1 << 16;
        if (length <= 0 || length > 1 << 26) {
          throw new IOException("chunks of %d bytes".formatted(length));
        }
        piece = new byte[length];
      } catch (IOException e) {
        throw files.damaged(SSTableFiles.CHECKSUMS, e);
      }
    }

    @Override
    ByteBuffer next() throws IOException {
      var length = file.readNBytes(piece, 0, piece.length);
      if (length == 0) {
        return null;
      }
      chunk++;
      if (files.has(SSTableFiles.CHECKSUMS)) {
        var crc = new CRC32();
        crc.update(piece, 0, length);
        try {
          if ((int) crc.getValue() != checksums.readInt()) {
            throw wrongChunk(chunk, "", null);
          }
        } catch (EOFException e) {
          throw files.damaged(SSTableFiles.CHECKSUMS, "it is cut short", e);
        }
      }
      return ByteBuffer.wrap(piece, 0, length);
    }

    @Override
    void requireEnd() throws IOException {
      super.requireEnd();
      var more = checksums.readAllBytes();
      if (!Arrays.equals(more, new byte[more.length])) { // those of empty chunks, which a compaction leaves, are 0
        throw files.damaged(SSTableFiles.CHECKSUMS, "it is longer than its SSTable", null);
      }
    }

    @Override
    public void close() throws IOException {
      super.close();
      checksums.close();
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
      throw archive.broken("SSTable %s of table %s has a format that only a newer Cassandra reads".formatted(
          name, table), null);
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
    return damaged(component, cause.getMessage(), cause);
  }

  Failure damaged(String component, String why, Throwable cause) {
    return refused(component, "is damaged: " + why, cause);
  }

  /** @param why completes a sentence that begins with the component's name */
  Failure refused(String component, String why, Throwable cause) {
    return archive.broken("%s-%s of table %s %s".formatted(name, component, table, why), cause);
  }
}

/** The entries of an SSTable's index, read out of the archive one after the other. */
final class SSTableIndex extends PositionedInput {
  private final SSTableFiles files;
  private final InputStream in;
  private final IndexInfo.Serializer blocks;
  private final byte[] piece = new byte[1 << 16];

  /**
   * A partition's place in the data.
   *
   * @param header the length of what stands before its first row; 0 if there are no blocks
   * @param blocks the parts of a large partition, by their first and last rows; none of a small one
   */
  record Entry(DecoratedKey key, long position, long header, DeletionTime deletion, List<IndexInfo> blocks) {}

  SSTableIndex(SSTableFiles files, SerializationHeader header) throws IOException {
    this.files = files;
    this.in = files.open(SSTableFiles.INDEX);
    this.blocks = IndexInfo.serializer(files.version(), header);
  }

  @Override
  ByteBuffer next() throws IOException {
    var length = in.readNBytes(piece, 0, piece.length);
    return length == 0 ? null : ByteBuffer.wrap(piece, 0, length);
  }

  /** The next entry; null at the end. */
  Entry readEntry() throws IOException {
    if (isAtEnd()) {
      return null;
    }
    var key = Murmur3Partitioner.instance.decorateKey(ByteBufferUtil.readWithShortLength(this));
    var position = readUnsignedVInt();
    var size = readUnsignedVInt();
    var end = position() + size;
    if (size < 0 || end > files.require(SSTableFiles.INDEX).size()) {
      throw new IOException("an entry leads beyond its end");
    }
    if (size == 0) {
      return new Entry(key, position, 0, null, List.of());
    }
    var header = readUnsignedVInt();
    var deletion = DeletionTime.serializer.deserialize(this);
    var infos = readBlocks(readUnsignedVInt(), end);
    if (position() != end) {
      throw new IOException("an entry is not as long as it says");
    }
    return new Entry(key, position, header, deletion, infos);
  }

  /** The blocks, and where each of them stands in the index. */
  private List<IndexInfo> readBlocks(long count, long end) throws IOException {
    if (count < 0 || count > end - position()) {
      throw new IOException("an entry has %d blocks".formatted(count));
    }
    var first = position();
    var infos = new ArrayList<IndexInfo>();
    var offsets = new ArrayList<Long>();
    for (var i = 0; i < count; i++) {
      offsets.add(position() - first);
      infos.add(blocks.deserialize(this));
    }
    for (var offset : offsets) {
      if (readInt() != offset) {
        throw new IOException("a block of an entry is not where it says");
      }
    }
    return infos;
  }

  @Override
  public void close() throws IOException {
    in.close();
  }
}

/**
 * Reads one SSTable in an archive from end to end and proves that its components are whole and agree: the index names
 * each partition of the data, and no other, where it is; the filter has each; each row can be read through the
 * definition.
 */
final class SSTableProof {
  private static final Set<String> READ_WITH_DATA = Set.of(SSTableFiles.DATA, SSTableFiles.INDEX, SSTableFiles.FILTER,
      SSTableFiles.STATISTICS, SSTableFiles.COMPRESSION, SSTableFiles.CHECKSUMS, SSTableFiles.DIGEST,
      SSTableFiles.CONTENTS);
  private final SSTableFiles files;
  private final SSTableStatistics statistics;
  private final org.apache.cassandra.schema.TableMetadata table;
  private final SerializationHeader header;
  private final DeserializationHelper helper;
  private final NumberSample tokens;

  private SSTableProof(SSTableStatistics statistics, org.apache.cassandra.schema.TableMetadata table,
      NumberSample tokens) {
    this.files = statistics.files();
    this.statistics = statistics;
    this.table = statistics.readable(table);
    try {
      this.header = statistics.header().toHeader(this.table);
    } catch (UnknownColumnException e) {
      throw files.refused(SSTableFiles.STATISTICS, "does not fit the table's definition: " + e.getMessage(), e);
    }
    this.helper = new DeserializationHelper(
        this.table, files.version().correspondingMessagingVersion(), DeserializationHelper.Flag.LOCAL);
    this.tokens = tokens;
  }

  /** @param tokens gets those of the SSTable's partitions */
  static void prove(SSTableStatistics statistics, org.apache.cassandra.schema.TableMetadata table,
      NumberSample tokens) {
    try {
      new SSTableProof(statistics, table, tokens).prove();
    } catch (Failure e) {
      throw e;
    } catch (RuntimeException | IOError e) {
      throw statistics.files().refused(SSTableFiles.DATA, "cannot be read: " + e, e);
    }
  }

  private void prove() {
    requireComponents();
    for (var component : files.components().keySet()) {
      if (!READ_WITH_DATA.contains(component)) {
        requireReadable(component);
      }
    }
    try (var filter = filter()) {
      read(filter);
    } catch (IOException e) {
      throw files.damaged(SSTableFiles.DATA, e);
    }
  }

  /**
   * Cassandra writes no table of contents for SSTables that came as whole files: then it is the set that it always
   * writes.
   */
  private void requireComponents() {
    if (files.has(SSTableFiles.CONTENTS)) {
      files.text(SSTableFiles.CONTENTS).lines().map(String::strip).filter(name -> !name.isEmpty())
          .forEach(files::require);
    }
    files.require(SSTableFiles.DATA);
    files.require(SSTableFiles.INDEX);
    if (statistics.hasFilter() && table.params.bloomFilterFpChance < 1) {
      files.require(SSTableFiles.FILTER);
    }
    if (!files.has(SSTableFiles.COMPRESSION)) {
      files.require(SSTableFiles.CHECKSUMS);
    }
  }

  private void requireReadable(String component) {
    try (var in = files.open(component)) {
      if (IOUtils.consume(in) != files.require(component).size()) {
        throw new IOException("it is cut short");
      }
    } catch (IOException e) {
      throw files.damaged(component, e);
    }
  }

  /** A partition that is not in the filter would be invisible. */
  private IFilter filter() {
    if (!files.has(SSTableFiles.FILTER)) {
      return FilterFactory.AlwaysPresent;
    }
    try (var in = files.open(SSTableFiles.FILTER)) {
      var bytes = in.readAllBytes();
      var hashes = bytes.length < 8 ? 0 : ByteBuffer.wrap(bytes).getInt();
      if (hashes < 1 || hashes > 64 || bytes.length != 8 + 8L * ByteBuffer.wrap(bytes).getInt(4)) {
        throw new IOException("its length is wrong");
      }
      return BloomFilterSerializer.deserialize(new DataInputStream(new ByteArrayInputStream(bytes)),
          files.version().hasOldBfFormat());
    } catch (IOException e) {
      throw files.damaged(SSTableFiles.FILTER, e);
    }
  }

  private void read(IFilter filter) throws IOException {
    try (var index = new SSTableIndex(files, header); var data = SSTableData.open(files)) {
      var partitions = 0L;
      DecoratedKey before = null;
      for (; !data.isAtEnd(); partitions++) {
        var start = data.position();
        var entry = next(index);
        if (entry == null) {
          throw files.damaged(SSTableFiles.INDEX, "it ends after %d partitions, the data go on".formatted(partitions),
              null);
        }
        var key = key(data);
        if (entry.position() != start || !entry.key().getKey().equals(key)) {
          throw files.damaged(SSTableFiles.INDEX,
              "entry %d is not that of the data at %d".formatted(partitions + 1, start), null);
        }
        if (before != null && before.compareTo(entry.key()) >= 0 || !filter.isPresent(entry.key())) {
          throw files.damaged(SSTableFiles.INDEX, "it does not agree with its filter and order", null);
        }
        before = entry.key();
        tokens.add((Long) before.getToken().getTokenValue());
        readPartition(data, entry, start);
      }
      requireEnd(index, data, partitions);
    }
  }

  private SSTableIndex.Entry next(SSTableIndex index) {
    try {
      return index.readEntry();
    } catch (IOException | RuntimeException | OutOfMemoryError e) {
      throw e instanceof Failure failure ? failure : files.damaged(SSTableFiles.INDEX, e);
    }
  }

  private ByteBuffer key(SSTableData data) {
    try {
      return ByteBufferUtil.readWithShortLength(data);
    } catch (IOException e) {
      throw files.damaged(SSTableFiles.DATA, e);
    }
  }

  private void requireEnd(SSTableIndex index, SSTableData data, long partitions) throws IOException {
    if (next(index) != null) {
      throw files.damaged(SSTableFiles.INDEX, "it has more partitions than the data: %d".formatted(partitions), null);
    }
    data.requireEnd();
    var written = statistics.stats().estimatedPartitionSize;
    if (partitions == 0 || !written.isOverflowed() && written.count() != partitions) {
      throw files.damaged(SSTableFiles.DATA,
          "it has %d partitions, %d were written".formatted(partitions, written.count()), null);
    }
  }

  private void readPartition(SSTableData data, SSTableIndex.Entry entry, long start) {
    try {
      var deletion = DeletionTime.serializer.deserialize(data);
      if (!entry.blocks().isEmpty() && !deletion.equals(entry.deletion())) {
        throw files.damaged(SSTableFiles.INDEX, "an entry does not agree with the data at %d".formatted(start), null);
      }
      var rows = SSTableSimpleIterator.create(table, data, header, helper, deletion);
      rows.readStaticRow().validateData(table);
      var blocks = new Blocks(entry, data.position() - start);
      while (true) {
        var position = data.position() - start;
        if (!rows.hasNext()) {
          blocks.end(data.position() - start);
          return;
        }
        var next = rows.next();
        next.validateData(table);
        blocks.add(next, position);
      }
    } catch (Failure e) {
      throw e;
    } catch (IOException | RuntimeException | IOError | OutOfMemoryError e) {
      throw files.refused(SSTableFiles.DATA,
          "cannot be read through the table's definition: partition at %d: %s".formatted(
          start, e.getMessage()), e);
    }
  }

  /** Compares the index's blocks of a large partition with its rows. */
  private final class Blocks {
    private static final int END_MARK = 1;
    private final SSTableIndex.Entry entry;
    private int next;
    private IndexInfo block;
    private ClusteringPrefix<?> last;
    private DeletionTime open;

    Blocks(SSTableIndex.Entry entry, long header) {
      this.entry = entry;
      if (!entry.blocks().isEmpty() && (entry.header() != header || entry.blocks().get(0).offset != header)) {
        throw wrong();
      }
    }

    void add(Unfiltered row, long position) {
      if (block != null && position >= block.offset + block.width) {
        finish(position);
      }
      if (block == null && next < entry.blocks().size()) {
        block = entry.blocks().get(next++);
        if (block.offset != position || !isSame(block.firstName, row.clustering())) {
          throw wrong();
        }
      }
      last = row.clustering();
      if (row instanceof RangeTombstoneMarker marker) {
        open = marker.isOpen(false) ? marker.openDeletionTime(false) : null;
      }
    }

    /** The mark at a partition's end is in the last block, but not where the last row was long enough to end it. */
    void end(long position) {
      if (block != null) {
        finish(position - block.offset - block.width == END_MARK ? position - END_MARK : position);
      }
      if (next != entry.blocks().size()) {
        throw wrong();
      }
    }

    private void finish(long position) {
      if (position != block.offset + block.width || !isSame(block.lastName, last)
          || !(open == null ? block.endOpenMarker == null : open.equals(block.endOpenMarker))) {
        throw wrong();
      }
      block = null;
    }

    private boolean isSame(ClusteringPrefix<?> one, ClusteringPrefix<?> other) {
      return one.kind() == other.kind() && table.comparator.compare(one, other) == 0;
    }

    private Failure wrong() {
      return files.damaged(SSTableFiles.INDEX, "its blocks of the partition at %d are not those of the data".formatted(
          entry.position()), null);
    }
  }
}

/**
 * An SSTable's Statistics.db: how it was written, and with which columns. Since Cassandra 4.0 it has checksums of its
 * own.
 */
record SSTableStatistics(
    SSTableFiles files, StatsMetadata stats, ValidationMetadata validation, SerializationHeader.Component header) {
  static SSTableStatistics read(SSTableFiles files) {
    var name = files.name() + "-" + SSTableFiles.STATISTICS;
    try (var in = files.open(SSTableFiles.STATISTICS)) {
      var path = Path.of("/", "keyspace", files.table(), name);
      var all = new MetadataSerializer().deserialize(
          Descriptor.fromFilename(new org.apache.cassandra.io.util.File(path)),
          new FileSegmentInputStream(ByteBuffer.wrap(in.readAllBytes()), name, 0), EnumSet.allOf(MetadataType.class));
      var stats = (StatsMetadata) all.get(MetadataType.STATS);
      var validation = (ValidationMetadata) all.get(MetadataType.VALIDATION);
      var header = (SerializationHeader.Component) all.get(MetadataType.HEADER);
      if (stats == null || validation == null || header == null) {
        throw new IOException("it is not complete");
      }
      return new SSTableStatistics(files, stats, validation, header).requirePartitioner();
    } catch (IOException | RuntimeException | OutOfMemoryError e) {
      throw e instanceof Failure failure ? failure : files.damaged(SSTableFiles.STATISTICS, e);
    }
  }

  private SSTableStatistics requirePartitioner() {
    if (!validation.partitioner.equals(Murmur3Partitioner.class.getCanonicalName())) {
      throw files.refused(SSTableFiles.STATISTICS,
          "names partitioner %s: only Murmur3Partitioner is supported".formatted(
          validation.partitioner), null);
    }
    return this;
  }

  boolean hasFilter() {
    return validation.bloomFilterFPChance < 1;
  }

  /** Gives the columns that the table neither has nor had: their names and types. */
  void unknownColumns(org.apache.cassandra.schema.TableMetadata table, boolean statics,
      BiConsumer<String, String> column) {
    (statics ? header.getStaticColumns() : header.getRegularColumns()).forEach((name, type) -> {
      var known = table.getColumn(name);
      if ((known == null || known.isStatic() != statics) && table.getDroppedColumn(name, statics) == null) {
        column.accept(quoted(name), type.expandUserTypes().asCQL3Type().toString());
      }
    });
  }

  private static String quoted(ByteBuffer name) {
    return "\"" + string(name).replace("\"", "\"\"") + "\"";
  }

  private static String string(ByteBuffer name) {
    try {
      return ByteBufferUtil.string(name);
    } catch (java.nio.charset.CharacterCodingException e) {
      return ByteBufferUtil.bytesToHex(name);
    }
  }

  /**
   * The table as this SSTable is read with: no value of a dropped column is left out.
   *
   * @throws Failure if the SSTable has a key or a column of a type that the table's definition cannot read
   */
  org.apache.cassandra.schema.TableMetadata readable(org.apache.cassandra.schema.TableMetadata table) {
    requireType("the partition key", table.partitionKeyType, header.getKeyType());
    var clustering = table.comparator.subtypes();
    var stored = header.getClusteringTypes();
    if (clustering.size() != stored.size()) {
      throw unreadable("%d clustering columns".formatted(stored.size()), "%d".formatted(clustering.size()));
    }
    for (var i = 0; i < stored.size(); i++) {
      requireType("clustering column " + (i + 1), clustering.get(i), stored.get(i));
    }
    requireTypes(table, header.getStaticColumns(), true);
    requireTypes(table, header.getRegularColumns(), false);
    var kept = new HashMap<ByteBuffer, DroppedColumn>();
    table.droppedColumns.forEach((name, dropped) -> kept.put(name, new DroppedColumn(dropped.column, Long.MIN_VALUE)));
    return table.unbuild().droppedColumns(kept).build();
  }

  private void requireTypes(
      org.apache.cassandra.schema.TableMetadata table, Map<ByteBuffer, AbstractType<?>> columns, boolean statics) {
    columns.forEach((name, type) -> {
      var column = table.getColumn(name);
      if (column != null && column.isStatic() == statics) {
        requireType("column " + string(name), column.type, type);
      }
    });
  }

  private void requireType(String what, AbstractType<?> wanted, AbstractType<?> stored) {
    var alike = wanted.isValueCompatibleWith(stored) || unfrozen(wanted).equals(unfrozen(stored));
    if (wanted.isReversed() != stored.isReversed()
        || !wanted.isCompatibleWith(stored) && !(wanted.isMultiCell() == stored.isMultiCell() && alike)) {
      throw unreadable("%s as %s".formatted(what, stored.asCQL3Type()), wanted.asCQL3Type().toString());
    }
  }

  /** Within a frozen type SSTables do not say that what it consists of is frozen, too. */
  private static String unfrozen(AbstractType<?> type) {
    return type.asCQL3Type().toString().replace("frozen", "").replaceAll("[<>]", "");
  }

  private Failure unreadable(String stored, String wanted) {
    return files.refused(SSTableFiles.STATISTICS,
        "does not fit the table's definition: it has %s, the definition has %s".formatted(
        stored, wanted), null);
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

/** Waits for the shards of indices that are restored or cloned, and says why where they make no progress. */
final class ShardWatch {
  private static final Duration STALLED = Duration.ofMinutes(5);
  private static final Duration UNREACHABLE_FOR = Duration.ofMinutes(1);
  /** Reasons for which an unassigned shard stays so once no node may take it. */
  private static final Set<String> FINAL =
      Set.of("NEW_INDEX_RESTORED", "EXISTING_INDEX_RESTORED", "CLUSTER_RECOVERED", "ALLOCATION_FAILED");
  private static final int NAMES_LENGTH = 2_500; // a request's first line holds 4 KB
  private final ElasticsearchApi api;
  private volatile long recovered;

  /** A question to the server. */
  interface Question<T> {
    T ask() throws IOException;
  }

  /** A shard that has no node, and why. */
  record Refusal(String index, int shard, AllocationExplanation explanation) {}

  ShardWatch(ElasticsearchApi api) {
    this.api = api;
  }

  /** The bytes of the indices that were watched. */
  long recovered() {
    return recovered;
  }

  /**
   * Asks until the answer is yes; false when the figure stood still for too long. A node that restarts is asked again.
   */
  boolean await(Question<Boolean> done, Question<Long> figure, Duration limit) throws Exception {
    var before = -1L;
    for (var moved = Instant.now(); Instant.now().isBefore(moved.plus(limit)); Thread.sleep(200)) {
      try {
        if (done.ask()) {
          return true;
        }
        var now = figure.ask();
        moved = now == before ? moved : Instant.now();
        before = now;
      } catch (Failure e) {
        if (e.code != Exit.UNREACHABLE || Instant.now().isAfter(moved.plus(UNREACHABLE_FOR))) {
          throw e;
        }
      }
    }
    return false;
  }

  /** Waits until every primary of the indices is started; a shard that failed, or no progress for long, is an error. */
  void awaitStarted(Collection<String> indices, String hint) throws Exception {
    if (!await(() -> primariesStarted(indices, hint), () -> recoveredBytes(indices), STALLED)) {
      var waiting = notStarted(indices).get(0);
      throw new Failure(Exit.PARTIAL, "%s makes no progress: %s".formatted(waiting.path("index").asText(),
          explain(waiting).reason()), "see GET /_cluster/allocation/explain");
    }
  }

  /**
   * Waits until every primary has a node and data arrives there; returns the first shard that no node takes, or null.
   */
  Refusal awaitReceiving(Collection<String> indices) throws Exception {
    var refused = new ArrayList<Refusal>();
    var began = await(() -> {
      refused.clear();
      refused.addAll(refusals(indices));
      return !refused.isEmpty() || allReceive(indices);
    }, () -> recoveredBytes(indices) - notStarted(indices).size(), STALLED);
    if (!began) {
      var waiting = notStarted(indices).get(0);
      return new Refusal(waiting.path("index").asText(), waiting.path("shard").asInt(), explain(waiting));
    }
    return refused.isEmpty() ? null : refused.get(0);
  }

  private List<Refusal> refusals(Collection<String> indices) throws IOException {
    var refusals = new ArrayList<Refusal>();
    for (var shard : notStarted(indices)) {
      if (shard.path("state").asText().equals("UNASSIGNED")) {
        var explanation = explain(shard);
        if (explanation.isRefused()) {
          refusals.add(new Refusal(shard.path("index").asText(), shard.path("shard").asInt(), explanation));
        }
      }
    }
    return refusals;
  }

  private boolean allReceive(Collection<String> indices) throws IOException {
    var primaries = primaries(indices);
    var receiving =
        recoveries(indices).stream().filter(shard -> shard.path("primary").asBoolean() && receives(shard)).count();
    return primaries.stream().allMatch(shard -> shard.path("state").asText().matches("INITIALIZING|STARTED|RELOCATING"))
        && receiving >= primaries.size();
  }

  private static boolean receives(JsonNode recovery) {
    var size = recovery.path("index").path("size");
    var stage = recovery.path("stage").asText();
    return !stage.equals("INIT") && (!stage.equals("INDEX") || size.path("recovered_in_bytes").asLong() > 0
        || size.path("total_in_bytes").asLong(1) == 0);
  }

  boolean isStarted(Collection<String> indices) throws IOException {
    return notStarted(indices).isEmpty();
  }

  private boolean primariesStarted(Collection<String> indices, String hint) throws IOException {
    var open = notStarted(indices);
    for (var shard : open) {
      requireNotFailed(shard, hint);
    }
    return open.isEmpty();
  }

  /** Elasticsearch tries a failed shard some times more; a restore does not go on after a restart of the cluster. */
  private void requireNotFailed(JsonNode shard, String hint) throws IOException {
    var reason = shard.path("unassigned.reason").asText();
    if (!shard.path("state").asText().equals("UNASSIGNED") || !FINAL.contains(reason)) {
      return;
    }
    var explanation = explain(shard);
    if (!explanation.isRefused()) {
      return;
    }
    throw new Failure(Exit.PARTIAL,
        "shard %d of %s failed: %s".formatted(shard.path("shard").asInt(), shard.path("index").asText(),
        reason.equals("CLUSTER_RECOVERED") ? "Elasticsearch was started again meanwhile"
                : reason.equals("ALLOCATION_FAILED")
                    ? AllocationExplanation.withoutTrace(shard.path("unassigned.details").asText())
                : explanation.reason()),
        hint);
  }

  /** The primaries that are not started. */
  private List<JsonNode> notStarted(Collection<String> indices) throws IOException {
    return primaries(indices).stream().filter(shard -> !shard.path("state").asText().matches("STARTED|RELOCATING"))
        .toList();
  }

  private List<JsonNode> primaries(Collection<String> indices) throws IOException {
    var primaries = new ArrayList<JsonNode>();
    for (var names : groups(indices)) {
      for (var shard : api.get("/_cat/shards" + ElasticsearchApi.path(names)
          + "?format=json&h=index,shard,prirep,state,unassigned.reason,unassigned.details")) {
        if (shard.path("prirep").asText().equals("p")) {
          primaries.add(shard);
        }
      }
    }
    return primaries;
  }

  private AllocationExplanation explain(JsonNode shard) throws IOException {
    return explain(shard.path("index").asText(), shard.path("shard").asInt());
  }

  AllocationExplanation explain(String index, int shard) throws IOException {
    return new AllocationExplanation(api.tryTo("POST", "/_cluster/allocation/explain",
        Map.of("index", index, "shard", shard, "primary", true), ElasticsearchApi.ABSENT)
        .orElse(MissingNode.getInstance()));
  }

  long recoveredBytes(Collection<String> indices) throws IOException {
    var bytes = 0L;
    for (var shard : recoveries(indices)) {
      bytes += shard.path("index").path("size").path("recovered_in_bytes").asLong();
    }
    recovered = Math.max(recovered, bytes);
    return bytes;
  }

  /** The recovery of each shard that was or is being filled. */
  List<JsonNode> recoveries(Collection<String> indices) throws IOException {
    var shards = new ArrayList<JsonNode>();
    for (var names : groups(indices)) {
      api.get(ElasticsearchApi.path(names, "_recovery")).forEach(index -> index.path("shards").forEach(shards::add));
    }
    return shards;
  }

  /** Names for one request each. */
  static List<String> groups(Collection<String> indices) {
    var groups = new ArrayList<String>();
    var group = new StringBuilder();
    for (var index : indices) {
      if (group.length() + index.length() > NAMES_LENGTH) {
        groups.add(group.toString());
        group.setLength(0);
      }
      group.append(group.isEmpty() ? "" : ",").append(index);
    }
    groups.add(group.toString());
    return groups;
  }

  /** True if every primary of an index is started and came whole from the snapshot. */
  boolean isRestoredFrom(String index, String repository, String snapshot) throws IOException {
    var health =
        api.get("/_cluster/health" + ElasticsearchApi.path(index) + "?level=indices").path("indices").path(index);
    var primaries = health.path("number_of_shards").asInt(-1);
    var restored = recoveries(Set.of(index)).stream().filter(shard -> shard.path("primary").asBoolean()
        && shard.path("type").asText().equals("SNAPSHOT") && shard.path("stage").asText().equals("DONE")
        && shard.path("source").path("snapshot").asText().equals(snapshot)
        && shard.path("source").path("repository").asText().equals(repository)).count();
    return primaries > 0 && health.path("active_primary_shards").asInt() == primaries && restored == primaries;
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
 * An index of a snapshot.
 *
 * @param largestShard bytes of its largest shard, which one node must have room for
 */
record SnapshotIndex(String name, int shards, long bytes, long largestShard) {
  /** The name under which the copy is restored beside the live index. */
  String copy(String stamp) {
    return name + "_restoring_" + stamp;
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
 * The snapshot to restore, in its repository: whether it is whole, what it holds, whether this cluster may restore it.
 */
final class SnapshotSource {
  private final ElasticsearchApi api;
  private final String repository;
  private final Backup backup;
  private long ended;

  SnapshotSource(ElasticsearchApi api, String repository, Backup backup) {
    if (!repository.matches("[^\\s\\p{Cntrl}\\\\/*?\"<>|,#]+")) {
      throw new Failure(Exit.USAGE, "ELASTICSEARCH_SNAPSHOT_REPOSITORY '%s' is not a repository's name".formatted(
          repository.replaceAll("\\p{Cntrl}", "?")),
          "it has no blanks, no line breaks and none of \\ / * ? \" < > | , #");
    }
    this.api = api;
    this.repository = repository;
    this.backup = backup;
  }

  String repository() {
    return repository;
  }

  String name() {
    return backup.name();
  }

  private String path(String... more) {
    var names = new ArrayList<>(List.of("_snapshot", repository));
    names.addAll(List.of(more));
    return ElasticsearchApi.path(names.toArray(String[]::new));
  }

  void requireRepository(ElasticsearchCluster cluster) throws IOException {
    if (api.tryGet(path()).isEmpty()) {
      throw noRepository(repository);
    }
    var verified = verify().path("nodes").size();
    if (verified < cluster.repositoryNodes()) {
      throw new Failure(Exit.UNSAFE,
          "repository %s is verified on %d of %d nodes".formatted(repository, verified, cluster.repositoryNodes()),
          "mount it on every node at the same path");
    }
  }

  static Failure noRepository(String repository) {
    return new Failure(Exit.BAD_BACKUP, "Elasticsearch has no snapshot repository " + repository,
        "register it as before the backup, or set ELASTICSEARCH_SNAPSHOT_REPOSITORY");
  }

  private JsonNode verify() throws IOException {
    try {
      return api.call("POST", path("_verify"), null);
    } catch (Failure e) {
      throw e.code == Exit.AUTHENTICATION ? e
          : new Failure(e.code, "cannot verify repository %s: %s".formatted(repository, e.getMessage()),
              "every node must have it mounted at the same path, readable and writable", e);
    }
  }

  /** The snapshot's indices, the largest first. */
  List<SnapshotIndex> requireWhole(ElasticsearchCluster cluster) throws IOException {
    var snapshot = read(cluster).orElseThrow(() -> new Failure(Exit.BAD_BACKUP,
        "repository %s has no snapshot %s, though its marker %s exists".formatted(repository, backup.name(),
            backup.file()),
        "the backup failed after its marker was written: choose another with --backup"));
    var state = snapshot.path("state").asText();
    var failed = snapshot.path("shards").path("failed").asInt();
    if (!state.equals("SUCCESS") || failed > 0) {
      throw new Failure(Exit.BAD_BACKUP,
          "snapshot %s is %s, %d of its shards failed".formatted(backup.name(), state, failed),
          state.equals("IN_PROGRESS") ? "it is still being taken: wait for its end" : "choose another with --backup");
    }
    var version = snapshot.path("version").asText();
    // Names both versions, before questions that a server cannot answer of a version that it does not know; whether a
    // version that it knows can be restored, it is asked itself.
    if (!version.isEmpty() && !SnapshotVersion.isRestorable(version, cluster.version(), cluster.openSearch())) {
      throw new Failure(Exit.BAD_BACKUP,
          "snapshot %s was taken by version %s, which version %s cannot restore".formatted(
          backup.name(), version, cluster.version()), "restore it with the same major version or the next");
    }
    ended = snapshot.path("end_time_in_millis").asLong();
    return indices(snapshot, cluster);
  }

  private Optional<JsonNode> read(ElasticsearchCluster cluster) throws IOException {
    try {
      return api.tryGet(path(backup.name())).map(answer -> answer.path("snapshots").path(0));
    } catch (Failure e) {
      throw e.code != Exit.UNSAFE ? e : new Failure(Exit.UNSAFE, e.getMessage(),
          "version %s cannot read this repository: did another one write it, or is it damaged?"
              .formatted(cluster.version()),
          e);
    }
  }

  private List<SnapshotIndex> indices(JsonNode snapshot, ElasticsearchCluster cluster) throws IOException {
    var sizes = status(cluster).path("snapshots").path(0).path("indices");
    var names = new TreeSet<String>();
    snapshot.path("indices").forEach(name -> names.add(name.asText()));
    return names.stream().map(name -> index(name, sizes.path(name)))
        .sorted((one, other) -> Long.compare(other.bytes(), one.bytes())).toList();
  }

  /** It reads the definition of every index, which a later version may not be able to. */
  private JsonNode status(ElasticsearchCluster cluster) throws IOException {
    try {
      return api.get(path(backup.name(), "_status"));
    } catch (Failure e) {
      throw cannotRestore("an index", cluster, e);
    }
  }

  private static SnapshotIndex index(String name, JsonNode status) {
    var size = status.path("stats").path("total").path("size_in_bytes").asLong();
    var largest = status.path("shards").valueStream()
        .mapToLong(shard -> shard.path("stats").path("total").path("size_in_bytes").asLong()).max();
    return new SnapshotIndex(name, status.path("shards_stats").path("total").asInt(), size, largest.orElse(size));
  }

  /**
   * Asks the server itself, without a restore: under a name that no index can have, it refuses just that name. Only the
   * server sees in which version an index was made, which may be older than the one that took the snapshot.
   */
  void requireRestorable(Collection<SnapshotIndex> indices, ElasticsearchCluster cluster) throws IOException {
    for (var index : indices) {
      try {
        restore(index.name(), ElasticsearchRights.impossible(index.name()), false, Map.of(), List.of());
      } catch (Failure e) {
        if (isNotAsked(e) || !e.getMessage().contains("[" + ElasticsearchRights.impossible(index.name()))) {
          throw cannotRestore(index.name(), cluster, e);
        }
      }
    }
  }

  private static boolean isNotAsked(Failure e) {
    return Set.of(Exit.AUTHENTICATION, Exit.UNREACHABLE).contains(e.code);
  }

  /** The server's words about an index, unless it could not be asked. */
  private Failure cannotRestore(String index, ElasticsearchCluster cluster, Failure said) {
    return isNotAsked(said) ? said
        : new Failure(Exit.BAD_BACKUP,
            "version %s cannot restore %s of snapshot %s: %s".formatted(cluster.version(), index, backup.name(),
                said.getMessage()),
            "restore it with the same major version or the next; an index made before that must have been reindexed",
            said);
  }

  /** No index that a snapshot is being taken of can be deleted: the nightly backup may be at work. */
  void requireNoneRunning(Predicate<String> indices) throws IOException {
    for (var running : api.get("/_snapshot/_status").path("snapshots")) {
      for (var index : running.path("indices").propertyStream().map(Map.Entry::getKey).filter(indices).toList()) {
        throw new Failure(Exit.UNSAFE,
            "snapshot %s of %s is being taken right now".formatted(running.path("snapshot").asText(), index),
            "wait for its end, and see that no other backup starts");
      }
    }
  }

  /** Begins to restore an index under a name. */
  void restore(String index, String name, boolean aliases, Map<String, ?> settings, List<String> ignoredSettings)
      throws IOException {
    var body = new HashMap<String, Object>(
        Map.of("indices", index, "include_global_state", false, "include_aliases", aliases));
    if (!name.equals(index)) {
      body.putAll(
          Map.of("rename_pattern", "^.+$", "rename_replacement", name.replace("\\", "\\\\").replace("$", "\\$")));
    }
    if (!settings.isEmpty()) {
      body.put("index_settings", settings);
      body.put("ignore_index_settings", ignoredSettings);
    }
    api.call("POST", path(backup.name(), "_restore"), body);
  }

  /**
   * A restored index keeps the date of its creation: one that a client made meanwhile is younger than the snapshot. An
   * index made within a quarter of a second before the snapshot's end can seem younger: Elasticsearch's clock of
   * snapshots moves every 200 ms.
   */
  boolean isOlder(long created) {
    return created <= ended;
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

/** Which versions of Elasticsearch and OpenSearch restore which snapshots. */
final class SnapshotVersion {
  private SnapshotVersion() {}

  /**
   * A snapshot can go to the same or a later version, of this or the next major; OpenSearch 1 and 2 count as
   * Elasticsearch 7.10.
   */
  static boolean isRestorable(String snapshot, String cluster, boolean openSearch) {
    var from = majorMinor(snapshot);
    var to = majorMinor(cluster);
    if (openSearch && from[0] >= 6) {
      return to[0] <= 2 && (from[0] == 6 || from[0] == 7 && from[1] <= 10);
    }
    return (from[0] < to[0] || from[0] == to[0] && from[1] <= to[1]) && from[0] >= to[0] - 1;
  }

  private static int[] majorMinor(String version) {
    return Pattern.compile("\\d+").matcher(version).results().limit(2).mapToInt(m -> Integer.parseInt(m.group()))
        .toArray();
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

/** The ports on which Cassandra's nodes talk to each other: streams go there. */
record StoragePorts(CassandraCluster cluster, Optional<Pem> pem) {
  /** The TLS that the nodes want of each other; empty where they want none. */
  Optional<ServerEncryptionOptions> encryption() {
    var wanted =
        cluster.nodes().stream().map(node -> cluster.setting(node, "server_encryption_options.internode_encryption"))
        .anyMatch(setting -> !Set.of("none", "").contains(setting));
    if (!wanted) {
      return Optional.empty();
    }
    return Optional.of(TableStreaming.internode(pem.orElseThrow(() -> new Failure(Exit.USAGE,
        "Cassandra's nodes encrypt what they send each other, streams too",
        "set CASSANDRA_SSL_CA, CASSANDRA_SSL_CERT and CASSANDRA_SSL_KEY (PEM files), or CASSANDRA_INTERNODE_CA,"
            + " _CERT and _KEY for this port only"))));
  }

  /** Throws if a port cannot be reached: a firewall in between must not show after the truncate. */
  void requireReachable(List<Node> nodes, boolean encrypted) {
    nodes.parallelStream().forEach(node -> {
      var address = node.getBroadcastAddress().orElseThrow();
      try (var socket = new Socket()) {
        socket.connect(address, 5_000);
        if (encrypted) {
          socket.setSoTimeout(10_000);
          var factory = pem.orElseThrow().tls().getSocketFactory();
          try (var secured =
              (SSLSocket) factory.createSocket(socket, CassandraCluster.host(node), address.getPort(), false)) {
            secured.startHandshake();
          }
        }
      } catch (IOException e) {
        throw new Failure(Exit.UNREACHABLE,
            "the storage port of Cassandra node %s:%d cannot be reached from here: %s".formatted(
            CassandraCluster.host(node), address.getPort(), e.getMessage()),
            "streams go there: open it for this host (and its TLS), or restore from a node", e);
      }
    });
  }
}

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
        sstables
            .computeIfAbsent(component.group("sstable"),
                sstable -> new SSTableFiles(archive, table, sstable, new TreeMap<>()))
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

/** Cassandra's own bulk loader, inside this JVM; the only place that knows its classes. */
final class TableStreaming {
  private static final int ATTEMPTS = 3;

  private TableStreaming() {}

  /** Without all four limits at zero the loader streams at 24 MiB/s. */
  static void initialise(int megabytesPerSecond, Path work) {
    var rate = new DataRateSpec.LongBytesPerSecondBound(megabytesPerSecond * 1_000_000L);
    CassandraTools.initialise(work, config -> {
      config.stream_throughput_outbound = rate;
      config.inter_dc_stream_throughput_outbound = rate;
      config.entire_sstable_stream_throughput_outbound = rate;
      config.entire_sstable_inter_dc_stream_throughput_outbound = rate;
    });
  }

  /** Every node that holds a replica, with its ranges of the ring. */
  static Map<InetAddressAndPort, Collection<Range<Token>>> ring(TokenMap tokens, CqlIdentifier keyspace,
      List<Node> nodes) {
    var factory = DatabaseDescriptor.getPartitioner().getTokenFactory();
    var ring = new HashMap<InetAddressAndPort, Collection<Range<Token>>>();
    for (var node : nodes) {
      var ranges = new HashSet<Range<Token>>();
      for (var range : tokens.getTokenRanges(keyspace, node)) {
        ranges.add(new Range<>(factory.fromString(tokens.format(range.getStart())),
            factory.fromString(tokens.format(range.getEnd()))));
      }
      if (!ranges.isEmpty()) {
        var address = node.getBroadcastAddress().orElseThrow();
        ring.put(InetAddressAndPort.getByAddressOverrideDefaults(address.getAddress(), address.getPort()), ranges);
      }
    }
    return ring;
  }

  /** TLS for the nodes' storage port. */
  static ServerEncryptionOptions internode(Pem pem) {
    var parameters = Map.of("private_key", pem.ownText(), "trusted_certificates", pem.trustedText());
    return new ServerEncryptionOptions()
        .withSslContextFactory(new ParameterizedClass(PEMBasedSslContextFactory.class.getName(), parameters))
        .withInternodeEncryption(ServerEncryptionOptions.InternodeEncryption.all);
  }

  /** Streams one table's folder to every replica; nodes that failed are tried again, the others are not. */
  static void stream(Path folder, org.apache.cassandra.schema.TableMetadata table, int sstables,
      Map<InetAddressAndPort, Collection<Range<Token>>> ring, Optional<ServerEncryptionOptions> encryption,
      int connections,
      AtomicLong streamed, RestoreConsole console) {
    var open = new HashMap<>(ring);
    for (var attempt = 1; ; attempt++) {
      var client = new RingClient(table, open, encryption);
      var loader = new CountingLoader(folder, client, sstables, connections);
      try {
        loader.stream(Set.of(), new Progress(streamed)).get();
        return;
      } catch (Exception e) {
        var failed = loader.getFailedHosts();
        open.keySet().removeIf(host -> !failed.isEmpty() && !failed.contains(host));
        var names =
            open.keySet().stream().map(host -> host.getHostAddress(false)).sorted().collect(Collectors.joining(", "));
        var cause = Failure.of(e);
        if (cause.code == Exit.BAD_BACKUP) {
          throw new Failure(Exit.PARTIAL, "cannot stream table %s: %s".formatted(table.name, cause.getMessage()),
              cause.hint, e);
        }
        if (attempt == ATTEMPTS) {
          throw new Failure(Exit.PARTIAL,
              "streaming to %s failed: %s".formatted(names, cause.getMessage().lines().findFirst().orElse("")),
              "look at system.log of %s; if its disk is full: %s".formatted(names, NodeRoom.removal(table.keyspace)),
              e);
        }
        console.warn("streaming table %s to %s failed, trying again", table.name, names);
      }
    }
  }

  /** The loader leaves out, with no more than a line of output, what it cannot open. */
  private static final class CountingLoader extends SSTableLoader {
    private final int expected;
    private final Path folder;

    CountingLoader(Path folder, Client client, int expected, int connections) {
      super(new org.apache.cassandra.io.util.File(folder), client, new OutputHandler.LogOutput(), connections, null);
      this.folder = folder;
      this.expected = expected;
    }

    @Override
    protected Collection<SSTableReader> openSSTables(Map<InetAddressAndPort, Collection<Range<Token>>> ranges) {
      var opened = super.openSSTables(ranges);
      if (opened.size() != expected) {
        throw new Failure(Exit.BAD_BACKUP,
            "%d of %d SSTables in %s cannot be opened".formatted(expected - opened.size(), expected, folder),
            "run again with --verbose to see why");
      }
      return opened;
    }
  }

  private static final class RingClient extends SSTableLoader.Client {
    private final TableMetadataRef table;
    private final Map<InetAddressAndPort, Collection<Range<Token>>> ring;
    private final Optional<ServerEncryptionOptions> encryption;

    RingClient(org.apache.cassandra.schema.TableMetadata table, Map<InetAddressAndPort, Collection<Range<Token>>> ring,
        Optional<ServerEncryptionOptions> encryption) {
      this.table = TableMetadataRef.forOfflineTools(table);
      this.ring = ring;
      this.encryption = encryption;
    }

    @Override
    public void init(String keyspace) {
      ring.forEach((host, ranges) -> ranges.forEach(range -> addRangeForEndpoint(range, host)));
    }

    @Override
    public TableMetadataRef getTableMetadata(String name) {
      return table;
    }

    @Override
    public StreamingChannel.Factory getConnectionFactory() {
      var port = ring.keySet().iterator().next().getPort();
      return new BulkLoadConnectionFactory(encryption.orElseGet(ServerEncryptionOptions::new), port);
    }
  }

  private record Progress(AtomicLong streamed) implements StreamEventHandler {
    @Override
    public void handleStreamEvent(StreamEvent event) {
      if (event instanceof StreamEvent.ProgressEvent file) {
        streamed.addAndGet(file.progress.deltaBytes);
      }
    }

    @Override
    public void onSuccess(StreamState state) {}

    @Override
    public void onFailure(Throwable thrown) {}
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
