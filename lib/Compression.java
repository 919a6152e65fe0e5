//DEPS org.apache.commons:commons-compress:1.28.0
//DEPS com.github.luben:zstd-jni:1.5.7-28 // for .tar.zst, and for SSTables compressed with Zstd
//DEPS org.tukaani:xz:1.12 // for .tar.xz

import java.io.BufferedInputStream;
import java.io.IOException;
import java.io.InputStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import org.apache.commons.compress.compressors.bzip2.BZip2CompressorInputStream;
import org.apache.commons.compress.compressors.gzip.GzipCompressorInputStream;
import org.apache.commons.compress.compressors.xz.XZCompressorInputStream;
import org.apache.commons.compress.compressors.zstandard.ZstdCompressorInputStream;

/** The ways in which a tar may be compressed. The first bytes tell, as they do to tar; not the name. */
enum Compression {
  NONE, GZIP, BZIP2, XZ, ZSTD;

  static final int HEAD = 6;

  static Compression of(byte[] head) {
    return starts(head, 0x1f, 0x8b) ? GZIP
        : starts(head, 'B', 'Z', 'h') ? BZIP2
        : starts(head, 0xfd, '7', 'z', 'X', 'Z', 0) ? XZ
        : starts(head, 0x28, 0xb5, 0x2f, 0xfd) || isSkippedByZstd(head) ? ZSTD : NONE;
  }

  /** The first bytes of a file of pzstd: a frame that other programs pass over. */
  private static boolean isSkippedByZstd(byte[] head) {
    return head.length > 3 && (head[0] & 0xf0) == 0x50 && head[1] == 0x2a && head[2] == 0x4d && head[3] == 0x18;
  }

  static boolean starts(byte[] head, int... bytes) {
    for (int i = 0; i < bytes.length; i++) {
      if (i >= head.length || head[i] != (byte) bytes[i]) {
        return false;
      }
    }
    return true;
  }

  static byte[] head(Path file) throws IOException {
    try (var in = Files.newInputStream(file)) {
      return Arrays.copyOf(in.readNBytes(HEAD), HEAD);
    }
  }

  /** The tar in the file. Several streams in a row are one, as parallel programs such as pigz and pbzip2 write them. */
  InputStream open(Path file) throws IOException {
    var in = new BufferedInputStream(Files.newInputStream(file), 1 << 16);
    try {
      return switch (this) {
        case NONE -> in;
      case GZIP ->
          buffered(GzipCompressorInputStream.builder().setInputStream(in).setDecompressConcatenated(true).get());
        case BZIP2 -> buffered(new BZip2CompressorInputStream(in, true));
        case XZ -> buffered(XZCompressorInputStream.builder().setInputStream(in).setDecompressConcatenated(true).get());
        case ZSTD -> buffered(new ZstdCompressorInputStream(in));
      };
    } catch (IOException | RuntimeException e) {
      in.close();
      throw e;
    }
  }

  private static InputStream buffered(InputStream in) {
    return new BufferedInputStream(in, 1 << 16);
  }
}
