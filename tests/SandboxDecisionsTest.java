import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import com.fasterxml.jackson.databind.JsonNode;
import java.io.IOException;
import java.net.InetAddress;
import java.net.ServerSocket;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.OptionalLong;
import java.util.Set;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** What a sandbox decides before it starts anything. */
class SandboxDecisionsTest {
  private static final String STAMP = "20261122_12h00m56s";
  @TempDir Path folder;

  // ----------------------------------------------------------------------------------------------- addresses and ports

  private static Places choose(String... sockets) {
    return Places.choose(Places.candidates(2), new Listeners(Set.of(sockets))).orElseThrow();
  }

  @Test
  void takesTheUsualAddressesWhereNobodyListens() {
    assertThat(choose("127.0.0.1:9042", "10.0.0.5:9200", "127.0.0.2:22"))
        .isEqualTo(new Places(List.of("127.0.0.2", "127.0.0.3"), 0));
  }

  @Test
  void takesOtherAddressesWhereOneOfThemIsInUse() {
    var listeners = new Listeners(Set.of("127.0.0.3:9000"));
    var places = choose("127.0.0.3:9000");

    assertThat(places).isEqualTo(new Places(List.of("127.0.101.2", "127.0.101.3"), 0));
    assertThat(places.change(List.of("127.0.0.2", "127.0.0.3"), listeners)).hasValue(
        "127.0.0.3:9000 is in use here, so the servers take 127.0.101.2, 127.0.101.3,"
            + " ports 9042, 7000, 7199, 9200, 9300, 9000");
  }

  /** TheHive and MinIO listen on every address: a second server there may share their port, and take their requests. */
  @Test
  void takesOtherPortsWhereOneIsInUseOnEveryAddress() {
    var places = choose("*:9000");

    assertThat(places).isEqualTo(new Places(List.of("127.0.0.2", "127.0.0.3"), 10_000));
    assertThat(places.cassandra()).isEqualTo("127.0.0.2 19042");
    assertThat(places.change(places.addresses(), new Listeners(Set.of("*:9000"))).orElseThrow())
        .startsWith("every address:9000 is in use here");
  }

  @Test
  void keepsAwayFromEveryPortThatIsInUse() {
    for (var port : Places.PORTS) {
      assertThat(choose("127.0.0.2:" + port).addresses()).as("%d", port).doesNotContain("127.0.0.2");
      assertThat(choose("*:" + port).offset()).as("%d", port).isPositive();
    }
  }

  @Test
  void readsWhoListensAsTheKernelTellsIt() throws IOException {
    try (var one = new ServerSocket(0, 1, InetAddress.getByName("127.0.0.77"));
        var all = new ServerSocket(0)) {
      var listeners = Listeners.now();
      assertThat(listeners.inTheWayOf("127.0.0.77", one.getLocalPort())).hasValue("127.0.0.77:" + one.getLocalPort());
      assertThat(listeners.inTheWayOf("127.0.0.78", one.getLocalPort())).isEmpty();
      assertThat(listeners.inTheWayOf("127.0.0.78", all.getLocalPort())).hasValue("*:" + all.getLocalPort());
    }
  }

  @Test
  void twoSandboxesNeverTakeTheSameAddresses() throws IOException {
    var candidates = List.of(List.of("127.0.77.2", "127.0.77.3"), List.of("127.0.77.3", "127.0.77.4"),
        List.of("127.0.77.5"));

    assertThat(Places.reserve(candidates).addresses()).isEqualTo(candidates.get(0));
    assertThat(Places.reserve(candidates).addresses()).as("the second shares an address").isEqualTo(candidates.get(2));
  }

  // --------------------------------------------------------------------------------------------------- memory and disk

  @Test
  void saysWhatLacks() {
    var left = new Resources(2_000_000_000L, 5_000_000_000L);

    assertThat(left.lacks(new Resources(1_000_000_000L, 5_000_000_000L), folder)).isEmpty();
    assertThat(left.lacks(new Resources(3_000_000_000L, 0), folder).orElseThrow())
        .isEqualTo("2000 MB of memory are available, and about 3000 MB are needed");
    assertThat(left.lacks(new Resources(0, 6_000_000_000L), folder).orElseThrow())
        .isEqualTo(folder + " has room for 5000 MB, and about 6000 MB are needed");
  }

