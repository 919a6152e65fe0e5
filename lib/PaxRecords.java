import java.io.IOException;
import java.math.BigDecimal;
import java.math.RoundingMode;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.regex.Pattern;

/** The records {@code length key=value} that a pax header adds to the header behind it. */
final class PaxRecords {
  private static final Pattern TIME = Pattern.compile("-?\\d{1,16}(\\.\\d{0,99})?");
  private final Map<String, byte[]> values;
  /** Offsets and lengths in the order of the records: sparse files of version 0.0 have them as repeated records. */
  private final List<Long> pieces = new ArrayList<>();

  PaxRecords() {
    this(Map.of());
  }

  private PaxRecords(Map<String, byte[]> values) {
    this.values = new HashMap<>(values);
  }

  /** These records with those of a header over them; an empty value takes one away. */
  PaxRecords with(byte[] header) throws IOException {
    var all = new PaxRecords(values);
    for (int from = 0, end; from < header.length && header[from] != 0; from = end) {
      var space = index(header, ' ', from);
      var equals = index(header, '=', space);
      var length = number(Arrays.copyOfRange(header, from, space));
      if (length <= equals - from || length > header.length - from || header[from + (int) length - 1] != '\n') {
        throw damaged();
      }
      end = from + (int) length;
      all.put(new String(header, space + 1, equals - space - 1, StandardCharsets.UTF_8),
          Arrays.copyOfRange(header, equals + 1, end - 1));
    }
    return all;
  }

  private void put(String key, byte[] value) throws IOException {
    if (key.equals("GNU.sparse.offset") || key.equals("GNU.sparse.numbytes")) {
      pieces.add(number(value));
    } else if (value.length == 0) {
      values.remove(key);
    } else {
      values.put(key, value);
    }
  }

  private static int index(byte[] bytes, char wanted, int from) throws IOException {
    for (int i = from; i < bytes.length; i++) {
      if (bytes[i] == wanted) {
        return i;
      }
    }
    throw damaged();
  }

  private static IOException damaged() {
    return new IOException("one of its extended headers is damaged");
  }

  boolean isEmpty() {
    return values.isEmpty();
  }

  boolean has(String key) {
    return values.containsKey(key);
  }

  byte[] bytes(String key, byte[] fallback) {
    return values.getOrDefault(key, fallback);
  }

  String text(String key, String fallback) {
    return has(key) ? new String(values.get(key), StandardCharsets.UTF_8) : fallback;
  }

  long number(String key, long fallback) throws IOException {
    return has(key) ? number(values.get(key)) : fallback;
  }

  private static long number(byte[] digits) throws IOException {
    try {
      return Long.parseLong(new String(digits, StandardCharsets.ISO_8859_1).strip());
    } catch (NumberFormatException e) {
      throw damaged();
    }
  }

  /** A time in seconds with any number of decimals; null where there is none. */
  BigDecimal time(String key) throws IOException {
    if (!has(key)) {
      return null;
    }
    var text = text(key, "");
    if (!TIME.matcher(text).matches()) {
      throw damaged();
    }
    return new BigDecimal(text).setScale(9, RoundingMode.FLOOR);
  }

  /** The map of a sparse file of version 0.0 or 0.1; empty where this is none. */
  List<Long> sparse() throws IOException {
    if (!has("GNU.sparse.map")) {
      return pieces;
    }
    var numbers = new ArrayList<Long>();
    for (var number : text("GNU.sparse.map", "").split(",")) {
      numbers.add(number(number.getBytes(StandardCharsets.ISO_8859_1)));
    }
    return numbers;
  }
}
