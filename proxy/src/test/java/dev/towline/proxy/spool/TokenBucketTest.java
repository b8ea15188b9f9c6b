package dev.towline.proxy.spool;

import static org.assertj.core.api.Assertions.assertThat;

import dev.towline.testing.Requirement;
import java.util.Random;
import org.junit.jupiter.api.Test;

@Requirement("P7")
class TokenBucketTest {
  @Test
  void take_alwaysSomethingWaiting_sendsTheRateWithinAPercent() {
    var random = new Random(1);
    var bucket = new TokenBucket();
    bucket.rate(250_000, 0);
    long now = 0;
    long sent = 0;
    while (now < 60_000_000_000L) {
      long wait = bucket.waitNanos(now);
      if (wait > 0) {
        now += wait;
      } else {
        int bytes = 100 + random.nextInt(30_000);
        bucket.take(bytes);
        sent += bytes;
      }
    }
    assertThat(sent / 60.0).isBetween(247_500.0, 252_500.0);
  }

  @Test
  void rate_changed_countsFromThen() {
    var bucket = new TokenBucket();
    bucket.rate(1_000, 0);
    bucket.take(11_000);
    assertThat(bucket.waitNanos(0)).isGreaterThan(8_000_000_000L);
    bucket.rate(1_000_000, 0);
    assertThat(bucket.waitNanos(0)).isLessThan(12_000_000L);
    bucket.rate(0, 0);
    assertThat(bucket.waitNanos(0)).isZero();
  }
}
