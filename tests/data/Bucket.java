import io.minio.BucketExistsArgs;
import io.minio.GetObjectArgs;
import io.minio.ListObjectsArgs;
import io.minio.MakeBucketArgs;
import io.minio.MinioClient;
import io.minio.PutObjectArgs;
import io.minio.RemoveObjectArgs;
import io.minio.StatObjectArgs;
import java.io.ByteArrayInputStream;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Map;
import java.util.TreeSet;
import java.util.function.Predicate;

/** The bucket {@code thehive} of an S3 server under test, one attachment an object. */
final class Bucket {
  private static final String NAME = "thehive";
  private final Server server;
  private final MinioClient client;

  Bucket(Server server) {
    this.server = server;
    var login = server.login().orElseThrow();
    client = MinioClient.builder().endpoint(url()).credentials(login.user(), login.password()).build();
  }

  private String url() {
    return "http://" + server.host() + ":" + server.port();
  }

  /** The variables with which an administrator would name it. */
  Map<String, String> settings() {
    var login = server.login().orElseThrow();
    return Map.of("MINIO_ENDPOINT", url(), "MINIO_ACCESS_KEY", login.user(), "MINIO_SECRET_KEY", login.password());
  }

  /** Makes the bucket and puts every file of the folder into it, by its name below the folder. */
  void create(Path folder) throws IOException {
    try (var files = Files.walk(folder).filter(Files::isRegularFile)) {
      if (!client.bucketExists(BucketExistsArgs.builder().bucket(NAME).build())) {
        client.makeBucket(MakeBucketArgs.builder().bucket(NAME).build());
      }
      for (var file : files.toList()) {
        put(folder.relativize(file).toString(), Files.readAllBytes(file));
      }
    } catch (IOException e) {
      throw e;
    } catch (Exception e) {
      throw new IOException(e);
    }
  }

  void put(String name, byte[] content) throws IOException {
    try {
      client.putObject(PutObjectArgs.builder().bucket(NAME).object(name)
          .stream(new ByteArrayInputStream(content), (long) content.length, -1L).build());
    } catch (Exception e) {
      throw new IOException(e);
    }
  }

  /** Sends it in parts of 5 MB: its ETag is then none of its content. */
  void putInParts(String name, byte[] content) throws IOException {
    try {
      client.putObject(PutObjectArgs.builder().bucket(NAME).object(name)
          .stream(new ByteArrayInputStream(content), -1L, 5L << 20).build());
    } catch (Exception e) {
      throw new IOException(e);
    }
  }

  String etag(String name) throws IOException {
    try {
      return client.statObject(StatObjectArgs.builder().bucket(NAME).object(name).build()).etag();
    } catch (Exception e) {
      throw new IOException(e);
    }
  }

  void remove(String name) throws IOException {
    try {
      client.removeObject(RemoveObjectArgs.builder().bucket(NAME).object(name).build());
    } catch (Exception e) {
      throw new IOException(e);
    }
  }

  TreeSet<String> names() throws IOException {
    return names(any -> true);
  }

  TreeSet<String> names(Predicate<String> wanted) throws IOException {
    try {
      var names = new TreeSet<String>();
      for (var object : client.listObjects(ListObjectsArgs.builder().bucket(NAME).recursive(true).build())) {
        var name = object.get().objectName();
        if (wanted.test(name)) {
          names.add(name);
        }
      }
      return names;
    } catch (Exception e) {
      throw new IOException(e);
    }
  }

  /** How many of the first n attachments are there with their content. */
  int intact(int n) throws IOException {
    var intact = 0;
    var names = names();
    for (var i = 0; i < n; i++) {
      var name = Attachments.name(i);
      if (names.contains(name)) {
        try (var object = client.getObject(GetObjectArgs.builder().bucket(NAME).object(name).build())) {
          intact += Attachments.id(object.readAllBytes()).equals(Attachments.id(i)) ? 1 : 0;
        } catch (Exception e) {
          throw new IOException(e);
        }
      }
    }
    return intact;
  }
}
