//DEPS com.fasterxml.jackson.core:jackson-databind:2.23.0

import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.SerializationFeature;
import com.fasterxml.jackson.databind.cfg.EnumFeature;
import com.fasterxml.jackson.databind.json.JsonMapper;

/** JSON, as reports, markers, results and the Elasticsearch API use it. */
final class Json {
  static final ObjectMapper MAPPER = JsonMapper.builder().enable(SerializationFeature.INDENT_OUTPUT)
      .enable(EnumFeature.WRITE_ENUMS_TO_LOWERCASE).build();

  private Json() {}

  /** The output of {@code --json} where a script ends with a failure. */
  static String failure(String script, Failure failure) {
    return MAPPER.createObjectNode().put("script", script).put("exit", failure.code)
        .put("error", failure.getMessage()).put("hint", failure.hint).toPrettyString();
  }
}
