import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Optional;

/**
 * Settings of every restore.
 *
 * @param archivePassword of AES-encrypted .zip archives
 * @param statePath folder of lock, marker and reports, where it is not that of the archives
 */
record CommonSettings(Optional<String> archivePassword, Optional<Path> statePath) {
  static final Variable ARCHIVE_PASSWORD = Variable.secret("BACKUP_PASSWORD");
  static final Variable STATE_PATH = Variable.optional("RESTORE_STATE_PATH");
  static final Variable ASSUME_YES = Variable.withDefault("ASSUME_YES", "false");
  static final List<Variable> VARIABLES = List.of(ARCHIVE_PASSWORD, STATE_PATH, ASSUME_YES);

  static CommonSettings of(Settings settings) {
    return new CommonSettings(settings.secret(ARCHIVE_PASSWORD), settings.optionalPath(STATE_PATH));
  }

  /**
   * The folder of lock, marker and reports: on a new host, which has no folder of archives, that of the backup.
   *
   * @param backup as {@code --backup} names it; null for the newest
   */
  Path stateFolder(Path archives, String backup) {
    if (statePath.isPresent() || backup == null || !backup.contains("/") || Files.isDirectory(archives)) {
      return statePath.orElse(archives);
    }
    return Path.of(backup).toAbsolutePath().getParent();
  }
}
