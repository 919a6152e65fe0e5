///usr/bin/env jbang "$0" "$@" ; exit $?
//DESCRIPTION Application data for the tests: a JanusGraph of cases over Cassandra and Elasticsearch
//JAVA 17+
//DEPS info.picocli:picocli:4.7.7
//DEPS org.janusgraph:janusgraph-cql:1.1.0
//DEPS org.janusgraph:janusgraph-es:1.1.0
//DEPS org.slf4j:slf4j-simple:1.7.36
//SOURCES Attachments.java
//CDS
//JAVA_OPTIONS -XX:+UseSerialGC -XX:TieredStopAtLevel=1 -Xmx2g -Xlog:disable
//MAIN Graph

import com.datastax.oss.driver.api.core.CqlSession;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.sun.net.httpserver.HttpExchange;
import com.sun.net.httpserver.HttpServer;
import java.io.IOException;
import java.net.ConnectException;
import java.net.InetSocketAddress;
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse;
import java.time.Duration;
import java.time.LocalDateTime;
import java.util.ArrayList;
import java.util.Date;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Random;
import java.util.TreeMap;
import java.util.concurrent.Callable;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.stream.IntStream;
import org.apache.tinkerpop.gremlin.process.traversal.Order;
import org.apache.tinkerpop.gremlin.process.traversal.dsl.graph.GraphTraversalSource;
import org.apache.tinkerpop.gremlin.structure.Vertex;
import org.janusgraph.core.Cardinality;
import org.janusgraph.core.JanusGraph;
import org.janusgraph.core.JanusGraphFactory;
import org.janusgraph.core.JanusGraphTransaction;
import org.janusgraph.core.PropertyKey;
import org.janusgraph.core.attribute.Text;
import org.janusgraph.core.schema.Mapping;
import picocli.CommandLine;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Option;

/**
 * Writes and asks a graph of cases, alerts, observables, comments and attachments, as TheHive keeps it: tables in a
 * Cassandra keyspace, one mixed index in Elasticsearch. What is written depends on nothing but the options.
 *
 * <pre>
 * graph.java create --cassandra 127.0.0.2,127.0.0.3 --elasticsearch http://127.0.0.2:9200 --cases 300
 * graph.java ask    --cassandra 127.0.0.2           --elasticsearch http://127.0.0.2:9200
 * graph.java serve  --cassandra 127.0.0.2           --elasticsearch http://127.0.0.2:9200
 * </pre>
 */
@Command(
    name = "graph.java",
    mixinStandardHelpOptions = true,
    description = "Application data for the tests: a JanusGraph of cases over Cassandra and Elasticsearch.",
    subcommands = {Graph.Create.class, Graph.Change.class, Graph.Damage.class, Graph.Ask.class, Graph.LookUp.class,
        Graph.Serve.class})
class Graph {
  private static final int BATCH = 25; // cases a transaction
  private static final int PREVIEW_PAYLOAD = 24 * 1024;
  private static final int PREVIEW_TEXT = 8 * 1024;
  private static final int DAMAGED_CASES = 40;
  private static final int EXTRA_CASES = 50;
  private static final int LOAD_THREADS = 4;
  private static final int MOST_SCANNED = 100_000; // vertices: without an index each is read
  private static final List<String> LABELS = List.of("Case", "Alert", "Observable", "Comment", "Attachment", "Preview");

  public static void main(String... args) {
    System.setProperty("org.slf4j.simpleLogger.defaultLogLevel", "error");
    System.setProperty("org.slf4j.simpleLogger.log.io.netty", "off"); // closing races with itself and says so
    var commands = new CommandLine(new Graph());
    commands.setExecutionExceptionHandler(Graph::explain);
    System.exit(commands.execute(args)); // the driver's and the graph's threads would keep the process for seconds
  }

  private static int explain(Exception e, CommandLine command, CommandLine.ParseResult result) {
    var causes = new ArrayList<String>();
    for (Throwable t = e; t != null && !causes.contains(t.getMessage()); t = t.getCause()) {
      causes.add(t.getMessage() == null ? t.getClass().getSimpleName() : t.getMessage());
    }
    System.err.println("error: " + String.join(": ", causes));
    return 1;
  }

  /** Where the graph lives; every command has these options. */
  static class Target {
    @Option(names = "--cassandra", split = ",", required = true, description = "host or host:port, comma between")
    List<String> cassandra;

