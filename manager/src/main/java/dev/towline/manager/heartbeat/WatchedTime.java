package dev.towline.manager.heartbeat;

import java.time.Duration;
import java.util.ArrayList;
import java.util.List;

/**
 * How long this manager was there to hear heartbeats. What it slept through, stopped or suspended,
 * counts for nobody as a missed heartbeat.
 *
 * <p>Threading: its owner's. Times are milliseconds since 1970.
 */
final class WatchedTime {
  /** Longer without a look means that the manager was not there. */
  static final Duration LONGEST_PAUSE = Duration.ofSeconds(30);

  /** Time for hosts to come back after the manager was away. */
  static final Duration SETTLING = Duration.ofSeconds(60);

  private static final int MOST_GAPS = 1000;

  private final List<Gap> gaps = new ArrayList<>();
  private long lastLookMs;
  private long backSinceMs;

  private record Gap(long fromMs, long toMs) {}

  /**
   * @param lastAliveMs when an earlier run was last there; 0 when there was none
   */
  WatchedTime(long lastAliveMs, long nowMs) {
    lastLookMs = nowMs;
    backSinceMs = nowMs;
    gaps.add(new Gap(Math.min(lastAliveMs, nowMs), nowMs));
  }

  /** The manager is there. */
  void look(long nowMs) {
    // Backwards: its clock was set, and no distance to an earlier time means anything.
    if (nowMs - lastLookMs > LONGEST_PAUSE.toMillis() || nowMs < lastLookMs) {
      gaps.add(new Gap(Math.min(lastLookMs, nowMs), Math.max(lastLookMs, nowMs)));
      backSinceMs = nowMs;
      if (gaps.size() > MOST_GAPS) {
        gaps.removeFirst();
      }
    }
    lastLookMs = nowMs;
  }

  /** Whether hosts had the time to come back. */
  boolean settled(long nowMs) {
    return nowMs - backSinceMs >= SETTLING.toMillis();
  }

  /** How much of the time since then the manager was there. */
  Duration since(long fromMs, long nowMs) {
    long watched = nowMs - fromMs;
    for (Gap gap : gaps) {
      watched -= Math.max(0, Math.min(gap.toMs(), nowMs) - Math.max(gap.fromMs(), fromMs));
    }
    return Duration.ofMillis(Math.max(0, watched));
  }
}
