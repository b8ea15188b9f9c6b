package dev.towline.runtime.tls;

import java.time.Duration;
import java.util.function.LongSupplier;

/**
 * Lets through so many in a period: for what strangers can cause and somebody has to read. Safe for
 * use by several threads.
 */
public final class Turns {
  private final int most;
  private final long periodNanos;
  private final LongSupplier nanoTime;
  private long began;
  private int taken;

  /**
   * @param nanoTime monotonic, as {@link System#nanoTime}
   */
  public Turns(int most, Duration period, LongSupplier nanoTime) {
    this.most = most;
    this.periodNanos = period.toNanos();
    this.nanoTime = nanoTime;
    this.began = nanoTime.getAsLong();
  }

  /** Whether this one may pass. */
  public synchronized boolean take() {
    long now = nanoTime.getAsLong();
    if (now - began > periodNanos) {
      began = now;
      taken = 0;
    }
    return ++taken <= most;
  }
}