    @Option(names = "--elasticsearch", required = true, description = "URL of one node")
    URI elasticsearch;

    @Option(names = "--keyspace", defaultValue = "thehive", description = "default: ${DEFAULT-VALUE}")
    String keyspace;

    @Option(names = "--index", defaultValue = "thehive", description = "its index is <this>_global; default: thehive")
    String index;

    private List<InetSocketAddress> contactPoints() {
      return cassandra.stream()
          .map(c -> URI.create("cql://" + c))
          .map(c -> new InetSocketAddress(c.getHost(), c.getPort() < 0 ? 9042 : c.getPort()))
          .toList();
    }

    /** Opening creates what is missing, so what only reads asks first. */
    void requireKeyspace() {
      var builder = CqlSession.builder().addContactPoints(contactPoints()).withLocalDatacenter("datacenter1");
      if (System.getenv("CASSANDRA_USER") != null) {
        builder.withAuthCredentials(System.getenv("CASSANDRA_USER"), System.getenv("CASSANDRA_PASSWORD"));
      }
      try (var session = builder.build()) {
        session
            .getMetadata()
            .getKeyspace(keyspace)
            .orElseThrow(() -> new IllegalStateException("no keyspace " + keyspace + " in " + cassandra));
      }
    }

    JanusGraph open(String writeConsistency, int replicationFactor) {
      var config = JanusGraphFactory.build();
      config.set("storage.backend", "cql");
      config.set("storage.hostname", String.join(",", contactPoints().stream().map(a -> a.getHostString()).toList()));
      config.set("storage.port", contactPoints().get(0).getPort());
      config.set("storage.cql.keyspace", keyspace);
      config.set("storage.cql.replication-factor", replicationFactor);
      config.set("storage.cql.write-consistency-level", writeConsistency);
      config.set("storage.cql.request-timeout", 30_000);
      config.set("storage.setup-wait", 20_000);
      if (System.getenv("CASSANDRA_USER") != null) {
        config.set("storage.username", System.getenv("CASSANDRA_USER"));
        config.set("storage.password", System.getenv("CASSANDRA_PASSWORD"));
      }
      config.set("index.search.backend", "elasticsearch");
      config.set("index.search.hostname", elasticsearch.getHost());
      config.set("index.search.port", elasticsearch.getPort());
      config.set("index.search.index-name", index);
      // one writer at a time: hardly a wait when numbers are handed out, but a claim that takes longer is made again
      config.set("ids.authority.wait-time", Duration.ofMillis(100));
      config.set("ids.num-partitions", 1);
      config.set("ids.block-size", 100_000);
      config.set("schema.default", "none");
      config.set("query.force-index", false);
      return openUntilItSucceeds(config);
    }

    /** The first start creates tables and at once uses them through a node that has not heard of them yet. */
    private JanusGraph openUntilItSucceeds(JanusGraphFactory.Builder config) {
      for (int attempt = 1; ; attempt++) {
        try {
          return config.open();
        } catch (RuntimeException e) {
          if (attempt == 20 || !isTableNotKnownYet(e)) {
            throw e;
          }
        }
      }
    }

    private static boolean isTableNotKnownYet(Throwable e) {
      for (var t = e; t != null; t = t.getCause()) {
        var message = String.valueOf(t.getMessage());
        if (message.contains("does not exist") || message.contains("unconfigured table")) {
          return true;
        }
      }
      return false;
    }

    /** Makes what was written findable now, not in a second. */
    void refresh() throws IOException, InterruptedException {
      if (!refreshIfThere()) {
        throw new IOException("no index %s_global in %s".formatted(index, elasticsearch));
      }
    }

    /** The same; false if there is no such index. */
    boolean refreshIfThere() throws IOException, InterruptedException {
      var uri = elasticsearch.resolve("/" + index + "_global/_refresh");
      var request = HttpRequest.newBuilder(uri).POST(HttpRequest.BodyPublishers.noBody()).build();
      HttpResponse<String> response;
      try {
        response = HttpClient.newHttpClient().send(request, HttpResponse.BodyHandlers.ofString());
      } catch (ConnectException e) {
        throw new IOException("cannot reach Elasticsearch at " + elasticsearch); // its own message says nothing
      }
      if (response.statusCode() != 200 && response.statusCode() != 404) {
        throw new IOException(uri + " answered " + response.statusCode() + ": " + response.body());
      }
      return response.statusCode() == 200;
    }
  }

