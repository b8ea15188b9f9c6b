package dev.towline.relay.parent;

import java.time.Duration;

/**
 * Settings of a parent.
 *
 * @param connections persistent connections to each child
 * @param reserve streams that wait on each connection
 * @param maxReserve most streams that a child may ask for ahead of time
 * @param pingInterval two pings that are not answered within 5 s end a connection (R4)
 * @param backoff first bound of the full-jitter reconnect delay
 * @param backoffCap last bound
 */
public record ParentSettings(
    int connections,
    int reserve,
    int maxReserve,
    Duration pingInterval,
    Duration backoff,
    Duration backoffCap,
    Duration connectTimeout) {

  public static final ParentSettings DEFAULTS =
      new ParentSettings(
          4,
          16,
          1024,
          Duration.ofSeconds(15),
          Duration.ofMillis(500),
          Duration.ofSeconds(4),
          Duration.ofSeconds(5));
}
