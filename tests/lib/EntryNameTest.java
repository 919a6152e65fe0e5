import static java.nio.charset.StandardCharsets.ISO_8859_1;
import static java.nio.charset.StandardCharsets.UTF_8;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.io.IOException;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

/** Names of an archive's entries: the same file has one name, and none leads out of the folder. */
class EntryNameTest {
  private static String normal(String raw) throws IOException {
    return new String(EntryName.normal(raw.getBytes(UTF_8)), UTF_8);
  }

  @ParameterizedTest
  @CsvSource({"a/b, a/b", "./a/b, a/b", "a//b, a/b", "a/./b/, a/b", "a/b//, a/b", ".a/..b/...c, .a/..b/...c", "., ''",
      "./, ''", "é/ü, é/ü"})
  void areWrittenInOneWay(String raw, String name) throws IOException {
    assertThat(normal(raw)).isEqualTo(name);
  }

  @ParameterizedTest
  @ValueSource(strings = {"/a", "../a", "a/../b", "a/..", "..", "./../a", "a\0b"})
  void areRefusedWhereTheyLeadOut(String raw) {
    assertThatThrownBy(() -> normal(raw)).isInstanceOf(IOException.class)
        .hasMessageContaining("leads out of the backup's folder");
  }

  @Test
  void areUtf8() {
    assertThatThrownBy(() -> EntryName.normal("é".getBytes(ISO_8859_1)))
        .hasMessageContaining("a name that is not UTF-8");
    assertThatThrownBy(() -> EntryName.link("é".getBytes(ISO_8859_1), "x".getBytes(UTF_8)))
        .hasMessageContaining("'x' has a link that is not UTF-8");
  }

  @Test
  void areShownWithoutControlCharacters() {
    assertThat(EntryName.shown("a\033[31mb\r\n\u009b")).isEqualTo("a?[31mb???");
  }
}
