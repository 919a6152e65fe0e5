//DEPS com.fasterxml.jackson.core:jackson-databind:2.23.0

import com.fasterxml.jackson.databind.JsonNode;
import java.io.Closeable;
import java.time.Duration;
import java.util.List;
import java.util.Locale;
import java.util.Map;

/** One of TheHive's two databases: checked, planned and restored without knowing of the other. */
interface Database extends Closeable {
  /** The two of them, as {@code --only}, reports and markers name them. */
  enum Name {
    CASSANDRA("Cassandra"), ELASTICSEARCH("Elasticsearch");

    final String title;

    Name(String title) {
      this.title = title;
    }

    @Override
    public String toString() {
      return name().toLowerCase(Locale.ROOT);
    }
  }

  Name name();

  /**
   * Chooses the backups to restore; several where each node has its own.
   *
   * @param point the restore point that {@code --backup} names; null for the newest
   * @param gap backups of one restore point are at most this far apart
   */
  List<Backup> choose(String point, Duration gap);

  /** The source of a backup's data: its archive, or the snapshot that its marker stands for. */
  default String source(Backup backup) {
    return backup.file().toString();
  }

  /** Makes every check that can be made before the first change, and the plan. */
  void check(JsonNode unfinished) throws Exception;

  /** The name of the cluster, which is to be typed before it is overwritten; known after the check. */
  String cluster();

  /** The lines of the plan; those that begin with → are changes. */
  List<String> plan();

  /**
   * Begins what changes nothing live, such as copies beside the live data, and returns when it has shown that the
   * restore can go through. Nothing live is changed before all databases have returned.
   */
  default void prepare() throws Exception {}

  /** Takes back what {@link #prepare} began: the run ends without a change. */
  default void withdraw() throws Exception {}

  /** Carries the plan out; the run's marker remembers what a run after a killed one needs to know. */
  void restore(RestoreRun run) throws Exception;

  /** How far the restore is, in a few words. */
  String state();

  /** Bytes that are restored by now. */
  long done();

  /** Bytes to restore. */
  long total();

  /** Bytes of the backup, those that are restored several times once. */
  default long size() {
    return total();
  }

  /** The report's section about it. */
  Map<String, Object> summary();
}
