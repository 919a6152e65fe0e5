///usr/bin/env jbang "$0" "$@" ; exit $?
//DESCRIPTION Restores TheHive's Cassandra keyspace and Elasticsearch index from a hot backup
//JAVA 17+
//DEPS ch.qos.logback:logback-core:1.2.13
//DEPS com.fasterxml.jackson.core:jackson-databind:2.23.0
//DEPS com.github.luben:zstd-jni:1.5.7-28 // for .tar.zst, and for SSTables compressed with Zstd
//DEPS com.typesafe:config:1.4.3 // HOCON with includes and substitutions, as TheHive itself reads it
//DEPS commons-codec:commons-codec:1.23.0
//DEPS commons-io:commons-io:2.22.0
//DEPS info.picocli:picocli:4.7.7
//DEPS io.netty:netty-all:4.1.137.Final
//DEPS io.netty:netty-handler:4.1.137.Final
//DEPS io.netty:netty-tcnative-boringssl-static:2.0.81.Final
//DEPS me.tongfei:progressbar:0.10.2
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
import com.datastax.oss.driver.api.core.cql.Row;
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
import com.fasterxml.jackson.databind.node.MissingNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import com.typesafe.config.ConfigException;
import com.typesafe.config.ConfigFactory;
import com.typesafe.config.ConfigResolveOptions;
import com.typesafe.config.ConfigValueType;
import java.io.BufferedInputStream;
import java.io.Closeable;
import java.io.DataInputStream;
import java.io.EOFException;
import java.io.File;
import java.io.IOException;
import java.io.InputStream;
import java.io.PushbackInputStream;
import java.io.UncheckedIOException;
import java.math.BigDecimal;
import java.math.RoundingMode;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.net.NetworkInterface;
import java.net.Socket;
import java.net.SocketException;
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse;
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
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.nio.file.StandardOpenOption;
import java.nio.file.attribute.PosixFilePermissions;
import java.security.GeneralSecurityException;
import java.security.KeyStore;
import java.security.cert.Certificate;
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
import java.util.Collection;
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
import java.util.function.Consumer;
import java.util.function.Function;
import java.util.function.LongSupplier;
import java.util.function.Supplier;
import java.util.function.ToIntFunction;
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
import javax.net.ssl.SSLSocket;
import javax.net.ssl.TrustManager;
import javax.net.ssl.TrustManagerFactory;
import javax.net.ssl.X509TrustManager;
import net.lingala.zip4j.ZipFile;
import net.lingala.zip4j.exception.ZipException;
import net.lingala.zip4j.model.ExtraDataRecord;
import net.lingala.zip4j.model.FileHeader;
import org.apache.cassandra.config.Config;
import org.apache.cassandra.config.DataRateSpec;
import org.apache.cassandra.config.DatabaseDescriptor;
import org.apache.cassandra.config.DurationSpec;
import org.apache.cassandra.config.EncryptionOptions.ServerEncryptionOptions;
import org.apache.cassandra.config.ParameterizedClass;
import org.apache.cassandra.cql3.CQLFragmentParser;
import org.apache.cassandra.cql3.ColumnIdentifier;
import org.apache.cassandra.cql3.CqlParser;
import org.apache.cassandra.cql3.statements.schema.CreateTableStatement;
import org.apache.cassandra.cql3.statements.schema.TableAttributes;
import org.apache.cassandra.db.DecoratedKey;
import org.apache.cassandra.db.RowIndexEntry;
import org.apache.cassandra.dht.Murmur3Partitioner;
import org.apache.cassandra.dht.Range;
import org.apache.cassandra.dht.Token;
import org.apache.cassandra.exceptions.ConfigurationException;
import org.apache.cassandra.io.compress.ICompressor;
import org.apache.cassandra.io.sstable.Descriptor;
import org.apache.cassandra.io.sstable.SSTableLoader;
import org.apache.cassandra.io.sstable.format.SSTableFormat;
import org.apache.cassandra.io.sstable.format.SSTableReader;
import org.apache.cassandra.io.sstable.format.Version;
import org.apache.cassandra.io.sstable.metadata.MetadataSerializer;
import org.apache.cassandra.io.sstable.metadata.MetadataType;
import org.apache.cassandra.io.util.DataInputPlus;
import org.apache.cassandra.io.util.FileSegmentInputStream;
import org.apache.cassandra.locator.InetAddressAndPort;
import org.apache.cassandra.schema.ColumnMetadata;
import org.apache.cassandra.schema.CompressionParams;
import org.apache.cassandra.schema.DroppedColumn;
import org.apache.cassandra.schema.TableId;
import org.apache.cassandra.schema.TableMetadata;
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
import org.apache.cassandra.utils.OutputHandler;
import org.apache.commons.compress.archivers.tar.TarArchiveEntry;
import org.apache.commons.compress.archivers.tar.TarArchiveInputStream;
import org.apache.commons.compress.compressors.bzip2.BZip2CompressorInputStream;
import org.apache.commons.compress.compressors.gzip.GzipCompressorInputStream;
import org.apache.commons.compress.compressors.xz.XZCompressorInputStream;
import org.apache.commons.compress.compressors.zstandard.ZstdCompressorInputStream;
import org.apache.commons.io.FileUtils;
import org.apache.commons.io.IOUtils;
import org.apache.commons.io.input.BoundedInputStream;
import org.apache.commons.io.input.BufferedFileChannelInputStream;
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
import picocli.CommandLine.ParameterException;
import picocli.CommandLine.Parameters;
import picocli.CommandLine.ScopeType;
import picocli.CommandLine;

