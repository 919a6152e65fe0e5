import java.util.ArrayList;
import java.util.Collection;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.SortedMap;
import java.util.TreeMap;
import java.util.concurrent.Callable;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import java.util.stream.Collectors;

/** A keyspace as an archive holds it: its definition and its tables' SSTables, every byte of them read and proven. */
record CassandraBackup(KeyspaceDefinition definition, List<Table> tables, long bytes) {
  private static final Pattern TABLE_FILE =
      Pattern.compile("[^/]+/(?<keyspace>\\w+)/(?<table>\\w+)-[0-9a-f]{32}/(?<file>[^/]+)");
  private static final Pattern CQL = Pattern.compile("[^/]+/create_keyspace_(?<keyspace>\\w+)\\.cql");

  /** A table of the backup and its SSTables. */
  record Table(String name, List<SSTableFiles> sstables, long bytes) {}

  long sstables() {
    return tables.stream().mapToLong(table -> table.sstables().size()).sum();
  }

  static CassandraBackup prove(Archive archive, String keyspace) {
    var all = new LinkedHashMap<String, ArchiveEntry>();
    archive.index(entry -> {
      if (!entry.folder() && all.put(entry.name(), entry) != null) {
        throw archive.broken("it holds '%s' twice".formatted(entry.name()), null);
      }
    });
    var definition = definition(archive, all.values(), keyspace);
    var folders = folders(archive, all.values(), keyspace);
    requireTables(archive, definition, folders);
    var tables = folders.values().stream().map(folder -> new Table(folder.table(), folder.sstables(), folder.bytes())).toList();
    folders.values().forEach(TableFolder::requireManifest);
    prove(tables);
    return new CassandraBackup(definition, tables, tables.stream().mapToLong(Table::bytes).sum());
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
        keyspace, others.isEmpty() ? "" : " (it is a backup of keyspace %s: set CASSANDRA_KEYSPACE)".formatted(others)), null);
  }

  private static SortedMap<String, TableFolder> folders(Archive archive, Collection<ArchiveEntry> entries, String keyspace) {
    var folders = new TreeMap<String, TableFolder>();
    for (var entry : entries) {
      var name = TABLE_FILE.matcher(entry.name());
      if (!name.matches() || !name.group("keyspace").equals(keyspace)) {
        continue;
      }
      if (!entry.file()) {
        throw archive.broken("its entry '%s' is not a plain file".formatted(entry.name()), null);
      }
      var folder = folders.computeIfAbsent(name.group("table"), table -> new TableFolder(archive, table, new TreeMap<>()));
      if (folder.files().put(name.group("file"), entry) != null) {
        throw archive.broken("it holds table %s twice".formatted(folder.table()), null);
      }
    }
    return folders;
  }

  private static void requireTables(Archive archive, KeyspaceDefinition definition, SortedMap<String, TableFolder> folders) {
    if (definition.tables().isEmpty()) {
      throw archive.broken("its definition of keyspace %s has no CREATE TABLE".formatted(definition.keyspace()), null);
    }
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

  private static void prove(List<Table> tables) {
    var workers = Executors.newFixedThreadPool(Runtime.getRuntime().availableProcessors(), Console::daemon);
    try {
      var proofs = new ArrayList<Callable<Void>>();
      tables.forEach(table -> table.sstables().forEach(sstable -> proofs.addAll(SSTableProof.of(sstable))));
      for (Future<Void> proof : proofs.stream().map(workers::submit).toList()) {
        proof.get();
      }
    } catch (InterruptedException | ExecutionException e) {
      throw Failure.of(e);
    } finally {
      workers.shutdownNow();
    }
  }
}
