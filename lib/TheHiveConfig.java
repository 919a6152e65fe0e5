//DEPS com.typesafe:config:1.4.3 // HOCON with includes and substitutions, as TheHive itself reads it

import com.typesafe.config.ConfigException;
import com.typesafe.config.ConfigFactory;
import com.typesafe.config.ConfigResolveOptions;
import com.typesafe.config.ConfigValueType;
import java.nio.file.Path;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.stream.Collectors;
import java.util.stream.Stream;

/**
 * TheHive's own configuration file as a source of settings: what it says of database, index and attachments, by the
 * names of the variables. Keys of TheHive 5.0 and 4 are read, too, where they differ.
 */
final class TheHiveConfig {
  static final Path USUAL = Path.of("/etc/thehive/application.conf");

  private TheHiveConfig() {}

  static Map<String, String> read(Path file) {
    try {
      // Secrets often come from variables of TheHive's own service, which are not set here.
      return settings(
          ConfigFactory.parseFile(file.toFile()).resolve(ConfigResolveOptions.defaults().setAllowUnresolved(true)));
    } catch (ConfigException e) {
      throw new Failure(Exit.USAGE, "cannot read TheHive's configuration %s: %s".formatted(file, e.getMessage()),
          "THEHIVE_CONFIG names it; set THEHIVE_CONFIG=/dev/null to go on without it");
    }
  }

  /** The settings that the configuration gives, each by the name of its variable. */
  static Map<String, String> settings(com.typesafe.config.Config config) {
    var settings = new LinkedHashMap<String, String>();
    if (isOneOf(config, "db.janusgraph.storage.backend", "cql", "cassandra", "cassandrathrift")) {
      addCassandra(settings, config);
    }
    if (isOneOf(config, "db.janusgraph.index.search.backend", "elasticsearch")) {
      addElasticsearch(settings, config);
    }
    if (isOneOf(config, "storage.provider", "localfs")) {
      put(settings, "ATTACHMENT_FOLDER", first(config, "storage.localfs.location", "storage.localfs.directory"));
    }
    if (isOneOf(config, "storage.provider", "s3")) {
      addBucket(settings, config);
    }
    addAddress(settings, config);
    return settings;
  }

  /**
   * True if the key has one of these values, or is not there: TheHive 4 may have the database in a local folder, say.
   */
  private static boolean isOneOf(com.typesafe.config.Config config, String path, String... values) {
    return first(config, path).map(value -> List.of(values).contains(value)).orElse(true);
  }

  private static void addCassandra(Map<String, String> settings, com.typesafe.config.Config config) {
    put(settings, "CASSANDRA_KEYSPACE",
        first(config, "db.janusgraph.storage.cql.keyspace", "db.janusgraph.storage.cassandra.keyspace"));
    put(settings, "CASSANDRA_CONNECTION",
        list(config, "db.janusgraph.storage.hostname").map(hosts -> String.join(",", hosts)
        + first(config, "db.janusgraph.storage.port").map(" "::concat).orElse("")));
    put(settings, "CASSANDRA_THEHIVE_USER",
        first(config, "db.janusgraph.storage.username", "db.janusgraph.storage.cql.username"));
    var ssl = "db.janusgraph.storage.cql.ssl.";
    if (isTrue(config, ssl + "enabled")) {
      put(settings, "CASSANDRA_SSL_CA", first(config, ssl + "truststore.location"));
      put(settings, "CASSANDRA_SSL_CA_PASSWORD", first(config, ssl + "truststore.password", ssl + "password"));
      if (isTrue(config, ssl + "client-authentication-enabled")) {
        put(settings, "CASSANDRA_SSL_CERT", first(config, ssl + "keystore.location"));
        put(settings, "CASSANDRA_SSL_KEY_PASSWORD",
            first(config, ssl + "keystore.storepassword", ssl + "truststore.storepassword",
            ssl + "keystore.keypassword"));
      }
    }
  }

