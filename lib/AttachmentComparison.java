//DEPS commons-codec:commons-codec:1.23.0

import java.io.IOException;
import java.io.InputStream;
import java.time.Instant;
import java.util.BitSet;
import java.util.Collections;
import java.util.Optional;
import java.util.function.IntPredicate;
import java.util.function.LongConsumer;
import java.util.stream.Collectors;
import java.util.stream.IntStream;
import org.apache.commons.codec.digest.DigestUtils;

/**
 * Compares a backup of attachments with the live ones, or proves it alone.
 *
 * @param progress takes the bytes that are done
 */
record AttachmentComparison(Backup backup, AttachmentArchive members, LongConsumer progress) {
  private static final int READS_AT_ONCE = 8;

  /**
   * Compares every attachment, and looks for those that the backup lacks.
   *
   * @param since what was written later is only counted
   * @param sample how many contents are compared; all if empty
   */
  void compare(AttachmentStore store, Instant since, Optional<Integer> sample, Findings findings) throws Exception {
    var tally = new Tally();
    store.list(members, (name, written) ->
        tally.add(written.isAfter(since) ? "newer" : "extra", EntryName.shown(name)), tally);
    var read = sampled(sample);
    each((worker, i, content) -> store.compare(i, members.all.get(i), read.test(i) ? content : null, tally));
    if (store.hasFolders()) {
      for (var folder : members.all.stream().filter(member -> member.kind() == Kind.FOLDER).toList()) {
        store.compare(members.find(folder.name()), folder, null, tally);
      }
    }
    count(store.hasFolders() ? "files" : "objects", findings);
    var all =
        "%,d %s, %s".formatted(members.files, store.hasFolders() ? "files" : "objects", Console.size(members.bytes));
    var newer = tally.count("newer") == 0 ? "" : "; %,d newer".formatted(tally.count("newer"));
    findings.requireNone("missing", tally, "missing", all + ": none", "of " + all);
    var compared = Math.min(sample.orElse(Integer.MAX_VALUE), members.files);
    if (compared < members.files && tally.count("changed") == 0) {
      findings.skipped("content", "same sizes; of the contents only %,d of %,d compared: the same", compared,
          members.files);
    } else {
      findings.requireNone("content", tally, "changed", "same sizes, same contents", "differ");
    }
    findings.requireNone("extra", tally, "extra", "none" + newer, "are not in the backup");
    if (store.hasFolders()) {
      findings.requireNone("owner, mode", tally, "attributes", "as in the backup", "differ");
    }
  }

  private void count(String unit, Findings findings) {
    findings.count(unit, members.files);
    findings.count("bytes", members.bytes);
  }

  /** Those whose content is compared: all, or some by chance. */
  private IntPredicate sampled(Optional<Integer> size) {
    if (size.isEmpty()) {
      return i -> true;
    }
    var files = IntStream.range(0, members.all.size()).filter(i -> members.all.get(i).kind() != Kind.FOLDER).boxed()
        .collect(Collectors.toList());
    Collections.shuffle(files);
    return files.stream().limit(size.get()).collect(BitSet::new, BitSet::set, BitSet::or)::get;
  }

  /** Gives every file to the reader, links too, side by side where the archive allows it. */
  private void each(AttachmentArchive.Reader reader) throws IOException {
    try (var workers = new Workers(READS_AT_ONCE)) {
      members.read(workers, i -> true, (worker, i, content) -> {
        reader.read(worker, i, content);
        progress.accept(members.all.get(i).size());
      });
      workers.run(members.all.size(), (worker, i) -> {
        if (members.all.get(i).kind() == Kind.LINK) {
          reader.read(worker, i, InputStream::nullInputStream);
        }
      });
    }
  }

  /** Reads every byte; where names are SHA-256 sums, as TheHive's are, contents must match them. */
  void prove(Findings findings) throws IOException {
    var tally = new Tally();
    each((worker, i, content) -> {
      var name = members.all.get(i).name();
      try (var in = content.open()) {
        if (name.endsWith(DigestUtils.sha256Hex(in))) {
          tally.add("matching", 1);
        } else if (AttachmentNames.HASH.matcher(name).matches() && members.all.get(i).kind() != Kind.LINK) {
          tally.add("different", EntryName.shown(name));
        }
      } catch (IOException e) {
        throw members.archive.broken("'%s' cannot be read: %s".formatted(EntryName.shown(name), e.getMessage()), e);
      }
    });
    count("files", findings);
    members.archive.doubt().ifPresent(text -> findings.skipped("end", "%s", text));
    var matching = tally.count("matching");
    var good = matching == 0 || tally.count("different") == 0; // names that match nowhere are not sums
    findings.require(good, "archive", tally.names("different"), "%s, taken %s: %s, %s, %s", backup.file(),
        backup.age(), Count.of(members.files, "file"), Console.size(members.bytes),
        !good ? "%,d with a content that is not what their names say".formatted(tally.count("different"))
            : matching == 0 ? "all read" : "all read, %,d match the SHA-256 in their names".formatted(matching));
  }
}
