import static java.util.stream.Collectors.joining;
import static org.assertj.core.api.Assertions.assertThat;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import com.datastax.oss.driver.api.core.CqlSession;
import java.io.IOException;
import java.io.RandomAccessFile;
import java.nio.ByteBuffer;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.regex.Pattern;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

/** What an administrator may expect of restore-cassandra-es.java, on three Cassandra nodes and Elasticsearch. */
@Tag("servers")
class RestoreCassandraEsTest {
  private static final String SUCCESS = "=== ✓ Successful full restore ===\n";
  private static Original original;

  @TempDir Path folder;

  @BeforeAll
  static void fillAndBackUp() {
    original = Original.get();
  }

  @AfterEach
  void noMarkerBesideArchivesOfItsOwn() {
    assertThat(folder).isDirectoryNotContaining("glob:**.unfinished");
  }

  private static Script restore(String... arguments) {
    return Script.of("restore-cassandra-es.java").env(original.settings()).args(arguments);
  }

  /** The restore of another Cassandra archive, which lies alone in this test's folder. */
  private Script restoreFromHere(String... arguments) {
    return restore(arguments).env("CASSANDRA_GENERAL_ARCHIVE_PATH", folder.toString());
  }

  private static void assertRestored(Script.Result result) {
    assertThat(result.code()).as(result.err()).isZero();
    assertThat(result.out()).isEqualTo(SUCCESS);
    assertThat(original.now()).as("rows with their write times, documents and aliases").isEqualTo(original.state());
    assertThat(indices()).as("no index but the restored one").containsExactly("thehive_global");
    assertThat(original.backup().archives().resolve("cassandra")).as("nothing unfinished, nothing unpacked")
        .isDirectoryNotContaining("glob:**{unfinished,unpacked}");
  }

  /** Runs a restore that must be refused, and sees that it changed nothing. */
  private static Script.Result refused(Script script, int code) {
    var before = original.now();
    var result = script.run();
    assertThat(result.code()).as(result.err()).isEqualTo(code);
    assertThat(result.out()).matches("=== ✗ ERROR - ES: exit \\d+, Cassandra: exit \\d+ ===\n");
    assertThat(result.err()).contains("error: ").doesNotContain("\tat ");
    assertThat(original.now()).as("live data after a refusal").isEqualTo(before);
    assertThat(indices()).as("no index of ours left").noneMatch(index -> index.contains("restoring"));
    assertNothingUnfinished();
    return result;
  }

  /** A marker would keep TheHive from being started, though nothing is wrong with what is there. */
  private static void assertNothingUnfinished() {
    assertThat(original.backup().archives().resolve("cassandra")).as("no marker")
        .isDirectoryNotContaining("glob:**.unfinished");
  }

  private static List<String> indices() {
    return original.elasticsearch().tool("GET", "/_cat/indices/thehive*?h=index").lines().toList();
  }

  private static CqlSession session() {
    return Contents.session(original.cassandra().get(0), Optional.empty());
  }

  /** Newer rows, newer deletions and documents, as after the moment of the backup. */
  private static void spoil() {
    try (var session = session()) {
      var rows = session.execute("SELECT key, column1 FROM thehive.edgestore LIMIT 60").all();
      for (var i = 0; i < rows.size(); i++) {
        var key = rows.get(i).getByteBuffer("key");
        if (i % 2 == 0) {
          session.execute("DELETE FROM thehive.edgestore WHERE key = ?", key);
        } else {
          session.execute("INSERT INTO thehive.edgestore (key, column1, value) VALUES (?, ?, ?)", key,
              rows.get(i).getByteBuffer("column1"), ByteBuffer.wrap(new byte[] {1}));
        }
      }
      session.execute("INSERT INTO thehive.graphindex (key, column1, value) VALUES (0xff, 0xff, 0xff)");
    }
    original.elasticsearch().tool("PUT", "/thehive_global/_doc/newer", "{}");
    assertThat(original.now()).as("spoilt").isNotEqualTo(original.state());
  }

  @Tag("containers")
  @Test
  void restoresAnUntouchedSystemExactly() {
    assertRestored(restore("--yes").run());
  }

