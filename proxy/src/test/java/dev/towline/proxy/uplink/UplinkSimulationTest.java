package dev.towline.proxy.uplink;

import static org.assertj.core.api.Assertions.assertThat;

import dev.towline.proto.v1.UplinkHello;
import dev.towline.testing.Requirement;
import java.util.SplittableRandom;
import java.util.random.RandomGenerator;
import org.junit.jupiter.api.Test;

/**
 * Many seeds of agents, lanes and a manager that come, go, stall and break at random. Set {@code
 * -Dtowline.seeds=N} for more.
 */
@Requirement({"P6", "P14"})
class UplinkSimulationTest {
  private static final int STEPS = 3_000;

  @Test
  void uplink_lossStallsAndReconnects_keepsEveryByteOfALivingSession() {
    int seeds = Integer.getInteger("towline.seeds", 60);
    long shed = 0;
    long discarded = 0;
    long checked = 0;
    for (int seed = 0; seed < seeds; seed++) {
      try {
        UplinkStats stats = run(seed);
        shed += stats.shed();
        discarded += stats.discardedBytes();
        checked += stats.bytesUp() + stats.bytesDown();
        assertThat(stats.overruns()).isZero();
      } catch (AssertionError | RuntimeException e) {
        throw new AssertionError("seed " + seed + ": " + e.getMessage(), e);
      }
    }
    // The seeds reach what they are there for.
    assertThat(shed).isPositive();
    assertThat(discarded).isPositive();
    assertThat(checked).isGreaterThan(seeds * 100_000L);
  }

  private static UplinkStats run(int seed) {
    RandomGenerator random = new SplittableRandom(seed);
    var fleet = new SimulatedFleet(random);
    boolean hostile = seed % 3 == 0;
    for (int step = 0; step < STEPS; step++) {
      if (hostile && step == STEPS / 2) {
        floodStalledAgents(fleet);
      }
      act(fleet, random, hostile);
      fleet.sweep();
      fleet.checkInvariants();
    }
    settle(fleet);
    return fleet.mux.stats();
  }

  /** Nobody reads, and the manager sends what the credits allow. */
  private static void floodStalledAgents(SimulatedFleet fleet) {
    settle(fleet);
    for (SimulatedFleet.Agent agent : fleet.agents) {
      agent.produce();
      agent.deliverUp();
      agent.stalled = true;
    }
    for (int i = 0; i < 40; i++) {
      for (SimulatedFleet.Wire wire : fleet.wires) {
        for (int frame = 0; frame < fleet.agents.size(); frame++) {
          wire.takeUp();
          wire.produceDown();
          wire.deliverDown();
        }
      }
      fleet.sweep();
      fleet.checkInvariants();
    }
  }

  private static void act(SimulatedFleet fleet, RandomGenerator random, boolean stalling) {
    int dice = random.nextInt(1_000);
    if (dice < 15) {
      fleet.connectAgent();
    } else if (dice < 18) {
      fleet.disconnectAgent();
    } else if (dice < 25) {
      fleet.raise(random.nextInt(4) == 0 ? UplinkHello.Lane.BULK : UplinkHello.Lane.CONTROL);
    } else if (dice < 28) {
      fleet.breakWire();
    } else if (dice < 100) {
      fleet.passTime();
    } else if (!fleet.agents.isEmpty() && dice < 650) {
      SimulatedFleet.Agent agent = fleet.anyAgent();
      switch (random.nextInt(stalling ? 6 : 5)) {
        case 0 -> agent.produce();
        case 1 -> agent.deliverUp();
        case 2, 3 -> agent.takeDown();
        case 4 -> agent.grant();
        default -> agent.stalled = random.nextInt(12) != 0;
      }
    } else if (!fleet.wires.isEmpty()) {
      SimulatedFleet.Wire wire = fleet.anyWire();
      switch (random.nextInt(stalling ? 12 : 11)) {
        case 0, 1, 2, 3 -> wire.takeUp();
        case 4, 5 -> wire.produceDown();
        case 6, 7, 8 -> wire.deliverDown();
        case 9 -> wire.grant();
        case 10 -> {
          if (random.nextInt(20) == 0) {
            wire.closeOne();
          }
        }
        default -> wire.stalled = random.nextInt(3) != 0;
      }
    }
  }

  /** Nothing new is produced until all that was has arrived. */
  private static void settle(SimulatedFleet fleet) {
    if (fleet.wires.stream().noneMatch(w -> w.kind == UplinkHello.Lane.CONTROL)) {
      fleet.wires.clear();
      fleet.raise(UplinkHello.Lane.CONTROL);
    }
    fleet.agents.forEach(agent -> agent.stalled = false);
    fleet.wires.forEach(wire -> wire.stalled = false);
    for (int round = 0; round < 400; round++) {
      fleet.passTime();
      for (SimulatedFleet.Wire wire : fleet.wires) {
        wire.takeUp();
        wire.deliverDown();
        wire.grant();
      }
      for (SimulatedFleet.Agent agent : fleet.agents) {
        agent.deliverUp();
        agent.takeDown();
        agent.grant();
      }
      fleet.sweep();
      fleet.checkInvariants();
    }
    fleet.checkSettled();
  }
}
