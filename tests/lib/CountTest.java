import static org.assertj.core.api.Assertions.assertThat;

import org.junit.jupiter.api.Test;

/** One file, and several. */
class CountTest {
  @Test
  void namesOneAndSeveral() {
    assertThat(Count.of(0, "file")).isEqualTo("0 files");
    assertThat(Count.of(1, "file")).isEqualTo("1 file");
    assertThat(Count.of(20_000, "file")).isEqualTo("20,000 files");
    assertThat(Count.of(1, "index", "indices")).isEqualTo("1 index");
    assertThat(Count.of(2, "index", "indices")).isEqualTo("2 indices");
  }
}
