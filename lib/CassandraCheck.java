//DEPS com.fasterxml.jackson.core:jackson-databind:2.23.0
//DEPS org.apache.cassandra:cassandra-all:4.1.10
//DEPS org.apache.cassandra:java-driver-core:4.19.4

import com.datastax.oss.driver.api.core.CqlIdentifier;
import com.datastax.oss.driver.api.core.metadata.Node;
import com.datastax.oss.driver.api.core.metadata.schema.KeyspaceMetadata;
import com.fasterxml.jackson.core.type.TypeReference;
import com.fasterxml.jackson.databind.JsonNode;
import java.io.Closeable;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.time.Instant;
import java.time.ZoneId;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.SortedMap;
import java.util.TreeMap;
import java.util.TreeSet;
import java.util.UUID;
import java.util.function.DoubleConsumer;
import java.util.function.LongConsumer;
import java.util.stream.Collectors;
import java.util.stream.Stream;

/**
 * Checks that every row of the backup, and no other, is on each node.
 *
 * @param client the name under which the nodes know the session
 * @param exact true if what was written since the backup is an error
 * @param countOnly true if the rows are only counted
 * @param restored what the report of the restore says; empty where there is none
 * @param names collects the attachments that the rows name
 * @param vertices collects the vertices that the rows hold
 * @param progress takes the bytes that are done
 */
