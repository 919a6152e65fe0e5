//DEPS org.apache.cassandra:cassandra-all:4.1.10

import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.security.GeneralSecurityException;
import java.security.Key;
import java.security.KeyStore;
import java.security.KeyStoreException;
import java.security.PrivateKey;
import java.security.cert.Certificate;
import java.security.cert.CertificateFactory;
import java.util.Base64;
import java.util.Collections;
import javax.net.ssl.KeyManagerFactory;
import javax.net.ssl.SSLContext;
import org.apache.cassandra.security.PEMReader;

/**
 * Files for TLS: PEM, or the JKS and PKCS12 stores that TheHive's own configuration names.
 *
 * @param ca whom to trust, and nobody else
 * @param certificate shown to the other side; null where there is none. A store holds its key, too
 * @param key of that certificate; null where a store has it
 * @param caPassword of a store, else null
 * @param keyPassword of a store and the key in it, else null
 */
record Pem(Path ca, Path certificate, Path key, String caPassword, String keyPassword) {
  /** A private key and the certificates that go with it. */
  private record Own(PrivateKey key, Certificate[] chain) {}

  Pem(Path ca, Path certificate, Path key) {
    this(ca, certificate, key, null, null);
  }

  SSLContext tls() {
    var trust = Tls.trust(ca, caPassword);
    if (certificate == null) {
      return Tls.context(trust);
    }
    try {
      var own = own();
      var store = KeyStore.getInstance("PKCS12");
      store.load(null, null);
      store.setKeyEntry("own", own.key(), new char[0], own.chain());
      var keys = KeyManagerFactory.getInstance(KeyManagerFactory.getDefaultAlgorithm());
      keys.init(store, new char[0]);
      return Tls.context(trust, keys.getKeyManagers());
    } catch (GeneralSecurityException | IOException e) {
      throw unusable(e);
    }
  }

  private Failure unusable(Exception e) {
    return new Failure(Exit.USAGE,
        "cannot use the client certificate %s%s: %s".formatted(certificate, key == null ? "" : " and its key " + key,
            Failure.of(e).getMessage()),
        "they must be PEM files, or one JKS or PKCS12 store with its password (CASSANDRA_SSL_KEY_PASSWORD)");
  }

  private Own own() throws GeneralSecurityException, IOException {
    var store = Tls.store(certificate, keyPassword);
    if (store.isEmpty()) {
      if (key == null) {
        throw new IOException("it has no key: CASSANDRA_SSL_KEY is not set");
      }
      try (var in = Files.newInputStream(certificate)) {
        return new Own(PEMReader.extractPrivateKey(Files.readString(key)),
            CertificateFactory.getInstance("X.509").generateCertificates(in).toArray(Certificate[]::new));
      }
    }
    for (var alias : Collections.list(store.get().aliases())) {
      Key found = store.get().isKeyEntry(alias)
          ? store.get().getKey(alias, keyPassword == null ? new char[0] : keyPassword.toCharArray()) : null;
      if (found instanceof PrivateKey own) {
        return new Own(own, store.get().getCertificateChain(alias));
      }
    }
    throw new KeyStoreException("it holds no private key");
  }

  /** The private key and its certificates as text, whatever kind of file has them. */
  String ownText() {
    try {
      var own = own();
      var text = new StringBuilder(text("PRIVATE KEY", own.key().getEncoded()));
      for (var one : own.chain()) {
        text.append(text("CERTIFICATE", one.getEncoded()));
      }
      return text.toString();
    } catch (GeneralSecurityException | IOException e) {
      throw unusable(e);
    }
  }

  /** The certificates that are trusted, as text. */
  String trustedText() {
    try {
      var text = new StringBuilder();
      for (var issuer : Tls.trust(ca, caPassword).getAcceptedIssuers()) {
        text.append(text("CERTIFICATE", issuer.getEncoded()));
      }
      return text.toString();
    } catch (GeneralSecurityException e) {
      throw new Failure(Exit.USAGE, "cannot use the CA certificate %s: %s".formatted(ca, e.getMessage()), null, e);
    }
  }

  private static String text(String type, byte[] content) {
    var lines = Base64.getMimeEncoder(64, "\n".getBytes(StandardCharsets.US_ASCII)).encodeToString(content);
    return "-----BEGIN %1$s-----\n%2$s\n-----END %1$s-----\n".formatted(type, lines);
  }

  /** Without the passwords. */
  @Override
  public String toString() {
    return "TLS with %s%s".formatted(ca, certificate == null ? "" : " and " + certificate);
  }
}
