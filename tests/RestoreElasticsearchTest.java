import static org.assertj.core.api.Assertions.assertThat;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import java.io.IOException;
import java.net.URI;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.LocalDateTime;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/**
 * What an administrator may expect of the restore of Elasticsearch alone, whatever the snapshot and the cluster are
 * like.
 */
@Tag("servers")
class RestoreElasticsearchTest {
  private static final ObjectMapper JSON = new ObjectMapper();
  private static final String HOST = "127.0.9.1";
  private static final String GLOBAL = "thehive_global";
  private static final String AUDITS = "thehive-audits-000001";
  private static Path archives;
  private static Server server;
  private static LocalDateTime time = LocalDateTime.now().minusDays(1);

  @BeforeAll
  static void start() throws IOException {
    archives = Original.temporaryFolder();
    server = Stack.elasticsearch("7.10.2", List.of(HOST), 9200, archives).get(0);
    HotBackup.register(url(), archives);
  }

  @AfterAll
  static void stop() {
    server.close();
  }

  private static URI url() {
    return URI.create("http://" + HOST + ":9200");
  }

  @BeforeEach
  void empty() throws IOException {
    clusterSettings("cluster.blocks.read_only", "cluster.max_shards_per_node", "cluster.routing.allocation.enable",
        "cluster.routing.allocation.exclude._name",
        "indices.recovery.max_bytes_per_sec");
    for (var index : indices().keySet()) {
      server.tool("PUT", ElasticsearchApi.path(index, "_settings") + "?expand_wildcards=all",
          "{\"index.blocks.read_only\":null,\"index.blocks.metadata\":null}");
      server.tool("DELETE", ElasticsearchApi.path(index));
    }
    Files.deleteIfExists(archives.resolve("restore-cassandra-es.unfinished"));
    for (var file : Files.list(archives.resolve("elasticsearch")).filter(file -> file.toString().endsWith(".info"))
        .toList()) {
      Files.delete(file);
    }
  }

  @AfterEach
  void noMarker() {
    assertThat(archives).isDirectoryNotContaining("glob:**.unfinished");
  }

  private static void clusterSettings(String... none) {
    for (var name : none) {
      server.tool("PUT", "/_cluster/settings", "{\"transient\":{\"%s\":null}}".formatted(name));
    }
  }

  private static void set(String name, String json) {
    server.tool("PUT", "/_cluster/settings", "{\"transient\":{\"%s\":%s}}".formatted(name, json));
  }

  private static void index(String name, int documents, String definition) {
    server.tool("PUT", ElasticsearchApi.path(name) + "?wait_for_active_shards=0", definition);
    if (documents > 0) {
      fill(name, documents, "snapshot");
    }
  }

  private static void fill(String name, int documents, String text) {
    server.tool("POST", ElasticsearchApi.path(name, "_bulk") + "?refresh=true", Documents.bulk(documents, id -> text));
  }

  /** The documented backup of these indices. */
  private static void backUp(String indices) {
    time = time.plusMinutes(1);
    HotBackup.elasticsearch(url(), indices, archives, HotBackup.timestamp(time));
  }

  private static Script restore(String... arguments) {
    return Script.of("restore-cassandra-es.java").args("--yes", "--only", "elasticsearch").args(arguments)
        .env("RESTORE_STATE_PATH", archives.toString())
        .env("THEHIVE_URL", "http://127.0.9.9:9000") // this machine's port 9000 may be an S3 server of another test
        .env("ELASTICSEARCH_API_URL", url().toString())
        .env("ELASTICSEARCH_GENERAL_ARCHIVE_PATH", archives.resolve("elasticsearch").toString());
  }

