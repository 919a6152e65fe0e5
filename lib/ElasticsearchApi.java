//DEPS com.fasterxml.jackson.core:jackson-databind:2.23.0
//DEPS org.elasticsearch.client:elasticsearch-rest-client:9.5.6

import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.databind.JsonNode;
import java.io.Closeable;
import java.io.IOException;
import java.net.URLEncoder;
import java.nio.charset.StandardCharsets;
import java.util.Objects;
import java.util.Optional;
import java.util.Set;
import java.util.stream.Collectors;
import java.util.stream.Stream;
import org.apache.http.ConnectionClosedException;
import org.apache.http.Header;
import org.apache.http.HttpException;
import org.apache.http.HttpHost;
import org.apache.http.message.BasicHeader;
import org.apache.http.util.EntityUtils;
import org.elasticsearch.client.Request;
import org.elasticsearch.client.ResponseException;
import org.elasticsearch.client.RestClient;

/** Elasticsearch's REST API (OpenSearch's too), answers as JSON, errors as failures. */
final class ElasticsearchApi implements Closeable {
  /** The answer where a thing does not exist, or where the distribution lacks that part of the API. */
  static final Set<Integer> ABSENT = Set.of(400, 404, 405);
  private final RestClient client;
  private final ElasticsearchAddress address;
  private volatile boolean answered;

  ElasticsearchApi(ElasticsearchSettings settings) {
    address = ElasticsearchAddress.of(settings.urls());
    var builder = RestClient.builder(address.hosts().toArray(HttpHost[]::new));
    if (!address.path().isEmpty()) {
      builder.setPathPrefix(address.path());
    }
    settings.authorization()
        .ifPresent(value -> builder.setDefaultHeaders(new Header[] {new BasicHeader("Authorization", value)}));
    settings.ca().ifPresent(ca -> builder.setHttpClientConfigCallback(http -> http.setSSLContext(
        Tls.context(Tls.trust(ca, settings.caPassword().orElse(null))))));
    builder.setRequestConfigCallback(config -> config.setConnectTimeout(5_000).setSocketTimeout(60_000));
    client = builder.build();
  }

  /** A path of these names, each encoded. */
  static String path(String... names) {
    return Stream.of(names)
        .map(name -> URLEncoder.encode(name, StandardCharsets.UTF_8).replace("+", "%20").replace("%2C", ","))
        .collect(Collectors.joining("/", "/", ""));
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

  /** An index that does not exist counts as deleted; any other answer is a failure. */
  void delete(String index) throws IOException {
    tryTo("DELETE", path(index), null, Set.of(404));
  }

  private JsonNode request(String method, String path, Object body) throws IOException {
    var request = new Request(method, path);
    if (body != null) {
      request.setJsonEntity(Json.MAPPER.writeValueAsString(body));
    }
    try {
      var response = client.performRequest(request);
      answered = true;
      return Json.MAPPER.readTree(response.getEntity().getContent());
    } catch (ResponseException e) {
      answered = true;
      throw e;
    } catch (JsonProcessingException e) {
      throw new Failure(Exit.USAGE, "%s does not answer as Elasticsearch does".formatted(address),
          "is ELASTICSEARCH_API_URL right?", e);
    } catch (IOException | RuntimeException e) {
      // A server that is stopped closes its connections, too.
      if (!answered && Stream.<Throwable>iterate(e, Objects::nonNull, Throwable::getCause)
          .anyMatch(ElasticsearchApi::isNotHttp)) {
        throw notHttp(e);
      }
      if (e instanceof RuntimeException unexpected) {
        throw unexpected;
      }
      throw new Failure(Exit.UNREACHABLE,
          "cannot reach Elasticsearch at %s: %s".formatted(address, ConnectionError.words(e)),
          "is it started, is ELASTICSEARCH_API_URL right? For https: ELASTICSEARCH_CA names its CA", e);
    }
  }

  private static boolean isNotHttp(Throwable cause) {
    return cause instanceof HttpException || cause instanceof ConnectionClosedException;
  }

  private Failure notHttp(Exception cause) {
    return new Failure(Exit.USAGE, "%s is not a port for HTTP".formatted(address),
        "ELASTICSEARCH_API_URL is the address of the REST API, by default port 9200; 9300 is the nodes' own", cause);
  }

  private Failure failure(String method, String path, ResponseException thrown) throws IOException {
    var entity = thrown.getResponse().getEntity();
    return new ElasticsearchError(address.toString(), method + " " + path,
        thrown.getResponse().getStatusLine().getStatusCode(),
        entity == null ? "" : EntityUtils.toString(entity)).failure(thrown);
  }

  @Override
  public String toString() {
    return address.toString();
  }

  @Override
  public void close() throws IOException {
    client.close();
  }
}
