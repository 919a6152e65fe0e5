import static java.util.stream.Collectors.joining;
import static org.assertj.core.api.Assertions.assertThat;
import static org.awaitility.Awaitility.await;

import java.io.IOException;
import java.net.URI;
import java.time.Duration;
import java.util.List;
import java.util.Optional;
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
    Script.Result result;
    lastNode().kill();
    try {
      result = running.await();
    } finally {
      lastNode().start();
    }
    assertFailedWith(result, lastNode().clusterAddress());
    assertNextRunSucceeds();
  }

  /** As when a cable is pulled: nothing refuses, nothing answers. It takes a minute until that counts as silence. */
  @Tag("matrix")
  @Test
  void theNetworkToANodeIsCut() {
    var running = restore("--throttle", "1").timeout(Duration.ofMinutes(8)).start().awaitErr("Streaming");
    Script.Result result;
    lastNode().freeze();
    try {
      result = running.await();
    } finally {
      lastNode().thaw();
    }
    assertFailedWith(result, lastNode().clusterAddress());
    assertNextRunSucceeds();
  }

  /** It stands still half of the time, as behind a disk that cannot follow. */
  @Test
  void aSlowNodeIsWaitedFor() throws InterruptedException {
    var running = restore().start().awaitErr("Truncating");
    while (ProcessHandle.of(running.pid()).isPresent()) {
      lastNode().freeze();
      try {
        Thread.sleep(700);
      } finally {
        lastNode().thaw();
      }
      Thread.sleep(700);
    }
    var result = running.await();
    assertThat(result.code()).as(result.err()).isZero();
    assertThat(original.now()).isEqualTo(original.state());
  }

  /**
   * So slow that it is in the midst of the index, of some hundred kilobytes, when something happens to Elasticsearch;
   * and when Cassandra is emptied, Elasticsearch has already shown that the restore can go through.
   */
  private static Script.Running slowRestoreOfTheIndex() {
    return restore("--recovery-rate", "50kb").start().awaitErr("Truncating");
  }

  private static void assertIndexIsNotThereYet(Script.Running running) {
    assertThat(running.err()).as("the index is still being restored").doesNotContain("Replacing");
  }

  @Test
  void elasticsearchStartsAgainDuringTheRestore() {
    var running = slowRestoreOfTheIndex();
    original.elasticsearch().kill();
    try {
      assertIndexIsNotThereYet(running);
    } finally {
      original.elasticsearch().start();
    }
    var result = running.await();
    if (result.code() != 0) {
      assertFailedWith(result, "Elasticsearch");
      assertNextRunSucceeds();
    }
    assertThat(original.now()).isEqualTo(original.state());
  }

  @Test
  void theElasticsearchNodeThatRestoresIsLost() throws IOException {
    var archives = original.backup().archives();
    var nodes = Stack.elasticsearch("7.10.2", List.of("127.0.0.31", "127.0.0.32", "127.0.0.33"), 9200, archives);
    try {
      HotBackup.register(URI.create("http://127.0.0.31:9200"), archives);
      var urls = nodes.stream().map(node -> "http://" + node.host() + ":9200").collect(joining(","));
      var script = restore("--only", "elasticsearch").env("ELASTICSEARCH_API_URL", urls);
      var running = script.args("--recovery-rate", "100kb").start().awaitErr("Restoring snapshot");
      var lost = await("a node that restores").until(() -> nodes.stream()
          .filter(node -> nodes.get(0).tool("GET", "/_cat/shards?h=prirep,state,node")
              .contains("p INITIALIZING " + node.host()))
          .findFirst(), Optional::isPresent).get();
      lost.kill();
      assertIndexIsNotThereYet(running);
      var result = running.await();
      if (result.code() != 0) {
        assertFailedWith(result, "Elasticsearch");
        var next = script.run();
        assertThat(next.code()).as(next.err()).isZero();
      }
      for (var node : nodes) {
        if (node.running()) {
          assertThat(Contents.ofElasticsearch(node, "thehive_global")).isEqualTo(original.state().index());
        }
      }
    } finally {
      nodes.forEach(Server::close);
    }
  }

  @Test
  @Tag("matrix")
  void theNetworkToElasticsearchIsCutForAMoment() throws InterruptedException {
    var running = slowRestoreOfTheIndex();
    original.elasticsearch().freeze();
    try {
      assertIndexIsNotThereYet(running);
      // shorter than the 60 s for which the script waits for an answer, and much longer than any pause of a server's
      // own
      Thread.sleep(20_000);
    } finally {
      original.elasticsearch().thaw();
    }
    var result = running.await();
    assertThat(result.code()).as(result.err()).isZero();
    assertThat(original.now()).isEqualTo(original.state());
  }
}
