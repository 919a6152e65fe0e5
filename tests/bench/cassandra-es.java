///usr/bin/env jbang "$0" "$@" ; exit $?
//DESCRIPTION How much faster is restore-cassandra-es.java than the documented procedure?
//JAVA 17+
//DEPS info.picocli:picocli:4.7.7
//DEPS com.fasterxml.jackson.core:jackson-databind:2.23.0
//DEPS net.lingala.zip4j:zip4j:2.11.6
//DEPS org.apache.cassandra:java-driver-core:4.19.4
// The older driver is what sstableloader and cqlsh are like.
//DEPS com.datastax.cassandra:cassandra-driver-core:3.11.5
//DEPS org.slf4j:slf4j-nop:1.7.36
//COMPILE_OPTIONS -encoding UTF-8
//JAVA_OPTIONS -Xmx256m -XX:+UseSerialGC -XX:TieredStopAtLevel=1
//JAVA_OPTIONS -Dfile.encoding=UTF-8 -Dstdout.encoding=UTF-8 -Dstderr.encoding=UTF-8
//SOURCES ../Script.java
//SOURCES ../servers/Stack.java
//SOURCES ../data/Contents.java
//SOURCES ../data/GraphData.java
//SOURCES ../data/HotBackup.java

import com.datastax.driver.core.Cluster;
import com.datastax.oss.driver.api.core.CqlSession;
import com.datastax.oss.driver.api.core.metadata.Node;
import com.fasterxml.jackson.databind.ObjectMapper;
import java.io.IOException;
import java.lang.management.ManagementFactory;
import java.net.URI;
import java.net.URISyntaxException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Optional;
import java.util.TreeMap;
import java.util.concurrent.Callable;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.locks.LockSupport;
import java.util.stream.Collectors;
import java.util.stream.LongStream;
import java.util.stream.Stream;
import picocli.CommandLine;
import picocli.CommandLine.Command;
import picocli.CommandLine.Option;

/**
 * Restores one hot backup again and again, in turn the documented way and ours, on three Cassandra nodes and
 * Elasticsearch of its own, and prints each time, the medians and their ratios. Every restore is followed by a count of
 * rows (on each node) and documents: a wrong one ends the benchmark.
 *
 * <p>Example: {@code ./jbang tests/bench/cassandra-es.java --cases 20000 --bulk 1g}
 */
@Command(
    name = "cassandra-es.java",
    mixinStandardHelpOptions = true,
    sortOptions = false,
    description = "How much faster is restore-cassandra-es.java than the documented procedure?",
    exitCodeListHeading = "Exit codes:%n",
    exitCodeList = {"0:measured", "1:a restore failed or was wrong", "2:usage"})
class CassandraEs implements Callable<Integer> {
  private static final String INDEX = GraphData.KEYSPACE + "_global";
  private static final String DOCUMENTED = "documented";
  private static final String SAME = "ours, same definition";
  private static final String OTHER = "ours, dropped and created";
  private static final String UNCHANGED = "ours, same, recovery unchanged";
  private static final String ALONE = "ours, only Cassandra";

  @Option(names = "--cases", defaultValue = "20000", description = "cases to fill in (${DEFAULT-VALUE})")
  private int cases;

  @Option(names = "--bulk", paramLabel = "SIZE", description = "previews that make an archive of this size: 1g")
  private String bulk;

  @Option(names = "--rounds", defaultValue = "3", description = "each way this often (${DEFAULT-VALUE})")
  private int rounds;

  @Option(
      names = "--listen",
      split = ",",
      paramLabel = "HOST",
      defaultValue = "127.0.0.2,127.0.0.3,127.0.0.4",
      description = "the Cassandra nodes; Elasticsearch is on the first (${DEFAULT-VALUE})")
  private List<String> listen;

  private Path archives;
  private GraphData data;
  private HotBackup.Set backup;

  /** One restore and its parts, in seconds. */
  record Run(double seconds, Map<String, Double> parts, String note) {}

  interface Way {
    Run restore() throws Exception;
  }

  public static void main(String... args) {
    var commands = new CommandLine(new CassandraEs());
    commands.setExecutionExceptionHandler(
        (e, command, result) -> {
          System.err.println("error: " + e.getMessage());
          return 1;
        });
    System.exit(commands.execute(args));
  }