  /** Name, documents with their content, aliases and settings of every index. */
  private static Map<String, String> indices() {
    var all = new TreeMap<String, String>();
    var aliases = json("/_alias?expand_wildcards=all");
    json("/_settings?flat_settings=true&expand_wildcards=all").properties().forEach(index -> {
      var name = index.getKey();
      var settings = new TreeMap<String, String>();
      index.getValue().path("settings").properties().forEach(setting -> {
        if (!setting.getKey().matches(
            "index\\.(uuid|creation_date|provided_name|version.*|resize.*|history.*|routing_partition_size|routing\\.allocation\\.initial_recovery.*)")) {
          settings.put(setting.getKey(), setting.getValue().toString());
        }
      });
      all.put(name, documents(name) + " " + aliases.path(name).path("aliases") + " " + settings);
    });
    return all;
  }

  private static String documents(String index) {
    try {
      server.tool("POST", ElasticsearchApi.path(index, "_refresh"));
      var hits = json(ElasticsearchApi.path(index, "_search") + "?size=100&sort=_doc").at("/hits/hits");
      var all = new TreeMap<String, String>();
      hits.forEach(hit -> all.put(hit.path("_id").asText(), hit.path("_source").toString()));
      return all.toString();
    } catch (IllegalStateException e) {
      return "not readable";
    }
  }

  private static JsonNode json(String path) {
    try {
      return JSON.readTree(server.tool("GET", path));
    } catch (IOException e) {
      throw new IllegalStateException(e);
    }
  }

  private static void assertRestored(Script.Result result, Map<String, String> expected) {
    assertThat(result.code()).as(result.err()).isZero();
    assertThat(result.out()).isEqualTo("=== ✓ Successful restore of elasticsearch ===\n");
    assertThat(indices()).isEqualTo(expected);
    var verified = verify();
    assertThat(verified.code()).as("verify.java after the restore:%n%s%s", verified.out(), verified.err()).isZero();
  }

  private static Script.Result verify() {
    return restore().other("verify.java").args("--only", "elasticsearch", "--exact", "--backup",
        HotBackup.timestamp(time)).run();
  }

  /** Runs a restore that must be refused before the first change, and sees that it changed nothing. */
  private static Script.Result refused(int code, Script script) {
    var before = indices();
    var result = script.run();
    assertThat(result.code()).as(result.err()).isEqualTo(code);
    assertThat(result.out()).matches("=== ✗ ERROR - ES: exit \\d+, Cassandra: .+ ===\n");
    assertThat(result.err()).contains("error: ").doesNotContain("\tat ");
    assertThat(indices()).isEqualTo(before);
    return result;
  }

  private static void spoil(String... names) {
    for (var name : names) {
      fill(name, 30, "newer");
    }
  }

  @ParameterizedTest
  @ValueSource(strings = {"--max-gap=PT15M", "--in-place"})
  void restoresEveryIndexOfTheSnapshotWithItsAliases(String option) {
    index(GLOBAL, 10, "{\"settings\":{\"number_of_shards\":2,\"number_of_replicas\":0},\"aliases\":{\"thehive\":{}}}");
    index(AUDITS, 5,
        "{\"settings\":{\"number_of_replicas\":0},\"aliases\":{\"thehive-audits\":{\"is_write_index\":true}}}");
    index(".kibana_1", 1, "{\"settings\":{\"number_of_replicas\":0}}");
    backUp("*");
    var expected = indices();
    spoil(GLOBAL, AUDITS);
    server.tool("PUT", "/thehive_other", "{\"settings\":{\"number_of_replicas\":0}}");
    expected.put("thehive_other", indices().get("thehive_other"));
    var result = restore(option).run();
    assertRestored(result, expected);
    assertThat(result.err()).contains("cluster thp at http://127.0.9.1:9200", "index thehive_global: 30 documents now",
        "index thehive-audits-000001: 30 documents now",
        "not restored, because they are Elasticsearch's own: .kibana_1", "index thehive_other stays as it is");
  }

