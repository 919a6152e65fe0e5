//DEPS org.apache.cassandra:cassandra-all:4.1.10
//DEPS commons-io:commons-io:2.22.0

import java.io.BufferedInputStream;
import java.io.DataInputStream;
import java.io.EOFException;
import java.io.IOException;
import java.io.PushbackInputStream;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Collection;
import java.util.EnumSet;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.SortedMap;
import java.util.TreeMap;
import java.util.TreeSet;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import java.util.stream.Collectors;
import java.util.zip.CRC32;
import java.util.zip.CheckedInputStream;
import java.util.zip.Checksum;
import org.apache.cassandra.db.DecoratedKey;
import org.apache.cassandra.db.RowIndexEntry;
import org.apache.cassandra.dht.Murmur3Partitioner;
import org.apache.cassandra.io.sstable.Descriptor;
import org.apache.cassandra.io.sstable.format.SSTableFormat;
import org.apache.cassandra.io.sstable.format.Version;
import org.apache.cassandra.io.sstable.metadata.MetadataSerializer;
import org.apache.cassandra.io.sstable.metadata.MetadataType;
import org.apache.cassandra.io.util.DataInputPlus;
import org.apache.cassandra.io.util.FileSegmentInputStream;
import org.apache.cassandra.utils.BloomFilterSerializer;
import org.apache.cassandra.utils.ByteBufferUtil;
import org.apache.cassandra.utils.FilterFactory;
import org.apache.commons.io.IOUtils;

/** What the archive holds, all of it read and proven: nothing here is a promise of a file name. */
record CassandraBackup(KeyspaceDefinition definition, List<Table> tables, long bytes) {
  private static final Pattern MEMBER = Pattern.compile("[^/]+/(?<keyspace>\\w+)/(?<table>\\w+)-[0-9a-f]{32}/(?<file>[^/]+)");
  private static final Pattern CQL = Pattern.compile("[^/]+/create_keyspace_(?<keyspace>\\w+)\\.cql");
  private static final Pattern COMPONENT = Pattern.compile("(?<sstable>[a-z]{2}-[^-]+-[a-z]+)-(?<component>[A-Za-z_0-9+]+\\.\\w+)");

  /** A table of the backup, its files by name, its SSTables by the common part of their components' names. */
  record Table(String name, Map<String, ArchiveEntry> files, Set<String> sstables) {
    long bytes() {
      return files.values().stream().mapToLong(ArchiveEntry::size).sum();
    }
  }

  long sstables() {
    return tables.stream().mapToLong(table -> table.sstables().size()).sum();
  }

  static CassandraBackup prove(Archive archive, String keyspace) {
    var all = new LinkedHashMap<String, ArchiveEntry>();
    archive.index(entry -> {
      if (!entry.folder() && all.put(entry.name(), entry) != null) {
        throw archive.broken("it holds '%s' twice".formatted(entry.name()), null);
      }
    });
    var definition = definition(archive, all.values(), keyspace);
    var tables = tables(archive, all.values(), keyspace);
    if (definition.tables().isEmpty()) {
      throw archive.broken("its definition of keyspace %s has no CREATE TABLE".formatted(keyspace), null);
    }
    for (var table : tables.keySet()) {
      if (!definition.tables().containsKey(table)) {
        throw archive.broken("it has files of table %s, which its definition lacks".formatted(table), null);
      }
    }
    for (var table : definition.tables().keySet()) {
      if (!tables.containsKey(table)) {
        throw archive.broken("the folder of table %s is missing".formatted(table), null);
      }
    }
    proveFiles(archive, tables.values());
    return new CassandraBackup(definition, List.copyOf(tables.values()), tables.values().stream().mapToLong(Table::bytes).sum());
  }

  private static KeyspaceDefinition definition(Archive archive, Collection<ArchiveEntry> entries, String keyspace) {
    for (var entry : entries) {
      var match = CQL.matcher(entry.name());
      if (match.matches() && match.group("keyspace").equals(keyspace)) {
        return KeyspaceDefinition.parse(text(archive, entry), keyspace);
      }
    }
    var others = entries.stream().map(entry -> CQL.matcher(entry.name())).filter(Matcher::matches)
        .map(match -> match.group("keyspace")).collect(Collectors.joining(", "));
    throw archive.broken("create_keyspace_%s.cql is missing%s".formatted(
        keyspace, others.isEmpty() ? "" : " (it is a backup of keyspace %s: set CASSANDRA_KEYSPACE)".formatted(others)), null);
  }

