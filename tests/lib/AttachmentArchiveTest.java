import static java.nio.charset.StandardCharsets.UTF_8;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Map;
import java.util.Optional;
import java.util.TreeMap;
import java.util.zip.GZIPOutputStream;
import org.apache.commons.compress.archivers.tar.TarArchiveEntry;
import org.apache.commons.compress.archivers.tar.TarArchiveOutputStream;
import org.apache.commons.compress.archivers.tar.TarConstants;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

/** What of an archive is content, under which name, and which archives are refused. */
class AttachmentArchiveTest {
  private static final String ROOT = "files_20261122_12h00m56s";
  @TempDir private Path folder;

  /**
   * Writes a tar of {@code name=text}, {@code name/}, {@code name->target} (symbolic) and {@code name=>target} (hard
   * link).
   */
  private Path tar(String type, String... members) throws IOException {
    var file = folder.resolve("archive." + type);
    var out = Files.newOutputStream(file);
    try (var tar = new TarArchiveOutputStream(type.equals("tar.gz") ? new GZIPOutputStream(out) : out)) {
      for (var member : members) {
        add(tar, member);
      }
    }
    return file;
  }

  private static void add(TarArchiveOutputStream tar, String member) throws IOException {
    var parts = member.split("->|=>|=", 2);
    var type = member.contains("->") ? TarConstants.LF_SYMLINK : member.contains("=>") ? TarConstants.LF_LINK
        : member.startsWith("pipe:") ? TarConstants.LF_FIFO : member.endsWith("/") ? TarConstants.LF_DIR
        : TarConstants.LF_NORMAL;
    var entry = new TarArchiveEntry(parts[0].replace("pipe:", ""), type);
    var content = new byte[0];
    if (entry.isSymbolicLink() || entry.isLink()) {
      entry.setLinkName(parts[1]);
    } else if (entry.isFile() && parts.length > 1) {
      content = parts[1].getBytes(UTF_8);
      entry.setSize(content.length);
    }
    tar.putArchiveEntry(entry);
    tar.write(content);
    tar.closeArchiveEntry();
  }

  /** Name and text of each file, link and folder, as a restore gets them. */
  private static Map<String, String> contents(Path file) throws IOException {
    try (var archive = new AttachmentArchive(file, Optional.empty())) {
      var contents = new TreeMap<String, String>();
      archive.all.forEach(entry -> contents.put(entry.name(), entry.folder() ? "folder" : "-> " + entry.link()));
      try (var workers = new Workers(1)) {
        archive.read(workers, i -> true, (worker, i, content) -> {
          try (var in = content.open()) {
            contents.put(archive.all.get(i).name(), new String(in.readAllBytes(), UTF_8));
          }
        });
      }
      return contents;
    }
  }

  @ParameterizedTest
  @ValueSource(strings = {"tar", "tar.gz"})
  void namesAreThoseBelowTheBackupsFolder(String type) throws IOException {
    var file = tar(type, ROOT + "/", ROOT + "/attachment/", ROOT + "/attachment/a=one", ROOT + "/b=two");
    assertThat(contents(file))
        .isEqualTo(Map.of("", "folder", "attachment", "folder", "attachment/a", "one", "b", "two"));
  }

  @Test
  void foldersThatNoEntryNamesAreAdded() throws IOException {
    assertThat(contents(tar("tar", ROOT + "/a/b/c=text")))
        .isEqualTo(Map.of("", "folder", "a", "folder", "a/b", "folder", "a/b/c", "text"));
  }

  @ParameterizedTest
  @ValueSource(strings = {"tar", "tar.gz"})
  void aHardLinkHasTheContentOfItsFileAndOneToALinkIsThatLink(String type) throws IOException {
    var file = tar(type, ROOT + "/f=text", ROOT + "/g=>" + ROOT + "/f", ROOT + "/l->f", ROOT + "/m=>" + ROOT + "/l");
    assertThat(contents(file)).isEqualTo(Map.of("", "folder", "f", "text", "g", "text", "l", "-> f", "m", "-> f"));
  }

