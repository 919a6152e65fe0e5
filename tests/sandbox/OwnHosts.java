//SOURCES ../servers/Hosts.java

import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.stream.Collectors;

/**
 * The three hosts of the sandbox, on which a stand-in for TheHive runs. Its unit has a name that no site's has: should
 * its hosts be gone and a name of theirs lead to a real one, there is nothing there that could be stopped.
 */
record OwnHosts(Hosts hosts) {
  static final String SERVICE = "thehive-sandbox";
  private static final String RENAME = """
      set -e
      cd /etc/systemd/system
      cp thehive.service %1$s.service
      systemctl --quiet disable --now thehive
      rm -rf thehive.service thehive.service.d
      systemctl daemon-reload
      systemctl --quiet enable --now %1$s
      """.formatted(SERVICE);

  /** Why there are none on this machine, with the command that installs what is missing; empty where there are. */
  static Optional<String> reasonUnavailable() {
    return Hosts.reasonUnavailable().map(reason -> reason.startsWith("there is no ") && Hosts.onPath("apt-get")
        ? reason + ": apt-get install docker.io mmdebstrap openssh-client" : reason);
  }

  static OwnHosts start() {
    var hosts = Hosts.start(3);
    hosts.hosts().parallelStream().forEach(host -> host.exec(RENAME));
    return new OwnHosts(hosts);
  }

  /** The variables by which the scripts find TheHive there; ssh knows them by a program of their own. */
  Map<String, String> settings() {
    var settings = new LinkedHashMap<String, String>();
    settings.put("THEHIVE_NODES", hosts.hosts().stream().map(Hosts.Host::name).collect(Collectors.joining(" ")));
    settings.put("THEHIVE_SERVICE", SERVICE);
    settings.put("PATH", hosts.path());
    return settings;
  }

  /** The steps of the runbook that cannot be played without them. */
  static List<String> steps() {
    return List.of("service-control.java stop", "service-control.java start", "verify.java --only services,logs");
  }
}
