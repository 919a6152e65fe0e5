import java.time.Duration;
import java.time.Instant;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.List;

/** The steps of a run with their times, for its report. Several threads may add to it. */
final class StepTimes {
  /** The step in which the administrator is asked: its time is not the restore's. */
  static final String QUESTION = "question";
  private final Instant started;
  private final List<Step> steps = new ArrayList<>();

  /**
   * A step.
   *
   * @param part cassandra, elasticsearch, files or s3; empty for a step of the whole run
   * @param startMillis from the start of the run
   * @param bytes that it moves; 0 where it moves none
   */
  record Step(String part, String step, long startMillis, long millis, long bytes) {
    long endMillis() {
      return startMillis + millis;
    }
  }

  /** The work of a step. */
  interface Action<E extends Exception> {
    void run() throws E;
  }

  /** The work of a step that finds something. */
  interface Source<T, E extends Exception> {
    T get() throws E;
  }

  StepTimes(Instant started) {
    this.started = started;
  }

  <E extends Exception> void time(Object part, String step, Action<E> action) throws E {
    time(part, step, 0, action);
  }

  /** Runs a step and adds its time, also where it fails. */
  <E extends Exception> void time(Object part, String step, long bytes, Action<E> action) throws E {
    value(part, step, bytes, () -> {
      action.run();
      return null;
    });
  }

  /** The same for a step that finds something. */
  <T, E extends Exception> T value(Object part, String step, long bytes, Source<T, E> source) throws E {
    var begun = Duration.between(started, Instant.now()).toMillis();
    try {
      return source.get();
    } finally {
      var end = Duration.between(started, Instant.now()).toMillis();
      synchronized (this) {
        steps.add(new Step("" + part, step, begun, end - begun, bytes));
      }
    }
  }

  /** All until now, in the order in which they began. */
  synchronized List<Step> list() {
    return steps.stream().sorted(Comparator.comparingLong(Step::startMillis)).toList();
  }

  /** Seconds in which the administrator was asked. */
  double waited() {
    return list().stream().filter(step -> step.step().equals(QUESTION)).mapToLong(Step::millis).sum() / 1000.0;
  }

  /** Seconds since the last answer of the administrator, or since the beginning. */
  double sinceAnswer() {
    return (Duration.between(started, Instant.now()).toMillis() - answered(list())) / 1000.0;
  }

  private static long answered(List<Step> steps) {
    return steps.stream().filter(step -> step.step().equals(QUESTION)).mapToLong(Step::endMillis).max().orElse(0);
  }

  /** How long a part was restored: from the answer, or from the beginning, to its last step; 0 where none is known. */
  static double seconds(List<Step> steps, String part) {
    var answer = answered(steps);
    var own = steps.stream().filter(step -> step.part().equals(part) && step.startMillis() >= answer).toList();
    return own.isEmpty() ? 0 : (own.stream().mapToLong(Step::endMillis).max().orElseThrow()
        - own.stream().mapToLong(Step::startMillis).min().orElseThrow()) / 1000.0;
  }
}
