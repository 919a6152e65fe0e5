//DEPS org.apache.cassandra:cassandra-all:4.1.10

import java.util.Map;
import java.util.Optional;
import org.apache.cassandra.exceptions.ConfigurationException;
import org.apache.cassandra.io.compress.ICompressor;
import org.apache.cassandra.schema.CompressionParams;

/** Makes Cassandra's compressors, some of which need a native library that is unpacked into Java's temporary folder. */
final class Compressors {
  private Compressors() {}

  /** @throws ConfigurationException if there is no such compressor or it does not take these options */
  static ICompressor make(String name, Map<String, String> options, int chunkLength, int maxCompressedLength) {
    try {
      return new CompressionParams(name, chunkLength, maxCompressedLength, options).getSstableCompressor();
    } catch (ConfigurationException e) {
      throw missingLibrary(e).orElse(e);
    } catch (LinkageError e) {
      throw missingLibrary(e).orElseThrow();
    }
  }

  /** A failure that names the remedy, if what was thrown is for want of a native library. */
  static Optional<RuntimeException> missingLibrary(Throwable thrown) {
    for (var cause = thrown; cause != null; cause = cause.getCause()) {
      if (cause instanceof LinkageError || cause.getClass().getName().contains("SnappyError")) {
        return Optional.of(new Failure(Exit.UNSAFE,
            "a library that compressed tables need cannot be loaded: " + cause.getMessage(),
            "is %s mounted noexec? Name another folder: export JAVA_TOOL_OPTIONS=-Djava.io.tmpdir=<folder>".formatted(
                System.getProperty("java.io.tmpdir")), thrown));
      }
    }
    return Optional.empty();
  }
}
