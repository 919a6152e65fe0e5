import java.nio.charset.StandardCharsets;
import java.util.Base64;
import java.util.Optional;

/** Who logs in to Elasticsearch, as a value of the header Authorization. */
record Credentials(Optional<String> header) {
  static Credentials fromEnvironment() {
    var user = OldSettings.variable("ELASTICSEARCH_USER");
    var key = OldSettings.secret("ELASTICSEARCH_API_KEY");
    if (user.isEmpty() || key.isPresent()) {
      return new Credentials(key.map(value -> "ApiKey " + value));
    }
    var password = OldSettings.secretOrPrompt("ELASTICSEARCH_PASSWORD", "Password of Elasticsearch's user " + user.get())
        .orElseThrow(() -> new Failure(Exit.USAGE, "no password for Elasticsearch's user " + user.get(),
            "set ELASTICSEARCH_PASSWORD or ELASTICSEARCH_PASSWORD_FILE"));
    var pair = (user.get() + ":" + password).getBytes(StandardCharsets.UTF_8);
    return new Credentials(Optional.of("Basic " + Base64.getEncoder().encodeToString(pair)));
  }

  @Override
  public String toString() {
    return "Credentials";
  }
}
