//DEPS com.fasterxml.jackson.core:jackson-databind:2.23.0
//DEPS org.elasticsearch.client:elasticsearch-rest-client:9.5.6

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.MissingNode;
import java.io.IOException;
import java.time.Duration;
import java.time.Instant;
import java.util.ArrayList;
import java.util.Collection;
import java.util.List;
import java.util.Map;
import java.util.Set;

/** Waits for the shards of indices that are restored or cloned, and says why where they make no progress. */
final class ShardWatch {
  private static final Duration STALLED = Duration.ofMinutes(5);
  private static final Duration UNREACHABLE_FOR = Duration.ofMinutes(1);
  /** Reasons for which an unassigned shard stays so once no node may take it. */
  private static final Set<String> FINAL =
      Set.of("NEW_INDEX_RESTORED", "EXISTING_INDEX_RESTORED", "CLUSTER_RECOVERED", "ALLOCATION_FAILED");
  private static final int NAMES_LENGTH = 2_500; // a request's first line holds 4 KB
  private final ElasticsearchApi api;
  private volatile long recovered;

  /** A question to the server. */
  interface Question<T> {
    T ask() throws IOException;
  }

  /** A shard that has no node, and why. */
  record Refusal(String index, int shard, AllocationExplanation explanation) {}

  ShardWatch(ElasticsearchApi api) {
    this.api = api;
  }

  /** The bytes of the indices that were watched. */
  long recovered() {
    return recovered;
  }

  /**
   * Asks until the answer is yes; false when the figure stood still for too long. A node that restarts is asked again.
   */
  boolean await(Question<Boolean> done, Question<Long> figure, Duration limit) throws Exception {
    var before = -1L;
    for (var moved = Instant.now(); Instant.now().isBefore(moved.plus(limit)); Thread.sleep(200)) {
      try {
        if (done.ask()) {
          return true;
        }
        var now = figure.ask();
        moved = now == before ? moved : Instant.now();
        before = now;
      } catch (Failure e) {
        if (e.code != Exit.UNREACHABLE || Instant.now().isAfter(moved.plus(UNREACHABLE_FOR))) {
          throw e;
        }
      }
    }
    return false;
  }

  /** Waits until every primary of the indices is started; a shard that failed, or no progress for long, is an error. */
  void awaitStarted(Collection<String> indices, String hint) throws Exception {
    if (!await(() -> primariesStarted(indices, hint), () -> recoveredBytes(indices), STALLED)) {
      var waiting = notStarted(indices).get(0);
      throw new Failure(Exit.PARTIAL, "%s makes no progress: %s".formatted(waiting.path("index").asText(),
          explain(waiting).reason()), "see GET /_cluster/allocation/explain");
    }
  }

  /**
   * Waits until every primary has a node and data arrives there; returns the first shard that no node takes, or null.
   */
  Refusal awaitReceiving(Collection<String> indices) throws Exception {
    var refused = new ArrayList<Refusal>();
    var began = await(() -> {
      refused.clear();
      refused.addAll(refusals(indices));
      return !refused.isEmpty() || allReceive(indices);
    }, () -> recoveredBytes(indices) - notStarted(indices).size(), STALLED);
    if (!began) {
      var waiting = notStarted(indices).get(0);
      return new Refusal(waiting.path("index").asText(), waiting.path("shard").asInt(), explain(waiting));
    }
    return refused.isEmpty() ? null : refused.get(0);
  }

  private List<Refusal> refusals(Collection<String> indices) throws IOException {
    var refusals = new ArrayList<Refusal>();
    for (var shard : notStarted(indices)) {
      if (shard.path("state").asText().equals("UNASSIGNED")) {
        var explanation = explain(shard);
        if (explanation.isRefused()) {
          refusals.add(new Refusal(shard.path("index").asText(), shard.path("shard").asInt(), explanation));
        }
      }
    }
    return refusals;
  }

  private boolean allReceive(Collection<String> indices) throws IOException {
    var primaries = primaries(indices);
    var receiving =
        recoveries(indices).stream().filter(shard -> shard.path("primary").asBoolean() && receives(shard)).count();
    return primaries.stream().allMatch(shard -> shard.path("state").asText().matches("INITIALIZING|STARTED|RELOCATING"))
        && receiving >= primaries.size();
  }

  private static boolean receives(JsonNode recovery) {
    var size = recovery.path("index").path("size");
    var stage = recovery.path("stage").asText();
    return !stage.equals("INIT") && (!stage.equals("INDEX") || size.path("recovered_in_bytes").asLong() > 0
        || size.path("total_in_bytes").asLong(1) == 0);
  }

