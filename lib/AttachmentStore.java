//DEPS commons-io:commons-io:2.22.0

import java.time.Instant;
import java.util.function.BiConsumer;

/**
 * The live attachments, in a folder or a bucket, as {@link AttachmentComparison} asks for them. Kinds of the tally:
 * {@code missing}, {@code changed}, {@code attributes} (owner or mode).
 */
interface AttachmentStore {
  /**
   * Looks at all live attachments; calls {@code extra} for one that is not in the backup, with the time of its last
   * change.
   */
  void list(AttachmentArchive backup, BiConsumer<String, Instant> extra, Tally tally) throws Exception;

  /**
   * Compares a member of the backup with the live attachment; {@code content} is null where only the size is compared.
   */
  void compare(int i, ArchiveEntry member, Archive.Content content, Tally tally) throws Exception;

  /** True if it keeps folders, owners and modes. */
  boolean hasFolders();
}
