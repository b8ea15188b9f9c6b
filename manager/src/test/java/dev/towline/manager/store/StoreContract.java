package dev.towline.manager.store;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import com.google.protobuf.ByteString;
import com.google.protobuf.InvalidProtocolBufferException;
import dev.towline.manager.actions.StoredAction;
import dev.towline.manager.alerts.Alert;
import dev.towline.manager.alerts.AlertKind;
import dev.towline.manager.alerts.AlertRoute;
import dev.towline.manager.directives.DirectiveState;
import dev.towline.manager.directives.NewDirective;
import dev.towline.manager.directives.QueuedDirective;
import dev.towline.manager.enrollment.EnrollmentToken;
import dev.towline.manager.enrollment.SourceNetworks;
import dev.towline.manager.events.EventRecord;
import dev.towline.manager.fleet.TrustStore;
import dev.towline.manager.logs.LogLevel;
import dev.towline.manager.logs.LogQuery;
import dev.towline.manager.logs.StoredLog;
import dev.towline.manager.nodes.Node;
import dev.towline.manager.nodes.NodeQuery;
import dev.towline.manager.nodes.Presence;
import dev.towline.manager.nodes.Selector;
import dev.towline.manager.policies.Level;
import dev.towline.manager.policies.PolicyStore;
import dev.towline.manager.proxies.ProxyCluster;
import dev.towline.manager.relays.RelayRecord;
import dev.towline.manager.session.SessionStore.Opening;
import dev.towline.manager.session.SessionStore.Seen;
import dev.towline.proto.v1.DirectiveKind;
import dev.towline.proto.v1.DirectiveResult;
import dev.towline.proto.v1.HostFacts;
import dev.towline.proto.v1.HostReport;
import dev.towline.proto.v1.LogBatch;
import dev.towline.proto.v1.LogRecord;
import dev.towline.proto.v1.Outcome;
import dev.towline.proto.v1.Path;
import dev.towline.proto.v1.RunAction;
import dev.towline.proto.v1.SignedResult;
import dev.towline.proto.v1.TargetState;
import dev.towline.runtime.identity.CertificateAuthority;
import dev.towline.runtime.identity.Keys;
import dev.towline.runtime.identity.NodeIdentity;
import dev.towline.runtime.identity.Role;
import dev.towline.testing.Requirement;
import java.security.SecureRandom;
import java.security.cert.X509Certificate;
import java.time.Clock;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.TreeMap;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.Executors;
import java.util.function.Consumer;
import java.util.function.Function;
import java.util.stream.IntStream;
import java.util.stream.LongStream;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;

/** What every store does, whatever the database. */
@Requirement("G3")
abstract class StoreContract {
  private Store store;

  /** An open store over an empty database. */
  abstract Store open() throws Exception;

  @BeforeEach
  void openStore() throws Exception {
    store = open();
  }

  @AfterEach
  void closeStore() {
    store.close();
  }

  @Test
  void node_created_isFoundAsItWas() {
    Node node = node("n1", "web-1", "web", List.of("blue", "a_b"));
    create(node);
    assertThat(one(tx -> tx.nodes().find("n1"))).contains(node);
    assertThat(one(tx -> tx.nodes().find("n2"))).isEmpty();
    assertThat(many(tx -> tx.nodes().named(Role.AGENT, "web-1"))).containsExactly(node);
    assertThat(many(tx -> tx.nodes().named(Role.PROXY, "web-1"))).isEmpty();
    assertThat(one(tx -> tx.nodes().enrolledWith("t1", "machine-n1"))).contains(node);
  }

  @Test
  void nodes_selector_findsOnlyThose() {
    create(node("n1", "web-1", "web", List.of("blue")));
    create(node("n2", "web-2", "web", List.of("blue-green")));
    create(node("n3", "db-1", "db", List.of("a_b")));
    assertThat(ids("group=web")).containsExactly("n1", "n2");
    assertThat(ids("tag=blue")).containsExactly("n1");
    assertThat(ids("tag=axb")).isEmpty();
    assertThat(ids("tag=a_b")).containsExactly("n3");
    assertThat(ids("db-1")).containsExactly("n3");
    assertThat(ids("n2")).containsExactly("n2");
    assertThat(ids("state=enrolled,group=db")).containsExactly("n3");
    assertThat(ids("state=online")).isEmpty();
    assertThat(ids("all")).containsExactly("n3", "n1", "n2");
    assertThat(number(tx -> tx.nodes().count(Role.AGENT, Selector.parse("group=web"))))
        .isEqualTo(2);
  }

