import static org.assertj.core.api.Assertions.assertThat;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import com.sun.net.httpserver.HttpExchange;
import com.sun.net.httpserver.HttpServer;
import java.io.IOException;
import java.net.InetSocketAddress;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.util.List;
import java.util.regex.Pattern;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** docs/hosts.md, by its own command lines. */
class OtherHostsTest {
  private static final String WRAPPER = Script.ROOT.resolve("jbang").toString();

  @TempDir Path temp;

  @Test
  void jarsNeedNeitherNetworkNorJBang() throws IOException {
    var offline = temp.resolve("offline");
    var exported = shell(block("export portable").replace("offline", offline.toString())).run();
    assertThat(exported.code()).as(exported.err()).isZero();
    var live = Files.createDirectories(temp.resolve("files"));
    Attachments.writeAll(live, 3);
    HotBackup.files(live, temp, "20261122_12h00m56s");
    Files.delete(live.resolve(Attachments.name(1)));

    for (var script : ProjectTest.scripts()) {
      var name = script.getFileName().toString().replace(".java", "");
      assertThat(jar(offline, name, "--version").run().out()).as(name)
          .isEqualTo(Release.text(name + ".java", "$") + "\n");
    }
    var proven = jar(offline, "verify", "archives", "--only", "files")
        .env("GENERAL_ARCHIVE_PATH", temp.resolve("storage").toString()).run();
    assertThat(proven.code()).as(proven.out() + proven.err()).isZero();
    var restored = jar(offline, "restore-files-nfs", "--yes").env("ATTACHMENT_FOLDER", live.toString())
        .env("GENERAL_ARCHIVE_PATH", temp.resolve("storage").toString()).run();
    assertThat(restored.code()).as(restored.err()).isZero();
    assertThat(live.resolve(Attachments.name(1))).exists();
  }

  /** The README's line on a host that has nothing but Java. */
  private Script jar(Path offline, String name, String... arguments) throws IOException {
    assumeTrue(Script.command("unshare", "--net", "--map-root-user", "true").run().code() == 0,
        "no network namespace can be made here");
    var line = block("@java.options").replace("java @", System.getProperty("java.home") + "/bin/java @")
        .replace("verify.jar archives", name + ".jar " + String.join(" ", arguments));
    return Script.command("unshare", "--net", "--map-root-user", "/bin/sh", "-c", line).in(offline)
        .env("HOME", temp.resolve("home").toString()).env("PATH", "/usr/bin:/bin").env("JBANG_DIR", null)
        .env("JBANG_REPO", null);
  }

  @Test
  void scriptsRunFromAWebServer() throws IOException {
    assertThat(readme()).contains("jbang verify@http://mirror.example/restore",
        "jbang trust add http://mirror.example/restore/");
    var server = HttpServer.create(new InetSocketAddress("127.0.0.2", 0), 0); // 127.0.0.1 JBang would trust unasked
    server.createContext("/restore/", request -> {
      var file = Script.ROOT.resolve(request.getRequestURI().getPath().substring("/restore/".length()));
      answer(request, Files.isRegularFile(file) ? Files.readAllBytes(file) : null);
    });
    server.start();
    try {
      var url = "http://127.0.0.2:" + server.getAddress().getPort() + "/restore";
      assertThat(fresh("trust", "add", url + "/").run().code()).isZero();
      for (var script : List.of("verify", "service-control")) {
        var version = fresh(script + "@" + url, "--version").run();
        assertThat(version.code()).as(version.err()).isZero();
        assertThat(version.out()).isEqualTo(Release.text(script + ".java", "$") + "\n");
      }
      var wrong = fresh("service-control@" + url, "nothing").run();
      assertThat(wrong.code()).as("the script's own code").isEqualTo(2);
      assertThat(wrong.err()).contains("unmatched argument at index 0: 'nothing'");
    } finally {
      server.stop(0);
    }
  }

  /** JBang writes into the home that Java knows: not the real one's .bashrc here. */
  @Test
  void scriptsBecomeCommandsByTheCatalog() throws IOException {
    var home = Files.createDirectory(temp.resolve("home"));
    var words = block("jbang app install").replace("/opt/thehive-restore", Script.ROOT.toString()).strip()
        .replace("verify", "service-control").split(" ");
    assertThat(words[0]).isEqualTo("jbang");
    var installed = fresh(List.of(words).subList(1, words.length).toArray(String[]::new))
        .env("JAVA_TOOL_OPTIONS", "-Duser.home=" + home).run();
    assertThat(installed.code()).as(installed.err()).isZero();

    var commands = temp.resolve("jbang/bin");
    var wrong = Script.command(commands.resolve("thehive-service-control").toString(), "nothing").in(home)
        .env("JBANG_DIR", temp.resolve("jbang").toString()).env("PATH", Script.ROOT + ":" + System.getenv("PATH")).run();
    assertThat(wrong.code()).as(wrong.err()).isEqualTo(2);
    assertThat(wrong.err()).contains("unmatched argument at index 0: 'nothing'");
  }

