//DEPS com.fasterxml.jackson.core:jackson-databind:2.23.0

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.temporal.ChronoUnit;
import java.util.ArrayList;
import java.util.Collection;
import java.util.Map;
import java.util.SortedMap;
import java.util.TreeMap;

/** The markers that the restore scripts leave from their first change to their success. */
final class UnfinishedRestores {
  private UnfinishedRestores() {}

  /** The folders in which a marker may be; true for those that a setting names, false for defaults. */
  static Map<Path, Boolean> folders(Settings settings, Collection<Path> more) {
    var folders = new TreeMap<Path, Boolean>();
    for (var variable : ArchiveFolders.ALL) {
      for (var folder : settings.text(variable).split(",")) {
        folders.merge(Path.of(folder.strip()), settings.isSet(variable), Boolean::logicalOr);
      }
    }
    settings.optionalPath(CommonSettings.STATE_PATH).ifPresent(path -> folders.put(path, true));
    more.forEach(path -> folders.put(path, true));
    return folders;
  }

  /** By script, what is unfinished since when. */
  static SortedMap<String, String> in(Path folder) {
    var unfinished = new TreeMap<String, String>();
    try (var markers = Files.newDirectoryStream(folder, "*.unfinished")) {
      for (var marker : markers) {
        var parts = new ArrayList<String>();
        Json.MAPPER.readTree(marker.toFile()).path("unfinished").forEach(part -> parts.add(part.asText()));
        var since = Files.getLastModifiedTime(marker).toInstant().truncatedTo(ChronoUnit.SECONDS);
        unfinished.put(marker.getFileName().toString().replace(".unfinished", ""),
            (parts.isEmpty() ? "not known what," : String.join(" and ", parts)) + " since " + since);
      }
      return unfinished;
    } catch (IOException e) {
      throw new Failure(Exit.UNSAFE, "cannot read the markers in %s: %s".formatted(folder, Failure.of(e).getMessage()),
          "run as a user who may read them; a restore may be unfinished");
    }
  }
}
