///usr/bin/env jbang "$0" "$@" ; exit $?
//DESCRIPTION Starts hosts with systemd, sshd, sudo and a stand-in for TheHive, each a container made here without a registry
//JAVA 17+
//DEPS info.picocli:picocli:4.7.7
//JAVA_OPTIONS -Xmx64m -XX:+UseSerialGC -XX:TieredStopAtLevel=1 -XX:-UsePerfData
//SOURCES Nodes.java
//MAIN SystemdHosts

import java.io.File;
import java.io.IOException;
import java.net.Inet4Address;
import java.net.NetworkInterface;
import java.nio.channels.FileChannel;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.nio.file.StandardOpenOption;
import java.nio.file.attribute.PosixFilePermissions;
import java.security.MessageDigest;
import java.time.Duration;
import java.util.ArrayList;
import java.util.HexFormat;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.UUID;
import java.util.concurrent.Callable;
import java.util.stream.Collectors;
import java.util.stream.IntStream;
import java.util.stream.Stream;
import picocli.CommandLine;
import picocli.CommandLine.Command;
import picocli.CommandLine.Option;

/**
 * Starts hosts {@code node1}, {@code node2} and so on, and keeps them until SIGTERM, Ctrl-C or its end. Prints {@code
 * ready node1 ADDRESS CONTAINER} for each and then {@code ready}. Users: {@code root}, {@code admin} (sudo without a
 * password) and {@code plain} (sudo with the password {@code plain-secret}), by key only. {@code thehive.service}
 * stands in for TheHive on port 9000; {@code thehive-mode} on each host makes it misbehave. This machine's JDK is in
 * {@code /opt/java}.
 *
 * <p>In the folder: {@code bin/ssh}, the real ssh with the settings in {@code .ssh/config}, and {@code bin/engine}, the
 * docker command. An engine that answers is used, else one is started beside it; the root file system is made once by
 * mmdebstrap and kept in {@code ~/.cache/thehive-restore}. Addresses are those of a bridge: a closed port refuses.
 *
 * <p>Example: {@code ./jbang tests/servers/systemd-hosts.java --count 3 --dir /tmp/hosts}
 */
@Command(name = "hosts", mixinStandardHelpOptions = true, sortOptions = false)
class SystemdHosts implements Callable<Integer> {
  private static final Duration START_LIMIT = Duration.ofMinutes(2);
  private static final String SUITE = "bookworm";
  /** The last one for a JVM: that of this machine is mounted. */
  private static final String PACKAGES = "systemd-sysv,dbus,openssh-server,sudo,passwd,libstdc++6";
  private static final Path JAVA = Path.of(System.getProperty("java.home"));

  /** What a container cannot run or nobody needs there; keys that every host would share; the accounts. */
  private static final String PREPARE =
      """
      set -eu
      for unit in console-getty.service getty.target systemd-logind.service systemd-networkd.service \\
          systemd-firstboot.service systemd-tmpfiles-clean.timer apt-daily.timer apt-daily-upgrade.timer \\
          dpkg-db-backup.timer fstrim.timer e2scrub_all.timer e2scrub_reap.service; do
        ln -sf /dev/null "$1/etc/systemd/system/$unit"
      done
      rm -f "$1"/etc/ssh/ssh_host_* "$1"/etc/machine-id
      chroot "$1" useradd --system --home-dir /opt/thehive thehive
      for user in admin plain; do
        chroot "$1" useradd --create-home --shell /bin/bash "$user"
      done
      echo 'plain:plain-secret' | chroot "$1" chpasswd
      chroot "$1" usermod --password '*' admin
      """;

