import static java.nio.charset.StandardCharsets.UTF_8;
import static org.assertj.core.api.Assertions.assertThat;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import java.io.BufferedOutputStream;
import java.io.IOException;
import java.io.OutputStream;
import java.io.RandomAccessFile;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.List;
import java.util.Random;
import java.util.concurrent.TimeUnit;
import java.util.zip.ZipEntry;
import java.util.zip.ZipOutputStream;
import org.apache.commons.compress.archivers.tar.TarArchiveEntry;
import org.apache.commons.compress.archivers.tar.TarArchiveOutputStream;
import org.awaitility.Awaitility;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

/** What an administrator may expect of restore-files-nfs.java. */
class RestoreFilesNfsTest extends FolderRestore {
  // ----------------------------------------------------------------------------------------------------------- the end

  @ParameterizedTest(name = "{0} {1}")
  @CsvSource({"tar,", "tar,--in-place", "tar.gz,", "tar.gz,--in-place", "tar.zst,", "tar.zst,--in-place"})
  void endsExactlyAsTheBackup(String type, String option) throws IOException {
    attachments(live, 60);
    var original = tree(live, true);
    var tar = backUp(type);
    damage();

    var result = restore("--yes", option).run();

    assertThat(result.code()).as(result.err()).isZero();
    assertThat(result.out()).matches("Restored \\d+ files, .* new, .* removed\n");
    assertThat(tree(live, true)).as("restored from %s", tar).isEqualTo(original);
    assertNothingLeft();
  }

  @ParameterizedTest
  @ValueSource(strings = {"", "--in-place"})
  void restoresFromAnEncryptedZip(String option) throws IOException {
    attachments(live, 30);
    sh("find %s -type l -delete; chown -R 1234:4321 %s".formatted(live, live));
    var original = tree(live, false);
    HotBackup.zip(backUp("tar"), "secret".toCharArray());
    damage();

    var result = restore("--yes", option).env("BACKUP_PASSWORD", "secret").run();

    assertThat(result.code()).as(result.err()).isZero();
    assertThat(tree(live, false)).isEqualTo(original);
    assertThat(sh("find %s -mindepth 1 ! -user 1234".formatted(live))).as("a zip without owners: the folder's owner")
        .isEmpty();
    assertThat(restore("--yes").env("BACKUP_PASSWORD", "other").run().code()).isEqualTo(12);
    assertThat(restore("--yes").run().code()).isEqualTo(12);
    assertThat(tree(live, false)).isEqualTo(original);
  }

  @Tag("matrix")
  @Test
  void restoresTwentyThousandFilesOfOneFolder() throws IOException {
    Files.createDirectories(live);
    sh("cd %s; for i in $(seq 20000); do echo $i > $(printf '%%064x' $i); done".formatted(live));
    backUp("tar");
    sh("cd %s; rm -f *1; for i in $(seq 50); do touch extra$i; done".formatted(live));

    var result = restore("--yes", "--json").run();

    assertThat(result.code()).as(result.err()).isZero();
    assertThat(result.out()).contains("\"files\" : 20000", "\"removed\" : 50", "\"new\" : 1250");
    assertThat(sh("cd %s; ls | wc -l; cat * | sort -n | md5sum; seq 20000 | md5sum".formatted(live)).split("\n"))
        .satisfies(lines -> assertThat(lines[0]).isEqualTo("20000"))
        .satisfies(lines -> assertThat(lines[1]).isEqualTo(lines[2]));
  }

  /**
   * The parts of one backup run differ by seconds: the point that Cassandra's part gives must not bring back
   * yesterday's files.
   */
  @Test
  void refusesTheFilesOfAnEarlierRunWhereThoseOfTheNamedOneAreThere() throws IOException {
    attachments(live, 5);
    backUp("tar");
    Files.copy(archives.resolve(ROOT + ".tar"), archives.resolve("files_20260130_23h05m09s.tar"));

    var result = restore("--yes", "--backup", "20260131_23h05m00s").run();

    assertRefused(result, 10, ROOT + " was taken shortly after the restore point 20260131_23h05m00s");
    assertThat(result.err()).contains("hint: for that one: --backup " + STAMP);
    assertThat(restore("--yes", "--backup", STAMP).run().code()).isZero();
  }

  /** A new host, to which the archive was copied. */
  @Test
  void aBackupThatIsNamedByItsPathNeedsNoFolderOfArchives() throws IOException {
    attachments(live, 3);
    backUp("tar");
    Files.delete(live.resolve(Attachments.name(1)));

    var result = restore("--yes", "--backup", archives.resolve(ROOT + ".tar").toString())
        .env("GENERAL_ARCHIVE_PATH", home.resolve("none").toString()).run();

    assertThat(result.code()).as(result.err()).isZero();
    assertThat(live.resolve(Attachments.name(1))).exists();
    assertThat(result.err()).contains("lock, marker and report are kept in " + archives);
  }

  /** A gigabyte of archive: with the long ones, though it needs no server. */
  @Tag("matrix")
  @ParameterizedTest
  @ValueSource(strings = {"tar", "zip"})
  void aMillionAttachmentsFitIntoTheMemoryThatTheScriptAsksFor(String type) throws Exception {
    Files.createDirectories(live);
    try (var out = new BufferedOutputStream(Files.newOutputStream(archives.resolve(ROOT + "." + type)), 1 << 20)) {
      if (type.equals("tar")) {
        writeTar(out, 1_000_000);
      } else {
        writeZip(out, 1_000_000);
      }
    }

    var running = restore("--dry-run", "--json").start();
    var peak = running.peakUntilEnd() >> 20;
    var result = running.await();

    System.out.printf("  a million attachments in a %s: %d s, at most %d MB of memory%n", type,
        result.took().toSeconds(), peak);
    assertThat(result.code()).as(result.err()).isZero();
    assertThat(result.out()).contains("\"files\" : 1000000", "\"bytes\" : 5888890", "\"new\" : 1000000",
        "\"removed\" : 0");
    assertThat(result.err()).contains("nothing was changed").doesNotContain("error:", "warning:", "Exception");
    assertThat(list(live)).isEmpty();
    assertThat(peak).as("a peak of %d MB, of a heap of at most 256 MB and what Java needs beside it", peak)
        .isBetween(100L, 400L);
  }

  private static void writeTar(OutputStream out, int attachments) throws IOException {
    var tar = new TarArchiveOutputStream(out);
    tar.setLongFileMode(TarArchiveOutputStream.LONGFILE_TRUNCATE); // the names have just the 100 bytes of a header
    for (int i = 0; i < attachments; i++) {
      var content = Integer.toString(i).getBytes(UTF_8);
      var entry = new TarArchiveEntry("%s/attachment/%064x".formatted(ROOT, i));
      entry.setSize(content.length);
      tar.putArchiveEntry(entry);
      tar.write(content);
      tar.closeArchiveEntry();
    }
    tar.finish();
  }

  private static void writeZip(OutputStream out, int attachments) throws IOException {
    var zip = new ZipOutputStream(out);
    for (int i = 0; i < attachments; i++) {
      zip.putNextEntry(new ZipEntry("%s/attachment/%064x".formatted(ROOT, i)));
      zip.write(Integer.toString(i).getBytes(UTF_8));
    }
    zip.finish();
  }

  @Test
  void removesManyFilesAndFoldersInPlace() throws IOException {
    attachments(live, 5);
    var original = tree(live, true);
    backUp("tar");
    sh(("cd %s; mkdir -p folder/a/b/c; for i in $(seq 12000); do echo > $(printf %%064x $i); done; touch"
        + " folder/a/b/x folder/a/b/c/y folder/a/z; ln -s / folder/a/b/l").formatted(live));

    var result = restore("--yes", "--in-place", "--max-delete", "100").run();

    assertThat(result.code()).as(result.err()).isZero();
    assertThat(result.out()).contains(", 12004 removed");
    assertThat(tree(live, true)).isEqualTo(original);
  }

