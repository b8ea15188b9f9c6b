package dev.towline.runtime.tls;

import io.grpc.ManagedChannel;
import io.grpc.netty.shaded.io.grpc.netty.NettyChannelBuilder;
import io.grpc.netty.shaded.io.grpc.netty.NettyServerBuilder;
import io.grpc.netty.shaded.io.netty.channel.ChannelOption;
import io.grpc.netty.shaded.io.netty.channel.EventLoopGroup;
import io.grpc.netty.shaded.io.netty.channel.MultiThreadIoEventLoopGroup;
import io.grpc.netty.shaded.io.netty.channel.nio.NioIoHandler;
import io.grpc.netty.shaded.io.netty.channel.socket.nio.NioServerSocketChannel;
import io.grpc.netty.shaded.io.netty.channel.socket.nio.NioSocketChannel;
import io.grpc.netty.shaded.io.netty.handler.ssl.SslContext;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.net.UnknownHostException;
import java.util.Arrays;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ThreadFactory;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.TimeoutException;

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

  private static final int RESOLVE_SECONDS = 5;

  /** An address where nobody is keeps nobody from trying the next one. */
  private static final int CONNECT_MILLIS = 4_000;

  private final EventLoopGroup eventLoop;
  private final Resolver resolver;

  /** Tells the addresses behind a name; may block. */
  @FunctionalInterface
  public interface Resolver {
    InetAddress[] addresses(String host) throws UnknownHostException;
  }

  public FleetChannels(ThreadFactory threads) {
    this(threads, InetAddress::getAllByName);
  }

  public FleetChannels(ThreadFactory threads, Resolver resolver) {
    this.resolver = resolver;
    this.eventLoop = new MultiThreadIoEventLoopGroup(1, threads, NioIoHandler.newFactory());
  }

  /**
   * Every address behind a server's name; done at once when it is an address already. Fails when
   * the name leads nowhere or nobody answers in 5 s.
   */
  public CompletableFuture<List<ServerAddress>> resolve(ServerAddress server) {
    if (server.isLiteral()) {
      return CompletableFuture.completedFuture(List.of(server));
    }
    var addresses = new CompletableFuture<List<ServerAddress>>();
    Thread.ofVirtual()
        .start(() -> {
          try {
            addresses.complete(
                Arrays.stream(resolver.addresses(server.host()))
                    .map(address -> new ServerAddress(address.getHostAddress(), server.port()))
                    .distinct()
                    .toList());
          } catch (UnknownHostException | RuntimeException e) {
            addresses.completeExceptionally(e);
          }
        });
    return addresses.orTimeout(RESOLVE_SECONDS, TimeUnit.SECONDS);
  }

  /** A channel that connects with its first call. One transport; the caller shuts it down. */
  public ManagedChannel open(ServerAddress server, SslContext tls) {
    return NettyChannelBuilder.forAddress(server.host(), server.port())
        .sslContext(tls)
        .eventLoopGroup(eventLoop)
        .channelType(NioSocketChannel.class)
        .withOption(ChannelOption.CONNECT_TIMEOUT_MILLIS, CONNECT_MILLIS)
        .directExecutor()
        .flowControlWindow(WINDOW)
        .maxInboundMessageSize(MAX_MESSAGE + (64 << 10))
        .keepAliveTime(KEEPALIVE_SECONDS, TimeUnit.SECONDS)
        .keepAliveTimeout(KEEPALIVE_TIMEOUT_SECONDS, TimeUnit.SECONDS)
        .disableRetry()
        .build();
  }

  /** What the resolver said, for people. */
  public static String resolversAnswer(Throwable failure) {
    return switch (failure) {
      case UnknownHostException unknown -> String.valueOf(unknown.getMessage());
      case TimeoutException _ -> "no answer within " + RESOLVE_SECONDS + " s";
      default -> failure.toString();
    };
  }

  /**
   * A server on the same event loop, for a program that is dialled itself; the caller adds services
   * and starts it. Calls run on the event loop and must not block.
   */
  public NettyServerBuilder server(InetSocketAddress listen, HandshakeWatch tls) {
    return NettyServerBuilder.forAddress(listen)
        .protocolNegotiator(tls)
        .bossEventLoopGroup(eventLoop)
        .workerEventLoopGroup(eventLoop)
        .channelType(NioServerSocketChannel.class)
        .directExecutor()
        .flowControlWindow(WINDOW)
        .maxInboundMessageSize(MAX_MESSAGE + (64 << 10))
        .keepAliveTime(KEEPALIVE_SECONDS, TimeUnit.SECONDS)
        .keepAliveTimeout(KEEPALIVE_TIMEOUT_SECONDS, TimeUnit.SECONDS)
        .permitKeepAliveTime(KEEPALIVE_SECONDS / 3, TimeUnit.SECONDS)
        .permitKeepAliveWithoutCalls(true);
  }

  @Override
  public void close() {
    var _ = eventLoop.shutdownGracefully(0, 1, TimeUnit.SECONDS);
  }
}
