import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.io.IOException;
import java.net.InetAddress;
import java.net.ServerSocket;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.List;
import java.util.Optional;
import org.junit.jupiter.api.Test;

/** What a connection that is closed in the midst of a request means: no Elasticsearch, or one that is being stopped. */
class ElasticsearchApiTest {
  private static final byte[] ANSWER =
      ("HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 2\r\nConnection: close\r\n\r\n{}")
      .getBytes(StandardCharsets.US_ASCII);

  /** Answers so many connections, and closes all others when it has read a request. */
  private static ServerSocket answering(int connections) throws IOException {
    var server = new ServerSocket(0, 10, InetAddress.getLoopbackAddress());
    var thread = new Thread(() -> {
      for (var left = connections; !server.isClosed(); left--) {
        try (var client = server.accept()) {
          client.getInputStream().read(new byte[8192]);
          if (left > 0) {
            client.getOutputStream().write(ANSWER);
          }
        } catch (IOException e) {
          // the test ends
        }
      }
    });
    thread.setDaemon(true);
    thread.start();
    return server;
  }

  private static ElasticsearchApi api(ServerSocket server) {
    return new ElasticsearchApi(new ElasticsearchSettings(List.of("http://127.0.0.1:" + server.getLocalPort()),
        Optional.empty(), Optional.empty(), Optional.empty(),
        "repository", Path.of("/"), List.of()));
  }

  private static int code(Throwable thrown) {
    return ((Failure) thrown).code;
  }

  @Test
  void isNoPortForHttpWhereNothingEverAnswered() throws IOException {
    try (var server = answering(0); var api = api(server)) {
      assertThatThrownBy(() -> api.get("/")).hasMessageContaining("is not a port for HTTP")
          .extracting(ElasticsearchApiTest::code).isEqualTo(Exit.USAGE);
    }
  }

  @Test
  void isOutOfReachWhereItAnsweredBefore() throws IOException {
    try (var server = answering(1); var api = api(server)) {
      api.get("/");
      assertThatThrownBy(() -> api.get("/")).hasMessageContaining("cannot reach Elasticsearch")
          .extracting(ElasticsearchApiTest::code).isEqualTo(Exit.UNREACHABLE);
    }
  }
}
