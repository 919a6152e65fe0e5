import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.Collection;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.SortedMap;
import java.util.TreeMap;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import java.util.stream.Collectors;

/**
 * A keyspace as an archive holds it, or as the archives of several nodes hold it together: its definition and its
 * tables' SSTables, every byte of them read and proven.
 *
 * @param coverage the part of the ring that the partitions of all tables cover
 */
record CassandraBackup(KeyspaceDefinition definition, List<Table> tables, RingCoverage coverage) {
  private static final Pattern TABLE_FILE =
      Pattern.compile("[^/]+/(?<keyspace>\\w+)/(?<table>\\w+)-[0-9a-f]{32}/(?<file>[^/]+)");
  private static final Pattern CQL = Pattern.compile("[^/]+/create_keyspace_(?<keyspace>\\w+)\\.cql");
  /** With fewer partitions a table by itself tells nothing. */
  private static final int MANY = 1_000;

  /** A table of the backup and its SSTables. */
  record Table(String name, List<SSTableFiles> sstables, long bytes, RingCoverage coverage) {}

  /** The content of one archive: the definition and the tables' folders by name. */
  private record Contents(Archive archive, KeyspaceDefinition definition, SortedMap<String, TableFolder> folders) {}

  long bytes() {
    return tables.stream().mapToLong(Table::bytes).sum();
  }

  long sstables() {
    return tables.stream().mapToLong(table -> table.sstables().size()).sum();
  }

  /** The reasons to take the backup for a part of the ring only, one line each; empty if there are none. */
  List<String> missingParts() {
    var lines = new ArrayList<String>();
    if (coverage.isPart()) {
      lines.add("its partitions leave gaps: " + coverage.text());
    }
    for (var table : tables) {
      if (table.coverage().partitions() >= MANY && table.coverage().chance() * tables.size() < RingCoverage.CERTAIN) {
        lines.add("the partitions of table %s leave gaps: %s".formatted(table.name(), table.coverage().text()));
      }
    }
    return lines;
  }

  static CassandraBackup prove(Archive archive, String keyspace) {
    return prove(List.of(archive), keyspace);
  }

  /** @param archives of one restore point, one of each node; their definitions must be the same */
  static CassandraBackup prove(List<Archive> archives, String keyspace) {
    var all = archives.stream().map(archive -> contents(archive, keyspace)).toList();
    var definition = all.get(0).definition();
    for (var other : all) {
      var differences = new DefinitionComparison(definition, other.definition());
      if (!differences.isSame()) {
        throw other.archive().broken("its definition is not that of %s: %s".formatted(
            archives.get(0).path, String.join("; ", differences.lines())), null);
      }
    }
    return new BackupProof(definition, all.stream().flatMap(one -> one.folders().values().stream()).toList()).prove();
  }

  private static Contents contents(Archive archive, String keyspace) {
    var all = new LinkedHashMap<String, ArchiveEntry>();
    archive.index(entry -> {
      if (!entry.folder()
          && all.put(entry.name(), entry.kind() == Kind.HARD_LINK ? linked(archive, entry, all) : entry) != null) {
        throw archive.broken("it holds '%s' twice".formatted(EntryName.shown(entry.name())), null);
      }
    });
    var definition = definition(archive, all.values(), keyspace);
    var folders = folders(archive, all.values(), keyspace);
    requireTables(archive, definition, folders);
    for (var folder : folders.values()) {
      folder.requireManifest();
      var schema = folder.text("schema.cql");
      if (schema.isPresent()) {
        definition = definition.withDroppedColumns(folder.table(), schema.get());
      }
    }
    return new Contents(archive, definition, folders);
  }

  /** The file that a hard link leads to, under the link's own name. */
  private static ArchiveEntry linked(Archive archive, ArchiveEntry entry, Map<String, ArchiveEntry> before) {
    try {
      var first = before
          .get(new String(EntryName.normal(entry.link().getBytes(StandardCharsets.UTF_8)), StandardCharsets.UTF_8));
      if (first != null) {
        return first.named(entry.path());
      }
    } catch (IOException e) {
      // a name that leads out of the archive is that of no file in it
    }
    throw archive.broken(
        "its entry '%s' is a hard link to '%s', which is not an earlier file of it".formatted(
            EntryName.shown(entry.name()), EntryName.shown(entry.link())), null);
  }

  private static KeyspaceDefinition definition(Archive archive, Collection<ArchiveEntry> entries, String keyspace) {
    for (var entry : entries) {
      var match = CQL.matcher(entry.name());
      if (match.matches() && match.group("keyspace").equals(keyspace)) {
        return KeyspaceDefinition.parse(TableFolder.text(archive, entry), keyspace);
      }
    }
    var others = entries.stream().map(entry -> CQL.matcher(entry.name())).filter(Matcher::matches)
        .map(match -> match.group("keyspace")).collect(Collectors.joining(", "));
    throw archive.broken("create_keyspace_%s.cql is missing%s".formatted(
        keyspace, others.isEmpty() ? "" : " (it is a backup of keyspace %s: set CASSANDRA_KEYSPACE)".formatted(others)),
        null);
  }

  private static SortedMap<String, TableFolder> folders(Archive archive, Collection<ArchiveEntry> entries,
      String keyspace) {
    var folders = new TreeMap<String, TableFolder>();
    for (var entry : entries) {
      var name = TABLE_FILE.matcher(entry.name());
      if (!name.matches() || !name.group("keyspace").equals(keyspace)) {
        continue;
      }
      if (!entry.file()) {
        throw archive.broken("its entry '%s' is not a plain file".formatted(entry.name()), null);
      }
      var folder =
          folders.computeIfAbsent(name.group("table"), table -> new TableFolder(archive, table, new TreeMap<>()));
      if (folder.files().put(name.group("file"), entry) != null) {
        throw archive.broken("it holds table %s twice".formatted(folder.table()), null);
      }
    }
    return folders;
  }

  private static void requireTables(Archive archive, KeyspaceDefinition definition,
      SortedMap<String, TableFolder> folders) {
    if (definition.tables().isEmpty()) {
      throw archive.broken("its definition of keyspace %s has no CREATE TABLE".formatted(definition.keyspace()), null);
    }
    folders.keySet().removeAll(definition.views()); // Cassandra makes a view's rows from those of its table
    for (var table : folders.keySet()) {
      if (!definition.tables().containsKey(table)) {
        throw archive.broken("it has files of table %s, which its definition lacks".formatted(table), null);
      }
    }
    for (var table : definition.tables().keySet()) {
      if (!folders.containsKey(table)) {
        throw archive.broken("the folder of table %s is missing".formatted(table), null);
      }
    }
  }
}