  @Test
  void nodes_pages_giveEachOnce() {
    IntStream.range(0, 5).forEach(i -> create(node("n" + i, "same", "web", List.of())));
    List<String> seen = new ArrayList<>();
    Node last = null;
    do {
      Node after = last;
      List<Node> page =
          many(tx ->
              tx.nodes()
                  .list(
                      new NodeQuery(
                          Role.AGENT,
                          Selector.ALL,
                          after == null ? "" : after.name(),
                          after == null ? "" : after.id(),
                          2)));
      page.forEach(node -> seen.add(node.id()));
      last = page.isEmpty() ? null : page.getLast();
    } while (last != null);
    assertThat(seen).containsExactly("n0", "n1", "n2", "n3", "n4");
  }

  @Test
  void certificates_added_areKeptNewestFirst() {
    create(node("n1", "web-1", "web", List.of()));
    Clock clock = Clock.systemUTC();
    CertificateAuthority issuing =
        CertificateAuthority.newRoot("fleet", clock, new SecureRandom()).newIssuing();
    X509Certificate first = leaf(issuing);
    X509Certificate second = leaf(issuing);
    write(tx -> tx.nodes().addCertificate("n1", first, 1));
    write(tx -> tx.nodes().addCertificate("n1", second, 2));
    assertThat(many(tx -> tx.nodes().certificates("n1"))).containsExactly(second, first);
    assertThat(one(tx -> tx.nodes().find("n1")).orElseThrow().certificateExpiresMs())
        .isEqualTo(second.getNotAfter().getTime());
  }

  @Test
  @Requirement("T3")
  void trust_reported_isThatOfMembersOnly() {
    create(node("n1", "web-1", "web", List.of()));
    create(node("n2", "web-2", "web", List.of()));
    create(node("n3", "web-3", "web", List.of()));
    write(tx -> tx.nodes().revoke("n3", 5, "gone"));
    write(tx -> tx.trust().trusts("n1", List.of("aa", "bb"), 1));
    write(tx -> tx.trust().presented("n1", List.of("aa"), "cc", 2));
    write(tx -> tx.trust().trusts("n1", List.of("bb"), 3));
    write(tx -> tx.trust().trusts("nobody", List.of("bb"), 3));

    assertThat(many(tx -> tx.trust().members()))
        .containsExactly(
            new TrustStore.MemberTrust("n1", Role.AGENT, "web-1", 0, List.of("bb"), "cc"),
            new TrustStore.MemberTrust("n2", Role.AGENT, "web-2", 0, List.of(), ""));
  }

  @Test
  @Requirement("T3")
  void revokedCertificates_thatHaveEnded_areNotListed() {
    var one = new TrustStore.RevokedCertificate("01", "spiffe://f/agent/n1", 1, 100, "again");
    var two = new TrustStore.RevokedCertificate("02", "spiffe://f/agent/n1", 1, 200, "again");
    write(tx -> tx.trust().revokeCertificate(one));
    write(tx -> tx.trust().revokeCertificate(two));
    write(tx -> tx.trust().revokeCertificate(two));

    assertThat(many(tx -> tx.trust().revokedCertificates(100))).containsExactly(one, two);
    assertThat(many(tx -> tx.trust().revokedCertificates(101))).containsExactly(two);
  }

  @Test
  void revoke_node_keepsTheFirstTime() {
    create(node("n1", "web-1", "web", List.of()));
    write(tx -> tx.nodes().revoke("n1", 5, "stolen"));
    write(tx -> tx.nodes().revoke("n1", 9, "again"));
    assertThat(many(tx -> tx.nodes().revoked()))
        .singleElement()
        .satisfies(revoked -> {
          assertThat(revoked.revokedMs()).isEqualTo(5);
          assertThat(revoked.reason()).isEqualTo("stolen");
        });
  }