  boolean isStarted(Collection<String> indices) throws IOException {
    return notStarted(indices).isEmpty();
  }

  private boolean primariesStarted(Collection<String> indices, String hint) throws IOException {
    var open = notStarted(indices);
    for (var shard : open) {
      requireNotFailed(shard, hint);
    }
    return open.isEmpty();
  }

  /** Elasticsearch tries a failed shard some times more; a restore does not go on after a restart of the cluster. */
  private void requireNotFailed(JsonNode shard, String hint) throws IOException {
    var reason = shard.path("unassigned.reason").asText();
    if (!shard.path("state").asText().equals("UNASSIGNED") || !FINAL.contains(reason)) {
      return;
    }
    var explanation = explain(shard);
    if (!explanation.isRefused()) {
      return;
    }
    throw new Failure(Exit.PARTIAL,
        "shard %d of %s failed: %s".formatted(shard.path("shard").asInt(), shard.path("index").asText(),
        reason.equals("CLUSTER_RECOVERED") ? "Elasticsearch was started again meanwhile"
                : reason.equals("ALLOCATION_FAILED")
                    ? AllocationExplanation.withoutTrace(shard.path("unassigned.details").asText())
                : explanation.reason()),
        hint);
  }

  /** The primaries that are not started. */
  private List<JsonNode> notStarted(Collection<String> indices) throws IOException {
    return primaries(indices).stream().filter(shard -> !shard.path("state").asText().matches("STARTED|RELOCATING"))
        .toList();
  }

  private List<JsonNode> primaries(Collection<String> indices) throws IOException {
    var primaries = new ArrayList<JsonNode>();
    for (var names : groups(indices)) {
      for (var shard : api.get("/_cat/shards" + ElasticsearchApi.path(names)
          + "?format=json&h=index,shard,prirep,state,unassigned.reason,unassigned.details")) {
        if (shard.path("prirep").asText().equals("p")) {
          primaries.add(shard);
        }
      }
    }
    return primaries;
  }

  private AllocationExplanation explain(JsonNode shard) throws IOException {
    return explain(shard.path("index").asText(), shard.path("shard").asInt());
  }

  AllocationExplanation explain(String index, int shard) throws IOException {
    return new AllocationExplanation(api.tryTo("POST", "/_cluster/allocation/explain",
        Map.of("index", index, "shard", shard, "primary", true), ElasticsearchApi.ABSENT)
        .orElse(MissingNode.getInstance()));
  }

  long recoveredBytes(Collection<String> indices) throws IOException {
    var bytes = 0L;
    for (var shard : recoveries(indices)) {
      bytes += shard.path("index").path("size").path("recovered_in_bytes").asLong();
    }
    recovered = Math.max(recovered, bytes);
    return bytes;
  }

  /** The recovery of each shard that was or is being filled. */
  List<JsonNode> recoveries(Collection<String> indices) throws IOException {
    var shards = new ArrayList<JsonNode>();
    for (var names : groups(indices)) {
      api.get(ElasticsearchApi.path(names, "_recovery")).forEach(index -> index.path("shards").forEach(shards::add));
    }
    return shards;
  }

  /** Names for one request each. */
  static List<String> groups(Collection<String> indices) {
    var groups = new ArrayList<String>();
    var group = new StringBuilder();
    for (var index : indices) {
      if (group.length() + index.length() > NAMES_LENGTH) {
        groups.add(group.toString());
        group.setLength(0);
      }
      group.append(group.isEmpty() ? "" : ",").append(index);
    }
    groups.add(group.toString());
    return groups;
  }

  /** True if every primary of an index is started and came whole from the snapshot. */
  boolean isRestoredFrom(String index, String repository, String snapshot) throws IOException {
    var health =
        api.get("/_cluster/health" + ElasticsearchApi.path(index) + "?level=indices").path("indices").path(index);
    var primaries = health.path("number_of_shards").asInt(-1);
    var restored = recoveries(Set.of(index)).stream().filter(shard -> shard.path("primary").asBoolean()
        && shard.path("type").asText().equals("SNAPSHOT") && shard.path("stage").asText().equals("DONE")
        && shard.path("source").path("snapshot").asText().equals(snapshot)
        && shard.path("source").path("repository").asText().equals(repository)).count();
    return primaries > 0 && health.path("active_primary_shards").asInt() == primaries && restored == primaries;
  }
}
