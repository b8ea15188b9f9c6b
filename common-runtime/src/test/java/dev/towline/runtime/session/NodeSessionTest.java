package dev.towline.runtime.session;

import static org.assertj.core.api.Assertions.assertThat;

import com.google.protobuf.ByteString;
import dev.towline.proto.v1.AgentFrame;
import dev.towline.proto.v1.DirectiveContent;
import dev.towline.proto.v1.DirectiveKind;
import dev.towline.proto.v1.DirectiveReceipt.Verdict;
import dev.towline.proto.v1.Goodbye;
import dev.towline.proto.v1.ModuleStatus;
import dev.towline.proto.v1.NoOp;
import dev.towline.proto.v1.Outcome;
import dev.towline.proto.v1.RunAction;
import dev.towline.proto.v1.SignedDirective;
import dev.towline.runtime.identity.CertificateAuthority;
import dev.towline.runtime.identity.Certificates;
import dev.towline.runtime.identity.IssuedIdentity;
import dev.towline.runtime.identity.PeerCheck;
import dev.towline.runtime.identity.Role;
import dev.towline.runtime.identity.Signatures;
import dev.towline.runtime.testing.Await;
import dev.towline.runtime.testing.FakeConversation;
import dev.towline.runtime.testing.FakeManager;
import dev.towline.runtime.testing.TestFleet;
import dev.towline.runtime.tls.FleetChannels;
import dev.towline.runtime.tls.ServerAddress;
import dev.towline.runtime.tls.TlsProfile;
import dev.towline.testing.Requirement;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Clock;
import java.time.Duration;
import java.time.Instant;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.concurrent.CopyOnWriteArrayList;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** A node against a manager over real TLS, directly and through a proxy. */
@Requirement({"H1", "T3", "G5"})
final class NodeSessionTest {
  private static final DirectiveContent NO_OP =
      DirectiveContent.newBuilder().setNoOp(NoOp.getDefaultInstance()).build();

  private static final ModuleStatus MODULE =
      ModuleStatus.newBuilder().setName("actions").setOnline(true).build();

  private final List<AcceptedDirective> handled = new CopyOnWriteArrayList<>();
  private final List<DirectiveHandler.Progress> progresses = new CopyOnWriteArrayList<>();
  @TempDir private Path directory;
  private TestNode node;

  @BeforeEach
  void open() {
    node = new TestNode(directory, new FleetChannels(Thread.ofPlatform().daemon().factory()));
    node.handlers = List.of(new Handler());
    node.heartbeats =
        () -> new HeartbeatSource.Content(List.of(MODULE), ByteString.EMPTY, Map.of());
  }

  @AfterEach
  void close() throws Exception {
    node.close();
  }

  @Test
  void direct_helloWelcomeHeartbeat_comeInThisOrder() throws Exception {
    FakeManager manager = node.direct();
    node.start(manager.address());
    FakeConversation talk = manager.conversation(0);
    talk.await(frame -> frame.hasHeartbeat());
    assertThat(talk.received().getFirst().hasHello()).isTrue();
    assertThat(talk.hello().getSessionNonce().size()).isEqualTo(32);
    var heartbeat = talk.await(frame -> frame.hasHeartbeat()).getHeartbeat();
    assertThat(heartbeat.getNumber()).isEqualTo(1);
    assertThat(heartbeat.getAckWanted()).isTrue();
    assertThat(heartbeat.getModulesCount()).isEqualTo(1);
    Await.until("online", () -> node.states.contains("online"));
  }

  @Test
  void heartbeats_onlyChangesTravelAndEveryFifthWantsAnAnswer() throws Exception {
    FakeManager manager = node.direct();
    manager.heartbeatIntervalMs = 20;
    node.start(manager.address());
    FakeConversation talk = manager.conversation(0);
    var fifth =
        talk.await(f -> f.hasHeartbeat() && f.getHeartbeat().getNumber() == 5).getHeartbeat();
    assertThat(fifth.getAckWanted()).isTrue();
    assertThat(fifth.getModulesCount()).isZero();
    assertThat(
            talk.await(f -> f.hasHeartbeat() && f.getHeartbeat().getNumber() == 4)
                .getHeartbeat()
                .getAckWanted())
        .isFalse();
  }

