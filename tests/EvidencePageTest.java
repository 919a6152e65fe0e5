import static org.assertj.core.api.Assertions.assertThat;

import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.concurrent.Callable;
import java.util.stream.IntStream;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** The page of {@code verify.java --evidence} as a browser shows and prints it. */
@Tag("browser")
class EvidencePageTest {
  private static final String LONG = "x".repeat(300);
  @TempDir private static Path folder;
  private static Browser browser;

  @BeforeAll
  static void show() throws Exception {
    var findings = SampleEvidence.good();
    findings.get(2).bad("missing", IntStream.range(0, 9).mapToObj(i -> "attachment/" + i + LONG).toList(),
        "9 of 20,000 files");
    var evidence = SampleEvidence.of(findings, SampleEvidence.reports(SampleEvidence.DATABASES, SampleEvidence.FILES));
    var page = Files.writeString(folder.resolve("evidence.html"), EvidencePage.of(evidence));
    browser = Browser.open(page);
  }

  @AfterAll
  static void close() throws Exception {
    if (browser != null) {
      browser.close();
    }
  }

  @ParameterizedTest
  @ValueSource(ints = {400, 1400})
  void fitsTheWidthOfTheScreen(int width) throws Exception {
    browser.media("screen", "light");
    browser.size(width, 900);
    keep("light-" + width + ".png", browser::picture);
    assertThat(browser.evaluate("innerWidth").asInt()).isEqualTo(width);
    assertThat(browser.evaluate("document.documentElement.scrollWidth").asInt()).isLessThanOrEqualTo(width);
    assertThat(browser.evaluate("""
        [...document.querySelectorAll('body *')].filter(e => e.getBoundingClientRect().right > innerWidth + 0.5
          || e.getBoundingClientRect().left < 0).map(e => e.outerHTML.slice(0, 200)).join('\\n')""").asText())
        .as("elements that reach over the edge").isEmpty();
    assertThat(browser.evaluate("document.querySelector('.summary').innerText").asText())
        .isEqualTo("The backup of 22 Nov 2026 12:00 was NOT restored completely: files (missing).");
  }

  @ParameterizedTest
  @ValueSource(ints = {400, 1400})
  void theBarsAreAsLongAsTheirSteps(int width) throws Exception {
    browser.media("screen", "light");
    browser.size(width, 900);
    var bars = browser.evaluate("""
        Object.fromEntries([...document.querySelectorAll('.line tr')].map(row => {
          const track = row.querySelector('.track').getBoundingClientRect();
          const fill = row.querySelector('.fill').getBoundingClientRect();
          return [row.querySelector('.step').innerText, {track: track.width, width: fill.width,
            left: fill.left - track.left, right: track.right - fill.right, height: fill.height}]; }))""");
    assertThat(bars.size()).as("%s", bars).isGreaterThan(10);
    assertThat(bars).allSatisfy(bar -> {
      assertThat(bar.path("width").asDouble()).as("%s", bar).isGreaterThanOrEqualTo(3);
      assertThat(bar.path("left").asDouble()).as("%s", bar).isGreaterThanOrEqualTo(0);
      assertThat(bar.path("right").asDouble()).as("%s", bar).isGreaterThanOrEqualTo(-0.5);
      assertThat(bar.path("height").asDouble()).as("%s", bar).isGreaterThan(5);
    });
    var stream = bars.path("cassandra stream edgestore");
    var copies = bars.path("elasticsearch restore the copies");
    assertThat(stream.path("width").asDouble() / copies.path("width").asDouble()).as("80 s and 180 s")
        .isBetween(0.42, 0.47);
    assertThat(stream.path("left").asDouble()).as("both began together").isEqualTo(copies.path("left").asDouble());
    assertThat(stream.path("track").asDouble()).isGreaterThan(width * 0.4);
  }

  @Test
  void isReadableInTheDark() throws Exception {
    browser.size(1400, 900);
    for (var scheme : List.of("light", "dark")) {
      browser.media("screen", scheme);
      keep(scheme + ".png", browser::picture);
      var back = "getComputedStyle(document.body).backgroundColor";
      for (var text : List.of("document.body", "document.querySelector('.soft')", "document.querySelector('.mark')")) {
        assertThat(browser.contrast(back, "getComputedStyle(%s).color".formatted(text)))
            .as("%s in %s", text, scheme).isGreaterThanOrEqualTo(4.5);
      }
      assertThat(browser.brightness(back) < 0.2).as(scheme).isEqualTo(scheme.equals("dark"));
    }
  }

  @Test
  void printsOnPaper() throws Exception {
    browser.media("print", "dark");
    browser.size(700, 900);
    assertThat(browser.evaluate("getComputedStyle(document.body).backgroundColor").asText())
        .as("ink is not for backgrounds").isEqualTo("rgb(255, 255, 255)");
    assertThat(browser.evaluate("document.documentElement.scrollWidth").asInt()).isLessThanOrEqualTo(700);
    assertThat(browser.evaluate("getComputedStyle(document.querySelector('.fill')).printColorAdjust").asText())
        .as("bars are printed without background graphics, too").isEqualTo("exact");
    browser.media("", "light");
    var pdf = browser.pdf();
    keep("page.pdf", () -> pdf);
    assertThat(new String(pdf, 0, 5, StandardCharsets.ISO_8859_1)).isEqualTo("%PDF-");
    assertThat(pdf.length).isGreaterThan(10_000);
  }

  @Test
  void loadsNothingAndRunsNothing() throws Exception {
    assertThat(browser.evaluate("performance.getEntriesByType('resource').length").asInt()).isZero();
    assertThat(browser.evaluate("document.scripts.length").asInt()).isZero();
    assertThat(browser.evaluate("document.body.innerText").asText()).contains("<script>alert(1)</script>",
        "jump<b>host</b>", "Change <4711>");
    assertThat(browser.evaluate("document.querySelectorAll('[src], link, iframe, object, a').length").asInt()).isZero();
  }

  /** For whoever wants to look: EVIDENCE_PICTURES names a folder. */
  private static void keep(String name, Callable<byte[]> content) throws Exception {
    var pictures = System.getenv("EVIDENCE_PICTURES");
    if (pictures != null) {
      Files.write(Files.createDirectories(Path.of(pictures)).resolve(name), content.call());
    }
  }
}
