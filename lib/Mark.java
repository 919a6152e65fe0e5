/** The outcome of one comparison: as it should be, not so, to be looked at by a person, or not compared. */
enum Mark {
  OK("✓"), BAD("✗"), WARNING("!"), SKIPPED("-");

  final String sign;

  Mark(String sign) {
    this.sign = sign;
  }
}
