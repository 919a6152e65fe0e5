//DEPS org.apache.cassandra:cassandra-all:4.1.10

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.security.GeneralSecurityException;
import java.security.KeyStore;
import java.security.cert.Certificate;
import java.security.cert.CertificateFactory;
import javax.net.ssl.KeyManagerFactory;
import javax.net.ssl.SSLContext;
import org.apache.cassandra.security.PEMReader;

/**
 * PEM files for TLS.
 *
 * @param ca whom to trust, and nobody else
 * @param certificate shown to the other side; null where there is none
 * @param key of that certificate
 */
record Pem(Path ca, Path certificate, Path key) {
  SSLContext tls() {
    var trust = Tls.trust(ca);
    if (certificate == null || key == null) {
      return Tls.context(trust);
    }
    try (var in = Files.newInputStream(certificate)) {
      var own = KeyStore.getInstance("PKCS12");
      own.load(null, null);
      var chain = CertificateFactory.getInstance("X.509").generateCertificates(in).toArray(Certificate[]::new);
      own.setKeyEntry("own", PEMReader.extractPrivateKey(Files.readString(key)), new char[0], chain);
      var keys = KeyManagerFactory.getInstance(KeyManagerFactory.getDefaultAlgorithm());
      keys.init(own, new char[0]);
      return Tls.context(trust, keys.getKeyManagers());
    } catch (GeneralSecurityException | IOException e) {
      throw new Failure(Exit.USAGE, "cannot use the client certificate %s and its key %s: %s".formatted(certificate, key,
          Failure.of(e).getMessage()), "they must be PEM files");
    }
  }
}
