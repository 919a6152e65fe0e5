import static java.nio.charset.StandardCharsets.ISO_8859_1;
import static java.nio.charset.StandardCharsets.UTF_8;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.io.ByteArrayInputStream;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.math.BigInteger;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Optional;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

/** Reading a tar, block by block; what programs write is in ArchiveDifferentialTest. */
class TarReaderTest {
  private final ByteArrayOutputStream tar = new ByteArrayOutputStream();

  /** A header with the given fields and its checksum, then the content in whole blocks. */
  private void add(char type, String name, byte[] content, Object... fields) {
    var block = new byte[512];
    put(block, 0, name.getBytes(UTF_8));
    put(block, 100, "0000640\0".getBytes(UTF_8));
    put(block, 124, "%011o\0".formatted(content.length).getBytes(UTF_8));
    put(block, 136, "00000000012\0".getBytes(UTF_8));
    block[156] = (byte) type;
    put(block, 257, "ustar\00000".getBytes(UTF_8));
    for (int i = 0; i < fields.length; i += 2) {
      put(block, (int) fields[i],
          fields[i + 1] instanceof byte[] bytes ? bytes : fields[i + 1].toString().getBytes(UTF_8));
    }
    put(block, 148, "        ".getBytes(UTF_8));
    var sum = 0;
    for (var b : block) {
      sum += b & 0xff;
    }
    put(block, 148, "%06o\0 ".formatted(sum).getBytes(UTF_8));
    tar.writeBytes(block);
    tar.writeBytes(Arrays.copyOf(content, (content.length + 511) / 512 * 512));
  }

  private static void put(byte[] block, int at, byte[] bytes) {
    System.arraycopy(bytes, 0, block, at, bytes.length);
  }

  private void addPax(String... records) {
    var all = new ByteArrayOutputStream();
    for (var record : records) {
      var length = record.getBytes(UTF_8).length + 2;
      for (var digits = 0; digits != ("" + length).length(); length = record.getBytes(UTF_8).length + 2 + digits) {
        digits = ("" + length).length();
      }
      all.writeBytes("%d %s\n".formatted(length, record).getBytes(UTF_8));
    }
    add('x', "PaxHeaders/x", all.toByteArray());
  }

  private List<ArchiveEntry> entries() throws IOException {
    tar.writeBytes(new byte[1024]);
    var entries = new ArrayList<ArchiveEntry>();
    try (var reader = new TarReader(new ByteArrayInputStream(tar.toByteArray()))) {
      for (var entry = reader.next(); entry != null; entry = reader.next()) {
        entries.add(entry);
      }
      reader.requireZeros();
      assertThat(reader.end()).isEqualTo(tar.size() - 1024);
    }
    return entries;
  }

  private ArchiveEntry entry() throws IOException {
    return entries().get(0);
  }

  @Test
  void aHeaderHasNameModeTimeAndSize() throws IOException {
    add('0', "a/b", "text".getBytes(UTF_8));
    add('5', "c/", new byte[0]);
    var all = entries();
    assertThat(all).extracting(ArchiveEntry::name).containsExactly("a/b", "c");
    assertThat(all).extracting(ArchiveEntry::kind).containsExactly(Kind.FILE, Kind.FOLDER);
    assertThat(all.get(0).mode()).isEqualTo(0640);
    assertThat(all.get(0).seconds()).isEqualTo(10);
    assertThat(all.get(0).size()).isEqualTo(4);
    assertThat(all.get(0).offset()).isEqualTo(512);
    assertThat(all.get(1).offset()).isEqualTo(1536);
  }

  @ParameterizedTest
  @CsvSource({"a, a", "./a, a", "a/, a", "a//b, a/b", "a/./b/., a/b", "./, ''", ".a/..b/...c, .a/..b/...c"})
  void aNameIsWithoutDotsAndDoubledSlashes(String name, String normal) throws IOException {
    add('0', name, new byte[0]);
    assertThat(entry().name()).isEqualTo(normal);
  }

  @ParameterizedTest
  @ValueSource(strings = {"/etc/passwd", "../x", "a/../b", "a/..", ".."})
  void aNameThatLeadsOutIsRefused(String name) {
    add('0', name, new byte[0]);
    assertThatThrownBy(this::entries).hasMessage("its entry '%s' leads out of the backup's folder", name);
  }

