import com.sun.net.httpserver.HttpExchange;
import com.sun.net.httpserver.HttpServer;
import java.io.ByteArrayInputStream;
import java.io.IOException;
import java.net.InetSocketAddress;
import java.net.URLDecoder;
import java.net.URLEncoder;
import java.nio.charset.StandardCharsets;
import java.util.List;
import java.util.Map;
import java.util.concurrent.ConcurrentSkipListMap;
import java.util.concurrent.CopyOnWriteArrayList;
import java.util.concurrent.Executors;
import java.util.concurrent.atomic.AtomicInteger;
import javax.xml.parsers.DocumentBuilderFactory;
import org.apache.commons.codec.digest.DigestUtils;
import org.xml.sax.SAXException;

/**
 * A fake: an S3 server with one bucket that can be told not to say the truth, as a broken server or something between
 * would; no real one can be made to. It knows only the requests that a restore of small objects needs, asks nobody for
 * a key, and remembers every request that would change something.
 */
final class LyingS3 implements AutoCloseable {
  /** What is wrong with it. */
  enum Lie {
    NONE,
    /** Its list ends in the middle, and it does not say how to go on. */
    CUT_LIST,
    /** Its list says that it goes on, with the token that it was asked for. */
    ENDLESS_LIST,
    /** Its answer to a delete is empty. */
    EMPTY_DELETE,
    /** It says that it deleted, and goes on listing. */
    FALSE_DELETE,
    /** It refuses to delete. */
    NO_DELETE,
    /** It refuses to put, as MinIO does when a quota is reached. */
    QUOTA,
    /** It refuses to put the key {@code one}. */
    NO_PUT_OF_ONE,
    /** It does not know the request that deletes many objects. */
    ONE_BY_ONE,
    /** One object cannot be read. */
    BROKEN_OBJECT
  }

  private static final String NAMESPACE = "xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\"";
  private final HttpServer server;
  private final Lie lie;
  /** Contents by key. */
  final Map<String, byte[]> objects = new ConcurrentSkipListMap<>();
  final List<String> changes = new CopyOnWriteArrayList<>();
  /** How many of the next requests are answered with 503. */
  final AtomicInteger busyFor = new AtomicInteger();

  LyingS3(String host, Lie lie) throws IOException {
    this.lie = lie;
    server = HttpServer.create(new InetSocketAddress(host, 9000), 0);
    server.setExecutor(Executors.newCachedThreadPool());
    server.createContext("/", this::answer);
    server.start();
  }

  private void answer(HttpExchange exchange) throws IOException {
    var query = String.valueOf(exchange.getRequestURI().getRawQuery());
    var method = exchange.getRequestMethod();
    var body = exchange.getRequestBody().readAllBytes();
    var path = exchange.getRequestURI().getRawPath().split("/", 3);
    var key = path.length < 3 ? "" : URLDecoder.decode(path[2].replace("+", "%2B"), StandardCharsets.UTF_8);
    if (busyFor.getAndDecrement() > 0) {
      error(exchange, 503, "SlowDown");
      return;
    }
    if (!method.equals("GET") && !method.equals("HEAD")) {
      changes.add(method + " " + (method.equals("POST") ? query : key));
    }
    switch (method) {
      case "GET" -> get(exchange, key, query);
      case "PUT" -> put(exchange, key, body);
      case "POST" -> deleteMany(exchange, body);
      case "DELETE" -> deleteOne(exchange, key);
      default -> exchange.sendResponseHeaders(404, -1);
    }
  }

  private void get(HttpExchange exchange, String key, String query) throws IOException {
    if (query.contains("list-type=2")) {
      send(exchange, 200, list(query));
    } else if (objects.containsKey(key) && lie != Lie.BROKEN_OBJECT) {
      exchange.sendResponseHeaders(200, objects.get(key).length);
      exchange.getResponseBody().write(objects.get(key));
      exchange.close();
    } else {
      error(exchange, 404, "NoSuchKey");
    }
  }

