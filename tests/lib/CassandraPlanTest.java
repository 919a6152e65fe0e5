import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import com.datastax.oss.driver.api.core.metadata.Node;
import java.lang.reflect.Proxy;
import java.net.InetSocketAddress;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.TreeMap;
import java.util.stream.Stream;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;

/** What the plan says of target, losses and room. */
class CassandraPlanTest {
  private static final long MB = 1_000_000;

  @BeforeAll
  static void initialise() {
    CassandraTools.initialise(Path.of("/tmp"), config -> {});
  }

  private static KeyspaceDefinition definition(String replication, String... tables) {
    var text = new StringBuilder(
        "CREATE KEYSPACE thehive WITH replication = %s AND durable_writes = true;\n".formatted(replication));
    Stream.of(tables).forEach(
        table -> text.append("CREATE TABLE thehive.%s (key blob PRIMARY KEY, value blob);\n".formatted(table)));
    return KeyspaceDefinition.parse(text.toString(), "thehive");
  }

  private static Node node(String address, String dataCentre) {
    return (Node) Proxy.newProxyInstance(Node.class.getClassLoader(), new Class<?>[] {Node.class},
        (proxy, method, arguments) ->
        method.getName().equals("getBroadcastAddress") ? Optional.of(new InetSocketAddress(address, 7000))
            : method.getName().equals("getDatacenter") ? dataCentre : null);
  }

  private static CassandraPlan plan(KeyspaceDefinition target, KeyspaceDefinition live, Map<String, RowEstimate> rows,
      NodeRoom... rooms) {
    var tables = target.tables().keySet().stream()
        .map(table -> new CassandraBackup.Table(table, List.of(), 30 * MB, RingCoverage.of(new long[] {1, 2})))
        .toList();
    var contents = new CassandraBackup(target, tables, RingCoverage.of(new long[] {1, 2}));
    return new CassandraPlan(contents, Optional.empty(), target, Optional.ofNullable(live), new TreeMap<>(rows),
        "production",
        List.of(node("10.0.0.1", "east"), node("10.0.0.2", "east"), node("10.0.1.1", "west")), "4.1.10", 50 * MB,
        List.of(rooms), List.of(),
        Optional.empty(), List.of(), Path.of("/work"));
  }

  @Test
  void namesTheTargetAndWhatGoes() {
    var definition = definition("{'class': 'NetworkTopologyStrategy', 'east': '2'}", "edgestore", "txlog");
    var plan = plan(definition, definition, Map.of("edgestore", new RowEstimate(7, RowEstimate.Certainty.EXACT),
        "txlog", new RowEstimate(1_200_000, RowEstimate.Certainty.ABOUT)));
    assertThat(plan.keepsDefinition()).isTrue();
    assertThat(plan.lines()).contains("target: keyspace thehive of cluster production, Cassandra 4.1.10",
        "  data centre east, 2 nodes: 10.0.0.1, 10.0.0.2",
        "  data centre west, 1 node: 10.0.1.1", "  no copies in data centre west: the replication does not name it",
        "→ truncate 2 tables with about 1,200,007 rows now: same definition as in the backup, grants stay");
    assertThat(plan.bytes()).as("two copies").isEqualTo(120 * MB);
    assertThat(plan.bytesForEachNode()).as("east has two nodes for two copies").isEqualTo(60 * MB);
  }

  @Test
  void namesWhatTheBackupDoesNotHave() {
    var plan = plan(definition("{'class': 'SimpleStrategy', 'replication_factor': '3'}", "edgestore"),
        definition("{'class': 'SimpleStrategy', 'replication_factor': '1'}", "edgestore", "later"),
        Map.of("later", new RowEstimate(3, RowEstimate.Certainty.EXACT)));
    assertThat(plan.lines())
        .contains("→ drop and create keyspace thehive with 3 rows now: its definition differs from the backup's",
            "  table later, which goes, has 3 rows now")
        .anyMatch(line -> line.startsWith("  replication: now "))
        .anyMatch(line -> line.startsWith("  table later is not in the backup"));
    assertThat(
        plan(definition("{'class': 'SimpleStrategy', 'replication_factor': '3'}", "edgestore"), null, Map.of()).lines())
        .contains("→ create keyspace thehive: it does not exist");
  }

  @Test
  void saysWhichRoomIsNeededAndKnown() {
    var definition = definition("{'class': 'SimpleStrategy', 'replication_factor': '3'}", "edgestore", "txlog");
    var here = new NodeRoom("10.0.0.1", List.of(Path.of("/data")), 70 * MB, 20 * MB);
    assertThat(plan(definition, definition, Map.of(), here).lines())
        .contains(
            "each node needs about 60 MB free on its disk: 10.0.0.1 has 70 MB; of the others not known here, see df"
                + " there")
        .anyMatch(line -> line
            .startsWith("snapshots of what earlier restores removed hold 20 MB on 10.0.0.1: nodetool listsnapshots"));
    here.require(60 * MB, "thehive");
    assertThatThrownBy(() -> here.require(65 * MB, "thehive")).isInstanceOfSatisfying(Failure.class, failure -> {
      assertThat(failure.code).isEqualTo(13);
      assertThat(failure.getMessage())
          .isEqualTo("Cassandra node 10.0.0.1 has 70 MB free in /data, the restore brings 65 MB;"
          + " snapshots of what earlier restores removed hold 20 MB");
      assertThat(failure.hint).contains("nodetool clearsnapshot -t <name> -- thehive");
    });
  }
}
