//DEPS org.apache.cassandra:java-driver-core:4.19.4
//DEPS org.apache.cassandra:cassandra-all:4.1.10
//DEPS com.github.luben:zstd-jni:1.5.7-28 // for .tar.zst, and for SSTables compressed with Zstd
//DEPS commons-io:commons-io:2.22.0

import com.datastax.oss.driver.api.core.CqlSessionBuilder;
import com.datastax.oss.driver.api.core.config.DriverConfigLoader;
import com.datastax.oss.driver.api.core.context.DriverContext;
import com.datastax.oss.driver.api.core.session.ProgrammaticArguments;
import com.datastax.oss.driver.internal.core.context.DefaultDriverContext;
import com.datastax.oss.driver.internal.core.context.StartupOptionsBuilder;
import java.util.HashMap;
import java.util.Map;

/** Tells the server who we are, so that system_views.clients shows a restore as one; the driver has no option for it. */
final class NamedSessionBuilder extends CqlSessionBuilder {
  private final String name;

  NamedSessionBuilder(String name) {
    this.name = name;
  }

  @Override
  protected DriverContext buildContext(DriverConfigLoader loader, ProgrammaticArguments arguments) {
    return new DefaultDriverContext(loader, arguments) {
      @Override
      public Map<String, String> getStartupOptions() {
        var options = new HashMap<>(super.getStartupOptions());
        options.put(StartupOptionsBuilder.DRIVER_NAME_KEY, name);
        return options;
      }
    };
  }
}
