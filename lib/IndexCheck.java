//DEPS com.fasterxml.jackson.core:jackson-databind:2.23.0

import com.fasterxml.jackson.databind.JsonNode;
import java.io.IOException;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;

/**
 * Checks that the index is whole and has as many documents as the snapshot had.
 *
 * @param restored what the report of a restore of the backup says; empty where there is none
 * @param reportFolder where the report was looked for
 * @param exact true if more documents are an error
 */
record IndexCheck(ElasticsearchApi api, String index, Optional<RestoredBackup> restored, String reportFolder, boolean exact) {
  void compare(Findings findings) throws IOException {
    var live = api.tryGet("/" + index);
    if (live.isEmpty() || !live.get().has(index)) {
      findings.bad("index", List.of(), live.isEmpty() ? "there is no %s" : "%s is an alias, not an index", index);
    } else if (checkHealth(live.get().at("/" + index + "/settings/index"), findings)) {
      checkDocuments(api.get("/%s/_count".formatted(index)).path("count").asLong(), findings);
    } else {
      findings.skipped("documents", "not counted: not all primary shards are there");
    }
  }

  /** True if every primary shard is there. */
  private boolean checkHealth(JsonNode settings, Findings findings) throws IOException {
    var replicas = settings.path("number_of_replicas").asInt();
    var health = api.get("/_cluster/health/" + index);
    var status = health.path("status").asText();
    var nodes = health.path("number_of_data_nodes").asInt();
    var shards = api.get("/_cat/shards/%s?format=json&h=shard,prirep,state,unassigned.reason".formatted(index));
    var open = new ArrayList<String>();
    for (var shard : shards) {
      if (!shard.path("state").asText().matches("STARTED|RELOCATING")) {
        open.add("shard %s (%s) is %s: %s".formatted(shard.path("shard").asText(),
            shard.path("prirep").asText().equals("p") ? "primary" : "replica",
            shard.path("state").asText(), shard.path("unassigned.reason").asText("-")));
      }
    }
    // More copies are wanted than there are nodes: none of these lacks its own, and none has left.
    var few = status.equals("yellow") && replicas >= nodes && open.stream().noneMatch(shard -> shard.endsWith(" NODE_LEFT"))
        && health.path("active_shards").asInt() == health.path("active_primary_shards").asInt() * nodes;
    findings.require(status.equals("green") || few, "health", open, "%s is %s, %d data nodes%s, %d of %d shards started",
        index, status, nodes, few ? ", too few for %d replicas".formatted(replicas) : "",
        health.path("active_shards").asInt(), shards.size());
    return !status.equals("red");
  }

  private void checkDocuments(long count, Findings findings) {
    if (restored.isEmpty() || !restored.get().details().has("documents")) {
      findings.skipped("documents", "%,d; no report of a restore of this backup in %s to compare with", count, reportFolder);
      return;
    }
    var documents = restored.get().details().path("documents").asLong();
    var good = count == documents || count > documents && !exact;
    findings.require(good, "documents", List.of(), "%,d now, %,d as restored from the snapshot%s", count, documents,
        count > documents ? "; %,d newer".formatted(count - documents) : "");
  }
}
