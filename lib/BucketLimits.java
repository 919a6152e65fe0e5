/** The limits of a bucket: names and sizes that S3 knows. */
final class BucketLimits {
  private static final long LARGEST = 10_000L * ETag.PART;
  private static final int LONGEST_KEY = 1024;

  private BucketLimits() {}

  /** Throws if the backup holds what no bucket can hold. */
  static void require(AttachmentArchive backup) {
    for (var entry : backup.all) {
      if (entry.kind() == Kind.LINK) {
        throw backup.refused(entry.name(), "is a symbolic link, which a bucket cannot hold");
      }
      if (entry.path().length > LONGEST_KEY) {
        throw backup.refused(entry.name(),
            "has a name of more than %d bytes, which no object can have".formatted(LONGEST_KEY));
      }
      if (entry.size() > LARGEST) {
        throw backup.refused(entry.name(),
            "is larger than an object can be that is sent in parts (%s)".formatted(Console.size(LARGEST)));
      }
    }
  }
}
