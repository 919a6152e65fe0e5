import static org.assertj.core.api.Assertions.assertThat;

import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** Which keys can be named in XML, many in a request, and which are removed one by one. */
class ObjectRemovalTest {
  @ParameterizedTest
  @ValueSource(strings = {"attachment/0123", "a b", "ä%+&=?<>\"'☃.txt", "日本/📎"})
  void plainKeysArriveUnchangedInXml(String key) {
    assertThat(ObjectRemoval.isPlainInXml(key)).isTrue();
  }

  @ParameterizedTest
  @ValueSource(strings = {"a\rb", "a\nb", "a\tb", "\u0001", "a\u007f", "a\u0085b", "a\u2028b", "a\uffffb", "a\ud800b",
      " a", "a ", "\u3000a"})
  void othersDoNot(String key) {
    assertThat(ObjectRemoval.isPlainInXml(key)).isFalse();
  }
}
