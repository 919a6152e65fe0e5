import static org.assertj.core.api.Assertions.assertThat;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import com.fasterxml.jackson.databind.ObjectMapper;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import org.awaitility.Awaitility;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

/**
 * What restore-files-nfs.java does with folders as sites have them: wrong ones, squashed, bound, protected, with
 * others' files in them.
 */
class RestoreFilesNfsFolderTest extends FolderRestore {
  // ------------------------------------------------------------------------------------------------------ which folder

  @ParameterizedTest
  @ValueSource(strings = {"--create-folder", "--allow-unmounted", "--force", "--max-delete=100"})
  void noOtherAnswerTurnsOffTheGuardAgainstAWrongFolder(String option) throws IOException {
    attachments(live, 3);
    backUp("tar");
    var other = Files.createDirectory(home.resolve("other"));
    Files.writeString(other.resolve("passwd"), "root:x:0:0\n");

    assertRefused(restore("--yes", option).env("ATTACHMENT_FOLDER", other.toString()).run(), 13,
        "does not look like TheHive's attachments");
    assertThat(other.resolve("passwd")).exists();
  }

  @ParameterizedTest
  @ValueSource(strings = {"--allow-other-content", "--allow-unmounted", "--force"})
  void noOtherAnswerCreatesAMissingFolder(String option) throws IOException {
    attachments(live, 3);
    backUp("tar");

    assertRefused(restore("--yes", option).env("ATTACHMENT_FOLDER", home.resolve("none").toString()).run(), 13,
        "there is no folder");
    assertThat(home.resolve("none")).doesNotExist();
  }

  @ParameterizedTest
  @ValueSource(strings = {"--allow-other-content", "--create-folder", "--force"})
  void noOtherAnswerRestoresBelowAMountPoint(String option) throws IOException {
    attachments(live, 3);
    backUp("tar");
    var table = Files.writeString(home.resolve("fstab"), "nas:/export %s nfs defaults 0 0\n".formatted(live));

    assertRefused(restore("--yes", option).inOwnMounts("mount --bind %s /etc/fstab".formatted(table)).run(), 13,
        "nothing is mounted at " + live);
  }

  @Test
  void theFolderInsideTheRightOneIsRefused() throws IOException {
    attachments(live, 10);
    backUp("tar");
    var before = tree(live, true);
    var inside = live.resolve(Attachments.FOLDER);

    var refused = restore("--yes", "--max-delete", "100").env("ATTACHMENT_FOLDER", inside.toString()).run();

    assertRefused(refused, 13, inside + " does not look like TheHive's attachments");
    assertThat(refused.err()).contains("is ATTACHMENT_FOLDER the folder above, %s?".formatted(live));
    assertThat(tree(live, true)).isEqualTo(before);
  }

  @Test
  void restoresWhereAllAttachmentsAreEncrypted() throws IOException {
    attachments(live, 10);
    var original = tree(live, true);
    backUp("tar");
    sh("cd %s; for f in attachment/*; do mv $f $f.locked; done; rm -r .dot folder; touch README-NOW.txt"
        .formatted(live));

    assertRefused(restore("--yes").run(), 16, "11 of the folder's 11 files are not in the backup");
    assertThat(restore("--yes", "--max-delete", "100").run().code()).isZero();
    assertThat(tree(live, true)).isEqualTo(original);
  }

  @Test
  void thePlanNamesHostFolderAndMount() throws IOException {
    mountTmpfs("40m");
    attachments(live, 3);
    backUp("tar");

    var result = restore("--dry-run").run();

    assertThat(result.code()).as(result.err()).isZero();
    assertThat(result.err()).contains("\n%s on host %s (ATTACHMENT_FOLDER):\n".formatted(live, sh("hostname")),
        "\n  file system: none at %s (tmpfs)\n".formatted(live));
  }

  // ------------------------------------------------------------------------------------------------------------ owners