  @Command(name = "create", description = "Creates the schema and the cases.")
  static class Create implements Callable<Integer> {
    @Mixin Target target;

    @Option(names = "--cases", defaultValue = "300", description = "default: ${DEFAULT-VALUE}")
    int cases;

    @Option(names = "--replication-factor", defaultValue = "3", description = "default: ${DEFAULT-VALUE}")
    int replicationFactor;

    @Option(names = "--bulk", description = "adds attachment previews up to this size: 500m, 1g")
    String bulk;

    @Override
    public Integer call() throws Exception {
      // ALL: the backup is one node's, so each node must have everything
      try (var graph = target.open("ALL", replicationFactor)) {
        defineSchema(graph);
        inParallel(graph, 1, cases, (tx, number) -> addCase(tx, number, "created"));
        if (bulk != null) {
          var previews = (int) (bytes(bulk) / (PREVIEW_PAYLOAD + PREVIEW_TEXT));
          inParallel(graph, 1, previews, (tx, number) -> addPreview(tx, number, cases));
        }
      }
      target.refresh();
      return 0;
    }

    private static long bytes(String size) {
      var unit = "kmg".indexOf(Character.toLowerCase(size.charAt(size.length() - 1))) + 1;
      return Long.parseLong(unit == 0 ? size : size.substring(0, size.length() - 1)) << (10 * unit);
    }
  }

  @Command(
      name = "change",
      description = "A day's work: updates every 10th case, deletes every 15th, adds one for every 20.")
  static class Change implements Callable<Integer> {
    @Mixin Target target;

    @Override
    public Integer call() throws Exception {
      target.requireKeyspace();
      try (var graph = target.open("ALL", 1)) {
        var last = lastCase(graph.traversal());
        var updated = IntStream.rangeClosed(1, last).filter(n -> n % 10 == 0 && n % 15 != 0).boxed().toList();
        var deleted = IntStream.rangeClosed(1, last).filter(n -> n % 15 == 0).boxed().toList();
        updateCases(graph, updated, "changed");
        deleteCases(graph, deleted);
        inParallel(graph, last + 1, last + last / 20, (tx, number) -> addCase(tx, number, "added"));
      }
      target.refresh();
      return 0;
    }
  }

  @Command(
      name = "damage",
      description = "What must not survive a restore: overwrites, deletes (of cases 1 to 40 the odd) and adds cases.")
  static class Damage implements Callable<Integer> {
    @Mixin Target target;

    @Override
    public Integer call() throws Exception {
      target.requireKeyspace();
      try (var graph = target.open("ALL", 1)) {
        var last = lastCase(graph.traversal());
        var hit = IntStream.rangeClosed(1, Math.min(DAMAGED_CASES, last)).boxed().toList();
        updateCases(graph, hit.stream().filter(n -> n % 2 == 0).toList(), "damaged");
        deleteCases(graph, hit.stream().filter(n -> n % 2 == 1).toList());
        inParallel(graph, last + 1, last + EXTRA_CASES, (tx, number) -> addCase(tx, number, "extra"));
      }
      target.refresh();
      return 0;
    }
  }

  @Command(name = "ask", description = "Prints what the graph answers, one line of JSON.")
  static class Ask implements Callable<Integer> {
    @Mixin Target target;

    @Override
    public Integer call() throws Exception {
      target.requireKeyspace();
      var indexed = target.refreshIfThere();
      try (var graph = target.open("QUORUM", 1)) {
        var answers = indexed ? answers(graph.traversal()) : answersWithoutIndex(graph.traversal());
        System.out.println(new ObjectMapper().writeValueAsString(answers));
      }
      return 0;
    }
  }

  @Command(name = "look-up", description = "Looks up some entries of the index in the graph, whatever its schema is.")
  static class LookUp implements Callable<Integer> {
    @Mixin Target target;

    @Option(names = "--kinds", split = ",",
        description = "values of _label, such as Case,Alert; without: how many vertices of the graph have which label")
    List<String> kinds;

    @Option(names = "--most", defaultValue = "200", description = "of each kind (default: ${DEFAULT-VALUE})")
    int most;

