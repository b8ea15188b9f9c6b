package dev.towline.it.topology;

import com.github.dockerjava.api.model.Capability;
import com.github.dockerjava.api.model.ContainerNetwork;
import com.github.dockerjava.api.model.HostConfig;
import java.io.IOException;
import java.io.InputStream;
import java.io.UncheckedIOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import org.testcontainers.containers.Container.ExecResult;
import org.testcontainers.containers.GenericContainer;
import org.testcontainers.images.builder.Transferable;
import org.testcontainers.utility.DockerImageName;
import org.testcontainers.utility.MountableFile;

/**
 * One machine of a lab: a container that runs no program of its own, only what a test starts on it.
 *
 * <p>Every command has a limit, so that a test hangs nowhere.
 */
public final class Host {
  private static final Duration COMMAND_LIMIT = Duration.ofSeconds(60);
  private static final String LOG_DIRECTORY = "/var/log/towline-test";

  private final List<String> names;
  private final String containerName;
  private final Image image;
  private final GenericContainer<?> container;
  private final List<Segment> legs;

  private Host(
      List<String> names,
      String containerName,
      Image image,
      GenericContainer<?> container,
      List<Segment> legs) {
    this.names = names;
    this.containerName = containerName;
    this.image = image;
    this.container = container;
    this.legs = legs;
  }

  /**
   * @param names under which others find it; the first one is its own
   * @param disk what it starts from: the image, or a copy of another host's disk
   */
  static Host start(
      List<String> names,
      String containerName,
      Image image,
      DockerImageName disk,
      Map<String, String> labels,
      Map<String, String> sysctls,
      List<Segment> legs) {
    GenericContainer<?> container =
        new GenericContainer<>(disk)
            .withImagePullPolicy(_ -> false)
            .withNetworkMode(legs.getFirst().id())
            .withLabels(labels)
            .withCreateContainerCmdModifier(command -> {
              command.withName(containerName).withHostName(names.getFirst()).withAliases(names);
              configure(Objects.requireNonNull(command.getHostConfig()), image, sysctls);
            });
    if (!image.hasSystemd()) {
      container.withCommand("sleep", "infinity");
    }
    container.start();
    var host = new Host(List.copyOf(names), containerName, image, container, List.copyOf(legs));
    for (Segment leg : legs.subList(1, legs.size())) {
      host.connect(leg);
    }
    host.awaitBooted();
    return host;
  }

  private void awaitBooted() {
    if (image.hasSystemd()) {
      Await.until(
          name() + ": systemd is up",
          COMMAND_LIMIT,
          () -> run("systemctl", "is-system-running").out().startsWith("running"));
    }
  }

  /** NET_ADMIN is what a host's own administrator has: to route, and to filter its own traffic. */
  private static void configure(HostConfig config, Image image, Map<String, String> sysctls) {
    config.withSysctls(sysctls);
    if (image.hasSystemd()) {
      config
          .withCapAdd(Capability.NET_ADMIN, Capability.SYS_ADMIN)
          .withSecurityOpts(List.of("seccomp=unconfined"))
          .withCgroupnsMode("private")
          .withTmpFs(Map.of("/run", "", "/run/lock", "", "/tmp", "exec"));
    } else {
      config.withCapAdd(Capability.NET_ADMIN).withInit(true);
    }
  }

  public String name() {
    return names.getFirst();
  }

  /** What docker calls it. */
  public String containerName() {
    return containerName;
  }

  public Image image() {
    return image;
  }

  public List<Segment> legs() {
    return legs;
  }

  /** The address on this host's first leg. */
  public String address() {
    return address(legs.getFirst());
  }

  public String address(Segment segment) {
    return Lab.docker()
        .inspectContainerCmd(container.getContainerId())
        .exec()
        .getNetworkSettings()
        .getNetworks()
        .values()
        .stream()
        .filter(n -> segment.id().equals(n.getNetworkID()))
        .map(ContainerNetwork::getIpAddress)
        .findFirst()
        .orElseThrow(() -> new IllegalStateException(name() + " has no leg on " + segment.name()));
  }

  /** Runs a command to its end. */
  public Result run(String... command) {
    return run(COMMAND_LIMIT, command);
  }

  /** Runs a command, which ends with {@link Result#TIMED_OUT} when it takes longer. */
  public Result run(Duration limit, String... command) {
    var limited = new ArrayList<>(List.of("timeout", limit.toMillis() / 1000.0 + "s"));
    limited.addAll(List.of(command));
    try {
      ExecResult result = container.execInContainer(limited.toArray(String[]::new));
      return new Result(result.getExitCode(), result.getStdout(), result.getStderr());
    } catch (IOException e) {
      throw new UncheckedIOException(name() + ": " + String.join(" ", command), e);
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
      throw new IllegalStateException(name() + ": interrupted: " + String.join(" ", command), e);
    }
  }

  /** Runs a shell script, and returns what it printed. Fails when the script does. */
  public String sh(String script) {
    return check(run("sh", "-ec", script), script);
  }

  /** Pastes lines into a root shell, and returns when that has ended. */
  public Result paste(String lines, Duration limit) {
    return RootShell.paste(containerName, lines, limit);
  }

