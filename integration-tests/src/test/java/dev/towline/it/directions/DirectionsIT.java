package dev.towline.it.directions;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.towline.it.fleet.LoopbackAddresses;
import dev.towline.it.fleet.ProcessFleet;
import dev.towline.it.fleet.ProcessFleet.Way;
import dev.towline.it.fleet.Program;
import dev.towline.proto.v1.ChangeSettingsRequest;
import dev.towline.proto.v1.GetHostPolicyRequest;
import dev.towline.proto.v1.GetHostRequest;
import dev.towline.proto.v1.Host;
import dev.towline.proto.v1.HostPolicy;
import dev.towline.proto.v1.HostState;
import dev.towline.runtime.policy.Direction;
import dev.towline.runtime.policy.EffectivePolicy;
import dev.towline.testing.Await;
import dev.towline.testing.FreePorts;
import dev.towline.testing.Requirement;
import java.io.IOException;
import java.net.DatagramPacket;
import java.net.DatagramSocket;
import java.net.InetAddress;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.time.Duration;
import java.util.EnumMap;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Random;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** Real programs on loopback addresses. */
@Requirement({"D1", "D2", "D3", "D4", "H1", "H3"})
class DirectionsIT {
  private static final Duration BOUND = Duration.ofSeconds(120);
  private static final boolean LONG = Boolean.getBoolean("towline.long");

  @TempDir Path directory;

  private final Random random = random();
  private ProcessFleet fleet;
  private Program manager;

  @BeforeEach
  void start() {
    fleet =
        new ProcessFleet(
            Path.of(System.getProperty("towline.repository", "..")),
            directory,
            LoopbackAddresses.free(random),
            List.of("--heartbeat-interval", "5s"));
    manager = fleet.startManager();
  }

  @AfterEach
  void stop() {
    fleet.close();
  }

  /** Each cell: works, or is refused with its reason before anything is applied. */
  @Test
  void matrix_everyDirectionOnEveryWay_worksOrIsRefused() throws Exception {
    fleet.startProxy();
    fleet.startRelayPair();
    Map<Way, String> hosts =
        Map.of(Way.DIRECT, "host-direct", Way.PROXY, "host-proxy", Way.RELAY, "host-relay");
    Map<Way, Program> agents = new EnumMap<>(Way.class);
    for (Map.Entry<Way, String> host : hosts.entrySet()) {
      agents.put(host.getKey(), fleet.startAgent(host.getValue(), host.getKey()));
    }
    fleet.awaitOnline(hosts.size(), BOUND);
    for (String host : hosts.values()) {
      set(host, Map.of(EffectivePolicy.LISTEN_PORT, String.valueOf(FreePorts.next())));
    }
    for (Direction direction :
        List.of(
            Direction.AGENT_INITIATED,
            Direction.MANAGER_INITIATED,
            Direction.AGENT_INITIATED_SHORT,
            Direction.BIDIRECTIONAL)) {
      for (Map.Entry<Way, String> host : hosts.entrySet()) {
        boolean refused = direction == Direction.MANAGER_INITIATED && host.getKey() != Way.DIRECT;
        if (refused) {
          HostPolicy before = policy(host.getValue());
          assertThatThrownBy(() -> direct(host.getValue(), direction))
              .hasMessageContaining("the manager can't dial through it")
              .hasMessageContaining(host.getKey() == Way.PROXY ? "proxy" : "relay");
          assertThat(policy(host.getValue()).getFingerprint()).isEqualTo(before.getFingerprint());
        } else {
          direct(host.getValue(), direction);
        }
      }
      for (Map.Entry<Way, String> host : hosts.entrySet()) {
        if (direction != Direction.MANAGER_INITIATED || host.getKey() == Way.DIRECT) {
          awaitDirection(host.getValue(), direction);
        }
      }
      assertThat(fleet.towline("run", "--on", "all", "--time-limit", "30s", "--", "echo", "here"))
          .contains("host-direct", "host-proxy", "host-relay");
    }
    alertOfALostHost(agents.get(Way.DIRECT));
  }

