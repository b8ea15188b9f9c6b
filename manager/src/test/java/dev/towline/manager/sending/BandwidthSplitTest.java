package dev.towline.manager.sending;

import static org.assertj.core.api.Assertions.assertThat;

import dev.towline.manager.sending.BandwidthSplit.Demand;
import dev.towline.testing.Requirement;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Random;
import org.junit.jupiter.api.Test;

@Requirement("P7")
class BandwidthSplitTest {
  @Test
  void split_allBacklogged_isEven() {
    Map<String, Long> parts =
        BandwidthSplit.split(
            900,
            List.of(
                new Demand("a", 5, true), new Demand("b", 500, true), new Demand("c", 0, true)));
    assertThat(parts).containsEntry("a", 300L).containsEntry("b", 300L).containsEntry("c", 300L);
  }

  @Test
  void split_oneNeedsLittle_othersGetTheRest() {
    Map<String, Long> parts =
        BandwidthSplit.split(
            1000,
            List.of(
                new Demand("busy", 900, true),
                new Demand("quiet", 80, false),
                new Demand("idle", 0, false)));
    // What it needs, a quarter more, and a twentieth of its even part.
    assertThat(parts.get("quiet")).isBetween(100L, 120L);
    assertThat(parts.get("idle")).isBetween(15L, 17L);
    assertThat(parts.get("busy")).isGreaterThan(850L);
  }

  @Test
  void split_anyDemands_neverMoreThanTheWholeAndAllOfItWhenBacklogged() {
    long seed = Boolean.getBoolean("towline.long") ? System.nanoTime() : 1;
    System.out.println("bandwidth split: seed " + seed);
    Random random = new Random(seed);
    for (int run = 0; run < 10_000; run++) {
      long bandwidth = 1_000 + random.nextInt(10_000_000);
      List<Demand> demands = new ArrayList<>();
      boolean backlog = false;
      for (int i = random.nextInt(8); i >= 0; i--) {
        boolean backlogged = random.nextInt(3) == 0;
        backlog |= backlogged;
        demands.add(new Demand("p" + i, random.nextDouble() * 2 * bandwidth, backlogged));
      }
      long sum = BandwidthSplit.split(bandwidth, demands).values().stream().mapToLong(l -> l).sum();
      assertThat(sum).isLessThanOrEqualTo(bandwidth);
      if (backlog) {
        assertThat(sum).isGreaterThanOrEqualTo(bandwidth - demands.size());
      }
    }
  }
}
