package dev.towline.relay.tunnel;

import dev.towline.proto.v1.OpenTunnel;
import io.grpc.netty.shaded.io.netty.channel.Channel;

/** Reaches what a tunnel is for. Only a parent does. */
@FunctionalInterface
public interface Connector {

  /**
   * Starts to connect.
   *
   * @param pump becomes the handler of the new channel, and hears of the outcome on its loop
   */
  void connect(OpenTunnel open, TunnelPump pump);

  /** A side that never connects anywhere: the child. */
  static Connector none() {
    return (open, pump) -> pump.connectFailed("PROTOCOL", "this relay connects nowhere");
  }

  /** Options that every local socket needs. Autoread is off: the tunnel says when to read. */
  static void configure(Channel channel, LocalReads reads) {
    SocketOptions.apply(channel, reads);
  }
}
