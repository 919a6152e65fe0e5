//DEPS com.fasterxml.jackson.core:jackson-databind:2.23.0
//DEPS org.elasticsearch.client:elasticsearch-rest-client:9.5.6

import com.fasterxml.jackson.databind.JsonNode;
import java.io.IOException;
import java.time.Duration;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.TreeSet;

/**
 * TheHive's indices, restored from a snapshot: each beside the live one under a temporary name; they replace the live
 * indices when all of them are complete. With {@code --in-place} each live index is deleted first.
 */
final class ElasticsearchRestore implements Database {
  /**
   * The options of one run.
   *
   * @param indices the only ones to restore; empty for all
   * @param recoveryRate limit of each node's recovery for the time of the restore; null for the cluster's
   * @param inPlace true if the live indices are deleted first
   */
  record Options(List<String> indices, String recoveryRate, boolean inPlace) {}

  /** Until the snapshot's data are all there. */
  private static final Set<String> COPYING = Set.of("waiting", "preparing", "restoring");
  private static final long DAY = Duration.ofDays(1).toMillis();
  private final ElasticsearchSettings settings;
  private final Options options;
  private final RestoreConsole console;
  private final List<String> notAsInTheSnapshot = new ArrayList<>();
  private final Map<String, IndexDefinition> definitions = new HashMap<>();
  private final Map<String, Long> documents = new LinkedHashMap<>();
  private final Map<String, JsonNode> aliases = new LinkedHashMap<>();
  private final Map<String, IndexState> states = new LinkedHashMap<>();
  private Backup backup;
  private ElasticsearchApi api;
  private ShardWatch watch;
  private IndexReplacement replacement;
  private RecoveryRate rate;
  private ElasticsearchPlan plan;
  private volatile String stage = "waiting";
  private final Thread interrupted = new Thread(this::withdrawQuietly);

  ElasticsearchRestore(ElasticsearchSettings settings, Options options, RestoreConsole console) {
    this.settings = settings;
    this.options = options;
    this.console = console;
  }

  @Override
  public Name name() {
    return Name.ELASTICSEARCH;
  }

  @Override
  public String cluster() {
    return plan.cluster().name();
  }

  @Override
  public List<Backup> choose(String point, Duration gap) {
    var chosen = BackupSet.markers(settings.archives()).choose(point, gap);
    chosen.warnings().forEach(warning -> console.warn("%s", warning));
    backup = chosen.backup();
    return List.of(backup);
  }

  @Override
  public String source(Backup backup) {
    return "snapshot %s in repository %s".formatted(backup.name(), settings.repository());
  }

  @Override
  public void check(JsonNode unfinished) throws IOException {
    if (options.recoveryRate() != null) {
      RecoveryRate.requireValid(options.recoveryRate());
    }
    api = new ElasticsearchApi(settings);
    watch = new ShardWatch(api);
    var source = new SnapshotSource(api, settings.repository(), backup);
    var stamp = backup.name().replaceFirst("^[a-z]+_", "");
    replacement = new IndexReplacement(api, source, watch, console, stamp);
    plan = new ElasticsearchChecks(api, source, options).plan(stamp, replacement);
    rate = new RecoveryRate(api, plan.wantedRate());
    ElasticsearchPlan.missing(settings.usedIndices(), plan.names()).forEach(name -> console.warn(
        "TheHive's configuration names the index %s, and the snapshot %s does not have it: it is not restored", name,
        plan.snapshot()));
  }

  @Override
  public List<String> plan() {
    return plan.lines(options.inPlace());
  }

