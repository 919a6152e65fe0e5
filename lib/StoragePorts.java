//DEPS org.apache.cassandra:java-driver-core:4.19.4
//DEPS org.apache.cassandra:cassandra-all:4.1.10

import com.datastax.oss.driver.api.core.metadata.Node;
import java.io.IOException;
import java.net.Socket;
import java.util.List;
import java.util.Optional;
import java.util.Set;
import javax.net.ssl.SSLSocket;
import org.apache.cassandra.config.EncryptionOptions.ServerEncryptionOptions;

/** The ports on which Cassandra's nodes talk to each other: streams go there. */
record StoragePorts(CassandraCluster cluster, Optional<Pem> pem) {
  /** The TLS that the nodes want of each other; empty where they want none. */
  Optional<ServerEncryptionOptions> encryption() {
    var wanted =
        cluster.nodes().stream().map(node -> cluster.setting(node, "server_encryption_options.internode_encryption"))
        .anyMatch(setting -> !Set.of("none", "").contains(setting));
    if (!wanted) {
      return Optional.empty();
    }
    return Optional.of(TableStreaming.internode(pem.orElseThrow(() -> new Failure(Exit.USAGE,
        "Cassandra's nodes encrypt what they send each other, streams too",
        "set CASSANDRA_SSL_CA, CASSANDRA_SSL_CERT and CASSANDRA_SSL_KEY (PEM files), or CASSANDRA_INTERNODE_CA,"
            + " _CERT and _KEY for this port only"))));
  }

  /** Throws if a port cannot be reached: a firewall in between must not show after the truncate. */
  void requireReachable(List<Node> nodes, boolean encrypted) {
    nodes.parallelStream().forEach(node -> {
      var address = node.getBroadcastAddress().orElseThrow();
      try (var socket = new Socket()) {
        socket.connect(address, 5_000);
        if (encrypted) {
          socket.setSoTimeout(10_000);
          var factory = pem.orElseThrow().tls().getSocketFactory();
          try (var secured =
              (SSLSocket) factory.createSocket(socket, CassandraCluster.host(node), address.getPort(), false)) {
            secured.startHandshake();
          }
        }
      } catch (IOException e) {
        throw new Failure(Exit.UNREACHABLE,
            "the storage port of Cassandra node %s:%d cannot be reached from here: %s".formatted(
            CassandraCluster.host(node), address.getPort(), e.getMessage()),
            "streams go there: open it for this host (and its TLS), or restore from a node", e);
      }
    });
  }
}
