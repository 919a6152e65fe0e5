import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.TreeMap;

/**
 * The plan of a restore into a bucket: the dry run prints it, the real run carries it out.
 *
 * @param endpoint the server, and where the setting comes from
 * @param bucket its name, and where the setting comes from
 * @param created objects that the bucket does not hold
 * @param changed objects that it holds with another content
 * @param unchanged objects that are as in the backup
 * @param keepExtra true to leave objects that are not in the backup
 */
record BucketPlan(Setting endpoint, Setting bucket, State state, BucketComparison.Sum created,
    BucketComparison.Sum changed,
    BucketComparison.Sum unchanged, BucketComparison.Extras extras, boolean keepExtra) {

  /** A value, and where it comes from. */
  record Setting(String value, String origin) {
    @Override
    public String toString() {
      return "%s (%s)".formatted(value, origin);
    }
  }

  /**
   * The bucket itself.
   *
   * @param unfinished true if an earlier restore was broken off
   */
  record State(boolean exists, boolean versioned, boolean locked, boolean unfinished) {}

  long objects() {
    return created.count() + changed.count() + unchanged.count();
  }

  /** The bytes to send. */
  long bytes() {
    return created.bytes() + changed.bytes();
  }

  /**
   * Why what is not in the backup cannot be left: MinIO keeps objects as files, takes {@code x} beside {@code x/y}, and
   * then lists only one of them.
   */
  Optional<Failure> cannotKeep() {
    return !keepExtra || extras.inTheWay().isEmpty() ? Optional.empty() : Optional.of(new Failure(Exit.UNSAFE,
        "%s in the way of objects of the backup, such as %s: a bucket may lose x or x/y where it holds both"
            .formatted(Count.of(extras.inTheWay().size(), "object that is not in the backup is",
                "objects that are not in the backup are"), EntryName.shown(extras.inTheWay().get(0))),
        "copy them to another bucket and remove them from this one, or leave out --keep-extra: it removes them first"));
  }

  /** The plan, a line each; {@code verb} is Will or Would. */
  List<String> lines(String verb) {
    var lines = new ArrayList<>(List.of("", "Bucket " + bucket, "  at " + endpoint));
    if (state.unfinished) {
      lines.add("  an earlier restore did not come to its end: this one goes on from there");
    }
    if (!state.exists) {
      lines.add("  %s create it".formatted(verb));
    }
    lines.add("  %s send %s and %,d changed (%s)".formatted(verb, Count.of(created.count(), "new object"),
        changed.count(), Console.size(bytes())));
    lines.add("  %s leave %s".formatted(verb, Count.of(unchanged.count(), "unchanged object")));
    lines.add("  %s %s %s not in the backup%s".formatted(verb, keepExtra ? "leave" : "remove",
        Count.of(extras.count(), "object that is", "objects that are"),
        extras.newest() == null ? "" : ", the newest of " + Console.time(extras.newest())));
    if (!extras.inTheWay().isEmpty() && !keepExtra) {
      lines.add("  %s remove %d of them first: they are in the way of objects of the backup, such as %s".formatted(verb,
          extras.inTheWay().size(),
          EntryName.shown(extras.inTheWay().get(0))));
      if (state.versioned) {
        lines.add("  MinIO lists nothing below an object of which it keeps versions: if this is MinIO, remove them"
            + " before, by mc rm --versions");
      }
    }
    if (state.versioned) {
      lines.add("  it is versioned%s: what is changed or removed stays in it as older versions"
          .formatted(state.locked ? " and object-locked" : ""));
    }
    return lines;
  }

  /** The last line after a success. */
  String success(String verb, long bytes) {
    return "=== ✓ %s %d objects: %d new, %d changed, %d unchanged, %d %s, %s sent ===".formatted(verb, objects(),
        created.count(),
        changed.count(), unchanged.count(), extras.count(), keepExtra ? "extra left" : "removed", Console.size(bytes));
  }

  /** The plan and what came of it, for report and JSON. */
  Map<String, Object> summary(long sent, Map<String, Failure> failures) {
    var summary = new LinkedHashMap<String, Object>();
    summary.put("endpoint", endpoint.value);
    summary.put("bucket", bucket.value);
    summary.put("objects", objects());
    summary.put("new", created.count());
    summary.put("changed", changed.count());
    summary.put("unchanged", unchanged.count());
    summary.put("extra", extras.count());
    summary.put("bytesSent", sent);
    var reasons = new TreeMap<String, String>();
    failures.forEach((key, failure) -> reasons.put(key, failure.getMessage()));
    summary.put("failed", reasons);
    return summary;
  }
}
