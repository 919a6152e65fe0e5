import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Map;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** Which reports tell of the restore of a backup. */
class RestoreTargetsTest {
  private static final Map<String, String> BACKUPS = Map.of("cassandra", "cassandra_20261122_12h00m00s",
      "elasticsearch", "elasticsearch_20261122_12h00m03s", "files", "files_20261122_12h00m09s");
  @TempDir Path folder;

  @BeforeEach
  void restore() throws IOException {
    report("restore-cassandra-es_20261122_14h00m00s", SampleEvidence.DATABASES);
    report("restore-files-nfs_20261122_15h00m00s", SampleEvidence.FILES);
  }

  private void report(String name, String json) throws IOException {
    Files.writeString(folder.resolve(name + ".json"), json.replace('\'', '"'));
  }

  private RestoreTargets targets(String keyspace, String attachments) {
    return new RestoreTargets(folder, keyspace, folder, attachments, folder.resolve("none"), "thehive");
  }

  private Map<String, RestoreReport> reports() throws IOException {
    return targets("thehive", "/opt/thp/thehive/files").reports(BACKUPS);
  }

  @Test
  void readsEachPartFromTheNewestReportOfItsTarget() throws IOException {
    assertThat(reports()).containsOnlyKeys("cassandra", "elasticsearch", "files");
    var cassandra = reports().get("cassandra").part("cassandra").orElseThrow();
    assertThat(cassandra.version()).isEqualTo("Cassandra 4.1.10");
    assertThat(cassandra.bytes()).isEqualTo(800_001_000);
    assertThat(reports().get("cassandra").seconds("cassandra", cassandra.items().get(0))).isEqualTo(80);
    var elasticsearch = reports().get("cassandra").part("elasticsearch").orElseThrow();
    assertThat(elasticsearch.version()).isEqualTo("Elasticsearch 8.17.0");
    assertThat(elasticsearch.leftOut()).containsExactly("index .kibana_1: it is Elasticsearch's own",
        "live index thehive_audits stays: the snapshot does not have it");
    assertThat(reports().get("files").part("files").orElseThrow().error()).isEmpty();
    assertThat(targets("other", "/elsewhere").reports(BACKUPS)).containsOnlyKeys("elasticsearch");
    assertThat(targets("thehive", "/opt/thp/thehive/files").restored()).containsOnlyKeys("cassandra", "elasticsearch",
        "files");
  }

  @Test
  void aRestoreOfAnotherBackupIsNotOneOfThis() throws IOException {
    report("restore-files-nfs_20261123_15h00m00s",
        SampleEvidence.FILES.replace("files_20261122_12h00m09s", "files_20261123_12h00m09s"));
    assertThat(reports()).containsOnlyKeys("cassandra", "elasticsearch");
  }

  /** It may have failed before it knew the folder. */
  @Test
  void aNewerFailureCounts() throws IOException {
    report("restore-files-nfs_20261123_15h00m00s", "{'script': 'restore-files-nfs', 'started': '2026-11-23T15:00:00Z',"
        + " 'seconds': 1, 'exit': 13, 'error': 'no room'}");
    assertThat(reports().get("files").part("files").orElseThrow().error()).isEqualTo("no room");
    report("restore-cassandra-es_20261123_14h00m00s", SampleEvidence.DATABASES.replace("'exit': 0",
        "'exit': 14, 'failures': {'cassandra': 'a node is gone'}"));
    assertThat(reports().get("cassandra").part("cassandra").orElseThrow().error()).isEqualTo("a node is gone");
    assertThat(reports().get("elasticsearch").part("elasticsearch").orElseThrow().error()).isEmpty();
  }

  /** Of release 1.0: no steps, no version, no name of the part that failed. */
  @Test
  void readsReportsOfEarlierReleases() throws IOException {
    report("restore-cassandra-es_20261123_14h00m00s", "{'script': 'restore-cassandra-es', 'started':"
        + " '2026-11-23T14:00:00Z', 'seconds': 12.5, 'exit': 14, 'errors': ['gone'], 'cassandra': {'archive':"
        + " '/b/cassandra_20261122_12h00m00s.tar', 'keyspace': 'thehive', 'tables': []}}");
    var report = reports().get("cassandra");
    assertThat(report.seconds("cassandra")).isEqualTo(12.5);
    assertThat(report.part("cassandra").orElseThrow().error()).isEqualTo("gone");
    assertThat(report.part("cassandra").orElseThrow().archives())
        .containsExactly("/b/cassandra_20261122_12h00m00s.tar");
    assertThat(report.release()).isEmpty();
  }

  @Test
  void namesWhatIsUnfinished() throws IOException {
    assertThat(targets("thehive", "/x").unfinished()).isEmpty();
    Files.writeString(folder.resolve("restore-files-nfs.unfinished"), "{\"unfinished\": [\"files\"]}");
    assertThat(targets("thehive", "/x").unfinished()).singleElement().asString()
        .startsWith("restore-files-nfs: files since 20");
  }
}
