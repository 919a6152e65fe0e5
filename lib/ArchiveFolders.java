import java.util.List;

/** The variables that name the folders of the backups' archives. */
final class ArchiveFolders {
  static final Variable CASSANDRA = Variable.withDefault("CASSANDRA_GENERAL_ARCHIVE_PATH", "/mnt/backup/cassandra");
  static final Variable FILES = Variable.withDefault("GENERAL_ARCHIVE_PATH", "/mnt/backup/storage");
  static final Variable S3 = Variable.withDefault("MINIO_ARCHIVE_PATH", "/mnt/backup/minio/");
  static final List<Variable> ALL = List.of(CASSANDRA, FILES, S3);

  private ArchiveFolders() {}
}