    @Override
    public Integer call() throws Exception {
      target.requireKeyspace();
      target.refresh();
      try (var graph = target.open("QUORUM", 1)) {
        var g = graph.traversal();
        if (kinds == null) {
          var labels = new TreeMap<>(g.V().limit(MOST_SCANNED).<String>label().<String>groupCount().next());
          System.out.println(new ObjectMapper().writeValueAsString(labels));
          return 0;
        }
        var asked = 0;
        var found = 0;
        for (var kind : kinds) {
          // the index gives the vertices, the database what they are
          var vertices = g.V().has("_label", kind).limit(most).toList();
          asked += vertices.size();
          for (var vertex : vertices) {
            found += kind.equals(vertex.property("_label").orElse(null)) ? 1 : 0;
          }
        }
        System.out.println(new ObjectMapper().writeValueAsString(Map.of("asked", asked, "found", found)));
      }
      return 0;
    }
  }

  @Command(name = "serve",
      description = "Stands in for TheHive: answers its status, and /search?word with numbers of cases.")
  static class Serve implements Callable<Integer> {
    @Mixin Target target;

    @Option(names = "--port", defaultValue = "9000", description = "default: ${DEFAULT-VALUE}")
    int port;

    private interface Question {
      Object answer(String asked) throws Exception;
    }

    /** Its status is one search: a graph without its index is no application. */
    @Override
    public Integer call() throws Exception {
      log("INFO", "Starting TheHive");
      target.requireKeyspace();
      try (var graph = target.open("QUORUM", 1)) {
        var server = HttpServer.create(new InetSocketAddress(port), 0);
        server.createContext("/api/v1/status/public", exchange -> answer(exchange, any -> {
          lastCase(graph.traversal());
          return Map.of("status", "Ok");
        }));
        server.createContext("/search", exchange -> answer(exchange, word ->
            graph.traversal().V().has("description", Text.textContains(word)).values("number").order().toList()));
        server.start();
        log("INFO", "Listening for HTTP on /0.0.0.0:" + port);
        // it is registered in the graph while it is open
        Runtime.getRuntime().addShutdownHook(new Thread(graph::close));
        new CountDownLatch(1).await();
      }
      return 0;
    }

    private static void answer(HttpExchange exchange, Question question) throws IOException {
      var code = 200;
      Object body;
      try {
        body = question.answer(exchange.getRequestURI().getQuery());
      } catch (Exception e) {
        code = 500;
        body = Map.of("type", "InternalError", "message", String.valueOf(e.getMessage()));
        log("ERROR", "Cannot search: " + e.getMessage());
      }
      try (exchange) {
        var bytes = new ObjectMapper().writeValueAsBytes(body);
        exchange.sendResponseHeaders(code, bytes.length);
        exchange.getResponseBody().write(bytes);
      }
    }

    private static void log(String level, String message) {
      System.out.printf("%s [%s] from org.thp.thehive.TheHive in main - %s%n", LocalDateTime.now(), level, message);
    }
  }

  // ---------------------------------------------------------------- schema

  private static void defineSchema(JanusGraph graph) {
    var management = graph.openManagement();
    if (management.containsGraphIndex("global")) {
      management.rollback();
      throw new IllegalStateException("the graph exists already");
    }
    LABELS.forEach(label -> management.makeVertexLabel(label).make());
    for (var label : List.of("CaseObservable", "CaseComment", "AlertCase", "ObservableAttachment")) {
      management.makeEdgeLabel(label).make();
    }
    Map<String, Class<?>> types = new LinkedHashMap<>();
    for (var key : List.of("_label", "title", "description", "state", "status", "dataType", "data", "message")) {
      types.put(key, String.class);
    }
    for (var key : List.of("sourceRef", "attachmentId", "name", "contentType", "text")) {
      types.put(key, String.class);
    }
    types.put("number", Integer.class);
    types.put("severity", Integer.class);
    types.put("size", Long.class);
    types.put("_createdAt", Date.class);
    types.put("payload", byte[].class);
    Map<String, PropertyKey> keys = new LinkedHashMap<>();
    types.forEach(
        (name, type) ->
            keys.put(name, management.makePropertyKey(name).dataType(type).cardinality(Cardinality.SINGLE).make()));

    management.buildIndex("byNumber", Vertex.class).addKey(keys.get("number")).unique().buildCompositeIndex();
    management.buildIndex("byAttachmentId", Vertex.class).addKey(keys.get("attachmentId")).buildCompositeIndex();
    var global = management.buildIndex("global", Vertex.class);
    for (var key : List.of("title", "description", "message")) {
      global.addKey(keys.get(key), Mapping.TEXTSTRING.asParameter());
    }
    global.addKey(keys.get("text"), Mapping.TEXT.asParameter());
    for (var key : List.of("_label", "state", "status", "dataType", "data", "sourceRef", "name", "contentType",
        "attachmentId")) {
      global.addKey(keys.get(key), Mapping.STRING.asParameter());
    }
    for (var key : List.of("number", "severity", "size", "_createdAt")) {
      global.addKey(keys.get(key));
    }
    global.buildMixedIndex("search");
    management.commit();
  }

