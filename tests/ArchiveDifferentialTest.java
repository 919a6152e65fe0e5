import static java.nio.charset.StandardCharsets.UTF_8;
import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.io.InputStream;
import java.io.OutputStream;
import java.io.RandomAccessFile;
import java.math.BigInteger;
import java.nio.file.FileVisitResult;
import java.nio.file.Files;
import java.nio.file.LinkOption;
import java.nio.file.Path;
import java.nio.file.SimpleFileVisitor;
import java.nio.file.attribute.BasicFileAttributes;
import java.security.DigestInputStream;
import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.EnumSet;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.Optional;
import java.util.Random;
import java.util.Set;
import java.util.TreeMap;
import java.util.function.BiFunction;
import java.util.stream.Stream;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;
import org.junit.jupiter.params.provider.ValueSource;

/**
 * What an archive holds for us is what the program that made it unpacks: trees of a seeded generator are packed by GNU
 * tar in every format, bsdtar, Python, zip and 7z, unpacked by the same program, and compared with what we read, file
 * by file. Every tar is also compressed, and read in one pass.
 *
 * <p>{@code ARCHIVE_SEEDS=17} runs one seed, {@code ARCHIVE_SEEDS=500} that one, {@code ARCHIVE_SEEDS=1-500} many.
 */
class ArchiveDifferentialTest {
  private static final String ROOT = "files_20260131_23h05m09s";
  private static final long FAR = 10_413_792_000L; // in the year 2300
  private static final boolean IS_ROOT = System.getProperty("user.name").equals("root");

  @TempDir Path home;
  private final StringBuilder script = new StringBuilder();
  private final Set<Path> links = new HashSet<>();

  /** Properties of trees that a format can hold. */
  private enum Feature {
    LONG_NAMES, LINKS, HARD_LINKS, OWNERS, BIG_OWNERS, FRACTIONS, FAR_TIMES, OLD_TIMES, CONTROL_CHARACTERS, HOLES, MODES, DECOMPOSED_LETTERS
  }

  private static final Set<Feature> ALL = EnumSet.allOf(Feature.class);
  private static final Set<Feature> GNU = without(ALL, Feature.FRACTIONS);
  private static final Set<Feature> USTAR =
      without(GNU, Feature.LONG_NAMES, Feature.BIG_OWNERS, Feature.FAR_TIMES, Feature.OLD_TIMES);
  private static final Set<Feature> ZIP = EnumSet.of(Feature.LINKS, Feature.MODES, Feature.DECOMPOSED_LETTERS);

  private static Set<Feature> without(Set<Feature> all, Feature... features) {
    var left = EnumSet.copyOf(all);
    left.removeAll(List.of(features));
    return left;
  }