  @Override
  public void prepare() throws Exception {
    Runtime.getRuntime().addShutdownHook(interrupted);
    stage = "preparing";
    raiseRate();
    if (plan.indices().stream().allMatch(plan::isLive)) {
      replacement.remove(plan.useless());
    }
    var begun = new ArrayList<String>();
    for (var index : plan.indices()) {
      definitions.put(index.name(), replacement.definition(index));
      if (!plan.complete().contains(index.copy(plan.stamp()))) {
        replacement.remove(List.of(index.copy(plan.stamp())));
        console.step("Restoring snapshot %s: %s as %s", plan.snapshot(), index.name(), index.copy(plan.stamp()));
        replacement.beginCopy(index);
        begun.add(index.copy(plan.stamp()));
      }
    }
    requireAliases();
    replacement.requireReceiving(begun, options.inPlace());
    for (var index : plan.indices()) {
      notAsInTheSnapshot(index,
          replacement.probe(index, definitions.get(index.name()), LiveIndices.prefix(index.name())));
      warnOfPolicy(index, definitions.get(index.name()));
    }
    ElasticsearchRights.requireToDelete(api,
        plan.indices().stream().filter(plan::isLive).map(SnapshotIndex::name).toList());
    if (options.inPlace()) {
      replacement.remove(begun); // they have shown that they can be restored; there may be no room for both
    }
  }

  /** Those that the live indices have count, too: some of the snapshot's can be read only when these are gone. */
  private void requireAliases() throws IOException {
    var aliases = new TreeSet<String>();
    for (var index : plan.names()) {
      definitions.get(index).aliases().ifPresent(all -> all.fieldNames().forEachRemaining(aliases::add));
      Optional.ofNullable(plan.live().aliases().get(index))
          .ifPresent(all -> all.fieldNames().forEachRemaining(aliases::add));
    }
    ElasticsearchRights.requireToAlias(api, aliases);
  }

  private void withdrawQuietly() {
    try {
      withdraw();
    } catch (IOException | RuntimeException e) {
      console.warn("could not remove the copies that were begun: %s; the next run does", e.getMessage());
    }
  }

  @Override
  public void withdraw() throws IOException {
    if (plan == null) {
      return;
    }
    try {
      putBackRate();
      replacement.withdraw();
    } finally {
      forgetInterruption();
    }
  }

  /** From now on an interruption takes nothing back. */
  private void forgetInterruption() {
    try {
      Runtime.getRuntime().removeShutdownHook(interrupted);
    } catch (IllegalStateException e) {
      // it is at work
    }
  }

  private void notAsInTheSnapshot(SnapshotIndex index, List<String> refused) {
    for (var reason : refused) {
      var text = "%s does not get the snapshot's setting %s".formatted(index.name(), reason);
      if (!notAsInTheSnapshot.contains(text)) {
        notAsInTheSnapshot.add(text);
        console.warn("%s", text);
      }
    }
  }

  /** A policy begins to act again when its index is restored. */
  private void warnOfPolicy(SnapshotIndex index, IndexDefinition definition) throws IOException {
    if (definition.policy().isEmpty()) {
      return;
    }
    var name = definition.policy().get();
    var policy = api.tryTo("GET", ElasticsearchApi.path("_ilm", "policy", name), null, Set.of(400, 403, 404, 405));
    if (policy.isEmpty()) {
      console.warn(
          "%s has lifecycle policy %s, which this cluster does not have or this user may not read: whether it"
              + " deletes the index is not known",
          index.name(), name);
      return;
    }
    var now = System.currentTimeMillis();
    var created = options.inPlace() ? definition.settings().get("index.creation_date").asLong(now) : now;
    var age = now - definition.ageFrom(created);
    IndexDefinition.deletesAt(policy.get().path(name)).filter(at -> at.toMillis() - age <= DAY).ifPresent(at ->
    console.warn(
        "lifecycle policy %s deletes %s within a day of the restore: its delete phase begins at an age of %s,"
            + " the index is %s old",
            name, index.name(), Count.of(at.toHours(), "hour"), Count.of(Duration.ofMillis(age).toHours(), "hour")));
  }

  @Override
  public void restore(RestoreRun run) throws Exception {
    forgetInterruption();
    var putBack = new Thread(this::putBackRate);
    Runtime.getRuntime().addShutdownHook(putBack);
    try {
      if (options.inPlace()) {
        run.steps.time(name(), "restore in place", plan.bytes(), this::restoreInPlace);
      } else {
        restoreBeside(run.steps);
      }
      for (var index : plan.indices()) {
        var definition = definitions.get(index.name());
        aliases.put(index.name(), replacement.aliases(index, definition, plan.live(), plan.names()));
        notAsInTheSnapshot(index, replacement.complete(
            index, definition, aliases.get(index.name()), plan.live(), plan.names()));
      }
      stage = "waiting for replicas";
      run.steps.time(name(), "wait for replicas", this::awaitHealth);
    } finally {
      putBackRate();
      Runtime.getRuntime().removeShutdownHook(putBack);
    }
    replacement.remove(plan.leftovers());
    replacement.remove(plan.copies());
    noteStates();
    stage = "done";
    if (!plan.leftOut().isEmpty()) {
      console.warn("NOT restored, because --index does not name them: %s", String.join(", ", plan.leftOut()));
    }
  }

