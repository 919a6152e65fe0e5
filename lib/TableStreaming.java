//DEPS org.apache.cassandra:cassandra-all:4.1.10
//DEPS org.apache.cassandra:java-driver-core:4.19.4

import com.datastax.oss.driver.api.core.CqlIdentifier;
import com.datastax.oss.driver.api.core.metadata.Node;
import com.datastax.oss.driver.api.core.metadata.TokenMap;
import java.nio.file.Path;
import java.util.Collection;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.concurrent.atomic.AtomicLong;
import java.util.stream.Collectors;
import org.apache.cassandra.config.DataRateSpec;
import org.apache.cassandra.config.DatabaseDescriptor;
import org.apache.cassandra.config.EncryptionOptions.ServerEncryptionOptions;
import org.apache.cassandra.config.ParameterizedClass;
import org.apache.cassandra.dht.Range;
import org.apache.cassandra.dht.Token;
import org.apache.cassandra.io.sstable.SSTableLoader;
import org.apache.cassandra.io.sstable.format.SSTableReader;
import org.apache.cassandra.locator.InetAddressAndPort;
import org.apache.cassandra.schema.TableMetadataRef;
import org.apache.cassandra.security.PEMBasedSslContextFactory;
import org.apache.cassandra.streaming.StreamEvent;
import org.apache.cassandra.streaming.StreamEventHandler;
import org.apache.cassandra.streaming.StreamState;
import org.apache.cassandra.streaming.StreamingChannel;
import org.apache.cassandra.tools.BulkLoadConnectionFactory;
import org.apache.cassandra.utils.OutputHandler;

/** Cassandra's own bulk loader, inside this JVM; the only place that knows its classes. */
final class TableStreaming {
  private static final int ATTEMPTS = 3;

  private TableStreaming() {}

  /** Without all four limits at zero the loader streams at 24 MiB/s. */
  static void initialise(int megabytesPerSecond, Path work) {
    var rate = new DataRateSpec.LongBytesPerSecondBound(megabytesPerSecond * 1_000_000L);
    CassandraTools.initialise(work, config -> {
      config.stream_throughput_outbound = rate;
      config.inter_dc_stream_throughput_outbound = rate;
      config.entire_sstable_stream_throughput_outbound = rate;
      config.entire_sstable_inter_dc_stream_throughput_outbound = rate;
    });
  }

  /** Every node that holds a replica, with its ranges of the ring. */
  static Map<InetAddressAndPort, Collection<Range<Token>>> ring(TokenMap tokens, CqlIdentifier keyspace,
      List<Node> nodes) {
    var factory = DatabaseDescriptor.getPartitioner().getTokenFactory();
    var ring = new HashMap<InetAddressAndPort, Collection<Range<Token>>>();
    for (var node : nodes) {
      var ranges = new HashSet<Range<Token>>();
      for (var range : tokens.getTokenRanges(keyspace, node)) {
        ranges.add(new Range<>(factory.fromString(tokens.format(range.getStart())),
            factory.fromString(tokens.format(range.getEnd()))));
      }
      if (!ranges.isEmpty()) {
        var address = node.getBroadcastAddress().orElseThrow();
        ring.put(InetAddressAndPort.getByAddressOverrideDefaults(address.getAddress(), address.getPort()), ranges);
      }
    }
    return ring;
  }

  /** TLS for the nodes' storage port. */
  static ServerEncryptionOptions internode(Pem pem) {
    var parameters = Map.of("private_key", pem.ownText(), "trusted_certificates", pem.trustedText());
    return new ServerEncryptionOptions()
        .withSslContextFactory(new ParameterizedClass(PEMBasedSslContextFactory.class.getName(), parameters))
        .withInternodeEncryption(ServerEncryptionOptions.InternodeEncryption.all);
  }

