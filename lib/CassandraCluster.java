//DEPS org.apache.cassandra:java-driver-core:4.19.4

import com.datastax.oss.driver.api.core.AllNodesFailedException;
import com.datastax.oss.driver.api.core.CqlIdentifier;
import com.datastax.oss.driver.api.core.CqlSession;
import com.datastax.oss.driver.api.core.DriverException;
import com.datastax.oss.driver.api.core.DriverTimeoutException;
import com.datastax.oss.driver.api.core.cql.ResultSet;
import com.datastax.oss.driver.api.core.cql.SimpleStatement;
import com.datastax.oss.driver.api.core.metadata.Node;
import com.datastax.oss.driver.api.core.servererrors.InvalidQueryException;
import com.datastax.oss.driver.api.core.servererrors.UnauthorizedException;
import java.io.Closeable;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.time.Instant;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.SortedMap;
import java.util.TreeMap;
import java.util.TreeSet;
import java.util.UUID;
import java.util.stream.Collectors;

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
