package dev.towline.relay.link;

import io.grpc.netty.shaded.io.netty.channel.EventLoop;
import java.time.Duration;
import java.util.concurrent.Future;
import java.util.concurrent.TimeUnit;
import java.util.function.LongConsumer;
import org.jspecify.annotations.Nullable;

/**
 * Runs a {@link LinkPulse} on a loop.
 *
 * <p>Lifecycle: from {@link #start} to {@link #stop} or the loss, of which {@code lost} hears once.
 * Threading: the loop.
 */
public final class LinkMonitor {
  private final EventLoop loop;
  private final LinkPulse pulse;
  private final LongConsumer ping;
  private final Runnable lost;
  private @Nullable Future<?> timer;
  private boolean stopped;

  public LinkMonitor(EventLoop loop, LinkPace pace, LongConsumer ping, Runnable lost) {
    this.loop = loop;
    this.pulse = new LinkPulse(pace, System.nanoTime());
    this.ping = ping;
    this.lost = lost;
  }

  public void start() {
    beat();
  }

  /** From now on at another pace. */
  public void pace(LinkPace pace) {
    pulse.pace(pace);
    if (!stopped) {
      if (timer != null) {
        timer.cancel(false);
      }
      beat();
    }
  }

  public void stop() {
    stopped = true;
    if (timer != null) {
      timer.cancel(false);
    }
  }

  public void pong(long number) {
    pulse.answered(number, System.nanoTime());
  }

  public @Nullable Duration roundTrip() {
    return pulse.roundTrip();
  }

  private void beat() {
    while (!stopped) {
      switch (pulse.beat(System.nanoTime())) {
        case LinkPulse.Beat.Ping(long number) -> ping.accept(number);
        case LinkPulse.Beat.Lost _ -> {
          stopped = true;
          lost.run();
        }
        case LinkPulse.Beat.Wait(long nanos) -> {
          timer = loop.schedule(this::beat, Math.max(nanos, 1), TimeUnit.NANOSECONDS);
          return;
        }
      }
    }
  }
}