  @Test
  void aNameThatIsNotUtf8IsRefused() {
    add('0', "", new byte[0], 0, "b\u00ff".getBytes(ISO_8859_1));
    assertThatThrownBy(this::entries).hasMessageContaining("has a name that is not UTF-8");
  }

  /** Zeros where a long name stood would otherwise hide a file. */
  @Test
  void aFileWithoutANameIsRefused() {
    add('L', "././@LongLink", new byte[301]);
    add('0', "short", new byte[0]);
    assertThatThrownBy(this::entries).hasMessage("the name of one of its entries is damaged");
  }

  @Test
  void theNewestOfPaxRecordsCountsAndEndsWithItsEntry() throws IOException {
    add('g', "global", "19 mtime=1000000.5\n".getBytes(UTF_8));
    addPax("path=long/ü", "uid=4294967294", "gid=2147483648", "uname=u", "size=3", "mtime=-1.25");
    add('0', "short", "abc".getBytes(UTF_8));
    add('0', "plain", "abcd".getBytes(UTF_8));
    var all = entries();
    assertThat(all.get(0).name()).isEqualTo("long/ü");
    assertThat(all.get(0).owner()).isEqualTo(new Owner("u", 4294967294L, "", 2147483648L));
    assertThat(all.get(0).seconds()).isEqualTo(-2);
    assertThat(all.get(0).nanos()).isEqualTo(750_000_000);
    assertThat(all.get(1).name()).isEqualTo("plain");
    assertThat(all.get(1).seconds()).as("of the global header").isEqualTo(1_000_000);
    assertThat(all.get(1).nanos()).isEqualTo(500_000_000);
  }

  @Test
  void gnusLongNamesAndBinaryNumbers() throws IOException {
    var name = "n".repeat(300);
    add('L', "././@LongLink", (name + "\0").getBytes(UTF_8));
    add('K', "././@LongLink", ("l".repeat(200) + "/\0").getBytes(UTF_8));
    add('2', "short", new byte[0], 108, binary(4294967294L, 8), 136, binary(-7_000_000_000L, 12), 257, "ustar  \0");
    var entry = entry();
    assertThat(entry.name()).isEqualTo(name);
    assertThat(entry.link()).isEqualTo("l".repeat(200) + "/");
    assertThat(entry.owner().uid()).isEqualTo(4294967294L);
    assertThat(entry.seconds()).isEqualTo(-7_000_000_000L);
  }

  private static byte[] binary(long number, int length) {
    var bytes = new byte[length];
    Arrays.fill(bytes, (byte) (number < 0 ? 0xff : 0));
    var digits = BigInteger.valueOf(number).toByteArray();
    System.arraycopy(digits, 0, bytes, length - digits.length, digits.length);
    bytes[0] |= (byte) 0x80;
    return bytes;
  }

  @Test
  void aLabelAndAnIncrementalListAreNoFiles() throws IOException {
    add('V', "label", new byte[0]);
    add('D', "folder/", "Yfile\0\0".getBytes(UTF_8));
    add('0', "folder/file", "x".getBytes(UTF_8));
    assertThat(entries()).extracting(ArchiveEntry::name).containsExactly("folder", "folder/file");
  }

  @Test
  void anIncrementalArchiveThatLacksFilesIsRefused() {
    add('D', "folder/", "Yfile\0Nold\0\0".getBytes(UTF_8));
    add('0', "folder/file", "x".getBytes(UTF_8));
    assertThatThrownBy(this::entries)
        .hasMessage("it is an incremental archive (tar -g): 'old' of folder/ is only in an earlier one");
    tar.reset();
    addPax("GNU.dumpdir=Nold\0\0");
    add('5', "folder/", new byte[0]);
    assertThatThrownBy(this::entries).hasMessageContaining("'old' of folder/ is only in an earlier one");
  }