  /** Later ones warn of what libraries do inside the JDK, which would worry whoever reads it in a bad hour. */
  @Test
  void restoresOnALaterJavaWithoutAWarning() throws IOException {
    var jdk = Script.laterJdk();
    assumeTrue(jdk.isPresent(), "no JDK later than 17 in /usr/lib/jvm");
    spoil();
    var result = restore("--yes").env("JAVA_HOME", jdk.get().toString()).run();
    assertRestored(result);
    assertThat(result.err()).doesNotContainIgnoringCase("warning").doesNotContain("WARN");
  }

  @Tag("containers")
  @Test
  void bringsBackWhatTheGraphAnsweredAfterADisaster() {
    original.data().damage();
    original.data().flush();
    original.elasticsearch().tool("DELETE", "/thehive_global");
    assertRestored(restore("--yes").run());
    assertThat(original.data().ask()).isEqualTo(original.answer()).contains("\"agree\":true");
  }

  @Tag("containers")
  @Test
  void leavesNothingNewerThanTheBackup() {
    spoil();
    var result = restore("--yes").run();
    assertRestored(result);
    assertThat(result.err()).contains("truncate 9 tables");
  }

  @Tag("containers")
  @Test
  void restoresOntoAnEmptyCluster() {
    try (var session = session()) {
      session.execute("DROP KEYSPACE thehive");
    }
    original.elasticsearch().tool("DELETE", "/thehive_global");
    var result = restore("--yes").run();
    assertRestored(result);
    assertThat(result.err()).contains("create keyspace thehive: it does not exist");
  }

  @Tag("containers")
  @Test
  void dropsAndCreatesAKeyspaceThatIsDefinedDifferently() {
    try (var session = session()) {
      session.execute("ALTER TABLE thehive.edgestore WITH gc_grace_seconds = 17");
      session.execute("CREATE TABLE thehive.later (key blob, column1 blob, value blob, PRIMARY KEY (key, column1))");
    }
    spoil();
    var result = restore("--yes").run();
    assertRestored(result);
    assertThat(result.err()).contains("drop and create keyspace thehive", "table later is not in the backup: it goes",
        "table later, which goes, has 0 rows now",
        "table edgestore: option gc_grace_seconds: now 17, then 864000");
    try (var session = session()) {
      assertThat(session.execute("DESCRIBE TABLE thehive.edgestore").one().getString("create_statement"))
          .contains("gc_grace_seconds = 864000");
    }
  }

  @Tag("containers")
  @Test
  void dropsTheLiveIndexFirstWhenToldTo() {
    spoil();
    assertRestored(restore("--yes", "--in-place").run());
  }

  @Test
  void restoresOneHalfOnRequest() {
    spoil();
    var tables = original.now().tables();
    var result = restore("--yes", "--only", "elasticsearch").run();
    assertThat(result.code()).as(result.err()).isZero();
    assertThat(original.now()).isEqualTo(new Original.State(tables, original.state().index()));
    assertThat(restore("--yes", "--only", "cassandra").run().out())
        .isEqualTo("=== ✓ Successful restore of cassandra ===\n");
    assertThat(original.now()).isEqualTo(original.state());
  }

  @Test
  void unpacksWhereRestoreWorkPathSaysAndLeavesNothingThere() throws IOException {
    var work = Files.createDirectory(folder.resolve("work"));
    var running =
        restore("--yes", "--throttle", "1").env("RESTORE_WORK_PATH", work.toString()).start().awaitErr("Streaming");
    assertThat(work).isDirectoryContaining("glob:**.unpacked");
    assertThat(original.backup().archives().resolve("cassandra")).isDirectoryNotContaining("glob:**.unpacked");
    assertRestored(running.await());
    assertThat(work).isEmptyDirectory();
  }

  @Test
  void readsZipArchives() throws IOException {
    spoil();
    HotBackup.zip(copyOfArchive(), null);
    assertRestored(restoreFromHere("--yes").run());
  }

  @Test
  void readsEncryptedArchivesWithThePasswordOfAFile() throws IOException {
    HotBackup.zip(copyOfArchive(), "correct horse".toCharArray());
    assertThat(refused(restoreFromHere("--yes"), 12).err()).contains("is encrypted").contains("BACKUP_PASSWORD_FILE");
    assertThat(refused(restoreFromHere("--yes").env("BACKUP_PASSWORD", "battery staple"), 12).err())
        .contains("wrong password").doesNotContain("battery");
    spoil();
    var file = Files.writeString(folder.resolve("password"), "correct horse\n");
    assertRestored(restoreFromHere("--yes").env("BACKUP_PASSWORD_FILE", file.toString()).run());
  }

