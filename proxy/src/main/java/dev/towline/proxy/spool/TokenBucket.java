package dev.towline.proxy.spool;

/**
 * Bytes per second, exact on average: whoever takes more than is there leaves a debt. Not
 * thread-safe.
 */
final class TokenBucket {
  private static final double NANOS = 1e9;

  /** What may come at once after a pause. */
  private static final double BURST_SECONDS = 0.05;

  private static final int SMALLEST_BURST = 2 << 10;

  private double perSecond;
  private double tokens;
  private long last;

  /**
   * @param bytesPerSecond 0 for no limit
   */
  void rate(long bytesPerSecond, long now) {
    refill(now);
    perSecond = bytesPerSecond;
    tokens = Math.min(tokens, burst());
  }

  /** Nanoseconds until something may be taken; 0 for now. */
  long waitNanos(long now) {
    refill(now);
    return perSecond == 0 || tokens > 0 ? 0 : (long) Math.ceil(-tokens / perSecond * NANOS) + 1;
  }

  void take(int bytes) {
    if (perSecond > 0) {
      tokens -= bytes;
    }
  }

  private void refill(long now) {
    tokens = Math.min(burst(), tokens + (now - last) / NANOS * perSecond);
    last = now;
  }

  private double burst() {
    return Math.max(SMALLEST_BURST, perSecond * BURST_SECONDS);
  }
}
