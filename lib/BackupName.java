import java.time.LocalDateTime;
import java.time.format.DateTimeFormatter;
import java.time.format.DateTimeParseException;
import java.time.format.ResolverStyle;
import java.util.List;
import java.util.Locale;
import java.util.Optional;
import java.util.Set;
import java.util.regex.Pattern;

/**
 * The name of a backup's file: component, timestamp and type, such as {@code files_20261122_12h00m56s.tar}. Where
 * several nodes keep their archives in one folder, the node stands before or behind the timestamp: {@code
 * cassandra_node1_20261122_12h00m56s.tar}.
 *
 * @param node empty where the name has none
 * @param taken empty where the timestamp is not a date
 * @param type in small letters, empty where the name has none
 */
record BackupName(String component, String node, String stamp, Optional<LocalDateTime> taken, String type) {

  static final DateTimeFormatter STAMP =
      DateTimeFormatter.ofPattern("uuuuMMdd_HH'h'mm'm'ss's'").withResolverStyle(ResolverStyle.STRICT);
  /** The types that {@link Archive} reads. */
  static final Set<String> ARCHIVES =
      Set.of("tar", "tar.gz", "tgz", "tar.bz2", "tbz", "tbz2", "tar.xz", "txz", "tar.zst", "zip");
  static final Set<String> MARKERS = Set.of("info");
  static final Set<String> ATTACHMENTS = Set.of("files", "minio", "seaweedfs");
  static final Set<String> COMPONENTS = Set.of("cassandra", "elasticsearch", "files", "minio", "seaweedfs");
  private static final String DIGITS = "\\d{8}_\\d\\dh\\d\\dm\\d\\ds";
  private static final String START =
      "(?<component>[A-Za-z]+)(?:[_-](?<before>.+?))?_(?<stamp>" + DIGITS + ")(?:[_-](?<behind>.+?))?";
  private static final Pattern NAME =
      Pattern.compile(START + "\\.(?<type>(?i:tar|tar\\.gz|tar\\.bz2|tar\\.xz|tar\\.zst|tgz|tbz2?|txz|zip|info))");
  private static final Pattern OTHER_NAME =
      Pattern.compile(START + "(?:\\.(?<type>\\w*[A-Za-z]\\w*(?:\\.\\w+)*))?");
  private static final Pattern POINT =
      Pattern.compile("(?:[A-Za-z]+(?:[_-].+)?_)?(?<stamp>" + DIGITS + ")(?:[_-][^./]+)?");
  /** Files that stand beside a backup and hold none. */
  private static final Pattern BESIDE = Pattern
      .compile("(.*\\.)?(md5|sha1|sha256|sha512|md5sum|sha256sum|sha1sum|sig|asc|log|txt|json|csv|list|idx|err|out)");
  private static final Pattern UNFINISHED =
      Pattern.compile("(.*\\.)?(part|partial|tmp|temp|filepart|crdownload|swp|inprogress|incomplete)");

  static Optional<BackupName> of(String fileName) {
    var match = NAME.matcher(fileName);
    if (!match.matches() && !match.usePattern(OTHER_NAME).matches()) {
      return Optional.empty();
    }
    var node =
        Optional.ofNullable(match.group("before")).or(() -> Optional.ofNullable(match.group("behind"))).orElse("");
    var type = match.group("type") == null ? "" : match.group("type").toLowerCase(Locale.ROOT);
    return Optional
        .of(new BackupName(match.group("component"), node, match.group("stamp"), time(match.group("stamp")), type));
  }

  /** The time of a restore point: a timestamp, or a backup's name without a type. */
  static Optional<LocalDateTime> point(String text) {
    var match = POINT.matcher(text);
    return match.matches() ? time(match.group("stamp")) : Optional.empty();
  }

  private static Optional<LocalDateTime> time(String stamp) {
    try {
      return Optional.of(LocalDateTime.parse(stamp, STAMP));
    } catch (DateTimeParseException e) {
      return Optional.empty();
    }
  }

  /** True if the text names a file, not a point in time: it has a slash, or ends in a type of a backup. */
  static boolean isFile(String text) {
    var small = text.toLowerCase(Locale.ROOT);
    return text.contains("/")
        || List.of(ARCHIVES, MARKERS).stream().flatMap(Set::stream).anyMatch(type -> small.endsWith("." + type))
        || of(text).filter(name -> !name.type().isEmpty()).isPresent();
  }

  boolean isBeside() {
    return BESIDE.matcher(type).matches();
  }

  boolean isUnfinished() {
    return UNFINISHED.matcher(type).matches();
  }
}
