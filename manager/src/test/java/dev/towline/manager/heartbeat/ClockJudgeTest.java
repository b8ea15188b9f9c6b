package dev.towline.manager.heartbeat;

import static org.assertj.core.api.Assertions.assertThat;

import dev.towline.proto.v1.Heartbeat;
import dev.towline.testing.Requirement;
import java.util.OptionalLong;
import org.junit.jupiter.api.Test;

@Requirement("H4")
final class ClockJudgeTest {
  private static final long RECEIVED = 1_000_000;

  @Test
  void offset_isCorrectedByTheRoundTrip() {
    Heartbeat heartbeat = heartbeat(2, RECEIVED - 100).setRoundTripMs(200).build();
    assertThat(ClockJudge.judge(heartbeat, RECEIVED, OptionalLong.empty()).offsetMs()).isZero();
  }

  @Test
  void offset_thatStays_isNoStep() {
    Heartbeat heartbeat = heartbeat(2, RECEIVED + 3_600_000).build();
    var verdict = ClockJudge.judge(heartbeat, RECEIVED, OptionalLong.of(3_600_000));
    assertThat(verdict.offsetMs()).isEqualTo(3_600_000);
    assertThat(verdict.stepMs()).isZero();
  }

  @Test
  void step_thatTheAgentSaw_counts() {
    Heartbeat heartbeat =
        heartbeat(2, RECEIVED + 600_000).setWatchesClock(true).setClockStepMs(599_000).build();
    assertThat(ClockJudge.judge(heartbeat, RECEIVED, OptionalLong.of(0)).stepMs())
        .isEqualTo(599_000);
  }

  @Test
  void step_whereTheAgentCanNotSeeIt_isTheDifferenceOfOffsets() {
    Heartbeat unwatched = heartbeat(2, RECEIVED - 600_000).build();
    assertThat(ClockJudge.judge(unwatched, RECEIVED, OptionalLong.of(0)).stepMs())
        .isEqualTo(-600_000);
    assertThat(ClockJudge.judge(unwatched, RECEIVED, OptionalLong.empty()).stepMs()).isZero();
    // The network was slow for once: an agent that watches knows better.
    Heartbeat watched = heartbeat(2, RECEIVED - 600_000).setWatchesClock(true).build();
    assertThat(ClockJudge.judge(watched, RECEIVED, OptionalLong.of(0)).stepMs()).isZero();
    // It may have been set while the agent was not running.
    Heartbeat first = heartbeat(1, RECEIVED - 600_000).setWatchesClock(true).build();
    assertThat(ClockJudge.judge(first, RECEIVED, OptionalLong.of(0)).stepMs()).isEqualTo(-600_000);
  }

  private static Heartbeat.Builder heartbeat(long number, long timeMs) {
    return Heartbeat.newBuilder().setNumber(number).setTimeMs(timeMs);
  }
}
