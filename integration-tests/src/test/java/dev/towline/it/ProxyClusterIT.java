package dev.towline.it;

import static org.assertj.core.api.Assertions.assertThat;

import dev.towline.it.topology.Connect;
import dev.towline.it.topology.Host;
import dev.towline.it.topology.ProxyCluster;
import dev.towline.proto.v1.HostState;
import dev.towline.proto.v1.ListProxiesResponse;
import dev.towline.proto.v1.ListProxyClustersResponse;
import dev.towline.proto.v1.Path;
import dev.towline.proto.v1.Proxy;
import dev.towline.testing.Requirement;
import java.time.Duration;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.condition.DisabledIfSystemProperty;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** Agents that have no route to their manager, carried by two proxies. */
@Tag("docker")
@DisabledIfSystemProperty(
    named = "towline.packaging.skip",
    matches = "true",
    disabledReason = "this build made no packages")
@Requirement("G6")
final class ProxyClusterIT {
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
  @Requirement("I3")
  void hostsInstalledThroughProxies_areOnline_onAPathThroughOne() {
    FleetChecks.online(
        topology.fleet(), topology.agents(), "web", Path.Kind.PROXY, "proxy-1", "proxy-2");
  }

  @Test
  void action_runsOnEveryHost() {
    FleetChecks.runsEverywhere(topology.fleet(), topology.agents());
  }
}
