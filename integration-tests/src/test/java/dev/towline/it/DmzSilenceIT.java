package dev.towline.it;

import static org.assertj.core.api.Assertions.assertThat;

import dev.towline.it.topology.DmzFirewall.Counter;
import dev.towline.it.topology.DmzPair;
import dev.towline.it.topology.Host;
import dev.towline.proto.v1.HostState;
import dev.towline.testing.Await;
import dev.towline.testing.Promised;
import dev.towline.testing.Requirement;
import java.time.Duration;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.condition.DisabledIfSystemProperty;

/**
 * A firewall between the relays of a pair that turns silent: packets vanish, nothing tells either
 * side. At the default pace, so it has to be noticed within 2 x 15 s + 5 s.
 */
@Tag("docker")
@DisabledIfSystemProperty(
    named = "towline.packaging.skip",
    matches = "true",
    disabledReason = "this build made no packages")
@Requirement("G6")
final class DmzSilenceIT {
  private static final Duration NOTICED = Duration.ofSeconds(2 * 15 + 5);
  private static final Duration LIMIT = Duration.ofMinutes(2);
  private static final int DIAL_PORT = 52311;

  /** A look takes a moment: a command in a container. */
  private static final Duration LOOK = Promised.within(Duration.ofMillis(1500));

  private static final DmzPair topology = new DmzPair(1);

  @BeforeAll
  static void bringUp() {
    topology.up();
    topology.start();
  }

  @AfterAll
  static void takeDown() {
    topology.close();
  }

  @Test
  @Requirement({"R4", "R7"})
  void firewallTurnsSilent_bothSidesFreeEverything_andAreBackSoonAfterIt() {
    Host agent = topology.agents().getFirst();
    topology.fleet().awaitState(agent.name(), HostState.HOST_STATE_ONLINE, LIMIT);
    assertThat(held(topology.child(), "sport")).isPositive();
    long from = System.nanoTime();
    topology.firewall().cut();

    Await.until(
        "the parent to let go", NOTICED.plus(LOOK), () -> held(topology.parent(), "dport") == 0);
    double parent = seconds(from);
    Await.until(
        "the child to let go",
        NOTICED.plus(LOOK).minusNanos(System.nanoTime() - from),
        () -> held(topology.child(), "sport") == 0);
    System.out.printf("noticed: parent after %.1f s, child after %.1f s%n", parent, seconds(from));
    // Of all it carried, the parent keeps its own session with the manager and nothing else.
    Await.until(
        "the parent's end of every tunnel to be gone",
        Promised.within(Duration.ofSeconds(5)),
        () ->
            topology.parent().sh("ss -Htn state established 'dport = :7443'").lines().count() <= 1);

    long mended = System.nanoTime();
    topology.firewall().mend();
    Await.until(
        "the pair to be connected again",
        Duration.ofSeconds(5).plus(LOOK),
        () -> held(topology.child(), "sport") > 0);
    System.out.printf("connected again after %.1f s%n", seconds(mended));
    topology.fleet().awaitState(agent.name(), HostState.HOST_STATE_ONLINE, LIMIT);
    assertThat(topology.firewall().count(Counter.DMZ_TO_INNER_NEW_PASSED)).isZero();
  }

  /** Persistent connections as the kernel of a relay's host has them. */
  private static long held(Host relay, String port) {
    return relay
        .sh("ss -Htn state established '%s = :%d'".formatted(port, DIAL_PORT))
        .lines()
        .count();
  }

  private static double seconds(long from) {
    return (System.nanoTime() - from) / 1e9;
  }
}