  /** Ends the hosts and the engine when its standard input closes, which is when this script is gone, or on SIGTERM. */
  private static final String KEEPER =
      """
      engine=
      end() {
        trap '' HUP INT TERM
        hosts=$(timeout 20 docker ps -aq --filter "label=$NAME")
        [ -z "$hosts" ] || timeout 30 docker rm -fv $hosts
        timeout 20 docker network rm "$NAME"
        if [ -n "$engine" ]; then
          kill -KILL "$engine"
          for try in 1 2 3 4 5 6 7 8 9; do
            rm -rf engine && break
            sleep 0.5
          done
          find /sys/fs/cgroup -depth -type d -path "*/$NAME*" -exec rmdir {} +
        fi
        exit 0
      }
      trap end HUP INT TERM
      exec 3<&0
      if [ -n "$OWN_ENGINE" ]; then
        # In name spaces of its own, so that its end is the end of all it started; Ctrl-C is not for it.
        setsid setpriv --pdeathsig KILL unshare --mount --pid --fork --kill-child --mount-proc \\
          sh -c '"$@" & wait' sh dockerd --host "$DOCKER_HOST" --data-root "$PWD/engine/data" \\
          --exec-root "$PWD/engine/run" --pidfile "$PWD/engine/pid" --bridge none --iptables=false --ip-masq=false \\
          --ip-forward=false --exec-opt native.cgroupdriver=cgroupfs --cgroup-parent "/$NAME" 3<&- &
        engine=$!
      fi
      cat <&3 >/dev/null &
      wait $!
      end
      """;

  private static final String UNIT =
      """
      [Unit]
      Description=Stands in for TheHive in tests
      After=network.target
      StartLimitIntervalSec=0

      [Service]
      User=thehive
      Environment=MODE=normal
      LogsDirectory=thehive
      ExecStart=/opt/thehive/bin/thehive
      SuccessExitStatus=143

      [Install]
      WantedBy=multi-user.target
      """;

  private static final String APPLICATION =
      """
      #!/usr/bin/perl
      # Stands in for TheHive: answers GET /api/v1/status/public on port 9000, or misbehaves as $MODE says.
      use strict;
      use warnings;
      use IO::Socket::INET;
      use POSIX 'strftime';

      my $mode = $ENV{MODE};
      open(my $file, '>>', '/var/log/thehive/application.log') or die $!;
      $file->autoflush;
      STDOUT->autoflush;

      sub note {
        my ($level, $text) = ($_[0], "from org.thp.thehive.TheHive in main - $_[1]\\n");
        # As TheHive's own settings have it: levels with a colour on its output, the time in its own log.
        printf "[\\e[%dm%s\\e[0m] %s", $level eq 'ERROR' ? 31 : 37, lc $level, $text;
        print $file strftime('%F %T,000', localtime), " [$level] $text";
      }

      note('INFO', 'Starting TheHive');
          exec('/bin/sh', '-c', 'exec /opt/java/bin/java -Xmx256m -jar /opt/thehive/graph/graph.jar serve $(cat /opt/thehive/graph/target)')
        if $mode eq 'graph';
      if ($mode eq 'fails') {
        note('ERROR', 'Unable to connect to the database');
        exit 1;
      }
      $SIG{PIPE} = 'IGNORE';
      $SIG{TERM} = sub { note('INFO', 'Stopping'); sleep 10; exit 0 } if $mode eq 'slow-stop';
      sleep 5 if $mode eq 'slow-start';
      sleep while $mode eq 'silent';
      my $server = IO::Socket::INET->new(LocalPort => 9000, Listen => 20, ReuseAddr => 1) or die $!;
      note('INFO', 'Listening for HTTP on /0.0.0.0:9000');
      sleep while $mode eq 'mute';
      my $noisy = $mode eq 'noisy' || $mode eq 'unlogged';
      note('ERROR', 'Index query failed: all shards failed') if $noisy;
      while (1) {
        my $client = $server->accept or next;
        eval {
          local $SIG{ALRM} = sub { die };
          alarm 5;
          my $request = <$client> // '';
          while (my $header = <$client>) { last if $header =~ /^\\r?\\n/ }
          my $found = $request =~ m{^GET /api/v1/status/public[ ?]};
          note('ERROR', 'Index query failed: all shards failed') if $noisy;
          my $body = $found ? '{"status":"Ok"}' : '{"type":"NotFound"}';
              print $client 'HTTP/1.1 ' . ($found ? '200 OK' : '404 Not Found') . "\\r\\nContent-Type: application/json\\r\\n"
            . 'Content-Length: ' . length($body) . "\\r\\nConnection: close\\r\\n\\r\\n$body";
        };
        alarm 0;
        close $client;
      }
      """;

