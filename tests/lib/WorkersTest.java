import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.io.IOException;
import java.util.concurrent.CompletionException;
import java.util.concurrent.ConcurrentLinkedQueue;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.concurrent.atomic.AtomicIntegerArray;
import java.util.stream.IntStream;
import org.junit.jupiter.api.Test;

/** Many things side by side. */
class WorkersTest {
  @Test
  void doesEachThingOnceAndNoWorkerTwoAtATime() throws IOException {
    var done = new ConcurrentLinkedQueue<Integer>();
    var busy = new AtomicIntegerArray(4);
    try (var workers = new Workers(4)) {
      workers.run(1000, (worker, i) -> {
        assertThat(busy.incrementAndGet(worker)).isEqualTo(1);
        done.add(i);
        busy.decrementAndGet(worker);
      });
    }
    assertThat(done).hasSize(1000).containsExactlyInAnyOrderElementsOf(IntStream.range(0, 1000).boxed().toList());
  }

  @Test
  void nothingToDoIsDone() throws IOException {
    try (var workers = new Workers(2)) {
      workers.run(0, (worker, i) -> {
        throw new AssertionError("there is nothing");
      });
    }
  }

  @Test
  void theFirstFailureStopsTheRestAndIsThrown() {
    var begun = new AtomicInteger();
    try (var workers = new Workers(2)) {
      assertThatThrownBy(() -> workers.run(1_000_000, (worker, i) -> {
        begun.incrementAndGet();
        throw new IOException("disk full");
      })).isInstanceOf(IOException.class).hasMessage("disk full");
      assertThat(begun.get()).isLessThanOrEqualTo(2);
      assertThatThrownBy(() -> workers.run(3, (worker, i) -> {
        throw new Failure(13, "unsafe", null);
      })).isInstanceOf(CompletionException.class).extracting(thrown -> Failure.of(thrown).code).isEqualTo(13);
    }
  }
}
