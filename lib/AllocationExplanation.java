//DEPS com.fasterxml.jackson.core:jackson-databind:2.23.0

import com.fasterxml.jackson.databind.JsonNode;
import java.util.Set;
import java.util.stream.Collectors;
import java.util.stream.Stream;

/** The answer of {@code _cluster/allocation/explain}: whether a shard gets a node, and if not, why not. */
record AllocationExplanation(JsonNode answer) {
  /** Deciders that only repeat that another one refused. */
  private static final Set<String> ECHOES = Set.of("restore_in_progress", "max_retry");

  boolean isRefused() {
    return answer.path("can_allocate").asText().matches("no|no_valid_shard_copy");
  }

  /** True if free disk space is the only reason. */
  boolean isOnlyDisk() {
    return isRefused() && refusals().findAny().isPresent()
        && refusals().allMatch(decider -> decider.path("decider").asText().equals("disk_threshold"));
  }

  boolean mustLeaveItsNode() {
    return answer.path("can_remain_on_current_node").asText().equals("no")
        && !answer.path("can_move_to_other_node").asText().equals("yes");
  }

  /** The deciders' own sentences. */
  String reason() {
    var sentences =
        refusals().map(decider -> decider.path("explanation").asText()).filter(text -> !text.isEmpty()).distinct()
        .collect(Collectors.joining("; "));
    var details = withoutTrace(answer.path("unassigned_info").path("details").asText());
    return !sentences.isEmpty() ? sentences : !details.isEmpty() ? details
        : Stream.of("allocate_explanation", "explanation").map(name -> answer.path(name).asText())
            .filter(text -> !text.isEmpty())
            .findFirst().orElse("Elasticsearch gives no reason");
  }

  /** The messages of an exception whose trace Elasticsearch tells, too, since version 8. */
  static String withoutTrace(String details) {
    return details.lines().map(String::strip)
        .filter(line -> !line.isEmpty() && !line.matches("at .+\\(.*\\).*|\\.\\.\\. \\d+ more"))
        .collect(Collectors.joining("; "));
  }

  private Stream<JsonNode> refusals() {
    var nodes =
        answer.path("node_allocation_decisions").valueStream().flatMap(node -> node.path("deciders").valueStream());
    return Stream.concat(nodes, answer.path("can_remain_decisions").valueStream())
        .filter(decider -> decider.path("decision").asText().equals("NO")
            && !ECHOES.contains(decider.path("decider").asText()));
  }
}
