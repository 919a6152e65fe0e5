import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import java.util.regex.Pattern;
import org.junit.jupiter.api.Test;

/** Each script can be copied alone, so some code is in several of them: here it is held equal. */
class SharedBlocksTest {
  private static final Pattern START = Pattern.compile(
      "// --- shared: (\\S+) \\(identical in every script that has it; a test holds them equal\\) ---");
  private static final Pattern END = Pattern.compile("// --- end shared: (\\S+) ---");

  @Test
  void sharedBlocksAreTheSameInEveryScript() throws IOException {
    var byName = new TreeMap<String, Map<String, Path>>();
    for (var script : ProjectTest.runnable()) {
      blocks(script, Files.readAllLines(script))
          .forEach((name, text) -> byName.computeIfAbsent(name, n -> new TreeMap<>()).put(text, script));
    }

    assertThat(byName).as("shared blocks in the scripts").isNotEmpty();
    byName.forEach((name, texts) -> assertThat(texts.keySet())
        .as("the block %s, which differs between %s", name, texts.values()).hasSize(1));
  }

  @Test
  void aBlockThatIsNotClosedIsAnError() {
    var start = "  // --- shared: A (identical in every script that has it; a test holds them equal) ---";
    var script = Path.of("a.java");

    assertThat(blocks(script, List.of(start, "  int a;", "  // --- end shared: A ---")))
        .containsOnlyKeys("A");
    for (var broken : List.of(
        List.of(start, "  int a;"),
        List.of(start, start),
        List.of(start, "  // --- end shared: B ---"),
        List.of("  // --- end shared: A ---"),
        List.of("  // --- shared: A ---", "  // --- end shared: A ---"))) {
      assertThatThrownBy(() -> blocks(script, broken)).as("%s", broken).isInstanceOf(AssertionError.class);
    }
  }

  /** The text of each block by its name, byte for byte, indentation too. */
  private static Map<String, String> blocks(Path script, List<String> lines) {
    var blocks = new TreeMap<String, String>();
    String open = null;
    var text = new ArrayList<String>();
    for (var line : lines) {
      if (!line.contains("// --- ")) {
        text.add(line);
        continue;
      }
      var start = START.matcher(line.strip());
      var end = END.matcher(line.strip());
      if (start.matches() && open == null) {
        open = start.group(1);
        text.clear();
      } else if (end.matches() && end.group(1).equals(open)) {
        assertThat(blocks).as("blocks of %s", script).doesNotContainKey(open);
        blocks.put(open, String.join("\n", text));
        open = null;
      } else {
        throw new AssertionError(script + ": out of place: " + line.strip());
      }
    }
    assertThat(open).as("block of %s that is never closed", script).isNull();
    return blocks;
  }
}
