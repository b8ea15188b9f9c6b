package dev.towline.relay.status;

import dev.towline.relay.link.LinkCounters;
import java.time.Duration;
import java.time.Instant;
import org.jspecify.annotations.Nullable;

/**
 * One persistent connection as an operator sees it (R7).
 *
 * @param peer id of the relay at the other end
 * @param index which of the pair's connections
 * @param since of the present state
 * @param roundTrip of the last ping; null before the first
 * @param reserve streams that wait for a connection
 * @param lastError why it was lost the last time; empty when it never was
 */
public record LinkView(
    String peer,
    int index,
    State state,
    String address,
    Instant since,
    @Nullable Duration roundTrip,
    int reserve,
    LinkCounters.Totals totals,
    String lastError) {

  /** Where a connection is in its life. */
  public enum State {
    CONNECTING,
    UP,
    DRAINING,
    DOWN
  }
}