  @Test
  void throughProxy_noOp_isAnsweredSealed() throws Exception {
    FakeManager manager = node.behindProxy();
    node.start(manager.address());
    FakeConversation talk = manager.conversation(0);
    talk.send(talk.nextNoOp());
    assertThat(talk.awaitResult(1).getOutcome()).isEqualTo(Outcome.OUTCOME_SUCCEEDED);
    assertThat(talk.peer().identity()).isEqualTo(node.identity.identity());
  }

  @Test
  void throughProxy_moreThanTheCreditInBothDirections_arrives() throws Exception {
    FakeManager manager = node.behindProxy();
    node.start(manager.address());
    FakeConversation talk = manager.conversation(0);
    for (int i = 0; i < 100; i++) {
      talk.send(talk.nextNoOp());
    }
    assertThat(talk.awaitResult(100).getOutcome()).isEqualTo(Outcome.OUTCOME_SUCCEEDED);
  }

  @Test
  void throughProxy_upstreamLost_newInnerConversationOnTheSameStream() throws Exception {
    FakeManager manager = node.behindProxy();
    node.start(manager.address());
    FakeConversation first = manager.conversation(0);
    first.send(first.nextNoOp());
    first.awaitResult(1);
    manager.loseUpstreamAndFindItAgain();
    FakeConversation second = manager.conversation(1);
    second.send(second.nextNoOp());
    assertThat(second.awaitResult(2).getOutcome()).isEqualTo(Outcome.OUTCOME_SUCCEEDED);
    assertThat(second.hello().getSessionNonce()).isNotEqualTo(first.hello().getSessionNonce());
    assertThat(second.hello().getLastGeneration()).isEqualTo(1);
  }

  @Test
  void throughProxy_tamperedBytes_haveNoEffectAndLeaveOneEvent() throws Exception {
    FakeManager manager = node.behindProxy();
    node.start(manager.address());
    FakeConversation first = manager.conversation(0);
    first.await(frame -> frame.hasHeartbeat());
    manager.tamperDown = true;
    first.send(first.nextNoOp());
    FakeConversation second = manager.conversation(1);
    Await.until("the event", () -> manager.events.size() == 1);
    assertThat(manager.events.getFirst().getCode()).isEqualTo("session.tampered");
    assertThat(second.hello().getLastAcceptedDirective()).isZero();
  }

  @Test
  void connectionCut_dialsAgainAndTellsWhy() throws Exception {
    FakeManager manager = node.direct();
    node.start(manager.address());
    manager.conversation(0);
    manager.restart();
    FakeConversation second = manager.conversation(1);
    assertThat(second.hello().getLastGeneration()).isEqualTo(1);
    assertThat(second.hello().getLastSessionEnd()).contains("ended");
    Await.until(
        "offline, then online", () -> node.states.equals(List.of("online", "offline", "online")));
  }

  @Test
  void firstServerDown_goesToTheNext() throws Exception {
    FakeManager down = node.direct();
    ServerAddress nobody = down.address();
    down.close();
    FakeManager manager = node.direct();
    node.start(nobody, manager.address());
    manager.conversation(0);
  }

  @Test
  void unknownRole_isRefusedInTheHandshake() throws Exception {
    FakeManager proxy = node.behindProxy();
    NodeSession.Parts parts = node.parts(List.of(proxy.address()), TestNode.journal(directory));
    node.start(
        new NodeSession.Parts(
            parts.member(),
            parts.servers(),
            Set.of(Role.MANAGER),
            parts.facts(),
            parts.journal(),
            parts.revocations(),
            parts.handlers(),
            parts.heartbeats(),
            parts.observer(),
            parts.channels(),
            parts.clock(),
            parts.nanoTime(),
            parts.random(),
            parts.threads()));
    FakeManager manager = node.direct();
    Await.until("some time", () -> Files.exists(directory));
    assertThat(proxy.conversations()).isEmpty();
    assertThat(manager.conversations()).isEmpty();
  }

