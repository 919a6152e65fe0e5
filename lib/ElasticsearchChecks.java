//DEPS com.fasterxml.jackson.core:jackson-databind:2.23.0
//DEPS org.elasticsearch.client:elasticsearch-rest-client:9.5.6

import com.fasterxml.jackson.databind.node.MissingNode;
import java.io.IOException;
import java.time.Instant;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.HashSet;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.stream.Collectors;

/** Asks all that must be known before a restore of Elasticsearch, and makes the plan; changes nothing. */
final class ElasticsearchChecks {
  private static final String DISK = "cluster.routing.allocation.disk.";
  private final ElasticsearchApi api;
  private final SnapshotSource source;
  private final ElasticsearchRestore.Options options;

  ElasticsearchChecks(ElasticsearchApi api, SnapshotSource source, ElasticsearchRestore.Options options) {
    this.api = api;
    this.source = source;
    this.options = options;
  }

  ElasticsearchPlan plan(String stamp, IndexReplacement replacement) throws IOException {
    var cluster = ElasticsearchCluster.ask(api);
    requireNothingUnderWay();
    source.requireRepository(cluster);
    var all = source.requireWhole(cluster);
    var wanted = requireWanted(all, options.indices());
    var names = wanted.stream().map(SnapshotIndex::name).collect(Collectors.toCollection(LinkedHashSet::new));
    source.requireNoneRunning(names::contains);
    cluster.requireChangeable(); // before the question for rights, which such a block refuses, too
    var rate = wantedRate(cluster);
    ElasticsearchRights.requireToRestore(api, names, rate.isPresent());
    source.requireRestorable(wanted, cluster);
    var live = LiveIndices.ask(api, names);
    live.requireReplaceable(api, names);
    cluster.requireDeletable(names);
    requireNoOtherRestore(
        names.stream().filter(name -> live.get(name).filter(LiveIndices.Index::open).isPresent()).toList());
    var leftovers = live.leftovers(names);
    var complete = new HashSet<String>();
    for (var index : wanted) {
      if (!options.inPlace() && leftovers.contains(index.copy(stamp)) && replacement.isComplete(index)) {
        complete.add(index.copy(stamp));
      }
    }
    var plan = new ElasticsearchPlan(api.toString(), cluster, source.name(), stamp, wanted,
        all.stream().map(SnapshotIndex::name).filter(name -> !name.startsWith(".") && !names.contains(name)).toList(),
        all.stream().map(SnapshotIndex::name).filter(name -> name.startsWith(".")).toList(),
        live, complete, leftovers, changed(live, names), RecoveryRate.now(cluster), rate);
    requireShardsAllowed(plan);
    requireRoom(plan);
    return plan;
  }

  /** A limit that the command line does not ask for is set only where the user may set it. */
  private Optional<String> wantedRate(ElasticsearchCluster cluster) throws IOException {
    var rate = RecoveryRate.wanted(options.recoveryRate(), cluster);
    var mayBe = options.recoveryRate() != null || rate.isEmpty() || ElasticsearchRights.mayChangeSettings(api);
    return mayBe ? rate : Optional.empty();
  }

  private Map<String, Instant> changed(LiveIndices live, Set<String> names) throws IOException {
    var changed = new HashMap<String, Instant>();
    for (var name : names) {
      if (live.get(name).filter(index -> index.documents() > 0).isPresent()) {
        NewestChange.of(api, name).ifPresent(time -> changed.put(name, time));
      }
    }
    return changed;
  }

  /** The snapshot's indices, or those of them that are named. */
  static List<SnapshotIndex> requireWanted(List<SnapshotIndex> all, List<String> named) {
    var own = all.stream().filter(index -> !index.name().startsWith(".")).toList();
    var names = own.stream().map(SnapshotIndex::name).toList();
    var unknown = named.stream().filter(name -> !names.contains(name)).toList();
    if (!unknown.isEmpty()) {
      throw new Failure(Exit.USAGE,
          "the snapshot does not contain %s but %s".formatted(String.join(", ", unknown), String.join(", ", names)),
          "check --index");
    }
    if (own.isEmpty()) {
      throw new Failure(Exit.BAD_BACKUP, all.isEmpty() ? "the snapshot contains no index"
          : "the snapshot contains no index of TheHive, only "
              + all.stream().map(SnapshotIndex::name).collect(Collectors.joining(", ")),
          "choose another with --backup");
    }
    if (named.isEmpty() && names.stream().noneMatch(LiveIndices::isMain)) {
      throw new Failure(Exit.BAD_BACKUP,
          "the snapshot does not contain TheHive's main index, such as thehive_global, but %s"
              .formatted(String.join(", ", names)),
          "choose another with --backup; if that index has another name, give all names with --index");
    }
    return named.isEmpty() ? own : own.stream().filter(index -> named.contains(index.name())).toList();
  }

