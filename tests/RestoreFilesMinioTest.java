import static java.nio.charset.StandardCharsets.UTF_8;
import static org.assertj.core.api.Assertions.assertThat;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import com.fasterxml.jackson.databind.ObjectMapper;
import io.minio.BucketExistsArgs;
import io.minio.GetObjectArgs;
import io.minio.ListObjectsArgs;
import io.minio.ListPartsArgs;
import io.minio.MakeBucketArgs;
import io.minio.MinioAsyncClient;
import io.minio.MinioClient;
import io.minio.PutObjectArgs;
import io.minio.SetBucketEncryptionArgs;
import io.minio.SetBucketVersioningArgs;
import io.minio.SetObjectLockConfigurationArgs;
import io.minio.Signer;
import io.minio.credentials.AssumeRoleProvider;
import io.minio.messages.ObjectLockConfiguration;
import io.minio.messages.RetentionMode;
import io.minio.messages.SseConfiguration;
import io.minio.messages.VersioningConfiguration;
import java.io.IOException;
import java.io.RandomAccessFile;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.time.ZoneOffset;
import java.time.ZonedDateTime;
import java.time.format.DateTimeFormatter;
import java.util.Arrays;
import java.util.Base64;
import java.util.List;
import java.util.Map;
import java.util.Random;
import java.util.TreeMap;
import java.util.UUID;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.TimeUnit;
import okhttp3.OkHttpClient;
import okhttp3.Request;
import org.apache.commons.compress.archivers.tar.TarArchiveEntry;
import org.apache.commons.compress.archivers.tar.TarArchiveOutputStream;
import org.apache.commons.compress.archivers.tar.TarConstants;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

/** What an administrator may expect of restore-files-minio.java, on a real MinIO where there is one and on S3Proxy. */
@Tag("servers")
class RestoreFilesMinioTest {
  private static final String STAMP = "20261122_12h00m56s";
  private static final String NAME = "minio_" + STAMP;
  private static final int PART = 8 << 20;

  private static Server main;
  private static Server proxy;
  private static Path mirror;
  private static Path archive;
  private static Map<String, byte[]> files;
  private static Map<String, String> backup;

  @TempDir static Path work;

  private Path archives;
  private Bucket bucket;

  @BeforeAll
  static void start() throws Exception {
    main = Stack.s3("127.0.4.10");
    proxy = Stack.s3("127.0.4.11", "--kind=s3proxy");
    System.out.println("  S3 on 127.0.4.10: " + main.tool("kind") + ", on 127.0.4.11: " + proxy.tool("kind"));
    mirror = work.resolve("mirror");
    Attachments.writeAll(mirror, 30);
    Files.write(mirror.resolve("empty"), new byte[0]);
    Files.write(Files.createDirectories(mirror.resolve("a/b")).resolve("large"), noise(2 * PART + 12345));
    Files.write(mirror.resolve("a/exactly-one-part"), noise(PART));
    Files.write(mirror.resolve("a/ä %+&=? ☃.txt"), noise(77));
    // S3Proxy adds to the names of its files: it has no room for all 255 bytes of a name
    Files.write(mirror.resolve("n".repeat(200)), noise(78));
    Files.write(Files.createDirectories(mirror.resolve("d".repeat(200))).resolve("e".repeat(200)), noise(79));
    Files.write(mirror.resolve(".dot"), noise(80));
    archive = HotBackup.minio(mirror, work, STAMP);
    files = contentOf(mirror);
    backup = new TreeMap<>();
    files.forEach((key, content) -> backup.put(key, digest(content)));
  }

  @AfterAll
  static void close() {
    main.close();
    proxy.close();
  }

  @BeforeEach
  void prepare() throws Exception {
    archives = Files.createDirectories(work.resolve(UUID.randomUUID().toString()));
    Files.createLink(archives.resolve(NAME + ".tar"), archive);
    bucket = new Bucket(main, "b-" + UUID.randomUUID());
    bucket.create();
  }

  @ParameterizedTest
  @CsvSource({"main,--json=false", "main,--one-by-one", "proxy,--json=false"})
  void theBucketEndsUpExactlyAsTheBackup(String where, String option) throws Exception {
    bucket = new Bucket(where.equals("main") ? main : proxy, bucket.name);
    damage();

    var result = restore(option).run();

    assertThat(result.code()).as(result.err()).isZero();
    assertThat(bucket.content()).isEqualTo(backup);
    assertThat(result.err().contains("small objects as tars"))
        .as("the fast way was taken")
        .isEqualTo(!option.equals("--one-by-one") && bucket.server.tool("kind").equals("minio"));
    assertThat(result.out()).contains("✓ Restored %d objects: %d new, 3 changed, 3 unchanged, 1 removed".formatted(
        backup.size(), backup.size() - 6));
  }

  /** Versity's is a gateway to a POSIX folder, which makes no buckets; Go builds it once. */
  @Tag("matrix")
  @ParameterizedTest
  @CsvSource({"versitygw, versitygw, go", "seaweedfs, weed, pip3"})
  void theSameOnOtherServers(String kind, String program, String source) throws Exception {
    assumeTrue(
        Script
            .command("sh", "-c",
                "command -v %1$s || command -v %2$s || test -x ~/.cache/thehive-restore/%1$s".formatted(program,
                    source))
        .run().code() == 0, "no " + program + ", and no " + source + " to get it");
    try (var other = Stack.s3("127.0.4.14", "--kind=" + kind)) {
      bucket = new Bucket(other, bucket.name);
      if (kind.equals("versitygw")) {
        var refused = restore("--create-bucket").run();
        assertThat(refused.code()).as(refused.err()).isEqualTo(13);
        assertThat(refused.err()).contains("InvalidLocationConstraint",
            "hint: nothing was changed; create the bucket with the server's own tools");
        Files.createDirectory(other.data().resolve(bucket.name));
      }
      damage();
      assertThat(restore("--dry-run").run().out()).contains("31 new, 3 changed, 3 unchanged, 1 removed");

      var result = restore().run();

      assertThat(result.code()).as(result.err()).isZero();
      assertThat(result.out()).contains("31 new, 3 changed, 3 unchanged, 1 removed");
      assertThat(bucket.content()).isEqualTo(backup);
      assertThat(restore().run().out()).contains("0 new, 0 changed, 37 unchanged, 0 removed, 0 kB sent");
      assertThat(restore().env("MINIO_SECRET_KEY", "wrong").run().code()).isEqualTo(12);
      bucket.remove("a/b/large");
      try (var wire = new Wire("127.0.4.12", other)) {
        wire.deadAfter(PART);
        assertThat(restore().env("MINIO_ENDPOINT", wire.url()).run().code()).isEqualTo(11);
      }
      assertThat(restore().run().code()).isZero();
      assertThat(bucket.content()).isEqualTo(backup);
    }
  }

