//DEPS info.picocli:picocli:4.7.7

import java.util.List;
import picocli.CommandLine.Option;

/** How the restore of Elasticsearch differs from run to run. */
final class ElasticsearchOptions {
  @Option(names = "--index", paramLabel = "NAME,...", hideParamSyntax = true, split = ",",
      description = "only these indices of the snapshot (all but the system's own)")
  List<String> indices = List.of();

  @Option(names = "--recovery-rate", paramLabel = "RATE", description = "for the restore: 200mb instead of 40mb, say")
  String recoveryRate;

  @Option(names = "--in-place", description = "delete the live indices first: needs no room for two copies")
  boolean inPlace;
}
