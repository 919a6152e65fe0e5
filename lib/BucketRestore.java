import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import java.util.concurrent.atomic.AtomicLong;
import java.util.stream.Collectors;

/**
 * Makes a bucket hold exactly what the backup holds: sends what differs, proves it by the listing, and only then
 * removes what the backup does not hold. It may be broken off at any moment, and done again.
 */
final class BucketRestore {
  private static final int NAMED = 20;
  private final BucketComparison comparison;
  private final S3Bucket bucket;
  private final RestoreRun run;
  private final Console console;
  private final int transfers;
  private final AtomicLong sent = new AtomicLong();
  private final Map<String, Failure> failures = new TreeMap<>();

  BucketRestore(BucketComparison comparison, S3Bucket bucket, RestoreRun run, Console console, int transfers) {
    this.comparison = comparison;
    this.bucket = bucket;
    this.run = run;
    this.console = console;
    this.transfers = transfers;
  }

  /** The archive that is restored. */
  Path backup() {
    return comparison.backup.archive.path;
  }

  /** The bytes that were sent until now. */
  long sent() {
    return sent.get();
  }

  /** Why objects could not be sent, by key. */
  Map<String, Failure> failures() {
    return failures;
  }

  /** Removes the parts of large objects that an earlier run did not complete: they are in no listing, and take room. */
  void abortOpenUploads() {
    run.unfinished().path("uploads").properties()
        .forEach(open -> new S3Uploads(bucket).abort(open.getValue().asText(), open.getKey()));
  }

  /** Removes objects that are in the way of those of the backup. */
  void clearTheWay(List<String> keys) {
    if (keys.isEmpty()) {
      return;
    }
    console.step("Removing %s in the way", Count.of(keys.size(), "object that is", "objects that are"));
    var refused = ObjectRemoval.remove(bucket, keys);
    if (!refused.isEmpty()) {
      throw new Failure(Exit.PARTIAL,
          "%s in the way could not be removed:%s".formatted(
              Count.of(refused.size(), "object that is", "objects that are"), lines(refused)),
          "nothing was sent; run again when they can be removed");
    }
  }

  /**
   * Sends what is not in the bucket as it is in the backup, and proves that it arrived; returns what else is listed.
   */
  BucketComparison.Extras send(boolean batches) throws Exception {
    if (comparison.unproven().count() > 0) {
      console.step("Sending %s, %s side by side%s", Count.of(comparison.unproven().count(), "object"),
          Count.of(transfers, "request"),
          batches ? ", small objects as tars" : "");
    }
    sendUnproven(batches);
    var extras = comparison.listAgain(bucket);
    if (comparison.unproven().count() > 0) {
      console.step("Sending %s again, one by one", Count.of(comparison.unproven().count(), "object"));
      sendUnproven(false);
      extras = comparison.listAgain(bucket);
    }
    failures.keySet().removeIf(comparison::isProven); // it may have arrived although its answer was lost
    requireProven("nothing more was removed; run again: only these are sent" + (!bucket.isVersioned() ? ""
        : ". MinIO does not list x/y while it holds a version of an object x: mc rm --versions removes all of x"));
    return extras;
  }

  private void sendUnproven(boolean batches) throws Exception {
    failures.clear();
    var sender = new ObjectSender(bucket, run, transfers, batches, comparison::expect);
    var before = sent.get();
    try (var progress = console.progress("Sending", comparison.unproven().bytes(), sender.sent::get, () -> "")) {
      try (var reader = new Workers(1)) {
        comparison.backup.read(reader, i -> !comparison.isProven(i) && sender.goesOn(), (worker, i, content) -> {
          var entry = comparison.backup.all.get(i);
          try (var in = content.open()) {
            sender.send(i, entry.name(), entry.size(), in);
          }
        });
      } finally {
        sender.finish();
      }
    } finally {
      failures.putAll(sender.failures);
      sent.set(before + sender.sent.get());
    }
  }

  private void requireProven(String hint) {
    var left = comparison.unproven().count();
    if (left > 0) {
      throw new Failure(Exit.PARTIAL, "%s not in the bucket as in the backup:%s".formatted(
          Count.of(left, "object is", "objects are"),
          comparison.unproven(NAMED, failures)), hint);
    }
  }

  /**
   * Removes what the backup does not hold, in turns. After each the bucket is listed again: only what the listing shows
   * counts, of what is gone and of what is to stay.
   *
   * @param extras what the last listing showed
   * @param keep true to remove only probes
   */
  void removeExtras(BucketComparison.Extras extras, boolean keep) {
    while (extras.removable(keep) > 0) {
      if (!keep && extras.count() > 0) {
        console.step("Removing %s not in the backup",
            Count.of(extras.count(), "object that is", "objects that are"));
      }
      var keys = keep ? extras.keys().stream().filter(BucketProbe::isProbe).toList() : extras.keys();
      var refused = ObjectRemoval.remove(bucket, keys);
      var left = comparison.listAgain(bucket);
      requireProven("the bucket lost them while others were removed: does something else write to it? run again");
      if (left.removable(keep) >= extras.removable(keep)) {
        left.keys().forEach(key -> refused.putIfAbsent(key, "the server does not say why it is still listed"));
        throw new Failure(Exit.PARTIAL,
            "%s not in the backup could not be removed:%s".formatted(
                Count.of(left.removable(keep), "object that is", "objects that are"), lines(refused)),
            "everything in the backup is in the bucket; --keep-extra leaves the others");
      }
      extras = left;
    }
  }

  private static String lines(Map<String, String> reasons) {
    return reasons.entrySet().stream().limit(NAMED)
        .map(reason -> "\n  " + EntryName.shown(reason.getKey()) + ": " + reason.getValue())
        .collect(Collectors.joining());
  }
}
