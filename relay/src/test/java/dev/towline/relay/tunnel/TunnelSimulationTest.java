package dev.towline.relay.tunnel;

import static org.assertj.core.api.Assertions.assertThat;

import dev.towline.testing.Requirement;
import java.util.Random;
import org.junit.jupiter.api.Test;

/**
 * One {@link SimulatedTunnel} in every order of events that a seed gives: slow readers,
 * half-closes, resets, a link that breaks, a relay that restarts.
 */
@Requirement({"R3", "R9"})
final class TunnelSimulationTest {
  private static final int SEEDS =
      Integer.getInteger(
          "towline.simulation.seeds", Boolean.getBoolean("towline.long") ? 20_000 : 1000);

  @Test
  void manySeeds_invariantsHold() {
    long first = Long.getLong("towline.simulation.seed", 1);
    int clean = 0;
    for (long seed = first; seed < first + SEEDS; seed++) {
      try {
        clean += run(new Random(seed)) ? 1 : 0;
      } catch (AssertionError | RuntimeException e) {
        throw new AssertionError("seed " + seed + " (-Dtowline.simulation.seed=" + seed + ")", e);
      }
    }
    System.out.println(
        "tunnel simulation: seeds "
            + first
            + " to "
            + (first + SEEDS - 1)
            + ", "
            + clean
            + " ended cleanly");
    assertThat(clean).isBetween(SEEDS / 10, SEEDS * 9 / 10);
  }

  /** True when both ended cleanly. */
  private static boolean run(Random random) {
    CountedPayload.Ledger ledger = new CountedPayload.Ledger();
    CreditBudget budget = new CreditBudget(random.nextBoolean() ? 8 << 20 : 100_000);
    boolean hostile = random.nextInt(3) > 0;
    SimulatedTunnel tunnel = new SimulatedTunnel(random, ledger, budget, budget, 1 << 22, hostile);
    int calm = 0;
    for (int step = 0; step < 500_000 && !tunnel.ended(); step++) {
      if (hostile && random.nextInt(400) == 0) {
        hurt(random, tunnel);
      } else {
        calm = tunnel.event() ? 0 : calm + 1;
      }
      tunnel.check();
      assertThat(calm).as("steps in a row without progress").isLessThan(5000);
    }
    assertThat(tunnel.ended()).as("both ended").isTrue();
    tunnel.finish();
    assertThat(ledger.alive).as("payloads never given back").isZero();
    assertThat(budget.used()).as("credit never given back").isZero();
    return tunnel.clean();
  }

  private static void hurt(Random random, SimulatedTunnel tunnel) {
    switch (random.nextInt(4)) {
      case 0, 1 -> {
        // The link breaks, or one relay is killed: both see their stream end, frames are lost.
        tunnel.lost(tunnel.child());
        tunnel.lost(tunnel.parent());
      }
      case 2 -> tunnel.peerResets(random.nextBoolean() ? tunnel.child() : tunnel.parent());
      default -> tunnel.stallOrResume();
    }
  }
}
