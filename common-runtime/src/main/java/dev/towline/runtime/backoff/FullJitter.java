package dev.towline.runtime.backoff;

import java.time.Duration;
import java.util.random.RandomGenerator;

/**
 * Delays between attempts: each is drawn evenly from zero to a ceiling that doubles with every
 * failure until it reaches the cap. Many clients that lose the same peer come back spread over the
 * whole span.
 *
 * <p>Threading: not thread-safe, belongs to whoever retries.
 */
public final class FullJitter {
  private final Duration base;
  private final RandomGenerator random;
  private Duration cap;
  private int failures;

  public FullJitter(Duration base, Duration cap, RandomGenerator random) {
    if (!base.isPositive() || cap.compareTo(base) < 0) {
      throw new IllegalArgumentException(
          "backoff base: %s, cap: %s (expected: 0 < base <= cap)".formatted(base, cap));
    }
    this.base = base;
    this.cap = cap;
    this.random = random;
  }

  /** The delay before the next attempt; the ceiling of the one after it is twice as high. */
  public Duration next() {
    long capNanos = cap.toNanos();
    long ceiling = base.toNanos();
    for (int i = 0; i < failures && ceiling < capNanos; i++) {
      ceiling *= 2;
    }
    failures++;
    return Duration.ofNanos(random.nextLong(Math.min(ceiling, capNanos) + 1));
  }

  /** Starts from the base again, after an attempt that succeeded. */
  public void reset() {
    failures = 0;
  }

  /** Takes a new cap, for instance the one that a manager asked for; never below the base. */
  public void cap(Duration newCap) {
    cap = newCap.compareTo(base) < 0 ? base : newCap;
  }

  /** Attempts that failed since the last success. */
  public int failures() {
    return failures;
  }
}
