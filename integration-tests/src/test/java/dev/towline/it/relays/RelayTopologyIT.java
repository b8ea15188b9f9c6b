package dev.towline.it.relays;

import static org.assertj.core.api.Assertions.assertThat;

import dev.towline.it.fleet.Program;
import dev.towline.it.relays.RelayFleet.Place;
import dev.towline.proto.v1.Host;
import dev.towline.proto.v1.HostState;
import dev.towline.proto.v1.HostTrace;
import dev.towline.proto.v1.PathHop;
import dev.towline.proto.v1.RelayLink;
import dev.towline.proto.v1.Role;
import dev.towline.proto.v1.TraceHop;
import dev.towline.testing.Await;
import dev.towline.testing.Promised;
import dev.towline.testing.Requirement;
import java.net.InetSocketAddress;
import java.net.Socket;
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.time.Duration;
import java.util.List;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.CleanupMode;
import org.junit.jupiter.api.io.TempDir;

/** Chains of pairs, several parents, restarts, revocation, and what an operator sees of them. */
class RelayTopologyIT {
  /** What a session needs when its way is there again: the cap of the backoff, and a handshake. */
  private static final Duration BACK = Duration.ofSeconds(60);

  /** What is required of a revocation (R2, T3). */
  private static final Duration REVOKED_WITHIN = Promised.within(Duration.ofSeconds(5));

  @TempDir(cleanup = CleanupMode.ON_SUCCESS)
  static Path directory;

  private static RelayFleet fleet;

  /** A pair for the tests that leave it as it was. */
  private static RelayFleet.@Nullable Relays looked;

  @BeforeAll
  static void start() {
    fleet = new RelayFleet(directory);
  }

  @AfterAll
  static void stop() {
    fleet.close();
  }

  private static RelayFleet.Relays looked() {
    if (looked == null) {
      looked = fleet.startPair("set-hq", "set-dmz");
    }
    return looked;
  }

  @Test
  @Requirement({"R1", "R9", "G7"})
  void chainOfTwoPairs_carriesAHost_andItsTraceNamesEveryHop() throws Exception {
    RelayFleet.Relays inner = fleet.startPair("core", "middle");
    Place outer = fleet.place("outer");
    Path outerFile = fleet.file("outer.json");
    String said = fleet.pair(inner.child(), outer, "--enrollment-file", outerFile.toString());
    assertThat(said).contains("on the host of child outer");
    Program outerProgram = fleet.start(outer, outerFile);
    outerProgram.awaitLine("towline-relay online", RelayFleet.BOUND);
    fleet.fleet().startAgentBelow("far-1", "outer");
    fleet.awaitOnline("far-1", RelayFleet.BOUND);

    Host host =
        fleet.awaitHost("far-1", "on its path", BACK, each -> each.getPath().getHopsCount() == 3);
    assertThat(host.getPath().getHopsList())
        .extracting(PathHop::getName)
        .containsExactly("outer", "middle", "core");
    // What the outermost child saw, not a port of one of the relays.
    int port = portOf(host.getPath().getSourceAddress());
    assertThat(localPortsOf(fleet.fleet().programs(), "far-1")).contains(port);
    assertThat(fleet.fleet().towline("hosts", "show", "far-1"))
        .contains(host.getPath().getSourceAddress());

    Await.until(
        "legs between the relays are measured",
        BACK,
        () ->
            fleet.trace("far-1").getHopsList().stream().filter(TraceHop::getLegMeasured).count()
                == 3);
    HostTrace trace = fleet.trace("far-1");
    assertThat(trace.getHopsList())
        .extracting(TraceHop::getName)
        .containsExactly("far-1", "outer", "middle", "core", "manager");
    assertThat(trace.getHopsList())
        .extracting(TraceHop::getRole)
        .containsExactly(
            Role.ROLE_AGENT, Role.ROLE_RELAY, Role.ROLE_RELAY, Role.ROLE_RELAY, Role.ROLE_MANAGER);
    for (TraceHop hop : trace.getHopsList().subList(0, 4)) {
      assertThat(hop.getRoundTripUs()).as(hop.getName()).isBetween(1L, 5_000_000L);
      assertThat(hop.getProblem()).isEmpty();
    }
    assertThat(trace.getHops(0).getAddress()).isEqualTo(host.getPath().getSourceAddress());
    assertThat(fleet.fleet().towline("trace", "far-1")).contains("agent", "outer", "core", " ms");
    assertThat(fleet.fleet().towline("run", "--on", "far-1", "--", "echo", "through-the-chain"))
        .contains("through-the-chain");

    // The chain heals from the middle.
    inner.childProgram().kill();
    inner.childProgram().start().awaitLine("towline-relay online", BACK);
    Await.until(
        "an action gets through again",
        RelayFleet.BOUND,
        () -> {
          try {
            return fleet
                .fleet()
                .towline("run", "--on", "far-1", "--time-limit", "5s", "--", "echo", "again")
                .contains("again");
          } catch (IllegalStateException e) {
            return false;
          }
        });
  }

