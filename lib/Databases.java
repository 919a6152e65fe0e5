import java.io.Closeable;
import java.io.IOException;
import java.time.Duration;
import java.util.Comparator;
import java.util.EnumMap;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;
import java.util.stream.Collectors;

/** The databases of one run, which do each step side by side. */
record Databases(List<Database> list) implements Closeable {
  /** A step of the restore. */
  interface Step {
    void run(Database database) throws Exception;
  }

  /** Runs a step of all databases at once and waits for all: a failure of one neither stops nor hides the other. */
  Map<Database.Name, Failure> sideBySide(Step step) {
    var failures = new ConcurrentHashMap<Database.Name, Failure>();
    var threads = list.stream().map(database -> new Thread(() -> {
      try {
        step.run(database);
      } catch (Throwable thrown) {
        failures.put(database.name(), Failure.of(thrown));
      }
    }, database.name().title)).toList();
    threads.forEach(Thread::start);
    threads.forEach(thread -> {
      try {
        thread.join();
      } catch (InterruptedException e) {
        throw new IllegalStateException(e);
      }
    });
    return failures.isEmpty() ? Map.of() : new EnumMap<>(failures);
  }

  /** The same, with the time that each takes for it. */
  Map<Database.Name, Failure> sideBySide(StepTimes times, String name, Step step) {
    return sideBySide(database -> times.time(database.name(), name, () -> step.run(database)));
  }

  /** Throws if the chosen backups are further apart than those of one run are. */
  static void requireOneRun(List<Backup> chosen, Duration gap) {
    var first = chosen.stream().min(Comparator.comparing(Backup::taken)).orElseThrow();
    var last = chosen.stream().max(Comparator.comparing(Backup::taken)).orElseThrow();
    var apart = Duration.between(first.taken(), last.taken());
    if (apart.compareTo(gap) > 0) {
      throw new Failure(Exit.BAD_BACKUP,
          "%s and %s were taken %s apart: database and index may not belong together".formatted(
              first.name(), last.name(), text(apart)),
          "choose a restore point that both have with --backup; to restore these all the same: --max-gap PT%dM"
          .formatted(apart.toMinutes() + 1));
    }
  }

  private static String text(Duration time) {
    return time.toDays() > 1 ? time.toDays() + " days" : time.toHours() > 1 ? time.toHours() + " hours"
        : time.toMinutes() + " minutes";
  }

  Set<String> names() {
    return list.stream().map(database -> database.name().toString()).collect(Collectors.toSet());
  }

  /** The names of those that did not fail. */
  Set<String> finished(Map<Database.Name, Failure> failed) {
    return list.stream().map(Database::name).filter(name -> !failed.containsKey(name)).map(Database.Name::toString)
        .collect(Collectors.toSet());
  }

  long done() {
    return list.stream().mapToLong(Database::done).sum();
  }

  long total() {
    return list.stream().mapToLong(Database::total).sum();
  }

  /** Bytes of the backups, by database. */
  Map<String, Long> sizes() {
    return list.stream().collect(Collectors.toMap(database -> database.name().toString(), Database::size));
  }

  String state() {
    return list.stream().map(Database::state).collect(Collectors.joining(", "));
  }

  /** The lines of each plan. */
  Map<String, List<String>> plans() {
    var all = new LinkedHashMap<String, List<String>>();
    list.forEach(database -> all.put(database.name().toString(), database.plan()));
    return all;
  }

  /** The report's section about each, with the reason where one failed. */
  Map<String, Object> summary(Map<Database.Name, Failure> failed) {
    var all = new LinkedHashMap<String, Object>();
    list.forEach(database -> all.put(database.name().toString(), database.summary()));
    if (!failed.isEmpty()) {
      all.put("errors", failed.values().stream().map(Failure::getMessage).toList());
      var failures = new LinkedHashMap<String, String>();
      failed.forEach((name, failure) -> failures.put(name.toString(), failure.getMessage()));
      all.put("failures", failures);
    }
    return all;
  }

  @Override
  public void close() throws IOException {
    for (var database : list) {
      database.close();
    }
  }
}
