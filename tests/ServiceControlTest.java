import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** What service-control.java says where no host needs to be asked. */
class ServiceControlTest {
  @TempDir Path home;

  @Test
  void saysWhatItCanDo() {
    var nothing = control().run();
    var help = control("--help").run();

    assertThat(nothing.code()).isEqualTo(2);
    assertThat(nothing.err()).contains("Say what to do: status, stop, start, restart or logs");
    assertThat(help.code()).isZero();
    assertThat(help.out()).contains("THEHIVE_NODES", "status", "restart", "Exit codes:");
  }

  @Test
  void refusesWrongNames() {
    assertRefused(control("stop").env("THEHIVE_NODES", "node1 -oProxyCommand=evil"), 2, "'-oProxyCommand=evil' is no host");
    assertRefused(control("stop").env("THEHIVE_NODES", "node1;reboot"), 2, "'node1;reboot' is no host");
    assertRefused(control("stop").env("THEHIVE_NODES", " "), 2, "THEHIVE_NODES is set but blank");
    assertRefused(control("stop").env("THEHIVE_SERVICE", "thehive; reboot"), 2, "THEHIVE_SERVICE 'thehive; reboot' is no unit's name");
    assertRefused(control("stop", "--timeout", "0"), 2, "--timeout 0 is no time");
    assertRefused(control("logs", "--since", "today' ; reboot"), 2, "is no time");
  }

  @Test
  void startRefusesWhileARestoreIsUnfinished() throws IOException {
    var marker = home.resolve("restore-cassandra-es.unfinished");
    Files.writeString(marker, "{\"unfinished\": [\"Cassandra\"]}");
    for (var verb : new String[] {"start", "restart"}) {
      var refused = control(verb).run();
      assertThat(refused.code()).as(refused.err()).isEqualTo(13);
      assertThat(refused.err()).contains("error: a restore is unfinished: restore-cassandra-es.java (Cassandra since 20", "hint: run ./restore-cassandra-es.java again");
    }
    assertThat(control("start", "--force").run().err()).contains("warning: a restore is unfinished: restore-cassandra-es.java (Cassandra since");
    Files.writeString(marker, "no JSON");
    assertRefused(control("start"), 13, "cannot read the markers in " + home);
  }

  @Test
  void namesEveryNodeThatCannotBeReached() {
    var result = control("stop").env("THEHIVE_NODES", "nosuch.invalid root@127.0.0.1:1").run();

    assertThat(result.code()).as(result.err()).isEqualTo(11);
    assertThat(result.err()).contains("error: nosuch.invalid: ssh: Could not resolve", "error: 127.0.0.1: ssh: connect to host 127.0.0.1 port 1: Connection refused",
        "hint: try it by hand: ssh -p 1 root@127.0.0.1");
    assertThat(result.out()).contains("nosuch.invalid  unknown", "127.0.0.1       unknown");
  }

  private Script control(String... args) {
    return Script.of("service-control.java").args(args).env("CASSANDRA_GENERAL_ARCHIVE_PATH", home.toString())
        .env("GENERAL_ARCHIVE_PATH", home.toString()).env("MINIO_ARCHIVE_PATH", home.toString());
  }

  private static void assertRefused(Script script, int code, String why) {
    var result = script.run();
    assertThat(result.code()).as(result.err()).isEqualTo(code);
    assertThat(result.out()).isEmpty();
    assertThat(result.err()).contains("error: ").contains(why).doesNotContain("Exception");
  }
}
