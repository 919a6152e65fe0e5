import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.io.OutputStream;
import java.nio.file.Files;
import java.nio.file.Path;
import org.apache.commons.compress.compressors.CompressorException;
import org.apache.commons.compress.compressors.CompressorStreamFactory;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** The content tells how a tar is compressed, whatever the file is called; several streams in a row are one. */
class CompressionTest {
  @TempDir private Path folder;

  @ParameterizedTest
  @CsvSource({"gz, GZIP", "bzip2, BZIP2", "xz, XZ", "zstd, ZSTD"})
  void isToldByTheFirstBytes(String kind, Compression compression) throws IOException, CompressorException {
    var file = folder.resolve("files.tar");
    try (var out = Files.newOutputStream(file)) {
      add(kind, out, "one, ");
      add(kind, out, "two");
    }
    assertThat(Compression.of(Compression.head(file))).isEqualTo(compression);
    try (var in = compression.open(file)) {
      assertThat(new String(in.readAllBytes())).isEqualTo("one, two");
    }
  }

  private static void add(String kind, OutputStream out, String text) throws IOException, CompressorException {
    var stream = new CompressorStreamFactory().createCompressorOutputStream(kind, new OutputStream() {
      @Override
      public void write(int b) throws IOException {
        out.write(b); // the file stays open for the next stream
      }
    });
    try (stream) {
      stream.write(text.getBytes());
    }
  }

  @Test
  void aShortOrPlainFileIsNotCompressed() throws IOException {
    assertThat(Compression.of(Compression.head(Files.writeString(folder.resolve("short"), "B"))))
        .isEqualTo(Compression.NONE);
    assertThat(Compression.of(Compression.head(Files.writeString(folder.resolve("text"), "files_2026/"))))
        .isEqualTo(Compression.NONE);
  }

  @Test
  void aFrameThatZstdPassesOverIsZstds() {
    assertThat(Compression.of(new byte[] {0x50, 0x2a, 0x4d, 0x18, 4, 0})).isEqualTo(Compression.ZSTD);
  }
}
