//DEPS io.prometheus:prometheus-metrics-exposition-textformats:1.8.0 // names, HELP, TYPE and escaping of a .prom file
//DEPS io.prometheus:prometheus-metrics-model:1.8.0

import io.prometheus.metrics.expositionformats.PrometheusTextFormatWriter;
import io.prometheus.metrics.model.snapshots.GaugeSnapshot;
import io.prometheus.metrics.model.snapshots.Labels;
import io.prometheus.metrics.model.snapshots.MetricSnapshot;
import io.prometheus.metrics.model.snapshots.MetricSnapshots;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.time.Instant;
import java.time.ZoneId;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.OptionalDouble;
import java.util.regex.Pattern;

/** The evidence as numbers, in a file of which node-exporter's textfile collector makes metrics. */
final class EvidenceMetrics {
  private static final String SUCCESS = "thehive_verify_last_success_timestamp_seconds";
  private static final Pattern LAST_SUCCESS = Pattern.compile("(?m)^" + SUCCESS + " (\\S+)$");
  private final List<MetricSnapshot> metrics = new ArrayList<>();

  private EvidenceMetrics() {}

  /** @param before the text that the last run wrote; empty for none: it remembers the last success */
  static String of(Evidence evidence, String before) throws IOException {
    var all = new EvidenceMetrics();
    all.addRun(evidence, lastSuccess(before));
    all.addParts(evidence);
    all.addRestores(evidence);
    var out = new ByteArrayOutputStream();
    PrometheusTextFormatWriter.create().write(out, new MetricSnapshots(all.metrics));
    return out.toString(StandardCharsets.UTF_8);
  }

  private static OptionalDouble lastSuccess(String before) {
    var value = LAST_SUCCESS.matcher(before);
    try {
      return value.find() ? OptionalDouble.of(Double.parseDouble(value.group(1))) : OptionalDouble.empty();
    } catch (NumberFormatException e) {
      return OptionalDouble.empty();
    }
  }

  private void addRun(Evidence evidence, OptionalDouble lastSuccess) {
    var end = seconds(evidence.check().ended());
    var good = evidence.verdict().exit() == Exit.DONE;
    add("thehive_verify_last_run_timestamp_seconds", "When verify.java ran last.", end);
    if (good || lastSuccess.isPresent()) {
      add(SUCCESS, "When verify.java ran last and found nothing wrong.", good ? end : lastSuccess.getAsDouble());
    }
    add("thehive_verify_success", "1 if the last run found nothing wrong.", good ? 1 : 0);
    add("thehive_verify_complete", "1 if every check was made and is in order.", evidence.isComplete() ? 1 : 0);
    add("thehive_verify_exit_code", "Exit code of the last run.", evidence.verdict().exit());
    add("thehive_verify_duration_seconds", "How long the last run took.", evidence.check().seconds());
    evidence.point().ifPresent(point -> {
      var taken = point.atZone(ZoneId.systemDefault()).toInstant();
      add("thehive_restore_point_timestamp_seconds", "When the backup was taken that was compared.", seconds(taken));
      add("thehive_restore_point_age_seconds", "How old that backup was when the run ended.",
          Duration.between(taken, evidence.check().ended()).toSeconds());
    });
  }

  private void addParts(Evidence evidence) {
    var success = new LinkedHashMap<Labels, Double>();
    var findings = new LinkedHashMap<Labels, Double>();
    for (var finding : evidence.verdict().checks()) {
      if (finding.result() != Mark.SKIPPED) {
        success.put(Labels.of("part", finding.part()), evidence.isInOrder(finding.part()) ? 1.0 : 0.0);
      }
      findings.merge(Labels.of("part", finding.part(), "result", switch (finding.result()) {
        case OK -> "ok";
        case BAD -> "bad";
        case WARNING -> "warning";
        case SKIPPED -> "skipped";
      }), 1.0, Double::sum);
    }
    add("thehive_verify_part_success", "1 if nothing of a part that was checked is wrong.", success);
    add("thehive_verify_checks", "Checks of the last run by their results.", findings);
    var counts = new LinkedHashMap<Labels, Double>();
    evidence.counts().forEach((part, units) ->
        units.forEach((unit, count) -> counts.put(Labels.of("part", part, "unit", unit), (double) count)));
    add("thehive_verify_compared", "What the backup holds and was compared: rows, documents, files, objects, bytes.",
        counts);
  }

  private void addRestores(Evidence evidence) {
    var ends = new LinkedHashMap<Labels, Double>();
    var times = new LinkedHashMap<Labels, Double>();
    var bytes = new LinkedHashMap<Labels, Double>();
    var success = new LinkedHashMap<Labels, Double>();
    evidence.restores().forEach((name, run) -> run.part(name).ifPresent(part -> {
      var labels = Labels.of("part", name);
      ends.put(labels, seconds(run.started()) + run.seconds());
      times.put(labels, run.seconds(name));
      bytes.put(labels, (double) part.bytes());
      success.put(labels, part.error().isEmpty() ? 1.0 : 0.0);
    }));
    add("thehive_restore_end_timestamp_seconds", "When the part was restored last.", ends);
    add("thehive_restore_duration_seconds", "How long that took.", times);
    add("thehive_restore_bytes", "Bytes that were restored.", bytes);
    add("thehive_restore_success", "1 if that restore did not fail.", success);
  }

  private static double seconds(Instant time) {
    return time.toEpochMilli() / 1000.0;
  }

  private void add(String name, String help, double value) {
    add(name, help, Map.of(Labels.EMPTY, value));
  }

  private void add(String name, String help, Map<Labels, Double> values) {
    if (!values.isEmpty()) {
      var metric = GaugeSnapshot.builder().name(name).help(help);
      values.forEach((labels, value) -> metric.dataPoint(
          GaugeSnapshot.GaugeDataPointSnapshot.builder().labels(labels).value(value).build()));
      metrics.add(metric.build());
    }
  }
}
