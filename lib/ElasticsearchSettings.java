import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.Base64;
import java.util.List;
import java.util.Optional;
import java.util.stream.Stream;

/**
 * The address of Elasticsearch, the log-in, and the folder of its backups.
 *
 * @param authorization value of the header Authorization, a secret
 * @param ca PEM file of the CA to trust for https; empty for the JDK's
 * @param caPassword of a JKS or PKCS12 store in place of that file
 * @param archives folder of the markers {@code elasticsearch_<time>.info}
 * @param usedIndices names of the indices that TheHive uses by its own configuration; empty where that is not known
 */
record ElasticsearchSettings(List<String> urls, Optional<String> authorization, Optional<Path> ca,
    Optional<String> caPassword,
    String repository, Path archives, List<String> usedIndices) {
  static final Variable URL = Variable.withDefault("ELASTICSEARCH_API_URL", "http://127.0.0.1:9200");
  static final Variable USER = Variable.optional("ELASTICSEARCH_USER");
  static final Variable PASSWORD = Variable.secret("ELASTICSEARCH_PASSWORD");
  static final Variable API_KEY = Variable.secret("ELASTICSEARCH_API_KEY");
  static final Variable CA = Variable.optional("ELASTICSEARCH_CA");
  static final Variable CA_PASSWORD = Variable.secret("ELASTICSEARCH_CA_PASSWORD");
  static final Variable INDEX = Variable.optional("ELASTICSEARCH_INDEX");
  static final Variable AUDIT_INDEX = Variable.optional("ELASTICSEARCH_AUDIT_INDEX");
  static final Variable REPOSITORY = Variable.withDefault("ELASTICSEARCH_SNAPSHOT_REPOSITORY", "thehive_repository");
  static final Variable ARCHIVES = ArchiveFolders.MARKERS;
  static final List<Variable> VARIABLES =
      List.of(URL, USER, PASSWORD, API_KEY, CA, CA_PASSWORD, INDEX, AUDIT_INDEX, REPOSITORY, ARCHIVES);

  static ElasticsearchSettings of(Settings settings) {
    return new ElasticsearchSettings(Stream.of(settings.text(URL).split(",")).map(String::strip).toList(),
        authorization(settings),
        settings.optionalPath(CA), settings.secret(CA_PASSWORD), settings.text(REPOSITORY), settings.path(ARCHIVES),
        Stream.of(INDEX, AUDIT_INDEX).flatMap(variable -> settings.optional(variable).stream()).toList());
  }

  private static Optional<String> authorization(Settings settings) {
    var user = settings.optional(USER);
    var key = settings.secret(API_KEY);
    if (key.isPresent()) {
      return key.map(value -> "ApiKey " + value);
    }
    if (user.isEmpty()) {
      if (settings.isSet(PASSWORD)) {
        throw new Failure(Exit.USAGE, "ELASTICSEARCH_PASSWORD is set, but ELASTICSEARCH_USER is not",
            "set ELASTICSEARCH_USER, or unset the password");
      }
      return Optional.empty();
    }
    var password = settings.secretOrPrompt(PASSWORD, "Password of Elasticsearch's user " + user.get())
        .orElseThrow(() -> new Failure(Exit.USAGE, "no password for Elasticsearch's user " + user.get(),
            "set ELASTICSEARCH_PASSWORD or ELASTICSEARCH_PASSWORD_FILE"));
    var pair = (user.get() + ":" + password).getBytes(StandardCharsets.UTF_8);
    return Optional.of("Basic " + Base64.getEncoder().encodeToString(pair));
  }

  /** Without the secret. */
  @Override
  public String toString() {
    return "Elasticsearch at " + String.join(", ", urls);
  }
}
