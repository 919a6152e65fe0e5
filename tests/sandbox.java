///usr/bin/env jbang "$0" "$@" ; exit $?
//DESCRIPTION The whole runbook on real servers: fill, back up, disaster, restore, compare
//JAVA 17+
//DEPS info.picocli:picocli:4.7.7
//DEPS com.fasterxml.jackson.core:jackson-databind:2.23.0
//DEPS io.minio:minio:9.0.4
//DEPS com.squareup.okhttp3:okhttp-jvm:5.5.1
//DEPS net.lingala.zip4j:zip4j:2.11.6
//DEPS org.apache.cassandra:java-driver-core:4.19.4
//DEPS org.slf4j:slf4j-nop:1.7.36
//COMPILE_OPTIONS -encoding UTF-8
//JAVA_OPTIONS -Xmx256m -XX:+UseSerialGC -XX:TieredStopAtLevel=1
//JAVA_OPTIONS -Dfile.encoding=UTF-8 -Dstdout.encoding=UTF-8 -Dstderr.encoding=UTF-8
//SOURCES Script.java
//SOURCES servers/Hosts.java
//SOURCES servers/Stack.java
//SOURCES data/Attachments.java
//SOURCES data/Bucket.java
//SOURCES data/GraphData.java
//SOURCES data/HotBackup.java

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.node.ObjectNode;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.net.URI;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Comparator;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.concurrent.Callable;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CountDownLatch;
import java.util.stream.Collectors;
import java.util.stream.Stream;
import java.util.stream.StreamSupport;
import picocli.CommandLine;
import picocli.CommandLine.Command;
import picocli.CommandLine.Option;

/**
 * Shows a restore from beginning to end, on three Cassandra nodes and Elasticsearch of its own on loopback addresses:
 * fills them, takes the hot backup, lets disaster happen, restores as an administrator would, and compares what the
 * graph answers. Touches nothing else and removes everything at the end.
 *
 * <p>Example: {@code ./jbang tests/sandbox.java --keep}
 */
@Command(
    name = "sandbox.java",
    mixinStandardHelpOptions = true,
    sortOptions = false,
    description = "The whole runbook on real servers: fill, back up, disaster, restore, compare.",
    exitCodeListHeading = "Exit codes:%n",
    exitCodeList = {"0:the restored system answers as before", "1:it does not, or a step failed", "2:usage"})
class Sandbox implements Callable<Integer> {
  private static final List<String> SCRIPTS =
      List.of(
          "tests/servers/cassandra.java",
          "tests/servers/elasticsearch.java",
          "tests/servers/s3.java",
          "tests/data/graph.java",
          "restore-cassandra-es.java",
          "restore-files-nfs.java",
          "restore-files-minio.java",
          "service-control.java",
          "verify.java");

  @Option(names = "--cases", defaultValue = "300", description = "cases to fill in (${DEFAULT-VALUE})")
  private int cases;

  @Option(names = "--keep", description = "leave the servers running until Ctrl-C, to play with")
  private boolean keep;

  @Option(
      names = "--listen",
      split = ",",
      paramLabel = "HOST",
      defaultValue = "127.0.0.2,127.0.0.3,127.0.0.4",
      description = "the Cassandra nodes; Elasticsearch is on the first (${DEFAULT-VALUE})")
  private List<String> listen;

  private final long started = System.nanoTime();
  private Path archives;
  private Path attachments;
  private Bucket bucket;
  private GraphData data;
  private Hosts hosts;
  private volatile Process running;

  public static void main(String... args) {
    var commands = new CommandLine(new Sandbox());
    commands.setExecutionExceptionHandler(
        (e, command, result) -> {
          System.err.println("error: " + e.getMessage());
          return 1;
        });
    System.exit(commands.execute(args));
  }

  @Override
  public Integer call() throws Exception {
    archives = Files.createTempDirectory("sandbox");
    attachments = archives.resolve("live/files");
    Runtime.getRuntime().addShutdownHook(new Thread(this::cleanUp));

    step("Getting and compiling what is needed (the first time: some minutes)", this::build);
    step("Starting " + listen.size() + " Cassandra nodes, Elasticsearch and an S3 server", this::startServers);
    step("Starting three hosts with systemd, sshd and a stand-in for TheHive", this::startHosts);
    step("Writing " + cases + " cases and their attachments", this::fill);
    step("Changing, deleting and adding some", data::change);
    var before = step("Asking the graph", this::ask);
    step("Taking the hot backup", this::backUp);
    step("Disaster: newer rows, deleted cases, attachments lost and overwritten", this::damage);
    var damaged = step("Asking the graph", this::ask);
    step("Disaster: the index is gone", this::dropIndex);
    play("verify.java", "archives");
    if (hosts != null) {
      play("service-control.java", "stop");
    }
    for (var script : List.of("restore-cassandra-es.java", "restore-files-nfs.java", "restore-files-minio.java")) {
      play(script, "--yes");
    }
    play("verify.java", "--exact", "--skip", "services,logs");
    if (hosts != null) {
      play("service-control.java", "start");
      play("verify.java", "--only", "services,logs");
    }
    var restored = step("Asking the graph", this::ask);

    print(before, damaged, restored);
    var same = before.equals(restored);
    System.out.println(
        same
            ? "✓ The restored system answers as before the disaster"
            : "✗ The restored system answers differently");
    System.out.printf(Locale.ROOT, "Took %.0f s%n", (System.nanoTime() - started) / 1e9);
    if (keep) {
      keepRunning();
    }
    return same ? 0 : 1;
  }

