//DEPS com.fasterxml.jackson.core:jackson-databind:2.23.0
//DEPS org.elasticsearch.client:elasticsearch-rest-client:9.5.6

import com.fasterxml.jackson.databind.JsonNode;
import java.io.IOException;
import java.util.SortedMap;
import java.util.TreeMap;

/** The snapshots of a repository, asked of Elasticsearch, those that are still being taken too. */
final class ClusterSnapshots {
  private ClusterSnapshots() {}

  /** All by name. It reads the repository's index only, so that a thousand of them take no time. */
  static SortedMap<String, SnapshotState> read(ElasticsearchApi api, String repository) throws IOException {
    return api.tryGet(ElasticsearchApi.path("_snapshot", repository, "_all") + "?verbose=false")
        .map(ClusterSnapshots::states)
        .orElseThrow(() -> SnapshotSource.noRepository(repository));
  }

  static SortedMap<String, SnapshotState> states(JsonNode answer) {
    var states = new TreeMap<String, SnapshotState>();
    for (var snapshot : answer.path("snapshots")) {
      var indices = new TreeMap<String, Long>();
      snapshot.path("indices").forEach(index -> indices.put(index.asText(), -1L));
      var name = snapshot.path("snapshot").asText();
      states.put(name, new SnapshotState(name, snapshot.path("uuid").asText(),
          snapshot.path("state").asText(SnapshotState.UNKNOWN), "", false, indices));
    }
    return states;
  }
}
