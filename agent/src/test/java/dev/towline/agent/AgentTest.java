package dev.towline.agent;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.towline.agent.status.AgentStatus;
import dev.towline.proto.v1.CancelAction;
import dev.towline.proto.v1.ControlFirewall;
import dev.towline.proto.v1.DirectiveContent;
import dev.towline.proto.v1.DirectiveKind;
import dev.towline.proto.v1.DirectiveReceipt.Verdict;
import dev.towline.proto.v1.FirewallPacket;
import dev.towline.proto.v1.Outcome;
import dev.towline.proto.v1.RunAction;
import dev.towline.runtime.config.SettingValue;
import dev.towline.runtime.enroll.NodeConfig;
import dev.towline.runtime.error.TowlineException;
import dev.towline.runtime.identity.IdentityStore;
import dev.towline.runtime.identity.IssuedIdentity;
import dev.towline.runtime.identity.Role;
import dev.towline.runtime.testing.Await;
import dev.towline.runtime.testing.FakeConversation;
import dev.towline.runtime.testing.FakeManager;
import dev.towline.runtime.testing.TestFleet;
import dev.towline.testing.Requirement;
import java.io.IOException;
import java.nio.file.FileVisitResult;
import java.nio.file.Files;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.nio.file.SimpleFileVisitor;
import java.nio.file.attribute.BasicFileAttributes;
import java.security.SecureRandom;
import java.time.Clock;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import tools.jackson.databind.json.JsonMapper;

/** The whole agent in this process, against a manager over real TLS. */
@Requirement("G5")
final class AgentTest {
  private final TestFleet fleet = new TestFleet(Clock.systemUTC());
  private final IssuedIdentity identity = fleet.issue(Role.AGENT, "a1");
  private final List<Running> agents = new ArrayList<>();
  private FakeManager manager;
  @TempDir private Path directory;

  @BeforeEach
  void start() throws IOException {
    manager = FakeManager.direct(fleet);
  }

  @AfterEach
  void stop() throws Exception {
    for (Running running : agents) {
      running.agent.stop();
      running.end.get(60, TimeUnit.SECONDS);
    }
    manager.close();
  }

  @Test
  void action_runsWithLiveOutputAndSignedResult() throws Exception {
    run(data("a"));
    FakeConversation talk = manager.conversation(0);
    talk.send(talk.nextAction(shell("echo out; echo err >&2; exit 7")));
    var result = talk.awaitResult(1);
    assertThat(result.getOutcome()).isEqualTo(Outcome.OUTCOME_FAILED);
    assertThat(result.getExitStatus()).isEqualTo(7);
    assertThat(result.getOutput().toStringUtf8()).isEqualTo("out\nerr\n");
    assertThat(talk.received())
        .anyMatch(f -> f.hasReceipt() && f.getReceipt().getVerdict() == Verdict.ACCEPTED)
        .anyMatch(f -> f.hasReceipt() && f.getReceipt().getVerdict() == Verdict.STARTED)
        .anyMatch(f -> f.hasOutput() && f.getOutput().getData().toStringUtf8().contains("out"));
  }

  @Test
  void action_pastItsTimeLimit_isEndedWithWhatItStarted() throws Exception {
    run(data("a"));
    FakeConversation talk = manager.conversation(0);
    // A number that no other program of this host has among its arguments.
    String seconds = "600." + (100_000 + fleet.random().nextInt(900_000));
    talk.send(
        talk.nextAction(
            shell("sleep " + seconds + " & wait").toBuilder().setTimeLimitMs(500).build()));
    assertThat(talk.awaitResult(1).getOutcome()).isEqualTo(Outcome.OUTCOME_TIMED_OUT);
    Await.until("what it started to be gone", () -> !isRunning(seconds));
  }

  @Test
  @Requirement("F3")
  void firewallTest_firewallIsOff_saysWhatWouldHappen() throws Exception {
    run(data("a"));
    FakeConversation talk = manager.conversation(0);
    talk.send(
        talk.next(
            DirectiveKind.DIRECTIVE_KIND_CONTROL_FIREWALL,
            DirectiveContent.newBuilder()
                .setControlFirewall(
                    ControlFirewall.newBuilder()
                        .setOrder(ControlFirewall.Order.TEST)
                        .setPacket(
                            FirewallPacket.newBuilder()
                                .setOutgoing(true)
                                .setSourceIp("192.0.2.1")
                                .setDestinationIp("192.0.2.2")
                                .setDestinationPort(443)))
                .build()));
    var result = talk.awaitResult(1);
    assertThat(result.getOutcome()).as(result.getDetail()).isEqualTo(Outcome.OUTCOME_SUCCEEDED);
    assertThat(result.getOutput().toStringUtf8()).isEqualTo("passes: no rule matches\n");
  }

