import static org.assertj.core.api.Assertions.assertThatCode;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import org.junit.jupiter.api.Test;

/** What Elasticsearch's answer about the user's rights means. */
class ElasticsearchRightsTest {
  @Test
  void namesEachRightThatIsLacking() throws Exception {
    var answer = Json.MAPPER.readTree("""
        {"username": "hive", "has_all_requested": false, "cluster": {"monitor": true, "cluster:admin/snapshot/restore": false},
         "index": {"a": {"manage": false, "read": true}, "b": {"manage": false, "read": true}}}
        """);
    assertThatThrownBy(() -> ElasticsearchRights.require(answer, "indices a, b")).isInstanceOf(Failure.class)
        .hasMessage(
            "Elasticsearch's user hive lacks these rights for cluster and indices a, b:"
                + " cluster:admin/snapshot/restore, manage");
  }

  @Test
  void takesNoAnswerForAClusterWithoutSecurity() {
    assertThatCode(() -> ElasticsearchRights.require(Json.MAPPER.createObjectNode(), "")).doesNotThrowAnyException();
  }
}