  @Test
  @Requirement("I2")
  void token_uses_areCountedUpToTheLimit() {
    EnrollmentToken token = token("t1", 2, 1000);
    write(tx -> tx.tokens().create(token, new byte[] {1, 2}));
    assertThat(one(tx -> tx.tokens().find("t1"))).contains(token);
    assertThat(one(tx -> tx.tokens().secret("t1")).orElseThrow()).containsExactly(1, 2);
    assertThat(store.<Boolean>commit(tx -> tx.tokens().use("t1", 10))).isTrue();
    assertThat(store.<Boolean>commit(tx -> tx.tokens().use("t1", 10))).isTrue();
    assertThat(store.<Boolean>commit(tx -> tx.tokens().use("t1", 10))).isFalse();
    write(tx -> tx.tokens().refused("t1", "TOKEN_USED_UP"));
    EnrollmentToken after = one(tx -> tx.tokens().find("t1")).orElseThrow();
    assertThat(after.uses()).isEqualTo(2);
    assertThat(after.lastUsedMs()).isEqualTo(10);
    assertThat(after.refusals()).isEqualTo(1);
    assertThat(after.lastRefusal()).isEqualTo("TOKEN_USED_UP");
  }

  @Test
  @Requirement("I2")
  void token_expiredOrRevoked_isNotUsed() {
    write(tx -> tx.tokens().create(token("t1", 0, 1000), new byte[] {1}));
    assertThat(store.<Boolean>commit(tx -> tx.tokens().use("t1", 1000))).isFalse();
    write(tx -> tx.tokens().revoke("t1", 5));
    assertThat(store.<Boolean>commit(tx -> tx.tokens().use("t1", 10))).isFalse();
  }

  @Test
  void session_generations_fenceOlderWriters() {
    create(node("n1", "web-1", "web", List.of()));
    assertThat(store.<Long>commit(tx -> tx.sessions().open(opening("n1", 0)))).isEqualTo(1);
    assertThat(store.<Long>commit(tx -> tx.sessions().open(opening("n1", 0)))).isEqualTo(2);
    assertThat(store.<Boolean>commit(tx -> tx.sessions().end("n1", 1, Presence.OFFLINE, 50)))
        .isFalse();
    assertThat(store.<Boolean>commit(tx -> tx.sessions().confirm("n1", 1))).isFalse();
    assertThat(store.<Boolean>commit(tx -> tx.sessions().confirm("n1", 2))).isTrue();
    assertThat(is(tx -> tx.sessions().isCurrent("n1", 1))).isFalse();
    write(tx -> tx.sessions().seen(List.of(new Seen("n1", 1, 99), new Seen("n1", 2, 77))));
    Node node = one(tx -> tx.nodes().find("n1")).orElseThrow();
    assertThat(node.lastSeenMs()).isEqualTo(77);
    assertThat(node.presence()).isEqualTo(Presence.ONLINE);
    assertThat(one(tx -> tx.sessions().find("n1")).orElseThrow().confirmedGeneration())
        .isEqualTo(2);
    assertThat(store.<List<String>>commit(tx -> tx.sessions().endSilent("m1", 77))).isEmpty();
    assertThat(store.<List<String>>commit(tx -> tx.sessions().endSilent("m1", 78)))
        .containsExactly("n1");
  }

  @Test
  void directives_sequence_comesFromTheTarget() {
    create(node("n1", "web-1", "web", List.of()));
    create(node("n2", "web-2", "web", List.of()));
    try (var executor = Executors.newVirtualThreadPerTaskExecutor()) {
      List<CompletableFuture<QueuedDirective>> added =
          IntStream.range(0, 200)
              .mapToObj(i ->
                  CompletableFuture.supplyAsync(
                      () ->
                          store.commit(tx ->
                              tx.directives().add(directive("d" + i, i % 2 == 0 ? "n1" : "n2"))),
                      executor))
              .toList();
      added.forEach(CompletableFuture::join);
    }
    for (String target : List.of("n1", "n2")) {
      assertThat(many(tx -> tx.directives().after(target, 0, 1000)))
          .extracting(QueuedDirective::sequence)
          .containsExactlyElementsOf(LongStream.rangeClosed(1, 100).boxed().toList());
    }
    assertThat(many(tx -> tx.directives().after("n1", 97, 2)))
        .extracting(QueuedDirective::sequence)
        .containsExactly(98L, 99L);
  }

