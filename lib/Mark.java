/** The outcome of one comparison: as it should be, not so, or not compared. */
enum Mark {
  OK("✓"), BAD("✗"), SKIPPED("-");

  final String sign;

  Mark(String sign) {
    this.sign = sign;
  }
}
