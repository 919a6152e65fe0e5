import java.io.IOException;
import java.nio.file.FileSystemException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.security.GeneralSecurityException;
import java.security.KeyStore;
import java.util.ArrayList;
import java.util.Base64;
import java.util.Comparator;
import java.util.List;

/** A certificate authority in a folder and the certificates that it signs, all made by the JDK's keytool. */
final class Certificates {
  /** Of every store. */
  static final String PASSWORD = "cassandra";

  private Certificates() {}

  /**
   * Makes ca.pem, ca.p12, truststore.p12 and a client's client.pem, client.key and client.p12, unless they are there.
   */
  static void makeAuthority(Path folder) throws IOException, GeneralSecurityException {
    if (Files.exists(folder)) {
      return;
    }
    Files.createDirectories(folder.getParent());
    var made = Files.createTempDirectory(folder.getParent(), "tls-");
    keytool(made, "-genkeypair -alias ca -keyalg RSA -dname CN=thp-ca -ext bc:c -validity 3650 -keystore ca.p12");
    keytool(made, "-exportcert -rfc -alias ca -keystore ca.p12 -file ca.pem");
    keytool(made, "-importcert -noprompt -alias ca -file ca.pem -keystore truststore.p12");
    make(made, made, "client", "CN=client", "san=dns:client");
    try {
      Files.move(made, folder, StandardCopyOption.ATOMIC_MOVE);
    } catch (FileSystemException e) {
      // another script was quicker: its authority counts
      try (var files = Files.walk(made)) {
        for (var file : files.sorted(Comparator.reverseOrder()).toList()) {
          Files.delete(file);
        }
      }
    }
  }

  /** Makes NAME.p12, NAME.pem (the whole chain) and NAME.key in the folder. */
  static void make(Path authority, Path folder, String name, String subject, String extension)
      throws IOException, GeneralSecurityException {
    var store = "-alias " + name + " -keystore " + name + ".p12 ";
    var signer = "-alias ca -keystore " + authority.resolve("ca.p12") + " ";
    var extensions = "-ext " + extension + " -ext eku=serverAuth,clientAuth ";
    keytool(folder, "-genkeypair -keyalg RSA -validity 3650 " + store + "-dname " + subject);
    keytool(folder, "-certreq -file " + name + ".csr " + store);
    var files = "-infile " + name + ".csr -outfile " + name + ".pem ";
    keytool(folder, "-gencert -rfc -validity 3650 " + files + signer + extensions);
    var chain = Files.readString(folder.resolve(name + ".pem")) + Files.readString(authority.resolve("ca.pem"));
    Files.writeString(folder.resolve(name + ".pem"), chain);
    keytool(folder, "-importcert -noprompt -file " + name + ".pem " + store);
    Files.delete(folder.resolve(name + ".csr"));
    var loaded = KeyStore.getInstance(folder.resolve(name + ".p12").toFile(), PASSWORD.toCharArray());
    var key = Base64.getMimeEncoder().encodeToString(loaded.getKey(name, PASSWORD.toCharArray()).getEncoded());
    Files.writeString(
        folder.resolve(name + ".key"), "-----BEGIN PRIVATE KEY-----\n" + key + "\n-----END PRIVATE KEY-----\n");
  }

  private static void keytool(Path folder, String line) throws IOException {
    var command = new ArrayList<>(List.of(Path.of(System.getProperty("java.home"), "bin/keytool").toString()));
    command.addAll(List.of(line.trim().split(" +")));
    command.addAll(List.of("-storepass", PASSWORD, "-storetype", "PKCS12"));
    var process = new ProcessBuilder(command).directory(folder.toFile()).redirectErrorStream(true).start();
    var output = new String(process.getInputStream().readAllBytes());
    try {
      if (process.waitFor() != 0) {
        throw new IOException("keytool " + line + ": " + output);
      }
    } catch (InterruptedException e) {
      throw new IOException("keytool " + line + ": interrupted", e);
    }
  }
}
