import com.sun.net.httpserver.HttpExchange;
import com.sun.net.httpserver.HttpsConfigurator;
import com.sun.net.httpserver.HttpsServer;
import java.io.IOException;
import java.net.InetSocketAddress;
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse;
import java.nio.file.Path;
import java.security.GeneralSecurityException;
import java.security.KeyStore;
import java.util.Set;
import java.util.concurrent.Executors;
import javax.net.ssl.KeyManagerFactory;
import javax.net.ssl.SSLContext;

/**
 * HTTPS and a log-in in front of a real Elasticsearch. A fake of its security module, which is not to be had without its
 * distribution: answers 401 unless the Authorization header is one of those given, and hands everything else on.
 */
final class LoginProxy implements AutoCloseable {
  private static final char[] PASSWORD = "changeit".toCharArray();
  private final HttpsServer server;
  private final Path certificate;

  LoginProxy(Server elasticsearch, String host, int port, Set<String> authorizations, Path folder)
      throws IOException, GeneralSecurityException {
    var store = folder.resolve("proxy.p12");
    certificate = folder.resolve("proxy.pem");
    keytool("-genkeypair", "-keyalg", "EC", "-alias", "proxy", "-dname", "CN=proxy", "-ext", "san=ip:" + host,
        "-keystore", store.toString(), "-storepass", "changeit");
    keytool("-exportcert", "-rfc", "-alias", "proxy", "-keystore", store.toString(), "-storepass", "changeit", "-file", certificate.toString());
    server = HttpsServer.create(new InetSocketAddress(host, port), 0);
    server.setHttpsConfigurator(new HttpsConfigurator(context(store)));
    server.setExecutor(Executors.newCachedThreadPool());
    var target = "http://" + elasticsearch.host() + ":" + elasticsearch.port();
    var client = HttpClient.newHttpClient();
    server.createContext("/", exchange -> {
      var request = exchange.getRequestBody().readAllBytes(); // read in any case, or the connection is closed
      var allowed = authorizations.contains(String.valueOf(exchange.getRequestHeaders().getFirst("Authorization")));
      answer(exchange, allowed ? forward(client, target, exchange, request) : null);
    });
    server.start();
  }

  /** What a client has to trust. */
  Path certificate() {
    return certificate;
  }

  private static HttpResponse<byte[]> forward(HttpClient client, String target, HttpExchange exchange, byte[] body)
      throws IOException {
    var request = HttpRequest.newBuilder(URI.create(target + exchange.getRequestURI())).header("Content-Type", "application/json")
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

  private static SSLContext context(Path store) throws IOException, GeneralSecurityException {
    var keys = KeyManagerFactory.getInstance(KeyManagerFactory.getDefaultAlgorithm());
    keys.init(KeyStore.getInstance(store.toFile(), PASSWORD), PASSWORD);
    var context = SSLContext.getInstance("TLS");
    context.init(keys.getKeyManagers(), null, null);
    return context;
  }

  private static void keytool(String... arguments) {
    var keytool = Path.of(System.getProperty("java.home"), "bin", "keytool").toString();
    var result = Script.command(keytool).args(arguments).run();
    if (result.code() != 0) {
      throw new IllegalStateException(result.out() + result.err());
    }
  }

  @Override
  public void close() {
    server.stop(0);
  }
}
