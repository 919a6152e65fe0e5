import java.nio.file.Path;
import java.util.List;
import java.util.Optional;

/**
 * The hosts of TheHive and how they are asked.
 *
 * @param hosts its nodes; this host where none are named
 * @param named true if THEHIVE_NODES is set: only then is a node that cannot be asked an error
 * @param service its systemd unit on them
 * @param url where TheHive answers; {@code <node>} in it stands for the node's address
 * @param ca PEM file of the CA to trust for https; empty for the JDK's
 */
record TheHiveSettings(List<Host> hosts, boolean named, String service, String url, Optional<Path> ca) {
  static final Variable NODES = Variable.withDefault("THEHIVE_NODES", "localhost");
  static final Variable SERVICE = Variable.withDefault("THEHIVE_SERVICE", "thehive");
  static final Variable URL = Variable.withDefault("THEHIVE_URL", "http://<node>:9000");
  static final Variable CA = Variable.optional("THEHIVE_CA");
  static final List<Variable> VARIABLES = List.of(NODES, SERVICE, URL, CA);

  static TheHiveSettings of(Settings settings) {
    var service = settings.text(SERVICE);
    if (!service.matches("[A-Za-z0-9:_.@-]+")) {
      throw new Failure(Exit.USAGE, "THEHIVE_SERVICE '%s' is not the name of a unit".formatted(service),
          "name it as systemctl does, such as thehive");
    }
    return new TheHiveSettings(Host.named(settings.text(NODES)), settings.isSet(NODES), service, settings.text(URL),
        settings.optionalPath(CA));
  }
}
