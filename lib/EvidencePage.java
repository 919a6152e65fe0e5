//DEPS com.j2html:j2html:1.6.0 // writes HTML and escapes what stands in it

import static j2html.TagCreator.body;
import static j2html.TagCreator.div;
import static j2html.TagCreator.document;
import static j2html.TagCreator.each;
import static j2html.TagCreator.footer;
import static j2html.TagCreator.h1;
import static j2html.TagCreator.h2;
import static j2html.TagCreator.head;
import static j2html.TagCreator.html;
import static j2html.TagCreator.iff;
import static j2html.TagCreator.li;
import static j2html.TagCreator.meta;
import static j2html.TagCreator.p;
import static j2html.TagCreator.rawHtml;
import static j2html.TagCreator.section;
import static j2html.TagCreator.span;
import static j2html.TagCreator.style;
import static j2html.TagCreator.table;
import static j2html.TagCreator.tbody;
import static j2html.TagCreator.td;
import static j2html.TagCreator.th;
import static j2html.TagCreator.thead;
import static j2html.TagCreator.title;
import static j2html.TagCreator.tr;
import static j2html.TagCreator.ul;

import j2html.tags.DomContent;
import j2html.tags.specialized.SectionTag;
import j2html.tags.specialized.UlTag;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.stream.Stream;

/** The evidence as one page that loads nothing from elsewhere: for a change ticket, an auditor, or a printer. */
final class EvidencePage {
  private static final int MOST_DETAILS = 200;
  private static final String STYLE = """
      :root{color-scheme:light dark;--back:#fff;--text:#1b1f24;--soft:#59636e;--line:#d1d9e0;--track:#eef1f4;
      --good:#1a7f37;--bad:#c5221f;--open:#8a6100;--run:#57606a;--bar:#2f6fd6}
      @media (prefers-color-scheme:dark){:root{--back:#14181d;--text:#e8ecf0;--soft:#9aa4af;--line:#363d46;
      --track:#232a32;--good:#4ac26b;--bad:#ff7b72;--open:#d9a62e;--run:#8b949e;--bar:#6ca4ff}}
      *{box-sizing:border-box}
      body{margin:0 auto;max-width:1240px;padding:24px;background:var(--back);color:var(--text);
      font:15px/1.5 system-ui,"Segoe UI",Roboto,"Liberation Sans",sans-serif;overflow-wrap:anywhere}
      h1{font-size:1.15rem;color:var(--soft);font-weight:600;margin:0 0 8px}
      h2{font-size:1.1rem;margin:32px 0 8px;padding-bottom:4px;border-bottom:1px solid var(--line)}
      .summary{font-size:1.5rem;line-height:1.3;font-weight:650;margin:0 0 8px;padding-left:14px;
      border-left:6px solid var(--open)}
      .summary.good{border-color:var(--good)}.summary.bad{border-color:var(--bad)}
      .soft,footer{color:var(--soft);font-size:.9rem}
      table{width:100%;border-collapse:collapse}
      th,td{text-align:left;vertical-align:top;padding:5px 12px 5px 0;border-bottom:1px solid var(--line)}
      th{color:var(--soft);font-weight:600;font-size:.85rem}
      .number{text-align:right;white-space:nowrap;font-variant-numeric:tabular-nums;padding-right:28px}
      th,.name{white-space:nowrap}.name{font-weight:600}.check{min-width:9em}.sum{min-width:20em}.word{min-width:7em}
      .sum{font-family:ui-monospace,"Liberation Mono",monospace;font-size:.82rem}
      .mark{font-weight:700}.ok .mark{color:var(--good)}.bad .mark{color:var(--bad)}.skipped .mark,
      .warning .mark{color:var(--open)}
      ul{margin:4px 0;padding-left:20px}
      .line .step{width:30%}.line .time{width:130px}.line .run td{font-weight:600;padding-top:14px}
      .track{position:relative;display:block;height:14px;margin-top:4px;background:var(--track);border-radius:3px;
      overflow:hidden}
      .fill{position:absolute;top:0;bottom:0;min-width:3px;background:var(--bar);border-radius:3px}
      .run .fill{background:var(--run)}
      .track,.fill{-webkit-print-color-adjust:exact;print-color-adjust:exact}
      @media screen and (max-width:720px){
      body{padding:14px;font-size:14px}.summary{font-size:1.2rem}thead{display:none}
      table,tbody,tr,td{display:block;width:auto!important}
      tr{padding:8px 0;border-bottom:1px solid var(--line)}td{border:0;padding:1px 0}
      .number{text-align:left;padding-right:0}.name,.number{white-space:normal}.sum,.check,.word{min-width:0}
      td:empty{display:none}
      .line tr{display:grid;grid-template-columns:1fr auto;column-gap:12px}.line td:nth-child(2){grid-area:2/1/3/3}
      .checks tr{display:grid;grid-template-columns:1.2em auto 1fr;column-gap:8px}
      .checks td:nth-child(4){grid-column:2/4}
      td[data-label]:not([data-label=""])::before{content:attr(data-label) ": ";color:var(--soft)}}
      @media print{:root{--back:#fff;--text:#000;--soft:#444;--line:#bbb;--track:#eee;--good:#1a7f37;--bad:#b3261e;
      --open:#6b4c00;--run:#666;--bar:#2f6fd6}
      @page{margin:14mm}body{padding:0;max-width:none;font-size:10.5pt}h2{break-after:avoid}tr{break-inside:avoid}
      td{font-size:9pt;padding-right:8px}.number{padding-right:14px}.sum{font-size:7.5pt;min-width:17em}
      thead{display:table-header-group}}
      """;

