import static org.assertj.core.api.Assertions.assertThat;
import static org.awaitility.Awaitility.await;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import com.datastax.oss.driver.api.core.ConsistencyLevel;
import com.datastax.oss.driver.api.core.CqlSession;
import com.datastax.oss.driver.api.core.cql.Row;
import com.datastax.oss.driver.api.core.cql.SimpleStatement;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.sun.net.httpserver.HttpServer;
import java.io.IOException;
import java.io.RandomAccessFile;
import java.net.InetSocketAddress;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.FileTime;
import java.time.Duration;
import java.time.Instant;
import java.util.ArrayList;
import java.util.HexFormat;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Random;
import java.util.stream.Collectors;
import org.apache.commons.codec.digest.DigestUtils;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** What an administrator may expect of verify.java, after a restore and before one. */
@Tag("servers")
class VerifyTest {
  private static final int ATTACHMENTS = 60;
  private static final String OLD_FILE = Attachments.name(3);

  @TempDir static Path home;
  private static Original original;
  private static Path folder;
  private static Path fileArchive;
  private static Server s3;
  private static Bucket bucket;

  @TempDir Path temp;

  @BeforeAll
  static void restoreEverything() throws IOException {
    original = Original.get();
    folder = home.resolve("files");
    Attachments.writeAll(folder, ATTACHMENTS);
    HotBackup.minio(folder, home, original.backup().timestamp());
    s3 = Stack.s3("127.0.4.20");
    bucket = new Bucket(s3);
    bucket.create(folder);
    Files.createDirectory(folder.resolve("sub"));
    fileArchive = HotBackup.files(folder, home, original.backup().timestamp());
    restore();
  }

  @AfterAll
  static void stop() {
    s3.close();
  }

  private static void restore() {
    var restored = Script.of("restore-cassandra-es.java").env(original.settings()).args("--yes").run();
    assertThat(restored.code()).as(restored.err()).isZero();
  }

  private static Script verify(String... arguments) {
    return set(Script.of("verify.java")).args(arguments);
  }

  private static Script set(Script script) {
    return script.env(original.settings()).env(bucket.settings())
        .env("ATTACHMENT_FOLDER", folder.toString()).env("GENERAL_ARCHIVE_PATH", home.resolve("storage").toString())
        .env("MINIO_ARCHIVE_PATH", home.resolve("minio").toString());
  }

  /** The lines of a ✗, with what is indented under them. */
  private static List<String> wrong(Script.Result result) {
    return wrong(15, result);
  }

  private static List<String> wrong(int code, Script.Result result) {
    assertThat(result.code()).as(result.out() + result.err()).isEqualTo(code);
    assertThat(lastLine(result)).startsWith("=== ✗ FAILED: ").endsWith(" ===");
    var bad = new ArrayList<String>();
    var below = false;
    for (var line : result.out().lines().toList()) {
      below = line.startsWith("✗") || below && line.startsWith("      ");
      if (below) {
        bad.add(line.strip());
      }
    }
    return bad;
  }

  private static String lastLine(Script.Result result) {
    return result.out().lines().reduce((first, last) -> last).orElse("");
  }

  /** As verify names it, counted from 1. */
  private static String node(int number) {
    return original.cassandra().get(number - 1).clusterAddress();
  }

  private static void assertAllGreen(Script.Result result) {
    assertThat(result.code()).as(result.out() + result.err()).isZero();
    assertThat(result.out()).contains("✓").doesNotContain("✗");
    assertThat(lastLine(result)).startsWith("=== ✓ ").endsWith(" ===");
  }

  private static CqlSession session() {
    return Contents.session(original.cassandra().get(0), Optional.empty());
  }

  private static String hex(Row row, String column) {
    var bytes = row.getByteBuffer(column);
    return "0x" + HexFormat.of().formatHex(bytes.array(), bytes.arrayOffset() + bytes.position(),
        bytes.arrayOffset() + bytes.limit());
  }

  private static String named(Row row) {
    return "key %s, column1 %s".formatted(hex(row, "key"), hex(row, "column1"));
  }

  /** Rows of edgestore, one of each of three partitions; none is the newest of all. */
  private static List<Row> threeRows(CqlSession session) {
    var rows = session.execute("SELECT key, column1, value, writetime(value) AS written FROM thehive.edgestore").all();
    var newest = rows.stream().mapToLong(row -> row.getLong("written")).max().orElseThrow();
    var older = new ArrayList<>(rows.stream().filter(row -> row.getLong("written") < newest - 1000)
        .collect(Collectors.toMap(row -> row.getByteBuffer("key"), row -> row, (one, other) -> one)).values());
    assertThat(older).hasSizeGreaterThan(3);
    return older.subList(0, 3);
  }

  private static void write(CqlSession session, String statement, Object... values) {
    session.execute(SimpleStatement.newInstance(statement, values).setConsistencyLevel(ConsistencyLevel.ALL));
  }

