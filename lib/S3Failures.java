//DEPS com.squareup.okhttp3:okhttp-jvm:5.5.1 // the SDK names okhttp, whose classes are in this one
//DEPS io.minio:minio:9.0.4

import io.minio.errors.ErrorResponseException;
import io.minio.errors.InvalidResponseException;
import io.minio.errors.ServerException;
import io.minio.errors.XmlParserException;
import io.minio.messages.ErrorResponse;
import java.io.IOException;
import java.net.ConnectException;
import java.net.NoRouteToHostException;
import java.net.SocketTimeoutException;
import java.net.UnknownHostException;
import java.nio.file.Path;
import java.util.Objects;
import java.util.Optional;
import java.util.Set;
import java.util.regex.Pattern;
import java.util.stream.Stream;
import javax.net.ssl.SSLException;
import javax.net.ssl.SSLHandshakeException;
import javax.net.ssl.SSLPeerUnverifiedException;

/**
 * Tells in an administrator's words why an S3 server did not do what it was asked.
 *
 * @param ca what MINIO_CA names
 */
record S3Failures(String endpoint, String bucket, Optional<Path> ca) {
  private static final Pattern STATUS = Pattern.compile("Response code: (\\d+)");
  private static final Set<String> WRONG_REGION =
      Set.of("AuthorizationHeaderMalformed", "PermanentRedirect", "IllegalLocationConstraintException",
          "InvalidRegion");
  /** Answers of Go's and nginx's servers, and a TLS record where a status line was expected. */
  private static final Pattern WANTS_HTTPS =
      Pattern.compile(
          "(?s).*(HTTP request to an HTTPS server|plain HTTP request was sent to HTTPS port|Unexpected status"
              + " line: \\x15).*");

  /** True if the server answered that it is busy or starting: the next answer may be another one. */
  static boolean isBusy(Throwable thrown) {
    var status = status(thrown);
    return status >= 500 && status != 501 && status != 507 || status == 429 || status == 408;
  }

  /** True if the network may be the reason: there was no answer, or not all of it. */
  static boolean isLost(Throwable thrown) {
    if (find(thrown, SSLHandshakeException.class).isPresent()
        || find(thrown, SSLPeerUnverifiedException.class).isPresent()
        || isPlainAnswer(thrown) || find(thrown, UnknownHostException.class).isPresent()) {
      return false;
    }
    return status(thrown) == 0
        && (find(thrown, IOException.class).isPresent() || find(thrown, XmlParserException.class).isPresent());
  }

  /** The server's own name of what went wrong, such as {@code NoSuchBucket}; empty where it gave none. */
  static String code(Throwable thrown) {
    return Optional.ofNullable(error(thrown)).map(ErrorResponse::code).orElse("");
  }

  /** @param verb what was tried with the bucket, such as {@code list} */
  Failure explain(String verb, Throwable thrown) {
    var status = status(thrown);
    var code = code(thrown);
    if (code.equals("NoSuchBucket")) {
      return missing(thrown);
    }
    if (code.equals("AccessDenied") || code.equals("AllAccessDisabled")) {
      return notAllowed(verb, thrown);
    }
    if (status == 507 || code.contains("Quota") || code.equals("XMinioStorageFull")) {
      return new Failure(Exit.UNSAFE, "no room left in bucket %s at %s: %s".formatted(bucket, endpoint, reason(thrown)),
          "free some room, or raise the bucket's quota; then run again", thrown);
    }
    if (WRONG_REGION.contains(code)) {
      return new Failure(Exit.USAGE, "%s expects another region: %s".formatted(endpoint, reason(thrown)),
          "set MINIO_REGION to the bucket's region", thrown);
    }
    if ((status == 403 || status == 401) && !code.equals("InvalidObjectState")) {
      return new Failure(Exit.AUTHENTICATION, "%s refuses the keys: %s".formatted(endpoint, reason(thrown)),
          "check MINIO_ACCESS_KEY and MINIO_SECRET_KEY (or the alias), and this host's clock", thrown);
    }
    if (find(thrown, Exception.class, WANTS_HTTPS).isPresent()) {
      return new Failure(Exit.UNREACHABLE, endpoint + " speaks https, not http",
          "check MINIO_ENDPOINT: https://" + host(), thrown);
    }
    if (status == 0 && find(thrown, IOException.class).isPresent()) {
      return unreachable(find(thrown, IOException.class).get(), thrown);
    }
    if (find(thrown, InvalidResponseException.class).isPresent()
        || find(thrown, XmlParserException.class).isPresent()) {
      return new Failure(Exit.UNREACHABLE,
          "%s does not answer as an S3 server does%s".formatted(endpoint, status > 0 ? " (status " + status + ")" : ""),
          "is it the port of the S3 API? check MINIO_ENDPOINT", thrown);
    }
    return new Failure(status >= 500 && status != 501 ? Exit.UNREACHABLE : Exit.UNEXPECTED,
        "cannot %s bucket %s at %s: %s".formatted(verb, bucket, endpoint, reason(thrown)), "see the server's log",
        thrown);
  }

