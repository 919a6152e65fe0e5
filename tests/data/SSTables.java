import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Random;
import java.util.stream.Collectors;
import org.apache.cassandra.config.DatabaseDescriptor;
import org.apache.cassandra.db.marshal.Int32Type;
import org.apache.cassandra.dht.Murmur3Partitioner;
import org.apache.cassandra.io.sstable.CQLSSTableWriter;

/**
 * Real SSTables without a server: Cassandra's own writer in a process of its own, laid out as in a backup, below a
 * folder {@code cassandra_TS/}.
 */
class SSTables {
  static final String NAME = "cassandra_20260101_00h00m00s";
  private static final String COMPRESSION = "compression = {'class': '%s', 'chunk_length_in_kb': '4'}";

  /** A table: its CREATE TABLE, its types, an INSERT, and the values of rows. */
  record Table(String name, List<String> types, String create, String insert, List<Object[]> rows) {}

  /** Starts the writer and waits for its end; the archive is below the folder then. */
  static Path archive(Path folder, String tables) {
    try {
      var command =
          new ArrayList<>(List.of(Path.of(System.getProperty("java.home"), "bin", "java").toString(), "-Xmx256m"));
      Files.readAllLines(Path.of("tests/servers/jvm17-server.options")).stream().filter(line -> line.startsWith("-"))
          .forEach(command::add);
      command.addAll(List.of("-cp", System.getProperty("java.class.path"), "SSTables", folder.toString(), tables));
      run(new ProcessBuilder(command));
      return tar(folder);
    } catch (IOException e) {
      throw new IllegalStateException(e);
    }
  }

  /** The folder as an archive, as the documented backup makes it. */
  static Path tar(Path folder) {
    var archive = folder.resolve(NAME + ".tar");
    run(new ProcessBuilder("tar", "-C", folder.toString(), "-cf", archive.toString(), NAME));
    return archive;
  }

  private static void run(ProcessBuilder builder) {
    try {
      var process = builder.redirectErrorStream(true).start();
      var output = new String(process.getInputStream().readAllBytes());
      if (process.waitFor() != 0) {
        throw new IllegalStateException(builder.command().get(0) + ": " + output);
      }
    } catch (IOException | InterruptedException e) {
      throw new IllegalStateException(e);
    }
  }

  public static void main(String... args) throws Exception {
    DatabaseDescriptor.clientInitialization(false);
    DatabaseDescriptor.setColumnIndexSize(1);
    var tables =
        switch (args[1]) {
          case "all" -> all();
          case "small" -> List.of(small("small"));
          case "wide" -> List.of(wide());
          default -> List.of(even(args[1]));
        };
    var root = Path.of(args[0], NAME);
    var definition =
        new StringBuilder("CREATE KEYSPACE ks WITH replication = {'class': 'SimpleStrategy', 'replication_factor': '1'}"
        + " AND durable_writes = true;\n");
    tables.stream().flatMap(table -> table.types.stream()).distinct()
        .forEach(type -> definition.append(type).append(";\n"));
    for (var table : tables) {
      definition.append(table.create).append(";\n");
      write(table, root);
    }
    Files.writeString(root.resolve("create_keyspace_ks.cql"), definition);
    System.exit(0);
  }

  private static void write(Table table, Path root) throws IOException {
    var folder = Files.createDirectories(root.resolve("ks").resolve(table.name + "-" + "0123456789abcdef".repeat(2)));
    var builder =
        CQLSSTableWriter.builder().inDirectory(folder.toString()).withPartitioner(Murmur3Partitioner.instance);
    table.types.forEach(builder::withType);
    try (var writer = builder.forTable(table.create).using(table.insert).build()) {
      for (var row : table.rows) {
        writer.addRow(row);
      }
    }
    try (var files = Files.list(folder)) {
      Files.writeString(folder.resolve("manifest.json"),
          files.map(file -> "\"" + file.getFileName() + "\"").filter(name -> name.contains("-Data.db"))
          .collect(Collectors.joining(",", "{\"files\":[", "]}")));
    }
  }

