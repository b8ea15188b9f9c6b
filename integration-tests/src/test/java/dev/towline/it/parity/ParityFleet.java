package dev.towline.it.parity;

import dev.towline.it.fleet.LoopbackAddresses;
import dev.towline.it.fleet.Namespaces;
import dev.towline.it.fleet.ProcessFleet;
import dev.towline.it.fleet.Program;
import dev.towline.proto.v1.CreateInstallCommandRequest;
import dev.towline.proto.v1.Path.Kind;
import dev.towline.testing.FreePorts;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.EnumMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Random;

/**
 * A manager and one agent for each kind of path: processes on addresses of their own, each agent in
 * a network namespace, so that it has a packet filter of its own. Needs root.
 */
final class ParityFleet implements AutoCloseable {
  static final Duration BOUND = Duration.ofSeconds(120);
  static final String GROUP = "parity";

  private static final String CHILD = "child-1";
  private static final String NEAR = "near";
  private static final String BELOW = "below";

  private static final int FIRST_AGENT = 101;

  private final Namespaces network;
  private final ProcessFleet fleet;
  private final Path directory;
  private final Map<Kind, Program> agents = new EnumMap<>(Kind.class);

  ParityFleet(Path directory) throws IOException {
    this.directory = directory;
    Random random = new Random();
    String prefix = "10.%d.%d.".formatted(random.nextInt(100, 250), random.nextInt(1, 250));
    this.network = new Namespaces("tp" + random.nextInt(10_000), prefix);
    this.fleet =
        new ProcessFleet(
            Path.of(System.getProperty("towline.repository", "..")),
            directory,
            new LoopbackAddresses(prefix),
            List.of("--heartbeat-interval", "20s"));
    try {
      start();
    } catch (IOException | RuntimeException | Error e) {
      close();
      throw e;
    }
  }

  private void start() throws IOException {
    for (int programs = 3; programs <= 5; programs++) {
      network.alias(programs);
    }
    fleet.startManager();
    Program _ = fleet.startParentRelay("parent-1", relayPorts());
    String host = fleet.host(3);
    Program _ = fleet.startChildRelay("parent-1", CHILD, host + ":52311", host, childOptions(host));
    startProxy(NEAR, fleet.host(4), List.of());
    startProxy(BELOW, fleet.host(5), List.of("--relay", CHILD));
    startAgent(Kind.DIRECT, CreateInstallCommandRequest.newBuilder());
    startAgent(Kind.PROXY, CreateInstallCommandRequest.newBuilder().setProxyCluster(NEAR));
    startAgent(Kind.RELAY, CreateInstallCommandRequest.newBuilder().setRelay(CHILD));
    startAgent(
        Kind.PROXY_AND_RELAY, CreateInstallCommandRequest.newBuilder().setProxyCluster(BELOW));
    agents.values().forEach(agent -> agent.awaitLine("towline-agent online", BOUND));
  }

  private static List<String> childOptions(String host) throws IOException {
    List<String> options = new ArrayList<>(relayPorts());
    options.addAll(List.of("--listen", host + ":52311", "--downstream-listen", host));
    return options;
  }

  /** These are on 127.0.0.1, which other fleets use as well. */
  private static List<String> relayPorts() throws IOException {
    return List.of(
        "--loopback-port",
        String.valueOf(FreePorts.next()),
        "--metrics",
        "127.0.0.1:" + FreePorts.next());
  }

  private void startProxy(String cluster, String address, List<String> route) {
    fleet.towline("proxies", "create-cluster", cluster, "--address", address, "--port", "443");
    Path enrollment = directory.resolve(cluster + ".json");
    List<String> command =
        new ArrayList<>(
            List.of("proxies", "command", cluster, "--enrollment-file", enrollment.toString()));
    command.addAll(route);
    fleet.towline(command.toArray(String[]::new));
    fleet
        .start(
            "proxy-" + cluster,
            "towline-proxy",
            List.of(
                "run",
                "--data",
                directory.resolve("data-proxy-" + cluster).toString(),
                "--enrollment",
                enrollment.toString(),
                "--listen",
                address,
                "--http-port",
                "8080"))
        .awaitLine("towline-proxy online", BOUND);
  }

  private void startAgent(Kind kind, CreateInstallCommandRequest.Builder way) throws IOException {
    String name = name(kind);
    String space = network.add(FIRST_AGENT + agents.size());
    Files.createFile(logFile(kind));
    Path config = directory.resolve(name + ".yaml");
    Files.writeString(config, "log-files:\n  - " + logFile(kind) + "\n");
    Path enrollment = directory.resolve(name + ".json");
    Files.writeString(
        enrollment,
        fleet
            .admin()
            .installCommands()
            .createInstallCommand(
                way.setOs("linux").setGroup(GROUP).setExpiresInMs(3_600_000).setMaxUses(1).build())
            .getEnrollmentFile());
    agents.put(
        kind,
        fleet.startIn(
            space,
            name,
            "towline-agent",
            List.of(
                "run",
                "--data",
                data(kind).toString(),
                "--name",
                name,
                "--enrollment",
                enrollment.toString(),
                "--config",
                config.toString())));
  }

  ProcessFleet fleet() {
    return fleet;
  }

  /** Everything that the programs of this fleet listen on. */
  String block() {
    return fleet.host(0) + "/24";
  }

  Map<Kind, Program> agents() {
    return agents;
  }

  static String name(Kind kind) {
    return kind.name().toLowerCase(Locale.ROOT).replace('_', '-') + "-1";
  }

  Path data(Kind kind) {
    return directory.resolve("data-" + name(kind));
  }

  Path logFile(Kind kind) {
    return directory.resolve(name(kind) + "-app.log");
  }

  /**
   * Where an agent of this path finds the published tree: at the nearest program that serves it.
   */
  String updates(Kind kind) {
    String host =
        switch (kind) {
          case DIRECT -> fleet.managerHost();
          case RELAY -> fleet.host(3);
          case PROXY -> fleet.host(4);
          case PROXY_AND_RELAY -> fleet.host(5);
          case KIND_UNSPECIFIED, UNRECOGNIZED -> throw new AssertionError(kind);
        };
    return "http://" + host + ":8080/updates/";
  }

  /** Where a host of this path has its component. */
  Path component(Kind kind) {
    return directory.resolve("component-" + name(kind));
  }

  /** The tree that the manager serves. */
  Path published() {
    return directory.resolve("data/manager/updates/public");
  }

  Path file(String name) {
    return directory.resolve(name);
  }

  void uninstalled(Kind kind) {
    try {
      Files.createFile(data(kind).resolve("uninstall"));
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }

  @Override
  public void close() {
    fleet.close();
    try {
      network.close();
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }
}
