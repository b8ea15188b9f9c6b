package dev.towline.relay.link;

import java.time.Duration;
import org.jspecify.annotations.Nullable;

/**
 * Whether the other end of a persistent connection is alive, from pings alone (R4). A ping that is
 * answered late counts as missed, so a buffered answer can't hide a broken link. As many misses in
 * a row as the pace allows end it; with the usual one, within 2 intervals and 5 seconds of silence.
 *
 * <p>No clock and no socket in here. Threading: one thread.
 */
public final class LinkPulse {
  private long interval;
  private long answerWithin;
  private int misses;

  private long number;
  private long sentAt;
  private boolean waiting;
  private int missed;
  private @Nullable Duration roundTrip;

  public LinkPulse(LinkPace pace, long now) {
    pace(pace);
    this.sentAt = now - this.interval;
  }

  /** Goes on at another pace; what was missed so far still counts. */
  public void pace(LinkPace pace) {
    this.interval = pace.interval().toNanos();
    this.answerWithin = pace.answerWithin().toNanos();
    this.misses = pace.misses();
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
    if (missed >= misses) {
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
