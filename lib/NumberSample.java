import java.util.Arrays;

/**
 * Numbers such as tokens of partitions, each once however often it was seen. Of more than {@value #SIZE} a random
 * sample is kept: the numbers with the smallest hashes, which are the same ones wherever they are seen.
 */
final class NumberSample {
  static final int SIZE = 1 << 17;
  private static final long FACTOR_1 = 0xbf58476d1ce4e5b9L;
  private static final long FACTOR_2 = 0x94d049bb133111ebL;
  private static final long INVERSE_1 = inverse(FACTOR_1);
  private static final long INVERSE_2 = inverse(FACTOR_2);

  /** Hashes, which can be turned back into numbers; smaller ones in the order of signed numbers. */
  private long[] hashes = new long[64];
  private int count;
  private long largest = Long.MAX_VALUE;

  void add(long number) {
    addHash(hash(number));
  }

  void addAll(NumberSample other) {
    synchronized (other) {
      for (int i = 0; i < other.count; i++) {
        addHash(other.hashes[i]);
      }
    }
  }

  private synchronized void addHash(long hash) {
    if (hash > largest) {
      return;
    }
    if (count == 2 * SIZE) {
      compact();
    } else if (count == hashes.length) {
      hashes = Arrays.copyOf(hashes, Math.min(2 * count, 2 * SIZE));
    }
    hashes[count++] = hash;
  }

  /** Sorts, removes duplicates, and keeps the smallest. */
  private void compact() {
    Arrays.sort(hashes, 0, count);
    var kept = 0;
    for (int i = 0; i < count && kept < SIZE; i++) {
      if (kept == 0 || hashes[i] != hashes[kept - 1]) {
        hashes[kept++] = hashes[i];
      }
    }
    count = kept;
    largest = kept == SIZE ? hashes[kept - 1] : Long.MAX_VALUE;
  }

  /** The numbers in their order, each once. */
  synchronized long[] sorted() {
    compact();
    return Arrays.stream(hashes, 0, count).map(NumberSample::number).sorted().toArray();
  }

  /** The numbers of which another sample would tell if it had them: all, where neither left any out. */
  synchronized NumberSample comparableWith(NumberSample other) {
    var limit = other.limit();
    compact();
    var comparable = new NumberSample();
    Arrays.stream(hashes, 0, count).filter(hash -> hash <= limit).forEach(comparable::addHash);
    return comparable;
  }

  private synchronized long limit() {
    compact();
    return largest;
  }

  /** The number of different numbers that were added: exact up to {@value #SIZE}, estimated above. */
  synchronized long distinct() {
    compact();
    return count < SIZE ? count : Math.round((SIZE - 1) / (((double) largest - Long.MIN_VALUE) / 0x1p64));
  }

  /** SplitMix64's last step: different numbers have different hashes. */
  private static long hash(long number) {
    var z = (number ^ number >>> 30) * FACTOR_1;
    z = (z ^ z >>> 27) * FACTOR_2;
    return z ^ z >>> 31;
  }

  private static long number(long hash) {
    var z = (hash ^ hash >>> 31 ^ hash >>> 62) * INVERSE_2;
    z = (z ^ z >>> 27 ^ z >>> 54) * INVERSE_1;
    return z ^ z >>> 30 ^ z >>> 60;
  }

  /** The number that multiplied by this odd one gives 1, found by Newton's method. */
  private static long inverse(long odd) {
    var inverse = odd;
    for (int i = 0; i < 6; i++) {
      inverse *= 2 - odd * inverse;
    }
    return inverse;
  }
}
