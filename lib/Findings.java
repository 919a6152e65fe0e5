import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import java.util.Map;
import java.util.concurrent.ConcurrentSkipListMap;
import java.util.function.BiConsumer;

/**
 * The findings of one part; several threads may add to them.
 *
 * @param counts how much was compared, by unit: rows, documents, files, objects, bytes
 */
record Findings(String part, List<Finding> list, Map<String, Long> counts) {
  Findings(String part) {
    this(part, Collections.synchronizedList(new ArrayList<>()), new ConcurrentSkipListMap<>());
  }

  /** Looks at all hosts at once; what is found stands in the order of the hosts, however fast each answers. */
  void ofEach(List<Host> hosts, BiConsumer<Host, Findings> look) {
    Host.each(hosts, host -> {
      var own = new Findings(part);
      look.accept(host, own);
      return own.list();
    }).forEach(list::addAll);
  }

  void count(String unit, long number) {
    counts.merge(unit, number, Long::sum);
  }

  private void add(Mark mark, String check, List<String> details, int code, String text) {
    list.add(new Finding(part, check, mark, text, details, code));
  }

  void ok(String check, String text, Object... values) {
    add(Mark.OK, check, List.of(), Exit.DONE, text.formatted(values));
  }

  /** Says that something was not compared, and why. */
  void skipped(String check, String text, Object... values) {
    add(Mark.SKIPPED, check, List.of(), Exit.DONE, text.formatted(values));
  }

  /** Says what is no difference from the backup, but to be known before TheHive starts. */
  void warning(String check, List<String> details, String text, Object... values) {
    add(Mark.WARNING, check, details, Exit.DONE, text.formatted(values));
  }

  void bad(String check, List<String> details, String text, Object... values) {
    add(Mark.BAD, check, details, Exit.VERIFICATION, text.formatted(values));
  }

  /** A ✗ with the exit code of what went wrong. */
  void failed(String check, Failure failure) {
    add(Mark.BAD, check, List.of(), failure.code,
        failure.getMessage() + (failure.hint == null ? "" : " (" + failure.hint + ")"));
  }

  /** Adds a ✓, or a ✗ with the details below it. */
  void require(boolean good, String check, List<String> details, String text, Object... values) {
    if (good) {
      ok(check, text, values);
    } else {
      bad(check, details, text, values);
    }
  }

  /** Adds a ✓ when a tally has none of a kind, or a ✗ with how many and which. */
  void requireNone(String check, Tally tally, String kind, String good, String bad) {
    var count = tally.count(kind);
    require(count == 0, check, tally.names(kind), "%s", count == 0 ? good : "%,d %s".formatted(count, bad));
  }
}
