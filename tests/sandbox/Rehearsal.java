//SOURCES Places.java
//SOURCES RestoredIndex.java
//SOURCES Resources.java
//SOURCES SiteBackup.java
//SOURCES Steps.java
//SOURCES ../servers/Stack.java
//SOURCES ../data/Bucket.java
//SOURCES ../data/HotBackup.java

import com.fasterxml.jackson.databind.JsonNode;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.LinkOption;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Optional;
import java.util.TreeMap;
import java.util.concurrent.CompletableFuture;
import java.util.stream.Collectors;
import java.util.stream.Stream;

/**
 * Restores a site's own backup on servers that are started for it, and compares all of it. Nothing of the site is
 * written to, and none of its addresses is asked: the scripts get no setting of this host but the archives' password.
 */
final class Rehearsal {
  static final List<String> SCRIPTS = List.of("tests/servers/cassandra.java", "tests/servers/elasticsearch.java",
      "tests/servers/elasticsearch8.java", "tests/servers/s3.java", "tests/data/graph.java",
      "restore-cassandra-es.java", "restore-files-nfs.java", "restore-files-minio.java", "verify.java");
  private static final long MB = 1_000_000;
  /** Of servers without data, measured: a Cassandra node, and the others with the script that runs beside them. */
  private static final long MEMORY_OF_NODE = 700 * MB;
  private static final long MEMORY_OF_OTHERS = 2_300 * MB;
  private static final long DISK_OF_NODE = 300 * MB;
  private static final long DISK_OF_OTHERS = 500 * MB;
  /** Restoring and comparing, on two cores. */
  private static final long BYTES_PER_MINUTE = 600 * MB;
  private static final int MINUTES_OF_SERVERS = 2;

  private final SiteBackup site;
  private final SiteBackup.Point point;
  private final Path work;
  private final Places places;
  private final String keyspace;
  private final Map<String, String> archivePassword;
  private final Steps steps;
  private Server elasticsearch;
  private Server s3;

  Rehearsal(SiteBackup site, SiteBackup.Point point, Path work, Places places, Settings settings, Steps steps) {
    this.site = site;
    this.point = point;
    this.work = work;
    this.places = places;
    this.keyspace = settings.text(SiteBackup.KEYSPACE);
    this.archivePassword = new TreeMap<>();
    Stream.of("BACKUP_PASSWORD", "BACKUP_PASSWORD_FILE").filter(name -> System.getenv(name) != null)
        .forEach(name -> archivePassword.put(name, System.getenv(name)));
    this.steps = steps;
  }

  /** What the servers need without data. */
  static Resources ofServers(int nodes) {
    return new Resources(MEMORY_OF_NODE * nodes + MEMORY_OF_OTHERS, DISK_OF_NODE * nodes + DISK_OF_OTHERS);
  }

  /** What the servers and a second copy of everything need. */
  static Resources needed(SiteBackup.Point point, int nodes) {
    var cassandra = point.bytes("cassandra");
    // unpacked once, and on each node twice while it is compacted; an index, and its copy to compare with
    var disk = cassandra * (1 + 2L * nodes) + 2 * point.bytes("elasticsearch") + point.bytes("files")
        + point.bytes("s3");
    var servers = ofServers(nodes);
    return new Resources(servers.memory(), disk + servers.disk());
  }

  static long minutes(SiteBackup.Point point) {
    var bytes = point.point().parts().stream().mapToLong(part -> part.bytes() == null ? 0 : part.bytes()).sum();
    return MINUTES_OF_SERVERS + (bytes + BYTES_PER_MINUTE - 1) / BYTES_PER_MINUTE;
  }

  /** The first lines: what will be restored, from where. */
  static List<String> plan(SiteBackup site, SiteBackup.Point point) {
    var lines = new ArrayList<String>();
    lines.add(
        "Rehearses the restore of the backup %s, taken %s:".formatted(point.point().point(), point.point().age()));
    point.point().parts().forEach(part -> lines.add("  %-14s %s%s".formatted(part.part(), part.file(),
        part.bytes() == null ? "" : ", " + ProgressLine.size(part.bytes()))));
    point.point().notes().forEach(note -> lines.add("  " + note));
    lines.add("Only reads %s. Asks no server of the site."
        .formatted(site.all().stream().map(Path::toString).collect(Collectors.joining(", "))));
    return lines;
  }

