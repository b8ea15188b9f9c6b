package dev.towline.manager.session;

import static dev.towline.manager.testing.ManagerFixture.BOUND;
import static org.assertj.core.api.Assertions.assertThat;

import com.google.protobuf.ByteString;
import dev.towline.manager.actions.ActionWatch;
import dev.towline.manager.actions.NewAction;
import dev.towline.manager.nodes.Presence;
import dev.towline.manager.testing.FakeNode;
import dev.towline.manager.testing.FakeNode.Taken;
import dev.towline.manager.testing.ManagerFixture;
import dev.towline.proto.v1.Action;
import dev.towline.proto.v1.ActionEvent;
import dev.towline.proto.v1.ActionOutput;
import dev.towline.proto.v1.ActionTarget;
import dev.towline.proto.v1.AgentFrame;
import dev.towline.proto.v1.DirectiveKind;
import dev.towline.proto.v1.DirectiveReceipt;
import dev.towline.proto.v1.DirectiveResult;
import dev.towline.proto.v1.Goodbye;
import dev.towline.proto.v1.Heartbeat;
import dev.towline.proto.v1.HostState;
import dev.towline.proto.v1.ManagerFrame;
import dev.towline.proto.v1.Outcome;
import dev.towline.proto.v1.Path;
import dev.towline.proto.v1.RenewCertificate;
import dev.towline.proto.v1.RunAction;
import dev.towline.proto.v1.SecurityEvent;
import dev.towline.proto.v1.TargetState;
import dev.towline.proto.v1.TunnelReport;
import dev.towline.runtime.directive.DirectiveVerdict;
import dev.towline.runtime.directive.DirectiveVerifier;
import dev.towline.runtime.identity.CertificateRequests;
import dev.towline.runtime.identity.Certificates;
import dev.towline.runtime.identity.Keys;
import dev.towline.runtime.identity.PeerVerifier;
import dev.towline.runtime.identity.Revocations;
import dev.towline.testing.Await;
import dev.towline.testing.Promised;
import dev.towline.testing.Requirement;
import java.security.KeyPair;
import java.security.SecureRandom;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** Sessions of a whole manager with a scripted node at the other end. */
final class SessionTest {
  /** What is required of a revocation (T3). */
  private static final Duration REVOKED_WITHIN = Promised.within(Duration.ofSeconds(5));

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

  @Test
  @Requirement("H1")
  void hello_firstSession_isWelcomedAndOnline() {
    FakeNode host = fixture.host("web-1");
    var session = host.connect();

    assertThat(session.welcome().getGeneration()).isEqualTo(1);
    assertThat(session.welcome().getStateRolledBack()).isFalse();
    var node = fixture.services().hosts().host("web-1");
    assertThat(node.state()).isEqualTo(HostState.HOST_STATE_ONLINE);
    assertThat(node.group()).isEqualTo("web");
    assertThat(node.path().getKind()).isEqualTo(Path.Kind.DIRECT);
    assertThat(node.tlsProtocol()).isEqualTo("TLSv1.3");
    assertThat(fixture.services().hosts().list("tag=blue,state=online", 0, "").total())
        .isEqualTo(1);
  }

  @Test
  @Requirement("H1")
  void heartbeat_ackWanted_isAcknowledged() {
    var session = fixture.host("web-1").connect();
    session.send(
        AgentFrame.newBuilder()
            .setHeartbeat(Heartbeat.newBuilder().setNumber(1).setAckWanted(true))
            .build());
    assertThat(session.take(ManagerFrame::hasHeartbeatAck).getHeartbeatAck().getNumber())
        .isEqualTo(1);
  }

  @Test
  void heartbeat_beforeHello_isAnEventAndEndsTheSession() {
    var session = fixture.host("web-1").dial();
    session.send(AgentFrame.newBuilder().setHeartbeat(Heartbeat.getDefaultInstance()).build());
    assertThat(session.take(ManagerFrame::hasClosed).getClosed().getCode())
        .isEqualTo("HELLO_EXPECTED");
    fixture.event("heartbeat.unauthenticated");
  }

  @Test
  void goodbye_stop_isStopped() {
    var session = fixture.host("web-1").connect();
    session.send(
        AgentFrame.newBuilder()
            .setGoodbye(Goodbye.newBuilder().setReason(Goodbye.Reason.AGENT_STOP))
            .build());
    awaitPresence("web-1", Presence.STOPPED);
  }