  /** A stand-in for somebody who removes it meanwhile: strace gives that answer in the kernel's place. */
  @Test
  void namesAFileThatIsGoneWhenItsModeIsSet() throws IOException {
    assumeTrue(sh("command -v strace || true").length() > 0, "no strace: apt-get install strace");
    attachments(live, 5);
    backUp("tar");
    damage();
    var before = tree(live, true);

    var result = Script.command("strace", "-f", "-qq", "-o", "/dev/null", "-e", "trace=chmod,fchmodat", "-e",
        "inject=chmod,fchmodat:error=ENOENT",
        Script.ROOT.resolve("jbang").toString(), Script.ROOT.resolve(SCRIPT).toString(), "--yes").env(settings()).run();

    assertThat(result.code()).as(result.err()).isEqualTo(13);
    assertThat(result.err())
        .containsPattern("error: %s/\\S+: no such file\n".formatted(home.resolve(".files.restore-files-nfs")))
        .contains("hint: %s is as it was before".formatted(live)).doesNotContain("NullPointerException");
    assertThat(tree(live, true)).isEqualTo(before);
    assertNothingLeft();
  }

  @Test
  void restoresLongNamesSparseFilesAndLinks() throws IOException {
    attachments(live, 3);
    var longName = "n".repeat(251) + ".txt";
    sh("""
        cd %s; mkdir -p %s/%s; echo 1 > %s/%s/%s; : > zero; echo ä > 'ümlaut — ☃'; printf 'x' > "$(printf 'a\\nb')"
        truncate -s 30M sparse; echo end >> sparse; ln zero hard; ln -s ../zero %s/up; ln -s zero link; cd ..
        """.formatted(live, "d".repeat(120), "e".repeat(200), "d".repeat(120), "e".repeat(200), longName,
        "d".repeat(120)));
    for (var format : List.of("--format=gnu -S", "--format=posix -S --sparse-version=1.0",
        "--format=posix -S --sparse-version=0.1", "--format=posix")) {
      var original = tree(live, true);
      sh("rm -f %s/*; mv %s %s/%s; cd %s; tar cf %s/%s.tar %s %s; mv %s %s".formatted(
          archives, live, home, ROOT, home, archives, ROOT, format, ROOT, ROOT, live));
      sh("cd %s; echo damaged > sparse; rm link; rm -r ddd*".formatted(live));

      var result = restore("--yes").run();

      assertThat(result.code()).as(format + result.err()).isZero();
      assertThat(tree(live, true)).as(format).isEqualTo(original);
    }
  }

  @Test
  void readsMembersOfMoreThanEightGigabytes() throws IOException {
    // Its header as tar writes it, then nine gigabytes that are a hole.
    sh("""
        mkdir -p %s/%s; cd %s; truncate -s 9G %s/large; tar cf - %s/large 2>/dev/null | head -c 512 > %s/%s.tar
        truncate -s 9663678464 %s/%s.tar; rm -r %s; mkdir files
        """.formatted(home, ROOT, home, ROOT, ROOT, archives, ROOT, archives, ROOT, ROOT));

    var result = restore("--dry-run", "--json", "--in-place").run();

    assertThat(result.code()).as(result.err()).isZero();
    assertThat(result.out()).contains("\"bytes\" : 9663676416", "\"new\" : 1");
  }

  @Test
  void anUnpackedBackupBesideTheArchivesIsNoBackup() throws IOException {
    attachments(live, 3);
    backUp("tar");
    Files.createDirectory(archives.resolve("files_20270101_00h00m00s"));

    var result = restore("--dry-run").run();

    assertThat(result.code()).as(result.err()).isZero();
    assertThat(result.err()).contains("Restoring attachments from " + archives.resolve(ROOT + ".tar"));
  }

  @Test
  void keepsTheOldTreeBesideWhenAsked() throws IOException {
    attachments(live, 5);
    backUp("tar");
    damage();
    var damaged = tree(live, true);

    var result = restore("--yes", "--keep-previous").run();

    assertThat(result.code()).as(result.err()).isZero();
    var kept = list(home).stream().filter(path -> path.toString().contains("files.previous_")).toList();
    assertThat(kept).hasSize(1);
    assertThat(tree(kept.get(0), true)).isEqualTo(damaged);
  }

  @Test
  void givesEverythingToOneOwnerWhenAsked() throws IOException {
    attachments(live, 5);
    backUp("tar");

    var result = restore("--yes").env("ATTACHMENT_OWNER", "nobody:nogroup").run();

    assertThat(result.code()).as(result.err()).isZero();
    assertThat(result.err()).as("the folder's owner changes").contains("warning: the folder belongs to root");
    assertThat(sh("find %s ! -user nobody -o ! -group nogroup".formatted(live))).isEmpty();
    assertThat(restore("--yes").env("ATTACHMENT_OWNER", "no-such-user").run().code()).isEqualTo(2);
  }

  /** Copied by root and without owners: TheHive must be able to write all the same. */
  @ParameterizedTest
  @ValueSource(strings = {"", "--in-place"})
  void aBackupMadeTheDocumentedWayLeavesTheFolderTheHives(String option) throws IOException {
    attachments(live, 20);
    sh("chown -R 1234:4321 %s; chmod 750 %s".formatted(live, live));
    var contents = names(tree(live, false));
    HotBackup.filesAsDocumented(live, home, STAMP);
    assertThat(sh("tar tvf %s/%s.tar --numeric-owner | grep -vc ' 0/0 ' || true".formatted(archives, ROOT)))
        .as("all is root's in it").isEqualTo("0");
    damage();
    var owners = "find %s -mindepth 0 ! -user 1234 -o ! -group 4321".formatted(live);

    var planned = restore("--dry-run", option).run();
    var result = restore("--yes", option).run();

    assertThat(planned.err()).contains(
        "  Would set owners as in the backup, but 1234:4321 where it says root or nobody"
            + " (ATTACHMENT_OWNER=root:root sets root)\n");
    assertThat(result.code()).as(result.err()).isZero();
    assertThat(result.err()).contains("  Will set owners as in the backup, but 1234:4321 where it says root or nobody")
        .doesNotContain("warning:");
    assertThat(names(tree(live, false))).isEqualTo(contents);
    assertThat(sh(owners)).as("what is not TheHive's").isEmpty();
    assertThat(sh("stat -c %%a %s".formatted(live))).as("the folder's own mode, not that of the backup's umask")
        .isEqualTo("750");
    assertThat(verifyFiles()).satisfies(found -> assertThat(found.code()).as(found.out() + found.err()).isZero());

    var asked = restore("--yes", option).env("ATTACHMENT_OWNER", "root:root").run();
    assertThat(asked.code()).as(asked.err()).isZero();
    assertThat(asked.err()).contains("  Will give all of it to root:root (ATTACHMENT_OWNER)\n");
    assertThat(sh("find %s ! -user root -o ! -group root".formatted(live))).isEmpty();
    assertThat(verifyFiles().code()).as("the folder is root's now, as in the backup").isZero();
    sh("chown 1234:4321 %s".formatted(live));
    assertThat(verifyFiles()).satisfies(found -> {
      assertThat(found.code()).isEqualTo(15);
      assertThat(found.out()).contains(": root:root instead of 1234:4321");
    });
  }

