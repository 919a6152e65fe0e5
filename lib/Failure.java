import java.io.UncheckedIOException;
import java.nio.file.FileSystemException;
import java.util.Locale;
import java.util.concurrent.CompletionException;
import java.util.concurrent.ExecutionException;

/** What went wrong, what to do about it, and the exit code: shown as two lines, without a trace. */
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
    var message = cause.getMessage() == null ? cause.toString() : cause.getMessage();
    if (cause instanceof FileSystemException file) {
      var words = cause.getClass().getSimpleName().replace("Exception", "").replaceAll("(?<=[a-z])(?=[A-Z])", " ").toLowerCase(Locale.ROOT);
      message = file.getFile() + ": " + (file.getReason() != null ? file.getReason() : words);
    }
    return new Failure(Exit.UNEXPECTED, message, "run again with --verbose for the trace", cause);
  }
}