  @Test
  void restoresOnlyTheIndicesThatAreNamedAndSaysWhatIsLeftOut() throws IOException {
    index(GLOBAL, 10, "{\"settings\":{\"number_of_replicas\":0}}");
    index(AUDITS, 5, "{\"settings\":{\"number_of_replicas\":0}}");
    backUp("*");
    var expected = indices();
    spoil(GLOBAL, AUDITS);
    expected.put(AUDITS, indices().get(AUDITS));
    var result = restore("--index", GLOBAL).run();
    assertRestored(result, expected);
    assertThat(result.err()).contains("NOT restored, because --index does not name them: " + AUDITS);
    var json = JSON.readTree(restore("--index", GLOBAL, "--json").run().out());
    assertThat(json.path("exit").asInt(-1)).isZero();
    assertThat(json.path("elasticsearch").isObject()).as("%s", json).isTrue();
    assertThat(refused(2, restore("--index", "thehive_gloabl")).err())
        .contains("the snapshot does not contain thehive_gloabl");
  }

  @Test
  void restoresAMainIndexOfAnyName() {
    index("thehive_global_2", 10, "{\"settings\":{\"number_of_replicas\":0}}");
    backUp("*");
    var expected = indices();
    server.tool("DELETE", "/thehive_global_2");
    assertRestored(restore().run(), expected);
  }

  @ParameterizedTest
  @ValueSource(strings = {"--max-gap=PT15M", "--in-place"})
  void writesThroughTheAliasAsInTheSnapshot(String option) {
    index(GLOBAL, 5, "{\"settings\":{\"number_of_replicas\":0}}"); // without a main index it is no backup of TheHive
    index(AUDITS, 5,
        "{\"settings\":{\"number_of_replicas\":0},\"aliases\":{\"audits\":{\"is_write_index\":true},\"other\":{\"filter\":{\"term\":{\"text\":\"x\"}}}}}");
    backUp("*");
    var expected = indices();
    // as after a rollover: a later index takes what is written; the restored one takes it back
    server.tool("POST", "/_aliases",
        "{\"actions\":[{\"add\":{\"index\":\"%s\",\"alias\":\"audits\",\"is_write_index\":false}}]}".formatted(AUDITS));
    index("thehive-audits-000002", 3,
        "{\"settings\":{\"number_of_replicas\":0},\"aliases\":{\"audits\":{\"is_write_index\":true}}}");
    expected.put("thehive-audits-000002",
        indices().get("thehive-audits-000002").replace("\"is_write_index\":true", "\"is_write_index\":false"));
    assertRestored(restore(option).run(), expected);
  }

  @ParameterizedTest
  @ValueSource(strings = {"--max-gap=PT15M", "--in-place"})
  void restoresAWriteAliasThatOnlyTheSnapshotHas(String option) {
    index(GLOBAL, 5, "{\"settings\":{\"number_of_replicas\":0},\"aliases\":{\"thehive\":{\"is_write_index\":true}}}");
    backUp("*");
    var expected = indices();
    server.tool("DELETE", "/" + GLOBAL + "/_alias/thehive");
    spoil(GLOBAL);
    assertRestored(restore(option).run(), expected);
  }

  @ParameterizedTest
  @ValueSource(strings = {"--max-gap=PT15M", "--in-place"})
  void restoresAnIndexThatIsReadOnlyInTheSnapshotTwice(String option) {
    index(GLOBAL, 5, "{\"settings\":{\"number_of_replicas\":0}}");
    server.tool("PUT", "/" + GLOBAL + "/_settings", "{\"index.blocks.read_only\":true}");
    backUp("*");
    var expected = indices();
    server.tool("PUT", "/" + GLOBAL + "/_settings", "{\"index.blocks.read_only\":null}");
    spoil(GLOBAL);
    assertRestored(restore(option).run(), expected);
    assertThat(refused(13, restore(option)).err()).contains(
        "thehive_global can neither be changed nor replaced: index.blocks.read_only is set",
        "/_settings {\"index.blocks.read_only\": null}");
  }

