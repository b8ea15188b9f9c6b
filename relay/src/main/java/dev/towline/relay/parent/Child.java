package dev.towline.relay.parent;

import dev.towline.proto.v1.RelayChild;
import dev.towline.relay.link.HostPort;
import java.util.Arrays;
import java.util.Objects;

/**
 * One entry of the child list (R2).
 *
 * @param pairingKey proves a child that holds no certificate yet; empty when it holds one
 */
record Child(String relayId, String name, HostPort address, byte[] pairingKey) {
  static final int DEFAULT_PORT = 52311;

  /**
   * @throws IllegalArgumentException when the address is none
   */
  static Child of(RelayChild child) {
    return new Child(
        child.getRelayId(),
        child.getName().isEmpty() ? child.getRelayId() : child.getName(),
        HostPort.parse(child.getDialAddress(), DEFAULT_PORT),
        child.getPairingKey().toByteArray());
  }

  boolean mayBeUnregistered() {
    return pairingKey.length > 0;
  }

  @Override
  public boolean equals(Object other) {
    return other instanceof Child child
        && relayId.equals(child.relayId)
        && name.equals(child.name)
        && address.equals(child.address)
        && Arrays.equals(pairingKey, child.pairingKey);
  }

  @Override
  public int hashCode() {
    return Objects.hash(relayId, name, address, Arrays.hashCode(pairingKey));
  }

  @Override
  public String toString() {
    return "Child["
        + name
        + " "
        + relayId
        + " at "
        + address
        + (mayBeUnregistered() ? ", pairing" : "")
        + "]";
  }
}
