import java.io.DataInputStream;
import java.io.IOException;
import java.net.InetSocketAddress;
import java.net.Socket;
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse;
import java.nio.file.Path;
import java.time.Duration;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionException;
import java.util.concurrent.TimeUnit;
import java.util.function.Consumer;
import java.util.stream.Stream;
import javax.net.ssl.SSLContext;

/**
 * Asks each address of the settings whether it answers; reads nothing else and logs in nowhere but at Elasticsearch.
 *
 * @param environment where aliases of {@code mc} are looked up
 */
record AddressCheck(Settings settings, Map<String, String> environment) {
  private static final Duration LIMIT = Duration.ofSeconds(5);
  /** OPTIONS in version 4 of the protocol: a server says what it supports before anyone logs in. */
  private static final byte[] OPTIONS = {4, 0, 0, 0, 5, 0, 0, 0, 0};
  private static final int RESPONSE = 0x80;

  /** A finding for each address, in the order of the parts. */
  List<Finding> ask() {
    var asked = Stream
        .of(part("cassandra", this::cassandra), part("elasticsearch", this::elasticsearch), part("s3", this::bucket),
        part("thehive", this::theHive)).toList();
    return asked.stream().flatMap(part -> part.join().stream()).toList();
  }

  private static CompletableFuture<List<Finding>> part(String name, Consumer<Findings> check) {
    return CompletableFuture.supplyAsync(() -> {
      var findings = new Findings(name);
      try {
        check.accept(findings);
      } catch (RuntimeException e) {
        findings.failed("settings", Failure.of(e));
      }
      return findings.list();
    }, work -> Console.daemon(work).start());
  }

  private void cassandra(Findings findings) {
    if (!settings.isSet(CassandraSettings.CONNECTION)) {
      findings.skipped("address", "CASSANDRA_CONNECTION is not set");
      return;
    }
    var points = CassandraConnection.parse(settings.text(CassandraSettings.CONNECTION)).contactPoints();
    var tls = CassandraSettings.ofArchives(settings).client().map(Pem::tls);
    for (var point : points) {
      var address = point.getHostString() + ":" + point.getPort();
      try {
        requireCql(point, tls);
        findings.ok(address, "answers%s", tls.isPresent() ? ", with TLS" : "");
      } catch (IOException e) {
        var words = ConnectionError.words(e)
            .replace("it speaks http, not https", "it speaks without TLS, and CASSANDRA_SSL_CA is set")
            .replace("perhaps it speaks https",
                tls.isPresent() ? "perhaps it speaks without TLS" : "perhaps it wants TLS (CASSANDRA_SSL_CA)");
        findings.failed(address, unreachable(words));
      }
    }
  }

  private static void requireCql(InetSocketAddress point, Optional<SSLContext> tls) throws IOException {
    try (var plain = new Socket()) {
      plain.connect(new InetSocketAddress(point.getHostString(), point.getPort()), (int) LIMIT.toMillis());
      plain.setSoTimeout((int) LIMIT.toMillis());
      try (var socket = tls.isEmpty() ? plain
          : tls.get().getSocketFactory().createSocket(plain, point.getHostString(), point.getPort(), true)) {
        socket.getOutputStream().write(OPTIONS);
        if ((new DataInputStream(socket.getInputStream()).readUnsignedByte() & RESPONSE) == 0) {
          throw new IOException("it answers, but not as Cassandra's CQL port does");
        }
      }
    }
  }

  private void elasticsearch(Findings findings) {
    // Without its password, which is not asked for here, an answer is an answer, too.
    var login = !settings.isSet(ElasticsearchSettings.USER) || settings.isSet(ElasticsearchSettings.PASSWORD);
    var authorization = login || settings.isSet(ElasticsearchSettings.API_KEY)
        ? ElasticsearchSettings.of(settings).authorization() : Optional.<String>empty();
    var password = settings.secret(ElasticsearchSettings.CA_PASSWORD).orElse(null);
    var tls = settings.optionalPath(ElasticsearchSettings.CA).map(ca -> Tls.context(Tls.trust(ca, password)));
    for (var url : settings.text(ElasticsearchSettings.URL).split("\\s*,\\s*")) {
      http(findings, ElasticsearchAddress.of(List.of(url)).toString(), tls, authorization, "Elasticsearch");
    }
  }