  @Test
  void saysSoWhereTheFolderIsRootsInBackupAndAtHome() throws IOException {
    attachments(live, 3);
    HotBackup.filesAsDocumented(live, home, STAMP);

    var result = restore("--dry-run").run();

    assertThat(result.code()).as(result.err()).isZero();
    assertThat(result.err()).contains(
        "set owners as in the backup; the folder belongs to root there: ATTACHMENT_OWNER=thehive:thehive if"
            + " TheHive runs as thehive");
  }

  @Test
  void saysWhatItMayNotSet() throws IOException {
    attachments(live, 5);
    sh("chown 1234:4321 %s/.dot".formatted(live));
    backUp("tar");

    var result = restore("--yes").withoutRights("chown").run();

    assertThat(result.code()).as(result.err()).isEqualTo(14);
    assertThat(result.err()).contains("warning: the owner of 1 file or folder could not be set: run as root",
        "the group of 1 file",
        "error: all files are restored, but not all have their group, owner");
    assertThat(archives.resolve("restore-files-nfs.unfinished")).as("there is nothing left to restore").doesNotExist();
    assertThat(sh("stat -c %%u %s/.dot".formatted(live))).isEqualTo("0");
  }

  // -------------------------------------------------------------------------------------------------- before it starts

  @ParameterizedTest
  @CsvSource(delimiter = '|', value = {"| 2 new, 21 replaced (4 changed, 17 unchanged), 3 removed",
      "--in-place | 2 new, 4 changed, 17 unchanged, 3 removed"})
  void aDryRunTellsAndChangesNothing(String option, String counted) throws IOException {
    attachments(live, 20);
    backUp("tar");
    damage();
    var before = tree(home, true);

    var result = restore("--dry-run", option).run();

    assertThat(result.code()).as(result.err()).isZero();
    assertThat(result.out()).startsWith("Would restore 23 files, ").endsWith(": " + counted + "\n");
    assertThat(result.err()).contains("Would restore", "nothing was changed").doesNotContain("Will ");
    before.keySet().removeIf(name -> name.startsWith("storage"));
    var after = tree(home, true);
    after.keySet().removeIf(name -> name.startsWith("storage"));
    assertThat(after).isEqualTo(before);
  }

  @Test
  void asksBeforeItOverwrites() throws IOException {
    attachments(live, 3);
    backUp("tar");
    damage();
    var before = tree(live, true);

    assertThat(restore().run()).satisfies(result -> {
      assertThat(result.code()).isEqualTo(16);
      assertThat(result.err()).contains("error: not confirmed", "nothing was changed");
    });
    var asked = restore().onTerminal().start().awaitErr("to overwrite it: ").type("no\r").await();
    assertThat(asked.code()).as(asked.out()).isEqualTo(16);
    assertThat(tree(live, true)).isEqualTo(before);
    var typed = restore().onTerminal().start().awaitErr("to overwrite it: ").type(live + "\r").await();
    assertThat(typed.code()).as(typed.out()).isZero();
  }

  @Test
  void refusesWhatIsNoAttachmentFolder() throws IOException {
    attachments(live, 3);
    backUp("tar");
    var other = Files.createDirectory(home.resolve("other"));
    Files.writeString(other.resolve("passwd"), "root:x:0:0\n");

    assertRefused(restore("--yes").env("ATTACHMENT_FOLDER", " ").run(), 2, "ATTACHMENT_FOLDER is set but blank");
    assertRefused(restore("--yes", "--force").env("ATTACHMENT_FOLDER", "/").run(), 2, "ATTACHMENT_FOLDER is /");
    assertRefused(restore("--yes").env("ATTACHMENT_FOLDER", other.toString()).run(), 13,
        "does not look like TheHive's attachments");
    assertRefused(restore("--yes", "--force").env("ATTACHMENT_FOLDER", other.toString()).run(), 13,
        "--allow-other-content goes on, and removes what is there");
    assertRefused(restore("--yes").env("ATTACHMENT_FOLDER", other.resolve("passwd").toString()).run(), 13,
        "is not a folder");
    assertRefused(restore("--yes").env("ATTACHMENT_FOLDER", home.resolve("none").toString()).run(), 13,
        "there is no folder");
    assertRefused(restore("--yes", "--force").env("ATTACHMENT_FOLDER", home.resolve("none").toString()).run(), 13,
        "--create-folder creates it");
    assertRefused(restore("--yes", "--create-folder").env("ATTACHMENT_FOLDER", home.resolve("no/ne").toString()).run(),
        13, "there is no folder");
    assertRefused(restore("--yes", "--allow-other-content").env("ATTACHMENT_FOLDER", home.toString()).run(), 2,
        "the backups are in the folder");
    assertRefused(restore("--yes").env("GENERAL_ARCHIVE_PATH", other.toString()).run(), 10,
        "no backup files_<timestamp>");
    assertThat(other.resolve("passwd")).exists();

    var any = restore("--yes", "--create-folder").env("ATTACHMENT_FOLDER", home.resolve("none").toString()).run();
    assertThat(any.code()).as(any.err()).isZero();
    assertThat(tree(home.resolve("none"), true)).isEqualTo(tree(live, true));
    var overwritten = restore("--yes", "--allow-other-content", "--max-delete", "100")
        .env("ATTACHMENT_FOLDER", other.toString()).run();
    assertThat(overwritten.code()).as(overwritten.err()).isZero();
    assertThat(other.resolve("passwd")).doesNotExist();
  }

  /** Its folders are there, its files are not: a copy of a share that was not mounted. */
  @ParameterizedTest
  @ValueSource(strings = {"--force", "--allow-other-content", "--max-delete=100", "--in-place"})
  void refusesABackupWithoutFilesWhateverIsAllowed(String option) throws IOException {
    Files.createDirectories(live.resolve("attachment"));
    backUp("tar");
    attachments(live, 3);
    var before = tree(live, true);

    assertRefused(restore("--yes", option).run(), 10, "the backup holds no file at all");
    assertThat(tree(live, true)).isEqualTo(before);
  }

  @ParameterizedTest
  @ValueSource(strings = {"", "--in-place"})
  void asksAgainBeforeItRemovesMuch(String option) throws IOException {
    attachments(live, 3); // and .dot, folder/file and folder/link
    backUp("tar");
    sh("cd %s; for i in $(seq 7); do echo $i > $(printf %%064x $i); done".formatted(live));
    var before = tree(live, true);

    var refused = restore("--yes", option).run();
    assertRefused(refused, 16,
        "7 of the folder's 13 files are not in the backup and would be removed, nothing was changed");
    assertThat(refused.err()).contains("hint: are target and backup the right ones? %s--max-delete 100 removes them"
        .formatted(option.isEmpty() ? "--keep-previous keeps them, " : ""));
    var asked = restore("--yes", option).onTerminal().start().awaitErr("Type their number to remove them: ").type("6\r")
        .await();
    assertThat(asked.code()).as(asked.out()).isEqualTo(16);
    assertThat(tree(live, true)).isEqualTo(before);
    assertThat(archives.resolve("restore-files-nfs.unfinished")).doesNotExist();
    assertThat(restore("--yes", option, "--max-delete", "101").run().code()).isEqualTo(2);

    var typed = restore("--yes", option).onTerminal().start().awaitErr("Type their number to remove them: ").type("7\r")
        .await();
    assertThat(typed.code()).as(typed.out()).isZero();
    assertThat(names(tree(live, false))).hasSize(5);
    sh("cd %s; for i in $(seq 7); do echo $i > $(printf %%064x $i); done".formatted(live));
    assertThat(restore("--yes", option, "--max-delete", "54").run().code()).isZero();
    sh("cd %s; for i in $(seq 6); do echo $i > $(printf %%064x $i); done".formatted(live));
    assertThat(restore("--yes", option).run().code()).as("half of it is not more than half").isZero();
  }

