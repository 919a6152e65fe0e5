import java.io.IOException;
import java.io.InputStream;
import java.io.OutputStream;
import java.io.UncheckedIOException;
import java.net.InetAddress;
import java.net.ServerSocket;
import java.net.Socket;
import java.nio.charset.StandardCharsets;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.concurrent.atomic.AtomicLong;

/** A bad network between a client and a server that speaks HTTP: it passes bytes on, and fails as told. */
final class Wire implements AutoCloseable {
  private static final byte[] BUSY =
      "HTTP/1.1 503 Service Unavailable\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"
          .getBytes(StandardCharsets.US_ASCII);

  private final ServerSocket listener;
  private final Server server;
  private final AtomicInteger connections = new AtomicInteger();
  private final AtomicInteger faults = new AtomicInteger();
  private final AtomicLong passed = new AtomicLong();
  private volatile long cutEvery = Long.MAX_VALUE;
  private volatile int busyEvery = Integer.MAX_VALUE;
  private volatile int delay;
  private volatile long deadAfter = Long.MAX_VALUE;
  private volatile String unanswered;
  private final AtomicInteger untilLost = new AtomicInteger();

  Wire(String address, Server server) {
    this.server = server;
    try {
      listener = new ServerSocket(server.port(), 100, InetAddress.getByName(address));
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
    daemon(this::accept);
  }

  String url() {
    return "http://" + listener.getInetAddress().getHostAddress() + ":" + listener.getLocalPort();
  }

  /** Resets a connection each time that so many more bytes were sent: what is smaller comes through in the end. */
  Wire cutEvery(long bytes) {
    cutEvery = bytes;
    return this;
  }

  /** Answers every n-th connection with 503. */
  Wire busyEvery(int n) {
    busyEvery = n;
    return this;
  }

  /** Waits before each piece that a client sends. */
  Wire delay(int millis) {
    delay = millis;
    return this;
  }

  /** Lets so many more bytes through, then none on any connection. */
  Wire deadAfter(long bytes) {
    deadAfter = passed.get() + bytes;
    return this;
  }

  /** Passes on the n-th request from now whose head has this text, but cuts the connection instead of the answer. */
  Wire loseAnswerTo(String text, int nth) {
    unanswered = text;
    untilLost.set(nth);
    return this;
  }

  /** How often it has failed so far. */
  int faults() {
    return faults.get();
  }

  private void accept() {
    try {
      while (true) {
        var client = listener.accept();
        daemon(() -> serve(client));
      }
    } catch (IOException e) {
      // closed
    }
  }

  private void serve(Socket client) {
    try (client) {
      if (passed.get() > deadAfter) {
        faults.incrementAndGet();
        client.setSoLinger(true, 0);
        return;
      }
      if (connections.incrementAndGet() % busyEvery == 0) {
        faults.incrementAndGet();
        client.getInputStream().read(new byte[1 << 16]);
        client.getOutputStream().write(BUSY);
        return;
      }
      try (var upstream = new Socket(server.host(), server.port())) {
        var lost = new AtomicBoolean();
        daemon(() -> pass(upstream, client, false, lost));
        pass(client, upstream, true, lost);
      }
    } catch (IOException e) {
      // either side is gone, and so is the other
    }
  }

  private void pass(Socket from, Socket to, boolean faulty, AtomicBoolean lost) {
    var buffer = new byte[1 << 16];
    try {
      InputStream in = from.getInputStream();
      OutputStream out = to.getOutputStream();
      for (var n = in.read(buffer); n >= 0; n = in.read(buffer)) {
        if (faulty && fails(n)) {
          faults.incrementAndGet();
          from.setSoLinger(true, 0);
          from.close();
          to.close();
          return;
        }
        if (faulty && unanswered != null && new String(buffer, 0, n, StandardCharsets.US_ASCII).contains(unanswered)
            && untilLost.decrementAndGet() == 0) {
          faults.incrementAndGet();
          lost.set(true);
        } else if (!faulty && lost.get()) {
          to.setSoLinger(true, 0);
          to.close();
          return;
        }
        out.write(buffer, 0, n);
      }
      to.shutdownOutput();
    } catch (IOException e) {
      // closed by the other direction
    }
  }

  private boolean fails(int bytes) {
    if (delay > 0) {
      try {
        Thread.sleep(delay);
      } catch (InterruptedException e) {
        return true;
      }
    }
    var before = passed.getAndAdd(bytes);
    return before + bytes > deadAfter || before / cutEvery != (before + bytes) / cutEvery;
  }

  private static void daemon(Runnable work) {
    var thread = new Thread(work);
    thread.setDaemon(true);
    thread.start();
  }

  @Override
  public void close() {
    try {
      listener.close();
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }
}