  /** Stops a host that runs systemd as a machine is shut down, and starts it again. */
  public void reboot() {
    Lab.docker().restartContainerCmd(container.getContainerId()).withTimeout(30).exec();
    awaitBooted();
  }

  /** Tries to open a TCP connection, with nothing but what every image has. */
  public Connect connect(String address, int port, Duration patience) {
    Result result =
        run(patience, "bash", "-c", "exec 3<>\"/dev/tcp/$0/$1\"", address, Integer.toString(port));
    return switch (result.exitCode()) {
      case 0 -> Connect.CONNECTED;
      case Result.TIMED_OUT -> Connect.TIMED_OUT;
      default -> Connect.REFUSED;
    };
  }

  /**
   * Starts a command that goes on in the background.
   *
   * @param service what its log and process id file are called; one at a time under each name
   */
  public Service launch(String service, String... command) {
    String log = LOG_DIRECTORY + "/" + service + ".log";
    String pidFile = LOG_DIRECTORY + "/" + service + ".pid";
    String script =
        """
        log=$1 pid=$2
        shift 2
        mkdir -p "${log%/*}"
        setsid "$@" >>"$log" 2>&1 </dev/null &
        echo $! >"$pid"
        """;
    var arguments = new ArrayList<>(List.of("sh", "-ec", script, "sh", log, pidFile));
    arguments.addAll(List.of(command));
    check(run(arguments.toArray(String[]::new)), String.join(" ", command));
    return new Service(this, service, pidFile, log);
  }

  /** Writes a file, with its folders. */
  public void write(String path, String text) {
    container.copyFileToContainer(Transferable.of(text.getBytes(StandardCharsets.UTF_8)), path);
  }

  public String read(String path) {
    return check(run("cat", path), "read " + path);
  }

  /** Copies a file or folder of this machine onto the host. */
  public void copyIn(Path source, String path) {
    container.copyFileToContainer(MountableFile.forHostPath(source), path);
  }

  /** Unpacks an archive of this machine into a folder of the host, which is made if need be. */
  public void unpack(Path tarGz, String folder) {
    check(run("mkdir", "-p", folder), "mkdir " + folder);
    try (InputStream archive = Files.newInputStream(tarGz)) {
      Lab.docker()
          .copyArchiveToContainerCmd(container.getContainerId())
          .withTarInputStream(archive)
          .withRemotePath(folder)
          .exec();
    } catch (IOException e) {
      throw new UncheckedIOException(name() + ": unpack " + tarGz, e);
    }
  }

  /** Sends everything that is not on a leg of this host through another. */
  public void routeThrough(Host gateway, Segment segment) {
    ip("route", "replace", "default", "via", gateway.address(segment));
  }

  /** Leaves this host with no way out of the segments it has a leg on. */
  public void dropDefaultRoute() {
    ip("route", "flush", "exact", "default");
  }

  /** Freezes all processes, as a machine that hangs: its connections stay open and say nothing. */
  public void pause() {
    Lab.docker().pauseContainerCmd(container.getContainerId()).exec();
  }

  public void unpause() {
    Lab.docker().unpauseContainerCmd(container.getContainerId()).exec();
  }

  /** Pulls the cable: the leg and its address are gone. */
  public void disconnect(Segment segment) {
    Lab.docker()
        .disconnectFromNetworkCmd()
        .withNetworkId(segment.id())
        .withContainerId(container.getContainerId())
        .exec();
  }

  /** Plugs a cable in. The address may be another one than before. */
  public void connect(Segment segment) {
    Lab.docker()
        .connectToNetworkCmd()
        .withNetworkId(segment.id())
        .withContainerId(container.getContainerId())
        .withContainerNetwork(new ContainerNetwork().withAliases(names))
        .exec();
  }

  /** Runs {@code ip} on this host's network, from a helper where the host has no such command. */
  private void ip(String... arguments) {
    var command = new ArrayList<>(List.of("ip"));
    command.addAll(List.of(arguments));
    if (image.hasIp()) {
      check(run(command.toArray(String[]::new)), String.join(" ", command));
      return;
    }
    try (GenericContainer<?> helper =
        new GenericContainer<>(Image.BASE.dockerName())
            .withImagePullPolicy(_ -> false)
            .withNetworkMode("container:" + container.getContainerId())
            .withCreateContainerCmdModifier(c ->
                Objects.requireNonNull(c.getHostConfig())
                    .withCapAdd(Capability.NET_ADMIN)
                    .withInit(true))
            .withCommand("sleep", "60")) {
      helper.start();
      ExecResult result = helper.execInContainer(command.toArray(String[]::new));
      check(
          new Result(result.getExitCode(), result.getStdout(), result.getStderr()),
          String.join(" ", command));
    } catch (IOException e) {
      throw new UncheckedIOException(name() + ": " + String.join(" ", command), e);
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
      throw new IllegalStateException(name() + ": interrupted: " + String.join(" ", command), e);
    }
  }

  private String check(Result result, String command) {
    if (!result.ok()) {
      throw new AssertionError(
          "%s: exit code %d (expected: 0) of: %s%n%s%s"
              .formatted(name(), result.exitCode(), command, result.out(), result.err()));
    }
    return result.out();
  }
}
