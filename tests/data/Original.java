import java.io.IOException;
import java.io.UncheckedIOException;
import java.net.URI;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.concurrent.CompletableFuture;

/**
 * Three Cassandra nodes and Elasticsearch with application data, their hot backup, and what they held at that moment.
 * Made once, for all tests that restore it.
 */
record Original(List<Server> cassandra, Server elasticsearch, GraphData data, HotBackup.Set backup, State state,
    String answer) {
  private static Original original;

  /** What both databases hold, to be compared. */
  record State(Map<String, String> tables, String index) {}

  static synchronized Original get() {
    if (original == null) {
      original = make();
    }
    return original;
  }

  private static Original make() {
    var archives = temporaryFolder();
    var nodes = CompletableFuture.supplyAsync(
        // Otherwise a node may pass a question on to another one that it takes for faster, and its own copy go unseen.
        () -> Stack.cassandra(
            Stack.CassandraOptions.on("127.0.0.2", "127.0.0.3", "127.0.0.4").withYaml("dynamic_snitch", "false")));
    var elasticsearch = Stack.elasticsearch("7.10.2", List.of("127.0.0.2"), 9200, archives).get(0);
    var data = new GraphData(nodes.join(), List.of(elasticsearch));
    data.create(200);
    data.change();
    var answer = data.ask();
    var state = state(nodes.join(), elasticsearch);
    var backup = HotBackup.take(nodes.join().get(0), GraphData.KEYSPACE, URI.create(data.url()), archives);
    return new Original(nodes.join(), elasticsearch, data, backup, state, answer);
  }

  static Path temporaryFolder() {
    try {
      var folder = Files.createTempDirectory("archives");
      // Not by Script, whose own hook ends whatever it started.
      Runtime.getRuntime().addShutdownHook(new Thread(() -> {
        try {
          new ProcessBuilder("rm", "-rf", folder.toString()).start();
        } catch (IOException e) {
          System.err.println("left behind: " + folder);
        }
      }));
      return folder;
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }

  /** What they hold now. */
  State now() {
    return state(cassandra, elasticsearch);
  }

  private static State state(List<Server> cassandra, Server elasticsearch) {
    try (var session = Contents.session(cassandra.get(0), Optional.empty())) {
      return new State(Contents.ofCassandra(session, GraphData.KEYSPACE, false),
          Contents.ofElasticsearch(elasticsearch, GraphData.KEYSPACE + "_global"));
    }
  }

  /** The variables with which an administrator would restore it. */
  Map<String, String> settings() {
    var settings = new LinkedHashMap<String, String>();
    settings.put("CASSANDRA_CONNECTION", cassandra.get(0).host());
    settings.put("CASSANDRA_GENERAL_ARCHIVE_PATH", backup.archives().resolve("cassandra").toString());
    settings.put("ELASTICSEARCH_API_URL", data.url());
    settings.put("ELASTICSEARCH_GENERAL_ARCHIVE_PATH", backup.archives().resolve("elasticsearch").toString());
    return settings;
  }
}