  /**
   * Plays the runbook; throws with the script's exit code where one of them fails.
   *
   * @param results options of verify.java that name the files that it writes
   */
  void run(List<String> results) throws Exception {
    steps.run("Getting and compiling what is needed (the first time: some minutes)", () -> steps.build(SCRIPTS));
    Files.createDirectories(work.resolve("state"));
    Files.createDirectories(work.resolve("unpacked"));
    var absent = absent(point);
    play("verify.java", absent.isEmpty() ? new String[] {"archives"}
        : new String[] {"archives", "--skip", String.join(",", absent)});
    steps.run("Starting %s, %s%s".formatted(nodes(), searchName(), point.has("s3") ? " and an S3 server" : ""),
        this::startServers);
    play("restore-cassandra-es.java", "--yes", "--replication",
        "{'class': 'SimpleStrategy', 'replication_factor': '%d'}".formatted(places.addresses().size()));
    if (point.has("files")) {
      play("restore-files-nfs.java", "--yes", "--create-folder");
    }
    if (point.has("s3")) {
      play("restore-files-minio.java", "--yes", "--create-bucket");
    }
    var index = point.indices().stream().filter(name -> name.contains("_global")).findFirst()
        .map(name -> new RestoredIndex(elasticsearch, name));
    var answers = new LinkedHashMap<String, String>();
    // before verify.java, whose evidence says that all came back
    steps.run("Asking the restored index", () -> answers.putAll(askIndex(index)));
    var options = Stream.concat(results.stream(), results.contains("--evidence")
        ? answers.entrySet().stream().flatMap(one -> Stream.of("--note", "In the restored index, %s: %s".formatted(
            one.getKey(), one.getValue())))
        : Stream.of());
    // without a restore point: what was restored last, as the reports tell
    var skipped = Stream.concat(Stream.of("services", "logs"), absent.stream()).collect(Collectors.joining(","));
    steps.play(settings(), "verify.java", Stream.concat(Stream.of("--exact", "--skip", skipped), options)
        .toArray(String[]::new));
    steps.run("Asking the restored graph", () -> answers.put("the graph", askGraph(index)));
    print(answers);
  }

  /** Stores of attachments without a backup: the site's own one must not be asked in their place. */
  static List<String> absent(SiteBackup.Point point) {
    return Stream.of("files", "s3").filter(store -> !point.has(store)).toList();
  }

  private String nodes() {
    var count = places.addresses().size();
    return count == 1 ? "a Cassandra node" : count + " Cassandra nodes";
  }

  private String searchName() {
    var version = point.search().version();
    return version.startsWith("opensearch-") ? version.replace("opensearch-", "OpenSearch ")
        : "Elasticsearch " + version;
  }

  /** Names the restore point: a newer backup may come while this one is rehearsed. */
  private void play(String script, String... arguments) throws Exception {
    steps.play(settings(), script, Stream.concat(Stream.of(arguments), Stream.of("--backup", point.point().point()))
        .toArray(String[]::new));
  }

  private void startServers() throws IOException {
    var cassandra = CompletableFuture
        .supplyAsync(() -> Stack.cassandra(Stack.CassandraOptions.on(places.addresses().toArray(String[]::new))));
    var store = point.has("s3") ? CompletableFuture.supplyAsync(() -> Stack.s3(places.first())) : null;
    steps.at(searchName() + " starts");
    elasticsearch = Stack.elasticsearch(point.search().version(), List.of(places.first()), 9200, site.repository())
        .get(0);
    elasticsearch.tool("PUT", "/_snapshot/" + HotBackup.REPOSITORY, Json.MAPPER.writeValueAsString(Map.of("type", "fs",
        "settings", Map.of("location", site.repository().toString(), "readonly", true))));
    steps.at("Cassandra starts");
    cassandra.join();
    if (store != null) {
      steps.at("S3 starts; where Go is there, MinIO is built once");
      s3 = store.join();
    }
  }

  private Map<String, String> settings() throws IOException {
    var settings = new LinkedHashMap<>(site.settings());
    settings.putAll(archivePassword);
    settings.put(SiteBackup.KEYSPACE.name(), keyspace);
    settings.put("RESTORE_STATE_PATH", work.resolve("state").toString());
    settings.put("RESTORE_WORK_PATH", work.resolve("unpacked").toString());
    settings.put("CASSANDRA_CONNECTION", places.cassandra());
    settings.put("ELASTICSEARCH_API_URL", "http://%s:%d".formatted(places.first(), 9200 + places.offset()));
    settings.put("ELASTICSEARCH_SNAPSHOT_REPOSITORY", HotBackup.REPOSITORY);
    settings.put("MINIO_ALIAS", OwnHosts.SERVICE); // none that mc knows of the site
    settings.put("ATTACHMENT_FOLDER", attachments().toString());
    owner().ifPresent(owner -> settings.put("ATTACHMENT_OWNER", owner));
    if (s3 != null) {
      var login = s3.login().orElseThrow();
      settings.put("MINIO_ENDPOINT", "http://%s:%d".formatted(s3.host(), s3.port()));
      settings.put("MINIO_ACCESS_KEY", login.user());
      settings.put("MINIO_SECRET_KEY", login.password());
    }
    settings.putAll(ownService(places));
    return settings;
  }