  private static final String MODE =
      """
      #!/bin/sh
      # thehive-mode MODE         stops thehive, changes it and starts it, also unmasked and enabled again
      # thehive-mode MODE later   leaves what runs as it is: the mode holds from the next start on
      #
      # normal      answers
      # fails       logs an error and exits with 1 at its start
      # returns     is started again 1.5 seconds after a stop, and after a crash
      # silent      is active, its port stays closed
      # mute        is active, its port is open, nothing is answered
      # missing     there is no such unit
      # slow-start  opens its port after 5 seconds
      # slow-stop   needs 10 seconds to stop
      # noisy       logs an error at its start and at each request
      # unlogged    the same, but its unit drops its output: only its own log has it
      # graph       is /opt/thehive/graph/graph.jar, over the databases that the file target beside it names
      set -eu
      case ${1:-} in
        normal | fails | returns | silent | mute | missing | slow-start | slow-stop | noisy | unlogged | graph) ;;
        *) sed -n '2,/^set/s/^# \\{0,1\\}//p' "$0" >&2; exit 2 ;;
      esac
      unit=/etc/systemd/system/thehive.service
      again='systemd-run --quiet --collect --unit thehive-return sh -c "sleep 1.5; systemctl start thehive"'
      rm -rf "$unit" "$unit.d" /etc/systemd/system/*.wants/thehive.service /run/systemd/system/thehive.service*
      systemctl daemon-reload
      systemctl stop thehive-return 2>/dev/null || true
      if [ "${2:-}" != later ]; then
        systemctl kill --signal KILL thehive 2>/dev/null || true
        systemctl stop thehive 2>/dev/null || true
        systemctl reset-failed thehive 2>/dev/null || true
      fi
      [ "$1" != missing ] || exit 0
      cp /opt/thehive/thehive.service "$unit"
      mkdir "$unit.d"
      printf '[Service]\\nEnvironment=MODE=%s\\n' "$1" >"$unit.d/mode.conf"
      if [ "$1" = returns ]; then
        printf 'Restart=always\\nRestartSec=1\\nExecStopPost=-+%s\\n' "$again" >>"$unit.d/mode.conf"
      fi
      if [ "$1" = unlogged ]; then
        printf 'StandardOutput=null\\n' >>"$unit.d/mode.conf"
      fi
      systemctl daemon-reload
      systemctl --quiet enable thehive
      [ "${2:-}" = later ] || systemctl start thehive
      """;

  private static final String SSHD =
      """
      HostKey /etc/ssh/ssh_host_ed25519_key
      AuthorizedKeysFile /etc/ssh/authorized_keys
      PasswordAuthentication no
      KbdInteractiveAuthentication no
      PermitRootLogin prohibit-password
      """;

  private static final String SUDOERS =
      """
      admin ALL=(ALL:ALL) NOPASSWD: ALL
      plain ALL=(ALL:ALL) ALL
      """;

  private static final String SSH_CONFIG =
      """
      Host *
        User admin
        IdentityFile "%1$s/.ssh/id_ed25519"
        IdentitiesOnly yes
        IdentityAgent none
        UserKnownHostsFile "%1$s/.ssh/known_hosts"
        GlobalKnownHostsFile /dev/null

      """;

  @Option(names = "--count", defaultValue = "3", description = "default: ${DEFAULT-VALUE}")
  private int count;

  @Option(names = "--dir", paramLabel = "DIR", description = "kept at the end (default: a temporary folder)")
  private Path dir;

  @Option(names = "--stop-with", paramLabel = "PID", description = "stop when this process ends")
  private Long stopWith;

  private final Map<String, String> engineEnvironment = new LinkedHashMap<>();
  /** Of the containers' label, the network and the control group; no two runs share one. */
  private final String name = "thehive-hosts-" + ProcessHandle.current().pid();

