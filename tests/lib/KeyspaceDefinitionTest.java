import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.nio.file.Path;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

/** Reading and comparing definitions of a keyspace. */
class KeyspaceDefinitionTest {
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

  @BeforeAll
  static void loadCassandrasParser() {
    TableStreaming.initialise(0, Path.of("unused"));
  }

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
}
