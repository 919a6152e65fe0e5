//DEPS org.apache.cassandra:java-driver-core:4.19.4
//DEPS org.apache.cassandra:cassandra-all:4.1.10

import com.datastax.oss.driver.api.core.CqlIdentifier;
import com.datastax.oss.driver.api.core.metadata.Node;
import com.datastax.oss.driver.api.core.metadata.NodeState;
import java.nio.file.Path;
import java.time.Duration;
import java.time.Instant;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.TreeMap;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Future;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.TimeoutException;
import java.util.concurrent.atomic.AtomicLong;
import java.util.stream.Collectors;
import org.apache.cassandra.config.EncryptionOptions.ServerEncryptionOptions;

/** Streams all tables of a keyspace side by side, each as soon as it is unpacked, and watches the nodes meanwhile. */
final class KeyspaceStreaming {
  private static final Duration SILENT = Duration.ofMinutes(1);
  private final CassandraCluster cluster;
  private final KeyspaceDefinition definition;
  private final Optional<ServerEncryptionOptions> encryption;
  private final int connections;
  private final StepTimes times;
  private final RestoreConsole console;
  private final AtomicLong streamed = new AtomicLong();
  private final Set<String> done = ConcurrentHashMap.newKeySet();
  private final Map<Node, Instant> silentSince = new HashMap<>();

  KeyspaceStreaming(CassandraCluster cluster, KeyspaceDefinition definition,
      Optional<ServerEncryptionOptions> encryption, int connections, StepTimes times,
      RestoreConsole console) {
    this.cluster = cluster;
    this.definition = definition;
    this.encryption = encryption;
    this.connections = connections;
    this.times = times;
    this.console = console;
  }

  /** Bytes that went to the nodes. */
  long streamed() {
    return streamed.get();
  }

  int tablesDone() {
    return done.size();
  }

  /** @param folders where each table is being unpacked */
  void stream(List<Node> nodes, Map<CassandraBackup.Table, Future<Path>> folders, ExecutorService workers)
      throws InterruptedException {
    var tables = folders.keySet().stream().filter(table -> !table.sstables().isEmpty()).toList();
    var name = CqlIdentifier.fromInternal(definition.keyspace());
    var keyspace = cluster.session().refreshSchema().getKeyspace(name).orElseThrow();
    var ring = TableStreaming.ring(cluster.session().getMetadata().getTokenMap().orElseThrow(), name, nodes);
    console.step("Streaming %s to %s", Count.of(tables.size(), "table"), Count.of(ring.size(), "node"));
    var streams = new LinkedHashMap<String, Future<?>>();
    for (var table : tables) {
      var id = keyspace.getTable(CqlIdentifier.fromInternal(table.name())).flatMap(live -> live.getId()).orElseThrow();
      var metadata = definition.table(table.name(), id);
      streams.put(table.name(), workers.submit(() -> {
        var folder = folders.get(table).get();
        times.time(Database.Name.CASSANDRA, "stream " + table.name(), table.bytes(),
            () -> TableStreaming.stream(folder, metadata, table.sstables().size(), ring, encryption, connections,
            streamed, console));
        done.add(table.name());
        return UnpackedTables.delete(folder);
      }));
    }
    for (var stream : streams.values()) {
      while (!hasEnded(stream)) {
        requireNoSilentNode(nodes);
      }
    }
    requireAllStreamed(streams);
  }

  private static void requireAllStreamed(Map<String, Future<?>> streams) {
    var failures = new TreeMap<String, Failure>();
    streams.forEach((table, stream) -> {
      try {
        stream.get();
      } catch (InterruptedException | ExecutionException e) {
        failures.put(table, Failure.of(e));
      }
    });
    if (!failures.isEmpty()) {
      var first = failures.firstEntry();
      throw new Failure(first.getValue().code, "not all tables were streamed: " + failures.entrySet().stream()
          .map(entry -> entry.getKey() + ": " + entry.getValue().getMessage()).collect(Collectors.joining("; ")),
          first.getValue().hint, first.getValue());
    }
  }

  private static boolean hasEnded(Future<?> stream) throws InterruptedException {
    try {
      stream.get(1, TimeUnit.SECONDS);
    } catch (ExecutionException e) {
      return true; // told when all have ended
    } catch (TimeoutException e) {
      return false;
    }
    return true;
  }

  /** A stream takes a node behind a cut network for lost after ten minutes; the driver's heartbeat sees it sooner. */
  private void requireNoSilentNode(List<Node> nodes) {
    for (var node : nodes) {
      if (node.getState() != NodeState.DOWN) {
        silentSince.remove(node);
      } else if (silentSince.computeIfAbsent(node, any -> Instant.now()).isBefore(Instant.now().minus(SILENT))) {
        throw new Failure(Exit.PARTIAL,
            "Cassandra node %s does not answer any more".formatted(CassandraCluster.host(node)),
            CassandraCluster.WORKING);
      }
    }
  }
}