  @ParameterizedTest
  @CsvSource({"65534,", "65534,--in-place", "4294967294,", "4294967294,--in-place"})
  void aBackupMadeThroughASquashedMountLeavesTheFolderTheHives(String nobody, String option) throws IOException {
    attachments(live, 10);
    sh("chown -R -h 1234:4321 %s; chmod 750 %s".formatted(live, live));
    var original = tree(live, true);
    sh("cd %1$s; mv files %2$s; tar cf storage/%2$s.tar --owner=nobody:%3$s --group=nogroup:%3$s %2$s; mv %2$s files"
        .formatted(home, ROOT, nobody));
    damage();

    var result = restore("--yes", option).run();

    assertThat(result.code()).as(result.err()).isZero();
    assertThat(result.err()).contains("set owners as in the backup, but 1234:4321 where it says root or nobody");
    assertThat(tree(live, true)).isEqualTo(original);
  }

  // ------------------------------------------------------------------------------------------------------------ rights

  /** The owner is root here, without the right to pass over modes: what holds for any other user. */
  @ParameterizedTest(name = "{0} {1}")
  @CsvSource({"a folder,", "a folder,--in-place", "a mount point,", "a mount point,--in-place",
      "a mount point,--keep-previous"})
  void foldersWithoutWritePermissionForTheirOwnerAreRestored(String kind, String option) throws IOException {
    if (kind.equals("a mount point")) {
      mountTmpfs("40m");
    }
    attachments(live, 10);
    sh("cd %s; chown -R -h 0:0 .; chmod 555 attachment folder folder/empty .".formatted(live));
    var original = tree(live, true);
    backUp("tar");
    damage();
    sh(("cd %s; mkdir -p closed/deep; touch closed/x closed/deep/y; chmod 000 closed/deep closed; chmod 000 $(ls"
        + " attachment/* | tail -1); chmod 555 folder attachment .").formatted(live));

    var result = restore("--yes", option).withoutRights("dac_override,-dac_read_search").run();

    assertThat(result.code()).as(result.err()).isZero();
    var restored = tree(live, true);
    restored.keySet().removeIf(name -> name.startsWith(".restore-files-nfs")); // the tree that was kept
    assertThat(restored).isEqualTo(original);
    assertNothingLeft();
  }

  /** Without that right chmod reports success and leaves the bit out. */
  @ParameterizedTest
  @ValueSource(strings = {"--keep-previous", "--in-place"})
  void aModeThatIsSetWithoutEffectIsTold(String option) throws IOException {
    attachments(live, 5);
    sh("chgrp -R 4321 %1$s; chmod 2770 %1$s/attachment".formatted(live));
    backUp("tar");
    damage();

    var result = restore("--yes", option).withoutRights("fsetid").run();

    assertThat(result.code()).as(result.err()).isEqualTo(14);
    assertThat(result.err()).contains("warning: the mode of ", " could not be set",
        "error: all files are restored, but not all have their mode");
  }

  @ParameterizedTest(name = "{0}, {1} {2}")
  @CsvSource({"+i,attachment/FIRST,", "+i,attachment/FIRST,--in-place", "+i,attachment,", "+i,.,",
      "+a,attachment/FIRST,", "+a,..,", "+a,folder,--in-place",
      "+i,attachment/FIRST,--dry-run"})
  void whatChattrProtectsIsFoundBeforeAnythingIsStaged(String attribute, String name, String option)
      throws IOException {
    attachments(live, 5);
    backUp("tar");
    damage();
    var before = tree(live, true);
    var path = live.resolve(name.replace("FIRST", sh("ls %s/attachment | head -1".formatted(live)))).normalize();
    assumeTrue(sh("chattr %s %s 2>&1 || echo no".formatted(attribute, path)).isEmpty(),
        "chattr needs root and a file system that knows it");
    try {
      var result = restore("--yes", option).run();

      assertRefused(result, 13, "cannot be changed or removed, because chattr protects it (+i or +a): " + path);
      assertThat(result.err()).contains("hint: chattr -R -i -a " + path).doesNotContain("Staging", "Writing");
    } finally {
      sh("chattr -i -a %s".formatted(path));
    }
    assertThat(tree(live, true)).isEqualTo(before);
    assertNothingLeft();
    assertThat(restore("--yes").run().code()).isZero();
  }

