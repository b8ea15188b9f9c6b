package dev.towline.manager.policies;

import static dev.towline.manager.testing.ManagerFixture.BOUND;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import com.google.protobuf.ByteString;
import com.google.protobuf.InvalidProtocolBufferException;
import dev.towline.manager.nodes.Node;
import dev.towline.manager.nodes.Selector;
import dev.towline.manager.testing.FakeNode;
import dev.towline.manager.testing.FakeNode.Taken;
import dev.towline.manager.testing.ManagerFixture;
import dev.towline.proto.v1.AgentFrame;
import dev.towline.proto.v1.DirectiveContent;
import dev.towline.proto.v1.DirectiveKind;
import dev.towline.proto.v1.Heartbeat;
import dev.towline.proto.v1.ManagerFrame;
import dev.towline.proto.v1.Outcome;
import dev.towline.proto.v1.Path;
import dev.towline.proto.v1.PathHop;
import dev.towline.proto.v1.PolicyChange;
import dev.towline.proto.v1.Role;
import dev.towline.proto.v1.SetPolicy;
import dev.towline.runtime.error.TowlineException;
import dev.towline.runtime.firewall.FirewallDocument;
import dev.towline.runtime.firewall.FirewallPolicy;
import dev.towline.runtime.policy.EffectivePolicy;
import dev.towline.testing.Await;
import dev.towline.testing.Requirement;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** Policies of a whole manager, with a scripted host. */
@Requirement({"H2", "H6"})
final class PoliciesTest {
  private static final String INTERVAL = EffectivePolicy.HEARTBEAT_INTERVAL;
  private static final String MISSED = Catalogue.MISSED_BEFORE_ALERT;

  private static final String WEB_RULE =
      "{name: web, action: allow, direction: incoming, protocol: tcp, destination-port: '@web'}";

  @TempDir java.nio.file.Path directory;

  private ManagerFixture fixture;

  @BeforeEach
  void start() {
    fixture = new ManagerFixture(directory);
  }

  @AfterEach
  void stop() throws Exception {
    fixture.close();
  }

  private Policies policies() {
    return fixture.services().policies();
  }

  @Test
  @Requirement({"D2", "D4"})
  void direction_thatTheWayOfAHostForbids_isRefusedAndNothingApplied() throws Exception {
    fixture.host("web-1").connect();
    fixture
        .services()
        .store()
        .commit(tx -> {
          tx.sessions()
              .path(
                  node("web-1").id(),
                  1,
                  Path.newBuilder()
                      .setKind(Path.Kind.PROXY)
                      .addHops(PathHop.newBuilder().setRole(Role.ROLE_PROXY).setName("dmz-1"))
                      .build());
          return 1;
        });
    Map<String, String> wanted = Map.of(EffectivePolicy.DIRECTION, "manager-initiated");

    assertThatThrownBy(() -> policies().setPolicy("ann", "base", wanted))
        .isInstanceOf(TowlineException.class)
        .hasMessageContaining("web-1 is reached through proxy dmz-1")
        .extracting(e -> ((TowlineException) e).remedy())
        .asString()
        .contains("agent-initiated", "connection.address");
    assertThat(policies().policy("base").settings()).isEmpty();

    policies()
        .setHost(
            "ann", node("web-1"), Map.of(Catalogue.CALL_ADDRESS, "web-1.example, 10.0.0.4:99"));
    policies().setPolicy("ann", "base", wanted);
    assertThat(policies().explain(node("web-1")).settings())
        .anyMatch(e -> e.value().equals("web-1.example,10.0.0.4:99"))
        .anyMatch(e -> e.value().equals("manager-initiated") && e.level().equals("policy base"));
  }

  @Test
  void change_whileInSession_isSentAtOnceAndOnlyWhenItDiffers() {
    FakeNode host = fixture.host("web-1");
    var session = host.connect();
    PolicyChange change = policies().setPolicy("ann", "base", Map.of(INTERVAL, "30s"));
    assertThat(change.getHostsToTell()).isEqualTo(1);
    assertThat(change.getHosts(0).getAfter()).isEqualTo("30s");

    Taken taken = session.takeDirective();
    SetPolicy sent = content(taken);
    assertThat(sent.getSettingsMap()).containsExactly(Map.entry(INTERVAL, "30s"));
    assertThat(new EffectivePolicy(sent.getSettingsMap()).fingerprint())
        .isEqualTo(sent.getFingerprint());
    // On its way, so not sent again; nor is what only the manager goes by.
    assertThat(policies().repair()).isZero();
    policies().setPolicy("ann", "base", Map.of(MISSED, "7"));
    session.accept(taken.directive());
    session.result(taken.directive(), Outcome.OUTCOME_SUCCEEDED, "");
    session.take(ManagerFrame::hasAck);

    var explained = policies().explain(node("web-1"));
    assertThat(explained.host().reported()).isEqualTo(sent.getFingerprint());
    assertThat(explained.host().sent()).isEmpty();
    assertThat(policies().repair()).isZero();
    assertThat(session.hasNone(ManagerFrame::hasDirective)).isTrue();
  }