  private record Host(String name, String address) {}

  public static void main(String[] args) {
    System.exit(new CommandLine(new SystemdHosts()).setExecutionExceptionHandler(Nodes::explain).execute(args));
  }

  @Override
  public Integer call() throws Exception {
    try (var nodes = new Nodes(dir, "hosts-", stopWith)) {
      var home = nodes.home();
      startEngine(nodes, home);
      var image = image(rootFileSystem());
      var network = freeNetwork();
      docker("network", "create", "--subnet", network + ".0/24", "--opt",
          "com.docker.network.bridge.name=hosts" + ProcessHandle.current().pid(), name);
      var hosts =
          IntStream.rangeClosed(1, count).mapToObj(i -> new Host("node" + i, network + "." + (10 + i))).toList();
      writeTools(home, hosts);
      var files = writeFiles(home);
      for (var host : hosts) {
        create(host, image, files);
      }
      for (var host : hosts) {
        awaitBoot(host);
        rememberKey(home, host);
      }
      hosts.forEach(host -> System.out.println("ready " + host.name() + " " + host.address() + " " + container(host)));
      System.out.println("ready");
      return nodes.join();
    }
  }

  /** Starts the keeper, which ends everything; with it an engine where none answers. */
  private void startEngine(Nodes nodes, Path home) throws Exception {
    var own = !answers();
    if (own) {
      for (var program : List.of("docker", "dockerd", "unshare", "setpriv")) {
        if (onPath(program).isEmpty()) {
          throw new IllegalStateException("no Docker engine answers, and there is no " + program + " to start one");
        }
      }
      engineEnvironment.put("DOCKER_HOST", "unix://" + home.resolve("engine.sock"));
    } else if (System.getenv("DOCKER_HOST") != null) {
      engineEnvironment.put("DOCKER_HOST", System.getenv("DOCKER_HOST"));
    }
    var log = home.resolve("engine.log");
    var command = new ArrayList<>(List.of("/usr/bin/env", "NAME=" + name, "OWN_ENGINE=" + (own ? "yes" : "")));
    engineEnvironment.forEach((variable, value) -> command.add(variable + "=" + value));
    command.addAll(List.of("sh", "-c", KEEPER));
    nodes.start("engine", command, log);
    nodes.await("engine", START_LIMIT, this::answers);
  }

  private boolean answers() throws Exception {
    return onPath("docker").isPresent() && process("timeout", "10", "docker", "version").start().waitFor() == 0;
  }

  /** Made once; several may want it at once: the first makes it, the others wait. */
  private Path rootFileSystem() throws Exception {
    var home = Optional.ofNullable(System.getenv("XDG_CACHE_HOME")).map(Path::of)
        .orElse(Path.of(System.getProperty("user.home"), ".cache"));
    var cache = Files.createDirectories(home.resolve("thehive-restore"));
    var recipe =
        MessageDigest.getInstance("SHA-256").digest((SUITE + PACKAGES + PREPARE).getBytes(StandardCharsets.UTF_8));
    var tar = cache.resolve("hosts-" + HexFormat.of().formatHex(recipe, 0, 6) + ".tar");
    try (
        var lock = FileChannel.open(cache.resolve("hosts.lock"), StandardOpenOption.CREATE, StandardOpenOption.WRITE)) {
      lock.lock();
      if (Files.exists(tar)) {
        return tar;
      }
      if (onPath("mmdebstrap").isEmpty()) {
        throw new IllegalStateException("there is no mmdebstrap to make the hosts' root file system");
      }
      System.out.println("Making the hosts' root file system once, this takes about a minute");
      var prepare = Files.writeString(Files.createTempFile("hosts", ".sh"), PREPARE);
      var part = cache.resolve("hosts.part.tar");
      run("mmdebstrap", "--quiet", "--variant=essential", "--include=" + PACKAGES,
          "--dpkgopt=path-exclude=/usr/share/doc/*",
          "--dpkgopt=path-exclude=/usr/share/man/*", "--dpkgopt=path-exclude=/usr/share/locale/*",
          "--customize-hook=sh " + prepare + " \"$1\"", SUITE, part.toString());
      Files.delete(prepare);
      return Files.move(part, tar, StandardCopyOption.REPLACE_EXISTING);
    }
  }

