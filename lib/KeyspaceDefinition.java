//DEPS com.fasterxml.jackson.core:jackson-databind:2.23.0
//DEPS org.apache.cassandra:cassandra-all:4.1.10
//DEPS com.github.luben:zstd-jni:1.5.7-28 // for .tar.zst, and for SSTables compressed with Zstd
//DEPS commons-io:commons-io:2.22.0

import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.core.json.JsonReadFeature;
import com.fasterxml.jackson.core.type.TypeReference;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.json.JsonMapper;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Set;
import java.util.SortedMap;
import java.util.SortedSet;
import java.util.TreeMap;
import java.util.TreeSet;
import java.util.UUID;
import java.util.regex.Pattern;
import org.apache.cassandra.cql3.CQLFragmentParser;
import org.apache.cassandra.cql3.ColumnIdentifier;
import org.apache.cassandra.cql3.CqlParser;
import org.apache.cassandra.cql3.statements.schema.TableAttributes;
import org.apache.cassandra.schema.ColumnMetadata;
import org.apache.cassandra.schema.TableId;
import org.apache.cassandra.schema.Types;

/**
 * A keyspace's definition, as DESCRIBE KEYSPACE writes it.
 *
 * @param tables the CREATE TABLE of each table
 * @param alterations of tables some of whose columns were dropped: ALTER TABLE … DROP and ADD, as DESCRIBE … WITH
 *     INTERNALS and the {@code schema.cql} of a snapshot write them; the CREATE TABLE then has the dropped columns, too
 * @param others statements that create types, indexes, views, functions and aggregates
 */