  private static SortedMap<String, Table> tables(Archive archive, Collection<ArchiveEntry> entries, String keyspace) {
    var tables = new TreeMap<String, Table>();
    for (var entry : entries) {
      var member = MEMBER.matcher(entry.name());
      if (!member.matches() || !member.group("keyspace").equals(keyspace)) {
        continue;
      }
      if (!entry.file()) {
        throw archive.broken("its entry '%s' is not a plain file".formatted(entry.name()), null);
      }
      var table = tables.computeIfAbsent(member.group("table"), name -> new Table(name, new TreeMap<>(), new TreeSet<>()));
      if (table.files().put(member.group("file"), entry) != null) {
        throw archive.broken("it holds table %s twice".formatted(table.name()), null);
      }
      var component = COMPONENT.matcher(member.group("file"));
      if (component.matches()) {
        table.sstables().add(component.group("sstable"));
      }
    }
    return tables;
  }

  /** Reads every byte: each SSTable has what its TOC lists, each component is whole, none of the manifest's is missing. */
  private static void proveFiles(Archive archive, Collection<Table> tables) {
    var workers = Executors.newFixedThreadPool(Runtime.getRuntime().availableProcessors(), Console::daemon);
    try {
      var proofs = new ArrayList<Future<?>>();
      for (var table : tables) {
        proveManifest(archive, table);
        for (var sstable : table.sstables()) {
          proveComponents(archive, table, sstable);
          var version = version(archive, table, sstable);
          proofs.add(workers.submit(() -> proveIndex(archive, table, sstable, version)));
          proofs.add(workers.submit(() -> proveStatistics(archive, table, sstable)));
          if (table.files().containsKey(sstable + "-CompressionInfo.db")) {
            proofs.add(workers.submit(() -> proveChunks(archive, table, sstable, version)));
          }
        }
        table.files().forEach((name, entry) -> {
          if (!table.files().containsKey(name.replace("-Data.db", "-CompressionInfo.db"))) {
            proofs.add(workers.submit(() -> proveBytes(archive, table, name, entry)));
          }
        });
      }
      for (var proof : proofs) {
        proof.get();
      }
    } catch (InterruptedException | ExecutionException e) {
      throw Failure.of(e);
    } finally {
      workers.shutdownNow();
    }
  }

  private static void proveManifest(Archive archive, Table table) {
    var manifest = component(archive, table, "manifest.json");
    try {
      for (var file : Json.MAPPER.readTree(text(archive, manifest)).path("files")) {
        if (!file.asText().contains("/") && !table.files().containsKey(file.asText())) {
          throw archive.broken("%s of table %s is missing".formatted(file.asText(), table.name()), null);
        }
      }
    } catch (IOException e) {
      throw archive.broken("manifest.json of table %s is not readable".formatted(table.name()), e);
    }
  }

  private static void proveComponents(Archive archive, Table table, String sstable) {
    var toc = component(archive, table, sstable + "-TOC.txt");
    text(archive, toc).lines().filter(line -> !line.isBlank()).forEach(name -> component(archive, table, sstable + "-" + name.strip()));
  }

  private static Version version(Archive archive, Table table, String sstable) {
    var version = SSTableFormat.Type.BIG.info.getVersion(sstable.substring(0, 2));
    if (!sstable.endsWith("-big") || !version.isCompatible()) {
      throw archive.broken("SSTable %s of table %s is of a format that only a newer Cassandra reads".formatted(sstable, table.name()), null);
    }
    return version;
  }

  /**
   * Only the data have a digest. The index is proven by what it must agree with: every key is in the filter (one that is
   * not would be invisible), keys come in the order of their tokens, positions rise.
   */
  private static Void proveIndex(Archive archive, Table table, String sstable, Version version) {
    var filterFile = table.files().get(sstable + "-Filter.db");
    try (var index = new PushbackInputStream(new BufferedInputStream(archive.open(component(archive, table, sstable + "-Index.db")), 1 << 16));
        var filter = filterFile == null ? FilterFactory.AlwaysPresent
            : BloomFilterSerializer.deserialize(new DataInputStream(new BufferedInputStream(archive.open(filterFile))), version.hasOldBfFormat())) {
      var in = new DataInputPlus.DataInputStreamPlus(index);
      var end = -1L;
      DecoratedKey before = null;
      for (var next = index.read(); next >= 0; next = index.read()) {
        index.unread(next);
        var key = Murmur3Partitioner.instance.decorateKey(ByteBufferUtil.readWithShortLength(in));
        var position = RowIndexEntry.Serializer.readPosition(in);
        in.skipBytesFully((int) in.readUnsignedVInt());
        if (!filter.isPresent(key) || position <= end || before != null && before.compareTo(key) >= 0) {
          throw new IOException("it does not agree with its filter and order");
        }
        before = key;
        end = position;
      }
      return null;
    } catch (IOException | IllegalArgumentException e) {
      throw archive.broken("%s-Index.db of table %s is damaged: %s".formatted(sstable, table.name(), e.getMessage()), e);
    }
  }