record CassandraCheck(String client, CassandraSettings settings, Optional<String> password, boolean exact,
    boolean countOnly,
    Optional<RestoredBackup> restored, AttachmentNames names, GraphVertices vertices, LongConsumer progress) {

  /** Proves the archives alone: every byte of them is read. */
  void prove(List<Backup> backups, Findings findings) throws IOException {
    CassandraTools.initialise(settings.workFolder(), config -> {});
    try (var archives = new Archives(backups, password, settings.workFolder())) {
      var contents = CassandraBackup.prove(archives.list(), settings.keyspace());
      findings.ok("archive", "%s, taken %s: %s, %s in %s, complete and matching their checksums",
          backups.stream().map(backup -> backup.file().toString()).collect(Collectors.joining(" and ")),
          backups.get(0).age(),
          Count.of(contents.tables().size(), "table"), Console.size(contents.bytes()),
          Count.of(contents.sstables(), "SSTable"));
      findings.count("bytes", contents.bytes());
      checkRing(contents, findings);
      for (var backup : backups) {
        progress.accept(Files.size(backup.file()));
      }
    }
  }

  /** A part of the ring that is restored as if it were the whole destroys the rest. */
  private static void checkRing(CassandraBackup contents, Findings findings) {
    var gaps = contents.missingParts();
    if (!gaps.isEmpty()) {
      findings.failed("ring", new Failure(Exit.BAD_BACKUP,
          "the backup is a part of the ring: " + String.join("; ", gaps),
          "the rest is in the archives of the other nodes: CASSANDRA_GENERAL_ARCHIVE_PATH may name several folders"));
    }
  }

  /** The opened archives of one restore point. */
  private record Archives(List<Archive> list) implements Closeable {
    Archives(List<Backup> backups, Optional<String> password, Path folder) {
      this(new ArrayList<>());
      backups.forEach(backup -> list.add(Archive.openSeekable(backup.file(), password, folder)));
    }

    @Override
    public void close() throws IOException {
      for (var archive : list) {
        archive.close();
      }
    }
  }

  void compare(List<Backup> backups, Findings findings) throws Exception {
    CassandraTools.initialise(settings.workFolder(), config -> {});
    try (var cluster = CassandraCluster.open(settings, client);
        var archives = new Archives(backups, password, settings.workFolder())) {
      var nodes = checkNodes(cluster, findings);
      var live = cluster.session().getMetadata().getKeyspace(CqlIdentifier.fromInternal(settings.keyspace()))
          .orElseThrow(() -> new Failure(Exit.VERIFICATION, "there is no keyspace " + settings.keyspace(), null));
      checkReplication(live, cluster.dataCentres(), findings);
      var contents = CassandraBackup.prove(archives.list(), settings.keyspace());
      checkRing(contents, findings);
      checkDefinition(contents.definition(), cluster.describe().orElseThrow(), findings);
      checkGraph(cluster, backups.get(0), findings);
      var tables = checkTables(contents, live, findings);
      findings.count("bytes", contents.bytes());
      requireSpace(tables);
      compareRows(cluster, contents, tables, nodes, findings);
    }
  }

  /**
   * All nodes must answer, agree on one schema and on who is in the cluster, and stay in it; returns those that answer.
   */
  private static List<Node> checkNodes(CassandraCluster cluster, Findings findings) {
    var health = cluster.health();
    var problems = health.problems().stream().map(problem -> problem.text() + ": " + problem.mend()).toList();
    var broken = health.problems().stream().map(ClusterView.Problem::node).distinct().count();
    findings.require(problems.isEmpty(), "nodes", problems,
        problems.isEmpty() ? "%d up and normal" : "%d up; %d not up and normal, or not known to all",
        health.up().size(), broken);
    if (!health.gossip()) {
      findings.skipped("gossip",
          "which nodes join or leave is not told: by Cassandra before 4.1, or to a CASSANDRA_USER without rights"
              + " on system_views; see nodetool status");
    }
    var schemas = health.schemas();
    findings.require(schemas.size() == 1, "schema", schemas.values().stream().map(Object::toString).toList(),
        "%s on %s", schemas.size() == 1 ? "one version" : Count.of(schemas.size(), "version"),
        Count.of(health.up().size(), "node"));
    return health.up();
  }

  private static void checkReplication(KeyspaceMetadata live, SortedMap<String, Long> nodes, Findings findings) {
    var replication = new TreeMap<>(live.getReplication());
    replication.computeIfPresent("class", (key, name) -> name.substring(name.lastIndexOf('.') + 1));
    try {
      Replication.require(replication, nodes);
      findings.ok("replication", "%s on nodes %s", Replication.text(replication), nodes);
    } catch (Failure e) {
      findings.bad("replication", List.of(), "%s does not fit the nodes %s", Replication.text(replication), nodes);
    }
  }

  /** A restore may have been told another replication than the backup's. Tables that came later count if exact. */
  private void checkDefinition(KeyspaceDefinition backup, KeyspaceDefinition live, Findings findings) {
    var replication = restored.map(report -> report.details().path("replication")).filter(JsonNode::isObject)
        .map(node -> Json.MAPPER.convertValue(node, new TypeReference<TreeMap<String, String>>() {}));
    var wanted = replication.map(backup::withReplication).orElse(backup);
    var differences = new DefinitionComparison(wanted, live).lines().stream()
        .filter(line -> exact || !line.matches("(table \\S+ is )?not in the backup.*goes.*")).toList();
    findings.require(differences.isEmpty(), "definition", differences,
        differences.isEmpty() ? "columns, options, indexes and replication as in the backup%s"
            : "not that of the backup (now: the live one, then: the backup's)",
        wanted == backup || backup.replication().equals(wanted.replication()) ? ""
            : ", but for the replication that the restore was given");
  }

  /** Tells what JanusGraph left in the backup: no difference, but to be known before TheHive starts on it. */
  private void checkGraph(CassandraCluster cluster, Backup backup, Findings findings) {
    var taken = restored.isPresent() ? backup.taken().atZone(ZoneId.systemDefault()).toInstant() : Instant.EPOCH;
    GraphSettings.read(cluster.session(), settings.keyspace(), taken).ifPresent(graph -> {
      vertices.take(graph);
      graph.advice().ifPresent(text -> findings.warning("graph", List.of(), "%s", text));
    });
  }

  /** The backup's tables that are in the keyspace. */
  private List<CassandraBackup.Table> checkTables(CassandraBackup contents, KeyspaceMetadata live, Findings findings) {
    var others = new TreeSet<String>();
    live.getTables().keySet().forEach(name -> others.add(name.asInternal()));
    var wrong = new ArrayList<String>();
    var tables = new ArrayList<CassandraBackup.Table>();
    for (var table : contents.tables()) {
      if (others.remove(table.name())) {
        tables.add(table);
      } else {
        wrong.add(table.name() + " is missing");
      }
    }
    if (exact) {
      others.forEach(name -> wrong.add(name + " is not in the backup"));
    }
    findings.require(wrong.isEmpty(), "tables", wrong, "%d of the backup are in the keyspace%s", tables.size(),
        others.isEmpty() ? "" : "; not in the backup: " + String.join(", ", others));
    return tables;
  }

  private void requireSpace(List<CassandraBackup.Table> tables) throws IOException {
    var folder = settings.workFolder();
    if (!Files.isDirectory(folder)) {
      throw new Failure(Exit.USAGE, "there is no folder %s to unpack in".formatted(folder),
          "make it, or name another folder with RESTORE_WORK_PATH");
    }
    try (var leftovers = Files.newDirectoryStream(folder, "." + client + ".*.unpacked")) {
      for (var leftover : leftovers) {
        // Of a killed process. Nothing tells whether a younger one is that of another host, still at work.
        if (Files.getLastModifiedTime(leftover).toInstant().isBefore(Instant.now().minus(Duration.ofDays(1)))) {
          UnpackedTables.delete(leftover);
        }
      }
    }
    var needed = tables.stream().mapToLong(CassandraBackup.Table::bytes).sum() * 11 / 10;
    var free = Files.isWritable(folder) ? Files.getFileStore(folder).getUsableSpace() : 0;
    if (free < needed) {
      throw new Failure(Exit.UNSAFE, "unpacking needs %s in %s, where %s can be written".formatted(
          Console.size(needed), folder, Console.size(free)), "name another folder with RESTORE_WORK_PATH");
    }
  }

  private Path unpackFolder() {
    // A folder of this process's own, so that two may verify at once.
    return settings.workFolder().resolve(".%s.%d.unpacked".formatted(client, ProcessHandle.current().pid()));
  }

  /** A table that cannot be read is named, and the others are compared. */
  private void compareRows(CassandraCluster cluster, CassandraBackup contents, List<CassandraBackup.Table> tables,
      List<Node> nodes,
      Findings findings) throws IOException {
    var opened = new LinkedHashMap<CassandraBackup.Table, SSTableRows>();
    try (var unpacked = new UnpackedTables(unpackFolder(), settings.keyspace());
        Closeable readers = () -> opened.values().forEach(SSTableRows::close)) {
      for (var table : tables) {
        try {
          var metadata = contents.definition().table(table.name(), UUID.randomUUID());
          opened.put(table, new SSTableRows(metadata, unpacked.unpack(table)));
        } catch (RuntimeException e) {
          findings.failed(table.name(), new Failure(Exit.BAD_BACKUP,
              "the backup's SSTables cannot be read: " + Failure.of(e).getMessage(), null, e));
        }
      }
      var newest =
          exact ? Long.MAX_VALUE : opened.values().stream().mapToLong(SSTableRows::newest).max().orElse(Long.MAX_VALUE);
      for (var table : opened.keySet()) {
        var comparison = new RowComparison(cluster.session(), opened.get(table), newest, countOnly,
            (key, row) -> {
              names.take(table.name(), row);
              vertices.takeKey(table.name(), key.getKey());
            });
        var results = new LinkedHashMap<String, Tally>();
        for (var node : nodes) {
          results.put(CassandraCluster.host(node),
              compare(comparison, node, done -> progress.accept((long) (done * table.bytes() / nodes.size()))));
        }
        report(table.name(), results, copies(cluster), findings);
      }
    }
  }

  /** The rows of one node; the kind {@code unread} says why it could not be read. */
  private static Tally compare(RowComparison comparison, Node node, DoubleConsumer progress) {
    try {
      return comparison.compare(node, progress);
    } catch (IOException | RuntimeException e) {
      var failed = new Tally();
      failed.add("unread", Failure.of(e).getMessage());
      return failed;
    }
  }

  /**
   * Says of one table what the nodes have, each of them its part of the copies. What was only counted, or read from
   * another node's copy, is not compared.
   */
  private void report(String table, Map<String, Tally> results, int copies, Findings findings) {
    var elsewhere = results.entrySet().stream().filter(result -> result.getValue().count("elsewhere") > 0)
        .map(Map.Entry::getKey).toList();
    var differing = new ArrayList<String>();
    var details = new TreeMap<String, List<String>>();
    results.forEach((node, result) -> {
      var kinds = Stream.of("missing", "extra", "changed").filter(kind -> result.count(kind) > 0).toList();
      if (result.count("unread") > 0) {
        differing.add(node + ": cannot be read: " + String.join("; ", result.names("unread")));
      } else if (!kinds.isEmpty()) {
        differing.add(node + ": "
            + kinds.stream().map(kind -> result.count(kind) + " " + kind).collect(Collectors.joining(", ")));
      }
      kinds.forEach(kind -> result.names(kind).forEach(name ->
          details.computeIfAbsent(kind + ": " + name, key -> new ArrayList<>()).add(node)));
    });
    var lines = details.entrySet().stream().limit(Tally.MOST_NAMES).map(line -> line.getKey()
        + (line.getValue().size() == results.size() ? "" : " on " + String.join(", ", line.getValue()))).toList();
    var untimed = most(results, "untimed");
    var notes = Stream.of(
        countOnly ? ", only counted" : "",
        ", asked of " + Count.of(results.size(), "node"),
        elsewhere.isEmpty() ? ", each for its own copy"
            : ", but %s answered from another's copy (nodetool repair --validate %s compares them)"
            .formatted(String.join(" and ", elsewhere), settings.keyspace()),
        most(results, "newer") == 0 ? "" : "; %,d newer writes".formatted(most(results, "newer")),
        untimed == 0 ? ""
            : "; %,d with another value that has no write time: changed or written since (--exact)".formatted(untimed))
        .collect(Collectors.joining());
    var rows = Math.round(results.values().stream().mapToLong(result -> result.count("row")).sum() / (double) copies);
    var text = Count.of(rows, "row") + notes;
    findings.count("rows", rows);
    if (!differing.isEmpty()) {
      findings.bad(table, lines, "%s: %s", text, String.join("; ", differing));
    } else if (countOnly || !elsewhere.isEmpty() || untimed > 0) {
      findings.skipped(table, "%s", text);
    } else {
      findings.ok(table, "%s", text);
    }
  }

  /** How many nodes have each row. */
  private int copies(CassandraCluster cluster) {
    var map = cluster.session().getMetadata().getTokenMap().orElseThrow();
    var any = map.getTokenRanges().iterator().next();
    return Math.max(1, map.getReplicas(CqlIdentifier.fromInternal(settings.keyspace()), any).size());
  }

  private static long most(Map<String, Tally> results, String kind) {
    return results.values().stream().mapToLong(result -> result.count(kind)).max().orElse(0);
  }
}
