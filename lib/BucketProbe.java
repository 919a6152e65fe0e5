//DEPS commons-codec:commons-codec:1.23.0
//DEPS io.minio:minio:9.0.4

import io.minio.RemoveObjectArgs;
import io.minio.StatObjectArgs;
import io.minio.StatObjectResponse;
import java.io.ByteArrayInputStream;
import java.io.IOException;
import java.util.Optional;
import org.apache.commons.codec.digest.DigestUtils;

/**
 * Tries out before the first change whether these keys may put and delete, and whether the server unpacks tars. Its
 * objects always have the same names: where deleting fails, one stays, and not one more each time.
 */
record BucketProbe(S3Bucket bucket, boolean versioned) {
  static final String NAME = ".thehive-restore-probe";
  private static final String UNPACKED = NAME + ".unpacked";
  private static final byte[] CONTENT = {1};

  /** True if the object is a probe, also one of a run that was killed. */
  static boolean isProbe(String key) {
    return key.startsWith(NAME);
  }

  /**
   * Puts and deletes; fails where the keys may not.
   *
   * @return true if the server unpacks tars, and what it unpacked can be proven by its ETag
   */
  boolean run() throws IOException {
    remove(NAME);
    remove(UNPACKED);
    var batch = new ObjectBatch(new RequestBody());
    batch.add(0, UNPACKED, CONTENT.length, new ByteArrayInputStream(CONTENT));
    batch.finish();
    try {
      new S3Uploads(bucket).putTar(NAME, batch.body);
      // Where the server encrypts, an ETag is no MD5.
      return stat(UNPACKED).filter(stat -> ETag.of(stat.etag()).equals(ETag.of(DigestUtils.md5(CONTENT), 0)))
          .isPresent();
    } finally {
      removeOrTell(NAME);
      removeOrTell(UNPACKED);
    }
  }

  private void removeOrTell(String key) {
    try {
      remove(key);
    } catch (Failure failure) {
      throw new Failure(failure.code, "%s; the object %s stays in it".formatted(failure.getMessage(), key),
          failure.hint, failure);
    }
  }

  private Optional<StatObjectResponse> stat(String key) {
    return bucket.tryTo(client -> client.statObject(StatObjectArgs.builder().bucket(bucket.name).object(key).build()));
  }

  /** Removes it; in a versioned bucket its version, as deleting what is not there would leave a marker. */
  private void remove(String key) {
    if (versioned) {
      try {
        var stat = bucket.ask("read from",
            client -> client.statObject(StatObjectArgs.builder().bucket(bucket.name).object(key).build()));
        if (stat.versionId() != null
            && bucket.tryTo(client -> client.removeObject(request(key).versionId(stat.versionId()).build())
            .thenApply(nothing -> key)).isPresent()) {
          return;
        }
      } catch (Failure failure) {
        if (failure.code == Exit.UNREACHABLE) {
          throw failure;
        }
        if (failure.code != Exit.AUTHENTICATION) {
          return; // there is none
        }
      }
    }
    bucket.ask("delete from", client -> client.removeObject(request(key).build()));
  }

  private RemoveObjectArgs.Builder request(String key) {
    return RemoveObjectArgs.builder().bucket(bucket.name).object(key);
  }
}