  @Test
  void transport_lost_isOffline() {
    var session = fixture.host("web-1").connect();
    session.drop();
    awaitPresence("web-1", Presence.OFFLINE);
  }

  @Test
  void hello_sameBoot_supersedes() {
    FakeNode host = fixture.host("web-1");
    var first = host.connect();
    var second = host.connect();
    assertThat(second.welcome().getGeneration()).isEqualTo(2);
    assertThat(first.take(ManagerFrame::hasClosed).getClosed().getCode())
        .isEqualTo("SESSION_SUPERSEDED");
    assertThat(fixture.services().hosts().host("web-1").presence()).isEqualTo(Presence.ONLINE);
  }

  @Test
  void directive_noOp_isSignedForThisSessionAndItsResultStoredOnce() throws Exception {
    FakeNode host = fixture.host("web-1");
    var session = host.connect();
    Action action = noOp("web-1");
    Taken taken = session.takeDirective();

    var verifier =
        new DirectiveVerifier(
            host.identity().identity(),
            new PeerVerifier(
                () -> fixture.services().fleet().anchors(), Revocations.NONE, fixture.clock()));
    assertThat(
            verifier.verify(
                taken.signed(),
                new DirectiveVerifier.Situation(session.nonce(), 0, 0, fixture.clock().instant())))
        .isInstanceOf(DirectiveVerdict.Accept.class);

    session.accept(taken.directive());
    DirectiveResult result = session.result(taken.directive(), Outcome.OUTCOME_SUCCEEDED, "");
    assertThat(session.take(ManagerFrame::hasAck).getAck().getSequence()).isEqualTo(1);
    assertThat(awaitEnded(action.getId()).getTargets(0).getOutcome())
        .isEqualTo(Outcome.OUTCOME_SUCCEEDED);

    // The acknowledgement was lost, say: the same record comes again with another outcome.
    session.send(
        result.toBuilder().setOutcome(Outcome.OUTCOME_FAILED).build(), host.identity().key());
    session.take(ManagerFrame::hasAck);
    assertThat(awaitEnded(action.getId()).getTargets(0).getOutcome())
        .isEqualTo(Outcome.OUTCOME_SUCCEEDED);
  }

  @Test
  void directives_queuedWhileOffline_arriveInOrder() {
    FakeNode host = fixture.host("web-1");
    for (int i = 0; i < 5; i++) {
      noOp("web-1");
    }
    var session = host.connect();
    noOp("web-1");
    for (int sequence = 1; sequence <= 6; sequence++) {
      Taken taken = session.takeDirective();
      assertThat(taken.directive().getSequence()).isEqualTo(sequence);
      assertThat(taken.directive().getPredecessor()).isEqualTo(sequence - 1);
    }
  }

  @Test
  void directives_moreThanTheWindow_allArrive() {
    FakeNode host = fixture.host("web-1");
    int count = SessionOpening.WINDOW + 50;
    for (int i = 0; i < count; i++) {
      noOp("web-1");
    }
    var session = host.connect();
    for (int sequence = 1; sequence <= count; sequence++) {
      Taken taken = session.takeDirective();
      assertThat(taken.directive().getSequence()).isEqualTo(sequence);
      session.accept(taken.directive());
    }
  }

  @Test
  void directive_expiredBeforeDelivery_becomesASignedSkip() {
    FakeNode host = fixture.host("web-1");
    Action action =
        fixture
            .services()
            .actions()
            .create(
                new NewAction(
                    "web-1", true, RunAction.getDefaultInstance(), Duration.ofMillis(1), "t", ""));
    noOp("web-1");
    Await.until(
        "expiry",
        BOUND,
        () ->
            fixture.services().actions().action(action.getId()).getTargets(0).getState()
                == TargetState.TARGET_STATE_EXPIRED);
    var session = host.connect();
    assertThat(session.takeDirective().directive().getKind())
        .isEqualTo(DirectiveKind.DIRECTIVE_KIND_SKIP);
    assertThat(session.takeDirective().directive().getKind())
        .isEqualTo(DirectiveKind.DIRECTIVE_KIND_NO_OP);
  }

