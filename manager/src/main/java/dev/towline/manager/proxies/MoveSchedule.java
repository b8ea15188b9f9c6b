package dev.towline.manager.proxies;

import java.time.Duration;
import java.time.InstantSource;

/**
 * Admission of hosts that are told to move (P5): each gets its own moment, so many per second for
 * all orders together. Thousands can be told at once, and order after order. Thread-safe.
 */
final class MoveSchedule {
  private final InstantSource clock;
  private final long gapMicros;
  private long freeMicros;

  MoveSchedule(InstantSource clock, int movesPerSecond) {
    this.clock = clock;
    this.gapMicros = 1_000_000L / movesPerSecond;
  }

  /** How long the next host has to wait. */
  synchronized Duration next() {
    long now = clock.millis() * 1000;
    long at = Math.max(now, freeMicros);
    freeMicros = at + gapMicros;
    return Duration.ofMillis((at - now) / 1000);
  }
}
