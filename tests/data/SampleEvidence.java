import com.fasterxml.jackson.core.JsonProcessingException;
import java.nio.file.Path;
import java.time.Instant;
import java.time.LocalDateTime;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;

/** A restore of both databases and of the files, and the checks after it, as reports and checks tell of them. */
final class SampleEvidence {
  static final Instant START = Instant.parse("2026-11-22T13:00:00Z");
  /** 1.2 GB, with a question of 100 s. */
  static final String DATABASES = """
      {'script': 'restore-cassandra-es', 'release': '1.1.0', 'started': '2026-11-22T13:00:00Z', 'seconds': 300.0,
       'waited': 100.0, 'exit': 0,
       'cassandra': {'backup': 'cassandra_20261122_12h00m00s',
        'archives': ['/mnt/backup/cassandra/cassandra_20261122_12h00m00s.tar'],
        'keyspace': 'thehive', 'cluster': 'hive', 'version': '4.1.10',
        'tables': [{'name': 'edgestore', 'sstables': 4, 'bytes': 800000000}, {'name': '<script>alert(1)</script>',
         'sstables': 1, 'bytes': 1000}]},
       'elasticsearch': {'backup': 'elasticsearch_20261122_12h00m03s', 'cluster': 'hive-es',
        'url': 'http://10.0.0.5:9200', 'indices': ['thehive_global'], 'leftOut': [], 'system': ['.kibana_1'],
        'stays': ['thehive_audits'], 'notAsInTheSnapshot': [], 'versions': ['8.17.0'], 'bytes': 400000000,
        'bytesOf': {'thehive_global': 400000000}, 'documentsOf': {'thehive_global': 104000}},
       'steps': [
        {'part': 'cassandra', 'step': 'check', 'startMillis': 1000, 'millis': 9000, 'bytes': 0},
        {'part': 'elasticsearch', 'step': 'check', 'startMillis': 1000, 'millis': 4000, 'bytes': 0},
        {'part': '', 'step': 'question', 'startMillis': 10000, 'millis': 100000, 'bytes': 0},
        {'part': 'elasticsearch', 'step': 'restore the copies', 'startMillis': 112000, 'millis': 180000,
         'bytes': 400000000},
        {'part': 'cassandra', 'step': 'truncate', 'startMillis': 110000, 'millis': 2000, 'bytes': 0},
        {'part': 'cassandra', 'step': 'stream edgestore', 'startMillis': 112000, 'millis': 80000, 'bytes': 800000000},
        {'part': 'cassandra', 'step': 'grant', 'startMillis': 192000, 'millis': 10, 'bytes': 0},
        {'part': 'elasticsearch', 'step': 'replace thehive_global', 'startMillis': 292000, 'millis': 8000, 'bytes': 0}
       ]}""";
  static final String FILES = """
      {'script': 'restore-files-nfs', 'release': '1.1.0', 'started': '2026-11-22T14:00:00Z', 'seconds': 60.0,
       'waited': 10.0, 'exit': 0, 'backup': '/mnt/backup/storage/files_20261122_12h00m09s.tar',
       'folder': '/opt/thp/thehive/files', 'fileSystem': 'nfs4 on 10.0.0.9:/hive', 'mode': 'staged', 'files': 20000,
       'bytes': 740000000, 'notSet': {},
       'steps': [
        {'part': '', 'step': 'question', 'startMillis': 5000, 'millis': 10000, 'bytes': 0},
        {'part': 'files', 'step': 'stage', 'startMillis': 15000, 'millis': 44000, 'bytes': 740000000},
        {'part': 'files', 'step': 'swap', 'startMillis': 59000, 'millis': 20, 'bytes': 0}]}""";

  private SampleEvidence() {}

  static RestoreReport report(String json) {
    try {
      var content = Json.MAPPER.readTree(json.replace('\'', '"'));
      return RestoreReport.of(new RunReports.Report(
          Path.of("/mnt/backup/%s_20261122_14h00m00s.json".formatted(content.path("script").asText())), content));
    } catch (JsonProcessingException e) {
      throw new IllegalStateException(e);
    }
  }

  static Map<String, RestoreReport> reports(String databases, String files) {
    var reports = new LinkedHashMap<String, RestoreReport>();
    reports.put("cassandra", report(databases));
    reports.put("elasticsearch", report(databases));
    reports.put("files", report(files));
    return reports;
  }

  /** All in order; the bucket is not in use. */
  static List<Findings> good() {
    var cassandra = new Findings("cassandra");
    cassandra.ok("nodes", "3 up and normal");
    cassandra.ok("edgestore", "942,000 rows, asked of 3 nodes");
    cassandra.count("rows", 942_000);
    var elasticsearch = new Findings("elasticsearch");
    elasticsearch.ok("content", "thehive_global: 104,000 documents of the snapshot, each the same");
    elasticsearch.count("documents", 104_000);
    var files = new Findings("files");
    files.ok("content", "same sizes, same contents");
    var s3 = new Findings("s3");
    s3.skipped("backup", "MINIO_ENDPOINT is not set");
    var together = new Findings("together");
    together.ok("times", "9 s apart");
    return new ArrayList<>(List.of(cassandra, elasticsearch, files, s3, together));
  }

  static Evidence of(List<Findings> findings, Map<String, RestoreReport> reports) {
    var all = findings.stream().flatMap(part -> part.list().stream()).toList();
    var counts = new LinkedHashMap<String, Map<String, Long>>();
    findings.forEach(part -> counts.put(part.part(), part.counts()));
    var begun = START.plusSeconds(7200);
    return new Evidence(new Evidence.Check("jump<b>host</b>", begun, begun.plusSeconds(30), false,
        List.of(new StepTimes.Step("cassandra", "check", 0, 29_000, 0),
            new StepTimes.Step("files", "check", 0, 9000, 0)), List.of("Change <4711>", "y".repeat(300))),
        Verdict.of("verify", "As in the backup", all), Optional.of(LocalDateTime.of(2026, 11, 22, 12, 0, 9)), reports,
        List.of(),
        List.of(new ArchiveSum("cassandra", Path.of("/mnt/backup/cassandra/cassandra_20261122_12h00m00s.tar"),
            700_000_000, "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08"),
            new ArchiveSum("files", Path.of("/mnt/backup/storage/files_20261122_12h00m09s.tar"), 750_000_000,
            "60303ae22b998861bce3b28f33eec1be758a213c86c93c076dbe9f558c11c752")),
        counts);
  }
}
