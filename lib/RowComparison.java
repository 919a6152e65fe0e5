//DEPS org.apache.cassandra:cassandra-all:4.1.10
//DEPS org.apache.cassandra:java-driver-core:4.19.4
//DEPS com.google.guava:guava:33.8.0-jre

import com.datastax.oss.driver.api.core.ConsistencyLevel;
import com.datastax.oss.driver.api.core.CqlIdentifier;
import com.datastax.oss.driver.api.core.CqlSession;
import com.datastax.oss.driver.api.core.DriverException;
import com.datastax.oss.driver.api.core.cql.SimpleStatement;
import com.datastax.oss.driver.api.core.metadata.Node;
import com.datastax.oss.driver.api.core.metadata.TokenMap;
import com.datastax.oss.driver.api.core.metadata.token.TokenRange;
import com.google.common.collect.Iterators;
import com.google.common.collect.Lists;
import com.google.common.collect.PeekingIterator;
import java.io.IOException;
import java.util.Comparator;
import java.util.List;
import java.util.function.BiConsumer;
import java.util.function.DoubleConsumer;
import org.apache.cassandra.db.DecoratedKey;
import org.apache.cassandra.db.rows.Row;
import org.apache.cassandra.dht.Murmur3Partitioner;
import org.apache.cassandra.dht.Range;
import org.apache.cassandra.dht.Token;

/**
 * Compares the rows of a table of the backup with those of a node. Kinds of the tally: {@code row} of the backup,
 * {@code missing}, {@code extra}, {@code changed}, {@code newer} (written since the backup), {@code untimed} (another
 * value without a write time: it may have been written since), {@code page}, {@code elsewhere} (pages that the node
 * answered from another node's copy).
 */
final class RowComparison {
  private static final int READS_AT_ONCE = 8;
  private static final int ATTEMPTS = 3;
  private final CqlSession session;
  private final SSTableRows backup;
  private final Comparator<TableRow> order;
  private final long newest;
  private final boolean countOnly;
  private final BiConsumer<DecoratedKey, Row> visitor;

  /**
   * @param newest what is written later is newer; Long.MAX_VALUE where nothing may be
   * @param countOnly true if the rows are only counted
   * @param visitor sees every row of the backup and its partition
   */
  RowComparison(CqlSession session, SSTableRows backup, long newest, boolean countOnly,
      BiConsumer<DecoratedKey, Row> visitor) {
    this.session = session;
    this.backup = backup;
    this.order = TableRow.order(backup.table);
    this.newest = newest;
    this.countOnly = countOnly;
    this.visitor = visitor;
  }

  /**
   * Reads what a node has of the table. A node that is asked for its own copy may read another node's: Cassandra
   * prefers the own one, but not while it measures others as faster, and with SimpleSnitch not at all. Its count of
   * reads of its own copy tells; pieces that were answered from elsewhere are read again, and counted where that does
   * not help.
   */
  Tally compare(Node node, DoubleConsumer progress) throws IOException {
    var total = new Tally();
    var batches = Lists.partition(pieces(node), READS_AT_ONCE);
    for (var batch : batches) {
      var result = compare(node, batch);
      for (var attempt = 1; attempt < ATTEMPTS && total.count("elsewhere") == 0
          && result.count("elsewhere") > 0; attempt++) {
        result = compare(node, batch);
      }
      total.add(result);
      progress.accept(1.0 / batches.size());
    }
    return total;
  }

  private Tally compare(Node node, List<Range<Token>> pieces) throws IOException {
    var result = new Tally();
    var before = ownReads(node);
    try (var workers = new Workers(READS_AT_ONCE)) {
      workers.run(pieces.size(), (worker, i) -> compare(node, pieces.get(i), result));
    }
    var own = before < 0 ? 0 : ownReads(node) - before;
    result.add("elsewhere", Math.max(0, result.count("page") - own));
    return result;
  }