record KeyspaceDefinition(String keyspace, Map<String, String> replication, boolean durable,
    SortedMap<String, String> tables, SortedMap<String, List<String>> alterations, List<String> others) {
  private static final Pattern KEYSPACE = Pattern.compile(
      "(?is)CREATE KEYSPACE (IF NOT EXISTS )?\"?(?<name>\\w+)\"? WITH replication = (?<map>\\{[^}]*})(?<rest>.*)");
  private static final Pattern TABLE = Pattern.compile("(?is)(?<verb>CREATE|ALTER) TABLE (IF NOT EXISTS )?"
      + "(\"?(?<keyspace>\\w+)\"?\\.)\"?(?<name>\\w+)\"? (?<rest>.*)");
  private static final Pattern OTHER = Pattern.compile(
      "(?is)CREATE (TYPE|(CUSTOM )?INDEX|MATERIALIZED VIEW|(OR REPLACE )?(FUNCTION|AGGREGATE)) .*");
  private static final Pattern TYPE = Pattern.compile("(?is)CREATE TYPE .*");
  private static final Pattern VIEW =
      Pattern.compile("(?is)CREATE MATERIALIZED VIEW (IF NOT EXISTS )?(\"?\\w+\"?\\.)?\"?(?<name>\\w+)\"? AS .*");
  private static final Pattern DROP =
      Pattern.compile("(?is)DROP (?<column>\\w+|\"(?:[^\"]|\"\")*\") USING TIMESTAMP (?<micros>-?\\d+)");
  private static final Pattern ADD = Pattern.compile("(?is)ADD (?<column>\\w+|\"(?:[^\"]|\"\")*\") .*");
  private static final ObjectMapper MAP = JsonMapper.builder().enable(JsonReadFeature.ALLOW_SINGLE_QUOTES).build();

  static KeyspaceDefinition parse(String cql, String keyspace) {
    Map<String, String> replication = null;
    var durable = true;
    var definition =
        new KeyspaceDefinition(keyspace, Map.of(), true, new TreeMap<>(), new TreeMap<>(), new ArrayList<>());
    for (var statement : CqlStatements.split(cql)) {
      var create = KEYSPACE.matcher(statement);
      if (create.matches() && create.group("name").equals(keyspace)) {
        replication = replication(create.group("map"));
        durable = !create.group("rest").replace(" ", "").toLowerCase(Locale.ROOT).contains("durable_writes=false");
      } else if (OTHER.matcher(statement).matches()) {
        definition.others.add(statement);
      } else if (!definition.add(statement)) {
        // A definition creates; anything else in it is a mistake or an attack.
        throw new Failure(Exit.BAD_BACKUP,
            "the definition of keyspace %s has a statement that does not belong there: %s"
            .formatted(keyspace, statement.substring(0, Math.min(80, statement.length()))), lookAt(keyspace));
      }
    }
    if (replication == null) {
      throw new Failure(Exit.BAD_BACKUP, "the definition of keyspace %s has no CREATE KEYSPACE".formatted(keyspace),
          lookAt(keyspace));
    }
    return new KeyspaceDefinition(
        keyspace, replication, durable, definition.tables, definition.alterations, definition.others);
  }

  private static String lookAt(String keyspace) {
    return "look at its create_keyspace_%s.cql".formatted(keyspace);
  }

  /** Takes the statement if it creates a table of this keyspace, or drops or adds a column of one. */
  private boolean add(String statement) {
    var table = TABLE.matcher(statement);
    if (!table.matches() || !table.group("keyspace").equals(keyspace)) {
      return false;
    }
    var rest = table.group("rest");
    if (table.group("verb").equalsIgnoreCase("CREATE")) {
      var name = table.group("name");
      tables.put(name, withoutId("CREATE TABLE \"%s\".\"%s\" %s".formatted(keyspace, name, rest)));
      return true;
    }
    alterations.computeIfAbsent(table.group("name"), key -> new ArrayList<>()).add(statement);
    return DROP.matcher(rest).matches() || ADD.matcher(rest).matches();
  }

  /** Two tables cannot have one ID; the server gives a new one. */
  private static String withoutId(String table) {
    var options = new HashSet<>(CqlStatements.options(table));
    return options.remove("id") ? CqlStatements.withOptions(table, options) : table;
  }

  /** The same with the columns that the table's schema.cql, as a snapshot has it, says were dropped. */
  KeyspaceDefinition withDroppedColumns(String table, String schema) {
    var other = new KeyspaceDefinition(keyspace, Map.of(), true, new TreeMap<>(), new TreeMap<>(), others);
    CqlStatements.split(schema).forEach(other::add);
    if (other.tables.containsKey(table) && tables.containsKey(table)) {
      requireColumns(table, other);
    }
    return !other.alterations.containsKey(table) || !other.tables.containsKey(table) ? this
        : with(table, other.tables.get(table), other.alterations.get(table));
  }

  /** A column that this definition lacks would be taken as dropped, and its values would go. */
  private void requireColumns(String table, KeyspaceDefinition schema) {
    var known = table(table, new UUID(0, 0));
    var lacking = schema.table(table, new UUID(0, 0)).columns().stream().map(column -> column.name)
        .filter(name -> known.getColumn(name) == null).map(name -> name.toCQLString()).sorted().toList();
    if (!lacking.isEmpty()) {
      throw new Failure(Exit.BAD_BACKUP,
          "the definition of table %s.%s lacks the column %s, which the table had when its snapshot was taken"
              .formatted(keyspace, table, String.join(", ", lacking)),
          "create_keyspace_%s.cql is older than the data: put the one of the same day there".formatted(keyspace));
    }
  }

  /** The same with a column that is taken as dropped now, because SSTables have it and the definition does not. */
  KeyspaceDefinition withDroppedColumn(String table, String column, String type, boolean isStatic, long micros) {
    var alter = "ALTER TABLE \"%s\".\"%s\" ".formatted(keyspace, table);
    var statements = new ArrayList<>(alterations.getOrDefault(table, List.of()));
    statements.add("%sADD %s %s%s".formatted(alter, column, type, isStatic ? " static" : ""));
    statements.add("%sDROP %s USING TIMESTAMP %d".formatted(alter, column, micros));
    return with(table, tables.get(table), statements);
  }

  private KeyspaceDefinition with(String table, String create, List<String> statements) {
    var created = new TreeMap<>(tables);
    var altered = new TreeMap<>(alterations);
    created.put(table, create);
    altered.put(table, statements);
    return new KeyspaceDefinition(keyspace, replication, durable, created, altered, others);
  }

  KeyspaceDefinition withReplication(Map<String, String> other) {
    return new KeyspaceDefinition(keyspace, other, durable, tables, alterations, others);
  }

  /** A CQL map of text, which is JSON but for its quotes; the strategy's class by its short name. */
  static Map<String, String> replication(String map) {
    try {
      var replication = MAP.readValue(map, new TypeReference<TreeMap<String, String>>() {});
      replication.computeIfPresent("class", (key, name) -> name.substring(name.lastIndexOf('.') + 1));
      if (replication.containsKey("class")) {
        return replication;
      }
    } catch (JsonProcessingException e) {
      // falls through to the message, which names what was given
    }
    throw new Failure(Exit.USAGE, "%s is not a replication".formatted(map),
        "such as \"{'class': 'NetworkTopologyStrategy', 'datacenter1': 3}\"");
  }

  /** The names of materialized views, whose rows Cassandra makes from those of their tables. */
  SortedSet<String> views() {
    var views = new TreeSet<String>();
    others.stream().map(VIEW::matcher).filter(view -> view.matches()).forEach(view -> views.add(view.group("name")));
    return views;
  }

  /**
   * Statements that create the keyspace, in an order in which each finds what it needs.
   *
   * @param options the options of tables that the server has: an older one would refuse a newer one's
   */
  List<String> statements(Set<String> options) {
    var all = new ArrayList<String>();
    all.add("CREATE KEYSPACE \"%s\" WITH replication = %s AND durable_writes = %s".formatted(
        keyspace, Replication.text(replication), durable));
    others.stream().filter(other -> TYPE.matcher(other).matches()).forEach(all::add);
    tables.forEach((name, table) -> {
      all.add(CqlStatements.withOptions(table, options));
      all.addAll(alterations.getOrDefault(name, List.of()));
    });
    others.stream().filter(other -> !TYPE.matcher(other).matches()).forEach(all::add);
    return all;
  }

  /** A table as Cassandra's own parser reads it, with the keyspace's types and the columns that were dropped. */
  org.apache.cassandra.schema.TableMetadata table(String name, UUID id) {
    try {
      var created = CQLFragmentParser.parseAny(CqlParser::createTableStatement,
          CqlStatements.withOptions(tables.get(name), TableAttributes.allKeywords()), "CREATE TABLE")
          .keyspace(keyspace).prepare(null).builder(types()).id(TableId.fromUUID(id)).build();
      return alterations.containsKey(name) ? altered(created, alterations.get(name)) : created;
    } catch (RuntimeException | LinkageError e) {
      throw Compressors.missingLibrary(e).orElseGet(() -> new Failure(Exit.BAD_BACKUP,
          "the definition of table %s.%s cannot be used: %s".formatted(keyspace, name, e.getMessage()),
          lookAt(keyspace), e));
    }
  }

  private Types types() {
    var types = Types.rawBuilder(keyspace);
    others.stream().filter(other -> TYPE.matcher(other).matches()).forEach(type ->
        CQLFragmentParser.parseAny(CqlParser::createTypeStatement, type, "CREATE TYPE").addToRawBuilder(types));
    return types.build();
  }

  private static org.apache.cassandra.schema.TableMetadata altered(
      org.apache.cassandra.schema.TableMetadata created, List<String> statements) {
    var table = created;
    for (var statement : statements) {
      var words = TABLE.matcher(statement);
      var drop = DROP.matcher(words.matches() ? words.group("rest") : "");
      if (drop.matches()) {
        var column = table.getColumn(identifier(drop.group("column")));
        table = table.unbuild().removeRegularOrStaticColumn(column.name)
            .recordColumnDrop(column, Long.parseLong(drop.group("micros"))).build();
      } else {
        table = added(table, created, statement);
      }
    }
    return table;
  }

  /** The column is one that the table had when it was created, or is parsed in a table that is made for it. */
  private static org.apache.cassandra.schema.TableMetadata added(org.apache.cassandra.schema.TableMetadata table,
      org.apache.cassandra.schema.TableMetadata created, String statement) {
    var words = TABLE.matcher(statement);
    var add = ADD.matcher(words.matches() ? words.group("rest") : "");
    if (!add.matches()) {
      throw new IllegalArgumentException(statement);
    }
    var name = identifier(add.group("column"));
    var column = created.getColumn(name);
    if (column == null) {
      var text =
          "CREATE TABLE t (k int, c int, %s, PRIMARY KEY (k, c))".formatted(add.group().substring("ADD ".length()));
      var parsed = CQLFragmentParser.parseAny(CqlParser::createTableStatement, text, "CREATE TABLE")
          .keyspace(table.keyspace).prepare(null).builder(Types.none()).id(table.id).build().getColumn(name);
      column = new ColumnMetadata(table.keyspace, table.name, name, parsed.type, parsed.position(), parsed.kind);
    }
    return table.unbuild().addColumn(column).build();
  }

  private static ColumnIdentifier identifier(String column) {
    return !column.startsWith("\"") ? ColumnIdentifier.getInterned(column, false)
        : ColumnIdentifier.getInterned(column.substring(1, column.length() - 1).replace("\"\"", "\""), true);
  }

  /** True if a restore can keep the other's tables: Cassandra's own parser reads both alike. */
  boolean isEquivalentTo(KeyspaceDefinition other) {
    return new DefinitionComparison(this, other).isSame();
  }
}
