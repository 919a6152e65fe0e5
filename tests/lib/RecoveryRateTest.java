import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatCode;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.io.IOException;
import java.util.Set;
import java.util.TreeSet;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** Which rates Elasticsearch takes, and when a restore raises the limit by itself. */
class RecoveryRateTest {
  private static final String LIMIT = "indices.recovery.max_bytes_per_sec";
  private static final String BEFORE = "cluster.metadata.thehive_restore_recovery_rate_before";

  private static ElasticsearchCluster cluster(String settings, String... inAFile) throws IOException {
    return new ElasticsearchCluster("thp", new TreeSet<>(Set.of("8.19.0")), false, 1, 1,
        Json.MAPPER.readTree(settings), Set.of(inAFile), Json.MAPPER.readTree("{}"));
  }

  @Test
  void raisesElasticsearchsOwnDefault() throws IOException {
    var untouched = cluster("{'defaults':{'%s':'40mb'}}".formatted(LIMIT).replace('\'', '"'));

    assertThat(RecoveryRate.wanted(null, untouched)).contains("500mb");
    assertThat(RecoveryRate.wanted("unchanged", untouched)).isEmpty();
    assertThat(RecoveryRate.wanted("60mb", untouched)).contains("60mb");
    assertThat(RecoveryRate.now(untouched)).isEqualTo("40mb");
  }

  @ParameterizedTest
  @ValueSource(strings = {"transient", "persistent"})
  void leavesWhatAnAdministratorHasSet(String scope) throws IOException {
    var set = cluster("{'%s':{'%s':'20mb'},'defaults':{}}".formatted(scope, LIMIT).replace('\'', '"'));

    assertThat(RecoveryRate.wanted(null, set)).isEmpty();
    assertThat(RecoveryRate.wanted("60mb", set)).contains("60mb");
    assertThat(RecoveryRate.now(set)).isEqualTo("20mb");
  }

  @Test
  void leavesWhatStandsInANodesFile() throws IOException {
    assertThat(RecoveryRate.wanted(null, cluster("{}", LIMIT))).isEmpty();
    assertThat(RecoveryRate.wanted(null, cluster("{}", "node.name"))).contains("500mb");
  }

  @Test
  void knowsTheLimitThatAnInterruptedRestoreRaised() throws IOException {
    var raised = "{'transient':{'%s':'500mb','%s':'%s'},'persistent':{}}".replace('\'', '"');

    assertThat(RecoveryRate.wanted(null, cluster(raised.formatted(LIMIT, BEFORE, "none")))).contains("500mb");
    assertThat(RecoveryRate.now(cluster(raised.formatted(LIMIT, BEFORE, "none")))).isEqualTo("40mb");
    assertThat(RecoveryRate.wanted(null, cluster(raised.formatted(LIMIT, BEFORE, "20mb")))).isEmpty();
    assertThat(RecoveryRate.now(cluster(raised.formatted(LIMIT, BEFORE, "20mb")))).isEqualTo("20mb");
  }

  @ParameterizedTest
  @ValueSource(strings = {"200mb", "1.5gb", "100KB", "-1", "0", "10b", "5m", "unchanged"})
  void takesASize(String rate) {
    assertThatCode(() -> RecoveryRate.requireValid(rate)).doesNotThrowAnyException();
  }

  @ParameterizedTest
  @ValueSource(strings = {"fast", "200", "200 mb", "mb", "-2mb", "200mb/s", ""})
  void refusesAnythingElse(String rate) {
    assertThatThrownBy(() -> RecoveryRate.requireValid(rate)).isInstanceOf(Failure.class)
        .hasMessageContaining("is not a size");
  }
}
