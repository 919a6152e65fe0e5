import java.nio.charset.StandardCharsets;
import java.util.Arrays;

/**
 * A header of a tar: a block of 512 bytes with fields at fixed places, in each of the formats v7, ustar, pax, oldgnu
 * and gnu.
 */
final class TarHeader {
  static final int BLOCK = 512;
  private final byte[] block;

  TarHeader(byte[] block) {
    this.block = block;
  }

  boolean isZero() {
    for (var b : block) {
      if (b != 0) {
        return false;
      }
    }
    return true;
  }

  /** True if the header matches its checksum; some programs of old took bytes for signed numbers. */
  boolean isIntact() {
    var unsigned = 8 * ' ';
    var negative = 0;
    for (int i = 0; i < BLOCK; i++) {
      unsigned += block[i] & 0xff;
      negative += block[i] >>> 31;
    }
    for (int i = 148; i < 156; i++) { // the checksum itself counts as spaces
      unsigned -= block[i] & 0xff;
      negative -= block[i] >>> 31;
    }
    var sum = number(148, 8);
    return sum == unsigned || sum == unsigned - 256L * negative;
  }

  /** True if the other header has the same owner. */
  boolean hasOwnerOf(byte[] other) {
    return Arrays.equals(block, 108, 124, other, 108, 124) && Arrays.equals(block, 257, 329, other, 257, 329);
  }

  byte[] copy() {
    return block.clone();
  }

  char type() {
    return (char) (block[156] & 0xff);
  }

  /** The name, with its first part where the format keeps one apart. */
  byte[] name() {
    var name = bytes(0, 100);
    if (!hasPrefix() || block[345] == 0) {
      return name;
    }
    var prefix = bytes(345, 155);
    var all = Arrays.copyOf(prefix, prefix.length + 1 + name.length);
    all[prefix.length] = '/';
    System.arraycopy(name, 0, all, prefix.length + 1, name.length);
    return all;
  }

  /** GNU's own formats, "ustar" and two spaces, have times and the map of a sparse file where ustar has the prefix. */
  private boolean hasPrefix() {
    return isUstar() && block[262] == 0;
  }

  private boolean isUstar() {
    return Arrays.equals(block, 257, 262, new byte[] {'u', 's', 't', 'a', 'r'}, 0, 5);
  }

  byte[] link() {
    return bytes(157, 100);
  }

  int mode() {
    return (int) number(100, 8) & 07777;
  }

  long size() {
    return number(124, 12);
  }

  long seconds() {
    return number(136, 12);
  }

  Owner owner() {
    return new Owner(text(265, 32), number(108, 8), text(297, 32), number(116, 8));
  }

  private String text(int from, int length) {
    return isUstar() ? new String(bytes(from, length), StandardCharsets.UTF_8) : "";
  }

  /** A field up to its first zero. */
  private byte[] bytes(int from, int length) {
    var end = from;
    while (end < from + length && block[end] != 0) {
      end++;
    }
    return Arrays.copyOfRange(block, from, end);
  }

  /** Octal digits, or where those do not suffice the number itself, marked by the first bit. -1 where it is neither. */
  long number(int from, int length) {
    var number = 0L;
    if (block[from] < 0) {
      number = (block[from] & 0x40) != 0 ? -1 : 0; // the sign
      number = number << 6 | block[from] & 0x3f;
      for (int i = from + 1; i < from + length; i++) {
        number = number << 8 | block[i] & 0xff;
      }
      return number;
    }
    var at = from;
    while (at < from + length && block[at] == ' ') {
      at++;
    }
    for (; at < from + length && block[at] != 0 && block[at] != ' '; at++) {
      if (block[at] < '0' || block[at] > '7') {
        return -1;
      }
      number = number << 3 | block[at] - '0';
    }
    return number;
  }

  byte at(int index) {
    return block[index];
  }
}
