import static org.assertj.core.api.Assertions.assertThat;

import java.io.EOFException;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.AccessDeniedException;
import java.nio.file.FileSystemException;
import java.nio.file.NoSuchFileException;
import java.util.concurrent.CompletionException;
import java.util.concurrent.ExecutionException;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.Arguments;
import org.junit.jupiter.params.provider.MethodSource;

/** Any exception in the words of an error. */
class FailureTest {
  static Stream<Arguments> exceptions() {
    return Stream.of(
        Arguments.of(new IOException("no space left on device"), "no space left on device"),
        Arguments.of(new NoSuchFileException("/mnt/x"), "/mnt/x: no such file"),
        Arguments.of(new AccessDeniedException("/mnt/x"), "/mnt/x: access denied"),
        Arguments.of(new FileSystemException("/mnt/x", null, "Stale file handle"), "/mnt/x: Stale file handle"),
        Arguments.of(new UncheckedIOException(new NoSuchFileException("/mnt/x")), "/mnt/x: no such file"),
        Arguments.of(new EOFException(), "it ends too early"),
        Arguments.of(new IllegalStateException(), "java.lang.IllegalStateException"));
  }

  @ParameterizedTest
  @MethodSource("exceptions")
  void anUnexpectedExceptionIsSaidInWordsWithTheWayToItsTrace(Throwable thrown, String message) {
    var failure = Failure.of(new CompletionException(new ExecutionException(thrown)));
    assertThat(failure).hasMessage(message);
    assertThat(failure.code).isEqualTo(1);
    assertThat(failure.hint).contains("--verbose");
    assertThat(failure.getCause()).as("for the trace").isNotNull();
  }

  @Test
  void aFailureStaysWhatItIsHoweverItIsWrapped() {
    var failure = new Failure(13, "a node is down", "start it");
    assertThat(Failure.of(failure)).isSameAs(failure);
    assertThat(Failure.of(new CompletionException(new ExecutionException(failure)))).isSameAs(failure);
  }

  @Test
  void aFailureInsideAnotherExceptionIsNotTakenForIt() {
    assertThat(Failure.of(new IllegalStateException("worse", new Failure(13, "a node is down", null))))
        .hasMessage("worse")
        .extracting(failure -> failure.code).isEqualTo(1);
  }

  @Test
  void errorsOfTheVirtualMachineAreToldWithWhatHelps() {
    var noexec = Failure.of(new UnsatisfiedLinkError("/tmp/libzstd.so: failed to map segment\nmore"));
    assertThat(noexec).hasMessage("a library could not be loaded: /tmp/libzstd.so: failed to map segment");
    assertThat(noexec.hint).contains("noexec", "_JAVA_OPTIONS=-Djava.io.tmpdir=");
    var memory = Failure.of(new OutOfMemoryError("Java heap space"));
    assertThat(memory).hasMessage("out of memory: Java heap space");
    assertThat(memory.hint).contains("_JAVA_OPTIONS=-Xmx3g");
    assertThat(memory.code).isEqualTo(1);
  }
}
