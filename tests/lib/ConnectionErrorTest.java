import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.catchThrowable;

import java.io.IOException;
import java.net.InetAddress;
import java.net.ServerSocket;
import java.net.Socket;
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse;
import java.util.concurrent.CompletionException;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** What is said of connections that failed. */
class ConnectionErrorTest {
  @ParameterizedTest
  @CsvSource(delimiter = '|', value = {
    "Unsupported or unrecognized SSL message|it speaks http, not https",
      "PKIX path building failed: unable to find valid certification path to requested target|its certificate is"
          + " not signed by a CA that is trusted here",
    "No subject alternative names matching IP address 10.0.0.5 found|its certificate is for another name",
    "Read timed out|no answer in time",
    "Connection reset|it closed the connection: perhaps it speaks https, or this is not its port",
      "HTTP/1.1 header parser received no bytes|it closed the connection: perhaps it speaks https, or this is not"
          + " its port",
    "no words are known for this|no words are known for this"
  })
  void translatesWhatJavaSays(String said, String words) {
    assertThat(ConnectionError.words(new CompletionException(new IOException("outer", new IOException(said)))))
        .startsWith(words.equals(said) ? "outer" : words);
  }

  @Test
  void knowsARefusalAndAnUnknownHostFromASocketAndFromAnHttpClient() throws IOException {
    int port;
    try (var free = new ServerSocket(0, 1, InetAddress.getLoopbackAddress())) {
      port = free.getLocalPort();
    }
    assertThat(ConnectionError.words(catchThrowable(() -> new Socket("127.0.0.1", port).close())))
        .startsWith("connection refused");
    assertThat(ConnectionError.words(catchThrowable(() -> get("http://127.0.0.1:" + port))))
        .startsWith("connection refused");
    assertThat(ConnectionError.words(catchThrowable(() -> get("http://no-such-host.invalid"))))
        .isEqualTo("unknown host");
    assertThat(ConnectionError.words(catchThrowable(() -> new Socket("no-such-host.invalid", 1).close())))
        .isEqualTo("unknown host");
  }

  private static void get(String url) throws Exception {
    HttpClient.newHttpClient().send(HttpRequest.newBuilder(URI.create(url)).build(),
        HttpResponse.BodyHandlers.discarding());
  }
}
