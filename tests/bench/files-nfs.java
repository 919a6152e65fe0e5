///usr/bin/env jbang "$0" "$@" ; exit $?
//DESCRIPTION Measures restore-files-nfs.java beside the documented way and tar x
//JAVA 17+
//DEPS info.picocli:picocli:4.7.7
//COMPILE_OPTIONS -encoding UTF-8
//SOURCES ../Script.java
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
import java.util.concurrent.Callable;
import java.util.stream.Collectors;
import picocli.CommandLine;
import picocli.CommandLine.Command;
import picocli.CommandLine.Option;

/**
 * Restores the same archive over the same folder by turns: ours; the documented way ({@code tar x}, empty the folder,
 * {@code cp -r}); {@code tar x} straight into the empty folder, which is no restore but the least anyone could do. Only
 * ours flushes to disk by itself, so the time with a {@code sync} after it is shown too.
 *
 * <pre>{@code ./jbang tests/bench/files-nfs.java --folder /tmp --folder /dev/shm}</pre>
 */
@Command(name = "files-nfs.java", mixinStandardHelpOptions = true, sortOptions = false,
    description = "Measures restore-files-nfs.java beside the documented way and tar x.")
class FilesNfs implements Callable<Integer> {
  private static final String ROOT = "files_20260131_23h05m09s";

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

  @Option(names = "--folder", paramLabel = "DIR", defaultValue = "/tmp,/dev/shm", split = ",",
      description = "where to do it, one file system after another (${DEFAULT-VALUE})")
  private List<Path> folders;

  private long peak;

  private record Took(double work, double sync) {
    double both() {
      return work + sync;
    }
  }

  public static void main(String... args) {
    System.exit(new CommandLine(new FilesNfs()).execute(args));
  }

  @Override
  public Integer call() throws IOException {
    sh("'%s' build '%s'".formatted(Script.ROOT.resolve("jbang"), Script.ROOT.resolve("restore-files-nfs.java")));
    for (var folder : folders) {
      var work = Files.createTempDirectory(folder, "bench");
      try {
        measure(work);
      } finally {
        sh("rm -rf '%s'".formatted(work));
      }
    }
    return 0;
  }

  private void measure(Path work) throws IOException {
    fill(work);
    var ways = new LinkedHashMap<String, List<Took>>();
    for (int round = 0; round < rounds; round++) {
      add(ways, "ours", () -> restore(work));
      add(ways, "documented",
          () -> sh("cd '%s' && tar xf %s.tar && find live -mindepth 1 -delete && cp -r %s/. live && rm -rf %s"
          .formatted(work, ROOT, ROOT, ROOT)));
      sh("cd '%s' && find live -mindepth 1 -delete".formatted(work));
      add(ways, "tar x", () -> sh("tar xf '%s/%s.tar' -C '%s/live' --strip-components 1".formatted(work, ROOT, work)));
    }
    print(work, ways);
  }

  private void restore(Path work) {
    var running = Script.of("restore-files-nfs.java").env(Map.of("ATTACHMENT_FOLDER", work.resolve("live").toString(),
        "GENERAL_ARCHIVE_PATH", work.toString())).args("--yes").timeout(Duration.ofHours(1)).start();
    peak = Math.max(peak, running.peakUntilEnd());
    var result = running.await();
    if (result.code() != 0) {
      throw new IllegalStateException(result.err());
    }
  }

  private void fill(Path work) throws IOException {
    var root = work.resolve(ROOT);
    if (large == 0) {
      Attachments.writeAll(root, files, size);
    } else {
      sh(("mkdir -p '%s'/attachment; cd '%s'/attachment; for i in $(seq %d); do head -c %dM /dev/urandom > $(printf"
          + " %%064x $i); done").formatted(root, root, large, largeSize));
    }
    sh("cd '%s' && tar cf %s.tar %s && mv %s live".formatted(work, ROOT, ROOT, ROOT));
  }

  private interface Way {
    void go() throws IOException;
  }

  private static void add(Map<String, List<Took>> ways, String name, Way way) throws IOException {
    sh("sync");
    var start = System.nanoTime();
    way.go();
    var done = System.nanoTime();
    sh("sync");
    var took = new Took((done - start) / 1e9, (System.nanoTime() - done) / 1e9);
    ways.computeIfAbsent(name, n -> new ArrayList<>()).add(took);
    System.err.printf(Locale.ROOT, "%-12s %6.1f s, %6.1f s with sync%n", name, took.work(), took.both());
  }

  private void print(Path work, Map<String, List<Took>> ways) throws IOException {
    var what = large == 0 ? files + " files" : large + " files of " + largeSize + " MB";
    System.out.printf(Locale.ROOT, "%n%s on %s (%s), medians of %d, load %s%n", what, work.getParent(),
        Files.getFileStore(work).type(), rounds,
        Files.readString(Path.of("/proc/loadavg")).split(" ")[0]);
    var ours = ways.get("ours");
    ways.forEach(
        (name, times) -> System.out.printf(Locale.ROOT, "%-12s %6.1f s %5.1fx   with sync %6.1f s %5.1fx%n", name,
            median(times, false), median(times, false) / median(ours, false), median(times, true),
            median(times, true) / median(ours, true)));
    System.out.printf("the script's memory peaked at %d MB%n", peak / 1_000_000);
  }

  private static double median(List<Took> times, boolean synced) {
    var sorted = times.stream().map(took -> synced ? took.both() : took.work()).sorted().collect(Collectors.toList());
    return (sorted.get((sorted.size() - 1) / 2) + sorted.get(sorted.size() / 2)) / 2;
  }

  private static void sh(String script) throws IOException {
    var process = new ProcessBuilder("bash", "-c", script).inheritIO().start();
    try {
      if (process.waitFor() != 0) {
        throw new IOException(script + " ended with exit " + process.exitValue());
      }
    } catch (InterruptedException e) {
      process.destroy();
      throw new IOException("interrupted", e);
    }
  }
}
