package dev.towline.it.proxies;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.towline.cli.error.Errors;
import dev.towline.it.fleet.LoopbackAddresses;
import dev.towline.it.fleet.ProcessFleet;
import dev.towline.it.fleet.ProcessFleet.Way;
import dev.towline.it.fleet.Program;
import dev.towline.proto.v1.Action;
import dev.towline.proto.v1.ActionTarget;
import dev.towline.proto.v1.DeleteProxyClusterRequest;
import dev.towline.proto.v1.DeleteProxyRequest;
import dev.towline.proto.v1.GetActionRequest;
import dev.towline.proto.v1.Host;
import dev.towline.proto.v1.HostState;
import dev.towline.proto.v1.ListProxiesRequest;
import dev.towline.proto.v1.ListProxyClustersRequest;
import dev.towline.proto.v1.Outcome;
import dev.towline.proto.v1.Path.Kind;
import dev.towline.proto.v1.Proxy;
import dev.towline.proto.v1.RunAction;
import dev.towline.proto.v1.RunActionRequest;
import dev.towline.proto.v1.StopProxyClusterRequest;
import dev.towline.proto.v1.StopProxyRequest;
import dev.towline.testing.Await;
import dev.towline.testing.Requirement;
import io.grpc.StatusRuntimeException;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Random;
import java.util.function.Function;
import java.util.stream.Collectors;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.MethodOrderer.OrderAnnotation;
import org.junit.jupiter.api.Order;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.TestMethodOrder;
import org.junit.jupiter.api.io.CleanupMode;
import org.junit.jupiter.api.io.TempDir;

/**
 * A cluster's life with real processes: two proxies under one name, hosts that move to it, a proxy
 * that is killed, one that drains, and everything taken down in the one order that is allowed.
 */
@TestMethodOrder(OrderAnnotation.class)
final class ClustersIT {
  private static final Duration BOUND = Duration.ofSeconds(120);
  private static final String CLUSTER = "dc1";

  @TempDir(cleanup = CleanupMode.ON_SUCCESS)
  private static Path directory;

  private static ProcessFleet fleet;
  private static Program one;
  private static Program two;
  private static Program direct;

  @BeforeAll
  static void start() throws Exception {
    long seed = Long.getLong("towline.seed", new Random().nextInt(Integer.MAX_VALUE));
    System.out.println("seed " + seed + " (repeat with -Dtowline.seed=" + seed + ")");
    fleet =
        new ProcessFleet(
            Path.of(System.getProperty("towline.repository", "..")),
            directory,
            LoopbackAddresses.free(new Random(seed)),
            List.of("--heartbeat-interval", "5s"));
    Path hosts =
        Files.writeString(
            directory.resolve("hosts"),
            "%s proxies.test\n%s proxies.test\n".formatted(fleet.host(2), fleet.host(4)));
    fleet.javaOptions("-Djdk.net.hosts.file=" + hosts);
    fleet.startManager();
    fleet.towline("proxies", "create-cluster", CLUSTER, "--address", "proxies.test");
    one = fleet.startProxy("proxy-1", CLUSTER, fleet.host(2));
    two = fleet.startProxy("proxy-2", CLUSTER, fleet.host(4));
    direct = fleet.startAgent("direct-1", Way.DIRECT);
    for (int i = 1; i <= 2; i++) {
      fleet.startAgentOf("client-" + i, CLUSTER);
    }
    fleet.awaitOnline(3, BOUND);
  }

  @AfterAll
  static void stop() {
    if (fleet != null) {
      fleet.close();
    }
  }

  @Test
  @Order(1)
  @Requirement({"P1", "P2", "P9", "P10"})
  void cluster_isShownWithItsProxiesAndWhereItsNameLeads() {
    String shown = fleet.towline("proxies", "show", CLUSTER);

    assertThat(shown)
        .contains("proxies.test:443", "2 of 2 online", "2 of 2 connected")
        .contains(fleet.host(2), fleet.host(4));
    Await.until(
        "the load of both proxies",
        BOUND,
        () -> proxies().stream().allMatch(proxy -> proxy.getLoad().getResidentKib() > 0));
    assertThat(proxies()).allMatch(proxy -> proxy.getPath().getKind() == Kind.DIRECT);
    assertThat(proxies().stream().mapToInt(Proxy::getClients).sum()).isEqualTo(2);
    assertThatThrownBy(
            () -> fleet.towline("proxies", "create-cluster", CLUSTER, "--address", "10.0.0.1"))
        .hasMessageContaining("exists already");
  }

