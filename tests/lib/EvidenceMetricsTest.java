import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.PosixFilePermission;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.regex.Pattern;
import java.util.stream.Collectors;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** The file for node-exporter. */
class EvidenceMetricsTest {
  private static final Map<String, RestoreReport> REPORTS =
      SampleEvidence.reports(SampleEvidence.DATABASES, SampleEvidence.FILES);
  private static final double END = SampleEvidence.START.plusSeconds(7230).getEpochSecond();

  private static String metrics(List<Findings> findings, String before) throws IOException {
    return EvidenceMetrics.of(SampleEvidence.of(findings, REPORTS), before);
  }

  private static double value(String text, String metric) {
    var line = text.lines().filter(one -> one.startsWith(metric + " ")).findFirst();
    assertThat(line).as("%s in %s", metric, text).isPresent();
    return Double.parseDouble(line.get().substring(metric.length() + 1));
  }

  @Test
  void tellsOfTheRunItsPartsAndTheRestores() throws IOException {
    var text = metrics(SampleEvidence.good(), "");
    assertThat(value(text, "thehive_verify_last_run_timestamp_seconds")).isEqualTo(END);
    assertThat(value(text, "thehive_verify_last_success_timestamp_seconds")).isEqualTo(END);
    assertThat(value(text, "thehive_verify_success")).isEqualTo(1);
    assertThat(value(text, "thehive_verify_complete")).isEqualTo(1);
    assertThat(value(text, "thehive_verify_duration_seconds")).isEqualTo(30);
    assertThat(value(text, "thehive_restore_point_age_seconds")).isPositive();
    assertThat(value(text, "thehive_verify_part_success{part=\"cassandra\"}")).isEqualTo(1);
    assertThat(text).as("a store that is not in use raises no alarm").contains("result=\"skipped\"}")
        .doesNotContain("thehive_verify_part_success{part=\"s3\"}");
    assertThat(value(text, "thehive_verify_compared{part=\"cassandra\",unit=\"rows\"}")).isEqualTo(942_000);
    assertThat(value(text, "thehive_restore_bytes{part=\"files\"}")).isEqualTo(740_000_000);
    assertThat(value(text, "thehive_restore_duration_seconds{part=\"elasticsearch\"}")).isEqualTo(188);
    assertThat(value(text, "thehive_restore_end_timestamp_seconds{part=\"files\"}"))
        .isEqualTo(SampleEvidence.START.plusSeconds(3660).getEpochSecond());
  }

  @Test
  void everyMetricHasItsHelpAndTypeOnceBeforeIt() throws IOException {
    var text = metrics(SampleEvidence.good(), "");
    var names = Pattern.compile("(?m)^(thehive_\\w+)[ {]").matcher(text).results().map(match -> match.group(1))
        .collect(Collectors.toSet());
    assertThat(names).hasSizeGreaterThan(10).allSatisfy(name -> {
      assertThat(text.split("(?m)^# HELP " + name + " .+\n# TYPE " + name + " gauge\n" + name + "[ {]", -1)).hasSize(2);
    });
    assertThat(text).endsWith("\n").doesNotContain("\r");
    assertThat(text.lines()).allMatch(line -> line.matches("# (HELP|TYPE) .*|\\w+(\\{.*})? [-+.0-9E]+"));
  }

  @Test
  void aFailureKeepsTheTimeOfTheLastSuccess() throws IOException {
    var before = metrics(SampleEvidence.good(), "");
    var findings = SampleEvidence.good();
    findings.get(0).bad("rows", List.of(), "7 missing");
    var text = metrics(findings, before.replaceAll("(?m)^(thehive_verify_last_success\\S+) .*", "$1 1.5E9"));
    assertThat(value(text, "thehive_verify_last_success_timestamp_seconds")).isEqualTo(1.5e9);
    assertThat(value(text, "thehive_verify_success")).isZero();
    assertThat(value(text, "thehive_verify_exit_code")).isEqualTo(15);
    assertThat(value(text, "thehive_verify_part_success{part=\"cassandra\"}")).isZero();
    assertThat(metrics(findings, "")).as("there was none").doesNotContain("last_success");
    assertThat(metrics(findings, "thehive_verify_last_success_timestamp_seconds x\n")).doesNotContain("last_success");
  }

  @Test
  void labelsAreEscaped() throws IOException {
    var findings = SampleEvidence.good();
    findings.add(new Findings("a\"b\\c\nd"));
    findings.get(5).ok("x", "y");
    assertThat(metrics(findings, "")).contains("thehive_verify_part_success{part=\"a\\\"b\\\\c\\nd\"} 1.0\n");
  }

  @Test
  void isWrittenWholeOrNotAtAll(@TempDir Path folder) throws IOException {
    var files = new EvidenceFiles();
    files.metrics = Optional.of(folder.resolve("thehive.prom"));
    files.evidence = List.of(folder.resolve("page.html"), folder.resolve("data.json"));
    files.requireWritable();
    assertThat(folder).isEmptyDirectory();
    files.write(SampleEvidence.of(SampleEvidence.good(), REPORTS));
    assertThat(folder.toFile().list()).containsExactlyInAnyOrder("thehive.prom", "page.html", "data.json");
    assertThat(folder.resolve("page.html")).content().startsWith("<!DOCTYPE html>");
    assertThat(folder.resolve("data.json")).content().startsWith("{");
    assertThat(folder.resolve("thehive.prom")).content().contains("thehive_verify_success 1.0\n");
    assertThat(Files.getPosixFilePermissions(folder.resolve("thehive.prom"))).as("for node-exporter")
        .contains(PosixFilePermission.OTHERS_READ);
    files.metrics = Optional.of(folder.resolve("none/x.prom"));
    assertThatThrownBy(files::requireWritable)
        .hasMessage("there is no folder " + folder.resolve("none"));
    files.metrics = Optional.of(folder);
    assertThatThrownBy(files::requireWritable).hasMessage(folder + " is not a file");
  }
}