  /** Streams one table's folder to every replica; nodes that failed are tried again, the others are not. */
  static void stream(Path folder, org.apache.cassandra.schema.TableMetadata table, int sstables,
      Map<InetAddressAndPort, Collection<Range<Token>>> ring, Optional<ServerEncryptionOptions> encryption,
      int connections,
      AtomicLong streamed, RestoreConsole console) {
    var open = new HashMap<>(ring);
    for (var attempt = 1; ; attempt++) {
      var client = new RingClient(table, open, encryption);
      var loader = new CountingLoader(folder, client, sstables, connections);
      try {
        loader.stream(Set.of(), new Progress(streamed)).get();
        return;
      } catch (Exception e) {
        var failed = loader.getFailedHosts();
        open.keySet().removeIf(host -> !failed.isEmpty() && !failed.contains(host));
        var names =
            open.keySet().stream().map(host -> host.getHostAddress(false)).sorted().collect(Collectors.joining(", "));
        var cause = Failure.of(e);
        if (cause.code == Exit.BAD_BACKUP) {
          throw new Failure(Exit.PARTIAL, "cannot stream table %s: %s".formatted(table.name, cause.getMessage()),
              cause.hint, e);
        }
        if (attempt == ATTEMPTS) {
          throw new Failure(Exit.PARTIAL,
              "streaming to %s failed: %s".formatted(names, cause.getMessage().lines().findFirst().orElse("")),
              "look at system.log of %s; if its disk is full: %s".formatted(names, NodeRoom.removal(table.keyspace)),
              e);
        }
        console.warn("streaming table %s to %s failed, trying again", table.name, names);
      }
    }
  }

  /** The loader leaves out, with no more than a line of output, what it cannot open. */
  private static final class CountingLoader extends SSTableLoader {
    private final int expected;
    private final Path folder;

    CountingLoader(Path folder, Client client, int expected, int connections) {
      super(new org.apache.cassandra.io.util.File(folder), client, new OutputHandler.LogOutput(), connections, null);
      this.folder = folder;
      this.expected = expected;
    }

    @Override
    protected Collection<SSTableReader> openSSTables(Map<InetAddressAndPort, Collection<Range<Token>>> ranges) {
      var opened = super.openSSTables(ranges);
      if (opened.size() != expected) {
        throw new Failure(Exit.BAD_BACKUP,
            "%d of %d SSTables in %s cannot be opened".formatted(expected - opened.size(), expected, folder),
            "run again with --verbose to see why");
      }
      return opened;
    }
  }

  private static final class RingClient extends SSTableLoader.Client {
    private final TableMetadataRef table;
    private final Map<InetAddressAndPort, Collection<Range<Token>>> ring;
    private final Optional<ServerEncryptionOptions> encryption;

    RingClient(org.apache.cassandra.schema.TableMetadata table, Map<InetAddressAndPort, Collection<Range<Token>>> ring,
        Optional<ServerEncryptionOptions> encryption) {
      this.table = TableMetadataRef.forOfflineTools(table);
      this.ring = ring;
      this.encryption = encryption;
    }

    @Override
    public void init(String keyspace) {
      ring.forEach((host, ranges) -> ranges.forEach(range -> addRangeForEndpoint(range, host)));
    }

    @Override
    public TableMetadataRef getTableMetadata(String name) {
      return table;
    }

    @Override
    public StreamingChannel.Factory getConnectionFactory() {
      var port = ring.keySet().iterator().next().getPort();
      return new BulkLoadConnectionFactory(encryption.orElseGet(ServerEncryptionOptions::new), port);
    }
  }

  private record Progress(AtomicLong streamed) implements StreamEventHandler {
    @Override
    public void handleStreamEvent(StreamEvent event) {
      if (event instanceof StreamEvent.ProgressEvent file) {
        streamed.addAndGet(file.progress.deltaBytes);
      }
    }

    @Override
    public void onSuccess(StreamState state) {}

    @Override
    public void onFailure(Throwable thrown) {}
  }
}
