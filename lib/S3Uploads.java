//DEPS io.minio:minio:9.0.4

import io.minio.AbortMultipartUploadArgs;
import io.minio.Checksum;
import io.minio.CompleteMultipartUploadArgs;
import io.minio.CreateMultipartUploadArgs;
import io.minio.Http;
import io.minio.PutObjectAPIArgs;
import io.minio.UploadPartArgs;
import io.minio.messages.Part;
import java.net.URLConnection;
import java.util.Base64;
import java.util.Optional;

/** The requests that put objects into a bucket: whole, in parts, or as a tar that the server unpacks. */
record S3Uploads(S3Bucket bucket) {
  static final String BINARY = "application/octet-stream";
  private static final String VERB = "put into";
  private static final String UNSIGNED = "UNSIGNED-PAYLOAD";

  static String contentType(String key) {
    var guessed = URLConnection.guessContentTypeFromName(key.substring(key.lastIndexOf('/') + 1));
    return guessed == null ? BINARY : guessed;
  }

  ETag put(String key, RequestBody body) {
    var headers = new Http.Headers();
    sign(headers, body.md5());
    return put(key, body, headers);
  }

  /** Puts a tar that the server unpacks; the tar itself is stored under the key only where the server does not. */
  void putTar(String key, RequestBody body) {
    var headers = new Http.Headers();
    headers.put("X-Amz-Meta-Snowball-Auto-Extract", "true");
    headers.put(Http.Headers.X_AMZ_CONTENT_SHA256, UNSIGNED);
    // Each object out of it is proven by its own MD5 in the listing. Without one of ours the SDK makes this checksum,
    // slowly.
    headers.put(Checksum.Algorithm.CRC32C.header(), body.crc32c());
    put(key, body, headers);
  }

  private ETag put(String key, RequestBody body, Http.Headers headers) {
    return ETag
        .of(bucket.ask(VERB, client -> client.putObject(PutObjectAPIArgs.builder().bucket(bucket.name).object(key)
        .data(body.bytes(), body.size()).headers(headers).contentType(contentType(key)).build())).etag());
  }

  /** The body's MD5 is among the signed headers: hashing the body once more would only cost time. */
  private static void sign(Http.Headers headers, byte[] md5) {
    headers.put(Http.Headers.CONTENT_MD5, Base64.getEncoder().encodeToString(md5));
    headers.put(Http.Headers.X_AMZ_CONTENT_SHA256, UNSIGNED);
  }

  /** Begins an upload in parts; returns the server's name of it. */
  String begin(String key) {
    var headers = new Http.Headers(Http.Headers.CONTENT_TYPE, contentType(key));
    return bucket.ask(VERB, client -> client.createMultipartUpload(
        CreateMultipartUploadArgs.builder().bucket(bucket.name).object(key).headers(headers).build())).result()
        .uploadId();
  }

  Part putPart(String key, String upload, int number, RequestBody body, byte[] md5) {
    var headers = new Http.Headers();
    sign(headers, md5);
    return bucket
        .ask(VERB, client -> client.uploadPart(UploadPartArgs.builder().bucket(bucket.name).object(key).uploadId(upload)
        .partNumber(number).data(body.bytes(), body.size()).headers(headers).build())).part();
  }

  /** The new object's ETag; empty where the server does not tell. */
  Optional<ETag> complete(String key, String upload, Part[] parts) {
    return Optional
        .ofNullable(bucket.ask(VERB, client -> client.completeMultipartUpload(CompleteMultipartUploadArgs.builder()
        .bucket(bucket.name).object(key).uploadId(upload).parts(parts).build())).etag()).map(ETag::of);
  }

  void abort(String key, String upload) {
    bucket.tryTo(client -> client.abortMultipartUpload(
        AbortMultipartUploadArgs.builder().bucket(bucket.name).object(key).uploadId(upload).build()));
  }
}
