//DEPS org.elasticsearch.client:elasticsearch-rest-client:9.5.6

import java.util.List;
import java.util.regex.Pattern;
import java.util.stream.Collectors;
import org.apache.http.HttpHost;

/**
 * The addresses of ELASTICSEARCH_API_URL.
 *
 * @param path what stands before the API's own paths, such as {@code /es} behind a proxy; empty where there is nothing
 */
record ElasticsearchAddress(List<HttpHost> hosts, String path) {
  private static final Pattern URL =
      Pattern.compile(
          "(?:(?<scheme>https?)://)?(?<host>\\[[0-9A-Fa-f:.%]+]|[^/:@?#\\s\\[\\]]+)(?::(?<port>\\d+))?"
          + "(?<path>/[^?#\\s]*)?");

  static ElasticsearchAddress of(List<String> urls) {
    var all = urls.stream().map(ElasticsearchAddress::one).toList();
    if (all.stream().map(ElasticsearchAddress::path).distinct().count() > 1) {
      throw new Failure(Exit.USAGE,
          "the addresses in ELASTICSEARCH_API_URL have different paths: " + String.join(", ", urls),
          "give all of them the same path");
    }
    return new ElasticsearchAddress(all.stream().flatMap(address -> address.hosts.stream()).toList(), all.get(0).path);
  }

  private static ElasticsearchAddress one(String url) {
    if (url.contains("@")) {
      throw new Failure(Exit.USAGE, "ELASTICSEARCH_API_URL contains a user name",
          "set ELASTICSEARCH_USER and ELASTICSEARCH_PASSWORD instead");
    }
    var match = URL.matcher(url.strip());
    if (!match.matches()) {
      throw wrong("'%s' is not a URL".formatted(url));
    }
    var digits = match.group("port");
    var port = digits == null ? -1 : digits.length() > 5 ? Integer.MAX_VALUE : Integer.parseInt(digits);
    if (port == 0 || port > 65_535) {
      throw wrong("'%s' has port %s; ports are from 1 to 65535".formatted(url, digits));
    }
    var scheme = match.group("scheme") == null ? "http" : match.group("scheme");
    var path = match.group("path") == null ? "" : match.group("path").replaceFirst("/+$", "");
    return new ElasticsearchAddress(List.of(new HttpHost(match.group("host"), port, scheme)), path);
  }

  private static Failure wrong(String message) {
    return new Failure(Exit.USAGE, "ELASTICSEARCH_API_URL " + message, "such as http://127.0.0.1:9200");
  }

  @Override
  public String toString() {
    return hosts.stream().map(host -> host.toURI() + path).collect(Collectors.joining(", "));
  }
}