  @Test
  void aSecondRunSendsNothing() throws Exception {
    restore().run();
    var before = bucket.versionsAndTimes();

    var result = restore().run();

    assertThat(result.code()).as(result.err()).isZero();
    assertThat(result.out()).contains("0 new, 0 changed, 37 unchanged, 0 removed, 0 kB sent");
    assertThat(bucket.versionsAndTimes()).isEqualTo(before);
  }

  @Test
  void objectsThatOthersSentInPartsOfTheirOwnSizeAreNotSentAgain() throws Exception {
    bucket.putInParts("a/b/large", files.get("a/b/large"), 5 << 20);

    var result = restore("--dry-run").run();

    assertThat(result.out()).as(result.err()).contains("36 new, 0 changed, 1 unchanged");
  }

  @Test
  void contentOfTheSameLengthIsTakenForChanged() throws Exception {
    assertThat(restore().run().err()).as("the bar ends when all is sent").contains("Sending [====================]");
    var other = files.get("a/b/large").clone();
    other[other.length - 1]++;
    bucket.putInParts("a/b/large", other, PART);

    var result = restore().run();

    assertThat(result.out()).as(result.err()).contains("1 changed, 36 unchanged");
    assertThat(bucket.content()).isEqualTo(backup);
  }

  @Test
  void aDryRunChangesNothing() throws Exception {
    damage();
    var before = bucket.versionsAndTimes();

    var result = restore("--dry-run").run();

    assertThat(result.code()).as(result.err()).isZero();
    assertThat(result.out()).contains("✓ Would restore 37 objects: 31 new, 3 changed, 3 unchanged, 1 removed");
    assertThat(result.err()).contains("Would send 31 new objects and 3 changed (", "Would remove 1 object that is"
        + " not in the backup");
    assertThat(bucket.versionsAndTimes()).isEqualTo(before);
    assertThat(archives).as("no report of a dry run").isDirectoryNotContaining("glob:**.json");
  }

  @Test
  void nothingIsChangedWithoutAYes() throws Exception {
    damage();
    var before = bucket.versionsAndTimes();

    var result = script().run();

    assertThat(result.code()).isEqualTo(16);
    assertThat(result.err()).contains("error: not confirmed", "hint: add --yes");
    assertThat(bucket.versionsAndTimes()).isEqualTo(before);
  }

  @Test
  void onATerminalServerAndBucketAreTheYes() throws Exception {
    damage();

    var running = script().onTerminal().start();
    running.awaitErr("Type 127.0.4.10:9000/" + bucket.name).type("127.0.4.10:9000/" + bucket.name + "\n");

    assertThat(running.await().code()).isZero();
    assertThat(bucket.content()).isEqualTo(backup);
  }

  @Test
  void theObjectsOfAnEarlierRunAreRefusedWhereThoseOfTheNamedOneAreThere() throws Exception {
    Files.createLink(archives.resolve("minio_20200101_00h00m00s.tar"), archive);
    var before = STAMP.replaceFirst("\\d\\ds$", "00s");

    var result = restore("--backup", before).run();

    assertThat(result.code()).as(result.err()).isEqualTo(10);
    assertThat(result.err()).contains(NAME + " was taken shortly after the restore point " + before);
    assertThat(bucket.content()).isEmpty();
  }

  @Test
  void extraObjectsStayWhenToldSo() throws Exception {
    damage();

    var result = restore("--keep-extra").run();

    assertThat(result.code()).as(result.err()).isZero();
    assertThat(result.out()).contains("1 extra left");
    assertThat(bucket.content()).containsOnlyKeys(with(backup.keySet(), "extra")).containsAllEntriesOf(backup);
  }

  @Test
  void moreThanHalfOfABucketIsNotRemovedOnTheFirstYes() throws Exception {
    for (var i = 0; i < 10; i++) {
      bucket.put("other/" + i, noise(i));
    }

    var refused = restore().run();

    assertThat(refused.code()).isEqualTo(16);
    assertThat(refused.err()).contains("10 of the bucket's 10 objects are not in the backup",
        "hint: are target and backup the right ones");
    assertThat(bucket.content()).hasSize(10);

    var terminal = restore().onTerminal().start();
    terminal.awaitErr("Type their number").type("10\n");

    assertThat(terminal.await().code()).isZero();
    assertThat(bucket.content()).isEqualTo(backup);

    Files.delete(archives.resolve(NAME + ".tar"));
    tar("minio_20261122_13h00m00s", "one", noise(5));
    assertThat(restore("--max-delete", "100").run().code()).isZero();
    assertThat(bucket.content()).containsOnlyKeys("one");
  }

  /** A typing error would otherwise make a second bucket, while TheHive goes on reading the first. */
  @ParameterizedTest
  @ValueSource(strings = {"", "--dry-run"})
  void aMissingBucketIsRefusedAndCreatedOnlyWhenToldSo(String option) throws Exception {
    bucket = new Bucket(main, "missing-" + UUID.randomUUID());
    var refused = option.isEmpty() ? restore().run() : restore(option).run();

    assertThat(refused.code()).isEqualTo(13);
    assertThat(refused.err()).contains("error: there is no bucket " + bucket.name + " at http://127.0.4.10:9000",
        "hint: check MINIO_BUCKET",
        "--create-bucket creates it");
    assertThat(refused.out()).isEqualTo("=== ✗ ERROR - attachments: exit 13 ===\n");
    assertThat(bucket.exists()).isFalse();

    var planned = restore("--create-bucket", "--dry-run").run();
    assertThat(planned.code()).as(planned.err()).isZero();
    assertThat(planned.err()).contains("  Would create it\n");
    assertThat(bucket.exists()).isFalse();

    var result = restore("--create-bucket").run();
    assertThat(result.code()).as(result.err()).isZero();
    assertThat(bucket.content()).isEqualTo(backup);
  }

  @Test
  void theProbeNeverStays() throws Exception {
    bucket.version();
    bucket.put(".thehive-restore-probe-of-a-killed-run", noise(1));

    var result = restore("--keep-extra").run();

    assertThat(result.code()).as(result.err()).isZero();
    assertThat(bucket.content()).isEqualTo(backup);
    assertThat(bucket.versionsAndTimes().keySet()).as("versions of a probe of this run")
        .noneMatch(key -> key.contains("probe") && !key.contains("killed-run"));
  }

  @Test
  void aVersionedBucketIsRestoredAndItsOldVersionsStay() throws Exception {
    bucket.version();
    damage();

    var result = restore().run();

    assertThat(result.code()).as(result.err()).isZero();
    assertThat(result.err()).contains("it is versioned: what is changed or removed stays in it as older versions");
    assertThat(bucket.content()).isEqualTo(backup);
    assertThat(bucket.versionsAndTimes().keySet()).anyMatch(key -> key.startsWith("extra "));
  }

