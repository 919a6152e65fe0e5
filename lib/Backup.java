import java.nio.file.Path;
import java.time.Duration;
import java.time.LocalDateTime;

/** One backup of one component: its archive or marker, and the time that its name gives. */
record Backup(Path file, String name, LocalDateTime taken) {
  String age() {
    var age = Duration.between(taken, LocalDateTime.now());
    return age.toDays() > 1 ? age.toDays() + " days ago"
        : age.toHours() > 1 ? age.toHours() + " hours ago" : Math.max(0, age.toMinutes()) + " minutes ago";
  }
}
