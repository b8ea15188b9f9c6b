package dev.towline.relay.link;

import static org.assertj.core.api.Assertions.assertThat;

import dev.towline.relay.link.LinkPulse.Beat;
import dev.towline.testing.Requirement;
import java.time.Duration;
import org.junit.jupiter.api.Test;

@Requirement("R4")
final class LinkPulseTest {
  private static final Duration INTERVAL = Duration.ofSeconds(15);

  private final LinkPulse pulse = new LinkPulse(LinkPace.of(INTERVAL), 0);

  @Test
  void start_pingsAtOnce() {
    assertThat(pulse.beat(0)).isEqualTo(new Beat.Ping(1));
  }

  @Test
  void answered_nextPingComesAfterTheInterval() {
    pulse.beat(0);
    pulse.answered(1, millis(3));

    assertThat(pulse.roundTrip()).isEqualTo(Duration.ofMillis(3));
    assertThat(pulse.beat(millis(10))).isEqualTo(new Beat.Wait(millis(15_000) - millis(10)));
    assertThat(pulse.beat(millis(15_000))).isEqualTo(new Beat.Ping(2));
  }

  @Test
  void silence_isNoticedWithinTwoIntervalsAndFiveSeconds() {
    pulse.beat(0);
    pulse.answered(1, millis(1));
    // From here on nothing comes any more.
    assertThat(timeOfLoss()).isLessThanOrEqualTo(INTERVAL.multipliedBy(2).plusSeconds(5));
  }

  /**
   * Research item A2.5, a keepalive that cannot fail: a ping without a deadline took 15 minutes to
   * notice, and a buffered answer that came back after 8 s reset the count of failures.
   */
  @Test
  @Requirement("R4")
  void lateAnswers_countAsMissed() {
    assertThat(pulse.beat(0)).isEqualTo(new Beat.Ping(1));
    pulse.answered(1, millis(6_000));
    assertThat(pulse.beat(millis(15_000))).isEqualTo(new Beat.Ping(2));
    pulse.answered(2, millis(21_000));

    assertThat(pulse.beat(millis(21_000))).isEqualTo(new Beat.Lost());
    assertThat(pulse.roundTrip()).isNull();
  }

  @Test
  void oneMiss_thenAnAnswer_startsAgain() {
    pulse.beat(0);
    assertThat(pulse.beat(millis(5_000))).isInstanceOf(Beat.Wait.class);
    assertThat(pulse.beat(millis(15_000))).isEqualTo(new Beat.Ping(2));
    pulse.answered(2, millis(15_010));
    assertThat(pulse.beat(millis(30_000))).isEqualTo(new Beat.Ping(3));
    assertThat(pulse.beat(millis(35_000))).isInstanceOf(Beat.Wait.class);
    assertThat(pulse.beat(millis(45_000))).isEqualTo(new Beat.Ping(4));
    assertThat(pulse.beat(millis(50_000))).isEqualTo(new Beat.Lost());
  }

  @Test
  @Requirement("R7")
  void anotherPace_holdsFromThenOn_andForgetsNoMiss() {
    assertThat(pulse.beat(0)).isEqualTo(new Beat.Ping(1));
    assertThat(pulse.beat(millis(5_000))).isInstanceOf(Beat.Wait.class);

    pulse.pace(new LinkPace(Duration.ofSeconds(1), Duration.ofMillis(500), 3));

    assertThat(pulse.beat(millis(5_000))).isEqualTo(new Beat.Ping(2));
    assertThat(pulse.beat(millis(5_500))).isInstanceOf(Beat.Wait.class);
    assertThat(pulse.beat(millis(6_000))).isEqualTo(new Beat.Ping(3));
    assertThat(pulse.beat(millis(6_500))).isEqualTo(new Beat.Lost());
  }

  private Duration timeOfLoss() {
    for (long at = 0; at < 100_000; at += 10) {
      if (pulse.beat(millis(at)) instanceof Beat.Lost) {
        return Duration.ofMillis(at);
      }
    }
    throw new AssertionError("never noticed");
  }

  private static long millis(long millis) {
    return Duration.ofMillis(millis).toNanos();
  }
}