  @ParameterizedTest
  @ValueSource(strings = {"tar", "tar.gz"})
  void whatWasAppendedLaterCounts(String type) throws IOException {
    var file = tar(type, ROOT + "/f=old text", ROOT + "/g=>" + ROOT + "/f", ROOT + "/f=new");
    assertThat(contents(file)).containsEntry("f", "new").containsEntry("g", "old text");
    try (var archive = new AttachmentArchive(file, Optional.empty())) {
      assertThat(archive.files).isEqualTo(2);
      assertThat(archive.bytes).isEqualTo("newold text".length());
    }
  }

  @Test
  void whatStorageKeepsAtAFoldersTopIsPassedOver() throws IOException {
    var file = tar("tar", ROOT + "/lost+found/", ROOT + "/.Trash-0/", ROOT + "/.Trash-0/x=1", ROOT + "/a=text");
    assertThat(contents(file)).containsOnlyKeys("", "a");
    try (var archive = new AttachmentArchive(file, Optional.empty())) {
      assertThat(archive.passedOver).containsExactly(".Trash-0", "lost+found");
    }
  }

  /** A tar has the bytes of several names with the first of them, wherever that is. */
  @ParameterizedTest
  @ValueSource(strings = {"tar", "tar.gz"})
  void aHardLinkToAFileThatIsPassedOverHasItsContent(String type) throws IOException {
    var file = tar(type, ROOT + "/.snapshot/", ROOT + "/.snapshot/a=text", ROOT + "/a=>" + ROOT + "/.snapshot/a",
        ROOT + "/b=>" + ROOT + "/a");
    assertThat(contents(file)).isEqualTo(Map.of("", "folder", "a", "text", "b", "text"));
  }

  @ParameterizedTest
  @CsvSource(delimiter = '|', value = {
    "R/f=1;etc/passwd=2 | 'etc/passwd' is not in a folder <component>_<timestamp>",
    "f=1                | 'f' is not in a folder <component>_<timestamp>",
    "R/f=1;R/l->/etc    | 'R/l' is a link that leaves the folder, to '/etc'",
    "R/f=1;R/a/l->../.. | 'R/a/l' is a link that leaves the folder, to '../..'",
    "R/f=1;R/l->a/../..  | 'R/l' is a link that leaves the folder, to 'a/../..'",
    "R/f=1;R/g=>/R/f    | 'R/g' is a hard link to '/R/f', which is not an earlier file of it",
    "R/f=1;R/g=>R/later;R/later=2 | 'R/g' is a hard link to 'R/later', which is not an earlier file of it",
    "R/d/;R/f=1;R/g=>R/d | 'R/g' is a hard link to 'R/d', which is not an earlier file of it",
    "R/f=1;R/f/g=2      | 'R/f/g' lies in something that is not a folder",
    "R/f=1;R/f/         | 'R/f' is there twice",
    "R/f=1;pipe:R/p     | 'R/p' is a device or something else that is neither file, folder nor link",
    "R=1                | 'R/' is not a folder",
    "R/f=1;R/../../g=2  | leads out of the backup's folder",
    "R/;R/d/            | the backup holds no file at all",
  })
  void refusesWhatIsNoBackup(String members, String why) throws IOException {
    var file = tar("tar", members.replaceAll("\\bR\\b", ROOT).split(";"));
    assertThatThrownBy(() -> contents(file)).isInstanceOf(Failure.class)
        .hasMessageContaining(why.replaceAll("\\bR\\b", ROOT))
        .extracting("code").isEqualTo(Exit.BAD_BACKUP);
  }

  @Test
  void aLinkMayLeadUpInsideTheFolder() throws IOException {
    assertThat(contents(tar("tar", ROOT + "/a/l->../b", ROOT + "/b=text"))).containsEntry("a/l", "-> ../b");
  }
}