  @Test
  void cancel_beforeDelivery_becomesASkipAndAfterItAnOrder() {
    FakeNode host = fixture.host("web-1");
    Action withdrawn = noOp("web-1");
    assertThat(fixture.services().actions().cancel(withdrawn.getId()).getTargets(0).getOutcome())
        .isEqualTo(Outcome.OUTCOME_CANCELLED);
    var session = host.connect();
    Taken skip = session.takeDirective();
    assertThat(skip.directive().getKind()).isEqualTo(DirectiveKind.DIRECTIVE_KIND_SKIP);
    session.accept(skip.directive());

    Action running = noOp("web-1");
    session.accept(session.takeDirective().directive());
    fixture.services().actions().cancel(running.getId());
    assertThat(session.takeDirective().directive().getKind())
        .isEqualTo(DirectiveKind.DIRECTIVE_KIND_CANCEL_ACTION);
  }

  @Test
  void result_ofAnotherKey_isAnEventAndNotStored() {
    FakeNode host = fixture.host("web-1");
    var session = host.connect();
    Action action = noOp("web-1");
    Taken taken = session.takeDirective();
    DirectiveResult result =
        DirectiveResult.newBuilder()
            .setDirectiveId(taken.directive().getId())
            .setAgent(host.identity().identity().uri())
            .setEpoch(1)
            .setRecordSequence(1)
            .setOutcome(Outcome.OUTCOME_SUCCEEDED)
            .build();
    session.send(result, Keys.newP256(new SecureRandom()).getPrivate());
    fixture.event("result.forged");
    assertThat(fixture.services().actions().action(action.getId()).getEnded()).isFalse();
  }

  @Test
  void state_rolledBack_startsANewEpochAndNothingRunsTwice() {
    FakeNode host = fixture.host("web-1");
    var session = host.connect();
    Action action = noOp("web-1");
    session.accept(session.takeDirective().directive());
    Await.until(
        "acceptance",
        BOUND,
        () ->
            fixture.services().actions().action(action.getId()).getTargets(0).getState()
                == TargetState.TARGET_STATE_ACCEPTED);
    session.drop();
    awaitPresence("web-1", Presence.OFFLINE);

    host.lastAccepted = 0;
    var restored = host.connect();
    assertThat(restored.welcome().getStateRolledBack()).isTrue();
    assertThat(restored.welcome().getLastAcceptedDirective()).isEqualTo(1);
    assertThat(restored.welcome().getNextEpoch()).isEqualTo(2);
    assertThat(awaitEnded(action.getId()).getTargets(0).getOutcome())
        .isEqualTo(Outcome.OUTCOME_INTERRUPTED);
    noOp("web-1");
    assertThat(restored.takeDirective().directive().getSequence()).isEqualTo(2);
  }

  @Test
  void clone_anotherBootBesideALiveSession_isInQuarantine() {
    FakeNode host = fixture.host("web-1");
    var original = host.connect();
    host.rebooted("boot-2");
    long before = host.lastGeneration;
    var clone = host.connect();
    assertThat(clone.welcome().getGeneration()).isEqualTo(before);
    original.send(AgentFrame.newBuilder().setHeartbeat(Heartbeat.getDefaultInstance()).build());
    fixture.event("clone.suspected");
    noOp("web-1");
    original.takeDirective();
    assertThat(clone.hasNone(ManagerFrame::hasDirective)).isTrue();
  }

  @Test
  void host_rebootedFasterThanItsSessionDied_isHeardAgainWhenThatEnds() {
    FakeNode host = fixture.host("web-1");
    var original = host.connect();
    host.rebooted("boot-2");
    var newcomer = host.connect();
    original.drop();
    newcomer.take(ManagerFrame::hasRetryAfter);
    awaitPresence("web-1", Presence.OFFLINE);
    assertThat(host.connect().welcome().getGeneration()).isEqualTo(2);
    assertThat(fixture.events("clone.suspected")).isEmpty();
  }