  @Test
  void doesNotAskWhenTheOldTreeIsKept() throws IOException {
    attachments(live, 3);
    backUp("tar");
    sh("cd %s; for i in $(seq 7); do echo $i > $(printf %%064x $i); done".formatted(live));

    assertThat(restore("--yes", "--keep-previous").run().code()).isZero();
  }

  @Test
  void refusesAFolderThatShouldBeAMount() throws IOException {
    attachments(live, 3);
    backUp("tar");
    var table = Files.writeString(home.resolve("fstab"), "nas:/export %s nfs defaults 0 0\n".formatted(live));

    var unmounted = restore("--yes").inOwnMounts("mount --bind %s /etc/fstab".formatted(table)).run();
    assertRefused(unmounted, 13, "nothing is mounted at %s, where /etc/fstab wants nas:/export".formatted(live));
    assertThat(unmounted.err())
        .contains("hint: mount %s; --allow-unmounted restores to the disk below it".formatted(live));
    assertRefused(restore("--yes", "--force").inOwnMounts("mount --bind %s /etc/fstab".formatted(table)).run(), 13,
        "nothing is mounted at " + live);
    var below = restore("--yes", "--allow-unmounted").inOwnMounts("mount --bind %s /etc/fstab".formatted(table)).run();
    assertThat(below.code()).as(below.err()).isZero();
    assertThat(below.err()).contains("warning: nothing is mounted at " + live);
    var mounted = restore("--yes")
        .inOwnMounts("mount --bind %s /etc/fstab; mount --bind %s %s".formatted(table, live, live)).run();
    assertThat(mounted.code()).as(mounted.err()).isZero();
  }

  @Test
  void refusesAReadOnlyFileSystem() throws IOException {
    attachments(live, 3);
    backUp("tar");

    var result = restore("--yes")
        .inOwnMounts("mount --bind %1$s %1$s; mount -o remount,ro,bind %1$s".formatted(live)).run();

    assertRefused(result, 13, "cannot write to %s: Read-only file system".formatted(live));
  }

  @ParameterizedTest
  @ValueSource(strings = {"", "--in-place", "--dry-run"})
  void refusesWhatIsMountedInside(String option) throws IOException {
    attachments(live, 3);
    backUp("tar");
    var other = Files.createDirectory(home.resolve("other"));
    Files.writeString(other.resolve("precious"), "of another file system");
    var before = tree(live, true);

    var result = restore("--yes", option).inOwnMounts("mount --bind %s %s/folder".formatted(other, live)).run();

    assertRefused(result, 13, "something else is mounted inside the folder, at " + live.resolve("folder"));
    assertThat(result.err()).contains("hint: unmount it\n");
    assertThat(other.resolve("precious")).exists();
    assertThat(tree(live, true)).isEqualTo(before);
  }

  /** Such as an export below that is mounted when it is first looked into. */
  @ParameterizedTest
  @ValueSource(strings = {"", "--in-place"})
  void doesNotEmptyWhatIsMountedInsideLater(String option) throws IOException {
    attachments(live, 3);
    backUp("tar");
    damage();
    var other = Files.createDirectory(home.resolve("other"));
    assumeTrue(sh("mount -t tmpfs none %s 2>&1 || echo no".formatted(other)).isEmpty(),
        "mounting needs root and CAP_SYS_ADMIN");
    mounts.add(other);
    Files.writeString(other.resolve("precious"), "of another file system");

    var asked = restore(option).onTerminal().start().awaitErr("to overwrite it: ");
    sh("mount --bind %s %s/folder".formatted(other, live));
    var result = asked.type(live + "\r").await();
    var there = Files.exists(other.resolve("precious"));
    // it is at one of them
    sh("umount %s/folder %s/.files.restore-files-nfs/previous/folder || true".formatted(live, home));

    assertThat(there).as("what is on the other file system").isTrue();
    assertThat(result.code()).as(result.out()).isEqualTo(14);
    assertThat(result.out()).contains("something else is mounted inside the folder, at ");
    assertThat(archives.resolve("restore-files-nfs.unfinished")).exists();
    assertThat(restore("--yes", option).run().code()).isZero();
    assertNothingLeft();
  }

  @ParameterizedTest
  @ValueSource(strings = {"", "--in-place"})
  void leavesWhatTheStorageKeepsAtTheTop(String option) throws IOException {
    mountTmpfs("40m");
    attachments(live, 10);
    sh("cd %s; mkdir -p lost+found '#recycle' @eaDir; echo caught > '#recycle/deleted'".formatted(live));
    backUp("tar"); // with what could be read of it
    sh("cd %s; mkdir -p .snapshot/hourly.0 .zfs; echo 1 > .snapshot/file; echo 2 > '#recycle/deleted'".formatted(live));
    var original = tree(live, false);
    sh("mount -t tmpfs none %s/.snapshot/hourly.0; touch %s/.snapshot/hourly.0/old".formatted(live, live));
    original.put(".snapshot/hourly.0/old", tree(live, false).get(".snapshot/hourly.0/old"));
    original.put(".snapshot/hourly.0", tree(live, false).get(".snapshot/hourly.0"));
    damage();

    var result = restore("--yes", option).run();
    var restored = tree(live, false);
    sh("umount %s/.snapshot/hourly.0".formatted(live));

    assertThat(result.code()).as(result.err()).isZero();
    assertThat(restored).isEqualTo(original);
  }

  @Test
  void refusesWhileTheHiveIsRunning() throws IOException {
    attachments(live, 3);
    backUp("tar");
    damage();
    var before = tree(live, true);
    // A stand-in: a systemd with a running TheHive cannot be had here.
    var bin = Files.createDirectory(home.resolve("bin"));
    sh(("printf '#!/bin/sh\\n[ $4 = hive ] && echo ActiveState=active || echo ActiveState=inactive\\n' >"
        + " %s/systemctl; chmod +x %s/systemctl").formatted(bin, bin));
    var path = bin + ":" + System.getenv("PATH");

    var refused = restore("--yes").env("PATH", path).env("THEHIVE_SERVICE", "hive").run();
    assertRefused(refused, 13, "TheHive is still running on localhost: hive is active");
    assertThat(tree(live, true)).isEqualTo(before);
    var forced = restore("--yes", "--force").env("PATH", path).env("THEHIVE_SERVICE", "hive").run();
    assertThat(forced.code()).as(forced.err()).isZero();
    assertThat(forced.err()).contains("warning: TheHive is still running");
    assertThat(restore("--yes").env("PATH", path).run().code()).as("thehive is inactive").isZero();
  }

  @Test
  void refusesASecondRestoreAtOnce() throws IOException {
    attachments(live, 3);
    backUp("tar");
    var first = restore().onTerminal().start().awaitErr("to overwrite it: ");

    assertRefused(restore("--yes").run(), 13, "another restore is running");
    assertThat(first.type("no\r").await().code()).isEqualTo(16);
  }

  // ----------------------------------------------------------------------------------------------------------- backups

