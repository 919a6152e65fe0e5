///usr/bin/env jbang "$0" "$@" ; exit $?
//DESCRIPTION The whole runbook on real servers: fill, back up, disaster, restore, compare; or with your own backup
//JAVA 17+
//DEPS info.picocli:picocli:4.7.7
//DEPS com.fasterxml.jackson.core:jackson-databind:2.23.0
//DEPS com.fasterxml.jackson.dataformat:jackson-dataformat-smile:2.23.0
//DEPS com.typesafe:config:1.4.3
//DEPS io.minio:minio:9.0.4
//DEPS com.squareup.okhttp3:okhttp-jvm:5.5.1
//DEPS net.lingala.zip4j:zip4j:2.11.6
//DEPS org.apache.cassandra:java-driver-core:4.19.4
//DEPS org.slf4j:slf4j-nop:1.7.36
//COMPILE_OPTIONS -encoding UTF-8
//JAVA_OPTIONS -Xmx256m -XX:+UseSerialGC -XX:TieredStopAtLevel=1
//JAVA_OPTIONS -Dfile.encoding=UTF-8 -Dstdout.encoding=UTF-8 -Dstderr.encoding=UTF-8 -Djdk.console=java.base
//SOURCES Script.java
//SOURCES sandbox/LastScreen.java
//SOURCES sandbox/OwnHosts.java
//SOURCES sandbox/Rehearsal.java
//SOURCES sandbox/Steps.java
//SOURCES servers/Stack.java
//SOURCES data/Attachments.java
//SOURCES data/Bucket.java
//SOURCES data/GraphData.java
//SOURCES data/HotBackup.java

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.node.ObjectNode;
import java.io.IOException;
import java.net.URI;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.Optional;
import java.util.concurrent.Callable;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CountDownLatch;
import java.util.stream.Stream;
import picocli.CommandLine;
import picocli.CommandLine.Command;
import picocli.CommandLine.Option;

/**
 * Shows a restore from beginning to end, on three Cassandra nodes and Elasticsearch of its own on loopback addresses:
 * fills them, takes the hot backup, lets disaster happen, restores as an administrator would, and compares what the
 * graph answers. With {@code --backup-set} or {@code --rehearse} it restores a site's own backup on such servers.
 * Touches nothing else and removes everything at the end.
 *
 * <p>Example: {@code ./jbang tests/sandbox.java --keep}
 */
