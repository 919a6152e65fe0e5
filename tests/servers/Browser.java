import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.node.ObjectNode;
import java.io.BufferedReader;
import java.io.IOException;
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.WebSocket;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.Base64;
import java.util.Comparator;
import java.util.Map;
import java.util.concurrent.BlockingQueue;
import java.util.concurrent.CompletionStage;
import java.util.concurrent.LinkedBlockingQueue;
import java.util.concurrent.TimeUnit;
import java.util.regex.Pattern;
import java.util.stream.Stream;

/** A Chromium without a window, driven by its DevTools protocol: it shows a page as a person would see it. */
final class Browser implements AutoCloseable {
  private static final Pattern ADDRESS = Pattern.compile("DevTools listening on (ws://\\S+)");
  private static final ObjectMapper JSON = new ObjectMapper();
  private final Path profile;
  private final Process process;
  private final WebSocket socket;
  private final BlockingQueue<JsonNode> answers = new LinkedBlockingQueue<>();
  private String session = "";
  private int sent;

  private Browser(Path profile, Process process, String address) {
    this.profile = profile;
    this.process = process;
    this.socket = HttpClient.newHttpClient().newWebSocketBuilder().buildAsync(URI.create(address), new Listener())
        .orTimeout(20, TimeUnit.SECONDS).join();
  }

  static Browser open(Path page) throws Exception {
    var profile = Files.createTempDirectory("browser");
    var process = new ProcessBuilder(program().toString(), "--headless", "--no-sandbox", "--disable-gpu",
        "--disable-dev-shm-usage", "--remote-debugging-port=0", "--user-data-dir=" + profile, "about:blank")
        .redirectErrorStream(true).start();
    var browser = new Browser(profile, process, address(process));
    var target = browser.call("Target.createTarget", Map.of("url", page.toUri().toString()));
    browser.session = browser.call("Target.attachToTarget",
        Map.of("targetId", target.path("targetId").asText(), "flatten", true)).path("sessionId").asText();
    var until = System.nanoTime() + Duration.ofSeconds(20).toNanos();
    while (!browser.evaluate("document.readyState + location.protocol").asText().equals("completefile:")) {
      if (System.nanoTime() > until) {
        throw new AssertionError("the browser does not show " + page);
      }
      Thread.sleep(50);
    }
    return browser;
  }

  /** A page that no browser showed is not tested: without one this fails. */
  private static Path program() {
    return Stream.of(System.getenv("PATH").split(":"))
        .flatMap(folder -> Stream.of("chromium-headless-shell", "chromium", "google-chrome").map(name -> Path.of(folder, name))).filter(Files::isExecutable).findFirst()
        .orElseThrow(() -> new AssertionError("no Chromium on the PATH: apt-get install chromium-headless-shell"));
  }

  private static String address(Process process) throws IOException {
    var output = new StringBuilder();
    var lines = new BufferedReader(process.inputReader(StandardCharsets.UTF_8));
    for (var line = lines.readLine(); line != null; line = lines.readLine()) {
      var address = ADDRESS.matcher(line);
      if (address.find()) {
        var rest = new Thread(() -> lines.lines().forEach(any -> {}));
        rest.setDaemon(true);
        rest.start();
        return address.group(1);
      }
      output.append(line).append('\n');
    }
    throw new AssertionError("the browser ended: " + output);
  }

  void size(int width, int height) throws Exception {
    call("Emulation.setDeviceMetricsOverride",
        Map.of("width", width, "height", height, "deviceScaleFactor", 1, "mobile", false));
  }

  /** @param scheme dark or light */
  void media(String medium, String scheme) throws Exception {
    call("Emulation.setEmulatedMedia", Map.of("media", medium, "features",
        new Object[] {Map.of("name", "prefers-color-scheme", "value", scheme)}));
  }

  /** The value of an expression in the page. */
  JsonNode evaluate(String expression) throws Exception {
    var answer = call("Runtime.evaluate", Map.of("expression", expression, "returnByValue", true));
    if (answer.has("exceptionDetails")) {
      throw new AssertionError(expression + ": " + answer.path("exceptionDetails"));
    }
    return answer.path("result").path("value");
  }

  /** The relative luminance of a colour that an expression in the page gives, as WCAG 2 has it. */
  double brightness(String colour) throws Exception {
    var parts = evaluate(colour).asText().replaceAll("[^0-9,]", "").split(",");
    var sum = 0.0;
    for (var i = 0; i < 3; i++) {
      var value = Integer.parseInt(parts[i]) / 255.0;
      sum += new double[] {0.2126, 0.7152, 0.0722}[i]
          * (value <= 0.04045 ? value / 12.92 : Math.pow((value + 0.055) / 1.055, 2.4));
    }
    return sum;
  }

  /** The contrast of two such colours: 4.5 is what small text needs. */
  double contrast(String one, String other) throws Exception {
    var first = brightness(one);
    var second = brightness(other);
    return (Math.max(first, second) + 0.05) / (Math.min(first, second) + 0.05);
  }

  byte[] picture() throws Exception {
    return Base64.getDecoder().decode(
        call("Page.captureScreenshot", Map.of("captureBeyondViewport", true)).path("data").asText());
  }

  byte[] pdf() throws Exception {
    return Base64.getDecoder().decode(call("Page.printToPDF", Map.of("preferCSSPageSize", true,
        "printBackground", false)).path("data").asText());
  }

  private JsonNode call(String method, Map<String, ?> parameters) throws Exception {
    var id = ++sent;
    var message = (ObjectNode) JSON.createObjectNode().put("id", id).put("method", method)
        .set("params", JSON.valueToTree(parameters));
    if (!session.isEmpty()) {
      message.put("sessionId", session);
    }
    socket.sendText(message.toString(), true).join();
    while (true) {
      var answer = answers.poll(30, TimeUnit.SECONDS);
      if (answer == null || answer.has("error") && answer.path("id").asInt() == id) {
        throw new AssertionError(method + ": " + answer);
      }
      if (answer.path("id").asInt() == id) {
        return answer.path("result");
      }
    }
  }

  private final class Listener implements WebSocket.Listener {
    private final StringBuilder text = new StringBuilder();

    @Override
    public CompletionStage<?> onText(WebSocket from, CharSequence data, boolean last) {
      text.append(data);
      if (last) {
        try {
          answers.add(JSON.readTree(text.toString()));
        } catch (IOException e) {
          throw new IllegalStateException(e);
        }
        text.setLength(0);
      }
      from.request(1);
      return null;
    }
  }

  @Override
  public void close() throws Exception {
    socket.abort();
    process.destroy();
    if (!process.waitFor(10, TimeUnit.SECONDS)) {
      process.destroyForcibly().waitFor();
    }
    try (var files = Files.walk(profile)) {
      for (var file : files.sorted(Comparator.reverseOrder()).toList()) {
        Files.deleteIfExists(file);
      }
    }
  }
}