  @Test
  void directive_runsOnceWithReceiptsAndSignedResult() throws Exception {
    FakeManager manager = node.direct();
    node.start(manager.address());
    FakeConversation talk = manager.conversation(0);
    talk.send(talk.nextAction(RunAction.newBuilder().addCommand("x").build()));
    Await.until("handled", () -> progresses.size() == 1);
    progresses.getFirst().started();
    talk.await(f -> f.hasReceipt() && f.getReceipt().getVerdict() == Verdict.STARTED);
    progresses.getFirst().finished(DirectiveEnd.of(Outcome.OUTCOME_FAILED, Instant.EPOCH, "no"));
    assertThat(talk.awaitResult(1).getDetail()).isEqualTo("no");
    var signed = talk.await(f -> f.hasResult()).getResult();
    assertThat(
            Signatures.verifyP256(
                node.identity.leaf().getPublicKey(),
                "towline result v1",
                signed.getResult().toByteArray(),
                signed.getSignature().toByteArray()))
        .isTrue();
  }

  @Test
  void directive_wrongInAnyWay_isRefusedWithItsNamedEvent() throws Exception {
    FakeManager manager = node.direct();
    node.start(manager.address());
    FakeConversation talk = manager.conversation(0);
    SignedDirective first = talk.nextNoOp();
    talk.send(first);
    talk.awaitResult(1);
    var kind = DirectiveKind.DIRECTIVE_KIND_NO_OP;
    var next = talk.statement(2, kind, NO_OP);
    var foreign = FakeManager.direct(new TestFleet(Clock.systemUTC()));
    node.closes(foreign);

    talk.send(first);
    expectEvent(manager, 1, "directive.replayed");
    talk.send(talk.signed(next.clone().setTarget("spiffe://fleet-1/agent/a2"), NO_OP));
    expectEvent(manager, 2, "directive.redirected");
    talk.send(talk.signed(next.clone().setExpiresMs(1), NO_OP));
    expectEvent(manager, 3, "directive.expired");
    talk.send(talk.signed(next.clone().setSessionNonce(next.getContentSha256()), NO_OP));
    expectEvent(manager, 4, "directive.stale_session");
    talk.send(
        talk.signed(next, NO_OP).toBuilder()
            .setContent(
                DirectiveContent.newBuilder()
                    .setRunAction(RunAction.newBuilder().addCommand("evil"))
                    .build()
                    .toByteString())
            .build());
    expectEvent(manager, 5, "directive.altered");
    talk.send(
        talk.signed(next, NO_OP).toBuilder()
            .clearSignerChain()
            .addAllSignerChain(Certificates.toProto(foreign.fleet().directiveSigner("m1").chain()))
            .build());
    expectEvent(manager, 6, "directive.forged");
    talk.send(talk.signed(talk.statement(3, kind, NO_OP), NO_OP));
    expectEvent(manager, 7, "directive.reordered");
    assertThat(talk.await(f -> f.hasFetch()).getFetch().getAfterSequence()).isEqualTo(1);

    talk.send(talk.signed(next, NO_OP));
    talk.awaitResult(2);
    assertThat(handled).isEmpty();
    assertThat(manager.events).hasSize(7);
  }

  @Test
  void results_areSentAgainUntilAcknowledged() throws Exception {
    FakeManager manager = node.direct();
    manager.ackResults = false;
    node.start(manager.address());
    FakeConversation first = manager.conversation(0);
    first.send(first.nextNoOp());
    var result = first.awaitResult(1);
    manager.restart();
    FakeConversation second = manager.conversation(1);
    assertThat(second.awaitResult(1)).isEqualTo(result);
    second.acknowledge(result);
    second.send(second.nextNoOp());
    second.awaitResult(2);
    manager.restart();
    FakeConversation third = manager.conversation(2);
    third.awaitResult(2);
    assertThat(third.received())
        .noneMatch(f -> f.hasResult() && FakeConversation.result(f).getDirectiveSequence() == 1);
  }

