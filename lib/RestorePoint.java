import java.util.List;
import java.util.Map;

/**
 * A restore point: what {@code --backup} takes where it names this time.
 *
 * @param point what {@code --backup} takes
 * @param age in words
 * @param verdict whether a restore of it can go through, as far as names, sizes and the repository's index tell
 * @param running true if its backup is still being taken
 * @param reasons why it is not complete
 * @param notes what else is to be known
 */
record RestorePoint(String point, String age, State verdict, boolean running, List<String> reasons, List<Part> parts,
    List<String> notes) {
  /** The worst last. */
  enum State {
    COMPLETE("✓ complete"), UNKNOWN("- not known"), INCOMPLETE("✗ incomplete"), UNREADABLE("✗ unreadable");

    final String shown;

    State(String shown) {
      this.shown = shown;
    }
  }

  /**
   * One archive or snapshot of it.
   *
   * @param file path of an archive, name of a snapshot
   * @param bytes null where the size is not known
   * @param secondsBefore how much earlier than the point it was taken; less than 0 if later
   * @param snapshot the snapshot's state; null for an archive
   * @param indices bytes by name, null where they are not known; empty for an archive
   */
  record Part(String part, String file, Long bytes, long secondsBefore, String snapshot, Map<String, Long> indices) {}

  /** The verdict with its reasons, in one line. */
  String verdictLine() {
    return verdict.shown + (reasons.isEmpty() ? "" : ": " + String.join("; ", reasons));
  }
}
