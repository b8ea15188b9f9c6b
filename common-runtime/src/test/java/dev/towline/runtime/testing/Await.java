package dev.towline.runtime.testing;

import java.time.Duration;
import java.util.Optional;
import java.util.concurrent.locks.LockSupport;
import java.util.function.BooleanSupplier;
import java.util.function.Supplier;

/** Waits for a condition, with a bound. */
public final class Await {
  private static final Duration LIMIT = Duration.ofSeconds(20);

  private Await() {}

  public static void until(String what, BooleanSupplier condition) {
    long end = System.nanoTime() + LIMIT.toNanos();
    while (!condition.getAsBoolean()) {
      if (System.nanoTime() > end) {
        throw new AssertionError("did not come within " + LIMIT + ": " + what);
      }
      LockSupport.parkNanos(2_000_000);
    }
  }

  public static <T> T value(String what, Supplier<Optional<T>> source) {
    until(what, () -> source.get().isPresent());
    return source.get().orElseThrow();
  }
}
