import static org.assertj.core.api.Assertions.assertThat;

import com.datastax.oss.driver.api.core.CqlSession;
import java.io.IOException;
import java.net.InetSocketAddress;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.security.GeneralSecurityException;
import java.security.KeyStore;
import java.util.Base64;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.regex.Pattern;
import javax.net.ssl.KeyManagerFactory;
import javax.net.ssl.SSLContext;
import javax.net.ssl.TrustManagerFactory;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** The same backup onto other clusters: fewer and more nodes, with log-in and authorisation, with TLS. */
@Tag("servers")
class RestoreCassandraEsClustersTest {
  private static Original original;

  @TempDir Path folder;

  @BeforeAll
  static void fillAndBackUp() {
    original = Original.get();
  }

  private static Script restore(Server node, String... arguments) {
    return Script.of("restore-cassandra-es.java").env(original.settings()).env("CASSANDRA_CONNECTION", node.host())
        .args("--yes", "--only", "cassandra").args(arguments);
  }

  private static Map<String, String> tables(CqlSession session, boolean all) {
    return Contents.ofCassandra(session, "thehive", all);
  }

  @Tag("matrix")
  @Test
  void restoresOntoOneNodeMoreThanAtTheBackup() {
    var options = Stack.CassandraOptions.on("127.0.0.2", "127.0.0.3", "127.0.0.4");
    try (var fourth = Stack.addCassandra(options, "127.0.0.5")) {
      try {
        var result = restore(fourth).run();
        assertThat(result.code()).as(result.err()).isZero();
        assertThat(result.err()).contains("data centre datacenter1, 4 nodes: ");
        try (var session = Contents.session(fourth, Optional.empty())) {
          assertThat(tables(session, true)).isEqualTo(original.state().tables());
        }
      } finally {
        // or the other three would wait for it, and all tests after this one fail
        fourth.tool("decommission", "--force");
      }
    }
  }

  @Test
  void restoresOntoOneNodeFewerWithLogInAndAuthorisation() throws IOException {
    var nodes = Stack
        .cassandra(Stack.CassandraOptions.on("127.0.0.6", "127.0.0.7").withAuth().withYaml("auto_snapshot", "false"));
    try {
      withLogInAndAuthorisation(nodes.get(0));
    } finally {
      nodes.forEach(Server::close);
    }
  }

