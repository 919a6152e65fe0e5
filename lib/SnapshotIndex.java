/**
 * An index of a snapshot.
 *
 * @param largestShard bytes of its largest shard, which one node must have room for
 */
record SnapshotIndex(String name, int shards, long bytes, long largestShard) {
  /** The name under which the copy is restored beside the live index. */
  String copy(String stamp) {
    return name + "_restoring_" + stamp;
  }
}