  @Test
  @Requirement({"R8", "G7", "P5"})
  void proxyBelowAChild_needsItsAddressOnly_andTheTraceNamesBoth() {
    looked();
    String address = fleet.place("prx").address();
    fleet.fleet().towline("proxies", "create-cluster", "below", "--address", address);
    Path proxyFile = fleet.file("prx.json");
    fleet
        .fleet()
        .towline(
            "proxies",
            "command",
            "below",
            "--relay",
            "set-dmz",
            "--enrollment-file",
            proxyFile.toString());
    assertThat(proxyFile).content().contains(looked().child().address() + ":7443");
    fleet
        .fleet()
        .start(
            "prx",
            "towline-proxy",
            List.of(
                "run",
                "--data",
                fleet.file("data/prx").toString(),
                "--enrollment",
                proxyFile.toString(),
                "--listen",
                address,
                "--port",
                "443",
                "--http-port",
                "8080"))
        .awaitLine("towline-proxy online", RelayFleet.BOUND);
    Path agentFile = fleet.file("prx-1.json");
    fleet
        .fleet()
        .towline(
            "install-command",
            "create",
            "--proxy-cluster",
            "below",
            "--enrollment-file",
            agentFile.toString());
    fleet.fleet().startAgent("prx-1", agentFile);
    Host host =
        fleet.awaitHost(
            "prx-1",
            "online through proxy and relays",
            RelayFleet.BOUND,
            each ->
                each.getState() == HostState.HOST_STATE_ONLINE
                    && each.getPath().getKind() == dev.towline.proto.v1.Path.Kind.PROXY_AND_RELAY);
    assertThat(host.getPath().getHopsList()).hasSize(3);
    assertThat(fleet.trace("prx-1").getHopsList())
        .extracting(TraceHop::getRole)
        .containsExactly(
            Role.ROLE_AGENT, Role.ROLE_PROXY, Role.ROLE_RELAY, Role.ROLE_RELAY, Role.ROLE_MANAGER);
    assertThat(fleet.trace("prx-1").getHopsList().subList(0, 4))
        .allSatisfy(hop -> assertThat(hop.getRoundTripUs()).as(hop.getName()).isPositive());
  }

