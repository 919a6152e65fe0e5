import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.io.RandomAccessFile;
import java.net.InetAddress;
import java.net.ServerSocket;
import java.net.URI;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.List;
import java.util.TreeSet;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.regex.Pattern;
import java.util.stream.Stream;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** A site's own backup, restored on servers that are started for it. */
@Tag("servers")
@Tag("matrix")
class RehearsalTest {
  private static HotBackup.Set backup;
  private static long cases;
  @TempDir static Path set;
  @TempDir Path work;
  @TempDir Path results;

  @BeforeAll
  static void takeABackup() throws IOException {
    var nodes = Stack.cassandra(Stack.CassandraOptions.on("127.0.61.2"));
    var elasticsearch = Stack.elasticsearch("7.10.2", List.of("127.0.61.2"), 9200, set);
    var data = new GraphData(nodes, elasticsearch);
    data.create(60);
    cases = Json.MAPPER.readTree(data.ask()).path("vertices").path("Case").asLong();
    var attachments = work();
    Attachments.writeAll(attachments, 16);
    backup = HotBackup.take(nodes.get(0), GraphData.KEYSPACE, URI.create(data.url()), set);
    HotBackup.files(attachments, set, backup.timestamp());
    HotBackup.minio(attachments, set, backup.timestamp());
    nodes.forEach(Server::close);
    elasticsearch.forEach(Server::close);
  }

  private static Path work() throws IOException {
    return Files.createDirectories(Original.temporaryFolder().resolve("files"));
  }

  private Script rehearsal(Path backups) {
    return Script.of("tests/sandbox.java").timeout(Duration.ofMinutes(10))
        .args("--backup-set", backups.toString(), "--work", work.toString());
  }

  private Script rehearsal(Path backups, String address) {
    return rehearsal(backups).args("--listen", address);
  }

  /** Another set like this one, to be damaged. */
  private static Path copy() {
    var copy = Original.temporaryFolder().resolve("set");
    command("cp", "-a", set.toString(), copy.toString());
    return copy;
  }

  private static void command(String... command) {
    var result = Script.command(command).run();
    assertThat(result.code()).as("%s: %s", List.of(command), result.err()).isZero();
  }

  /** The names, sizes and times of all files, and what of the rehearsal is left. */
  private static String state(Path folder) throws IOException {
    try (var files = Files.walk(folder)) {
      var state = new StringBuilder();
      for (var file : files.sorted().toList()) {
        state.append(file).append(' ').append(Files.isDirectory(file) ? "" : Files.size(file)).append(' ')
            .append(Files.getLastModifiedTime(file)).append('\n');
      }
      return state.toString();
    }
  }

  private void assertNothingIsLeft(String address) throws IOException {
    try (var left = Files.list(work)) {
      assertThat(left).isEmpty();
    }
    try (var processes = ProcessHandle.allProcesses()) {
      assertThat(processes.flatMap(process -> Stream.of(process.info().arguments().orElse(new String[0])))
          .filter(argument -> argument.contains(work.toString()) || argument.equals(address))).isEmpty();
    }
    assertThat(Listeners.now().sockets()).noneMatch(socket -> socket.startsWith(address + ":"));
  }

  /** Stands where the site's servers would be, and counts who comes. */
  private static ServerSocket count(int port, AtomicInteger connections) throws IOException {
    var socket = new ServerSocket(port, 10, InetAddress.getByName("127.0.61.99"));
    new Thread(() -> {
      try {
        while (true) {
          socket.accept().close();
          connections.incrementAndGet();
        }
      } catch (IOException e) {
        // closed at the end of the test
      }
    }).start();
    return socket;
  }

  @Test
  void restoresAGoodBackupFromAReadOnlyFolderAndLeavesNothingBehind() throws IOException {
    var connections = new AtomicInteger();
    try (var cql = count(9042, connections); var http = count(9200, connections); var s3 = count(9000, connections);
        var ssh = count(22, connections)) {
      restoreAGoodBackup();
    }
    assertThat(connections).as("connections to the site's servers").hasValue(0);
  }

