package dev.towline.manager.nodes;

import dev.towline.manager.store.Tx;
import java.security.PublicKey;
import java.security.cert.X509Certificate;
import java.util.List;
import java.util.Optional;

/** The keys that may have signed what a node left with somebody else. */
public final class CertifiedKeys {
  private CertifiedKeys() {}

  /** Of a member that is trusted; none of others. */
  public static List<PublicKey> of(Tx tx, String id) {
    Optional<Node> node = tx.nodes().find(id).filter(found -> found.revokedMs() == 0);
    return node.isEmpty()
        ? List.of()
        : tx.nodes().certificates(id).stream().map(X509Certificate::getPublicKey).toList();
  }
}
