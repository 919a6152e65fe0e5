//SOURCES Listeners.java
//SOURCES ../../lib/Exit.java
//SOURCES ../../lib/Failure.java

import java.io.IOException;
import java.net.InetAddress;
import java.net.ServerSocket;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.stream.Collectors;
import java.util.stream.IntStream;
import java.util.stream.Stream;

/**
 * Where the servers of a sandbox listen: on loopback addresses and ports on which nobody else does. A server that would
 * share its port with another one (SO_REUSEPORT) would take half of that one's requests.
 *
 * @param offset added to every usual port
 */
record Places(List<String> addresses, int offset) {
  /** Cassandra's clients, nodes and JMX, Elasticsearch's clients and nodes, S3. */
  static final List<Integer> PORTS = List.of(9042, 7000, 7199, 9200, 9300, 9000);
  /** Where a sandbox that has not started its servers yet shows the next one that the addresses are taken. */
  private static final int RESERVATION = 7190;
  private static final List<Integer> OFFSETS = List.of(0, 10_000, 20_000);
  private static final int MORE = 20;
  /** Held until this process ends, whatever ends it. */
  private static final List<ServerSocket> HELD = new ArrayList<>();

  /** The usual addresses, then others in which only the third number differs. */
  static List<List<String>> candidates(int count) {
    return IntStream.rangeClosed(0, MORE).mapToObj(i -> i == 0 ? 0 : 100 + i)
        .map(third -> IntStream.range(2, 2 + count).mapToObj(last -> "127.0.%d.%d".formatted(third, last)).toList())
        .toList();
  }

  /** The first addresses with the usual ports, else with higher ones. */
  static Optional<Places> choose(List<List<String>> candidates, Listeners listeners) {
    return OFFSETS.stream().flatMap(offset -> candidates.stream().map(addresses -> new Places(addresses, offset)))
        .filter(places -> places.inTheWay(listeners).isEmpty()).findFirst();
  }

  /** Chooses, and keeps other sandboxes away from what was chosen. */
  static Places reserve(List<List<String>> candidates) throws IOException {
    var listeners = Listeners.now();
    while (true) {
      var now = listeners;
      var places = choose(candidates, now).orElseThrow(() -> new Failure(Exit.UNSAFE,
          "none of the ports of a sandbox is free here: %s in use".formatted(
              new Places(candidates.get(0), 0).inTheWay(now).orElseThrow()),
          "--listen names other loopback addresses"));
      var taken = places.hold();
      if (taken.isEmpty()) {
        return places;
      }
      listeners = listeners.with(taken.get());
    }
  }

  /** Binds what shows that the addresses are taken; the one that another sandbox has bound meanwhile. */
  private Optional<String> hold() {
    var held = new ArrayList<ServerSocket>();
    for (var address : addresses) {
      try {
        held.add(new ServerSocket(RESERVATION + offset, 1, InetAddress.getByName(address)));
      } catch (IOException e) {
        held.forEach(Places::close);
        return Optional.of(address + ":" + (RESERVATION + offset));
      }
    }
    HELD.addAll(held);
    return Optional.empty();
  }

  private static void close(ServerSocket socket) {
    try {
      socket.close();
    } catch (IOException e) {
      // it is not needed any more
    }
  }

  /** The socket that is in the way of one of the servers. */
  Optional<String> inTheWay(Listeners listeners) {
    return addresses.stream()
        .flatMap(address -> Stream.concat(PORTS.stream(), Stream.of(RESERVATION))
            .flatMap(port -> listeners.inTheWayOf(address, port + offset).stream()))
        .findFirst();
  }

  String first() {
    return addresses.get(0);
  }

  /** As CASSANDRA_CONNECTION names it. */
  String cassandra() {
    return first() + (offset == 0 ? "" : " " + (PORTS.get(0) + offset));
  }

  /** A port of its own at which nobody answers: TheHive's, where there is none. */
  int silentPort() {
    return RESERVATION + offset + 1;
  }

  /** Addresses and ports in words. */
  String text() {
    var ports = PORTS.stream().map(port -> port + offset).map(String::valueOf).collect(Collectors.joining(", "));
    return "%s, ports %s".formatted(String.join(", ", addresses), ports);
  }

  /** Why they are not the usual ones; empty if they are. */
  Optional<String> change(List<String> usual, Listeners listeners) {
    var inTheWay = new Places(usual, 0).inTheWay(listeners).map(socket -> socket.replace("*:", "every address:"));
    return inTheWay.filter(socket -> !equals(new Places(usual, 0)))
        .map(socket -> "%s is in use here, so the servers take %s".formatted(socket, text()));
  }
}
