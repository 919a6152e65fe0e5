import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.net.URI;
import java.nio.file.Path;
import java.time.LocalDateTime;
import java.util.List;
import java.util.Random;
import java.util.Set;
import java.util.TreeMap;
import java.util.stream.Collectors;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** Another node becomes the master of a cluster of three while it restores a snapshot. */
@Tag("servers")
@Tag("matrix")
class RestoreElasticsearchMasterTest {
  private static final List<String> HOSTS = List.of("127.0.9.41", "127.0.9.42", "127.0.9.43");
  private static final List<String> INDICES = List.of("thehive_global", "thehive-audits-000001");
  private static final int DOCUMENTS = 4_000;
  private static Path archives;
  private static List<Server> nodes;

  @BeforeAll
  static void start() throws IOException {
    archives = Original.temporaryFolder();
    nodes = Stack.elasticsearch("7.10.2", HOSTS, 9200, archives);
    HotBackup.register(url(), archives);
    for (var index : INDICES) {
      nodes.get(0).tool("PUT", "/" + index, """
          {"settings":{"number_of_shards":3,"number_of_replicas":1},"aliases":{"%s_alias":{}}}""".formatted(index));
      fill(index, DOCUMENTS, new Random(7));
    }
    HotBackup.elasticsearch(url(), "*", archives, HotBackup.timestamp(LocalDateTime.now().minusMinutes(1)));
  }

  @AfterAll
  static void stop() {
    nodes.forEach(Server::close);
  }

  private static URI url() {
    return URI.create("http://%s:9200".formatted(HOSTS.get(0)));
  }

  /** Text that does not compress well: a restore has to take a while. */
  private static void fill(String index, int documents, Random random) {
    nodes.get(0).tool("POST", "/" + index + "/_bulk?refresh=true", Documents.bulk(documents, id -> random
        .ints(20, 0, 1 << 30).mapToObj(Integer::toHexString).collect(Collectors.joining(" "))));
  }

  private static Server node(String name) {
    return nodes.stream().filter(node -> node.host().equals(name)).findFirst().orElseThrow();
  }

  private static String master(Server asked) {
    return asked.tool("GET", "/_cat/master?h=node").strip();
  }

  private static void awaitAnotherMaster(Server asked, String before) throws InterruptedException {
    for (var tries = 0; tries < 300; tries++) {
      try {
        if (!Set.of("", before).contains(master(asked))) {
          return;
        }
      } catch (IllegalStateException e) {
        // there is none for a moment
      }
      Thread.sleep(100);
    }
    throw new AssertionError(before + " remains the master");
  }

  /** All indices with their documents and aliases. */
  private static String state() throws IOException {
    var asked = nodes.get(0);
    asked.tool("GET", "/_cluster/health?wait_for_status=green&timeout=120s");
    var all = new TreeMap<String, String>();
    Json.MAPPER.readTree(asked.tool("GET", "/_alias")).fieldNames()
        .forEachRemaining(index -> all.put(index, Contents.ofElasticsearch(asked, index)));
    return all.toString();
  }

  private static Script restore() {
    return Script.of("restore-cassandra-es.java").args("--yes", "--only", "elasticsearch", "--recovery-rate", "300kb")
        .env("RESTORE_STATE_PATH", archives.toString()).env("THEHIVE_URL", "http://127.0.9.49:9000")
        .env("ELASTICSEARCH_API_URL", HOSTS.stream().map(host -> "http://" + host + ":9200")
            .collect(Collectors.joining(",")))
        .env("ELASTICSEARCH_GENERAL_ARCHIVE_PATH", archives.resolve("elasticsearch").toString());
  }

  @ParameterizedTest
  @ValueSource(strings = {"steps down", "is killed"})
  void endsWithTheWholeOrCanBeRunAgain(String master) throws Exception {
    var expected = state();
    INDICES.forEach(index -> fill(index, DOCUMENTS / 2, new Random(master.length())));
    var spoiled = state();
    assertThat(spoiled).isNotEqualTo(expected);

    var running = restore().start().awaitErr("Restoring snapshot");
    var before = node(master(nodes.get(0)));
    var other = nodes.stream().filter(node -> node != before).findFirst().orElseThrow();
    if (master.equals("is killed")) {
      before.kill();
    } else {
      other.tool("POST", "/_cluster/voting_config_exclusions?node_names=" + before.host());
    }
    awaitAnotherMaster(other, before.host());
    var result = running.await();
    if (!before.running()) {
      before.start();
    } else {
      other.tool("DELETE", "/_cluster/voting_config_exclusions?wait_for_removal=false");
    }

    assertThat(result.code()).as(result.err()).isIn(0, 11, 13, 14);
    if (result.code() != 0) {
      assertThat(result.err()).contains("error: Elasticsearch: ").doesNotContain("\tat ");
      assertThat(result.out()).contains("✗ ERROR");
      var again = restore().run();
      assertThat(again.code()).as(result.err() + again.err()).isZero();
    }
    System.out.printf("the master %s: exit %d%n", master, result.code());
    assertThat(state()).as(result.err()).isEqualTo(expected);
    assertThat(nodes.get(0).tool("GET", "/_cluster/settings")).as("the recovery limit is put back")
        .doesNotContain("300kb");
  }
}
