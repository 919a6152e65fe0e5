import static org.assertj.core.api.Assertions.assertThat;

import java.util.regex.Pattern;

/**
 * Runs a restore of attachments, and holds verify.java against it: after a success {@code verify.java --exact} finds
 * nothing but what {@code --keep-extra} left, and a backup that the restore refuses is refused by {@code verify.java
 * archives} for the same reason.
 */
final class Agreement {
  private static final Pattern ERROR = Pattern.compile("(?m)^error: (.*)$");
  private static final int BAD_BACKUP = 10;
  private static final int DIFFERS = 15;

  private Agreement() {}

  /** @param part the part of verify.java, such as {@code s3} */
  static Script.Result run(Script restore, String part) {
    var result = restore.run();
    if (result.code() == 0 && !restore.hasArgument("--dry-run")) {
      var verified = verify(restore, part, "--exact");
      var found = verified.out().lines().filter(line -> line.startsWith("✗")).toList();
      assertThat(found).as("verify.java after a restore that exits 0:%n%s%s", verified.out(), verified.err())
          .allMatch(line -> restore.hasArgument("--keep-extra") && line.matches("✗ \\S+ +extra .*"));
      assertThat(verified.out()).containsPattern("(?m)^✓ " + part + " +content ");
      assertThat(verified.code()).as(verified.err()).isEqualTo(found.isEmpty() ? 0 : DIFFERS);
    } else if (result.code() == BAD_BACKUP) {
      var verified = verify(restore, part, "archives");
      var reason = ERROR.matcher(result.err());
      assertThat(reason.find()).as(result.err()).isTrue();
      assertThat(verified.code())
          .as("verify.java archives of a backup that is refused:%n%s%s", verified.out(), verified.err()).isNotZero();
      assertThat(verified.out()).contains("✗").contains(reason.group(1));
    }
    return result;
  }

  private static Script.Result verify(Script restore, String part, String... arguments) {
    return restore.other("verify.java").args("--only", part).args(restore.argumentWithValue("--backup"))
        .args(arguments).run();
  }
}
