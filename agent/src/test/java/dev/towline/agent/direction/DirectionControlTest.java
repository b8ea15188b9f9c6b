package dev.towline.agent.direction;

import static org.assertj.core.api.Assertions.assertThat;

import dev.towline.runtime.policy.Direction;
import dev.towline.runtime.policy.EffectivePolicy;
import dev.towline.testing.Requirement;
import java.io.IOException;
import java.time.Duration;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Random;
import java.util.Set;
import java.util.concurrent.CompletableFuture;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;

/** Changes of direction with a session and ports that do what the test says. */
@Requirement({"D1", "D2", "D3", "D4"})
final class DirectionControlTest {
  private final Set<Integer> open = new HashSet<>();
  private final Set<Integer> taken = new HashSet<>();
  private int slow;
  private final FakeSession session = new FakeSession();
  private final DirectionControl control =
      new DirectionControl(
          this::open, session, Duration.ofSeconds(1), Thread.ofPlatform().daemon().factory());

  @AfterEach
  void close() {
    control.close();
    assertThat(open).isEmpty();
  }

  @Test
  void begin_noPolicy_dialsAndListens() {
    control.begin(EffectivePolicy.EMPTY);
    assertThat(session.inForce).isEqualTo(Direction.BIDIRECTIONAL);
    assertThat(open).containsExactly(7118);
    assertThat(control.reach().listenPort()).isEqualTo(7118);
    assertThat(control.module().orElseThrow().getOnline()).isTrue();
  }

  @Test
  void begin_onlyListeningAndPortTaken_dialsMeanwhileAndSaysSo() {
    taken.add(7118);
    control.begin(policy(Direction.MANAGER_INITIATED, 7118));
    assertThat(session.inForce).isEqualTo(Direction.BIDIRECTIONAL);
    assertThat(control.module().orElseThrow().getOnline()).isFalse();
    assertThat(control.module().orElseThrow().getDetail()).contains("7118", "in use");
  }

  @Test
  void change_managerComesIn_isInForce() throws Exception {
    control.begin(EffectivePolicy.EMPTY);
    assertThat(control.change(policy(Direction.MANAGER_INITIATED, 7200))).isEmpty();
    assertThat(session.inForce).isEqualTo(Direction.MANAGER_INITIATED);
    assertThat(open).containsExactly(7200);
    assertThat(session.tried).containsExactly("call 7200");
  }

  @Test
  void change_managerCannotComeIn_isAsBeforeAndSaysWhatToDo() throws Exception {
    control.begin(policy(Direction.AGENT_INITIATED, 7118));
    session.reachable = false;
    Optional<String> problem = control.change(policy(Direction.MANAGER_INITIATED, 7200));
    assertThat(problem.orElseThrow()).contains("refused", "7200", "connection.address");
    assertThat(session.inForce).isEqualTo(Direction.AGENT_INITIATED);
    assertThat(open).isEmpty();
    assertThat(control.reach().listenPort()).isZero();
  }

  @Test
  void change_portTaken_isRefusedWithoutATry() throws Exception {
    control.begin(policy(Direction.AGENT_INITIATED, 7118));
    taken.add(7200);
    Optional<String> problem = control.change(policy(Direction.BIDIRECTIONAL, 7200));
    assertThat(problem.orElseThrow()).contains("7200", "in use", "connection.listen-port");
    assertThat(session.tried).isEmpty();
  }

  @Test
  void change_fromOnlyListeningWithoutAWayOut_goesOnListening() throws Exception {
    control.begin(policy(Direction.MANAGER_INITIATED, 7118));
    session.reachable = false;
    assertThat(control.change(policy(Direction.AGENT_INITIATED, 7118))).isPresent();
    assertThat(session.inForce).isEqualTo(Direction.MANAGER_INITIATED);
    assertThat(open).containsExactly(7118);
  }

  @Test
  void change_backToAPortThatIsStillBeingLetGoOf_waitsForIt() throws Exception {
    control.begin(policy(Direction.BIDIRECTIONAL, 7200));
    assertThat(control.change(policy(Direction.AGENT_INITIATED, 7200))).isEmpty();
    slow = 3;
    assertThat(control.change(policy(Direction.BIDIRECTIONAL, 7200))).isEmpty();
    assertThat(open).containsExactly(7200);
  }

  @Test
  void change_randomly_neverWithoutAWay() throws Exception {
    long seed =
        Long.getLong("towline.seed", Boolean.getBoolean("towline.long") ? System.nanoTime() : 1);
    System.out.println("seed " + seed + " (repeat with -Dtowline.seed=" + seed + ")");
    Random random = new Random(seed);
    control.begin(EffectivePolicy.EMPTY);
    for (int i = 0; i < 500; i++) {
      session.reachable = random.nextInt(3) > 0;
      taken.clear();
      if (random.nextInt(4) == 0) {
        taken.add(7200 + random.nextInt(4));
      }
      EffectivePolicy wanted =
          policy(
              Direction.values()[random.nextInt(Direction.values().length)],
              7200 + random.nextInt(4));
      Direction before = control.reach().direction();
      boolean worked = control.change(wanted).isEmpty();
      assertThat(control.reach().direction()).isEqualTo(worked ? wanted.direction() : before);
      assertThat(session.inForce).isEqualTo(control.reach().direction());
      assertThat(open.size()).isLessThanOrEqualTo(1);
      assertThat(open.isEmpty()).isEqualTo(!control.reach().direction().listens());
    }
  }

  private static EffectivePolicy policy(Direction direction, int port) {
    return new EffectivePolicy(
        Map.of(
            EffectivePolicy.DIRECTION,
            direction.label(),
            EffectivePolicy.LISTEN_PORT,
            String.valueOf(port)));
  }

  private Door open(int port, boolean expected) throws IOException {
    if (slow > 0) {
      slow--;
      throw new IOException("failed to bind", new IOException("Address already in use"));
    }
    if (taken.contains(port) || !open.add(port)) {
      throw new IOException("failed to bind", new IOException("Address already in use"));
    }
    return new Door() {
      @Override
      public int port() {
        return port;
      }

      @Override
      public void close() {
        open.remove(port);
      }
    };
  }

  private static final class FakeSession implements DirectionControl.Session {
    private final List<String> tried = new ArrayList<>();
    private boolean reachable = true;
    private Direction inForce = Direction.BIDIRECTIONAL;

    @Override
    public void direction(Direction direction, int listenPort) {
      inForce = direction;
    }

    @Override
    public CompletableFuture<Optional<String>> tryCall(int listenPort, Duration limit) {
      return tried("call " + listenPort);
    }

    @Override
    public CompletableFuture<Optional<String>> tryDial(Duration limit) {
      return tried("dial");
    }

    private CompletableFuture<Optional<String>> tried(String what) {
      tried.add(what);
      return CompletableFuture.completedFuture(
          reachable ? Optional.empty() : Optional.of("connection refused"));
    }
  }
}
