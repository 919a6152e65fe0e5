//DEPS org.apache.cassandra:java-driver-core:4.19.4

import com.datastax.oss.driver.api.core.cql.SimpleStatement;
import com.datastax.oss.driver.api.core.metadata.Node;
import com.datastax.oss.driver.internal.core.util.concurrent.CompletableFutures;
import java.util.Collection;
import java.util.HashSet;
import java.util.List;

/** Makes a keyspace empty: by truncating its tables, or by dropping and creating it. */
record KeyspaceReset(CassandraCluster cluster, KeyspaceDefinition definition, List<Node> nodes) {
  void truncate(Collection<String> tables) {
    tables.stream().map(table -> cluster.session().executeAsync("TRUNCATE %s.%s".formatted(
        CassandraCluster.quoted(definition.keyspace()), CassandraCluster.quoted(table))))
        .toList().forEach(CompletableFutures::getUninterruptibly);
  }

  void drop() throws InterruptedException {
    cluster.session().execute("DROP KEYSPACE IF EXISTS " + CassandraCluster.quoted(definition.keyspace()));
    cluster.awaitSchemaAgreement();
  }

  /** Runs the definition's statements one after the other through one node, which so knows each before the next. */
  void create() throws InterruptedException {
    var known = new HashSet<String>();
    cluster.session().execute(
        "SELECT column_name FROM system_schema.columns WHERE keyspace_name = 'system_schema' AND table_name = 'tables'")
        .forEach(row -> known.add(row.getString("column_name")));
    for (var statement : definition.statements(known)) {
      cluster.session().execute(SimpleStatement.newInstance(statement).setNode(nodes.get(0)));
    }
    cluster.awaitSchemaAgreement();
  }
}