  /** Programs with the formats that they write; a command takes the archive as $1. */
  private enum Packer {
    GNU_TAR(GNU, (format, random) -> "tar --format=gnu %s -cf \"$1\" ROOT".formatted(options(random, "-S"))),
    OLD_GNU_TAR(GNU, (format, random) -> "tar --format=oldgnu %s -cf \"$1\" ROOT".formatted(options(random, "-S"))),
    PAX_TAR(ALL, (format, random) -> "tar --format=posix %s -cf \"$1\" ROOT".formatted(
        options(random, "-S --sparse-version=0.0", "-S --sparse-version=0.1", "-S --sparse-version=1.0"))),
    USTAR_TAR(USTAR, (format, random) -> "tar --format=ustar %s -cf \"$1\" ROOT"
        .formatted(options(random).replaceAll("-V \\S+", ""))),
    V7_TAR(USTAR,
        (format, random) -> "tar --format=v7 %s -cf \"$1\" ROOT".formatted(options(random).replaceAll("-V \\S+", ""))),
    INCREMENTAL_TAR(GNU, (format, random) -> "rm -f snapshot; tar --format=gnu -g snapshot %s -cf \"$1\" ROOT"
        .formatted(options(random, "-S"))),
    INCREMENTAL_PAX_TAR(ALL, (format, random) -> "rm -f snapshot; tar --format=posix -g snapshot %s -cf \"$1\" ROOT"
        .formatted(options(random, "-S"))),
    APPENDED_TAR(GNU, (format,
        random) -> "tar --format=gnu -cf \"$1\" ROOT; find ROOT -type f -name '*a*' -exec sh -c 'echo more >>"
            + " \"$1\"' sh {} \\;; tar --format=gnu -rf \"$1\" ROOT"),
    /** bsdtar stores letters composed, and fractions before 1970 in a way of its own. */
    BSD_PAX(without(ALL, Feature.DECOMPOSED_LETTERS, Feature.OLD_TIMES),
        (format, random) -> "bsdtar --format pax -cf \"$1\" ROOT"),
    BSD_GNU(without(GNU, Feature.HOLES, Feature.DECOMPOSED_LETTERS),
        (format, random) -> "bsdtar --format gnutar -cf \"$1\" ROOT"),
    BSD_USTAR(without(USTAR, Feature.HOLES, Feature.DECOMPOSED_LETTERS),
        (format, random) -> "bsdtar --format ustar -cf \"$1\" ROOT"),
    PYTHON_PAX(ALL, (format, random) -> python("PAX_FORMAT")),
    PYTHON_GNU(GNU, (format, random) -> python("GNU_FORMAT")),
    PYTHON_USTAR(USTAR, (format, random) -> python("USTAR_FORMAT")),
    ZIP_UTF8(ZIP, (format, random) -> "zip -qry%s \"$1\" ROOT".formatted(random.nextInt(10))),
    ZIP_C(ZIP, (format, random) -> "LC_ALL=C zip -qry \"$1\" ROOT"),
    ZIP_WITHOUT_EXTRAS(without(ZIP), (format, random) -> "zip -qryX \"$1\" ROOT"),
    ZIP_OF_BSDTAR(ZIP, (format, random) -> "bsdtar --format zip -cf \"$1\" ROOT"),
    ZIP_OF_PYTHON(without(ZIP, Feature.LINKS), (format, random) ->
        "python3 -c 'import shutil, sys; shutil.make_archive(sys.argv[1][:-4], \"zip\", \".\", \"ROOT\")' \"$1\""),
    ZIP_OF_7Z(without(ZIP, Feature.LINKS), (format, random) -> "7z a -tzip -bd \"$1\" ROOT > 7z.log"),
    ZIP_ENCRYPTED(without(ZIP, Feature.LINKS),
        (format, random) -> "7z a -tzip -bd -mem=AES256 -psecret \"$1\" ROOT > 7z.log");

    final Set<Feature> features;
    final BiFunction<Packer, Random, String> command;

    Packer(Set<Feature> features, BiFunction<Packer, Random, String> command) {
      this.features = features;
      this.command = command;
    }

    boolean isZip() {
      return name().startsWith("ZIP");
    }

    boolean is7z() {
      return this == ZIP_OF_7Z || this == ZIP_ENCRYPTED;
    }

    /**
     * Python keeps times as floating point numbers, which are not exact: GNU tar unpacks what it wrote with fractions.
     */
    String unpack() {
      return isZip() ? is7z() ? "7z x -bd -psecret -o\"$2\" \"$1\" > 7z.log" : "unzip -q -o \"$1\" -d \"$2\""
          : name().startsWith("BSD") ? "bsdtar -xpf \"$1\" --numeric-owner -C \"$2\""
          : name().startsWith("PYTHON") && this != PYTHON_PAX
              ? "python3 -c 'import sys, tarfile; tarfile.open(sys.argv[1]).extractall(sys.argv[2],"
                  + " numeric_owner=True)' \"$1\" \"$2\""
          : "tar -xpf \"$1\" --numeric-owner -C \"$2\"";
    }

    private static String python(String format) {
      return ("python3 -c 'import sys, tarfile; t = tarfile.open(sys.argv[1], \"w\", format=tarfile.%s);"
          + " t.add(\"ROOT\"); t.close()' \"$1\"").formatted(format);
    }

    private static String options(Random random, String... sparse) {
      var all = new ArrayList<String>();
      if (sparse.length > 0 && random.nextInt(3) > 0) {
        all.add(sparse[random.nextInt(sparse.length)]);
      }
      if (random.nextBoolean()) {
        all.add("-b " + (1 << random.nextInt(12)));
      }
      if (random.nextInt(4) == 0) {
        all.add("-V label");
      }
      if (random.nextInt(4) == 0) {
        all.add("--sort=name");
      }
      return String.join(" ", all);
    }
  }

