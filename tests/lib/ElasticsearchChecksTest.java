import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.util.List;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;

/** Which indices of a snapshot are restored. */
class ElasticsearchChecksTest {
  private static List<SnapshotIndex> snapshot(String... names) {
    return Stream.of(names).map(name -> new SnapshotIndex(name, 1, 1, 1)).toList();
  }

  private static List<String> wanted(List<SnapshotIndex> snapshot, String... named) {
    return ElasticsearchChecks.requireWanted(snapshot, List.of(named)).stream().map(SnapshotIndex::name).toList();
  }

  @Test
  void takesAllButTheSystemsOwn() {
    assertThat(wanted(snapshot("thehive_global", "thehive-audits-000001", ".kibana"))).containsExactly("thehive_global",
        "thehive-audits-000001");
    assertThat(wanted(snapshot("other_global_2"))).containsExactly("other_global_2");
  }

  @Test
  void takesThoseThatAreNamed() {
    assertThat(wanted(snapshot("thehive_global", "thehive-audits-000001"), "thehive-audits-000001"))
        .containsExactly("thehive-audits-000001");
    assertThat(wanted(snapshot("index"), "index")).containsExactly("index");
    assertThatThrownBy(() -> wanted(snapshot("thehive_global", ".kibana"), ".kibana"))
        .hasMessageContaining("does not contain .kibana");
  }

  @Test
  void refusesASnapshotWithoutTheMainIndex() {
    assertThatThrownBy(() -> wanted(snapshot("elsewhere")))
        .hasMessageContaining("does not contain TheHive's main index");
    assertThatThrownBy(() -> wanted(snapshot(".kibana"))).hasMessageContaining("no index of TheHive");
  }
}