  private final Evidence evidence;

  private EvidencePage(Evidence evidence) {
    this.evidence = evidence;
  }

  static String of(Evidence evidence) {
    return new EvidencePage(evidence).page();
  }

  private String page() {
    var sentence = evidence.sentence();
    var colour = evidence.isComplete() ? "good" : evidence.failures().isEmpty() ? "open" : "bad";
    return document(html(
        head(meta().attr("charset", "utf-8"), meta().attr("name", "viewport").attr("content", "width=device-width"),
            meta().attr("http-equiv", "Content-Security-Policy")
                .attr("content", "default-src 'none'; style-src 'unsafe-inline'"),
            title(sentence), style(rawHtml(STYLE))),
        body(h1(evidence.check().archivesOnly() ? "Check of a backup of TheHive" : "Restore of TheHive"),
            p(sentence).withClass("summary " + colour), p(who()).withClass("soft"),
            notes(), archives(), restores(), timeLine(), rates(), checks(), leftOut(), sources()))
        .attr("lang", "en"));
  }

  private String who() {
    var check = evidence.check();
    return "Checked on host %s, %s, in %s, by verify.java of release %s.".formatted(check.host(),
        Evidence.time(check.started()), ProgressLine.time(check.seconds()), Release.VERSION);
  }

  private DomContent notes() {
    var notes = evidence.check().notes();
    return iff(!notes.isEmpty(), section(h2("Notes"), ul(each(notes, text -> li(text)))));
  }

  private DomContent archives() {
    var rows = new ArrayList<DomContent>();
    for (var archive : evidence.archives()) {
      rows.add(row(List.of("Part", "Archive", "Size", "SHA-256"), List.of("name", "", "number", "sum"),
          archive.part(), archive.file() + "", archive.bytes() < 0 ? "" : "%,d bytes".formatted(archive.bytes()),
          archive.sha256()));
    }
    evidence.parts().stream().filter(part -> part.name().equals("elasticsearch")).forEach(part -> rows.add(
        row(List.of("Part", "Snapshot", "Size", ""), List.of("name", "", "number", ""), part.name(),
            String.join(", ", part.archives()), size(part.bytes()), "its files carry Elasticsearch's own checksums")));
    return titled("Archives", "", rows, "Part", "Archive", "#Size", "SHA-256, as they are now");
  }

  private DomContent restores() {
    var rows = evidence.restores().entrySet().stream().map(one -> {
      var part = one.getValue().part(one.getKey()).orElseThrow();
      var run = one.getValue();
      return (DomContent) row(List.of("Part", "Restored to", "Version", "Began", "Took", "By", "Result"),
          List.of("name", "", "word", "word", "number", "word", ""), part.name(), part.target(), part.version(),
          Evidence.time(run.started()), ProgressLine.time(run.seconds(part.name())),
          run.script() + ".java" + (run.release().isEmpty() ? "" : " " + run.release()),
          part.error().isEmpty() ? "done" : "failed: " + part.error());
    }).toList();
    return titled("What was restored", evidence.check().archivesOnly() ? "Nothing: the archives alone were checked."
        : "No report of a restore of this backup was found.", rows,
        "Part", "Restored to", "Version", "Began", "#Took", "By", "Result");
  }

