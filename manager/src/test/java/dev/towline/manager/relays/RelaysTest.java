package dev.towline.manager.relays;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.towline.manager.relays.Relays.NewPair;
import dev.towline.manager.relays.Relays.Paired;
import dev.towline.manager.testing.FakeNode;
import dev.towline.manager.testing.ManagerFixture;
import dev.towline.proto.v1.AgentFrame;
import dev.towline.proto.v1.ConfigureRelay;
import dev.towline.proto.v1.DirectiveContent;
import dev.towline.proto.v1.ManagerFrame;
import dev.towline.proto.v1.ProbeAnswer;
import dev.towline.proto.v1.RelayChild;
import dev.towline.proto.v1.RelayInfo;
import dev.towline.proto.v1.RelayLink;
import dev.towline.proto.v1.RelayReport;
import dev.towline.proto.v1.SetRelayChildren;
import dev.towline.runtime.error.TowlineException;
import dev.towline.testing.Await;
import dev.towline.testing.Requirement;
import java.time.Duration;
import java.util.List;
import java.util.Map;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** Who is told what when relays are paired, set and revoked, with scripted relays. */
final class RelaysTest {
  @TempDir java.nio.file.Path directory;

  private ManagerFixture fixture;
  private Relays relays;

  @BeforeEach
  void start() {
    fixture = new ManagerFixture(directory);
    relays = fixture.services().relays();
  }

  @AfterEach
  void stop() throws Exception {
    fixture.close();
  }

  private static NewPair pair(String parent, String child) {
    return new NewPair(parent, child, "", "192.0.2.7", 0, 0, 0, Duration.ofHours(1), "test");
  }

  private FakeNode registered(String name) {
    var token = relays.createParent(name, Duration.ofHours(1), "test");
    return fixture.node(fixture.enrolled(token, fixture.facts(name)), fixture.facts(name));
  }

  /** The next two directives: every change tells the whole of both. */
  private record Told(ConfigureRelay configuration, SetRelayChildren children) {}

  private static Told told(FakeNode.Session session) throws Exception {
    ConfigureRelay configuration = take(session).getConfigureRelay();
    DirectiveContent second = take(session);
    assertThat(second.hasSetRelayChildren()).isTrue();
    return new Told(configuration, second.getSetRelayChildren());
  }

  private static DirectiveContent take(FakeNode.Session session) throws Exception {
    var taken = session.takeDirective();
    session.accept(taken.directive());
    return DirectiveContent.parseFrom(taken.signed().getContent());
  }

  @Test
  @Requirement({"R5", "R8"})
  void pair_bothNew_eachGetsAToken_andTheDialAddressIsWhereHostsBelowGo() {
    Paired paired = relays.pair(pair("hq", "dmz"));

    assertThat(paired.forParent()).isPresent();
    assertThat(paired.forChild()).isPresent();
    assertThat(paired.child().dialAddress()).isEqualTo("192.0.2.7:52311");
    assertThat(paired.child().updatesPort()).isEqualTo(8080);
    assertThat(paired.warnings()).isEmpty();
  }

  @Test
  @Requirement({"R2", "R5"})
  void pair_bothRegistered_areToldByDirective_withoutAnyToken() throws Exception {
    FakeNode parent = registered("hq");
    FakeNode child = registered("dmz");
    var parentSession = parent.connect();
    var childSession = child.connect();
    assertThat(told(parentSession).children().getNoParent()).isTrue();
    assertThat(told(childSession).configuration().hasChild()).isFalse();

    Paired paired = relays.pair(pair("hq", "dmz"));

    assertThat(paired.forParent()).isEmpty();
    assertThat(paired.forChild()).isEmpty();
    Told toParent = told(parentSession);
    assertThat(toParent.children().getChildren(0).getRelayId()).isEqualTo(child.id());
    assertThat(toParent.children().getChildren(0).getPairingKey().isEmpty()).isTrue();
    ConfigureRelay toChild = told(childSession).configuration();
    assertThat(toChild.getChild().getDialPort()).isEqualTo(52311);
    assertThat(toChild.getChild().getParentsList()).containsExactly(parent.id());

    relays.unpair("hq", "dmz");
    assertThat(told(childSession).configuration().getChild().getParentsList()).isEmpty();
    assertThat(told(parentSession).children().getNoParent()).isTrue();
  }

  @Test
  @Requirement("R1")
  void pair_childOfOnePairAsParentOfTheNext_keepsBeingAChild_andCirclesAreRefused() {
    relays.pair(pair("core", "middle"));
    Paired second = relays.pair(pair("middle", "outer"));

    assertThat(second.parent().child()).isTrue();
    assertThat(second.forParent()).as("its own command makes it both").isEmpty();
    assertThatThrownBy(() -> relays.pair(pair("outer", "core")))
        .isInstanceOf(TowlineException.class)
        .hasMessageContaining("without a circle");
    assertThatThrownBy(() -> relays.pair(pair("core", "core")))
        .hasMessageContaining("another relay than the parent");
    assertThatThrownBy(() -> relays.pair(pair("core", " ")))
        .hasMessageContaining("child list of core: empty (expected: at least one child)");
  }

