import java.nio.file.Path;
import java.time.Duration;
import java.time.LocalDateTime;

/** One backup of one component: its archive or marker, and the time that its name gives. */
record Backup(Path file, String name, LocalDateTime taken) {
  String age() {
    return age(LocalDateTime.now());
  }

  String age(LocalDateTime now) {
    var age = Duration.between(taken, now);
    return age.toDays() > 1 ? age.toDays() + " days ago" : age.toHours() > 1 ? age.toHours() + " hours ago"
        : age.toMinutes() == 1 ? "1 minute ago" : Math.max(0, age.toMinutes()) + " minutes ago";
  }
}
