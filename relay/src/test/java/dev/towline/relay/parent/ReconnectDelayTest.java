package dev.towline.relay.parent;

import static org.assertj.core.api.Assertions.assertThat;

import dev.towline.testing.Requirement;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import java.util.Random;
import org.junit.jupiter.api.Test;

/** Research item A2.8: no thundering herd, and no parent that hammers a child. */
class ReconnectDelayTest {
  private static final ParentSettings SETTINGS = ParentSettings.DEFAULTS;
  private static final int PARENTS = 1000;

  @Test
  @Requirement("R4")
  void manyParents_loseOneChildAtOnce_comeBackSpreadOverTheWholeTime() {
    long seed = new Random().nextInt(Integer.MAX_VALUE);
    System.out.println("seed " + seed);
    Random random = new Random(seed);
    List<Integer> tenths = new ArrayList<>(Collections.nCopies(10, 0));
    ReconnectDelay[] parents = new ReconnectDelay[PARENTS];
    for (int i = 0; i < PARENTS; i++) {
      parents[i] = new ReconnectDelay(random);
      long first = parents[i].next(SETTINGS, Duration.ofHours(1)).toMillis();
      int tenth = (int) Math.min(9, first * 10 / SETTINGS.backoff().toMillis());
      tenths.set(tenth, tenths.get(tenth) + 1);
    }
    // Even would be 100 each; a fixed delay with 20 % of jitter leaves most of them empty.
    assertThat(tenths).allSatisfy(count -> assertThat(count).isBetween(50, 160));

    for (int round = 0; round < 10; round++) {
      for (ReconnectDelay parent : parents) {
        assertThat(parent.next(SETTINGS, Duration.ZERO))
            .isLessThanOrEqualTo(SETTINGS.backoffCap())
            .isLessThanOrEqualTo(Duration.ofSeconds(4));
      }
    }
  }

  @Test
  @Requirement("R4")
  void connectionThatNeverStays_isAFailure_soTheDelaysGrow() {
    ReconnectDelay delay = new ReconnectDelay(new Random(1));
    long longest = 0;
    for (int i = 0; i < 200; i++) {
      longest = Math.max(longest, delay.next(SETTINGS, Duration.ofMillis(300)).toMillis());
    }
    assertThat(longest).isGreaterThan(3_000);

    // One that stood is no reason to wait.
    assertThat(delay.next(SETTINGS, Duration.ofMinutes(1))).isLessThanOrEqualTo(SETTINGS.backoff());
  }

  @Test
  void changedBounds_holdForTheNextDial() {
    ReconnectDelay delay = new ReconnectDelay(new Random(1));
    ParentSettings quick =
        new ParentSettings(
            SETTINGS.connections(),
            SETTINGS.maxReserve(),
            SETTINGS.pace(),
            Duration.ofMillis(10),
            Duration.ofMillis(20),
            SETTINGS.connectTimeout(),
            false);
    for (int i = 0; i < 50; i++) {
      assertThat(delay.next(quick, Duration.ZERO)).isLessThanOrEqualTo(Duration.ofMillis(20));
    }
  }
}