  @Test
  @Requirement({"R1", "R4", "R7"})
  void severalParents_oneDies_oneDrainsAndStops_onlyItsOwnConnectionsAreLost() throws Exception {
    RelayFleet.Relays first = fleet.startPair("p-1", "edge");
    Place second = fleet.place("p-2");
    Path secondFile = fleet.file("p-2.json");
    fleet
        .fleet()
        .towline(
            "relays",
            "pair",
            "--parent",
            "p-2",
            "--child",
            "edge",
            "--parent-enrollment-file",
            secondFile.toString());
    Program secondProgram = fleet.start(second, secondFile);
    fleet.awaitRelay(
        "edge", "held by both parents", RelayFleet.BOUND, relay -> up(relay, "p-2") == 4);
    // The least loaded gets the next: one host each.
    String lost = parentOf(startBelowEdge("edge-1"));
    Host other = startBelowEdge("edge-2");
    String kept = parentOf(other);
    assertThat(List.of(lost, kept)).containsExactlyInAnyOrder("p-1", "p-2");
    Program dying = lost.equals("p-1") ? first.parentProgram() : secondProgram;
    Program staying = lost.equals("p-1") ? secondProgram : first.parentProgram();

    // One dies: what goes through the other one does not notice.
    dying.kill();
    fleet.awaitRelay("edge", "left by " + lost, BACK, relay -> up(relay, lost) == 0);
    assertThat(fleet.fleet().towline("run", "--on", "edge-2", "--", "echo", "still"))
        .contains("still");
    awaitThrough("edge-1", kept);
    assertThat(fleet.awaitOnline("edge-2", BACK).getGeneration()).isEqualTo(other.getGeneration());

    // It is back, and the other one drains: what that one carries goes on.
    dying.start();
    fleet.awaitRelay("edge", "held by both again", RelayFleet.BOUND, relay -> up(relay, lost) == 4);
    fleet.fleet().towline("relays", "set", kept, "drain=1");
    fleet.awaitRelay(
        "edge",
        "told that " + kept + " drains",
        BACK,
        relay ->
            relay.getConnectionsList().stream()
                .filter(link -> link.getPeerName().equals(kept))
                .allMatch(link -> link.getState().equals("DRAINING")));
    assertThat(fleet.awaitOnline("edge-2", BACK).getGeneration()).isEqualTo(other.getGeneration());

    // It stops, though it still carries: after a bounded wait, and its hosts move over.
    long from = System.nanoTime();
    staying.stop();
    assertThat(Duration.ofNanos(System.nanoTime() - from))
        .isBetween(Duration.ofSeconds(4), Promised.within(Duration.ofSeconds(12)));
    assertThat(staying.outputSinceStart())
        .containsPattern("stops with [23] connections still open");
    awaitThrough("edge-1", lost);
    awaitThrough("edge-2", lost);
  }

  private static Host startBelowEdge(String name) {
    fleet.fleet().startAgentBelow(name, "edge");
    return fleet.awaitHost(
        name,
        "online on its path",
        RelayFleet.BOUND,
        each ->
            each.getState() == HostState.HOST_STATE_ONLINE && each.getPath().getHopsCount() == 2);
  }

  private static void awaitThrough(String name, String parent) {
    fleet.awaitHost(
        name,
        "online through " + parent,
        RelayFleet.BOUND,
        each ->
            each.getState() == HostState.HOST_STATE_ONLINE
                && each.getPath().getHopsCount() == 2
                && parentOf(each).equals(parent));
  }

  private static String parentOf(Host host) {
    return host.getPath().getHops(1).getName();
  }

  @Test
  @Requirement({"R7", "R1"})
  void settings_changedByTheManager_showTheirOrigin_andTheConnectionStays() {
    RelayFleet.Relays pair = looked();
    RelayLink before =
        fleet
            .awaitRelay("set-hq", "connected", BACK, relay -> up(relay, "set-dmz") == 4)
            .getConnections(0);

    fleet.fleet().towline("relays", "set", "set-hq", "connections=6", "ping-interval-ms=3000");

    var after =
        fleet.awaitRelay("set-hq", "at 6 connections", BACK, relay -> up(relay, "set-dmz") == 6);
    assertThat(after.getConnections(0).getSinceMs()).isEqualTo(before.getSinceMs());
    String table = fleet.fleet().towline("relays", "settings", "set-hq");
    assertThat(table).containsPattern("connections +6 +manager");
    assertThat(table).containsPattern("reserve +16 +default");
    assertThat(table).containsPattern("listen +127\\S+ +command line");
    assertThat(fleet.fleet().towline("relays", "list"))
        .containsPattern("set-dmz#0 up \\d+\\.\\d ms");

    fleet.fleet().towline("relays", "set", "set-hq", "connections=");
    fleet.awaitRelay("set-hq", "back at 4", BACK, relay -> relay.getConnectionsCount() == 4);
    assertThat(pair.parentProgram().isRunning()).isTrue();
    org.assertj.core.api.Assertions.assertThatThrownBy(
            () -> fleet.fleet().towline("relays", "set", "set-hq", "conections=3", "reserve=0"))
        .hasMessageContaining("conections: unknown")
        .hasMessageContaining("reserve: '0' (expected: 1 to 1024)");
  }