  @Test
  void findsEverythingThereAfterARestore() throws IOException {
    var page = temp.resolve("page.html");
    var metrics = temp.resolve("thehive.prom");
    var result = verify("--evidence", page.toString(), "--metrics", metrics.toString()).run();
    assertAllGreen(result);
    assertThat(result.out()).contains("3 up and normal", "9 of the backup are in the keyspace", "asked of 3 nodes",
        "as restored from the snapshot", "each the same", "columns, options, indexes and replication as in the backup",
        "60 files", "60 objects", "vertices of the graph, each with its document in thehive_global, and no other",
        "sampled from the graph's rows are in the backup of files", "is not set");
    assertThat(result.err()).contains(fileArchive.toString(), "the last one restored (");
    assertThat(original.backup().archives().resolve("cassandra")).as("nothing unpacked is left")
        .isDirectoryNotContaining("glob:**unpacked");
    assertThat(original.now()).as("nothing was written").isEqualTo(original.state());
    // A test before this one may have restored the folder, and its report then tells of it.
    assertThat(page).content().containsPattern("No report tells of the restore of (files, )?s3\\.");
    assertThat(page).content().contains("what the system holds",
        "keyspace thehive of cluster ", "cassandra truncate", "cassandra stream edgestore", "cassandra check",
        "elasticsearch prepare", "elasticsearch restore the copies", "elasticsearch replace thehive_global",
        DigestUtils.sha256Hex(Files.readAllBytes(fileArchive)));
    assertThat(metrics).content().contains("thehive_verify_success 1.0\n", "thehive_restore_success{part=\"cassandra\"} 1.0")
        .containsPattern("thehive_verify_compared\\{part=\"cassandra\",unit=\"rows\"} [1-9]")
        .containsPattern("thehive_verify_compared\\{part=\"elasticsearch\",unit=\"documents\"} [1-9]")
        .containsPattern("thehive_restore_bytes\\{part=\"elasticsearch\"} [1-9]");
  }

  @Test
  void saysTheSameAsJson() throws IOException {
    var extra = Files.writeString(folder.resolve("old"), "");
    Files.setLastModifiedTime(extra, FileTime.from(Instant.parse("2020-01-01T00:00:00Z")));
    var table = verify("--skip", "cassandra,services,logs").run();
    var json = verify("--json", "--skip", "cassandra,services,logs").run();
    Files.delete(extra);

    var read = new ObjectMapper().readTree(json.out());
    var lines = new ArrayList<String>();
    for (var check : read.path("checks")) {
      var sign = switch (check.path("result").asText()) { case "ok" -> "✓"; case "bad" -> "✗"; case "warning" -> "!"; default -> "-"; };
      lines.add("%s %s %s %s".formatted(sign, check.path("part").asText(), check.path("check").asText(),
          check.path("text").asText()));
      check.path("details").forEach(detail -> lines.add(" " + detail.asText()));
    }
    assertThat(lines).anyMatch(line -> line.startsWith("✓ elasticsearch ")).anyMatch(line -> line.startsWith("✓ s3 "))
        .anyMatch(line -> line.startsWith("✗ files ")).contains(" old").anyMatch(line -> line.startsWith("✓ together "))
        .noneMatch(line -> line.contains("cassandra ") || line.contains("services "));
    lines.add(read.path("summary").asText());
    assertThat(table.out().lines().map(line -> line.replaceAll(" +", " "))).as(json.out())
        .containsExactlyElementsOf(lines);
    assertThat(List.of(table.code(), json.code(), read.path("exit").asInt())).containsOnly(15);
  }

  @Test
  void namesTheRowsThatDiffer() {
    try (var session = session()) {
      var rows = threeRows(session);
      write(session, "DELETE FROM thehive.edgestore WHERE key = ? AND column1 = ?", rows.get(0).getByteBuffer("key"),
          rows.get(0).getByteBuffer("column1"));
      write(session,
          "INSERT INTO thehive.edgestore (key, column1, value) VALUES (0x0102, 0x03, 0x04) USING TIMESTAMP 1000");
      write(session,
          "INSERT INTO thehive.edgestore (key, column1, value) VALUES (?, ?, 0x01) USING TIMESTAMP "
              + (rows.get(2).getLong("written") + 1),
          rows.get(2).getByteBuffer("key"), rows.get(2).getByteBuffer("column1"));
      var wrong = wrong(verify("--only", "cassandra,together").run());
      assertThat(wrong).hasSize(4);
      assertThat(wrong.get(0)).startsWith("✗ cassandra     edgestore ")
          .contains(node(2) + ": 1 missing, 1 extra, 1 changed");
      assertThat(wrong.subList(1, 4)).containsExactly("changed: " + named(rows.get(2)),
          "extra: key 0x0102, column1 0x03", "missing: " + named(rows.get(0)));
    }
    restore();
  }

  @Test
  void countsWhatWasWrittenSinceWithoutCallingItAnError() {
    try (var session = session()) {
      var row = threeRows(session).get(0);
      write(session, "DELETE FROM thehive.edgestore WHERE key = ? AND column1 = ?", row.getByteBuffer("key"),
          row.getByteBuffer("column1"));
      write(session, "INSERT INTO thehive.edgestore (key, column1, value) VALUES (?, 0xfffffe, 0x01)",
          row.getByteBuffer("key"));
      write(session, "INSERT INTO thehive.graphindex (key, column1, value) VALUES (0x0102, 0x03, 0x04)");
      var result = verify("--only", "cassandra").run();
      assertAllGreen(result);
      assertThat(result.out()).containsPattern("edgestore .*; 2 newer writes")
          .containsPattern("graphindex .*; 1 newer writes");
      var wrong = wrong(verify("--only", "cassandra", "--exact").run());
      assertThat(wrong).hasSize(5).contains("missing: " + named(row), "extra: key 0x0102, column1 0x03");
    }
    restore();
  }

