//DEPS com.fasterxml.jackson.core:jackson-databind:2.23.0
//DEPS org.elasticsearch.client:elasticsearch-rest-client:9.5.6

import com.fasterxml.jackson.databind.JsonNode;
import java.io.IOException;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Collection;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.TreeMap;

/** Restores indices of a snapshot under temporary names, and puts each in the place of the live one. */
final class IndexReplacement {
  private static final String UNTOUCHED = "the live indices were not touched: run the same command again";
  private final ElasticsearchApi api;
  private final SnapshotSource source;
  private final ShardWatch watch;
  private final IndexDefinitions definitions;
  private final Console console;
  private final String stamp;
  private final Set<String> begun = new HashSet<>();
  private boolean withdrawn;

  /** A request that makes an index. */
  private interface Creation {
    void run() throws IOException;
  }

  /** @param stamp the backup's time, which the temporary names end in */
  IndexReplacement(ElasticsearchApi api, SnapshotSource source, ShardWatch watch, Console console, String stamp) {
    this.api = api;
    this.source = source;
    this.watch = watch;
    this.definitions = new IndexDefinitions(api, source, watch);
    this.console = console;
    this.stamp = stamp;
  }

  synchronized IndexDefinition definition(SnapshotIndex index) throws IOException {
    requireNotWithdrawn();
    var temporary = index.copy(stamp) + "_settings";
    begun.add(temporary);
    return definitions.read(index, temporary);
  }

  /** True if an earlier run restored the copy completely. */
  boolean isComplete(SnapshotIndex index) throws IOException {
    return "true".equals(setting(index.copy(stamp), "index.blocks.write"))
        && watch.isRestoredFrom(index.copy(stamp), source.repository(), source.name());
  }

  synchronized void beginCopy(SnapshotIndex index) throws IOException {
    requireNotWithdrawn();
    var copy = index.copy(stamp);
    begun.add(copy);
    create(copy,
        () -> source.restore(index.name(), copy, false, IndexDefinition.ofCopy(), IndexDefinition.NOT_ON_A_COPY));
  }

  /**
   * Waits until every shard of every copy has a node and receives its data.
   *
   * @param inPlace the live indices go first: free disk space is then no reason to refuse
   */
  void requireReceiving(Collection<String> copies, boolean inPlace) throws Exception {
    var refusal = copies.isEmpty() ? null : watch.awaitReceiving(copies);
    if (refusal != null && !(inPlace && refusal.explanation().isOnlyDisk())) {
      throw new Failure(Exit.UNSAFE,
          "no node takes shard %d of %s: %s".formatted(refusal.shard(), refusal.index(),
              refusal.explanation().reason()),
          "the live indices were not touched; see GET /_cluster/allocation/explain");
    }
  }

  /**
   * Makes a small index of the same settings, clones it, gives the clone settings and aliases, and deletes both. Its
   * name does not begin with the index's: a template for such indices could give it a policy, or an alias to write
   * through.
   */
  synchronized List<String> probe(SnapshotIndex index, IndexDefinition definition, String prefix) throws Exception {
    requireNotWithdrawn();
    var probe = prefix + "_restoring_" + stamp + "_probe";
    var clone = probe + "_twin";
    begun.addAll(List.of(probe, clone));
    try {
      createProbe(probe, definition);
      requireStarted(probe, index);
      cloneIndex(probe, clone);
      requireStarted(clone, index);
      count(clone); // a right of its own
      var refused = definitions.applyAllocation(clone, 1, definition);
      if (definition.aliases().isPresent()) {
        definitions.applyAliases(clone, renamed(definition.aliases().get(), clone),
            new LiveIndices(new TreeMap<>(), Map.of()), Set.of());
      }
      return refused;
    } finally {
      definitions.remove(clone);
      definitions.remove(probe);
    }
  }