  @Test
  void clone_generationGoingBack_isInQuarantineUntilReleased() {
    FakeNode host = fixture.host("web-1");
    for (int i = 0; i < 2; i++) {
      var session = host.connect();
      session.send(
          AgentFrame.newBuilder().setHeartbeat(Heartbeat.newBuilder().setAckWanted(true)).build());
      session.take(ManagerFrame::hasHeartbeatAck);
      session.drop();
      awaitPresence("web-1", Presence.OFFLINE);
    }
    host.lastGeneration = 1;
    host.rebooted("boot-2");
    host.connect();
    fixture.event("clone.suspected");
    assertThat(fixture.services().hosts().host("web-1").state())
        .isEqualTo(HostState.HOST_STATE_QUARANTINED);

    fixture.services().sessions().release(host.id());
    assertThat(host.connect().welcome().getGeneration()).isEqualTo(3);
  }

  @Test
  @Requirement("T3")
  void revoke_liveSession_isCutAndStaysOut() throws Exception {
    FakeNode host = fixture.host("web-1");
    FakeNode witness = fixture.host("web-2");
    var session = host.connect();
    var other = witness.connect();
    long from = System.nanoTime();
    fixture.services().sessions().revoke(host.id(), "stolen");
    assertThat(session.take(ManagerFrame::hasClosed).getClosed().getCode())
        .isEqualTo("CERTIFICATE_REVOKED");
    other.take(ManagerFrame::hasRevocations);
    assertThat(Duration.ofNanos(System.nanoTime() - from)).isLessThan(REVOKED_WITHIN);
    var again = host.dial();
    again.hello();
    assertThat(again.ended()).isTrue();
    assertThat(again.hasNone(ManagerFrame::hasWelcome)).isTrue();
    assertThat(fixture.services().hosts().host("web-1").state())
        .isEqualTo(HostState.HOST_STATE_REVOKED);
  }

  @Test
  @Requirement("T3")
  void renew_newKey_isCertifiedForTheSameIdentity() {
    FakeNode host = fixture.host("web-1");
    var session = host.connect();
    session.send(
        AgentFrame.newBuilder()
            .setRenew(
                RenewCertificate.newBuilder()
                    .setCertificateRequest(
                        ByteString.copyFrom(
                            CertificateRequests.create(Keys.newP256(new SecureRandom())))))
            .build());
    var chain =
        Certificates.fromProto(session.take(ManagerFrame::hasRenewed).getRenewed().getChainList());
    assertThat(PeerVerifier.identityOf(chain.getFirst())).contains(host.identity().identity());

    session.send(
        AgentFrame.newBuilder()
            .setRenew(
                RenewCertificate.newBuilder().setCertificateRequest(ByteString.copyFromUtf8("no")))
            .build());
    fixture.event("renewal.refused");
  }

  @Test
  @Requirement("T2")
  void renew_rsaKeyAlone_isCertifiedBesideTheUsualOne() {
    FakeNode host = fixture.host("web-1");
    var session = host.connect();
    session.send(rsaRequest(Keys.newRsa(new SecureRandom())));

    var renewed = session.take(ManagerFrame::hasRenewed).getRenewed();

    assertThat(renewed.getChainList()).isEmpty();
    var chain = Certificates.fromProto(renewed.getRsaChainList());
    assertThat(chain.getFirst().getPublicKey().getAlgorithm()).isEqualTo("RSA");
    assertThat(PeerVerifier.identityOf(chain.getFirst())).contains(host.identity().identity());

    session.send(rsaRequest(Keys.newP256(new SecureRandom())));
    fixture.event("renewal.refused");
  }

  private static AgentFrame rsaRequest(KeyPair key) {
    return AgentFrame.newBuilder()
        .setRenew(
            RenewCertificate.newBuilder()
                .setRsaCertificateRequest(ByteString.copyFrom(CertificateRequests.create(key))))
        .build();
  }

  @Test
  void securityEvent_reportedTwice_isStoredOnceAndAcknowledged() {
    FakeNode host = fixture.host("web-1");
    var session = host.connect();
    for (int i = 0; i < 2; i++) {
      session.send(
          AgentFrame.newBuilder()
              .setSecurityEvent(SecurityEvent.newBuilder().setCode("directive.forged").setId("e-1"))
              .build());
      assertThat(session.take(ManagerFrame::hasAck).getAck().getId()).isEqualTo("e-1");
    }
    assertThat(fixture.events("directive.forged")).hasSize(1);
    assertThat(fixture.events("directive.forged").getFirst().reporter())
        .isEqualTo(host.identity().identity().uri());
  }