  @ParameterizedTest(name = "{0}")
  @CsvSource(delimiter = '|', value = {
      "an absolute name | tar cPf A /etc/hostname | its entry '/etc/hostname' leads out of the backup's folder",
      "a name that climbs | echo x > R/a; tar cPf A --transform s,R/a,R/../../evil, R/a | its entry 'R/../../evil'"
          + " leads out of the backup's folder",
      "a link out of the tree | ln -s /etc R/out; tar cf A R | its entry 'R/out' is a link that leaves the folder,"
          + " to '/etc'",
      "a link that climbs | mkdir R/d; ln -s ../../x R/d/climbs; tar cf A R | its entry 'R/d/climbs' is a link that"
          + " leaves the folder, to '../../x'",
      "a link that climbs through another | mkdir -p R/p/q; ln -s ../.. R/p/q/up; ln -s p/q/up/../x R/through; tar"
          + " cf A R"
          + " | its entry 'R/through' is a link that leaves the folder, to 'p/q/up/../x'",
      "a file behind a link | mkdir R/d; ln -s d R/l; echo x > R/f; tar cPf A --transform s,R/f,R/l/f, R/l R/f |"
          + " its entry 'R/l/f' lies in something that is not a folder",
      "a file in a file | echo x > R/f; echo y > R/g; tar cf A --transform s,R/g,R/f/g, R | its entry 'R/f/g' lies"
          + " in something that is not a folder",
      "a hard link out of the tree | echo x > R/f; ln R/f R/g; tar cPf A --sort=name --transform"
          + " s,^R/f,/etc/passwd,Rh R"
          + " | its entry 'R/g' is a hard link to '/etc/passwd', which is not an earlier file of it",
      "a device | mknod R/null c 1 3; tar cf A R | its entry 'R/null' is a device or something else",
      "a named pipe | mkfifo R/pipe; tar cf A R | its entry 'R/pipe' is a device or something else",
      "a file and a folder of one name | mkdir R/f; tar cf A R; rmdir R/f; echo x > R/f; tar rf A R/f | its entry"
          + " 'R/f' is there twice",
      "a name that is not UTF-8 | touch $(printf 'R/\\377\\376'); tar cf A R | has a name that is not UTF-8",
      "another folder | mkdir other; tar cf A R other | its entry 'other' is not in a folder <component>_<timestamp>",
      "no folder of its own | echo x > R/f; tar cf A -C R . | its entry 'f' is not in a folder <component>_<timestamp>",
      "nothing at all | tar cf A R | the backup holds no file at all",
  })
  void refusesAHostileArchive(String what, String script, String why) throws IOException {
    attachments(live, 3);
    var before = tree(live, true);
    var archive = archives.resolve(ROOT + ".tar");
    Files.createDirectories(home.resolve("work").resolve(ROOT));
    sh("set -e; cd %s/work; ".formatted(home) + script.replace("A", archive.toString()).replaceAll("\\bR\\b", ROOT));
    var said = why.replaceAll("\\bR\\b", ROOT);

    for (var option : List.of("", "--in-place", "--dry-run")) {
      var result = restore("--yes", option).run();

      assertRefused(result, 10, said);
      assertThat(result.err()).as("an archive that was found, and read").contains(
          what.equals("nothing at all") ? "Restoring attachments from " + archive
              : "error: " + archive + " cannot be used as a backup: its entry '");
      assertThat(tree(live, true)).as(what).isEqualTo(before);
    }
    assertThat(home.resolve("evil")).doesNotExist();
    assertNothingLeft();
  }

  @ParameterizedTest
  @ValueSource(strings = {"tar", "tar.gz", "tar.zst", "zip"})
  void aTruncatedArchiveChangesNothing(String type) throws IOException {
    attachments(live, 20);
    var archive = type.equals("zip") ? HotBackup.zip(backUp("tar"), null) : backUp(type);
    damage();
    var before = tree(live, true);
    var size = Files.size(archive);
    var cuts =
        type.equals("tar") ? List.of(membersEnd(archive), size * 2 / 3, 1536L, 0L) : List.of(size - 1, size / 2, 20L);
    for (var cut : cuts) {
      try (var file = new RandomAccessFile(archive.toFile(), "rw")) {
        file.setLength(cut);
      }
      for (var option : List.of("", "--in-place")) {
        var result = restore("--yes", option).run();

        assertRefused(result, 10, archive.toString());
        assertThat(tree(live, true)).as("cut at %d", cut).isEqualTo(before);
      }
    }
    assertNothingLeft();
  }

  // ------------------------------------------------------------------------------------------------------------ faults

  @Test
  void refusesWhenThereIsNoRoomForASecondTree() throws IOException {
    mountTmpfs("6m");
    sh("head -c 4000000 /dev/urandom > %s/%064x".formatted(live, 1));
    backUp("tar");
    var original = tree(live, true);
    sh("echo damaged > %s/%064x".formatted(live, 1));
    sh("head -c 3500000 /dev/zero > %s/%064x".formatted(live, 2));
    var before = tree(live, true);

    var refused = restore("--yes").run();

    assertRefused(refused, 13, "a second tree needs 4 MB");
    assertThat(refused.err()).contains("--in-place");
    assertThat(tree(live, true)).isEqualTo(before);
    sh("rm %s/%064x".formatted(live, 2));
    var inPlace = restore("--yes", "--in-place").run();
    assertThat(inPlace.code()).as(inPlace.err()).isZero();
    assertThat(tree(live, true)).isEqualTo(original);
  }

  @Test
  void refusesWhenThereAreNoInodesForASecondTree() throws IOException {
    mountTmpfs("6m,nr_inodes=60");
    attachments(live, 30);
    backUp("tar");

    assertRefused(restore("--yes").run(), 13, "inodes left, a second tree needs");
    assertThat(restore("--yes", "--in-place").run().code()).isZero();
  }

  @ParameterizedTest
  @ValueSource(strings = {"", "--in-place"})
  void aFullFileSystemIsNamedAndKeepsTheOldTree(String option) throws IOException {
    mountTmpfs("40m");
    sh("cd %s; for i in $(seq 30); do head -c 500000 /dev/urandom > $(printf %%064x $i); done".formatted(live));
    backUp("tar");
    damage();
    sh("cd %s; for i in $(seq 30); do echo old > $(printf %%064x $i); done".formatted(live));
    var before = tree(live, true);
    before.remove(""); // its time is that of the ballast
    // There is room while it is checked; it is taken before the confirmation is given.
    var running = restore(option).onTerminal().start().awaitErr("to overwrite it: ");
    sh("head -c 33000000 /dev/zero > %s/ballast || true".formatted(live));
    var result = running.type(live + "\r").await();
    sh("rm %s/ballast".formatted(live));

    assertThat(result.code()).as(result.out()).isEqualTo(option.isEmpty() ? 13 : 14);
    assertThat(result.out()).containsPattern("error: .*: No space left on device")
        .contains(option.isEmpty() ? live + " is as it was before" : live + " holds old and new files now");
    if (option.isEmpty()) {
      var after = tree(live, true);
      after.remove("");
      assertThat(after).isEqualTo(before);
      assertNothingLeft();
    } else {
      assertThat(archives.resolve("restore-files-nfs.unfinished")).exists();
    }
    var again = restore("--yes", option).run();
    assertThat(again.code()).as("run again with room: %s", again.err()).isZero();
    assertThat(archives.resolve("restore-files-nfs.unfinished")).doesNotExist();
  }

  @ParameterizedTest
  @ValueSource(strings = {"", "--in-place", "--keep-previous"})
  void restoresIntoAMountPoint(String option) throws IOException {
    mountTmpfs("40m");
    attachments(live, 30);
    var original = tree(live, true);
    backUp("tar");
    damage();
    var damaged = tree(live, true);

    var result = restore("--yes", option).run();

    assertThat(result.code()).as(result.err()).isZero();
    var restored = tree(live, true);
    if (option.equals("--keep-previous")) {
      var kept = list(live.resolve(".restore-files-nfs"));
      assertThat(kept).hasSize(1);
      var old = tree(kept.get(0), true);
      old.put("", damaged.get("")); // the mount point stayed where it is
      assertThat(old).isEqualTo(damaged);
      restored.keySet().removeIf(name -> name.startsWith(".restore-files-nfs"));
    }
    assertThat(restored).isEqualTo(original);
    assertNothingLeft();
  }

