import com.sun.net.httpserver.HttpHandler;
import com.sun.net.httpserver.HttpsConfigurator;
import com.sun.net.httpserver.HttpsServer;
import java.io.IOException;
import java.net.InetSocketAddress;
import java.nio.file.Path;
import java.security.GeneralSecurityException;
import java.security.KeyStore;
import java.util.concurrent.Executors;
import javax.net.ssl.KeyManagerFactory;
import javax.net.ssl.SSLContext;

/** An HTTPS server with a certificate of its own, made for its address, which nobody trusts by default. */
final class Https implements AutoCloseable {
  private static final char[] PASSWORD = "changeit".toCharArray();
  private final HttpsServer server;
  private final Path certificate;

  /** @param port 0 for any */
  Https(String address, int port, Path folder, HttpHandler handler) throws IOException, GeneralSecurityException {
    var store = folder.resolve("https.p12");
    certificate = folder.resolve("https.pem");
    keytool("-genkeypair", "-keyalg", "EC", "-alias", "https", "-dname", "CN=https", "-ext", "san=ip:" + address,
        "-keystore", store.toString(), "-storepass", "changeit");
    keytool("-exportcert", "-rfc", "-alias", "https", "-keystore", store.toString(), "-storepass", "changeit", "-file",
        certificate.toString());
    server = HttpsServer.create(new InetSocketAddress(address, port), 0);
    server.setHttpsConfigurator(new HttpsConfigurator(context(store)));
    server.setExecutor(Executors.newCachedThreadPool());
    server.createContext("/", handler);
    server.start();
  }

  /** What a client has to trust. */
  Path certificate() {
    return certificate;
  }

  String url() {
    return "https://" + server.getAddress().getHostString() + ":" + server.getAddress().getPort();
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
