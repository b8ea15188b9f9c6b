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
import dev.towline.proto.v1.ManagerFrame;
import dev.towline.proto.v1.Outcome;
import dev.towline.proto.v1.RunAction;
import dev.towline.proto.v1.TargetState;
import dev.towline.runtime.directive.DirectiveVerdict;
import dev.towline.runtime.directive.DirectiveVerifier;
import dev.towline.runtime.identity.Keys;
import dev.towline.runtime.identity.PeerVerifier;
import dev.towline.runtime.identity.Revocations;
import dev.towline.testing.Await;
import java.security.SecureRandom;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** What sessions of a whole manager carry: directives to a scripted node, and its results. */
final class SessionDirectivesTest {
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
  void directive_noOp_isSignedForThisSessionAndItsResultStoredOnce() throws Exception {
    FakeNode host = fixture.host("web-1");
    var session = host.connect();
    Action action = fixture.noOp("web-1");
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
    assertThat(fixture.awaitEnded(action.getId()).getTargets(0).getOutcome())
        .isEqualTo(Outcome.OUTCOME_SUCCEEDED);

    // The acknowledgement was lost, say: the same record comes again with another outcome.
    session.send(
        result.toBuilder().setOutcome(Outcome.OUTCOME_FAILED).build(), host.identity().key());
    session.take(ManagerFrame::hasAck);
    assertThat(fixture.awaitEnded(action.getId()).getTargets(0).getOutcome())
        .isEqualTo(Outcome.OUTCOME_SUCCEEDED);
  }

  @Test
  void directives_queuedWhileOffline_arriveInOrder() {
    FakeNode host = fixture.host("web-1");
    for (int i = 0; i < 5; i++) {
      fixture.noOp("web-1");
    }
    var session = host.connect();
    fixture.noOp("web-1");
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
      fixture.noOp("web-1");
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
    fixture.noOp("web-1");
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
    Action withdrawn = fixture.noOp("web-1");
    assertThat(fixture.services().actions().cancel(withdrawn.getId()).getTargets(0).getOutcome())
        .isEqualTo(Outcome.OUTCOME_CANCELLED);
    var session = host.connect();
    Taken skip = session.takeDirective();
    assertThat(skip.directive().getKind()).isEqualTo(DirectiveKind.DIRECTIVE_KIND_SKIP);
    session.accept(skip.directive());

    Action running = fixture.noOp("web-1");
    session.accept(session.takeDirective().directive());
    fixture.services().actions().cancel(running.getId());
    assertThat(session.takeDirective().directive().getKind())
        .isEqualTo(DirectiveKind.DIRECTIVE_KIND_CANCEL_ACTION);
  }

  @Test
  void result_ofAnotherKey_isAnEventAndNotStored() {
    FakeNode host = fixture.host("web-1");
    var session = host.connect();
    Action action = fixture.noOp("web-1");
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
    Action action = fixture.noOp("web-1");
    session.accept(session.takeDirective().directive());
    Await.until(
        "acceptance",
        BOUND,
        () ->
            fixture.services().actions().action(action.getId()).getTargets(0).getState()
                == TargetState.TARGET_STATE_ACCEPTED);
    session.drop();
    fixture.awaitPresence("web-1", Presence.OFFLINE);

    host.lastAccepted = 0;
    var restored = host.connect();
    assertThat(restored.welcome().getStateRolledBack()).isTrue();
    assertThat(restored.welcome().getLastAcceptedDirective()).isEqualTo(1);
    assertThat(restored.welcome().getNextEpoch()).isEqualTo(2);
    assertThat(fixture.awaitEnded(action.getId()).getTargets(0).getOutcome())
        .isEqualTo(Outcome.OUTCOME_INTERRUPTED);
    fixture.noOp("web-1");
    assertThat(restored.takeDirective().directive().getSequence()).isEqualTo(2);
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
}
