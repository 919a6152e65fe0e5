//SOURCES ../Script.java
//SOURCES OwnFolder.java
//SOURCES Server.java
//SOURCES Servers.java
//SOURCES Processes.java

import java.nio.file.Path;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;

/**
 * Starts servers for tests, as processes of this machine unless told otherwise. What a test forgets to close is closed
 * when this JVM ends.
 */
final class Stack {
  private static final Path ROOT = createRoot();
  private static final Set<Server> OPEN = ConcurrentHashMap.newKeySet();
  private static Servers servers = new Processes(false);

  /** One cluster; log-in is {@code cassandra}/{@code cassandra}, the TLS files are in {@link #certificates}. */
  record CassandraOptions(
      String version, List<String> addresses, boolean auth, boolean tls, boolean tlsClientAuth,
      Map<String, String> yaml,
      Map<String, String> dataCentres) {
    static CassandraOptions on(String... addresses) {
      return new CassandraOptions("4.1.10", List.of(addresses), false, false, false, Map.of(), Map.of());
    }

    CassandraOptions ofVersion(String other) {
      return new CassandraOptions(other, addresses, auth, tls, tlsClientAuth, yaml, dataCentres);
    }

    CassandraOptions withAuth() {
      return new CassandraOptions(version, addresses, true, tls, tlsClientAuth, yaml, dataCentres);
    }

    CassandraOptions withTls() {
      return new CassandraOptions(version, addresses, auth, true, tlsClientAuth, yaml, dataCentres);
    }

    /** TLS where clients and other nodes must show a certificate. */
    CassandraOptions withTlsClientAuth() {
      return new CassandraOptions(version, addresses, auth, true, true, yaml, dataCentres);
    }

    /** Puts the node with this address into a data centre other than datacenter1. */
    CassandraOptions withDataCentre(String address, String name) {
      var more = new HashMap<>(dataCentres);
      more.put(address, name);
      return new CassandraOptions(version, addresses, auth, tls, tlsClientAuth, yaml, more);
    }

    String dataCentre(String address) {
      return dataCentres.getOrDefault(address, "datacenter1");
    }

    CassandraOptions withYaml(String key, String value) {
      var more = new HashMap<>(yaml);
      more.put(key, value);
      return new CassandraOptions(version, addresses, auth, tls, tlsClientAuth, more, dataCentres);
    }
  }

  private Stack() {}

  /** From now on servers are started in this way. */
  static void use(Servers way) {
    servers = way;
  }

  /** What the servers are, in words. */
  static String name() {
    return servers.name();
  }

  /** Starts the nodes side by side; returns when each serves and sees the others up, with one schema. */
  static List<Server> cassandra(CassandraOptions options) {
    return servers.cassandra(options);
  }

  /** Lets one more node join the running cluster that has these options and take over its part of the data. */
  static Server addCassandra(CassandraOptions options, String address) {
    return servers.addCassandra(options, address);
  }

  /**
   * Version 7.10.2 or 8.19, or as a process 7.17.x, 9.x or {@code opensearch-2.x.y}; a repository of type {@code fs}
   * may be anywhere below the folder.
   */
  static List<Server> elasticsearch(String version, List<String> addresses, int httpPort, Path repositories) {
    return servers.elasticsearch(version, addresses, httpPort, repositories);
  }

  /**
   * An S3 server on port 9000, log-in {@code thehive}/{@code thehive-secret}; {@code tool("kind")} says whether it is a
   * minio, an s3proxy, a versitygw or a seaweedfs.
   *
   * @param options of {@code s3.java}, such as {@code --kind=s3proxy}
   */
  static Server s3(String address, String... options) {
    return servers.s3(address, options);
  }

  /** The folder of ca.pem, client.pem, client.key, client.p12 and truststore.p12 (password: cassandra). */
  static Path certificates() {
    return ROOT.resolve("certificates");
  }

  /** A folder for one server; deleted when this JVM ends. */
  static Path home(String name) {
    return ROOT.resolve(name);
  }

  /** To be closed when this JVM ends. */
  static void opened(Server server) {
    OPEN.add(server);
  }

  static void closed(Server server) {
    OPEN.remove(server);
  }

  static void closeAll() {
    OPEN.parallelStream().forEach(Server::close);
    servers.close();
  }

  private static Path createRoot() {
    var root = OwnFolder.create("servers-of-");
    Runtime.getRuntime()
        .addShutdownHook(
            new Thread(
                () -> {
                  closeAll();
                  OwnFolder.delete(root);
                }));
    return root;
  }
}
