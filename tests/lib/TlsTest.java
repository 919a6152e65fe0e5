import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.security.KeyStore;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** Certificates from PEM files. */
class TlsTest {
  // keytool -genkeypair -keyalg EC -dname CN=a-ca -ext bc:c -validity 36500; keytool -exportcert -rfc
  private static final String ONE = """
      -----BEGIN CERTIFICATE-----
      MIIBRzCB7qADAgECAghZVM6YBdfubTAKBggqhkjOPQQDAjAPMQ0wCwYDVQQDEwRh
      LWNhMCAXDTI2MTEyNjE0NTI1NFoYDzIxMjYxMTAyMTQ1MjU0WjAPMQ0wCwYDVQQD
      EwRhLWNhMFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAEdAY9GJ7a7stfEgltmuMW
      ISHugGcxsM9K9ooCc9sa7x/XqRJYICeuH4OmtJa4Cn+LK4OmGuwVZY3Er4/jk6/7
      66MyMDAwHQYDVR0OBBYEFHWHiHKF7bErDDznAT0uB7y24me2MA8GA1UdEwEB/wQF
      MAMBAf8wCgYIKoZIzj0EAwIDSAAwRQIgbKkSrbNXKrEEWVSPXCCfBw4tSOSZZR7L
      gjtcOpVFE2UCIQDo+WbAvvgIAtlezIHXqRzF7Y7m0poYPsjkPyJ5kazlXQ==
      -----END CERTIFICATE-----
      """;
  private static final String OTHER = """
      -----BEGIN CERTIFICATE-----
      MIIBRzCB7qADAgECAgg4XjZc0DMLODAKBggqhkjOPQQDAjAPMQ0wCwYDVQQDEwRi
      LWNhMCAXDTI2MTEyNjE0NTMwM1oYDzIxMjYxMTAyMTQ1MzAzWjAPMQ0wCwYDVQQD
      EwRiLWNhMFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAE9xTsHwy15mDc1sylJqOG
      pHAdD1u4xqGb+ERgMbmgWOln85kbnhvKyLebNiv6sKn2uguD1Y/e52iWywSNK83g
      0aMyMDAwHQYDVR0OBBYEFHIHO+QwOSxVosmsE/UBEpICF7LVMA8GA1UdEwEB/wQF
      MAMBAf8wCgYIKoZIzj0EAwIDSAAwRQIgDvUEJaZHqHKZWKfPZUEh4RsAcZgqFh2e
      +AFyXdGQDRwCIQCq3G9idX9gIPim6zS75+WhzYGNy7EBS7El5B3A1vFlPA==
      -----END CERTIFICATE-----
      """;

  @TempDir private Path folder;

  @Test
  void trustsEveryCertificateOfTheFileAndNoOther() throws IOException {
    var ca = Files.writeString(folder.resolve("ca.pem"), "subject=CN = a-ca\n" + ONE + OTHER);
    var trust = Tls.trust(ca);
    assertThat(trust.getAcceptedIssuers()).extracting(issuer -> issuer.getSubjectX500Principal().getName())
        .containsExactlyInAnyOrder("CN=a-ca", "CN=b-ca");
    assertThat(Tls.trust(Files.writeString(folder.resolve("one.pem"), ONE)).getAcceptedIssuers()).hasSize(1);
    assertThat(Tls.context(trust).getProtocol()).isEqualTo("TLS");
  }

  @ParameterizedTest
  @ValueSource(strings = {"", "nonsense", "-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----\n"})
  void refusesAFileThatHoldsNoCertificate(String text) throws IOException {
    refuses(Files.writeString(folder.resolve("ca.pem"), text));
  }

  @Test
  void refusesAFileThatIsNotThere() {
    refuses(folder.resolve("none.pem"));
  }

  @ParameterizedTest
  @ValueSource(strings = {"JKS", "PKCS12"})
  void trustsTheCertificatesOfAStore(String type) throws Exception {
    var file = store(type);
    assertThat(Tls.trust(file, "t0psecret").getAcceptedIssuers())
        .extracting(issuer -> issuer.getSubjectX500Principal().getName())
        .containsExactly("CN=a-ca");
    assertThatThrownBy(() -> Tls.trust(file, "wrong"))
        .isInstanceOfSatisfying(Failure.class, failure -> assertThat(failure.code).isEqualTo(2))
        .hasMessageContaining("cannot use the CA certificate " + file).hasMessageContaining("password");
  }

  @Test
  void aStoreOfTheNodesIsHandedOnAsText() throws Exception {
    var text = new Pem(store("JKS"), null, null, "t0psecret", null).trustedText();
    assertThat(Tls.trust(Files.writeString(folder.resolve("again.pem"), text)).getAcceptedIssuers()).hasSize(1);
    assertThat(new Pem(folder, folder, null, "t0psecret", "t0psecret")).asString().doesNotContain("t0psecret");
  }

  private Path store(String type) throws Exception {
    var store = KeyStore.getInstance(type);
    store.load(null, null);
    store.setCertificateEntry("ca",
        Tls.trust(Files.writeString(folder.resolve("one.pem"), ONE)).getAcceptedIssuers()[0]);
    var file = folder.resolve("trust." + type);
    try (var out = Files.newOutputStream(file)) {
      store.store(out, "t0psecret".toCharArray());
    }
    return file;
  }

  private static void refuses(Path ca) {
    assertThatThrownBy(() -> Tls.trust(ca)).isInstanceOfSatisfying(Failure.class, failure -> {
      assertThat(failure.code).isEqualTo(2);
      assertThat(failure).hasMessageContaining("cannot use the CA certificate " + ca);
      assertThat(failure.hint).contains("PEM");
    });
  }
}
