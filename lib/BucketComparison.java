import java.io.IOException;
import java.time.Instant;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.concurrent.atomic.AtomicReference;
import java.util.function.LongConsumer;
import java.util.stream.Collectors;
import java.util.stream.IntStream;

/** Compares a bucket with a backup: how each object of the backup stands, and which others there are. */
final class BucketComparison {
  /** More keys than these are not kept in memory: what is to be removed is removed in turns. */
  private static final int MOST_KEYS = 100_000;
  final AttachmentArchive backup;
  private final State[] states;
  /** By the entries' numbers: as listed, later as expected of what was sent. */
  private final ETag[] etags;

  /** How an object of the backup stands in the bucket. */
  enum State {
    MISSING,
    /** It has the same size: the content is still to be compared. */
    SAME_SIZE,
    DIFFERENT, PROVEN
  }

  /** A number of objects and their bytes. */
  record Sum(long count, long bytes) {}

  /**
   * The objects of the bucket that are not in the backup.
   *
   * @param listed all objects of the bucket, without probes
   * @param count of those that are not in the backup
   * @param keys of those and of probes, at most {@link #MOST_KEYS}
   * @param probes objects that {@link BucketProbe} left
   * @param inTheWay of those that some servers must lose first, see {@link #isInTheWay}
   * @param newest the last change of those that are not in the backup; null where there are none
   */
  record Extras(long listed, long count, long probes, List<String> keys, List<String> inTheWay, Instant newest) {
    static final Extras NONE = new Extras(0, 0, 0, List.of(), List.of(), null);

    /** How many are to go; with {@code keep} only probes. */
    long removable(boolean keep) {
      return probes + (keep ? 0 : count);
    }
  }

  BucketComparison(AttachmentArchive backup) {
    BucketLimits.require(backup);
    this.backup = backup;
    states = new State[backup.all.size()];
    etags = new ETag[states.length];
    Arrays.fill(states, State.MISSING);
  }

  /** Lists a bucket for the first time: which objects are missing, of another size, of the same size. */
  Extras list(S3Bucket bucket) {
    return list(bucket, (i, object) -> {
      etags[i] = object.etag();
      return object.size() == backup.all.get(i).size() ? State.SAME_SIZE : State.DIFFERENT;
    });
  }

  /** Compares the contents of the objects that have the same size; one that cannot be read is a different one. */
  void compareContents(S3Bucket bucket, Workers workers, LongConsumer done) throws IOException {
    backup.read(workers, i -> states[i] == State.SAME_SIZE, (worker, i, content) -> {
      var entry = backup.all.get(i);
      states[i] = isSame(bucket, i, content) ? State.PROVEN : State.DIFFERENT;
      etags[i] = isProven(i) ? etags[i] : null; // until it is sent, no object of that name is the right one
      done.accept(entry.size());
    });
  }

  private boolean isSame(S3Bucket bucket, int i, Archive.Content content) throws IOException {
    var entry = backup.all.get(i);
    try {
      return bucket.holds(entry.name(), etags[i], entry.size(), content::open);
    } catch (Failure failure) {
      if (!bucket.isOfOneObject(failure)) {
        throw failure;
      }
      return false;
    }
  }

  void expect(int i, ETag etag) {
    etags[i] = etag;
  }

  /** Lists the bucket again: an object counts as restored only if it is listed with its size and the expected ETag. */
  Extras listAgain(S3Bucket bucket) {
    return list(bucket, (i, object) ->
        object.size() == backup.all.get(i).size() && object.etag().equals(etags[i]) ? State.PROVEN : State.DIFFERENT);
  }

  private interface Judge {
    State stateOf(int i, StoredObject object);
  }

  private Extras list(S3Bucket bucket, Judge judge) {
    Arrays.fill(states, State.MISSING);
    var counts = new long[3];
    var newest = new AtomicReference<Instant>();
    var keys = new ArrayList<String>();
    var inTheWay = new ArrayList<String>();
    bucket.list(page -> page.forEach(object -> {
      var i = find(object.key());
      counts[i >= 0 ? 0 : BucketProbe.isProbe(object.key()) ? 2 : 1]++;
      if (i >= 0) {
        states[i] = judge.stateOf(i, object);
        return;
      }
      if (object.modified() != null && !BucketProbe.isProbe(object.key())) {
        newest.accumulateAndGet(object.modified(), (a, b) -> a == null || a.isBefore(b) ? b : a);
      }
      if (keys.size() < MOST_KEYS) {
        keys.add(object.key());
      }
      if (inTheWay.size() < MOST_KEYS && isInTheWay(object.key())) {
        inTheWay.add(object.key());
      }
    }));
    return new Extras(counts[0] + counts[1], counts[1], counts[2], keys, inTheWay, newest.get());
  }

  /** The number of the file of the backup that is this object, or -1. */
  private int find(String key) {
    var i = backup.find(key);
    return i >= 0 && backup.all.get(i).file() ? i : -1;
  }

  /**
   * True if the object is where the backup has a folder, or below what is an object in the backup: servers that keep
   * objects as files cannot hold {@code x} and {@code x/y} at once.
   */
  boolean isInTheWay(String key) {
    var folder = backup.find(key);
    if (folder >= 0 && backup.all.get(folder).folder()) {
      return true;
    }
    for (var slash = key.lastIndexOf('/'); slash > 0; slash = key.lastIndexOf('/', slash - 1)) {
      if (find(key.substring(0, slash)) >= 0) {
        return true;
      }
    }
    return false;
  }

  boolean isProven(int i) {
    return states[i] == State.PROVEN;
  }

  boolean isProven(String key) {
    var i = find(key);
    return i >= 0 && isProven(i);
  }

  Sum sum(State state) {
    var sizes = files().filter(i -> states[i] == state).mapToLong(i -> backup.all.get(i).size()).summaryStatistics();
    return new Sum(sizes.getCount(), sizes.getSum());
  }

  /** How many objects, and of how many bytes, are not proven to be in the bucket as they are in the backup. */
  Sum unproven() {
    var sizes = files().filter(i -> !isProven(i)).mapToLong(i -> backup.all.get(i).size()).summaryStatistics();
    return new Sum(sizes.getCount(), sizes.getSum());
  }

  /** The first objects that are not proven, each on a line, with the reason. */
  String unproven(int most, Map<String, Failure> reasons) {
    return files().filter(i -> !isProven(i)).limit(most)
        .mapToObj(i -> "\n  %s: %s".formatted(EntryName.shown(backup.all.get(i).name()), reason(i, reasons)))
        .collect(Collectors.joining());
  }

  private String reason(int i, Map<String, Failure> reasons) {
    var failure = reasons.get(backup.all.get(i).name());
    return failure != null ? failure.getMessage() : states[i] == State.MISSING ? "the bucket does not list it"
        : "the bucket lists it with another size or ETag";
  }

  private IntStream files() {
    return IntStream.range(0, states.length).filter(i -> backup.all.get(i).file());
  }
}
