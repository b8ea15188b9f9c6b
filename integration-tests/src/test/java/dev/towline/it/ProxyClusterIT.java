package dev.towline.it;

import static org.assertj.core.api.Assertions.assertThat;

import dev.towline.it.topology.Await;
import dev.towline.it.topology.Connect;
import dev.towline.it.topology.Fleet;
import dev.towline.it.topology.Host;
import dev.towline.it.topology.ProxyCluster;
import dev.towline.it.topology.Result;
import dev.towline.proto.v1.Action;
import dev.towline.proto.v1.ActionTarget;
import dev.towline.proto.v1.CreatedInstallCommand;
import dev.towline.proto.v1.HostState;
import dev.towline.proto.v1.ListProxiesResponse;
import dev.towline.proto.v1.ListProxyClustersResponse;
import dev.towline.proto.v1.Outcome;
import dev.towline.proto.v1.Path.Kind;
import dev.towline.proto.v1.Proxy;
import dev.towline.testing.Promised;
import dev.towline.testing.Requirement;
import java.io.IOException;
import java.nio.file.Path;
import java.time.Duration;
import java.util.List;
import java.util.stream.Stream;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.MethodOrderer.OrderAnnotation;
import org.junit.jupiter.api.Order;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.TestMethodOrder;
import org.junit.jupiter.api.condition.DisabledIfSystemProperty;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** Agents that have no route to their manager, carried by two proxies. */
@Tag("docker")
@DisabledIfSystemProperty(
    named = "towline.packaging.skip",
    matches = "true",
    disabledReason = "this build made no packages")
@Requirement("G6")
@TestMethodOrder(OrderAnnotation.class)
final class ProxyClusterIT {
  private static final Duration LIMIT = Duration.ofMinutes(2);
  private static final Duration PATIENCE = Duration.ofSeconds(2);

  private static final ProxyCluster topology = new ProxyCluster(2, 3);

  @BeforeAll
  static void bringUp() {
    topology.up();
    topology.start();
  }

  @AfterAll
  static void takeDown() {
    topology.close();
  }

  /** Of each port, that it is the route that is missing: the manager answers on it. */
  @Order(1)
  @ParameterizedTest
  @ValueSource(ints = {7443, 8443, 8444, 8080})
  void agents_haveNoRouteToTheManager_proxiesHave(int port) {
    String manager = topology.manager().address();

    for (Host proxy : topology.proxies()) {
      assertThat(proxy.connect(manager, port, PATIENCE)).isEqualTo(Connect.CONNECTED);
    }
    for (Host agent : topology.agents()) {
      assertThat(agent.sh("ip route show default")).isEmpty();
      assertThat(agent.connect(manager, port, PATIENCE)).isNotEqualTo(Connect.CONNECTED);
    }
  }

  @Test
  @Order(1)
  @Requirement({"P1", "P3"})
  void proxies_areOnlineInTheirCluster() {
    var proxies =
        topology.fleet().ask(ListProxiesResponse.newBuilder(), "proxies", "list").getProxiesList();
    var clusters =
        topology
            .fleet()
            .ask(ListProxyClustersResponse.newBuilder(), "proxies", "list-clusters")
            .getClustersList();

    assertThat(proxies).extracting(Proxy::getState).containsOnly(HostState.HOST_STATE_ONLINE);
    assertThat(proxies)
        .extracting(Proxy::getName)
        .containsExactlyInAnyOrderElementsOf(topology.proxies().stream().map(Host::name).toList());
    assertThat(clusters).hasSize(1);
    assertThat(clusters.getFirst().getOnline()).isTrue();
    assertThat(clusters.getFirst().getConnectedClients()).isEqualTo(topology.agents().size());
  }

  @Test
  @Order(1)
  @Requirement("I3")
  void hostsInstalledThroughProxies_areOnline_onAPathThroughOne() {
    FleetChecks.online(
        topology.fleet(), topology.agents(), "web", Kind.PROXY, "proxy-1", "proxy-2");
  }