  private void restoreAGoodBackup() throws IOException {
    var before = state(set);
    var result = Script.command("unshare", "--mount", "sh", "-c",
        "mount --bind %1$s %1$s && mount -o remount,ro,bind %1$s && ! touch %1$s/x 2>/dev/null && exec \"$@\""
            .formatted(set),
        "sh", Script.ROOT.resolve("jbang").toString(), "tests/sandbox.java", "--backup-set", set.toString(), "--listen",
        "127.0.61.11", "--work", work.toString(), "--evidence", results.resolve("page.html").toString(), "--evidence",
        results.resolve("data.json").toString()).in(Script.ROOT).timeout(Duration.ofMinutes(10))
        // a site's own settings, which must reach no script
        .env("CASSANDRA_CONNECTION", "127.0.61.99").env("ELASTICSEARCH_API_URL", "http://127.0.61.99:9200")
        .env("THEHIVE_NODES", "127.0.61.99").env("MINIO_ENDPOINT", "http://127.0.61.99:9000").run();

    assertThat(result.code()).as(result.out() + result.err()).isZero();
    assertThat(result.out()).contains("=== ✓ Successful full restore ===",
        "✓ The backup %s restores completely".formatted(backup.timestamp()))
        .containsPattern("(?m)^  Case +" + cases + "$").containsPattern("the graph +(\\d+) of \\1 entries")
        .contains("each of 15 that the index names is in the restored folder and in the restored bucket",
            "\"Case #%d\" is the newest case, of ".formatted(cases), "; a search for these words finds it")
        .doesNotContain("✗");
    assertThat(result.err()).doesNotContain("127.0.61.99");
    var evidence = Json.MAPPER.readTree(results.resolve("data.json").toFile());
    assertThat(evidence.path("complete").asBoolean()).as("%s", evidence).isTrue();
    assertThat(results.resolve("page.html")).content().contains(evidence.path("sentence").asText(),
        " was restored completely in ", "<li>In the restored index, Case: %d</li>".formatted(cases),
        "<li>In the restored index, attachments: each of 15 ", "<li>In the restored index, full text: ");
    assertThat(state(set)).isEqualTo(before);
    assertNothingIsLeft("127.0.61.11");
  }

  @Test
  void endsWithTheReasonWhereTheAttachmentsAreCutShortAndLeavesNothingBehind() throws IOException {
    var damaged = copy();
    try (var archive = new RandomAccessFile(
        damaged.resolve("storage/files_%s.tar".formatted(backup.timestamp())).toFile(), "rw")) {
      archive.setLength(archive.length() / 2);
    }
    var result = rehearsal(damaged, "127.0.61.12").run();

    assertThat(result.code()).as(result.out() + result.err()).isEqualTo(10);
    assertThat(result.err()).contains("error: ./jbang verify.java archives", "ended with exit 10: ", "files_");
    assertThat(result.out()).doesNotContain("restores completely", "Successful full restore");
    assertNothingIsLeft("127.0.61.12");
  }

  private static void assertFails(Script.Result result, int code, String... reasons) {
    assertThat(result.code()).as(result.out() + result.err()).isEqualTo(code);
    assertThat(result.err().lines().filter(line -> line.startsWith("error: ")).reduce((first, last) -> last)
        .orElseThrow()).contains(reasons);
    assertThat(result.out()).doesNotContain("restores completely");
  }

  /** One bit of a row, as a disk may lose it; the archive itself is whole. */
  @Test
  void endsWithTheReasonWhereAnSSTableIsDamaged() throws IOException {
    var damaged = copy();
    var folder = damaged.resolve("cassandra");
    var name = "cassandra_" + backup.timestamp();
    command("tar", "-C", folder.toString(), "-xf", folder.resolve(name + ".tar").toString());
    Path data;
    try (var files = Files.walk(folder.resolve(name))) {
      data = files.filter(file -> file.toString().matches(".*/edgestore-.*-Data.db")).findFirst().orElseThrow();
    }
    try (var file = new RandomAccessFile(data.toFile(), "rw")) {
      file.seek(file.length() / 2);
      var old = file.read();
      file.seek(file.length() / 2);
      file.write(old ^ 1);
    }
    command("tar", "-C", folder.toString(), "-cf", folder.resolve(name + ".tar").toString(), name);
    command("rm", "-r", folder.resolve(name).toString());

    assertFails(rehearsal(damaged, "127.0.61.15").run(), 10, "./jbang verify.java archives",
        "ended with exit 10: cassandra ", "" + data.getFileName());
    assertNothingIsLeft("127.0.61.15");
  }

