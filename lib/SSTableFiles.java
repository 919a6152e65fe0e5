//DEPS org.apache.cassandra:cassandra-all:4.1.10

import java.io.IOException;
import java.io.InputStream;
import java.nio.charset.StandardCharsets;
import java.util.SortedMap;
import org.apache.cassandra.io.sstable.format.SSTableFormat;
import org.apache.cassandra.io.sstable.format.Version;

/**
 * The files of one SSTable in an archive.
 *
 * @param name the common beginning of their names, such as {@code nb-12-big}
 * @param components the files by the rest of their names, such as {@code Data.db}
 */
record SSTableFiles(Archive archive, String table, String name, SortedMap<String, ArchiveEntry> components) {
  static final String DATA = "Data.db";
  static final String INDEX = "Index.db";
  static final String FILTER = "Filter.db";
  static final String STATISTICS = "Statistics.db";
  static final String COMPRESSION = "CompressionInfo.db";
  static final String CHECKSUMS = "CRC.db";
  static final String DIGEST = "Digest.crc32";
  static final String SUMMARY = "Summary.db";
  static final String CONTENTS = "TOC.txt";

  boolean has(String component) {
    return components.containsKey(component);
  }

  /** The format in which it is written; refused if only a newer Cassandra reads it. */
  Version version() {
    var version = SSTableFormat.Type.BIG.info.getVersion(name.substring(0, 2));
    if (!name.endsWith("-big") || !version.isCompatible()) {
      throw archive.broken("SSTable %s of table %s has a format that only a newer Cassandra reads".formatted(
          name, table), null);
    }
    return version;
  }

  ArchiveEntry require(String component) {
    if (!has(component)) {
      throw archive.broken("%s-%s of table %s is missing".formatted(name, component, table), null);
    }
    return components.get(component);
  }

  InputStream open(String component) throws IOException {
    return archive.open(require(component));
  }

  String text(String component) {
    try (var in = open(component)) {
      return new String(in.readAllBytes(), StandardCharsets.UTF_8);
    } catch (IOException e) {
      throw damaged(component, e);
    }
  }

  Failure damaged(String component, Throwable cause) {
    return damaged(component, cause.getMessage(), cause);
  }

  Failure damaged(String component, String why, Throwable cause) {
    return refused(component, "is damaged: " + why, cause);
  }

  /** @param why completes a sentence that begins with the component's name */
  Failure refused(String component, String why, Throwable cause) {
    return archive.broken("%s-%s of table %s %s".formatted(name, component, table, why), cause);
  }
}
