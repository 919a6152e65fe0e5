//DEPS org.apache.commons:commons-compress:1.28.0

import java.io.IOException;
import java.io.InputStream;
import java.util.LinkedHashMap;
import java.util.Map;
import org.apache.commons.compress.archivers.tar.TarArchiveEntry;
import org.apache.commons.compress.archivers.tar.TarArchiveOutputStream;

/** Small objects in a tar, which MinIO unpacks: one request for up to a thousand of them. */
final class ObjectBatch {
  private static final int MOST = 1000;
  final RequestBody body;
  private final TarArchiveOutputStream tar;
  /** By number in the backup: where the object begins in the body, and its size. */
  private final Map<Integer, int[]> places = new LinkedHashMap<>();

  ObjectBatch(RequestBody body) {
    this.body = body;
    tar = new TarArchiveOutputStream(body, "UTF-8");
    tar.setLongFileMode(TarArchiveOutputStream.LONGFILE_POSIX);
    tar.setAddPaxHeadersForNonAsciiNames(true);
  }

  /** True if an object of this name and size fits in with all headers. */
  boolean hasRoom(String key, long size) {
    return places.size() < MOST && body.size() + size + 8L * key.length() + 8192 < ETag.PART;
  }

  void add(int i, String key, long size, InputStream content) throws IOException {
    var header = new TarArchiveEntry(key);
    header.setSize(size);
    // The server takes this for the time of the version: an older one would not become the current version.
    header.setModTime(0);
    tar.putArchiveEntry(header);
    places.put(i, new int[] {body.size(), (int) size});
    tar.write(content.readNBytes((int) size));
    tar.closeArchiveEntry();
  }

  void finish() throws IOException {
    tar.finish();
  }

  /** The ETag that each object will have, by number in the backup. */
  Map<Integer, ETag> etags() {
    var etags = new LinkedHashMap<Integer, ETag>();
    places.forEach((i, place) -> etags.put(i, ETag.of(body.md5(place[0], place[1]), 0)));
    return etags;
  }

  /** The bytes of all objects, without the headers. */
  long bytes() {
    return places.values().stream().mapToLong(place -> place[1]).sum();
  }
}