  /** They share the kernel, and often the image: each is a client of its own. */
  @Test
  @Order(1)
  @Requirement("P5")
  void containers_areClientsOfTheirOwn_andTakenForNobodysClone() {
    var fleet = topology.fleet();

    var rows = fleet.hosts().values();

    assertThat(rows).allMatch(row -> row.getFacts().getAssetKind().equals("CONTAINER"));
    assertThat(rows.stream().map(row -> row.getFacts().getBootId().split("/")[0]).distinct())
        .hasSize(1);
    assertThat(rows.stream().map(row -> row.getFacts().getBootId()).distinct())
        .hasSize(topology.agents().size());
    assertThat(rows.stream().map(dev.towline.proto.v1.Host::getId).distinct())
        .hasSize(topology.agents().size());
    assertThat(fleet.towline("events", "list")).doesNotContain("clone.");
  }

  @Test
  @Order(2)
  @Requirement({"P3", "P4", "P10"})
  void proxyDeployedByAnAgent_isOnlineWithinHalfAMinute_andStaysWhenTheAgentGoes() {
    Host gateway = topology.addGateway("gateway");
    var fleet = topology.fleet();
    fleet.install(fleet.installCommand("--group", "gateways"), gateway);
    long from = System.nanoTime();

    fleet.towline("proxies", "deploy", ProxyCluster.CLUSTER, "--on", "gateway");

    Await.until("the proxy is online", LIMIT, () -> isOnline(proxy("gateway")));
    Duration took = Duration.ofNanos(System.nanoTime() - from);
    System.out.printf("proxy.deploy: %.1f s%n", took.toMillis() / 1000.0);
    assertThat(took).isLessThan(Promised.within(Duration.ofSeconds(30)));
    assertThat(proxy("gateway").getAgent().getState()).isEqualTo(HostState.HOST_STATE_ONLINE);
    gateway.sh("sh /opt/towline/agent/uninstall");
    fleet.awaitState("gateway", HostState.HOST_STATE_UNINSTALLED, LIMIT);
    assertThat(isOnline(proxy("gateway"))).isTrue();
    assertThat(gateway.sh("sh /opt/towline/proxy/uninstall")).contains("the manager knows");
    assertThat(gateway.sh("ls -d /opt/towline /var/lib/towline /etc/towline 2>&1 || true"))
        .doesNotContainPattern("(?m)^/");
    Await.until("the proxy is gone", LIMIT, () -> !isOnline(proxy("gateway")));
  }

  /** One version says another number, the next one never comes up. */
  @Test
  @Order(3)
  @Requirement({"P4", "P10", "P13"})
  void cluster_isUpgradedOneByOne_andStopsAtTheFirstThatDoesNotComeUp(@TempDir Path work)
      throws IOException {
    var fleet = topology.fleet();
    CreatedInstallCommand direct = fleet.installCommand("--group", "gateways");
    topology.proxies().parallelStream().forEach(host -> fleet.install(direct, host));
    String newer = Packages.version() + ".1";
    String broken = Packages.version() + ".2";
    assertThat(proxies())
        .allSatisfy(
            proxy -> assertThat(proxy.getUpgradeProblem()).isEqualTo("it runs the newest version"));
    fleet.addPackage(Packages.reversioned("proxy", newer, work));
    assertThat(proxies())
        .allSatisfy(proxy -> {
          assertThat(proxy.getVersion()).isEqualTo(Packages.version());
          assertThat(proxy.getNewestVersion()).isEqualTo(newer);
          assertThat(proxy.getUpgradeProblem()).isEmpty();
        });
    // It has to go on through two changes of the proxy and report in the end.
    Action running = fleet.begin("group=web", "sh", "-c", "sleep 20; echo here");

    String said = fleet.towline("proxies", "upgrade", ProxyCluster.CLUSTER);

    assertThat(said).contains("its agents move to the other proxies", ": succeeded");
    assertThat(proxies())
        .allSatisfy(proxy -> {
          assertThat(proxy.getVersion()).isEqualTo(newer);
          assertThat(isOnline(proxy)).isTrue();
        });
    Await.until("the end of what ran meanwhile", LIMIT, () -> action(running).getEnded());
    assertThat(action(running).getTargetsList())
        .extracting(ActionTarget::getOutcome)
        .containsOnly(Outcome.OUTCOME_SUCCEEDED);

    fleet.addPackage(Packages.broken("proxy", broken, work));
    Result stopped = fleet.run("proxies", "upgrade", ProxyCluster.CLUSTER);

    assertThat(stopped.ok()).isFalse();
    assertThat(stopped.out())
        .contains("this version is broken; versions/" + newer + " runs again", "not-tried");
    Await.until(
        "both proxies with the version of before",
        LIMIT,
        () ->
            proxies().stream()
                .allMatch(proxy -> isOnline(proxy) && proxy.getVersion().equals(newer)));
    FleetChecks.runs(fleet, "group=web", topology.agents());
  }