  private void withLogInAndAuthorisation(Server node) throws IOException {
    try (var session = Contents.session(node, Optional.empty())) {
      session.execute("CREATE ROLE thehive WITH PASSWORD = 'hive-pass' AND LOGIN = true");
      session.execute("CREATE ROLE nobody WITH PASSWORD = 'no-pass' AND LOGIN = true");
      session.execute("CREATE ROLE reader WITH PASSWORD = 'no-pass' AND LOGIN = true");
      session.execute("GRANT SELECT ON KEYSPACE system_views TO reader");
    }
    assertRefused(restore(node), 12, "refuses a connection without log-in");
    assertRefused(restore(node).env("CASSANDRA_CONNECTION", node.host() + " cassandra -p wr0ng"), 12,
        "refuses the log-in of cassandra");
    assertRefused(restore(node).env("CASSANDRA_USER", "cassandra"), 2, "no password for Cassandra's user cassandra");
    var two = "{'class': 'SimpleStrategy', 'replication_factor': 2}";
    assertRefused(
        restore(node, "--replication", two).env("CASSANDRA_USER", "nobody").env("CASSANDRA_PASSWORD", "no-pass"), 12,
        "User nobody has no SELECT permission");
    assertRefused(
        restore(node, "--replication", two).env("CASSANDRA_USER", "reader").env("CASSANDRA_PASSWORD", "no-pass"), 12,
        "role reader is not a superuser");

    var password = Files.writeString(folder.resolve("password"), "cassandra\n");
    var login = Map.of("CASSANDRA_USER", "cassandra", "CASSANDRA_PASSWORD_FILE", password.toString());
    var tooMany = assertRefused(restore(node).env(login), 13, "does not fit the nodes there are: {datacenter1=2}");
    var hinted =
        Pattern.compile("--replication \"(.*)\"").matcher(tooMany.err()).results().findFirst().orElseThrow().group(1);
    var unknown =
        restore(node, "--replication", hinted, "--dry-run").env(login).env("CASSANDRA_THEHIVE_USER", "nosuch").run();
    assertThat(unknown.code()).as(unknown.err()).isZero();
    assertThat(unknown.err())
        .contains(
            "warning: there is no role nosuch to grant keyspace thehive to: create it, or set CASSANDRA_THEHIVE_USER")
        .doesNotContain("TO \"nosuch\"");
    assertThereIsNoKeyspace(node, Optional.empty());

    var result = restore(node, "--replication", hinted).env(login).run();
    assertThat(result.code()).as(result.err()).isZero();
    assertThat(result.err()).contains("GRANT ALL PERMISSIONS ON KEYSPACE \"thehive\" TO \"thehive\"");
    try (var session = Contents.session(node, Optional.empty())) {
      assertThat(tables(session, false)).isEqualTo(original.state().tables());
    }

    var theHive = CqlSession.builder().addContactPoint(new InetSocketAddress(node.host(), node.port()))
        .withLocalDatacenter("datacenter1").withAuthCredentials("thehive", "hive-pass");
    try (var session = theHive.build()) {
      session.execute("INSERT INTO thehive.txlog (key, column1, value) VALUES (0x01, 0x01, 0x01)");
      assertThat(session.execute("SELECT * FROM thehive.txlog WHERE key = 0x01").one())
          .as("TheHive's role reads and writes").isNotNull();
    }
    var again = restore(node, "--replication", hinted).env(login).run();
    assertThat(again.code()).as(again.err()).isZero();
    assertThat(again.err()).containsPattern("truncate 9 tables with .* rows now: same definition")
        .containsPattern("what is removed is gone for good on [0-9.]+, [0-9.]+: auto_snapshot is off");
  }

  @Tag("matrix")
  @Test
  void restoresASnapshotOfAnOlderElasticsearch() {
    var archives = original.backup().archives();
    try (var elasticsearch = Stack.elasticsearch("8.19", List.of("127.0.0.9"), 9200, archives).get(0)) {
      elasticsearch.tool("PUT", "/_snapshot/thehive_repository",
          "{\"type\":\"fs\",\"settings\":{\"location\":\"%s\",\"readonly\":true}}"
              .formatted(archives.resolve("elasticsearch")));
      var script =
          Script.of("restore-cassandra-es.java").env(original.settings()).args("--yes", "--only", "elasticsearch")
          .env("ELASTICSEARCH_API_URL", "http://127.0.0.9:9200");
      for (var round = 0; round < 2; round++) {
        var result = script.run();
        assertThat(result.code()).as(result.err()).isZero();
        assertThat(documents(elasticsearch)).isEqualTo(documents(original.elasticsearch()));
      }
    }
  }

