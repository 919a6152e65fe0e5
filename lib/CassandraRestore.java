//DEPS com.fasterxml.jackson.core:jackson-databind:2.23.0
//DEPS org.apache.cassandra:cassandra-all:4.1.10
//DEPS org.apache.cassandra:java-driver-core:4.19.4
//DEPS commons-io:commons-io:2.22.0

import com.datastax.oss.driver.api.core.DriverException;
import com.fasterxml.jackson.databind.JsonNode;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.time.Instant;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.TreeSet;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.Executors;
import java.util.stream.Collectors;
import org.apache.cassandra.dht.Murmur3Partitioner;
import org.apache.commons.io.FileUtils;

/** Restores the keyspace from the backup of Cassandra. */
final class CassandraRestore implements Database {
  private static final String READER = "verify";

  /**
   * The options of one run.
   *
   * @param replication in place of the backup's; null for the backup's
   * @param throttle limit for streaming in MB a second; 0 for none
   * @param connections streams for each table and node
   * @param partialRing true to restore a backup that holds only a part of the ring
   */
  record Options(String replication, boolean partialRing, int throttle, int connections) {
    Options {
      if (throttle < 0 || connections < 1) {
        throw new Failure(Exit.USAGE,
            throttle < 0 ? "--throttle %d is not a rate".formatted(throttle)
                : "--connections-per-host %d is too few".formatted(connections),
            throttle < 0 ? "MB a second, or 0 for no limit" : "1 or more");
      }
    }
  }

  private final String script;
  private final CassandraSettings settings;
  private final Options options;
  private final Optional<String> archivePassword;
  private final RestoreConsole console;
  private final List<Archive> archives = new ArrayList<>();
  private List<Backup> backups;
  private CassandraCluster cluster;
  private CassandraPlan plan;
  private KeyspaceStreaming streaming;

  CassandraRestore(String script, CassandraSettings settings, Options options, Optional<String> archivePassword,
      RestoreConsole console) {
    this.script = script;
    this.settings = settings;
    this.options = options;
    this.archivePassword = archivePassword;
    this.console = console;
  }

  @Override
  public Name name() {
    return Name.CASSANDRA;
  }

  @Override
  public List<Backup> choose(String point, Duration gap) {
    var chosen = BackupSet.ofNodes(settings.archives()).chooseAll(point, gap);
    chosen.warnings().forEach(warning -> console.warn("%s", warning));
    backups = chosen.backups();
    return backups;
  }

  @Override
  public void check(JsonNode unfinished) {
    try {
      plan = makePlan(unfinished);
    } catch (DriverException e) {
      throw CassandraCluster.failure(e);
    } catch (InterruptedException e) {
      throw new IllegalStateException(e);
    }
  }

  private CassandraPlan makePlan(JsonNode unfinished) throws InterruptedException {
    var opened = CompletableFuture.supplyAsync(() -> CassandraCluster.open(settings, script));
    TableStreaming.initialise(options.throttle(), work());
    backups
        .forEach(backup -> archives.add(Archive.openSeekable(backup.file(), archivePassword, settings.workFolder())));
    var proof = CompletableFuture.supplyAsync(() -> CassandraBackup.prove(archives, settings.keyspace()));
    cluster = opened.join();
    requireNodes();
    requireNoOtherClients();
    var ports = new StoragePorts(cluster, settings.internode());
    var encryption = ports.encryption();
    ports.requireReachable(cluster.nodes(), encryption.isPresent());
    var rows = CompletableFuture.supplyAsync(() -> RowEstimate.of(cluster.session(), settings.keyspace()));
    var contents = proof.join();
    var doubt = doubt(contents);
    var target = target(contents.definition());
    Replication.require(target.replication(), cluster.dataCentres());
    var grants = grants(unfinished, target);
    requireRoom(contents.bytes());
    var nodes = cluster.nodes();
    var rooms = nodes.stream().flatMap(node -> NodeRoom.of(cluster, node, settings.keyspace()).stream()).toList();
    var withoutSnapshot = nodes.stream().filter(node -> cluster.setting(node, "auto_snapshot").equals("false"))
        .map(CassandraCluster::host).toList();
    var made = new CassandraPlan(contents, doubt, target, cluster.describe(), rows.join(), cluster.name(), nodes,
        cluster.version(), cluster.usage(), rooms,
        grants, encryption, withoutSnapshot, work());
    rooms.forEach(room -> room.require(
        made.bytesForEachNode() - (withoutSnapshot.contains(room.node()) ? made.usage() : 0), settings.keyspace()));
    return made;
  }

