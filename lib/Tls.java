import java.io.IOException;
import java.io.InputStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.security.GeneralSecurityException;
import java.security.KeyStore;
import java.security.KeyStoreException;
import java.security.cert.Certificate;
import java.security.cert.CertificateException;
import java.security.cert.CertificateFactory;
import java.util.ArrayList;
import java.util.Collection;
import java.util.Collections;
import java.util.Optional;
import javax.net.ssl.KeyManager;
import javax.net.ssl.SSLContext;
import javax.net.ssl.TrustManager;
import javax.net.ssl.TrustManagerFactory;
import javax.net.ssl.X509TrustManager;

/** TLS from PEM files, or from the stores (JKS, PKCS12) that TheHive's own configuration names. */
final class Tls {
  private static final int JKS = 0xFE;
  private static final int DER = 0x30;

  private Tls() {}

  static X509TrustManager trust(Path ca) {
    return trust(ca, null);
  }

  /**
   * Trusts the CA certificates of a file, and no others.
   *
   * @param password of a store; null where there is none
   */
  static X509TrustManager trust(Path ca, String password) {
    try {
      var trusted = KeyStore.getInstance("PKCS12");
      trusted.load(null, null);
      for (var certificate : certificates(ca, password)) {
        trusted.setCertificateEntry("ca" + trusted.size(), certificate);
      }
      if (trusted.size() == 0) {
        throw new CertificateException(password == null && store(ca, null).isPresent()
            ? "it shows no certificate without its password" : "it holds no certificate");
      }
      var managers = TrustManagerFactory.getInstance(TrustManagerFactory.getDefaultAlgorithm());
      managers.init(trusted);
      return (X509TrustManager) managers.getTrustManagers()[0];
    } catch (GeneralSecurityException | IOException e) {
      throw new Failure(Exit.USAGE, "cannot use the CA certificate %s: %s".formatted(ca, e.getMessage()),
          "it must be a PEM file, or a JKS or PKCS12 store with its password");
    }
  }

  private static Collection<? extends Certificate> certificates(Path file, String password)
      throws GeneralSecurityException, IOException {
    var store = store(file, password);
    if (store.isEmpty()) {
      try (var in = Files.newInputStream(file)) {
        return CertificateFactory.getInstance("X.509").generateCertificates(in);
      }
    }
    var certificates = new ArrayList<Certificate>();
    for (var alias : Collections.list(store.get().aliases())) {
      if (store.get().isCertificateEntry(alias)) {
        certificates.add(store.get().getCertificate(alias));
      }
    }
    return certificates;
  }

  /** The file as a JKS or PKCS12 store; empty where it is not one. */
  static Optional<KeyStore> store(Path file, String password) throws GeneralSecurityException, IOException {
    var first = -1;
    try (InputStream in = Files.newInputStream(file)) {
      first = in.read();
    }
    if (first != JKS && first != DER) {
      return Optional.empty();
    }
    try {
      return Optional.of(KeyStore.getInstance(file.toFile(), password == null ? null : password.toCharArray()));
    } catch (KeyStoreException e) {
      return Optional.empty(); // a single certificate in DER begins like a store
    }
  }

  static SSLContext context(X509TrustManager trust, KeyManager... keys) {
    try {
      var context = SSLContext.getInstance("TLS");
      context.init(keys, new TrustManager[] {trust}, null);
      return context;
    } catch (GeneralSecurityException e) {
      throw new IllegalStateException(e);
    }
  }
}
