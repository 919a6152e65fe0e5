//DEPS com.fasterxml.jackson.core:jackson-databind:2.23.0

import com.fasterxml.jackson.databind.JsonNode;
import java.util.ArrayList;
import java.util.Collection;
import java.util.Comparator;
import java.util.List;
import java.util.Optional;

/** Tells if the nodes' disks have room for more shards, each whole on one node. */
record DiskRoom(List<Node> nodes) {
  /**
   * A data node.
   *
   * @param room bytes that may be filled until Elasticsearch gives it no more shards
   */
  record Node(String name, long room) {}

  /** From the answer of {@code _cat/allocation?bytes=b} and the low watermark: 85%, 0.85 or the bytes to keep free. */
  static DiskRoom of(JsonNode allocation, String watermark, Optional<String> headroom) {
    var nodes = new ArrayList<Node>();
    for (var node : allocation) {
      if (!node.path("node").asText().equals("UNASSIGNED")) {
        var reserve = reserve(node.path("disk.total").asLong(), watermark, headroom);
        nodes.add(new Node(node.path("node").asText(), Math.max(0, node.path("disk.avail").asLong() - reserve)));
      }
    }
    return new DiskRoom(nodes);
  }

  private static long reserve(long total, String watermark, Optional<String> headroom) {
    if (watermark.endsWith("b")) {
      return bytes(watermark);
    }
    var used =
        watermark.endsWith("%") ? Double.parseDouble(watermark.replace("%", "")) / 100 : Double.parseDouble(watermark);
    var share = Math.round(total * (1 - used));
    return headroom.filter(text -> text.endsWith("b")).map(text -> Math.min(share, bytes(text))).orElse(share);
  }

  private static long bytes(String text) {
    var unit = "b kb mb gb tb pb".indexOf(text.replaceFirst("^[\\d.]+", ""));
    return Math
        .round(Double.parseDouble(text.replaceFirst("[a-z]+$", "")) * Math.pow(1024, unit <= 0 ? 0 : (unit + 1) / 3));
  }

  long total() {
    return nodes.stream().mapToLong(Node::room).sum();
  }

  /** The size of a shard that no node has room for; empty where each of them finds a node. */
  Optional<Long> withoutRoom(Collection<Long> shards) {
    var most = nodes.stream().mapToLong(Node::room).max().orElse(0);
    return shards.stream().max(Comparator.naturalOrder()).filter(largest -> largest > most);
  }
}
