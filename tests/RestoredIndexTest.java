import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.io.IOException;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.stream.Collectors;
import java.util.stream.IntStream;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** The questions of a rehearsal to an index, on every version on which one can be rehearsed. */
@Tag("servers")
@Tag("matrix")
class RestoredIndexTest {
  private static final String ADDRESS = "127.0.61.21";
  @TempDir Path folder;

  /** As TheHive's own index has them. */
  private static void write(Server elasticsearch, String index) {
    elasticsearch.tool("PUT", "/" + index, """
        {"settings": {"number_of_replicas": 0}, "mappings": {"properties": {"_label": {"type": "keyword"},
         "title": {"type": "text"}, "attachmentId": {"type": "keyword"}, "_createdAt": {"type": "date"}}}}""");
    var lines = IntStream.rangeClosed(1, 9).mapToObj("""
        {"index": {}}
        {"_label": "Case", "title": "Phishing number %1$d", "_createdAt": "2026-01-0%1$dT00:00:00Z"}
        {"index": {}}
        {"_label": "Attachment", "attachmentId": "hash%1$d"}
        """::formatted).collect(Collectors.joining());
    elasticsearch.tool("POST", "/%s/_bulk?refresh=true".formatted(index), lines);
  }

  @ParameterizedTest
  @ValueSource(strings = {"7.10.2", "7.17.29", "8.19", "9.5.3", "opensearch-2.19.1", "opensearch-3.8.0"})
  void tellsByWhatAnAdministratorRecognisesTheSite(String version) throws IOException {
    try (var elasticsearch = Stack.elasticsearch(version, List.of(ADDRESS), 9200, folder).get(0)) {
      write(elasticsearch, "thehive_global");
      var index = new RestoredIndex(elasticsearch, "thehive_global");

      assertThat(index.kinds()).isEqualTo(Map.of("Attachment", 9L, "Case", 9L));
      assertThat(index.answers(Map.of("folder", names -> names)))
          .containsEntry("attachments", "each of 9 that the index names is in the restored folder")
          .containsEntry("full text", "\"Phishing number 9\" is the newest case, of 2026-01-09; a search for these"
              + " words"
              + " finds it, and nothing else");
      assertThatThrownBy(() -> index.answers(Map.of("bucket", names -> Set.of("hash1"))))
          .hasMessageStartingWith("the restored bucket lacks 8 of 9 attachments that the index names: hash2, ");

      // another site's: every field is a text, in which neither kinds nor dates can be told
      elasticsearch.tool("PUT", "/other", """
          {"mappings": {"properties": {"_label": {"type": "text"}, "_createdAt": {"type": "text"}}}}""");
      assertThat(new RestoredIndex(elasticsearch, "other").answers(Map.of("folder", names -> names)))
          .containsEntry("the index", "it does not tell which kinds of entries there are, as by a field _label")
          .containsEntry("attachments", "not asked: no entry of the index has a field attachmentId")
          .hasEntrySatisfying("full text", text -> assertThat(text).startsWith("not asked: the index "));
      assertThat(new RestoredIndex(elasticsearch, "none").answers(Map.of("folder", names -> names)).get("attachments"))
          .startsWith("not asked: the index refuses the question: ").contains("index_not_found_exception");
    }
  }
}
