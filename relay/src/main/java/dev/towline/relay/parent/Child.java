package dev.towline.relay.parent;

import dev.towline.proto.v1.RelayChild;
import dev.towline.relay.link.Addresses;
import dev.towline.relay.link.PairingKey;
import dev.towline.runtime.tls.ServerAddress;

/**
 * One entry of the child list (R2).
 *
 * @param pairingKey proves a child that holds no certificate yet; none when it holds one
 */
record Child(String relayId, String name, ServerAddress address, PairingKey pairingKey) {
  static final int DEFAULT_PORT = 52311;

  /**
   * @throws IllegalArgumentException when the address is none
   */
  static Child of(RelayChild child) {
    return new Child(
        child.getRelayId(),
        child.getName().isEmpty() ? child.getRelayId() : child.getName(),
        Addresses.parse(child.getDialAddress(), DEFAULT_PORT),
        new PairingKey(child.getPairingKey().toByteArray()));
  }

  boolean mayBeUnregistered() {
    return pairingKey.isPresent();
  }
}