  @Test
  void directives_forManyTargets_keepOrderAndSequences() {
    int hosts = 700;
    write(tx -> {
      for (int i = 0; i < hosts; i++) {
        tx.nodes().create(node("n" + i, "web-" + i, "web", List.of()));
      }
      tx.directives().add(directive("first", "n3"));
    });
    List<QueuedDirective> added =
        store.<List<QueuedDirective>>commit(tx ->
            tx.directives()
                .addAll(
                    IntStream.range(0, hosts).mapToObj(i -> directive("d" + i, "n" + i)).toList()));
    assertThat(added)
        .extracting(QueuedDirective::id)
        .containsExactlyElementsOf(IntStream.range(0, hosts).mapToObj(i -> "d" + i).toList());
    assertThat(added.get(3).sequence()).isEqualTo(2);
    assertThat(added.get(699).sequence()).isEqualTo(1);
    assertThat(many(tx -> tx.directives().after("n3", 1, 10))).containsExactly(added.get(3));
    assertThat(many(tx -> tx.directives().after("n699", 0, 10))).containsExactly(added.get(699));
  }

  @Test
  void directive_states_onlyMoveOn() {
    create(node("n1", "web-1", "web", List.of()));
    write(tx -> tx.directives().add(directive("d1", "n1")));
    write(tx -> tx.directives().accepted("n1", 1));
    assertThat(state("d1")).isEqualTo(DirectiveState.QUEUED);
    write(tx -> tx.directives().delivered("n1", 1));
    write(tx -> tx.directives().accepted("n1", 1));
    assertThat(state("d1")).isEqualTo(DirectiveState.ACCEPTED);
    write(tx -> tx.directives().delivered("n1", 1));
    assertThat(state("d1")).isEqualTo(DirectiveState.ACCEPTED);
    assertThat(
            store.<Boolean>commit(tx ->
                tx.directives().end("d1", DirectiveState.ENDED, Outcome.OUTCOME_CANCELLED, "", 5)))
        .isTrue();
    assertThat(
            store.<Boolean>commit(
                tx -> tx.directives().advance("n1", 1, DirectiveState.RUNNING, "")))
        .isFalse();
  }

  @Test
  void directives_expire_queuedSoonerThanDelivered() {
    create(node("n1", "web-1", "web", List.of()));
    write(tx -> tx.directives().add(directive("d1", "n1")));
    write(tx -> tx.directives().delivered("n1", 1));
    write(tx -> tx.directives().add(directive("d2", "n1")));
    assertThat(store.<List<QueuedDirective>>commit(tx -> tx.directives().expire(1001, 900, 10)))
        .extracting(QueuedDirective::id)
        .containsExactly("d2");
    assertThat(store.<List<QueuedDirective>>commit(tx -> tx.directives().expire(2000, 2000, 10)))
        .extracting(QueuedDirective::id)
        .containsExactly("d1");
  }

  @Test
  void result_storedTwice_countsOnce() {
    create(node("n1", "web-1", "web", List.of()));
    action("a1", "d1", "n1");
    SignedResult signed = result("d1", 1, Outcome.OUTCOME_SUCCEEDED, "hello");
    assertThat(save("n1", signed)).isTrue();
    assertThat(save("n1", signed)).isFalse();
    var target = many(tx -> tx.actions().targets("a1", true)).getFirst();
    assertThat(target.getState()).isEqualTo(TargetState.TARGET_STATE_ENDED);
    assertThat(target.getOutcome()).isEqualTo(Outcome.OUTCOME_SUCCEEDED);
    assertThat(target.getOutput().toStringUtf8()).isEqualTo("hello");
    assertThat(target.getHostName()).isEqualTo("web-1");
    assertThat(many(tx -> tx.actions().targets("a1", false)).getFirst().getOutput())
        .isEqualTo(ByteString.EMPTY);
    assertThat(is(tx -> tx.actions().ended("a1"))).isTrue();
  }

  @Test
  void interrupt_afterRollback_endsWhatHasNoResult() {
    create(node("n1", "web-1", "web", List.of()));
    action("a1", "d1", "n1");
    action("a2", "d2", "n1");
    write(tx -> tx.directives().delivered("n1", 1));
    assertThat(
            store.<List<QueuedDirective>>commit(
                tx -> tx.directives().interrupt("n1", 2, "rolled back", 7)))
        .extracting(QueuedDirective::id)
        .containsExactly("d1");
    assertThat(is(tx -> tx.actions().ended("a1"))).isTrue();
    assertThat(is(tx -> tx.actions().ended("a2"))).isFalse();
    assertThat(one(tx -> tx.sessions().find("n1")).orElseThrow().lastDelivered()).isEqualTo(1);
  }

