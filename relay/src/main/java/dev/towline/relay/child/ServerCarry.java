package dev.towline.relay.child;

import dev.towline.relay.tunnel.CarryMethod;
import dev.towline.relay.tunnel.Frame;
import dev.towline.relay.tunnel.LocalSocket;
import dev.towline.relay.tunnel.Tunnel;
import dev.towline.relay.tunnel.TunnelEnd;
import dev.towline.relay.tunnel.TunnelPump;
import dev.towline.relay.tunnel.TunnelStream;
import io.grpc.Metadata;
import io.grpc.ServerCall;
import io.grpc.Status;
import java.util.function.Consumer;
import org.jspecify.annotations.Nullable;

/**
 * A stream that a parent opened: first in reserve, then carrying one connection.
 *
 * <p>Threading: the loop. Failure: a stream that ends in reserve just leaves it.
 */
final class ServerCarry extends ServerCall.Listener<Frame> implements TunnelStream {
  private final ServerCall<Frame, Frame> call;
  private final ParentLink link;
  private @Nullable TunnelPump pump;
  private boolean closed;

  ServerCarry(ServerCall<Frame, Frame> call, ParentLink link) {
    this.call = call;
    this.link = link;
    call.setOnReadyThreshold(CarryMethod.READY_THRESHOLD);
    call.sendHeaders(new Metadata());
    call.request(Integer.MAX_VALUE);
  }

  ParentLink link() {
    return link;
  }

  /** Takes the stream out of reserve for a connection. */
  void serve(Tunnel tunnel, LocalSocket socket, Consumer<TunnelEnd> ended) {
    TunnelPump started =
        TunnelPump.forSocket(
            tunnel,
            this,
            socket,
            how -> {
              link.left(this, tunnel);
              ended.accept(how);
            });
    pump = started;
    started.start();
  }

  @Nullable Tunnel tunnel() {
    return pump == null ? null : pump.tunnel();
  }

  /** The connection below is gone, whatever the transport still thinks. */
  void cut(String reason) {
    if (pump != null) {
      pump.streamEnded(false, reason);
    }
    close(Status.UNAVAILABLE.withDescription(reason));
  }

  // What the tunnel asks.

  @Override
  public void send(Frame frame) {
    if (!closed) {
      call.sendMessage(frame);
    }
  }

  @Override
  public boolean isReady() {
    return !closed && call.isReady();
  }

  @Override
  public void end() {
    close(Status.OK);
  }

  private void close(Status status) {
    if (!closed) {
      closed = true;
      call.close(status, new Metadata());
    }
  }

  // What the parent does.

  @Override
  public void onMessage(Frame frame) {
    if (pump == null) {
      if (frame instanceof Frame.Data(var payload)) {
        payload.discard();
      }
      link.leftReserve(this);
      close(Status.FAILED_PRECONDITION.withDescription("a parent does not speak first"));
      return;
    }
    pump.received(frame);
  }

  @Override
  public void onReady() {
    if (pump != null) {
      pump.streamReady();
    }
  }

  @Override
  public void onHalfClose() {
    if (pump == null) {
      link.leftReserve(this);
      close(Status.OK);
    } else {
      pump.streamEnded(true, "the parent ended the stream");
    }
  }

  @Override
  public void onCancel() {
    closed = true;
    if (pump == null) {
      link.leftReserve(this);
    } else {
      pump.streamEnded(false, "the persistent connection was lost");
    }
  }
}
