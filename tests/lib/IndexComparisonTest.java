import static org.assertj.core.api.Assertions.assertThat;

import com.fasterxml.jackson.databind.JsonNode;
import java.io.IOException;
import java.util.HashMap;
import java.util.Map;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** What differs between an index of the snapshot and the live one. */
class IndexComparisonTest {
  private static JsonNode json(String text) {
    try {
      return Json.MAPPER.readTree(text.replace('\'', '"'));
    } catch (IOException e) {
      throw new IllegalStateException(e);
    }
  }

  private static Map<String, JsonNode> settings(String text) {
    var settings = new HashMap<String, JsonNode>();
    json("{" + text + "}").properties().forEach(one -> settings.put(one.getKey(), one.getValue()));
    return settings;
  }

  @ParameterizedTest
  @CsvSource(delimiter = '|', quoteCharacter = '"', value = {
      "'index.number_of_shards': '5' | 'index.number_of_shards': '5', 'index.uuid': 'x', 'index.version.upgraded':"
          + " '8', 'index.resize.source.name': 'y'",
    "'index.number_of_replicas': 1 | 'index.number_of_replicas': '1'",
    "'index.uuid': 'a' | 'index.uuid': 'b', 'index.blocks.write': 'false', 'index.auto_expand_replicas': 'false'",
  })
  void passesOverWhatElasticsearchAndARestoreSetThemselves(String backup, String live) {
    assertThat(IndexComparison.settings(settings(backup), settings(live))).isEmpty();
  }

  @ParameterizedTest
  @CsvSource(delimiter = '|', quoteCharacter = '"', value = {
      "'index.uuid': 'a'                    | 'index.blocks.write': 'true'           | setting index.blocks.write:"
          + " true instead of nothing",
      "'index.number_of_replicas': '2'      | 'index.number_of_replicas': '0'        | setting"
          + " index.number_of_replicas: 0 instead of 2",
      "'index.lifecycle.name': 'p'          | 'index.uuid': 'a'                      | setting"
          + " index.lifecycle.name: nothing instead of p",
      "'index.refresh_interval': '1s'       | 'index.refresh_interval': '30s'        | setting"
          + " index.refresh_interval: 30s instead of 1s",
  })
  void namesEachSettingThatDiffers(String backup, String live, String line) {
    assertThat(IndexComparison.settings(settings(backup), settings(live))).containsExactly(line);
  }

  @Test
  void namesEachFieldOfTheMappingThatDiffersAndNewOnesOnlyIfExact() {
    var backup = json("{'dynamic': 'true', 'properties': {'a': {'type': 'text'}, 'b': {'type': 'keyword'}}}");
    var live = json("{'dynamic': 'true', 'properties': {'a': {'type': 'keyword'}, 'c': {'type': 'long'}}}");
    assertThat(IndexComparison.mappings(backup, backup, true)).isEmpty();
    assertThat(IndexComparison.mappings(backup, live, false)).containsExactly(
        "mapping properties.a.type: keyword instead of text", "mapping properties.b.type: nothing instead of keyword");
    assertThat(IndexComparison.mappings(backup, live, true)).hasSize(3).last()
        .isEqualTo("mapping properties.c.type: long instead of nothing");
  }

  @Test
  void namesEachAliasThatDiffers() {
    var backup = json("{'audits': {'is_write_index': true}, 'kept': {}, 'gone': {}}");
    var live = json("{'audits': {}, 'kept': {}, 'added': {}}");
    assertThat(IndexComparison.aliases(backup, live)).containsExactly("alias added: there instead of nothing",
        "alias audits: there instead of {\"is_write_index\":true}", "alias gone: nothing instead of there");
    assertThat(IndexComparison.aliases(backup, backup)).isEmpty();
  }

  @Test
  void tellsTheDocumentsThatDifferFromThoseWrittenSince() {
    var tally = new Tally();
    var shard = shard();
    shard.compare("same", 1, 1, false, tally);
    shard.compare("changed", 20, 2, false, tally);
    shard.compare("rewritten", 30, 11, false, tally);
    shard.compare("new", 5, 12, false, tally);
    shard.compare("strange", 5, 4, false, tally);
    shard.finish(12, false, tally);
    assertThat(tally.names("changed")).containsExactly("changed");
    assertThat(tally.names("extra")).containsExactly("strange");
    assertThat(tally.names("missing")).containsExactly("gone");
    assertThat(tally.count("newer")).isEqualTo(2);
  }

  @Test
  void takesADocumentForDeletedSinceOnlyWhereThereWereWritesThatNoDocumentShows() {
    var tally = new Tally();
    var shard = shard();
    shard.compare("same", 1, 1, false, tally);
    shard.compare("changed", 2, 2, false, tally);
    shard.compare("rewritten", 30, 11, false, tally);
    shard.finish(12, false, tally);
    assertThat(tally.count("newer")).isEqualTo(2);
    assertThat(tally.count("missing")).isZero();
  }

  @Test
  void callsEveryDifferenceAnErrorIfExact() {
    var tally = new Tally();
    var shard = shard();
    shard.compare("same", 1, 1, true, tally);
    shard.compare("rewritten", 30, 11, true, tally);
    shard.compare("new", 5, 12, true, tally);
    shard.finish(20, true, tally);
    assertThat(tally.names("changed")).containsExactly("rewritten");
    assertThat(tally.names("extra")).containsExactly("new");
    assertThat(tally.names("missing")).containsExactly("changed", "gone");
  }

  private static IndexContents.Shard shard() {
    return new IndexContents.Shard(new HashMap<>(Map.of("same", 1L, "changed", 2L, "rewritten", 3L, "gone", 4L)), 10);
  }
}
