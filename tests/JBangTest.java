import static java.nio.charset.StandardCharsets.UTF_8;
import static org.assertj.core.api.Assertions.assertThat;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import com.sun.net.httpserver.HttpExchange;
import com.sun.net.httpserver.HttpServer;
import java.io.IOException;
import java.net.InetSocketAddress;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Queue;
import java.util.concurrent.ConcurrentLinkedQueue;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.Executors;
import java.util.concurrent.TimeUnit;
import java.util.stream.Stream;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** The wrapper ./jbang: a user's arguments, input and signals reach the script; JBang itself comes safely. */
class JBangTest {
  private static final String WRAPPER = Script.ROOT.resolve("jbang").toString();
  /** The JBang that the wrapper names. */
  private static final String VERSION = ProjectTest.found("(?m)^version=(\\S+)$", Path.of(WRAPPER));
  private static final Path JAVA_HOME = Path.of(System.getProperty("java.home"));
  private static final List<String> TOOLS = List.of("awk", "chmod", "cp", "curl", "grep", "mkdir", "mktemp", "mv",
      "readlink", "rm", "sed", "sha256sum");

  @TempDir private static Path shared;
  private static Path scripts;
  private static Path tools;
  private static byte[] jar;

  @TempDir private Path temp;
  private HttpServer mirror;
  private final Queue<String> requests = new ConcurrentLinkedQueue<>();

  private interface Answer {
    void to(HttpExchange request) throws IOException, InterruptedException;
  }

  @BeforeAll
  static void writeScriptsAndGetJBangOnce() throws IOException {
    scripts = Files.createDirectories(shared.resolve("a folder's $name"));
    Files.writeString(scripts.resolve("say.java"), """
        //JAVA 17+
        class say {
          public static void main(String[] args) throws Exception {
            for (var arg : args) System.out.println("[" + arg + "]");
            System.out.print(new String(System.in.readAllBytes(), "UTF-8"));
            System.exit(args.length);
          }
        }
        """);
    Files.writeString(scripts.resolve("wait.java"), """
        //JAVA 17+
        class wait {
          public static void main(String[] args) throws Exception {
            Runtime.getRuntime().addShutdownHook(new Thread(() -> System.out.println("cleaned up")));
            System.err.println("waiting as " + ProcessHandle.current().pid());
            new java.util.concurrent.CountDownLatch(1).await();
          }
        }
        """);
    tools = Files.createDirectory(shared.resolve("tools"));
    for (var tool : TOOLS) {
      writeExecutable(tools.resolve(tool), "exec '" + which(tool) + "' \"$@\"");
    }
    var fetched = Script.command(WRAPPER, "version").env("PATH", tools.toString())
        .env("JAVA_HOME", JAVA_HOME.toString()).env("JBANG_DIR", shared.resolve("jbang").toString()).run();
    assertThat(fetched.code()).as(fetched.err()).isZero();
    jar = Files.readAllBytes(onlyFile(shared.resolve("jbang/cli")));
  }

  @BeforeEach
  void startMirror() throws IOException {
    mirror = HttpServer.create(new InetSocketAddress("127.0.0.1", 0), 0);
    mirror.setExecutor(Executors.newCachedThreadPool());
    mirror.start();
  }

  @AfterEach
  void stopMirror() {
    mirror.stop(0);
  }

  @Test
  void passesEveryArgumentUnharmed() {
    var hard = new String[] {"two words", "it's", "\"quoted\"", "*", "$HOME", "`id`", "$(id)", "", "two\nlines",
        "end\n", "back\\slash", "tab\t", "é€", "--help", "-Dx=y", "@file", "~", "!", "%s", ";", "#", "&&", ""};

    var result = jbang("say.java").args(hard).run();

    assertThat(result.out()).isEqualTo(Stream.of(hard).map(arg -> "[" + arg + "]\n").reduce("", String::concat));
    assertThat(result.code()).as("the script's own exit code").isEqualTo(hard.length);
  }

  @Test
  void passesStandardInputUnharmed() {
    var input = "one line\n\n  äöü \\n $x\nno end";

    assertThat(jbang("say.java").stdin(input).run().out()).isEqualTo(input);
  }