  @Test
  void anObjectLockedBucketIsRestoredAndSaysWhatStays() throws Exception {
    bucket = new Bucket(main, "locked-" + UUID.randomUUID());
    bucket.createLocked();
    bucket.put("extra", noise(1));
    var key = files.keySet().iterator().next();
    bucket.put(key, noise(2));
    var before = bucket.versionsAndTimes();
    assertThat(before).as("one version of each").hasSize(2);

    var result = restore("--max-delete", "100").run();

    assertThat(result.code()).as(result.err()).isZero();
    assertThat(result.err())
        .contains("  it is versioned and object-locked: what is changed or removed stays in it as older versions\n");
    assertThat(bucket.content()).isEqualTo(backup);
    assertThat(bucket.versionsAndTimes()).as("what was removed, and what was changed").containsAllEntriesOf(before);
  }

  @Test
  void wrongKeysAreRefusedBeforeAnyChange() {
    for (var keys : List.of(Map.of("MINIO_ACCESS_KEY", "nobody"), Map.of("MINIO_SECRET_KEY", "wrong-secret"))) {
      var result = restore().env(keys).run();

      assertThat(result.code()).as(result.err()).isEqualTo(12);
      assertThat(result.err()).contains("refuses the keys", "hint: check MINIO_ACCESS_KEY and MINIO_SECRET_KEY");
      assertThat(result.out() + result.err()).doesNotContain("wrong-secret", "thehive-secret");
    }
  }

  @Test
  void aServerThatIsNotThereIsNamed() {
    var result = restore().env("MINIO_ENDPOINT", "http://127.0.4.99:9000").run();

    assertThat(result.code()).isEqualTo(11);
    assertThat(result.err()).contains("error: cannot reach http://127.0.4.99:9000", "hint: is it started?");
    assertThat(result.took()).as("of a refusal").isLessThan(Duration.ofSeconds(30));
  }

  @Test
  void settingsThatCannotBeAreErrors() {
    assertThat(restore().env("MINIO_BUCKET", " ").run()).satisfies(result -> {
      assertThat(result.code()).isEqualTo(2);
      assertThat(result.err()).contains("error: MINIO_BUCKET is set but blank");
    });
    assertThat(restore().env("MINIO_ENDPOINT", "127.0.4.10:9000").run().err())
        .contains("is not of the form https://HOST:PORT");
  }

  @Test
  void keysComeFromFilesToo() throws Exception {
    var file = Files.writeString(archives.resolve("secret"), main.login().orElseThrow().password() + "\n");

    var result = restore("--dry-run").env("MINIO_SECRET_KEY", null).env("MINIO_SECRET_KEY_FILE", file.toString()).run();

    assertThat(result.code()).as(result.err()).isZero();
  }

  @Test
  void serverAndKeysComeFromTheAliasOfMc() throws Exception {
    var login = main.login().orElseThrow();
    var none =
        restore("--dry-run").env("MINIO_ENDPOINT", null).env("MINIO_ACCESS_KEY", null).env("MINIO_SECRET_KEY", null);
    var host = "http://%s:%s@%s:%d".formatted(login.user(), login.password(), main.host(), main.port());

    assertThat(none.env("MC_HOST_th_minio", host).run().code()).isZero();

    Files.writeString(archives.resolve("config.json"), """
        {"version": "10", "aliases": {"site": {"url": "http://%s:%d", "accessKey": "%s", "secretKey": "%s", "api": "s3v4"}}}
        """.formatted(main.host(), main.port(), login.user(), login.password()));
    var named = none.env("MC_HOST_th_minio", null).env("MINIO_ALIAS", "site").env("MC_CONFIG_DIR", archives.toString());
    assertThat(named.run()).satisfies(result -> assertThat(result.code()).as(result.err()).isZero());
  }

  @Test
  void theNewerNameOfTheArchiveIsUnderstoodAndTheNewestArchiveWins() throws Exception {
    tar("seaweedfs_20261123_12h00m56s", "one", noise(5));

    var result = restore().run();

    assertThat(result.err())
        .contains("Restoring attachments from " + archives.resolve("seaweedfs_20261123_12h00m56s.tar"));
    assertThat(bucket.content()).containsOnlyKeys("one");
    assertThat(restore("--backup", STAMP, "--dry-run", "--max-delete", "100").run().out())
        .contains("Would restore 37 objects");
  }

  @ParameterizedTest
  @ValueSource(strings = {"", "s3cret"})
  void zipsAreReadTooEncryptedOrNot(String password) throws Exception {
    var copy = Files.copy(archives.resolve(NAME + ".tar"), archives.resolve("copy"));
    Files.delete(archives.resolve(NAME + ".tar"));
    Files.move(copy, archives.resolve(NAME + ".tar"));
    HotBackup.zip(archives.resolve(NAME + ".tar"), password.isEmpty() ? null : password.toCharArray());
    if (!password.isEmpty()) {
      assertThat(restore().env("BACKUP_PASSWORD", "wrong").run().code()).isEqualTo(12);
    }

    var result = restore().env("BACKUP_PASSWORD", password.isEmpty() ? null : password).run();

    assertThat(result.code()).as(result.err()).isZero();
    assertThat(bucket.content()).isEqualTo(backup);
  }

  @Test
  void namesOf255BytesAndEmptyObjectsAreObjects() throws Exception {
    assumeMinio();
    tar("minio_20261123_12h00m56s", "n".repeat(255), new byte[0]);

    assertThat(restore().run().code()).isZero();
    assertThat(bucket.content()).containsOnlyKeys("n".repeat(255));
  }

  @ParameterizedTest
  @ValueSource(strings = {"gnu", "pax", "gnu.gz", "pax.zst"})
  void everyKindOfTarIsUnderstood(String format) throws Exception {
    Files.delete(archives.resolve(NAME + ".tar"));
    var tar = archives.resolve(NAME + ".tar" + format.replaceFirst("^...", ""));
    var folder = Files.createDirectories(archives.resolve("w"));
    Files.createSymbolicLink(folder.resolve(NAME), mirror);
    var made = Script.command("tar", "--format=" + format.substring(0, 3), "--auto-compress", "-C", folder.toString(),
        "-chf", tar.toString(), NAME).run();
    assertThat(made.code()).as(made.err()).isZero();

    assertThat(restore().run().code()).isZero();
    assertThat(bucket.content()).isEqualTo(backup);
    assertThat(restore().run().out()).contains("0 new, 0 changed, 37 unchanged, 0 removed, 0 kB sent");
  }