  /** The row that one node lacks is seen on the others only: each was read from its own copy. */
  @Test
  void namesTheNodeThatIsDownAndThenTheRowThatItMissed() {
    var down = original.cassandra().get(2);
    down.stop();
    original.cassandra().get(0).tool("disablehandoff");
    try (var session = session()) {
      var first = session.getMetadata().getNodes().values().stream()
          .filter(node -> node.getEndPoint().toString().contains("127.0.0.2")).findFirst();
      session.execute(SimpleStatement
          .newInstance(
              "INSERT INTO thehive.edgestore (key, column1, value) VALUES (0x0102, 0x03, 0x04) USING TIMESTAMP 1000")
          .setNode(first.orElseThrow()).setConsistencyLevel(ConsistencyLevel.QUORUM));
      var wrong = wrong(verify("--only", "cassandra").run());
      assertThat(wrong).hasSize(4).contains("extra: key 0x0102, column1 0x03")
          .anyMatch(line -> line.startsWith("Cassandra node " + node(3) + " is down"));
      assertThat(wrong.get(0)).startsWith("✗ cassandra     nodes ");
      down.start();
      var after = verify("--only", "cassandra").run();
      assertThat(wrong(after)).as(after.out()).hasSize(2).last()
          .isEqualTo("extra: key 0x0102, column1 0x03 on " + node(1) + ", " + node(2));
    } finally {
      if (!down.running()) {
        down.start();
      }
      original.cassandra().get(0).tool("enablehandoff");
      restore();
    }
  }

  @Test
  void onlyCountsRowsInAHurry() {
    assertAllGreen(verify("--only", "cassandra", "--quick").run());
    try (var session = session()) {
      var row = threeRows(session).get(0);
      write(session, "DELETE FROM thehive.edgestore WHERE key = ? AND column1 = ?", row.getByteBuffer("key"),
          row.getByteBuffer("column1"));
    }
    assertThat(wrong(verify("--only", "cassandra", "--quick").run())).singleElement().asString()
        .contains("only counted").contains(node(3) + ": 1 missing");
    restore();
  }

  @Test
  void comparesEveryDocumentWithTheSnapshot() throws IOException {
    var failed = Files.writeString(
        original.backup().archives().resolve("cassandra/restore-cassandra-es_99991231_00h00m00s.json"),
        "{\"elasticsearch\": {\"backup\": \"%s\", \"documents\": -1}}".formatted(original.backup().snapshot()));
    var elasticsearch = original.elasticsearch();
    var hits = new ObjectMapper().readTree(elasticsearch.tool("POST", "/thehive_global/_search", "{\"size\":2}"))
        .path("hits").path("hits");
    var first = "/thehive_global/_doc/" + hits.path(0).path("_id").asText() + "?refresh=true";
    var second = "/thehive_global/_doc/" + hits.path(1).path("_id").asText() + "?refresh=true";
    elasticsearch.tool("DELETE", first);
    var fewer = verify("--only", "elasticsearch", "--exact").run();
    Files.delete(failed);
    assertThat(wrong(fewer)).hasSize(3).anyMatch(line -> line.startsWith("✗ elasticsearch documents "))
        .contains("missing: " + hits.path(0).path("_id").asText());

    elasticsearch.tool("PUT", "/thehive_global/_doc/other?refresh=true", "{}");
    var asMany = wrong(verify("--only", "elasticsearch", "--exact").run());
    assertThat(asMany).as("as many documents, others").hasSize(3)
        .contains("missing: " + hits.path(0).path("_id").asText(), "extra: other");
    elasticsearch.tool("DELETE", "/thehive_global/_doc/other?refresh=true");
    elasticsearch.tool("PUT", first, hits.path(0).path("_source").toString());
    elasticsearch.tool("PUT", second, "{}");
    assertThat(wrong(verify("--only", "elasticsearch", "--exact").run())).hasSize(2)
        .contains("changed: " + hits.path(1).path("_id").asText());
    var later = verify("--only", "elasticsearch").run();
    assertAllGreen(later);
    assertThat(later.out()).containsPattern("✓ elasticsearch content .*; \\d+ written or deleted since");
    elasticsearch.tool("PUT", second, hits.path(1).path("_source").toString());
    assertAllGreen(verify("--only", "elasticsearch", "--exact").run());
    assertThat(elasticsearch.tool("GET", "/_cat/indices?h=index")).as("nothing is left").doesNotContain("_verifying_");
  }

  @Test
  void namesTheSettingTheFieldAndTheAliasThatDiffer() {
    var elasticsearch = original.elasticsearch();
    elasticsearch.tool("PUT", "/thehive_global/_settings",
        "{\"index.blocks.write\": true, \"index.refresh_interval\": \"77s\"}");
    elasticsearch.tool("POST", "/_aliases",
        "{\"actions\": [{\"add\": {\"index\": \"thehive_global\", \"alias\": \"strange\"}}]}");
    var wrong = wrong(verify("--only", "elasticsearch").run());
    elasticsearch.tool("PUT", "/thehive_global/_settings",
        "{\"index.blocks.write\": null, \"index.refresh_interval\": null}");
    elasticsearch.tool("POST", "/_aliases",
        "{\"actions\": [{\"remove\": {\"index\": \"thehive_global\", \"alias\": \"strange\"}}]}");
    assertThat(wrong).hasSize(4).contains("setting index.blocks.write: true instead of nothing",
        "setting index.refresh_interval: 77s instead of nothing",
        "alias strange: there instead of nothing");
    elasticsearch.tool("PUT", "/thehive-audits-000009", "{}");
    var other = verify("--only", "elasticsearch").run();
    elasticsearch.tool("DELETE", "/thehive-audits-000009");
    assertAllGreen(other);
    assertThat(other.out()).containsPattern("- elasticsearch index +thehive-audits-000009 is not in the snapshot");
  }