  // ------------------------------------------------------------------------------------------------------------ mounts

  @ParameterizedTest
  @ValueSource(strings = {"", "--in-place"})
  void whereTheFolderIsMountedElsewhereTooTheRestoredFilesAreSeenThere(String option) throws IOException {
    attachments(live, 10);
    var original = tree(live, true);
    backUp("tar");
    damage();
    var mount = mountOf(live);

    var result = restore("--yes", option).run();

    assertThat(result.code()).as(result.err()).isZero();
    assertThat(tree(mount, true)).as("at the other place").isEqualTo(original);
    assertThat(tree(live, true)).isEqualTo(original);
    assertNothingLeft();
  }

  @Test
  void whereAFolderInItIsMountedElsewhereItIsOnlyRestoredInPlace() throws IOException {
    attachments(live, 10);
    var original = tree(live, true);
    backUp("tar");
    damage();
    var before = tree(live, true);
    var mount = mountOf(live.resolve(Attachments.FOLDER));

    var refused = restore("--yes").run();

    assertRefused(refused, 13,
        "%s/attachment is mounted at %s, too: it would go on showing the old files".formatted(live, mount));
    assertThat(refused.err()).contains("hint: restore with --in-place");
    assertThat(tree(live, true)).isEqualTo(before);
    assertThat(restore("--yes", "--in-place").run().code()).isZero();
    assertThat(tree(live, true)).isEqualTo(original);
    assertThat(list(mount)).hasSize(10);
  }

  private Path mountOf(Path folder) throws IOException {
    var mount = Files.createDirectory(home.resolve("elsewhere"));
    assumeTrue(sh("mount --bind %s %s 2>&1 || echo no".formatted(folder, mount)).isEmpty(),
        "mounting needs root and CAP_SYS_ADMIN");
    mounts.add(mount);
    return mount;
  }

  // ----------------------------------------------------------------------------------------------------- others' files

  @ParameterizedTest(name = "{0} {1}")
  @CsvSource({"a folder,", "a folder,--in-place", "a mount point,", "a mount point,--in-place"})
  void leavesWhatStorageKeepsAtTheTop(String kind, String option) throws IOException {
    if (kind.equals("a mount point")) {
      mountTmpfs("40m");
    }
    attachments(live, 10);
    var original = tree(live, true);
    sh("cd %s; mkdir -p .Trash-0/files @Recycle; echo caught > .Trash-0/files/x; echo 1 > aquota.user".formatted(live));
    backUp("tar"); // with what could be read of it
    sh(("cd %s; mkdir -p 'System Volume Information' .snapshot; echo 2 > .snapshot/x; echo deleted >"
        + " .Trash-0/files/x; echo 2 > aquota.user; rmdir @Recycle").formatted(live));
    damage();
    var kept = tree(live, true);
    kept.keySet().removeIf(FolderContents::isContent);

    var result = restore("--yes", option).run();

    assertThat(result.code()).as(result.err()).isZero();
    assertThat(result.err()).contains(
        "warning: skipped, because it is the storage's or an interrupted restore's, not TheHive's: .Trash-0, @Recycle, aquota.user");
    var expected = tree(live, true);
    expected.keySet().removeIf(name -> !FolderContents.isContent(name));
    original.remove(""); // its time is that of what storage keeps in it
    expected.remove("");
    assertThat(expected).isEqualTo(original);
    var there = tree(live, true);
    there.keySet().removeIf(FolderContents::isContent);
    assertThat(there).as("what storage keeps").isEqualTo(kept);
  }

