//DEPS com.fasterxml.jackson.core:jackson-databind:2.23.0

import com.fasterxml.jackson.databind.JsonNode;
import java.time.Duration;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.SortedMap;
import java.util.TreeMap;
import java.util.function.Predicate;
import java.util.regex.Pattern;

/**
 * Settings and aliases of an index as the snapshot has them.
 *
 * @param aliases by name; empty where they cannot be read before the live index is gone
 */
record IndexDefinition(SortedMap<String, JsonNode> settings, Optional<JsonNode> aliases) {
  static final String REPLICAS = "index.number_of_replicas";
  static final String EXPAND = "index.auto_expand_replicas";
  static final String POLICY = "index.lifecycle.name";
  private static final String WRITE = "index.blocks.write";
  /**
   * Settings of the old cluster, or that would act on a copy: a copy has none of them, the index gets them at the end.
   */
  static final List<String> NOT_ON_A_COPY = List.of("index.blocks.*", "index.routing.allocation.*", "index.lifecycle.*",
      "index.plugins.index_state_management.*", "index.opendistro.index_state_management.*");
  /** Settings that Elasticsearch itself gives an index, or that need its mapping or its shards. */
  private static final Pattern NOT_AT_CREATION =
      Pattern.compile("index\\.(uuid|creation_date.*|provided_name|version\\..*|history\\..*|resize\\..*"
          + "|number_of_.*|routing_partition_size|sort\\..*|soft_deletes\\..*|verified_before_close|frozen"
          + "|search\\.throttled|store\\.snapshot\\..*)");
  private static final Pattern AGE = Pattern.compile("(\\d+)(d|h|m|s|ms|micros|nanos)?");

  /**
   * A copy is blocked for writing from its first moment: nothing but the snapshot is in it, and cloning asks for it.
   */
  static Map<String, Object> ofCopy() {
    return Map.of(REPLICAS, 0, EXPAND, "false", WRITE, true);
  }

  /** The index that replaces the live one, until all its shards are started. */
  static Map<String, Object> ofClone() {
    return Map.of(REPLICAS, 0, EXPAND, "false", WRITE, false);
  }

  /** Takes away what a copy alone has. */
  static Map<String, Object> withoutCopys() {
    var settings = new HashMap<String, Object>();
    settings.put(EXPAND, null);
    settings.put(WRITE, null);
    return settings;
  }

  /** A small empty index that shows whether such an index can be made. */
  Map<String, Object> ofProbe() {
    var probe =
        new HashMap<String, Object>(withPrefix(name -> !NOT_AT_CREATION.matcher(name).matches() && !isLeftOut(name)));
    probe.putAll(ofCopy());
    probe.put("index.number_of_shards", 1);
    return probe;
  }

  private static boolean isLeftOut(String name) {
    return NOT_ON_A_COPY.stream().anyMatch(pattern -> name.startsWith(pattern.replace("*", "")));
  }

  /** Settings of the snapshot that begin with this. */
  Map<String, JsonNode> with(String prefix) {
    return withPrefix(name -> name.startsWith(prefix));
  }

  /** On which nodes the shards may be; what a clone alone has, Elasticsearch sets and no one else. */
  Map<String, JsonNode> allocation() {
    return withPrefix(name -> name.startsWith("index.routing.allocation.")
        && !name.startsWith("index.routing.allocation.initial_recovery."));
  }

  /** The lifecycle policy's settings. */
  Map<String, JsonNode> lifecycle() {
    return withPrefix(
        name -> isLeftOut(name) && !name.startsWith("index.blocks.") && !name.startsWith("index.routing."));
  }

  private Map<String, JsonNode> withPrefix(Predicate<String> wanted) {
    var chosen = new LinkedHashMap<String, JsonNode>();
    settings.forEach((name, value) -> {
      if (wanted.test(name) && name.startsWith("index.")) {
        chosen.put(name, value);
      }
    });
    return chosen;
  }

  int replicas() {
    return settings.containsKey(REPLICAS) ? settings.get(REPLICAS).asInt() : 1;
  }

  /** The range of replicas that follows the number of nodes, such as 0-1. */
  Optional<JsonNode> expand() {
    return Optional.ofNullable(settings.get(EXPAND)).filter(value -> !value.asText().equals("false"));
  }

  Optional<String> policy() {
    return Optional.ofNullable(settings.get(POLICY)).map(JsonNode::asText).filter(name -> !name.isEmpty());
  }

  /** The moment from which the policy counts the index's age. */
  long ageFrom(long otherwise) {
    return settings.containsKey("index.lifecycle.origination_date")
        ? settings.get("index.lifecycle.origination_date").asLong() : otherwise;
  }

  /** With a number of replicas that was learned in another way. */
  IndexDefinition withReplicas(JsonNode replicas) {
    var changed = new TreeMap<>(settings);
    changed.put(REPLICAS, replicas);
    return new IndexDefinition(changed, aliases);
  }

  /** The age at which a lifecycle policy ({@code GET _ilm/policy}) deletes an index; empty where it never does. */
  static Optional<Duration> deletesAt(JsonNode policy) {
    var delete = policy.path("policy").path("phases").path("delete");
    return delete.isMissingNode() ? Optional.empty() : Optional.of(age(delete.path("min_age").asText("0")));
  }

  private static Duration age(String text) {
    var match = AGE.matcher(text);
    if (!match.matches()) {
      return Duration.ZERO;
    }
    var number = Long.parseLong(match.group(1));
    return switch (match.group(2) == null ? "ms" : match.group(2)) {
      case "d" -> Duration.ofDays(number);
      case "h" -> Duration.ofHours(number);
      case "m" -> Duration.ofMinutes(number);
      case "s" -> Duration.ofSeconds(number);
      case "ms" -> Duration.ofMillis(number);
      default -> Duration.ZERO;
    };
  }
}
