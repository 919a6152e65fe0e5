import static java.nio.charset.StandardCharsets.UTF_8;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Optional;
import org.apache.commons.compress.archivers.zip.Zip64Mode;
import org.apache.commons.compress.archivers.zip.ZipArchiveEntry;
import org.apache.commons.compress.archivers.zip.ZipArchiveOutputStream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;
import org.junit.jupiter.params.provider.ValueSource;

/** The list of a zip's files, as programs write it and as damage leaves it. */
class ZipArchiveTest {
  private static final String ROOT = "files_20261122_12h00m56s";
  @TempDir private Path folder;

  private interface Maker {
    void make(ZipArchiveOutputStream zip) throws IOException;
  }

  private Path zip(Maker maker) throws IOException {
    var file = folder.resolve("archive.zip");
    try (var zip = new ZipArchiveOutputStream(file)) {
      maker.make(zip);
    }
    return file;
  }

  private static void add(ZipArchiveOutputStream zip, ZipArchiveEntry entry, String content) throws IOException {
    zip.putArchiveEntry(entry);
    zip.write(content.getBytes(UTF_8));
    zip.closeArchiveEntry();
  }

  private static List<ArchiveEntry> list(Path file) throws IOException {
    var entries = new ArrayList<ArchiveEntry>();
    try (var archive = Archive.open(file, Optional.empty())) {
      archive.index(entries::add);
    }
    return entries;
  }

  private static String content(Path file, ArchiveEntry entry) throws IOException {
    try (var archive = Archive.open(file, Optional.empty()); var in = archive.open(entry)) {
      return new String(in.readAllBytes(), UTF_8);
    }
  }

  @Test
  void moreFilesThanTheRecordAtTheEndCanCountAreAllThere() throws IOException {
    var file = zip(zip -> {
      zip.setMethod(ZipArchiveOutputStream.STORED);
      for (int i = 0; i < 66_000; i++) {
        var entry = new ZipArchiveEntry("%s/attachment/%d".formatted(ROOT, i));
        entry.setSize(0);
        entry.setCrc(0);
        add(zip, entry, "");
      }
    });

    assertThat(list(file)).hasSize(66_000).last().extracting(ArchiveEntry::name)
        .isEqualTo(ROOT + "/attachment/65999");
  }

  @ParameterizedTest
  @EnumSource(names = {"Always", "AlwaysWithCompatibility", "Never"})
  void sizesAndPlacesAreReadFromLongNumbersToo(Zip64Mode mode) throws IOException {
    var file = zip(zip -> {
      zip.setUseZip64(mode);
      add(zip, new ZipArchiveEntry(ROOT + "/one"), "first");
      add(zip, new ZipArchiveEntry(ROOT + "/two"), "the second");
      zip.setComment("a comment behind it");
    });

    var entries = list(file);

    assertThat(entries).extracting(ArchiveEntry::size).containsExactly(5L, 10L);
    assertThat(content(file, entries.get(1))).isEqualTo("the second");
  }

  /** Names, comments and fields of an entry may be far longer than usual. */
  @Test
  void aLongHeaderIsReadToItsEnd() throws IOException {
    var name = ROOT + "/" + "n/".repeat(1000) + "file";
    var file = zip(zip -> {
      var entry = new ZipArchiveEntry(name);
      entry.setComment("c".repeat(10_000));
      add(zip, entry, "content");
      add(zip, new ZipArchiveEntry(ROOT + "/next"), "next");
    });

    assertThat(list(file)).extracting(ArchiveEntry::name).containsExactly(name, ROOT + "/next");
  }

  /** As Compress-Archive of old PowerShells wrote them; unzip makes slashes of them, too. */
  @Test
  void backslashesOfWindowsAreSlashes() throws IOException {
    var file = zip(zip -> {
      for (var name : List.of(ROOT + "\\attachment\\", ROOT + "\\attachment\\one")) {
        var entry = new ZipArchiveEntry("made on DOS, as it has no mode of Unix") {
          @Override
          public String getName() {
            return name;
          }
        };
        add(zip, entry, name.endsWith("one") ? "text" : "");
      }
    });

    try (var backup = new AttachmentArchive(file, Optional.empty())) {
      assertThat(backup.all).extracting(ArchiveEntry::name).containsExactly("attachment", "attachment/one", "");
      assertThat(backup.files).isEqualTo(1);
    }
    assertThat(content(file, list(file).get(1))).isEqualTo("text");
  }

  @Test
  void anotherCompressionIsToldAsSuch() throws IOException {
    var bytes = Files.readAllBytes(zip(zip -> add(zip, new ZipArchiveEntry(ROOT + "/one"), "1")));
    var end = bytes.length - 22;
    bytes[(bytes[end + 16] & 0xff) + 10] = 12; // bzip2
    var file = Files.write(folder.resolve("bzip2.zip"), bytes);

    assertThatThrownBy(() -> list(file)).isInstanceOf(Failure.class).hasMessageEndingWith(
        "its entry '" + ROOT + "/one' is compressed by method 12, which is not read: pack it with deflate");
  }

  @ParameterizedTest
  @ValueSource(strings = {"a header", "how many", "where", "cut", "nothing"})
  void aListThatIsDamagedIsRefused(String what) throws IOException {
    var bytes = Files.readAllBytes(zip(zip -> {
      add(zip, new ZipArchiveEntry(ROOT + "/one"), "1");
      add(zip, new ZipArchiveEntry(ROOT + "/two"), "2");
    }));
    var end = bytes.length - 22;
    var list = bytes[end + 16] & 0xff | (bytes[end + 17] & 0xff) << 8;
    switch (what) {
      case "a header" -> bytes[list]++;
      case "how many" -> bytes[end + 10]++;
      case "where" -> bytes[end + 16]++;
      case "cut" -> bytes = Arrays.copyOf(bytes, end);
      default -> bytes = new byte[] {'P', 'K', 5, 6, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0};
    }
    var file = Files.write(folder.resolve("damaged.zip"), bytes);

    assertThatThrownBy(() -> list(file)).isInstanceOf(Failure.class)
        .hasMessageStartingWith(file + " cannot be used as a backup: ")
        .hasMessageContaining(what.equals("cut") ? "it is cut short" : what.equals("nothing") ? "it holds nothing"
            : "the list of its files is damaged")
        .extracting("code").isEqualTo(Exit.BAD_BACKUP);
  }
}