  @Test
  void largeResultsOfALongOutage_allArriveAndTheLaterOnesAreCut() throws Exception {
    FakeManager manager = node.direct();
    node.start(manager.address());
    FakeConversation talk = manager.conversation(0);
    for (int i = 1; i <= 20; i++) {
      talk.send(talk.nextAction(RunAction.newBuilder().addCommand("x").build()));
    }
    Await.until("handled", () -> progresses.size() == 20);
    manager.close();
    Await.until("offline", () -> node.states.contains("offline"));
    var output = ByteString.copyFrom(new byte[1 << 20]);
    progresses.forEach(progress ->
        progress.finished(
            new DirectiveEnd(
                Outcome.OUTCOME_SUCCEEDED, 0, output, false, Instant.EPOCH, Instant.EPOCH, "")));
    manager.restart();
    FakeConversation second = manager.conversation(1);
    assertThat(second.awaitResult(1).getOutput().size()).isEqualTo(1 << 20);
    assertThat(second.awaitResult(20).getOutput().size()).isEqualTo(4 << 10);
    assertThat(second.awaitResult(20).getOutputTruncated()).isTrue();
    assertThat(manager.conversations()).hasSize(2);
  }

  @Test
  void restartedProgram_endsWhatItWasRunningAsInterrupted() throws Exception {
    FakeManager manager = node.direct();
    NodeSession session = node.start(manager.address());
    FakeConversation talk = manager.conversation(0);
    talk.send(talk.nextAction(RunAction.newBuilder().addCommand("x").build()));
    Await.until("handled", () -> progresses.size() == 1);
    progresses.getFirst().started();
    session.close(Goodbye.Reason.AGENT_STOP);
    talk.await(frame -> frame.hasGoodbye());

    node.start(manager.address());
    FakeConversation second = manager.conversation(1);
    assertThat(second.awaitResult(1).getOutcome()).isEqualTo(Outcome.OUTCOME_INTERRUPTED);
    assertThat(progresses).hasSize(1);
    assertThat(second.hello().getLastAcceptedDirective()).isEqualTo(1);
  }

  @Test
  void rolledBackDisk_neverRunsAgainAndStartsAnEpoch() throws Exception {
    FakeManager manager = node.direct();
    NodeSession session = node.start(manager.address());
    FakeConversation talk = manager.conversation(0);
    talk.send(talk.nextNoOp());
    talk.awaitResult(1);
    Path copy = Files.createDirectory(directory.resolve("copy"));
    Files.copy(directory.resolve("session.journal"), copy.resolve("session.journal"));
    SignedDirective run = talk.nextAction(RunAction.newBuilder().addCommand("x").build());
    talk.send(run);
    Await.until("handled", () -> progresses.size() == 1);
    progresses.getFirst().finished(DirectiveEnd.of(Outcome.OUTCOME_SUCCEEDED, Instant.EPOCH, ""));
    talk.awaitResult(2);
    session.close();

    node.start(node.parts(List.of(manager.address()), TestNode.journal(copy)));
    FakeConversation second = manager.conversation(1);
    assertThat(second.hello().getLastAcceptedDirective()).isEqualTo(1);
    second.send(run);
    Await.until("refused", () -> manager.events.size() == 1);
    assertThat(manager.events.getFirst().getCode()).isEqualTo("directive.replayed");
    second.send(second.nextNoOp());
    assertThat(second.awaitResult(3).getEpoch()).isEqualTo(2);
    assertThat(second.awaitResult(3).getRecordSequence()).isEqualTo(1);
    assertThat(progresses).hasSize(1);
  }