  // ---------------------------------------------------------------- writing

  private interface Writer {
    void write(JanusGraphTransaction tx, int number);
  }

  private static void inParallel(JanusGraph graph, int first, int last, Writer writer) throws Exception {
    var threads = Executors.newFixedThreadPool(LOAD_THREADS);
    try {
      List<Future<?>> batches = new ArrayList<>();
      for (int start = first; start <= last; start += BATCH) {
        var from = start;
        var to = Math.min(last, start + BATCH - 1);
        batches.add(
            threads.submit(
                () -> {
                  var tx = graph.buildTransaction().enableBatchLoading().start();
                  IntStream.rangeClosed(from, to).forEach(number -> writer.write(tx, number));
                  tx.commit();
                }));
      }
      for (var batch : batches) {
        batch.get();
      }
    } catch (ExecutionException e) {
      throw (Exception) e.getCause();
    } finally {
      threads.shutdownNow();
    }
  }

  private static void addCase(JanusGraphTransaction tx, int number, String state) {
    var created = new Date(1_700_000_000_000L + number * 60_000L);
    var theCase = tx.addVertex("Case");
    set(theCase, "_label", "Case", "number", number, "_createdAt", created, "severity", 1 + number % 4);
    set(theCase, "title", "Case #" + number, "state", state, "status", number % 5 == 0 ? "Resolved" : "New");
    set(theCase, "description", description(number, state));
    for (int i = 0; i < 3; i++) {
      var observable = tx.addVertex("Observable");
      var data = List.of("host-%d.example.com", "10.%d.0.1", "user%d@example.org").get(i).formatted(number);
      set(observable, "_label", "Observable", "dataType", List.of("fqdn", "ip", "mail").get(i), "data", data);
      set(observable, "_createdAt", created, "message", words(new Random(number * 31L + i), 12));
      theCase.addEdge("CaseObservable", observable);
      if (i == 0 && number % 4 == 3) {
        observable.addEdge("ObservableAttachment", addAttachment(tx, number / 4, created));
      }
    }
    if (number % 2 == 0) {
      var comment = tx.addVertex("Comment");
      set(comment, "_label", "Comment", "_createdAt", created, "message", words(new Random(number * 37L), 40));
      theCase.addEdge("CaseComment", comment);
      return;
    }
    var alert = tx.addVertex("Alert");
    set(alert, "_label", "Alert", "sourceRef", "siem-" + number, "_createdAt", created, "status", "Imported");
    set(alert, "title", "Alert of case #" + number);
    alert.addEdge("AlertCase", theCase);
  }

  private static Vertex addAttachment(JanusGraphTransaction tx, int i, Date created) {
    var content = Attachments.content(i);
    var attachment = tx.addVertex("Attachment");
    set(attachment, "_label", "Attachment", "attachmentId", Attachments.id(content), "size", (long) content.length);
    set(attachment, "name", "attachment-" + i + ".bin", "contentType", "application/octet-stream");
    set(attachment, "_createdAt", created);
    return attachment;
  }

  /** A preview is bytes that do not compress, and text that fills the index. */
  private static void addPreview(JanusGraphTransaction tx, int number, int cases) {
    var random = new Random(-number);
    var payload = new byte[PREVIEW_PAYLOAD];
    random.nextBytes(payload);
    var preview = tx.addVertex("Preview");
    set(preview, "_label", "Preview", "name", "preview-" + number, "payload", payload);
    set(preview, "text", words(random, PREVIEW_TEXT / 8));
  }

  private static void updateCases(JanusGraph graph, List<Integer> numbers, String state) {
    var g = graph.traversal();
    for (var number : numbers) {
      var theCase = g.V().has("number", number).tryNext();
      theCase.ifPresent(
          c -> set(c, "state", state, "status", "Reopened", "description", description(number, state)));
    }
    g.tx().commit();
  }

