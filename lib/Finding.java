import java.util.List;

/**
 * A line of the result.
 *
 * @param part the part of TheHive, such as {@code cassandra}
 * @param check what of it was looked at, such as {@code nodes}
 * @param details the names below the line
 * @param code the exit code of a ✗, {@link Exit#VERIFICATION} for a difference
 */
record Finding(String part, String check, Mark result, String text, List<String> details, int code) {}
