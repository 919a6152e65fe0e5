import java.io.FileNotFoundException;
import java.io.IOException;
import java.nio.file.Path;
import java.util.Optional;
import java.util.regex.Pattern;
import java.util.stream.Collectors;
import java.util.stream.Stream;

/** Where and as whom: from the variables, else from the alias as mc keeps it. */
record OldLogin(String endpoint, String access, String secret, String token) {
  // As mc reads it: the keys stand in it as they are, without an encoding.
  private static final Pattern WITH_TOKEN = Pattern.compile("(https?://)([^@]*?):([^@]*?):([^@]*)@([^@]*)");
  private static final Pattern WITH_KEYS = Pattern.compile("(https?://)(.*?):(.*)@([^@]*)");

  static OldLogin of(String endpoint, String alias) {
    if (endpoint == null) {
      return ofAlias(alias);
    }
    var access = OldSettings.secretOrPrompt("MINIO_ACCESS_KEY", "Access key of " + endpoint);
    var secret = OldSettings.secretOrPrompt("MINIO_SECRET_KEY", "Secret key of " + endpoint);
    if (access.isEmpty() || secret.isEmpty()) {
      throw new Failure(Exit.USAGE, "no keys for " + endpoint,
          "set MINIO_ACCESS_KEY and MINIO_SECRET_KEY, or MINIO_ACCESS_KEY_FILE and MINIO_SECRET_KEY_FILE");
    }
    return new OldLogin(endpoint, access.get(), secret.get(), null);
  }

  private static OldLogin ofAlias(String alias) {
    var variable = System.getenv("MC_HOST_" + alias);
    var found = variable != null ? ofVariable(alias, variable) : configFiles().flatMap(file -> ofFile(file, alias).stream()).findFirst();
    return found.orElseThrow(() -> new Failure(Exit.USAGE, "no S3 server is named, and there is no alias %s".formatted(alias),
        "set MINIO_ENDPOINT, MINIO_ACCESS_KEY and MINIO_SECRET_KEY, or name an alias of mc with MINIO_ALIAS; looked in MC_HOST_%s, %s"
            .formatted(alias, configFiles().map(Path::toString).collect(Collectors.joining(", ")))));
  }

  private static Optional<OldLogin> ofVariable(String alias, String value) {
    var token = WITH_TOKEN.matcher(value);
    if (token.matches()) {
      return Optional.of(new OldLogin(token.group(1) + token.group(5), token.group(2), token.group(3), token.group(4)));
    }
    var keys = WITH_KEYS.matcher(value);
    if (keys.matches()) {
      return Optional.of(new OldLogin(keys.group(1) + keys.group(4), keys.group(2), keys.group(3), null));
    }
    throw new Failure(Exit.USAGE, "MC_HOST_%s is not of the form https://ACCESS:SECRET@HOST:PORT".formatted(alias), null);
  }

  private static Stream<Path> configFiles() {
    var folder = System.getenv("MC_CONFIG_DIR");
    var home = Path.of(Optional.ofNullable(System.getenv("HOME")).orElse(System.getProperty("user.home")));
    return Stream.concat(Stream.ofNullable(folder).map(Path::of), Stream.of(home.resolve(".mc"), home.resolve(".mcli")))
        .map(path -> path.resolve("config.json"));
  }

  private static Optional<OldLogin> ofFile(Path file, String alias) {
    try {
      var entry = Json.MAPPER.readTree(file.toFile()).path("aliases").path(alias);
      return entry.isMissingNode() ? Optional.empty() : Optional.of(new OldLogin(entry.path("url").asText(),
          entry.path("accessKey").asText(), entry.path("secretKey").asText(), entry.path("sessionToken").asText(null)));
    } catch (FileNotFoundException e) {
      return Optional.empty();
    } catch (IOException e) {
      // Jackson's message would show the line, and with it a key.
      throw new Failure(Exit.USAGE, "cannot read mc's " + file, "is it readable, and JSON? or set MINIO_ENDPOINT and the keys");
    }
  }
}
