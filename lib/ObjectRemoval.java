//DEPS io.minio:minio:9.0.4

import io.minio.DeleteObjectsArgs;
import io.minio.RemoveObjectArgs;
import io.minio.messages.DeleteRequest;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;

/** Removes objects from a bucket. What is gone in the end only a listing tells. */
final class ObjectRemoval {
  private static final int PAGE = 1000;

  private ObjectRemoval() {}

  /** Removes objects; returns the reasons of the server, by key, for those that it refused to remove. */
  static Map<String, String> remove(S3Bucket bucket, List<String> keys) {
    var refused = new TreeMap<String, String>();
    var many = new ArrayList<String>();
    for (var key : keys) {
      if (isPlainInXml(key)) {
        many.add(key);
      } else {
        removeOne(bucket, key, refused);
      }
    }
    for (var from = 0; from < many.size(); from += PAGE) {
      removePage(bucket, many.subList(from, Math.min(many.size(), from + PAGE)), refused);
    }
    return refused;
  }

  /**
   * True if a key arrives unchanged in the XML that names many at once: a carriage return would arrive as a line feed,
   * which is another key, other control characters not at all.
   */
  static boolean isPlainInXml(String key) {
    return key.equals(key.strip())
        && key.codePoints().noneMatch(c -> Character.isISOControl(c) || c == 0x2028 || c == 0x2029
            || c >= 0xd800 && c <= 0xdfff || (c & 0xfffe) == 0xfffe);
  }

  private static void removeOne(S3Bucket bucket, String key, Map<String, String> refused) {
    try {
      bucket.ask("delete from",
          client -> client.removeObject(RemoveObjectArgs.builder().bucket(bucket.name).object(key).build()));
    } catch (Failure failure) {
      if (failure.code == Exit.UNREACHABLE) {
        throw failure;
      }
      refused.put(key, failure.getMessage());
    }
  }

  private static void removePage(S3Bucket bucket, List<String> keys, Map<String, String> refused) {
    var objects = keys.stream().map(DeleteRequest.Object::new).toList();
    try {
      bucket
          .ask("delete from",
              client -> client
                  .deleteObjects(DeleteObjectsArgs.builder().bucket(bucket.name).objects(objects).quiet(true).build()))
          .result().errors()
          .forEach(error -> refused.put("" + error.objectName(), error.code() + ": " + error.message()));
    } catch (Failure failure) {
      if (failure.code != Exit.UNEXPECTED) {
        throw failure;
      }
      keys.forEach(key -> removeOne(bucket, key, refused)); // not every server knows this request, or these keys in it
    }
  }
}
