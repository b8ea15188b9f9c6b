package dev.towline.relay.tunnel;

import io.grpc.netty.shaded.io.netty.buffer.PooledByteBufAllocator;
import io.grpc.netty.shaded.io.netty.channel.Channel;
import io.grpc.netty.shaded.io.netty.channel.ChannelConfig;
import io.grpc.netty.shaded.io.netty.channel.ChannelOption;
import io.grpc.netty.shaded.io.netty.channel.WriteBufferWaterMark;

/** Settings of the TCP sockets on the plain side of a tunnel. */
final class SocketOptions {
  private SocketOptions() {}

  static void apply(Channel channel, LocalReads reads) {
    ChannelConfig config = channel.config();
    config.setAutoRead(false);
    config.setAllocator(PooledByteBufAllocator.DEFAULT);
    config.setRecvByteBufAllocator(reads);
    config.setWriteBufferWaterMark(new WriteBufferWaterMark(128 * 1024, 512 * 1024));
    config.setOption(ChannelOption.TCP_NODELAY, true);
    config.setOption(ChannelOption.SO_KEEPALIVE, true);
    config.setOption(ChannelOption.ALLOW_HALF_CLOSURE, true);
  }
}
