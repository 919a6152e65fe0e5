///usr/bin/env jbang "$0" "$@" ; exit $?
//DESCRIPTION Measures restore-files-minio.java beside the documented way: tar x and mc mirror
//JAVA 17+
//DEPS info.picocli:picocli:4.7.7
//COMPILE_OPTIONS -encoding UTF-8
//SOURCES ../Script.java
//SOURCES ../servers/Stack.java
//SOURCES ../data/Attachments.java

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Optional;
import java.util.Random;
import java.util.concurrent.Callable;
import picocli.CommandLine;
import picocli.CommandLine.Command;
import picocli.CommandLine.Option;

/**
 * Restores the same archive into new buckets of one server by turns: ours, ours with every object by itself, the
 * documented way ({@code tar x}, {@code mc mirror}), of which the mirror's part is shown too, and rclone from the same
 * unpacked folder where there is one. Nothing is removed before the end (3 GB a round): some file systems create files
 * slowly for a minute after many were removed, which would be the next one's time.
 *
 * <p>{@code mc} is the one that is named, or is built once where Go is there, and kept beside tests/servers/s3.java's
 * MinIO.
 *
 * <pre>{@code ./jbang tests/bench/files-minio.java --rclone ~/go/bin/rclone}</pre>
 */
@Command(name = "files-minio.java", mixinStandardHelpOptions = true, sortOptions = false,
    description = "Measures restore-files-minio.java beside the documented way.")
class FilesMinio implements Callable<Integer> {
  private static final String ROOT = "minio_20260131_23h05m09s";

  @Option(names = "--files", defaultValue = "20000", description = "small files, median 15 KB (${DEFAULT-VALUE})")
  private int files;

  @Option(names = "--size", paramLabel = "BYTES", description = "their size, all the same")
  private Integer size;

  @Option(names = "--large", defaultValue = "0", description = "files of --large-size instead (${DEFAULT-VALUE})")
  private int large;

  @Option(names = "--large-size", paramLabel = "MB", defaultValue = "200",
      description = "their size (${DEFAULT-VALUE})")
  private int largeSize;

  @Option(names = "--rounds", defaultValue = "3", description = "(${DEFAULT-VALUE})")
  private int rounds;

  @Option(names = "--folder", paramLabel = "DIR", defaultValue = "/tmp",
      description = "of archive, unpacked copy and the server's data (${DEFAULT-VALUE})")
  private Path folder;

  @Option(names = "--listen", paramLabel = "HOST", defaultValue = "127.0.4.20",
      description = "of the server (${DEFAULT-VALUE})")
  private String listen;

  @Option(names = "--mc", paramLabel = "FILE", description = "MinIO's client")
  private String mc;

  @Option(names = "--only-ours", description = "leave the other ways out")
  private boolean onlyOurs;

  @Option(names = "--rclone", paramLabel = "FILE", description = "rclone, if it is to be measured")
  private String rclone;

  private final Map<String, List<Double>> times = new LinkedHashMap<>();
  private Map<String, String> settings;
  private Path work;
  private long peak;

  public static void main(String... args) {
    System.exit(new CommandLine(new FilesMinio()).execute(args));
  }

  @Override
  public Integer call() throws IOException {
    System.setProperty("java.io.tmpdir", folder.toString()); // where the server keeps its data
    work = Files.createTempDirectory(folder, "bench");
    mc = mc == null ? builtMc() : mc;
    try (var server = Stack.s3(listen)) {
      var login = server.login().orElseThrow();
      var url = "http://" + server.host() + ":" + server.port();
      settings = Map.of("MINIO_ENDPOINT", url, "MINIO_ACCESS_KEY", login.user(), "MINIO_SECRET_KEY", login.password(),
          "MINIO_ARCHIVE_PATH", work.toString(), "MC_HOST_th",
          url.replace("//", "//" + login.user() + ":" + login.password() + "@"),
          "MC_CONFIG_DIR", work.resolve("mc").toString());
      makeArchive();
      System.out.printf("%s, load %s%n", server.tool("kind"), Files.readString(Path.of("/proc/loadavg")).strip());
      for (var round = 0; round < rounds; round++) {
        measure(round);
      }
      print();
      return 0;
    } finally {
      run("rm", "-rf", work.toString());
    }
  }

