package dev.towline.relay.link;

import java.time.Duration;
import org.jspecify.annotations.Nullable;

/**
 * Whether the other end of a persistent connection is alive, from pings alone (R4). A ping that is
 * answered late counts as missed, so a buffered answer can't hide a broken link. Two misses in a
 * row end it: within 2 intervals and 5 seconds of silence.
 *
 * <p>No clock and no socket in here. Threading: one thread.
 */
public final class LinkPulse {
  private static final long LONGEST_ANSWER = Duration.ofSeconds(5).toNanos();
  private static final int MISSES = 2;

  private final long interval;
  private final long answerWithin;

  private long number;
  private long sentAt;
  private boolean waiting;
  private int missed;
  private @Nullable Duration roundTrip;

  public LinkPulse(Duration interval, long now) {
    this.interval = interval.toNanos();
    this.answerWithin = Math.min(this.interval, LONGEST_ANSWER);
    this.sentAt = now - this.interval;
  }

  /** What to do now. */
  public sealed interface Beat {
    /** Call again after this many nanoseconds. */
    record Wait(long nanos) implements Beat {}

    record Ping(long number) implements Beat {}

    record Lost() implements Beat {}
  }

  public Beat beat(long now) {
    if (waiting && now - sentAt >= answerWithin) {
      waiting = false;
      missed++;
    }
    if (missed >= MISSES) {
      return new Beat.Lost();
    }
    if (now - sentAt >= interval) {
      number++;
      sentAt = now;
      waiting = true;
      return new Beat.Ping(number);
    }
    long next = waiting ? answerWithin : interval;
    return new Beat.Wait(next - (now - sentAt));
  }

  public void answered(long answeredNumber, long now) {
    if (!waiting || answeredNumber != number || now - sentAt >= answerWithin) {
      return;
    }
    waiting = false;
    missed = 0;
    roundTrip = Duration.ofNanos(now - sentAt);
  }

  /** Of the last ping that was answered in time; null before the first. */
  public @Nullable Duration roundTrip() {
    return roundTrip;
  }
}
