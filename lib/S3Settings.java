//DEPS com.fasterxml.jackson.core:jackson-databind:2.23.0

import java.io.FileNotFoundException;
import java.io.IOException;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.regex.Pattern;
import java.util.stream.Collectors;
import java.util.stream.Stream;

/**
 * The bucket of the attachments, who may write to it, and where its backups are. Endpoint and keys come from the
 * variables, else from an alias as the {@code mc} client keeps it.
 *
 * @param login endpoint and keys; null where only the archives are read
 * @param region empty: the server is asked
 * @param virtualHost true if the bucket is part of the host's name, not of the path
 * @param ca PEM file of the CA to trust for https; empty for the JDK's
 */
record S3Settings(Account login, String bucket, Optional<String> region, boolean virtualHost, Optional<Path> ca,
    Path archives) {
  static final Variable ENDPOINT = Variable.optional("MINIO_ENDPOINT");
  static final Variable ACCESS_KEY = Variable.secret("MINIO_ACCESS_KEY");
  static final Variable SECRET_KEY = Variable.secret("MINIO_SECRET_KEY");
  static final Variable ALIAS = Variable.withDefault("MINIO_ALIAS", "th_minio");
  static final Variable BUCKET = Variable.withDefault("MINIO_BUCKET", "thehive");
  static final Variable REGION = Variable.optional("MINIO_REGION");
  static final Variable VIRTUAL_HOST = Variable.withDefault("MINIO_VIRTUAL_HOST", "false");
  static final Variable CA = Variable.optional("MINIO_CA");
  static final Variable ARCHIVES = ArchiveFolders.S3;
  static final List<Variable> VARIABLES =
      List.of(ENDPOINT, ACCESS_KEY, SECRET_KEY, ALIAS, BUCKET, REGION, VIRTUAL_HOST, CA, ARCHIVES);

  // As mc reads it: the keys stand in it as they are, without an encoding.
  private static final Pattern WITH_TOKEN = Pattern.compile("(https?://)([^@]*?):([^@]*?):([^@]*)@([^@]*)");
  private static final Pattern WITH_KEYS = Pattern.compile("(https?://)(.*?):(.*)@([^@]*)");

  private static final Pattern PORT = Pattern.compile(":(\\d+)/?$");

  /** An endpoint with its keys; {@code token} of temporary keys, else null. */
  record Account(String endpoint, String access, String secret, String token) {
    /** Without the secrets. */
    @Override
    public String toString() {
      return endpoint;
    }
  }

  /** @param environment where the variable {@code MC_HOST_<alias>}, MC_CONFIG_DIR and HOME are looked up */
  static S3Settings of(Settings settings, Map<String, String> environment) {
    return read(settings, login(settings, environment));
  }

  static S3Settings ofArchives(Settings settings) {
    return read(settings, null);
  }

  private static S3Settings read(Settings settings, Account login) {
    return new S3Settings(login, settings.text(BUCKET), settings.optional(REGION), settings.flag(VIRTUAL_HOST),
        settings.optionalPath(CA), settings.path(ARCHIVES));
  }

  private static Account login(Settings settings, Map<String, String> environment) {
    var endpoint = endpoint(settings);
    if (endpoint.isEmpty()) {
      return ofAlias(settings.text(ALIAS), environment);
    }
    var access = settings.secretOrPrompt(ACCESS_KEY, "Access key of " + endpoint.get());
    var secret = settings.secretOrPrompt(SECRET_KEY, "Secret key of " + endpoint.get());
    if (access.isEmpty() || secret.isEmpty()) {
      throw new Failure(Exit.USAGE, "no keys for " + endpoint.get(),
          "set MINIO_ACCESS_KEY and MINIO_SECRET_KEY, or MINIO_ACCESS_KEY_FILE and MINIO_SECRET_KEY_FILE");
    }
    return new Account(endpoint.get(), access.get(), secret.get(), null);
  }

  /** MINIO_ENDPOINT, which holds no keys. */
  static Optional<String> endpoint(Settings settings) {
    var endpoint = settings.optional(ENDPOINT);
    if (endpoint.orElse("").contains("@")) {
      throw new Failure(Exit.USAGE, "MINIO_ENDPOINT holds keys", "set MINIO_ACCESS_KEY and MINIO_SECRET_KEY instead");
    }
    var port = PORT.matcher(endpoint.orElse(""));
    if (port.find() && (port.group(1).length() > 5 || Integer.parseInt(port.group(1)) > 65_535)) {
      throw new Failure(Exit.USAGE,
          "MINIO_ENDPOINT '%s' has port %s; ports are from 1 to 65535".formatted(endpoint.get(), port.group(1)),
          "such as http://10.0.0.8:9000");
    }
    return endpoint;
  }

  private static Account ofAlias(String alias, Map<String, String> environment) {
    var variable = environment.get("MC_HOST_" + alias);
    var files = configFiles(environment);
    var login = variable != null ? ofVariable(alias, variable)
        : files.stream().flatMap(file -> ofFile(file, alias).stream()).findFirst();
    return login.orElseThrow(() -> new Failure(Exit.USAGE, "MINIO_ENDPOINT is not set, and mc has no alias " + alias,
        ("set MINIO_ENDPOINT, MINIO_ACCESS_KEY and MINIO_SECRET_KEY, or name an alias of mc with MINIO_ALIAS; looked"
            + " in MC_HOST_%s, %s")
            .formatted(alias, files.stream().map(Path::toString).collect(Collectors.joining(", ")))));
  }

  private static Optional<Account> ofVariable(String alias, String value) {
    var token = WITH_TOKEN.matcher(value);
    if (token.matches()) {
      return Optional.of(new Account(token.group(1) + token.group(5), token.group(2), token.group(3), token.group(4)));
    }
    var keys = WITH_KEYS.matcher(value);
    if (keys.matches()) {
      return Optional.of(new Account(keys.group(1) + keys.group(4), keys.group(2), keys.group(3), null));
    }
    throw new Failure(Exit.USAGE, "MC_HOST_%s is not of the form https://ACCESS:SECRET@HOST:PORT".formatted(alias),
        null);
  }

  private static List<Path> configFiles(Map<String, String> environment) {
    var home = Path.of(environment.getOrDefault("HOME", System.getProperty("user.home")));
    return Stream
        .concat(Stream.ofNullable(environment.get("MC_CONFIG_DIR")).map(Path::of),
            Stream.of(home.resolve(".mc"), home.resolve(".mcli")))
        .map(path -> path.resolve("config.json")).toList();
  }

  private static Optional<Account> ofFile(Path file, String alias) {
    try {
      var entry = Json.MAPPER.readTree(file.toFile()).path("aliases").path(alias);
      return entry.isMissingNode() ? Optional.empty() : Optional.of(new Account(entry.path("url").asText(),
          entry.path("accessKey").asText(), entry.path("secretKey").asText(), entry.path("sessionToken").asText(null)));
    } catch (FileNotFoundException e) {
      return Optional.empty();
    } catch (IOException e) {
      // Jackson's message would show the line, and with it a key.
      throw new Failure(Exit.USAGE, "cannot read mc's " + file,
          "is it readable, and JSON? or set MINIO_ENDPOINT and the keys");
    }
  }
}
