import static org.assertj.core.api.Assertions.assertThat;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.TextNode;
import java.time.Duration;
import java.util.Map;
import java.util.Optional;
import java.util.TreeMap;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** Which settings a copy has, and which the index gets at the end. */
class IndexDefinitionTest {
  private static IndexDefinition of(Map<String, String> settings) {
    var all = new TreeMap<String, JsonNode>();
    settings.forEach((name, value) -> all.put(name, TextNode.valueOf(value)));
    return new IndexDefinition(all, Optional.empty());
  }

  @Test
  void theProbeHasTheIndexsSettingsWithoutThoseOfTheOldCluster() {
    var probe = of(Map.of("index.number_of_shards", "5", "index.number_of_replicas", "2", "index.uuid", "x",
        "index.blocks.read_only", "true",
        "index.routing.allocation.require._name", "old", "index.lifecycle.name", "audits",
        "index.analysis.analyzer.a.type", "custom",
        "archived.index.old", "x")).ofProbe();
    assertThat(probe)
        .containsOnlyKeys("index.number_of_shards", "index.number_of_replicas", "index.auto_expand_replicas",
            "index.blocks.write",
            "index.analysis.analyzer.a.type")
        .containsEntry("index.number_of_shards", 1).containsEntry("index.number_of_replicas", 0);
  }

  @Test
  void knowsReplicasAndPolicy() {
    var definition = of(
        Map.of("index.number_of_replicas", "2", "index.auto_expand_replicas", "0-1", "index.lifecycle.name", "audits",
        "index.lifecycle.origination_date", "17"));
    assertThat(definition.replicas()).isEqualTo(2);
    assertThat(definition.expand()).isPresent();
    assertThat(definition.policy()).contains("audits");
    assertThat(definition.ageFrom(1)).isEqualTo(17);
    assertThat(of(Map.of("index.auto_expand_replicas", "false")).expand()).isEmpty();
    assertThat(of(Map.of()).ageFrom(1)).isEqualTo(1);
  }

  @ParameterizedTest
  @CsvSource({"30d, P30D", "12h, PT12H", "0ms, PT0S", "90s, PT1M30S"})
  void knowsWhenAPolicyDeletes(String age, String duration) throws Exception {
    var policy =
        Json.MAPPER.readTree("{\"policy\":{\"phases\":{\"hot\":{},\"delete\":{\"min_age\":\"%s\"}}}}".formatted(age));
    assertThat(IndexDefinition.deletesAt(policy)).contains(Duration.parse(duration));
    assertThat(IndexDefinition.deletesAt(Json.MAPPER.readTree("{\"policy\":{\"phases\":{\"hot\":{}}}}"))).isEmpty();
  }
}
