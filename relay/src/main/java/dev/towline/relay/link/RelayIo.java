package dev.towline.relay.link;

import io.grpc.netty.shaded.io.netty.channel.Channel;
import io.grpc.netty.shaded.io.netty.channel.EventLoop;
import io.grpc.netty.shaded.io.netty.channel.EventLoopGroup;
import io.grpc.netty.shaded.io.netty.channel.MultiThreadIoEventLoopGroup;
import io.grpc.netty.shaded.io.netty.channel.ServerChannel;
import io.grpc.netty.shaded.io.netty.channel.nio.NioIoHandler;
import io.grpc.netty.shaded.io.netty.channel.socket.nio.NioServerSocketChannel;
import io.grpc.netty.shaded.io.netty.channel.socket.nio.NioSocketChannel;
import io.grpc.netty.shaded.io.netty.util.concurrent.DefaultThreadFactory;
import java.util.concurrent.TimeUnit;

/**
 * The one event loop of a relay, shared by gRPC transports and plain sockets: bytes never change
 * threads, and the loop is the owner of all state of links and tunnels.
 *
 * <p>NIO and not the native epoll transport: that one (Netty 4.2 as shaded into gRPC 1.85) removes
 * a socket from epoll when nothing is asked of it and then fails to change what it no longer has,
 * so a socket that is read on demand and half-closed by its peer loses its last bytes.
 */
public final class RelayIo implements AutoCloseable {
  private final EventLoopGroup group;

  public RelayIo(String name) {
    this.group =
        new MultiThreadIoEventLoopGroup(
            1, new DefaultThreadFactory(name, true), NioIoHandler.newFactory());
  }

  public EventLoopGroup group() {
    return group;
  }

  public EventLoop loop() {
    return group.next();
  }

  public Class<? extends Channel> socketType() {
    return NioSocketChannel.class;
  }

  public Class<? extends ServerChannel> listenerType() {
    return NioServerSocketChannel.class;
  }

  @Override
  public void close() {
    var _ =
        group.shutdownGracefully(0, 2, TimeUnit.SECONDS).awaitUninterruptibly(5, TimeUnit.SECONDS);
  }
}
