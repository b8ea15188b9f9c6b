package dev.towline.relay.parent;

import dev.towline.relay.tunnel.CarryMethod;
import dev.towline.relay.tunnel.Connector;
import dev.towline.relay.tunnel.CreditBudget;
import dev.towline.relay.tunnel.Frame;
import dev.towline.relay.tunnel.Tunnel;
import dev.towline.relay.tunnel.TunnelEnd;
import dev.towline.relay.tunnel.TunnelPump;
import dev.towline.relay.tunnel.TunnelStream;
import io.grpc.CallOptions;
import io.grpc.Channel;
import io.grpc.ClientCall;
import io.grpc.Metadata;
import io.grpc.Status;
import io.grpc.netty.shaded.io.netty.channel.EventLoop;
import java.util.concurrent.Future;
import java.util.concurrent.TimeUnit;
import java.util.regex.Pattern;
import org.jspecify.annotations.Nullable;

/**
 * A stream that this parent keeps ready, until the child takes it for a connection.
 *
 * <p>Threading: the loop. Failure: a stream that the child does not end soon after this side did is
 * cancelled.
 */
final class ClientCarry extends ClientCall.Listener<Frame> implements TunnelStream {
  private static final CallOptions OPTIONS =
      CallOptions.DEFAULT.withOnReadyThreshold(CarryMethod.READY_THRESHOLD);
  private static final long END_WITHIN_SECONDS = 10;

  /** What the transport adds to its messages for its own authors. */
  private static final Pattern PIPELINE = Pattern.compile("\\s*Channel Pipeline: \\[[^]]*\\]\\s*");

  private final ClientCall<Frame, Frame> call;
  private final TunnelPump pump;
  private final EventLoop loop;
  private final Owner owner;
  private boolean taken;
  private boolean ended;
  private boolean closed;
  private @Nullable Future<?> ending;

  /** Hears what becomes of a stream. */
  interface Owner {
    void taken(ClientCarry carry);

    void ended(ClientCarry carry, TunnelEnd how);
  }

  private ClientCarry(
      Channel channel, EventLoop loop, Connector connector, CreditBudget budget, Owner owner) {
    this.call = channel.newCall(CarryMethod.DESCRIPTOR, OPTIONS);
    this.loop = loop;
    this.owner = owner;
    this.pump =
        TunnelPump.forConnector(
            Tunnel.answering(budget), this, connector, how -> owner.ended(this, how));
  }

  static ClientCarry open(
      Channel channel, EventLoop loop, Connector connector, CreditBudget budget, Owner owner) {
    ClientCarry carry = new ClientCarry(channel, loop, connector, budget, owner);
    carry.call.start(carry, new Metadata());
    carry.call.request(Integer.MAX_VALUE);
    carry.pump.start();
    return carry;
  }

  Tunnel tunnel() {
    return pump.tunnel();
  }

  boolean taken() {
    return taken;
  }

  @Override
  public void send(Frame frame) {
    if (!closed && !ended) {
      call.sendMessage(frame);
    }
  }

  @Override
  public boolean isReady() {
    return !closed && !ended && call.isReady();
  }

  @Override
  public void end() {
    if (closed || ended) {
      return;
    }
    ended = true;
    call.halfClose();
    ending =
        loop.schedule(
            () -> call.cancel("the child did not end the stream", null),
            END_WITHIN_SECONDS,
            TimeUnit.SECONDS);
  }

  @Override
  public void onMessage(Frame frame) {
    if (!taken && frame instanceof Frame.Open) {
      taken = true;
      owner.taken(this);
    }
    pump.received(frame);
  }

  @Override
  public void onReady() {
    pump.streamReady();
  }

  @Override
  public void onClose(Status status, Metadata trailers) {
    closed = true;
    if (ending != null) {
      ending.cancel(false);
    }
    pump.streamEnded(
        status.isOk(), status.isOk() ? "the child ended the stream" : describe(status));
  }

  static String describe(Status status) {
    String text = status.getDescription();
    Throwable cause = status.getCause();
    StringBuilder all = new StringBuilder(text == null ? status.getCode().name() : text);
    for (int depth = 0; cause != null && depth < 4; cause = cause.getCause(), depth++) {
      String message = cause.getMessage();
      if (message != null && all.indexOf(message) < 0) {
        all.append(": ").append(message);
      }
    }
    return PIPELINE.matcher(all).replaceAll(" ").strip();
  }
}