  private static void deleteCases(JanusGraph graph, List<Integer> numbers) {
    var g = graph.traversal();
    for (var number : numbers) {
      g.V().has("number", number).out("CaseObservable", "CaseComment").drop().iterate();
      g.V().has("number", number).drop().iterate();
    }
    g.tx().commit();
  }

  private static void set(Vertex vertex, Object... keyValues) {
    for (int i = 0; i < keyValues.length; i += 2) {
      vertex.property((String) keyValues[i], keyValues[i + 1]);
    }
  }

  private static String description(int number, String state) {
    var text = words(new Random(number * 1_000_003L + state.hashCode()), 60);
    return (number % 3 == 0 ? "Reported as phishing. " : "") + "This case was " + state + ". " + text;
  }

  /** Words of seven letters out of some ten thousand. */
  private static String words(Random random, int count) {
    var text = new StringBuilder(count * 8);
    for (int i = 0; i < count; i++) {
      var word = new Random(random.nextInt(10_000));
      for (int letter = 0; letter < 7; letter++) {
        text.append((char) ('a' + word.nextInt(26)));
      }
      text.append(' ');
    }
    return text.toString();
  }

  // ---------------------------------------------------------------- asking

  /** The highest case number, from the index. */
  private static int lastCase(GraphTraversalSource g) {
    var last = g.V().has("_label", "Case").order().by("number", Order.desc).limit(1).values("number").tryNext();
    return last.map(n -> (Integer) n).orElseThrow(() -> new IllegalStateException("the graph has no cases"));
  }

  /** What the graph alone tells, where its index is gone: every vertex is read. */
  private static Map<String, Object> answersWithoutIndex(GraphTraversalSource g) {
    var inGraph = new TreeMap<String, Long>();
    var cases = new TreeMap<String, Long>();
    g.V().forEachRemaining(vertex -> {
      inGraph.merge(vertex.label(), 1L, Long::sum);
      if (vertex.label().equals("Case")) {
        var values = new LinkedHashMap<Object, Object>();
        vertex.properties("number", "state", "description")
            .forEachRemaining(property -> values.put(property.key(), List.of(property.value())));
        cases.merge(stateOf(values), 1L, Long::sum);
      }
    });
    return new LinkedHashMap<>(Map.of("vertices", inGraph, "index", "gone", "cases", cases));
  }

  private static Map<String, Object> answers(GraphTraversalSource g) {
    var inGraph = new TreeMap<>(g.V().<String>label().<String>groupCount().next());
    var inIndex = new TreeMap<String, Long>();
    for (var label : LABELS) {
      var count = g.V().has("_label", label).count().next();
      if (count > 0) {
        inIndex.put(label, count);
      }
    }
    var cases = new TreeMap<String, Long>();
    g.V()
        .has("_label", "Case")
        .<Object>valueMap("number", "state", "description")
        .forEachRemaining(c -> cases.merge(stateOf(c), 1L, Long::sum));

    var answers = new LinkedHashMap<String, Object>();
    answers.put("vertices", inGraph);
    answers.put("indexed", inIndex);
    answers.put("agree", inGraph.equals(inIndex));
    answers.put("cases", cases);
    answers.put("phishing", g.V().has("description", Text.textContains("phishing")).values("number").toList().size());
    var case7 = g.V().has("number", 7);
    answers.put("observablesOfCase7", case7.asAdmin().clone().out("CaseObservable").values("data").order().toList());
    answers.put(
        "attachmentsOfAlert7",
        g.V()
            .has("sourceRef", "siem-7")
            .out("AlertCase")
            .out("CaseObservable")
            .out("ObservableAttachment")
            .values("attachmentId")
            .order()
            .toList());
    answers.put("attachments", g.V().has("_label", "Attachment").values("attachmentId").order().limit(5).toList());
    return answers;
  }

  /** The state a case says it is in, or "spoiled" when its text is not what was written with that state. */
  private static String stateOf(Map<Object, Object> values) {
    var number = (Integer) only(values, "number");
    var state = (String) only(values, "state");
    var whole = number != null && state != null && description(number, state).equals(only(values, "description"));
    return whole ? state : "spoiled";
  }

  private static Object only(Map<Object, Object> values, String key) {
    return values.get(key) instanceof List<?> list && list.size() == 1 ? list.get(0) : null;
  }
}
