import java.io.EOFException;
import java.io.UncheckedIOException;
import java.nio.file.FileSystemException;
import java.util.Locale;
import java.util.concurrent.CompletionException;
import java.util.concurrent.ExecutionException;

/** An error with its hint and the exit code: shown as two lines, without a trace. */
final class Failure extends RuntimeException {
  final int code;
  final String hint;

  Failure(int code, String message, String hint) {
    this(code, message, hint, null);
  }

  Failure(int code, String message, String hint, Throwable cause) {
    super(message, cause);
    this.code = code;
    this.hint = hint;
  }

  /** Any exception as a Failure: what is not one already is unexpected. */
  static Failure of(Throwable thrown) {
    var cause = thrown;
    while (cause.getCause() != null
        && (cause instanceof CompletionException || cause instanceof ExecutionException
            || cause instanceof UncheckedIOException)) {
      cause = cause.getCause();
    }
    if (cause instanceof Failure failure) {
      return failure;
    }
    var message = cause.getMessage() != null ? cause.getMessage() : cause instanceof EOFException ? "it ends too early"
        : cause.toString();
    if (cause instanceof FileSystemException file) {
      var words = cause.getClass().getSimpleName().replace("Exception", "").replaceAll("(?<=[a-z])(?=[A-Z])", " ")
          .toLowerCase(Locale.ROOT);
      message = file.getFile() + ": " + (file.getReason() != null ? file.getReason() : words);
    }
    return cause instanceof Error error ? of(error, message.lines().findFirst().orElse(message))
        : new Failure(Exit.UNEXPECTED, message, "run again with --verbose for the trace", cause);
  }

  /**
   * Errors of the virtual machine, with what helps: libraries that are not Java are unpacked where it may be forbidden
   * to run them.
   */
  private static Failure of(Error error, String message) {
    if (error instanceof LinkageError) {
      return new Failure(Exit.UNEXPECTED, "a library could not be loaded: " + message,
          "is %s on a file system that is mounted noexec? _JAVA_OPTIONS=-Djava.io.tmpdir=<another folder> names another"
              .formatted(System.getProperty("java.io.tmpdir")), error);
    }
    var hint = error instanceof OutOfMemoryError ? "_JAVA_OPTIONS=-Xmx3g gives it more"
        : "run again with --verbose for the trace";
    return new Failure(Exit.UNEXPECTED, error instanceof OutOfMemoryError ? "out of memory: " + message : message, hint,
        error);
  }
}
