//DEPS com.fasterxml.jackson.core:jackson-databind:2.23.0

import com.fasterxml.jackson.databind.JsonNode;
import java.io.IOException;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Optional;
import java.util.Set;
import java.util.TreeMap;

/**
 * Compares TheHive's indices with the snapshot: health, settings, mappings, aliases and every document. Each index of
 * the snapshot is restored under another name for that, and removed again.
 *
 * @param restored what the report of a restore of the backup says; empty where there is none
 * @param exact true if what was written since the backup is an error
 * @param countOnly true if documents are only counted, and nothing is restored
 * @param vertices collects those that the documents name
 */
record IndexCheck(ElasticsearchApi api, String repository, Backup backup, Optional<RestoredBackup> restored,
    boolean exact, boolean countOnly, GraphVertices vertices) {
  private static final List<String> USUAL = List.of("thehive_global");

  void compare(Findings findings) throws Exception {
    var cluster = ElasticsearchCluster.ask(api);
    var source = new SnapshotSource(api, repository, backup);
    var indices = snapshot(source, cluster, findings);
    var names =
        indices.isEmpty() ? Set.copyOf(USUAL) : new LinkedHashSet<>(indices.stream().map(SnapshotIndex::name).toList());
    var live = LiveIndices.ask(api, names);
    SnapshotCopy.removeLeftovers(api, live);
    for (var name : names) {
      var index = indices.stream().filter(one -> one.name().equals(name)).findFirst();
      compare(name, index, source, findings);
    }
    for (var other : live.others(Set.copyOf(names))) {
      if (!SnapshotCopy.isCopy(other.name())) {
        findings.skipped("index", "%s is not in the snapshot (%s): a restore leaves it as it is",
            other.name(), Count.of(other.documents(), "document"));
      }
    }
  }

  /** The snapshot's indices that a restore brings back; empty where the snapshot cannot be restored. */
  private List<SnapshotIndex> snapshot(SnapshotSource source, ElasticsearchCluster cluster, Findings findings)
      throws IOException {
    try {
      var leftOut = new HashSet<String>();
      restored.ifPresent(report -> report.details().path("leftOut").forEach(name -> leftOut.add(name.asText())));
      var indices = source.requireWhole(cluster).stream().filter(index -> !index.name().startsWith(".")).toList();
      indices.stream().filter(index -> leftOut.contains(index.name()))
          .forEach(index -> findings.skipped("index", "%s was left out of the restore (--index)", index.name()));
      return indices.stream().filter(index -> !leftOut.contains(index.name())).toList();
    } catch (Failure e) {
      findings.failed("snapshot", e);
      return List.of();
    }
  }

  private void compare(String name, Optional<SnapshotIndex> index, SnapshotSource source, Findings findings)
      throws Exception {
    var definition = api.tryGet(ElasticsearchApi.path(name));
    if (definition.isEmpty() || !definition.get().has(name)) {
      findings.bad("index", List.of(), definition.isEmpty() ? "there is no %s" : "%s is an alias, not an index", name);
    } else if (!checkHealth(name, definition.get().path(name).at("/settings/index"), findings)) {
      findings.skipped("documents", "%s: not all primary shards are there", name);
    } else if (index.isPresent()) {
      var isKnown = checkCount(name, findings);
      if (countOnly) {
        findings.skipped("content", "%s: documents only counted%s", name,
            isKnown ? "" : ", and no report of a restore tells how many there were");
      } else {
        compareContent(index.get(), definition.get().path(name), source, findings);
      }
    }
  }

  /** True if every primary shard is there. */
  private boolean checkHealth(String index, JsonNode settings, Findings findings) throws IOException {
    var replicas = settings.path("number_of_replicas").asInt();
    var health = api.get(ElasticsearchApi.path("_cluster", "health", index));
    var status = health.path("status").asText();
    var nodes = health.path("number_of_data_nodes").asInt();
    var shards = api.get(ElasticsearchApi.path("_cat", "shards", index)
        + "?format=json&h=shard,prirep,state,unassigned.reason");
    var open = new ArrayList<String>();
    for (var shard : shards) {
      if (!shard.path("state").asText().matches("STARTED|RELOCATING")) {
        open.add("shard %s (%s) is %s: %s".formatted(shard.path("shard").asText(),
            shard.path("prirep").asText().equals("p") ? "primary" : "replica",
            shard.path("state").asText(), shard.path("unassigned.reason").asText("-")));
      }
    }
    // More copies are wanted than there are nodes: none of these lacks its own, and none has left.
    var few =
        status.equals("yellow") && replicas >= nodes && open.stream().noneMatch(shard -> shard.endsWith(" NODE_LEFT"))
        && health.path("active_shards").asInt() == health.path("active_primary_shards").asInt() * nodes;
    findings.require(status.equals("green") || few, "health", open,
        "%s is %s, %s%s, %d of %s started",
        index, status, Count.of(nodes, "data node"), few ? ", too few for " + Count.of(replicas, "replica") : "",
        health.path("active_shards").asInt(), Count.of(shards.size(), "shard"));
    return !status.equals("red");
  }

  /** Compares the number of documents with that at the end of the restore; false where no report tells it. */
  private boolean checkCount(String index, Findings findings) throws IOException {
    var documents = restored.map(report -> report.details().path("documentsOf").path(index).asLong(-1)).orElse(-1L);
    if (documents < 0) {
      return false;
    }
    var count = api.get(ElasticsearchApi.path(index, "_count")).path("count").asLong();
    findings.require(count == documents || count > documents && !exact, "documents", List.of(),
        "%s: %,d now, %,d as restored from the snapshot%s",
        index, count, documents, count > documents ? "; %,d newer".formatted(count - documents) : "");
    return true;
  }

  /** Compares only the state where no copy can be made; a failure after that is an error. */
  private void compareContent(SnapshotIndex index, JsonNode live, SnapshotSource source, Findings findings)
      throws Exception {
    SnapshotCopy made;
    try {
      made = new SnapshotCopy(api, source, index);
    } catch (Failure e) {
      findings.skipped("definition", "%s: not compared with the snapshot: %s", index.name(), e.getMessage());
      compareState(index.name(), findings);
      return;
    }
    try (var copy = made) {
      var mapping = api.get(ElasticsearchApi.path(copy.name, "_mapping")).path(copy.name).path("mappings");
      compareDefinition(index, copy, mapping, live, source, findings);
      compareDocuments(index, copy, mapping.path("_source"), findings);
    }
  }

  /** Without a copy the sequence numbers tell whether the index is still as it was restored. */
  private void compareState(String index, Findings findings) throws IOException {
    var noted = restored.map(report -> report.details().path("stateOf").path(index)).filter(JsonNode::isObject);
    if (noted.isPresent() && IndexState.ask(api, index).isThatOf(noted.get())) {
      findings.ok("content", "%s: as it was restored: by its sequence numbers nobody wrote to it since", index);
    } else {
      findings.skipped("content", "%s: not compared with the snapshot%s", index, noted.isEmpty() ? ""
          : "; by its sequence numbers it was written to since its restore");
    }
  }

  /** @param stored what the mapping says of {@code _source}; nothing where it keeps all of a document */
  private void compareDocuments(SnapshotIndex index, SnapshotCopy copy, JsonNode stored, Findings findings)
      throws IOException {
    vertices.takeIndex(index.name());
    var tally = new IndexContents(api, index.name(), copy.name, exact)
        .compare(index.shards(), id -> vertices.takeDocument(index.name(), id));
    findings.count("documents", tally.count("document"));
    findings.count("bytes", index.bytes());
    var newer = tally.count("newer") == 0 ? "" : "; %,d written or deleted since".formatted(tally.count("newer"));
    var details = new ArrayList<String>();
    for (var kind : List.of("missing", "changed", "extra")) {
      tally.names(kind).forEach(id -> details.add(kind + ": " + id));
    }
    if (details.isEmpty() && !stored.isMissingNode()) {
      findings.skipped("content", "%s: %s of the snapshot; only compared as far as its mapping keeps them: _source %s",
          index.name(), Count.of(tally.count("document"), "document"), stored);
      return;
    }
    findings.require(details.isEmpty(), "content", details, "%s: %s of the snapshot%s%s", index.name(),
        Count.of(tally.count("document"), "document"),
        details.isEmpty() ? ", each the same" : ": %,d missing, %,d changed, %,d extra".formatted(
            tally.count("missing"), tally.count("changed"), tally.count("extra")), newer);
  }

  private void compareDefinition(SnapshotIndex index, SnapshotCopy copy, JsonNode mapping, JsonNode live,
      SnapshotSource source, Findings findings) throws IOException {
    var backup = new IndexDefinitions(api, source, new ShardWatch(api)).read(index, copy.definition());
    var present = new TreeMap<String, JsonNode>();
    api.get(ElasticsearchApi.path(index.name(), "_settings") + "?flat_settings=true").path(index.name())
        .path("settings").forEachEntry(present::put);
    var lines = new ArrayList<>(IndexComparison.settings(backup.settings(), present));
    lines.addAll(IndexComparison.mappings(mapping, live.path("mappings"), exact));
    var wanted = backup.aliases().or(() -> restored.map(report -> report.details().path("aliasesOf").path(index.name()))
        .filter(JsonNode::isObject));
    wanted.ifPresent(aliases -> lines.addAll(IndexComparison.aliases(aliases, live.path("aliases"))));
    var impossible = impossible(index.name());
    lines.removeIf(line -> line.startsWith("setting ")
        && impossible.stream().anyMatch(text -> text.contains(line.replaceFirst("^setting (.*?): .*", "$1"))));
    impossible.forEach(text -> findings.skipped("definition", "%s", text));
    findings.require(lines.isEmpty(), "definition", lines, "%s: %s", index.name(), lines.isEmpty()
        ? wanted.isPresent() ? "settings, mapping and aliases as in the snapshot"
            : "settings and mapping as in the snapshot"
        : "%d settings, fields or aliases are not as in the snapshot".formatted(lines.size()));
    if (wanted.isEmpty()) {
      findings.skipped("aliases",
          "%s: the snapshot does not tell them while a live index takes what is written through one of them",
          index.name());
    }
  }

  /** Settings of the snapshot that this cluster cannot have, as the restore found. */
  private List<String> impossible(String index) {
    var texts = new ArrayList<String>();
    restored.ifPresent(report -> report.details().path("notAsInTheSnapshot").forEach(text -> texts.add(text.asText())));
    return texts.stream().filter(text -> text.contains(index)).toList();
  }
}
