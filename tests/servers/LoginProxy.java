import com.sun.net.httpserver.HttpExchange;
import java.io.IOException;
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse;
import java.nio.file.Path;
import java.security.GeneralSecurityException;
import java.util.Set;

/**
 * HTTPS and a log-in in front of a real Elasticsearch. A fake of its security module, which is not to be had without
 * its distribution: answers 401 unless the Authorization header is one of those given, and hands everything else on.
 */
final class LoginProxy implements AutoCloseable {
  private final Https server;

  LoginProxy(Server elasticsearch, String host, int port, Set<String> authorizations, Path folder)
      throws IOException, GeneralSecurityException {
    var target = "http://" + elasticsearch.host() + ":" + elasticsearch.port();
    var client = HttpClient.newHttpClient();
    server = new Https(host, port, folder, exchange -> {
      var request = exchange.getRequestBody().readAllBytes(); // read in any case, or the connection is closed
      var allowed = authorizations.contains(String.valueOf(exchange.getRequestHeaders().getFirst("Authorization")));
      answer(exchange, allowed ? forward(client, target, exchange, request) : null);
    });
  }

  /** What a client has to trust. */
  Path certificate() {
    return server.certificate();
  }

  private static HttpResponse<byte[]> forward(HttpClient client, String target, HttpExchange exchange, byte[] body)
      throws IOException {
    var request =
        HttpRequest.newBuilder(URI.create(target + exchange.getRequestURI())).header("Content-Type", "application/json")
        .method(exchange.getRequestMethod(), HttpRequest.BodyPublishers.ofByteArray(body)).build();
    try {
      return client.send(request, HttpResponse.BodyHandlers.ofByteArray());
    } catch (InterruptedException e) {
      throw new IOException(e);
    }
  }

  private static void answer(HttpExchange exchange, HttpResponse<byte[]> response) throws IOException {
    try (exchange) {
      var body = response == null ? new byte[0] : response.body();
      exchange.getResponseHeaders().set("Content-Type", "application/json");
      exchange.sendResponseHeaders(response == null ? 401 : response.statusCode(), body.length == 0 ? -1 : body.length);
      if (body.length > 0) {
        exchange.getResponseBody().write(body);
      }
    }
  }

  @Override
  public void close() {
    server.close();
  }
}