  @Test
  void namesTheShardOfANodeThatLeftThoughMoreCopiesAreWantedThanNodesAreThere() throws IOException {
    var left = health(2, "NODE_LEFT");
    assertThat(wrong(left)).map(line -> line.replaceAll(" +", " ")).containsExactly(
        "✗ elasticsearch health thehive_global is yellow, 2 data nodes, 2 of 3 shards started",
        "shard 0 (replica) is UNASSIGNED: NODE_LEFT");
    assertThat(wrong(health(1, "ALLOCATION_FAILED"))).as("one of two nodes lacks its copy").hasSize(2);
    var few = health(2, "REPLICA_ADDED");
    assertAllGreen(few);
    assertThat(few.out()).contains("2 data nodes, too few for 2 replicas, 2 of 3 shards started");
  }

  /** Of a fake with the answers of Elasticsearch 7.10: the real ones here are of one node. */
  private Script.Result health(int active, String reason) throws IOException {
    var snapshot = "/_snapshot/thehive_repository/" + original.backup().snapshot();
    var answers = Map.of("/thehive_global", "{'thehive_global': {'settings': {'index': {'number_of_replicas': '2'}}}}",
        "/_cluster/health/thehive_global",
        "{'status': 'yellow', 'number_of_data_nodes': 2, 'active_primary_shards': 1, 'active_shards': %d}"
            .formatted(active),
        "/_cat/shards/thehive_global",
        "[{'shard': '0', 'prirep': 'p', 'state': 'STARTED'}, {'shard': '0', 'prirep': 'r', 'state': 'STARTED'},"
            + " {'shard': '0', 'prirep': 'r', 'state': 'UNASSIGNED', 'unassigned.reason': '%s'}]".formatted(reason),
        "/_nodes/_all/settings", "{'cluster_name': 'thp', 'nodes': {'a': {'version': '7.10.2', 'roles': ['data']}}}",
        snapshot,
        "{'snapshots': [{'state': 'SUCCESS', 'version': '7.10.2', 'indices': ['thehive_global'], 'shards':"
            + " {'failed': 0}}]}",
        snapshot + "/_status", "{'snapshots': [{'indices': {'thehive_global': {'shards_stats': {'total': 1}}}}]}",
        "/thehive_global/_count", "{'count': 4000}");
    var fake = HttpServer.create(new InetSocketAddress("127.0.0.1", 0), 0);
    fake.createContext("/", exchange -> {
      var path = exchange.getRequestURI().getPath();
      var answer = answers.getOrDefault(path, path.startsWith("/_cat") ? "[]" : "{}").replace('\'', '"').getBytes();
      exchange.getResponseHeaders().add("Content-Type", "application/json");
      exchange.sendResponseHeaders(200, answer.length);
      exchange.getResponseBody().write(answer);
      exchange.close();
    });
    fake.start();
    try {
      return verify("--only", "elasticsearch", "--quick").env("RESTORE_STATE_PATH", temp.toString())
          .env("ELASTICSEARCH_API_URL", "http://127.0.0.1:" + fake.getAddress().getPort()).run();
    } finally {
      fake.stop(0);
    }
  }

  @Test
  void namesTheShardThatIsMissing() {
    var elasticsearch = original.elasticsearch();
    elasticsearch.tool("DELETE", "/thehive_global");
    elasticsearch.tool("POST", "/_snapshot/thehive_repository/%s/_restore".formatted(original.backup().snapshot()),
        "{\"indices\":\"thehive_global\",\"index_settings\":{\"index.routing.allocation.require._name\":\"nobody\"}}");
    var result = verify("--only", "elasticsearch").run();
    restore();
    var wrong = wrong(result);
    assertThat(wrong).hasSizeGreaterThan(1);
    assertThat(wrong.get(0)).startsWith("✗ elasticsearch health ").contains("thehive_global is red",
        "0 of 2 shards started");
    assertThat(wrong).contains("shard 0 (primary) is UNASSIGNED: NEW_INDEX_RESTORED");
    assertAllGreen(verify("--only", "elasticsearch").run());
  }

  @Test
  void namesTheFilesThatDiffer() throws IOException {
    var missing = folder.resolve(Attachments.name(0));
    var changed = folder.resolve(Attachments.name(1));
    var content = Files.readAllBytes(changed);
    var written = Files.getLastModifiedTime(changed);
    Files.delete(missing);
    flip(changed, content.length / 2);
    Files.setLastModifiedTime(changed, written);
    var old = Files.writeString(folder.resolve("old"), "");
    Files.setLastModifiedTime(old, FileTime.from(Instant.parse("2020-01-01T00:00:00Z")));
    var added = Files.writeString(folder.resolve("added"), "");
    Files.setLastModifiedTime(added, FileTime.from(Instant.now().plusSeconds(60)));
    var mode = folder.resolve(OLD_FILE);
    Files.setAttribute(mode, "unix:mode", 0600);
    Files.setAttribute(folder.resolve("sub"), "unix:mode", 0700);
    var result = verify("--only", "files,together").run();
    Files.delete(old);
    Files.delete(added);
    Files.write(missing, Attachments.content(0));
    Files.write(changed, content);
    Files.setAttribute(mode, "unix:mode", 0644);
    Files.setAttribute(folder.resolve("sub"), "unix:mode", 0755);
    var wrong = wrong(result);
    assertThat(wrong).hasSize(9).contains(Attachments.name(0), Attachments.name(1) + ": another content",
        OLD_FILE + ": mode 600 instead of 644", "sub: mode 700 instead of 755", "old");
    assertThat(result.out()).contains("1 of 60 files", "1 differ", "1 are not in the backup")
        .containsPattern("- together +attachments +needs the rows of cassandra, and files or s3");
    var link = Files.createSymbolicLink(temp.resolve("link"), folder);
    assertAllGreen(verify("--only", "files", "--sample", "5").env("ATTACHMENT_FOLDER", link.toString()).run());
    Files.delete(link);
  }

