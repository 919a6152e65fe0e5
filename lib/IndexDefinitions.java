//DEPS com.fasterxml.jackson.core:jackson-databind:2.23.0
//DEPS org.elasticsearch.client:elasticsearch-rest-client:9.5.6

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.BooleanNode;
import com.fasterxml.jackson.databind.node.IntNode;
import java.io.IOException;
import java.util.ArrayList;
import java.util.Collections;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.TreeMap;
import java.util.regex.Pattern;

/**
 * Reads what settings and aliases an index of the snapshot has, and gives them to the restored index. Elasticsearch
 * tells them only of an index that exists: it is restored for a moment under a temporary name, on a node that does not
 * exist.
 */
final class IndexDefinitions {
  /** An index that has it tells nothing of itself. */
  private static final String BLOCK_METADATA = "index.blocks.metadata";
  private static final String NOWHERE = "index.routing.allocation.include._id";
  private static final Pattern SHARDS_TO_ADD = Pattern.compile("would add \\[(\\d+)] (?:total )?shards");
  private static final Pattern WRITE_CONFLICT = Pattern.compile("alias \\[([^]]*)] has more than one write index");
  private final ElasticsearchApi api;
  private final SnapshotSource source;
  private final ShardWatch watch;

  IndexDefinitions(ElasticsearchApi api, SnapshotSource source, ShardWatch watch) {
    this.api = api;
    this.source = source;
    this.watch = watch;
  }

  IndexDefinition read(SnapshotIndex index, String temporary) throws IOException {
    try {
      return new IndexDefinition(settings(index, temporary, Map.of()), aliases(index, temporary));
    } catch (Failure e) {
      // With its replicas there are more shards than the cluster allows: their number is in the refusal.
      var shards = SHARDS_TO_ADD.matcher(e.getMessage());
      if (!shards.find()) {
        throw e;
      }
      var replicas = Math.max(0, Integer.parseInt(shards.group(1)) / Math.max(1, index.shards()) - 1);
      return new IndexDefinition(settings(index, temporary, Map.of(IndexDefinition.REPLICAS, 0)),
          aliases(index, temporary))
          .withReplicas(IntNode.valueOf(replicas));
    }
  }

  private TreeMap<String, JsonNode> settings(SnapshotIndex index, String temporary, Map<String, Object> changes)
      throws IOException {
    var settings = new HashMap<>(changes);
    settings.put(NOWHERE, "none");
    try {
      source.restore(index.name(), temporary, false, settings, List.of());
      var all = readSettings(temporary);
      all.remove(NOWHERE);
      return all;
    } finally {
      remove(temporary);
    }
  }

  private TreeMap<String, JsonNode> readSettings(String index) throws IOException {
    var all = new TreeMap<String, JsonNode>();
    try {
      api.get(ElasticsearchApi.path(index, "_settings") + "?flat_settings=true").path(index).path("settings")
          .forEachEntry(all::put);
      return all;
    } catch (Failure e) {
      if (!ElasticsearchError.isBlock(e, BLOCK_METADATA)) {
        throw e;
      }
      put(index, Collections.singletonMap(BLOCK_METADATA, null));
      all = readSettings(index);
      all.put(BLOCK_METADATA, BooleanNode.TRUE);
      return all;
    }
  }

  /** Empty while a live index takes what is written through one of these aliases: there cannot be two. */
  Optional<JsonNode> aliases(SnapshotIndex index, String temporary) throws IOException {
    try {
      return Optional.of(readAliases(index, temporary));
    } catch (Failure e) {
      if (WRITE_CONFLICT.matcher(e.getMessage()).find()) {
        return Optional.empty();
      }
      throw e;
    }
  }

  /** The aliases, once the live index is gone; an index that stays gives up to be written through one of them. */
  JsonNode aliasesOfWriteIndex(SnapshotIndex index, String temporary, LiveIndices live, Set<String> replaced)
      throws IOException {
    var given = new HashSet<String>();
    while (true) {
      try {
        return readAliases(index, temporary);
      } catch (Failure e) {
        var conflict = WRITE_CONFLICT.matcher(e.getMessage());
        if (!conflict.find() || !given.add(conflict.group(1))) {
          throw e;
        }
        act(giveUpWriting(conflict.group(1), live, replaced));
      }
    }
  }

  private JsonNode readAliases(SnapshotIndex index, String temporary) throws IOException {
    var settings = new HashMap<String, Object>(IndexDefinition.ofCopy());
    settings.put(NOWHERE, "none");
    try {
      source.restore(index.name(), temporary, true, settings, IndexDefinition.NOT_ON_A_COPY);
      return api.get(ElasticsearchApi.path(temporary, "_alias")).path(temporary).path("aliases");
    } finally {
      remove(temporary);
    }
  }

  /** Deletes a temporary index, whatever block is on it. */
  void remove(String index) throws IOException {
    try {
      api.delete(index);
    } catch (Failure e) {
      if (e.code != Exit.UNSAFE) {
        throw e;
      }
      var blocks = new HashMap<String, Object>();
      List.of("read_only", "read_only_allow_delete", "metadata")
          .forEach(block -> blocks.put("index.blocks." + block, null));
      put(index, blocks);
      api.delete(index);
    }
  }

