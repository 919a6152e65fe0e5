///usr/bin/env jbang "$0" "$@" ; exit $?
//DESCRIPTION Runs the tests: the scripts as a user runs them, on real servers
//JAVA 17+
// Before the others, some of which bring an older release.
//DEPS com.fasterxml.jackson.core:jackson-databind:2.23.0
//DEPS info.picocli:picocli:4.7.7
//DEPS net.lingala.zip4j:zip4j:2.11.6
//DEPS org.apache.cassandra:java-driver-core:4.19.4
//DEPS org.assertj:assertj-core:3.27.7
//DEPS org.awaitility:awaitility:4.3.0
//DEPS org.hamcrest:hamcrest:2.2
//DEPS org.junit.jupiter:junit-jupiter:5.14.4
//DEPS org.junit.platform:junit-platform-console:1.14.4
//DEPS org.testcontainers:testcontainers:2.0.5
// After JUnit, of which okhttp would bring an older release.
//DEPS io.minio:minio:9.0.4
//DEPS com.squareup.okhttp3:okhttp-jvm:5.5.1
//DEPS org.apache.commons:commons-compress:1.28.0
//MAIN Suite
//COMPILE_OPTIONS -encoding UTF-8
// For Cassandra's SSTables, as in the scripts.
//JAVA_OPTIONS --add-opens=java.base/java.io=ALL-UNNAMED --add-opens=java.base/java.nio=ALL-UNNAMED
//JAVA_OPTIONS --add-opens=java.base/java.util=ALL-UNNAMED --add-opens=java.base/java.util.concurrent=ALL-UNNAMED
//JAVA_OPTIONS --add-opens=java.base/sun.nio.ch=ALL-UNNAMED --add-exports=java.base/jdk.internal.ref=ALL-UNNAMED
//FILES logback-test.xml
//FILES META-INF/services/org.junit.platform.launcher.TestExecutionListener=test-listener
//SOURCES ../lib/[A-Z]*.java
//SOURCES ../lib/embed.java
//SOURCES FolderRestore.java
//SOURCES Script.java
//SOURCES servers/[A-Z]*.java
//SOURCES data/[A-Z]*.java
//SOURCES sandbox/[A-Z]*.java
//SOURCES *Test.java
//SOURCES lib/*Test.java

import java.io.IOException;
import java.io.PrintWriter;
import java.nio.file.Files;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Properties;
import java.util.Set;
import java.util.TreeMap;
import java.util.concurrent.Callable;
import java.util.concurrent.ConcurrentHashMap;
import java.util.stream.Stream;
import org.junit.platform.commons.annotation.Testable;
import org.junit.platform.commons.support.AnnotationSupport;
import org.junit.platform.commons.support.HierarchyTraversalMode;
import org.junit.platform.commons.support.ReflectionSupport;
import org.junit.platform.console.ConsoleLauncher;
import org.junit.platform.engine.TestExecutionResult;
import org.junit.platform.engine.TestTag;
import org.junit.platform.engine.support.descriptor.MethodSource;
import org.junit.platform.launcher.TestExecutionListener;
import org.junit.platform.launcher.TestIdentifier;
import org.junit.platform.launcher.TestPlan;
import picocli.CommandLine;
import picocli.CommandLine.Command;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.ParameterException;
import picocli.CommandLine.Parameters;
import picocli.CommandLine.Spec;

/**
 * Runs every {@code tests/*Test.java} and {@code tests/lib/*Test.java} by JUnit's console launcher. The last line is
 * {@code N passed, N failed, N skipped}.
 *
 * <pre>{@code ./jbang tests/suite.java JBangTest RestoreCassandraEsTest#refusesWhenTheHiveIsStillRunning}</pre>
 */
@Command(name = "suite", mixinStandardHelpOptions = true, description = "Runs the tests on real servers.",
    exitCodeListHeading = "Exit codes:%n",
    exitCodeList = {"0:all passed", "1:a test failed, or none ran", "2:usage"})
class Suite implements Callable<Integer> {
  @Parameters(paramLabel = "Class[#method]", description = "What to run; everything by default.")
  private List<String> picked = List.of();

  @Option(names = "--tag", description = "Only tests with this tag, or of an expression such as"
      + " 'servers & !matrix'; may be repeated. By default all but matrix, the long ones.")
  private List<String> tags = List.of();

  @Option(names = "--stack", defaultValue = "${env:TEST_STACK}",
      description = "${COMPLETION-CANDIDATES}: what the servers"
      + " are (TEST_STACK). By default containers where a Docker engine answers, processes elsewhere.")
  private Servers stack;