/**
 * Step 2 of "Restore a hot backup on a cluster": brings back the Cassandra keyspace and the Elasticsearch index, side by
 * side. Overwrites the keyspace (thehive) and the index (thehive_global). TheHive must be stopped on every node.
 *
 * <pre>CASSANDRA_CONNECTION=10.0.0.5 ./restore-cassandra-es.java --dry-run</pre>
 */
@Command(
    name = "restore-cassandra-es.java",
    description = "Restores TheHive's Cassandra keyspace and Elasticsearch index from a hot backup.",
    version = "1.0.0",
    mixinStandardHelpOptions = true,
    sortOptions = false,
    abbreviateSynopsis = true)
class RestoreCassandraEs implements Callable<Integer> {
  static final String SCRIPT = "restore-cassandra-es";
  static final List<Variable> VARIABLES = Stream.of(CassandraSettings.VARIABLES, ElasticsearchSettings.VARIABLES, TheHiveSettings.VARIABLES,
      CommonSettings.VARIABLES).flatMap(List::stream).toList();
  static final String INDEX = "thehive_global";

  @Option(names = "--backup", paramLabel = "POINT",
      description = "timestamp, backup's name or path (the newest)")
  String point;

  @Option(names = "--max-gap", paramLabel = "DURATION", defaultValue = "PT15M",
      description = "longest time between the backups (${DEFAULT-VALUE})")
  Duration maxGap;

  @Option(names = "--only", paramLabel = "DATABASE", description = "only this one: ${COMPLETION-CANDIDATES}")
  Database.Name only;

  private LocalDateTime restored;

  @Mixin RestoreConsole console = new RestoreConsole();

  @Option(names = "--replication", paramLabel = "MAP",
      description = "of the keyspace, in place of the backup's: \"{'class': 'SimpleStrategy', 'replication_factor': 2}\"")
  String replication;

  @Option(names = "--throttle", paramLabel = "MB/s", defaultValue = "0", description = "limit for streaming to Cassandra (0, none)")
  int throttle;

  @Option(names = "--connections-per-host", paramLabel = "N", defaultValue = "1",
      description = "streams for each table and Cassandra node (${DEFAULT-VALUE})")
  int connections;