  /** A unit and a port that no TheHive has: one that runs on this host is neither asked nor in the way. */
  static Map<String, String> ownService(Places places) {
    return Map.of("THEHIVE_SERVICE", OwnHosts.SERVICE, "THEHIVE_URL", "http://<node>:" + places.silentPort());
  }

  private Path attachments() {
    return work.resolve("attachments");
  }

  /** Only root can give files to the users that the backup names. */
  private Optional<String> owner() throws IOException {
    var user = Files.getOwner(work).getName();
    return user.equals("root") ? Optional.empty()
        : Optional.of(user + ":" + Files.getAttribute(work, "posix:group", LinkOption.NOFOLLOW_LINKS));
  }

  // ----------------------------------------------------------------------------------- questions to index and graph

  private Map<String, String> askIndex(Optional<RestoredIndex> index) throws IOException {
    return index.isEmpty() ? Map.of("the index", "not asked: none of its name ends with _global")
        : index.get().answers(stores());
  }

  private Map<String, RestoredIndex.Store> stores() {
    var stores = new LinkedHashMap<String, RestoredIndex.Store>();
    if (point.has("files")) {
      stores.put("folder", names -> {
        try (var files = Files.walk(attachments())) {
          return files.map(file -> file.getFileName().toString()).filter(names::contains).collect(Collectors.toSet());
        }
      });
    }
    if (point.has("s3")) {
      stores.put("bucket", names -> new Bucket(s3).names(key -> names.contains(key.replaceFirst(".*/", ""))).stream()
          .map(key -> key.replaceFirst(".*/", "")).collect(Collectors.toSet()));
    }
    return stores;
  }

  /** Looks up what the index names in the graph itself; another site's schema may have nothing to look up. */
  private String askGraph(Optional<RestoredIndex> index) throws IOException {
    if (index.isEmpty() || !point.search().hasPainless()) {
      return "not asked: " + (index.isEmpty() ? "it is asked through the index"
          : "JanusGraph needs Painless, which this Elasticsearch is without");
    }
    var command = Script.of("tests/data/graph.java").args("look-up", "--cassandra",
        places.first() + ":" + (9042 + places.offset()), "--elasticsearch",
        "http://%s:%d".formatted(places.first(), 9200 + places.offset()), "--keyspace", keyspace, "--index",
        index.get().name().replaceFirst("_global.*", ""));
    var kinds = index.get().kinds();
    if (!kinds.isEmpty()) {
      command.args("--kinds", String.join(",", kinds.keySet()));
    }
    var result = command.run();
    if (result.code() != 0) {
      return "not asked: " + result.err().strip().lines().reduce((first, last) -> last).orElse("no answer");
    }
    var looked = Json.MAPPER.readTree(result.out());
    if (kinds.isEmpty()) {
      return looked.properties().stream().map(kind -> "%s %s".formatted(kind.getValue().asText(), kind.getKey()))
          .collect(Collectors.joining(", "));
    }
    requireOneSystem(looked);
    var lacking = looked.path("asked").asInt() - looked.path("found").asInt();
    return "%d of %d entries of the index that were looked up are in it%s".formatted(looked.path("found").asInt(),
        looked.path("asked").asInt(), lacking == 0 ? "" : "; the others came between the two backups");
  }

  /** A hot backup's index is some seconds older or younger than its graph; one that has nothing of it is another's. */
  private static void requireOneSystem(JsonNode looked) {
    if (looked.path("asked").asInt() > 0 && looked.path("found").asInt() == 0) {
      throw new Failure(Exit.VERIFICATION, "none of %d entries of the index are in the graph".formatted(
          looked.path("asked").asInt()), "the backups of the two databases do not belong together");
    }
  }

  // --------------------------------------------------------------------------------------------------- the last screen

  private void print(Map<String, String> answers) {
    System.out.println();
    System.out.println("In the restored system");
    answers.forEach((name, value) -> System.out.printf("  %-16s %s%n", name, value));
    System.out.println("The runbook as it was played");
    System.out.print(steps.table());
    System.out.println("  not played: service-control.java stop and start; a rehearsal has no TheHive");
    System.out.printf(Locale.ROOT, "✓ The backup %s restores completely: %s in all%n", point.point().point(),
        ProgressLine.time(steps.seconds()));
  }
}
