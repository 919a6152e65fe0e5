//DEPS com.fasterxml.jackson.core:jackson-databind:2.23.0

import com.fasterxml.jackson.databind.JsonNode;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import java.util.TreeSet;
import java.util.regex.Pattern;

/** Compares settings, mappings and aliases of a live index with those of the snapshot: one line for each difference. */
final class IndexComparison {
  /** Settings that Elasticsearch gives an index of its own, and that a restore or a clone changes. */
  private static final Pattern OWN =
      Pattern.compile("index\\.(uuid|creation_date.*|provided_name|version\\..*|history\\..*|resize\\..*"
          + "|routing\\.allocation\\.initial_recovery\\..*|verified_before_close|routing_partition_size"
          + "|store\\.snapshot\\..*"
      + "|lifecycle\\.indexing_complete)");

  private IndexComparison() {}

  /** @param backup flat settings by name, such as {@code index.number_of_shards} */
  static List<String> settings(Map<String, JsonNode> backup, Map<String, JsonNode> live) {
    var lines = new ArrayList<String>();
    var names = new TreeSet<>(backup.keySet());
    names.addAll(live.keySet());
    names.removeIf(name -> OWN.matcher(name).matches());
    for (var name : names) {
      var wanted = backup.get(name);
      var present = live.get(name);
      if (wanted == null ? !isDefault(name, present) : present == null ? !isDefault(name, wanted)
          : !wanted.asText().equals(present.asText())) {
        lines.add("setting %s: %s instead of %s".formatted(name, shown(present), shown(wanted)));
      }
    }
    return lines;
  }

  /** A restore that put a setting back to its default leaves it written out; OpenSearch writes out one of its own. */
  private static boolean isDefault(String name, JsonNode value) {
    return name.equals("index.number_of_replicas") && value.asText().equals("1")
        || name.matches("index\\.(blocks\\..*|auto_expand_replicas)") && value.asText().equals("false")
        || name.equals("index.soft_deletes.enabled") && value.asText().equals("true")
        || name.equals("index.replication.type") && value.asText().equals("DOCUMENT")
        || name.equals("index.routing.allocation.include._tier_preference") && value.asText().equals("data_content")
        || value.isNull();
  }

  private static String shown(JsonNode value) {
    return value == null ? "nothing" : value.isTextual() ? value.asText() : value.toString();
  }

  /** Fields that were added to the mapping by writes since the backup do not count, unless {@code exact}. */
  static List<String> mappings(JsonNode backup, JsonNode live, boolean exact) {
    var wanted = new TreeMap<String, String>();
    var present = new TreeMap<String, String>();
    flatten("", backup, wanted);
    flatten("", live, present);
    var lines = new ArrayList<String>();
    wanted.forEach((name, value) -> {
      if (!value.equals(present.get(name))) {
        lines.add("mapping %s: %s instead of %s".formatted(name, present.getOrDefault(name, "nothing"), value));
      }
    });
    if (exact) {
      present.keySet().removeAll(wanted.keySet());
      present.forEach((name, value) -> lines.add("mapping %s: %s instead of nothing".formatted(name, value)));
    }
    return lines;
  }

  private static void flatten(String path, JsonNode node, Map<String, String> leaves) {
    if (node.isObject() && !node.isEmpty()) {
      node.properties().forEach(
          field -> flatten(path.isEmpty() ? field.getKey() : path + "." + field.getKey(), field.getValue(), leaves));
    } else {
      leaves.put(path, node.isTextual() ? node.asText() : node.toString());
    }
  }

  static List<String> aliases(JsonNode backup, JsonNode live) {
    var names = new TreeSet<String>();
    backup.fieldNames().forEachRemaining(names::add);
    live.fieldNames().forEachRemaining(names::add);
    return names.stream().filter(name -> !backup.path(name).equals(live.path(name)))
        .map(name -> "alias %s: %s instead of %s".formatted(name, alias(live, name), alias(backup, name))).toList();
  }

  private static String alias(JsonNode aliases, String name) {
    return aliases.has(name) ? aliases.path(name).isEmpty() ? "there" : aliases.path(name).toString() : "nothing";
  }
}
