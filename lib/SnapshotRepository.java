//DEPS com.fasterxml.jackson.core:jackson-databind:2.23.0

import com.fasterxml.jackson.databind.JsonNode;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.HashMap;
import java.util.List;
import java.util.Optional;
import java.util.Set;
import java.util.SortedMap;
import java.util.TreeMap;
import java.util.regex.Pattern;
import java.util.stream.Collectors;

/**
 * The snapshots of a repository of type {@code fs}, read from its files: {@code index-<N>} names all snapshots that
 * came to their end, {@code snap-<uuid>.dat} tells more of one. Nothing of the data is read.
 */
final class SnapshotRepository {
  private static final Pattern INDEX = Pattern.compile("index-(\\d{1,18})");
  /** The states in the order of their numbers in the repository's index. */
  private static final List<String> STATES =
      List.of(SnapshotState.IN_PROGRESS, SnapshotState.SUCCESS, "FAILED", "PARTIAL", "INCOMPATIBLE");
  /** So many of the newest snapshots are asked for their sizes: each is a file or more. */
  private static final int SIZED = 50;

  private SnapshotRepository() {}

  /**
   * All snapshots by name, from the files in the folder; empty if the folder holds no repository.
   *
   * @throws Failure if the repository's index cannot be read
   */
  static Optional<SortedMap<String, SnapshotState>> ofFolder(Path folder) {
    try {
      var names = names(folder);
      return index(folder, names).map(index -> ofIndex(folder, index, names));
    } catch (IOException e) {
      throw new Failure(Exit.BAD_BACKUP, "cannot list %s: %s".formatted(folder, Failure.of(e).getMessage()),
          "check its mode and owner", e);
    }
  }

  /** The file that names all snapshots: the one with the highest number; empty if there is none. */
  static Optional<Path> index(Path folder, Set<String> names) {
    return names.stream().map(INDEX::matcher).filter(match -> match.matches())
        .map(match -> Long.parseLong(match.group(1))).max(Long::compare)
        .map(number -> folder.resolve("index-" + number));
  }

  static Set<String> names(Path folder) throws IOException {
    try (var files = Files.list(folder)) {
      return files.map(file -> file.getFileName().toString()).collect(Collectors.toSet());
    }
  }

  private static SortedMap<String, SnapshotState> ofIndex(Path folder, Path index, Set<String> names) {
    try {
      var content = Json.MAPPER.readTree(index.toFile());
      if (!content.path("snapshots").isArray()) {
        throw new IOException("it has no list of snapshots");
      }
      var states = ofIndex(content, names);
      states.values().stream().sorted((one, other) -> other.name().compareTo(one.name())).limit(SIZED).toList()
          .forEach(state -> states.put(state.name(), sized(state, folder, content)));
      return states;
    } catch (IOException e) {
      throw new Failure(Exit.BAD_BACKUP,
          "cannot read %s, the repository's index: %s".formatted(index, Failure.of(e).getMessage()),
          "the snapshots in it cannot be restored: is another copy of the repository there?", e);
    }
  }

  /**
   * All snapshots by name, as the repository's index and the names of its files tell.
   *
   * @param names the files in the repository's folder
   */
  static SortedMap<String, SnapshotState> ofIndex(JsonNode index, Set<String> names) {
    var indices = new HashMap<String, SortedMap<String, Long>>();
    index.path("indices").propertyStream().forEach(one -> one.getValue().path("snapshots").forEach(uuid ->
        indices.computeIfAbsent(uuid.asText(), key -> new TreeMap<>()).put(one.getKey(), -1L)));
    var states = new TreeMap<String, SnapshotState>();
    for (var snapshot : index.path("snapshots")) {
      var uuid = snapshot.path("uuid").asText();
      var lost = List.of("snap-" + uuid + ".dat", "meta-" + uuid + ".dat").stream()
          .filter(file -> !names.contains(file)).toList();
      var number = snapshot.path("state").asInt(-1);
      var state = number >= 0 && number < STATES.size() ? STATES.get(number) : SnapshotState.UNKNOWN;
      states.put(snapshot.path("name").asText(), new SnapshotState(snapshot.path("name").asText(), uuid, state,
          lost.isEmpty() ? state.equals(SnapshotState.UNKNOWN) ? "the repository's index does not tell" : ""
              : "its file %s is missing".formatted(lost.get(0)),
          !lost.isEmpty(), indices.getOrDefault(uuid, new TreeMap<>())));
    }
    return states;
  }

  /** The snapshot with the sizes of its indices, and with its state where the repository's index has none. */
  private static SnapshotState sized(SnapshotState snapshot, Path folder, JsonNode index) {
    var file = "snap-" + snapshot.uuid() + ".dat";
    if (snapshot.damaged()) {
      return snapshot;
    }
    try {
      var content = read(folder.resolve(file)).path("snapshot");
      var sizes = new TreeMap<>(snapshot.indices());
      for (var name : snapshot.indices().keySet()) {
        var details = content.path("index_details").path(name);
        sizes.put(name, details.path("shard_count").asInt() > 0 ? details.path("size_in_bytes").asLong(-1)
            : bytes(folder.resolve("indices").resolve(index.path("indices").path(name).path("id").asText()), file));
      }
      var state = snapshot.state().equals(SnapshotState.UNKNOWN) ? content.path("state").asText(SnapshotState.UNKNOWN)
          : snapshot.state();
      return new SnapshotState(snapshot.name(), snapshot.uuid(), state, !state.equals(SnapshotState.UNKNOWN) ? ""
          : "the repository's index does not tell, and the form of %s is not known".formatted(file), false, sizes);
    } catch (IOException e) {
      var damaged = snapshot.state().equals(SnapshotState.SUCCESS); // a failed shard has no file
      return new SnapshotState(snapshot.name(), snapshot.uuid(), snapshot.state(),
          "cannot read " + Failure.of(e).getMessage(), damaged, snapshot.indices());
    }
  }

  /** Bytes of an index's shards, -1 where a shard's file does not tell. */
  private static long bytes(Path index, String file) throws IOException {
    try (var shards = Files.newDirectoryStream(index, "[0-9]*")) {
      var bytes = 0L;
      for (var shard : shards) {
        var files = read(shard.resolve(file)).path("files");
        bytes += files.isArray() ? files.valueStream().mapToLong(one -> one.path("length").asLong()).sum()
            : Long.MIN_VALUE / 1024;
      }
      return bytes < 0 ? -1 : bytes;
    }
  }

  private static JsonNode read(Path file) throws IOException {
    var bytes = Files.readAllBytes(file);
    try {
      return SnapshotFile.read(bytes);
    } catch (IOException e) {
      throw new IOException(file + ": " + Failure.of(e).getMessage(), e);
    }
  }
}