  @Tag("containers")
  @Test
  void raisesTheRecoveryRateOnlyForTheTimeOfTheRestore() {
    recoveryLimit("\"100kb\"");
    try {
      var running = restore("--yes", "--recovery-rate", "300kb").start().awaitErr("Restoring snapshot");
      assertThat(recoveryLimit()).as("while it restores").isEqualTo("300kb");
      var result = running.await();
      assertRestored(result);
      assertThat(result.err()).contains("raise the recovery limit from 100kb to 300kb");
      assertThat(recoveryLimit()).as("put back").isEqualTo("100kb");
    } finally {
      recoveryLimit("null");
    }
  }

  private static String recoveryLimit() {
    var settings = original.elasticsearch().tool("GET", "/_cluster/settings?flat_settings=true");
    return Pattern.compile("\"indices.recovery.max_bytes_per_sec\":\"(\\w+)\"").matcher(settings).results()
        .map(match -> match.group(1)).collect(joining());
  }

  private static void recoveryLimit(String json) {
    original.elasticsearch().tool("PUT", "/_cluster/settings",
        "{\"transient\":{\"indices.recovery.max_bytes_per_sec\":%s}}".formatted(json));
  }

  @Tag("containers")
  @Test
  void changesNothingInADryRunAndPrintsTheWholePlan() {
    spoil();
    var before = original.now();
    var result = restore("--dry-run").run();
    assertThat(result.code()).as(result.err()).isZero();
    assertThat(result.err()).contains("Would truncate 9 tables", "Would restore as thehive_global_restoring_", "40mb",
        original.backup().cassandra().toString(), "each node keeps what is removed as a snapshot (auto_snapshot)",
        "nothing was changed");
    assertThat(original.now()).isEqualTo(before);
  }

  @Tag("containers")
  @ParameterizedTest
  @ValueSource(strings = {"Truncating", "Streaming", "Restoring snapshot", "Replacing"})
  void finishesWhatAKilledRunBegan(String step) {
    spoil();
    var killed = restore("--yes").start().awaitErr(step).kill();
    // copies beside the live indices: nothing live was changed, so nothing is unfinished
    if (step.equals("Restoring snapshot")) {
      assertThat(killed.code()).as("it had not ended: %s", killed.err()).isEqualTo(137);
      assertThat(original.backup().archives().resolve("cassandra/restore-cassandra-es.unfinished")).doesNotExist();
    } else {
      assertKilled(killed);
    }
    assertRestored(restore("--yes").run());
  }

  private static void assertKilled(Script.Result killed) {
    assertThat(killed.code()).as("it had not ended: %s", killed.err()).isEqualTo(137);
    assertThat(original.backup().archives().resolve("cassandra/restore-cassandra-es.unfinished")).exists();
  }

  @ParameterizedTest
  @ValueSource(strings = {"Dropping", "Creating", "Streaming"})
  void finishesWhatARunBeganThatWasKilledWhileRecreatingTheKeyspace(String step) {
    try (var session = session()) {
      session.execute("ALTER TABLE thehive.txlog WITH comment = 'other'");
    }
    assertKilled(restore("--yes").start().awaitErr(step).kill());
    assertRestored(restore("--yes").run());
  }

  @Tag("containers")
  @Test
  void cleansUpAndTellsTheCodeWhenInterrupted() {
    spoil();
    var result = restore("--yes", "--recovery-rate", "100mb").start().awaitErr("Streaming").interrupt().await();
    assertThat(result.code()).isEqualTo(130);
    assertThat(original.backup().archives().resolve("cassandra")).isDirectoryNotContaining("glob:**unpacked");
    assertThat(original.elasticsearch().tool("GET", "/_cluster/settings")).doesNotContain("100mb");
    assertRestored(restore("--yes").run());
  }

  @Test
  void asksForTheNameOfWhatItOverwritesOnATerminal() {
    var before = original.now();
    var declined = restore().onTerminal().start().awaitErr("Type thp to overwrite it: ").type("yes\n").await();
    assertThat(declined.code()).isEqualTo(16);
    assertThat(original.now()).isEqualTo(before);
    spoil();
    var result = restore().onTerminal().start().awaitErr("Type thp to overwrite it: ").type("thp\n").await();
    assertThat(result.code()).as(result.out()).isZero();
    assertThat(original.now()).isEqualTo(original.state());
  }

