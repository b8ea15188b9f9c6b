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

  /** Says no to an open that asks for more than it may; whoever counts refusals counts it. */
  default void refuse(TunnelPump pump, String code, String detail) {
    pump.connectFailed(code, detail);
  }

  /** A side that never connects anywhere: the child. */
  static Connector none() {
    return (open, pump) -> pump.connectFailed("PROTOCOL", "this relay connects nowhere");
  }
}
