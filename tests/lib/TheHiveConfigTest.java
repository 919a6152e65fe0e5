import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import com.typesafe.config.ConfigFactory;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** Settings that TheHive's own configuration file gives. */
class TheHiveConfigTest {
  @TempDir Path folder;

  private static Map<String, String> settings(String text) {
    return TheHiveConfig.settings(ConfigFactory.parseString(text).resolve());
  }

  @Test
  void readsDatabaseIndexAndFolder() {
    assertThat(settings("""
        db.janusgraph {
          storage { backend = cql, hostname = ["10.0.0.5", "10.0.0.6"], username = thp, password = secret, cql { cluster-name = thp, keyspace = hive } }
          index.search { backend = elasticsearch, hostname = ["10.0.0.7"], index-name = thehive
            elasticsearch.http.auth { type = basic, basic { username = reader, password = word } } }
        }
        storage { provider = localfs, localfs.location = /srv/files }
        http.port = 9001
        """)).containsExactlyInAnyOrderEntriesOf(Map.of(
            "CASSANDRA_KEYSPACE", "hive", "CASSANDRA_CONNECTION", "10.0.0.5,10.0.0.6", "CASSANDRA_THEHIVE_USER", "thp",
            "ELASTICSEARCH_INDEX", "thehive_global",
        "ELASTICSEARCH_API_URL", "http://10.0.0.7:9200", "ELASTICSEARCH_USER", "reader", "ELASTICSEARCH_PASSWORD",
        "word",
            "ATTACHMENT_FOLDER", "/srv/files", "THEHIVE_URL", "http://<node>:9001"));
  }

  @Test
  void readsPortsTlsAndHostsInOneText() {
    var settings = settings("""
        db.janusgraph.storage { hostname = "db1, db2", port = 9142 }
        db.janusgraph.index.search { hostname = "es1,es2:9201", port = 9243, elasticsearch.ssl.enabled = true }
        """);
    assertThat(settings).containsEntry("CASSANDRA_CONNECTION", "db1,db2 9142")
        .containsEntry("ELASTICSEARCH_API_URL", "https://es1:9243,https://es2:9201");
  }

  @Test
  void readsTheBucketWithTheKeysOfEachRelease() {
    var now = settings("""
        storage { provider = s3, s3 { bucket = hive, endpoint = "http://10.0.0.8:9100", accessKey = thehive, access-style = virtual
          aws { credentials { provider = static, secret-access-key = word }, region { provider = static, default-region = eu-1 } } } }
        """);
    var before = settings("""
        storage { provider = s3, s3 { bucket = hive, endpoint = "http://10.0.0.8:9100", accessKey = thehive, secretKey = word, region = eu-1 } }
        alpakka.s3.access-style = virtual
        """);
    assertThat(now).isEqualTo(before)
        .containsExactlyInAnyOrderEntriesOf(Map.of("MINIO_BUCKET", "hive", "MINIO_ENDPOINT", "http://10.0.0.8:9100",
            "MINIO_ACCESS_KEY", "thehive", "MINIO_SECRET_KEY", "word", "MINIO_REGION", "eu-1", "MINIO_VIRTUAL_HOST",
            "true"));
  }

  @Test
  void readsTheStoresOfTlsOnlyWhereItIsOn() {
    var stores = """
        db.janusgraph.storage.cql.ssl { enabled = %1$s, client-authentication-enabled = true
          truststore { location = /etc/thehive/trust.jks, password = word1 }
          keystore { location = /etc/thehive/key.p12, storepassword = word2, keypassword = word3 } }
        db.janusgraph.index.search.elasticsearch.ssl { enabled = %1$s, truststore { location = /etc/thehive/es.jks, password = word4 } }
        """;
    assertThat(settings(stores.formatted(true))).containsExactlyInAnyOrderEntriesOf(Map.of(
        "CASSANDRA_SSL_CA", "/etc/thehive/trust.jks", "CASSANDRA_SSL_CA_PASSWORD", "word1", "CASSANDRA_SSL_CERT",
        "/etc/thehive/key.p12",
        "CASSANDRA_SSL_KEY_PASSWORD", "word2", "ELASTICSEARCH_CA", "/etc/thehive/es.jks", "ELASTICSEARCH_CA_PASSWORD",
        "word4"));
    assertThat(settings(stores.formatted(false))).isEmpty();
    assertThat(
        settings("db.janusgraph.storage.cql.ssl { enabled = true, truststore.location = /t.jks, password = old }"))
        .as("as older documentation names it").containsEntry("CASSANDRA_SSL_CA_PASSWORD", "old");
  }

