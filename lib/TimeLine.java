import java.time.Duration;
import java.time.Instant;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.List;

/**
 * Steps of several runs on one line. Times in which nothing ran, or the administrator was asked, are left out of it.
 *
 * @param seconds how long the line is
 * @param idle seconds that were left out
 */
record TimeLine(List<Bar> bars, double seconds, double idle) {
  /** A run, from its begin to its end, or one of its steps. */
  record Span(String run, String part, String step, Instant start, Instant end, long bytes) {
    boolean isQuestion() {
      return step.equals(StepTimes.QUESTION);
    }

    boolean isRun() {
      return step.isEmpty();
    }
  }

  /**
   * The place of a span on the line, in percent of its length.
   *
   * @param seconds of the span that are on the line
   */
  record Bar(Span span, double left, double width, double seconds) {}

  /** The spans of a run that began then. */
  static List<Span> spans(String run, Instant started, double seconds, List<StepTimes.Step> steps) {
    var spans = new ArrayList<Span>();
    spans.add(new Span(run, "", "", started, started.plusMillis(Math.round(seconds * 1000)), 0));
    steps.forEach(step -> spans.add(new Span(run, step.part(), step.step(), started.plusMillis(step.startMillis()),
        started.plusMillis(step.endMillis()), step.bytes())));
    return spans;
  }

  /** Runs in the order of their begin, each with its steps below it; questions have no bar. */
  static TimeLine of(List<Span> spans) {
    var busy = busy(spans);
    var length = Math.max(1, busy.stream().mapToLong(Interval::millis).sum());
    var bars = new ArrayList<Bar>();
    var runs = spans.stream().filter(Span::isRun).sorted(Comparator.comparing(Span::start)).toList();
    for (var run : runs) {
      bars.add(bar(run, busy, length));
      spans.stream().filter(span -> span.run().equals(run.run()) && !span.isRun() && !span.isQuestion())
          .sorted(Comparator.comparing(Span::start)).forEach(span -> bars.add(bar(span, busy, length)));
    }
    var whole = runs.isEmpty() ? 0 : Duration.between(runs.get(0).start(),
        runs.stream().map(Span::end).max(Comparator.naturalOrder()).orElseThrow()).toMillis();
    return new TimeLine(bars, length / 1000.0, Math.max(0, whole - length) / 1000.0);
  }

  private static Bar bar(Span span, List<Interval> busy, long length) {
    var left = before(span.start(), busy);
    var width = before(span.end(), busy) - left;
    return new Bar(span, 100.0 * left / length, 100.0 * width / length, width / 1000.0);
  }

  private record Interval(Instant start, Instant end) {
    long millis() {
      return Duration.between(start, end).toMillis();
    }
  }

  /** Milliseconds of the line that are before a time. */
  private static long before(Instant time, List<Interval> busy) {
    return busy.stream().filter(interval -> interval.start().isBefore(time))
        .mapToLong(interval -> Duration.between(interval.start(),
        interval.end().isBefore(time) ? interval.end() : time).toMillis()).sum();
  }

  /** The times in which a run ran and did not wait for an answer, joined where they touch. */
  private static List<Interval> busy(List<Span> spans) {
    var single = new ArrayList<Interval>();
    for (var run : spans.stream().filter(Span::isRun).toList()) {
      var start = run.start();
      var questions = spans.stream().filter(span -> span.isQuestion() && span.run().equals(run.run()))
          .sorted(Comparator.comparing(Span::start)).toList();
      for (var question : questions) {
        single.add(new Interval(start, question.start()));
        start = question.end();
      }
      single.add(new Interval(start, run.end()));
    }
    single.sort(Comparator.comparing(Interval::start));
    var joined = new ArrayList<Interval>();
    for (var next : single) {
      var last = joined.isEmpty() ? null : joined.get(joined.size() - 1);
      if (last == null || next.start().isAfter(last.end())) {
        joined.add(next);
      } else if (next.end().isAfter(last.end())) {
        joined.set(joined.size() - 1, new Interval(last.start(), next.end()));
      }
    }
    return joined;
  }
}
