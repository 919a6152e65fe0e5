import com.sun.net.httpserver.HttpExchange;
import com.sun.net.httpserver.HttpServer;
import java.io.IOException;
import java.net.InetSocketAddress;
import java.nio.charset.StandardCharsets;
import java.util.List;
import java.util.Map;
import java.util.concurrent.CopyOnWriteArrayList;
import java.util.concurrent.Executors;

/**
 * A fake: an S3 server that does not say the truth, as a broken one or something between would; no real one can be made
 * to. Its bucket always holds the same objects. It takes every request, and remembers those that would change something.
 */
final class LyingS3 implements AutoCloseable {
  /** What is wrong with it. */
  enum Lie {
    /** Its list ends in the middle, and it does not say how to go on. */
    CUT_LIST,
    /** Its list says that it goes on, with the token that it was asked for. */
    ENDLESS_LIST,
    /** Its answer to a delete is empty. */
    EMPTY_DELETE,
    /** It says that it deleted, and goes on listing. */
    FALSE_DELETE
  }

  private final HttpServer server;
  private final Lie lie;
  /** MD5s by key. */
  private final Map<String, String> objects;
  final List<String> changes = new CopyOnWriteArrayList<>();

  LyingS3(String host, Lie lie, Map<String, String> objects) throws IOException {
    this.lie = lie;
    this.objects = objects;
    server = HttpServer.create(new InetSocketAddress(host, 9000), 0);
    server.setExecutor(Executors.newCachedThreadPool());
    server.createContext("/", this::answer);
    server.start();
  }

  private void answer(HttpExchange exchange) throws IOException {
    var query = String.valueOf(exchange.getRequestURI().getRawQuery());
    var method = exchange.getRequestMethod();
    exchange.getRequestBody().readAllBytes();
    if (method.equals("PUT") || method.equals("POST")) {
      changes.add(method + " " + exchange.getRequestURI());
    }
    if (method.equals("GET") && query.contains("list-type=2")) {
      send(exchange, 200, list(query));
    } else if (method.equals("POST")) {
      send(exchange, 200, lie == Lie.EMPTY_DELETE ? "" : "<DeleteResult xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\"></DeleteResult>");
    } else if (method.equals("PUT")) {
      exchange.getResponseHeaders().set("ETag", "\"d41d8cd98f00b204e9800998ecf8427e\"");
      send(exchange, 200, "");
    } else if (method.equals("DELETE")) {
      send(exchange, 204, "");
    } else {
      send(exchange, 404, "<Error><Code>NoSuchKey</Code><Message>not here</Message></Error>");
    }
  }

  private String list(String query) {
    var one = query.contains("max-keys=1&") || query.endsWith("max-keys=1");
    var contents = new StringBuilder();
    objects.forEach((key, md5) -> contents.append(("<Contents><Key>%s</Key><LastModified>2026-11-22T12:00:56.000Z</LastModified>"
        + "<ETag>&quot;%s&quot;</ETag><Size>5</Size></Contents>").formatted(key, md5)));
    var cut = !one && (lie == Lie.CUT_LIST || lie == Lie.ENDLESS_LIST);
    return "<ListBucketResult xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\"><Name>thehive</Name><IsTruncated>%s</IsTruncated>%s%s</ListBucketResult>"
        .formatted(cut, lie == Lie.ENDLESS_LIST && cut ? "<NextContinuationToken>again</NextContinuationToken>" : "", contents);
  }

  private static void send(HttpExchange exchange, int status, String xml) throws IOException {
    var bytes = xml.getBytes(StandardCharsets.UTF_8);
    exchange.getResponseHeaders().set("Content-Type", "application/xml");
    exchange.sendResponseHeaders(status, bytes.length == 0 ? -1 : bytes.length);
    try (var body = exchange.getResponseBody()) {
      if (bytes.length > 0) {
        body.write(bytes);
      }
    }
  }

  @Override
  public void close() {
    server.stop(0);
  }
}