  @ParameterizedTest(name = "{0}")
  @ValueSource(strings = {"a folder", "a mount point"})
  void aFlushThatFailsAfterTheSwapIsNotCalledAsBefore(String kind) throws IOException {
    if (kind.equals("a mount point")) {
      mountTmpfs("40m");
    }
    attachments(live, 20);
    var original = tree(live, false);
    backUp("tar");
    damage();

    var result = restore("--yes").env("PATH", atFlush(2, "echo 'Input/output error'; exit 1")).run();

    assertThat(result.code()).as(result.err()).isEqualTo(14);
    assertThat(result.err()).contains("error: the restored tree is in place, but ", "Input/output error",
        "hint: keep TheHive stopped, and run the same command again").doesNotContain("as it was before");
    assertThat(names(tree(live, false))).containsAllEntriesOf(names(original));
    assertThat(archives.resolve("restore-files-nfs.unfinished")).exists();
    assertEndsExactly(original);
  }

  @Test
  void aMountThatGoesAfterTheSwapIsNotCalledAsBefore() throws IOException {
    var server = mountServer();
    attachments(server, 20);
    var original = tree(server, false);
    backUp("tar");
    damage();

    var result = restore("--yes", "--keep-previous").env("PATH", atFlush(2, "umount -l " + live)).run();

    assertThat(result.code()).as(result.err()).isEqualTo(14);
    assertThat(result.err()).contains(
        "error: the restored tree is in place, but %s is no longer mounted or does not answer".formatted(live));
    assertThat(list(live)).as("below the mount point").isEmpty();
    assertThat(archives.resolve("restore-files-nfs.unfinished")).exists();
    bind(server);
    assertEndsExactly(original);
  }

  @Test
  void aMountThatGoesAmidTheSwapIsNotCalledAsBefore() throws IOException {
    var server = mountServer();
    sh("cd %s; for i in $(seq 20000); do echo $i > $(printf %%064x $i); done".formatted(server));
    var original = tree(server, false);
    backUp("tar");
    sh("cd %s; for i in $(seq 200); do echo old > $(printf %%064x $i); done".formatted(server));
    var swapping =
        "(until ls %s/.restore-files-nfs/old | grep -q .; do :; done; umount -l %s) </dev/null >/dev/null 2>&1 &"
            .formatted(server, live);

    var result = restore("--yes").env("PATH", atFlush(1, swapping)).run();

    assertThat(result.code()).as(result.err()).isEqualTo(14);
    assertThat(result.err())
        .contains("and the swap could not be taken back: %s is no longer mounted or does not answer".formatted(live),
        "hint: keep TheHive stopped; nothing is lost").doesNotContain("as it was before");
    assertThat(list(live)).as("below the mount point").isEmpty();
    assertThat(list(server.resolve(".restore-files-nfs"))).isNotEmpty();
    assertThat(archives.resolve("restore-files-nfs.unfinished")).exists();
    bind(server);
    assertEndsExactly(original);
  }

  /** The rest would be written to the disk below, and be out of sight later. */
  @ParameterizedTest
  @ValueSource(strings = {"tar", "tar.gz"})
  void aMountThatGoesWhileFilesAreWrittenInPlaceEndsIt(String type) throws IOException {
    var server = mountServer();
    sh("cd %s; for i in $(seq 10000); do echo $i > $(printf %%064x $i); done".formatted(server));
    var original = tree(server, false);
    backUp(type);
    sh("cd %s; for i in $(seq 10000); do echo old > $(printf %%064x $i); done; touch extra".formatted(server));

    var running = restore("--yes", "--in-place").start().awaitErr("mixed until the end");
    sh("cd %s; until [ \"$(cat %064x)\" = 200 ]; do :; done; umount -l %s".formatted(server, 200, live));
    var result = running.await();

    assertThat(result.code()).as(result.err()).isEqualTo(14);
    assertThat(result.out()).isEqualTo("=== ✗ ERROR - attachments: exit 14 ===\n");
    assertThat(result.err()).contains("error: %s is no longer mounted or does not answer".formatted(live),
        "hint: keep TheHive stopped, remove what was written below the mount point, mount it again and run the"
            + " same command again");
    assertThat(list(live).stream().filter(path -> !path.getFileName().toString().startsWith(".restore-files-nfs.")))
        .as("below the mount point").isEmpty();
    assertThat(server.resolve("extra")).exists();
    assertThat(archives.resolve("restore-files-nfs.unfinished")).exists();
    bind(server);
    var again = restore("--yes", "--in-place").run();
    assertThat(again.code()).as(again.err()).isZero();
    assertThat(tree(server, false)).isEqualTo(original);
  }

  @Test
  void aMountThatGoesInTheLastFlushIsNoSuccess() throws IOException {
    var server = mountServer();
    attachments(server, 5);
    backUp("tar");
    damage();

    var result = restore("--yes", "--in-place").env("PATH", atFlush(1, "umount -l " + live)).run();

    assertThat(result.code()).as(result.err()).isEqualTo(14);
    assertThat(result.err()).contains("error: %s is no longer mounted or does not answer".formatted(live));
    assertThat(archives.resolve("restore-files-nfs.unfinished")).exists();
  }

  @ParameterizedTest
  @ValueSource(strings = {"", "--in-place"})
  void aMountThatGoesWhileItAsksIsSeen(String option) throws IOException {
    var server = mountServer();
    attachments(server, 5);
    backUp("tar");
    damage();
    var before = tree(server, true);

    var asked = restore(option).onTerminal().start().awaitErr("to overwrite it: ");
    sh("umount -l " + live);
    var result = asked.type(live + "\r").await();

    assertThat(result.code()).as(result.out()).isEqualTo(13);
    assertThat(result.out()).contains("error: %s is no longer mounted or does not answer".formatted(live));
    assertThat(list(live)).as("below the mount point").isEmpty();
    assertThat(tree(server, true)).isEqualTo(before);
    assertThat(archives.resolve("restore-files-nfs.unfinished")).doesNotExist();
  }

  @ParameterizedTest
  @ValueSource(strings = {"../data/files", "second"})
  void aFolderThatIsALinkIsFoundAgainAfterAKillBetweenTheTwoRenames(String link) throws IOException {
    var folder = Files.createDirectories(home.resolve("data/files"));
    Files.createDirectory(home.resolve("thehive"));
    Files.createSymbolicLink(home.resolve("thehive/second"), Path.of("../data/files"));
    var linked = Files.createSymbolicLink(home.resolve("thehive/files"), Path.of(link));
    attachments(folder, 5);
    var original = tree(folder, true);
    HotBackup.files(folder, home, STAMP);
    sh(("cd %s/data; echo old > files/.dot; mkdir -p .files.restore-files-nfs/new; mv files"
        + " .files.restore-files-nfs/previous").formatted(home));

    var result = restore("--yes").env("ATTACHMENT_FOLDER", linked.toString()).run();

    assertThat(result.code()).as(result.err()).isZero();
    assertThat(result.err())
        .contains("Putting right what an interrupted restore left in " + home.resolve("data/.files.restore-files-nfs"));
    assertThat(linked).isSymbolicLink();
    assertThat(tree(folder, true)).isEqualTo(original);
    assertThat(list(home.resolve("data"))).containsExactly(folder);
    sh("rm -r %s".formatted(folder));
    assertRefused(restore("--yes").env("ATTACHMENT_FOLDER", linked.toString()).run(), 13,
        "there is no folder " + folder);
    sh("ln -sfn files %s".formatted(linked));
    assertRefused(restore("--yes").env("ATTACHMENT_FOLDER", linked.toString()).run(), 13,
        "there is no folder " + linked);
  }

