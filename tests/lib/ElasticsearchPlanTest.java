import static org.assertj.core.api.Assertions.assertThat;

import java.util.List;
import java.util.Set;
import org.junit.jupiter.api.Test;

/** What the plan of Elasticsearch says. */
class ElasticsearchPlanTest {
  @Test
  void anIndexThatTheHiveUsesAndTheSnapshotLacksIsNamed() {
    var used = List.of("thehive_global", "thehive-audits");
    assertThat(ElasticsearchPlan.missing(used, Set.of("thehive_global"))).containsExactly("thehive-audits");
    assertThat(ElasticsearchPlan.missing(used, Set.of("thehive_global_2", "thehive-audits-000001"))).isEmpty();
    assertThat(ElasticsearchPlan.missing(used, Set.of("other_global", ".ds-thehive-audits-2026.11.26-000001")))
        .containsExactly("thehive_global");
    assertThat(ElasticsearchPlan.missing(List.of(), Set.of("thehive_global"))).isEmpty();
  }
}
