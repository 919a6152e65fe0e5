import static org.assertj.core.api.Assertions.assertThatCode;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.nio.file.Path;
import java.util.List;
import org.junit.jupiter.api.Test;

/** Whether what a restore brings fits on a node's disks, a tenth more with it. */
class NodeRoomTest {
  private static NodeRoom room(long free, long held) {
    return new NodeRoom("10.0.0.1", List.of(Path.of("/var/lib/cassandra/data")), free, held);
  }

  @Test
  void aTenthMoreThanTheArchiveIsEnough() {
    assertThatCode(() -> room(1_100, 0).require(1_000, "thehive")).doesNotThrowAnyException();
    assertThatThrownBy(() -> room(1_099, 0).require(1_000, "thehive")).isInstanceOf(Failure.class).extracting("code")
        .isEqualTo(Exit.UNSAFE);
  }

  @Test
  void namesTheSnapshotsThatHoldRoomAndHowTheyAreRemoved() {
    assertThatThrownBy(() -> room(1_000, 5_000_000).require(8_000_000, "thehive"))
        .hasMessage("Cassandra node 10.0.0.1 has 1 kB free in /var/lib/cassandra/data, the restore brings 8 MB;"
            + " snapshots of what earlier restores removed hold 5 MB")
        .extracting("hint").asString()
        .contains("nodetool listsnapshots", "nodetool clearsnapshot -t <name> -- thehive");
  }
}
