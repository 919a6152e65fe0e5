import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.charset.CharacterCodingException;
import java.nio.charset.StandardCharsets;
import java.util.Arrays;

/** Names of entries as an archive has them, and as they can be used: UTF-8, and never out of the folder. */
final class EntryName {
  private EntryName() {}

  /** The name without {@code ./}, doubled and closing slashes; the same array where it has none. */
  static byte[] normal(byte[] raw) throws IOException {
    requireUtf8(raw, raw);
    if (isNormal(raw)) {
      return raw;
    }
    var normal = new byte[raw.length];
    var length = 0;
    for (int from = 0, to; from <= raw.length; from = to + 1) {
      to = from;
      while (to < raw.length && raw[to] != '/') {
        if (raw[to++] == 0) {
          throw unsafe(raw);
        }
      }
      var dots = to - from <= 2 && isDots(raw, from, to);
      if (dots && to - from == 2 || to == 0 && raw.length > 0) {
        throw unsafe(raw);
      }
      if (dots || from == to) {
        continue;
      }
      if (length > 0) {
        normal[length++] = '/';
      }
      System.arraycopy(raw, from, normal, length, to - from);
      length += to - from;
    }
    return Arrays.copyOf(normal, length);
  }

  /** True if nothing is to be done: no part of the name is empty or begins with a dot. */
  private static boolean isNormal(byte[] raw) {
    var before = (byte) '/';
    for (var b : raw) {
      if (b == 0 || before == '/' && (b == '/' || b == '.')) {
        return false;
      }
      before = b;
    }
    return before != '/';
  }

  private static boolean isDots(byte[] name, int from, int to) {
    for (int i = from; i < to; i++) {
      if (name[i] != '.') {
        return false;
      }
    }
    return from < to;
  }

  private static IOException unsafe(byte[] raw) {
    return new IOException(
        "its entry '%s' leads out of the backup's folder".formatted(shown(new String(raw, StandardCharsets.UTF_8))));
  }

  /** The text of a link; it belongs to the entry of the given name. */
  static String link(byte[] raw, byte[] name) throws IOException {
    requireUtf8(raw, name);
    return new String(raw, StandardCharsets.UTF_8);
  }

  private static void requireUtf8(byte[] raw, byte[] name) throws IOException {
    for (var b : raw) {
      if (b < 0) {
        try {
          StandardCharsets.UTF_8.newDecoder().decode(ByteBuffer.wrap(raw));
          return;
        } catch (CharacterCodingException e) {
          throw new IOException(
              "its entry '%s' has a %s that is not UTF-8".formatted(shown(new String(name, StandardCharsets.UTF_8)),
              raw == name ? "name" : "link"), e);
        }
      }
    }
  }

  /** The name for a message: a control character in it must not reach the terminal. */
  static String shown(String name) {
    return name.codePoints().map(c -> Character.isISOControl(c) ? '?' : c)
        .collect(StringBuilder::new, StringBuilder::appendCodePoint, StringBuilder::append).toString();
  }
}
