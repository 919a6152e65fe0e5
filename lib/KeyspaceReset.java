//DEPS org.apache.cassandra:java-driver-core:4.19.4

import com.datastax.oss.driver.api.core.cql.SimpleStatement;
import com.datastax.oss.driver.api.core.metadata.Node;
import com.datastax.oss.driver.internal.core.util.concurrent.CompletableFutures;
import java.util.ArrayList;
import java.util.Collection;
import java.util.HashSet;
import java.util.List;
import java.util.Set;

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
    cluster.session().execute("SELECT column_name FROM system_schema.columns WHERE keyspace_name = 'system_schema' AND table_name = 'tables'")
        .forEach(row -> known.add(row.getString("column_name")));
    for (var statement : statements(known)) {
      cluster.session().execute(SimpleStatement.newInstance(statement).setNode(nodes.get(0)));
    }
    cluster.awaitSchemaAgreement();
  }

  /** @param known the options of tables that the server has: an older one would refuse a newer one's */
  private List<String> statements(Set<String> known) {
    var types = definition.others().stream().filter(other -> other.matches("(?is)CREATE TYPE .*")).toList();
    var all = new ArrayList<String>();
    all.add("CREATE KEYSPACE \"%s\" WITH replication = %s AND durable_writes = %s".formatted(
        definition.keyspace(), Replication.text(definition.replication()), definition.durable()));
    all.addAll(types);
    definition.tables().values().forEach(table -> all.add(KeyspaceDefinition.known(table, known)));
    definition.others().stream().filter(other -> !types.contains(other)).forEach(all::add);
    return all;
  }
}
