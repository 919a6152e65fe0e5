import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.awaitility.Awaitility.await;

import com.datastax.oss.driver.api.core.AllNodesFailedException;
import com.datastax.oss.driver.api.core.ConsistencyLevel;
import com.datastax.oss.driver.api.core.CqlSession;
import com.datastax.oss.driver.api.core.config.DefaultDriverOption;
import com.datastax.oss.driver.api.core.config.DriverConfigLoader;
import com.datastax.oss.driver.api.core.cql.SimpleStatement;
import com.datastax.oss.driver.api.core.ssl.ProgrammaticSslEngineFactory;
import java.io.IOException;
import java.net.InetSocketAddress;
import java.net.Socket;
import java.nio.file.Files;
import java.nio.file.Path;
import java.security.KeyStore;
import java.time.Duration;
import java.util.List;
import java.util.regex.Pattern;
import java.util.stream.Stream;
import javax.net.ssl.SSLContext;
import javax.net.ssl.TrustManagerFactory;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Nested;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** The servers that the other tests stand on. */
@Tag("servers")
@Tag("matrix")
class ServersTest {
  @Nested
  class CassandraWithLogInAndTls {
    private static List<Server> nodes;

    @BeforeAll
    static void start() {
      nodes = Stack.cassandra(Stack.CassandraOptions.on("127.0.1.2", "127.0.1.3").withAuth().withTls());
    }

    @AfterAll
    static void close() {
      nodes.forEach(Server::close);
    }

    @Test
    void everyNodeSeesTheOtherWhenTheStartReturns() {
      for (var node : nodes) {
        assertThat(node.tool("status").lines().filter(line -> line.startsWith("UN "))).as("seen from %s", node)
            .hasSize(2);
      }
    }

    @Test
    void aWrongPasswordIsRefused() {
      assertThatThrownBy(() -> connect(nodes.get(0), "cassandra", "wrong"))
          .isInstanceOf(AllNodesFailedException.class)
          .hasMessageContaining("Authentication error");
    }

    @Test
    void nodesThatWereKilledOrStoppedComeBackWithTheirData() throws Exception {
      var killed = nodes.get(0);
      var stopped = nodes.get(1);
      try (var session = connect(killed, "cassandra", "cassandra")) {
        session.execute("CREATE KEYSPACE k WITH replication = {'class': 'SimpleStrategy', 'replication_factor': 2}");
        session.execute("CREATE TABLE k.t (id int PRIMARY KEY)");
        session.execute(SimpleStatement.newInstance("INSERT INTO k.t (id) VALUES (42)")
            .setConsistencyLevel(ConsistencyLevel.ALL));
      }
      killed.kill();
      stopped.stop();
      assertThat(stopped.log()).contains("Announcing shutdown");
      assertThat(nodes).noneMatch(Server::running).noneMatch(ServersTest::connects);

      nodes.parallelStream().forEach(Server::start);

      try (var session = connect(killed, "cassandra", "cassandra")) {
        assertThat(session.execute("SELECT id FROM k.t").one().getInt("id")).isEqualTo(42);
      }
      killed.tool("snapshot", "-t", "s", "k");
      try (var files = Files.walk(killed.data().resolve("data/k"))) {
        assertThat(files.map(Path::toString))
            .anyMatch(file -> file.matches(".*/t-[0-9a-f]{32}/snapshots/s/.*-Data.db"));
      }
    }

    @Test
    void aToolThatFailsSaysWhy() {
      assertThatThrownBy(() -> nodes.get(0).tool("snapshot", "missing")).hasMessageContaining("missing");
    }

    private static CqlSession connect(Server server, String user, String password) throws Exception {
      var patient = DriverConfigLoader.programmaticBuilder()
          .withDuration(DefaultDriverOption.REQUEST_TIMEOUT, Duration.ofSeconds(30))
          .withDuration(DefaultDriverOption.CONNECTION_INIT_QUERY_TIMEOUT, Duration.ofSeconds(30))
          .build();
      return CqlSession.builder()
          .withConfigLoader(patient)
          .addContactPoint(new InetSocketAddress(server.host(), server.port()))
          .withLocalDatacenter("datacenter1")
          .withAuthCredentials(user, password)
          .withSslEngineFactory(new ProgrammaticSslEngineFactory(trusting(Stack.certificates()), null, true))
          .build();
    }

