//DEPS com.fasterxml.jackson.core:jackson-databind:2.23.0
//DEPS org.elasticsearch.client:elasticsearch-rest-client:9.5.6

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.MissingNode;
import java.io.IOException;
import java.util.Collection;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.SortedMap;
import java.util.SortedSet;
import java.util.TreeMap;
import java.util.TreeSet;
import java.util.regex.Pattern;
import java.util.stream.Collectors;

/**
 * TheHive's indices that are there now.
 *
 * @param indices by name; copies of an interrupted restore are among them
 * @param aliases of each index: name and definition
 */
record LiveIndices(SortedMap<String, Index> indices, Map<String, JsonNode> aliases) {
  private static final Pattern MAIN = Pattern.compile("(.+)_global(_\\d+)?");
  private static final Pattern COPY = Pattern.compile("(?<index>.+)_restoring_\\d{8}_\\d\\dh\\d\\dm\\d\\ds(_\\w+)?");

  /**
   * A live index.
   *
   * @param documents -1 where it is not known: the index is closed or red
   */
  record Index(String name, boolean open, long documents, long bytes) {}

  /** Asks for the indices of these names and all others of TheHive. */
  static LiveIndices ask(ElasticsearchApi api, Collection<String> names) throws IOException {
    var patterns = patterns(names);
    var indices = new TreeMap<String, Index>();
    for (var pattern : patterns) {
      for (var index : api.get("/_cat/indices" + ElasticsearchApi.path(pattern)
          + "?format=json&bytes=b&h=index,status,docs.count,store.size&expand_wildcards=all")) {
        var name = index.path("index").asText();
        indices.put(name,
            new Index(name, index.path("status").asText().equals("open"), index.path("docs.count").asLong(-1),
            index.path("store.size").asLong()));
      }
    }
    var aliases = new HashMap<String, JsonNode>();
    for (var pattern : patterns) {
      api.get(ElasticsearchApi.path(pattern, "_alias") + "?expand_wildcards=all")
          .forEachEntry((index, node) -> aliases.put(index, node.path("aliases")));
    }
    return new LiveIndices(indices, aliases);
  }

  /** The names of TheHive's indices: {@code thehive_global} makes {@code thehive_*} and {@code thehive-*}. */
  static SortedSet<String> patterns(Collection<String> names) {
    var patterns = new TreeSet<String>();
    for (var name : names) {
      var prefix = prefix(name);
      patterns.add(prefix + "_*");
      patterns.add(prefix + "-*");
      if (!name.matches(Pattern.quote(prefix) + "[_-].*")) {
        patterns.add(name + "*");
      }
    }
    return patterns;
  }

  /** {@code thehive} of {@code thehive_global} and {@code thehive-audits-000001}. */
  static String prefix(String name) {
    var main = MAIN.matcher(name);
    return main.matches() ? main.group(1) : name.replaceFirst("(?<=[^_-])[_-].*$", "");
  }

  static boolean isMain(String name) {
    return MAIN.matcher(name).matches();
  }

  /** The name of TheHive's main index among these; the first where none is called so. */
  static String main(List<String> names) {
    return names.stream().filter(LiveIndices::isMain).findFirst().orElse(names.get(0));
  }

  Optional<Index> get(String name) {
    return Optional.ofNullable(indices.get(name));
  }

  /** Indices that interrupted restores left. */
  SortedSet<String> leftovers(Set<String> names) {
    return indices.keySet().stream().filter(name -> isCopy(name, names)).collect(Collectors.toCollection(TreeSet::new));
  }

  /** True if the name is one that a restore gives to a copy. */
  static boolean isCopy(String name) {
    return COPY.matcher(name).matches();
  }

  private static boolean isCopy(String name, Set<String> names) {
    var copy = COPY.matcher(name);
    return copy.matches() && (names.contains(copy.group("index"))
        || names.stream().map(LiveIndices::prefix).anyMatch(copy.group("index")::equals));
  }

  /** TheHive's indices that a restore of these leaves as they are. */
  List<Index> others(Set<String> names) {
    return indices.values().stream().filter(index -> !names.contains(index.name()) && !isCopy(index.name())).toList();
  }

  /** The indices that stay and take what is written through an alias. */
  SortedSet<String> writeIndices(String alias, Set<String> replaced) {
    return aliases.entrySet().stream()
        .filter(index -> !replaced.contains(index.getKey())
            && index.getValue().path(alias).path("is_write_index").asBoolean())
        .map(Map.Entry::getKey).collect(Collectors.toCollection(TreeSet::new));
  }

  /** Refuses names that cannot be replaced by an index: an alias, or part of a data stream. */
  void requireReplaceable(ElasticsearchApi api, Collection<String> names) throws IOException {
    for (var name : names) {
      var live = api.tryGet(ElasticsearchApi.path(name, "_alias"));
      if (live.isPresent() && !live.get().isEmpty() && !live.get().has(name)) {
        throw new Failure(Exit.UNSAFE,
            "%s is an alias of %s, not an index".formatted(name, live.get().fieldNames().next()),
            "TheHive's hot backup names an index: remove the alias first");
      }
    }
    for (var pattern : patterns(names)) {
      var streams = api.tryGet("/_data_stream" + ElasticsearchApi.path(pattern) + "?expand_wildcards=all")
          .orElse(MissingNode.getInstance());
      for (var stream : streams.path("data_streams")) {
        requireNotIn(stream, names);
      }
    }
  }

  private static void requireNotIn(JsonNode stream, Collection<String> names) {
    var name = stream.path("name").asText();
    var backing = stream.path("indices").valueStream().map(index -> index.path("index_name").asText())
        .filter(names::contains).findFirst();
    if (names.contains(name) || backing.isPresent()) {
      throw new Failure(Exit.UNSAFE, names.contains(name) ? "%s is a data stream, not an index".formatted(name)
          : "%s belongs to data stream %s".formatted(backing.get(), name),
          "an index of the snapshot cannot take its place: restore without it (--index), or delete the data stream"
              + " first");
    }
  }
}
