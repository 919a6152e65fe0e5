import java.time.Instant;
import java.util.BitSet;
import java.util.Optional;

/**
 * The differences between a backup and the live folder.
 *
 * @param added files of the backup that the folder does not have
 * @param present files of the backup that it has
 * @param extra its files that the backup does not have
 * @param newest the last change of those; null where there are none
 * @param unchanged how many of those present are equal, where that was compared
 * @param write numbers of the files whose content is to be written
 * @param touch numbers of those of which only owner, mode or time differ
 */
record FolderDifferences(int added, int present, int extra, Instant newest, Optional<Integer> unchanged, BitSet write,
    BitSet touch) {
  /** In words, for a restore that writes only what differs. */
  String written() {
    return "%d new, %d changed, %d unchanged, %d removed".formatted(added, present - unchanged.orElse(0),
        unchanged.orElse(0), extra);
  }

  /** In words, for a staged restore, which replaces what is equal, too: only a dry run takes the time to compare. */
  String replaced() {
    return "%d new, %d replaced%s, %d removed".formatted(added, present,
        unchanged.map(equal -> " (%d changed, %d unchanged)".formatted(present - equal, equal)).orElse(""), extra);
  }

  /** Says how much newer than the backup the folder is; nothing where the backup has all its files. */
  Optional<String> newestExtra() {
    return Optional.ofNullable(newest)
        .map(time -> "the newest of %s not in the backup: changed %s".formatted(
            Count.of(extra, "file that is", "files that are"), Console.time(time)));
  }
}
