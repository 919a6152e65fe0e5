import java.nio.file.Path;
import java.util.List;
import java.util.Optional;

/**
 * The addresses of Cassandra, the log-in, and the folders of its backups.
 *
 * @param role gets the grants on the keyspace
 * @param workFolder where SSTables are unpacked
 * @param client TLS of the client port; empty where it has none
 * @param internode TLS of the port on which nodes talk to each other; empty where no files are named
 */
record CassandraSettings(CassandraConnection connection, String keyspace, List<Path> archives, String role,
    Path workFolder,
    Optional<Pem> client, Optional<Pem> internode) {
  static final Variable CONNECTION = Variable.optional("CASSANDRA_CONNECTION");
  static final Variable USER = Variable.optional("CASSANDRA_USER");
  static final Variable PASSWORD = Variable.secret("CASSANDRA_PASSWORD");
  static final Variable KEYSPACE = Variable.withDefault("CASSANDRA_KEYSPACE", "thehive");
  static final Variable ARCHIVES = ArchiveFolders.CASSANDRA;
  static final Variable ROLE = Variable.withDefault("CASSANDRA_THEHIVE_USER", "thehive");
  static final Variable WORK = Variable.optional("RESTORE_WORK_PATH");
  static final Variable CA = Variable.optional("CASSANDRA_SSL_CA");
  static final Variable CERTIFICATE = Variable.optional("CASSANDRA_SSL_CERT");
  static final Variable KEY = Variable.optional("CASSANDRA_SSL_KEY");
  static final Variable CA_PASSWORD = Variable.secret("CASSANDRA_SSL_CA_PASSWORD");
  static final Variable KEY_PASSWORD = Variable.secret("CASSANDRA_SSL_KEY_PASSWORD");
  static final Variable INTERNODE_CA = Variable.optional("CASSANDRA_INTERNODE_CA");
  static final Variable INTERNODE_CERTIFICATE = Variable.optional("CASSANDRA_INTERNODE_CERT");
  static final Variable INTERNODE_KEY = Variable.optional("CASSANDRA_INTERNODE_KEY");
  static final List<Variable> VARIABLES =
      List.of(CONNECTION, USER, PASSWORD, KEYSPACE, ARCHIVES, ROLE, WORK, CA, CERTIFICATE, KEY,
      CA_PASSWORD, KEY_PASSWORD, INTERNODE_CA, INTERNODE_CERTIFICATE, INTERNODE_KEY);

  /** Reads all of it, also log-in and addresses: for what talks to the cluster. */
  static CassandraSettings of(Settings settings) {
    return read(settings, CassandraConnection.of(settings));
  }

  /** Without log-in and addresses: for what reads the archives alone. */
  static CassandraSettings ofArchives(Settings settings) {
    return read(settings, null);
  }

  private static CassandraSettings read(Settings settings, CassandraConnection connection) {
    var archives = ArchiveFolders.cassandra(settings);
    var client = new Pem(settings.optionalPath(CA).orElse(null), settings.optionalPath(CERTIFICATE).orElse(null),
        settings.optionalPath(KEY).orElse(null), settings.secret(CA_PASSWORD).orElse(null),
        settings.secret(KEY_PASSWORD).orElse(null));
    return new CassandraSettings(connection, settings.text(KEYSPACE), archives, settings.text(ROLE),
        settings.optionalPath(WORK).orElse(archives.get(0)), Optional.of(client).filter(pem -> pem.ca() != null),
        Optional.of(internode(settings, client)).filter(pem -> pem.ca() != null && pem.certificate() != null
            && (pem.key() != null || pem.keyPassword() != null)));
  }

  /** Files of its own for the nodes' port, each where it is named; they are PEM files. */
  private static Pem internode(Settings settings, Pem client) {
    var ca = settings.optionalPath(INTERNODE_CA);
    var certificate = settings.optionalPath(INTERNODE_CERTIFICATE);
    return new Pem(ca.orElse(client.ca()), certificate.orElse(client.certificate()),
        settings.optionalPath(INTERNODE_KEY).orElse(client.key()),
        ca.isPresent() ? null : client.caPassword(), certificate.isPresent() ? null : client.keyPassword());
  }
}
