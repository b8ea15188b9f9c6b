package dev.towline.relay.status;

import dev.towline.proto.v1.RelayLink;
import dev.towline.relay.link.LinkCounters;
import java.time.Duration;
import java.time.Instant;
import org.jspecify.annotations.Nullable;

/**
 * One persistent connection as an operator sees it (R7).
 *
 * @param peer id of the relay at the other end
 * @param toParent whether the other end is a parent; else it is a child
 * @param index which of the pair's connections
 * @param since of the present state
 * @param roundTrip of the last ping; null before the first
 * @param reserve streams that wait for a connection
 * @param lastError why it was lost the last time; empty when it never was
 */
public record LinkView(
    String peer,
    boolean toParent,
    int index,
    State state,
    String address,
    Instant since,
    @Nullable Duration roundTrip,
    int reserve,
    LinkCounters.Totals totals,
    String lastError) {

  /** As the manager is told. */
  public RelayLink toProto() {
    Duration measured = roundTrip;
    return RelayLink.newBuilder()
        .setPeer(peer)
        .setToParent(toParent)
        .setIndex(index)
        .setState(state.name())
        .setAddress(address)
        .setSinceMs(since.toEpochMilli())
        .setRoundTripUs(measured == null ? 0 : Math.max(1, measured.toNanos() / 1000))
        .setReserve(reserve)
        .setOpen(totals.open())
        .setStalled(totals.stalled())
        .setOpened(totals.opened())
        .setBytesSent(totals.bytesSent())
        .setBytesReceived(totals.bytesReceived())
        .setLastError(lastError)
        .build();
  }

  /** Where a connection is in its life. */
  public enum State {
    CONNECTING,
    UP,
    DRAINING,
    DOWN
  }
}