  @ParameterizedTest
  @ValueSource(strings = {"/etc/cron.d/x", "../x", NAME + "/../../x", "other/x", NAME + "/link", NAME + "/hard-link",
      NAME + "/device", NAME + "/pipe"})
  void aHostileArchiveIsRefusedByTheNameOfItsEntry(String entry) throws Exception {
    bucket.put("extra", noise(3));
    var before = bucket.versionsAndTimes();
    Files.delete(archives.resolve(NAME + ".tar"));
    try (var tar = new TarArchiveOutputStream(Files.newOutputStream(archives.resolve(NAME + ".tar")))) {
      add(tar, new TarArchiveEntry(NAME + "/good"), noise(10));
      switch (entry.replaceFirst(".*/", "")) {
        case "link" -> add(tar, linked(new TarArchiveEntry(entry, TarConstants.LF_SYMLINK), "/etc/passwd"), null);
        case "hard-link" -> add(tar, linked(new TarArchiveEntry(entry, TarConstants.LF_LINK), "/etc/passwd"), null);
        case "device" -> add(tar, new TarArchiveEntry(entry, TarConstants.LF_BLK), null);
        case "pipe" -> add(tar, new TarArchiveEntry(entry, TarConstants.LF_FIFO), null);
        default -> add(tar, new TarArchiveEntry(entry, true), noise(10));
      }
    }

    var result = restore().run();

    assertThat(result.code()).as(result.err()).isEqualTo(10);
    assertThat(result.err()).contains("cannot be used as a backup", "its entry '" + entry + "'",
        "hint: nothing was changed");
    assertThat(bucket.versionsAndTimes()).isEqualTo(before);
  }

  /** As tar itself reads it. */
  @Test
  void whatWasAppendedLaterCountsAndADotInANameIsNoFolder() throws Exception {
    Files.delete(archives.resolve(NAME + ".tar"));
    try (var tar = new TarArchiveOutputStream(Files.newOutputStream(archives.resolve(NAME + ".tar")))) {
      add(tar, new TarArchiveEntry(NAME + "/twice"), noise(10));
      add(tar, new TarArchiveEntry(NAME + "/a/./b"), noise(11));
      add(tar, new TarArchiveEntry(NAME + "/twice"), noise(12));
    }

    var result = restore().run();

    assertThat(result.code()).as(result.err()).isZero();
    assertThat(bucket.content()).containsOnly(Map.entry("a/b", digest(noise(11))),
        Map.entry("twice", digest(noise(12))));
  }

  @Test
  void aNameThatIsNotUtf8IsRefused() throws Exception {
    packed("printf x > \"$(printf 'bad\\377name')\"");

    var result = restore().run();

    assertThat(result.code()).as(result.err()).isEqualTo(10);
    assertThat(result.err()).contains("name' has a name that is not UTF-8");
    assertThat(bucket.content()).isEmpty();
  }

  @Test
  void aSparseFileIsSentWithItsHoles() throws Exception {
    packed("truncate -s 1M sparse; printf x >> sparse; truncate -s 2M sparse");

    var result = restore().run();

    assertThat(result.code()).as(result.err()).isZero();
    var content = new byte[2 << 20];
    content[1 << 20] = 'x';
    assertThat(bucket.content()).containsOnly(Map.entry("sparse", digest(content)));
  }

  /** Takes a backup of what a shell makes in its folder. */
  private void packed(String shell) throws IOException {
    var folder = Files.createDirectories(archives.resolve(UUID.randomUUID().toString()));
    Files.createDirectories(folder.resolve(NAME));
    Files.deleteIfExists(archives.resolve(NAME + ".tar"));
    var made = Script.command("sh", "-ec", "cd \"$1/$2\"; " + shell + "; cd ..; tar -cSf \"../$2.tar\" \"$2\"", "sh",
        folder.toString(), NAME).run();
    assertThat(made.code()).as(made.err()).isZero();
  }

  @ParameterizedTest
  @CsvSource({"tar,0", "tar,0.01", "tar,0.3", "tar,0.7", "tar,0.999", "tar.gz,0", "tar.gz,0.5", "tar.gz,0.99999",
      "tar.zst,0.5", "tar.zst,0.99999"})
  void anArchiveThatWasCutShortChangesNothing(String type, double part) throws Exception {
    bucket.put("extra", noise(3));
    var before = bucket.versionsAndTimes();
    var cut = archives.resolve("minio_20261123_12h00m56s.tar");
    Files.copy(archive, cut);
    var whole = lastMember();
    if (!type.equals("tar")) {
      var packed = Script.command(type.equals("tar.gz") ? "gzip" : "zstd", cut.toString()).run();
      assertThat(packed.code()).as(packed.err()).isZero();
      Files.deleteIfExists(cut);
      cut = archives.resolve("minio_20261123_12h00m56s." + type);
      whole = Files.size(cut);
    }
    try (var file = new RandomAccessFile(cut.toFile(), "rw")) {
      file.setLength((long) (whole * part));
    }

    var result = restore().run();

    assertThat(result.code()).as(result.err()).isEqualTo(10);
    assertThat(bucket.versionsAndTimes()).isEqualTo(before);
  }

  /** As after a power failure, or where a copy into a file of the full size was broken off. */
  @ParameterizedTest
  @ValueSource(strings = {"its end", "a header"})
  void anArchiveWithZerosInPlaceOfMembersChangesNothing(String what) throws Exception {
    bucket.put("extra", noise(3));
    var before = bucket.versionsAndTimes();
    var bytes = Files.readAllBytes(archive);
    var half = bytes.length / 1024 * 512;
    var header = what.equals("a header") ? header(bytes, half) : half;
    Arrays.fill(bytes, header, what.equals("a header") ? header + 512 : bytes.length, (byte) 0);
    Files.write(archives.resolve("minio_20261123_12h00m56s.tar"), bytes);

    var result = restore().run();

    assertThat(result.code()).as(result.err()).isEqualTo(10);
    assertThat(result.err()).contains("cannot be used as a backup: its entries end after",
        "the rest is damaged or was never written");
    assertThat(bucket.versionsAndTimes()).isEqualTo(before);
  }

  /** The last header of a tar at or before a block. */
  private static int header(byte[] bytes, int from) {
    for (var at = from; ; at -= 512) {
      if (new String(bytes, at + 257, 5, UTF_8).equals("ustar")) {
        return at;
      }
    }
  }

  @Test
  void aZipWithAnotherPasswordOrADamagedEntryChangesNothing() throws Exception {
    var zip = HotBackup.zip(archives.resolve(NAME + ".tar"), "s3cret".toCharArray());

    var other = restore("--dry-run").env("BACKUP_PASSWORD", "wr0ng").run();
    assertThat(other.code()).as(other.err()).isEqualTo(12);
    assertThat(other.err()).contains("wrong password").doesNotContain("wr0ng");

    try (var file = new RandomAccessFile(zip.toFile(), "rw")) {
      file.seek(file.length() / 2);
      file.write("damage".getBytes(UTF_8));
    }
    var damaged = restore().env("BACKUP_PASSWORD", "s3cret").run();
    assertThat(damaged.code()).as(damaged.err()).isEqualTo(10);
    assertThat(damaged.err()).contains("is damaged");
    assertThat(bucket.content()).isEmpty();
  }

  @ParameterizedTest
  @ValueSource(strings = {"cut", "busy", "slow"})
  void aBadNetworkMakesItSlowerButNotWrong(String fault) throws Exception {
    damage();
    try (var wire = new Wire("127.0.4.12", main)) {
      switch (fault) {
        case "cut" -> wire.cutEvery(12_000_000);
        case "busy" -> wire.busyEvery(3);
        default -> wire.delay(5);
      }

      var result = restore("--one-by-one").env("MINIO_ENDPOINT", wire.url()).run();

      assertThat(result.code()).as(result.err()).isZero();
      assertThat(fault.equals("slow") || wire.faults() > 0).as("the network failed").isTrue();
    }
    assertThat(bucket.content()).isEqualTo(backup);
  }

