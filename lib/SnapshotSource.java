//DEPS com.fasterxml.jackson.core:jackson-databind:2.23.0
//DEPS org.elasticsearch.client:elasticsearch-rest-client:9.5.6

import com.fasterxml.jackson.databind.JsonNode;
import java.io.IOException;
import java.util.ArrayList;
import java.util.Collection;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.TreeSet;
import java.util.function.Predicate;

/**
 * The snapshot to restore, in its repository: whether it is whole, what it holds, whether this cluster may restore it.
 */
final class SnapshotSource {
  private final ElasticsearchApi api;
  private final String repository;
  private final Backup backup;
  private long ended;

  SnapshotSource(ElasticsearchApi api, String repository, Backup backup) {
    if (!repository.matches("[^\\s\\p{Cntrl}\\\\/*?\"<>|,#]+")) {
      throw new Failure(Exit.USAGE, "ELASTICSEARCH_SNAPSHOT_REPOSITORY '%s' is not a repository's name".formatted(
          repository.replaceAll("\\p{Cntrl}", "?")),
          "it has no blanks, no line breaks and none of \\ / * ? \" < > | , #");
    }
    this.api = api;
    this.repository = repository;
    this.backup = backup;
  }

  String repository() {
    return repository;
  }

  String name() {
    return backup.name();
  }

  private String path(String... more) {
    var names = new ArrayList<>(List.of("_snapshot", repository));
    names.addAll(List.of(more));
    return ElasticsearchApi.path(names.toArray(String[]::new));
  }

  void requireRepository(ElasticsearchCluster cluster) throws IOException {
    if (api.tryGet(path()).isEmpty()) {
      throw noRepository(repository);
    }
    var verified = verify().path("nodes").size();
    if (verified < cluster.repositoryNodes()) {
      throw new Failure(Exit.UNSAFE,
          "repository %s is verified on %d of %d nodes".formatted(repository, verified, cluster.repositoryNodes()),
          "mount it on every node at the same path");
    }
  }

  static Failure noRepository(String repository) {
    return new Failure(Exit.BAD_BACKUP, "Elasticsearch has no snapshot repository " + repository,
        "register it as before the backup, or set ELASTICSEARCH_SNAPSHOT_REPOSITORY");
  }

  private JsonNode verify() throws IOException {
    try {
      return api.call("POST", path("_verify"), null);
    } catch (Failure e) {
      throw e.code == Exit.AUTHENTICATION ? e
          : new Failure(e.code, "cannot verify repository %s: %s".formatted(repository, e.getMessage()),
              "every node must have it mounted at the same path, readable and writable", e);
    }
  }

  /** The snapshot's indices, the largest first. */
  List<SnapshotIndex> requireWhole(ElasticsearchCluster cluster) throws IOException {
    var snapshot = read(cluster).orElseThrow(() -> new Failure(Exit.BAD_BACKUP,
        "repository %s has no snapshot %s, though its marker %s exists".formatted(repository, backup.name(),
            backup.file()),
        "the backup failed after its marker was written: choose another with --backup"));
    var state = snapshot.path("state").asText();
    var failed = snapshot.path("shards").path("failed").asInt();
    if (!state.equals("SUCCESS") || failed > 0) {
      throw new Failure(Exit.BAD_BACKUP,
          "snapshot %s is %s, %d of its shards failed".formatted(backup.name(), state, failed),
          state.equals("IN_PROGRESS") ? "it is still being taken: wait for its end" : "choose another with --backup");
    }
    var version = snapshot.path("version").asText();
    // Names both versions, before questions that a server cannot answer of a version that it does not know; whether a
    // version that it knows can be restored, it is asked itself.
    if (!version.isEmpty() && !SnapshotVersion.isRestorable(version, cluster.version(), cluster.openSearch())) {
      throw new Failure(Exit.BAD_BACKUP,
          "snapshot %s was taken by version %s, which version %s cannot restore".formatted(
          backup.name(), version, cluster.version()), "restore it with the same major version or the next");
    }
    ended = snapshot.path("end_time_in_millis").asLong();
    return indices(snapshot, cluster);
  }