  /**
   * Such as by root first and then by TheHive's user, or where the folder is a mount point and then on the server
   * itself.
   */
  @ParameterizedTest
  @ValueSource(strings = {"", "--in-place"})
  void treesOfARestoreOfAnotherKindAreNotLost(String option) throws IOException {
    mountTmpfs("40m");
    var folder = Files.createDirectories(live.resolve("export/files"));
    attachments(folder, 5);
    HotBackup.files(folder, home, STAMP);
    sh("touch %s/extra".formatted(folder));
    var mountedHere = "mount --bind %s %s".formatted(folder, folder);
    var first = restore("--yes", "--keep-previous").env("ATTACHMENT_FOLDER", folder.toString())
        .inOwnMounts(mountedHere).run();
    assertThat(first.code()).as(first.err()).isZero();
    var before = tree(live, true);

    var above = restore("--yes", option).env("ATTACHMENT_FOLDER", folder.toString()).run();

    assertRefused(above, 13, folder.resolve(".restore-files-nfs")
        + " holds trees of a restore of another kind, from another host or as another user");
    assertThat(tree(live, true)).isEqualTo(before);
    assertThat(before.keySet()).as("the tree that was kept").anyMatch(name -> name.matches(".*/previous_.*/extra"));

    sh("mv %s/.restore-files-nfs %s/.files.restore-files-nfs".formatted(folder, folder.getParent()));
    var inside = restore("--yes", option).env("ATTACHMENT_FOLDER", folder.toString()).inOwnMounts(mountedHere).run();
    assertRefused(inside, 13,
        folder.resolveSibling(".files.restore-files-nfs") + " holds trees of a restore of another kind");
    sh("mv %s/.files.restore-files-nfs %s/kept".formatted(folder.getParent(), live));
    assertThat(restore("--yes", option).env("ATTACHMENT_FOLDER", folder.toString()).run().code()).isZero();
  }

  /** What is a mount point cannot be renamed: one that appears when all checks are made stops the swap in its midst. */
  @Test
  void aSwapThatFailsIsTakenBack() throws IOException {
    var server = mountServer();
    attachments(server, 30);
    backUp("tar");
    damage();
    var before = tree(server, true);
    before.remove(""); // its time is that of the swap

    var mounting = "mount -t tmpfs none %s/folder".formatted(live);
    var result = restore("--yes").env("PATH", atFlush(1, mounting)).run();
    sh("umount %s/folder".formatted(live));

    assertThat(result.code()).as(result.err()).isEqualTo(13);
    assertThat(result.err()).contains("folder: Device or resource busy", live + " is as it was before");
    var after = tree(server, true);
    after.remove("");
    assertThat(after).isEqualTo(before);
    assertThat(archives.resolve("restore-files-nfs.unfinished")).doesNotExist();
    assertNothingLeft();
  }

  @Test
  void anOldTreeThatIsInTheWayIsNamed() throws IOException {
    attachments(live, 3);
    backUp("tar");
    var previous = Files.createDirectories(home.resolve(".files.restore-files-nfs/previous"));
    var before = tree(live, true);
    assumeTrue(sh("touch %s/x; chattr +i %s/x 2>&1 || echo no".formatted(previous, previous)).isEmpty(),
        "chattr needs root and a file system that knows it");

    var result = restore("--yes").run();
    sh("chattr -i %s/x".formatted(previous));

    assertRefused(result, 13, previous + " is in the way");
    assertThat(result.err())
        .contains("could not be removed, the next run will: %s/x: Operation not permitted".formatted(previous));
    assertThat(tree(live, true)).isEqualTo(before);
    assertEndsExactly(tree(live, false));
  }

  @ParameterizedTest(name = "{0}")
  @ValueSource(strings = {"a folder", "a mount point"})
  @Timeout(value = 30, unit = TimeUnit.MINUTES) // of KILLS=50
  void aKilledRestoreLeavesTheOldTreeOrTheNew(String kind) throws Exception {
    if (kind.equals("a mount point")) {
      mountTmpfs("200m");
    }
    Files.createDirectories(live);
    sh(("cd %s; for i in $(seq 1500); do head -c 4000 /dev/urandom > $(printf %%064x $i); done; mkdir sub; echo new"
        + " > sub/a").formatted(live));
    backUp("tar");
    var fresh = tree(live, true);
    sh(("cd %s; for i in $(seq 1500); do echo old $i > $(printf %%064x $i); done; echo old > extra; echo old >"
        + " sub/a; mv sub/a sub/b").formatted(live));
    var old = tree(live, true);
    var seed = System.nanoTime();
    var random = new Random(seed);
    var window = 400;

    for (int i = 0; i < Script.KILLS; i++) {
      // Back to the old tree as soon as the new one is live, so that every kill finds something to spoil.
      if (names(tree(live, false)).equals(names(fresh))) {
        sh(("cd %s; for i in $(seq 1500); do echo old $i > $(printf %%064x $i); done; echo old > extra; echo old >"
            + " sub/a; mv sub/a sub/b").formatted(live));
      }
      var running = restore("--yes").start().awaitErr("Will restore");
      Thread.sleep(random.nextInt(window)); // the moment of the kill, not a wait for something
      var result = running.kill();
      if (result.code() == 0) {
        window = Math.max(100, window * 3 / 4);
      }
      assertOldOrNew("kill %d of seed %d\n%s".formatted(i, seed, result.err()), old, fresh);
    }

    var clean = restore("--yes").run();
    assertThat(clean.code()).as(clean.err()).isZero();
    assertThat(tree(live, true)).as("seed %d", seed).isEqualTo(fresh);
    assertNothingLeft();
    assertThat(archives.resolve("restore-files-nfs.unfinished")).doesNotExist();
  }

  @Test
  @Timeout(value = 30, unit = TimeUnit.MINUTES) // of KILLS=50
  void aRestoreInPlaceThatIsKilledAgainAndAgainEndsExactly() throws Exception {
    Files.createDirectories(live);
    sh("cd %s; for i in $(seq 1000); do head -c 4000 /dev/urandom > $(printf %%064x $i); done".formatted(live));
    var original = tree(live, true);
    var whole = names(original);
    backUp("tar");
    var seed = System.nanoTime();
    var random = new Random(seed);

    for (int i = 0; i < Script.KILLS; i++) {
      sh("cd %s; rm -f *[0-9]; mkdir -p extra; touch extra/x".formatted(live));
      var running = restore("--yes", "--in-place").start().awaitErr("mixed until the end");
      Thread.sleep(random.nextInt(500)); // the moment of the kill, not a wait for something
      running.kill();
      for (var file : names(tree(live, false)).entrySet()) {
        assertThat(file.getKey().contains(".restore-files-nfs.") || file.getKey().startsWith("extra/")
            || file.getValue().equals(whole.get(file.getKey()))).as("%s is whole, kill %d of seed %d", file, i, seed)
            .isTrue();
      }
    }
    var result = restore("--yes", "--in-place").run();

    assertThat(result.code()).as(result.err()).isZero();
    assertThat(tree(live, true)).as("seed %d", seed).isEqualTo(original);
    assertNothingLeft();
  }

