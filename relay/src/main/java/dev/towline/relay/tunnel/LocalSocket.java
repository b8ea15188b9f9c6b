package dev.towline.relay.tunnel;

import io.grpc.netty.shaded.io.netty.buffer.ByteBuf;
import io.grpc.netty.shaded.io.netty.buffer.PooledByteBufAllocator;
import io.grpc.netty.shaded.io.netty.channel.Channel;
import io.grpc.netty.shaded.io.netty.channel.ChannelConfig;
import io.grpc.netty.shaded.io.netty.channel.ChannelException;
import io.grpc.netty.shaded.io.netty.channel.ChannelFutureListener;
import io.grpc.netty.shaded.io.netty.channel.ChannelHandlerContext;
import io.grpc.netty.shaded.io.netty.channel.ChannelInboundHandlerAdapter;
import io.grpc.netty.shaded.io.netty.channel.ChannelOption;
import io.grpc.netty.shaded.io.netty.channel.DefaultMaxMessagesRecvByteBufAllocator;
import io.grpc.netty.shaded.io.netty.channel.WriteBufferWaterMark;
import io.grpc.netty.shaded.io.netty.channel.socket.ChannelInputShutdownEvent;
import io.grpc.netty.shaded.io.netty.channel.socket.DuplexChannel;
import java.util.ArrayDeque;
import java.util.Queue;
import org.jspecify.annotations.Nullable;

/**
 * The plain TCP socket of a tunnel. Reads only when asked, as much as the tunnel may send.
 *
 * <p>Lifecycle: made before its channel is registered; what happens before a pump is attached is
 * kept (a kernel that saw FIN delivers unasked). Threading: the channel's loop. Failure: becomes an
 * event of the tunnel.
 */
public final class LocalSocket extends ChannelInboundHandlerAdapter {
  private static final int RESET = 0;
  private static final int IN_ORDER = -1;

  private final Channel channel;
  private final Queue<Runnable> early = new ArrayDeque<>();
  private @Nullable TunnelPump pump;

  public LocalSocket(Channel channel) {
    this.channel = channel;
    ChannelConfig config = channel.config();
    config.setAutoRead(false);
    config.setAllocator(PooledByteBufAllocator.DEFAULT);
    config.setRecvByteBufAllocator(new Reads());
    config.setWriteBufferWaterMark(new WriteBufferWaterMark(128 * 1024, 512 * 1024));
    config.setOption(ChannelOption.TCP_NODELAY, true);
    config.setOption(ChannelOption.SO_KEEPALIVE, true);
    config.setOption(ChannelOption.ALLOW_HALF_CLOSURE, true);
    // Until it is closed in order: when this process is killed, the kernel resets it.
    linger(RESET);
    channel.pipeline().addLast(this);
  }

  public Channel channel() {
    return channel;
  }

  /** Resets the connection: its peer can't take what it got for complete. */
  public void abort() {
    linger(RESET);
    var _ = channel.close();
  }

  private void linger(int how) {
    try {
      channel.config().setOption(ChannelOption.SO_LINGER, how);
    } catch (ChannelException e) {
      // Closed already; then there is nothing to reset.
    }
  }

  void attach(TunnelPump attached) {
    pump = attached;
    for (Runnable next = early.poll(); next != null; next = early.poll()) {
      next.run();
    }
  }

  void read() {
    channel.read();
  }

  void write(NettyPayload payload, ChannelFutureListener written) {
    payload.writeTo(channel, written);
  }

  void shutdownOutput() {
    var _ = ((DuplexChannel) channel).shutdownOutput();
  }

  void close() {
    linger(IN_ORDER);
    var _ = channel.close();
  }

  @Override
  public void channelRead(ChannelHandlerContext context, Object message) {
    BufPayload payload = new BufPayload((ByteBuf) message);
    if (pump != null) {
      pump.localData(payload);
    } else {
      early.add(() -> attached().localData(payload));
    }
  }

  @Override
  public void userEventTriggered(ChannelHandlerContext context, Object event) {
    if (!(event instanceof ChannelInputShutdownEvent)) {
      return;
    }
    if (pump != null) {
      pump.localEof();
    } else {
      early.add(() -> attached().localEof());
    }
  }

  @Override
  public void channelInactive(ChannelHandlerContext context) {
    failed("LOCAL_CLOSED", "the local connection was closed");
  }

  @Override
  public void exceptionCaught(ChannelHandlerContext context, Throwable cause) {
    failed("LOCAL_RESET", describe(cause));
  }

  private void failed(String code, String detail) {
    if (pump != null) {
      pump.localFailed(code, detail);
    } else {
      early.add(() -> attached().localFailed(code, detail));
    }
  }

  private TunnelPump attached() {
    if (pump == null) {
      throw new IllegalStateException("no pump attached");
    }
    return pump;
  }

  static String describe(Throwable cause) {
    String message = cause.getMessage();
    return message == null ? cause.getClass().getSimpleName() : message;
  }

  /** How much one read asks for: what the tunnel may send, and what reads brought lately. */
  private final class Reads extends DefaultMaxMessagesRecvByteBufAllocator {
    private static final int SMALLEST = 2048;
    private int size = 16 * 1024;

    Reads() {
      super(1);
    }

    @Override
    @SuppressWarnings("deprecation") // the type that the library itself still returns here
    public Handle newHandle() {
      return new MaxMessageHandle() {
        @Override
        public int guess() {
          return pump == null ? SMALLEST : Math.min(size, pump.tunnel().readAllowance());
        }

        @Override
        public void lastBytesRead(int bytes) {
          super.lastBytesRead(bytes);
          if (bytes > 0 && bytes == attemptedBytesRead()) {
            size = Math.min(size * 2, Tunnel.MAX_CHUNK);
          } else if (bytes > 0 && bytes < size / 8) {
            size = Math.max(size / 2, SMALLEST);
          }
        }
      };
    }
  }
}
