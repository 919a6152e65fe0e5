import static org.assertj.core.api.Assertions.assertThat;

import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** Which snapshots a version of Elasticsearch or OpenSearch restores. */
class SnapshotVersionTest {
  @ParameterizedTest
  @CsvSource({
      "7.10.2, 7.10.2, false, true", "7.10.2, 7.17.0, false, true", "7.10.2, 8.19.1, false, true",
      "7.17.1, 9.0.0, false, false",
      "8.19.0, 8.18.0, false, false", "8.19.0, 9.1.0, false, true", "7.10.2, 2.19.0, true, true",
      "7.17.0, 2.19.0, true, false",
    "7.10.2, 3.0.0, true, false", "2.11.0, 3.0.0, true, true", "1.3.0, 3.0.0, true, false",
  })
  void knowsWhichSnapshotAVersionCanRestore(String snapshot, String cluster, boolean openSearch, boolean restorable) {
    assertThat(SnapshotVersion.isRestorable(snapshot, cluster, openSearch)).isEqualTo(restorable);
  }
}