  @ParameterizedTest
  @ValueSource(strings = {"--max-gap=PT15M", "--in-place"})
  void restoresIndicesOfEveryKind(String option) {
    var none = "{\"settings\":{\"number_of_replicas\":0%s}}";
    index(GLOBAL, 10, none.formatted(""));
    index(AUDITS, 5,
        "{\"settings\":{\"number_of_replicas\":0},\"aliases\":{\"audits\":{\"is_write_index\":true}}}");
    index("odd%c+é", 30, none.formatted(",\"index.max_result_window\":100")); // verify.java's pages are larger
    index("of-parts", 5, "{\"settings\":{\"number_of_replicas\":0},\"mappings\":{\"_source\":{\"excludes\":[\"text\"]}}}");
    index("untold", 5, none.formatted(""));
    var expected = indices();
    server.tool("PUT", "/untold/_settings", "{\"index.blocks.read\":true}");
    server.tool("PUT", "/untold/_settings", "{\"index.blocks.metadata\":true}");
    backUp("*");
    server.tool("PUT", "/untold/_settings", "{\"index.blocks.metadata\":null}");
    server.tool("DELETE", "/untold");
    spoil(GLOBAL, AUDITS, "of-parts");
    var result = restore(option).run();
    assertRestored(result, expected);
    assertThat(result.err()).contains("untold does not get the snapshot's setting index.blocks.metadata: ",
        "untold does not get the snapshot's setting index.blocks.read: ");
    assertThat(verify().out()).contains(
        "✓ elasticsearch definition  thehive-audits-000001: settings, mapping and aliases as in the snapshot",
        "✓ elasticsearch content     odd%c+é: 30 documents of the snapshot, each the same",
        "- elasticsearch content     of-parts: 5 documents of the snapshot; only compared as far as its mapping keeps"
            + " them: _source {\"excludes\":[\"text\"]}",
        "- elasticsearch definition  untold does not get the snapshot's setting index.blocks.metadata: ");
  }

  @Test
  void whereNoCopyCanBeMadeSequenceNumbersTellWhetherSomebodyWroteSince() {
    index(GLOBAL, 5, "{\"settings\":{\"number_of_shards\":2,\"number_of_replicas\":0}}");
    backUp("*");
    spoil(GLOBAL);
    var result = restore().run();
    assertThat(result.code()).as(result.err()).isZero();
    set("cluster.max_shards_per_node", "1");

    var untouched = verify();
    assertThat(untouched.code()).as(untouched.out()).isZero();
    assertThat(untouched.out()).contains("- elasticsearch definition  thehive_global: not compared with the snapshot: ",
        "✓ elasticsearch content     thehive_global: as it was restored: by its sequence numbers nobody wrote to it");
    fill(GLOBAL, 1, "changed");
    assertThat(verify().out()).contains("- elasticsearch content     thehive_global: not compared with the snapshot;"
        + " by its sequence numbers it was written to since its restore");
  }

  @Test
  void restoresWhatWasBackedUpAfterARestoreWithoutAWarning() {
    index(GLOBAL, 5, "{\"settings\":{\"number_of_replicas\":0}}");
    backUp("*");
    assertRestored(restore().run(), indices());
    backUp("*");
    var expected = indices();
    spoil(GLOBAL);
    var result = restore().run();
    assertRestored(result, expected);
    assertThat(result.err()).doesNotContain("does not get the snapshot's setting");
  }

  /** Its marker stays, and says that a restore was begun. */
  @Test
  void aRestoreWhoseEndCannotBeNotedIsNoSuccess() throws IOException {
    index(GLOBAL, 5, "{\"settings\":{\"number_of_replicas\":0}}");
    backUp("*");
    var state = Files.createDirectories(archives.resolve("state"));
    assumeTrue(Script.command("mount", "-t", "tmpfs", "-o", "size=8k", "none", "" + state).run().code() == 0,
        "mounting needs root and CAP_SYS_ADMIN");
    try {
      Files.write(state.resolve("ballast"), new byte[4096]); // the marker still fits
      var result = restore().env("RESTORE_STATE_PATH", state.toString()).run();
      assertThat(result.code()).as(result.err()).isEqualTo(13);
      assertThat(result.out()).isEqualTo("=== ✗ ERROR - ES: exit 13, Cassandra: not part of this run ===\n");
      assertThat(result.err()).contains("error: everything is restored, but the end could not be noted: cannot"
          + " write to "
          + state);
      assertThat(state.resolve("restore-cassandra-es.unfinished")).exists();
    } finally {
      Script.command("umount", "" + state).run();
    }
  }

