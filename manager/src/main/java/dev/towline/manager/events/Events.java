package dev.towline.manager.events;

import com.google.common.cache.Cache;
import com.google.common.cache.CacheBuilder;
import dev.towline.manager.store.Store;
import java.time.Duration;
import java.time.InstantSource;
import java.util.List;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/** Records named events and lists them. Safe for use by several threads. */
public final class Events {
  public static final String MANAGER = "manager";

  private static final Logger log = LoggerFactory.getLogger(Events.class);
  private static final Duration REPEAT_AFTER = Duration.ofSeconds(10);
  private static final int LARGEST_PAGE = 1000;
  private static final int LONGEST_DETAIL = 2000;

  private final Store store;
  private final InstantSource clock;
  private final Cache<String, String> recent =
      CacheBuilder.newBuilder().maximumSize(10_000).expireAfterWrite(REPEAT_AFTER).build();

  public Events(Store store, InstantSource clock) {
    this.store = store;
    this.clock = clock;
  }

  /**
   * Records what the manager itself noticed; what it noticed just before in the same words is left
   * out, so that nobody fills the disk with it. Does not block.
   */
  public void record(String code, String subject, String detail) {
    if (recent.asMap().putIfAbsent(code + "|" + subject + "|" + detail, code) != null) {
      return;
    }
    log.warn("{}: {}: {}", code, subject, detail);
    EventRecord event = of(code, subject, detail, MANAGER);
    var _ =
        store
            .write(tx -> {
              tx.events().add(event, "");
              return event;
            })
            .exceptionally(e -> {
              log.error("event {} of {} was not recorded", code, subject, e);
              return event;
            });
  }

  /** For a transaction that records more than the event. */
  public EventRecord of(String code, String subject, String detail, String reporter) {
    return new EventRecord(
        0,
        clock.millis(),
        code,
        subject,
        detail.length() > LONGEST_DETAIL ? detail.substring(0, LONGEST_DETAIL) : detail,
        reporter);
  }

  /**
   * Newest first.
   *
   * @param beforeId id of the last one of the page before; 0 for the first page
   */
  public List<EventRecord> list(String code, String subject, long beforeId, int limit) {
    int most = Math.clamp(limit <= 0 ? 100 : limit, 1, LARGEST_PAGE);
    return store.read(tx -> tx.events().list(code, subject, beforeId, most));
  }
}
