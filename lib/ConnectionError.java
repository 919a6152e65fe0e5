import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.Optional;
import java.util.regex.Pattern;
import java.util.stream.Collectors;
import java.util.stream.Stream;

/** Puts Java's words about a connection that failed into an administrator's. */
final class ConnectionError {
  private static final List<Map.Entry<String, String>> WORDS = List.of(
      Map.entry("connection refused", "connection refused: nothing listens on that port"),
      Map.entry("UnknownHost|UnresolvedAddress|not known", "unknown host"),
      // java.net.http says no more
      Map.entry("ConnectException(\\n|$)", "connection refused: nothing listens on that port"),
      Map.entry("NotSslRecord|not an SSL/TLS record|Unsupported or unrecognized SSL", "it speaks http, not https"),
      Map.entry("PKIX|unable to find valid certification path",
          "its certificate is not signed by a CA that is trusted here"),
      Map.entry("No name matching|No subject alternative|not verified|doesn't match",
          "its certificate is for another name"),
      Map.entry("certificate_expired|CertificateExpired", "its certificate has expired"),
      Map.entry("certificate_required|bad_certificate", "it wants a certificate of the client"),
      Map.entry("handshake_failure|protocol_version", "it and this host have no TLS version in common"),
      Map.entry("No route to host|Network is unreachable|Host is unreachable", "no route to that host"),
      Map.entry("timed out|Timeout", "no answer in time"),
      Map.entry("Invalid status line|unsupported (HTTP )?version|not a valid HTTP", "it is not an HTTP port"),
      Map.entry(
          "Connection reset|ClosedChannel|ConnectionClosed|connection (was )?closed|EOF|no bytes|Broken pipe|Remote"
              + " host terminated",
          "it closed the connection: perhaps it speaks https, or this is not its port"));

  private ConnectionError() {}

  static String words(Throwable thrown) {
    var all = Stream.iterate(thrown, Objects::nonNull, Throwable::getCause).map(Throwable::toString)
        .collect(Collectors.joining("\n"));
    return find(WORDS, all).orElseGet(() -> Failure.of(thrown).getMessage());
  }

  /** The words of the first pattern that is found in the text. */
  static Optional<String> find(List<Map.Entry<String, String>> words, String text) {
    return words.stream()
        .filter(entry -> Pattern.compile(entry.getKey(), Pattern.CASE_INSENSITIVE).matcher(text).find())
        .map(Map.Entry::getValue).findFirst();
  }
}
