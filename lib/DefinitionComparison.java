//DEPS org.apache.cassandra:cassandra-all:4.1.10

import java.nio.ByteBuffer;
import java.util.ArrayList;
import java.util.Collection;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import java.util.TreeSet;
import java.util.UUID;
import java.util.regex.Pattern;
import org.apache.cassandra.schema.ColumnMetadata;
import org.apache.cassandra.schema.DroppedColumn;

/** Compares the definition that a backup has of a keyspace with that of the live one. */
record DefinitionComparison(KeyspaceDefinition backup, KeyspaceDefinition live) {
  private static final UUID ID = new UUID(0, 0);
  private static final Pattern OPTION =
      Pattern.compile("(?m)^(?:\\) WITH|    AND) (?:(\\w+) = (.*?)|CLUSTERING ORDER BY .*?);?$");

  /**
   * The order of options, written-out defaults and columns that only the live keyspace had for a while do not count.
   */
  boolean isSame() {
    return backup.replication().equals(live.replication()) && backup.durable() == live.durable()
        && backup.tables().keySet().equals(live.tables().keySet())
        && new TreeSet<>(backup.others()).equals(new TreeSet<>(live.others()))
        && backup.tables().keySet().stream().allMatch(this::isSame);
  }

  private boolean isSame(String table) {
    var wanted = backup.table(table, ID);
    var present = live.table(table, ID);
    present = present.unbuild().droppedColumns(relevant(present, wanted)).build();
    // Some compressors are not equal to themselves; as text they are.
    return wanted.equals(present)
        || wanted.toCqlString(true, true, false).equals(present.toCqlString(true, true, false));
  }

  /** A dropped column hides only cells of its name that are older than the drop. */
  private static Map<ByteBuffer, DroppedColumn> relevant(
      org.apache.cassandra.schema.TableMetadata live, org.apache.cassandra.schema.TableMetadata backup) {
    var dropped = new HashMap<>(live.droppedColumns);
    dropped.keySet().removeIf(name -> backup.getColumn(name) == null && !backup.droppedColumns.containsKey(name));
    return dropped;
  }

  /** The changes that a restore makes to the live definition, one line each; empty if both are the same. */
  List<String> lines() {
    var lines = new ArrayList<String>();
    if (!backup.replication().equals(live.replication())) {
      lines.add("replication: now %s, then %s".formatted(
          Replication.text(live.replication()), Replication.text(backup.replication())));
    }
    if (backup.durable() != live.durable()) {
      lines.add("durable_writes: now %s, then %s".formatted(live.durable(), backup.durable()));
    }
    missing(live.tables().keySet(), backup.tables().keySet())
        .forEach(table -> lines.add("table %s is not in the backup: it goes, with all its rows".formatted(table)));
    missing(backup.tables().keySet(), live.tables().keySet())
        .forEach(table -> lines.add("table %s is only in the backup".formatted(table)));
    backup.tables().keySet().stream().filter(live.tables()::containsKey).filter(table -> !isSame(table))
        .forEach(table -> describe(table, lines));
    missing(live.others(), backup.others()).forEach(other -> lines.add("not in the backup, goes: " + beginning(other)));
    missing(backup.others(), live.others()).forEach(other -> lines.add("only in the backup: " + beginning(other)));
    return lines;
  }

  private static <T> List<T> missing(Iterable<T> all, Collection<T> present) {
    var missing = new ArrayList<T>();
    all.forEach(one -> {
      if (!present.contains(one)) {
        missing.add(one);
      }
    });
    return missing;
  }

  private static String beginning(String statement) {
    return statement.length() <= 100 ? statement : statement.substring(0, 100) + "…";
  }

  private void describe(String table, List<String> lines) {
    var now = live.table(table, ID);
    var then = backup.table(table, ID);
    var before = lines.size();
    differences("column", columns(now), columns(then), table, lines);
    differences("option", options(now), options(then), table, lines);
    if (!now.primaryKeyColumns().toString().equals(then.primaryKeyColumns().toString())) {
      lines.add("table %s: another primary key".formatted(table));
    }
    if (lines.size() == before) {
      lines.add("table %s: columns that were dropped, or when, differ".formatted(table));
    }
  }


  private static void differences(
      String kind, Map<String, String> now, Map<String, String> then, String table, List<String> lines) {
    var names = new TreeSet<>(now.keySet());
    names.addAll(then.keySet());
    for (var name : names) {
      var live = now.get(name);
      var backup = then.get(name);
      if (live == null || backup == null) {
        lines.add("table %s: %s %s is %s".formatted(
            table, kind, name, live == null ? "only in the backup" : "not in the backup"));
      } else if (!live.equals(backup)) {
        lines.add("table %s: %s %s: now %s, then %s".formatted(table, kind, name, live, backup));
      }
    }
  }

  private static Map<String, String> columns(org.apache.cassandra.schema.TableMetadata table) {
    var columns = new TreeMap<String, String>();
    for (var column : table.columns()) {
      columns.put(column.name.toCQLString(),
          column.type.asCQL3Type() + (column.isStatic() ? " static" : "") + place(column));
    }
    return columns;
  }

  private static String place(ColumnMetadata column) {
    return column.isPrimaryKeyColumn() ? " (key)" : "";
  }

  /** The options in Cassandra's own words, with all defaults. */
  private static Map<String, String> options(org.apache.cassandra.schema.TableMetadata table) {
    var options = new TreeMap<String, String>();
    OPTION.matcher(table.toCqlString(false, false, false)).results().filter(option -> option.group(1) != null)
        .forEach(option -> options.put(option.group(1), option.group(2)));
    return options;
  }
}
