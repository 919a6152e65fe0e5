import static org.assertj.core.api.Assertions.assertThat;

import java.util.List;
import java.util.Optional;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** Whether shards find room on the nodes' disks. */
class DiskRoomTest {
  @ParameterizedTest
  @CsvSource({"85%, , 350", "0.85, , 350", "85%, 100b, 400", "100b, , 400", "1kb, , 0", "100%, , 500"})
  void keepsFreeWhatTheWatermarkSays(String watermark, String headroom, long room) throws Exception {
    var allocation = Json.MAPPER
        .readTree("[{\"node\":\"a\",\"disk.avail\":\"500\",\"disk.total\":\"1000\"},{\"node\":\"UNASSIGNED\"}]");
    assertThat(DiskRoom.of(allocation, watermark, Optional.ofNullable(headroom)).total()).isEqualTo(room);
  }

  @Test
  void knowsAShardThatNoNodeHasRoomFor() {
    var room = new DiskRoom(List.of(new DiskRoom.Node("a", 100), new DiskRoom.Node("b", 60)));
    assertThat(room.withoutRoom(List.of(100L, 60L))).isEmpty();
    assertThat(room.withoutRoom(List.of(120L, 10L))).as("160 in all, but on no node").contains(120L);
    assertThat(room.withoutRoom(List.of())).isEmpty();
  }
}
