package dev.towline.testing;

import java.time.Duration;
import java.util.Optional;
import java.util.concurrent.Callable;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.locks.LockSupport;

/** Waits for a condition with a bound, instead of sleeping and hoping. */
public final class Await {
  private static final long POLL_NANOS = TimeUnit.MILLISECONDS.toNanos(20);

  private Await() {}

  /**
   * Returns as soon as the condition holds.
   *
   * @param what completes "waited in vain for …"
   * @throws AssertionError when it doesn't hold in time
   */
  public static void until(String what, Duration bound, Callable<Boolean> condition) {
    value(what, bound, () -> condition.call() ? Optional.of(true) : Optional.empty());
  }

  /** Returns the first value that is present. */
  public static <T> T value(String what, Duration bound, Callable<Optional<T>> source) {
    long deadline = System.nanoTime() + bound.toNanos();
    while (true) {
      Optional<T> value = ask(what, source);
      if (value.isPresent()) {
        return value.get();
      }
      if (System.nanoTime() - deadline > 0) {
        throw new AssertionError("waited " + bound.toMillis() + " ms in vain for " + what);
      }
      if (Thread.currentThread().isInterrupted()) {
        throw new AssertionError("interrupted while waiting for " + what);
      }
      LockSupport.parkNanos(POLL_NANOS);
    }
  }

  private static <T> Optional<T> ask(String what, Callable<Optional<T>> source) {
    try {
      return source.call();
    } catch (Exception e) {
      throw new AssertionError("failed while waiting for " + what, e);
    }
  }
}
