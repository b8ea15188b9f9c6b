package dev.towline.it.relays;

import dev.towline.it.fleet.LoopbackAddresses;
import dev.towline.it.fleet.ProcessFleet;
import dev.towline.it.fleet.Program;
import dev.towline.proto.v1.GetHostRequest;
import dev.towline.proto.v1.GetRelayRequest;
import dev.towline.proto.v1.Host;
import dev.towline.proto.v1.HostState;
import dev.towline.proto.v1.HostTrace;
import dev.towline.proto.v1.RelayInfo;
import dev.towline.testing.Await;
import dev.towline.testing.FreePorts;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Random;
import java.util.function.Predicate;

/** A manager, and relays and agents as a test wants them, each with an address of its own. */
final class RelayFleet implements AutoCloseable {
  static final Duration BOUND = Duration.ofSeconds(120);

  private final ProcessFleet fleet;
  private final Path directory;
  private int used = 10;

  RelayFleet(Path directory) {
    long seed = Long.getLong("towline.seed", new Random().nextInt(Integer.MAX_VALUE));
    System.out.println("seed " + seed + " (repeat with -Dtowline.seed=" + seed + ")");
    this.directory = directory;
    this.fleet =
        new ProcessFleet(
            Path.of(System.getProperty("towline.repository", "..")),
            directory,
            LoopbackAddresses.free(new Random(seed)),
            List.of("--heartbeat-interval", "5s"));
    fleet.startManager();
  }

  ProcessFleet fleet() {
    return fleet;
  }

  Path file(String name) {
    return directory.resolve(name);
  }

  /** A host for one relay. */
  record Place(String name, String address, int loopbackPort, int metricsPort) {
    String dial() {
      return address + ":52311";
    }

    String metrics() {
      return "http://127.0.0.1:" + metricsPort + "/metrics";
    }
  }

  Place place(String name) {
    return new Place(name, fleet.host(++used), FreePorts.next(), FreePorts.next());
  }

  /** Starts a relay with this enrollment file; does not wait for it. */
  Program start(Place place, Path enrollment, String... more) {
    List<String> arguments =
        new ArrayList<>(
            List.of(
                "run",
                "--data",
                directory.resolve("data").resolve(place.name()).toString(),
                "--enrollment",
                enrollment.toString(),
                "--listen",
                place.dial(),
                "--loopback-port",
                String.valueOf(place.loopbackPort()),
                "--downstream-listen",
                place.address(),
                "--metrics",
                "127.0.0.1:" + place.metricsPort()));
    arguments.addAll(List.of(more));
    return fleet.start(place.name(), "towline-relay", arguments);
  }

  /** Starts a relay that nobody has paired yet and waits for its session. */
  Program startUnpaired(Place place) {
    Path enrollment = file(place.name() + ".json");
    fleet.towline(
        "relays", "parent-command", place.name(), "--enrollment-file", enrollment.toString());
    Program relay = start(place, enrollment);
    relay.awaitLine("towline-relay online", BOUND);
    return relay;
  }

  /** The pairing as an operator types it. */
  String pair(Place parent, Place child, String... more) {
    List<String> arguments =
        new ArrayList<>(
            List.of(
                "relays",
                "pair",
                "--parent",
                parent.name(),
                "--child",
                child.name(),
                "--downstream",
                child.address()));
    arguments.addAll(List.of(more));
    return fleet.towline(arguments.toArray(String[]::new));
  }

  record Relays(Place parent, Program parentProgram, Place child, Program childProgram) {}

  /** A pair that is online. */
  Relays startPair(String parentName, String childName) {
    Place parent = place(parentName);
    Place child = place(childName);
    Path parentFile = file(parentName + ".json");
    Path childFile = file(childName + ".json");
    pair(
        parent,
        child,
        "--enrollment-file",
        childFile.toString(),
        "--parent-enrollment-file",
        parentFile.toString());
    Program childProgram = start(child, childFile);
    Program parentProgram = start(parent, parentFile);
    childProgram.awaitLine("towline-relay online", BOUND);
    return new Relays(parent, parentProgram, child, childProgram);
  }

  Host awaitHost(String name, String what, Duration bound, Predicate<Host> condition) {
    return Await.value(
        name + " to be " + what,
        bound,
        () ->
            fleet.hosts().stream()
                .filter(host -> host.getName().equals(name))
                .filter(condition)
                .findFirst());
  }

  Host awaitOnline(String name, Duration bound) {
    return awaitHost(name, "online", bound, host -> host.getState() == HostState.HOST_STATE_ONLINE);
  }

  RelayInfo relay(String name) {
    return fleet.admin().relays().getRelay(GetRelayRequest.newBuilder().setRelay(name).build());
  }

  RelayInfo awaitRelay(String name, String what, Duration bound, Predicate<RelayInfo> condition) {
    return Await.value(
        "relay " + name + " to be " + what,
        bound,
        () -> java.util.Optional.of(relay(name)).filter(condition));
  }

  HostTrace trace(String host) {
    return fleet.admin().hosts().getHostTrace(GetHostRequest.newBuilder().setHost(host).build());
  }

  @Override
  public void close() {
    fleet.close();
  }
}
