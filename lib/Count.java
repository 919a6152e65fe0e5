import java.util.Locale;

/** A number with what it counts: 1 file, 2 files, 20,000 files. */
final class Count {
  private Count() {}

  static String of(long number, String one) {
    return of(number, one, one + "s");
  }

  static String of(long number, String one, String several) {
    return String.format(Locale.ROOT, "%,d %s", number, number == 1 ? one : several);
  }
}