  /** For verify.java, which sees by them that nobody wrote since. A user who may not ask restores without. */
  private void noteStates() throws IOException {
    try {
      for (var index : plan.indices()) {
        states.put(index.name(), IndexState.ask(api, index.name()));
      }
    } catch (Failure e) {
      if (e.code != Exit.AUTHENTICATION) {
        throw e;
      }
    }
  }

  private void awaitHealth() throws Exception {
    for (var index : plan.indices()) {
      replacement.awaitHealth(index.name(), plan.cluster().dataNodes());
    }
  }

  private void restoreBeside(StepTimes times) throws Exception {
    stage = "restoring";
    times.time(name(), "restore the copies", plan.bytes(), () -> replacement.awaitCopies(plan.copies()));
    stage = "trying to clone";
    for (var index : plan.indices()) {
      replacement.tryCloning(index);
    }
    stage = "replacing";
    for (var index : plan.indices()) {
      times.time(name(), "replace " + index.name(), () ->
          documents.put(index.name(), replacement.replaceLive(index)));
    }
    replacement.remove(plan.copies()); // they count as shards of the cluster: replicas may need that room
  }

  private void restoreInPlace() throws Exception {
    stage = "restoring";
    for (var index : plan.indices()) {
      documents.put(index.name(), replacement.restoreInPlace(index));
    }
  }

  /** A rate that cannot be raised only makes the restore slower. */
  private void raiseRate() throws IOException {
    try {
      rate.raise();
    } catch (Failure e) {
      console.warn("could not raise %s: %s", RecoveryRate.SETTING, e.getMessage());
    }
  }

  private void putBackRate() {
    try {
      rate.putBack();
    } catch (IOException | RuntimeException e) {
      console.warn("could not put back %s: %s", RecoveryRate.SETTING, e.getMessage());
    }
  }

  @Override
  public String state() {
    return "Elasticsearch " + stage;
  }

  @Override
  public long done() {
    return COPYING.contains(stage) ? Math.min(watch.recovered(), total()) : total();
  }

  @Override
  public long total() {
    return plan.bytes();
  }

  @Override
  public Map<String, Object> summary() {
    var summary = new LinkedHashMap<String, Object>();
    summary.put("backup", backup.name());
    summary.put("repository", settings.repository());
    summary.put("cluster", plan.cluster().name());
    summary.put("url", plan.address());
    summary.put("index", LiveIndices.main(List.copyOf(plan.names())));
    summary.put("indices", List.copyOf(plan.names()));
    summary.put("leftOut", plan.leftOut());
    summary.put("system", plan.system());
    summary.put("stays", plan.stays().stream().map(LiveIndices.Index::name).toList());
    summary.put("notAsInTheSnapshot", notAsInTheSnapshot);
    summary.put("versions", plan.cluster().versions());
    summary.put("distribution", plan.cluster().openSearch() ? "OpenSearch" : "Elasticsearch");
    summary.put("bytes", plan.bytes());
    var bytesOf = new LinkedHashMap<String, Long>();
    plan.indices().forEach(index -> bytesOf.put(index.name(), index.bytes()));
    summary.put("bytesOf", bytesOf);
    if (stage.equals("done")) { // verify.java takes these for what the live indices began with
      summary.put("aliasesOf", aliases);
      summary.put("stateOf", states);
      summary.put("documents", documents.get(LiveIndices.main(List.copyOf(plan.names()))));
      summary.put("documentsOf", documents);
    }
    return summary;
  }

  @Override
  public void close() throws IOException {
    if (api != null) {
      api.close();
    }
  }
}
