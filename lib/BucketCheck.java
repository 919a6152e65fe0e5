import java.io.IOException;
import java.time.Instant;
import java.util.function.BiConsumer;

/** Attachments in a bucket. */
final class BucketCheck implements AttachmentStore {
  private final S3Bucket bucket;
  /** By the numbers of the members in the backup. */
  private StoredObject[] objects;

  BucketCheck(S3Bucket bucket) {
    this.bucket = bucket;
  }

  @Override
  public boolean hasFolders() {
    return false;
  }

  @Override
  public void list(AttachmentArchive backup, BiConsumer<String, Instant> extra, Tally tally) {
    objects = new StoredObject[backup.all.size()];
    bucket.list(page -> page.forEach(object -> {
      var i = backup.find(object.key());
      if (i < 0 || backup.all.get(i).kind() == Kind.FOLDER) {
        extra.accept(object.key(), object.modified() == null ? Instant.MIN : object.modified());
      } else {
        objects[i] = object;
      }
    }));
  }

  /** An object that cannot be read is one finding among others; what holds for all objects ends it all. */
  @Override
  public void compare(int i, ArchiveEntry member, Archive.Content content, Tally tally) throws IOException {
    var name = EntryName.shown(member.name());
    var object = objects[i];
    if (object == null) {
      tally.add("missing", name);
    } else if (object.size() != member.size()) {
      tally.add("changed", "%s: %d bytes instead of %d".formatted(name, object.size(), member.size()));
    } else if (content != null) {
      try {
        if (!bucket.holds(object.key(), object.etag(), object.size(), content::open)) {
          tally.add("changed", name + ": another content");
        }
      } catch (Failure e) {
        if (!bucket.isOfOneObject(e)) {
          throw e;
        }
        tally.add("changed", "%s: cannot be read: %s".formatted(name, e.getMessage()));
      }
    }
  }
}
