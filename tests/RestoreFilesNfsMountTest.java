import static java.util.stream.Collectors.joining;
import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.function.Predicate;
import java.util.stream.Stream;
import org.junit.jupiter.api.Assumptions;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/**
 * restore-files-nfs.java on a real NFS mount, in a machine that {@code servers/nfs-machine} emulates: a minute each. It
 * runs there as on a host without JDK and network, from the jars of the README.
 */
@Tag("matrix")
class RestoreFilesNfsMountTest {
  /**
   * The folder is an export of 100 attachments; {@code disaster} damages it, {@code same} compares it with the backup.
   */
  private static final String BEGINNING = """
      export ATTACHMENT_FOLDER=/opt/thp/thehive/files GENERAL_ARCHIVE_PATH=/test/storage
      live=$ATTACHMENT_FOLDER
      restore() { (cd /test/offline && java @java.options -jar restore-files-nfs.jar --yes --max-delete 100 "$@"); echo "exit $?"; }
      disaster() { (cd $1/attachment; rm -rf $(ls | head -20); for f in $(ls | tail -20); do echo changed >$f; done; cd ..; mkdir -p more/deep; touch extra more/deep/er); }
      same() { diff -r --no-dereference /test/original $live && [ -z "$(find $live ! -user thehive)" ] && echo "as in the backup"; }
      serve() { rpc.nfsd --lease-time 10 --grace-time 10 4 2>/dev/null; }
      goAway() { rpc.nfsd 0; }
      attach() { mount -t nfs -o $options 127.0.0.1:/srv/files $live; }
      # As soon as the second tree is being written; as seen on the server.
      amidStaging() { until [ -n "$(ls $1/.restore-files-nfs/staging/tree 2>/dev/null)" ]; do sleep 0.1; done; }
      mkdir -p $live /srv/files
      cp -a /test/original/. /srv/files
      chmod 750 /srv/files
      disaster /srv/files
      chown -R thehive:thehive /srv/files
      echo '/srv/files 127.0.0.1(rw,no_subtree_check,fsid=1,'$squash')' >/etc/exports
      exportfs -ra
      serve
      rpc.mountd
      attach
      """;

  @TempDir static Path machine;

  @BeforeAll
  static void carryOver() throws IOException {
    var missing = Stream.of("qemu-system-x86_64", "mmdebstrap", "cpio")
        .filter(Predicate.not(Hosts::onPath)).collect(joining(", "));
    Assumptions.assumeTrue(missing.isEmpty(), "no machine with NFS without " + missing);
    var offline = Files.createDirectory(machine.resolve("offline"));
    var script = Script.ROOT.resolve("restore-files-nfs.java");
    var made = Script.command(Script.ROOT.resolve("jbang").toString(), "export", "portable", "-O",
        offline.resolve("restore-files-nfs.jar").toString(), script.toString()).run();
    assertThat(made.code()).as(made.err()).isZero();
    Files.writeString(offline.resolve("java.options"), Files.readAllLines(script).stream()
        .filter(line -> line.startsWith("//JAVA_OPTIONS ")).map(line -> line.substring(15)).collect(joining("\n")));
    Attachments.writeAll(machine.resolve("original"), 100);
    HotBackup.filesAsDocumented(machine.resolve("original"), machine, "20260131_23h05m09s");
  }

  /** What the machine says to it all. */
  private static String on(String options, String squash, String script) throws IOException {
    Files.writeString(machine.resolve("run"),
        "options=%s squash=%s\n%s%s".formatted(options, squash, BEGINNING, script));
    var result = Script.command(Script.ROOT.resolve("tests/servers/nfs-machine").toString(), machine.toString())
        .timeout(Duration.ofMinutes(9)).run();
    assertThat(result.code()).as(result.err()).isZero();
    return result.out();
  }

  @ParameterizedTest
  @CsvSource({"4.2,", "4.2,--in-place", "3,", "3,--in-place"})
  void endsExactlyAsTheBackup(String version, String option) throws IOException {
    var said = on("vers=" + version, "no_root_squash", """
        grep $live /proc/mounts
        restore %s
        same
        umount $live
        attach
        same
        """.formatted(option == null ? "" : option));

    assertThat(said).contains("vers=" + version, "exit 0")
        .containsPattern("Restored 100 files, .*: 20 new, .* 2 removed");
    assertThat(said.split("as in the backup\n")).as("twice the same, also after it was mounted again\n%s", said)
        .hasSize(3);
  }

  @Test
  void whereRootIsSquashedTheFoldersOwnerRestores() throws IOException {
    var said = on("vers=4.2", "root_squash", """
        restore
        chmod -R a+rwX /test
        rm /test/storage/.*.lock
        export live
        export -f restore
        setpriv --reuid thehive --regid thehive --clear-groups bash -c restore
        umount $live
        attach
        setpriv --reuid thehive --regid thehive --clear-groups diff -r /test/original $live && echo "as in the backup"
        """);

    assertThat(said).containsSubsequence("error: cannot write to /opt/thp/thehive/files",
        "hint: run as root, or where root is squashed as the folder's owner", "exit 13", "Restored 100 files", "exit 0",
        "as in the backup");
  }

  /** NFS keeps such a file under another name until it is closed: the old tree cannot go before. */
  @Test
  void saysWhyTheOldTreeStaysWhereAProgramHasAFileOfItOpen() throws IOException {
    var said = on("vers=4.2", "no_root_squash", """
        sleep 1000 <$live/attachment/$(ls $live/attachment | head -1) &
        restore
        diff -r --exclude=.restore-files-nfs /test/original $live && echo "the tree is the new one"
        restore
        kill $!
        sleep 1
        restore
        same
        """);

    assertThat(said).containsSubsequence("could not be removed, the next run will: a program has a file of it open",
        "exit 0", "the tree is the new one",
        "previous is in the way",
        "hint: it is an old tree, the restored one is in place: end what has files of it open, or move it away",
        "exit 13",
        "exit 0", "as in the backup");
  }

  @Test
  void waitsForAServerThatIsAwayForAWhile() throws IOException {
    var said = on("vers=4.2,hard", "no_root_squash", """
        (amidStaging /srv/files; goAway; echo away; sleep 15; serve; echo back) &
        restore
        same
        """);

    assertThat(said).containsSubsequence("away", "back", "exit 0", "as in the backup");
  }

  @Test
  void aServerThatGoesForGoodLeavesTheFolderAsItWas() throws IOException {
    var said = on("vers=4.2,soft,timeo=20,retrans=1", "no_root_squash", """
        cp -a /srv/files /before
        (amidStaging /srv/files; goAway; echo away) &
        restore
        diff -r --exclude=.restore-files-nfs /before /srv/files && echo "as it was"
        serve
        restore
        same
        """);

    assertThat(said).containsSubsequence("away", "error: ", "hint: /opt/thp/thehive/files is as it was before",
        "exit 13", "as it was",
        "exit 0", "as in the backup");
  }

  @Test
  void refusesAFolderWhoseHandleIsStale() throws IOException {
    var said = on("vers=4.2", "no_root_squash", """
        ls $live >/dev/null
        mv /srv/files /srv/gone
        mkdir /srv/files
        exportfs -ra
        rm -rf /srv/gone
        restore
        """);

    assertThat(said).containsSubsequence("error: /opt/thp/thehive/files: Stale file handle",
        "hint: is its file system mounted, and does it answer? unmount it and mount it again", "exit 13");
  }
}