  /** A file that is older than the restore, and not in the backup, is one that the restore did not leave there. */
  @Test
  void knowsWhenTheFolderWasRestored() throws IOException {
    var before = Instant.now();
    var restored = set(Script.of("restore-files-nfs.java")).args("--yes").run();
    assertThat(restored.code()).as(restored.err()).isZero();
    var extra = Files.writeString(folder.resolve("extra"), "");
    Files.setLastModifiedTime(extra, FileTime.from(before));
    var newer = Files.writeString(folder.resolve("newer"), "");
    Files.setLastModifiedTime(newer, FileTime.from(Instant.now().plusSeconds(60)));
    var result = verify("--only", "files").run();
    Files.delete(extra);
    Files.delete(newer);
    assertThat(wrong(result)).hasSize(2).contains("extra");
    assertAllGreen(verify("--only", "files").run());
  }

  @Test
  void goesOnAfterWhatCannotBeRead() throws IOException {
    assumeTrue(Script.command("id", "-u").run().out().equals("0\n"), "only root has rights to lose");
    var closed = Files.createDirectory(folder.resolve("closed"));
    Files.setAttribute(closed, "unix:mode", 0);
    Files.setAttribute(folder.resolve(OLD_FILE), "unix:mode", 0);
    var rights = "-dac_override,-dac_read_search";
    var result = set(Script.command("setpriv", "--bounding-set", rights, "--inh-caps", rights,
        Script.ROOT.resolve("jbang").toString(),
        Script.ROOT.resolve("verify.java").toString(), "--only", "files")).run();
    Files.setAttribute(folder.resolve(OLD_FILE), "unix:mode", 0644);
    Files.delete(closed);
    assertThat(wrong(result)).hasSize(3).anyMatch(line -> line.startsWith(OLD_FILE + ": cannot be read: "))
        .anyMatch(line -> line.startsWith(closed + ": cannot be read: "));
    assertThat(result.out()).contains("60 files", "2 differ");
  }

  @Test
  void namesTheObjectsThatDiffer() throws IOException {
    var changed = Attachments.content(1);
    changed[changed.length / 2] ^= 1;
    bucket.put(Attachments.name(1), changed);
    bucket.remove(Attachments.name(0));
    bucket.put("later", new byte[] {1});
    var result = verify("--only", "s3").run();
    var exact = verify("--only", "s3", "--exact").run();
    bucket.put(Attachments.name(1), Attachments.content(1));
    bucket.put(Attachments.name(0), Attachments.content(0));
    bucket.remove("later");
    assertThat(wrong(result)).hasSize(4).contains(Attachments.name(0), Attachments.name(1) + ": another content");
    assertThat(result.out()).contains("none; 1 newer");
    assertThat(wrong(exact)).hasSize(6).contains("later");
    assertAllGreen(verify("--only", "s3").run());
  }

  @Test
  void readsAnObjectWhoseETagIsNoneOfItsContent() throws IOException {
    var content = new byte[6_000_000];
    new Random(1).nextBytes(content);
    var mirror = temp.resolve("mirror");
    Attachments.writeAll(mirror, ATTACHMENTS);
    Files.write(mirror.resolve("large"), content);
    HotBackup.minio(mirror, temp, original.backup().timestamp());
    bucket.putInParts("large", content);
    assertThat(bucket.etag("large")).contains("-2");
    var same = verify("--only", "s3").env("MINIO_ARCHIVE_PATH", temp.resolve("minio").toString()).run();
    content[5_500_000] ^= 1;
    bucket.putInParts("large", content);
    var other = verify("--only", "s3").env("MINIO_ARCHIVE_PATH", temp.resolve("minio").toString()).run();
    try (var parts = Files.find(s3.data(), 9, (path, is) -> path.toString().matches(".*/large/.*/part\\.1"))) {
      for (var part : parts.toList()) {
        Files.delete(part);
      }
    }
    var broken = verify("--only", "s3").env("MINIO_ARCHIVE_PATH", temp.resolve("minio").toString()).run();
    bucket.remove("large");
    assertAllGreen(same);
    assertThat(same.out()).contains("61 objects");
    assertThat(wrong(other)).hasSize(2).contains("large: another content");
    assertThat(wrong(broken)).as("the others were compared").hasSize(2)
        .anyMatch(line -> line.startsWith("large: cannot be read: "));
  }

  @ParameterizedTest
  @ValueSource(strings = {"tar.gz", "tar.zst", "zip"})
  void comparesFilesWithAnArchiveOfAnyType(String type) throws IOException {
    var tar =
        Files.copy(fileArchive, Files.createDirectories(temp.resolve("storage")).resolve(fileArchive.getFileName()));
    switch (type) {
      case "zip" -> HotBackup.zip(tar, null);
      case "tar.gz" -> assertThat(Script.command("gzip", tar.toString()).run().code()).isZero();
      default -> assertThat(Script.command("zstd", "-q", "--rm", tar.toString()).run().code()).isZero();
    }
    var verify = verify("--only", "files").env("GENERAL_ARCHIVE_PATH", tar.getParent().toString());
    var proven = verify("archives", "--only", "files").env("GENERAL_ARCHIVE_PATH", tar.getParent().toString()).run();
    assertAllGreen(proven);
    assertThat(proven.err()).contains(type + ", taken ");
    assertAllGreen(verify.run());
    var changed = folder.resolve(Attachments.name(1));
    var content = Files.readAllBytes(changed);
    flip(changed, content.length / 2);
    var result = verify.run();
    Files.write(changed, content);
    assertThat(wrong(result)).hasSize(2).contains(Attachments.name(1) + ": another content");
  }

