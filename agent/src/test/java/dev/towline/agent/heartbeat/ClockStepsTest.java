package dev.towline.agent.heartbeat;

import static org.assertj.core.api.Assertions.assertThat;

import dev.towline.testing.Requirement;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.time.Instant;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

@Requirement("H4")
final class ClockStepsTest {
  private Instant clock = Instant.parse("2026-01-01T00:00:00Z");
  private Duration steady = Duration.ofHours(3);
  private final ClockSteps steps = new ClockSteps(() -> clock, () -> steady);

  @Test
  void time_thatOnlyPasses_isNoStep() {
    pass(Duration.ofHours(24));
    assertThat(steps.sinceLast()).isZero();
    // Drift of 900 ms a day.
    pass(Duration.ofHours(24));
    clock = clock.plusMillis(900);
    assertThat(steps.sinceLast()).isZero();
  }

  @Test
  void clock_setInEitherDirection_isToldOnce() {
    pass(Duration.ofSeconds(60));
    clock = clock.plus(Duration.ofMinutes(10));
    assertThat(steps.sinceLast()).isEqualTo(Duration.ofMinutes(10));
    pass(Duration.ofSeconds(60));
    assertThat(steps.sinceLast()).isZero();
    clock = clock.minus(Duration.ofDays(800));
    pass(Duration.ofSeconds(60));
    assertThat(steps.sinceLast()).isEqualTo(Duration.ofDays(-800));
  }

  @Test
  void steadyTime_isTheUptime_orTheMonotonicClockWithoutIt(@TempDir Path directory)
      throws Exception {
    Path uptime = Files.writeString(directory.resolve("uptime"), "1234.56 99.00\n");
    assertThat(new SteadyTime(uptime, () -> 7).get()).isEqualTo(Duration.ofMillis(1_234_560));
    assertThat(new SteadyTime(directory.resolve("none"), () -> 7).get())
        .isEqualTo(Duration.ofNanos(7));
  }

  private void pass(Duration time) {
    clock = clock.plus(time);
    steady = steady.plus(time);
  }
}