  @Test
  void watch_action_tellsStatesOutputAndEnd() throws Exception {
    FakeNode host = fixture.host("web-1");
    var session = host.connect();
    Action action =
        fixture
            .services()
            .actions()
            .create(
                new NewAction(
                    "group=web",
                    false,
                    RunAction.newBuilder().addCommand("uname").build(),
                    Duration.ZERO,
                    "t",
                    "key"));
    assertThat(
            fixture
                .services()
                .actions()
                .create(
                    new NewAction(
                        "group=web",
                        false,
                        RunAction.newBuilder().addCommand("uname").build(),
                        Duration.ZERO,
                        "t",
                        "key"))
                .getId())
        .isEqualTo(action.getId());
    try (ActionWatch watch = fixture.services().actions().watch(action.getId())) {
      Taken taken = session.takeDirective();
      session.accept(taken.directive());
      session.receipt(taken.directive(), DirectiveReceipt.Verdict.STARTED, "");
      session.send(
          AgentFrame.newBuilder()
              .setOutput(
                  ActionOutput.newBuilder()
                      .setDirectiveId(taken.directive().getId())
                      .setData(ByteString.copyFromUtf8("Linux")))
              .build());
      session.result(taken.directive(), Outcome.OUTCOME_SUCCEEDED, "Linux\n");
      List<ActionEvent> events = new ArrayList<>();
      for (Optional<ActionEvent> next = watch.next(); next.isPresent(); next = watch.next()) {
        events.add(next.get());
      }
      assertThat(events).anyMatch(ActionEvent::hasOutput);
      assertThat(events.getLast().getEnded().getEnded()).isTrue();
      ActionTarget target = events.getLast().getEnded().getTargets(0);
      assertThat(target.getOutput().toStringUtf8()).isEqualTo("Linux\n");
      assertThat(target.getHostName()).isEqualTo("web-1");
    }
  }

  @Test
  @Requirement("G3")
  void restart_manager_keepsFleetHostsAndQueues() {
    FakeNode host = fixture.host("web-1");
    host.connect();
    String fingerprint = fixture.services().fleet().rootFingerprint();
    fixture.restart();
    assertThat(fixture.services().fleet().rootFingerprint()).isEqualTo(fingerprint);
    awaitPresence("web-1", Presence.OFFLINE);
    noOp("web-1");
    var session = host.connect();
    assertThat(session.welcome().getGeneration()).isEqualTo(2);
    assertThat(session.takeDirective().directive().getSequence()).isEqualTo(1);
  }

  @Test
  void tunnelReport_ofAParentRelay_showsThePath() {
    // The report names this test's own connection: what counts is that paths are resolved late.
    FakeNode host = fixture.host("web-1");
    host.connect();
    var direct = fixture.services().hosts().host("web-1").path();
    String source = direct.getSourceAddress();
    int colon = source.lastIndexOf(':');
    fixture
        .services()
        .sessions()
        .registry()
        .tunnel(
            "parent",
            TunnelReport.newBuilder()
                .setLocalAddress(source.substring(0, colon))
                .setLocalPort(Integer.parseInt(source.substring(colon + 1)))
                .setSourceAddress("10.1.2.3:4444")
                .addHops("child")
                .addHops("parent")
                .build());
    var path = fixture.services().hosts().host("web-1").path();
    assertThat(path.getKind()).isEqualTo(Path.Kind.RELAY);
    assertThat(path.getSourceAddress()).isEqualTo("10.1.2.3:4444");
    assertThat(path.getHopsList()).extracting(h -> h.getId()).containsExactly("child", "parent");
  }

  private Action noOp(String selector) {
    return fixture
        .services()
        .actions()
        .create(
            new NewAction(
                selector, true, RunAction.getDefaultInstance(), Duration.ZERO, "test", ""));
  }

  private Action awaitEnded(String id) {
    return Await.value(
        "the end of action " + id,
        BOUND,
        () -> Optional.of(fixture.services().actions().action(id)).filter(Action::getEnded));
  }

  private void awaitPresence(String host, Presence presence) {
    Await.until(
        host + " " + presence,
        BOUND,
        () -> fixture.services().hosts().host(host).presence() == presence);
  }
}
