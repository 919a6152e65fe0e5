import static org.assertj.core.api.Assertions.assertThat;

import java.nio.charset.StandardCharsets;
import java.nio.file.attribute.FileTime;
import java.time.Instant;
import java.util.Optional;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

class OwnershipTest {
  private static ArchiveEntry member(String name, Kind kind, long id, int mode) {
    var owner = id < 0 ? Owner.UNKNOWN : new Owner("", id, "", id);
    return new ArchiveEntry(kind, name.getBytes(StandardCharsets.UTF_8), 1, 0, null, null, mode, ArchiveEntry.NO_TIME,
        0, owner);
  }

  private static Principals ids(long id) {
    return Principals.of(new Owner("", id, "", id));
  }

  /**
   * The backup's folder, a file of it, the live folder: whose the file becomes; nothing where the backup or the site
   * does not say.
   */
  @ParameterizedTest(name = "folder of {0}, file of {1}, live folder of {2}, ATTACHMENT_OWNER {3}: {4}")
  @CsvSource({
      "1234,1234,4321,,1234", // as in the backup
      "0,0,4321,,4321", // made as root without owners, as documented
      "0,0,0,,0",
      "1234,0,0,,1234", // the folder becomes 1234's: root's file in it tells nothing
      "0,1234,4321,,1234",
      "65534,65534,4321,,4321", // through a squashed mount
      "4294967294,4294967294,4321,,4321",
      "65534,65534,65534,,65534",
      "65534,1234,4321,,1234",
      "-1,-1,4321,,4321", // a zip
      "1234,-1,4321,,1234", // the file belongs to whom the folder will belong
      "1234,1234,4321,7:7,7",
      "0,0,4321,0:0,0",
      "3000000000,3000000000,0,,3000000000",
  })
  void saysWhoseAFileIsBeforeAndAfterTheRestore(long top, long file, long live, String given, long expected) {
    var root = member("", Kind.FOLDER, top, 0755);
    var attachment = member("attachment/0a", Kind.FILE, file, 0640);
    var given0 = Principals.parse(Optional.ofNullable(given));

    var before = new Ownership(given0, new Ownership.Live(ids(live), 0700), root);
    var after = new Ownership(given0, new Ownership.Live(before.owner(root), before.mode(root)), root);

    assertThat(before.owner(attachment)).isEqualTo(ids(expected)).hasToString(ids(expected).toString());
    assertThat(after.owner(attachment)).as("as verify sees it after the restore").isEqualTo(ids(expected));
    assertThat(after.owner(root)).isEqualTo(before.owner(root));
    assertThat(after.mode(root)).isEqualTo(before.mode(root));
  }

  /** Nobody is 99 on Red Hat 7, and named nfsnobody where root is squashed. */
  @ParameterizedTest
  @CsvSource({"nobody,99,nobody,99", "nfsnobody,65534,nfsnobody,65534", "nobody,99,nogroup,98"})
  void nobodyIsKnownByItsNamesToo(String user, long uid, String group, long gid) {
    var owner = new Owner(user, uid, group, gid);
    var root = new ArchiveEntry(Kind.FOLDER, new byte[0], 0, 0, null, null, 0755, ArchiveEntry.NO_TIME, 0, owner);

    var ownership = new Ownership(Principals.NONE, new Ownership.Live(ids(4321), 0700), root);

    assertThat(ownership.owner(root)).isEqualTo(ids(4321));
  }

  @ParameterizedTest(name = "folder of {0} with {1}, live folder with {2}, file with {3}: folder {4}, file {5}")
  @CsvSource({
      "1234,0755,0700,06640,0755,0640", // no set-user-ID on a file
      "0,0755,0700,0640,0700,0640", // the mode of the top is that of the backup's umask where its owner says nothing
      "65534,0755,0700,0640,0700,0640",
      "1234,02750,0700,-1,02750,0640", // a zip without modes: as the folder, without x
      "1234,-1,0711,-1,0711,0600",
  })
  void saysWhichModeAFileHas(long owner, String top, String live, String file, String expectedTop,
      String expectedFile) {
    var root = member("", Kind.FOLDER, owner, octal(top));
    var ownership = new Ownership(Principals.NONE, new Ownership.Live(ids(4321), octal(live)), root);

    assertThat(ownership.mode(root)).isEqualTo(octal(expectedTop));
    assertThat(ownership.mode(member("attachment/0a", Kind.FILE, owner, octal(file)))).isEqualTo(octal(expectedFile));
  }

  @Test
  void anOwnerMayBeGivenAsALargeNumber() {
    assertThat(Principals.parse(Optional.of("3000000000:4000000000"))).hasToString("3000000000:4000000000");
  }

  private static int octal(String mode) {
    return mode.startsWith("-") ? -1 : Integer.parseInt(mode, 8);
  }

  @ParameterizedTest(name = "{0} beside {1}: {2}")
  @CsvSource({
      "2026-01-31T23:05:09Z,2026-01-31T23:05:09.7Z,true", // the archive knows seconds only
      "2026-01-31T23:05:09.5Z,2026-01-31T23:05:09.6Z,false",
      "2026-01-31T23:05:09.123456789Z,2026-01-31T23:05:09.123456Z,true",
      "2026-01-31T23:05:09Z,2026-01-31T23:05:10Z,false",
      "1969-12-31T23:59:58.5Z,1969-12-31T23:59:58.5Z,true",
      "1960-01-01T00:00:00Z,1970-01-01T00:00:00Z,true", // a file system that begins in 1970
      "1960-01-01T00:00:00Z,1965-01-01T00:00:00Z,false",
      "2200-01-01T00:00:00Z,2038-01-19T03:14:07Z,true", // one that ends in 2038
      "2030-01-01T00:00:00Z,2038-01-19T03:14:07Z,false",
  })
  void aTimeAgreesAsFarAsTheFileSystemHoldsIt(Instant backup, Instant live, boolean agrees) {
    var member = new ArchiveEntry(Kind.FILE, new byte[] {'a'}, 1, 0, null, null, 0640, backup.getEpochSecond(),
        backup.getNano(), Owner.UNKNOWN);

    assertThat(Ownership.timeAgrees(member, FileTime.from(live))).isEqualTo(agrees);
  }

  @Test
  void aBackupWithoutTimesAgreesWithAnyTime() {
    assertThat(Ownership.timeAgrees(member("a", Kind.FILE, 1, 0640), FileTime.fromMillis(1))).isTrue();
  }
}
