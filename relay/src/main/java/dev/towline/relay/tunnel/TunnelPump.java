package dev.towline.relay.tunnel;

import io.grpc.netty.shaded.io.netty.buffer.ByteBuf;
import io.grpc.netty.shaded.io.netty.channel.Channel;
import io.grpc.netty.shaded.io.netty.channel.ChannelFuture;
import io.grpc.netty.shaded.io.netty.channel.ChannelHandlerContext;
import io.grpc.netty.shaded.io.netty.channel.ChannelInboundHandlerAdapter;
import io.grpc.netty.shaded.io.netty.channel.ChannelOption;
import io.grpc.netty.shaded.io.netty.channel.socket.ChannelInputShutdownEvent;
import io.grpc.netty.shaded.io.netty.channel.socket.DuplexChannel;
import java.util.function.Consumer;
import org.jspecify.annotations.Nullable;

/**
 * Moves bytes between a local socket and a stream, as its {@link Tunnel} says.
 *
 * <p>Lifecycle: from {@link #start} to the end of the tunnel, of which the listener hears once.
 * Threading: the event loop that stream and socket share; nothing here blocks. Failure: whatever
 * breaks on one side becomes an event of the tunnel.
 */
public final class TunnelPump extends ChannelInboundHandlerAdapter {
  private final Tunnel tunnel;
  private final TunnelStream stream;
  private final Connector connector;
  private final Consumer<TunnelPump> ended;

  private @Nullable Channel local;
  private boolean performing;

  private TunnelPump(
      Tunnel tunnel, TunnelStream stream, Connector connector, Consumer<TunnelPump> ended) {
    this.tunnel = tunnel;
    this.stream = stream;
    this.connector = connector;
    this.ended = ended;
  }

  /** For a socket that is there: the child's side. */
  public static TunnelPump forSocket(
      Tunnel tunnel,
      TunnelStream stream,
      Channel local,
      LocalReads reads,
      Consumer<TunnelPump> ended) {
    TunnelPump pump = new TunnelPump(tunnel, stream, Connector.none(), ended);
    pump.local = local;
    reads.attach(tunnel);
    local.pipeline().addLast(pump);
    return pump;
  }

  /** For a socket that the connector opens when the tunnel asks: the parent's side. */
  public static TunnelPump forConnector(
      Tunnel tunnel, TunnelStream stream, Connector connector, Consumer<TunnelPump> ended) {
    return new TunnelPump(tunnel, stream, connector, ended);
  }

  /** To be called once, when stream and socket deliver to this pump. */
  public void start() {
    perform();
    streamReady();
  }

  public Tunnel tunnel() {
    return tunnel;
  }

  // Events of the stream.

  public void received(Frame frame) {
    tunnel.received(frame);
    perform();
  }

  public void streamReady() {
    if (stream.isReady()) {
      tunnel.streamReady();
      perform();
    }
  }

  public void streamEnded(boolean orderly, String detail) {
    tunnel.streamEnded(orderly, detail);
    perform();
  }

  // Events of the connector.

  /** Before the channel is registered. */
  public void connecting(Channel channel, LocalReads reads) {
    reads.attach(tunnel);
    channel.pipeline().addLast(this);
  }

  public void connected(Channel channel) {
    if (tunnel.end() != null) {
      channel.close();
      return;
    }
    local = channel;
    tunnel.localConnected();
    perform();
  }

  public void connectFailed(String code, String detail) {
    tunnel.localFailed(code, detail);
    perform();
  }

  // Events of the socket.

  @Override
  public void channelRead(ChannelHandlerContext context, Object message) {
    tunnel.localData(new BufPayload((ByteBuf) message));
    perform();
  }

  @Override
  public void userEventTriggered(ChannelHandlerContext context, Object event) {
    if (event instanceof ChannelInputShutdownEvent) {
      tunnel.localEof();
      perform();
    }
  }

  @Override
  public void channelInactive(ChannelHandlerContext context) {
    tunnel.localFailed("LOCAL_CLOSED", "the local connection was closed");
    perform();
  }

  @Override
  public void exceptionCaught(ChannelHandlerContext context, Throwable cause) {
    tunnel.localFailed("LOCAL_RESET", describe(cause));
    perform();
  }

  private void written(ChannelFuture future, int bytes) {
    Throwable cause = future.cause();
    if (cause == null) {
      tunnel.localWritten(bytes);
    } else {
      tunnel.localFailed("LOCAL_RESET", describe(cause));
    }
    perform();
  }

  private void perform() {
    if (performing) {
      return;
    }
    performing = true;
    try {
      for (TunnelOutput next = tunnel.poll(); next != null; next = tunnel.poll()) {
        perform(next);
      }
    } finally {
      performing = false;
    }
  }

  private void perform(TunnelOutput output) {
    switch (output) {
      case TunnelOutput.Send(Frame.Data data) -> {
        stream.send(data);
        data.payload().discard();
        if (stream.isReady()) {
          tunnel.streamReady();
        }
      }
      case TunnelOutput.Send(Frame frame) -> stream.send(frame);
      case TunnelOutput.Connect(var open) -> connector.connect(open, this);
      case TunnelOutput.Write(Payload payload) -> {
        int size = payload.size();
        ((NettyPayload) payload).writeTo(socket(), future -> written(future, size));
      }
      case TunnelOutput.Read _ -> socket().read();
      case TunnelOutput.ShutdownOutput _ -> ((DuplexChannel) socket()).shutdownOutput();
      case TunnelOutput.Close _ -> close(false);
      case TunnelOutput.Abort _ -> close(true);
      case TunnelOutput.End _ -> {
        stream.end();
        ended.accept(this);
      }
    }
  }

  private Channel socket() {
    if (local == null) {
      throw new IllegalStateException("tunnel asks for a socket before it is connected");
    }
    return local;
  }

  private void close(boolean reset) {
    if (local == null) {
      return;
    }
    if (reset) {
      local.config().setOption(ChannelOption.SO_LINGER, 0);
    }
    local.close();
  }

  private static String describe(Throwable cause) {
    String message = cause.getMessage();
    return message == null ? cause.getClass().getSimpleName() : message;
  }
}
