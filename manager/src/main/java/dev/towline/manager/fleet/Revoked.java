package dev.towline.manager.fleet;

import dev.towline.manager.nodes.NodeStore.RevokedNode;
import dev.towline.manager.store.Store;
import dev.towline.manager.store.Tx;
import dev.towline.proto.v1.Revocation;
import dev.towline.proto.v1.RevocationList;
import dev.towline.proto.v1.RevocationStatement;
import dev.towline.runtime.identity.NodeIdentity;
import dev.towline.runtime.identity.Revocations;
import java.time.InstantSource;
import java.util.List;
import java.util.stream.Collectors;

/**
 * Who is no longer trusted: held in memory for every handshake, kept in the store, told to others
 * as a signed and numbered list. Safe for use by several threads.
 */
public final class Revoked implements Revocations {
  private static final String NUMBER = "revocation-list-number";

  private final Store store;
  private final InstantSource clock;
  private volatile Known known = new Known(0, List.of(), java.util.Set.of());

  public Revoked(Store store, InstantSource clock) {
    this.store = store;
    this.clock = clock;
    reload();
  }

  private record Known(long number, List<RevokedNode> nodes, java.util.Set<String> ids) {}

  /** Grows with each change; 0 when nobody was ever revoked. */
  public long number() {
    return known.number();
  }

  /** Revokes within a transaction; {@link #reload} is due after the commit. */
  public void revoke(Tx tx, String node, String reason) {
    tx.nodes().revoke(node, clock.millis(), reason);
    tx.fleet().next(NUMBER);
  }

  /** Takes over what is stored. */
  public void reload() {
    known =
        store.read(tx -> {
          List<RevokedNode> nodes = tx.nodes().revoked();
          return new Known(
              tx.fleet().value(NUMBER).map(Long::parseLong).orElse(0L),
              nodes,
              nodes.stream().map(RevokedNode::id).collect(Collectors.toUnmodifiableSet()));
        });
  }

  @Override
  public boolean isRevoked(NodeIdentity identity, String serial) {
    return known.ids().contains(identity.id());
  }

  public RevocationList signed(Fleet fleet) {
    Known now = known;
    RevocationStatement.Builder statement =
        RevocationStatement.newBuilder().setNumber(now.number()).setIssuedMs(clock.millis());
    for (RevokedNode node : now.nodes()) {
      statement.addRevoked(
          Revocation.newBuilder()
              .setIdentity(new NodeIdentity(fleet.id(), node.role(), node.id()).uri())
              .setRevokedMs(node.revokedMs())
              .setReason(node.reason()));
    }
    return fleet.signer().sign(statement.build());
  }
}
