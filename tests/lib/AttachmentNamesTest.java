import static org.assertj.core.api.Assertions.assertThat;

import java.nio.ByteBuffer;
import java.util.List;
import java.util.stream.IntStream;
import java.util.stream.Stream;
import org.apache.commons.codec.digest.DigestUtils;
import org.junit.jupiter.api.Test;

/** Whether the backup of attachments has what the graph names. */
class AttachmentNamesTest {
  private static final ByteBuffer ATTACHMENT = ByteBuffer.wrap(new byte[] {1});
  private static final ByteBuffer OBSERVED = ByteBuffer.wrap(new byte[] {2});

  private static String name(int i) {
    return DigestUtils.sha256Hex("attachment " + i);
  }

  /** As JanusGraph stores it: the last character is marked. */
  private static void add(AttachmentNames names, ByteBuffer property, String hash) {
    names.add(property, hash.substring(0, 63) + (char) (hash.charAt(63) | 0x80));
  }

  private static Finding compare(AttachmentNames names, Stream<String> files) {
    var findings = new Findings("together");
    names.compare("files", files.map(file -> "attachment/" + file).toList(), findings);
    assertThat(findings.list()).hasSize(1);
    return findings.list().get(0);
  }

  @Test
  void namesTheAttachmentThatTheBackupLacksAndNotWhatSomebodyObserved() {
    var names = new AttachmentNames();
    IntStream.range(0, 10).forEach(i -> add(names, ATTACHMENT, name(i)));
    IntStream.range(100, 110).forEach(i -> add(names, OBSERVED, name(i)));
    assertThat(compare(names, IntStream.range(0, 10).mapToObj(AttachmentNamesTest::name)).result()).isEqualTo(Mark.OK);
    var missing = compare(names, IntStream.range(0, 9).mapToObj(AttachmentNamesTest::name));
    assertThat(missing.result()).isEqualTo(Mark.BAD);
    assertThat(missing.details()).containsExactly(name(9));
  }

  @Test
  void isNotContentWhenHardlyAnyNameIsThere() {
    var names = new AttachmentNames();
    IntStream.range(0, 10).forEach(i -> add(names, ATTACHMENT, name(i)));
    assertThat(compare(names, Stream.of(name(0), name(50))).result()).isEqualTo(Mark.BAD);
  }

  @Test
  void comparesNothingWhereNothingIsNamed() {
    assertThat(compare(new AttachmentNames(), Stream.of(name(0))).result()).isEqualTo(Mark.SKIPPED);
    assertThat(new AttachmentNames().hasRead()).isFalse();
    assertThat(List.of(Mark.OK.sign, Mark.BAD.sign, Mark.SKIPPED.sign)).containsExactly("✓", "✗", "-");
  }
}
