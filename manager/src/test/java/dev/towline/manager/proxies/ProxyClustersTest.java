package dev.towline.manager.proxies;

import static dev.towline.manager.testing.ManagerFixture.BOUND;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.towline.manager.enrollment.CreatedToken;
import dev.towline.manager.enrollment.NewToken;
import dev.towline.manager.nodes.Node;
import dev.towline.manager.nodes.Presence;
import dev.towline.manager.testing.FakeNode;
import dev.towline.manager.testing.ManagerFixture;
import dev.towline.proto.v1.AgentFrame;
import dev.towline.proto.v1.DirectiveContent;
import dev.towline.proto.v1.Goodbye;
import dev.towline.proto.v1.Heartbeat;
import dev.towline.proto.v1.HostState;
import dev.towline.proto.v1.Outcome;
import dev.towline.proto.v1.Rehome;
import dev.towline.runtime.enroll.EnrollmentOutcome;
import dev.towline.runtime.error.TowlineException;
import dev.towline.runtime.identity.Role;
import dev.towline.testing.Await;
import dev.towline.testing.Requirement;
import java.net.InetAddress;
import java.net.UnknownHostException;
import java.nio.file.Path;
import java.time.Duration;
import java.util.List;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** Clusters, their proxies and their clients, with scripted nodes. */
final class ProxyClustersTest {
  @TempDir private Path directory;

  private ManagerFixture fixture;
  private ProxyClusters clusters;
  private ClientMoves moves;
  private ProxyOrders orders;

  @BeforeEach
  void start() {
    fixture = new ManagerFixture(directory);
    clusters = fixture.services().proxyClusters();
    moves =
        new ClientMoves(
            clusters,
            fixture.services().actions(),
            fixture.services().sessions().registry(),
            List.of("m.example:7443"),
            fixture.clock());
    orders = new ProxyOrders(clusters, fixture.services().actions());
    clusters.create("dc1", "proxy.example", "", 0, 0);
  }

  @AfterEach
  void stop() throws Exception {
    fixture.close();
  }

  private FakeNode proxy(String name, String cluster) {
    return fixture.node(
        fixture.enrolled(proxyToken(cluster), fixture.facts(name)), fixture.facts(name));
  }

  private CreatedToken proxyToken(String cluster) {
    return fixture
        .services()
        .tokens()
        .create(NewToken.infrastructure(Role.PROXY, "", "", cluster, Duration.ofHours(1), "test"));
  }

  @Test
  @Requirement("P2")
  void ipAddress_holdsOneProxy_alsoWhenTwoCommandsWereMadeBefore() {
    clusters.create("single", "192.0.2.9", "", 0, 0);
    CreatedToken first = proxyToken("single");
    CreatedToken second = proxyToken("single");
    fixture.enrolled(first, fixture.facts("p1"));

    assertThat(fixture.enroll(second, fixture.facts("p2")))
        .isInstanceOfSatisfying(
            EnrollmentOutcome.Refused.class,
            refused -> assertThat(refused.line()).contains("has an IP address and its one proxy"));
    assertRefused("several proxies", () -> clusters.checkRoom("single"));
  }

  @Test
  @Requirement("P5")
  void connect_clusterWithoutAProxy_isRefused_andWithOneTellsHostsThatAreOnline() throws Exception {
    FakeNode host = fixture.host("web-1");
    FakeNode.Session session = host.connect();
    fixture.host("web-2");
    assertRefused("no proxy that is online", () -> moves.connect("dc1", "all", "test"));
    proxy("p1", "dc1").connect();
    Await.until("the proxy", BOUND, () -> clusters.view("dc1").online());

    ClientMoves.Moved moved = moves.connect("dc1", "all", "test");

    Rehome told =
        DirectiveContent.parseFrom(session.takeDirective().signed().getContent()).getRehome();
    assertThat(told.getServersList()).containsExactly("proxy.example:443");
    assertThat(told.getStrand()).isFalse();
    assertThat(moved.action().orElseThrow().getTitle()).contains("connect to proxy cluster dc1");
    assertThat(moved.unmoved())
        .singleElement()
        .satisfies(unmoved -> {
          assertThat(unmoved.host().name()).isEqualTo("web-2");
          assertThat(unmoved.reason()).contains("not online");
        });
  }

  @Test
  @Requirement("P5")
  void connect_manyHosts_eachHasAMomentOfItsOwn() {
    var schedule = new MoveSchedule(fixture.clock(), 250);
    Duration last = Duration.ZERO;
    for (int i = 0; i < 5000; i++) {
      last = schedule.next();
    }
    assertThat(last).isBetween(Duration.ofSeconds(18), Duration.ofSeconds(21));
  }

  @Test
  @Requirement("P12")
  void disconnect_stranded_isNotedUntilTheHostIsBack() {
    FakeNode host = fixture.host("web-1");
    FakeNode.Session session = host.connect();
    fixture
        .services()
        .store()
        .commit(tx -> {
          tx.nodes().route(host.id(), "dc1", "");
          return host;
        });
    assertRefused("towline proxies disconnect dc1", () -> clusters.delete("dc1"));

    moves.disconnect("dc1", "", true, "test");
    var taken = session.takeDirective();
    session.accept(taken.directive());
    session.result(taken.directive(), Outcome.OUTCOME_SUCCEEDED, "", "no route: nobody answers");

    Await.until("the note", BOUND, () -> node("web-1").note().equals(Node.NO_ROUTE));
    assertThat(node("web-1").proxyCluster()).isEmpty();
    session.drop();
    host.connect();
    Await.until("it is back", BOUND, () -> node("web-1").note().isEmpty());
    clusters.delete("dc1");
  }