  @Test
  void withoutALocaleTextStaysText() throws IOException {
    for (var locale : new String[] {"C", "POSIX", null, "de_XX.UTF-8", "UTF-8"}) {
      var script = Files.writeString(temp.resolve("mark" + locale + ".java"), """
          //JAVA 17+
          class mark {
            public static void main(String[] args) {
              System.out.println("✓ " + args[0] + java.nio.file.Path.of(args[0]));
            }
          }
          """);

      var result = jbang().env("LC_ALL", locale).args(script.toString(), "ü").run();

      assertThat(result.out()).as("%s: %s", locale, result.err()).isEqualTo("✓ üü\n");
    }
  }

  /** What is not of UTF-8 would give file names other bytes; the locales here are a fake's. */
  @Test
  void inALocaleOf8BitsNamesKeepTheirBytes() throws IOException {
    var fake = Files.createDirectory(temp.resolve("bin"));
    writeExecutable(fake.resolve("locale"), "[ \"$LC_ALL\" = C.UTF-8 ] && echo UTF-8 || echo ISO-8859-1");
    var script = Files.writeString(temp.resolve("name.java"), """
        //JAVA 17+
        class name {
          public static void main(String[] args) {
            System.out.println(System.getProperty("sun.jnu.encoding"));
          }
        }
        """);

    var result = jbang().env("PATH", fake + ":" + tools).env("LC_ALL", "de_XX.ISO-8859-1").args(script.toString()).run();

    assertThat(result.out()).as(result.err()).isEqualTo("UTF-8\n");
  }

  @Test
  void handsSignalsToTheScriptAndItsCodeBack() {
    for (var signal : List.of("TERM", "INT", "HUP")) {
      var running = jbang("wait.java").start().awaitErr("waiting as ");

      assertThat(running.err()).as("the script is the process itself").contains("waiting as " + running.pid() + "\n");
      var result = running.signal(signal).await();

      assertThat(result.out()).as("SIG" + signal).contains("cleaned up");
      assertThat(result.code()).as("SIG" + signal)
          .isEqualTo(switch (signal) { case "TERM" -> 143; case "INT" -> 130; default -> 129; });
    }
  }

  @Test
  void ctrlCOnATerminalReachesTheScript() {
    var running = jbang("wait.java").onTerminal().start().awaitErr("waiting as ");

    var result = running.interrupt().await();

    assertThat(result.out()).contains("cleaned up");
    assertThat(result.code()).isEqualTo(130);
  }

  @Test
  void runsWhateverElseJBangCanDo() {
    var version = jbang().args("version").run();

    assertThat(version.code()).as(version.err()).isZero();
    assertThat(version.out()).contains(VERSION);
    assertThat(jbang().args("no-such-script").run().code()).isNotIn(0, 255);
  }

  @Test
  void withoutJavaItSaysWhichToInstall() {
    var result = jbang("say.java").env("JAVA_HOME", null).env("JDK_FOLDER", temp.toString()).run();

    assertThat(result.code()).isEqualTo(1);
    assertThat(result.out()).isEmpty();
    assertThat(result.err()).contains("error: no JDK 17 or later here\n").contains("hint: install one")
        .contains("openjdk-17");
  }

  @Test
  void anOldJavaAndOneWithoutCompilerAreNamed() throws IOException {
    writeJava(temp.resolve("old"), "11.0.22");
    writeJava(temp.resolve("jvm/jre/bin"), "21.0.2");

    var result = jbang("say.java").env("JAVA_HOME", null).env("PATH", temp.resolve("old") + ":" + tools)
        .env("JDK_FOLDER", temp.resolve("jvm").toString()).run();

    assertThat(result.code()).isEqualTo(1);
    assertThat(result.err()).contains(temp.resolve("old/java") + " is Java 11.0.22")
        .contains(temp.resolve("jvm/jre/bin/java") + " (Java 21.0.2) comes without the compiler");
  }

  @Test
  void theJdkBesideAnOldJavaIsUsed() throws IOException {
    writeJava(temp.resolve("old"), "1.8.0_402");
    var script = jbang("say.java").env("PATH", temp.resolve("old") + ":" + tools)
        .env("JDK_FOLDER", JAVA_HOME.getParent().toString());

    for (var oldHome : new String[] {null, "/nowhere"}) {
      var result = script.env("JAVA_HOME", oldHome).stdin("x").run();
      assertThat(result.out()).as(result.err()).isEqualTo("x");
    }
  }

