import static org.assertj.core.api.Assertions.assertThat;

import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class FolderContentsTest {
  @ParameterizedTest
  @ValueSource(strings = {"", "attachment", "attachment/0a1b", "other/lost+found", "attachment/.snapshot", ".dot",
      "lost+found.txt", "Trash-0",
      ".trash-x", ".nfs", "restore-files-nfs"})
  void restoresAndComparesWhatIsContent(String below) {
    assertThat(FolderContents.isContent(below)).isTrue();
  }

  @ParameterizedTest
  @ValueSource(strings = {"lost+found", "lost+found/#12", ".Trash-0", ".Trash-1000/files/x", "@Recycle", ".recycle/x", "@eaDir",
      "System Volume Information",
      "aquota.user", "aquota.group", ".snapshot/hourly.0/attachment/x", "$RECYCLE.BIN", ".restore-files-nfs",
      ".restore-files-nfs/previous/x",
      ".nfs000000000123456700000001", "attachment/.nfs000000000123456700000001"})
  void leavesWhatStorageAndRestoreKeepThere(String below) {
    assertThat(FolderContents.isContent(below)).isFalse();
  }
}