  /** How often a node has read ranges of its own copy of a table; -1 where it does not tell. */
  private long ownReads(Node node) {
    try {
      var row = session.execute(SimpleStatement.newInstance("SELECT count FROM system_views.local_scan_latency"
          + " WHERE keyspace_name = ? AND table_name = ?", backup.table.keyspace, backup.table.name).setNode(node))
          .one();
      return row == null ? 0 : row.getLong("count");
    } catch (DriverException e) {
      return -1;
    }
  }

  /** The token ranges that a node has, joined where they touch, and cut into pieces to be read side by side. */
  private List<Range<Token>> pieces(Node node) {
    var map = session.getMetadata().getTokenMap().orElseThrow();
    var owned = map.getTokenRanges(CqlIdentifier.fromInternal(backup.table.keyspace), node);
    var joined = Range.normalize(owned.stream().map(range -> range(map, range)).toList());
    var share = (int) Math.max(1, backup.rows() / 20_000 / Math.max(1, joined.size()));
    return joined.stream()
        .map(range -> map.newTokenRange(map.parse(range.left.toString()), map.parse(range.right.toString())))
        .flatMap(range -> range.splitEvenly(share).stream()).map(range -> range(map, range)).toList();
  }

  private static Range<Token> range(TokenMap map, TokenRange range) {
    var tokens = Murmur3Partitioner.instance.getTokenFactory();
    var start = tokens.fromString(map.format(range.getStart()));
    return new Range<>(start, tokens.fromString(map.format(range.getEnd())));
  }

  /** Reads the backup's rows and one node's beside each other, both in the order of their tokens. */
  private void compare(Node node, Range<Token> range, Tally result) {
    // ALL would make Cassandra repair what it finds to differ; nothing is to be written.
    var query = countOnly ? backup.format.countQuery(range) : backup.format.query(range);
    var answer = session.execute(SimpleStatement.newInstance(query).setNode(node)
        .setPageSize(backup.page()).setConsistencyLevel(ConsistencyLevel.LOCAL_ONE));
    try (var partitions = backup.partitions(range)) {
      var stored = backup.rows(partitions, visitor);
      if (countOnly) {
        count(Iterators.size(stored), answer.one().getLong(0), result);
        return;
      }
      var live = Iterators.transform(answer.iterator(), backup.format::ofNode);
      var rows = Iterators.peekingIterator(Iterators.mergeSorted(List.of(stored, live), order));
      while (rows.hasNext()) {
        comparePartition(rows, result);
      }
      result.add("page", answer.getExecutionInfos().size());
    }
  }

  /** Only numbers: one row lost and another one new look alike. */
  private void count(long stored, long live, Tally result) {
    result.add("page", Math.max(1, live / backup.page()));
    result.add("row", stored);
    result.add("missing", Math.max(0, stored - live));
    result.add(newest == Long.MAX_VALUE ? "extra" : "newer", Math.max(0, live - stored));
  }

  /** Rows that are gone from a partition that was written to since the backup may have been deleted since. */
  private void comparePartition(PeekingIterator<TableRow> rows, Tally result) {
    var partition = rows.peek().key();
    var missing = new Tally();
    var newer = 0;
    while (rows.hasNext() && rows.peek().key().equals(partition)) {
      var one = rows.next();
      var other = rows.hasNext() && order.compare(one, rows.peek()) == 0 ? rows.next() : null;
      var stored = one.live() ? other : one;
      var live = one.live() ? one : other;
      result.add("row", stored == null ? 0 : 1);
      if (other != null && one.values().equals(other.values())) {
        continue;
      }
      if (live != null && live.written() > newest) {
        newer++;
      } else if (stored == null) {
        result.add("extra", backup.format.name(live));
      } else if (!stored.expires()) {
        var untimed = live != null && newest != Long.MAX_VALUE && stored.differsWithoutTime(live);
        (live == null ? missing : result).add(live == null ? "missing" : untimed ? "untimed" : "changed",
            backup.format.name(stored));
      }
    }
    if (newer > 0) {
      result.add("newer", newer + missing.count("missing"));
    } else {
      result.add(missing);
    }
  }
}
