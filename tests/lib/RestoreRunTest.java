import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import com.fasterxml.jackson.databind.JsonNode;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Map;
import java.util.Set;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** The marker of an unfinished restore and the reports, as each run leaves them for the next. */
class RestoreRunTest {
  @TempDir private Path folder;

  private interface Steps {
    void of(RestoreRun run) throws IOException;
  }

  private void run(Steps steps) throws IOException {
    try (var run = new RestoreRun(folder, "restore", false)) {
      steps.of(run);
    }
  }

  private Path marker() {
    return folder.resolve("restore.unfinished");
  }

  @Test
  void theMarkerStandsFromTheFirstChangeToTheSuccess() throws IOException {
    run(run -> {
      assertThat(run.unfinished()).isEmpty();
      assertThat(marker()).doesNotExist();
      run.begin(Set.of("cassandra"));
      assertThat(marker()).exists();
      run.end(0, Set.of("cassandra"), Map.of());
      assertThat(marker()).doesNotExist();
    });
  }

  @Test
  void whatIsNotFinishedStaysInTheMarkerUntilALaterRunFinishesIt() throws IOException {
    run(run -> {
      run.begin(Set.of("cassandra", "elasticsearch"));
      run.end(14, Set.of("elasticsearch"), Map.of());
    });
    run(run -> {
      assertThat(run.unfinished().path("unfinished")).extracting(JsonNode::asText).containsExactly("cassandra");
      run.begin(Set.of("elasticsearch"));
      run.end(0, Set.of("elasticsearch"), Map.of());
    });
    assertThat(marker()).as("the other part is still open").exists();
    run(run -> {
      run.begin(Set.of("cassandra"));
      run.end(0, Set.of("cassandra"), Map.of());
    });
    assertThat(marker()).doesNotExist();
  }

  /** As after a kill. */
  @Test
  void whatARunRemembersIsThereForTheNext() throws IOException {
    run(run -> {
      run.begin(Set.of("cassandra"));
      run.remember("recovery", "40mb");
    });
    run(run -> assertThat(run.unfinished().path("recovery").asText()).isEqualTo("40mb"));
  }

  @Test
  void aMarkerThatCannotBeReadIsNotTakenForNone() throws IOException {
    Files.writeString(marker(), "{\"unfinished\":[\"cass");
    run(run -> assertThatThrownBy(run::unfinished)
        .isInstanceOfSatisfying(Failure.class, failure -> assertThat(failure.code).isEqualTo(13))
        .hasMessageContaining(marker().toString()));
  }

  @Test
  void anEmptyMarkerAsAFullDiskLeavesItIsToldAsSuch() throws IOException {
    Files.writeString(marker(), "");
    run(run -> assertThatThrownBy(run::unfinished).isInstanceOfSatisfying(Failure.class, failure -> {
      assertThat(failure.code).isEqualTo(13);
      assertThat(failure.hint).contains("keep TheHive stopped, remove that file");
    }).hasMessageContaining(marker() + ": it is empty, as a full disk leaves it"));
    assertThat(UnfinishedRestores.in(folder).get("restore")).startsWith("not known what, since 20");
    Files.writeString(marker(), "[]");
    run(run -> assertThatThrownBy(run::unfinished).hasMessageContaining("it is not a marker of these scripts"));
  }

  @Test
  void aFolderThatIsNotThereIsRefusedBeforeAnything() {
    assertThatThrownBy(() -> new RestoreRun(folder.resolve("none"), "restore", false))
        .isInstanceOfSatisfying(Failure.class, failure -> {
      assertThat(failure.code).isEqualTo(13);
      assertThat(failure.hint).contains("RESTORE_STATE_PATH");
    });
  }

  @Test
  void theReportSaysWhatWasDone() throws IOException {
    run(run -> {
      var report = Json.MAPPER.readTree(run.end(14, Set.of(), Map.of("backup", "cassandra_x", "rows", 7)).toFile());
      assertThat(report.path("script").asText()).isEqualTo("restore");
      assertThat(report.path("exit").asInt()).isEqualTo(14);
      assertThat(report.path("backup").asText()).isEqualTo("cassandra_x");
      assertThat(report.path("rows").asInt()).isEqualTo(7);
      assertThat(report.path("seconds").isNumber()).isTrue();
    });
  }

  @Test
  void theNewestReportThatFitsIsFound() throws IOException {
    report("restore_20260101_10h00m00s.json", "{\"exit\": 0, \"n\": 1}");
    report("restore_20260102_10h00m00s.json", "{\"exit\": 0, \"n\": 2}");
    report("restore_20260103_10h00m00s.json", "{\"exit\": 14, \"n\": 3}");
    report("restore_20260105_10h00m00s.json", "{\"exit\": 0, ");
    report("other_20260104_10h00m00s.json", "{\"exit\": 0, \"n\": 4}");
    assertThat(RunReports.newest(folder, "restore", report -> report.path("exit").asInt() == 0)).get()
        .extracting(report -> report.content().path("n").asInt()).isEqualTo(2);
    assertThat(RunReports.newest(folder, "restore", report -> false)).isEmpty();
    assertThat(RunReports.newest(folder.resolve("none"), "restore", report -> true)).isEmpty();
  }

  private void report(String name, String text) throws IOException {
    Files.writeString(folder.resolve(name), text);
  }
}
