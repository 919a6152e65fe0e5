import java.nio.file.Path;
import java.util.List;
import java.util.stream.Stream;

/** The variables that name the folders of the backups: of archives, and of the markers of snapshots. */
final class ArchiveFolders {
  static final Variable CASSANDRA = Variable.withDefault("CASSANDRA_GENERAL_ARCHIVE_PATH", "/mnt/backup/cassandra");
  static final Variable FILES = Variable.withDefault("GENERAL_ARCHIVE_PATH", "/mnt/backup/storage");
  static final Variable S3 = Variable.withDefault("MINIO_ARCHIVE_PATH", "/mnt/backup/minio/");
  static final Variable MARKERS =
      Variable.withDefault("ELASTICSEARCH_GENERAL_ARCHIVE_PATH", "/mnt/backup/elasticsearch");
  /** Those of archives. */
  static final List<Variable> ALL = List.of(CASSANDRA, FILES, S3);

  private ArchiveFolders() {}

  /** The folders of Cassandra's archives: one, or one for each node. */
  static List<Path> cassandra(Settings settings) {
    return Stream.of(settings.text(CASSANDRA).split(",")).map(String::strip).map(Path::of).toList();
  }
}
