package dev.towline.manager.proxies;

import static dev.towline.manager.testing.ManagerFixture.BOUND;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.towline.manager.enrollment.NewToken;
import dev.towline.manager.nodes.Node;
import dev.towline.manager.store.Store;
import dev.towline.manager.store.sqlite.SqliteDatabase;
import dev.towline.manager.testing.FakeNode;
import dev.towline.manager.testing.ManagerFixture;
import dev.towline.proto.v1.ControlProxy;
import dev.towline.proto.v1.DirectiveContent;
import dev.towline.proto.v1.InstallProgram;
import dev.towline.proto.v1.Outcome;
import dev.towline.proto.v1.ProxyUpgrade;
import dev.towline.proto.v1.ProxyUpgradeRoll;
import dev.towline.runtime.error.TowlineException;
import dev.towline.runtime.identity.Role;
import dev.towline.testing.Await;
import dev.towline.testing.Requirement;
import java.nio.file.Path;
import java.time.Duration;
import java.time.Instant;
import java.util.List;
import java.util.Optional;
import java.util.concurrent.atomic.AtomicReference;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** Upgrades of a cluster with scripted proxies and agents; the test takes the steps itself. */
@Requirement("P13")
final class ProxyUpgradesTest {
  private static final String OLD = "1.0";
  private static final String NEW = "2.0";

  @TempDir private Path directory;

  private final AtomicReference<Instant> now = new AtomicReference<>(Instant.now());
  private ManagerFixture fixture;

  /** Not the manager's own, which has a timer that would take the steps as well. */
  private Store rolls;

  private ProxyClusters clusters;
  private ProxyUpgrades upgrades;
  private Optional<String> newest = Optional.of(NEW);

  @BeforeEach
  void start() {
    fixture = new ManagerFixture(directory);
    rolls = SqliteDatabase.open(directory.resolve("rolls.db"));
    fixture.services().proxyClusters().create("dc1", "proxy.example", "", 0, 0);
    open();
  }

  private void open() {
    clusters = fixture.services().proxyClusters();
    upgrades =
        new ProxyUpgrades(
            rolls,
            clusters,
            new ProxyOrders(clusters, fixture.services().actions()),
            fixture.services().actions(),
            new ProxyUpgrades.Installer() {
              @Override
              public Optional<String> newest() {
                return newest;
              }

              @Override
              public InstallProgram upgrade(Node host) {
                return InstallProgram.newBuilder()
                    .setProgram("proxy")
                    .setVersion(NEW)
                    .setScript("for " + host.name())
                    .build();
              }
            },
            now::get);
  }

  @AfterEach
  void stop() throws Exception {
    fixture.close();
    rolls.close();
  }

  /** A proxy of version 1.0 beside the agent of its host, both in session. */
  private final class Gateway {
    final FakeNode proxy;
    final FakeNode.Session session;
    final FakeNode.Session agent;

    Gateway(String name) {
      var facts = fixture.facts(name).toBuilder().setProgramVersion(OLD).build();
      proxy =
          fixture.node(
              fixture.enrolled(
                  fixture
                      .services()
                      .tokens()
                      .create(
                          NewToken.infrastructure(
                              Role.PROXY, "", "", "dc1", Duration.ofHours(1), "test")),
                  facts),
              facts);
      agent = fixture.host(name).connect();
      session = proxy.connect();
      Await.until(name, BOUND, () -> clusters.proxy(name).online());
    }

    void drains(Outcome outcome, String detail) throws Exception {
      var taken = session.takeDirective();
      assertThat(order(taken)).isEqualTo(ControlProxy.Order.DRAIN);
      session.accept(taken.directive());
      session.result(taken.directive(), outcome, "", detail);
    }

    /** Gives what the agent was told to install. */
    InstallProgram installs(Outcome outcome, String detail) throws Exception {
      var taken = agent.takeDirective();
      agent.accept(taken.directive());
      agent.result(taken.directive(), outcome, "", detail);
      return DirectiveContent.parseFrom(taken.signed().getContent()).getInstallProgram();
    }

    void comesBackWith(String version) {
      session.drop();
      proxy.runs(version);
      proxy.connect();
    }
  }

  private static ControlProxy.Order order(FakeNode.Taken taken) throws Exception {
    return DirectiveContent.parseFrom(taken.signed().getContent()).getControlProxy().getOrder();
  }

  private List<ProxyUpgrade.State> states() {
    return upgrades.last("dc1").orElseThrow().getProxiesList().stream()
        .map(ProxyUpgrade::getState)
        .toList();
  }

  private void awaitState(int proxy, ProxyUpgrade.State state) {
    Await.until(
        state.name(),
        BOUND,
        () -> {
          upgrades.advance();
          return states().get(proxy) == state;
        });
  }

