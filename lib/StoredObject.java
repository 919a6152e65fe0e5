import java.time.Instant;

/**
 * An object as the bucket's listing shows it.
 *
 * @param modified null where the server does not tell
 */
record StoredObject(String key, long size, ETag etag, Instant modified) {}