  @Test
  void action_cancelled_endsAsCancelled() throws Exception {
    run(data("a"));
    FakeConversation talk = manager.conversation(0);
    talk.send(talk.nextAction(shell("sleep 60")));
    talk.await(f -> f.hasReceipt() && f.getReceipt().getVerdict() == Verdict.STARTED);
    talk.send(
        talk.next(
            DirectiveKind.DIRECTIVE_KIND_CANCEL_ACTION,
            DirectiveContent.newBuilder()
                .setCancelAction(CancelAction.newBuilder().setSequence(1))
                .build()));
    assertThat(talk.awaitResult(2).getOutcome()).isEqualTo(Outcome.OUTCOME_SUCCEEDED);
    assertThat(talk.awaitResult(1).getOutcome()).isEqualTo(Outcome.OUTCOME_CANCELLED);
  }

  @Test
  void action_sideBySide_upToTheLanes() throws Exception {
    run(data("a"));
    FakeConversation talk = manager.conversation(0);
    for (int i = 1; i <= 8; i++) {
      talk.send(talk.nextAction(shell("sleep 0.2; echo " + i)));
    }
    for (int i = 1; i <= 8; i++) {
      assertThat(talk.awaitResult(i).getOutput().toStringUtf8()).isEqualTo(i + "\n");
    }
  }

  @Test
  void killedWhileRunning_reportsInterruptedAndNeverRunsAgain() throws Exception {
    Path file = directory.resolve("effects");
    Path data = data("a");
    Running first = run(data);
    FakeConversation talk = manager.conversation(0);
    talk.send(talk.nextAction(shell("echo once >> " + file + "; sleep 60")));
    Await.until("the effect", () -> lines(file).equals(List.of("once")));
    Path killed = copy(data, directory.resolve("killed"));
    first.agent.stop();
    assertThat(first.end.get(60, TimeUnit.SECONDS)).isInstanceOf(Agent.End.Stopped.class);

    run(killed);
    FakeConversation second = manager.conversation(1);
    assertThat(second.awaitResult(1).getOutcome()).isEqualTo(Outcome.OUTCOME_INTERRUPTED);
    second.send(second.nextNoOp());
    second.awaitResult(2);
    assertThat(Files.readString(file)).isEqualTo("once\n");
  }

  @Test
  void oldCopyOfTheDisk_doesNotRunWhatRanBefore() throws Exception {
    Path file = directory.resolve("effects");
    Path data = data("a");
    Path old = copy(data, directory.resolve("old"));
    Running first = run(data);
    FakeConversation talk = manager.conversation(0);
    var action = talk.nextAction(shell("echo once >> " + file));
    talk.send(action);
    talk.awaitResult(1);
    first.agent.stop();
    first.end.get(60, TimeUnit.SECONDS);

    run(old);
    FakeConversation second = manager.conversation(1);
    second.send(action);
    Await.until("the event", () -> !manager.events.isEmpty());
    assertThat(manager.events.getFirst().getCode()).isEqualTo("directive.replayed");
    assertThat(Files.readString(file)).isEqualTo("once\n");
  }

  @Test
  void cleanStop_saysGoodbyeAndLeavesItsState() throws Exception {
    Path data = data("a");
    Running running = run(data);
    FakeConversation talk = manager.conversation(0);
    Await.until("online", () -> status(data).filter(AgentStatus::healthy).isPresent());
    Await.until("a heartbeat", () -> status(data).orElseThrow().lastHeartbeat() != null);
    running.agent.stop();
    running.end.get(60, TimeUnit.SECONDS);
    talk.await(frame -> frame.hasGoodbye());
    assertThat(status(data).orElseThrow().state()).isEqualTo(AgentStatus.State.STOPPED);
  }

  @Test
  void secondAgentOnTheSameData_isKeptOut() throws Exception {
    Path data = data("a");
    run(data);
    manager.conversation(0);
    assertThatThrownBy(() -> agent(data).run())
        .isInstanceOf(TowlineException.class)
        .hasMessageContaining("in use");
  }