  @Test
  void actions_list_isNewestFirstInPages() {
    for (int i = 0; i < 5; i++) {
      int number = i;
      write(tx -> tx.actions().create(storedAction("a" + number, number / 2, "key" + number)));
    }
    assertThat(many(tx -> tx.actions().list("", 3)))
        .extracting(StoredAction::id)
        .containsExactly("a4", "a3", "a2");
    assertThat(many(tx -> tx.actions().list("a2", 3)))
        .extracting(StoredAction::id)
        .containsExactly("a1", "a0");
    assertThat(one(tx -> tx.actions().withKey("key3")).orElseThrow().id()).isEqualTo("a3");
  }

  @Test
  void events_sameReport_isStoredOnce() {
    EventRecord event = new EventRecord(0, 5, "session.tampered", "n1", "bad record", "manager");
    write(tx -> tx.events().add(event, "r1"));
    write(tx -> tx.events().add(event, "r1"));
    write(tx -> tx.events().add(event, ""));
    write(tx -> tx.events().add(event, ""));
    List<EventRecord> all = many(tx -> tx.events().list("", "", 0, 10));
    assertThat(all).hasSize(3);
    assertThat(all.get(0).id()).isGreaterThan(all.get(1).id());
    assertThat(many(tx -> tx.events().list("", "", all.get(1).id(), 10))).hasSize(1);
    assertThat(many(tx -> tx.events().list("other", "", 0, 10))).isEmpty();
    assertThat(many(tx -> tx.events().list("", "n1", 0, 10))).hasSize(3);
  }

  @Test
  @Requirement("P1")
  void proxyCluster_created_isListedUntilDeleted() {
    ProxyCluster cluster = new ProxyCluster("dc1", "10.0.0.1", "first", 443, 8080, 9);
    write(tx -> tx.proxyClusters().create(cluster));
    assertThat(one(tx -> tx.proxyClusters().find("dc1"))).contains(cluster);
    assertThat(many(tx -> tx.proxyClusters().list())).containsExactly(cluster);
    write(tx -> tx.proxyClusters().delete("dc1"));
    assertThat(many(tx -> tx.proxyClusters().list())).isEmpty();
  }

  @Test
  @Requirement("R2")
  void relays_paired_areToldWithTheirKeysUntilCertified() {
    write(tx -> tx.relays().save(new RelayRecord("p", "parent", true, "", "", 1, 2, 4, 3)));
    write(tx -> tx.relays().save(new RelayRecord("c", "child", false, "a:1", "b", 1, 2, 4, 3)));
    write(tx -> tx.relays().pair("p", "c", new byte[] {7}));
    assertThat(many(tx -> tx.relays().pairsOfParent("p")).getFirst().pairingKey())
        .containsExactly(7);
    write(tx -> tx.relays().forgetPairingKey("c"));
    assertThat(many(tx -> tx.relays().pairs()).getFirst().pairingKey()).isEmpty();
    write(tx -> tx.relays().save(new RelayRecord("c", "child", false, "x:9", "b", 1, 2, 4, 3)));
    assertThat(one(tx -> tx.relays().named("child")).orElseThrow().dialAddress()).isEqualTo("x:9");
  }

  @Test
  @Requirement("H2")
  void policyLevel_saved_isReplacedAndKeptAsAVersion() {
    assertThat(many(tx -> tx.policies().levels())).extracting(Level::name).containsExactly("base");
    Level first = level(1, Map.of("a", "1"), "ann");
    Level second = level(2, Map.of("b", "2"), "bob");
    write(tx -> tx.policies().save(first));
    write(tx -> tx.policies().save(second));
    assertThat(one(tx -> tx.policies().find(Level.Kind.POLICY, "web"))).contains(second);
    assertThat(one(tx -> tx.policies().find(Level.Kind.HOST, "web"))).isEmpty();
    assertThat(many(tx -> tx.policies().history(Level.Kind.POLICY, "web")))
        .containsExactly(second, first);
    write(tx -> tx.policies().delete(Level.Kind.POLICY, "web"));
    assertThat(one(tx -> tx.policies().find(Level.Kind.POLICY, "web"))).isEmpty();
    assertThat(store.<Long>read(tx -> tx.policies().lastVersion(Level.Kind.POLICY, "web")))
        .isEqualTo(2);
    assertThat(store.<Long>read(tx -> tx.policies().lastVersion(Level.Kind.HOST, "web"))).isZero();
  }

