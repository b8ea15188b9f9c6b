package dev.towline.it.hostile;

import static org.assertj.core.api.Assertions.assertThat;

import com.google.protobuf.ByteString;
import dev.towline.proto.v1.ActionTarget;
import dev.towline.proto.v1.Event;
import dev.towline.proto.v1.Outcome;
import dev.towline.proto.v1.TargetState;
import dev.towline.testing.Requirement;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.TestInstance;
import org.junit.jupiter.api.TestInstance.Lifecycle;

/**
 * A stolen proxy at work on the sealed bytes between an agent and its manager, while an action that
 * appends a line to a file is under way: it runs exactly once, and the attack has a name.
 */
@Requirement({"T1", "T3"})
@InHostileLab
@TestInstance(Lifecycle.PER_CLASS)
final class SealedFramesIT {
  private static final String TAMPERED = "session.tampered";
  private static final String MANAGER = "manager";

  private HostileLab lab;
  private Victim alpha;
  private Victim beta;

  @BeforeAll
  void start(HostileLab shared) {
    lab = shared;
    alpha = lab.victim("sealed-alpha");
    beta = lab.victim("sealed-beta");
  }

  @BeforeEach
  void inSession() {
    lab.awaitCarried(alpha);
    lab.awaitCarried(beta);
  }

  @AfterEach
  void behave() {
    lab.proxy().behave();
  }

  @Test
  void alter_bytesOfTheManager_isNoticedByTheAgent() {
    attackDirective(
        Attacks.onceDown((link, sealed) -> link.sealedDown(Attacks.flip(sealed))),
        alpha.identity().uri());
  }

  @Test
  void alter_bytesOfTheAgent_isNoticedByTheManager() {
    attackDirective(Attacks.onceUp((link, sealed) -> link.sealedUp(Attacks.flip(sealed))), MANAGER);
  }

  @Test
  void forge_bytesOfTheManager_isNoticedByTheAgent() {
    attackDirective(
        Attacks.onceDown((link, sealed) -> {
          link.sealedDown(forged());
          link.sealedDown(sealed);
        }),
        alpha.identity().uri());
  }

  @Test
  void forge_bytesOfTheAgent_isNoticedByTheManager() {
    attackDirective(
        Attacks.onceUp((link, sealed) -> {
          link.sealedUp(forged());
          link.sealedUp(sealed);
        }),
        MANAGER);
  }

  @Test
  void forge_bytesThatAreNoRecordAtAll_isNoticedByTheAgent() {
    attackDirective(
        Attacks.onceDown(
            (link, sealed) -> link.sealedDown(ByteString.copyFromUtf8("run this instead, now"))),
        alpha.identity().uri());
  }

  @Test
  void replay_bytesOfTheManager_isNoticedByTheAgent() {
    attackDirective(
        Attacks.onceDown((link, sealed) -> {
          link.sealedDown(sealed);
          link.sealedDown(sealed);
        }),
        alpha.identity().uri());
  }

  @Test
  void replay_bytesOfTheAgent_isNoticedByTheManager() {
    attackDirective(
        Attacks.onceUp((link, sealed) -> {
          link.sealedUp(sealed);
          link.sealedUp(sealed);
        }),
        MANAGER);
  }

  @Test
  void drop_oneFrameOfTheManager_isNoticedByTheAgent() {
    long before = lab.lastEvent();
    List<String> expected = new ArrayList<>(alpha.lines());
    lab.proxy().attack(alpha.identity(), Attacks.onceDown((link, sealed) -> {}));
    String first = lab.newLine();
    String second = lab.newLine();
    String firstAction = lab.append(alpha, first);
    String secondAction = lab.append(alpha, second);
    lab.awaitEvent(before, TAMPERED, alpha.id());
    assertSucceeded(firstAction);
    assertSucceeded(secondAction);
    expected.addAll(List.of(first, second));
    // They are accepted in order and run side by side.
    assertThat(alpha.lines()).containsExactlyInAnyOrderElementsOf(expected);
    lab.assertOnlyEvent(before, TAMPERED);
  }

  @Test
  void drop_oneFrameOfTheAgent_isNoticedByTheManager() {
    attackDirective(Attacks.onceUp((link, sealed) -> {}), MANAGER);
  }

  @Test
  void reorder_framesOfTheManager_isNoticedByTheAgent() {
    long before = lab.lastEvent();
    List<String> expected = new ArrayList<>(alpha.lines());
    lab.proxy().attack(alpha.identity(), Attacks.swapDown());
    String first = lab.newLine();
    String second = lab.newLine();
    String firstAction = lab.append(alpha, first);
    String secondAction = lab.append(alpha, second);
    lab.awaitEvent(before, TAMPERED, alpha.id());
    assertSucceeded(firstAction);
    assertSucceeded(secondAction);
    expected.addAll(List.of(first, second));
    // They are accepted in order and run side by side.
    assertThat(alpha.lines()).containsExactlyInAnyOrderElementsOf(expected);
    lab.assertOnlyEvent(before, TAMPERED);
  }

  @Test
  void reorder_framesOfTheAgent_isNoticedByTheManager() {
    attackDirective(Attacks.swapUp(), MANAGER);
  }

