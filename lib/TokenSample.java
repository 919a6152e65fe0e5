import java.util.Arrays;

/**
 * The tokens of partitions, each once however many tables and SSTables have it. Of more than {@value #SIZE} a random
 * sample is kept: the tokens with the smallest hashes, which are the same ones wherever they are seen.
 */
final class TokenSample {
  static final int SIZE = 1 << 17;
  private static final long FACTOR_1 = 0xbf58476d1ce4e5b9L;
  private static final long FACTOR_2 = 0x94d049bb133111ebL;
  private static final long INVERSE_1 = inverse(FACTOR_1);
  private static final long INVERSE_2 = inverse(FACTOR_2);

  /** Hashes, which can be turned back into tokens; smaller ones in the order of signed numbers. */
  private long[] hashes = new long[64];
  private int count;
  private long largest = Long.MAX_VALUE;

  void add(long token) {
    addHash(hash(token));
  }

  void addAll(TokenSample other) {
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

  /** The tokens in their order, each once. */
  synchronized long[] sorted() {
    compact();
    var tokens = new long[count];
    for (int i = 0; i < count; i++) {
      tokens[i] = token(hashes[i]);
    }
    Arrays.sort(tokens);
    return tokens;
  }

  /** The number of different tokens that were added: exact up to {@value #SIZE}, estimated above. */
  synchronized long distinct() {
    compact();
    return count < SIZE ? count : Math.round((SIZE - 1) / (((double) largest - Long.MIN_VALUE) / 0x1p64));
  }

  /** SplitMix64's last step: different tokens have different hashes. */
  private static long hash(long token) {
    var z = (token ^ token >>> 30) * FACTOR_1;
    z = (z ^ z >>> 27) * FACTOR_2;
    return z ^ z >>> 31;
  }

  private static long token(long hash) {
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