  /**
   * As an operator sees it, with the fleet of the matrix, because a manager raises nothing in its
   * first minute.
   */
  private void alertOfALostHost(Program agent) throws IOException {
    assertThat(fleet.towline("hosts", "show", "host-direct"))
        .contains("Heartbeats", "every 5s", "Clock", "right", "actions online", "listener online");
    try (var syslog = new DatagramSocket(0, InetAddress.getLoopbackAddress())) {
      syslog.setSoTimeout((int) BOUND.toMillis());
      fleet.towline("alerts", "route", "log", "syslog+udp://127.0.0.1:" + syslog.getLocalPort());
      fleet.towline("policies", "set", "base", "heartbeat.missed-before-alert=0");
      agent.kill();
      Await.until(
          "the alert",
          BOUND.multipliedBy(2),
          () -> fleet.towline("alerts", "list").contains("heartbeats-missed"));
      assertThat(received(syslog)).contains("host-direct", "heartbeats-missed");
      String list = fleet.towline("alerts", "list", "--host", "host-direct");
      String id = list.lines().skip(1).findFirst().orElseThrow().split(" ")[0];
      assertThat(fleet.towline("alerts", "show", id)).contains("host-direct", "open");

      agent.start();
      Await.until(
          "the alert to clear itself",
          BOUND,
          () -> fleet.towline("alerts", "list").contains("No open alerts"));
      assertThat(received(syslog)).contains("host-direct");
      assertThat(fleet.towline("alerts", "list", "--all")).contains("cleared by itself");

      agent.kill();
      Await.until(
          "the alert again",
          BOUND,
          () -> fleet.towline("alerts", "list").contains("heartbeats-missed"));
      String again =
          fleet.towline("alerts", "list").lines().skip(1).findFirst().orElseThrow().split(" ")[0];
      assertThat(fleet.towline("alerts", "clear", again)).contains("cleared by admin");
      agent.start();
    }
  }

  private static String received(DatagramSocket socket) throws IOException {
    var packet = new DatagramPacket(new byte[8192], 8192);
    socket.receive(packet);
    return new String(packet.getData(), 0, packet.getLength(), StandardCharsets.UTF_8);
  }

  @Test
  void managerInitiated_portClosedAndRestarts_isBackByItselfAndTogetherAgain() {
    Program agent = fleet.startAgent("web-1", Way.DIRECT);
    fleet.awaitOnline(1, BOUND);
    portClosedIsBackByItselfAndSaysSo();
    set(
        "web-1",
        Map.of(
            EffectivePolicy.LISTEN_PORT,
            String.valueOf(FreePorts.next()),
            "connection.address",
            "inherited",
            EffectivePolicy.DIRECTION,
            Direction.MANAGER_INITIATED.label()));
    awaitDirection("web-1", Direction.MANAGER_INITIATED);
    assertThat(fleet.towline("hosts", "show", "web-1")).contains("manager-initiated");

    agent.kill();
    awaitState("web-1", HostState.HOST_STATE_OFFLINE);
    agent.start();
    awaitState("web-1", HostState.HOST_STATE_ONLINE);
    manager.kill();
    manager.start().awaitLine("towline-manager ready", BOUND);
    awaitState("web-1", HostState.HOST_STATE_ONLINE);
    assertThat(fleet.towline("run", "--on", "web-1", "--", "echo", "there")).contains("there");
  }