  @ParameterizedTest
  @ValueSource(strings = {"true\r", "maybe"})
  void assumeYesIsTrueOrFalse(String value) throws IOException {
    index(GLOBAL, 5, "{\"settings\":{\"number_of_replicas\":0}}");
    backUp("*");
    var result = restore().other("restore-cassandra-es.java").args("--only", "elasticsearch")
        .env("ASSUME_YES", value).run();
    assertThat(result.code()).as(result.err()).isEqualTo(2);
    assertThat(result.err()).contains("error: ASSUME_YES ");
  }

  @Test
  void saysWhichBlockOfTheClusterIsInTheWay() {
    index(GLOBAL, 5, "{\"settings\":{\"number_of_replicas\":0}}");
    backUp("*");
    set("cluster.blocks.read_only", "true");
    try {
      for (var option : List.of("--max-gap=PT15M", "--in-place", "--dry-run")) {
        var result = restore(option).run();
        assertThat(result.code()).as(result.err()).isEqualTo(13);
        assertThat(result.err()).contains("the cluster refuses every change: cluster.blocks.read_only is set")
            .doesNotContain("PASSWORD");
      }
    } finally {
      clusterSettings("cluster.blocks.read_only");
    }
    assertThat(indices()).containsOnlyKeys(GLOBAL);
  }

  @ParameterizedTest
  @ValueSource(strings = {"--max-gap=PT15M", "--in-place"})
  void refusesWhereTheClusterTakesNoMoreShards(String option) {
    index(GLOBAL, 5, "{\"settings\":{\"number_of_replicas\":0}}");
    backUp("*");
    spoil(GLOBAL);
    set("cluster.max_shards_per_node", "1");
    assertThat(refused(13, restore(option)).err()).contains("and the cluster allows 1",
        "hint: raise cluster.max_shards_per_node");
  }

  @ParameterizedTest
  @ValueSource(strings = {"--max-gap=PT15M", "--in-place"})
  void restoresWithFewerReplicasWhereTheClusterHasNoMoreAndSaysSo(String option) {
    index(GLOBAL, 5, "{\"settings\":{\"number_of_replicas\":4}}");
    backUp("*");
    var expected = indices();
    expected.computeIfPresent(GLOBAL,
        (name, text) -> text.replace("index.number_of_replicas=\"4\"", "index.number_of_replicas=\"3\""));
    server.tool("PUT", "/" + GLOBAL + "/_settings", "{\"number_of_replicas\":0}");
    // the live one, the copy, a probe and its clone; at the end: one and three replicas
    set("cluster.max_shards_per_node", "4");
    var result = restore(option).run();
    assertRestored(result, expected);
    assertThat(result.err()).contains(
        "thehive_global does not get the snapshot's setting index.number_of_replicas is 3 instead of 4: ",
        "maximum shards open");
  }

  @ParameterizedTest
  @ValueSource(strings = {"--max-gap=PT15M", "--in-place", "--dry-run"})
  void refusesAtOnceWhereAllocationIsDisabled(String option) {
    index(GLOBAL, 5, "{\"settings\":{\"number_of_replicas\":0}}");
    backUp("*");
    spoil(GLOBAL);
    set("cluster.routing.allocation.enable", "\"none\"");
    var result = refused(13, restore(option));
    assertThat(result.err()).contains("cluster.routing.allocation.enable is none");
    assertThat(result.took()).isLessThan(java.time.Duration.ofSeconds(30));
  }