  /** Partitions of one row and of many, with a static column, deleted and expiring values. */
  static Table small(String name) {
    var rows = new ArrayList<Object[]>();
    for (int k = 0; k < 20; k++) {
      for (int c = 0; c < (k == 7 ? 120 : 2); c++) {
        rows.add(new Object[] {bytes("key " + k), c, "s" + k,
            c % 5 == 0 ? null : "value %d %d of a row".formatted(k, c), c % 3 == 0 ? 86_400 * 3000 : 0});
      }
    }
    return new Table(name, List.of(),
        ("CREATE TABLE ks.%s (k blob, c int, s text static, v text, PRIMARY KEY (k, c)) WITH " + COMPRESSION)
            .formatted(name, "LZ4Compressor"),
        "INSERT INTO ks.%s (k, c, s, v) VALUES (?, ?, ?, ?) USING TTL ?".formatted(name), rows);
  }

  /** Partitions of many rows of many lengths: the last block of some of their indexes ends with the last row. */
  static Table wide() {
    var random = new Random(20261126);
    var rows = new ArrayList<Object[]>();
    for (int k = 0; k < 200; k++) {
      for (int c = 0; c < 40 + k % 20; c++) {
        rows.add(new Object[] {bytes("key " + k), c, "v".repeat(random.nextInt(600))});
      }
    }
    return new Table("wide", List.of(), "CREATE TABLE ks.wide (k blob, c int, v text, PRIMARY KEY (k, c))",
        "INSERT INTO ks.wide (k, c, v) VALUES (?, ?, ?)", rows);
  }

  /** {@code even:3000:3}: a table of 3,000 partitions, of which only those of every third of 48 ranges are written. */
  static Table even(String count) {
    var partitions = Integer.parseInt(count.split(":")[1]);
    var nodes = Integer.parseInt(count.split(":")[2]);
    var rows = new ArrayList<Object[]>();
    for (int k = 0; k < partitions; k++) {
      var token = (Long) Murmur3Partitioner.instance.getToken(Int32Type.instance.decompose(k)).getTokenValue();
      if (Math.floorMod(Math.floorDiv(token, Long.MAX_VALUE / 24), nodes) == 0) {
        rows.add(new Object[] {k});
      }
    }
    return new Table("even", List.of(), "CREATE TABLE ks.even (k int PRIMARY KEY)",
        "INSERT INTO ks.even (k) VALUES (?)", rows);
  }

  private static List<Table> all() {
    var all = new ArrayList<Table>();
    for (var compressor : List.of("LZ4Compressor", "SnappyCompressor", "DeflateCompressor", "ZstdCompressor",
        "NoopCompressor")) {
      var small = small("t_" + compressor.toLowerCase());
      all.add(new Table(small.name, small.types, small.create.replace("LZ4Compressor", compressor), small.insert,
          small.rows));
    }
    var small = small("plain");
    all.add(new Table("plain", small.types,
        small.create.replaceFirst("compression = .*", "compression = {'enabled': 'false'}"
        + " AND bloom_filter_fp_chance = 1.0"), small.insert, small.rows));
    all.add(small("\"Quoted_7\"".replace("\"", "")));
    all.add(new Table("zoo",
        List.of("CREATE TYPE ks.inner (a frozen<set<int>>, b text)",
            "CREATE TYPE ks.\"Outer\" (x frozen<inner>, y int)"),
        "CREATE TABLE ks.zoo (k int, \"Ké y\" text, l list<text>, m map<text, int>, fm frozen<map<int,"
            + " frozen<list<int>>>>,"
            + " t tuple<int, text>, u frozen<\"Outer\">, d duration, PRIMARY KEY ((k, \"Ké y\")))",
        "INSERT INTO ks.zoo (k, \"Ké y\", l, m, fm, t, d) VALUES (?, ?, ['a', 'b'], {'x': 1}, {1: [2, 3]}, (4,"
            + " 'five'), 3h)",
        List.of(new Object[] {1, "eins"}, new Object[] {2, "zwei"})));
    return all;
  }

  private static ByteBuffer bytes(String text) {
    return ByteBuffer.wrap(text.getBytes());
  }
}