  /**
   * First of all: a node with few cores answers what is asked of snapshots only when a restore or a snapshot that is
   * under way has ended.
   */
  private void requireNothingUnderWay() throws IOException {
    var named = options.indices();
    requireNoOtherRestore(named.isEmpty() ? List.of("*_global*") : named);
    source.requireNoneRunning(named.isEmpty() ? LiveIndices::isMain : named::contains);
  }

  /**
   * Another tool's restore, such as the documented script's, that is still at work on the same indices.
   *
   * @param names may contain wildcards
   */
  private void requireNoOtherRestore(List<String> names) throws IOException {
    for (var group : names.isEmpty() ? List.<String>of() : ShardWatch.groups(names)) {
      for (var index : api.get(ElasticsearchApi.path(group, "_recovery") + "?active_only=true&ignore_unavailable=true")
          .properties()) {
        if (!LiveIndices.isCopy(index.getKey()) && index.getValue().path("shards").valueStream()
            .anyMatch(shard -> shard.path("type").asText().equals("SNAPSHOT"))) {
          throw new Failure(Exit.UNSAFE, "%s is being restored from a snapshot right now".formatted(index.getKey()),
              "wait for the end of that restore");
        }
      }
    }
  }

  /**
   * The live indices, their copies, and an index with its clone that shows whether cloning works are open at the same
   * time.
   */
  private void requireShardsAllowed(ElasticsearchPlan plan) throws IOException {
    var open = 0;
    for (var index : api
        .tryTo("GET", "/_cat/indices?format=json&h=status,pri,rep&expand_wildcards=all", null, Set.of(403))
        .orElse(MissingNode.getInstance())) {
      open += index.path("status").asText().equals("open") ? index.path("pri").asInt() * (1 + index.path("rep").asInt())
          : 0;
    }
    var more = 2 + plan.indices().stream().filter(index -> !plan.complete().contains(index.copy(plan.stamp())))
        .mapToInt(SnapshotIndex::shards).sum();
    var allowed = plan.cluster().dataNodes()
        * plan.cluster().setting("cluster.max_shards_per_node").map(Integer::parseInt).orElse(Integer.MAX_VALUE / 1000);
    if (open - leftShards(plan) + more > allowed) {
      throw new Failure(Exit.UNSAFE,
          "the restore needs %d more shards, but %d are open and the cluster allows %d".formatted(more, open, allowed),
          "raise cluster.max_shards_per_node, or delete indices that nobody needs");
    }
  }

  /** At least so many shards does the removal of leftovers close. */
  private static int leftShards(ElasticsearchPlan plan) {
    return plan.indices().stream().allMatch(plan::isLive) ? plan.useless().size() : 0;
  }

  /** Leaves every node the part of its disk without which Elasticsearch gives it no more shards. */
  private void requireRoom(ElasticsearchPlan plan) throws IOException {
    var cluster = plan.cluster();
    var watched = cluster.setting(DISK + "threshold_enabled").map(Boolean::parseBoolean).orElse(true);
    var disks = DiskRoom.of(api.get("/_cat/allocation?format=json&bytes=b"),
        watched ? cluster.setting(DISK + "watermark.low").orElse("85%") : "100%",
        cluster.setting(DISK + "watermark.low.max_headroom"));
    var missing = plan.indices().stream().filter(index -> !plan.complete().contains(index.copy(plan.stamp()))).toList();
    var bytes = missing.stream().mapToLong(SnapshotIndex::bytes).sum();
    var freed = freed(plan);
    if (disks.total() + freed < bytes) {
      throw new Failure(Exit.UNSAFE, "Elasticsearch has room for %s, a second copy of %s needs %s".formatted(
          Console.size(disks.total() + freed), String.join(", ", plan.names()), Console.size(bytes)),
          "free some%s"
              .formatted(options.inPlace() ? "" : ", or restore with --in-place (deletes the live indices first)"));
    }
    var homeless = freed > 0 ? disks.withoutRoom(List.of())
        : disks.withoutRoom(missing.stream().map(SnapshotIndex::largestShard).toList());
    if (homeless.isPresent()) {
      throw new Failure(Exit.UNSAFE,
          "no Elasticsearch node has room for a shard of %s below its disk watermark"
              .formatted(Console.size(homeless.get())),
          "free some on one node, or restore with --in-place (deletes the live indices first)");
    }
  }

  /**
   * Bytes of what is removed first: an interrupted run's copies, where they cannot be the only ones, and with
   * --in-place the live indices.
   */
  private long freed(ElasticsearchPlan plan) {
    var live = plan.indices().stream().allMatch(plan::isLive);
    var first = new ArrayList<String>(live ? plan.useless() : List.of());
    if (options.inPlace()) {
      first.addAll(plan.names());
    }
    return first.stream().flatMap(name -> plan.live().get(name).stream()).mapToLong(LiveIndices.Index::bytes).sum();
  }
}