  private static JsonNode renamed(JsonNode aliases, String clone) {
    var renamed = Json.MAPPER.createObjectNode();
    aliases.forEachEntry((name, alias) -> renamed.set(clone + "_" + renamed.size(), alias));
    return renamed;
  }

  private void createProbe(String probe, IndexDefinition definition) throws IOException {
    definitions.remove(probe);
    try {
      create(probe, () -> put(probe, definition.ofProbe()));
    } catch (Failure e) {
      if (e.code != Exit.UNSAFE) {
        throw e;
      }
      // A setting that an old index may keep, but no new one may have.
      var plain = new HashMap<String, Object>(IndexDefinition.ofCopy());
      plain.put("index.number_of_shards", 1);
      create(probe, () -> put(probe, plain));
    }
  }

  private void put(String index, Map<String, Object> settings) throws IOException {
    api.call("PUT", ElasticsearchApi.path(index) + "?wait_for_active_shards=0", Map.of("settings", settings));
  }

  private void requireStarted(String probe, SnapshotIndex index) throws Exception {
    if (!watch.await(() -> watch.isStarted(Set.of(probe)), () -> watch.recoveredBytes(Set.of(probe)),
        Duration.ofSeconds(30))) {
      throw new Failure(Exit.UNSAFE,
          "no node takes a copy of %s: %s".formatted(index.name(), watch.explain(probe, 0).reason()),
          "the live indices were not touched; free some room, or restore with --in-place");
    }
  }

  private void cloneIndex(String from, String to) throws IOException {
    create(to, () -> api.call("PUT", ElasticsearchApi.path(from, "_clone", to) + "?wait_for_active_shards=0",
        Map.of("settings", IndexDefinition.ofClone())));
  }

  void awaitCopies(Collection<String> copies) throws Exception {
    watch.awaitStarted(copies, UNTOUCHED);
  }

  /** Elasticsearch may refuse to clone, for want of disk say: found out while the live index is still there. */
  void tryCloning(SnapshotIndex index) throws Exception {
    var probe = index.copy(stamp) + "_probe";
    try {
      definitions.remove(probe);
      cloneIndex(index.copy(stamp), probe);
      requireStarted(probe, index);
    } finally {
      definitions.remove(probe);
    }
  }

  /** Only now is the live index removed: a complete copy is in the cluster, and cloning it links its files. */
  long replaceLive(SnapshotIndex index) throws Exception {
    var documents = count(index.copy(stamp));
    console.step("Replacing %s by the restored index (%s)", index.name(), Count.of(documents, "document"));
    api.delete(index.name());
    cloneIndex(index.copy(stamp), index.name());
    watch.awaitStarted(Set.of(index.name()), "the restored copy is complete: run the same command again");
    var cloned = watch.recoveries(Set.of(index.name())).stream().filter(shard -> shard.path("primary").asBoolean())
        .allMatch(shard -> shard.path("type").asText().equals("LOCAL_SHARDS"));
    // a shard that has moved to another node since tells no more where it came from
    if (!cloned && !setting(index.name(), "index.resize.source.name").equals(index.copy(stamp))
        || count(index.name()) != documents) {
      throw madeMeanwhile("%s is not a copy of the restored index", index.name());
    }
    return documents;
  }

  long restoreInPlace(SnapshotIndex index) throws Exception {
    console.step("Deleting %s and restoring it from snapshot %s", index.name(), source.name());
    api.delete(index.name());
    create(index.name(), () -> source.restore(index.name(), index.name(), false, IndexDefinition.ofCopy(),
        IndexDefinition.NOT_ON_A_COPY));
    watch.awaitStarted(Set.of(index.name()), "run the same command again");
    // where a node has restarted since, the index's age tells
    if (!watch.isRestoredFrom(index.name(), source.repository(), source.name())
        && !source.isOlder(Long.parseLong(setting(index.name(), "index.creation_date")))) {
      throw madeMeanwhile("%s did not come from the snapshot", index.name());
    }
    return count(index.name());
  }

