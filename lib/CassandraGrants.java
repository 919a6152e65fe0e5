//DEPS org.apache.cassandra:java-driver-core:4.19.4

import com.datastax.oss.driver.api.core.CqlSession;
import com.datastax.oss.driver.api.core.servererrors.InvalidQueryException;
import com.datastax.oss.driver.api.core.servererrors.UnauthorizedException;
import java.util.Collection;
import java.util.Set;
import java.util.TreeSet;
import java.util.regex.Pattern;

/** Rights on a keyspace, which go with it when it is dropped. */
record CassandraGrants(CqlSession session, String keyspace) {
  /**
   * True if authorisation is on. Throws if the user is not a superuser then: only one may do, and see, all of a
   * restore.
   */
  boolean requireSuperuser(String user) {
    try {
      session.execute("LIST ALL PERMISSIONS OF " + CassandraCluster.quoted(user));
    } catch (InvalidQueryException | UnauthorizedException e) {
      return false; // there is no authorisation, or nobody has to log in
    }
    for (var role : session.execute("LIST ROLES OF " + CassandraCluster.quoted(user))) {
      if (role.getBoolean("super")) {
        return true;
      }
    }
    throw new Failure(Exit.AUTHENTICATION, "Cassandra's role %s is not a superuser".formatted(user),
        "log in as a superuser: the restore empties or drops, creates and grants");
  }

  boolean hasRole(String role) {
    for (var row : session.execute("LIST ROLES")) {
      if (row.getString("role").equals(role)) {
        return true;
      }
    }
    return false;
  }

  /** The statement that gives a role all rights on the keyspace. */
  String all(String role) {
    return "GRANT ALL PERMISSIONS ON KEYSPACE %s TO %s".formatted(CassandraCluster.quoted(keyspace),
        CassandraCluster.quoted(role));
  }

  /** The statements that grant again what is granted now on the keyspace and on these tables of it. */
  Set<String> present(Collection<String> tables) {
    var grants = new TreeSet<String>();
    var resources =
        Pattern.compile("<(keyspace|all tables in|table) %s(?:\\.(\\w+))?>".formatted(Pattern.quote(keyspace)));
    for (var row : session.execute("LIST ALL PERMISSIONS")) {
      var resource = resources.matcher(row.getString("resource"));
      if (resource.matches() && (resource.group(2) == null || tables.contains(resource.group(2)))) {
        grants.add("GRANT %s ON %s TO %s".formatted(row.getString("permission"),
            resource(resource.group(1), resource.group(2)),
            CassandraCluster.quoted(row.getString("role"))));
      }
    }
    return grants;
  }

  private String resource(String kind, String table) {
    return switch (kind) {
      case "keyspace" -> "KEYSPACE " + CassandraCluster.quoted(keyspace);
      case "table" -> "TABLE %s.%s".formatted(CassandraCluster.quoted(keyspace), CassandraCluster.quoted(table));
      default -> "ALL TABLES IN KEYSPACE " + CassandraCluster.quoted(keyspace);
    };
  }
}