  private void build() throws IOException {
    for (var script : SCRIPTS) {
      run(Map.of(), "build", script);
    }
  }

  private void startServers() {
    var options = Stack.CassandraOptions.on(listen.toArray(String[]::new));
    var cassandra = CompletableFuture.supplyAsync(() -> Stack.cassandra(options));
    var elasticsearch = Stack.elasticsearch("7.10.2", List.of(listen.get(0)), 9200, archives);
    bucket = new Bucket(Stack.s3(listen.get(0)));
    data = new GraphData(cassandra.join(), elasticsearch);
  }

  private void startHosts() {
    try {
      Hosts.reasonUnavailable().ifPresent(reason -> {
        throw new IllegalStateException(reason);
      });
      hosts = Hosts.start(3);
    } catch (IllegalStateException e) {
      System.err.println("  none here, so TheHive is neither stopped nor started: " + e.getMessage());
    }
  }

  private void play(String script, String... arguments) throws Exception {
    var line = "./jbang " + script + " " + String.join(" ", arguments);
    step("Runbook: " + line,
        () -> run(settings(), Stream.concat(Stream.of(script), Stream.of(arguments)).toArray(String[]::new)));
  }

  /** Every fourth case has one, those too that are added before the backup. */
  private int attachmentCount() {
    return (cases + cases / 20) / 4 + 1;
  }

  /** Every fourth case has an attachment, which the graph names by its hash: here both in a folder and in a bucket. */
  private void fill() throws IOException {
    data.create(cases);
    Attachments.writeAll(attachments, attachmentCount());
    bucket.create(attachments);
  }

  private void damage() throws IOException {
    data.damage();
    for (var i = 0; i < attachmentCount(); i += 2) {
      Files.delete(attachments.resolve(Attachments.name(i)));
      bucket.remove(Attachments.name(i));
    }
    Files.writeString(attachments.resolve(Attachments.name(1)), "spoilt");
    Files.writeString(attachments.resolve(Attachments.FOLDER).resolve("newer"), "newer");
    bucket.put(Attachments.FOLDER + "/newer", new byte[1]);
  }

  /** What the graph answers, and how many attachments are as they were written, how many are anything else. */
  private String ask() throws IOException {
    var whole = 0;
    for (var i = 0; i < attachmentCount(); i++) {
      var file = attachments.resolve(Attachments.name(i));
      whole += Files.exists(file) && Attachments.id(Files.readAllBytes(file)).equals(Attachments.id(i)) ? 1 : 0;
    }
    var answer = (ObjectNode) new ObjectMapper().readTree(data.ask());
    try (var files = Files.list(attachments.resolve(Attachments.FOLDER))) {
      answer.putObject("attachments here").put("files intact", whole).put("files in all", files.count())
          .put("objects intact", bucket.intact(attachmentCount())).put("objects in all", bucket.names().size());
    }
    return answer.toString();
  }

  private void backUp() throws IOException {
    var backup = HotBackup.take(data.cassandra().get(0), GraphData.KEYSPACE, URI.create(data.url()), archives);
    HotBackup.files(attachments, archives, backup.timestamp());
    HotBackup.minio(attachments, archives, backup.timestamp());
  }

  private void dropIndex() {
    data.elasticsearch().get(0).tool("DELETE", "/thehive_global");
  }

  private Map<String, String> settings() {
    var settings = new LinkedHashMap<String, String>();
    settings.put("CASSANDRA_CONNECTION", listen.get(0));
    settings.put("CASSANDRA_GENERAL_ARCHIVE_PATH", archives.resolve("cassandra").toString());
    settings.put("ELASTICSEARCH_API_URL", data.url());
    settings.put("ELASTICSEARCH_GENERAL_ARCHIVE_PATH", archives.resolve("elasticsearch").toString());
    settings.put("ATTACHMENT_FOLDER", attachments.toString());
    settings.put("GENERAL_ARCHIVE_PATH", archives.resolve("storage").toString());
    settings.putAll(bucket.settings());
    settings.put("MINIO_ARCHIVE_PATH", archives.resolve("minio") + "/");
    if (hosts != null) {
      settings.put("THEHIVE_NODES", hosts.hosts().stream().map(Hosts.Host::name).collect(Collectors.joining(" ")));
      settings.put("PATH", hosts.path()); // with an ssh that knows them
    }
    return settings;
  }

