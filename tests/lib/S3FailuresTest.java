import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.minio.errors.ErrorResponseException;
import io.minio.errors.InvalidResponseException;
import io.minio.errors.ServerException;
import io.minio.messages.ErrorResponse;
import java.io.IOException;
import java.net.ConnectException;
import java.net.ProtocolException;
import java.net.SocketTimeoutException;
import java.net.UnknownHostException;
import java.nio.file.Path;
import java.util.Optional;
import java.util.concurrent.CompletionException;
import javax.net.ssl.SSLException;
import javax.net.ssl.SSLHandshakeException;
import javax.net.ssl.SSLPeerUnverifiedException;
import okhttp3.Protocol;
import okhttp3.Request;
import okhttp3.Response;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

/** What an administrator is told when an S3 server does not do what it was asked, and what is tried again. */
class S3FailuresTest {
  private final S3Failures failures = new S3Failures("http://s3.example:9000", "thehive", Optional.empty());

  private static Throwable answer(int status, String code) {
    var response = new Response.Builder().request(new Request.Builder().url("http://s3.example:9000/").build())
        .protocol(Protocol.HTTP_1_1).code(status).message("").build();
    return new CompletionException(new ErrorResponseException(
        new ErrorResponse(code, "words of the server", "thehive", "x/y", "/thehive/x/y", "1", "2"), response, ""));
  }

  @ParameterizedTest
  @CsvSource({
    "404, NoSuchBucket, 13, there is no bucket thehive at http://s3.example:9000",
    "403, AccessDenied, 12, the access key may not list bucket thehive",
    "403, InvalidAccessKeyId, 12, refuses the keys: InvalidAccessKeyId: words of the server",
    "403, RequestTimeTooSkewed, 12, refuses the keys: RequestTimeTooSkewed",
      "400, XMinioAdminBucketQuotaExceeded, 13, no room left in bucket thehive at http://s3.example:9000:"
          + " XMinioAdminBucketQuotaExceeded",
    "507, XMinioStorageFull, 13, no room left",
    "403, QuotaExceeded, 13, no room left",
      "400, XMinioParentIsObject, 1, cannot list bucket thehive at http://s3.example:9000: XMinioParentIsObject:"
          + " words of the server",
    "400, AuthorizationHeaderMalformed, 2, expects another region",
      "403, InvalidObjectState, 1, cannot list bucket thehive at http://s3.example:9000: InvalidObjectState: words"
          + " of the server",
    "503, SlowDown, 11, cannot list bucket thehive at http://s3.example:9000: SlowDown: words of the server"})
  void theServersReasonIsTold(int status, String code, int exit, String message) {
    assertThat(failures.explain("list", answer(status, code))).satisfies(failure -> {
      assertThat(failure.code).isEqualTo(exit);
      assertThat(failure).hasMessageContaining(message);
      assertThat(failure.hint).isNotBlank();
      assertThat(S3Failures.code(failure)).isEqualTo(code);
    });
  }

  private void told(Throwable thrown, String message, String hint) {
    var failure = failures.explain("list", new CompletionException(thrown));
    assertThat(failure.code).isEqualTo(Exit.UNREACHABLE);
    assertThat(failure).hasMessageContaining(message);
    assertThat(failure.hint).contains(hint);
  }

  @Test
  void theNetworksWordsAreTranslated() {
    told(new ConnectException("Failed to connect to s3.example/10.0.0.5:9000"),
        "cannot reach http://s3.example:9000: connection refused", "is it started?");
    told(new UnknownHostException("s3.example: Name or service not known"), "unknown host", "check MINIO_ENDPOINT");
    told(new SocketTimeoutException("timeout"), "no answer in time", "is it started?");
    told(new SSLException("Unsupported or unrecognized SSL message"), "speaks http, not https",
        "http://s3.example:9000");
    told(new InvalidResponseException(400, "text/plain", "Client sent an HTTP request to an HTTPS server.", ""),
        "speaks https, not http",
        "https://s3.example:9000");
    told(new ProtocolException("Unexpected status line: \u0015\u0003\u0003"), "speaks https, not http",
        "https://s3.example:9000");
    told(new SSLPeerUnverifiedException("Hostname s3.example not verified"),
        "certificate of http://s3.example:9000 is for another name", "in the certificate");
    told(new SSLHandshakeException("PKIX path building failed"), "cannot trust the certificate",
        "name the CA that signed it with MINIO_CA");
    told(new InvalidResponseException(200, "text/html", "<html>", ""),
        "does not answer as an S3 server does (status 200)", "port of the S3 API");
  }

  @Test
  void aCaThatDoesNotFitIsNamed() {
    var failure = new S3Failures("https://s3.example:9000", "thehive", Optional.of(Path.of("/etc/ca.pem")))
        .explain("list", new SSLHandshakeException("PKIX path building failed"));

    assertThat(failure.hint).isEqualTo("is /etc/ca.pem, which MINIO_CA names, the CA that signed it?");
  }

  @Test
  void whatMayPassIsTriedAgainAndNothingElse() {
    assertThat(new Throwable[] {new ConnectException("refused"), new IOException("unexpected end of stream")})
        .allMatch(S3Failures::isLost).noneMatch(S3Failures::isBusy);
    assertThat(new Throwable[] {answer(503, "SlowDown"), answer(500, "InternalError"), answer(429, "TooManyRequests"),
        new ServerException("server failed", 502, "")})
        .allMatch(S3Failures::isBusy).noneMatch(S3Failures::isLost);
    assertThat(new Throwable[] {new SSLHandshakeException("PKIX"), new SSLPeerUnverifiedException("name"),
        new UnknownHostException("s3"), new SSLException("Unsupported or unrecognized SSL message"),
        answer(403, "AccessDenied"), answer(404, "NoSuchBucket"), answer(501, "NotImplemented"),
        answer(507, "XMinioStorageFull"), answer(400, "XMinioAdminBucketQuotaExceeded")})
        .noneMatch(S3Failures::isBusy).noneMatch(S3Failures::isLost);
  }

  @ParameterizedTest
  @ValueSource(
      strings = {"10.0.0.5:9000", "http://host:9000/path", "s3://bucket", "http://host:9000?x", "http://ho st:9000"})
  void anEndpointOfAnotherFormIsRefused(String endpoint) {
    assertThatThrownBy(() -> S3Bucket.requireEndpoint(endpoint))
        .hasMessageContaining("'" + endpoint + "' is not of the form https://HOST:PORT");
  }

  @Test
  void anEndpointWithKeysIsRefusedAndNotShown() {
    assertThatThrownBy(() -> S3Bucket.requireEndpoint("https://key:s3cret@10.0.0.5:9000"))
        .hasMessageContaining("holds keys")
        .hasMessageNotContainingAny("s3cret", "key:");
  }
}
