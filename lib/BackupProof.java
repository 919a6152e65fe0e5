import java.util.ArrayList;
import java.util.Comparator;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.SortedMap;
import java.util.TreeMap;
import java.util.UUID;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;

/** Proves the SSTables of a keyspace's tables, several at a time, each through its table's definition. */
record BackupProof(KeyspaceDefinition definition, List<TableFolder> folders) {
  CassandraBackup prove() {
    var statistics = new TreeMap<String, List<SSTableStatistics>>();
    for (var folder : folders) {
      var all = statistics.computeIfAbsent(folder.table(), table -> new ArrayList<>());
      folder.sstables().forEach(files -> {
        files.version();
        all.add(SSTableStatistics.read(files));
      });
    }
    var complete = withDroppedColumns(statistics);
    var samples = read(complete, statistics);
    var together = new NumberSample();
    var tables = new ArrayList<CassandraBackup.Table>();
    statistics.forEach((table, sstables) -> {
      together.addAll(samples.get(table));
      tables.add(new CassandraBackup.Table(table, sstables.stream().map(SSTableStatistics::files).toList(),
          folders.stream().filter(folder -> folder.table().equals(table)).mapToLong(TableFolder::bytes).sum(),
          RingCoverage.of(samples.get(table))));
    });
    return new CassandraBackup(complete, List.copyOf(tables), RingCoverage.of(together));
  }

  /** A column that SSTables have and the definition does not was dropped; if no schema.cql says when, then now. */
  private KeyspaceDefinition withDroppedColumns(SortedMap<String, List<SSTableStatistics>> statistics) {
    var complete = definition;
    var now = System.currentTimeMillis() * 1000;
    for (var table : statistics.keySet()) {
      for (var sstable : statistics.get(table)) {
        for (var statics : List.of(true, false)) {
          var columns = new LinkedHashMap<String, String>();
          sstable.unknownColumns(complete.table(table, new UUID(0, 0)), statics, columns::put);
          for (var column : columns.entrySet()) {
            complete = complete.withDroppedColumn(table, column.getKey(), column.getValue(), statics, now);
          }
        }
      }
    }
    return complete;
  }

  /** Reads all SSTables, the largest first; returns the tokens of each table's partitions. */
  private static Map<String, NumberSample> read(KeyspaceDefinition definition,
      SortedMap<String, List<SSTableStatistics>> all) {
    var workers = Executors.newFixedThreadPool(Runtime.getRuntime().availableProcessors(), Console::daemon);
    try {
      var samples = new TreeMap<String, NumberSample>();
      var reads = new ArrayList<Runnable>();
      var sizes = new LinkedHashMap<Runnable, Long>();
      all.forEach((name, sstables) -> {
        var table = definition.table(name, new UUID(0, 0));
        var sample = samples.computeIfAbsent(name, key -> new NumberSample());
        for (var sstable : sstables) {
          Runnable read = () -> SSTableProof.prove(sstable, table, sample);
          reads.add(read);
          sizes.put(read, sstable.files().require(SSTableFiles.DATA).size());
        }
      });
      reads.sort(Comparator.comparing(sizes::get, Comparator.reverseOrder()));
      for (Future<?> read : reads.stream().map(workers::submit).toList()) {
        read.get();
      }
      return samples;
    } catch (InterruptedException | ExecutionException e) {
      throw Failure.of(e);
    } finally {
      workers.shutdownNow();
    }
  }
}