  @Override
  public Integer call() throws Exception {
    archives = Files.createTempDirectory("bench");
    Runtime.getRuntime().addShutdownHook(new Thread(this::cleanUp));
    fill();
    var expected = contents();
    System.out.printf("%s of Cassandra, %s%n%n", megabytes(Files.size(backup.cassandra())), expected);

    var ways = new LinkedHashMap<String, Way>();
    ways.put(DOCUMENTED, Documented.of(data, backup));
    ways.put(SAME, () -> new Ours(settings(), "Truncating ").restore());
    ways.put(OTHER, () -> afterChangeOfDefinition(new Ours(settings(), "Dropping ")));
    // By itself Elasticsearch restores 40 MB a second and node, which is what a large index waits for.
    ways.put(UNCHANGED, () -> new Ours(settings(), "Truncating ", "--recovery-rate", "unchanged").restore());
    ways.put(ALONE, () -> new Ours(settings(), "Truncating ", "--only", "cassandra").restore());

    var runs = new LinkedHashMap<String, List<Run>>();
    for (var round = 1; round <= rounds; round++) {
      System.out.println("Round " + round);
      for (var way : ways.entrySet()) {
        spoil(!way.getKey().equals(ALONE));
        settle();
        var load = ManagementFactory.getOperatingSystemMXBean().getSystemLoadAverage();
        var run = way.getValue().restore();
        print(way.getKey(), run, String.format(Locale.ROOT, ", load before %.1f", load));
        requireSame(way.getKey(), expected);
        runs.computeIfAbsent(way.getKey(), any -> new ArrayList<>()).add(run);
      }
    }
    printMedians(runs);
    return 0;
  }

  private void fill() {
    System.err.println("Starting servers, writing " + cases + " cases, taking the backup");
    var options = Stack.CassandraOptions.on(listen.toArray(String[]::new));
    var cassandra = CompletableFuture.supplyAsync(() -> Stack.cassandra(options));
    var elasticsearch = Stack.elasticsearch("7.10.2", List.of(listen.get(0)), 9200, archives);
    data = new GraphData(cassandra.join(), elasticsearch);
    if (bulk == null) {
      data.create(cases);
    } else {
      data.create(cases, bulk);
    }
    data.change();
    backup = HotBackup.take(data.cassandra().get(0), GraphData.KEYSPACE, URI.create(data.url()), archives);
  }

  private Map<String, String> settings() {
    return Map.of(
        "CASSANDRA_CONNECTION", listen.get(0),
        "CASSANDRA_GENERAL_ARCHIVE_PATH", archives.resolve("cassandra").toString(),
        "ELASTICSEARCH_API_URL", data.url(),
        "ELASTICSEARCH_GENERAL_ARCHIVE_PATH", archives.resolve("elasticsearch").toString());
  }

  private Run afterChangeOfDefinition(Ours ours) throws Exception {
    try (var session = Contents.session(data.cassandra().get(0), Optional.empty())) {
      session.execute("ALTER TABLE thehive.edgestore WITH comment = 'changed'");
    }
    return ours.restore();
  }

  /** One row and one document too many, so that a restore that does nothing is seen to be wrong. */
  private void spoil(boolean index) {
    try (var session = Contents.session(data.cassandra().get(0), Optional.empty())) {
      session.execute("INSERT INTO thehive.graphindex (key, column1, value) VALUES (0xff, 0xff, 0xff)");
    }
    if (index) {
      data.elasticsearch().get(0).tool("PUT", "/" + INDEX + "/_doc/newer?refresh", "{}");
    }
  }

  /** The same start for all: no snapshots of what was removed before, no compactions, nothing left to be written. */
  private void settle() throws InterruptedException {
    for (var node : data.cassandra()) {
      node.tool("clearsnapshot", "--all");
      while (!node.tool("compactionstats").contains("pending tasks: 0")) {
        Thread.sleep(500);
      }
    }
    run("sync");
  }

  /** Rows a table, as every node has them by itself, and documents. */
  private String contents() throws IOException {
    var rows = new TreeMap<String, String>();
    try (var session = Contents.session(data.cassandra().get(0), Optional.empty())) {
      for (var table : session.getMetadata().getKeyspace(GraphData.KEYSPACE).orElseThrow().getTables().keySet()) {
        var counts = session.getMetadata().getNodes().values().stream()
            .map(node -> CompletableFuture.supplyAsync(() -> rows(session, node, table.asInternal()))).toList();
        rows.put(table.asInternal(),
            counts.stream().map(count -> "" + count.join()).distinct().collect(Collectors.joining("/")));
      }
    }
    var elasticsearch = data.elasticsearch().get(0);
    elasticsearch.tool("POST", "/" + INDEX + "/_refresh");
    var count = new ObjectMapper().readTree(elasticsearch.tool("GET", "/" + INDEX + "/_count"));
    return "rows " + rows + ", " + count.get("count") + " documents";
  }

