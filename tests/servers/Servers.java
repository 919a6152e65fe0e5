import java.nio.file.Path;
import java.util.List;

/** A way to run the servers that the tests need; what its methods do is said at those of {@link Stack}. */
interface Servers {
  String name();

  List<Server> cassandra(Stack.CassandraOptions options);

  Server addCassandra(Stack.CassandraOptions options, String address);

  List<Server> elasticsearch(String version, List<String> addresses, int httpPort, Path repositories);

  Server s3(String address, String... options);

  /** After the last server is closed. */
  default void close() {}
}
