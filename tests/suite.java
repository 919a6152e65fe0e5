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
//DEPS org.junit.platform:junit-platform-launcher:1.14.4
//DEPS org.testcontainers:testcontainers:2.0.5
// After JUnit, of which okhttp would bring an older release.
//DEPS io.minio:minio:9.0.4
//DEPS com.squareup.okhttp3:okhttp-jvm:5.5.1
//DEPS org.apache.commons:commons-compress:1.28.0
//MAIN Suite
//COMPILE_OPTIONS -encoding UTF-8
//FILES logback-test.xml
//SOURCES ../lib/[A-Z]*.java
//SOURCES Script.java
//SOURCES servers/[A-Z]*.java
//SOURCES data/[A-Z]*.java
//SOURCES *Test.java
//SOURCES lib/*Test.java

import static java.util.stream.Collectors.joining;
import static org.junit.platform.engine.discovery.DiscoverySelectors.selectClass;

import java.io.IOException;
import java.io.StringWriter;
import java.nio.file.Files;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.TreeMap;
import java.util.concurrent.Callable;
import java.util.concurrent.ConcurrentHashMap;
import java.util.stream.Stream;
import org.junit.platform.commons.JUnitException;
import org.junit.platform.engine.FilterResult;
import org.junit.platform.engine.TestExecutionResult;
import org.junit.platform.engine.support.descriptor.MethodSource;
import org.junit.platform.launcher.LauncherDiscoveryRequest;
import org.junit.platform.launcher.PostDiscoveryFilter;
import org.junit.platform.launcher.TagFilter;
import org.junit.platform.launcher.TestExecutionListener;
import org.junit.platform.launcher.TestIdentifier;
import org.junit.platform.launcher.TestPlan;
import org.junit.platform.launcher.core.LauncherDiscoveryRequestBuilder;
import org.junit.platform.launcher.core.LauncherFactory;
import picocli.CommandLine;
import picocli.CommandLine.Command;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.ParameterException;
import picocli.CommandLine.Parameters;
import picocli.CommandLine.Spec;