  @Test
  void cluster_isUpgradedOneByOne_byWhatEachReports() throws Exception {
    Gateway one = new Gateway("gateway-1");
    Gateway two = new Gateway("gateway-2");

    upgrades.begin("dc1", "", "test");
    awaitState(0, ProxyUpgrade.State.DRAINING);
    one.drains(Outcome.OUTCOME_SUCCEEDED, "");
    awaitState(0, ProxyUpgrade.State.INSTALLING);
    InstallProgram told = one.installs(Outcome.OUTCOME_SUCCEEDED, "");
    assertThat(told.getScript()).isEqualTo("for gateway-1");
    upgrades.advance();
    assertThat(states())
        .as("an acknowledgement is no version")
        .containsExactly(ProxyUpgrade.State.INSTALLING, ProxyUpgrade.State.WAITING);
    assertThatThrownBy(() -> upgrades.begin("dc1", "", "test")).hasMessageContaining("under way");
    one.comesBackWith(NEW);
    awaitState(0, ProxyUpgrade.State.SUCCEEDED);

    awaitState(1, ProxyUpgrade.State.DRAINING);
    two.drains(Outcome.OUTCOME_SUCCEEDED, "");
    awaitState(1, ProxyUpgrade.State.INSTALLING);
    two.installs(Outcome.OUTCOME_SUCCEEDED, "");
    two.comesBackWith(NEW);
    awaitState(1, ProxyUpgrade.State.SUCCEEDED);

    assertThat(upgrades.last("dc1").orElseThrow().getEnded()).isTrue();
    assertThatThrownBy(() -> upgrades.begin("dc1", "", "test"))
        .isInstanceOf(TowlineException.class)
        .hasMessageContaining("it runs the newest version");
  }

  @Test
  void proxyThatGoesBack_endsTheWhole_andTheNextIsNotTried() throws Exception {
    Gateway one = new Gateway("gateway-1");
    Gateway two = new Gateway("gateway-2");
    upgrades.begin("dc1", "", "test");
    awaitState(0, ProxyUpgrade.State.DRAINING);
    one.drains(Outcome.OUTCOME_SUCCEEDED, "");
    awaitState(0, ProxyUpgrade.State.INSTALLING);

    one.installs(Outcome.OUTCOME_FAILED, "version 2.0 did not come up; versions/1.0 runs again");
    one.comesBackWith(OLD);
    awaitState(0, ProxyUpgrade.State.FAILED);

    ProxyUpgradeRoll roll = upgrades.last("dc1").orElseThrow();
    assertThat(roll.getEnded()).isTrue();
    assertThat(roll.getProxies(0).getDetail()).contains("versions/1.0 runs again");
    assertThat(roll.getProxies(1).getState()).isEqualTo(ProxyUpgrade.State.NOT_TRIED);
    assertThat(roll.getProxies(1).getDetail()).contains("gateway-1 was not upgraded");
    assertThat(two.session.hasNone(frame -> frame.hasDirective())).isTrue();
  }

  @Test
  void agentsThatFindNoOtherProxy_nothingIsInstalled() throws Exception {
    Gateway one = new Gateway("gateway-1");
    new Gateway("gateway-2");
    upgrades.begin("dc1", "gateway-1", "test");
    awaitState(0, ProxyUpgrade.State.DRAINING);

    one.drains(Outcome.OUTCOME_FAILED, "3 agents found no other proxy");
    awaitState(0, ProxyUpgrade.State.FAILED);

    assertThat(upgrades.last("dc1").orElseThrow().getProxies(0).getDetail())
        .contains("3 agents found no other proxy");
    assertThat(one.agent.hasNone(frame -> frame.hasDirective())).isTrue();
  }

  @Test
  void proxyThatNeverReportsTheVersion_failsAfterAQuarterOfAnHour_alsoAfterARestart()
      throws Exception {
    Gateway only = new Gateway("gateway-1");
    upgrades.begin("dc1", "", "test");
    awaitState(0, ProxyUpgrade.State.INSTALLING);
    only.installs(Outcome.OUTCOME_SUCCEEDED, "");
    fixture.restart();
    open();

    now.updateAndGet(time -> time.plus(ProxyUpgrades.LIMIT).minusSeconds(1));
    upgrades.advance();
    assertThat(states()).containsExactly(ProxyUpgrade.State.INSTALLING);
    now.updateAndGet(time -> time.plusSeconds(2));
    upgrades.advance();

    assertThat(states()).containsExactly(ProxyUpgrade.State.FAILED);
    assertThat(upgrades.last("dc1").orElseThrow().getProxies(0).getDetail())
        .contains("within 15 minutes");
  }

  @Test
  void problem_saysWhyItIsNotOffered() {
    Gateway one = new Gateway("gateway-1");
    assertThat(upgrades.problem(clusters.proxy("gateway-1"))).isEmpty();

    one.agent.drop();
    Await.until(
        "the agent is away",
        BOUND,
        () -> upgrades.problem(clusters.proxy("gateway-1")).contains("not online"));
    assertThatThrownBy(() -> upgrades.begin("dc1", "", "test"))
        .hasMessageContaining("no live channel");
    newest = Optional.empty();
    assertThat(upgrades.problem(clusters.proxy("gateway-1"))).contains("no package");
  }
}
