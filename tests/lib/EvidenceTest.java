import static org.assertj.core.api.Assertions.assertThat;

import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.stream.IntStream;
import org.junit.jupiter.api.Test;

/** What the sentence at the top of the evidence says: "completely" only where that was seen. */
class EvidenceTest {
  private static final Map<String, RestoreReport> REPORTS =
      SampleEvidence.reports(SampleEvidence.DATABASES, SampleEvidence.FILES);

  private static String sentence(List<Findings> findings) {
    return SampleEvidence.of(findings, REPORTS).sentence();
  }

  @Test
  void saysThatItWasRestoredCompletelyAndHowLongItTookWithoutTheQuestions() {
    var evidence = SampleEvidence.of(SampleEvidence.good(), REPORTS);
    assertThat(evidence.sentence())
        .isEqualTo("The backup of 22 Nov 2026 12:00 was restored completely in 4 min 10 s.");
    assertThat(evidence.isComplete()).isTrue();
  }

  @Test
  void anyCheckThatFailedIsNamedInPlaceOfCompletely() {
    var findings = SampleEvidence.good();
    findings.get(2).bad("extra", List.of("x"), "1 is not in the backup");
    assertThat(sentence(findings))
        .isEqualTo("The backup of 22 Nov 2026 12:00 was NOT restored completely: files (extra).");
    assertThat(SampleEvidence.of(findings, REPORTS).open()).isEmpty();
    assertThat(SampleEvidence.of(findings, REPORTS).isComplete()).isFalse();
  }

  @Test
  void aServiceThatDoesNotRunIsNotALackOfTheRestore() {
    var findings = SampleEvidence.good();
    findings.add(new Findings("services"));
    findings.get(5).bad("unit", List.of(), "inactive");
    assertThat(sentence(findings))
        .isEqualTo("The backup of 22 Nov 2026 12:00 was restored, but TheHive is not in order: services (unit).");
  }

  @Test
  void whatWasOnlyCountedOrNotPartOfTheRunIsNotCalledComplete() {
    var findings = SampleEvidence.good();
    findings.get(0).skipped("txlog", "5 rows, only counted");
    findings.remove(1);
    assertThat(sentence(findings)).isEqualTo("The backup of 22 Nov 2026 12:00 was restored in 4 min 10 s, as far as it"
        + " was checked. Not checked: elasticsearch, cassandra txlog.");
    assertThat(SampleEvidence.of(findings, REPORTS).open()).extracting(Evidence.Open::why)
        .containsExactly("not part of this run", "5 rows, only counted");
    findings.remove(1);
    assertThat(sentence(findings)).contains("attachments").doesNotContain("completely");
  }

  @Test
  void aRestoreThatFailedOrIsUnfinishedIsNotCalledComplete() {
    var failed = SampleEvidence.DATABASES.replace("'exit': 0", "'exit': 14, 'errors': ['a node is gone'],"
        + " 'failures': {'elasticsearch': 'a node is gone'}");
    var reports = SampleEvidence.reports(failed, SampleEvidence.FILES);
    assertThat(SampleEvidence.of(SampleEvidence.good(), reports).sentence()).isEqualTo("The backup of 22 Nov 2026 12:00"
        + " was NOT restored completely: the last restore of elasticsearch failed (a node is gone).");
    var good = SampleEvidence.of(SampleEvidence.good(), REPORTS);
    var unfinished = new Evidence(good.check(), good.verdict(), good.point(), REPORTS,
        List.of("restore-files-nfs: files since 2026"), good.archives(), good.counts());
    assertThat(unfinished.sentence()).endsWith(
        "was NOT restored completely: a restore is unfinished (restore-files-nfs: files since 2026).");
  }

  @Test
  void withoutAReportItSaysOnlyWhatTheSystemHolds() {
    var reports = new LinkedHashMap<>(REPORTS);
    reports.remove("files");
    assertThat(SampleEvidence.of(SampleEvidence.good(), reports).sentence()).isEqualTo("The backup of 22 Nov 2026 12:00"
        + " is exactly what the system holds. No report tells of the restore of files.");
  }

  @Test
  void archivesAloneAreWholeNotRestored() {
    var good = SampleEvidence.of(SampleEvidence.good(), Map.of());
    var check = new Evidence.Check("host", SampleEvidence.START, SampleEvidence.START, true, List.of(), List.of());
    assertThat(new Evidence(check, good.verdict(), good.point(), Map.of(), List.of(), List.of(), Map.of()).sentence())
        .isEqualTo("The backup of 22 Nov 2026 12:00 is whole.");
    var failed = Evidence.ofFailure("verify", SampleEvidence.START, new Failure(Exit.USAGE, "no", null));
    assertThat(failed.isComplete()).isFalse();
    assertThat(failed.verdict().exit()).isEqualTo(Exit.USAGE);
  }

  @Test
  void thePageShowsTheFirstDetailsOfALongList() {
    var findings = SampleEvidence.good();
    findings.get(2).bad("missing", IntStream.range(0, 500).mapToObj(i -> "name" + i).toList(), "500 of 20,000");
    assertThat(EvidencePage.of(SampleEvidence.of(findings, REPORTS))).contains("<li>name199</li>",
        "<li>and 300 more: --json shows them</li>").doesNotContain("name200");
  }

  @Test
  void thePageEscapesWhatItIsTold() {
    var page = EvidencePage.of(SampleEvidence.of(SampleEvidence.good(), REPORTS));
    assertThat(page).startsWith("<!DOCTYPE html>").contains("&lt;script&gt;alert(1)&lt;/script&gt;",
        "jump&lt;b&gt;host&lt;/b&gt;").doesNotContain("<script", "<b>", "http-equiv=\"refresh\"");
  }
}