  @ParameterizedTest
  @ValueSource(strings = {"", "--in-place"})
  void accessListsOfTheFolderStay(String option) throws IOException {
    attachments(live, 10);
    var original = tree(live, false);
    backUp("tar");
    damage();
    // user::rwx, user:1234:rwx, group::r-x, mask::rwx, other::---, for new files; setfacl is not everywhere
    var set = """
        import os, struct
        acl = struct.pack('<I', 2) + b''.join(struct.pack('<HHI', *e) for e in [(1,7,2**32-1),(2,7,1234),(4,5,2**32-1),(16,7,2**32-1),(32,0,2**32-1)])
        os.setxattr('%s', 'system.posix_acl_default', acl)""".formatted(live);
    assumeTrue(sh("python3 -c \"%s\" 2>&1 || echo no".formatted(set)).isEmpty(), "no ACLs here");
    var show = "python3 -c \"import os; print(os.getxattr('%s', 'system.posix_acl_default').hex())\"".formatted(live);
    var acl = sh(show);

    var result = restore("--yes", option).run();

    assertThat(result.code()).as(result.err()).isZero();
    assertThat(sh(show)).isEqualTo(acl);
    assertThat(tree(live, false)).isEqualTo(original);
    assertNothingLeft();
  }

  /** What is restored is written elsewhere, and moved there: it inherits nothing of such a folder. */
  @Test
  void saysWhereTheAccessListOfAFolderInItIsLost() throws IOException {
    attachments(live, 3);
    backUp("tar");
    var folder = live.resolve(Attachments.FOLDER);
    var set = """
        import os, struct
        acl = struct.pack('<I', 2) + b''.join(struct.pack('<HHI', *e) for e in [(1,7,2**32-1),(4,5,2**32-1),(32,0,2**32-1)])
        os.setxattr('%s', 'system.posix_acl_default', acl)""".formatted(folder);
    assumeTrue(sh("python3 -c \"%s\" 2>&1 || echo no".formatted(set)).isEmpty(), "no ACLs here");

    var result = restore("--dry-run").run();

    assertThat(result.code()).as(result.err()).isZero();
    assertThat(result.err()).contains("warning: " + folder + " has an ACL, which restored files will not have");
  }

  // --------------------------------------------------------------------------------------------- how it ends and fails

  @ParameterizedTest
  @ValueSource(
      strings = {"--nonsense", "--max-delete=200", "--workers=x", "--max-gap=soon", "--in-place --keep-previous"})
  void wrongUsageIsJsonToo(String arguments) throws IOException {
    var result = Script.of(SCRIPT).args("--json").args(arguments.split(" ")).env(settings()).run();

    assertThat(result.code()).as(result.err()).isEqualTo(2);
    var told = new ObjectMapper().readTree(result.out());
    assertThat(told.path("exit").asInt()).isEqualTo(2);
    assertThat(result.err()).contains("error: " + told.path("error").asText());
  }

  @Test
  void aResultThatCannotBeWrittenIsAnError() throws IOException {
    attachments(live, 3);
    backUp("tar");
    for (var option : List.of("--yes", "--dry-run", "--yes --json")) {
      var result =
          Script
              .command("sh", "-c",
                  "exec %s %s %s >/dev/full".formatted(Script.ROOT.resolve("jbang"), Script.ROOT.resolve(SCRIPT),
                      option))
          .env(settings()).run();

      assertThat(result.code()).as(result.err()).isEqualTo(1);
      assertThat(result.err()).contains("error: the result could not be written to standard output");
    }
  }

  @ParameterizedTest
  @ValueSource(strings = {"", "--in-place"})
  void aFullFolderOfReportsIsNamedAndChangesNothing(String option) throws IOException {
    attachments(live, 10);
    backUp("tar");
    damage();
    var before = tree(live, true);
    var state = Files.createDirectory(home.resolve("state"));
    assumeTrue(sh("mount -t tmpfs -o size=4k none %s 2>&1 || echo no".formatted(state)).isEmpty(),
        "mounting needs root and CAP_SYS_ADMIN");
    mounts.add(state);
    sh("head -c 4096 /dev/zero > %s/ballast".formatted(state));

    var result = restore("--yes", option).env("RESTORE_STATE_PATH", state.toString()).run();

    assertRefused(result, 13, "cannot write to %s: No space left on device".formatted(state));
    assertThat(result.err()).contains("hint: ", "RESTORE_STATE_PATH");
    assertThat(list(state)).extracting(path -> path.getFileName().toString()).containsExactlyInAnyOrder("ballast",
        ".restore-files-nfs.lock");
    assertThat(tree(live, true)).isEqualTo(before);
    assertNothingLeft();
  }

