//DEPS com.fasterxml.jackson.core:jackson-databind:2.23.0

import com.fasterxml.jackson.databind.JsonNode;
import java.io.IOException;
import java.util.SortedMap;
import java.util.TreeMap;

/**
 * The state of an index that every write changes. It is the same for as long as nobody writes to the index or deletes
 * from it, and no other index takes its place.
 *
 * @param uuid is given to an index when it is made
 * @param lastWrites the sequence number of the last write, by the number of the shard
 */
record IndexState(String uuid, SortedMap<Integer, Long> lastWrites) {
  static IndexState ask(ElasticsearchApi api, String index) throws IOException {
    var uuid = api.get(ElasticsearchApi.path(index, "_settings", "index.uuid") + "?flat_settings=true").path(index)
        .path("settings").path("index.uuid").asText();
    return new IndexState(uuid, lastWrites(api, index));
  }

  static SortedMap<Integer, Long> lastWrites(ElasticsearchApi api, String index) throws IOException {
    return lastWrites(api.get(ElasticsearchApi.path(index, "_stats") + "?level=shards").path("indices").path(index)
        .path("shards"));
  }

  /** @param shards as {@code _stats} tells them: each with all its copies */
  static SortedMap<Integer, Long> lastWrites(JsonNode shards) {
    var last = new TreeMap<Integer, Long>();
    for (var shard : shards.properties()) {
      for (var copy : shard.getValue()) {
        last.merge(Integer.valueOf(shard.getKey()), copy.path("seq_no").path("max_seq_no").asLong(-1), Math::max);
      }
    }
    return last;
  }

  /** True if a report of a restore says the same. */
  boolean isThatOf(JsonNode report) {
    return !uuid.isEmpty() && !lastWrites.isEmpty()
        && Json.MAPPER.valueToTree(this).toString().equals(report.toString());
  }
}
