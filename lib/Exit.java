/** The exit codes, the same in all scripts. 130, interrupted, is the shell's own. */
final class Exit {
  static final int DONE = 0;
  static final int UNEXPECTED = 1;
  static final int USAGE = 2;
  static final int BAD_BACKUP = 10;
  static final int UNREACHABLE = 11;
  static final int AUTHENTICATION = 12;
  static final int UNSAFE = 13;
  static final int PARTIAL = 14;
  static final int VERIFICATION = 15;
  static final int DECLINED = 16;

  private Exit() {}
}