  @Test
  @Requirement("R7")
  void metrics_areOnLoopback_withEachConnection() throws Exception {
    RelayFleet.Relays pair = looked();
    HttpResponse<String> answer =
        Await.value(
            "metrics of two connections",
            BACK,
            () ->
                java.util.Optional.of(metrics(pair.child().metrics()))
                    .filter(each -> each.body().contains("index=\"1\"")));
    assertThat(answer.headers().firstValue("content-type").orElse("")).startsWith("text/plain");
    assertThat(answer.body())
        .containsPattern(
            "towline_relay_connection_up\\{index=\"0\",peer=\"[^\"]+\",side=\"parent\"\\} 1.0")
        .contains("towline_relay_connection_round_trip_seconds{")
        .contains("towline_relay_connection_sent_bytes_total{")
        .contains("towline_relay_connection_stalled_streams{");
    assertThat(metrics(pair.child().metrics().replace("/metrics", "/other")).statusCode())
        .isEqualTo(404);
    // Not on the address that hosts below use.
    try (Socket socket = new Socket()) {
      org.assertj.core.api.Assertions.assertThatThrownBy(() ->
              socket.connect(
                  new InetSocketAddress(pair.child().address(), pair.child().metricsPort()), 2000))
          .isInstanceOf(java.io.IOException.class);
    }
  }

  @Test
  @Requirement({"R2", "T3"})
  void revokedParentThenRevokedChild_eachIsCutWithinFiveSeconds_andTheOtherParentCarriesOn()
      throws Exception {
    RelayFleet.Relays pair = fleet.startPair("bad-hq", "rev-dmz");
    Place good = fleet.place("good-hq");
    Path goodFile = fleet.file("good-hq.json");
    fleet
        .fleet()
        .towline(
            "relays",
            "pair",
            "--parent",
            "good-hq",
            "--child",
            "rev-dmz",
            "--parent-enrollment-file",
            goodFile.toString());
    Program goodProgram = fleet.start(good, goodFile);
    fleet.awaitRelay(
        "rev-dmz", "held by both", RelayFleet.BOUND, relay -> up(relay, "good-hq") == 4);
    String bad = idOf("bad-hq", pair);
    assertThat(metrics(pair.child().metrics()).body()).contains(bad);

    fleet.fleet().towline("relays", "revoke", "bad-hq");

    Await.until(
        "the child has left the revoked parent",
        REVOKED_WITHIN,
        () -> !metrics(pair.child().metrics()).body().contains(bad));
    fleet.awaitRelay(
        "rev-dmz",
        "online through the other",
        RelayFleet.BOUND,
        relay -> relay.getState() == HostState.HOST_STATE_ONLINE && up(relay, "good-hq") == 4);

    fleet.fleet().startAgentBelow("rev-1", "rev-dmz");
    fleet.awaitOnline("rev-1", RelayFleet.BOUND);
    long from = System.nanoTime();

    fleet.fleet().towline("relays", "revoke", "rev-dmz", "--reason", "stolen");

    Await.until(
        "the parent has left the child",
        REVOKED_WITHIN,
        () -> fleet.relay("good-hq").getConnectionsCount() == 0);
    fleet.awaitHost(
        "rev-1", "offline", REVOKED_WITHIN, host -> host.getState() != HostState.HOST_STATE_ONLINE);
    System.out.printf("revoked child cut after %.1f s%n", (System.nanoTime() - from) / 1e9);
    assertThat(fleet.relay("good-hq").getChildrenList()).isEmpty();
    assertThat(fleet.fleet().towline("relays", "list")).doesNotContain("rev-dmz");
    assertThat(goodProgram.isRunning()).isTrue();
  }

  /** Remembered, because the manager forgets a revoked relay: what status.json called its peer. */
  private static String idOf(String name, RelayFleet.Relays pair) throws Exception {
    return java.nio.file.Files.readString(
            fleet.file("data").resolve(pair.parent().name()).resolve("status.json"))
        .replaceAll("(?s).*/relay/([0-9a-z]+)\".*", "$1");
  }