  @Test
  void knowsWhereTheAuditLogsAre() {
    assertThat(settings("audit.storage = elasticsearch")).containsEntry("ELASTICSEARCH_AUDIT_INDEX", "thehive-audits");
    assertThat(settings("audit.storage = elasticsearch, db.janusgraph.index.search.index-name = hive"))
        .containsEntry("ELASTICSEARCH_AUDIT_INDEX", "hive-audits").containsEntry("ELASTICSEARCH_INDEX", "hive_global");
    assertThat(settings("audit { storage = elasticsearch, elasticsearch.index-name = logs }"))
        .containsEntry("ELASTICSEARCH_AUDIT_INDEX", "logs");
    assertThat(settings("audit.storage = janusgraph")).isEmpty();
  }

  @Test
  void takesOnlyTheStorageThatIsInUse() {
    var both = "storage { provider = %s, localfs.location = /srv/files, s3 { bucket = hive } }";
    assertThat(settings(both.formatted("localfs"))).containsOnlyKeys("ATTACHMENT_FOLDER");
    assertThat(settings(both.formatted("s3"))).containsOnlyKeys("MINIO_BUCKET");
    assertThat(settings(both.formatted("hdfs"))).isEmpty();
  }

  /** As its documentation shows them, and the files that its packages brought. */
  @Test
  void readsTheKeysOfTheHive4AndOf50() {
    assertThat(settings("""
        db.janusgraph { storage.backend: berkeleyje, storage.directory: /data/db, index.search.backend: lucene, index.search.directory: /data/index }
        storage { provider: localfs, localfs.directory: /opt/files }
        """)).as("TheHive 4 without Cassandra").containsExactlyEntriesOf(Map.of("ATTACHMENT_FOLDER", "/opt/files"));
    assertThat(settings("""
        db { provider: janusgraph, janusgraph { storage { backend: cql, hostname: ["10.0.0.5"], cql { cluster-name: thp, keyspace: thehive4, local-datacenter: dc1 } } } }
        storage { provider: s3, s3 { bucket: thehive, readTimeout: 1 minute, chunkSize: 1 MB, endpoint: "http://10.0.0.8:9100", accessKey: key, secretKey: word } }
        alpakka.s3.path-style-access = force
        play.http.context = "/hive/"
        """))
        .as("TheHive 5.0")
        .containsExactlyInAnyOrderEntriesOf(Map.of("CASSANDRA_CONNECTION", "10.0.0.5", "CASSANDRA_KEYSPACE", "thehive4",
            "MINIO_BUCKET", "thehive", "MINIO_ENDPOINT", "http://10.0.0.8:9100", "MINIO_ACCESS_KEY", "key",
            "MINIO_SECRET_KEY", "word",
            "THEHIVE_URL", "http://<node>:9000/hive"));
    assertThat(settings("pekko.connectors.s3 { endpoint-url = \"http://s3\", access-style = virtual }"))
        .as("TheHive 5.4 with the library's own keys")
        .containsExactlyInAnyOrderEntriesOf(Map.of("MINIO_ENDPOINT", "http://s3", "MINIO_VIRTUAL_HOST", "true"));
    assertThat(settings("http.port = disabled, https.port = 9443")).containsEntry("THEHIVE_URL", "https://<node>:9443");
  }

  @Test
  void followsIncludesAndSubstitutionsAndPassesOverWhatItCannotResolve() throws IOException {
    Files.writeString(folder.resolve("storage.conf"), "base = /srv\nstorage.localfs.location = ${base}/files\n");
    var file = Files.writeString(folder.resolve("application.conf"), """
        include "storage"
        db.janusgraph.storage { cql.keyspace = hive, username = ${NOT_SET_ANYWHERE_THEHIVE} }
        """);
    assertThat(TheHiveConfig.read(file))
        .containsExactlyInAnyOrderEntriesOf(Map.of("ATTACHMENT_FOLDER", "/srv/files", "CASSANDRA_KEYSPACE", "hive"));
  }

  @Test
  void namesAFileThatIsNotHocon() throws IOException {
    var file = Files.writeString(folder.resolve("application.conf"), "storage { ");
    assertThatThrownBy(() -> TheHiveConfig.read(file)).isInstanceOf(Failure.class)
        .hasMessageContaining("cannot read TheHive's configuration " + file);
  }