  /** JBang with no memory of what it trusts and has built, but with itself and the libraries. */
  private Script fresh(String... arguments) throws IOException {
    var own = Script.jbangJars();
    if (Files.isDirectory(own)) {
      Files.createDirectories(temp.resolve("jbang/cli"));
      try (var jars = Files.newDirectoryStream(own, "*.jar")) {
        for (var jar : jars) {
          Files.copy(jar, temp.resolve("jbang/cli").resolve(jar.getFileName()), StandardCopyOption.REPLACE_EXISTING);
        }
      }
    }
    return Script.command(WRAPPER).args(arguments).env("JBANG_DIR", temp.resolve("jbang").toString());
  }

  /** In a shell on a terminal, by the key that an administrator presses. */
  @Test
  void bashCompletesWhatTheRunbookTypes() throws IOException {
    var made = shell(block("docs/completion").replace("~/", temp + "/")).run();
    assertThat(made.code()).as(made.err()).isZero();
    var bash = Script.command("bash", "--noprofile", "--rcfile", temp.resolve(".bashrc").toString(), "-i")
        .onTerminal().start();

    press(bash, "./jbang restore-cas\t", "./jbang restore-cassandra-es.java ");
    press(bash, "./jbang restore-cassandra-es.java --th\t", " --throttle ");
    press(bash, "./jbang service-control.java sto\t--time\t", " stop --timeout ");
    press(bash, "./jbang verify.java arch\t", " archives ");
    press(bash, "./jbang tests/sandbox.\t", "./jbang tests/sandbox.java ");
    for (var script : ProjectTest.scripts()) {
      press(bash, "./jbang " + script.getFileName() + " --verb\t", script.getFileName() + " --verbose ");
    }
    assertThat(bash.type("\u0015exit\n").await().out()).doesNotContain("command not found");
  }

  /** Clears the line before. */
  private static void press(Script.Running bash, String keys, String then) {
    bash.type("\u0015" + keys).awaitOut(then);
  }

  @Test
  void newerLibrariesAreListed() throws IOException {
    var server = HttpServer.create(new InetSocketAddress("127.0.0.1", 0), 0);
    server.createContext("/",
        request -> answer(request, request.getRequestURI().getPath().endsWith("/maven-metadata.xml")
        ? "<metadata>\n  <versioning>\n    <release>99.9</release>\n".getBytes() : null));
    server.start();
    try {
      var listed = shell(block("maven-metadata").replace("https://repo1.maven.org/maven2",
          "http://127.0.0.1:" + server.getAddress().getPort())).run();
      var libraries = Stream.of(listed.out().split("\n")).toList();
      var picocli = ProjectTest.found("//DEPS info.picocli:picocli:(\\S+)", Script.ROOT.resolve("verify.java"));
      assertThat(libraries).hasSizeGreaterThan(15).contains("info.picocli:picocli " + picocli + " 99.9")
          .allSatisfy(line -> assertThat(line).matches("\\S+:\\S+ \\S+ 99[.]9"));
    } finally {
      server.stop(0);
    }
  }

  private static void answer(HttpExchange request, byte[] body) throws IOException {
    try (request) {
      request.sendResponseHeaders(body == null ? 404 : 200, body == null ? -1 : body.length);
      if (body != null) {
        request.getResponseBody().write(body);
      }
    }
  }

  private static Script shell(String lines) {
    return Script.command("bash", "-c", "set -e\n" + lines);
  }

  private static String block(String part) throws IOException {
    var blocks = Pattern.compile("(?ms)^```bash\n(.*?)^```").matcher(readme()).results().map(match -> match.group(1))
        .filter(block -> block.contains(part)).toList();
    assertThat(blocks).as("command lines of the README with %s", part).hasSize(1);
    return blocks.get(0);
  }

  private static String readme() throws IOException {
    return Files.readString(Script.ROOT.resolve("docs/hosts.md"));
  }
}
