//DEPS org.elasticsearch.client:elasticsearch-rest-client:9.5.6

import java.io.IOException;
import java.util.HashMap;
import java.util.Map;
import java.util.Optional;

/**
 * The limit of each node's recovery, raised for the time of a restore. What it was before is kept in the cluster
 * itself, in a setting that Elasticsearch leaves to its users: a run after a killed one puts it back.
 */
final class RecoveryRate {
  static final String SETTING = "indices.recovery.max_bytes_per_sec";
  private static final String BEFORE = "cluster.metadata.thehive_restore_recovery_rate_before";
  private static final String NONE = "none";
  private static final String UNCHANGED = "unchanged";
  private static final String RAISED = "500mb";
  private final ElasticsearchApi api;
  private final Optional<String> wanted;

  /** @param wanted empty where the cluster's limit is left as it is */
  RecoveryRate(ElasticsearchApi api, Optional<String> wanted) {
    this.api = api;
    this.wanted = wanted;
  }

  /**
   * The limit for the time of a restore; empty where it stays. What an administrator has set stays; Elasticsearch's own
   * default is for a cluster that serves users meanwhile.
   *
   * @param option what the command line says, or null
   */
  static Optional<String> wanted(String option, ElasticsearchCluster cluster) {
    if (option != null) {
      return Optional.of(option).filter(rate -> !rate.equals(UNCHANGED));
    }
    var untouched = cluster.setting(BEFORE).map(NONE::equals).orElseGet(() -> !cluster.isSet(SETTING));
    return untouched ? Optional.of(RAISED) : Optional.empty();
  }

  /** The limit that counts when no restore raises it. */
  static String now(ElasticsearchCluster cluster) {
    return cluster.setting(BEFORE).or(() -> cluster.setting(SETTING)).filter(rate -> !rate.equals(NONE)).orElse("40mb");
  }

  /** Elasticsearch's own form of a size: 200mb, or -1 for no limit. */
  static void requireValid(String rate) {
    if (!rate.equals(UNCHANGED) && !rate.matches("(?i)-1|0|\\d+(\\.\\d+)?([kmgtp]?b|[kmgtp])")) {
      throw new Failure(Exit.USAGE, "--recovery-rate '%s' is not a size".formatted(rate),
          "such as 200mb; -1 is no limit, unchanged leaves the cluster's own");
    }
  }

  synchronized void raise() throws IOException {
    if (wanted.isPresent()) {
      var now = api.get("/_cluster/settings?flat_settings=true").path("transient");
      set(wanted.get(), now.path(BEFORE).asText(now.path(SETTING).asText(NONE)));
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
