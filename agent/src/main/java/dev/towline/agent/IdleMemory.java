package dev.towline.agent;

import java.time.Duration;
import java.util.function.LongSupplier;

/**
 * Gives memory back to the host when there is nothing to do: what starting up, or a burst of
 * output, left behind would stay for good, because an idle agent never fills its heap again.
 *
 * <p>Threading: the session's thread.
 */
final class IdleMemory {
  /** A heap of this size is not worth a collection. */
  private static final long SMALL = 12L << 20;

  private static final Duration BETWEEN = Duration.ofMinutes(10);

  private final Runtime runtime;
  private final LongSupplier nanoTime;
  private long notBefore;

  IdleMemory(Runtime runtime, LongSupplier nanoTime) {
    this.runtime = runtime;
    this.nanoTime = nanoTime;
    this.notBefore = nanoTime.getAsLong();
  }

  /** Looked at with each heartbeat. */
  void look(boolean idle) {
    long now = nanoTime.getAsLong();
    if (idle && now - notBefore >= 0 && runtime.totalMemory() > SMALL) {
      notBefore = now + BETWEEN.toNanos();
      runtime.gc();
    }
  }
}