  @Test
  void aServerThatIsLostInTheMiddleIsAFailureAndTheNextRunGoesOn() throws Exception {
    bucket.put("extra", noise(3));
    try (var wire = new Wire("127.0.4.12", main)) {
      wire.deadAfter(9_000_000);

      var result = restore("--max-delete", "100").env("MINIO_ENDPOINT", wire.url()).run();

      assertThat(result.code()).as(result.err()).isEqualTo(11);
      assertThat(result.err()).contains("error: cannot reach " + wire.url(),
          "hint: nothing more was removed; run again");
    }
    assertThat(bucket.content()).as("extra objects go last").containsKey("extra");
    assertThat(archives.resolve("restore-files-minio.unfinished")).exists();

    var next = restore("--max-delete", "100").run();

    assertThat(next.code()).as(next.err()).isZero();
    assertThat(next.err()).contains("an earlier restore did not come to its end");
    assertThat(bucket.content()).isEqualTo(backup);
    assertThat(archives.resolve("restore-files-minio.unfinished")).doesNotExist();
  }

  @Test
  void partsThatALostRunHadSentOfALargeObjectDoNotStay() throws Exception {
    assumeMinio();
    tar("minio_20261123_12h00m56s", "large", noise(4 * PART));
    try (var wire = new Wire("127.0.4.12", main)) {
      wire.deadAfter(2 * PART);
      assertThat(restore().env("MINIO_ENDPOINT", wire.url()).run().code()).isEqualTo(11);
    }
    var marker = new ObjectMapper().readTree(archives.resolve("restore-files-minio.unfinished").toFile());
    var upload = marker.path("uploads").fieldNames().next();
    assertThat(bucket.uploadIsOpen("large", upload)).as("of the lost run").isTrue();

    var result = restore().run();

    assertThat(result.code()).as(result.err()).isZero();
    assertThat(bucket.content()).containsEntry("large", digest(noise(4 * PART)));
    assertThat(bucket.uploadIsOpen("large", upload)).isFalse();
  }

  @Test
  void ctrlCEndsItSaysWhatWasChangedAndTheNextRunCompletesIt() throws Exception {
    damage();
    try (var wire = new Wire("127.0.4.12", main)) {
      wire.delay(100);
      var running =
          restore("--max-delete", "100", "--one-by-one", "--transfers", "1").env("MINIO_ENDPOINT", wire.url()).start();
      var interrupted = running.awaitErr("Sending ").interrupt().await();
      assertThat(interrupted.code()).as(interrupted.err()).isEqualTo(130);
      assertThat(interrupted.err())
          .contains(
              "Interrupted. The bucket is changed in part. Leave TheHive stopped, and run the same command again.")
          .doesNotContain("\tat ").doesNotContain("error:");
    }

    var next = restore("--max-delete", "100").run();
    assertThat(next.code()).as(next.err()).isZero();
    assertThat(bucket.content()).isEqualTo(backup);
  }

  @Test
  @Timeout(value = 30, unit = TimeUnit.MINUTES) // of KILLS=50
  void killedAtAnyMomentTheNextRunCompletesIt() throws Exception {
    var seed = System.nanoTime();
    var random = new Random(seed);
    for (var round = 0; round < Script.KILLS; round++) {
      damage();
      var running = restore("--max-delete", "100").start();
      running.awaitErr("Bucket " + bucket.name);
      TimeUnit.MILLISECONDS.sleep(random.nextInt(900));
      running.kill();
      var content = bucket.content();
      content.keySet().removeIf(key -> key.startsWith(".thehive-restore-probe"));
      for (var entry : content.entrySet()) {
        assertThat(entry.getValue()).as("%s is whole: old or new, kill %d of seed %d", entry.getKey(), round, seed)
            .isIn(backup.get(entry.getKey()), digest(noise(Integer.parseInt(entry.getValue().split(" ")[0]))));
      }
    }

    var result = restore("--max-delete", "100").run();

    assertThat(result.code()).as(result.err()).isZero();
    assertThat(bucket.content()).isEqualTo(backup);
  }

  @Test
  void anObjectThatTheServerRefusesIsNamedAndNothingIsRemoved() throws Exception {
    assumeMinio();
    damage();

    var result = restore().env(limited("""
        {"Version": "2012-10-17", "Statement": [
          {"Effect": "Allow", "Action": "s3:*", "Resource": "arn:aws:s3:::*"},
          {"Effect": "Deny", "Action": "s3:PutObject", "Resource": "arn:aws:s3:::*/a/*"}]}
        """)).run();

    assertThat(result.code()).as(result.err()).isEqualTo(14);
    assertThat(result.err()).contains("\n  a/exactly-one-part: the access key may not put into bucket",
        "hint: nothing more was removed; run again");
    assertThat(bucket.content()).containsKey("extra");
  }

  @ParameterizedTest
  @CsvSource({"s3:ListBucket,list", "s3:PutObject,put into", "s3:DeleteObject,delete from"})
  void whatTheKeyMayNotDoIsSaidBeforeTheFirstChange(String action, String verb) throws Exception {
    assumeMinio();
    damage();
    var before = bucket.content();

    var result = restore().env(limited("""
        {"Version": "2012-10-17", "Statement": [
          {"Effect": "Allow", "Action": "s3:*", "Resource": "arn:aws:s3:::*"},
          {"Effect": "Deny", "Action": "%s", "Resource": "arn:aws:s3:::*"}]}
        """.formatted(action))).run();

    assertThat(result.code()).as(result.err()).isEqualTo(12);
    assertThat(result.err()).contains("the access key may not " + verb + " bucket " + bucket.name);
    assertThat(bucket.content()).as("not even a probe").isEqualTo(before);
  }

  /** XML, in which many are named at once, turns a carriage return into a line feed, which is another key. */
  @Test
  void extraKeysWithControlCharactersGoAndTheirNeighboursStay() throws Exception {
    assumeMinio();
    tar("minio_20261123_12h00m56s", "attachment/a\nb", noise(5));
    bucket.put("attachment/a\nb", noise(5));
    for (var key : List.of("\u0001first", "attachment/a\rb", "a\tb", "a\u007fb", "end ", "\u0085", "plain",
        "attachment/")) {
      bucket.put(key, noise(key.endsWith("/") ? 0 : 6));
    }

    var result = restore("--max-delete", "100").run();

    assertThat(result.code()).as(result.err()).isZero();
    assertThat(result.out()).contains("0 new, 0 changed, 1 unchanged, 8 removed");
    assertThat(bucket.content()).containsOnlyKeys("attachment/a\nb");
  }

