import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Set;
import java.util.stream.IntStream;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.Arguments;
import org.junit.jupiter.params.provider.MethodSource;

class AttachmentLayoutTest {
  private static final AttachmentLayout THE_HIVE =
      new AttachmentLayout(Set.of("attachment"), Set.of("attachment/" + hash(1), "other/note.txt")::contains,
      Set.of("", "attachment", "other")::contains);

  private static String hash(int i) {
    return "%064x".formatted(i);
  }

  private static List<String> hashes(String prefix, int n, String suffix) {
    return IntStream.range(100, 100 + n).mapToObj(i -> prefix + hash(i) + suffix).toList();
  }

  private static List<String> and(List<String> some, String... others) {
    return Stream.concat(some.stream(), Stream.of(others)).toList();
  }

  static Stream<Arguments> folders() {
    return Stream.of(
        Arguments.of("TheHive's", true, hashes("attachment/", 5, ""), List.of("attachment")),
        Arguments.of("TheHive's, with files of others beside", true,
            and(hashes("attachment/", 5, ""), hashes("other/doc", 90, ".txt").toArray(String[]::new)),
            List.of("attachment", "other")),
        Arguments.of("encrypted by a ransom", true, and(hashes("attachment/", 5, ".locked"), "README-NOW.txt"),
            List.of("attachment")),
        Arguments.of("empty", true, List.of(), List.of()),
        Arguments.of("with an empty folder of the backup", true, List.of(), List.of("attachment")),
        Arguments.of("all attachments lost, the others there", true, List.of("other/note.txt"),
            List.of("attachment", "other")),
        Arguments.of("another's", false, List.of("passwd", "group"), List.of("ssl")),
        Arguments.of("another's, with folders only", false, List.of(), List.of("cassandra", "elasticsearch")),
        Arguments.of("another's attachments", false, List.of("attachment/letter.doc", "attachment/x.pdf"),
            List.of("attachment")),
        Arguments.of("the folder above", false, List.of("application.conf"), List.of("files")),
        Arguments.of("the folder attachment itself", false, hashes("", 5, ""), List.of()));
  }

  @ParameterizedTest(name = "{0}: {1}")
  @MethodSource("folders")
  void tellsAttachmentsFromOtherFolders(String what, boolean alike, List<String> files, List<String> folders) {
    assertThat(THE_HIVE.isAlike(new AttachmentLayout.Sample(files, folders))).isEqualTo(alike);
  }

  @Test
  void takesFilesAtTheTopWhereTheBackupHasThemThere() {
    var flat = new AttachmentLayout(Set.of(""), name -> false, Set.of("")::contains);

    assertThat(flat.isAlike(new AttachmentLayout.Sample(hashes("", 5, ""), List.of()))).isTrue();
    assertThat(flat.isAlike(new AttachmentLayout.Sample(List.of("passwd"), List.of()))).isFalse();
  }

  @Test
  void looksIntoTheFoldersOfTheBackupHoweverMuchIsBesideThem(@TempDir Path folder) throws IOException {
    for (int i = 0; i < 3000; i++) {
      Files.createFile(folder.resolve("note" + i));
      Files.createDirectory(folder.resolve("folder" + i));
    }
    Files.createFile(Files.createDirectory(folder.resolve("attachment")).resolve(hash(1)));

    assertThat(AttachmentLayout.Sample.of(folder, Set.of("attachment", "missing")).files())
        .contains("attachment/" + hash(1));
  }
}
