package dev.towline.relay.parent;

import java.time.Duration;
import java.util.random.RandomGenerator;

/**
 * How long to wait before the next dial: drawn evenly below a bound that doubles with each failure
 * (full jitter), so that many parents that lost one child do not come back at once. A connection
 * that did not stay for long counts as a failure too.
 *
 * <p>Threading: the loop.
 */
final class ReconnectDelay {
  private static final int MOST_DOUBLINGS = 10;

  private final RandomGenerator random;
  private int failures;

  ReconnectDelay(RandomGenerator random) {
    this.random = random;
  }

  /**
   * @param stood how long the connection was up; zero when it never was
   */
  Duration next(ParentSettings settings, Duration stood) {
    if (stood.compareTo(settings.backoffCap()) >= 0) {
      failures = 0;
    }
    long bound =
        Math.min(
            settings.backoffCap().toMillis(),
            settings.backoff().toMillis() << Math.min(failures, MOST_DOUBLINGS));
    failures++;
    return Duration.ofMillis(random.nextLong(bound + 1));
  }

  int failures() {
    return failures;
  }
}
