import static org.assertj.core.api.Assertions.assertThat;

import java.io.ByteArrayInputStream;
import java.io.IOException;
import java.util.Random;
import org.apache.commons.codec.digest.DigestUtils;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** Reading ETags, and making those of content. */
class ETagTest {
  private static byte[] noise(int size) {
    var bytes = new byte[size];
    new Random(size).nextBytes(bytes);
    return bytes;
  }

  private static ETag of(byte[] content, boolean inParts) throws IOException {
    return ETag.of(new ByteArrayInputStream(content), content.length, inParts);
  }

  @Test
  void isTheMd5OfWhatWasSentAsAWholeWithOrWithoutQuotes() throws IOException {
    var content = noise(1000);

    assertThat(ETag.of(DigestUtils.md5Hex(content))).isEqualTo(ETag.of('"' + DigestUtils.md5Hex(content) + '"'))
        .isEqualTo(of(content, false));
    assertThat(ETag.of(DigestUtils.md5Hex(content))).isNotEqualTo(of(noise(1001), false));
  }

  @ParameterizedTest
  @ValueSource(ints = {-1, 0, 1, ETag.PART - 1})
  void isTheMd5OfThePartsMd5sOfWhatWasSentInParts(int more) throws IOException {
    var content = noise(2 * ETag.PART + more);
    var md5s = "";
    for (var from = 0; from < content.length; from += ETag.PART) {
      md5s +=
          DigestUtils.md5Hex(java.util.Arrays.copyOfRange(content, from, Math.min(content.length, from + ETag.PART)));
    }
    var parts = more > 0 ? 3 : 2;
    var etag = ETag.of(DigestUtils.md5Hex(java.util.HexFormat.of().parseHex(md5s)) + "-" + parts);

    assertThat(etag.isInParts(content.length)).isTrue();
    assertThat(of(content, true)).isEqualTo(etag);
    assertThat(of(content, false)).isNotEqualTo(etag);
  }

  @Test
  void ofPartsOfAnotherSizeIsKnownAsSuch() {
    assertThat(ETag.of("0123456789abcdef0123456789abcdef-4").isInParts(2L * ETag.PART)).isFalse();
    assertThat(ETag.of("0123456789abcdef0123456789abcdef-2").isInParts(2L * ETag.PART)).isTrue();
    assertThat(ETag.of("0123456789abcdef0123456789abcdef").isInParts(10)).isFalse();
  }

  @ParameterizedTest
  @ValueSource(
      strings = {"", "\"\"", "00000000000000000000000000000000-1-2", "2C4F", "0123456789ABCDEF0123456789ABCDEF"})
  void thatOnlyItsServerUnderstandsIsEqualToItselfOnly(String text) throws IOException {
    assertThat(ETag.of(text).parts()).isEqualTo(ETag.OPAQUE);
    assertThat(ETag.of(text)).isEqualTo(ETag.of(text)).isNotEqualTo(ETag.of("other"))
        .isNotEqualTo(of(noise(10), false));
  }
}
