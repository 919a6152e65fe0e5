import java.nio.file.Path;
import java.util.Optional;

/** A server under test: a process or a container, known only by what an administrator could know of it. */
interface Server extends AutoCloseable {
  /** An account that may do everything. */
  record Login(String user, String password) {}

  /** For example {@code cassandra 127.0.0.2}. */
  String name();

  String host();

  /** The address by which its own cluster knows it, and nodetool shows it. */
  String clusterAddress();

  /** The port that clients use: CQL, HTTP or S3. */
  int port();

  /** Empty where no log-in is needed. */
  Optional<Login> login();

  /** Its data folder as this host sees it; for Cassandra the one that holds {@code data/KEYSPACE/TABLE-ID}. */
  Path data();

  /** All it has logged so far. */
  String log();

  /** Starts it, also again after {@link #stop} or {@link #kill}; it serves when this returns. */
  void start();

  /** SIGTERM; waits for the end. */
  void stop();

  /** SIGKILL; waits for the end. */
  void kill();

  /** From now on it neither answers nor refuses, as behind a network that is cut. */
  void freeze();

  /** It goes on after {@link #freeze}. */
  void thaw();

  boolean running();

  /**
   * Its administration tool's output: nodetool's for Cassandra; for Elasticsearch the answer to a request, as in {@code
   * tool("PUT", "/index", "{}")}. Throws where the tool fails.
   */
  String tool(String... arguments);

  /** Kills it and deletes what it left. */
  @Override
  void close();
}
