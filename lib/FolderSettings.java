import java.nio.file.Path;
import java.util.List;
import java.util.Optional;

/**
 * The folder of the attachments, and where its backups are.
 *
 * @param owner {@code user}, {@code user:group} or {@code :group} to give all files to; empty for those of the backup
 */
record FolderSettings(Path folder, Path archives, Optional<String> owner) {
  static final Variable FOLDER = Variable.withDefault("ATTACHMENT_FOLDER", "/opt/thp/thehive/files");
  static final Variable ARCHIVES = ArchiveFolders.FILES;
  static final Variable OWNER = Variable.optional("ATTACHMENT_OWNER");
  static final List<Variable> VARIABLES = List.of(FOLDER, ARCHIVES, OWNER);

  static FolderSettings of(Settings settings) {
    return new FolderSettings(settings.path(FOLDER), settings.path(ARCHIVES), settings.optional(OWNER));
  }
}
