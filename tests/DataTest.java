import static org.assertj.core.api.Assertions.assertThat;

import com.datastax.oss.driver.api.core.CqlSession;
import com.datastax.oss.driver.api.core.cql.SimpleStatement;
import java.io.IOException;
import java.net.InetSocketAddress;
import java.net.URI;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.List;
import java.util.regex.Pattern;
import java.util.stream.Stream;
import net.lingala.zip4j.ZipFile;
import net.lingala.zip4j.model.FileHeader;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** The tests' own data and backups are what the documentation says they are; all other tests rest on that. */
@Tag("servers")
class DataTest {
  private static final String TIMESTAMP = "20260131_23h05m09s";
  private static final String ROOT = "cassandra_" + TIMESTAMP + "/";
  private static final List<String> TABLES =
      List.of("edgestore", "edgestore_lock_", "graphindex", "graphindex_lock_", "janusgraph_ids", "system_properties",
          "system_properties_lock_", "systemlog", "txlog");

  @TempDir static Path archives;
  private static List<Server> cassandra;
  private static List<Server> elasticsearch;
  private static GraphData data;
  private static String answer;
  private static HotBackup.Set backup;

  @BeforeAll
  static void fillAndBackUp() {
    cassandra = Stack.cassandra(Stack.CassandraOptions.on("127.0.2.2"));
    elasticsearch = Stack.elasticsearch("7.10.2", List.of("127.0.2.2"), 9200, archives);
    data = new GraphData(cassandra, elasticsearch);
    data.create(60);
    data.change();
    answer = data.ask();
    backup = HotBackup.take(cassandra.get(0), "thehive", URI.create(data.url()), archives, TIMESTAMP);
  }

  @AfterAll
  static void stop() {
    Stream.of(cassandra, elasticsearch).filter(servers -> servers != null).forEach(s -> s.forEach(Server::close));
  }

  @Test
  void givesTheSameAnswersForTheSameData() {
    assertThat(data.ask()).isEqualTo(answer);
    assertThat(answer)
        .contains("\"agree\":true")
        .contains("\"cases\":{\"added\":3,\"changed\":4,\"created\":52}")
        .contains("\"observablesOfCase7\":[\"10.7.0.1\",\"host-7.example.com\",\"user7@example.org\"]")
        .contains("\"attachmentsOfAlert7\":[\"" + Attachments.id(1) + "\"]");
  }

  @Test
  void leavesSeveralSSTablesAndTombstones() throws IOException {
    assertThat(tarList(backup.cassandra()).filter(name -> name.matches(".*/edgestore-.*-Data[.]db")))
        .hasSizeGreaterThanOrEqualTo(2);
    assertThat(tombstones("edgestore")).isGreaterThan(100);
  }

  @Test
  void packsTheFilesOfASnapshotTableByTable() throws IOException {
    var entries = tarList(backup.cassandra()).toList();
    assertThat(entries).contains(ROOT, ROOT + "create_keyspace_thehive.cql", ROOT + "thehive/");
    var table = Pattern.compile(ROOT + "thehive/(?<table>\\w+)-[0-9a-f]{32}/(?<file>[^/]*)");
    var files = entries.stream().map(table::matcher).filter(entry -> entry.matches()).toList();
    assertThat(files).as("nothing lies elsewhere").hasSize(entries.size() - 3);
    assertThat(files.stream().map(file -> file.group("table")).distinct())
        .containsExactlyInAnyOrderElementsOf(TABLES);
    for (var name : TABLES) {
      var names = files.stream().filter(file -> file.group("table").equals(name)).map(file -> file.group("file"));
      assertThat(names.filter(file -> !file.matches("nb-\\w+-big-\\w+[.](db|crc32|txt)")))
          .as(name)
          .containsExactlyInAnyOrder("", "manifest.json", "schema.cql");
    }
  }

  @Test
  void packsEveryComponentThatASSTableNames(@TempDir Path unpacked) throws IOException {
    run("tar", "xf", backup.cassandra().toString(), "-C", unpacked.toString());
    try (var files = Files.walk(unpacked)) {
      var contents = files.filter(file -> file.toString().endsWith("-TOC.txt")).toList();
      assertThat(contents).hasSizeGreaterThan(TABLES.size());
      for (var toc : contents) {
        var prefix = toc.getFileName().toString().replace("TOC.txt", "");
        assertThat(Files.readAllLines(toc))
            .contains("Data.db", "Index.db", "Digest.crc32", "Statistics.db")
            .allSatisfy(component -> assertThat(toc.resolveSibling(prefix + component)).exists());
      }
    }
  }

