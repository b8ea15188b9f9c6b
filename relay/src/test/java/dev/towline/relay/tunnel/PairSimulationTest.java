package dev.towline.relay.tunnel;

import static org.assertj.core.api.Assertions.assertThat;

import dev.towline.testing.Requirement;
import java.util.ArrayList;
import java.util.List;
import java.util.Random;
import org.junit.jupiter.api.Test;

/**
 * Many tunnels at once over several persistent connections of a pair, in every order that a seed
 * gives: frames of one stream overtake those of others, a connection is lost for both relays or for
 * one of them first (half-open), a relay is killed and starts again, readers stall while others
 * read on. After each event each tunnel's invariants hold, and those of the pair: the budgets hold
 * exactly what the live windows took from them and never more than their limit; what one connection
 * loses touches the tunnels of no other.
 */
@Requirement({"R3", "R4"})
final class PairSimulationTest {
  private static final int SEEDS =
      Integer.getInteger(
          "towline.simulation.pairs", Boolean.getBoolean("towline.long") ? 5_000 : 300);

  @Test
  void manySeeds_invariantsHold() {
    long first = Long.getLong("towline.simulation.seed", 1);
    Totals totals = new Totals();
    for (long seed = first; seed < first + SEEDS; seed++) {
      try {
        new World(seed, totals).run();
      } catch (AssertionError | RuntimeException e) {
        throw new AssertionError("seed " + seed + " (-Dtowline.simulation.seed=" + seed + ")", e);
      }
    }
    System.out.println(
        "pair simulation: seeds " + first + " to " + (first + SEEDS - 1) + ", " + totals);
    assertThat(totals.clean).isGreaterThan(SEEDS);
    assertThat(totals.broken).isGreaterThan(SEEDS);
    assertThat(totals.halfOpen).isPositive();
    assertThat(totals.restarts).isPositive();
  }

  private static final class Totals {
    int clean;
    int broken;
    int links;
    int halfOpen;
    int restarts;

    @Override
    public String toString() {
      return "%d tunnels clean, %d broken, %d connections lost, %d of them half-open, %d restarts"
          .formatted(clean, broken, links, halfOpen, restarts);
    }
  }

  /** One persistent connection. */
  private static final class Link {
    final List<SimulatedTunnel> tunnels = new ArrayList<>();
    boolean cut;
    boolean childKnows;
    boolean parentKnows;

    boolean over() {
      return childKnows && parentKnows;
    }
  }

  private static final class World {
    private static final int CONNECTIONS = 4;
    private static final int STEPS = 6_000;
    private static final int QUIET_STEPS = 2_000_000;

    private final Random random;
    private final Totals totals;
    private final CountedPayload.Ledger ledger = new CountedPayload.Ledger();
    private final long limit;
    private final CreditBudget childBudget;
    private final CreditBudget parentBudget;
    private final List<Link> links = new ArrayList<>();

    World(long seed, Totals totals) {
      this.random = new Random(seed);
      this.totals = totals;
      this.limit = random.nextBoolean() ? 8 << 20 : 200_000;
      this.childBudget = new CreditBudget(limit);
      this.parentBudget = new CreditBudget(limit);
    }

    void run() {
      for (int step = 0; step < STEPS; step++) {
        dial();
        int kind = random.nextInt(1000);
        if (kind < 15) {
          connect();
        } else if (kind < 20) {
          hurt();
        } else {
          move();
        }
        check();
      }
      // Nothing else goes wrong, and whoever stalled reads on: all of them have to come to an end.
      links.forEach(link -> link.tunnels.forEach(SimulatedTunnel::resume));
      for (int step = 0; step < QUIET_STEPS && live() > 0; step++) {
        move();
        check();
      }
      assertThat(live()).as("tunnels that never end").isZero();
      assertThat(ledger.alive).as("payloads never given back").isZero();
      assertThat(childBudget.used() + parentBudget.used()).as("credit not given back").isZero();
    }

    /** A parent keeps dialling; it does not dial a second time what it takes for up. */
    private void dial() {
      while (links.stream().filter(link -> !link.parentKnows).count() < CONNECTIONS) {
        links.add(new Link());
      }
    }

