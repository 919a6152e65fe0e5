import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** Which replication the nodes of a cluster can hold. */
class ReplicationTest {
  @ParameterizedTest
  @CsvSource(delimiter = '|', value = {
      "{'class': 'SimpleStrategy', 'replication_factor': '3'}         | dc1=2       | {'class': 'SimpleStrategy',"
          + " 'replication_factor': '2'}",
      "{'class': 'NetworkTopologyStrategy', 'dc1': '3'}               | dc1=2       | {'class':"
          + " 'NetworkTopologyStrategy', 'dc1': '2'}",
      "{'class': 'NetworkTopologyStrategy', 'old': '3'}               | dc1=5       | {'class':"
          + " 'NetworkTopologyStrategy', 'dc1': '3'}",
      "{'class': 'NetworkTopologyStrategy', 'dc1': '3', 'dc2': '3'}   | dc1=3       | {'class':"
          + " 'NetworkTopologyStrategy', 'dc1': '3'}",
      "{'class': 'NetworkTopologyStrategy', 'dc1': '3', 'dc2': '3'}   | dc1=3 dc2=1 | {'class':"
          + " 'NetworkTopologyStrategy', 'dc1': '3', 'dc2': '1'}",
  })
  void refusesAReplicationTheNodesCannotHoldAndNamesOneTheyCan(String wanted, String nodes, String fitting) {
    var available = nodes(nodes);
    assertThatThrownBy(() -> Replication.require(KeyspaceDefinition.replication(wanted), available))
        .isInstanceOfSatisfying(Failure.class,
            failure -> assertThat(failure.hint).endsWith("--replication \"" + fitting + "\""));
    Replication.require(KeyspaceDefinition.replication(fitting), available);
  }

  @Test
  void acceptsAReplicationThatFits() {
    Replication.require(Map.of("class", "SimpleStrategy", "replication_factor", "3"), nodes("dc1=4"));
    Replication.require(Map.of("class", "NetworkTopologyStrategy", "dc1", "3"), nodes("dc1=3 dc2=9"));
    assertThat(Replication.copies(Map.of("class", "X", "dc1", "3", "dc2", "2"), List.of("dc1", "dc2"))).isEqualTo(5);
  }

  private static TreeMap<String, Long> nodes(String text) {
    var nodes = new TreeMap<String, Long>();
    for (var dataCentre : text.split(" ")) {
      nodes.put(dataCentre.split("=")[0], Long.valueOf(dataCentre.split("=")[1]));
    }
    return nodes;
  }
}
