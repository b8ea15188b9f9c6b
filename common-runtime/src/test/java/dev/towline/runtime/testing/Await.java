package dev.towline.runtime.testing;

import java.time.Duration;
import java.util.Optional;
import java.util.function.BooleanSupplier;
import java.util.function.Supplier;

/** Waits as {@link dev.towline.testing.Await} does, with one bound that fits a busy machine. */
public final class Await {
  private static final Duration LIMIT = Duration.ofSeconds(60);

  private Await() {}

  public static void until(String what, BooleanSupplier condition) {
    dev.towline.testing.Await.until(what, LIMIT, condition::getAsBoolean);
  }

  public static <T> T value(String what, Supplier<Optional<T>> source) {
    return dev.towline.testing.Await.value(what, LIMIT, source::get);
  }
}
