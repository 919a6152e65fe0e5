import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import java.util.stream.Stream;
import org.assertj.core.api.ThrowableAssert.ThrowingCallable;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

/** Variables, their defaults, and secrets. */
class SettingsTest {
  private static final Variable NAME = Variable.withDefault("NAME", "thehive");
  private static final Variable NONE = Variable.optional("NONE");
  private static final Variable SECRET = Variable.secret("SECRET");

  @TempDir private Path folder;

  private static Settings of(String... pairs) {
    return new Settings(pairs.length == 2 ? Map.of(pairs[0], pairs[1]) : pairs.length == 4
        ? Map.of(pairs[0], pairs[1], pairs[2], pairs[3]) : Map.of());
  }

  private static void refuses(ThrowingCallable call, String... words) {
    assertThatThrownBy(call).isInstanceOfSatisfying(Failure.class, failure -> {
      assertThat(failure.code).isEqualTo(2);
      assertThat(failure.hint).isNotBlank();
      assertThat(failure.getMessage()).contains(words).doesNotContain("t0psecret");
    });
  }

  @Test
  void aVariableWinsOverItsDefault() {
    assertThat(of().text(NAME)).isEqualTo("thehive");
    assertThat(of("NAME", "other").text(NAME)).isEqualTo("other");
    assertThat(of().optional(NONE)).isEmpty();
    assertThat(of("NONE", "one").optional(NONE)).contains("one");
    refuses(() -> of().text(NONE), "NONE is not set");
  }

  @Test
  void aPathIsRead() {
    assertThat(of("NAME", "/mnt/a b").path(NAME)).isEqualTo(Path.of("/mnt/a b"));
    assertThat(of().optionalPath(NONE)).isEmpty();
    refuses(() -> of("NAME", "a\0b").path(NAME), "NAME", "is not a path");
  }

  @ParameterizedTest
  @CsvSource({"true, true", "TRUE, true", "false, false", ", false"})
  void aFlagIsTrueOrFalse(String value, boolean flag) {
    assertThat((value == null ? of() : of("NONE", value)).flag(NONE)).isEqualTo(flag);
  }

  @ParameterizedTest
  @ValueSource(strings = {"yes", "1", "on"})
  void anythingElseIsNotTakenForAFlag(String value) {
    refuses(() -> of("NONE", value).flag(NONE), "NONE is '" + value + "'");
  }

  @ParameterizedTest
  @CsvSource(delimiter = '|', ignoreLeadingAndTrailingWhitespace = false, value = {
      "''|is set but blank", "'  '|is set but blank", "thehive\r|carriage return", "\uFEFFthehive|byte order mark",
      "\"thehive\"|quotes",
    "'''thehive'''|quotes"
  })
  void whatAnEditorOrAShellLeftInAValueIsNotTakenForAValue(String value, String because) {
    refuses(() -> of("NAME", value).text(NAME), "NAME", because);
    refuses(() -> of("NONE", value).optionalPath(NONE), "NONE", because);
  }

  @Test
  void aSecretComesFromItsVariableOrFromAFile() throws IOException {
    var file = Files.writeString(folder.resolve("secret"), " p\"w'\r \n").toString();
    assertThat(of().secret(SECRET)).isEmpty();
    assertThat(of("SECRET", "\"t0psecret\"").secret(SECRET)).as("nothing in a secret is cleaned away")
        .contains("\"t0psecret\"");
    assertThat(of("SECRET_FILE", file).secret(SECRET)).as("without its last line break only").contains(" p\"w'\r ");
    assertThat(of("SECRET_FILE", file).isSet(SECRET)).isTrue();
    assertThat(of().secretOrPrompt(SECRET, "Secret")).as("nobody to ask").isEmpty();
  }

  @Test
  void aSecretThatCannotBeHadIsAnErrorThatDoesNotShowIt() throws IOException {
    var empty = Files.writeString(folder.resolve("empty"), "\n").toString();
    refuses(() -> of("SECRET", "t0psecret", "SECRET_FILE", "/x").secret(SECRET), "SECRET and SECRET_FILE are both set");
    refuses(() -> of("SECRET", " ").secret(SECRET), "SECRET is set but blank");
    refuses(() -> of("SECRET_FILE", " ").secret(SECRET), "SECRET_FILE is set but blank");
    refuses(() -> of("SECRET_FILE", empty).secret(SECRET), "SECRET_FILE", empty, "is empty");
    refuses(() -> of("SECRET_FILE", folder + "/none").secret(SECRET), "SECRET_FILE", folder + "/none: no such file");
    refuses(() -> of("SECRET_FILE", folder.toString()).secret(SECRET), "SECRET_FILE", folder.toString());
  }

  @Test
  void theHelpSaysWhereEachValueComesFromAndShowsNoSecret() {
    var lines = of("SECRET", "t0psecret", "NAME", "other")
        .describe(List.of(NAME, NONE, SECRET, Variable.withDefault("FOLDER", "/opt")));
    assertThat(lines).map(line -> line.strip().replaceAll(" +", " ")).containsExactly(
        "Set: NAME=other SECRET=(not shown)", "Defaults: FOLDER=/opt", "Not set: NONE");
    assertThat(new Settings(Map.of(), Map.of("NAME", "hive"), "/etc/a.conf").describe(List.of(NAME)))
        .containsExactly("  From /etc/a.conf: NAME=hive");
  }

  @Test
  void theHelpStaysOnOneScreenWhereMuchIsSet() {
    assertThat(of("NAME", "a".repeat(80)).describe(List.of(NAME, NONE))).containsExactly(
        "  Set (verify.java settings shows it): NAME", "  Not set: NONE");
  }

  @Test
  void theHelpShortensNamesThatBeginAsTheOneBefore() {
    var variables = Stream.of("S3_KEY", "S3_CA", "S3_CA_PASSWORD", "HOME", "S3_URL").map(Variable::optional).toList();
    assertThat(of().describe(variables)).containsExactly("  Not set: S3_KEY _CA _CA_PASSWORD HOME S3_URL");
  }

  @Test
  void theHelpLeavesOutAPasswordWithinAValue() {
    for (var value : List.of("10.0.0.5 -u admin -p t0psecret", "10.0.0.5 admin --password=t0psecret",
        "10.0.0.5 -p \"t0p secret t0psecret\" -u admin",
        "http://elastic:t0psecret@10.0.0.5:9200", "http://a:t0p/secret@b,https://c:t0psecret@d",
        "http://a:t0p,secret@b", "key:t0psecret@10.0.0.5:9000")) {
      assertThat(of("NAME", value).describe(List.of(NAME))).singleElement().asString().contains("(not shown)")
          .doesNotContain("t0p");
    }
    assertThat(of("NAME", "10.0.0.5 -u admin").describe(List.of(NAME))).singleElement().asString()
        .contains("NAME=10.0.0.5 -u admin");
    assertThat(of("NAME", "root@node1 docker:thehive node2/docker:thehive").describe(List.of(NAME))).singleElement()
        .asString().contains("NAME=root@node1 docker:thehive node2/docker:thehive");
  }
}
