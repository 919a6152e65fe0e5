//DEPS com.fasterxml.jackson.core:jackson-databind:2.23.0

import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import java.io.Closeable;
import java.io.IOException;
import java.nio.channels.Channels;
import java.nio.channels.FileChannel;
import java.nio.file.FileSystemException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.nio.file.StandardOpenOption;
import java.time.Duration;
import java.time.Instant;
import java.time.LocalDateTime;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.TreeSet;

/**
 * The lock, the marker of an unfinished restore and the report, beside the archives or in RESTORE_STATE_PATH. The
 * marker stands from the first change to the success; while it stands, TheHive must not be started.
 */
final class RestoreRun implements Closeable {
  private final Path folder;
  private final String script;
  private final Path marker;
  private final FileChannel lock;
  private final Instant started = Instant.now();

  /** The times of the run's steps: they go into the report. */
  final StepTimes steps = new StepTimes(started);

  RestoreRun(Path folder, String script, boolean dryRun) {
    this.folder = folder;
    this.script = script;
    this.marker = folder.resolve(script + ".unfinished");
    this.lock = dryRun && !Files.isWritable(folder) ? null : lock(folder.resolve("." + script + ".lock"));
  }

  Path folder() {
    return folder;
  }

  String script() {
    return script;
  }

  private static FileChannel lock(Path file) {
    try {
      var lock = FileChannel.open(file, StandardOpenOption.CREATE, StandardOpenOption.WRITE);
      if (lock.tryLock() == null) {
        throw new Failure(Exit.UNSAFE, "another restore is running: %s is locked".formatted(file), "wait for its end");
      }
      return lock;
    } catch (IOException e) {
      throw notWritable(file.getParent(), Failure.of(e).getMessage(), e);
    }
  }

  private static Failure notWritable(Path folder, String reason, Throwable cause) {
    return new Failure(Exit.UNSAFE, "cannot write to %s: %s".formatted(folder, reason),
        "lock, marker and report are kept there: make it writable, make room, or name another folder with"
            + " RESTORE_STATE_PATH",
        cause);
  }

  /** Tells in a dry run, which writes nothing there, why a real run could not begin. */
  Optional<Failure> problem() {
    return lock != null ? Optional.empty()
        : Optional.of(notWritable(folder, Files.isDirectory(folder) ? "access denied" : "no such folder", null));
  }

  /** The notes that an interrupted run left for this one; empty when there was none. */
  JsonNode unfinished() {
    try {
      if (!Files.exists(marker)) {
        return Json.MAPPER.createObjectNode();
      }
      var left = Json.MAPPER.readTree(marker.toFile());
      if (!left.isObject()) {
        throw unreadable(
            Files.size(marker) == 0 ? "it is empty, as a full disk leaves it" : "it is not a marker of these scripts",
            null);
      }
      return left;
    } catch (JsonProcessingException e) {
      throw unreadable("it is not whole", e);
    } catch (IOException e) {
      throw unreadable(Failure.of(e).getMessage(), e);
    }
  }

  private Failure unreadable(String reason, Throwable cause) {
    return new Failure(Exit.UNSAFE,
        "cannot read %s: %s. A restore was begun and may be unfinished".formatted(marker, reason),
        "keep TheHive stopped, remove that file, and run the same restore again to its end", cause);
  }

  /** Marks parts as unfinished: to be called before the first change. Safe on disk when it returns. */
  synchronized void begin(Set<String> parts) throws IOException {
    var open = new TreeSet<>(parts);
    unfinished().path("unfinished").forEach(part -> open.add(part.asText()));
    remember("unfinished", open);
  }

  /** Adds to the marker what a run after this one would need to know. */
  synchronized void remember(String name, Object value) throws IOException {
    write(marker, ((ObjectNode) unfinished()).set(name, Json.MAPPER.valueToTree(value)));
  }

  /** Writes the report, and takes finished parts from the marker; the marker goes with the last. */
  synchronized Path end(int code, Set<String> finished, Map<String, ?> what) throws IOException {
    var report = Json.MAPPER.createObjectNode().put("script", script).put("release", Release.VERSION)
        .put("started", started.toString()).put("seconds", Duration.between(started, Instant.now()).toMillis() / 1000.0)
        .put("waited", steps.waited()).put("exit", code);
    what.forEach((name, value) -> report.set(name, Json.MAPPER.valueToTree(value)));
    report.set("steps", Json.MAPPER.valueToTree(steps.list()));
    var file = folder.resolve(script + "_" + BackupSet.STAMP.format(LocalDateTime.now()) + ".json");
    write(file, report);
    var open = new TreeSet<String>();
    unfinished().path("unfinished").forEach(part -> open.add(part.asText()));
    open.removeAll(finished);
    if (open.isEmpty()) {
      Files.deleteIfExists(marker);
    } else {
      remember("unfinished", open);
    }
    return file;
  }

  private static void write(Path file, Object what) throws IOException {
    var temporary = file.resolveSibling(file.getFileName() + ".tmp");
    try {
      write(file, temporary, what);
    } catch (FileSystemException e) {
      throw notWritable(file.getParent(), Failure.of(e).getMessage(), e);
    } catch (IOException e) {
      throw notWritable(file.getParent(), e.getMessage(), e); // the kernel's error of a write has no name
    } finally {
      Files.deleteIfExists(temporary);
    }
  }

  private static void write(Path file, Path temporary, Object what) throws IOException {
    try (var out = FileChannel.open(temporary, StandardOpenOption.CREATE, StandardOpenOption.WRITE,
        StandardOpenOption.TRUNCATE_EXISTING)) {
      // a disk that becomes full takes a part first: the channel itself would leave it at that
      Channels.newOutputStream(out).write(Json.MAPPER.writeValueAsBytes(what));
      out.force(true);
    }
    Files.move(temporary, file, StandardCopyOption.ATOMIC_MOVE);
  }

  @Override
  public void close() throws IOException {
    if (lock != null) {
      lock.close();
    }
  }
}