/**
 * Runs every {@code tests/*Test.java} with JUnit; the last line is {@code N passed, N failed, N skipped}.
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

  @Option(names = "--stack", description = "${COMPLETION-CANDIDATES}: what the servers are. By default containers where"
      + " a Docker engine answers, processes elsewhere.")
  private Ways stack;

  @Option(names = "--list", description = "Only names the tests.")
  private boolean list;

  @Spec private CommandSpec spec;

  private enum Ways {
    containers, processes
  }

  private record Pick(Class<?> type, String method) {
    boolean matches(MethodSource source) {
      var inside = source.getClassName().equals(type.getName())
          || source.getClassName().startsWith(type.getName() + "$");
      return inside && (method == null || method.equals(source.getMethodName()));
    }
  }

  public static void main(String[] args) {
    System.exit(new CommandLine(new Suite()).execute(args));
  }

  @Override
  public Integer call() throws IOException {
    var classes = testClasses();
    var picks = picked.isEmpty()
        ? classes.values().stream().map(type -> new Pick(type, null)).toList()
        : picked.stream().map(name -> pick(name, classes)).toList();
    try (var session = LauncherFactory.openSession()) {
      var plan = session.getLauncher().discover(request(picks));
      for (var pick : picks) {
        refuseEmpty(pick, plan);
      }
      if (list) {
        tests(plan).map(Suite::name).forEach(System.out::println);
        return 0;
      }
      useServers();
      Script.askJBangOnce();
      var summary = new Summary();
      session.getLauncher().execute(plan, summary);
      Stack.closeAll();
      return summary.print();
    } catch (JUnitException e) {
      System.err.println("error: " + e.getMessage());
      return 1;
    }
  }

  private void useServers() {
    var answers = stack != Ways.processes && Containers.available();
    if (stack == Ways.containers && !answers) {
      throw new ParameterException(spec.commandLine(), "no Docker engine that has or gets the images answers");
    }
    Stack.use(answers ? new Containers() : new Processes());
    System.out.println("Servers are " + Stack.name());
  }

  /** Every test class there is: a file that was not compiled into the suite is an error, not a class less. */
  private Map<String, Class<?>> testClasses() throws IOException {
    try (var files = Files.list(Script.ROOT.resolve("tests"))) {
      var classes = new TreeMap<String, Class<?>>();
      for (var file : files.map(f -> f.getFileName().toString()).filter(f -> f.endsWith("Test.java")).toList()) {
        var name = file.replace(".java", "");
        try {
          classes.put(name, Class.forName(name));
        } catch (ClassNotFoundException e) {
          throw new ParameterException(spec.commandLine(),
              "tests/" + file + " is not compiled into tests/suite.java");
        }
      }
      return classes;
    }
  }

  private Pick pick(String name, Map<String, Class<?>> classes) {
    var parts = name.split("#", 2);
    var type = classes.get(parts[0]);
    if (type == null) {
      throw new ParameterException(spec.commandLine(), "no test class " + parts[0] + ", there are: "
          + String.join(", ", classes.keySet()));
    }
    return new Pick(type, parts.length == 2 ? parts[1] : null);
  }

  private LauncherDiscoveryRequest request(List<Pick> picks) {
    var request = LauncherDiscoveryRequestBuilder.request()
        .selectors(picks.stream().map(pick -> selectClass(pick.type())).toList())
        .filters((PostDiscoveryFilter) descriptor -> FilterResult.includedIf(descriptor.getSource()
            .filter(MethodSource.class::isInstance)
            .map(source -> picks.stream().anyMatch(pick -> pick.matches((MethodSource) source)))
            .orElse(true)))
        // A test that JUnit would pass over, being private for example, stops the run.
        .configurationParameter("junit.platform.discovery.issue.severity.critical", "WARNING")
        .configurationParameter("junit.jupiter.execution.timeout.testable.method.default", "10 m")
        .configurationParameter("junit.jupiter.execution.timeout.lifecycle.method.default", "10 m")
        // On a thread of its own: a test that ignores its interruption must not hold up the others.
        .configurationParameter("junit.jupiter.execution.timeout.thread.mode.default", "SEPARATE_THREAD");
    if (!tags.isEmpty()) {
      request.filters(TagFilter.includeTags(tags));
    } else if (picked.isEmpty()) {
      request.filters(TagFilter.excludeTags("matrix")); // other servers, which take minutes to build, and a million attachments
    }
    return request.build();
  }

  private void refuseEmpty(Pick pick, TestPlan plan) {
    var found = tests(plan).anyMatch(test -> pick.matches((MethodSource) test.getSource().orElseThrow()));
    if (!found && tags.isEmpty()) {
      var method = pick.method() == null ? "" : "#" + pick.method();
      throw new ParameterException(spec.commandLine(), "no test in " + pick.type().getName() + method);
    }
  }

  /** Test methods; those that make several tests (parameters, repetitions) once. */
  private static Stream<TestIdentifier> tests(TestPlan plan) {
    return plan.getRoots().stream().flatMap(root -> plan.getDescendants(root).stream())
        .filter(test -> test.getSource().filter(MethodSource.class::isInstance).isPresent());
  }

  /** As it can be given on the command line. */
  private static String name(TestIdentifier test) {
    return test.getSource().filter(MethodSource.class::isInstance).map(MethodSource.class::cast)
        .map(source -> source.getClassName().replaceFirst("[$].*", "") + "#" + source.getMethodName())
        .orElse(test.getDisplayName());
  }

  /** A line for each test as it ends; failures in full at the end. */
  private static final class Summary implements TestExecutionListener {
    private static final int TRACE_LINES = 12;
    private static final int MESSAGE_LENGTH = 4_000;

    private final Map<String, Long> started = new ConcurrentHashMap<>();
    private final List<String> failures = new ArrayList<>();
    private TestPlan plan;
    private long passed;
    private long failed;
    private long skipped;

    @Override
    public void testPlanExecutionStarted(TestPlan plan) {
      this.plan = plan;
    }

    @Override
    public void executionStarted(TestIdentifier test) {
      started.put(test.getUniqueId(), System.nanoTime());
    }

    @Override
    public void executionSkipped(TestIdentifier test, String reason) {
      skip(test, reason);
    }

    @Override
    public void executionFinished(TestIdentifier test, TestExecutionResult result) {
      var cause = result.getThrowable().orElse(null);
      switch (result.getStatus()) {
        case SUCCESSFUL -> {
          if (test.isTest()) {
            passed++;
            line("✓", test);
          }
        }
        case ABORTED -> skip(test, reason(cause));
        case FAILED -> fail(test, cause);
      }
    }

    private void skip(TestIdentifier test, String reason) {
      if (reason.isBlank()) {
        fail(test, new AssertionError("skipped without a reason"));
        return;
      }
      skipped += testsIn(test);
      System.out.printf("– %s  skipped: %s%n", label(test), reason.strip());
    }

    /** What the author of the assumption wrote, without what JUnit says by itself. */
    private static String reason(Throwable cause) {
      var message = cause == null || cause.getMessage() == null ? "" : cause.getMessage();
      return message.replaceFirst("^Assumption failed(: assumption is not (true|false)$|: |$)", "");
    }

    private void fail(TestIdentifier test, Throwable cause) {
      failed += testsIn(test);
      line("✗", test);
      failures.add(label(test) + "\n" + shortTrace(cause).indent(4));
    }

    /** A class whose set-up failed or was skipped takes all its tests with it. */
    private long testsIn(TestIdentifier test) {
      return Math.max(1, plan.getDescendants(test).stream().filter(TestIdentifier::isTest).count());
    }

    private void line(String mark, TestIdentifier test) {
      var now = System.nanoTime();
      var nanos = now - started.getOrDefault(test.getUniqueId(), now);
      System.out.printf(Locale.ROOT, "%s %s  %.1f s%n", mark, label(test), nanos / 1e9);
    }

    private static String label(TestIdentifier test) {
      var name = name(test);
      var display = test.getDisplayName().replaceFirst("[(].*[)]$", "");
      return name.endsWith(display) ? name : name + " " + test.getDisplayName();
    }

    private static String shortTrace(Throwable cause) {
      if (cause == null) {
        return "failed without an exception";
      }
      var text = new StringWriter();
      for (var e = cause; e != null; e = e.getCause()) {
        var message = e.toString();
        text.append(e == cause ? "" : "Caused by: ").append(message, 0, Math.min(message.length(), MESSAGE_LENGTH))
            .append(message.length() > MESSAGE_LENGTH ? " ...\n" : "\n");
        text.append(Stream.of(e.getStackTrace())
            .filter(frame -> !frame.getClassName().matches("(org[.]junit|org[.]assertj|java|jdk)[.].*"))
            .limit(TRACE_LINES).map(frame -> "    at " + frame + "\n").collect(joining()));
      }
      return text.toString();
    }

    /** Returns the exit code. */
    private int print() {
      if (!failures.isEmpty()) {
        System.out.println("\nFailures:");
        failures.forEach(System.out::println);
      }
      System.out.printf("%d passed, %d failed, %d skipped%n", passed, failed, skipped);
      return failed == 0 && passed > 0 ? 0 : 1;
    }
  }
}
