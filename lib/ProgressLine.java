import java.time.Duration;
import java.util.Locale;

/** The line that shows how far a step is. */
final class ProgressLine {
  private static final int BAR = 20;
  private static final int NARROW = 60;

  private ProgressLine() {}

  /**
   * Returns one line of at most {@code width} characters: task, bar, bytes, rate, elapsed and left time, state. What
   * does not fit is left out from the end, never cut within a word; a narrow line has no bar.
   *
   * @param done bytes of {@code total} that are done
   * @param state a few words, such as {@code 3 of 9 tables}; may be empty
   */
  static String of(String task, long done, long total, Duration elapsed, String state, int width) {
    var millis = Math.max(1, elapsed.toMillis());
    var rate = done * 1000 / millis;
    var text = " %s of %s".formatted(size(done), size(total));
    var more = new StringBuilder(rate > 0 ? ", %s/s".formatted(size(rate)) : "").append(", elapsed ")
        .append(clock(elapsed.toSeconds()));
    if (rate > 0 && done < total) {
      more.append(", left ").append(clock((total - done + rate - 1) / rate));
    }
    if (!state.isEmpty()) {
      more.append(", ").append(state);
    }
    var bar = width < NARROW ? "" : " [" + bar(done, total) + "]";
    var words = more.toString();
    while (!words.isEmpty() && task.length() + bar.length() + text.length() + words.length() > width) {
      words = words.substring(0, Math.max(0, words.lastIndexOf(", ")));
    }
    return task + bar + text + words;
  }

  private static String bar(long done, long total) {
    var full = total <= 0 ? BAR : (int) Math.min(BAR, done * BAR / total);
    return "=".repeat(full) + " ".repeat(BAR - full);
  }

  private static String clock(long seconds) {
    return seconds < 3600 ? "%d:%02d".formatted(seconds / 60, seconds % 60)
        : "%d:%02d:%02d".formatted(seconds / 3600, seconds / 60 % 60, seconds % 60);
  }

  /** A time as it is said, such as {@code 4 min 10 s}. */
  static String time(double seconds) {
    var whole = Math.round(seconds);
    return seconds < 9.95 ? String.format(Locale.ROOT, "%.1f s", seconds)
        : whole < 60 ? whole + " s"
        : whole < 3600 ? "%d min %d s".formatted(whole / 60, whole % 60)
        : "%d h %d min".formatted(whole / 3600, whole / 60 % 60);
  }

  /** A number of bytes as an administrator reads it, such as {@code 12 MB}. */
  static String size(long bytes) {
    return bytes < 1_000_000 ? (bytes + 999) / 1000 + " kB"
        : bytes < 10_000_000_000L ? (bytes + 500_000) / 1_000_000 + " MB"
        : (bytes + 500_000_000L) / 1_000_000_000L + " GB";
  }
}
