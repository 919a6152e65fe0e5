import static org.assertj.core.api.Assertions.assertThat;

import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** Names of backups, as files and as restore points. */
class BackupNameTest {
  @ParameterizedTest
  @CsvSource({
      "cassandra_20260101_10h00m00s.tar, cassandra, '', tar",
      "files_20260101_10h00m00s.tar.gz, files, '', tar.gz",
      "files_20260101_10h00m00s.TAR.ZST, files, '', tar.zst",
      "elasticsearch_20260101_10h00m00s.info, elasticsearch, '', info",
      "cassandra_node1_20260101_10h00m00s.tbz, cassandra, node1, tbz",
      "cassandra-node-1.example.org_20260101_10h00m00s.tar.bz2, cassandra, node-1.example.org, tar.bz2",
      "cassandra_10.0.0.1_20260101_10h00m00s.tar, cassandra, 10.0.0.1, tar",
      "cassandra_20260101_10h00m00s_10.0.0.1.tar.xz, cassandra, 10.0.0.1, tar.xz",
      "cassandra_20260101_10h00m00s_node1.example.org.tgz, cassandra, node1.example.org, tgz",
      "cassandra_20260101_10h00m00s-node1.7z, cassandra, node1, 7z",
      "cassandra_20260101_10h00m00s.tar.gz.gpg, cassandra, '', tar.gz.gpg",
      "files_20260101_10h00m00s, files, '', ''",
  })
  void aFilesNameHasComponentNodeAndType(String name, String component, String node, String type) {
    assertThat(BackupName.of(name)).hasValueSatisfying(of -> {
      assertThat(of.component()).isEqualTo(component);
      assertThat(of.node()).isEqualTo(node);
      assertThat(of.type()).isEqualTo(type);
      assertThat(of.taken()).hasValueSatisfying(taken -> assertThat(taken).isEqualTo("2026-01-01T10:00:00"));
    });
  }

  @Test
  void aDateThatDoesNotExistIsNone() {
    assertThat(BackupName.of("files_20260230_10h00m00s.tar").orElseThrow().taken()).isEmpty();
    assertThat(BackupName.point("20261301_10h00m00s")).isEmpty();
  }

  @ParameterizedTest
  @CsvSource({"20260101_10h00m00s, false", "files_20260101_10h00m00s, false", "cassandra_n1_20260101_10h00m00s, false",
      "a/b, true",
      "files_20260101_10h00m00s.tar, true", "x.TGZ, true", "x.info, true", "files_20260101_10h00m00s.lz4, true",
      "yesterday, false"})
  void aPathOrANameWithATypeIsAFile(String text, boolean isFile) {
    assertThat(BackupName.isFile(text)).isEqualTo(isFile);
    assertThat(BackupName.point(text).isPresent()).isEqualTo(!isFile && !text.equals("yesterday"));
  }
}