  @Test
  void restoresThroughHttpsWithAUserOrAnApiKey() throws IOException, GeneralSecurityException {
    var basic = "Basic " + Base64.getEncoder().encodeToString("elastic:right".getBytes(StandardCharsets.UTF_8));
    try (var proxy =
        new LoginProxy(original.elasticsearch(), "127.0.0.10", 9243, Set.of(basic, "ApiKey a2V5"), folder)) {
      var before = documents(original.elasticsearch());
      var script = Map.of("ELASTICSEARCH_API_URL", "https://127.0.0.10:9243", "ELASTICSEARCH_CA",
          proxy.certificate().toString());
      var untrusted = overHttps(script).env("ELASTICSEARCH_CA", null).env("ELASTICSEARCH_API_KEY", "a2V5");
      assertRefused(untrusted, 11, "cannot reach Elasticsearch at https://127.0.0.10:9243");
      assertRefused(overHttps(script), 12, "Elasticsearch at https://127.0.0.10:9243 refuses");
      assertRefused(overHttps(script).env("ELASTICSEARCH_USER", "elastic").env("ELASTICSEARCH_PASSWORD", "wr0ng"), 12,
          "HTTP 401");
      assertRefused(overHttps(script).env("ELASTICSEARCH_USER", "elastic"), 2,
          "no password for Elasticsearch's user elastic");
      assertThat(documents(original.elasticsearch())).as("after what was refused").isEqualTo(before);
      var password = Files.writeString(folder.resolve("password"), "right\n").toString();
      var key = Files.writeString(folder.resolve("key"), "a2V5\n").toString();
      for (var login : List.of(Map.of("ELASTICSEARCH_USER", "elastic", "ELASTICSEARCH_PASSWORD_FILE", password),
          Map.of("ELASTICSEARCH_API_KEY_FILE", key))) {
        var planned = overHttps(script).args("--dry-run").env(login).run();
        assertThat(planned.code()).as(planned.err()).isZero();
        assertThat(planned.err()).contains("every check passed, nothing was changed");
      }
      for (var login : List.of(Map.of("ELASTICSEARCH_USER", "elastic", "ELASTICSEARCH_PASSWORD", "right"),
          Map.of("ELASTICSEARCH_API_KEY", "a2V5"))) {
        var result = overHttps(script).env(login).run();
        assertThat(result.code()).as(result.err()).isZero();
        assertThat(documents(original.elasticsearch())).isEqualTo(before);
      }
    }
  }

  @Test
  void restoresOntoThreeElasticsearchNodesThoughTheFirstNamedIsDown() {
    var archives = original.backup().archives();
    var nodes = Stack.elasticsearch("7.10.2", List.of("127.0.0.21", "127.0.0.22", "127.0.0.23"), 9200, archives);
    try {
      nodes.get(0).tool("PUT", "/_snapshot/thehive_repository",
          "{\"type\":\"fs\",\"settings\":{\"location\":\"%s\",\"readonly\":true}}"
              .formatted(archives.resolve("elasticsearch")));
      var script =
          Script.of("restore-cassandra-es.java").env(original.settings()).args("--yes", "--only", "elasticsearch")
              .env("ELASTICSEARCH_API_URL",
                  "http://127.0.0.29:9200,http://127.0.0.21:9200,http://127.0.0.22:9200,http://127.0.0.23:9200");
      var result = script.run();
      assertThat(result.code()).as(result.err()).isZero();
      assertThat(result.err()).contains("3 data nodes");
      for (var node : nodes) {
        assertThat(documents(node)).as("asked of " + node.name()).isEqualTo(documents(original.elasticsearch()));
      }
      assertThat(nodes.get(1).tool("GET", "/_cat/health?h=status").strip()).as("with all replicas").isEqualTo("green");
    } finally {
      nodes.forEach(Server::close);
    }
  }

  /**
   * The server goes on with what it was asked for, whether or not its answer comes through. The first {@code _restore}
   * only asks whether it can be, the next two read settings and aliases, the fourth makes the copy, and in place the
   * fifth the live index; {@code _clone} is tried on an empty index and on the copy before the third makes the live
   * index.
   */
  @ParameterizedTest
  @CsvSource({"/_restore, 4,", "_clone, 1,", "_clone, 3,", "/_restore, 4, --in-place", "/_restore, 5, --in-place"})
  void goesOnWhenTheAnswerIsLost(String request, int nth, String option) {
    try (var wire = new Wire("127.0.0.23", original.elasticsearch())) {
      var before = documents(original.elasticsearch());
      wire.loseAnswerTo(request, nth);
      var script =
          Script.of("restore-cassandra-es.java").env(original.settings()).env("ELASTICSEARCH_API_URL", wire.url())
          .args("--yes", "--only", "elasticsearch");
      var result = option == null ? script.run() : script.args(option).run();
      assertThat(wire.faults()).isEqualTo(1);
      assertThat(result.code()).as(result.err()).isZero();
      assertThat(result.err()).contains("is there: following it");
      assertThat(documents(original.elasticsearch())).isEqualTo(before);
    }
  }

