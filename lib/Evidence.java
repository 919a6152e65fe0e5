import java.time.Instant;
import java.time.LocalDateTime;
import java.time.ZoneId;
import java.time.format.DateTimeFormatter;
import java.util.ArrayList;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.stream.Collectors;
import java.util.stream.Stream;

/**
 * The evidence of a restore: from the reports that the restores left, and from the checks of this run.
 *
 * @param point the time of the restore point; empty where no backup was found
 * @param restores the newest report of each part
 * @param unfinished restores that were begun and did not come to their end
 * @param counts what was compared, by part and unit: rows, documents, files, objects, bytes
 */
record Evidence(Check check, Verdict verdict, Optional<LocalDateTime> point, Map<String, RestoreReport> restores,
    List<String> unfinished, List<ArchiveSum> archives, Map<String, Map<String, Long>> counts) {
  private static final DateTimeFormatter SECONDS =
      DateTimeFormatter.ofPattern("d MMM yyyy HH:mm:ss z", Locale.ENGLISH).withZone(ZoneId.systemDefault());
  private static final List<String> ATTACHMENTS = List.of("files", "s3");
  /** Parts of the checks that are not of the backup. */
  private static final Set<String> AROUND = Set.of("services", "logs");

  /** Something that was not checked. */
  record Open(String what, String why) {}

  /**
   * The run that checked.
   *
   * @param archivesOnly true if no live system was looked at
   * @param notes lines of whoever ran it, such as the number of the change
   */
  record Check(String host, Instant started, Instant ended, boolean archivesOnly, List<StepTimes.Step> steps,
      List<String> notes) {
    double seconds() {
      return (ended.toEpochMilli() - started.toEpochMilli()) / 1000.0;
    }
  }

  /** The evidence of a run that failed before it had a result. */
  static Evidence ofFailure(String script, Instant started, Failure failure) {
    var findings = new Findings(script);
    findings.failed("run", failure);
    return new Evidence(new Check("", started, Instant.now(), false, List.of(), List.of()),
        Verdict.of(script, "", findings.list()), Optional.empty(), Map.of(), List.of(), List.of(), Map.of());
  }

  /** True if every check was made and is in order, and no restore failed. */
  boolean isComplete() {
    return verdict.exit() == Exit.DONE && failures().isEmpty() && open().isEmpty();
  }

  /** The whole in one sentence. It says "completely" only where that was seen. */
  String sentence() {
    var backup = point.map(time -> "The backup of " + RestoreReport.TIME.format(time)).orElse("The backup");
    var failures = failures();
    if (!failures.isEmpty()) {
      return "%s %s: %s.".formatted(backup, check.archivesOnly() ? "cannot be relied on"
          : AROUND.containsAll(failedParts()) && unfinished.isEmpty() && parts().stream().allMatch(Evidence::isGood)
              ? "was restored, but TheHive is not in order" : "was NOT restored completely",
          String.join("; ", failures));
    }
    if (verdict.exit() != Exit.DONE) {
      return "Nothing was checked.";
    }
    var open = open();
    var limits = open.isEmpty() ? "."
        : ", as far as it was checked. Not checked: %s."
            .formatted(open.stream().map(Open::what).collect(Collectors.joining(", ")));
    if (check.archivesOnly()) {
      return backup + " is whole" + limits;
    }
    var unreported = unreported();
    if (!unreported.isEmpty()) {
      return "%s is %s the system holds%s No report tells of the restore of %s.".formatted(backup,
          open.isEmpty() ? "exactly what" : "what", limits, String.join(", ", unreported));
    }
    return "%s was restored %sin %s%s".formatted(backup, open.isEmpty() ? "completely " : "",
        ProgressLine.time(seconds()), limits);
  }

  /** Each restore once, in the order in which they began. */
  List<RestoreReport> runs() {
    return new LinkedHashSet<>(restores.values()).stream()
        .sorted((one, other) -> one.started().compareTo(other.started())).toList();
  }

  /** The parts that were restored, each as its newest report tells. */
  List<RestoreReport.Part> parts() {
    return restores.entrySet().stream().flatMap(one -> one.getValue().part(one.getKey()).stream()).toList();
  }

  /** Seconds of all restores, without those in which somebody was asked. */
  double seconds() {
    return runs().stream().mapToDouble(run -> run.seconds() - run.waited()).sum();
  }

  /** The failures, in a few words each. */
  List<String> failures() {
    var failures = new ArrayList<String>();
    failedParts().forEach(part -> failures.add("%s (%s)".formatted(part,
        of(part).stream().filter(finding -> finding.result() == Mark.BAD).map(Finding::check).distinct()
        .collect(Collectors.joining(", ")))));
    parts().stream().filter(part -> !isGood(part))
        .forEach(part -> failures.add("the last restore of %s failed (%s)".formatted(part.name(), part.error())));
    unfinished.forEach(restore -> failures.add("a restore is unfinished (%s)".formatted(restore)));
    return failures;
  }

  private List<String> failedParts() {
    return verdict.checks().stream().filter(finding -> finding.result() == Mark.BAD).map(Finding::part).distinct()
        .toList();
  }

  private static boolean isGood(RestoreReport.Part part) {
    return part.error().isEmpty();
  }

  /** The parts that were not checked, and why; of the two stores of attachments one is enough. */
  List<Open> open() {
    var open = new ArrayList<Open>();
    Stream.of("cassandra", "elasticsearch").filter(part -> of(part).isEmpty())
        .forEach(part -> open.add(new Open(part, "not part of this run")));
    var stores = ATTACHMENTS.stream()
        .filter(part -> of(part).stream().anyMatch(finding -> finding.result() != Mark.SKIPPED)).toList();
    if (stores.isEmpty()) {
      open.add(new Open("attachments", "neither files nor s3"));
    }
    for (var finding : verdict.checks()) {
      var isOtherStore = ATTACHMENTS.contains(finding.part()) && !stores.contains(finding.part());
      if (finding.result() == Mark.SKIPPED && !isOtherStore) {
        open.add(new Open(finding.part() + " " + finding.check(), finding.text()));
      }
    }
    return open;
  }

  /** Parts that are in order, of which no successful restore of this backup is reported. */
  private List<String> unreported() {
    return RestoreTargets.PARTS.stream().filter(this::isInOrder)
        .filter(part -> !restores.containsKey(part)).toList();
  }

  /** True if a part was checked, and nothing of it is wrong. */
  boolean isInOrder(String part) {
    return of(part).stream().anyMatch(finding -> finding.result() == Mark.OK)
        && of(part).stream().noneMatch(finding -> finding.result() == Mark.BAD);
  }

  private List<Finding> of(String part) {
    return verdict.checks().stream().filter(finding -> finding.part().equals(part)).toList();
  }

  /** All runs and their steps on one line. */
  TimeLine timeLine() {
    var spans = new ArrayList<TimeLine.Span>();
    for (var run : runs()) {
      spans.addAll(TimeLine.spans(name(run.script(), run.exit(), run.started()), run.started(), run.seconds(),
          run.steps()));
    }
    spans.addAll(TimeLine.spans(name(verdict.script(), verdict.exit(), check.started()), check.started(),
        check.seconds(), check.steps()));
    return TimeLine.of(spans);
  }

  private static String name(String script, int exit, Instant started) {
    return "%s.java, %s, exit %d".formatted(script, time(started), exit);
  }

  static String time(Instant time) {
    return SECONDS.format(time);
  }
}
