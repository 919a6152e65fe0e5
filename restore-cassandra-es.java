///usr/bin/env jbang "$0" "$@" ; exit $?
//DESCRIPTION Restores TheHive's Cassandra keyspace and Elasticsearch index from a hot backup
//JAVA 17+
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
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Option;
import picocli.CommandLine.ParameterException;
import picocli.CommandLine.Parameters;
import picocli.CommandLine.ScopeType;
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
    version = Release.VERSION,
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

  @Option(names = "--partial-ring", description = "take a part of the ring: rows get lost")
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
        return refuse(refused, "Nothing was changed.");
      }
      var outlook = confirm(databases, settings, run);
      if (console.dryRun) {
        return endDryRun(databases);
      }
      var unprepared = databases.sideBySide(run.steps, "prepare", Database::prepare);
      if (!unprepared.isEmpty()) {
        return refuse(unprepared, withdraw(databases) ? "Nothing was changed." : "Nothing live was changed.");
      }
      var failed = restore(databases, run);
      var code = finish(databases, failed, outlook.end(run.steps));
      var report = run.end(code, databases.finished(failed), databases.summary(failed));
      console.step("Report: %s", report);
      printJson(Files.readString(report));
      return code;
    }
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
    return console.stateFolder(CommonSettings.of(settings), CassandraSettings.ofArchives(settings).archives().get(0), point);
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
        console.confirm(planLines(databases, settings, outlook), databases.list().get(0).cluster()));
    return outlook;
  }

  private List<String> planLines(Databases databases, Settings settings, RestoreOutlook outlook) {
    var lines = new ArrayList<String>(List.of("", "Settings that count, and where they come from"));
    settings.sources(counting()).forEach(line -> lines.add("  " + line));
    if (!settings.isSet(TheHiveSettings.NODES)) {
      lines.add("  whether TheHive is stopped was asked of this host only: THEHIVE_NODES names no other");
    }
    var verb = console.dryRun ? "Would" : "Will";
    outlook.lines().forEach(line -> lines.add("  " + line));
    lines.add("  all that was written after %s is lost; when the newest change was made is not known here"
        .formatted(BackupSet.STAMP.format(restored)));
    for (var database : databases.list()) {
      lines.add("");
      lines.add(database.name().title);
      database.plan().forEach(line -> lines.add("  " + line.replaceFirst("^→", verb)));
    }
    lines.add("");
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
  private int refuse(Map<Database.Name, Failure> failed, String left) {
    failed.forEach((name, failure) -> console.error(name.title, failure));
    console.step("%s", left);
    printError(name -> failed.containsKey(name) ? failed.get(name).code : Exit.DECLINED);
    var first = failed.values().iterator().next();
    printJson(Json.failure(SCRIPT, first));
    return first.code;
  }

  /** Shows every failure with its hint on stderr, and the documented procedure's last line on stdout. */
  private int finish(Databases databases, Map<Database.Name, Failure> failed, String took) {
    failed.forEach((name, failure) -> console.error(name.title, failure));
    if (failed.isEmpty()) {
      console.step("%s", took);
      console.step(
          "Next: restore the attachments (restore-files-nfs.java or restore-files-minio.java), then ./jbang"
              + " verify.java --exact --backup %s --skip services,logs",
          BackupSet.STAMP.format(restored));
      printLastLine(
          only == null ? "=== ✓ Successful full restore ===" : "=== ✓ Successful restore of " + only + " ===");
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
