package dev.towline.manager.fleet;

import dev.towline.manager.fleet.TrustStore.RevokedCertificate;
import dev.towline.manager.nodes.NodeStore.RevokedNode;
import dev.towline.manager.store.Store;
import dev.towline.manager.store.Tx;
import dev.towline.proto.v1.Revocation;
import dev.towline.proto.v1.RevocationList;
import dev.towline.proto.v1.RevocationStatement;
import dev.towline.runtime.identity.Fingerprints;
import dev.towline.runtime.identity.NodeIdentity;
import dev.towline.runtime.identity.Revocations;
import java.security.cert.X509Certificate;
import java.time.InstantSource;
import java.util.List;
import java.util.Set;
import java.util.stream.Collectors;

/**
 * Who is no longer trusted: held in memory for every handshake, kept in the store, told to others
 * as a signed and numbered list. Safe for use by several threads.
 */
public final class Revoked implements Revocations {
  private static final String NUMBER = "revocation-list-number";

  private final Store store;
  private final InstantSource clock;
  private volatile Known known = new Known(0, List.of(), List.of(), Set.of(), Set.of());

  public Revoked(Store store, InstantSource clock) {
    this.store = store;
    this.clock = clock;
    reload();
  }

  private record Known(
      long number,
      List<RevokedNode> nodes,
      List<RevokedCertificate> certificates,
      Set<String> ids,
      Set<String> serials) {}

  /** Grows with each change; 0 when nobody was ever revoked. */
  public long number() {
    return known.number();
  }

  /** Revokes within a transaction; {@link #reload} is due after the commit. */
  public void revoke(Tx tx, String node, String reason) {
    tx.nodes().revoke(node, clock.millis(), reason);
    tx.fleet().next(NUMBER);
  }

  /**
   * Revokes those certificates of a member that are still valid, not the member; {@link #reload} is
   * due after the commit.
   */
  public void revokeCertificates(
      Tx tx, NodeIdentity identity, List<X509Certificate> certificates, String reason) {
    long now = clock.millis();
    for (X509Certificate certificate : certificates) {
      if (certificate.getNotAfter().getTime() >= now) {
        revokeCertificate(
            tx,
            Fingerprints.serial(certificate),
            identity,
            certificate.getNotAfter().getTime(),
            reason);
      }
    }
  }

  /** Revokes one certificate by its serial number; {@link #reload} is due after the commit. */
  public void revokeCertificate(
      Tx tx, String serial, NodeIdentity identity, long expiresMs, String reason) {
    tx.trust()
        .revokeCertificate(
            new RevokedCertificate(serial, identity.uri(), clock.millis(), expiresMs, reason));
    tx.fleet().next(NUMBER);
  }

  /** Takes over what is stored. */
  public void reload() {
    known =
        store.read(tx -> {
          List<RevokedNode> nodes = tx.nodes().revoked();
          List<RevokedCertificate> certificates = tx.trust().revokedCertificates(clock.millis());
          return new Known(
              tx.fleet().value(NUMBER).map(Long::parseLong).orElse(0L),
              nodes,
              certificates,
              nodes.stream().map(RevokedNode::id).collect(Collectors.toUnmodifiableSet()),
              certificates.stream()
                  .map(RevokedCertificate::serial)
                  .collect(Collectors.toUnmodifiableSet()));
        });
  }

  @Override
  public boolean isRevoked(NodeIdentity identity, String serial) {
    Known now = known;
    return now.ids().contains(identity.id()) || now.serials().contains(serial);
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
    for (RevokedCertificate certificate : now.certificates()) {
      statement.addRevoked(
          Revocation.newBuilder()
              .setSerial(certificate.serial())
              .setIdentity(certificate.identity())
              .setRevokedMs(certificate.revokedMs())
              .setReason(certificate.reason()));
    }
    return fleet.signer().sign(statement.build());
  }
}