  @Test
  @Requirement("P12")
  void disconnect_hostThatIsAway_isNamedAndLeftOnlyWhenThatIsMeant() {
    FakeNode host = fixture.host("web-1");
    fixture
        .services()
        .store()
        .commit(tx -> {
          tx.nodes().route(host.id(), "dc1", "");
          return host;
        });

    assertThat(moves.disconnect("dc1", "", false, "test").unmoved())
        .extracting(unmoved -> unmoved.host().name())
        .containsExactly("web-1");
    assertThat(node("web-1").proxyCluster()).isEqualTo("dc1");
    moves.disconnect("dc1", "", true, "test");
    assertThat(node("web-1").proxyCluster()).isEmpty();
    assertThat(node("web-1").note()).isEqualTo(Node.NO_ROUTE);
  }

  @Test
  @Requirement({"P10", "P12"})
  void proxy_itsLoadAndItsHostsAgentAreShown_andItGoesInOrder() {
    FakeNode proxy = proxy("gateway", "dc1");
    fixture.host("gateway").connect();
    FakeNode.Session session = proxy.connect();
    assertThat(session.welcome().getHeartbeatIntervalMs()).isEqualTo(10_000);
    session.send(
        AgentFrame.newBuilder()
            .setHeartbeat(
                Heartbeat.newBuilder()
                    .setNumber(1)
                    .putCounters("proxy.resident_kib", 2048)
                    .putCounters("proxy.draining", 1))
            .build());

    Await.until("its load", BOUND, () -> clusters.proxy("gateway").report().isPresent());
    ProxyClusters.Member member = clusters.proxy("gateway");
    assertThat(member.report().orElseThrow().load().getResidentKib()).isEqualTo(2048);
    assertThat(member.draining()).isTrue();
    assertThat(member.carries()).isFalse();
    assertThat(member.agent().orElseThrow().presence()).isEqualTo(Presence.ONLINE);
    assertRefused("towline proxies stop gateway", () -> clusters.checkDeletable("gateway"));
    orders.stop("gateway", false, "test");
    assertThat(session.takeDirective().directive().getTarget()).endsWith(proxy.id());
    session.drop();
    Await.until("offline", BOUND, () -> !clusters.proxy("gateway").online());
    assertRefused("towline proxies delete gateway", () -> orders.stop("gateway", false, "test"));
    assertRefused("delete them first", () -> clusters.delete("dc1"));
    fixture.services().sessions().revoke(clusters.checkDeletable("gateway").id(), "deleted");
    clusters.delete("dc1");
  }

  @Test
  @Requirement("I5")
  void goodbyeForGood_endsTheTrustAndIsShown() {
    FakeNode host = fixture.host("web-1");
    FakeNode.Session session = host.connect();

    session.send(
        AgentFrame.newBuilder()
            .setGoodbye(Goodbye.newBuilder().setReason(Goodbye.Reason.UNINSTALL))
            .build());

    Await.until(
        "it is uninstalled",
        BOUND,
        () -> node("web-1").state() == HostState.HOST_STATE_UNINSTALLED);
    Await.until("its certificate is worth nothing", BOUND, () -> node("web-1").revokedMs() > 0);
    assertThat(fixture.event("node.uninstalled").subject()).isEqualTo(host.id());
  }

  @Test
  @Requirement("P2")
  void address_isResolvedAndComparedWithTheProxies() throws Exception {
    var lookup =
        new ClusterAddresses(host -> {
          if (!host.equals("proxy.example")) {
            throw new UnknownHostException(host);
          }
          return new InetAddress[] {
            InetAddress.getByName("192.0.2.1"), InetAddress.getByName("192.0.2.2")
          };
        });
    Node known = withAddress("p1", "192.0.2.1");
    Node elsewhere = withAddress("p2", "192.0.2.7");

    var found = lookup.resolve(clusters.cluster("dc1"), List.of(known, elsewhere));

    assertThat(found.addresses())
        .extracting(address -> address.getAddress() + "=" + address.getProxy())
        .containsExactly("192.0.2.1=p1", "192.0.2.2=");
    assertThat(found.warnings())
        .anySatisfy(warning -> assertThat(warning).contains("192.0.2.2 is on no proxy"))
        .anySatisfy(warning -> assertThat(warning).contains("does not lead to proxy p2"));
    ProxyCluster nowhere = clusters.create("dc2", "nowhere.example", "", 0, 0);
    assertThat(lookup.resolve(nowhere, List.of()).warnings())
        .singleElement()
        .asString()
        .contains("can't be resolved");
  }

  private Node withAddress(String name, String address) {
    var facts = fixture.facts(name).toBuilder().addAddresses(address).build();
    var identity = fixture.enrolled(proxyToken("dc1"), facts);
    return fixture.services().hosts().node(identity.identity().id()).orElseThrow();
  }

  private Node node(String name) {
    return fixture.services().hosts().host(name);
  }

  private static void assertRefused(String what, Runnable step) {
    assertThatThrownBy(step::run)
        .isInstanceOfSatisfying(
            TowlineException.class,
            refused -> assertThat(refused.getMessage() + " " + refused.remedy()).contains(what));
  }
}