  private Optional<JsonNode> read(ElasticsearchCluster cluster) throws IOException {
    try {
      return api.tryGet(path(backup.name())).map(answer -> answer.path("snapshots").path(0));
    } catch (Failure e) {
      throw e.code != Exit.UNSAFE ? e : new Failure(Exit.UNSAFE, e.getMessage(),
          "version %s cannot read this repository: did another one write it, or is it damaged?"
              .formatted(cluster.version()),
          e);
    }
  }

  private List<SnapshotIndex> indices(JsonNode snapshot, ElasticsearchCluster cluster) throws IOException {
    var sizes = status(cluster).path("snapshots").path(0).path("indices");
    var names = new TreeSet<String>();
    snapshot.path("indices").forEach(name -> names.add(name.asText()));
    return names.stream().map(name -> index(name, sizes.path(name)))
        .sorted((one, other) -> Long.compare(other.bytes(), one.bytes())).toList();
  }

  /** It reads the definition of every index, which a later version may not be able to. */
  private JsonNode status(ElasticsearchCluster cluster) throws IOException {
    try {
      return api.get(path(backup.name(), "_status"));
    } catch (Failure e) {
      throw cannotRestore("an index", cluster, e);
    }
  }

  private static SnapshotIndex index(String name, JsonNode status) {
    var size = status.path("stats").path("total").path("size_in_bytes").asLong();
    var largest = status.path("shards").valueStream()
        .mapToLong(shard -> shard.path("stats").path("total").path("size_in_bytes").asLong()).max();
    return new SnapshotIndex(name, status.path("shards_stats").path("total").asInt(), size, largest.orElse(size));
  }

  /**
   * Asks the server itself, without a restore: under a name that no index can have, it refuses just that name. Only the
   * server sees in which version an index was made, which may be older than the one that took the snapshot.
   */
  void requireRestorable(Collection<SnapshotIndex> indices, ElasticsearchCluster cluster) throws IOException {
    for (var index : indices) {
      try {
        restore(index.name(), ElasticsearchRights.impossible(index.name()), false, Map.of(), List.of());
      } catch (Failure e) {
        if (isNotAsked(e) || !e.getMessage().contains("[" + ElasticsearchRights.impossible(index.name()))) {
          throw cannotRestore(index.name(), cluster, e);
        }
      }
    }
  }

  private static boolean isNotAsked(Failure e) {
    return Set.of(Exit.AUTHENTICATION, Exit.UNREACHABLE).contains(e.code);
  }

  /** The server's words about an index, unless it could not be asked. */
  private Failure cannotRestore(String index, ElasticsearchCluster cluster, Failure said) {
    return isNotAsked(said) ? said
        : new Failure(Exit.BAD_BACKUP,
            "version %s cannot restore %s of snapshot %s: %s".formatted(cluster.version(), index, backup.name(),
                said.getMessage()),
            "restore it with the same major version or the next; an index made before that must have been reindexed",
            said);
  }

  /** No index that a snapshot is being taken of can be deleted: the nightly backup may be at work. */
  void requireNoneRunning(Predicate<String> indices) throws IOException {
    for (var running : api.get("/_snapshot/_status").path("snapshots")) {
      for (var index : running.path("indices").propertyStream().map(Map.Entry::getKey).filter(indices).toList()) {
        throw new Failure(Exit.UNSAFE,
            "snapshot %s of %s is being taken right now".formatted(running.path("snapshot").asText(), index),
            "wait for its end, and see that no other backup starts");
      }
    }
  }

  /** Begins to restore an index under a name. */
  void restore(String index, String name, boolean aliases, Map<String, ?> settings, List<String> ignoredSettings)
      throws IOException {
    var body = new HashMap<String, Object>(
        Map.of("indices", index, "include_global_state", false, "include_aliases", aliases));
    if (!name.equals(index)) {
      body.putAll(
          Map.of("rename_pattern", "^.+$", "rename_replacement", name.replace("\\", "\\\\").replace("$", "\\$")));
    }
    if (!settings.isEmpty()) {
      body.put("index_settings", settings);
      body.put("ignore_index_settings", ignoredSettings);
    }
    api.call("POST", path(backup.name(), "_restore"), body);
  }

  /**
   * A restored index keeps the date of its creation: one that a client made meanwhile is younger than the snapshot. An
   * index made within a quarter of a second before the snapshot's end can seem younger: Elasticsearch's clock of
   * snapshots moves every 200 ms.
   */
  boolean isOlder(long created) {
    return created <= ended;
  }
}