  @Test
  void theMapOfSparseVersion1LiesBeforeTheBytes() throws IOException {
    addPax("GNU.sparse.major=1", "GNU.sparse.minor=0", "GNU.sparse.name=s", "GNU.sparse.realsize=5000");
    add('0', "GNUSparseFile.1/s",
        (String.format("%-512s", "2\n1000\n3\n4000\n2\n").replace(' ', '\0') + "abcde").getBytes(UTF_8));
    add('0', "next", "n".getBytes(UTF_8));
    tar.writeBytes(new byte[1024]);
    try (var reader = new TarReader(new ByteArrayInputStream(tar.toByteArray()))) {
      var entry = reader.next();
      var content = reader.content().readAllBytes();
      assertThat(entry.name()).isEqualTo("s");
      assertThat(content).hasSize(5000);
      assertThat(new String(content, 1000, 3, UTF_8) + new String(content, 4000, 2, UTF_8)).isEqualTo("abcde");
      assertThat(reader.next().name()).isEqualTo("next");
      assertThat(reader.content()).hasContent("n");
      assertThat(reader.next()).isNull();
    }
  }

  @ParameterizedTest
  @ValueSource(strings = {"10,5,12,1", "0,3,5000,1", "0,-1", "3", "0,2", "a,b"})
  void aMapThatCannotBeIsRefused(String map) {
    addPax("GNU.sparse.size=5000", "GNU.sparse.map=" + map);
    add('0', "s", "abc".getBytes(UTF_8));
    assertThatThrownBy(this::entries).isInstanceOf(IOException.class).hasMessageContaining("damaged");
  }

  @ParameterizedTest
  @ValueSource(strings = {"5 a=b\n", "99 a=b\n", "x a=b\n", "6 ab\n\n", "0 a=b\n", "-6 a=b\n"})
  void anExtendedHeaderThatIsDamagedIsRefused(String records) {
    add('x', "x", records.getBytes(UTF_8));
    add('0', "s", new byte[0]);
    assertThatThrownBy(this::entries).isInstanceOf(IOException.class).hasMessageContaining("damaged");
  }

  @Test
  void aCutOrChangedArchiveIsRefusedWhereverItIs() throws IOException {
    addPax("path=a");
    add('0', "a", new byte[700]);
    add('5', "d/", new byte[0]);
    var end = tar.size();
    tar.writeBytes(new byte[1024]);
    var whole = tar.toByteArray();
    for (int length = 0; length < end + 512; length += 16) {
      var cut = Arrays.copyOf(whole, length);
      assertThatThrownBy(() -> readAll(cut)).as("cut at %d", length).isInstanceOf(IOException.class);
    }
    readAll(Arrays.copyOf(whole, end + 512));
    for (var at : new int[] {0, 1024 + 3, end - 512 + 160, end + 700}) {
      var changed = whole.clone();
      changed[at] ^= 0x10;
      assertThatThrownBy(() -> readAll(changed)).as("changed at %d", at).isInstanceOf(IOException.class)
          .hasMessageContaining("damaged");
    }
  }

  private static void readAll(byte[] bytes) throws IOException {
    try (var reader = new TarReader(new ByteArrayInputStream(bytes))) {
      while (reader.next() != null) {
        // only read
      }
      reader.requireZeros();
    }
  }

  @ParameterizedTest
  @CsvSource({"20, false", "64, true"})
  void manyZerosAtTheEndAreADoubt(int blocks, boolean isDoubt, @TempDir Path folder) throws IOException {
    add('0', "a", "x".getBytes(UTF_8));
    tar.writeBytes(new byte[blocks * 512 - tar.size()]);
    var file = Files.write(folder.resolve("a.tar"), tar.toByteArray());
    try (var archive = Archive.open(file, Optional.empty())) {
      archive.index(entry -> {});
      assertThat(archive.doubt().orElse("").contains("bytes of zeros")).isEqualTo(isDoubt);
    }
  }

  /** Blocks of entries, blocks of the archive, whether the last file turns to zeros. */
  @ParameterizedTest
  @CsvSource({
      "3, 20, true, true", "19, 40, true, true", // -b 20, the default
      "3, 64, true, true", "100, 2048, true, true", "2047, 4096, true, true", // -b 64, -b 2048
      "3, 100, false, true", "3, 1000, false, true", "700, 1000, true, false", // -b 100, -b 1000
      // cut by a crash: zeros in place of bytes
      "100, 200, true, false", "1000, 2000, true, false", "30000, 60000, false, false",
      "10, 4000, false, false"})
  void zerosAtTheEndAreTheRestOfARecord(long end, long total, boolean turnsToZeros, boolean isPadding) {
    assertThat(TarArchive.isPadding(end * 512, total * 512, turnsToZeros)).isEqualTo(isPadding);
  }
}