  @Test
  @Requirement("H6")
  void hostPolicy_sentAndReported_areKeptApart() {
    create(node("n1", "web-1", "web", List.of()));
    ByteString one = ByteString.copyFromUtf8("one");
    ByteString two = ByteString.copyFromUtf8("two");
    assertThat(hostPolicy().reported().isEmpty()).isTrue();
    assertThat(hostPolicy().sent()).isEmpty();
    write(tx -> tx.policies().sent(List.of("n1"), one, 5));
    write(tx -> tx.policies().sent(List.of("n1"), two, 6));
    write(tx -> tx.policies().reported("n1", one));
    assertThat(hostPolicy().reported()).isEqualTo(one);
    assertThat(hostPolicy().sent()).contains(two);
    write(tx -> tx.policies().reported("n1", two));
    assertThat(hostPolicy().sent()).isEmpty();
    write(tx -> tx.policies().sent(List.of("n1"), ByteString.EMPTY, 7));
    assertThat(hostPolicy().sent()).contains(ByteString.EMPTY);
    write(tx -> tx.policies().nothingSent("n1"));
    assertThat(hostPolicy().sent()).isEmpty();
    write(tx -> tx.policies().assign("n1", "web"));
    assertThat(hostPolicy().policy()).isEqualTo("web");
    write(tx -> tx.nodes().revoke("n1", 5, "stolen"));
    assertThat(one(tx -> tx.policies().host("n1"))).isEmpty();
  }

  private PolicyStore.HostPolicy hostPolicy() {
    return one(tx -> tx.policies().host("n1")).orElseThrow();
  }

  private static Level level(long version, Map<String, String> settings, String author) {
    return new Level(
        Level.Kind.POLICY,
        "web",
        "base",
        "the web",
        new TreeMap<>(settings),
        version,
        7,
        author,
        "changed");
  }

  @Test
  @Requirement("H1")
  void hostReports_saved_areTheLatest() {
    create(node("n1", "web-1", "web", List.of()));
    HostReport first = HostReport.newBuilder().setIntervalMs(5000).build();
    HostReport second = first.toBuilder().putCounters("actions.ended", 7).build();
    write(tx -> tx.heartbeats().save(Map.of("n1", first)));
    write(tx -> tx.heartbeats().save(Map.of("n1", second)));
    assertThat(store.<Map<String, HostReport>>read(tx -> tx.heartbeats().reports()))
        .containsExactly(Map.entry("n1", second));
    assertThat(many(tx -> tx.heartbeats().hosts()))
        .extracting(known -> known.name() + " " + known.presence())
        .containsExactly("web-1 NEW");
  }

  @Test
  @Requirement("H3")
  void alert_openOnce_andClearedOnce() {
    create(node("n1", "web-1", "web", List.of()));
    Alert alert = new Alert(0, AlertKind.AGENT_STOPPED, "n1", "web-1", "gone", 5, 5, 1, 0, "", 0);
    long id = store.<Long>commit(tx -> tx.alerts().raise(alert));
    assertThatThrownBy(() -> write(tx -> tx.alerts().raise(alert))).isNotNull();
    assertThat(one(tx -> tx.alerts().open(AlertKind.AGENT_STOPPED, "n1")).orElseThrow().id())
        .isEqualTo(id);
    assertThat(many(tx -> tx.alerts().single(AlertKind.AGENT_STOPPED, 5))).hasSize(1);
    assertThat(many(tx -> tx.alerts().single(AlertKind.AGENT_STOPPED, 6))).isEmpty();
    write(tx -> tx.alerts().join(id, 99));
    assertThat(store.<Integer>read(tx -> tx.alerts().membersOf(99))).isEqualTo(1);
    assertThat(many(tx -> tx.alerts().list(false, false, "", 0, 9))).isEmpty();
    assertThat(store.<Boolean>commit(tx -> tx.alerts().clear(id, 9, "ann"))).isTrue();
    assertThat(store.<Boolean>commit(tx -> tx.alerts().clear(id, 9, ""))).isFalse();
    assertThat(one(tx -> tx.alerts().open(AlertKind.AGENT_STOPPED, "n1"))).isEmpty();
    assertThat(many(tx -> tx.alerts().standing())).extracting(Alert::id).containsExactly(id);
    long again = store.<Long>commit(tx -> tx.alerts().raise(alert));
    assertThat(again).isGreaterThan(id);
    write(tx -> tx.alertRoutes().save(new AlertRoute("log", "syslog+udp://h", "", 1, 0, "")));
    write(tx -> tx.alertRoutes().send("log", id, "raised", 10));
    write(tx -> tx.alertRoutes().send("log", again, "raised", 11));
    long first = many(tx -> tx.alertRoutes().due(11, 9)).getFirst().id();
    write(tx -> tx.alertRoutes().later(first, 20));
    assertThat(many(tx -> tx.alertRoutes().due(15, 9))).as("waits for the first").isEmpty();
    assertThat(many(tx -> tx.alertRoutes().due(20, 9))).hasSize(2);
    write(tx -> tx.alertRoutes().done(first));
    assertThat(many(tx -> tx.alertRoutes().due(20, 9))).hasSize(1);
    write(tx -> tx.alertRoutes().delete("log"));
    assertThat(many(tx -> tx.alertRoutes().due(20, 9))).isEmpty();
  }