  @Test
  void redirect_bytesForOneAgentToAnother_isNoticedByTheOther() {
    long before = lab.lastEvent();
    List<String> expected = new ArrayList<>(alpha.lines());
    List<String> others = beta.lines();
    lab.proxy()
        .attack(
            alpha.identity(),
            Attacks.onceDown((link, sealed) -> {
              link.sealedDown(sealed);
              lab.proxy().link(beta.identity()).orElseThrow().sealedDown(sealed);
            }));
    String line = lab.newLine();
    String action = lab.append(alpha, line);
    Event event = lab.awaitEvent(before, TAMPERED, beta.id());
    assertThat(event.getSubject()).contains(beta.id());
    assertSucceeded(action);
    expected.add(line);
    assertThat(alpha.lines()).containsExactlyElementsOf(expected);
    lab.awaitCarried(beta);
    assertThat(beta.lines()).isEqualTo(others);
    lab.assertOnlyEvent(before, TAMPERED);
  }

  @Test
  void redirect_bytesOfOneAgentIntoTheSessionOfAnother_isNoticedByTheManager() {
    long before = lab.lastEvent();
    lab.proxy()
        .attack(
            alpha.identity(),
            Attacks.onceUp((link, sealed) -> {
              lab.proxy().link(beta.identity()).orElseThrow().sealedUp(sealed);
              link.sealedUp(sealed);
            }));
    String line = lab.newLine();
    String action = lab.append(alpha, line);
    lab.awaitEvent(before, TAMPERED, beta.id());
    assertSucceeded(action);
    assertThat(alpha.lines()).containsOnlyOnce(line);
    lab.awaitCarried(beta);
    lab.assertOnlyEvent(before, TAMPERED);
  }

  @Test
  void replay_wholeDownstreamOfAnEarlierSession_isNoticedByTheAgent() {
    List<String> lines = new ArrayList<>(alpha.lines());
    String line = lab.newLine();
    assertSucceeded(lab.append(alpha, line));
    lines.add(line);
    List<ByteString> recorded =
        lab.proxy().run(() -> lab.proxy().link(alpha.identity()).orElseThrow().sentDown());
    assertThat(recorded).hasSizeGreaterThan(2);
    long before = lab.lastEvent();
    lab.proxy().attack(alpha.identity(), new Replay(recorded));
    lab.proxy()
        .run(() -> {
          lab.proxy().link(alpha.identity()).orElseThrow().endAgent("replay begins");
          return true;
        });
    // The agent tells when it can: after the proxy has lost interest.
    awaitReplayed(recorded);
    lab.proxy().behave();
    lab.awaitEvent(before, TAMPERED, alpha.id());
    String next = lab.newLine();
    assertSucceeded(lab.append(alpha, next));
    lines.add(next);
    assertThat(alpha.lines()).containsExactlyElementsOf(lines);
    lab.assertOnlyEvent(before, TAMPERED);
  }

  private void awaitReplayed(List<ByteString> recorded) {
    dev.towline.testing.Await.until(
        "the earlier session to be replayed",
        HostileLab.BOUND,
        () ->
            lab.proxy()
                .run(() ->
                    lab.proxy()
                        .link(alpha.identity())
                        .filter(link -> link.sentDown().equals(recorded))
                        .isPresent()));
  }

  /** Answers an agent with what a manager said in an earlier session. */
  static final class Replay implements Attack {
    private final List<ByteString> recorded;
    private boolean done;

    Replay(List<ByteString> recorded) {
      this.recorded = recorded;
    }

    @Override
    public void up(AgentLink link, ByteString sealed) {
      if (link.sentDown().isEmpty()) {
        recorded.forEach(link::sealedDown);
        done = true;
      }
    }

    /** Only on the proxy's thread. */
    boolean isDone() {
      return done;
    }

    @Override
    public void down(AgentLink link, ByteString sealed) {}
  }

  /** Attacks the next bytes while a directive comes and is answered. */
  private void attackDirective(Attack attack, String reporter) {
    List<String> expected = new ArrayList<>(alpha.lines());
    long before = lab.lastEvent();
    lab.proxy().attack(alpha.identity(), attack);
    String line = lab.newLine();
    String action = lab.append(alpha, line);
    Event event = lab.awaitEvent(before, TAMPERED, alpha.id(), reporter);
    assertThat(event.getDetail()).isNotEmpty();
    assertSucceeded(action);
    expected.add(line);
    assertThat(alpha.lines()).containsExactlyElementsOf(expected);
    lab.assertOnlyEvent(before, TAMPERED);
  }

  private void assertSucceeded(String action) {
    ActionTarget target = lab.awaitTarget(action, TargetState.TARGET_STATE_ENDED);
    assertThat(target.getOutcome()).as(target.toString()).isEqualTo(Outcome.OUTCOME_SUCCEEDED);
    assertThat(target.getOutput().toStringUtf8()).isEqualTo("done\n");
  }

  /** A record as TLS 1.3 has it: application data of 40 bytes. */
  private static ByteString forged() {
    byte[] record = new byte[45];
    record[0] = 23;
    record[1] = 3;
    record[2] = 3;
    record[4] = 40;
    return ByteString.copyFrom(record);
  }
}