  @Test
  void readsTheMemoryOfTheHostAndOfItsControlGroup() throws IOException {
    assertThat(Resources.available("MemTotal:  8000 kB\nMemFree: 10 kB\nMemAvailable:   2000 kB\n"))
        .isEqualTo(2_048_000);
    assertThat(Resources.left("max", "5", OptionalLong.empty())).isEmpty();
    assertThat(Resources.left("9223372036854771712", "5", OptionalLong.empty())).as("no limit, in version 1").isEmpty();
    assertThat(Resources.left("1000", "700", OptionalLong.of(200))).hasValue(500L);
    assertThat(Resources.left(folder).memory()).isPositive();
  }

  // -------------------------------------------------------------------------------------- which Elasticsearch reads it

  @ParameterizedTest
  @CsvSource({"7.10.2, 7.10.2", "7.9.0, 7.10.2", "6.8.23, 7.10.2", "7.17.3, 7.17.29", "8.3.1, 8.19", "8536000, 8.19",
      "9111000, 9.5.3", "8537000, 8.19", "7100299, 7.10.2", "7170399, 7.17.29", "1.3.20, opensearch-2.19.1", "2.11.0, opensearch-2.19.1",
      "136387927, opensearch-2.19.1", "3.1.0, opensearch-3.8.0"})
  void startsAServerThatReadsTheSnapshot(String snapshot, String server) {
    assertThat(SearchServer.of(snapshot).map(SearchServer::version)).hasValue(server);
  }

  @ParameterizedTest
  @CsvSource({"5.6.16", "10.0.0", "''", "new"})
  void hasNoServerForOtherSnapshots(String snapshot) {
    assertThat(SearchServer.of(snapshot)).isEmpty();
  }

  // ----------------------------------------------------------------------------------------------- a folder of backups

  private void write(String... files) throws IOException {
    for (var file : files) {
      Files.createDirectories(folder.resolve(file).getParent());
      Files.writeString(folder.resolve(file), file.endsWith("index-0")
          ? """
              {"snapshots": [{"name": "elasticsearch_%s", "uuid": "u", "state": 1, "version": "7.10.2"}],
               "indices": {"thehive_global": {"id": "i", "snapshots": ["u"]}}}
              """.formatted(STAMP)
          : "content");
    }
  }

  @Test
  void findsEveryPartBelowTheFolder() throws IOException {
    write("node1/cassandra_%s.tar".formatted(STAMP), "node2/cassandra_%s.tar.gz".formatted(STAMP),
        "es/elasticsearch_%s.info".formatted(STAMP), "es/index-0", "es/indices/a/0/files_%s.tar".formatted(STAMP),
        "store/files_%s.zip".formatted(STAMP), "s3/seaweedfs_%s.tar".formatted(STAMP), "notes/readme.txt");

    assertThat(SiteBackup.in(folder, Optional.empty())).isEqualTo(new SiteBackup(
        List.of(folder.resolve("node1"), folder.resolve("node2")), folder.resolve("es"), folder.resolve("es"),
        Optional.of(folder.resolve("store")), Optional.of(folder.resolve("s3"))));
  }

  @Test
  void findsARepositoryThatStandsElsewhere() throws IOException {
    write("cassandra_%s.tar".formatted(STAMP), "elasticsearch_%s.info".formatted(STAMP), "repository/index-0");
    var other = folder.resolve("other");

    assertThat(SiteBackup.in(folder, Optional.empty()).repository()).isEqualTo(folder.resolve("repository"));
    assertThat(SiteBackup.in(folder, Optional.of(other)).repository()).isEqualTo(other);
  }

  @Test
  void refusesAFolderThatLacksAPartOrHasOneTwice() throws IOException {
    assertThatThrownBy(() -> SiteBackup.in(folder, Optional.empty())).isInstanceOf(Failure.class)
        .hasMessage(folder + " holds no backup cassandra_<timestamp>.tar");
    write("a/cassandra_%s.tar".formatted(STAMP), "b/elasticsearch_%s.info".formatted(STAMP));
    assertThatThrownBy(() -> SiteBackup.in(folder, Optional.empty()))
        .hasMessage(folder + " holds no repository of Elasticsearch's snapshots");
    write("b/index-0", "c/files_%s.tar".formatted(STAMP), "d/files_%s.tar".formatted(STAMP));
    assertThatThrownBy(() -> SiteBackup.in(folder, Optional.empty()))
        .hasMessageContaining(" has 2 folders with backups files_<timestamp>.tar: ");
    assertThatThrownBy(() -> SiteBackup.in(folder.resolve("none"), Optional.empty()))
        .hasMessage("there is no folder " + folder.resolve("none"));
  }

