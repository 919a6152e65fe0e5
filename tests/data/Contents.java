import com.datastax.oss.driver.api.core.ConsistencyLevel;
import com.datastax.oss.driver.api.core.CqlSession;
import com.datastax.oss.driver.api.core.config.DefaultDriverOption;
import com.datastax.oss.driver.api.core.config.DriverConfigLoader;
import com.datastax.oss.driver.api.core.cql.SimpleStatement;
import com.datastax.oss.driver.internal.core.loadbalancing.BasicLoadBalancingPolicy;
import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import java.net.InetSocketAddress;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;
import java.time.Duration;
import java.util.HexFormat;
import java.util.Map;
import java.util.Optional;
import java.util.TreeMap;
import java.util.stream.Collectors;
import javax.net.ssl.SSLContext;

/**
 * What Cassandra and Elasticsearch hold, as digests to be compared: equal means row for row and document for document.
 */
final class Contents {
  private Contents() {}

  /**
   * Table by table the rows, their write times and a digest of both. Every node is asked for its own copy; where they
   * differ, all answers are given. A cluster with more nodes than replicas is asked as a whole ({@code all}).
   */
  static Map<String, String> ofCassandra(CqlSession session, String keyspace, boolean all) {
    var contents = new TreeMap<String, String>();
    session
        .execute(SimpleStatement.newInstance("SELECT table_name FROM system_schema.tables WHERE keyspace_name = ?",
            keyspace))
        .forEach(row -> contents.put(row.getString("table_name"), ""));
    contents.replaceAll((table, none) -> session.getMetadata().getNodes().values().stream().limit(all ? 1 : 99)
        .map(node -> digest(session, SimpleStatement.newInstance(
            "SELECT key, column1, value, writetime(value) FROM \"%s\".\"%s\"".formatted(keyspace, table))
            .setNode(node).setConsistencyLevel(all ? ConsistencyLevel.ALL : ConsistencyLevel.ONE)))
        .distinct().collect(Collectors.joining(" but also ")));
    return contents;
  }

  private static String digest(CqlSession session, SimpleStatement query) {
    var digest = sha256();
    var rows = 0;
    for (var row : session.execute(query)) {
      for (var column = 0; column < 3; column++) {
        if (!row.isNull(column)) {
          digest.update(row.getByteBuffer(column));
        }
      }
      digest.update(ByteBuffer.allocate(8).putLong(0, row.isNull(3) ? 0 : row.getLong(3)));
      rows++;
    }
    return rows + " rows " + HexFormat.of().formatHex(digest.digest());
  }

  /**
   * Documents in the order of their ids, as a count and a digest, and the index' aliases; "none" where there is no
   * index.
   */
  static String ofElasticsearch(Server node, String index) {
    try {
      node.tool("POST", "/" + index + "/_refresh", "");
    } catch (IllegalStateException e) {
      return "none";
    }
    var found =
        json(node.tool("POST", "/" + index + "/_search", "{\"size\":10000,\"track_total_hits\":true}")).path("hits");
    var documents = new TreeMap<String, String>();
    found.path("hits").forEach(hit -> documents.put(hit.path("_id").asText(), hit.path("_source").toString()));
    var digest = sha256();
    digest.update(documents.toString().getBytes(StandardCharsets.UTF_8));
    return "%s documents %s %s".formatted(found.path("total").path("value"), HexFormat.of().formatHex(digest.digest()),
        node.tool("GET", "/" + index + "/_alias"));
  }

  private static JsonNode json(String text) {
    try {
      return new ObjectMapper().readTree(text);
    } catch (JsonProcessingException e) {
      throw new IllegalStateException(text, e);
    }
  }

  /** A session that can ask each node by itself; while open it is a client that the restore refuses to ignore. */
  static CqlSession session(Server node, Optional<SSLContext> tls) {
    var config = DriverConfigLoader.programmaticBuilder()
        .withDuration(DefaultDriverOption.REQUEST_TIMEOUT, Duration.ofSeconds(60))
        .withDuration(DefaultDriverOption.CONNECTION_INIT_QUERY_TIMEOUT, Duration.ofSeconds(30))
        .withDuration(DefaultDriverOption.CONTROL_CONNECTION_TIMEOUT, Duration.ofSeconds(30))
        .withInt(DefaultDriverOption.NETTY_IO_SHUTDOWN_QUIET_PERIOD, 0)
        .withInt(DefaultDriverOption.NETTY_ADMIN_SHUTDOWN_QUIET_PERIOD, 0)
        .withClass(DefaultDriverOption.LOAD_BALANCING_POLICY_CLASS, BasicLoadBalancingPolicy.class)
        .build();
    var builder =
        CqlSession.builder().withConfigLoader(config).addContactPoint(new InetSocketAddress(node.host(), node.port()));
    node.login().ifPresent(login -> builder.withAuthCredentials(login.user(), login.password()));
    tls.ifPresent(builder::withSslContext);
    return builder.build();
  }

  private static MessageDigest sha256() {
    try {
      return MessageDigest.getInstance("SHA-256");
    } catch (NoSuchAlgorithmException e) {
      throw new IllegalStateException(e);
    }
  }
}