  /** Most of a short run's time was JBang's, which printed the same command each time. */
  @Test
  void keepsJBangsCommandUntilSomethingChanges() throws IOException {
    var script = temp.resolve("tell.java");
    var home = temp.resolve("jbang");
    Files.write(Files.createDirectories(home.resolve("cli")).resolve("jbang-cli-" + VERSION + "-all.jar"), jar);
    var run = jbang().env("JBANG_DIR", home.toString()).env("JBANG_CACHE_DIR", home.resolve("cache").toString())
        .args(script.toString());
    writeTelling(script, "one");
    assertThat(run.run().out()).isEqualTo("one\n");

    var jbang = onlyFile(home.resolve("cli"));
    Files.writeString(jbang, "no jar");
    assertThat(run.run().out()).as("without JBang").isEqualTo("one\n");
    writeTelling(script, "two");
    assertThat(run.run().code()).as("another script needs JBang, which is broken").isNotZero();

    Files.write(jbang, jar);
    assertThat(run.run().out()).isEqualTo("two\n");
    try (var jars = Files.walk(home.resolve("cache/jars"))) {
      for (var built : jars.filter(file -> file.toString().endsWith(".jar")).toList()) {
        Files.delete(built);
      }
    }
    var again = run.run();
    assertThat(again.out()).as("compiled again: " + again.err()).isEqualTo("two\n");
  }

  private static void writeTelling(Path script, String text) throws IOException {
    Files.writeString(script,
        "//JAVA 17+\nclass tell { public static void main(String[] args) { System.out.println(\"%s\"); } }\n"
            .formatted(text));
  }

  @Test
  void prefersTheJBangOnPath() throws IOException {
    writeExecutable(temp.resolve("bin/jbang"), "printf '<%s>' \"$@\"; cat; exit 7");

    var result = jbang("say.java").env("PATH", temp.resolve("bin") + ":" + System.getenv("PATH"))
        .args("two words", "").stdin("input").run();

    assertThat(result.out()).isEqualTo("<" + scripts.resolve("say.java") + "><two words><>input");
    assertThat(result.code()).isEqualTo(7);
  }

  @Test
  void neverTakesItselfOrAnotherWrapperForTheJBangOnPath() throws IOException {
    Files.copy(Path.of(WRAPPER), temp.resolve("jbang"));

    var result = jbang("say.java").env("PATH", Script.ROOT + ":" + temp + ":" + tools).stdin("x").run();

    assertThat(result.out()).as(result.err()).isEqualTo("x");
  }

  @Test
  void getsJBangFromTheMirrorOnce() throws IOException {
    serve(request -> send(request, jar));

    for (var run : List.of("first", "second")) {
      var result = fresh().env("MAVEN_MIRROR_URL", mirrorUrl()).args("version").run();
      assertThat(result.code()).as(run + result.err()).isZero();
    }

    assertThat(requests).hasSize(1).first().asString().endsWith("/jbang-cli-" + VERSION + "-all.jar");
    assertThat(onlyFile(temp.resolve("jbang/cli"))).hasBinaryContent(jar);
  }

  @Test
  void getsJBangFromTheMirrorInMavensSettings() throws IOException {
    serve(request -> send(request, jar));
    Files.writeString(Files.createDirectories(temp.resolve(".m2")).resolve("settings.xml"), """
        <settings>
          <mirrors>
            <!-- <mirror><mirrorOf>*</mirrorOf><url>http://127.0.0.1:1/commented-out</url></mirror> -->
            <mirror><id>other</id><mirrorOf>*,!central</mirrorOf><url>http://127.0.0.1:1/other</url></mirror>
            <mirror>
              <id>ours</id>
              <mirrorOf>jboss, central</mirrorOf>
              <url>
                %s
              </url>
            </mirror>
          </mirrors>
        </settings>
        """.formatted(mirrorUrl()));

    var result = fresh().args("version").run();

    assertThat(result.code()).as(result.err()).isZero();
    assertThat(requests).hasSize(1);
  }

