//DEPS com.fasterxml.jackson.core:jackson-databind:2.23.0
//DEPS org.elasticsearch.client:elasticsearch-rest-client:9.5.6

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.MissingNode;
import java.io.IOException;
import java.util.ArrayList;
import java.util.Collection;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.stream.Collectors;
import java.util.stream.Stream;

/**
 * The user's rights, as Elasticsearch's security tells them; OpenSearch, and a cluster without security, tell none.
 */
final class ElasticsearchRights {
  private static final List<String> CLUSTER =
      List.of("monitor", "cluster:admin/snapshot/get", "cluster:admin/snapshot/status",
      "cluster:admin/snapshot/restore", "cluster:admin/repository/get", "cluster:admin/repository/verify");

  private static final String SETTINGS = "cluster:admin/settings/update";

  private ElasticsearchRights() {}

  /** A name that no index can have, for its capitals; a role that names the index by its beginning has rights to it. */
  static String impossible(String index) {
    return index + "_RESTORING";
  }

  /** True if the user may change the cluster's settings, or if Elasticsearch does not tell. */
  static boolean mayChangeSettings(ElasticsearchApi api) throws IOException {
    return ask(api, List.of(SETTINGS), List.of("thehive"), List.of("read")).path("cluster").path(SETTINGS)
        .asBoolean(true);
  }

  /** Refuses a user who may not restore these indices beside the live ones. */
  static void requireToRestore(ElasticsearchApi api, Set<String> indices, boolean changesSettings) throws IOException {
    var cluster = new ArrayList<>(CLUSTER);
    if (changesSettings) {
      cluster.add(SETTINGS);
    }
    var patterns = indices.stream()
        .flatMap(name -> Stream.of(name, name + "_restoring_*", LiveIndices.prefix(name) + "_restoring_*")).distinct()
        .toList();
    require(ask(api, cluster, patterns, List.of("manage", "read")), "indices " + String.join(", ", indices));
  }

  /** Refuses a user who may not give an index these aliases. */
  static void requireToAlias(ElasticsearchApi api, Collection<String> aliases) throws IOException {
    if (!aliases.isEmpty()) {
      require(ask(api, List.of(), List.copyOf(aliases), List.of("manage")), "aliases " + String.join(", ", aliases));
    }
  }

  /**
   * Refuses a user who may not delete these live indices, where the server does not tell what a user may do. It looks
   * at the rights to all names of a request first, then whether there are such indices: as one cannot be, it deletes
   * none.
   */
  static void requireToDelete(ElasticsearchApi api, Collection<String> live) throws IOException {
    if (!ask(api, List.of("monitor"), live, List.of("manage")).isMissingNode()) {
      return;
    }
    for (var index : live) {
      api.tryTo("DELETE", ElasticsearchApi.path(index + "," + impossible(index)), null, ElasticsearchApi.ABSENT);
    }
  }

  private static JsonNode ask(ElasticsearchApi api, List<String> cluster, Collection<String> names,
      List<String> privileges)
      throws IOException {
    var wanted = Map.of("cluster", cluster, "index", List.of(Map.of("names", names, "privileges", privileges)));
    return api.tryTo("POST", "/_security/user/_has_privileges", wanted, ElasticsearchApi.ABSENT)
        .orElse(MissingNode.getInstance());
  }

  /** Reads the answer. */
  static void require(JsonNode answer, String what) {
    if (!answer.path("has_all_requested").asBoolean(true)) {
      var lacking = Stream.concat(Stream.of(answer.path("cluster")), answer.path("index").valueStream())
          .flatMap(JsonNode::propertyStream)
          .filter(right -> !right.getValue().asBoolean()).map(Map.Entry::getKey).distinct()
          .collect(Collectors.joining(", "));
      throw new Failure(Exit.AUTHENTICATION,
          "Elasticsearch's user %s lacks these rights for cluster and %s: %s".formatted(
          answer.path("username").asText(), what, lacking), "log in as one that has them");
    }
  }
}
