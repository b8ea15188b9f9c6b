package dev.towline.relay.tunnel;

/** How a tunnel ended. */
public sealed interface TunnelEnd {

  /** Both sides finished sending and everything was delivered. */
  record Clean() implements TunnelEnd {}

  /**
   * @param code stable, for instance {@code LINK_LOST}
   * @param byPeer the other relay said so
   */
  record Broken(String code, String detail, boolean byPeer) implements TunnelEnd {}
}