  private void bucket(Findings findings) {
    var endpoint = S3Settings.endpoint(settings);
    if (endpoint.isEmpty()) {
      try {
        endpoint = Optional.of(S3Settings.of(settings, environment).login().endpoint());
      } catch (Failure e) {
        findings.skipped("address", "%s", e.getMessage());
        return;
      }
    }
    var tls = settings.optionalPath(S3Settings.CA).map((Path ca) -> Tls.context(Tls.trust(ca)));
    http(findings, endpoint.get(), tls, Optional.empty(), "S3");
  }

  /** Any answer in HTTP counts, one that refuses an unknown user too; where somebody logs in, a refusal does not. */
  private static void http(Findings findings, String url, Optional<SSLContext> tls, Optional<String> authorization,
      String what) {
    var client = HttpClient.newBuilder().connectTimeout(LIMIT).version(HttpClient.Version.HTTP_1_1);
    tls.ifPresent(client::sslContext);
    try {
      var request = HttpRequest.newBuilder(URI.create(url.replaceFirst("/*$", "/"))).timeout(LIMIT);
      authorization.ifPresent(value -> request.header("Authorization", value));
      var answer = client.build().sendAsync(request.build(), HttpResponse.BodyHandlers.discarding())
          .orTimeout(2 * LIMIT.toSeconds(), TimeUnit.SECONDS).join();
      if (authorization.isPresent() && (answer.statusCode() == 401 || answer.statusCode() == 403)) {
        throw new Failure(Exit.AUTHENTICATION,
            "answers, but refuses the log-in: HTTP %d".formatted(answer.statusCode()), null);
      }
      if (answer.statusCode() >= 500) {
        throw unreachable("answers HTTP %d".formatted(answer.statusCode()));
      }
      findings.ok(url, "answers%s",
          answer.statusCode() == 401 || answer.statusCode() == 403 ? ", and wants a log-in" : "");
    } catch (CompletionException e) {
      findings.failed(url, unreachable(ConnectionError.words(e.getCause())));
    } catch (IllegalArgumentException e) {
      findings.failed(url,
          new Failure(Exit.USAGE, "the address of %s is not a URL: %s".formatted(what, e.getMessage()), null));
    } catch (Failure e) {
      findings.failed(url, e);
    }
  }

  /**
   * A node answers through ssh, and TheHive where its unit runs: one that is stopped for a restore is as it should be.
   */
  private void theHive(Findings all) {
    var theHive = TheHiveSettings.of(settings);
    all.ofEach(theHive.hosts(), (host, findings) -> {
      var node = new TheHiveNode(host, theHive);
      try {
        var unit = node.unit();
        if (!theHive.named() && !unit.isInstalled()) {
          findings.skipped(host.name(), "THEHIVE_NODES is not set, and this host has no %s", node.service());
          return;
        }
        findings.ok(host.name(), "can be asked: %s is %s", node.service(), node.requireInstalled());
        if (!unit.isStopped()) {
          var problem = node.application().problem();
          problem.ifPresentOrElse(text -> findings.failed(host.name(), unreachable(text)),
              () -> findings.ok(host.name(), "%s answers", node.application().uri()));
        }
      } catch (Failure e) {
        if (theHive.named()) {
          findings.failed(host.name(), e);
        } else {
          findings.skipped(host.name(), "THEHIVE_NODES is not set, and %s", e.getMessage());
        }
      }
    });
  }

  private static Failure unreachable(String message) {
    return new Failure(Exit.UNREACHABLE, message, null);
  }
}
