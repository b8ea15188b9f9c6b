package dev.towline.relay.child;

import java.time.Duration;
import java.time.Instant;
import java.time.InstantSource;
import java.util.Set;

/**
 * Which relays a child accepts as its parents: those that it is paired with (R2). A child whose
 * parents were all away for long accepts any relay of the fleet again, because nobody else could
 * tell it that it was given another one. Safe for use by several threads.
 */
final class KnownParents {
  static final Duration LONG = Duration.ofMinutes(10);

  private final InstantSource clock;
  private Set<String> ids = Set.of();
  private Instant lastHeld;
  private boolean held;

  KnownParents(InstantSource clock) {
    this.clock = clock;
    this.lastHeld = clock.instant();
  }

  /**
   * @param parents none when any relay of the fleet may be one
   */
  synchronized void are(Set<String> parents) {
    ids = Set.copyOf(parents);
  }

  /**
   * @param now whether at least one of them holds a connection
   */
  synchronized void held(boolean now) {
    if (held && !now) {
      lastHeld = clock.instant();
    }
    held = now;
  }

  synchronized boolean accepts(String id) {
    return ids.isEmpty()
        || ids.contains(id)
        || !held && Duration.between(lastHeld, clock.instant()).compareTo(LONG) >= 0;
  }

  /** Whether a connection that stands may go on: a parent that was taken off the list may not. */
  synchronized boolean keeps(String id) {
    return ids.isEmpty() || ids.contains(id);
  }
}
