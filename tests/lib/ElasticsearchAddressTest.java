import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

/** What ELASTICSEARCH_API_URL may be. */
class ElasticsearchAddressTest {
  @ParameterizedTest
  @CsvSource({
      "http://127.0.0.1:9200, http://127.0.0.1:9200", "https://proxy/es, https://proxy/es",
      "https://proxy:8443/a/b/, https://proxy:8443/a/b",
    "es1:9200, http://es1:9200", "http://my_host:9200/, http://my_host:9200", "http://[::1]:9200, http://[::1]:9200",
  })
  void readsAnAddress(String url, String address) {
    assertThat(ElasticsearchAddress.of(List.of(url)).toString()).isEqualTo(address);
  }

  @Test
  void readsSeveralWithOnePath() {
    var address = ElasticsearchAddress.of(List.of("http://a:9200/es", "http://b:9200/es"));
    assertThat(address.path()).isEqualTo("/es");
    assertThat(address.hosts()).hasSize(2);
    assertThatThrownBy(() -> ElasticsearchAddress.of(List.of("http://a:9200/es", "http://b:9200")))
        .hasMessageContaining("different paths");
  }

  @ParameterizedTest
  @ValueSource(strings = {"http://h:99999", "http://h:0", "http://h:9999999999", "ftp://h:21", "http://",
      "http://h:92x", "http://h/?pretty", "http://a b:9200",
      "http://elastic:secret@h:9200"})
  void refusesWhatIsNone(String url) {
    assertThatThrownBy(() -> ElasticsearchAddress.of(List.of(url))).isInstanceOfSatisfying(Failure.class, failure ->
    assertThat(failure.code).isEqualTo(Exit.USAGE)).hasMessageContaining("ELASTICSEARCH_API_URL")
        .hasMessageNotContaining("secret");
  }
}