  /** Statistics carry checksums of their own, which Cassandra's own reader looks at. */
  private static Void proveStatistics(Archive archive, Table table, String sstable) {
    var name = sstable + "-Statistics.db";
    try (var in = archive.open(component(archive, table, name))) {
      var descriptor = Descriptor.fromFilename(new org.apache.cassandra.io.util.File(Path.of("/", "keyspace", table.name(), name)));
      new MetadataSerializer().deserialize(descriptor, new FileSegmentInputStream(ByteBuffer.wrap(in.readAllBytes()), name, 0),
          EnumSet.allOf(MetadataType.class));
      return null;
    } catch (IOException | RuntimeException e) {
      throw archive.broken("%s of table %s is damaged: %s".formatted(name, table.name(), e.getMessage()), e);
    }
  }

  /** Compressed data carry a checksum behind each chunk: every offset that says where one begins is proven by it. */
  private static Void proveChunks(Archive archive, Table table, String sstable, Version version) {
    var name = sstable + "-Data.db";
    var entry = component(archive, table, name);
    try (var info = new DataInputStream(new BufferedInputStream(archive.open(table.files().get(sstable + "-CompressionInfo.db"))));
        var all = new CheckedInputStream(new BufferedInputStream(archive.open(entry), 1 << 18), new CRC32())) {
      var data = new DataInputStream(all);
      info.readUTF();
      for (var words = 2 * info.readInt(); words > 0; words--) {
        info.readUTF();
      }
      var longest = 2L * info.readInt() + 1024;
      info.skipNBytes(version.hasMaxCompressedLength() ? 12 : 8);
      var chunks = info.readInt();
      var start = info.readLong();
      for (var chunk = 1; chunk <= chunks; chunk++) {
        var end = chunk < chunks ? info.readLong() : entry.size();
        if (end - start <= 4 || end - start > longest || start == 0 != (chunk == 1)) {
          throw new IOException("chunk %d is not where CompressionInfo.db says".formatted(chunk));
        }
        var crc = new CRC32();
        crc.update(data.readNBytes((int) (end - start - 4)));
        if ((int) crc.getValue() != data.readInt()) {
          throw new IOException("chunk " + chunk);
        }
        start = end;
      }
      requireDigest(archive, table, name, all.getChecksum());
      return null;
    } catch (IOException e) {
      throw archive.broken("%s of table %s does not match its digest: %s".formatted(name, table.name(), e.getMessage()), e);
    }
  }

  private static Void proveBytes(Archive archive, Table table, String name, ArchiveEntry entry) {
    try (var in = new CheckedInputStream(archive.open(entry), new CRC32())) {
      if (IOUtils.consume(in) != entry.size()) {
        throw new EOFException("it is cut short");
      }
      if (name.endsWith("-Data.db")) {
        requireDigest(archive, table, name, in.getChecksum());
      }
      return null;
    } catch (IOException e) {
      throw archive.broken("%s cannot be read: %s".formatted(entry.name(), e.getMessage()), e);
    }
  }

  private static void requireDigest(Archive archive, Table table, String name, Checksum crc) {
    var digest = table.files().get(name.replace("-Data.db", "-Digest.crc32"));
    if (digest != null && !text(archive, digest).strip().equals(Long.toString(crc.getValue()))) {
      throw archive.broken("%s of table %s does not match its digest".formatted(name, table.name()), null);
    }
  }

  private static ArchiveEntry component(Archive archive, Table table, String name) {
    if (!table.files().containsKey(name)) {
      throw archive.broken("%s of table %s is missing".formatted(name, table.name()), null);
    }
    return table.files().get(name);
  }

  private static String text(Archive archive, ArchiveEntry entry) {
    try (var in = archive.open(entry)) {
      return new String(in.readAllBytes(), StandardCharsets.UTF_8);
    } catch (IOException e) {
      throw archive.broken("%s cannot be read: %s".formatted(entry.name(), e.getMessage()), e);
    }
  }
}