  /** The reason for the failure is told, not the report that cannot be written about it. */
  @Test
  void aReportThatCannotBeWrittenDoesNotHideTheReason() throws IOException {
    attachments(live, 10);
    backUp("tar");
    damage();
    var state = Files.createDirectory(home.resolve("state"));
    assumeTrue(sh("mount -t tmpfs -o size=8k none %s 2>&1 || echo no".formatted(state)).isEmpty(),
        "mounting needs root and CAP_SYS_ADMIN");
    mounts.add(state);
    sh("head -c 4096 /dev/zero > %s/ballast".formatted(state)); // the marker still fits

    var result = restore("--yes").env("RESTORE_STATE_PATH", state.toString())
        .env("PATH", atFlush(2, "echo 'Input/output error'; exit 1")).run();

    assertThat(result.code()).as(result.err()).isEqualTo(14);
    assertThat(result.err()).contains("error: the restored tree is in place, but ", "Input/output error",
        "warning: the report could not be written: cannot write to " + state);
  }

  @Test
  void anErrorOfTheVirtualMachineIsToldInWords() throws IOException {
    attachments(live, 3);
    backUp("tar.zst");
    var noexec = Files.createDirectory(home.resolve("noexec"));
    assumeTrue(sh("mount -t tmpfs -o noexec none %s 2>&1 || echo no".formatted(noexec)).isEmpty(),
        "mounting needs root and CAP_SYS_ADMIN");
    mounts.add(noexec);

    var result = restore("--yes").env("_JAVA_OPTIONS", "-Djava.io.tmpdir=" + noexec).run();

    assertThat(result.code()).as(result.err()).isEqualTo(1);
    assertThat(result.err())
        .contains("error: a library could not be loaded: ",
            "hint: is %s on a file system that is mounted noexec?".formatted(noexec))
        .doesNotContain("\tat ");
    assertThat(result.out()).isEqualTo("=== ✗ ERROR - attachments: exit 1 ===\n");
  }

  @Test
  void aDryRunEndsAsARealRunWouldBegin() throws IOException {
    attachments(live, 3);
    backUp("tar");
    sh("cd %s; for i in $(seq 20); do echo $i > attachment/$(printf %%064x $i); done".formatted(live));

    var much = restore("--dry-run").run();
    assertThat(much.code()).as(much.err()).isEqualTo(16);
    assertThat(much.err())
        .contains("Dry run: a real run would refuse now, exit 16: 20 of the folder's 26 files are not in the backup")
        .doesNotContain("every check passed");
    assertThat(restore("--dry-run", "--max-delete", "100").run().code()).isZero();

    var bin = Files.createDirectory(home.resolve("bin"));
    // a stand-in for a running TheHive
    sh("printf '#!/bin/sh\\necho ActiveState=active\\n' > %s/systemctl; chmod +x %s/systemctl".formatted(bin, bin));
    var running = restore("--dry-run", "--max-delete", "100").env("PATH", bin + ":" + System.getenv("PATH")).run();
    assertThat(running.code()).as(running.err()).isEqualTo(13);
    assertThat(running.err()).contains("Dry run: a real run would refuse now, exit 13: TheHive is still running");

    var readOnly = restore("--dry-run", "--max-delete", "100")
        .inOwnMounts("mount --bind %1$s %1$s; mount -o remount,ro,bind %1$s".formatted(archives)).run();
    assertThat(readOnly.code()).as(readOnly.err()).isEqualTo(13);
    assertThat(readOnly.err()).contains("a real run would refuse now, exit 13: cannot write to " + archives);
  }

