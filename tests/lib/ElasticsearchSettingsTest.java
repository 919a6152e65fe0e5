import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.util.Map;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** Where Elasticsearch is and who logs in. */
class ElasticsearchSettingsTest {
  private static ElasticsearchSettings of(Map<String, String> variables) {
    return ElasticsearchSettings.of(new Settings(variables));
  }

  @Test
  void theDefaultsAreTheDocumentedOnes() {
    var settings = of(Map.of());
    assertThat(settings.urls()).containsExactly("http://127.0.0.1:9200");
    assertThat(settings.repository()).isEqualTo("thehive_repository");
    assertThat(settings.archives()).hasToString("/mnt/backup/elasticsearch");
    assertThat(settings.authorization()).isEmpty();
  }

  @Test
  void severalAddressesAreReadWithCommas() {
    assertThat(of(Map.of("ELASTICSEARCH_API_URL", "http://a:9200, http://b:9200")).urls())
        .containsExactly("http://a:9200", "http://b:9200");
  }

  @Test
  void aKeyOrAUserLogsInAndTheSecretIsNotShown() {
    assertThat(of(Map.of("ELASTICSEARCH_API_KEY", "a2V5")).authorization()).contains("ApiKey a2V5");
    var login = of(Map.of("ELASTICSEARCH_USER", "elastic", "ELASTICSEARCH_PASSWORD", "schön"));
    assertThat(login.authorization()).contains("Basic ZWxhc3RpYzpzY2jDtm4=");
    assertThat(login).asString().doesNotContain("ZWxhc3RpYz", "schön");
  }

  @ParameterizedTest
  @CsvSource({"ELASTICSEARCH_USER, elastic, no password for Elasticsearch's user elastic",
      "ELASTICSEARCH_PASSWORD, t0psecret, 'ELASTICSEARCH_PASSWORD is set, but ELASTICSEARCH_USER is not'"})
  void refusesHalfALogin(String name, String value, String message) {
    assertThatThrownBy(() -> of(Map.of(name, value)))
        .isInstanceOfSatisfying(Failure.class, failure -> assertThat(failure.code).isEqualTo(2))
        .hasMessage(message);
  }
}
