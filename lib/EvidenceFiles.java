//DEPS info.picocli:picocli:4.7.7

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.time.Instant;
import java.util.List;
import java.util.Optional;
import picocli.CommandLine.Option;

/** The files in which verify.java leaves what it found, for people and for monitoring. */
final class EvidenceFiles {
  @Option(names = "--evidence", paramLabel = "FILE", description = "write a page (HTML), or data (*.json), too")
  List<Path> evidence = List.of();

  @Option(names = "--note", paramLabel = "TEXT", description = "a line for that page or data; may be repeated")
  List<String> notes = List.of();

  @Option(names = "--metrics", paramLabel = "FILE", description = "write metrics for node-exporter, too")
  Optional<Path> metrics = Optional.empty();

  private boolean isWritten;

  /** Throws if nothing would be written at the end: to be known before hours of checks. */
  void requireWritable() {
    if (!notes.isEmpty() && evidence.isEmpty()) {
      throw new Failure(Exit.USAGE,
          "--note '%s' is a line of the page, and no page is asked for".formatted(notes.get(0)), "add --evidence"
              + " <file>.html");
    }
    evidence.forEach(EvidenceFiles::requireWritable);
    metrics.ifPresent(EvidenceFiles::requireWritable);
  }

  private static void requireWritable(Path file) {
    var folder = file.toAbsolutePath().getParent();
    var isOther = Files.exists(file) && !Files.isRegularFile(file); // a folder, or a device, which must stay one
    if (isOther || !Files.isDirectory(folder)) {
      throw new Failure(Exit.USAGE, isOther ? "%s is not a file".formatted(file)
          : "there is no folder %s".formatted(folder), "name a file in a folder that exists");
    }
    var probe = temporary(file);
    try {
      Files.writeString(probe, "");
      Files.delete(probe);
    } catch (IOException e) {
      throw notWritten(file, Exit.UNSAFE, e);
    }
  }

  /** Beside it, so that it can take its place at once; of a name that node-exporter does not read. */
  private static Path temporary(Path file) {
    var process = ProcessHandle.current().pid();
    return file.toAbsolutePath().resolveSibling(".%s.%d.tmp".formatted(file.getFileName(), process));
  }

  private static Failure notWritten(Path file, int code, IOException e) {
    return new Failure(code, "cannot write %s: %s".formatted(file, Failure.of(e).getMessage()),
        "make its folder writable, make room, or name another file", e);
  }

  /** True if the archives' checksums are wanted. */
  boolean hasEvidence() {
    return !evidence.isEmpty();
  }

  boolean areWanted() {
    return hasEvidence() || metrics.isPresent();
  }

  /** Writes those that are wanted. */
  void write(Evidence found) throws IOException {
    isWritten = true;
    for (var file : evidence) {
      write(file, file.toString().endsWith(".json") ? EvidenceJson.of(found) : EvidencePage.of(found));
    }
    writeMetrics(found);
  }

  private void writeMetrics(Evidence found) throws IOException {
    if (metrics.isPresent()) {
      write(metrics.get(), EvidenceMetrics.of(found, before(metrics.get())));
    }
  }

  /** Writes the metrics of a run that failed before it had a result, for monitoring; there is no evidence then. */
  void writeFailure(String script, Instant started, Failure failure) throws IOException {
    if (!isWritten) {
      writeMetrics(Evidence.ofFailure(script, started, failure));
    }
  }

  private static String before(Path file) throws IOException {
    try {
      return Files.readString(file);
    } catch (NoSuchFileException e) {
      return "";
    }
  }

  /** Whoever reads the file meanwhile finds the old one or the new one whole. */
  private static void write(Path file, String text) {
    try {
      var target = Files.exists(file) ? file.toRealPath() : file; // a link stays one
      var temporary = temporary(target);
      try {
        Files.writeString(temporary, text);
        Files.move(temporary, target, StandardCopyOption.ATOMIC_MOVE);
      } finally {
        Files.deleteIfExists(temporary);
      }
    } catch (IOException e) {
      throw notWritten(file, Exit.UNEXPECTED, e);
    }
  }
}