  @Test
  void readsTheVersionOfTheSnapshotFromTheRepository() throws IOException {
    write("index-0");

    assertThat(SiteBackup.version(folder, "elasticsearch_" + STAMP)).isEqualTo("7.10.2");
    assertThat(SiteBackup.version(folder, "elasticsearch_20200101_00h00m00s")).isEmpty();
  }

  /** As 9.5.3 writes it. */
  @Test
  void takesTheNumberOfTheIndexVersionWhereThereIsOne() throws IOException {
    Files.writeString(folder.resolve("index-0"), """
        {"min_version": "7.12.0", "snapshots": [{"name": "elasticsearch_%s", "uuid": "u", "state": 1,
          "version": "8.11.0", "index_version": 9111000}], "indices": {}}
        """.formatted(STAMP));

    var version = SiteBackup.version(folder, "elasticsearch_" + STAMP);
    assertThat(SearchServer.of(version).orElseThrow().version()).isEqualTo("9.5.3");
  }

  @Test
  void refusesAMarkerWhoseSnapshotIsMissingBeforeAnythingIsStarted() throws IOException {
    write("cassandra_20261123_12h00m00s.tar", "elasticsearch_20261123_12h00m00s.info", "index-0");
    var site = SiteBackup.in(folder, Optional.empty());

    assertThatThrownBy(() -> site.choose(null)).isInstanceOf(Failure.class).extracting("code").isEqualTo(10);
    assertThatThrownBy(() -> site.choose(null)).hasMessageContaining(
        "the restore point 20261123_12h00m00s is incomplete: there is no snapshot elasticsearch_20261123_12h00m00s");
  }

  // ------------------------------------------------------------------------------------------------- the restore point

  private static RestorePoint point(String time, boolean running) {
    return new RestorePoint(time, "", RestorePoint.State.COMPLETE, running, List.of(), List.of(), List.of());
  }

  @Test
  void takesTheNewestThatIsWholeOrTheWantedOne() {
    var points = List.of(point("20261124_12h00m00s", true), point("20261123_12h00m00s", false),
        point("20261122_12h00m00s", false));

    assertThat(SiteBackup.choose(points, null)).hasValue(points.get(1));
    assertThat(SiteBackup.choose(points, "20261122_12h00m00s")).hasValue(points.get(2));
    assertThat(SiteBackup.choose(points, "cassandra_20261122_18h00m00s")).hasValue(points.get(2));
    assertThat(SiteBackup.choose(points, "20261121_12h00m00s")).isEmpty();
    assertThatThrownBy(() -> SiteBackup.choose(points, "yesterday")).hasMessage("'yesterday' is not a restore point");
  }

  @Test
  void needsMoreForMoreNodesAndForMoreData() {
    var parts = List.of(new RestorePoint.Part("cassandra", "c", 10_000_000_000L, 0, null, Map.of()),
        new RestorePoint.Part("elasticsearch", "e", 1_000_000_000L, 0, "SUCCESS", Map.of("thehive_global", 1L)));
    var point = new SiteBackup.Point(new RestorePoint("", "", RestorePoint.State.COMPLETE, false, List.of(), parts,
        List.of()), SearchServer.of("7.10.2").orElseThrow(), List.of("thehive_global"));
    var one = Rehearsal.needed(point, 1);
    var three = Rehearsal.needed(point, 3);

    assertThat(Rehearsal.absent(point)).as("without archives no store is asked").containsExactly("files", "s3");
    assertThat(one.disk()).isBetween(30_000_000_000L, 40_000_000_000L);
    assertThat(three.disk() - one.disk()).isBetween(40_000_000_000L, 45_000_000_000L);
    assertThat(three.memory()).isGreaterThan(one.memory());
    assertThat(Rehearsal.minutes(point)).isBetween(15L, 30L);
  }

  // ------------------------------------------------------------------------------------- questions to the restored index

