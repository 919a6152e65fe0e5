import java.net.ConnectException;
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpConnectTimeoutException;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse;
import java.time.Duration;
import java.util.Optional;
import java.util.concurrent.CompletionException;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.TimeoutException;
import java.util.regex.Pattern;
import javax.net.ssl.SSLContext;
import javax.net.ssl.SSLException;

/** TheHive's own answer on a node. */
final class Application {
  /** Its log file, whatever its unit does with its output. */
  static final String LOG = "/var/log/thehive/application.log";
  /** How its log tells of an error: by the level, or where the JVM itself says so. */
  static final Pattern ERROR =
      Pattern.compile("\\[error]|\\bERROR\\b|\\bFATAL\\b|Exception in thread|OutOfMemoryError");
  private static final Duration LIMIT = Duration.ofSeconds(10);
  private final HttpRequest status;
  private final Optional<SSLContext> trusted;
  private HttpClient client;

  /** Who answers at TheHive's address. */
  enum Answer {
    THEHIVE, SOMETHING_ELSE, NO_ANSWER, NOBODY
  }

  private Application(HttpRequest status, Optional<SSLContext> trusted) {
    this.status = status;
    this.trusted = trusted;
  }

  static Application on(Host host, TheHiveSettings settings) {
    var address = host.address().replaceFirst("^(.*:.*)$", "[$1]");
    var url = settings.url().replace("<node>", address).replaceFirst("/+$", "");
    try {
      if (URI.create(url).getPort() > 65_535) {
        throw new IllegalArgumentException("ports are numbers from 1 to 65535");
      }
      return new Application(HttpRequest.newBuilder(URI.create(url + "/api/v1/status/public")).build(),
          settings.ca().map(ca -> Tls.context(Tls.trust(ca))));
    } catch (IllegalArgumentException e) {
      throw new Failure(Exit.USAGE, "THEHIVE_URL '%s' is not an address: %s".formatted(url, e.getMessage()),
          "such as http://<node>:9000, <node> as it stands");
    }
  }

  /** A line of its log without the colours that it gives its levels. */
  static String plain(String line) {
    return line.replaceAll("\\e\\[[\\d;]*m", "");
  }

  /** The address that is asked. */
  URI uri() {
    return status.uri();
  }

  int port() {
    var uri = status.uri();
    return uri.getPort() > 0 ? uri.getPort() : uri.getScheme().equals("https") ? 443 : 80;
  }

  /**
   * TheHive's status page is JSON that names versions or configuration; MinIO, whose port is the same, says something
   * else.
   */
  Answer answer() {
    try {
      var answer = client().sendAsync(status, HttpResponse.BodyHandlers.ofString())
          .orTimeout(LIMIT.toSeconds(), TimeUnit.SECONDS).join();
      var json = answer.body().strip().startsWith("{");
      return answer.statusCode() == 200 && json ? Answer.THEHIVE : Answer.SOMETHING_ELSE;
    } catch (CompletionException e) {
      // Refused: the port is open on another address only, which is not where TheHive is asked.
      return e.getCause() instanceof ConnectException && !(e.getCause() instanceof HttpConnectTimeoutException)
          ? Answer.NOBODY : Answer.NO_ANSWER;
    }
  }

  /** Made when it is first asked: the certificates that Java knows take a quarter of a second to read. */
  private HttpClient client() {
    if (client == null) {
      var builder = HttpClient.newBuilder().connectTimeout(LIMIT).followRedirects(HttpClient.Redirect.NORMAL);
      trusted.ifPresent(builder::sslContext);
      client = builder.build();
    }
    return client;
  }

  /** The error that came instead of its answer; empty when it answers. */
  Optional<String> problem() {
    try {
      // The request's own limit would end with the head of the answer.
      var answer = client().sendAsync(status, HttpResponse.BodyHandlers.discarding())
          .orTimeout(LIMIT.toSeconds(), TimeUnit.SECONDS).join();
      return answer.statusCode() == 200 ? Optional.empty()
          : Optional.of("%s answers HTTP %d".formatted(status.uri(), answer.statusCode()));
    } catch (CompletionException e) {
      var why = e.getCause() instanceof TimeoutException ? "not within %d s".formatted(LIMIT.toSeconds())
          : ConnectionError.words(e.getCause());
      return Optional.of("%s does not answer: %s%s".formatted(status.uri(), why,
          e.getCause() instanceof SSLException ? " (THEHIVE_CA names its CA)" : ""));
    }
  }
}