  @ParameterizedTest
  @EnumSource
  void anArchiveHoldsWhatItsProgramUnpacks(Packer packer) throws Exception {
    for (var seed : seeds()) {
      try {
        compare(packer, seed);
      } catch (Throwable thrown) {
        throw new AssertionError(
            "%s, seed %d: %s (again: ARCHIVE_SEEDS=%d ./jbang tests/suite.java ArchiveDifferentialTest)".formatted(
            packer, seed, thrown.getMessage(), seed), thrown);
      }
    }
  }

  @ParameterizedTest
  @ValueSource(strings = {"--format=oldgnu", "--format=gnu", "--format=posix --sparse-version=0.0",
      "--format=posix --sparse-version=0.1",
      "--format=posix --sparse-version=1.0"})
  void aSparseFileOfMoreThan2GiBIsRestoredWithItsHoles(String format) throws Exception {
    var file = Files.createDirectory(home.resolve(ROOT)).resolve("disk");
    var length = (5L << 30) + 12_345;
    try (var out = new RandomAccessFile(file.toFile(), "rw")) {
      out.write(1);
      out.seek(length - 5);
      out.write("end".getBytes(UTF_8));
      out.setLength(length);
    }
    Files.writeString(home.resolve(ROOT).resolve("empty"), "");
    run(home, "tar %s -S -cf \"$1\" %s".formatted(format, ROOT), ROOT + ".tar");
    run(home, "gzip -k \"$1\"", ROOT + ".tar");
    for (var type : List.of("tar", "tar.gz")) {
      var copy = home.resolve("copy-of-" + type);
      try (var attachments = new AttachmentArchive(home.resolve(ROOT + "." + type), Optional.empty());
          var workers = new Workers(1)) {
        assertThat(attachments.files).isEqualTo(2);
        assertThat(attachments.all.get(attachments.find("disk")).size()).isEqualTo(length);
        attachments.read(workers, i -> i == attachments.find("disk"), (worker, i, content) -> content.copyTo(copy));
      }
      assertThat(copy).hasSize(length);
      try (var in = new RandomAccessFile(copy.toFile(), "r")) {
        assertThat(in.read()).isEqualTo(1);
        in.seek(length - 5);
        var end = new byte[5];
        in.readFully(end);
        assertThat(new String(end, UTF_8)).isEqualTo("end\0\0");
      }
      run(home, "test $(du -k \"$1\" | cut -f1) -lt 1000", copy.toString());
    }
  }

  private static List<Long> seeds() {
    var given = Optional.ofNullable(System.getenv("ARCHIVE_SEEDS")).orElse("1-10").split("-");
    return Stream
        .iterate(Long.valueOf(given[0]), seed -> seed <= Long.parseLong(given[given.length - 1]), seed -> seed + 1)
        .toList();
  }

  private void compare(Packer packer, long seed) throws Exception {
    var random = new Random(seed * 1000 + packer.ordinal());
    var work = Files.createDirectory(home.resolve(packer + "-" + seed));
    var sources = Files.createDirectory(work.resolve("sources"));
    makeTree(random, sources.resolve(ROOT), packer.features);
    var archive = work.resolve(ROOT + (packer.isZip() ? ".zip" : ".tar"));
    run(sources, packer.command.apply(packer, random).replace("ROOT", ROOT), archive.toString());
    var unpacked = Files.createDirectory(work.resolve("unpacked"));
    run(work, packer.unpack(), archive.toString(), unpacked.toString());
    var expected = describe(unpacked.resolve(ROOT), packer);

    assertThat(differences(read(archive, packer), expected)).as("at any place").isEmpty();
    if (!packer.isZip()) {
      var compressor = List.of("gzip", "bzip2", "xz -0", "zstd -q --rm").get(random.nextInt(4));
      run(work, compressor + " \"$1\"", archive.toString());
      try (var files = Files.list(work)) {
        var compressed =
            files.filter(file -> file.getFileName().toString().startsWith(ROOT + ".tar.")).findFirst().orElseThrow();
        assertThat(differences(read(compressed, packer), expected)).as("in one pass, %s", compressor).isEmpty();
      }
    }
    run(home, "rm -rf \"$1\"", work.toString());
  }