  @ParameterizedTest
  @ValueSource(strings = {"--max-gap=PT15M", "--in-place"})
  void leavesOutAllocationFiltersThatNoNodeSatisfiesAndSaysSo(String option) {
    index(GLOBAL, 5, "{\"settings\":{\"number_of_replicas\":0}}");
    var before = indices();
    server.tool("PUT", "/" + GLOBAL + "/_settings", "{\"index.routing.allocation.require._name\":\"old-node\"}");
    backUp("*");
    server.tool("PUT", "/" + GLOBAL + "/_settings", "{\"index.routing.allocation.require._name\":null}");
    spoil(GLOBAL);
    var result = restore(option).run();
    assertRestored(result, before);
    assertThat(result.err()).contains(
        "does not get the snapshot's setting {index.routing.allocation.require._name=\"old-node\"}: node does not"
            + " match index setting");
  }

  /** What a node-level filter of the cluster refuses is told in the decider's own words, and nothing is left behind. */
  @ParameterizedTest
  @ValueSource(strings = {"--max-gap=PT15M", "--in-place"})
  void tellsTheDecidersSentenceWhereNoNodeTakesTheCopy(String option) {
    index(GLOBAL, 5, "{\"settings\":{\"number_of_replicas\":0}}");
    backUp("*");
    spoil(GLOBAL);
    set("cluster.routing.allocation.exclude._name", "\"" + HOST + "\"");
    try {
      assertThat(refused(13, restore(option)).err()).contains("cluster.routing.allocation.exclude");
    } finally {
      clusterSettings("cluster.routing.allocation.exclude._name");
    }
  }

  @Test
  void removesWhatInterruptedRunsLeftWhateverItsState() {
    index(GLOBAL, 5, "{\"settings\":{\"number_of_replicas\":0}}");
    backUp("*");
    var expected = indices();
    spoil(GLOBAL);
    index("thehive_global_restoring_20200101_00h00m00s", 0,
        "{\"settings\":{\"index.routing.allocation.require._name\":\"nowhere\"}}");
    index("thehive_restoring_20200101_00h00m01s_probe", 1, "{\"settings\":{\"index.blocks.read_only\":false}}");
    server.tool("PUT", "/thehive_restoring_20200101_00h00m01s_probe/_settings", "{\"index.blocks.read_only\":true}");
    assertThat(json("/_cluster/health").path("status").asText()).isEqualTo("red");
    assertRestored(restore().run(), expected);
  }

  @ParameterizedTest
  @ValueSource(strings = {"--max-gap=PT15M", "--in-place", "--dry-run"})
  void refusesARecoveryRateThatNoServerTakes(String option) {
    index(GLOBAL, 5, "{\"settings\":{\"number_of_replicas\":0}}");
    backUp("*");
    assertThat(refused(2, restore(option, "--recovery-rate", "fast")).err())
        .contains("--recovery-rate 'fast' is not a size");
  }

  @Test
  void saysWhatIsWrongWithAnAddressOrARepositorysName() {
    index(GLOBAL, 5, "{\"settings\":{\"number_of_replicas\":0}}");
    backUp("*");
    assertThat(refused(2, restore().env("ELASTICSEARCH_API_URL", "http://127.0.9.1:9300")).err())
        .contains("http://127.0.9.1:9300 is not a port for HTTP");
    assertThat(refused(2, restore().env("ELASTICSEARCH_API_URL", "http://127.0.9.1:99999")).err())
        .contains("has port 99999");
    assertThat(refused(2, restore().env("ELASTICSEARCH_SNAPSHOT_REPOSITORY", "thehive repository")).err())
        .contains("is not a repository's name");
    assertThat(refused(2, restore().env("ELASTICSEARCH_SNAPSHOT_REPOSITORY", "thehive_repository\r")).err())
        .contains("carriage return");
    assertThat(refused(2, restore().env("ELASTICSEARCH_SNAPSHOT_REPOSITORY", "the\rhive")).err())
        .contains("is not a repository's name");
  }

