package dev.towline.agent.heartbeat;

import java.time.Duration;
import java.time.Instant;
import java.time.InstantSource;
import java.util.function.Supplier;

/**
 * Compares the clock with a time that nobody can set (H4). What is less than a second is drift.
 *
 * <p>Threading: one thread.
 */
public final class ClockSteps {
  private static final Duration DRIFT = Duration.ofSeconds(1);

  private final InstantSource clock;
  private final Supplier<Duration> steady;
  private Instant lastTime;
  private Duration lastSteady;

  /**
   * @param steady time since some moment, suspended time included
   */
  public ClockSteps(InstantSource clock, Supplier<Duration> steady) {
    this.clock = clock;
    this.steady = steady;
    this.lastTime = clock.instant();
    this.lastSteady = steady.get();
  }

  /** By how much the clock was set since the last call, or since the beginning. */
  public Duration sinceLast() {
    Instant time = clock.instant();
    Duration now = steady.get();
    Duration step = Duration.between(lastTime, time).minus(now.minus(lastSteady));
    lastTime = time;
    lastSteady = now;
    return step.abs().compareTo(DRIFT) < 0 ? Duration.ZERO : step;
  }
}
