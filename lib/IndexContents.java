//DEPS com.fasterxml.jackson.core:jackson-databind:2.23.0
//DEPS commons-codec:commons-codec:1.23.0

import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.cfg.JsonNodeFeature;
import com.fasterxml.jackson.databind.json.JsonMapper;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.function.Consumer;
import org.apache.commons.codec.digest.DigestUtils;

/**
 * Compares the documents of a live index with those of a copy that was restored from the snapshot, shard by shard: a
 * restored index has the shards of the snapshot. Kinds of the tally: {@code document} of the snapshot, {@code missing},
 * {@code extra}, {@code changed}, {@code newer} (written or deleted since).
 *
 * @param exact true if what was written since is an error
 */
record IndexContents(ElasticsearchApi api, String live, String copy, boolean exact) {
  private static final int PAGE = 500;
  private static final ObjectMapper SORTED =
      JsonMapper.builder().enable(JsonNodeFeature.WRITE_PROPERTIES_SORTED).build();

  /** The documents of a shard of the snapshot: a digest by id. {@code last} is the number of the last write. */
  record Shard(Map<String, Long> digests, long last) {
    /** Takes a document of the live index out, and adds what it is to the tally. */
    void compare(String id, long digest, long number, boolean exact, Tally tally) {
      var stored = digests.remove(id);
      if (stored != null && stored == digest) {
        return;
      }
      if (number > last && !exact) {
        tally.add("newer", 1);
      } else {
        tally.add(stored == null ? "extra" : "changed", id);
      }
    }

    /** Counts the rest as missing; of writes that cannot be seen in a document, each may have deleted one. */
    void finish(long liveLast, boolean exact, Tally tally) {
      var deletions = exact ? 0 : Math.max(0, liveLast - last - tally.count("newer"));
      for (var id : digests.keySet()) {
        if (deletions-- > 0) {
          tally.add("newer", 1);
        } else {
          tally.add("missing", id);
        }
      }
    }
  }

  /** @param visitor sees the {@code _id} of every document of the snapshot */
  Tally compare(int shards, Consumer<String> visitor) throws IOException {
    var total = new Tally();
    var copied = IndexState.lastWrites(api, copy);
    var present = IndexState.lastWrites(api, live);
    for (var number = 0; number < shards; number++) {
      var tally = new Tally();
      var shard = new Shard(new HashMap<>(), copied.getOrDefault(number, -1L));
      scan(copy, number, hit -> {
        shard.digests().put(hit.path("_id").asText(), digest(hit));
        visitor.accept(hit.path("_id").asText());
      });
      tally.add("document", shard.digests().size());
      scan(live, number,
          hit -> shard.compare(hit.path("_id").asText(), digest(hit), hit.path("_seq_no").asLong(), exact, tally));
      shard.finish(present.getOrDefault(number, -1L), exact, tally);
      total.add(tally);
    }
    return total;
  }

  /** Documents asked for at once: an index may allow fewer. */
  private int page(String index) throws IOException {
    var setting = "index.max_result_window";
    return Math.min(PAGE, api.get(ElasticsearchApi.path(index, "_settings", setting) + "?flat_settings=true")
        .path(index).path("settings").path(setting).asInt(PAGE));
  }

  private void scan(String index, int shard, Consumer<JsonNode> visitor) throws IOException {
    var query = Map.of("size", page(index), "sort", List.of("_doc"), "seq_no_primary_term", true);
    var page = api.call("POST", ElasticsearchApi.path(index, "_search") + "?scroll=2m&preference=_shards:" + shard,
        query);
    var scroll = page.path("_scroll_id").asText();
    try {
      while (page.path("hits").path("hits").size() > 0) {
        requireWhole(index, page);
        page.path("hits").path("hits").forEach(visitor);
        page = api.call("POST", "/_search/scroll", Map.of("scroll", "2m", "scroll_id", scroll));
        scroll = page.path("_scroll_id").asText(scroll);
      }
      requireWhole(index, page);
    } finally {
      end(scroll);
    }
  }

  /** To free memory of the nodes at once: it ends by itself after two minutes, and not every role may end it. */
  private void end(String scroll) throws IOException {
    try {
      api.tryTo("DELETE", "/_search/scroll", Map.of("scroll_id", List.of(scroll)), ElasticsearchApi.ABSENT);
    } catch (Failure e) {
      if (e.code != Exit.AUTHENTICATION) {
        throw e;
      }
    }
  }

  private static void requireWhole(String index, JsonNode page) {
    if (page.path("_shards").path("failed").asInt() > 0 || page.path("timed_out").asBoolean()) {
      throw new Failure(Exit.UNREACHABLE,
          "a shard of %s did not answer: %s".formatted(index, page.path("_shards").path("failures").path(0)), null);
    }
  }

  /** Content and routing; the order of the fields does not count. */
  private static long digest(JsonNode hit) {
    try {
      var text = hit.path("_routing").asText() + '\n' + SORTED.writeValueAsString(hit.path("_source"));
      return ByteBuffer.wrap(DigestUtils.sha256(text)).getLong();
    } catch (JsonProcessingException e) {
      throw new IllegalStateException(e);
    }
  }
}