  /** The port is closed on the way: the manager is told to dial where nobody listens. */
  private void portClosedIsBackByItselfAndSaysSo() {
    long from = System.nanoTime();
    set(
        "web-1",
        Map.of(
            EffectivePolicy.LISTEN_PORT,
            String.valueOf(FreePorts.next()),
            "connection.address",
            "127.0.0.1:" + FreePorts.next() + ",nowhere.invalid",
            EffectivePolicy.DIRECTION,
            Direction.MANAGER_INITIATED.label()));

    String event =
        Await.value(
            "the event",
            BOUND,
            () -> {
              String events = fleet.towline("events", "list", "-o", "json");
              return events.contains("policy.failed") ? Optional.of(events) : Optional.empty();
            });
    // The requirement.
    assertThat(Duration.ofNanos(System.nanoTime() - from)).isLessThan(Duration.ofSeconds(60));
    assertThat(event)
        .contains("manager-initiated does not work, it stays bidirectional")
        .contains("onnection refused")
        .contains("nowhere.invalid")
        .contains("be looked up");
    Host host = host("web-1");
    assertThat(host.getState()).isEqualTo(HostState.HOST_STATE_ONLINE);
    assertThat(host.getReport().getDirection()).isEqualTo(Direction.BIDIRECTIONAL.label());
    assertThat(fleet.towline("run", "--on", "web-1", "--", "echo", "there")).contains("there");
  }

  /** Random changes of a live fleet, also faster than they can be followed: nobody is lost. */
  @Test
  void changes_random_noAgentIsLost() throws Exception {
    int agents = LONG ? 6 : 3;
    int changes = LONG ? 1_000 : 16;
    for (int i = 0; i < agents; i++) {
      fleet.startAgent("web-" + i, Way.DIRECT);
    }
    fleet.awaitOnline(agents, BOUND);
    Map<String, Direction> last = new HashMap<>();
    for (int i = 0; i < agents; i++) {
      set("web-" + i, Map.of(EffectivePolicy.LISTEN_PORT, String.valueOf(FreePorts.next())));
      last.put("web-" + i, Direction.BIDIRECTIONAL);
    }
    for (int i = 0; i < changes; i++) {
      String name = "web-" + random.nextInt(agents);
      Direction direction = Direction.values()[random.nextInt(Direction.values().length)];
      direct(name, direction);
      last.put(name, direction);
      if (random.nextInt(LONG ? 20 : 3) == 0) {
        awaitDirection(name, direction);
      }
    }
    last.forEach(this::awaitDirection);
    for (int i = 0; i < agents; i++) {
      direct("web-" + i, Direction.AGENT_INITIATED);
    }
    fleet.awaitOnline(agents, BOUND);
    assertThat(fleet.towline("events", "list")).doesNotContain("policy.failed");
  }

  private static Random random() {
    long seed = Long.getLong("towline.seed", new Random().nextInt(Integer.MAX_VALUE));
    System.out.println("seed " + seed + " (repeat with -Dtowline.seed=" + seed + ")");
    return new Random(seed);
  }

  private void direct(String host, Direction direction) {
    set(host, Map.of(EffectivePolicy.DIRECTION, direction.label()));
  }

  private void set(String host, Map<String, String> settings) {
    fleet
        .admin()
        .policies()
        .changeSettings(
            ChangeSettingsRequest.newBuilder().setHost(host).putAllSet(settings).build());
  }

  private HostPolicy policy(String host) {
    return fleet
        .admin()
        .policies()
        .getHostPolicy(GetHostPolicyRequest.newBuilder().setHost(host).build());
  }

  private Host host(String name) {
    return fleet.admin().hosts().getHost(GetHostRequest.newBuilder().setHost(name).build());
  }

  private void awaitState(String name, HostState state) {
    Await.until(name + " to be " + state, BOUND, () -> host(name).getState() == state);
  }

  /** The host goes by its policy and is there, or due to be. */
  private void awaitDirection(String name, Direction direction) {
    Await.until(
        name + " to be " + direction,
        BOUND,
        () -> {
          Host host = host(name);
          boolean there =
              host.getState() == HostState.HOST_STATE_ONLINE
                  || (direction == Direction.AGENT_INITIATED_SHORT
                      && host.getState() == HostState.HOST_STATE_WAITING);
          return there
              && host.getReport().getDirection().equals(direction.label())
              && policy(name).getUpToDate();
        });
  }
}
