//SOURCES Certificates.java

import java.io.IOException;
import java.io.InputStream;
import java.net.URI;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.nio.file.StandardOpenOption;
import java.security.GeneralSecurityException;
import java.util.Map;
import java.util.stream.Collectors;
import java.util.zip.ZipEntry;
import java.util.zip.ZipInputStream;

/** OpenSearch's own security plugin, from Maven Central, unpacked in a folder. */
record SecurityPlugin(Path folder) {
  static final String CLASS = "org.opensearch.security.OpenSearchSecurityPlugin";
  private static final String VERSION = "2.19.1.0";
  /** A log-in by password over plain HTTP; nodes talk to each other by TLS, without which the plugin does not start. */
  static final Map<String, String> SETTINGS = Map.of(
      "plugins.security.ssl.transport.pemcert_filepath", "node.pem",
      "plugins.security.ssl.transport.pemkey_filepath", "node.key",
      "plugins.security.ssl.transport.pemtrustedcas_filepath", "ca.pem",
      "plugins.security.ssl.transport.enforce_hostname_verification", "false",
      "plugins.security.nodes_dn", "CN=node",
      "plugins.security.allow_default_init_securityindex", "true");

  static SecurityPlugin get() throws IOException {
    var folder = Files.createDirectories(Path.of(System.getProperty("java.io.tmpdir"), "opensearch-security-" + VERSION
        + "-" + System.getProperty("user.name")));
    if (Files.notExists(folder.resolve("complete"))) {
      var central = System.getenv().getOrDefault("MAVEN_MIRROR_URL", "https://repo1.maven.org/maven2");
      var zip = URI.create(central.replaceFirst("/+$", "")
          + "/org/opensearch/plugin/opensearch-security/%1$s/opensearch-security-%1$s.zip".formatted(VERSION));
      try (var in = zip.toURL().openStream()) {
        unpack(in, folder);
      }
      Files.writeString(folder.resolve("complete"), "");
    }
    return new SecurityPlugin(folder);
  }

  private static void unpack(InputStream in, Path folder) throws IOException {
    var zip = new ZipInputStream(in);
    for (ZipEntry entry = zip.getNextEntry(); entry != null; entry = zip.getNextEntry()) {
      var file = folder.resolve(entry.getName()).normalize();
      if (!entry.isDirectory() && file.startsWith(folder)) {
        Files.createDirectories(file.getParent());
        Files.copy(zip, file, StandardCopyOption.REPLACE_EXISTING);
      }
    }
  }

  /** Behind the node's own, of which many are in the plugin, too: the first one counts. */
  String classPath() {
    try (var files = Files.list(folder)) {
      return files.map(Path::toString).filter(file -> file.endsWith(".jar")).sorted().collect(Collectors.joining(":"));
    } catch (IOException e) {
      throw new IllegalStateException(e);
    }
  }

  static boolean isOnClassPath() {
    try {
      Class.forName(CLASS, false, SecurityPlugin.class.getClassLoader());
      return true;
    } catch (ClassNotFoundException e) {
      return false;
    }
  }

  /**
   * Writes what the plugin reads at its first start: the users' folder stands in for the plugin's own. Whoever does not
   * log in may ask for the cluster's health, by which is told when it serves.
   */
  void configure(Path config, Path users) throws IOException {
    var own = Files.createDirectories(config.resolve("opensearch-security"));
    for (var from : new Path[] {folder.resolve("config"), users}) {
      try (var files = Files.list(from)) {
        for (var file : files.filter(each -> each.toString().endsWith(".yml")).toList()) {
          Files.copy(file, own.resolve(file.getFileName()), StandardCopyOption.REPLACE_EXISTING);
        }
      }
    }
    replace(own.resolve("config.yml"), "anonymous_auth_enabled: false", "anonymous_auth_enabled: true");
    append(own.resolve("roles.yml"), "health: {cluster_permissions: ['cluster:monitor/health']}");
    append(own.resolve("roles_mapping.yml"), "health: {backend_roles: [opendistro_security_anonymous_backendrole]}");
    var authority = config.resolve("authority");
    try {
      Certificates.makeAuthority(authority);
      Certificates.make(authority, config, "node", "CN=node", "san=dns:node");
    } catch (GeneralSecurityException e) {
      throw new IOException(e);
    }
    Files.copy(authority.resolve("ca.pem"), config.resolve("ca.pem"), StandardCopyOption.REPLACE_EXISTING);
  }

  private static void replace(Path file, String text, String by) throws IOException {
    Files.writeString(file, Files.readString(file).replace(text, by));
  }

  private static void append(Path file, String line) throws IOException {
    Files.writeString(file, "\n" + line + "\n", StandardOpenOption.APPEND);
  }
}