  /** Of the proxies whose hosts have an agent. */
  private static List<Proxy> proxies() {
    return topology
        .fleet()
        .ask(ListProxiesResponse.newBuilder(), "proxies", "list")
        .getProxiesList()
        .stream()
        .filter(proxy -> proxy.getName().startsWith("proxy-"))
        .toList();
  }

  private static Action action(Action begun) {
    return topology.fleet().ask(Action.newBuilder(), "actions", "show", begun.getId()).build();
  }

  @Test
  @Order(4)
  @Requirement("P12")
  void clientsWithoutADirectRoute_areNamed_andOnlyStrandedWhenThatIsMeant() {
    var fleet = topology.fleet();
    List<String> names =
        Stream.concat(topology.agents().stream().map(Host::name), Stream.of("late")).toList();

    Result refused = fleet.run("proxies", "disconnect", ProxyCluster.CLUSTER);

    assertThat(refused.ok()).isFalse();
    assertThat(refused.err()).contains("--strand");
    names.forEach(name ->
        assertThat(refused.err())
            .containsPattern(name + " +\\| has no direct route and stays connected"));
    names.forEach(name ->
        assertThat(fleet.hosts().get(name).getState()).isEqualTo(HostState.HOST_STATE_ONLINE));

    Result stranded = fleet.run("proxies", "disconnect", ProxyCluster.CLUSTER, "--strand");

    assertThat(stranded.ok()).as(stranded.toString()).isTrue();
    for (String name : names) {
      fleet.awaitState(name, HostState.HOST_STATE_OFFLINE, LIMIT);
      assertThat(fleet.hosts().get(name).getNote()).isEqualTo("disconnected, no route");
    }
  }

  @Test
  @Order(2)
  @Requirement("I1")
  void sourceNetworks_holdForTheAddressThatTheProxySaw() {
    var fleet = topology.fleet();
    Host host = topology.addAgent("late");

    Result refused =
        Fleet.paste(
            fleet.installCommand(
                "--proxy-cluster", ProxyCluster.CLUSTER, "--source-network", "203.0.113.0/24"),
            host);

    assertThat(refused.exitCode()).as(refused.toString()).isEqualTo(3);
    assertThat(refused.err()).contains("comes from " + host.address());
    assertThat(fleet.hosts()).doesNotContainKey("late");
    host.sh("sh /opt/towline/agent/uninstall");
    fleet.install(
        fleet.installCommand(
            "--proxy-cluster", ProxyCluster.CLUSTER, "--source-network", topology.site().subnet()),
        host);
    var row = fleet.awaitState("late", HostState.HOST_STATE_ONLINE, LIMIT);
    assertThat(row.getFacts().getAssetKind()).isEqualTo("CONTAINER");
    assertThat(row.getProxyCluster()).isEqualTo(ProxyCluster.CLUSTER);
  }

  private static boolean isOnline(Proxy proxy) {
    return proxy.getState() == HostState.HOST_STATE_ONLINE;
  }

  /** The default one while there is none of this name. */
  private static Proxy proxy(String name) {
    return topology
        .fleet()
        .ask(ListProxiesResponse.newBuilder(), "proxies", "list")
        .getProxiesList()
        .stream()
        .filter(proxy -> proxy.getName().equals(name))
        .findFirst()
        .orElse(Proxy.getDefaultInstance());
  }

  @Test
  @Order(1)
  void action_runsOnEveryHost() {
    FleetChecks.runsEverywhere(topology.fleet(), topology.agents());
  }
}