  @Test
  void doesNothingWithoutAnAnswerWhereThereIsNoTerminal() {
    assertThat(refused(restore(), 16).err()).contains("Will truncate 9 tables", "ASSUME_YES=true");
    assertRestored(restore().env("ASSUME_YES", "true").run());
  }

  @Test
  void refusesASecondRestoreAtTheSameTime() {
    var first = restore().onTerminal().start().awaitErr("Type thp");
    assertThat(refused(restore("--yes").env("ELASTICSEARCH_API_URL", original.data().url()), 13).err())
        .contains("another restore is running");
    // From another host with archives of its own there is no common lock, but Cassandra sees both.
    var elsewhere = restore("--yes").env("RESTORE_WORK_PATH", folder.toString()).env("CASSANDRA_GENERAL_ARCHIVE_PATH",
        copyOfArchive().getParent().toString());
    assertThat(refused(elsewhere, 13).err()).contains("another restore is running, connected from");
    assertThat(first.type("no\n").await().code()).isEqualTo(16);
  }

  @Tag("containers")
  @Test
  void refusesWhileAnotherClientIsConnected() {
    try (var theHive = session()) {
      var result = restore("--yes").run();
      assertThat(result.code()).isEqualTo(13);
      assertThat(result.err()).containsPattern("other clients are connected to Cassandra: [0-9.]+ ")
          .contains("./jbang service-control.java stop");
      assertThat(theHive.execute("SELECT * FROM thehive.edgestore LIMIT 1").one()).isNotNull();
      assertThat(restore("--yes", "--force").run().out()).isEqualTo(SUCCESS);
    }
  }

  @Test
  void namesTheVariableThatIsMissing() {
    assertThat(refused(restore("--yes").env("CASSANDRA_CONNECTION", null), 2).err())
        .contains("CASSANDRA_CONNECTION is not set");
  }

  @Test
  void saysWhereItLookedWhenThereIsNoBackup() {
    assertThat(refused(restoreFromHere("--yes"), 10).err()).contains("no backup cassandra_<timestamp>")
        .contains(folder.toString());
    assertThat(refused(restore("--yes", "--backup", "20010101_00h00m00s"), 10).err())
        .contains("at or before 20010101_00h00m00s");
  }

  @Test
  void refusesServersThatCannotBeReached() {
    assertThat(refused(restore("--yes").env("CASSANDRA_CONNECTION", "127.0.0.99"), 11).err())
        .contains("cannot reach Cassandra at 127.0.0.99:9042");
    var result = refused(restore("--yes").env("ELASTICSEARCH_API_URL", "http://127.0.0.99:9200"), 11);
    assertThat(result.err()).contains("cannot reach Elasticsearch at http://127.0.0.99:9200");
    assertThat(result.out()).as("Cassandra was not begun")
        .isEqualTo("=== ✗ ERROR - ES: exit 11, Cassandra: exit 16 ===\n");
  }

  @Tag("containers")
  @Test
  void refusesWhileANodeIsDown() {
    var before = original.now();
    Script.Result result;
    original.cassandra().get(2).stop();
    try {
      result = restore("--yes").run();
    } finally {
      original.cassandra().get(2).start();
    }
    assertThat(result.code()).as(result.err()).isEqualTo(13);
    assertThat(result.err())
        .contains("Cassandra node %s is down".formatted(original.cassandra().get(2).clusterAddress()));
    assertThat(original.now()).isEqualTo(before);
    assertNothingUnfinished();
  }

  @Test
  void refusesAMarkerWithoutItsSnapshot() throws IOException {
    Files.createFile(folder.resolve("elasticsearch_20990101_00h00m00s.info"));
    var result = refused(
        restore("--yes", "--max-gap", "PT900000H").env("ELASTICSEARCH_GENERAL_ARCHIVE_PATH", folder.toString()), 10);
    assertThat(result.err()).contains("has no snapshot elasticsearch_20990101_00h00m00s, though its marker");
  }

