import java.util.function.IntFunction;
import java.util.stream.Collectors;
import java.util.stream.IntStream;

/** Documents to be written to an index of Elasticsearch. */
final class Documents {
  private Documents() {}

  /** The body of a {@code _bulk} request: documents 0 to count, each with a field {@code text}. */
  static String bulk(int count, IntFunction<String> text) {
    return IntStream.range(0, count)
        .mapToObj(id -> "{\"index\":{\"_id\":\"%d\"}}\n{\"text\":\"%s\"}\n".formatted(id, text.apply(id)))
        .collect(Collectors.joining());
  }
}