  private String builtMc() throws IOException {
    var cache = Path.of(
        Optional.ofNullable(System.getenv("XDG_CACHE_HOME")).orElse(System.getProperty("user.home") + "/.cache"),
        "thehive-restore");
    if (!Files.isExecutable(cache.resolve("mc"))) {
      System.out.println("Building mc once");
      run("env", "GOBIN=" + Files.createDirectories(cache), "go", "install", "github.com/minio/mc@latest");
    }
    return cache.resolve("mc").toString();
  }

  private void measure(int round) throws IOException {
    time("ours", () -> restore("ours" + round));
    if (onlyOurs) {
      return;
    }
    time("ours, one by one", () -> restore("single" + round, "--one-by-one"));
    run(mc, "--quiet", "mb", "th/mirror" + round);
    var unpacked = Files.createDirectory(work.resolve("unpacked" + round));
    var unpacking =
        time("tar x", () -> run("tar", "xf", work.resolve(ROOT + ".tar").toString(), "-C", unpacked.toString()));
    var mirroring = time("mc mirror",
        () -> run(mc, "--quiet", "mirror", "--overwrite", unpacked.resolve(ROOT).toString(), "th/mirror" + round));
    times.computeIfAbsent("documented way", any -> new ArrayList<>()).add(unpacking + mirroring);
    if (rclone != null) {
      time("rclone", () -> run(rclone, "copy", unpacked.resolve(ROOT).toString(),
          ":s3,provider=Minio,endpoint='" + settings.get("MINIO_ENDPOINT") + "',access_key_id="
              + settings.get("MINIO_ACCESS_KEY")
              + ",secret_access_key=" + settings.get("MINIO_SECRET_KEY") + ":rclone" + round));
    }
    System.out.printf(Locale.ROOT, "round %d, load %s%n", round + 1,
        Files.readString(Path.of("/proc/loadavg")).strip());
  }

  private void restore(String bucket, String... options) {
    var running = Script.of("restore-files-minio.java").env(settings).env("MINIO_BUCKET", bucket)
        .args("--yes", "--create-bucket").args(options)
        .timeout(Duration.ofHours(1)).start();
    peak = Math.max(peak, running.peakUntilEnd());
    var result = running.await();
    if (result.code() != 0) {
      throw new IllegalStateException(result.err());
    }
  }

  private void makeArchive() throws IOException {
    var tree = Files.createDirectories(work.resolve("made").resolve(ROOT));
    if (large == 0) {
      Attachments.writeAll(tree, files, size);
    }
    var attachments = Files.createDirectories(tree.resolve(Attachments.FOLDER));
    var content = new byte[largeSize * 1_000_000];
    for (var i = 0; i < large; i++) {
      new Random(i).nextBytes(content);
      Files.write(attachments.resolve("large" + i), content);
    }
    run("tar", "cf", work.resolve(ROOT + ".tar").toString(), "-C", tree.getParent().toString(), ROOT);
  }

  private double time(String name, Runnable action) {
    run("sync");
    var start = System.nanoTime();
    action.run();
    var seconds = (System.nanoTime() - start) / 1e9;
    times.computeIfAbsent(name, any -> new ArrayList<>()).add(seconds);
    System.out.printf(Locale.ROOT, "  %-18s %6.1f s%n", name, seconds);
    return seconds;
  }

  private void run(String... command) {
    var script = Script.command(command);
    var result = (settings == null ? script : script.env(settings)).timeout(Duration.ofMinutes(20)).run();
    if (result.code() != 0) {
      throw new IllegalStateException(String.join(" ", command) + ": " + result.out() + result.err());
    }
  }

  private void print() {
    var ours = median("ours");
    System.out.printf("%n%-18s %8s %8s%n", "", "median s", "ratio");
    times.keySet().forEach(
        name -> System.out.printf(Locale.ROOT, "%-18s %8.1f %8.1f%n", name, median(name), median(name) / ours));
    System.out.printf("The script's memory peaked at %d MB%n", peak / 1_000_000);
  }

  private double median(String name) {
    var sorted = times.get(name).stream().sorted().toList();
    return sorted.get(sorted.size() / 2);
  }
}