  /** In an engine that was there before, the image stays for the next time. */
  private String image(Path tar) throws Exception {
    var image = "thehive-restore-" + tar.getFileName().toString().replace(".tar", "").replace("hosts-", "hosts:");
    if (docker("images", "--quiet", image).isEmpty()) {
      docker("import", "--change", "CMD [\"/sbin/init\"]", "--change", "ENV container=docker", tar.toString(), image);
    }
    return image;
  }

  /**
   * The first three numbers of a network in which this machine has no address yet. It is one of those set aside for
   * tests (RFC 2544): a site's own hosts are never there.
   */
  private static String freeNetwork() throws IOException {
    var taken = NetworkInterface.networkInterfaces().flatMap(NetworkInterface::inetAddresses)
        .filter(Inet4Address.class::isInstance).map(address -> address.getHostAddress().replaceFirst("[.]\\d+$", ""))
        .collect(Collectors.toSet());
    var first = (int) (ProcessHandle.current().pid() % 250);
    return IntStream.range(first, first + 250).mapToObj(i -> "198.18." + i % 250).filter(n -> !taken.contains(n))
        .findFirst().orElseThrow(() -> new IllegalStateException("no free network below 198.18"));
  }

  /** A key, ssh that reads the settings here instead of those of the account (it never asks $HOME), and docker. */
  private void writeTools(Path home, List<Host> hosts) throws Exception {
    var keys = Files.createDirectories(home.resolve(".ssh"));
    Files.setPosixFilePermissions(keys, PosixFilePermissions.fromString("rwx------"));
    Files.deleteIfExists(keys.resolve("id_ed25519"));
    run("ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", "tests", "-f", keys.resolve("id_ed25519").toString());
    Files.writeString(keys.resolve("known_hosts"), "");
    // The address as a name, too; ssh takes the first value it finds, so the names come first
    var config =
        hosts.stream().map(host -> "Host %s\n  HostName %s\n  Port 22\n\n".formatted(host.name(), host.address()))
        .collect(Collectors.joining());
    Files.writeString(keys.resolve("config"), config + SSH_CONFIG.formatted(home));
    var ssh = onPath("ssh").orElseThrow(() -> new IllegalStateException("there is no ssh"));
    executable(home.resolve("bin/ssh"), "#!/bin/sh\nexec %s -F '%s' \"$@\"\n".formatted(ssh, keys.resolve("config")));
    var variables = engineEnvironment.entrySet().stream().map(e -> e.getKey() + "='" + e.getValue() + "' ")
        .collect(Collectors.joining());
    executable(home.resolve("bin/engine"), "#!/bin/sh\n" + variables + "exec " + onPath("docker").get() + " \"$@\"\n");
  }

  /** What every host gets besides its own key. */
  private static Path writeFiles(Path home) throws IOException {
    var root = home.resolve("root");
    var etc = Files.createDirectories(root.resolve("etc"));
    executable(root.resolve("opt/thehive/bin/thehive"), APPLICATION);
    executable(root.resolve("usr/local/sbin/thehive-mode"), MODE);
    write(root.resolve("opt/thehive/thehive.service"), UNIT);
    write(etc.resolve("systemd/system/thehive.service"), UNIT);
    var wants = Files.createDirectories(etc.resolve("systemd/system/multi-user.target.wants"));
    Files.deleteIfExists(wants.resolve("thehive.service"));
    Files.createSymbolicLink(wants.resolve("thehive.service"), Path.of("/etc/systemd/system/thehive.service"));
    write(etc.resolve("ssh/sshd_config.d/tests.conf"), SSHD);
    write(etc.resolve("ssh/authorized_keys"), Files.readString(home.resolve(".ssh/id_ed25519.pub")));
    write(etc.resolve("sudoers.d/tests"), SUDOERS);
    return root;
  }