  @Test
  void takesJBangFromTheLocalRepository() throws IOException {
    var copy = temp.resolve("repository/dev/jbang/jbang-cli/%1$s/jbang-cli-%1$s-all.jar".formatted(VERSION));
    Files.createDirectories(copy.getParent());
    Files.write(copy, jar);

    var result = fresh().env("JBANG_REPO", temp.resolve("repository").toString())
        .env("MAVEN_MIRROR_URL", "http://127.0.0.1:1").args("version").run();

    assertThat(result.code()).as(result.err()).isZero();
  }

  /** A whole restore where no address can be reached, not even this host's own. */
  @Test
  void needsNoNetworkOnceEverythingIsThere() throws IOException {
    assumeTrue(Script.command("unshare", "--net", "--map-root-user", "true").run().code() == 0,
        "no network namespace can be made here");
    var live = Files.createDirectories(temp.resolve("files"));
    Attachments.writeAll(live, 3);
    HotBackup.files(live, temp, "20261122_12h00m56s");
    Files.delete(live.resolve(Attachments.name(1)));
    Script.of("restore-files-nfs.java").args("--help").run(); // gets and compiles it

    var jbang = Script.ROOT.resolve("jbang").toString();
    var result = Script
        .command("unshare", "--net", "--map-root-user", jbang, Script.ROOT.resolve("restore-files-nfs.java").toString(),
            "--yes")
        .env("ATTACHMENT_FOLDER", live.toString()).env("GENERAL_ARCHIVE_PATH", temp.resolve("storage").toString())
        .run();

    assertThat(result.code()).as(result.err()).isZero();
    assertThat(live.resolve(Attachments.name(1))).exists();
  }

  @Test
  void asksTheMirrorForWhatAScriptNeedsToo() throws IOException {
    serve(request -> request.sendResponseHeaders(404, -1));

    var result = withDependency().env("MAVEN_MIRROR_URL", mirrorUrl()).run();

    assertThat(result.code()).isNotIn(0, 255);
    assertThat(requests).anyMatch(path -> path.startsWith("/maven/org/example/"));
  }

  @Test
  void goesThroughTheProxyForJBangAndForWhatAScriptNeeds() throws IOException {
    var port = mirror.getAddress().getPort();
    serve(request -> {
      if (request.getRequestURI().getPath().endsWith("-all.jar")) {
        send(request, jar);
      } else {
        request.sendResponseHeaders(404, -1);
      }
    });
    var settings = List.of(
        List.of("MAVEN_OPTS", "-Xmx1g -Dhttp.proxyHost=127.0.0.1 -Dhttp.proxyPort=" + port),
        List.of("JBANG_JAVA_OPTIONS", "-Dhttp.proxyHost=127.0.0.1 -Dhttp.proxyPort=" + port),
        List.of("http_proxy", "http://127.0.0.1:" + port + "/"));

    for (var setting : settings) {
      requests.clear();
      var own = temp.resolve(setting.get(0));
      withDependency().env("JBANG_DIR", own.resolve("jbang").toString())
          .env("JBANG_REPO", own.resolve("repository").toString())
          .env("MAVEN_MIRROR_URL", "http://repository.invalid/maven").env(setting.get(0), setting.get(1)).run();

      assertThat(requests).as(setting.get(0)).anyMatch(path -> path.endsWith("-all.jar"))
          .anyMatch(path -> path.startsWith("/maven/org/example/"));
    }
  }

  @Test
  void refusesWhatIsNotJBangAndKeepsNothing() throws IOException {
    var other = jar.clone();
    other[other.length / 2] ^= 1;
    serve(request -> send(request, other));

    var result = fresh().env("MAVEN_MIRROR_URL", mirrorUrl()).args("version").run();

    assertThat(result.code()).isEqualTo(1);
    assertThat(result.err()).contains("error: what came from " + mirrorUrl()).contains("SHA-256");
    assertThat(temp.resolve("jbang/cli")).isEmptyDirectory();
  }

  @Test
  void saysWhereItCouldNotGetJBangAndWhereToPutIt() throws IOException {
    serve(request -> request.sendResponseHeaders(404, -1));

    var result = fresh().env("MAVEN_MIRROR_URL", mirrorUrl()).args("version").run();

    assertThat(result.code()).isEqualTo(1);
    assertThat(result.err()).contains("error: cannot get JBang from " + mirrorUrl())
        .contains(temp.resolve("jbang/cli/jbang-cli-%s-all.jar".formatted(VERSION)).toString());
  }

