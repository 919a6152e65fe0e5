import static org.assertj.core.api.Assertions.assertThat;

import java.nio.file.Path;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

class MountsTest {
  private static final String ROOT = "22 1 8:1 / / rw,relatime shared:1 - ext4 /dev/sda1 rw";

  private static Mounts mounts(String... mountinfo) {
    return new Mounts(Mounts.parse(List.of(mountinfo)), List.of(), List.of(), List.of());
  }

  @Test
  void readsWhatIsMountedWhere() {
    var mounts = mounts(ROOT, "40 22 0:35 / /srv/the\\040files rw - nfs4 nas:/export rw",
        "41 22 0:36 / /auto rw - autofs systemd-1 rw");

    assertThat(mounts.of(Path.of("/srv/the files/x"))).hasToString("nas:/export at /srv/the files (nfs4)");
    assertThat(mounts.of(Path.of("/srv/other")).type()).isEqualTo("ext4");
    assertThat(mounts.isMountPoint(Path.of("/srv/the files"))).isTrue();
    assertThat(mounts.isMountPoint(Path.of("/auto"))).as("nothing is mounted there yet").isFalse();
    assertThat(mounts.below(Path.of("/srv"))).containsExactly(Path.of("/srv/the files"));
  }

  @ParameterizedTest(name = "{0} of {1} at {2}: {3}")
  @CsvSource({
      "8:1, /opt/files, /srv/nfs/files, true", // the folder, bound to another place
      "8:1, /opt/files, /opt/files, true", // over itself, which makes it a mount point
      "8:1, /opt, /srv/opt, false", // the folder above: names in it are looked up anew
      "8:1, /opt/files2, /srv/x, false",
      "8:2, /opt/files, /srv/x, false", // another file system
  })
  void aFolderThatIsMountedElsewhereTooMustStay(String device, String root, String point, boolean shared) {
    var mounts = mounts(ROOT, "50 22 %s %s %s rw - ext4 /dev/sda1 rw".formatted(device, root, point));

    assertThat(mounts.isShared(Path.of("/opt/files")) || mounts.isMountPoint(Path.of("/opt/files"))).isEqualTo(shared);
  }

  @Test
  void seesTheMountsOfContainersToo() {
    var mounts = new Mounts(Mounts.parse(List.of(ROOT)),
        Mounts.parse(List.of("60 59 8:1 /opt/files /data rw - ext4 /dev/sda1 rw")), List.of(), List.of());

    assertThat(mounts.isShared(Path.of("/opt/files"))).isTrue();
    assertThat(mounts.isShared(Path.of("/opt/other"))).isFalse();
  }

  @Test
  void aFolderOfAMountedDiskIsFoundByItsPlaceOnIt() {
    var mounts =
        mounts(ROOT, "30 22 8:2 / /data rw - xfs /dev/sdb1 rw", "31 22 8:2 /files /srv/files rw - xfs /dev/sdb1 rw");

    assertThat(mounts.isShared(Path.of("/data/files"))).isTrue();
  }

  @Test
  void namesWhatIsSharedOfAFolderInIt() {
    var bound = mounts(ROOT, "50 22 8:1 /opt/files/attachment /srv/a rw - ext4 /dev/sda1 rw");
    var exported = new Mounts(Mounts.parse(List.of(ROOT)), List.of(), List.of(),
        Mounts.parseExports(List.of("/opt/files/attachment *(rw)")));

    assertThat(bound.sharedBelow(Path.of("/opt/files"))).hasValue("/opt/files/attachment is mounted at /srv/a, too");
    assertThat(bound.isShared(Path.of("/opt/files"))).isFalse();
    assertThat(exported.sharedBelow(Path.of("/opt/files"))).hasValue("/opt/files/attachment is exported");
    assertThat(mounts(ROOT).sharedBelow(Path.of("/opt/files"))).isEmpty();
  }

  @ParameterizedTest
  @CsvSource({"nfs4,true", "fuse.sshfs,true", "cifs,true", "ext4,false", "xfs,false", "tmpfs,false"})
  void aNetworkMountIsSharedWithOtherHosts(String type, boolean shared) {
    assertThat(mounts(ROOT, "40 22 0:35 / /opt rw - %s nas:/export rw".formatted(type)).isShared(Path.of("/opt/files")))
        .isEqualTo(shared);
  }

  @ParameterizedTest
  @CsvSource(delimiter = '|', quoteCharacter = '\'',
      value = {"/opt/files 10.0.0.0/8(rw)", "\"/opt/files\"\t*(ro)", "/opt *(rw)", "/opt/the\\040files *(rw)"})
  void readsExports(String line) {
    assertThat(Mounts.parseExports(List.of(line, "# /x *(rw)", "")).get(0).toString()).isIn("/opt/files", "/opt",
        "/opt/the files");
  }

  @Test
  void namesWhatFstabWantsAndIsNotMounted() throws Exception {
    var wanted = Mounts.parseFstab(List.of("# /none nfs", "nas:/export /no-such-folder/the\\040files nfs defaults 0 0",
        "/dev/sda1 / ext4 defaults 0 1",
        "/swap none swap sw 0 0"));
    var mounts = new Mounts(Mounts.parse(List.of(ROOT)), List.of(), wanted, List.of());

    assertThat(mounts.missing(Path.of("/no-such-folder/the files/x")))
        .hasValue(new Mounts.Wanted(Path.of("/no-such-folder/the files"), "nas:/export"));
    assertThat(mounts.missing(Path.of("/no-such-folder/other"))).isEmpty();
  }
}
