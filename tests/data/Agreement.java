import static org.assertj.core.api.Assertions.assertThat;

import java.util.regex.Pattern;

/**
 * Holds restores of attachments against verify.java: after a success {@code verify.java --exact} finds nothing but what
 * {@code --keep-extra} left, and a backup that the restore refuses is refused by {@code verify.java archives} with the
 * same exit code for the same reason.
 */
final class Agreement {
  private static final Pattern ERROR = Pattern.compile("(?m)^error: (.*?)\\r?$");
  private static final int BAD_BACKUP = 10;
  private static final int AUTHENTICATION = 12;
  private static final int DIFFERS = 15;

  private Agreement() {}

  /**
   * The same restore; each of its runs is held against verify.java when it has ended, however it was started.
   *
   * @param part the part of verify.java, such as {@code s3}
   */
  static Script held(Script restore, String part) {
    return restore.whenEnded(result -> {
      if (result.code() == 0 && !restore.hasArgument("--dry-run")) {
        assertRestored(restore, part);
      } else if (result.code() == BAD_BACKUP || result.code() == AUTHENTICATION && isOfArchive(result)) {
        assertRefused(restore, part, result);
      }
    });
  }

  private static void assertRestored(Script restore, String part) {
    var verified = verify(restore, part, "--exact");
    var found = verified.out().lines().filter(line -> line.startsWith("✗")).toList();
    assertThat(found).as("verify.java after a restore that exits 0:%n%s%s", verified.out(), verified.err())
        .allMatch(line -> restore.hasArgument("--keep-extra") && line.matches("✗ \\S+ +extra .*"));
    assertThat(verified.out()).containsPattern("(?m)^✓ " + part + " +content ");
    assertThat(verified.code()).as(verified.err()).isEqualTo(found.isEmpty() ? 0 : DIFFERS);
  }

  /** True if the password of the archive is what is wrong, not a key of the server. */
  private static boolean isOfArchive(Script.Result result) {
    return (result.out() + result.err()).contains("BACKUP_PASSWORD");
  }

  private static void assertRefused(Script restore, String part, Script.Result result) {
    var verified = verify(restore, part, "archives");
    var reason = ERROR.matcher(result.out() + result.err());
    assertThat(reason.find()).as(result.err()).isTrue();
    assertThat(verified.code())
        .as("verify.java archives of a backup that is refused:%n%s%s", verified.out(), verified.err())
        .isEqualTo(result.code());
    assertThat(verified.out()).contains("✗").contains(reason.group(1));
  }

  private static Script.Result verify(Script restore, String part, String... arguments) {
    return restore.other("verify.java").args("--only", part).args(restore.argumentWithValue("--backup"))
        .args(arguments).env("PATH", System.getenv("PATH")).run();
  }
}