  @Test
  void refusesASnapshotThatIsPartialOrOfSomethingElse() throws IOException {
    var elasticsearch = original.elasticsearch();
    var repository = "/_snapshot/thehive_repository/";
    elasticsearch.tool("PUT", "/elsewhere?wait_for_active_shards=0&timeout=1s",
        "{\"settings\":{\"index.routing.allocation.require._name\":\"nobody\"}}");
    elasticsearch.tool("PUT", repository + "elasticsearch_20980101_00h00m00s?wait_for_completion=true",
        "{\"indices\":\"thehive_global,elsewhere\",\"partial\":true}");
    Files.createFile(folder.resolve("elasticsearch_20980101_00h00m00s.info"));
    var here = Map.of("ELASTICSEARCH_GENERAL_ARCHIVE_PATH", folder.toString());
    assertThat(refused(restore("--yes", "--max-gap", "PT900000H").env(here), 10).err())
        .contains("is PARTIAL, 1 of its shards failed");
    elasticsearch.tool("DELETE", "/elsewhere");
    elasticsearch.tool("PUT", "/elsewhere", "{}");
    elasticsearch.tool("PUT", repository + "elasticsearch_20990101_00h00m00s?wait_for_completion=true",
        "{\"indices\":\"elsewhere\"}");
    elasticsearch.tool("DELETE", "/elsewhere");
    Files.createFile(folder.resolve("elasticsearch_20990101_00h00m00s.info"));
    assertThat(refused(restore("--yes", "--max-gap", "PT900000H").env(here), 10).err())
        .contains("does not contain TheHive's main index");
    elasticsearch.tool("DELETE", repository + "elasticsearch_20980101_00h00m00s");
    elasticsearch.tool("DELETE", repository + "elasticsearch_20990101_00h00m00s");
    assertThat(refused(restore("--yes").env("ELASTICSEARCH_SNAPSHOT_REPOSITORY", "nowhere"), 10).err())
        .contains("no snapshot repository nowhere");
  }

  @Test
  void refusesAnAliasInPlaceOfTheIndex() {
    var elasticsearch = original.elasticsearch();
    elasticsearch.tool("DELETE", "/thehive_global");
    elasticsearch.tool("PUT", "/elsewhere", "{\"aliases\":{\"thehive_global\":{}}}");
    try {
      assertThat(refused(restore("--yes"), 13).err())
          .contains("error: Elasticsearch: thehive_global is an alias of elsewhere, not an index");
    } finally {
      elasticsearch.tool("DELETE", "/elsewhere");
      assertRestored(restore("--yes").run());
    }
  }

  @Test
  void refusesWhileASnapshotOfTheIndexIsBeingTaken() {
    var elasticsearch = original.elasticsearch();
    elasticsearch.tool("PUT", "/_snapshot/slow",
        "{\"type\":\"fs\",\"settings\":{\"location\":\"slow\",\"max_snapshot_bytes_per_sec\":\"10kb\"}}");
    elasticsearch.tool("PUT", "/_snapshot/slow/nightly", "{\"indices\":\"thehive_global\"}");
    try {
      assertThat(refused(restore("--yes"), 13).err())
          .contains("snapshot nightly of thehive_global is being taken right now");
    } finally {
      elasticsearch.tool("DELETE", "/_snapshot/slow/nightly");
      elasticsearch.tool("DELETE", "/_snapshot/slow");
    }
  }

  /** The complete copy is there, as a killed run leaves it, but no node may take another one of it. */
  @Test
  void keepsTheLiveIndexWhereElasticsearchWouldNotCloneTheRestoredOne() throws IOException {
    spoil();
    var before = original.now();
    var elasticsearch = original.elasticsearch();
    var snapshot = original.backup().snapshot();
    var copy = snapshot.replace("elasticsearch_", "thehive_global_restoring_");
    elasticsearch.tool("POST", "/_snapshot/thehive_repository/%s/_restore?wait_for_completion=true".formatted(snapshot),
        "{\"indices\":\"thehive_global\",\"rename_pattern\":\"^.+$\",\"rename_replacement\":\"%s\",\"index_settings\":{\"index.blocks.write\":true}}"
            .formatted(copy));
    copyOfArchive();
    Files.writeString(folder.resolve("restore-cassandra-es.unfinished"),
        "{\"replicas\":{\"%s\":\"1\"}}".formatted(copy));
    var shards = elasticsearch.tool("GET", "/_cat/allocation?h=shards").lines().findFirst().orElseThrow().strip();
    elasticsearch.tool("PUT", "/_cluster/settings",
        "{\"transient\":{\"cluster.routing.allocation.total_shards_per_node\":%s}}".formatted(shards));
    Script.Result result;
    try {
      result = restoreFromHere("--yes", "--only", "elasticsearch").run();
    } finally {
      elasticsearch.tool("PUT", "/_cluster/settings",
          "{\"transient\":{\"cluster.routing.allocation.total_shards_per_node\":null}}");
    }
    assertThat(result.code()).as(result.err()).isEqualTo(13);
    assertThat(result.err()).contains("use " + copy, "no node takes a copy of thehive_global",
        "the live indices were not touched");
    assertThat(original.now()).isEqualTo(before);
    assertRestored(restoreFromHere("--yes").run());
  }

