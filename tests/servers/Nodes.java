//DEPS info.picocli:picocli:4.7.7

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.Comparator;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.concurrent.Callable;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.TimeUnit;
import picocli.CommandLine;

/** Server processes that end with this one, whatever ends it; their folder goes too when it is a temporary one. */
final class Nodes implements AutoCloseable {
  private final boolean temporary;
  private final Path home;
  private final Map<String, Process> processes = new LinkedHashMap<>();
  private final Map<String, Path> logs = new LinkedHashMap<>();
  private boolean closed;

  Nodes(Path dir, String prefix, Long stopWith) throws IOException {
    temporary = dir == null;
    home = temporary ? Files.createTempDirectory(prefix) : Files.createDirectories(dir.toAbsolutePath());
    Runtime.getRuntime().addShutdownHook(new Thread(this::close));
    if (stopWith != null) {
      ProcessHandle.of(stopWith)
          .<CompletableFuture<?>>map(ProcessHandle::onExit)
          .orElse(CompletableFuture.completedFuture(null))
          .thenRunAsync(() -> System.exit(0));
    }
  }

  Path home() {
    return home;
  }

  synchronized void start(String name, List<String> command, Path log) throws IOException {
    if (closed) {
      throw new IllegalStateException("stopped");
    }
    var builder = new ProcessBuilder(command).directory(home.toFile()).redirectErrorStream(true);
    processes.put(name, builder.redirectOutput(ProcessBuilder.Redirect.appendTo(log.toFile())).start());
    logs.put(name, log);
  }

  void await(String name, Duration limit, Callable<Boolean> ready) throws Exception {
    var end = System.nanoTime() + limit.toNanos();
    while (!ready.call()) {
      if (processes.get(name).waitFor(200, TimeUnit.MILLISECONDS)) {
        throw new IllegalStateException(name + " ended while starting:\n" + logEnd(name));
      }
      if (System.nanoTime() > end) {
        throw new IllegalStateException(name + " is not ready after " + limit + ":\n" + logEnd(name));
      }
    }
  }

  private String logEnd(String name) throws IOException {
    try (var lines = Files.lines(logs.get(name))) {
      var all = lines.toList();
      return String.join("\n", all.subList(Math.max(0, all.size() - 40), all.size()));
    }
  }

  /** Waits for the end of all; 1 since nobody asked for it. */
  int join() throws InterruptedException {
    for (var process : processes.values()) {
      process.waitFor();
    }
    return 1;
  }

  @Override
  public synchronized void close() {
    if (closed) {
      return;
    }
    closed = true;
    // not Process.destroy: it closes the standard input, and that is the end at once
    processes.values().forEach(process -> process.toHandle().destroy());
    for (var process : processes.values()) {
      try {
        if (!process.waitFor(60, TimeUnit.SECONDS)) {
          process.destroyForcibly().waitFor();
        }
      } catch (InterruptedException e) {
        process.destroyForcibly();
      }
    }
    if (temporary) {
      delete(home);
    }
  }

  static int explain(Exception e, CommandLine commandLine, CommandLine.ParseResult arguments) {
    System.err.println("error: " + (e instanceof IllegalStateException ? e.getMessage() : e));
    return 1;
  }

  static void delete(Path folder) {
    try (var paths = Files.walk(folder)) {
      for (var path : paths.sorted(Comparator.reverseOrder()).toList()) {
        Files.deleteIfExists(path);
      }
    } catch (IOException e) {
      System.err.println("cannot delete " + folder + ": " + e.getMessage());
    }
  }

  /** Called by the server process: its standard input closes when the process that started it is gone. */
  static void endWithParent() {
    var watch =
        new Thread(
            () -> {
              try {
                while (System.in.read() >= 0) {}
              } catch (IOException e) {
                // gone as well
              }
              Runtime.getRuntime().halt(1);
            });
    watch.setDaemon(true);
    watch.start();
  }
}
