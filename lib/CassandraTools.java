//DEPS org.apache.cassandra:cassandra-all:4.1.10
// It would bring older releases of these:
//DEPS com.github.luben:zstd-jni:1.5.7-28 // for .tar.zst, and for SSTables compressed with Zstd
//DEPS io.netty:netty-all:4.1.137.Final
//DEPS io.netty:netty-handler:4.1.137.Final
//DEPS io.netty:netty-tcnative-boringssl-static:2.0.81.Final
//DEPS org.xerial.snappy:snappy-java:1.1.10.12
//DEPS org.yaml:snakeyaml:2.7
//DEPS ch.qos.logback:logback-core:1.2.13
//DEPS commons-io:commons-io:2.22.0
//DEPS commons-codec:commons-codec:1.23.0

import ch.qos.logback.classic.Level;
import ch.qos.logback.classic.Logger;
import ch.qos.logback.core.ConsoleAppender;
import java.nio.file.Path;
import java.util.function.Consumer;
import org.apache.cassandra.config.Config;
import org.apache.cassandra.config.DatabaseDescriptor;
import org.apache.cassandra.config.DurationSpec;
import org.apache.cassandra.dht.Murmur3Partitioner;
import org.slf4j.LoggerFactory;

/** Cassandra's own classes, as a tool uses them: without a node, and quietly. */
final class CassandraTools {
  private CassandraTools() {}

  /** Cassandra's classes log through logback, which without a configuration prints everything to stdout. */
  static void quietLibraries(boolean verbose) {
    var root = (Logger) LoggerFactory.getLogger(org.slf4j.Logger.ROOT_LOGGER_NAME);
    root.setLevel(verbose ? Level.WARN : Level.OFF);
    root.iteratorForAppenders().forEachRemaining(appender -> {
      appender.stop();
      ((ConsoleAppender<?>) appender).setTarget("System.err");
      appender.start();
    });
  }

  /** Loads just as much of Cassandra as SSTables need; must come before any other use of its classes. */
  static synchronized void initialise(Path work, Consumer<Config> more) {
    if (DatabaseDescriptor.isToolInitialized()) {
      return;
    }
    var config = new Config();
    // Only names: a tool neither makes nor reads these folders.
    System.setProperty("cassandra.storagedir", work.toString());
    config.partitioner = Murmur3Partitioner.class.getName();
    config.endpoint_snitch = "SimpleSnitch";
    config.commitlog_sync = Config.CommitLogSync.periodic;
    config.commitlog_sync_period = new DurationSpec.IntMillisecondsBound("10s");
    more.accept(config);
    Config.setOverrideLoadConfig(() -> config);
    DatabaseDescriptor.toolInitialization();
  }
}
