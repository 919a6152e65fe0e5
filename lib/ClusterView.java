import java.util.ArrayList;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.TreeMap;
import java.util.TreeSet;
import java.util.stream.Collectors;

/**
 * Compares what the nodes of a Cassandra cluster say of each other: gossip, which knows who is in the cluster, and each
 * node's own table system.peers_v2, from which clients learn of the others. A node that clients do not see gets no
 * rows.
 *
 * @param gossip empty where the nodes do not tell it (before Cassandra 4.1)
 * @param answered the nodes that were asked and answered
 * @param listed the rows of their tables
 */
record ClusterView(List<Gossip> gossip, Set<String> answered, List<Listed> listed) {
  private static final String WORKING = "every node must be up and normal: nodetool status";

  /** A node's state as gossip tells it, such as NORMAL, LEAVING, shutdown or LEFT. */
  record Gossip(String node, int port, String status) {
    boolean hasLeft() {
      return Set.of("LEFT", "removed").contains(status);
    }

    /** Without a status it is known by name only, such as after a restart of all others. */
    boolean isMember() {
      return !hasLeft() && !status.isEmpty();
    }
  }

  /**
   * A row of system.peers_v2.
   *
   * @param by the node in whose table it is
   * @param complete false where clients pass it over: without host_id, data centre, rack or tokens
   */
  record Listed(String by, String node, int port, boolean complete) {}

  /** A problem of a node, and what mends it. */
  record Problem(String node, String text, String mend) {
    @Override
    public String toString() {
      return text;
    }
  }

  /** Everything that makes the clients' picture of the cluster differ from the cluster, and nodes on the move. */
  List<Problem> problems() {
    var problems = new ArrayList<Problem>();
    gossip.stream().filter(state -> state.isMember() && !state.status().equals("NORMAL")).forEach(state ->
        problems.add(new Problem(state.node(), "Cassandra node %s is %s".formatted(state.node(),
            state.status().equals("shutdown") ? "down: it was stopped" : state.status()), WORKING)));
    problems.addAll(incomplete());
    problems.addAll(missing());
    problems.addAll(leftovers());
    return problems;
  }

  private Set<String> members() {
    return gossip.stream().filter(Gossip::isMember).map(Gossip::node).collect(Collectors.toCollection(TreeSet::new));
  }

  private Map<String, Set<String>> listers(boolean complete) {
    var listers = new TreeMap<String, Set<String>>();
    listed.stream().filter(row -> row.complete() == complete)
        .forEach(row -> listers.computeIfAbsent(row.node(), node -> new TreeSet<>()).add(row.by()));
    return listers;
  }

  private List<Problem> incomplete() {
    var problems = new ArrayList<Problem>();
    listers(false).forEach((node, by) -> {
      if (gossip.isEmpty() || members().contains(node)) {
        problems.add(new Problem(node,
            "clients do not see Cassandra node %s: its row in system.peers_v2 of %s is not complete (no host_id, say)"
            .formatted(node, names(by)), restart(by)));
      }
    });
    return problems;
  }

  /**
   * Nodes of the cluster that an answering node does not list. Without gossip, those that answer or that another lists.
   */
  private List<Problem> missing() {
    var all = new TreeSet<>(members());
    if (gossip.isEmpty()) {
      all.addAll(answered);
      listed.stream().filter(Listed::complete).map(Listed::node).forEach(all::add);
    }
    var rows = listed.stream()
        .collect(Collectors.groupingBy(Listed::node, Collectors.mapping(Listed::by, Collectors.toSet())));
    var problems = new ArrayList<Problem>();
    for (var node : all) {
      var without = new TreeSet<>(answered);
      without.remove(node);
      without.removeAll(rows.getOrDefault(node, Set.of()));
      if (without.isEmpty()) {
        continue;
      }
      var text =
          "clients do not see Cassandra node %s: it is not in system.peers_v2 of %s".formatted(node, names(without));
      var certain = !gossip.isEmpty() || answered.contains(node);
      problems.add(new Problem(node, text, certain ? restart(without)
          : "if nodetool status shows it, %s; if not, on %s: %s".formatted(restart(without), names(rows.get(node)),
              removal(node))));
    }
    return problems;
  }

  /** Rows of nodes that gossip does not know, or knows to have left. */
  private List<Problem> leftovers() {
    if (gossip.isEmpty()) {
      return List.of();
    }
    var known = gossip.stream().filter(state -> !state.hasLeft()).map(Gossip::node).collect(Collectors.toSet());
    var rows = new TreeMap<String, Set<String>>();
    listed.stream().filter(row -> !known.contains(row.node()))
        .forEach(row -> rows.computeIfAbsent(row.node(), node -> new TreeSet<>()).add(row.by()));
    var problems = new ArrayList<Problem>();
    rows.forEach((node, by) -> problems.add(new Problem(node,
        "Cassandra node %s is not in the cluster, only in system.peers_v2 of %s: a leftover row".formatted(node,
            names(by)),
        "remove it in cqlsh on %s: %s".formatted(names(by), removal(node)))));
    return problems;
  }

  private String removal(String node) {
    var ports = new LinkedHashSet<Integer>();
    listed.stream().filter(row -> row.node().equals(node)).forEach(row -> ports.add(row.port()));
    return ports.stream()
        .map(port -> "DELETE FROM system.peers_v2 WHERE peer = '%s' AND peer_port = %d;".formatted(node, port))
        .collect(Collectors.joining(" ")) + " DELETE FROM system.peers WHERE peer = '%s';".formatted(node);
  }

  private static String restart(Set<String> nodes) {
    return "restart Cassandra on %s, which writes the row again".formatted(names(nodes));
  }

  private static String names(Set<String> nodes) {
    return String.join(" and ", nodes);
  }
}
