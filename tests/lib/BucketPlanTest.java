import static org.assertj.core.api.Assertions.assertThat;

import java.time.Instant;
import java.util.List;
import org.junit.jupiter.api.Test;

/** What a plan for a bucket says, and when it asks a second time. */
class BucketPlanTest {
  private static BucketPlan plan(BucketPlan.State state, BucketComparison.Extras extras, boolean keep) {
    return new BucketPlan(new BucketPlan.Setting("http://10.0.0.5:9000", "MINIO_ENDPOINT"),
        new BucketPlan.Setting("thehive", "default"),
        state, new BucketComparison.Sum(3, 4_000), new BucketComparison.Sum(1, 2_000),
        new BucketComparison.Sum(5, 9_000), extras, keep);
  }

  private static BucketComparison.Extras extras(long listed, long count, String... inTheWay) {
    return new BucketComparison.Extras(listed, count, 0, List.of(), List.of(inTheWay),
        count == 0 ? null : Instant.parse("2026-11-22T12:00:56.123Z"));
  }

  private static final BucketPlan.State PLAIN = new BucketPlan.State(true, false, false, false);

  @Test
  void namesServerAndBucketAndWhereTheyComeFrom() {
    assertThat(plan(PLAIN, extras(8, 2), false).lines("Will")).containsExactly("", "Bucket thehive (default)",
        "  at http://10.0.0.5:9000 (MINIO_ENDPOINT)", "  Will send 3 new objects and 1 changed (6 kB)",
        "  Will leave 5 unchanged objects",
        "  Will remove 2 objects that are not in the backup, the newest of 2026-11-22T12:00:56Z");
  }

  @Test
  void saysWhatIsSpecialAboutTheBucket() {
    assertThat(
        plan(new BucketPlan.State(false, false, false, true), BucketComparison.Extras.NONE, false).lines("Would"))
        .contains("  Would create it", "  an earlier restore did not come to its end: this one goes on from there",
            "  Would remove 0 objects that are not in the backup");
    assertThat(plan(new BucketPlan.State(true, true, true, false), extras(8, 2), true).lines("Will"))
        .contains("  it is versioned and object-locked: what is changed or removed stays in it as older versions");
  }

  @Test
  void whatIsInTheWayGoesFirstAndCannotBeKept() {
    assertThat(plan(PLAIN, extras(8, 2, "x\r"), false).lines("Will"))
        .contains("  Will remove 1 of them first: they are in the way of objects of the backup, such as x?");
    assertThat(plan(new BucketPlan.State(true, true, false, false), extras(8, 2, "x"), false).lines("Will"))
        .as("before everything is sent").anyMatch(line -> line.endsWith("remove them before, by mc rm --versions"));
    assertThat(plan(PLAIN, extras(8, 2, "x"), false).cannotKeep()).isEmpty();
    assertThat(plan(PLAIN, extras(8, 2), true).cannotKeep()).isEmpty();
    assertThat(plan(PLAIN, extras(8, 2, "x\r"), true).cannotKeep().orElseThrow()).satisfies(reason -> {
      assertThat(reason.code).isEqualTo(13);
      assertThat(reason).hasMessageContaining(
          "1 object that is not in the backup is in the way of objects of the backup, such as x?:");
      assertThat(reason.hint).contains("leave out --keep-extra");
    });
  }

  @Test
  void theLastLineCounts() {
    assertThat(plan(PLAIN, extras(8, 2), false).success("Restored", 6_000))
        .isEqualTo("=== ✓ Restored 9 objects: 3 new, 1 changed, 5 unchanged, 2 removed, 6 kB sent ===");
    assertThat(plan(PLAIN, extras(8, 2), true).success("Restored", 6_000)).contains("2 extra left");
  }
}