  /** Elasticsearch on a copy of its data in a small file system, mounted over them and filled. */
  @Test
  void refusesWhereElasticsearchHasNoRoomForTwoCopies() {
    var elasticsearch = original.elasticsearch();
    var data = elasticsearch.data();
    assumeTrue(shell("unshare -m true"), "mounting needs root and CAP_SYS_ADMIN");
    elasticsearch.stop();
    Script.Result refused;
    String disk;
    try {
      assertThat(shell(
          "cp -a D D.copy && mount -t tmpfs -o size=128m none D && cp -a D.copy/. D".replace("D", data.toString())))
          .isTrue();
      elasticsearch.start();
      shell("fallocate -l $(($(df --output=avail -B1 D | tail -1) - 1000000)) D/ballast".replace("D", data.toString()));
      disk = elasticsearch.tool("GET", "/_cat/allocation?bytes=mb&h=disk.total").strip();
      refused = restore("--yes", "--only", "elasticsearch").run();
      elasticsearch.stop();
    } finally {
      shell("umount D; rm -rf D.copy".replace("D", data.toString()));
      elasticsearch.start();
    }
    assumeTrue(disk.equals("128"), "Elasticsearch does not see what is mounted here: it says " + disk + " MB");
    assertThat(refused.code()).as(refused.err()).isEqualTo(13);
    assertThat(refused.err())
        .containsPattern(
            "error: Elasticsearch: Elasticsearch has room for \\d+ kB, a second copy of thehive_global needs ")
        .contains("restore with --in-place", "Nothing was changed.");
    assertThat(original.now()).isEqualTo(original.state());
  }

  private static boolean shell(String script) {
    return Script.command("sh", "-c", script).run().code() == 0;
  }

  @Test
  void saysWhenAnotherClientCameMeanwhile() {
    spoil();
    // the last question about clients was before that
    var running = restore("--yes", "--throttle", "1").start().awaitErr("Truncating");
    try (var session = session()) {
      var result = running.await();
      assertThat(result.code()).as(result.err()).isEqualTo(14);
      assertThat(result.err()).contains("other clients came while Cassandra was restored");
      assertThat(result.out()).contains("=== ✗ ERROR - ES: exit 0, Cassandra: exit 14 ===");
    }
    assertRestored(restore("--yes").run());
  }

  @Test
  void refusesBackupsOfDifferentRuns() throws IOException {
    Files.move(copyOfArchive(), folder.resolve("cassandra_20200101_00h00m00s.tar"));
    var result = refused(restoreFromHere("--yes"), 10);
    assertThat(result.err()).contains("days apart: database and index may not belong together");
    var allowed = Pattern.compile("--max-gap PT\\d+M").matcher(result.err()).results().findFirst().orElseThrow().group()
        .split(" ");
    assertThat(restoreFromHere("--dry-run").args(allowed).run().err()).contains("Would truncate 9 tables");
  }

  @Test
  void refusesATruncatedArchive() throws IOException {
    var archive = copyOfArchive();
    try (var file = new RandomAccessFile(archive.toFile(), "rw")) {
      file.setLength(file.length() * 2 / 3);
    }
    assertThat(refused(restoreFromHere("--yes"), 10).err()).contains(archive + " cannot be used as a backup");
  }

  @Test
  void refusesAnArchiveThatEndsBetweenTwoOfItsFiles() {
    var archive = changedArchive("rm -r cassandra_*/thehive/txlog-*");
    assertThat(refused(restoreFromHere("--yes"), 10).err()).contains("the folder of table txlog is missing");
    assertThat(archive).exists();
  }

  @Test
  void refusesAnSsTableWithOneByteChanged() {
    changedArchive(
        "f=$(ls cassandra_*/thehive/edgestore-*/*-Data.db | head -1); printf x | dd of=$f bs=1 seek=100"
            + " conv=notrunc status=none");
    assertThat(refused(restoreFromHere("--yes"), 10).err())
        .contains("-Data.db of table edgestore does not match its digest");
  }

