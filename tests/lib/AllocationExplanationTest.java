import static org.assertj.core.api.Assertions.assertThat;

import org.junit.jupiter.api.Test;

/** Why a shard gets no node, in Elasticsearch's own words. */
class AllocationExplanationTest {
  private static AllocationExplanation explanation(String json) {
    try {
      return new AllocationExplanation(Json.MAPPER.readTree(json.replace('\'', '"')));
    } catch (java.io.IOException e) {
      throw new IllegalStateException(e);
    }
  }

  private static String refusedBy(String... deciders) {
    return ("{'can_allocate':'no','allocate_explanation':'cannot"
        + " allocate','node_allocation_decisions':[{'deciders':[%s]}]}").formatted(String.join(",", deciders));
  }

  private static final String DISK = "{'decider':'disk_threshold','decision':'NO','explanation':'disk is full'}";
  private static final String FILTER = "{'decider':'filter','decision':'NO','explanation':'no such node'}";
  private static final String ECHO = "{'decider':'restore_in_progress','decision':'NO','explanation':'failed before'}";
  private static final String YES = "{'decider':'enable','decision':'YES','explanation':'fine'}";

  @Test
  void tellsTheDecidersThatRefuse() {
    assertThat(explanation(refusedBy(DISK, FILTER, ECHO, YES)).reason()).isEqualTo("disk is full; no such node");
    assertThat(explanation(refusedBy()).reason()).isEqualTo("cannot allocate");
    assertThat(explanation("{}").reason()).isEqualTo("Elasticsearch gives no reason");
  }

  @Test
  void leavesOutTheTraceOfAnException() {
    var details =
        "failed shard on node [a]: failed to create index, failure java.lang.IllegalArgumentException: IOException"
            + " while reading words.txt\\n"
        + "\\tat org.elasticsearch@8.19.20/org.elasticsearch.Analysis.words(Analysis.java:1)\\n"
        + "Caused by: java.nio.file.NoSuchFileException: words.txt\\n\\t... 7 more\\n";
    assertThat(explanation("{'unassigned_info':{'details':'%s'}}".formatted(details)).reason())
        .isEqualTo("failed shard on node [a]: failed to create index,"
            + " failure java.lang.IllegalArgumentException: IOException while reading words.txt; Caused by:"
            + " java.nio.file.NoSuchFileException: words.txt");
  }

  @Test
  void knowsWhetherOnlyRoomIsMissing() {
    assertThat(explanation(refusedBy(DISK, ECHO)).isOnlyDisk()).isTrue();
    assertThat(explanation(refusedBy(DISK, FILTER)).isOnlyDisk()).isFalse();
    assertThat(explanation(refusedBy(ECHO)).isOnlyDisk()).isFalse();
    assertThat(explanation("{'can_allocate':'throttled'}").isRefused()).isFalse();
  }

  @Test
  void knowsAShardThatMayNotStayAndHasNowhereToGo() {
    assertThat(explanation("{'can_remain_on_current_node':'no','can_move_to_other_node':'no'}").mustLeaveItsNode())
        .isTrue();
    assertThat(explanation("{'can_remain_on_current_node':'no','can_move_to_other_node':'yes'}").mustLeaveItsNode())
        .isFalse();
    assertThat(explanation("{'can_remain_on_current_node':'yes'}").mustLeaveItsNode()).isFalse();
  }
}