  /** All must answer, agree on one schema and be neither joining nor leaving; and clients must see all of them. */
  private void requireNodes() throws InterruptedException {
    var health = cluster.health();
    health.requireNoProblem();
    if (!health.gossip()) {
      console.warn("this Cassandra does not tell whether nodes are joining or leaving: look at nodetool status");
    }
    cluster.awaitSchemaAgreement();
    if (!cluster.partitioner().equals(Murmur3Partitioner.class.getName())) {
      throw new Failure(Exit.UNSAFE, "Cassandra's partitioner %s is not supported".formatted(cluster.partitioner()),
          "only Murmur3Partitioner, the default, is");
    }
  }

  /** TheHive or anything else that still writes would mix its rows into the restored ones. */
  private void requireNoOtherClients() {
    var others = cluster.otherClients(script, READER);
    if (!others.isEmpty()) {
      console.refuseUnlessForced(
          new Failure(Exit.UNSAFE, "other clients are connected to Cassandra: " + String.join(", ", others),
          "stop TheHive on every node: ./jbang service-control.java stop; --force if they do not write"));
    }
  }

  /** Throws if the backup is a part of the ring; returns what its few partitions leave open. */
  private Optional<String> doubt(CassandraBackup contents) {
    var missing = contents.missingParts();
    if (!missing.isEmpty()) {
      var text = "the backup holds only a part of the ring: " + String.join("; ", missing);
      if (!options.partialRing()) {
        throw new Failure(Exit.BAD_BACKUP, text,
            "restore the archives of all nodes together: name their folders in CASSANDRA_GENERAL_ARCHIVE_PATH,"
            + " with commas; --partial-ring restores this part alone, and what it lacks is lost");
      }
      return Optional.of(text);
    }
    return RingDoubt.of(contents.coverage(), cluster.tokens(), contents.definition().replication(), archives.size());
  }

  private KeyspaceDefinition target(KeyspaceDefinition backup) {
    return options.replication() == null ? backup
        : backup.withReplication(KeyspaceDefinition.replication(options.replication()));
  }

  /** Dropping a keyspace drops the grants on it: those there are now, those an interrupted run noted, and TheHive's. */
  private List<String> grants(JsonNode unfinished, KeyspaceDefinition target) {
    var present = new CassandraGrants(cluster.session(), settings.keyspace());
    var user = settings.connection().user();
    if (user.isEmpty() || !present.requireSuperuser(user.get())) {
      return List.of();
    }
    var grants = new TreeSet<>(present.present(target.tables().keySet()));
    unfinished.path("grants").forEach(grant -> grants.add(grant.asText()));
    if (present.hasRole(settings.role())) {
      grants.add(present.all(settings.role()));
    } else {
      console.warn("there is no role %s to grant keyspace %s to: create it, or set CASSANDRA_THEHIVE_USER",
          settings.role(), settings.keyspace());
    }
    return List.copyOf(grants);
  }

  private Path work() {
    return settings.workFolder().resolve("." + script + ".unpacked");
  }

  private void requireRoom(long bytes) {
    var folder = settings.workFolder();
    var hint = "name another folder with RESTORE_WORK_PATH";
    try {
      // What a killed run left unpacked is removed before anything is unpacked again.
      var free = Files.getFileStore(folder).getUsableSpace()
          + (Files.exists(work()) ? FileUtils.sizeOfDirectory(work().toFile()) : 0);
      if (free < bytes + bytes / 10) {
        throw new Failure(Exit.UNSAFE,
            "%s has %s free, unpacking needs %s".formatted(folder, Console.size(free), Console.size(bytes)), hint);
      }
      if (!Files.isWritable(folder)) {
        throw new Failure(Exit.UNSAFE, "cannot write to " + folder, hint);
      }
    } catch (IOException e) {
      throw new Failure(Exit.UNSAFE, "cannot use %s to unpack: %s".formatted(folder, Failure.of(e).getMessage()), hint);
    }
  }

  @Override
  public String cluster() {
    return plan.cluster();
  }

  @Override
  public List<String> plan() {
    return plan.lines();
  }

