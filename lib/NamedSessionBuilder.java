//DEPS org.apache.cassandra:java-driver-core:4.19.4

import com.datastax.oss.driver.api.core.CqlSessionBuilder;
import com.datastax.oss.driver.api.core.config.DriverConfigLoader;
import com.datastax.oss.driver.api.core.context.DriverContext;
import com.datastax.oss.driver.api.core.session.ProgrammaticArguments;
import com.datastax.oss.driver.internal.core.context.DefaultDriverContext;
import com.datastax.oss.driver.internal.core.context.StartupOptionsBuilder;
import java.util.HashMap;
import java.util.Map;

/**
 * Builds sessions that tell the server the name of their client, which {@code system_views.clients} shows: so a restore
 * sees another one. The driver has no option for it.
 */
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
