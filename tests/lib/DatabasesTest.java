import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatCode;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import com.fasterxml.jackson.databind.JsonNode;
import java.nio.file.Path;
import java.time.Duration;
import java.time.LocalDateTime;
import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import java.util.Map;
import java.util.Set;
import org.junit.jupiter.api.Test;

/** Both databases side by side, and the backups that belong together. */
class DatabasesTest {
  private static final LocalDateTime NIGHT = LocalDateTime.of(2026, 11, 22, 2, 0);

  private static Backup backup(String component, LocalDateTime taken) {
    return new Backup(Path.of(component), component + "_" + BackupSet.STAMP.format(taken), taken);
  }

  @Test
  void takesBackupsOfOneRunTogether() {
    var run = List.of(backup("cassandra", NIGHT), backup("cassandra", NIGHT.plusMinutes(1)),
        backup("elasticsearch", NIGHT.plusMinutes(15)));
    assertThatCode(() -> Databases.requireOneRun(run, Duration.ofMinutes(15))).doesNotThrowAnyException();
    assertThatCode(() -> Databases.requireOneRun(run.subList(0, 1), Duration.ZERO)).doesNotThrowAnyException();
  }

  @Test
  void refusesBackupsOfDifferentRunsAndNamesTheOptionThatAllowsThem() {
    var apart = List.of(backup("elasticsearch", NIGHT.plusDays(6)), backup("cassandra", NIGHT));
    assertThatThrownBy(() -> Databases.requireOneRun(apart, Duration.ofMinutes(15)))
        .isInstanceOfSatisfying(Failure.class, failure -> {
          assertThat(failure.code).isEqualTo(10);
          assertThat(failure.getMessage())
              .contains("cassandra_20261122_02h00m00s and elasticsearch_20261128_02h00m00s were taken 6 days apart");
          assertThat(failure.hint).contains("--backup").contains("--max-gap PT8641M");
        });
    assertThatCode(() -> Databases.requireOneRun(apart, Duration.parse("PT8641M"))).as("the hint")
        .doesNotThrowAnyException();
  }

  @Test
  void aFailureOfOneNeitherStopsNorHidesTheOther() {
    var ran = Collections.synchronizedList(new ArrayList<Database.Name>());
    var databases =
        new Databases(List.of(new Nothing(Database.Name.CASSANDRA), new Nothing(Database.Name.ELASTICSEARCH)));
    var failed = databases.sideBySide(database -> {
      ran.add(database.name());
      if (database.name() == Database.Name.CASSANDRA) {
        throw new Failure(13, "no", null);
      }
    });
    assertThat(ran).containsExactlyInAnyOrder(Database.Name.values());
    assertThat(failed).containsOnlyKeys(Database.Name.CASSANDRA);
    assertThat(databases.finished(failed)).isEqualTo(Set.of("elasticsearch"));
    assertThat(databases.names()).isEqualTo(Set.of("cassandra", "elasticsearch"));
    assertThat(databases.sideBySide(database -> {
      throw new IllegalStateException("broken");
    })).hasSize(2).allSatisfy((name, failure) -> assertThat(failure.code).isEqualTo(1));
  }

  private record Nothing(Name name) implements Database {
    @Override
    public List<Backup> choose(String point, Duration gap) {
      return List.of();
    }

    @Override
    public void check(JsonNode unfinished) {}

    @Override
    public String cluster() {
      return "";
    }

    @Override
    public List<String> plan() {
      return List.of();
    }

    @Override
    public void restore(RestoreRun run) {}

    @Override
    public String state() {
      return "";
    }

    @Override
    public long done() {
      return 0;
    }

    @Override
    public long total() {
      return 0;
    }

    @Override
    public Map<String, Object> summary() {
      return Map.of();
    }

    @Override
    public void close() {}
  }
}
