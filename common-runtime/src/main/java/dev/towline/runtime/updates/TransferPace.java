package dev.towline.runtime.updates;

import java.time.Duration;

/**
 * How fast files may come, and how slowly: says how long to wait before more is read, and whether a
 * source gives so little that the next one is asked. It has no clock of its own.
 *
 * <p>Threading: one thread.
 */
public final class TransferPace {
  private static final double NANOS = 1e9;

  /** What may come at once after a pause. */
  private static final double BURST_SECONDS = 0.1;

  private final long mostPerSecond;
  private final long leastPerSecond;
  private final long windowNanos;
  private double tokens;
  private long refilled;
  private long windowStart;
  private long windowBytes;
  private long paused;

  /**
   * @param mostPerSecond bytes; 0 for no limit
   * @param leastPerSecond bytes, on average over a window; 0 for no limit
   */
  public TransferPace(long mostPerSecond, long leastPerSecond, Duration window) {
    this.mostPerSecond = mostPerSecond;
    this.leastPerSecond =
        mostPerSecond > 0 ? Math.min(leastPerSecond, mostPerSecond / 2) : leastPerSecond;
    this.windowNanos = window.toNanos();
  }

  /** A transfer begins. */
  public void start(long nanoTime) {
    refilled = nanoTime;
    windowStart = nanoTime;
    windowBytes = 0;
    paused = 0;
  }

  /**
   * So much came.
   *
   * @return nanoseconds to wait before more is read
   */
  public long received(int bytes, long nanoTime) {
    windowBytes += bytes;
    if (mostPerSecond == 0) {
      return 0;
    }
    tokens =
        Math.min(
            mostPerSecond * BURST_SECONDS, tokens + (nanoTime - refilled) / NANOS * mostPerSecond);
    refilled = nanoTime;
    tokens -= bytes;
    long wait = tokens >= 0 ? 0 : (long) Math.ceil(-tokens / mostPerSecond * NANOS);
    paused += wait;
    return wait;
  }

  /** Whether less came in the last window than has to; own pauses don't count. */
  public boolean isTooSlow(long nanoTime) {
    long lasted = nanoTime - windowStart - paused;
    if (lasted < windowNanos) {
      return false;
    }
    boolean slow = windowBytes < leastPerSecond * (lasted / NANOS);
    windowStart = nanoTime;
    windowBytes = 0;
    paused = 0;
    return slow;
  }
}