  @Test
  @Requirement({"R2", "R5"})
  void children_wholeListAtOnce_tellsWhoIsAffected_andKeepsTheKeyOfANewChild() throws Exception {
    FakeNode parent = registered("hq");
    registered("dmz");
    var session = parent.connect();
    told(session);
    relays.pair(pair("hq", "dmz"));
    told(session);
    relays.pair(pair("other", "edge"));

    assertThat(relays.children("hq", List.of("edge", "dmz")).getChildrenList())
        .containsExactlyInAnyOrder("dmz", "edge");
    var both = told(session).children().getChildrenList();
    assertThat(both).extracting(RelayChild::getName).containsExactlyInAnyOrder("dmz", "edge");
    assertThat(both.stream().filter(child -> child.getName().equals("edge")).findFirst())
        .as("never registered: its command proves it to this parent too")
        .hasValueSatisfying(edge -> assertThat(edge.getPairingKey().size()).isEqualTo(32));

    relays.children("hq", List.of("edge"));
    assertThat(told(session).children().getChildrenList())
        .extracting(RelayChild::getName)
        .containsExactly("edge");
    assertThat(relays.show("dmz").getParentsList()).isEmpty();
    assertThat(relays.show("edge").getParentsList()).containsExactlyInAnyOrder("hq", "other");
  }

  @Test
  @Requirement("R2")
  void children_emptyOrWrongList_isRefusedAsAWhole_andNothingChanges() {
    relays.pair(pair("hq", "dmz"));
    relays.pair(pair("dmz", "inner"));

    assertThatThrownBy(() -> relays.children("hq", List.of()))
        .hasMessageContaining("child list of hq: empty (expected: at least one child)");
    assertThatThrownBy(() -> relays.children("hq", List.of("")))
        .hasMessageContaining("expected: at least one child");
    assertThatThrownBy(() -> relays.children("inner", List.of("nobody", "hq", "dmz")))
        .hasMessageContaining("nobody is no relay; pair it first")
        .hasMessageContaining("hq is no child yet")
        .hasMessageContaining("dmz is above inner already");
    assertThat(relays.show("hq").getChildrenList()).containsExactly("dmz");
    assertThat(relays.show("inner").getChildrenList()).isEmpty();
  }

  @Test
  @Requirement("R7")
  void set_valuesAreToldAtOnce_andAllProblemsAtOnceChangeNothing() throws Exception {
    FakeNode relay = registered("hq");
    var session = relay.connect();
    told(session);

    relays.set("hq", Map.of("connections", "6", "ping-interval-ms", "500"));
    assertThat(told(session).configuration().getSettingsMap())
        .containsExactlyInAnyOrderEntriesOf(Map.of("connections", "6", "ping-interval-ms", "500"));

    assertThatThrownBy(
            () -> relays.set("hq", Map.of("conections", "3", "reserve", "0", "connections", "5")))
        .hasMessageContaining("conections: unknown")
        .hasMessageContaining("reserve: '0' (expected: 1 to 1024)");
    relays.set("hq", Map.of("ping-interval-ms", ""));
    assertThat(told(session).configuration().getSettingsMap())
        .containsExactlyEntriesOf(Map.of("connections", "6"));
  }

  @Test
  @Requirement("R7")
  void report_showsConnectionsWithNames_untilTheSessionEnds() throws Exception {
    FakeNode parent = registered("hq");
    FakeNode child = registered("dmz");
    var session = parent.connect();
    session.send(
        AgentFrame.newBuilder()
            .setRelay(
                RelayReport.newBuilder()
                    .addLinks(
                        RelayLink.newBuilder()
                            .setPeer(child.id())
                            .setState("UP")
                            .setRoundTripUs(1500)))
            .build());

    RelayInfo shown =
        Await.value(
            "the report",
            ManagerFixture.BOUND,
            () ->
                java.util.Optional.of(relays.show("hq"))
                    .filter(relay -> relay.getConnectionsCount() == 1));
    assertThat(shown.getConnections(0).getPeerName()).isEqualTo("dmz");
    assertThat(shown.getLinksList()).containsExactly("dmz#0 up 1.5 ms");

    session.drop();
    Await.until(
        "nothing that is out of date",
        ManagerFixture.BOUND,
        () -> relays.show("hq").getConnectionsCount() == 0);
  }

  @Test
  @Requirement({"R2", "T3"})
  void removedRelay_isOffEveryList_itsTokensAreWorthNothing_andItsNameIsFree() throws Exception {
    FakeNode parent = registered("hq");
    var session = parent.connect();
    told(session);
    Paired paired = relays.pair(pair("hq", "dmz"));
    assertThat(told(session).children().getChildrenCount()).isEqualTo(1);

    relays.remove("dmz");

    assertThat(told(session).children().getNoParent()).isTrue();
    var outcome = fixture.enroll(paired.forChild().orElseThrow(), fixture.facts("late"));
    assertThat(outcome.toString()).contains("TOKEN_REVOKED");
    assertThat(relays.pair(pair("hq", "dmz")).child().id()).isNotEqualTo(paired.child().id());
  }

  @Test
  @Requirement("G7")
  void probe_isAnsweredOverTheSession_andEndsWithIt() throws Exception {
    FakeNode host = fixture.host("web-1");
    var session = host.connect();
    var roundTrip = fixture.services().sessions().probe(host.id());
    ManagerFrame probe = session.take(ManagerFrame::hasProbe);
    session.send(
        AgentFrame.newBuilder()
            .setProbeAnswer(ProbeAnswer.newBuilder().setNumber(probe.getProbe().getNumber()))
            .build());
    assertThat(roundTrip.get(60, TimeUnit.SECONDS)).isPositive();

    var unanswered = fixture.services().sessions().probe(host.id());
    session.take(ManagerFrame::hasProbe);
    session.drop();
    assertThatThrownBy(() -> unanswered.get(60, TimeUnit.SECONDS))
        .hasMessageContaining("the session ended");
    assertThatThrownBy(
            () -> fixture.services().sessions().probe("nobody").get(60, TimeUnit.SECONDS))
        .hasMessageContaining("not in session");
  }
}
