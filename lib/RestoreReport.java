//DEPS com.fasterxml.jackson.core:jackson-databind:2.23.0

import com.fasterxml.jackson.databind.JsonNode;
import java.nio.file.Path;
import java.time.Instant;
import java.time.format.DateTimeFormatter;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.Optional;
import java.util.stream.Collectors;
import java.util.stream.Stream;

/**
 * The report of a restore, as {@link RestoreRun} wrote it.
 *
 * @param release of the script; empty in reports of earlier releases
 * @param waited seconds in which the administrator was asked
 * @param steps empty in reports of earlier releases
 */
record RestoreReport(Path file, String script, String release, Instant started, double seconds, double waited, int exit,
    List<Part> parts, List<StepTimes.Step> steps) {
  /** How a day and a time are shown to a person. */
  static final DateTimeFormatter TIME = DateTimeFormatter.ofPattern("d MMM yyyy HH:mm", Locale.ENGLISH);

  /**
   * A part that was restored.
   *
   * @param name cassandra, elasticsearch, files or s3
   * @param target what was overwritten
   * @param version of the server; empty where it is not known
   * @param archives paths, or the name of a snapshot
   * @param bytes that were restored; 0 where they are not known
   * @param items its tables or indices, or one for all files
   * @param leftOut what was left out or could not be done
   * @param error why it failed; empty where it did not
   */
  record Part(String name, String target, String version, List<String> archives, long bytes, List<Item> items,
      List<String> leftOut, String error) {}

  /**
   * A table, an index, or the files of a store.
   *
   * @param bytes 0 where they are not known
   * @param count how many it holds, in words; empty where that is not known
   */
  record Item(String name, long bytes, String count) {}

  static RestoreReport of(RunReports.Report report) {
    var json = report.content();
    var script = json.path("script").asText();
    var parts = switch (script) {
      case "restore-cassandra-es" -> Stream.of("cassandra", "elasticsearch").filter(json::has)
          .map(name -> name.equals("cassandra") ? cassandra(json) : elasticsearch(json)).toList();
      case "restore-files-nfs" -> List.of(files(json));
      default -> List.of(s3(json));
    };
    return new RestoreReport(report.file(), script, json.path("release").asText(),
        Instant.parse(json.path("started").asText()), json.path("seconds").asDouble(), json.path("waited").asDouble(),
        json.path("exit").asInt(), parts, steps(json));
  }

  Optional<Part> part(String name) {
    return parts.stream().filter(part -> part.name().equals(name)).findFirst();
  }

  /** How long a part was restored; of a report without steps, the whole run. */
  double seconds(String part) {
    return steps.isEmpty() ? seconds : StepTimes.seconds(steps, part);
  }

  /** How long an item took; 0 where that is not known. */
  double seconds(String part, Item item) {
    return steps.stream()
        .filter(step -> step.bytes() > 0 && step.part().equals(part) && step.step().endsWith(" " + item.name()))
        .mapToLong(StepTimes.Step::millis).sum() / 1000.0;
  }

  private static Part cassandra(JsonNode report) {
    var json = report.path("cassandra");
    var tables = json.path("tables").valueStream().map(table -> new Item(table.path("name").asText(),
        table.path("bytes").asLong(), "SSTables: " + table.path("sstables").asInt())).toList();
    var archives = texts(json.path("archives"));
    return new Part("cassandra", "keyspace %s of cluster %s".formatted(json.path("keyspace").asText(),
        json.path("cluster").asText()), version("Cassandra", json.path("version").asText()),
        archives.isEmpty() ? List.of(json.path("archive").asText()) : archives,
        tables.stream().mapToLong(Item::bytes).sum(), tables, List.of(), error(report, "cassandra"));
  }

  private static Part elasticsearch(JsonNode report) {
    var json = report.path("elasticsearch");
    var indices = json.path("indices").valueStream().map(JsonNode::asText)
        .map(name -> new Item(name, json.path("bytesOf").path(name).asLong(),
        json.path("documentsOf").has(name) ? Count.of(json.path("documentsOf").path(name).asLong(), "document")
            : "")).toList();
    var leftOut = new ArrayList<String>();
    texts(json.path("leftOut")).forEach(name -> leftOut.add("index %s: --index does not name it".formatted(name)));
    texts(json.path("system")).forEach(name -> leftOut.add("index %s: it is Elasticsearch's own".formatted(name)));
    texts(json.path("stays")).forEach(name -> leftOut.add("live index %s stays: the snapshot does not have it"
        .formatted(name)));
    leftOut.addAll(texts(json.path("notAsInTheSnapshot")));
    return new Part("elasticsearch", "cluster %s at %s".formatted(json.path("cluster").asText(),
        json.path("url").asText()), version(json.path("distribution").asText("Elasticsearch"),
            String.join(" and ", texts(json.path("versions")))),
        List.of(json.path("backup").asText()), json.path("bytes").asLong(), indices, leftOut,
        error(report, "elasticsearch"));
  }

  private static Part files(JsonNode json) {
    var notSet = json.path("notSet").properties().stream().map(what -> "the %s of %s could not be set"
        .formatted(what.getKey(), Count.of(what.getValue().asInt(), "file or folder", "files and folders"))).toList();
    return new Part("files", json.path("folder").asText(), json.path("fileSystem").asText(),
        Stream.of(json.path("backup").asText()).filter(text -> !text.isEmpty()).toList(), json.path("bytes").asLong(),
        json.has("files") ? List.of(new Item("all files", json.path("bytes").asLong(),
            Count.of(json.path("files").asLong(), "file"))) : List.of(),
        notSet, error(json, "files"));
  }

  private static Part s3(JsonNode json) {
    var leftOut = new ArrayList<String>();
    if (json.path("keptExtra").asBoolean()) {
      leftOut.add("%s in the bucket, but not in the backup: --keep-extra"
          .formatted(Count.of(json.path("extra").asInt(), "object")));
    }
    json.path("failed").forEachEntry((key, reason) -> leftOut.add("object %s: %s".formatted(key, reason.asText())));
    return new Part("s3", "bucket %s at %s".formatted(json.path("bucket").asText(), json.path("endpoint").asText()), "",
        Stream.of(json.path("backup").asText()).filter(text -> !text.isEmpty()).toList(),
        json.path("bytesSent").asLong(),
        List.of(new Item("objects that were sent", json.path("bytesSent").asLong(),
            "%,d new, %,d changed; %,d were unchanged".formatted(json.path("new").asLong(),
                json.path("changed").asLong(), json.path("unchanged").asLong()))),
        leftOut, error(json, "s3"));
  }

  private static String version(String product, String version) {
    return version.isEmpty() ? "" : product + " " + version;
  }

  /** The error of a part; where the report does not tell which part failed, it is each one's. */
  private static String error(JsonNode report, String part) {
    if (report.path("exit").asInt() == Exit.DONE) {
      return "";
    }
    var failures = report.path("failures");
    return failures.isObject() ? failures.path(part).asText()
        : report.path("error").asText(texts(report.path("errors")).stream()
            .collect(Collectors.collectingAndThen(Collectors.joining("; "), all -> all.isEmpty()
            ? "exit " + report.path("exit").asInt() : all)));
  }

  private static List<StepTimes.Step> steps(JsonNode report) {
    return report.path("steps").valueStream().map(step -> new StepTimes.Step(step.path("part").asText(),
        step.path("step").asText(), step.path("startMillis").asLong(), step.path("millis").asLong(),
        step.path("bytes").asLong())).toList();
  }

  private static List<String> texts(JsonNode list) {
    return list.valueStream().map(JsonNode::asText).toList();
  }
}
