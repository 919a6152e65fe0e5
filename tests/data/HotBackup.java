import com.datastax.oss.driver.api.core.CqlSession;
import com.datastax.oss.driver.api.core.config.DefaultDriverOption;
import com.datastax.oss.driver.api.core.config.DriverConfigLoader;
import com.datastax.oss.driver.internal.core.loadbalancing.BasicLoadBalancingPolicy;
import java.io.IOException;
import java.net.InetSocketAddress;
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.nio.file.attribute.PosixFilePermissions;
import java.time.Duration;
import java.time.LocalDateTime;
import java.time.format.DateTimeFormatter;
import java.util.Comparator;
import net.lingala.zip4j.ZipFile;
import net.lingala.zip4j.model.ZipParameters;
import net.lingala.zip4j.model.enums.EncryptionMethod;

/**
 * Hot backups made the documented way, below one folder of archives: {@code cassandra/cassandra_TS.tar}, {@code
 * elasticsearch/} (the repository and {@code elasticsearch_TS.info}), {@code storage/files_TS.tar}, {@code
 * minio/minio_TS.tar}.
 */
class HotBackup {
  static final String REPOSITORY = "thehive_repository";
  private static final DateTimeFormatter TIMESTAMP = DateTimeFormatter.ofPattern("yyyyMMdd_HH'h'mm'm'ss's'");

  /** A backup of both databases: the archive, the marker, and the snapshot that the marker names. */
  record Set(String timestamp, Path archives, Path cassandra, Path marker, String snapshot) {}

  private HotBackup() {}

  /** The time as the backup scripts write it: {@code date +%Y%m%d_%Hh%Mm%Ss}. */
  static String timestamp(LocalDateTime time) {
    return TIMESTAMP.format(time);
  }

  static Set take(Server cassandra, String keyspace, URI elasticsearch, Path archives) {
    return take(cassandra, keyspace, elasticsearch, archives, timestamp(LocalDateTime.now()));
  }

  static Set take(Server cassandra, String keyspace, URI elasticsearch, Path archives, String timestamp) {
    var archive = cassandra(cassandra, keyspace, archives, timestamp);
    var marker = elasticsearch(elasticsearch, keyspace + "_global", archives, timestamp);
    return new Set(timestamp, archives, archive, marker, "elasticsearch_" + timestamp);
  }

  /** What one node holds of a keyspace, as {@code cassandra/cassandra_TS.tar}. */
  static Path cassandra(Server node, String keyspace, Path archives, String timestamp) {
    var tag = "cassandra_" + timestamp;
    try {
      var work = Files.createTempDirectory(Files.createDirectories(archives.resolve("cassandra")), "work");
      try {
        var root = Files.createDirectory(work.resolve(tag));
        node.tool("snapshot", "-t", tag, keyspace);
        Files.writeString(root.resolve("create_keyspace_" + keyspace + ".cql"), describe(node, keyspace));
        copySnapshot(node.data(), keyspace, tag, root.resolve(keyspace));
        node.tool("clearsnapshot", "-t", tag, "--", keyspace);
        return tar(work, tag, archives.resolve("cassandra"));
      } finally {
        delete(work);
      }
    } catch (IOException e) {
      throw new IllegalStateException("the backup of keyspace " + keyspace + " failed", e);
    }
  }

  /** An empty marker first, then the snapshot that it names, waited for to its end. */
  static Path elasticsearch(URI elasticsearch, String index, Path archives, String timestamp) {
    var snapshot = "elasticsearch_" + timestamp;
    try {
      var marker = marker(archives, timestamp);
      register(elasticsearch, archives);
      var answer =
          put(
              elasticsearch.resolve("/_snapshot/" + REPOSITORY + "/" + snapshot + "?wait_for_completion=true"),
              """
              {"indices": "%s", "ignore_unavailable": true, "include_global_state": false}
              """
                  .formatted(index));
      if (!answer.contains("\"state\":\"SUCCESS\"")) {
        throw new IllegalStateException("snapshot " + snapshot + " is not complete: " + answer);
      }
      return marker;
    } catch (IOException e) {
      throw new IllegalStateException("snapshot " + snapshot + " failed", e);
    }
  }

  /** Only the marker: what a backup leaves whose snapshot never started. */
  static Path marker(Path archives, String timestamp) throws IOException {
    var folder = Files.createDirectories(archives.resolve("elasticsearch"));
    // Elasticsearch may be another user, as in production.
    Files.setPosixFilePermissions(folder, PosixFilePermissions.fromString("rwxrwxrwx"));
    return Files.write(folder.resolve("elasticsearch_" + timestamp + ".info"), new byte[0]);
  }

  /** Registers the repository over {@code archives/elasticsearch}, which must be below the nodes' path.repo. */
  static void register(URI elasticsearch, Path archives) throws IOException {
    put(
        elasticsearch.resolve("/_snapshot/" + REPOSITORY),
        """
        {"type": "fs", "settings": {"location": "%s"}}
        """
            .formatted(archives.resolve("elasticsearch").toAbsolutePath()));
  }

  /**
   * A folder of attachments, dot files included, as {@code storage/files_TS.tar}. It keeps owners and times, which the
   * documented one does not.
   */
  static Path files(Path attachments, Path archives, String timestamp) {
    return archiveOf(attachments, "files_" + timestamp, archives.resolve("storage"));
  }

