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
import java.util.concurrent.atomic.AtomicInteger;
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

  private Script rehearsal(Path backups, String address) {
    return Script.of("tests/sandbox.java").timeout(Duration.ofMinutes(10))
        .args("--backup-set", backups.toString(), "--listen", address, "--work", work.toString());
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
        "127.0.61.11", "--work", work.toString()).in(Script.ROOT).timeout(Duration.ofMinutes(10))
        // a site's own settings, which must reach no script
        .env("CASSANDRA_CONNECTION", "127.0.61.99").env("ELASTICSEARCH_API_URL", "http://127.0.61.99:9200")
        .env("THEHIVE_NODES", "127.0.61.99").env("MINIO_ENDPOINT", "http://127.0.61.99:9000").run();

    assertThat(result.code()).as(result.out() + result.err()).isZero();
    assertThat(result.out()).contains("=== ✓ Successful full restore ===",
        "✓ The backup %s restores completely".formatted(backup.timestamp()))
        .containsPattern("(?m)^  Case +" + cases + "$").containsPattern("the graph +(\\d+) of \\1 entries")
        .doesNotContain("✗");
    assertThat(result.err()).doesNotContain("127.0.61.99");
    assertThat(state(set)).isEqualTo(before);
    assertNothingIsLeft("127.0.61.11");
  }

  @Test
  void endsWithTheReasonWhereTheAttachmentsAreCutShortAndLeavesNothingBehind() throws IOException {
    var damaged = Original.temporaryFolder().resolve("set");
    Script.command("cp", "-a", set.toString(), damaged.toString()).run();
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