  @Test
  void endsWithTheReasonWhereTheMarkerNamesNoSnapshot() throws IOException {
    var damaged = copy();
    var later = BackupSet.STAMP.format(BackupName.point(backup.timestamp()).orElseThrow().plusSeconds(1));
    Files.move(damaged.resolve("elasticsearch/elasticsearch_%s.info".formatted(backup.timestamp())),
        damaged.resolve("elasticsearch/elasticsearch_%s.info".formatted(later)));

    assertFails(rehearsal(damaged, "127.0.61.16").run(), 10, "the restore point ", "incomplete",
        "elasticsearch_" + later);
    assertNothingIsLeft("127.0.61.16");
  }

  /** Of two nodes with one copy of each row, one node's archive. */
  @Test
  void endsWithTheReasonWhereTheArchiveIsHalfOfTheRing() throws IOException {
    var damaged = copy();
    var folder = damaged.resolve("cassandra");
    var name = "cassandra_" + backup.timestamp();
    Files.delete(folder.resolve(name + ".tar"));
    SSTables.archive(work, "even:3000:2");
    Files.move(work.resolve(SSTables.NAME), work.resolve(name));
    command("tar", "-C", work.toString(), "-cf", folder.resolve(name + ".tar").toString(), name);
    command("find", work.toString(), "-mindepth", "1", "-delete");

    assertFails(rehearsal(damaged, "127.0.61.17").env("CASSANDRA_KEYSPACE", "ks").run(), 10,
        "./jbang verify.java archives", "ended with exit 10: cassandra ring the backup is a part of the ring: ",
        "CASSANDRA_GENERAL_ARCHIVE_PATH may name several folders");
    assertNothingIsLeft("127.0.61.17");
  }

  @Test
  void endsWithTheNameOfAnAttachmentThatTheGraphNamesAndTheArchiveLacks() throws IOException {
    var damaged = copy();
    command("tar", "--delete", "-f", damaged.resolve("storage/files_%s.tar".formatted(backup.timestamp())).toString(),
        "files_%s/%s".formatted(backup.timestamp(), Attachments.name(3)));
    var result = rehearsal(damaged, "127.0.61.18").run();

    assertFails(result, 15, "the restored folder lacks 1 of ", "attachments that the index names: " + Attachments.id(3));
    assertThat(result.out()).as("the databases are back").contains("=== ✓ Successful full restore ===");
    assertNothingIsLeft("127.0.61.18");
  }

  @Test
  void twoAtOnceOnOneHostTakeAddressesOfTheirOwn() throws IOException {
    var both = Stream.of(rehearsal(set), rehearsal(set)).map(Script::start).toList();
    var addresses = new TreeSet<String>();
    for (var one : both) {
      var result = one.await();
      assertThat(result.code()).as(result.out() + result.err()).isZero();
      assertThat(result.out()).contains("✓ The backup %s restores completely".formatted(backup.timestamp()));
      addresses.add(Pattern.compile("(?:Listens on|the servers take) (127[.0-9]+)[;,]").matcher(result.err())
          .results().map(match -> match.group(1)).findFirst().orElseThrow());
    }
    assertThat(addresses).hasSize(2);
    for (var address : addresses) {
      assertNothingIsLeft(address);
    }
  }

  @Test
  void cleansUpAfterCtrlC() throws IOException {
    var running = rehearsal(set, "127.0.61.13").start();
    running.awaitErr("Starting a Cassandra node");
    running.interrupt();

    assertThat(running.await().code()).isEqualTo(130);
    assertNothingIsLeft("127.0.61.13");
  }

  @Test
  void refusesWhereTheDiskIsTooSmall() throws IOException {
    var small = Script.command("unshare", "--mount", "sh", "-c",
        "mount -t tmpfs -o size=64m none %s && exec \"$@\"".formatted(work), "sh",
        Script.ROOT.resolve("jbang").toString(), "tests/sandbox.java", "--backup-set", set.toString(), "--listen",
        "127.0.61.14", "--work", work.toString()).in(Script.ROOT).run();

    assertThat(small.code()).as(small.err()).isEqualTo(13);
    assertThat(small.err()).contains("error: %s has room for ".formatted(work), ", and about ", "are needed");
    assertNothingIsLeft("127.0.61.14");
  }
}
