//DEPS org.apache.cassandra:java-driver-core:4.19.4

import com.datastax.oss.driver.api.core.CqlIdentifier;
import com.datastax.oss.driver.api.core.metadata.Node;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.net.NetworkInterface;
import java.net.SocketException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.HashMap;
import java.util.List;
import java.util.Optional;
import java.util.stream.Stream;

/**
 * Room on the disks of a Cassandra node that runs on this host; CQL does not tell it of others.
 *
 * @param folders where it keeps its data
 * @param free bytes that can be written there
 * @param held bytes that only automatic snapshots hold: of tables that earlier restores truncated or dropped
 */
record NodeRoom(String node, List<Path> folders, long free, long held) {
  /** Names the snapshots that Cassandra made of what was truncated or dropped, and how they are removed. */
  static String removal(String keyspace) {
    return "nodetool listsnapshots names those of earlier restores, truncated-… and dropped-…;"
        + " nodetool clearsnapshot -t <name> -- %s removes one, on each node".formatted(keyspace);
  }

  /** Throws if what the restore brings would not fit. */
  void require(long bytes, String keyspace) {
    if (free < bytes + bytes / 10) {
      throw new Failure(Exit.UNSAFE,
          "Cassandra node %s has %s free in %s, the restore brings %s%s".formatted(node, Console.size(free),
              folders.get(0),
              Console.size(bytes),
              held == 0 ? "" : "; snapshots of what earlier restores removed hold " + Console.size(held)),
          "free some room there: " + removal(keyspace));
    }
  }

  /** Empty where the node runs elsewhere, or its folders cannot be recognised here (in a container, say). */
  static Optional<NodeRoom> of(CassandraCluster cluster, Node node, String keyspace) {
    if (!runsHere(node)) {
      return Optional.empty();
    }
    var setting = cluster.setting(node, "data_file_directories").replaceFirst("^\\[(.*)]$", "$1");
    var folders = Stream.of(setting.split(",")).map(String::strip).filter(folder -> folder.startsWith("/"))
        .map(Path::of).toList();
    try {
      if (folders.isEmpty() || !isOf(cluster, keyspace, folders)) {
        return Optional.empty();
      }
      var free = new HashMap<Object, Long>();
      for (var folder : folders) {
        free.put(Files.getFileStore(folder), Files.getFileStore(folder).getUsableSpace());
      }
      return Optional
          .of(new NodeRoom(CassandraCluster.host(node), folders, free.values().stream().mapToLong(bytes -> bytes).sum(),
          held(folders, keyspace)));
    } catch (IOException | UncheckedIOException e) {
      return Optional.empty();
    }
  }

  private static boolean runsHere(Node node) {
    var address = node.getBroadcastAddress().map(InetSocketAddress::getAddress);
    try {
      return address.filter(InetAddress::isLoopbackAddress).isPresent()
          || address.isPresent() && NetworkInterface.getByInetAddress(address.get()) != null;
    } catch (SocketException e) {
      return false;
    }
  }

  /**
   * The folder of a table has its id in its name, so that folders of another Cassandra are not taken for this one's.
   */
  private static boolean isOf(CassandraCluster cluster, String keyspace, List<Path> folders) {
    return cluster.session().getMetadata().getKeyspace(CqlIdentifier.fromInternal(keyspace)).stream()
        .flatMap(live -> live.getTables().values().stream())
        .flatMap(table -> table.getId().stream()
            .map(id -> table.getName().asInternal() + "-" + id.toString().replace("-", "")))
        .anyMatch(
            name -> folders.stream().anyMatch(folder -> Files.isDirectory(folder.resolve(keyspace).resolve(name))));
  }

  /** Files of automatic snapshots that no live table has any more: hard links keep the others at no cost. */
  private static long held(List<Path> folders, String keyspace) throws IOException {
    var bytes = 0L;
    for (var folder : folders) {
      if (!Files.isDirectory(folder.resolve(keyspace))) {
        continue;
      }
      try (var files = Files.walk(folder.resolve(keyspace), 4)) {
        for (var file : files.filter(file -> file.toString().matches(".*/snapshots/(truncated|dropped)-[^/]+/[^/]+"))
            .toList()) {
          var attributes = Files.readAttributes(file, "unix:nlink,size,isRegularFile");
          bytes +=
              Boolean.TRUE.equals(attributes.get("isRegularFile")) && ((Number) attributes.get("nlink")).intValue() == 1
              ? ((Number) attributes.get("size")).longValue() : 0;
        }
      }
    }
    return bytes;
  }
}