@Command(
    name = "sandbox.java",
    mixinStandardHelpOptions = true,
    sortOptions = false,
    synopsisHeading = "Usage: ./jbang tests/",
    description = "The whole runbook on real servers: fill, back up, disaster, restore, compare;"
        + " or a restore of your own backup on such servers.",
    exitCodeListHeading = "Exit codes:%n",
    exitCodeList = {"0:all came back", "1:not all, or a step failed", "2:usage",
        "13:this host lacks memory, disk or ports", "others:of the script that failed in a rehearsal"})
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

  @Option(names = "--listen", split = ",", paramLabel = "HOST",
      description = "loopback addresses of the Cassandra nodes (127.0.0.2 and the next, or others that are free)")
  private List<String> listen;

  @Option(names = "--backup-set", paramLabel = "DIR", description = "rehearse: restore the backup below this folder")
  private Path backupSet;

  @Option(names = "--rehearse", description = "the same with the folders that the restores' variables name")
  private boolean rehearse;

  @Option(names = "--backup", paramLabel = "POINT", description = "restore point to rehearse (the newest)")
  private String point;

  @Option(names = "--repository", paramLabel = "DIR", description = "of the snapshots, where it is not found by itself")
  private Path repository;

  @Option(names = "--nodes", paramLabel = "N", description = "Cassandra nodes of a rehearsal (1)")
  private Integer nodes;

  @Option(names = "--evidence", paramLabel = "FILE",
      description = "page for a change ticket, of a rehearsal; FILE.json: the same as data; may be repeated")
  private List<Path> evidence = List.of();

  @Option(names = "--metrics", paramLabel = "FILE", description = "numbers for node-exporter, of a rehearsal")
  private Path metrics;

  @Option(names = "--work", paramLabel = "DIR", description = "where servers and restored files go (${DEFAULT-VALUE})")
  private Path temporary = Path.of(System.getProperty("java.io.tmpdir"));

  private final Steps steps = new Steps();
  private Path work;
  private Places places;
  private Path archives;
  private Path attachments;
  private Bucket bucket;
  private GraphData data;
  private OwnHosts hosts;
  /** Why there are none, or could not be started. */
  private Optional<String> noHosts = Optional.empty();

  public static void main(String... args) {
    var commands = new CommandLine(new Sandbox());
    commands.setExecutionExceptionHandler(
        (e, command, result) -> {
          System.err.println("error: " + e.getMessage());
          if (e instanceof Failure failure && failure.hint != null) {
            System.err.println("hint: " + failure.hint);
          }
          return e instanceof Failure failure ? failure.code : e instanceof Steps.Failed failed ? failed.code : 1;
        });
    System.exit(commands.execute(args));
  }

  @Override
  public Integer call() throws Exception {
    requireOptions();
    System.setProperty("java.io.tmpdir", temporary.toRealPath().toString());
    if (isRehearsal()) {
      return rehearse();
    }
    lookBefore(listen == null ? 3 : listen.size());
    archives = work.resolve("archives");
    attachments = archives.resolve("live/files");

    steps.run("Getting and compiling what is needed (the first time: some minutes)", () -> steps.build(SCRIPTS));
    steps.run("Starting " + places.addresses().size() + " Cassandra nodes, Elasticsearch and an S3 server",
        this::startServers);
    noHosts = OwnHosts.reasonUnavailable();
    if (noHosts.isEmpty()) {
      steps.run("Starting three hosts with systemd, sshd and a stand-in for TheHive", this::startHosts);
    }
    steps.run("Writing " + cases + " cases and their attachments", this::fill);
    steps.run("Changing, deleting and adding some", data::change);
    var before = steps.ask("Asking the graph", this::ask);
    steps.run("Taking the hot backup", this::backUp);
    steps.run("Disaster: newer rows, deleted cases, attachments lost and overwritten, the index deleted",
        this::damage);
    var damaged = steps.ask("Asking the graph", this::ask);
    playRunbook();
    var restored = steps.ask("Asking the graph", this::ask);

    var same = before.equals(restored);
    print(same, before, damaged, restored);
    if (keep) {
      keepRunning();
    }
    return same ? 0 : 1;
  }

  private boolean isRehearsal() {
    return backupSet != null || rehearse;
  }

  private void requireOptions() {
    if (!isRehearsal() && (!evidence.isEmpty()
        || Stream.of(point, repository, nodes, metrics).anyMatch(Objects::nonNull))) {
      throw new Failure(Exit.USAGE, "--backup, --repository, --nodes, --evidence and --metrics are of a rehearsal",
          "add --backup-set <folder>, or --rehearse");
    }
    if (isRehearsal() && keep) {
      throw new Failure(Exit.USAGE, "a rehearsal keeps nothing", "leave out --keep");
    }
    if (!Files.isDirectory(temporary)) {
      throw new Failure(Exit.USAGE, "there is no folder " + temporary, "--work names one with room");
    }
    if (nodes != null && (nodes < 1 || nodes > 5)) {
      throw new Failure(Exit.USAGE, "--nodes %d is not between 1 and 5".formatted(nodes), null);
    }
  }

  // -------------------------------------------------------------------------------------------------- before it begins

  /** Looks whether it can go through, in a second; then says what it will do, and waits for Enter on a terminal. */
  private void lookBefore(int count) throws IOException {
    begin(count, Rehearsal.ofServers(count), List.of(
        "Plays the whole runbook on servers of its own: fills them, takes a hot backup, lets disaster happen, restores,"
            + " compares.",
        "Touches nothing of yours: it uses a folder and addresses of its own, and removes all of it at the end.",
        "Takes 3 to 5 minutes; the first time it loads about 270 MB from Maven Central, which takes some more."));
  }

  private void begin(int count, Resources needed, List<String> plan) throws IOException {
    plan.forEach(steps::say);
    var candidates = listen == null ? Places.candidates(count) : List.of(listen);
    var listeners = Listeners.now();
    places = Places.reserve(candidates);
    places.change(candidates.get(0), listeners).ifPresentOrElse(steps::say,
        () -> steps.say("Listens on " + places.text() + "; nobody else does."));
    var left = Resources.left(temporary);
    steps.say("Needs " + needed.text(left, temporary) + ".");
    left.lacks(needed, temporary).ifPresent(reason -> {
      throw new Failure(Exit.UNSAFE, reason, "free some; --work names another folder, fewer nodes need less");
    });
    if (!isRehearsal()) {
      OwnHosts.reasonUnavailable().ifPresent(reason ->
          steps.say("No hosts here, so TheHive is neither stopped nor started: " + reason));
    }
    awaitEnter();
    Stack.use(new Processes(false, places.offset()));
    work = OwnFolder.create("sandbox-of-");
    Runtime.getRuntime().addShutdownHook(new Thread(this::cleanUp));
  }

  private static void awaitEnter() {
    if (System.console() != null && System.getenv("CI") == null) {
      System.console().readLine("Enter to go on, Ctrl-C to end ");
    }
  }

  // ------------------------------------------------------------------------------------------------------- a rehearsal

  private int rehearse() throws Exception {
    var settings = Settings.fromEnvironment();
    var own = Optional.ofNullable(repository).map(Path::toAbsolutePath);
    var site = backupSet == null ? SiteBackup.of(settings, own) : SiteBackup.in(backupSet, own);
    var chosen = site.choose(point);
    requireJava(chosen.search());
    var plan = new ArrayList<>(Rehearsal.plan(site, chosen));
    plan.add("Takes about %d minutes; the first time it loads about 310 MB, which takes some more."
        .formatted(Rehearsal.minutes(chosen)));
    var count = listen != null ? listen.size() : nodes != null ? nodes : 1;
    begin(count, Rehearsal.needed(chosen, count), plan);
    new Rehearsal(site, chosen, work, places, settings, steps).run(results());
    return 0;
  }

  /** The options by which verify.java writes them. */
  private List<String> results() {
    return Stream.concat(evidence.stream().flatMap(file -> Stream.of("--evidence", "" + file.toAbsolutePath())),
        Stream.ofNullable(metrics).flatMap(file -> Stream.of("--metrics", "" + file.toAbsolutePath()))).toList();
  }

  private static void requireJava(SearchServer search) throws IOException {
    if (Runtime.version().feature() < search.java() && Script.laterJdk().isEmpty()) {
      throw new Failure(Exit.UNSAFE, "the snapshot needs Elasticsearch %s, which needs a JDK %d or later".formatted(
          search.version(), search.java()), "install one: apt-get install openjdk-21-jdk-headless");
    }
  }

  // ------------------------------------------------------------------------------------------------- the whole runbook

  private void startServers() {
    var options = Stack.CassandraOptions.on(places.addresses().toArray(String[]::new));
    var cassandra = CompletableFuture.supplyAsync(() -> Stack.cassandra(options));
    steps.at("Elasticsearch starts");
    var elasticsearch = Stack.elasticsearch("7.10.2", List.of(places.first()), 9200, archives);
    steps.at("S3 starts; where Go is there, MinIO is built once");
    bucket = new Bucket(Stack.s3(places.first()));
    steps.at("Cassandra starts");
    data = new GraphData(cassandra.join(), elasticsearch);
  }

  private void startHosts() {
    try {
      hosts = OwnHosts.start();
    } catch (IllegalStateException e) {
      noHosts = Optional.of(e.getMessage());
      steps.say("  none: " + e.getMessage());
    }
  }

  private void playRunbook() throws Exception {
    for (var look : List.of("settings", "points", "archives")) {
      play("verify.java", look);
    }
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
  }

  private void play(String script, String... arguments) throws Exception {
    steps.play(settings(), script, arguments);
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
    data.elasticsearch().get(0).tool("DELETE", "/thehive_global");
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

  private Map<String, String> settings() {
    var settings = new LinkedHashMap<String, String>();
    settings.put("CASSANDRA_CONNECTION", places.cassandra());
    settings.put("CASSANDRA_GENERAL_ARCHIVE_PATH", archives.resolve("cassandra").toString());
    settings.put("ELASTICSEARCH_API_URL", data.url());
    settings.put("ELASTICSEARCH_GENERAL_ARCHIVE_PATH", archives.resolve("elasticsearch").toString());
    settings.put("ATTACHMENT_FOLDER", attachments.toString());
    settings.put("GENERAL_ARCHIVE_PATH", archives.resolve("storage").toString());
    settings.putAll(bucket.settings());
    settings.put("MINIO_ARCHIVE_PATH", archives.resolve("minio") + "/");
    settings.putAll(hosts == null ? Rehearsal.ownService(places) : hosts.settings());
    return settings;
  }

  // --------------------------------------------------------------------------------------------------- the last screen

  private void print(boolean same, String... answers) throws IOException {
    var json = new ObjectMapper();
    var all = new ArrayList<JsonNode>();
    for (var answer : answers) {
      all.add(json.readTree(answer));
    }
    var screen = new LastScreen(LastScreen.terminalShowsColours());
    var time = ProgressLine.time(steps.seconds());
    System.out.print("\n" + screen.text(all, same, steps.table() + notPlayed(), time));
    System.out.println("""

        Try next
          ./jbang tests/sandbox.java --keep                  the servers stay: break something, restore it yourself
          ./jbang verify.java points                         the restore points of your own backups
          ./jbang tests/sandbox.java --backup-set <folder>   restores your own backup on servers like these""");
  }

  private String notPlayed() {
    return hosts != null ? "" : "  not played: %s%n  because %s%n".formatted(String.join(", ", OwnHosts.steps()),
        noHosts.orElse("").lines().findFirst().orElse(""));
  }

  /** The settings in a file: others of that terminal must reach neither these servers nor the site's. */
  private void keepRunning() throws IOException, InterruptedException {
    var servers = " --cassandra " + data.addresses() + " --elasticsearch " + data.url();
    var file = work.resolve("sandbox.env");
    var lines = new ArrayList<String>();
    lines.add("unset $(env | grep -oE '^(%s)=' | tr -d =)".formatted(Steps.SETTINGS));
    lines.add("export THEHIVE_CONFIG=/dev/null");
    settings().forEach((name, value) -> lines.add("export %s='%s'".formatted(name, value)));
    Files.write(file, lines);
    System.out.println("\nThe servers go on until Ctrl-C. In another terminal, in this folder:");
    System.out.println("  . " + file);
    System.out.println("  ./jbang tests/data/graph.java ask" + servers);
    System.out.println("  ./jbang tests/data/graph.java damage" + servers);
    System.out.println("  ./jbang restore-cassandra-es.java --dry-run");
    System.out.println("  " + data.cassandra().get(0).data().resolve("nodetool") + " status");
    System.out.println("That file sets, and unsets all other settings of the scripts:");
    lines.stream().skip(1).forEach(line -> System.out.println("  " + line));
    new CountDownLatch(1).await();
  }

  private void cleanUp() {
    steps.stop();
    Hosts.closeAll();
    Stack.closeAll();
    OwnFolder.delete(work);
  }
}
