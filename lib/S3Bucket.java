//DEPS com.squareup.okhttp3:okhttp-jvm:5.5.1 // the SDK names okhttp, whose classes are in this one
//DEPS commons-io:commons-io:2.22.0
//DEPS dev.failsafe:failsafe:3.3.2
//DEPS io.minio:minio:9.0.4

import dev.failsafe.Failsafe;
import dev.failsafe.RetryPolicy;
import dev.failsafe.function.CheckedPredicate;
import io.minio.BucketExistsArgs;
import io.minio.GetBucketVersioningArgs;
import io.minio.GetObjectArgs;
import io.minio.GetObjectLockConfigurationArgs;
import io.minio.ListObjectsV2Args;
import io.minio.MakeBucketArgs;
import io.minio.MinioAsyncClient;
import io.minio.credentials.StaticProvider;
import io.minio.messages.VersioningConfiguration;
import java.io.Closeable;
import java.io.IOException;
import java.io.InputStream;
import java.io.UncheckedIOException;
import java.time.Duration;
import java.util.List;
import java.util.Optional;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.Executors;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.function.Consumer;
import okhttp3.Dispatcher;
import okhttp3.OkHttpClient;
import okhttp3.Protocol;
import org.apache.commons.io.function.IOSupplier;

/**
 * One bucket on one S3 server: what it holds, and every request to it. A request is tried again when network or server
 * fail; a failure says what was asked of which bucket, and what to check.
 */
final class S3Bucket implements Closeable {
  private static final int MOST_UNREADABLE = 10;
  private static final int MOST_TRIES = 6;
  final String endpoint;
  final String name;
  private final AtomicInteger unreadable = new AtomicInteger();
  private final S3Failures failures;
  private final MinioAsyncClient client;
  private volatile boolean hasAnswered;

  /** A request to the server. */
  interface Request<T> {
    CompletableFuture<T> send(MinioAsyncClient client) throws Exception;
  }

  /** Checks the settings, and asks the server nothing yet. */
  S3Bucket(S3Settings settings, int connections) {
    endpoint = settings.login().endpoint();
    name = settings.bucket();
    requireEndpoint(endpoint);
    failures = new S3Failures(endpoint, name, settings.ca());
    try {
      client = MinioAsyncClient.builder().endpoint(endpoint).region(settings.region().orElse(null))
          .httpClient(http(settings, connections))
          .credentialsProvider(
              new StaticProvider(settings.login().access(), settings.login().secret(), settings.login().token()))
          .build();
      if (settings.virtualHost()) {
        client.enableVirtualStyleEndpoint();
      }
      BucketExistsArgs.builder().bucket(name).build();
    } catch (IllegalArgumentException e) {
      throw new Failure(Exit.USAGE, "cannot use bucket '%s' at '%s': %s".formatted(name, endpoint, e.getMessage()),
          "check MINIO_ENDPOINT, MINIO_BUCKET and MINIO_REGION");
    }
  }

  /** An endpoint names scheme, host and port, and never the keys: it is shown. */
  static void requireEndpoint(String endpoint) {
    if (endpoint.contains("@")) {
      throw new Failure(Exit.USAGE, "the endpoint holds keys",
          "set MINIO_ACCESS_KEY and MINIO_SECRET_KEY or MINIO_SECRET_KEY_FILE instead");
    }
    if (!endpoint.matches("https?://[^/?#\\s]+/?")) {
      throw new Failure(Exit.USAGE, "the endpoint '%s' is not of the form https://HOST:PORT".formatted(endpoint),
          "check MINIO_ENDPOINT");
    }
  }

  private static OkHttpClient http(S3Settings settings, int connections) {
    var dispatcher = new Dispatcher(Executors.newCachedThreadPool(Console::daemon));
    dispatcher.setMaxRequestsPerHost(connections);
    var http = new OkHttpClient.Builder().dispatcher(dispatcher).connectTimeout(Duration.ofSeconds(10))
        .readTimeout(Duration.ofMinutes(2)).writeTimeout(Duration.ofMinutes(2)).protocols(List.of(Protocol.HTTP_1_1))
        .addNetworkInterceptor(chain -> {
          // A small object's last packet would otherwise wait some 40 ms for the one before it.
          chain.connection().socket().setTcpNoDelay(true);
          return chain.proceed(chain.request());
        });
    settings.ca().ifPresent(ca -> {
      var trust = Tls.trust(ca);
      http.sslSocketFactory(Tls.context(trust).getSocketFactory(), trust);
    });
    return http.build();
  }

  /** The server and the bucket without the scheme: differs from site to site, so it is what is typed to confirm. */
  String address() {
    return endpoint.replaceFirst("https?://", "").replaceFirst("/$", "") + "/" + name;
  }

  /** True if the bucket is there; fails if the server cannot be reached, or does not let these keys list it. */
  boolean exists() {
    try {
      page(null, 1);
      return true;
    } catch (Failure failure) {
      if (S3Failures.code(failure).equals("NoSuchBucket")) {
        return false;
      }
      throw failure;
    }
  }

