//DEPS org.apache.cassandra:cassandra-all:4.1.10
//DEPS com.google.guava:guava:33.8.0-jre

import com.google.common.collect.HashMultimap;
import com.google.common.collect.SetMultimap;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.util.Collection;
import java.util.HashSet;
import java.util.List;
import java.util.Set;
import java.util.regex.Pattern;
import java.util.stream.Collectors;
import org.apache.cassandra.db.rows.Row;
import org.apache.cassandra.utils.ByteBufferUtil;

/**
 * Collects names of attachments from the graph's rows. JanusGraph stores a text as its ASCII bytes with the last one
 * marked; what lies under one column is one property. A text of 64 hexadecimal digits may name an attachment, or be a
 * hash that somebody observed: of the property that names attachments nearly all values are files, of the other hardly
 * any. Without this rule every observed hash would be reported as a missing attachment.
 */
final class AttachmentNames {
  static final Pattern HASH = Pattern.compile("(.*/)?[0-9a-f]{64}");
  private static final Pattern STORED = Pattern.compile("[0-9a-f]{63}[\u00b0-\u00b9\u00e1-\u00e6]");
  private static final int PROPERTIES = 200;
  private static final int VALUES = 2_000;
  private final SetMultimap<ByteBuffer, String> byProperty = HashMultimap.create();
  private volatile boolean hasRead;

  /** Looks at a row of a table of the graph. */
  void take(String table, Row row) {
    if (!table.equals("edgestore") || row.clustering().size() != 1) {
      return;
    }
    hasRead = true;
    for (var cell : row.cells()) {
      if (cell.valueSize() >= 64 && cell.valueSize() <= 160) {
        STORED.matcher(StandardCharsets.ISO_8859_1.decode(cell.buffer().duplicate())).results().findFirst()
            .ifPresent(hash -> add(row.clustering().bufferAt(0), hash.group()));
      }
    }
  }

  synchronized void add(ByteBuffer property, String stored) {
    var room = byProperty.containsKey(property) || byProperty.keySet().size() < PROPERTIES;
    if (room && byProperty.get(property).size() < VALUES) {
      byProperty.put(ByteBufferUtil.clone(property), stored.substring(0, 63) + (char) (stored.charAt(63) & 0x7f));
    }
  }

  /** True once rows of the graph were seen. */
  boolean hasRead() {
    return hasRead;
  }

  /**
   * Compares the names with the files of a backup.
   *
   * @param part of TheHive whose backup it is, as in the findings
   */
  void compare(String part, Iterable<String> files, Findings findings) {
    var wanted = Set.copyOf(byProperty.values());
    var stored = new HashSet<String>();
    var hashes = false;
    for (var file : files) {
      hashes |= HASH.matcher(file).matches();
      var name = file.substring(file.lastIndexOf('/') + 1);
      if (wanted.contains(name)) {
        stored.add(name);
      }
    }
    var names = byProperty.asMap().values().stream().filter(values ->
        values.stream().filter(stored::contains).count() * 2 >= values.size()).flatMap(Collection::stream)
        .collect(Collectors.toSet());
    if (!names.isEmpty()) {
      var tally = new Tally();
      names.stream().filter(name -> !stored.contains(name)).forEach(name -> tally.add("missing", name));
      var sampled = "of %,d names sampled from the graph's rows are".formatted(names.size());
      findings.requireNone("attachments", tally, "missing", "all %s in the backup of %s".formatted(sampled, part),
          "%s not in the backup of %s".formatted(sampled, part));
    } else if (wanted.isEmpty() || !hashes) {
      findings.skipped("attachments", "no names of attachments were recognised in the graph's rows");
    } else {
      findings.bad("attachments", List.of(), "only %,d of %,d names that the graph's rows hold are in the backup of %s",
          stored.size(), wanted.size(), part);
    }
  }
}