  private static Script verifyKeyspace(String keyspace, Path archives, String... arguments) {
    return verify(arguments).args("--only", "cassandra").env("CASSANDRA_KEYSPACE", keyspace)
        .env("CASSANDRA_GENERAL_ARCHIVE_PATH", archives.resolve("cassandra").toString());
  }

  /** TheHive has only plain tables; what has no write time of its own is compared, too. */
  @Test
  void comparesTablesOfAnyKind() {
    var node = original.cassandra().get(0);
    try (var session = session()) {
      session.execute("CREATE KEYSPACE mixed WITH replication = {'class': 'SimpleStrategy', 'replication_factor': 3}");
      session.execute(
          "CREATE TABLE mixed.wide (a int, b text, c timestamp, d text, v int, w text, PRIMARY KEY ((a, b), c, d))"
          + " WITH CLUSTERING ORDER BY (c DESC, d ASC)");
      session.execute("CREATE TABLE mixed.counters (k int PRIMARY KEY, n counter)");
      session.execute("CREATE TABLE mixed.statics (k int, c int, s text static, v int, PRIMARY KEY (k, c))");
      session.execute("CREATE TABLE mixed.maps (k int PRIMARY KEY, m map<text, int>, l list<text>, v int)");
      session.execute("CREATE TABLE mixed.keys (k int, c int, PRIMARY KEY (k, c))");
      for (var i = 0; i < 30; i++) {
        write(session, "INSERT INTO mixed.wide (a, b, c, d, v, w) VALUES (%1$d, 'b', %2$d, 'd%1$d', %1$d, null)"
            .formatted(i / 3, i));
        write(session, "UPDATE mixed.counters SET n = n + 1 WHERE k = " + i);
        write(session, "INSERT INTO mixed.statics (k, s) VALUES (%1$d, 's')".formatted(i));
        write(session,
            "INSERT INTO mixed.maps (k, m, l) VALUES (%1$d, {'a': %1$d, 'b': 2}, ['x', 'y', 'x'])".formatted(i));
        write(session, "INSERT INTO mixed.keys (k, c) VALUES (%1$d, %1$d)".formatted(i));
      }
      write(session, "INSERT INTO mixed.statics (k, c, v) VALUES (1, 1, 1)");
      write(session, "INSERT INTO mixed.statics (k, c, v) VALUES (1, 2, 1)");
      write(session, "DELETE FROM mixed.wide WHERE a = 1 AND b = 'b'");
      write(session, "DELETE m['b'] FROM mixed.maps WHERE k = 3");
      HotBackup.cassandra(node, "mixed", temp, original.backup().timestamp());
      var same = verifyKeyspace("mixed", temp, "--exact").run();
      assertAllGreen(same);
      assertThat(same.out()).containsPattern("✓ cassandra +wide +27 rows, asked of 3 nodes")
          .containsPattern("✓ cassandra +counters +30 rows, asked")
          .containsPattern("✓ cassandra +statics +31 rows, asked").containsPattern("✓ cassandra +maps +30 rows, asked")
          .containsPattern("✓ cassandra +keys +30 rows, asked");

      var first = " WHERE a = 0 AND b = 'b' AND c = 0 AND d = 'd0'";
      var written = session.execute("SELECT writetime(v) FROM mixed.wide" + first).one().getLong(0);
      write(session, "UPDATE mixed.wide USING TIMESTAMP %d SET w = 'other'%s".formatted(written + 1, first));
      write(session, "DELETE FROM mixed.wide WHERE a = 2 AND b = 'b' AND c = 6 AND d = 'd2'");
      write(session, "DELETE FROM mixed.statics WHERE k = 2");
      var wrong = wrong(verifyKeyspace("mixed", temp).run());
      assertThat(wrong).hasSize(5);
      assertThat(wrong.get(0)).startsWith("✗ cassandra     statics ").contains(node(2) + ": 1 missing");
      assertThat(wrong.get(1)).isEqualTo("missing: key 0x00000002");
      assertThat(wrong.get(2)).startsWith("✗ cassandra     wide ").contains(node(2) + ": 1 missing, 1 changed");
      assertThat(wrong.get(3)).startsWith("changed: key 0x").contains(", d d0");
      assertThat(wrong.get(4)).startsWith("missing: key 0x").contains(", d d2");

      write(session, "UPDATE mixed.counters SET n = n + 1 WHERE k = 7");
      write(session, "UPDATE mixed.maps SET l = l + ['z'] WHERE k = 8");
      write(session, "UPDATE mixed.statics SET s = 'other' WHERE k = 9");
      write(session, "DELETE FROM mixed.keys WHERE k = 10 AND c = 10");
      var exact = wrong(verifyKeyspace("mixed", temp, "--exact").run());
      assertThat(exact).contains("changed: key 0x00000007", "changed: key 0x00000008", "changed: key 0x00000009",
          "missing: key 0x0000000a, c 10");
      var later = verifyKeyspace("mixed", temp).run();
      assertThat(wrong(later)).noneMatch(line -> line.startsWith("changed: key 0x00000007"));
      assertThat(later.out()).as("a counter has no write time")
          .containsPattern("- cassandra +counters +30 rows.*; 1 with another value that has no write time")
          .containsPattern("- cassandra +maps ");
      session.execute("DROP KEYSPACE mixed");
    }
  }