  @Test
  void describesTheKeyspaceAsCqlshDoes() throws IOException {
    var text = run("tar", "xfO", backup.cassandra().toString(), ROOT + "create_keyspace_thehive.cql");
    assertThat(text)
        .startsWith(
            """

            CREATE KEYSPACE thehive WITH replication = {'class': 'SimpleStrategy', 'replication_factor': '1'}\
              AND durable_writes = true;

            CREATE TABLE thehive.edgestore (
                key blob,
                column1 blob,
                value blob,
                PRIMARY KEY (key, column1)
            ) WITH CLUSTERING ORDER BY (column1 ASC)
                AND additional_write_policy = '99p'
            """)
        .endsWith("    AND read_repair = 'BLOCKING'\n    AND speculative_retry = '99p';\n");
    var tables = Pattern.compile("(?m)^CREATE TABLE thehive[.](\\w+) [(]$").matcher(text).results();
    assertThat(tables.map(table -> table.group(1))).containsExactlyElementsOf(TABLES);
    assertThat(text.split("(?<=;)\n\n")).hasSize(1 + TABLES.size());
  }

  @Test
  void marksASnapshotOfTheIndexAlone() throws IOException {
    assertThat(backup.marker()).hasFileName("elasticsearch_" + TIMESTAMP + ".info").isEmptyFile();
    var found = elasticsearch.get(0).tool("GET", "/_snapshot/thehive_repository/elasticsearch_" + TIMESTAMP);
    assertThat(found)
        .contains("\"indices\":[\"thehive_global\"]")
        .contains("\"include_global_state\":false")
        .contains("\"state\":\"SUCCESS\"");
  }

  @Test
  void leavesNoSnapshotOnTheNode() {
    assertThat(cassandra.get(0).tool("listsnapshots")).doesNotContain("cassandra_" + TIMESTAMP);
  }

  @Test
  void encryptsTheSameTree(@TempDir Path folder) throws IOException {
    var tar = Files.copy(backup.cassandra(), folder.resolve(backup.cassandra().getFileName()));
    var entries = tarList(tar).toList();
    try (var zip = new ZipFile(HotBackup.zip(tar, "secret".toCharArray()).toFile())) {
      assertThat(zip.isEncrypted()).isTrue();
      assertThat(zip.getFileHeaders()).extracting(FileHeader::getFileName).containsExactlyInAnyOrderElementsOf(entries);
    }
    assertThat(folder).isDirectoryContaining("glob:**.zip").isDirectoryNotContaining("glob:**.tar");
  }

  @Test
  void packsAttachmentsWithDotFiles(@TempDir Path folder) throws IOException {
    Attachments.writeAll(folder.resolve("files"), 3);
    Files.writeString(Files.createDirectory(folder.resolve("files/.hidden")).resolve("x"), "hidden");
    assertThat(tarList(HotBackup.files(folder.resolve("files"), folder, TIMESTAMP)))
        .contains("files_" + TIMESTAMP + "/" + Attachments.name(2), "files_" + TIMESTAMP + "/.hidden/x")
        .hasSize(7);
  }

  private static long tombstones(String table) {
    try (var session =
        CqlSession.builder()
            .addContactPoint(new InetSocketAddress(cassandra.get(0).host(), cassandra.get(0).port()))
            .withLocalDatacenter("datacenter1")
            .build()) {
      var query = SimpleStatement.newInstance("SELECT count(*) FROM thehive." + table).setTracing(true);
      var trace = session.execute(query.setTimeout(Duration.ofSeconds(30))).getExecutionInfo().getQueryTrace();
      var read = Pattern.compile("Read \\d+ live rows and (\\d+) tombstone cells");
      return trace.getEvents().stream()
          .map(event -> read.matcher(event.getActivity()))
          .filter(event -> event.matches())
          .mapToLong(event -> Long.parseLong(event.group(1)))
          .sum();
    }
  }

  private static Stream<String> tarList(Path tar) {
    return run("tar", "tf", tar.toString()).lines();
  }

  private static String run(String... command) {
    var result = Script.command(command).run();
    assertThat(result.code()).as(result.err()).isZero();
    return result.out();
  }
}