  @Test
  void value_cleared_isSentAsAPolicyWithoutIt() {
    FakeNode host = fixture.host("web-1");
    var session = host.connect();
    policies().setHost("ann", node("web-1"), Map.of(INTERVAL, "30s"));
    finish(session, session.takeDirective());
    policies().setHost("ann", node("web-1"), Map.of(INTERVAL, Catalogue.INHERITED));
    Taken cleared = session.takeDirective();
    assertThat(content(cleared).getSettingsMap()).isEmpty();
    assertThat(content(cleared).getFingerprint().isEmpty()).isTrue();
    finish(session, cleared);
    assertThat(policies().explain(node("web-1")).settings().getFirst().level())
        .isEqualTo("default");
  }

  @Test
  void host_thatComesWithAnotherPolicy_isRepairedInItsSession() {
    policies().setPolicy("ann", "base", Map.of(INTERVAL, "30s"));
    FakeNode host = fixture.host("web-1");
    var session = host.connect();
    Taken taken = session.takeDirective();
    assertThat(taken.directive().getKind()).isEqualTo(DirectiveKind.DIRECTIVE_KIND_SET_POLICY);
    finish(session, taken);

    // A heartbeat that tells of another one: somebody else changed it there.
    session.send(
        AgentFrame.newBuilder()
            .setHeartbeat(
                Heartbeat.newBuilder()
                    .setNumber(2)
                    .setPolicyFingerprint(ByteString.copyFromUtf8("another")))
            .build());
    Await.until(
        "the reported fingerprint",
        BOUND,
        () ->
            policies()
                .explain(node("web-1"))
                .host()
                .reported()
                .equals(ByteString.copyFromUtf8("another")));
    assertThat(policies().repair()).isEqualTo(1);
    assertThat(content(session.takeDirective()).getSettingsMap()).containsEntry(INTERVAL, "30s");
  }

  @Test
  void changes_fastOneAfterTheOther_endWithTheLast() {
    FakeNode host = fixture.host("web-1");
    var session = host.connect();
    policies().setPolicy("ann", "base", Map.of(INTERVAL, "30s"));
    policies().setPolicy("ann", "base", Map.of(INTERVAL, Catalogue.INHERITED));
    Taken first = session.takeDirective();
    Taken second = session.takeDirective();
    finish(session, first);
    assertThat(policies().repair()).isZero();
    finish(session, second);
    assertThat(content(second).getSettingsMap()).isEmpty();
    assertThat(policies().explain(node("web-1")).host().reported().isEmpty()).isTrue();
    assertThat(policies().repair()).isZero();
  }

  @Test
  void history_ofALevel_namesAuthorsAndGoesBack() {
    policies().create("ann", "web", "", "the web");
    policies().setPolicy("ann", "web", Map.of(INTERVAL, "30s"));
    policies().setPolicy("bob", "web", Map.of(INTERVAL, "5m", MISSED, "0"));
    policies().revert("cid", Level.Kind.POLICY, "web", 2);
    List<Level> history = policies().history(Level.Kind.POLICY, "web");
    assertThat(history).extracting(Level::version).containsExactly(4L, 3L, 2L, 1L);
    assertThat(history).extracting(Level::author).containsExactly("cid", "bob", "ann", "ann");
    assertThat(history.get(1).change())
        .isEqualTo("heartbeat.interval: 30s -> 5m; " + MISSED + ": inherited -> 0");
    assertThat(policies().policy("web").settings()).containsExactly(Map.entry(INTERVAL, "30s"));
    fixture.restart();
    assertThat(policies().policy("web").settings()).containsExactly(Map.entry(INTERVAL, "30s"));
  }

  @Test
  void document_exported_appliesWithoutAnyDifference() {
    fixture.host("web-1");
    policies().create("ann", "web", "", "the web");
    policies().setPolicy("ann", "web", Map.of(INTERVAL, "30s"));
    policies().assign("ann", Selector.parse("web-1"), "web");
    policies().setHost("ann", node("web-1"), Map.of(MISSED, "unlimited"));
    String document = policies().document();
    PolicyChange same = policies().apply("ann", document, false);
    assertThat(same.getLevelsCount() + same.getHostsChanged()).isZero();
    assertThat(policies().history(Level.Kind.POLICY, "web")).hasSize(2);

    String other = document.replace("30s", "40s");
    PolicyChange would = policies().apply("ann", other, true);
    assertThat(would.getLevelsList())
        .singleElement()
        .satisfies(change -> {
          assertThat(change.getSubject()).isEqualTo("policy web");
          assertThat(change.getBefore() + change.getAfter()).isEqualTo("30s40s");
        });
    assertThat(would.getHostsList())
        .singleElement()
        .satisfies(change ->
            assertThat(change.getSubject() + change.getAfter()).isEqualTo("host web-140s"));
    assertThat(policies().document()).isEqualTo(document);
    assertThat(policies().apply("ann", other, false)).isEqualTo(would);
    assertThat(policies().document()).isEqualTo(other);
  }