  private static void addElasticsearch(Map<String, String> settings, com.typesafe.config.Config config) {
    var search = "db.janusgraph.index.search.";
    put(settings, "ELASTICSEARCH_API_URL", list(config, search + "hostname").map(hosts -> urls(config, hosts)));
    put(settings, "ELASTICSEARCH_USER", first(config, search + "elasticsearch.http.auth.basic.username"));
    put(settings, "ELASTICSEARCH_PASSWORD", first(config, search + "elasticsearch.http.auth.basic.password"));
    if (isTrue(config, search + "elasticsearch.ssl.enabled")) {
      put(settings, "ELASTICSEARCH_CA", first(config, search + "elasticsearch.ssl.truststore.location"));
      put(settings, "ELASTICSEARCH_CA_PASSWORD", first(config, search + "elasticsearch.ssl.truststore.password"));
    }
    var name = first(config, search + "index-name");
    put(settings, "ELASTICSEARCH_INDEX", name.map(prefix -> prefix + "_global"));
    if (first(config, "audit.storage").filter("elasticsearch"::equals).isPresent()) { // since TheHive 5.5
      put(settings, "ELASTICSEARCH_AUDIT_INDEX", first(config, "audit.elasticsearch.index-name")
          .or(() -> Optional.of(name.orElse("thehive") + "-audits")));
    }
  }

  /** TheHive's own keys, and those of the library that it uses: alpakka, since TheHive 5.4 pekko. */
  private static void addBucket(Map<String, String> settings, com.typesafe.config.Config config) {
    put(settings, "MINIO_ENDPOINT", ofStore(config, "endpoint", "endpoint-url"));
    put(settings, "MINIO_BUCKET", first(config, "storage.s3.bucket"));
    put(settings, "MINIO_ACCESS_KEY", ofStore(config, "accessKey", "aws.credentials.access-key-id"));
    put(settings, "MINIO_SECRET_KEY", ofStore(config, "aws.credentials.secret-access-key", "secretKey"));
    put(settings, "MINIO_REGION", ofStore(config, "aws.region.default-region", "region"));
    put(settings, "MINIO_VIRTUAL_HOST",
        ofStore(config, "access-style").filter(style -> style.equals("virtual")).map(style -> "true"));
  }

  private static Optional<String> ofStore(com.typesafe.config.Config config, String... names) {
    return first(config, Stream.of("storage.s3.", "pekko.connectors.s3.", "alpakka.s3.")
        .flatMap(prefix -> Stream.of(names).map(name -> prefix + name)).toArray(String[]::new));
  }

  /** TheHive's port, and the path in front of its own where it has one. */
  private static void addAddress(Map<String, String> settings, com.typesafe.config.Config config) {
    var path = first(config, "play.http.context", "application.context").map(context -> context.replaceFirst("/+$", ""))
        .orElse("");
    var https = first(config, "https.port", "play.server.https.port");
    var http = first(config, "http.port", "play.server.http.port").filter(port -> !port.equals("disabled"));
    var address = http.map("http://<node>:"::concat).or(() -> https.map("https://<node>:"::concat))
        .or(() -> path.isEmpty() ? Optional.empty() : Optional.of("http://<node>:9000"));
    put(settings, "THEHIVE_URL", address.map(text -> text + path));
  }

  private static boolean isTrue(com.typesafe.config.Config config, String path) {
    return first(config, path).filter("true"::equals).isPresent();
  }

  private static String urls(com.typesafe.config.Config config, List<String> hosts) {
    var scheme = isTrue(config, "db.janusgraph.index.search.elasticsearch.ssl.enabled") ? "https" : "http";
    var port = first(config, "db.janusgraph.index.search.port").orElse("9200");
    return hosts.stream()
        .map(host -> host.matches("https?://.*") ? host
            : scheme + "://" + host + (host.matches(".*:\\d+") ? "" : ":" + port))
        .collect(Collectors.joining(","));
  }

  private static void put(Map<String, String> settings, String name, Optional<String> value) {
    value.filter(text -> !text.isBlank()).ifPresent(text -> settings.put(name, text));
  }

  /** The value of the first of these paths that is there and resolved. */
  private static Optional<String> first(com.typesafe.config.Config config, String... paths) {
    for (var path : paths) {
      try {
        if (config.hasPath(path)) {
          return Optional.of(config.getString(path));
        }
      } catch (ConfigException.NotResolved e) {
        // its value comes from a variable that is not set here: as good as not there
      }
    }
    return Optional.empty();
  }

  /** A list, or a text with commas, as JanusGraph takes both. */
  private static Optional<List<String>> list(com.typesafe.config.Config config, String path) {
    try {
      if (!config.hasPath(path)) {
        return Optional.empty();
      }
      return Optional.of(config.getValue(path).valueType() == ConfigValueType.LIST ? config.getStringList(path)
          : List.of(config.getString(path).split("\\s*,\\s*")));
    } catch (ConfigException.NotResolved e) {
      return Optional.empty();
    }
  }
}