  @Test
  void twoWrappersMayGetItAtTheSameTime() throws IOException {
    var both = new CountDownLatch(2);
    serve(request -> {
      both.countDown();
      assertThat(both.await(30, TimeUnit.SECONDS)).isTrue();
      send(request, jar);
    });

    var running = Stream.of(1, 2)
        .map(i -> fresh().env("MAVEN_MIRROR_URL", mirrorUrl()).args("version").start()).toList();

    for (var one : running) {
      var result = one.await();
      assertThat(result.code()).as(result.err()).isZero();
    }
    assertThat(requests).hasSize(2);
    assertThat(onlyFile(temp.resolve("jbang/cli"))).hasBinaryContent(jar);
  }

  @Test
  void aKilledDownloadDoesNoHarm() throws IOException, InterruptedException {
    var half = new CountDownLatch(1);
    var end = new CountDownLatch(1);
    serve(request -> {
      request.sendResponseHeaders(200, jar.length);
      request.getResponseBody().write(jar, 0, jar.length / 2);
      request.getResponseBody().flush();
      half.countDown();
      end.await();
    });
    var running = fresh().env("MAVEN_MIRROR_URL", mirrorUrl()).args("version").start();
    assertThat(half.await(30, TimeUnit.SECONDS)).isTrue();

    running.kill();
    end.countDown();

    mirror.removeContext("/maven");
    serve(request -> send(request, jar));
    var result = fresh().env("MAVEN_MIRROR_URL", mirrorUrl()).args("version").run();
    assertThat(result.code()).as(result.err()).isZero();
  }

  /** The wrapper without a jbang on PATH, but with the cache of this class. */
  private Script jbang(String... script) {
    var command = Script.command(WRAPPER).env("PATH", tools.toString()).env("JAVA_HOME", JAVA_HOME.toString())
        .env("JBANG_DIR", shared.resolve("jbang").toString());
    for (var name : script) {
      command.args(scripts.resolve(name).toString());
    }
    return command;
  }

  /** The wrapper on a machine that never saw JBang and has no way out except the mirror. */
  private Script fresh() {
    return jbang().env("HOME", temp.toString()).env("JBANG_DIR", temp.resolve("jbang").toString())
        .env("JBANG_REPO", temp.resolve("empty").toString()).env("https_proxy", "http://127.0.0.1:1")
        .env("http_proxy", null).env("no_proxy", null).env("MAVEN_OPTS", null).env("JBANG_JAVA_OPTIONS", null);
  }

  private Script withDependency() throws IOException {
    var script = Files.writeString(temp.resolve("needy.java"), """
        //JAVA 17+
        //DEPS org.example:not-there:1.0
        class needy {
          public static void main(String[] args) {}
        }
        """);
    return jbang().args(script.toString()).env("JBANG_REPO", temp.resolve("empty").toString());
  }

  private void serve(Answer answer) {
    mirror.createContext("/maven", request -> {
      requests.add(request.getRequestURI().getPath());
      try (request) {
        answer.to(request);
      } catch (InterruptedException e) {
        Thread.currentThread().interrupt();
      }
    });
  }

  private static void send(HttpExchange request, byte[] bytes) throws IOException {
    request.sendResponseHeaders(200, bytes.length);
    request.getResponseBody().write(bytes);
  }

  private String mirrorUrl() {
    return "http://127.0.0.1:" + mirror.getAddress().getPort() + "/maven";
  }

  private static void writeJava(Path folder, String version) throws IOException {
    writeExecutable(folder.resolve("java"), "echo 'openjdk version \"" + version + "\" 2024-01-16' >&2");
  }

  private static void writeExecutable(Path file, String text) throws IOException {
    Files.createDirectories(file.getParent());
    Files.write(file, ("#!/bin/sh\n" + text + "\n").getBytes(UTF_8));
    assertThat(file.toFile().setExecutable(true)).isTrue();
  }

  private static Path onlyFile(Path folder) throws IOException {
    try (var files = Files.list(folder)) {
      var found = files.toList();
      assertThat(found).hasSize(1);
      return found.get(0);
    }
  }

  private static Path which(String tool) {
    return Stream.of(System.getenv("PATH").split(":")).map(folder -> Path.of(folder, tool))
        .filter(Files::isExecutable).findFirst().orElseThrow(() -> new AssertionError("the tests need " + tool));
  }
}