  // ------------------------------------------------------------------------------------------------------------- trees

  private void makeTree(Random random, Path root, Set<Feature> features) throws Exception {
    Files.createDirectories(root);
    var folders = new ArrayList<>(List.of(root));
    var files = new ArrayList<Path>();
    for (int i = 3 + random.nextInt(5); i > 0; i--) {
      var parent = folders.get(random.nextInt(folders.size()));
      var folder = parent.resolve(name(random, features, "d" + i));
      if (fits(root, folder, features)) {
        folders.add(Files.createDirectory(folder));
      }
    }
    Files.writeString(root.resolve("first"), "x");
    files.add(root.resolve("first"));
    for (int i = 5 + random.nextInt(15); i > 0; i--) {
      var file = folders.get(random.nextInt(folders.size())).resolve(name(random, features, "f" + i));
      if (fits(root, file, features)) {
        files.add(makeFile(random, root, file, files, features));
      }
    }
    var all = new ArrayList<>(files);
    folders.stream().sorted(Comparator.comparing(Path::toString).reversed()).forEach(all::add);
    for (var path : all) {
      addAttributes(random, path, features);
    }
    var made = Files.writeString(home.resolve("make"), script);
    script.setLength(0);
    links.clear();
    run(home, "bash -eu \"$1\"", made.toString());
  }

  private static String quoted(Object text) {
    return "'" + text.toString().replace("'", "'\\''") + "'";
  }

  private static boolean fits(Path root, Path path, Set<Feature> features) {
    var name = root.getParent().relativize(path).toString().getBytes(UTF_8).length;
    return name <= (features.contains(Feature.LONG_NAMES) ? 1500 : 95);
  }

  private static String name(Random random, Set<Feature> features, String unique) {
    var letters = List.of("a", "b", "Z", "0", ".", " ", "_", "é", "ü", "日", "本", "😀", "'", "\"", "$", "%", "&", "(",
        "~", "#", "ß", "e\u0301");
    var controls = List.of("\n", "\t", "\r", "\u007f", "\u001b", "\\");
    var name = new StringBuilder(random.nextInt(6) == 0 ? "-" : random.nextInt(6) == 0 ? "." : "");
    var length = random.nextInt(4) == 0 && features.contains(Feature.LONG_NAMES) ? 40 + random.nextInt(60)
        : 1 + random.nextInt(8);
    for (int i = 0; i < length; i++) {
      name.append(features.contains(Feature.CONTROL_CHARACTERS) && random.nextInt(15) == 0
          ? controls.get(random.nextInt(controls.size()))
          : letters.get(random.nextInt(letters.size() - (features.contains(Feature.DECOMPOSED_LETTERS) ? 0 : 1))));
    }
    while (name.toString().getBytes(UTF_8).length > 240) {
      name.setLength(name.offsetByCodePoints(name.length(), -1));
    }
    return name + unique;
  }

  private Path makeFile(Random random, Path root, Path file, List<Path> files, Set<Feature> features) throws Exception {
    var kind = random.nextInt(10);
    if (kind == 0 && features.contains(Feature.LINKS)) {
      var texts = List.of("first", "a/", "b//c", "./d", "e/./f/", "g", "ü日",
          "x".repeat(features.contains(Feature.LONG_NAMES) ? 150 : 90));
      script.append("ln -s -T -- %s %s%n".formatted(quoted(texts.get(random.nextInt(texts.size()))), quoted(file)));
      links.add(file);
    } else if (kind <= 2 && features.contains(Feature.HARD_LINKS)) {
      var first = files.get(random.nextInt(files.size()));
      script.append("ln -P -T -- %s %s%n".formatted(quoted(first), quoted(file)));
      if (links.contains(first)) {
        links.add(file);
      }
    } else if (kind <= 4 && features.contains(Feature.HOLES)) {
      makeSparse(random, file);
    } else {
      var sizes = new int[] {0, 1, 511, 512, 513, 1024, 5000, 10_240, 70_000, random.nextInt(200_000)};
      var content = new byte[sizes[random.nextInt(sizes.length)]];
      if (random.nextInt(5) > 0) {
        random.nextBytes(content);
      }
      Files.write(file, content);
    }
    return file;
  }