  @Option(names = "--list", description = "Only names the tests, with their tags and about how long they take.")
  private boolean list;

  @Spec private CommandSpec spec;

  private enum Servers {
    containers, processes
  }

  public static void main(String[] args) {
    System.exit(new CommandLine(new Suite()).setParameterExceptionHandler((wrong, given) -> {
      System.err.printf("error: %s%nhint: ./jbang tests/suite.java --help%n", wrong.getMessage());
      return 2;
    }).execute(args));
  }

  @Override
  public Integer call() throws IOException {
    var arguments = arguments(testClasses());
    if (!list) {
      useServers();
      Script.askJBangOnce();
      if (picked.isEmpty() && tags.isEmpty()) {
        System.out.printf("All tests but those with the tag matrix: about %s minutes on two cores. --list names them%n",
            Stack.name().equals("processes") ? 60 : 90);
      }
    }
    Lines.list = list;
    try (var minutes = Files.newBufferedReader(Script.ROOT.resolve("tests/minutes"))) {
      Lines.MINUTES.load(minutes);
    }
    ConsoleLauncher.run(new PrintWriter(System.out, true), new PrintWriter(System.err, true),
        arguments.toArray(String[]::new));
    Stack.closeAll();
    return list ? 0 : Lines.end();
  }

  /** The launcher's own arguments. */
  private List<String> arguments(Map<String, Class<?>> classes) {
    var arguments = new ArrayList<>(List.of("execute", "--disable-banner", "--disable-ansi-colors", "--details=none",
        "--fail-if-no-tests",
        // A test that JUnit would pass over, being private for example, stops the run.
        "--config=junit.platform.discovery.issue.severity.critical=WARNING",
        "--config=junit.platform.execution.dryRun.enabled=" + list,
        "--config=junit.jupiter.execution.timeout.testable.method.default=10 m",
        "--config=junit.jupiter.execution.timeout.lifecycle.method.default=10 m",
        // On a thread of its own: a test that ignores its interruption must not hold up the others.
        "--config=junit.jupiter.execution.timeout.thread.mode.default=SEPARATE_THREAD"));
    for (var name : picked.isEmpty() ? classes.keySet() : picked) {
      var parts = name.split("#", 2);
      requireTest(classes, parts[0], parts.length == 2 ? parts[1] : null);
      arguments.add("--select-class=" + parts[0]);
      arguments.add("--include-methodname=" + parts[0] + "([$].*)?#" + (parts.length == 2 ? parts[1] : ".*"));
    }
    tags.forEach(tag -> arguments.add("--include-tag=" + tag));
    if (picked.isEmpty() && tags.isEmpty() && !list) {
      arguments.add("--exclude-tag=matrix"); // other servers, which take minutes to build, and a million attachments
    }
    return arguments;
  }

  /** Every test class there is: a file that was not compiled into the suite is an error, not a class less. */
  private Map<String, Class<?>> testClasses() throws IOException {
    var classes = new TreeMap<String, Class<?>>();
    for (var folder : List.of("tests", "tests/lib")) {
      try (var files = Files.list(Script.ROOT.resolve(folder))) {
        for (var file : files.map(f -> f.getFileName().toString()).filter(f -> f.endsWith("Test.java")).toList()) {
          var name = file.replace(".java", "");
          try {
            classes.put(name, Class.forName(name));
          } catch (ClassNotFoundException e) {
            throw usage(folder + "/" + file + " is not compiled into tests/suite.java");
          }
        }
      }
    }
    return classes;
  }

  private void requireTest(Map<String, Class<?>> classes, String name, String method) {
    if (!classes.containsKey(name)) {
      throw usage("no test class " + name + ", there are: " + String.join(", ", classes.keySet()));
    }
    var type = classes.get(name);
    var all = Stream.concat(Stream.of(type), ReflectionSupport.findNestedClasses(type, any -> true).stream())
        .flatMap(any -> ReflectionSupport.findMethods(any, m -> AnnotationSupport.isAnnotated(m, Testable.class),
            HierarchyTraversalMode.TOP_DOWN).stream());
    if (all.noneMatch(test -> method == null || test.getName().equals(method))) {
      throw usage("no test in " + name + (method == null ? "" : "#" + method));
    }
  }

  private void useServers() {
    var answers = stack != Servers.processes && Containers.available();
    if (stack == Servers.containers && !answers) {
      throw usage("no Docker engine that has or gets the images answers");
    }
    Stack.use(answers ? new Containers() : new Processes(true));
    System.out.println("Servers are " + Stack.name());
  }