  private Failure notAllowed(String verb, Throwable thrown) {
    return new Failure(Exit.AUTHENTICATION,
        "the access key may not %s bucket %s at %s".formatted(verb, bucket, endpoint),
        "its policy needs s3:GetBucketLocation (or set MINIO_REGION), s3:ListBucket, s3:GetObject, s3:PutObject,"
            + " s3:DeleteObject",
        thrown);
  }

  /** There is no such bucket: a wrong name is more likely than a bucket that is to be made. */
  Failure missing(Throwable thrown) {
    return new Failure(Exit.UNSAFE, "there is no bucket %s at %s".formatted(bucket, endpoint),
        "check MINIO_BUCKET and MINIO_ENDPOINT; restore-files-minio.java --create-bucket creates it", thrown);
  }

  private Failure unreachable(IOException cause, Throwable thrown) {
    if (isPlainAnswer(cause)) {
      return new Failure(Exit.UNREACHABLE, endpoint + " speaks http, not https",
          "check MINIO_ENDPOINT: http://" + host(), thrown);
    }
    if (cause instanceof SSLPeerUnverifiedException) {
      return new Failure(Exit.UNREACHABLE, "the certificate of %s is for another name".formatted(endpoint),
          "check MINIO_ENDPOINT: use a name that stands in the certificate", thrown);
    }
    if (cause instanceof SSLException) {
      return new Failure(Exit.UNREACHABLE,
          "cannot trust the certificate of %s: %s".formatted(endpoint, cause.getMessage()),
          ca.map(file -> "is %s, which MINIO_CA names, the CA that signed it?".formatted(file))
              .orElse("name the CA that signed it with MINIO_CA"), thrown);
    }
    return new Failure(Exit.UNREACHABLE, "cannot reach %s: %s".formatted(endpoint, words(cause)),
        "is it started? check MINIO_ENDPOINT", thrown);
  }

  private static String words(IOException cause) {
    if (cause instanceof UnknownHostException) {
      return "unknown host";
    }
    if (cause instanceof NoRouteToHostException) {
      return "no route to this host";
    }
    if (cause instanceof SocketTimeoutException) {
      return "no answer in time";
    }
    return cause instanceof ConnectException ? "connection refused" : String.valueOf(cause.getMessage());
  }

  private static boolean isPlainAnswer(Throwable thrown) {
    return find(thrown, SSLException.class)
        .filter(e -> ("" + e.getMessage()).contains("Unsupported or unrecognized SSL message")).isPresent();
  }

  private String host() {
    return endpoint.replaceFirst("https?://", "");
  }

  private static int status(Throwable thrown) {
    return find(thrown, ErrorResponseException.class).map(e -> e.response().code())
        .or(() -> find(thrown, ServerException.class).map(ServerException::statusCode))
        .or(() -> find(thrown, InvalidResponseException.class).map(Throwable::getMessage).map(STATUS::matcher)
            .filter(match -> match.find()).map(match -> Integer.valueOf(match.group(1)))).orElse(0);
  }

  private static ErrorResponse error(Throwable thrown) {
    return find(thrown, ErrorResponseException.class).map(ErrorResponseException::errorResponse).orElse(null);
  }

  /** The server's own words, which begin with its name of the error. */
  private static String reason(Throwable thrown) {
    var error = error(thrown);
    return error == null ? Failure.of(thrown).getMessage() : error.code() + ": " + error.message();
  }

  private static <T extends Throwable> Optional<T> find(Throwable thrown, Class<T> type) {
    return Stream.iterate(thrown, Objects::nonNull, Throwable::getCause).filter(type::isInstance).map(type::cast)
        .findFirst();
  }

  private static <T extends Throwable> Optional<T> find(Throwable thrown, Class<T> type, Pattern message) {
    return Stream.iterate(thrown, Objects::nonNull, Throwable::getCause).filter(type::isInstance).map(type::cast)
        .filter(e -> e.getMessage() != null && message.matcher(e.getMessage()).matches()).findFirst();
  }
}
