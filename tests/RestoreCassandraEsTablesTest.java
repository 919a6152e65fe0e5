import static org.assertj.core.api.Assertions.assertThat;

import com.datastax.oss.driver.api.core.CqlSession;
import com.datastax.oss.driver.api.core.cql.BoundStatement;
import java.nio.ByteBuffer;
import java.nio.file.Path;
import java.time.LocalDateTime;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Random;
import java.util.concurrent.CompletionStage;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/**
 * Tables as years of use leave them: every compression, every compaction strategy, deletions of all kinds; their
 * SSTables compacted, scrubbed, cleaned up and written anew by the node's own tools. Each is proven, restored and
 * compared exactly.
 */
@Tag("servers")
@Tag("matrix")
class RestoreCassandraEsTablesTest {
  private static final String KEYSPACE = "thehive";
  private static final int ROWS = 1_500;
  private static final long SEED = 20261126;

  /** The definition of a table's options, by the table's name. */
  private static Map<String, String> tables() {
    var tables = new HashMap<String, String>();
    var compressions = Map.of(
        "lz4", "{'class': 'LZ4Compressor', 'chunk_length_in_kb': 64}",
        "lz4_small", "{'class': 'LZ4Compressor', 'chunk_length_in_kb': 4}",
        "lz4_ratio", "{'class': 'LZ4Compressor', 'chunk_length_in_kb': 16, 'min_compress_ratio': 1.1}",
        "lz4_high", "{'class': 'LZ4Compressor', 'lz4_compressor_type': 'high'}",
        "snappy", "{'class': 'SnappyCompressor'}",
        "deflate", "{'class': 'DeflateCompressor'}",
        "zstd", "{'class': 'ZstdCompressor', 'compression_level': 5}",
        "zstd_ratio", "{'class': 'ZstdCompressor', 'min_compress_ratio': 1.05}",
        "noop", "{'class': 'NoopCompressor'}",
        "none", "{'enabled': false}");
    compressions.forEach((name, compression) -> tables.put(name, "compression = " + compression));
    tables.put("leveled", "compaction = {'class': 'LeveledCompactionStrategy', 'sstable_size_in_mb': 1}");
    tables.put("windows", "compaction = {'class': 'TimeWindowCompactionStrategy'} AND default_time_to_live = 864000");
    tables.put("unfiltered", "bloom_filter_fp_chance = 1.0");
    tables.put("no_grace", "gc_grace_seconds = 0");
    return tables;
  }

  @ParameterizedTest
  @ValueSource(strings = {"4.0.19", "4.1.10", "5.0.9"})
  void restoresTablesOfEveryKindAsTheirNodeHasRewrittenThem(String version) {
    var archives = Original.temporaryFolder();
    var old = version.startsWith("4.0");
    var options = Stack.CassandraOptions.on("127.0.5.7").ofVersion(version)
        // what a compaction of gigabytes does is done by one of megabytes, too
        .withYaml(old ? "sstable_preemptive_open_interval_in_mb" : "sstable_preemptive_open_interval",
            old ? "1" : "1MiB")
        .withYaml(old ? "column_index_size_in_kb" : "column_index_size", old ? "4" : "4KiB");
    try (var node = Stack.cassandra(options).get(0); var session = Contents.session(node, Optional.empty())) {
      fill(node, session);
      // scrub of 5.0.9 itself skips partitions with deleted ranges; without compression it leaves wrong checksums, too
      var tools = new ArrayList<>(List.of("flush", "compact", "scrub --no-snapshot --", "cleanup", "garbagecollect",
          "upgradesstables --include-all-sstables --", "compact --split-output --"));
      tools.removeIf(tool -> version.startsWith("5") && tool.startsWith("scrub"));
      for (var tool : tools) {
        node.tool((tool + " " + KEYSPACE).split(" "));
        assertRestores(node, session, archives, tool);
      }
      assertRefusedWithoutLibraries(node, session, archives);
    }
  }

  /** Snappy's library is unpacked into Java's temporary folder, and cannot be loaded from there. */
  private static void assertRefusedWithoutLibraries(Server node, CqlSession session, Path archives) {
    var before = Contents.ofCassandra(session, KEYSPACE, true);
    for (var option : List.of("--yes", "--dry-run")) {
      var result = script("restore-cassandra-es.java", node, archives, option, "--force", "--only", "cassandra")
          .around("unshare", "--mount", "sh", "-c", "mount -t tmpfs -o noexec none /mnt && exec \"$@\"", "sh")
          .env("JAVA_TOOL_OPTIONS", "-Djava.io.tmpdir=/mnt").run();
      assertThat(result.code()).as(result.err()).isEqualTo(13);
      assertThat(result.err()).contains("error: Cassandra: a library that compressed tables need cannot be loaded: ",
          "hint: is /mnt mounted noexec? Name another folder: ");
    }
    assertThat(Contents.ofCassandra(session, KEYSPACE, true)).isEqualTo(before);
  }

