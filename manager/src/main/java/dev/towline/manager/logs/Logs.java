package dev.towline.manager.logs;

import dev.towline.manager.store.Store;
import dev.towline.runtime.error.ErrorCode;
import dev.towline.runtime.error.TowlineException;
import java.time.Duration;
import java.time.InstantSource;
import java.util.List;
import java.util.concurrent.ScheduledExecutorService;
import java.util.concurrent.TimeUnit;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * What hosts reported, for operators, and its bound: {@value #MOST} records and 14 days, whichever
 * comes first.
 *
 * <p>Lifecycle: {@link #start} begins to remove what is too old; it ends with the timer. Threading:
 * safe for use by several threads.
 */
public final class Logs {
  public static final ErrorCode LEVEL_INVALID = ErrorCode.user("LOG_LEVEL_INVALID");

  static final long MOST = 2_000_000;

  private static final Logger log = LoggerFactory.getLogger(Logs.class);
  private static final Duration OLDEST = Duration.ofDays(14);
  private static final Duration PRUNE_PERIOD = Duration.ofSeconds(30);
  private static final int PRUNE_BATCH = 20_000;

  private final Store store;
  private final InstantSource clock;

  public Logs(Store store, InstantSource clock) {
    this.store = store;
    this.clock = clock;
  }

  public Logs start(ScheduledExecutorService timer) {
    var _ =
        timer.scheduleWithFixedDelay(
            () -> {
              try {
                prune();
              } catch (RuntimeException e) {
                log.error("old logs could not be removed", e);
              }
            },
            PRUNE_PERIOD.toMillis(),
            PRUNE_PERIOD.toMillis(),
            TimeUnit.MILLISECONDS);
    return this;
  }

  private void prune() {
    long before = clock.millis() - OLDEST.toMillis();
    // In pieces, so that nothing else waits long.
    int removed = PRUNE_BATCH;
    while (removed == PRUNE_BATCH) {
      removed = store.commit(tx -> tx.logs().prune(before, MOST, PRUNE_BATCH));
    }
  }

  public List<StoredLog> list(LogQuery query) {
    return store.read(tx -> tx.logs().list(query));
  }

  /**
   * @param label empty for every level
   */
  public static LogLevel level(String label) {
    return label.isEmpty()
        ? LogLevel.DEBUG
        : LogLevel.parse(label)
            .orElseThrow(() ->
                new TowlineException(
                    LEVEL_INVALID,
                    "log level: '" + label + "' (expected: DEBUG, INFO, WARN or ERROR)",
                    "name one of these"));
  }
}
