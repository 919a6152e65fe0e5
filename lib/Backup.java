import java.nio.file.Path;
import java.time.Duration;
import java.time.LocalDateTime;

/** One backup of one component: its archive or marker, and the time that its name gives. */
record Backup(Path file, String name, LocalDateTime taken) {
  private static final int MINUTES_CLOCKS_DIFFER = 5;

  String age() {
    return age(LocalDateTime.now());
  }

  String age(LocalDateTime now) {
    var age = Duration.between(taken, now);
    return age.toMinutes() < -MINUTES_CLOCKS_DIFFER ? "in the future"
        : age.toDays() > 1 ? age.toDays() + " days ago"
        : age.toHours() > 1 ? age.toHours() + " hours ago"
        : age.toMinutes() == 1 ? "1 minute ago"
        : Math.max(0, age.toMinutes()) + " minutes ago";
  }
}