  private static void fill(Server node, CqlSession session) {
    session.execute("CREATE KEYSPACE %s WITH replication = {'class': 'SimpleStrategy', 'replication_factor': 1}"
        .formatted(KEYSPACE));
    var random = new Random(SEED);
    for (var table : tables().entrySet()) {
      session.execute(
          ("CREATE TABLE %s.%s (key blob, column1 blob, value blob, once text static, PRIMARY KEY (key, column1))"
              + " WITH %s").formatted(KEYSPACE, table.getKey(), table.getValue()));
    }
    for (var round = 0; round < 4; round++) {
      for (var table : tables().keySet()) {
        write(session, table, random);
      }
      node.tool("flush");
    }
  }

  /** Small and large partitions, values that cannot be compressed and values that can, and deletions of every kind. */
  private static void write(CqlSession session, String table, Random random) {
    var name = KEYSPACE + "." + table;
    var insert = session.prepare("INSERT INTO %s (key, column1, value) VALUES (?, ?, ?)".formatted(name));
    var pending = new ArrayList<CompletionStage<?>>();
    for (var i = 0; i < ROWS; i++) {
      var value = new byte[random.nextInt(10) == 0 ? 8_000 : random.nextInt(400)];
      if (random.nextBoolean()) {
        random.nextBytes(value);
      }
      execute(session, pending, insert.bind(key(random), bytes(random.nextInt(500)), ByteBuffer.wrap(value)));
    }
    var statements = List.of("INSERT INTO %s (key, once) VALUES (?, 'static')", "DELETE FROM %s WHERE key = ?",
        "DELETE FROM %s WHERE key = ? AND column1 > 0x00000010 AND column1 < 0x00000080",
        "DELETE FROM %s WHERE key = ? AND column1 >= 0x00000040", "DELETE value FROM %s WHERE key = ? AND column1 ="
            + " 0x01",
        "INSERT INTO %s (key, column1, value) VALUES (?, 0x02, 0x02) USING TTL 864000",
        "DELETE FROM %s WHERE key = ? AND column1 = 0x00000007");
    for (var statement : statements) {
      var prepared = session.prepare(statement.formatted(name));
      for (var i = 0; i < 10; i++) {
        execute(session, pending, prepared.bind(key(random)));
      }
    }
    pending.forEach(one -> one.toCompletableFuture().join());
  }

  private static void execute(CqlSession session, List<CompletionStage<?>> pending, BoundStatement statement) {
    pending.add(session.executeAsync(statement));
    if (pending.size() == 100) {
      pending.forEach(one -> one.toCompletableFuture().join());
      pending.clear();
    }
  }

  /** A few partitions get most of the rows. */
  private static ByteBuffer key(Random random) {
    return bytes(random.nextBoolean() ? random.nextInt(5) : random.nextInt(300));
  }

  private static ByteBuffer bytes(int number) {
    return ByteBuffer.allocate(4).putInt(0, number);
  }

  private static void assertRestores(Server node, CqlSession session, Path archives, String after) {
    var before = Contents.ofCassandra(session, KEYSPACE, true);
    var timestamp = HotBackup.timestamp(LocalDateTime.now());
    HotBackup.cassandra(node, KEYSPACE, archives, timestamp);
    session.execute("INSERT INTO %s.lz4 (key, column1, value) VALUES (0xff, 0xff, 0xff)".formatted(KEYSPACE));
    var restored = script("restore-cassandra-es.java", node, archives, "--yes", "--force", "--only", "cassandra").run();
    assertThat(restored.code()).as("after " + after + "\n" + restored.err()).isZero();
    assertThat(Contents.ofCassandra(session, KEYSPACE, true)).as("after " + after).isEqualTo(before);
    var verified = script("verify.java", node, archives, "--exact", "--only", "cassandra").run();
    assertThat(verified.code()).as("after " + after + "\n" + verified.out() + verified.err()).isZero();
  }

  private static Script script(String name, Server node, Path archives, String... arguments) {
    return Script.of(name).args(arguments).env("CASSANDRA_CONNECTION", node.host())
        .env("CASSANDRA_GENERAL_ARCHIVE_PATH", archives.resolve("cassandra").toString());
  }
}
