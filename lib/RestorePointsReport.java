import java.util.List;
import java.util.Map;
import java.util.stream.Collectors;

/**
 * The restore points there are, as {@code --json} prints them.
 *
 * @param exit the exit code
 * @param summary the last line
 * @param points the newest first
 * @param others what belongs to no point, with the reason
 * @param notes where nothing was found, or who could not be asked
 */
record RestorePointsReport(String script, int exit, String summary, List<RestorePoint> points,
    Map<String, String> others, List<String> notes) {
  /** The newest point counts, but for one whose backup is still being taken. */
  static RestorePointsReport of(String script, RestorePoints.All all, List<String> notes) {
    var counting = all.points().stream()
        .filter(point -> !point.running() || point.verdict() == RestorePoint.State.COMPLETE).findFirst();
    var complete = all.points().stream().filter(point -> point.verdict() == RestorePoint.State.COMPLETE).findFirst();
    var exit = counting.map(RestorePoint::verdict).map(RestorePointsReport::exit).orElse(Exit.BAD_BACKUP);
    var text = counting
        .map(point -> "the newest, %s, is %s".formatted(point.point(), point.verdict().shown.replaceFirst("^\\S+ ", "")
            + point.reasons().stream().limit(1).map(reason -> ": " + reason).collect(Collectors.joining())))
        .orElse(all.points().isEmpty() ? "" : "none is at its end");
    var older = complete.isPresent() && !complete.equals(counting)
        ? ". The newest that is complete: %s, %s".formatted(complete.get().point(), complete.get().age()) : "";
    var number = all.points().size();
    return new RestorePointsReport(script, exit,
        "=== %s %s%s%s%s ===".formatted(exit == Exit.DONE ? "✓" : "✗", number == 0 ? "No restore point" : number,
            number == 0 ? "" : number == 1 ? " restore point; " : " restore points; ", text, older),
        all.points(), all.others(), notes);
  }

  private static int exit(RestorePoint.State verdict) {
    return switch (verdict) {
      case COMPLETE -> Exit.DONE;
      case UNKNOWN -> Exit.UNREACHABLE;
      default -> Exit.BAD_BACKUP;
    };
  }

  /** A line for each point, below it its parts and notes; then what belongs to none, and the summary. */
  String table() {
    var width =
        points.stream().flatMap(point -> point.parts().stream()).mapToInt(part -> shown(part).length()).max().orElse(1);
    var lines = new StringBuilder();
    for (var point : points) {
      lines.append("%s  %-14s  %s%n".formatted(point.point(), point.age(), point.verdictLine()));
      point.parts().forEach(part -> addPart(lines, part, width));
      point.notes().forEach(note -> lines.append("    note: ").append(note).append('\n'));
    }
    if (!others.isEmpty()) {
      lines.append("Of no restore point:\n");
      others.forEach((name, reason) -> lines.append("    %s: %s%n".formatted(name, reason)));
    }
    notes.forEach(note -> lines.append("note: ").append(note).append('\n'));
    return lines.append(summary).append('\n').toString();
  }

  private static void addPart(StringBuilder lines, RestorePoint.Part part, int width) {
    var size = part.bytes() == null ? "size not known" : Console.size(part.bytes());
    var apart = part.secondsBefore() == 0 ? ""
        : RestorePoints.shown(Math.abs(part.secondsBefore())) + (part.secondsBefore() > 0 ? " before" : " after");
    var state =
        part.snapshot() == null ? "" : part.snapshot().equals(SnapshotState.UNKNOWN) ? "not known" : part.snapshot();
    lines.append(("    %-13s  %-" + width + "s  %14s  %-12s  %s")
        .formatted(part.part(), shown(part), size, apart, state).stripTrailing()).append('\n');
    if (!part.indices().isEmpty()) {
      lines.append("      ")
          .append(part.indices().entrySet().stream().map(index -> index.getKey() + (index.getValue() == null ? ""
          : " (" + Console.size(index.getValue()) + ")")).collect(Collectors.joining(", "))).append('\n');
    }
  }

  /** An archive of Cassandra with its folder, which may be the node's. */
  private static String shown(RestorePoint.Part part) {
    var path = part.file().split("/");
    return path.length > 1 && part.part().equals("cassandra") ? path[path.length - 2] + "/" + path[path.length - 1]
        : path[path.length - 1];
  }
}