  @ArgGroup(validate = false, heading = "Elasticsearch (ELASTICSEARCH_USER, _PASSWORD, or ELASTICSEARCH_API_KEY):%n")
  ElasticsearchOptions elasticsearch = new ElasticsearchOptions();

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
      chooseBackups(databases);
      var refused = databases.sideBySide(database -> database.check(run.unfinished()));
      if (!refused.isEmpty()) {
        return refuse(refused);
      }
      console.confirm(planLines(databases), databases.list().get(0).cluster());
      if (console.dryRun) {
        return console.endDryRun();
      }
      var unprepared = databases.sideBySide(Database::prepare);
      if (!unprepared.isEmpty()) {
        databases.sideBySide(Database::withdraw).forEach((name, failure) -> console.error(name.title, failure));
        return refuse(unprepared);
      }
      var failed = restore(databases, run);
      var code = finish(databases, failed);
      console.step("Report: %s", run.end(code, databases.finished(failed), databases.summary()));
      return code;
    }
  }

  /** The databases to restore, in the order of the documented procedure. */
  private Databases databases(Settings settings) {
    var password = CommonSettings.of(settings).archivePassword();
    var list = new ArrayList<Database>();
    if (only != Database.Name.ELASTICSEARCH) {
      list.add(new CassandraRestore(SCRIPT, CassandraSettings.of(settings), new CassandraRestore.Options(replication, throttle, connections),
          password, console));
    }
    if (only != Database.Name.CASSANDRA) {
      list.add(new Elasticsearch(elasticsearch, Credentials.fromEnvironment(), console));
    }
    return new Databases(list);
  }

  private static Path stateFolder(Settings settings) {
    return CommonSettings.of(settings).stateFolder(CassandraSettings.ofArchives(settings).archives().get(0));
  }

  private void chooseBackups(Databases databases) {
    var chosen = new ArrayList<Backup>();
    for (var database : databases.list()) {
      for (var backup : database.choose(point, maxGap)) {
        console.step("Restoring %s from %s, taken %s", database.name().title, backup.file(), backup.age());
        chosen.add(backup);
      }
    }
    Databases.requireOneRun(chosen, maxGap);
    restored = chosen.stream().map(Backup::taken).max(Comparator.naturalOrder()).orElseThrow();
  }

  private List<String> planLines(Databases databases) {
    var lines = new ArrayList<String>();
    var verb = console.dryRun ? "Would" : "Will";
    for (var database : databases.list()) {
      lines.add("");
      lines.add(database.name().title);
      database.plan().forEach(line -> lines.add("  " + line.replaceFirst("^→", verb)));
    }
    lines.add("");
    return lines;
  }

  private Map<Database.Name, Failure> restore(Databases databases, RestoreRun run) throws IOException {
    run.begin(databases.names());
    console.onInterrupt("The restore is not complete: leave TheHive stopped and run the same command again.");
    try (var progress = console.progress("Restoring", databases.total(), databases::done, databases::state)) {
      return databases.sideBySide(database -> database.restore(run));
    }
  }

  /** Refused before either database was changed. */
  private int refuse(Map<Database.Name, Failure> failed) {
    failed.forEach((name, failure) -> console.error(name.title, failure));
    console.step("Nothing was changed.");
    printError(name -> failed.containsKey(name) ? failed.get(name).code : Exit.DECLINED);
    return failed.values().iterator().next().code;
  }

  /** Shows every failure with its hint on stderr, and the documented procedure's last line on stdout. */
  private int finish(Databases databases, Map<Database.Name, Failure> failed) {
    failed.forEach((name, failure) -> console.error(name.title, failure));
    if (failed.isEmpty()) {
      console.step("Next: restore the attachments (restore-files-nfs.java or restore-files-minio.java), then ./jbang verify.java --exact --backup %s --skip services,logs",
          BackupSet.STAMP.format(restored));
      System.out.println(only == null ? "=== ✓ Successful full restore ===" : "=== ✓ Successful restore of " + only + " ===");
      return Exit.DONE;
    }
    console.step("Leave TheHive stopped; run the same command again when the cause is gone.");
    printError(name -> failed.containsKey(name) ? failed.get(name).code : Exit.DONE);
    return failed.size() < databases.list().size() ? Exit.PARTIAL : failed.values().iterator().next().code;
  }

  /** Refused before either database was looked at: the last line is the documented one here, too. */
  private int failed(Failure failure) {
    var code = console.error("", failure);
    printError(name -> failure.code);
    return code;
  }

  private void printError(ToIntFunction<Database.Name> code) {
    Function<Database.Name, String> words = name -> only == null || only == name ? "exit " + code.applyAsInt(name) : "not part of this run";
    System.out.println("=== ✗ ERROR - ES: %s, Cassandra: %s ===".formatted(
        words.apply(Database.Name.ELASTICSEARCH), words.apply(Database.Name.CASSANDRA)));
  }

  // ------------------------------------------------------------------------------------------------------ Elasticsearch

  static final class ElasticsearchOptions {
    @Option(names = "--elasticsearch", paramLabel = "URL,...", hideParamSyntax = true, split = ",",
        defaultValue = "${env:ELASTICSEARCH_API_URL:-http://127.0.0.1:9200}",
        description = "(ELASTICSEARCH_API_URL, ${DEFAULT-VALUE})")
    List<String> urls;

    @Option(names = "--repository", paramLabel = "NAME", defaultValue = "${env:ELASTICSEARCH_SNAPSHOT_REPOSITORY:-thehive_repository}",
        description = "snapshot repository (ELASTICSEARCH_SNAPSHOT_REPOSITORY, ${DEFAULT-VALUE})")
    String repository;

    @Option(names = "--elasticsearch-archives", paramLabel = "DIR",
        defaultValue = "${env:ELASTICSEARCH_GENERAL_ARCHIVE_PATH:-/mnt/backup/elasticsearch}",
        description = "markers (ELASTICSEARCH_GENERAL_ARCHIVE_PATH, ${DEFAULT-VALUE})")
    Path archives;

    @Option(names = "--elasticsearch-ca", paramLabel = "PEM", defaultValue = "${env:ELASTICSEARCH_CA}",
        description = "trust this CA for https (ELASTICSEARCH_CA)")
    Path ca;

    @Option(names = "--recovery-rate", paramLabel = "RATE",
        description = "for the restore: 200mb instead of 40mb, say")
    String recoveryRate;

    @Option(names = "--in-place", description = "delete the live index first: needs no room for two copies")
    boolean inPlace;
  }

  /** All that the plan says and the restore needs to know; made by the checks, before the first change. */
  record ElasticsearchPlan(
      String version, int dataNodes, long bytes, int shards, String rate, boolean live, boolean complete, String temporary,
      Set<String> leftovers) {}

  static final class Elasticsearch implements Database {
    private static final String RATE = "indices.recovery.max_bytes_per_sec";
    private static final Duration STALLED = Duration.ofMinutes(5);
    private static final Duration UNREACHABLE_FOR = Duration.ofMinutes(1);

    private final ElasticsearchOptions options;
    private final Credentials credentials;
    private final RestoreConsole console;
    private Backup backup;
    private ElasticsearchApi api;
    private ElasticsearchPlan plan;
    private String rateBefore;
    private boolean rateRaised;
    private String replicas;
    private volatile long recovered;
    private volatile String stage = "waiting";
    private long documents = -1;

    Elasticsearch(ElasticsearchOptions options, Credentials credentials, RestoreConsole console) {
      this.options = options;
      this.credentials = credentials;
      this.console = console;
    }

    @Override
    public Name name() {
      return Name.ELASTICSEARCH;
    }

    @Override
    public String cluster() {
      return INDEX;
    }

    @Override
    public List<Backup> choose(String wanted, Duration gap) {
      backup = BackupSet.choose(options.archives, Set.of("elasticsearch"), Set.of("info"), wanted, gap);
      return List.of(backup);
    }

    @Override
    public void check(JsonNode unfinished) throws IOException {
      api = new ElasticsearchApi(options.urls, options.ca, credentials);
      var nodes = api.get("/_nodes/_all/settings");
      var versions = new TreeSet<String>();
      var dataNodes = 0;
      var repositoryNodes = 0;
      for (var node : nodes.path("nodes")) {
        var roles = Json.MAPPER.convertValue(node.path("roles"), new TypeReference<Set<String>>() {});
        var data = roles.stream().anyMatch(role -> role.startsWith("data"));
        versions.add(node.path("version").asText());
        dataNodes += data ? 1 : 0;
        repositoryNodes += data || roles.contains("master") || roles.contains("cluster_manager") ? 1 : 0;
      }
      checkRepository(repositoryNodes);
      var snapshot = checkSnapshot(versions.first());
      checkNoSnapshotRuns();
      checkRights();
      checkRestorable(versions.first());
      var live = checkLive();
      var bytes = snapshotBytes();
      var temporary = INDEX + "_restoring_" + backup.name().replaceFirst("^[a-z]+_", "");
      var indices = Json.MAPPER.convertValue(api.get("/%s_restoring_*?expand_wildcards=all".formatted(INDEX)),
          new TypeReference<TreeMap<String, Object>>() {}).keySet();
      replicas = unfinished.path("replicas").path(temporary).asText(null);
      var complete = indices.contains(temporary) && replicas != null && restoredFrom(temporary, backup.name());
      if (!complete && !options.inPlace) {
        checkDisk(bytes, live);
      }
      rateRaised = unfinished.has("rateBefore");
      rateBefore = unfinished.path("rateBefore").asText(null);
      plan = new ElasticsearchPlan(String.join(" and ", versions), dataNodes, bytes, snapshot.path("shards").path("total").asInt(),
          recoveryRate(), live, complete, temporary, Set.copyOf(indices));
    }

    private void checkRepository(int nodes) throws IOException {
      if (api.tryGet("/_snapshot/" + options.repository).isEmpty()) {
        throw new Failure(Exit.BAD_BACKUP, "Elasticsearch has no snapshot repository " + options.repository,
            "register it as before the backup, or set ELASTICSEARCH_SNAPSHOT_REPOSITORY");
      }
      var verified = verifyRepository().path("nodes").size();
      if (verified < nodes) {
        throw new Failure(Exit.UNSAFE, "repository %s is verified on %d of %d nodes".formatted(options.repository, verified, nodes),
            "mount it on every node at the same path");
      }
    }

    private JsonNode verifyRepository() throws IOException {
      try {
        return api.call("POST", "/_snapshot/%s/_verify".formatted(options.repository), null);
      } catch (Failure e) {
        throw new Failure(e.code, "cannot verify repository %s: %s".formatted(options.repository, e.getMessage()),
            "every node must have it mounted at the same path, readable and writable", e);
      }
    }

    private JsonNode checkSnapshot(String clusterVersion) throws IOException {
      var path = "/_snapshot/%s/%s".formatted(options.repository, backup.name());
      var snapshot = readSnapshot(path, clusterVersion).orElseThrow(() -> new Failure(Exit.BAD_BACKUP,
          "repository %s has no snapshot %s, though its marker %s exists".formatted(options.repository, backup.name(), backup.file()),
          "the backup failed after its marker was written: choose another with --backup"));
      var state = snapshot.path("state").asText();
      var failed = snapshot.path("shards").path("failed").asInt();
      if (!state.equals("SUCCESS") || failed > 0) {
        throw new Failure(Exit.BAD_BACKUP, "snapshot %s is %s, %d of its shards failed".formatted(backup.name(), state, failed),
            state.equals("IN_PROGRESS") ? "it is still being taken: wait for its end" : "choose another with --backup");
      }
      var indices = Json.MAPPER.convertValue(snapshot.path("indices"), new TypeReference<Set<String>>() {});
      if (!indices.contains(INDEX)) {
        throw new Failure(Exit.BAD_BACKUP, "snapshot %s does not contain %s but %s".formatted(backup.name(), INDEX, indices),
            "choose another with --backup");
      }
      var version = snapshot.path("version").asText();
      // A version that is not told is one that this one does not know: it says so itself when it is asked.
      if (!version.isEmpty() && !SnapshotVersion.isRestorable(version, clusterVersion, isOpenSearch())) {
        throw new Failure(Exit.BAD_BACKUP, "snapshot %s was taken by version %s, which version %s cannot restore".formatted(
            backup.name(), version, clusterVersion), "restore it with the same major version or the next");
      }
      return snapshot;
    }

    private boolean isOpenSearch() throws IOException {
      return api.tryGet("/").map(answer -> answer.path("version").path("distribution").asText().equals("opensearch")).orElse(false);
    }

    private Optional<JsonNode> readSnapshot(String path, String clusterVersion) throws IOException {
      try {
        return api.tryGet(path).map(answer -> answer.path("snapshots").path(0));
      } catch (Failure e) {
        throw e.code != Exit.UNSAFE ? e : new Failure(Exit.UNSAFE, e.getMessage(),
            "version %s cannot read this repository: did another one write it, or is it damaged?".formatted(clusterVersion), e);
      }
    }

    /**
     * The server's own word, without a restore: asked for under a name that no index can have, it refuses just that name.
     * Only the server sees in which version the index was made, which may be older than the one that took the snapshot.
     */
    private void checkRestorable(String clusterVersion) throws IOException {
      var impossible = INDEX.toUpperCase(Locale.ROOT);
      try {
        api.call("POST", restorePath(), Map.of("indices", INDEX, "include_global_state", false, "rename_pattern", "^.+$",
            "rename_replacement", impossible));
      } catch (Failure e) {
        if (Set.of(Exit.AUTHENTICATION, Exit.UNREACHABLE).contains(e.code)) {
          throw e;
        }
        if (!e.getMessage().contains("[%s]".formatted(impossible))) {
          throw new Failure(Exit.BAD_BACKUP, "version %s cannot restore snapshot %s: %s".formatted(clusterVersion, backup.name(), e.getMessage()),
              "restore it with the same major version or the next; an index made before that must have been reindexed", e);
        }
      }
    }

    /** No index that a snapshot is being taken of can be deleted: the nightly backup may be at work. */
    private void checkNoSnapshotRuns() throws IOException {
      for (var running : api.get("/_snapshot/_status").path("snapshots")) {
        if (running.path("indices").has(INDEX)) {
          throw new Failure(Exit.UNSAFE, "snapshot %s of %s is being taken right now".formatted(running.path("snapshot").asText(), INDEX),
              "wait for its end, and see that no other backup starts");
        }
      }
    }

    private void checkRights() throws IOException {
      var cluster = new ArrayList<>(List.of("monitor", "cluster:admin/snapshot/get", "cluster:admin/snapshot/status",
          "cluster:admin/snapshot/restore", "cluster:admin/repository/get", "cluster:admin/repository/verify"));
      if (options.recoveryRate != null) {
        cluster.add("cluster:admin/settings/update");
      }
      var wanted = Map.of("cluster", cluster, "index", List.of(Map.of("names", List.of(INDEX, INDEX + "_restoring_*"),
          "privileges", List.of("manage", "read"))));
      var answer = api.tryTo("POST", "/_security/user/_has_privileges", wanted, ElasticsearchApi.ABSENT).orElse(MissingNode.getInstance());
      if (!answer.path("has_all_requested").asBoolean(true)) {
        var lacking = Stream.concat(Stream.of(answer.path("cluster")), answer.path("index").valueStream()).flatMap(rights -> rights.propertyStream())
            .filter(right -> !right.getValue().asBoolean()).map(Map.Entry::getKey).distinct().collect(Collectors.joining(", "));
        throw new Failure(Exit.AUTHENTICATION, "Elasticsearch's user %s lacks these rights for cluster and index %s: %s".formatted(
            answer.path("username").asText(), INDEX, lacking), "log in as one that has them");
      }
    }

    private boolean checkLive() throws IOException {
      var live = api.tryGet("/" + INDEX);
      if (live.isPresent() && !live.get().has(INDEX)) {
        throw new Failure(Exit.UNSAFE, "%s is an alias of %s, not an index".formatted(INDEX, live.get().fieldNames().next()),
            "TheHive's hot backup names an index: remove the alias first");
      }
      return live.isPresent();
    }

    private long snapshotBytes() throws IOException {
      var status = api.get("/_snapshot/%s/%s/_status".formatted(options.repository, backup.name()));
      return status.path("snapshots").path(0).path("indices").path(INDEX).path("stats").path("total").path("size_in_bytes").asLong();
    }

    /** An index that is not there is deleted already; any other answer, as while a snapshot of it is being taken, is a failure. */
    private void delete(String index) throws IOException {
      api.tryTo("DELETE", "/" + index, null, Set.of(404));
    }

    /** Leaves every node the part of its disk (15 %, at most 200 GB) without which Elasticsearch gives it no more shards. */
    private void checkDisk(long bytes, boolean live) throws IOException {
      var room = 0L;
      for (var node : api.get("/_cat/allocation?format=json&bytes=b")) {
        var reserve = Math.min(node.path("disk.total").asLong() / 100 * 15, 200_000_000_000L);
        room += Math.max(0, node.path("disk.avail").asLong() - reserve);
      }
      // What an interrupted run left is removed first, where it cannot be the only copy.
      for (var left : live ? api.get("/_cat/indices/%s_restoring_*?format=json&bytes=b&h=store.size&expand_wildcards=all".formatted(INDEX))
          : MissingNode.getInstance()) {
        room += left.path("store.size").asLong();
      }
      if (room < bytes) {
        throw new Failure(Exit.UNSAFE, "Elasticsearch has room for %s, a second copy of %s needs %s".formatted(
            Console.size(room), INDEX, Console.size(bytes)), "free some, or restore with --in-place (deletes the live index first)");
      }
    }

    private String recoveryRate() throws IOException {
      var settings = api.get("/_cluster/settings?include_defaults=true&flat_settings=true");
      return Stream.of("transient", "persistent", "defaults").map(scope -> settings.path(scope).path(RATE).asText(""))
          .filter(rate -> !rate.isEmpty()).findFirst().orElse("40mb");
    }

    @Override
    public List<String> plan() {
      var lines = new ArrayList<String>();
      lines.add("snapshot proven: %s, %d shards, %s".formatted(backup.name(), plan.shards(), Console.size(plan.bytes())));
      lines.add("target: index %s%s, version %s, %d data nodes".formatted(
          INDEX, plan.live() ? "" : " (does not exist)", plan.version(), plan.dataNodes()));
      if (options.inPlace) {
        lines.add("→ delete %s, then restore it in its place: until that is done there is no index".formatted(INDEX));
      } else {
        lines.add(plan.complete() ? "→ use %s, which an interrupted run restored completely".formatted(plan.temporary())
            : "→ restore as %s, beside the live index".formatted(plan.temporary()));
        lines.add("→ replace %s by it when it is complete".formatted(INDEX));
      }
      var others = plan.leftovers().stream().filter(index -> !index.equals(plan.temporary())).toList();
      if (!others.isEmpty()) {
        lines.add("→ remove what an interrupted run left: " + String.join(", ", others));
      }
      lines.add(options.recoveryRate == null ? "recovery is limited to %s a second and node (raise it with --recovery-rate)".formatted(plan.rate())
          : "→ raise the recovery limit from %s to %s until the end".formatted(plan.rate(), options.recoveryRate));
      return lines;
    }

    @Override
    public void restore(RestoreRun report) throws Exception {
      var putBack = new Thread(this::putBackRate);
      Runtime.getRuntime().addShutdownHook(putBack);
      try {
        raiseRate(report);
        if (plan.live()) {
          removeLeftovers();
        }
        if (options.inPlace) {
          restoreInPlace();
        } else {
          restoreBeside(report);
          proveCloning();
          replaceLive();
        }
        awaitHealth();
      } finally {
        putBackRate();
        Runtime.getRuntime().removeShutdownHook(putBack);
      }
      removeLeftovers();
      delete(plan.temporary());
      stage = "done";
    }

    private void raiseRate(RestoreRun report) throws IOException {
      if (options.recoveryRate == null) {
        return;
      }
      if (!rateRaised) {
        var before = api.get("/_cluster/settings?flat_settings=true").path("transient").path(RATE);
        rateBefore = before.isMissingNode() ? null : before.asText();
      }
      report.remember("rateBefore", rateBefore);
      rateRaised = true;
      setRate(options.recoveryRate);
    }

    private synchronized void putBackRate() {
      if (!rateRaised) {
        return;
      }
      try {
        setRate(rateBefore);
        rateRaised = false;
      } catch (IOException | Failure e) {
        console.warn("could not put back %s to %s: %s", RATE, rateBefore, e.getMessage());
      }
    }

    private void setRate(String rate) throws IOException {
      var settings = new HashMap<String, Object>();
      settings.put(RATE, rate);
      api.call("PUT", "/_cluster/settings", Map.of("transient", settings));
    }

    private void restoreBeside(RestoreRun report) throws Exception {
      if (plan.complete()) {
        recovered = plan.bytes();
        return;
      }
      if (plan.leftovers().contains(plan.temporary())) {
        api.call("DELETE", "/" + plan.temporary(), null);
      }
      console.step("Restoring snapshot %s as %s", backup.name(), plan.temporary());
      // Blocked for writing from its first moment: nothing but the snapshot is in it, and _clone asks for it.
      stage = "restoring";
      start(plan.temporary(), "POST", restorePath(), Map.of("indices", INDEX, "include_global_state", false, "rename_pattern", "^.+$",
          "rename_replacement", plan.temporary(), "index_settings", Map.of("index.blocks.write", true)));
      // Replicas of what is deleted again in a moment would only take room and time.
      replicas = setting(plan.temporary(), "index.number_of_replicas");
      report.remember("replicas", Map.of(plan.temporary(), replicas));
      api.call("PUT", "/%s/_settings".formatted(plan.temporary()), Map.of("index.number_of_replicas", 0));
      follow(plan.temporary());
    }

    /** Elasticsearch may refuse to clone, for want of disk say: found out while the live index is still there. */
    private void proveCloning() throws Exception {
      if (!plan.live()) {
        return;
      }
      var probe = plan.temporary() + "_probe";
      stage = "trying to clone";
      try {
        start(probe, "PUT", "/%s/_clone/%s?wait_for_active_shards=0".formatted(plan.temporary(), probe),
            Map.of("settings", Map.of("index.number_of_replicas", 0)));
        if (!await(() -> primariesStarted(probe), () -> recoveredBytes(probe), Duration.ofSeconds(30))) {
          throw new Failure(Exit.UNSAFE, "Elasticsearch gives a copy of %s no place: %s".formatted(INDEX,
              explanation(probe, 0).path("node_allocation_decisions").findValuesAsText("explanation").stream().distinct().collect(Collectors.joining("; "))),
              "the live index was not touched; free some room, or restore with --in-place");
        }
      } finally {
        delete(probe);
      }
    }

    /** Only now is the live index removed: a complete copy is in the cluster, and cloning it links its files. */
    private void replaceLive() throws Exception {
      var aliases = api.get("/%s/_alias".formatted(plan.temporary())).path(plan.temporary()).path("aliases");
      documents = count(plan.temporary());
      console.step("Replacing %s by the restored index (%d documents)", INDEX, documents);
      stage = "replacing";
      delete(INDEX);
      var clone = new HashMap<String, Object>();
      clone.put("index.blocks.write", null);
      clone.put("index.number_of_replicas", replicas);
      start(INDEX, "PUT", "/%s/_clone/%s".formatted(plan.temporary(), INDEX), Map.of("settings", clone, "aliases", aliases));
      follow(INDEX);
      if (!cloned(INDEX) || count(INDEX) != documents) {
        throw new Failure(Exit.PARTIAL, "%s is no copy of the restored index: something else made it meanwhile".formatted(INDEX),
            "is TheHive stopped? Then run the same command again");
      }
    }

    private void restoreInPlace() throws Exception {
      console.step("Deleting %s and restoring it from snapshot %s", INDEX, backup.name());
      delete(INDEX);
      stage = "restoring";
      start(INDEX, "POST", restorePath(), Map.of("indices", INDEX, "include_global_state", false));
      follow(INDEX);
      requireRestored();
      documents = count(INDEX);
    }

    /** A restored index keeps the date of its creation: one that a client made meanwhile is younger than the snapshot. */
    private void requireRestored() throws IOException {
      var snapshot = api.get("/_snapshot/%s/%s".formatted(options.repository, backup.name())).path("snapshots").path(0);
      if (Long.parseLong(setting(INDEX, "index.creation_date")) > snapshot.path("end_time_in_millis").asLong()) {
        throw new Failure(Exit.PARTIAL, "%s did not come from snapshot %s: something else made it meanwhile".formatted(INDEX, backup.name()),
            "is TheHive stopped? Then run the same command again");
      }
    }

    private String setting(String index, String name) throws IOException {
      return api.get("/%s/_settings?flat_settings=true".formatted(index)).path(index).path("settings").path(name).asText();
    }

    private String restorePath() {
      return "/_snapshot/%s/%s/_restore".formatted(options.repository, backup.name());
    }

    /**
     * A time-out of ours is not the end of it: the server goes on, and the index, which was not there before, tells. With
     * several hosts the client asks the next one, which answers that the index exists.
     */
    private void start(String index, String method, String path, Map<String, ?> what) throws IOException {
      try {
        api.call(method, path, what);
      } catch (Failure e) {
        if (api.tryGet("/" + index).isEmpty()) {
          throw e;
        }
        console.warn("%s; but %s is there: following it", e.getMessage(), index);
      }
    }

    private boolean cloned(String index) throws IOException {
      return api.get("/%s/_recovery".formatted(index)).path(index).path("shards").valueStream().filter(shard -> shard.path("primary").asBoolean())
          .allMatch(shard -> shard.path("type").asText().equals("LOCAL_SHARDS"));
    }

    /** Waits until every primary of the index is started; a shard that failed, or no progress for long, is an error. */
    private void follow(String index) throws Exception {
      if (!await(() -> primariesStarted(index), () -> recoveredBytes(index), STALLED)) {
        throw new Failure(Exit.PARTIAL, "%s makes no progress: %s".formatted(index,
            explanation(index, 0).path("allocate_explanation").asText("no explanation")), "see GET /_cluster/allocation/explain");
      }
    }

    private interface Question<T> {
      T ask() throws IOException;
    }

    /** Asks until the answer is yes; false when the figure stood still for too long. A node that restarts is asked again. */
    private boolean await(Question<Boolean> done, Question<Long> figure, Duration limit) throws Exception {
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

    private boolean primariesStarted(String index) throws IOException {
      var started = true;
      for (var shard : api.get("/_cat/shards/%s?format=json&h=shard,prirep,state,unassigned.reason,unassigned.details".formatted(index))) {
        if (shard.path("prirep").asText().equals("p")) {
          started &= shard.path("state").asText().matches("STARTED|RELOCATING");
          refuseFailed(index, shard);
        }
      }
      return started;
    }

    /** Elasticsearch tries a failed shard some times more; a restore does not go on after a restart of the cluster. */
    private void refuseFailed(String index, JsonNode shard) throws IOException {
      var number = shard.path("shard").asInt();
      var reason = shard.path("unassigned.reason").asText();
      if (!shard.path("state").asText().equals("UNASSIGNED") || !Set.of("CLUSTER_RECOVERED", "ALLOCATION_FAILED").contains(reason)
          || !explanation(index, number).path("can_allocate").asText().matches("no|no_valid_shard_copy")) {
        return;
      }
      var untouched = !options.inPlace && !index.equals(INDEX) ? "the live index was not touched: " : "";
      throw new Failure(Exit.PARTIAL, "shard %d of %s failed: %s".formatted(number, index,
          reason.equals("CLUSTER_RECOVERED") ? "Elasticsearch was started again meanwhile" : shard.path("unassigned.details").asText()),
          untouched + "run the same command again");
    }

    private long recoveredBytes(String index) throws IOException {
      var bytes = 0L;
      for (var shard : api.get("/%s/_recovery".formatted(index)).path(index).path("shards")) {
        bytes += shard.path("index").path("size").path("recovered_in_bytes").asLong();
      }
      recovered = Math.max(recovered, bytes);
      return bytes;
    }

    private JsonNode explanation(String index, int shard) throws IOException {
      var explained = api.tryTo("POST", "/_cluster/allocation/explain",
          Map.of("index", index, "shard", shard, "primary", true), ElasticsearchApi.ABSENT);
      return explained.orElse(MissingNode.getInstance());
    }

    /** Whether every primary of an index is there and came whole from a snapshot. */
    private boolean restoredFrom(String index, String snapshot) throws IOException {
      var health = api.get("/_cluster/health/%s?level=indices".formatted(index)).path("indices").path(index);
      var primaries = health.path("number_of_shards").asInt(-1);
      var restored = 0;
      for (var shard : api.get("/%s/_recovery".formatted(index)).path(index).path("shards")) {
        if (shard.path("primary").asBoolean() && shard.path("type").asText().equals("SNAPSHOT")
            && shard.path("stage").asText().equals("DONE") && shard.path("source").path("snapshot").asText().equals(snapshot)) {
          restored++;
        }
      }
      return primaries > 0 && health.path("active_primary_shards").asInt() == primaries && restored == primaries;
    }

    /** Green where there are nodes enough for all replicas, yellow otherwise. */
    private void awaitHealth() throws Exception {
      stage = "waiting for replicas";
      var wanted = Integer.parseInt(setting(INDEX, "index.number_of_replicas")) < plan.dataNodes() ? "green" : "yellow";
      var healthy = await(() -> List.of("green", wanted).contains(status()),
          () -> recoveredBytes(INDEX) + api.get("/_cluster/health/" + INDEX).path("active_shards").asInt(), Duration.ofMinutes(1));
      if (!healthy && status().equals("red")) {
        throw new Failure(Exit.PARTIAL, "%s is red: %s".formatted(INDEX, explanation(INDEX, 0)), "see GET /_cluster/allocation/explain");
      }
      if (!healthy) {
        console.warn("%s is complete but stays %s: not all replicas are allocated", INDEX, status());
      }
    }

    private String status() throws IOException {
      return api.get("/_cluster/health/" + INDEX).path("status").asText();
    }

    /** All but the copy in use; not before there is an index of the final name: until then one may be the only copy. */
    private void removeLeftovers() throws IOException {
      for (var index : plan.leftovers()) {
        if (!index.equals(plan.temporary())) {
          delete(index);
        }
      }
    }

    private long count(String index) throws IOException {
      api.call("POST", "/%s/_refresh".formatted(index), null);
      return api.get("/%s/_count".formatted(index)).path("count").asLong(-1);
    }

    @Override
    public String state() {
      return "Elasticsearch " + stage;
    }

    @Override
    public long done() {
      return Math.min(recovered, total());
    }

    @Override
    public long total() {
      return plan.bytes();
    }

    @Override
    public Map<String, Object> summary() {
      var summary = new LinkedHashMap<String, Object>();
      summary.put("backup", backup.name());
      summary.put("repository", options.repository);
      summary.put("index", INDEX);
      summary.put("bytes", plan.bytes());
      if (stage.equals("done")) { // verify.java takes it for what the live index began with
        summary.put("documents", documents);
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
}

// ---- Below: copies of lib/*.java, written by ./jbang lib/embed.java. Change those files, not these lines. ----