  @Override
  public void prepare() throws InterruptedException {
    requireStillSafe();
  }

  /**
   * Proof, question and the other database may have taken long: what was true of nodes and clients then must be true
   * now.
   */
  private void requireStillSafe() throws InterruptedException {
    try {
      requireNodes();
      requireNoOtherClients();
      var planned = plan.nodes().stream().map(CassandraCluster::host).sorted().toList();
      var present = cluster.nodes().stream().map(CassandraCluster::host).sorted().toList();
      if (!planned.equals(present)) {
        throw new Failure(Exit.UNSAFE, "the cluster's nodes are others than in the plan: %s instead of %s".formatted(
            String.join(", ", present), String.join(", ", planned)), "run the same command again");
      }
    } catch (DriverException e) {
      throw CassandraCluster.failure(e);
    }
  }

  @Override
  public void restore(RestoreRun run) throws Exception {
    requireStillSafe();
    run.remember("grants", plan.grants());
    streaming =
        new KeyspaceStreaming(cluster, plan.target(), plan.encryption(), options.connections(), run.steps, console);
    var workers = Executors.newFixedThreadPool(plan.contents().tables().size() + 1, Console::daemon);
    try (var unpacked = new UnpackedTables(plan.work(), settings.keyspace())) {
      var folders = plan.contents().tables().stream()
          .collect(Collectors.toMap(table -> table, table -> workers.submit(() -> unpacked.unpack(table))));
      run.steps.time(name(), plan.keepsDefinition() ? "truncate" : "create the keyspace", this::emptyKeyspace);
      streaming.stream(plan.nodes(), folders, workers);
      requireNoLateClients();
      run.steps.time(name(), "grant", () -> plan.grants().forEach(cluster.session()::execute));
      GraphSettings.read(cluster.session(), settings.keyspace(), Instant.MAX).flatMap(GraphSettings::advice)
          .ifPresent(text -> console.warn("%s", text));
    } catch (DriverException e) {
      throw CassandraCluster.failure(e);
    } finally {
      workers.shutdownNow();
    }
  }

  private void emptyKeyspace() throws InterruptedException {
    var reset = new KeyspaceReset(cluster, plan.target(), plan.nodes());
    if (plan.keepsDefinition()) {
      console.step("Truncating %s of %s", Count.of(plan.tables().size(), "table"), settings.keyspace());
      reset.truncate(plan.tables());
      return;
    }
    if (plan.live().isPresent()) {
      console.step("Dropping keyspace %s", settings.keyspace());
      reset.drop();
    }
    console.step("Creating keyspace %s as in the backup", settings.keyspace());
    reset.create();
  }

  private void requireNoLateClients() {
    var others = cluster.otherClients(script, READER);
    if (!others.isEmpty() && !console.force) {
      throw new Failure(Exit.PARTIAL,
          "other clients came while Cassandra was restored and may have written to it: " + String.join(", ", others),
          "stop TheHive on every node, ./jbang service-control.java stop, and run the same command again");
    }
  }

  @Override
  public String state() {
    return plan == null ? "" : "Cassandra %d of %d tables".formatted(streaming == null ? 0 : streaming.tablesDone(),
        plan.contents().tables().stream().filter(table -> !table.sstables().isEmpty()).count());
  }

  @Override
  public long done() {
    return streaming == null ? 0 : Math.min(streaming.streamed(), total());
  }

  @Override
  public long total() {
    return plan.bytes();
  }

  @Override
  public long size() {
    return plan.contents().bytes();
  }

  @Override
  public Map<String, Object> summary() {
    var tables = plan.contents().tables().stream().map(table -> Map.of("name", table.name(), "sstables",
        table.sstables().size(), "bytes", table.bytes())).toList();
    var files = backups.stream().map(backup -> backup.file().toString()).toList();
    return Map.of("backup", backups.get(0).name(), "archive", files.get(0), "archives", files, "keyspace",
        settings.keyspace(), "sameDefinition", plan.keepsDefinition(), "replication", plan.target().replication(),
        "cluster", plan.cluster(), "version", plan.version(), "tables", tables, "grants", plan.grants());
  }

  @Override
  public void close() throws IOException {
    if (cluster != null) {
      cluster.close();
    }
    for (var archive : archives) {
      archive.close();
    }
  }
}