  private void create(Host host, String image, Path files) throws Exception {
    var key = files.resolve("etc/ssh/ssh_host_ed25519_key");
    Files.deleteIfExists(key);
    run("ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", host.name(), "-f", key.toString());
    // Without one systemd takes it for the first boot and presets every unit
    write(files.resolve("etc/machine-id"), UUID.randomUUID().toString().replace("-", "") + "\n");
    var command = new ArrayList<>(List.of("create", "--name", container(host), "--hostname", host.name()));
    command.addAll(List.of("--label", name, "--network", name, "--ip", host.address()));
    command.addAll(List.of("--tmpfs", "/run", "--tmpfs", "/run/lock", "--stop-signal", "SIGRTMIN+3"));
    command.addAll(List.of("--volume", JAVA + ":/opt/java:ro"));
    // Debian's JDK has links to its settings
    var settings = Path.of("/etc", "java-%d-openjdk".formatted(Runtime.version().feature()));
    if (Files.exists(settings)) {
      command.addAll(List.of("--volume", settings + ":" + settings + ":ro"));
    }
    if (docker("info", "--format", "{{.CgroupVersion}}").equals("2")) {
      command.addAll(List.of("--cgroupns", "host", "--volume", "/sys/fs/cgroup:/sys/fs/cgroup"));
    } else {
      command.addAll(List.of("--volume", "/sys/fs/cgroup:/sys/fs/cgroup:ro"));
    }
    command.add(image);
    docker(command.toArray(String[]::new));
    docker("cp", files + "/.", container(host) + ":/");
    docker("start", container(host));
  }

  private String container(Host host) {
    return name + "-" + host.name();
  }

  private void awaitBoot(Host host) throws Exception {
    var end = System.nanoTime() + START_LIMIT.toNanos();
    var state = List.of("exec", container(host), "systemctl", "is-system-running", "--wait");
    var command = Stream.concat(Stream.of("timeout", "60", "docker"), state.stream()).toArray(String[]::new);
    for (var said = ""; !said.equals("running"); Thread.sleep(100)) {
      var process = process(command).start();
      said = new String(process.getInputStream().readAllBytes(), StandardCharsets.UTF_8).strip();
      if (said.equals("degraded")) {
        throw new IllegalStateException(host.name() + ": " + docker("exec", container(host), "systemctl", "--failed"));
      }
      if (System.nanoTime() > end) {
        throw new IllegalStateException(host.name() + " did not start: " + said);
      }
    }
  }

  private void rememberKey(Path home, Host host) throws Exception {
    var key = docker("exec", container(host), "cat", "/etc/ssh/ssh_host_ed25519_key.pub");
    Files.writeString(home.resolve(".ssh/known_hosts"), host.address() + " " + key + "\n", StandardOpenOption.APPEND);
  }

  private String docker(String... arguments) throws Exception {
    return run(Stream.concat(Stream.of("docker"), Stream.of(arguments)).toArray(String[]::new));
  }

  private String run(String... command) throws Exception {
    var process = process(command).start();
    var said = new String(process.getInputStream().readAllBytes(), StandardCharsets.UTF_8).strip();
    if (process.waitFor() != 0) {
      throw new IllegalStateException(String.join(" ", command) + ": exit " + process.exitValue() + "\n" + said);
    }
    return said;
  }

  private ProcessBuilder process(String... command) {
    var builder = new ProcessBuilder(command).redirectErrorStream(true);
    builder.environment().putAll(engineEnvironment);
    return builder;
  }

  private static void executable(Path file, String text) throws IOException {
    write(file, text);
    Files.setPosixFilePermissions(file, PosixFilePermissions.fromString("rwxr-xr-x"));
  }

  private static void write(Path file, String text) throws IOException {
    Files.createDirectories(file.getParent());
    Files.writeString(file, text);
  }

  private static Optional<Path> onPath(String program) {
    return Stream.of(System.getenv("PATH").split(File.pathSeparator)).map(folder -> Path.of(folder, program))
        .filter(Files::isExecutable).findFirst();
  }
}