  private void put(String index, Map<String, ?> settings) throws IOException {
    api.call("PUT", ElasticsearchApi.path(index, "_settings"), settings);
  }

  /** Gives an index its replicas; says why it has fewer here. */
  List<String> applyReplicas(String index, IndexDefinition definition) throws IOException {
    var refused = new ArrayList<String>();
    put(index, IndexDefinition.withoutCopys());
    if (definition.expand().isPresent()) {
      apply(index, Map.of(IndexDefinition.EXPAND, definition.expand().get()), refused);
    } else {
      applyReplicas(index, definition.replicas(), refused);
    }
    return refused;
  }

  /** Gives an index its allocation filters; says which this cluster cannot have, and why. */
  List<String> applyAllocation(String index, int shards, IndexDefinition definition) throws IOException {
    var refused = new ArrayList<String>();
    var filters = definition.allocation();
    if (!filters.isEmpty() && apply(index, filters, refused)) {
      requirePlace(index, shards, filters, refused);
    }
    return refused;
  }

  /** The policy and the blocks, after which nothing about the index can be changed. */
  List<String> applyPolicyAndBlocks(String index, IndexDefinition definition) throws IOException {
    var refused = new ArrayList<String>();
    apply(index, definition.lifecycle(), refused);
    var blocks = new TreeMap<>(definition.with("index.blocks."));
    for (var block : List.of(BLOCK_METADATA, "index.blocks.read")) {
      if (blocks.containsKey(block) && blocks.remove(block).asBoolean()) {
        refused.add(block + ": neither TheHive nor verify.java could read the index");
      }
    }
    apply(index, blocks, refused);
    return refused;
  }

  private boolean apply(String index, Map<String, ?> settings, List<String> refused) throws IOException {
    var before = refused.size();
    if (settings.isEmpty()) {
      return true;
    }
    try {
      put(index, settings);
    } catch (Failure all) {
      requireRefusal(all);
      for (var setting : settings.entrySet()) {
        try {
          put(index, Map.of(setting.getKey(), setting.getValue()));
        } catch (Failure e) {
          requireRefusal(e);
          refused.add("%s (%s): %s".formatted(setting.getKey(), setting.getValue(), e.getMessage()));
        }
      }
    }
    return refused.size() == before;
  }

  private static void requireRefusal(Failure failure) {
    if (failure.code != Exit.UNSAFE) {
      throw failure;
    }
  }

  /** Gives an index as many replicas as the cluster takes. */
  private void applyReplicas(String index, int wanted, List<String> refused) throws IOException {
    Failure reason = null;
    for (var replicas = wanted; replicas >= 0; replicas--) {
      try {
        put(index, Map.of(IndexDefinition.REPLICAS, replicas));
        if (reason != null) {
          refused.add(
              "%s is %d instead of %d: %s".formatted(IndexDefinition.REPLICAS, replicas, wanted, reason.getMessage()));
        }
        return;
      } catch (Failure e) {
        requireRefusal(e);
        reason = reason == null ? e : reason;
      }
    }
    refused.add("%s (%d): %s".formatted(IndexDefinition.REPLICAS, wanted, reason == null ? "" : reason.getMessage()));
  }

  /**
   * Takes filters back that no node here satisfies: after its next start the cluster would not find a place for the
   * shards.
   */
  private void requirePlace(String index, int shards, Map<String, JsonNode> routing, List<String> refused)
      throws IOException {
    for (var shard = 0; shard < shards; shard++) {
      var explanation = watch.explain(index, shard);
      if (explanation.mustLeaveItsNode()) {
        var none = new HashMap<String, Object>();
        routing.keySet().forEach(name -> none.put(name, null));
        put(index, none);
        refused.add("%s: %s".formatted(routing, explanation.reason()));
        return;
      }
    }
  }

  /** Adds the aliases; an index that stays no longer takes what is written through one of them, where this one does. */
  void applyAliases(String index, JsonNode aliases, LiveIndices live, Set<String> replaced) throws IOException {
    var actions = new ArrayList<Map<String, Object>>();
    for (var alias : aliases.properties()) {
      if (alias.getValue().path("is_write_index").asBoolean()) {
        actions.addAll(giveUpWriting(alias.getKey(), live, replaced));
      }
      actions.add(add(index, alias.getKey(), alias.getValue(), Map.of()));
    }
    act(actions);
  }

  private static List<Map<String, Object>> giveUpWriting(String alias, LiveIndices live, Set<String> replaced) {
    return live.writeIndices(alias, replaced).stream()
        .map(other -> add(other, alias, live.aliases().get(other).path(alias), Map.of("is_write_index", false)))
        .toList();
  }

  private void act(List<Map<String, Object>> actions) throws IOException {
    if (!actions.isEmpty()) {
      api.call("POST", "/_aliases", Map.of("actions", actions));
    }
  }

  private static Map<String, Object> add(String index, String alias, JsonNode definition, Map<String, Object> changes) {
    var body = new HashMap<String, Object>();
    definition.forEachEntry(body::put);
    body.putAll(changes);
    body.put("index", index);
    body.put("alias", alias);
    return Map.of("add", body);
  }
}
