//DEPS com.fasterxml.jackson.core:jackson-databind:2.23.0

import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.module.SimpleModule;
import com.fasterxml.jackson.databind.ser.std.ToStringSerializer;
import java.nio.file.Path;
import java.time.Instant;
import java.util.List;
import java.util.Map;

/** The evidence as data, for programs: what the page tells. */
final class EvidenceJson {
  /** Times as in ISO 8601 and paths as they are typed; Jackson has a path as a URI, and times in another library. */
  private static final ObjectMapper MAPPER = Json.MAPPER.copy().registerModule(new SimpleModule()
      .addSerializer(Instant.class, ToStringSerializer.instance)
      .addSerializer(Path.class, ToStringSerializer.instance));

  /**
   * The top of it.
   *
   * @param restorePoint local time, as the archives' names have it; null where no backup was found
   * @param restores each report once, in the order in which the restores began
   */
  private record Content(String sentence, boolean complete, String release, String restorePoint, List<String> failures,
      List<Evidence.Open> notChecked, Evidence.Check check, Verdict verdict, List<ArchiveSum> archives,
      List<RestoreReport> restores, List<String> unfinished, Map<String, Map<String, Long>> compared) {}

  private EvidenceJson() {}

  static String of(Evidence evidence) throws JsonProcessingException {
    return MAPPER.writeValueAsString(new Content(evidence.sentence(), evidence.isComplete(), Release.VERSION,
        evidence.point().map(BackupSet.STAMP::format).orElse(null), evidence.failures(), evidence.open(),
        evidence.check(), evidence.verdict(), evidence.archives(), evidence.runs(), evidence.unfinished(),
        evidence.counts())) + "\n";
  }
}
