import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.nio.file.Path;
import java.util.Set;
import java.util.UUID;
import org.apache.cassandra.db.marshal.Int32Type;
import org.apache.cassandra.utils.ByteBufferUtil;
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
      "CREATE KEYSPACE thehive WITH replication = {'class': 'SimpleStrategy', 'replication_factor': '3'}  AND"
          + " durable_writes = true;\n";

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
    var backup =
        definition("WARNING: cqlsh was built against 5.0, but this server is 4.1\n\n" + KEYSPACE + TABLE + other);
    var live = definition(
        "/* a comment; */ " + KEYSPACE.replace("SimpleStrategy", "org.apache.cassandra.locator.SimpleStrategy")
            + other.replace("AND gc_grace_seconds",
                "AND comment = '' AND cdc = false AND memtable = 'default' AND gc_grace_seconds")
            + TABLE.replace("\n    ", " ").replace("AND additional",
                "-- as ever;\nAND allow_auto_snapshot = true AND additional"));
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
    assertThat(CqlStatements.split("a 'x;''y'; b \"q;\" -- c;\n; $$ d; $$ // e;\n;"))
        .containsExactly("a 'x;''y'", "b \"q;\"", "$$ d; $$");
  }

  @ParameterizedTest
  @ValueSource(strings = {"DROP KEYSPACE system_auth;", "CREATE TABLE other.t (a int PRIMARY KEY);", "CREATE ROLE x;",
      "nonsense"})
  void refusesADefinitionThatDoesMoreThanDefine(String statement) {
    assertThatThrownBy(() -> definition(KEYSPACE + TABLE + statement)).hasMessageContaining("does not belong there");
  }

  // -------------------------------------------------------------------------------------------------- dropped columns

  private static final String CURRENT = """
      CREATE TABLE thehive."T1" (k int, c int, v text, "W x" map<text, frozen<list<int>>>, PRIMARY KEY (k, c))
      WITH CLUSTERING ORDER BY (c DESC) AND comment = 'a WITH b AND c = 1';
      """;
  private static final String SCHEMA = """
      CREATE TABLE IF NOT EXISTS thehive."T1" (k int, c int, "W x" map<text, frozen<list<int>>>, s text static, v text, z int,
      PRIMARY KEY (k, c)) WITH ID = 6d0e6b70-0000-11ee-8c99-0242ac120002 AND CLUSTERING ORDER BY (c DESC)
          AND comment = 'a WITH b AND c = 1';
      ALTER TABLE thehive."T1" DROP s USING TIMESTAMP 123456;
      ALTER TABLE thehive."T1" DROP v USING TIMESTAMP 123457;
      ALTER TABLE thehive."T1" ADD v text;
      ALTER TABLE thehive."T1" DROP z USING TIMESTAMP 123458;
      """;

  @Test
  void knowsTheColumnsThatWereDropped() {
    var backup = definition(KEYSPACE + CURRENT).withDroppedColumns("T1", SCHEMA);
    var table = backup.table("T1", new UUID(0, 1));
    assertThat(table.columns()).extracting(column -> column.name.toString()).containsExactlyInAnyOrder("k", "c", "v",
        "W x");
    assertThat(table.getDroppedColumn(ByteBufferUtil.bytes("z")).type).isEqualTo(Int32Type.instance);
    assertThat(table.getDroppedColumn(ByteBufferUtil.bytes("s"), true).isStatic()).isTrue();
    assertThat(table.droppedColumns.get(ByteBufferUtil.bytes("v")).droppedTime).isEqualTo(123457);
    assertThat(backup.statements(Set.of("comment"))).hasSize(6).last().asString()
        .endsWith("DROP z USING TIMESTAMP 123458");
    assertThat(backup.statements(Set.of("comment")).get(1)).doesNotContain(" ID = ")
        .endsWith("comment = 'a WITH b AND c = 1'");
  }

  @Test
  void refusesADefinitionThatIsOlderThanTheData() {
    var older = definition(KEYSPACE + CURRENT.replace("v text,", ""));
    assertThatThrownBy(() -> older.withDroppedColumns("T1", CURRENT)).isInstanceOfSatisfying(Failure.class, failure -> {
      assertThat(failure.code).isEqualTo(10);
      assertThat(failure).hasMessage("the definition of table thehive.T1 lacks the column v, which the table had when its"
          + " snapshot was taken");
    });
    var newer = definition(KEYSPACE + CURRENT.replace("v text,", "v text, q int,"));
    assertThat(newer.withDroppedColumns("T1", CURRENT)).isEqualTo(newer);
  }

  @Test
  void keepsTheLiveTableOnlyIfTheSameColumnsWereDroppedAtTheSameTime() {
    var backup = definition(KEYSPACE + CURRENT).withDroppedColumns("T1", SCHEMA);
    assertThat(definition(KEYSPACE + SCHEMA).isEquivalentTo(backup)).as("as DESCRIBE … WITH INTERNALS writes it")
        .isTrue();
    assertThat(definition(KEYSPACE + CURRENT).isEquivalentTo(backup)).isFalse();
    assertThat(definition(KEYSPACE + SCHEMA.replace("123457", "123459")).isEquivalentTo(backup)).isFalse();
    assertThat(backup.isEquivalentTo(definition(KEYSPACE + CURRENT)))
        .as("rows of the backup written before the live drop would be hidden").isFalse();
    var later = definition(KEYSPACE + CURRENT.replace("v text,", "v text, q int,")
        + "ALTER TABLE thehive.\"T1\" DROP q USING TIMESTAMP 1;");
    assertThat(definition(KEYSPACE + CURRENT).isEquivalentTo(later)).as("a column that the backup never had").isTrue();
  }

  @Test
  void takesAColumnThatOnlySSTablesHaveForDropped() {
    var table =
        definition(KEYSPACE + CURRENT).withDroppedColumn("T1", "\"Old one\"", "frozen<tuple<int, text>>", false, 77)
        .table("T1", new UUID(0, 1));
    assertThat(table.getColumn(ByteBufferUtil.bytes("Old one"))).isNull();
    assertThat(table.droppedColumns.get(ByteBufferUtil.bytes("Old one")).droppedTime).isEqualTo(77);
  }

  @Test
  void knowsTheKeyspacesOwnTypesAndViews() {
    var definition = definition(KEYSPACE + """
        CREATE TYPE thehive.inner (a set<int>);
        CREATE TYPE thehive."Outer" (b frozen<inner>, c text);
        CREATE TABLE thehive.t (k int PRIMARY KEY, x frozen<"Outer">, y list<frozen<inner>>);
        CREATE INDEX t_x ON thehive.t (x);
        CREATE MATERIALIZED VIEW thehive."V" AS SELECT * FROM thehive.t WHERE k IS NOT NULL PRIMARY KEY (k);
        """);
    assertThat(definition.table("t", new UUID(0, 1)).getReferencedUserTypes()).hasSize(2);
    assertThat(definition.views()).containsExactly("V");
    assertThat(definition.statements(Set.of())).extracting(statement -> statement.split(" ")[1])
        .containsExactly("KEYSPACE", "TYPE", "TYPE", "TABLE", "INDEX", "MATERIALIZED");
    assertThatThrownBy(() -> definition(KEYSPACE + "CREATE TABLE thehive.t (k int PRIMARY KEY, x frozen<nothing>);")
        .table("t", new UUID(0, 1)))
        .isInstanceOfSatisfying(Failure.class, failure -> assertThat(failure.code).isEqualTo(Exit.BAD_BACKUP))
        .hasMessageContaining("the definition of table thehive.t cannot be used");
  }

  // ------------------------------------------------------------------------------------------------------- differences

  @Test
  void namesWhatARestoreChanges() {
    var backup = definition(KEYSPACE + TABLE + CURRENT + TABLE.replace("edgestore", "only_backup"));
    var live = definition(
        KEYSPACE.replace("'3'", "'2'") + TABLE.replace("864000", "1").replace("column1 blob,", "column1 text,")
            + CURRENT.replace("v text", "n int") + TABLE.replace("edgestore", "extra")
            + "CREATE INDEX i ON thehive.extra (value);");
    assertThat(new DefinitionComparison(backup, live).lines()).containsExactlyInAnyOrder(
        "replication: now {'class': 'SimpleStrategy', 'replication_factor': '2'}, then {'class': 'SimpleStrategy',"
            + " 'replication_factor': '3'}",
        "table extra is not in the backup: it goes, with all its rows",
        "table only_backup is only in the backup",
        "table edgestore: column column1: now text (key), then blob (key)",
        "table edgestore: option gc_grace_seconds: now 1, then 864000",
        "table T1: column n is not in the backup",
        "table T1: column v is only in the backup",
        "not in the backup, goes: CREATE INDEX i ON thehive.extra (value)");
    assertThat(new DefinitionComparison(backup, backup).lines()).isEmpty();
  }
}