  /** In many pieces of the ring: a count of all of a large table runs into the server's time limits. */
  private static long rows(CqlSession session, Node node, String table) {
    var count = session.prepare(
        "SELECT count(*) FROM %s.%s WHERE token(key) >= ? AND token(key) <= ?".formatted(GraphData.KEYSPACE, table));
    var piece = 1L << 56;
    return LongStream.range(0, 256).map(i -> Long.MIN_VALUE + i * piece)
        .map(from -> session.execute(count.bind(from, from + piece - 1).setNode(node)).one().getLong(0)).sum();
  }

  private void requireSame(String way, String expected) throws IOException {
    var restored = contents();
    if (!restored.equals(expected)) {
      throw new IllegalStateException("%s restored %s instead of %s".formatted(way, restored, expected));
    }
  }

  private static void printMedians(Map<String, List<Run>> runs) {
    System.out.println("\nMedians");
    runs.forEach((way, all) -> print(way, median(all), ""));
    var documented = median(runs.get(DOCUMENTED)).seconds();
    System.out.println("\nFaster than the documented way");
    for (var way : List.of(SAME, OTHER, UNCHANGED)) {
      System.out.printf(Locale.ROOT, "  %-28s %6.1f times%n", way, documented / median(runs.get(way)).seconds());
    }
    var alone = median(runs.get(ALONE));
    System.out.printf(Locale.ROOT, "%nThe Cassandra half takes %.2f times its streaming%n",
        alone.seconds() / alone.parts().get("streaming to the end"));
  }

  private static Run median(List<Run> runs) {
    return runs.stream().sorted((a, b) -> Double.compare(a.seconds(), b.seconds())).toList().get(runs.size() / 2);
  }

  private static void print(String way, Run run, String more) {
    var parts = run.parts().entrySet().stream()
        .map(part -> String.format(Locale.ROOT, "%s %.1f", part.getKey(), part.getValue()));
    var details = Stream.concat(parts, Stream.of(run.note())).filter(text -> !text.isEmpty());
    var text = details.collect(Collectors.joining(", ")) + more;
    System.out.printf(Locale.ROOT, "  %-28s %6.1f s  (%s)%n", way, run.seconds(), text);
  }

  private static String megabytes(long bytes) {
    return (bytes + 500_000) / 1_000_000 + " MB";
  }

  private static double seconds(long since) {
    return (System.nanoTime() - since) / 1e9;
  }

  private static Script.Result run(String... command) {
    var result = Script.command(command).timeout(Duration.ofMinutes(30)).run();
    if (result.code() != 0) {
      throw new IllegalStateException("%s: exit %d%n%s%s".formatted(
          command[0], result.code(), result.out(), result.err()));
    }
    return result;
  }

  /** Not with {@link Script}: at the end of this JVM it ends what it started. */
  private void cleanUp() {
    try {
      new ProcessBuilder("rm", "-rf", archives.toString()).start().waitFor();
    } catch (IOException | InterruptedException e) {
      System.err.println("cannot delete " + archives + ": " + e.getMessage());
    }
  }

  /**
   * What the documentation tells an administrator to run: unpack with tar; drop and create the keyspace with cqlsh;
   * sstableloader for each table, one after the other; remove what was unpacked. At the same time delete the index and
   * restore it.
   *
   * <p>The loader is the real one. For cqlsh, which needs Python, stands a driver with its default settings; on three
   * nodes of a busy machine it took 4 to 6 s to drop and 13 to 14 s to create, cqlsh itself 2 to 5 s and 10 to 15 s.
   */
  record Documented(GraphData data, HotBackup.Set backup, String classPath) implements Way {
    /** Those of Cassandra's own jvm11-clients.options that the loader needs on JDK 17. */
    private static final List<String> JDK_FLAGS =
        Stream.concat(
                Stream.of("java.io", "java.lang", "java.nio", "java.util", "java.util.concurrent", "sun.nio.ch")
                    .map(name -> "--add-opens=java.base/" + name + "=ALL-UNNAMED"),
                Stream.of("--add-exports=java.base/jdk.internal.ref=ALL-UNNAMED"))
            .toList();

    static Documented of(GraphData data, HotBackup.Set backup) throws URISyntaxException {
      var cassandra = run("./jbang", "info", "classpath", "tests/servers/cassandra.java").out().strip();
      var driver = Path.of(Cluster.class.getProtectionDomain().getCodeSource().getLocation().toURI());
      return new Documented(data, backup, cassandra + ":" + driver);
    }

