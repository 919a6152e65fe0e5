//DEPS org.apache.cassandra:java-driver-core:4.19.4
//DEPS org.apache.cassandra:cassandra-all:4.1.10

import com.datastax.oss.driver.api.core.metadata.Node;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.SortedMap;
import org.apache.cassandra.config.EncryptionOptions.ServerEncryptionOptions;

/**
 * All that the plan says and the restore needs to know; made by the checks, before the first change.
 *
 * @param target the keyspace as it will be
 * @param live the keyspace as it is; empty where there is none
 * @param grants statements to run when the keyspace is there
 * @param withoutSnapshot nodes that do not keep what is removed
 */
record CassandraPlan(CassandraBackup contents, KeyspaceDefinition target, Optional<KeyspaceDefinition> live, String cluster, List<Node> nodes,
    SortedMap<String, Long> dataCentres, String version, List<String> grants, Optional<ServerEncryptionOptions> encryption,
    List<String> withoutSnapshot, Path work) {
  /** True if the tables only need to be emptied. */
  boolean keepsDefinition() {
    return live.filter(target::isEquivalentTo).isPresent();
  }

  int copies() {
    return Replication.copies(target.replication(), List.copyOf(dataCentres.keySet()));
  }

  /** Bytes to stream, to all nodes together. */
  long bytes() {
    return contents.bytes() * copies();
  }

  List<String> tables() {
    return contents.tables().stream().map(CassandraBackup.Table::name).toList();
  }

  List<String> lines() {
    var lines = new ArrayList<String>();
    lines.add("backup proven: %d tables, %s in %d SSTables".formatted(contents.tables().size(), Console.size(contents.bytes()), contents.sstables()));
    lines.add("target: keyspace %s, Cassandra %s, nodes %s, replication %s".formatted(
        target.keyspace(), version, dataCentres, target.replication()));
    if (keepsDefinition()) {
      lines.add("→ truncate %d tables: same definition as in the backup, grants stay".formatted(contents.tables().size()));
    } else {
      lines.add(live.isPresent() ? "→ drop and create keyspace %s: its definition differs from the backup's".formatted(target.keyspace())
          : "→ create keyspace %s: it does not exist".formatted(target.keyspace()));
    }
    if (live.isPresent()) {
      lines.add(withoutSnapshot.isEmpty()
          ? "each node keeps what is removed as a snapshot (auto_snapshot), which takes room: nodetool clearsnapshot frees it later"
          : "what is removed is gone for good on %s: auto_snapshot is off".formatted(String.join(", ", withoutSnapshot)));
    }
    lines.add("→ unpack to %s and stream %d × %s%s".formatted(work, copies(), Console.size(contents.bytes()),
        encryption.map(any -> ", encrypted").orElse("")));
    grants.forEach(grant -> lines.add("→ " + grant));
    return lines;
  }
}
