import java.util.LinkedHashMap;
import java.util.Map;
import org.yaml.snakeyaml.Yaml;

/** Settings of a cassandra.yaml. */
final class CassandraYaml {
  private CassandraYaml() {}

  /** Puts values, which are YAML themselves, over those that are there; {@code a.b} is b within a. */
  static void put(Map<String, Object> settings, Map<String, String> values) {
    values.forEach((key, value) -> put(settings, key, new Yaml().load(value)));
  }

  @SuppressWarnings("unchecked")
  private static void put(Map<String, Object> settings, String key, Object value) {
    var dot = key.indexOf('.');
    if (dot < 0) {
      settings.put(key, value);
      return;
    }
    var nested = settings.computeIfAbsent(key.substring(0, dot), name -> new LinkedHashMap<String, Object>());
    put((Map<String, Object>) nested, key.substring(dot + 1), value);
  }
}