  @Test
  void namesWhatDiffersInTheDefinitionAndComparesTheOtherTables() {
    try (var session = session()) {
      session
          .execute("CREATE KEYSPACE defined WITH replication = {'class': 'SimpleStrategy', 'replication_factor': 3}");
      for (var table : List.of("indexed", "wider", "narrower", "compressed", "expiring", "collected", "plain")) {
        session.execute("CREATE TABLE defined.%s (k int PRIMARY KEY, v int, w int)".formatted(table));
        write(session, "INSERT INTO defined.%s (k, v, w) VALUES (1, 1, 1)".formatted(table));
      }
      session.execute("CREATE INDEX by_v ON defined.indexed (v)");
      HotBackup.cassandra(original.cassandra().get(0), "defined", temp, original.backup().timestamp());
      assertAllGreen(verifyKeyspace("defined", temp, "--exact").run());

      session.execute("DROP INDEX defined.by_v");
      session.execute("ALTER TABLE defined.wider ADD x int");
      session.execute("ALTER TABLE defined.narrower DROP w");
      session.execute("ALTER TABLE defined.compressed WITH compression = {'class': 'ZstdCompressor'}");
      session.execute("ALTER TABLE defined.expiring WITH default_time_to_live = 3600");
      session.execute("ALTER TABLE defined.collected WITH gc_grace_seconds = 0");
      session.execute("ALTER KEYSPACE defined WITH replication = {'class': 'SimpleStrategy', 'replication_factor': 1}");
      session.execute("CREATE TABLE defined.added (k int PRIMARY KEY)");
      var result = verifyKeyspace("defined", temp).run();
      var wrong = wrong(result);
      assertThat(wrong).first().asString().startsWith("✗ cassandra     definition ");
      assertThat(wrong).anyMatch(line -> line.matches("replication: now .*'1'.*, then .*'3'.*"))
          .anyMatch(line -> line.startsWith("only in the backup: CREATE INDEX by_v"))
          .anyMatch(line -> line.startsWith("table wider: column x"))
          .anyMatch(line -> line.startsWith("table compressed: option compression"))
          .anyMatch(line -> line.startsWith("table narrower: column w"))
          .anyMatch(line -> line.startsWith("table expiring: option default_time_to_live"))
          .anyMatch(line -> line.startsWith("table collected: option gc_grace_seconds"))
          .noneMatch(line -> line.contains("added"))
          .anyMatch(line -> line.matches("✗ cassandra +narrower .*cannot be read: .*"));
      assertThat(result.out()).containsPattern("✓ cassandra +plain +1 row,");
      assertThat(wrong(verifyKeyspace("defined", temp, "--exact").run()))
          .anyMatch(line -> line.startsWith("table added is not in the backup"));
      session.execute("DROP KEYSPACE defined");
    }
  }

  @Test
  void goesOnWithTheOtherChecksWhenOneCannotLogInOrReach() {
    var result = verify("--only", "cassandra,elasticsearch,files,s3").env("MINIO_SECRET_KEY", "wrong-secret")
        .env("CASSANDRA_CONNECTION", "127.0.0.99").env("ELASTICSEARCH_API_URL", "http://127.0.0.98:9200").run();
    assertThat(wrong(result)).hasSize(3).anyMatch(line -> line.contains("cannot reach Cassandra at 127.0.0.99:9042"))
        .anyMatch(line -> line.contains("cannot reach Elasticsearch at http://127.0.0.98:9200"))
        .anyMatch(line -> line.contains("refuses the keys"));
    assertThat(result.out() + result.err()).doesNotContain("wrong-secret").doesNotContain("\tat ");
    assertThat(result.out()).contains("✓ files         content");
  }

  @Test
  void leavesNothingUnpackedWhenInterrupted() {
    var running = verify("--only", "cassandra").env("RESTORE_WORK_PATH", temp.toString()).start();
    await().atMost(Duration.ofMinutes(1)).pollInterval(Duration.ofMillis(5))
        .until(() -> temp.toFile().list().length > 0);
    var result = running.interrupt().await();
    assertThat(result.code()).as(result.out() + result.err()).isEqualTo(130);
    assertThat(temp).isEmptyDirectory();
  }

  /** Elasticsearch is asked what became of the snapshot. */
  @Test
  void listsTheRestorePointWithItsSnapshot() {
    var result = verify("points").run();
    assertThat(result.code()).as(result.out() + result.err()).isZero();
    assertThat(result.out()).contains(original.backup().snapshot(), "SUCCESS", "thehive_global", "=== ✓ 1 restore"
        + " point")
        .doesNotContain("could not be asked");
  }

  @Test
  void saysWhatItLeftOutAndWhy() {
    var nowhere = temp.toString();
    var bare = Script.of("verify.java").env("CASSANDRA_GENERAL_ARCHIVE_PATH", nowhere)
        .env("ELASTICSEARCH_GENERAL_ARCHIVE_PATH", nowhere)
        .env("GENERAL_ARCHIVE_PATH", nowhere).env("MINIO_ALIAS", "nosuch");
    var nothing = bare.run();
    assertThat(nothing.code()).as(nothing.out() + nothing.err()).isEqualTo(2);
    assertThat(nothing.out()).containsPattern("- cassandra +backup +CASSANDRA_CONNECTION is not set")
        .containsPattern("- elasticsearch +backup +no backup elasticsearch_<timestamp>")
        .containsPattern("- s3 +backup +MINIO_ENDPOINT is not set, and mc has no alias nosuch")
        .contains("=== ✗ Nothing was checked.");
    assertThat(nothing.out().lines()).noneMatch(line -> line.matches("[✓✗].*"));
    assertThat(bare.args("--json").env("MC_HOST_nosuch", "http://127.0.0.1").run().out())
        .containsSubsequence("\"script\" : \"verify\"", "\"exit\" : 2", "MC_HOST_nosuch is not of the form");
  }

