import java.io.Closeable;
import java.io.IOException;
import java.time.LocalDateTime;
import java.util.List;
import java.util.regex.Pattern;

/**
 * A copy of an index of the snapshot under a name of its own, for as long as it is compared; removed by {@code close()}
 * and after Ctrl-C. It has no replicas, no aliases and no policy, and nothing can write to it.
 */
final class SnapshotCopy implements Closeable {
  private static final Pattern NAME = Pattern.compile(".+_verifying_(\\d{8}_\\d\\dh\\d\\dm\\d\\ds)_\\d+(_definition)?");
  final String name;
  private final ElasticsearchApi api;
  private final Thread onExit;

  SnapshotCopy(ElasticsearchApi api, SnapshotSource source, SnapshotIndex index) throws Exception {
    this.api = api;
    this.name = "%s_verifying_%s_%d".formatted(index.name(), BackupSet.STAMP.format(LocalDateTime.now()),
        ProcessHandle.current().pid());
    this.onExit = new Thread(this::remove);
    Runtime.getRuntime().addShutdownHook(onExit);
    try {
      var watch = new ShardWatch(api);
      source.restore(index.name(), name, false, IndexDefinition.ofCopy(), IndexDefinition.NOT_ON_A_COPY);
      var refused = watch.awaitReceiving(List.of(name));
      if (refused != null) {
        throw new Failure(Exit.UNSAFE, "the snapshot cannot be restored beside it: " + refused.explanation().reason(),
            null);
      }
      watch.awaitStarted(List.of(name), null);
    } catch (Exception e) {
      close();
      throw e;
    }
  }

  /** Removes copies of killed runs. Nothing tells whether a younger one is that of another host, still at work. */
  static void removeLeftovers(ElasticsearchApi api, LiveIndices live) throws IOException {
    var yesterday = BackupSet.STAMP.format(LocalDateTime.now().minusDays(1));
    for (var index : live.indices().keySet()) {
      var copy = NAME.matcher(index);
      if (copy.matches() && copy.group(1).compareTo(yesterday) < 0) {
        api.delete(index);
      }
    }
  }

  static boolean isCopy(String index) {
    return NAME.matcher(index).matches();
  }

  /** The name under which the definition is read. */
  String definition() {
    return name + "_definition";
  }

  private void remove() {
    try {
      api.delete(name);
      api.delete(definition());
    } catch (IOException | RuntimeException e) {
      // the next run removes it, a day later
    }
  }

  @Override
  public void close() {
    remove();
    Runtime.getRuntime().removeShutdownHook(onExit);
  }
}
