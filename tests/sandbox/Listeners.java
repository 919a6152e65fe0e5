import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.HexFormat;
import java.util.List;
import java.util.Optional;
import java.util.Set;
import java.util.regex.Pattern;

/**
 * The sockets of this host that listen, read without a connection to any of them.
 *
 * @param sockets such as {@code 127.0.0.1:9042}, and {@code *:9000} where every address is meant
 */
record Listeners(Set<String> sockets) {
  /** A line of /proc/net/tcp or tcp6: state 0A is LISTEN. */
  private static final Pattern LINE =
      Pattern.compile("\\s*\\d+: (?<address>[0-9A-F]{8}|[0-9A-F]{32}):(?<port>[0-9A-F]{4}) \\S+ 0A .*");
  private static final String MAPPED = "0".repeat(16) + "FFFF0000"; // an IPv4 address as an IPv6 one

  static Listeners now() throws IOException {
    var lines = new ArrayList<String>();
    for (var file : List.of("/proc/net/tcp", "/proc/net/tcp6")) {
      if (Files.isReadable(Path.of(file))) {
        lines.addAll(Files.readAllLines(Path.of(file)));
      }
    }
    return of(lines);
  }

  static Listeners of(List<String> lines) {
    var sockets = new HashSet<String>();
    for (var line : lines) {
      var match = LINE.matcher(line);
      if (match.matches()) {
        var port = Integer.parseInt(match.group("port"), 16);
        address(match.group("address")).ifPresent(address -> sockets.add(address + ":" + port));
      }
    }
    return new Listeners(sockets);
  }

  /** The address as IPv4; empty for one of IPv6 alone. */
  private static Optional<String> address(String hex) {
    if (hex.matches("0+")) {
      return Optional.of("*"); // of IPv6, too: most such sockets take IPv4 as well
    }
    var v4 = hex.length() == 8 ? hex : hex.startsWith(MAPPED) || hex.startsWith("0".repeat(16) + "0000FFFF")
        ? hex.substring(24) : "";
    if (v4.isEmpty()) {
      return Optional.empty();
    }
    var bytes = ByteBuffer.wrap(HexFormat.of().parseHex(v4)).order(ByteOrder.nativeOrder()).getInt();
    return Optional.of("%d.%d.%d.%d".formatted(bytes >>> 24, bytes >>> 16 & 255, bytes >>> 8 & 255, bytes & 255));
  }

  Listeners with(String socket) {
    var more = new HashSet<>(sockets);
    more.add(socket);
    return new Listeners(more);
  }

  /** The socket that is in the way of a listener there; empty if none is. */
  Optional<String> inTheWayOf(String address, int port) {
    return List.of("*:" + port, address + ":" + port).stream().filter(sockets::contains).findFirst();
  }
}