  @Test
  void certificatePastHalfLife_isRenewedMakeBeforeBreak() throws Exception {
    // It began before now by more than it lasts.
    node.identity =
        node.fleet.issue(
            Role.AGENT, "a1", CertificateAuthority.BACKDATE.minus(Duration.ofMinutes(1)));
    FakeManager manager = node.direct();
    node.start(manager.address());
    FakeConversation first = manager.conversation(0);
    first.await(frame -> frame.hasRenew());
    FakeConversation second = manager.conversation(1);
    assertThat(second.peer().leaf()).isNotEqualTo(node.identity.leaf());
    assertThat(second.peer().identity()).isEqualTo(node.identity.identity());
    Await.until("the old one ends", first::isEnded);
    second.send(second.nextNoOp());
    second.awaitResult(1);
    assertThat(node.states).doesNotContain("offline");
    assertThat(node.store().load().orElseThrow().leaf()).isEqualTo(second.peer().leaf());
  }

  @Test
  @Requirement("T2")
  void listenerOfAnOlderProfile_getsAnRsaCertificateInItsSession() throws Exception {
    FakeManager manager = node.direct();
    NodeSession.Parts parts = node.parts(List.of(manager.address()), TestNode.journal(directory));
    parts.member().speaks(TlsProfile.STRONG);
    parts.member().listens();
    node.start(parts);

    Await.until("an RSA certificate", () -> parts.member().presentedRsa().isPresent());

    IssuedIdentity rsa = parts.member().presentedRsa().orElseThrow();
    assertThat(rsa.leaf().getPublicKey().getAlgorithm()).isEqualTo("RSA");
    assertThat(parts.member().verifier().check(rsa.chain())).isInstanceOf(PeerCheck.Trusted.class);
    assertThat(node.store().loadRsa().orElseThrow().leaf()).isEqualTo(rsa.leaf());
    assertThat(parts.member().identity().leaf()).isEqualTo(node.identity.leaf());
    assertThat(node.states).doesNotContain("offline");
  }

  @ParameterizedTest
  @ValueSource(longs = {-5 * 365, -40, 40, 5 * 365})
  @Requirement("T3")
  void wrongClock_directAndThroughAProxy_talksAndRunsNothingExpired(long days) throws Exception {
    node.machine = Clock.offset(Clock.systemUTC(), Duration.ofDays(days));
    for (FakeManager manager : List.of(node.direct(), node.behindProxy())) {
      NodeSession.Parts parts =
          node.parts(
              List.of(manager.address()),
              SessionJournal.open(directory.resolve("journal-" + manager.address().port())));
      node.start(parts);
      FakeConversation talk = manager.conversation(0);
      talk.send(talk.nextNoOp());
      assertThat(talk.awaitResult(1).getOutcome()).isEqualTo(Outcome.OUTCOME_SUCCEEDED);

      // By the host's own clock it is either long over or long valid; what counts is the manager's.
      long now = manager.clock().millis();
      talk.send(
          talk.signed(
              talk.statement(2, DirectiveKind.DIRECTIVE_KIND_NO_OP, NO_OP)
                  .setNotBeforeMs(now - 600_000)
                  .setExpiresMs(now - 300_000),
              NO_OP));
      expectEvent(manager, 1, "directive.expired");
      assertThat(talk.received()).filteredOn(AgentFrame::hasResult).hasSize(1);
      long told = talk.await(frame -> frame.hasHeartbeat()).getHeartbeat().getTimeMs();
      assertThat(Duration.ofMillis(told - now).toDays()).isBetween(days - 1, days + 1);
    }
  }

  private static void expectEvent(FakeManager manager, int count, String code) {
    Await.until(code + " after " + manager.events, () -> manager.events.size() == count);
    assertThat(manager.events.getLast().getCode()).isEqualTo(code);
  }

  /** Takes actions and leaves what becomes of them to the test. */
  private final class Handler implements DirectiveHandler {
    @Override
    public boolean handles(DirectiveKind kind) {
      return kind == DirectiveKind.DIRECTIVE_KIND_RUN_ACTION;
    }

    @Override
    public void accepted(AcceptedDirective directive, Progress progress) {
      handled.add(directive);
      progresses.add(progress);
    }
  }
}
