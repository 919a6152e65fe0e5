//DEPS com.fasterxml.jackson.core:jackson-databind:2.23.0
//DEPS org.elasticsearch.client:elasticsearch-rest-client:9.5.6

import java.io.IOException;
import java.util.HashMap;
import java.util.Map;
import java.util.Optional;

/** The limit of each node's recovery, raised for the time of a restore. */
final class RecoveryRate {
  static final String SETTING = "indices.recovery.max_bytes_per_sec";
  private final ElasticsearchApi api;
  private final String wanted;
  private String before;
  private boolean raised;

  /**
   * Takes over what an interrupted run remembered.
   *
   * @param before the limit that it found; null where there was none
   */
  RecoveryRate(ElasticsearchApi api, String wanted, boolean raised, String before) {
    this.api = api;
    this.wanted = wanted;
    this.raised = raised;
    this.before = before;
  }

  /** Elasticsearch's own form of a size: 200mb, or -1 for no limit. */
  static void requireValid(String rate) {
    if (!rate.matches("(?i)-1|0|\\d+(\\.\\d+)?([kmgtp]?b|[kmgtp])")) {
      throw new Failure(Exit.USAGE, "--recovery-rate '%s' is not a size".formatted(rate), "such as 200mb; -1 is no limit");
    }
  }

  /** The limit without a restore, to be remembered before it is raised; null where none is set. */
  Optional<String> before() throws IOException {
    if (!raised) {
      var now = api.get("/_cluster/settings?flat_settings=true").path("transient").path(SETTING);
      before = now.isMissingNode() ? null : now.asText();
    }
    return Optional.ofNullable(before);
  }

  synchronized void raise() throws IOException {
    raised = true;
    set(wanted);
  }

  synchronized void putBack() throws IOException {
    if (raised) {
      set(before);
      raised = false;
    }
  }

  private void set(String rate) throws IOException {
    var settings = new HashMap<String, Object>();
    settings.put(SETTING, rate);
    api.call("PUT", "/_cluster/settings", Map.of("transient", settings));
  }
}