  @Test
  void missesTheBackupOfWhatIsNamed() {
    var nowhere = temp.toString();
    assertThat(
        wrong(10, verify("--skip", "elasticsearch,files,s3").env("CASSANDRA_GENERAL_ARCHIVE_PATH", nowhere).run()))
        .singleElement().asString()
        .startsWith("✗ cassandra     backup ").contains("no backup cassandra_<timestamp>");
    assertThat(wrong(10, verify("--skip", "cassandra,elasticsearch,files").env("MINIO_ARCHIVE_PATH", nowhere).run()))
        .singleElement().asString()
        .startsWith("✗ s3            backup ").contains("no backup minio_<timestamp>");
    assertThat(wrong(10, verify("archives", "--skip", "cassandra,elasticsearch").env("ATTACHMENT_FOLDER", null)
        .env("GENERAL_ARCHIVE_PATH", nowhere).env("MINIO_ARCHIVE_PATH", nowhere).env("MINIO_ENDPOINT", null)
        .env("MINIO_ALIAS", "nosuch").run()))
        .as("attachments are somewhere").singleElement().asString().startsWith("✗ files         backup ");
    assertThat(wrong(2, verify("--only", "cassandra").env("RESTORE_WORK_PATH", nowhere + "/none").run())).last()
        .asString()
        .contains("there is no folder %s/none to unpack in".formatted(nowhere));
    var endpoint = verify("--only", "s3").env("MINIO_ENDPOINT", "no address").run();
    assertThat(endpoint.code()).as(endpoint.out() + endpoint.err()).isEqualTo(2);
  }

  @Test
  void refusesSettingsThatAreNone() {
    assertUsage(verify("--only", "everything"), "'everything'");
    assertUsage(verify("archive"), "'archive' is not one of points, archives, settings");
    assertUsage(verify().env("CASSANDRA_KEYSPACE", " "), "error: CASSANDRA_KEYSPACE is set but blank");
  }

  private static void assertUsage(Script script, String why) {
    var result = script.run();
    assertThat(result.code()).as(result.out() + result.err()).isEqualTo(2);
    assertThat(result.out()).isEmpty();
    assertThat(result.err()).contains(why).doesNotContain("\tat ");
  }

  @Test
  void provesTheBackupsWithoutAnyServer() {
    var result = verify("archives").env("CASSANDRA_CONNECTION", null).env("ELASTICSEARCH_API_URL", null).run();
    assertAllGreen(result);
    assertThat(result.out())
        .contains("9 tables", "complete and matching their checksums", "60 match the SHA-256 in their names", "0 s apart")
        .contains("- elasticsearch marker ");
  }

  @Test
  void provesEncryptedArchivesWithTheirPasswordOnly() throws IOException {
    var archive = Files.createDirectories(temp.resolve("storage")).resolve(fileArchive.getFileName());
    HotBackup.zip(Files.copy(fileArchive, archive), "correct horse".toCharArray());
    var script = new String[] {"archives", "--only", "files"};
    assertThat(wrong(12, verify(script).env("GENERAL_ARCHIVE_PATH", archive.getParent().toString()).run()))
        .singleElement().asString().contains("is encrypted");
    assertThat(wrong(12, verify(script).env("GENERAL_ARCHIVE_PATH", archive.getParent().toString())
        .env("BACKUP_PASSWORD", "battery staple").run())).singleElement().asString().contains("wrong password");
    assertAllGreen(verify(script).env("GENERAL_ARCHIVE_PATH", archive.getParent().toString())
        .env("BACKUP_PASSWORD", "correct horse").run());
  }

  @Test
  void namesTheArchiveThatIsDamaged() throws IOException {
    var cassandra = original.backup().cassandra();
    var cut = Files.copy(cassandra, temp.resolve(cassandra.getFileName()));
    try (var file = new RandomAccessFile(cut.toFile(), "rw")) {
      file.setLength(file.length() * 2 / 3);
    }
    var flipped =
        Files.copy(fileArchive, Files.createDirectories(temp.resolve("storage")).resolve(fileArchive.getFileName()));
    flip(flipped, 1540); // the content of the first attachment
    var stale = Files.copy(home.resolve("minio/minio_" + original.backup().timestamp() + ".tar"),
        Files.createDirectories(temp.resolve("minio")).resolve("minio_20200101_00h00m00s.tar"));
    var wrong = wrong(verify("archives").env("CASSANDRA_GENERAL_ARCHIVE_PATH", temp.toString())
        .env("GENERAL_ARCHIVE_PATH", flipped.getParent().toString())
        .env("MINIO_ARCHIVE_PATH", stale.getParent().toString()).run());
    assertThat(wrong.get(0)).startsWith("✗ cassandra     backup ").contains(cut + " cannot be used as a backup");
    assertThat(wrong.get(1)).startsWith("✗ files         archive ")
        .contains("1 with a content that is not what their names say");
    assertThat(wrong.get(2)).matches("attachment/[0-9a-f]{64}");
    assertThat(wrong.get(3)).startsWith("✗ together      times ").contains("more than 15 minutes");
    assertThat(wrong).hasSize(8);
    assertAllGreen(
        verify("archives", "--skip", "cassandra,s3").env("MINIO_ARCHIVE_PATH", stale.getParent().toString()).run());
  }

  private static void flip(Path file, long position) throws IOException {
    try (var bytes = new RandomAccessFile(file.toFile(), "rw")) {
      bytes.seek(position);
      var one = bytes.read();
      bytes.seek(position);
      bytes.write(one ^ 1);
    }
  }
}