    @Override
    public Run restore() throws Exception {
      var parts = new LinkedHashMap<String, Double>();
      var start = System.nanoTime();
      var index = CompletableFuture.supplyAsync(this::restoreIndex);
      restoreKeyspace(parts);
      parts.put("Elasticsearch", index.join());
      return new Run(seconds(start), parts, "");
    }

    private double restoreIndex() {
      var start = System.nanoTime();
      var elasticsearch = data.elasticsearch().get(0);
      elasticsearch.tool("DELETE", "/" + INDEX);
      var snapshot = "/_snapshot/%s/%s".formatted(HotBackup.REPOSITORY, backup.snapshot());
      elasticsearch.tool("POST", snapshot + "/_restore?wait_for_completion=true",
          "{\"indices\": \"%s\", \"include_global_state\": false}".formatted(INDEX));
      return seconds(start);
    }

    private void restoreKeyspace(Map<String, Double> parts) throws IOException {
      var archive = backup.cassandra();
      var unpacked = archive.resolveSibling(archive.getFileName().toString().replace(".tar", ""));
      var start = System.nanoTime();
      run("tar", "xf", archive.toString(), "-C", archives().toString());
      parts.put("tar", seconds(start));

      start = System.nanoTime();
      dropAndCreate(Files.readString(unpacked.resolve("create_keyspace_" + GraphData.KEYSPACE + ".cql")));
      parts.put("drop and create", seconds(start));

      start = System.nanoTime();
      try (var tables = Files.list(unpacked.resolve(GraphData.KEYSPACE))) {
        tables.sorted().forEach(this::load);
      }
      parts.put("loaders", seconds(start));
      run("rm", "-rf", unpacked.toString());
    }

    private void dropAndCreate(String definition) {
      cqlsh(List.of("DROP KEYSPACE IF EXISTS " + GraphData.KEYSPACE));
      cqlsh(Stream.of(definition.split(";")).filter(statement -> !statement.isBlank()).toList());
    }

    private void cqlsh(List<String> statements) {
      var cluster = Cluster.builder().addContactPoint(data.cassandra().get(0).host()).withoutJMXReporting().build();
      try {
        var session = cluster.connect();
        statements.forEach(session::execute);
      } finally {
        cluster.closeAsync(); // cqlsh does not wait for its driver's end, which takes two seconds
      }
    }

    /** As bin/sstableloader starts it on a node. */
    private void load(Path table) {
      var node = data.cassandra().get(0);
      var jamm = Stream.of(classPath.split(":")).filter(jar -> jar.contains("/jamm-")).findFirst().orElseThrow();
      var command = new ArrayList<>(List.of(Path.of(System.getProperty("java.home"), "bin/java").toString()));
      command.addAll(List.of("-javaagent:" + jamm, "-ea", "-Xmx256M"));
      command.addAll(JDK_FLAGS);
      command.addAll(List.of("-Dcassandra.storagedir=" + archives(), "-Dlogback.configurationFile=logback-tools.xml"));
      command.addAll(List.of("-cp", node.data().resolve("conf") + ":" + classPath));
      command.addAll(List.of("org.apache.cassandra.tools.BulkLoader", "-d", node.host(), table.toString()));
      run(command.toArray(String[]::new));
    }

    private Path archives() {
      return backup.cassandra().getParent();
    }
  }

  /**
   * Ours, as a user runs it: JBang's start is in the time.
   *
   * @param step what it must say before it streams: truncating or dropping
   */
  record Ours(Map<String, String> settings, String step, String... options) implements Way {
    @Override
    public Run restore() throws Exception {
      var start = System.nanoTime();
      var running = Script.of("restore-cassandra-es.java").env(settings).args("--yes").args(options).start();
      running.awaitErr(step);
      var checked = seconds(start);
      running.awaitErr("Streaming ");
      var streaming = seconds(start);
      var peak = CompletableFuture.supplyAsync(running::peakUntilEnd);
      var result = running.await();
      if (result.code() != 0) {
        throw new IllegalStateException("restore-cassandra-es.java: exit " + result.code() + "\n" + result.err());
      }
      var parts = new LinkedHashMap<String, Double>();
      var total = result.took().toMillis() / 1e3;
      parts.put("start and checks", checked);
      parts.put(step.strip().toLowerCase(Locale.ROOT), streaming - checked);
      parts.put("streaming to the end", total - streaming);
      return new Run(total, parts, "peak " + megabytes(peak.join()));
    }
  }
}