  @Test
  void aBackupWithControlCharactersInItsNamesIsRestored() throws Exception {
    assumeMinio();
    packed("printf 1 > \"$(printf '\\001first')\"; printf 2 > \"$(printf 'a\\rb')\"; printf 3 > \"$(printf 'a\\tb')\"");

    assertThat(restore().run().code()).isZero();
    assertThat(bucket.content()).containsOnlyKeys("\u0001first", "a\rb", "a\tb");
    assertThat(restore().run().out()).contains("0 new, 0 changed, 3 unchanged, 0 removed, 0 kB sent");
  }

  /** MinIO keeps objects as files, and cannot hold x and x/y at once. */
  @ParameterizedTest
  @CsvSource({"x, x/y", "x/y, x"})
  void whatIsInTheWayAndNotInTheBackupGoesFirst(String live, String kept) throws Exception {
    assumeMinio();
    tar("minio_20261123_12h00m56s", kept, noise(5));
    bucket.put(live, noise(6));

    var asked = restore().run();
    assertThat(asked.code()).as("a question more, as for everything that is removed").isEqualTo(16);
    assertThat(asked.err())
        .contains("Will remove 1 of them first: they are in the way of objects of the backup, such as " + live);
    assertThat(bucket.content()).containsOnlyKeys(live);

    var result = restore("--max-delete", "100").run();
    assertThat(result.code()).as(result.err()).isZero();
    assertThat(bucket.content()).containsOnlyKeys(kept);
  }

  /** What is removed from a versioned bucket stays in it, and in the way; that is told with what to do. */
  @Test
  void olderVersionsThatAreInTheWayAreTold() throws Exception {
    assumeMinio();
    tar("minio_20261123_12h00m56s", "x/y", noise(5));
    bucket.version();
    bucket.put("x", noise(6));
    bucket.remove("x");

    var result = restore().run();

    assertThat(result.code()).as(result.err()).isEqualTo(14);
    assertThat(result.err()).contains("\n  x/y: the bucket does not list it", "mc rm --versions removes all of x");
  }

  /** It would list only one of the two afterwards, and say of none that it is lost. */
  @ParameterizedTest
  @CsvSource({"x, x/y", "x/y, x"})
  void whatIsInTheWayCannotBeKept(String live, String wanted) throws Exception {
    assumeMinio();
    tar("minio_20261123_12h00m56s", wanted, noise(5));
    bucket.put(live, noise(6));

    for (var dryRun : new String[] {"", "--dry-run"}) {
      var result = (dryRun.isEmpty() ? restore("--keep-extra") : restore("--keep-extra", dryRun)).run();
      assertThat(result.code()).as(result.err()).isEqualTo(13);
      assertThat(result.err()).contains("in the way of objects of the backup, such as " + live + ":",
          "hint: copy them to another bucket",
          "or leave out --keep-extra");
      assertThat(result.out()).isEqualTo("=== ✗ ERROR - attachments: exit 13 ===\n");
      assertThat(bucket.content()).containsOnlyKeys(live);
    }
  }

  @ParameterizedTest
  @ValueSource(booleans = {false, true})
  void aKeyThatMayNotDeleteLeavesNoPileOfProbes(boolean versioned) throws Exception {
    assumeMinio();
    damage();
    if (versioned) {
      bucket.version();
    }
    var before = bucket.versionsAndTimes();
    for (var round = 0; round < 3; round++) {
      var result = restore().env(limited("""
          {"Version": "2012-10-17", "Statement": [
            {"Effect": "Allow", "Action": "s3:*", "Resource": "arn:aws:s3:::*"},
            {"Effect": "Deny", "Action": ["s3:DeleteObject", "s3:DeleteObjectVersion"], "Resource": "arn:aws:s3:::*"}]}
          """)).run();
      assertThat(result.code()).as(result.err()).isEqualTo(12);
      assertThat(result.err()).contains("error: the access key may not delete from bucket " + bucket.name);
      assertThat(result.err().contains("; the object .thehive-restore-probe.unpacked stays in it"))
          .as("the first run tells of its probe: %s", result.err())
          .isEqualTo(versioned && round == 0);
    }
    var now = bucket.versionsAndTimes();
    assertThat(now).containsAllEntriesOf(before);
    assertThat(now.size() - before.size()).as("probes").isLessThanOrEqualTo(versioned ? 2 : 0);
  }

  @Test
  void aQuotaIsToldBeforeTheFirstChangeWhereItIsFull() throws Exception {
    assumeMinio();
    bucket.quota(1000);

    var result = restore().run();

    assertThat(result.code()).as(result.err()).isEqualTo(13);
    assertThat(result.err()).contains("error: no room left in bucket " + bucket.name, "XMinioAdminBucketQuotaExceeded",
        "raise the bucket's quota");
    assertThat(bucket.content()).isEmpty();
  }

  @Test
  void aQuotaThatDoesNotSufficeIsTold() throws Exception {
    assumeMinio();
    bucket.quota(1_000_000);

    var result = restore().run();

    assertThat(result.code()).as(result.err()).isEqualTo(14);
    assertThat(result.err()).contains("no room left in bucket " + bucket.name, "XMinioAdminBucketQuotaExceeded");
  }

  /** What is encrypted has ETags that say nothing of the content. */
  @Test
  void anEncryptedBucketIsRestoredAndTheSecondRunSendsNothing() throws Exception {
    assumeMinio();
    try (
        var encrypting = Stack.s3("127.0.4.16", "--encryption-key=site:MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY=")) {
      for (var rule : List.of(SseConfiguration.newConfigWithSseS3Rule(),
          SseConfiguration.newConfigWithSseKmsRule("site"))) {
        bucket = new Bucket(encrypting, "encrypted-" + UUID.randomUUID());
        bucket.create();
        bucket.encrypt(rule);

        var result = restore().run();
        assertThat(result.code()).as(result.err()).isZero();
        assertThat(bucket.content()).isEqualTo(backup);
        var before = bucket.versionsAndTimes();

        assertThat(restore().run().out()).contains("0 new, 0 changed, 37 unchanged, 0 removed, 0 kB sent");
        assertThat(bucket.versionsAndTimes()).isEqualTo(before);
      }
    }
  }

  @ParameterizedTest
  @ValueSource(strings = {"gzip", "zstd"})
  void alsoFromACompressedArchiveWhatWasSentInOtherPartsIsNotSentAgain(String packer) throws Exception {
    var copy = Files.copy(archive, archives.resolve("minio_20261123_12h00m56s.tar"));
    assertThat(Script.command(packer, copy.toString()).run().code()).isZero();
    Files.deleteIfExists(copy);
    bucket.putInParts("a/b/large", files.get("a/b/large"), 5 << 20);

    assertThat(restore("--dry-run").run().out()).contains("36 new, 0 changed, 1 unchanged");
  }

  @Test
  void keysBelowTheFolderOfTheSettingsAreRestoredAsTheyAre() throws Exception {
    var key = "site/thehive/attachment/" + Attachments.id(noise(5));
    tar("minio_20261123_12h00m56s", key, noise(5));

    assertThat(restore().run().code()).isZero();
    assertThat(bucket.content()).containsOnlyKeys(key);
  }

