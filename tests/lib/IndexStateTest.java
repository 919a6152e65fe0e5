import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.util.Map;
import java.util.TreeMap;
import org.junit.jupiter.api.Test;

class IndexStateTest {
  private static final IndexState STATE = new IndexState("a1b2", new TreeMap<>(Map.of(0, 7L, 1, -1L)));

  @Test
  void theLastWriteOfAShardIsTheLastOfItsCopies() throws IOException {
    var shards = Json.MAPPER.readTree("""
        {"0": [{"seq_no": {"max_seq_no": 6}}, {"seq_no": {"max_seq_no": 7}}], "1": [{"seq_no": {"max_seq_no": -1}}]}
        """);
    assertThat(IndexState.lastWrites(shards)).isEqualTo(STATE.lastWrites());
  }

  @Test
  void anotherIndexAWriteAndAReportWithoutStatesAreNotTheSame() throws IOException {
    assertThat(STATE.isThatOf(report("a1b2", 7))).isTrue();
    assertThat(STATE.isThatOf(report("a1b2", 8))).as("a write").isFalse();
    assertThat(STATE.isThatOf(report("c3d4", 7))).as("another index of the same name").isFalse();
    assertThat(STATE.isThatOf(Json.MAPPER.missingNode())).isFalse();
    assertThat(new IndexState("", new TreeMap<>()).isThatOf(Json.MAPPER.readTree("{\"uuid\":\"\",\"lastWrites\":{}}")))
        .as("a server that tells nothing").isFalse();
  }

  private static com.fasterxml.jackson.databind.JsonNode report(String uuid, long last) throws IOException {
    return Json.MAPPER.readTree("{\"uuid\":\"%s\",\"lastWrites\":{\"0\":%d,\"1\":-1}}".formatted(uuid, last));
  }
}
