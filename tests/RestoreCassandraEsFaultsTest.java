import static org.assertj.core.api.Assertions.assertThat;

import java.time.Duration;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;

/**
 * Servers and networks that fail in the midst of a restore: it ends in time, says what is wrong, and the next run
 * succeeds.
 */
@Tag("servers")
@Tag("faults")
class RestoreCassandraEsFaultsTest {
  private static Original original;

  @BeforeAll
  static void fillAndBackUp() {
    original = Original.get();
  }

  private static Script restore(String... arguments) {
    return Script.of("restore-cassandra-es.java").env(original.settings()).args("--yes").args(arguments);
  }

  private static Server lastNode() {
    return original.cassandra().get(2);
  }

  private static void assertFailedWith(Script.Result result, String... words) {
    assertThat(result.code()).as(result.err()).isIn(11, 13, 14);
    assertThat(result.out()).startsWith("=== ✗ ERROR - ").doesNotContain("✓");
    assertThat(result.err()).contains("error: ").contains(words).doesNotContain("\tat ");
  }

  private static void assertNextRunSucceeds() {
    var result = restore().run();
    assertThat(result.code()).as(result.err()).isZero();
    assertThat(original.now()).as("rows with their write times, documents and aliases").isEqualTo(original.state());
  }

  @Test
  void aNodeIsKilledWhileItReceives() {
    var running = restore("--throttle", "1").start().awaitErr("Streaming");
    lastNode().kill();
    var result = running.await();
    lastNode().start();
    assertFailedWith(result, lastNode().clusterAddress());
    assertNextRunSucceeds();
  }

  /** As when a cable is pulled: nothing refuses, nothing answers. */
  @Test
  void theNetworkToANodeIsCut() {
    var running = restore("--throttle", "1").timeout(Duration.ofMinutes(8)).start().awaitErr("Streaming");
    lastNode().freeze();
    var result = running.await();
    lastNode().thaw();
    assertFailedWith(result, lastNode().clusterAddress());
    assertNextRunSucceeds();
  }

  /** It stands still half of the time, as behind a disk that cannot follow. */
  @Test
  void aSlowNodeIsWaitedFor() throws InterruptedException {
    var running = restore().start().awaitErr("Truncating");
    while (ProcessHandle.of(running.pid()).isPresent()) {
      lastNode().freeze();
      Thread.sleep(700);
      lastNode().thaw();
      Thread.sleep(700);
    }
    assertThat(running.await().code()).isZero();
    assertThat(original.now()).isEqualTo(original.state());
  }

  @Test
  void elasticsearchStartsAgainDuringTheRestore() {
    var running = restore().start().awaitErr("Restoring snapshot");
    original.elasticsearch().kill();
    original.elasticsearch().start();
    var result = running.await();
    if (result.code() != 0) {
      assertFailedWith(result, "Elasticsearch");
      assertNextRunSucceeds();
    }
    assertThat(original.now()).isEqualTo(original.state());
  }

  @Test
  void theNetworkToElasticsearchIsCutForAMoment() throws InterruptedException {
    var running = restore().start().awaitErr("Restoring snapshot");
    original.elasticsearch().freeze();
    Thread.sleep(20_000);
    original.elasticsearch().thaw();
    assertThat(running.await().code()).isZero();
    assertThat(original.now()).isEqualTo(original.state());
  }
}
