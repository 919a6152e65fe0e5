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

  /** For the help of the restores; ASCII, and in lines that a terminal of 80 columns shows whole. */
  static final String OF_RESTORES = "Exit codes: 0 done, 1 unexpected, 2 usage, 10 backup, 11 unreachable,%n"
      + "12 rights, 13 target not safe, 14 partial, 16 declined, 130 interrupted";

  private Exit() {}
}
