import java.io.Closeable;
import java.io.IOException;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionException;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.concurrent.atomic.AtomicReference;
import java.util.stream.IntStream;

/** Does many things side by side; the first failure stops the rest and is thrown. */
final class Workers implements Closeable {
  final int count;
  private final ExecutorService pool;

  interface Work {
    void accept(int worker, int i) throws Exception;
  }

  Workers(int count) {
    this.count = count;
    this.pool = Executors.newFixedThreadPool(count, Console::daemon);
  }

  /** Numbers are handed out in order; a worker has one at a time. */
  void run(int total, Work work) throws IOException {
    var next = new AtomicInteger();
    var failed = new AtomicReference<Throwable>();
    var all = IntStream.range(0, Math.min(count, total)).mapToObj(worker -> CompletableFuture.runAsync(() -> {
      try {
        for (int i = next.getAndIncrement(); i < total && failed.get() == null; i = next.getAndIncrement()) {
          work.accept(worker, i);
        }
      } catch (Throwable thrown) {
        failed.compareAndSet(null, thrown);
      }
    }, pool)).toArray(CompletableFuture[]::new);
    CompletableFuture.allOf(all).join();
    if (failed.get() instanceof IOException e) {
      throw e;
    }
    if (failed.get() != null) {
      throw new CompletionException(failed.get());
    }
  }

  @Override
  public void close() {
    pool.shutdownNow();
  }
}