  @Test
  void aNetworkThatIsCutDuringTheRestoreIsAClearErrorAndTheNextRunSucceeds() {
    var before = documents(original.elasticsearch());
    recoveryLimit("\"20kb\""); // so that the copy is not complete before the network is cut
    try (var wire = new Wire("127.0.0.23", original.elasticsearch())) {
      var running =
          Script.of("restore-cassandra-es.java").env(original.settings()).env("ELASTICSEARCH_API_URL", wire.url())
          .args("--yes", "--only", "elasticsearch").start().awaitErr("Restoring snapshot");
      wire.deadAfter(0);
      var result = running.await();
      assertThat(result.code()).as(result.err()).isIn(11, 14);
      assertThat(result.err()).contains("error: Elasticsearch: ").doesNotContain("\tat ");
      assertThat(result.out()).contains("=== ✗ ERROR - ES: exit ");
    } finally {
      recoveryLimit("null");
    }
    var again =
        Script.of("restore-cassandra-es.java").env(original.settings()).args("--yes", "--only", "elasticsearch").run();
    assertThat(again.code()).as(again.err()).isZero();
    assertThat(documents(original.elasticsearch())).isEqualTo(before);
  }

  private static void recoveryLimit(String limit) {
    original.elasticsearch().tool("PUT", "/_cluster/settings",
        "{\"transient\":{\"indices.recovery.max_bytes_per_sec\":%s}}".formatted(limit));
  }

  private static Script overHttps(Map<String, String> variables) {
    return Script.of("restore-cassandra-es.java").env(original.settings()).env(variables).args("--yes", "--only",
        "elasticsearch");
  }

  private static String documents(Server elasticsearch) {
    return Contents.ofElasticsearch(elasticsearch, "thehive_global");
  }

  @Test
  void showsNoSecretInItsOutputItsReportOrAnyProcess() throws IOException {
    var running = Script.of("restore-cassandra-es.java").env(original.settings())
        .env("CASSANDRA_CONNECTION", "127.0.0.2 -u admin -p t0psecret")
        .env("ELASTICSEARCH_USER", "elastic").env("ELASTICSEARCH_PASSWORD", "t0psecret")
        .env("BACKUP_PASSWORD", "t0psecret")
        .args("--verbose", "--throttle", "1").onTerminal().start().awaitErr("Type thp");
    assertThat(commandLines()).as("while it asks").anyMatch(line -> line.contains("restore-cassandra-es.java"))
        .noneMatch(line -> line.contains("t0psecret"));
    running.type("thp\n").awaitErr("Streaming");
    assertThat(commandLines()).as("while it streams").anyMatch(line -> line.contains("restore-cassandra-es.java"))
        .noneMatch(line -> line.contains("t0psecret"));

    var result = running.await();
    assertThat(result.code()).as(result.out()).isZero();
    assertThat(result.out()).contains("=== ✓ Successful full restore ===").doesNotContain("t0psecret");
    try (var reports = Files.list(original.backup().archives().resolve("cassandra"))) {
      assertThat(reports.filter(file -> file.toString().endsWith(".json")).toList()).isNotEmpty()
          .allSatisfy(report -> assertThat(Files.readString(report)).doesNotContain("t0psecret"));
    }
    assertThat(original.now()).isEqualTo(original.state());
  }

  /** Of every process there is, with its arguments. */
  private static List<String> commandLines() {
    return ProcessHandle.allProcesses().map(process -> {
      try {
        return new String(Files.readAllBytes(Path.of("/proc/" + process.pid() + "/cmdline")), StandardCharsets.UTF_8);
      } catch (IOException e) {
        return ""; // it ended meanwhile
      }
    }).toList();
  }

