import static org.assertj.core.api.Assertions.assertThat;

import java.nio.ByteBuffer;
import java.time.Instant;
import java.util.HexFormat;
import java.util.Map;
import org.junit.jupiter.api.Test;

/** What a JanusGraph left in its table of settings; the values are those of one that was there. */
class GraphSettingsTest {
  private static final Instant BACKUP = Instant.parse("2026-11-22T12:00:00Z");

  private static GraphSettings.Value value(String hex, Instant written) {
    return new GraphSettings.Value(ByteBuffer.wrap(HexFormat.of().parseHex(hex)), written);
  }

  @Test
  void readsIndexPartitionsAndOpenInstances() {
    var old = BACKUP.minusSeconds(60);
    var settings = GraphSettings.of(Map.of(
        "index.search.index-name", value("92a0746865686976e5", old),
        "cluster.max-partitions", value("8cc0", old),
        "system-registration.7f00010199-node1.startup-time", value("c1", old),
        "system-registration.7f00010177-node2.startup-time", value("c1", BACKUP.plusSeconds(1))), BACKUP);
    assertThat(settings.index()).isEqualTo("thehive_global");
    assertThat(settings.partitions()).isEqualTo(32);
    assertThat(settings.openInstances()).as("registered before the backup").containsExactly("7f00010199-node1");
    assertThat(settings.advice()).hasValueSatisfying(
        text -> assertThat(text).contains("7f00010199-node1", "start one node of TheHive first"));
  }

  @Test
  void takesJanusGraphsDefaultsForWhatIsNotStored() {
    var settings = GraphSettings.of(Map.of("graph.timestamps", value("b680", BACKUP)), BACKUP);
    assertThat(settings.index()).isEqualTo("janusgraph_global");
    assertThat(settings.partitions()).isEqualTo(32);
    assertThat(settings.advice()).isEmpty();
  }
}