  @Test
  @Order(2)
  @Requirement("P5")
  void connect_hostThatIsOnline_movesWithoutReinstall_andStaysThereAfterARestart() {
    long pid = direct.pid();

    String said = fleet.towline("proxies", "connect", CLUSTER, "--on", "direct-1");

    assertThat(said).contains("1 host moved to proxy cluster dc1");
    Host host = host("direct-1");
    assertThat(host.getPath().getKind()).isEqualTo(Kind.PROXY);
    assertThat(host.getProxyCluster()).isEqualTo(CLUSTER);
    assertThat(host.getState()).isEqualTo(HostState.HOST_STATE_ONLINE);
    assertThat(direct.pid()).isEqualTo(pid);
    direct.kill();
    direct.start().awaitLine("(proxy)", BOUND);
    assertThat(fleet.towline("proxies", "clients", CLUSTER)).contains("direct-1", "client-1");
  }

  @Test
  @Order(3)
  @Requirement({"P2", "G5"})
  void proxyKilled_itsClientsAreOnTheOtherWithinTenSeconds_andNoResultIsLost() throws Exception {
    // All on one proxy, so that the loss hits everybody.
    String second = idOf(fleet.host(4));
    fleet.towline("proxies", "drain", second);
    Await.until("all on the first", BOUND, () -> clientsOf(idOf(fleet.host(2))) == 3);
    fleet.towline("proxies", "drain", second, "--resume");
    Action running =
        fleet
            .admin()
            .actions()
            .runAction(
                RunActionRequest.newBuilder()
                    .setSelector("all")
                    .setRun(
                        RunAction.newBuilder()
                            .addAllCommand(List.of("sh", "-c", "sleep 2; echo here"))
                            .setTimeLimitMs(60_000))
                    .build());
    long from = System.nanoTime();

    one.kill();

    Action queued = noOp();
    Await.until("all on the second", BOUND, () -> clientsOf(second) == 3);
    Duration took = Duration.ofNanos(System.nanoTime() - from);
    System.out.printf("proxy.failover_3: %.1f s%n", took.toMillis() / 1000.0);
    assertThat(took).isLessThan(Duration.ofSeconds(10));
    assertAllSucceeded(running);
    assertAllSucceeded(queued);
    one.start().awaitLine("towline-proxy online", BOUND);
  }

  @Test
  @Order(4)
  @Requirement("P12")
  void drainedProxy_itsClientsMoveFirst_withoutBeingOffline() {
    String second = idOf(fleet.host(4));
    Map<String, Long> before = generations();

    String said = fleet.towline("proxies", "drain", second);

    assertThat(said).contains("drained: no agent is left");
    assertThat(clientsOf(second)).isZero();
    assertThat(clientsOf(idOf(fleet.host(2)))).isEqualTo(3);
    generations()
        .forEach(
            (name, generation) -> assertThat(generation).as(name).isEqualTo(before.get(name) + 1));
    assertAllSucceeded(noOp());
    fleet.towline("proxies", "drain", second, "--resume");
  }