  private static JsonNode json(String text) throws IOException {
    return Json.MAPPER.readTree(text.replace('\'', '"'));
  }

  @Test
  void namesTheAttachmentThatTheRestoredFolderLacks() throws IOException {
    var names = RestoredIndex.names(json("""
        {'hits': {'hits': [{'_source': {'attachmentId': 'b'}}, {'_source': {'attachmentId': 'a'}},
         {'_source': {'attachmentId': 'b'}}, {'_source': {}}]}}"""));

    assertThat(names).containsExactly("a", "b");
    RestoredIndex.requireAll(names, Set.of("a", "b", "c"), "folder");
    assertThatThrownBy(() -> RestoredIndex.requireAll(names, Set.of("a", "c"), "folder"))
        .hasMessage("the restored folder lacks 1 of 2 attachments that the index names: b")
        .extracting("code").isEqualTo(15);
    var many = Set.of("1", "2", "3", "4", "5", "6", "7");
    assertThatThrownBy(() -> RestoredIndex.requireAll(many, Set.of(), "bucket")).hasMessageContaining(
        "the restored bucket lacks 7 of 7").hasMessageEndingWith(" and 2 more");
  }

  @Test
  void showsTheNewestCaseThatASearchFinds() throws IOException {
    var newest = json("{'_id': 'x', '_source': {'title': 'Phishing\\u001b[2J at ACME'}, 'sort': [1700000000000]}");
    var answer = "{'hits': {'total': {'value': %d}}, 'aggregations': {'itself': {'doc_count': %d}}}";

    assertThat(RestoredIndex.found(newest, json(answer.formatted(3, 1)))).isEqualTo("\"Phishing?[2J at ACME\" is the"
        + " newest case, of 2023-11-14; a search for these words finds it and 2 other entries");
    assertThatThrownBy(() -> RestoredIndex.found(newest, json(answer.formatted(2, 0)))).hasMessage("a search for"
        + " \"Phishing?[2J at ACME\", the title of the newest case, does not find that case, but 2 others")
        .extracting("code").isEqualTo(15);
    assertThat(RestoredIndex.found(json("{'_source': {'title': '%s'}}".formatted("x".repeat(99))),
        json(answer.formatted(1, 1)))).isEqualTo("\"" + "x".repeat(80) + "…\" is the newest case; a search for these"
        + " words finds it, and nothing else");
    assertThat(RestoredIndex.hasWords("?!")).isFalse();
    assertThat(RestoredIndex.hasWords("事件")).isTrue();
  }

  // ---------------------------------------------------------------------------------------------------------- settings

  @Test
  void leavesNoSettingOfTheHostToTheScripts() {
    var environment = new HashMap<>(Map.of("CASSANDRA_CONNECTION", "10.0.0.5", "THEHIVE_NODES", "node1",
        "MC_HOST_th_minio", "http://key:secret@10.0.0.8", "BACKUP_PASSWORD", "secret", "ASSUME_YES", "true",
        "PATH", "/bin", "HOME", "/root"));
    Steps.clean(environment);

    assertThat(environment).containsOnly(Map.entry("PATH", "/bin"), Map.entry("HOME", "/root"),
        Map.entry("THEHIVE_CONFIG", "/dev/null"));
  }

  @Test
  void asksForATheHiveThatNoHostHas() {
    var settings = Rehearsal.ownService(new Places(List.of("127.0.0.2"), 10_000));

    assertThat(settings).containsEntry("THEHIVE_SERVICE", "thehive-sandbox")
        .containsEntry("THEHIVE_URL", "http://<node>:17191").doesNotContainKey("THEHIVE_NODES");
  }

  @Test
  void namesTheReasonOfTheScriptThatFailed() {
    assertThat(new Steps.Failed("./jbang x", 10, List.of("Reading", "error: cut short", "hint: none")))
        .hasMessage("./jbang x ended with exit 10: cut short").extracting("code").isEqualTo(10);
    assertThat(new Steps.Failed("./jbang verify.java", 15, List.of("✓ a  b", "✗ files   content   3 differ")))
        .hasMessage("./jbang verify.java ended with exit 15: files content 3 differ");
    assertThat(new Steps.Failed("./jbang verify.java", 15, List.of("✗ files   missing   2 of 9", "      a", "      b")))
        .hasMessageEndingWith(": files missing 2 of 9: a");
  }
}