  @Test
  void document_withMistakes_changesNothingAndNamesThem() {
    String document =
        """
        policies:
          web: {parents: base, settings: {heartbeat.interval: [1]}}
        host: {}
        """;
    assertThatThrownBy(() -> policies().apply("ann", document, false))
        .hasMessageContaining("policy document: unknown key host (expected: hosts, policies)")
        .hasMessageContaining("policies.web: unknown key parents")
        .hasMessageContaining("policies.web.settings.heartbeat.interval: no text");
    assertThatThrownBy(
            () -> policies().apply("ann", "policies: {a: {parent: b}, b: {parent: a}}", false))
        .hasMessageContaining("circle");
    assertThatThrownBy(() -> policies().apply("ann", "policies: {base: {parent: web}}", false))
        .hasMessageContaining("policy base: parent web (expected: none)");
    assertThat(policies().tree().policies()).hasSize(1);
  }

  @Test
  @Requirement("F3")
  void firewallRules_nameListsOfAnotherLevel_andReachTheHost() {
    var session = fixture.host("web-1").connect();
    policies().setPolicy("ann", "base", Map.of(FirewallPolicy.LISTS, "port: {web: [80, 443]}"));
    finish(session, session.takeDirective());
    policies()
        .setHost(
            "ann",
            node("web-1"),
            Map.of(FirewallPolicy.RULES, "- " + WEB_RULE, FirewallPolicy.ON, "yes"));

    Map<String, String> sent = content(session.takeDirective()).getSettingsMap();

    assertThat(sent.get(FirewallPolicy.RULES)).startsWith("[{\"name\":\"web\"");
    var rules =
        FirewallDocument.parse(FirewallPolicy.document(new EffectivePolicy(sent)).orElseThrow());
    assertThat(rules.agentPort()).as("it listens").hasValue(7118);
    assertThat(rules.rules())
        .singleElement()
        .satisfies(rule -> {
          assertThat(rule.name()).isEqualTo("web");
          assertThat(rule.destinationPorts()).hasSize(2);
        });
    String document = policies().document();
    assertThat(document).contains("name: \"web\"");
    policies().apply("ann", document, false);
    assertThat(policies().document()).isEqualTo(document);
  }

  @Test
  @Requirement("F3")
  void firewallRules_thatAListIsTakenFrom_keepIt() {
    policies().setPolicy("ann", "base", Map.of(FirewallPolicy.LISTS, "port: {web: [80, 443]}"));
    policies().create("ann", "web", "", "");
    policies()
        .setPolicy(
            "ann", "web", Map.of(FirewallPolicy.RULES, "- " + WEB_RULE, FirewallPolicy.ON, "yes"));

    assertThatThrownBy(() ->
            policies().setPolicy("ann", "base", Map.of(FirewallPolicy.LISTS, Catalogue.INHERITED)))
        .hasMessageContaining("policy web: firewall rules: rule 'web': destination-port: @web");
    assertThatThrownBy(
            () -> policies().setPolicy("ann", "base", Map.of(FirewallPolicy.RULES, "name: web")))
        .hasMessageContaining("firewall.rules: name: web (expected: YAML, a list of rules");
  }

  @Test
  void delete_policyInUse_isRefused() {
    fixture.host("web-1");
    policies().create("ann", "web", "", "");
    policies().create("ann", "web-eu", "web", "");
    policies().assign("ann", Selector.parse("web-1"), "web-eu");
    assertThatThrownBy(() -> policies().delete("ann", "base")).hasMessageContaining("stays");
    assertThatThrownBy(() -> policies().delete("ann", "web"))
        .hasMessageContaining("is the parent of [web-eu]");
    assertThatThrownBy(() -> policies().delete("ann", "web-eu"))
        .hasMessageContaining("is the one of 1 hosts");
    policies().assign("ann", Selector.parse("web-1"), "base");
    policies().delete("ann", "web-eu");
    policies().delete("ann", "web");
    assertThat(policies().tree().policies()).extracting(Level::name).containsExactly("base");
    assertThatThrownBy(() -> policies().assign("ann", Selector.parse("web-1"), "web"))
        .hasMessageContaining("policy: web does not exist");
  }

  private Node node(String name) {
    return fixture.services().hosts().host(name);
  }

  private static void finish(FakeNode.Session session, Taken taken) {
    session.accept(taken.directive());
    session.result(taken.directive(), Outcome.OUTCOME_SUCCEEDED, "");
    session.take(ManagerFrame::hasAck);
  }

  private static SetPolicy content(Taken taken) {
    try {
      return DirectiveContent.parseFrom(taken.signed().getContent()).getSetPolicy();
    } catch (InvalidProtocolBufferException e) {
      throw new AssertionError(e);
    }
  }
}
