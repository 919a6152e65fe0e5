import static org.assertj.core.api.Assertions.assertThat;

import com.fasterxml.jackson.databind.JsonNode;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.TreeMap;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;

/** Which of the live indices are TheHive's, and which a restore left. */
class LiveIndicesTest {
  private static LiveIndices live(String... names) {
    var indices = new TreeMap<String, LiveIndices.Index>();
    Stream.of(names).forEach(name -> indices.put(name, new LiveIndices.Index(name, true, 1, 1)));
    return new LiveIndices(indices, Map.of());
  }

  @Test
  void looksForAllIndicesOfTheHive() {
    assertThat(LiveIndices.patterns(List.of("thehive_global", "thehive-audits-000001"))).containsExactly("thehive-*",
        "thehive_*");
    assertThat(LiveIndices.patterns(List.of("the_hive_global_2"))).containsExactly("the_hive-*", "the_hive_*");
    assertThat(LiveIndices.patterns(List.of("other"))).contains("other*");
  }

  @Test
  void knowsTheMainIndex() {
    assertThat(LiveIndices.main(List.of("thehive-audits-000001", "thehive_global_2"))).isEqualTo("thehive_global_2");
    assertThat(LiveIndices.main(List.of("big", "small"))).isEqualTo("big");
  }

  @Test
  void tellsCopiesFromIndices() {
    var live = live("thehive_global", "thehive_global_restoring_20261122_12h00m56s",
        "thehive_global_restoring_20261122_12h00m56s_probe_clone",
        "thehive_restoring_20261122_12h00m56s_probe", "thehive_other", "thehive_restoring_plans");
    assertThat(live.leftovers(Set.of("thehive_global"))).hasSize(3);
    assertThat(live.leftovers(Set.of("other_global"))).isEmpty();
    assertThat(live.others(Set.of("thehive_global"))).extracting(LiveIndices.Index::name)
        .containsExactly("thehive_other", "thehive_restoring_plans");
  }

  @Test
  void findsTheIndicesThatTakeWhatIsWrittenThroughAnAlias() throws Exception {
    Map<String, JsonNode> aliases = Map.of("a", Json.MAPPER.readTree("{\"audits\":{\"is_write_index\":true}}"),
        "b", Json.MAPPER.readTree("{\"audits\":{}}"), "c",
        Json.MAPPER.readTree("{\"audits\":{\"is_write_index\":true}}"));
    var live = new LiveIndices(new TreeMap<>(), aliases);
    assertThat(live.writeIndices("audits", Set.of("a"))).containsExactly("c");
    assertThat(live.writeIndices("other", Set.of())).isEmpty();
  }
}
