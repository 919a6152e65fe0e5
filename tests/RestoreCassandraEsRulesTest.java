import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.io.IOException;
import java.net.InetSocketAddress;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.TreeMap;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

/** What restore-cassandra-es.java decides without a server: addresses, restore points, definitions, replication, versions. */
class RestoreCassandraEsRulesTest {
  private static final String TABLE = """
      CREATE TABLE thehive.edgestore (
          key blob,
          column1 blob,
          value blob,
          PRIMARY KEY (key, column1)
      ) WITH CLUSTERING ORDER BY (column1 ASC)
          AND additional_write_policy = '99p'
          AND compression = {'chunk_length_in_kb': '64', 'class': 'org.apache.cassandra.io.compress.LZ4Compressor'}
          AND gc_grace_seconds = 864000;
      """;
  private static final String KEYSPACE =
      "CREATE KEYSPACE thehive WITH replication = {'class': 'SimpleStrategy', 'replication_factor': '3'}  AND durable_writes = true;\n";

  @TempDir Path folder;

  @BeforeAll
  static void loadCassandrasParser() {
    TableStreaming.initialise(0, Path.of("unused"));
  }

  // ------------------------------------------------------------------------------------------------------- connection

  @ParameterizedTest
  @CsvSource(delimiter = '|', value = {
    "10.0.0.5                          | 10.0.0.5:9042               |       |",
    "10.0.0.5 9142                     | 10.0.0.5:9142               |       |",
    "10.0.0.5 admin -p s3cret          | 10.0.0.5:9042               | admin | s3cret",
    "10.0.0.5 -u admin -p s3cret       | 10.0.0.5:9042               | admin | s3cret",
    "10.0.0.5 9142 -u admin -p \"a b\" | 10.0.0.5:9142               | admin | a b",
    "-u admin -p s3cret 10.0.0.5       | 10.0.0.5:9042               | admin | s3cret",
    "10.0.0.5,10.0.0.6:9999            | 10.0.0.5:9042,10.0.0.6:9999 |       |",
    "[2001:db8::5]:9142                | 2001:db8:0:0:0:0:0:5:9142   |       |",
    "2001:db8::5                       | 2001:db8:0:0:0:0:0:5:9042   |       |",
    "db1.example.org -u admin          | db1.example.org:9042        | admin |",
  })
  void understandsEveryFormOfTheConnection(String text, String points, String user, String password) {
    var connection = Connection.parse(text);
    assertThat(connection.contactPoints().stream().map(RestoreCassandraEsRulesTest::named)).containsExactly(points.split(","));
    assertThat(connection.user()).isEqualTo(Optional.ofNullable(user));
    assertThat(connection.password()).isEqualTo(Optional.ofNullable(password));
  }

  private static String named(InetSocketAddress point) {
    return point.getHostString() + ":" + point.getPort();
  }

  @ParameterizedTest
  @ValueSource(strings = {"", "  ", "10.0.0.5 admin -x s3cret", "10.0.0.5 9042 admin s3cret"})
  void refusesAConnectionWithoutRepeatingWhatMayBeAPassword(String text) {
    assertThatThrownBy(() -> Connection.parse(text))
        .isInstanceOfSatisfying(Failure.class, failure -> assertThat(failure.code).isEqualTo(2))
        .hasMessageContaining("CASSANDRA_CONNECTION").hasMessageNotContaining("s3cret");
  }

  // --------------------------------------------------------------------------------------------------------- choosing

  private Backup choose(String wanted) {
    return BackupSet.choose(folder, Set.of("cassandra"), Set.of("tar", "zip"), wanted, Duration.ofMinutes(15));
  }

  private void archives(String... names) throws IOException {
    for (var name : names) {
      Files.createFile(folder.resolve(name));
    }
  }

  @Test
  void choosesTheNewestByNameAndNothingElse() throws IOException {
    archives("cassandra_20260101_10h00m00s.tar", "cassandra_20260102_09h00m00s.zip", "cassandra_20260103_09h00m00s.tar.part",
        "files_20260104_09h00m00s.tar", "cassandra_latest.tar", "elasticsearch_20260105_09h00m00s.info");
    assertThat(choose(null).file()).hasFileName("cassandra_20260102_09h00m00s.zip");
  }

  @ParameterizedTest
  @ValueSource(strings = {"20260101_10h00m00s", "20260101_20h00m00s", "cassandra_20260101_10h00m00s", "elasticsearch_20260101_10h00m05s.info"})
  void choosesTheNewestAtOrBeforeTheRestorePoint(String wanted) throws IOException {
    archives("cassandra_20251231_10h00m00s.tar", "cassandra_20260101_10h00m00s.tar", "cassandra_20260102_10h00m00s.tar");
    assertThat(choose(wanted).name()).isEqualTo("cassandra_20260101_10h00m00s");
  }

  @Test
  void choosesAPathWhereverItIs() throws IOException {
    archives("cassandra_20260101_10h00m00s.tar");
    var elsewhere = Files.createFile(Files.createDirectory(folder.resolve("old")).resolve("cassandra_20200101_10h00m00s.tar"));
    assertThat(choose(elsewhere.toString()).file()).isEqualTo(elsewhere);
  }

  @Test
  void doesNotTakeYesterdaysWhenTheWantedRunsArchiveIsSecondsLater() throws IOException {
    archives("cassandra_20260101_10h00m00s.tar", "cassandra_20260102_10h00m07s.tar");
    assertThatThrownBy(() -> choose("20260102_10h00m00s")).hasMessageContaining("cassandra_20260102_10h00m07s was taken shortly after");
  }

  // ------------------------------------------------------------------------------------------------------ definitions

  private static KeyspaceDefinition definition(String cql) {
    return KeyspaceDefinition.parse(cql, "thehive");
  }

