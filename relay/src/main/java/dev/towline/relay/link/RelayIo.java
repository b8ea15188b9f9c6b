package dev.towline.relay.link;

import io.grpc.netty.shaded.io.netty.channel.Channel;
import io.grpc.netty.shaded.io.netty.channel.EventLoop;
import io.grpc.netty.shaded.io.netty.channel.EventLoopGroup;
import io.grpc.netty.shaded.io.netty.channel.MultiThreadIoEventLoopGroup;
import io.grpc.netty.shaded.io.netty.channel.ServerChannel;
import io.grpc.netty.shaded.io.netty.channel.epoll.Epoll;
import io.grpc.netty.shaded.io.netty.channel.epoll.EpollServerSocketChannel;
import io.grpc.netty.shaded.io.netty.channel.epoll.EpollSocketChannel;
import io.grpc.netty.shaded.io.netty.channel.nio.NioIoHandler;
import io.grpc.netty.shaded.io.netty.channel.socket.nio.NioServerSocketChannel;
import io.grpc.netty.shaded.io.netty.channel.socket.nio.NioSocketChannel;
import io.grpc.netty.shaded.io.netty.util.concurrent.DefaultThreadFactory;
import java.util.concurrent.TimeUnit;

/**
 * The one event loop of a relay, shared by gRPC transports and plain sockets: bytes never change
 * threads, and the loop is the owner of all state of links and tunnels.
 *
 * <p>On Linux it is epoll ({@link OnDemandEpoll} says with what care), elsewhere NIO, which does
 * the same at a higher price and does not notice that the peer of a socket that nobody reads has
 * gone.
 */
public final class RelayIo implements AutoCloseable {
  private final EventLoopGroup group;
  private final boolean epoll;

  public RelayIo(String name) {
    this(name, Epoll.isAvailable() && !Boolean.getBoolean("towline.relay.nio"));
  }

  RelayIo(String name, boolean epoll) {
    this.epoll = epoll;
    this.group =
        new MultiThreadIoEventLoopGroup(
            1,
            new DefaultThreadFactory(name, true),
            epoll ? OnDemandEpoll.newFactory() : NioIoHandler.newFactory());
  }

  public EventLoopGroup group() {
    return group;
  }

  public EventLoop loop() {
    return group.next();
  }

  public Class<? extends Channel> socketType() {
    return epoll ? EpollSocketChannel.class : NioSocketChannel.class;
  }

  public Class<? extends ServerChannel> listenerType() {
    return epoll ? EpollServerSocketChannel.class : NioServerSocketChannel.class;
  }

  @Override
  public void close() {
    var _ =
        group.shutdownGracefully(0, 2, TimeUnit.SECONDS).awaitUninterruptibly(5, TimeUnit.SECONDS);
  }
}