  @Test
  void neverEnrolled_saysWhatToDo() {
    assertThatThrownBy(() -> agent(directory.resolve("empty")).run())
        .isInstanceOf(TowlineException.class)
        .hasMessageContaining("not enrolled");
  }

  @Test
  void settings_commandLineBeforeEnvironmentBeforeFile_andUnknownKeysAreErrors()
      throws IOException {
    Path file = Files.writeString(directory.resolve("agent.yaml"), "name: f\ndata: /f\n");
    Map<String, SettingValue> resolved =
        AgentSettings.resolve(
            Map.of("data", "/c"),
            Map.of("TOWLINE_AGENT_DATA", "/e", "TOWLINE_AGENT_CONCURRENT_ACTIONS", "9"),
            Optional.of(file));
    AgentSettings settings = AgentSettings.of(resolved);
    assertThat(settings)
        .isEqualTo(new AgentSettings(Path.of("/c"), Optional.empty(), "f", 9, true, List.of(), 16));
    assertThat(resolved.get("name").source()).isEqualTo("file " + file);
    Files.writeString(file, "nmae: x\n");
    assertThatThrownBy(() -> AgentSettings.resolve(Map.of(), Map.of(), Optional.of(file)))
        .hasMessageContaining("unknown key: nmae");
  }

  private static RunAction shell(String script) {
    return RunAction.newBuilder().addCommand("sh").addCommand("-c").addCommand(script).build();
  }

  private static Optional<AgentStatus> status(Path data) {
    try {
      return AgentStatus.read(data.resolve("status.json"));
    } catch (IOException e) {
      throw new AssertionError(e);
    }
  }

  private static List<String> lines(Path file) {
    try {
      return Files.exists(file) ? Files.readAllLines(file) : List.of();
    } catch (IOException e) {
      throw new AssertionError(e);
    }
  }

  private static boolean isRunning(String argument) {
    return ProcessHandle.allProcesses()
        .anyMatch(process ->
            process.info().arguments().map(List::of).orElse(List.of()).contains(argument));
  }

  private Path data(String name) throws IOException {
    Path data = Files.createDirectories(directory.resolve(name));
    new IdentityStore(data.resolve("identity")).save(identity, fleet.roots());
    new NodeConfig("host-1", List.of(manager.address()), JsonMapper.shared().createObjectNode())
        .save(data.resolve("config.json"));
    return data;
  }

  /** Of a directory that may be in use: a file that is replaced is copied in one of its states. */
  private static Path copy(Path from, Path to) throws IOException {
    Files.walkFileTree(
        from,
        new SimpleFileVisitor<>() {
          @Override
          public FileVisitResult preVisitDirectory(Path directory, BasicFileAttributes attributes)
              throws IOException {
            Files.createDirectories(to.resolve(from.relativize(directory)));
            return FileVisitResult.CONTINUE;
          }

          @Override
          public FileVisitResult visitFile(Path file, BasicFileAttributes attributes)
              throws IOException {
            try {
              Files.copy(file, to.resolve(from.relativize(file)));
            } catch (NoSuchFileException e) {
              return visitFileFailed(file, e);
            }
            return FileVisitResult.CONTINUE;
          }

          @Override
          public FileVisitResult visitFileFailed(Path file, IOException failure)
              throws IOException {
            if (failure instanceof NoSuchFileException) {
              // Written under another name first, and renamed meanwhile.
              return FileVisitResult.CONTINUE;
            }
            throw failure;
          }
        });
    return to;
  }

  private static Agent agent(Path data) {
    return new Agent(
        new AgentSettings(data, Optional.empty(), "", 4, true, List.of(), 16),
        Clock.systemUTC(),
        new SecureRandom());
  }

  private Running run(Path data) {
    Agent agent = agent(data);
    var running =
        new Running(
            agent,
            CompletableFuture.supplyAsync(
                () -> {
                  try {
                    return agent.run();
                  } catch (Exception e) {
                    throw new AssertionError(e);
                  }
                },
                // It blocks; the common pool may have one thread.
                Thread.ofPlatform().daemon()::start));
    agents.add(running);
    return running;
  }

  private record Running(Agent agent, CompletableFuture<Agent.End> end) {}
}
