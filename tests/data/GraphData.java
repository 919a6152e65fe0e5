import java.time.Duration;
import java.util.List;
import java.util.stream.Collectors;

/** The application data in one pair of clusters, as {@code graph.java} writes and asks it. */
record GraphData(List<Server> cassandra, List<Server> elasticsearch) {
  static final String KEYSPACE = "thehive";

  /** Cases with all that belongs to them, on disk. */
  void create(int cases) {
    graph("create", "--cases", "" + cases, "--replication-factor", "" + Math.min(3, cassandra.size()));
    flush();
  }

  /** As {@link #create}, and previews that make a backup of this size: {@code "1g"}. */
  void create(int cases, String bulk) {
    var factor = "" + Math.min(3, cassandra.size());
    graph("create", "--cases", "" + cases, "--replication-factor", factor, "--bulk", bulk);
    flush();
  }

  /** Updates, deletes and adds cases: newer SSTables, with tombstones, beside the older ones. */
  void change() {
    graph("change");
    flush();
  }

  /** Overwrites, deletes (case 7, too) and adds cases: what must not survive a restore. */
  void damage() {
    graph("damage");
  }

  /** One line of JSON: the same for the same data. */
  String ask() {
    return graph("ask").strip();
  }

  void flush() {
    cassandra.forEach(node -> node.tool("flush", KEYSPACE));
  }

  private String graph(String command, String... arguments) {
    var script = Script.of("tests/data/graph.java").args(command).args(arguments).timeout(Duration.ofMinutes(15));
    cassandra.get(0).login().ifPresent(
        login -> script.env("CASSANDRA_USER", login.user()).env("CASSANDRA_PASSWORD", login.password()));
    var result = script.args("--cassandra", addresses(), "--elasticsearch", url()).run();
    if (result.code() != 0) {
      throw new IllegalStateException("graph.java " + command + ": exit " + result.code() + "\n" + result.err());
    }
    return result.out();
  }

  /** Where Elasticsearch answers, for example {@code http://127.0.0.2:9200}. */
  String url() {
    return "http://" + elasticsearch.get(0).host() + ":" + elasticsearch.get(0).port();
  }

  /** All Cassandra nodes, comma between. */
  String addresses() {
    return cassandra.stream().map(node -> node.host() + ":" + node.port()).collect(Collectors.joining(","));
  }
}
