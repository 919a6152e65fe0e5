import java.time.Duration;
import java.util.Collection;
import java.util.Comparator;
import java.util.Map;

/**
 * Checks that the parts belong together.
 *
 * @param maxGap the longest time between the backups of one restore point
 */
record TogetherCheck(Duration maxGap) {
  /** The backups are of one moment. */
  void compareTimes(Collection<Backup> backups, Findings findings) {
    var byTime = backups.stream().sorted(Comparator.comparing(Backup::taken)).toList();
    if (byTime.size() < 2) {
      findings.skipped("times", "there are no two backups to compare");
      return;
    }
    var names = byTime.stream().map(Backup::name).toList();
    var first = byTime.get(0);
    var last = byTime.get(byTime.size() - 1);
    var gap = Duration.between(first.taken(), last.taken());
    var near = gap.compareTo(maxGap) <= 0;
    findings.require(near, "times", names, "%s to %s: %d s apart%s", first.name(), last.name(),
        gap.toSeconds(), near ? "" : ", more than " + Count.of(maxGap.toMinutes(), "minute"));
  }

  /** The attachments that the graph names are in their backups; {@code backups} are the file names by part. */
  void compareAttachments(AttachmentNames names, Map<String, Iterable<String>> backups, Findings findings) {
    if (backups.isEmpty() || !names.hasRead()) {
      findings.skipped("attachments", "needs the rows of cassandra, and files or s3, read in the same run");
    } else {
      backups.forEach((part, files) -> names.compare(part, files, findings));
    }
  }
}
