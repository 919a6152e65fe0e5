import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.time.Instant;
import java.util.Optional;
import org.junit.jupiter.api.Test;

/** Reads when an index was last changed. */
class NewestChangeTest {
  private static Optional<Instant> newest(String created, String updated) throws IOException {
    return NewestChange.of(Json.MAPPER.readTree(
        "{\"aggregations\":{\"_createdAt\":{\"value\":%s},\"_updatedAt\":{\"value\":%s}}}".formatted(created, updated)));
  }

  @Test
  void takesTheLaterTime() throws IOException {
    assertThat(newest("1.764158463E12", "1.764158464500E12")).contains(Instant.ofEpochMilli(1764158464500L));
    assertThat(newest("1.764158463E12", "null")).contains(Instant.ofEpochMilli(1764158463000L));
  }

  @Test
  void isUnknownWhereNoDocumentHasATime() throws IOException {
    assertThat(newest("null", "null")).isEmpty();
    assertThat(NewestChange.of(Json.MAPPER.readTree("{}"))).isEmpty();
  }
}
