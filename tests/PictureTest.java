import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.stream.Stream;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;

/** The README's picture of a run: docs/run.svg, which {@code ./jbang tests/picture.java} draws. */
class PictureTest {
  private static final Path DRAWN = Script.ROOT.resolve("docs/run.svg");
  private static final Path RECORDED = Script.ROOT.resolve("docs/run.ansi");

  @Test
  void isDrawnFromTheRecordedRun() throws IOException {
    assertThat(Files.readString(DRAWN)).isEqualTo(TerminalPicture.svg(Files.readString(RECORDED)));
  }

  /** The run of SandboxTest shows that it is what is printed now; this one, which needs no server, that it can be. */
  @Test
  void everyWordOfItIsOneThatTheSandboxPrints() throws IOException {
    var source = new StringBuilder();
    for (var file : List.of("tests/sandbox.java", "tests/sandbox/LastScreen.java", "tests/data/GraphData.java",
        "tests/data/graph.java")) {
      source.append(Files.readString(Script.ROOT.resolve(file)).replace("\\\"", "\""));
    }
    var words = Files.readString(RECORDED).lines().skip(1).map(TerminalPicture::plain)
        .flatMap(line -> Stream.of(line.split(line.contains("./jbang ") ? " +" : "  +|cases |, | > | ?\\d[\\w.@-]*|…")))
        .map(String::strip).filter(word -> word.length() >= 4 && !word.matches(".*@.*|\\./jbang|\\d.*")).distinct().toList();
    assertThat(words).hasSizeGreaterThan(20);
    assertThat(words.stream().filter(word -> source.indexOf(word) < 0)).as("not in the sandbox").isEmpty();
  }

  @Test
  void wordsKeepTheirColumnsAndColours() {
    var svg = TerminalPicture.svg("$ a <b>\n  one two   \033[32m✓ & three\033[0m four\n");

    assertThat(svg).contains("<title>a &lt;b&gt;</title>", ">one two</text>", " class=\"green\">✓ &amp; three</text>",
        " x=\"%.1f\"".formatted(16 + 12 * 8.4), ">four</text>");
  }

  @Test
  @Tag("browser")
  void isReadableInLightAndDark() throws Exception {
    try (var browser = Browser.open(DRAWN)) {
      for (var scheme : List.of("light", "dark")) {
        browser.media("screen", scheme);
        var back = "getComputedStyle(document.querySelector('rect')).fill";
        for (var text : List.of("text", ".red", ".green")) {
          assertThat(browser.contrast(back, "getComputedStyle(document.querySelector('%s')).fill".formatted(text)))
              .as("%s in %s", text, scheme).isGreaterThanOrEqualTo(4.5);
        }
        assertThat(browser.brightness(back) < 0.2).as(scheme).isEqualTo(scheme.equals("dark"));
      }
      assertThat(browser.evaluate("""
          [...document.querySelectorAll('text')].filter(e => e.getBBox().x < 0
            || e.getBBox().x + e.getBBox().width > document.documentElement.viewBox.baseVal.width).length""").asInt())
          .as("texts that reach over the edge").isZero();
      assertThat(browser.evaluate("performance.getEntriesByType('resource').length").asInt()).isZero();
    }
  }
}
