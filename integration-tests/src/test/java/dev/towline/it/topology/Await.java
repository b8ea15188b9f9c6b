package dev.towline.it.topology;

import java.time.Duration;
import java.util.concurrent.locks.LockSupport;
import java.util.function.BooleanSupplier;

/** Bounded waiting for something that happens in another process. */
public final class Await {
  private static final Duration INTERVAL = Duration.ofMillis(50);

  private Await() {}

  /** Returns once the condition holds; fails when it does not hold within the limit. */
  public static void until(String what, Duration limit, BooleanSupplier condition) {
    long deadline = System.nanoTime() + limit.toNanos();
    while (!condition.getAsBoolean()) {
      if (System.nanoTime() - deadline > 0) {
        throw new AssertionError(what + ": not within " + limit.toMillis() + " ms");
      }
      LockSupport.parkNanos(INTERVAL.toNanos());
    }
  }
}