    private static SSLContext trusting(Path certificates) throws Exception {
      var store = KeyStore.getInstance(certificates.resolve("truststore.p12").toFile(), "cassandra".toCharArray());
      var trust = TrustManagerFactory.getInstance(TrustManagerFactory.getDefaultAlgorithm());
      trust.init(store);
      var context = SSLContext.getInstance("TLS");
      context.init(null, trust.getTrustManagers(), null);
      return context;
    }
  }

  @ParameterizedTest
  @ValueSource(strings = {"7.10.2", "8.19"})
  void anElasticsearchThatWasKilledComesBackWithItsData(String version, @TempDir Path repositories) {
    var server = Stack.elasticsearch(version, List.of("127.0.1.2"), 9200, repositories).get(0);
    try (server) {
      assertThat(server.tool("GET", "/_cat/nodes?h=version")).startsWith(version);
      server.tool("PUT", "/_snapshot/backups", "{'type': 'fs', 'settings': {'location': '%s/backups'}}"
          .replace('\'', '"').formatted(repositories));
      server.tool("PUT", "/i/_doc/1", "{\"text\": \"kept\"}");
      server.kill();
      assertThat(server.running()).isFalse();
      server.start();
      assertThat(server.tool("GET", "/i/_doc/1")).contains("kept");
      assertThat(server.tool("POST", "/_snapshot/backups/_verify")).contains("127.0.1.2");
    }
    assertThat(server.data()).as("after close").doesNotExist();
  }

  @Test
  void elasticsearchNodesFormOneCluster(@TempDir Path repositories) {
    var servers = Stack.elasticsearch("7.10.2", List.of("127.0.1.2", "127.0.1.3"), 9200, repositories);
    assertThat(servers.get(1).tool("GET", "/_cat/nodes?h=name")).contains("127.0.1.2", "127.0.1.3");
    servers.forEach(Server::close);
  }

  @ParameterizedTest
  @ValueSource(strings = {"cassandra", "elasticsearch", "elasticsearch8"})
  void aScriptLeavesNothingBehindWhenItIsToldToStop(String name) {
    var script = Script.of("tests/servers/" + name + ".java").args("--listen", "127.0.1.2").start();
    script.awaitOut("\nready\n");
    var processes = processes(script);
    var folder = folder(processes);
    assertThat(folder).exists();
    assertThat(script.signal("TERM").await().code()).isEqualTo(128 + 15);
    assertThat(processes).noneMatch(ProcessHandle::isAlive);
    assertThat(folder).doesNotExist();
  }

  @Test
  void nodesEndWithTheirScriptEvenWhenItIsKilled(@TempDir Path dir) {
    var script =
        Script.of("tests/servers/elasticsearch.java").args("--listen", "127.0.1.2", "--dir", dir.toString()).start();
    script.awaitOut("\nready\n");
    var processes = processes(script);
    script.signal("KILL");
    await().atMost(Duration.ofSeconds(10)).until(() -> processes.stream().noneMatch(ProcessHandle::isAlive));
    script.await();
  }

  @Test
  void aNodeThatCannotStartShowsTheEndOfItsLog() {
    var result =
        Script.of("tests/servers/cassandra.java").args("--listen", "127.0.1.2", "--yaml", "partitioner=Nonsense").run();
    assertThat(result.code()).isEqualTo(1);
    assertThat(result.out()).isEmpty();
    assertThat(result.err()).startsWith("error: 127.0.1.2 ended while starting:").contains("Nonsense");
  }

  private static boolean connects(Server server) {
    try (var socket = new Socket(server.host(), server.port())) {
      return socket.isConnected();
    } catch (IOException e) {
      return false;
    }
  }

  private static List<ProcessHandle> processes(Script.Running script) {
    var self = ProcessHandle.of(script.pid()).orElseThrow();
    return Stream.concat(Stream.of(self), self.descendants()).toList();
  }

  private static Path folder(List<ProcessHandle> processes) {
    var lines = processes.stream().flatMap(process -> process.info().commandLine().stream()).toList();
    var found = Pattern.compile("-Djava.io.tmpdir=(\\S+)/127\\.0\\.1\\.2/tmp").matcher(String.join("\n", lines));
    assertThat(found.find()).as("a server's folder in %s", lines).isTrue();
    return Path.of(found.group(1));
  }
}
