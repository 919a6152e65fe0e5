import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.HashMap;
import java.util.Map;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

/** Endpoint and keys of the bucket: from the variables, else from an alias of mc. */
class S3SettingsTest {
  @TempDir private Path home;
  private final Map<String, String> variables = new HashMap<>();

  @BeforeEach
  void setHome() {
    variables.put("HOME", home.toString());
  }

  private S3Settings.Account account() {
    return S3Settings.of(new Settings(variables), variables).login();
  }

  private void refuses(String... words) {
    assertThatThrownBy(this::account).isInstanceOfSatisfying(Failure.class, failure -> {
      assertThat(failure.code).isEqualTo(2);
      assertThat(failure.getMessage() + failure.hint).contains(words).doesNotContain("t0psecret");
    });
  }

  private void aliases(String file, String json) throws IOException {
    var path = home.resolve(file);
    Files.createDirectories(path.getParent());
    Files.writeString(path, json);
  }

  @Test
  void theVariablesWin() {
    variables.put("MC_HOST_th_minio", "https://other:other@other:9000");
    variables.putAll(
        Map.of("MINIO_ENDPOINT", "http://10.0.0.5:9000", "MINIO_ACCESS_KEY", "key", "MINIO_SECRET_KEY", "t0psecret"));
    assertThat(account()).isEqualTo(new S3Settings.Account("http://10.0.0.5:9000", "key", "t0psecret", null));
    assertThat(account()).asString().doesNotContain("t0psecret");
    var settings = S3Settings.of(new Settings(variables), variables);
    assertThat(settings.bucket()).isEqualTo("thehive");
    assertThat(settings.archives()).hasToString("/mnt/backup/minio");
    assertThat(settings.virtualHost()).isFalse();
  }

  /** Keys stand in it as they are, without an encoding. */
  @ParameterizedTest
  @CsvSource({
    "https://key:t0psecret@s3.example:9000,        https://s3.example:9000, key,  t0psecret, ",
    "http://key:t0/p+se@cret@s3.example,           http://s3.example,       key,  t0/p+se@cret, ",
    "https://key:t0psecret:token==@s3.example,     https://s3.example,      key,  t0psecret, token==",
  })
  void anAliasComesFromItsVariable(String value, String endpoint, String access, String secret, String token) {
    variables.put("MC_HOST_th_minio", value);
    assertThat(account()).isEqualTo(new S3Settings.Account(endpoint, access, secret, token));
  }

  @ParameterizedTest
  @ValueSource(strings = {"t0psecret", "https://s3.example", "ftp://key:t0psecret@s3.example", ""})
  void anAliasOfAnotherFormIsRefusedWithoutShowingIt(String value) {
    variables.put("MC_HOST_th_minio", value);
    refuses("MC_HOST_th_minio is not of the form https://ACCESS:SECRET@HOST:PORT");
  }

  @ParameterizedTest
  @ValueSource(strings = {".mc", ".mcli"})
  void anAliasComesFromTheFileOfMc(String folder) throws IOException {
    aliases(folder + "/config.json", """
        {"version": "10", "aliases": {"site": {"url": "https://s3.example", "accessKey": "key", "secretKey": "t0psecret", "api": "S3v4"}}}
        """);
    variables.put("MINIO_ALIAS", "site");
    assertThat(account()).isEqualTo(new S3Settings.Account("https://s3.example", "key", "t0psecret", null));
  }

  @Test
  void theFolderThatMcIsToldComesFirst() throws IOException {
    aliases(".mc/config.json",
        "{\"aliases\": {\"th_minio\": {\"url\": \"https://home\", \"accessKey\": \"a\", \"secretKey\": \"b\"}}}");
    aliases("etc/config.json",
        "{\"aliases\": {\"th_minio\": {\"url\": \"https://etc\", \"accessKey\": \"a\", \"secretKey\": \"b\"}}}");
    variables.put("MC_CONFIG_DIR", home.resolve("etc").toString());
    assertThat(account().endpoint()).isEqualTo("https://etc");
  }

  @Test
  void whereThereIsNothingItSaysWhereItLooked() {
    refuses("MINIO_ENDPOINT", "th_minio", "MC_HOST_th_minio", home + "/.mc/config.json", home + "/.mcli/config.json");
  }

  @Test
  void aFileThatIsNotJsonIsRefusedWithoutShowingIt() throws IOException {
    aliases(".mc/config.json", "{\"aliases\": {\"th_minio\": t0psecret");
    refuses("cannot read mc's " + home.resolve(".mc/config.json"));
  }

  @Test
  void keysBelongInVariablesOfTheirOwn() {
    variables.put("MINIO_ENDPOINT", "http://key:t0psecret@10.0.0.5:9000");
    refuses("MINIO_ENDPOINT holds keys");
    variables.put("MINIO_ENDPOINT", "http://10.0.0.5:9000");
    variables.put("MINIO_ACCESS_KEY", "key");
    refuses("no keys for http://10.0.0.5:9000", "MINIO_SECRET_KEY_FILE");
  }
}
