import static org.assertj.core.api.Assertions.assertThat;

import java.util.ArrayList;
import java.util.List;
import java.util.Set;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** Which differences between gossip and the nodes' own lists are found, and what is said of them. */
class ClusterViewTest {
  private static final List<String> NODES = List.of("10.0.0.1", "10.0.0.2", "10.0.0.3");

  private static ClusterView.Gossip normal(String node) {
    return new ClusterView.Gossip(node, 7000, "NORMAL");
  }

  private static List<ClusterView.Gossip> gossip() {
    return NODES.stream().map(ClusterViewTest::normal).toList();
  }

  /** Every node lists every other. */
  private static List<ClusterView.Listed> lists(List<String> nodes) {
    var lists = new ArrayList<ClusterView.Listed>();
    nodes.forEach(by -> nodes.stream().filter(node -> !node.equals(by))
        .forEach(node -> lists.add(new ClusterView.Listed(by, node, 7000, true))));
    return lists;
  }

  private static List<ClusterView.Problem> problems(List<ClusterView.Gossip> gossip, Set<String> answered,
      List<ClusterView.Listed> lists) {
    return new ClusterView(gossip, answered, lists).problems();
  }

  @Test
  void findsNothingWhereAllAgree() {
    assertThat(problems(gossip(), Set.copyOf(NODES), lists(NODES))).isEmpty();
    assertThat(problems(List.of(), Set.copyOf(NODES), lists(NODES))).as("without gossip").isEmpty();
  }

  @Test
  void namesANodeThatClientsDoNotSee() {
    var lists = lists(NODES);
    lists.removeIf(row -> row.by().equals("10.0.0.1") && row.node().equals("10.0.0.3"));
    for (var gossip : List.of(gossip(), List.<ClusterView.Gossip>of())) {
      var problems = problems(gossip, Set.of("10.0.0.1", "10.0.0.2"), lists);
      assertThat(problems).singleElement().satisfies(problem -> {
        assertThat(problem.node()).isEqualTo("10.0.0.3");
        assertThat(problem.text()).contains("10.0.0.3").contains("not in system.peers_v2 of 10.0.0.1")
            .doesNotContain("10.0.0.2");
        assertThat(problem.mend()).contains("restart Cassandra on 10.0.0.1");
      });
    }
  }

  @Test
  void namesANodeThatOnlyGossipKnows() {
    var two = List.of("10.0.0.1", "10.0.0.2");
    assertThat(problems(gossip(), Set.copyOf(two), lists(two))).singleElement().satisfies(problem ->
        assertThat(problem.text()).contains("10.0.0.3: it is not in system.peers_v2 of 10.0.0.1 and 10.0.0.2"));
  }

  @Test
  void namesANodeWhoseRowClientsPassOver() {
    var lists = lists(NODES);
    lists.replaceAll(row -> row.by().equals("10.0.0.1") && row.node().equals("10.0.0.3")
        ? new ClusterView.Listed("10.0.0.1", "10.0.0.3", 7000, false) : row);
    assertThat(problems(gossip(), Set.of("10.0.0.1", "10.0.0.2"), lists)).singleElement().satisfies(problem -> {
      assertThat(problem.text()).contains("10.0.0.3").contains("row in system.peers_v2 of 10.0.0.1")
          .contains("host_id");
      assertThat(problem.mend()).contains("restart Cassandra on 10.0.0.1");
    });
  }

  @Test
  void namesALeftoverRowWithTheStatementThatRemovesIt() {
    var lists = lists(NODES);
    lists.add(new ClusterView.Listed("10.0.0.2", "10.0.0.9", 7001, true));
    for (var gone : List.of(gossip(), with(new ClusterView.Gossip("10.0.0.9", 7001, "LEFT")),
        with(new ClusterView.Gossip("10.0.0.9", 7001, "removed")))) {
      assertThat(problems(gone, Set.copyOf(NODES), lists)).singleElement().satisfies(problem -> {
        assertThat(problem.text()).contains("10.0.0.9 is not in the cluster").contains("of 10.0.0.2")
            .contains("leftover");
        assertThat(problem.mend())
            .contains("on 10.0.0.2: DELETE FROM system.peers_v2 WHERE peer = '10.0.0.9' AND peer_port = 7001;");
      });
    }
  }

  @Test
  void leavesOpenWithoutGossipWhetherANodeThatOnlyOneListsIsThere() {
    var lists = lists(NODES);
    lists.add(new ClusterView.Listed("10.0.0.2", "10.0.0.9", 7000, true));
    assertThat(problems(List.of(), Set.copyOf(NODES), lists)).singleElement().satisfies(problem -> assertThat(
        problem.mend())
        .contains("if nodetool status shows it, restart").contains("if not, on 10.0.0.2: DELETE FROM system.peers_v2"));
  }

  @Test
  void takesANodeThatHasLeftForGone() {
    assertThat(problems(with(new ClusterView.Gossip("10.0.0.9", 7000, "LEFT")), Set.copyOf(NODES), lists(NODES)))
        .isEmpty();
  }

  @ParameterizedTest
  @ValueSource(strings = {"LEAVING", "MOVING", "BOOT", "BOOT_REPLACE", "hibernate", "removing"})
  void namesANodeThatIsOnTheMove(String status) {
    var gossip = List.of(normal("10.0.0.1"), normal("10.0.0.2"), new ClusterView.Gossip("10.0.0.3", 7000, status));
    assertThat(problems(gossip, Set.copyOf(NODES), lists(NODES))).singleElement()
        .satisfies(problem -> assertThat(problem.text()).isEqualTo("Cassandra node 10.0.0.3 is " + status));
  }

  @Test
  void aNodeThatWasStoppedIsDown() {
    var gossip = List.of(normal("10.0.0.1"), normal("10.0.0.2"), new ClusterView.Gossip("10.0.0.3", 7000, "shutdown"));
    assertThat(problems(gossip, Set.of("10.0.0.1", "10.0.0.2"), lists(NODES))).singleElement()
        .satisfies(problem -> assertThat(problem.text()).startsWith("Cassandra node 10.0.0.3 is down"));
  }

  private static List<ClusterView.Gossip> with(ClusterView.Gossip another) {
    var all = new ArrayList<>(gossip());
    all.add(another);
    return all;
  }
}
