package dev.towline.runtime.session;

import java.time.Duration;

/**
 * When a contact of the short-lived form is over (D3), without sockets: the manager has answered,
 * nothing that it ordered is unfinished, nothing is owed, and that stays so for a moment, because
 * an order may just be on its way. Belongs to the session's thread; times are nanoseconds.
 */
final class ContactRules {
  /** How long nothing may happen before the node leaves. */
  static final Duration QUIET = Duration.ofMillis(300);

  /** What trickles on, such as a busy log, does not keep a contact open for longer than this. */
  static final Duration LONGEST = Duration.ofSeconds(30);

  /** How often is looked. */
  static final Duration LOOK = Duration.ofMillis(100);

  private static final long NEVER = Long.MAX_VALUE;

  private final long began;
  private long quietSince = NEVER;

  ContactRules(long now) {
    this.began = now;
  }

  /**
   * What there is to do.
   *
   * @param answered the manager answered a heartbeat of this contact
   * @param unfinished orders under way
   * @param owed results, events and frames that the manager has not got
   * @param logsWait logs are on their way, or about to be
   */
  record Work(boolean answered, int unfinished, int owed, boolean logsWait) {}

  /** Whether to leave now. */
  boolean isOver(Work work, long now) {
    if (!work.answered() || work.unfinished() > 0) {
      quietSince = NEVER;
      return false;
    }
    if (now - began >= LONGEST.toNanos()) {
      return true;
    }
    if (work.owed() > 0 || work.logsWait()) {
      quietSince = NEVER;
      return false;
    }
    if (quietSince == NEVER) {
      quietSince = now;
    }
    return now - quietSince >= QUIET.toNanos();
  }

  /** Until the next contact: they begin an interval apart, however long they take. */
  Duration untilNext(Duration interval, long now) {
    Duration left = interval.minusNanos(now - began);
    return left.compareTo(SessionTimings.BACKOFF_BASE) < 0 ? SessionTimings.BACKOFF_BASE : left;
  }
}
