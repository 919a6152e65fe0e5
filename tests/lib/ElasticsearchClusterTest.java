import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatCode;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.io.IOException;
import java.util.List;
import java.util.Set;
import java.util.TreeSet;
import org.junit.jupiter.api.Test;

/** What of a cluster's state refuses a restore. */
class ElasticsearchClusterTest {
  private static ElasticsearchCluster cluster(String settings, String blocks) {
    try {
      return new ElasticsearchCluster("thp", new TreeSet<>(List.of("7.10.2")), false, 1, 1,
          Json.MAPPER.readTree(settings.replace('\'', '"')), Set.of("in.a.file"),
          Json.MAPPER.readTree(blocks.replace('\'', '"')));
    } catch (IOException e) {
      throw new IllegalStateException(e);
    }
  }

  @Test
  void takesATransientSettingBeforeAPersistentOneBeforeTheDefault() {
    var cluster =
        cluster("{'transient':{'a':'1'},'persistent':{'a':'2','b':'2'},'defaults':{'a':'3','b':'3','c':'3'}}", "{}");
    assertThat(cluster.setting("a")).contains("1");
    assertThat(cluster.setting("b")).contains("2");
    assertThat(cluster.setting("c")).contains("3");
    assertThat(cluster.setting("d")).isEmpty();
    assertThat(cluster.isSet("b")).isTrue();
    assertThat(cluster.isSet("c")).as("a default").isFalse();
    assertThat(cluster.isSet("in.a.file")).isTrue();
  }

  @Test
  void refusesAClusterThatTakesNoIndex() {
    assertThatThrownBy(() -> cluster("{}",
        "{'global':{'6':{'description':'cluster read-only (api)','levels':['write','metadata_write']}}}")
        .requireChangeable())
        .hasMessageContaining("cluster.blocks.read_only is set");
    assertThatThrownBy(
        () -> cluster("{'persistent':{'cluster.routing.allocation.enable':'none'}}", "{}").requireChangeable())
        .hasMessageContaining("cluster.routing.allocation.enable is none");
    assertThatCode(
        () -> cluster("{'persistent':{'cluster.routing.allocation.enable':'primaries'}}", "{}").requireChangeable())
        .doesNotThrowAnyException();
  }

  @Test
  void refusesALiveIndexThatCannotBeDeleted() {
    var blocks = "{'indices':{'x':{'%s':{'description':'d','levels':['write','metadata_write']}}}}";
    assertThatThrownBy(() -> cluster("{}", blocks.formatted("5")).requireDeletable(List.of("x")))
        .hasMessageContaining("index.blocks.read_only is set");
    assertThatCode(() -> cluster("{}", blocks.formatted("12")).requireDeletable(List.of("x")))
        .as("read_only_allow_delete").doesNotThrowAnyException();
    assertThatCode(() -> cluster("{}", blocks.formatted("5")).requireDeletable(List.of("y")))
        .doesNotThrowAnyException();
  }
}