  @ParameterizedTest
  @ValueSource(strings = {"--max-gap=PT15M", "--in-place"})
  void refusesAnAnalyzersFileThatTheClusterLacks(String option) throws IOException {
    var words = Files.writeString(server.data().resolveSibling("node_1/config/words.txt"), "a\n");
    index(GLOBAL, 5,
        "{\"settings\":{\"number_of_replicas\":0,\"analysis\":{\"filter\":{\"f\":{\"type\":\"stop\",\"stopwords_path\":\"words.txt\"}},\"analyzer\":{\"a\":{\"type\":\"custom\",\"tokenizer\":\"standard\",\"filter\":[\"f\"]}}}}}");
    backUp("*");
    server.tool("DELETE", "/" + GLOBAL);
    index(GLOBAL, 3, "{\"settings\":{\"number_of_replicas\":0}}");
    Files.delete(words);
    assertThat(refused(13, restore(option)).err()).contains("words.txt");
  }

  @Test
  void tellsOfAClosedIndexAndOpensIt() {
    index(GLOBAL, 5, "{\"settings\":{\"number_of_replicas\":0}}");
    backUp("*");
    var expected = indices();
    server.tool("POST", "/" + GLOBAL + "/_close");
    var result = restore().run();
    assertRestored(result, expected);
    assertThat(result.err()).contains("index thehive_global: closed (it will be open) now");
  }

  @Test
  void refusesWhileAnotherRestoreIsAtWorkOnTheIndex() {
    // so that the other restore takes much longer than the question
    index(GLOBAL, 3_000, "{\"settings\":{\"number_of_replicas\":0}}");
    backUp("*");
    server.tool("DELETE", "/" + GLOBAL);
    set("indices.recovery.max_bytes_per_sec", "\"1kb\"");
    server.tool("POST", "/_snapshot/thehive_repository/elasticsearch_%s/_restore".formatted(HotBackup.timestamp(time)),
        "{\"indices\":\"thehive_global\"}");
    var result = restore().run();
    clusterSettings("indices.recovery.max_bytes_per_sec");
    assertThat(result.code()).as(result.err()).isEqualTo(13);
    assertThat(result.err()).contains("thehive_global is being restored from a snapshot right now");
  }

  @ParameterizedTest
  @ValueSource(strings = {"Restoring snapshot", "Replacing"})
  void finishesWhatAKilledRunBegan(String step) {
    index(GLOBAL, 10, "{\"settings\":{\"number_of_replicas\":0}}");
    index(AUDITS, 5, "{\"settings\":{\"number_of_replicas\":0},\"aliases\":{\"audits\":{\"is_write_index\":true}}}");
    backUp("*");
    var expected = indices();
    spoil(GLOBAL, AUDITS);
    assertThat(restore("--recovery-rate", "50mb").start().awaitErr(step).kill().code()).isEqualTo(137);
    assertRestored(restore().run(), expected);
    assertThat(server.tool("GET", "/_cluster/settings")).as("the recovery limit is put back").doesNotContain("50mb",
        "thehive_restore");
  }

  @Test
  void leavesNothingBehindWhenInterruptedBeforeTheFirstChange() throws InterruptedException {
    index(GLOBAL, 5, "{\"settings\":{\"number_of_replicas\":0}}");
    backUp("*");
    spoil(GLOBAL);
    var before = indices();
    set("cluster.routing.allocation.node_initial_primaries_recoveries", "0"); // the copies wait for their turn
    try {
      var running = restore().start().awaitErr("Restoring snapshot");
      assertThat(server.tool("GET", "/_cluster/settings")).as("what nobody has set is raised").contains("500mb");
      Thread.sleep(3_000);
      var result = running.interrupt().await();
      assertThat(result.code()).isEqualTo(130);
      assertThat(result.err()).contains("raise the recovery limit from 40mb to 500mb a second and node, until the end");
    } finally {
      clusterSettings("cluster.routing.allocation.node_initial_primaries_recoveries");
    }
    assertThat(indices()).isEqualTo(before);
    assertThat(server.tool("GET", "/_cluster/settings")).doesNotContain("500mb", "thehive_restore");
  }
}