  private static void makeSparse(Random random, Path file) throws IOException {
    try (var out = new RandomAccessFile(file.toFile(), "rw")) {
      for (int pieces = random.nextInt(4) == 0 ? 20 + random.nextInt(100) : random.nextInt(6); pieces > 0; pieces--) {
        var piece = new byte[1 + random.nextInt(5000)];
        random.nextBytes(piece);
        out.seek(out.length() + (random.nextInt(5) == 0 ? 0 : 4096L * (1 + random.nextInt(8))));
        out.write(piece);
      }
      out.setLength(out.length() + (random.nextBoolean() ? 0 : 4096L * random.nextInt(20)));
    }
  }

  private void addAttributes(Random random, Path path, Set<Feature> features) {
    if (features.contains(Feature.OWNERS) && IS_ROOT && random.nextBoolean()) {
      var ids = features.contains(Feature.BIG_OWNERS) ? List.of("1234", "65534", "2097152", "2147483648", "4294967294")
          : List.of("1", "1234", "65534", "2097151");
      script.append("chown -h %s:%s -- %s%n".formatted(ids.get(random.nextInt(ids.size())),
          ids.get(random.nextInt(ids.size())), quoted(path)));
    }
    if (features.contains(Feature.MODES) && !links.contains(path)) {
      var modes = Files.isDirectory(path) ? List.of(0755, 0700, 0770, 01777, 02775, 0555)
          : List.of(0644, 0600, 0444, 0755, 0640, 0, 04755, 0666);
      script.append("chmod %o -- %s%n".formatted(modes.get(random.nextInt(modes.size())), quoted(path)));
    }
    var seconds =
        !features.contains(Feature.FAR_TIMES) || random.nextInt(3) > 0 ? 1_000_000_000L + random.nextInt(800_000_000)
        : random.nextBoolean() ? FAR : 4_000_000_000L;
    seconds = features.contains(Feature.OLD_TIMES) && random.nextInt(5) == 0 ? -random.nextInt(2_000_000_000) : seconds;
    var nanos = features.contains(Feature.FRACTIONS) && random.nextBoolean() ? random.nextInt(1_000_000_000) : 0;
    script.append("touch -h -d @%d.%09d -- %s%n".formatted(seconds, nanos, quoted(path)));
  }

  // ------------------------------------------------------------------------------------------------------ descriptions

  private static Map<String, String> describe(Path root, Packer packer) throws IOException {
    var all = new TreeMap<String, String>();
    Files.walkFileTree(root, new SimpleFileVisitor<>() {
      @Override
      public FileVisitResult preVisitDirectory(Path path, BasicFileAttributes is) throws IOException {
        return visitFile(path, is);
      }

      @Override
      public FileVisitResult visitFile(Path path, BasicFileAttributes is) throws IOException {
        var unix = Files.readAttributes(path, "unix:mode,uid,gid", LinkOption.NOFOLLOW_LINKS);
        var time = is.lastModifiedTime().toInstant();
        var content = is.isSymbolicLink() ? Files.readSymbolicLink(path).toString() : is.isDirectory() ? ""
            : digest(Files.newInputStream(path));
        all.put(root.relativize(path).toString(),
            description(packer, is.isSymbolicLink() ? Kind.LINK : is.isDirectory() ? Kind.FOLDER : Kind.FILE,
                is.isRegularFile() ? is.size() : 0, content, (int) unix.get("mode") & 07777, time.getEpochSecond(),
                time.getNano(),
            Integer.toUnsignedLong((int) unix.get("uid")), Integer.toUnsignedLong((int) unix.get("gid"))));
        return FileVisitResult.CONTINUE;
      }
    });
    return all;
  }

  private static List<String> differences(Map<String, String> ours, Map<String, String> theirs) {
    return Stream.concat(ours.keySet().stream(), theirs.keySet().stream()).distinct()
        .filter(name -> !Objects.equals(ours.get(name), theirs.get(name)))
        .filter(name -> !Objects.toString(ours.get(name)).contains("without an entry")
            || !Objects.toString(theirs.get(name)).startsWith("FOLDER"))
        .map(name -> "'%s': %s instead of %s".formatted(name, ours.get(name), theirs.get(name))).toList();
  }

