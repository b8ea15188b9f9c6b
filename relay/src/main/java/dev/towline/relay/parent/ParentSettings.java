package dev.towline.relay.parent;

import dev.towline.relay.link.LinkPace;
import java.time.Duration;

/**
 * Settings of a parent. All may change while it runs (R7).
 *
 * @param connections persistent connections to each child
 * @param maxReserve most streams that a child may ask for ahead of time
 * @param pace how the connections are watched (R4)
 * @param backoff first bound of the full-jitter reconnect delay
 * @param backoffCap last bound
 * @param draining takes no new connections from below; those that live go on
 */
public record ParentSettings(
    int connections,
    int maxReserve,
    LinkPace pace,
    Duration backoff,
    Duration backoffCap,
    Duration connectTimeout,
    boolean draining) {

  public static final ParentSettings DEFAULTS =
      new ParentSettings(
          4,
          1024,
          LinkPace.of(Duration.ofSeconds(15)),
          Duration.ofMillis(500),
          Duration.ofMillis(1500),
          Duration.ofSeconds(2),
          false);

  /** The same, taking nothing new. */
  ParentSettings drained() {
    return new ParentSettings(
        connections, maxReserve, pace, backoff, backoffCap, connectTimeout, true);
  }

  public ParentSettings {
    if (backoffCap.compareTo(backoff) < 0) {
      backoff = backoffCap;
    }
  }
}
