package dev.towline.runtime.session;

import static org.assertj.core.api.Assertions.assertThat;

import dev.towline.proto.v1.AgentFrame;
import dev.towline.proto.v1.CallFailed;
import dev.towline.proto.v1.Goodbye;
import dev.towline.proto.v1.ManagerFrame;
import dev.towline.runtime.policy.Direction;
import dev.towline.runtime.testing.Await;
import dev.towline.runtime.testing.FakeConversation;
import dev.towline.runtime.testing.FakeManager;
import dev.towline.runtime.tls.FleetChannels;
import dev.towline.runtime.tls.ServerAddress;
import dev.towline.testing.Requirement;
import java.net.UnknownHostException;
import java.nio.file.Path;
import java.time.Duration;
import java.util.Optional;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** Sessions that end by schedule, that ask to be dialled, and names that lead nowhere. */
final class DirectionSessionTest {
  private static final Duration LONG = Duration.ofSeconds(60);

  @TempDir private Path directory;
  private TestNode node;

  @BeforeEach
  void open() {
    node =
        new TestNode(
            directory,
            new FleetChannels(
                Thread.ofPlatform().daemon().factory(),
                host -> {
                  throw new UnknownHostException(host + ": no such name here");
                }));
  }

  @AfterEach
  void close() throws Exception {
    node.close();
  }

  @Test
  @Requirement("D3")
  void shortContact_doesWhatIsOrderedThenLeavesAndComesAgain() throws Exception {
    FakeManager manager = node.direct();
    manager.heartbeatIntervalMs = 1_000;
    NodeSession session = node.session(manager.address());
    session.direction(Direction.AGENT_INITIATED_SHORT, 0);
    session.start();
    FakeConversation first = manager.conversation(0);
    first.send(first.nextNoOp());
    first.awaitResult(1);

    AgentFrame goodbye = first.await(AgentFrame::hasGoodbye);
    assertThat(goodbye.getGoodbye().getReason()).isEqualTo(Goodbye.Reason.UNTIL_NEXT);
    assertThat(goodbye.getGoodbye().getNextMs()).isPositive();
    Await.until("the end of the contact", first::isEnded);
    FakeConversation second = manager.conversation(1);
    second.send(second.nextNoOp());
    second.awaitResult(2);
    second.await(AgentFrame::hasGoodbye);
    assertThat(node.waits).isNotEmpty();
  }

  @Test
  @Requirement("D3")
  void shortContact_becomesAKeptOne_staysInSession() throws Exception {
    FakeManager manager = node.direct();
    manager.heartbeatIntervalMs = 1_000;
    NodeSession session = node.session(manager.address());
    session.direction(Direction.AGENT_INITIATED_SHORT, 0);
    session.start();
    manager.conversation(0).await(AgentFrame::hasGoodbye);
    session.direction(Direction.AGENT_INITIATED, 0);
    FakeConversation kept = manager.conversation(1);
    // Longer than any short contact with nothing to do.
    kept.await(frame -> frame.hasHeartbeat() && frame.getHeartbeat().getNumber() >= 3);
    assertThat(kept.received()).noneMatch(AgentFrame::hasGoodbye);
  }

  @Test
  @Requirement({"D3", "H5"})
  void stoppedBetweenContacts_comesOnceMoreToSaySo() throws Exception {
    FakeManager manager = node.direct();
    manager.heartbeatIntervalMs = 3_600_000;
    NodeSession session = node.session(manager.address());
    session.direction(Direction.AGENT_INITIATED_SHORT, 0);
    session.start();
    manager.conversation(0).await(AgentFrame::hasGoodbye);
    Await.until("the wait for the next contact", () -> !node.waits.isEmpty());

    session.close(Goodbye.Reason.HOST_SHUTDOWN);

    AgentFrame goodbye = manager.conversation(1).await(AgentFrame::hasGoodbye);
    assertThat(goodbye.getGoodbye().getReason()).isEqualTo(Goodbye.Reason.HOST_SHUTDOWN);
  }

  @Test
  @Requirement("D3")
  void stoppedBetweenContacts_nobodyAnswers_endsAllTheSame() throws Exception {
    FakeManager manager = node.direct();
    manager.heartbeatIntervalMs = 3_600_000;
    NodeSession session = node.session(manager.address());
    session.direction(Direction.AGENT_INITIATED_SHORT, 0);
    session.start();
    manager.conversation(0).await(AgentFrame::hasGoodbye);
    Await.until("the wait for the next contact", () -> !node.waits.isEmpty());
    manager.close();

    session.close(Goodbye.Reason.AGENT_STOP);
    Await.until("the end", () -> node.threads.stream().noneMatch(Thread::isAlive));
  }

  @Test
  @Requirement("D2")
  void call_managerCannotCome_staysAndSaysWhatTheManagerSaw() throws Exception {
    FakeManager manager = node.direct();
    NodeSession session = node.session(manager.address());
    session.start();
    FakeConversation talk = manager.conversation(0);
    // It has been welcomed.
    talk.await(AgentFrame::hasHeartbeat);

    CompletableFuture<Optional<String>> outcome = session.tryCall(7200, LONG);
    AgentFrame asked = talk.await(AgentFrame::hasCall);
    assertThat(asked.getCall().getPort()).isEqualTo(7200);
    talk.send(
        ManagerFrame.newBuilder()
            .setCallFailed(
                CallFailed.newBuilder()
                    .setNumber(asked.getCall().getNumber())
                    .setDetail("10.0.0.4:7200: connection refused"))
            .build());

    assertThat(outcome.get(60, TimeUnit.SECONDS).orElseThrow())
        .contains("10.0.0.4:7200: connection refused");
    talk.send(talk.nextNoOp());
    talk.awaitResult(1);
  }

  @Test
  @Requirement("D2")
  void call_nobodyComes_isGivenUpAfterTheLimit() throws Exception {
    FakeManager manager = node.direct();
    NodeSession session = node.session(manager.address());
    session.start();
    FakeConversation talk = manager.conversation(0);
    // It has been welcomed.
    talk.await(AgentFrame::hasHeartbeat);
    assertThat(
            session.tryCall(7200, Duration.ofMillis(300)).get(60, TimeUnit.SECONDS).orElseThrow())
        .contains("no manager came in");
    talk.send(talk.nextNoOp());
    talk.awaitResult(1);
  }

  @Test
  @Requirement("D5")
  void nameThatLeadsNowhere_isToldWithTheAnswerAndTheNextServerServes() throws Exception {
    FakeManager manager = node.direct();
    var nowhere = new ServerAddress("manager.example", 7443);
    node.start(nowhere, manager.address());
    manager.conversation(0);
    Await.until("the name to be told", () -> node.unresolved.containsKey(nowhere));
    assertThat(node.unresolved).containsEntry(nowhere, "manager.example: no such name here");
  }
}
