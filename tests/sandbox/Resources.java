//SOURCES ../../lib/ProgressLine.java

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Optional;
import java.util.OptionalLong;
import java.util.regex.Pattern;

/** Memory and disk, in bytes: what a host has left, or what servers need. */
record Resources(long memory, long disk) {
  private static final List<List<String>> CONTROL_GROUPS = List.of(
      List.of("/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory.current", "inactive_file"),
      List.of("/sys/fs/cgroup/memory/memory.limit_in_bytes", "/sys/fs/cgroup/memory/memory.usage_in_bytes",
          "total_inactive_file"));

  static Resources left(Path folder) throws IOException {
    var memory = available(read("/proc/meminfo"));
    for (var group : CONTROL_GROUPS) {
      var stat = read(Path.of(group.get(0)).resolveSibling("memory.stat").toString());
      var limited = left(read(group.get(0)), read(group.get(1)), number(group.get(2) + " ", stat));
      memory = Math.min(memory, limited.orElse(memory));
    }
    return new Resources(memory, Files.getFileStore(folder).getUsableSpace());
  }

  private static String read(String file) {
    try {
      return Files.readString(Path.of(file)).strip();
    } catch (IOException e) {
      return "";
    }
  }

  /** Bytes that processes can get; no limit is known where the kernel does not tell. */
  static long available(String meminfo) {
    var kilobytes = number("MemAvailable:", meminfo);
    return kilobytes.isPresent() ? kilobytes.getAsLong() * 1024 : Long.MAX_VALUE;
  }

  /** What a control group leaves, as in a container; empty where it has no limit. */
  static Optional<Long> left(String limit, String usage, OptionalLong reclaimable) {
    if (!limit.matches("\\d{1,15}") || !usage.matches("\\d{1,15}")) {
      return Optional.empty();
    }
    return Optional.of(Math.max(0, Long.parseLong(limit) - Long.parseLong(usage) + reclaimable.orElse(0)));
  }

  private static OptionalLong number(String name, String text) {
    var match = Pattern.compile("(?m)^" + Pattern.quote(name) + "\\s*(\\d+)").matcher(text);
    return match.find() ? OptionalLong.of(Long.parseLong(match.group(1))) : OptionalLong.empty();
  }

  /** What is lacking here of what is needed, in words; empty if nothing is. */
  Optional<String> lacks(Resources needed, Path folder) {
    if (memory < needed.memory) {
      return Optional.of("%s of memory are available, and about %s are needed".formatted(ProgressLine.size(memory),
          ProgressLine.size(needed.memory)));
    }
    return disk >= needed.disk ? Optional.empty()
        : Optional.of("%s has room for %s, and about %s are needed".formatted(folder, ProgressLine.size(disk),
            ProgressLine.size(needed.disk)));
  }

  /** For the first lines: what is needed, and what there is. */
  String text(Resources left, Path folder) {
    return "%s of memory (%s available) and %s of disk in %s (%s free)".formatted(ProgressLine.size(memory),
        left.memory == Long.MAX_VALUE ? "not known how much" : ProgressLine.size(left.memory), ProgressLine.size(disk),
        folder, ProgressLine.size(left.disk));
  }
}