  @Test
  void fleetValue_counter_startsAtOne() {
    assertThat(store.<Long>commit(tx -> tx.fleet().next("list"))).isEqualTo(1);
    assertThat(store.<Long>commit(tx -> tx.fleet().next("list"))).isEqualTo(2);
    write(tx -> tx.fleet().put("name", "x"));
    assertThat(one(tx -> tx.fleet().value("name"))).contains("x");
  }

  @Test
  void write_failingWork_changesNothingAndFailsAlone() {
    create(node("n1", "web-1", "web", List.of()));
    List<CompletableFuture<String>> works = new ArrayList<>();
    for (int i = 0; i < 20; i++) {
      int number = i;
      works.add(
          store.write(tx -> {
            tx.fleet().put("value" + number, "x");
            if (number % 5 == 0) {
              throw new IllegalStateException("refused " + number);
            }
            return "done";
          }));
    }
    for (int i = 0; i < 20; i++) {
      int number = i;
      if (i % 5 == 0) {
        assertThatThrownBy(() -> works.get(number).join()).hasMessageContaining("refused");
      } else {
        assertThat(works.get(i).join()).isEqualTo("done");
      }
      assertThat(one(tx -> tx.fleet().value("value" + number)).isPresent())
          .isEqualTo(number % 5 != 0);
    }
  }

  private <T> Optional<T> one(Function<Tx, Optional<T>> query) {
    return store.read(query);
  }

  private <T> List<T> many(Function<Tx, List<T>> query) {
    return store.read(query);
  }

  private boolean is(Function<Tx, Boolean> query) {
    return store.read(query);
  }

  private int number(Function<Tx, Integer> query) {
    return store.read(query);
  }

  private void write(Consumer<Tx> work) {
    store.commit(tx -> {
      work.accept(tx);
      return true;
    });
  }

  private void create(Node node) {
    write(tx -> tx.nodes().create(node));
  }

  private List<String> ids(String selector) {
    return store
        .read(tx -> tx.nodes().list(NodeQuery.all(Role.AGENT, Selector.parse(selector))))
        .stream()
        .map(Node::id)
        .toList();
  }

  private DirectiveState state(String id) {
    return one(tx -> tx.directives().find(id)).orElseThrow().state();
  }

  private void action(String id, String directive, String target) {
    write(tx -> tx.actions().create(storedAction(id, 1, "")));
    write(tx ->
        tx.directives()
            .add(
                new NewDirective(
                    directive,
                    target,
                    DirectiveKind.DIRECTIVE_KIND_NO_OP,
                    ByteString.EMPTY,
                    1,
                    1000,
                    id,
                    DirectiveState.QUEUED)));
  }

  private boolean save(String node, SignedResult signed) {
    return store.commit(tx -> {
      try {
        return tx.directives()
            .saveResult(node, DirectiveResult.parseFrom(signed.getResult()), signed, 3);
      } catch (InvalidProtocolBufferException e) {
        throw new IllegalStateException(e);
      }
    });
  }

