//DEPS com.fasterxml.jackson.core:jackson-databind:2.23.0

import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.MissingNode;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.regex.Pattern;

/**
 * An error that Elasticsearch answered, as a failure that says its reason and which setting is the cause.
 *
 * @param request the method and path that it answers
 * @param body JSON, or a proxy's own words
 */
record ElasticsearchError(String address, String request, int status, String body) {
  private static final Pattern BLOCK = Pattern.compile("\\[[A-Z_]+/(\\d+)/");
  private static final Map<String, String> BLOCKS =
      Map.of("5", "index.blocks.read_only", "6", "cluster.blocks.read_only",
          "7", "index.blocks.read", "8", "index.blocks.write", "9", "index.blocks.metadata", "12",
          "index.blocks.read_only_allow_delete",
      "13", "cluster.blocks.read_only_allow_delete");

  /** The setting behind a block, by the number that Elasticsearch gives it. */
  static Optional<String> blockSetting(String number) {
    return Optional.ofNullable(BLOCKS.get(number));
  }

  /** True if an index has this block, and therefore refused a request. */
  static boolean isBlock(Failure failure, String setting) {
    return failure.code == Exit.UNSAFE && BLOCK.matcher(failure.getMessage()).results()
        .anyMatch(block -> setting.equals(BLOCKS.get(block.group(1))));
  }

  Failure failure(Throwable cause) {
    var error = error();
    var type = error.path("type").asText();
    var reason = reason(error);
    if (type.equals("cluster_block_exception") && status != 503) {
      return new Failure(Exit.UNSAFE, "Elasticsearch at %s refuses %s: %s".formatted(address, request, reason),
          blockHint(reason), cause);
    }
    if (status == 401 || status == 403) {
      return new Failure(Exit.AUTHENTICATION,
          "Elasticsearch at %s refuses %s: HTTP %d %s".formatted(address, request, status, reason),
          type.equals("security_exception") && status == 403 ? "the log-in is right, but may not do this: README.md has"
              + " the role that a restore needs"
              : "check ELASTICSEARCH_USER and ELASTICSEARCH_PASSWORD, or ELASTICSEARCH_API_KEY, and what it may do",
          cause);
    }
    // A server that is busy, starting or electing a master counts as not reached.
    var busy = Set.of(429, 502, 503, 504).contains(status) && !type.equals("concurrent_snapshot_execution_exception");
    return new Failure(busy ? Exit.UNREACHABLE : Exit.UNSAFE,
        "Elasticsearch answers %s with HTTP %d: %s".formatted(request, status, reason), hint(reason), cause);
  }

  private JsonNode error() {
    try {
      return Json.MAPPER.readTree(body).path("error");
    } catch (JsonProcessingException e) {
      return MissingNode.getInstance(); // a proxy's answer
    }
  }

  /** Its reason, and below it the one that caused it. */
  private String reason(JsonNode error) {
    var reason = error.path("reason").asText(error.isTextual() ? error.asText() : body);
    var cause = error.path("caused_by");
    while (cause.path("caused_by").has("reason")) {
      cause = cause.path("caused_by");
    }
    var deepest = cause.path("reason").asText();
    return deepest.isEmpty() || reason.contains(deepest) ? reason : reason + ": " + deepest;
  }

  private static String blockHint(String reason) {
    var number = BLOCK.matcher(reason);
    return number.find() ? blockSetting(number.group(1)).map(ElasticsearchError::removeBlock).orElse(null) : null;
  }

  /** How an administrator takes a block away. */
  static String removeBlock(String setting) {
    // A cluster that is blocked takes one setting at a time, and only this one.
    return setting.startsWith("cluster.")
        ? ("remove it: PUT /_cluster/settings {\"persistent\": {\"%s\": null}}, and the same with \"transient\" in a"
            + " second request").formatted(setting)
        : "remove it: PUT /<index>/_settings {\"%s\": null}".formatted(setting);
  }

  private static String hint(String reason) {
    if (reason.matches("(?s).*maximum( normal| frozen)? shards open.*")) {
      return "raise cluster.max_shards_per_node, or delete indices that nobody needs";
    }
    return reason.contains("more than one write index") ? "set is_write_index to false on one of the two" : null;
  }
}
