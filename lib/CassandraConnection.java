//DEPS info.picocli:picocli:4.7.7
//DEPS org.apache.cassandra:java-driver-core:4.19.4

import com.datastax.oss.driver.api.core.AllNodesFailedException;
import com.datastax.oss.driver.api.core.CqlSession;
import com.datastax.oss.driver.api.core.auth.AuthenticationException;
import com.datastax.oss.driver.api.core.config.DefaultDriverOption;
import com.datastax.oss.driver.api.core.config.DriverConfigLoader;
import com.datastax.oss.driver.internal.core.loadbalancing.BasicLoadBalancingPolicy;
import java.io.IOException;
import java.net.InetSocketAddress;
import java.net.Socket;
import java.time.Duration;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.Optional;
import java.util.regex.Pattern;
import java.util.stream.Collectors;
import java.util.stream.Stream;
import javax.net.ssl.SSLContext;
import picocli.CommandLine.Option;
import picocli.CommandLine.Parameters;
import picocli.CommandLine;

/** The addresses in CASSANDRA_CONNECTION, in any form that cqlsh or the documentation knows, and who logs in. */
record CassandraConnection(List<InetSocketAddress> contactPoints, Optional<String> user, Optional<String> password) {

  private static final String FORMS =
      "set it to a node's address, such as 10.0.0.5, \"10.0.0.5 9042\" or \"10.0.0.5 -u admin\"";

  /** Puts the words of the driver and the JVM into an administrator's. */
  private static final List<Map.Entry<String, String>> WORDS = List.of(
      Map.entry("connection refused", "connection refused: nothing listens on that port"),
      Map.entry("UnknownHost|UnresolvedAddress|not known", "unknown host"),
      Map.entry("NotSslRecord|not an SSL/TLS record|Unsupported or unrecognized SSL",
          "it speaks without TLS, and CASSANDRA_SSL_CA is set"),
      Map.entry("unable to find valid certification path|PKIX",
          "its certificate is not signed by the CA of CASSANDRA_SSL_CA"),
      Map.entry("certificate_required|bad_certificate",
          "it wants a certificate: CASSANDRA_SSL_CERT and CASSANDRA_SSL_KEY"),
      Map.entry("timed out|Timeout", "no answer in time: perhaps this is not its CQL port"),
      Map.entry("Connection reset|ClosedChannel|Lost connection|connection was closed",
          "the connection was closed: perhaps it wants TLS, or this is not its CQL port"));

  static final class Arguments {
    @Parameters(index = "0") String hosts;
    @Parameters(index = "1", arity = "0..1") String portOrUser;
    @Option(names = {"-u", "--username"}) String user;
    @Option(names = {"-p", "--password"}) String password;
  }

  static CassandraConnection of(Settings settings) {
    var connection = parse(settings.optional(CassandraSettings.CONNECTION).orElse(null));
    var user = connection.user().or(() -> settings.optional(CassandraSettings.USER));
    var password = connection.password().or(() -> user.isEmpty() ? settings.secret(CassandraSettings.PASSWORD)
        : settings.secretOrPrompt(CassandraSettings.PASSWORD, "Password of Cassandra's user " + user.get()));
    if (user.isPresent() != password.isPresent()) {
      throw new Failure(Exit.USAGE, user.isPresent() ? "no password for Cassandra's user " + user.get()
          : "CASSANDRA_PASSWORD is set, but CASSANDRA_USER is not",
          "set CASSANDRA_USER and CASSANDRA_PASSWORD or CASSANDRA_PASSWORD_FILE");
    }
    return new CassandraConnection(connection.contactPoints(), user, password);
  }

  static CassandraConnection parse(String text) {
    if (text == null || text.isBlank()) {
      throw new Failure(Exit.USAGE, "CASSANDRA_CONNECTION is " + (text == null ? "not set" : "blank"),
          FORMS + "; are the settings loaded (restore.env)?");
    }
    var arguments = new Arguments();
    try {
      var tokens = Pattern.compile("'([^']*)'|\"([^\"]*)\"|(\\S+)")
          .matcher(text.strip().replaceAll("\\G([^\\s,]+)\\s*,\\s*", "$1,")).results()
          .map(m -> m.group(1) != null ? m.group(1) : m.group(2) != null ? m.group(2) : m.group(3));
      // A password may begin with @, which picocli would take for a file of arguments.
      new CommandLine(arguments).setExpandAtFiles(false).parseArgs(tokens.toArray(String[]::new));
    } catch (CommandLine.ParameterException e) {
      // Not its own message, which would repeat a password.
      throw new Failure(Exit.USAGE, "CASSANDRA_CONNECTION is not understood", FORMS);
    }
    var second = Optional.ofNullable(arguments.portOrUser);
    var port = second.filter(word -> word.matches("\\d+")).map(CassandraConnection::port).orElse(9042);
    var user = second.filter(word -> !word.matches("\\d+")).or(() -> Optional.ofNullable(arguments.user));
    var hosts =
        Stream.of(arguments.hosts.split(",")).filter(host -> !host.isBlank()).map(host -> address(host, port)).toList();
    return new CassandraConnection(hosts, user, Optional.ofNullable(arguments.password));
  }

