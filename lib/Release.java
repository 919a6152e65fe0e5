//DEPS info.picocli:picocli:4.7.7

import picocli.CommandLine.IVersionProvider;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Spec;

/** The release that all scripts belong to; what {@code --version} prints. */
final class Release implements IVersionProvider {
  static final String VERSION = "1.1.0";
  /** Filled in by git where the files come from its archive of a commit, such as a download: see .gitattributes. */
  private static final String COMMIT = "$Format:%h of %cs$";
  @Spec
  private CommandSpec command;

  @Override
  public String[] getVersion() {
    return new String[] {text(command.root().name(), COMMIT)};
  }

  /** Such as {@code verify.java 1.1.0 (commit 1c74053 of 2026-11-27)}; without the commit where it is not known. */
  static String text(String script, String commit) {
    return script + " " + VERSION + (commit.startsWith("$") ? "" : " (commit " + commit + ")");
  }
}
