import static org.assertj.core.api.Assertions.assertThat;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import java.io.IOException;
import java.net.URI;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.LocalDateTime;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import java.util.stream.IntStream;
import java.util.stream.Collectors;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** What an administrator may expect of the restore of Elasticsearch alone, whatever the snapshot and the cluster are like. */
@Tag("servers")
class RestoreElasticsearchTest {
  private static final ObjectMapper JSON = new ObjectMapper();
  private static final String HOST = "127.0.9.1";
  private static final String GLOBAL = "thehive_global";
  private static final String AUDITS = "thehive-audits-000001";
  private static Path archives;
  private static Server server;
  private static LocalDateTime time = LocalDateTime.now().minusDays(1);

  @BeforeAll
  static void start() throws IOException {
    archives = Original.temporaryFolder();
    server = Stack.elasticsearch("7.10.2", List.of(HOST), 9200, archives).get(0);
    HotBackup.register(url(), archives);
  }

  private static URI url() {
    return URI.create("http://" + HOST + ":9200");
  }

  @BeforeEach
  void empty() throws IOException {
    clusterSettings("cluster.max_shards_per_node", "cluster.routing.allocation.enable", "cluster.blocks.read_only", "indices.recovery.max_bytes_per_sec");
    for (var index : indices().keySet()) {
      server.tool("PUT", "/" + index + "/_settings?expand_wildcards=all", "{\"index.blocks.read_only\":null,\"index.blocks.metadata\":null}");
      server.tool("DELETE", "/" + index);
    }
    for (var file : Files.list(archives.resolve("elasticsearch")).filter(file -> file.toString().endsWith(".info")).toList()) {
      Files.delete(file);
    }
  }

  @AfterEach
  void noMarker() {
    assertThat(archives).isDirectoryNotContaining("glob:**.unfinished");
  }

  private static void clusterSettings(String... none) {
    for (var name : none) {
      server.tool("PUT", "/_cluster/settings", "{\"transient\":{\"%1$s\":null},\"persistent\":{\"%1$s\":null}}".formatted(name));
    }
  }

  private static void set(String name, String json) {
    server.tool("PUT", "/_cluster/settings", "{\"transient\":{\"%s\":%s}}".formatted(name, json));
  }

  private static void index(String name, int documents, String definition) {
    server.tool("PUT", "/" + name + "?wait_for_active_shards=0", definition);
    fill(name, documents, "snapshot");
  }

  private static void fill(String name, int documents, String text) {
    server.tool("POST", "/" + name + "/_bulk?refresh=true", IntStream.range(0, documents)
        .mapToObj(number -> "{\"index\":{\"_id\":\"%d\"}}\n{\"text\":\"%s\"}\n".formatted(number, text)).collect(Collectors.joining()));
  }

  /** The documented backup of these indices. */
  private static void backUp(String indices) {
    time = time.plusMinutes(1);
    HotBackup.elasticsearch(url(), indices, archives, HotBackup.timestamp(time));
  }

  private static Script restore(String... arguments) {
    return Script.of("restore-cassandra-es.java").args("--yes", "--only", "elasticsearch").args(arguments)
        .env("RESTORE_STATE_PATH", archives.toString())
        .env("ELASTICSEARCH_API_URL", url().toString())
        .env("ELASTICSEARCH_GENERAL_ARCHIVE_PATH", archives.resolve("elasticsearch").toString());
  }

  /** Name, documents with their content, aliases and settings of every index. */
  private static Map<String, String> indices() {
    var all = new TreeMap<String, String>();
    var aliases = json("/_alias?expand_wildcards=all");
    json("/_settings?flat_settings=true&expand_wildcards=all").properties().forEach(index -> {
      var name = index.getKey();
      var settings = new TreeMap<String, String>();
      index.getValue().path("settings").properties().forEach(setting -> {
        if (!setting.getKey().matches("index\\.(uuid|creation_date|provided_name|version.*|resize.*|history.*|routing\\.allocation\\.initial_recovery.*)")) {
          settings.put(setting.getKey(), setting.getValue().toString());
        }
      });
      all.put(name, documents(name) + " " + aliases.path(name).path("aliases") + " " + settings);
    });
    return all;
  }

  private static String documents(String index) {
    try {
      server.tool("POST", "/" + index + "/_refresh");
      var hits = json("/" + index + "/_search?size=1000&sort=_doc").at("/hits/hits");
      var all = new TreeMap<String, String>();
      hits.forEach(hit -> all.put(hit.path("_id").asText(), hit.path("_source").toString()));
      return all.toString();
    } catch (IllegalStateException e) {
      return "not readable";
    }
  }

  private static JsonNode json(String path) {
    try {
      return JSON.readTree(server.tool("GET", path));
    } catch (IOException e) {
      throw new IllegalStateException(e);
    }
  }

  private static void assertRestored(Script.Result result, Map<String, String> expected) {
    assertThat(result.code()).as(result.err()).isZero();
    assertThat(result.out()).isEqualTo("=== ✓ Successful restore of elasticsearch ===\n");
    assertThat(indices()).isEqualTo(expected);
  }

  /** Runs a restore that must be refused before the first change, and sees that it changed nothing. */
  private static Script.Result refused(int code, Script script) {
    var before = indices();
    var result = script.run();
    assertThat(result.code()).as(result.err()).isEqualTo(code);
    assertThat(result.out()).matches("=== ✗ ERROR - ES: exit \\d+, Cassandra: exit \\d+ ===\n");
    assertThat(result.err()).contains("error: ").doesNotContain("\tat ");
    assertThat(indices()).isEqualTo(before);
    return result;
  }

  private static void spoil(String... names) {
    for (var name : names) {
      fill(name, 30, "newer");
    }
  }

  @ParameterizedTest
  @ValueSource(strings = {"--max-gap=PT15M", "--in-place"})
  void restoresEveryIndexOfTheSnapshotWithItsAliases(String option) {
    index(GLOBAL, 10, "{\"settings\":{\"number_of_shards\":2,\"number_of_replicas\":0},\"aliases\":{\"thehive\":{}}}");
    index(AUDITS, 5, "{\"settings\":{\"number_of_replicas\":0},\"aliases\":{\"thehive-audits\":{\"is_write_index\":true}}}");
    index(".kibana_1", 1, "{\"settings\":{\"number_of_replicas\":0}}");
    backUp("*");
    var expected = indices();
    spoil(GLOBAL, AUDITS);
    server.tool("PUT", "/thehive_other", "{\"settings\":{\"number_of_replicas\":0}}");
    expected.put("thehive_other", indices().get("thehive_other"));
    var result = restore(option).run();
    assertRestored(result, expected);
    assertThat(result.err()).contains("cluster thp at http://127.0.9.1:9200", "index thehive_global: 30 documents now", "index thehive-audits-000001: 30 documents now",
        "not restored, because they are Elasticsearch's own: .kibana_1", "index thehive_other stays as it is");
  }
}