  private void put(HttpExchange exchange, String key, byte[] body) throws IOException {
    if (lie == Lie.QUOTA) {
      error(exchange, 400, "XMinioAdminBucketQuotaExceeded");
      return;
    }
    if (lie == Lie.NO_PUT_OF_ONE && key.equals("one")) {
      error(exchange, 403, "AccessDenied");
      return;
    }
    objects.put(key, body);
    exchange.getResponseHeaders().set("ETag", '"' + DigestUtils.md5Hex(body) + '"');
    send(exchange, 200, "");
  }

  private void deleteOne(HttpExchange exchange, String key) throws IOException {
    if (lie == Lie.NO_DELETE) {
      error(exchange, 403, "AccessDenied");
      return;
    }
    objects.remove(key);
    send(exchange, 204, "");
  }

  /** Takes the keys as an XML parser gives them: a carriage return among them is then a line feed. */
  private void deleteMany(HttpExchange exchange, byte[] body) throws IOException {
    if (lie == Lie.ONE_BY_ONE) {
      error(exchange, 501, "NotImplemented");
      return;
    }
    try {
      var builder = DocumentBuilderFactory.newInstance().newDocumentBuilder();
      builder.setErrorHandler(null);
      var keys = builder.parse(new ByteArrayInputStream(body)).getElementsByTagName("Key");
      for (var i = 0; i < keys.getLength() && lie != Lie.FALSE_DELETE && lie != Lie.EMPTY_DELETE; i++) {
        objects.remove(keys.item(i).getTextContent());
      }
      send(exchange, 200, lie == Lie.EMPTY_DELETE ? "" : "<DeleteResult %s></DeleteResult>".formatted(NAMESPACE));
    } catch (SAXException e) {
      error(exchange, 400, "MalformedXML");
    } catch (javax.xml.parsers.ParserConfigurationException e) {
      throw new IOException(e);
    }
  }

  private String list(String query) {
    var encoded = query.contains("encoding-type=url");
    var contents = new StringBuilder();
    objects.forEach((key,
        content) -> contents.append(("<Contents><Key>%s</Key><LastModified>2026-11-22T12:00:56.000Z</LastModified>"
            + "<ETag>&quot;%s&quot;</ETag><Size>%d</Size></Contents>")
            .formatted(encoded ? URLEncoder.encode(key, StandardCharsets.UTF_8)
                : key, lie == Lie.BROKEN_OBJECT ? "00000000000000000000000000000000" : DigestUtils.md5Hex(content),
                content.length)));
    var cut = !query.matches("(.*&)?max-keys=1(&.*)?") && (lie == Lie.CUT_LIST || lie == Lie.ENDLESS_LIST);
    return "<ListBucketResult %s><Name>thehive</Name>%s<IsTruncated>%s</IsTruncated>%s%s</ListBucketResult>".formatted(
        NAMESPACE,
        encoded ? "<EncodingType>url</EncodingType>" : "", cut,
        cut && lie == Lie.ENDLESS_LIST ? "<NextContinuationToken>again</NextContinuationToken>" : "", contents);
  }

  private static void error(HttpExchange exchange, int status, String code) throws IOException {
    send(exchange, status, "<Error><Code>%s</Code><Message>words of the fake</Message></Error>".formatted(code));
  }

  private static void send(HttpExchange exchange, int status, String xml) throws IOException {
    var bytes = xml.getBytes(StandardCharsets.UTF_8);
    exchange.getResponseHeaders().set("Content-Type", "application/xml");
    exchange.sendResponseHeaders(status, bytes.length == 0 ? -1 : bytes.length);
    if (bytes.length > 0) {
      exchange.getResponseBody().write(bytes);
    }
    exchange.close();
  }

  @Override
  public void close() {
    server.stop(0);
  }
}
