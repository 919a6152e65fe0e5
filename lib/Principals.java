import java.io.IOException;
import java.nio.file.FileSystems;
import java.nio.file.Files;
import java.nio.file.LinkOption;
import java.nio.file.Path;
import java.nio.file.attribute.GroupPrincipal;
import java.nio.file.attribute.UserPrincipal;
import java.nio.file.attribute.UserPrincipalLookupService;
import java.util.Map;
import java.util.Optional;
import java.util.concurrent.ConcurrentHashMap;
import java.util.stream.Stream;

/** A user and a group of this host; null where there is none. */
record Principals(UserPrincipal user, GroupPrincipal group) {
  static final Principals NONE = new Principals(null, null);
  private static final UserPrincipalLookupService LOOKUP = FileSystems.getDefault().getUserPrincipalLookupService();
  /** By their numbers. Names are asked for once, not for each of a million files: a directory server may answer. */
  private static final Map<Map<String, Object>, Principals> LIVE = new ConcurrentHashMap<>();

  private interface Lookup<T> {
    T by(String name) throws IOException;
  }

  /** Reads {@code user}, {@code user:group} or {@code :group}, names or numbers, as ATTACHMENT_OWNER has it. */
  static Principals parse(Optional<String> text) {
    var parts = text.orElse("").split(":", 2);
    var user = parts[0];
    var group = parts.length < 2 ? "" : parts[1];
    var known = of(new Owner(user, number(user), group, number(group)));
    if (known.user == null && !user.isEmpty() || known.group == null && !group.isEmpty()) {
      throw new Failure(Exit.USAGE, "ATTACHMENT_OWNER %s: not known on this host".formatted(text.get()),
          "name a user and a group, such as thehive:thehive");
    }
    return known;
  }

  /** The number that a text is; -1 if it is a name. */
  private static long number(String text) {
    return text.matches("\\d{1,10}") ? Long.parseLong(text) : -1;
  }

  /** Looks an owner up by name, then by number. */
  static Principals of(Owner owner) {
    return new Principals(find(LOOKUP::lookupPrincipalByName, owner.user(), owner.uid()),
        find(LOOKUP::lookupPrincipalByGroupName, owner.group(), owner.gid()));
  }

  /** The owner and the group of a file, or of the link itself. */
  static Principals of(Path path) throws IOException {
    var known = LIVE.get(Files.readAttributes(path, "unix:uid,gid", LinkOption.NOFOLLOW_LINKS));
    if (known != null) {
      return known;
    }
    var all = Files.readAttributes(path, "unix:uid,gid,owner,group", LinkOption.NOFOLLOW_LINKS);
    var principals = new Principals((UserPrincipal) all.get("owner"), (GroupPrincipal) all.get("group"));
    LIVE.put(Map.of("uid", all.get("uid"), "gid", all.get("gid")), principals);
    return principals;
  }

  /** Java takes a number above 2^31 as the negative number of the same bits; 2^32-1 means "leave as it is" to chown. */
  private static <T> T find(Lookup<T> lookup, String name, long number) {
    var hasNumber = number >= 0 && number < 0xffffffffL;
    for (var text : Stream.of(name, hasNumber ? "" + (int) number : "").filter(text -> !text.isEmpty()).toList()) {
      try {
        return lookup.by(text);
      } catch (IOException e) {
        // not known by this name: the number is next
      }
    }
    return null;
  }

  Principals or(Principals others) {
    return new Principals(user != null ? user : others.user, group != null ? group : others.group);
  }

  /** True if both are those of the other, or not set here. */
  boolean agreeWith(Principals others) {
    return (user == null || user.equals(others.user)) && (group == null || group.equals(others.group));
  }

  boolean isRoot() {
    return user != null && user.equals(find(LOOKUP::lookupPrincipalByName, "", 0));
  }

  @Override
  public String toString() {
    return shown(user) + (group == null ? "" : ":" + shown(group));
  }

  private static String shown(UserPrincipal principal) {
    var name = principal == null ? "" : principal.getName();
    return name.matches("-\\d+") ? Integer.toUnsignedString(Integer.parseInt(name)) : name;
  }
}
