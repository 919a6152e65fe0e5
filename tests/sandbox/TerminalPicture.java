import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.regex.Pattern;

/** The text of a terminal as an SVG, which has no script and loads nothing. Every word stands in its column. */
final class TerminalPicture {
  private static final double COLUMN = 8.4;
  private static final double LINE = 20;
  private static final double EDGE = 16;
  private static final Pattern CODE = Pattern.compile("\033\\[([0-9;]*)m");
  /** What words a gap of one blank joins: columns of a table are further apart. */
  private static final Pattern WORDS = Pattern.compile("\\S+(?: \\S+)*");
  private static final Map<String, String> STYLES = Map.of("", "", "0", "", "1", "bold", "31", "red", "32", "green");
  private static final String CSS = """
      rect { fill: #f6f8fa; stroke: #d1d9e0; }
      text { fill: #1f2328; font: 14px ui-monospace, SFMono-Regular, Menlo, Consolas, 'Liberation Mono', monospace; }
      .bold { font-weight: 600; }
      .red { fill: #b3141d; }
      .green { fill: #116329; }
      @media (prefers-color-scheme: dark) {
        rect { fill: #0d1117; stroke: #3d444d; }
        text { fill: #e6edf3; }
        .red { fill: #ff7b72; }
        .green { fill: #3fb950; }
      }
      """;

  /** A piece of a line in one style. */
  private record Piece(int column, String style, String text) {}

  private TerminalPicture() {}

  /** Returns the picture of what a terminal shows, given with the codes of its colours; its first line is the title. */
  static String svg(String recorded) {
    var lines = recorded.lines().toList();
    var title = plain(lines.get(0)).replaceFirst("^[$] ", "");
    var columns = plain(recorded).lines().mapToInt(String::length).max().orElse(0);
    var width = Math.ceil(columns * COLUMN + 2 * EDGE);
    var height = Math.ceil(lines.size() * LINE + 2 * EDGE);
    var svg = new StringBuilder(String.format(Locale.ROOT, """
        <svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 %1$.0f %2$.0f" width="%1$.0f" height="%2$.0f" role="img">
        <title>%3$s</title>
        <style>
        %4$s</style>
        <rect x="0.5" y="0.5" width="%5$.0f" height="%6$.0f" rx="6"/>
        """, width, height, escaped(title), CSS, width - 1, height - 1));
    for (var i = 0; i < lines.size(); i++) {
      for (var piece : pieces(lines.get(i))) {
        svg.append(text(piece, EDGE + (i + 0.72) * LINE));
      }
    }
    return svg.append("</svg>\n").toString();
  }

  /** Without the codes. */
  static String plain(String recorded) {
    return CODE.matcher(recorded).replaceAll("");
  }

  private static String text(Piece piece, double y) {
    return String.format(Locale.ROOT,
        "<text x=\"%.1f\" y=\"%.1f\" textLength=\"%.1f\" lengthAdjust=\"spacingAndGlyphs\"%s>%s</text>%n",
        EDGE + piece.column * COLUMN, y, piece.text.length() * COLUMN,
        piece.style.isEmpty() ? "" : " class=\"" + piece.style + "\"", escaped(piece.text));
  }

  private static List<Piece> pieces(String line) {
    var pieces = new ArrayList<Piece>();
    var codes = CODE.matcher(line);
    var style = "";
    var column = 0;
    var from = 0;
    while (codes.find()) {
      column = add(pieces, line.substring(from, codes.start()), column, style);
      from = codes.end();
      style = STYLES.getOrDefault(codes.group(1), "");
    }
    add(pieces, line.substring(from), column, style);
    return pieces;
  }

  private static int add(List<Piece> pieces, String text, int column, String style) {
    if (text.chars().anyMatch(letter -> letter < ' ')) {
      throw new IllegalArgumentException("what moves the cursor cannot be drawn: " + text.strip());
    }
    WORDS.matcher(text).results().forEach(words -> pieces.add(new Piece(column + words.start(), style, words.group())));
    return column + text.length();
  }

  private static String escaped(String text) {
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;");
  }
}