  Failure missing() {
    return failures.missing(null);
  }

  void create() {
    try {
      ask("create", client -> client.makeBucket(MakeBucketArgs.builder().bucket(name).build()));
    } catch (Failure failure) {
      // The SDK always names a region, which AWS wants left out where it is us-east-1, and others everywhere.
      throw failure.code != Exit.UNEXPECTED ? failure
          : new Failure(Exit.UNSAFE, failure.getMessage(),
              "nothing was changed; create the bucket with the server's own tools, and run again", failure);
    }
  }

  /** True if the bucket keeps older versions of what is changed or removed. Servers that know no versions keep none. */
  boolean isVersioned() {
    return tryTo(client -> client.getBucketVersioning(GetBucketVersioningArgs.builder().bucket(name).build()))
        .filter(versioning -> versioning.status() == VersioningConfiguration.Status.ENABLED
            || versioning.status() == VersioningConfiguration.Status.SUSPENDED).isPresent();
  }

  boolean isLocked() {
    return tryTo(
        client -> client.getObjectLockConfiguration(GetObjectLockConfigurationArgs.builder().bucket(name).build()))
        .isPresent();
  }

  /** Gives every object to the visitor, a page after the other; fails rather than end before the bucket does. */
  void list(Consumer<List<StoredObject>> visitor) {
    String token = null;
    do {
      var result = page(token, null);
      visitor.accept(result.contents().stream().map(object -> {
        object.setEncodingType(result.encodingType());
        return new StoredObject(object.objectName(), object.size(), ETag.of(object.etag()),
            object.lastModified() == null ? null : object.lastModified().toInstant());
      }).toList());
      var next = result.nextContinuationToken();
      if (result.isTruncated() && (next == null || next.isEmpty() || next.equals(token))) {
        throw new Failure(Exit.UNREACHABLE,
            "%s cuts its list of bucket %s and does not say how it goes on".formatted(endpoint, name),
            "what the bucket holds is not known without the rest; see the server's log, and what stands between it"
                + " and this host");
      }
      token = result.isTruncated() ? next : null;
    } while (token != null);
  }

  /** Names that XML cannot hold, such as those with control characters, only come through encoded. */
  private io.minio.messages.ListBucketResultV2 page(String token, Integer most) {
    var request = ListObjectsV2Args.builder().bucket(name).encodingType("url").continuationToken(token);
    return ask("list", client -> client.listObjectsV2((most == null ? request : request.maxKeys(most)).build()))
        .result();
  }

  /**
   * True if an object has this content, which is read once. The server is asked for the object only where its ETag does
   * not tell: it has another content, or was sent in parts of other sizes, or is encrypted.
   *
   * @param etag the object's, as listed
   * @param size of both
   */
  boolean holds(String key, ETag etag, long size, IOSupplier<InputStream> content) throws IOException {
    ETag wanted;
    try (var in = content.get()) {
      wanted = ETag.of(in, size, etag.isInParts(size));
    }
    return wanted.equals(etag) || wanted.equals(ask("read from",
        client -> client.getObject(GetObjectArgs.builder().bucket(name).object(key).build()).thenApply(object -> {
          try (object) {
            return ETag.of(object, size, etag.isInParts(size));
          } catch (IOException e) {
            throw new UncheckedIOException(e); // asked again, as other requests are
          }
        })));
  }

  /**
   * True if a failure to read an object may be that object's alone: it is broken, or archived. A broken one answers
   * like a server that is gone; so many do not.
   */
  boolean isOfOneObject(Failure failure) {
    return failure.code != Exit.AUTHENTICATION
        && (failure.code != Exit.UNREACHABLE || unreadable.incrementAndGet() <= MOST_UNREADABLE);
  }

  /** The answer; empty where the server refuses, or does not know what is asked. */
  <T> Optional<T> tryTo(Request<T> request) {
    try {
      return Optional.ofNullable(ask("ask", request));
    } catch (Failure failure) {
      if (failure.code == Exit.UNREACHABLE) {
        throw failure;
      }
      return Optional.empty();
    }
  }

  /**
   * The answer to a request.
   *
   * @param verb says in a failure what was tried with the bucket, such as {@code list}
   */
  <T> T ask(String verb, Request<T> request) {
    // A server that is busy, or has answered before, is waited for; whether one is there at all is to be told soon.
    var whileBusy = tries(S3Failures::isBusy, MOST_TRIES);
    var whileLost = tries(S3Failures::isLost, hasAnswered ? MOST_TRIES : 2);
    try {
      var answer = Failsafe.with(whileBusy, whileLost).get(() -> request.send(client).join());
      hasAnswered = true;
      return answer;
    } catch (Exception thrown) {
      throw failures.explain(verb, thrown);
    }
  }

  private static RetryPolicy<Object> tries(CheckedPredicate<Throwable> when, int most) {
    return RetryPolicy.builder().handleIf(when).withMaxAttempts(most)
        .withBackoff(Duration.ofMillis(500), Duration.ofSeconds(8)).withJitter(0.5).build();
  }

  @Override
  public void close() {
    client.close();
  }
}
