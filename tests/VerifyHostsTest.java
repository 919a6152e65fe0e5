import static org.assertj.core.api.Assertions.assertThat;

import java.nio.file.Path;
import java.util.List;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** What verify.java says of TheHive's service and its log, on three hosts with systemd through real ssh and sudo. */
@Tag("hosts")
class VerifyHostsTest {
  @TempDir Path archives;
  private Hosts hosts;

  @BeforeEach
  void start() {
    hosts = HostsTest.startOrSkip();
  }

  private Script verify(String... arguments) {
    var script = Script.of("verify.java").args(arguments).args("--only", "services,logs");
    for (var folder : List.of("CASSANDRA_GENERAL_ARCHIVE_PATH", "ELASTICSEARCH_GENERAL_ARCHIVE_PATH",
        "GENERAL_ARCHIVE_PATH", "MINIO_ARCHIVE_PATH")) {
      script.env(folder, archives.toString());
    }
    return script.env("THEHIVE_NODES", "node1 admin@node2 node3").env("PATH", hosts.path());
  }

  private static List<String> wrong(Script.Result result) {
    assertThat(result.code()).as(result.out() + result.err()).isEqualTo(15);
    return result.out().lines().filter(line -> line.startsWith("✗") || line.startsWith("      ")).map(String::strip)
        .toList();
  }

  @Test
  void findsEveryNodeActiveAnsweringAndWithoutErrors() {
    var result = verify().run();

    assertThat(result.code()).as(result.out() + result.err()).isZero();
    assertThat(result.out().lines()
        .filter(line -> line.matches("✓ services +unit +node\\d: thehive active \\(running\\), since .*, 0 restarts"))
        .map(line -> line.replaceFirst(".*(node\\d).*", "$1")))
        .as(result.out()).containsExactly("node1", "node2", "node3");
    assertThat(result.out().lines()
        .filter(line -> line.matches("✓ services +application +http://.*:9000/api/v1/status/public answers")))
        .hasSize(3);
    assertThat(result.out().lines()
        .filter(line -> line.matches("✓ logs +errors +node\\d: none in \\d+ lines since the start"))).hasSize(3);
  }

  @Test
  void namesTheErrorLinesSinceTheStartUnlessTheyAreKnown() {
    hosts.host("node2").thehive("noisy");

    var wrong = wrong(verify().run());
    assertThat(wrong.get(0)).matches("✗ logs +errors +\\d on node2 in \\d+ lines since the start");
    assertThat(wrong).hasSizeGreaterThan(1).filteredOn(line -> line.contains("✗")).hasSize(1);
    assertThat(wrong.subList(1, wrong.size())).allMatch(line -> line.endsWith("Index query failed: all shards failed"));
    assertThat(verify("--ignore-log", "^.*Index query failed").run().code()).isZero();
    hosts.host("node2").thehive("unlogged");
    assertThat(wrong(verify().run()).get(0)).as("in its own log, from this start on")
        .matches("✗ logs +errors +[1-3] on node2 in \\d+ lines since the start");
    hosts.host("node2").thehive("normal");
    assertThat(verify().run().code()).as("errors of the run before are none of this one").isZero();
  }

  @Test
  void namesTheNodesThatAreDownStoppedOrMute() {
    hosts.host("node1").thehive("mute");
    hosts.host("node2").down();
    hosts.host("node3").exec("systemctl stop thehive");

    var wrong = wrong(verify().run());
    assertThat(wrong).as("%s", wrong)
        .anyMatch(
            line -> line.matches("✗ services +application +http://.*:9000/api/v1/status/public does not answer: .*"))
        .anyMatch(line -> line.matches("✗ services +unit +node2: ssh: .*"))
        .anyMatch(line -> line.matches("✗ logs +unit +node2: ssh: .*"))
        .anyMatch(line -> line.matches("✗ services +unit +node3: thehive inactive, .*"));
    assertThat(wrong).noneMatch(line -> line.contains("unit") && line.contains("node1"));
  }
}
