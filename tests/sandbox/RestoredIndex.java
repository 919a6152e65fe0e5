//SOURCES ../servers/Server.java
//SOURCES ../../lib/EntryName.java
//SOURCES ../../lib/Exit.java
//SOURCES ../../lib/Failure.java
//SOURCES ../../lib/Json.java

import com.fasterxml.jackson.databind.JsonNode;
import java.io.IOException;
import java.time.Instant;
import java.time.LocalDate;
import java.time.ZoneId;
import java.util.Collection;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.TreeMap;
import java.util.TreeSet;
import java.util.stream.Collectors;

/**
 * Asks the restored index, as TheHive's searches do, what an administrator recognises the site by. Every version of
 * Elasticsearch and OpenSearch answers these questions. Another site's index may lack the fields: then it is said that
 * nothing was asked.
 */
record RestoredIndex(Server elasticsearch, String name) {
  private static final int MOST_SHOWN = 5;
  private static final int LONGEST_TITLE = 80;
  private static final String KINDS = """
      {"size": 0, "aggs": {"kinds": {"terms": {"field": "_label", "size": 100}}}}""";
  /** TheHive names the file of an attachment by this field; another sample each time. */
  private static final String ATTACHMENTS = """
      {"size": 200, "_source": ["attachmentId"],
       "query": {"function_score": {"query": {"exists": {"field": "attachmentId"}}, "random_score": {}}}}""";
  private static final String NEWEST_CASE = """
      {"size": 1, "_source": ["title"], "sort": [{"_createdAt": {"order": "desc", "unmapped_type": "date"}}],
       "query": {"bool": {"filter": [{"term": {"_label": "Case"}}, {"exists": {"field": "title"}}]}}}""";

  /** A restored folder or bucket. */
  interface Store {
    /** Those of the names that files have in it. */
    Set<String> present(Set<String> names) throws IOException;
  }

  /** The index of this site cannot be asked this, and why. */
  private static final class NotAsked extends Exception {
    NotAsked(String reason) {
      super(reason);
    }
  }

  private interface Question {
    String ask() throws NotAsked, IOException;
  }

  private JsonNode search(String query) throws NotAsked, IOException {
    try {
      return Json.MAPPER.readTree(elasticsearch.tool("POST", "/%s/_search".formatted(name), query));
    } catch (IllegalStateException e) { // a field of another type, for example
      throw new NotAsked("the index refuses the question: " + e.getMessage());
    }
  }

  /** What the index answers, by what was asked; fails if something is lacking. */
  Map<String, String> answers(Map<String, Store> stores) throws IOException {
    var answers = new LinkedHashMap<String, String>();
    kinds().forEach((kind, count) -> answers.put(kind, "" + count));
    if (answers.isEmpty()) {
      answers.put("the index", "it does not tell which kinds of entries there are, as by a field _label");
    }
    answers.put("attachments", answer(() -> attachments(stores)));
    answers.put("full text", answer(this::fullText));
    return answers;
  }

  private static String answer(Question question) throws IOException {
    try {
      return question.ask();
    } catch (NotAsked e) {
      return "not asked: " + EntryName.shown(e.getMessage());
    }
  }

  /** How many of each kind there are, such as Case; empty where the index does not tell. */
  Map<String, Long> kinds() throws IOException {
    var kinds = new TreeMap<String, Long>();
    try {
      search(KINDS).path("aggregations").path("kinds").path("buckets")
          .forEach(bucket -> kinds.put(bucket.path("key").asText(), bucket.path("doc_count").asLong()));
    } catch (NotAsked e) {
      return Map.of();
    }
    return kinds;
  }

  /**
   * Looks for a sample of the attachments.
   *
   * @param stores by what they are, such as folder
   */
  private String attachments(Map<String, Store> stores) throws NotAsked, IOException {
    if (stores.isEmpty()) {
      throw new NotAsked("the backup has no archive of them");
    }
    var names = names(search(ATTACHMENTS));
    if (names.isEmpty()) {
      throw new NotAsked("no entry of the index has a field attachmentId");
    }
    for (var store : stores.entrySet()) {
      requireAll(names, store.getValue().present(names), store.getKey());
    }
    return "each of %d that the index names is in the restored %s".formatted(names.size(),
        String.join(" and in the restored ", stores.keySet()));
  }

  static Set<String> names(JsonNode answer) {
    var names = new TreeSet<String>();
    answer.path("hits").path("hits").forEach(hit -> names.add(hit.path("_source").path("attachmentId").asText()));
    names.remove("");
    return names;
  }

  static void requireAll(Set<String> names, Collection<String> present, String store) {
    var lacking = names.stream().filter(name -> !present.contains(name)).toList();
    if (!lacking.isEmpty()) {
      var shown = lacking.stream().limit(MOST_SHOWN).map(EntryName::shown).collect(Collectors.joining(", "));
      throw new Failure(Exit.VERIFICATION, "the restored %s lacks %d of %d attachments that the index names: %s%s"
          .formatted(store, lacking.size(), names.size(), shown,
              lacking.size() > MOST_SHOWN ? " and %d more".formatted(lacking.size() - MOST_SHOWN) : ""),
          "the archive lacks them; see whether the %s of the site itself has them".formatted(store));
    }
  }

  /** Searches for the words of the newest case's title. */
  private String fullText() throws NotAsked, IOException {
    var newest = search(NEWEST_CASE).path("hits").path("hits").path(0);
    var title = newest.path("_source").path("title").asText();
    if (!hasWords(title)) {
      throw new NotAsked("the index has no case with a title");
    }
    return found(newest, search(Json.MAPPER.writeValueAsString(Map.of("size", 0, "track_total_hits", true,
        "query", Map.of("match", Map.of("title", Map.of("query", title, "operator", "and"))),
        "aggs", Map.of("itself", Map.of("filter", Map.of("ids", Map.of("values", List.of(newest.path("_id").asText()))))
        )))));
  }

  /** True if a full-text search finds something by it. */
  static boolean hasWords(String title) {
    return title.codePoints().anyMatch(Character::isLetterOrDigit);
  }

  static String found(JsonNode newest, JsonNode answer) {
    var title = EntryName.shown(newest.path("_source").path("title").asText());
    var shown = title.length() > LONGEST_TITLE ? title.substring(0, LONGEST_TITLE) + "…" : title;
    var count = answer.path("hits").path("total").path("value").asLong();
    if (answer.path("aggregations").path("itself").path("doc_count").asLong() != 1) {
      throw new Failure(Exit.VERIFICATION,
          "a search for \"%s\", the title of the newest case, does not find that case, but %,d others".formatted(shown,
              count), "the restored index does not answer searches as it should");
    }
    var created = newest.path("sort").path(0).asLong();
    return "\"%s\" is the newest case%s; a search for these words finds it%s".formatted(shown,
        created <= 0 ? "" : ", of " + LocalDate.ofInstant(Instant.ofEpochMilli(created), ZoneId.systemDefault()),
        count == 1 ? ", and nothing else" : " and %,d other entries".formatted(count - 1));
  }
}
