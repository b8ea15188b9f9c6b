package dev.towline.manager.enrollment;

import com.google.common.cache.CacheBuilder;
import com.google.common.cache.CacheLoader;
import com.google.common.cache.LoadingCache;
import java.time.Duration;
import java.time.InstantSource;

/**
 * How often one source may fail, so that nobody tries secrets at length or fills the event list.
 * Safe for use by several threads.
 */
final class AttemptLimit {
  private static final int MOST_FAILURES = 30;
  private static final Duration WINDOW = Duration.ofMinutes(1);
  private static final int MOST_SOURCES = 10_000;

  private final InstantSource clock;
  private final LoadingCache<String, Failures> failures =
      CacheBuilder.newBuilder()
          .maximumSize(MOST_SOURCES)
          .build(CacheLoader.from(_ -> new Failures()));

  AttemptLimit(InstantSource clock) {
    this.clock = clock;
  }

  private static final class Failures {
    private long windowStartMs;
    private int count;
  }

  boolean allows(String source) {
    Failures known = failures.getUnchecked(source);
    synchronized (known) {
      return isOver(known) || known.count < MOST_FAILURES;
    }
  }

  void failed(String source) {
    Failures known = failures.getUnchecked(source);
    synchronized (known) {
      if (isOver(known)) {
        known.windowStartMs = clock.millis();
        known.count = 0;
      }
      known.count++;
    }
  }

  private boolean isOver(Failures known) {
    return clock.millis() - known.windowStartMs > WINDOW.toMillis();
  }
}
