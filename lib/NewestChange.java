//DEPS com.fasterxml.jackson.core:jackson-databind:2.23.0

import com.fasterxml.jackson.databind.JsonNode;
import java.io.IOException;
import java.time.Instant;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;

/** When an index was last changed, by the times that TheHive writes into its documents. */
final class NewestChange {
  private static final List<String> TIMES = List.of("_createdAt", "_updatedAt");

  private NewestChange() {}

  /** Empty where the index does not have these fields, or cannot be searched. */
  static Optional<Instant> of(ElasticsearchApi api, String index) throws IOException {
    var newest = new LinkedHashMap<String, Object>();
    TIMES.forEach(field -> newest.put(field, Map.of("max", Map.of("field", field))));
    return api.tryTo("POST", ElasticsearchApi.path(index, "_search") + "?size=0", Map.of("aggs", newest),
        Set.of(400, 403, 404, 503)).flatMap(NewestChange::of);
  }

  /** Reads the answer; a field that no document has is null in it. */
  static Optional<Instant> of(JsonNode answer) {
    var times = answer.path("aggregations").valueStream().map(field -> field.path("value"))
        .filter(JsonNode::isNumber).mapToDouble(JsonNode::asDouble);
    return times.boxed().max(Double::compare).map(millis -> Instant.ofEpochMilli(millis.longValue()));
  }
}