  private static InetSocketAddress address(String host, int port) {
    var parts = Pattern.compile("\\[(?<v6>[^]]+)](:(?<port6>\\d+))?|(?<v4>[^:]+):(?<port4>\\d+)").matcher(host);
    if (!parts.matches()) {
      return new InetSocketAddress(host, port);
    }
    var own = parts.group("v6") != null ? parts.group("port6") : parts.group("port4");
    return new InetSocketAddress(parts.group("v6") != null ? parts.group("v6") : parts.group("v4"),
        own == null ? port : port(own));
  }

  private static int port(String text) {
    var port = text.length() > 5 ? 0 : Integer.parseInt(text);
    if (port < 1 || port > 65_535) {
      throw new Failure(Exit.USAGE, "CASSANDRA_CONNECTION names port %s, which no host has".formatted(text),
          "ports are numbers from 1 to 65535, Cassandra's is mostly 9042");
    }
    return port;
  }

  String named() {
    return contactPoints.stream().map(p -> p.getHostString() + ":" + p.getPort()).collect(Collectors.joining(", "));
  }

  /** Opens a session whose nodes can be asked one by one; the client's name is what system_views.clients shows. */
  CqlSession open(String client, String keyspace, Optional<SSLContext> tls) {
    // No debouncing, no agreement wait after each statement, no quiet period at the end: each would cost seconds.
    var config = DriverConfigLoader.programmaticBuilder()
        .withDuration(DefaultDriverOption.REQUEST_TIMEOUT, Duration.ofMinutes(2))
        .withDuration(DefaultDriverOption.CONNECTION_INIT_QUERY_TIMEOUT, Duration.ofSeconds(10))
        .withDuration(DefaultDriverOption.CONTROL_CONNECTION_TIMEOUT, Duration.ofSeconds(20))
        .withDuration(DefaultDriverOption.CONTROL_CONNECTION_AGREEMENT_TIMEOUT, Duration.ZERO)
        .withDuration(DefaultDriverOption.METADATA_SCHEMA_WINDOW, Duration.ZERO)
        .withStringList(DefaultDriverOption.METADATA_SCHEMA_REFRESHED_KEYSPACES, List.of(keyspace))
        .withClass(DefaultDriverOption.LOAD_BALANCING_POLICY_CLASS, BasicLoadBalancingPolicy.class)
        .withInt(DefaultDriverOption.NETTY_IO_SHUTDOWN_QUIET_PERIOD, 0)
        .withInt(DefaultDriverOption.NETTY_ADMIN_SHUTDOWN_QUIET_PERIOD, 0)
        .build();
    var builder = new NamedSessionBuilder(client).withConfigLoader(config);
    contactPoints.forEach(builder::addContactPoint);
    user.ifPresent(name -> builder.withAuthCredentials(name, password.get()));
    tls.ifPresent(builder::withSslContext);
    try {
      return builder.build();
    } catch (AllNodesFailedException e) {
      throw cannotConnect(e);
    } catch (IllegalArgumentException e) {
      throw new Failure(Exit.UNREACHABLE, "cannot reach Cassandra at %s: %s".formatted(named(), e.getMessage()),
          "check CASSANDRA_CONNECTION");
    }
  }

  private Failure cannotConnect(AllNodesFailedException failed) {
    var errors = failed.getAllErrors().values().stream().flatMap(List::stream).toList();
    if (errors.stream().anyMatch(AuthenticationException.class::isInstance)) {
      return new Failure(Exit.AUTHENTICATION, "Cassandra at %s refuses %s".formatted(named(),
          user.map(name -> "the log-in of " + name).orElse("a connection without log-in")),
          "check CASSANDRA_USER and CASSANDRA_PASSWORD or CASSANDRA_PASSWORD_FILE: a superuser's; TheHive's own"
              + " role does not suffice",
          failed);
    }
    var causes = errors.stream().flatMap(error -> Stream.iterate(error, Objects::nonNull, Throwable::getCause))
        .map(Throwable::toString)
        .collect(Collectors.joining("\n"));
    var text = contactPoints.stream().map(CassandraConnection::refusal).flatMap(Optional::stream).findFirst().orElse("")
        + "\n" + causes;
    var words = ConnectionError.find(WORDS, text).orElseGet(failed::getMessage);
    return new Failure(Exit.UNREACHABLE, "cannot reach Cassandra at %s: %s".formatted(named(), words),
        "is it started, is CASSANDRA_CONNECTION right, does it want TLS (CASSANDRA_SSL_CA)?", failed);
  }

  /** The error of a plain connection: the driver calls every failure to connect a closed channel. */
  private static Optional<String> refusal(InetSocketAddress point) {
    try (var socket = new Socket()) {
      socket.connect(new InetSocketAddress(point.getHostString(), point.getPort()), 3_000);
      return Optional.empty();
    } catch (IOException e) {
      return Optional.of(e.toString());
    }
  }
}