  private DomContent timeLine() {
    var line = evidence.timeLine();
    var rows = line.bars().stream().map(bar -> (DomContent) tr(
        td((bar.span().part() + " " + (bar.span().isRun() ? bar.span().run() : bar.span().step())).strip())
            .withClass("step"),
        td(span(span().withClass("fill").withStyle("left:min(%s%%,calc(100%% - 3px));width:%s%%"
            .formatted(percent(bar.left()), percent(bar.width())))).withClass("track")),
        td(ProgressLine.time(bar.seconds())).withClass("time number")).withClass(bar.span().isRun() ? "run" : ""))
        .toList();
    return section(h2("Time line"), p("The line is %s long.%s".formatted(ProgressLine.time(line.seconds()),
        line.idle() < 1 ? "" : " Left out of it: %s in which nothing ran, or somebody was asked."
        .formatted(ProgressLine.time(line.idle())))).withClass("soft"),
        table(tbody(each(rows.stream()))).withClass("line"));
  }

  private static String percent(double value) {
    return String.format(Locale.ROOT, "%.3f", value);
  }

  private DomContent rates() {
    var rows = new ArrayList<DomContent>();
    evidence.restores().forEach((name, run) -> run.part(name).ifPresent(part -> {
      rows.add(rate(name, "all", part.bytes(), "", run.seconds(name)));
      part.items().forEach(item -> rows.add(rate(name, item.name(), item.bytes(), item.count(),
          run.seconds(name, item))));
    }));
    return titled("Bytes and rates", "No report of a restore tells them.", rows, "Part", "Table, index, store",
        "Holds", "#Bytes", "#Time", "#Rate");
  }

  private static DomContent rate(String part, String name, long bytes, String count, double seconds) {
    return row(List.of("Part", "What", "Holds", "Bytes", "Time", "Rate"),
        List.of("name", "", "", "number", "number", "number"), part, name, count, "%,d".formatted(bytes),
        seconds <= 0 ? "" : ProgressLine.time(seconds),
        seconds <= 0 || bytes <= 0 ? "" : ProgressLine.size((long) (bytes / seconds)) + "/s");
  }

  private DomContent checks() {
    var rows = evidence.verdict().checks().stream().map(finding -> (DomContent) tr(
        td(finding.result().sign).withClass("mark"), td(finding.part()).withClass("name"),
            td(finding.check()).withClass("check"),
        td(div(finding.text()), iff(!finding.details().isEmpty(), details(finding.details()))))
        .withClass(finding.result().name().toLowerCase(Locale.ROOT))).toList();
    return titled("Checks", "None.", rows, "", "Part", "Check", "Result").withClass("checks");
  }

  private static UlTag details(List<String> details) {
    return ul(each(details.stream().limit(MOST_DETAILS).toList(), detail -> li(detail)),
        iff(details.size() > MOST_DETAILS,
            li("and %d more: --json shows them".formatted(details.size() - MOST_DETAILS))));
  }

  private DomContent leftOut() {
    var all = Stream.concat(evidence.parts().stream().flatMap(part -> part.leftOut().stream()
        .map(text -> part.name() + ": " + text)),
        evidence.open().stream().map(open -> "not checked: %s: %s".formatted(open.what(), open.why()))).toList();
    return section(h2("Left out, and why"),
        all.isEmpty() ? p("Nothing.") : ul(each(all, text -> li(text))));
  }

  private DomContent sources() {
    var all = new ArrayList<String>();
    evidence.runs().forEach(run -> all.add("report " + run.file()));
    all.add("the checks of verify.java: " + evidence.verdict().summary());
    return footer(h2("Made from"), ul(each(all, text -> li(text))));
  }

  /** A table with its title; columns of numbers begin with #. */
  private static SectionTag titled(String title, String none, List<DomContent> rows, String... columns) {
    return section(h2(title), rows.isEmpty() ? p(none) : table(thead(tr(each(List.of(columns), column ->
        th(column.replaceFirst("^#", "")).withClass(column.startsWith("#") ? "number" : "")))),
        tbody(each(rows.stream()))));
  }

  /** A row; on a narrow screen each value has its label before it. */
  private static DomContent row(List<String> labels, List<String> classes, String... values) {
    var cells = tr();
    for (var i = 0; i < values.length; i++) {
      cells.with(td(values[i]).withClass(classes.get(i)).attr("data-label", labels.get(i)));
    }
    return cells;
  }

  private static String size(long bytes) {
    return bytes <= 0 ? "" : "%,d bytes".formatted(bytes);
  }
}