  private static SignedResult result(String directive, long record, Outcome outcome, String out) {
    return SignedResult.newBuilder()
        .setResult(
            DirectiveResult.newBuilder()
                .setDirectiveId(directive)
                .setEpoch(1)
                .setRecordSequence(record)
                .setOutcome(outcome)
                .setOutput(ByteString.copyFromUtf8(out))
                .build()
                .toByteString())
        .setSignature(ByteString.copyFromUtf8("signature"))
        .build();
  }

  private static StoredAction storedAction(String id, long createdMs, String key) {
    return new StoredAction(
        id, "all", true, RunAction.getDefaultInstance(), "admin", createdMs, 9, key, "");
  }

  private static NewDirective directive(String id, String target) {
    return new NewDirective(
        id,
        target,
        DirectiveKind.DIRECTIVE_KIND_NO_OP,
        ByteString.EMPTY,
        1,
        1000,
        "",
        DirectiveState.QUEUED);
  }

  private static Opening opening(String node, long confirmed) {
    return new Opening(
        node, "m1", "b1", 1, 0, confirmed, Path.getDefaultInstance(), "TLSv1.3", "suite", 40);
  }

  @Test
  @Requirement("P7")
  void logs_thatComeAgainOrOverlap_areStoredOnce() {
    assertThat(addLogs(7, 1, 3)).isEqualTo(3);
    assertThat(addLogs(7, 1, 3)).isZero();
    assertThat(addLogs(7, 6, 7)).isEqualTo(2);
    assertThat(addLogs(7, 2, 6)).isEqualTo(2);
    assertThat(addLogs(8, 1, 1)).isEqualTo(1);
    assertThat(logs("n1", 0, 0).stream().map(log -> log.epoch() + "/" + log.sequence()))
        .containsExactly("8/1", "7/5", "7/4", "7/7", "7/6", "7/3", "7/2", "7/1");
    assertThat(logs("n2", 0, 0)).isEmpty();
    long third = logs("n1", 0, 0).get(2).id();
    assertThat(logs("n1", third, 0)).hasSize(5);
    assertThat(logs("n1", 0, third).getFirst().id()).isGreaterThan(third);
    int removed = store.commit(tx -> tx.logs().prune(0, 2, 3));
    assertThat(removed).isEqualTo(3);
    assertThat(logs("n1", 0, 0)).hasSize(5);
    // Gone, but known.
    assertThat(addLogs(7, 1, 3)).isZero();
  }

  private int addLogs(long epoch, int first, int last) {
    LogBatch.Builder batch = LogBatch.newBuilder().setEpoch(epoch).setFirstSequence(first);
    for (int i = first; i <= last; i++) {
      batch.addRecords(LogRecord.newBuilder().setLevel("WARN").setMessage("line " + i));
    }
    return store.commit(tx -> tx.logs().add("n1", batch.build(), 1_000));
  }

  private List<StoredLog> logs(String node, long before, long after) {
    return store.read(
        tx -> tx.logs().list(new LogQuery(node, LogLevel.WARN, "", 0, false, before, after, 100)));
  }

  private static X509Certificate leaf(CertificateAuthority issuing) {
    return issuing.issueLeaf(
        new NodeIdentity("fleet", Role.AGENT, "n1"),
        Keys.newP256(new SecureRandom()).getPublic(),
        Duration.ofDays(1));
  }

  private static EnrollmentToken token(String id, int maxUses, long expiresMs) {
    return new EnrollmentToken(
        id,
        Role.AGENT,
        "linux",
        "",
        "",
        "web",
        "eu",
        "",
        List.of("a", "b"),
        "",
        "",
        true,
        1,
        "admin",
        expiresMs,
        maxUses,
        0,
        0,
        0,
        0,
        "",
        "strict",
        SourceNetworks.of(List.of("10.0.0.0/8", "fd00::/8")));
  }

  private static Node node(String id, String name, String group, List<String> tags) {
    return new Node(
        id,
        Role.AGENT,
        name,
        group,
        "eu",
        "provider",
        tags,
        "",
        "t1",
        HostFacts.newBuilder().setHostName(name).setMachineId("machine-" + id).build(),
        1,
        0,
        0,
        "",
        Presence.NEW,
        0,
        0,
        Path.getDefaultInstance(),
        "",
        "",
        "strict",
        "");
  }
}
