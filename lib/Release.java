/** The release that all scripts belong to. */
final class Release {
  static final String VERSION = "1.1.0";

  private Release() {}
}
