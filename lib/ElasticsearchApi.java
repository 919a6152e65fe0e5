//DEPS com.fasterxml.jackson.core:jackson-databind:2.23.0
//DEPS org.elasticsearch.client:elasticsearch-rest-client:9.5.6

import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.databind.JsonNode;
import java.io.Closeable;
import java.io.IOException;
import java.nio.file.Path;
import java.util.List;
import java.util.Optional;
import java.util.Set;
import java.util.stream.Stream;
import org.apache.http.Header;
import org.apache.http.HttpHost;
import org.apache.http.message.BasicHeader;
import org.apache.http.util.EntityUtils;
import org.elasticsearch.client.Request;
import org.elasticsearch.client.ResponseException;
import org.elasticsearch.client.RestClient;

/** Elasticsearch's REST API (OpenSearch's too), answers as JSON, errors as failures. */
final class ElasticsearchApi implements Closeable {
  /** There is no such thing, or the distribution lacks that part of the API. */
  static final Set<Integer> ABSENT = Set.of(400, 404, 405);
  private final RestClient client;
  private final String named;

  ElasticsearchApi(List<String> urls, Path ca, Credentials credentials) {
    var hosts = urls.stream().map(ElasticsearchApi::host).toArray(HttpHost[]::new);
    named = String.join(", ", Stream.of(hosts).map(HttpHost::toURI).toList());
    var builder = RestClient.builder(hosts);
    credentials.header().ifPresent(value -> builder.setDefaultHeaders(new Header[] {new BasicHeader("Authorization", value)}));
    if (ca != null) {
      builder.setHttpClientConfigCallback(http -> http.setSSLContext(Tls.context(Tls.trust(ca))));
    }
    builder.setRequestConfigCallback(config -> config.setConnectTimeout(5_000).setSocketTimeout(60_000));
    client = builder.build();
  }

  private static HttpHost host(String url) {
    try {
      if (url.contains("@")) {
        throw new Failure(Exit.USAGE, "ELASTICSEARCH_API_URL holds a log-in", "set ELASTICSEARCH_USER and ELASTICSEARCH_PASSWORD instead");
      }
      return HttpHost.create(url.strip().replaceFirst("/+$", ""));
    } catch (IllegalArgumentException e) {
      throw new Failure(Exit.USAGE, "ELASTICSEARCH_API_URL '%s' is no URL".formatted(url), "such as http://127.0.0.1:9200");
    }
  }

  JsonNode get(String path) throws IOException {
    return call("GET", path, null);
  }

  Optional<JsonNode> tryGet(String path) throws IOException {
    return tryTo("GET", path, null, ABSENT);
  }

  /** Empty where the answer is one of these statuses. */
  Optional<JsonNode> tryTo(String method, String path, Object body, Set<Integer> missing) throws IOException {
    try {
      return Optional.of(request(method, path, body));
    } catch (ResponseException e) {
      if (missing.contains(e.getResponse().getStatusLine().getStatusCode())) {
        return Optional.empty();
      }
      throw failure(method, path, e);
    }
  }

  JsonNode call(String method, String path, Object body) throws IOException {
    try {
      return request(method, path, body);
    } catch (ResponseException e) {
      throw failure(method, path, e);
    }
  }

  private JsonNode request(String method, String path, Object body) throws IOException {
    var request = new Request(method, path);
    if (body != null) {
      request.setJsonEntity(Json.MAPPER.writeValueAsString(body));
    }
    try {
      return Json.MAPPER.readTree(client.performRequest(request).getEntity().getContent());
    } catch (ResponseException e) {
      throw e;
    } catch (IOException e) {
      throw new Failure(Exit.UNREACHABLE, "cannot reach Elasticsearch at %s: %s".formatted(named, e.getMessage()),
          "is it started, is ELASTICSEARCH_API_URL right?", e);
    }
  }

  private Failure failure(String method, String path, ResponseException thrown) throws IOException {
    var status = thrown.getResponse().getStatusLine().getStatusCode();
    var body = thrown.getResponse().getEntity() == null ? "" : EntityUtils.toString(thrown.getResponse().getEntity());
    var reason = body;
    try {
      reason = Json.MAPPER.readTree(body).path("error").path("reason").asText(body);
    } catch (JsonProcessingException e) {
      // a proxy's answer: shown as it is
    }
    if (status == 401 || status == 403) {
      return new Failure(Exit.AUTHENTICATION, "Elasticsearch at %s refuses %s %s: HTTP %d %s".formatted(named, method, path, status, reason),
          "check ELASTICSEARCH_USER and ELASTICSEARCH_PASSWORD, or ELASTICSEARCH_API_KEY, and what it may do", thrown);
    }
    // Busy, starting or electing a master: as good as not reached.
    var code = Set.of(429, 502, 503, 504).contains(status) ? Exit.UNREACHABLE : status >= 500 ? Exit.UNSAFE : Exit.UNEXPECTED;
    return new Failure(code, "Elasticsearch answers %s %s with HTTP %d: %s".formatted(method, path, status, reason), null, thrown);
  }

  @Override
  public void close() throws IOException {
    client.close();
  }
}