  @Test
  void takesNoNoticeOfOrderSpacesCommentsWarningsAndWrittenOutDefaults() {
    var other = TABLE.replace("edgestore", "txlog");
    var backup = definition("WARNING: cqlsh was built against 5.0, but this server is 4.1\n\n" + KEYSPACE + TABLE + other);
    var live = definition("/* a comment; */ " + KEYSPACE.replace("SimpleStrategy", "org.apache.cassandra.locator.SimpleStrategy")
        + other.replace("AND gc_grace_seconds", "AND comment = '' AND cdc = false AND memtable = 'default' AND gc_grace_seconds")
        + TABLE.replace("\n    ", " ").replace("AND additional", "-- as ever;\nAND allow_auto_snapshot = true AND additional"));
    assertThat(live.isEquivalentTo(backup)).isTrue();
  }

  @ParameterizedTest
  @CsvSource(delimiter = '|', value = {
    "gc_grace_seconds = 864000 | gc_grace_seconds = 1",
    "column1 blob,             | column1 text,",
    "column1 ASC               | column1 DESC",
    "'chunk_length_in_kb': '64'| 'chunk_length_in_kb': '16'",
    "'replication_factor': '3' | 'replication_factor': '2'",
    "durable_writes = true     | durable_writes = false",
    "edgestore                 | edgestore2",
  })
  void seesEveryDifferenceThatMatters(String before, String after) {
    var changed = (KEYSPACE + TABLE).replace(before, after);
    assertThat(changed).isNotEqualTo(KEYSPACE + TABLE);
    assertThat(definition(changed).isEquivalentTo(definition(KEYSPACE + TABLE))).isFalse();
  }

  @Test
  void splitsStatementsOnlyWhereTheyEnd() {
    assertThat(KeyspaceDefinition.split("a 'x;''y'; b \"q;\" -- c;\n; $$ d; $$ // e;\n;"))
        .containsExactly("a 'x;''y'", "b \"q;\"", "$$ d; $$");
  }

  @ParameterizedTest
  @ValueSource(strings = {"DROP KEYSPACE system_auth;", "CREATE TABLE other.t (a int PRIMARY KEY);", "CREATE ROLE x;", "nonsense"})
  void refusesADefinitionThatDoesMoreThanDefine(String statement) {
    assertThatThrownBy(() -> definition(KEYSPACE + TABLE + statement)).hasMessageContaining("does not belong there");
  }

  // ------------------------------------------------------------------------------------------------------ replication

  @ParameterizedTest
  @CsvSource(delimiter = '|', value = {
    "{'class': 'SimpleStrategy', 'replication_factor': '3'}         | dc1=2       | {'class': 'SimpleStrategy', 'replication_factor': '2'}",
    "{'class': 'NetworkTopologyStrategy', 'dc1': '3'}               | dc1=2       | {'class': 'NetworkTopologyStrategy', 'dc1': '2'}",
    "{'class': 'NetworkTopologyStrategy', 'old': '3'}               | dc1=5       | {'class': 'NetworkTopologyStrategy', 'dc1': '3'}",
    "{'class': 'NetworkTopologyStrategy', 'dc1': '3', 'dc2': '3'}   | dc1=3       | {'class': 'NetworkTopologyStrategy', 'dc1': '3'}",
    "{'class': 'NetworkTopologyStrategy', 'dc1': '3', 'dc2': '3'}   | dc1=3 dc2=1 | {'class': 'NetworkTopologyStrategy', 'dc1': '3', 'dc2': '1'}",
  })
  void refusesAReplicationTheNodesCannotHoldAndNamesOneTheyCan(String wanted, String nodes, String fitting) {
    var available = nodes(nodes);
    assertThatThrownBy(() -> Replication.require(KeyspaceDefinition.replication(wanted), available))
        .isInstanceOfSatisfying(Failure.class,
            failure -> assertThat(failure.hint).endsWith("--replication \"" + fitting + "\""));
    Replication.require(KeyspaceDefinition.replication(fitting), available);
  }

  @Test
  void acceptsAReplicationThatFits() {
    Replication.require(Map.of("class", "SimpleStrategy", "replication_factor", "3"), nodes("dc1=4"));
    Replication.require(Map.of("class", "NetworkTopologyStrategy", "dc1", "3"), nodes("dc1=3 dc2=9"));
    assertThat(Replication.copies(Map.of("class", "X", "dc1", "3", "dc2", "2"), List.of("dc1", "dc2"))).isEqualTo(5);
  }

  private static TreeMap<String, Long> nodes(String text) {
    var nodes = new TreeMap<String, Long>();
    for (var dataCentre : text.split(" ")) {
      nodes.put(dataCentre.split("=")[0], Long.valueOf(dataCentre.split("=")[1]));
    }
    return nodes;
  }

  // --------------------------------------------------------------------------------------------------------- versions

  @ParameterizedTest
  @CsvSource({
    "7.10.2, 7.10.2, false, true", "7.10.2, 7.17.0, false, true", "7.10.2, 8.19.1, false, true", "7.17.1, 9.0.0, false, false",
    "8.19.0, 8.18.0, false, false", "8.19.0, 9.1.0, false, true", "7.10.2, 2.19.0, true, true", "7.17.0, 2.19.0, true, false",
    "7.10.2, 3.0.0, true, false", "2.11.0, 3.0.0, true, true", "1.3.0, 3.0.0, true, false",
  })
  void knowsWhichSnapshotAVersionCanRestore(String snapshot, String cluster, boolean openSearch, boolean restorable) {
    assertThat(SnapshotVersion.isRestorable(snapshot, cluster, openSearch)).isEqualTo(restorable);
  }
}