  private static String description(Packer packer, Kind kind, long size, String content, int mode, long seconds,
      int nanos, long uid, long gid) {
    if (kind == Kind.FOLDER && mode < 0) {
      return "FOLDER without an entry of its own";
    }
    var seen = kind == Kind.LINK ? "" : " mode %o".formatted(
        packer.is7z() ? mode & 0755 | (kind == Kind.FOLDER ? 0700 : 0) : packer.isZip() ? mode & 0777 : mode);
    var noTime = kind == Kind.LINK && (packer.isZip() || packer.name().startsWith("PYTHON"));
    var known = seconds == FAR ? nanos / 1000 * 1000 : nanos; // Java reads no more behind the year 2262
    var time = noTime ? "" : " time %d.%09d".formatted(seconds, known);
    return "%s %d bytes, %s%s%s%s".formatted(kind, size, content, seen, time,
        packer.isZip() || !IS_ROOT ? "" : " owner %d:%d".formatted(uid, gid));
  }

  /** Reads as the restores do: all that is to be known from the index, contents as streams and as copies. */
  private Map<String, String> read(Path archive, Packer packer) throws Exception {
    var contents = new TreeMap<Integer, String>();
    var copy = Files.createTempDirectory(home, "copies");
    try (
        var attachments =
            new AttachmentArchive(archive, packer == Packer.ZIP_ENCRYPTED ? Optional.of("secret") : Optional.empty());
        var workers = new Workers(2)) {
      var copies = new HashSet<Integer>();
      attachments.read(workers, i -> true, (worker, i, content) -> {
        var file = copy.resolve("" + i);
        var digest = i % 2 == 0 && attachments.archive.isSeekable() ? digest(content.open()) : null;
        content.copyTo(file);
        assertThat(digest).isIn(null, digest(Files.newInputStream(file)));
        synchronized (contents) {
          contents.put(i, digest(Files.newInputStream(file)));
          assertThat(copies.add(i)).as("read once").isTrue();
        }
      });
      var streamed = new TreeMap<Integer, String>();
      attachments.read(workers, i -> i % 3 == 0, (worker, i, content) -> {
        synchronized (streamed) {
          streamed.put(i, digest(content.open()));
        }
      });
      streamed.forEach((i, digest) -> assertThat(digest).as("streamed %d", i).isEqualTo(contents.get(i)));
      var all = new TreeMap<String, String>();
      for (int i = 0; i < attachments.all.size(); i++) {
        var entry = attachments.all.get(i);
        all.put(entry.name(),
            description(packer, entry.kind(), entry.size(),
                entry.kind() == Kind.LINK ? entry.link() : contents.getOrDefault(i, ""),
            entry.mode(), entry.seconds(), entry.nanos(), entry.owner().uid(), entry.owner().gid()));
      }
      return all;
    }
  }

  private static String digest(InputStream stream) throws IOException {
    try (var in = new DigestInputStream(stream, MessageDigest.getInstance("MD5"))) {
      in.transferTo(OutputStream.nullOutputStream());
      return new BigInteger(1, in.getMessageDigest().digest()).toString(16);
    } catch (NoSuchAlgorithmException e) {
      throw new IllegalStateException(e);
    }
  }

  /** Runs a script of the shell; a program that is missing is a failure that says which. */
  private static void run(Path folder, String script, String... arguments) throws Exception {
    var command = new ArrayList<>(List.of("bash", "-euc", script, "bash"));
    command.addAll(List.of(arguments));
    var builder = new ProcessBuilder(command).directory(folder.toFile()).redirectErrorStream(true);
    builder.environment().put("LC_ALL", "C.UTF-8");
    var process = builder.start();
    var said = new String(process.getInputStream().readAllBytes(), UTF_8);
    if (process.waitFor() == 127) {
      throw new AssertionError(
          "a program is missing (apt-get install tar libarchive-tools zip unzip p7zip-full python3 zstd xz-utils"
              + " bzip2): "
              + said);
    }
    assertThat(process.exitValue()).as("%s: %s", script, said).isZero();
  }
}