  @Test
  @Requirement({"R3", "R8"})
  void processOnTheChild_reachesTheClosedListOfServices_andNothingElse() throws Exception {
    RelayFleet.Relays pair = looked();
    var listening =
        fleet
            .awaitRelay("set-dmz", "listening", BACK, relay -> relay.getListeningCount() == 5)
            .getListeningList();
    String address = pair.child().address();
    assertThat(listening)
        .containsExactlyInAnyOrder(
            "parents on port 52311",
            "127.0.0.1:" + pair.child().loopbackPort(),
            address + ":7443",
            address + ":8443",
            address + ":8080");

    // Downloads below need only the child's address.
    HttpResponse<String> updates =
        HttpClient.newHttpClient()
            .send(
                HttpRequest.newBuilder(URI.create("http://" + address + ":8080/")).build(),
                HttpResponse.BodyHandlers.ofString());
    assertThat(updates.statusCode()).isBetween(200, 499);

    // The loopback port leads to the manager's session port: it knows nothing of a console.
    for (String request :
        List.of(
            "GET / HTTP/1.1\r\nHost: manager:8444\r\n\r\n",
            "CONNECT manager:8444 HTTP/1.1\r\nHost: manager:8444\r\n\r\n",
            "GET http://manager:8444/ HTTP/1.1\r\nHost: manager:8444\r\n\r\n")) {
      try (Socket socket = new Socket("127.0.0.1", pair.child().loopbackPort())) {
        socket.setSoTimeout(10_000);
        socket.getOutputStream().write(request.getBytes(StandardCharsets.US_ASCII));
        String answer = read(socket);
        assertThat(answer).doesNotContain("HTTP/1").doesNotContainIgnoringCase("html");
      }
    }
    // And with TLS, without a certificate of the fleet, as a browser would come.
    assertThat(curl("https://127.0.0.1:" + pair.child().loopbackPort() + "/"))
        .doesNotContain("Towline")
        .doesNotContain("html");
    // The same question to the console itself, so it is the way that is closed.
    assertThat(curl(fleet.fleet().consoleUrl() + "/")).containsIgnoringCase("towline");
  }

  private static String curl(String url) throws Exception {
    Process process =
        new ProcessBuilder("curl", "-skL", "--http1.1", "--noproxy", "*", "-m", "10", url)
            .redirectErrorStream(true)
            .start();
    return new String(process.getInputStream().readAllBytes(), StandardCharsets.UTF_8);
  }

  private static String read(Socket socket) {
    try {
      return new String(socket.getInputStream().readNBytes(4096), StandardCharsets.ISO_8859_1);
    } catch (java.io.IOException e) {
      return "";
    }
  }

  private static HttpResponse<String> metrics(String url) throws Exception {
    return HttpClient.newHttpClient()
        .send(
            HttpRequest.newBuilder(URI.create(url)).timeout(Duration.ofSeconds(5)).build(),
            HttpResponse.BodyHandlers.ofString());
  }

  private static long up(dev.towline.proto.v1.RelayInfo relay, String peer) {
    return relay.getConnectionsList().stream()
        .filter(link -> link.getPeerName().equals(peer) && link.getState().equals("UP"))
        .count();
  }

  private static int portOf(String address) {
    return Integer.parseInt(address.substring(address.lastIndexOf(':') + 1));
  }

  /** Local ports of a program's TCP connections, from the kernel. */
  private static List<Integer> localPortsOf(List<Program> programs, String name) throws Exception {
    long pid =
        programs.stream()
            .filter(program -> program.name().equals(name))
            .findFirst()
            .orElseThrow()
            .pid();
    List<String> inodes;
    try (var open = java.nio.file.Files.list(Path.of("/proc/" + pid + "/fd"))) {
      inodes =
          open.map(
                  each -> {
                    try {
                      return java.nio.file.Files.readSymbolicLink(each).toString();
                    } catch (java.io.IOException e) {
                      return "";
                    }
                  })
              .filter(link -> link.startsWith("socket:["))
              .map(link -> link.replaceAll("\\D", ""))
              .toList();
    }
    java.util.ArrayList<Integer> ports = new java.util.ArrayList<>();
    for (String table : List.of("/proc/net/tcp", "/proc/net/tcp6")) {
      for (String line : java.nio.file.Files.readAllLines(Path.of(table))) {
        String[] fields = line.strip().split(" +");
        if (fields.length > 9 && inodes.contains(fields[9])) {
          ports.add(Integer.parseInt(fields[1].substring(fields[1].indexOf(':') + 1), 16));
        }
      }
    }
    return ports;
  }
}
