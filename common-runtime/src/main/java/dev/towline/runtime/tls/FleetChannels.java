package dev.towline.runtime.tls;

import io.grpc.ManagedChannel;
import io.grpc.netty.shaded.io.grpc.netty.NettyChannelBuilder;
import io.grpc.netty.shaded.io.netty.channel.EventLoopGroup;
import io.grpc.netty.shaded.io.netty.channel.MultiThreadIoEventLoopGroup;
import io.grpc.netty.shaded.io.netty.channel.nio.NioIoHandler;
import io.grpc.netty.shaded.io.netty.channel.socket.nio.NioSocketChannel;
import io.grpc.netty.shaded.io.netty.handler.ssl.SslContext;
import java.util.concurrent.ThreadFactory;
import java.util.concurrent.TimeUnit;

/**
 * Opens gRPC channels to members of the fleet, all on one event loop.
 *
 * <p>Lifecycle: {@link #close} once every channel is shut down. Threading: thread-safe; callbacks
 * of calls run on the event loop and must not block.
 */
public final class FleetChannels implements AutoCloseable {
  /** Silence after which either end of a transport asks whether the other is there. */
  public static final int KEEPALIVE_SECONDS = 30;

  /** How long the answer may take. */
  public static final int KEEPALIVE_TIMEOUT_SECONDS = 10;

  /** The most that is in flight on a transport; fixed, so that nothing probes the bandwidth. */
  public static final int WINDOW = 1 << 20;

  private static final int MAX_MESSAGE = 4 << 20;

  private final EventLoopGroup eventLoop;

  public FleetChannels(ThreadFactory threads) {
    this.eventLoop = new MultiThreadIoEventLoopGroup(1, threads, NioIoHandler.newFactory());
  }

  /** A channel that connects with its first call. One transport; the caller shuts it down. */
  public ManagedChannel open(ServerAddress server, SslContext tls) {
    return NettyChannelBuilder.forAddress(server.host(), server.port())
        .sslContext(tls)
        .eventLoopGroup(eventLoop)
        .channelType(NioSocketChannel.class)
        .directExecutor()
        .flowControlWindow(WINDOW)
        .maxInboundMessageSize(MAX_MESSAGE + (64 << 10))
        .keepAliveTime(KEEPALIVE_SECONDS, TimeUnit.SECONDS)
        .keepAliveTimeout(KEEPALIVE_TIMEOUT_SECONDS, TimeUnit.SECONDS)
        .disableRetry()
        .build();
  }

  @Override
  public void close() {
    var _ = eventLoop.shutdownGracefully(0, 1, TimeUnit.SECONDS);
  }
}