  @Test
  void aDryRunEndsAsTheRealRunWould() throws Exception {
    for (var i = 0; i < 10; i++) {
      bucket.put("other/" + i, noise(i));
    }

    var real = restore().run();
    var dry = restore("--dry-run").run();

    assertThat(dry.code()).isEqualTo(real.code()).isEqualTo(16);
    assertThat(dry.err()).contains("Dry run: a real run would refuse now, exit 16: 10 of the bucket's 10 objects");
    assertThat(dry.out()).isEqualTo(real.out()).isEqualTo("=== ✗ ERROR - attachments: exit 16 ===\n");
  }

  @Test
  void ctrlCBeforeTheFirstChangeSaysSo() throws Exception {
    damage();

    var result = script().onTerminal().start().awaitErr("Type 127.0.4.10:9000/" + bucket.name).interrupt().await();

    assertThat(result.code()).isEqualTo(130);
    assertThat(result.out()).contains("Interrupted. Nothing was changed.");
  }

  @Test
  void theReportIsPrintedAsJson() throws Exception {
    damage();

    var result = restore("--json").run();

    assertThat(result.out().strip()).startsWith("{").endsWith("}");
    assertThat(result.out()).contains("\"new\" : 31", "\"changed\" : 3", "\"unchanged\" : 3", "\"extra\" : 1",
        "\"exit\" : 0");
  }

  @Test
  void aRefusalIsPrintedAsJsonToo() {
    var result = script().args("--json").env("MINIO_BUCKET", "missing").run();

    assertThat(result.code()).as(result.err()).isEqualTo(13);
    assertThat(result.out()).contains("\"exit\" : 13", "\"error\" : \"there is no bucket missing at ", "\"hint\" : ");
  }

  @Test
  void nothingIsWrittenBesideTheArchivesWhereAnotherFolderIsNamed() throws Exception {
    var state = Files.createDirectories(archives.resolve("state"));
    var beside = archives.toFile().list();

    var result = restore().env("RESTORE_STATE_PATH", state.toString()).run();

    assertThat(result.code()).as(result.err()).isZero();
    assertThat(archives.toFile().list()).containsExactlyInAnyOrder(beside);
    assertThat(state.toFile().list()).anyMatch(name -> name.matches("restore-files-minio_\\d.*\\.json"));
  }

  @Test
  void httpsNeedsTheCertificateOfItsCa() throws Exception {
    assumeMinio();
    var certificates = certificates();
    try (var tls = Stack.s3("127.0.4.13", "--certificates=" + certificates)) {
      var there = Map.of("MINIO_ENDPOINT", "https://127.0.4.13:9000");

      var refused = restore().env(there).run();
      assertThat(refused.code()).as(refused.err()).isEqualTo(11);
      assertThat(refused.err()).contains("hint: name the CA that signed it with MINIO_CA");

      var plain = restore().env("MINIO_ENDPOINT", "http://127.0.4.13:9000").run();
      assertThat(plain.code()).as(plain.err()).isEqualTo(11);
      assertThat(plain.err()).contains("error: http://127.0.4.13:9000 speaks https, not http",
          "hint: check MINIO_ENDPOINT: https://127.0.4.13:9000");

      var result =
          restore("--create-bucket").env(there).env("MINIO_CA", certificates.resolve("public.crt").toString()).run();
      assertThat(result.code()).as(result.err()).isZero();
      assertThat(result.out()).contains("37 new");
    }
  }

  @Test
  void httpsToAServerWithoutItIsToldAsSuch() {
    var result = restore().env("MINIO_ENDPOINT", "https://127.0.4.10:9000").run();

    assertThat(result.code()).as(result.err()).isEqualTo(11);
    assertThat(result.err())
        .contains("error: https://127.0.4.10:9000 speaks http, not https",
            "hint: check MINIO_ENDPOINT: http://127.0.4.10:9000")
        .doesNotContain("MINIO_CA");
  }

  private static void assumeMinio() {
    assumeTrue(main.tool("kind").equals("minio"), "needs MinIO, this is " + main.tool("kind"));
  }

  private Script script() {
    return Agreement.held(Script.of("restore-files-minio.java").env(settings()), "s3");
  }

  private Map<String, String> settings() {
    var login = bucket.server.login().orElseThrow();
    return Map.of("MINIO_ENDPOINT", "http://" + bucket.server.host() + ":" + bucket.server.port(), "MINIO_ACCESS_KEY",
        login.user(),
        "MINIO_SECRET_KEY", login.password(), "MINIO_BUCKET", bucket.name, "MINIO_ARCHIVE_PATH", archives.toString());
  }

  private Script restore(String... options) {
    return script().args("--yes").args(options);
  }

  /**
   * Three are as in the backup, three are not (one of them has the same size), one is too many, the rest is missing.
   */
  private void damage() throws Exception {
    if (!bucket.exists()) {
      bucket.create();
    }
    var keys = files.keySet().stream().filter(key -> key.startsWith("attachment/")).toList();
    for (var key : keys.subList(3, 6)) {
      bucket.put(key, files.get(key));
    }
    bucket.put(keys.get(0), noise(33));
    bucket.put(keys.get(1), noise(34));
    bucket.put(keys.get(2), noise(files.get(keys.get(2)).length));
    bucket.put("extra", noise(3));
  }

  private void tar(String name, String key, byte[] content) throws IOException {
    try (var tar = new TarArchiveOutputStream(Files.newOutputStream(archives.resolve(name + ".tar")))) {
      tar.setLongFileMode(TarArchiveOutputStream.LONGFILE_GNU);
      add(tar, new TarArchiveEntry(name + "/" + key), content);
    }
  }

  private static void add(TarArchiveOutputStream tar, TarArchiveEntry entry, byte[] content) throws IOException {
    entry.setSize(content == null ? 0 : content.length);
    tar.putArchiveEntry(entry);
    if (content != null) {
      tar.write(content);
    }
    tar.closeArchiveEntry();
  }

  private static TarArchiveEntry linked(TarArchiveEntry entry, String target) {
    entry.setLinkName(target);
    return entry;
  }

  /** Where the archive's entries end; what follows are only zeros. */
  private static long lastMember() throws IOException {
    var bytes = Files.readAllBytes(archive);
    var end = bytes.length;
    while (bytes[end - 1] == 0) {
      end--;
    }
    return end;
  }

  /** Keys that a policy limits, as an alias of mc: they come with a session token. */
  private Map<String, String> limited(String policy) throws Exception {
    var login = main.login().orElseThrow();
    var address = main.host() + ":" + main.port();
    var keys = new AssumeRoleProvider("http://" + address, login.user(), login.password(), 3600, policy, "us-east-1",
        null, null, null, null)
        .fetch();
    var variables = new TreeMap<String, String>();
    variables.put("MC_HOST_limited",
        "http://%s:%s:%s@%s".formatted(keys.accessKey(), keys.secretKey(), keys.sessionToken(), address));
    variables.put("MINIO_ALIAS", "limited");
    for (var name : List.of("MINIO_ENDPOINT", "MINIO_ACCESS_KEY", "MINIO_SECRET_KEY")) {
      variables.put(name, null);
    }
    return variables;
  }

