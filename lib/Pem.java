import java.nio.file.Path;
import javax.net.ssl.SSLContext;

/** PEM files: whom to trust, and who we are. */
record Pem(Path ca, Path certificate, Path key) {
  SSLContext tls() {
    return Connection.tls(ca, certificate, key);
  }
}
