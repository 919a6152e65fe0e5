//DEPS org.elasticsearch.client:elasticsearch-rest-client:9.5.6

import java.io.IOException;
import java.util.HashMap;
import java.util.Map;

/**
 * The limit of each node's recovery, raised for the time of a restore. What it was before is kept in the cluster
 * itself, in a setting that Elasticsearch leaves to its users: a run after a killed one puts it back.
 */
final class RecoveryRate {
  static final String SETTING = "indices.recovery.max_bytes_per_sec";
  private static final String BEFORE = "cluster.metadata.thehive_restore_recovery_rate_before";
  private static final String NONE = "none";
  private final ElasticsearchApi api;
  private final String wanted;

  /** @param wanted null where the cluster's limit is left as it is */
  RecoveryRate(ElasticsearchApi api, String wanted) {
    this.api = api;
    this.wanted = wanted;
  }

  /** Elasticsearch's own form of a size: 200mb, or -1 for no limit. */
  static void requireValid(String rate) {
    if (!rate.matches("(?i)-1|0|\\d+(\\.\\d+)?([kmgtp]?b|[kmgtp])")) {
      throw new Failure(Exit.USAGE, "--recovery-rate '%s' is not a size".formatted(rate),
          "such as 200mb; -1 is no limit");
    }
  }

  synchronized void raise() throws IOException {
    if (wanted != null) {
      var now = api.get("/_cluster/settings?flat_settings=true").path("transient");
      set(wanted, now.path(BEFORE).asText(now.path(SETTING).asText(NONE)));
    }
  }

  /** Puts it back where this or an interrupted run raised it. */
  synchronized void putBack() throws IOException {
    var before = api.get("/_cluster/settings?flat_settings=true").path("transient").path(BEFORE);
    if (!before.isMissingNode()) {
      set(before.asText().equals(NONE) ? null : before.asText(), null);
    }
  }

  private void set(String rate, String before) throws IOException {
    var settings = new HashMap<String, Object>();
    settings.put(SETTING, rate);
    settings.put(BEFORE, before);
    api.call("PUT", "/_cluster/settings", Map.of("transient", settings));
  }
}
