import static org.assertj.core.api.Assertions.assertThat;

import com.fasterxml.jackson.databind.ObjectMapper;
import java.io.IOException;
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse;
import java.nio.file.Path;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/**
 * The runbook to its end, with an application over the restored graph as TheHive's unit on one host: it answers where
 * the restore is whole, and says so where it is not. Its databases listen on the hosts' network, which is why it has
 * not the tag {@code servers}: containers are published on loopback addresses.
 */
@Tag("servers")
@Tag("hosts")
@Tag("matrix")
class ApplicationHostsTest {
  @TempDir static Path home;
  private static Hosts hosts;
  private static Original original;
  private static Server cassandra;
  private static Wire elasticsearch;
  private static Path folder;

  @BeforeAll
  static void start() throws IOException {
    hosts = HostsTest.startOrSkip();
    original = Original.get();
    var bridge = hosts.host("node1").address().replaceFirst("\\d+$", "1");
    cassandra = Stack.cassandra(Stack.CassandraOptions.on(bridge)).get(0);
    elasticsearch = new Wire(bridge, original.elasticsearch());
    folder = home.resolve("files");
    Attachments.writeAll(folder, 60);
    HotBackup.files(folder, home, original.backup().timestamp());

    var node = hosts.host("node1");
    node.copy(ServiceControlHostsTest.exported("tests/data/graph.java", home.resolve("graph")), "/opt/thehive/graph");
    node.exec(
        "echo --cassandra %s --elasticsearch %s > /opt/thehive/graph/target".formatted(bridge, elasticsearch.url()));
    node.thehive("graph", "later");
  }

  @AfterAll
  static void stop() {
    if (elasticsearch != null) {
      elasticsearch.close();
      cassandra.close();
    }
  }

  private static Script.Result run(String script, String... arguments) {
    return Script.of(script).env(original.settings()).env("CASSANDRA_CONNECTION", cassandra.host())
        .env("ATTACHMENT_FOLDER", folder.toString()).env("GENERAL_ARCHIVE_PATH", home.resolve("storage").toString())
        .env("THEHIVE_NODES", "node1 admin@node2").env("PATH", hosts.path()).args(arguments).run();
  }

  private static void succeeds(String script, String... arguments) {
    var result = run(script, arguments);
    assertThat(result.code()).as(result.out() + result.err()).isZero();
  }

  private static HttpResponse<String> search(String word) throws IOException, InterruptedException {
    var request = HttpRequest.newBuilder(URI.create(hosts.host("node1").url() + "/search?" + word)).build();
    return HttpClient.newHttpClient().send(request, HttpResponse.BodyHandlers.ofString());
  }

  @Test
  void theApplicationFindsItsCasesAfterTheRunbook() throws IOException, InterruptedException {
    succeeds("service-control.java", "stop");
    succeeds("restore-cassandra-es.java", "--yes", "--replication",
        "{'class': 'SimpleStrategy', 'replication_factor': 1}");
    succeeds("restore-files-nfs.java", "--yes");
    succeeds("verify.java", "--skip", "services,logs,s3");
    succeeds("service-control.java", "start");

    var json = new ObjectMapper();
    assertThat(json.readTree(search("phishing").body()))
        .hasSize(json.readTree(original.answer()).path("phishing").asInt()).isNotEmpty();
    var verified = run("verify.java", "--skip", "s3");
    assertThat(verified.code()).as(verified.out() + verified.err()).isZero();
    assertThat(verified.out()).contains("/api/v1/status/public answers", "node1: none in ").doesNotContain("✗");
    var refused = run("restore-cassandra-es.java", "--yes");
    assertThat(refused.code()).as("it runs: %s", refused.err()).isEqualTo(13);

    succeeds("service-control.java", "stop");
    original.elasticsearch().tool("DELETE", "/thehive_global");
    assertStartSaysThatTheIndexIsMissing();
    succeeds("service-control.java", "stop");
    succeeds("restore-cassandra-es.java", "--yes", "--only", "elasticsearch");
    succeeds("service-control.java", "start", "node1");
    assertThat(search("phishing").statusCode()).isEqualTo(200);
  }

  private static void assertStartSaysThatTheIndexIsMissing() throws IOException, InterruptedException {
    var started = run("service-control.java", "start", "--timeout", "40");
    assertThat(started.code()).as(started.err()).isEqualTo(13);
    assertThat(started.err())
        .containsPattern("error: node1: thehive is active .*/api/v1/status/public answers HTTP 500")
        .containsPattern("node1 \\| .*\\[ERROR\\] .* Cannot search").contains("node2: active (running), answers");
    assertThat(search("phishing").statusCode()).isEqualTo(500);
    var verified = run("verify.java", "--only", "services,logs,elasticsearch");
    assertThat(verified.code()).as(verified.out() + verified.err()).isEqualTo(15);
    assertThat(verified.out()).containsPattern("✗ services +application .* answers HTTP 500")
        .containsPattern("✗ logs +errors +\\d+ on node1 ")
        .containsPattern("✗ elasticsearch +index +there is no thehive_global");
  }
}
