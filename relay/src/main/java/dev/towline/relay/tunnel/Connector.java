package dev.towline.relay.tunnel;

import dev.towline.proto.v1.OpenTunnel;

/** Reaches what a tunnel is for. Only a parent does. */
@FunctionalInterface
public interface Connector {

  /**
   * Starts to connect; the pump hears of the outcome on its loop: {@link TunnelPump#connected} or
   * {@link TunnelPump#connectFailed}.
   */
  void connect(OpenTunnel open, TunnelPump pump);

  /** A side that never connects anywhere: the child. */
  static Connector none() {
    return (open, pump) -> pump.connectFailed("PROTOCOL", "this relay connects nowhere");
  }
}
