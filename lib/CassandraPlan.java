//DEPS org.apache.cassandra:java-driver-core:4.19.4
//DEPS org.apache.cassandra:cassandra-all:4.1.10

import com.datastax.oss.driver.api.core.metadata.Node;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.SortedMap;
import java.util.TreeMap;
import java.util.stream.Collectors;
import org.apache.cassandra.config.EncryptionOptions.ServerEncryptionOptions;

/**
 * All that the plan says and the restore needs to know; made by the checks, before the first change.
 *
 * @param doubt what says that the backup is a part of the ring, or that this cannot be told; empty for the whole
 * @param target the keyspace as it will be
 * @param live the keyspace as it is; empty where there is none
 * @param rows about how many rows each live table holds, where that is known
 * @param cluster the cluster's name
 * @param usage bytes of the live keyspace on the node that has most of it; 0 where that is not known
 * @param rooms the nodes on this host
 * @param grants statements to run when the keyspace is there
 * @param withoutSnapshot nodes that do not keep what is removed
 */
record CassandraPlan(CassandraBackup contents, Optional<String> doubt, KeyspaceDefinition target,
    Optional<KeyspaceDefinition> live, Map<String, RowEstimate> rows,
    String cluster, List<Node> nodes, String version, long usage, List<NodeRoom> rooms, List<String> grants,
    Optional<ServerEncryptionOptions> encryption, List<String> withoutSnapshot, Path work) {
  /** True if the tables only need to be emptied. */
  boolean keepsDefinition() {
    return live.filter(target::isEquivalentTo).isPresent();
  }

  /** The addresses of the nodes by their data centre. */
  SortedMap<String, List<String>> dataCentres() {
    return nodes.stream().collect(Collectors.groupingBy(node -> String.valueOf(node.getDatacenter()), TreeMap::new,
        Collectors.mapping(CassandraCluster::host, Collectors.toList())));
  }

  int copies() {
    return Replication.copies(target.replication(), List.copyOf(dataCentres().keySet()));
  }

  /** Bytes to stream, to all nodes together. */
  long bytes() {
    return contents.bytes() * copies();
  }

  /** Bytes that arrive at a node, about; where data centres differ, in the one whose nodes get most. */
  long bytesForEachNode() {
    if (target.replication().get("class").equals("SimpleStrategy")) {
      return Math.min(contents.bytes(), bytes() / nodes.size());
    }
    return dataCentres().entrySet().stream().mapToLong(centre -> {
      var copies = Replication.copies(target.replication(), List.of(centre.getKey()));
      return Math.min(contents.bytes(), contents.bytes() * copies / centre.getValue().size());
    }).max().orElseThrow();
  }

  List<String> tables() {
    return contents.tables().stream().map(CassandraBackup.Table::name).toList();
  }

  List<String> lines() {
    var lines = new ArrayList<String>();
    lines.add("backup proven: %s, %s in %s".formatted(Count.of(contents.tables().size(), "table"),
        Console.size(contents.bytes()), Count.of(contents.sstables(), "SSTable")));
    lines.add(doubt.map(text -> "warning: " + text).orElse("the whole ring: " + contents.coverage().text()));
    lines.add("target: keyspace %s of cluster %s, Cassandra %s".formatted(target.keyspace(), cluster, version));
    dataCentres().forEach((name, hosts) -> lines.add("  data centre %s, %s: %s".formatted(
        name, Count.of(hosts.size(), "node"), String.join(", ", hosts))));
    lines.add("replication: " + Replication.text(target.replication()));
    withoutCopies()
        .forEach(name -> lines.add("  no copies in data centre %s: the replication does not name it".formatted(name)));
    lines.addAll(changes());
    lines.addAll(room());
    lines.add("→ unpack to %s and stream %d × %s%s".formatted(work, copies(), Console.size(contents.bytes()),
        encryption.map(any -> ", encrypted").orElse("")));
    grants.forEach(grant -> lines.add("→ " + grant));
    return lines;
  }

  /** Data centres of the cluster that would get nothing. */
  private List<String> withoutCopies() {
    return target.replication().get("class").equals("NetworkTopologyStrategy")
        ? dataCentres().keySet().stream().filter(name -> Replication.copies(target.replication(), List.of(name)) == 0)
            .toList()
        : List.of();
  }

  private List<String> changes() {
    var lines = new ArrayList<String>();
    if (live.isEmpty()) {
      lines.add("→ create keyspace %s: it does not exist".formatted(target.keyspace()));
    } else if (keepsDefinition()) {
      lines.add("→ truncate %s%s: same definition as in the backup, grants stay"
          .formatted(Count.of(contents.tables().size(), "table"), now()));
    } else {
      lines.add("→ drop and create keyspace %s%s: its definition differs from the backup's".formatted(target.keyspace(),
          now()));
      lines.addAll(differences());
    }
    return lines;
  }

  private String now() {
    return rows.values().stream().reduce(RowEstimate::plus).map(sum -> " with %s now".formatted(sum)).orElse("");
  }

  private List<String> differences() {
    var lines = new ArrayList<String>();
    new DefinitionComparison(target, live.orElseThrow()).lines().forEach(line -> lines.add("  " + line));
    rows.forEach((table, estimate) -> {
      if (!target.tables().containsKey(table)) {
        lines.add("  table %s, which goes, has %s now".formatted(table, estimate));
      }
    });
    return lines;
  }

  private List<String> room() {
    var lines = new ArrayList<String>();
    if (live.isPresent()) {
      lines.add(withoutSnapshot.isEmpty()
          ? "each node keeps what is removed as a snapshot (auto_snapshot)%s: nodetool clearsnapshot frees it later"
              .formatted(usage == 0 ? "" : ", at most " + Console.size(usage))
          : "what is removed is gone for good on %s: auto_snapshot is off"
              .formatted(String.join(", ", withoutSnapshot)));
    }
    var free = rooms.stream().map(room -> "%s has %s".formatted(room.node(), Console.size(room.free())))
        .collect(Collectors.joining(", "));
    lines.add("each node needs about %s free on its disk: %s".formatted(Console.size(bytesForEachNode()),
        rooms.size() == nodes.size() ? free
        : free.isEmpty() ? "not known here, see df there" : free + "; of the others not known here, see df there"));
    rooms.stream().filter(room -> room.held() > 0)
        .forEach(room -> lines.add("snapshots of what earlier restores removed hold %s on %s: %s".formatted(
        Console.size(room.held()), room.node(), NodeRoom.removal(target.keyspace()))));
    return lines;
  }
}
