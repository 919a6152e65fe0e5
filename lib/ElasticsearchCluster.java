//DEPS com.fasterxml.jackson.core:jackson-databind:2.23.0
//DEPS org.elasticsearch.client:elasticsearch-rest-client:9.5.6

import com.fasterxml.jackson.databind.JsonNode;
import java.io.IOException;
import java.util.Collection;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.SortedSet;
import java.util.TreeSet;
import java.util.stream.Collectors;
import java.util.stream.Stream;

/**
 * The answers of an Elasticsearch cluster about itself before a restore.
 *
 * @param repositoryNodes nodes that must have the repository mounted
 * @param settings the cluster's, defaults included, as {@code scope: {name: value}}
 * @param nodeSettings names of those that stand in a node's own file
 * @param blocks what refuses changes, of the cluster ({@code global}) and of its indices ({@code indices})
 */
record ElasticsearchCluster(String name, SortedSet<String> versions, boolean openSearch, int dataNodes,
    int repositoryNodes,
    JsonNode settings, Set<String> nodeSettings, JsonNode blocks) {
  private static final String ENABLE = "cluster.routing.allocation.enable";
  private static final String READ_ONLY_ALLOW_DELETE = "12";

  static ElasticsearchCluster ask(ElasticsearchApi api) throws IOException {
    var nodes = api.get("/_nodes/_all/settings?flat_settings=true");
    var versions = new TreeSet<String>();
    var nodeSettings = new TreeSet<String>();
    var dataNodes = 0;
    var repositoryNodes = 0;
    for (var node : nodes.path("nodes")) {
      var roles = node.path("roles").valueStream().map(JsonNode::asText).collect(Collectors.toSet());
      var data = roles.stream().anyMatch(role -> role.startsWith("data"));
      versions.add(node.path("version").asText());
      node.path("settings").fieldNames().forEachRemaining(nodeSettings::add);
      dataNodes += data ? 1 : 0;
      repositoryNodes += data || roles.contains("master") || roles.contains("cluster_manager") ? 1 : 0;
    }
    var openSearch = api.tryGet("/")
        .map(root -> root.path("version").path("distribution").asText().equals("opensearch")).orElse(false);
    return new ElasticsearchCluster(nodes.path("cluster_name").asText(), versions, openSearch, dataNodes,
        repositoryNodes,
        api.get("/_cluster/settings?include_defaults=true&flat_settings=true"), nodeSettings,
        api.get("/_cluster/state/blocks").path("blocks"));
  }

  /** The oldest of its nodes' versions. */
  String version() {
    return versions.first();
  }

  Optional<String> setting(String name) {
    return Stream.of("transient", "persistent", "defaults").map(scope -> settings.path(scope).path(name).asText(""))
        .filter(value -> !value.isEmpty()).findFirst();
  }

  /** True if somebody has set it, for the cluster or in the file of a node. */
  boolean isSet(String name) {
    return nodeSettings.contains(name)
        || Stream.of("transient", "persistent").anyMatch(scope -> settings.path(scope).has(name));
  }

  /** Refuses a cluster that takes no new index. */
  void requireChangeable() {
    for (var block : blocks.path("global").properties()) {
      if (levels(block.getValue()).contains("metadata_write")) {
        throw blocked("the cluster refuses every change", block);
      }
    }
    if (setting(ENABLE).filter("none"::equals).isPresent()) {
      throw new Failure(Exit.UNSAFE, "the cluster gives no shard a node: %s is none".formatted(ENABLE),
          "allow it: PUT /_cluster/settings {\"persistent\": {\"%1$s\": null}, \"transient\": {\"%1$s\": null}}"
              .formatted(ENABLE));
    }
  }

  /** Refuses live indices that could not be deleted. */
  void requireDeletable(Collection<String> indices) {
    for (var index : indices) {
      for (var block : blocks.path("indices").path(index).properties()) {
        if (levels(block.getValue()).contains("metadata_write") && !block.getKey().equals(READ_ONLY_ALLOW_DELETE)) {
          throw blocked("the live index %s can neither be changed nor replaced".formatted(index), block);
        }
      }
    }
  }

  private static Failure blocked(String what, Map.Entry<String, JsonNode> block) {
    var setting = ElasticsearchError.blockSetting(block.getKey());
    return new Failure(Exit.UNSAFE,
        "%s: %s".formatted(what,
            setting.map(name -> name + " is set").orElse(block.getValue().path("description").asText())),
        setting.map(ElasticsearchError::removeBlock).orElse("wait until Elasticsearch has removed this block"));
  }

  private static Set<String> levels(JsonNode block) {
    return block.path("levels").valueStream().map(JsonNode::asText).collect(Collectors.toSet());
  }
}
