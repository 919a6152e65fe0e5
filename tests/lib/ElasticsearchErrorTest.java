import static org.assertj.core.api.Assertions.assertThat;

import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** What an error of Elasticsearch means. */
class ElasticsearchErrorTest {
  private static Failure failure(int status, String body) {
    return new ElasticsearchError("http://h:9200", "PUT /x", status, body).failure(null);
  }

  @Test
  void aBlockIsNoWrongPassword() {
    var failure = failure(403,
        "{\"error\":{\"type\":\"cluster_block_exception\",\"reason\":\"index [x] blocked by: [FORBIDDEN/5/index"
            + " read-only (api)];\"},\"status\":403}");
    assertThat(failure.code).isEqualTo(Exit.UNSAFE);
    assertThat(failure).hasMessageContaining("index read-only");
    assertThat(failure.hint).contains("index.blocks.read_only").doesNotContain("PASSWORD");
  }

  @Test
  void aBlockForWantOfDiskIsNotBusy() {
    var failure = failure(429,
        "{\"error\":{\"type\":\"cluster_block_exception\",\"reason\":\"index [x] blocked by:"
            + " [TOO_MANY_REQUESTS/12/disk usage exceeded flood-stage watermark];\"}}");
    assertThat(failure.code).isEqualTo(Exit.UNSAFE);
    assertThat(failure.hint).contains("index.blocks.read_only_allow_delete");
  }

  @ParameterizedTest
  @CsvSource({"401, 12", "403, 12", "400, 13", "404, 13", "409, 13", "500, 13", "503, 11", "429, 11", "502, 11"})
  void hasACodeOfItsOwn(int status, int code) {
    assertThat(failure(status, "{\"error\":{\"type\":\"any\",\"reason\":\"because\"}}").code).isEqualTo(code);
    assertThat(failure(status, "<html>proxy</html>")).hasMessageContaining("proxy");
  }

  @Test
  void tellsTheDeepestCause() {
    assertThat(failure(400,
        "{\"error\":{\"reason\":\"failed\",\"caused_by\":{\"reason\":\"more\",\"caused_by\":{\"reason\":\"no"
            + " words.txt\"}}}}"))
        .hasMessageEndingWith("failed: no words.txt");
  }

  @Test
  void namesTheSettingOfTooManyShards() {
    assertThat(failure(400,
        "{\"error\":{\"reason\":\"this action would add [1] total shards, but this cluster currently has [1]/[1]"
            + " maximum shards open;\"}}").hint)
        .contains("cluster.max_shards_per_node");
  }
}
