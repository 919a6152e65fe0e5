//DEPS com.fasterxml.jackson.core:jackson-databind:2.23.0

import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.util.List;
import java.util.Optional;
import java.util.SortedMap;
import java.util.TreeMap;
import java.util.regex.Pattern;

/** One table's folder in an archive: the files of a node's snapshot by name. */
record TableFolder(Archive archive, String table, SortedMap<String, ArchiveEntry> files) {
  private static final Pattern COMPONENT =
      Pattern.compile("(?<sstable>[a-z]{2}-[^-]+-[a-z]+)-(?<component>[A-Za-z_0-9+]+\\.\\w+)");

  long bytes() {
    return files.values().stream().mapToLong(ArchiveEntry::size).sum();
  }

  /** The SSTables whose components are here. */
  List<SSTableFiles> sstables() {
    var sstables = new TreeMap<String, SSTableFiles>();
    files.forEach((name, entry) -> {
      var component = COMPONENT.matcher(name);
      if (component.matches()) {
        sstables
            .computeIfAbsent(component.group("sstable"),
                sstable -> new SSTableFiles(archive, table, sstable, new TreeMap<>()))
            .components().put(component.group("component"), entry);
      }
    });
    return List.copyOf(sstables.values());
  }

  /** Throws if a file that the snapshot's manifest names is missing. */
  void requireManifest() {
    var manifest = text("manifest.json")
        .orElseThrow(() -> archive.broken("manifest.json of table %s is missing".formatted(table), null));
    try {
      for (var file : Json.MAPPER.readTree(manifest).path("files")) {
        if (!file.asText().contains("/") && !files.containsKey(file.asText())) {
          throw archive.broken("%s of table %s is missing".formatted(file.asText(), table), null);
        }
      }
    } catch (IOException e) {
      throw archive.broken("manifest.json of table %s is not readable".formatted(table), e);
    }
  }

  /** The whole text of a file, if there is one of that name. */
  Optional<String> text(String name) {
    return Optional.ofNullable(files.get(name)).map(entry -> text(archive, entry));
  }

  static String text(Archive archive, ArchiveEntry entry) {
    try (var in = archive.open(entry)) {
      return new String(in.readAllBytes(), StandardCharsets.UTF_8);
    } catch (IOException e) {
      throw archive.broken("%s cannot be read: %s".formatted(entry.name(), e.getMessage()), e);
    }
  }
}
