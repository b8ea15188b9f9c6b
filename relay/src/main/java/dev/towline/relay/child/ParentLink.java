package dev.towline.relay.child;

import dev.towline.proto.v1.ChildFrame;
import dev.towline.proto.v1.RelayDrain;
import dev.towline.proto.v1.RelayPing;
import dev.towline.proto.v1.RelayPong;
import dev.towline.relay.link.LinkCounters;
import dev.towline.relay.link.LinkMonitor;
import dev.towline.relay.tunnel.Tunnel;
import io.grpc.Metadata;
import io.grpc.ServerCall;
import io.grpc.Status;
import io.grpc.netty.shaded.io.netty.channel.EventLoop;
import java.time.Duration;
import java.time.Instant;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Deque;
import java.util.HashSet;
import java.util.List;
import java.util.Set;
import java.util.function.BooleanSupplier;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * One persistent connection of a parent, as the child sees it: its control stream, its streams in
 * reserve and its tunnels.
 *
 * <p>Lifecycle: from the parent's hello to the end of its control stream, or two missed pings; then
 * every tunnel on it is reset. Threading: the loop.
 */
final class ParentLink {
  private static final Logger LOG = LoggerFactory.getLogger(ParentLink.class);

  private final ParentLinks links;
  private final ServerCall<?, ChildFrame> hold;
  private final LinkMonitor monitor;
  private final Description description;
  private final BooleanSupplier trusted;
  private Duration pingInterval;
  private final LinkCounters counters = new LinkCounters();

  // The newest is taken first; the others stay cold.
  private final Deque<ServerCarry> reserve = new ArrayDeque<>();
  private final Set<ServerCarry> active = new HashSet<>();
  private int asked;
  private boolean draining;
  private boolean gone;

  /**
   * @param index which of the pair's connections; 0 is kept for sessions when there are others
   */
  record Description(
      String parentId, String instance, int index, String remoteAddress, Instant since) {}

  ParentLink(
      ParentLinks links,
      ServerCall<?, ChildFrame> hold,
      EventLoop loop,
      Duration pingInterval,
      Description description,
      BooleanSupplier trusted) {
    this.links = links;
    this.hold = hold;
    this.description = description;
    this.trusted = trusted;
    this.pingInterval = pingInterval;
    this.monitor =
        new LinkMonitor(
            loop,
            links.pace(pingInterval),
            number ->
                send(ChildFrame.newBuilder().setPing(RelayPing.newBuilder().setNumber(number))),
            () -> lost("no answer to pings"));
  }

  void start() {
    links.joined(this);
    monitor.start();
    if (links.stopping()) {
      drain(links.stopReason());
    }
    askForStreams();
  }

  Description description() {
    return description;
  }

  boolean usable() {
    return !gone && !draining && !reserve.isEmpty();
  }

  boolean draining() {
    return draining;
  }

  int activeCount() {
    return active.size();
  }

  int reserveCount() {
    return reserve.size();
  }

  @Nullable Duration roundTrip() {
    return monitor.roundTrip();
  }

  LinkCounters.Totals totals() {
    return counters.with(tunnels());
  }

  private List<Tunnel> tunnels() {
    List<Tunnel> tunnels = new ArrayList<>();
    for (ServerCarry carry : active) {
      Tunnel tunnel = carry.tunnel();
      if (tunnel != null) {
        tunnels.add(tunnel);
      }
    }
    return tunnels;
  }

  // Streams.

  void offered(ServerCarry carry) {
    asked = Math.max(0, asked - 1);
    reserve.push(carry);
    links.streamOffered();
  }

  ServerCarry take() {
    ServerCarry carry = reserve.pop();
    active.add(carry);
    askForStreams();
    return carry;
  }

  void leftReserve(ServerCarry carry) {
    reserve.remove(carry);
  }

  void left(ServerCarry carry, Tunnel tunnel) {
    if (active.remove(carry)) {
      counters.ended(tunnel);
    }
  }

  /** Keeps the reserve filled, and more when connections wait. */
  void askForStreams() {
    int missing =
        (links.stopping() ? 0 : links.reserveTarget()) + links.waiting() - reserve.size() - asked;
    if (gone || draining || missing <= 0) {
      return;
    }
    asked += missing;
    send(ChildFrame.newBuilder().setCarryWanted(missing));
  }

  // Control frames.

  void pinged(long number) {
    send(ChildFrame.newBuilder().setPong(RelayPong.newBuilder().setNumber(number)));
  }

  void ponged(long number) {
    monitor.pong(number);
  }

  void drained(boolean over, String reason) {
    draining = !over;
    LOG.info(
        "parent {} (connection {}) {}",
        description.parentId(),
        description.index(),
        over ? "takes new connections again" : "takes nothing new: " + reason);
    if (over) {
      askForStreams();
      links.streamOffered();
    }
    links.changed();
  }

  /** Tells the parent that this child stops. */
  void drain(String reason) {
    send(ChildFrame.newBuilder().setDrain(RelayDrain.newBuilder().setReason(reason)));
  }

  /** The parent pings at another interval from now on. */
  void pingInterval(Duration interval) {
    pingInterval = interval;
    monitor.pace(links.pace(interval));
  }

  /** The child's own settings changed. */
  void tuned() {
    monitor.pace(links.pace(pingInterval));
    askForStreams();
  }

  private void send(ChildFrame.Builder frame) {
    if (!gone) {
      hold.sendMessage(frame.build());
    }
  }

  /** Asks again whether the parent's certificate holds: it may have expired or been revoked. */
  void recheck() {
    if (!trusted.getAsBoolean()) {
      lost("the parent's certificate no longer holds");
    }
  }

  /** Frees everything of this connection. */
  void lost(String reason) {
    if (gone) {
      return;
    }
    gone = true;
    monitor.stop();
    links.left(this, reason);
    List.copyOf(active).forEach(carry -> carry.cut(reason));
    List.copyOf(reserve).forEach(carry -> carry.cut(reason));
    reserve.clear();
    if (!hold.isCancelled()) {
      hold.close(Status.UNAVAILABLE.withDescription(reason), new Metadata());
    }
  }
}
