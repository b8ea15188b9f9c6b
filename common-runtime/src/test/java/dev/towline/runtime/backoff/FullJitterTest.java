package dev.towline.runtime.backoff;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.time.Duration;
import java.util.SplittableRandom;
import org.junit.jupiter.api.Test;

final class FullJitterTest {
  private final FullJitter backoff =
      new FullJitter(Duration.ofMillis(500), Duration.ofSeconds(4), new SplittableRandom(1));

  @Test
  void next_afterManyFailures_staysBelowCapAndUsesTheWholeSpan() {
    Duration longest = Duration.ZERO;
    Duration shortest = Duration.ofDays(1);
    for (int i = 0; i < 1_000; i++) {
      Duration delay = backoff.next();
      assertThat(delay).isBetween(Duration.ZERO, Duration.ofSeconds(4));
      longest = delay.compareTo(longest) > 0 ? delay : longest;
      shortest = delay.compareTo(shortest) < 0 ? delay : shortest;
    }
    assertThat(longest).isGreaterThan(Duration.ofMillis(3_800));
    assertThat(shortest).isLessThan(Duration.ofMillis(100));
  }

  @Test
  void next_ceilingDoublesFromTheBase() {
    for (int round = 0; round < 200; round++) {
      backoff.reset();
      assertThat(backoff.next()).isLessThanOrEqualTo(Duration.ofMillis(500));
      assertThat(backoff.next()).isLessThanOrEqualTo(Duration.ofMillis(1_000));
      assertThat(backoff.next()).isLessThanOrEqualTo(Duration.ofMillis(2_000));
    }
  }

  @Test
  void cap_belowBase_countsAsBase() {
    backoff.cap(Duration.ZERO);
    for (int i = 0; i < 100; i++) {
      assertThat(backoff.next()).isLessThanOrEqualTo(Duration.ofMillis(500));
    }
  }

  @Test
  void create_baseAboveCap_isRefused() {
    assertThatThrownBy(() ->
            new FullJitter(Duration.ofSeconds(5), Duration.ofSeconds(4), new SplittableRandom(1)))
        .hasMessageContaining("expected: 0 < base <= cap");
  }
}