    /** A host connects; the child takes the least loaded connection of those it takes for up. */
    private void connect() {
      links.stream()
          .filter(link -> !link.childKnows)
          .min((a, b) -> Integer.compare(a.tunnels.size(), b.tunnels.size()))
          .ifPresent(link -> {
            SimulatedTunnel tunnel =
                new SimulatedTunnel(
                    random, ledger, childBudget, parentBudget, 1 << 19, random.nextInt(4) == 0);
            link.tunnels.add(tunnel);
            if (link.cut) {
              tunnel.cut();
            }
            if (link.parentKnows) {
              tunnel.lost(tunnel.parent());
            }
          });
    }

    private void hurt() {
      Link link = links.get(random.nextInt(links.size()));
      switch (random.nextInt(6)) {
        case 0 -> {
          cut(link);
          childKnows(link);
          parentKnows(link);
        }
        case 1 -> cut(link);
        case 2 -> {
          totals.restarts++;
          for (Link each : List.copyOf(links)) {
            cut(each);
            childKnows(each);
          }
        }
        case 3 -> {
          totals.restarts++;
          for (Link each : List.copyOf(links)) {
            cut(each);
            parentKnows(each);
          }
        }
        default -> {
          if (!link.tunnels.isEmpty()) {
            SimulatedTunnel tunnel = link.tunnels.get(random.nextInt(link.tunnels.size()));
            if (random.nextBoolean()) {
              tunnel.stallOrResume();
            } else {
              tunnel.peerResets(random.nextBoolean() ? tunnel.child() : tunnel.parent());
            }
          }
        }
      }
    }

    private void cut(Link link) {
      if (!link.cut) {
        link.cut = true;
        totals.links++;
        link.tunnels.forEach(SimulatedTunnel::cut);
      }
    }

    private void childKnows(Link link) {
      if (!link.childKnows) {
        link.childKnows = true;
        totals.halfOpen += link.parentKnows ? 0 : 1;
        link.tunnels.forEach(tunnel -> tunnel.lost(tunnel.child()));
      }
    }

    private void parentKnows(Link link) {
      if (!link.parentKnows) {
        link.parentKnows = true;
        totals.halfOpen += link.childKnows ? 0 : 1;
        link.tunnels.forEach(tunnel -> tunnel.lost(tunnel.parent()));
      }
    }

    /**
     * Something moves somewhere; a cut connection is noticed sooner or later, by each by itself.
     */
    private void move() {
      Link link = links.get(random.nextInt(links.size()));
      if (link.cut && random.nextInt(200) == 0) {
        if (random.nextBoolean()) {
          childKnows(link);
        } else {
          parentKnows(link);
        }
      }
      if (!link.tunnels.isEmpty()) {
        var _ = link.tunnels.get(random.nextInt(link.tunnels.size())).event();
      }
    }

    private int live() {
      return links.stream().mapToInt(link -> link.tunnels.size()).sum();
    }

    private void check() {
      long child = 0;
      long parent = 0;
      for (Link link : links) {
        for (int i = link.tunnels.size() - 1; i >= 0; i--) {
          SimulatedTunnel tunnel = link.tunnels.get(i);
          tunnel.check();
          child += SimulatedTunnel.taken(tunnel.child());
          parent += SimulatedTunnel.taken(tunnel.parent());
          if (tunnel.ended()) {
            tunnel.finish();
            link.tunnels.remove(i);
            totals.clean += tunnel.clean() ? 1 : 0;
            totals.broken += tunnel.clean() ? 0 : 1;
          }
        }
      }
      links.removeIf(link -> link.over() && link.tunnels.isEmpty());
      if (child != childBudget.used() || parent != parentBudget.used()) {
        throw new AssertionError(
            "windows took %d and %d, the budgets say %d and %d"
                .formatted(child, parent, childBudget.used(), parentBudget.used()));
      }
      if (childBudget.used() > limit || parentBudget.used() > limit) {
        throw new AssertionError("a budget is overdrawn");
      }
    }
  }
}