  private static Failure madeMeanwhile(String what, String index) {
    return new Failure(Exit.PARTIAL, what.formatted(index) + ": something else made it meanwhile",
        "is TheHive stopped? Then run the same command again");
  }

  /** The aliases that the snapshot's index has; all can be read now that the live index is replaced. */
  JsonNode aliases(SnapshotIndex index, IndexDefinition definition, LiveIndices live, Set<String> replaced)
      throws IOException {
    return definition.aliases().isPresent() ? definition.aliases().get()
        : definitions.aliasesOfWriteIndex(index, index.copy(stamp) + "_settings", live, replaced);
  }

  /** Gives the index that is now live what the snapshot's has; says what it cannot have in this cluster. */
  List<String> complete(SnapshotIndex index, IndexDefinition definition, JsonNode aliases, LiveIndices live,
      Set<String> replaced) throws IOException {
    var refused = new ArrayList<>(definitions.applyReplicas(index.name(), definition));
    refused.addAll(definitions.applyAllocation(index.name(), index.shards(), definition));
    definitions.applyAliases(index.name(), aliases, live, replaced);
    refused.addAll(definitions.applyPolicyAndBlocks(index.name(), definition));
    return refused;
  }

  /** Removes what this run began, and lets it begin nothing more. */
  synchronized void withdraw() throws IOException {
    withdrawn = true;
    remove(Set.copyOf(begun));
  }

  private void requireNotWithdrawn() {
    if (withdrawn) {
      throw new Failure(Exit.DECLINED, "interrupted, nothing was changed", null);
    }
  }

  synchronized void remove(Collection<String> indices) throws IOException {
    for (var index : indices) {
      definitions.remove(index);
      begun.remove(index);
    }
  }

  private String setting(String index, String name) throws IOException {
    return api.tryGet(ElasticsearchApi.path(index, "_settings") + "?flat_settings=true")
        .map(answer -> answer.path(index).path("settings").path(name).asText()).orElse("");
  }

  /**
   * A time-out of ours is not the end of it: the server goes on, and the index, which was not there before, tells. With
   * several hosts the client asks the next one, which answers that the index exists.
   */
  private void create(String index, Creation creation) throws IOException {
    try {
      creation.run();
    } catch (Failure e) {
      if (api.tryGet(ElasticsearchApi.path(index, "_alias")).isEmpty()) {
        throw e;
      }
      console.warn("%s; but %s is there: following it", e.getMessage(), index);
    }
  }

  private long count(String index) throws IOException {
    api.call("POST", ElasticsearchApi.path(index, "_refresh"), null);
    return api.get(ElasticsearchApi.path(index, "_count")).path("count").asLong(-1);
  }

  /** Green where there are nodes enough for all replicas, yellow otherwise; a warning where that takes long. */
  void awaitHealth(String index, int dataNodes) throws Exception {
    var replicas = setting(index, IndexDefinition.REPLICAS);
    var wanted = replicas.isEmpty() || Integer.parseInt(replicas) < dataNodes ? "green" : "yellow";
    var healthy = watch.await(() -> List.of("green", wanted).contains(status(index)),
        () -> watch.recoveredBytes(Set.of(index)) + health(index).path("active_shards").asInt(), Duration.ofMinutes(1));
    if (!healthy && status(index).equals("red")) {
      throw new Failure(Exit.PARTIAL, "%s is red: %s".formatted(index, watch.explain(index, 0).reason()),
          "see GET /_cluster/allocation/explain");
    }
    if (!healthy) {
      console.warn("%s is complete but stays %s: not all replicas are allocated", index, status(index));
    }
  }

  private JsonNode health(String index) throws IOException {
    return api.get("/_cluster/health" + ElasticsearchApi.path(index));
  }

  private String status(String index) throws IOException {
    return health(index).path("status").asText();
  }
}