  @Test
  void restoresWithTlsForClientsAndBetweenNodes() throws GeneralSecurityException, IOException {
    try (var node = Stack.cassandra(Stack.CassandraOptions.on("127.0.0.8").withTlsClientAuth()).get(0)) {
      var one = "{'class': 'SimpleStrategy', 'replication_factor': 1}";
      var certificates = Stack.certificates();
      assertRefused(restore(node, "--replication", one), 11, "cannot reach Cassandra at 127.0.0.8:9042");
      assertThereIsNoKeyspace(node, Optional.of(tls(certificates)));
      var result =
          restore(node, "--replication", one).env("CASSANDRA_SSL_CA", certificates.resolve("ca.pem").toString())
          .env("CASSANDRA_SSL_CERT", certificates.resolve("client.pem").toString())
          .env("CASSANDRA_SSL_KEY", certificates.resolve("client.key").toString()).run();
      assertThat(result.code()).as(result.err()).isZero();
      assertThat(result.err()).contains(", encrypted");
      try (var session = Contents.session(node, Optional.of(tls(certificates)))) {
        assertThat(tables(session, false)).isEqualTo(original.state().tables());
      }
    }
  }

  @Test
  void restoresWhereOnlyTheNodesUseTlsAmongThemselves() throws IOException {
    try (var node = Stack
        .cassandra(
            Stack.CassandraOptions.on("127.0.0.8").withTls().withYaml("client_encryption_options.enabled", "false"))
        .get(0)) {
      var one = "{'class': 'SimpleStrategy', 'replication_factor': 1}";
      var certificates = Stack.certificates();
      assertRefused(restore(node, "--replication", one), 2, "Cassandra's nodes encrypt what they send each other");
      assertThereIsNoKeyspace(node, Optional.empty());
      var result =
          restore(node, "--replication", one).env("CASSANDRA_INTERNODE_CA", certificates.resolve("ca.pem").toString())
          .env("CASSANDRA_INTERNODE_CERT", certificates.resolve("client.pem").toString())
          .env("CASSANDRA_INTERNODE_KEY", certificates.resolve("client.key").toString()).run();
      assertThat(result.code()).as(result.err()).isZero();
      try (var session = Contents.session(node, Optional.empty())) {
        assertThat(tables(session, false)).isEqualTo(original.state().tables());
      }
    }
  }

  /** As behind a firewall that lets clients through only: streaming would fail after the tables are emptied. */
  @Test
  void refusesBeforeTheFirstChangeWhereThePortBetweenNodesIsOutOfReach() {
    var seeds = "[{class_name: org.apache.cassandra.locator.SimpleSeedProvider, parameters: [{seeds: 127.0.0.99}]}]";
    var options = Stack.CassandraOptions.on("127.0.0.8").withYaml("broadcast_address", "127.0.0.99")
        .withYaml("seed_provider", seeds);
    try (var node = Stack.cassandra(options).get(0)) {
      assertRefused(restore(node, "--replication", "{'class': 'SimpleStrategy', 'replication_factor': 1}"), 11,
          "the storage port of Cassandra node 127.0.0.99:7000 cannot be reached from here");
      assertThereIsNoKeyspace(node, Optional.empty());
    }
  }

  private static void assertThereIsNoKeyspace(Server node, Optional<SSLContext> tls) {
    try (var session = Contents.session(node, tls)) {
      assertThat(session.getMetadata().getKeyspace("thehive")).as("keyspace after what was refused").isEmpty();
    }
  }

  static SSLContext tls(Path certificates) throws GeneralSecurityException, IOException {
    var password = "cassandra".toCharArray();
    var keys = KeyManagerFactory.getInstance(KeyManagerFactory.getDefaultAlgorithm());
    keys.init(KeyStore.getInstance(certificates.resolve("client.p12").toFile(), password), password);
    var trust = TrustManagerFactory.getInstance(TrustManagerFactory.getDefaultAlgorithm());
    trust.init(KeyStore.getInstance(certificates.resolve("truststore.p12").toFile(), password));
    var context = SSLContext.getInstance("TLS");
    context.init(keys.getKeyManagers(), trust.getTrustManagers(), null);
    return context;
  }

  private static Script.Result assertRefused(Script script, int code, String because) {
    var result = script.run();
    assertThat(result.code()).as(result.err()).isEqualTo(code);
    assertThat(result.err()).contains(because).doesNotContain("wr0ng").doesNotContain("\tat ");
    assertThat(original.backup().archives().resolve("cassandra")).as("no marker")
        .isDirectoryNotContaining("glob:**.unfinished");
    return result;
  }
}