  /** A certificate for 127.0.4.13 that signs itself. */
  private Path certificates() throws Exception {
    var store = archives.resolve("store.p12");
    var keytool = Path.of(System.getProperty("java.home"), "bin/keytool").toString();
    var made = Script.command(keytool, "-genkeypair", "-alias", "s3", "-keyalg", "RSA", "-dname", "CN=s3", "-ext",
        "SAN=ip:127.0.4.13",
        "-ext", "BC=ca:true", "-keystore", store.toString(), "-storepass", "changeit").run();
    assertThat(made.code()).as(made.out() + made.err()).isZero();
    var keys = java.security.KeyStore.getInstance(store.toFile(), "changeit".toCharArray());
    var folder = Files.createDirectories(archives.resolve("certificates"));
    pem(folder.resolve("public.crt"), "CERTIFICATE", keys.getCertificate("s3").getEncoded());
    pem(folder.resolve("private.key"), "PRIVATE KEY", keys.getKey("s3", "changeit".toCharArray()).getEncoded());
    return folder;
  }

  private static void pem(Path file, String type, byte[] der) throws IOException {
    var text = Base64.getMimeEncoder(64, "\n".getBytes(UTF_8)).encodeToString(der);
    Files.writeString(file, "-----BEGIN %1$s-----\n%2$s\n-----END %1$s-----\n".formatted(type, text));
  }

  private static String digest(byte[] content) {
    return content.length + " " + Attachments.id(content);
  }

  private static byte[] noise(int size) {
    var bytes = new byte[size];
    new Random(size).nextBytes(bytes);
    return bytes;
  }

  private static List<String> with(java.util.Set<String> keys, String key) {
    return java.util.stream.Stream.concat(keys.stream(), java.util.stream.Stream.of(key)).toList();
  }

  private static Map<String, byte[]> contentOf(Path folder) throws IOException {
    var content = new TreeMap<String, byte[]>();
    try (var files = Files.walk(folder)) {
      for (var file : files.filter(Files::isRegularFile).toList()) {
        content.put(folder.relativize(file).toString(), Files.readAllBytes(file));
      }
    }
    return content;
  }

  /** A bucket as its administrator sees it. */
  private static final class Bucket {
    final Server server;
    final String name;
    private final MinioClient client;

    Bucket(Server server, String name) {
      this.server = server;
      this.name = name;
      var login = server.login().orElseThrow();
      client = MinioClient.builder().endpoint("http://" + server.host() + ":" + server.port())
          .credentials(login.user(), login.password()).build();
    }

    boolean exists() throws Exception {
      return client.bucketExists(BucketExistsArgs.builder().bucket(name).build());
    }

    void create() throws Exception {
      client.makeBucket(MakeBucketArgs.builder().bucket(name).build());
    }

    void createLocked() throws Exception {
      client.makeBucket(MakeBucketArgs.builder().bucket(name).objectLock(true).build());
      client.setObjectLockConfiguration(SetObjectLockConfigurationArgs.builder().bucket(name)
          .config(new ObjectLockConfiguration(RetentionMode.COMPLIANCE,
              new ObjectLockConfiguration.RetentionDurationDays(1)))
          .build());
    }

    void version() throws Exception {
      client.setBucketVersioning(SetBucketVersioningArgs.builder().bucket(name)
          .config(new VersioningConfiguration(VersioningConfiguration.Status.ENABLED, null, null, null)).build());
    }

    void encrypt(SseConfiguration rule) throws Exception {
      client.setBucketEncryption(SetBucketEncryptionArgs.builder().bucket(name).config(rule).build());
    }

    /** As {@code mc admin bucket quota} sets it. */
    void quota(long bytes) throws Exception {
      var body = "{\"quota\":%1$d,\"size\":%1$d,\"quotatype\":\"hard\"}".formatted(bytes).getBytes(UTF_8);
      var sum = Attachments.id(body);
      var login = server.login().orElseThrow();
      var request = new Request.Builder()
          .url("http://%s:%d/minio/admin/v3/set-bucket-quota?bucket=%s".formatted(server.host(), server.port(), name))
          .put(okhttp3.RequestBody.create(body)).header("Host", server.host() + ":" + server.port())
          .header("x-amz-content-sha256", sum)
          .header("x-amz-date",
              DateTimeFormatter.ofPattern("yyyyMMdd'T'HHmmss'Z'").format(ZonedDateTime.now(ZoneOffset.UTC)))
          .build();
      try (var answer = new OkHttpClient()
          .newCall(Signer.signV4S3(request, "us-east-1", login.user(), login.password(), sum)).execute()) {
        assertThat(answer.code()).as(answer.body().string()).isEqualTo(200);
      }
    }

    void put(String key, byte[] content) throws Exception {
      client.putObject(PutObjectArgs.builder().bucket(name).object(key).data(content, content.length).build());
    }

    void putInParts(String key, byte[] content, long part) throws Exception {
      client.putObject(PutObjectArgs.builder().bucket(name).object(key)
          .stream(new java.io.ByteArrayInputStream(content), (long) content.length, part).build());
    }

    void remove(String key) throws Exception {
      client.removeObject(io.minio.RemoveObjectArgs.builder().bucket(name).object(key).build());
    }

    boolean uploadIsOpen(String key, String upload) throws Exception {
      var login = server.login().orElseThrow();
      try (var async = MinioAsyncClient.builder().endpoint("http://" + server.host() + ":" + server.port())
          .credentials(login.user(), login.password()).build()) {
        async.listParts(ListPartsArgs.builder().bucket(name).object(key).uploadId(upload).build()).get();
        return true;
      } catch (ExecutionException e) {
        assertThat(e).hasStackTraceContaining("The specified multipart upload does not exist");
        return false;
      }
    }

    Map<String, String> content() throws Exception {
      var content = new TreeMap<String, String>();
      for (var object : client.listObjects(ListObjectsArgs.builder().bucket(name).recursive(true).build())) {
        var key = object.get().objectName();
        try (var in = client.getObject(GetObjectArgs.builder().bucket(name).object(key).build())) {
          content.put(key, digest(in.readAllBytes()));
        }
      }
      return content;
    }

    /** Every version of every object, with its time. */
    Map<String, String> versionsAndTimes() throws Exception {
      var all = new TreeMap<String, String>();
      for (var each : client
          .listObjects(ListObjectsArgs.builder().bucket(name).recursive(true).includeVersions(true).build())) {
        var object = each.get();
        all.put(object.objectName() + " " + object.versionId(), object.etag() + " " + object.lastModified());
      }
      return all;
    }
  }
}