  @Test
  void aVariableWinsOverTheFileAndTheFileOverTheDefault() {
    var settings = new Settings(Map.of("CASSANDRA_KEYSPACE", "mine"),
        Map.of("CASSANDRA_KEYSPACE", "hive", "CASSANDRA_THEHIVE_USER", "thp"), "/etc/a.conf");

    assertThat(settings.text(CassandraSettings.KEYSPACE)).isEqualTo("mine");
    assertThat(settings.text(CassandraSettings.ROLE)).isEqualTo("thp");
    assertThat(settings.text(CassandraSettings.ARCHIVES)).isEqualTo("/mnt/backup/cassandra");
    assertThat(
        settings.describe(List.of(CassandraSettings.KEYSPACE, CassandraSettings.ROLE, CassandraSettings.ARCHIVES))
            .stream().map(line -> line.strip().replaceAll(" +", " ")))
        .containsExactly("Set: CASSANDRA_KEYSPACE=mine", "From /etc/a.conf: CASSANDRA_THEHIVE_USER=thp",
            "Defaults: CASSANDRA_GENERAL_ARCHIVE_PATH=/mnt/backup/cassandra");
    assertThat(settings.warnings(CassandraSettings.VARIABLES))
        .containsExactly("CASSANDRA_KEYSPACE is mine, but /etc/a.conf says hive");
  }

  @Test
  void thePlanShowsWhatCountsAndWhereItComesFrom() {
    var settings =
        new Settings(Map.of("CASSANDRA_CONNECTION", "10.0.0.5 -u admin -p word", "CASSANDRA_PASSWORD_FILE", "/root/pw"),
        Map.of("CASSANDRA_KEYSPACE", "hive"), "/etc/a.conf");
    assertThat(settings.sources(List.of(CassandraSettings.CONNECTION, CassandraSettings.PASSWORD,
        CassandraSettings.KEYSPACE, CassandraSettings.ROLE, CassandraSettings.USER)))
        .containsExactly("CASSANDRA_CONNECTION 10.0.0.5 -u admin -p (not shown) (variable)",
            "CASSANDRA_PASSWORD (not shown) (/root/pw, named by CASSANDRA_PASSWORD_FILE)",
            "CASSANDRA_KEYSPACE hive (/etc/a.conf)", "CASSANDRA_THEHIVE_USER thehive (default)");
  }

  @Test
  void neverShowsASecret() {
    var settings = new Settings(Map.of("MINIO_SECRET_KEY", "word1"),
        Map.of("MINIO_SECRET_KEY", "word2", "ELASTICSEARCH_PASSWORD", "word3"), "/etc/a.conf");
    var all = settings.describe(S3Settings.VARIABLES).toString() + settings.describe(ElasticsearchSettings.VARIABLES)
        + settings.warnings(S3Settings.VARIABLES);
    assertThat(all).contains("not shown", "MINIO_SECRET_KEY is not what /etc/a.conf says").doesNotContain("word");
  }

  @Test
  void asksWhetherAnotherVariableWasMeant() {
    for (var typo : List.of("CASANDRA_CONNECTION", "CASSANDRA_CONECTION", "CASSANDRA_CONNECTIONS",
        "CASSANDRA_CONNECTOIN", "CASSANDRA_KEYSPACF")) {
      assertThat(new Settings(Map.of(typo, "x")).warnings(CassandraSettings.VARIABLES)).as(typo).hasSize(1).first()
          .asString()
          .startsWith(typo + " is set, but nothing reads it: is CASSANDRA_");
    }
    for (var other : List.of("CASSANDRA_HOME", "CASSANDRA_CONF", "CASSANDRA_PASSWORD_FILE", "PATH", "MINIO_ENDPOINT")) {
      assertThat(new Settings(Map.of(other, "x")).warnings(CassandraSettings.VARIABLES)).as(other).isEmpty();
    }
  }

  @Test
  void namesWhatAnEditorLeftInANameOrInASecret() {
    assertThat(new Settings(Map.of("\uFEFFCASSANDRA_USER", "x")).warnings(CassandraSettings.VARIABLES)).singleElement()
        .asString()
        .startsWith("the name CASSANDRA_USER begins with a byte order mark");
    for (var secret : Map.of("word\r", "ends with a carriage return", "'word'", "has quotes around its value",
        "\uFEFFword", "begins with a byte order mark").entrySet()) {
      assertThat(new Settings(Map.of("CASSANDRA_PASSWORD", secret.getKey())).warnings(CassandraSettings.VARIABLES))
          .containsExactly("CASSANDRA_PASSWORD %s, which counts as part of it".formatted(secret.getValue()));
    }
  }

  @Test
  void refusesWhatAnEditorOrAShellLeftInAValue() {
    for (var value : List.of("thehive\r", "\uFEFFthehive", "\"thehive\"", "'thehive'", " ")) {
      assertThatThrownBy(() -> new Settings(Map.of("CASSANDRA_KEYSPACE", value)).text(CassandraSettings.KEYSPACE))
          .isInstanceOfSatisfying(Failure.class, failure -> assertThat(failure.code).isEqualTo(Exit.USAGE))
          .hasMessageStartingWith("CASSANDRA_KEYSPACE ");
    }
  }
}