  @ParameterizedTest(name = "flush {0} {1}: {2}")
  @CsvSource(delimiter = '|', value = {
      "1 | | LIVE is as it was before. Run the same command again.",
      "2 | | The restored tree is in place, the old one not yet removed. Keep TheHive stopped and run the same"
          + " command again.",
      "1 | --in-place | All of the backup is in LIVE, and some more. Keep TheHive stopped and run the same command"
          + " again."})
  void ctrlCWhileFlushingSaysWhetherSomethingWasChanged(int flush, String option, String said) throws IOException {
    attachments(live, 10);
    var original = tree(live, true);
    backUp("tar");
    damage();
    var waiting = home.resolve("waiting");

    var running = restore("--yes", option).env("PATH", atFlush(flush, "touch %s; sleep 5".formatted(waiting))).start();
    Awaitility.await().until(() -> Files.exists(waiting));
    var result = running.interrupt().await();

    assertThat(result.code()).as(result.err()).isEqualTo(130);
    assertThat(result.err()).contains("Interrupted. " + said.replace("LIVE", live.toString()));
    assertThat(restore("--yes", option).run().code()).isZero();
    assertThat(tree(live, true)).isEqualTo(original);
    assertNothingLeft();
  }

  @Test
  void ctrlCWhileItAsksSaysThatNothingWasChanged() throws IOException {
    attachments(live, 3);
    backUp("tar");
    damage();
    var before = tree(live, true);

    var result = restore().onTerminal().start().awaitErr("to overwrite it: ").interrupt().await();

    assertThat(result.code()).as(result.out()).isEqualTo(130);
    assertThat(result.out()).contains("Interrupted. Nothing was changed.");
    assertThat(tree(live, true)).isEqualTo(before);
  }

  @Test
  void ctrlCWhileSwappingOrRemovingSaysWhereTheTreesAre() throws IOException {
    mountTmpfs("400m");
    sh("cd %s; for i in $(seq 30000); do echo $i > $(printf %%064x $i); done".formatted(live));
    var original = tree(live, false);
    backUp("tar");
    sh("cd %s; for i in $(seq 200); do echo old > $(printf %%064x $i); done".formatted(live));

    var result = restore("--yes").start().awaitErr("Swapping").interrupt().await();

    assertThat(result.code()).as(result.err()).isEqualTo(130);
    assertThat(result.err()).containsPattern(
        ("Interrupted. (The swap has begun; nothing is lost, the trees are in %s/.restore-files-nfs|The restored"
            + " tree is in place)").formatted(live));
    assertEndsExactly(original);
  }

  @Test
  void aNextRunSaysInItsPlanThatItPutsRightWhatWasLeft() throws IOException {
    attachments(live, 5);
    sh("chown -R -h 1234:4321 %1$s; chmod 2750 %1$s".formatted(live));
    var original = tree(live, false);
    HotBackup.filesAsDocumented(live, home, STAMP);
    sh("cd %s; mkdir -p .files.restore-files-nfs/new; mv files .files.restore-files-nfs/previous".formatted(home));
    var before = tree(home.resolve(".files.restore-files-nfs"), true);

    var dry = restore("--dry-run").run();
    var declined = restore().run();

    assertThat(dry.code()).as(dry.err()).isZero();
    assertThat(dry.err()).contains(
        "  Would first put right what an interrupted restore left in " + home.resolve(".files.restore-files-nfs"),
        "but 1234:4321 where it says root");
    assertThat(declined.code()).isEqualTo(16);
    assertThat(tree(home.resolve(".files.restore-files-nfs"), true))
        .as("nothing is put right before the plan is confirmed").isEqualTo(before);
    assertThat(restore("--yes").run().code()).isZero();
    assertThat(tree(live, false)).isEqualTo(original);
    assertThat(sh("find %1$s ! -user 1234 -o ! -group 4321; stat -c %%a %1$s".formatted(live)))
        .as("not the defaults of a missing folder").isEqualTo("2750");
    assertNothingLeft();
  }

  /** What is left in the folder between two steps of a swap may look like anything. */
  @Test
  void aSwapThatWasKilledAmidItsStepsIsNotTakenForAnotherFolder() throws IOException {
    mountTmpfs("40m");
    attachments(live, 5);
    var original = tree(live, true);
    backUp("tar");
    sh(("cd %s; touch extra; mkdir -p .restore-files-nfs/new .restore-files-nfs/old; mv attachment folder .dot"
        + " .restore-files-nfs/old").formatted(live));

    var result = restore("--yes").run();

    assertThat(result.code()).as(result.err()).isZero();
    assertThat(tree(live, true)).isEqualTo(original);
    assertNothingLeft();
  }
}