  @Test
  @Order(5)
  @Requirement("P12")
  void takenDown_inTheOneOrder_eachEarlierStepIsRefused() {
    String first = idOf(fleet.host(2));
    String second = idOf(fleet.host(4));
    refused("disconnect them first", () -> deleteCluster());
    refused("disconnect them first", () -> stopCluster());
    refused("stop it first", () -> deleteProxy(first));
    // The other one takes over; that one has nobody to take over from it.
    assertThat(fleet.towline("proxies", "stop", second)).contains("stops");
    awaitOffline(second);
    refused(
        "disconnect them first",
        () ->
            fleet
                .admin()
                .proxyClusters()
                .stopProxy(StopProxyRequest.newBuilder().setProxy(first).build()));
    Await.until("the process to end", BOUND, () -> !two.isRunning());
    two.start().awaitLine("towline-proxy online", BOUND);

    String said = fleet.towline("proxies", "disconnect", CLUSTER);

    assertThat(said).contains("3 clients of dc1 went direct");
    assertThat(fleet.hosts())
        .allMatch(host -> host.getPath().getKind() == Kind.DIRECT)
        .allMatch(host -> host.getState() == HostState.HOST_STATE_ONLINE);
    refused("stop them first", () -> deleteCluster());
    fleet.towline("proxies", "stop-cluster", CLUSTER);
    awaitOffline(first);
    awaitOffline(second);
    Await.until("both processes to end", BOUND, () -> !one.isRunning() && !two.isRunning());
    refused("delete its proxies", () -> stopCluster());
    refused("delete them first", () -> deleteCluster());
    deleteProxy(first);
    refused("delete them first", () -> deleteCluster());
    deleteProxy(second);
    fleet.towline("proxies", "delete-cluster", CLUSTER);
    assertThat(
            fleet
                .admin()
                .proxyClusters()
                .listProxyClusters(ListProxyClustersRequest.getDefaultInstance())
                .getClustersList())
        .noneMatch(cluster -> cluster.getName().equals(CLUSTER));
    assertAllSucceeded(noOp());
  }

  private static void refused(String what, Runnable step) {
    assertThatThrownBy(step::run)
        .isInstanceOfSatisfying(
            StatusRuntimeException.class,
            refused ->
                assertThat(Errors.ofStatus(refused, "the manager").explanation()).contains(what));
  }

  private static void deleteCluster() {
    var _ =
        fleet
            .admin()
            .proxyClusters()
            .deleteProxyCluster(DeleteProxyClusterRequest.newBuilder().setCluster(CLUSTER).build());
  }

  private static void stopCluster() {
    var _ =
        fleet
            .admin()
            .proxyClusters()
            .stopProxyCluster(StopProxyClusterRequest.newBuilder().setCluster(CLUSTER).build());
  }

  private static void deleteProxy(String id) {
    var _ =
        fleet
            .admin()
            .proxyClusters()
            .deleteProxy(DeleteProxyRequest.newBuilder().setProxy(id).build());
  }

  private static Action noOp() {
    return fleet
        .admin()
        .actions()
        .runAction(RunActionRequest.newBuilder().setSelector("all").setNoOp(true).build());
  }

  private static void assertAllSucceeded(Action action) {
    Action ended =
        Await.value(
            "the end of " + action.getId(),
            BOUND,
            () ->
                Optional.of(
                        fleet
                            .admin()
                            .actions()
                            .getAction(
                                GetActionRequest.newBuilder().setAction(action.getId()).build()))
                    .filter(Action::getEnded));
    assertThat(ended.getTargetsList())
        .hasSize(3)
        .extracting(ActionTarget::getOutcome)
        .containsOnly(Outcome.OUTCOME_SUCCEEDED);
  }

  private static Map<String, Long> generations() {
    return fleet.hosts().stream().collect(Collectors.toMap(Host::getName, Host::getGeneration));
  }

  private static Host host(String name) {
    return fleet.hosts().stream()
        .collect(Collectors.toMap(Host::getName, Function.identity()))
        .get(name);
  }

  private static List<Proxy> proxies() {
    return fleet
        .admin()
        .proxyClusters()
        .listProxies(ListProxiesRequest.newBuilder().setCluster(CLUSTER).build())
        .getProxiesList();
  }

  private static int clientsOf(String proxy) {
    return proxies().stream()
        .filter(p -> p.getId().equals(proxy))
        .mapToInt(Proxy::getClients)
        .sum();
  }

  private static void awaitOffline(String proxy) {
    Await.until(
        "proxy " + proxy + " to be offline",
        BOUND,
        () ->
            proxies().stream()
                .anyMatch(
                    p -> p.getId().equals(proxy) && p.getState() != HostState.HOST_STATE_ONLINE));
  }

  /** Both have the name of this machine: told apart by what they listen on. */
  private static String idOf(String listen) {
    Program program = listen.equals(fleet.host(2)) ? one : two;
    try {
      String log = Files.readString(program.log());
      return log.replaceAll("(?s).*?towline-proxy \\S+ is \\S+/([a-z0-9]+)\\s.*", "$1");
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }
}
