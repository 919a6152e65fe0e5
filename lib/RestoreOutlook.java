//DEPS com.fasterxml.jackson.core:jackson-databind:2.23.0

import com.fasterxml.jackson.databind.JsonNode;
import java.io.IOException;
import java.time.ZoneId;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.function.Predicate;

/**
 * The lines of a plan about the restore as a whole.
 *
 * @param point the line that names the restore point
 * @param seconds how long the restore will probably take; empty where no earlier one tells
 * @param earlier the restore that tells it
 */
record RestoreOutlook(String point, Optional<Double> seconds, Optional<RestoreReport> earlier) {
  /** A restore of more than so many times the bytes is another matter. */
  private static final int MOST_TIMES = 20;

  /**
   * Looks for the newest successful restore of the same script.
   *
   * @param bytes to restore, by part
   * @param alike true for the report of a restore that was made in the same way
   */
  static RestoreOutlook of(RestoreRun run, String point, Map<String, Long> bytes, Predicate<JsonNode> alike) {
    try {
      var earlier = RunReports.newest(run.folder(), run.script(), json -> json.path("exit").asInt(-1) == Exit.DONE
          && json.has("started") && json.has("steps") && alike.test(json)).map(RestoreReport::of);
      return new RestoreOutlook(point, earlier.flatMap(report -> seconds(report, bytes)), earlier);
    } catch (IOException | RuntimeException e) {
      return new RestoreOutlook(point, Optional.empty(), Optional.empty()); // it only tells
    }
  }

  /** Scales an earlier time by the bytes of then and now; the longest part counts: they run side by side. */
  static Optional<Double> seconds(RestoreReport earlier, Map<String, Long> bytes) {
    var longest = 0.0;
    for (var part : bytes.entrySet()) {
      var before = earlier.part(part.getKey()).map(RestoreReport.Part::bytes).orElse(0L);
      var took = earlier.seconds(part.getKey());
      if (before <= 0 || took <= 0 || part.getValue() > MOST_TIMES * before) {
        return Optional.empty();
      }
      longest = Math.max(longest, took * part.getValue() / before);
    }
    return Optional.of(longest).filter(time -> time > 0);
  }

  List<String> lines() {
    var lines = new ArrayList<>(List.of(point));
    seconds.ifPresent(time -> lines.add("it will take about %s, as the restore of %s".formatted(
        ProgressLine.time(time),
        RestoreReport.TIME.format(earlier.orElseThrow().started().atZone(ZoneId.systemDefault())))));
    return lines;
  }

  /** The real time, and beside it what was expected. */
  String end(StepTimes times) {
    return "The restore took %s%s".formatted(ProgressLine.time(times.sinceAnswer()),
        seconds.map(time -> ", about %s were expected".formatted(ProgressLine.time(time))).orElse(""));
  }
}