  private ParameterException usage(String message) {
    return new ParameterException(spec.commandLine(), message);
  }

  /** A line for each test as it ends, and the last one; JUnit finds it by META-INF/services. */
  public static final class Lines implements TestExecutionListener {
    private static final Properties MINUTES = new Properties();
    private static boolean list;
    private static long passed;
    private static long failed;
    private static long skipped;

    private final Map<String, Long> started = new ConcurrentHashMap<>();
    private final Set<String> ended = ConcurrentHashMap.newKeySet();
    private TestPlan plan;

    /** Returns the exit code. */
    private static int end() {
      System.out.printf("%d passed, %d failed, %d skipped%n", passed, failed, skipped);
      return failed == 0 && passed > 0 ? 0 : 1;
    }

    @Override
    public void testPlanExecutionStarted(TestPlan plan) {
      this.plan = plan;
      if (list) {
        var classes = new TreeMap<String, Map<String, List<String>>>();
        plan.getRoots().stream().flatMap(root -> plan.getDescendants(root).stream())
            .filter(test -> test.getSource().filter(MethodSource.class::isInstance).isPresent())
            .forEach(test -> classes.computeIfAbsent(name(test).replaceFirst("#.*", ""), any -> new TreeMap<>())
                .put(name(test), test.getTags().stream().map(TestTag::getName).sorted().toList()));
        classes.forEach(Lines::printClass);
      }
    }

    /** What a class needs, by its tags, and how long it takes; then its tests, as they can be given. */
    private static void printClass(String name, Map<String, List<String>> tests) {
      var tags = tests.values().stream().flatMap(List::stream).distinct().sorted().toList();
      var isMatrix = tests.values().stream().allMatch(own -> own.contains("matrix"));
      System.out.printf("%s: %s, %s%n", name, tags.isEmpty() ? "no tag" : String.join(" ", tags),
          MINUTES.containsKey(name) ? "about %s min".formatted(MINUTES.getProperty(name))
              : isMatrix ? "minutes" : "seconds");
      tests.forEach((test, own) -> System.out.println("  " + test + (own.equals(tags) ? "" : "  " + own)));
    }

    @Override
    public void executionStarted(TestIdentifier test) {
      started.put(test.getUniqueId(), System.nanoTime());
    }

    @Override
    public void executionFinished(TestIdentifier test, TestExecutionResult result) {
      var cause = result.getThrowable().map(Throwable::getMessage).orElse(null);
      if (result.getStatus() == TestExecutionResult.Status.ABORTED) {
        // What the author of the assumption wrote, without what JUnit says by itself.
        skip(test,
            cause == null ? "" : cause.replaceFirst("^Assumption failed(: assumption is not (true|false)$|: |$)", ""));
      } else if (result.getStatus() == TestExecutionResult.Status.FAILED) {
        failed += count(test);
        line("✗", test, seconds(test));
      } else if (test.isTest()) {
        passed += count(test);
        line("✓", test, seconds(test));
      }
    }

    @Override
    public void executionSkipped(TestIdentifier test, String reason) {
      skip(test, reason);
    }

    private void skip(TestIdentifier test, String reason) {
      if (list) {
        return;
      }
      if (reason.isBlank()) {
        failed += count(test);
        line("✗", test, "skipped without a reason");
      } else {
        skipped += count(test);
        line("–", test, "skipped: " + reason.strip());
      }
    }

    /** A class whose set-up failed or was skipped takes the tests with it that have not ended; at least itself. */
    private long count(TestIdentifier test) {
      return Math.max(1, Stream.concat(Stream.of(test), plan.getDescendants(test).stream())
          .filter(any -> any.isTest() && ended.add(any.getUniqueId())).count());
    }

    private String seconds(TestIdentifier test) {
      return String.format(Locale.ROOT, "%.1f s", (System.nanoTime() - started.get(test.getUniqueId())) / 1e9);
    }

    private static void line(String mark, TestIdentifier test, String end) {
      var display = test.getDisplayName().replaceFirst("^(\\w+)[(].*[)]$", "$1").replaceAll("\\s+", " ")
          .replaceAll("\\p{Cntrl}", "?");
      var name = name(test);
      System.out.println(mark + " " + (name.endsWith(display) ? name : name + " " + display) + "  " + end);
    }

    /** As it can be given on the command line. */
    private static String name(TestIdentifier test) {
      return test.getSource().filter(MethodSource.class::isInstance).map(MethodSource.class::cast)
          .map(source -> source.getClassName().replaceFirst("[$].*", "") + "#" + source.getMethodName())
          .orElse(test.getDisplayName());
    }
  }
}