  @ParameterizedTest
  @ValueSource(strings = {"Index.db", "Filter.db"})
  void refusesAnSsTableWhoseIndexDoesNotAgreeWithItself(String component) {
    changedArchive("f=$(ls -S cassandra_*/thehive/edgestore-*/*-" + component + " | head -1); "
        + "head -c 40 /dev/zero | dd of=$f bs=1 seek=200 conv=notrunc status=none");
    assertThat(refused(restoreFromHere("--yes"), 10).err()).contains("-Index.db of table edgestore is damaged");
  }

  /** Byte 50 is of the place of the second chunk, whatever the table's size. */
  @ParameterizedTest
  @CsvSource({"CompressionInfo.db,50,-Data.db of table edgestore .*: chunk 1 is not where CompressionInfo.db says",
      "Statistics.db,100,-Statistics.db of table edgestore is damaged"})
  void refusesAnSsTableWithADamagedComponent(String component, int at, String said) {
    changedArchive("f=$(ls -S cassandra_*/thehive/edgestore-*/*-" + component + " | head -1); "
        + "printf x | dd of=$f bs=1 seek=" + at + " conv=notrunc status=none");
    assertThat(refused(restoreFromHere("--yes"), 10).err()).containsPattern(said);
  }

  @Test
  void refusesAnSsTableOfAFormatThatIsNewerThanItReads() {
    changedArchive(
        "cd cassandra_*/thehive/edgestore-*; for f in nb-*; do mv $f oa-${f#nb-}; done; sed -i s/nb-/oa-/g"
            + " manifest.json; cd ../../..");
    assertThat(refused(restoreFromHere("--yes"), 10).err())
        .contains("of table edgestore has a format that only a newer Cassandra reads");
  }

  @Test
  void refusesAnSsTableThatLacksAComponent() {
    changedArchive("rm $(ls cassandra_*/thehive/graphindex-*/*-Index.db | head -1)");
    assertThat(refused(restoreFromHere("--yes"), 10).err()).contains("-Index.db of table graphindex is missing");
  }

  @Test
  void refusesATableThatLacksAWholeSsTableOfItsManifest() {
    changedArchive("f=$(ls cassandra_*/thehive/edgestore-*/*-Data.db | head -1); rm ${f%Data.db}*");
    assertThat(refused(restoreFromHere("--yes"), 10).err()).contains("-Data.db of table edgestore is missing");
  }

  @ParameterizedTest
  @ValueSource(strings = {"--transform=s#cassandra_.*txlog.*manifest.json#../../evil#",
      "--transform=s#cassandra_.*txlog.*manifest.json#/tmp/evil#"})
  void refusesNamesThatLeadOutOfTheArchivesFolder(String transform) {
    changedArchive("true", "-P", transform);
    assertThat(refused(restoreFromHere("--yes"), 10).err()).contains("evil' leads out of the backup's folder");
  }

  @Test
  void refusesADefinitionThatDoesMoreThanDefine() {
    changedArchive("echo 'DROP KEYSPACE system_auth;' >> $(ls cassandra_*/*.cql)");
    assertThat(refused(restoreFromHere("--yes"), 10).err())
        .contains("a statement that does not belong there: DROP KEYSPACE system_auth");
  }

  @Test
  void refusesTheBackupOfAnotherKeyspace() {
    assertThat(refused(restore("--yes").env("CASSANDRA_KEYSPACE", "other"), 10).err())
        .contains("it is a backup of keyspace thehive: set CASSANDRA_KEYSPACE");
  }

  private Path copyOfArchive() {
    try {
      var archive = original.backup().cassandra();
      return Files.copy(archive, folder.resolve(archive.getFileName()), StandardCopyOption.REPLACE_EXISTING);
    } catch (IOException e) {
      throw new IllegalStateException(e);
    }
  }

  /** The archive, packed again after a change by the shell. */
  private Path changedArchive(String change, String... tar) {
    var archive = folder.resolve(original.backup().cassandra().getFileName());
    var script = "set -e; mkdir work; cd work; tar xf %s; %s; tar cf %s %s cassandra_*; cd ..; rm -r work"
        .formatted(original.backup().cassandra(), change, archive, "'" + String.join("' '", tar) + "'");
    var result = Script.command("/bin/sh", "-c", tar.length == 0 ? script.replace("'' ", "") : script).in(folder).run();
    assertThat(result.code()).as(result.err()).isZero();
    return archive;
  }
}