  private void keepRunning() throws InterruptedException {
    var servers = " --cassandra " + data.addresses() + " --elasticsearch " + data.url();
    System.out.println("\nThe servers go on until Ctrl-C. In another terminal, in this folder:");
    settings().forEach((name, value) -> System.out.println("  export " + name + "=" + value));
    System.out.println("  ./jbang tests/data/graph.java ask" + servers);
    System.out.println("  ./jbang tests/data/graph.java damage" + servers);
    System.out.println("  ./jbang restore-cassandra-es.java --dry-run");
    System.out.println("  " + data.cassandra().get(0).data().resolve("nodetool") + " status");
    new CountDownLatch(1).await();
  }

  /** Runs a script in this terminal, with these variables in its environment. */
  private void run(Map<String, String> variables, String... arguments) throws IOException {
    var builder = new ProcessBuilder(Script.ROOT.resolve("jbang").toString()).directory(Script.ROOT.toFile());
    builder.command().addAll(List.of(arguments));
    // What was set for a real cluster must not reach it from here.
    builder.environment().keySet().removeIf(name -> name
        .matches("(CASSANDRA|ELASTICSEARCH|MINIO|MC|THEHIVE|ATTACHMENT|RESTORE|BACKUP|GENERAL)_.*|ASSUME_YES"));
    builder.environment().put("THEHIVE_CONFIG", "/dev/null");
    builder.environment().putAll(variables);
    running = builder.inheritIO().start();
    var code = running.onExit().join().exitValue();
    if (code != 0) {
      throw new IOException("./jbang " + String.join(" ", arguments) + " ended with exit " + code);
    }
  }

  private interface Action {
    void run() throws Exception;
  }

  private static void step(String name, Action action) throws Exception {
    step(
        name,
        () -> {
          action.run();
          return null;
        });
  }

  private static <T> T step(String name, Callable<T> action) throws Exception {
    var start = System.nanoTime();
    System.err.println(name);
    var result = action.call();
    System.err.printf(Locale.ROOT, "  %.1f s%n", (System.nanoTime() - start) / 1e9);
    return result;
  }

  private static void print(String... answers) throws IOException {
    var json = new ObjectMapper();
    var columns = new LinkedHashMap<String, String[]>();
    for (int i = 0; i < answers.length; i++) {
      var answer = json.readTree(answers[i]);
      for (var row : rows(answer).entrySet()) {
        columns.computeIfAbsent(row.getKey(), any -> new String[] {"0", "0", "0"})[i] = row.getValue();
      }
    }
    System.out.printf("%n%-28s %12s %12s %12s%n", "", "before", "disaster", "restored");
    columns.forEach((name, c) -> System.out.printf("%-28s %12s %12s %12s%n", name, c[0], c[1], c[2]));
    System.out.println();
    for (int i = 0; i < answers.length; i += answers.length - 1) {
      var answer = json.readTree(answers[i]);
      System.out.println((i == 0 ? "before:   " : "restored: ") + path(answer));
    }
    System.out.println();
  }

  private static Map<String, String> rows(JsonNode answer) {
    var rows = new LinkedHashMap<String, String>();
    answer.get("vertices").properties().forEach(v -> rows.put(v.getKey(), v.getValue().asText()));
    for (var state : List.of("created", "changed", "added", "damaged", "extra", "spoiled")) {
      rows.put("  cases " + state, answer.get("cases").path(state).asText("0"));
    }
    rows.put("full text \"phishing\"", answer.get("phishing").asText());
    rows.put("observables of case 7", "" + answer.get("observablesOfCase7").size());
    answer.get("attachments here").fields().forEachRemaining(a -> rows.put(a.getKey(), a.getValue().asText()));
    rows.put("graph and index agree", answer.get("agree").asBoolean() ? "yes" : "no");
    return rows;
  }

  /** The alert of case 7, its case, that case's observables and their attachment: one traversal over all tables. */
  private static String path(JsonNode answer) {
    var observables = texts(answer.get("observablesOfCase7"));
    var attachments = texts(answer.get("attachmentsOfAlert7")).stream().map(id -> id.substring(0, 12) + "…").toList();
    return "alert siem-7 > case 7 > " + String.join(", ", observables) + " > " + String.join(", ", attachments);
  }

  private static List<String> texts(JsonNode array) {
    return StreamSupport.stream(array.spliterator(), false).map(JsonNode::asText).toList();
  }

  private void cleanUp() {
    if (running != null) {
      running.destroy();
      running.onExit().join();
    }
    Hosts.closeAll();
    Stack.closeAll();
    try (var files = Files.walk(archives)) {
      for (var file : files.sorted(Comparator.reverseOrder()).toList()) {
        Files.deleteIfExists(file);
      }
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }
}