  /** The documented way: copied as root, so all of it is root's, of this umask, and as old as the backup. */
  static Path filesAsDocumented(Path attachments, Path archives, String timestamp) throws IOException {
    var name = "files_" + timestamp;
    var storage = Files.createDirectories(archives.resolve("storage"));
    run(storage, "sh", "-c", "umask 022; mkdir $1 && cp -r \"$0\"/. $1", attachments.toAbsolutePath().toString(), name);
    var tar = tar(storage, name, storage);
    delete(storage.resolve(name));
    return tar;
  }

  /** A mirror of a bucket, one file an object, as {@code minio/minio_TS.tar}. */
  static Path minio(Path mirror, Path archives, String timestamp) {
    return archiveOf(mirror, "minio_" + timestamp, archives.resolve("minio"));
  }

  /** Puts a zip of the same tree in place of a tar, AES-encrypted when there is a password. */
  static Path zip(Path tar, char[] password) {
    var name = tar.getFileName().toString().replaceFirst("\\.tar$", "");
    var zip = tar.resolveSibling(name + ".zip");
    try {
      var work = Files.createTempDirectory(tar.getParent(), "work");
      try (var file = new ZipFile(zip.toFile(), password)) {
        run(work, "tar", "xf", tar.toAbsolutePath().toString());
        var parameters = new ZipParameters();
        if (password != null) {
          parameters.setEncryptFiles(true);
          parameters.setEncryptionMethod(EncryptionMethod.AES);
        }
        file.addFolder(work.resolve(name).toFile(), parameters);
      } finally {
        delete(work);
      }
      Files.delete(tar);
      return zip;
    } catch (IOException e) {
      throw new IllegalStateException("cannot make " + zip, e);
    }
  }

  /** The answer of DESCRIBE KEYSPACE laid out as cqlsh prints it: an empty line before each statement. */
  private static String describe(Server node, String keyspace) {
    var limits =
        DriverConfigLoader.programmaticBuilder()
            .withDuration(DefaultDriverOption.REQUEST_TIMEOUT, Duration.ofSeconds(30))
            .withInt(DefaultDriverOption.NETTY_IO_SHUTDOWN_QUIET_PERIOD, 0)
            .withInt(DefaultDriverOption.NETTY_ADMIN_SHUTDOWN_QUIET_PERIOD, 0)
            .withClass(DefaultDriverOption.LOAD_BALANCING_POLICY_CLASS, BasicLoadBalancingPolicy.class) // whatever the data centre is called
            .build();
    var builder =
        CqlSession.builder()
            .addContactPoint(new InetSocketAddress(node.host(), node.port()))
            .withConfigLoader(limits);
    node.login().ifPresent(login -> builder.withAuthCredentials(login.user(), login.password()));
    var text = new StringBuilder();
    try (var session = builder.build()) {
      for (var row : session.execute("DESCRIBE KEYSPACE " + keyspace)) {
        text.append('\n').append(row.getString("create_statement")).append('\n');
      }
    }
    return text.toString();
  }

  private static void copySnapshot(Path data, String keyspace, String tag, Path target) throws IOException {
    var folder = data.resolve("data").resolve(keyspace);
    try (var tables = Files.list(folder)) {
      for (var table : tables.toList()) {
        var snapshot = table.resolve("snapshots").resolve(tag);
        if (Files.isDirectory(snapshot)) { // not in the folder of a table that was dropped
          copyFiles(snapshot, Files.createDirectories(target.resolve(table.getFileName())));
        }
      }
    }
  }

  private static void copyFiles(Path from, Path to) throws IOException {
    try (var files = Files.list(from)) {
      for (var file : files.toList()) {
        Files.copy(file, to.resolve(file.getFileName()), StandardCopyOption.COPY_ATTRIBUTES);
      }
    }
  }

  private static Path archiveOf(Path folder, String name, Path target) {
    try {
      var work = Files.createTempDirectory(Files.createDirectories(target), "work");
      try {
        run(work, "cp", "-a", folder.toAbsolutePath().toString(), name);
        return tar(work, name, target);
      } finally {
        delete(work);
      }
    } catch (IOException e) {
      throw new IllegalStateException("cannot archive " + folder, e);
    }
  }

  private static Path tar(Path work, String name, Path target) throws IOException {
    var tar = target.resolve(name + ".tar");
    run(work, "tar", "cf", tar.toAbsolutePath().toString(), name);
    return tar;
  }

  private static void run(Path folder, String... command) throws IOException {
    var process = new ProcessBuilder(command).directory(folder.toFile()).redirectErrorStream(true).start();
    var output = new String(process.getInputStream().readAllBytes());
    try {
      if (process.waitFor() != 0) {
        throw new IOException(String.join(" ", command) + " failed: " + output);
      }
    } catch (InterruptedException e) {
      process.destroy();
      throw new IOException("interrupted", e);
    }
  }

  private static String put(URI uri, String body) throws IOException {
    var request =
        HttpRequest.newBuilder(uri)
            .header("Content-Type", "application/json")
            .PUT(HttpRequest.BodyPublishers.ofString(body))
            .build();
    try {
      var response = HttpClient.newHttpClient().send(request, HttpResponse.BodyHandlers.ofString());
      if (response.statusCode() != 200) {
        throw new IOException("PUT " + uri + " answered " + response.statusCode() + ": " + response.body());
      }
      return response.body();
    } catch (InterruptedException e) {
      throw new IOException("interrupted", e);
    }
  }

  private static void delete(Path folder) throws IOException {
    try (var files = Files.walk(folder)) {
      for (var file : files.sorted(Comparator.reverseOrder()).toList()) {
        Files.delete(file);
      }
    }
  }
}