  @ParameterizedTest
  @ValueSource(strings = {"", "--in-place"})
  void ctrlCEndsItAndTheNextRunFinishes(String option) throws IOException {
    Files.createDirectories(live);
    sh("cd %s; for i in $(seq 3000); do head -c 4000 /dev/urandom > $(printf %%064x $i); done".formatted(live));
    var original = tree(live, true);
    backUp("tar");
    sh("cd %s; rm *[0-9]; mkdir extra; touch extra/x".formatted(live));
    var before = tree(live, true);

    var interrupted =
        restore("--yes", option).start().awaitErr(option.isEmpty() ? "Staging" : "Writing").interrupt().await();
    assertThat(interrupted.code()).as(interrupted.err()).isEqualTo(130);
    assertThat(interrupted.err()).doesNotContain("\tat ");
    if (option.isEmpty()) {
      assertThat(tree(live, true)).as("the old tree").isEqualTo(before);
    }
    var result = restore("--yes", option).run();
    assertThat(result.code()).as(result.err()).isZero();
    assertThat(tree(live, true)).isEqualTo(original);
    assertNothingLeft();
  }

  /** FUSE: sshfs, whose SFTP server is a process of this host; a kernel with NFS is not needed. */
  @ParameterizedTest(name = "sshfs {0}")
  @ValueSource(strings = {"", "--in-place"})
  void restoresOverANetworkMount_sshfs(String option) throws IOException {
    assumeSshfs();
    var server = Files.createDirectory(home.resolve("server"));
    mountSshfs(server);
    attachments(server, 40);
    sh("rm %s/folder/link".formatted(server)); // sshfs does not read it
    var original = tree(server, false);
    backUp("tar");
    damage();

    var result = restore("--yes", option).run();

    assertThat(result.code()).as(result.err()).isZero();
    assertThat(tree(server, false)).isEqualTo(original);
  }

  /** Other hosts that mount it, or one level below, know the folder by its inode. */
  @ParameterizedTest
  @ValueSource(strings = {"", "--keep-previous"})
  void theFolderItselfStaysOnANetworkMount_sshfs(String option) throws IOException {
    assumeSshfs();
    var server = Files.createDirectory(home.resolve("server"));
    var folder = Files.createDirectory(server.resolve("files"));
    mountSshfs(server);
    attachments(folder, 10);
    sh("rm %s/folder/link".formatted(folder)); // sshfs does not read it
    var original = tree(folder, false);
    HotBackup.files(folder, home, STAMP);
    sh("cd %s; rm .dot; touch extra".formatted(folder));
    var inode = Files.getAttribute(folder, "unix:ino");

    var result = restore("--yes", option).env("ATTACHMENT_FOLDER", live.resolve("files").toString()).run();

    assertThat(result.code()).as(result.err()).isZero();
    assertThat(result.err()).contains("then swap, entry by entry, because the folder itself stays");
    assertThat(Files.getAttribute(folder, "unix:ino")).isEqualTo(inode);
    var restored = tree(folder, false);
    restored.keySet().removeIf(name -> name.startsWith(".restore-files-nfs"));
    assertThat(restored).isEqualTo(original);
    assertThat(list(server)).containsExactly(folder);
  }

  @ParameterizedTest
  @ValueSource(strings = {"PARENT 10.0.0.0/8(rw)", "\"PARENT\"\t*(ro)", "PARENT/files *(rw)"})
  void theFolderItselfStaysWhereItIsExported(String export) throws IOException {
    attachments(live, 10);
    var original = tree(live, true);
    backUp("tar");
    damage();
    var inode = Files.getAttribute(live, "unix:ino");

    var result = restore("--yes").inOwnMounts(exporting(export.replace("PARENT", home.toString()))).run();

    assertThat(result.code()).as(result.err()).isZero();
    assertThat(result.err()).contains("then swap, entry by entry, because the folder itself stays");
    assertThat(Files.getAttribute(live, "unix:ino")).isEqualTo(inode);
    assertThat(tree(live, true)).isEqualTo(original);
    assertNothingLeft();
  }

  @Test
  void aFolderThatNobodyElseKnowsIsSwappedByRenaming() throws IOException {
    attachments(live, 10);
    backUp("tar");

    var result = restore("--dry-run").inOwnMounts(exporting(live + "-other *(rw)")).run();

    assertThat(result.code()).as(result.err()).isZero();
    assertThat(result.err()).contains("then swap\n");
  }

  /** As where root is squashed: the server's process is nobody, whatever the script's user is. */
  @ParameterizedTest(name = "sshfs {0}")
  @ValueSource(strings = {"", "--in-place"})
  void restoresWhereTheServerSquashesRoot_sshfs(String option) throws IOException {
    assumeSshfs();
    assumeTrue(sh("id -u").equals("0"), "only root is squashed");
    var server = Files.createDirectory(home.resolve("server"));
    Attachments.writeAll(server, 20);
    sh(("cd %s; set -- attachment/*; chmod 640 $1; chmod 600 $2; chown 1234:4321 $3; touch -d '2020-02-03 04:05:06'"
        + " $4; chmod 755 %s").formatted(server, home));
    Files.createDirectories(live);
    HotBackup.files(server, home, STAMP);
    var original = tree(server, true);
    sh("cd %s; set -- attachment/*; rm $1 $2 $3; chown -R nobody:nogroup .; echo x >> $4; touch extra"
        .formatted(server));
    mountSshfs(server, "setpriv --reuid=65534 --regid=65534 --clear-groups ");

    var result = restore("--yes", option).run();

    assertThat(result.code()).as(result.err()).isEqualTo(14);
    assertThat(result.err()).contains("but nobody:nogroup where it says root or nobody")
        .contains(
            "warning: the owner of 1 file or folder could not be set: run as root (on NFS: without root squash)");
    var restored = tree(server, true);
    assertThat(restored.values()).allMatch(entry -> entry.contains(" 65534:65534"));
    original.replaceAll((name, entry) -> entry.replaceFirst(" \\d+:\\d+", " 65534:65534"));
    assertThat(restored).as("mode, time and content").isEqualTo(original);
    var again = restore("--yes", option).env("ATTACHMENT_OWNER", "nobody:nogroup").run();
    assertThat(again.code()).as(again.err()).isZero();
    assertThat(again.err()).as("nothing that could not be set").doesNotContain("warning:");
  }

  @Test
  void aNetworkMountThatBreaksKeepsTheOldTree_sshfs() throws IOException {
    assumeSshfs();
    var server = Files.createDirectory(home.resolve("server"));
    mountSshfs(server);
    sh("cd %s; for i in $(seq 1500); do echo $i > $(printf %%064x $i); done".formatted(server));
    backUp("tar");
    sh("cd %s; rm *1; touch extra".formatted(server));
    var before = tree(server, false);

    var running = restore("--yes").start(); // not awaited by its line "Staging": without a terminal that may come when all is staged
    Awaitility.await().atMost(Duration.ofMinutes(1)).pollInterval(Duration.ofMillis(1))
        .until(() -> Files.isDirectory(server.resolve(".restore-files-nfs/staging/tree")));
    sh("kill -9 $(cat %s/sftp.pid)".formatted(home));
    var result = running.await();

    assertThat(result.code()).as(result.err()).isEqualTo(13);
    assertThat(result.err()).as("sshfs unmounts itself when its server is gone").containsPattern(
        "error: %s.*(Input/output error|not connected|Connection reset by peer|is no longer mounted or does not answer)"
            .formatted(live));
    assertThat(tree(server, false).keySet().stream().filter(name -> !name.startsWith(".restore-files-nfs")).toList())
        .isEqualTo(List.copyOf(before.keySet()));
    sh("umount -l %s || true".formatted(live)); // sshfs may have done so
    mountSshfs(server);
    var again = restore("--yes").run();
    assertThat(again.code()).as(again.err()).isZero();
    assertThat(again.err()).contains("Putting right what an interrupted restore left");
    assertThat(list(server)).hasSize(1500);
  }
}
