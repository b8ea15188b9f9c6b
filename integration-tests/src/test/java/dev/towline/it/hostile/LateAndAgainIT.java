package dev.towline.it.hostile;

import static org.assertj.core.api.Assertions.assertThat;

import com.google.protobuf.ByteString;
import dev.towline.it.fleet.ProcessFleet;
import dev.towline.proto.v1.ActionTarget;
import dev.towline.proto.v1.HostState;
import dev.towline.proto.v1.Outcome;
import dev.towline.proto.v1.TargetState;
import dev.towline.testing.Await;
import dev.towline.testing.Requirement;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.time.Instant;
import java.util.ArrayList;
import java.util.List;
import java.util.stream.Stream;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.TestInstance;
import org.junit.jupiter.api.TestInstance.Lifecycle;

/** A stolen proxy delivers what is genuine too late, or once more to a host that has forgotten. */
@Requirement({"T1", "T3", "G5"})
@InHostileLab
@TestInstance(Lifecycle.PER_CLASS)
final class LateAndAgainIT {
  private HostileLab lab;
  private Victim agent;

  @BeforeAll
  void start(HostileLab shared) {
    lab = shared;
    agent = lab.victim("late-victim");
  }

  @BeforeEach
  void inSession() {
    lab.awaitCarried(agent);
  }

  @AfterEach
  void behave() {
    lab.proxy().behave();
  }

  @Test
  void expire_directiveHeldBackPastItsTime_isNotRun() {
    List<String> lines = new ArrayList<>(agent.lines());
    List<ByteString> held = new ArrayList<>();
    long event = lab.lastEvent();
    lab.proxy()
        .attack(
            agent.identity(),
            new Attack() {
              @Override
              public void down(AgentLink link, ByteString sealed) {
                held.add(sealed);
              }
            });
    Duration life = Duration.ofSeconds(2);
    String action = lab.append(agent, lab.newLine(), life);
    Await.until("the directive", HostileLab.BOUND, () -> lab.proxy().run(() -> !held.isEmpty()));
    Instant expired = Instant.now().plus(life);
    Await.until("its time to pass", HostileLab.BOUND, () -> Instant.now().isAfter(expired));
    lab.proxy().behave();
    lab.proxy()
        .run(() -> {
          AgentLink link = lab.proxy().link(agent.identity()).orElseThrow();
          held.forEach(link::sealedDown);
          return true;
        });
    lab.awaitEvent(event, "directive.expired", agent.id(), agent.identity().uri());
    lab.awaitTarget(action, TargetState.TARGET_STATE_EXPIRED);
    String next = lab.newLine();
    assertSucceeded(lab.append(agent, next));
    lines.add(next);
    assertThat(agent.lines()).containsExactlyElementsOf(lines);
    lab.assertOnlyEvent(event, "directive.expired");
  }

  @Test
  void replay_sessionToAnAgentWhoseDiskWasRestored_runsNothingAgain() throws IOException {
    Path backup = lab.directory().resolve("backup");
    agent.program().stop();
    lab.awaitState(agent.name(), HostState.HOST_STATE_STOPPED);
    copy(agent.data(), backup);
    agent.program().start();
    lab.awaitCarried(agent);
    String line = lab.newLine();
    String action = lab.append(agent, line);
    assertSucceeded(action);
    List<String> lines = new ArrayList<>(agent.lines());
    List<ByteString> recorded =
        lab.proxy().run(() -> lab.proxy().link(agent.identity()).orElseThrow().sentDown());
    agent.program().stop();
    ProcessFleet.deleteTree(agent.data());
    copy(backup, agent.data());

    long event = lab.lastEvent();
    SealedFramesIT.Replay replay = new SealedFramesIT.Replay(recorded);
    lab.proxy().attack(agent.identity(), replay);
    agent.program().start();
    Await.until("the replay", HostileLab.BOUND, () -> lab.proxy().run(replay::isDone));
    lab.proxy().behave();
    lab.awaitEvent(event, "session.tampered", agent.id(), agent.identity().uri());
    lab.awaitCarried(agent);
    assertThat(lab.target(action).getOutcome()).isEqualTo(Outcome.OUTCOME_SUCCEEDED);
    String next = lab.newLine();
    assertSucceeded(lab.append(agent, next));
    lines.add(next);
    assertThat(agent.lines()).containsExactlyElementsOf(lines);
    lab.assertOnlyEvent(event, "session.tampered");
  }

  private void assertSucceeded(String action) {
    ActionTarget target = lab.awaitTarget(action, TargetState.TARGET_STATE_ENDED);
    assertThat(target.getOutcome()).as(target.toString()).isEqualTo(Outcome.OUTCOME_SUCCEEDED);
  }

  private static void copy(Path from, Path to) throws IOException {
    try (Stream<Path> files = Files.walk(from)) {
      for (Path file : files.toList()) {
        Path target = to.resolve(from.relativize(file).toString());
        if (Files.isDirectory(file)) {
          Files.createDirectories(target);
        } else {
          Files.copy(file, target);
        }
      }
    }
  }
}
