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

/**
 * TheHive's own configuration file as a source of settings: what it says of database, index and attachments, by the names
 * of the variables. Keys of TheHive 5.0 and 4 are read, too, where they differ.
 */
final class TheHiveConfig {
  static final Path USUAL = Path.of("/etc/thehive/application.conf");

  private TheHiveConfig() {}

  static Map<String, String> read(Path file) {
    try {
      // Secrets often come from variables of TheHive's own service, which are not set here.
      return settings(ConfigFactory.parseFile(file.toFile()).resolve(ConfigResolveOptions.defaults().setAllowUnresolved(true)));
    } catch (ConfigException e) {
      throw new Failure(Exit.USAGE, "cannot read TheHive's configuration %s: %s".formatted(file, e.getMessage()),
          "THEHIVE_CONFIG names it; set THEHIVE_CONFIG=/dev/null to go on without it");
    }
  }

  /** The settings that the configuration gives, each by the name of its variable. */
  static Map<String, String> settings(com.typesafe.config.Config config) {
    var settings = new LinkedHashMap<String, String>();
    put(settings, "CASSANDRA_KEYSPACE", first(config, "db.janusgraph.storage.cql.keyspace"));
    put(settings, "CASSANDRA_CONNECTION", list(config, "db.janusgraph.storage.hostname").map(hosts -> String.join(",", hosts)
        + first(config, "db.janusgraph.storage.port").map(" "::concat).orElse("")));
    put(settings, "CASSANDRA_THEHIVE_USER", first(config, "db.janusgraph.storage.username", "db.janusgraph.storage.cql.username"));
    put(settings, "ELASTICSEARCH_API_URL", list(config, "db.janusgraph.index.search.hostname").map(hosts -> urls(config, hosts)));
    put(settings, "ELASTICSEARCH_USER", first(config, "db.janusgraph.index.search.elasticsearch.http.auth.basic.username"));
    put(settings, "ELASTICSEARCH_PASSWORD", first(config, "db.janusgraph.index.search.elasticsearch.http.auth.basic.password"));
    put(settings, "ATTACHMENT_FOLDER", first(config, "storage.localfs.location", "storage.localfs.directory"));
    put(settings, "MINIO_ENDPOINT", first(config, "storage.s3.endpoint"));
    put(settings, "MINIO_BUCKET", first(config, "storage.s3.bucket"));
    put(settings, "MINIO_ACCESS_KEY", first(config, "storage.s3.accessKey", "storage.s3.aws.credentials.access-key-id"));
    put(settings, "MINIO_SECRET_KEY", first(config, "storage.s3.aws.credentials.secret-access-key", "storage.s3.secretKey"));
    put(settings, "MINIO_REGION", first(config, "storage.s3.aws.region.default-region", "storage.s3.region"));
    put(settings, "MINIO_VIRTUAL_HOST", first(config, "storage.s3.access-style", "alpakka.s3.access-style")
        .filter(style -> style.equals("virtual")).map(style -> "true"));
    put(settings, "THEHIVE_URL", first(config, "http.port", "play.server.http.port").map("http://<node>:"::concat));
    return settings;
  }

  private static String urls(com.typesafe.config.Config config, List<String> hosts) {
    var scheme = first(config, "db.janusgraph.index.search.elasticsearch.ssl.enabled").filter("true"::equals).isPresent() ? "https" : "http";
    var port = first(config, "db.janusgraph.index.search.port").orElse("9200");
    return hosts.stream().map(host -> host.matches("https?://.*") ? host : scheme + "://" + host + (host.matches(".*:\\d+") ? "" : ":" + port))
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
