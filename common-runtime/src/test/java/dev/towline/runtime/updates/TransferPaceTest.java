package dev.towline.runtime.updates;

import static org.assertj.core.api.Assertions.assertThat;

import dev.towline.testing.Requirement;
import java.time.Duration;
import org.junit.jupiter.api.Test;

@Requirement("U4")
class TransferPaceTest {
  private static final Duration WINDOW = Duration.ofSeconds(30);
  private static final long SECOND = 1_000_000_000;

  @Test
  void received_aboveTheLimit_waitsUntilTheAverageFits() {
    var pace = new TransferPace(100_000, 0, WINDOW);
    pace.start(0);
    long now = 0;
    for (int i = 0; i < 100; i++) {
      now += pace.received(10_000, now);
    }

    // A million bytes at 100,000 a second.
    assertThat(now / (double) SECOND).isBetween(9.5, 10.5);
  }

  @Test
  void received_withoutLimit_neverWaits() {
    var pace = new TransferPace(0, 0, WINDOW);
    pace.start(0);

    assertThat(pace.received(1 << 30, 1)).isZero();
  }

  @Test
  @Requirement("U5")
  void isTooSlow_lessThanTheLeastOverAWindow_isSaid() {
    var pace = new TransferPace(0, 1000, WINDOW);
    pace.start(0);
    pace.received(29_000, SECOND);

    assertThat(pace.isTooSlow(29 * SECOND)).isFalse();
    assertThat(pace.isTooSlow(30 * SECOND)).isTrue();
  }

  @Test
  void isTooSlow_enoughInEachWindow_isNotSaid() {
    var pace = new TransferPace(0, 1000, WINDOW);
    pace.start(0);
    for (long second = 30; second <= 300; second += 30) {
      pace.received(30_000, second * SECOND);
      assertThat(pace.isTooSlow(second * SECOND)).as("at %d s", second).isFalse();
    }
  }

  @Test
  void isTooSlow_becauseOfTheOwnLimit_isNotSaid() {
    var pace = new TransferPace(1000, 5000, WINDOW);
    pace.start(0);
    long now = 0;
    while (now < 200 * SECOND) {
      now += pace.received(500, now) + 1;
      assertThat(pace.isTooSlow(now)).isFalse();
    }
  }
}
