package dev.towline.proxy.uplink;

/** A token bucket: so many sessions per second, a tenth of it at once. Not thread-safe. */
final class AnnounceMeter {
  private static final int DEFAULT_RATE = 500;
  private static final double NANOS = 1e9;

  private double perSecond = DEFAULT_RATE;
  private double tokens;
  private long last;

  /** Starts with a full bucket. */
  void reset(int sessionsPerSecond, long now) {
    perSecond = sessionsPerSecond > 0 ? sessionsPerSecond : DEFAULT_RATE;
    tokens = burst();
    last = now;
  }

  boolean tryTake(long now) {
    tokens = Math.min(burst(), tokens + (now - last) / NANOS * perSecond);
    last = now;
    if (tokens < 1) {
      return false;
    }
    tokens -= 1;
    return true;
  }

  private double burst() {
    return Math.max(1, perSecond / 10);
  }
}
