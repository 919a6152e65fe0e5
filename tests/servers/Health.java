import java.io.IOException;
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse;
import java.time.Duration;

/** Whether an Elasticsearch node serves. */
final class Health {
  private static final HttpClient HTTP = HttpClient.newHttpClient();

  private Health() {}

  /** It answers, so many nodes are there, and its shards are not about to change. */
  static boolean isSettled(String host, int port, int nodes) throws InterruptedException {
    var health = "http://%s:%d/_cluster/health?timeout=1s".formatted(host, port);
    var settled = "&wait_for_events=languid&wait_for_no_initializing_shards=true";
    var uri = URI.create(health + settled + "&wait_for_nodes=ge(%d)".formatted(nodes));
    try {
      var request = HttpRequest.newBuilder(uri).timeout(Duration.ofSeconds(5)).build();
      var response = HTTP.send(request, HttpResponse.BodyHandlers.ofString());
      return response.statusCode() == 200 && isSettled(response.body());
    } catch (IOException e) {
      return false;
    }
  }

  /** Not red; or red for good, since it has looked for its shards and some are not there. */
  private static boolean isSettled(String health) {
    var red = health.contains("\"status\":\"red\"");
    var looked = health.contains("\"number_of_in_flight_fetch\":0,") && !health.contains("\"unassigned_shards\":0,");
    return health.contains("\"timed_out\":false") && (!red || looked);
  }
}
