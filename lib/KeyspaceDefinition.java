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
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Set;
import java.util.SortedMap;
import java.util.TreeMap;
import java.util.UUID;
import java.util.regex.MatchResult;
import java.util.regex.Pattern;
import java.util.stream.Collectors;
import org.apache.cassandra.cql3.statements.schema.CreateTableStatement;
import org.apache.cassandra.cql3.statements.schema.TableAttributes;
import org.apache.cassandra.schema.TableId;

/** A keyspace's definition, as DESCRIBE KEYSPACE writes it. */
record KeyspaceDefinition(
    String keyspace, Map<String, String> replication, boolean durable, SortedMap<String, String> tables, List<String> others) {
  private static final Pattern TOKEN =
      Pattern.compile("(?s)'(?:[^']|'')*'|\"(?:[^\"]|\"\")*\"|\\$\\$.*?\\$\\$|--[^\n]*|//[^\n]*|/\\*.*?\\*/|;|.");
  private static final Pattern KEYSPACE = Pattern.compile(
      "(?is)CREATE KEYSPACE (IF NOT EXISTS )?\"?(?<name>\\w+)\"? WITH replication = (?<map>\\{[^}]*})(?<rest>.*)");
  private static final Pattern TABLE = Pattern.compile("(?is)CREATE TABLE (IF NOT EXISTS )?(\"?(?<keyspace>\\w+)\"?\\.)\"?(?<name>\\w+)\"? .*");
  private static final Pattern OPTION = Pattern.compile(
      "(?is)(WITH|AND) ((?<name>\\w+) = ('(?:[^']|'')*'|\\{[^}]*}|[\\w.+-]+)|CLUSTERING ORDER BY \\([^)]*\\)|COMPACT STORAGE)");
  private static final ObjectMapper MAP = JsonMapper.builder().enable(JsonReadFeature.ALLOW_SINGLE_QUOTES).build();

  static KeyspaceDefinition parse(String cql, String keyspace) {
    Map<String, String> replication = null;
    var durable = true;
    var tables = new TreeMap<String, String>();
    var others = new ArrayList<String>();
    for (var statement : split(cql)) {
      var create = KEYSPACE.matcher(statement);
      var table = TABLE.matcher(statement);
      if (create.matches() && create.group("name").equals(keyspace)) {
        replication = replication(create.group("map"));
        durable = !create.group("rest").replace(" ", "").toLowerCase(Locale.ROOT).contains("durable_writes=false");
      } else if (table.matches() && table.group("keyspace").equals(keyspace)) {
        tables.put(table.group("name"), statement);
      } else if (statement.matches("(?is)CREATE (TYPE|(CUSTOM )?INDEX|MATERIALIZED VIEW|(OR REPLACE )?(FUNCTION|AGGREGATE)) .*")) {
        others.add(statement);
      } else {
        // A definition creates; anything else in it is a mistake or an attack.
        throw new Failure(Exit.BAD_BACKUP, "the definition of keyspace %s has a statement that does not belong there: %s".formatted(
            keyspace, statement.substring(0, Math.min(80, statement.length()))), "look at its create_keyspace_%s.cql".formatted(keyspace));
      }
    }
    if (replication == null) {
      throw new Failure(Exit.BAD_BACKUP, "the definition of keyspace %s has no CREATE KEYSPACE".formatted(keyspace),
          "look at its create_keyspace_%s.cql".formatted(keyspace));
    }
    return new KeyspaceDefinition(keyspace, replication, durable, tables, others);
  }

  /** Statements with single spaces, without comments and without the warnings that cqlsh prints among them. */
  static List<String> split(String cql) {
    var statements = new ArrayList<String>();
    var current = new StringBuilder();
    var text = cql.lines().filter(line -> !line.regionMatches(true, 0, "warning", 0, 7)).collect(Collectors.joining("\n"));
    for (var token : (Iterable<String>) TOKEN.matcher(text).results().map(MatchResult::group)::iterator) {
      if (token.equals(";")) {
        statements.add(current.toString().strip());
        current.setLength(0);
      } else if (token.startsWith("--") || token.startsWith("//") || token.startsWith("/*") || token.isBlank()) {
        current.append(current.isEmpty() || current.charAt(current.length() - 1) == ' ' ? "" : " ");
      } else {
        current.append(token);
      }
    }
    statements.add(current.toString().strip());
    return statements.stream().filter(statement -> !statement.isEmpty()).toList();
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
    throw new Failure(Exit.USAGE, "%s is not a replication".formatted(map), "such as \"{'class': 'NetworkTopologyStrategy', 'datacenter1': 3}\"");
  }

  /** A table as Cassandra's own parser reads it. */
  static org.apache.cassandra.schema.TableMetadata table(String statement, String keyspace, UUID id) {
    return CreateTableStatement.parse(known(statement, TableAttributes.allKeywords()), keyspace)
        .id(TableId.fromUUID(id)).build();
  }

  /** Without the options that the parser or server at hand does not know (a newer server writes more of them). */
  static String known(String table, Set<String> options) {
    var first = Pattern.compile("(?i) WITH ").matcher(table);
    if (!first.find()) {
      return table;
    }
    var all = OPTION.matcher(table.substring(first.start() + 1)).results().toList();
    var kept = all.stream().filter(option -> option.group(3) == null || options.contains(option.group(3).toLowerCase(Locale.ROOT)))
        .map(option -> option.group(2)).toList();
    if (kept.size() == all.size()) {
      return table;
    }
    return table.substring(0, first.start()) + (kept.isEmpty() ? "" : " WITH " + String.join(" AND ", kept));
  }

  /** True if Cassandra's own parser reads both alike: the order of options and written-out defaults do not count. */
  boolean isEquivalentTo(KeyspaceDefinition other) {
    var id = new UUID(0, 0);
    return replication.equals(other.replication) && durable == other.durable
        && tables.keySet().equals(other.tables.keySet()) && Set.copyOf(others).equals(Set.copyOf(other.others))
        && tables.keySet().stream().allMatch(name -> table(tables.get(name), keyspace, id)
            .equals(table(other.tables.get(name), other.keyspace, id)));
  }
}
