import static org.assertj.core.api.Assertions.assertThat;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.JsonNodeType;
import java.io.IOException;
import java.nio.file.Files;
import java.util.List;
import java.util.Map;
import java.util.regex.Pattern;
import org.junit.jupiter.api.Test;

/** The evidence as data. */
class EvidenceJsonTest {
  private static final Map<String, RestoreReport> REPORTS =
      SampleEvidence.reports(SampleEvidence.DATABASES, SampleEvidence.FILES);

  private static JsonNode json(Evidence evidence) throws IOException {
    return Json.MAPPER.readTree(EvidenceJson.of(evidence));
  }

  @Test
  void tellsWhatThePageTells() throws IOException {
    var json = json(SampleEvidence.of(SampleEvidence.good(), REPORTS));

    assertThat(json.path("sentence").asText())
        .isEqualTo("The backup of 22 Nov 2026 12:00 was restored completely in 4 min 10 s.");
    assertThat(json.path("complete").asBoolean()).isTrue();
    assertThat(json.path("restorePoint").asText()).isEqualTo("20261122_12h00m09s");
    assertThat(json.path("check").path("started").asText()).isEqualTo("2026-11-22T15:00:00Z");
    assertThat(json.path("check").path("notes").path(0).asText()).isEqualTo("Change <4711>");
    assertThat(json.path("verdict").path("checks").path(0).path("result").asText()).isEqualTo("ok");
    assertThat(json.path("archives").path(0).path("file").asText())
        .isEqualTo("/mnt/backup/cassandra/cassandra_20261122_12h00m00s.tar");
    assertThat(json.path("restores")).as("each run once").hasSize(2);
    assertThat(json.path("restores").path(0).path("parts").path(1).path("items").path(0).path("bytes").asLong())
        .isEqualTo(400_000_000);
    assertThat(json.path("restores").path(0).path("steps").path(0).path("millis").asLong()).isEqualTo(9000);
    assertThat(json.path("compared").path("cassandra").path("rows").asLong()).isEqualTo(942_000);
  }

  @Test
  void namesWhatFailedAndWhatWasNotChecked() throws IOException {
    var findings = SampleEvidence.good();
    findings.get(2).bad("missing", List.of("attachment/a"), "1 of 20,000 files");
    findings.get(0).skipped("txlog", "5 rows, only counted");
    var json = json(SampleEvidence.of(findings, REPORTS));

    assertThat(json.path("complete").asBoolean()).isFalse();
    assertThat(json.path("failures").path(0).asText()).isEqualTo("files (missing)");
    assertThat(json.path("notChecked").path(0).path("what").asText()).isEqualTo("cassandra txlog");
    assertThat(json.path("notChecked").path(0).path("why").asText()).isEqualTo("5 rows, only counted");
  }

  @Test
  void isNullWhereNothingIsKnown() throws IOException {
    var json = json(Evidence.ofFailure("verify", SampleEvidence.START, new Failure(Exit.BAD_BACKUP, "no", null)));
    assertThat(json.path("restorePoint").getNodeType()).isEqualTo(JsonNodeType.NULL);
    assertThat(json.path("verdict").path("exit").asInt()).isEqualTo(10);
  }

  @Test
  void everyFieldIsDocumented() throws IOException {
    var page = Files.readString(Script.ROOT.resolve("docs/evidence.md"));
    var table = page.substring(page.indexOf("## As data"), page.indexOf("## Metrics"));
    var documented = Pattern.compile("`([a-zA-Z]+)`").matcher(
        Pattern.compile("(?m)^\\| (`.*?) \\|").matcher(table).results().map(row -> row.group(1)).toList().toString())
        .results().map(name -> name.group(1)).toList();

    assertThat(json(SampleEvidence.of(SampleEvidence.good(), REPORTS)).properties()).extracting(Map.Entry::getKey)
        .containsExactlyInAnyOrderElementsOf(documented);
  }
}
