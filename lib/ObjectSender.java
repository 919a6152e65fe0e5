//DEPS commons-codec:commons-codec:1.23.0
//DEPS io.minio:minio:9.0.4

import io.minio.messages.Part;
import java.io.IOException;
import java.io.InputStream;
import java.io.UncheckedIOException;
import java.util.ArrayList;
import java.util.Map;
import java.util.Objects;
import java.util.TreeMap;
import java.util.concurrent.BlockingQueue;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.LinkedBlockingQueue;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicLong;
import java.util.function.BiConsumer;
import java.util.function.Supplier;
import java.util.stream.Stream;
import org.apache.commons.codec.digest.DigestUtils;

/**
 * Sends objects side by side while one thread reads the archive. Its memory is that of the requests' bodies, whatever
 * the size of the archive. What it believes to have sent is proven by the bucket's listing afterwards, not here.
 */
final class ObjectSender {
  /** Larger objects are not worth a tar. */
  private static final int SMALL = 1 << 20;
  private static final int MOST_FAILURES = 20;
  /** Keys that were not sent, and why. */
  final Map<String, Failure> failures = new ConcurrentHashMap<>();
  /** The bytes that were sent. */
  final AtomicLong sent = new AtomicLong();
  private final S3Uploads uploads;
  private final RestoreRun run;
  private final BiConsumer<Integer, ETag> expected;
  /** The uploads in parts that are open, and their keys. */
  private final Map<String, String> open = new TreeMap<>();
  private final ExecutorService workers;
  private final BlockingQueue<RequestBody> free = new LinkedBlockingQueue<>();
  private volatile Failure unreachable;
  private volatile boolean batches;
  private ObjectBatch batch;

  /**
   * Makes one sender for one pass over the archive.
   *
   * @param expected is given the ETag that an object will have, by its number in the backup
   * @param batches true to send small objects as tars, which the server unpacks
   */
  ObjectSender(S3Bucket bucket, RestoreRun run, int transfers, boolean batches, BiConsumer<Integer, ETag> expected) {
    this.uploads = new S3Uploads(bucket);
    this.run = run;
    this.batches = batches;
    this.expected = expected;
    this.workers = Executors.newFixedThreadPool(transfers, Console::daemon);
    Stream.generate(RequestBody::new).limit(transfers + 1).forEach(free::add);
  }

  /** False after many failures, or once the server cannot be reached: more of the same would follow. */
  boolean goesOn() {
    return unreachable == null && failures.size() < MOST_FAILURES;
  }

  void send(int i, String key, long size, InputStream content) throws Exception {
    if (batches && size <= SMALL && S3Uploads.contentType(key).equals(S3Uploads.BINARY)) {
      pack(i, key, size, content);
    } else if (size <= ETag.PART) {
      sendWhole(i, key, size, content);
    } else {
      sendParts(i, key, size, content);
    }
  }

  private void pack(int i, String key, long size, InputStream content) throws Exception {
    if (batch != null && !batch.hasRoom(key, size)) {
      sendBatch();
    }
    if (batch == null) {
      batch = new ObjectBatch(free.take());
    }
    batch.add(i, key, size, content);
  }

  private void sendBatch() throws IOException {
    var full = batch;
    batch = null;
    full.finish();
    work(full.body, () -> {
      full.etags().forEach(expected);
      uploads.putTar(BucketProbe.NAME, full.body);
      return sent.addAndGet(full.bytes());
    }).exceptionally(thrown -> {
      // What of it arrived shows in the listing; the rest goes by itself.
      batches = false;
      notice(Failure.of(thrown));
      return null;
    });
  }

  private void sendWhole(int i, String key, long size, InputStream content) throws Exception {
    var body = free.take();
    body.read(content, size);
    work(body, () -> {
      expected.accept(i, uploads.put(key, body));
      return sent.addAndGet(size);
    }).exceptionally(thrown -> fail(key, thrown));
  }

  /** Sends a large object in parts; the last of them to arrive completes it. */
  private void sendParts(int i, String key, long size, InputStream content) throws Exception {
    var upload = tryToBegin(key);
    if (upload == null) {
      return;
    }
    var md5s = new byte[16 * ETag.partsOf(size)];
    var parts = new ArrayList<CompletableFuture<Part>>();
    for (var left = size; left > 0 && parts.stream().noneMatch(CompletableFuture::isCompletedExceptionally); left -=
        ETag.PART) {
      var body = free.take();
      body.read(content, left);
      var number = parts.size() + 1;
      parts.add(work(body, () -> {
        var md5 = body.md5();
        System.arraycopy(md5, 0, md5s, 16 * (number - 1), 16);
        var part = uploads.putPart(key, upload, number, body, md5);
        sent.addAndGet(body.size());
        return part;
      }));
    }
    CompletableFuture.allOf(parts.toArray(CompletableFuture[]::new)).thenRun(() -> {
      expected.accept(i, ETag.of(DigestUtils.md5(md5s), parts.size()));
      uploads.complete(key, upload, parts.stream().map(CompletableFuture::join).toArray(Part[]::new))
          .ifPresent(etag -> expected.accept(i, etag));
      remember(upload, null);
    }).exceptionally(thrown -> {
      fail(key, thrown);
      if (unreachable == null) {
        uploads.abort(key, upload);
        remember(upload, null);
      }
      return null;
    });
  }

  /** Begins an upload in parts; null, and a failure more, where the server does not let it begin. */
  private String tryToBegin(String key) {
    try {
      var upload = uploads.begin(key);
      remember(upload, key);
      return upload;
    } catch (Failure e) {
      return fail(key, e);
    }
  }

  /** Keeps the open uploads in the marker: no listing shows them to the run after this one, and they take room. */
  private synchronized void remember(String upload, String key) {
    try {
      open.put(upload, key);
      open.values().removeIf(Objects::isNull);
      run.remember("uploads", open);
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }

  /** Sends one request; its body is free for the next one afterwards. */
  private <T> CompletableFuture<T> work(RequestBody body, Supplier<T> request) {
    return CompletableFuture.supplyAsync(() -> {
      if (unreachable != null) {
        throw unreachable;
      }
      return request.get();
    }, workers).whenComplete((done, thrown) -> {
      body.reset();
      free.add(body);
    });
  }

  private <T> T fail(String key, Throwable thrown) {
    var failure = Failure.of(thrown);
    failures.put(key, failure);
    notice(failure);
    return null;
  }

  private void notice(Failure failure) {
    if (failure.code == Exit.UNREACHABLE) {
      unreachable = failure;
    }
  }

  /** Sends what is still packed, and waits for all; fails where the server was lost. */
  void finish() throws Exception {
    try {
      if (batch != null) {
        sendBatch();
      }
    } finally {
      workers.shutdown();
      workers.awaitTermination(1, TimeUnit.DAYS);
    }
    if (unreachable != null) {
      throw new Failure(unreachable.code, unreachable.getMessage() + "; what was sent until then stays",
          "nothing more was removed; run again: only what is missing is sent", unreachable);
    }
  }
}
